/* h1_upgrade_test.c - Upgrade by hand-over: when, in what order, with what, and every way it can
 * fail. */
#include <check.h>

#include "h1_act.h"

#define H "Host: a\r\n"
#define GET11 "GET / HTTP/1.1\r\n" H "\r\n"
#define UPGRADE                                                                                    \
    "GET /chat HTTP/1.1\r\n" H                                                                     \
    "X-Key: abc\r\nConnection: keep-alive, Upgrade\r\nUpgrade: other, Toy\r\n\r\n"
#define OK_0 "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" RIG_DATE "\r\n"

static void setup(void)
{
    rig_prepare();
    rig_upgrades();
    rig_start();
}

static void rebound(struct wire *w, uint32_t credit)
{
    ck_assert(w->rebind != NULL);
    const Stream__RebindStream *ask = w->rebind->body;
    ck_assert(ask->mailbox.len == 3 && memcmp(ask->mailbox.data, "toy", 3) == 0);
    Stream__Rebound *m = px_msg_new(net_env(), &stream__rebound__descriptor);
    m->credit = credit;
    px_reply(net_env(), w->rebind, PX_OK, m);
    px_msg_release(w->rebind);
    w->rebind = NULL;
    rig_run();
}

static void not_rebound(struct wire *w, enum px_status status)
{
    ck_assert(w->rebind != NULL);
    px_reply_status(net_env(), w->rebind, status);
    px_msg_release(w->rebind);
    w->rebind = NULL;
    rig_run();
}

/* The stream is the toy's now: h1 hears nothing more of it. */
static void adopted(struct wire *w, const char *leftover)
{
    ck_assert_uint_eq(rig.adoption.n, 1);
    ck_assert_uint_eq(rig.adoption.m.lower, w->lower);
    ck_assert_uint_eq(rig.adoption.m.credit, 1234);
    ck_assert_uint_eq(rig.adoption.m.listener, 7);
    ck_assert_uint_eq(rig.adoption.m.remote.len, 6);
    ck_assert_uint_eq(rig.adoption.m.local.len, 6);
    ck_assert(rig.adoption.m.file_ranges);
    ck_assert_str_eq(rig.adoption.provider, "net");
    ck_assert_str_eq(rig.adoption.protocol, "toy");
    ck_assert_uint_eq(rig.adoption.payload_len, strlen(leftover));
    ck_assert(memcmp(rig.adoption.payload, leftover, strlen(leftover)) == 0);
    Http__Head *head = http__head__unpack(NULL, rig.adoption.head_len, rig.adoption.head);
    ck_assert_ptr_nonnull(head);
    ck_assert(head->method.len == 3 && memcmp(head->method.data, "GET", 3) == 0);
    ck_assert(head->scheme.len == 4 && memcmp(head->scheme.data, "http", 4) == 0);
    ck_assert(head->authority.len == 1 && head->authority.data[0] == 'a');
    ck_assert(head->path.len == 5 && memcmp(head->path.data, "/chat", 5) == 0);
    char fields[200];
    copy_fields(fields, sizeof fields, head->fields);
    ck_assert_str_eq(fields, "x-key: abc\n");
    http__head__free_unpacked(head, NULL);
    w->claimed = false;
    wire_end(w, PX_OK);
}

START_TEST(an_upgrade_hands_the_stream_the_request_and_the_bytes_behind_it_over)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE "toy bytes");
    ck_assert_uint_eq(rig.n_order, 0);
    wire_expect(w, ""); /* the new owner answers 101 */
    rebound(w, 1234);
    adopted(w, "toy bytes");
    ck_assert_uint_eq(rig_counter(H1_COUNT_upgrades), 1);
    rig_finish();
}
END_TEST

