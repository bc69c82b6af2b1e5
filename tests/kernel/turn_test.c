/* turn_test.c - the turn: bounds of the queue, ranks and the flush phase, stopping.
 */
#include "ktest.h"

#include <stdio.h>
#include <string.h>

/* ---- bounds of the queue ---- */

static struct kt *bounded(struct px_kernel_config config, struct kt_actor **alice,
                          struct kt_actor **bob)
{
    struct kt *kt = kt_new(&config);
    *alice = kt_add(kt, "alice");
    *bob = kt_add(kt, "bob");
    kt_befriend(kt, *alice, *bob);
    kt_start(kt);
    return kt;
}

START_TEST(nothing_is_read_while_the_queue_is_above_its_mark)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = bounded((struct px_kernel_config){.queue_mark = 8}, &alice, &bob);
    px_kernel_turn(kt->kernel, PX_NEVER);
    ck_assert(kt->world.reads);
    ck_assert_uint_eq(kt->world.timeout_us, PX_NEVER);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert(kt_note(alice, bob, i));
    }
    px_kernel_turn(kt->kernel, PX_NEVER); /* at the mark */
    ck_assert(kt->world.reads);
    ck_assert_uint_eq(kt->world.timeout_us, 0);
    for (unsigned i = 0; i < 9; i++) {
        ck_assert(kt_note(alice, bob, i));
    }
    px_kernel_turn(kt->kernel, PX_NEVER); /* one past it */
    ck_assert(!kt->world.reads);
    ck_assert_uint_eq(kt->world.timeout_us, 0);
    px_kernel_turn(kt->kernel, PX_NEVER);
    ck_assert(kt->world.reads);
    ck_assert_uint_eq(kt->world.timeout_us, PX_NEVER);
    ck_assert_uint_eq(bob->heard, 17);
    kt_free(kt);
}
END_TEST

START_TEST(a_turn_delivers_no_more_than_its_limit)
{
    struct kt_actor *alice, *bob;
    struct kt *kt =
        bounded((struct px_kernel_config){.deliver_max = 10, .queue_mark = 5}, &alice, &bob);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(kt_note(alice, bob, i));
    }
    px_kernel_turn(kt->kernel, 0);
    ck_assert_uint_ge(bob->heard, 10);
    ck_assert_uint_le(bob->heard,
                      10 + 2 * 5); /* a pass of the flush phase delivers up to the mark */
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0);
    kt_settle(kt);
    ck_assert_uint_eq(bob->heard, 100);
    ck_assert_uint_ge(kt_ledger(kt).turns, 5);
    kt_free(kt);
}
END_TEST

START_TEST(a_full_queue_loses_and_counts_and_tells_the_receiver)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = bounded((struct px_kernel_config){.queue_max = 16}, &alice, &bob);
    for (unsigned i = 0; i < 16; i++) {
        ck_assert(kt_note(alice, bob, i));
    }
    ck_assert_uint_eq(kt_ledger(kt).queued, 16);
    ck_assert(!kt_note(alice, bob, 16));              /* about nothing: only the sender knows */
    ck_assert(!kt_note_about(alice, bob, 17, 12345)); /* the receiver is told */
    ck_assert_uint_eq(kt_ledger(kt).lost, 2);
    kt_ask(alice, bob, 18, PX_SEC(1), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 NO_MEMORY");
    ck_assert_ptr_nonnull(strstr(kt_heard(bob), "note 15; lost 12345 alice"));
    ck_assert_uint_eq(bob->heard, 17);
    ck_assert(kt_note(alice, bob, 19));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 19");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(answers_are_never_lost_to_a_full_queue)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = bounded((struct px_kernel_config){.queue_max = 16}, &alice, &bob);
    bob->on_msg = kt_echo;
    for (unsigned i = 0; i < 8; i++) {
        kt_ask(alice, bob, i, PX_SEC(1), i);
    }
    for (unsigned i = 0; i < 8; i++) {
        ck_assert(kt_note(bob, alice, i));
    }
    kt_settle(kt);
    ck_assert_uint_eq(alice->replies, 8);
    ck_assert_ptr_nonnull(strstr(kt_heard(alice), "reply 7 OK 7"));
    kt_free(kt);
}
END_TEST

static void take_and_send(void *ctx, bool reads)
{
    struct kt_actor *alice = ctx;
    if (reads && alice->heard == 0) {
        ck_assert(kt_note(alice, alice, 1));
    }
}

START_TEST(what_a_transport_takes_in_is_delivered_in_the_same_turn)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice");
    kt_allow(kt, alice, PX_C_TOY, alice);
    kt_start(kt);
    kt->world.on_take = take_and_send;
    kt->world.on_take_ctx = alice;
    px_kernel_turn(kt->kernel, 0);
    ck_assert_str_eq(kt_heard(alice), "note 1");
    kt_free(kt);
}
END_TEST

