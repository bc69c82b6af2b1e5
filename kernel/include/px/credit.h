/* credit.h - helpers for both ends of a credited flow (docs/ARCHITECTURE.md, "Credit").
 *
 * The sender is charged max(bytes, 512) a Data message. The receiver owes exactly that charge once
 * the last byte of that message is settled, and sends what it owes when it reaches half its window,
 * or PX_CREDIT_LOT.
 */
#ifndef PX_CREDIT_H
#define PX_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PX_CHARGE_MIN = 512,
    PX_CREDIT_LOT = 262144, /* owed at most before it is sent, however large the window */
};

/* What a Data message of `len` payload bytes costs. */
static inline uint64_t px_charge(uint64_t len)
{
    return len < PX_CHARGE_MIN ? (uint64_t)PX_CHARGE_MIN : len;
}

/* Bytes that may go into one Data message with `credit` left: all of it, or nothing while it is
 * less than the least charge. */
static inline uint64_t px_credit_room(uint64_t credit)
{
    return credit < PX_CHARGE_MIN ? 0 : credit;
}

/* The receiving end. Zeroed, then `window` set. Messages are told apart in two batches, each
 * settled as soon as its last byte is: the surplus of short messages (charge beyond length) returns
 * with the batch. */
struct px_credit_in {
    uint32_t window;       /* bytes granted at first, 512..2^30 */
    uint32_t outstanding;  /* granted and not yet used by the sender */
    uint32_t owed;         /* settled, not yet granted again */
    uint32_t unsettled[2]; /* bytes of the older and the newer batch */
    uint32_t surplus[2];   /* charge beyond them */
};

/* Accounts for a received Data message. False: the sender went beyond its credit. */
bool px_credit_received(struct px_credit_in *in, uint64_t len);
/* Settles `len` bytes, in order of arrival. */
void px_credit_settle(struct px_credit_in *in, uint64_t len);
/* What to grant now: 0 until it reaches half the window or PX_CREDIT_LOT, or the sender could not
 * go on without; then everything owed, which counts as granted. */
uint32_t px_credit_due(struct px_credit_in *in);
/* The first grant: the whole window. */
uint32_t px_credit_open(struct px_credit_in *in, uint32_t window);

#ifdef __cplusplus
}
#endif

#endif
