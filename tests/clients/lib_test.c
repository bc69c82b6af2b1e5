/* lib_test.c - the pure parts of libplexus: routes, paths, fields. */
#include <check.h>
#include <stdlib.h>

#include "fields.h"
#include "path.h"
#include "route.h"

static struct px_text text_of(const char *text)
{
    return (struct px_text){text, strlen(text)};
}

/* ---- routes ---- */

static struct routes routes;
static struct px_request nobody;

static void routes_setup(void)
{
    routes = (struct routes){0};
}

static void routes_teardown(void)
{
    route_free_all(&routes);
}

static void on_any(struct px_request request, void *arg)
{
    nobody = request;
    (void)arg;
}

static enum px_err add(const char *method, const char *pattern)
{
    return route_add(&routes, method, pattern, on_any, (void *)(uintptr_t)pattern, NULL, NULL);
}

/* The pattern that gets a request, "" if none does. */
static const char *found(const char *method, const char *path)
{
    struct route_match match;
    bool any = route_find(&routes, text_of(method), text_of(path), &match);
    return any ? match.route->arg : "";
}

static const char *param(const char *path, const char *name)
{
    static char value[128];
    struct route_match match;
    ck_assert(route_find(&routes, text_of("GET"), text_of(path), &match));
    for (uint32_t i = 0; i < match.n_params; i++) {
        if (strcmp(match.route->names[i], name) == 0) {
            memcpy(value, path + match.params[i].off, match.params[i].len);
            value[match.params[i].len] = '\0';
            return value;
        }
    }
    return "?";
}

START_TEST(the_more_specific_pattern_wins_whatever_the_order)
{
    ck_assert_int_eq(add("GET", "/*rest"), PX_EOK);
    ck_assert_int_eq(add("GET", "/users/:id"), PX_EOK);
    ck_assert_int_eq(add("GET", "/users/me"), PX_EOK);
    ck_assert_int_eq(add("GET", "/:any/me/x"), PX_EOK);
    ck_assert_str_eq(found("GET", "/users/me"), "/users/me");
    ck_assert_str_eq(found("GET", "/users/7"), "/users/:id");
    ck_assert_str_eq(found("GET", "/users/7/x"), "/*rest");
    ck_assert_str_eq(found("GET", "/users/me/x"), "/:any/me/x"); /* taken back from /users */
    ck_assert_str_eq(found("GET", "/"), "/*rest");
}
END_TEST

START_TEST(a_slash_at_the_end_is_another_path)
{
    ck_assert_int_eq(add("GET", "/a"), PX_EOK);
    ck_assert_int_eq(add("GET", "/b/"), PX_EOK);
    ck_assert_str_eq(found("GET", "/a/"), "");
    ck_assert_str_eq(found("GET", "/b"), "");
    ck_assert_str_eq(found("GET", "/b/"), "/b/");
    ck_assert_str_eq(found("GET", "/a"), "/a");
}
END_TEST

START_TEST(parameters_are_one_segment_and_the_rest_is_the_rest)
{
    ck_assert_int_eq(add("GET", "/u/:id/f/*path"), PX_EOK);
    ck_assert_str_eq(param("/u/42/f/a/b.c", "id"), "42");
    ck_assert_str_eq(param("/u/42/f/a/b.c", "path"), "a/b.c");
    ck_assert_str_eq(param("/u/42/f/", "path"), "");
    ck_assert_str_eq(found("GET", "/u//f/x"), ""); /* a parameter is never empty */
}
END_TEST

START_TEST(two_patterns_may_name_the_same_segment_differently)
{
    ck_assert_int_eq(add("GET", "/:a"), PX_EOK);
    ck_assert_int_eq(add("GET", "/:b/x"), PX_EOK);
    ck_assert_str_eq(param("/1", "a"), "1");
    ck_assert_str_eq(param("/2/x", "b"), "2");
}
END_TEST

START_TEST(a_method_is_part_of_the_route)
{
    char allow[ROUTE_ALLOW_MAX];
    ck_assert_int_eq(add("GET", "/users/me"), PX_EOK);
    ck_assert_int_eq(add("PUT", "/users/:id"), PX_EOK);
    ck_assert_int_eq(add("*", "/any"), PX_EOK);
    ck_assert_str_eq(found("PUT", "/users/me"), "/users/:id");
    ck_assert_str_eq(found("HEAD", "/users/me"), "/users/me");
    ck_assert_str_eq(found("HEAD", "/users/7"), "");
    ck_assert_str_eq(found("BREW", "/any"), "/any");
    route_allow(&routes, text_of("/users/me"), allow);
    ck_assert_str_eq(allow, "GET, HEAD, PUT");
    route_allow(&routes, text_of("/users/7"), allow);
    ck_assert_str_eq(allow, "PUT");
    route_allow(&routes, text_of("/none"), allow);
    ck_assert_str_eq(allow, "");
}
END_TEST

