/* link.c - messages in from another kernel, and mailboxes behind links. Nothing here may assert on
 * what a peer sends.
 */
#include "kernel_impl.h"

enum { LINK_NUMBERS = 1 << 20 };

px_peer px_link_peer(const struct px_link *link, px_addr addr)
{
    return link->number << ADDR_BITS | addr;
}

struct px_env *px_link_env(struct px_link *link)
{
    return &link->env;
}

/* Half the reserve is for this kernel's own: a hostile link cannot use it up. NULL: not now. */
static struct px_msg *link_tell(struct px_link *link, const struct px_wire *wire, uint8_t kind,
                                px_peer from, px_addr to, uint64_t tag)
{
    struct px_kernel *k = link->kernel;
    return k->n_reserve > RESERVE_ENVELOPES / 2 ? reserve_tell(k, kind, from, to, wire->method, tag)
                                                : NULL;
}

/* ---- calls that came in, by the asker's id ---- */

static struct px_call **bucket(struct px_link *link, uint64_t wire_id)
{
    return &link->inbound[(wire_id ^ wire_id >> 24) % INBOUND_BUCKETS];
}

static struct px_call *inbound_find(struct px_link *link, uint64_t wire_id)
{
    struct px_call *c = *bucket(link, wire_id);
    while (c != NULL && c->wire_id != wire_id) {
        c = c->next;
    }
    return c;
}

void link_forget_inbound(struct px_call *c)
{
    if (c->asker_link == NULL) {
        return; /* the asker is here, or its link went first */
    }
    struct px_call **at = bucket(c->asker_link, c->wire_id);
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    c->asker_link = NULL;
}

/* ---- links ---- */

static bool number_taken(const struct px_kernel *k, uint32_t number)
{
    for (const struct px_link *l = k->links; l != NULL; l = l->next) {
        if (l->number == number) {
            return true;
        }
    }
    return false;
}

enum px_err px_link_add(struct px_kernel *kernel, const struct px_link_ops *ops, void *ctx,
                        struct px_link **ret_link)
{
    struct px_link *link = kernel_alloc(kernel, sizeof *link);
    if (link == NULL) {
        return PX_ENOMEM;
    }
    memset(link, 0, sizeof *link);
    do {
        kernel->next_link_number = kernel->next_link_number % (LINK_NUMBERS - 1) + 1;
    } while (number_taken(kernel, kernel->next_link_number));
    link->kernel = kernel;
    link->number = kernel->next_link_number;
    link->ops = ops;
    link->ctx = ctx;
    link->env.kernel = kernel;
    list_init(&link->env.bufs);
    list_init(&link->env.pieces);
    link->next = kernel->links;
    kernel->links = link;
    *ret_link = link;
    return PX_EOK;
}

enum px_err px_link_place(struct px_link *link, px_addr addr)
{
    struct px_kernel *k = link->kernel;
    if (addr == 0 || addr > k->n_mailboxes || k->mailboxes[addr].kind != MAILBOX_REMOTE) {
        return PX_ENOENT;
    }
    struct px_env *mb = &k->mailboxes[addr];
    if (mb->link != NULL) {
        return PX_EEXIST;
    }
    mb->link = link;
    mb->alive = true;
    if (k->started) {
        mailbox_announce(mb, false);
    }
    return PX_EOK;
}

/* Its next life may get calls that were on their way: those are taken back from it. */
static void mailbox_leave(struct px_env *mb)
{
    bool was = mb->alive;
    calls_end_for(mb->kernel, px_link_peer(mb->link, mb->self));
    mb->alive = false;
    if (was) {
        mailbox_announce(mb, true);
    }
}

void px_link_gone(struct px_link *take_link)
{
    struct px_link *link = take_link;
    struct px_kernel *k = link->kernel;
    for (uint32_t i = 1; i <= k->n_mailboxes; i++) {
        if (k->mailboxes[i].link == link) {
            mailbox_leave(&k->mailboxes[i]);
            k->mailboxes[i].link = NULL;
        }
    }
    env_drop_payload(&link->env);
    struct px_link **at = &k->links;
    while (*at != link) {
        at = &(*at)->next;
    }
    *at = link->next;
    kernel_release(k, link, sizeof *link);
}

/* ---- in ---- */

/* The envelope of a message that came in, with its body and payload. On an error the payload is
 * where it was. */
static enum px_err envelope_in(struct px_link *link, const ProtobufCMessageDescriptor *type,
                               const struct px_wire *wire, struct px_chain *payload,
                               struct px_msg **ret_msg)
{
    void *body = NULL;
    PX_TRY(msg_unpack(link, type, wire->body, wire->body_len, chain_slices(payload), &body));
    (void)px_msg_attach_chain(body, payload, payload->len);
    struct px_msg *m = &block_of(body)->env;
    msg_address(m, px_link_peer(link, wire->sender), wire->mailbox, wire->method, wire->kind,
                wire->id, 0);
    *ret_msg = m;
    return PX_EOK;
}

