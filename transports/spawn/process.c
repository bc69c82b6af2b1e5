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

static int spawn_with(const char *program, int socket, posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, pid_t *ret_pid)
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
    r = r != 0 ? r : posix_spawn_file_actions_addclosefrom_np(actions, PROCESS_FD + 1);
    return r != 0 ? r : posix_spawn(ret_pid, path, actions, attributes, argv, environ);
}

static int spawn_on(const char *program, int socket, pid_t *ret_pid)
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
        r = r != 0 ? r : spawn_with(program, socket, &actions, &attributes, ret_pid);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

enum px_err process_start(const char *program, pid_t *ret_pid, int *ret_pidfd, int *ret_socket)
{
    int pair[2];
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return PX_EIO;
    }
    int r = spawn_on(program, pair[1], &pid);
    (void)close(pair[1]);
    if (r != 0) {
        (void)close(pair[0]);
        errno = r;
        return PX_EIO;
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        r = errno; /* the process sees its socket close, and ends */
        (void)close(pair[0]);
        (void)waitpid(pid, NULL, 0);
        errno = r;
        return PX_EIO;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    *ret_socket = pair[0];
    return PX_EOK;
}

void process_kill(int pidfd)
{
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

bool process_reap(int pidfd, int patience_ms, char *ret_text, size_t size)
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
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (poll(&p, 1, patience_ms) != 1) {
        process_kill(pidfd);
        while (poll(&p, 1, -1) < 0 && errno == EINTR) {
        }
    }
    (void)process_reap(pidfd, 0, text, sizeof text);
}
