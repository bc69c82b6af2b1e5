/* app_test.c - requests, between the program and an engine that a recorder stands for. */
#include "app_rig.h"

enum { REQUESTER = 77 };

static struct rig rig;

/* What the program heard, last of each kind. */
static struct heard {
    struct px_request request;
    uint32_t n_requests, n_bodies, n_drained, n_ended, n_collected;
    size_t body_len, collected_len;
    bool body_fin;
    enum px_status ended;
    char body[256];
} heard;

static void on_body(struct px_request request, void *arg, const void *data, size_t len, bool fin)
{
    (void)request, (void)arg;
    ck_assert_uint_le(heard.body_len + len, sizeof heard.body);
    memcpy(heard.body + heard.body_len, data, len);
    heard.body_len += len;
    heard.body_fin = fin;
    heard.n_bodies++;
}

static void on_drained(struct px_request request, void *arg)
{
    (void)request, (void)arg;
    heard.n_drained++;
}

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    (void)arg;
    heard.n_ended++;
    heard.ended = status;
    ck_assert_int_eq(px_request_reply_text(request, 200, "late"), PX_ESTALE);
}

static void on_collected(struct px_request request, void *arg, const void *data, size_t len)
{
    (void)request, (void)arg, (void)data;
    heard.n_collected++;
    heard.collected_len = len;
}

static const struct px_request_events events = {on_body, on_drained, on_ended};

/* Remembers the request and answers nothing. */
static void on_later(struct px_request request, void *arg)
{
    (void)arg;
    heard.n_requests++;
    heard.request = request;
    px_request_on(request, &events, NULL);
}

static void on_now(struct px_request request, void *arg)
{
    (void)arg;
    heard.n_requests++;
    heard.request = request;
    ck_assert_int_eq(px_request_reply_text(request, 200, "now"), PX_EOK);
}

static void setup(void)
{
    heard = (struct heard){.n_requests = 0};
    rig_start(&rig);
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/now", on_now, NULL), PX_EOK);
    ck_assert_int_eq(px_server_route(&rig.server, "*", "/later/:name", on_later, NULL), PX_EOK);
}

static void teardown(void)
{
    rig_end(&rig);
}

/* ---- what the engine says ---- */

struct ask {
    const char *method, *path;
    bool has_body, has_length, file_ranges;
    uint64_t length;
    uint64_t requester;
};

static struct px_env *h1(void)
{
    return px_sim_env(rig.world, "h1");
}

static void ask_with(struct ask ask)
{
    Http__Request *m = px_msg_new(h1(), &http__request__descriptor);
    const char *method = ask.method == NULL ? "GET" : ask.method;
    m->requester = ask.requester == 0 ? REQUESTER : ask.requester;
    px_msg_put(m, &m->method, method, strlen(method));
    px_msg_put(m, &m->path, ask.path, strlen(ask.path));
    m->fin = !ask.has_body;
    m->has_length = ask.has_length;
    m->length = ask.length;
    m->file_ranges = ask.file_ranges;
    px_send(h1(), rig.app, RESPONDER_EXCHANGE, m, 0);
    sim_settle(rig.sim);
}

#define ask(...) ask_with((struct ask){__VA_ARGS__})

static const struct px_msg *expect(uint16_t method)
{
    const struct px_msg *msg = sim_expect(rig.world, "h1", method);
    ck_assert_uint_eq(msg->tag, REQUESTER);
    return msg;
}

