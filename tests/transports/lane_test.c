/* lane_test.c - lane C: what crosses, when it goes out, and what strangers cannot do to it. */
#include <fcntl.h>
#include <poll.h>
#include <px/bytes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "ktest.pb-c.h"
#include "ktest_contract.h"
#include "lane_rig.h"
#include "link.pb-c.h"
#include "link_contract.h"
#include "posix_loop.h"

static struct actor *alice(void)
{
    return sides[0].actor;
}

static struct actor *bob(void)
{
    return sides[1].actor;
}

static uint64_t memory(int side)
{
    struct px_ledger ledger;
    px_kernel_ledger(sides[side].kernel, &ledger);
    return ledger.mem;
}

static void expect_empty(int side)
{
    struct px_ledger ledger;
    px_kernel_ledger(sides[side].kernel, &ledger);
    ck_assert_uint_eq(ledger.pieces, 0);
    ck_assert_uint_eq(ledger.holds, 0);
    ck_assert_uint_eq(ledger.calls, 0);
    ck_assert_uint_eq(ledger.queued, 0);
}

/* ---- what crosses ---- */

START_TEST(a_message_crosses_with_its_payload)
{
    static const size_t lens[] = {0, 1, 1000, 5000, 70000, 300000, 1048576};
    size_t len = lens[_i];
    rig_pair();
    rig_note(0, 3, len, len > 8 ? (len + 7) / 8 : len + 1);
    rig_settle();
    for (int i = 0; i < 40 && bob()->notes == 0; i++) {
        rig_settle(); /* a socket's buffer at a time */
    }
    ck_assert_uint_eq(bob()->notes, 1);
    ck_assert_uint_eq(bob()->value, 3);
    ck_assert_uint_eq(bob()->payload, len);
    ck_assert_uint_eq(bob()->sum, 3 * len);
    expect_empty(0);
    expect_empty(1);
    rig_end();
}
END_TEST

START_TEST(messages_arrive_in_order_whatever_their_sizes)
{
    uint64_t sum = 0;
    rig_pair();
    for (uint32_t i = 1; i <= 400; i++) {
        size_t len = (i * 7919) % 9000;
        rig_note(0, i, len, len + 1);
        sum += len * (i & 0x7f);
        if (i % 16 == 0) {
            rig_settle();
            ck_assert_uint_eq(bob()->value, i);
        }
    }
    ck_assert_uint_eq(bob()->notes, 400);
    ck_assert_uint_eq(bob()->sum, sum);
    rig_end();
}
END_TEST

START_TEST(a_long_payload_arrives_in_few_pieces)
{
    rig_pair();
    rig_note(0, 1, 1 << 20, 1 << 20);
    for (int i = 0; i < 40 && bob()->notes == 0; i++) {
        rig_settle();
    }
    ck_assert_uint_eq(bob()->payload, 1 << 20);
    ck_assert_uint_le(bob()->slices, 2);
    rig_end();
}
END_TEST

START_TEST(a_call_is_answered_from_the_far_side)
{
    rig_pair();
    rig_ask(0, 41, PX_SEC(5));
    rig_settle();
    ck_assert_uint_eq(alice()->replies, 1);
    ck_assert_int_eq(alice()->status, PX_OK);
    ck_assert_uint_eq(alice()->answer, 42);
    expect_empty(0);
    expect_empty(1);
    rig_end();
}
END_TEST

START_TEST(a_deadline_and_a_cancellation_end_a_call_on_both_sides)
{
    rig_pair();
    bob()->keeps = true;
    px_call_id call = rig_ask(0, 1, PX_SEC(5));
    rig_settle();
    ck_assert_uint_eq(bob()->asks, 1);
    if (_i == 0) {
        rig_advance_us(PX_SEC(5) + 2000);
    } else {
        px_cancel(rig_env(0), call);
        rig_settle();
    }
    ck_assert_int_eq(alice()->status, _i == 0 ? PX_TIMED_OUT : PX_CANCELLED);
    ck_assert_uint_eq(alice()->replies, 1);
    ck_assert_uint_eq(bob()->ended, 1);
    expect_empty(0);
    expect_empty(1);
    rig_end();
}
END_TEST

