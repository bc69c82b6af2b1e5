/* log_test.c - one record for each exchange that has ended. */
#include "ask_rig.h"

static struct heard {
    uint32_t n;
    struct px_log_record last; /* its texts are below */
    char remote[64], method[64], target[64], host[64], referer[64], agent[64], user[64];
    uint64_t id;
} heard;

static struct px_request kept;

static void keep(char *ret, struct px_text text, size_t size)
{
    ck_assert_uint_lt(text.len, size);
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
}

static void on_record(const struct px_log_record *record, void *arg)
{
    ck_assert_ptr_eq(arg, &heard);
    heard.n++;
    heard.last = *record;
    keep(heard.remote, record->remote, sizeof heard.remote);
    keep(heard.method, record->method, sizeof heard.method);
    keep(heard.target, record->target, sizeof heard.target);
    keep(heard.host, record->host, sizeof heard.host);
    keep(heard.referer, record->referer, sizeof heard.referer);
    keep(heard.agent, record->agent, sizeof heard.agent);
    keep(heard.user, record->user, sizeof heard.user);
}

static void on_now(struct px_request request, void *arg)
{
    (void)arg;
    heard.id = px_request_id(request);
    px_request_reply_text(request, 200, "now");
}

static void on_later(struct px_request request, void *arg)
{
    (void)arg;
    kept = request;
}

static void on_time(struct px_timer *timer, void *arg)
{
    struct px_reply reply = {.status = 206};
    (void)timer, (void)arg;
    ck_assert_int_eq(px_request_begin(kept, &reply), PX_EOK);
}

static void setup(void)
{
    heard = (struct heard){.n = 0};
    rig_start(&rig);
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/now", on_now, NULL), PX_EOK);
    ck_assert_int_eq(px_server_route(&rig.server, "*", "/later", on_later, NULL), PX_EOK);
    px_server_log(&rig.server, on_record, &heard);
}

static void teardown(void)
{
    rig_end(&rig);
}

START_TEST(a_record_tells_the_whole_exchange)
{
    int64_t wall_us = px_wall_us(h1());
    ask(.path = "/later?q=%41", .method = "POST", .host = "a.example:8080", .version = 10,
        .fields = {"Referer", "http://b.example/", "User-Agent", "curl/8", "X-Other", "x"},
        .remote = {192, 0, 2, 1, 0x30, 0x39}, .remote_len = 6);
    px_handle to = expect_handle(0);
    struct px_timer timer = {.system = NULL};
    ck_assert_int_eq(px_timer_set(rig.system, &timer, 1500, on_time, NULL), PX_EOK);
    sim_advance_us(rig.sim, 1500);
    expect_answer(206);
    say_credit(to, 10000);
    ck_assert_int_eq(px_request_send(kept, "0123456789", 10), PX_SENT_OK);
    ck_assert_int_eq(px_request_send(kept, "abc", 3), PX_SENT_OK);
    ck_assert_int_eq(px_request_finish(kept, NULL, 0), PX_EOK);
    sim_advance_us(rig.sim, 2000);
    px_test_forget(rig.world, "h1");
    ck_assert_uint_eq(heard.n, 0);
    say_ended(to, PX_OK);
    ck_assert_uint_eq(heard.n, 1);
    ck_assert_str_eq(heard.remote, "192.0.2.1");
    ck_assert_uint_eq(heard.last.remote_port, 12345);
    ck_assert_str_eq(heard.method, "POST");
    ck_assert_str_eq(heard.target, "/later?q=%41");
    ck_assert_str_eq(heard.host, "a.example:8080");
    ck_assert_str_eq(heard.referer, "http://b.example/");
    ck_assert_str_eq(heard.agent, "curl/8");
    ck_assert_str_eq(heard.user, "");
    ck_assert_uint_eq(heard.last.version, 10);
    ck_assert_uint_eq(heard.last.status, 206);
    ck_assert_uint_eq(heard.last.body_len, 13);
    ck_assert_int_eq(heard.last.ended, PX_OK);
    ck_assert_int_eq(heard.last.start_wall_us, wall_us);
    ck_assert_uint_eq(heard.last.first_byte_us, 1500);
    ck_assert_uint_eq(heard.last.end_us, 3500);
    ck_assert_uint_eq(heard.last.id, 1);
}
END_TEST

