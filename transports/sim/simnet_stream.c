/* simnet_stream.c - streams under way, each this state machine:
 *
 *     FREE --Open--> OPENING --connected--> OWNED          FREE --accepted--> OFFERED --Claim-->
 * OWNED OWNED --Rebind--> LETGO --Claim--> OWNED             LETGO --Reset, 5 s, an end--> FREE
 *     OWNED --owner died at rest--> PARKED --it is back--> OFFERED
 *     OWNED --Close--> CLOSING                             OWNED, CLOSING --both ended, reset-->
 * ENDED ENDED --Closed was sent--> FREE                      (any) --owner died--> FREE
 */
#include "simnet.h"

const struct px_state simnet_table[NS_STATES] = {
    [NS_FREE] = {"free", PX_TO(NS_OPENING) | PX_TO(NS_OFFERED)},
    [NS_OPENING] = {"opening", PX_TO(NS_OWNED) | PX_TO(NS_FREE)},
    [NS_OFFERED] = {"offered", PX_TO(NS_OWNED) | PX_TO(NS_FREE)},
    [NS_OWNED] = {"owned", PX_TO(NS_LETGO) | PX_TO(NS_PARKED) | PX_TO(NS_CLOSING) |
                               PX_TO(NS_ENDED) | PX_TO(NS_FREE)},
    [NS_LETGO] = {"letgo", PX_TO(NS_OWNED) | PX_TO(NS_FREE)},
    [NS_PARKED] = {"parked", PX_TO(NS_OFFERED) | PX_TO(NS_FREE)},
    [NS_CLOSING] = {"closing", PX_TO(NS_ENDED) | PX_TO(NS_FREE)},
    [NS_ENDED] = {"ended", PX_TO(NS_FREE)},
};

struct nstream *nstream_new(struct simnet *net, struct sim_end *end, enum simnet_state state)
{
    struct nstream *s = px_pool_get(&net->streams);
    if (s == NULL) {
        return NULL;
    }
    s->net = net;
    s->end = end;
    end->domain = net->domain;
    end->stream = px_handle_of(&net->streams, s);
    (void)px_credit_open(&s->send, SEND_WINDOW);
    px_fsm_move(simnet_table, &s->state, state);
    return s;
}

/* Unless the stream ended in order, detaching resets the far end. */
static void nstream_detach(struct nstream *s)
{
    struct sim_end *end = s->end;
    if (end == NULL) {
        return;
    }
    s->end = NULL;
    end->stream = 0;
    sim_end_detach(end);
}

void nstream_drop(struct nstream *s)
{
    struct px_env *env = s->net->env;
    nstream_detach(s);
    nlistener_closed_one(s);
    px_want_cancel(env, &s->want);
    px_sul_cancel(env, &s->timer);
    px_sul_cancel(env, &s->again);
    px_chain_clear(&s->out);
    px_msg_release(s->open);
    px_fsm_move(simnet_table, &s->state, NS_FREE);
    px_pool_put(&s->net->streams, s);
}

static void on_again(struct px_sul *sul);

static void closed_send(struct nstream *s)
{
    struct px_env *env = s->net->env;
    Stream__ClosedStream *m = px_msg_new(env, &stream__closed_stream__descriptor);
    m->reason = s->reason;
    if (px_send(env, s->owner, UPPER_CLOSED, m, s->upper)) {
        nstream_drop(s);
    } else {
        px_count(env, N_NO_MEMORY, 1);
        px_sul_schedule(env, &s->again, on_again, AGAIN_US);
    }
}

static void open_answer(struct nstream *s, enum px_status status)
{
    px_reply_status(s->net->env, s->open, status);
}

void nstream_end(struct nstream *s, enum px_status reason)
{
    struct px_env *env = s->net->env;
    nstream_detach(s);
    px_chain_clear(&s->out);
    px_want_cancel(env, &s->want);
    px_sul_cancel(env, &s->timer);
    px_sul_cancel(env, &s->again);
    switch ((enum simnet_state)s->state) {
    case NS_OWNED:
    case NS_CLOSING:
        px_fsm_move(simnet_table, &s->state, NS_ENDED);
        s->reason = reason;
        closed_send(s);
        return;
    case NS_OPENING:
        open_answer(s, reason);
        nstream_drop(s);
        return;
    case NS_OFFERED:
    case NS_LETGO:
    case NS_PARKED:
        nstream_drop(s);
        return;
    case NS_ENDED: /* its Closed is on the way */
        px_sul_schedule(env, &s->again, on_again, AGAIN_US);
        return;
    case NS_FREE:
    case NS_STATES:
        break;
    }
    PX_ASSERT(false);
}

