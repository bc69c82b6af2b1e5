/* msg_test.c - bodies, arenas, oneways, holding and sharing.
 */
#include "ktest.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- bodies and arenas ---- */

START_TEST(a_new_body_is_initialised_and_dropping_it_leaves_nothing)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Tree *tree = px_msg_new(kt_env(alice), &ktest__tree__descriptor);
    ck_assert_ptr_eq(tree->base.descriptor, &ktest__tree__descriptor);
    ck_assert_uint_eq(tree->n_leaves, 0);
    ck_assert_uint_eq(tree->name.len, 0);
    ck_assert_ptr_null(tree->top);
    ck_assert_uint_eq(px_msg_attached(tree), 0);
    ck_assert_uint_eq(kt_ledger(kt).blocks, 1);
    px_msg_drop(tree);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(an_arena_gives_aligned_bytes_that_do_not_overlap_and_grows)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Number *m = kt_number(alice, 1);
    uint8_t *parts[200];
    for (unsigned i = 0; i < 200; i++) {
        parts[i] = px_msg_alloc(m, i * 7);
        ck_assert_uint_eq((uintptr_t)parts[i] % 8, 0);
        if (i > 0) {
            memset(parts[i], (int)i, (size_t)i * 7);
        }
    }
    for (unsigned i = 1; i < 200; i++) {
        for (unsigned j = 0; j < i * 7; j++) {
            ck_assert_uint_eq(parts[i][j], i);
        }
    }
    ck_assert_uint_eq(m->value, 1);
    px_msg_drop(m);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(an_arena_gives_its_largest_piece_again_and_again)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Number *m = kt_number(alice, 1);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t *part = px_msg_alloc(m, 65536);
        memset(part, (int)i, 65536);
    }
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 1");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_sized_body_has_its_arena_at_hand)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (size_t len = 0; len <= 65536; len = len * 2 + 1) {
        Ktest__Number *m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, len);
        ck_assert_ptr_eq(m->base.descriptor, &ktest__number__descriptor);
        uint64_t before = kt_ledger(kt).allocs;
        memset(px_msg_alloc(m, len), 1, len);
        ck_assert_uint_eq(kt_ledger(kt).allocs, before);
        px_msg_drop(m);
    }
    Ktest__Number *largest = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 65536);
    memset(px_msg_alloc(largest, 65536), 1, 65536);
    px_msg_drop(largest);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(what_is_trimmed_is_given_again)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Number *m = kt_number(alice, 1);
    uint8_t *first = px_msg_alloc(m, 64);
    memset(first, 1, 16);
    px_msg_trim(m, first, 16);
    uint8_t *second = px_msg_alloc(m, 64);
    ck_assert_ptr_eq(second, first + 16);
    px_msg_trim(m, second, 0);
    ck_assert_ptr_eq(px_msg_alloc(m, 8), second);
    uint8_t *third = px_msg_alloc(m, 30);
    px_msg_trim(m, third, 13); /* rounded up: the next one is aligned again */
    ck_assert_ptr_eq(px_msg_alloc(m, 8), third + 16);
    px_msg_drop(m);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(trimming_works_in_a_grown_arena)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Number *m = kt_number(alice, 1);
    uint8_t *large = px_msg_alloc(m, 60000);
    px_msg_trim(m, large, 100);
    uint64_t before = kt_ledger(kt).allocs;
    ck_assert_ptr_eq(px_msg_alloc(m, 1000), large + 104);
    ck_assert_uint_eq(kt_ledger(kt).allocs, before);
    px_msg_drop(m);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void check_tree(struct kt_actor *a, const struct px_msg *msg)
{
    const Ktest__Tree *tree = msg->body;
    ck_assert_uint_eq(tree->name.len, 3);
    ck_assert_int_eq(memcmp(tree->name.data, "oak", 3), 0);
    ck_assert_uint_eq(tree->n_leaves, 300);
    for (unsigned i = 0; i < 300; i++) {
        ck_assert_uint_eq(tree->leaves[i]->size, i);
    }
    (void)a;
}