START_TEST(an_answer_at_once_is_told_when_it_has_ended)
{
    ask(.path = "/now");
    struct answer answer = expect_answer(200);
    ck_assert_uint_eq(heard.n, 0);
    say_ended(answer.to, PX_RESET);
    ck_assert_uint_eq(heard.n, 1);
    ck_assert_uint_eq(heard.last.body_len, 3);
    ck_assert_int_eq(heard.last.ended, PX_RESET);
    ck_assert_str_eq(heard.remote, "unix");
    ck_assert_uint_eq(heard.last.remote_port, 0);
    ck_assert_str_eq(heard.agent, "");
    ck_assert_uint_eq(heard.id, heard.last.id);
}
END_TEST

START_TEST(what_the_library_answers_is_told_too)
{
    ask_whole(404, .path = "/none");
    ck_assert_uint_eq(heard.last.status, 404);
    ask_whole(405, .path = "/now", .method = "PUT");
    ck_assert_uint_eq(heard.last.status, 405);
    ask_whole(400, .path = "/%zz");
    ck_assert_uint_eq(heard.last.status, 400);
    ck_assert_str_eq(heard.target, "/%zz");
    ck_assert_uint_eq(heard.n, 3);
    ck_assert_uint_eq(heard.last.id, 3);
}
END_TEST

START_TEST(a_client_that_leaves_before_an_answer_leaves_status_0)
{
    ask(.path = "/later", .remote = {0x20, 1, 0xd, 0xb8, [15] = 1, [17] = 80}, .remote_len = 18);
    say_ended(expect_handle(0), PX_RESET);
    ck_assert_uint_eq(heard.last.status, 0);
    ck_assert_int_eq(heard.last.ended, PX_RESET);
    ck_assert(heard.last.first_byte_us == PX_NEVER);
    ck_assert_str_eq(heard.remote, "2001:db8::1");
    ck_assert_uint_eq(heard.last.remote_port, 80);
}
END_TEST

START_TEST(an_answer_of_the_engine_in_the_middle_of_a_body_is_told)
{
    ask(.path = "/later");
    px_handle to = expect_handle(0);
    sim_advance_us(rig.sim, 1500);
    say_ended_by_engine(to, PX_TIMED_OUT, 408, 25);
    ck_assert_uint_eq(heard.last.status, 408);
    ck_assert_int_eq(heard.last.ended, PX_TIMED_OUT);
    ck_assert_uint_eq(heard.last.body_len, 25);
    ck_assert_uint_eq(heard.last.first_byte_us, 1500);
    ck_assert_uint_eq(heard.last.end_us, 1500);
}
END_TEST

START_TEST(requests_refused_for_want_of_room_are_told)
{
    px_handle to[4];
    for (uint64_t i = 0; i < 4; i++) {
        ask(.path = "/later", .requester = 100 + i);
        to[i] = ((const Http__ExchangeCredit *)sim_expect(rig.world, "h1", REQUESTER_CREDIT)->body)
                    ->responder;
    }
    ask(.path = "/now");
    expect_answer(503);
    ck_assert_uint_eq(heard.n, 1);
    ck_assert_uint_eq(heard.last.status, 503);
    ck_assert_int_eq(heard.last.ended, PX_BUSY);
    ck_assert_str_eq(heard.target, "/now");
    for (int i = 0; i < 4; i++) {
        say_ended(to[i], PX_RESET);
    }
    ck_assert_uint_eq(heard.n, 5);
}
END_TEST

/* An engine has answered by itself. */
static void refuse(uint32_t status, uint32_t version, const char *line, size_t len)
{
    Http__RefusedRequest *m = px_msg_new_sized(h1(), &http__refused_request__descriptor, 512);
    static const uint8_t remote[6] = {192, 0, 2, 1, 0x30, 0x39};
    m->status = status;
    m->version = version;
    m->length = 9;
    px_msg_put(m, &m->line, line, len);
    px_msg_put(m, &m->remote, remote, sizeof remote);
    px_send(h1(), rig.app, RESPONDER_REFUSED, m, 0);
    sim_settle(rig.sim);
}

