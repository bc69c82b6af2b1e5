/* files_condition_test.c - RFC 9110 13, a row a case. The representation has the entity-tag "a" and
 * was modified at THEN.
 */
#include "files_condition.h"
#include "files_run.h"

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

enum { THEN_S = 784111777, NOW_S = THEN_S + 3600, FIELDS_MAX = 3, N = CONDITION_NOT_MODIFIED };
enum { GO = CONDITION_GO, F = CONDITION_FAILED };

struct row {
    struct {
        const char *name, *value;
    } fields[FIELDS_MAX];
    int get, other; /* what GET is told, and another method */
};

static enum condition judge(const struct row *row, bool is_get)
{
    struct validators validators = {"\"a\"", THEN_S, NOW_S};
    struct conditions conditions;
    conditions_begin(&conditions, &validators);
    for (int i = 0; i < FIELDS_MAX && row->fields[i].name != NULL; i++) {
        conditions_add(&conditions, text_of(row->fields[i].name), text_of(row->fields[i].value));
    }
    return conditions_judge(&conditions, is_get);
}

static void check_row(const struct row *row)
{
    const char *what = row->fields[0].value == NULL ? "nothing" : row->fields[0].value;
    ck_assert_msg((int)judge(row, true) == row->get, "GET: %s", what);
    ck_assert_msg((int)judge(row, false) == row->other, "another method: %s", what);
}

/* 13.1.1: strong comparison; * if there is a representation. */
static const struct row match_rows[] = {
    {{{NULL, NULL}}, GO, GO},
    {{{"if-match", "\"a\""}}, GO, GO},
    {{{"if-match", "*"}}, GO, GO},
    {{{"if-match", "\"b\""}}, F, F},
    {{{"if-match", "W/\"a\""}}, F, F},
    {{{"if-match", "\"b\", \"a\""}}, GO, GO},
    {{{"if-match", "\"b\",\"a\""}}, GO, GO},
    {{{"if-match", "W/\"a\", \"a\""}}, GO, GO},
    {{{"if-match", ", ,\"a\""}}, GO, GO},
    {{{"if-match", "\"b\", \"c\""}}, F, F},
    {{{"if-match", "\"x,\", \"a\""}}, GO, GO}, /* a comma inside a tag is its own */
    {{{"if-match", "\"x, \"a\""}}, F, F},
    {{{"if-match", "a"}}, F, F},
    {{{"if-match", ""}}, F, F},
    {{{"if-match", "\"a"}}, F, F},
    {{{"if-match", "\"a\"x"}}, GO, GO},
    {{{"if-match", "\"b\"\"a\""}}, F, F}, /* what follows a mistake is not read */
    {{{"if-match", "*, \"b\""}}, F, F},
    {{{"if-match", "\"A\""}}, F, F},
    {{{"if-match", "\"b\""}, {"if-match", "\"a\""}}, GO, GO}, /* two lines are one list */
};

START_TEST(if_match_is_compared_strongly)
{
    check_row(&match_rows[_i]);
}
END_TEST

/* 13.1.2: weak comparison. */
static const struct row none_match_rows[] = {
    {{{"if-none-match", "\"a\""}}, N, F},
    {{{"if-none-match", "W/\"a\""}}, N, F},
    {{{"if-none-match", "*"}}, N, F},
    {{{"if-none-match", "\"b\""}}, GO, GO},
    {{{"if-none-match", "\"b\", W/\"a\""}}, N, F},
    {{{"if-none-match", "\"b\" , \"c\"\t,\"a\""}}, N, F},
    {{{"if-none-match", "w/\"a\""}}, GO, GO}, /* the W is capital */
    {{{"if-none-match", "a"}}, GO, GO},
    {{{"if-none-match", ""}}, GO, GO},
    {{{"if-none-match", "\"\""}}, GO, GO},
    {{{"if-none-match", "\"b\""}, {"if-none-match", "\"a\""}}, N, F},
};

START_TEST(if_none_match_is_compared_weakly)
{
    check_row(&none_match_rows[_i]);
}
END_TEST

/* 13.1.3: only GET and HEAD; not a date: ignored. */
static const struct row modified_rows[] = {
    {{{"if-modified-since", BEFORE}}, GO, GO},
    {{{"if-modified-since", THEN}}, N, GO},
    {{{"if-modified-since", AFTER}}, N, GO},
    {{{"if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT"}}, N, GO},
    {{{"if-modified-since", "Sun Nov  6 08:49:37 1994"}}, N, GO},
    {{{"if-modified-since", "yesterday"}}, GO, GO},
    {{{"if-modified-since", ""}}, GO, GO},
    {{{"if-modified-since", THEN ", " THEN}}, GO, GO},
};

START_TEST(if_modified_since_is_for_get)
{
    check_row(&modified_rows[_i]);
}
END_TEST

/* 13.1.4 */
static const struct row unmodified_rows[] = {
    {{{"if-unmodified-since", BEFORE}}, F, F},  {{{"if-unmodified-since", THEN}}, GO, GO},
    {{{"if-unmodified-since", AFTER}}, GO, GO}, {{{"if-unmodified-since", "yesterday"}}, GO, GO},
    {{{"if-unmodified-since", ""}}, GO, GO},
};

