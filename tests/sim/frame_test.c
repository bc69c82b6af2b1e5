/* frame_test.c - the wire form of messages: what is written is read, what is malformed is refused,
 * and where the bytes are cut makes no difference.
 */
#include <check.h>
#include <px/test.h>
#include <stdlib.h>

#include "frame.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

PX_TEST_FAIL_CHECK(test_fails);

enum { AHEAD_MAX = 256 };

static const struct px_frame_limits limits = {.body_max = 1000, .payload_max = 5000};

static struct px_frame_header header_of(uint8_t kind)
{
    struct px_frame_header h = {
        .wire = {
            .mailbox = 7, .sender = 9, .method = 0x0102, .id = 0x1122334455667788, .kind = kind}};
    bool body = kind <= PX_KIND_ITEM;
    h.wire.has_body = body;
    h.body_len = body ? 3 : 0;
    h.payload_len = body ? 2 : 0;
    h.wire.status = kind == PX_KIND_REPLY || kind == PX_KIND_ENDED ? PX_BUSY : PX_OK;
    h.wire.deadline_ms = kind == PX_KIND_CALL || kind == PX_KIND_MORE ? 5000 : 0;
    return h;
}

static bool reads(const uint8_t *bytes)
{
    struct px_frame_header h;
    return px_frame_header_read(bytes, &limits, &h);
}

START_TEST(every_kind_of_header_is_read_as_it_was_written)
{
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header in = header_of((uint8_t)_i), out;
    px_frame_header_write(&in, bytes);
    ck_assert(px_frame_header_read(bytes, &limits, &out));
    ck_assert_uint_eq(out.wire.mailbox, 7);
    ck_assert_uint_eq(out.wire.sender, 9);
    ck_assert_uint_eq(out.wire.method, 0x0102);
    ck_assert(out.wire.id == 0x1122334455667788);
    ck_assert_int_eq(out.wire.kind, _i);
    ck_assert_int_eq(out.wire.status, in.wire.status);
    ck_assert_uint_eq(out.wire.deadline_ms, in.wire.deadline_ms);
    ck_assert_uint_eq(out.body_len, in.body_len);
    ck_assert_uint_eq(out.payload_len, in.payload_len);
    ck_assert(out.wire.has_body == in.wire.has_body);
}
END_TEST

START_TEST(a_header_lies_on_the_wire_as_documented)
{
    static const uint8_t want[PX_FRAME_HEADER_LEN] = {
        37,   0, 0, 0, 7, 0, 2, 1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        0x11, 0, 9, 0, 0, 0, 0, 0, 3,    0,    0,    0,    0x88, 0x13, 0,    0};
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header call = header_of(PX_KIND_CALL);
    px_frame_header_write(&call, bytes);
    ck_assert_mem_eq(bytes, want, sizeof want);
}
END_TEST

/* One byte of a good header is changed to what makes it bad. */
static const struct {
    uint8_t kind, at, value;
} bad_bytes[] = {
    {PX_KIND_ONEWAY, 0, 31},                             /* shorter than a header */
    {PX_KIND_ONEWAY, 0, 34},                             /* shorter than its body */
    {PX_KIND_ONEWAY, 4, 0},                              /* to nobody */
    {PX_KIND_ONEWAY, 5, 0x10},                           /* a mailbox that cannot be */
    {PX_KIND_ONEWAY, 16, 0},                             /* a oneway without a body, and bytes */
    {PX_KIND_ONEWAY, 16, 0x1f},                          /* no such kind */
    {PX_KIND_ONEWAY, 16, 0x30},                          /* of a stream, which a oneway never is */
    {PX_KIND_ONEWAY, 16, 0x50},                          /* bits without a meaning */
    {PX_KIND_ONEWAY, 17, 1},    {PX_KIND_ONEWAY, 18, 0}, /* from nobody */
    {PX_KIND_ONEWAY, 19, 0x10},                          /* a bit above the sender */
    {PX_KIND_ONEWAY, 20, 1},                             /* a oneway with a status */
    {PX_KIND_REPLY, 21, 1},                              /* a status that cannot be */
    {PX_KIND_REPLY, 28, 1},                              /* a reply with a deadline */
    {PX_KIND_ITEM, 16, 0x13},                            /* an item not of a stream */
    {PX_KIND_ENDED, 0, 33},                              /* an end with bytes */
    {PX_KIND_MORE, 16, 0x35},                            /* item credit with a body */
    {PX_KIND_GONE, 20, 1},      {PX_KIND_LOST, 28, 1},
};

