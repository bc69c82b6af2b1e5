/* stream_call_test.c - stream calls: items under credit, then one final reply.
 */
#include "ktest.h"

/* Alice watches bob with tag 7, and bob holds that. */
static px_call_id watch(struct kt *kt, struct kt_actor *alice, struct kt_actor *bob,
                        uint64_t deadline_us)
{
    px_call_id call = kt_watch(alice, bob, 5, deadline_us, 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: watch 5");
    kt_heard(alice);
    kt_heard(bob);
    return call;
}

static const struct px_msg *watched(struct kt_actor *bob)
{
    return kt_state(bob)->held[0];
}

START_TEST(no_item_comes_before_the_first_allowance)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    ck_assert(!kt_item(bob, watched(bob), 1));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "");
    px_call_more(kt_env(alice), call, 3);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "more 100 3");
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert(kt_item(bob, watched(bob), i));
    }
    ck_assert(!kt_item(bob, watched(bob), 4));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "item 7 1; item 7 2; item 7 3");
    kt_release_all(bob);
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(items_are_followed_by_one_final_reply)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, 100);
    kt_settle(kt);
    ck_assert(kt_item(bob, watched(bob), 1));
    ck_assert(kt_item(bob, watched(bob), 2));
    px_reply_status(kt_env(bob), watched(bob), PX_OK);
    ck_assert(!kt_item(bob, watched(bob), 3));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "item 7 1; item 7 2; reply 7 OK");
    px_call_more(kt_env(alice), call, 1); /* finished calls are fine */
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "more 100 100");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(allowances_add_up)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, 2);
    px_call_more(kt_env(alice), call, 1);
    kt_settle(kt);
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert(kt_item(bob, watched(bob), i));
    }
    ck_assert(!kt_item(bob, watched(bob), 4));
    kt_settle(kt);
    ck_assert_uint_eq(alice->items, 3);
    kt_release_all(bob);
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(an_allowance_without_end_stays_one)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, UINT32_MAX);
    px_call_more(kt_env(alice), call, UINT32_MAX); /* does not wrap */
    kt_settle(kt);
    for (unsigned i = 1; i <= 5; i++) {
        ck_assert(kt_item(bob, watched(bob), i));
    }
    kt_settle(kt);
    ck_assert_uint_eq(alice->items, 5);
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(an_allowance_given_at_once_arrives_behind_the_call)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = kt_watch(alice, bob, 5, PX_NEVER, 7);
    px_call_more(kt_env(alice), call, 2);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "watch 5; more 100 2");
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(the_deadline_bounds_the_time_to_the_first_item)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_MS(10));
    px_call_more(kt_env(alice), call, 10);
    kt_advance(kt, PX_MS(10));
    ck_assert_str_eq(kt_heard(alice), "reply 7 TIMED_OUT");
    ck_assert_str_eq(kt_heard(bob), "more 100 10; ended 100 TIMED_OUT");
    ck_assert(!kt_item(bob, watched(bob), 1));
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(after_the_first_item_there_is_no_deadline)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_MS(10));
    px_call_more(kt_env(alice), call, 10);
    kt_advance(kt, PX_MS(9));
    ck_assert(kt_item(bob, watched(bob), 1));
    kt_settle(kt);
    ck_assert_uint_eq(kt_ledger(kt).timers, 0);
    kt_advance(kt, PX_SEC(1000));
    ck_assert_str_eq(kt_heard(alice), "item 7 1");
    px_cancel(kt_env(alice), call);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 CANCELLED");
    ck_assert_str_eq(kt_heard(bob), "more 100 10; ended 100 CANCELLED");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(no_item_is_heard_after_the_final_reply)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, 10);
    kt_settle(kt);
    ck_assert(kt_item(bob, watched(bob), 1));
    px_cancel(kt_env(alice), call); /* overtaken by nothing: the item is before it in the queue */
    ck_assert(!kt_item(bob, watched(bob), 2));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "item 7 1; reply 7 CANCELLED");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_watcher_that_dies_ends_the_call)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, 10);
    kt_settle(kt);
    kt_heard(bob);
    ck_assert(kt_item(bob, watched(bob), 1));
    px_service_kill(kt->kernel, alice->addr);
    ck_assert(!kt_item(bob, watched(bob), 2));
    kt_settle(kt);
    ck_assert_uint_eq(bob->endeds, 1);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(an_item_without_memory_ends_the_call)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, 10);
    kt_settle(kt);
    kt_heard(bob);
    atomic_store(&kt->world.fail_all, true);
    Ktest__Number *m = px_msg_new_sized(kt_env(bob), &ktest__number__descriptor, 60000);
    ck_assert(!px_item(kt_env(bob), watched(bob), m));
    atomic_store(&kt->world.fail_all, false);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 NO_MEMORY");
    ck_assert_str_eq(kt_heard(bob), "ended 100 NO_MEMORY");
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(items_carry_payload)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    px_call_more(kt_env(alice), call, 10);
    kt_settle(kt);
    Ktest__Number *m = kt_number(bob, 1);
    ck_assert(px_msg_attach_take(m, kt_buf(bob, 512, 0), 0, 500));
    ck_assert(px_item(kt_env(bob), watched(bob), m));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "item 7 1 len 500");
    px_reply_status(kt_env(bob), watched(bob), PX_OK);
    kt_release_all(bob);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void tell_one(struct kt_actor *a, uint64_t tag, uint32_t n)
{
    const struct px_msg *call = kt_state(a)->held[tag - 100];
    for (uint32_t i = 0; i < n; i++) {
        ck_assert(kt_item(a, call, i));
    }
    ck_assert(!kt_item(a, call, n));
}

static void want_one_more(struct kt_actor *a, const struct px_msg *msg)
{
    px_call_id *call = a->ctx;
    if (msg->kind == PX_KIND_ITEM && a->items < 1000) {
        px_call_more(kt_env(a), *call, 1);
    } else {
        px_cancel(kt_env(a), *call);
    }
}

START_TEST(one_item_at_a_time_goes_on_for_ever)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = watch(kt, alice, bob, PX_NEVER);
    alice->ctx = &call;
    alice->on_reply = want_one_more;
    bob->on_more = tell_one;
    alice->quiet = bob->quiet = true;
    px_call_more(kt_env(alice), call, 1);
    kt_settle(kt);
    ck_assert_uint_eq(alice->items, 1000);
    ck_assert_uint_eq(alice->replies, 1);
    ck_assert_uint_eq(bob->endeds, 1);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *items = tcase_create("items"), *ends = tcase_create("ends");
    tcase_add_test(items, no_item_comes_before_the_first_allowance);
    tcase_add_test(items, items_are_followed_by_one_final_reply);
    tcase_add_test(items, allowances_add_up);
    tcase_add_test(items, an_allowance_without_end_stays_one);
    tcase_add_test(items, an_allowance_given_at_once_arrives_behind_the_call);
    tcase_add_test(items, items_carry_payload);
    tcase_add_test(items, one_item_at_a_time_goes_on_for_ever);
    tcase_add_test(ends, the_deadline_bounds_the_time_to_the_first_item);
    tcase_add_test(ends, after_the_first_item_there_is_no_deadline);
    tcase_add_test(ends, no_item_is_heard_after_the_final_reply);
    tcase_add_test(ends, a_watcher_that_dies_ends_the_call);
    tcase_add_test(ends, an_item_without_memory_ends_the_call);
    suite_add_tcase(suite, items);
    suite_add_tcase(suite, ends);
    return kt_run(suite);
}
