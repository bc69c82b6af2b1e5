/* h1_test.c - connections and exchanges: what a well-behaved client and application see. */
#include <check.h>

#include "h1_act.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" RIG_DATE "\r\nhello"

static void setup(void)
{
    rig_prepare();
    rig_upgrades();
    rig_start();
}

static void done(struct wire *w)
{
    wire_end(w, PX_RESET);
    rig_finish();
}

START_TEST(a_request_is_an_exchange_and_its_answer_goes_out_whole)
{
    struct wire *w = wire_new();
    wire_send(w, "GET /a?b=1 HTTP/1.1\r\nHost: a.example:8080\r\nX-Thing:  some thing \r\n\r\n");
    struct req *r = req_expect("GET", "/a?b=1");
    ck_assert_str_eq(r->scheme, "http");
    ck_assert_str_eq(r->authority, "a.example:8080");
    ck_assert_str_eq(r->fields, "x-thing: some thing\n");
    ck_assert_uint_eq(r->version, 11);
    ck_assert_uint_eq(r->listener, 7);
    ck_assert_uint_eq(r->credit, H1_RESPONSE_WINDOW);
    ck_assert(r->fin && r->file_ranges && !r->expects);
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, OK_HELLO);
    ck_assert_uint_eq(w->n_data, 1);
    req_expect_ended(r, PX_OK);
    wire_expect_open(w);
    done(w);
}
END_TEST

START_TEST(a_kept_connection_takes_one_request_after_another)
{
    struct wire *w = wire_new();
    for (int i = 0; i < 300; i++) {
        wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        struct req *r = req_expect("GET", "/");
        req_respond(r, .status = 200, .body = "hello");
        wire_expect(w, OK_HELLO);
        req_expect_ended(r, PX_OK);
    }
    done(w);
}
END_TEST

START_TEST(an_idle_connection_costs_little)
{
    struct wire *w[1000];
    struct px_ledger before = {0}, after;
    for (int i = 0; i < 1000; i++) {
        w[i] = wire_new();
        if (i == 1) {
            px_kernel_ledger(rig.kernel, &before); /* the first one has filled the free lists */
        }
        wire_send(w[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        struct req *r = req_expect("GET", "/");
        req_respond(r, .status = 200, .body = "hello");
        req_expect_ended(r, PX_OK);
        w[i]->out_len = 0;
    }
    px_kernel_ledger(rig.kernel, &after);
    uint64_t each = (after.mem - before.mem) / 999;
    ck_assert_uint_le(each, 170 + sizeof(struct wire) + 16); /* h1's and the rig's own */
    px_service_ledger(rig.kernel, rig.h1, &after);
    ck_assert_uint_eq(after.elems, 1000);
    ck_assert_uint_eq(after.bufs, 0);
    for (int i = 0; i < 1000; i++) {
        wire_end(w[i], PX_RESET);
    }
    rig_finish();
}
END_TEST

/* ---- pipelining ---- */

static size_t pipeline(char *text, int n)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at += (size_t)sprintf(text + at, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    }
    return at;
}

START_TEST(pipelined_requests_are_answered_in_order_with_one_message_a_turn)
{
    struct wire *w = wire_new();
    char text[4096];
    struct req *r[16];
    wire_send_bytes(w, text, pipeline(text, 16));
    for (int i = 0; i < 16; i++) {
        char path[16];
        sprintf(path, "/%d", i);
        r[i] = req_expect("GET", path);
    }
    for (int i = 0; i < 16; i++) {
        char body[16];
        sprintf(body, "%d\n", i);
        req_answer(r[i], &(struct answer_plan){.status = 200, .body = body});
    }
    rig_run();
    ck_assert_uint_eq(w->n_data, 1);
    char want[4096];
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        at += (size_t)sprintf(want + at,
                              "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n" RIG_DATE "\r\n%d\n",
                              i < 10 ? 2 : 3, i);
        req_expect_ended(r[i], PX_OK);
    }
    wire_expect(w, want);
    ck_assert(w->at_rest);
    ck_assert_uint_eq(w->consumed, w->delivered);
    done(w);
}
END_TEST

