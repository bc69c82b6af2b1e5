/* msg.c - blocks, their arenas and slices, and holding them. */
#include "kernel_impl.h"

#include <px/bytes.h>

static const uint32_t class_sizes[N_BLOCK_CLASSES] = {512,  1024,  2048,  4096,
                                                      8192, 16384, 32768, SPARE_LEN};

enum { CLASS_LARGEST = N_BLOCK_CLASSES - 1 };

/* The sizes are powers of two but for the last. */
static inline uint8_t class_for(size_t len)
{
    if (len <= 512) {
        return 0;
    }
    PX_ASSERT(len <= SPARE_LEN);
    return len > 32768 ? CLASS_LARGEST : (uint8_t)(64 - 9 - __builtin_clzll(len - 1));
}

/* Everything of a block that is the same whenever it is taken from its free list. */
static void block_setup(struct px_kernel *k, struct px_block *b, uint8_t class)
{
    memset(b, 0, sizeof *b);
    b->env.block = b;
    b->env.body = (uint8_t *)b + BODY_OFFSET;
    b->kernel = k;
    b->refs = 1;
    b->class = class;
    b->slices = b->first_slices;
    b->slices_cap = 2;
    b->lim = (uint8_t *)b + class_sizes[class];
}

static PX_APART struct px_block *class_alloc(struct px_kernel *k, uint8_t class)
{
    struct px_block *b = k->free_blocks[class];
    if (b != NULL) {
        k->free_blocks[class] = b->next_free;
        return b;
    }
    b = kernel_alloc(k, class_sizes[class]);
    if (b != NULL) {
        block_setup(k, b, class);
    }
    return b;
}

static void class_free(struct px_kernel *k, struct px_block *b, uint8_t class)
{
    b->next_free = k->free_blocks[class];
    k->free_blocks[class] = b;
}

void msg_free_lists(struct px_kernel *k)
{
    for (uint8_t class = 0; class < N_BLOCK_CLASSES; class ++) {
        while (k->free_blocks[class] != NULL) {
            kernel_release(k, class_alloc(k, class), class_sizes[class]);
        }
    }
    while (k->free_bare != NULL) {
        struct px_msg *m = k->free_bare;
        k->free_bare = m->next;
        kernel_release(k, m, sizeof *m);
    }
}

/* ---- making ---- */

/* A block of a class; without memory the spare one. */
static PX_APART struct px_block *block_get(struct px_kernel *k, uint8_t class)
{
    struct px_block *b = class_alloc(k, class);
    if (b != NULL) {
        k->count.blocks++;
    } else {
        b = k->spare;
        block_setup(k, b, CLASS_LARGEST);
        b->flags = BLOCK_SPARE;
    }
    return b;
}

static inline struct px_block *block_new(struct px_env *env, size_t body_len, size_t arena_len)
{
    struct px_kernel *k = env->kernel;
    uint8_t class = class_for(BODY_OFFSET + body_len + 8 + arena_len);
    struct px_block *b = k->free_blocks[class];
    if (b != NULL) {
        k->free_blocks[class] = b->next_free;
        k->count.blocks++;
    } else {
        b = block_get(k, class);
    }
    b->env.flags = 0;
    b->cur = (uint8_t *)b + BODY_OFFSET + ((body_len + 7) & ~(size_t)7);
    return b;
}

void *px_msg_new_sized(struct px_env *env, const ProtobufCMessageDescriptor *type, size_t arena_len)
{
    struct px_block *b = block_new(env, type->sizeof_message, arena_len);
    ProtobufCMessage *body = (ProtobufCMessage *)(void *)((uint8_t *)b + BODY_OFFSET);
    type->message_init(body);
    return body;
}

void *px_msg_new(struct px_env *env, const ProtobufCMessageDescriptor *type)
{
    return px_msg_new_sized(env, type, 128);
}

/* The arena is full: one more piece, or (without memory) the start of the spare body's. */
static PX_APART void arena_grow(struct px_block *b, size_t len)
{
    struct px_kernel *k = b->kernel;
    PX_ASSERT(len <= ARENA_MAX);
    if (!block_is_lost(b)) {
        uint8_t class = class_for(sizeof(struct px_ext) + len);
        struct px_ext *ext = (void *)class_alloc(k, class);
        if (ext != NULL) {
            ext->next = b->ext;
            ext->class = class;
            b->ext = ext;
            b->flags |= BLOCK_GROWN;
            b->cur = (uint8_t *)(ext + 1);
            b->lim = (uint8_t *)ext + class_sizes[class];
            return;
        }
        b->flags |= BLOCK_POISONED;
    }
    b->cur = (uint8_t *)k->spare + class_sizes[CLASS_LARGEST] - ARENA_MAX;
    b->lim = (uint8_t *)k->spare + class_sizes[CLASS_LARGEST];
}

void *px_msg_alloc(void *body, size_t len)
{
    struct px_block *b = block_of(body);
    size_t room = (len + 7) & ~(size_t)7;
    if (room > (size_t)(b->lim - b->cur)) {
        arena_grow(b, room);
    }
    void *mem = b->cur;
    b->cur += room;
    return mem;
}