static void on_unclaimed(struct px_sul *sul)
{
    struct nstream *s = px_container_of(sul, struct nstream, timer);
    px_count(s->net->env, N_UNCLAIMED, 1);
    nstream_end(s, PX_TIMED_OUT);
}

static void on_lingered(struct px_sul *sul)
{
    nstream_end(px_container_of(sul, struct nstream, timer), PX_TIMED_OUT);
}

void nstream_park(struct nstream *s)
{
    px_fsm_move(simnet_table, &s->state, NS_PARKED);
    s->upper = 0;
    s->credit = 0;
    s->delivered = 0; /* the next owner begins to count here */
    px_sul_schedule(s->net->env, &s->timer, on_unclaimed, CLAIM_US);
}

/* ---- towards the owner ---- */

static void fields_put(void *m, ProtobufCBinaryData *ret, const uint8_t *bytes, uint8_t len)
{
    px_msg_put(m, ret, bytes, len);
}

void nstream_offer(struct nstream *s, px_addr upper, bool adopted)
{
    struct px_env *env = s->net->env;
    Stream__AcceptedStream *m = px_msg_new(env, &stream__accepted_stream__descriptor);
    m->lower = px_pool_issue(&s->net->streams, s, px_mailbox_peer(env, upper));
    m->credit = s->send.outstanding;
    m->listener = s->listener_tag;
    m->adopted = adopted;
    fields_put(m, &m->remote, s->remote, s->remote_len);
    fields_put(m, &m->local, s->local, s->local_len);
    s->owner = upper;
    s->credit = 0;
    if (px_send(env, upper, UPPER_ACCEPTED, m, 0)) {
        px_sul_schedule(env, &s->timer, on_unclaimed, CLAIM_US);
    } else {
        nstream_end(s, PX_NO_MEMORY);
    }
}

/* Both directions are over: what remains is to say so. */
static bool ended_in_order(struct nstream *s)
{
    if (!s->fin_sent || !s->in_fin) {
        return false;
    }
    nstream_end(s, PX_OK);
    return true;
}

/* While closing, what arrives is thrown away, up to the linger limit. */
static void discard(struct nstream *s)
{
    uint8_t bytes[READ_MAX];
    size_t n;
    while ((n = sim_end_read(s->end, bytes, sizeof bytes)) > 0) {
        s->lingered += n;
    }
    s->in_fin = sim_end_at_fin(s->end);
    if (!ended_in_order(s) && s->lingered > s->linger_bytes && s->fin_sent) {
        nstream_end(s, PX_TIMED_OUT);
    }
}

/* One Data with up to `buf`'s size of bytes, and perhaps the fin behind them. */
static void deliver(struct nstream *s, struct px_buf *take_buf, size_t max)
{
    struct px_env *env = s->net->env;
    size_t len = take_buf == NULL ? 0 : sim_end_read(s->end, px_buf_data(take_buf), max);
    Stream__DataBytes *m = px_msg_new(env, &stream__data_bytes__descriptor);
    if (len > 0) {
        bool attached = px_msg_attach_take(m, take_buf, 0, (uint32_t)len);
        PX_ASSERT(attached);
    } else {
        px_buf_put(take_buf);
    }
    m->fin = sim_end_at_fin(s->end) && (len == 0 || px_sim_chance(s->net->domain->sim, 500));
    s->credit -= (uint32_t)px_charge(len);
    s->delivered += len;
    s->at_rest = false;
    s->in_fin = m->fin;
    if (!px_send(env, s->owner, UPPER_DATA, m, s->upper)) {
        px_count(env, N_NO_MEMORY, 1);
        nstream_end(s, PX_NO_MEMORY);
    } else if (!ended_in_order(s)) {
        sim_end_ready(s->end); /* there may be more */
    }
}

static void pump_in(struct nstream *s)
{
    struct px_env *env = s->net->env;
    size_t room = px_credit_room(s->credit);
    if (s->in_fin || room == 0) {
        return;
    }
    size_t len = s->end->arrived < room ? s->end->arrived : room;
    if (len == 0) {
        if (sim_end_at_fin(s->end)) {
            deliver(s, NULL, 0);
        }
        return;
    }
    len = len < READ_MAX ? len : READ_MAX;
    struct px_buf *buf = px_buf_new(env, len);
    if (buf == NULL) {
        px_sul_schedule(env, &s->again, on_again, AGAIN_US);
        return;
    }
    deliver(s, buf, len);
}

