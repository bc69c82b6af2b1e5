/* call_test.c - calls end exactly once, on both sides.
 */
#include "ktest.h"

#include <stdlib.h>
#include <string.h>

/* Alice has asked bob `n` things with tags 1..n, bob holds them. */
static void ask_and_keep(struct kt *kt, struct kt_actor *alice, struct kt_actor *bob, unsigned n,
                         uint64_t deadline_us)
{
    for (unsigned i = 1; i <= n; i++) {
        ck_assert_uint_ne(kt_ask(alice, bob, i, deadline_us, i), 0);
    }
    kt_settle(kt);
    ck_assert_uint_eq(kt_state(bob)->n_held, n);
    kt_heard(bob);
}

/* ---- one answer ---- */

static void see_reply(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_actor *bob = a->ctx;
    ck_assert_uint_eq(msg->kind, PX_KIND_REPLY);
    ck_assert_uint_eq(msg->method, TOY_ASK);
    ck_assert_uint_eq(msg->from, kt_peer(bob));
    ck_assert_uint_eq(msg->status, PX_OK);
    ck_assert_uint_ne(msg->call, 0);
}

START_TEST(a_call_gets_the_callees_answer)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_echo;
    alice->on_reply = see_reply;
    alice->ctx = bob;
    ck_assert_uint_ne(kt_ask(alice, bob, 5, PX_MS(10), 7), 0);
    ck_assert_uint_eq(kt_ledger(kt).calls, 1);
    ck_assert_str_eq(kt_story(kt), "");
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: ask 5; alice: reply 7 OK 5");
    kt_expect_idle(kt, 0);
    kt_advance(kt, PX_SEC(1));
    ck_assert_str_eq(kt_story(kt), "");
    kt_free(kt);
}
END_TEST

START_TEST(an_answer_may_be_a_status_alone)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ask_and_keep(kt, alice, bob, 2, PX_NEVER);
    px_reply_status(kt_env(bob), kt_state(bob)->held[0], PX_BUSY);
    px_reply(kt_env(bob), kt_state(bob)->held[1], PX_LIMIT, kt_number(bob, 4));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 1 BUSY; reply 2 LIMIT 4");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(held_calls_are_answered_later_in_any_order)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ask_and_keep(kt, alice, bob, 3, PX_SEC(100));
    kt_advance(kt, PX_SEC(50));
    for (unsigned i = 3; i > 0; i--) {
        kt_reply(bob, kt_state(bob)->held[i - 1], i * 10);
        kt_settle(kt);
    }
    ck_assert_str_eq(kt_heard(alice), "reply 3 OK 30; reply 2 OK 20; reply 1 OK 10");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_advance(kt, PX_SEC(100));
    ck_assert_str_eq(kt_heard(alice), "");
    kt_free(kt);
}
END_TEST

static void answer_twice(struct kt_actor *a, const struct px_msg *msg)
{
    kt_reply(a, msg, 1);
    kt_reply(a, msg, 2);
    px_reply_status(kt_env(a), msg, PX_INTERNAL);
    kt_keep(a, msg);
}

START_TEST(only_the_first_answer_counts)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = answer_twice;
    kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    kt_reply(bob, kt_state(bob)->held[0], 3);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 OK 1");
    ck_assert_str_eq(kt_heard(bob), "ask 5");
    ck_assert_uint_eq(kt_ledger(kt).late, 3);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_message_with_tag_zero_may_be_asked_too)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_echo;
    px_call(kt_env(alice), bob->addr, TOY_RETRY, kt_number(alice, 8), PX_NEVER, 0);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: retry 8; alice: reply 0 OK 8");
    kt_free(kt);
}
END_TEST

