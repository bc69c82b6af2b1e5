/* supervisor.h - the supervisor of the processes that host services. For clients/lib.
 *
 * A domain is a process running px-domain, joined by lane C. The mailbox "spawn" starts it, tells
 * it what to host, places its mailboxes when it is ready, and replaces it when it dies or hangs: at
 * once, unless it has died SPAWN_QUICK_DEATHS times in a row before it was ready or within a second
 * of it; then it waits, twice as long each time. Beside it there is a spare, unless no_spare says
 * otherwise: the same process once more, set up and confined, that waits to be told to begin.
 */
#ifndef PX_SUPERVISOR_H
#define PX_SUPERVISOR_H

#include <px/kernel.h>

#include "hello.h"

enum {
    PX_SPAWN_DOMAINS_MAX = 32,
    SPAWN_QUICK_DEATHS = 3,
    SPAWN_STABLE_MS = 1000, /* who lives longer than this behind Ready has not died quickly */
    SPAWN_BACKOFF_MS = 100, /* the first wait; it doubles */
    SPAWN_BACKOFF_MAX_MS = 10000,
    SPAWN_READY_MS = 5000, /* from start to Ready; then it counts as hung */
    SPAWN_BEAT_MS = 1000,  /* silence after which a domain that was sent something is asked */
    SPAWN_BEATS_MAX = 3,   /* silent beats after which it is hung */
    SPAWN_SPARE_MS = 100,  /* from when a domain serves to the start of its spare */
    SPAWN_FINISH_MS = 500, /* from the end of its link to the end of a process, in the end */
    PX_SPAWN_WHY_MAX = 640,
};

/* What carries the bytes between the two processes. */
enum px_spawn_lane {
    PX_SPAWN_RINGS,  /* shared memory, or the socket where the host has none */
    PX_SPAWN_STREAM, /* the socket */
    PX_SPAWN_NNG,    /* libnng; such a domain has no spare */
};

/* Everything is copied but `hello`, which outlives the mailbox. */
struct px_spawn_domain {
    const char *name;    /* at most 31 bytes */
    const char *program; /* path of px-domain */
    const px_addr *mailboxes;
    uint32_t n_mailboxes;
    const Link__SetupOf *setup;
    const struct px_hello *hello; /* ours */
    bool no_spare;
    enum px_spawn_lane lane;
};

/* Mailbox "spawn": nobody sends there. Its kernel has a mailbox "link" as well. */
extern const struct px_service px_spawn_service;

enum px_spawn_state {
    PX_SPAWN_STARTING,
    PX_SPAWN_SERVING,
    PX_SPAWN_WAITING, /* died; will be started again later */
    PX_SPAWN_STOPPING,
    PX_SPAWN_STOPPED,
    PX_SPAWN_N_STATES,
};

/* What is known of a domain. */
struct px_spawn_figures {
    const char *name;
    enum px_spawn_state state;
    int pid;       /* 0: none */
    int spare_pid; /* 0: none */
    bool spare_is_ready;
    uint32_t starts;
    const char *why;     /* it ended last; "": it never has. Valid until the next turn. */
    const char *sandbox; /* in force, in words */
    const char *lane;    /* what carries its bytes: "rings", "stream", "nng"; "" until it serves */
};

/* Starts a domain. `env`: of mailbox "spawn". ELIMIT: PX_SPAWN_DOMAINS_MAX; ENOMEM; EUNSUPPORTED:
 * this build has no nng; EIO: it does not work here; EINVAL: the setup is too large. A program that
 * cannot be started is told in the figures. */
PX_MUST_USE enum px_err px_spawn_add(struct px_env *env, const struct px_spawn_domain *domain);
/* ---- other domains in the place of some, while the system runs ----
 *
 * What is prepared is started beside what runs, and waits until all of it is ready. Then those that
 * leave end, and the prepared serve in the same moment: nobody misses the mailboxes for longer than
 * that. If one of the prepared ends before, all of them do, and everything stays as it was. */

/* Prepares a domain. As px_spawn_add; EIO: it cannot even be started (px_spawn_change_why), and all
 * that were prepared are gone. */
PX_MUST_USE enum px_err px_spawn_prepare(struct px_env *env, const struct px_spawn_domain *domain);
/* Why the last change did not come up. */
const char *px_spawn_change_why(struct px_env *env);
/* This domain leaves when the prepared ones are ready. */
void px_spawn_leave(struct px_env *env, const char *name);
/* Begins to wait. `done` hears once how it went, perhaps at once: `why` NULL: the change is in
 * force. */
void px_spawn_change(struct px_env *env, void (*done)(void *ctx, const char *why), void *ctx);
/* Takes back what was prepared, and who was to leave; `done` is told `why` if it waits. */
void px_spawn_change_drop(struct px_env *env, const char *why);

/* Figures of domain `index`, in the order of adding; false: there are no more. */
bool px_spawn_look(struct px_env *env, uint32_t index, struct px_spawn_figures *ret);
/* Ends every process and waits for it: no zombie, no descriptor stays. To be called before
 * px_kernel_free. */
void px_spawn_end(struct px_env *env);

#endif