static void opened(struct nstream *s)
{
    struct px_env *env = s->net->env;
    const Stream__OpenStream *req = s->open->body;
    Stream__Opened *m = px_msg_new(env, &stream__opened__descriptor);
    m->lower = px_pool_issue(&s->net->streams, s, s->open->from);
    m->credit = s->send.outstanding;
    fields_put(m, &m->remote, s->remote, s->remote_len);
    fields_put(m, &m->local, s->local, s->local_len);
    s->owner = PX_PEER_ADDR(s->open->from);
    s->upper = req->upper;
    s->credit = req->credit;
    px_fsm_move(simnet_table, &s->state, NS_OWNED);
    px_sul_cancel(env, &s->timer);
    px_reply(env, s->open, PX_OK, m);
    px_msg_release(s->open);
    s->open = NULL;
}

void nstream_ready(struct nstream *s)
{
    if (s->end->status != PX_OK) {
        nstream_end(s, s->end->status);
        return;
    }
    if (s->state == NS_OPENING && s->end->conn->open) {
        opened(s);
    }
    if (s->state == NS_OWNED || s->state == NS_CLOSING) {
        px_want_flush(s->net->env, &s->want);
    }
    if (s->state == NS_CLOSING) {
        discard(s);
    } else if (s->state == NS_OWNED) {
        pump_in(s);
    }
}

static void on_again(struct px_sul *sul)
{
    struct nstream *s = px_container_of(sul, struct nstream, again);
    if (s->state == NS_ENDED) {
        closed_send(s);
    } else if (s->end != NULL) {
        sim_end_ready(s->end);
    }
}

/* ---- towards the network ---- */

static void credit_return(struct nstream *s)
{
    struct px_env *env = s->net->env;
    uint32_t due = s->state == NS_OWNED && !s->out_fin ? px_credit_due(&s->send) : 0;
    if (due == 0) {
        return;
    }
    Stream__CreditBytes *m = px_msg_new(env, &stream__credit_bytes__descriptor);
    m->bytes = due;
    if (!px_send(env, s->owner, UPPER_CREDIT, m, s->upper)) {
        nstream_end(s, PX_NO_MEMORY);
    }
}

static void fin_send(struct nstream *s)
{
    s->fin_sent = true;
    sim_end_fin(s->end);
    if (s->state == NS_CLOSING) {
        px_sul_schedule(s->net->env, &s->timer, on_lingered, PX_MS(s->linger_ms));
    }
}

void nstream_flush(struct nstream *s)
{
    bool moved = false;
    if (s->end == NULL) {
        return;
    }
    for (struct px_slice *piece; (piece = px_chain_first(&s->out)) != NULL;) {
        size_t n = sim_end_write(s->end, piece->ptr, piece->len);
        if (n == 0) {
            break;
        }
        moved = true;
        px_chain_consume(&s->out, n);
        px_credit_settle(&s->send, n);
    }
    if (moved && s->state == NS_CLOSING && !s->fin_sent) {
        px_sul_schedule(s->net->env, &s->timer, on_lingered, STALL_US);
    }
    if (s->out_fin && s->out.len == 0 && !s->fin_sent) {
        fin_send(s);
        if (ended_in_order(s)) {
            return;
        }
    }
    credit_return(s);
}

/* ---- what owners say ---- */

static struct nstream *stream_at(struct simnet *net, const struct px_msg *msg)
{
    struct nstream *s = px_pool_at(&net->streams, msg);
    bool owned = s != NULL && (s->state == NS_OWNED || s->state == NS_CLOSING);
    return owned ? s : NULL;
}

void simnet_on_claim(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    const Stream__ClaimStream *req = msg->body;
    struct nstream *s = px_pool_at(&net->streams, msg);
    bool valid = req->credit == 0 || (req->credit >= PX_CHARGE_MIN && req->credit <= CREDIT_MAX);
    if (s == NULL || (s->state != NS_OFFERED && s->state != NS_LETGO)) {
        Stream__ClosedStream *m = px_msg_new(net->env, &stream__closed_stream__descriptor);
        m->reason = PX_RESET;
        (void)px_send(net->env, PX_PEER_ADDR(msg->from), UPPER_CLOSED, m, req->upper);
        return;
    }
    px_fsm_move(simnet_table, &s->state, NS_OWNED);
    px_sul_cancel(net->env, &s->timer);
    s->upper = req->upper;
    s->old_peer = 0;
    s->credit = req->credit;
    if (!valid) {
        nstream_end(s, PX_PROTOCOL);
        return;
    }
    sim_end_ready(s->end);
}

