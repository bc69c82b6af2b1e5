/* file_root.c - the directories that may be read below: those of the configuration, and those that
 * others hand over. Who hands one over has it open himself, so nothing becomes reachable that was
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <px/kernel.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_impl.h"

int file_root_fd(const struct root *root)
{
    return px_buf_fd(px_chain_first(&root->dir)->buf);
}

static bool is_used(const struct root *root)
{
    return root->dir.len > 0;
}

static struct root *find(struct file *f, px_peer owner, uint32_t number)
{
    for (uint32_t i = 0; i < f->n_roots; i++) {
        struct root *root = &f->roots[i];
        if (is_used(root) && root->owner == owner && root->number == number) {
            return root;
        }
    }
    return NULL;
}

struct root *file_root_of(struct file *f, const struct px_msg *msg, bool own, uint32_t number)
{
    return find(f, own ? msg->from : 0, number);
}

/* A free place, or NULL. */
static struct root *place_get(struct file *f)
{
    for (uint32_t i = 0; i < f->n_roots; i++) {
        if (!is_used(&f->roots[i])) {
            return &f->roots[i];
        }
    }
    return f->n_roots == FILE_ROOTS_MAX ? NULL : &f->roots[f->n_roots++];
}

/* ---- added ---- */

static bool is_directory(const struct px_msg *msg)
{
    const struct px_slice *slices = NULL;
    struct stat st;
    return px_msg_payload(msg, &slices) == 1 && (slices[0].flags & PX_SLICE_FILE) != 0 &&
           fstat(px_buf_fd(slices[0].buf), &st) == 0 && S_ISDIR(st.st_mode);
}

static enum px_status add_root(struct file *f, const struct px_msg *msg)
{
    const File__NewRoot *m = msg->body;
    if (!is_directory(msg)) {
        return PX_BAD_REQUEST;
    }
    if (find(f, msg->from, m->root) != NULL) {
        return PX_IN_USE;
    }
    struct root *root = place_get(f);
    if (root == NULL) {
        return PX_BUSY;
    }
    *root = (struct root){.owner = msg->from, .number = m->root, .without_links = m->without_links};
    return px_msg_take_payload(msg, &root->dir) ? PX_OK : PX_NO_MEMORY;
}

void file_on_add_root(void *state, const struct px_msg *msg)
{
    struct file *f = state;
    enum px_status status = add_root(f, msg);
    if (status != PX_OK) {
        px_count(f->env, FILE_N_REFUSED, 1);
        px_reply_status(f->env, msg, status);
        return;
    }
    px_reply(f->env, msg, PX_OK, px_msg_new(f->env, &file__added_root__descriptor));
}

static void drop(struct file *f, struct root *root)
{
    file_cache_forget_root(&f->cache, (uint32_t)(root - f->roots));
    px_chain_clear(&root->dir);
}

void file_on_drop_root(void *state, const struct px_msg *msg)
{
    struct file *f = state;
    const File__OldRoot *m = msg->body;
    struct root *root = find(f, msg->from, m->root);
    if (root != NULL) {
        drop(f, root);
    }
}

void file_gone(void *state, px_peer peer)
{
    struct file *f = state;
    for (uint32_t i = 0; i < f->n_roots; i++) {
        if (is_used(&f->roots[i]) && f->roots[i].owner == peer) {
            drop(f, &f->roots[i]);
        }
    }
}

/* ---- configured ---- */

static void close_fd(int fd)
{
    (void)close(fd);
}

static enum px_err open_root(struct file *f, const ProtobufCBinaryData *path)
{
    char text[FILE_PATH_MAX + FILE_SUFFIX_MAX + 1];
    if (!file_path(path, text) || text[0] != '/') {
        return PX_EINVAL;
    }
    int fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == EACCES                      ? PX_EDENIED
               : errno == EMFILE || errno == ENFILE ? PX_EIO
                                                    : PX_ENOENT;
    }
    struct px_buf *buf = px_buf_from_fd(f->env, fd, close_fd);
    if (buf == NULL) {
        close_fd(fd);
        return PX_ENOMEM;
    }
    struct root *root = &f->roots[f->n_roots];
    root->number = f->n_roots;
    bool ok = px_chain_append(f->env, &root->dir, buf, 0, 1, PX_SLICE_SHARED | PX_SLICE_FILE);
    px_buf_put(buf);
    f->n_roots += ok ? 1 : 0;
    return ok ? PX_EOK : PX_ENOMEM;
}

enum px_err file_roots_configure(struct file *f, const File__Config *config)
{
    if (config->n_roots > FILE_ROOTS_MAX) {
        return PX_EINVAL;
    }
    for (size_t i = 0; i < config->n_roots; i++) {
        enum px_err err = open_root(f, &config->roots[i]);
        if (err != PX_EOK) {
            PX_LOG(f->env, PX_LOG_ERROR, "root", PX_KV_U64("index", i),
                   PX_KV_STR("why", px_err_text(err)));
            return err;
        }
    }
    return PX_EOK;
}
