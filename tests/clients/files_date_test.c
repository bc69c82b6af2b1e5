/* files_date_test.c - the dates of RFC 9110 5.6.7. */
#include "files_date.h"
#include "files_run.h"

enum { THEN = 784111777, NOW = 1700000000 }; /* 1994-11-06 08:49:37; 2023-11-14 22:13:20 */

static const struct {
    const char *text;
    int64_t at_s;
} good[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", THEN},
    {"Sunday, 06-Nov-94 08:49:37 GMT", THEN},
    {"Sun Nov  6 08:49:37 1994", THEN},
    {"Mon, 06 Nov 1994 08:49:37 GMT", THEN}, /* the wrong day of the week does no harm */
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
    {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
    {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800},
    {"Sat, 01 Mar 1600 00:00:00 GMT", -11670912000},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, /* a leap second is the next one */
    {"Tuesday, 14-Nov-23 22:13:20 GMT", NOW},
    {"Friday, 31-Dec-73 00:00:00 GMT", 3281904000}, /* 50 years ahead is ahead */
    {"Tuesday, 01-Jan-74 00:00:00 GMT", 126230400}, /* more is past */
    {"Wed Jan 10 00:00:00 2024", 1704844800},
};

START_TEST(each_of_the_three_forms_is_read)
{
    int64_t at_s = 0;
    ck_assert_msg(date_parse(text_of(good[_i].text), NOW, &at_s), "%s", good[_i].text);
    ck_assert_msg(at_s == good[_i].at_s, "%s: %lld", good[_i].text, (long long)at_s);
}
END_TEST

static const char *const bad[] = {
    "",
    "Sun",
    "Sun,",
    "0",
    "784111777",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "sun, 06 nov 1994 08:49:37 gmt",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 31 Nov 1994 08:49:37 GMT",
    "Wed, 29 Feb 2023 00:00:00 GMT",
    "Thu, 29 Feb 1900 00:00:00 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:-7 GMT",
    "Sun, 06 Nov +994 08:49:37 GMT",
    "Sun, 06 Now 1994 08:49:37 GMT",
    "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT",
    "Sun Nov 06  08:49:37 1994",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov  6 08:49:37 94",
    "Sun Nov  6 08:49:37 1994 GMT",
};

START_TEST(what_is_no_date_is_not_read)
{
    int64_t at_s = 42;
    ck_assert_msg(!date_parse(text_of(bad[_i]), NOW, &at_s), "%s", bad[_i]);
    ck_assert_int_eq(at_s, 42);
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
    char text[DATE_TEXT_MAX];
    int64_t back = 0;
    date_format(THEN, text);
    ck_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (int64_t at_s = -62000000000; at_s < 253402300799; at_s += 86399 * 37) {
        date_format(at_s, text);
        ck_assert_msg(date_parse(text_of(text), NOW, &back) && back == at_s, "%s", text);
    }
}
END_TEST

START_TEST(what_lies_beyond_the_year_9999_stays_in_it)
{
    char text[DATE_TEXT_MAX];
    date_format(INT64_MAX / 2, text);
    ck_assert_str_eq(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    date_format(INT64_MIN / 2, text);
    ck_assert_str_eq(text, "Sat, 01 Jan 0000 00:00:00 GMT");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files_date");
    TCase *tcase = tcase_create("dates");
    tcase_add_loop_test(tcase, each_of_the_three_forms_is_read, 0, ROWS(good));
    tcase_add_loop_test(tcase, what_is_no_date_is_not_read, 0, ROWS(bad));
    tcase_add_test(tcase, what_is_written_is_read_again);
    tcase_add_test(tcase, what_lies_beyond_the_year_9999_stays_in_it);
    suite_add_tcase(suite, tcase);
    return suite_end(suite);
}
