/* file_open.c - opening a path that must not leave a directory: by the kernel's own means, or one
 * component at a time.
 */
#include "file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    RACES_MAX = 8, /* openat2 says EAGAIN when the tree is renamed under its feet */
};

void file_opener_init(struct file_opener *opener)
{
    opener->has_openat2 = true;
}

static enum px_status status_of_errno(int err)
{
    switch (err) {
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
    case ENODEV:
        return PX_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EXDEV:
    case ELOOP:
        return PX_DENIED;
    case ENAMETOOLONG:
    case EINVAL:
        return PX_BAD_REQUEST;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return PX_BUSY;
    default:
        return PX_INTERNAL;
    }
}

static int open_beneath(int root, const char *path, bool without_links)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    how.resolve |= without_links ? RESOLVE_NO_SYMLINKS : 0;
    long fd = -1;
    for (int i = 0; i < RACES_MAX; i++) {
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return (int)fd;
}

/* Takes the next component of a path into `name`. False: it is longer than a name may be. */
static bool next_component(const char **path, char name[256])
{
    const char *at = *path + strspn(*path, "/");
    size_t len = strcspn(at, "/");
    if (len > 255) {
        return false;
    }
    memcpy(name, at, len);
    name[len] = 0;
    *path = at + len;
    return true;
}

static bool is_last(const char *rest)
{
    return rest[strspn(rest, "/")] == 0;
}

/* The directory or file `name` in `dir`, which is closed unless it is `root`. */
static int step(int root, int dir, const char *name, bool last, bool wants_dir)
{
    int flags = last ? OPEN_FLAGS | O_NOFOLLOW | (wants_dir ? O_DIRECTORY : 0)
                     : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir, name, flags);
    int err = errno;
    if (dir != root) {
        (void)close(dir);
    }
    errno = err;
    return fd;
}

/* No component may be ".." or a link, so none can lead out. */
static int open_stepwise(int root, const char *path)
{
    char name[256];
    int dir = root;
    for (;;) {
        if (!next_component(&path, name)) {
            errno = ENAMETOOLONG;
            break;
        }
        if (strcmp(name, "..") == 0) {
            errno = EXDEV;
            break;
        }
        bool last = is_last(path);
        dir = step(root, dir, name[0] == 0 ? "." : name, last, last && path[0] == '/');
        if (last || dir < 0) {
            return dir;
        }
    }
    int err = errno;
    if (dir != root) {
        (void)close(dir);
    }
    errno = err;
    return -1;
}

enum px_status file_open(struct file_opener *opener, int root, const char *path, bool without_links,
                         int *ret_fd)
{
    int fd = -1;
    if (opener->has_openat2) {
        fd = open_beneath(root, path, without_links);
        opener->has_openat2 = fd >= 0 || (errno != ENOSYS && errno != E2BIG);
    }
    if (!opener->has_openat2) {
        fd = open_stepwise(root, path);
    }
    if (fd < 0) {
        return status_of_errno(errno);
    }
    *ret_fd = fd;
    return PX_OK;
}
