/* post.c - running something in the kernel's thread, asked from any other. */
#include "kernel_impl.h"

enum px_err px_post(struct px_kernel *kernel, void (*fn)(void *ctx, const void *data, size_t len),
                    void *ctx, const void *data, size_t len)
{
    if (len > SIZE_MAX - sizeof(struct post)) {
        return PX_EINVAL;
    }
    struct post *p = kernel->world.alloc(kernel->world.ctx, sizeof *p + len);
    if (p == NULL) {
        return PX_ENOMEM;
    }
    *p = (struct post){.fn = fn, .ctx = ctx, .len = len};
    if (len > 0) {
        memcpy(p + 1, data, len);
    }
    p->next = atomic_load_explicit(&kernel->posts, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&kernel->posts, &p->next, p, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    px_kernel_wake(kernel);
    return PX_EOK;
}

void px_kernel_wake(struct px_kernel *kernel)
{
    if (kernel->world.wake != NULL) {
        kernel->world.wake(kernel->world.ctx);
    }
}

/* Runs what was posted, oldest first; or throws it away. */
void post_run(struct px_kernel *k, bool run)
{
    if (atomic_load_explicit(&k->posts, memory_order_relaxed) == NULL) {
        return;
    }
    struct post *newest = atomic_exchange_explicit(&k->posts, NULL, memory_order_acquire);
    struct post *oldest = NULL;
    for (struct post *p = newest, *next; p != NULL; p = next) {
        next = p->next;
        p->next = oldest;
        oldest = p;
    }
    for (struct post *p = oldest, *next; p != NULL; p = next) {
        next = p->next;
        if (run) {
            p->fn(p->ctx, p + 1, p->len);
        }
        k->world.release(k->world.ctx, p, sizeof *p + p->len);
    }
}
