/* system_test.c - whole systems on the operating system, without a client: made, embedded, posted
 * to, stopped. */
#include <check.h>
#include <fcntl.h>
#include <plexus.h>
#include <poll.h>
#include <pthread.h>
#include <px/kernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct px_system *sys;

static void setup(void)
{
    sys = NULL;
    ck_assert_int_eq(px_system_new(NULL, &sys), PX_EOK);
}

static void teardown(void)
{
    px_system_free(sys);
}

static void on_stopped(struct px_system *system, bool drained, void *arg)
{
    (void)system;
    *(int *)arg = drained ? 1 : -1;
}

static void stop_posted(void *arg, const void *data, size_t len)
{
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(data, "hello", 5);
    px_stop(sys, PX_SEC(5), on_stopped, arg);
}

static void *poster(void *arg)
{
    return px_system_post(sys, stop_posted, arg, "hello", 5) == PX_EOK ? arg : NULL;
}

START_TEST(a_system_can_be_freed_at_any_stage)
{
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    px_system_free(NULL);
    px_ready_free(NULL);
}
END_TEST

START_TEST(another_thread_can_stop_it)
{
    pthread_t thread;
    void *said = NULL;
    int stopped = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, poster, &stopped), 0);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_int_eq(pthread_join(thread, &said), 0);
    ck_assert_ptr_nonnull(said);
    ck_assert_int_eq(stopped, 1);
    ck_assert(!px_dispatch(sys));
    ck_assert_int_eq(px_run(sys), PX_EOK); /* it has ended already */
}
END_TEST

static void on_readable(struct px_system *system, int fd, void *arg)
{
    char byte;
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    *(char *)arg = byte;
    px_stop(system, PX_SEC(1), NULL, NULL);
}

START_TEST(a_descriptor_of_the_programs_is_watched)
{
    int ends[2];
    char got = 0;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(px_system_watch(sys, ends[0], on_readable, &got), PX_EOK);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_int_eq(got, 'x');
    for (int i = 1; i < 16; i++) {
        ck_assert_int_eq(px_system_watch(sys, dup(ends[0]), on_readable, &got), PX_EOK);
    }
    ck_assert_int_eq(px_system_watch(sys, ends[1], on_readable, &got), PX_ELIMIT);
    ck_assert_int_eq(close(ends[1]), 0); /* it stayed ours */
}
END_TEST

static void count_up(struct px_timer *timer, void *arg)
{
    (void)timer;
    ++*(int *)arg;
}

START_TEST(a_foreign_loop_polls_one_descriptor_and_keeps_one_deadline)
{
    struct px_timer timer = {.system = NULL}, never = {.system = NULL};
    int fired = 0;
    px_timer_cancel(&never);
    ck_assert_int_eq(px_timer_set(sys, &timer, 1000, count_up, &fired), PX_EOK);
    ck_assert_int_eq(px_timer_set(sys, &never, 1, count_up, &fired), PX_EOK);
    px_timer_cancel(&never);
    struct pollfd fd = {.fd = px_system_fd(sys), .events = POLLIN};
    ck_assert_int_ge(fd.fd, 0);
    while (fired == 0) {
        uint64_t us = px_next_deadline_us(sys);
        ck_assert_uint_le(us, 1000000);
        ck_assert_int_ge(poll(&fd, 1, (int)((us + 999) / 1000)), 0);
        ck_assert(px_dispatch(sys));
    }
    ck_assert_int_eq(fired, 1);
    ck_assert_int_eq(px_system_post(sys, stop_posted, &fired, "hello", 5), PX_EOK);
    ck_assert_int_eq(poll(&fd, 1, 5000), 1);
    for (int i = 0; i < 100 && px_dispatch(sys); i++) {
    }
    ck_assert(!px_dispatch(sys));
}
END_TEST

START_TEST(one_system_has_one_server_and_only_before_it_is_started)
{
    struct px_server *server = NULL, *other = NULL;
    ck_assert_int_eq(px_server_new(sys, NULL, &server), PX_EOK);
    ck_assert_int_eq(px_server_new(sys, NULL, &other), PX_EEXIST);
    ck_assert_ptr_null(px_server_address(server, 0));
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_int_eq(px_server_new(sys, NULL, &other), PX_ESTATE);
    ck_assert_ptr_null(other);
}
END_TEST

static void expect_error(const char *text)
{
    ck_assert_str_eq(px_system_error(sys), text);
}

static void on_any(struct px_request request, void *arg)
{
    (void)request, (void)arg;
}

