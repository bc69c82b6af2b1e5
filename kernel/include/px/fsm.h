/* fsm.h - state machines whose legal moves are a table.
 *
 *     static const struct px_state slot_table[N_STATES] = {
 *         [FREE] = {"free", PX_TO(PROBING)},
 *         [PROBING] = {"probing", PX_TO(FREE)},
 *     };
 *     px_fsm_move(slot_table, &slot->state, PROBING);
 */
#ifndef PX_FSM_H
#define PX_FSM_H

#include <px/assert.h>
#include <stdint.h>

/* One state: its name in traces, and the set of states that may follow it (at most 32 states). */
struct px_state {
    const char *name; /* in traces */
    uint32_t to;      /* PX_TO bits of the states that may follow; 0: the last one */
};

/* The bit of a state (0..31) in px_state.to. */
#define PX_TO(state) (1u << (state))

/* Moves `*state` to `next`. A move that the table does not list is a mistake of ours: it asserts.
 */
static inline void px_fsm_move(const struct px_state *table, uint32_t *state, uint32_t next)
{
    PX_ASSERT(next < 32 && (table[*state].to & PX_TO(next)) != 0);
    *state = next;
}

#endif