START_TEST(what_is_no_pattern_is_refused)
{
    static const char *const bad[] = {"", "a", "/*rest/x", "/:", "/a/:/b", "/*"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(add("GET", bad[i]), PX_EINVAL);
    }
    ck_assert_int_eq(add("", "/a"), PX_EINVAL);
    ck_assert_int_eq(add("123456789012345678901234567890123", "/a"), PX_EINVAL);
    ck_assert_int_eq(add("12345678901234567890123456789012", "/a"), PX_EOK);
    ck_assert_int_eq(route_add(&routes, "GET", "/a", NULL, NULL, NULL, NULL), PX_EINVAL);
    ck_assert_int_eq(add("GET", "/a"), PX_EOK);
    ck_assert_int_eq(add("GET", "/a"), PX_EEXIST);
}
END_TEST

START_TEST(patterns_have_limits)
{
    char pattern[ROUTE_PATTERN_MAX + 2];
    ck_assert_int_eq(add("GET", "/:1/:2/:3/:4/:5/:6/:7/:8"), PX_EOK);
    ck_assert_int_eq(add("GET", "/:1/:2/:3/:4/:5/:6/:7/:8/:9"), PX_EINVAL);
    memset(pattern, 'a', sizeof pattern);
    pattern[0] = '/';
    pattern[ROUTE_PATTERN_MAX + 1] = '\0';
    ck_assert_int_eq(add("GET", pattern), PX_EINVAL);
    pattern[ROUTE_PATTERN_MAX] = '\0';
    ck_assert_int_eq(add("GET", pattern), PX_EOK);
    for (size_t i = 0; i < ROUTE_SEGMENTS_MAX + 1; i++) {
        memcpy(pattern + 2 * i, "/a", 3);
    }
    ck_assert_int_eq(add("GET", pattern), PX_EINVAL);
    pattern[2 * ROUTE_SEGMENTS_MAX] = '\0';
    ck_assert_int_eq(add("GET", pattern), PX_EOK);
}
END_TEST

/* ---- paths ---- */

static const char *normal(const char *path)
{
    static char mem[256];
    size_t len = 0;
    if (!path_normalise(text_of(path), mem, &len)) {
        return "bad";
    }
    ck_assert_uint_le(len, strlen(path));
    mem[len] = '\0';
    return mem;
}

