/* file_open.h - opening a path that must not leave a directory. */
#ifndef PX_FILE_OPEN_H
#define PX_FILE_OPEN_H

#include <px/err.h>
#include <stdbool.h>

struct file_opener {
    bool has_openat2; /* Linux 5.6; found out by trying */
};

void file_opener_init(struct file_opener *opener);
/* Opens `path` (relative, NUL-terminated) below the directory `root` for reading, never blocking.
 * Links are followed as long as they stay below it; where the system lacks openat2, no link is
 * followed, nor is any if they are not wanted. NOT_FOUND, DENIED, BAD_REQUEST, BUSY, INTERNAL. */
enum px_status file_open(struct file_opener *opener, int root, const char *path, bool without_links,
                         int *ret_fd);

#endif
