/* system_storm.c - the walk of a system whose voters, and whose service system, live in processes
 * of their own, die, find no memory, hold, refuse and are late. In calm weather it becomes
 * OPERATIONAL.
 */
#include <stdio.h>

#include "storm.h"
#include "system.h"
#include "system.pb-c.h"
#include "system_contract.h"

enum { N_VOTERS = 2, N_PLACEMENTS = 3, RUN_S = 60, CALM_S = 120, TAG_VOTE = 1, TAG_ANSWER = 2 };

/* ---- a voter ---- */

static bool calm; /* nobody refuses any more */

struct voter {
    struct px_env *env;
    px_call_id vote;
    struct px_sul again, release;
    uint64_t round;
};

static px_addr bus_of(struct voter *v)
{
    return px_mailbox(v->env, "system");
}

static void voter_begin(struct voter *v)
{
    v->vote = px_call(v->env, bus_of(v), SYSTEM_VOTE,
                      px_msg_new(v->env, &system__voter__descriptor), PX_NEVER, TAG_VOTE);
    px_call_more(v->env, v->vote, 1);
}

static void on_again(struct px_sul *sul)
{
    voter_begin(px_container_of(sul, struct voter, again));
}

static void answer(struct voter *v, uint32_t vote, uint32_t ms)
{
    System__VoteIs *m = px_msg_new(v->env, &system__vote_is__descriptor);
    m->round = v->round;
    m->vote = vote;
    m->deadline_ms = ms;
    if (vote != PX_VOTE_ALLOW) {
        px_msg_put(m, &m->why, "weather", 7);
    }
    (void)px_call(v->env, bus_of(v), SYSTEM_ANSWER, m, PX_SEC(1), TAG_ANSWER);
}

static void on_release(struct px_sul *sul)
{
    answer(px_container_of(sul, struct voter, release), PX_VOTE_ALLOW, 0);
}

static void on_question(struct voter *v, const System__Question *m)
{
    uint64_t chance = px_random_u64(v->env) % 20;
    v->round = m->round;
    px_call_more(v->env, v->vote, 1);
    px_sul_cancel(v->env, &v->release);
    if (chance == 0 && !calm) {
        answer(v, PX_VOTE_VETO, 0);
    } else if (chance < 8) {
        answer(v, PX_VOTE_HOLD, 1 + (uint32_t)(px_random_u64(v->env) % 3000));
        px_sul_schedule(v->env, &v->release, on_release, px_random_u64(v->env) % PX_SEC(4));
    } else {
        answer(v, PX_VOTE_ALLOW, 0);
    }
}

/* An answer that was lost is said again; what is stale was about another round. */
static void on_answered(struct voter *v, enum px_status status)
{
    if (status == PX_NO_MEMORY || status == PX_TIMED_OUT) {
        px_sul_schedule(v->env, &v->release, on_release, PX_MS(100));
    }
}

static void voter_reply(void *state, const struct px_msg *msg)
{
    struct voter *v = state;
    if (msg->tag == TAG_ANSWER) {
        on_answered(v, msg->status);
    } else if (msg->kind == PX_KIND_ITEM) {
        on_question(v, msg->body);
    } else {
        px_sul_schedule(v->env, &v->again, on_again, PX_MS(100));
    }
}

static enum px_err voter_init(void *state, struct px_env *env)
{
    struct voter *v = state;
    v->env = env;
    px_sul_schedule(env, &v->again, on_again, 0);
    return PX_EOK;
}

static const struct px_service voter_service = {.name = "voter",
                                                .state_size = sizeof(struct voter),
                                                .calls_max = 64,
                                                .init = voter_init,
                                                .reply = voter_reply};

/* ---- the run ---- */

static const char *const voters[N_VOTERS] = {"dhcp", "ntp"};

struct storm {
    struct px_sim *sim;
    struct px_sim_system *system;
    struct storm_play play;
};

PX_TEST_FAIL_CHECK(storm_fail);

static void storm_build(struct storm *s, uint64_t seed, const struct storm_plan *plan)
{
    /* system and the recorders, dhcp, ntp: the domain of each */
    static const uint32_t domains[N_PLACEMENTS][3] = {{0, 0, 0}, {0, 1, 1}, {0, 1, 2}};
    static ProtobufCBinaryData expected[N_VOTERS] = {
        {.data = (uint8_t *)(uintptr_t) "dhcp", .len = 4},
        {.data = (uint8_t *)(uintptr_t) "ntp", .len = 3}};
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .answer_ms = 1000,
                                          .n_expected = N_VOTERS,
                                          .expected = expected};
    const uint32_t *where = domains[plan->placement];
    s->sim = px_sim_new(&(struct px_sim_config){
        .seed = seed,
        .weather = plan->weather,
        .kernel = {.deliver_max = plan->deliver_max, .queue_mark = plan->deliver_max},
        .fail = storm_fail});
    s->system = px_sim_system_new(s->sim, "device", where[2] + 1);
    px_sim_add(s->system, where[0], &px_system_service, NULL, &config);
    px_sim_add_recorder(s->system, 0, "boot");
    px_sim_allow(s->system, "boot", &px_contract_system, "system");
    px_sim_allow(s->system, "boot", &px_contract_control, "system");
    for (uint32_t i = 0; i < N_VOTERS; i++) {
        px_sim_add(s->system, where[1 + i], &voter_service, voters[i], NULL);
        px_sim_allow(s->system, voters[i], &px_contract_system, "system");
    }
    px_sim_start(s->system);
    s->play = (struct storm_play){.sim = s->sim,
                                  .system = s->system,
                                  .plan = *plan,
                                  .victims = {voters[0], "system"},
                                  .base_turns = px_sim_turns(s->sim)};
}