START_TEST(payload_goes_both_ways)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_echo;
    Ktest__Number *m = kt_number(alice, 5);
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 1000, 0), 0, 1000));
    px_call(kt_env(alice), bob->addr, TOY_ASK, m, PX_MS(1), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: ask 5 len 1000; alice: reply 7 OK 5 len 1000");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- time ---- */

START_TEST(a_silent_callee_is_timed_out_exactly_at_the_deadline)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ask_and_keep(kt, alice, bob, 1, PX_MS(10));
    kt_advance(kt, PX_MS(10) - 1);
    ck_assert_str_eq(kt_heard(alice), "");
    kt_advance(kt, 1);
    ck_assert_str_eq(kt_heard(alice), "reply 1 TIMED_OUT");
    ck_assert_str_eq(kt_heard(bob), "ended 100 TIMED_OUT");
    kt_reply(bob, kt_state(bob)->held[0], 9);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "");
    ck_assert_uint_eq(kt_ledger(kt).late, 1);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_without_deadline_waits_for_ever)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ask_and_keep(kt, alice, bob, 1, PX_NEVER);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_NEVER);
    kt_advance(kt, PX_SEC(100000000));
    ck_assert_str_eq(kt_heard(alice), "");
    kt_reply(bob, kt_state(bob)->held[0], 9);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 1 OK 9");
    kt_release_all(bob);
    kt_free(kt);
}
END_TEST

START_TEST(a_deadline_of_zero_ends_the_call_at_once)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    kt_ask(alice, bob, 5, 0, 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 TIMED_OUT");
    kt_advance(kt, 10);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(ended_comes_with_the_tag_the_callee_gave_last)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ask_and_keep(kt, alice, bob, 2, PX_MS(10));
    px_call_tag(kt_env(bob), kt_state(bob)->held[0], 1);
    px_call_tag(kt_env(bob), kt_state(bob)->held[0], 0x123456789abcdef0);
    kt_advance(kt, PX_MS(10));
    ck_assert_str_eq(kt_heard(bob), "ended 1311768467463790320 TIMED_OUT; ended 101 TIMED_OUT");
    px_call_tag(kt_env(bob), kt_state(bob)->held[0], 2); /* nothing any more */
    kt_advance(kt, PX_MS(10));
    ck_assert_str_eq(kt_heard(bob), "");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_cancelled_call_ends_on_both_sides)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    px_cancel(kt_env(alice), call);
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 CANCELLED");
    ck_assert_str_eq(kt_heard(bob), "ask 5; ended 100 CANCELLED");
    px_cancel(kt_env(alice), call);
    px_cancel(kt_env(alice), 0);
    kt_advance(kt, PX_SEC(1));
    ck_assert_str_eq(kt_heard(alice), "");
    ck_assert_str_eq(kt_heard(bob), "");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_cancelled_before_it_was_delivered_ends_once)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_cancel(kt_env(alice), kt_ask(alice, bob, 5, PX_MS(10), 7));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 CANCELLED");
    ck_assert_uint_le(bob->endeds, bob->msgs); /* no end of what never began */
    ck_assert_uint_eq(bob->endeds, bob->msgs); /* and an end of what did */
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_finished_call_is_not_cancelled)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_echo;
    px_call_id call = kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    kt_heard(alice);
    kt_ask(alice, bob, 6, PX_MS(10), 8); /* may use the same entry */
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 8 OK 6");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_already_answered_keeps_its_answer)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_keep;
    px_call_id call = kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    kt_reply(bob, kt_state(bob)->held[0], 9);
    px_cancel(kt_env(alice), call); /* the answer is on its way */
    kt_settle(kt);
    const char *heard = kt_heard(alice);
    ck_assert_uint_eq(alice->replies, 1);
    ck_assert_msg(strcmp(heard, "reply 7 OK 9") == 0 || strcmp(heard, "reply 7 CANCELLED") == 0,
                  "heard %s", heard);
    ck_assert_uint_eq(bob->endeds, 0); /* the callee had answered */
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(nobody_cancels_the_calls_of_others)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = kt_ask(alice, bob, 5, PX_NEVER, 7);
    kt_settle(kt);
    px_cancel(kt_env(bob), call);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "");
    kt_reply(bob, kt_state(bob)->held[0], 9);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 OK 9");
    kt_release_all(bob);
    kt_free(kt);
}
END_TEST

