/* buf.c - payload buffers with free lists, and chains of slices. */
#include "kernel_impl.h"

enum { BUF_HEAD = (sizeof(struct px_buf) + 63) & ~(size_t)63, BUF_CAP_MAX = 16 << 20 };

static const size_t class_caps[N_BUF_CLASSES] = {PX_BUF_SMALL, PX_BUF_KIBI, PX_BUF_MEDIUM,
                                                 PX_BUF_LARGE, PX_BUF_HUGE}; /* files have none */

static uint8_t buf_class(size_t cap)
{
    uint8_t class = 0;
    while (class < BUF_CLASS_FILE && class_caps[class] < cap) {
        class ++;
    }
    return class < BUF_CLASS_FILE ? class : BUF_CLASS_NONE;
}

static void buf_own(struct px_env *env, struct px_buf *buf)
{
    buf->owner = env;
    list_append(&env->bufs, &buf->node);
    env->count.bufs++;
}

void buf_disown(struct px_buf *buf)
{
    if (buf->owner != NULL) {
        list_remove(&buf->node);
        buf->owner->count.bufs--;
        buf->owner = NULL;
    }
}

static struct px_buf *buf_make(struct px_kernel *k, size_t cap, uint8_t class)
{
    struct px_buf *buf = kernel_alloc(k, BUF_HEAD + cap);
    if (buf != NULL) {
        *buf = (struct px_buf){.kernel = k, .cap = cap, .fd = -1, .refs = 1, .class = class};
        buf->data = (uint8_t *)buf + BUF_HEAD;
        k->count.bufs++;
    }
    return buf;
}

static struct px_buf *class_get(struct px_kernel *k, uint8_t class)
{
    struct px_buf *buf = k->free_bufs[class];
    if (buf == NULL) {
        return buf_make(k, class_caps[class], class);
    }
    k->free_bufs[class] = buf->next_free;
    buf->refs = 1;
    k->count.bufs++;
    return buf;
}

static struct px_buf *buf_alloc(struct px_kernel *k, size_t cap)
{
    uint8_t class = buf_class(cap);
    return class == BUF_CLASS_NONE ? buf_make(k, cap, class) : class_get(k, class);
}

struct px_buf *px_buf_new(struct px_env *env, size_t cap)
{
    PX_ASSERT(cap >= 1 && cap <= BUF_CAP_MAX);
    struct px_buf *buf = buf_alloc(env->kernel, cap);
    if (buf != NULL) {
        buf_own(env, buf);
    }
    return buf;
}

struct px_buf *px_buf_from_fd(struct px_env *env, int take_fd, void (*close_fd)(int fd))
{
    struct px_buf *buf = class_get(env->kernel, BUF_CLASS_FILE);
    if (buf == NULL) {
        return NULL;
    }
    buf->data = NULL;
    buf->fd = take_fd;
    buf->close_fd = close_fd;
    buf_own(env, buf);
    return buf;
}

uint8_t *px_buf_data(const struct px_buf *buf)
{
    return buf->data;
}

size_t px_buf_cap(const struct px_buf *buf)
{
    return buf->cap;
}

int px_buf_fd(const struct px_buf *buf)
{
    return buf->fd;
}

bool px_buf_unique(const struct px_buf *buf)
{
    return buf->refs == 1;
}

void buf_unref(struct px_buf *buf)
{
    if (--buf->refs > 0) {
        return;
    }
    struct px_kernel *k = buf->kernel;
    PX_ASSERT(buf->owner == NULL);
    k->count.bufs--;
    if (buf->data == NULL && buf->close_fd != NULL) {
        buf->close_fd(buf->fd);
    }
    if (buf->class == BUF_CLASS_NONE) {
        kernel_release(k, buf, BUF_HEAD + buf->cap);
    } else {
        buf->next_free = k->free_bufs[buf->class];
        k->free_bufs[buf->class] = buf;
    }
}

void px_buf_put(struct px_buf *take_buf)
{
    if (take_buf != NULL) {
        buf_disown(take_buf);
        buf_unref(take_buf);
    }
}