/* The response; returns our handle, to speak to. */
static px_handle expect_response(uint32_t status, const char *body, bool fin)
{
    const struct px_msg *msg = expect(REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    ck_assert_uint_eq(m->status, status);
    ck_assert_int_eq(m->fin, fin);
    ck_assert(m->responder != 0);
    if (body != NULL) {
        sim_expect_payload(rig.world, msg, body, strlen(body));
        ck_assert_uint_eq(m->length, strlen(body));
    }
    return m->responder;
}

/* The empty Credit that only tells our handle. */
static px_handle expect_handle(uint32_t bytes)
{
    const Http__ExchangeCredit *m = expect(REQUESTER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, bytes);
    return m->responder;
}

static void say_ended(px_handle to, enum px_status status)
{
    Http__EndedExchange *m = px_msg_new(h1(), &http__ended_exchange__descriptor);
    m->status = status;
    px_send(h1(), rig.app, RESPONDER_ENDED, m, to);
    sim_settle(rig.sim);
}

static void say_credit(px_handle to, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(h1(), &http__exchange_credit__descriptor);
    m->bytes = bytes;
    px_send(h1(), rig.app, RESPONDER_CREDIT, m, to);
    sim_settle(rig.sim);
}

static void say_body(px_handle to, size_t len, bool fin)
{
    Http__BodyBytes *m = px_msg_new(h1(), &http__body_bytes__descriptor);
    struct px_buf *buf = px_buf_new(h1(), len == 0 ? 1 : len);
    m->fin = fin;
    if (len > 0) {
        memset(px_buf_data(buf), 'b', len);
        px_msg_attach(m, buf, 0, (uint32_t)len);
    }
    px_buf_put(buf);
    px_send(h1(), rig.app, RESPONDER_DATA, m, to);
    sim_settle(rig.sim);
}

/* One Data message of the response: its length. */
static uint64_t expect_data(bool fin)
{
    const struct px_msg *msg = expect(REQUESTER_DATA);
    ck_assert_int_eq(((const Http__BodyBytes *)msg->body)->fin, fin);
    return px_msg_payload_len(msg);
}

/* ---- answering ---- */

START_TEST(an_answer_at_once_is_one_message)
{
    ask(.path = "/now");
    say_ended(expect_response(200, "now", true), PX_OK);
    ck_assert_uint_eq(heard.n_requests, 1);
}
END_TEST

START_TEST(who_answers_later_tells_his_handle_at_once)
{
    ask(.path = "/later/x");
    expect_handle(0);
    ck_assert_int_eq(px_request_reply_text(heard.request, 201, "later"), PX_EOK);
    sim_settle(rig.sim);
    say_ended(expect_response(201, "later", true), PX_OK);
    ck_assert_uint_eq(heard.n_ended, 1);
    ck_assert_int_eq(heard.ended, PX_OK);
}
END_TEST

START_TEST(a_request_is_answered_once)
{
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_reply_text(heard.request, 200, "1"), PX_EOK);
    ck_assert_int_eq(px_request_reply_text(heard.request, 200, "2"), PX_ESTATE);
    ck_assert_int_eq(px_request_finish(heard.request, NULL, 0), PX_ESTATE);
    ck_assert_int_eq(px_request_send(heard.request, "x", 1), PX_SENT_REFUSED);
    sim_settle(rig.sim);
    expect_response(200, "1", true);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(who_answers_at_once_and_hears_nothing_holds_nothing)
{
    ask(.path = "/now");
    ck_assert_int_eq(px_request_abort(heard.request), PX_ESTALE);
    ck_assert_int_eq(px_request_on(heard.request, &events, NULL), PX_ESTALE);
    px_handle to[5];
    to[0] = expect_response(200, "now", true);
    for (unsigned i = 1; i < 5; i++) { /* one more than there are slots */
        ask(.path = "/now");
        to[i] = expect_response(200, "now", true);
    }
    for (unsigned i = 0; i < 5; i++) {
        say_ended(to[i], PX_OK);
    }
    ck_assert_uint_eq(heard.n_ended, 0);
}
END_TEST

START_TEST(an_ended_request_is_stale_and_never_a_crash)
{
    struct px_text value;
    uint64_t length;
    char text[8];
    size_t cursor = 0;
    ask(.path = "/later/x");
    say_ended(expect_handle(0), PX_RESET);
    ck_assert_int_eq(heard.ended, PX_RESET);
    struct px_request stale = heard.request;
    ck_assert_int_eq(px_request_reply_text(stale, 200, "x"), PX_ESTALE);
    ck_assert_int_eq(px_request_send(stale, "x", 1), PX_SENT_STALE);
    ck_assert_int_eq(px_request_finish(stale, NULL, 0), PX_ESTALE);
    ck_assert_int_eq(px_request_abort(stale), PX_ESTALE);
    ck_assert_int_eq(px_request_read(stale, 0), PX_ESTALE);
    ck_assert_int_eq(px_request_settle(stale, 1), PX_ESTALE);
    ck_assert_int_eq(px_request_collect(stale, 1, on_collected, NULL), PX_ESTALE);
    ck_assert_int_eq(px_request_on(stale, NULL, NULL), PX_ESTALE);
    ck_assert_int_eq(px_request_remote(stale, text, sizeof text), PX_ESTALE);
    ck_assert_int_eq(px_request_query_param(stale, "a", text, sizeof text, NULL), PX_ESTALE);
    ck_assert_uint_eq(px_request_path(stale).len, 0);
    ck_assert_uint_eq(px_request_param(stale, "name").len, 0);
    ck_assert(!px_request_field(stale, "a", &value));
    ck_assert(!px_request_field_next(stale, &cursor, &value, &value));
    ck_assert(!px_request_length(stale, &length));
    ck_assert(!px_request_has_body(stale));
}
END_TEST

START_TEST(the_head_may_be_read_until_the_response_is_complete)
{
    char text[16];
    size_t len = 0;
    ask(.path = "/x/../later/a%20b?p=1&q=%41+z&p=2");
    px_handle to = expect_handle(0);
    struct px_text path = px_request_path(heard.request),
                   name = px_request_param(heard.request, "name");
    ck_assert_uint_eq(path.len, strlen("/later/a b"));
    ck_assert_mem_eq(path.ptr, "/later/a b", path.len);
    ck_assert_uint_eq(name.len, 3);
    ck_assert_mem_eq(name.ptr, "a b", 3);
    ck_assert_uint_eq(px_request_query(heard.request).len, strlen("p=1&q=%41+z&p=2"));
    ck_assert_int_eq(px_request_query_param(heard.request, "q", text, 4, &len), PX_EOK);
    ck_assert_str_eq(text, "A z");
    ck_assert_int_eq(px_request_query_param(heard.request, "q", text, 3, &len), PX_ELIMIT);
    ck_assert_int_eq(px_request_query_param(heard.request, "p", text, 4, NULL), PX_EOK);
    ck_assert_str_eq(text, "1");
    ck_assert_int_eq(px_request_query_param(heard.request, "r", text, 4, NULL), PX_ENOENT);
    ck_assert_int_eq(px_request_remote(heard.request, text, sizeof text), PX_EOK);
    ck_assert_str_eq(text, "unix");
    px_request_reply_text(heard.request, 200, "x");
    ck_assert_uint_eq(px_request_path(heard.request).len, 0);
    sim_settle(rig.sim);
    expect_response(200, "x", true);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(head_is_answered_with_the_length_alone)
{
    ask(.path = "/now", .method = "HEAD");
    const struct px_msg *msg = expect(REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    ck_assert(m->fin && m->has_length);
    ck_assert_uint_eq(m->length, 3);
    ck_assert_uint_eq(px_msg_payload_len(msg), 0);
    say_ended(m->responder, PX_OK);
}
END_TEST

START_TEST(what_no_route_wants_is_404_and_a_wrong_method_405)
{
    ask(.path = "/none");
    say_ended(expect_response(404, NULL, true), PX_OK);
    ask(.path = "/now", .method = "PUT");
    say_ended(expect_response(405, NULL, true), PX_OK);
    ask(.path = "/now", .method = "OPTIONS");
    say_ended(expect_response(204, NULL, true), PX_OK);
    ask(.path = "*", .method = "OPTIONS");
    say_ended(expect_response(204, NULL, true), PX_OK);
    ask(.path = "/%2f");
    say_ended(expect_response(400, NULL, true), PX_OK);
}
END_TEST

START_TEST(a_reply_that_makes_no_sense_is_refused_and_can_be_made_again)
{
    struct px_field split = {"x", "a\r\nb"};
    struct px_reply reply = {.status = 199};
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_reply(heard.request, &reply), PX_EINVAL);
    reply.status = 1000;
    ck_assert_int_eq(px_request_reply(heard.request, &reply), PX_EINVAL);
    reply = (struct px_reply){.fields = &split, .n_fields = 1};
    ck_assert_int_eq(px_request_reply(heard.request, &reply), PX_EINVAL);
    reply = (struct px_reply){.status = 204, .body = "x", .body_len = 1};
    ck_assert_int_eq(px_request_reply(heard.request, &reply), PX_EINVAL);
    ck_assert_int_eq(px_request_inform(heard.request, 101, NULL, 0), PX_EINVAL);
    ck_assert_int_eq(px_request_inform(heard.request, 103, NULL, 0), PX_EOK);
    ck_assert_int_eq(px_request_reply_text(heard.request, 200, "x"), PX_EOK);
    sim_settle(rig.sim);
    expect(REQUESTER_INFORM);
    expect_response(200, "x", true);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(the_request_after_the_last_slot_is_told_503)
{
    px_handle to[4];
    for (uint64_t i = 0; i < 4; i++) {
        ask(.path = "/later/x", .requester = 100 + i);
        const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_CREDIT);
        ck_assert_uint_eq(msg->tag, 100 + i);
        to[i] = ((const Http__ExchangeCredit *)msg->body)->responder;
    }
    ask(.path = "/later/x");
    px_handle refuser = expect_response(503, NULL, true);
    ck_assert_uint_eq(heard.n_requests, 4);
    say_ended(refuser, PX_OK); /* nobody minds */
    for (uint64_t i = 0; i < 4; i++) {
        say_ended(to[i], PX_RESET);
    }
    ck_assert_uint_eq(heard.n_ended, 4);
    ask(.path = "/now");
    say_ended(expect_response(200, "now", true), PX_OK);
}
END_TEST

/* ---- bodies of responses ---- */

START_TEST(a_body_beyond_16384_bytes_waits_for_credit)
{
    static char body[20000];
    struct px_reply reply = {.body = body, .body_len = RESPOND_FREE_MAX};
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_reply(heard.request, &reply), PX_EOK);
    sim_settle(rig.sim);
    expect_response(200, NULL, true);
    say_ended(to, PX_OK);

    ask(.path = "/later/x");
    to = expect_handle(0);
    reply.body_len = RESPOND_FREE_MAX + 1000;
    ck_assert_int_eq(px_request_reply(heard.request, &reply), PX_EOK);
    sim_settle(rig.sim);
    expect_response(200, NULL, false);
    sim_expect_silence(rig.sim);
    say_credit(to, 600);
    ck_assert_uint_eq(expect_data(false), 600);
    say_credit(to, 512);
    ck_assert_uint_eq(expect_data(true), 400);
    say_ended(to, PX_OK);
}
END_TEST

static px_handle begin(const struct px_reply *reply)
{
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_begin(heard.request, reply), PX_EOK);
    sim_settle(rig.sim);
    expect_response(200, NULL, false);
    return to;
}