START_TEST(bodies_with_arena_memory_arrive_whole)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = check_tree;
    Ktest__Tree *tree = px_msg_new(kt_env(alice), &ktest__tree__descriptor);
    char name[] = "oak";
    px_msg_put(tree, &tree->name, name, 3);
    memset(name, 0, sizeof name); /* it was copied */
    tree->n_leaves = 300;
    tree->leaves = px_msg_alloc(tree, 300 * sizeof *tree->leaves);
    for (unsigned i = 0; i < 300; i++) {
        tree->leaves[i] = px_msg_alloc(tree, sizeof **tree->leaves);
        ktest__leaf__init(tree->leaves[i]);
        tree->leaves[i]->size = i;
    }
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_SHOW, tree, 0));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "show");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(an_empty_field_may_be_put)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Tree *tree = px_msg_new(kt_env(alice), &ktest__tree__descriptor);
    px_msg_put(tree, &tree->name, NULL, 0);
    ck_assert_uint_eq(tree->name.len, 0);
    px_msg_drop(tree);
    kt_free(kt);
}
END_TEST

/* ---- oneways ---- */

static void see_envelope(struct kt_actor *a, const struct px_msg *msg)
{
    ck_assert_uint_eq(msg->kind, PX_KIND_ONEWAY);
    ck_assert_uint_eq(msg->call, 0);
    ck_assert_uint_eq(msg->method, TOY_NOTE);
    ck_assert_uint_eq(msg->tag, 77);
    ck_assert_uint_eq(PX_PEER_ADDR(msg->from), 1);
    ck_assert_uint_eq(msg->from, PX_PEER_LOCAL(1));
    ck_assert_uint_eq(msg->to, a->addr);
}

START_TEST(an_envelope_says_who_what_and_about_what)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = see_envelope;
    ck_assert(kt_note_about(alice, bob, 5, 77));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 5 tag 77");
    kt_free(kt);
}
END_TEST

START_TEST(two_mailboxes_see_each_others_messages_in_order)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (uint64_t i = 0; i < 4; i++) {
        ck_assert(kt_note(alice, bob, 2 * i));
        ck_assert(kt_note(bob, alice, 2 * i + 1));
    }
    ck_assert_str_eq(kt_story(kt), ""); /* nothing happens inside a send */
    ck_assert_uint_eq(kt_ledger(kt).queued, 8);
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "bob: note 0; alice: note 1; bob: note 2; alice: note 3; "
                                   "bob: note 4; alice: note 5; bob: note 6; alice: note 7");
    ck_assert_uint_eq(kt_ledger(kt).deliveries, 8);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_mailbox_may_send_to_itself)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_new(NULL);
    alice = kt_add(kt, "alice");
    bob = kt_add(kt, "bob");
    kt_allow(kt, alice, PX_C_TOY, alice);
    kt_start(kt);
    ck_assert(kt_note(alice, alice, 1));
    kt_settle(kt);
    ck_assert_str_eq(kt_story(kt), "alice: note 1");
    (void)bob;
    kt_free(kt);
}
END_TEST

static void answer_with_notes(struct kt_actor *a, const struct px_msg *msg)
{
    bool *inside = a->ctx;
    ck_assert(!*inside); /* no handler is entered twice */
    *inside = true;
    uint64_t value = kt_value(msg);
    if (value < 6) {
        struct kt_actor *other = a->kt->actors[PX_PEER_ADDR(msg->from)];
        ck_assert(kt_note(a, other, value + 1));
        ck_assert(kt_note(a, other, 100 * (value + 1)));
    }
    *inside = false;
}

START_TEST(no_handler_is_entered_from_inside_a_send)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bool inside = false;
    alice->ctx = bob->ctx = &inside;
    alice->on_msg = bob->on_msg = answer_with_notes;
    ck_assert(kt_note(alice, bob, 0));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 0; note 2; note 200; note 4; note 400; note 6; note 600");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(one_system_never_notices_another)
{
    struct kt_actor *alice, *bob, *carol, *dora;
    struct kt *one = kt_pair(&alice, &bob), *two = kt_pair(&carol, &dora);
    ck_assert(kt_note(alice, bob, 1));
    ck_assert(kt_note(carol, dora, 2));
    kt_settle(one);
    ck_assert_str_eq(kt_story(one), "bob: note 1");
    ck_assert_str_eq(kt_story(two), "");
    kt_free(one);
    kt_settle(two);
    ck_assert_str_eq(kt_story(two), "bob: note 2");
    kt_free(two);
}
END_TEST

/* ---- holding ---- */

