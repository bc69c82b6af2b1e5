/* file_cache.h - the files that the mailbox "file" has open: found again by root and path, closed
 * when they are old and unused, or wanted for others.
 *
 * A file is open as long as its entry is here, or a slice of it exists somewhere. An entry has a
 * name (root and path) until its file changes or that name comes to mean another: file_cache_find
 * looks at the file system each time (one fstatat), so that nothing old is ever answered. No
 * notification is asked of the system: a watch would have to be set for every directory on the way,
 * counts against a limit of the user's, and is told late.
 */
#ifndef PX_FILE_CACHE_H
#define PX_FILE_CACHE_H

#include <px/service.h>
#include <sys/stat.h>

#include "posix_promise.h"

enum {
    FILE_CACHE_PATH_MAX = 192, /* bytes; files of longer paths are opened each time */
    FILE_CACHE_KEPT_MAX =
        128, /* descriptors of files nobody uses, about: connections want some too */
    FILE_CACHE_TRIM_EACH = 4,           /* looked at with each file that is opened beyond */
    FILE_CACHE_SWEEP_US = 1000000,      /* how often old entries are looked for */
    FILE_CACHE_SETTLED_NS = 2000000000, /* time stamps are coarse: see file_cache_keep_bytes */
};

/* What makes a file the one it was. */
struct file_stamp {
    struct posix_promise promise; /* device, inode, length, last modification */
    int64_t changed_ns;
};

struct open_file {
    struct open_file *newer, *older, *same_bucket;
    struct px_buf
        *buf; /* our reference of the descriptor; others are in slices. NULL: only bytes */
    struct px_buf *bytes; /* the whole file in memory, or NULL */
    struct file_stamp stamp;
    uint64_t used_us;
    uint32_t hash, root;
    bool named, pinned; /* can be found; is not to be closed */
    uint16_t path_len;
    char path[FILE_CACHE_PATH_MAX];
};

struct file_line {
    struct open_file *newest, *oldest;
    uint32_t n;
};

struct file_cache {
    struct px_env *env;
    struct px_posix *os;           /* NULL: another world */
    struct px_pool files;          /* of struct open_file */
    struct file_line open, closed; /* with a descriptor, and with bytes alone */
    struct open_file **buckets;
    struct px_buf *bucket_memory;
    struct px_sul sweep;
    uint64_t keep_us, memory_max, memory;
    uint32_t open_max, bucket_mask;
};

/* A file's place: the directory of its root, the root's number here, the path below it. */
struct file_place {
    int dir;
    uint32_t root;
    const char *path; /* NUL-terminated */
    size_t path_len;
};

PX_MUST_USE enum px_err file_cache_init(struct file_cache *cache, struct px_env *env,
                                        uint32_t open_max, uint64_t keep_us, uint64_t memory_max);
struct file_stamp file_stamp_of(const struct stat *st);
/* The entry of a place, if what lies there now is what is known, and if it has a descriptor or is
 * not longer than `read_max`. NULL: open it. */
struct open_file *file_cache_find(struct file_cache *cache, const struct file_place *place,
                                  uint64_t read_max);
/* Is there room for one more, or can it be made? */
bool file_cache_has_room(struct file_cache *cache);
/* Closes all that nobody uses: the process is out of descriptors. False: there was nothing. */
bool file_cache_close_unused(struct file_cache *cache);
/* An entry for a file that was just opened. Takes the descriptor in any case. NULL: no memory. */
struct open_file *file_cache_add(struct file_cache *cache, const struct file_place *place,
                                 int take_fd, const struct stat *st);
/* Keeps the bytes of a file instead of its descriptor, unless there are too many already, or the
 * file was changed so lately that the next change might bear the same time stamp. */
void file_cache_keep_bytes(struct file_cache *cache, struct open_file *file,
                           struct px_buf *take_bytes);
/* The entries of a root lose their names. */
void file_cache_forget_root(struct file_cache *cache, uint32_t root);

#endif