START_TEST(answers_out_of_order_are_held_until_their_turn)
{
    struct wire *w = wire_new();
    char text[4096], want[4096];
    struct req *r[5];
    wire_send_bytes(w, text, pipeline(text, 5));
    for (int i = 0; i < 5; i++) {
        char path[16];
        sprintf(path, "/%d", i);
        r[i] = req_expect("GET", path);
    }
    static const int order[] = {3, 4, 1, 2, 0};
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        char body[16];
        sprintf(body, "%d", order[i]);
        ck_assert_uint_eq(w->out_len, 0);
        req_respond(r[order[i]], .status = 200, .body = body);
        at += (size_t)sprintf(want + at,
                              "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n" RIG_DATE "\r\n%d", i);
    }
    wire_expect(w, want);
    for (int i = 0; i < 5; i++) {
        req_expect_ended(r[i], PX_OK);
    }
    done(w);
}
END_TEST

START_TEST(the_seventeenth_request_waits_for_the_first_answer)
{
    struct wire *w = wire_new();
    char text[4096];
    struct req *r[20];
    wire_send_bytes(w, text, pipeline(text, 20));
    ck_assert_uint_eq(rig.n_order, 16);
    ck_assert_uint_eq(rig_counter(H1_COUNT_pipeline_max), 1);
    for (int i = 0; i < 20; i++) {
        char path[16];
        sprintf(path, "/%d", i);
        r[i] = req_expect("GET", path);
        ck_assert_int_eq((int)rig.n_order, i < 5 ? 15 : 19 - i);
        req_respond(r[i], .status = 204);
        req_expect_ended(r[i], PX_OK);
    }
    done(w);
}
END_TEST

START_TEST(sixteen_requests_at_once_are_all_begun)
{
    struct wire *w = wire_new();
    char text[4096];
    wire_send_bytes(w, text, pipeline(text, 16));
    ck_assert_uint_eq(rig.n_order, 16);
    ck_assert_uint_eq(rig_counter(H1_COUNT_pipeline_max), 0);
    rig.n_order = 0;
    px_service_kill(rig.kernel, rig.app);
    rig_run();
    done(w);
}
END_TEST

START_TEST(what_is_not_begun_is_not_given_back_to_the_provider)
{
    struct wire *w = wire_new();
    ck_assert_uint_eq(w->granted, H1_WINDOW);
    char *text = malloc(H1_WINDOW);
    size_t n = 0;
    while (n + 256 < H1_WINDOW) {
        n += (size_t)sprintf(text + n, "GET /0 HTTP/1.1\r\nHost: a\r\nx: %0200d\r\n\r\n", 0);
    }
    uint64_t sent = wire_send_in(w, text, n, 4000);
    ck_assert_uint_eq(rig.n_order, 16);
    ck_assert_uint_gt(sent, H1_WINDOW - 4200);
    ck_assert_uint_eq(w->granted, H1_WINDOW);
    while (rig.n_order > 0) {
        struct req *r = req_expect("GET", "/0");
        req_respond(r, .status = 204);
        req_expect_ended(r, PX_OK);
    }
    ck_assert_uint_ge(w->granted, H1_WINDOW + H1_WINDOW / 2);
    free(text);
    done(w);
}
END_TEST

/* ---- how answers are framed ---- */

static void exchange(const char *request, const char *method, const struct answer_plan *plan,
                     const char *want)
{
    struct wire *w = wire_new();
    wire_send(w, request);
    struct req *r = req_expect(method, "/");
    req_answer(r, plan);
    rig_run();
    wire_expect(w, want);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
}

#define GET11 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET10 "GET / HTTP/1.0\r\n\r\n"
#define HEAD11 "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define PLAN(...)                                                                                  \
    &(struct answer_plan)                                                                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

