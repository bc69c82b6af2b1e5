/* file.c - the mailbox "file": files below configured roots (file.proto).
 *
 * Roots are opened once, at the start. A file stays open as long as a slice of it exists somewhere;
 * its place in the table is looked after by a hand that goes round with every Open, and by a timer.
 */
#include <px/posix.h>

#include <errno.h>
#include <fcntl.h>
#include <px/assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.pb-c.h"
#include "file_contract.h"
#include "file_open.h"

enum {
    FILE_ROOTS_MAX = 64,
    FILE_PATH_MAX = 4096,      /* bytes of OpenFile.path */
    FILE_OPEN_MAX = 1024,      /* default of Config.open_max */
    FILE_OPEN_CEILING = 65536, /* what Config.open_max may be */
    FILE_READ_MAX = 262144,    /* bytes of one Read */
    FILE_SLICE_MAX = 1 << 30,  /* bytes of one slice of a range; PX_SLICES_MAX of them in a reply */
    FILE_SWEEP_US = 1000000, /* files nobody uses any more are closed at the latest after so long */
    FILE_SWEEP_EACH = 4,     /* places looked at with every Open */
};

enum file_counter { FILE_N_OPENED, FILE_N_REFUSED, FILE_N_BUSY, FILE_N_TRUNCATED, FILE_N_COUNTERS };

static const char *const counter_names[FILE_N_COUNTERS] = {"opened", "refused", "busy",
                                                           "truncated"};

struct open_file {
    struct px_buf *buf; /* our reference; the others are in slices */
};

struct file {
    struct px_env *env;
    struct px_pool files; /* of struct open_file */
    struct open_file *hand;
    struct px_sul sweep;
    uint32_t n_open, open_max;
    uint32_t n_roots;
    struct file_opener opener;
    struct px_buf *roots[FILE_ROOTS_MAX]; /* buffers, so that they are closed with the service */
};

static void close_fd(int fd)
{
    (void)close(fd);
}

/* ---- files that are open ---- */

static void close_unused(struct file *f, struct open_file *o)
{
    if (px_buf_unique(o->buf)) {
        px_buf_put(o->buf);
        px_pool_put(&f->files, o);
        f->n_open--;
    }
}

static void sweep(struct file *f, uint32_t places)
{
    for (; places > 0 && f->n_open > 0; places--) {
        struct open_file *o = f->hand != NULL ? f->hand : px_pool_next(&f->files, NULL);
        f->hand = px_pool_next(&f->files, o);
        close_unused(f, o);
    }
}

static void on_sweep(struct px_sul *sul)
{
    struct file *f = px_container_of(sul, struct file, sweep);
    f->hand = NULL;
    sweep(f, f->n_open);
    if (f->n_open > 0) {
        px_sul_schedule(f->env, sul, on_sweep, FILE_SWEEP_US);
    }
}

/* A buffer for a file that was just opened; takes the descriptor in any case. NULL: `*ret_status`.
 */
static struct px_buf *keep_file(struct file *f, int take_fd, enum px_status *ret_status)
{
    struct open_file *o = px_pool_get(&f->files);
    struct px_buf *buf = o == NULL ? NULL : px_buf_from_fd(f->env, take_fd, close_fd);
    if (buf == NULL) {
        px_pool_put(&f->files, o);
        close_fd(take_fd);
        *ret_status = PX_NO_MEMORY;
        return NULL;
    }
    o->buf = buf;
    f->n_open++;
    if (!px_sul_pending(&f->sweep)) {
        px_sul_schedule(f->env, &f->sweep, on_sweep, FILE_SWEEP_US);
    }
    return buf;
}

static bool has_place(struct file *f)
{
    sweep(f, FILE_SWEEP_EACH);
    if (f->n_open >= f->open_max) {
        f->hand = NULL;
        sweep(f, f->n_open);
    }
    return f->n_open < f->open_max;
}

/* ---- Open ---- */

static bool attach_range(void *body, struct px_buf *buf, uint64_t len)
{
    for (uint64_t off = 0; off < len;) {
        uint64_t left = len - off;
        uint32_t part = left < FILE_SLICE_MAX ? (uint32_t)left : FILE_SLICE_MAX;
        if (!px_msg_attach(body, buf, off, part)) {
            return false;
        }
        off += part;
    }
    return true;
}

