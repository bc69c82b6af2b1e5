/* h1_refused_test.c - what the application hears of requests that h1 answers by itself. */
#include <check.h>

#include "h1_act.h"

#define GET11 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /in HTTP/1.1\r\nHost: a\r\n"

static void setup(void)
{
    rig_prepare();
    rig.config.body_max = 10;
    rig_start();
}

/* Exactly one has come, about this line; forgets it. */
static void expect_refused(uint32_t status, uint32_t version, const char *line, size_t len)
{
    const struct refused *f = &rig.refused;
    ck_assert_uint_eq(f->n, 1);
    ck_assert_uint_eq(f->status, status);
    ck_assert_uint_eq(f->version, version);
    ck_assert_uint_eq(f->line_len, len);
    ck_assert(len == 0 || memcmp(f->line, line, len) == 0);
    rig.refused.n = 0;
}

/* The last thing a client sends. */
static void say_last(const char *text, size_t len)
{
    struct wire *w = wire_new();
    wire_send_bytes(w, text, len);
    w->out_len = 0;
    wire_expect_close(w);
}

START_TEST(a_refusal_tells_status_line_address_listener_and_the_length_of_the_answer)
{
    static const uint8_t remote[6] = {192, 0, 2, 1, 0x30, 0x39};
    struct wire *w = wire_new_from(remote, sizeof remote, false);
    wire_send(w, "BAD\r\n\r\n");
    const char *body = memmem(w->out, w->out_len, "\r\n\r\n", 4);
    ck_assert_ptr_nonnull(body);
    ck_assert_uint_eq(rig.refused.length, (size_t)((char *)w->out + w->out_len - body) - 4);
    ck_assert_uint_eq(rig.refused.listener, 7);
    ck_assert_uint_eq(rig.refused.remote_len, sizeof remote);
    ck_assert_mem_eq(rig.refused.remote, remote, sizeof remote);
    expect_refused(400, 0, "BAD", 3);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(a_line_may_hold_any_bytes_and_is_told_as_far_as_it_was_read)
{
    static const char hello[] = "\x16\x03\x01\0\xa5 \x7f\r\n\r\n"; /* a client that speaks TLS */
    say_last(hello, sizeof hello - 1);
    expect_refused(400, 0, hello, 7);
    say_last("\r\nGET / HTTP/2.0\r\n\r\n", 20);
    expect_refused(505, 0, "GET / HTTP/2.0", 14);
    say_last("\r\n\r\nGET", 7);
    expect_refused(400, 0, "", 0);
    struct wire *w = wire_new();
    wire_send(w, "GE");
    wire_send(w, "T /slow");
    rig_advance_us(PX_SEC(10));
    expect_refused(408, 0, "GET /slow", 9);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(of_a_line_256_bytes_are_told_and_no_more)
{
    static char line[9000];
    memset(line, 'x', sizeof line);
    memcpy(line, "GET /", 5);
    for (size_t len = H1_REFUSED_LINE_MAX - 1; len <= H1_REFUSED_LINE_MAX + 1; len++) {
        struct wire *w = wire_new();
        wire_send_bytes(w, line, len);
        wire_send(w, "\r\n\r\n");
        expect_refused(400, 0, line, len < H1_REFUSED_LINE_MAX ? len : H1_REFUSED_LINE_MAX);
        w->out_len = 0;
        wire_expect_close(w);
    }
    say_last(line, sizeof line);
    expect_refused(414, 0, line, H1_REFUSED_LINE_MAX);
    rig_finish();
}
END_TEST

START_TEST(a_body_that_is_announced_too_long_tells_the_version_too)
{
    static const char plain[] = POST "Content-Length: 11\r\n\r\n";
    static const char old[] = "HEAD http://a/in HTTP/1.0\r\nContent-Length: 11\r\n\r\n";
    say_last(plain, sizeof plain - 1);
    expect_refused(413, 11, "POST /in HTTP/1.1", 17);
    ck_assert_uint_eq(rig.refused.length, strlen("body too long\n"));
    struct wire *w = wire_new();
    wire_send_in(w, old, sizeof old - 1, 5);
    expect_refused(413, 10, "HEAD http://a/in HTTP/1.0", 25);
    ck_assert_uint_eq(rig.refused.length, 0);
    ck_assert_uint_eq(rig_counter(H1_COUNT_refused_413), 2);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(what_had_an_exchange_is_not_told_twice)
{
    struct wire *w = wire_new();
    wire_send(w, POST "Transfer-Encoding: chunked\r\n\r\nx\r\n");
    struct req *r = req_expect("POST", "/in");
    req_take(r, 100);
    req_expect_ended(r, PX_PROTOCOL);
    w->out_len = 0;
    wire_expect_close(w);
    w = wire_new();
    wire_send(w, POST "Content-Length: 5\r\n\r\n");
    r = req_expect("POST", "/in");
    req_take(r, 100);
    rig_advance_us(PX_SEC(100));
    req_expect_ended(r, PX_TIMED_OUT);
    w->out_len = 0;
    wire_expect_close(w);
    ck_assert_uint_eq(rig.refused.n, 0);
    rig_finish();
}
END_TEST

START_TEST(a_refusal_is_told_when_its_turn_has_come)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 "BAD\r\n\r\n");
    struct req *r = req_expect("GET", "/");
    ck_assert_uint_eq(rig.refused.n, 0);
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    expect_refused(400, 0, "BAD", 3);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(a_refusal_that_is_never_sent_is_never_told)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 "BAD\r\n\r\n");
    struct req *r = req_expect("GET", "/");
    wire_end(w, PX_RESET);
    req_take(r, 0);
    req_expect_ended(r, PX_RESET);
    w = wire_new();
    wire_send(w, "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\nBAD\r\n\r\n");
    r = req_expect("GET", "/old");
    req_respond(r, .status = 200, .body = "until the end", .more = true);
    req_data(r, "", 0, true);
    req_expect_ended(r, PX_OK);
    w->out_len = 0;
    wire_expect_close(w);
    ck_assert_uint_eq(rig.refused.n, 0);
    rig_finish();
}
END_TEST

