/* door_place.c - the folder, the lock and the socket of a door. */
#include "door_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BASES_MAX = 4, BACKLOG = 256 };

__attribute__((format(printf, 3, 4))) static enum px_err
say(char why[PX_DOOR_WHY_MAX], enum px_err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, PX_DOOR_WHY_MAX, format, args);
    va_end(args);
    return err;
}

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    bool is_path = strchr(name, '/') != NULL;
    return len > 0 && (is_path || (len <= PX_DOOR_NAME_MAX && name[0] != '.'));
}

/* ---- where it may be ---- */

/* The nth folder in which doors have theirs; false: there is none, or its name is too long.
 * `running`: of somebody else's process too. */
static bool base_at(unsigned n, bool running, char ret[PX_DOOR_PATH_MAX])
{
    const char *env = n == 0 ? getenv("RUNTIME_DIRECTORY") : getenv("XDG_RUNTIME_DIR");
    int len = -1;
    switch (n) {
    case 0:
        len =
            env == NULL ? -1 : snprintf(ret, PX_DOOR_PATH_MAX, "%.*s", (int)strcspn(env, ":"), env);
        break;
    case 1:
        len =
            env == NULL || env[0] == '\0' ? -1 : snprintf(ret, PX_DOOR_PATH_MAX, "%s/plexus", env);
        break;
    case 2:
        len = snprintf(ret, PX_DOOR_PATH_MAX, "/tmp/plexus-%lu", (unsigned long)geteuid());
        break;
    default:
        len = running ? snprintf(ret, PX_DOOR_PATH_MAX, "/run/plexus") : -1;
        break;
    }
    return len > 0 && len < PX_DOOR_PATH_MAX;
}

static bool folder_of(const char *base, const char *name, char ret[PX_DOOR_PATH_MAX])
{
    int len = base == NULL ? snprintf(ret, PX_DOOR_PATH_MAX, "%s", name)
                           : snprintf(ret, PX_DOOR_PATH_MAX, "%s/%s", base, name);
    return len > 0 && len < PX_DOOR_PATH_MAX;
}

static bool socket_of(const char *folder, char ret[PX_DOOR_PATH_MAX])
{
    int len = snprintf(ret, PX_DOOR_PATH_MAX, "%s/door", folder);
    return len > 0 && len < PX_DOOR_PATH_MAX;
}

static bool is_socket(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

enum px_err px_door_find(const char *name, char ret_path[PX_DOOR_PATH_MAX],
                         char ret_why[PX_DOOR_WHY_MAX])
{
    char base[PX_DOOR_PATH_MAX], folder[PX_DOOR_PATH_MAX], path[PX_DOOR_PATH_MAX];
    bool is_path = strchr(name, '/') != NULL;
    if (!name_is_valid(name)) {
        return say(ret_why, PX_EINVAL, "'%s' is not a name", name);
    }
    for (unsigned i = 0; i < (is_path ? 1 : BASES_MAX); i++) {
        if ((is_path || base_at(i, true, base)) && folder_of(is_path ? NULL : base, name, folder) &&
            socket_of(folder, path) && is_socket(path)) {
            memcpy(ret_path, path, PX_DOOR_PATH_MAX);
            return PX_EOK;
        }
    }
    if (is_path) {
        return say(ret_why, PX_ENOENT, "no door at %s: is that process running?", name);
    }
    return say(ret_why, PX_ENOENT, "no door is named '%s': start one with plexus serve --name %s",
               name, name);
}

/* ---- binding ---- */

/* The folder is ours, and nobody else may write in it. */
static enum px_err folder_make(const char *folder, bool shared, char *why)
{
    struct stat st;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return say(why, errno == EACCES ? PX_EDENIED : PX_EIO, "%.120s: %s", folder,
                   strerror(errno));
    }
    if (lstat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        chmod(folder, shared ? 0711 : 0700) != 0) {
        return say(why, PX_EDENIED,
                   "%.120s is not a folder of this user: remove it, or set "
                   "XDG_RUNTIME_DIR",
                   folder);
    }
    return PX_EOK;
}

