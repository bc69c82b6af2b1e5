/* posix_loop_test.c - the loop under a kernel: sources, waking, waiting, its world. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix_loop.h"

enum { PAIRS_MAX = 300 };

struct watcher {
    struct px_env *env;
    struct px_posix *os;
    uint8_t owner;
    struct posix_source sources[PAIRS_MAX];
    uint32_t ready[PAIRS_MAX]; /* times */
    uint32_t events;           /* of the last */
    uint32_t n_ready;
    struct posix_source *closes; /* what the next ready closes */
    bool reads;
};

static struct rig {
    struct px_posix *os;
    struct px_kernel *kernel;
    px_addr addr;
    int far[PAIRS_MAX];
    char last_log[256];
    enum px_log_level last_level;
} rig;

static struct watcher *watcher(void)
{
    return px_kernel_state(rig.kernel, rig.addr);
}

static void on_ready(void *state, struct posix_source *source, uint32_t events)
{
    struct watcher *w = state;
    char sink[16];
    w->ready[source - w->sources]++;
    w->n_ready++;
    w->events = events;
    if (w->reads) {
        (void)!recv(source->fd, sink, sizeof sink, 0);
    }
    if (w->closes != NULL) {
        posix_close(w->os, w->closes);
        w->closes = NULL;
    }
}

static enum px_err watcher_init(void *state, struct px_env *env)
{
    struct watcher *w = state;
    w->env = env;
    w->os = posix_of(env);
    w->reads = true;
    return w->os == NULL ? PX_EUNSUPPORTED : posix_join(w->os, env, w, on_ready, &w->owner);
}

static const struct px_service watcher_service = {
    .name = "watcher", .state_size = sizeof(struct watcher), .init = watcher_init};

static void keep_log(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    strncpy(rig.last_log, line, sizeof rig.last_log - 1);
    rig.last_level = level;
}

static void begin(void)
{
    const struct px_posix_config config = {.log = keep_log};
    memset(&rig, 0, sizeof rig);
    memset(rig.far, -1, sizeof rig.far);
    ck_assert_int_eq(px_posix_new(&config, &rig.os), PX_EOK);
    ck_assert_int_eq(px_kernel_new(px_posix_world(rig.os), NULL, &rig.kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &watcher_service, NULL, NULL, &rig.addr), PX_EOK);
    ck_assert_int_eq(px_kernel_start(rig.kernel), PX_EOK);
}

static void end(void)
{
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
    for (int i = 0; i < PAIRS_MAX; i++) {
        if (rig.far[i] >= 0) {
            close(rig.far[i]);
        }
    }
}

static void watch(int i, uint8_t events)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    struct watcher *w = watcher();
    ck_assert_int_eq(posix_watch(w->os, w->owner, &w->sources[i], pair[0], events), PX_EOK);
    rig.far[i] = pair[1];
}

static void far_says(int i)
{
    ck_assert_int_eq(send(rig.far[i], "x", 1, MSG_NOSIGNAL), 1);
}

static void turn(void)
{
    px_kernel_turn(rig.kernel, 0);
}

static bool fd_is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* ---- sources ---- */

START_TEST(a_ready_source_runs_once_a_turn)
{
    watch(0, POSIX_IN);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 0);
    far_says(0);
    turn();
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 1);
    ck_assert_uint_eq(watcher()->events, EPOLLIN);
}
END_TEST

/* ---- what is put off ---- */

struct putting_off {
    struct posix_later later;
    uint32_t runs;
    bool idle;
};

static void put_off_run(struct posix_later *later, bool idle)
{
    struct putting_off *p = px_container_of(later, struct putting_off, later);
    p->runs++;
    p->idle = idle;
}

