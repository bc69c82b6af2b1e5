/* state_test.c - waiting for a state of a whole system, in which a service of the test's own votes.
 */
#include <check.h>
#include <plexus.h>
#include <pthread.h>
#include <px/kernel.h>
#include <stdlib.h>
#include <string.h>

#include "system.pb-c.h"
#include "system_contract.h"

/* ---- a voter that holds REGISTERED until it is told to let go ---- */

struct voter {
    struct px_env *env;
    px_call_id vote;
    uint64_t round;
};

static bool lets_go;

static void answer(const struct voter *v, uint32_t vote, uint32_t ms, const char *why)
{
    System__VoteIs *m = px_msg_new(v->env, &system__vote_is__descriptor);
    m->round = v->round;
    m->vote = vote;
    m->deadline_ms = ms;
    px_msg_put(m, &m->why, why, strlen(why));
    (void)px_call(v->env, px_mailbox(v->env, "system"), SYSTEM_ANSWER, m, PX_SEC(5), 2);
}

static void voter_reply(void *state, const struct px_msg *msg)
{
    struct voter *v = state;
    const System__Question *m = msg->body;
    if (msg->kind != PX_KIND_ITEM) {
        return;
    }
    v->round = m->round;
    px_call_more(v->env, v->vote, 1);
    if (m->to == PX_STATE_REGISTERED && !lets_go) {
        answer(v, PX_VOTE_HOLD, 60000, "no identity yet");
    } else {
        answer(v, PX_VOTE_ALLOW, 0, "");
    }
}

static enum px_err voter_init(void *state, struct px_env *env)
{
    struct voter *v = state;
    v->env = env;
    v->vote = px_call(env, px_mailbox(env, "system"), SYSTEM_VOTE,
                      px_msg_new(env, &system__voter__descriptor), PX_NEVER, 1);
    px_call_more(env, v->vote, 1);
    return PX_EOK;
}

static const struct px_service voter_service = {.name = "voter",
                                                .state_size = sizeof(struct voter),
                                                .calls_max = 4,
                                                .init = voter_init,
                                                .reply = voter_reply};

/* ---- the system ---- */

static struct px_system *sys;
enum { WISHES_MAX = 1024 }; /* plexus/state.h */
static uint32_t heard[8], n_heard, n_states[PX_STATE_POLICY_INVALID];

static void setup(void)
{
    lets_go = false;
    n_heard = 0;
    memset(n_states, 0, sizeof n_states);
    ck_assert_int_eq(px_system_new(NULL, &sys), PX_EOK);
}

static void teardown(void)
{
    px_system_free(sys);
}

static void with_a_voter(void)
{
    static const struct px_reach reaches[] = {
        {.mailbox = "system", .contract = &px_contract_system}};
    const struct px_addition addition = {
        .service = &voter_service, .reaches = reaches, .n_reaches = 1};
    ck_assert_int_eq(px_system_add(sys, &addition), PX_EOK);
}

static void on_state(struct px_system *system, uint32_t state, void *arg)
{
    ck_assert_ptr_eq(system, sys);
    heard[n_heard++] = state;
    if (arg != NULL) {
        px_break(system);
    }
}

static void count_state(struct px_system *system, uint32_t state, void *arg)
{
    (void)system;
    (void)arg;
    n_states[state]++;
}

static void let_go(void)
{
    struct voter *v =
        px_kernel_state(px_system_kernel(sys), px_kernel_mailbox(px_system_kernel(sys), "voter"));
    lets_go = true;
    answer(v, PX_VOTE_ALLOW, 0, "");
}

static void on_fallen(struct px_system *system, const struct px_msg *reply, void *arg)
{
    (void)system;
    (void)arg;
    ck_assert_int_eq(reply->status, PX_OK);
}

static void fall(uint32_t state)
{
    System__FallTo *m = px_msg_new(px_system_env(sys), &system__fall_to__descriptor);
    m->state = state;
    ck_assert_int_eq(px_system_call(sys, "system", CONTROL_FALL, m, PX_SEC(5), on_fallen, NULL),
                     PX_EOK);
}

/* ---- tests ---- */

START_TEST(without_voters_every_state_is_reached_at_once)
{
    ck_assert_int_eq(px_at_state(sys, PX_STATE_DHCP, on_state, NULL), PX_EOK);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, on_state, sys), PX_EOK);
    ck_assert_uint_eq(n_heard, 0); /* not from inside the call */
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(n_heard, 2);
    ck_assert_uint_eq(heard[1], PX_STATE_OPERATIONAL);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_CONTEXT_CREATED, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(heard[2], PX_STATE_OPERATIONAL);
}
END_TEST

