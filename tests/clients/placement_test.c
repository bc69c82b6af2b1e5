/* placement_test.c - placement files: what is taken, and what each mistake is told as. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "placement_file.h"

static char told[2048];
static char path[64];

static void print(void *arg, const char *line)
{
    (void)arg;
    strncat(told, line, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}

static struct placement_file *file_read(const char *text)
{
    strcpy(path, "/tmp/placement-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    told[0] = '\0';
    struct placement_file *file = placement_file_read(path, print, NULL);
    unlink(path);
    return file;
}

static void expect_mistake(const char *text, const char *mistake)
{
    char whole[512];
    ck_assert_ptr_null(file_read(text));
    snprintf(whole, sizeof whole, "%s:%s\n", path, mistake);
    ck_assert_str_eq(told, whole);
}

START_TEST(a_file_says_which_service_runs_where)
{
    struct placement_file *file = file_read("domains:\n"
                                            "  web: {services: [h1, net], sandbox: net}\n"
                                            "supervisor: [app, file]\n"
                                            "program: /usr/bin/px-domain\n");
    ck_assert_ptr_nonnull(file);
    const struct px_placement *p = placement_file_get(file);
    ck_assert_uint_eq(p->n_domains, 1);
    ck_assert_str_eq(p->domains[0].name, "web");
    ck_assert_str_eq(p->domains[0].sandbox, "net");
    ck_assert_uint_eq(p->domains[0].n_services, 2);
    ck_assert_str_eq(p->domains[0].services[0], "h1");
    ck_assert_str_eq(p->domains[0].services[1], "net");
    ck_assert_str_eq(p->program, "/usr/bin/px-domain");
    ck_assert(!p->no_sandbox);
    placement_file_free(file);
}
END_TEST

START_TEST(without_a_word_the_sandbox_is_strict_and_net_stays)
{
    struct placement_file *file = file_read("domains:\n  web: {services: [h1]}\n");
    ck_assert_ptr_nonnull(file);
    ck_assert_str_eq(placement_file_get(file)->domains[0].sandbox, "strict");
    ck_assert_str_eq(placement_file_get(file)->domains[0].lane, "rings");
    ck_assert(!placement_file_get(file)->domains[0].no_spare);
    ck_assert_ptr_null(placement_file_get(file)->program);
    placement_file_free(file);
}
END_TEST

START_TEST(an_unknown_service_is_refused_with_the_nearest)
{
    expect_mistake("domains:\n  web: {services: [h1]}\n  more:\n    services:\n      - nett\n",
                   "5:9: domains.more.services[0]: there is no service 'nett' in this build (is "
                   "'net' meant?)");
}
END_TEST

START_TEST(a_service_that_is_listed_twice_is_refused_with_both_places)
{
    char whole[256];
    ck_assert_ptr_null(file_read("domains:\n  a: {services: [h1]}\n  b: {services: [h1]}\n"));
    snprintf(whole, sizeof whole,
             "%s:3:18: domains.b.services[0]: 'h1' is listed already, at %s:2\n", path, path);
    ck_assert_str_eq(told, whole);
    ck_assert_ptr_null(file_read("domains:\n  a: {services: [h1]}\nsupervisor: [h1]\n"));
    ck_assert_ptr_nonnull(strstr(told, ": supervisor[0]: 'h1' is listed already"));
}
END_TEST

START_TEST(a_service_that_nobody_lists_is_refused)
{
    expect_mistake("domains:\n  web: {services: [net], sandbox: net}\n",
                   "1:1: domains: nobody lists 'h1': put it into a domain, or under 'supervisor'");
}
END_TEST

START_TEST(what_cannot_leave_the_program_is_refused)
{
    expect_mistake(
        "domains:\n  web: {services: [h1, app]}\n",
        "2:24: domains.web.services[1]: 'app' cannot leave the process that was started: "
        "list it under 'supervisor', or nowhere");
}
END_TEST

START_TEST(a_profile_or_lane_that_is_none_is_refused)
{
    ck_assert_ptr_null(file_read("domains:\n  web: {services: [h1], sandbox: lax}\n"));
    ck_assert_ptr_nonnull(strstr(told, ": domains.web.sandbox: "));
    ck_assert_ptr_null(file_read("domains:\n  web: {services: [h1], lane: pigeons}\n"));
    ck_assert_ptr_nonnull(strstr(told, ": domains.web.lane: "));
}
END_TEST

START_TEST(domains_are_required)
{
    ck_assert_ptr_null(file_read("supervisor: [h1]\n"));
    ck_assert_ptr_nonnull(strstr(told, "domains"));
    ck_assert_ptr_null(placement_file_read("/nonexistent/file", print, NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_file_says_which_service_runs_where);
    tcase_add_test(tcase, without_a_word_the_sandbox_is_strict_and_net_stays);
    tcase_add_test(tcase, an_unknown_service_is_refused_with_the_nearest);
    tcase_add_test(tcase, a_service_that_is_listed_twice_is_refused_with_both_places);
    tcase_add_test(tcase, a_service_that_nobody_lists_is_refused);
    tcase_add_test(tcase, what_cannot_leave_the_program_is_refused);
    tcase_add_test(tcase, a_profile_or_lane_that_is_none_is_refused);
    tcase_add_test(tcase, domains_are_required);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
