/* posix.h - for hosts: the operating system as a world for a kernel, and the mailboxes that live on
 * it.
 *
 *     struct px_posix *os;                                   // errors left out
 *     px_posix_new(NULL, &os);
 *     px_kernel_new(px_posix_world(os), NULL, &kernel);
 *     px_kernel_add(kernel, &px_net_service, NULL, NULL, &net);
 *     ... contracts, capabilities, px_kernel_start, px_kernel_turn(kernel, PX_NEVER) ...
 *     px_kernel_free(kernel);
 *     px_posix_free(os);
 *
 * One loop serves one kernel, in one thread; only the world's `alloc`, `release` and `wake` may be
 * called from others. No signal handler is installed, no limit is asked for or changed.
 */
#ifndef PX_POSIX_H
#define PX_POSIX_H

#include <px/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_posix;

/* What a host may want otherwise. NULL and 0 take the default in brackets. */
struct px_posix_config {
    /* Where finished log lines go, without newline [standard error]. */
    void (*log)(void *ctx, enum px_log_level level, const char *line);
    void *log_ctx; /* first argument of `log` */
    /* Least important level that is written, plus one [PX_LOG_INFO + 1]. Not for `log` above. */
    uint32_t log_levels;
    /* Bytes for the blobs of px_world.blob [there are none]. */
    enum px_err (*blob)(void *ctx, enum px_blob which, void *ret, size_t len, size_t *ret_len);
    void *blob_ctx; /* first argument of `blob` */
};

/* An epoll loop. `config` is copied; NULL: all defaults. ENOMEM; EIO: no descriptors left. */
PX_MUST_USE enum px_err px_posix_new(const struct px_posix_config *config,
                                     struct px_posix **ret_os);
/* Closes every descriptor that is still registered. The kernel on it must be gone. NULL is fine. */
void px_posix_free(struct px_posix *take_os);
/* The world to make a kernel on. A host may hand the kernel a copy with operations of its own, as
 * long as `ctx`, `wait` and `take` stay. */
const struct px_world *px_posix_world(const struct px_posix *os);
/* The one descriptor to embed the system in another loop: readable when px_kernel_turn(kernel, 0)
 * has something to do. px_kernel_next_us says when to call it at the latest. */
int px_posix_fd(const struct px_posix *os);

/* Mailbox "net": contracts net.Net and stream.Lower; sends stream.Upper. Only on a posix world. */
extern const struct px_service px_net_service;
/* Mailbox "file": contract file.File; configured by file.Config. Only on a posix world. */
extern const struct px_service px_file_service;

#ifdef __cplusplus
}
#endif

#endif