static void close_file(int fd)
{
    (void)close(fd);
}

START_TEST(a_file_range_does_not_cross_and_is_told_as_lost)
{
    rig_pair();
    struct px_env *env = rig_env(0);
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    struct px_buf *file = px_buf_from_fd(env, open("/dev/null", O_RDONLY | O_CLOEXEC), close_file);
    ck_assert(px_msg_attach_take(m, file, 0, 100));
    px_send(env, BOB, TOY_NOTE, m, 5);
    rig_settle();
    ck_assert_uint_eq(bob()->notes, 0);
    ck_assert_uint_eq(bob()->lost, 1);
    ck_assert_uint_eq(rig_counter(0, "unfit"), 1);
    rig_end();
}
END_TEST

START_TEST(a_call_that_cannot_cross_is_answered)
{
    rig_pair();
    struct px_env *env = rig_env(0);
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    for (int i = 0; i < 2; i++) {
        struct px_buf *buf = px_buf_new(env, 16 << 20);
        ck_assert(px_msg_attach_take(m, buf, 0, i == 0 ? 16 << 20 : 1)); /* one more than fits */
    }
    px_call(env, BOB, TOY_ASK, m, PX_SEC(1), 1);
    rig_settle();
    ck_assert_uint_eq(alice()->replies, 1);
    ck_assert_int_eq(alice()->status, PX_TOO_LARGE);
    ck_assert_uint_eq(bob()->asks, 0);
    rig_end();
}
END_TEST

START_TEST(the_end_of_a_link_is_told_to_everyone_once)
{
    rig_pair();
    bob()->keeps = true;
    rig_ask(0, 1, PX_NEVER);
    rig_settle();
    px_lane_free(sides[1].lane);
    sides[1].lane = NULL;
    rig_settle();
    ck_assert_uint_eq(sides[0].ends, 1);
    ck_assert_uint_eq(alice()->gone, 1);
    ck_assert_int_eq(alice()->status, PX_SERVICE_GONE);
    ck_assert_uint_eq(bob()->ended, 1);
    rig_note(0, 1, 10, 10); /* to nobody */
    rig_settle();
    expect_empty(0);
    expect_empty(1);
    rig_end();
}
END_TEST

START_TEST(what_is_said_about_the_link_goes_to_no_mailbox)
{
    Link__None none = LINK__NONE__INIT;
    rig_pair();
    px_lane_control(sides[0].lane, LINK_PING, &none.base);
    rig_settle();
    ck_assert_uint_eq(sides[1].controls, 1);
    ck_assert_uint_eq(sides[1].method, LINK_PING);
    ck_assert_uint_eq(bob()->notes, 0);
    rig_end();
}
END_TEST

START_TEST(a_lane_may_be_freed_by_what_it_says)
{
    Link__None none = LINK__NONE__INIT;
    rig_pair();
    sides[1].frees = true;
    px_lane_control(sides[0].lane, LINK_STOP, &none.base);
    rig_note(0, 1, 10, 10);
    rig_settle();
    ck_assert_uint_eq(sides[1].controls, 1);
    ck_assert_uint_eq(bob()->notes, 0);
    ck_assert_uint_eq(sides[0].ends, 1);
    rig_end();
}
END_TEST

/* ---- when it goes out ---- */

START_TEST(what_a_turn_sends_leaves_together)
{
    rig_pair();
    uint64_t before = rig_counter(0, "sends");
    for (uint32_t i = 0; i < 20; i++) {
        rig_note(0, i, 100, 100);
    }
    rig_settle();
    ck_assert_uint_eq(rig_counter(0, "sends") - before, 1);
    ck_assert_uint_eq(bob()->notes, 20);
    rig_end();
}
END_TEST

/* A turn whose poll finds something. */
static void busy_turn(void)
{
    px_kernel_wake(sides[0].kernel);
    rig_turn(0);
}

