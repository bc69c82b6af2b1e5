/* header_list_test.c - serialized header lists, written and walked. */
#include "header_list.h"

#include <check.h>
#include <stdlib.h>

static uint8_t memory[70000];

static struct px_span list_of_one(const char *name, struct px_span value)
{
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    px_header_list_put(&out, px_span_of_str(name), value);
    ck_assert(!out.overflow);
    ck_assert_uint_eq(px_bytes_out_len(&out), px_header_size(strlen(name), value.len));
    return px_bytes_out_span(&out);
}

/* A literal, so that zero bytes count. */
#define LIST(text) px_span_of(text, sizeof(text) - 1)

START_TEST(what_was_put_is_walked_in_order)
{
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    px_header_list_put(&out, px_span_of_str("accept"), px_span_of_str("*/*"));
    px_header_list_put(&out, px_span_of_str("x"), px_span_of(NULL, 0));
    px_header_list_put(&out, px_span_of_str("accept"), px_span_of_str("b"));
    struct px_bytes in = px_bytes_of_span(px_bytes_out_span(&out));
    struct px_header h;
    ck_assert(px_header_list_next(&in, &h));
    ck_assert(px_span_equal_str(h.name, "accept") && px_span_equal_str(h.value, "*/*"));
    ck_assert(px_header_list_next(&in, &h));
    ck_assert(px_span_equal_str(h.name, "x") && h.value.len == 0);
    ck_assert(px_header_list_next(&in, &h));
    ck_assert(px_span_equal_str(h.name, "accept") && px_span_equal_str(h.value, "b"));
    ck_assert(!px_header_list_next(&in, &h));
    ck_assert(!in.failed);
}
END_TEST

START_TEST(the_bytes_are_those_of_a_protobuf_library)
{
    ck_assert(px_span_equal(list_of_one("ab", px_span_of_str("xyz")), LIST("\x0a\x09\x0a\x02"
                                                                           "ab\x12\x03"
                                                                           "xyz")));
    ck_assert(px_span_equal(list_of_one("ab", px_span_of(NULL, 0)), LIST("\x0a\x04\x0a\x02"
                                                                         "ab")));
}
END_TEST

START_TEST(long_values_get_long_lengths)
{
    static char text[65000];
    static const size_t lens[] = {117, 118, 119, 120, 121,   122,   123,   124,  125,
                                  126, 127, 128, 129, 16370, 16383, 16384, 65000};
    memset(text, 'v', sizeof text);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct px_bytes in = px_bytes_of_span(list_of_one("n", px_span_of(text, lens[i])));
        struct px_header h;
        ck_assert(px_header_list_next(&in, &h));
        ck_assert(px_span_equal(h.value, px_span_of(text, lens[i])));
        ck_assert(!px_header_list_next(&in, &h));
        ck_assert(!in.failed);
    }
}
END_TEST

START_TEST(a_header_that_does_not_fit_is_not_begun)
{
    struct px_bytes_out out = px_bytes_out_of(memory, 9);
    px_header_list_put(&out, px_span_of_str("ab"), px_span_of_str("xyz"));
    ck_assert_uint_eq(px_bytes_out_len(&out), 0);
    ck_assert(out.overflow);
    out = px_bytes_out_of(memory, 11);
    px_header_list_put(&out, px_span_of_str("ab"), px_span_of_str("xyz"));
    ck_assert_uint_eq(px_bytes_out_len(&out), 11);
    ck_assert(!out.overflow);
}
END_TEST

START_TEST(the_first_of_a_name_is_found)
{
    struct px_span list = LIST("\x0a\x05\x0a\x03"
                               "abc"
                               "\x0a\x06\x0a\x01"
                               "b\x12\x01"
                               "1"
                               "\x0a\x06\x0a\x01"
                               "b\x12\x01"
                               "2");
    struct px_span value = px_span_of_str("untouched");
    ck_assert(px_header_list_find(list, "b", &value));
    ck_assert(px_span_equal_str(value, "1"));
    ck_assert(px_header_list_find(list, "abc", &value));
    ck_assert_uint_eq(value.len, 0);
    value = px_span_of_str("untouched");
    ck_assert(!px_header_list_find(list, "ab", &value));
    ck_assert(!px_header_list_find(list, "B", &value));
    ck_assert(px_span_equal_str(value, "untouched"));
}
END_TEST

START_TEST(an_empty_list_is_valid)
{
    ck_assert(px_header_list_is_valid(px_span_of(NULL, 0)));
}
END_TEST

START_TEST(every_malformed_list_is_refused)
{
    static const struct px_span lists[] = {
        {(const uint8_t *)"\x0a", 1},                                 /* no length */
        {(const uint8_t *)"\x0a\x00", 2},                             /* no name */
        {(const uint8_t *)"\x0a\x02\x0a\x00", 4},                     /* empty name */
        {(const uint8_t *)"\x0a\x03\x12\x01v", 5},                    /* value alone */
        {(const uint8_t *)"\x0a\x06\x12\x01v\x0a\x01n", 8},           /* value first */
        {(const uint8_t *)"\x0a\x06\x0a\x01n\x0a\x01m", 8},           /* two names */
        {(const uint8_t *)"\x0a\x09\x0a\x01n\x12\x01v\x12\x01w", 11}, /* two values */
        {(const uint8_t *)"\x0a\x05\x0a\x01n\x18\x01", 7},            /* unknown field behind */
        {(const uint8_t *)"\x0a\x08\x0a\x01n\x12\x01v\x18\x01", 10},
        {(const uint8_t *)"\x12\x03\x0a\x01n", 5},          /* unknown field of the list */
        {(const uint8_t *)"\x0a\x04\x0a\x01n", 5},          /* header longer than the list */
        {(const uint8_t *)"\x0a\x03\x0a\x02n", 5},          /* name longer than its header */
        {(const uint8_t *)"\x0a\x06\x0a\x01n\x12\x02v", 8}, /* value longer than its header */
        {(const uint8_t *)"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {(const uint8_t *)"\x0a\x0c\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01n", 14},
        {(const uint8_t *)"\x0b\x03\x0a\x01n", 5}, /* wrong wire type */
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        ck_assert_msg(!px_header_list_is_valid(lists[i]), "list %zu", i);
        struct px_span value;
        ck_assert(!px_header_list_find(lists[i], "absent", &value));
    }
}
END_TEST

START_TEST(an_explicit_empty_value_is_taken)
{
    struct px_span value = px_span_of_str("x");
    ck_assert(px_header_list_find(LIST("\x0a\x05\x0a\x01n\x12\x00"), "n", &value));
    ck_assert_uint_eq(value.len, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *tcase = tcase_create("header list");
    tcase_add_test(tcase, what_was_put_is_walked_in_order);
    tcase_add_test(tcase, the_bytes_are_those_of_a_protobuf_library);
    tcase_add_test(tcase, long_values_get_long_lengths);
    tcase_add_test(tcase, a_header_that_does_not_fit_is_not_begun);
    tcase_add_test(tcase, the_first_of_a_name_is_found);
    tcase_add_test(tcase, an_empty_list_is_valid);
    tcase_add_test(tcase, every_malformed_list_is_refused);
    tcase_add_test(tcase, an_explicit_empty_value_is_taken);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
