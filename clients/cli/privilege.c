/* privilege.c - users, groups and limits.
 */
#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* "1000": an id that may have no name. */
static bool id_of(const char *text, uint32_t *ret_id)
{
    char *end = NULL;
    errno = 0;
    unsigned long id = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || id >= UINT32_MAX) {
        return false;
    }
    *ret_id = (uint32_t)id;
    return true;
}

bool identity_find(const char *user, const char *group, struct identity *ret_identity,
                   const char **ret_wrong)
{
    struct identity who = {.uid = 0};
    const struct passwd *pw = getpwnam(user);
    if (pw != NULL) {
        who.uid = pw->pw_uid;
        who.gid = pw->pw_gid;
    } else if (!id_of(user, &who.uid)) {
        *ret_wrong = user;
        return false;
    } else {
        who.gid = who.uid;
    }
    const struct group *gr = group == NULL ? NULL : getgrnam(group);
    if (gr != NULL) {
        who.gid = gr->gr_gid;
    } else if (group != NULL && !id_of(group, &who.gid)) {
        *ret_wrong = group;
        return false;
    }
    snprintf(who.name, sizeof who.name, "%s", user);
    *ret_identity = who;
    return true;
}

static int groups_set(const struct identity *identity)
{
    bool has_name = getpwnam(identity->name) != NULL;
    return has_name ? initgroups(identity->name, identity->gid) : setgroups(1, &identity->gid);
}

int identity_become(const struct identity *identity)
{
    if (groups_set(identity) != 0 || setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    bool can_return = identity->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0);
    return can_return ? EPERM : 0;
}

/* In a process of its own: what counts is what the kernel says to that user. */
bool identity_can_read(const struct identity *identity, const char *path)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        _exit(identity_become(identity) == 0 && open(path, O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return true; /* not known: nothing to warn of */
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool descriptors_raise(uint64_t *ret_before, uint64_t *ret_now)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) {
        return false;
    }
    *ret_before = limit.rlim_cur;
    *ret_now = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}
