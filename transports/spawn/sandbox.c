/* sandbox.c - in this order, because each step needs what the next one takes away: descriptors,
 * limits, namespaces, uid (a change of it forgets the parent-death signal), parent's death, no new
 * privileges, files (Landlock). The filter of system calls comes last (sandbox_filter.c).
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox_impl.h"

bool sandbox_profile_of(const char *name, enum sandbox_profile *ret_profile)
{
    static const char *const names[] = {
        [SANDBOX_NONE] = "none", [SANDBOX_STRICT] = "strict", [SANDBOX_NET] = "net"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_profile = (enum sandbox_profile)i;
            return true;
        }
    }
    return false;
}

void sandbox_say(struct sandbox_report *report, const char *what, int number)
{
    size_t len = strlen(report->text);
    snprintf(report->text + len, sizeof report->text - len, number < 0 ? "%s%s" : "%s%s %d",
             len == 0 ? "" : ", ", what, number);
}

/* ---- descriptors and limits ---- */

static void limit(int what, rlim_t most)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max > most) {
        now.rlim_cur = now.rlim_max = most;
        (void)setrlimit((__rlimit_resource_t)what, &now); /* it only lowers: nothing refuses that */
    }
}

static void limits_set(enum sandbox_profile profile, int keep_fd)
{
    (void)syscall(SYS_close_range, (unsigned)keep_fd + 1, UINT32_MAX, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_MEMLOCK, 0);
    limit(RLIMIT_MSGQUEUE, 0);
    if (profile == SANDBOX_STRICT) {
        limit(RLIMIT_NOFILE, SANDBOX_FILES_STRICT);
    }
}

/* ---- namespaces and uid ---- */

static int landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* As an ordinary user only together with a user namespace, whose capabilities are dropped at once.
 * Mounts of its own only where Landlock does not take all files away: the end of such a namespace
 * waits for the whole system (a grace period of RCU), before the sockets of a process that was
 * killed are closed and anybody hears of it. */
static void namespaces_leave(enum sandbox_profile profile, struct sandbox_report *report)
{
    int apart = CLONE_NEWIPC | CLONE_NEWUTS;
    apart |= landlock_abi() < 1 ? CLONE_NEWNS : 0;
    apart |= profile == SANDBOX_STRICT ? CLONE_NEWNET : 0;
    apart |= geteuid() == 0 ? 0 : CLONE_NEWUSER;
    bool done = unshare(apart) == 0;
    if (profile == SANDBOX_STRICT) {
        sandbox_say(report, done ? "no network" : "network namespace not offered", -1);
    } else {
        sandbox_say(report, done ? "namespaces" : "namespaces not offered", -1);
    }
}

static enum px_err root_give_up(struct sandbox_report *report)
{
    if (geteuid() != 0) {
        return PX_EOK;
    }
    if (setgroups(0, NULL) != 0 || setresgid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) != 0 ||
        setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) != 0 || setuid(0) == 0) {
        return PX_EDENIED;
    }
    sandbox_say(report, "uid", SANDBOX_UID);
    return PX_EOK;
}

static void capabilities_drop(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{.effective = 0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    (void)syscall(SYS_capset, &header, none);
}

/* ---- files ---- */

/* The largest form of the structure; older kernels take a shorter one. */
struct ruleset {
    uint64_t fs, net, scoped;
};

enum {
    FS_BITS_1 = (1 << 13) - 1, /* execute .. make_sym */
    FS_REFER = 1 << 13,        /* ABI 2 */
    FS_TRUNCATE = 1 << 14,     /* ABI 3 */
    FS_IOCTL = 1 << 15,        /* ABI 5 */
    NET_TCP = 3,               /* ABI 4: bind, connect */
    SCOPED = 3,                /* ABI 6: abstract sockets, signals */
};

static struct ruleset ruleset_for(enum sandbox_profile profile, int abi, size_t *ret_size)
{
    struct ruleset r = {.fs = FS_BITS_1};
    r.fs |= abi >= 2 ? FS_REFER : 0;
    r.fs |= abi >= 3 ? FS_TRUNCATE : 0;
    r.fs |= abi >= 5 ? FS_IOCTL : 0;
    r.net = abi >= 4 && profile == SANDBOX_STRICT ? NET_TCP : 0;
    r.scoped = abi >= 6 && profile == SANDBOX_STRICT ? SCOPED : 0;
    *ret_size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    return r;
}

static bool sockets_may_be_made(int rules)
{
    struct landlock_path_beneath_attr below = {.allowed_access = LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                                                 LANDLOCK_ACCESS_FS_REMOVE_FILE,
                                               .parent_fd = open("/", O_PATH | O_CLOEXEC)};
    if (below.parent_fd < 0) {
        return false;
    }
    long r = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
    (void)close(below.parent_fd);
    return r == 0;
}

static void files_leave(enum sandbox_profile profile, struct sandbox_report *report)
{
    size_t size = 0;
    int abi = landlock_abi();
    struct ruleset wanted = ruleset_for(profile, abi, &size);
    int rules = abi < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &wanted, size, 0);
    bool done = rules >= 0 && (profile != SANDBOX_NET || sockets_may_be_made(rules)) &&
                syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (rules >= 0) {
        (void)close(rules);
    }
    sandbox_say(report, done ? "landlock" : "landlock not offered", done ? abi : -1);
}

/* ---- the first part ---- */

enum px_err sandbox_enter(enum sandbox_profile profile, int keep_fd, struct sandbox_report *report)
{
    report->text[0] = '\0';
    pid_t parent = getppid();
    if (profile != SANDBOX_NONE) {
        limits_set(profile, keep_fd);
        namespaces_leave(profile, report);
        PX_TRY(root_give_up(report));
        capabilities_drop();
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) {
        return PX_ESTATE; /* it ended before it could be heard */
    }
    if (profile == SANDBOX_NONE) {
        sandbox_say(report, "none", -1);
        return PX_EOK;
    }
    sandbox_not_dumpable();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return PX_EDENIED;
    }
    files_leave(profile, report);
    return PX_EOK;
}
