/* net_rig.h - a kernel with the real mailbox net, real sockets on loopback, and a clock that the
 * test moves. Two actors, "owner" and "heir", claim streams and write down what they hear.
 */
#ifndef NET_RIG_H
#define NET_RIG_H

#include <check.h>
#include <px/posix.h>
#include <px/sockaddr46.h>

#include "net.pb-c.h"
#include "net_contract.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

enum { RIG_IDLE_TURNS_MAX = 10000 }; /* each lasts a millisecond at least */
enum { RIG_STREAMS_MAX = 20000, RIG_BYTES_KEPT = 4096, RIG_TEXT_MAX = 128 };

/* What an actor knows of one stream. */
struct heard {
    px_handle lower, self;
    uint64_t got;      /* bytes */
    uint64_t granted;  /* credit to send, all in all */
    uint32_t listener; /* tag */
    uint32_t reason;   /* of Closed */
    uint32_t n_closed;
    uint32_t fins;
    uint32_t largest; /* Data message, bytes */
    bool adopted, opened, handed, lost;
    uint8_t remote[18], local[18];
    size_t remote_len, local_len;
    struct px_credit_in in;
    uint8_t bytes[RIG_BYTES_KEPT]; /* the first ones */
};

struct actor {
    px_addr addr;
    struct heard *streams[RIG_STREAMS_MAX]; /* in the order they were heard of */
    uint32_t n_streams;
    /* How it behaves. */
    uint32_t window;   /* credit with Claim */
    bool keeps_credit; /* does not grant more */
    bool claims_not;
    bool echoes;
    /* The last reply to a call. */
    uint32_t n_replies;
    enum px_status status;
    px_handle listener, lower;
    char address[RIG_TEXT_MAX];
    uint32_t credit;
    Net__ListenerStats stats;
};

struct rig {
    struct px_posix *os;
    struct px_kernel *kernel;
    px_addr net;
    struct actor owner, heir;
    px_addr link, stranger; /* a mailbox behind a link that a test may make */
    uint64_t now_us;
    uint64_t real_since_us; /* 0: the clock stands still */
    uint32_t fail_alloc;    /* the nth allocation from now finds no memory; 0: none */
    uint32_t log_lines;
    char last_log[256];
    struct px_ledger before;
};

extern struct rig *rig; /* the one of the test that runs */

void rig_begin(void);
/* Runs tests, each with a rig of its own; what main returns. */
int net_rig_run(const char *suite, const TTest *const *tests, size_t n);
/* Descriptors of this process. */
uint32_t rig_descriptors(void);
/* Ends everything and looks whether anything is left over. */
void rig_end(void);
/* One turn; waits a little (real time) if nothing is ready. False: nothing was. */
bool rig_turn(void);
/* Waits until something is ready, without a turn: what a far end did has arrived. Even on loopback
 * the system may be late with it when there is much to do. */
void rig_await(void);
void rig_turns(int n);
void rig_advance_us(uint64_t us);
/* From here on time goes by itself. */
void rig_use_real_clock(void);

/* Turns until `cond` is true, or fails. Only turns with nothing to do count: many others pass in
 * the time that the system takes to carry one segment. */
#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        for (int until_i = 0; until_i < RIG_IDLE_TURNS_MAX && !(cond);) {                          \
            until_i += rig_turn() ? 0 : 1;                                                         \
        }                                                                                          \
        ck_assert_msg((cond), "never came true: %s", #cond);                                       \
    } while (0)

uint64_t rig_counter(const char *name);
struct px_ledger rig_ledger(void);

/* ---- the owner's side ---- */

struct listen_how {
    const char *upper;
    uint32_t tag, connections_max, connections_peer_max, send_window, unix_mode;
    bool v6only, reuse_port;
};

/* Listens; status of the answer. */
/* `address` made this process's own, so that tests may run side by side. Good for four calls. */
const char *rig_own(const char *address);
enum px_status rig_listen_with(const char *address, struct listen_how how);
/* On 127.0.0.1; the port. */
uint16_t rig_listen(void);
uint16_t rig_port(void); /* of the last address answered */
enum px_status rig_unlisten(px_handle listener);
const Net__ListenerStats *rig_stats(px_handle listener);
/* Opens; the status of the answer, and the stream. */
enum px_status rig_open(const char *target, uint32_t credit, struct heard **ret_stream);
/* The owner's first stream, over a unix socket "@name" made this process's own; its far end.
 * Nothing is ever on its way: it has not been sent, or is there. */
int rig_unix_stream(const char *name);
/* Waits for the nth stream of an actor (from 0). */
struct heard *rig_stream(struct actor *a, uint32_t nth);

void owner_send(struct actor *a, struct heard *h, const void *data, size_t len);
void owner_send_large(struct actor *a, struct heard *h, uint32_t len, uint8_t fill);
void owner_send_flags(struct actor *a, struct heard *h, bool fin, bool at_rest, uint64_t consumed);
/* `take_fd` as ranges behind `len` bytes of text. */
void owner_send_file(struct actor *a, struct heard *h, const char *head, int take_fd, uint64_t off,
                     uint32_t len);
void owner_credit(struct actor *a, struct heard *h, uint32_t bytes);
void owner_close(struct actor *a, struct heard *h, uint32_t bytes, uint32_t ms);
void owner_reset(struct actor *a, struct heard *h);
void owner_claim(struct actor *a, struct heard *h, px_handle lower, uint32_t credit);
enum px_status owner_rebind(struct actor *a, px_handle lower, const char *mailbox);
/* NULL: no memory. */
struct heard *heard_new(struct actor *a, px_handle lower);

/* ---- the far end: plain sockets ---- */

/* A socket with a port of its own, on which it does not listen yet. */
int far_bound(uint16_t *ret_port);
int far_connect(uint16_t port);
int far_connect_to(const char *address, uint16_t port);
int far_connect_unix(const char *path); /* "@name": abstract */
/* Waits until there is something to read or to accept, without a turn. */
void far_await(int fd);
void far_send(int fd, const char *text);
/* Turns until `len` bytes have come, all equal to `text` if it is given. */
void far_expect(int fd, const char *text);
uint64_t far_drain(int fd, uint64_t len);
void far_expect_fin(int fd);
void far_expect_reset(int fd);
/* Nothing has come. */
void far_expect_silence(int fd);
void far_reset(int take_fd);

#endif
