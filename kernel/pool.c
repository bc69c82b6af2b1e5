/* pool.c - typed pools in chunks; a slot is a 16-byte head and the element. */
#include "kernel_impl.h"

struct slot {
    px_handle handle; /* generation << 24 | index */
    px_peer owner;
    uint32_t used;          /* 0, 1 */
    struct slot *next_free; /* where its element will be */
};

enum { SLOT_HEAD = offsetof(struct slot, next_free), CHUNK_BYTES = 16384, INDEX_BITS = 24 };
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)
#define GENERATION_MAX (UINT64_MAX >> INDEX_BITS)

static struct slot *slot_at(const struct px_pool *p, uint32_t index)
{
    uint32_t in_chunk = index & ((1u << p->slots_log2) - 1);
    return (struct slot *)(void *)(p->chunks[index >> p->slots_log2] +
                                   (size_t)in_chunk * p->slot_size);
}

static struct slot *slot_of(const void *elem)
{
    return (struct slot *)((uintptr_t)elem - SLOT_HEAD);
}

enum px_err px_pool_init(struct px_pool *pool, struct px_env *env, size_t size, uint32_t max,
                         uint32_t calls_each)
{
    PX_ASSERT(size > 0 && size < 1u << 20 && max >= 1 && max <= INDEX_MASK);
    *pool = (struct px_pool){.env = env, .max = max, .calls_each = calls_each};
    pool->slot_size = (uint32_t)((size + SLOT_HEAD + 15) & ~(size_t)15);
    while ((2u << pool->slots_log2) * (size_t)pool->slot_size <= CHUNK_BYTES &&
           1u << pool->slots_log2 < max) {
        pool->slots_log2++;
    }
    pool->chunks_max = (max + (1u << pool->slots_log2) - 1) >> pool->slots_log2;
    pool->chunks = kernel_alloc(env->kernel, pool->chunks_max * sizeof *pool->chunks);
    if (pool->chunks == NULL) {
        return PX_ENOMEM;
    }
    pool->next = env->pools;
    env->pools = pool;
    return PX_EOK;
}

static bool pool_grow(struct px_pool *p)
{
    if (p->n_chunks == p->chunks_max) {
        return false;
    }
    size_t slots = (size_t)1 << p->slots_log2;
    uint8_t *chunk = kernel_alloc(p->env->kernel, slots * p->slot_size);
    if (chunk == NULL) {
        return false;
    }
    uint64_t generation = 1;
    if (p->env->kernel->world.entropy != NULL) {
        generation +=
            px_random_u64(p->env) & (GENERATION_MAX >> 1); /* unlike those of an earlier life */
    }
    uint32_t first = p->n_chunks << p->slots_log2;
    p->chunks[p->n_chunks++] = chunk;
    for (uint32_t i = (uint32_t)slots; i-- > 0;) {
        struct slot *s = slot_at(p, first + i);
        s->handle = generation << INDEX_BITS | (first + i);
        s->owner = s->used = 0;
        s->next_free = p->free;
        p->free = s;
    }
    return true;
}

static PX_APART bool pool_ready(struct px_pool *p)
{
    if (p->used == p->max || (p->free == NULL && !pool_grow(p))) {
        return false;
    }
    return p->calls_each == 0 || calls_reserve(p->env, p->calls_each);
}

void *px_pool_get(struct px_pool *pool)
{
    bool easy = pool->free != NULL && pool->calls_each == 0 && pool->used < pool->max;
    if (!easy && !pool_ready(pool)) {
        return NULL;
    }
    struct slot *s = pool->free;
    pool->free = s->next_free;
    s->used = 1;
    pool->used++;
    return memset((uint8_t *)s + SLOT_HEAD, 0, pool->slot_size - SLOT_HEAD);
}

void px_pool_put(struct px_pool *pool, void *take_elem)
{
    if (take_elem == NULL) {
        return;
    }
    struct slot *s = slot_of(take_elem);
    PX_ASSERT(s->used != 0);
    s->owner = s->used = 0;
    s->handle += UINT64_C(1) << INDEX_BITS;
    pool->used--;
    if (s->handle <= INDEX_MASK) { /* the generation is 0 again: never handed out any more */
        pool->retired++;
        pool->max--;
    } else {
        s->next_free = pool->free;
        pool->free = s;
    }
    if (pool->calls_each > 0) {
        calls_account(pool->env, 0u - pool->calls_each, 0);
    }
}

px_handle px_handle_of(const struct px_pool *pool, const void *elem)
{
    (void)pool;
    return slot_of(elem)->handle;
}

px_handle px_pool_issue(struct px_pool *pool, void *elem, px_peer peer)
{
    (void)pool;
    slot_of(elem)->owner = peer;
    return slot_of(elem)->handle;
}

px_peer px_pool_owner(const struct px_pool *pool, const void *elem)
{
    (void)pool;
    return slot_of(elem)->owner;
}

static struct slot *slot_find(const struct px_pool *pool, px_handle handle)
{
    uint32_t index = (uint32_t)(handle & INDEX_MASK);
    if (index >> pool->slots_log2 >= pool->n_chunks) {
        return NULL;
    }
    struct slot *s = slot_at(pool, index);
    return s->handle == handle && s->used != 0 ? s : NULL;
}

void *px_pool_own(const struct px_pool *pool, px_handle handle)
{
    struct slot *s = slot_find(pool, handle);
    return s == NULL ? NULL : (uint8_t *)s + SLOT_HEAD;
}

void *px_pool_of(const struct px_pool *pool, const struct px_msg *msg, px_handle handle)
{
    struct slot *s = slot_find(pool, handle);
    return s == NULL || s->owner != msg->from ? NULL : (uint8_t *)s + SLOT_HEAD;
}

void *px_pool_at(const struct px_pool *pool, const struct px_msg *msg)
{
    return px_pool_of(pool, msg, msg->tag);
}

void *px_pool_next(const struct px_pool *pool, const void *elem)
{
    uint32_t index = elem == NULL ? 0 : (uint32_t)(slot_of(elem)->handle & INDEX_MASK) + 1;
    for (; index < pool->n_chunks << pool->slots_log2; index++) {
        struct slot *s = slot_at(pool, index);
        if (s->used != 0) {
            return (uint8_t *)s + SLOT_HEAD;
        }
    }
    return NULL;
}

void pool_free(struct px_pool *pool)
{
    struct px_env *env = pool->env;
    calls_account(env, 0u - pool->calls_each * pool->used, 0);
    for (uint32_t i = 0; i < pool->n_chunks; i++) {
        kernel_release(env->kernel, pool->chunks[i],
                       ((size_t)1 << pool->slots_log2) * pool->slot_size);
    }
    kernel_release(env->kernel, pool->chunks, pool->chunks_max * sizeof *pool->chunks);
    memset(pool, 0, sizeof *pool);
}