/* ---- other ends ---- */

START_TEST(a_call_to_a_dead_service_ends_with_service_gone)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_service_kill(kt->kernel, bob->addr);
    kt_settle(kt);
    kt_heard(alice);
    kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 SERVICE_GONE");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_nobody_may_make_is_denied)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    kt_start(kt);
    ck_assert_uint_eq(kt_ledger(kt).calls, 0);
    kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "alice: reply 7 DENIED");
    ck_assert_uint_eq(kt_ledger(kt).denied, 1);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_without_memory_ends_with_no_memory)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    atomic_store(&kt->world.fail_all, true);
    Ktest__Number *m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 60000);
    m->value = 5; /* the spare body may be written like any other */
    ck_assert_ptr_nonnull(px_msg_alloc(m, 65536));
    px_call(kt_env(alice), bob->addr, TOY_ASK, m, PX_MS(10), 7);
    kt_settle(kt);
    atomic_store(&kt->world.fail_all, false);
    ck_assert_str_eq(kt_story(kt), "alice: reply 7 NO_MEMORY");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void reply_without_memory(struct kt_actor *a, const struct px_msg *msg)
{
    atomic_store(&a->kt->world.fail_all, true);
    Ktest__Number *m = px_msg_new_sized(kt_env(a), &ktest__number__descriptor, 60000);
    px_reply(kt_env(a), msg, PX_OK, m);
    atomic_store(&a->kt->world.fail_all, false);
}

START_TEST(an_answer_without_memory_ends_the_call_with_no_memory)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = reply_without_memory;
    kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: ask 5; alice: reply 7 NO_MEMORY; "
                                   "bob: ended 0 NO_MEMORY"); /* its answer never came out */
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void poison(struct kt_actor *a, const struct px_msg *msg)
{
    Ktest__Number *m = kt_number(a, 1);
    atomic_store(&a->kt->world.fail_all, true);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_ptr_nonnull(px_msg_alloc(m, 65536)); /* never NULL */
    }
    atomic_store(&a->kt->world.fail_all, false);
    px_reply(kt_env(a), msg, PX_OK, m);
}

START_TEST(an_answer_whose_arena_found_no_memory_ends_the_call_with_no_memory)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = poison;
    kt_ask(alice, bob, 5, PX_MS(10), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: ask 5; alice: reply 7 NO_MEMORY; "
                                   "bob: ended 0 NO_MEMORY"); /* its answer never came out */
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_to_nobody_ends)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call(kt_env(alice), 55, TOY_ASK, kt_number(alice, 1), PX_MS(10), 7);
    px_call(kt_env(alice), 0, TOY_ASK, kt_number(alice, 1), PX_MS(10), 8);
    px_call(kt_env(alice), 4096, TOY_ASK, kt_number(alice, 1), PX_MS(10), 9);
    kt_settle(kt);
    ck_assert_uint_eq(alice->replies, 3);
    ck_assert(!px_send(kt_env(alice), 65535, TOY_NOTE, kt_number(alice, 1), 0));
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    (void)bob;
    kt_free(kt);
}
END_TEST

/* ---- callbacks inside callbacks ---- */

static void ask_again(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_actor *bob = a->ctx;
    if (msg->tag < 1000) {
        kt_ask(a, bob, msg->tag + 1, PX_MS(10), msg->tag + 1);
    }
}

