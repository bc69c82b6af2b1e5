/* link_bad_test.c - what a bad or unlucky peer sends: refused or answered, never an assertion.
 */
#include "joined.h"

#include <stdlib.h>
#include <string.h>

/* What the south makes of a message with the body 08 05 (Number{5}), or of `body`. */
static enum px_err inject(struct joined *j, struct px_wire wire, const void *body, size_t len)
{
    static const uint8_t number[] = {0x08, 0x05};
    struct px_chain payload = {0};
    wire.body = body != NULL ? body : number;
    wire.body_len = body != NULL ? len : sizeof number;
    wire.has_body = true;
    enum px_err err = px_link_in(j->end[SOUTH].link, &wire, &payload);
    joined_settle(j);
    return err;
}

START_TEST(a_sender_not_behind_the_link_is_refused)
{
    struct joined *j = joined_new(NULL);
    static const px_addr senders[] = {0, 2, 4, 5, 99, 4095, 65535};
    for (unsigned i = 0; i < sizeof senders / sizeof *senders; i++) {
        struct px_wire wire = {.mailbox = 2, .sender = senders[i], .method = TOY_NOTE};
        ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EDENIED);
        wire.kind = PX_KIND_CALL;
        wire.id = 9;
        ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EDENIED);
    }
    ck_assert_str_eq(kt_heard(j->bob), "");
    joined_free(j);
}
END_TEST

START_TEST(a_receiver_nobody_is_is_refused)
{
    struct joined *j = joined_new(NULL);
    static const px_addr receivers[] = {0, 5, 99, 4095, 65535};
    for (unsigned i = 0; i < sizeof receivers / sizeof *receivers; i++) {
        struct px_wire wire = {.mailbox = receivers[i], .sender = 1, .method = TOY_NOTE};
        for (uint8_t kind = 0; kind < 12; kind++) {
            wire.kind = kind;
            ck_assert_int_ne(inject(j, wire, NULL, 0), PX_EOK);
        }
    }
    joined_free(j);
}
END_TEST

START_TEST(a_message_without_capability_is_refused)
{
    struct joined *j = joined_new(NULL); /* alice may not send to dora */
    struct px_wire wire = {.mailbox = 4, .sender = 1, .method = TOY_NOTE};
    ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EDENIED);
    ck_assert_str_eq(kt_heard(j->dora), "");
    ck_assert_uint_ge(kt_ledger(j->kt[SOUTH]).denied, 1);
    joined_free(j);
}
END_TEST

START_TEST(a_call_refused_on_the_far_side_is_answered_denied)
{
    struct joined *j = joined_new(NULL);
    ck_assert_int_eq(px_kernel_allow(j->kt[NORTH]->kernel, 1, PX_C_TOY, 4), PX_EOK); /* only here */
    px_call(kt_env(j->alice), 4, TOY_ASK, kt_number(j->alice, 5), PX_NEVER, 7);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 DENIED");
    kt_expect_idle(j->kt[SOUTH], 0);
    joined_free(j);
}
END_TEST

START_TEST(a_call_to_one_dead_on_the_far_side_is_answered_gone)
{
    struct joined *j = joined_new(NULL);
    px_service_kill(j->kt[SOUTH]->kernel, 2); /* not told yet */
    px_call(kt_env(j->alice), 2, TOY_ASK, kt_number(j->alice, 5), PX_NEVER, 7);
    kt_settle(j->kt[NORTH]);
    joined_settle(j);
    ck_assert_ptr_nonnull(strstr(kt_heard(j->alice), "reply 7 SERVICE_GONE"));
    ck_assert_uint_eq(j->alice->replies, 1);
    joined_free(j);
}
END_TEST

START_TEST(a_call_the_far_side_has_no_memory_for_is_answered)
{
    struct joined *j = joined_new(NULL);
    void *bodies[1000];
    unsigned n = 0;
    px_call(kt_env(j->alice), 2, TOY_ASK, kt_number(j->alice, 5), PX_NEVER, 7);
    kt_settle(j->kt[NORTH]);
    atomic_store(&j->kt[SOUTH]->world.fail_all, true);
    do { /* uses up the free blocks, until it is the spare body twice */
        bodies[n] = kt_number(j->bob, 1);
    } while (++n < 1000 && (n == 1 || bodies[n - 1] != bodies[n - 2]));
    joined_settle(j);
    atomic_store(&j->kt[SOUTH]->world.fail_all, false);
    for (unsigned i = 0; i < n; i++) {
        px_msg_drop(bodies[i]);
    }
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 NO_MEMORY");
    ck_assert_str_eq(kt_heard(j->bob), "");
    joined_free(j);
}
END_TEST

