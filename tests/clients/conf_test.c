/* conf_test.c - reading configuration files: what is taken, and what each mistake is told as.
 */
#include "conf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const colours[] = {"red", "green", "blue", NULL};

static const char *even(const char *text)
{
    return strlen(text) % 2 == 0 ? NULL : "a text of even length";
}

static const struct conf_key inner[] = {
    {.name = "address", .kind = CONF_TEXT, .flags = CONF_REQUIRED, .min = 1, .max = 16},
    {.name = "backlog", .kind = CONF_COUNT, .min = 1, .max = 64, .standard = "8"},
    {.name = "mode", .kind = CONF_MODE, .max = 0777, .standard = "0600"},
    {0},
};
static const struct conf_key inner_item = {
    .name = "entry", .kind = CONF_MAP, .flags = CONF_SHORT, .keys = inner};
static const struct conf_key text_item = {.name = "text", .kind = CONF_TEXT, .max = 32};
static const struct conf_key limits[] = {
    {.name = "idle", .kind = CONF_TIME, .min = 10, .max = 60000, .standard = "10s"},
    {.name = "size", .kind = CONF_SIZE, .min = 512, .max = 1 << 30, .standard = "64k"},
    {0},
};
static const struct conf_key schema[] = {
    {.name = "listen", .kind = CONF_LIST, .min = 1, .max = 3, .item = &inner_item},
    {.name = "limits", .kind = CONF_MAP, .keys = limits, .standard = ""},
    {.name = "colour", .kind = CONF_WORD, .words = colours, .standard = "green"},
    {.name = "on", .kind = CONF_BOOL, .standard = "false"},
    {.name = "headers", .kind = CONF_DICT, .max = 2, .item = &text_item},
    {.name = "body", .kind = CONF_LINES, .max = 64},
    {.name = "names", .kind = CONF_LIST, .max = 4, .item = &text_item},
    {.name = "pair",
     .kind = CONF_TEXT,
     .max = 8,
     .check = even,
     .expected = "a text of even length"},
    {0},
};

static struct conf *conf;
static char told[8192];

