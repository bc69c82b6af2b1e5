/* h1_window_test.c - how much of a response body is on its way, and what a stream that was handed
 * over may bring along. */
#include <check.h>

#include "h1_act.h"

#define GET11 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static char bytes[65536];

static void setup(void)
{
    rig_prepare();
    rig.wall_stands = true;
}

static void no_close(int fd)
{
    (void)fd;
}

/* A file range as the next bytes of a body. */
static void req_file(struct req *r, uint32_t len, bool fin)
{
    Http__BodyBytes *m = px_msg_new(app_env(), &http__body_bytes__descriptor);
    m->fin = fin;
    struct px_buf *file = px_buf_from_fd(app_env(), 99, no_close);
    ck_assert(px_msg_attach_take(m, file, 0, len));
    uint64_t cost = px_charge(len);
    r->credit -= (uint32_t)(cost < r->credit ? cost : r->credit);
    (void)px_send(app_env(), rig.h1, REQUESTER_DATA, m, r->requester);
    rig_run();
}

/* A response whose body is to come. */
static struct req *respond_open(struct wire *w)
{
    wire_send(w, GET11);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .more = true);
    ck_assert_uint_eq(r->credit_all, H1_RESPONSE_WINDOW);
    return r;
}

/* The client takes whatever there is. */
static void wire_drain(struct wire *w)
{
    while (w->out_unacked > 0) {
        uint32_t n = (uint32_t)w->out_unacked;
        w->out_unacked = 0;
        wire_credit(w, n);
        rig_run();
    }
}

