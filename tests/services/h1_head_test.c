/* h1_head_test.c - heads of requests, each asked about whole and in pieces (h1_judge.h). */
#include "h1_judge.h"

#include <stdio.h>

static const char browser[] =
    "GET /?q=0000000000 HTTP/1.1\r\nHost: 127.0.0.1:18080\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\nReferer: http://127.0.0.1/start/index.html\r\n"
    "Cookie: session=4f6a1c0e9b7d4a52; theme=dark; consent=yes\r\n"
    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\nCache-Control: max-age=0\r\n\r\n";

/* ---- grammar ---- */

START_TEST(the_smallest_request_is_done)
{
    GOOD("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.method, "GET");
    EXPECT_SPAN(head.path, "/");
    EXPECT_SPAN(head.authority, "a");
    ck_assert_uint_eq(head.scheme.len, 0);
    ck_assert_int_eq(head.method_id, H1_GET);
    ck_assert_int_eq(head.framing, H1_NO_BODY);
    ck_assert_uint_eq(head.minor, 1);
    ck_assert_uint_eq(fields.len, 0);
}
END_TEST

START_TEST(a_browsers_request_keeps_its_fields_but_those_of_the_connection)
{
    expect_good(browser, sizeof browser - 1);
    ck_assert_uint_eq(fields_in_all(), 11);
    EXPECT_FIELD("accept-language", "en-GB,en;q=0.9,de;q=0.8");
    EXPECT_FIELD("cookie", "session=4f6a1c0e9b7d4a52; theme=dark; consent=yes");
    ck_assert_uint_eq(fields_named("host"), 0);
    ck_assert_uint_eq(fields_named("connection"), 0);
    EXPECT_SPAN(head.path, "/?q=0000000000");
    EXPECT_SPAN(head.authority, "127.0.0.1:18080");
}
END_TEST

START_TEST(names_become_lower_case_and_values_lose_their_margins)
{
    GOOD(GET_WITH("X-MiXeD_9!#$%&'*+.^`|~:\t  a \t b \t \r\nB:\r\nC:  \r\nd:e\r\n"));
    EXPECT_FIELD("x-mixed_9!#$%&'*+.^`|~", "a \t b");
    EXPECT_FIELD("b", "");
    EXPECT_FIELD("c", "");
    EXPECT_FIELD("d", "e");
}
END_TEST

START_TEST(a_repeated_list_field_stays_repeated)
{
    GOOD(GET_WITH("accept: a\r\naccept: b\r\n"));
    ck_assert_uint_eq(fields_named("accept"), 2);
}
END_TEST

START_TEST(what_follows_the_head_is_left)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03GET";
    judge(text, sizeof text - 1);
    expect_parse(PX_PARSE_DONE);
    ck_assert_uint_eq(whole.used, sizeof text - 1 - 5);
}
END_TEST

START_TEST(a_head_without_its_end_wants_more)
{
    MORE("");
    MORE("\r");
    MORE("\r\n");
    MORE("G");
    MORE("GET / HTTP/1.1");
    MORE("GET / HTTP/1.1\r");
    MORE("GET / HTTP/1.1\r\nHost: a\r\n\r");
    MORE("GET / HTTP/1.1\r\nHost");
    MORE("GET / HTTP/1.1\r\nHost: a\r");
}
END_TEST

START_TEST(one_empty_line_is_forgiven_and_two_are_not)
{
    GOOD("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    BAD("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}
END_TEST

START_TEST(a_value_may_hold_tabs_and_bytes_beyond_ascii)
{
    GOOD(GET_WITH("x: a\tb\x80\xff\r\n"));
    EXPECT_FIELD("x", "a\tb\x80\xff");
}
END_TEST

START_TEST(every_control_byte_in_a_value_is_400)
{
    char text[] = GET_WITH("x: a?b\r\n");
    for (int byte = 0; byte <= 0x7f; byte++) {
        if ((byte >= 0x20 && byte != 0x7f) || byte == '\t') {
            continue;
        }
        *(strchr(text, 'x') + 4) = (char)byte;
        expect_bad(text, sizeof text - 1, 400);
    }
}
END_TEST

START_TEST(every_byte_that_is_no_token_in_a_name_is_400)
{
    static const char base[] = GET_WITH("x?y: a\r\n");
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[sizeof base];
        memcpy(text, base, sizeof base);
        *(strchr(text, 'x') + 1) = (char)byte;
        if (h1_token_lower[byte] == 0 && byte != ':') {
            expect_bad(text, sizeof text - 1, 400);
        }
    }
}
END_TEST