START_TEST(who_waits_for_more_waits_for_the_voter)
{
    with_a_voter();
    ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_POLICY_VALID, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(n_heard, 1);
    ck_assert_uint_eq(heard[0], PX_STATE_POLICY_VALID);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_DHCP, on_state, sys), PX_EOK); /* beyond it */
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(heard[1], PX_STATE_POLICY_VALID);
    let_go();
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(n_heard, 3);
    ck_assert_uint_eq(heard[2], PX_STATE_OPERATIONAL);
}
END_TEST

START_TEST(what_fell_is_waited_for_again)
{
    with_a_voter();
    lets_go = true;
    ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    lets_go = false;
    fall(PX_STATE_DHCP);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_POLICY_VALID, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(n_heard, 2);
    let_go();
    ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_uint_eq(heard[2], PX_STATE_OPERATIONAL);
}
END_TEST

static void *from_a_thread(void *arg)
{
    return px_at_state(sys, PX_STATE_OPERATIONAL, on_state, arg) == PX_EOK ? arg : NULL;
}

START_TEST(another_thread_may_wait)
{
    pthread_t thread;
    void *said = NULL;
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_int_eq(pthread_create(&thread, NULL, from_a_thread, sys), 0);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_int_eq(pthread_join(thread, &said), 0);
    ck_assert_ptr_eq(said, sys);
    ck_assert_uint_eq(heard[0], PX_STATE_OPERATIONAL);
}
END_TEST

START_TEST(the_service_may_die_meanwhile)
{
    struct px_kernel *kernel = px_system_kernel(sys);
    with_a_voter();
    ck_assert_int_eq(px_at_state(sys, PX_STATE_POLICY_VALID, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, on_state, sys), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    px_service_kill(kernel, px_kernel_mailbox(kernel, "system"));
    px_service_kill(kernel, px_kernel_mailbox(kernel, "voter"));
    ck_assert(px_dispatch(sys));
    ck_assert_int_eq(px_service_restart(kernel, px_kernel_mailbox(kernel, "system")), PX_EOK);
    ck_assert_int_eq(px_run(sys), PX_EOK); /* without a voter */
    ck_assert_uint_eq(n_heard, 2);
    ck_assert_uint_eq(heard[1], PX_STATE_OPERATIONAL);
}
END_TEST

static void wait_for_operational(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, count_state, NULL), PX_EOK);
        if (i % 64 == 0) {
            ck_assert(px_dispatch(sys)); /* what is posted has a limit of its own */
        }
    }
    ck_assert(px_dispatch(sys));
}

START_TEST(as_many_as_there_is_room_for_may_wait_and_the_next_hears_0)
{
    with_a_voter();
    wait_for_operational(WISHES_MAX);
    ck_assert_uint_eq(n_states[0], 0);
    wait_for_operational(1);
    ck_assert_uint_eq(n_states[0], 1);
    let_go();
    for (int i = 0; i < 100 && n_states[PX_STATE_OPERATIONAL] < WISHES_MAX; i++) {
        ck_assert(px_dispatch(sys));
    }
    ck_assert_uint_eq(n_states[PX_STATE_OPERATIONAL], WISHES_MAX);
}
END_TEST

START_TEST(what_is_no_state_is_refused_and_a_system_may_end_before_its_time)
{
    with_a_voter();
    ck_assert_int_eq(px_at_state(sys, 0, on_state, NULL), PX_EINVAL);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_POLICY_INVALID, on_state, NULL), PX_EINVAL);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_DHCP, NULL, NULL), PX_EINVAL);
    ck_assert_int_eq(px_at_state(sys, PX_STATE_OPERATIONAL, on_state, NULL), PX_EOK);
    ck_assert(px_dispatch(sys));
    ck_assert(px_dispatch(sys));
    ck_assert_uint_eq(n_heard, 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("states");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_voters_every_state_is_reached_at_once);
    tcase_add_test(tcase, who_waits_for_more_waits_for_the_voter);
    tcase_add_test(tcase, what_fell_is_waited_for_again);
    tcase_add_test(tcase, another_thread_may_wait);
    tcase_add_test(tcase, the_service_may_die_meanwhile);
    tcase_add_test(tcase, as_many_as_there_is_room_for_may_wait_and_the_next_hears_0);
    tcase_add_test(tcase, what_is_no_state_is_refused_and_a_system_may_end_before_its_time);
    Suite *suite = suite_create("state");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
