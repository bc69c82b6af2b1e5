/* storm.h - what the storms share: weather by seed, listening, bytes that can be told apart.
 */
#ifndef STORM_H
#define STORM_H

#include <check.h>
#include <px/test.h>

/* Everything that can happen, happens in some seeds and not in others. */
struct storm_plan {
    struct px_sim_weather weather;
    uint32_t deliver_max; /* messages a turn */
    uint32_t placement;   /* index into the storm's placements */
    uint64_t kill_turn;   /* 0: none dies */
    uint64_t restart_us;  /* that long after it died */
    uint32_t victim;      /* which one dies */
    bool whole_domain;    /* it takes its domain along */
    uint64_t fail_nth;    /* from this allocation on, */
    uint32_t fail_n;      /* so many fail; 0: none */
    uint32_t fail_share;
    uint32_t send_window; /* what net grants */
};

/* Numbers from a seed that has nothing to do with the world's own. */
uint32_t storm_below(uint64_t *chance, uint32_t n);

struct storm_plan storm_plan_of(uint64_t seed, uint32_t n_placements, uint32_t n_victims);

/* A recorder `boot` asks net to listen at `address` for `upper`; both are allowed what they need.
 */
void storm_allow_boot(struct px_sim_system *system);
/* `engine` and `app` may speak http with each other. */
void storm_allow_http(struct px_sim_system *system, const char *engine);
/* The same, and it may hand streams over to `toy`. */
void storm_allow_giver(struct px_sim_system *system, const char *giver);
void storm_listen(struct px_sim_system *system, const char *address, const char *upper,
                  uint32_t send_window);

/* A run with its one death. */
struct storm_play {
    struct px_sim *sim;
    struct px_sim_system *system;
    struct storm_plan plan;
    const char *victims[2]; /* by storm_plan.victim */
    uint64_t base_turns;    /* kill_turn counts from here */
    uint64_t back_us;       /* when the victim comes back; 0: not under way */
    bool died;
};

/* Runs to `until_us`, or until nothing is left to do before. */
void storm_play_until(struct storm_play *play, uint64_t until_us);
/* No more trouble from now on: who is dead comes back, memory does not fail, the weather is calm.
 */
void storm_play_calm(struct storm_play *play);

#endif
