/* payload_test.c - buffers, slices, exclusive and shared, chains.
 */
#include "ktest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t slices_of(const struct px_msg *msg, const struct px_slice **ret)
{
    return px_msg_payload(msg, ret);
}

/* One note with one slice [off, off + len) of a buffer, exclusive, from alice to bob. */
static void send_slice(struct kt_actor *from, struct kt_actor *to, size_t cap, uint64_t off,
                       uint32_t len)
{
    Ktest__Number *m = kt_number(from, 1);
    ck_assert(px_msg_attach_take(m, kt_buf(from, cap, 0), off, len));
    ck_assert_uint_eq(px_msg_attached(m), len);
    ck_assert(px_send(kt_env(from), to->addr, TOY_NOTE, m, 0));
}

/* ---- buffers ---- */

START_TEST(a_buffer_has_at_least_the_size_asked_for)
{
    static const size_t caps[] = {
        1, 511, 512, 513, 4095, 4096, 4097, 16384, 16385, 65536, 65537, 1000000, 16 * 1024 * 1024};
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (unsigned i = 0; i < sizeof caps / sizeof *caps; i++) {
        struct px_buf *buf = px_buf_new(kt_env(alice), caps[i]);
        ck_assert_ptr_nonnull(buf);
        ck_assert_uint_ge(px_buf_cap(buf), caps[i]);
        ck_assert_int_eq(px_buf_fd(buf), -1);
        ck_assert(px_buf_unique(buf));
        memset(px_buf_data(buf), 0x5a, px_buf_cap(buf));
        ck_assert_uint_eq(kt_ledger(kt).bufs, 1);
        px_buf_put(buf);
        kt_expect_idle(kt, 0);
    }
    px_buf_put(NULL);
    kt_free(kt);
}
END_TEST

START_TEST(the_named_sizes_are_sizes_of_buffers)
{
    static const size_t caps[] = {PX_BUF_SMALL, PX_BUF_KIBI, PX_BUF_MEDIUM, PX_BUF_LARGE,
                                  PX_BUF_HUGE};
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        struct px_buf *buf = px_buf_new(kt_env(alice), caps[i]);
        ck_assert_uint_eq(px_buf_cap(buf), caps[i]);
        px_buf_put(buf);
        uint64_t before = kt_ledger(kt).allocs;
        buf = px_buf_new(kt_env(alice), caps[i]); /* from the free list */
        ck_assert_uint_eq(kt_ledger(kt).allocs, before);
        px_buf_put(buf);
    }
    kt_free(kt);
}
END_TEST

START_TEST(no_memory_for_a_buffer_is_said)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    atomic_store(&kt->world.fail_all, true);
    ck_assert_ptr_null(px_buf_new(kt_env(alice), 100000));
    atomic_store(&kt->world.fail_all, false);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void close_it(int fd)
{
    close(fd);
}

START_TEST(a_file_buffer_closes_its_file_when_the_last_slice_ends)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    int fd = open("/dev/null", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    struct px_buf *buf = px_buf_from_fd(kt_env(alice), fd, close_it);
    ck_assert_ptr_nonnull(buf);
    ck_assert_int_eq(px_buf_fd(buf), fd);
    ck_assert_ptr_null(px_buf_data(buf));
    ck_assert_uint_eq(px_buf_cap(buf), 0);
    bob->on_msg = kt_keep;
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert(px_msg_attach(m, buf, UINT64_C(1) << 40, 1000000));
    px_buf_put(buf);
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 1 len 1000000");
    const struct px_slice *slices;
    ck_assert_uint_eq(slices_of(kt_state(bob)->held[0], &slices), 1);
    ck_assert(slices[0].flags & PX_SLICE_FILE);
    ck_assert_uint_eq(slices[0].off, UINT64_C(1) << 40);
    ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
    kt_release_all(bob);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_file_stays_the_callers_when_there_is_no_memory_for_its_buffer)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    int fd = open("/dev/null", O_RDONLY);
    atomic_store(&kt->world.fail_all, true);
    ck_assert_ptr_null(px_buf_from_fd(kt_env(alice), fd, close_it));
    atomic_store(&kt->world.fail_all, false);
    ck_assert_int_eq(close(fd), 0);
    kt_free(kt);
}
END_TEST

