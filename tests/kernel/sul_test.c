/* sul_test.c - timers fire in (time, scheduling order), never early, and cost nothing to move.
 */
#include "ktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A timer with a number, which says so when it fires. */
struct bell {
    struct px_sul sul;
    struct kt_actor *actor;
    uint64_t n;
    uint64_t due_us;
};

static void on_bell(struct px_sul *sul)
{
    struct bell *b = px_container_of(sul, struct bell, sul);
    ck_assert(!px_sul_pending(sul)); /* unlinked before its callback */
    ck_assert_uint_ge(px_now_us(kt_env(b->actor)), b->due_us);
    kt_say(b->actor, "bell %llu", (unsigned long long)b->n);
}

static void set_bell(struct bell *b, struct kt_actor *a, uint64_t n, uint64_t in_us)
{
    b->actor = a;
    b->n = n;
    b->due_us = px_now_us(kt_env(a)) + in_us;
    px_sul_schedule(kt_env(a), &b->sul, on_bell, in_us);
}

/* ---- single timers ---- */

START_TEST(a_timer_fires_once_at_its_time_and_not_before)
{
    static const uint64_t waits[] = {1, 2, 63, 64, 65, 999, 4095, 4096, 4097, 1000000, 86400000000};
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {0};
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        set_bell(&b, alice, i, waits[i]);
        ck_assert(px_sul_pending(&b.sul));
        ck_assert_uint_eq(kt_ledger(kt).timers, 1);
        kt_advance(kt, waits[i] - 1);
        ck_assert_str_eq(kt_heard(alice), "");
        kt->world.now_us += 1;
        kt_turn(kt);
        char expected[32];
        snprintf(expected, sizeof expected, "bell %u", i);
        ck_assert_str_eq(kt_heard(alice), expected);
        ck_assert(!px_sul_pending(&b.sul));
        kt_advance(kt, 100000);
        ck_assert_str_eq(kt_heard(alice), "");
    }
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_turn_that_comes_late_fires_everything_due_in_order)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b[5] = {0};
    set_bell(&b[0], alice, 0, 500);
    set_bell(&b[1], alice, 1, 70000);
    set_bell(&b[2], alice, 2, 3);
    set_bell(&b[3], alice, 3, 500);
    set_bell(&b[4], alice, 4, PX_SEC(90));
    kt->world.now_us += PX_SEC(1);
    kt_turn(kt);
    ck_assert_str_eq(kt_heard(alice), "bell 2; bell 0; bell 3; bell 1");
    px_sul_cancel(kt_env(alice), &b[4].sul);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(equal_times_fire_in_scheduling_order_also_after_a_move)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        set_bell(&b[i], alice, i, 100000);
    }
    set_bell(&b[0], alice, 0, 5);
    set_bell(&b[0], alice, 0, 100000); /* now the last */
    kt_advance(kt, 50000);
    set_bell(&b[1], alice, 1, 50000); /* the same time, scheduled later still */
    kt_advance(kt, 50000);
    ck_assert_str_eq(kt_heard(alice), "bell 2; bell 3; bell 0; bell 1");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(cancelling_is_idempotent)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {0};
    px_sul_cancel(kt_env(alice), &b.sul); /* never scheduled */
    set_bell(&b, alice, 1, 10);
    px_sul_cancel(kt_env(alice), &b.sul);
    ck_assert(!px_sul_pending(&b.sul));
    px_sul_cancel(kt_env(alice), &b.sul);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_NEVER);
    kt_advance(kt, 100);
    ck_assert_str_eq(kt_heard(alice), "");
    set_bell(&b, alice, 2, 10);
    kt_advance(kt, 10);
    px_sul_cancel(kt_env(alice), &b.sul); /* has fired */
    ck_assert_str_eq(kt_heard(alice), "bell 2");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(never_cancels)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {0};
    set_bell(&b, alice, 1, 10);
    px_sul_schedule(kt_env(alice), &b.sul, on_bell, PX_NEVER);
    ck_assert(!px_sul_pending(&b.sul));
    px_sul_schedule_wake(kt_env(alice), &b.sul, on_bell, PX_NEVER);
    ck_assert(!px_sul_pending(&b.sul));
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_wait_of_zero_is_over_in_the_next_turn)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {0};
    set_bell(&b, alice, 1, 0);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0);
    ck_assert_str_eq(kt_heard(alice), "");
    kt_turn(kt);
    ck_assert_str_eq(kt_heard(alice), "bell 1");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(what_is_too_far_ahead_is_shortened_to_the_limit)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {0}, c = {0};
    set_bell(&b, alice, 1, PX_SUL_US_MAX);
    c.actor = alice;
    c.n = 2;
    px_sul_schedule(kt_env(alice), &c.sul, on_bell, PX_NEVER - 1);
    ck_assert(px_sul_pending(&c.sul));
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_SUL_US_MAX);
    kt_advance(kt, PX_SUL_US_MAX - 1);
    ck_assert_str_eq(kt_heard(alice), "");
    kt_advance(kt, 1);
    ck_assert_str_eq(kt_heard(alice), "bell 1; bell 2");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- from inside callbacks ---- */