static enum px_err oneway_in(struct px_link *link, const struct method *info,
                             const struct px_wire *wire, struct px_chain *payload)
{
    struct px_kernel *k = link->kernel;
    struct px_msg *m = NULL;
    enum px_err err =
        info->shape == PX_ONEWAY ? envelope_in(link, info->input, wire, payload, &m) : PX_EINVAL;
    if (err == PX_EOK && k->count.queued >= k->config.queue_max) {
        (void)send_tell_lost(&k->mailboxes[wire->sender], m);
        msg_done(m);
        return PX_EOK;
    }
    if (err == PX_EINVAL && k->n_reserve > RESERVE_ENVELOPES / 2) {
        struct px_msg lost = {.from = px_link_peer(link, wire->sender),
                              .to = wire->mailbox,
                              .method = wire->method,
                              .tag = wire->id};
        (void)send_tell_lost(&k->mailboxes[wire->sender], &lost);
    }
    if (err != PX_EOK) {
        return err;
    }
    queue_traced(k, m);
    return PX_EOK;
}

static enum px_err lost_in(struct px_link *link, const struct px_wire *wire)
{
    px_peer from = px_link_peer(link, wire->sender);
    return link_tell(link, wire, PX_KIND_LOST, from, wire->mailbox, wire->id) == NULL ? PX_ENOMEM
                                                                                      : PX_EOK;
}

static struct px_call *inbound_get(struct px_link *link, const struct method *info,
                                   const struct px_wire *wire)
{
    struct px_kernel *k = link->kernel;
    if (k->n_free_calls <= k->calls_unused && k->n_call_chunks == k->call_chunks_max) {
        return NULL; /* what is left is reserved */
    }
    struct px_call *c = call_get(k);
    if (c == NULL) {
        return NULL;
    }
    c->inbound = true;
    c->asker_link = link;
    c->asker = wire->sender;
    c->callee = PX_PEER_LOCAL(wire->mailbox);
    c->wire_id = wire->id;
    c->method = wire->method;
    c->info = info;
    c->deadline_at_us = wire->deadline_ms == 0 ? PX_NEVER : k->now_us + PX_MS(wire->deadline_ms);
    c->next = *bucket(link, wire->id);
    *bucket(link, wire->id) = c;
    return c;
}

/* There is no entry for a call: it is answered all the same. */
static enum px_err call_refuse(struct px_link *link, const struct px_wire *wire)
{
    px_peer from = PX_PEER_LOCAL(wire->mailbox);
    struct px_msg *m = link_tell(link, wire, PX_KIND_REPLY, from, wire->sender, wire->id);
    if (m == NULL) {
        return PX_ENOMEM;
    }
    m->status = PX_NO_MEMORY;
    return PX_EOK;
}

static enum px_status call_in_obstacle(const struct px_kernel *k, const struct method *info,
                                       const struct px_wire *wire)
{
    if (info == NULL) {
        return PX_UNSUPPORTED;
    }
    if (info->shape == PX_ONEWAY) {
        return PX_BAD_REQUEST;
    }
    if (!send_allowed(k, wire->sender, wire->method, wire->mailbox)) {
        return PX_DENIED;
    }
    if (!k->mailboxes[wire->mailbox].alive) {
        return PX_SERVICE_GONE;
    }
    return k->count.queued >= k->config.queue_max ? PX_NO_MEMORY : PX_OK;
}

static enum px_err call_in(struct px_link *link, const struct method *info,
                           const struct px_wire *wire, struct px_chain *payload)
{
    struct px_kernel *k = link->kernel;
    if (wire->id == 0 || inbound_find(link, wire->id) != NULL) {
        return PX_EINVAL;
    }
    struct px_call *c = inbound_get(link, info, wire);
    if (c == NULL) {
        return call_refuse(link, wire);
    }
    enum px_status obstacle = call_in_obstacle(k, info, wire);
    if (obstacle != PX_OK) {
        k->count.denied += obstacle == PX_DENIED;
        call_end(c, obstacle);
        return obstacle == PX_DENIED                        ? PX_EDENIED
               : obstacle <= PX_BAD_REQUEST || info == NULL ? PX_EINVAL
                                                            : PX_EOK;
    }
    struct px_msg *m = NULL;
    enum px_err err = envelope_in(link, info->input, wire, payload, &m);
    if (err != PX_EOK) {
        call_end(c, err == PX_ENOMEM ? PX_NO_MEMORY : PX_BAD_REQUEST);
        return err == PX_ENOMEM ? PX_EOK : err;
    }
    c->callee = mailbox_peer(&k->mailboxes[wire->mailbox]);
    m->tag = 0;
    m->call = c->id;
    queue_traced(k, m);
    return PX_EOK;
}