/* Sends a note in each step of a turn, and sees that the last one has arrived. */
static void take_a_step(void *ctx, bool reads)
{
    struct kt_actor *alice = ctx;
    const struct kt_world *w = px_kernel_world(px_env_kernel(kt_env(alice)))->ctx;
    (void)reads;
    ck_assert_uint_eq(alice->heard, w->takes - 1);
    ck_assert(kt_note(alice, alice, w->takes));
}

START_TEST(what_is_left_to_take_is_taken_in_16_steps_a_turn_each_delivered_before_the_next)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice");
    kt_allow(kt, alice, PX_C_TOY, alice);
    kt_start(kt);
    kt->world.on_take = take_a_step;
    kt->world.on_take_ctx = alice;
    kt->world.more = true;
    px_kernel_turn(kt->kernel, PX_NEVER);
    ck_assert_uint_eq(kt->world.waits, 1);
    ck_assert_uint_eq(kt->world.takes, 16);
    ck_assert_uint_eq(alice->heard, 16);
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0); /* and at once goes on */
    kt->world.more = false;
    px_kernel_turn(kt->kernel, PX_NEVER);
    ck_assert_uint_eq(kt->world.takes, 17);
    kt_free(kt);
}
END_TEST

/* ---- ranks and the flush phase ---- */

enum { WS, H2, TLS, NET, N_LAYERS };

/* Flushes itself and, if there is one below, sends the layer below one message, which makes it
 * wish. */
static void flush_down(struct kt_actor *a, struct px_want *want)
{
    struct kt_actor *below = a->ctx;
    if (below != NULL && want == &kt_state(a)->want) {
        ck_assert(px_send(kt_env(a), below->addr, STACK_BYTES, kt_number(a, a->flushes), 0));
    }
}

static void wish(struct kt_actor *a, const struct px_msg *msg)
{
    if (msg->method == STACK_BYTES) {
        px_want_flush(kt_env(a), &kt_state(a)->want);
    }
}

/* A stack of layers, added in an order that is not that of their ranks. */
static struct kt *stack(struct kt_actor *layers[N_LAYERS], uint32_t pool_max)
{
    static const char *const names[] = {"ws", "h2", "tls", "net"};
    static const int order[] = {TLS, NET, WS, H2};
    struct kt *kt = kt_new(NULL);
    for (unsigned i = 0; i < N_LAYERS; i++) {
        layers[order[i]] = kt_add_pooled(kt, names[order[i]], pool_max, 0);
        layers[order[i]]->on_msg = wish;
        layers[order[i]]->on_flush = flush_down;
    }
    for (unsigned i = 0; i + 1 < N_LAYERS; i++) {
        kt_allow(kt, layers[i], PX_C_STACK, layers[i + 1]);
        kt_befriend(kt, layers[i], layers[i + 1]);
        layers[i]->ctx = layers[i + 1];
    }
    kt_allow(kt, layers[WS], PX_C_STACK, layers[TLS]); /* the longest path counts */
    kt_allow(kt, layers[H2], PX_C_STACK, layers[NET]);
    kt_start(kt);
    return kt;
}

START_TEST(one_turn_carries_a_flush_from_the_top_to_the_bottom)
{
    struct kt_actor *l[N_LAYERS];
    struct kt *kt = stack(l, 1);
    px_want_flush(kt_env(l[WS]), &kt_state(l[WS])->want);
    kt_turn(kt);
    ck_assert_str_eq(kt_story(kt), "ws: flush; h2: bytes 1; h2: flush; tls: bytes 1; tls: flush; "
                                   "net: bytes 1; net: flush");
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), PX_NEVER);
    kt_free(kt);
}
END_TEST

START_TEST(wishes_are_granted_from_the_highest_rank_down_once_each)
{
    struct kt_actor *l[N_LAYERS];
    struct kt *kt = stack(l, 1);
    for (unsigned i = 0; i < N_LAYERS; i++) {
        l[i]->on_flush = NULL;
    }
    static const int order[] = {NET, WS, TLS, H2, WS, NET};
    for (unsigned i = 0; i < 6; i++) {
        px_want_flush(kt_env(l[order[i]]), &kt_state(l[order[i]])->want);
    }
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0);
    kt_turn(kt);
    ck_assert_str_eq(kt_story(kt), "ws: flush; h2: flush; tls: flush; net: flush");
    kt_turn(kt);
    ck_assert_str_eq(kt_story(kt), "");
    kt_free(kt);
}
END_TEST

