/* wire_json_test.c - requests from text, answers as JSON. */
#include "wire_json.h"

#include <check.h>
#include <stdlib.h>

#include "wire_types.h"

static struct wire_types types;
static char why[WIRE_WHY_MAX];
static char *json;
static size_t json_len;

static void setup(void)
{
    wire_types_fill(&types);
    json = NULL;
}

static void teardown(void)
{
    free(json);
}

/* Packed, and printed again; NULL: refused. */
static const char *through(const char *text)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    free(json);
    json = NULL;
    if (!wire_of_text(&types.description, 1, text, &bytes, &len, why)) {
        return NULL;
    }
    FILE *out = open_memstream(&json, &json_len);
    ck_assert(wire_print_json(&types.description, 1, bytes, len, out));
    fclose(out);
    free(bytes);
    return json;
}

static void expect_field(const char *text, const char *field)
{
    const char *got = through(text);
    ck_assert_msg(got != NULL, "%s: %s", text, why);
    ck_assert_msg(strstr(got, field) != NULL, "%s: %s not in %s", text, field, got);
}

static void expect_refused(const char *text, const char *reason)
{
    ck_assert_msg(through(text) == NULL, "%s was taken: %s", text, json);
    ck_assert_msg(strstr(why, reason) != NULL, "%s: '%s' not in '%s'", text, reason, why);
}

START_TEST(every_type_comes_back_as_it_went_in)
{
    expect_field("{\"f1\": 1.5}", "\"f1\": 1.5");
    expect_field("{\"f2\": -0.25}", "\"f2\": -0.25");
    expect_field("{\"f3\": -5}", "\"f3\": -5");
    expect_field("{\"f4\": 5}", "\"f4\": 5");
    expect_field("{\"f5\": -2147483648}", "\"f5\": -2147483648");
    expect_field("{\"f6\": 6}", "\"f6\": 6");
    expect_field("{\"f7\": 4294967295}", "\"f7\": 4294967295");
    expect_field("{\"f8\": true}", "\"f8\": true");
    expect_field("{\"f9\": \"Grün\"}", "\"f9\": \"Grün\"");
    expect_field("{\"f11\": {\"f4\": 9}}", "\"f11\": {");
    expect_field("{\"f12\": \"a\\\"b\\\\c\\n\"}", "\"f12\": \"a\\\"b\\\\c\\u000a\"");
    expect_field("{\"f13\": 13}", "\"f13\": 13");
    expect_field("{\"f14\": -1}", "\"f14\": -1");
    expect_field("{\"f15\": -15}", "\"f15\": -15");
    expect_field("{\"f16\": -16}", "\"f16\": -16");
    expect_field("{\"f17\": -17}", "\"f17\": -17");
    expect_field("{\"f18\": -9007199254740992}", "\"f18\": -9007199254740992");
}
END_TEST

START_TEST(lists_keep_their_order)
{
    expect_field("{\"l4\": [3, 1, 2], \"l12\": [\"a\", {\"hex\": \"ff\"}]}", "\"l4\": [3, 1, 2]");
    expect_field("{\"l12\": [\"a\", {\"hex\": \"ff00\"}, \"\"]}",
                 "\"l12\": [\"a\", {\"hex\": \"ff00\"}, \"\"]");
    expect_field("{\"l11\": [{\"f4\": 1}, {}]}", "\"f4\": 1, ");
    expect_field("{\"l4\": []}", "\"l4\": []");
}
END_TEST

START_TEST(numbers_that_readers_would_round_are_strings_and_taken_as_such)
{
    expect_field("{\"f4\": 9007199254740993}", "\"f4\": \"9007199254740993\"");
    expect_field("{\"f6\": \"18446744073709551615\"}", "\"f6\": \"18446744073709551615\"");
    expect_field("{\"f3\": -9223372036854775808}", "\"f3\": \"-9223372036854775808\"");
}
END_TEST