void simnet_on_credit(void *state, const struct px_msg *msg)
{
    const Stream__CreditBytes *req = msg->body;
    struct nstream *s = stream_at(state, msg);
    if (s == NULL) {
        return;
    }
    if (req->bytes == 0 || req->bytes > CREDIT_MAX || s->credit > CREDIT_MAX - req->bytes) {
        nstream_end(s, PX_PROTOCOL);
        return;
    }
    s->credit += req->bytes;
    sim_end_ready(s->end);
}

void simnet_on_data(void *state, const struct px_msg *msg)
{
    const Stream__DataBytes *req = msg->body;
    struct nstream *s = stream_at(state, msg);
    if (s == NULL) {
        return;
    }
    uint64_t len = px_msg_payload_len(msg);
    bool over = s->out_fin && (len > 0 || req->fin);
    if (over || !px_credit_received(&s->send, len)) {
        nstream_end(s, PX_PROTOCOL);
        return;
    }
    if (!px_msg_take_payload(msg, &s->out)) {
        nstream_end(s, PX_NO_MEMORY);
        return;
    }
    s->out_fin = s->out_fin || req->fin;
    s->at_rest = req->at_rest && req->consumed == s->delivered;
    px_want_flush(s->net->env, &s->want);
}

void simnet_on_close(void *state, const struct px_msg *msg)
{
    const Stream__CloseStream *req = msg->body;
    struct nstream *s = stream_at(state, msg);
    if (s == NULL || s->state == NS_CLOSING) {
        return;
    }
    px_fsm_move(simnet_table, &s->state, NS_CLOSING);
    s->linger_bytes = req->linger_bytes == 0 ? LINGER_BYTES : req->linger_bytes;
    s->linger_ms = req->linger_ms == 0 ? LINGER_MS : req->linger_ms;
    s->out_fin = true;
    px_sul_schedule(s->net->env, &s->timer, on_lingered,
                    s->fin_sent ? PX_MS(s->linger_ms) : STALL_US);
    px_want_flush(s->net->env, &s->want);
    sim_end_ready(s->end);
}

void simnet_on_reset(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    struct nstream *s = px_pool_own(&net->streams, msg->tag);
    bool by_owner = s != NULL && px_pool_owner(&net->streams, s) == msg->from;
    bool by_old = s != NULL && s->state == NS_LETGO && s->old_peer == msg->from;
    if (by_owner || by_old) {
        nstream_end(s, PX_CANCELLED);
    }
}

static enum px_status rebind_obstacle(struct simnet *net, const struct px_msg *msg,
                                      const struct nstream *s, px_addr to)
{
    if (s == NULL || s->state != NS_OWNED) {
        return PX_STALE;
    }
    if (to == 0 || px_mailbox_peer(net->env, to) == 0) {
        return PX_NOT_FOUND;
    }
    return px_may_send(net->env, msg->from, PX_C_STREAM_UPPER, to) ? PX_OK : PX_DENIED;
}

static px_addr mailbox_named(const struct px_env *env, const ProtobufCBinaryData *bytes)
{
    char name[NAME_LEN_MAX + 1] = {0};
    if (bytes->len == 0 || bytes->len > NAME_LEN_MAX) {
        return 0;
    }
    memcpy(name, bytes->data, bytes->len);
    return px_mailbox(env, name);
}

void simnet_on_rebind(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    const Stream__RebindStream *req = msg->body;
    struct nstream *s = px_pool_of(&net->streams, msg, req->lower);
    px_addr to = mailbox_named(net->env, &req->mailbox);
    enum px_status obstacle = rebind_obstacle(net, msg, s, to);
    if (obstacle != PX_OK) {
        px_reply_status(net->env, msg, obstacle);
        return;
    }
    px_fsm_move(simnet_table, &s->state, NS_LETGO);
    s->old_owner = s->owner;
    s->old_peer = msg->from;
    s->old_upper = s->upper;
    s->owner = to;
    s->upper = 0;
    s->credit = 0;
    s->delivered = 0;
    s->at_rest = false;
    (void)px_pool_issue(&net->streams, s, px_mailbox_peer(net->env, to));
    px_sul_schedule(net->env, &s->timer, on_unclaimed, CLAIM_US);
    px_call_tag(net->env, msg, req->lower); /* should the reply not come through: simnet_ended */
    Stream__Rebound *m = px_msg_new(net->env, &stream__rebound__descriptor);
    m->credit = s->send.outstanding;
    px_reply(net->env, msg, PX_OK, m);
}
