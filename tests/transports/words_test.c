/* words_test.c - lines out of what a process writes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

enum { SECOND = 1000000 };

static struct heard {
    uint32_t n;
    enum px_log_level level;
    char line[WORDS_LINE_MAX + 1];
} heard;

static void on_line(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    heard.n++;
    heard.level = level;
    strcpy(heard.line, line);
}

static struct words begin(void)
{
    heard = (struct heard){.n = 0};
    return (struct words){.line = on_line};
}

static void say(struct words *w, const char *text, uint64_t now_us)
{
    words_take(w, text, strlen(text), now_us);
}

START_TEST(a_line_is_told_when_it_has_ended_wherever_it_was_cut)
{
    struct words w = begin();
    say(&w, "h1 pe", 1);
    ck_assert_uint_eq(heard.n, 0);
    say(&w, "er n=3\nnext", 1);
    ck_assert_uint_eq(heard.n, 1);
    ck_assert_str_eq(heard.line, "h1 peer n=3");
    say(&w, "\n\n\n", 1);
    ck_assert_uint_eq(heard.n, 2); /* empty lines are none */
    ck_assert_str_eq(heard.line, "next");
}
END_TEST

START_TEST(a_line_may_begin_with_its_level)
{
    struct words w = begin();
    say(&w, "plain\n", 1);
    ck_assert_int_eq(heard.level, PX_LOG_WARN);
    say(&w, "<0>bad\n", 1);
    ck_assert_int_eq(heard.level, PX_LOG_ERROR);
    ck_assert_str_eq(heard.line, "bad");
    say(&w, "<2>good\n", 1);
    ck_assert_int_eq(heard.level, PX_LOG_INFO);
    say(&w, "<7>odd\n", 1);
    ck_assert_str_eq(heard.line, "<7>odd");
}
END_TEST

START_TEST(a_line_is_cut_at_its_limit_and_what_cannot_be_printed_is_replaced)
{
    char text[WORDS_LINE_MAX + 2];
    struct words w = begin();
    memset(text, 'x', sizeof text);
    words_take(&w, text, WORDS_LINE_MAX, 1);
    say(&w, "\n", 1);
    ck_assert_uint_eq(strlen(heard.line), WORDS_LINE_MAX);
    words_take(&w, text, WORDS_LINE_MAX + 1, 1);
    say(&w, "\n", 1);
    ck_assert_uint_eq(strlen(heard.line), WORDS_LINE_MAX);
    words_take(&w, "a\x1b[1m\0\xff.\n", 9, 1);
    ck_assert_str_eq(heard.line, "a?[1m?"
                                 "?.");
}
END_TEST

START_TEST(the_1001st_line_of_a_second_is_dropped_and_the_next_second_says_so)
{
    struct words w = begin();
    for (int i = 0; i < WORDS_A_SECOND; i++) {
        say(&w, "again\n", 5 * SECOND);
    }
    ck_assert_uint_eq(heard.n, WORDS_A_SECOND);
    say(&w, "too much\n", 6 * SECOND - 1);
    ck_assert_uint_eq(heard.n, WORDS_A_SECOND);
    say(&w, "later\n", 6 * SECOND);
    ck_assert_uint_eq(heard.n, WORDS_A_SECOND + 2);
    ck_assert_str_eq(heard.line, "later");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_line_is_told_when_it_has_ended_wherever_it_was_cut);
    tcase_add_test(tcase, a_line_may_begin_with_its_level);
    tcase_add_test(tcase, a_line_is_cut_at_its_limit_and_what_cannot_be_printed_is_replaced);
    tcase_add_test(tcase, the_1001st_line_of_a_second_is_dropped_and_the_next_second_says_so);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
