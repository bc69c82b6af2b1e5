/* files_range_test.c - RFC 9110 14, a row a case, for a representation of 10,000 bytes. */
#include <stdio.h>

#include "files_range.h"
#include "files_run.h"

enum { LENGTH = 10000, ALL = RANGES_ALL, NONE = RANGES_NONE, SOME = RANGES_SOME, SHOWN_MAX = 3 };

static const struct {
    const char *value;
    int verdict;
    struct byte_range ranges[SHOWN_MAX];
} rows[] = {
    /* the examples of 14.1.2 */
    {"bytes=0-499", SOME, {{0, 500}}},
    {"bytes=500-999", SOME, {{500, 500}}},
    {"bytes=-500", SOME, {{9500, 500}}},
    {"bytes=9500-", SOME, {{9500, 500}}},
    {"bytes=0-0,-1", SOME, {{0, 1}, {9999, 1}}},
    {"bytes= 0-999, 4500-5499, -1000", SOME, {{0, 1000}, {4500, 1000}, {9000, 1000}}},
    {"bytes=500-600,601-999", SOME, {{500, 101}, {601, 399}}},
    {"bytes=500-700,601-999", SOME, {{500, 201}, {601, 399}}},
    /* what goes beyond the end is cut to it */
    {"bytes=9999-10000", SOME, {{9999, 1}}},
    {"bytes=0-99999999999999999999999", SOME, {{0, LENGTH}}},
    {"bytes=0-18446744073709551616", SOME, {{0, LENGTH}}},
    {"bytes=-10001", SOME, {{0, LENGTH}}},
    {"bytes=-99999999999999999999999", SOME, {{0, LENGTH}}},
    {"bytes=0-", SOME, {{0, LENGTH}}},
    /* what is not there is left out; 416 if nothing remains */
    {"bytes=10000-", NONE, {{0, 0}}},
    {"bytes=10000-10001", NONE, {{0, 0}}},
    {"bytes=99999999999999999999999-", NONE, {{0, 0}}},
    {"bytes=-0", NONE, {{0, 0}}},
    {"bytes=10000-,20000-", NONE, {{0, 0}}},
    {"bytes=10000-,5-6", SOME, {{5, 2}}},
    {"bytes=-0,5-6", SOME, {{5, 2}}},
    /* any order, any case of the unit, empty elements */
    {"bytes=5-6,1-2", SOME, {{5, 2}, {1, 2}}},
    {"BYTES=1-2", SOME, {{1, 2}}},
    {"bytes=,,1-2, ,", SOME, {{1, 2}}},
    {"bytes=1-2 ,\t3-4", SOME, {{1, 2}, {3, 2}}},
    {"bytes=007-0008", SOME, {{7, 2}}},
    /* malformed, or not in bytes: there is no Range */
    {"bytes=2-1", ALL, {{0, 0}}},
    {"bytes=5-6,2-1", ALL, {{0, 0}}},
    {"bytes", ALL, {{0, 0}}},
    {"bytes=", ALL, {{0, 0}}},
    {"bytes=,", ALL, {{0, 0}}},
    {"bytes=-", ALL, {{0, 0}}},
    {"bytes=1", ALL, {{0, 0}}},
    {"bytes=a-b", ALL, {{0, 0}}},
    {"bytes=1-b", ALL, {{0, 0}}},
    {"bytes=1-2-3", ALL, {{0, 0}}},
    {"bytes=--1", ALL, {{0, 0}}},
    {"bytes=1 -2", ALL, {{0, 0}}},
    {"bytes=1-2;3-4", ALL, {{0, 0}}},
    {"bytes=1-2 3-4", ALL, {{0, 0}}},
    {"bytes=+1-2", ALL, {{0, 0}}},
    {"bytes=0x1-2", ALL, {{0, 0}}},
    {"bytes =1-2", ALL, {{0, 0}}},
    {"bytes:1-2", ALL, {{0, 0}}},
    {"bytes]1-2", ALL, {{0, 0}}},
    {"items=1-2", ALL, {{0, 0}}},
    {"", ALL, {{0, 0}}},
    /* asking for too much (14.2, 17.15): everything, once */
    {"bytes=0-,0-", ALL, {{0, 0}}},
    {"bytes=0-9999,0-0", ALL, {{0, 0}}},
    {"bytes=0-5000,4000-9999", ALL, {{0, 0}}}, /* more bytes than there are */
    {"bytes=0-10,5-15,10-20", ALL, {{0, 0}}},  /* three that overlap */
    {"bytes=0-10,5-15,20-30", SOME, {{0, 11}, {5, 11}, {20, 11}}},
};