START_TEST(a_reply_handler_may_call_again_with_the_entry_just_freed)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_echo;
    alice->on_reply = ask_again;
    alice->ctx = bob;
    kt_ask(alice, bob, 1, PX_MS(10), 1);
    alice->quiet = bob->quiet = true;
    kt_settle(kt);
    ck_assert_uint_eq(alice->replies, 1000);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(one_call_at_a_time_is_enough_for_a_service_that_declares_one)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    alice->service.calls_max = 1;
    kt_befriend(kt, alice, bob);
    bob->on_msg = kt_echo;
    alice->on_reply = ask_again;
    alice->ctx = bob;
    kt_start(kt);
    alice->quiet = bob->quiet = true;
    kt_ask(alice, bob, 1, PX_MS(10), 1);
    kt_settle(kt);
    ck_assert_uint_eq(alice->replies, 1000);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_beyond_all_that_was_declared_ends_too)
{
    struct px_kernel_config config = {.calls_max = 64};
    struct kt *kt = kt_new(&config);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    alice->service.calls_max = bob->service.calls_max = 1;
    kt_befriend(kt, alice, bob);
    bob->on_msg = kt_echo;
    alice->quiet = bob->quiet = true;
    kt_start(kt);
    for (unsigned i = 0; i < 100; i++) {
        kt_ask(alice, bob, i, PX_SEC(1), i);
    }
    alice->quiet = false;
    kt_settle(kt);
    ck_assert_uint_eq(alice->replies, 100);
    const char *heard = kt_heard(alice);
    ck_assert_ptr_nonnull(strstr(heard, "reply 0 OK 0"));
    ck_assert_ptr_nonnull(strstr(heard, "reply 99 NO_MEMORY"));
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void hold_reply(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_state *s = kt_state(a);
    const struct px_msg *held = px_msg_hold(msg);
    ck_assert_int_eq(held != NULL, msg->body != NULL); /* without body there is nothing to keep */
    if (held != NULL) {
        s->held[s->n_held++] = held;
    }
}

START_TEST(a_reply_with_a_body_may_be_held)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_echo;
    alice->on_reply = hold_reply;
    Ktest__Number *m = kt_number(alice, 5);
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 512, 3), 0, 512));
    px_call(kt_env(alice), bob->addr, TOY_ASK, m, PX_MS(10), 7);
    px_cancel(kt_env(alice), kt_ask(alice, bob, 6, PX_MS(10), 8)); /* only a status */
    kt_settle(kt);
    ck_assert_uint_eq(alice->replies, 2);
    alice->on_reply = NULL;
    for (unsigned i = 0; i < 20; i++) { /* the entries are used again meanwhile */
        kt_ask(alice, bob, 100 + i, PX_MS(10), 100 + i);
        kt_settle(kt);
    }
    struct kt_state *s = kt_state(alice);
    ck_assert_uint_eq(s->n_held, 1);
    ck_assert_uint_eq(kt_value(s->held[0]), 5);
    ck_assert_uint_eq(px_msg_payload_len(s->held[0]), 512);
    ck_assert_uint_eq(s->held[0]->tag, 7);
    kt_release_all(alice);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- a storm ---- */

struct storm {
    struct kt_actor *alice, *bob;
    uint64_t seed;
    unsigned answered[4000]; /* replies by tag */
    unsigned n;
    px_call_id calls[4000];
};

static void storm_reply(struct kt_actor *a, const struct px_msg *msg)
{
    struct storm *s = a->ctx;
    s->answered[msg->tag]++;
}

static void storm_ask(struct kt_actor *a, const struct px_msg *msg)
{
    struct storm *s = a->ctx;
    struct kt_state *state = kt_state(a);
    if (kt_random(&s->seed) % 3 == 0 || state->n_held == 16) {
        kt_reply(a, msg, 1);
    } else {
        kt_keep(a, msg);
    }
}