START_TEST(what_fails_says_what_and_why)
{
    struct px_server *server = NULL, *other = NULL;
    ck_assert_int_eq(px_server_new(sys, NULL, &server), PX_EOK);
    ck_assert_int_eq(px_server_new(sys, NULL, &other), PX_EEXIST);
    expect_error("server: the system has one already");
    ck_assert_int_eq(px_server_route(server, "GET", "/a", on_any, NULL), PX_EOK);
    ck_assert_int_eq(px_server_route(server, "GET", "/a", on_any, NULL), PX_EEXIST);
    expect_error("/a: this method and pattern are routed already");
    ck_assert_int_eq(px_server_route(server, "GET", "a", on_any, NULL), PX_EINVAL);
    expect_error("a: not a method, pattern and rules");
    ck_assert_int_eq(px_server_listen(server, "localhost:80", NULL), PX_EINVAL);
    expect_error("localhost:80: not an address");
    FILE *plain = tmpfile();
    ck_assert_ptr_nonnull(plain);
    ck_assert_int_eq(px_system_watch(sys, fileno(plain), NULL, NULL), PX_EIO);
    expect_error("watch: this descriptor cannot be watched");
    fclose(plain);
    ck_assert_int_eq(px_server_new(sys, NULL, &other), PX_ESTATE);
    expect_error("server: the system is started already");
    ck_assert_ptr_nonnull(strstr(px_system_error(NULL), "no system was made"));
}
END_TEST

static uint32_t open_descriptors(void)
{
    uint32_t n = 0;
    for (int fd = 0; fd < 1000; fd++) {
        n += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return n;
}

START_TEST(files_come_and_go_while_a_system_runs)
{
    const struct px_files_config config = {.directory = "/tmp"};
    struct px_files *files[4];
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    uint32_t before = open_descriptors();
    for (int round = 0; round < 200; round++) { /* more than there may be at a time */
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq(px_files_new(sys, &config, &files[i]), PX_EOK);
        }
        ck_assert(px_dispatch(sys));
        ck_assert_uint_eq(open_descriptors(), before + 4);
        for (int i = 0; i < 4; i++) {
            px_files_free(files[i]);
        }
        ck_assert(px_dispatch(sys));
        ck_assert_uint_eq(open_descriptors(), before);
    }
    ck_assert_int_eq(
        px_files_new(sys, &(struct px_files_config){.directory = "/tmp", .index = "/"}, &files[0]),
        PX_EINVAL);
    expect_error("files: a setting is out of its range");
}
END_TEST

static void free_files(void *arg)
{
    px_files_free(arg);
}