START_TEST(a_call_the_far_side_has_no_entry_for_is_answered)
{
    struct px_kernel_config config = {.calls_max = 192}; /* actors reserve two times 64 */
    struct joined *j = joined_new(&config);
    j->bob->on_msg = kt_echo;
    kt_state(j->bob);
    for (unsigned i = 0; i < 16; i++) {
        kt_elem(j->bob, i); /* and the elements the rest */
    }
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 NO_MEMORY");
    px_service_kill(j->kt[SOUTH]->kernel, 4); /* and now there are some */
    joined_settle(j);
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 8);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 8 OK 5");
    joined_free(j);
}
END_TEST

START_TEST(a_full_queue_loses_what_comes_over_a_link_too)
{
    struct px_kernel_config config = {.queue_max = 20};
    struct joined *j = joined_new(&config);
    struct px_chain none = {0};
    struct px_wire wire = {
        .mailbox = 2, .sender = 1, .method = TOY_NOTE, .id = 9, .has_body = true};
    for (unsigned i = 0; i < 30; i++) {
        (void)(px_link_in(j->end[SOUTH].link, &wire, &none) == PX_EOK);
    }
    ck_assert_uint_eq(kt_ledger(j->kt[SOUTH]).lost, 10);
    wire.method = TOY_ASK;
    wire.kind = PX_KIND_CALL;
    (void)(px_link_in(j->end[SOUTH].link, &wire, &none) == PX_EOK);
    joined_settle(j);
    ck_assert_uint_eq(j->bob->msgs, 20);
    ck_assert_ptr_nonnull(strstr(kt_heard(j->bob), "lost 9 alice"));
    joined_free(j);
}
END_TEST

START_TEST(a_loss_on_one_side_is_told_on_the_other)
{
    struct joined *j = joined_new(NULL);
    atomic_store(&j->kt[NORTH]->world.fail_all, true);
    void *m = px_msg_new_sized(kt_env(j->alice), &ktest__number__descriptor, 60000);
    ck_assert(!px_send(kt_env(j->alice), 2, TOY_NOTE, m, 77));
    atomic_store(&j->kt[NORTH]->world.fail_all, false);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "lost 77 alice");
    joined_free(j);
}
END_TEST

START_TEST(unknown_methods_are_refused)
{
    struct joined *j = joined_new(NULL);
    static const uint16_t methods[] = {0, 0x8006, 0x80ff, 0x7f00, 0xffff, 0x0001};
    for (unsigned i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct px_wire wire = {.mailbox = 2, .sender = 1, .method = methods[i]};
        ck_assert_int_ne(inject(j, wire, NULL, 0), PX_EOK);
        wire.kind = PX_KIND_CALL;
        wire.id = 1000 + i;
        ck_assert_int_ne(inject(j, wire, NULL, 0), PX_EOK);
    }
    ck_assert_str_eq(kt_heard(j->bob), "");
    kt_expect_idle(j->kt[SOUTH], 0);
    joined_free(j);
}
END_TEST

START_TEST(a_call_of_a_method_only_the_asker_knows_is_answered)
{
    struct joined *j = joined_new(NULL);
    px_call(kt_env(j->alice), 2, TOY_ASK, kt_number(j->alice, 5), PX_NEVER, 7);
    kt_settle(j->kt[NORTH]);
    j->end[SOUTH].first->wire.method = 0x80fe; /* a newer asker's */
    joined_settle(j);
    ck_assert_int_eq(j->end[SOUTH].last_err, PX_EINVAL);
    ck_assert_uint_eq(j->alice->replies, 1);
    joined_free(j);
}
END_TEST

START_TEST(shapes_are_not_confused)
{
    struct joined *j = joined_new(NULL);
    struct px_wire wire = {.mailbox = 2, .sender = 1, .method = TOY_ASK, .kind = PX_KIND_ONEWAY};
    ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EINVAL);
    wire.method = TOY_NOTE;
    wire.kind = PX_KIND_CALL;
    wire.id = 5;
    ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EINVAL);
    wire.method = TOY_ASK;
    ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EOK);
    ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EINVAL); /* the same call once more */
    ck_assert_str_eq(kt_heard(j->bob), "ask 5");
    kt_release_all(j->bob);
    joined_free(j);
}
END_TEST

