/* ktest.h - what the tests of the kernel share: a world that stands still until told to move, and
 * actors, mailboxes that write down all they hear.
 *
 * What an actor heard is text, one phrase an event, joined by "; ":
 *
 *     note 5            the oneway Note{5}; "note 5 tag 7" about handle 7; "note 5
 *                       len 3" with payload
 *     ask 5             the call Ask{5}
 *     reply 7 OK 5      the final reply of the call with tag 7, with a body Number{5}; "reply 7 OK"
 *                       without
 *     item 7 5          an item of the stream call with tag 7
 *     ended 7 CANCELLED, more 7 3, lost 7 alice, gone alice, back alice, flush 3, stop
 */
#ifndef KTEST_H
#define KTEST_H

#include <check.h>
#include <px/kernel.h>
#include <px/service.h>
#include <px/world.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktest.pb-c.h"
#include "ktest_contract.h"

/* ---- the world ---- */

enum { KT_ACTORS_MAX = 80, KT_RULES_MAX = 4096 };

/* A growing text. */
struct kt_text {
    char *str; /* never NULL after the first line */
    size_t len, cap;
};

struct kt_world {
    struct px_world ops;
    uint64_t now_us;
    int64_t wall_us;
    uint64_t seed;

    atomic_uint_least64_t allocs;   /* calls of alloc that succeeded */
    atomic_uint_least64_t live;     /* allocations not yet released */
    atomic_uint_least64_t bytes;    /* in them */
    atomic_uint_least64_t fail_nth; /* the nth alloc from now fails; 0: none does */
    atomic_bool fail_all;           /* every alloc fails */
    atomic_uint_least64_t failed;   /* how many did */

    unsigned waits;                         /* calls of wait */
    uint64_t timeout_us;                    /* of the last one */
    unsigned takes;                         /* calls of take */
    bool reads;                             /* of the last one */
    void (*on_take)(void *ctx, bool reads); /* what happens in it */
    void *on_take_ctx;
    bool more; /* there is something left to take */
    atomic_uint wakes;

    struct kt_text log;              /* all lines */
    void (*on_die)(const char *log); /* sees the log of a failed assertion */
};

/* Fills a world in place; the ops' ctx is the world itself. */
void kt_world_init(struct kt_world *world);
/* Frees the log, and asserts that every allocation was released. */
void kt_world_done(struct kt_world *world);

/* The next number of a random sequence. */
uint64_t kt_random(uint64_t *seed);

/* ---- actors ---- */

struct kt;
struct kt_actor;
typedef void (*kt_msg_fn)(struct kt_actor *a, const struct px_msg *msg);

struct kt_actor {
    struct kt *kt;
    const char *name;
    px_addr addr;
    struct px_service service; /* its own, so that limits may differ */
    uint32_t pool_max, pool_calls;

    kt_msg_fn on_msg;   /* at each oneway and call */
    kt_msg_fn on_reply; /* at each reply and item */
    void (*on_init)(struct kt_actor *a);
    void (*on_ended)(struct kt_actor *a, uint64_t tag);
    void (*on_more)(struct kt_actor *a, uint64_t tag, uint32_t n);
    void (*on_gone)(struct kt_actor *a, px_peer peer);
    void (*on_flush)(struct kt_actor *a, struct px_want *want);
    void (*on_stop)(struct kt_actor *a); /* NULL: drained at once */
    enum px_err init_err;                /* what init returns */
    void *ctx;                           /* the test's */

    bool quiet;     /* counts only */
    uint64_t heard; /* events in all */
    uint64_t msgs, replies, items, endeds, gones, flushes;
    px_peer last_from;
    struct kt_text text;
};

/* What an actor's pool holds. */
struct kt_elem {
    struct kt_actor *actor;
    uint64_t n;
    struct px_sul sul;
    struct px_want want;
    const struct px_msg *held;
    px_call_id call;
    px_handle peer; /* the other side's handle */
};

struct kt_state {
    struct kt_actor *actor;
    struct px_env *env;
    struct px_pool pool; /* of struct kt_elem, if pool_max > 0 */
    struct px_chain chain;
    struct px_sul sul;
    struct px_want want;
    const struct px_msg *held[16];
    unsigned n_held;
};

struct kt {
    struct kt_world world;
    struct px_kernel *kernel;
    struct kt_actor *actors[KT_ACTORS_MAX];
    unsigned n_actors;
    struct kt_text story;
};

