/* buf.h - payload memory: refcounted buffers, slices of them, and chains of slices a service owns.
 *
 * A buffer is memory or an open file. Bytes may be written only through a buffer this service made
 * and has not attached yet, or through an exclusive slice it has taken (px_msg_take_payload).
 */
#ifndef PX_BUF_H
#define PX_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_env;
struct px_msg;
struct px_buf;
struct px_piece;

/* Buffer sizes that come from free lists; others are allocated one by one. Bytes. */
enum {
    PX_BUF_SMALL = 512,
    PX_BUF_KIBI = 1024,
    PX_BUF_MEDIUM = 4096,
    PX_BUF_LARGE = 16384,
    PX_BUF_HUGE = 65536,
};

enum {
    PX_SLICE_SHARED = 1, /* others may read the same bytes: a writer copies */
    PX_SLICE_FILE = 2,   /* a file range: `off` counts, `ptr` is not memory */
};

/* A range of a buffer, as it travels with a message. */
struct px_slice {
    struct px_buf *buf; /* what it is a range of; the slice holds a reference */
    union {
        uint8_t *ptr; /* memory */
        uint64_t off; /* file range: offset in the file, bytes */
    };
    uint32_t len;   /* bytes, at least 1 */
    uint32_t flags; /* PX_SLICE_ bits */
};

/* At most so many slices in a message. */
enum { PX_SLICES_MAX = 8 };

/* A buffer of at least `cap` bytes (1..16 MiB), charged to `env` until attached or put; one
 * reference. NULL: no memory. */
struct px_buf *px_buf_new(struct px_env *env, size_t cap);
/* Memory of a buffer; NULL for a file. */
uint8_t *px_buf_data(const struct px_buf *buf);
/* Size of that memory in bytes, at least what was asked for; 0 for a file. */
size_t px_buf_cap(const struct px_buf *buf);
/* The descriptor of a file buffer, -1 for memory. The buffer owns it. */
int px_buf_fd(const struct px_buf *buf);
/* Gives the reference of px_buf_new back. NULL is fine. */
void px_buf_put(struct px_buf *take_buf);

/* A FIFO of slices owned by a service: what was taken from messages and not yet passed on. Zeroed
 * is empty. Everything in it is charged to the service and reclaimed if the service is killed. */
struct px_chain {
    struct px_piece *first; /* not yours: see px_chain_first */
    struct px_piece *last;  /* not yours */
    uint64_t len;           /* bytes in all */
};

/* First slice of a chain, or NULL when empty. Valid until the chain changes. */
struct px_slice *px_chain_first(const struct px_chain *chain);
/* The slice behind `slice` in its chain, or NULL at the end. */
struct px_slice *px_chain_next(const struct px_slice *slice);
/* Drops `len` bytes from the front (len <= chain->len). */
void px_chain_consume(struct px_chain *chain, uint64_t len);
/* Drops everything. */
void px_chain_clear(struct px_chain *chain);
/* Appends bytes [off, off + len) of `buf`, another reference to it, as a slice that is exclusive if
 * `flags` lacks PX_SLICE_SHARED. False: no memory, nothing changed. */
bool px_chain_append(struct px_env *env, struct px_chain *chain, struct px_buf *buf, uint64_t off,
                     uint32_t len, uint32_t flags);
/* Appends a copy of `len` bytes. False: no memory, the chain is as it was. */
bool px_chain_copy_in(struct px_env *env, struct px_chain *chain, const void *data, size_t len);
/* Moves all of `from` behind `chain`. */
void px_chain_join(struct px_chain *chain, struct px_chain *from);
/* Copies up to `len` bytes from the front into `ret`, leaving the chain as it is; bytes copied.
 * Stops at a file range. */
size_t px_chain_peek(const struct px_chain *chain, void *ret, size_t len);

#ifdef __cplusplus
}
#endif

#endif
