/* domains_test.c - systems whose services live in processes of their own, through the public API.
 */
#include <check.h>
#include <plexus.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static const char *const web[] = {"h1"};
static const char *const nothing[] = {"nobody"};
static struct px_system *sys;

static enum px_err make(const struct px_domain *domains, uint32_t n, const char *program)
{
    const struct px_placement placement = {.domains = domains, .n_domains = n, .program = program};
    return px_system_new(&(struct px_system_config){.placement = &placement}, &sys);
}

static struct px_domain_figures look(void)
{
    struct px_domain_figures figures;
    ck_assert(px_domain_look(sys, 0, &figures));
    return figures;
}

START_TEST(starting_returns_when_every_domain_serves)
{
    const struct px_domain domain = {.name = "web", .services = web, .n_services = 1};
    struct px_domain_figures figures;
    ck_assert_int_eq(make(&domain, 1, PX_DOMAIN_BUILT), PX_EOK);
    ck_assert(!px_domain_look(sys, 0, &figures));
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_str_eq(look().name, "web");
    ck_assert_str_eq(look().state, "serving");
    ck_assert_str_eq(look().why, "");
    ck_assert_ptr_nonnull(strstr(look().sandbox, "seccomp"));
    ck_assert_str_eq(look().lane, "rings");
    ck_assert_uint_eq(look().starts, 1);
    ck_assert(!px_domain_look(sys, 1, &figures));
    pid_t pid = look().pid;
    ck_assert_int_eq(kill(pid, 0), 0);
    px_system_free(sys);
    ck_assert_int_eq(kill(pid, 0), -1); /* it is gone, and so is its zombie */
}
END_TEST

