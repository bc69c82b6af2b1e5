/* kill.c - the end of a mailbox: its reckoning, and telling everyone. */
#include "kernel_impl.h"

static void release_held(struct px_env *mb)
{
    while (mb->held != NULL) {
        struct px_msg *m = mb->held;
        m->holds = 1;
        px_msg_release(m);
    }
}

/* Takes back everything a service holds. */
void mailbox_reclaim(struct px_env *mb)
{
    struct px_kernel *k = mb->kernel;
    while (mb->wants.next != &mb->wants) {
        px_want_cancel(mb, mb->wants.next);
    }
    sul_drop_owner(k, mb->self);
    release_held(mb);
    env_drop_payload(mb);
    while (mb->pools != NULL) {
        struct px_pool *pool = mb->pools;
        mb->pools = pool->next;
        pool_free(pool);
    }
    calls_account(mb, 0u - mb->service->calls_max, 0);
    kernel_release(k, mb->state, mb->service->state_size);
    mb->state = NULL;
}

/* Ends every call that `peer` was asked, and every call it asked. */
void calls_end_for(struct px_kernel *k, px_peer peer)
{
    uint32_t cursor = 0;
    struct px_call *c;
    while ((c = call_next(k, &cursor)) != NULL) {
        bool asks = c->inbound
                        ? c->asker_link != NULL && px_link_peer(c->asker_link, c->asker) == peer
                        : PX_PEER_LOCAL(c->asker) == peer;
        if (asks) {
            link_forget_inbound(c);
            call_reset_asker(c, PX_SERVICE_GONE);
        } else if (c->callee == peer) {
            call_end(c, PX_SERVICE_GONE);
        }
    }
}

/* Queues the one Gone (or Back) about a mailbox, behind its last message. */
void mailbox_announce(struct px_env *mb, bool gone)
{
    struct px_msg *m = gone ? &mb->gone : &mb->back;
    if ((m->flags & MSG_QUEUED) != 0) {
        return;
    }
    px_peer peer = mb->link != NULL ? px_link_peer(mb->link, mb->self) : PX_PEER_LOCAL(mb->self);
    *m = (struct px_msg){.from = peer, .to = mb->self, .kind = gone ? PX_KIND_GONE : PX_KIND_BACK};
    queue_embedded(mb->kernel, m);
}

void px_service_kill(struct px_kernel *kernel, px_addr addr)
{
    PX_ASSERT(addr >= 1 && addr <= kernel->n_mailboxes);
    struct px_env *mb = &kernel->mailboxes[addr];
    if (mb->kind != MAILBOX_SERVICE || !mb->alive) {
        return;
    }
    mb->alive = false;
    calls_end_for(kernel, PX_PEER_LOCAL(addr));
    mailbox_reclaim(mb);
    mailbox_announce(mb, true);
}

/* Gives a service a zeroed state and runs its init. */
enum px_err service_begin(struct px_env *mb)
{
    struct px_kernel *k = mb->kernel;
    const struct px_service *service = mb->service;
    mb->state = kernel_alloc(k, service->state_size);
    if (mb->state == NULL) {
        return PX_ENOMEM;
    }
    memset(mb->state, 0, service->state_size);
    mb->drained = mb->stopping = false;
    if (service->calls_max > 0 && !calls_reserve(mb, service->calls_max)) {
        kernel_release(k, mb->state, service->state_size);
        mb->state = NULL;
        return PX_ENOMEM;
    }
    mb->alive = true;
    enum px_err err = service->init != NULL ? service->init(mb->state, mb) : PX_EOK;
    if (err != PX_EOK) {
        mb->alive = false;
        calls_end_for(k, PX_PEER_LOCAL(mb->self));
        mailbox_reclaim(mb);
    }
    return err;
}

enum px_err px_service_restart(struct px_kernel *kernel, px_addr addr)
{
    PX_ASSERT(addr >= 1 && addr <= kernel->n_mailboxes);
    struct px_env *mb = &kernel->mailboxes[addr];
    if (mb->kind != MAILBOX_SERVICE || mb->alive || (mb->gone.flags & MSG_QUEUED) != 0) {
        return PX_ESTATE;
    }
    struct px_kernel *previous = trace_enter(kernel);
    enum px_err err = service_begin(mb);
    trace_leave(previous);
    if (err == PX_EOK && kernel->started) {
        mailbox_announce(mb, false);
    }
    return err;
}