START_TEST(while_polls_find_work_it_is_held_for_8_turns)
{
    rig_pair();
    rig_note(0, 1, 10, 10);
    busy_turn(); /* it is delivered to the lane here */
    for (int i = 0; i < PX_LANE_HOLD_TURNS - 1; i++) {
        busy_turn();
        rig_turn(1);
        ck_assert_uint_eq(bob()->notes, 0);
    }
    busy_turn();
    rig_turn(1);
    ck_assert_uint_eq(bob()->notes, 1);
    rig_end();
}
END_TEST

START_TEST(a_poll_that_finds_nothing_sends_it)
{
    rig_pair();
    rig_note(0, 1, 10, 10);
    busy_turn();
    rig_turn(1);
    ck_assert_uint_eq(bob()->notes, 0);
    rig_turn(0);
    rig_turn(1);
    ck_assert_uint_eq(bob()->notes, 1);
    rig_end();
}
END_TEST

START_TEST(thirty_two_frames_are_not_held)
{
    rig_pair();
    for (uint32_t i = 0; i < PX_LANE_HOLD_FRAMES - 1; i++) {
        rig_note(0, 1, 10, 10);
    }
    busy_turn();
    rig_turn(1);
    ck_assert_uint_eq(bob()->notes, 0);
    rig_note(0, 1, 10, 10);
    busy_turn();
    rig_turn(1);
    ck_assert_uint_eq(bob()->notes, PX_LANE_HOLD_FRAMES);
    rig_end();
}
END_TEST

START_TEST(busy_is_told_once_until_it_is_calm)
{
    rig_pair();
    rig_note(0, 1, 0, 1);
    rig_note(0, 1, 0, 1);
    rig_settle();
    ck_assert_uint_eq(sides[0].busy, 1);
    ck_assert_uint_eq(px_lane_sent(sides[0].lane), 2);
    px_lane_calm(sides[0].lane);
    rig_note(0, 1, 0, 1);
    rig_settle();
    ck_assert_uint_eq(sides[0].busy, 2);
    rig_end();
}
END_TEST

/* ---- strangers ---- */

static void expect_broken(const char *why)
{
    rig_settle();
    ck_assert_uint_eq(sides[0].ends, 1);
    ck_assert_str_eq(sides[0].why, why);
    expect_empty(0);
    rig_end();
}

START_TEST(what_arrives_byte_by_byte_is_taken)
{
    uint8_t frame[256];
    int fd = rig_raw(true);
    size_t n = raw_frame(frame, ALICE, BOB, 9, 100);
    const uint8_t head[] = {0, 'S', 'P', 0, 0, 0x11, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(n + 4),
                            0, 0,   0,   1};
    for (size_t i = 0; i < sizeof head + n; i++) {
        ck_assert_uint_eq(alice()->notes, 0);
        raw_say(fd, i < sizeof head ? &head[i] : &frame[i - sizeof head], 1);
        rig_turn(0);
    }
    ck_assert_uint_eq(alice()->notes, 1);
    ck_assert_uint_eq(alice()->payload, 100);
    rig_end();
}
END_TEST

START_TEST(another_greeting_ends_it)
{
    int fd = rig_raw(false);
    raw_say(fd, "GET / HTTP/1.1\r\n", 16);
    expect_broken("the far end does not speak this protocol");
}
END_TEST

START_TEST(half_a_hello_is_the_end_of_the_link)
{
    int fd = rig_raw(false);
    raw_greet(fd);
    raw_message(fd, 500);
    raw_say(fd, "\x20\0\0", 3);
    rig_settle();
    ck_assert_uint_eq(sides[0].ends, 0);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    expect_broken("the far end closed the link");
}
END_TEST

START_TEST(a_message_before_the_link_is_ready_ends_it)
{
    int fd = rig_raw(false);
    raw_greet(fd);
    raw_note(fd, ALICE, BOB, 1, 0);
    expect_broken("a message came before the link was ready");
}
END_TEST