/* Something falls now and then; who was refused is asked again. */
static void trouble(struct storm *s, uint64_t *chance)
{
    struct px_env *boot = px_sim_env(s->system, "boot");
    if (storm_below(chance, 2) == 0) {
        System__FallTo *m = px_msg_new(boot, &system__fall_to__descriptor);
        m->state = 1 + storm_below(chance, 9);
        (void)px_call(boot, px_sim_addr(s->system, "system"), CONTROL_FALL, m, PX_SEC(1), 1);
    } else {
        System__Target *m = px_msg_new(boot, &system__target__descriptor);
        m->state = 1 + storm_below(chance, 10);
        (void)px_call(boot, px_sim_addr(s->system, "system"), CONTROL_GO, m, PX_SEC(1), 1);
    }
}

static uint32_t state_of(const struct storm *s)
{
    struct px_env *boot = px_sim_env(s->system, "boot");
    px_test_forget(s->system, "boot");
    (void)px_call(boot, px_sim_addr(s->system, "system"), SYSTEM_GET,
                  px_msg_new(boot, &system__none__descriptor), PX_NEVER, 3);
    const System__Walk *m = sim_expect_reply(s->system, "boot", 3, PX_OK)->body;
    if (m->state->state != PX_STATE_OPERATIONAL && m->n_holders > 0) {
        printf("%.*s holds: %.*s\n", (int)m->holders[0]->name.len, m->holders[0]->name.data,
               (int)m->holders[0]->why.len, m->holders[0]->why.data);
    }
    return m->state->state;
}

/* Whatever happened before: in calm weather all is reached, and nothing is left behind. */
static void aftermath(struct storm *s)
{
    storm_play_calm(&s->play);
    calm = true;
    px_sim_advance_us(s->sim, PX_SEC(10)); /* calls that were made before are over */
    px_test_forget(s->system, "boot");
    struct px_env *boot = px_sim_env(s->system, "boot");
    System__Target *m = px_msg_new(boot, &system__target__descriptor);
    m->state = PX_STATE_OPERATIONAL;
    (void)px_call(boot, px_sim_addr(s->system, "system"), CONTROL_GO, m, PX_SEC(1), 2);
    (void)sim_expect_reply(s->system, "boot", 2, PX_OK);
    px_sim_advance_us(s->sim, PX_SEC(CALM_S));
    uint32_t state = state_of(s);
    sim_require(s->sim, state == PX_STATE_OPERATIONAL, "it is in state %d", (int)state);
    for (uint32_t i = 0; i < N_VOTERS; i++) {
        px_sim_kill(s->system, voters[i]);
    }
    px_sim_kill(s->system, "system");
    px_sim_advance_us(s->sim, PX_SEC(10));
    px_test_forget(s->system, "boot");
    sim_expect_ledgers_zero(s->system, 0);
    sim_require(s->sim, px_sim_link_refused(s->sim) == 0, "a link refused a message");
}

/* Turns that it took. */
static uint64_t storm_once(uint64_t seed, const struct storm_plan *plan, uint32_t seconds)
{
    struct storm s = {.sim = NULL};
    uint64_t chance = seed * 31;
    calm = false;
    storm_build(&s, seed, plan);
    px_sim_fail_alloc(s.system, plan->fail_nth, plan->fail_n, plan->fail_share);
    for (uint32_t i = 0; i < seconds; i += 5) {
        storm_play_until(&s.play, px_sim_now_us(s.sim) + PX_SEC(5));
        if (px_sim_is_alive(s.system, "system")) {
            trouble(&s, &chance);
        }
    }
    uint64_t turns = px_sim_turns(s.sim);
    aftermath(&s);
    px_sim_free(s.sim);
    return turns;
}

static void seed_run(uint64_t seed, void *ctx)
{
    struct storm_plan plan = storm_plan_of(seed, N_PLACEMENTS, 2);
    (void)ctx;
    (void)storm_once(seed, &plan, RUN_S);
}

START_TEST(whatever_happens_on_the_way_it_becomes_operational)
{
    px_test_storm("the walk of a system", 1000, seed_run, NULL);
}
END_TEST

/* One of them dies after the first turn, the second, and so on until the run is over without. */
START_TEST(a_voter_and_the_service_may_die_at_any_message)
{
    struct storm_plan plan = {.deliver_max = 1,
                              .victim = (uint32_t)_i % 2,
                              .whole_domain = _i >= 2,
                              .weather = {.cut = 100, .delay_us_max = 200}};
    for (plan.placement = 0; plan.placement < N_PLACEMENTS; plan.placement++) {
        plan.kill_turn = 0;
        uint64_t turns = storm_once(1, &plan, 5);
        for (plan.kill_turn = 1; plan.kill_turn <= turns; plan.kill_turn++) {
            plan.restart_us = plan.kill_turn % 2 * 1000;
            (void)storm_once(1, &plan, 5);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system storm");
    TCase *seeds = tcase_create("seeds");
    tcase_set_timeout(seeds, 0);
    tcase_add_test(seeds, whatever_happens_on_the_way_it_becomes_operational);
    tcase_add_loop_test(seeds, a_voter_and_the_service_may_die_at_any_message, 0, 4);
    suite_add_tcase(suite, seeds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
