/* h1_chunk_test.c - the chunked coding. Every text is decoded whole, in two pieces at every place
 * and byte by byte. */
#include "h1_chunk.h"
#include "header_list.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 100000 };

struct answer {
    enum px_parse parse;
    struct h1_refusal refusal;
    size_t used; /* with DONE */
    size_t body_len;
    size_t n_spans;
    struct px_span trailers;
    uint8_t body[TEXT_MAX];
    uint8_t list[2 * TEXT_MAX];
};

static struct h1_limits limits;
static struct answer whole;
static struct answer other;
static size_t list_room;

static void setup(void)
{
    limits = h1_limits_default(h1_scan_pick());
    list_room = sizeof whole.list;
}

/* Decode what is there from `at` on; returns how far it got. */
static size_t feed(struct answer *a, struct h1_chunk *chunk, const uint8_t *text, size_t at,
                   size_t end)
{
    struct px_bytes in = px_bytes_of(text + at, end - at);
    struct px_bytes_out out = px_bytes_out_of(a->list, list_room);
    struct px_span body;
    do {
        a->parse = h1_chunk_next(chunk, &in, &out, &limits, &body, &a->refusal);
        if (body.len > 0) {
            ck_assert_int_eq(a->parse, PX_PARSE_MORE);
            memcpy(a->body + a->body_len, body.ptr, body.len);
            a->body_len += body.len;
            a->n_spans++;
        }
    } while (a->parse == PX_PARSE_MORE && body.len > 0);
    a->trailers = px_bytes_out_span(&out);
    return end - px_bytes_left(&in);
}

/* Decode in pieces: the first ends at `first`, the others are `step` long. */
static void decode(struct answer *a, const uint8_t *text, size_t len, size_t first, size_t step)
{
    struct h1_chunk chunk = {0};
    size_t at = 0;
    size_t end = first;
    a->body_len = a->n_spans = 0;
    for (;;) {
        at = feed(a, &chunk, text, at, end);
        if (a->parse != PX_PARSE_MORE || end == len) {
            break;
        }
        end = len - end < step ? len : end + step;
    }
    a->used = a->parse == PX_PARSE_DONE ? at : 0;
}

static void expect_same(void)
{
    ck_assert_int_eq(whole.parse, other.parse);
    ck_assert_uint_eq(whole.used, other.used);
    if (whole.parse == PX_PARSE_BAD) {
        ck_assert_uint_eq(whole.refusal.status, other.refusal.status);
        ck_assert_str_eq(whole.refusal.reason, other.refusal.reason);
    }
    ck_assert_uint_eq(whole.body_len, other.body_len);
    ck_assert_mem_eq(whole.body, other.body, whole.body_len);
    ck_assert(px_span_equal(whole.trailers, other.trailers));
}

static void judge(const char *literal, size_t len)
{
    uint8_t *text = malloc(len + (len == 0)); /* exactly as long: overreads are seen */
    ck_assert_ptr_nonnull(text);
    memcpy(text, literal, len);
    decode(&whole, text, len, len, 1);
    size_t step = len < 3000 ? 1 : len / 20;
    for (size_t at = 0; at <= len; at += step) {
        decode(&other, text, len, at, len);
        expect_same();
    }
    decode(&other, text, len, 0, 1);
    expect_same();
    ck_assert(px_header_list_is_valid(whole.trailers));
    free(text);
}

static void expect_good(const char *text, size_t len, const char *body)
{
    judge(text, len);
    ck_assert_msg(whole.parse == PX_PARSE_DONE, "%s",
                  whole.parse == PX_PARSE_BAD ? whole.refusal.reason : "MORE");
    ck_assert_uint_eq(whole.used, len);
    ck_assert_uint_eq(whole.body_len, strlen(body));
    ck_assert_mem_eq(whole.body, body, whole.body_len);
}

