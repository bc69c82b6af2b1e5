/* sandbox_filter.c - the filter of system calls: what serving takes, by name; everything else is
 * answered EPERM, so that a library that tries its luck goes on without.
 */
#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox_impl.h"

static const int serving[] = {
    SCMP_SYS(read),           SCMP_SYS(write),        SCMP_SYS(writev),
    SCMP_SYS(recvfrom),       SCMP_SYS(recvmsg),      SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),        SCMP_SYS(close),        SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),    SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
    SCMP_SYS(futex),          SCMP_SYS(brk),          SCMP_SYS(munmap),
    SCMP_SYS(mremap),         SCMP_SYS(madvise),      SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),   SCMP_SYS(getrandom),    SCMP_SYS(getpid),
    SCMP_SYS(gettid),         SCMP_SYS(getppid),      SCMP_SYS(exit),
    SCMP_SYS(exit_group),     SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(fstat),        SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),    SCMP_SYS(readv),        -1,
};

/* Sockets, and files to be sent through them. */
static const int networking[] = {
    SCMP_SYS(bind),       SCMP_SYS(listen),     SCMP_SYS(accept4),     SCMP_SYS(connect),
    SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),   SCMP_SYS(sendfile),   SCMP_SYS(fcntl),       SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),   SCMP_SYS(chmod),      SCMP_SYS(fchmod),      SCMP_SYS(fchmodat),
    SCMP_SYS(newfstatat), SCMP_SYS(lstat),      SCMP_SYS(ioctl),       -1,
};

static int allow_all(scmp_filter_ctx filter, const int *calls)
{
    int r = 0;
    for (; r == 0 && *calls != -1; calls++) {
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, *calls, 0);
    }
    return r;
}

/* The argument `arg` of a call must be `value`. */
static struct scmp_arg_cmp must_be(unsigned arg, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value};
}

/* Memory may be had, but never to be executed; and nobody is signalled but oneself. */
static int allow_narrowly(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    r = r != 0 ? r
               : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return r != 0 ? r
                  : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                     must_be(0, (scmp_datum_t)getpid()));
}

static int allow_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    int r = allow_all(filter, networking);
    for (size_t i = 0; r == 0 && i < sizeof families / sizeof families[0]; i++) {
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             must_be(0, (scmp_datum_t)families[i]));
    }
    return r;
}

enum px_err sandbox_seal(enum sandbox_profile profile, struct sandbox_report *report)
{
    if (profile == SANDBOX_NONE) {
        return PX_EOK;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return PX_ENOMEM;
    }
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int r = allow_all(filter, serving);
    r = r != 0 ? r : allow_all(filter, sandbox_extra_calls);
    r = r != 0 ? r : allow_narrowly(filter);
    r = r != 0 || profile != SANDBOX_NET ? r : allow_sockets(filter);
    if (r == 0) {
        r = seccomp_load(filter);
        sandbox_say(report, r == 0 ? "seccomp" : "seccomp not offered", -1);
        r = 0;
    }
    seccomp_release(filter);
    return r == 0 ? PX_EOK : PX_ENOMEM;
}