START_TEST(bytes_are_sent_queued_or_refused_and_drained_says_when_to_go_on)
{
    static const char kilo[1000];
    struct px_reply reply = {.status = 200};
    px_handle to = begin(&reply);
    say_credit(to, 1000);
    ck_assert_int_eq(px_request_send(heard.request, kilo, 1000), PX_SENT_OK);
    ck_assert_int_eq(px_request_send(heard.request, kilo, 1000), PX_SENT_QUEUED);
    ck_assert_int_eq(px_request_send(heard.request, kilo, 999), PX_SENT_QUEUED);
    ck_assert_int_eq(px_request_send(heard.request, kilo, 1),
                     PX_SENT_QUEUED); /* 2000 wait: the limit */
    ck_assert_int_eq(px_request_send(heard.request, kilo, 1), PX_SENT_FULL);
    sim_settle(rig.sim);
    ck_assert_uint_eq(expect_data(false), 1000);
    ck_assert_uint_eq(heard.n_drained, 0);
    say_credit(to, 1999);
    ck_assert_uint_eq(expect_data(false), 1999);
    ck_assert_uint_eq(heard.n_drained, 0);
    say_credit(to, 512);
    ck_assert_uint_eq(expect_data(false), 1);
    ck_assert_uint_eq(heard.n_drained, 1);
    ck_assert_int_eq(px_request_finish(heard.request, NULL, 0), PX_EOK);
    sim_expect_silence(rig.sim); /* even the end has its price */
    say_credit(to, 512);
    ck_assert_uint_eq(expect_data(true), 0);
    say_ended(to, PX_OK);
    ck_assert_uint_eq(heard.n_drained, 1);
}
END_TEST