START_TEST(garbage_is_refused_and_what_it_was_about_is_told)
{
    struct joined *j = joined_new(NULL);
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff};
    struct px_wire wire = {.mailbox = 2, .sender = 1, .method = TOY_NOTE, .id = 66};
    ck_assert_int_eq(inject(j, wire, garbage, sizeof garbage), PX_EINVAL);
    ck_assert_str_eq(kt_heard(j->bob), "lost 66 alice");
    wire.method = TOY_ASK;
    wire.kind = PX_KIND_CALL;
    ck_assert_int_eq(inject(j, wire, garbage, sizeof garbage), PX_EINVAL);
    ck_assert_str_eq(kt_heard(j->bob), "");
    kt_expect_idle(j->kt[SOUTH], 0);
    joined_free(j);
}
END_TEST

START_TEST(an_answer_that_is_garbage_ends_the_call)
{
    struct joined *j = joined_new(NULL);
    px_call_id call = kt_ask(j->bob, j->alice, 5, PX_NEVER, 8);
    joined_settle(j);
    struct px_wire wire = {
        .mailbox = 2, .sender = 1, .method = TOY_ASK, .kind = PX_KIND_REPLY, .id = call};
    ck_assert_int_eq(inject(j, wire, "\xff\xff\xff", 3), PX_EINVAL);
    ck_assert_str_eq(kt_heard(j->bob), "reply 8 INTERNAL");
    ck_assert_str_eq(kt_heard(j->alice), "ask 5; ended 100 INTERNAL");
    kt_release_all(j->alice);
    joined_free(j);
}
END_TEST

START_TEST(an_answer_that_finds_no_memory_can_be_brought_again)
{
    struct joined *j = joined_new(NULL);
    static const uint8_t number[] = {0x08, 0x05};
    void *bodies[1000];
    unsigned n = 0;
    px_call_id call = kt_ask(j->bob, j->alice, 5, PX_NEVER, 8);
    joined_settle(j);
    struct px_wire wire = {.mailbox = 2,
                           .sender = 1,
                           .method = TOY_ASK,
                           .kind = PX_KIND_REPLY,
                           .id = call,
                           .body = number,
                           .body_len = 2,
                           .has_body = true};
    struct px_chain none = {0};
    atomic_store(&j->kt[SOUTH]->world.fail_all, true);
    do { /* uses up the free blocks, until it is the spare body twice */
        bodies[n] = kt_number(j->bob, 1);
    } while (++n < 1000 && (n == 1 || bodies[n - 1] != bodies[n - 2]));
    ck_assert_int_eq(px_link_in(j->end[SOUTH].link, &wire, &none), PX_ENOMEM);
    atomic_store(&j->kt[SOUTH]->world.fail_all, false);
    for (unsigned i = 0; i < n; i++) {
        px_msg_drop(bodies[i]);
    }
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "");
    ck_assert_int_eq(px_link_in(j->end[SOUTH].link, &wire, &none), PX_EOK);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "reply 8 OK 5");
    kt_release_all(j->alice);
    joined_free(j);
}
END_TEST

START_TEST(a_payload_of_nine_slices_is_refused)
{
    struct joined *j = joined_new(NULL);
    struct px_link *link = j->end[SOUTH].link;
    struct px_wire wire = {.mailbox = 2, .sender = 1, .method = TOY_NOTE, .has_body = true};
    for (unsigned n = PX_SLICES_MAX; n <= PX_SLICES_MAX + 1; n++) {
        struct px_chain payload = {0};
        for (unsigned i = 0; i < n; i++) {
            ck_assert(px_chain_copy_in(px_link_env(link), &payload, "byte", 4));
        }
        ck_assert_int_eq(px_link_in(link, &wire, &payload), n > PX_SLICES_MAX ? PX_EINVAL : PX_EOK);
        px_chain_clear(&payload);
    }
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "note 0 len 32");
    joined_free(j);
}
END_TEST