START_TEST(what_is_put_off_runs_once_behind_the_next_poll)
{
    struct putting_off p = {.later = {.run = put_off_run}};
    watch(0, POSIX_IN);
    posix_later(rig.os, &p.later);
    posix_later(rig.os, &p.later);
    ck_assert(posix_puts_off(rig.os));
    far_says(0);
    turn();
    ck_assert_uint_eq(p.runs, 1);
    ck_assert(!p.idle); /* there was something to do */
    ck_assert(!posix_puts_off(rig.os));
    turn();
    ck_assert_uint_eq(p.runs, 1);
}
END_TEST

/* ---- shared memory ---- */

struct filling {
    struct posix_memory memory;
    bool there;
    uint32_t looks, sleeps, takes;
    struct posix_memory *drops; /* what the next take drops */
};

static bool filling_look(struct posix_memory *memory, bool sleeps)
{
    struct filling *f = px_container_of(memory, struct filling, memory);
    f->looks++;
    f->sleeps += sleeps ? 1 : 0;
    return f->there;
}

static void filling_take(struct posix_memory *memory)
{
    struct filling *f = px_container_of(memory, struct filling, memory);
    f->takes++;
    f->there = false;
    if (f->drops != NULL) {
        posix_memory_drop(rig.os, f->drops);
    }
}

static const struct filling filling = {.memory = {.look = filling_look, .take = filling_take}};

START_TEST(what_is_in_memory_is_taken_without_a_descriptor)
{
    struct filling f = filling;
    posix_memory_watch(rig.os, &f.memory);
    f.there = true;
    px_kernel_turn(rig.kernel, PX_SEC(1000)); /* it would not come back otherwise */
    ck_assert_uint_eq(f.takes, 1);
    turn();
    ck_assert_uint_eq(f.takes, 1);
    posix_memory_drop(rig.os, &f.memory);
    posix_memory_drop(rig.os, &f.memory);
}
END_TEST

START_TEST(a_process_is_known_to_sleep_only_behind_a_poll_that_found_nothing)
{
    struct filling f = filling;
    watch(0, POSIX_IN);
    turn();
    posix_memory_watch(rig.os, &f.memory);
    ck_assert(posix_puts_off(rig.os)); /* nobody knows yet */
    turn();
    ck_assert_uint_gt(f.sleeps, 0);
    ck_assert(!posix_puts_off(rig.os));
    far_says(0);
    turn();
    ck_assert(posix_puts_off(rig.os));
    f.there = true;
    turn();
    ck_assert(posix_puts_off(rig.os));
    turn();
    ck_assert(!posix_puts_off(rig.os));
    posix_memory_drop(rig.os, &f.memory);
}
END_TEST

START_TEST(what_is_put_off_runs_before_a_process_is_known_to_sleep)
{
    struct filling f = filling;
    struct putting_off p = {.later = {.run = put_off_run}};
    posix_memory_watch(rig.os, &f.memory);
    posix_later(rig.os, &p.later);
    f.there = true;
    turn();
    ck_assert_uint_eq(p.runs, 1);
    ck_assert(!p.idle);
    posix_later(rig.os, &p.later);
    turn();
    ck_assert(p.idle);
    ck_assert_uint_eq(f.sleeps, 0);
    posix_memory_drop(rig.os, &f.memory);
}
END_TEST

START_TEST(memory_may_be_dropped_by_whoever_takes)
{
    struct filling a = filling, b = filling;
    posix_memory_watch(rig.os, &a.memory);
    posix_memory_watch(rig.os, &b.memory);
    a.there = b.there = true;
    a.drops = &b.memory;
    b.drops = &a.memory;
    turn();
    ck_assert_uint_eq(a.takes + b.takes, 1);
    turn();
    ck_assert_uint_eq(a.takes + b.takes, 1);
    posix_memory_drop(rig.os, &a.memory);
    posix_memory_drop(rig.os, &b.memory);
}
END_TEST