static void tell(void *arg, const char *line)
{
    (void)arg;
    strncat(told, line, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}

static void set_up(void)
{
    conf = conf_new(schema);
    told[0] = '\0';
}

static void tear_down(void)
{
    conf_free(conf);
}

static const char *mistakes(void)
{
    told[0] = '\0';
    conf_errors(conf, tell, NULL);
    return told;
}

static void expect_fine(const char *text)
{
    bool read = conf_parse(conf, "f", text, strlen(text));
    bool ended = conf_end(conf);
    ck_assert_msg(read && ended, "%s", mistakes());
}

/* The one mistake in a text. */
static void expect_mistake(const char *text, const char *message)
{
    conf_parse(conf, "f", text, strlen(text));
    ck_assert(!conf_end(conf));
    ck_assert_str_eq(mistakes(), message);
}

static const struct conf_node *root(void)
{
    return conf_root(conf);
}

/* ---- what is taken ---- */

START_TEST(nothing_said_is_all_defaults)
{
    expect_fine("");
    ck_assert_uint_eq(conf_number(root(), "limits.idle"), 10000);
    ck_assert_uint_eq(conf_number(root(), "limits.size"), 65536);
    ck_assert_uint_eq(conf_number(root(), "colour"), 1);
    ck_assert_uint_eq(conf_number(root(), "on"), 0);
    ck_assert_ptr_null(conf_get(root(), "listen"));
    ck_assert_ptr_null(conf_text(root(), "body"));
}
END_TEST

START_TEST(an_entry_may_stand_without_its_list)
{
    expect_fine("listen: a\nnames: x\n");
    const struct conf_node *listen = conf_get(root(), "listen");
    ck_assert_str_eq(conf_text(listen->first, "address"), "a");
    ck_assert_ptr_null(listen->first->next);
    ck_assert_str_eq(conf_get(root(), "names")->first->value, "x");
}
END_TEST

START_TEST(every_kind_is_read)
{
    expect_fine("listen:\n  - address: a\n    backlog: 64\n    mode: 0644\n  - b\n"
                "limits: {idle: 250ms, size: 2m}\ncolour: blue\non: true\n"
                "headers:\n  X-A: one\n  X-B: \"\"\nbody: |\n  first\n  second\nnames: [x, 'y']\n"
                "pair: ab\n");
    const struct conf_node *first = conf_get(root(), "listen")->first;
    ck_assert_str_eq(conf_text(first, "address"), "a");
    ck_assert_uint_eq(conf_number(first, "backlog"), 64);
    ck_assert_uint_eq(conf_number(first, "mode"), 0644);
    ck_assert_str_eq(conf_text(first->next, "address"), "b");
    ck_assert_uint_eq(conf_number(first->next, "mode"), 0600);
    ck_assert_uint_eq(conf_number(root(), "limits.idle"), 250);
    ck_assert_uint_eq(conf_number(root(), "limits.size"), 2 << 20);
    ck_assert_uint_eq(conf_number(root(), "colour"), 2);
    ck_assert_uint_eq(conf_number(root(), "on"), 1);
    ck_assert_str_eq(conf_get(root(), "headers")->first->name, "X-A");
    ck_assert_str_eq(conf_get(root(), "headers")->last->value, "");
    ck_assert_str_eq(conf_text(root(), "body"), "first\nsecond\n");
    ck_assert_str_eq(conf_get(root(), "names")->last->value, "y");
}
END_TEST

START_TEST(a_value_knows_its_line_and_path)
{
    char path[CONF_PATH_MAX], place[CONF_PATH_MAX];
    expect_fine("on: true\nlisten:\n  - address: a\n  - address: b\n    backlog: 3\n");
    const struct conf_node *node = conf_get(conf_get(root(), "listen")->last, "backlog");
    conf_path(node, path);
    conf_place(node, place);
    ck_assert_str_eq(path, "listen[1].backlog");
    ck_assert_str_eq(place, "f:5");
    conf_mistake(conf, node, "is %s", "odd");
    ck_assert_str_eq(mistakes(), "f:5:5: listen[1].backlog: is odd\n");
}
END_TEST

START_TEST(the_same_means_the_same)
{
    struct conf *other = conf_new(schema);
    const char *text = "limits: {size: 65536, idle: 10000ms}\nheaders: {b: y, a: x}\n";
    expect_fine("headers: {a: x, b: y}\n");
    ck_assert(conf_parse(other, "g", text, strlen(text)) && conf_end(other));
    ck_assert(conf_same(root(), conf_root(other)));
    ck_assert(!conf_same(root(), NULL));
    conf_free(other);
    other = conf_new(schema);
    text = "headers: {a: x, b: z}\n";
    ck_assert(conf_parse(other, "g", text, strlen(text)) && conf_end(other));
    ck_assert(!conf_same(root(), conf_root(other)));
    ck_assert(conf_same(conf_get(root(), "limits"), conf_get(conf_root(other), "limits")));
    conf_free(other);
}
END_TEST

/* ---- mistakes ---- */

static const struct mistake {
    const char *text, *message;
} cases[] = {
    {"lisen: 1\n", "f:1:1: lisen: unknown key; expected listen, limits, colour, on, headers, body, "
                   "names, pair; did you mean 'listen'?\n"},
    {"limits:\n  idel: 1s\n",
     "f:2:3: limits.idel: unknown key; expected idle, size; did you mean 'idle'?\n"},
    {"on: yes\n", "f:1:1: on: expected true or false, found 'yes'\n"},
    {"on:\n", "f:1:1: on: expected true or false, found nothing\n"},
    {"on: [true]\n", "f:1:1: on: expected true or false, found a list\n"},
    {"colour: gren\n",
     "f:1:1: colour: expected one of red, green, blue, found 'gren'; did you mean 'green'?\n"},
    {"colour: {a: b}\n", "f:1:1: colour: expected one of red, green, blue, found a mapping\n"},
    {"limits: {idle: 10}\n", "f:1:10: limits.idle: expected a duration from 10ms to 1m (units ms, "
                             "s, m, h, d), found '10'\n"},
    {"limits: {idle: 9ms}\n", "f:1:10: limits.idle: expected a duration from 10ms to 1m (units ms, "
                              "s, m, h, d), found '9ms'\n"},
    {"limits: {idle: 61s}\n", "f:1:10: limits.idle: expected a duration from 10ms to 1m (units ms, "
                              "s, m, h, d), found '61s'\n"},
    {"limits: {size: 010}\n", "f:1:10: limits.size: expected a size in bytes from 512 to 1g (units "
                              "k, m, g), found '010'\n"},
    {"limits: {size: 99999999999g}\n",
     "f:1:10: limits.size: expected a size in bytes from 512 to 1g (units "
     "k, m, g), found '99999999999g'\n"},
    {"limits: 3\n", "f:1:1: limits: expected a mapping of idle, size, found '3'\n"},
    {"limits: []\n", "f:1:1: limits: expected a mapping of idle, size, found a list\n"},
    {"listen:\n", "f:1:1: listen: expected a list of 1 to 3 entries, found nothing\n"},
    {"listen: {a: b}\n", "f:1:1: listen: expected a list of 1 to 3 entries, found a mapping\n"},
    {"listen: 12345678901234567\n",
     "f:1:1: listen[0].address: expected a text of 1 to 16 bytes without control characters, "
     "found '12345678901234567'\n"},
    {"listen: []\n", "f:1:1: listen: expected a list of 1 to 3 entries, found 0\n"},
    {"listen: [a, b, c, d]\n",
     "f:1:1: listen: expected a list of 1 to 3 entries, found at least 4\n"},
    {"listen: [{address: a, backlog: 65}]\n",
     "f:1:23: listen[0].backlog: expected a number from 1 to 64, found '65'\n"},
    {"listen: [{address: a, backlog: 0x10}]\n",
     "f:1:23: listen[0].backlog: expected a number from 1 to 64, found '0x10'\n"},
    {"listen: [{address: a, mode: 888}]\n",
     "f:1:23: listen[0].mode: expected octal permission bits from 0000 to 0777, found '888'\n"},
    {"listen: [{address: a, mode: 01000}]\n",
     "f:1:23: listen[0].mode: expected octal permission bits from 0000 to 0777, found '01000'\n"},
    {"on: true\nlisten:\n  - backlog: 3\n",
     "f:3:5: listen[0]: the key 'address' is missing; expected a text of 1 to 16 bytes without "
     "control characters\n"},
    {"listen: [\"\"]\n", "f:1:10: listen[0].address: expected a text of 1 to 16 bytes without "
                         "control characters, found ''\n"},
    {"listen: [12345678901234567]\n",
     "f:1:10: listen[0].address: expected a text of 1 to 16 bytes without control characters, "
     "found '12345678901234567'\n"},
    {"listen: [\"a\\nb\"]\n", "f:1:10: listen[0].address: expected a text of 1 to 16 bytes without "
                              "control characters, found 'a?b'\n"},
    {"headers: {a: x, b: y, c: z}\n",
     "f:1:1: headers: expected a mapping of 0 to 2 names of your own, found at least 3\n"},
    {"headers: {a: x, a: y}\n",
     "f:1:17: headers.a: expected once, found a second time (first on line 1)\n"},
    {"on: true\non: true\n", "f:2:1: on: expected once, found a second time (first on line 1)\n"},
    {"pair: abc\n", "f:1:1: pair: expected a text of even length, found 'abc'\n"},
    {"body: \"a\\0b\"\n", "f:1:1: body: expected a text of 0 to 64 bytes without control "
                          "characters (newlines too), found 'a?b'\n"},
    {"names: &a [x]\n", "f:1:8: expected the value itself: anchors (&) and aliases (*) are not "
                        "taken; quote a text that begins so\n"},
    {"names: *a\n", "f:1:8: expected the value itself: anchors (&) and aliases (*) are not taken; "
                    "quote a text that begins so\n"},
    {"names: !!str x\n",
     "f:1:8: expected a value without a tag (!); quote a text that begins so\n"},
    {"[a]: b\n", "f:1:1: expected a key, found a mapping or a list\n"},
    {"on: true\n---\non: true\n", "f:2:1: expected one document, found a second\n"},
    {"on: [true\n", "f:2:1: expected YAML: did not find expected ',' or ']' while parsing a flow "
                    "sequence\n"},
    {"text\n", "f:1:1: expected a mapping of listen, limits, colour, on, headers, body, names, "
               "pair, found 'text'\n"},
    {"on: \"\xff\"\n", "f: expected YAML: invalid leading UTF-8 octet\n"},
};

START_TEST(a_mistake_names_line_key_what_was_expected_and_the_nearest)
{
    expect_mistake(cases[_i].text, cases[_i].message);
}
END_TEST

START_TEST(all_mistakes_are_told_at_once)
{
    expect_mistake("on: maybe\ncolour: pink\n",
                   "f:1:1: on: expected true or false, found 'maybe'\n"
                   "f:2:1: colour: expected one of red, green, blue, found 'pink'; did you mean "
                   "'red'?\n");
}
END_TEST

START_TEST(the_twenty_first_mistake_is_not_told)
{
    char text[1024] = "";
    for (int i = 0; i < 40; i++) {
        sprintf(text + strlen(text), "x%d: 1\n", i);
    }
    ck_assert(!conf_parse(conf, "f", text, strlen(text)));
    ck_assert_ptr_nonnull(strstr(mistakes(), "f:20:1: x19: unknown key"));
    ck_assert_ptr_null(strstr(told, "x20"));
    ck_assert_ptr_nonnull(strstr(told, "there are more mistakes\n"));
    ck_assert_uint_eq(conf_n_errors(conf), CONF_ERRORS_MAX + 1);
}
END_TEST

static void nested(int depth)
{
    char text[128] = "names: ";
    memset(text + strlen(text), '[', (size_t)depth);
    text[7 + depth] = '\0';
    memset(text + strlen(text), ']', (size_t)depth);
    text[7 + 2 * depth] = '\0';
    ck_assert(!conf_parse(conf, "f", text, strlen(text)));
}

START_TEST(sixteen_levels_are_read)
{
    nested(CONF_DEPTH_MAX - 1);
    ck_assert_ptr_null(strstr(mistakes(), "in each other"));
}
END_TEST

START_TEST(seventeen_levels_are_not)
{
    nested(CONF_DEPTH_MAX);
    ck_assert_ptr_nonnull(strstr(mistakes(), "f:1:23: expected at most 16 mappings and lists in "
                                             "each other"));
}
END_TEST

static bool spaces(size_t len)
{
    char *text = malloc(len);
    memset(text, ' ', len);
    bool ok = conf_parse(conf, "f", text, len);
    free(text);
    return ok;
}

START_TEST(a_file_of_a_mebibyte_is_read)
{
    ck_assert(spaces(CONF_LEN_MAX));
}
END_TEST

START_TEST(a_byte_more_is_not)
{
    ck_assert(!spaces(CONF_LEN_MAX + 1));
    ck_assert_str_eq(mistakes(), "f: expected at most 1048576 bytes\n");
}
END_TEST

/* [x,x,...]: the list and the mapping are values too. */
static bool values(size_t n)
{
    char *text = malloc(2 * n + 16);
    strcpy(text, "names: [");
    for (size_t i = 0; i < n - 2; i++) {
        memcpy(text + 8 + 2 * i, "x,", 3);
    }
    strcat(text + 8 + 2 * (n - 2), "]");
    conf_parse(conf, "f", text, strlen(text));
    free(text);
    return strstr(mistakes(), "values") == NULL;
}

START_TEST(a_hundred_thousand_values_are_read)
{
    ck_assert(values(CONF_NODES_MAX - 1)); /* the root of a new conf is one */
}
END_TEST

START_TEST(one_more_is_not)
{
    ck_assert(!values(CONF_NODES_MAX));
    ck_assert_str_eq(told, "f: expected at most 100000 values\n");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
    ck_assert(!conf_read(conf, "/nonexistent/f.yaml"));
    ck_assert_str_eq(mistakes(),
                     "/nonexistent/f.yaml: cannot be read: No such file or directory\n");
}
END_TEST

START_TEST(a_folder_is_no_file)
{
    ck_assert(!conf_read(conf, "/"));
    ck_assert_str_eq(mistakes(), "/: cannot be read: Is a directory\n");
}
END_TEST

/* ---- over the file ---- */

START_TEST(what_is_set_wins_over_the_file)
{
    const char *text = "limits: {idle: 1s}\nlisten: [a, b]\n";
    ck_assert(conf_parse(conf, "f", text, strlen(text)));
    ck_assert(conf_set(conf, "--set", "limits.idle", "2s"));
    ck_assert(conf_set(conf, "--set", "limits.size", "1k"));
    ck_assert(conf_set(conf, "--listen", "listen", "c"));
    ck_assert(conf_end(conf));
    ck_assert_uint_eq(conf_number(root(), "limits.idle"), 2000);
    ck_assert_uint_eq(conf_number(root(), "limits.size"), 1024);
    ck_assert_str_eq(conf_text(conf_get(root(), "listen")->first, "address"), "c");
    ck_assert_ptr_null(conf_get(root(), "listen")->first->next);
}
END_TEST

START_TEST(a_list_is_set_between_commas)
{
    ck_assert(conf_set(conf, "V", "names", "x,y,,z"));
    ck_assert(conf_end(conf));
    ck_assert_str_eq(conf_get(root(), "names")->first->next->value, "y");
    ck_assert_str_eq(conf_get(root(), "names")->last->value, "z");
}
END_TEST

START_TEST(a_mistake_in_what_is_set_names_its_source)
{
    ck_assert(!conf_set(conf, "--set", "limits.idel", "2s"));
    ck_assert(!conf_set(conf, "V", "limits.idle", "2"));
    ck_assert(!conf_set(conf, "V", "on.idle", "2"));
    ck_assert(!conf_set(conf, "V", "limits", "2"));
    ck_assert_str_eq(mistakes(),
                     "--set: idel: unknown key; did you mean 'idle'?\n"
                     "V: limits.idle: expected a duration from 10ms to 1m (units ms, s, m, h, d), "
                     "found '2'\n"
                     "V: on.idle: expected no key below on\n"
                     "V: limits: expected a mapping of idle, size, found '2'\n");
}
END_TEST

static void unknown(void *arg, const char *variable, const char *nearest)
{
    (void)arg;
    tell(NULL, variable);
    tell(NULL, nearest);
}

START_TEST(the_environment_wins_over_the_file)
{
    char *env[] = {(char[]){"HOME=/x"},     (char[]){"T_LIMITS_IDLE=3s"},
                   (char[]){"T_NAMES=a,b"}, (char[]){"T_LIMIT_IDLE=1"},
                   (char[]){"T_=1"},        NULL};
    const char *text = "limits: {idle: 1s}\n";
    ck_assert(conf_parse(conf, "f", text, strlen(text)));
    ck_assert(conf_environment(conf, "T_", env, unknown, NULL));
    ck_assert(conf_end(conf));
    ck_assert_uint_eq(conf_number(root(), "limits.idle"), 3000);
    ck_assert_str_eq(conf_get(root(), "names")->last->value, "b");
    ck_assert_str_eq(told, "T_LIMIT_IDLE\nT_LIMITS_IDLE\n");
}
END_TEST

START_TEST(a_mistake_in_the_environment_names_the_variable)
{
    char *env[] = {(char[]){"T_ON=1"}, NULL};
    ck_assert(!conf_environment(conf, "T_", env, NULL, NULL));
    ck_assert_str_eq(mistakes(), "T_ON: on: expected true or false, found '1'\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tcase = tcase_create("taken");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, nothing_said_is_all_defaults);
    tcase_add_test(tcase, every_kind_is_read);
    tcase_add_test(tcase, an_entry_may_stand_without_its_list);
    tcase_add_test(tcase, a_value_knows_its_line_and_path);
    tcase_add_test(tcase, the_same_means_the_same);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("mistakes");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_mistake_names_line_key_what_was_expected_and_the_nearest, 0,
                        sizeof cases / sizeof cases[0]);
    tcase_add_test(tcase, all_mistakes_are_told_at_once);
    tcase_add_test(tcase, the_twenty_first_mistake_is_not_told);
    tcase_add_test(tcase, sixteen_levels_are_read);
    tcase_add_test(tcase, seventeen_levels_are_not);
    tcase_add_test(tcase, a_file_of_a_mebibyte_is_read);
    tcase_add_test(tcase, a_byte_more_is_not);
    tcase_add_test(tcase, a_hundred_thousand_values_are_read);
    tcase_add_test(tcase, one_more_is_not);
    tcase_add_test(tcase, a_file_that_is_not_there_is_named);
    tcase_add_test(tcase, a_folder_is_no_file);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("overrides");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_is_set_wins_over_the_file);
    tcase_add_test(tcase, a_list_is_set_between_commas);
    tcase_add_test(tcase, a_mistake_in_what_is_set_names_its_source);
    tcase_add_test(tcase, the_environment_wins_over_the_file);
    tcase_add_test(tcase, a_mistake_in_the_environment_names_the_variable);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