START_TEST(a_declared_length_is_kept)
{
    struct px_reply reply = {.status = 200, .has_length = true, .length = 5};
    px_handle to = begin(&reply);
    say_credit(to, 10000);
    ck_assert_int_eq(px_request_send(heard.request, "123", 3), PX_SENT_OK);
    ck_assert_int_eq(px_request_send(heard.request, "456", 3), PX_SENT_REFUSED);
    ck_assert_int_eq(px_request_finish(heard.request, NULL, 0), PX_ESTATE);
    sim_settle(rig.sim);
    expect_data(false);
    expect(REQUESTER_CANCEL);
    say_ended(to, PX_CANCELLED);
    ck_assert_int_eq(heard.ended, PX_CANCELLED);
}
END_TEST

START_TEST(a_piece_beyond_a_mebibyte_is_refused)
{
    struct px_reply reply = {.status = 200};
    char *piece = calloc(1, SEND_LEN_MAX + 1);
    px_handle to = begin(&reply);
    say_credit(to, 1 << 30);
    ck_assert_int_eq(px_request_send(heard.request, piece, SEND_LEN_MAX + 1), PX_SENT_REFUSED);
    ck_assert_int_eq(px_request_send(heard.request, piece, SEND_LEN_MAX), PX_SENT_OK);
    free(piece);
    px_test_forget(rig.world, "h1");
    sim_settle(rig.sim);
    px_test_forget(rig.world, "h1");
    say_ended(to, PX_RESET);
}
END_TEST

