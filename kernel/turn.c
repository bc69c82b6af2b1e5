/* turn.c - one turn: wait, timers, deliver, flush. */
#include "kernel_impl.h"

/* ---- delivering ---- */

static void add_item_credit(struct px_call *c, uint64_t n)
{
    uint64_t sum = c->item_credit + n;
    c->item_credit = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

static void forward(struct px_kernel *k, struct px_env *mb, struct px_msg *m)
{
    struct px_link *link = mb->link;
    uint32_t deadline_ms = 0;
    if (m->call != 0) {
        struct px_call *c = call_find(k, m->call);
        bool outward = m->kind != PX_KIND_REPLY && m->kind != PX_KIND_ITEM;
        if (c == NULL || (m->kind == PX_KIND_CALL && c->final) ||
            (outward ? c->callee != px_link_peer(link, mb->self) : c->asker_link != link)) {
            return;
        }
        c->delivered = c->delivered || m->kind == PX_KIND_CALL;
        if (m->kind == PX_KIND_MORE) {
            add_item_credit(c, m->tag);
        }
        if (m->kind == PX_KIND_CALL && c->deadline_at_us != PX_NEVER) {
            uint64_t left = c->deadline_at_us > k->now_us ? c->deadline_at_us - k->now_us : 0;
            deadline_ms = left / 1000 < UINT32_MAX ? (uint32_t)(left / 1000) + 1 : UINT32_MAX;
        }
    }
    link->ops->deliver(link->ctx, m, deadline_ms);
    link->dirty = k->links_dirty = true;
}

/* Nobody handles this method. */
static PX_APART void run_nothing(struct px_kernel *k, struct px_env *mb, const struct px_msg *m)
{
    trace_message(k, m, PX_TRACE_NOBODY);
    if (m->kind == PX_KIND_CALL) {
        px_reply_status(mb, m, PX_UNSUPPORTED);
    }
}

static inline void run_handler(struct px_kernel *k, struct px_env *mb, const struct px_msg *m)
{
    const px_handler_fn *fns = mb->handlers[k->slot_of[m->method >> 8]];
    px_handler_fn fn = fns == NULL ? NULL : fns[m->method & 0xffu];
    if (fn == NULL) {
        run_nothing(k, mb, m);
        return;
    }
    k->count.deliveries++;
    fn(mb->state, m);
}

static void run_more(struct px_kernel *k, struct px_env *mb, const struct px_msg *m)
{
    struct px_call *c = call_find(k, m->call);
    if (c == NULL || c->final) {
        return;
    }
    add_item_credit(c, m->tag);
    if (mb->service->more != NULL) {
        mb->service->more(mb->state, c->callee_tag, (uint32_t)m->tag);
    }
}

static void run_rare(struct px_kernel *k, struct px_env *mb, const struct px_msg *m)
{
    const struct px_service *s = mb->service;
    k->count.deliveries++;
    switch (m->kind) {
    case PX_KIND_REPLY:
    case PX_KIND_ITEM:
        if (s->reply != NULL) {
            s->reply(mb->state, m);
        }
        break;
    case PX_KIND_ENDED:
        if (s->ended != NULL) {
            s->ended(mb->state, m->tag, m->status);
        }
        break;
    case PX_KIND_MORE:
        run_more(k, mb, m);
        break;
    case PX_KIND_LOST:
        if (s->lost != NULL) {
            s->lost(mb->state, m->from, m->tag);
        }
        break;
    }
}

static bool related(const struct px_kernel *k, px_addr a, px_addr b)
{
    return (k->caps[a * k->caps_stride + b] | k->caps[b * k->caps_stride + a]) != 0;
}

/* Gone and Back go to everyone who may talk with the mailbox, here and behind other links. */
static void spread(struct px_kernel *k, const struct px_msg *m)
{
    if (m->kind == PX_KIND_BACK && mailbox_peer(&k->mailboxes[m->to]) != m->from) {
        return; /* it has gone again meanwhile */
    }
    for (px_addr i = 1; i <= k->n_mailboxes; i++) {
        struct px_env *mb = &k->mailboxes[i];
        if (i == m->to || !mb->alive || mb->kind != MAILBOX_SERVICE || !related(k, i, m->to)) {
            continue;
        }
        void (*fn)(void *, px_peer) =
            m->kind == PX_KIND_GONE ? mb->service->gone : mb->service->back;
        if (fn != NULL) {
            k->count.deliveries++;
            fn(mb->state, m->from);
        }
    }
    for (struct px_link *link = k->links; link != NULL; link = link->next) {
        if (link->number != m->from >> ADDR_BITS) {
            link->ops->deliver(link->ctx, m, 0);
            link->dirty = k->links_dirty = true;
        }
    }
}

static void drop_undelivered(struct px_kernel *k, const struct px_msg *m)
{
    struct px_call *c = m->kind == PX_KIND_CALL ? call_find(k, m->call) : NULL;
    if (c != NULL) {
        call_end(c, PX_SERVICE_GONE);
    }
}

static void hand_over(struct px_kernel *k, struct px_env *mb, struct px_msg *m)
{
    if (m->kind == PX_KIND_GONE || m->kind == PX_KIND_BACK) {
        spread(k, m);
        return;
    }
    if (!mb->alive && (m->kind != PX_KIND_ENDED || mb->link == NULL)) {
        drop_undelivered(k, m);
        return;
    }
    if (mb->kind == MAILBOX_REMOTE) {
        forward(k, mb, m);
        return;
    }
    if (m->kind == PX_KIND_CALL) {
        struct px_call *c = call_find(k, m->call);
        if (c == NULL || c->final || c->callee != PX_PEER_LOCAL(mb->self)) {
            return; /* it ended first */
        }
        c->delivered = true;
    }
    if (mb->kind == MAILBOX_RECORDER) {
        k->count.deliveries++;
        mb->record(mb->record_ctx, m);
    } else if (m->kind == PX_KIND_CALL) {
        run_handler(k, mb, m);
    } else {
        run_rare(k, mb, m);
    }
}

static void finish_embedded(struct px_kernel *k, struct px_msg *m)
{
    m->flags &= (uint8_t)~MSG_QUEUED;
    if ((m->flags & MSG_RESERVE) != 0) {
        m->next = k->reserve;
        k->reserve = m;
        k->n_reserve++;
    } else if (m->kind == PX_KIND_REPLY || m->kind == PX_KIND_ENDED) {
        call_envelope_done(m);
    }
}

static PX_APART void deliver_other(struct px_kernel *k, struct px_msg *m)
{
    m->flags |= MSG_BORROWED;
    hand_over(k, &k->mailboxes[m->to], m);
    m->flags &= (uint8_t)~MSG_BORROWED;
    if ((m->flags & MSG_EMBEDDED) != 0) {
        finish_embedded(k, m);
        return;
    }
    if (m->kind == PX_KIND_REPLY) {
        call_reply_delivered(k, m->call);
    }
    if (m->holds == 0) {
        msg_done(m);
    }
}

void deliver_one(struct px_kernel *k)
{
    struct px_msg *m = k->queue_first;
    k->queue_first = m->next;
    if (m->next == NULL) {
        k->queue_end = &k->queue_first;
    }
    k->count.queued--;
    struct px_env *mb = &k->mailboxes[m->to];
    if (m->kind != PX_KIND_ONEWAY || mb->kind != MAILBOX_SERVICE || !mb->alive) {
        deliver_other(k, m);
        return;
    }
    m->flags |= MSG_BORROWED;
    run_handler(k, mb, m);
    m->flags &= (uint8_t)~MSG_BORROWED;
    if (m->holds == 0) {
        msg_done(m);
    }
}

static void deliver(struct px_kernel *k, uint32_t max)
{
    while (k->queue_first != NULL && max-- > 0) {
        deliver_one(k);
    }
}

/* ---- flushing ---- */

void px_want_flush(struct px_env *env, struct px_want *want)
{
    if (want->next != NULL) {
        return;
    }
    list_append(&env->wants, want);
    env->n_wants++;
    env->kernel->n_wants++;
}

void px_want_cancel(struct px_env *env, struct px_want *want)
{
    if (want->next == NULL) {
        return;
    }
    list_remove(want);
    env->n_wants--;
    env->kernel->n_wants--;
}

static bool takes_more(const struct px_kernel *k)
{
    return k->world.more != NULL && k->world.more(k->world.ctx);
}

/* One pass from the highest rank down; what is wished during a rank's own pass waits for the next
 * turn. */
static void flush(struct px_kernel *k)
{
    uint32_t rank = UINT32_MAX, budget = 0;
    bool more = takes_more(k);
    for (uint32_t i = 0; i < k->n_flush_order && k->n_wants > 0; i++) {
        struct px_env *mb = &k->mailboxes[k->flush_order[i]];
        if (mb->rank == 0 && more) {
            break; /* what one wait has found goes out together */
        }
        if (mb->rank != rank) {
            rank = mb->rank;
            budget = k->config.flush_max;
        }
        uint32_t n = mb->n_wants;
        for (; n > 0 && budget > 0 && mb->n_wants > 0; n--, budget--) {
            struct px_want *want = mb->wants.next;
            px_want_cancel(mb, want);
            mb->service->flush(mb->state, want);
        }
        deliver(k, k->config.queue_mark);
    }
    while (k->links_dirty) {
        k->links_dirty = false;
        for (struct px_link *link = k->links, *next; link != NULL; link = next) {
            next = link->next;
            if (link->dirty) {
                link->dirty = false;
                link->ops->flush(link->ctx);
            }
        }
    }
}

/* ---- the turn ---- */

static bool has_work(const struct px_kernel *k)
{
    return k->queue_first != NULL || k->n_wants > 0 || takes_more(k) ||
           atomic_load_explicit(&k->posts, memory_order_relaxed) != NULL;
}

uint64_t px_kernel_next_us(const struct px_kernel *kernel)
{
    if (has_work(kernel)) {
        return 0;
    }
    uint64_t at_us = sul_next_us(kernel);
    if (at_us == PX_NEVER) {
        return PX_NEVER;
    }
    uint64_t now_us = kernel->world.monotonic_us(kernel->world.ctx);
    return at_us > now_us ? at_us - now_us : 0;
}

void px_kernel_turn(struct px_kernel *kernel, uint64_t wait_us)
{
    struct px_kernel *k = kernel;
    struct px_kernel *previous = trace_enter(k);
    if (k->world.wait != NULL) {
        uint64_t next_us = wait_us == 0 ? 0 : px_kernel_next_us(k);
        k->world.wait(k->world.ctx, next_us < wait_us ? next_us : wait_us);
    }
    k->now_us = k->world.monotonic_us(k->world.ctx);
    k->in_turn = true;
    k->wall_known = false;
    k->count.turns++;
    for (uint32_t step = 0; step == 0 || (step < TAKES_A_TURN && takes_more(k)); step++) {
        if (k->world.take != NULL) {
            k->world.take(k->world.ctx, k->count.queued <= k->config.queue_mark);
        }
        if (step == 0) {
            post_run(k, true);
            sul_fire(k);
        }
        deliver(k, k->config.deliver_max);
    }
    flush(k);
    k->in_turn = false;
    trace_leave(previous);
}

/* ---- stopping ---- */

void px_kernel_stop(struct px_kernel *kernel)
{
    struct px_kernel *previous = trace_enter(kernel);
    for (uint32_t i = 1; i <= kernel->n_mailboxes; i++) {
        struct px_env *mb = &kernel->mailboxes[i];
        if (mb->kind == MAILBOX_SERVICE && mb->alive && !mb->stopping) {
            mb->stopping = true;
            mb->drained = mb->service->stop == NULL;
            if (mb->service->stop != NULL) {
                mb->service->stop(mb->state);
            }
        }
    }
    trace_leave(previous);
}

bool px_kernel_drained(const struct px_kernel *kernel)
{
    for (uint32_t i = 1; i <= kernel->n_mailboxes; i++) {
        const struct px_env *mb = &kernel->mailboxes[i];
        if (mb->kind == MAILBOX_SERVICE && mb->alive && !mb->drained) {
            return false;
        }
    }
    return kernel->queue_first == NULL && kernel->n_wants == 0;
}

void px_env_drained(struct px_env *env)
{
    env->drained = env->stopping;
}
