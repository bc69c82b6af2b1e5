/* pool_test.c - elements named by handles that can be stale but never dangle.
 */
#include "ktest.h"

#include <string.h>

START_TEST(an_element_is_zeroed_and_found_by_its_handle)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_pool *pool = kt_pool(alice);
    static const struct kt_elem zero;
    for (unsigned round = 0; round < 50; round++) {
        struct kt_elem *e = px_pool_get(pool);
        ck_assert_ptr_nonnull(e);
        ck_assert_int_eq(memcmp(e, &zero, sizeof zero), 0);
        px_handle h = px_handle_of(pool, e);
        ck_assert_uint_ne(h, 0);
        ck_assert_ptr_eq(px_pool_own(pool, h), e);
        memset(e, 0xff, sizeof *e);
        memset(&e->sul, 0, sizeof e->sul);
        memset(&e->want, 0, sizeof e->want);
        px_pool_put(pool, e);
        ck_assert_ptr_null(px_pool_own(pool, h));
    }
    px_pool_put(pool, NULL);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(no_handle_is_ever_given_twice)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_pool *pool = kt_pool(alice);
    px_handle seen[100];
    for (unsigned i = 0; i < 100; i++) {
        struct kt_elem *e = px_pool_get(pool);
        seen[i] = px_handle_of(pool, e);
        px_pool_put(pool, e);
        for (unsigned j = 0; j <= i; j++) {
            ck_assert_ptr_null(px_pool_own(pool, seen[j]));
            ck_assert(j == i || seen[j] != seen[i]);
        }
    }
    kt_free(kt);
}
END_TEST

START_TEST(handles_nobody_made_name_nothing)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_pool *pool = kt_pool(alice);
    px_handle h = kt_handle(alice, kt_elem(alice, 1));
    uint64_t seed = 1;
    ck_assert_ptr_null(px_pool_own(pool, 0));
    ck_assert_ptr_null(px_pool_own(pool, UINT64_MAX));
    for (unsigned bit = 0; bit < 64; bit++) {
        ck_assert_ptr_null(px_pool_own(pool, h ^ UINT64_C(1) << bit));
    }
    for (unsigned i = 0; i < 2000; i++) {
        px_handle guess = kt_random(&seed);
        ck_assert(guess == h || px_pool_own(pool, guess) == NULL);
        ck_assert(px_pool_own(pool, guess & 0xffffff) == NULL);
    }
    kt_free(kt);
}
END_TEST

START_TEST(a_pool_gives_its_limit_and_not_one_more)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 5000, 0);
    kt_start(kt);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            kt_elem(alice, i);
        }
        ck_assert_ptr_null(px_pool_get(kt_pool(alice)));
        ck_assert_uint_eq(kt_ledger(kt).elems, 5000);
        unsigned n = 0;
        struct kt_elem *e = NULL;
        while ((e = px_pool_next(kt_pool(alice), e)) != NULL) {
            n++;
        }
        ck_assert_uint_eq(n, 5000);
        while ((e = px_pool_next(kt_pool(alice), NULL)) != NULL) {
            px_pool_put(kt_pool(alice), e);
        }
        kt_expect_idle(kt, 0);
    }
    kt_free(kt);
}
END_TEST

START_TEST(a_pool_of_one_is_a_pool)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 1, 0);
    kt_start(kt);
    struct kt_elem *e = kt_elem(alice, 1);
    ck_assert_ptr_null(px_pool_get(kt_pool(alice)));
    px_pool_put(kt_pool(alice), e);
    kt_elem(alice, 2);
    kt_free(kt);
}
END_TEST

static void try_sizes(struct kt_actor *a)
{
    struct kt_state *s = kt_state(a);
    ck_assert_int_eq(px_pool_init(&s->pool, s->env, 40, (1u << 24) - 1, 0), PX_EOK);
    struct px_ledger l;
    px_kernel_ledger(a->kt->kernel, &l);
    ck_assert_uint_lt(l.mem, 4 * 1024 * 1024); /* what nobody uses costs next to nothing */
}

START_TEST(the_largest_pool_costs_little_until_it_is_used)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice");
    alice->on_init = try_sizes;
    kt_start(kt);
    kt_free(kt);
}
END_TEST

