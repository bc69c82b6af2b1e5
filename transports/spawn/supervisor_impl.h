/* supervisor_impl.h - what the files of the supervisor share.
 *
 *     supervisor.c         the life of a domain: processes, spares, heartbeat, end; the mailbox
 *     supervisor_change.c  which domains there are: adding, putting others in the place of some
 */
#ifndef PX_SUPERVISOR_IMPL_H
#define PX_SUPERVISOR_IMPL_H

#include "lane.h"
#include "posix_loop.h"
#include "sandbox.h"
#include "supervisor.h"
#include "words.h"

enum {
    NAME_LEN_MAX = 31,
    DOMAIN_SLOTS = 2 * PX_SPAWN_DOMAINS_MAX, /* those that serve, and those prepared */
};

/* A process, and the link to it; with `domain` NULL only its end is awaited. */
struct process {
    struct process *next;
    struct domain *domain;
    struct spawn *spawn;
    struct posix_source end;   /* the pidfd */
    struct posix_source mouth; /* the pipe behind its standard error */
    struct words words;
    struct px_lane *lane;
    struct px_rings offered; /* until the lane has them */
    struct px_sul patience;  /* until it is ready */
    int pid;
    bool said_hello, is_ready, has_rings, is_over, has_crashed;
    char name[NAME_LEN_MAX + 1], refused[PX_HELLO_WHY_MAX], sandbox[SANDBOX_TEXT_MAX];
};

struct domain {
    struct spawn *spawn;
    uint32_t state;
    char name[NAME_LEN_MAX + 1];
    char *program;
    px_addr *mailboxes;
    uint32_t n_mailboxes;
    uint8_t *setup;
    size_t setup_len;
    const struct px_hello *hello;
    struct process *process, *spare;
    bool has_spare, is_prepared, is_leaving;
    enum px_spawn_lane wants;
    struct px_pair *pair; /* with PX_SPAWN_NNG */
    uint32_t starts, quick_deaths, spare_deaths, silent_beats;
    uint64_t ready_at_us, heard, sent;
    struct px_sul timer;       /* SERVING: heartbeat; WAITING: the pause */
    struct px_sul spare_timer; /* until the next spare is started */
    char why[PX_SPAWN_WHY_MAX];
};

struct spawn {
    struct px_env *env, *link_env;
    struct px_posix *os;
    uint8_t owner;
    bool stopping;
    uint32_t n_domains, n_prepared; /* the prepared ones come last */
    struct domain *domains[DOMAIN_SLOTS];
    void (*done)(void *ctx, const char *why); /* of a change that waits; NULL: none does */
    void *done_ctx;
    char change_why[PX_SPAWN_WHY_MAX + NAME_LEN_MAX + 3]; /* why the last one failed */
    struct process *processes;
};

struct spawn *spawn_of(struct px_env *env);

/* ---- supervisor.c ---- */

/* A process for it: its spare, or a new one. It may end before this returns. */
void domain_start(struct domain *d);
/* Its process is ready: its mailboxes are there from now on. */
void domain_serve(struct domain *d);
/* Lets go of its process; of its spare. */
void domain_drop(struct domain *d);
void spare_drop(struct domain *d);
const char *lane_name(const struct process *p);

/* ---- supervisor_change.c ---- */

/* NULL is fine; its processes are dropped before. */
void domain_free(struct domain *d);
/* A prepared domain has become ready. */
void change_check(struct spawn *s);
/* A prepared domain has ended: `d` and all that were prepared are gone afterwards. */
void change_failed(struct domain *d);

#endif
