/* system.h - the service that owns the state of the whole system, and walks it.
 *
 * Its configuration is system.Config (proto/system.proto). What is not configurable stands here.
 */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <px/service.h>

extern const struct px_service px_system_service;

/* Defaults of system.Config. */
enum {
    SYSTEM_ANSWER_MS = 5000,
    SYSTEM_RETURN_MS = 30000,
};

/* Fixed. */
enum {
    SYSTEM_VOTERS_MAX = 64,
    SYSTEM_WATCHERS_MAX = 256,
    SYSTEM_WAITERS_MAX = 1024,
    SYSTEM_WHY_MAX = 128,   /* bytes of a reason */
    SYSTEM_EVENTS_MAX = 64, /* of what has happened, the last ones */
    SYSTEM_MS_MAX = 86400000,
    SYSTEM_LINE_MAX = 512,   /* bytes of Reached.why */
    SYSTEM_NAME_MAX = 31,    /* bytes of a mailbox's name */
    SYSTEM_WALK_LEN = 49152, /* bytes of Walk: names, reasons and events, all at their longest */
};

/* px_count's indices: X(name, what it counts). */
#define SYSTEM_COUNTER_LIST(X)                                                                     \
    X(steps, "steps up")                                                                           \
    X(falls, "falls, and policies that became invalid")                                            \
    X(holds, "answers HOLD")                                                                       \
    X(vetoes, "walks that ended by a veto, or by what was overdue")                                \
    X(overdue, "holds, answers and voters that were overdue")                                      \
    X(stale, "answers to a question that was not the last")                                        \
    X(busy, "watchers, voters and waiters that found no room")

enum system_counter {
#define X(name, what) SYSTEM_COUNT_##name,
    SYSTEM_COUNTER_LIST(X)
#undef X
        SYSTEM_N_COUNTERS
};

#endif