START_TEST(dot_segments_go_as_rfc_3986_says)
{
    static const char *const cases[][2] = {
        {"/a/b/c/./../../g", "/a/g"},
        {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},
        {"/..", "/"},
        {"/.", "/"},
        {"/../../a", "/a"},
        {"/a/..", "/"},
        {"/a/.", "/a/"},
        {"/a//../b", "/a/b"},
        {"//a", "//a"},
        {"/...", "/..."},
        {"/a/b/..", "/a/"},
        {"/.a/..b", "/.a/..b"},
        {"/a/%2e%2E/b", "/b"},
        {"/%2e/a", "/a"},
        {"/a/.%2e/./b/", "/b/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_str_eq(normal(cases[i][0]), cases[i][1]);
        struct px_text path;
        ck_assert(!path_take(text_of(cases[i][0]), &path) || strcmp(cases[i][0], cases[i][1]) == 0);
        ck_assert_uint_eq(path.len, strlen(cases[i][0]));
    }
}
END_TEST

START_TEST(escapes_are_decoded_once)
{
    ck_assert_str_eq(normal("/%41%7e%25"), "/A~%");
    ck_assert_str_eq(normal("/%2541"), "/%41");
    ck_assert_str_eq(normal("/%252e%252e/x"), "/%2e%2e/x");
}
END_TEST

START_TEST(escapes_that_hide_something_are_bad)
{
    static const char *const bad[] = {"/%2F", "/a%2fb", "/%00", "/%", "/%4",
                                      "/%zz", "/%4g",   "a",    "*",  "%2Fa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_str_eq(normal(bad[i]), "bad");
        struct px_text path;
        ck_assert(!path_take(text_of(bad[i]), &path));
    }
}
END_TEST

START_TEST(a_form_value_may_hold_what_a_path_may_not)
{
    char mem[64];
    size_t len = 0;
    ck_assert(path_decode_form(text_of("a+b%2Fc%3D%26"), mem, &len));
    ck_assert_uint_eq(len, 7);
    ck_assert_mem_eq(mem, "a b/c=&", 7);
    ck_assert(!path_decode_form(text_of("%00"), mem, &len));
    ck_assert(!path_decode_form(text_of("%4"), mem, &len));
}
END_TEST

START_TEST(the_query_begins_at_the_first_question_mark)
{
    struct px_text path, query;
    path_split(text_of("/a?b?c"), &path, &query);
    ck_assert_uint_eq(path.len, 2);
    ck_assert_uint_eq(query.len, 3);
    ck_assert_mem_eq(query.ptr, "b?c", 3);
    ck_assert(path_take(text_of("/a?%/./?"), &path)); /* what a query holds does not matter */
    ck_assert_uint_eq(path.len, 2);
    path_split(text_of("/a"), &path, &query);
    ck_assert_uint_eq(query.len, 0);
}
END_TEST

/* ---- fields ---- */

static enum px_err check_field(const char *name, const char *value)
{
    struct px_field field = {name, value};
    size_t len = 0;
    return fields_size(NULL, &field, 1, &len);
}

START_TEST(fields_are_written_in_lower_case_and_found_in_any)
{
    struct px_field fields[] = {{"X-One", "1"}, {"EMPTY", ""}};
    uint8_t mem[256];
    size_t len = 0;
    struct px_text value = {"", 0};
    ck_assert_int_eq(fields_size("text/plain", fields, 2, &len), PX_EOK);
    ck_assert_uint_le(len, sizeof mem);
    fields_write("text/plain", fields, 2, mem, len);
    ck_assert_ptr_nonnull(memmem(mem, len, "x-one", 5));
    ck_assert_ptr_nonnull(memmem(mem, len, "empty", 5));
    ck_assert(fields_find(mem, len, "Content-Type", &value));
    ck_assert_uint_eq(value.len, 10);
    ck_assert(fields_find(mem, len, "x-one", &value));
    ck_assert_mem_eq(value.ptr, "1", 1);
    ck_assert(fields_find(mem, len, "Empty", &value));
    ck_assert_uint_eq(value.len, 0);
    ck_assert(!fields_find(mem, len, "x-on", &value));
}
END_TEST

START_TEST(no_field_can_split_a_response)
{
    ck_assert_int_eq(check_field("x", "a\r\nb: c"), PX_EINVAL);
    ck_assert_int_eq(check_field("x", "a\nb"), PX_EINVAL);
    ck_assert_int_eq(check_field("x", "a\x7f"), PX_EINVAL);
    ck_assert_int_eq(check_field("x\r\ny", "a"), PX_EINVAL);
    ck_assert_int_eq(check_field("x y", "a"), PX_EINVAL);
    ck_assert_int_eq(check_field("x:", "a"), PX_EINVAL);
    ck_assert_int_eq(check_field("", "a"), PX_EINVAL);
    ck_assert_int_eq(check_field("x", "tab\tand \xc3\xa4 are fine"), PX_EOK);
}
END_TEST

START_TEST(fields_of_the_connection_are_not_the_programs)
{
    static const char *const names[] = {"Connection", "content-length", "Transfer-Encoding", "DATE",
                                        "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_int_eq(check_field(names[i], "x"), PX_EINVAL);
    }
    ck_assert_int_eq(check_field("connections", "x"), PX_EOK);
}
END_TEST

START_TEST(fields_have_limits)
{
    struct px_field fields[FIELDS_N_MAX + 1];
    char value[FIELDS_LEN_MAX + 1];
    size_t len = 0;
    for (size_t i = 0; i < FIELDS_N_MAX + 1; i++) {
        fields[i] = (struct px_field){"x", "y"};
    }
    ck_assert_int_eq(fields_size(NULL, fields, FIELDS_N_MAX, &len), PX_EOK);
    ck_assert_int_eq(fields_size(NULL, fields, FIELDS_N_MAX + 1, &len), PX_EINVAL);
    memset(value, 'v', sizeof value);
    value[FIELDS_LEN_MAX - 11] = '\0'; /* 3 + 1 + 3 + 3 + 1 bytes around it */
    ck_assert_int_eq(check_field("x", value), PX_EOK);
    value[FIELDS_LEN_MAX - 11] = 'v';
    value[FIELDS_LEN_MAX - 10] = '\0';
    ck_assert_int_eq(check_field("x", value), PX_EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lib");
    TCase *route = tcase_create("routes");
    tcase_add_checked_fixture(route, routes_setup, routes_teardown);
    tcase_add_test(route, the_more_specific_pattern_wins_whatever_the_order);
    tcase_add_test(route, a_slash_at_the_end_is_another_path);
    tcase_add_test(route, parameters_are_one_segment_and_the_rest_is_the_rest);
    tcase_add_test(route, two_patterns_may_name_the_same_segment_differently);
    tcase_add_test(route, a_method_is_part_of_the_route);
    tcase_add_test(route, what_is_no_pattern_is_refused);
    tcase_add_test(route, patterns_have_limits);
    suite_add_tcase(suite, route);
    TCase *path = tcase_create("paths");
    tcase_add_test(path, dot_segments_go_as_rfc_3986_says);
    tcase_add_test(path, escapes_are_decoded_once);
    tcase_add_test(path, escapes_that_hide_something_are_bad);
    tcase_add_test(path, a_form_value_may_hold_what_a_path_may_not);
    tcase_add_test(path, the_query_begins_at_the_first_question_mark);
    suite_add_tcase(suite, path);
    TCase *field = tcase_create("fields");
    tcase_add_test(field, fields_are_written_in_lower_case_and_found_in_any);
    tcase_add_test(field, no_field_can_split_a_response);
    tcase_add_test(field, fields_of_the_connection_are_not_the_programs);
    tcase_add_test(field, fields_have_limits);
    suite_add_tcase(suite, field);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
