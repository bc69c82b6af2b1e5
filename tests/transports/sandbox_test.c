/* sandbox_test.c - from inside: a child of the test enters a profile and tries what it must not be
 * able to do, and what it must.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <px/posix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

enum { DENIED = 0, DONE = 1, NOT_CONFINED = 2, OUTPUT_FD = 3 };

/* Runs in the child: DENIED or DONE. The errno of what was denied is not looked at. */
typedef int (*attempt_fn)(void);

static int outcome(bool done)
{
    return done ? DONE : DENIED;
}

static int file_read(void)
{
    return outcome(open("/etc/passwd", O_RDONLY) >= 0);
}

static int file_write(void)
{
    return outcome(open("/tmp/sandbox-test-file", O_WRONLY | O_CREAT, 0600) >= 0);
}

static int file_by_number(void)
{
    return outcome(syscall(SYS_openat, AT_FDCWD, "/", O_PATH) >= 0 &&
                   syscall(SYS_openat, AT_FDCWD, "/etc/hostname", O_RDONLY) >= 0);
}

static int network(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int connecting(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/private"};
    return outcome(connect(OUTPUT_FD, (const struct sockaddr *)&to, sizeof to) == 0 ||
                   errno != EPERM);
}

static int packet_socket(void)
{
    return outcome(socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
}

static int forking(void)
{
    return outcome(syscall(SYS_fork) >= 0 || syscall(SYS_vfork) >= 0);
}

static int tracing(void)
{
    return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static int reading_others(void)
{
    char byte;
    struct iovec to = {&byte, 1}, from = {&byte, 1};
    return outcome(process_vm_readv(getppid(), &to, 1, &from, 1, 0) == 1);
}

static int killing(void)
{
    return outcome(kill(getppid(), 0) == 0 || kill(getppid(), SIGCONT) == 0);
}

static int executable_memory(void)
{
    void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                       MAP_FAILED ||
                   mprotect(mem, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int becoming_root(void)
{
    return outcome(setuid(0) == 0 && geteuid() == 0);
}

static int mounting(void)
{
    return outcome(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) == 0 ||
                   syscall(SYS_unshare, 0x10000000) == 0);
}

static int io_uring(void)
{
    return outcome(syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM);
}

/* What serving takes: memory, an epoll that was there, answering, waiting. */
static int epoll_fd;

static int serving(void)
{
    struct epoll_event e;
    char *mem = malloc(8 << 20);
    if (mem == NULL) {
        return DENIED;
    }
    memset(mem, 1, 8 << 20);
    free(mem);
    return outcome(epoll_wait(epoll_fd, &e, 1, 1) == 0 && write(OUTPUT_FD, "x", 1) == 1);
}

static int serving_sockets(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return outcome(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
                   listen(fd, 1) == 0);
}

static int unix_sockets(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/sandbox-test-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return outcome(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
                   listen(fd, 1) == 0 && unlink(at.sun_path) == 0);
}

static void child_run(enum sandbox_profile profile, attempt_fn attempt, int output)
{
    struct sandbox_report report;
    if (dup2(output, OUTPUT_FD) != OUTPUT_FD ||
        sandbox_enter(profile, OUTPUT_FD, &report) != PX_EOK) {
        _exit(NOT_CONFINED);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sandbox_seal(profile, &report) != PX_EOK) {
        _exit(NOT_CONFINED);
    }
    (void)!write(OUTPUT_FD, report.text, strlen(report.text));
    _exit(attempt());
}

static char said[512]; /* the report, and what else it wrote */

/* How a child in this profile ends. */
static int status_of(enum sandbox_profile profile, attempt_fn attempt)
{
    int pair[2], status = 0;
    memset(said, 0, sizeof said);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child_run(profile, attempt, pair[1]);
    }
    close(pair[1]);
    for (ssize_t n; (n = read(pair[0], said + strlen(said), sizeof said - 1 - strlen(said))) > 0;) {
    }
    close(pair[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect(enum sandbox_profile profile, attempt_fn attempt, int wanted)
{
    int status = status_of(profile, attempt);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == wanted, "status %#x, %s", status,
                  said);
}

static const attempt_fn attempts[] = {
    file_read,         file_write,    file_by_number, network,        connecting,
    packet_socket,     forking,       tracing,        reading_others, killing,
    executable_memory, becoming_root, mounting,       io_uring,
};
enum { N_ATTEMPTS = sizeof attempts / sizeof attempts[0] };

START_TEST(a_strict_process_can_do_nothing_but_serve)
{
    expect(SANDBOX_STRICT, attempts[_i], DENIED);
}
END_TEST

START_TEST(a_strict_process_serves)
{
    expect(SANDBOX_STRICT, serving, DONE);
    ck_assert_ptr_nonnull(strstr(said, "seccomp"));
    ck_assert_ptr_null(strstr(said, "seccomp not offered"));
}
END_TEST

/* It would be another program then, and could say so. */
static int executing_echo(void)
{
    char shell[] = "/bin/sh", option[] = "-c", script[] = "echo executed >&3";
    char *argv[] = {shell, option, script, NULL}, *environment[] = {NULL};
    execve(argv[0], argv, environment);
    return DENIED;
}

START_TEST(no_profile_executes_programs)
{
    expect(_i == 0 ? SANDBOX_STRICT : SANDBOX_NET, executing_echo, DENIED);
    ck_assert_ptr_null(strstr(said, "executed"));
}
END_TEST

START_TEST(a_net_process_makes_sockets_and_nothing_else)
{
    expect(SANDBOX_NET, serving_sockets, DONE);
    expect(SANDBOX_NET, unix_sockets, DONE);
    expect(SANDBOX_NET, serving, DONE);
    expect(SANDBOX_NET, file_read, DENIED);
    expect(SANDBOX_NET, file_write, DENIED);
    expect(SANDBOX_NET, packet_socket, DENIED);
    expect(SANDBOX_NET, executable_memory, DENIED);
    expect(SANDBOX_NET, tracing, DENIED);
    expect(SANDBOX_NET, mounting, DENIED);
}
END_TEST

START_TEST(without_a_sandbox_everything_is_as_it_was)
{
    expect(SANDBOX_NONE, file_read, DONE);
    expect(SANDBOX_NONE, network, DONE);
    ck_assert_ptr_nonnull(strstr(said, "none"));
}
END_TEST

START_TEST(profiles_have_names)
{
    enum sandbox_profile profile = SANDBOX_NONE;
    ck_assert(sandbox_profile_of("strict", &profile) && profile == SANDBOX_STRICT);
    ck_assert(sandbox_profile_of("net", &profile) && profile == SANDBOX_NET);
    ck_assert(sandbox_profile_of("none", &profile) && profile == SANDBOX_NONE);
    ck_assert(!sandbox_profile_of("lax", &profile));
}
END_TEST

/* Said by the kernel itself when it happens: a failed assertion ends the process as before. */
static int aborting(void)
{
    abort();
}

START_TEST(a_strict_process_can_end_itself)
{
    int status = status_of(SANDBOX_STRICT, aborting);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x", status);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, a_strict_process_can_do_nothing_but_serve, 0, N_ATTEMPTS);
    tcase_add_test(tcase, a_strict_process_serves);
    tcase_add_loop_test(tcase, no_profile_executes_programs, 0, 2);
    tcase_add_test(tcase, a_net_process_makes_sockets_and_nothing_else);
    tcase_add_test(tcase, without_a_sandbox_everything_is_as_it_was);
    tcase_add_test(tcase, profiles_have_names);
    tcase_add_test(tcase, a_strict_process_can_end_itself);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
