/* link_test.c - what crosses a link between two kernels, and what its end means.
 */
#include "joined.h"

#include <stdlib.h>
#include <string.h>

/* ---- what crosses ---- */

START_TEST(oneways_cross_with_body_handle_and_payload)
{
    struct joined *j = joined_new(NULL);
    Ktest__Number *m = kt_number(j->alice, 5);
    ck_assert(px_msg_attach_take(m, kt_buf(j->alice, 3000, 0), 0, 3000));
    ck_assert(px_send(kt_env(j->alice), j->bob->addr, TOY_NOTE, m, 77));
    ck_assert(kt_note(j->bob, j->alice, 6));
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "note 5 tag 77 len 3000");
    ck_assert_str_eq(kt_heard(j->alice), "note 6");
    ck_assert_uint_eq(j->bob->last_from, px_link_peer(j->end[SOUTH].link, 1));
    ck_assert_uint_ne(j->bob->last_from, PX_PEER_LOCAL(1));
    ck_assert_uint_eq(PX_PEER_ADDR(j->bob->last_from), 1);
    ck_assert_uint_ge(j->end[NORTH].flushes, 1);
    ck_assert_uint_eq(px_mailbox_peer(kt_env(j->bob), 1), j->bob->last_from);
    joined_free(j);
}
END_TEST

static void echo_tree(struct kt_actor *a, const struct px_msg *msg)
{
    const Ktest__Tree *in = msg->body;
    Ktest__Tree *out = px_msg_new(kt_env(a), &ktest__tree__descriptor);
    px_msg_put(out, &out->name, in->name.data, in->name.len);
    out->n_leaves = in->n_leaves;
    out->leaves = px_msg_alloc(out, in->n_leaves * sizeof *out->leaves);
    for (size_t i = 0; i < in->n_leaves; i++) {
        out->leaves[i] = px_msg_alloc(out, sizeof **out->leaves);
        ktest__leaf__init(out->leaves[i]);
        out->leaves[i]->size = in->leaves[i]->size;
    }
    px_reply(kt_env(a), msg, PX_OK, out);
}

static void count_tree(struct kt_actor *a, const struct px_msg *msg)
{
    const Ktest__Tree *tree = msg->body;
    kt_say(a, "%zu leaves, the last %u, %zu bytes", tree->n_leaves,
           (unsigned)tree->leaves[tree->n_leaves - 1]->size, tree->name.len);
}

START_TEST(nested_bodies_cross_both_ways)
{
    struct joined *j = joined_new(NULL);
    j->bob->on_msg = echo_tree;
    j->alice->on_reply = count_tree;
    Ktest__Tree *tree = px_msg_new(kt_env(j->alice), &ktest__tree__descriptor);
    px_msg_put(tree, &tree->name, "0123456789", 10);
    tree->n_leaves = 100;
    tree->leaves = px_msg_alloc(tree, 100 * sizeof *tree->leaves);
    for (unsigned i = 0; i < 100; i++) {
        tree->leaves[i] = px_msg_alloc(tree, sizeof **tree->leaves);
        ktest__leaf__init(tree->leaves[i]);
        tree->leaves[i]->size = i + 1000000;
    }
    px_call(kt_env(j->alice), 2, TOY_PLANT, tree, PX_SEC(1), 7);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 OK; 100 leaves, the last 1000099, 10 bytes");
    joined_free(j);
}
END_TEST

START_TEST(calls_cross_both_ways)
{
    struct joined *j = joined_new(NULL);
    j->bob->on_msg = j->alice->on_msg = kt_echo;
    kt_ask(j->alice, j->bob, 5, PX_SEC(1), 7);
    kt_ask(j->bob, j->alice, 6, PX_SEC(1), 8);
    Ktest__Number *m = kt_number(j->carol, 9);
    ck_assert(px_msg_attach_take(m, kt_buf(j->carol, 100, 0), 0, 100));
    px_call(kt_env(j->carol), 2, TOY_ASK, m, PX_NEVER, 10);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "ask 6; reply 7 OK 5");
    ck_assert_str_eq(kt_heard(j->bob), "ask 5; ask 9 len 100; reply 8 OK 6");
    ck_assert_str_eq(kt_heard(j->carol), "reply 10 OK 9 len 100");
    joined_free(j);
}
END_TEST