/* ---- attaching ---- */

static void count_slices(struct kt_actor *a, const struct px_msg *msg)
{
    const struct px_slice *slices;
    uint32_t n = slices_of(msg, &slices);
    ck_assert_uint_eq(n, PX_SLICES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_uint_eq(slices[i].len, i + 1);
        ck_assert_uint_eq(slices[i].ptr[0], i);
        ck_assert_uint_eq(slices[i].flags & PX_SLICE_FILE, 0);
    }
    (void)a;
}

START_TEST(eight_slices_fit_and_the_ninth_does_not)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = count_slices;
    Ktest__Number *m = kt_number(alice, 1);
    struct px_buf *buf = kt_buf(alice, 512, 0);
    for (uint32_t i = 0; i < PX_SLICES_MAX; i++) {
        ck_assert(px_msg_attach(m, buf, i, i + 1));
    }
    ck_assert(!px_msg_attach(m, buf, 0, 1));
    ck_assert(!px_msg_attach_take(m, buf, 0, 1)); /* and it is still ours */
    ck_assert_uint_eq(px_msg_attached(m), 36);
    px_buf_put(buf);
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(bob), "note 1 len 36");
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_dropped_body_lets_its_buffers_go)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    Ktest__Number *m = kt_number(alice, 1);
    struct px_buf *kept = kt_buf(alice, 512, 0);
    ck_assert(px_msg_attach(m, kept, 0, 512));
    ck_assert(!px_buf_unique(kept));
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 100, 0), 0, 100));
    ck_assert_uint_eq(kt_ledger(kt).bufs, 2);
    px_msg_drop(m);
    ck_assert_uint_eq(kt_ledger(kt).bufs, 1);
    ck_assert(px_buf_unique(kept));
    px_buf_put(kept);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* What flags the slices of the last message had. */
static void see_flags(struct kt_actor *a, const struct px_msg *msg)
{
    const struct px_slice *slices;
    uint32_t n = slices_of(msg, &slices);
    uint32_t *flags = a->ctx;
    for (uint32_t i = 0; i < n; i++) {
        flags[i] = slices[i].flags;
    }
}

START_TEST(a_buffer_given_away_is_exclusive_and_one_referred_to_is_shared)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    uint32_t flags[PX_SLICES_MAX] = {0};
    bob->on_msg = see_flags;
    bob->ctx = flags;
    Ktest__Number *m = kt_number(alice, 1);
    struct px_buf *kept = kt_buf(alice, 512, 0);
    ck_assert(px_msg_attach(m, kept, 0, 512));
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 512, 0), 0, 512));
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_settle(kt);
    ck_assert_uint_eq(flags[0], PX_SLICE_SHARED);
    ck_assert_uint_eq(flags[1], 0);
    px_buf_put(kept);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void attach_all_onwards(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_actor *to = a->ctx;
    Ktest__Number *m = kt_number(a, 2);
    px_msg_attach_all(m, msg);
    const struct px_slice *slices;
    ck_assert_uint_eq(slices_of(msg, &slices), 1);
    ck_assert_uint_eq(slices[0].flags, PX_SLICE_SHARED);
    ck_assert(px_send(kt_env(a), to->addr, TOY_NOTE, m, 0));
}