static enum px_status answer_open(struct file *f, const struct px_msg *msg, int take_fd,
                                  const struct stat *st)
{
    enum px_status status = PX_OK;
    struct px_buf *buf = NULL;
    bool has_bytes = S_ISREG(st->st_mode) && st->st_size > 0;
    if (!has_bytes) {
        close_fd(take_fd);
    } else {
        buf = keep_file(f, take_fd, &status);
        if (buf == NULL) {
            return status;
        }
    }
    File__OpenedFile *m = px_msg_new(f->env, &file__opened_file__descriptor);
    m->length = has_bytes ? (uint64_t)st->st_size : 0;
    m->modified_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    m->inode = st->st_ino;
    m->directory = S_ISDIR(st->st_mode);
    if (has_bytes && !attach_range(m, buf, m->length)) {
        px_msg_drop(m);
        return PX_TOO_LARGE;
    }
    px_count(f->env, FILE_N_OPENED, 1);
    px_reply(f->env, msg, PX_OK, m);
    return PX_OK;
}

static enum px_status open_file(struct file *f, const struct px_msg *msg)
{
    const File__OpenFile *ask = msg->body;
    struct stat st;
    char path[FILE_PATH_MAX + 1];
    int fd = -1;
    if (ask->root >= f->n_roots || ask->path.len == 0 || ask->path.len > FILE_PATH_MAX ||
        ask->path.data[0] == '/' || memchr(ask->path.data, 0, ask->path.len) != NULL) {
        return PX_BAD_REQUEST;
    }
    memcpy(path, ask->path.data, ask->path.len);
    path[ask->path.len] = 0;
    if (!has_place(f)) {
        return PX_BUSY;
    }
    enum px_status status = file_open(&f->opener, px_buf_fd(f->roots[ask->root]), path, &fd);
    if (status != PX_OK) {
        return status;
    }
    if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        close_fd(fd);
        return PX_BAD_REQUEST;
    }
    return answer_open(f, msg, fd, &st);
}

static void on_open(void *state, const struct px_msg *msg)
{
    struct file *f = state;
    enum px_status status = open_file(f, msg);
    if (status != PX_OK) {
        px_count(f->env, status == PX_BUSY ? FILE_N_BUSY : FILE_N_REFUSED, 1);
        px_reply_status(f->env, msg, status);
    }
}

/* ---- Read ---- */

static enum px_status read_range(const struct px_slice *slice, uint8_t *to)
{
    uint32_t done = 0;
    while (done < slice->len) {
        ssize_t n =
            pread(px_buf_fd(slice->buf), to + done, slice->len - done, (off_t)(slice->off + done));
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

static enum px_status read_payload(const struct px_msg *msg, uint8_t *to)
{
    const struct px_slice *slices = NULL;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        if ((slices[i].flags & PX_SLICE_FILE) == 0) {
            return PX_BAD_REQUEST;
        }
        enum px_status status = read_range(&slices[i], to);
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
    enum px_status status = buf == NULL ? PX_NO_MEMORY : read_payload(msg, px_buf_data(buf));
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

/* ---- the service ---- */

static enum px_err open_root(struct file *f, const ProtobufCBinaryData *path)
{
    char text[FILE_PATH_MAX + 1];
    if (path->len == 0 || path->len > FILE_PATH_MAX || path->data[0] != '/' ||
        memchr(path->data, 0, path->len) != NULL) {
        return PX_EINVAL;
    }
    memcpy(text, path->data, path->len);
    text[path->len] = 0;
    int fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == EACCES                      ? PX_EDENIED
               : errno == EMFILE || errno == ENFILE ? PX_EIO
                                                    : PX_ENOENT;
    }
    f->roots[f->n_roots] = px_buf_from_fd(f->env, fd, close_fd);
    if (f->roots[f->n_roots] == NULL) {
        close_fd(fd);
        return PX_ENOMEM;
    }
    f->n_roots++;
    return PX_EOK;
}

static enum px_err file_init(void *state, struct px_env *env)
{
    struct file *f = state;
    const File__Config *config = px_env_config(env);
    f->env = env;
    f->open_max = config == NULL || config->open_max == 0 ? FILE_OPEN_MAX : config->open_max;
    if (f->open_max > FILE_OPEN_CEILING || (config != NULL && config->n_roots > FILE_ROOTS_MAX)) {
        return PX_EINVAL;
    }
    file_opener_init(&f->opener);
    PX_TRY(px_pool_init(&f->files, env, sizeof(struct open_file), f->open_max, 0));
    for (size_t i = 0; config != NULL && i < config->n_roots; i++) {
        enum px_err err = open_root(f, &config->roots[i]);
        if (err != PX_EOK) {
            PX_LOG(env, PX_LOG_ERROR, "root", PX_KV_U64("index", i),
                   PX_KV_STR("why", px_err_text(err)));
            return err;
        }
    }
    return PX_EOK;
}

static const struct px_handler handlers[] = {{FILE_OPEN, on_open}, {FILE_READ, on_read}};

const struct px_service px_file_service = {
    .name = "file",
    .state_size = sizeof(struct file),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof *handlers,
    .counters = counter_names,
    .n_counters = FILE_N_COUNTERS,
    .config = &file__config__descriptor,
    .init = file_init,
};