static void ring_again(struct px_sul *sul)
{
    struct bell *b = px_container_of(sul, struct bell, sul);
    on_bell(sul);
    if (--b->n > 0) {
        px_sul_schedule(kt_env(b->actor), sul, ring_again, 0);
    }
}

START_TEST(a_callback_may_schedule_its_own_timer_again)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {.actor = alice, .n = 3};
    px_sul_schedule(kt_env(alice), &b.sul, ring_again, 10);
    kt->world.now_us += 10;
    kt_turn(kt);
    const char *first = kt_heard(alice);
    ck_assert(strncmp(first, "bell 3", 6) == 0);
    kt_settle(kt); /* no turn goes round for ever: zero waits come in later turns or end here */
    ck_assert_uint_eq(b.n, 0);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void free_owner(struct px_sul *sul)
{
    struct kt_elem *e = px_container_of(sul, struct kt_elem, sul);
    struct kt_actor *a = e->actor;
    kt_say(a, "freed %llu", (unsigned long long)e->n);
    px_pool_put(kt_pool(a), e);
}

START_TEST(a_callback_may_free_the_timers_owner)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (uint64_t n = 1; n <= 3; n++) {
        px_sul_schedule(kt_env(alice), &kt_elem(alice, n)->sul, free_owner, 10);
    }
    kt_advance(kt, 10);
    ck_assert_str_eq(kt_heard(alice), "freed 1; freed 2; freed 3");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void free_heap_bell(struct px_sul *sul)
{
    free(px_container_of(sul, struct bell, sul));
}

START_TEST(nothing_touches_a_timer_after_its_callback)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (unsigned i = 0; i < 1000; i++) {
        struct bell *b = calloc(1, sizeof *b);
        px_sul_schedule(kt_env(alice), &b->sul, free_heap_bell, i % 7 * 10000);
    }
    kt_advance(kt, 100000);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void cancel_next(struct px_sul *sul)
{
    struct bell *b = px_container_of(sul, struct bell, sul);
    kt_say(b->actor, "cancels");
    px_sul_cancel(kt_env(b->actor), &b[1].sul); /* due at the same moment */
    set_bell(&b[2], b->actor, 2, 5);            /* too, but put off */
}

START_TEST(a_callback_may_cancel_or_move_what_is_due_at_the_same_moment)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b[4] = {0};
    b[0].actor = alice;
    px_sul_schedule(kt_env(alice), &b[0].sul, cancel_next, 10);
    for (unsigned i = 1; i < 4; i++) {
        set_bell(&b[i], alice, i, 10);
    }
    kt_advance(kt, 10);
    ck_assert_str_eq(kt_heard(alice), "cancels; bell 3");
    kt_advance(kt, 5);
    ck_assert_str_eq(kt_heard(alice), "bell 2");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(the_poll_waits_no_longer_than_to_the_next_timer)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b = {0};
    kt_settle(kt);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_NEVER);
    px_kernel_turn(kt->kernel, PX_NEVER);
    ck_assert_uint_eq(kt->world.timeout_us, PX_NEVER);
    ck_assert(kt->world.reads);
    set_bell(&b, alice, 1, 5000);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 5000);
    px_kernel_turn(kt->kernel, PX_NEVER);
    ck_assert_uint_eq(kt->world.timeout_us, 5000);
    px_kernel_turn(kt->kernel, 3);
    ck_assert_uint_eq(kt->world.timeout_us, 3);
    px_sul_cancel(kt_env(alice), &b.sul);
    kt_free(kt);
}
END_TEST

