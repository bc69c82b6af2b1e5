/** @file state.h
 * The state of the system: what waits for a network, an address, the time. Included by <plexus.h>;
 * its rules hold here too.
 *
 * The service `system` walks from CONTEXT_CREATED (1) to OPERATIONAL (10), one step at a time,
 * while those that vote on the steps allow it; proto/system.proto says what each state means, and
 * system_contract.h names them (PX_STATE_DHCP). A vote, or a topic of all changes, is a stream call
 * of that contract (SYSTEM_VOTE, SYSTEM_WATCH) by a service of yours.
 */
#ifndef PLEXUS_STATE_H
#define PLEXUS_STATE_H

#include <plexus.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What runs when a state is reached. `state`: the state now, the one that was asked for or a later
 * one; 0: it cannot be waited for, because 1024 wait, memory ran out or the build has no service
 * `system`. */
typedef void (*px_state_fn)(struct px_system *system, uint32_t state, void *arg);

/** Calls `fn` once, in the system's thread, as soon as the system is in `state` (1..10) or beyond:
 * soon, if it is already. Never from inside this call. From any thread; the system must not be
 * freed meanwhile. What is not reached before px_system_free is not told. PX_EINVAL: no such state;
 * PX_ENOMEM, PX_ELIMIT: as px_system_post. */
PX_MUST_USE enum px_err px_at_state(struct px_system *system, uint32_t state, px_state_fn fn,
                                    void *arg);

#ifdef __cplusplus
}
#endif

#endif