START_TEST(answers_carry_the_framing_their_body_needs)
{
    exchange(GET11, "GET", PLAN(.status = 200, .body = "hello"), OK_HELLO);
    exchange(GET11, "GET", PLAN(.status = 200, .body = "hello", .has_length = true, .length = 5),
             OK_HELLO);
    exchange(GET11, "GET", PLAN(.status = 200),
             "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" RIG_DATE "\r\n");
    exchange(GET11, "GET", PLAN(.status = 204, .body = "dropped"),
             "HTTP/1.1 204 No Content\r\n" RIG_DATE "\r\n");
    exchange(GET11, "GET", PLAN(.status = 304, .has_length = true, .length = 7),
             "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n" RIG_DATE "\r\n");
    exchange(HEAD11, "HEAD", PLAN(.status = 200, .body = "hello"),
             "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" RIG_DATE "\r\n");
    exchange(HEAD11, "HEAD", PLAN(.status = 200, .has_length = true, .length = 1234),
             "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n" RIG_DATE "\r\n");
    exchange(GET11, "GET", PLAN(.status = 404, .fields = "x-a: 1\nx-b: 2\n"),
             "HTTP/1.1 404 Not Found\r\nx-a: 1\r\nx-b: 2\r\ncontent-length: 0\r\n" RIG_DATE "\r\n");
    rig_finish();
}
END_TEST

