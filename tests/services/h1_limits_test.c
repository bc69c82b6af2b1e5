/* h1_limits_test.c - every limit at its value and one past it, every deadline, and what connections
 * may cost. */
#include <check.h>

#include "h1_act.h"

#define H "Host: a\r\n"
#define GET11 "GET / HTTP/1.1\r\n" H "\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define OK_0 "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" RIG_DATE "\r\n"
#define OK_0_CLOSE "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n" RIG_DATE "\r\n"

static void setup(void)
{
    rig_prepare();
    rig.wall_stands = true;
}

static void serve(struct wire *w, const char *method)
{
    struct req *r = req_expect(method, rig.order[0]->path);
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    wire_expect(w, OK_0);
}

static void expect_status(struct wire *w, uint32_t status)
{
    char want[40];
    sprintf(want, "HTTP/1.1 %u ", status);
    ck_assert_msg(w->out_len > 13 && memcmp(w->out, want, strlen(want)) == 0,
                  "expected %s, came %.*s", want, (int)(w->out_len < 200 ? w->out_len : 200),
                  w->out_len == 0 ? "" : (char *)w->out);
    w->out_len = 0;
    wire_expect_close(w);
}

/* ---- sizes of heads ---- */

static size_t fill(char *text, size_t n)
{
    memset(text, 'x', n);
    return n;
}

static void line_of(size_t len, bool fits)
{
    static char text[70000];
    struct wire *w = wire_new();
    size_t n = (size_t)sprintf(text, "GET /");
    n += fill(text + n, len - 5 - 9);
    n += (size_t)sprintf(text + n, " HTTP/1.1\r\n" H "\r\n");
    wire_send_in(w, text, n, 3000);
    if (fits) {
        serve(w, "GET");
        wire_end(w, PX_RESET);
    } else {
        expect_status(w, 414);
    }
}

START_TEST(a_request_line_beyond_its_limit_is_answered_414)
{
    rig_start();
    line_of(8192, true);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_414), 0);
    line_of(8193, false);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_414), 1);
    rig_finish();
}
END_TEST

static void header_of(size_t len, bool fits)
{
    static char text[70000];
    struct wire *w = wire_new();
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" H "x: ");
    n += fill(text + n, len - 3);
    n += (size_t)sprintf(text + n, "\r\n\r\n");
    wire_send_in(w, text, n, 3000);
    if (fits) {
        ck_assert_uint_eq(strlen(rig.order[0]->fields), len + 1);
        serve(w, "GET");
        wire_end(w, PX_RESET);
    } else {
        expect_status(w, 431);
    }
}

START_TEST(a_header_line_beyond_its_limit_is_answered_431)
{
    rig_start();
    header_of(8192, true);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_431), 0);
    header_of(8193, false);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_431), 1);
    rig_finish();
}
END_TEST

static void headers_of(size_t all, bool fits, size_t step)
{
    static char text[70000];
    struct wire *w = wire_new();
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
    size_t left = all - strlen(H);
    n += (size_t)sprintf(text + n, H);
    while (left > 0) {
        size_t line = left > 5000 ? 4000 : left;
        n += (size_t)sprintf(text + n, "x: ");
        n += fill(text + n, line - 5);
        n += (size_t)sprintf(text + n, "\r\n");
        left -= line;
    }
    n += (size_t)sprintf(text + n, "\r\n");
    wire_send_in(w, text, n, step);
    if (fits) {
        serve(w, "GET");
        wire_end(w, PX_RESET);
    } else {
        expect_status(w, 431);
    }
}

START_TEST(headers_beyond_their_limit_in_all_are_answered_431)
{
    rig_start();
    headers_of(32768, true, 60000);
    headers_of(32768, true, 1000);
    headers_of(32769, false, 60000);
    headers_of(32769, false, 1000);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_431), 2);
    rig_finish();
}
END_TEST

static void fields_of(int count, bool fits)
{
    static char text[70000];
    struct wire *w = wire_new();
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" H);
    for (int i = 1; i < count; i++) {
        n += (size_t)sprintf(text + n, "a:\r\n");
    }
    n += (size_t)sprintf(text + n, "\r\n");
    wire_send_bytes(w, text, n);
    if (fits) {
        serve(w, "GET");
        wire_end(w, PX_RESET);
    } else {
        expect_status(w, 431);
    }
}

START_TEST(fields_beyond_their_count_are_answered_431)
{
    rig_start();
    fields_of(100, true);
    fields_of(101, false);
    rig_finish();
}
END_TEST

