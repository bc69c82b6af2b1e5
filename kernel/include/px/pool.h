/* pool.h - typed pools whose elements are named by handles that can be stale but never dangle.
 *
 * A handle is a 24-bit index and a 40-bit generation. It is valid for the service itself
 * (px_pool_own), and for the one peer it was issued to (px_pool_at). A slot whose generation wraps
 * is retired.
 */
#ifndef PX_POOL_H
#define PX_POOL_H

#include <px/msg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_env;

/* The fields are the kernel's. */
struct px_pool {
    struct px_env *env;   /* whom it is charged to */
    struct px_pool *next; /* of the same service */
    uint8_t **chunks;     /* the slots, chunk by chunk: elements never move */
    uint32_t slot_size;   /* bytes */
    uint32_t slots_log2;  /* slots a chunk */
    uint32_t n_chunks;    /* chunks there are */
    uint32_t chunks_max;  /* room in `chunks` */
    uint32_t max;         /* elements allowed */
    uint32_t used;        /* elements in use */
    uint32_t retired;     /* slots whose generations are used up */
    uint32_t calls_each;  /* calls reserved for an element */
    void *free;           /* the first free slot */
};

/* Elements of `size` bytes, at most `max` (1..2^24-1) at a time; each may have `calls_each` calls
 * outstanding (px_call with its handle as tag). Charged to `env`. ENOMEM. */
PX_MUST_USE enum px_err px_pool_init(struct px_pool *pool, struct px_env *env, size_t size,
                                     uint32_t max, uint32_t calls_each);
/* A zeroed element, or NULL: `max` reached, or no memory for it or for its calls. */
void *px_pool_get(struct px_pool *pool);
/* Ends an element: its handles are stale from now on. NULL is fine. */
void px_pool_put(struct px_pool *pool, void *take_elem);
/* The handle of an element, for our own tags. */
px_handle px_handle_of(const struct px_pool *pool, const void *elem);
/* Makes `peer` the owner of the element and returns the handle to tell it. One owner at a time. */
px_handle px_pool_issue(struct px_pool *pool, void *elem, px_peer peer);
/* The owner of an element; 0: never issued. */
px_peer px_pool_owner(const struct px_pool *pool, const void *elem);
/* The element of a handle of our own making (tags), or NULL: stale. */
void *px_pool_own(const struct px_pool *pool, px_handle handle);
/* The element that `msg` is about, or NULL: stale, or its sender does not own it. */
void *px_pool_at(const struct px_pool *pool, const struct px_msg *msg);
/* The same for a handle that came in a field of `msg`. */
void *px_pool_of(const struct px_pool *pool, const struct px_msg *msg, px_handle handle);
/* Walks the elements in use in index order: pass NULL first, then the last one; NULL at the end. */
void *px_pool_next(const struct px_pool *pool, const void *elem);

#ifdef __cplusplus
}
#endif

#endif
