/* sim_impl.h - what the simulator's own files share. Private.
 *
 * Reading order: sim.c (clock, turns), system.c (kernels, kill and restart), wire.c (connections:
 * bytes on their way), peer.c (bare far ends), simnet.c (the mailbox net), lane_w.c (between
 * domains), recorder.c, test.c (expectations, ledgers, seeds), the leaf seed.h.
 */
#ifndef SIM_IMPL_H
#define SIM_IMPL_H

#include <px/assert.h>
#include <px/link.h>
#include <px/sim.h>
#include <string.h>

#include "frame.h"
#include "seed.h"

enum {
    DOMAINS_MAX = 8,
    MAILBOXES_MAX = 128,
    ALLOWS_MAX = 256,
    NAME_LEN_MAX = 63,
    VANISH_US = 20000000,
    LOG_LINES = 64,
    LOG_LINE_LEN = 240,
};

/* ---- events of the world: a heap of elements embedded in what they are about ---- */

struct sim_event {
    uint64_t at_us, seq;
    uint32_t pos; /* in the heap, from 1; 0: not scheduled */
    void (*fn)(struct sim_event *event);
};

void sim_event_set(struct px_sim *sim, struct sim_event *event, uint64_t at_us,
                   void (*fn)(struct sim_event *));
void sim_event_cancel(struct px_sim *sim, struct sim_event *event);

/* ---- bytes that grow at the end and are taken from the front ---- */

struct sim_bytes {
    uint8_t *data;
    size_t off, len, cap; /* valid: [off, off + len) */
};

static inline const uint8_t *sim_bytes_at(const struct sim_bytes *b)
{
    return b->len == 0 ? NULL : b->data + b->off;
}

void sim_bytes_put(struct sim_bytes *b, const void *data, size_t len);
void sim_bytes_drop(struct sim_bytes *b, size_t len);
void sim_bytes_free(struct sim_bytes *b);
void *sim_calloc(size_t len); /* aborts when libc has none */

/* ---- pieces on their way: how much arrives when (wire.c, lane_w.c) ---- */

struct sim_piece {
    uint64_t at_us;
    uint32_t len;
    uint8_t what; /* enum sim_what */
};
enum sim_what { SIM_BYTES, SIM_FIN, SIM_RST, SIM_TIMEOUT };

struct sim_queue {
    struct sim_piece *pieces;
    size_t first, n, cap;
};

void sim_queue_put(struct sim_queue *q, struct sim_piece piece);
struct sim_piece *sim_queue_first(struct sim_queue *q);
void sim_queue_drop(struct sim_queue *q);

/* ---- connections ---- */

/* One end. An end belongs to a stream of a simnet, to a bare peer, or to nobody (detached). */
struct sim_end {
    struct sim_conn *conn;
    struct sim_domain *domain; /* of a simnet; NULL: a bare peer's or nobody's */
    struct px_sim_peer *peer;
    px_handle stream;              /* in the simnet's pool; 0 before it has one */
    struct sim_listener *listener; /* incoming and not yet taken */
    struct sim_end *ready_next;
    uint32_t host; /* 0: outside; else number of a system */
    bool attached;
    bool is_ready; /* on its domain's list */

    /* the direction towards this end */
    struct sim_bytes in; /* arrived first, then what is on its way */
    size_t arrived;
    struct sim_queue way;
    uint64_t last_at_us;
    struct sim_event arrival;
    uint64_t held_since_us; /* by a partition; 0: not */
    bool fin_sent;          /* by the other end */
    bool fin_arrived;
    enum px_status status; /* OK, RESET, TIMED_OUT; of a connect also REFUSED, UNREACHABLE */
};

struct sim_conn {
    struct px_sim *sim;
    struct sim_conn *next, *prev;
    struct sim_end ends[2]; /* 0: who connected */
    struct sim_event established;
    char target[NAME_LEN_MAX + 1], from[NAME_LEN_MAX + 1];
    bool open;     /* the connect has succeeded */
    bool vanished; /* nothing arrives any more */
};

struct sim_listener {
    struct sim_listener *next;
    struct sim_domain *domain; /* NULL: bare peers */
    px_handle handle;          /* in the simnet's pool */
    char address[NAME_LEN_MAX + 1];
    struct px_sim_peer *accepted_first, *accepted_last;
};

static inline struct sim_end *sim_end_other(struct sim_end *end)
{
    return end == &end->conn->ends[0] ? &end->conn->ends[1] : &end->conn->ends[0];
}

/* Begins to connect; what comes of it is said to end 0 by sim_end_ready. */
struct sim_end *sim_connect(struct px_sim *sim, const char *from, const char *target,
                            uint32_t host);
/* Bytes that could be written now; and writing up to that many. Bytes taken. */
size_t sim_end_room(const struct sim_end *end);
size_t sim_end_write(struct sim_end *end, const uint8_t *data, size_t len);
void sim_end_fin(struct sim_end *end);
/* Takes up to `max` arrived bytes, cut where the weather says. */
size_t sim_end_read(struct sim_end *end, uint8_t *ret, size_t max);
/* All that arrived was read, and the fin behind it has arrived. */
bool sim_end_at_fin(const struct sim_end *end);
/* Nobody cares for this end any more; unless both directions have ended the other one is reset. */
void sim_end_detach(struct sim_end *end);
void sim_conn_free(struct sim_conn *conn);
void sim_listener_free(struct px_sim *sim, struct sim_listener *listener);
struct sim_listener *sim_listener_find(struct px_sim *sim, const char *address);
struct sim_listener *sim_listener_new(struct px_sim *sim, const char *address);