START_TEST(a_range_field_means_what_rfc_9110_says)
{
    struct byte_range ranges[RANGES_MAX];
    uint32_t n = 0, n_wanted = 0;
    enum ranges verdict = ranges_parse(text_of(rows[_i].value), LENGTH, RANGES_DEFAULT, ranges, &n);
    ck_assert_msg((int)verdict == rows[_i].verdict, "%s", rows[_i].value);
    while (n_wanted < SHOWN_MAX && rows[_i].ranges[n_wanted].len > 0) {
        n_wanted++;
    }
    ck_assert_msg(n == n_wanted, "%s: %u ranges", rows[_i].value, n);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_msg(ranges[i].first == rows[_i].ranges[i].first &&
                          ranges[i].len == rows[_i].ranges[i].len,
                      "%s", rows[_i].value);
    }
}
END_TEST

/* "bytes=0-0,2-2,..." */
static struct px_text ranges_text(uint32_t n, char text[1024])
{
    size_t len = (size_t)snprintf(text, 1024, "bytes=");
    for (uint32_t i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, 1024 - len, "%s%u-%u", i == 0 ? "" : ",", 2 * i, 2 * i);
    }
    return (struct px_text){text, len};
}

START_TEST(the_seventeenth_range_gets_everything)
{
    struct byte_range ranges[RANGES_MAX];
    char text[1024];
    uint32_t n = 0;
    ck_assert_int_eq(ranges_parse(ranges_text(16, text), LENGTH, 16, ranges, &n), SOME);
    ck_assert_uint_eq(n, 16);
    ck_assert_int_eq(ranges_parse(ranges_text(17, text), LENGTH, 16, ranges, &n), ALL);
    ck_assert_int_eq(ranges_parse(ranges_text(1, text), LENGTH, 1, ranges, &n), SOME);
    ck_assert_int_eq(ranges_parse(ranges_text(2, text), LENGTH, 1, ranges, &n), ALL);
    ck_assert_int_eq(ranges_parse(ranges_text(64, text), LENGTH, 1000, ranges, &n), SOME);
    ck_assert_uint_eq(n, RANGES_MAX);
    ck_assert_int_eq(ranges_parse(ranges_text(65, text), LENGTH, 1000, ranges, &n), ALL);
}
END_TEST

START_TEST(nothing_has_no_ranges)
{
    struct byte_range ranges[RANGES_MAX];
    uint32_t n = 0;
    ck_assert_int_eq(ranges_parse(text_of("bytes=0-"), 0, 16, ranges, &n), ALL);
    ck_assert_int_eq(ranges_parse(text_of("bytes=-1"), 0, 16, ranges, &n), ALL);
}
END_TEST

START_TEST(the_largest_file_has_a_last_byte)
{
    struct byte_range ranges[RANGES_MAX];
    uint32_t n = 0;
    ck_assert_int_eq(ranges_parse(text_of("bytes=-1"), INT64_MAX, 16, ranges, &n), SOME);
    ck_assert_uint_eq(ranges[0].first, (uint64_t)INT64_MAX - 1);
    ck_assert_int_eq(ranges_parse(text_of("bytes=1-,2-"), INT64_MAX, 16, ranges, &n), ALL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files_range");
    TCase *tcase = tcase_create("RFC 9110 14");
    tcase_add_loop_test(tcase, a_range_field_means_what_rfc_9110_says, 0, ROWS(rows));
    tcase_add_test(tcase, the_seventeenth_range_gets_everything);
    tcase_add_test(tcase, nothing_has_no_ranges);
    tcase_add_test(tcase, the_largest_file_has_a_last_byte);
    suite_add_tcase(suite, tcase);
    return suite_end(suite);
}
