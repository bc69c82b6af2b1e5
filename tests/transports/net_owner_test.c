/* net_owner_test.c - who owns a stream: Claim, Rebind, and owners that die. */
#include "net_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct heard *one_stream(int *ret_far)
{
    *ret_far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    rig_turn();
    return h;
}

/* ---- Claim ---- */

START_TEST(an_unclaimed_stream_is_reset_after_5_seconds)
{
    rig->owner.claims_not = true;
    int far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    rig_advance_us(4999999);
    far_expect_silence(far);
    rig_advance_us(1);
    far_expect_reset(far);
    ck_assert_uint_eq(h->n_closed, 0); /* it was nobody's */
    ck_assert_uint_eq(rig_counter("timed_out"), 1);
    owner_claim(&rig->owner, h, h->lower, 512);
    UNTIL(h->n_closed == 1); /* who claims a dead stream is told */
    close(far);
}
END_TEST

START_TEST(a_stream_is_claimed_once)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_claim(&rig->owner, h, h->lower, 512);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_PROTOCOL);
    close(far);
}
END_TEST

START_TEST(nothing_may_be_said_before_the_claim)
{
    rig->owner.claims_not = true;
    int far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    owner_send(&rig->owner, h, "hasty", 5);
    far_expect_reset(far);
    ck_assert_uint_eq(h->n_closed, 0);
    close(far);
}
END_TEST

START_TEST(a_stranger_cannot_touch_a_stream)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    struct heard *thief = heard_new(&rig->heir, h->lower);
    owner_claim(&rig->heir, thief, h->lower, 512);
    UNTIL(thief->n_closed == 1);
    owner_reset(&rig->heir, thief);
    owner_send(&rig->heir, thief, "mine", 4);
    ck_assert_int_eq(owner_rebind(&rig->heir, h->lower, "heir"), PX_STALE);
    far_expect_silence(far);
    ck_assert_uint_eq(h->n_closed, 0);
    far_send(far, "ok");
    UNTIL(h->got == 2);
    close(far);
}
END_TEST

START_TEST(the_far_end_may_go_before_the_claim)
{
    rig->owner.claims_not = true;
    int far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    far_reset(far);
    owner_claim(&rig->owner, h, h->lower, 512);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_RESET);
}
END_TEST

/* ---- Rebind ---- */

static struct heard *hand_over(struct heard *h)
{
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_OK);
    struct heard *next = heard_new(&rig->heir, h->lower);
    owner_claim(&rig->heir, next, h->lower, 65536);
    return next;
}

START_TEST(a_handed_over_stream_goes_on_with_its_new_owner)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "old");
    UNTIL(h->got == 3);
    owner_send(&rig->owner, h, "queued ", 7);
    struct heard *next = hand_over(h);
    ck_assert_uint_ge(rig->owner.credit, 262144 - 512);
    far_send(far, "new");
    UNTIL(next->got == 3);
    ck_assert_uint_eq(h->got, 3);
    owner_send(&rig->heir, next, "answer", 6);
    far_expect(far, "queued answer");
    close(far);
    UNTIL(next->fins == 1);
    owner_close(&rig->heir, next, 0, 0);
    UNTIL(next->n_closed == 1);
    ck_assert_uint_eq(next->reason, PX_OK);
    ck_assert_uint_eq(h->n_closed, 0); /* the Rebind reply was its end */
}
END_TEST

START_TEST(nothing_is_delivered_between_rebind_and_claim)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "before");
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_OK);
    uint64_t got = h->got; /* what came in the same turn was sent before the reply */
    far_send(far, "after");
    rig_turns(5);
    ck_assert_uint_eq(h->got, got);
    struct heard *next = heard_new(&rig->heir, h->lower);
    owner_claim(&rig->heir, next, h->lower, 65536);
    UNTIL(next->got == 11 - got);
    close(far);
}
END_TEST

START_TEST(a_fin_that_came_before_rebind_is_told_to_the_new_owner)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
    UNTIL(h->fins == 1);
    struct heard *next = hand_over(h);
    UNTIL(next->fins == 1);
    close(far);
}
END_TEST

START_TEST(a_handed_over_stream_that_nobody_claims_is_reset)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_OK);
    rig_advance_us(5000000);
    far_expect_reset(far);
    struct heard *late = heard_new(&rig->heir, h->lower);
    owner_claim(&rig->heir, late, h->lower, 512);
    UNTIL(late->n_closed == 1);
    ck_assert_uint_eq(h->n_closed, 0);
    close(far);
}
END_TEST

START_TEST(the_end_of_the_old_owner_ends_an_unclaimed_hand_over)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_OK);
    px_service_kill(rig->kernel, rig->owner.addr);
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(the_end_of_the_new_owner_ends_an_unclaimed_hand_over)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_OK);
    px_service_kill(rig->kernel, rig->heir.addr);
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(the_old_owner_may_reset_an_unclaimed_hand_over)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_OK);
    owner_reset(&rig->owner, h);
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(the_end_of_the_old_owner_is_nothing_to_a_claimed_stream)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    struct heard *next = hand_over(h);
    rig_turns(2);
    px_service_kill(rig->kernel, rig->owner.addr);
    rig_turns(2);
    far_send(far, "still here");
    UNTIL(next->got == 10);
    close(far);
}
END_TEST

