/* form_test.c - forms: what the parsers find, wherever the bytes are split. */
#include "form_text.h"
#include <check.h>

#include <stdio.h>

#define URLENCODED "application/x-www-form-urlencoded"
/* A part of a form with boundary "b", and the end of one. */
#define PART(head, data) "--b\r\nContent-Disposition: form-data; " head "\r\n\r\n" data "\r\n"
#define LAST "--b--\r\n"

static const struct form_limits usual = {256, 256, 4096, 65536, UINT64_MAX};
static struct form_text whole, other;

/* The form is found to be `text`, wherever it is split into two, and byte by byte. */
static void expect_found(enum form_kind kind, const struct form_limits *limits, const char *body,
                         size_t len, const char *text)
{
    struct px_span span = px_span_of(body, len);
    form_text_read(&whole, kind, limits, "b", span, len, 1);
    struct px_span found = px_bytes_out_span(&whole.out);
    ck_assert_msg(px_span_equal_str(found, text), "found %.*s, not %s", (int)found.len,
                  (const char *)found.ptr, text);
    for (size_t at = 0; at <= len; at++) {
        form_text_read(&other, kind, limits, "b", span, at, len);
        ck_assert_msg(form_text_same(&whole, &other), "split at %zu: %s", at, body);
    }
    form_text_read(&other, kind, limits, "b", span, 0, 1);
    ck_assert(form_text_same(&whole, &other));
}

#define expect_pairs(body, text) expect_found(FORM_URLENCODED, &usual, body, sizeof(body) - 1, text)
#define expect_parts(body, text) expect_found(FORM_MULTIPART, &usual, body, sizeof(body) - 1, text)
/* The only part has this head and is found as `text`. */
#define expect_head(head, text) expect_parts(PART(head, "") LAST, text ";.")
#define expect_bad_head(head) expect_parts(PART(head, "") LAST, "!")

/* ---- urlencoded ---- */

START_TEST(pairs_are_decoded)
{
    expect_pairs("", ".");
    expect_pairs("a=1&b=2", "{a}1;{b}2;.");
    expect_pairs("name=Ann+B.&x=%41%2b%3D%26", "{name}Ann B.;{x}A+=&;.");
    expect_pairs("a%3Db+c=d=e", "{a=b c}d=e;.");
    expect_pairs("%e2%82%ac=%E2%82%AC", "{\xe2\x82\xac}\xe2\x82\xac;.");
}
END_TEST

START_TEST(pairs_may_lack_a_value_a_name_or_both)
{
    expect_pairs("a", "{a};.");
    expect_pairs("a&b=", "{a};{b};.");
    expect_pairs("=1&=", "{}1;{};.");
    expect_pairs("&&a=1&&", "{a}1;.");
    expect_pairs("&", ".");
}
END_TEST

START_TEST(malformed_pairs_are_told_from_others)
{
    expect_pairs("a=1&b=%4", "{a}1;{b}!");
    expect_pairs("a=x%&b=1", "{a}x!");
    expect_pairs("a=%g0", "{a}!");
    expect_pairs("a=x%0g", "{a}x!");
    expect_pairs("a%=1", "!");
    expect_pairs("a%4", "!");
    expect_pairs("a%zz=1", "!");
    expect_pairs("a%00=1", "!");
    expect_pairs("a%0a=1", "!");
    expect_pairs("%e9=1", "!");
}
END_TEST

START_TEST(a_value_may_be_any_bytes)
{
    form_text_read(&whole, FORM_URLENCODED, &usual, "", px_span_of_str("a=%00%e9"), 8, 1);
    ck_assert(px_span_equal(px_bytes_out_span(&whole.out), px_span_of("{a}\0\xe9;.", 7)));
}
END_TEST

