/* net_stream.c - the life of a stream.
 *
 *     FREE --connect(2)--> CONNECTING --connected--> OPEN              answers Opened
 *     FREE --accept(2)--> OFFERED --Claim--> OPEN                      sends Accepted
 *     OPEN --Rebind--> HANDED --Claim of the new owner--> OPEN         answers Rebound
 *     OPEN at rest, OFFERED --owner gone--> PARKED --back--> OFFERED   sends Accepted{adopted}
 *     OPEN --Close--> CLOSING --both fins, or the linger limit--> FREE
 *     any --reset, failure, no Claim in time--> FREE
 *
 * What is queued goes out in every state but FREE. Bytes are delivered in OPEN only, and discarded
 * in CLOSING. Whoever has claimed the stream hears Closed when it becomes FREE, once.
 */
#include "net_impl.h"

#include <px/assert.h>
#include <px/fsm.h>
#include <string.h>
#include <unistd.h>

#include "stream.pb-c.h"

static const struct px_state stream_table[STREAM_N_STATES] = {
    [STREAM_FREE] = {"free", PX_TO(STREAM_CONNECTING) | PX_TO(STREAM_OFFERED) | PX_TO(STREAM_FREE)},
    [STREAM_CONNECTING] = {"connecting", PX_TO(STREAM_OPEN) | PX_TO(STREAM_FREE)},
    [STREAM_OFFERED] = {"offered", PX_TO(STREAM_OPEN) | PX_TO(STREAM_PARKED) | PX_TO(STREAM_FREE)},
    [STREAM_OPEN] = {"open", PX_TO(STREAM_HANDED) | PX_TO(STREAM_PARKED) | PX_TO(STREAM_CLOSING) |
                                 PX_TO(STREAM_FREE)},
    [STREAM_HANDED] = {"handed", PX_TO(STREAM_OPEN) | PX_TO(STREAM_FREE)},
    [STREAM_PARKED] = {"parked", PX_TO(STREAM_OFFERED) | PX_TO(STREAM_FREE)},
    [STREAM_CLOSING] = {"closing", PX_TO(STREAM_FREE)},
};

void stream_move(struct stream *s, enum stream_state next)
{
    px_fsm_move(stream_table, &s->state, next);
}

/* ---- the side ---- */

static bool side_get(struct net *net, struct stream *s)
{
    PX_ASSERT(s->side == NULL);
    s->side = px_pool_get(&net->sides);
    if (s->side == NULL) {
        return false;
    }
    s->side->net = net;
    s->side->stream = s;
    return true;
}

void stream_settle_down(struct net *net, struct stream *s)
{
    if (s->side != NULL) {
        px_sul_cancel(net->env, &s->side->sul);
        px_msg_release(s->side->open);
        px_pool_put(&net->sides, s->side);
        s->side = NULL;
    }
}

/* Nobody claimed or adopted it in time, or its peer would not let it close. */
static void on_side_timeout(struct px_sul *sul)
{
    struct side *side = px_container_of(sul, struct side, sul);
    px_count(side->net->env, NET_N_TIMED_OUT, 1);
    stream_end(side->net, side->stream, PX_TIMED_OUT);
}

static void side_wait(struct stream *s, uint64_t wait_us)
{
    px_sul_schedule(s->side->net->env, &s->side->sul, on_side_timeout, wait_us);
}

/* ---- beginning and end ---- */

struct stream *stream_new(struct net *net, int take_fd, uint32_t window)
{
    struct stream *s = px_pool_get(&net->streams);
    if (s == NULL) {
        return NULL;
    }
    if (!side_get(net, s)) {
        px_pool_put(&net->streams, s);
        return NULL;
    }
    s->source.fd = take_fd;
    s->source.kind = NET_SOURCE_STREAM;
    s->credit.window = window;
    net->n_streams++;
    return s;
}