START_TEST(rebind_is_refused_with_a_reason)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "nobody"), PX_NOT_FOUND);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, ""), PX_NOT_FOUND);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower + 1, "heir"), PX_STALE);
    px_kernel_deny(rig->kernel, rig->owner.addr, PX_C_STREAM_UPPER, rig->heir.addr);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_DENIED);
    far_send(far, "unharmed");
    UNTIL(h->got == 8);
    owner_send_flags(&rig->owner, h, true, false, 0);
    ck_assert_int_eq(owner_rebind(&rig->owner, h->lower, "heir"), PX_BAD_REQUEST);
    close(far);
}
END_TEST

/* ---- owners that die ---- */

static void restart_owner(void)
{
    px_service_kill(rig->kernel, rig->owner.addr);
    rig_turns(2);
    ck_assert_int_eq(px_service_restart(rig->kernel, rig->owner.addr), PX_EOK);
    rig_turns(2);
}

START_TEST(the_streams_of_a_dead_owner_are_reset)
{
    int far = -1;
    (void)one_stream(&far);
    px_service_kill(rig->kernel, rig->owner.addr);
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(a_stream_at_rest_is_offered_to_the_successor)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "request");
    UNTIL(h->got == 7);
    owner_send(&rig->owner, h, "response", 8);
    owner_send_flags(&rig->owner, h, false, true, 7);
    far_expect(far, "response");
    restart_owner();
    struct heard *next = rig_stream(&rig->owner, 1);
    ck_assert(next->adopted);
    ck_assert_uint_eq(next->listener, 7);
    ck_assert_uint_eq(next->remote_len, h->remote_len);
    ck_assert_mem_eq(next->remote, h->remote, h->remote_len);
    ck_assert_mem_eq(next->local, h->local, h->local_len);
    far_send(far, "again");
    UNTIL(next->got == 5);
    owner_send(&rig->owner, next, "and again", 9);
    far_expect(far, "and again");
    ck_assert_uint_eq(rig_counter("adopted"), 1);
    close(far);
}
END_TEST

START_TEST(a_stream_at_rest_survives_one_owner_after_the_other)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "request");
    UNTIL(h->got == 7);
    owner_send_flags(&rig->owner, h, false, true, 7);
    rig_turn();
    restart_owner();
    struct heard *next = rig_stream(&rig->owner, 1);
    far_send(far, "again");
    UNTIL(next->got == 5);
    owner_send_flags(&rig->owner, next, false, true, 5); /* each counts what came to him */
    rig_turn();
    restart_owner();
    ck_assert(rig_stream(&rig->owner, 2)->adopted);
    ck_assert_uint_eq(rig_counter("adopted"), 2);
    close(far);
}
END_TEST

START_TEST(what_is_still_queued_survives_with_a_stream_at_rest)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_large(&rig->owner, h, 200000, 'q');
    owner_send_flags(&rig->owner, h, false, true, 0);
    rig_turns(1);
    restart_owner();
    ck_assert_uint_eq(far_drain(far, 200000), 200000);
    ck_assert(rig_stream(&rig->owner, 1)->adopted);
    close(far);
}
END_TEST

START_TEST(rest_is_believed_only_if_all_was_consumed)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "request");
    UNTIL(h->got == 7);
    owner_send_flags(&rig->owner, h, false, true, 6);
    rig_turn();
    restart_owner();
    far_expect_reset(far);
    ck_assert_uint_eq(rig->owner.n_streams, 1);
    close(far);
}
END_TEST

START_TEST(the_next_byte_ends_the_rest)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_flags(&rig->owner, h, false, true, 0);
    rig_turn();
    far_send(far, "x");
    UNTIL(h->got == 1);
    restart_owner();
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(the_owners_next_byte_ends_the_rest)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_flags(&rig->owner, h, false, true, 0);
    owner_send(&rig->owner, h, "x", 1);
    rig_turn();
    restart_owner();
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(a_stream_at_rest_waits_30_seconds_for_a_successor)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_flags(&rig->owner, h, false, true, 0);
    rig_turn();
    px_service_kill(rig->kernel, rig->owner.addr);
    rig_turns(2);
    rig_advance_us(29999999);
    far_expect_silence(far);
    rig_advance_us(1);
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(a_closing_stream_finishes_without_its_owner)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send(&rig->owner, h, "goodbye", 7);
    owner_close(&rig->owner, h, 0, 0);
    rig_turn();
    px_service_kill(rig->kernel, rig->owner.addr);
    far_expect(far, "goodbye");
    far_expect_fin(far);
    close(far);
}
END_TEST