START_TEST(configured_limits_replace_the_defaults)
{
    rig.config.request_line_max = 40;
    rig.config.header_line_max = 60;
    rig.config.headers_max = 5;
    rig_start();
    line_of(40, true);
    line_of(41, false);
    header_of(60, true);
    header_of(61, false);
    fields_of(5, true);
    fields_of(6, false);
    rig_finish();
}
END_TEST

START_TEST(the_largest_configurable_head_is_taken)
{
    rig.config.request_line_max = H1_LINES_MAX;
    rig.config.header_line_max = H1_HEADERS_LEN_LIMIT;
    rig.config.headers_len_max = H1_HEADERS_LEN_LIMIT;
    rig.config.headers_max = H1_HEADERS_LIMIT;
    rig_start();
    static char text[70000];
    struct wire *w = wire_new();
    size_t n = (size_t)sprintf(text, "GET /");
    n += fill(text + n, 9000 - 14); /* what the rig remembers of a path */
    n += (size_t)sprintf(text + n, " HTTP/1.1\r\n" H);
    for (int i = 1; i < H1_HEADERS_LIMIT; i++) {
        n += (size_t)sprintf(text + n, "a: %033d\r\n", i);
    }
    n += (size_t)sprintf(text + n, "\r\n");
    ck_assert_uint_eq(wire_send_in(w, text, n, 1000), n);
    serve(w, "GET");
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(values_out_of_range_refuse_to_start)
{
    for (int i = 0; i < 6; i++) {
        rig_prepare();
        rig.config.request_line_max = i == 0 ? H1_LINES_MAX + 1 : 0;
        rig.config.headers_len_max = i == 1 ? H1_HEADERS_LEN_LIMIT + 1 : 0;
        rig.config.headers_max = i == 2 ? H1_HEADERS_LIMIT + 1 : 0;
        rig.config.pipeline_max = i == 3 ? H1_PIPELINE_LIMIT + 1 : 0;
        rig.config.window = i == 4 ? H1_WINDOW_MIN - 1 : 0;
        rig.config.server = i == 5 ? rig_text("a\r\nb") : rig_text("");
        enum px_err err;
        ck_assert(!rig_start_err(&err));
        ck_assert_int_eq(err, PX_EINVAL);
        px_kernel_free(rig.kernel);
    }
}
END_TEST

START_TEST(the_server_field_is_what_was_configured)
{
    rig.config.server = rig_text("plexus");
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    wire_expect(w, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" RIG_DATE "server: plexus\r\n\r\n");
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

/* ---- counts ---- */

START_TEST(connections_beyond_their_limit_are_reset)
{
    static const uint8_t remote[6] = {10, 0, 0, 1, 1, 2};
    rig.config.connections_max = 2;
    rig_start();
    struct wire *a = wire_new();
    struct wire *b = wire_new();
    struct wire *c = wire_new_from(remote, 6, false);
    ck_assert(c->reset && !c->claimed);
    ck_assert_uint_eq(c->reset_reason, PX_LIMIT);
    ck_assert_uint_eq(rig_counter(H1_COUNT_connections_max), 1);
    wire_end(c, PX_CANCELLED);
    wire_end(a, PX_RESET);
    a = wire_new();
    wire_end(a, PX_RESET);
    wire_end(b, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(the_last_request_of_a_connection_is_answered_with_close)
{
    rig.config.requests_max = 3;
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11 GET11 GET11);
    ck_assert_uint_eq(rig.n_order, 3);
    serve(w, "GET");
    serve(w, "GET");
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    wire_expect(w, OK_0_CLOSE);
    wire_expect_close(w);
    ck_assert_uint_eq(rig_counter(H1_COUNT_requests_max), 1);
    rig_finish();
}
END_TEST

START_TEST(bodies_beyond_body_max_are_answered_413)
{
    rig.config.body_max = 10;
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 10\r\n\r\n0123456789");
    struct req *r = req_expect("POST", "/");
    req_take(r, 512);
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    ck_assert_uint_eq(r->own_answer, 0);
    w->out_len = 0;
    wire_send(w, POST "Content-Length: 11\r\n\r\n0123456789a");
    ck_assert_uint_eq(rig.n_order, 0);
    expect_status(w, 413);
    w = wire_new();
    wire_send(w, POST "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n");
    r = req_expect("POST", "/");
    req_take(r, 512);
    ck_assert_uint_eq(r->body_total, 10);
    wire_send(w, "1\r\na\r\n");
    req_expect_ended(r, PX_TOO_LARGE);
    ck_assert_uint_eq(r->own_answer, 413);
    expect_status(w, 413);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_413), 2);
    rig_finish();
}
END_TEST

START_TEST(a_provider_beyond_its_credit_is_reset)
{
    rig.config.window = 1024;
    rig_start();
    struct wire *w = wire_new();
    w->window = 4000;
    static char x[2000];
    memset(x, 'x', sizeof x);
    wire_send_bytes(w, x, 1025);
    ck_assert_uint_eq(rig_counter(H1_COUNT_credit_exceeded), 1);
    wire_expect_reset(w);
    rig_finish();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_connection_that_rests_too_long_is_closed)
{
    rig_start();
    struct wire *w = wire_new();
    rig_advance_us(PX_MS(H1_IDLE_MS) - 1);
    wire_expect_open(w);
    wire_send(w, GET11);
    serve(w, "GET");
    rig_advance_us(PX_MS(H1_IDLE_MS) - 1);
    wire_expect_open(w);
    rig_advance_us(1);
    wire_expect_close(w);
    ck_assert_uint_eq(rig_counter(H1_COUNT_idle_ms), 1);
    rig_finish();
}
END_TEST

START_TEST(a_slow_application_is_not_the_clients_fault)
{
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    rig_advance_us(PX_SEC(100000));
    wire_expect_open(w);
    req_respond(r, .status = 204);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_head_must_be_complete_in_time_from_its_first_byte)
{
    rig_start();
    struct wire *w = wire_new();
    rig_advance_us(PX_SEC(20));
    for (int i = 0; i < 10; i++) {
        wire_send(w, i == 0 ? "GET / HTTP/1.1\r\n" : "a: b\r\n");
        wire_expect_open(w);
        rig_advance_us(i < 9 ? PX_SEC(1) : PX_SEC(1) - 1);
    }
    wire_expect_open(w);
    rig_advance_us(1);
    expect_status(w, 408);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_408_head), 1);
    w = wire_new();
    wire_send(w, "GET / HTTP/1.1\r\n");
    rig_advance_us(PX_SEC(10) - 1);
    wire_send(w, H "\r\n");
    serve(w, "GET");
    rig_advance_us(PX_SEC(20));
    wire_expect_open(w);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_late_head_is_told_behind_the_answers_before_it)
{
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, GET11 "GET");
    struct req *r = req_expect("GET", "/");
    rig_advance_us(PX_SEC(10));
    wire_expect(w, "");
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    ck_assert(memcmp(w->out, OK_0, strlen(OK_0)) == 0);
    memmove(w->out, w->out + strlen(OK_0), w->out_len - strlen(OK_0));
    w->out_len -= strlen(OK_0);
    expect_status(w, 408);
    rig_finish();
}
END_TEST

