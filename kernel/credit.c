/* credit.c - the receiving end of a credited flow. */
#include <px/assert.h>
#include <px/credit.h>

uint32_t px_credit_open(struct px_credit_in *in, uint32_t window)
{
    PX_ASSERT(window >= PX_CHARGE_MIN && window <= 1u << 30);
    *in = (struct px_credit_in){.window = window, .outstanding = window};
    return window;
}

bool px_credit_received(struct px_credit_in *in, uint64_t len)
{
    uint64_t charge = px_charge(len);
    if (charge > in->outstanding) {
        return false;
    }
    in->outstanding -= (uint32_t)charge;
    uint32_t batch = in->unsettled[0] == 0 ? 0 : 1;
    in->unsettled[batch] += (uint32_t)len;
    in->surplus[batch] += (uint32_t)(charge - len);
    if (in->unsettled[batch] == 0) { /* nothing to settle: owed at once */
        in->owed += in->surplus[batch];
        in->surplus[batch] = 0;
    }
    return true;
}

void px_credit_settle(struct px_credit_in *in, uint64_t len)
{
    PX_ASSERT(len <= (uint64_t)in->unsettled[0] + in->unsettled[1]);
    in->owed += (uint32_t)len;
    while (len > 0) {
        uint32_t n = in->unsettled[0] < len ? in->unsettled[0] : (uint32_t)len;
        in->unsettled[0] -= n;
        len -= n;
        if (in->unsettled[0] == 0) {
            in->owed += in->surplus[0];
            in->unsettled[0] = in->unsettled[1];
            in->surplus[0] = in->surplus[1];
            in->unsettled[1] = in->surplus[1] = 0;
        }
    }
}

uint32_t px_credit_due(struct px_credit_in *in)
{
    bool stuck = in->outstanding < PX_CHARGE_MIN && in->outstanding + in->owed >= PX_CHARGE_MIN;
    bool enough = in->owed >= in->window / 2 || in->owed >= PX_CREDIT_LOT;
    if (in->owed == 0 || (!enough && !stuck)) {
        return 0;
    }
    uint32_t due = in->owed;
    in->owed = 0;
    in->outstanding += due;
    return due;
}