START_TEST(before_the_process_sleeps_what_is_put_off_runs)
{
    struct putting_off p = {.later = {.run = put_off_run}}, taken_back = p;
    posix_later(rig.os, &p.later);
    posix_later(rig.os, &taken_back.later);
    posix_later_cancel(rig.os, &taken_back.later);
    posix_later_cancel(rig.os, &taken_back.later);
    px_kernel_turn(rig.kernel, 1000);
    ck_assert_uint_eq(p.runs, 1);
    ck_assert(p.idle);
    ck_assert_uint_eq(taken_back.runs, 0);
}
END_TEST

START_TEST(what_is_not_read_is_told_again)
{
    watch(0, POSIX_IN);
    watcher()->reads = false;
    far_says(0);
    turn();
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 2);
}
END_TEST

START_TEST(an_edge_is_told_once)
{
    watch(0, POSIX_IN | POSIX_EDGE);
    watcher()->reads = false;
    far_says(0);
    turn();
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 1);
    far_says(0);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 2);
}
END_TEST

START_TEST(more_edges_than_can_be_held_back_are_not_lost)
{
    const struct px_world *w = px_posix_world(rig.os);
    for (int i = 0; i < PAIRS_MAX; i++) {
        watch(i, POSIX_IN | POSIX_EDGE);
        far_says(i);
    }
    for (int i = 0; i < 10; i++) {
        w->wait(w->ctx, 0);
        w->take(w->ctx, false);
    }
    ck_assert_uint_eq(watcher()->n_ready, 0);
    for (int i = 0; i < 10; i++) {
        turn();
    }
    for (int i = 0; i < PAIRS_MAX; i++) {
        ck_assert_uint_eq(watcher()->ready[i], 1);
    }
}
END_TEST

START_TEST(a_quiet_source_tells_only_of_its_end)
{
    watch(0, POSIX_QUIET);
    far_says(0);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 0);
    close(rig.far[0]);
    rig.far[0] = -1;
    turn();
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 1); /* and once */
    ck_assert((watcher()->events & EPOLLHUP) != 0);
}
END_TEST

START_TEST(a_source_that_becomes_wanted_tells_what_is_there_already)
{
    watch(0, POSIX_QUIET);
    far_says(0);
    turn();
    posix_events(rig.os, &watcher()->sources[0], POSIX_IN);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 1);
    posix_events(rig.os, &watcher()->sources[0], POSIX_OUT);
    turn();
    ck_assert_uint_eq(watcher()->events, EPOLLOUT);
}
END_TEST

START_TEST(an_event_for_a_source_closed_in_the_same_turn_is_stale)
{
    watch(0, POSIX_IN);
    watch(1, POSIX_IN);
    far_says(0);
    far_says(1);
    struct watcher *w = watcher();
    w->closes = &w->sources[1]; /* whichever is first closes the second, or itself */
    turn();
    turn();
    ck_assert_uint_le(w->ready[1], 1);
    ck_assert_uint_eq(w->ready[0], 1);
    ck_assert(!w->sources[1].watched);
}
END_TEST

START_TEST(a_place_is_used_again_without_mixing_up_events)
{
    watch(0, POSIX_IN);
    uint32_t place = watcher()->sources[0].place;
    far_says(0);
    posix_close(rig.os, &watcher()->sources[0]);
    posix_close(rig.os, &watcher()->sources[0]); /* twice is fine */
    watch(1, POSIX_IN);
    ck_assert_uint_eq(watcher()->sources[1].place, place);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 0);
    far_says(1);
    turn();
    ck_assert_uint_eq(watcher()->ready[1], 1);
}
END_TEST

START_TEST(more_sources_than_one_poll_takes_all_have_their_turn)
{
    for (int i = 0; i < PAIRS_MAX; i++) {
        watch(i, POSIX_IN);
        far_says(i);
    }
    turn();
    ck_assert_uint_eq(watcher()->n_ready, POSIX_EVENTS_MAX);
    for (int i = 0; i < PAIRS_MAX / POSIX_EVENTS_MAX; i++) {
        turn();
    }
    ck_assert_uint_eq(watcher()->n_ready, PAIRS_MAX);
    for (int i = 0; i < PAIRS_MAX; i++) {
        ck_assert_uint_eq(watcher()->ready[i], 1);
    }
}
END_TEST

