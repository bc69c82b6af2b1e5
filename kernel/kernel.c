/* kernel.c - making a kernel, assembling services into it, and looking inside. */
#include "kernel_impl.h"

/* ---- memory ---- */

void *kernel_alloc(struct px_kernel *k, size_t len)
{
    void *mem = k->world.alloc(k->world.ctx, len);
    if (mem != NULL) {
        k->count.allocs++;
        k->count.mem += len;
    }
    return mem;
}

void kernel_release(struct px_kernel *k, void *mem, size_t len)
{
    if (mem != NULL) {
        k->count.mem -= len;
        k->world.release(k->world.ctx, mem, len);
    }
}

static void *alloc_zeroed(struct px_kernel *k, size_t len)
{
    void *mem = kernel_alloc(k, len);
    if (mem != NULL) {
        memset(mem, 0, len);
    }
    return mem;
}

/* ---- new and free ---- */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value != 0 ? value : standard;
}

static bool config_complete(struct px_kernel_config *c)
{
    c->mailboxes_max = or_default(c->mailboxes_max, 64);
    c->queue_mark = or_default(c->queue_mark, 4096);
    c->queue_max = or_default(c->queue_max, 262144);
    c->deliver_max = or_default(c->deliver_max, 16384);
    c->flush_max = or_default(c->flush_max, 512);
    c->trace_records = or_default(c->trace_records, 4096);
    c->calls_max = or_default(c->calls_max, 65536);
    return c->mailboxes_max <= 4095 && (c->trace_records & (c->trace_records - 1)) == 0 &&
           c->calls_max < 1u << 24;
}

static void *carve(uintptr_t *at, size_t len)
{
    uintptr_t place = *at;
    *at += (len + 63) & ~(size_t)63;
    return (void *)place;
}

/* The tables of a kernel are one piece of memory: places them from `at` on. Bytes in all. */
static size_t tables_place(struct px_kernel *k, uintptr_t at)
{
    uintptr_t start = at;
    k->spare = carve(&at, SPARE_LEN);
    k->reserve = carve(&at, RESERVE_ENVELOPES * sizeof *k->reserve);
    k->mailboxes = carve(&at, k->caps_stride * sizeof *k->mailboxes);
    k->caps = carve(&at, (size_t)k->caps_stride * k->caps_stride * sizeof *k->caps);
    k->call_chunks = carve(&at, k->call_chunks_max * sizeof *k->call_chunks);
    k->trace = carve(&at, k->config.trace_records * sizeof *k->trace);
    k->flush_order = carve(&at, k->caps_stride * sizeof *k->flush_order);
    return at - start;
}

static bool tables_make(struct px_kernel *k)
{
    k->caps_stride = k->config.mailboxes_max + 1;
    k->call_chunks_max = (k->config.calls_max + CALLS_A_CHUNK - 1) / CALLS_A_CHUNK;
    k->trace_mask = k->config.trace_records - 1;
    k->tables_len = tables_place(k, 0);
    k->tables = alloc_zeroed(k, k->tables_len);
    if (k->tables == NULL) {
        return false;
    }
    (void)tables_place(k, (uintptr_t)k->tables);
    for (uint32_t i = 0; i + 1 < RESERVE_ENVELOPES; i++) {
        k->reserve[i].next = &k->reserve[i + 1];
    }
    k->n_reserve = RESERVE_ENVELOPES;
    return true;
}