START_TEST(a_status_without_body_crosses)
{
    struct joined *j = joined_new(NULL);
    kt_ask(j->alice, j->bob, 5, PX_SEC(1), 7);
    joined_settle(j);
    px_reply_status(kt_env(j->bob), kt_state(j->bob)->held[0], PX_TOO_LARGE);
    kt_release_all(j->bob);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 TOO_LARGE");
    joined_free(j);
}
END_TEST

START_TEST(a_deadline_ends_a_call_on_both_sides_of_a_link)
{
    struct joined *j = joined_new(NULL);
    kt_ask(j->alice, j->bob, 5, PX_MS(20), 7);
    joined_settle(j);
    joined_advance(j, PX_MS(20) - 1);
    ck_assert_str_eq(kt_heard(j->alice), "");
    joined_advance(j, 1);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 TIMED_OUT");
    ck_assert_str_eq(kt_heard(j->bob), "ask 5; ended 100 TIMED_OUT");
    kt_reply(j->bob, kt_state(j->bob)->held[0], 1);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "");
    kt_release_all(j->bob);
    joined_free(j);
}
END_TEST

START_TEST(a_cancel_crosses)
{
    struct joined *j = joined_new(NULL);
    px_call_id call = kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    joined_settle(j);
    px_cancel(kt_env(j->alice), call);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 CANCELLED");
    ck_assert_str_eq(kt_heard(j->bob), "ask 5; ended 100 CANCELLED");
    kt_release_all(j->bob);
    kt_expect_idle(j->kt[SOUTH], 0);
    joined_free(j);
}
END_TEST

START_TEST(an_answer_that_crosses_the_cancel_is_late)
{
    struct joined *j = joined_new(NULL);
    px_call_id call = kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    joined_settle(j);
    kt_reply(j->bob, kt_state(j->bob)->held[0], 1);
    kt_release_all(j->bob);
    kt_settle(j->kt[SOUTH]); /* the answer is under way */
    px_cancel(kt_env(j->alice), call);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 7 CANCELLED");
    ck_assert_str_eq(kt_heard(j->bob), "ask 5");
    ck_assert_uint_eq(kt_ledger(j->kt[NORTH]).late, 1);
    joined_free(j);
}
END_TEST

START_TEST(stream_calls_cross)
{
    struct joined *j = joined_new(NULL);
    px_call_id call = kt_watch(j->alice, j->bob, 5, PX_SEC(1), 7);
    px_call_more(kt_env(j->alice), call, 2);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "watch 5; more 100 2");
    const struct px_msg *held = kt_state(j->bob)->held[0];
    ck_assert(kt_item(j->bob, held, 1));
    ck_assert(kt_item(j->bob, held, 2));
    ck_assert(!kt_item(j->bob, held, 3));
    px_reply_status(kt_env(j->bob), held, PX_OK);
    kt_release_all(j->bob);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "item 7 1; item 7 2; reply 7 OK");
    joined_advance(j, PX_SEC(2));
    ck_assert_str_eq(kt_heard(j->alice), "");
    joined_free(j);
}
END_TEST

/* ---- ends ---- */

START_TEST(a_broken_link_ends_everything_that_crossed_it)
{
    struct joined *j = joined_new(NULL);
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    kt_ask(j->bob, j->alice, 6, PX_NEVER, 8);
    joined_settle(j);
    kt_heard(j->alice);
    kt_heard(j->bob);
    ck_assert(kt_note(j->alice, j->bob, 9));
    joined_break(j);
    const char *heard = kt_heard(j->alice);
    ck_assert_ptr_nonnull(strstr(heard, "reply 7 SERVICE_GONE"));
    ck_assert_ptr_nonnull(strstr(heard, "ended 100 SERVICE_GONE"));
    ck_assert_ptr_nonnull(strstr(heard, "gone bob"));
    ck_assert_uint_eq(j->alice->gones, 1);
    ck_assert_uint_eq(j->alice->heard, 2 + 3); /* a back and an ask before; not a word of dora */
    ck_assert_uint_eq(j->bob->gones, 2);       /* alice's and carol's */
    ck_assert_uint_eq(j->bob->replies, 1);
    ck_assert_uint_eq(j->bob->endeds, 1);
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 9);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 9 SERVICE_GONE");
    kt_release_all(j->alice);
    kt_release_all(j->bob);
    joined_free(j);
}
END_TEST

