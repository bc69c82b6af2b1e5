/* system_test.c - the walk of a whole system: steps, votes, and who is told.
 */
#include "system_rig.h"

/* ---- nobody objects ---- */

START_TEST(without_voters_it_is_operational_at_once)
{
    begin(NULL);
    const System__Walk *m = get();
    ck_assert_uint_eq(m->state->state, PX_STATE_OPERATIONAL);
    ck_assert(is(m->state->name, "OPERATIONAL"));
    ck_assert_uint_eq(m->state->before, PX_STATE_AUTH2);
    ck_assert_uint_eq(m->target, PX_STATE_OPERATIONAL);
    ck_assert_uint_eq(m->n_holders, 0);
    ck_assert_uint_eq(m->voters, 0);
    ck_assert(!m->vetoed);
    ck_assert_uint_eq(m->n_events, 9);
    ck_assert_uint_eq(m->events[0]->kind, SYSTEM_STEP);
    ck_assert_uint_eq(m->events[0]->state, PX_STATE_INITIALIZED);
    ck_assert(is(m->events[8]->state_name, "OPERATIONAL"));
}
END_TEST

START_TEST(who_watches_from_the_start_hears_of_every_step_in_order)
{
    watch(100);
    start();
    ck_assert_uint_eq(expect_change(0, PX_STATE_CONTEXT_CREATED)->missed, 0);
    for (uint32_t s = PX_STATE_CONTEXT_CREATED; s < PX_STATE_OPERATIONAL; s++) {
        ck_assert_uint_eq(expect_change(s, s + 1)->missed, 0);
    }
}
END_TEST

START_TEST(who_watches_later_hears_the_last_state_first)
{
    start();
    sim_settle(sim);
    watch(1);
    expect_change(0, PX_STATE_OPERATIONAL);
    sim_expect_silence(sim);
}
END_TEST

START_TEST(who_takes_few_items_gets_the_newest_and_how_many_were_missed)
{
    px_call_id id = watch(1);
    expect_change(0, PX_STATE_CONTEXT_CREATED);
    start();
    sim_settle(sim);
    px_call_more(env("asker"), id, 1);
    ck_assert_uint_eq(expect_change(PX_STATE_AUTH2, PX_STATE_OPERATIONAL)->missed, 8);
    px_cancel(env("asker"), id);
    sim_expect_reply(world, "asker", WATCH, PX_CANCELLED);
    fall(PX_STATE_DHCP, "", PX_OK);
}
END_TEST

START_TEST(a_target_below_operational_is_where_it_stops)
{
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .target = PX_STATE_TIME_VALID};
    begin(&config);
    expect_state(PX_STATE_TIME_VALID);
    await(PX_STATE_AUTH1, 1000, 1);
    sim_advance_us(sim, PX_MS(1000));
    expect_reached(1, PX_TIMED_OUT, PX_STATE_TIME_VALID,
                   "nobody is in the way: the walk ends at TIME_VALID");
    go(PX_STATE_AUTH1, PX_OK);
    expect_state(PX_STATE_AUTH1);
    go(PX_STATE_DHCP, PX_OK); /* it is past that */
    expect_state(PX_STATE_AUTH1);
    go(0, PX_BAD_REQUEST);
    go(PX_STATE_POLICY_INVALID, PX_BAD_REQUEST);
}
END_TEST

/* ---- votes ---- */

START_TEST(every_voter_is_asked_before_each_step_and_all_must_allow_it)
{
    vote("dhcp");
    vote("ntp");
    start();
    for (uint32_t s = PX_STATE_CONTEXT_CREATED; s < PX_STATE_OPERATIONAL; s++) {
        allow("dhcp", s, s + 1);
        expect_state(s);
        allow("ntp", s, s + 1);
    }
    expect_state(PX_STATE_OPERATIONAL);
    ck_assert_uint_eq(get()->voters, 2);
}
END_TEST

