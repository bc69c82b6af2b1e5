/* gone_test.c - capabilities, the end of a service and its reckoning, Gone and Back.
 */
#include "ktest.h"

#include <stdlib.h>
#include <string.h>

/* ---- capabilities ---- */

START_TEST(a_oneway_without_capability_is_denied)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    kt_allow(kt, bob, PX_C_TOY,
             alice); /* the other direction, and the other contract, say nothing */
    kt_allow(kt, bob, PX_C_STACK, alice);
    kt_start(kt);
    ck_assert(!kt_note(alice, bob, 1));
    ck_assert(!kt_note_about(alice, bob, 1, 5)); /* and nobody is told of a loss */
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "");
    ck_assert_uint_eq(kt_ledger(kt).denied, 2);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_capability_is_for_one_contract)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    kt_allow(kt, alice, PX_C_STACK, bob);
    kt_start(kt);
    ck_assert(!kt_note(alice, bob, 1));
    ck_assert(px_send(kt_env(alice), bob->addr, STACK_BYTES, kt_number(alice, 2), 0));
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: bytes 2");
    kt_free(kt);
}
END_TEST

START_TEST(a_capability_can_be_taken_back_while_running)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ck_assert(px_may_send(kt_env(bob), kt_peer(alice), PX_C_TOY, bob->addr));
    ck_assert(kt_note(alice, bob, 1));
    px_kernel_deny(kt->kernel, alice->addr, PX_C_TOY, bob->addr);
    ck_assert(!px_may_send(kt_env(bob), kt_peer(alice), PX_C_TOY, bob->addr));
    ck_assert(!kt_note(alice, bob, 2));
    kt_ask(alice, bob, 3, PX_NEVER, 9);
    ck_assert(kt_note(bob, alice, 4));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 9 DENIED; note 4");
    kt_free(kt);
}
END_TEST

START_TEST(who_may_send_is_told_for_peers_and_not_for_strangers)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_env *env = kt_env(bob);
    ck_assert(px_may_send(env, kt_peer(alice), PX_C_TOY, bob->addr));
    ck_assert(!px_may_send(env, kt_peer(alice), PX_C_STACK, bob->addr));
    ck_assert(!px_may_send(env, kt_peer(alice), PX_C_TOY, alice->addr));
    ck_assert(!px_may_send(env, kt_peer(alice), 0x77, bob->addr));
    ck_assert(!px_may_send(env, 0, PX_C_TOY, bob->addr));
    ck_assert(!px_may_send(env, kt_peer(alice), PX_C_TOY, 0));
    ck_assert(!px_may_send(env, kt_peer(alice), PX_C_TOY, 4095));
    ck_assert(!px_may_send(env, 0xffffffff, PX_C_TOY, bob->addr));
    kt_free(kt);
}
END_TEST

START_TEST(capabilities_are_for_what_is_known)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    ck_assert_int_ne(px_kernel_allow(kt->kernel, alice->addr, 0x99, bob->addr), PX_EOK);
    ck_assert_int_ne(px_kernel_allow(kt->kernel, alice->addr, PX_C_TOY, 77), PX_EOK);
    ck_assert_int_ne(px_kernel_allow(kt->kernel, 0, PX_C_TOY, bob->addr), PX_EOK);
    px_kernel_deny(kt->kernel, 77, PX_C_TOY, bob->addr);
    px_kernel_deny(kt->kernel, alice->addr, 0x99, bob->addr);
    kt_start(kt);
    kt_free(kt);
}
END_TEST

/* ---- gone ---- */

