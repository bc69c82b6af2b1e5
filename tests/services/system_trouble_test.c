/* system_trouble_test.c - the walk when somebody is late, dies or finds no memory, and when it goes
 * down.
 */
#include "system_rig.h"

/* ---- what does not go as it should ---- */

START_TEST(a_question_without_an_answer_is_overdue_and_waited_for)
{
    vote("dhcp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    sim_advance_us(sim, PX_MS(SYSTEM_ANSWER_MS) - 1);
    ck_assert(!get()->holders[0]->overdue);
    sim_advance_us(sim, 1);
    ck_assert(get()->holders[0]->overdue);
    await(PX_STATE_OPERATIONAL, 1, 1);
    sim_advance_us(sim, PX_MS(1));
    expect_reached(1, PX_TIMED_OUT, PX_STATE_CONTEXT_CREATED,
                   "dhcp has not answered whether INITIALIZED may come");
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_question("dhcp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
}
END_TEST

START_TEST(what_is_overdue_ends_the_walk_if_that_is_configured)
{
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .target = PX_STATE_CONTEXT_CREATED,
                                          .overdue_fails = true,
                                          .answer_ms = 100};
    begin(&config);
    vote("dhcp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "no lease", PX_OK);
    await(PX_STATE_DHCP, 5000, 1);
    sim_advance_us(sim, PX_MS(1000));
    expect_reached(1, PX_REFUSED, PX_STATE_CONTEXT_CREATED, "dhcp refuses INITIALIZED: no lease");
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_STALE);
    go(PX_STATE_OPERATIONAL, PX_OK);
    expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    sim_advance_us(sim, PX_MS(100));
    const System__Walk *m = get();
    ck_assert(m->vetoed);
    ck_assert(is(m->vetoed_why, "it is overdue"));
}
END_TEST

START_TEST(a_voter_that_dies_is_waited_for_and_asked_again)
{
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_DHCP);
    expect_question("dhcp", PX_STATE_DHCP, PX_STATE_TIME_VALID);
    px_sim_kill(world, "dhcp");
    const System__Walk *m = get();
    ck_assert_uint_eq(m->state->state, PX_STATE_DHCP);
    ck_assert_uint_eq(m->n_holders, 1);
    ck_assert_uint_eq(m->holders[0]->kind, SYSTEM_DIED);
    ck_assert(is(m->holders[0]->why, "it has died and is waited for"));
    sim_advance_us(sim, PX_MS(SYSTEM_RETURN_MS));
    ck_assert(get()->holders[0]->overdue);
    px_sim_restart(world, "dhcp");
    vote("dhcp");
    climb("dhcp", PX_STATE_DHCP, PX_STATE_OPERATIONAL);
    m = get();
    ck_assert_uint_eq(m->state->state, PX_STATE_OPERATIONAL);
    ck_assert_uint_eq(m->voters, 1);
}
END_TEST

START_TEST(a_voter_that_dies_at_rest_holds_the_next_walk)
{
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_OPERATIONAL);
    px_sim_kill(world, "dhcp");
    expect_state(PX_STATE_OPERATIONAL);
    fall(PX_STATE_IFACE_COLDPLUG, "no carrier", PX_OK);
    expect_state(PX_STATE_IFACE_COLDPLUG);
    px_sim_restart(world, "dhcp");
    vote("dhcp");
    climb("dhcp", PX_STATE_IFACE_COLDPLUG, PX_STATE_OPERATIONAL);
    expect_state(PX_STATE_OPERATIONAL);
}
END_TEST

START_TEST(a_dead_voter_that_is_overdue_refuses_the_next_walk_if_that_is_configured)
{
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .target = PX_STATE_CONTEXT_CREATED,
                                          .overdue_fails = true,
                                          .return_ms = 1000};
    begin(&config);
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_OPERATIONAL);
    px_sim_kill(world, "dhcp");
    sim_advance_us(sim, PX_MS(1000));
    expect_state(PX_STATE_OPERATIONAL);
    fall(PX_STATE_DHCP, "the lease is over", PX_OK);
    const System__Walk *m = get();
    ck_assert(m->vetoed);
    ck_assert(is(m->vetoed_why, "it has died and is waited for"));
}
END_TEST

START_TEST(who_is_expected_holds_until_he_is_there)
{
    static ProtobufCBinaryData names[3] = {{.data = (uint8_t *)(uintptr_t) "dhcp", .len = 4},
                                           {.data = (uint8_t *)(uintptr_t) "dhcp", .len = 4},
                                           {.data = (uint8_t *)(uintptr_t) "stranger", .len = 8}};
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .n_expected = 3,
                                          .expected = names};
    begin(&config);
    const System__Walk *m = get();
    ck_assert_uint_eq(m->state->state, PX_STATE_CONTEXT_CREATED);
    ck_assert_uint_eq(m->n_holders, 1); /* nobody is called stranger: that is logged */
    ck_assert_uint_eq(m->holders[0]->kind, SYSTEM_EXPECTED);
    await(PX_STATE_DHCP, 10, 1);
    sim_advance_us(sim, PX_MS(10));
    expect_reached(1, PX_TIMED_OUT, PX_STATE_CONTEXT_CREATED,
                   "dhcp holds INITIALIZED: it was expected and is not there yet");
    vote("dhcp");
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_OPERATIONAL);
    expect_state(PX_STATE_OPERATIONAL);
}
END_TEST