START_TEST(trailers_come_behind_what_is_queued)
{
    struct px_field trailer = {"x-sum", "1"};
    struct px_reply reply = {.status = 200};
    px_handle to = begin(&reply);
    ck_assert_int_eq(px_request_send(heard.request, "abc", 3), PX_SENT_QUEUED);
    ck_assert_int_eq(px_request_finish(heard.request, &trailer, 1), PX_EOK);
    sim_expect_silence(rig.sim);
    say_credit(to, 512);
    ck_assert_uint_eq(expect_data(false), 3);
    const Http__TrailerFields *m = expect(REQUESTER_TRAILERS)->body;
    ck_assert_uint_gt(m->fields.len, 0);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(an_aborted_request_still_ends)
{
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_abort(heard.request), PX_EOK);
    sim_settle(rig.sim);
    expect(REQUESTER_CANCEL);
    ck_assert_uint_eq(heard.n_ended, 0);
    say_ended(to, PX_CANCELLED);
    ck_assert_uint_eq(heard.n_ended, 1);
}
END_TEST

/* ---- bodies of requests ---- */

START_TEST(a_body_comes_when_it_is_asked_for_and_as_fast_as_it_is_settled)
{
    ask(.path = "/later/x", .method = "POST", .has_body = true);
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_read(heard.request, 511), PX_EINVAL);
    ck_assert_int_eq(px_request_read(heard.request, 2048), PX_EOK);
    ck_assert_int_eq(px_request_read(heard.request, 2048), PX_ESTATE);
    sim_settle(rig.sim);
    expect_handle(2048);
    say_body(to, 100, false);
    say_body(to, 100, false);
    ck_assert_uint_eq(heard.body_len, 200);
    ck_assert_int_eq(px_request_settle(heard.request, 201), PX_EINVAL);
    ck_assert_int_eq(px_request_settle(heard.request, SIZE_MAX), PX_EOK);
    sim_settle(rig.sim);
    expect_handle(1024); /* two messages cost 512 each */
    say_body(to, 0, true);
    ck_assert(heard.body_fin);
    px_request_reply_text(heard.request, 200, "x");
    sim_settle(rig.sim);
    expect_response(200, "x", true);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(a_request_without_body_says_so_but_not_from_inside_the_call)
{
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_read(heard.request, 0), PX_EOK);
    ck_assert_uint_eq(heard.n_bodies, 0);
    sim_settle(rig.sim);
    ck_assert_uint_eq(heard.n_bodies, 1);
    ck_assert(heard.body_fin);
    say_ended(to, PX_RESET);
}
END_TEST

START_TEST(a_sender_beyond_his_credit_is_cut_off)
{
    ask(.path = "/later/x", .method = "POST", .has_body = true);
    px_handle to = expect_handle(0);
    px_request_read(heard.request, 512);
    sim_settle(rig.sim);
    expect_handle(512);
    say_body(to, 1, false);
    say_body(to, 1, false);
    const Http__CancelExchange *m = expect(REQUESTER_CANCEL)->body;
    ck_assert_uint_eq(m->reason, PX_PROTOCOL);
    say_ended(to, PX_PROTOCOL);
}
END_TEST

