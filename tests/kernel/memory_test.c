/* memory_test.c - memory runs out, anywhere: nothing crashes, every call ends once, nothing is
 * leaked.
 */
#include "ktest.h"

#include <stdlib.h>
#include <string.h>

/* ---- the spare body ---- */

START_TEST(a_oneway_without_memory_is_lost_counted_and_told)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    atomic_store(&kt->world.fail_all, true);
    Ktest__Number *m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 65536);
    memset(px_msg_alloc(m, 65536), 1, 65536);
    ck_assert(!px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 66));
    m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 65536);
    ck_assert(!px_send(kt_env(alice), bob->addr, TOY_NOTE, m,
                       0)); /* about nothing: the sender's to notice */
    atomic_store(&kt->world.fail_all, false);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "lost 66 alice");
    ck_assert_uint_eq(kt_ledger(kt).lost, 2);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(the_spare_body_takes_every_attachment_and_keeps_none)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_buf *kept = kt_buf(alice, 512, 0), *given = kt_buf(alice, 512, 0);
    struct px_chain *chain = &kt_state(alice)->chain;
    ck_assert(px_chain_copy_in(kt_env(alice), chain, "bytes", 5));
    atomic_store(&kt->world.fail_all, true);
    Ktest__Number *m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 65536);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert(px_msg_attach(m, kept, 0, 512));
    }
    ck_assert(px_msg_attach_take(m, given, 0, 512));
    ck_assert_uint_eq(px_msg_attach_chain(m, chain, 5), 5);
    ck_assert(!px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    atomic_store(&kt->world.fail_all, false);
    ck_assert(px_buf_unique(kept));
    px_buf_put(kept);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(the_spare_body_may_be_handed_out_twice)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    atomic_store(&kt->world.fail_all, true);
    Ktest__Number *a = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 60000);
    uint8_t *first = px_msg_alloc(a, 10000);
    memset(first, 1, 10000);
    Ktest__Tree *b = px_msg_new_sized(kt_env(bob), &ktest__tree__descriptor, 60000);
    px_msg_trim(a, first, 5000);
    px_msg_put(b, &b->name, "name", 4);
    (void)kt_note(alice, bob, 1);
    px_msg_drop(a);
    ck_assert_ptr_nonnull(px_msg_alloc(b, 65536));
    px_msg_drop(b);
    atomic_store(&kt->world.fail_all, false);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_seal_without_memory_is_null)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    atomic_store(&kt->world.fail_all, true);
    void *m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 60000);
    ck_assert_ptr_null(px_msg_seal(kt_env(alice), m));
    atomic_store(&kt->world.fail_all, false);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_shared_send_without_memory_is_lost_and_told)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    const struct px_msg *sealed = px_msg_seal(kt_env(alice), kt_number(alice, 1));
    atomic_store(&kt->world.fail_all, true);
    unsigned sent = 0;
    while (sent < 100000 && px_send_shared(kt_env(alice), bob->addr, TOY_NOTE, sealed, 66)) {
        sent++;
    }
    atomic_store(&kt->world.fail_all, false);
    ck_assert_uint_lt(sent, 100000);
    bob->quiet = true;
    kt_settle(kt);
    ck_assert_uint_eq(bob->heard, sent + 1); /* and the loss */
    px_msg_release(sealed);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(losses_are_told_even_when_all_envelopes_for_that_are_used_up)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct kt_elem *e = kt_elem(bob, 1);
    px_pool_issue(kt_pool(bob), e, kt_peer(alice));
    bob->quiet = true;
    atomic_store(&kt->world.fail_all, true);
    for (unsigned i = 0; i < 20000; i++) {
        void *m = px_msg_new_sized(kt_env(alice), &ktest__number__descriptor, 60000);
        ck_assert(!px_send(kt_env(alice), bob->addr, TOY_NOTE, m, i + 1));
    }
    atomic_store(&kt->world.fail_all, false);
    kt_settle(kt);
    ck_assert_uint_gt(bob->heard, 0);
    ck_assert(bob->heard >= 20000 || bob->gones > 0); /* each, or all at once */
    ck_assert_uint_eq(kt_ledger(kt).lost, 20000);
    kt_expect_idle(kt, 1);
    kt_free(kt);
}
END_TEST

START_TEST(an_allowance_that_cannot_be_told_ends_the_call)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_call_id call = kt_watch(alice, bob, 1, PX_NEVER, 7);
    kt_settle(kt);
    kt_heard(bob);
    for (unsigned i = 0; i < 5000; i++) {
        px_call_more(kt_env(alice), call, 1); /* each takes an envelope of the reserve */
    }
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 NO_MEMORY");
    ck_assert_uint_eq(bob->endeds, 1);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- the nth allocation fails ---- */

enum { CALLS = 12 };

struct scene {
    struct kt_actor *alice, *bob, *carol;
    unsigned answered[3 * CALLS];
    px_call_id watch;
};

static void scene_reply(struct kt_actor *a, const struct px_msg *msg)
{
    struct scene *s = a->ctx;
    if (msg->kind == PX_KIND_ITEM) {
        px_call_more(kt_env(a), s->watch, 1);
    } else {
        ck_assert_uint_lt(msg->tag, 3 * CALLS);
        s->answered[msg->tag]++;
    }
}

/* Bob takes payload, echoes, holds every third, and gives items of what is watched. */
static void scene_bob(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_state *state = kt_state(a);
    (void)px_msg_take_payload(msg, &state->chain);
    if (msg->kind == PX_KIND_ONEWAY) {
        Ktest__Number *m = kt_number(a, kt_value(msg));
        (void)px_msg_attach_chain(m, &state->chain, 3000);
        (void)px_send(state->env, PX_PEER_ADDR(msg->from), TOY_NOTE, m, msg->tag);
    } else if (msg->method == TOY_WATCH || a->msgs % 3 == 0) {
        kt_keep(a, msg);
    } else {
        Ktest__Number *m = px_msg_new_sized(state->env, &ktest__number__descriptor, a->msgs * 300);
        (void)px_msg_attach_chain(m, &state->chain, UINT64_MAX);
        px_reply(state->env, msg, PX_OK, m);
    }
}