START_TEST(a_wish_taken_back_is_not_granted)
{
    struct kt_actor *l[N_LAYERS];
    struct kt *kt = stack(l, 4);
    struct kt_elem *e[3];
    for (unsigned i = 0; i < 3; i++) {
        e[i] = kt_elem(l[NET], i);
        px_want_cancel(kt_env(l[NET]), &e[i]->want); /* not wished */
        px_want_flush(kt_env(l[NET]), &e[i]->want);
    }
    px_want_cancel(kt_env(l[NET]), &e[1]->want);
    px_want_cancel(kt_env(l[NET]), &e[1]->want);
    px_pool_put(kt_pool(l[NET]), e[1]);
    kt_turn(kt);
    ck_assert_str_eq(kt_story(kt), "net: flush 0; net: flush 2");
    kt_free(kt);
}
END_TEST

static void wish_above(struct kt_actor *a, struct px_want *want)
{
    struct kt_actor *above = a->ctx;
    (void)want;
    if (a->flushes == 1) {
        px_want_flush(kt_env(above), &kt_state(above)->want);
    }
}

START_TEST(a_rank_that_has_passed_waits_for_the_next_turn)
{
    struct kt_actor *l[N_LAYERS];
    struct kt *kt = stack(l, 1);
    l[NET]->on_flush = wish_above;
    l[NET]->ctx = l[WS];
    l[WS]->on_flush = NULL;
    px_want_flush(kt_env(l[NET]), &kt_state(l[NET])->want);
    kt_turn(kt);
    ck_assert_str_eq(kt_story(kt), "net: flush");
    ck_assert_uint_eq(px_kernel_next_us(kt->kernel), 0);
    kt_turn(kt);
    ck_assert_str_eq(kt_story(kt), "ws: flush");
    kt_free(kt);
}
END_TEST

static void wish_again(struct kt_actor *a, struct px_want *want)
{
    px_want_flush(kt_env(a), want);
}

START_TEST(who_wishes_again_and_again_gets_a_bounded_share_of_each_turn)
{
    struct kt_actor *l[N_LAYERS];
    struct kt *kt = stack(l, 1);
    l[TLS]->on_flush = wish_again;
    l[TLS]->quiet = true;
    px_want_flush(kt_env(l[TLS]), &kt_state(l[TLS])->want);
    kt_turn(kt);
    ck_assert_uint_ge(l[TLS]->flushes, 1);
    ck_assert_uint_le(l[TLS]->flushes, 512);
    kt_turn(kt);
    ck_assert_uint_ge(l[TLS]->flushes, 2);
    px_want_cancel(kt_env(l[TLS]), &kt_state(l[TLS])->want);
    kt_free(kt);
}
END_TEST

START_TEST(a_rank_flushes_512_a_turn_and_the_rest_first_in_the_next)
{
    struct kt_actor *l[N_LAYERS];
    struct kt *kt = stack(l, 2000);
    l[NET]->quiet = true;
    struct kt_elem *e[1100];
    for (unsigned i = 0; i < 1100; i++) {
        e[i] = kt_elem(l[NET], i);
        px_want_flush(kt_env(l[NET]), &e[i]->want);
    }
    kt_turn(kt);
    ck_assert_uint_eq(l[NET]->flushes, 512);
    px_want_flush(kt_env(l[NET]), &e[0]->want); /* behind the rest */
    kt_turn(kt);
    ck_assert_uint_eq(l[NET]->flushes, 1024);
    l[NET]->quiet = false;
    kt_turn(kt);
    ck_assert_uint_eq(l[NET]->flushes, 1101);
    const char *heard = kt_heard(l[NET]);
    ck_assert(strncmp(heard, "flush 1024; flush 1025;", 23) == 0);
    ck_assert_str_eq(heard + strlen(heard) - 10, "9; flush 0");
    kt_free(kt);
}
END_TEST

START_TEST(the_share_of_a_rank_can_be_configured)
{
    struct px_kernel_config config = {.flush_max = 2};
    struct kt *kt = kt_new(&config);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 10, 0);
    kt_start(kt);
    for (unsigned i = 0; i < 5; i++) {
        px_want_flush(kt_env(alice), &kt_elem(alice, i)->want);
    }
    kt_turn(kt);
    ck_assert_str_eq(kt_heard(alice), "flush 0; flush 1");
    kt_turn(kt);
    kt_turn(kt);
    ck_assert_str_eq(kt_heard(alice), "flush 2; flush 3; flush 4");
    kt_free(kt);
}
END_TEST

START_TEST(a_circle_of_streams_is_refused)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a = kt_add(kt, "a"), *b = kt_add(kt, "b"), *c = kt_add(kt, "c");
    kt_allow(kt, a, PX_C_STACK, b);
    kt_allow(kt, b, PX_C_STACK, c);
    kt_allow(kt, c, PX_C_STACK, a);
    ck_assert_int_eq(px_kernel_start(kt->kernel), PX_ECYCLE);
    kt_free(kt);
}
END_TEST