START_TEST(a_body_of_file_ranges_has_a_larger_window)
{
    rig_start();
    struct wire *w = wire_new();
    struct req *r = respond_open(w);
    req_file(r, 512, false);
    ck_assert_uint_eq(r->credit_all, H1_FILE_WINDOW);
    w->mute = true;
    while (r->credit >= 65536) { /* all of it can be on its way */
        req_file(r, 65536, false);
    }
    ck_assert_uint_ge(w->out_total, RIG_SEND_CREDIT - 65536);
    wire_drain(w);
    ck_assert_uint_ge(r->credit, H1_FILE_WINDOW / 2);
    req_file(r, 1, true);
    wire_drain(w);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_body_that_begins_in_memory_keeps_its_window)
{
    rig_start();
    struct wire *w = wire_new();
    struct req *r = respond_open(w);
    req_data(r, bytes, 1, false);
    req_file(r, 512, false);
    ck_assert_uint_eq(r->credit_all, H1_RESPONSE_WINDOW);
    req_file(r, 1, true);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(memory_that_is_not_sent_yet_is_bounded_though_the_provider_takes_more)
{
    rig.send_credit = 4 << 20;
    rig_start();
    struct wire *w = wire_new();
    struct req *r = respond_open(w);
    w->mute = true;
    while (r->credit >= sizeof bytes) {
        req_data(r, bytes, sizeof bytes, false);
    }
    ck_assert_uint_le(w->out_unacked, H1_SENT_MAX);
    ck_assert_uint_gt(w->out_unacked, H1_SENT_MAX - PX_CHARGE_MIN);
    uint64_t given = (uint64_t)r->credit_all - r->credit;
    ck_assert_uint_le(given, H1_SENT_MAX + H1_RESPONSE_WINDOW);
    for (unsigned i = 0; i < 100; i++) { /* and goes on as it is sent */
        wire_drain(w);
        while (r->credit >= sizeof bytes) {
            req_data(r, bytes, sizeof bytes, false);
        }
    }
    ck_assert_uint_gt((uint64_t)r->credit_all - r->credit, 20 * (uint64_t)H1_SENT_MAX);
    wire_drain(w);
    req_data(r, bytes, 1, true);
    wire_drain(w);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(file_ranges_use_the_whole_window_of_the_provider)
{
    rig.send_credit = 4 << 20;
    rig_start();
    struct wire *w = wire_new();
    struct req *r = respond_open(w);
    w->mute = true;
    while (r->credit >= 65536) {
        req_file(r, 65536, false);
    }
    ck_assert_uint_gt(w->out_unacked, (4 << 20) - 65536);
    wire_drain(w);
    req_file(r, 1, true);
    wire_drain(w);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

/* Begins with a file range, then `len` bytes of memory; returns what is granted when the client has
 * taken a whole large window after that. */
static uint32_t credit_behind(uint32_t len)
{
    rig_prepare();
    rig_start();
    struct wire *w = wire_new();
    struct req *r = respond_open(w);
    req_file(r, 512, false);
    req_data(r, bytes, len, false);
    w->mute = true;
    while (r->credit >= 65536) {
        req_file(r, 65536, false);
    }
    wire_drain(w);
    uint32_t credit = r->credit;
    wire_end(w, PX_RESET);
    req_expect_ended(r, PX_RESET);
    rig_finish();
    return credit;
}

START_TEST(memory_behind_file_ranges_makes_the_window_small_again)
{
    ck_assert_uint_ge(credit_behind(H1_FILE_MEMORY_MAX), H1_FILE_WINDOW / 2);
    uint32_t credit = credit_behind(H1_FILE_MEMORY_MAX + 1);
    ck_assert_uint_ge(credit, H1_RESPONSE_WINDOW / 2);
    ck_assert_uint_le(credit, H1_RESPONSE_WINDOW);
}
END_TEST

START_TEST(a_response_held_for_its_turn_has_the_window_of_its_first_bytes)
{
    rig_start();
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11);
    struct req *first = req_expect("GET", "/");
    struct req *r = req_expect("GET", "/");
    ck_assert_uint_eq(r->credit, 0);
    Http__Response *m = px_msg_new(app_env(), &http__response__descriptor);
    m->responder = r->self;
    m->status = 200;
    r->known = true;
    struct px_buf *file = px_buf_from_fd(app_env(), 99, no_close);
    ck_assert(px_msg_attach_take(m, file, 10, 5));
    (void)px_send(app_env(), rig.h1, REQUESTER_RESPOND, m, r->requester);
    rig_run();
    ck_assert_uint_eq(r->credit, 0);
    req_respond(first, .status = 204);
    req_expect_ended(first, PX_OK);
    ck_assert_uint_eq(r->credit, H1_FILE_WINDOW);
    req_file(r, 1, true);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

static void answer_204(struct req *r)
{
    req_answer(r, &(struct answer_plan){.status = 204});
}

/* Hands over a stream together with `n` requests. */
static struct wire *hand_over(uint32_t n)
{
    struct wire *w = px_pool_get(&rig.wires);
    w->lower = px_pool_issue(&rig.wires, w, px_mailbox_peer(net_env(), rig.h1));
    struct px_env *toy = px_kernel_env(rig.kernel, rig.toy_addr);
    Stream__AdoptStream *m = px_msg_new(toy, &stream__adopt_stream__descriptor);
    m->lower = w->lower;
    m->credit = RIG_SEND_CREDIT;
    px_msg_put(m, &m->provider, "net", 3);
    uint32_t each = sizeof GET11 - 1;
    struct px_buf *buf = px_buf_new(toy, PX_BUF_HUGE);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(px_buf_data(buf) + i * each, GET11, each);
    }
    ck_assert(px_msg_attach_take(m, buf, 0, n * each));
    ck_assert(px_send(toy, rig.h1, UPPER_ADOPT, m, 0));
    rig_run();
    return w;
}

START_TEST(what_a_stream_brings_beyond_the_window_is_not_granted_again)
{
    for (uint32_t n = 1; n <= 100; n++) {
        rig_prepare();
        rig.config.window = 1024;
        rig_start();
        rig.on_exchange = answer_204;
        struct wire *w = hand_over(n);
        ck_assert(w->claimed);
        ck_assert_uint_eq(rig.n_exchanges, n);
        ck_assert_uint_le(w->window, 1024);
        ck_assert_uint_ge(w->window, 512);
        for (int i = 0; i < 10; i++) { /* and the connection goes on like any other */
            wire_send(w, GET11);
            ck_assert_uint_le(w->window, 1024);
            ck_assert_uint_ge(w->window, 512);
        }
        ck_assert_uint_eq(rig.n_exchanges, n + 10);
        wire_end(w, PX_RESET);
        rig_finish();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1_window");
    TCase *bodies = tcase_create("bodies");
    tcase_add_checked_fixture(bodies, setup, NULL);
    tcase_add_test(bodies, a_body_of_file_ranges_has_a_larger_window);
    tcase_add_test(bodies, a_body_that_begins_in_memory_keeps_its_window);
    tcase_add_test(bodies, memory_that_is_not_sent_yet_is_bounded_though_the_provider_takes_more);
    tcase_add_test(bodies, file_ranges_use_the_whole_window_of_the_provider);
    tcase_add_test(bodies, memory_behind_file_ranges_makes_the_window_small_again);
    tcase_add_test(bodies, a_response_held_for_its_turn_has_the_window_of_its_first_bytes);
    suite_add_tcase(suite, bodies);
    TCase *streams = tcase_create("streams");
    tcase_add_checked_fixture(streams, setup, NULL);
    tcase_add_test(streams, what_a_stream_brings_beyond_the_window_is_not_granted_again);
    suite_add_tcase(suite, streams);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
