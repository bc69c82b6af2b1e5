/* posix_impl.h - what posix_loop.c and posix_world.c share. */
#ifndef PX_POSIX_IMPL_H
#define PX_POSIX_IMPL_H

#include "posix_loop.h"
#include "posix_promise.h"

enum {
    ENTROPY_CAP = 256,                 /* bytes fetched at once */
    EVENTS_CAP = 4 * POSIX_EVENTS_MAX, /* with those held back */
};

/* One place of the table. Free: `source` is NULL and `fd` the next free place. */
struct place {
    struct posix_source *source;
    int fd;
    uint32_t stamp; /* generation << 8 | owner: what an event must carry */
};

struct owner {
    struct px_kernel *kernel;
    void *state;
    posix_ready_fn ready; /* NULL: the service was killed */
    px_addr self;
};

struct px_posix {
    int epoll_fd;
    bool has_pwait2;
    uint8_t n_owners;
    int free_place;
    struct place *places;
    uint32_t n_places, places_cap;
    struct posix_promise *promises; /* by descriptor; of no length: none */
    uint32_t promises_cap;
    uint32_t n_events; /* seen by wait, not yet taken; the first `n_held` were held back before */
    uint32_t n_held;
    uint32_t turns; /* begun in all; it wraps */
    uint32_t taken; /* bytes, in this turn */
    bool reads;     /* in this turn */
    bool enough;    /* what is held back is there because the last turn had taken enough */
    struct posix_source wake;
    struct posix_later *laters; /* newest first */
    struct posix_memory *memories;
    bool asleep; /* the owners of `memories` know that the process may sleep */
    struct px_world world;
    struct px_posix_config config;
    struct owner owners[POSIX_OWNERS_MAX];
    size_t entropy_left;
    uint8_t entropy[ENTROPY_CAP];
    struct epoll_event events[EVENTS_CAP];
};

struct px_world posix_world_of(struct px_posix *os);
void posix_wait(void *ctx, uint64_t timeout_us);
void posix_take(void *ctx, bool reads);
bool posix_more(void *ctx);
void posix_wake(void *ctx);
void posix_forget_entropy(struct px_posix *os);

#endif