START_TEST(elements_are_walked_in_index_order_while_they_come_and_go)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_pool *pool = kt_pool(alice);
    struct kt_elem *elems[16];
    ck_assert_ptr_null(px_pool_next(pool, NULL));
    for (unsigned i = 0; i < 16; i++) {
        elems[i] = kt_elem(alice, i);
    }
    px_pool_put(pool, elems[0]);
    px_pool_put(pool, elems[7]);
    px_pool_put(pool, elems[15]);
    unsigned n = 0;
    uint32_t last = 0;
    for (struct kt_elem *e = NULL; (e = px_pool_next(pool, e)) != NULL; n++) {
        uint32_t index = (uint32_t)(px_handle_of(pool, e) & 0xffffff);
        ck_assert(n == 0 || index > last);
        last = index;
        ck_assert(e != elems[0] && e != elems[7] && e != elems[15]);
    }
    ck_assert_uint_eq(n, 13);
    for (struct kt_elem *e = NULL, *next = px_pool_next(pool, NULL); (e = next) != NULL;) {
        next = px_pool_next(pool, e);
        px_pool_put(pool, e);
    }
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- owners ---- */

/* What at and of find for the message that just came: "at N of M", 0 for NULL. */
static void look_up(struct kt_actor *a, const struct px_msg *msg)
{
    const struct kt_elem *at = px_pool_at(kt_pool(a), msg);
    const struct kt_elem *of = px_pool_of(kt_pool(a), msg, kt_value(msg));
    kt_say(a, "at %llu of %llu", at != NULL ? (unsigned long long)at->n : 0,
           of != NULL ? (unsigned long long)of->n : 0);
}

static struct kt *three(struct kt_actor **alice, struct kt_actor **bob, struct kt_actor **carol)
{
    struct kt *kt = kt_new(NULL);
    *alice = kt_add_pooled(kt, "alice", 16, 0);
    *bob = kt_add(kt, "bob");
    *carol = kt_add(kt, "carol");
    kt_befriend(kt, *alice, *bob);
    kt_befriend(kt, *alice, *carol);
    (*alice)->on_msg = look_up;
    kt_start(kt);
    return kt;
}

static const char *asked_by(struct kt *kt, struct kt_actor *from, struct kt_actor *alice,
                            px_handle h)
{
    ck_assert(px_send(kt_env(from), alice->addr, TOY_NOTE, kt_number(from, h), h));
    kt_settle(kt);
    const char *heard = kt_heard(alice);
    return strstr(heard, "at ");
}

START_TEST(a_handle_is_good_for_the_peer_it_was_issued_to_and_no_other)
{
    struct kt_actor *alice, *bob, *carol;
    struct kt *kt = three(&alice, &bob, &carol);
    struct kt_elem *e = kt_elem(alice, 7);
    px_handle own = kt_handle(alice, e);
    ck_assert_uint_eq(px_pool_owner(kt_pool(alice), e), 0);
    ck_assert_str_eq(asked_by(kt, bob, alice, own), "at 0 of 0"); /* never issued */
    px_handle h = px_pool_issue(kt_pool(alice), e, kt_peer(bob));
    ck_assert_uint_eq(px_pool_owner(kt_pool(alice), e), kt_peer(bob));
    ck_assert_str_eq(asked_by(kt, bob, alice, h), "at 7 of 7");
    ck_assert_str_eq(asked_by(kt, carol, alice, h), "at 0 of 0");
    ck_assert_ptr_eq(px_pool_own(kt_pool(alice), h), e);
    kt_free(kt);
}
END_TEST

START_TEST(a_handle_issued_again_is_good_for_the_new_owner_alone)
{
    struct kt_actor *alice, *bob, *carol;
    struct kt *kt = three(&alice, &bob, &carol);
    struct kt_elem *e = kt_elem(alice, 7);
    px_handle first = px_pool_issue(kt_pool(alice), e, kt_peer(bob));
    px_handle second = px_pool_issue(kt_pool(alice), e, kt_peer(carol));
    ck_assert_str_eq(asked_by(kt, bob, alice, first), "at 0 of 0");
    ck_assert_str_eq(asked_by(kt, bob, alice, second), "at 0 of 0");
    ck_assert_str_eq(asked_by(kt, carol, alice, second), "at 7 of 7");
    kt_free(kt);
}
END_TEST