static void storm_step(struct kt *kt, struct storm *s)
{
    struct kt_state *b = kt_state(s->bob);
    uint64_t r = kt_random(&s->seed);
    if (r % 5 < 2 && kt_ledger(kt).calls < 60) {
        s->calls[s->n] = kt_ask(s->alice, s->bob, s->n, r % 7 * 100, s->n);
        s->n++;
    } else if (r % 5 == 2 && s->n > 0) {
        px_cancel(kt_env(s->alice), s->calls[r / 16 % s->n]);
    } else if (r % 5 == 3 && b->n_held > 0) {
        const struct px_msg *held = b->held[--b->n_held];
        kt_reply(s->bob, held, 2);
        px_msg_release(held);
    } else {
        kt->world.now_us += r / 16 % 300;
        kt_turn(kt);
    }
}

START_TEST(every_call_of_a_storm_is_answered_exactly_once)
{
    struct storm *s = calloc(1, sizeof *s);
    struct kt *kt = kt_pair(&s->alice, &s->bob);
    s->seed = (uint64_t)_i + 1;
    s->alice->ctx = s->bob->ctx = s;
    s->alice->on_reply = storm_reply;
    s->bob->on_msg = storm_ask;
    s->alice->quiet = s->bob->quiet = true;
    for (unsigned i = 0; i < 4000; i++) {
        storm_step(kt, s);
    }
    kt_advance(kt, PX_SEC(1));
    for (unsigned i = 0; i < s->n; i++) {
        ck_assert_uint_eq(s->answered[i], 1);
    }
    kt_release_all(s->bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
    free(s);
}
END_TEST

static void add_end_tests(TCase *ends)
{
    tcase_add_test(ends, a_silent_callee_is_timed_out_exactly_at_the_deadline);
    tcase_add_test(ends, a_call_without_deadline_waits_for_ever);
    tcase_add_test(ends, a_deadline_of_zero_ends_the_call_at_once);
    tcase_add_test(ends, ended_comes_with_the_tag_the_callee_gave_last);
    tcase_add_test(ends, a_cancelled_call_ends_on_both_sides);
    tcase_add_test(ends, a_call_cancelled_before_it_was_delivered_ends_once);
    tcase_add_test(ends, a_finished_call_is_not_cancelled);
    tcase_add_test(ends, a_call_already_answered_keeps_its_answer);
    tcase_add_test(ends, nobody_cancels_the_calls_of_others);
    tcase_add_test(ends, a_call_to_a_dead_service_ends_with_service_gone);
    tcase_add_test(ends, a_call_nobody_may_make_is_denied);
    tcase_add_test(ends, a_call_without_memory_ends_with_no_memory);
    tcase_add_test(ends, an_answer_without_memory_ends_the_call_with_no_memory);
    tcase_add_test(ends, an_answer_whose_arena_found_no_memory_ends_the_call_with_no_memory);
    tcase_add_test(ends, a_call_to_nobody_ends);
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *answers = tcase_create("answers"), *ends = tcase_create("ends");
    TCase *storms = tcase_create("storms");
    tcase_add_test(answers, a_call_gets_the_callees_answer);
    tcase_add_test(answers, an_answer_may_be_a_status_alone);
    tcase_add_test(answers, held_calls_are_answered_later_in_any_order);
    tcase_add_test(answers, only_the_first_answer_counts);
    tcase_add_test(answers, a_message_with_tag_zero_may_be_asked_too);
    tcase_add_test(answers, payload_goes_both_ways);
    tcase_add_test(answers, a_reply_handler_may_call_again_with_the_entry_just_freed);
    tcase_add_test(answers, one_call_at_a_time_is_enough_for_a_service_that_declares_one);
    tcase_add_test(answers, a_call_beyond_all_that_was_declared_ends_too);
    tcase_add_test(answers, a_reply_with_a_body_may_be_held);
    add_end_tests(ends);
    tcase_add_loop_test(storms, every_call_of_a_storm_is_answered_exactly_once, 0, 20);
    suite_add_tcase(suite, answers);
    suite_add_tcase(suite, ends);
    suite_add_tcase(suite, storms);
    return kt_run(suite);
}