static void expect_bad(const char *text, size_t len, unsigned status)
{
    judge(text, len);
    ck_assert_int_eq(whole.parse, PX_PARSE_BAD);
    ck_assert_uint_eq(whole.refusal.status, status);
}

#define GOOD(literal, body) expect_good(literal, sizeof(literal) - 1, body)
#define BAD(literal) expect_bad(literal, sizeof(literal) - 1, 400)
#define MORE(literal)                                                                              \
    do {                                                                                           \
        judge(literal, sizeof(literal) - 1);                                                       \
        ck_assert_int_eq(whole.parse, PX_PARSE_MORE);                                              \
    } while (0)

START_TEST(chunks_are_joined)
{
    GOOD("0\r\n\r\n", "");
    GOOD("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!");
    GOOD("A\r\n0123456789\r\n0\r\n\r\n", "0123456789");
    GOOD("a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n");
    ck_assert_uint_eq(whole.trailers.len, 0);
}
END_TEST

START_TEST(the_body_is_yielded_in_place_chunk_by_chunk)
{
    GOOD("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
    ck_assert_uint_eq(whole.n_spans, 2);
}
END_TEST

START_TEST(what_follows_the_message_is_left)
{
    static const char text[] = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    judge(text, sizeof text - 1);
    ck_assert_int_eq(whole.parse, PX_PARSE_DONE);
    ck_assert_uint_eq(whole.used, 11);
}
END_TEST

START_TEST(unfinished_messages_want_more)
{
    MORE("");
    MORE("5");
    MORE("5\r");
    MORE("5\r\nhell");
    MORE("5\r\nhello");
    MORE("5\r\nhello\r");
    MORE("5\r\nhello\r\n0\r\n");
    MORE("0\r\n\r");
    MORE("0\r\na: b\r\n");
    MORE("0\r\na: b");
    MORE("1;a=\"");
}
END_TEST

START_TEST(a_size_may_have_16_digits_and_not_17)
{
    GOOD("0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", "x");
    BAD("00000000000000001\r\nx\r\n0\r\n\r\n");
    BAD("00000000000000000\r\n\r\n");
    MORE("ffffffffffffffff\r\nx");
    MORE("FFFFFFFFFFFFFFFF\r\nx");
}
END_TEST

START_TEST(a_size_of_2_to_the_64_is_400)
{
    BAD("10000000000000000\r\nx");
}
END_TEST

START_TEST(a_size_that_is_not_plain_hex_is_400)
{
    BAD("\r\n");
    BAD("0x5\r\nhello\r\n");
    BAD("+5\r\nhello\r\n");
    BAD("-5\r\nhello\r\n");
    BAD(" 5\r\nhello\r\n");
    BAD("5 \r\nhello\r\n");
    BAD("5\t\r\nhello\r\n");
    BAD("5_0\r\nhello\r\n");
    BAD("g\r\nhello\r\n");
    BAD("5h\r\nhello\r\n");
    BAD("\x00"
        "5\r\nhello\r\n");
    BAD("5\x00\r\nhello\r\n");
    BAD(";a\r\nhello\r\n");
    BAD("5,5\r\nhello\r\n");
    BAD("5\xb2\r\nhello\r\n");
}
END_TEST

START_TEST(a_size_line_that_does_not_end_with_cr_lf_is_400)
{
    BAD("5\nhello\r\n");
    BAD("5\rhello\r\n");
    BAD("5\r\rhello\r\n");
    BAD("0\n\r\n");
    BAD("0\n\n");
}
END_TEST

START_TEST(data_that_does_not_end_with_cr_lf_is_400)
{
    BAD("5\r\nhello\n0\r\n\r\n");
    BAD("5\r\nhello\r0\r\n\r\n");
    BAD("5\r\nhelloZZ0\r\n\r\n");
    BAD("5\r\nhello!\r\n0\r\n\r\n");
    BAD("5\r\nhell\r\n0\r\n\r\n");
    BAD("5\r\nhello0\r\n\r\n");
    BAD("5\r\nhello\n\r0\r\n\r\n");
    BAD("5\r\nhello\r\r\n0\r\n\r\n");
}
END_TEST

START_TEST(extensions_are_passed_over)
{
    GOOD("1;a\r\nx\r\n0;b\r\n\r\n", "x");
    GOOD("1;a=b;c;d=e\r\nx\r\n0\r\n\r\n", "x");
}
END_TEST

START_TEST(quoted_extensions_are_passed_over)
{
    GOOD("1;a=\"\"\r\nx\r\n0\r\n\r\n", "x");
    GOOD("1;a=\"b c;,\t\x80\";d\r\nx\r\n0\r\n\r\n", "x");
    GOOD("1;a=\"\\\"\\\\\\x\"\r\nx\r\n0\r\n\r\n", "x");
}
END_TEST

START_TEST(malformed_extensions_are_400)
{
    BAD("1;\r\nx\r\n");
    BAD("1;;a\r\nx\r\n");
    BAD("1; a\r\nx\r\n");
    BAD("1 ;a\r\nx\r\n");
    BAD("1;a \r\nx\r\n");
    BAD("1;a =b\r\nx\r\n");
    BAD("1;a= b\r\nx\r\n");
    BAD("1;a=\r\nx\r\n");
    BAD("1;=b\r\nx\r\n");
    BAD("1;a==b\r\nx\r\n");
    BAD("1;a=b=c\r\nx\r\n");
    BAD("1;a=\"b\"c\r\nx\r\n");
    BAD("1;a=b\"c\"\r\nx\r\n");
    BAD("1;a=\"b\r\nx\r\n");
    BAD("1;a=\"\\\x01\"\r\nx\r\n");
    BAD("1;(\r\nx\r\n");
    BAD("1;\x80\r\nx\r\n");
}
END_TEST

START_TEST(a_bare_line_feed_in_an_extension_is_400)
{
    BAD("1;a\nx\r\n");
    BAD("1;\nx\r\n");
    BAD("1;a=b\nx\r\n");
    BAD("1;a=\"b\nc\"\r\nx\r\n");
    BAD("1;a=\"b\"\nx\r\n");
    BAD("1;a=\"\\\n\"\r\nx\r\n");
}
END_TEST

START_TEST(a_lone_carriage_return_in_an_extension_is_400)
{
    BAD("1;a\rx\r\n");
    BAD("1;a\r\rx\r\n");
    BAD("1;a=\"b\rc\"\r\nx\r\n");
    BAD("1;\rx\r\n");
    BAD("1;a=\rx\r\n");
}
END_TEST

static char text[TEXT_MAX];

/* "1" with an extension of `len` bytes, then its byte of data. */
static size_t one_with_ext(char *at, size_t len)
{
    at[0] = '1';
    memset(at + 1, 'e', len);
    at[1] = ';';
    memcpy(at + 1 + len, "\r\nx\r\n", 5);
    return len + 6;
}

START_TEST(an_extension_of_256_bytes_is_taken_and_of_257_is_400)
{
    size_t len = one_with_ext(text, 256);
    strcpy(text + len, "0\r\n\r\n");
    expect_good(text, len + 5, "x");
    len = one_with_ext(text, 257);
    strcpy(text + len, "0\r\n\r\n");
    expect_bad(text, len + 5, 400);
}
END_TEST

START_TEST(extensions_of_4096_bytes_in_all_are_taken_and_of_4097_are_400)
{
    size_t len = 0;
    for (size_t i = 0; i < 16; i++) {
        len += one_with_ext(text + len, 256);
    }
    strcpy(text + len, "0\r\n\r\n");
    expect_good(text, len + 5, "xxxxxxxxxxxxxxxx");
    strcpy(text + len, "0;a\r\n\r\n");
    expect_bad(text, len + 7, 400);
}
END_TEST

START_TEST(tiny_chunks_are_400_once_64_kib_have_come)
{
    /* 15 bytes in 20: 3277 chunks are 65540 bytes, the next one comes too late. */
    size_t len = 0;
    for (size_t i = 0; i < 3278; i++) {
        len += (size_t)sprintf(text + len, "f\r\n0123456789abcde\r\n");
    }
    judge(text, len - 20);
    ck_assert_int_eq(whole.parse, PX_PARSE_MORE);
    expect_bad(text, len, 400);
    ck_assert_uint_eq(whole.body_len, 3277 * 15);
}
END_TEST

START_TEST(chunks_of_16_bytes_may_go_on_for_ever)
{
    size_t len = 0;
    while (len < TEXT_MAX - 100) {
        len += (size_t)sprintf(text + len, "10\r\n0123456789abcdef\r\n");
    }
    memcpy(text + len, "0\r\n\r\n", 5);
    judge(text, len + 5);
    ck_assert_int_eq(whole.parse, PX_PARSE_DONE);
}
END_TEST

START_TEST(one_big_chunk_pays_for_many_tiny_ones)
{
    size_t len = (size_t)sprintf(text, "11170\r\n"); /* 70000 */
    memset(text + len, 'x', 70000);
    len += 70000 + (size_t)sprintf(text + len + 70000, "\r\n");
    for (size_t i = 0; i < 4000; i++) {
        len += (size_t)sprintf(text + len, "1\r\ny\r\n");
    }
    memcpy(text + len, "0\r\n\r\n", 5);
    judge(text, len + 5);
    ck_assert_int_eq(whole.parse, PX_PARSE_DONE);
}
END_TEST

START_TEST(huge_sizes_do_not_upset_the_account)
{
    struct h1_chunk chunk = {.left = 0, .surplus = INT64_MAX, .encoded = UINT16_MAX};
    decode(&whole, (const uint8_t *)"", 0, 0, 1);
    feed(&whole, &chunk, (const uint8_t *)"ffffffffffffffff\r\nx", 0, 19);
    ck_assert_int_eq(whole.parse, PX_PARSE_MORE);
    ck_assert_int_eq(chunk.surplus, INT64_MAX);
    ck_assert_uint_eq(chunk.left, UINT64_MAX - 1);
}
END_TEST

START_TEST(trailers_come_as_a_list_of_fields)
{
    struct px_span value;
    GOOD("1\r\nx\r\n0\r\nX-Sum:  abc \r\nEmpty:\r\n\r\n", "x");
    ck_assert(px_header_list_find(whole.trailers, "x-sum", &value));
    ck_assert(px_span_equal_str(value, "abc"));
    ck_assert(px_header_list_find(whole.trailers, "empty", &value));
    ck_assert_uint_eq(value.len, 0);
}
END_TEST

START_TEST(malformed_trailers_are_400)
{
    BAD("0\r\nno colon\r\n\r\n");
    BAD("0\r\n folded: x\r\n\r\n");
    BAD("0\r\na : x\r\n\r\n");
    BAD("0\r\na: x\n\r\n");
    BAD("0\r\na: x\ry\r\n\r\n");
    BAD("0\r\na: x\x00\r\n\r\n");
    BAD("0\r\na: x\r\n b\r\n\r\n");
    BAD("0\r\n\n");
    BAD("0\r\n\rx");
    BAD("0\r\nGET / HTTP/1.1\r\n\r\n");
}
END_TEST

START_TEST(fields_that_frame_route_or_admit_are_400_as_trailers)
{
    BAD("0\r\nContent-Length: 5\r\n\r\n");
    BAD("0\r\nTransfer-Encoding: chunked\r\n\r\n");
    BAD("0\r\nHost: a\r\n\r\n");
    BAD("0\r\nTrailer: a\r\n\r\n");
    BAD("0\r\nContent-Encoding: gzip\r\n\r\n");
    BAD("0\r\nContent-Type: a/b\r\n\r\n");
    BAD("0\r\nAuthorization: a\r\n\r\n");
    BAD("0\r\nCookie: a\r\n\r\n");
    BAD("0\r\nSet-Cookie: a\r\n\r\n");
    BAD("0\r\nConnection: close\r\n\r\n");
    BAD("0\r\nTE: a\r\n\r\n");
    BAD("0\r\nExpect: 100-continue\r\n\r\n");
    BAD("0\r\nContent_Length: 5\r\n\r\n");
}
END_TEST

/* The last chunk and `n` trailers of `line_len` bytes with their CR LF. */
static size_t with_trailers(size_t n, size_t line_len)
{
    strcpy(text, "0\r\n");
    for (size_t i = 0; i < n; i++) {
        char *at = text + 3 + i * line_len;
        memset(at, 'v', line_len);
        memcpy(at, "n:", 2);
        memcpy(at + line_len - 2, "\r\n", 2);
    }
    memcpy(text + 3 + n * line_len, "\r\n", 2);
    return 5 + n * line_len;
}

START_TEST(trailers_obey_the_limits_of_headers)
{
    expect_good(text, with_trailers(100, 5), "");
    expect_bad(text, with_trailers(101, 5), 431);
    expect_good(text, with_trailers(1, 8194), "");
    expect_bad(text, with_trailers(1, 8195), 431);
    expect_good(text, with_trailers(4, 8192), "");
    expect_bad(text, with_trailers(5, 6554), 431);
}
END_TEST

START_TEST(trailers_without_room_are_431)
{
    list_room = 7;
    expect_bad("0\r\na: b\r\n\r\n", 11, 431);
    list_room = 8;
    expect_good("0\r\na: b\r\n\r\n", 11, "");
}
END_TEST

/* ---- encoding ---- */

static uint8_t memory[200];

START_TEST(chunks_are_written_as_they_are_read)
{
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    struct px_bytes_out list = px_bytes_out_of(text, sizeof text);
    px_header_list_put(&list, px_span_of_str("x-sum"), px_span_of_str("abc"));
    px_header_list_put(&list, px_span_of_str("e"), px_span_of(NULL, 0));
    h1_chunk_put_head(&out, 26);
    px_bytes_put_str(&out, "abcdefghijklmnopqrstuvwxyz");
    h1_chunk_put_tail(&out);
    ck_assert(h1_chunk_put_last(&out, px_bytes_out_span(&list), limits.scan));
    ck_assert(px_span_equal_str(px_bytes_out_span(&out),
                                "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nx-sum: abc\r\ne: "
                                "\r\n\r\n"));
    expect_good((const char *)memory, px_bytes_out_len(&out), "abcdefghijklmnopqrstuvwxyz");
    ck_assert(px_span_equal(whole.trailers, px_bytes_out_span(&list)));
}
END_TEST

START_TEST(the_largest_size_fills_what_is_promised)
{
    struct px_bytes_out out = px_bytes_out_of(memory, H1_CHUNK_HEAD_MAX);
    h1_chunk_put_head(&out, UINT64_MAX);
    ck_assert(px_span_equal_str(px_bytes_out_span(&out), "ffffffffffffffff\r\n"));
    ck_assert(!out.overflow);
    h1_chunk_put_head(&out, 1);
    ck_assert(out.overflow);
}
END_TEST

static bool last_taken(const char *name, const char *value)
{
    struct px_bytes_out list = px_bytes_out_of(text, sizeof text);
    px_header_list_put(&list, px_span_of_str(name), px_span_of_str(value));
    struct px_bytes_out out = px_bytes_out_of(memory, 5 + px_bytes_out_len(&list));
    bool ok = h1_chunk_put_last(&out, px_bytes_out_span(&list), limits.scan);
    ck_assert(ok || px_bytes_out_len(&out) == 0);
    return ok;
}

START_TEST(trailers_that_must_not_be_are_not_written)
{
    ck_assert(last_taken("x", "y"));
    ck_assert(!last_taken("x", "y\r\nz: 1"));
    ck_assert(!last_taken("x", "y\n"));
    ck_assert(!last_taken("x y", "z"));
    ck_assert(!last_taken("content-length", "5"));
    ck_assert(!last_taken("Transfer-Encoding", "chunked"));
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    ck_assert(!h1_chunk_put_last(&out, px_span_of("\x0a", 1), limits.scan));
    out = px_bytes_out_of(memory, 4);
    ck_assert(!h1_chunk_put_last(&out, px_span_of(NULL, 0), limits.scan));
    out = px_bytes_out_of(memory, 5);
    ck_assert(h1_chunk_put_last(&out, px_span_of(NULL, 0), limits.scan));
}
END_TEST

START_TEST(the_state_of_a_decoder_is_small)
{
    ck_assert_uint_le(sizeof(struct h1_chunk), 32);
}
END_TEST

static TCase *reading_tests(void)
{
    TCase *tcase = tcase_create("reading");
    tcase_add_test(tcase, chunks_are_joined);
    tcase_add_test(tcase, the_body_is_yielded_in_place_chunk_by_chunk);
    tcase_add_test(tcase, what_follows_the_message_is_left);
    tcase_add_test(tcase, unfinished_messages_want_more);
    tcase_add_test(tcase, a_size_may_have_16_digits_and_not_17);
    tcase_add_test(tcase, a_size_of_2_to_the_64_is_400);
    tcase_add_test(tcase, a_size_that_is_not_plain_hex_is_400);
    tcase_add_test(tcase, a_size_line_that_does_not_end_with_cr_lf_is_400);
    tcase_add_test(tcase, data_that_does_not_end_with_cr_lf_is_400);
    tcase_add_test(tcase, extensions_are_passed_over);
    tcase_add_test(tcase, quoted_extensions_are_passed_over);
    tcase_add_test(tcase, malformed_extensions_are_400);
    tcase_add_test(tcase, a_bare_line_feed_in_an_extension_is_400);
    tcase_add_test(tcase, a_lone_carriage_return_in_an_extension_is_400);
    tcase_add_test(tcase, an_extension_of_256_bytes_is_taken_and_of_257_is_400);
    tcase_add_test(tcase, extensions_of_4096_bytes_in_all_are_taken_and_of_4097_are_400);
    tcase_add_test(tcase, tiny_chunks_are_400_once_64_kib_have_come);
    tcase_add_test(tcase, chunks_of_16_bytes_may_go_on_for_ever);
    tcase_add_test(tcase, one_big_chunk_pays_for_many_tiny_ones);
    tcase_add_test(tcase, huge_sizes_do_not_upset_the_account);
    tcase_add_test(tcase, trailers_come_as_a_list_of_fields);
    tcase_add_test(tcase, malformed_trailers_are_400);
    tcase_add_test(tcase, fields_that_frame_route_or_admit_are_400_as_trailers);
    tcase_add_test(tcase, trailers_obey_the_limits_of_headers);
    tcase_add_test(tcase, trailers_without_room_are_431);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *writing = tcase_create("writing");
    tcase_add_test(writing, chunks_are_written_as_they_are_read);
    tcase_add_test(writing, the_largest_size_fills_what_is_promised);
    tcase_add_test(writing, trailers_that_must_not_be_are_not_written);
    tcase_add_test(writing, the_state_of_a_decoder_is_small);
    TCase *tcases[] = {reading_tests(), writing};
    for (size_t i = 0; i < sizeof tcases / sizeof tcases[0]; i++) {
        tcase_add_checked_fixture(tcases[i], setup, NULL);
        tcase_set_timeout(tcases[i], 60);
        suite_add_tcase(suite, tcases[i]);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