START_TEST(payload_attached_from_a_message_is_shared_and_not_copied)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    uint32_t flags[PX_SLICES_MAX] = {0};
    bob->on_msg = attach_all_onwards;
    bob->ctx = alice;
    alice->on_msg = see_flags;
    alice->ctx = flags;
    send_slice(alice, bob, 4096, 0, 4096);
    ck_assert_uint_eq(kt_ledger(kt).bufs, 1);
    kt_turn(kt);
    ck_assert_uint_le(kt_ledger(kt).bufs, 1);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "note 2 len 4096");
    ck_assert_uint_eq(flags[0], PX_SLICE_SHARED);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(all_slices_of_what_is_sent_shared_are_shared)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    uint32_t flags[PX_SLICES_MAX] = {0};
    bob->on_msg = see_flags;
    bob->ctx = flags;
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 512, 0), 0, 512));
    const struct px_msg *sealed = px_msg_seal(kt_env(alice), m);
    ck_assert(px_send_shared(kt_env(alice), bob->addr, TOY_NOTE, sealed, 0));
    kt_settle(kt);
    ck_assert_uint_eq(flags[0], PX_SLICE_SHARED);
    px_msg_release(sealed);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- taking and holding ---- */

static void take(struct kt_actor *a, const struct px_msg *msg)
{
    ck_assert(px_msg_take_payload(msg, &kt_state(a)->chain));
    ck_assert_uint_eq(px_msg_payload_len(msg), 0);
}

static void hold_then_take(struct kt_actor *a, const struct px_msg *msg)
{
    kt_keep(a, msg);
    take(a, kt_state(a)->held[0]);
}

START_TEST(an_exclusive_slice_stays_so_when_it_is_taken_and_may_be_written)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = take;
    send_slice(alice, bob, 4096, 1000, 3000);
    send_slice(alice, bob, 4096, 0, 1024); /* exactly a quarter: not copied */
    kt_settle(kt);
    struct px_chain *chain = &kt_state(bob)->chain;
    ck_assert_uint_eq(chain->len, 4024);
    struct px_slice *first = px_chain_first(chain);
    ck_assert_uint_eq(first->flags, 0);
    ck_assert_uint_eq(first->len, 3000);
    ck_assert_ptr_eq(first->ptr, px_buf_data(first->buf) + 1000);
    ck_assert_uint_eq(first->ptr[0], 1000 & 0xff);
    memset(first->ptr, 0, first->len);
    struct px_slice *second = px_chain_next(first);
    ck_assert_uint_eq(px_buf_cap(second->buf), 4096);
    ck_assert_ptr_null(px_chain_next(second));
    struct px_ledger bobs;
    px_service_ledger(kt->kernel, bob->addr, &bobs);
    ck_assert_uint_eq(bobs.pieces, 2);
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(what_was_held_is_shared_when_it_is_taken)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = hold_then_take;
    send_slice(alice, bob, 4096, 0, 4096);
    kt_settle(kt);
    struct px_chain *chain = &kt_state(bob)->chain;
    ck_assert_uint_eq(px_chain_first(chain)->flags, PX_SLICE_SHARED);
    ck_assert_uint_eq(chain->len, 4096);
    kt_release_all(bob);
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void check_bytes(const struct px_slice *s, uint8_t first)
{
    for (uint32_t i = 0; i < s->len; i++) {
        if (s->ptr[i] != (uint8_t)(first + i)) {
            ck_abort_msg("byte %u is not as it was sent", (unsigned)i);
        }
    }
}

START_TEST(a_small_slice_of_a_large_buffer_is_copied_when_it_is_taken)
{
    static const struct {
        size_t cap;
        uint32_t len;
        size_t copy_cap;
    } cases[] = {
        {65536, 16383, 16384}, {65536, 16384, 65536}, {65536, 4097, 16384}, {65536, 4096, 4096},
        {65536, 1024, 1024},   {65536, 1025, 4096},   {1024, 255, 512},     {1024, 256, 1024},
        {65536, 513, 1024},    {65536, 512, 512},     {65536, 1, 512},      {16384, 4095, 4096},
        {16384, 4096, 16384},  {4096, 1023, 1024},    {4096, 512, 512},     {512, 1, 512},
    };
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = take;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        send_slice(alice, bob, cases[i].cap, 5 < cases[i].cap - cases[i].len ? 5 : 0, cases[i].len);
        kt_settle(kt);
        struct px_slice *s = px_chain_first(&kt_state(bob)->chain);
        ck_assert_uint_eq(px_buf_cap(s->buf), cases[i].copy_cap);
        ck_assert_uint_eq(s->flags, 0);
        check_bytes(s, 5);
        ck_assert_uint_eq(kt_ledger(kt).bufs, 1);
        px_chain_clear(&kt_state(bob)->chain);
        kt_expect_idle(kt, 0);
    }
    kt_free(kt);
}
END_TEST

