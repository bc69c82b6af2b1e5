/* world.h - the only door to the outside. Any operation may be NULL but `alloc`, `release` and
 * `monotonic_us`; what is missing is answered UNSUPPORTED or does nothing.
 */
#ifndef PX_WORLD_H
#define PX_WORLD_H

#include <px/err.h>
#include <px/service.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Identity blobs (all NUL-free bytes). */
enum px_blob {
    PX_BLOB_DEVICE_SERIAL,
    PX_BLOB_FIRMWARE_VERSION,
    PX_BLOB_DEVICE_TYPE,
    PX_BLOB_AUTH1,
    PX_BLOB_AUTH2,
    PX_BLOB_NTP_SERVER,
    PX_BLOB_CLIENT_CERT,
    PX_BLOB_CLIENT_KEY
};

/* The operations a kernel reaches the outside by. They are called from the kernel's thread, but for
 * those that say otherwise. */
struct px_world {
    void *ctx; /* first argument of every operation */

    /* Memory, any alignment up to 64. `alloc` and `release` must be safe from any thread (px_post).
     */
    void *(*alloc)(void *ctx, size_t len);
    /* Gives memory of `alloc` back; `len` is what was asked for. */
    void (*release)(void *ctx, void *mem, size_t len);

    /* Clock that never steps, and counts suspend where there is one that does. Microseconds. */
    uint64_t (*monotonic_us)(void *ctx);
    /* Wall clock, microseconds since 1970-01-01 UTC. */
    int64_t (*wall_us)(void *ctx);
    /* A cheap counter for traces. */
    uint64_t (*ticks)(void *ctx);
    /* `len` unpredictable bytes. */
    void (*entropy)(void *ctx, void *ret, size_t len);

    /* Waits up to `timeout_us` (0: only looks; PX_NEVER: no limit) for something to happen. */
    void (*wait)(void *ctx, uint64_t timeout_us);
    /* Turns what has happened into messages (the turn's time is known by now); `reads` false: the
     * queue is full enough, take nothing in. */
    void (*take)(void *ctx, bool reads);
    /* Has `take` left something that no wait would tell again? Then, once what it took has been
     * delivered, it is called again in the same turn, up to 16 times in all, or the next turn is
     * due now. */
    bool (*more)(void *ctx);
    /* Ends a wait; from any thread. */
    void (*wake)(void *ctx);

    /* One finished line, without newline. */
    void (*log)(void *ctx, enum px_log_level level, const char *line);
    /* Last words of a failed assertion have been logged: end the process. NULL: trap. */
    void (*die)(void *ctx);

    /* Sets the wall clock. */
    enum px_err (*set_clock)(void *ctx, int64_t wall_us);
    /* Restarts the device. */
    enum px_err (*reboot)(void *ctx);
    /* Copies up to `len` bytes of a blob; `*ret_len` is its whole size. ENOENT: none. */
    enum px_err (*blob)(void *ctx, enum px_blob which, void *ret, size_t len, size_t *ret_len);
};

#ifdef __cplusplus
}
#endif

#endif