START_TEST(a_new_link_is_a_new_peer_and_old_handles_are_dead)
{
    struct joined *j = joined_new(NULL);
    struct kt_elem *e = kt_elem(j->bob, 1);
    px_peer before = px_mailbox_peer(kt_env(j->bob), 1);
    px_pool_issue(kt_pool(j->bob), e, before);
    joined_break(j);
    kt_heard(j->alice);
    kt_heard(j->bob);
    joined_join(j);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "back bob");
    ck_assert_str_eq(kt_heard(j->bob), "back alice; back carol");
    ck_assert_uint_ne(px_mailbox_peer(kt_env(j->bob), 1), before);
    ck_assert(kt_note_about(j->alice, j->bob, 2, 55));
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->bob), "note 2 tag 55");
    ck_assert_uint_ne(j->bob->last_from, before);
    joined_free(j);
}
END_TEST

START_TEST(a_death_behind_a_link_is_told_and_so_is_a_return)
{
    struct joined *j = joined_new(NULL);
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    joined_settle(j);
    px_service_kill(j->kt[SOUTH]->kernel, 2);
    joined_settle(j);
    const char *heard = kt_heard(j->alice);
    ck_assert_ptr_nonnull(strstr(heard, "reply 7 SERVICE_GONE"));
    ck_assert_ptr_nonnull(strstr(heard, "gone bob"));
    ck_assert_uint_eq(px_mailbox_peer(kt_env(j->alice), 2), 0);
    kt_ask(j->alice, j->bob, 6, PX_NEVER, 8);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "reply 8 SERVICE_GONE");
    ck_assert_int_eq(px_service_restart(j->kt[SOUTH]->kernel, 2), PX_EOK);
    joined_settle(j);
    ck_assert_str_eq(kt_heard(j->alice), "back bob");
    ck_assert_uint_ne(px_mailbox_peer(kt_env(j->alice), 2), 0);
    ck_assert(kt_note(j->alice, j->bob, 1));
    joined_settle(j);
    joined_free(j);
}
END_TEST

START_TEST(the_last_of_gone_and_back_is_what_is_true)
{
    struct joined *j = joined_new(NULL);
    for (unsigned i = 0; i < 3; i++) { /* breaks, is there again and breaks, all within one turn */
        px_link_gone(j->end[NORTH].link);
        ck_assert_int_eq(
            px_link_add(j->kt[NORTH]->kernel, &end_ops, &j->end[NORTH], &j->end[NORTH].link),
            PX_EOK);
        ck_assert_int_eq(px_link_place(j->end[NORTH].link, 2), PX_EOK);
    }
    px_link_gone(j->end[NORTH].link);
    j->end[NORTH].link = NULL;
    kt_settle(j->kt[NORTH]);
    const char *heard = kt_heard(j->alice);
    ck_assert_uint_ge(strlen(heard), strlen("gone bob"));
    ck_assert_str_eq(heard + strlen(heard) - strlen("gone bob"), "gone bob");
    joined_free(j);
}
END_TEST

START_TEST(a_kernel_with_links_is_freed_without_a_leak)
{
    struct joined *j = joined_new(NULL);
    struct px_env *env = px_link_env(j->end[NORTH].link);
    struct px_chain chain = {0};
    kt_ask(j->alice, j->bob, 5, PX_NEVER, 7);
    joined_settle(j);
    ck_assert(
        px_chain_copy_in(env, &chain, "half a message", 14)); /* what a transport has read so far */
    ck_assert_ptr_nonnull(px_buf_new(env, 100));
    kt_free(j->kt[NORTH]);
    px_link_gone(j->end[SOUTH].link);
    kt_settle(j->kt[SOUTH]);
    kt_release_all(j->bob);
    kt_expect_idle(j->kt[SOUTH], 0);
    kt_free(j->kt[SOUTH]);
    free(j);
}
END_TEST

