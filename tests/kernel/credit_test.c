/* credit_test.c - both ends of a credited flow: what is charged comes back, and nobody waits for
 * ever.
 */
#include "ktest.h"

#include <px/credit.h>
#include <signal.h>

START_TEST(a_message_costs_its_length_and_at_least_512)
{
    ck_assert_uint_eq(px_charge(0), 512);
    ck_assert_uint_eq(px_charge(1), 512);
    ck_assert_uint_eq(px_charge(512), 512);
    ck_assert_uint_eq(px_charge(513), 513);
    ck_assert_uint_eq(px_charge(UINT64_C(1) << 40), UINT64_C(1) << 40);
    ck_assert_uint_eq(px_credit_room(0), 0);
    ck_assert_uint_eq(px_credit_room(511), 0);
    ck_assert_uint_eq(px_credit_room(512), 512);
    ck_assert_uint_eq(px_credit_room(100000), 100000);
}
END_TEST

START_TEST(the_first_grant_is_the_whole_window)
{
    struct px_credit_in in = {0};
    ck_assert_uint_eq(px_credit_open(&in, 65536), 65536);
    ck_assert_uint_eq(in.outstanding, 65536);
    ck_assert_uint_eq(px_credit_due(&in), 0);
    ck_assert_uint_eq(px_credit_open(&in, 512), 512);
    ck_assert_uint_eq(px_credit_open(&in, 1u << 30), 1u << 30);
}
END_TEST

START_TEST(what_is_owed_is_granted_at_half_a_window_and_not_before)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 10000);
    ck_assert(px_credit_received(&in, 8000));
    ck_assert_uint_eq(in.outstanding, 2000);
    px_credit_settle(&in, 4999);
    ck_assert_uint_eq(px_credit_due(&in), 0);
    px_credit_settle(&in, 1);
    ck_assert_uint_eq(px_credit_due(&in), 5000);
    ck_assert_uint_eq(in.outstanding, 7000);
    ck_assert_uint_eq(px_credit_due(&in), 0);
    px_credit_settle(&in, 3000);
    ck_assert_uint_eq(px_credit_due(&in), 0);
}
END_TEST

START_TEST(the_surplus_of_a_short_message_comes_back_with_its_last_byte)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 1024);
    ck_assert(px_credit_received(&in, 100)); /* charged 512 */
    ck_assert_uint_eq(in.outstanding, 512);
    px_credit_settle(&in, 99);
    ck_assert_uint_eq(px_credit_due(&in), 0);
    px_credit_settle(&in, 1);
    ck_assert_uint_eq(px_credit_due(&in), 512);
    ck_assert_uint_eq(in.outstanding, 1024);
}
END_TEST

START_TEST(an_empty_message_is_owed_at_once)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 1024);
    ck_assert(px_credit_received(&in, 0));
    ck_assert_uint_eq(px_credit_due(&in), 512);
    ck_assert(px_credit_received(&in, 10));
    ck_assert(px_credit_received(&in, 0)); /* behind one that is not settled yet */
    px_credit_settle(&in, 10);
    ck_assert_uint_eq(px_credit_due(&in), 1024);
}
END_TEST

START_TEST(of_a_large_window_a_lot_is_sent_back_before_its_half)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 4 * PX_CREDIT_LOT);
    ck_assert(px_credit_received(&in, 2 * PX_CREDIT_LOT));
    px_credit_settle(&in, 1);
    ck_assert_uint_eq(px_credit_due(&in), 0);
    ck_assert(px_credit_received(&in, PX_CREDIT_LOT - 1));
    px_credit_settle(&in, 2 * PX_CREDIT_LOT - 1); /* the older batch is complete */
    ck_assert_uint_eq(px_credit_due(&in), 2 * PX_CREDIT_LOT);
    px_credit_settle(&in, PX_CREDIT_LOT - 1); /* one byte less than a lot */
    ck_assert_uint_eq(in.owed, PX_CREDIT_LOT - 1);
    ck_assert_uint_eq(px_credit_due(&in), 0);
    ck_assert(px_credit_received(&in, 512));
    px_credit_settle(&in, 512);
    ck_assert_uint_eq(px_credit_due(&in), PX_CREDIT_LOT + 511);
}
END_TEST

START_TEST(messages_are_settled_in_order_of_arrival)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 4000);
    ck_assert(px_credit_received(&in, 1000));
    ck_assert(px_credit_received(&in, 10));
    ck_assert(px_credit_received(&in, 10));
    ck_assert_uint_eq(in.outstanding, 4000 - 1000 - 512 - 512);
    px_credit_settle(&in, 1000);
    ck_assert_uint_eq(in.owed, 1000);
    px_credit_settle(&in, 20);
    ck_assert_uint_eq(px_credit_due(&in), 2024);
    ck_assert_uint_eq(in.outstanding, 4000);
}
END_TEST