START_TEST(a_link_message_that_claims_too_much_ends_it)
{
    int fd = rig_raw(true);
    uint64_t before = memory(0);
    raw_greet(fd);
    raw_message(fd, _i == 0 ? UINT64_C(8) << 30 : (1u << 30) - 3);
    rig_settle();
    ck_assert_uint_le(memory(0), before + 2 * 65536 + 4096);
    expect_broken("a link message begins wrongly");
}
END_TEST

START_TEST(a_malformed_frame_ends_it)
{
    static const struct {
        size_t at;
        uint8_t value;
    } faults[] = {{3, 0xff}, {0, 31}, {16, 0x0f}, {19, 0x80}, {27, 0x01}, {18, 0}};
    uint8_t frame[256];
    int fd = rig_raw(true);
    size_t n = raw_frame(frame, ALICE, BOB, 9, 100);
    frame[faults[_i].at] = faults[_i].value;
    frame[19] = _i == 5 ? 0 : frame[19]; /* no sender */
    raw_greet(fd);
    raw_message(fd, n);
    raw_say(fd, frame, n);
    expect_broken("a frame is malformed");
}
END_TEST

START_TEST(a_frame_longer_than_its_link_message_ends_it)
{
    uint8_t frame[256];
    int fd = rig_raw(true);
    size_t n = raw_frame(frame, ALICE, BOB, 9, 100);
    raw_greet(fd);
    raw_message(fd, n - 1);
    raw_say(fd, frame, n);
    expect_broken("a frame is longer than its link message");
}
END_TEST

START_TEST(a_sender_that_is_not_behind_the_link_is_refused_and_the_link_goes_on)
{
    int fd = rig_raw(true);
    raw_greet(fd);
    raw_note(fd, ALICE, ALICE, 1, 10);     /* as if it were one of ours */
    raw_note(fd, ALICE, LINK_ADDR, 1, 10); /* as if it were the link */
    raw_note(fd, LINK_ADDR, BOB, 1, 10);   /* to whom it may not */
    raw_note(fd, BOB, BOB, 1, 10);         /* to himself, by way of us */
    raw_note(fd, 4000, BOB, 1, 10);        /* to nobody */
    rig_settle();
    ck_assert_uint_eq(alice()->notes, 0);
    ck_assert_uint_eq(rig_counter(0, "refused"), 5);
    raw_note(fd, ALICE, BOB, 1, 10);
    rig_settle();
    ck_assert_uint_eq(alice()->notes, 1);
    ck_assert_uint_eq(sides[0].ends, 0);
    expect_empty(0);
    rig_end();
}
END_TEST

START_TEST(an_answer_to_a_call_that_was_never_asked_is_late)
{
    uint8_t frame[64];
    struct px_ledger ledger;
    struct px_frame_header header = {.wire = {.mailbox = ALICE,
                                              .sender = BOB,
                                              .method = TOY_ASK,
                                              .id = UINT64_C(0x123456789abc),
                                              .kind = PX_KIND_REPLY,
                                              .status = PX_BUSY}};
    int fd = rig_raw(true);
    px_frame_header_write(&header, frame);
    raw_greet(fd);
    raw_message(fd, PX_FRAME_HEADER_LEN);
    raw_say(fd, frame, PX_FRAME_HEADER_LEN);
    rig_settle();
    px_kernel_ledger(sides[0].kernel, &ledger);
    ck_assert_uint_eq(ledger.late, 1);
    ck_assert_uint_eq(alice()->replies, 0);
    ck_assert_uint_eq(sides[0].ends, 0);
    rig_end();
}
END_TEST