START_TEST(connections_wait_in_the_queue_for_an_owner_that_is_gone)
{
    uint16_t port = rig_listen();
    px_service_kill(rig->kernel, rig->owner.addr);
    rig_turns(2);
    int far = far_connect(port);
    far_send(far, "patience");
    rig_turns(5);
    ck_assert_uint_eq(rig->owner.n_streams, 0);
    ck_assert_int_eq(px_service_restart(rig->kernel, rig->owner.addr), PX_EOK);
    struct heard *h = rig_stream(&rig->owner, 0);
    ck_assert(!h->adopted);
    UNTIL(h->got == 8);
    close(far);
}
END_TEST

START_TEST(a_stream_that_was_offered_and_not_claimed_is_offered_again)
{
    rig->owner.claims_not = true;
    int far = far_connect(rig_listen());
    (void)rig_stream(&rig->owner, 0);
    far_send(far, "first words");
    rig->owner.claims_not = false;
    restart_owner();
    struct heard *next = rig_stream(&rig->owner, 1);
    UNTIL(next->got == 11);
    close(far);
}
END_TEST

START_TEST(killing_net_closes_its_sockets)
{
    int far = -1;
    uint16_t port = rig_listen();
    far = far_connect(port);
    (void)rig_stream(&rig->owner, 0);
    px_service_kill(rig->kernel, rig->net);
    far_expect_fin(far);
    rig_turns(2);
    ck_assert_int_eq(px_service_restart(rig->kernel, rig->net), PX_EOK);
    rig_turns(2);
    ck_assert_uint_ne(rig_listen(), 0);
    close(far);
    far = far_connect(rig_port());
    (void)rig_stream(&rig->owner, 1);
    close(far);
}
END_TEST

/* ---- without memory ---- */

/* A few streams that speak, close, are handed over and reset. What fails is fine; what hangs is
 * not. */
static void live_a_little(uint32_t fail_alloc)
{
    uint16_t port = rig_listen();
    int far[8];
    rig->owner.echoes = true;
    rig->fail_alloc = fail_alloc;
    for (int i = 0; i < 8; i++) {
        far[i] = far_connect(port);
        (void)!send(far[i], "some words", 10, MSG_NOSIGNAL);
        rig_turns(2);
    }
    struct actor *a = &rig->owner;
    for (uint32_t i = 0; i < a->n_streams; i++) {
        if (a->streams[i]->n_closed > 0) {
            continue;
        }
        if (i % 2 == 0) {
            owner_close(a, a->streams[i], 0, 0);
        } else {
            (void)owner_rebind(a, a->streams[i]->lower, "heir");
        }
        rig_turns(1);
    }
    for (int i = 0; i < 8; i++) {
        close(far[i]);
    }
    rig_turns(3);
    rig->fail_alloc = 0;
}

START_TEST(a_lack_of_memory_anywhere_leaves_nothing_behind)
{
    rig_end();
    uint32_t before = rig_descriptors();
    for (uint32_t nth = 0; nth < 60; nth++) {
        rig_begin();
        live_a_little(nth);
        rig_end();
        ck_assert_uint_eq(rig_descriptors(), before);
    }
    rig_begin();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_unclaimed_stream_is_reset_after_5_seconds,
        a_stream_is_claimed_once,
        nothing_may_be_said_before_the_claim,
        a_stranger_cannot_touch_a_stream,
        the_far_end_may_go_before_the_claim,
        a_handed_over_stream_goes_on_with_its_new_owner,
        nothing_is_delivered_between_rebind_and_claim,
        a_fin_that_came_before_rebind_is_told_to_the_new_owner,
        a_handed_over_stream_that_nobody_claims_is_reset,
        the_end_of_the_old_owner_ends_an_unclaimed_hand_over,
        the_end_of_the_new_owner_ends_an_unclaimed_hand_over,
        the_old_owner_may_reset_an_unclaimed_hand_over,
        the_end_of_the_old_owner_is_nothing_to_a_claimed_stream,
        rebind_is_refused_with_a_reason,
        the_streams_of_a_dead_owner_are_reset,
        a_stream_at_rest_is_offered_to_the_successor,
        a_stream_at_rest_survives_one_owner_after_the_other,
        what_is_still_queued_survives_with_a_stream_at_rest,
        rest_is_believed_only_if_all_was_consumed,
        the_next_byte_ends_the_rest,
        the_owners_next_byte_ends_the_rest,
        a_stream_at_rest_waits_30_seconds_for_a_successor,
        a_closing_stream_finishes_without_its_owner,
        connections_wait_in_the_queue_for_an_owner_that_is_gone,
        a_stream_that_was_offered_and_not_claimed_is_offered_again,
        killing_net_closes_its_sockets,
        a_lack_of_memory_anywhere_leaves_nothing_behind,
    };
    return net_rig_run("net_owner", tests, sizeof tests / sizeof *tests);
}
