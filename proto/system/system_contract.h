/* system_contract.h - numbers and methods of the contracts in system.proto, which says what each
 * means, and names for its numbers.
 */
#ifndef PX_SYSTEM_CONTRACT_H
#define PX_SYSTEM_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_SYSTEM = 0x10,
    PX_C_CONTROL = 0x11,
};

/* system.System */
enum {
    SYSTEM_GET = PX_METHOD(PX_C_SYSTEM, 0),
    SYSTEM_WATCH = PX_METHOD(PX_C_SYSTEM, 1),
    SYSTEM_AWAIT = PX_METHOD(PX_C_SYSTEM, 2),
    SYSTEM_VOTE = PX_METHOD(PX_C_SYSTEM, 3),
    SYSTEM_ANSWER = PX_METHOD(PX_C_SYSTEM, 4),
};

/* system.Control */
enum {
    CONTROL_GO = PX_METHOD(PX_C_CONTROL, 0),
    CONTROL_FALL = PX_METHOD(PX_C_CONTROL, 1),
    CONTROL_INVALIDATE_POLICY = PX_METHOD(PX_C_CONTROL, 2),
};

/* System states: X(name, number). */
#define SYSTEM_STATES(X)                                                                           \
    X(CONTEXT_CREATED, 1)                                                                          \
    X(INITIALIZED, 2)                                                                              \
    X(IFACE_COLDPLUG, 3)                                                                           \
    X(DHCP, 4)                                                                                     \
    X(TIME_VALID, 5)                                                                               \
    X(POLICY_VALID, 6)                                                                             \
    X(REGISTERED, 7)                                                                               \
    X(AUTH1, 8)                                                                                    \
    X(AUTH2, 9)                                                                                    \
    X(OPERATIONAL, 10)                                                                             \
    X(POLICY_INVALID, 11)

enum px_system_state {
#define X(name, number) PX_STATE_##name = number,
    SYSTEM_STATES(X)
#undef X
};

/* VoteIs.vote */
enum px_system_vote { PX_VOTE_ALLOW = 1, PX_VOTE_HOLD, PX_VOTE_VETO };

/* Holder.kind */
enum { SYSTEM_UNANSWERED = 1, SYSTEM_HOLDS, SYSTEM_DIED, SYSTEM_EXPECTED };

/* Event.kind */
enum {
    SYSTEM_STEP = 1,
    SYSTEM_FELL,
    SYSTEM_HELD,
    SYSTEM_RELEASED,
    SYSTEM_VETOED,
    SYSTEM_VOTER_DIED,
    SYSTEM_VOTER_BACK,
    SYSTEM_OVERDUE
};

extern const struct px_contract px_contract_system;
extern const struct px_contract px_contract_control;

#endif