/* The folder around it: made if it is one that nobody else makes. */
static enum px_err base_make(const char *base, bool shared, char *why)
{
    struct stat st;
    if (mkdir(base, shared ? 0711 : 0700) != 0 && errno != EEXIST) {
        return say(why, errno == EACCES ? PX_EDENIED : PX_EIO, "%.120s: %s", base, strerror(errno));
    }
    if (lstat(base, &st) != 0 || !S_ISDIR(st.st_mode) ||
        (st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022) != 0) {
        return say(why, PX_EDENIED,
                   "%.120s may be written by others: set XDG_RUNTIME_DIR to a "
                   "folder of this user",
                   base);
    }
    return PX_EOK;
}

/* Who holds it, from the lock. */
static enum px_err held(const struct px_door_place *place, char *why)
{
    char pid[16] = "";
    ssize_t n = pread(place->lock_fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? (size_t)n : 0] = '\0';
    return say(why, PX_EEXIST, "%.120s is held by process %.*s: choose another name", place->folder,
               (int)strcspn(pid, "\n"), pid);
}

static enum px_err lock_take(struct px_door_place *place, char *why)
{
    char path[PX_DOOR_PATH_MAX + 8], pid[16];
    snprintf(path, sizeof path, "%s/lock", place->folder);
    place->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (place->lock_fd < 0) {
        return say(why, PX_EIO, "%.120s: %s", path, strerror(errno));
    }
    if (flock(place->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return held(place, why);
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    bool written =
        ftruncate(place->lock_fd, 0) == 0 && pwrite(place->lock_fd, pid, (size_t)len, 0) == len;
    return written ? PX_EOK : say(why, PX_EIO, "%.120s: %s", path, strerror(errno));
}

static enum px_err socket_bind(struct px_door_place *place, bool shared, char *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, place->socket, sizeof addr.sun_path);
    place->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (place->listen_fd < 0 || (unlink(place->socket) != 0 && errno != ENOENT) ||
        bind(place->listen_fd, (const struct sockaddr *)&addr, sizeof addr) != 0 ||
        chmod(place->socket, shared ? 0666 : 0600) != 0 || listen(place->listen_fd, BACKLOG) != 0) {
        return say(why, PX_EIO, "%.120s: %s", place->socket, strerror(errno));
    }
    return PX_EOK;
}

static enum px_err place_make(struct px_door_place *place, const char *name, bool shared, char *why)
{
    char base[PX_DOOR_PATH_MAX];
    bool is_path = strchr(name, '/') != NULL;
    unsigned n = 0;
    while (!is_path && !base_at(n, false, base)) {
        n++; /* the last one of ours there always is */
    }
    if (!folder_of(is_path ? NULL : base, name, place->folder) ||
        !socket_of(place->folder, place->socket)) {
        return say(why, PX_EINVAL, "the path of the socket would be longer than %d bytes",
                   PX_DOOR_PATH_MAX - 1);
    }
    if (!is_path) {
        PX_TRY(base_make(base, shared, why));
    }
    PX_TRY(folder_make(place->folder, shared, why));
    PX_TRY(lock_take(place, why));
    return socket_bind(place, shared, why);
}

enum px_err px_door_bind(const char *name, bool shared, struct px_door_place *ret_place,
                         char ret_why[PX_DOOR_WHY_MAX])
{
    struct px_door_place place = {.listen_fd = -1, .lock_fd = -1};
    if (!name_is_valid(name)) {
        return say(ret_why, PX_EINVAL, "'%.60s' is not a name: 1 to %d bytes, no dot in front",
                   name, PX_DOOR_NAME_MAX);
    }
    enum px_err err = place_make(&place, name, shared, ret_why);
    if (err != PX_EOK) {
        if (place.listen_fd >= 0) {
            close(place.listen_fd);
        }
        if (place.lock_fd >= 0) {
            close(place.lock_fd);
        }
        return err;
    }
    *ret_place = place;
    return PX_EOK;
}

void px_door_unbind(struct px_door_place *place)
{
    if (place->listen_fd >= 0) {
        (void)unlink(place->socket);
        close(place->listen_fd);
        close(place->lock_fd); /* the file stays: removing it would race with the next holder */
    }
    *place = (struct px_door_place){.listen_fd = -1, .lock_fd = -1};
}
