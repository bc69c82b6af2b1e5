/* h1_stop_test.c - stopping: what runs is finished, what was on its way is answered. */
#include <check.h>

#include "h1_act.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" RIG_DATE "\r\nhello"

#define GET11 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void setup(void)
{
    rig_prepare();
    rig_upgrades();
    rig_start();
}

START_TEST(stopping_closes_what_rests_and_finishes_what_runs)
{
    struct wire *idle = wire_new();
    struct wire *half = wire_new();
    struct wire *busy = wire_new();
    wire_send(half, "GET / HT");
    wire_send(busy, GET11 GET11);
    struct req *a = req_expect("GET", "/");
    struct req *b = req_expect("GET", "/");
    px_kernel_stop(rig.kernel);
    rig_advance_us(H1_STOP_GRACE_US - 1);
    wire_expect_open(idle);
    wire_expect_open(half);
    rig_advance_us(1);
    wire_expect_close(idle);
    ck_assert_mem_eq(half->out, "HTTP/1.1 408 ", 13);
    half->out_len = 0;
    wire_expect_close(half);
    wire_expect_open(busy);
    ck_assert(!px_kernel_drained(rig.kernel));
    req_respond(a, .status = 200, .body = "hello");
    wire_expect(busy, OK_HELLO);
    req_respond(b, .status = 200, .body = "hello");
    wire_expect(busy, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n" RIG_DATE
                      "\r\nhello");
    wire_expect_close(busy);
    req_expect_ended(a, PX_OK);
    req_expect_ended(b, PX_OK);
    ck_assert(px_kernel_drained(rig.kernel));
    rig_finish();
}
END_TEST

START_TEST(a_request_that_was_on_its_way_when_stopping_began_is_answered)
{
    struct wire *idle = wire_new();
    struct wire *half = wire_new();
    wire_send(half, "GET / HT");
    px_kernel_stop(rig.kernel);
    static const uint8_t remote[6] = {10, 0, 0, 1, 1, 2};
    struct wire *late = wire_new_from(remote, 6, false); /* accepted, but not yet offered */
    wire_send(idle, GET11);
    wire_send(half, "TP/1.1\r\nHost: a\r\n\r\n");
    wire_send(late, GET11);
    struct wire *wires[3] = {idle, half, late};
    for (int i = 0; i < 3; i++) {
        struct req *r = req_expect("GET", "/");
        req_respond(r, .status = 200, .body = "hello");
        wire_expect(wires[i], "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: "
                              "close\r\n" RIG_DATE "\r\nhello");
        wire_expect_close(wires[i]);
        req_expect_ended(r, PX_OK);
    }
    ck_assert_uint_eq(rig_counter(H1_COUNT_requests_max), 0);
    ck_assert(px_kernel_drained(rig.kernel));
    rig_finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1_stop");
    TCase *stop = tcase_create("stop");
    tcase_add_checked_fixture(stop, setup, NULL);
    tcase_add_test(stop, stopping_closes_what_rests_and_finishes_what_runs);
    tcase_add_test(stop, a_request_that_was_on_its_way_when_stopping_began_is_answered);
    suite_add_tcase(suite, stop);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