START_TEST(reading_is_held_back_while_the_kernel_takes_nothing_in)
{
    const struct px_world *w = px_posix_world(rig.os);
    watch(0, POSIX_IN);
    watch(1, POSIX_IN | POSIX_OUT);
    far_says(0);
    far_says(1);
    watch(2, POSIX_IN | POSIX_EDGE);
    far_says(2);
    for (int i = 0; i < 3; i++) {
        w->wait(w->ctx, 0);
        w->take(w->ctx, false);
        ck_assert(!posix_reads(rig.os));
    }
    ck_assert_uint_eq(watcher()->ready[0], 0);
    ck_assert_uint_eq(watcher()->ready[1], 3); /* writing goes on */
    ck_assert_uint_eq(watcher()->events, EPOLLOUT);
    ck_assert_uint_eq(watcher()->ready[2], 0);
    turn();
    ck_assert(posix_reads(rig.os));
    ck_assert_uint_eq(watcher()->ready[0], 1);
    ck_assert_uint_eq(watcher()->ready[2], 1); /* told once, and not forgotten */
}
END_TEST

START_TEST(the_sources_of_a_killed_service_are_closed)
{
    char c;
    watch(0, POSIX_IN);
    far_says(0);
    px_service_kill(rig.kernel, rig.addr);
    turn();
    ssize_t n = recv(rig.far[0], &c, 1, 0);
    ck_assert(n == 0 || (n < 0 && errno == ECONNRESET));
    ck_assert_int_eq(px_service_restart(rig.kernel, rig.addr), PX_EOK);
    close(rig.far[0]);
    watch(0, POSIX_IN);
    far_says(0);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 1);
}
END_TEST

START_TEST(a_service_restarted_at_once_starts_without_sources)
{
    watch(0, POSIX_IN);
    far_says(0);
    px_service_kill(rig.kernel, rig.addr);
    turn();
    ck_assert_int_eq(px_service_restart(rig.kernel, rig.addr), PX_EOK);
    turn();
    ck_assert_uint_eq(watcher()->n_ready, 0);
}
END_TEST

START_TEST(freeing_the_loop_closes_what_is_registered)
{
    char c;
    watch(0, POSIX_IN);
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
    ck_assert_int_eq(recv(rig.far[0], &c, 1, 0), 0);
    rig.kernel = NULL;
    rig.os = NULL;
}
END_TEST

START_TEST(the_one_descriptor_says_when_there_is_work)
{
    watch(0, POSIX_IN);
    turn();
    ck_assert(!fd_is_readable(px_posix_fd(rig.os)));
    far_says(0);
    ck_assert(fd_is_readable(px_posix_fd(rig.os)));
    turn();
    turn();
    ck_assert(!fd_is_readable(px_posix_fd(rig.os)));
    px_kernel_wake(rig.kernel);
    ck_assert(fd_is_readable(px_posix_fd(rig.os)));
    turn();
    turn();
    ck_assert(!fd_is_readable(px_posix_fd(rig.os)));
}
END_TEST

