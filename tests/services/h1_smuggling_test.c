/* h1_smuggling_test.c - heads that two readers could understand differently, each with the status
 * it gets. Chunks that do so are in h1_chunk_test.c. */
#include "h1_judge.h"

#define POST_WITH(lines) "POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n"

START_TEST(cl_te_is_400)
{
    BAD(POST_WITH("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"), 400);
}
END_TEST

START_TEST(te_cl_is_400)
{
    BAD(POST_WITH("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n"), 400);
}
END_TEST

START_TEST(te_te_is_400)
{
    BAD(POST_WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked\r\ntransfer-encoding: x\r\n"), 400);
}
END_TEST

START_TEST(a_space_before_the_colon_is_400)
{
    BAD(POST_WITH("Transfer-Encoding : chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding\t: chunked\r\n"), 400);
    BAD(POST_WITH("Content-Length : 5\r\n"), 400);
    BAD(POST_WITH("X : 5\r\n"), 400);
}
END_TEST

START_TEST(odd_white_space_around_chunked_is_400)
{
    BAD(POST_WITH("Transfer-Encoding:\tchunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding:  chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked \r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked\t\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: \tchunked\r\n"), 400);
}
END_TEST

START_TEST(vertical_tabs_and_other_control_bytes_around_chunked_are_400)
{
    BAD(POST_WITH("Transfer-Encoding: \x0b"
                  "chunked\r\n"),
        400);
    BAD(POST_WITH("Transfer-Encoding: chunked\x0b\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked\x0c\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: \x00"
                  "chunked\r\n"),
        400);
    BAD(POST_WITH("Transfer-Encoding: chunked\x00\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding\x00: chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding\x0b: chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked\x7f\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked\xa0\r\n"), 400);
    BAD(POST_WITH("\x0bTransfer-Encoding: chunked\r\n"), 400);
}
END_TEST

START_TEST(codings_that_look_like_chunked_are_400)
{
    BAD(POST_WITH("Transfer-Encoding: xchunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunkedx\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunke\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: \"chunked\"\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked;q=1\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: identity\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: gzip\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding:\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: cow\r\n"), 400);
}
END_TEST

START_TEST(lists_with_chunked_are_400_or_501)
{
    BAD(POST_WITH("Transfer-Encoding: chunked, chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked, identity\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked,\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: chunked ,\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: ,chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: gzip,,chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: gzip, chunked, chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: gzip, chunked\r\n"), 501);
    BAD(POST_WITH("Transfer-Encoding: identity, chunked\r\n"), 501);
}
END_TEST

START_TEST(the_case_of_chunked_does_not_matter)
{
    GOOD(POST_WITH("TRANSFER-ENCODING: cHuNkEd\r\n"));
    ck_assert_int_eq(head.framing, H1_CHUNKED);
}
END_TEST

START_TEST(a_folded_coding_is_400)
{
    BAD(POST_WITH("Transfer-Encoding:\r\n chunked\r\n"), 400);
    BAD(POST_WITH("Transfer-Encoding: x,\r\n\tchunked\r\n"), 400);
    BAD(POST_WITH("X: y\r\n Transfer-Encoding: chunked\r\n"), 400);
}
END_TEST

START_TEST(a_coding_in_http_1_0_is_400)
{
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    BAD("POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}
END_TEST

START_TEST(cl_cl_is_400_even_if_both_are_equal)
{
    BAD(POST_WITH("Content-Length: 5\r\nContent-Length: 6\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5, 5\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5,6\r\n"), 400);
}
END_TEST

START_TEST(a_length_that_is_not_plain_digits_is_400)
{
    BAD(POST_WITH("Content-Length: +5\r\n"), 400);
    BAD(POST_WITH("Content-Length: -5\r\n"), 400);
    BAD(POST_WITH("Content-Length: 0x5\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5 6\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5_0\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5.0\r\n"), 400);
    BAD(POST_WITH("Content-Length: 5;\r\n"), 400);
    BAD(POST_WITH("Content-Length: \"5\"\r\n"), 400);
    BAD(POST_WITH("Content-Length:\r\n"), 400);
    BAD(POST_WITH("Content-Length: \xb2\r\n"), 400);
    BAD(POST_WITH("Content-Length: chunked\r\n"), 400);
}
END_TEST

START_TEST(a_length_of_20_digits_is_400)
{
    BAD(POST_WITH("Content-Length: 18446744073709551616\r\n"), 400);
    BAD(POST_WITH("Content-Length: 00000000000000000005\r\n"), 400);
    BAD(POST_WITH("Content-Length: 99999999999999999999\r\n"), 400);
}
END_TEST

START_TEST(a_length_counts_on_methods_that_seldom_have_a_body)
{
    GOOD("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\n");
    ck_assert_uint_eq(head.content_length, 44);
    GOOD("HEAD /images/x.png HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\n");
    ck_assert_int_eq(head.framing, H1_LENGTH);
    GOOD("OPTIONS * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert_int_eq(head.framing, H1_CHUNKED);
    GOOD("DELETE / HTTP/1.0\r\nContent-Length: 44\r\n\r\n");
    ck_assert_int_eq(head.framing, H1_LENGTH);
}
END_TEST

START_TEST(no_framing_means_no_body_on_any_method)
{
    GOOD(POST_WITH(""));
    ck_assert_int_eq(head.framing, H1_NO_BODY);
}
END_TEST

START_TEST(odd_expectations_are_417)
{
    BAD(POST_WITH("Expect: y 100-continue\r\nContent-Length: 1\r\n"), 417);
    BAD(POST_WITH("Expect: 100-continue, y\r\nContent-Length: 1\r\n"), 417);
    BAD(POST_WITH("Expect: 100-continue;x\r\nContent-Length: 1\r\n"), 417);
    BAD(POST_WITH("Expect: 100-continu\r\nContent-Length: 1\r\n"), 417);
}
END_TEST

START_TEST(two_expectations_are_400)
{
    BAD(POST_WITH("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 400);
}
END_TEST

START_TEST(a_bare_line_feed_is_400)
{
    BAD("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
    BAD("GET / HTTP/1.1\nHost: a\n\n", 400);
    BAD(GET_WITH("X: y\nTransfer-Encoding: chunked\r\n"), 400);
    BAD(GET_WITH("X\n: y\r\n"), 400);
    BAD("GET /\n HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}
END_TEST

START_TEST(a_bare_carriage_return_is_400)
{
    BAD("GET / HTTP/1.1\rHost: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a\r\n\rX", 400);
    BAD(GET_WITH("X: y\rTransfer-Encoding: chunked\r\n"), 400);
    BAD(GET_WITH("X\r: y\r\n"), 400);
    BAD("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400);
}
END_TEST

START_TEST(a_folded_line_is_400)
{
    BAD(GET_WITH("X: y\r\n z\r\n"), 400);
    BAD(GET_WITH("X: y\r\n\tz\r\n"), 400);
    BAD(GET_WITH("X: y\r\n \r\n"), 400);
    BAD("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", 400);
}
END_TEST

START_TEST(a_zero_byte_in_a_value_is_400)
{
    BAD(GET_WITH("X: y\x00z\r\n"), 400);
    BAD("GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", 400);
}
END_TEST

static const struct {
    const char *name;
    enum h1_field_id id;
} known[] = {
    {"te", H1_FIELD_TE},
    {"via", H1_FIELD_VIA},
    {"host", H1_FIELD_HOST},
    {"date", H1_FIELD_DATE},
    {"from", H1_FIELD_FROM},
    {"range", H1_FIELD_RANGE},
    {"cookie", H1_FIELD_COOKIE},
    {"origin", H1_FIELD_ORIGIN},
    {"expect", H1_FIELD_EXPECT},
    {"pragma", H1_FIELD_PRAGMA},
    {"server", H1_FIELD_SERVER},
    {"referer", H1_FIELD_REFERER},
    {"upgrade", H1_FIELD_UPGRADE},
    {"trailer", H1_FIELD_TRAILER},
    {"if-match", H1_FIELD_IF_MATCH},
    {"if-range", H1_FIELD_IF_RANGE},
    {"forwarded", H1_FIELD_FORWARDED},
    {"connection", H1_FIELD_CONNECTION},
    {"user-agent", H1_FIELD_USER_AGENT},
    {"keep-alive", H1_FIELD_KEEP_ALIVE},
    {"set-cookie", H1_FIELD_SET_COOKIE},
    {"content-type", H1_FIELD_CONTENT_TYPE},
    {"max-forwards", H1_FIELD_MAX_FORWARDS},
    {"cache-control", H1_FIELD_CACHE_CONTROL},
    {"if-none-match", H1_FIELD_IF_NONE_MATCH},
    {"authorization", H1_FIELD_AUTHORIZATION},
    {"content-range", H1_FIELD_CONTENT_RANGE},
    {"content-length", H1_FIELD_CONTENT_LENGTH},
    {"x-forwarded-for", H1_FIELD_X_FORWARDED_FOR},
    {"content-encoding", H1_FIELD_CONTENT_ENCODING},
    {"content-location", H1_FIELD_CONTENT_LOCATION},
    {"proxy-connection", H1_FIELD_PROXY_CONNECTION},
    {"x-forwarded-host", H1_FIELD_X_FORWARDED_HOST},
    {"www-authenticate", H1_FIELD_WWW_AUTHENTICATE},
    {"if-modified-since", H1_FIELD_IF_MODIFIED_SINCE},
    {"transfer-encoding", H1_FIELD_TRANSFER_ENCODING},
    {"x-forwarded-proto", H1_FIELD_X_FORWARDED_PROTO},
    {"proxy-authenticate", H1_FIELD_PROXY_AUTHENTICATE},
    {"if-unmodified-since", H1_FIELD_IF_UNMODIFIED_SINCE},
    {"proxy-authorization", H1_FIELD_PROXY_AUTHORIZATION},
};

enum { N_KNOWN = sizeof known / sizeof known[0] };

START_TEST(every_known_name_has_its_own_id)
{
    uint64_t seen = 1; /* of H1_FIELD_OTHER */
    for (size_t i = 0; i < N_KNOWN; i++) {
        struct h1_field_kind kind = h1_field_kind_of(px_span_of_str(known[i].name));
        ck_assert_msg(kind.id == known[i].id, "%s is taken for %u", known[i].name, kind.id);
        ck_assert(!kind.alias && kind.flags != 0);
        ck_assert_uint_eq(seen >> kind.id & 1, 0);
        seen |= (uint64_t)1 << kind.id;
    }
    ck_assert_uint_eq(seen, ((uint64_t)1 << (H1_FIELD_X_FORWARDED_PROTO + 1)) - 1);
}
END_TEST

static bool is_known(struct px_span name)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (px_span_equal_str(name, known[i].name)) {
            return true;
        }
    }
    return false;
}

static void expect_stranger(struct px_span name)
{
    struct h1_field_kind kind = h1_field_kind_of(name);
    ck_assert_msg(is_known(name) || (kind.id == H1_FIELD_OTHER && kind.flags == 0 && !kind.alias),
                  "%.*s is taken for %u", (int)name.len, (const char *)name.ptr, kind.id);
}

/* Another byte anywhere, one byte fewer at either end, and one more at either end. */
START_TEST(a_name_that_only_resembles_a_known_one_is_a_stranger)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        uint8_t name[32] = {'x'};
        size_t len = strlen(known[i].name);
        memcpy(name + 1, known[i].name, len);
        name[len + 1] = 's';
        expect_stranger(px_span_of(name, len + 1));
        expect_stranger(px_span_of(name + 1, len + 1));
        expect_stranger(px_span_of(name + 1, len - 1));
        expect_stranger(px_span_of(name + 2, len - 1));
        for (size_t at = 1; at <= len; at++) {
            uint8_t right = name[at];
            for (unsigned byte = '!'; byte <= '~'; byte++) {
                name[at] = (uint8_t)byte;
                if (h1_token_lower[byte] == byte && !(right == '-' && byte == '_')) {
                    expect_stranger(px_span_of(name + 1, len));
                }
            }
            name[at] = right;
        }
    }
}
END_TEST

START_TEST(a_known_name_with_underscores_is_its_alias)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        char name[32] = {0};
        memcpy(name, known[i].name, strlen(known[i].name));
        for (char *at = strchr(name, '-'); at != NULL; at = strchr(name, '-')) {
            *at = '_';
            struct h1_field_kind kind = h1_field_kind_of(px_span_of_str(name));
            ck_assert_msg(kind.alias && kind.id == known[i].id, "%s", name);
        }
    }
}
END_TEST

START_TEST(an_underscore_twin_of_a_known_field_is_400)
{
    BAD(POST_WITH("Content_Length: 5\r\n"), 400);
    BAD(POST_WITH("Transfer_Encoding: chunked\r\n"), 400);
    BAD(POST_WITH("X_Forwarded-For: 1.2.3.4\r\n"), 400);
    GOOD(POST_WITH("X_Other: 5\r\n"));
    GOOD(POST_WITH("Content-Length_: 5\r\n"));
    ck_assert_int_eq(head.framing, H1_NO_BODY);
}
END_TEST

START_TEST(a_name_that_is_no_token_is_400)
{
    BAD(GET_WITH("X(: y\r\n"), 400);
    BAD(GET_WITH("X Y: z\r\n"), 400);
    BAD(GET_WITH("\"X\": z\r\n"), 400);
    BAD(GET_WITH("X\xc3\xa9: z\r\n"), 400);
    BAD(GET_WITH("Transfer\x80-Encoding: chunked\r\n"), 400);
    BAD(GET_WITH(": y\r\n"), 400);
    BAD(GET_WITH("Content-Length\\: 5\r\n"), 400);
}
END_TEST

START_TEST(a_line_without_colon_is_400)
{
    BAD(GET_WITH("X\r\n"), 400);
    BAD(GET_WITH("Transfer-Encoding chunked\r\n"), 400);
    BAD("GET / HTTP/1.1\r\nHost a\r\n\r\n", 400);
}
END_TEST

START_TEST(a_request_line_of_http_0_9_is_400)
{
    BAD("GET /\r\n", 400);
    BAD("GET / \r\n", 400);
}
END_TEST

START_TEST(an_absolute_uri_overrides_a_different_host)
{
    GOOD("GET http://good/ HTTP/1.1\r\nHost: evil\r\n\r\n");
    EXPECT_SPAN(head.authority, "good");
    ck_assert_uint_eq(fields_named("host"), 0);
}
END_TEST

START_TEST(two_hosts_are_400)
{
    BAD("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    BAD("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400);
}
END_TEST

START_TEST(a_host_with_user_information_is_400)
{
    BAD("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400);
    BAD("GET / HTTP/1.1\r\nHost: a:b@c\r\n\r\n", 400);
}
END_TEST

START_TEST(an_upgrade_to_h2c_takes_its_settings_along_and_is_offered_to_nobody)
{
    GOOD(GET_WITH("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                  "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"));
    ck_assert_uint_eq(fields.len, 0);
    ck_assert(!h1_upgrade_offers(&head, "websocket"));
}
END_TEST

START_TEST(a_space_in_the_target_is_400)
{
    BAD("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET / HTTP/1.1, HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}
END_TEST

START_TEST(the_first_fault_decides_the_status)
{
    BAD(POST_WITH("Expect: x\r\nContent-Length: x\r\n"), 417);
    BAD(POST_WITH("Content-Length: x\r\nExpect: x\r\n"), 400);
    BAD("BREW / HTTP/1.1\r\nbad\r\n", 501);
    BAD("GET / HTTP/3.0\r\nbad\r\n", 505);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *tcase = tcase_create("smuggling");
    tcase_add_checked_fixture(tcase, limits_setup, NULL);
    tcase_add_test(tcase, cl_te_is_400);
    tcase_add_test(tcase, te_cl_is_400);
    tcase_add_test(tcase, te_te_is_400);
    tcase_add_test(tcase, a_space_before_the_colon_is_400);
    tcase_add_test(tcase, odd_white_space_around_chunked_is_400);
    tcase_add_test(tcase, vertical_tabs_and_other_control_bytes_around_chunked_are_400);
    tcase_add_test(tcase, codings_that_look_like_chunked_are_400);
    tcase_add_test(tcase, lists_with_chunked_are_400_or_501);
    tcase_add_test(tcase, the_case_of_chunked_does_not_matter);
    tcase_add_test(tcase, a_folded_coding_is_400);
    tcase_add_test(tcase, a_coding_in_http_1_0_is_400);
    tcase_add_test(tcase, cl_cl_is_400_even_if_both_are_equal);
    tcase_add_test(tcase, a_length_that_is_not_plain_digits_is_400);
    tcase_add_test(tcase, a_length_of_20_digits_is_400);
    tcase_add_test(tcase, a_length_counts_on_methods_that_seldom_have_a_body);
    tcase_add_test(tcase, no_framing_means_no_body_on_any_method);
    tcase_add_test(tcase, odd_expectations_are_417);
    tcase_add_test(tcase, two_expectations_are_400);
    tcase_add_test(tcase, a_bare_line_feed_is_400);
    tcase_add_test(tcase, a_bare_carriage_return_is_400);
    tcase_add_test(tcase, a_folded_line_is_400);
    tcase_add_test(tcase, a_zero_byte_in_a_value_is_400);
    tcase_add_test(tcase, every_known_name_has_its_own_id);
    tcase_add_test(tcase, a_name_that_only_resembles_a_known_one_is_a_stranger);
    tcase_add_test(tcase, a_known_name_with_underscores_is_its_alias);
    tcase_add_test(tcase, an_underscore_twin_of_a_known_field_is_400);
    tcase_add_test(tcase, a_name_that_is_no_token_is_400);
    tcase_add_test(tcase, a_line_without_colon_is_400);
    tcase_add_test(tcase, a_request_line_of_http_0_9_is_400);
    tcase_add_test(tcase, an_absolute_uri_overrides_a_different_host);
    tcase_add_test(tcase, two_hosts_are_400);
    tcase_add_test(tcase, a_host_with_user_information_is_400);
    tcase_add_test(tcase, an_upgrade_to_h2c_takes_its_settings_along_and_is_offered_to_nobody);
    tcase_add_test(tcase, a_space_in_the_target_is_400);
    tcase_add_test(tcase, the_first_fault_decides_the_status);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