START_TEST(malformed_request_lines_are_400)
{
    BAD(" GET / HTTP/1.1\r\n", 400);
    BAD("GET  / HTTP/1.1\r\n", 400);
    BAD("GET /  HTTP/1.1\r\n", 400);
    BAD("GET / HTTP/1.1 \r\n", 400);
    BAD("GET\t/ HTTP/1.1\r\n", 400);
    BAD("GET /\tHTTP/1.1\r\n", 400);
    BAD("G\x00T / HTTP/1.1\r\n", 400);
    BAD("GET\r\n", 400);
    BAD("GET \r\n", 400);
    BAD("GET / \r\n", 400);
    BAD("GET / HTTP\r\n", 400);
    BAD("GET / HTTP/1\r\n", 400);
    BAD("GET / HTTP/1.\r\n", 400);
    BAD("GET / HTTP/1.1x\r\n", 400);
    BAD("GET / HTTP/11.1\r\n", 400);
    BAD("GET / http/1.1\r\n", 400);
    BAD("GET / HTTP/1.x\r\n", 400);
    BAD("GET / HTTPS/1.1\r\n", 400);
    BAD("\x16\x03\x01\x02", 400);
}
END_TEST

START_TEST(later_minors_are_taken_as_1_1_and_other_majors_are_505)
{
    GOOD("GET / HTTP/1.0\r\n\r\n");
    ck_assert_uint_eq(head.minor, 0);
    GOOD("GET / HTTP/1.2\r\nHost: a\r\n\r\n");
    ck_assert_uint_eq(head.minor, 1);
    GOOD("GET / HTTP/1.9\r\nHost: a\r\n\r\n");
    BAD("GET / HTTP/2.0\r\n", 505);
    BAD("GET / HTTP/0.9\r\n", 505);
    BAD("GET / HTTP/9.1\r\n", 505);
    ck_assert(!head.h2_preface);
}
END_TEST