void buf_free_lists(struct px_kernel *k)
{
    for (uint8_t class = 0; class < N_BUF_CLASSES; class ++) {
        while (k->free_bufs[class] != NULL) {
            struct px_buf *buf = k->free_bufs[class];
            k->free_bufs[class] = buf->next_free;
            kernel_release(k, buf, BUF_HEAD + buf->cap);
        }
    }
    while (k->free_pieces != NULL) {
        struct px_piece *piece = k->free_pieces;
        k->free_pieces = piece->next;
        kernel_release(k, piece, sizeof *piece);
    }
}

/* Replaces a slice that uses less than a quarter of its buffer by a copy in a small one, if there
 * is memory: so that keeping little does not pin much. */
void slice_shrink(struct px_env *env, struct px_slice *slice)
{
    size_t cap = slice->buf->cap;
    if ((slice->flags & PX_SLICE_FILE) != 0 || slice->len >= cap / 4 || cap <= PX_BUF_SMALL ||
        slice->len > PX_BUF_LARGE) {
        return;
    }
    struct px_buf *small = buf_alloc(env->kernel, slice->len);
    if (small == NULL) {
        return;
    }
    if (small->cap >= cap) {
        buf_unref(small);
        return;
    }
    memcpy(small->data, slice->ptr, slice->len);
    buf_unref(slice->buf);
    *slice = (struct px_slice){.buf = small, .ptr = small->data, .len = slice->len};
}

/* ---- chains ---- */

struct px_piece *piece_new(struct px_env *env)
{
    struct px_kernel *k = env->kernel;
    struct px_piece *piece = k->free_pieces;
    if (piece != NULL) {
        k->free_pieces = piece->next;
    } else if ((piece = kernel_alloc(k, sizeof *piece)) == NULL) {
        return NULL;
    }
    piece->env = env;
    piece->next = NULL;
    list_append(&env->pieces, &piece->node);
    env->count.pieces++;
    k->count.pieces++;
    return piece;
}

/* Frees a piece whose slice has been moved elsewhere or dropped. */
void piece_free(struct px_piece *piece)
{
    struct px_kernel *k = piece->env->kernel;
    list_remove(&piece->node);
    piece->env->count.pieces--;
    k->count.pieces--;
    piece->next = k->free_pieces;
    k->free_pieces = piece;
}

static void chain_push(struct px_chain *chain, struct px_piece *piece)
{
    if (chain->last != NULL) {
        chain->last->next = piece;
    } else {
        chain->first = piece;
    }
    chain->last = piece;
    chain->len += piece->slice.len;
}

struct px_slice *px_chain_first(const struct px_chain *chain)
{
    return chain->first == NULL ? NULL : &chain->first->slice;
}

struct px_slice *px_chain_next(const struct px_slice *slice)
{
    struct px_piece *next =
        ((const struct px_piece *)(const void *)slice)->next; /* the slice is its first member */
    return next == NULL ? NULL : &next->slice;
}

void px_chain_consume(struct px_chain *chain, uint64_t len)
{
    PX_ASSERT(len <= chain->len);
    chain->len -= len;
    while (len > 0) {
        struct px_piece *piece = chain->first;
        if (len < piece->slice.len) {
            if ((piece->slice.flags & PX_SLICE_FILE) != 0) {
                piece->slice.off += len;
            } else {
                piece->slice.ptr += len;
            }
            piece->slice.len -= (uint32_t)len;
            return;
        }
        len -= piece->slice.len;
        chain->first = piece->next;
        buf_unref(piece->slice.buf);
        piece_free(piece);
    }
    if (chain->first == NULL) {
        chain->last = NULL;
    }
}

void px_chain_clear(struct px_chain *chain)
{
    if (chain->first != NULL) {
        px_chain_consume(chain, chain->len);
    }
}

bool px_chain_append(struct px_env *env, struct px_chain *chain, struct px_buf *buf, uint64_t off,
                     uint32_t len, uint32_t flags)
{
    PX_ASSERT(len >= 1 && (buf->data == NULL || off + len <= buf->cap));
    struct px_piece *piece = piece_new(env);
    if (piece == NULL) {
        return false;
    }
    slice_make(&piece->slice, buf, off, len, flags);
    chain_push(chain, piece);
    return true;
}