START_TEST(a_long_value_comes_in_pieces)
{
    static char body[1002] = "a=", text[1007];
    memset(body + 2, 'x', 999);
    ck_assert_int_eq(snprintf(text, sizeof text, "{a}%s;.", body + 2), 1004);
    form_text_read(&whole, FORM_URLENCODED, &usual, "", px_span_of_str(body), 1001, 1);
    ck_assert(px_span_equal_str(px_bytes_out_span(&whole.out), text));
}
END_TEST

START_TEST(pairs_have_limits)
{
    struct form_limits few = {.parts_max = 2, .name_len_max = 3, .value_len_max = 4};
    const struct {
        const char *body, *text;
    } rows[] = {
        {"a&b", "{a};{b};."},
        {"a&b&c", "{a};{b};>"},
        {"a&b&c=", "{a};{b};>"},
        {"abc=1", "{abc}1;."},
        {"abcd=1", ">"},
        {"%61bcd", ">"},
        {"a=1234", "{a}1234;."},
        {"a=12345", "{a}1234>"},
        {"a=123%34", "{a}1234;."},
        {"a=1234%35", "{a}1234>"},
        {"a=1234&b", "{a}1234;{b};."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_found(FORM_URLENCODED, &few, rows[i].body, strlen(rows[i].body), rows[i].text);
    }
}
END_TEST

/* ---- multipart ---- */

START_TEST(parts_are_what_stands_between_delimiters)
{
    expect_parts(PART("name=\"a\"", "one") PART("name=\"b\"; filename=\"f.txt\"", "two") LAST,
                 "{a}one;{b|f.txt}two;.");
    expect_parts(
        "--b\r\ncontent-disposition:form-data;name=a\r\nContent-Type: text/x\r\n\r\n\r\n" LAST,
        "{a|text/x};.");
    expect_parts(LAST, ".");
    expect_parts("--b--", ".");
}
END_TEST

START_TEST(what_looks_like_a_delimiter_is_data)
{
    expect_parts(PART("name=a", "\r\n\r\n--\r\n-\r--b\r\r\n--a--b\n--b") LAST,
                 "{a}\r\n\r\n--\r\n-\r--b\r\r\n--a--b\n--b;.");
    expect_parts(PART("name=a", "\r\n--\r") LAST, "{a}\r\n--\r;.");
    expect_parts(PART("name=a", "--b--") LAST, "{a}--b--;.");
}
END_TEST

START_TEST(what_stands_before_and_behind_is_nothing)
{
    expect_parts("hello --b\r\n-\r\r\n" PART("name=a", "1") LAST "bye\r\n--b\r\n--b", "{a}1;.");
    expect_parts("\r\n" PART("name=a", "1") LAST, "{a}1;.");
    expect_parts("--b \t \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--x", "{a}1;.");
}
END_TEST

START_TEST(a_form_that_is_cut_short_is_malformed)
{
    expect_parts("", "!");
    expect_parts("--b", "!");
    expect_parts("--b-", "!");
    expect_parts("--b\r\n", "!");
    expect_parts("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n", "{a}!");
    expect_parts("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nxy\r\n--", "{a}xy!");
    expect_parts(PART("name=a", "x") "--b", "{a}x;!");
    expect_parts("nothing like a form", "!");
}
END_TEST

START_TEST(a_delimiter_has_a_line_of_its_own)
{
    expect_parts("--bb\r\n", "!");
    expect_parts("--b x\r\n", "!");
    expect_parts("--b\n", "!");
    expect_parts("--b\rx", "!");
    expect_parts("--b -", "!");
    expect_parts(PART("name=a", "1\r\n--bee") LAST, "{a}1;!");
}
END_TEST

START_TEST(names_are_unquoted)
{
    expect_head("name=\"\"", "{}");
    expect_head("name=\"a b;c=d\"", "{a b;c=d}");
    expect_head("name=\"a\\\"b\\\\c\"", "{a\"b\\c}");
    expect_head("name=\"a%22b%0D%0Ac%2522\"", "{a\"b%0D%0Ac%2522}");
    expect_head("name=a; filename=\"C:\\dir\\x.txt\"", "{a|C:\\dir\\x.txt}");
    expect_head("name=a; filename=\"\"", "{a|}");
    expect_head("filename=\"\xe2\x82\xac.txt\"; name=a", "{a|\xe2\x82\xac.txt}");
    expect_head(" ; ;name=a ; x=y; ;", "{a}");
}
END_TEST

START_TEST(an_extended_filename_counts_more)
{
    expect_head("name=a; filename*=UTF-8''%e2%82%ac%20x", "{a|\xe2\x82\xac x}");
    expect_head("name=a; filename*=utf-8'en'x; filename=y", "{a|x}");
    expect_head("name=a; filename=y; filename*=iso-8859-1''%a3", "{a|\xc2\xa3}");
    expect_head("name=a; filename=y; filename*=koi8-r''%a3", "{a|y}");
    expect_head("name=a; filename*=koi8-r''%a3; filename=y", "{a|y}");
    expect_bad_head("name=a; filename*=UTF-8''%e2%82");
    expect_bad_head("name=a; filename*=UTF-8''%e");
    expect_bad_head("name=a; filename*=UTF-8''%00");
    expect_bad_head("name=a; filename*=UTF-8'x");
    expect_bad_head("name=a; filename*=x");
    expect_bad_head("name=a; filename*=UTF-8''\xc3\xa9");
    expect_bad_head("name=a; filename*=UTF-8''x; filename*=UTF-8''x");
}
END_TEST

START_TEST(a_malformed_head_is_told_from_others)
{
    expect_bad_head("filename=x");
    expect_bad_head("name=a; name=a");
    expect_bad_head("name=a; filename=x; filename=x");
    expect_bad_head("name=\"a");
    expect_bad_head("name=\"a\"x");
    expect_bad_head("name=");
    expect_bad_head("name");
    expect_bad_head("name=a;=b");
    expect_bad_head("name=\"\xff\"");
    expect_bad_head("name=\"\xc0\xaf\"");
    expect_bad_head("name=\"\xed\xa0\x80\"");
    expect_bad_head("name=\"\xf4\x90\x80\x80\"");
    expect_bad_head("name=\"a\tb\"");
    expect_bad_head("name=\"a\rb\"");
    expect_bad_head("name=a\r\nContent-Disposition: form-data; name=a");
    expect_bad_head("name=a\r\nContent-Type: a\r\nContent-Type: a");
    expect_bad_head("name=a\r\n folded: b");
    expect_bad_head("name=a\r\nno colon");
    expect_bad_head("name=a\r\nspace : b");
    expect_bad_head("name=a\nX: b");
    expect_parts("--b\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n" LAST, "!");
    expect_parts("--b\r\nContent-Type: a\r\n\r\n\r\n" LAST, "!");
    expect_parts("--b\r\n\r\nx\r\n" LAST, "!");
}
END_TEST

START_TEST(what_is_encoded_is_not_handed_on_as_if_it_were_not)
{
    expect_head("name=a\r\nContent-Transfer-Encoding: Binary", "{a}");
    expect_head("name=a\r\nContent-Transfer-Encoding: 8bit ", "{a}");
    expect_bad_head("name=a\r\nContent-Transfer-Encoding: base64");
    expect_bad_head("name=a\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 7bit");
}
END_TEST

START_TEST(parts_have_limits)
{
    const char head[] = "Content-Disposition: form-data; name=abc\r\n\r\n";
    struct form_limits few = {2, 3, sizeof head - 1, 4, 6};
    const struct {
        const char *body, *text;
    } rows[] = {
        {PART("name=a", "") PART("name=b", "") LAST, "{a};{b};."},
        {PART("name=a", "") PART("name=b", "") "--b\r\n", "{a};{b};>"},
        {PART("name=abc", "") LAST, "{abc};."},
        {PART("name=abcd", "") LAST, ">"},
        {PART("name=a", "1234") LAST, "{a}1234;."},
        {PART("name=a", "12345") LAST, "{a}1234>"},
        {PART("name=a", "123\r\n") LAST, "{a}123\r>"},
        {PART("name=a", "1\r\n--") LAST, "{a}1\r\n->"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_found(FORM_MULTIPART, &few, rows[i].body, strlen(rows[i].body), rows[i].text);
    }
    few = (struct form_limits){2, 4, 4096, 4, 6};
    expect_found(FORM_MULTIPART, &few, PART("name=abcd; filename=f", "123456") LAST,
                 strlen(PART("name=abcd; filename=f", "123456") LAST), "{abcd|f}123456;.");
    expect_found(FORM_MULTIPART, &few, PART("name=abcd; filename=f", "1234567") LAST,
                 strlen(PART("name=abcd; filename=f", "1234567") LAST), "{abcd|f}123456>");
    expect_found(FORM_MULTIPART, &few, PART("name=abcde", "") LAST,
                 strlen(PART("name=abcde", "") LAST), ">");
}
END_TEST

/* Forms made of pieces that parsers stumble over, from a seed. */
START_TEST(any_form_is_found_the_same_wherever_it_is_split)
{
    static const char *const pieces[] = {
        "\r\n",        "--b",       "--",
        "\r",          "\n",        "-",
        "b",           "--b\r\n",   "a=1&",
        "%41",         "%",         "=",
        "&",           "\"",        "Content-Disposition: form-data; name=a\r\n\r\n",
        "\r\n--b\r\n", "\r\n--b--", "xyz"};
    const struct form_limits limits[] = {usual, {2, 3, 44, 5, 6}};
    uint32_t seed = 1;
    char body[512];
    for (int run = 0; run < 400; run++) {
        size_t len = 0;
        uint32_t first = seed;
        while (len < 150) {
            seed = seed * 1664525u + 1013904223u;
            const char *piece = pieces[(seed >> 16) % (sizeof pieces / sizeof pieces[0])];
            memcpy(body + len, piece, strlen(piece));
            len += strlen(piece);
        }
        for (unsigned i = 0; i < 4; i++) {
            enum form_kind kind = i < 2 ? FORM_URLENCODED : FORM_MULTIPART;
            struct px_span span = px_span_of(body, len);
            form_text_read(&whole, kind, &limits[i % 2], "b", span, len, 1);
            for (size_t at = 0; at <= len; at += 1 + at % 3) {
                form_text_read(&other, kind, &limits[i % 2], "b", span, at, 1 + at % 7);
                ck_assert_msg(form_text_same(&whole, &other), "seed %u, split at %zu", first, at);
            }
        }
    }
}
END_TEST

/* ---- types ---- */

static enum form_step type_of(const char *type, const char *boundary)
{
    char found[BOUNDARY_LEN_MAX];
    size_t len = 0;
    enum form_kind kind;
    enum form_step step = form_type((struct px_text){type, strlen(type)}, &kind, found, &len);
    if (step == FORM_DONE) {
        ck_assert_int_eq(kind, boundary == NULL ? FORM_URLENCODED : FORM_MULTIPART);
        ck_assert_uint_eq(len, boundary == NULL ? 0 : strlen(boundary));
        ck_assert(boundary == NULL || memcmp(found, boundary, len) == 0);
    }
    return step;
}

#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

START_TEST(a_type_says_how_to_read)
{
    ck_assert_int_eq(type_of(URLENCODED, NULL), FORM_DONE);
    ck_assert_int_eq(type_of("Application/X-WWW-form-urlencoded ; charset=UTF-8", NULL), FORM_DONE);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=----WebKitFormBoundaryA1",
                             "----WebKitFormBoundaryA1"),
                     FORM_DONE);
    ck_assert_int_eq(
        type_of("MULTIPART/form-data;x=y;BOUNDARY=\"a b'()+_,-./:=?\"", "a b'()+_,-./:=?"),
        FORM_DONE);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=" SEVENTY, SEVENTY), FORM_DONE);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=" SEVENTY "x", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=\"\"", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=\"a \"", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=a; boundary=a", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data; boundary=a*", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/form-data boundary=a", ""), FORM_BAD);
    ck_assert_int_eq(type_of("multipart/mixed; boundary=a", ""), FORM_MORE);
    ck_assert_int_eq(type_of("application/json", ""), FORM_MORE);
    ck_assert_int_eq(type_of("", ""), FORM_MORE);
}
END_TEST