static void scene_more(struct kt_actor *a, uint64_t tag, uint32_t n)
{
    if (tag >= 100 && n > 0 && a->heard < 200) {
        (void)kt_item(a, kt_state(a)->held[tag - 100], n);
    }
}

static void scene_round(struct kt *kt, struct scene *s, unsigned round)
{
    struct px_env *env = kt_env(s->alice);
    for (unsigned i = round * CALLS; i < (round + 1) * CALLS; i++) {
        Ktest__Number *m = px_msg_new_sized(env, &ktest__number__descriptor, i * 100);
        struct px_buf *buf = px_buf_new(env, (size_t)100 << i % 12);
        if (buf != NULL && !px_msg_attach_take(m, buf, 0, 1 + i * 3)) {
            px_buf_put(buf);
        }
        px_call(env, s->bob->addr, TOY_ASK, m, PX_MS(10 + i), i);
        (void)kt_note_about(s->alice, s->bob, i, i + 1);
    }
    struct kt_elem *e = px_pool_get(kt_pool(s->alice));
    if (e != NULL) {
        px_sul_schedule(env, &e->sul, NULL, PX_SEC(1000));
    }
    const struct px_msg *sealed = px_msg_seal(env, kt_number(s->alice, 1));
    if (sealed != NULL) {
        (void)px_send_shared(env, s->bob->addr, TOY_NOTE, sealed, 5);
        (void)px_send_shared(env, s->carol->addr, TOY_NOTE, sealed, 5);
    }
    px_msg_release(sealed);
    kt_settle(kt);
}

/* Plays it all; the nth allocation fails (and with `lasting` all after it for a round). */
static uint64_t play(uint64_t nth, bool lasting)
{
    struct scene s = {0};
    struct kt *kt = kt_new(NULL);
    s.alice = kt_add_pooled(kt, "alice", 16, 4);
    s.bob = kt_add_pooled(kt, "bob", 16, 4);
    s.carol = kt_add(kt, "carol");
    kt_befriend(kt, s.alice, s.bob);
    kt_befriend(kt, s.alice, s.carol);
    s.alice->ctx = &s;
    s.alice->on_reply = scene_reply;
    s.bob->on_msg = scene_bob;
    s.bob->on_more = scene_more;
    kt_start(kt);
    uint64_t before = kt_ledger(kt).allocs;
    atomic_store(&kt->world.fail_nth, nth);
    s.watch = kt_watch(s.alice, s.bob, 1, PX_NEVER, 3 * CALLS - 1);
    px_call_more(kt_env(s.alice), s.watch, 1);
    for (unsigned round = 0; round < 2; round++) {
        atomic_store(&kt->world.fail_all, lasting && atomic_load(&kt->world.failed) > 0);
        scene_round(kt, &s, round);
    }
    atomic_store(&kt->world.fail_all, false);
    atomic_store(&kt->world.fail_nth, 0);
    uint64_t allocs = kt_ledger(kt).allocs - before;
    kt_advance(kt, PX_SEC(1));
    px_cancel(kt_env(s.alice), s.watch);
    kt_settle(kt);
    for (unsigned i = 0; i < 2 * CALLS; i++) {
        ck_assert_msg(s.answered[i] == 1, "call %u: %u answers when allocation %llu fails", i,
                      s.answered[i], (unsigned long long)nth);
    }
    ck_assert_uint_eq(s.answered[3 * CALLS - 1], 1);
    ck_assert_uint_le(s.bob->endeds, s.bob->msgs);
    px_service_kill(kt->kernel, s.alice->addr);
    px_service_kill(kt->kernel, s.bob->addr);
    kt_settle(kt);
    kt_expect_idle(kt, 0);
    kt_free(kt);
    return allocs;
}

START_TEST(whichever_allocation_fails_every_call_ends_once_and_nothing_leaks)
{
    uint64_t allocs = play(0, false);
    ck_assert_uint_gt(allocs, 10);
    for (uint64_t nth = 1; nth <= allocs + 20; nth++) {
        play(nth, false);
    }
}
END_TEST

START_TEST(memory_may_stay_away_for_a_while)
{
    uint64_t allocs = play(0, false);
    for (uint64_t nth = 1; nth <= allocs + 20; nth++) {
        play(nth, true);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *spare = tcase_create("spare"), *sweep = tcase_create("sweep");
    tcase_add_test(spare, a_oneway_without_memory_is_lost_counted_and_told);
    tcase_add_test(spare, the_spare_body_takes_every_attachment_and_keeps_none);
    tcase_add_test(spare, the_spare_body_may_be_handed_out_twice);
    tcase_add_test(spare, a_seal_without_memory_is_null);
    tcase_add_test(spare, a_shared_send_without_memory_is_lost_and_told);
    tcase_add_test(spare, losses_are_told_even_when_all_envelopes_for_that_are_used_up);
    tcase_add_test(spare, an_allowance_that_cannot_be_told_ends_the_call);
    tcase_add_test(sweep, whichever_allocation_fails_every_call_ends_once_and_nothing_leaks);
    tcase_add_test(sweep, memory_may_stay_away_for_a_while);
    tcase_set_timeout(sweep, 60);
    suite_add_tcase(suite, spare);
    suite_add_tcase(suite, sweep);
    return kt_run(suite);
}