START_TEST(a_link_that_goes_takes_along_what_it_was_charged_for)
{
    struct joined *j = joined_new(NULL);
    struct px_link *second;
    atomic_store(&j->kt[NORTH]->world.fail_all, true);
    ck_assert_int_eq(px_link_add(j->kt[NORTH]->kernel, &end_ops, &j->end[NORTH], &second),
                     PX_ENOMEM);
    atomic_store(&j->kt[NORTH]->world.fail_all, false);
    ck_assert_int_eq(px_link_add(j->kt[NORTH]->kernel, &end_ops, &j->end[NORTH], &second), PX_EOK);
    struct px_chain chain = {0};
    ck_assert(px_chain_copy_in(px_link_env(second), &chain, "bytes", 5));
    ck_assert_ptr_nonnull(px_buf_new(px_link_env(second), 100));
    ck_assert_uint_eq(kt_ledger(j->kt[NORTH]).bufs, 2);
    px_link_gone(second);
    kt_expect_idle(j->kt[NORTH], 0);
    joined_free(j);
}
END_TEST

START_TEST(many_calls_cross_at_once)
{
    struct joined *j = joined_new(NULL);
    j->bob->on_msg = kt_echo;
    j->alice->quiet = j->bob->quiet = true;
    for (unsigned i = 0; i < 16; i++) {
        kt_elem(j->alice, i);
    }
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 128; i++) {
            px_call_id call = kt_ask(j->alice, j->bob, i, PX_SEC(1), i);
            if (i % 5 == 0) {
                px_cancel(kt_env(j->alice), call);
            }
        }
        joined_settle(j);
    }
    ck_assert_uint_eq(j->alice->replies, 20 * 128);
    joined_free(j);
}
END_TEST

START_TEST(placing_says_what_cannot_be)
{
    struct joined *j = joined_new(NULL);
    struct px_link *second;
    ck_assert_int_eq(px_link_add(j->kt[NORTH]->kernel, &end_ops, &j->end[NORTH], &second), PX_EOK);
    ck_assert_int_eq(px_link_place(second, 2), PX_EEXIST);
    ck_assert_int_eq(px_link_place(second, 1), PX_ENOENT); /* it is here */
    ck_assert_int_eq(px_link_place(second, 0), PX_ENOENT);
    ck_assert_int_eq(px_link_place(second, 99), PX_ENOENT);
    px_link_gone(second);
    joined_free(j);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *crossing = tcase_create("crossing"), *ends = tcase_create("ends");
    tcase_add_test(crossing, oneways_cross_with_body_handle_and_payload);
    tcase_add_test(crossing, nested_bodies_cross_both_ways);
    tcase_add_test(crossing, calls_cross_both_ways);
    tcase_add_test(crossing, a_status_without_body_crosses);
    tcase_add_test(crossing, a_deadline_ends_a_call_on_both_sides_of_a_link);
    tcase_add_test(crossing, a_cancel_crosses);
    tcase_add_test(crossing, an_answer_that_crosses_the_cancel_is_late);
    tcase_add_test(crossing, stream_calls_cross);
    tcase_add_test(ends, a_broken_link_ends_everything_that_crossed_it);
    tcase_add_test(ends, a_new_link_is_a_new_peer_and_old_handles_are_dead);
    tcase_add_test(ends, a_death_behind_a_link_is_told_and_so_is_a_return);
    tcase_add_test(ends, the_last_of_gone_and_back_is_what_is_true);
    tcase_add_test(ends, a_kernel_with_links_is_freed_without_a_leak);
    tcase_add_test(ends, a_link_that_goes_takes_along_what_it_was_charged_for);
    tcase_add_test(crossing, many_calls_cross_at_once);
    tcase_add_test(ends, placing_says_what_cannot_be);
    suite_add_tcase(suite, crossing);
    suite_add_tcase(suite, ends);
    return kt_run(suite);
}