START_TEST(a_small_slice_of_a_large_buffer_is_copied_when_it_is_held)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_keep;
    send_slice(alice, bob, 65536, 7, 100);
    send_slice(alice, bob, 65536, 0, 65536);
    kt_settle(kt);
    const struct px_slice *slices;
    ck_assert_uint_eq(slices_of(kt_state(bob)->held[0], &slices), 1);
    ck_assert_uint_eq(px_buf_cap(slices[0].buf), 512);
    ck_assert_uint_eq(slices[0].len, 100);
    check_bytes(&slices[0], 7);
    ck_assert_uint_eq(slices_of(kt_state(bob)->held[1], &slices), 1);
    ck_assert_uint_eq(px_buf_cap(slices[0].buf), 65536);
    ck_assert_uint_eq(slices[0].flags & PX_SLICE_SHARED, PX_SLICE_SHARED);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(without_memory_for_the_copy_a_hold_keeps_the_large_buffer)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = kt_keep;
    send_slice(alice, bob, 65536, 7, 100);
    atomic_store(&kt->world.fail_all, true);
    kt_settle(kt);
    atomic_store(&kt->world.fail_all, false);
    const struct px_slice *slices;
    ck_assert_uint_eq(slices_of(kt_state(bob)->held[0], &slices), 1);
    ck_assert_uint_eq(slices[0].len, 100);
    check_bytes(&slices[0], 7);
    kt_release_all(bob);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void fail_to_take(struct kt_actor *a, const struct px_msg *msg)
{
    atomic_store(&a->kt->world.fail_all, true);
    struct px_chain chain = {0};
    bool taken = px_msg_take_payload(msg, &chain);
    atomic_store(&a->kt->world.fail_all, false);
    ck_assert(!taken);
    ck_assert_uint_eq(chain.len, 0);
    ck_assert_ptr_null(px_chain_first(&chain));
    ck_assert_uint_eq(px_msg_payload_len(msg), 600);
    take(a, msg);
}

START_TEST(a_failed_take_moves_nothing_and_can_be_repeated)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = fail_to_take;
    Ktest__Number *m = kt_number(alice, 1);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert(px_msg_attach_take(m, kt_buf(alice, 65536, 0), 0, 100));
    }
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_settle(kt);
    ck_assert_uint_eq(kt_state(bob)->chain.len, 600);
    px_chain_clear(&kt_state(bob)->chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_block_used_again_after_its_slices_were_taken_is_whole)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = take;
    for (unsigned n = PX_SLICES_MAX; n > 0; n--) {
        Ktest__Number *m = kt_number(alice, n);
        for (unsigned i = 0; i < n; i++) {
            ck_assert(px_msg_attach_take(m, kt_buf(alice, 512, 0), 0, 200));
            ck_assert_uint_eq(m->value, n);
        }
        ck_assert_ptr_eq(m->base.descriptor, &ktest__number__descriptor);
        ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
        kt_settle(kt);
        ck_assert_uint_eq(kt_state(bob)->chain.len, n * 200);
        px_chain_clear(&kt_state(bob)->chain);
    }
    ck_assert_uint_eq(bob->heard, PX_SLICES_MAX);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- chains ---- */

