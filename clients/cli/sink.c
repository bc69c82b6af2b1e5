/* sink.c - a ring of bytes with one writer (the loop) and one reader (the thread that writes).
 *
 * `head` and `tail` count bytes for ever; the difference is what waits. The thread sleeps on an
 * eventfd, and only then does the loop ring it: at most once every SINK_GATHER_MS.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct sink {
    char *path; /* NULL: standard error */
    int fd, bell;
    sink_fn fn;
    void *arg;
    pthread_t thread;
    uint64_t dropped; /* of the loop */
    _Atomic uint64_t head, tail;
    atomic_bool sleeping, stopping, leaving, left, reopening;
    char ring[SINK_LEN];
};

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, SINK_MODE);
}

static void tell(struct sink *sink, enum sink_event event, int err)
{
    if (sink->fn != NULL && !atomic_load(&sink->stopping)) {
        sink->fn(sink->arg, sink, event, err);
    }
}

static void release(struct sink *take_sink)
{
    if (take_sink->path != NULL && take_sink->fd >= 0) {
        (void)close(take_sink->fd);
    }
    if (take_sink->bell >= 0) {
        (void)close(take_sink->bell);
    }
    free(take_sink->path);
    free(take_sink);
}

/* ---- the thread ---- */

static void reopen(struct sink *sink)
{
    int fd = sink->path == NULL ? -1 : open_path(sink->path);
    if (fd >= 0) {
        (void)dup3(fd, sink->fd, O_CLOEXEC);
        (void)close(fd);
        tell(sink, SINK_REOPENED, 0);
    } else if (sink->path != NULL) {
        tell(sink, SINK_NOT_REOPENED, errno);
    }
}

static void nap(void)
{
    struct timespec ts = {.tv_nsec = SINK_GATHER_MS * 1000000L};
    (void)nanosleep(&ts, NULL);
}

/* Writes what waits, as far as one write takes it. What cannot be written is given up. */
static void write_some(struct sink *sink, uint64_t tail, uint64_t head)
{
    size_t at = (size_t)(tail % SINK_LEN), len = (size_t)(head - tail);
    size_t first = len < SINK_LEN - at ? len : SINK_LEN - at;
    struct iovec parts[2] = {{sink->ring + at, first}, {sink->ring, len - first}};
    ssize_t n = writev(sink->fd, parts, first < len ? 2 : 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        nap(); /* somebody has made it non-blocking */
        return;
    }
    if (n < 0) {
        tell(sink, SINK_NOT_WRITTEN, errno);
        n = (ssize_t)len;
    }
    atomic_store(&sink->tail, tail + (uint64_t)n);
}

/* Sleeps until the bell rings, unless something has come just now. */
static void sleep_on(struct sink *sink)
{
    uint64_t rings;
    atomic_store(&sink->sleeping, true);
    if (atomic_load(&sink->head) == atomic_load(&sink->tail) && !atomic_load(&sink->stopping) &&
        !atomic_load(&sink->reopening)) {
        (void)!read(sink->bell, &rings, sizeof rings);
    }
    atomic_store(&sink->sleeping, false);
}

/* Of a sink that nobody waits for: its memory is freed here, once the loop has let go of it. */
static void leave(struct sink *sink)
{
    if (!atomic_load(&sink->leaving)) {
        return;
    }
    while (!atomic_load(&sink->left)) {
        nap();
    }
    release(sink);
}

static void *run(void *arg)
{
    struct sink *sink = arg;
    for (;;) {
        bool stopping = atomic_load(&sink->stopping);
        bool reopening = atomic_exchange(&sink->reopening, false);
        uint64_t head = atomic_load(&sink->head), tail = atomic_load(&sink->tail);
        if (head != tail) {
            write_some(sink, tail, head); /* what came before goes to the old file */
        }
        if (reopening) {
            reopen(sink);
        } else if (head != tail) {
            if (!stopping) {
                nap();
            }
        } else if (stopping) {
            leave(sink);
            return NULL;
        } else {
            sleep_on(sink);
        }
    }
}

/* ---- the loop ---- */

static void ring_bell(struct sink *sink)
{
    uint64_t one = 1;
    if (atomic_exchange(&sink->sleeping, false)) {
        (void)!write(sink->bell, &one, sizeof one);
    }
}

int sink_new(const char *path, sink_fn fn, void *arg, struct sink **ret_sink)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        return ENOMEM;
    }
    sink->fn = fn;
    sink->arg = arg;
    sink->path = path == NULL ? NULL : strdup(path);
    sink->bell = eventfd(0, EFD_CLOEXEC);
    sink->fd = path == NULL ? STDERR_FILENO : open_path(path);
    int err = sink->bell < 0 || sink->fd < 0 ? errno : path != NULL && !sink->path ? ENOMEM : 0;
    err = err != 0 ? err : pthread_create(&sink->thread, NULL, run, sink);
    if (err != 0) {
        release(sink);
        return err;
    }
    *ret_sink = sink;
    return 0;
}

bool sink_free(struct sink *take_sink)
{
    struct timespec until;
    if (take_sink == NULL) {
        return true;
    }
    atomic_store(&take_sink->stopping, true);
    ring_bell(take_sink);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SINK_FLUSH_MS / 1000;
    if (pthread_timedjoin_np(take_sink->thread, NULL, &until) != 0) {
        (void)pthread_detach(take_sink->thread); /* it hangs in a write, and keeps its memory */
        return false;
    }
    release(take_sink);
    return true;
}

void sink_leave(struct sink *take_sink)
{
    (void)pthread_detach(take_sink->thread);
    atomic_store(&take_sink->leaving, true);
    atomic_store(&take_sink->stopping, true);
    ring_bell(take_sink);
    atomic_store(&take_sink->left, true);
}

bool sink_put(struct sink *sink, const char *line, size_t len)
{
    uint64_t head = atomic_load_explicit(&sink->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&sink->tail, memory_order_acquire);
    if (len > SINK_LEN - (size_t)(head - tail)) {
        sink->dropped++;
        return false;
    }
    size_t at = (size_t)(head % SINK_LEN);
    size_t first = len < SINK_LEN - at ? len : SINK_LEN - at;
    memcpy(sink->ring + at, line, first);
    memcpy(sink->ring, line + first, len - first);
    atomic_store(&sink->head, head + len);
    ring_bell(sink);
    return true;
}

bool sink_has_room(const struct sink *sink)
{
    enum { LINE_LEN = 4096 };
    return atomic_load(&sink->head) - atomic_load(&sink->tail) <= SINK_LEN - LINE_LEN;
}

uint64_t sink_dropped(struct sink *sink)
{
    uint64_t dropped = sink->dropped;
    sink->dropped = 0;
    return dropped;
}

void sink_reopen(struct sink *sink)
{
    atomic_store(&sink->reopening, true);
    ring_bell(sink);
}

const char *sink_path(const struct sink *sink)
{
    return sink->path;
}

int sink_give(struct sink *sink, uint32_t uid, uint32_t gid)
{
    struct stat st;
    if (sink->path == NULL || (fstat(sink->fd, &st) == 0 && !S_ISREG(st.st_mode))) {
        return 0;
    }
    return fchown(sink->fd, uid, gid) == 0 ? 0 : errno;
}
