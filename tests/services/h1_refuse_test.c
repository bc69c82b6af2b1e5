/* h1_refuse_test.c - what is malformed gets its status and the end of the connection; and whatever
 * a connection says, the answers do not depend on how its bytes are split. */
#include <check.h>

#include "h1_act.h"

struct refusal {
    const char *request;
    size_t len; /* 0: strlen */
    uint16_t status;
    uint16_t good; /* requests that reach the application first */
};

#define H "Host: a\r\n"
#define BAD(text, status)                                                                          \
    {                                                                                              \
        text, sizeof(text) - 1, status, 0                                                          \
    }
#define AFTER(text, status)                                                                        \
    {                                                                                              \
        text, sizeof(text) - 1, status, 1                                                          \
    }
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct refusal refusals[] = {
    /* request line */
    BAD("GET\r\n\r\n", 400),
    BAD("GET /\r\n\r\n", 400),
    BAD("GET  / HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET / HTTP/1.1 \r\n" H "\r\n", 400),
    BAD(" GET / HTTP/1.1\r\n" H "\r\n", 400),
    BAD("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET\t/ HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET / http/1.1\r\n" H "\r\n", 400),
    BAD("GET / HTTP/1.1\n" H "\r\n", 400),
    BAD("GET /\x80 HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET /#frag HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET /a\0b HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET * HTTP/1.1\r\n" H "\r\n", 400),
    BAD("GET a HTTP/1.1\r\n" H "\r\n", 400),
    BAD("G@T / HTTP/1.1\r\n" H "\r\n", 400),
    BAD("BREW / HTTP/1.1\r\n" H "\r\n", 501),
    BAD("CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 501),
    BAD("GET / HTTP/2.0\r\n" H "\r\n", 505),
    BAD("GET / HTTP/0.9\r\n\r\n", 505),
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    /* header lines */
    BAD("GET / HTTP/1.1\r\n" H "A\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "A : b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H " A: b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n A: b\r\n" H "\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "A: b\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "(A): b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H ": b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "\x80: b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H "Connection: host\r\n\r\n", 400),
    /* Host */
    BAD("GET / HTTP/1.1\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\n" H H "\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    BAD("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
    BAD("GET http://u@a/ HTTP/1.1\r\n" H "\r\n", 400),
    /* framing */
    BAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5, 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: +5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 0x5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: 5 5\r\n\r\nhello", 400),
    BAD(POST "Content-Length: -1\r\n\r\n", 400),
    BAD(POST "Content-Length: \r\n\r\n", 400),
    BAD(POST "Content-Length: 99999999999999999999\r\n\r\n", 400),
    BAD(POST "Content_Length: 5\r\n\r\nhello", 400),
    BAD(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding:\x0b"
             "chunked\r\n\r\n0\r\n\r\n",
        400),
    BAD(POST "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: chunked\r\n , identity\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    /* expectations */
    BAD(POST "Content-Length: 5\r\nExpect: y\r\n\r\nhello", 417),
    BAD(POST "Content-Length: 5\r\nExpect: y 100-continue\r\n\r\nhello", 417),
    /* chunks */
    AFTER(CHUNKED "x\r\n", 400),
    AFTER(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "5\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "5\r\nhelloXX0\r\n\r\n", 400),
    AFTER(CHUNKED "5\r\nhello\n0\r\n\r\n", 400),
    AFTER(CHUNKED "10000000000000000\r\n", 400),
    AFTER(CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "5; a\r\nhello\r\n0\r\n\r\n", 400),
    AFTER(CHUNKED "\r\n", 400),
    AFTER(CHUNKED "0\r\nContent-Length: 5\r\n\r\n", 400),
    AFTER(CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    AFTER(CHUNKED "0\r\nHost: b\r\n\r\n", 400),
    AFTER(CHUNKED "0\r\nA : b\r\n\r\n", 400),
    AFTER(CHUNKED "0\r\nA: b\n\r\n", 400),
    AFTER(CHUNKED "0\r\n A: b\r\n\r\n", 400),
};

enum { N_REFUSALS = sizeof refusals / sizeof refusals[0] };

static void setup(void)
{
    rig_prepare();
    rig_start();
}

static void refused_setup(void)
{
    rig_prepare();
    rig.config.requests_max = 100000;
    rig_start();
}

START_TEST(every_malformed_request_gets_its_status_and_the_end_of_the_connection)
{
    for (size_t i = 0; i < N_REFUSALS; i++) {
        const struct refusal *f = &refusals[i];
        struct wire *w = wire_new();
        wire_deliver(w, f->request, f->len, false);
        rig_run();
        struct req *r = NULL;
        if (f->good > 0) {
            r = req_expect("POST", "/");
            req_take(r, 100000);
        }
        wire_send(w, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        char want[40], text[400];
        sprintf(want, "HTTP/1.1 %u ", f->status);
        bool ok = w->out_len > 20 && memcmp(w->out, want, strlen(want)) == 0 &&
                  memmem(w->out, w->out_len, "\r\nconnection: close\r\n", 21) != NULL && w->close;
        snprintf(text, sizeof text, "%.200s: expected %s, came %.*s", f->request, want,
                 (int)(w->out_len < 100 ? w->out_len : 100), w->out_len > 0 ? (char *)w->out : "");
        ck_assert_msg(ok, "%s", text);
        ck_assert_msg(rig.n_order == 0, "%.200s: something was smuggled", f->request);
        ck_assert_msg(rig.refused.n == (f->good > 0 ? 0 : 1), "%.200s: told %u times", f->request,
                      rig.refused.n); /* with an exchange Ended tells */
        rig.refused.n = 0;
        w->out_len = 0;
        if (r != NULL) {
            req_expect_ended(r, PX_PROTOCOL);
        }
        wire_expect_close(w);
    }
    rig_finish();
}
END_TEST

START_TEST(a_refusal_is_a_short_text)
{
    struct wire *w = wire_new();
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n");
    const char *body = memmem(w->out, w->out_len, "\r\n\r\n", 4);
    ck_assert(body != NULL &&
              memmem(w->out, w->out_len, "content-type: text/plain\r\n", 26) != NULL);
    ck_assert_uint_ge((size_t)((char *)w->out + w->out_len - body), 4 + 2);
    ck_assert_int_eq(w->out[w->out_len - 1], '\n');
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(earlier_requests_are_answered_before_a_refusal)
{
    struct wire *w = wire_new();
    wire_send(w, "GET /1 HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H "\r\nGET\r\n\r\n");
    struct req *a = req_expect("GET", "/1");
    struct req *b = req_expect("GET", "/2");
    wire_expect(w, "");
    req_respond(b, .status = 200, .body = "2");
    wire_expect(w, "");
    wire_expect_open(w);
    req_respond(a, .status = 200, .body = "1");
    static const char want[] = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n" RIG_DATE
                               "\r\n1HTTP/1.1 200 OK\r\ncontent-length: 1\r\n" RIG_DATE
                               "\r\n2HTTP/1.1 400 Bad Request\r\n";
    ck_assert_uint_gt(w->out_len, sizeof want);
    ck_assert(memcmp(w->out, want, sizeof want - 1) == 0);
    req_expect_ended(a, PX_OK);
    req_expect_ended(b, PX_OK);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(a_body_that_breaks_after_the_answer_began_resets)
{
    struct wire *w = wire_new();
    wire_send(w, CHUNKED "5\r\nhello\r\n");
    struct req *r = req_expect("POST", "/");
    req_take(r, 100000);
    req_respond(r, .status = 200, .body = "begun", .more = true);
    wire_send(w, "x\r\n");
    req_expect_ended(r, PX_PROTOCOL);
    wire_expect_reset(w);
    rig_finish();
}
END_TEST

START_TEST(h2c_upgrades_are_ignored)
{
    struct wire *w = wire_new();
    wire_send(w, "GET / HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                 "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
    struct req *r = req_expect("GET", "/");
    ck_assert_str_eq(r->fields, "");
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

/* ---- the application's mistakes ---- */

#define GET11 "GET / HTTP/1.1\r\n" H "\r\n"

START_TEST(fields_that_would_split_a_response_are_answered_500)
{
    static const struct answer_plan bad[] = {
        {.status = 200, .fields = "a: b\rc\n"},
        {.status = 200, .fields = "a b: c\n"},
        {.status = 99},
        {.status = 101},
        {.status = 1000},
        {.status = 70000},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wire *w = wire_new();
        wire_send(w, GET11);
        struct req *r = req_expect("GET", "/");
        req_answer(r, &bad[i]);
        rig_run();
        ck_assert(memcmp(w->out, "HTTP/1.1 500 ", 13) == 0);
        req_expect_ended(r, PX_BAD_REQUEST);
        w->out_len = 0;
        wire_expect_close(w);
    }
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_500), sizeof bad / sizeof bad[0]);
    rig_finish();
}
END_TEST

static void broken(const struct answer_plan *plan, const char *more, bool fin)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_answer(r, plan);
    rig_run();
    if (more != NULL) {
        req_data(r, more, strlen(more), fin);
    }
    req_expect_ended(r, PX_PROTOCOL);
    wire_expect_reset(w);
}

START_TEST(a_body_that_is_longer_or_shorter_than_was_said_resets)
{
    broken(&(struct answer_plan){.status = 200, .has_length = true, .length = 4, .body = "hello"},
           NULL, true);
    broken(&(struct answer_plan){.status = 200, .has_length = true, .length = 6, .body = "hello"},
           NULL, true);
    broken(
        &(struct answer_plan){
            .status = 200, .has_length = true, .length = 6, .body = "hello", .more = true},
        "xy", false);
    broken(
        &(struct answer_plan){
            .status = 200, .has_length = true, .length = 8, .body = "hello", .more = true},
        "xy", true);
    ck_assert_uint_eq(rig_counter(H1_COUNT_application_broken), 4);
    rig_finish();
}
END_TEST

START_TEST(a_second_answer_and_a_body_out_of_turn_reset)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .more = true);
    req_respond(r, .status = 200, .more = true);
    req_expect_ended(r, PX_PROTOCOL);
    wire_expect_reset(w);
    w = wire_new();
    wire_send(w, GET11 GET11);
    struct req *a = req_expect("GET", "/");
    struct req *b = req_expect("GET", "/");
    req_respond(b, .status = 200, .more = true);
    req_data(b, "x", 1, false);
    req_expect_ended(b, PX_PROTOCOL);
    wire_expect_reset(w);
    req_respond(a, .status = 200);
    req_expect_ended(a, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_body_beyond_its_credit_resets)
{
    char *body = calloc(1, H1_RESPONSE_WINDOW + 1);
    struct wire *w = wire_new();
    w->mute = true;
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .more = true);
    req_data(r, body, H1_RESPONSE_WINDOW + 1, false);
    req_expect_ended(r, PX_PROTOCOL);
    wire_expect_reset(w);
    free(body);
    rig_finish();
}
END_TEST

START_TEST(a_first_part_beyond_its_free_bytes_costs_credit)
{
    char *body = calloc(1, 40000);
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11);
    struct req *a = req_expect("GET", "/");
    struct req *b = req_expect("GET", "/");
    req_respond(a, .status = 200, .body = body, .body_len = 40000); /* the first has credit */
    req_expect_ended(a, PX_OK);
    req_respond(b, .status = 200, .body = body, .body_len = H1_RESPOND_FREE);
    req_expect_ended(b, PX_OK);
    wire_send(w, GET11 GET11);
    a = req_expect("GET", "/");
    b = req_expect("GET", "/");
    req_respond(b, .status = 200, .body = body, .body_len = H1_RESPOND_FREE + 1);
    req_expect_ended(b, PX_PROTOCOL);
    req_respond(a, .status = 200);
    req_expect_ended(a, PX_RESET);
    wire_expect_reset(w);
    free(body);
    rig_finish();
}
END_TEST

/* ---- splits ---- */

static void answer_all(struct req *r)
{
    if (!r->known) {
        Http__ExchangeCredit *m = px_msg_new(app_env(), &http__exchange_credit__descriptor);
        m->responder = r->self;
        m->bytes = 1 << 20;
        r->known = true;
        (void)px_send(app_env(), rig.h1, REQUESTER_CREDIT, m, r->requester);
    }
    if (r->fin && !r->taken) {
        char text[200];
        int n = snprintf(text, sizeof text, "%s %.60s %zu %.40s", r->method, r->path, r->body_len,
                         r->trailers);
        r->taken = true;
        req_answer(r, &(struct answer_plan){.status = 200, .body = text, .body_len = (size_t)n});
    }
}

/* What the client gets for these bytes, cut into pieces of `step`, and how often the application
 * hears of a refusal. */
static size_t conversation(const char *text, size_t len, size_t step, uint8_t *ret, size_t cap)
{
    struct wire *w = wire_new();
    rig.refused = (struct refused){.n = 0};
    for (size_t at = 0; at < len && !w->close; at += step) {
        wire_deliver(w, text + at, len - at < step ? len - at : step, false);
        rig_run();
    }
    size_t n = w->out_len;
    ck_assert_uint_lt(n + 1, cap);
    if (n > 0) {
        memcpy(ret, w->out, n);
    }
    ret[n++] = (uint8_t)rig.refused.n;
    ret[n] = w->close ? 'C' : w->reset ? 'R' : 'O';
    wire_end(w, PX_RESET);
    return n + 1;
}

static void splits_agree(const char *text, size_t len)
{
    static uint8_t whole[100000], other[100000];
    size_t n = conversation(text, len, len, whole, sizeof whole - 1);
    struct refused refused = rig.refused;
    for (size_t step = 1; step < 24 && step < len; step++) {
        size_t m = conversation(text, len, step, other, sizeof other - 1);
        ck_assert_msg(m == n && memcmp(whole, other, n) == 0,
                      "in pieces of %zu:\n%.300s\nwhole: %.*s\npieces: %.*s", step, text, (int)n,
                      (char *)whole, (int)m, (char *)other);
        /* A line that must be refused before it is complete is told as far as it came. */
        ck_assert(rig.refused.line_len <= refused.line_len &&
                  memcmp(rig.refused.line, refused.line, rig.refused.line_len) == 0);
        ck_assert(rig.refused.n == 0 || rig.refused.line_len > 0 || refused.line_len == 0);
    }
}

static const char *const conversations[] = {
    GET11,
    GET11 GET11 GET11,
    "\r\n" GET11 "\r\n" GET11,
    POST "Content-Length: 11\r\n\r\nhello world" GET11,
    CHUNKED "5\r\nhello\r\n6;a=b;c=\"d\"\r\n world\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n" GET11,
    CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n" CHUNKED "0\r\n\r\n" GET11,
    POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello" GET11,
    "GET /0 HTTP/1.0\r\n\r\n" GET11,
    "HEAD / HTTP/1.1\r\n" H "\r\n" GET11 "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET11,
    GET11 "BOGUS\r\n\r\n" GET11,
    "OPTIONS * HTTP/1.1\r\n" H "\r\nGET http://x/y HTTP/1.1\r\n" H "\r\n",
};

START_TEST(splitting_a_conversation_changes_nothing)
{
    rig.on_exchange = rig.on_body = answer_all;
    for (size_t i = 0; i < sizeof conversations / sizeof conversations[0]; i++) {
        /* The 100 (Continue) depends on what has come, as it must: not compared here. */
        if (strstr(conversations[i], "Expect") == NULL) {
            splits_agree(conversations[i], strlen(conversations[i]));
        }
    }
    rig_finish();
}
END_TEST

START_TEST(splitting_what_is_malformed_changes_nothing)
{
    rig.on_exchange = rig.on_body = answer_all;
    for (size_t i = 0; i < N_REFUSALS; i++) {
        splits_agree(refusals[i].request, refusals[i].len);
    }
    rig_finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1 refusals");
    TCase *malformed = tcase_create("malformed");
    tcase_add_checked_fixture(malformed, setup, NULL);
    tcase_add_test(malformed,
                   every_malformed_request_gets_its_status_and_the_end_of_the_connection);
    tcase_add_test(malformed, a_refusal_is_a_short_text);
    tcase_add_test(malformed, earlier_requests_are_answered_before_a_refusal);
    tcase_add_test(malformed, a_body_that_breaks_after_the_answer_began_resets);
    tcase_add_test(malformed, h2c_upgrades_are_ignored);
    suite_add_tcase(suite, malformed);
    TCase *application = tcase_create("application");
    tcase_add_checked_fixture(application, setup, NULL);
    tcase_add_test(application, fields_that_would_split_a_response_are_answered_500);
    tcase_add_test(application, a_body_that_is_longer_or_shorter_than_was_said_resets);
    tcase_add_test(application, a_second_answer_and_a_body_out_of_turn_reset);
    tcase_add_test(application, a_body_beyond_its_credit_resets);
    tcase_add_test(application, a_first_part_beyond_its_free_bytes_costs_credit);
    suite_add_tcase(suite, application);
    TCase *splits = tcase_create("splits");
    tcase_add_checked_fixture(splits, refused_setup, NULL);
    tcase_set_timeout(splits, 60);
    tcase_add_test(splits, splitting_a_conversation_changes_nothing);
    tcase_add_test(splits, splitting_what_is_malformed_changes_nothing);
    suite_add_tcase(suite, splits);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
