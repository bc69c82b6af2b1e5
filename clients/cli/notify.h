/* notify.h - what systemd wants to know of a service of Type=notify: datagrams to the socket that
 * NOTIFY_SOCKET names (sd_notify(3)), sockets that it has opened for us (sd_listen_fds(3)), and how
 * often it wants to be told that we live (sd_watchdog_enabled(3)). Without systemd nothing happens.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
    int fd;               /* -1: nobody listens */
    uint32_t n_sockets;   /* descriptors from 3 on that were passed */
    uint64_t watchdog_us; /* 0: none */
};

/* Reads NOTIFY_SOCKET, LISTEN_PID, LISTEN_FDS, WATCHDOG_PID and WATCHDOG_USEC, and takes them out
 * of the environment. Call it before anything else opens descriptors. */
void notify_init(struct notify *notify);
void notify_done(struct notify *notify);
/* One datagram of lines. Never waits; what cannot be sent is dropped. */
void notify_send(struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void notify_ready(struct notify *notify, const char *status);
/* With the time systemd compares the next READY with (Type=notify-reload). */
void notify_reloading(struct notify *notify);
/* `drain_us`: it may take so long. */
void notify_stopping(struct notify *notify, uint64_t drain_us);
void notify_alive(struct notify *notify);

#endif
