/* file.c - the mailbox "file": files below directories (file.proto).
 *
 * It asks the system and waits for the answer: opening, stat and the reading of small files or of
 * ranges block the loop for as long as the disk takes (README.md).
 */
#include <px/posix.h>

#include <errno.h>
#include <px/assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_impl.h"

static const char *const counter_names[FILE_N_COUNTERS] = {"opened", "hits", "refused", "busy",
                                                           "truncated"};

/* What was found at a place. */
struct found {
    struct open_file *file; /* NULL: a directory, or empty */
    struct file_stamp stamp;
    bool directory;
};

/* ---- finding ---- */

bool file_path(const ProtobufCBinaryData *path, char ret[FILE_PATH_MAX + FILE_SUFFIX_MAX + 1])
{
    if (path->len == 0 || path->len > FILE_PATH_MAX || memchr(path->data, 0, path->len) != NULL) {
        return false;
    }
    memcpy(ret, path->data, path->len);
    ret[path->len] = 0;
    return true;
}

static enum px_status open_place(struct file *f, const struct file_place *place, struct found *ret)
{
    struct stat st;
    int fd = -1;
    if (!file_cache_has_room(&f->cache)) {
        return PX_BUSY;
    }
    bool without_links = f->roots[place->root].without_links;
    enum px_status status = file_open(&f->opener, place->dir, place->path, without_links, &fd);
    if (status == PX_BUSY && file_cache_close_unused(&f->cache)) {
        status = file_open(&f->opener, place->dir, place->path, without_links, &fd);
    }
    if (status != PX_OK) {
        return status;
    }
    if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        (void)close(fd);
        return PX_BAD_REQUEST;
    }
    *ret = (struct found){.stamp = file_stamp_of(&st), .directory = S_ISDIR(st.st_mode)};
    if (ret->directory || st.st_size == 0) {
        (void)close(fd);
        return PX_OK;
    }
    ret->file = file_cache_add(&f->cache, place, fd, &st);
    return ret->file == NULL ? PX_NO_MEMORY : PX_OK;
}

static enum px_status find(struct file *f, const struct file_place *place, uint32_t read_max,
                           struct found *ret)
{
    struct open_file *o = file_cache_find(&f->cache, place, read_max);
    if (o == NULL) {
        return open_place(f, place, ret);
    }
    *ret = (struct found){.file = o, .stamp = o->stamp};
    px_count(f->env, FILE_N_HITS, 1);
    return PX_OK;
}

/* A sibling to answer instead; its number from 1, 0: none. `path` has room for a suffix. */
static uint32_t find_sibling(struct file *f, const File__OpenFile *ask, struct file_place *place,
                             char *path, struct found *found)
{
    struct found sibling;
    size_t len = place->path_len;
    if (found->file != NULL) {
        found->file->pinned = true; /* room is made by closing others */
    }
    uint32_t which = 0;
    for (uint32_t i = 0; i < ask->n_suffixes && which == 0; i++) {
        const ProtobufCBinaryData *suffix = &ask->suffixes[i];
        memcpy(path + len, suffix->data, suffix->len);
        path[len + suffix->len] = 0;
        place->path_len = len + suffix->len;
        if (find(f, place, ask->read_max, &sibling) == PX_OK && !sibling.directory) {
            which = i + 1;
        }
    }
    if (found->file != NULL) {
        found->file->pinned = false;
    }
    *found = which == 0 ? *found : sibling;
    return which;
}

/* ---- Read ---- */

static enum px_status read_range(int fd, uint64_t off, uint32_t len, uint8_t *to)
{
    uint32_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, to + done, len - done, (off_t)(off + done));
        if (n == 0) {
            return PX_TRUNCATED;
        }
        if (n < 0 && errno != EINTR) {
            return PX_INTERNAL;
        }
        done += n > 0 ? (uint32_t)n : 0;
    }
    return PX_OK;
}

static enum px_status read_payload(const struct file *f, const struct px_msg *msg, uint8_t *to)
{
    const struct px_slice *slices = NULL;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        if ((slices[i].flags & PX_SLICE_FILE) == 0) {
            return PX_BAD_REQUEST;
        }
        if (posix_promise_is_broken(f->cache.os, px_buf_fd(slices[i].buf))) {
            return PX_TRUNCATED;
        }
        enum px_status status =
            read_range(px_buf_fd(slices[i].buf), slices[i].off, slices[i].len, to);
        if (status != PX_OK) {
            return status;
        }
        to += slices[i].len;
    }
    return PX_OK;
}

static void on_read(void *state, const struct px_msg *msg)
{
    struct file *f = state;
    uint64_t len = px_msg_payload_len(msg);
    if (len == 0 || len > FILE_READ_MAX) {
        px_reply_status(f->env, msg, len == 0 ? PX_BAD_REQUEST : PX_TOO_LARGE);
        return;
    }
    struct px_buf *buf = px_buf_new(f->env, (size_t)len);
    enum px_status status = buf == NULL ? PX_NO_MEMORY : read_payload(f, msg, px_buf_data(buf));
    if (status != PX_OK) {
        px_count(f->env, FILE_N_TRUNCATED, status == PX_TRUNCATED);
        px_buf_put(buf);
        px_reply_status(f->env, msg, status);
        return;
    }
    File__ReadBytes *m = px_msg_new(f->env, &file__read_bytes__descriptor);
    bool attached = px_msg_attach_take(m, buf, 0, (uint32_t)len);
    PX_ASSERT(attached); /* it is the first slice */
    px_reply(f->env, msg, PX_OK, m);
}

/* ---- Open ---- */