START_TEST(a_body_of_unknown_length_is_chunked_for_1_1_and_ends_with_its_trailers)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .body = "hello", .more = true);
    wire_expect(w,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" RIG_DATE "\r\n5\r\nhello\r\n");
    ck_assert(!w->at_rest);
    req_data(r, "0123456789abcdef", 16, false);
    wire_expect(w, "10\r\n0123456789abcdef\r\n");
    req_data(r, "", 0, false);
    wire_expect(w, "");
    req_trailers(r, "x-sum: 42\n");
    wire_expect(w, "0\r\nx-sum: 42\r\n\r\n");
    req_expect_ended(r, PX_OK);
    wire_send(w, GET11);
    r = req_expect("GET", "/");
    req_respond(r, .status = 200, .more = true);
    req_data(r, "x", 1, true);
    wire_expect(w, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" RIG_DATE
                   "\r\n1\r\nx\r\n0\r\n\r\n");
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

START_TEST(a_body_of_unknown_length_ends_with_the_connection_for_1_0)
{
    struct wire *w = wire_new();
    wire_send(w, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct req *r = req_expect("GET", "/");
    ck_assert_uint_eq(r->version, 10);
    req_respond(r, .status = 200, .body = "hello", .more = true);
    wire_expect(w, "HTTP/1.1 200 OK\r\nconnection: close\r\n" RIG_DATE "\r\nhello");
    req_data(r, " world", 6, true);
    req_expect_ended(r, PX_OK);
    wire_expect(w, " world");
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(persistence_is_what_version_and_connection_say)
{
    static const struct {
        const char *request, *line;
        bool close;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "connection: close\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", "connection: close\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "connection: keep-alive\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire *w = wire_new();
        char want[300];
        wire_send(w, cases[i].request);
        struct req *r = req_expect("GET", "/");
        req_respond(r, .status = 200, .body = "hello");
        req_expect_ended(r, PX_OK);
        sprintf(want, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n%s" RIG_DATE "\r\nhello",
                cases[i].line);
        wire_expect(w, want);
        if (cases[i].close) {
            wire_expect_close(w);
        } else {
            wire_expect_open(w);
            ck_assert(w->at_rest);
            wire_end(w, PX_RESET);
        }
    }
    rig_finish();
}
END_TEST

START_TEST(what_follows_the_last_request_is_not_read)
{
    struct wire *w = wire_new();
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /evil "
                 "HTTP/1.1\r\nHost: a\r\n\r\n");
    struct req *r = req_expect("GET", "/");
    ck_assert_uint_eq(rig.n_order, 0);
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(interim_answers_go_before_the_final_one)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_inform(r, 103, "link: </a.css>\n");
    wire_expect(w, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    req_inform(r, 101, "");
    req_inform(r, 200, "");
    wire_expect(w, "");
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, OK_HELLO);
    req_inform(r, 103, "");
    wire_expect(w, "");
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

START_TEST(no_interim_answer_goes_to_1_0_and_no_more_than_eight_to_1_1)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    for (int i = 0; i < H1_INFORM_MAX; i++) {
        req_inform(r, 102, "");
        wire_expect(w, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    ck_assert_uint_eq(rig_counter(H1_COUNT_inform_max), 0);
    req_inform(r, 102, "");
    wire_expect(w, "");
    ck_assert_uint_eq(rig_counter(H1_COUNT_inform_max), 1);
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    w = wire_new();
    wire_send(w, GET10);
    r = req_expect("GET", "/");
    req_inform(r, 103, "");
    wire_expect(w, "");
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

START_TEST(the_date_follows_the_clock)
{
    struct wire *w = wire_new();
    rig_advance_us(999999);
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    wire_expect(w, "HTTP/1.1 204 No Content\r\n" RIG_DATE "\r\n");
    rig_advance_us(1);
    wire_send(w, GET11);
    r = req_expect("GET", "/");
    req_respond(r, .status = 204, .fields = "server: mine\n");
    req_expect_ended(r, PX_OK);
    wire_expect(
        w,
        "HTTP/1.1 204 No Content\r\nserver: mine\r\ndate: Thu, 01 Jan 2026 00:00:01 GMT\r\n\r\n");
    done(w);
}
END_TEST

START_TEST(absolute_form_replaces_host)
{
    struct wire *w = wire_new();
    wire_send(w, "GET http://b.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n");
    struct req *r = req_expect("GET", "/x");
    ck_assert_str_eq(r->authority, "b.example");
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

/* ---- large answers, file ranges ---- */

START_TEST(large_bodies_are_passed_on_by_reference_under_credit)
{
    struct wire *w = wire_new();
    char *body = malloc(100000);
    memset(body, 'x', 100000);
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .has_length = true, .length = 416384, .body = body,
                .body_len = 16384, .more = true);
    for (int i = 0; i < 4; i++) {
        req_data(r, body, 100000, i == 3);
    }
    req_expect_ended(r, PX_OK);
    ck_assert_uint_eq(w->out_total,
                      416384 +
                          strlen("HTTP/1.1 200 OK\r\ncontent-length: 416384\r\n" RIG_DATE "\r\n"));
    free(body);
    done(w);
}
END_TEST

static void no_close(int fd)
{
    (void)fd;
}

static void respond_with_file(struct req *r, uint32_t len)
{
    Http__Response *m = px_msg_new(app_env(), &http__response__descriptor);
    m->responder = r->self;
    m->status = 200;
    m->fin = true;
    struct px_buf *file = px_buf_from_fd(app_env(), 99, no_close);
    ck_assert(px_msg_attach_take(m, file, 10, len));
    (void)px_send(app_env(), rig.h1, REQUESTER_RESPOND, m, r->requester);
    rig_run();
}

START_TEST(file_ranges_are_passed_to_the_stream_untouched)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    respond_with_file(r, 5);
    wire_expect(w, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" RIG_DATE "\r\nFFFFF");
    ck_assert_uint_eq(w->n_files, 1);
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

START_TEST(a_file_range_for_a_stream_that_takes_none_is_answered_500)
{
    rig.no_file_ranges = true;
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    ck_assert(!r->file_ranges);
    respond_with_file(r, 5);
    req_expect_ended(r, PX_UNSUPPORTED);
    ck_assert(memcmp(w->out, "HTTP/1.1 500 ", 13) == 0);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

/* ---- ends ---- */

START_TEST(a_client_that_says_fin_still_gets_its_answer)
{
    struct wire *w = wire_new();
    wire_deliver(w, GET11, strlen(GET11), true);
    rig_run();
    struct req *r = req_expect("GET", "/");
    wire_expect_open(w);
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n" RIG_DATE
                   "\r\nhello");
    req_expect_ended(r, PX_OK);
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(fin_between_requests_closes)
{
    struct wire *w = wire_new();
    wire_fin(w);
    wire_expect_close(w);
    w = wire_new();
    wire_send(w, "GET / HT");
    wire_fin(w);
    wire_expect_close(w);
    ck_assert_uint_eq(rig_counter(H1_COUNT_truncated), 1);
    rig_finish();
}
END_TEST

START_TEST(a_client_that_leaves_ends_its_exchanges)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11);
    struct req *a = req_expect("GET", "/");
    struct req *b = req_expect("GET", "/");
    req_take(a, 1000);
    wire_end(w, PX_RESET);
    req_expect_ended(a, PX_RESET);
    ck_assert_uint_eq(b->ended, 0); /* it has not said its handle yet */
    req_respond(b, .status = 200, .body = "late");
    req_expect_ended(b, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(the_application_may_give_up_before_it_answers)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11);
    struct req *a = req_expect("GET", "/");
    struct req *b = req_expect("GET", "/");
    req_cancel(b);
    req_expect_ended(b, PX_CANCELLED);
    wire_expect_open(w);
    req_respond(a, .status = 200, .body = "hello");
    req_expect_ended(a, PX_OK);
    wire_expect(w, OK_HELLO);
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(the_application_may_give_up_in_the_middle)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .body = "hello", .more = true);
    req_cancel(r);
    req_expect_ended(r, PX_CANCELLED);
    wire_expect_reset(w);
    rig_finish();
}
END_TEST

START_TEST(without_an_application_requests_are_answered_503_and_the_connection_stays)
{
    px_service_kill(rig.kernel, rig.app);
    rig_run();
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11);
    static const char want[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n"
                               "content-length: 25\r\n" RIG_DATE "\r\nnobody is there to answer\n";
    ck_assert_uint_gt(w->out_len, 2 * 100);
    ck_assert(memcmp(w->out, want, 34) == 0);
    w->out_len = 0;
    wire_expect_open(w);
    ck_assert_uint_eq(px_service_restart(rig.kernel, rig.app), PX_EOK);
    rig_run();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, OK_HELLO);
    req_expect_ended(r, PX_OK);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_503), 2);
    done(w);
}
END_TEST

START_TEST(an_application_that_dies_leaves_503_or_a_reset)
{
    struct wire *a = wire_new();
    struct wire *b = wire_new();
    struct wire *c = wire_new();
    wire_send(a, GET11);
    wire_send(b, GET11);
    wire_send(c, GET11 GET11);
    (void)req_expect("GET", "/");
    struct req *r = req_expect("GET", "/");
    (void)req_expect("GET", "/");
    struct req *second = req_expect("GET", "/");
    req_respond(r, .status = 200, .body = "hello", .more = true);
    req_respond(second, .status = 200, .body = "hello"); /* complete, but not its turn */
    px_service_kill(rig.kernel, rig.app);
    rig_run();
    ck_assert(memcmp(a->out, "HTTP/1.1 503 ", 13) == 0);
    wire_expect_open(a);
    wire_expect_reset(b);
    ck_assert(memcmp(c->out, "HTTP/1.1 503 ", 13) == 0);
    ck_assert(memcmp(c->out + c->out_len - strlen(OK_HELLO), OK_HELLO, strlen(OK_HELLO)) == 0);
    wire_end(a, PX_RESET);
    wire_end(c, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(an_application_that_answers_what_is_over_is_told_so)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *old = req_expect("GET", "/");
    px_handle requester = old->requester;
    px_service_kill(rig.kernel, rig.app);
    rig_run();
    ck_assert_uint_eq(px_service_restart(rig.kernel, rig.app), PX_EOK);
    rig_run();
    struct req *r = px_pool_get(&rig.reqs); /* as if the request had come late, over a link */
    r->self = px_pool_issue(&rig.reqs, r, px_mailbox_peer(app_env(), rig.h1));
    r->requester = requester;
    w->out_len = 0;
    req_respond(r, .status = 200, .body = "late");
    wire_expect(w, "");
    req_expect_ended(r, PX_RESET);
    done(w);
}
END_TEST

START_TEST(a_provider_that_dies_takes_its_connections_along)
{
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_take(r, 1);
    free(w->out);
    px_service_kill(rig.kernel, rig.net);
    rig_run();
    req_expect_ended(r, PX_SERVICE_GONE);
    rig_finish();
}
END_TEST

START_TEST(an_adopted_connection_is_like_a_new_one)
{
    static const uint8_t remote[18] = {0x20, 1, 0xd, 0xb8};
    struct wire *w = wire_new_from(remote, sizeof remote, true);
    ck_assert(w->claimed);
    ck_assert_uint_eq(rig_counter(H1_COUNT_adopted), 1);
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, OK_HELLO);
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

START_TEST(a_stream_handed_over_begins_with_what_came_along)
{
    struct wire *w = px_pool_get(&rig.wires);
    w->lower = px_pool_issue(&rig.wires, w, px_mailbox_peer(net_env(), rig.h1));
    struct px_env *toy = px_kernel_env(rig.kernel, rig.toy_addr);
    Stream__AdoptStream *m = px_msg_new(toy, &stream__adopt_stream__descriptor);
    m->lower = w->lower;
    m->credit = RIG_SEND_CREDIT;
    px_msg_put(m, &m->provider, "net", 3);
    struct px_buf *buf = px_buf_new(toy, 512);
    memcpy(px_buf_data(buf), GET11 "GET /b", strlen(GET11) + 6);
    ck_assert(px_msg_attach_take(m, buf, 0, strlen(GET11) + 6));
    ck_assert(px_send(toy, rig.h1, UPPER_ADOPT, m, 0));
    rig_run();
    ck_assert(w->claimed);
    ck_assert_uint_le(w->granted, H1_WINDOW);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, OK_HELLO);
    req_expect_ended(r, PX_OK);
    wire_send(w, "c HTTP/1.1\r\nHost: a\r\n\r\n");
    r = req_expect("GET", "/bc");
    req_respond(r, .status = 200, .body = "hello");
    wire_expect(w, OK_HELLO);
    req_expect_ended(r, PX_OK);
    done(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1");
    TCase *exchanges = tcase_create("exchanges");
    tcase_add_checked_fixture(exchanges, setup, NULL);
    tcase_add_test(exchanges, a_request_is_an_exchange_and_its_answer_goes_out_whole);
    tcase_add_test(exchanges, a_kept_connection_takes_one_request_after_another);
    tcase_add_test(exchanges, an_idle_connection_costs_little);
    tcase_add_test(exchanges, absolute_form_replaces_host);
    tcase_add_test(exchanges, pipelined_requests_are_answered_in_order_with_one_message_a_turn);
    tcase_add_test(exchanges, answers_out_of_order_are_held_until_their_turn);
    tcase_add_test(exchanges, sixteen_requests_at_once_are_all_begun);
    tcase_add_test(exchanges, the_seventeenth_request_waits_for_the_first_answer);
    tcase_add_test(exchanges, what_is_not_begun_is_not_given_back_to_the_provider);
    suite_add_tcase(suite, exchanges);
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, setup, NULL);
    tcase_add_test(answers, answers_carry_the_framing_their_body_needs);
    tcase_add_test(answers, a_body_of_unknown_length_is_chunked_for_1_1_and_ends_with_its_trailers);
    tcase_add_test(answers, a_body_of_unknown_length_ends_with_the_connection_for_1_0);
    tcase_add_test(answers, persistence_is_what_version_and_connection_say);
    tcase_add_test(answers, what_follows_the_last_request_is_not_read);
    tcase_add_test(answers, interim_answers_go_before_the_final_one);
    tcase_add_test(answers, no_interim_answer_goes_to_1_0_and_no_more_than_eight_to_1_1);
    tcase_add_test(answers, the_date_follows_the_clock);
    tcase_add_test(answers, large_bodies_are_passed_on_by_reference_under_credit);
    tcase_add_test(answers, file_ranges_are_passed_to_the_stream_untouched);
    tcase_add_test(answers, a_file_range_for_a_stream_that_takes_none_is_answered_500);
    suite_add_tcase(suite, answers);
    TCase *ends = tcase_create("ends");
    tcase_add_checked_fixture(ends, setup, NULL);
    tcase_add_test(ends, a_client_that_says_fin_still_gets_its_answer);
    tcase_add_test(ends, fin_between_requests_closes);
    tcase_add_test(ends, a_client_that_leaves_ends_its_exchanges);
    tcase_add_test(ends, the_application_may_give_up_before_it_answers);
    tcase_add_test(ends, the_application_may_give_up_in_the_middle);
    tcase_add_test(ends, without_an_application_requests_are_answered_503_and_the_connection_stays);
    tcase_add_test(ends, an_application_that_dies_leaves_503_or_a_reset);
    tcase_add_test(ends, an_application_that_answers_what_is_over_is_told_so);
    tcase_add_test(ends, a_provider_that_dies_takes_its_connections_along);
    tcase_add_test(ends, an_adopted_connection_is_like_a_new_one);
    tcase_add_test(ends, a_stream_handed_over_begins_with_what_came_along);
    suite_add_tcase(suite, ends);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