/* A kernel that knows the contracts of ktest.proto. `config` may be NULL. */
struct kt *kt_new(const struct px_kernel_config *config);
/* Frees the kernel, and asserts that it gave all memory back. */
void kt_free(struct kt *kt);
/* An actor with 64 calls and no pool. */
struct kt_actor *kt_add(struct kt *kt, const char *name);
/* The same with a pool of `pool_max` elements with `pool_calls` calls each. */
struct kt_actor *kt_add_pooled(struct kt *kt, const char *name, uint32_t pool_max,
                               uint32_t pool_calls);
/* A stand-in for a mailbox that is added by hand (remote, recorder): only a name and an address. */
struct kt_actor *kt_add_bare(struct kt *kt, const char *name, px_addr addr);
/* Both may send Toy to each other. */
void kt_befriend(struct kt *kt, const struct kt_actor *a, const struct kt_actor *b);
void kt_allow(struct kt *kt, const struct kt_actor *from, uint8_t contract,
              const struct kt_actor *to);
void kt_start(struct kt *kt);
/* Two friends "alice" and "bob" with pools of 16 elements with 4 calls each, started. */
struct kt *kt_pair(struct kt_actor **ret_alice, struct kt_actor **ret_bob);

struct px_env *kt_env(const struct kt_actor *a);
struct kt_state *kt_state(const struct kt_actor *a);
struct px_pool *kt_pool(const struct kt_actor *a);
px_peer kt_peer(const struct kt_actor *a);
/* A new element of its pool, with `n`; fails the test when there is none. */
struct kt_elem *kt_elem(struct kt_actor *a, uint64_t n);
px_handle kt_handle(struct kt_actor *a, const struct kt_elem *elem);

/* ---- running ---- */

/* One turn without waiting. */
void kt_turn(struct kt *kt);
/* Turns until the kernel has nothing to do now. */
void kt_settle(struct kt *kt);
/* Moves the clock, stopping at each deadline. */
void kt_advance(struct kt *kt, uint64_t us);

/* All that an actor heard since the last time it was asked. Valid until then. */
const char *kt_heard(struct kt_actor *a);
/* All that all actors heard, in order, as "bob: note 1; alice: reply 7 OK". */
const char *kt_story(struct kt *kt);
/* Adds a phrase to what an actor heard. */
void kt_say(struct kt_actor *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct px_ledger kt_ledger(const struct kt *kt);
/* Asserts that everything that must be at zero when idle is. `elems` elements are in use. */
void kt_expect_idle(const struct kt *kt, unsigned elems);

/* ---- acting ---- */

Ktest__Number *kt_number(const struct kt_actor *a, uint64_t value);
bool kt_note(const struct kt_actor *from, const struct kt_actor *to, uint64_t value);
bool kt_note_about(const struct kt_actor *from, const struct kt_actor *to, uint64_t value,
                   px_handle tag);
px_call_id kt_ask(const struct kt_actor *from, const struct kt_actor *to, uint64_t value,
                  uint64_t deadline_us, uint64_t tag);
px_call_id kt_watch(const struct kt_actor *from, const struct kt_actor *to, uint64_t value,
                    uint64_t deadline_us, uint64_t tag);
void kt_reply(const struct kt_actor *a, const struct px_msg *call, uint64_t value);
bool kt_item(const struct kt_actor *a, const struct px_msg *call, uint64_t value);
/* Value of a Number. */
uint64_t kt_value(const struct px_msg *msg);
/* A buffer of `cap` bytes filled with `fill`, `fill` + 1, ... */
struct px_buf *kt_buf(const struct kt_actor *a, size_t cap, uint8_t fill);

/* Ready-made `on_msg`: answers calls with the value and the payload it was asked with. */
void kt_echo(struct kt_actor *a, const struct px_msg *msg);
/* Ready-made `on_msg`: holds every message in kt_state.held, calls get their index + 100 as tag. */
void kt_keep(struct kt_actor *a, const struct px_msg *msg);
/* Releases what kt_keep kept. */
void kt_release_all(struct kt_actor *a);

/* What ends a process that traps (an assertion outside a kernel, or in a world without `die`). */
#if defined(__x86_64__) || defined(__i386__)
#define KT_TRAP_SIGNAL SIGILL
#else
#define KT_TRAP_SIGNAL SIGTRAP
#endif

/* Runs one suite as the whole program; exit status. */
int kt_run(Suite *suite);
/* Do tests run in processes of their own? Those that end by a signal need that. */
bool kt_forks(void);

#endif