START_TEST(a_service_that_consumes_its_own_streams_is_a_circle)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a = kt_add(kt, "a");
    kt_allow(kt, a, PX_C_STACK, a);
    ck_assert_int_eq(px_kernel_start(kt->kernel), PX_ECYCLE);
    kt_free(kt);
}
END_TEST

START_TEST(a_circle_of_other_contracts_is_none)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a = kt_add(kt, "a"), *b = kt_add(kt, "b");
    kt_befriend(kt, a, b);
    kt_allow(kt, a, PX_C_TOY, a);
    kt_allow(kt, a, PX_C_STACK, b);
    kt_start(kt);
    kt_free(kt);
}
END_TEST

START_TEST(the_longest_possible_stack_is_no_circle)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a[64];
    char names[64][8];
    for (unsigned i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "s%u", i);
        a[i] = kt_add(kt, names[i]);
        a[i]->service.calls_max = 0;
        a[i]->on_msg = wish;
        a[i]->on_flush = flush_down;
    }
    for (unsigned i = 1; i < 64; i++) {
        kt_allow(kt, a[i], PX_C_STACK, a[i - 1]);
        a[i]->ctx = a[i - 1];
    }
    kt_start(kt);
    px_want_flush(kt_env(a[63]), &kt_state(a[63])->want);
    kt_turn(kt);
    for (unsigned i = 0; i < 64; i++) {
        ck_assert_uint_eq(a[i]->flushes, 1);
    }
    kt_free(kt);
}
END_TEST

/* ---- stopping ---- */

START_TEST(a_stop_asks_everyone_and_is_over_when_all_have_drained)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a = kt_add(kt, "a"), *b = kt_add(kt, "b"), *c = kt_add(kt, "c");
    c->service.stop = NULL;      /* drained at once */
    a->on_stop = kt_release_all; /* does nothing: not drained */
    kt_start(kt);
    ck_assert(!px_kernel_drained(kt->kernel));
    px_env_drained(kt_env(a)); /* too early: nobody asked */
    px_kernel_stop(kt->kernel);
    px_kernel_stop(kt->kernel);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "a: stop; b: stop");
    ck_assert(!px_kernel_drained(kt->kernel));
    px_env_drained(kt_env(a));
    kt_settle(kt);
    ck_assert(px_kernel_drained(kt->kernel));
    (void)b;
    kt_free(kt);
}
END_TEST

START_TEST(the_dead_need_not_drain)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a = kt_add(kt, "a");
    kt_add(kt, "b");
    a->on_stop = kt_release_all;
    kt_start(kt);
    px_kernel_stop(kt->kernel);
    kt_settle(kt);
    px_service_kill(kt->kernel, a->addr);
    kt_settle(kt);
    ck_assert(px_kernel_drained(kt->kernel));
    kt_free(kt);
}
END_TEST

static void add_flush_tests(TCase *flush)
{
    tcase_add_test(flush, one_turn_carries_a_flush_from_the_top_to_the_bottom);
    tcase_add_test(flush, wishes_are_granted_from_the_highest_rank_down_once_each);
    tcase_add_test(flush, a_wish_taken_back_is_not_granted);
    tcase_add_test(flush, a_rank_that_has_passed_waits_for_the_next_turn);
    tcase_add_test(flush, who_wishes_again_and_again_gets_a_bounded_share_of_each_turn);
    tcase_add_test(flush, a_rank_flushes_512_a_turn_and_the_rest_first_in_the_next);
    tcase_add_test(flush, the_share_of_a_rank_can_be_configured);
    tcase_add_test(flush, a_circle_of_streams_is_refused);
    tcase_add_test(flush, a_service_that_consumes_its_own_streams_is_a_circle);
    tcase_add_test(flush, a_circle_of_other_contracts_is_none);
    tcase_add_test(flush, the_longest_possible_stack_is_no_circle);
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *queue = tcase_create("queue"), *flush = tcase_create("flush"),
          *stop = tcase_create("stop");
    tcase_add_test(queue, nothing_is_read_while_the_queue_is_above_its_mark);
    tcase_add_test(queue, a_turn_delivers_no_more_than_its_limit);
    tcase_add_test(queue, a_full_queue_loses_and_counts_and_tells_the_receiver);
    tcase_add_test(queue, answers_are_never_lost_to_a_full_queue);
    tcase_add_test(queue, what_a_transport_takes_in_is_delivered_in_the_same_turn);
    tcase_add_test(queue,
                   what_is_left_to_take_is_taken_in_16_steps_a_turn_each_delivered_before_the_next);
    add_flush_tests(flush);
    tcase_add_test(stop, a_stop_asks_everyone_and_is_over_when_all_have_drained);
    tcase_add_test(stop, the_dead_need_not_drain);
    suite_add_tcase(suite, queue);
    suite_add_tcase(suite, flush);
    suite_add_tcase(suite, stop);
    return kt_run(suite);
}
