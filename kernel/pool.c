/* pool.c - typed pools in chunks; a slot is a 16-byte head and the element. */
#include "kernel_impl.h"

struct slot {
    px_handle handle; /* generation << 24 | index */
    px_peer owner;
    uint32_t next_free; /* index + 1, or SLOT_USED */
};

enum { SLOT_HEAD = sizeof(struct slot), CHUNK_BYTES = 16384, INDEX_BITS = 24 };
#define SLOT_USED UINT32_MAX
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)
#define GENERATION_MAX ((UINT64_C(1) << (64 - INDEX_BITS)) - 1)

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
    memset(pool, 0, sizeof *pool);
    pool->env = env;
    pool->max = max;
    pool->calls_each = calls_each;
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
        s->owner = 0;
        s->next_free = p->free_head;
        p->free_head = first + i + 1;
    }
    return true;
}

static bool pool_ready(struct px_pool *p)
{
    if (p->used == p->max || (p->free_head == 0 && !pool_grow(p))) {
        return false;
    }
    return p->calls_each == 0 || calls_reserve(p->env, p->calls_each);
}

void *px_pool_get(struct px_pool *pool)
{
    bool easy = pool->free_head != 0 && pool->calls_each == 0 && pool->used < pool->max;
    if (!easy && !pool_ready(pool)) {
        return NULL;
    }
    struct slot *s = slot_at(pool, pool->free_head - 1);
    pool->free_head = s->next_free;
    s->next_free = SLOT_USED;
    s->owner = 0;
    pool->used++;
    return memset((uint8_t *)s + SLOT_HEAD, 0, pool->slot_size - SLOT_HEAD);
}

void px_pool_put(struct px_pool *pool, void *take_elem)
{
    if (take_elem == NULL) {
        return;
    }
    struct slot *s = slot_of(take_elem);
    PX_ASSERT(s->next_free == SLOT_USED);
    uint32_t index = (uint32_t)(s->handle & INDEX_MASK);
    s->owner = 0;
    pool->used--;
    if (pool->calls_each > 0) {
        calls_unreserve(pool->env, pool->calls_each);
    }
    if (s->handle >> INDEX_BITS == GENERATION_MAX) {
        pool->retired++;
        pool->max--;
        s->handle = index;
        s->next_free = 0;
        return;
    }
    s->handle += UINT64_C(1) << INDEX_BITS;
    s->next_free = pool->free_head;
    pool->free_head = index + 1;
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
    return s->handle == handle && s->next_free == SLOT_USED ? s : NULL;
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
        if (s->next_free == SLOT_USED) {
            return (uint8_t *)s + SLOT_HEAD;
        }
    }
    return NULL;
}

void pool_free(struct px_pool *pool)
{
    struct px_env *env = pool->env;
    if (pool->calls_each > 0) {
        calls_unreserve(env, pool->calls_each * pool->used);
    }
    for (uint32_t i = 0; i < pool->n_chunks; i++) {
        kernel_release(env->kernel, pool->chunks[i],
                       ((size_t)1 << pool->slots_log2) * pool->slot_size);
    }
    kernel_release(env->kernel, pool->chunks, pool->chunks_max * sizeof *pool->chunks);
    memset(pool, 0, sizeof *pool);
}
