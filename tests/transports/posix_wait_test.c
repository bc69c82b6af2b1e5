/* posix_wait_test.c - waiting in real time: never early, ended by a wake, and idle without work. */
#include <check.h>
#include <pthread.h>
#include <px/posix.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct sleeper {
    struct px_env *env;
    struct px_sul sul;
    uint32_t fired;
    uint64_t fired_at_us;
};

static struct rig {
    struct px_posix *os;
    struct px_kernel *kernel;
    px_addr addr;
} rig;

static struct sleeper *sleeper(void)
{
    return px_kernel_state(rig.kernel, rig.addr);
}

static enum px_err sleeper_init(void *state, struct px_env *env)
{
    ((struct sleeper *)state)->env = env;
    return PX_EOK;
}

static const struct px_service sleeper_service = {
    .name = "sleeper", .state_size = sizeof(struct sleeper), .init = sleeper_init};

static void begin(void)
{
    ck_assert_int_eq(px_posix_new(NULL, &rig.os), PX_EOK);
    ck_assert_int_eq(px_kernel_new(px_posix_world(rig.os), NULL, &rig.kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &sleeper_service, NULL, NULL, &rig.addr), PX_EOK);
    ck_assert_int_eq(px_kernel_start(rig.kernel), PX_EOK);
}

static void end(void)
{
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
}

static uint64_t real_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void on_fire(struct px_sul *sul)
{
    struct sleeper *s = px_container_of(sul, struct sleeper, sul);
    s->fired++;
    s->fired_at_us = real_us();
}

START_TEST(timers_are_never_early_and_wait_without_spinning)
{
    for (uint64_t us = 1; us < 100000; us = us * 7 + 13) {
        struct px_ledger before;
        struct px_ledger after;
        struct sleeper *s = sleeper();
        px_kernel_turn(rig.kernel, 0);
        uint64_t from = px_kernel_now_us(rig.kernel);
        uint32_t fired = s->fired;
        px_sul_schedule(s->env, &s->sul, on_fire, us);
        px_kernel_ledger(rig.kernel, &before);
        while (s->fired == fired) {
            px_kernel_turn(rig.kernel, PX_NEVER);
        }
        px_kernel_ledger(rig.kernel, &after);
        ck_assert_uint_ge(s->fired_at_us, from + us);
        ck_assert_uint_le(after.turns - before.turns, 15);
    }
}
END_TEST

static void *wake_soon(void *arg)
{
    usleep(20000);
    px_kernel_wake(arg);
    return NULL;
}

START_TEST(a_wake_from_another_thread_ends_the_wait)
{
    pthread_t thread;
    uint64_t before = real_us();
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_soon, rig.kernel), 0);
    px_kernel_turn(rig.kernel, PX_SEC(20));
    ck_assert_uint_ge(real_us() - before, 15000);
    ck_assert_uint_lt(real_us() - before, 10000000);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static void posted(void *ctx, const void *data, size_t len)
{
    ck_assert_uint_eq(len, 4);
    *(uint32_t *)ctx += *(const uint32_t *)data;
}

static uint32_t sum_posted;

static void *post_many(void *arg)
{
    for (uint32_t i = 1; i <= 1000; i++) {
        ck_assert_int_eq(px_post(arg, posted, &sum_posted, &i, sizeof i), PX_EOK);
    }
    return NULL;
}

START_TEST(posts_from_another_thread_all_arrive)
{
    pthread_t thread;
    sum_posted = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, post_many, rig.kernel), 0);
    while (sum_posted < 500500) {
        px_kernel_turn(rig.kernel, PX_SEC(10));
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(sum_posted, 500500);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        timers_are_never_early_and_wait_without_spinning,
        a_wake_from_another_thread_ends_the_wait,
        posts_from_another_thread_all_arrive,
    };
    Suite *suite = suite_create("posix_wait");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