/* Something changed at an end: its owner should look. */
void sim_end_ready(struct sim_end *end);
void sim_peer_ready(struct px_sim_peer *peer);         /* peer.c */
struct px_sim_peer *sim_peer_new(struct sim_end *end); /* peer.c */
void simnet_poll(struct sim_domain *domain);           /* simnet.c: looks at the ready ends */

/* ---- lane W ---- */

struct sim_lane_side {
    struct sim_lane *lane;
    struct sim_domain *domain;
    struct px_link *link;
    struct sim_bytes out; /* frames of this turn */
    struct sim_bytes in;  /* arrived first, then on its way */
    size_t arrived;
    struct sim_queue way;
    uint64_t last_at_us;
    struct sim_event arrival;
    struct px_chain received; /* charged to the link */
    struct px_frame frame;    /* taken from it, and not yet taken in */
    bool has_frame;
    bool again; /* something found no memory */
};

struct sim_lane {
    struct sim_lane *next;
    struct sim_lane_side sides[2];
};

void sim_lane_new(struct sim_domain *a, struct sim_domain *b);
/* Both kernels of it that live see the other one gone. */
void sim_lane_free(struct px_sim *sim, struct sim_lane *lane);
bool sim_lane_has_input(const struct sim_domain *domain);
void sim_lane_poll(struct sim_domain *domain);

/* ---- systems ---- */

struct sim_record { /* one recorded message (recorder.c) */
    struct sim_record *next;
    const struct px_msg *held; /* NULL: only the envelope */
    struct px_msg envelope;
};

struct sim_mailbox {
    struct px_sim_system *system;
    const struct px_service *service; /* NULL: a recorder */
    const void *config;
    uint32_t domain;
    char name[NAME_LEN_MAX + 1];
    struct px_service
        recorder; /* when `service` is NULL: takes every method of the contracts allowed */
    struct px_handler *handlers;
    struct sim_record *first, *last; /* recorded and not yet expected */
    struct sim_record *current;      /* handed out by the last expectation */
};

struct sim_allow {
    px_addr from, to;
    const struct px_contract *contract;
};

struct sim_domain {
    struct px_sim *sim;
    struct px_sim_system *system;
    uint32_t index;
    struct px_world world;
    struct px_kernel *kernel; /* NULL: dead */
    struct sim_end *ready_first, *ready_last;
    uint64_t n_allocs, fail_at, fail_end; /* fail_at <= number < fail_end fail */
    uint32_t fail_share;
    bool fail_paused;    /* starting is the operator's hour: no allocation fails */
    uint64_t wake_at_us; /* when its timers want a turn */
    uint64_t unfreed;    /* allocations not given back */
};

struct px_sim_system {
    struct px_sim *sim;
    struct px_sim_system *next;
    uint32_t number; /* from 1: its host on the network */
    uint32_t n_domains, n_mailboxes, n_allows;
    bool started;
    char name[NAME_LEN_MAX + 1];
    struct sim_domain domains[DOMAINS_MAX];
    struct sim_mailbox mailboxes[MAILBOXES_MAX + 1]; /* from 1, as px_addr */
    struct sim_allow allows[ALLOWS_MAX];
};

struct px_sim {
    struct px_sim_config config;
    struct px_sim_weather weather;
    uint64_t now_us;
    uint64_t turns, lane_refused;
    struct seed chance; /* of the world and the test */
    struct seed entropy;
    struct sim_event **heap; /* from 1 */
    uint32_t n_heap, heap_cap;
    uint64_t event_seq;
    struct px_sim_system *systems;
    uint32_t n_systems;
    struct sim_conn *conns;
    struct px_sim_peer *peers;
    struct sim_listener *listeners;
    struct sim_lane *lanes;
    uint32_t next_port;
    uint64_t apart[16]; /* bit b of word a: hosts a and b are apart */
    char log[LOG_LINES][LOG_LINE_LEN];
    uint32_t n_log;
    char note[256], last_words[256];
};

bool sim_hosts_apart(const struct px_sim *sim, uint32_t a, uint32_t b);
/* A delay of the weather; with loss, now and then a long one. */
uint64_t sim_delay_us(struct px_sim *sim);
struct sim_mailbox *sim_mailbox_find(const struct px_sim_system *system, const char *name);
/* recorder.c: the service of a recorder, and dropping what it recorded. */
const struct px_service *sim_recorder_service(struct sim_mailbox *mb);
void sim_mailbox_forget(struct sim_mailbox *mb);
void sim_domain_start(struct sim_domain *domain);         /* system.c */
void sim_domain_leave_network(struct sim_domain *domain); /* detaches its ends and listeners */
void sim_system_free(struct px_sim_system *system);
void sim_drop_ready(struct sim_domain *domain, const struct sim_end *end);
_Noreturn void sim_fail(struct px_sim *sim, const char *file, int line, const char *text);

#endif
