/* process.c - posix_spawn, pidfd, waitid. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P_PIDFD_ID = 3 }; /* P_PIDFD of waitid(2), which older headers lack */

/* Neither the program that embeds us nor the shell it was started from decides about signals. */
static int attributes_set(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_setsigmask(attributes, &none);
    r = r != 0 ? r : posix_spawnattr_setsigdefault(attributes, &all);
    r = r != 0 ? r : posix_spawnattr_setpgroup(attributes, 0);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    return r != 0 ? r : posix_spawnattr_setflags(attributes, flags);
}

static int spawn_with(const char *program, int socket, int words,
                      posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                      pid_t *ret_pid)
{
    char path[4096], option[] = "--link", number[] = "3";
    char *argv[] = {path, option, number, NULL};
    if (strlen(program) >= sizeof path) {
        return ENAMETOOLONG;
    }
    strcpy(path, program);
    int r = posix_spawn_file_actions_adddup2(actions, socket, PROCESS_FD);
    r = r != 0 ? r : posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    r = r != 0 ? r : posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    r = r != 0 ? r : posix_spawn_file_actions_adddup2(actions, words, 2);
    r = r != 0 ? r : posix_spawn_file_actions_addclosefrom_np(actions, PROCESS_FD + 1);
    return r != 0 ? r : posix_spawn(ret_pid, path, actions, attributes, argv, environ);
}

static int spawn_on(const char *program, int socket, int words, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0) {
        return r;
    }
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = attributes_set(&attributes);
        r = r != 0 ? r : spawn_with(program, socket, words, &actions, &attributes, ret_pid);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static void close_if(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

/* A program without standard descriptors gets their numbers for others; moved out of the way of
 * those of the process. */
static int out_of_the_way(int *fd)
{
    if (*fd > PROCESS_FD) {
        return 0;
    }
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, PROCESS_FD + 1);
    if (high < 0) {
        return errno;
    }
    (void)close(*fd);
    *fd = high;
    return 0;
}

/* Our ends in `ret`, and those of the process. Returns an errno. */
static int ways_open(struct process_handles *ret, int *ret_socket, int *ret_words)
{
    int pair[2], ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return errno;
    }
    ret->socket = pair[0];
    *ret_socket = pair[1];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    ret->words = ends[0];
    *ret_words = ends[1];
    int r = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
    r = r != 0 ? r : out_of_the_way(ret_socket);
    return r != 0 ? r : out_of_the_way(ret_words);
}

enum px_err process_start(const char *program, struct process_handles *ret)
{
    struct process_handles h = {.pidfd = -1, .socket = -1, .words = -1};
    int socket = -1, words = -1;
    int r = ways_open(&h, &socket, &words);
    r = r != 0 ? r : spawn_on(program, socket, words, &h.pid);
    close_if(&socket);
    close_if(&words);
    if (r == 0) {
        h.pidfd = (int)syscall(SYS_pidfd_open, h.pid, 0);
        r = h.pidfd < 0 ? errno : 0;
        if (r != 0) {
            close_if(&h.socket); /* the process sees that, and ends */
            (void)waitpid(h.pid, NULL, 0);
        }
    }
    if (r != 0) {
        process_handles_end(&h);
        errno = r;
        return PX_EIO;
    }
    *ret = h;
    return PX_EOK;
}

void process_handles_end(struct process_handles *handles)
{
    if (handles->pidfd >= 0) {
        process_kill(handles->pidfd);
        process_finish(handles->pidfd, 0);
    }
    close_if(&handles->pidfd);
    close_if(&handles->socket);
    close_if(&handles->words);
}

void process_kill(int pidfd)
{
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static bool is_crash(int signal)
{
    static const int crashes[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        if (crashes[i] == signal) {
            return true;
        }
    }
    return false;
}

bool process_reap(int pidfd, int patience_ms, char *ret_text, size_t size, bool *ret_crashed)
{
    siginfo_t info = {.si_pid = 0};
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    (void)poll(&p, 1, patience_ms);
    if (waitid((idtype_t)P_PIDFD_ID, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0) {
        snprintf(ret_text, size, "ended"); /* the program reaps its children itself */
        return errno != EINTR;
    }
    if (info.si_pid == 0) {
        return false;
    }
    *ret_crashed = info.si_code != CLD_EXITED && is_crash(info.si_status);
    if (info.si_code == CLD_EXITED) {
        snprintf(ret_text, size, "exited with %d", info.si_status);
    } else {
        snprintf(ret_text, size, "was ended by signal %d (%s)", info.si_status,
                 strsignal(info.si_status));
    }
    return true;
}

void process_finish(int pidfd, int patience_ms)
{
    char text[64];
    bool crashed = false;
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (poll(&p, 1, patience_ms) != 1) {
        process_kill(pidfd);
        while (poll(&p, 1, -1) < 0 && errno == EINTR) {
        }
    }
    (void)process_reap(pidfd, 0, text, sizeof text, &crashed);
}
