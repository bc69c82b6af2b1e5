/* ktest_world.c - a world that stands still: the clock moves when a test says so, allocations are
 * counted and fail when a test says so.
 */
#include "ktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In front of each allocation, so that what is released is what was allocated. */
struct header {
    uint64_t magic;
    uint64_t len;
    uint8_t pad[48]; /* 64 in all: keeps the alignment */
};

enum { HEADER_LEN = 64 };
static const uint64_t MAGIC = 0x6b74657374a110c8;

uint64_t kt_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static bool alloc_fails(struct kt_world *w)
{
    if (atomic_load(&w->fail_all)) {
        return true;
    }
    return atomic_load(&w->fail_nth) > 0 && atomic_fetch_sub(&w->fail_nth, 1) == 1;
}

static void *world_alloc(void *ctx, size_t len)
{
    struct kt_world *w = ctx;
    void *mem = NULL;
    if (alloc_fails(w)) {
        atomic_fetch_add(&w->failed, 1);
        return NULL;
    }
    ck_assert_int_eq(posix_memalign(&mem, HEADER_LEN, HEADER_LEN + len), 0);
    struct header *h = mem;
    h->magic = MAGIC;
    h->len = len;
    memset((uint8_t *)mem + HEADER_LEN, 0xa5, len);
    atomic_fetch_add(&w->allocs, 1);
    atomic_fetch_add(&w->live, 1);
    atomic_fetch_add(&w->bytes, len);
    return (uint8_t *)mem + HEADER_LEN;
}

static void world_release(void *ctx, void *mem, size_t len)
{
    struct kt_world *w = ctx;
    if (mem == NULL) {
        return;
    }
    void *start = (uint8_t *)mem - HEADER_LEN;
    struct header *h = start;
    ck_assert_uint_eq(h->magic, MAGIC);
    ck_assert_uint_eq(h->len, len);
    h->magic = 0;
    atomic_fetch_sub(&w->live, 1);
    atomic_fetch_sub(&w->bytes, len);
    free(start);
}

static uint64_t world_monotonic_us(void *ctx)
{
    return ((struct kt_world *)ctx)->now_us;
}

static int64_t world_wall_us(void *ctx)
{
    return ((struct kt_world *)ctx)->wall_us;
}

static void world_entropy(void *ctx, void *ret, size_t len)
{
    struct kt_world *w = ctx;
    uint8_t *out = ret;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)kt_random(&w->seed);
    }
}

static void world_wait(void *ctx, uint64_t timeout_us)
{
    struct kt_world *w = ctx;
    w->waits++;
    w->timeout_us = timeout_us;
}

static void world_take(void *ctx, bool reads)
{
    struct kt_world *w = ctx;
    w->takes++;
    w->reads = reads;
    if (w->on_take != NULL) {
        w->on_take(w->on_take_ctx, reads);
    }
}

static bool world_more(void *ctx)
{
    return ((struct kt_world *)ctx)->more;
}

static void world_wake(void *ctx)
{
    atomic_fetch_add(&((struct kt_world *)ctx)->wakes, 1);
}

static void world_log(void *ctx, enum px_log_level level, const char *line)
{
    static const char letters[] = "EWID";
    struct kt_world *w = ctx;
    size_t len = strlen(line);
    ck_assert_uint_le((unsigned)level, PX_LOG_DEBUG);
    ck_assert_ptr_null(strchr(line, '\n'));
    if (w->log.len + len + 4 > w->log.cap) {
        w->log.cap = 2 * (w->log.len + len + 4);
        w->log.str = realloc(w->log.str, w->log.cap);
        ck_assert_ptr_nonnull(w->log.str);
    }
    w->log.len += (size_t)snprintf(w->log.str + w->log.len, w->log.cap - w->log.len, "%c %s\n",
                                   letters[level], line);
}

static void world_die(void *ctx)
{
    struct kt_world *w = ctx;
    if (w->on_die != NULL) {
        w->on_die(w->log.str == NULL ? "" : w->log.str);
    } else if (w->log.str != NULL) {
        fputs(w->log.str, stderr);
    }
    abort();
}

void kt_world_init(struct kt_world *w)
{
    memset(w, 0, sizeof *w);
    w->now_us = 1000000;
    w->wall_us = INT64_C(1700000000000000);
    w->seed = 42;
    w->ops = (struct px_world){
        .ctx = w,
        .alloc = world_alloc,
        .release = world_release,
        .monotonic_us = world_monotonic_us,
        .wall_us = world_wall_us,
        .entropy = world_entropy,
        .wait = world_wait,
        .take = world_take,
        .more = world_more,
        .wake = world_wake,
        .log = world_log,
        .die = world_die,
    };
}

void kt_world_done(struct kt_world *w)
{
    ck_assert_uint_eq(atomic_load(&w->live), 0);
    ck_assert_uint_eq(atomic_load(&w->bytes), 0);
    free(w->log.str);
    w->log = (struct kt_text){0};
}

bool kt_forks(void)
{
    const char *fork_mode = getenv("CK_FORK");
    return fork_mode == NULL || strcmp(fork_mode, "no") != 0;
}

int kt_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