START_TEST(a_hold_keeps_the_step_back_until_its_release)
{
    vote("dhcp");
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_IFACE_COLDPLUG);
    uint64_t round = expect_question("dhcp", PX_STATE_IFACE_COLDPLUG, PX_STATE_DHCP);
    say("dhcp", round, PX_VOTE_HOLD, 60000, "no lease on eth0 yet", PX_OK);
    sim_advance_us(sim, PX_SEC(20));
    const System__Walk *m = get();
    ck_assert_uint_eq(m->state->state, PX_STATE_IFACE_COLDPLUG);
    ck_assert_uint_eq(m->n_holders, 1);
    ck_assert(is(m->holders[0]->name, "dhcp"));
    ck_assert(is(m->holders[0]->why, "no lease on eth0 yet"));
    ck_assert_uint_eq(m->holders[0]->kind, SYSTEM_HOLDS);
    ck_assert_uint_eq(m->holders[0]->left_us, PX_SEC(40));
    ck_assert(!m->holders[0]->overdue);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_question("dhcp", PX_STATE_DHCP, PX_STATE_TIME_VALID);
    m = get();
    ck_assert_uint_eq(m->state->state, PX_STATE_DHCP);
    ck_assert_uint_eq(m->events[m->n_events - 3]->kind, SYSTEM_HELD);
    ck_assert_uint_eq(m->events[m->n_events - 2]->kind, SYSTEM_RELEASED);
    ck_assert(is(m->events[m->n_events - 2]->who, "dhcp"));
    ck_assert_uint_eq(m->events[m->n_events - 1]->kind, SYSTEM_STEP);
}
END_TEST

START_TEST(a_hold_without_a_deadline_is_refused)
{
    vote("dhcp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    say("dhcp", round, PX_VOTE_HOLD, 0, "for ever", PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_HOLD, SYSTEM_MS_MAX + 1, "for ever", PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "", PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_ALLOW, 1000, "", PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "why not", PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_VETO, 0, "", PX_BAD_REQUEST);
    say("dhcp", round, 0, 0, "", PX_BAD_REQUEST);
    say("dhcp", round, 4, 0, "", PX_BAD_REQUEST);
    char why[SYSTEM_WHY_MAX + 2];
    memset(why, 'x', sizeof why);
    why[SYSTEM_WHY_MAX + 1] = '\0';
    say("dhcp", round, PX_VOTE_HOLD, 1000, why, PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "two\nlines", PX_BAD_REQUEST);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "\x7f", PX_BAD_REQUEST);
    why[SYSTEM_WHY_MAX] = '\0';
    say("dhcp", round, PX_VOTE_HOLD, SYSTEM_MS_MAX, why, PX_OK);
}
END_TEST