void px_msg_trim(void *body, const void *last, size_t used)
{
    struct px_block *b = block_of(body);
    if (block_is_lost(b)) {
        return;
    }
    uint8_t *end = (uint8_t *)(uintptr_t)last + ((used + 7) & ~(size_t)7);
    PX_ASSERT(end <= b->cur && b->lim - end <= ARENA_MAX + 8192);
    b->cur = end;
}

void px_msg_put(void *body, ProtobufCBinaryData *ret, const void *data, size_t len)
{
    ret->data = px_msg_alloc(body, len);
    ret->len = len;
    px_copy_short(ret->data, data, len);
}

/* Drops what a block has beyond its fresh state. */
static PX_APART void block_clean(struct px_block *b)
{
    for (uint32_t i = 0; i < b->n_slices; i++) {
        buf_unref(b->slices[i].buf);
    }
    b->n_slices = 0;
    b->payload_len = 0;
    if (b->flags != 0) {
        b->flags &= BLOCK_SPARE; /* which may be handed out again before it is given back */
        b->slices = b->first_slices;
        b->slices_cap = 2;
        b->lim = (uint8_t *)b + class_sizes[b->class];
    }
    while (b->ext != NULL) {
        struct px_ext *ext = b->ext;
        uint8_t class = (uint8_t)ext->class;
        b->ext = ext->next;
        block_setup(b->kernel, (void *)ext, class);
        class_free(b->kernel, (void *)ext, class);
    }
    if (b->flags == 0) {
        block_free(b);
    }
}

/* The last reference is gone. */
void block_free(struct px_block *b)
{
    if ((b->n_slices | b->flags) == 0) {
        b->kernel->count.blocks--;
        class_free(b->kernel, b, b->class);
    } else {
        block_clean(b);
    }
}

void px_msg_drop(void *take_body)
{
    block_unref(block_of(take_body));
}

/* ---- slices ---- */

static bool attach_ref(void *body, struct px_buf *buf, uint64_t off, uint32_t len, uint32_t flags);

/* The same with more slices than a block has of its own. */
static PX_APART bool attach_grown(void *body, struct px_buf *buf, uint64_t off, uint32_t len,
                                  uint32_t flags)
{
    struct px_block *b = block_of(body);
    if (b->slices_cap == PX_SLICES_MAX) {
        return false;
    }
    struct px_slice *more = px_msg_alloc(body, PX_SLICES_MAX * sizeof *more);
    if (block_is_lost(b)) {
        return true;
    }
    memcpy(more, b->slices, b->n_slices * sizeof *more);
    b->slices = more;
    b->slices_cap = PX_SLICES_MAX;
    b->flags |= BLOCK_GROWN;
    return attach_ref(body, buf, off, len, flags);
}

static bool attach_ref(void *body, struct px_buf *buf, uint64_t off, uint32_t len, uint32_t flags)
{
    struct px_block *b = block_of(body);
    if (block_is_lost(b)) {
        return true;
    }
    PX_ASSERT(len >= 1 && (buf->data == NULL || (off <= buf->cap && len <= buf->cap - off)));
    if (b->n_slices == b->slices_cap) {
        return attach_grown(body, buf, off, len, flags);
    }
    slice_make(&b->slices[b->n_slices++], buf, off, len, flags);
    b->payload_len += len;
    return true;
}

bool px_msg_attach(void *body, struct px_buf *buf, uint64_t off, uint32_t len)
{
    return attach_ref(body, buf, off, len, PX_SLICE_SHARED);
}

bool px_msg_attach_exclusive(void *body, struct px_buf *buf, uint64_t off, uint32_t len)
{
    return attach_ref(body, buf, off, len, 0);
}

bool px_msg_attach_take(void *body, struct px_buf *take_buf, uint64_t off, uint32_t len)
{
    if (!attach_ref(body, take_buf, off, len, 0)) {
        return false;
    }
    px_buf_put(take_buf);
    return true;
}

void px_msg_attach_all(void *body, const struct px_msg *msg)
{
    struct px_block *from = msg->block;
    for (uint32_t i = 0; from != NULL && i < from->n_slices; i++) {
        struct px_slice *s = &from->slices[i];
        s->flags |= PX_SLICE_SHARED;
        uint64_t off = (s->flags & PX_SLICE_FILE) != 0 ? s->off : (uint64_t)(s->ptr - s->buf->data);
        bool done = px_msg_attach(body, s->buf, off, s->len);
        PX_ASSERT(done);
    }
}

uint64_t px_msg_attached(const void *body)
{
    return block_of(body)->payload_len;
}

uint64_t px_msg_payload_len(const struct px_msg *msg)
{
    return msg->block == NULL ? 0 : msg->block->payload_len;
}

uint32_t px_msg_payload(const struct px_msg *msg, const struct px_slice **ret_slices)
{
    *ret_slices = msg->block == NULL ? NULL : msg->block->slices;
    return msg->block == NULL ? 0 : msg->block->n_slices;
}

/* ---- envelopes: done, held, shared ---- */