START_TEST(the_preface_of_http_2_is_505_and_marked)
{
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    ck_assert(head.h2_preface);
    MORE("PRI * HTTP/2.0\r");
    BAD("\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    ck_assert(!head.h2_preface);
    BAD("PRI / HTTP/2.0\r\n", 505);
    ck_assert(!head.h2_preface);
    BAD("PRI * HTTP/2.1\r\n", 505);
    ck_assert(!head.h2_preface);
    BAD("GET * HTTP/2.0\r\n", 505);
    ck_assert(!head.h2_preface);
    BAD("PRI * HTTP/1.1\r\n", 501);
    ck_assert(!head.h2_preface);
}
END_TEST

START_TEST(known_methods_are_told_apart_and_others_are_501)
{
    GOOD("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(head.method_id, H1_HEAD);
    GOOD("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(head.method_id, H1_POST);
    GOOD("PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
    GOOD("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    GOOD("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    GOOD("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(head.method_id, H1_PATCH);
    BAD("get / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    BAD("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    limits.any_method = true;
    GOOD("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(head.method_id, H1_OTHER_METHOD);
    EXPECT_SPAN(head.method, "BREW");
}
END_TEST

START_TEST(a_method_of_32_bytes_is_taken_and_of_33_is_501)
{
    limits.any_method = true;
    GOOD("AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDD / HTTP/1.1\r\nHost: a\r\n\r\n");
    BAD("AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDDE / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    MORE("AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDDE");
}
END_TEST

/* ---- target ---- */

START_TEST(origin_form_is_taken_as_sent)
{
    GOOD("GET /a/../%2F%zz//b?c=d?/ HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.path, "/a/../%2F%zz//b?c=d?/");
}
END_TEST

START_TEST(every_byte_but_visible_ascii_in_a_target_is_400)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n";
        *strchr(text, '?') = (char)byte;
        if (byte < 0x20 || byte > 0x7e || byte == '#') {
            expect_bad(text, sizeof text - 1, 400);
        }
    }
}
END_TEST

START_TEST(the_authority_of_absolute_form_overrides_host)
{
    GOOD("GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.scheme, "http");
    EXPECT_SPAN(head.authority, "b:81");
    EXPECT_SPAN(head.path, "/p?q");
    GOOD("GET HTTPS://[::1]:8 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.scheme, "https");
    EXPECT_SPAN(head.authority, "[::1]:8");
    EXPECT_SPAN(head.path, "/");
    GOOD("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.path, "*");
    GOOD("GET http://b/ HTTP/1.0\r\n\r\n");
    EXPECT_SPAN(head.authority, "b");
}
END_TEST

START_TEST(malformed_absolute_forms_are_400)
{
    BAD("GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http:/b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http:b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http://b:x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET h HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET example/path HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("GET http://b/ HTTP/1.1\r\n\r\n", 400);
}
END_TEST

START_TEST(the_asterisk_is_for_options)
{
    GOOD("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.path, "*");
    BAD("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    BAD("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}
END_TEST

START_TEST(connect_is_501_unless_it_is_wanted)
{
    BAD("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 501);
    limits.connect = true;
    GOOD("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    EXPECT_SPAN(head.authority, "b:443");
    ck_assert_uint_eq(head.path.len, 0);
    BAD("CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n", 400);
    BAD("CONNECT b: HTTP/1.1\r\nHost: b\r\n\r\n", 400);
    BAD("CONNECT / HTTP/1.1\r\nHost: b\r\n\r\n", 400);
    BAD("CONNECT http://b:443/ HTTP/1.1\r\nHost: b\r\n\r\n", 400);
    BAD("GET b:443 HTTP/1.1\r\nHost: b\r\n\r\n", 400);
}
END_TEST

/* ---- Host ---- */

START_TEST(http_1_1_wants_one_host_and_1_0_none)
{
    BAD("GET / HTTP/1.1\r\n\r\n", 400);
    GOOD("GET / HTTP/1.0\r\n\r\n");
    ck_assert_uint_eq(head.authority.len, 0);
    GOOD("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(head.authority, "a");
}
END_TEST

static bool host_taken(const char *host)
{
    char text[200];
    int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    judge(text, (size_t)len);
    ck_assert(whole.parse != PX_PARSE_MORE);
    ck_assert(whole.parse != PX_PARSE_BAD || head.refusal.status == 400);
    return whole.parse == PX_PARSE_DONE;
}

START_TEST(hosts_are_names_or_addresses_and_perhaps_a_port)
{
    ck_assert(host_taken("example.org"));
    ck_assert(host_taken("EXAMPLE.org:80"));
    ck_assert(host_taken("example.org:"));
    ck_assert(host_taken("127.0.0.1:65535"));
    ck_assert(host_taken("[::1]"));
    ck_assert(host_taken("[2001:db8::192.0.2.1]:443"));
    ck_assert(host_taken("a_b-c~d.%41!$&'()*+,;="));
}
END_TEST

START_TEST(every_other_host_is_400)
{
    static const char *const hosts[] = {
        "",        " ",       ":80",      "a b",          "a/b",   "a@b",  "u:p@b", "a:b",
        "a:-1",    "a:65536", "a:000080", "a:80:80",      "[::1",  "[]",   "[:]x",  "[g::1]",
        "[::1]80", "a?b",     "a#b",      "a%4",          "a%4g",  "a\\b", "\"a\"", "<a>",
        "a\x80",   "::1",     "[a",       "[::1%25eth0]", "a:8 0", "a[1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        ck_assert_msg(!host_taken(hosts[i]), "%s", hosts[i]);
    }
}
END_TEST

/* ---- what fields mean ---- */

START_TEST(a_length_frames_the_body_of_any_method)
{
    GOOD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    ck_assert_int_eq(head.framing, H1_LENGTH);
    ck_assert_uint_eq(head.content_length, 5);
    EXPECT_FIELD("content-length", "5");
    GOOD(GET_WITH("Content-Length: 9999999999999999999\r\n"));
    ck_assert_uint_eq(head.content_length, 9999999999999999999u);
    GOOD(GET_WITH("Content-Length: 0000000000000000007\r\n"));
    ck_assert_uint_eq(head.content_length, 7);
    GOOD(GET_WITH("Content-Length:0\r\n"));
    ck_assert_int_eq(head.framing, H1_LENGTH);
}
END_TEST

START_TEST(chunked_frames_the_body_and_is_not_handed_on)
{
    GOOD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert_int_eq(head.framing, H1_CHUNKED);
    ck_assert_uint_eq(fields.len, 0);
    GOOD(GET_WITH("transfer-encoding:CHUNKED\r\n"));
    ck_assert_int_eq(head.framing, H1_CHUNKED);
}
END_TEST

static bool stays(const char *text)
{
    expect_good(text, strlen(text));
    return head.keep_alive;
}

START_TEST(connections_persist_by_version_and_connection_field)
{
    ck_assert(stays(GET_WITH("")));
    ck_assert(!stays(GET_WITH("Connection: close\r\n")));
    ck_assert(!stays(GET_WITH("Connection: CLOSE\r\n")));
    ck_assert(!stays(GET_WITH("Connection: keep-alive, close\r\n")));
    ck_assert(!stays(GET_WITH("Connection: keep-alive\r\nConnection: close\r\n")));
    ck_assert(stays(GET_WITH("Connection: closed\r\n")));
    ck_assert(!stays("GET / HTTP/1.0\r\n\r\n"));
    ck_assert(stays("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    ck_assert(!stays("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
    ck_assert(!stays("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n"));
}
END_TEST

START_TEST(fields_of_the_connection_are_not_handed_on)
{
    GOOD(GET_WITH(
        "Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n"
        "Proxy-Authorization: x\r\nProxy-Authenticate: y\r\nUpgrade: x\r\nTrailer: t\r\n"));
    ck_assert_uint_eq(fields_in_all(), 1);
    EXPECT_FIELD("trailer", "t");
    ck_assert(head.trailers_ok);
    GOOD(GET_WITH("TE: deflate, TRAILERS\r\n"));
    ck_assert(head.trailers_ok);
    GOOD(GET_WITH("TE: deflate;q=0.5\r\n"));
    ck_assert(!head.trailers_ok);
}
END_TEST

START_TEST(what_connection_names_is_dropped_wherever_it_stands)
{
    GOOD(GET_WITH("A: 1\r\nX-Hop: 2\r\nB: 3\r\nConnection: x-hop ,, X-OTHER,a-third\r\nX-HOP: 4\r\n"
                  "x-other: 5\r\nC: 6\r\n"));
    ck_assert_uint_eq(fields_in_all(), 3);
    EXPECT_FIELD("a", "1");
    EXPECT_FIELD("b", "3");
    EXPECT_FIELD("c", "6");
}
END_TEST

START_TEST(connection_must_not_name_what_matters)
{
    BAD(GET_WITH("Connection: Host\r\n"), 400);
    BAD(GET_WITH("Connection: content-length\r\n"), 400);
    BAD(GET_WITH("Connection: close, Authorization\r\n"), 400);
    BAD(GET_WITH("Connection: transfer-encoding\r\n"), 400);
    BAD(GET_WITH("Connection: cookie\r\n"), 400);
    BAD(GET_WITH("Connection: x-forwarded-for\r\n"), 400);
    BAD(GET_WITH("Connection: content_length\r\n"), 400);
    BAD(GET_WITH("Connection: a b\r\n"), 400);
    BAD(GET_WITH("Connection: a;b\r\n"), 400);
    BAD(GET_WITH("Connection: a/b\r\n"), 400);
    BAD(GET_WITH("Connection: \"close\"\r\n"), 400);
    GOOD(GET_WITH("Connection: te, upgrade, http2-settings\r\n"));
    GOOD(GET_WITH("Connection:\r\n"));
}
END_TEST

START_TEST(connection_may_name_16_fields_and_not_17)
{
    GOOD(GET_WITH("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\r\n"));
    BAD(GET_WITH("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n"), 431);
}
END_TEST

START_TEST(an_expectation_is_known_or_417)
{
    GOOD("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
    ck_assert(head.expect_continue);
    GOOD("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    ck_assert(!head.expect_continue);
    GOOD(GET_WITH("Expect: 100-continue\r\n"));
    ck_assert(!head.expect_continue);
    BAD(GET_WITH("Expect: 200-ok\r\n"), 417);
    BAD(GET_WITH("Expect:\r\n"), 417);
}
END_TEST

START_TEST(an_upgrade_counts_only_where_it_may)
{
    GOOD(GET_WITH("Connection: keep-alive, Upgrade\r\nUpgrade: foo/2, WebSocket\r\n"));
    EXPECT_SPAN(head.upgrade, "foo/2, WebSocket");
    ck_assert(h1_upgrade_offers(&head, "websocket"));
    ck_assert(h1_upgrade_offers(&head, "foo/2"));
    ck_assert(!h1_upgrade_offers(&head, "foo"));
    ck_assert(!h1_upgrade_offers(&head, "socket"));
    GOOD(GET_WITH("Upgrade: websocket\r\n"));
    ck_assert(!h1_upgrade_offers(&head, "websocket"));
    GOOD(GET_WITH("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"));
    ck_assert(!h1_upgrade_offers(&head, "websocket"));
    GOOD("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    ck_assert(!h1_upgrade_offers(&head, "websocket"));
    GOOD("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    ck_assert(!h1_upgrade_offers(&head, "websocket"));
    GOOD(GET_WITH("Connection: upgrade\r\nUpgrade: a b, websocket\r\n"));
    ck_assert(!h1_upgrade_offers(&head, "websocket"));
}
END_TEST

START_TEST(every_field_that_must_come_once_is_400_when_it_comes_twice)
{
    static const char *const names[] = {"Authorization",
                                        "Content-Location",
                                        "Content-Range",
                                        "Content-Type",
                                        "Date",
                                        "From",
                                        "If-Match",
                                        "If-Modified-Since",
                                        "If-None-Match",
                                        "If-Range",
                                        "If-Unmodified-Since",
                                        "Max-Forwards",
                                        "Origin",
                                        "Proxy-Authorization",
                                        "Range",
                                        "Referer",
                                        "User-Agent"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[200];
        int len =
            snprintf(text, sizeof text, GET_WITH("%s: a\r\nx: y\r\n%s: a\r\n"), names[i], names[i]);
        expect_bad(text, (size_t)len, 400);
    }
}
END_TEST

/* ---- limits ---- */

static char text[JUDGE_LIST_MAX];

/* A request whose target has `len` bytes. */
static size_t with_target(size_t len)
{
    memset(text, 'a', len + 4);
    memcpy(text, "GET /", 5);
    strcpy(text + 4 + len, " HTTP/1.1\r\nHost: a\r\n\r\n");
    return 4 + len + strlen(text + 4 + len);
}

START_TEST(a_request_line_of_8192_bytes_is_taken_and_of_8193_is_414)
{
    expect_good(text, with_target(8192 - 13));
    expect_bad(text, with_target(8193 - 13), 414);
    memset(text, 'a', 20000);
    memcpy(text, "GET /", 5);
    expect_bad(text, 20000, 414);
    expect_more(text, 8192);
    expect_bad(text, 8193, 414);
}
END_TEST

START_TEST(a_small_limit_ends_the_request_line_anywhere)
{
    for (uint32_t max = 1; max < 14; max++) {
        limits.request_line_max = max;
        BAD("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 414);
    }
    limits.request_line_max = 14;
    GOOD("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}
END_TEST

/* A request with `n` further fields, each a line of `line_len` bytes with its CR LF. */
static size_t with_fields(size_t n, size_t line_len)
{
    strcpy(text, "GET / HTTP/1.1\r\n");
    char *at = text + strlen(text);
    for (size_t i = 0; i < n; i++, at += line_len) {
        memset(at, 'v', line_len);
        memcpy(at, "n:", 2);
        memcpy(at + line_len - 2, "\r\n", 2);
    }
    strcpy(at, "Host: a\r\n\r\n");
    return (size_t)(at - text) + strlen(at);
}

START_TEST(a_header_line_of_8192_bytes_is_taken_and_of_8193_is_431)
{
    expect_good(text, with_fields(1, 8194));
    size_t len = with_fields(1, 8195);
    expect_bad(text, len, 431);
    expect_more(text, 16 + 8192);
    expect_bad(text, 16 + 8193, 431);
}
END_TEST

START_TEST(headers_of_32768_bytes_are_taken_and_of_32769_are_431)
{
    limits.header_line_max = 40000;
    expect_good(text, with_fields(1, 32768 - 9));
    expect_bad(text, with_fields(1, 32769 - 9), 431);
    expect_bad(text, with_fields(1, 32768), 431);
    expect_bad(text, with_fields(1, 32768 + 5), 431);
    limits.header_line_max = 8192;
    expect_bad(text, with_fields(5, 8000), 431);
}
END_TEST

START_TEST(small_limits_end_the_fields_anywhere)
{
    for (uint32_t max = 0; max < 9; max++) {
        limits.headers_len_max = max;
        BAD("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 431);
    }
    limits.headers_len_max = 9;
    GOOD("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (uint32_t max = 0; max < 7; max++) {
        limits.header_line_max = max;
        BAD("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 431);
    }
    limits.header_line_max = 7;
    GOOD("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}
END_TEST

START_TEST(one_hundred_fields_are_taken_and_one_more_is_431)
{
    expect_good(text, with_fields(99, 5));
    ck_assert_uint_eq(fields_in_all(), 99);
    expect_bad(text, with_fields(100, 5), 431);
}
END_TEST

START_TEST(a_name_of_256_bytes_is_taken_and_of_257_is_431)
{
    static const char *const before[] = {"", "Connection: "};
    static const char *const behind[] = {": v\r\n\r\n", "\r\n\r\n"};
    for (size_t i = 0; i < 4; i++) {
        size_t len = 256 + i % 2;
        size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n%s", before[i / 2]);
        memset(text + at, 'N', len);
        strcpy(text + at + len, behind[i / 2]);
        judge(text, strlen(text));
        expect_parse(len == 256 ? PX_PARSE_DONE : PX_PARSE_BAD);
        ck_assert(len == 256 || head.refusal.status == 431);
    }
}
END_TEST

START_TEST(a_list_without_room_is_431)
{
    static const char wanted[] = GET_WITH("a: b\r\n");
    uint8_t memory[8];
    struct h1_resume resume = {0};
    struct px_bytes in = px_bytes_of(wanted, sizeof wanted - 1);
    struct px_bytes_out out = px_bytes_out_of(memory, 7);
    ck_assert_int_eq(h1_head_parse(&resume, &in, &out, &limits, &head), PX_PARSE_BAD);
    ck_assert_uint_eq(head.refusal.status, 431);
    ck_assert_uint_eq(px_bytes_left(&in), sizeof wanted - 1);
    ck_assert(!out.overflow);
    out = px_bytes_out_of(memory, 8);
    memset(&resume, 0, sizeof resume);
    ck_assert_int_eq(h1_head_parse(&resume, &in, &out, &limits, &head), PX_PARSE_DONE);
}
END_TEST

START_TEST(a_list_is_appended_to_what_is_there)
{
    static const char wanted[] = GET_WITH("Connection: hop\r\na: b\r\nhop: x\r\n");
    uint8_t memory[100] = "before";
    struct h1_resume resume = {0};
    struct px_bytes in = px_bytes_of(wanted, sizeof wanted - 1);
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    (void)px_bytes_out_reserve(&out, 6);
    ck_assert_int_eq(h1_head_parse(&resume, &in, &out, &limits, &head), PX_PARSE_DONE);
    ck_assert_uint_eq(px_bytes_out_len(&out), 6 + 8);
    ck_assert_mem_eq(memory,
                     "before\x0a\x06\x0a\x01"
                     "a\x12\x01"
                     "b",
                     14);
}
END_TEST

/* ---- work ---- */

static size_t scanned;

static size_t count(size_t n)
{
    scanned += n + 1;
    return n;
}

static size_t counting_value(const uint8_t *src, size_t len)
{
    return count(h1_scan_scalar.value(src, len));
}

static size_t counting_target(const uint8_t *src, size_t len)
{
    return count(h1_scan_scalar.target(src, len));
}

static size_t counting_host(const uint8_t *src, size_t len)
{
    return count(h1_scan_scalar.host(src, len));
}

static size_t counting_name(uint8_t *dst, const uint8_t *src, size_t len)
{
    return count(h1_scan_scalar.name(dst, src, len));
}

static struct h1_scan_line counting_line(uint8_t *dst, const uint8_t *src, size_t len)
{
    count(h1_scan_scalar.line(dst, src, len).end + h1_scan_scalar.name(dst, src, len));
    return h1_scan_scalar.line(dst, src, len);
}

static const struct h1_scan counting = {counting_value, counting_target, counting_name,
                                        counting_host,  counting_line,   NULL};

static void expect_linear_work(const char *bytes, size_t len)
{
    limits.scan = &counting;
    scanned = 0;
    struct h1_resume resume = {0};
    for (size_t n = 0; n <= len; n++) {
        ask(&other, &resume, (const uint8_t *)bytes, n);
    }
    ck_assert_msg(scanned < 6 * len, "%zu bytes looked at for %zu", scanned, len);
    limits.scan = h1_scan_pick();
}

START_TEST(a_head_that_comes_byte_by_byte_costs_a_few_looks_a_byte)
{
    expect_linear_work(browser, sizeof browser - 1);
    expect_linear_work(text, with_fields(90, 300));
    expect_linear_work(text, with_fields(1, 8000));
    expect_linear_work(text, with_target(8000));
}
END_TEST

START_TEST(a_bad_line_that_comes_late_is_refused_before_the_head_is_complete)
{
    static const char bad[] = "GET / HTTP/1.1\r\nHost: a\r\nok: 1\r\nno colon\r\n";
    struct h1_resume resume = {0};
    for (size_t n = 0; n < sizeof bad - 1; n++) {
        ask(&other, &resume, (const uint8_t *)bad, n);
        ck_assert(other.parse == PX_PARSE_MORE || n > sizeof bad - 4);
    }
    ask(&other, &resume, (const uint8_t *)bad, sizeof bad - 1);
    ck_assert_int_eq(other.parse, PX_PARSE_BAD);
}
END_TEST

static TCase *grammar_tests(void)
{
    TCase *tcase = tcase_create("grammar");
    tcase_add_test(tcase, the_smallest_request_is_done);
    tcase_add_test(tcase, a_browsers_request_keeps_its_fields_but_those_of_the_connection);
    tcase_add_test(tcase, names_become_lower_case_and_values_lose_their_margins);
    tcase_add_test(tcase, a_repeated_list_field_stays_repeated);
    tcase_add_test(tcase, what_follows_the_head_is_left);
    tcase_add_test(tcase, a_head_without_its_end_wants_more);
    tcase_add_test(tcase, one_empty_line_is_forgiven_and_two_are_not);
    tcase_add_test(tcase, a_value_may_hold_tabs_and_bytes_beyond_ascii);
    tcase_add_test(tcase, every_control_byte_in_a_value_is_400);
    tcase_add_test(tcase, every_byte_that_is_no_token_in_a_name_is_400);
    tcase_add_test(tcase, malformed_request_lines_are_400);
    tcase_add_test(tcase, later_minors_are_taken_as_1_1_and_other_majors_are_505);
    tcase_add_test(tcase, the_preface_of_http_2_is_505_and_marked);
    tcase_add_test(tcase, known_methods_are_told_apart_and_others_are_501);
    tcase_add_test(tcase, a_method_of_32_bytes_is_taken_and_of_33_is_501);
    tcase_add_test(tcase, origin_form_is_taken_as_sent);
    tcase_add_test(tcase, every_byte_but_visible_ascii_in_a_target_is_400);
    tcase_add_test(tcase, the_authority_of_absolute_form_overrides_host);
    tcase_add_test(tcase, malformed_absolute_forms_are_400);
    tcase_add_test(tcase, the_asterisk_is_for_options);
    tcase_add_test(tcase, connect_is_501_unless_it_is_wanted);
    return tcase;
}

static TCase *meaning_tests(void)
{
    TCase *tcase = tcase_create("meaning");
    tcase_add_test(tcase, http_1_1_wants_one_host_and_1_0_none);
    tcase_add_test(tcase, hosts_are_names_or_addresses_and_perhaps_a_port);
    tcase_add_test(tcase, every_other_host_is_400);
    tcase_add_test(tcase, a_length_frames_the_body_of_any_method);
    tcase_add_test(tcase, chunked_frames_the_body_and_is_not_handed_on);
    tcase_add_test(tcase, connections_persist_by_version_and_connection_field);
    tcase_add_test(tcase, fields_of_the_connection_are_not_handed_on);
    tcase_add_test(tcase, what_connection_names_is_dropped_wherever_it_stands);
    tcase_add_test(tcase, connection_must_not_name_what_matters);
    tcase_add_test(tcase, an_expectation_is_known_or_417);
    tcase_add_test(tcase, an_upgrade_counts_only_where_it_may);
    tcase_add_test(tcase, every_field_that_must_come_once_is_400_when_it_comes_twice);
    return tcase;
}

static TCase *limit_tests(void)
{
    TCase *tcase = tcase_create("limits");
    tcase_add_test(tcase, a_request_line_of_8192_bytes_is_taken_and_of_8193_is_414);
    tcase_add_test(tcase, a_small_limit_ends_the_request_line_anywhere);
    tcase_add_test(tcase, a_header_line_of_8192_bytes_is_taken_and_of_8193_is_431);
    tcase_add_test(tcase, headers_of_32768_bytes_are_taken_and_of_32769_are_431);
    tcase_add_test(tcase, small_limits_end_the_fields_anywhere);
    tcase_add_test(tcase, one_hundred_fields_are_taken_and_one_more_is_431);
    tcase_add_test(tcase, a_name_of_256_bytes_is_taken_and_of_257_is_431);
    tcase_add_test(tcase, connection_may_name_16_fields_and_not_17);
    tcase_add_test(tcase, a_list_without_room_is_431);
    tcase_add_test(tcase, a_list_is_appended_to_what_is_there);
    tcase_add_test(tcase, a_head_that_comes_byte_by_byte_costs_a_few_looks_a_byte);
    tcase_add_test(tcase, a_bad_line_that_comes_late_is_refused_before_the_head_is_complete);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *tcases[] = {grammar_tests(), meaning_tests(), limit_tests()};
    for (size_t i = 0; i < sizeof tcases / sizeof tcases[0]; i++) {
        tcase_add_checked_fixture(tcases[i], limits_setup, NULL);
        tcase_set_timeout(tcases[i], 60);
        suite_add_tcase(suite, tcases[i]);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
