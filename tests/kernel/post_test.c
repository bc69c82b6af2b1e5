/* post_test.c - asking the kernel's thread from others: nothing is lost, order is kept, the poll
 * ends.
 */
#include "ktest.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, POSTS_EACH = 5000 };

struct note {
    uint32_t thread, n;
};

struct ledger {
    struct kt *kt;
    uint32_t next[THREADS];
    uint32_t total;
    pthread_t runs_in;
};

static void on_post(void *ctx, const void *data, size_t len)
{
    struct ledger *l = ctx;
    struct note note;
    ck_assert_uint_eq(len, sizeof note);
    memcpy(&note, data, len);
    if (l->next[note.thread] != note.n || !pthread_equal(pthread_self(), l->runs_in)) {
        ck_abort_msg("post %u of thread %u came out of order", (unsigned)note.n,
                     (unsigned)note.thread);
    }
    l->next[note.thread]++;
    l->total++;
}

START_TEST(what_is_posted_runs_in_the_next_turn_in_order_with_a_copy_of_its_data)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct ledger l = {.kt = kt, .runs_in = pthread_self()};
    for (uint32_t i = 0; i < 3; i++) {
        struct note note = {0, i};
        ck_assert_int_eq(px_post(kt->kernel, on_post, &l, &note, sizeof note), PX_EOK);
        note.n = 99;
    }
    ck_assert_uint_eq(l.total, 0);
    ck_assert_uint_ge(atomic_load(&kt->world.wakes), 1);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0);
    kt_turn(kt);
    ck_assert_uint_eq(l.total, 3);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_NEVER);
    kt_free(kt);
}
END_TEST

static void send_note(void *ctx, const void *data, size_t len)
{
    struct kt *kt = ctx;
    ck_assert_uint_eq(len, 0);
    (void)data;
    ck_assert(kt_note(kt->actors[1], kt->actors[2], 1));
}

START_TEST(a_post_without_data_may_send_messages)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ck_assert_int_eq(px_post(kt->kernel, send_note, kt, NULL, 0), PX_EOK);
    kt_turn(kt);
    ck_assert_str_eq(kt_heard(bob), "note 1"); /* in the same turn */
    kt_free(kt);
}
END_TEST

static void post_again(void *ctx, const void *data, size_t len)
{
    struct kt_actor *a = ctx;
    a->heard++;
    (void)data;
    (void)len;
    if (a->heard < 10) {
        ck_assert_int_eq(px_post(a->kt->kernel, post_again, a, NULL, 0), PX_EOK);
    }
}

START_TEST(what_posts_again_does_not_hold_up_the_turn)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ck_assert_int_eq(px_post(kt->kernel, post_again, alice, NULL, 0), PX_EOK);
    kt_turn(kt);
    ck_assert_uint_lt(alice->heard, 10);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0);
    kt_settle(kt);
    ck_assert_uint_eq(alice->heard, 10);
    kt_free(kt);
}
END_TEST

START_TEST(a_post_without_memory_is_refused)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    atomic_store(&kt->world.fail_all, true);
    ck_assert_int_eq(px_post(kt->kernel, post_again, alice, NULL, 0), PX_ENOMEM);
    atomic_store(&kt->world.fail_all, false);
    kt_settle(kt);
    ck_assert_uint_eq(alice->heard, 0);
    kt_free(kt);
}
END_TEST

START_TEST(what_was_posted_and_never_ran_is_not_leaked)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ck_assert_int_eq(px_post(kt->kernel, post_again, alice, "data", 5), PX_EOK);
    kt_free(kt);
}
END_TEST

START_TEST(a_wake_ends_the_poll)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_kernel_wake(kt->kernel);
    ck_assert_uint_eq(atomic_load(&kt->world.wakes), 1);
    kt_free(kt);
}
END_TEST

struct poster {
    struct ledger *ledger;
    uint32_t thread;
    pthread_t id;
};

static void *poster_run(void *arg)
{
    const struct poster *p = arg;
    for (uint32_t i = 0; i < POSTS_EACH; i++) {
        struct note note = {p->thread, i};
        if (px_post(p->ledger->kt->kernel, on_post, p->ledger, &note, sizeof note) != PX_EOK) {
            ck_abort_msg("a post was refused");
        }
    }
    return NULL;
}

START_TEST(posts_of_many_threads_all_run_each_threads_in_order)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct ledger l = {.kt = kt, .runs_in = pthread_self()};
    struct poster posters[THREADS];
    bob->quiet = true;
    for (uint32_t i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.ledger = &l, .thread = i};
        ck_assert_int_eq(pthread_create(&posters[i].id, NULL, poster_run, &posters[i]), 0);
    }
    while (l.total < THREADS * POSTS_EACH) {
        ck_assert(kt_note(alice, bob, 1)); /* the kernel has work of its own */
        kt_turn(kt);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(posters[i].id, NULL), 0);
        ck_assert_uint_eq(l.next[i], POSTS_EACH);
    }
    ck_assert_uint_ge(atomic_load(&kt->world.wakes), 1);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *posts = tcase_create("posts"), *threads = tcase_create("threads");
    tcase_add_test(posts, what_is_posted_runs_in_the_next_turn_in_order_with_a_copy_of_its_data);
    tcase_add_test(posts, a_post_without_data_may_send_messages);
    tcase_add_test(posts, what_posts_again_does_not_hold_up_the_turn);
    tcase_add_test(posts, a_post_without_memory_is_refused);
    tcase_add_test(posts, what_was_posted_and_never_ran_is_not_leaked);
    tcase_add_test(posts, a_wake_ends_the_poll);
    tcase_add_test(threads, posts_of_many_threads_all_run_each_threads_in_order);
    tcase_set_timeout(threads, 60);
    suite_add_tcase(suite, posts);
    suite_add_tcase(suite, threads);
    return kt_run(suite);
}
