/* sul.h - timers: an intrusive element in its owner, no allocation, cannot fail.
 *
 * Times are microseconds of the kernel's monotonic clock, relative at the API. Timers fire in
 * (time, scheduling order), never early, unlinked before their callback, which may schedule the
 * same element again or free its owner.
 */
#ifndef PX_SUL_H
#define PX_SUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_env;
struct px_sul;

/* What runs when a timer fires; px_container_of finds the owner. */
typedef void (*px_sul_fn)(struct px_sul *sul);

/* Zeroed means "not scheduled". The fields are the kernel's. */
struct px_sul {
    struct px_sul *next; /* in its wheel */
    struct px_sul *prev; /* in its wheel */
    uint64_t at_us;      /* monotonic */
    px_sul_fn fn;        /* what runs */
    uint32_t seq;        /* low bits of the scheduling order */
    uint16_t owner;      /* the mailbox it is charged to */
    uint8_t wheel;       /* 0: miss-if-suspended, 1: wake-if-suspended */
    uint8_t pending;     /* is scheduled */
};

/* Milliseconds in microseconds. */
#define PX_MS(ms) ((uint64_t)(ms)*1000u)
/* Seconds in microseconds. */
#define PX_SEC(s) ((uint64_t)(s)*1000000u)
/* "No deadline", for calls and timers. */
#define PX_NEVER UINT64_MAX
/* No timer lies further ahead: about 36 years. Longer waits are shortened to this. */
#define PX_SUL_US_MAX (UINT64_C(1) << 50)

/* The structure `type` that embeds `member` at `ptr`. */
#define px_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Calls `fn(sul)` once, `in_us` from now. A scheduled element is moved. PX_NEVER cancels. */
void px_sul_schedule(struct px_env *env, struct px_sul *sul, px_sul_fn fn, uint64_t in_us);

/* The same, and the platform should wake from suspend for it (px_kernel_earliest_wake). */
void px_sul_schedule_wake(struct px_env *env, struct px_sul *sul, px_sul_fn fn, uint64_t in_us);

/* Unschedules; an element that is not scheduled is fine. */
void px_sul_cancel(struct px_env *env, struct px_sul *sul);

/* Is it scheduled? */
static inline bool px_sul_pending(const struct px_sul *sul)
{
    return sul->pending != 0;
}

#ifdef __cplusplus
}
#endif

#endif