START_TEST(the_next_deadline_is_exact_while_few_timers_are_set)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b[3] = {0};
    uint64_t seed = 3;
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t least = UINT64_MAX;
        for (unsigned i = 0; i < 3; i++) {
            uint64_t wait = kt_random(&seed) >> (kt_random(&seed) % 40 + 14);
            set_bell(&b[i], alice, i, wait);
            least = wait < least ? wait : least;
        }
        ck_assert_uint_eq(px_kernel_next_us(kt->kernel), least);
        kt->world.now_us += least;
        kt_turn(kt);
        kt_heard(alice);
    }
    for (unsigned i = 0; i < 3; i++) {
        px_sul_cancel(kt_env(alice), &b[i].sul);
    }
    kt_free(kt);
}
END_TEST

START_TEST(only_wake_timers_wake_from_suspend)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b[3] = {
        {.actor = alice, .n = 0}, {.actor = alice, .n = 1}, {.actor = alice, .n = 2}};
    ck_assert_uint_eq(px_kernel_earliest_wake(kt->kernel), PX_NEVER);
    px_sul_schedule(kt_env(alice), &b[0].sul, on_bell, 1000);
    ck_assert_uint_eq(px_kernel_earliest_wake(kt->kernel), PX_NEVER);
    px_sul_schedule_wake(kt_env(alice), &b[1].sul, on_bell, 70007);
    px_sul_schedule_wake(kt_env(alice), &b[2].sul, on_bell, 5000);
    ck_assert_uint_eq(px_kernel_earliest_wake(kt->kernel), 5000);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 1000);
    px_sul_schedule(kt_env(alice), &b[2].sul, on_bell, 1000); /* changes its class */
    ck_assert_uint_eq(px_kernel_earliest_wake(kt->kernel), 70007);
    kt_advance(kt, 1000);
    ck_assert_str_eq(kt_heard(alice), "bell 0; bell 2");
    ck_assert_uint_eq(px_kernel_earliest_wake(kt->kernel), 69007);
    kt_advance(kt, 69007);
    ck_assert_str_eq(kt_heard(alice), "bell 1");
    ck_assert_uint_eq(px_kernel_earliest_wake(kt->kernel), PX_NEVER);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(both_classes_fire_in_one_order)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct bell b[6] = {0};
    for (unsigned i = 0; i < 6; i++) {
        b[i].actor = alice;
        b[i].n = i;
        if (i % 2 == 0) {
            px_sul_schedule(kt_env(alice), &b[i].sul, on_bell, 100 + i / 4 * 100);
        } else {
            px_sul_schedule_wake(kt_env(alice), &b[i].sul, on_bell, 100 + i / 4 * 100);
        }
    }
    kt->world.now_us += 1000; /* as after a suspend */
    kt_turn(kt);
    ck_assert_str_eq(kt_heard(alice), "bell 0; bell 1; bell 2; bell 3; bell 4; bell 5");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- against a sorted list ---- */

enum { MODEL_MAX = 300 };

struct model {
    struct kt_actor *actor;
    struct model_bell {
        struct px_sul sul;
        struct model *model;
        uint64_t at_us, seq; /* at_us 0: not set */
    } bells[MODEL_MAX];
    uint64_t seq, seed, fired;
};

static uint64_t random_wait(uint64_t *seed)
{
    uint64_t r = kt_random(seed);
    static const uint64_t spans[] = {1,      3,        100,        5000,
                                     300000, 20000000, 5000000000, UINT64_C(1) << 45};
    return kt_random(seed) % spans[r % 8];
}

static void model_set(struct model *m, unsigned i);