/* 16 MiB are claimed, and drip. */
START_TEST(a_frame_that_never_ends_costs_no_more_than_it_claims)
{
    static uint8_t drip[65536];
    uint8_t frame[4200];
    int fd = rig_raw(true);
    size_t n = raw_frame(frame, ALICE, BOB, 9, 0);
    struct px_bytes_out out = px_bytes_out_of(frame, 4);
    px_bytes_put_u32le(&out, (uint32_t)n + (16u << 20));
    uint64_t before = memory(0);
    raw_greet(fd);
    raw_message(fd, n + (16u << 20));
    raw_say(fd, frame, n);
    for (int i = 0; i < 200; i++) {
        raw_say(fd, drip, sizeof drip);
        rig_turn(0);
        ck_assert_uint_le(memory(0), before + (17u << 20));
    }
    ck_assert_uint_eq(alice()->notes, 0);
    ck_assert_uint_eq(sides[0].ends, 0);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    expect_broken("the far end closed the link");
}
END_TEST

START_TEST(the_longest_frame_is_taken_and_one_byte_more_is_not)
{
    static uint8_t drip[65536];
    uint32_t len = (16u << 20) + (uint32_t)_i;
    uint8_t frame[64];
    int fd = rig_raw(true);
    size_t n = raw_frame(frame, ALICE, BOB, 9, 0);
    struct px_bytes_out out = px_bytes_out_of(frame, 4);
    px_bytes_put_u32le(&out, (uint32_t)n + len);
    raw_greet(fd);
    raw_message(fd, n + len);
    raw_say(fd, frame, n);
    for (uint32_t left = len; left > 0;) {
        uint32_t part = left < sizeof drip ? left : (uint32_t)sizeof drip;
        raw_say(fd, drip, part);
        left -= part;
        rig_turn(0);
    }
    rig_settle();
    ck_assert_uint_eq(alice()->notes, _i == 0 ? 1 : 0);
    ck_assert_uint_eq(sides[0].ends, _i == 0 ? 0 : 1);
    rig_end();
}
END_TEST

START_TEST(a_far_end_that_does_not_read_is_left_when_64_MiB_wait)
{
    enum { PIECE = 1 << 20 };
    int fd = rig_raw(true);
    raw_greet(fd);
    uint32_t sent = 0;
    while (sides[0].ends == 0) {
        rig_note(0, 1, PIECE, PIECE);
        rig_turn(0);
        ck_assert_uint_le(++sent, 80);
        if (sides[0].ends == 0 && sent <= 63) {
            ck_assert_uint_gt(px_lane_waiting(sides[0].lane), 0);
        }
        rig_turn(0);
    }
    ck_assert_uint_gt(sent, 63);
    ck_assert_uint_eq(rig_counter(0, "behind"), 1);
    ck_assert_uint_eq(alice()->gone, 1);
    expect_broken("the far end does not read");
}
END_TEST

START_TEST(what_waits_goes_out_when_the_far_end_reads_again)
{
    static uint8_t sink[1 << 20];
    uint64_t heard = 0;
    int fd = rig_raw(true);
    raw_greet(fd);
    for (int i = 0; i < 8; i++) {
        rig_note(0, 1, 1 << 20, 1 << 20);
        rig_turn(0);
    }
    rig_turn(0);
    ck_assert_uint_gt(px_lane_waiting(sides[0].lane), 4u << 20);
    while (px_lane_waiting(sides[0].lane) > 0) {
        ssize_t n = raw_hear(fd, sink, sizeof sink);
        ck_assert_int_ge(n, 0);
        heard += (uint64_t)n;
        rig_turn(0);
    }
    for (ssize_t n; (n = raw_hear(fd, sink, sizeof sink)) > 0;) {
        heard += (uint64_t)n;
    }
    ck_assert_uint_gt(heard, 8u << 20);
    ck_assert_uint_lt(heard, (8u << 20) + 4096);
    expect_empty(0);
    rig_end();
}
END_TEST

/* Whatever is missing, nothing is left behind, and the link works or has ended. */
START_TEST(a_lane_is_freed_at_any_time)
{
    int fd = rig_raw(true);
    raw_greet(fd);
    raw_message(fd, 1000);
    if (_i > 0) {
        raw_say(fd, "\x40\0\0\0", 4);
    }
    rig_note(0, 1, 100, 100);
    if (_i > 1) {
        rig_turn(0);
    }
    px_lane_free(sides[0].lane);
    sides[0].lane = NULL;
    rig_settle();
    ck_assert_uint_eq(sides[0].ends, 0);
    ck_assert_uint_eq(alice()->gone, 1);
    expect_empty(0);
    rig_end();
}
END_TEST