START_TEST(a_header_that_makes_no_sense_is_refused)
{
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header h = header_of(bad_bytes[_i].kind);
    px_frame_header_write(&h, bytes);
    ck_assert(reads(bytes));
    ck_assert_uint_ne(bytes[bad_bytes[_i].at], bad_bytes[_i].value);
    bytes[bad_bytes[_i].at] = bad_bytes[_i].value;
    ck_assert(!reads(bytes));
}
END_TEST

START_TEST(limits_hold_and_one_more_byte_is_refused)
{
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header h = header_of(PX_KIND_ONEWAY);
    h.body_len = limits.body_max;
    h.payload_len = limits.payload_max;
    px_frame_header_write(&h, bytes);
    ck_assert(reads(bytes));
    h.body_len++;
    px_frame_header_write(&h, bytes);
    ck_assert(!reads(bytes));
    h.body_len--;
    h.payload_len++;
    px_frame_header_write(&h, bytes);
    ck_assert(!reads(bytes));
}
END_TEST

/* ---- with a kernel: chains and messages ---- */

struct fixture {
    struct px_sim *sim;
    struct px_sim_system *system;
    struct px_env *env;
};

static struct fixture setup(void)
{
    struct fixture f;
    f.sim = px_sim_new(&(struct px_sim_config){.fail = test_fails});
    f.system = px_sim_system_new(f.sim, "test", 1);
    px_sim_add_recorder(f.system, 0, "a");
    px_sim_add_recorder(f.system, 0, "b");
    px_sim_allow(f.system, "a", &px_contract_stream_upper, "b");
    px_sim_start(f.system);
    f.env = px_sim_env(f.system, "a");
    return f;
}

static void teardown(struct fixture *f)
{
    sim_expect_ledgers_zero(f->system, 0);
    px_sim_free(f->sim);
}

/* Two frames: a oneway with body and payload, and an end without either. */
static size_t two_frames(uint8_t *ret)
{
    struct px_frame_header h = header_of(PX_KIND_ONEWAY), end = header_of(PX_KIND_ENDED);
    px_frame_header_write(&h, ret);
    memcpy(ret + 32, "abcde", 5);
    px_frame_header_write(&end, ret + 37);
    return 69;
}

static void bytes_arrive(struct fixture *f, struct px_chain *in, const uint8_t *bytes, size_t len)
{
    struct px_buf *buf = len == 0 ? NULL : px_buf_new(f->env, len);
    if (len > 0) {
        memcpy(px_buf_data(buf), bytes, len);
        ck_assert(px_chain_append(f->env, in, buf, 0, (uint32_t)len, 0));
        px_buf_put(buf);
    }
}

static void expect_first(struct fixture *f, struct px_chain *in)
{
    struct px_frame frame;
    uint8_t payload[2];
    ck_assert_int_eq(px_frame_take(f->env, in, &limits, &frame), PX_FRAME_DONE);
    ck_assert_uint_eq(frame.wire.body_len, 3);
    ck_assert_mem_eq(frame.wire.body, "abc", 3);
    ck_assert_uint_eq(frame.payload.len, 2);
    ck_assert_uint_eq(px_chain_peek(&frame.payload, payload, 2), 2);
    ck_assert_mem_eq(payload, "de", 2);
    px_frame_done(&frame);
}

