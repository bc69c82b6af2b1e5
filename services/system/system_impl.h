/* system_impl.h - the walk, and those that take part in it.
 */
#ifndef SYSTEM_IMPL_H
#define SYSTEM_IMPL_H

#include "system.h"

#include <px/bytes.h>

#include "system_contract.h"

/* A text that is kept. */
struct note {
    uint8_t len;
    uint8_t text[SYSTEM_WHY_MAX];
};

enum party_kind { PARTY_VOTER, PARTY_WATCHER, PARTY_WAITER, PARTY_N_KINDS };

/* Somebody with a call open here: one that votes, watches or waits. A voter stays without a call
 * while it is dead or expected. */
struct party {
    struct bus *bus;
    const struct px_msg *call; /* held; NULL: a voter that is not there */
    struct px_sul sul;         /* voter: until overdue; waiter: until it is too late */
    uint32_t credit;           /* items that may be sent */
    uint8_t kind;              /* enum party_kind */
    /* voter */
    bool open;    /* has not allowed the step that is asked about */
    bool due;     /* the question could not be sent yet */
    bool overdue; /* it should have gone on by now */
    uint8_t how;  /* SYSTEM_UNANSWERED, ...: of what `open` says, or why it is not there */
    px_addr addr;
    uint64_t since_us, until_us;
    struct note why;
    /* watcher */
    uint64_t serial; /* the change it was told last; 0: none */
    /* waiter */
    uint32_t wanted; /* state */
};

struct event {
    uint64_t at_us;
    uint8_t kind, state;
    px_addr who; /* 0: the system itself */
    struct note why;
};

struct bus {
    struct px_env *env;
    struct px_pool parties; /* of struct party */
    uint32_t n[PARTY_N_KINDS];
    struct px_want begin; /* the walk begins once those that were there at the start had a chance */
    bool begun;
    /* where it is */
    uint32_t state, before, target;
    uint64_t serial; /* changes so far: the state at the start is the first */
    uint64_t at_us;
    px_addr fell_by; /* 0: it went up */
    struct note fell_why;
    /* the step that is asked about */
    bool asked;
    uint64_t round;
    uint32_t n_open; /* voters that have not allowed it */
    /* the end of the walk */
    bool vetoed;
    px_addr vetoed_by;
    struct note vetoed_why;
    /* configuration */
    uint32_t answer_ms, return_ms;
    bool overdue_fails;
    uint64_t since_us; /* of the kernel */
    uint64_t n_events;
    struct event events[SYSTEM_EVENTS_MAX]; /* the newest at (n_events - 1) % SYSTEM_EVENTS_MAX */
};

/* ---- system.c ---- */

const char *system_state_name(uint32_t state);
/* Takes part from now on, by `call` (NULL: expected). NULL: no room. */
struct party *system_party_new(struct bus *bus, enum party_kind kind, const struct px_msg *call);
/* Its call is no longer of interest. */
void system_party_free(struct party *take_party);
/* Tells the state to all that watch, and to those that have waited for it. */
void system_announce(struct bus *bus);
/* The walk has ended: those that wait for more hear why. */
void system_fail_waiters(struct bus *bus);
/* Copies a reason. False: it is too long, or has control characters. */
bool system_note_take(const ProtobufCBinaryData *why, struct note *ret_note);
void system_note(struct bus *bus, uint8_t kind, px_addr who, struct note why);

/* ---- system_walk.c ---- */

/* Goes on as far as it may. */
void system_walk(struct bus *bus);
/* The next step: its number. */
uint32_t system_next(const struct bus *bus);
/* Falls to `state`, or becomes POLICY_INVALID, and walks up again. */
void system_walk_down(struct bus *bus, uint32_t state, px_addr who, struct note why);
void system_walk_to(struct bus *bus, uint32_t target);
/* Who is in the way, one line for people. */
void system_why(const struct bus *bus, struct px_bytes_out *out);
void system_voter_more(struct party *voter);
/* Its call has ended. */
void system_voter_end(struct party *take_voter, enum px_status reason);
void system_voter_join(struct bus *bus, const struct px_msg *call);
/* One that was named in the configuration. False: no room. */
bool system_voter_expect(struct bus *bus, px_addr addr);
void system_on_answer(void *state, const struct px_msg *msg);

#endif