/* ---- rings and a far end that lies ---- */

static void ring_say(struct px_rings *far, const void *bytes, size_t len)
{
    ck_assert_uint_eq(px_ring_put(&far->out, bytes, len), len);
    if (px_ring_publish(&far->out)) {
        px_bell_ring(far->far_bell);
    }
}

/* A Note of Bob's as a link message, in the ring. */
static void ring_note(struct px_rings *far, uint64_t value, size_t len)
{
    uint8_t bytes[8192] = {1};
    size_t n = raw_frame(bytes + 13, ALICE, BOB, value, len);
    bytes[7] = (uint8_t)((n + 4) >> 8);
    bytes[8] = (uint8_t)(n + 4);
    bytes[12] = 1;
    ring_say(far, bytes, 13 + n);
}

START_TEST(a_note_from_the_ring_wakes_who_sleeps)
{
    struct px_rings far;
    (void)rig_raw_rings(&far);
    ck_assert(!posix_puts_off(sides[0].os));
    ring_note(&far, 9, 100);
    struct pollfd p = {.fd = px_posix_fd(sides[0].os), .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 0), 1);
    rig_turn(0);
    ck_assert_uint_eq(alice()->notes, 1);
    ring_note(&far, 9, 100); /* awake: nobody rings, and the next turn is due */
    ck_assert(posix_puts_off(sides[0].os));
    rig_settle();
    ck_assert_uint_eq(alice()->notes, 2);
    px_rings_done(&far);
    rig_end();
}
END_TEST

START_TEST(an_index_that_cannot_be_ends_the_lane)
{
    struct px_rings far;
    (void)rig_raw_rings(&far);
    volatile uint32_t *words = (volatile uint32_t *)(void *)(_i == 0 ? far.out.head : far.in.head);
    words[_i == 0 ? 0 : 16] = _i == 0 ? PX_RING_LEN + 1 : 0x80000000u;
    px_bell_ring(far.far_bell);
    rig_note(0, 1, 4 * PX_RING_LEN, 4 * PX_RING_LEN);
    rig_settle();
    px_rings_done(&far);
    expect_broken("the far end broke the ring");
}
END_TEST

START_TEST(what_is_said_beside_the_rings_ends_it)
{
    struct px_rings far;
    int fd = rig_raw_rings(&far);
    raw_say(fd, "x", 1);
    rig_settle();
    px_rings_done(&far);
    expect_broken("the far end speaks beside the lane");
}
END_TEST

START_TEST(what_was_in_the_ring_before_the_end_is_taken)
{
    struct px_rings far;
    int fd = rig_raw_rings(&far);
    for (uint64_t i = 1; i <= 20; i++) {
        ring_note(&far, i, 4000);
    }
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    rig_settle();
    ck_assert_uint_eq(alice()->notes, 20);
    px_rings_done(&far);
    expect_broken("the far end closed the link");
}
END_TEST

/* A byte at a time: each turn does a bounded amount of work. */
START_TEST(a_reader_that_makes_little_room_does_not_keep_a_turn)
{
    struct px_rings far;
    uint8_t byte;
    (void)rig_raw_rings(&far);
    rig_note(0, 1, 2 * PX_RING_LEN, 2 * PX_RING_LEN);
    rig_settle();
    uint64_t waiting = px_lane_waiting(sides[0].lane);
    ck_assert_uint_gt(waiting, PX_RING_LEN / 2);
    for (uint64_t i = 1; i <= 100; i++) {
        bool ring = false;
        ck_assert_uint_eq(px_ring_take(&far.in, &byte, 1, &ring), 1);
        ck_assert(ring);
        px_bell_ring(far.far_bell);
        rig_settle();
        ck_assert_uint_eq(px_lane_waiting(sides[0].lane), waiting - i);
    }
    px_rings_done(&far);
    rig_end();
}
END_TEST