enum px_err px_kernel_new(const struct px_world *world, const struct px_kernel_config *config,
                          struct px_kernel **ret_kernel)
{
    struct px_kernel_config full = config != NULL ? *config : (struct px_kernel_config){0};
    if (world->alloc == NULL || world->release == NULL || world->monotonic_us == NULL ||
        !config_complete(&full)) {
        return PX_EINVAL;
    }
    struct px_kernel *k = world->alloc(world->ctx, sizeof *k);
    if (k == NULL) {
        return PX_ENOMEM;
    }
    memset(k, 0, sizeof *k);
    k->world = *world;
    k->config = full;
    k->count.mem = sizeof *k;
    k->count.allocs = 1;
    k->queue_end = &k->queue_first;
    if (!tables_make(k)) {
        px_kernel_free(k);
        return PX_ENOMEM;
    }
    k->now_us = world->monotonic_us(world->ctx);
    for (int i = 0; i < 2; i++) {
        k->wheels[i].now_us = k->now_us;
    }
    for (uint32_t i = 0; i < k->caps_stride; i++) {
        struct px_env *mb = &k->mailboxes[i];
        mb->kernel = k;
        mb->self = (px_addr)i;
        mb->caps = &k->caps[i * k->caps_stride];
        list_init(&mb->wants);
        list_init(&mb->bufs);
        list_init(&mb->pieces);
    }
    *ret_kernel = k;
    return PX_EOK;
}

static void mailbox_free(struct px_env *mb)
{
    struct px_kernel *k = mb->kernel;
    for (uint32_t i = 1; i <= k->n_contracts; i++) {
        kernel_release(k, mb->handlers[i],
                       k->contracts[i].contract->n_shapes * sizeof(px_handler_fn));
    }
    if (mb->service != NULL) {
        kernel_release(k, mb->counters, mb->service->n_counters * sizeof *mb->counters);
    }
}

static void drain_queue(struct px_kernel *k)
{
    while (k->queue_first != NULL) {
        deliver_one(k); /* to mailboxes that are all gone: everything is thrown away */
    }
}

void px_kernel_free(struct px_kernel *take_kernel)
{
    struct px_kernel *k = take_kernel;
    if (k == NULL) {
        return;
    }
    struct px_kernel *previous = trace_enter(k);
    while (k->links != NULL) {
        px_link_gone(k->links);
    }
    for (uint32_t i = 1; i <= k->n_mailboxes; i++) {
        px_service_kill(k, (px_addr)i);
        k->mailboxes[i].alive = false;
    }
    drain_queue(k);
    for (uint32_t i = 1; i <= k->n_mailboxes; i++) {
        mailbox_free(&k->mailboxes[i]);
    }
    for (uint32_t i = 1; i <= k->n_contracts; i++) {
        kernel_release(k, k->contracts[i].methods,
                       k->contracts[i].contract->n_shapes * sizeof(struct method));
    }
    post_run(k, false);
    msg_free_lists(k);
    buf_free_lists(k);
    call_free_chunks(k);
    kernel_release(k, k->tables, k->tables_len);
    trace_leave(previous == k ? NULL : previous);
    k->world.release(k->world.ctx, k, sizeof *k);
}

/* ---- assembling ---- */

px_addr px_kernel_mailbox(const struct px_kernel *kernel, const char *name)
{
    for (uint32_t i = 1; i <= kernel->n_mailboxes; i++) {
        if (strcmp(kernel->mailboxes[i].name, name) == 0) {
            return (px_addr)i;
        }
    }
    return 0;
}

static enum px_err mailbox_add(struct px_kernel *k, const char *name, enum mailbox_kind kind,
                               struct px_env **ret_mb)
{
    size_t len = strlen(name);
    if (k->started || len == 0 || len > NAME_MAX_LEN) {
        return k->started ? PX_ESTATE : PX_EINVAL;
    }
    if (px_kernel_mailbox(k, name) != 0) {
        return PX_EEXIST;
    }
    if (k->n_mailboxes == k->config.mailboxes_max) {
        return PX_ELIMIT;
    }
    struct px_env *mb = &k->mailboxes[++k->n_mailboxes];
    memcpy(mb->name, name, len + 1);
    mb->kind = (uint8_t)kind;
    *ret_mb = mb;
    return PX_EOK;
}