START_TEST(the_handle_of_an_element_put_back_is_stale_for_everyone)
{
    struct kt_actor *alice, *bob, *carol;
    struct kt *kt = three(&alice, &bob, &carol);
    struct kt_elem *e = kt_elem(alice, 7);
    px_handle h = px_pool_issue(kt_pool(alice), e, kt_peer(bob));
    px_pool_put(kt_pool(alice), e);
    ck_assert_str_eq(asked_by(kt, bob, alice, h), "at 0 of 0");
    struct kt_elem *next = kt_elem(alice, 8); /* the same place */
    ck_assert_uint_eq(px_pool_owner(kt_pool(alice), next), 0);
    ck_assert_str_eq(asked_by(kt, bob, alice, h), "at 0 of 0");
    px_pool_issue(kt_pool(alice), next, kt_peer(bob));
    ck_assert_str_eq(asked_by(kt, bob, alice, h), "at 0 of 0");
    ck_assert_str_eq(asked_by(kt, bob, alice, 0), "at 0 of 0");
    kt_free(kt);
}
END_TEST

/* ---- calls of elements, memory ---- */

START_TEST(an_element_without_reserved_calls_is_not_given)
{
    struct px_kernel_config config = {.calls_max = 200};
    struct kt *kt = kt_new(&config);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 100, 10), *bob = kt_add(kt, "bob");
    alice->service.calls_max = 1;
    bob->service.calls_max = 0;
    kt_befriend(kt, alice, bob);
    kt_start(kt);
    unsigned n = 0;
    while (px_pool_get(kt_pool(alice)) != NULL) {
        n++;
    }
    ck_assert_uint_ge(n, 19);
    ck_assert_uint_le(n, 25); /* the table may be rounded up to a chunk */
    ck_assert_uint_eq(kt_ledger(kt).calls_reserved, 1 + 10 * n);
    ck_assert_uint_eq(kt_ledger(kt).elems, n);
    px_pool_put(kt_pool(alice), px_pool_next(kt_pool(alice), NULL));
    ck_assert_ptr_nonnull(px_pool_get(kt_pool(alice)));
    ck_assert_ptr_null(px_pool_get(kt_pool(alice)));
    kt_free(kt);
}
END_TEST

START_TEST(every_call_of_every_element_can_be_made_at_once)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 100, 10), *bob = kt_add(kt, "bob");
    kt_befriend(kt, alice, bob);
    bob->on_msg = kt_echo;
    alice->quiet = bob->quiet = true;
    kt_start(kt);
    for (unsigned i = 0; i < 100; i++) {
        kt_elem(alice, i);
    }
    uint64_t allocs = kt_ledger(kt).allocs;
    atomic_store(&kt->world.fail_all, true); /* the entries were reserved */
    for (unsigned i = 0; i < 1000; i++) {
        kt_ask(alice, bob, i, PX_MS(1), i);
    }
    kt_settle(kt);
    atomic_store(&kt->world.fail_all, false);
    ck_assert_uint_eq(kt_ledger(kt).allocs, allocs);
    ck_assert_uint_eq(alice->replies, 1000);
    kt_expect_idle(kt, 100);
    kt_free(kt);
}
END_TEST

START_TEST(a_call_may_outlive_its_element)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 2, 3), *bob = kt_add(kt, "bob");
    alice->service.calls_max = 0;
    kt_befriend(kt, alice, bob);
    kt_start(kt);
    for (unsigned round = 0; round < 20; round++) {
        struct kt_elem *e = kt_elem(alice, round);
        px_handle h = kt_handle(alice, e);
        px_call_id call = kt_ask(alice, bob, round, PX_NEVER, h);
        kt_ask(alice, bob, round, PX_MS(10), h);
        px_pool_put(kt_pool(alice), e); /* as a service does behind px_cancel */
        px_cancel(kt_env(alice), call);
        kt_advance(kt, PX_MS(10));
        ck_assert_ptr_null(px_pool_own(kt_pool(alice), h));
        kt_release_all(bob);
    }
    ck_assert_uint_eq(alice->replies, 40);
    ck_assert_uint_eq(kt_ledger(kt).calls_reserved, 64); /* bob's */
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(without_memory_there_is_no_element_and_later_there_is)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 100000, 2);
    kt_start(kt);
    unsigned n = 0;
    atomic_store(&kt->world.fail_all, true);
    while (n < 100000 && px_pool_get(kt_pool(alice)) != NULL) {
        n++;
    }
    ck_assert_uint_lt(n, 100000);
    ck_assert_ptr_null(px_pool_get(kt_pool(alice)));
    atomic_store(&kt->world.fail_all, false);
    for (unsigned i = 0; i < 5000; i++) {
        kt_elem(alice, i);
    }
    ck_assert_uint_eq(kt_ledger(kt).elems, n + 5000);
    kt_free(kt);
}
END_TEST