START_TEST(a_body_must_keep_its_least_rate_after_a_grace)
{
    rig_start();
    static char x[4000];
    memset(x, 'x', sizeof x);
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 4000\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    req_take(r, 1 << 20);
    rig_advance_us(PX_SEC(5) - 1);
    wire_expect_open(w);
    wire_send_bytes(w, x, H1_BODY_RATE_MIN); /* earns one second */
    rig_advance_us(PX_SEC(1));
    wire_expect_open(w);
    rig_advance_us(1);
    req_expect_ended(r, PX_TIMED_OUT);
    ck_assert_uint_eq(r->own_answer, 408);
    expect_status(w, 408);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_408_body), 1);
    rig_finish();
}
END_TEST

START_TEST(a_body_at_its_least_rate_may_take_for_ever)
{
    rig_start();
    static char x[240];
    memset(x, 'x', sizeof x);
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 96000\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    req_take(r, 1 << 20);
    for (int i = 0; i < 400; i++) {
        rig_advance_us(PX_SEC(1));
        wire_send_bytes(w, x, 240);
    }
    ck_assert(r->fin);
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(the_body_clock_stands_still_while_the_application_is_slow)
{
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 1000\r\n\r\nabc");
    struct req *r = req_expect("POST", "/");
    rig_advance_us(PX_SEC(1000));
    wire_expect_open(w);
    req_take(r, 1 << 20);
    rig_advance_us(PX_SEC(5) - 1);
    wire_expect_open(w);
    rig_advance_us(PX_SEC(1));
    req_expect_ended(r, PX_TIMED_OUT);
    expect_status(w, 408);
    rig_finish();
}
END_TEST

START_TEST(a_client_told_to_wait_is_not_too_slow)
{
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    rig_advance_us(PX_SEC(1000));
    wire_expect_open(w);
    req_take(r, 512);
    wire_expect(w, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_advance_us(PX_SEC(5));
    req_expect_ended(r, PX_TIMED_OUT);
    expect_status(w, 408);
    rig_finish();
}
END_TEST

/* A response that fills the stream's send credit and more. */
static struct req *stall(struct wire *w, const char *body)
{
    w->mute = true;
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .more = true);
    while (r->credit >= 16384) {
        req_data(r, body, 16384, false);
    }
    return r;
}

START_TEST(a_client_that_takes_nothing_is_reset)
{
    rig_start();
    static char body[16384];
    struct wire *w = wire_new();
    struct req *r = stall(w, body);
    rig_advance_us(PX_MS(H1_WRITE_MS) - 1);
    wire_expect_open(w);
    wire_credit(w, 512);
    w->out_unacked -= 512;
    rig_run();
    rig_advance_us(PX_MS(H1_WRITE_MS) - 1);
    wire_expect_open(w);
    rig_advance_us(1);
    req_expect_ended(r, PX_TIMED_OUT);
    wire_expect_reset(w);
    ck_assert_uint_eq(rig_counter(H1_COUNT_write_ms), 1);
    rig_finish();
}
END_TEST

/* ---- memory ---- */

static uint64_t memory_now(void)
{
    struct px_ledger l;
    px_kernel_ledger(rig.kernel, &l);
    return l.mem;
}

START_TEST(a_client_that_reads_slowly_holds_one_window_of_the_application)
{
    rig_start();
    static char body[16384];
    struct wire *w = wire_new();
    struct req *r = stall(w, body);
    struct px_ledger l;
    px_service_ledger(rig.kernel, rig.h1, &l);
    ck_assert_uint_le((uint64_t)r->credit_all, RIG_SEND_CREDIT + H1_RESPONSE_WINDOW);
    ck_assert_uint_le(l.pieces, 2 + 3 * H1_RESPONSE_WINDOW / 16384);
    for (int i = 0; i < 40; i++) { /* as the client takes it, the application may send on */
        wire_credit(w, 65536);
        w->out_unacked -= 65536;
        rig_run();
        while (r->credit >= 16384) {
            req_data(r, body, 16384, false);
        }
    }
    ck_assert_uint_ge(r->credit_all, 30 * 65536);
    px_service_ledger(rig.kernel, rig.h1, &l);
    ck_assert_uint_le(l.pieces, 2 + 3 * H1_RESPONSE_WINDOW / 16384);
    wire_end(w, PX_RESET);
    req_expect_ended(r, PX_RESET);
    rig_finish();
}
END_TEST

static void answer_at_once(struct req *r)
{
    static char body[1024];
    r->known = true;
    req_answer(r, &(struct answer_plan){.status = 200, .body = body, .body_len = sizeof body});
}

START_TEST(a_client_that_asks_and_never_reads_is_not_read_any_more)
{
    rig.config.requests_max = 1000000;
    rig_start();
    rig.on_exchange = answer_at_once;
    struct wire *w = wire_new();
    w->mute = true;
    uint64_t before = memory_now();
    for (int i = 0; i < 5000 && w->window >= 512; i++) {
        wire_send(w, GET11);
    }
    ck_assert_uint_lt(w->window, 512);
    ck_assert_uint_le(rig.n_exchanges, 400); /* net's window, the mark, and what is unread */
    ck_assert_uint_le(memory_now() - before, 1000000);
    ck_assert_uint_ge(rig_counter(H1_COUNT_output_mark), 1);
    w->mute = false;
    wire_credit(w, (uint32_t)w->out_unacked);
    w->out_unacked = 0;
    rig_run();
    ck_assert_uint_ge(w->window, H1_WINDOW / 2);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(held_heads_cost_less_than_2_kib_each)
{
    enum { N = 15000 };
    static struct wire *w[N];
    rig_start();
    static const char head[] = "GET /a/path/of/some/length HTTP/1.1\r\nHost: "
                               "www.example.com\r\nUser-Agent: Mozilla/5.0 (X11)\r\n";
    for (int i = 0; i < N; i++) {
        w[i] = wire_new();
    }
    uint64_t before = memory_now() - (uint64_t)N * 160; /* what h1 has for them already */
    for (int i = 0; i < N; i++) {
        wire_send(w[i], head);
    }
    uint64_t each = (memory_now() - before) / N;
    ck_assert_uint_le(each, 2048 - 600); /* the rest is the provider's */
    for (int i = 0; i < N; i++) {
        wire_end(w[i], PX_RESET);
    }
    rig_finish();
}
END_TEST

START_TEST(a_stalled_application_fed_single_bytes_stays_within_the_window)
{
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, POST "Content-Length: 100000\r\n\r\n");
    struct req *r = req_expect("POST", "/");
    uint64_t before = memory_now();
    static char x[1000];
    memset(x, 'x', sizeof x);
    size_t sent = wire_send_in(w, x, sizeof x, 1);
    ck_assert_uint_le(sent, H1_WINDOW / 512);
    ck_assert_uint_le(memory_now() - before, 2 * H1_WINDOW);
    req_take(r, 1 << 20);
    ck_assert_uint_eq(r->body_total, sent);
    wire_end(w, PX_RESET);
    req_expect_ended(r, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_head_in_single_bytes_is_looked_at_once)
{
    rig_start();
    static char text[40000];
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" H);
    while (n < 32000) {
        n += (size_t)sprintf(text + n, "x: %0500d\r\n", 1);
    }
    n += (size_t)sprintf(text + n, "\r\n");
    struct wire *w = wire_new();
    ck_assert_uint_eq(wire_send_in(w, text, n, 1), n);
    serve(w, "GET");
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

/* Each allocation fails in its turn: whatever happens, nothing is left behind. */
START_TEST(running_out_of_memory_anywhere_leaves_nothing_behind)
{
    static const char text[] = POST
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n" GET11 GET11 "GET / HT";
    for (uint64_t nth = 1; nth < 60; nth++) {
        rig_prepare();
        rig_start();
        rig.on_exchange = answer_at_once;
        static const uint8_t remote[6] = {10, 0, 0, 1, 1, 2};
        struct wire *w = wire_new_from(remote, 6, false);
        rig.fail_in = nth;
        rig.fail_every = 3;
        wire_send_in(w, text, sizeof text - 1, 30);
        rig.fail_in = 0;
        rig_run();
        wire_end(w, PX_RESET);
        px_service_kill(rig.kernel, rig.app);
        rig_run();
        rig_finish();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1 limits");
    TCase *sizes = tcase_create("sizes");
    tcase_add_checked_fixture(sizes, setup, NULL);
    tcase_add_test(sizes, a_request_line_beyond_its_limit_is_answered_414);
    tcase_add_test(sizes, a_header_line_beyond_its_limit_is_answered_431);
    tcase_add_test(sizes, headers_beyond_their_limit_in_all_are_answered_431);
    tcase_add_test(sizes, fields_beyond_their_count_are_answered_431);
    tcase_add_test(sizes, configured_limits_replace_the_defaults);
    tcase_add_test(sizes, the_largest_configurable_head_is_taken);
    tcase_add_test(sizes, values_out_of_range_refuse_to_start);
    tcase_add_test(sizes, the_server_field_is_what_was_configured);
    suite_add_tcase(suite, sizes);
    TCase *counts = tcase_create("counts");
    tcase_add_checked_fixture(counts, setup, NULL);
    tcase_add_test(counts, connections_beyond_their_limit_are_reset);
    tcase_add_test(counts, the_last_request_of_a_connection_is_answered_with_close);
    tcase_add_test(counts, bodies_beyond_body_max_are_answered_413);
    tcase_add_test(counts, a_provider_beyond_its_credit_is_reset);
    suite_add_tcase(suite, counts);
    TCase *deadlines = tcase_create("deadlines");
    tcase_add_checked_fixture(deadlines, setup, NULL);
    tcase_add_test(deadlines, a_connection_that_rests_too_long_is_closed);
    tcase_add_test(deadlines, a_slow_application_is_not_the_clients_fault);
    tcase_add_test(deadlines, a_head_must_be_complete_in_time_from_its_first_byte);
    tcase_add_test(deadlines, a_late_head_is_told_behind_the_answers_before_it);
    tcase_add_test(deadlines, a_body_must_keep_its_least_rate_after_a_grace);
    tcase_add_test(deadlines, a_body_at_its_least_rate_may_take_for_ever);
    tcase_add_test(deadlines, the_body_clock_stands_still_while_the_application_is_slow);
    tcase_add_test(deadlines, a_client_told_to_wait_is_not_too_slow);
    tcase_add_test(deadlines, a_client_that_takes_nothing_is_reset);
    suite_add_tcase(suite, deadlines);
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, setup, NULL);
    tcase_set_timeout(memory, 60);
    tcase_add_test(memory, a_client_that_reads_slowly_holds_one_window_of_the_application);
    tcase_add_test(memory, a_client_that_asks_and_never_reads_is_not_read_any_more);
    tcase_add_test(memory, held_heads_cost_less_than_2_kib_each);
    tcase_add_test(memory, a_stalled_application_fed_single_bytes_stays_within_the_window);
    tcase_add_test(memory, a_head_in_single_bytes_is_looked_at_once);
    tcase_add_test(memory, running_out_of_memory_anywhere_leaves_nothing_behind);
    suite_add_tcase(suite, memory);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