START_TEST(gone_comes_behind_the_last_message_once_and_to_those_related)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob"),
                    *carol = kt_add(kt, "carol");
    struct kt_actor *dora = kt_add(kt, "dora");
    kt_allow(kt, alice, PX_C_TOY, bob);   /* alice sends to bob */
    kt_allow(kt, carol, PX_C_TOY, alice); /* carol sends to alice */
    kt_allow(kt, carol, PX_C_TOY, dora);
    kt_start(kt);
    ck_assert(kt_note(alice, bob, 1));
    ck_assert(kt_note(alice, bob, 2));
    px_service_kill(kt->kernel, alice->addr);
    px_service_kill(kt->kernel, alice->addr); /* twice is once */
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 1; note 2; gone alice");
    ck_assert_str_eq(kt_heard(carol), "gone alice");
    ck_assert_str_eq(kt_heard(dora), "");
    ck_assert_str_eq(kt_heard(alice), "");
    ck_assert_uint_eq(bob->last_from, kt_peer(alice));
    ck_assert_ptr_null(px_kernel_state(kt->kernel, alice->addr));
    ck_assert_ptr_null(px_kernel_env(kt->kernel, alice->addr));
    ck_assert_uint_eq(px_mailbox_peer(kt_env(bob), alice->addr), 0);
    ck_assert_uint_eq(px_mailbox(kt_env(bob), "alice"), alice->addr);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(what_is_sent_to_the_dead_goes_nowhere)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ck_assert(kt_note(alice, bob, 1));
    kt_ask(alice, bob, 2, PX_NEVER, 7);
    px_service_kill(kt->kernel, bob->addr);
    (void)kt_note(alice, bob, 3);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "");
    const char *heard = kt_heard(alice);
    ck_assert_ptr_nonnull(strstr(heard, "reply 7 SERVICE_GONE"));
    ck_assert_ptr_nonnull(strstr(heard, "gone bob"));
    ck_assert_uint_eq(alice->heard, 2);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(the_calls_of_the_dead_end_on_both_sides)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    kt_ask(alice, bob, 1, PX_SEC(9), 7);
    kt_ask(bob, alice, 2, PX_SEC(9), 8);
    kt_settle(kt);
    kt_heard(alice);
    kt_heard(bob);
    px_service_kill(kt->kernel, alice->addr);
    kt_settle(kt);
    ck_assert_uint_eq(bob->endeds, 1);
    ck_assert_uint_eq(bob->replies, 1);
    ck_assert_uint_eq(bob->gones, 1);
    const char *heard = kt_heard(bob);
    ck_assert_ptr_nonnull(strstr(heard, "ended 100 SERVICE_GONE"));
    ck_assert_ptr_nonnull(strstr(heard, "reply 8 SERVICE_GONE"));
    kt_reply(bob, kt_state(bob)->held[0], 1); /* to nobody */
    ck_assert_uint_eq(kt_ledger(kt).late, 1);
    kt_release_all(bob);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* Gives alice everything a service can have. */
static void endow(struct kt *kt, struct kt_actor *alice, struct kt_actor *bob)
{
    struct px_env *env = kt_env(alice);
    for (unsigned i = 0; i < 10; i++) {
        struct kt_elem *e = kt_elem(alice, i);
        px_sul_schedule(env, &e->sul, NULL, PX_SEC(1) << i);
        px_want_flush(env, &e->want);
        kt_ask(alice, bob, i, PX_NEVER, kt_handle(alice, e));
        kt_ask(bob, alice, i, PX_NEVER, 100 + i);
    }
    px_sul_schedule_wake(env, &kt_state(alice)->sul, NULL, PX_SEC(1));
    px_want_flush(env, &kt_state(alice)->want);
    for (unsigned i = 0; i < 5; i++) {
        struct px_buf *buf = kt_buf(alice, 1000, 0); /* one reference stays */
        ck_assert(px_chain_append(env, &kt_state(alice)->chain, buf, 0, 500, PX_SLICE_SHARED));
        ck_assert(px_chain_copy_in(env, &kt_state(alice)->chain, "bytes", 5));
    }
    kt_turn(kt);
    px_want_flush(env, &kt_state(alice)->want); /* not granted any more */
    for (unsigned i = 0; i < 3; i++) {          /* messages of its own making, held */
        struct kt_state *s = kt_state(alice);
        s->held[s->n_held++] = px_msg_seal(env, kt_number(alice, i));
    }
    ck_assert_uint_eq(kt_state(alice)->n_held, 13);
}

