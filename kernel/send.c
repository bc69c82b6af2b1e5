/* send.c - from a body to the queue: capability, type, bounds, and what happens when it is lost. */
#include "kernel_impl.h"

bool send_allowed(const struct px_kernel *k, px_addr from, uint16_t method, px_addr to)
{
    if (from > k->n_mailboxes || to > k->n_mailboxes) {
        return false;
    }
    return (k->caps[from * k->caps_stride + to] >> k->slot_of[method >> 8] & 1u) != 0;
}

px_peer mailbox_peer(const struct px_env *mb)
{
    if (!mb->alive) {
        return 0;
    }
    return mb->link == NULL ? PX_PEER_LOCAL(mb->self) : px_link_peer(mb->link, mb->self);
}

void queue_embedded(struct px_kernel *k, struct px_msg *m)
{
    PX_ASSERT((m->flags & MSG_QUEUED) == 0);
    m->flags |= MSG_QUEUED | MSG_EMBEDDED;
    queue_traced(k, m);
}

/* Queues what must be told although there is no memory, in an envelope of the reserve. The caller
 * may add to it. NULL: even those are used up. */
struct px_msg *reserve_tell(struct px_kernel *k, uint8_t kind, px_peer from, px_addr to,
                            uint16_t method, uint64_t tag)
{
    struct px_msg *m = k->reserve;
    if (m != NULL) {
        k->reserve = m->next;
        k->n_reserve--;
        *m = (struct px_msg){.flags = MSG_RESERVE | MSG_EMBEDDED};
        msg_address(m, from, to, method, kind, tag, 0);
        queue_push(k, m);
    }
    return m;
}

/* The oneway `m` is lost: tells the receiver, so that what it names does not go on with a hole.
 * Without even an envelope for that, the receiver hears that the whole sender ended. False, for
 * px_send. */
bool send_tell_lost(struct px_env *from, struct px_msg *m)
{
    struct px_kernel *k = from->kernel;
    k->count.lost++;
    trace_message(k, m, PX_TRACE_LOST);
    if (m->tag == 0 || m->to > k->n_mailboxes || !k->mailboxes[m->to].alive) {
        return false;
    }
    if (reserve_tell(k, PX_KIND_LOST, m->from, m->to, m->method, m->tag) == NULL) {
        mailbox_announce(&k->mailboxes[PX_PEER_ADDR(m->from)], true);
        mailbox_announce(&k->mailboxes[PX_PEER_ADDR(m->from)], false);
    }
    return false;
}

static PX_APART bool refuse(struct px_env *env, struct px_msg *m, enum px_trace_outcome outcome)
{
    if (outcome == PX_TRACE_DENIED) {
        env->kernel->count.denied++;
        trace_message(env->kernel, m, PX_TRACE_DENIED);
    } else {
        (void)send_tell_lost(env, m);
    }
    msg_done(m);
    return false;
}

static inline bool send_envelope(struct px_env *env, struct px_msg *m, struct px_block *b,
                                 px_addr to, uint16_t method, px_handle tag)
{
    struct px_kernel *k = env->kernel;
    uint32_t slot = k->slot_of[method >> 8], index = method & 0xffu;
    msg_address(m, PX_PEER_LOCAL(env->self), to, method, PX_KIND_ONEWAY, tag, 0);
    if (to > k->n_mailboxes || (env->caps[to] >> slot & 1u) == 0) {
        return refuse(env, m, PX_TRACE_DENIED);
    }
    const struct contract_slot *c = &k->contracts[slot];
    const ProtobufCMessage *body = (const void *)((const uint8_t *)b + BODY_OFFSET);
    PX_ASSERT(index < c->n_methods && c->methods[index].shape == PX_ONEWAY &&
              c->methods[index].input == body->descriptor);
    if (block_is_lost(b) || k->count.queued >= k->config.queue_max) {
        return refuse(env, m, PX_TRACE_LOST);
    }
    trace_as(k, m, env->self, false, PX_TRACE_QUEUED, (uint32_t)b->payload_len);
    queue_push(k, m);
    return true;
}

bool px_send(struct px_env *env, px_addr to, uint16_t method, void *take_body, px_handle tag)
{
    struct px_block *b = block_of(take_body);
    return send_envelope(env, &b->env, b, to, method, tag);
}

bool px_send_shared(struct px_env *env, px_addr to, uint16_t method, const struct px_msg *msg,
                    px_handle tag)
{
    struct px_msg *m = msg_bare(env->kernel, msg);
    if (m == NULL) {
        struct px_msg lost = {
            .from = PX_PEER_LOCAL(env->self), .to = to, .method = method, .tag = tag};
        return send_tell_lost(env, &lost);
    }
    return send_envelope(env, m, m->block, to, method, tag);
}
