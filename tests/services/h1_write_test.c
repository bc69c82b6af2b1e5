/* h1_write_test.c - heads of responses, and dates. */
#include "h1_write.h"
#include "header_list.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct h1_scan *scan;
static uint8_t memory[2000];
static uint8_t list_memory[2000];
static struct px_bytes_out list;
static struct h1_response response;

static void setup(void)
{
    scan = h1_scan_pick();
    list = px_bytes_out_of(list_memory, sizeof list_memory);
    response = (struct h1_response){.status = 200, .minor = 1, .framing = H1_NO_BODY};
}

static void field(const char *name, const char *value)
{
    px_header_list_put(&list, px_span_of_str(name), px_span_of_str(value));
    ck_assert(!list.overflow);
}

/* The head with exactly as much room as was promised to be enough. */
static void expect_head(const char *text)
{
    response.fields = px_bytes_out_span(&list);
    struct px_bytes_out out = px_bytes_out_of(memory, h1_write_max(&response));
    ck_assert_int_eq(h1_write_response(&out, &response, scan), H1_WRITE_DONE);
    ck_assert_msg(px_span_equal_str(px_bytes_out_span(&out), text), "%.*s",
                  (int)px_bytes_out_len(&out), (const char *)memory);
}

static void expect_refused(void)
{
    response.fields = px_bytes_out_span(&list);
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    ck_assert_int_eq(h1_write_response(&out, &response, scan), H1_WRITE_BAD);
    ck_assert_uint_eq(px_bytes_out_len(&out), 0);
}

START_TEST(a_response_has_line_fields_framing_and_date)
{
    response.framing = H1_LENGTH;
    response.content_length = 13;
    response.date = px_span_of_str("Sun, 06 Nov 1994 08:49:37 GMT");
    response.server = px_span_of_str("plexus");
    field("content-type", "text/plain");
    field("X-Mixed", "");
    expect_head("HTTP/1.1 200 OK\r\n"
                "content-type: text/plain\r\n"
                "x-mixed: \r\n"
                "content-length: 13\r\n"
                "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                "server: plexus\r\n"
                "\r\n");
}
END_TEST

START_TEST(a_status_without_phrase_keeps_its_space)
{
    response.status = 299;
    expect_head("HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n");
    response.status = 999;
    expect_head("HTTP/1.1 999 \r\ncontent-length: 0\r\n\r\n");
    response.status = 511;
    expect_head("HTTP/1.1 511 Network Authentication Required\r\ncontent-length: 0\r\n\r\n");
}
END_TEST

START_TEST(a_status_beyond_three_digits_is_refused)
{
    response.status = 99;
    expect_refused();
    response.status = 1000;
    expect_refused();
    response.status = 0;
    expect_refused();
}
END_TEST

