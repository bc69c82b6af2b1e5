/* privilege.h - what the operating system lets this process do. */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity {
    uint32_t uid, gid;
    char name[65];
};

/* Looks up whom `user:` and `group:` (or NULL) name; numbers are taken too. False: `*ret_wrong` is
 * the one that is not known. */
bool identity_find(const char *user, const char *group, struct identity *ret_identity,
                   const char **ret_wrong);
/* Gives root up for good: supplementary groups, group, user, and any way back. 0, or an errno. */
int identity_become(const struct identity *identity);
/* Could that user read a file? Asked while still root, by its bits and those of its folders. */
bool identity_can_read(const struct identity *identity, const char *path);

/* Raises the soft limit of open descriptors to the hard one. False: it was there already. */
bool descriptors_raise(uint64_t *ret_before, uint64_t *ret_now);

#endif