START_TEST(a_hold_can_be_renewed)
{
    vote("dhcp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "one", PX_OK);
    sim_advance_us(sim, PX_MS(900));
    say("dhcp", round, PX_VOTE_HOLD, 1000, "two", PX_OK);
    sim_advance_us(sim, PX_MS(900));
    ck_assert(!get()->holders[0]->overdue);
    sim_advance_us(sim, PX_MS(100));
    const System__Walk *m = get();
    ck_assert(m->holders[0]->overdue);
    ck_assert(is(m->holders[0]->why, "two"));
    ck_assert_uint_eq(m->holders[0]->left_us, 0);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK); /* late, and welcome */
    expect_question("dhcp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
    ck_assert(!get()->holders[0]->overdue);
}
END_TEST

START_TEST(an_answer_to_an_old_question_is_stale)
{
    vote("dhcp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_question("dhcp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
    say("dhcp", round, PX_VOTE_VETO, 0, "too late", PX_STALE);
    say("ntp", round + 1, PX_VOTE_ALLOW, 0, "", PX_NOT_FOUND);
    expect_state(PX_STATE_INITIALIZED);
}
END_TEST

START_TEST(a_second_thought_about_the_same_step_counts)
{
    uint64_t round = two_are_asked();
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    say("dhcp", round, PX_VOTE_HOLD, 1000, "wait", PX_OK);
    say("ntp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_state(PX_STATE_CONTEXT_CREATED);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_second_step();
}
END_TEST

START_TEST(a_veto_ends_the_walk_until_somebody_asks_for_it)
{
    vote("dhcp");
    await(PX_STATE_OPERATIONAL, 10000, 1);
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    say("dhcp", round, PX_VOTE_VETO, 0, "no interface at all", PX_OK);
    const char *why = "dhcp refuses INITIALIZED: no interface at all";
    expect_reached(1, PX_REFUSED, PX_STATE_CONTEXT_CREATED, why);
    await(PX_STATE_DHCP, 10000, 2);
    expect_reached(2, PX_REFUSED, PX_STATE_CONTEXT_CREATED, why);
    await(PX_STATE_CONTEXT_CREATED, 10000, 3);
    expect_reached(3, PX_OK, PX_STATE_CONTEXT_CREATED, "");
    sim_advance_us(sim, PX_SEC(3600));
    const System__Walk *m = get();
    ck_assert(m->vetoed);
    ck_assert(is(m->vetoed_by, "dhcp"));
    ck_assert(is(m->vetoed_why, "no interface at all"));
    ck_assert_uint_eq(m->n_holders, 0);
    go(PX_STATE_OPERATIONAL, PX_OK);
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_OPERATIONAL);
    m = get();
    ck_assert(!m->vetoed);
    ck_assert_uint_eq(m->state->state, PX_STATE_OPERATIONAL);
}
END_TEST

START_TEST(a_mailbox_votes_once_and_may_leave)
{
    px_call_id id = vote("dhcp");
    vote("dhcp");
    sim_expect_reply(world, "dhcp", VOTE, PX_IN_USE);
    start();
    expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    px_cancel(env("dhcp"), id);
    sim_expect_reply(world, "dhcp", VOTE, PX_CANCELLED);
    expect_state(PX_STATE_OPERATIONAL);
    ck_assert_uint_eq(get()->voters, 0);
}
END_TEST

START_TEST(who_comes_in_the_middle_is_asked_about_the_same_step)
{
    vote("dhcp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    vote("ntp");
    ck_assert_uint_eq(expect_question("ntp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED),
                      round);
    say("dhcp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_state(PX_STATE_CONTEXT_CREATED);
    say("ntp", round, PX_VOTE_ALLOW, 0, "", PX_OK);
    expect_second_step();
}
END_TEST

START_TEST(who_allows_no_items_is_asked_once_it_does)
{
    px_call_id id =
        call("dhcp", SYSTEM_VOTE, px_msg_new(env("dhcp"), &system__voter__descriptor), VOTE);
    start();
    sim_expect_silence(sim);
    ck_assert_uint_eq(get()->holders[0]->kind, SYSTEM_UNANSWERED);
    px_call_more(env("dhcp"), id, 1);
    allow("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    sim_expect_silence(sim);
    px_call_more(env("dhcp"), id, 1);
    expect_question("dhcp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
}
END_TEST

START_TEST(there_is_room_for_64_voters)
{
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .target = PX_STATE_CONTEXT_CREATED};
    char name[8];
    begin_with(&config, SYSTEM_VOTERS_MAX);
    for (uint32_t i = 0; i < SYSTEM_VOTERS_MAX; i++) {
        snprintf(name, sizeof name, "v%u", i);
        vote(name);
    }
    ck_assert_uint_eq(get()->voters, SYSTEM_VOTERS_MAX);
    vote("dhcp");
    sim_expect_reply(world, "dhcp", VOTE, PX_LIMIT);
    px_sim_kill(world, "v0"); /* it is waited for, and keeps its place */
    vote("dhcp");
    sim_expect_reply(world, "dhcp", VOTE, PX_LIMIT);
    ck_assert_uint_eq(get()->voters, SYSTEM_VOTERS_MAX);
}
END_TEST

/* ---- waiting ---- */

START_TEST(who_waits_hears_when_his_state_is_reached)
{
    vote("dhcp");
    await(PX_STATE_IFACE_COLDPLUG, 10000, 1);
    await(PX_STATE_OPERATIONAL, 10000, 2);
    start();
    climb("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_IFACE_COLDPLUG);
    expect_reached(1, PX_OK, PX_STATE_IFACE_COLDPLUG, "");
    climb("dhcp", PX_STATE_IFACE_COLDPLUG, PX_STATE_OPERATIONAL);
    expect_reached(2, PX_OK, PX_STATE_OPERATIONAL, "");
    await(0, 1000, 3);
    sim_expect_reply(world, "asker", 3, PX_BAD_REQUEST);
    await(PX_STATE_POLICY_INVALID, 1000, 3);
    sim_expect_reply(world, "asker", 3, PX_BAD_REQUEST);
    await(PX_STATE_DHCP, 0, 3);
    sim_expect_reply(world, "asker", 3, PX_BAD_REQUEST);
    await(PX_STATE_DHCP, SYSTEM_MS_MAX + 1, 3);
    sim_expect_reply(world, "asker", 3, PX_BAD_REQUEST);
}
END_TEST

START_TEST(who_waited_too_long_hears_who_was_in_the_way)
{
    uint64_t round = two_are_asked();
    say("dhcp", round, PX_VOTE_HOLD, 100000, "no answer on eth0", PX_OK);
    await(PX_STATE_DHCP, 1000, 1);
    sim_advance_us(sim, PX_MS(1000) - 1);
    sim_expect_silence(sim);
    sim_advance_us(sim, 1);
    expect_reached(1, PX_TIMED_OUT, PX_STATE_CONTEXT_CREATED,
                   "dhcp holds INITIALIZED: no answer on eth0, and it is not alone");
}
END_TEST

START_TEST(room_for_waiting_and_watching_has_its_limits)
{
    vote("dhcp");
    start();
    expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    for (uint64_t i = 0; i < SYSTEM_WAITERS_MAX; i++) {
        await(PX_STATE_DHCP, 1000, 100);
    }
    for (uint64_t i = 0; i < SYSTEM_WATCHERS_MAX; i++) {
        watch(0);
    }
    sim_settle(sim);
    sim_expect_silence(sim);
    await(PX_STATE_DHCP, 1000, 1);
    sim_expect_reply(world, "asker", 1, PX_BUSY);
    watch(0);
    sim_expect_reply(world, "asker", WATCH, PX_BUSY);
    sim_advance_us(sim, PX_MS(1000));
    for (uint64_t i = 0; i < SYSTEM_WAITERS_MAX; i++) {
        sim_expect_reply(world, "asker", 100, PX_TIMED_OUT);
    }
    await(PX_STATE_DHCP, 1000, 1);
    sim_settle(sim);
    sim_expect_silence(sim);
    px_sim_kill(world, "asker");
    sim_settle(sim);
    ck_assert_uint_eq(px_sim_is_alive(world, "system"), 1);
    px_sim_restart(world, "asker");
    expect_state(PX_STATE_CONTEXT_CREATED);
}
END_TEST

START_TEST(it_remembers_the_last_64_events)
{
    start();
    for (int i = 0; i < 20; i++) {
        fall(PX_STATE_DHCP, "again", PX_OK); /* and six steps up */
    }
    const System__Walk *m = get();
    ck_assert_uint_eq(m->n_events, SYSTEM_EVENTS_MAX);
    ck_assert_uint_eq(m->happened, 9 + 20 * 7);
    ck_assert_uint_eq(m->events[SYSTEM_EVENTS_MAX - 1]->state, PX_STATE_OPERATIONAL);
    ck_assert_uint_eq(m->events[SYSTEM_EVENTS_MAX - 7]->kind, SYSTEM_FELL);
    ck_assert(is(m->events[SYSTEM_EVENTS_MAX - 7]->why, "again"));
}
END_TEST

int main(void)
{
    const TTest *const plain[] = {
        who_watches_from_the_start_hears_of_every_step_in_order,
        who_watches_later_hears_the_last_state_first,
        who_takes_few_items_gets_the_newest_and_how_many_were_missed,
        every_voter_is_asked_before_each_step_and_all_must_allow_it,
        a_hold_keeps_the_step_back_until_its_release,
        a_hold_without_a_deadline_is_refused,
        a_hold_can_be_renewed,
        an_answer_to_an_old_question_is_stale,
        a_second_thought_about_the_same_step_counts,
        a_veto_ends_the_walk_until_somebody_asks_for_it,
        a_mailbox_votes_once_and_may_leave,
        who_comes_in_the_middle_is_asked_about_the_same_step,
        who_allows_no_items_is_asked_once_it_does,
        who_waits_hears_when_his_state_is_reached,
        who_waited_too_long_hears_who_was_in_the_way,
        room_for_waiting_and_watching_has_its_limits,
        it_remembers_the_last_64_events,
    };
    const TTest *const configured[] = {
        without_voters_it_is_operational_at_once,
        a_target_below_operational_is_where_it_stops,
        there_is_room_for_64_voters,
    };
    return rig_run("system", plain, sizeof plain / sizeof *plain, configured,
                   sizeof configured / sizeof *configured);
}