START_TEST(an_upgrade_may_come_in_any_pieces)
{
    static const char text[] = UPGRADE "toy bytes";
    for (size_t step = 1; step < sizeof text; step++) {
        struct wire *w = wire_new();
        rig.adoption.n = 0;
        wire_send_in(w, text, sizeof text - 1, step);
        rebound(w, 1234);
        adopted(w, "toy bytes");
    }
    rig_finish();
}
END_TEST

START_TEST(bytes_that_come_while_the_provider_lets_go_are_handed_over_too)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    for (int i = 0; i < 20; i++) { /* more pieces than a message has slices */
        wire_send(w, "0123456789");
    }
    char want[201];
    for (int i = 0; i < 20; i++) {
        memcpy(want + (size_t)i * 10, "0123456789", 11);
    }
    rebound(w, 1234);
    adopted(w, want);
    rig_finish();
}
END_TEST

START_TEST(sixty_four_kilobytes_behind_an_upgrade_arrive_whole)
{
    static char text[H1_WINDOW + 1];
    size_t n = (size_t)sprintf(text, UPGRADE);
    for (size_t i = n; i < H1_WINDOW; i++) {
        text[i] = (char)('a' + i % 23);
    }
    struct wire *w = wire_new();
    ck_assert_uint_eq(wire_send_in(w, text, H1_WINDOW, 1024), H1_WINDOW);
    rebound(w, 1234);
    adopted(w, text + n);
    rig_finish();
}
END_TEST

START_TEST(requests_before_an_upgrade_are_answered_first)
{
    struct wire *w = wire_new();
    wire_send(w, GET11 GET11 UPGRADE "rest");
    struct req *a = req_expect("GET", "/");
    struct req *b = req_expect("GET", "/");
    ck_assert_uint_eq(rig.n_order, 0);
    req_respond(a, .status = 200);
    ck_assert(w->rebind == NULL);
    req_respond(b, .status = 200);
    wire_expect(w, OK_0 OK_0);
    ck_assert(!w->at_rest);
    req_expect_ended(a, PX_OK);
    req_expect_ended(b, PX_OK);
    rebound(w, 1234);
    adopted(w, "rest");
    rig_finish();
}
END_TEST

START_TEST(answers_before_an_upgrade_are_sent_in_full_first)
{
    static char body[16384];
    struct wire *w = wire_new();
    w->mute = true;
    wire_send(w, GET11 UPGRADE);
    struct req *r = req_expect("GET", "/");
    req_respond(r, .status = 200, .more = true);
    while (r->credit >= 16384) {
        req_data(r, body, 16384, false);
    }
    req_trailers(r, "");
    req_expect_ended(r, PX_OK);
    ck_assert(w->rebind == NULL);
    wire_credit(w, RIG_SEND_CREDIT);
    w->out_unacked = 0;
    rig_run();
    w->mute = false;
    rebound(w, 1234);
    adopted(w, "");
    rig_finish();
}
END_TEST

START_TEST(what_is_not_an_upgrade_goes_to_the_application)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n" H "Upgrade: toy\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: toys\r\n\r\n",
        "GET / HTTP/1.0\r\n" H "Connection: upgrade, keep-alive\r\nUpgrade: toy\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: toy\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: toy\r\nContent-Length: 1\r\n\r\nx",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct wire *w = wire_new();
        wire_send(w, requests[i]);
        ck_assert_uint_eq(rig.n_order, 1);
        struct req *r = req_expect(rig.order[0]->method, "/");
        ck_assert(strstr(r->fields, "upgrade") == NULL);
        req_respond(r, .status = 200);
        req_expect_ended(r, PX_OK);
        wire_end(w, PX_RESET);
    }
    rig_finish();
}
END_TEST

START_TEST(without_its_mailbox_an_upgrade_is_an_ordinary_request)
{
    px_service_kill(rig.kernel, rig.toy_addr);
    rig_run();
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    struct req *r = req_expect("GET", "/chat");
    req_respond(r, .status = 200);
    req_expect_ended(r, PX_OK);
    wire_end(w, PX_RESET);
    rig_finish();
}
END_TEST