static enum px_err answer_in(struct px_link *link, const struct px_wire *wire,
                             struct px_chain *payload)
{
    struct px_kernel *k = link->kernel;
    struct px_call *c = call_find(k, wire->id);
    px_peer from = px_link_peer(link, wire->sender);
    bool item = wire->kind == PX_KIND_ITEM;
    if (c == NULL || c->final || c->callee != from || (item && c->item_credit == 0)) {
        k->count.late++;
        return PX_EOK; /* late answers are normal */
    }
    if (!wire->has_body && !item) {
        c->reply = (struct px_msg){.flags = MSG_EMBEDDED | MSG_QUEUED};
        (void)call_answer(c, from, &c->reply, wire->status, PX_KIND_REPLY);
        return PX_EOK;
    }
    struct px_msg *m = NULL;
    enum px_err err = envelope_in(link, c->info->output, wire, payload, &m);
    if (err == PX_EINVAL) {
        call_end(c, PX_INTERNAL);
    }
    if (err != PX_EOK) {
        return err;
    }
    (void)call_answer(c, from, m, item ? PX_OK : wire->status, (uint8_t)wire->kind);
    return PX_EOK;
}

static enum px_err control_in(struct px_link *link, const struct px_wire *wire)
{
    struct px_call *c = inbound_find(link, wire->id);
    if (c == NULL || c->asker != wire->sender) {
        return PX_EOK; /* it ended first */
    }
    if (wire->kind == PX_KIND_ENDED) {
        call_reset_asker(c, wire->status);
        return PX_EOK;
    }
    if (c->final) {
        return PX_EOK;
    }
    struct px_msg *m = link_tell(link, wire, PX_KIND_MORE, px_link_peer(link, wire->sender),
                                 PX_PEER_ADDR(c->callee), wire->deadline_ms);
    if (m == NULL) {
        return PX_ENOMEM;
    }
    m->call = c->id;
    return PX_EOK;
}

static enum px_err presence_in(struct px_link *link, const struct px_wire *wire)
{
    struct px_env *mb = &link->kernel->mailboxes[wire->mailbox];
    if (mb->link != link) {
        return PX_EDENIED;
    }
    if (wire->kind == PX_KIND_GONE) {
        mailbox_leave(mb);
    } else if (!mb->alive) {
        mb->alive = true;
        mailbox_announce(mb, false);
    }
    return PX_EOK;
}

enum px_err px_link_in(struct px_link *link, const struct px_wire *wire, struct px_chain *payload)
{
    struct px_kernel *k = link->kernel;
    if (wire->mailbox == 0 || wire->mailbox > k->n_mailboxes) {
        return PX_EINVAL;
    }
    if (wire->kind == PX_KIND_GONE || wire->kind == PX_KIND_BACK) {
        return presence_in(link, wire);
    }
    if (wire->sender == 0 || wire->sender > k->n_mailboxes ||
        k->mailboxes[wire->sender].link != link || !k->mailboxes[wire->sender].alive ||
        k->mailboxes[wire->mailbox].link == link) {
        k->count.denied++;
        return PX_EDENIED;
    }
    const struct method *info = kernel_method(k, wire->method);
    switch (wire->kind) {
    case PX_KIND_ONEWAY:
    case PX_KIND_LOST:
        if (info == NULL) {
            return PX_EINVAL;
        }
        if (!send_allowed(k, wire->sender, wire->method, wire->mailbox)) {
            k->count.denied++;
            return PX_EDENIED;
        }
        return wire->kind == PX_KIND_LOST ? lost_in(link, wire)
                                          : oneway_in(link, info, wire, payload);
    case PX_KIND_CALL:
        return call_in(link, info, wire, payload);
    case PX_KIND_REPLY:
    case PX_KIND_ITEM:
        return answer_in(link, wire, payload);
    case PX_KIND_ENDED:
    case PX_KIND_MORE:
        return control_in(link, wire);
    default:
        return PX_EINVAL;
    }
}

/* ---- out ---- */

void px_link_describe(const struct px_msg *msg, struct px_wire *ret)
{
    bool by_tag = msg->kind == PX_KIND_LOST || msg->kind == PX_KIND_ONEWAY ||
                  msg->kind == PX_KIND_REPLY || msg->kind == PX_KIND_ITEM;
    *ret = (struct px_wire){
        .mailbox = msg->to,
        .sender = PX_PEER_ADDR(msg->from),
        .method = msg->method,
        .id = by_tag ? msg->tag : msg->call,
        .kind = msg->kind,
        .status = msg->status,
        .deadline_ms = msg->kind == PX_KIND_MORE ? (uint32_t)msg->tag : 0,
        .has_body = msg->body != NULL,
    };
}

size_t px_link_packed_len(const struct px_msg *msg)
{
    return msg->body == NULL ? 0 : protobuf_c_message_get_packed_size(msg->body);
}

void px_link_pack(const struct px_msg *msg, uint8_t *ret)
{
    if (msg->body != NULL) {
        (void)protobuf_c_message_pack(msg->body, ret);
    }
}