START_TEST(going_beyond_the_credit_is_noticed)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 1000);
    ck_assert(!px_credit_received(&in, 1001));
    ck_assert(!px_credit_received(&in, UINT64_MAX));
    ck_assert(!px_credit_received(&in, (UINT64_C(1) << 32) + 5));
    ck_assert(px_credit_received(&in, 488));
    ck_assert(!px_credit_received(&in, 1)); /* 488 are left, and the least charge is 512 */
    px_credit_open(&in, 1000);
    ck_assert(px_credit_received(&in, 1000));
    ck_assert(!px_credit_received(&in, 0));
}
END_TEST

START_TEST(settling_what_never_came_is_a_mistake_of_ours)
{
    struct px_credit_in in = {0};
    px_credit_open(&in, 1000);
    ck_assert(px_credit_received(&in, 100));
    px_credit_settle(&in, 101);
}
END_TEST

START_TEST(a_small_window_never_runs_dry)
{
    struct px_credit_in in = {0};
    uint64_t credit = px_credit_open(&in, 512);
    ck_assert(px_credit_received(&in, 512));
    px_credit_settle(&in, 300);
    credit = credit - 512 + px_credit_due(&in);
    px_credit_settle(&in, 212); /* less than half a window, but the sender cannot go on */
    credit += px_credit_due(&in);
    ck_assert_uint_eq(credit, 512);
}
END_TEST

/* A sender and a receiver that settles at random; every byte arrives, and nobody ends up waiting.
 */
struct flow {
    struct px_credit_in in;
    uint64_t credit; /* the sender's */
    uint64_t arrived, settled;
    uint64_t seed;
};

/* Is everything accounted for? No assertion of check: those cost too much for millions. */
static bool flow_is_whole(const struct flow *f)
{
    uint64_t unsettled = (uint64_t)f->in.unsettled[0] + f->in.unsettled[1];
    uint64_t surplus = (uint64_t)f->in.surplus[0] + f->in.surplus[1];
    return unsettled == f->arrived - f->settled && f->in.outstanding == f->credit &&
           f->credit + f->in.owed + unsettled + surplus == f->in.window;
}

static void flow_send(struct flow *f, uint64_t len_max)
{
    uint64_t room = px_credit_room(f->credit);
    if (room == 0) {
        return;
    }
    uint64_t len = kt_random(&f->seed) % (len_max + 1);
    len = len > room ? room : len;
    f->credit -= px_charge(len);
    f->arrived += len;
    if (!px_credit_received(&f->in, len)) {
        ck_abort_msg("%llu bytes were refused", (unsigned long long)len);
    }
}

static void flow_settle(struct flow *f, uint64_t len)
{
    f->settled += len;
    px_credit_settle(&f->in, len);
    f->credit += px_credit_due(&f->in);
}

START_TEST(credit_is_conserved_and_never_runs_dry)
{
    static const uint32_t windows[] = {512,  513,  700,  1023,  1024,
                                       1025, 1500, 4096, 65536, 1u << 20};
    static const uint64_t lens[] = {1, 100, 511, 512, 513, 2000, 100000};
    uint32_t window = windows[_i / 7];
    struct flow f = {.seed = (uint64_t)_i};
    f.credit = px_credit_open(&f.in, window);
    for (unsigned i = 0; i < 5000; i++) {
        flow_send(&f, lens[_i % 7]);
        bool whole = flow_is_whole(&f);
        if (kt_random(&f.seed) % 3 == 0) {
            flow_settle(&f, kt_random(&f.seed) % (f.arrived - f.settled + 1));
            whole = whole && flow_is_whole(&f);
        }
        if (!whole) {
            ck_abort_msg("credit is lost at step %u", i);
        }
        if (px_credit_room(f.credit) == 0) { /* stuck, until the receiver has settled everything */
            flow_settle(&f, f.arrived - f.settled);
            if (px_credit_room(f.credit) == 0) {
                ck_abort_msg("nobody moves any more at step %u", i);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *credit = tcase_create("credit");
    tcase_add_test(credit, a_message_costs_its_length_and_at_least_512);
    tcase_add_test(credit, the_first_grant_is_the_whole_window);
    tcase_add_test(credit, what_is_owed_is_granted_at_half_a_window_and_not_before);
    tcase_add_test(credit, the_surplus_of_a_short_message_comes_back_with_its_last_byte);
    tcase_add_test(credit, an_empty_message_is_owed_at_once);
    tcase_add_test(credit, of_a_large_window_a_lot_is_sent_back_before_its_half);
    tcase_add_test(credit, messages_are_settled_in_order_of_arrival);
    tcase_add_test(credit, going_beyond_the_credit_is_noticed);
    tcase_add_test(credit, a_small_window_never_runs_dry);
    tcase_add_loop_test(credit, credit_is_conserved_and_never_runs_dry, 0, 70);
    if (kt_forks()) {
        tcase_add_test_raise_signal(credit, settling_what_never_came_is_a_mistake_of_ours,
                                    KT_TRAP_SIGNAL);
    }
    suite_add_tcase(suite, credit);
    return kt_run(suite);
}