bool px_chain_copy_in(struct px_env *env, struct px_chain *chain, const void *data, size_t len)
{
    PX_ASSERT(len <= BUF_CAP_MAX);
    if (len == 0) {
        return true;
    }
    struct px_buf *buf = buf_alloc(env->kernel, len);
    if (buf == NULL) {
        return false;
    }
    memcpy(buf->data, data, len);
    bool done = px_chain_append(env, chain, buf, 0, (uint32_t)len, 0);
    buf_unref(buf);
    return done;
}

void px_chain_join(struct px_chain *chain, struct px_chain *from)
{
    if (from->first == NULL) {
        return;
    }
    if (chain->last != NULL) {
        chain->last->next = from->first;
    } else {
        chain->first = from->first;
    }
    chain->last = from->last;
    chain->len += from->len;
    *from = (struct px_chain){NULL, NULL, 0};
}

size_t px_chain_peek(const struct px_chain *chain, void *ret, size_t len)
{
    size_t done = 0;
    for (const struct px_piece *p = chain->first; p != NULL && done < len; p = p->next) {
        if ((p->slice.flags & PX_SLICE_FILE) != 0) {
            break;
        }
        size_t n = p->slice.len < len - done ? p->slice.len : len - done;
        memcpy((uint8_t *)ret + done, p->slice.ptr, n);
        done += n;
    }
    return done;
}

/* Moves one slice into a chain of `env`. False: no memory, nothing moved. */
static bool chain_take_slice(struct px_env *env, struct px_chain *chain, struct px_slice *slice)
{
    struct px_piece *piece = piece_new(env);
    if (piece == NULL) {
        return false;
    }
    slice_shrink(env, slice);
    piece->slice = *slice;
    chain_push(chain, piece);
    return true;
}

bool px_msg_take_payload(const struct px_msg *msg, struct px_chain *chain)
{
    struct px_block *b = msg->block;
    if (b == NULL || b->n_slices == 0) {
        return true;
    }
    struct px_env *env = &b->kernel->mailboxes[msg->to];
    struct px_chain taken = {NULL, NULL, 0};
    bool shared = b->refs > 1 || (b->flags & BLOCK_SHARED) != 0;
    for (uint32_t i = 0; i < b->n_slices; i++) {
        struct px_slice copy = b->slices[i];
        copy.flags |= shared ? PX_SLICE_SHARED : 0u;
        copy.buf->refs++;
        if (!chain_take_slice(env, &taken, &copy)) {
            buf_unref(copy.buf);
            px_chain_clear(&taken);
            return false;
        }
    }
    if (!shared) {
        for (uint32_t i = 0; i < b->n_slices; i++) {
            buf_unref(b->slices[i].buf);
        }
        b->n_slices = 0;
        b->payload_len = 0;
    }
    px_chain_join(chain, &taken);
    return true;
}

uint32_t chain_slices(const struct px_chain *chain)
{
    uint32_t n = 0;
    for (const struct px_piece *p = chain->first; p != NULL; p = p->next) {
        n++;
    }
    return n;
}

uint64_t px_msg_attach_chain(void *body, struct px_chain *chain, uint64_t max)
{
    uint64_t moved = 0;
    while (chain->first != NULL && moved < max) {
        struct px_piece *piece = chain->first;
        struct px_slice part = piece->slice;
        uint64_t off =
            (part.flags & PX_SLICE_FILE) != 0 ? part.off : (uint64_t)(part.ptr - part.buf->data);
        uint32_t len = part.len < max - moved ? part.len : (uint32_t)(max - moved);
        bool exclusive = (part.flags & (PX_SLICE_SHARED | PX_SLICE_FILE)) == 0;
        bool fits = exclusive ? px_msg_attach_exclusive(body, part.buf, off, len)
                              : px_msg_attach(body, part.buf, off, len);
        if (!fits) {
            break;
        }
        px_chain_consume(chain, len);
        moved += len;
    }
    return moved;
}

/* Drops all buffers and pieces charged to a service or a link. */
void env_drop_payload(struct px_env *env)
{
    while (env->pieces.next != &env->pieces) {
        struct px_piece *piece = px_container_of(env->pieces.next, struct px_piece, node);
        buf_unref(piece->slice.buf);
        piece_free(piece);
    }
    while (env->bufs.next != &env->bufs) {
        px_buf_put(px_container_of(env->bufs.next, struct px_buf, node));
    }
}