START_TEST(what_is_not_said_is_zero)
{
    ck_assert_ptr_nonnull(strstr(through("{}"), "\"f4\": 0, "));
    ck_assert_ptr_nonnull(strstr(through(""), "\"f8\": false, "));
    ck_assert_ptr_nonnull(strstr(through("{}"), "\"f11\": null"));
    ck_assert_ptr_nonnull(strstr(through("{}"), "\"l4\": []"));
}
END_TEST

START_TEST(what_does_not_fit_is_told_with_its_column)
{
    expect_refused("{\"f99\": 1}", "column 2: there is no field 'f99'; there are: f1, f2");
    expect_refused("{\"f4\": -1}", "column 8: f4: expected a number from 0, found '-1'");
    expect_refused("{\"f4\": 18446744073709551616}", "expected a number from 0");
    expect_refused("{\"f7\": 4294967296}", "0 to 4294967295");
    expect_refused("{\"f5\": 2147483648}", "32 bits");
    expect_refused("{\"f3\": 1.5}", "a whole number");
    expect_refused("{\"f8\": yes}", "true or false");
    expect_refused("{\"f1\": x}", "a number");
    expect_refused("{\"f4\": [1]}", "one value");
    expect_refused("{\"l4\": 1}", "a list");
    expect_refused("{\"f11\": 1}", "expected {...}, a t.All");
    expect_refused("{\"f12\": {\"hex\": \"0\"}}", "hex");
    expect_refused("{\"f12\": {\"hex\": \"0g\"}}", "digits");
    expect_refused("[]", "expected {...}");
    expect_refused("{\"f4\": 1} {}", "expected");
    expect_refused("{\"f4\": 1", "expected JSON");
    expect_refused("{\"f4\": *x}", "expected");
}
END_TEST

START_TEST(messages_in_each_other_end_at_the_limit)
{
    char text[16 * WIRE_DEPTH_MAX + 64] = "";
    for (int i = 0; i < WIRE_DEPTH_MAX; i++) {
        strcat(text, "{\"f11\": ");
    }
    strcat(text, "{}");
    memset(text + strlen(text), '}', WIRE_DEPTH_MAX);
    ck_assert_msg(through(text) != NULL, "%s", why);
    memmove(text + 8, text, strlen(text) + 1);
    memcpy(text, "{\"f11\": ", 8);
    strcat(text, "}");
    expect_refused(text, "at most 16 messages in each other");
}
END_TEST

START_TEST(bytes_that_make_no_sense_are_not_an_answer)
{
    static const char *const wrong[] = {"\x22", "b\005a", "\x0b",
                                        "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        FILE *out = open_memstream(&json, &json_len);
        ck_assert(!wire_print_json(&types.description, 1, (const uint8_t *)wrong[i],
                                   strlen(wrong[i]), out));
        fclose(out);
        free(json);
        json = NULL;
    }
}
END_TEST

START_TEST(packed_numbers_and_the_last_of_several_count)
{
    static const uint8_t bytes[] = {(24 << 3 & 0x7f) | 0x80 | 2, 1, 2, 5, 6, 4 << 3, 1, 4 << 3, 7};
    FILE *out = open_memstream(&json, &json_len);
    ck_assert(wire_print_json(&types.description, 1, bytes, sizeof bytes, out));
    fclose(out);
    ck_assert_ptr_nonnull(strstr(json, "\"l4\": [5, 6]"));
    ck_assert_ptr_nonnull(strstr(json, "\"f4\": 7"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_json");
    TCase *tcase = tcase_create("text and wire");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_type_comes_back_as_it_went_in);
    tcase_add_test(tcase, lists_keep_their_order);
    tcase_add_test(tcase, numbers_that_readers_would_round_are_strings_and_taken_as_such);
    tcase_add_test(tcase, what_is_not_said_is_zero);
    tcase_add_test(tcase, what_does_not_fit_is_told_with_its_column);
    tcase_add_test(tcase, messages_in_each_other_end_at_the_limit);
    tcase_add_test(tcase, bytes_that_make_no_sense_are_not_an_answer);
    tcase_add_test(tcase, packed_numbers_and_the_last_of_several_count);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