START_TEST(the_dead_leave_nothing_behind)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (unsigned round = 0; round < 3; round++) {
        endow(kt, alice, bob);
        struct px_ledger l;
        px_service_ledger(kt->kernel, alice->addr, &l);
        ck_assert_uint_eq(l.elems, 10);
        ck_assert_uint_eq(l.holds, 13);
        ck_assert_uint_ge(l.pieces, 10);
        ck_assert_uint_ge(l.bufs, 5);
        ck_assert_uint_eq(l.timers, 11);
        px_service_kill(kt->kernel, alice->addr);
        px_service_ledger(kt->kernel, alice->addr, &l);
        ck_assert_uint_eq(l.elems + l.holds + l.pieces + l.bufs + l.timers, 0);
        kt_settle(kt);
        kt_release_all(bob);
        kt_expect_idle(kt, 0);
        ck_assert_uint_eq(kt_ledger(kt).calls_reserved, 64); /* bob's */
        kt_heard(bob);
        ck_assert_int_eq(px_service_restart(kt->kernel, alice->addr), PX_EOK);
        kt_settle(kt);
        ck_assert_str_eq(kt_heard(bob), "back alice");
        ck_assert_uint_eq(kt_state(alice)->n_held, 0); /* zeroed */
    }
    kt_free(kt);
}
END_TEST

START_TEST(a_kernel_full_of_everything_is_freed_without_a_leak)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    endow(kt, alice, bob);
    ck_assert(kt_note(alice, bob, 1));
    kt_ask(alice, bob, 1, PX_SEC(1), 1);
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 100, 0), 0, 100));
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_free(kt);
    px_kernel_free(NULL);
}
END_TEST

START_TEST(a_payload_survives_the_death_of_its_sender)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_keep;
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 1000, 9), 0, 1000));
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    struct px_buf *kept = kt_buf(alice, 512, 0);
    m = kt_number(alice, 2);
    ck_assert(px_msg_attach(m, kept, 0, 512));
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    px_service_kill(kt->kernel, alice->addr); /* and its own reference to `kept` */
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 1 len 1000; note 2 len 512; gone alice");
    const struct px_slice *slices;
    px_msg_payload(kt_state(bob)->held[0], &slices);
    ck_assert_uint_eq(slices[0].ptr[999], (uint8_t)(9 + 999));
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- restart ---- */

START_TEST(a_restarted_service_begins_anew_and_is_announced)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_service_kill(kt->kernel, bob->addr);
    kt_settle(kt);
    ck_assert_int_eq(px_service_restart(kt->kernel, bob->addr), PX_EOK);
    ck_assert(kt_note(alice, bob, 1));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "gone bob; back bob");
    ck_assert_str_eq(kt_heard(bob), "note 1");
    ck_assert_uint_eq(px_mailbox_peer(kt_env(alice), bob->addr), kt_peer(bob));
    ck_assert_int_eq(px_service_restart(kt->kernel, bob->addr), PX_ESTATE); /* it lives */
    kt_free(kt);
}
END_TEST

START_TEST(nobody_is_called_back_who_was_there_at_the_start)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "");
    kt_free(kt);
}
END_TEST

START_TEST(a_restart_that_fails_leaves_the_service_dead)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_service_kill(kt->kernel, bob->addr);
    kt_settle(kt);
    kt_heard(alice);
    bob->init_err = PX_EINVAL;
    ck_assert_int_eq(px_service_restart(kt->kernel, bob->addr), PX_EINVAL);
    ck_assert_ptr_null(px_kernel_state(kt->kernel, bob->addr));
    atomic_store(&kt->world.fail_all, true);
    bob->init_err = PX_EOK;
    ck_assert_int_eq(px_service_restart(kt->kernel, bob->addr), PX_ENOMEM);
    atomic_store(&kt->world.fail_all, false);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "");
    kt_expect_idle(kt, 0);
    ck_assert_int_eq(px_service_restart(kt->kernel, bob->addr), PX_EOK);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "back bob");
    kt_free(kt);
}
END_TEST

