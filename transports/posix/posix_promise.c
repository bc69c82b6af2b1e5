/* posix_promise.c - a table by descriptor; it grows to the highest that was noted.
 */
#include "posix_promise.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "posix_impl.h"

enum { NS_PER_S = 1000000000, TABLE_MIN = 64, LOOKS_MAX = 100 };

static bool has_place(struct px_posix *os, uint32_t fd)
{
    uint32_t cap = os->promises_cap == 0 ? TABLE_MIN : os->promises_cap;
    if (fd < os->promises_cap) {
        return true;
    }
    while (cap <= fd) {
        cap *= 2;
    }
    struct posix_promise *grown = realloc(os->promises, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    memset(grown + os->promises_cap, 0, (cap - os->promises_cap) * sizeof *grown);
    os->promises = grown;
    os->promises_cap = cap;
    return true;
}

void posix_promise_note(struct px_posix *os, int fd, const struct posix_promise *promise)
{
    if (os != NULL && fd >= 0 && has_place(os, (uint32_t)fd)) {
        os->promises[fd] = *promise;
    }
}

void posix_promise_drop(struct px_posix *os, int fd)
{
    if (os != NULL && fd >= 0 && (uint32_t)fd < os->promises_cap) {
        os->promises[fd] = (struct posix_promise){0};
    }
}

/* The file as it is now: kept, broken, or in between. */
static enum look { KEPT, BROKEN, IN_BETWEEN } look(const struct posix_promise *p, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_dev != p->device || st.st_ino != p->inode) {
        return KEPT;
    }
    int64_t modified_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
    uint64_t length = (uint64_t)st.st_size;
    if (length != p->length) {
        return length < p->length ? BROKEN : KEPT;
    }
    return modified_ns == p->modified_ns ? KEPT : IN_BETWEEN;
}

/* A write changes the time first and the length afterwards, so who appends looks for a moment like
 * who writes over: it is looked a few more times, with a chance for him to get on, before it is
 * said. */
bool posix_promise_is_broken(const struct px_posix *os, int fd)
{
    if (os == NULL || fd < 0 || (uint32_t)fd >= os->promises_cap || os->promises[fd].length == 0) {
        return false;
    }
    enum look seen = look(&os->promises[fd], fd);
    for (int i = 0; i < LOOKS_MAX && seen == IN_BETWEEN; i++) {
        sched_yield();
        seen = look(&os->promises[fd], fd);
    }
    return seen != KEPT;
}