START_TEST(a_killed_domain_is_seen_to_have_ended_and_to_serve_again)
{
    const struct px_domain domain = {.name = "web", .services = web, .n_services = 1};
    ck_assert_int_eq(make(&domain, 1, PX_DOMAIN_BUILT), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    while (look().starts < 2 || strcmp(look().state, "serving") != 0) {
        ck_assert(px_dispatch(sys));
    }
    ck_assert_ptr_nonnull(strstr(look().why, "signal 9"));
    px_system_free(sys);
}
END_TEST

START_TEST(without_a_sandbox_it_says_none)
{
    const struct px_domain domain = {.name = "web", .services = web, .n_services = 1};
    const struct px_placement placement = {
        .domains = &domain, .n_domains = 1, .program = PX_DOMAIN_BUILT, .no_sandbox = true};
    ck_assert_int_eq(px_system_new(&(struct px_system_config){.placement = &placement}, &sys),
                     PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_str_eq(look().sandbox, "none");
    px_system_free(sys);
}
END_TEST

START_TEST(a_lane_may_be_a_socket)
{
    const struct px_domain domain = {
        .name = "web", .services = web, .n_services = 1, .lane = "stream"};
    ck_assert_int_eq(make(&domain, 1, PX_DOMAIN_BUILT), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_str_eq(look().lane, "stream");
    px_system_free(sys);
}
END_TEST

START_TEST(a_lane_that_is_none_is_refused)
{
    const struct px_domain domain = {.name = "web", .services = web, .n_services = 1, .lane = "d"};
    ck_assert_int_eq(make(&domain, 1, PX_DOMAIN_BUILT), PX_EINVAL);
}
END_TEST

static void expect_no_start(const struct px_domain *domain, const char *program, enum px_err err,
                            const char *text)
{
    ck_assert_int_eq(make(domain, 1, program), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), err);
    ck_assert_str_eq(px_system_error(sys), text);
    px_system_free(sys);
}

START_TEST(what_keeps_a_domain_from_serving_is_said)
{
    const struct px_domain lost = {.name = "web", .services = nothing, .n_services = 1},
                           odd = {.name = "web",
                                  .services = web,
                                  .n_services = 1,
                                  .sandbox = "lax"},
                           fine = {.name = "web", .services = web, .n_services = 1};
    expect_no_start(&lost, PX_DOMAIN_BUILT, PX_ENOENT,
                    "nobody: no such service, or one that cannot be placed elsewhere");
    expect_no_start(&odd, PX_DOMAIN_BUILT, PX_EIO,
                    "web: lax: this px-domain has no such sandbox profile");
    expect_no_start(&fine, "/nonexistent", PX_EIO, "web: /nonexistent: No such file or directory");
}
END_TEST

/* ---- changes ---- */

static char placed[256]; /* what was told: "" nothing yet, "in force", or why not */

static void on_placed(struct px_system *system, const char *why, void *arg)
{
    ck_assert_ptr_eq(system, sys);
    ck_assert_ptr_eq(arg, &sys);
    ck_assert_str_eq(placed, "");
    strncpy(placed, why == NULL ? "in force" : why, sizeof placed - 1);
}

static enum px_err place(const struct px_domain *domains, uint32_t n, const char *program)
{
    const struct px_placement placement = {.domains = domains, .n_domains = n, .program = program};
    memset(placed, 0, sizeof placed);
    return px_system_place(sys, &placement, on_placed, &sys);
}

static void wait_until_placed(void)
{
    while (placed[0] == '\0') {
        ck_assert(px_dispatch(sys));
    }
}

static const char *const wire[] = {"net"};
static const struct px_domain web_and_wire[] = {
    {.name = "web", .services = web, .n_services = 1},
    {.name = "wire", .services = wire, .n_services = 1, .sandbox = "net"}};

static void start_web_and_wire(void)
{
    ck_assert_int_eq(make(web_and_wire, 2, PX_DOMAIN_BUILT), PX_EOK);
    ck_assert_int_eq(place(web_and_wire, 2, PX_DOMAIN_BUILT), PX_ESTATE); /* not started */
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
}

START_TEST(a_change_replaces_what_differs_and_touches_nothing_else)
{
    struct px_domain next[] = {web_and_wire[1], web_and_wire[0]};
    struct px_domain_figures figures;
    start_web_and_wire();
    int pid_web = look().pid, pid_wire = -1;
    ck_assert(px_domain_look(sys, 1, &figures));
    pid_wire = figures.pid;
    next[1].name = "http";
    next[1].no_spare = true;
    ck_assert_int_eq(place(next, 2, PX_DOMAIN_BUILT), PX_EOK);
    ck_assert_int_eq(place(next, 2, PX_DOMAIN_BUILT), PX_ESTATE); /* one at a time */
    wait_until_placed();
    ck_assert_str_eq(placed, "in force");
    ck_assert_str_eq(look().name, "wire");
    ck_assert_int_eq(look().pid, pid_wire);
    ck_assert_uint_eq(look().starts, 1);
    ck_assert(px_domain_look(sys, 1, &figures));
    ck_assert_str_eq(figures.name, "http");
    ck_assert_str_eq(figures.state, "serving");
    ck_assert_int_ne(figures.pid, pid_web);
    ck_assert(!px_domain_look(sys, 2, &figures));
    ck_assert_int_eq(place(next, 2, PX_DOMAIN_BUILT), PX_EOK); /* nothing differs */
    ck_assert_str_eq(placed, "in force");
    ck_assert_int_eq(look().pid, pid_wire);
    px_system_free(sys);
}
END_TEST

START_TEST(a_change_that_does_not_come_up_changes_nothing)
{
    struct px_domain next[] = {web_and_wire[0], web_and_wire[1]};
    start_web_and_wire();
    int pid = look().pid;
    next[0].sandbox = "lax";
    ck_assert_int_eq(place(next, 2, PX_DOMAIN_BUILT), PX_EOK);
    wait_until_placed();
    ck_assert_str_eq(placed, "web: lax: this px-domain has no such sandbox profile");
    next[0].sandbox = "strict";
    ck_assert_int_eq(place(next, 2, "/nonexistent"), PX_EIO);
    ck_assert_str_eq(px_system_error(sys),
                     "placement: web: /nonexistent: No such file or directory");
    ck_assert_str_eq(placed, "");
    ck_assert_str_eq(look().state, "serving");
    ck_assert_int_eq(look().pid, pid);
    ck_assert_uint_eq(look().starts, 1);
    px_system_free(sys);
}
END_TEST

START_TEST(what_needs_a_new_start_is_refused_by_name)
{
    start_web_and_wire();
    ck_assert_int_eq(place(web_and_wire, 1, PX_DOMAIN_BUILT), PX_EUNSUPPORTED);
    ck_assert_str_eq(px_system_error(sys),
                     "net: it cannot move between the program and a domain while it runs");
    ck_assert_int_eq(place(web_and_wire, 0, PX_DOMAIN_BUILT), PX_EINVAL);
    ck_assert_str_eq(placed, "");
    px_system_free(sys);
    ck_assert_int_eq(px_system_new(NULL, &sys), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_int_eq(place(web_and_wire, 2, PX_DOMAIN_BUILT), PX_EUNSUPPORTED);
    px_system_free(sys);
}
END_TEST

START_TEST(a_change_under_way_ends_with_the_system)
{
    struct px_domain next[] = {web_and_wire[0], web_and_wire[1]};
    start_web_and_wire();
    next[0].name = "http";
    ck_assert_int_eq(place(next, 2, PX_DOMAIN_BUILT), PX_EOK);
    px_stop(sys, PX_NEVER, NULL, NULL);
    ck_assert_str_eq(placed, "the system stops");
    ck_assert_int_eq(place(next, 2, PX_DOMAIN_BUILT), PX_ESTATE);
    px_system_free(sys);
}
END_TEST

START_TEST(a_placement_is_checked_when_a_system_is_made)
{
    const char *const twice[] = {"h1", "h1"};
    const char *many[PX_DOMAIN_SERVICES_MAX + 1];
    struct px_domain domains[PX_DOMAINS_MAX + 1];
    struct px_domain d = {.name = "web", .services = web, .n_services = 1};
    for (size_t i = 0; i <= PX_DOMAINS_MAX; i++) {
        domains[i] = d;
    }
    ck_assert_int_eq(make(domains, 0, NULL), PX_EINVAL);
    ck_assert_int_eq(make(domains, PX_DOMAINS_MAX + 1, NULL), PX_EINVAL);
    ck_assert_int_eq(make(domains, 2, NULL), PX_EEXIST);
    d.services = twice;
    d.n_services = 2;
    ck_assert_int_eq(make(&d, 1, NULL), PX_EEXIST);
    for (size_t i = 0; i <= PX_DOMAIN_SERVICES_MAX; i++) {
        many[i] = "h1";
    }
    d.services = many;
    d.n_services = PX_DOMAIN_SERVICES_MAX + 1;
    ck_assert_int_eq(make(&d, 1, NULL), PX_EINVAL);
    d.n_services = 0;
    ck_assert_int_eq(make(&d, 1, NULL), PX_EINVAL);
    d = (struct px_domain){
        .name = "a name that is longer than a name may be", .services = web, .n_services = 1};
    ck_assert_int_eq(make(&d, 1, NULL), PX_EINVAL);
}
END_TEST

START_TEST(placeable_services_are_listed)
{
    bool h1 = false, net = false;
    const char *name;
    for (uint32_t i = 0; (name = px_placeable(i)) != NULL; i++) {
        h1 = h1 || strcmp(name, "h1") == 0;
        net = net || strcmp(name, "net") == 0;
    }
    ck_assert(h1 && net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("domains");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, starting_returns_when_every_domain_serves);
    tcase_add_test(tcase, a_killed_domain_is_seen_to_have_ended_and_to_serve_again);
    tcase_add_test(tcase, without_a_sandbox_it_says_none);
    tcase_add_test(tcase, a_lane_may_be_a_socket);
    tcase_add_test(tcase, a_lane_that_is_none_is_refused);
    tcase_add_test(tcase, what_keeps_a_domain_from_serving_is_said);
    tcase_add_test(tcase, a_placement_is_checked_when_a_system_is_made);
    tcase_add_test(tcase, a_change_replaces_what_differs_and_touches_nothing_else);
    tcase_add_test(tcase, a_change_that_does_not_come_up_changes_nothing);
    tcase_add_test(tcase, what_needs_a_new_start_is_refused_by_name);
    tcase_add_test(tcase, a_change_under_way_ends_with_the_system);
    tcase_add_test(tcase, placeable_services_are_listed);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