START_TEST(what_the_engine_refused_is_told_as_far_as_it_is_known)
{
    int64_t wall_us = px_wall_us(h1());
    refuse(413, 11, "POST /in?a HTTP/1.1", 19);
    ck_assert_uint_eq(heard.n, 1);
    ck_assert_uint_eq(heard.last.id, 1);
    ck_assert_str_eq(heard.remote, "192.0.2.1");
    ck_assert_uint_eq(heard.last.remote_port, 12345);
    ck_assert_str_eq(heard.method, "POST");
    ck_assert_str_eq(heard.target, "/in?a");
    ck_assert_uint_eq(heard.last.version, 11);
    ck_assert_uint_eq(heard.last.status, 413);
    ck_assert_int_eq(heard.last.ended, PX_TOO_LARGE);
    ck_assert_uint_eq(heard.last.body_len, 9);
    ck_assert_int_eq(heard.last.start_wall_us, wall_us);
    ck_assert_uint_eq(heard.last.first_byte_us, 0);
    ck_assert_uint_eq(heard.last.end_us, 0);
    ck_assert(heard.host[0] == '\0' && heard.user[0] == '\0' && heard.referer[0] == '\0' &&
              heard.agent[0] == '\0');
    ask_whole(404, .path = "/none");
    ck_assert_uint_eq(heard.last.id, 2);
    refuse(408, 0, "", 0);
    ck_assert_uint_eq(heard.n, 3);
    ck_assert_int_eq(heard.last.ended, PX_TIMED_OUT);
    ck_assert_str_eq(heard.method, "");
    ck_assert_str_eq(heard.target, "");
    px_server_log(&rig.server, NULL, NULL);
    refuse(400, 0, "BAD", 3);
    ck_assert_uint_eq(heard.n, 3);
}
END_TEST

START_TEST(a_refused_line_is_read_as_far_as_it_makes_sense)
{
    static const struct {
        const char *line, *method, *target;
        uint32_t version;
    } lines[] = {
        {"GET / HTTP/1.1", "GET", "/", 11},
        {"GET / HTTP/9.3", "GET", "/", 93},
        {"GET /a b HTTP/1.0", "GET", "/a b", 10},
        {"GET / HTTP/1.1 ", "GET", "/ HTTP/1.1 ", 0},
        {"GET / http/1.1", "GET", "/ http/1.1", 0},
        {"GET HTTP/1.1", "GET", "", 11},
        {"GET /begin", "GET", "/begin", 0},
        {"GET ", "GET", "", 0},
        {"BAD", "BAD", "", 0},
        {" GET / HTTP/1.1", "", " GET / HTTP/1.1", 0},
        {" HTTP/1.1", "", " HTTP/1.1", 0},
        {"G@T / HTTP/1.1", "", "G@T / HTTP/1.1", 0},
        {"\x16\x03\x01", "", "\x16\x03\x01", 0},
        {"TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT /", "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT", "/", 0},
        {"TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT /", "", "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT /", 0},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        refuse(400, 0, lines[i].line, strlen(lines[i].line));
        ck_assert_str_eq(heard.method, lines[i].method);
        ck_assert_str_eq(heard.target, lines[i].target);
        ck_assert_uint_eq(heard.last.version, lines[i].version);
        ck_assert_int_eq(heard.last.ended, PX_BAD_REQUEST);
    }
    refuse(400, 0, "G\0T / HTTP/1.1", 14);
    ck_assert_uint_eq(heard.last.method.len, 0);
    ck_assert_uint_eq(heard.last.target.len, 14);
}
END_TEST

START_TEST(a_request_that_began_before_the_log_is_not_told)
{
    px_server_log(&rig.server, NULL, NULL);
    ask(.path = "/later");
    px_handle to = expect_handle(0);
    ck_assert_uint_eq(px_request_id(kept), 0);
    px_server_log(&rig.server, on_record, &heard);
    say_ended(to, PX_RESET);
    ck_assert_uint_eq(heard.n, 0);
    ask(.path = "/later");
    to = expect_handle(0);
    px_server_log(&rig.server, NULL, NULL);
    say_ended(to, PX_RESET);
    ck_assert_uint_eq(heard.n, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, setup, teardown);
    tcase_add_test(records, a_record_tells_the_whole_exchange);
    tcase_add_test(records, an_answer_at_once_is_told_when_it_has_ended);
    tcase_add_test(records, what_the_library_answers_is_told_too);
    tcase_add_test(records, a_client_that_leaves_before_an_answer_leaves_status_0);
    tcase_add_test(records, an_answer_of_the_engine_in_the_middle_of_a_body_is_told);
    tcase_add_test(records, requests_refused_for_want_of_room_are_told);
    tcase_add_test(records, what_the_engine_refused_is_told_as_far_as_it_is_known);
    tcase_add_test(records, a_refused_line_is_read_as_far_as_it_makes_sense);
    tcase_add_test(records, a_request_that_began_before_the_log_is_not_told);
    suite_add_tcase(suite, records);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