enum px_err px_kernel_add(struct px_kernel *kernel, const struct px_service *service,
                          const char *name, const void *config, px_addr *ret_addr)
{
    bool typed =
        config == NULL || (service->config != NULL &&
                           ((const ProtobufCMessage *)config)->descriptor == service->config);
    if (service->state_size == 0 || !typed) {
        return PX_EINVAL;
    }
    uint64_t *counters = service->n_counters == 0
                             ? NULL
                             : alloc_zeroed(kernel, service->n_counters * sizeof *counters);
    if (service->n_counters > 0 && counters == NULL) {
        return PX_ENOMEM;
    }
    struct px_env *mb;
    enum px_err err =
        mailbox_add(kernel, name != NULL ? name : service->name, MAILBOX_SERVICE, &mb);
    if (err != PX_EOK) {
        kernel_release(kernel, counters, service->n_counters * sizeof *counters);
        return err;
    }
    mb->service = service;
    mb->config = config;
    mb->counters = counters;
    *ret_addr = mb->self;
    return PX_EOK;
}

enum px_err px_kernel_add_remote(struct px_kernel *kernel, const char *name, px_addr *ret_addr)
{
    struct px_env *mb;
    PX_TRY(mailbox_add(kernel, name, MAILBOX_REMOTE, &mb));
    *ret_addr = mb->self;
    return PX_EOK;
}

enum px_err px_kernel_add_recorder(struct px_kernel *kernel, const char *name,
                                   void (*record)(void *ctx, const struct px_msg *msg), void *ctx,
                                   px_addr *ret_addr)
{
    struct px_env *mb;
    PX_TRY(mailbox_add(kernel, name, MAILBOX_RECORDER, &mb));
    mb->record = record;
    mb->record_ctx = ctx;
    mb->alive = true;
    *ret_addr = mb->self;
    return PX_EOK;
}

enum px_err px_kernel_allow(struct px_kernel *kernel, px_addr from, uint8_t contract, px_addr to)
{
    uint32_t slot = kernel->slot_of[contract];
    if (slot == 0 || from == 0 || from > kernel->n_mailboxes || to == 0 ||
        to > kernel->n_mailboxes) {
        return PX_EINVAL;
    }
    kernel->caps[from * kernel->caps_stride + to] |= UINT64_C(1) << slot;
    return PX_EOK;
}

void px_kernel_deny(struct px_kernel *kernel, px_addr from, uint8_t contract, px_addr to)
{
    uint32_t slot = kernel->slot_of[contract];
    if (slot != 0 && from <= kernel->n_mailboxes && to <= kernel->n_mailboxes) {
        kernel->caps[from * kernel->caps_stride + to] &= ~(UINT64_C(1) << slot);
    }
}

/* Fills a mailbox's dispatch tables, one array a contract it handles. */
static enum px_err handlers_make(struct px_env *mb)
{
    struct px_kernel *k = mb->kernel;
    for (uint32_t i = 0; i < mb->service->n_handlers; i++) {
        const struct px_handler *h = &mb->service->handlers[i];
        if (kernel_method(k, h->method) == NULL) {
            return PX_EINVAL;
        }
        uint32_t slot = k->slot_of[h->method >> 8];
        if (mb->handlers[slot] == NULL) {
            mb->handlers[slot] =
                alloc_zeroed(k, k->contracts[slot].contract->n_shapes * sizeof(px_handler_fn));
        }
        if (mb->handlers[slot] == NULL) {
            return PX_ENOMEM;
        }
        mb->handlers[slot][h->method & 0xffu] = h->fn;
    }
    return PX_EOK;
}

/* Rank: the longest path down along stacking contracts. Relaxed until it rests; a circle never
 * does. */
static enum px_err ranks_compute(struct px_kernel *k)
{
    bool moved = true;
    for (uint32_t round = 0; moved; round++) {
        if (round > k->n_mailboxes) {
            return PX_ECYCLE;
        }
        moved = false;
        for (uint32_t from = 1; from <= k->n_mailboxes; from++) {
            for (uint32_t to = 1; to <= k->n_mailboxes; to++) {
                uint32_t least = k->mailboxes[to].rank + 1;
                if ((k->caps[from * k->caps_stride + to] & k->stacking) != 0 &&
                    k->mailboxes[from].rank < least) {
                    k->mailboxes[from].rank = least;
                    moved = true;
                }
            }
        }
    }
    return PX_EOK;
}