START_TEST(if_unmodified_since_is_for_all)
{
    check_row(&unmodified_rows[_i]);
}
END_TEST

/* 13.2.2: who is asked first, and who is not asked any more. */
static const struct row order_rows[] = {
    /* If-Match decides, If-Unmodified-Since is not evaluated */
    {{{"if-match", "\"a\""}, {"if-unmodified-since", BEFORE}}, GO, GO},
    {{{"if-unmodified-since", AFTER}, {"if-match", "\"b\""}}, F, F},
    /* If-None-Match decides, If-Modified-Since is not evaluated */
    {{{"if-none-match", "\"b\""}, {"if-modified-since", AFTER}}, GO, GO},
    {{{"if-modified-since", BEFORE}, {"if-none-match", "\"a\""}}, N, F},
    {{{"if-none-match", "broken"}, {"if-modified-since", AFTER}}, GO, GO},
    /* 412 comes before 304 */
    {{{"if-none-match", "\"a\""}, {"if-match", "\"b\""}}, F, F},
    {{{"if-modified-since", AFTER}, {"if-unmodified-since", BEFORE}}, F, F},
    /* and when the first holds, the second still counts */
    {{{"if-match", "\"a\""}, {"if-none-match", "\"a\""}}, N, F},
    {{{"if-match", "*"}, {"if-modified-since", THEN}}, N, GO},
    {{{"if-unmodified-since", THEN}, {"if-modified-since", THEN}}, N, GO},
    {{{"if-unmodified-since", AFTER}, {"if-none-match", "\"a\""}}, N, F},
    {{{"if-match", "\"a\""}, {"if-none-match", "\"b\""}, {"if-modified-since", AFTER}}, GO, GO},
    {{{"if-matches", "\"b\""}, {"if", "\"b\""}}, GO, GO}, /* others are not ours */
};

START_TEST(preconditions_are_evaluated_in_order)
{
    check_row(&order_rows[_i]);
}
END_TEST

/* 13.1.5, 14.2: when the Range is obeyed. */
static const struct {
    const char *if_range;
    bool obeyed;
} if_range_rows[] = {
    {NULL, true},
    {"\"a\"", true},
    {"\"b\"", false},
    {"W/\"a\"", false}, /* strong comparison */
    {"\"a\", \"b\"", false},
    {"*", false},
    {"a", false},
    {"", false},
    {THEN, true}, /* an exact match */
    {"Sun Nov  6 08:49:37 1994", true},
    {BEFORE, false},
    {AFTER, false},
    {"yesterday", false},
};

START_TEST(if_range_wants_exactly_what_is_there)
{
    struct validators validators = {"\"a\"", THEN_S, NOW_S};
    struct conditions conditions;
    struct px_text range;
    conditions_begin(&conditions, &validators);
    if (if_range_rows[_i].if_range != NULL) {
        conditions_add(&conditions, text_of("if-range"), text_of(if_range_rows[_i].if_range));
    }
    ck_assert(!conditions_range(&conditions, &range)); /* without Range it means nothing */
    conditions_add(&conditions, text_of("range"), text_of("bytes=0-1"));
    ck_assert_int_eq(conditions_range(&conditions, &range), if_range_rows[_i].obeyed);
    ck_assert_int_eq(conditions_judge(&conditions, true), CONDITION_GO);
}
END_TEST

START_TEST(a_date_of_this_very_second_is_no_strong_validator)
{
    struct validators validators = {"\"a\"", THEN_S, THEN_S};
    struct conditions conditions;
    struct px_text range;
    conditions_begin(&conditions, &validators);
    conditions_add(&conditions, text_of("range"), text_of("bytes=0-1"));
    conditions_add(&conditions, text_of("if-range"), text_of(THEN));
    ck_assert(!conditions_range(&conditions, &range));
    validators.now_s++;
    conditions_add(&conditions, text_of("if-range"), text_of(THEN));
    ck_assert(conditions_range(&conditions, &range));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files_condition");
    TCase *tcase = tcase_create("RFC 9110 13");
    tcase_add_loop_test(tcase, if_match_is_compared_strongly, 0, ROWS(match_rows));
    tcase_add_loop_test(tcase, if_none_match_is_compared_weakly, 0, ROWS(none_match_rows));
    tcase_add_loop_test(tcase, if_modified_since_is_for_get, 0, ROWS(modified_rows));
    tcase_add_loop_test(tcase, if_unmodified_since_is_for_all, 0, ROWS(unmodified_rows));
    tcase_add_loop_test(tcase, preconditions_are_evaluated_in_order, 0, ROWS(order_rows));
    tcase_add_loop_test(tcase, if_range_wants_exactly_what_is_there, 0, ROWS(if_range_rows));
    tcase_add_test(tcase, a_date_of_this_very_second_is_no_strong_validator);
    suite_add_tcase(suite, tcase);
    return suite_end(suite);
}