START_TEST(a_system_ends_with_its_files_whoever_frees_them)
{
    const struct px_files_config config = {.directory = "/tmp"};
    struct px_server *server = NULL;
    struct px_routes *routes = NULL;
    struct px_files *freed_by_routes = NULL, *freed_by_nobody = NULL;
    uint32_t before = open_descriptors();
    struct px_system *own = NULL;
    ck_assert_int_eq(px_system_new(NULL, &own), PX_EOK);
    ck_assert_int_eq(px_server_new(own, NULL, &server), PX_EOK);
    ck_assert_int_eq(px_files_new(own, &config, &freed_by_routes), PX_EOK);
    ck_assert_int_eq(px_files_new(own, &config, &freed_by_nobody), PX_EOK);
    ck_assert_int_eq(px_routes_new(&routes), PX_EOK);
    ck_assert_int_eq(px_routes_add(routes, "GET", "/*path", px_files_serve, freed_by_routes, NULL),
                     PX_EOK);
    px_routes_on_freed(routes, free_files, freed_by_routes);
    px_server_use(server, routes);
    ck_assert(px_dispatch(own));
    px_system_free(own);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(listening_says_where_and_why_not)
{
    struct px_server *server = NULL;
    ck_assert_int_eq(px_server_new(sys, NULL, &server), PX_EOK);
    ck_assert_int_eq(px_server_listen(server, "127.0.0.1:0", NULL), PX_EOK);
    const char *address = px_server_address(server, 0);
    ck_assert_ptr_nonnull(address);
    ck_assert_int_eq(strncmp(address, "127.0.0.1:", 10), 0);
    ck_assert_int_gt(atoi(address + 10), 0);
    ck_assert_int_eq(px_server_listen(server, address, NULL), PX_EEXIST);
    ck_assert_ptr_nonnull(strstr(px_system_error(sys), address));
    ck_assert_int_eq(px_server_listen(server, "localhost", NULL), PX_EINVAL);
    ck_assert_int_eq(px_server_listen(server, "192.0.2.1:0", NULL), PX_ENOENT);
    ck_assert_ptr_null(px_server_address(server, 1));
    for (int i = 1; i < 64; i++) {
        ck_assert_int_eq(px_server_listen(server, "127.0.0.1:0", NULL), PX_EOK);
    }
    ck_assert_int_eq(px_server_listen(server, "127.0.0.1:0", NULL), PX_ELIMIT);
}
END_TEST

START_TEST(a_listener_ends_and_its_index_is_given_to_the_next)
{
    struct px_server *server = NULL;
    char first[128], third[128];
    ck_assert_int_eq(px_server_new(sys, NULL, &server), PX_EOK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(px_server_listen(server, "127.0.0.1:0", NULL), PX_EOK);
    }
    strcpy(first, px_server_address(server, 0));
    strcpy(third, px_server_address(server, 2));
    char *second = strdup(px_server_address(server, 1));
    ck_assert_int_eq(px_server_unlisten(server, 1), PX_EOK);
    ck_assert_int_eq(px_server_unlisten(server, 1), PX_ENOENT);
    ck_assert_ptr_null(px_server_address(server, 1));
    ck_assert_str_eq(px_server_address(server, 0), first);
    ck_assert_str_eq(px_server_address(server, 2), third);
    ck_assert_int_eq(px_server_listen(server, second, NULL), PX_EOK); /* it is free again */
    ck_assert_str_eq(px_server_address(server, 1), second);
    for (int i = 0; i < 200; i++) { /* slots are used again */
        ck_assert_int_eq(px_server_unlisten(server, 1), PX_EOK);
        ck_assert_int_eq(px_server_listen(server, second, NULL), PX_EOK);
    }
    free(second);
}
END_TEST

START_TEST(breaking_lets_run_return_and_run_goes_on)
{
    int stopped = 0;
    px_break(sys);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_int_eq(stopped, 0);
    px_stop(sys, PX_SEC(1), on_stopped, &stopped);
    ck_assert_int_eq(px_run(sys), PX_EOK);
    ck_assert_int_eq(stopped, 1);
}
END_TEST

START_TEST(configurations_out_of_range_are_refused)
{
    struct px_system *other = NULL;
    struct px_server *server = NULL;
    static const char *const roots[] = {"/nonexistent"};
    struct px_system_config config = {.file_roots = roots, .n_file_roots = 1};
    ck_assert_int_eq(px_system_new(&config, &other), PX_ENOENT);
    config = (struct px_system_config){.n_file_roots = 17};
    ck_assert_int_eq(px_system_new(&config, &other), PX_EINVAL);
    config = (struct px_system_config){.requests_max = 1 << 24};
    ck_assert_int_eq(px_system_new(&config, &other), PX_EINVAL);
    ck_assert_ptr_null(other);
    struct px_server_config limits = {.n_upgrades = 9};
    ck_assert_int_eq(px_server_new(sys, &limits, &server), PX_EINVAL);
    static const struct px_upgrade upgrade = {"toy", "nobody"};
    limits = (struct px_server_config){.upgrades = &upgrade, .n_upgrades = 1};
    ck_assert_int_eq(px_server_new(sys, &limits, &server), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_ENOENT);
    ck_assert_ptr_nonnull(strstr(px_system_error(sys), "nobody"));
}
END_TEST

START_TEST(an_idle_system_makes_no_turns)
{
    struct px_ledger before, after;
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    for (int i = 0; i < 10; i++) {
        px_dispatch(sys);
    }
    ck_assert_uint_eq(px_next_deadline_us(sys), PX_NEVER);
    px_system_ledger(sys, &before);
    px_dispatch(sys);
    px_system_ledger(sys, &after);
    ck_assert_uint_eq(after.deliveries, before.deliveries);
    ck_assert_uint_eq(after.allocs, before.allocs);
}
END_TEST

START_TEST(two_systems_in_one_process_never_notice_each_other)
{
    struct px_system *other = NULL;
    int stopped = 0;
    ck_assert_int_eq(px_system_new(NULL, &other), PX_EOK);
    ck_assert_int_eq(px_system_start(sys), PX_EOK);
    ck_assert_int_eq(px_system_start(other), PX_EOK);
    px_stop(other, PX_SEC(1), on_stopped, &stopped);
    for (int i = 0; i < 100 && px_dispatch(other); i++) {
    }
    ck_assert_int_eq(stopped, 1);
    ck_assert(px_dispatch(sys));
    px_system_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system");
    TCase *systems = tcase_create("systems");
    tcase_add_checked_fixture(systems, setup, teardown);
    tcase_add_test(systems, a_system_can_be_freed_at_any_stage);
    tcase_add_test(systems, another_thread_can_stop_it);
    tcase_add_test(systems, a_foreign_loop_polls_one_descriptor_and_keeps_one_deadline);
    tcase_add_test(systems, a_descriptor_of_the_programs_is_watched);
    tcase_add_test(systems, one_system_has_one_server_and_only_before_it_is_started);
    tcase_add_test(systems, what_fails_says_what_and_why);
    tcase_add_test(systems, files_come_and_go_while_a_system_runs);
    tcase_add_test(systems, a_system_ends_with_its_files_whoever_frees_them);
    tcase_add_test(systems, listening_says_where_and_why_not);
    tcase_add_test(systems, a_listener_ends_and_its_index_is_given_to_the_next);
    tcase_add_test(systems, breaking_lets_run_return_and_run_goes_on);
    tcase_add_test(systems, configurations_out_of_range_are_refused);
    tcase_add_test(systems, an_idle_system_makes_no_turns);
    tcase_add_test(systems, two_systems_in_one_process_never_notice_each_other);
    suite_add_tcase(suite, systems);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