static void fill_chain(struct kt_actor *a, struct px_chain *chain, unsigned n, uint32_t len)
{
    for (unsigned i = 0; i < n; i++) {
        struct px_buf *buf = kt_buf(a, 4096, (uint8_t)(i * len));
        ck_assert(px_chain_append(kt_env(a), chain, buf, 0, len, 0));
        px_buf_put(buf);
    }
}

static void expect_chain(const struct px_chain *chain, uint64_t len, uint8_t first)
{
    uint8_t bytes[16384];
    ck_assert_uint_eq(chain->len, len);
    ck_assert_uint_eq(px_chain_peek(chain, bytes, sizeof bytes), len);
    for (uint64_t i = 0; i < len; i++) {
        if (bytes[i] != (uint8_t)(first + i)) {
            ck_abort_msg("byte %u is not as it was put in", (unsigned)i);
        }
    }
}

START_TEST(a_chain_is_peeked_and_consumed_from_the_front)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    ck_assert_ptr_null(px_chain_first(chain));
    fill_chain(alice, chain, 4, 100);
    expect_chain(chain, 400, 0);
    uint8_t some[3];
    ck_assert_uint_eq(px_chain_peek(chain, some, 3), 3);
    ck_assert_uint_eq(some[2], 2);
    px_chain_consume(chain, 0);
    px_chain_consume(chain, 99);
    expect_chain(chain, 301, 99);
    px_chain_consume(chain, 1);
    expect_chain(chain, 300, 100);
    ck_assert_uint_eq(kt_ledger(kt).pieces, 3);
    px_chain_consume(chain, 150);
    expect_chain(chain, 150, 250);
    px_chain_consume(chain, 150);
    ck_assert_ptr_null(px_chain_first(chain));
    ck_assert_uint_eq(chain->len, 0);
    kt_expect_idle(kt, 0);
    fill_chain(alice, chain, 2, 10); /* and is as good as new */
    expect_chain(chain, 20, 0);
    px_chain_clear(chain);
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(copied_bytes_join_a_chain_behind_the_others)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain, other = {0};
    uint8_t bytes[10000];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    for (uint32_t done = 0, len = 1; done < sizeof bytes; done += len) {
        len = done + 700 > sizeof bytes ? (uint32_t)sizeof bytes - done : done % 700 + 1;
        ck_assert(px_chain_copy_in(kt_env(alice), chain, bytes + done, len));
    }
    expect_chain(chain, 10000, 0);
    px_chain_join(&other, chain);
    ck_assert_uint_eq(chain->len, 0);
    ck_assert_ptr_null(px_chain_first(chain));
    expect_chain(&other, 10000, 0);
    ck_assert(px_chain_copy_in(kt_env(alice), chain, bytes + 16, 1000));
    px_chain_join(&other, chain);
    px_chain_join(&other, chain); /* an empty one adds nothing */
    expect_chain(&other, 11000, 0);
    ck_assert(px_chain_copy_in(kt_env(alice), &other, bytes, 0) || true);
    expect_chain(&other, 11000, 0);
    px_chain_clear(&other);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_large_copy_goes_into_a_chain_whole_or_not_at_all)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    uint8_t *bytes = calloc(1, 300000);
    bool copied = false;
    ck_assert(px_chain_copy_in(kt_env(alice), chain, bytes, 10));
    for (uint64_t nth = 1; !copied; nth++) {
        ck_assert_uint_lt(nth, 1000);
        atomic_store(&kt->world.fail_nth, nth);
        copied = px_chain_copy_in(kt_env(alice), chain, bytes, 300000);
        ck_assert_uint_eq(chain->len, copied ? 300010 : 10);
        atomic_store(&kt->world.fail_nth, 0);
    }
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    free(bytes);
    kt_free(kt);
}
END_TEST