START_TEST(elements_do_not_move_when_a_pool_grows)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 20000, 0);
    kt_start(kt);
    struct kt_elem *first = kt_elem(alice, 1);
    px_handle h = kt_handle(alice, first);
    px_sul_schedule(kt_env(alice), &first->sul, NULL, PX_SEC(1));
    for (unsigned i = 0; i < 19999; i++) {
        struct kt_elem *e = kt_elem(alice, i);
        if ((uintptr_t)e % 8 != 0) {
            ck_abort_msg("element %u is not aligned", i);
        }
    }
    ck_assert_ptr_eq(px_pool_own(kt_pool(alice), h), first);
    px_sul_cancel(kt_env(alice), &first->sul);
    kt_free(kt);
}
END_TEST

START_TEST(a_slot_whose_generation_would_wrap_is_retired)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add_pooled(kt, "alice", 2, 1);
    kt_start(kt);
    struct px_pool *pool = kt_pool(alice);
    struct kt_elem *e = kt_elem(alice, 1);
    px_handle last = kt_handle(alice, e) | ~UINT64_C(0xffffff);
    px_handle *slot = (px_handle *)(void *)e - 2; /* the head of its slot: as after 2^40 uses */
    ck_assert_uint_eq(*slot, kt_handle(alice, e));
    *slot = last;
    ck_assert_ptr_eq(px_pool_own(pool, last), e);
    px_pool_put(pool, e);
    ck_assert_uint_eq(pool->retired, 1);
    ck_assert_ptr_null(px_pool_own(pool, last));
    ck_assert_ptr_null(px_pool_own(pool, last & 0xffffff));
    ck_assert_ptr_nonnull(px_pool_get(pool)); /* the other one */
    ck_assert_ptr_null(px_pool_get(pool));
    unsigned n = 0;
    for (void *at = NULL; (at = px_pool_next(pool, at)) != NULL; n++) {
        ck_assert_ptr_ne(at, e);
    }
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(kt_ledger(kt).calls_reserved, 64 + 1);
    kt_free(kt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *elems = tcase_create("elements"), *owners = tcase_create("owners");
    TCase *limits = tcase_create("limits");
    tcase_add_test(elems, an_element_is_zeroed_and_found_by_its_handle);
    tcase_add_test(elems, no_handle_is_ever_given_twice);
    tcase_add_test(elems, handles_nobody_made_name_nothing);
    tcase_add_test(elems, elements_are_walked_in_index_order_while_they_come_and_go);
    tcase_add_test(elems, elements_do_not_move_when_a_pool_grows);
    tcase_add_test(owners, a_handle_is_good_for_the_peer_it_was_issued_to_and_no_other);
    tcase_add_test(owners, a_handle_issued_again_is_good_for_the_new_owner_alone);
    tcase_add_test(owners, the_handle_of_an_element_put_back_is_stale_for_everyone);
    tcase_add_test(limits, a_pool_gives_its_limit_and_not_one_more);
    tcase_add_test(limits, a_pool_of_one_is_a_pool);
    tcase_add_test(limits, the_largest_pool_costs_little_until_it_is_used);
    tcase_add_test(limits, a_slot_whose_generation_would_wrap_is_retired);
    tcase_add_test(limits, an_element_without_reserved_calls_is_not_given);
    tcase_add_test(limits, every_call_of_every_element_can_be_made_at_once);
    tcase_add_test(limits, a_call_may_outlive_its_element);
    tcase_add_test(limits, without_memory_there_is_no_element_and_later_there_is);
    suite_add_tcase(suite, elems);
    suite_add_tcase(suite, owners);
    suite_add_tcase(suite, limits);
    return kt_run(suite);
}
