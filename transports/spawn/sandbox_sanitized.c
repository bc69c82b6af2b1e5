/* sandbox_sanitized.c - what the run time of a sanitizer needs besides: a filter there is all the
 * same. */
#include <seccomp.h>

#include "sandbox_impl.h"

const int sandbox_extra_calls[] = {
    SCMP_SYS(sigaltstack),
    SCMP_SYS(openat),
    SCMP_SYS(readlink),
    SCMP_SYS(newfstatat),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getcwd),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(lseek),
    SCMP_SYS(getdents64),
    SCMP_SYS(sysinfo),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(wait4),
    SCMP_SYS(ptrace),
    SCMP_SYS(prctl),
    SCMP_SYS(pipe2),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(gettid),
    -1,
};

void sandbox_not_dumpable(void)
{
}