START_TEST(an_append_without_memory_changes_nothing)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    struct px_buf *buf = kt_buf(alice, 512, 0);
    atomic_store(&kt->world.fail_all, true);
    unsigned n = 0;
    while (n < 100000 && px_chain_append(kt_env(alice), chain, buf, 0, 1, PX_SLICE_SHARED)) {
        n++; /* what the free list holds */
    }
    atomic_store(&kt->world.fail_all, false);
    ck_assert_uint_lt(n, 100000);
    ck_assert_uint_eq(chain->len, n);
    px_chain_clear(chain);
    ck_assert(px_buf_unique(buf));
    px_buf_put(buf);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(peeking_stops_at_a_file)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    fill_chain(alice, chain, 1, 50);
    struct px_buf *file = px_buf_from_fd(kt_env(alice), open("/dev/null", O_RDONLY), close_it);
    ck_assert(
        px_chain_append(kt_env(alice), chain, file, 4096, 1000, PX_SLICE_FILE | PX_SLICE_SHARED));
    px_buf_put(file);
    ck_assert_uint_eq(chain->len, 1050);
    uint8_t bytes[2000];
    ck_assert_uint_eq(px_chain_peek(chain, bytes, sizeof bytes), 50);
    px_chain_consume(chain, 60);
    ck_assert_uint_eq(px_chain_first(chain)->off, 4106);
    ck_assert_uint_eq(px_chain_first(chain)->len, 990);
    ck_assert_uint_eq(px_chain_peek(chain, bytes, sizeof bytes), 0);
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_chain_moves_into_messages_as_far_as_their_slices_go)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    bob->on_msg = take;
    fill_chain(alice, chain, 20, 100);
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert_uint_eq(px_msg_attach_chain(m, chain, 0), 0);
    ck_assert_uint_eq(px_msg_attach_chain(m, chain, 350), 350); /* splits the fourth */
    ck_assert_uint_eq(chain->len, 1650);
    ck_assert_uint_eq(px_msg_attach_chain(m, chain, UINT64_MAX), 350); /* four slices were left */
    ck_assert_uint_eq(px_msg_attach_chain(m, chain, UINT64_MAX), 0);
    ck_assert_uint_eq(px_msg_attached(m), 700);
    ck_assert_uint_eq(chain->len, 1300);
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    while (chain->len > 0) {
        m = kt_number(alice, 2);
        ck_assert_uint_gt(px_msg_attach_chain(m, chain, 333), 0);
        ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    }
    kt_settle(kt);
    expect_chain(&kt_state(bob)->chain, 2000, 0);
    px_chain_clear(&kt_state(bob)->chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_split_slice_is_exclusive_on_both_sides)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    bob->on_msg = take;
    fill_chain(alice, chain, 1, 4000);
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert_uint_eq(px_msg_attach_chain(m, chain, 2000), 2000);
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 0));
    kt_settle(kt);
    struct px_slice *ours = px_chain_first(chain), *theirs = px_chain_first(&kt_state(bob)->chain);
    ck_assert_uint_eq(ours->flags, 0);
    ck_assert_uint_eq(theirs->flags, 0);
    memset(theirs->ptr, 0xff, theirs->len); /* disjoint: writing one leaves the other alone */
    expect_chain(chain, 2000, (uint8_t)2000);
    px_chain_clear(&kt_state(bob)->chain);
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void random_step(struct kt_actor *a, struct px_chain *chain, uint64_t *seed, uint64_t *end,
                        uint64_t *start)
{
    uint64_t r = kt_random(seed), len = r / 8 % 3000 + 1;
    if (r % 4 == 0) {
        uint8_t bytes[3000];
        for (uint64_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)(*end + i);
        }
        ck_assert(px_chain_copy_in(kt_env(a), chain, bytes, (size_t)len));
        *end += len;
    } else if (r % 4 == 1) {
        struct px_buf *buf = kt_buf(a, 4096, (uint8_t)*end);
        ck_assert(
            px_chain_append(kt_env(a), chain, buf, 0, (uint32_t)len, r & 64 ? PX_SLICE_SHARED : 0));
        px_buf_put(buf);
        *end += len;
    } else {
        len = len > chain->len ? chain->len : len;
        px_chain_consume(chain, len);
        *start += len;
    }
}