START_TEST(no_random_frame_asserts)
{
    struct joined *j = joined_new(NULL);
    uint64_t seed = (uint64_t)_i + 5;
    j->bob->on_msg = kt_echo;
    kt_ask(j->bob, j->alice, 5, PX_NEVER, 8);
    joined_settle(j);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t body[40];
        size_t len = (size_t)(kt_random(&seed) % sizeof body);
        for (size_t k = 0; k < len; k++) {
            body[k] = (uint8_t)(kt_random(&seed) % (k % 2 == 0 ? 48 : 256));
        }
        uint64_t r = kt_random(&seed);
        struct px_wire wire = {
            .mailbox = (px_addr)(r % 6),
            .sender = (px_addr)(r / 8 % 4),
            .method = (uint16_t)(0x8000 | (r / 64 % 7)),
            .id = r / 4096 % 2 == 0 ? r / 8192 % 8 : r,
            .kind = (uint8_t)(r / 1024 % 12),
            .status = (enum px_status)(r / 65536 % 30),
            .deadline_ms = (uint32_t)(r >> 40),
            .body = body,
            .body_len = len,
            .has_body = r / 131072 % 4 != 0,
        };
        struct px_chain payload = {0};
        if (r / 262144 % 4 == 0) {
            (void)px_chain_copy_in(px_link_env(j->end[SOUTH].link), &payload, body, len);
        }
        (void)(px_link_in(j->end[SOUTH].link, &wire, &payload) == PX_EOK);
        px_chain_clear(&payload);
        kt_settle(j->kt[SOUTH]);
    }
    kt_release_all(j->alice);
    joined_free(j);
}
END_TEST

START_TEST(a_bomb_of_empty_messages_is_refused_by_the_arena)
{
    struct joined *j = joined_new(NULL);
    size_t len = 1 << 20;
    uint8_t *bomb = malloc(len); /* half a million empty leaves */
    for (size_t i = 0; i < len; i += 2) {
        bomb[i] = 0x12;
        bomb[i + 1] = 0;
    }
    uint64_t mem = kt_ledger(j->kt[SOUTH]).mem;
    struct px_wire wire = {.mailbox = 2, .sender = 1, .method = TOY_SHOW};
    ck_assert_int_ne(inject(j, wire, bomb, len), PX_EOK);
    for (size_t i = 0; i < len; i++) {
        bomb[i] = i % 2 == 0 ? 0x2a : 0; /* empty `birds` */
    }
    ck_assert_int_ne(inject(j, wire, bomb, len), PX_EOK);
    ck_assert_str_eq(kt_heard(j->bob), "");
    ck_assert_uint_lt(kt_ledger(j->kt[SOUTH]).mem - mem, 400000);
    kt_expect_idle(j->kt[SOUTH], 0);
    free(bomb);
    joined_free(j);
}
END_TEST

START_TEST(a_large_honest_body_is_taken)
{
    struct joined *j = joined_new(NULL);
    Ktest__Tree *tree = px_msg_new_sized(kt_env(j->alice), &ktest__tree__descriptor, 40000);
    tree->name.data = px_msg_alloc(tree, 40000);
    tree->name.len = 40000;
    memset(tree->name.data, 'x', 40000);
    ck_assert(px_send(kt_env(j->alice), 2, TOY_SHOW, tree, 0));
    joined_settle(j);
    ck_assert_int_eq(j->end[SOUTH].last_err, PX_EOK);
    ck_assert_str_eq(kt_heard(j->bob), "show");
    joined_free(j);
}
END_TEST

static void look_up(struct kt_actor *a, const struct px_msg *msg)
{
    const struct kt_elem *at = px_pool_at(kt_pool(a), msg);
    kt_say(a, "at %llu", at != NULL ? (unsigned long long)at->n : 0);
}

START_TEST(handles_guessed_by_another_are_worth_nothing)
{
    struct joined *j = joined_new(NULL);
    j->bob->on_msg = look_up;
    struct kt_elem *e = kt_elem(j->bob, 7);
    px_handle h = px_pool_issue(kt_pool(j->bob), e, px_mailbox_peer(kt_env(j->bob), 1));
    ck_assert(kt_note_about(j->alice, j->bob, 1, h));
    joined_settle(j);
    ck_assert_ptr_nonnull(strstr(kt_heard(j->bob), "at 7"));
    ck_assert(kt_note_about(j->carol, j->bob, 1, h)); /* the same link, another mailbox */
    joined_settle(j);
    ck_assert_ptr_nonnull(strstr(kt_heard(j->bob), "at 0"));
    px_pool_issue(kt_pool(j->bob), e,
                  PX_PEER_LOCAL(1)); /* alice of this kernel is not alice behind the link */
    ck_assert(kt_note_about(j->alice, j->bob, 1, h));
    joined_settle(j);
    ck_assert_ptr_nonnull(strstr(kt_heard(j->bob), "at 0"));
    joined_free(j);
}
END_TEST