START_TEST(where_the_bytes_are_cut_makes_no_difference)
{
    struct fixture f = setup();
    uint8_t bytes[128];
    size_t len = two_frames(bytes);
    for (size_t cut = 0; cut <= len; cut++) {
        for (size_t cut2 = cut; cut2 <= len; cut2++) {
            struct px_chain in = {.len = 0};
            struct px_frame frame;
            bytes_arrive(&f, &in, bytes, cut);
            bytes_arrive(&f, &in, bytes + cut, cut2 - cut);
            ck_assert_int_eq(px_frame_take(f.env, &in, &limits, &frame),
                             cut2 >= 37 ? PX_FRAME_DONE : PX_FRAME_MORE);
            if (cut2 >= 37) {
                px_frame_done(&frame);
                px_chain_clear(&in);
                bytes_arrive(&f, &in, bytes, cut);
                bytes_arrive(&f, &in, bytes + cut, cut2 - cut);
            }
            bytes_arrive(&f, &in, bytes + cut2, len - cut2);
            expect_first(&f, &in);
            ck_assert_int_eq(px_frame_take(f.env, &in, &limits, &frame), PX_FRAME_DONE);
            ck_assert_int_eq(frame.wire.kind, PX_KIND_ENDED);
            px_frame_done(&frame);
            ck_assert_int_eq(px_frame_take(f.env, &in, &limits, &frame), PX_FRAME_MORE);
            ck_assert_uint_eq(in.len, 0);
        }
    }
    teardown(&f);
}
END_TEST

START_TEST(a_payload_in_more_pieces_than_a_message_holds_is_gathered)
{
    struct fixture f = setup();
    uint8_t bytes[128];
    struct px_chain in = {.len = 0};
    struct px_frame frame;
    struct px_frame_header h = header_of(PX_KIND_ONEWAY);
    h.payload_len = PX_SLICES_MAX + 1;
    px_frame_header_write(&h, bytes);
    memcpy(bytes + 32, "abc123456789", 12);
    for (size_t i = 0; i < 44; i++) {
        bytes_arrive(&f, &in, bytes + i, 1);
    }
    ck_assert_int_eq(px_frame_take(f.env, &in, &limits, &frame), PX_FRAME_DONE);
    struct px_slice *only = px_chain_first(&frame.payload);
    ck_assert_uint_eq(only->len, 9);
    ck_assert_mem_eq(only->ptr, "123456789", 9);
    ck_assert_mem_eq(frame.wire.body, "abc", 3);
    px_frame_done(&frame);
    teardown(&f);
}
END_TEST

START_TEST(without_memory_nothing_is_taken_and_it_can_be_tried_again)
{
    struct fixture f = setup();
    uint8_t bytes[128];
    struct px_chain in = {.len = 0};
    struct px_frame frame;
    size_t len = two_frames(bytes);
    bytes_arrive(&f, &in, bytes, 33); /* the body is cut: it needs a buffer */
    bytes_arrive(&f, &in, bytes + 33, len - 33);
    px_sim_fail_alloc(f.system, 0, 0, 1000);
    uint32_t refused = 0;
    while (px_frame_take(f.env, &in, &limits, &frame) == PX_FRAME_NO_MEMORY && refused < 5) {
        refused++;
        ck_assert_uint_eq(in.len, len);
        px_sim_fail_alloc(f.system, 0, 0, refused < 4 ? 1000 : 0);
    }
    ck_assert_mem_eq(frame.wire.body, "abc", 3);
    px_frame_done(&frame);
    px_chain_clear(&in);
    teardown(&f);
}
END_TEST

START_TEST(a_bad_frame_is_found_before_the_rest_of_it_has_come)
{
    struct fixture f = setup();
    uint8_t bytes[128];
    struct px_chain in = {.len = 0};
    struct px_frame frame;
    (void)two_frames(bytes);
    bytes[3] = 0x7f; /* two gigabytes */
    bytes_arrive(&f, &in, bytes, 32);
    ck_assert_int_eq(px_frame_take(f.env, &in, &limits, &frame), PX_FRAME_BAD);
    px_chain_clear(&in);
    teardown(&f);
}
END_TEST