START_TEST(a_body_is_collected_up_to_its_limit)
{
    ask(.path = "/later/x", .method = "POST", .has_body = true);
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_collect(heard.request, 1000, on_collected, NULL), PX_EOK);
    sim_settle(rig.sim);
    expect_handle(READ_WINDOW_DEFAULT);
    say_body(to, 600, false);
    say_body(to, 400, true);
    ck_assert_uint_eq(heard.n_collected, 1);
    ck_assert_uint_eq(heard.collected_len, 1000);
    say_ended(to, PX_RESET);
}
END_TEST

START_TEST(a_body_one_byte_longer_is_told_413)
{
    ask(.path = "/later/x", .method = "POST", .has_body = true);
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_collect(heard.request, 1000, on_collected, NULL), PX_EOK);
    sim_settle(rig.sim);
    expect_handle(READ_WINDOW_DEFAULT);
    say_body(to, 600, false);
    say_body(to, 401, false);
    expect_response(413, NULL, true);
    say_body(to, 10, true); /* what was on its way already */
    ck_assert_uint_eq(heard.n_collected, 0);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(a_body_that_is_declared_too_long_is_not_asked_for)
{
    ask(.path = "/later/x", .method = "POST", .has_body = true, .has_length = true, .length = 1001);
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_collect(heard.request, 1000, on_collected, NULL), PX_EOK);
    sim_settle(rig.sim);
    expect_response(413, NULL, true);
    say_ended(to, PX_OK);
}
END_TEST

/* ---- files ---- */

static void on_file(struct px_request request, void *arg)
{
    struct px_file_reply reply = {.path = px_request_param(request, "path"), .index = arg};
    heard.request = request;
    px_request_on(request, &events, NULL);
    ck_assert_int_eq(px_request_reply_file(request, &reply), PX_EOK);
}

static const struct px_msg *expect_open(const char *path)
{
    const struct px_msg *msg = sim_expect(rig.world, "file", FILE_OPEN);
    const File__OpenFile *m = msg->body;
    ck_assert_uint_eq(m->path.len, strlen(path));
    ck_assert_mem_eq(m->path.data, path, m->path.len);
    return msg;
}

static void ask_file(const char *path, px_handle *ret_to)
{
    enum px_err err =
        px_server_route(&rig.server, "GET", "/f/*path", on_file, (void *)(uintptr_t) "index.html");
    ck_assert(err == PX_EOK || err == PX_EEXIST);
    ask(.path = path);
    *ret_to = expect_handle(0);
}

static struct px_env *file(void)
{
    return px_sim_env(rig.world, "file");
}