START_TEST(other_worlds_are_recognised)
{
    struct px_world world = *px_posix_world(rig.os);
    struct px_kernel *kernel = NULL;
    px_addr addr = 0;
    world.take = NULL;
    ck_assert_int_eq(px_kernel_new(&world, NULL, &kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_add(kernel, &watcher_service, NULL, NULL, &addr), PX_EOK);
    ck_assert_int_eq(px_kernel_start(kernel), PX_EUNSUPPORTED);
    px_kernel_free(kernel);
}
END_TEST

/* ---- the world ---- */

START_TEST(memory_is_aligned_to_64_and_freed)
{
    const struct px_world *w = px_posix_world(rig.os);
    for (size_t len = 64; len < 100000; len = len * 3 + 1) {
        void *mem = w->alloc(w->ctx, len);
        ck_assert_ptr_nonnull(mem);
        ck_assert_uint_eq((uintptr_t)mem % 64, 0);
        memset(mem, 0xaa, len);
        w->release(w->ctx, mem, len);
    }
    void *mem = w->alloc(w->ctx, 1);
    ck_assert_ptr_nonnull(mem);
    w->release(w->ctx, mem, 1);
    w->release(w->ctx, NULL, 0);
    ck_assert_ptr_null(w->alloc(w->ctx, SIZE_MAX));
}
END_TEST

START_TEST(clocks_go_forward)
{
    const struct px_world *w = px_posix_world(rig.os);
    uint64_t before = w->monotonic_us(w->ctx);
    uint64_t ticks = w->ticks(w->ctx);
    ck_assert_uint_gt(before, 0);
    ck_assert_int_gt(w->wall_us(w->ctx), INT64_C(1500000000) * 1000000);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = w->monotonic_us(w->ctx);
        ck_assert_uint_ge(now, before);
        before = now;
    }
    ck_assert_uint_ne(w->ticks(w->ctx), ticks);
}
END_TEST

START_TEST(entropy_does_not_repeat)
{
    const struct px_world *w = px_posix_world(rig.os);
    uint64_t seen[1000];
    uint32_t repeats = 0;
    for (int i = 0; i < 1000; i++) {
        w->entropy(w->ctx, &seen[i], sizeof seen[i]);
        for (int j = 0; j < i; j++) {
            repeats += seen[i] == seen[j] ? 1 : 0;
        }
    }
    ck_assert_uint_eq(repeats, 0);
    uint8_t large[1000] = {0};
    uint32_t zeros = 0;
    w->entropy(w->ctx, large, sizeof large);
    for (size_t i = 0; i < sizeof large; i++) {
        zeros += large[i] == 0;
    }
    ck_assert_uint_lt(zeros, 50);
}
END_TEST

START_TEST(log_lines_go_where_the_host_wants)
{
    const struct px_world *w = px_posix_world(rig.os);
    w->log(w->ctx, PX_LOG_WARN, "level=warn tag=x");
    ck_assert_str_eq(rig.last_log, "level=warn tag=x");
    ck_assert_int_eq(rig.last_level, PX_LOG_WARN);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_put_off_runs_once_behind_the_next_poll,
        before_the_process_sleeps_what_is_put_off_runs,
        what_is_in_memory_is_taken_without_a_descriptor,
        a_process_is_known_to_sleep_only_behind_a_poll_that_found_nothing,
        what_is_put_off_runs_before_a_process_is_known_to_sleep,
        memory_may_be_dropped_by_whoever_takes,
        a_ready_source_runs_once_a_turn,
        what_is_not_read_is_told_again,
        an_edge_is_told_once,
        more_edges_than_can_be_held_back_are_not_lost,
        a_quiet_source_tells_only_of_its_end,
        a_source_that_becomes_wanted_tells_what_is_there_already,
        an_event_for_a_source_closed_in_the_same_turn_is_stale,
        a_place_is_used_again_without_mixing_up_events,
        more_sources_than_one_poll_takes_all_have_their_turn,
        reading_is_held_back_while_the_kernel_takes_nothing_in,
        the_sources_of_a_killed_service_are_closed,
        a_service_restarted_at_once_starts_without_sources,
        freeing_the_loop_closes_what_is_registered,
        the_one_descriptor_says_when_there_is_work,
        other_worlds_are_recognised,
        memory_is_aligned_to_64_and_freed,
        clocks_go_forward,
        entropy_does_not_repeat,
        log_lines_go_where_the_host_wants,
    };
    Suite *suite = suite_create("posix_loop");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