static void on_model_bell(struct px_sul *sul)
{
    struct model_bell *b = px_container_of(sul, struct model_bell, sul);
    struct model *m = b->model;
    bool right = b->at_us != 0 && b->at_us <= px_now_us(kt_env(m->actor));
    for (unsigned i = 0; i < MODEL_MAX; i++) {
        const struct model_bell *o = &m->bells[i];
        bool before = o->at_us < b->at_us || (o->at_us == b->at_us && o->seq < b->seq);
        right = right && (o->at_us == 0 || !before);
    }
    if (!right) {
        ck_abort_msg("the timer due at %llu is not the next", (unsigned long long)b->at_us);
    }
    b->at_us = 0;
    m->fired++;
    if (kt_random(&m->seed) % 4 == 0) {
        model_set(m, (unsigned)(kt_random(&m->seed) % MODEL_MAX));
    }
}

static void model_set(struct model *m, unsigned i)
{
    uint64_t wait = random_wait(&m->seed) + 1;
    struct px_env *env = kt_env(m->actor);
    m->bells[i].at_us = px_now_us(env) + wait;
    m->bells[i].seq = ++m->seq;
    m->bells[i].model = m;
    if (kt_random(&m->seed) % 5 == 0) {
        px_sul_schedule_wake(env, &m->bells[i].sul, on_model_bell, wait);
    } else {
        px_sul_schedule(env, &m->bells[i].sul, on_model_bell, wait);
    }
}

static uint64_t model_next_us(const struct model *m, uint64_t now_us)
{
    uint64_t least = PX_NEVER;
    for (unsigned i = 0; i < MODEL_MAX; i++) {
        uint64_t at = m->bells[i].at_us;
        if (at != 0) {
            uint64_t wait = at > now_us ? at - now_us : 0;
            least = wait < least ? wait : least;
        }
    }
    return least;
}

static void model_step(struct kt *kt, struct model *m)
{
    unsigned i = (unsigned)(kt_random(&m->seed) % MODEL_MAX);
    switch (kt_random(&m->seed) % 8) {
    case 0:
    case 1:
    case 2:
    case 3:
        model_set(m, i);
        break;
    case 4:
        px_sul_cancel(kt_env(m->actor), &m->bells[i].sul);
        m->bells[i].at_us = 0;
        break;
    case 5: /* exactly to the next one, if it is not too far */
        kt->world.now_us += model_next_us(m, kt->world.now_us) % (UINT64_C(1) << 46);
        kt_turn(kt);
        break;
    default:
        kt->world.now_us += random_wait(&m->seed) / 4;
        kt_turn(kt);
        break;
    }
}

START_TEST(timers_fire_as_from_one_sorted_list)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct model *m = calloc(1, sizeof *m);
    m->actor = alice;
    m->seed = (uint64_t)_i * 1000 + 1;
    for (unsigned step = 0; step < 4000; step++) {
        model_step(kt, m);
        uint64_t wait = model_next_us(m, px_kernel_now_us(kt->kernel));
        ck_assert_uint_gt(wait, 0);                             /* what was due has fired */
        ck_assert_uint_le(px_kernel_next_us(kt->kernel), wait); /* never late */
    }
    ck_assert_uint_gt(m->fired, 500);
    for (unsigned i = 0; i < MODEL_MAX; i++) {
        ck_assert_int_eq(px_sul_pending(&m->bells[i].sul), m->bells[i].at_us != 0);
        px_sul_cancel(kt_env(alice), &m->bells[i].sul);
    }
    kt_expect_idle(kt, 0);
    free(m);
    kt_free(kt);
}
END_TEST

/* ---- a million ---- */

enum { MILLION = 1000000 };

struct crowd {
    struct kt_actor *actor;
    struct crowd_bell {
        struct px_sul sul;
        struct crowd *crowd;
        uint64_t at_us;
        uint32_t seq;
    } * bells;
    uint64_t last_at_us, fired;
    uint32_t last_seq;
};

static void on_crowd_bell(struct px_sul *sul)
{
    struct crowd_bell *b = px_container_of(sul, struct crowd_bell, sul);
    struct crowd *c = b->crowd;
    if (b->at_us < c->last_at_us || (b->at_us == c->last_at_us && b->seq <= c->last_seq)) {
        ck_abort_msg("timer %u of %llu came behind %u of %llu", (unsigned)b->seq,
                     (unsigned long long)b->at_us, (unsigned)c->last_seq,
                     (unsigned long long)c->last_at_us);
    }
    if (px_now_us(kt_env(c->actor)) < b->at_us) {
        ck_abort_msg("timer %u is early", (unsigned)b->seq);
    }
    c->last_at_us = b->at_us;
    c->last_seq = b->seq;
    c->fired++;
}