bool stream_watch(struct net *net, struct stream *s)
{
    if (posix_watch(net->os, net->source_owner, &s->source, s->source.fd, POSIX_QUIET) != PX_EOK) {
        stream_end(net, s, PX_NO_MEMORY);
        return false;
    }
    stream_update(net, s);
    return true;
}

static void send_closed(struct net *net, px_addr to, px_handle upper, enum px_status reason)
{
    Stream__ClosedStream *m = px_msg_new(net->env, &stream__closed_stream__descriptor);
    m->reason = (uint32_t)reason;
    (void)px_send(net->env, to, UPPER_CLOSED, m, upper);
}

static void close_socket(struct net *net, struct stream *s, bool abrupt)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (abrupt) { /* what is unsent is dropped and the peer gets RST */
        (void)setsockopt(s->source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    if (s->source.watched) {
        posix_close(net->os, &s->source);
    } else {
        (void)close(s->source.fd);
    }
}

void stream_end(struct net *net, struct stream *s, enum px_status reason)
{
    struct listener *l = stream_listener(s);
    if (s->state == STREAM_CONNECTING && s->side->open != NULL) {
        px_reply_status(net->env, s->side->open, reason);
    } else if (s->upper != 0) {
        send_closed(net, s->owner, s->upper, reason);
    }
    if (reason != PX_OK && s->state != STREAM_CONNECTING) {
        px_count(net->env, NET_N_RESETS, 1);
    }
    close_socket(net, s, reason != PX_OK);
    px_chain_clear(&s->out);
    px_want_cancel(net->env, &s->want);
    peer_put(net, s->peer);
    stream_settle_down(net, s);
    stream_move(s, STREAM_FREE);
    px_pool_put(&net->streams, s);
    net->n_streams--;
    if (l != NULL) {
        listener_release(net, l);
    }
    net_resume(net);
    if (net->stopping && net->n_streams == 0) {
        px_env_drained(net->env);
    }
}

/* The owner did what stream.proto forbids. */
static void stream_breach(struct net *net, struct stream *s)
{
    px_count(net->env, NET_N_PROTOCOL, 1);
    stream_end(net, s, PX_PROTOCOL);
}

void stream_update(struct net *net, struct stream *s)
{
    bool wanted =
        s->state == STREAM_CLOSING || (s->state == STREAM_OPEN && px_credit_room(s->in_credit) > 0);
    unsigned events = wanted && (s->flags & IN_DONE) == 0 ? POSIX_IN | POSIX_EDGE : POSIX_QUIET;
    if (s->state == STREAM_CONNECTING || (s->flags & OUT_FULL) != 0) {
        events |= POSIX_OUT;
    }
    posix_events(net->os, &s->source, (uint8_t)events);
}

void stream_grant(struct net *net, struct stream *s)
{
    uint32_t due = s->state == STREAM_OPEN ? px_credit_due(&s->credit) : 0;
    if (due > 0) {
        Stream__CreditBytes *m = px_msg_new(net->env, &stream__credit_bytes__descriptor);
        m->bytes = due;
        (void)px_send(net->env, s->owner, UPPER_CREDIT, m,
                      s->upper); /* lost: it is told, and resets */
    }
}

/* ---- owners ---- */

/* Also from PARKED: then all that is queued and all credit stay as they are. */
bool stream_offer(struct net *net, struct stream *s, const union px_sockaddr46 *remote,
                  bool adopted)
{
    union px_sockaddr46 ends[2];
    const struct listener *l = stream_listener(s);
    const union px_sockaddr46 *local = &l->local.ip;
    px_peer peer = px_mailbox_peer(net->env, s->owner);
    if (peer == 0) {
        return false;
    }
    Stream__AcceptedStream *m = px_msg_new(net->env, &stream__accepted_stream__descriptor);
    m->lower = px_pool_issue(&net->streams, s, peer);
    m->credit = adopted ? s->credit.outstanding : px_credit_open(&s->credit, s->credit.window);
    m->file_ranges = peer == PX_PEER_LOCAL(s->owner); /* they do not cross links */
    m->listener = l->tag;
    m->adopted = adopted;
    if (!net_addr_is_unix(&l->local)) {
        if (remote == NULL) {
            net_addr_remote(s->source.fd, &ends[0]);
            remote = &ends[0];
        }
        if (l->wildcard) {
            net_addr_local(s->source.fd, &ends[1]);
            local = &ends[1];
        }
        net_addr_put(m, &m->remote, remote);
        net_addr_put(m, &m->local, local);
    }
    stream_move(s, STREAM_OFFERED);
    side_wait(s, NET_CLAIM_US);
    return px_send(net->env, s->owner, UPPER_ACCEPTED, m, 0);
}

/* Keeps a stream whose owner has died for whoever takes that mailbox next. */
static void stream_park(struct net *net, struct stream *s)
{
    s->upper = 0;
    s->in_credit = 0;
    s->delivered = 0; /* the next owner begins to count here */
    if (s->side == NULL && !side_get(net, s)) {
        stream_end(net, s, PX_NO_MEMORY);
        return;
    }
    (void)px_pool_issue(&net->streams, s, 0);
    stream_move(s, STREAM_PARKED);
    side_wait(s, NET_PARKED_US);
    stream_update(net, s);
}

static void stream_unpark(struct net *net, struct stream *s)
{
    px_count(net->env, NET_N_ADOPTED, 1);
    if (!stream_offer(net, s, NULL, true)) {
        stream_end(net, s, PX_SERVICE_GONE);
    }
}

static bool is_unclaimed(const struct stream *s)
{
    return s->state == STREAM_OFFERED || s->state == STREAM_HANDED;
}

static bool claim_is_valid(const Stream__ClaimStream *claim)
{
    return claim->upper != 0 && (claim->credit == 0 || (claim->credit >= NET_WINDOW_MIN &&
                                                        claim->credit <= NET_WINDOW_MAX));
}

void net_on_claim(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Stream__ClaimStream *claim = msg->body;
    struct stream *s = px_pool_at(&net->streams, msg);
    if (s == NULL) {
        px_count(net->env, NET_N_STALE, 1);
        send_closed(net, PX_PEER_ADDR(msg->from), claim->upper, PX_RESET);
        return;
    }
    if (!is_unclaimed(s) || !claim_is_valid(claim)) {
        stream_breach(net, s);
        return;
    }
    stream_move(s, STREAM_OPEN);
    stream_settle_down(net, s);
    s->upper = claim->upper;
    s->in_credit = claim->credit;
    if (!s->source.watched) {
        (void)stream_watch(net, s); /* what happened since accept is reported now */
        return;
    }
    stream_update(net, s);
    stream_grant(net, s);
}

void net_on_credit(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Stream__CreditBytes *m = msg->body;
    struct stream *s = px_pool_at(&net->streams, msg);
    if (s == NULL) {
        px_count(net->env, NET_N_STALE, 1);
        return;
    }
    if (s->state == STREAM_CLOSING) {
        return;
    }
    if (is_unclaimed(s) || m->bytes == 0 || m->bytes > NET_WINDOW_MAX - s->in_credit) {
        stream_breach(net, s);
        return;
    }
    s->in_credit += m->bytes;
    stream_update(net, s);
}

/* ---- closing ---- */

void stream_out_done(struct net *net, struct stream *s)
{
    s->flags |= OUT_DONE;
    if ((s->flags & IN_DONE) != 0) {
        stream_end(net, s, PX_OK);
        return;
    }
    if (s->state == STREAM_CLOSING) {
        side_wait(s, PX_MS(s->side->linger_ms));
    }
    stream_update(net, s);
}

static void stream_close(struct net *net, struct stream *s, const Stream__CloseStream *m)
{
    if ((s->flags & OUT_DEAD) != 0) {
        stream_end(net, s, PX_RESET);
        return;
    }
    if (!side_get(net, s)) {
        stream_end(net, s, PX_NO_MEMORY);
        return;
    }
    stream_move(s, STREAM_CLOSING);
    s->flags |= OUT_FIN;
    s->side->linger_left = m->linger_bytes == 0 ? NET_LINGER_BYTES : m->linger_bytes;
    s->side->linger_ms = m->linger_ms == 0                  ? NET_LINGER_MS
                         : m->linger_ms < NET_LINGER_MS_MAX ? m->linger_ms
                                                            : NET_LINGER_MS_MAX;
    if ((s->flags & OUT_DONE) != 0) {
        stream_out_done(net, s);
        return;
    }
    side_wait(s, NET_CLOSE_STALL_US);
    stream_update(net, s);
    if ((s->flags & OUT_FULL) == 0) {
        px_want_flush(net->env, &s->want);
    }
}

void net_on_close(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    struct stream *s = px_pool_at(&net->streams, msg);
    if (s == NULL) {
        px_count(net->env, NET_N_STALE, 1);
    } else if (is_unclaimed(s)) {
        stream_breach(net, s);
    } else if (s->state == STREAM_OPEN) {
        stream_close(net, s, msg->body);
    }
}

/* The stream that `from` may end: its own, or one it has just handed over. */
static struct stream *stream_of(const struct net *net, px_peer from, px_handle handle)
{
    struct stream *s = px_pool_own(&net->streams, handle);
    bool owns = s != NULL && (px_pool_owner(&net->streams, s) == from ||
                              (s->state == STREAM_HANDED && s->side->old_owner == from));
    return owns ? s : NULL;
}

void net_on_reset(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    struct stream *s = stream_of(net, msg->from, msg->tag);
    if (s == NULL) {
        px_count(net->env, NET_N_STALE, 1);
        return;
    }
    stream_end(net, s, PX_CANCELLED);
}

void net_lost(void *state, px_peer from, px_handle tag)
{
    struct net *net = state;
    struct stream *s = stream_of(net, from, tag);
    if (s != NULL) {
        stream_end(net, s, PX_NO_MEMORY);
    }
}

/* ---- hand-over ---- */

static enum px_status check_rebind(const struct net *net, const struct px_msg *msg,
                                   const struct stream *s, px_addr *ret_to)
{
    const Stream__RebindStream *m = msg->body;
    char name[64] = {0};
    if (s == NULL) {
        return PX_STALE;
    }
    if (s->state != STREAM_OPEN || (s->flags & OUT_FIN) != 0) {
        return PX_BAD_REQUEST;
    }
    if (m->mailbox.len == 0 || m->mailbox.len >= sizeof name) {
        return PX_NOT_FOUND;
    }
    memcpy(name, m->mailbox.data, m->mailbox.len);
    px_addr to = px_mailbox(net->env, name);
    if (to == 0 || px_mailbox_peer(net->env, to) == 0) {
        return PX_NOT_FOUND;
    }
    *ret_to = to;
    return px_may_send(net->env, msg->from, PX_C_STREAM_UPPER, to) ? PX_OK : PX_DENIED;
}

/* From here to the new owner's Claim nothing is delivered. If the peer's fin was delivered already,
 * the new owner will read it again. */
void net_on_rebind(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Stream__RebindStream *m = msg->body;
    struct stream *s = px_pool_of(&net->streams, msg, m->lower);
    px_addr to = 0;
    enum px_status status = check_rebind(net, msg, s, &to);
    if (status == PX_OK && !side_get(net, s)) {
        status = PX_NO_MEMORY;
    }
    if (status != PX_OK) {
        px_reply_status(net->env, msg, status);
        return;
    }
    stream_move(s, STREAM_HANDED);
    s->side->old_owner = msg->from;
    s->side->old_upper = s->upper;
    s->owner = to;
    s->upper = 0;
    s->in_credit = 0;
    s->delivered = 0;
    s->flags &= (uint16_t) ~(unsigned)(IN_DONE | IN_MORE | AT_REST);
    (void)px_pool_issue(&net->streams, s, px_mailbox_peer(net->env, to));
    side_wait(s, NET_CLAIM_US);
    stream_update(net, s);
    px_call_tag(net->env, msg, m->lower);
    Stream__Rebound *reply = px_msg_new(net->env, &stream__rebound__descriptor);
    reply->credit = s->credit.outstanding;
    px_reply(net->env, msg, PX_OK, reply);
}

/* Nobody waits for an Open any more; or the answer to an Open or Rebind was lost, which the asker
 * takes for a refusal: then it has no stream, or still has one, and cannot be left to believe
 * either. */
void net_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct net *net = state;
    struct stream *s = px_pool_own(&net->streams, tag);
    if (s == NULL) {
        return;
    }
    if (s->state == STREAM_CONNECTING) {
        px_msg_release(s->side->open);
        s->side->open = NULL;
    } else if (s->state == STREAM_HANDED) {
        send_closed(net, PX_PEER_ADDR(s->side->old_owner), s->side->old_upper, reason);
    }
    s->upper = 0;
    stream_end(net, s, reason);
}

