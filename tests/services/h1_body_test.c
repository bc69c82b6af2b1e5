/* h1_body_test.c - request bodies: streamed under the application's credit, chunked or counted,
 * drained, expected. */
#include <check.h>

#include "h1_act.h"

#define H "Host: a\r\n"
#define GET11 "GET / HTTP/1.1\r\n" H "\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define OK_0 "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" RIG_DATE "\r\n"
#define OK_0_CLOSE "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n" RIG_DATE "\r\n"

static void setup(void)
{
    rig_prepare();
    rig_start();
}

static void expect_body(const struct req *r, const char *text)
{
    ck_assert_uint_eq(r->body_len, strlen(text));
    ck_assert(r->body_len == 0 || memcmp(r->body, text, r->body_len) == 0);
}

static void answered(struct wire *w, struct req *r)
{
    req_respond(r, .status = 200);
    wire_expect(w, OK_0);
    req_expect_ended(r, PX_OK);
    wire_send(w, GET11); /* the connection goes on */
    r = req_expect("GET", "/");
    req_respond(r, .status = 200);
    wire_expect(w, OK_0);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
}

START_TEST(a_body_waits_for_credit_and_comes_with_its_length)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 11\r\n\r\nhello ");
    struct req *r = req_expect("POST", "/");
    ck_assert(!r->fin && r->has_length);
    ck_assert_uint_eq(r->length, 11);
    ck_assert_uint_eq(r->n_data, 0);
    req_take(r, 4096);
    expect_body(r, "hello ");
    ck_assert(!r->fin);
    wire_send(w, "world");
    expect_body(r, "hello world");
    ck_assert(r->fin);
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(a_chunked_body_comes_without_its_framing)
{
    struct wire *w = wire_new();
    wire_send(w, CHUNKED "5\r\nhello\r\n6;name=\"va;lue\"\r\n world\r\n0\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    ck_assert(!r->has_length && !r->fin);
    req_take(r, 4096);
    expect_body(r, "hello world");
    ck_assert(r->fin && !r->has_trailers);
    ck_assert_uint_eq(r->n_data, 1);
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(trailers_come_behind_the_body)
{
    struct wire *w = wire_new();
    wire_send(w, CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-");
    struct req *r = req_expect("POST", "/");
    req_take(r, 4096);
    expect_body(r, "hello");
    ck_assert(!r->fin);
    wire_send(w, "More: 2\r\n");
    wire_send(w, "\r");
    ck_assert(!r->fin);
    wire_send(w, "\n");
    ck_assert(r->fin);
    ck_assert_str_eq(r->trailers, "x-sum: 1\nx-more: 2\n");
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(an_empty_chunked_body_ends_without_credit_once_the_application_has_spoken)
{
    struct wire *w = wire_new();
    wire_send(w, CHUNKED "0\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    ck_assert(!r->fin);
    req_take(r, 0);
    ck_assert(r->fin);
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(a_request_behind_a_body_is_read_when_the_body_is_complete)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 5\r\n\r\nhello"
                      "GET /next HTTP/1.1\r\n" H "\r\n");
    struct req *r = req_expect("POST", "/");
    ck_assert_uint_eq(rig.n_order, 0);
    req_take(r, 512);
    struct req *next = req_expect("GET", "/next");
    req_respond(r, .status = 200);
    req_respond(next, .status = 200);
    wire_expect(w, OK_0 OK_0);
    req_expect_ended(r, PX_OK);
    req_expect_ended(next, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_slow_application_holds_the_client_back)
{
    static char body[400000];
    memset(body, 'b', sizeof body);
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 400000\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    size_t sent = wire_send_in(w, body, sizeof body, 8000);
    ck_assert_uint_le(sent, H1_WINDOW); /* one window, no more */
    ck_assert_uint_ge(sent, H1_WINDOW - 9000);
    ck_assert_uint_eq(w->granted, H1_WINDOW);
    req_take(r, 40000);
    ck_assert_uint_eq(r->body_total, 40000);
    ck_assert_uint_ge(w->granted, H1_WINDOW + 32768);
    while (!r->fin) {
        sent += wire_send_in(w, body + sent, sizeof body - sent, 8000);
        req_take(r, 16384);
    }
    ck_assert_uint_eq(r->body_total, 400000);
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(a_chunked_body_stays_within_the_credit_of_the_application)
{
    struct wire *w = wire_new();
    char text[3000], *at = text;
    at += sprintf(at, "%s", CHUNKED);
    for (int i = 0; i < 100; i++) {
        at += sprintf(at, "a\r\n0123456789\r\n");
    }
    at += sprintf(at, "0\r\n\r\n");
    wire_send_bytes(w, text, (size_t)(at - text));
    struct req *r = req_expect("POST", "/");
    uint64_t granted = 0;
    while (!r->fin) {
        uint32_t before = r->n_data;
        uint64_t had = r->body_total;
        req_take(r, 512);
        granted += 512;
        uint64_t got = r->body_total - had;
        ck_assert_uint_le(r->n_data - before, 1);
        ck_assert_uint_le(got, 512);
        ck_assert_uint_le(granted, 20 * 512);
    }
    ck_assert_uint_eq(r->body_total, 1000);
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(bodies_arrive_whole_however_they_are_split)
{
    static const char text[] = CHUNKED "5\r\nhello\r\n6;x\r\n world\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n";
    for (size_t step = 1; step < sizeof text; step++) {
        struct wire *w = wire_new();
        wire_send_in(w, text, sizeof text - 1, step);
        struct req *r = req_expect("POST", "/");
        while (!r->fin) {
            req_take(r, 512);
        }
        expect_body(r, "hello world!");
        ck_assert_str_eq(r->trailers, "a: b\n");
        answered(w, r);
    }
    rig_finish();
}
END_TEST

START_TEST(one_byte_segments_of_a_body_return_their_whole_charge)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 2000\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    req_take(r, 1 << 30);
    char x[2000];
    memset(x, 'x', sizeof x);
    ck_assert_uint_eq(wire_send_in(w, x, sizeof x, 1), sizeof x);
    ck_assert_uint_eq(r->body_total, 2000);
    answered(w, r);
    rig_finish();
}
END_TEST

/* ---- 100 (Continue) ---- */

#define EXPECTS POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"

START_TEST(continue_is_said_when_the_application_takes_the_body)
{
    struct wire *w = wire_new();
    wire_send(w, EXPECTS);
    struct req *r = req_expect("POST", "/");
    ck_assert(r->expects);
    wire_expect(w, "");
    req_take(r, 0);
    wire_expect(w, "");
    req_take(r, 512);
    wire_expect(w, "HTTP/1.1 100 Continue\r\n\r\n");
    req_take(r, 512);
    wire_expect(w, "");
    wire_send(w, "hello");
    expect_body(r, "hello");
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(continue_is_not_said_when_the_body_has_begun)
{
    struct wire *w = wire_new();
    wire_send(w, EXPECTS "he");
    struct req *r = req_expect("POST", "/");
    req_take(r, 512);
    wire_expect(w, "");
    wire_send(w, "llo");
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(continue_waits_for_the_answers_before_it)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 EXPECTS);
    struct req *first = req_expect("GET", "/");
    struct req *r = req_expect("POST", "/");
    req_take(r, 512);
    wire_expect(w, "");
    req_respond(first, .status = 200);
    wire_expect(w, OK_0 "HTTP/1.1 100 Continue\r\n\r\n");
    req_expect_ended(first, PX_OK);
    wire_send(w, "hello");
    answered(w, r);
    rig_finish();
}
END_TEST

START_TEST(a_final_answer_without_continue_closes)
{
    struct wire *w = wire_new();
    wire_send(w, EXPECTS);
    struct req *r = req_expect("POST", "/");
    req_respond(r, .status = 200);
    wire_expect(w, OK_0_CLOSE);
    req_expect_ended(r, PX_OK);
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(continue_means_nothing_to_1_0)
{
    struct wire *w = wire_new();
    wire_send(w, "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    ck_assert(!r->expects);
    req_take(r, 512);
    wire_expect(w, "");
    wire_send(w, "hello");
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    wire_expect(w, OK_0_CLOSE);
    wire_expect_close(w);
    rig_finish();
}
END_TEST

/* ---- draining ---- */

START_TEST(what_the_application_did_not_read_is_drained)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 10\r\n\r\nhello");
    struct req *r = req_expect("POST", "/");
    req_respond(r, .status = 200);
    wire_expect(w, OK_0);
    req_expect_ended(r, PX_OK);
    wire_expect_open(w);
    wire_send(w, "world" GET11);
    r = req_expect("GET", "/");
    ck_assert_uint_eq(r->body_total, 0);
    req_respond(r, .status = 200);
    wire_expect(w, OK_0);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

static void drain_with(uint32_t length, bool closes)
{
    struct wire *w = wire_new();
    char head[200];
    sprintf(head, POST "Content-Length: %u\r\n\r\n", length);
    wire_send(w, head);
    struct req *r = req_expect("POST", "/");
    req_respond(r, .status = 200);
    wire_expect(w, closes ? OK_0_CLOSE : OK_0);
    req_expect_ended(r, PX_OK);
    if (closes) {
        wire_expect_close(w);
    } else {
        wire_expect_open(w);
        wire_end(w, PX_RESET);
    }
}

START_TEST(a_rest_longer_than_drain_bytes_ends_the_connection)
{
    drain_with(H1_DRAIN_BYTES, false);
    ck_assert_uint_eq(rig_counter(H1_COUNT_drain_bytes), 0);
    drain_with(H1_DRAIN_BYTES + 1, true);
    rig_finish();
}
END_TEST

START_TEST(a_chunked_rest_is_drained_up_to_drain_bytes)
{
    static char body[H1_DRAIN_BYTES + 1];
    memset(body, 'x', sizeof body);
    for (uint32_t extra = 0; extra < 2; extra++) {
        struct wire *w = wire_new();
        char head[200];
        uint32_t len = H1_DRAIN_BYTES + extra;
        sprintf(head, CHUNKED "%x\r\n", len);
        wire_send(w, head);
        struct req *r = req_expect("POST", "/");
        req_respond(r, .status = 200);
        wire_expect(w, OK_0);
        req_expect_ended(r, PX_OK);
        wire_send_in(w, body, len, 10000);
        ck_assert_uint_eq(rig_counter(H1_COUNT_drain_bytes), extra);
        if (extra > 0) {
            wire_expect_close(w);
        } else {
            wire_send(w, "\r\n0\r\n\r\n" GET11);
            r = req_expect("GET", "/");
            req_respond(r, .status = 200);
            req_expect_ended(r, PX_OK);
            wire_end(w, PX_RESET);
        }
    }
    rig_finish();
}
END_TEST

START_TEST(a_rest_that_takes_longer_than_drain_ms_ends_the_connection)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 10\r\n\r\nhello");
    struct req *r = req_expect("POST", "/");
    req_respond(r, .status = 200);
    wire_expect(w, OK_0);
    req_expect_ended(r, PX_OK);
    rig_advance_us(PX_MS(H1_DRAIN_MS) - 1);
    wire_expect_open(w);
    rig_advance_us(1);
    wire_expect_close(w);
    ck_assert_uint_eq(rig_counter(H1_COUNT_drain_ms), 1);
    rig_finish();
}
END_TEST

START_TEST(a_body_that_ends_too_early_is_answered_400)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 10\r\n\r\nhello");
    struct req *r = req_expect("POST", "/");
    req_take(r, 512);
    wire_fin(w);
    req_expect_ended(r, PX_TRUNCATED);
    ck_assert(memcmp(w->out, "HTTP/1.1 400 ", 13) == 0);
    w->out_len = 0;
    wire_expect_close(w);
    w = wire_new();
    wire_send(w, POST "Content-Length: 10\r\n\r\nhello");
    r = req_expect("POST", "/");
    wire_fin(w); /* in front of the application's credit */
    ck_assert_uint_eq(r->ended, 0);
    req_take(r, 512);
    req_expect_ended(r, PX_TRUNCATED);
    w->out_len = 0;
    wire_expect_close(w);
    ck_assert_uint_eq(rig_counter(H1_COUNT_truncated), 2);
    rig_finish();
}
END_TEST

START_TEST(a_body_for_nobody_is_drained)
{
    px_service_kill(rig.kernel, rig.app);
    rig_run();
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 5\r\n\r\nhel");
    ck_assert(memcmp(w->out, "HTTP/1.1 503 ", 13) == 0);
    w->out_len = 0;
    wire_send(w, "lo" GET11);
    ck_assert(memcmp(w->out, "HTTP/1.1 503 ", 13) == 0);
    wire_expect_open(w);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1 bodies");
    TCase *bodies = tcase_create("bodies");
    tcase_add_checked_fixture(bodies, setup, NULL);
    tcase_add_test(bodies, a_body_waits_for_credit_and_comes_with_its_length);
    tcase_add_test(bodies, a_chunked_body_comes_without_its_framing);
    tcase_add_test(bodies, trailers_come_behind_the_body);
    tcase_add_test(bodies,
                   an_empty_chunked_body_ends_without_credit_once_the_application_has_spoken);
    tcase_add_test(bodies, a_request_behind_a_body_is_read_when_the_body_is_complete);
    tcase_add_test(bodies, a_slow_application_holds_the_client_back);
    tcase_add_test(bodies, a_chunked_body_stays_within_the_credit_of_the_application);
    tcase_add_test(bodies, bodies_arrive_whole_however_they_are_split);
    tcase_add_test(bodies, one_byte_segments_of_a_body_return_their_whole_charge);
    suite_add_tcase(suite, bodies);
    TCase *expect = tcase_create("continue");
    tcase_add_checked_fixture(expect, setup, NULL);
    tcase_add_test(expect, continue_is_said_when_the_application_takes_the_body);
    tcase_add_test(expect, continue_is_not_said_when_the_body_has_begun);
    tcase_add_test(expect, continue_waits_for_the_answers_before_it);
    tcase_add_test(expect, a_final_answer_without_continue_closes);
    tcase_add_test(expect, continue_means_nothing_to_1_0);
    suite_add_tcase(suite, expect);
    TCase *drain = tcase_create("draining");
    tcase_add_checked_fixture(drain, setup, NULL);
    tcase_add_test(drain, what_the_application_did_not_read_is_drained);
    tcase_add_test(drain, a_rest_longer_than_drain_bytes_ends_the_connection);
    tcase_add_test(drain, a_chunked_rest_is_drained_up_to_drain_bytes);
    tcase_add_test(drain, a_rest_that_takes_longer_than_drain_ms_ends_the_connection);
    tcase_add_test(drain, a_body_that_ends_too_early_is_answered_400);
    tcase_add_test(drain, a_body_for_nobody_is_drained);
    suite_add_tcase(suite, drain);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