START_TEST(a_refused_hand_over_is_answered_503)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE "toy bytes");
    not_rebound(w, PX_DENIED);
    ck_assert(memcmp(w->out, "HTTP/1.1 503 ", 13) == 0);
    ck_assert_uint_eq(rig.refused.n, 1);
    ck_assert_uint_eq(rig.refused.status, 503);
    ck_assert_uint_eq(rig.refused.version, 11);
    ck_assert_uint_eq(rig.refused.line_len, strlen("GET /chat HTTP/1.1"));
    ck_assert_mem_eq(rig.refused.line, "GET /chat HTTP/1.1", rig.refused.line_len);
    w->out_len = 0;
    wire_expect_close(w);
    rig_finish();
}
END_TEST

START_TEST(a_failed_hand_over_resets)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    not_rebound(w, PX_INTERNAL);
    wire_expect_reset(w);
    rig_finish();
}
END_TEST

START_TEST(a_stream_that_ends_during_the_hand_over_is_forgotten)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    ck_assert(w->rebind != NULL);
    wire_end(w, PX_RESET);
    ck_assert_uint_eq(rig.adoption.n, 0);
    rig_finish();
}
END_TEST

START_TEST(a_client_that_leaves_during_the_hand_over_ends_the_stream)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    wire_fin(w);
    wire_expect_open(w);
    rebound(w, 1234);
    ck_assert_uint_eq(rig.adoption.n, 0);
    ck_assert(w->reset);
    w->claimed = false;
    wire_end(w, PX_OK);
    rig_finish();
}
END_TEST

START_TEST(a_new_owner_that_dies_meanwhile_ends_the_stream)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    px_service_kill(rig.kernel, rig.toy_addr);
    rig_run();
    rebound(w, 1234);
    ck_assert(w->reset);
    w->claimed = false;
    wire_end(w, PX_OK);
    rig_finish();
}
END_TEST

START_TEST(a_provider_that_dies_during_the_hand_over_takes_the_connection_along)
{
    struct wire *w = wire_new();
    wire_send(w, UPGRADE);
    ck_assert(w->rebind != NULL);
    free(w->out);
    px_service_kill(rig.kernel, rig.net);
    rig_run();
    rig_finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h1 upgrade");
    TCase *handover = tcase_create("hand-over");
    tcase_add_checked_fixture(handover, setup, NULL);
    tcase_add_test(handover, an_upgrade_hands_the_stream_the_request_and_the_bytes_behind_it_over);
    tcase_add_test(handover, an_upgrade_may_come_in_any_pieces);
    tcase_add_test(handover, bytes_that_come_while_the_provider_lets_go_are_handed_over_too);
    tcase_add_test(handover, sixty_four_kilobytes_behind_an_upgrade_arrive_whole);
    tcase_add_test(handover, requests_before_an_upgrade_are_answered_first);
    tcase_add_test(handover, answers_before_an_upgrade_are_sent_in_full_first);
    tcase_add_test(handover, what_is_not_an_upgrade_goes_to_the_application);
    tcase_add_test(handover, without_its_mailbox_an_upgrade_is_an_ordinary_request);
    suite_add_tcase(suite, handover);
    TCase *failures = tcase_create("failures");
    tcase_add_checked_fixture(failures, setup, NULL);
    tcase_add_test(failures, a_refused_hand_over_is_answered_503);
    tcase_add_test(failures, a_failed_hand_over_resets);
    tcase_add_test(failures, a_stream_that_ends_during_the_hand_over_is_forgotten);
    tcase_add_test(failures, a_client_that_leaves_during_the_hand_over_ends_the_stream);
    tcase_add_test(failures, a_new_owner_that_dies_meanwhile_ends_the_stream);
    tcase_add_test(failures, a_provider_that_dies_during_the_hand_over_takes_the_connection_along);
    suite_add_tcase(suite, failures);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