static const struct px_msg *message_with(struct fixture *f, const char *payload)
{
    Stream__DataBytes *m = px_msg_new(f->env, &stream__data_bytes__descriptor);
    struct px_buf *buf = px_buf_new(f->env, 64);
    size_t len = strlen(payload);
    memcpy(px_buf_data(buf), payload, len);
    m->fin = true;
    ck_assert(px_msg_attach(m, buf, 0, (uint32_t)len / 2));
    ck_assert(px_msg_attach(m, buf, len / 2, (uint32_t)(len - len / 2)));
    px_buf_put(buf);
    ck_assert(px_send(f->env, px_sim_addr(f->system, "b"), UPPER_DATA, m, 77));
    return sim_expect(f->system, "b", UPPER_DATA);
}

START_TEST(a_message_is_written_with_its_body_and_all_its_slices)
{
    struct fixture f = setup();
    const struct px_msg *msg = message_with(&f, "hello world");
    uint8_t bytes[AHEAD_MAX], head[AHEAD_MAX];
    struct px_frame_header h;
    size_t len = px_frame_len(msg), head_len = px_frame_head_len(msg);
    ck_assert_uint_eq(len, head_len + 11);
    px_frame_write(msg, 0, bytes);
    px_frame_head_write(msg, 0, head);
    ck_assert_mem_eq(bytes, head, head_len);
    ck_assert_mem_eq(bytes + head_len, "hello world", 11);
    ck_assert(px_frame_header_read(bytes, &limits, &h));
    ck_assert_uint_eq(h.wire.id, 77);
    ck_assert_uint_eq(h.wire.method, UPPER_DATA);
    ck_assert_uint_eq(h.body_len, head_len - 32);
    Stream__DataBytes *m = stream__data_bytes__unpack(NULL, h.body_len, bytes + 32);
    ck_assert(m->fin);
    stream__data_bytes__free_unpacked(m, NULL);
    teardown(&f);
}
END_TEST

static void no_close(int fd)
{
    (void)fd;
}

START_TEST(a_message_with_a_file_range_cannot_cross)
{
    struct fixture f = setup();
    Stream__DataBytes *m = px_msg_new(f.env, &stream__data_bytes__descriptor);
    struct px_buf *file = px_buf_from_fd(f.env, 0, no_close);
    ck_assert(px_msg_attach(m, file, 0, 10));
    px_buf_put(file);
    ck_assert(px_send(f.env, px_sim_addr(f.system, "b"), UPPER_DATA, m, 77));
    ck_assert_uint_eq(px_frame_len(sim_expect(f.system, "b", UPPER_DATA)), 0);
    teardown(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *headers = tcase_create("headers"), *frames = tcase_create("frames");
    tcase_add_loop_test(headers, every_kind_of_header_is_read_as_it_was_written, PX_KIND_ONEWAY,
                        PX_KIND_BACK + 1);
    tcase_add_test(headers, a_header_lies_on_the_wire_as_documented);
    tcase_add_loop_test(headers, a_header_that_makes_no_sense_is_refused, 0,
                        (int)(sizeof bad_bytes / sizeof bad_bytes[0]));
    tcase_add_test(headers, limits_hold_and_one_more_byte_is_refused);
    tcase_add_test(frames, where_the_bytes_are_cut_makes_no_difference);
    tcase_add_test(frames, a_payload_in_more_pieces_than_a_message_holds_is_gathered);
    tcase_add_test(frames, without_memory_nothing_is_taken_and_it_can_be_tried_again);
    tcase_add_test(frames, a_bad_frame_is_found_before_the_rest_of_it_has_come);
    tcase_add_test(frames, a_message_is_written_with_its_body_and_all_its_slices);
    tcase_add_test(frames, a_message_with_a_file_range_cannot_cross);
    suite_add_tcase(suite, headers);
    suite_add_tcase(suite, frames);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