static void flush_order_make(struct px_kernel *k)
{
    for (uint32_t i = 1; i <= k->n_mailboxes; i++) {
        if (k->mailboxes[i].service == NULL || k->mailboxes[i].service->flush == NULL) {
            continue;
        }
        uint32_t at = k->n_flush_order++;
        while (at > 0 && k->mailboxes[k->flush_order[at - 1]].rank < k->mailboxes[i].rank) {
            k->flush_order[at] = k->flush_order[at - 1];
            at--;
        }
        k->flush_order[at] = (px_addr)i;
    }
}

enum px_err px_kernel_start(struct px_kernel *kernel)
{
    if (kernel->started) {
        return PX_ESTATE;
    }
    PX_TRY(ranks_compute(kernel));
    flush_order_make(kernel);
    for (uint32_t i = 1; i <= kernel->n_mailboxes; i++) {
        if (kernel->mailboxes[i].kind == MAILBOX_SERVICE) {
            PX_TRY(handlers_make(&kernel->mailboxes[i]));
            kernel->mailboxes[i].alive = true; /* so that every init sees everyone */
        }
    }
    struct px_kernel *previous = trace_enter(kernel);
    enum px_err err = PX_EOK;
    for (uint32_t i = 1; i <= kernel->n_mailboxes && err == PX_EOK; i++) {
        if (kernel->mailboxes[i].kind == MAILBOX_SERVICE) {
            err = service_begin(&kernel->mailboxes[i]);
        }
    }
    for (uint32_t i = 1; i <= kernel->n_mailboxes; i++) {
        struct px_env *mb = &kernel->mailboxes[i];
        mb->alive = mb->alive && (mb->kind != MAILBOX_SERVICE || mb->state != NULL);
    }
    trace_leave(previous);
    kernel->started = err == PX_EOK;
    return err;
}

/* ---- looking inside ---- */

/* The mailbox of a number; for one that is not there the first, which is nobody's. */
static const struct px_env *mailbox_at(const struct px_kernel *k, px_addr addr)
{
    return &k->mailboxes[addr <= k->n_mailboxes ? addr : 0];
}

void *px_kernel_state(const struct px_kernel *kernel, px_addr addr)
{
    return mailbox_at(kernel, addr)->state;
}

struct px_env *px_kernel_env(const struct px_kernel *kernel, px_addr addr)
{
    const struct px_env *mb = mailbox_at(kernel, addr);
    return mb->alive && mb->kind == MAILBOX_SERVICE ? &kernel->mailboxes[addr] : NULL;
}

const struct px_world *px_kernel_world(const struct px_kernel *kernel)
{
    return &kernel->world;
}

uint64_t px_kernel_now_us(const struct px_kernel *kernel)
{
    return kernel->now_us;
}

static uint32_t elems_of(const struct px_env *mb)
{
    uint32_t n = 0;
    for (const struct px_pool *pool = mb->pools; pool != NULL; pool = pool->next) {
        n += pool->used;
    }
    return n;
}

void px_kernel_ledger(const struct px_kernel *kernel, struct px_ledger *ret)
{
    *ret = kernel->count;
    ret->traced = kernel->trace_next;
    for (uint32_t i = 1; i <= kernel->n_mailboxes; i++) {
        ret->elems += elems_of(&kernel->mailboxes[i]);
    }
}

void px_service_ledger(const struct px_kernel *kernel, px_addr addr, struct px_ledger *ret)
{
    *ret = mailbox_at(kernel, addr)->count;
    ret->elems = elems_of(mailbox_at(kernel, addr));
}

uint64_t px_kernel_counter(const struct px_kernel *kernel, px_addr addr, uint32_t index,
                           const char **ret_name)
{
    const struct px_env *mb = mailbox_at(kernel, addr);
    if (mb->service == NULL || index >= mb->service->n_counters) {
        *ret_name = NULL;
        return 0;
    }
    *ret_name = mb->service->counters[index];
    return mb->counters[index];
}