START_TEST(the_framing_given_is_the_framing_written)
{
    response.framing = H1_CHUNKED;
    expect_head("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    response.framing = H1_LENGTH;
    response.content_length = UINT64_MAX;
    expect_head("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n");
    response.framing = H1_UNTIL_CLOSE;
    response.close = true;
    expect_head("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
}
END_TEST

START_TEST(impossible_framings_are_refused)
{
    response.framing = H1_UNTIL_CLOSE;
    expect_refused();
    response.framing = H1_CHUNKED;
    response.minor = 0;
    expect_refused();
}
END_TEST

START_TEST(interim_and_bodiless_responses_have_no_framing)
{
    response.framing = H1_LENGTH;
    response.content_length = 5;
    response.date = px_span_of_str("Sun, 06 Nov 1994 08:49:37 GMT");
    response.status = 100;
    expect_head("HTTP/1.1 100 Continue\r\n\r\n");
    response.status = 103;
    response.framing = H1_CHUNKED;
    response.close = true;
    expect_head("HTTP/1.1 103 Early Hints\r\n\r\n");
    response.date = px_span_of(NULL, 0);
    response.status = 204;
    expect_head("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}
END_TEST

START_TEST(a_304_has_a_length_only_when_it_is_known)
{
    response.status = 304;
    expect_head("HTTP/1.1 304 Not Modified\r\n\r\n");
    response.framing = H1_CHUNKED;
    expect_head("HTTP/1.1 304 Not Modified\r\n\r\n");
    response.framing = H1_LENGTH;
    response.content_length = 7;
    expect_head("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n");
}
END_TEST

START_TEST(connection_is_said_where_the_version_does_not_say_it)
{
    expect_head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    response.minor = 0;
    expect_head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
    response.close = true;
    expect_head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    response.minor = 1;
    expect_head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}
END_TEST

START_TEST(a_switch_of_protocols_says_upgrade)
{
    response.status = 101;
    field("upgrade", "websocket");
    field("connection", "upgrade");
    field("sec-websocket-accept", "x");
    expect_head("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                "sec-websocket-accept: x\r\nconnection: upgrade\r\n\r\n");
}
END_TEST

START_TEST(what_belongs_to_the_connection_is_dropped)
{
    field("a", "1");
    field("connection", "close, b");
    field("Keep-Alive", "timeout=5");
    field("proxy-connection", "x");
    field("TRANSFER-ENCODING", "chunked");
    field("content-length", "99");
    field("upgrade", "h2c");
    field("te", "trailers");
    field("proxy-authenticate", "Basic");
    field("c", "3");
    expect_head("HTTP/1.1 200 OK\r\na: 1\r\nproxy-authenticate: Basic\r\nc: 3\r\n"
                "content-length: 0\r\n\r\n");
}
END_TEST

START_TEST(the_applications_date_and_server_win)
{
    response.date = px_span_of_str("Sun, 06 Nov 1994 08:49:37 GMT");
    response.server = px_span_of_str("plexus");
    field("date", "x");
    field("Server", "y");
    expect_head("HTTP/1.1 200 OK\r\ndate: x\r\nserver: y\r\ncontent-length: 0\r\n\r\n");
}
END_TEST

START_TEST(every_control_byte_in_a_value_is_refused)
{
    for (int byte = 0; byte <= 0x7f; byte++) {
        char value[] = "a?b";
        value[1] = (char)byte;
        setup();
        px_header_list_put(&list, px_span_of_str("x"), px_span_of(value, 3));
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            expect_refused();
        } else {
            response.fields = px_bytes_out_span(&list);
            struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
            ck_assert_int_eq(h1_write_response(&out, &response, scan), H1_WRITE_DONE);
        }
    }
}
END_TEST

START_TEST(a_response_cannot_be_split)
{
    field("location", "/\r\nset-cookie: a=b");
    expect_refused();
    setup();
    field("location", "/\r\n\r\nHTTP/1.1 200 OK\r\n");
    expect_refused();
    setup();
    field("x\r\ny", "z");
    expect_refused();
    setup();
    field("connection", "a\r\nb"); /* bad even where it would be dropped */
    expect_refused();
    setup();
    response.server = px_span_of_str("a\r\nb: c");
    expect_refused();
}
END_TEST

START_TEST(names_that_are_no_tokens_are_refused)
{
    static const char *const names[] = {" ",    "a b",      "a:",    ":status",
                                        "a\tb", "\xc3\xa9", "a\x7f", "(x)"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setup();
        field(names[i], "x");
        expect_refused();
    }
}
END_TEST

START_TEST(a_malformed_list_is_refused)
{
    (void)px_bytes_out_reserve(&list, 1);
    list_memory[0] = 0x0a;
    expect_refused();
    setup();
    field("a", "b");
    list.ptr--;
    expect_refused();
}
END_TEST

START_TEST(a_date_of_another_length_is_refused)
{
    response.date = px_span_of_str("Sun, 6 Nov 1994 08:49:37 GMT");
    expect_refused();
}
END_TEST

START_TEST(without_the_promised_room_nothing_is_written)
{
    field("a", "b");
    response.fields = px_bytes_out_span(&list);
    struct px_bytes_out out = px_bytes_out_of(memory, h1_write_max(&response) - 1);
    ck_assert_int_eq(h1_write_response(&out, &response, scan), H1_WRITE_FULL);
    ck_assert_uint_eq(px_bytes_out_len(&out), 0);
    ck_assert(!out.overflow);
}
END_TEST

START_TEST(the_promised_room_is_enough_for_the_longest_head)
{
    response.status = 511;
    response.framing = H1_LENGTH;
    response.content_length = UINT64_MAX;
    response.minor = 0;
    response.date = px_span_of_str("Sun, 06 Nov 1994 08:49:37 GMT");
    response.server = px_span_of_str("s");
    for (int i = 0; i < 30; i++) {
        field("n", ""); /* grows least in the list */
    }
    response.fields = px_bytes_out_span(&list);
    struct px_bytes_out out = px_bytes_out_of(memory, h1_write_max(&response));
    ck_assert_int_eq(h1_write_response(&out, &response, scan), H1_WRITE_DONE);
}
END_TEST

START_TEST(a_head_is_appended_to_what_is_there)
{
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    px_bytes_put_str(&out, "x");
    ck_assert_int_eq(h1_write_response(&out, &response, scan), H1_WRITE_DONE);
    ck_assert(px_span_equal_str(px_bytes_out_span(&out),
                                "xHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
}
END_TEST

/* ---- dates ---- */

static void expect_date(uint64_t wall_s, const char *text)
{
    uint8_t date[H1_DATE_LEN];
    h1_date_format(wall_s, date);
    ck_assert_msg(memcmp(date, text, H1_DATE_LEN) == 0, "%.*s", H1_DATE_LEN, (const char *)date);
}

START_TEST(dates_are_those_of_the_calendar)
{
    expect_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    expect_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_date(951782399, "Mon, 28 Feb 2000 23:59:59 GMT");
    expect_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    expect_date(951868800, "Wed, 01 Mar 2000 00:00:00 GMT");
    expect_date(1709164800, "Thu, 29 Feb 2024 00:00:00 GMT");
    expect_date(1735689599, "Tue, 31 Dec 2024 23:59:59 GMT");
    expect_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
    expect_date(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
    expect_date(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
}
END_TEST

START_TEST(dates_end_with_the_year_9999)
{
    expect_date(253402300800, "Fri, 31 Dec 9999 23:59:59 GMT");
    expect_date(UINT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}
END_TEST

/* The next day, counted the plain way. */
static void day_next(unsigned *year, unsigned *month, unsigned *day)
{
    static const unsigned lens[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (*year % 4 == 0 && *year % 100 != 0) || *year % 400 == 0;
    unsigned len = lens[*month - 1] + (*month == 2 && leap ? 1 : 0);
    if (++*day > len) {
        *day = 1;
        if (++*month > 12) {
            *month = 1;
            ++*year;
        }
    }
}

START_TEST(every_day_of_a_thousand_years_follows_the_one_before)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    unsigned year = 1970;
    unsigned month = 1;
    unsigned day = 1;
    for (uint64_t days = 0; days < 365243; days++) {
        char text[64];
        uint8_t date[H1_DATE_LEN];
        snprintf(text, sizeof text, "%02u %.3s %04u 00:00:00 GMT", day, months + (month - 1) * 3,
                 year);
        h1_date_format(days * 86400, date);
        if (memcmp(date + 5, text, H1_DATE_LEN - 5) != 0) {
            ck_abort_msg("%s", text);
        }
        day_next(&year, &month, &day);
    }
}
END_TEST

static TCase *head_tests(void)
{
    TCase *tcase = tcase_create("heads");
    tcase_add_test(tcase, a_response_has_line_fields_framing_and_date);
    tcase_add_test(tcase, a_status_without_phrase_keeps_its_space);
    tcase_add_test(tcase, a_status_beyond_three_digits_is_refused);
    tcase_add_test(tcase, the_framing_given_is_the_framing_written);
    tcase_add_test(tcase, impossible_framings_are_refused);
    tcase_add_test(tcase, interim_and_bodiless_responses_have_no_framing);
    tcase_add_test(tcase, a_304_has_a_length_only_when_it_is_known);
    tcase_add_test(tcase, connection_is_said_where_the_version_does_not_say_it);
    tcase_add_test(tcase, a_switch_of_protocols_says_upgrade);
    tcase_add_test(tcase, what_belongs_to_the_connection_is_dropped);
    tcase_add_test(tcase, the_applications_date_and_server_win);
    tcase_add_test(tcase, every_control_byte_in_a_value_is_refused);
    tcase_add_test(tcase, a_response_cannot_be_split);
    tcase_add_test(tcase, names_that_are_no_tokens_are_refused);
    tcase_add_test(tcase, a_malformed_list_is_refused);
    tcase_add_test(tcase, a_date_of_another_length_is_refused);
    tcase_add_test(tcase, without_the_promised_room_nothing_is_written);
    tcase_add_test(tcase, the_promised_room_is_enough_for_the_longest_head);
    tcase_add_test(tcase, a_head_is_appended_to_what_is_there);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *dates = tcase_create("dates");
    tcase_add_test(dates, dates_are_those_of_the_calendar);
    tcase_add_test(dates, dates_end_with_the_year_9999);
    tcase_add_test(dates, every_day_of_a_thousand_years_follows_the_one_before);
    TCase *heads = head_tests();
    tcase_add_checked_fixture(heads, setup, NULL);
    suite_add_tcase(suite, heads);
    suite_add_tcase(suite, dates);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