START_TEST(a_start_that_fails_is_freed_without_a_leak)
{
    struct kt *kt = kt_new(NULL);
    kt_add_pooled(kt, "alice", 10, 2);
    kt_add(kt, "bob")->init_err = PX_EUNSUPPORTED;
    kt_add(kt, "carol");
    ck_assert_int_eq(px_kernel_start(kt->kernel), PX_EUNSUPPORTED);
    kt_free(kt);
}
END_TEST

/* Kills the one named by ctx. */
static void kill_other(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_actor *victim = a->ctx;
    px_service_kill(a->kt->kernel, victim->addr);
    (void)msg;
}

START_TEST(a_service_may_die_while_another_runs)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kill_other;
    bob->ctx = alice;
    kt_ask(alice, bob, 1, PX_SEC(1), 1);
    ck_assert(kt_note(alice, bob, 2));
    kt_settle(kt);
    ck_assert_uint_eq(bob->gones, 1);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- a storm ---- */

START_TEST(kills_and_restarts_at_random_leave_the_ledgers_right)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a[4];
    static const char *const names[] = {"a", "b", "c", "d"};
    uint64_t seed = (uint64_t)_i + 77;
    for (unsigned i = 0; i < 4; i++) {
        a[i] = kt_add_pooled(kt, names[i], 16, 2);
        a[i]->quiet = true;
        a[i]->on_msg = kt_echo;
    }
    for (unsigned i = 0; i < 16; i++) {
        kt_allow(kt, a[i / 4], PX_C_TOY, a[i % 4]);
    }
    kt_start(kt);
    for (unsigned step = 0; step < 2000; step++) {
        uint64_t r = kt_random(&seed);
        struct kt_actor *from = a[r % 4], *to = a[r / 4 % 4];
        bool here = px_kernel_env(kt->kernel, from->addr) != NULL;
        unsigned what = (unsigned)(r / 16 % 12);
        if (what == 0) {
            px_service_kill(kt->kernel, from->addr);
        } else if (what <= 2 && !here) {
            (void)(px_service_restart(kt->kernel, from->addr) == PX_EOK);
        } else if (what <= 6 && here && kt_ledger(kt).calls < 50) {
            kt_ask(from, to, step, PX_MS(r / 256 % 20), step);
        } else if (what <= 9 && here) {
            (void)kt_note(from, to, step);
        } else {
            kt->world.now_us += 1000;
            kt_turn(kt);
        }
    }
    kt_advance(kt, PX_SEC(1));
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void add_gone_tests(TCase *ends)
{
    tcase_add_test(ends, gone_comes_behind_the_last_message_once_and_to_those_related);
    tcase_add_test(ends, what_is_sent_to_the_dead_goes_nowhere);
    tcase_add_test(ends, the_calls_of_the_dead_end_on_both_sides);
    tcase_add_test(ends, the_dead_leave_nothing_behind);
    tcase_add_test(ends, a_kernel_full_of_everything_is_freed_without_a_leak);
    tcase_add_test(ends, a_payload_survives_the_death_of_its_sender);
    tcase_add_test(ends, a_service_may_die_while_another_runs);
    tcase_add_loop_test(ends, kills_and_restarts_at_random_leave_the_ledgers_right, 0, 20);
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *caps = tcase_create("capabilities"), *ends = tcase_create("gone");
    TCase *again = tcase_create("restart");
    tcase_add_test(caps, a_oneway_without_capability_is_denied);
    tcase_add_test(caps, a_capability_is_for_one_contract);
    tcase_add_test(caps, a_capability_can_be_taken_back_while_running);
    tcase_add_test(caps, who_may_send_is_told_for_peers_and_not_for_strangers);
    tcase_add_test(caps, capabilities_are_for_what_is_known);
    add_gone_tests(ends);
    tcase_add_test(again, a_restarted_service_begins_anew_and_is_announced);
    tcase_add_test(again, nobody_is_called_back_who_was_there_at_the_start);
    tcase_add_test(again, a_restart_that_fails_leaves_the_service_dead);
    tcase_add_test(again, a_start_that_fails_is_freed_without_a_leak);
    suite_add_tcase(suite, caps);
    suite_add_tcase(suite, ends);
    suite_add_tcase(suite, again);
    return kt_run(suite);
}