/* What holds on any carrier. */
static void carried_add(Suite *suite, const char *crosses_name, const char *out_name,
                        void (*carrier)(void))
{
    TCase *crosses = tcase_create(crosses_name), *out = tcase_create(out_name);
    suite_add_tcase(suite, crosses);
    suite_add_tcase(suite, out);
    tcase_add_checked_fixture(crosses, carrier, rig_on_stream);
    tcase_add_checked_fixture(out, carrier, rig_on_stream);
    tcase_add_loop_test(crosses, a_message_crosses_with_its_payload, 0, 7);
    tcase_add_test(crosses, messages_arrive_in_order_whatever_their_sizes);
    tcase_add_test(crosses, a_long_payload_arrives_in_few_pieces);
    tcase_add_test(crosses, a_call_is_answered_from_the_far_side);
    tcase_add_loop_test(crosses, a_deadline_and_a_cancellation_end_a_call_on_both_sides, 0, 2);
    tcase_add_test(crosses, a_file_range_does_not_cross_and_is_told_as_lost);
    tcase_add_test(crosses, a_call_that_cannot_cross_is_answered);
    tcase_add_test(crosses, the_end_of_a_link_is_told_to_everyone_once);
    tcase_add_test(crosses, what_is_said_about_the_link_goes_to_no_mailbox);
    tcase_add_test(crosses, a_lane_may_be_freed_by_what_it_says);
    tcase_add_test(out, what_a_turn_sends_leaves_together);
    tcase_add_test(out, while_polls_find_work_it_is_held_for_8_turns);
    tcase_add_test(out, a_poll_that_finds_nothing_sends_it);
    tcase_add_test(out, thirty_two_frames_are_not_held);
    tcase_add_test(out, busy_is_told_once_until_it_is_calm);
}

int main(void)
{
    Suite *suite = suite_create("lane");
    TCase *strangers = tcase_create("strangers"), *liars = tcase_create("liars");
    carried_add(suite, "crosses", "out", rig_on_stream);
    carried_add(suite, "crosses on rings", "out on rings", rig_on_rings);
    suite_add_tcase(suite, strangers);
    suite_add_tcase(suite, liars);
    tcase_set_timeout(strangers, 30);
    tcase_add_test(strangers, what_arrives_byte_by_byte_is_taken);
    tcase_add_test(strangers, another_greeting_ends_it);
    tcase_add_test(strangers, half_a_hello_is_the_end_of_the_link);
    tcase_add_test(strangers, a_message_before_the_link_is_ready_ends_it);
    tcase_add_loop_test(strangers, a_link_message_that_claims_too_much_ends_it, 0, 2);
    tcase_add_loop_test(strangers, a_malformed_frame_ends_it, 0, 6);
    tcase_add_test(strangers, a_frame_longer_than_its_link_message_ends_it);
    tcase_add_test(strangers, a_sender_that_is_not_behind_the_link_is_refused_and_the_link_goes_on);
    tcase_add_test(strangers, an_answer_to_a_call_that_was_never_asked_is_late);
    tcase_add_test(strangers, a_frame_that_never_ends_costs_no_more_than_it_claims);
    tcase_add_loop_test(strangers, the_longest_frame_is_taken_and_one_byte_more_is_not, 0, 2);
    tcase_add_test(strangers, a_far_end_that_does_not_read_is_left_when_64_MiB_wait);
    tcase_add_test(strangers, what_waits_goes_out_when_the_far_end_reads_again);
    tcase_add_loop_test(strangers, a_lane_is_freed_at_any_time, 0, 3);
    tcase_add_test(liars, a_note_from_the_ring_wakes_who_sleeps);
    tcase_add_loop_test(liars, an_index_that_cannot_be_ends_the_lane, 0, 2);
    tcase_add_test(liars, what_is_said_beside_the_rings_ends_it);
    tcase_add_test(liars, what_was_in_the_ring_before_the_end_is_taken);
    tcase_add_test(liars, a_reader_that_makes_little_room_does_not_keep_a_turn);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