START_TEST(a_million_random_timers_fire_in_exact_order)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct crowd c = {.actor = alice, .bells = calloc(MILLION, sizeof *c.bells)};
    struct px_env *env = kt_env(alice);
    uint64_t seed = 11, start = px_now_us(env), allocs = kt_ledger(kt).allocs;
    ck_assert_ptr_nonnull(c.bells);
    for (uint32_t i = 0; i < MILLION; i++) {
        uint64_t wait = 1 + kt_random(&seed) % (i % 2 == 0 ? 600000000 : 50000);
        c.bells[i].crowd = &c;
        c.bells[i].at_us = start + wait;
        c.bells[i].seq = i + 1;
        px_sul_schedule(env, &c.bells[i].sul, on_crowd_bell, wait);
    }
    ck_assert_uint_eq(kt_ledger(kt).timers, MILLION);
    while (c.fired < MILLION) {
        uint64_t next = px_kernel_next_us(kt->kernel);
        if (next == PX_NEVER) {
            ck_abort_msg("the kernel forgot %llu timers", (unsigned long long)(MILLION - c.fired));
        }
        kt->world.now_us += next + kt_random(&seed) % 5000;
        kt_turn(kt);
    }
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_NEVER);
    ck_assert_uint_eq(kt_ledger(kt).allocs, allocs); /* no array anywhere */
    kt_expect_idle(kt, 0);
    free(c.bells);
    kt_free(kt);
}
END_TEST

/* ---- clocks ---- */

START_TEST(a_turn_has_one_time)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    kt_turn(kt);
    ck_assert_uint_eq(px_now_us(kt_env(alice)), kt->world.now_us);
    ck_assert_uint_eq(px_kernel_now_us(kt->kernel), kt->world.now_us);
    ck_assert_int_eq(px_wall_us(kt_env(alice)), kt->world.wall_us);
    kt->world.now_us += 5;
    kt->world.wall_us += 5;
    ck_assert_uint_eq(px_now_us(kt_env(alice)), kt->world.now_us - 5);
    kt_turn(kt);
    ck_assert_uint_eq(px_now_us(kt_env(alice)), kt->world.now_us);
    ck_assert_int_eq(px_wall_us(kt_env(alice)), kt->world.wall_us);
    kt_free(kt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *single = tcase_create("single"), *inside = tcase_create("inside");
    TCase *deadlines = tcase_create("deadlines"), *order = tcase_create("order");
    tcase_add_test(single, a_timer_fires_once_at_its_time_and_not_before);
    tcase_add_test(single, a_turn_that_comes_late_fires_everything_due_in_order);
    tcase_add_test(single, equal_times_fire_in_scheduling_order_also_after_a_move);
    tcase_add_test(single, cancelling_is_idempotent);
    tcase_add_test(single, never_cancels);
    tcase_add_test(single, a_wait_of_zero_is_over_in_the_next_turn);
    tcase_add_test(single, what_is_too_far_ahead_is_shortened_to_the_limit);
    tcase_add_test(inside, a_callback_may_schedule_its_own_timer_again);
    tcase_add_test(inside, a_callback_may_free_the_timers_owner);
    tcase_add_test(inside, nothing_touches_a_timer_after_its_callback);
    tcase_add_test(inside, a_callback_may_cancel_or_move_what_is_due_at_the_same_moment);
    tcase_add_test(deadlines, the_poll_waits_no_longer_than_to_the_next_timer);
    tcase_add_test(deadlines, the_next_deadline_is_exact_while_few_timers_are_set);
    tcase_add_test(deadlines, only_wake_timers_wake_from_suspend);
    tcase_add_test(deadlines, both_classes_fire_in_one_order);
    tcase_add_test(deadlines, a_turn_has_one_time);
    tcase_add_loop_test(order, timers_fire_as_from_one_sorted_list, 0, 10);
    tcase_add_test(order, a_million_random_timers_fire_in_exact_order);
    tcase_set_timeout(order, 60);
    suite_add_tcase(suite, single);
    suite_add_tcase(suite, inside);
    suite_add_tcase(suite, deadlines);
    suite_add_tcase(suite, order);
    return kt_run(suite);
}
