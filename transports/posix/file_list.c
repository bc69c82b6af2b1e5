/* file_list.c - what is in a directory, straight from the system's own records: no C library
 * buffer, and no more entries looked at than are told.
 */
#include <dirent.h>
#include <fcntl.h>
#include <px/assert.h>
#include <px/bytes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "entry_tags.h"
#include "file_impl.h"

enum {
    RECORDS_LEN = 16384, /* bytes of records read at once */
    ENTRY_EXTRA = 48,    /* what an entry takes on the wire beside its name, at most */
    SKIPPED_MAX = 16 * FILE_ENTRIES_MAX, /* names passed over before we give up */
    NS_PER_S = 1000000000,
};

struct listing {
    struct px_bytes_out out;
    uint32_t n, max, skipped;
    bool cut;
};

static void put_entry(struct px_bytes_out *out, const char *name, const struct stat *st)
{
    uint8_t memory[ENTRY_EXTRA + NAME_MAX + 1];
    struct px_bytes_out one = px_bytes_out_of(memory, sizeof memory);
    int64_t modified_ns = (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
    px_bytes_put_varint(&one, FILE_TAG_NAME);
    px_bytes_put_varint(&one, strlen(name));
    px_bytes_put_str(&one, name);
    if (S_ISDIR(st->st_mode)) {
        px_bytes_put_varint(&one, FILE_TAG_DIRECTORY);
        px_bytes_put_varint(&one, 1);
    } else {
        px_bytes_put_varint(&one, FILE_TAG_LENGTH);
        px_bytes_put_varint(&one, (uint64_t)st->st_size);
    }
    px_bytes_put_varint(&one, FILE_TAG_MODIFIED);
    px_bytes_put_u64le(&one, (uint64_t)modified_ns);
    px_bytes_put_varint(out, FILE_TAG_ENTRY);
    px_bytes_put_varint(out, px_bytes_out_len(&one));
    px_bytes_put_span(out, px_bytes_out_span(&one));
}

/* False: enough. */
static bool list_name(struct listing *listing, int dir, const struct dirent64 *record)
{
    struct stat st;
    const char *name = record->d_name;
    bool may_be = record->d_type == DT_REG || record->d_type == DT_DIR ||
                  record->d_type == DT_UNKNOWN; /* some file systems do not say */
    if (name[0] == '.' || !may_be || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        listing->cut = ++listing->skipped > SKIPPED_MAX;
        return !listing->cut;
    }
    if (listing->n == listing->max) {
        listing->cut = true;
        return false;
    }
    put_entry(&listing->out, name, &st);
    listing->n++;
    return true;
}

/* False: the system failed. */
static bool list_all(struct listing *listing, int dir)
{
    _Alignas(struct dirent64) char records[RECORDS_LEN];
    for (;;) {
        long len = syscall(SYS_getdents64, dir, records, sizeof records);
        if (len <= 0) {
            return len == 0;
        }
        for (long at = 0; at < len;) {
            const struct dirent64 *record = (const struct dirent64 *)(const void *)(records + at);
            if (!list_name(listing, dir, record)) {
                return true;
            }
            at += record->d_reclen;
        }
    }
}

static enum px_status answer(struct file *f, const struct px_msg *msg, int dir)
{
    const File__ListDirectory *ask = msg->body;
    struct listing listing = {.max = ask->entries_max};
    struct px_buf *buf =
        px_buf_new(f->env, (size_t)ask->entries_max * (NAME_MAX + 1 + 2 * ENTRY_EXTRA));
    if (buf == NULL) {
        return PX_NO_MEMORY;
    }
    listing.out = px_bytes_out_of(px_buf_data(buf), px_buf_cap(buf));
    if (!list_all(&listing, dir)) {
        px_buf_put(buf);
        return PX_INTERNAL;
    }
    PX_ASSERT(!listing.out.overflow);
    File__ListedDirectory *m = px_msg_new(f->env, &file__listed_directory__descriptor);
    m->entries = listing.n;
    m->cut = listing.cut;
    if (listing.n > 0) {
        px_msg_attach(m, buf, 0, (uint32_t)px_bytes_out_len(&listing.out));
    }
    px_buf_put(buf);
    px_reply(f->env, msg, PX_OK, m);
    return PX_OK;
}

static enum px_status list(struct file *f, const struct px_msg *msg)
{
    const File__ListDirectory *ask = msg->body;
    char path[FILE_PATH_MAX + FILE_SUFFIX_MAX + 1];
    struct stat st;
    int fd = -1;
    struct root *root = file_root_of(f, msg, ask->own, ask->root);
    if (root == NULL || ask->entries_max == 0 || ask->entries_max > FILE_ENTRIES_MAX ||
        !file_path(&ask->path, path)) {
        return PX_BAD_REQUEST;
    }
    enum px_status status =
        file_open(&f->opener, file_root_fd(root), path, root->without_links, &fd);
    if (status != PX_OK) {
        return status;
    }
    status = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? answer(f, msg, fd) : PX_BAD_REQUEST;
    (void)close(fd);
    return status;
}

void file_on_list(void *state, const struct px_msg *msg)
{
    struct file *f = state;
    enum px_status status = list(f, msg);
    if (status != PX_OK) {
        px_count(f->env, FILE_N_REFUSED, 1);
        px_reply_status(f->env, msg, status);
    }
}