/* ---- falling ---- */

START_TEST(it_falls_at_once_and_walks_up_again)
{
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_OPERATIONAL);
    watch(10);
    expect_change(0, PX_STATE_OPERATIONAL);
    fall(PX_STATE_IFACE_COLDPLUG, "eth0 has no carrier", PX_OK);
    const System__StateIs *m = expect_change(PX_STATE_OPERATIONAL, PX_STATE_IFACE_COLDPLUG);
    ck_assert(is(m->why, "eth0 has no carrier"));
    ck_assert(is(m->who, "link"));
    uint64_t round = expect_question("dhcp", PX_STATE_IFACE_COLDPLUG, PX_STATE_DHCP);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "wait", PX_OK);
    fall(PX_STATE_DHCP, "", PX_OK); /* it is below that */
    sim_expect_silence(sim);
    fall(PX_STATE_INITIALIZED, "", PX_OK);
    expect_change(PX_STATE_IFACE_COLDPLUG, PX_STATE_INITIALIZED);
    expect_question("dhcp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_STALE);
    fall(0, "", PX_BAD_REQUEST);
    fall(PX_STATE_CONTEXT_CREATED, "\x1b[2J", PX_BAD_REQUEST); /* of a terminal */
    fall(PX_STATE_OPERATIONAL, "", PX_BAD_REQUEST);
    expect_state(PX_STATE_INITIALIZED);
}
END_TEST

START_TEST(what_fell_after_a_veto_stays_down)
{
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_AUTH1);
    say("dhcp", expect_question("dhcp", PX_STATE_AUTH1, PX_STATE_AUTH2), PX_VOTE_VETO, 0, "no",
        PX_OK);
    fall(PX_STATE_DHCP, "", PX_OK);
    expect_state(PX_STATE_DHCP);
    go(PX_STATE_OPERATIONAL, PX_OK);
    climb("dhcp", PX_STATE_DHCP, PX_STATE_OPERATIONAL);
    expect_state(PX_STATE_OPERATIONAL);
}
END_TEST

START_TEST(another_policy_is_walked_to_from_initialized)
{
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_TIME_VALID);
    uint64_t round = expect_question("dhcp", PX_STATE_TIME_VALID, PX_STATE_POLICY_VALID);
    invalidate("too early"); /* nothing was made under it */
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    climb("dhcp", PX_STATE_POLICY_VALID, PX_STATE_OPERATIONAL);
    await(PX_STATE_CONTEXT_CREATED, 1000, 1);
    expect_reached(1, PX_OK, PX_STATE_OPERATIONAL, "");
    invalidate("a new file");
    round = expect_question("dhcp", PX_STATE_POLICY_INVALID, PX_STATE_INITIALIZED);
    await(PX_STATE_CONTEXT_CREATED, 1000, 2);
    sim_settle(sim);
    sim_expect_silence(sim); /* no state is reached while there is no policy */
    expect_state(PX_STATE_POLICY_INVALID);
    fall(PX_STATE_DHCP, "", PX_OK);
    invalidate("once more");
    expect_state(PX_STATE_POLICY_INVALID);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_reached(2, PX_OK, PX_STATE_INITIALIZED, "");
    climb("dhcp", PX_STATE_INITIALIZED, PX_STATE_OPERATIONAL);
    expect_state(PX_STATE_OPERATIONAL);
}
END_TEST

/* ---- memory runs out ---- */

/* A boot with a voter, a watcher and a waiter, in which the nth allocation fails. */
static void poor_boot(uint64_t nth)
{
    begin(NULL);
    px_sim_fail_alloc(world, nth, 1, 0);
    vote("dhcp");
    watch(100);
    await(PX_STATE_DHCP, 1000, 1);
    sim_advance_us(sim, PX_SEC(10));
    px_sim_fail_alloc(world, 0, 0, 0);
    px_sim_kill(world, "dhcp");
    go(PX_STATE_OPERATIONAL, PX_OK);
    px_test_forget(world, "asker");
    px_test_forget(world, "dhcp");
    ck_assert_uint_ge(get()->state->state, PX_STATE_CONTEXT_CREATED);
    teardown();
}

START_TEST(it_lives_on_when_memory_runs_out_anywhere)
{
    for (uint64_t nth = 1; nth < 100; nth++) {
        poor_boot(nth);
    }
    begin(NULL);
}
END_TEST

int main(void)
{
    const TTest *const plain[] = {
        a_question_without_an_answer_is_overdue_and_waited_for,
        a_voter_that_dies_is_waited_for_and_asked_again,
        a_voter_that_dies_at_rest_holds_the_next_walk,
        it_falls_at_once_and_walks_up_again,
        what_fell_after_a_veto_stays_down,
        another_policy_is_walked_to_from_initialized,
    };
    const TTest *const configured[] = {
        what_is_overdue_ends_the_walk_if_that_is_configured,
        a_dead_voter_that_is_overdue_refuses_the_next_walk_if_that_is_configured,
        who_is_expected_holds_until_he_is_there,
        it_lives_on_when_memory_runs_out_anywhere,
    };
    return rig_run("system in trouble", plain, sizeof plain / sizeof *plain, configured,
                   sizeof configured / sizeof *configured);
}