START_TEST(a_type_has_512_bytes)
{
    char type[FORM_TYPE_LEN_MAX + 2] = "multipart/form-data; boundary=a; x=";
    memset(type + strlen(type), 'y', sizeof type - strlen(type) - 1);
    type[FORM_TYPE_LEN_MAX + 1] = '\0';
    ck_assert_int_eq(type_of(type, "a"), FORM_BAD);
    type[FORM_TYPE_LEN_MAX] = '\0';
    ck_assert_int_eq(type_of(type, "a"), FORM_DONE);
}
END_TEST

START_TEST(a_file_is_stored_below_its_last_name)
{
    char name[6];
#define SAFE(text) px_form_safe_name((struct px_text){text, strlen(text)}, name, sizeof name)
    ck_assert_int_eq(SAFE("a.txt"), PX_EOK);
    ck_assert_str_eq(name, "a.txt");
    ck_assert_int_eq(SAFE("ab.txt"), PX_ELIMIT);
    ck_assert_int_eq(SAFE("/etc/x"), PX_EOK);
    ck_assert_str_eq(name, "x");
    ck_assert_int_eq(SAFE("C:\\dir\\y"), PX_EOK);
    ck_assert_str_eq(name, "y");
    ck_assert_int_eq(SAFE("../.."), PX_EINVAL);
    ck_assert_int_eq(SAFE(".htaccess"), PX_EINVAL);
    ck_assert_int_eq(SAFE("a/"), PX_EINVAL);
    ck_assert_int_eq(SAFE(""), PX_EINVAL);
#undef SAFE
}
END_TEST