static void attach_range(void *body, struct px_buf *buf, uint64_t len)
{
    for (uint64_t off = 0; off < len;) {
        uint64_t left = len - off;
        uint32_t part = left < FILE_SLICE_MAX ? (uint32_t)left : FILE_SLICE_MAX;
        if (!px_msg_attach(body, buf, off, part)) {
            return; /* the first 8 GiB */
        }
        off += part;
    }
}

/* All of a small file; what is kept in memory is not read again. */
static enum px_status attach_bytes(struct file *f, void *body, struct open_file *o)
{
    uint32_t len = (uint32_t)o->stamp.promise.length;
    if (o->bytes != NULL) {
        px_msg_attach(body, o->bytes, 0, len);
        return PX_OK;
    }
    struct px_buf *bytes = px_buf_new(f->env, len);
    if (bytes == NULL) {
        return PX_NO_MEMORY;
    }
    enum px_status status = read_range(px_buf_fd(o->buf), 0, len, px_buf_data(bytes));
    if (status != PX_OK) {
        px_buf_put(bytes);
        return status;
    }
    px_msg_attach(body, bytes, 0, len);
    file_cache_keep_bytes(&f->cache, o, bytes);
    return PX_OK;
}

static enum px_status answer_open(struct file *f, const struct px_msg *msg,
                                  const struct found *found, uint32_t suffix)
{
    const File__OpenFile *ask = msg->body;
    File__OpenedFile *m = px_msg_new(f->env, &file__opened_file__descriptor);
    m->length = found->directory ? 0 : found->stamp.promise.length;
    m->modified_ns = found->stamp.promise.modified_ns;
    m->inode = found->stamp.promise.inode;
    m->directory = found->directory;
    m->suffix = suffix;
    enum px_status status = PX_OK;
    if (found->file != NULL && m->length <= ask->read_max) {
        status = attach_bytes(f, m, found->file);
    } else if (found->file != NULL) {
        attach_range(m, found->file->buf, m->length);
    }
    if (status != PX_OK) {
        px_msg_drop(m);
        return status;
    }
    px_count(f->env, FILE_N_OPENED, 1);
    px_reply(f->env, msg, PX_OK, m);
    return PX_OK;
}

static bool suffixes_are_valid(const File__OpenFile *ask)
{
    for (size_t i = 0; i < ask->n_suffixes; i++) {
        const ProtobufCBinaryData *s = &ask->suffixes[i];
        if (s->len == 0 || s->len > FILE_SUFFIX_MAX || memchr(s->data, 0, s->len) != NULL ||
            memchr(s->data, '/', s->len) != NULL) {
            return false;
        }
    }
    return ask->n_suffixes <= FILE_SUFFIXES_MAX;
}

static enum px_status open_file(struct file *f, const struct px_msg *msg)
{
    const File__OpenFile *ask = msg->body;
    char path[FILE_PATH_MAX + FILE_SUFFIX_MAX + 1];
    struct found found;
    const struct root *root = file_root_of(f, msg, ask->own, ask->root);
    if (root == NULL || ask->read_max > FILE_SMALL_MAX || !suffixes_are_valid(ask) ||
        !file_path(&ask->path, path) || path[0] == '/') {
        return PX_BAD_REQUEST;
    }
    struct file_place place = {file_root_fd(root), (uint32_t)(root - f->roots), path,
                               ask->path.len};
    uint32_t suffix = 0;
    enum px_status status = find(f, &place, ask->read_max, &found);
    if (status == PX_OK && !found.directory && ask->n_suffixes > 0) {
        suffix = find_sibling(f, ask, &place, path, &found);
    }
    return status == PX_OK ? answer_open(f, msg, &found, suffix) : status;
}

static void on_open(void *state, const struct px_msg *msg)
{
    struct file *f = state;
    enum px_status status = open_file(f, msg);
    if (status != PX_OK) {
        px_count(f->env,
                 status == PX_BUSY        ? FILE_N_BUSY
                 : status == PX_TRUNCATED ? FILE_N_TRUNCATED
                                          : FILE_N_REFUSED,
                 1);
        px_reply_status(f->env, msg, status);
    }
}

/* ---- the service ---- */

static enum px_err file_init(void *state, struct px_env *env)
{
    static const File__Config defaults = FILE__CONFIG__INIT;
    struct file *f = state;
    const File__Config *config = px_env_config(env);
    config = config == NULL ? &defaults : config;
    uint32_t open_max = config->open_max == 0 ? FILE_OPEN_MAX : config->open_max;
    uint32_t keep_ms = config->keep_ms == 0 ? FILE_KEEP_MS : config->keep_ms;
    uint64_t memory_max = config->memory_max == 0 ? FILE_MEMORY_MAX : config->memory_max;
    f->env = env;
    if (open_max > FILE_OPEN_CEILING) {
        return PX_EINVAL;
    }
    file_opener_init(&f->opener);
    PX_TRY(file_cache_init(&f->cache, env, open_max, PX_MS(keep_ms), memory_max));
    return file_roots_configure(f, config);
}

static const struct px_handler handlers[] = {
    {FILE_OPEN, on_open},
    {FILE_READ, on_read},
    {FILE_ADD_ROOT, file_on_add_root},
    {FILE_DROP_ROOT, file_on_drop_root},
    {FILE_LIST, file_on_list},
};

const struct px_service px_file_service = {
    .name = "file",
    .state_size = sizeof(struct file),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof *handlers,
    .counters = counter_names,
    .n_counters = FILE_N_COUNTERS,
    .config = &file__config__descriptor,
    .init = file_init,
    .gone = file_gone,
};