START_TEST(answers_to_the_calls_of_others_are_late)
{
    struct joined *j = joined_new(NULL);
    px_call_id call = kt_ask(j->bob, j->alice, 5, PX_NEVER, 8);
    joined_settle(j);
    struct px_wire wire = {
        .mailbox = 2, .sender = 3, .method = TOY_ASK, .kind = PX_KIND_REPLY, .id = call};
    (void)(inject(j, wire, NULL, 0) == PX_EOK); /* carol was not asked */
    ck_assert_str_eq(kt_heard(j->bob), "");
    wire.sender = 1;
    wire.kind = PX_KIND_ITEM; /* not a stream call, and nothing was allowed */
    (void)(inject(j, wire, NULL, 0) == PX_EOK);
    ck_assert_str_eq(kt_heard(j->bob), "");
    wire.kind = PX_KIND_REPLY;
    ck_assert_int_eq(inject(j, wire, NULL, 0), PX_EOK);
    ck_assert_str_eq(kt_heard(j->bob), "reply 8 OK 5");
    kt_release_all(j->alice);
    joined_free(j);
}
END_TEST

START_TEST(what_one_link_asks_another_does_not_end)
{
    struct joined *j = joined_new(NULL);
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    joined_settle(j);
    kt_heard(j->bob);
    struct px_wire wire = {.mailbox = 2, .sender = 3, .kind = PX_KIND_ENDED, .method = TOY_ASK};
    for (uint64_t id = 0; id < 300; id++) {
        wire.id = id;
        (void)(inject(j, wire, NULL, 0) == PX_EOK);
    }
    ck_assert_str_eq(kt_heard(j->bob), "");
    kt_reply(j->bob, kt_state(j->bob)->held[0], 1);
    kt_release_all(j->bob);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 OK 1");
    joined_free(j);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *bad = tcase_create("bad");
    tcase_add_test(bad, a_sender_not_behind_the_link_is_refused);
    tcase_add_test(bad, a_receiver_nobody_is_is_refused);
    tcase_add_test(bad, a_message_without_capability_is_refused);
    tcase_add_test(bad, a_call_refused_on_the_far_side_is_answered_denied);
    tcase_add_test(bad, a_call_to_one_dead_on_the_far_side_is_answered_gone);
    tcase_add_test(bad, a_call_the_far_side_has_no_memory_for_is_answered);
    tcase_add_test(bad, a_call_the_far_side_has_no_entry_for_is_answered);
    tcase_add_test(bad, a_full_queue_loses_what_comes_over_a_link_too);
    tcase_add_test(bad, a_loss_on_one_side_is_told_on_the_other);
    tcase_add_test(bad, unknown_methods_are_refused);
    tcase_add_test(bad, a_call_of_a_method_only_the_asker_knows_is_answered);
    tcase_add_test(bad, shapes_are_not_confused);
    tcase_add_test(bad, garbage_is_refused_and_what_it_was_about_is_told);
    tcase_add_test(bad, an_answer_that_is_garbage_ends_the_call);
    tcase_add_test(bad, an_answer_that_finds_no_memory_can_be_brought_again);
    tcase_add_test(bad, a_payload_of_nine_slices_is_refused);
    tcase_add_loop_test(bad, no_random_frame_asserts, 0, 10);
    tcase_add_test(bad, a_bomb_of_empty_messages_is_refused_by_the_arena);
    tcase_add_test(bad, a_large_honest_body_is_taken);
    tcase_add_test(bad, handles_guessed_by_another_are_worth_nothing);
    tcase_add_test(bad, answers_to_the_calls_of_others_are_late);
    tcase_add_test(bad, what_one_link_asks_another_does_not_end);
    suite_add_tcase(suite, bad);
    return kt_run(suite);
}