START_TEST(a_held_message_stays_until_it_is_released)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_keep;
    for (uint64_t i = 1; i <= 10; i++) {
        ck_assert(kt_note_about(alice, bob, i, i));
    }
    kt_settle(kt);
    ck_assert_uint_eq(kt_ledger(kt).holds, 10);
    struct px_ledger bobs;
    px_service_ledger(kt->kernel, bob->addr, &bobs);
    ck_assert_uint_eq(bobs.holds, 10);
    for (unsigned i = 0; i < 10; i++) {
        const struct px_msg *m = kt_state(bob)->held[i];
        ck_assert_uint_eq(kt_value(m), i + 1);
        ck_assert_uint_eq(m->tag, i + 1);
        ck_assert_uint_eq(m->from, kt_peer(alice));
    }
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void hold_three_times(struct kt_actor *a, const struct px_msg *msg)
{
    kt_keep(a, msg);
    kt_keep(a, msg);
    kt_keep(a, kt_state(a)->held[0]); /* what is held may be held again */
}

START_TEST(a_message_held_three_times_is_released_three_times)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = hold_three_times;
    ck_assert(kt_note(alice, bob, 9));
    kt_settle(kt);
    struct kt_state *s = kt_state(bob);
    ck_assert_uint_eq(s->n_held, 3);
    ck_assert_uint_ge(kt_ledger(kt).holds, 1);
    px_msg_release(s->held[0]);
    ck_assert_uint_eq(kt_value(s->held[1]), 9);
    px_msg_release(s->held[1]);
    ck_assert_uint_eq(kt_value(s->held[2]), 9);
    ck_assert_uint_eq(kt_ledger(kt).blocks, 1);
    px_msg_release(s->held[2]);
    px_msg_release(NULL);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- sharing ---- */

START_TEST(a_sealed_message_goes_to_many_without_a_copy)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *others[5];
    static const char *const names[] = {"b", "c", "d", "e", "f"};
    for (unsigned i = 0; i < 5; i++) {
        others[i] = kt_add(kt, names[i]);
        others[i]->on_msg = kt_keep;
        kt_allow(kt, alice, PX_C_TOY, others[i]);
    }
    kt_start(kt);
    const struct px_msg *sealed = px_msg_seal(kt_env(alice), kt_number(alice, 3));
    ck_assert_ptr_nonnull(sealed);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5; i++) {
            ck_assert(px_send_shared(kt_env(alice), others[i]->addr, TOY_NOTE, sealed, i + 1));
        }
    }
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(others[0]), "note 3 tag 1; note 3 tag 1");
    ck_assert_str_eq(kt_heard(others[4]), "note 3 tag 5; note 3 tag 5");
    px_msg_release(sealed);
    ck_assert_uint_eq(kt_ledger(kt).blocks, 1);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_ptr_eq(kt_state(others[i])->held[0]->body, sealed->body);
        ck_assert_uint_eq(kt_value(kt_state(others[i])->held[1]), 3);
        kt_release_all(others[i]);
    }
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void pass_on(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_actor *to = a->ctx;
    ck_assert(px_send_shared(kt_env(a), to->addr, TOY_NOTE, msg, msg->tag + 1));
}

START_TEST(a_borrowed_message_may_be_passed_on)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob"),
                    *carol = kt_add(kt, "carol");
    kt_allow(kt, alice, PX_C_TOY, bob);
    kt_allow(kt, bob, PX_C_TOY, carol);
    bob->on_msg = pass_on;
    bob->ctx = carol;
    kt_start(kt);
    ck_assert(kt_note_about(alice, bob, 4, 8));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(carol), "note 4 tag 9");
    ck_assert_uint_eq(carol->last_from, kt_peer(bob));
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_shared_send_without_capability_is_lost_and_the_message_stays)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    kt_start(kt);
    const struct px_msg *sealed = px_msg_seal(kt_env(alice), kt_number(alice, 3));
    ck_assert(!px_send_shared(kt_env(alice), bob->addr, TOY_NOTE, sealed, 1));
    ck_assert_uint_eq(kt_ledger(kt).denied, 1);
    ck_assert_uint_eq(kt_value(sealed), 3);
    px_msg_release(sealed);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- steady state ---- */

START_TEST(a_steady_flow_allocates_nothing)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->quiet = alice->quiet = true;
    bob->on_msg = kt_echo;
    uint64_t warm = 0;
    for (unsigned i = 0; i < 1000; i++) {
        Ktest__Number *m = kt_number(alice, i);
        struct px_buf *buf = kt_buf(alice, 4096, 1);
        ck_assert(px_msg_attach_take(m, buf, 0, 4096));
        px_call(kt_env(alice), bob->addr, TOY_ASK, m, PX_SEC(1), 1);
        ck_assert(kt_note(bob, alice, i));
        kt_settle(kt);
        if (i == 10) {
            warm = kt_ledger(kt).allocs;
        }
    }
    ck_assert_uint_eq(kt_ledger(kt).allocs, warm);
    ck_assert_uint_eq(atomic_load(&kt->world.allocs), warm);
    ck_assert_uint_eq(alice->replies, 1000);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- mistakes of ours ---- */

