/* send.c - from a body to the queue: capability, type, bounds, and what happens when it is lost. */
#include "kernel_impl.h"

bool send_allowed(const struct px_kernel *k, px_addr from, uint16_t method, px_addr to)
{
    if (from > k->n_mailboxes || to > k->n_mailboxes) {
        return false;
    }
    return (k->caps[from * k->caps_stride + to] >> k->slot_of[method >> 8] & 1u) != 0;
}

bool mailbox_is_there(const struct px_env *mb)
{
    return mb->alive;
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
    trace_message(k, m, PX_TRACE_QUEUED);
    queue_push(k, m);
}

/* An envelope for what must be told although there is no memory. NULL: even those are used up. */
struct px_msg *reserve_get(struct px_kernel *k)
{
    struct px_msg *m = k->reserve;
    if (m != NULL) {
        k->reserve = m->next;
        k->n_reserve--;
        *m = (struct px_msg){.flags = MSG_RESERVE | MSG_EMBEDDED};
    }
    return m;
}

/* The oneway `m` is lost: tells the receiver, so that what it names does not go on with a hole.
 * Without even an envelope for that, the receiver hears that the whole sender ended. False, for
 * px_send. */
bool send_tell_lost(struct px_env *from, struct px_msg *m)
{
    struct px_kernel *k = from->kernel;
    k->lost++;
    trace_message(k, m, PX_TRACE_LOST);
    if (m->tag == 0 || m->to > k->n_mailboxes || !k->mailboxes[m->to].alive) {
        return false;
    }
    struct px_msg *note = reserve_get(k);
    if (note == NULL) {
        mailbox_announce(&k->mailboxes[PX_PEER_ADDR(m->from)], true);
        mailbox_announce(&k->mailboxes[PX_PEER_ADDR(m->from)], false);
        return false;
    }
    note->kind = PX_KIND_LOST;
    note->to = m->to;
    note->from = m->from;
    note->tag = m->tag;
    note->method = m->method;
    queue_push(k, note);
    return false;
}

static bool refuse(struct px_env *env, struct px_msg *m, enum px_trace_outcome outcome)
{
    if (outcome == PX_TRACE_DENIED) {
        env->kernel->denied++;
        trace_message(env->kernel, m, PX_TRACE_DENIED);
    } else {
        (void)send_tell_lost(env, m);
    }
    msg_done(m);
    return false;
}

static bool type_fits(const struct px_kernel *k, uint16_t method, const void *body)
{
    const struct method *info = kernel_method(k, method);
    return info != NULL && info->shape == PX_ONEWAY &&
           info->input == ((const ProtobufCMessage *)body)->descriptor;
}

static bool send_envelope(struct px_env *env, struct px_msg *m, px_addr to, uint16_t method,
                          px_handle tag)
{
    struct px_kernel *k = env->kernel;
    m->tag = tag;
    m->call = 0;
    m->from = PX_PEER_LOCAL(env->self);
    m->status = PX_OK;
    m->to = to;
    m->method = method;
    m->kind = PX_KIND_ONEWAY;
    if (to > k->n_mailboxes || (env->caps[to] >> k->slot_of[method >> 8] & 1u) == 0) {
        return refuse(env, m, PX_TRACE_DENIED);
    }
    PX_ASSERT(type_fits(k, method, m->body));
    if (block_is_lost(m->block) || k->queued >= k->config.queue_max) {
        return refuse(env, m, PX_TRACE_LOST);
    }
    trace_message(k, m, PX_TRACE_QUEUED);
    queue_push(k, m);
    return true;
}

bool px_send(struct px_env *env, px_addr to, uint16_t method, void *take_body, px_handle tag)
{
    return send_envelope(env, &block_of(take_body)->env, to, method, tag);
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
    return send_envelope(env, m, to, method, tag);
}