static void parsers(Suite *suite)
{
    TCase *pairs = tcase_create("urlencoded");
    tcase_add_test(pairs, pairs_are_decoded);
    tcase_add_test(pairs, pairs_may_lack_a_value_a_name_or_both);
    tcase_add_test(pairs, malformed_pairs_are_told_from_others);
    tcase_add_test(pairs, a_value_may_be_any_bytes);
    tcase_add_test(pairs, a_long_value_comes_in_pieces);
    tcase_add_test(pairs, pairs_have_limits);
    suite_add_tcase(suite, pairs);
    TCase *parts = tcase_create("multipart");
    tcase_add_test(parts, parts_are_what_stands_between_delimiters);
    tcase_add_test(parts, what_looks_like_a_delimiter_is_data);
    tcase_add_test(parts, what_stands_before_and_behind_is_nothing);
    tcase_add_test(parts, a_form_that_is_cut_short_is_malformed);
    tcase_add_test(parts, a_delimiter_has_a_line_of_its_own);
    tcase_add_test(parts, names_are_unquoted);
    tcase_add_test(parts, an_extended_filename_counts_more);
    tcase_add_test(parts, a_malformed_head_is_told_from_others);
    tcase_add_test(parts, what_is_encoded_is_not_handed_on_as_if_it_were_not);
    tcase_add_test(parts, parts_have_limits);
    tcase_add_test(parts, any_form_is_found_the_same_wherever_it_is_split);
    tcase_add_test(parts, a_type_says_how_to_read);
    tcase_add_test(parts, a_type_has_512_bytes);
    tcase_add_test(parts, a_file_is_stored_below_its_last_name);
    suite_add_tcase(suite, parts);
}

int main(void)
{
    Suite *suite = suite_create("form");
    parsers(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