/* Lets alice make one in a handler of hers. */
static void err_in_a_handler(kt_msg_fn mistake)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    alice->on_msg = mistake;
    kt_ask(bob, alice, 1, PX_SEC(1), 1);
    kt_settle(kt);
}

static void send_a_wrong_type(struct kt_actor *a, const struct px_msg *msg)
{
    void *tree = px_msg_new(kt_env(a), &ktest__tree__descriptor);
    px_send(kt_env(a), PX_PEER_ADDR(msg->from), TOY_NOTE, tree, 0);
}

START_TEST(a_body_of_the_wrong_type_is_a_mistake_of_ours)
{
    err_in_a_handler(send_a_wrong_type);
}
END_TEST

static void call_a_oneway(struct kt_actor *a, const struct px_msg *msg)
{
    px_call(kt_env(a), PX_PEER_ADDR(msg->from), TOY_NOTE, kt_number(a, 1), PX_SEC(1), 1);
}

START_TEST(a_oneway_cannot_be_called)
{
    err_in_a_handler(call_a_oneway);
}
END_TEST

static void send_a_call(struct kt_actor *a, const struct px_msg *msg)
{
    px_send(kt_env(a), PX_PEER_ADDR(msg->from), TOY_ASK, kt_number(a, 1), 0);
}

START_TEST(a_call_cannot_be_sent_as_a_oneway)
{
    err_in_a_handler(send_a_call);
}
END_TEST

static void reply_with_a_tree(struct kt_actor *a, const struct px_msg *msg)
{
    px_reply(kt_env(a), msg, PX_OK, px_msg_new(kt_env(a), &ktest__tree__descriptor));
}

START_TEST(a_reply_of_the_wrong_type_is_a_mistake_of_ours)
{
    err_in_a_handler(reply_with_a_tree);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *making = tcase_create("making"), *sending = tcase_create("sending");
    TCase *keeping = tcase_create("keeping"), *mistakes = tcase_create("mistakes");
    tcase_add_test(making, a_new_body_is_initialised_and_dropping_it_leaves_nothing);
    tcase_add_test(making, an_arena_gives_aligned_bytes_that_do_not_overlap_and_grows);
    tcase_add_test(making, an_arena_gives_its_largest_piece_again_and_again);
    tcase_add_test(making, a_sized_body_has_its_arena_at_hand);
    tcase_add_test(making, what_is_trimmed_is_given_again);
    tcase_add_test(making, trimming_works_in_a_grown_arena);
    tcase_add_test(making, bodies_with_arena_memory_arrive_whole);
    tcase_add_test(making, an_empty_field_may_be_put);
    tcase_add_test(sending, an_envelope_says_who_what_and_about_what);
    tcase_add_test(sending, two_mailboxes_see_each_others_messages_in_order);
    tcase_add_test(sending, a_mailbox_may_send_to_itself);
    tcase_add_test(sending, no_handler_is_entered_from_inside_a_send);
    tcase_add_test(sending, one_system_never_notices_another);
    tcase_add_test(sending, a_steady_flow_allocates_nothing);
    tcase_add_test(keeping, a_held_message_stays_until_it_is_released);
    tcase_add_test(keeping, a_message_held_three_times_is_released_three_times);
    tcase_add_test(keeping, a_sealed_message_goes_to_many_without_a_copy);
    tcase_add_test(keeping, a_borrowed_message_may_be_passed_on);
    tcase_add_test(keeping, a_shared_send_without_capability_is_lost_and_the_message_stays);
    if (kt_forks()) {
        tcase_add_test_raise_signal(mistakes, a_body_of_the_wrong_type_is_a_mistake_of_ours,
                                    SIGABRT);
        tcase_add_test_raise_signal(mistakes, a_oneway_cannot_be_called, SIGABRT);
        tcase_add_test_raise_signal(mistakes, a_call_cannot_be_sent_as_a_oneway, SIGABRT);
        tcase_add_test_raise_signal(mistakes, a_reply_of_the_wrong_type_is_a_mistake_of_ours,
                                    SIGABRT);
    }
    suite_add_tcase(suite, making);
    suite_add_tcase(suite, sending);
    suite_add_tcase(suite, keeping);
    suite_add_tcase(suite, mistakes);
    return kt_run(suite);
}