START_TEST(a_missing_file_is_404_and_too_many_are_503)
{
    px_handle to;
    ask_file("/f/a.txt", &to);
    px_reply_status(file(), expect_open("a.txt"), PX_NOT_FOUND);
    sim_settle(rig.sim);
    expect_response(404, NULL, true);
    say_ended(to, PX_OK);
    ask_file("/f/sub/", &to);
    px_reply_status(file(), expect_open("sub/index.html"), PX_BUSY);
    sim_settle(rig.sim);
    expect_response(503, NULL, true);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(a_directory_is_somewhere_else)
{
    px_handle to;
    ask_file("/f/sub?q", &to);
    File__OpenedFile *m = px_msg_new(file(), &file__opened_file__descriptor);
    m->directory = true;
    px_reply(file(), expect_open("sub"), PX_OK, m);
    sim_settle(rig.sim);
    const Http__Response *response = expect(REQUESTER_RESPOND)->body;
    ck_assert_uint_eq(response->status, 301);
    ck_assert_ptr_nonnull(memmem(response->fields.data, response->fields.len, "./sub/", 6));
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(a_small_file_goes_out_with_its_head)
{
    px_handle to;
    ask_file("/f/a.txt", &to);
    File__OpenedFile *m = px_msg_new(file(), &file__opened_file__descriptor);
    struct px_buf *buf = px_buf_new(file(), 4);
    memcpy(px_buf_data(buf), "file", 4);
    m->length = 4;
    px_msg_attach_take(m, buf, 0, 4);
    px_reply(file(), expect_open("a.txt"), PX_OK, m);
    sim_settle(rig.sim);
    expect_response(200, "file", true);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(a_client_that_leaves_while_a_file_is_opened_leaves_nothing)
{
    px_handle to;
    ask_file("/f/a.txt", &to);
    say_ended(to, PX_RESET);
    px_reply_status(file(), expect_open("a.txt"), PX_NOT_FOUND);
    sim_settle(rig.sim);
    sim_expect_silence(rig.sim);
}
END_TEST

/* ---- the end of others ---- */

START_TEST(an_engine_that_dies_ends_its_requests)
{
    ask(.path = "/later/x");
    expect_handle(0);
    px_sim_kill(rig.world, "h1");
    sim_settle(rig.sim);
    ck_assert_uint_eq(heard.n_ended, 1);
    ck_assert_int_eq(heard.ended, PX_SERVICE_GONE);
    ck_assert_int_eq(px_request_reply_text(heard.request, 200, "x"), PX_ESTALE);
}
END_TEST

START_TEST(another_engines_word_about_a_request_is_not_believed)
{
    ask(.path = "/later/x");
    px_handle to = expect_handle(0);
    Stream__ClosedStream *m =
        px_msg_new(px_sim_env(rig.world, "net"), &stream__closed_stream__descriptor);
    px_send(px_sim_env(rig.world, "net"), rig.app, UPPER_CLOSED, m, to);
    sim_settle(rig.sim);
    ck_assert_uint_eq(heard.n_ended, 0);
    say_ended(to + (1 << 24), PX_OK); /* another generation */
    ck_assert_uint_eq(heard.n_ended, 0);
    say_ended(to, PX_OK);
    ck_assert_uint_eq(heard.n_ended, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("app");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, setup, teardown);
    tcase_add_test(answers, an_answer_at_once_is_one_message);
    tcase_add_test(answers, who_answers_later_tells_his_handle_at_once);
    tcase_add_test(answers, a_request_is_answered_once);
    tcase_add_test(answers, who_answers_at_once_and_hears_nothing_holds_nothing);
    tcase_add_test(answers, an_ended_request_is_stale_and_never_a_crash);
    tcase_add_test(answers, the_head_may_be_read_until_the_response_is_complete);
    tcase_add_test(answers, head_is_answered_with_the_length_alone);
    tcase_add_test(answers, what_no_route_wants_is_404_and_a_wrong_method_405);
    tcase_add_test(answers, a_reply_that_makes_no_sense_is_refused_and_can_be_made_again);
    tcase_add_test(answers, the_request_after_the_last_slot_is_told_503);
    suite_add_tcase(suite, answers);
    TCase *bodies = tcase_create("bodies");
    tcase_add_checked_fixture(bodies, setup, teardown);
    tcase_add_test(bodies, a_body_beyond_16384_bytes_waits_for_credit);
    tcase_add_test(bodies, bytes_are_sent_queued_or_refused_and_drained_says_when_to_go_on);
    tcase_add_test(bodies, a_declared_length_is_kept);
    tcase_add_test(bodies, a_piece_beyond_a_mebibyte_is_refused);
    tcase_add_test(bodies, trailers_come_behind_what_is_queued);
    tcase_add_test(bodies, an_aborted_request_still_ends);
    tcase_add_test(bodies, a_body_comes_when_it_is_asked_for_and_as_fast_as_it_is_settled);
    tcase_add_test(bodies, a_request_without_body_says_so_but_not_from_inside_the_call);
    tcase_add_test(bodies, a_sender_beyond_his_credit_is_cut_off);
    tcase_add_test(bodies, a_body_is_collected_up_to_its_limit);
    tcase_add_test(bodies, a_body_one_byte_longer_is_told_413);
    tcase_add_test(bodies, a_body_that_is_declared_too_long_is_not_asked_for);
    suite_add_tcase(suite, bodies);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, a_missing_file_is_404_and_too_many_are_503);
    tcase_add_test(files, a_directory_is_somewhere_else);
    tcase_add_test(files, a_small_file_goes_out_with_its_head);
    tcase_add_test(files, a_client_that_leaves_while_a_file_is_opened_leaves_nothing);
    suite_add_tcase(suite, files);
    TCase *others = tcase_create("others");
    tcase_add_checked_fixture(others, setup, teardown);
    tcase_add_test(others, an_engine_that_dies_ends_its_requests);
    tcase_add_test(others, another_engines_word_about_a_request_is_not_believed);
    suite_add_tcase(suite, others);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