/* ---- owners that die and come back ---- */

static bool can_be_parked(const struct net *net, const struct stream *s)
{
    return !net->stopping && s->peer != NULL && (s->flags & (IN_DONE | OUT_FIN)) == 0 &&
           (s->state == STREAM_OFFERED || (s->state == STREAM_OPEN && (s->flags & AT_REST) != 0));
}

/* One of the owners of a stream has ended. */
static void owner_gone(struct net *net, struct stream *s)
{
    if (s->state == STREAM_CLOSING) { /* it had said its last word: the peer still gets it */
        s->upper = 0;
        (void)px_pool_issue(&net->streams, s, 0);
    } else if (can_be_parked(net, s)) {
        stream_park(net, s);
    } else {
        s->upper = 0; /* nobody is left to hear of it */
        stream_end(net, s, PX_SERVICE_GONE);
    }
}

void net_gone(void *state, px_peer peer)
{
    struct net *net = state;
    struct stream *next = NULL;
    for (struct stream *s = px_pool_next(&net->streams, NULL); s != NULL; s = next) {
        next = px_pool_next(&net->streams, s);
        if (stream_of(net, peer, px_handle_of(&net->streams, s)) == s) {
            owner_gone(net, s);
        }
    }
    px_addr addr = PX_PEER_ADDR(peer);
    if (px_mailbox_peer(net->env, addr) != 0) {
        net_back(net, peer); /* its successor is there already */
        return;
    }
    for (struct listener *l = px_pool_next(&net->listeners, NULL); l != NULL;
         l = px_pool_next(&net->listeners, l)) {
        if (l->upper == addr) {
            listener_pause(net, l, PAUSE_UPPER_GONE);
        }
    }
}

void net_back(void *state, px_peer peer)
{
    struct net *net = state;
    px_addr addr = PX_PEER_ADDR(peer);
    struct stream *next = NULL;
    if (px_mailbox_peer(net->env, addr) == 0) {
        return; /* and gone once more */
    }
    for (struct stream *s = px_pool_next(&net->streams, NULL); s != NULL; s = next) {
        next = px_pool_next(&net->streams, s);
        if (s->state == STREAM_PARKED && s->owner == addr) {
            stream_unpark(net, s);
        }
    }
    for (struct listener *l = px_pool_next(&net->listeners, NULL); l != NULL;
         l = px_pool_next(&net->listeners, l)) {
        if (l->upper == addr) {
            listener_unpause(net, l, PAUSE_UPPER_GONE);
        }
    }
}