START_TEST(what_is_refused_while_nobody_is_there_is_told_to_nobody)
{
    px_service_kill(rig.kernel, rig.app);
    rig_run();
    say_last("BAD\r\n\r\n", 7);
    struct wire *w = wire_new();
    wire_send(w, GET11);
    w->out_len = 0;
    ck_assert_uint_eq(px_service_restart(rig.kernel, rig.app), PX_EOK);
    rig_run();
    ck_assert_uint_eq(rig.refused.n, 0);
    wire_send(w, "BAD\r\n\r\n");
    expect_refused(400, 0, "BAD", 3);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(a_refusal_that_waits_when_h1_is_killed_leaves_nothing)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 "BAD\r\n\r\n");
    (void)req_expect("GET", "/");
    px_service_kill(rig.kernel, rig.h1);
    rig_run();
    struct px_ledger ledger;
    px_service_ledger(rig.kernel, rig.h1, &ledger);
    ck_assert_uint_eq(ledger.holds, 0);
    ck_assert_uint_eq(rig.refused.n, 0);
    free(w->out);
    px_kernel_free(rig.kernel);
}
END_TEST

/* Whatever allocation fails: the connection ends, nothing is left. */
START_TEST(without_memory_it_is_told_once_or_not_at_all)
{
    for (uint64_t i = 1; i < 40; i++) {
        setup();
        struct wire *w = wire_new();
        rig.fail_in = i;
        wire_send(w, GET11 "BAD\r\n\r\n");
        rig.fail_in = 0;
        struct req *r = rig.n_order == 0 ? NULL : req_expect("GET", "/");
        if (r != NULL) {
            req_respond(r, .status = 200);
        }
        ck_assert_uint_le(rig.refused.n, 1);
        ck_assert(w->reset || w->close);
        w->out_len = 0;
        wire_end(w, PX_RESET);
        if (r != NULL) {
            req_free(r);
        }
        rig_finish();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1 refusals told");
    TCase *told = tcase_create("told");
    tcase_add_checked_fixture(told, setup, NULL);
    tcase_add_test(told, a_refusal_tells_status_line_address_listener_and_the_length_of_the_answer);
    tcase_add_test(told, a_line_may_hold_any_bytes_and_is_told_as_far_as_it_was_read);
    tcase_add_test(told, of_a_line_256_bytes_are_told_and_no_more);
    tcase_add_test(told, a_body_that_is_announced_too_long_tells_the_version_too);
    tcase_add_test(told, a_refusal_is_told_when_its_turn_has_come);
    suite_add_tcase(suite, told);
    TCase *not_told = tcase_create("not told");
    tcase_add_checked_fixture(not_told, setup, NULL);
    tcase_add_test(not_told, what_had_an_exchange_is_not_told_twice);
    tcase_add_test(not_told, a_refusal_that_is_never_sent_is_never_told);
    tcase_add_test(not_told, what_is_refused_while_nobody_is_there_is_told_to_nobody);
    tcase_add_test(not_told, a_refusal_that_waits_when_h1_is_killed_leaves_nothing);
    suite_add_tcase(suite, not_told);
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, without_memory_it_is_told_once_or_not_at_all);
    suite_add_tcase(suite, memory);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
