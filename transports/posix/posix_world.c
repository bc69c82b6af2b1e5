/* posix_world.c - memory, clocks, entropy, log and the end of the process. */
#include "posix_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };

static void *world_alloc(void *ctx, size_t len)
{
    (void)ctx;
    if (len < ALIGNMENT) {
        return malloc(len);
    }
    if (len > PTRDIFF_MAX - ALIGNMENT) {
        return NULL;
    }
    return aligned_alloc(ALIGNMENT, (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
}

static void world_release(void *ctx, void *mem, size_t len)
{
    (void)ctx;
    (void)len;
    free(mem);
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec ts = {.tv_sec = 0};
    int r = clock_gettime(clock, &ts);
    PX_ASSERT(r == 0);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t world_monotonic_us(void *ctx)
{
    (void)ctx;
    return clock_us(CLOCK_BOOTTIME);
}

static int64_t world_wall_us(void *ctx)
{
    (void)ctx;
    return (int64_t)clock_us(CLOCK_REALTIME);
}

#if defined(__x86_64__) || defined(__i386__)
static uint64_t world_ticks(void *ctx)
{
    (void)ctx;
    return __builtin_ia32_rdtsc();
}
#else
static uint64_t world_ticks(void *ctx)
{
    struct timespec ts = {.tv_sec = 0};
    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
#endif

/* Waits only while a machine that has just started has no entropy yet: nothing is safe without. */
static void fetch_entropy(void *ret, size_t len)
{
    uint8_t *to = ret;
    while (len > 0) {
        ssize_t n = getrandom(to, len, 0);
        PX_ASSERT(n > 0 || errno == EINTR);
        if (n > 0) {
            to += n;
            len -= (size_t)n;
        }
    }
}

/* Small requests are served from a buffer; what was handed out is wiped there. */
static void world_entropy(void *ctx, void *ret, size_t len)
{
    struct px_posix *os = ctx;
    if (len > sizeof os->entropy / 2) {
        fetch_entropy(ret, len);
        return;
    }
    if (len > os->entropy_left) {
        fetch_entropy(os->entropy, sizeof os->entropy);
        os->entropy_left = sizeof os->entropy;
    }
    os->entropy_left -= len;
    memcpy(ret, os->entropy + os->entropy_left, len);
    explicit_bzero(os->entropy + os->entropy_left, len);
}

void posix_forget_entropy(struct px_posix *os)
{
    explicit_bzero(os->entropy, sizeof os->entropy);
    os->entropy_left = 0;
}

static void world_log(void *ctx, enum px_log_level level, const char *line)
{
    const struct px_posix *os = ctx;
    uint32_t levels = os->config.log_levels == 0 ? PX_LOG_INFO + 1 : os->config.log_levels;
    if (os->config.log != NULL) {
        os->config.log(os->config.log_ctx, level, line);
        return;
    }
    if ((uint32_t)level >= levels) {
        return;
    }
    char end = '\n';
    struct iovec parts[2] = {{.iov_len = strlen(line)}, {.iov_base = &end, .iov_len = 1}};
    memcpy(&parts[0].iov_base, &line, sizeof line); /* writev only reads it */
    ssize_t r = writev(STDERR_FILENO, parts, 2);
    (void)r; /* a log nobody can take is lost */
}

static void world_die(void *ctx)
{
    (void)ctx;
    abort();
}

static enum px_err world_blob(void *ctx, enum px_blob which, void *ret, size_t len, size_t *ret_len)
{
    const struct px_posix *os = ctx;
    return os->config.blob(os->config.blob_ctx, which, ret, len, ret_len);
}

struct px_world posix_world_of(struct px_posix *os)
{
    return (struct px_world){
        .ctx = os,
        .alloc = world_alloc,
        .release = world_release,
        .monotonic_us = world_monotonic_us,
        .wall_us = world_wall_us,
        .ticks = world_ticks,
        .entropy = world_entropy,
        .wait = posix_wait,
        .take = posix_take,
        .more = posix_more,
        .wake = posix_wake,
        .log = world_log,
        .die = world_die,
        .blob = os->config.blob == NULL ? NULL : world_blob,
    };
}
