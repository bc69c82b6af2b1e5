/* notify.c - the protocol of sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3).
 */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_SOCKET = 3, SOCKETS_MAX = 64, DATAGRAM_MAX = 1024 };

/* A number of the environment; 0: none, or not one. */
static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return 0;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno != 0 || *end != '\0' ? 0 : number;
}

static int connected(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof addr.sun_path || (path[0] != '/' && path[0] != '@')) {
        return -1;
    }
    memcpy(addr.sun_path, path, len);
    if (path[0] == '@') {
        addr.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, addr_len) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static uint32_t sockets_passed(void)
{
    uint64_t n = number_of("LISTEN_FDS");
    if (number_of("LISTEN_PID") != (uint64_t)getpid() || n > SOCKETS_MAX) {
        return 0;
    }
    for (int fd = FIRST_SOCKET; fd < FIRST_SOCKET + (int)n; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
            return 0;
        }
    }
    return (uint32_t)n;
}

void notify_init(struct notify *notify)
{
    static const char *const names[] = {"NOTIFY_SOCKET",  "LISTEN_PID",   "LISTEN_FDS",
                                        "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"};
    uint64_t pid = number_of("WATCHDOG_PID");
    notify->n_sockets = sockets_passed();
    notify->watchdog_us = pid == 0 || pid == (uint64_t)getpid() ? number_of("WATCHDOG_USEC") : 0;
    notify->fd = connected(getenv("NOTIFY_SOCKET"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
}

void notify_done(struct notify *notify)
{
    if (notify->fd >= 0) {
        (void)close(notify->fd);
    }
    notify->fd = -1;
}

void notify_send(struct notify *notify, const char *format, ...)
{
    char text[DATAGRAM_MAX];
    va_list args;
    if (notify->fd < 0) {
        return;
    }
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0) {
        size_t n = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        (void)!send(notify->fd, text, n, MSG_NOSIGNAL);
    }
}

void notify_ready(struct notify *notify, const char *status)
{
    notify_send(notify, "READY=1\nSTATUS=%s", status);
}

void notify_reloading(struct notify *notify)
{
    struct timespec ts = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    notify_send(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the configuration",
                (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

void notify_stopping(struct notify *notify, uint64_t drain_us)
{
    notify_send(notify,
                "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=finishing what is under way",
                drain_us + 5000000);
}

void notify_alive(struct notify *notify)
{
    notify_send(notify, "WATCHDOG=1");
}