START_TEST(a_chain_is_a_queue_of_bytes_whatever_is_done_to_it)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_chain *chain = &kt_state(alice)->chain;
    uint64_t seed = 7, start = 0, end = 0;
    for (unsigned i = 0; i < 3000; i++) {
        random_step(alice, chain, &seed, &end, &start);
        ck_assert_uint_eq(chain->len, end - start);
        uint8_t byte = 0;
        if (px_chain_peek(chain, &byte, 1) == 1) {
            ck_assert_uint_eq(byte, (uint8_t)start);
        }
        uint64_t sum = 0;
        for (struct px_slice *s = px_chain_first(chain); s != NULL; s = px_chain_next(s)) {
            ck_assert_uint_ge(s->len, 1);
            ck_assert_uint_eq(s->ptr[0], (uint8_t)(start + sum));
            sum += s->len;
        }
        ck_assert_uint_eq(sum, chain->len);
    }
    px_chain_clear(chain);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

static void add_chain_tests(TCase *chains)
{
    tcase_add_test(chains, a_chain_is_peeked_and_consumed_from_the_front);
    tcase_add_test(chains, copied_bytes_join_a_chain_behind_the_others);
    tcase_add_test(chains, a_large_copy_goes_into_a_chain_whole_or_not_at_all);
    tcase_add_test(chains, an_append_without_memory_changes_nothing);
    tcase_add_test(chains, peeking_stops_at_a_file);
    tcase_add_test(chains, a_chain_moves_into_messages_as_far_as_their_slices_go);
    tcase_add_test(chains, a_split_slice_is_exclusive_on_both_sides);
    tcase_add_test(chains, a_chain_is_a_queue_of_bytes_whatever_is_done_to_it);
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *buffers = tcase_create("buffers"), *slices = tcase_create("slices");
    TCase *chains = tcase_create("chains");
    tcase_add_test(buffers, a_buffer_has_at_least_the_size_asked_for);
    tcase_add_test(buffers, the_named_sizes_are_sizes_of_buffers);
    tcase_add_test(buffers, no_memory_for_a_buffer_is_said);
    tcase_add_test(buffers, a_file_buffer_closes_its_file_when_the_last_slice_ends);
    tcase_add_test(buffers, a_file_stays_the_callers_when_there_is_no_memory_for_its_buffer);
    tcase_add_test(slices, eight_slices_fit_and_the_ninth_does_not);
    tcase_add_test(slices, a_dropped_body_lets_its_buffers_go);
    tcase_add_test(slices, a_buffer_given_away_is_exclusive_and_one_referred_to_is_shared);
    tcase_add_test(slices, payload_attached_from_a_message_is_shared_and_not_copied);
    tcase_add_test(slices, all_slices_of_what_is_sent_shared_are_shared);
    tcase_add_test(slices, an_exclusive_slice_stays_so_when_it_is_taken_and_may_be_written);
    tcase_add_test(slices, what_was_held_is_shared_when_it_is_taken);
    tcase_add_test(slices, a_small_slice_of_a_large_buffer_is_copied_when_it_is_taken);
    tcase_add_test(slices, a_small_slice_of_a_large_buffer_is_copied_when_it_is_held);
    tcase_add_test(slices, without_memory_for_the_copy_a_hold_keeps_the_large_buffer);
    tcase_add_test(slices, a_block_used_again_after_its_slices_were_taken_is_whole);
    tcase_add_test(slices, a_failed_take_moves_nothing_and_can_be_repeated);
    add_chain_tests(chains);
    suite_add_tcase(suite, buffers);
    suite_add_tcase(suite, slices);
    suite_add_tcase(suite, chains);
    return kt_run(suite);
}