/* A further envelope for the block of `like`. NULL: no memory. */
struct px_msg *msg_bare(struct px_kernel *k, const struct px_msg *like)
{
    struct px_msg *m = k->free_bare;
    if (m != NULL) {
        k->free_bare = m->next;
    } else if ((m = kernel_alloc(k, sizeof *m)) == NULL) {
        return NULL;
    }
    *m = (struct px_msg){.body = like->body, .block = like->block, .flags = MSG_BARE};
    struct px_block *b = like->block;
    b->refs++;
    b->flags |= BLOCK_SHARED;
    for (uint32_t i = 0; i < b->n_slices; i++) {
        b->slices[i].flags |= PX_SLICE_SHARED;
    }
    return m;
}

static void held_link(struct px_env *env, struct px_msg *m)
{
    m->next = env->held;
    m->prev = &env->held;
    if (m->next != NULL) {
        m->next->prev = &m->next;
    }
    env->held = m;
    env->count.holds++;
    env->kernel->count.holds++;
}

static void held_unlink(struct px_env *env, struct px_msg *m)
{
    *m->prev = m->next;
    if (m->next != NULL) {
        m->next->prev = m->prev;
    }
    env->count.holds--;
    env->kernel->count.holds--;
}

const struct px_msg *px_msg_hold(const struct px_msg *msg)
{
    struct px_msg *m = (struct px_msg *)(uintptr_t)msg; /* the envelope is the kernel's to change */
    if (m->block == NULL) {
        return NULL; /* only a status */
    }
    PX_ASSERT(m->holds < UINT16_MAX);
    struct px_block *b = m->block;
    struct px_env *env = &b->kernel->mailboxes[m->to];
    if (m->holds++ > 0) {
        return m;
    }
    held_link(env, m);
    for (uint32_t i = 0; i < b->n_slices; i++) {
        if (b->refs == 1 && (b->flags & BLOCK_SHARED) == 0) {
            slice_shrink(env, &b->slices[i]);
        }
        b->slices[i].flags |= PX_SLICE_SHARED;
    }
    return m;
}

void px_msg_release(const struct px_msg *take_msg)
{
    struct px_msg *m = (struct px_msg *)(uintptr_t)take_msg;
    if (m == NULL) {
        return;
    }
    PX_ASSERT(m->holds > 0);
    if (--m->holds > 0) {
        return;
    }
    held_unlink(&m->block->kernel->mailboxes[m->to], m);
    if ((m->flags & MSG_BORROWED) == 0) {
        msg_done(m);
    }
}

const struct px_msg *px_msg_seal(struct px_env *env, void *take_body)
{
    struct px_block *b = block_of(take_body);
    if (block_is_lost(b)) {
        env->kernel->count.lost++;
        block_unref(b);
        return NULL;
    }
    b->env.to = env->self;
    b->env.from = PX_PEER_LOCAL(env->self);
    return px_msg_hold(&b->env);
}

/* ---- unpacking, for links ---- */

struct unpack_arena {
    uint8_t *body; /* where the first request goes */
    size_t body_len, left;
    void *message;
};

static void *unpack_alloc(void *data, size_t len)
{
    struct unpack_arena *a = data;
    if (a->body != NULL) {
        void *body = a->body;
        a->body = NULL;
        return len == a->body_len ? body : NULL;
    }
    if (len > a->left || a->left - len < 8) {
        return NULL;
    }
    a->left -= (len + 7) & ~(size_t)7;
    return px_msg_alloc(a->message, len);
}

static void unpack_free(void *data, void *mem)
{
    (void)data;
    (void)mem; /* the arena goes with its block */
}

/* A body parsed from `len` packed bytes, all in its own capped arena: four times the input and a
 * little, at most ARENA_MAX. There is room for `n_slices` slices, whatever memory there is
 * afterwards. EINVAL: malformed or too large; ENOMEM. */
enum px_err msg_unpack(struct px_link *link, const ProtobufCMessageDescriptor *type,
                       const uint8_t *data, size_t len, uint32_t n_slices, void **ret_body)
{
    if (n_slices > PX_SLICES_MAX) {
        return PX_EINVAL;
    }
    size_t room =
        (len < ARENA_MAX / 2 ? len + 64 : ARENA_MAX / 2) + PX_SLICES_MAX * sizeof(struct px_slice);
    struct px_block *b = block_new(&link->env, type->sizeof_message, room);
    uint8_t *body = (uint8_t *)b + BODY_OFFSET;
    if (n_slices > b->slices_cap && !block_is_lost(b)) {
        b->flags |= BLOCK_GROWN;
        b->slices = px_msg_alloc(body, PX_SLICES_MAX * sizeof *b->slices);
        b->slices_cap = PX_SLICES_MAX;
    }
    struct unpack_arena arena = {
        .body = body, .body_len = type->sizeof_message, .left = ARENA_MAX, .message = body};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &arena};
    bool parsed = !block_is_lost(b) && link->ops->unpack(type, &allocator, len, data) != NULL;
    bool lost = block_is_lost(b);
    if (!parsed || lost) {
        block_unref(b);
        return lost ? PX_ENOMEM : PX_EINVAL;
    }
    *ret_body = body;
    return PX_EOK;
}
