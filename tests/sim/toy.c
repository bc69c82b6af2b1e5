/* toy.c - each connection: CLAIMED until it was reset or closed by us, then ENDING until Closed. */
#include "toy.h"

#include <px/assert.h>
#include <px/fsm.h>
#include <string.h>

#include "stream.pb-c.h"
#include "stream_contract.h"

/* KEPT bytes of a connection are settled as they arrive: at least one whole frame. */
enum { CONNS_MAX = 64, WINDOW = 16384, FRAME_MAX = 4096, KEPT = 8192 };

enum conn_state { FREE, CLAIMED, ENDING, N_STATES };

static const struct px_state conn_table[N_STATES] = {
    [FREE] = {"free", PX_TO(CLAIMED)},
    [CLAIMED] = {"claimed", PX_TO(ENDING) | PX_TO(FREE)},
    [ENDING] = {"ending", PX_TO(FREE)},
};

struct toy {
    struct px_env *env;
    struct px_pool conns;
};

struct conn {
    struct toy *toy;
    uint32_t state;
    px_addr provider;
    px_peer provider_peer;
    px_handle lower;
    uint64_t credit;
    struct px_credit_in in_credit;
    uint64_t unsettled;
    struct px_chain in, out;
    struct px_want want;
    bool fin_in, fin_out;
};

static void conn_free(struct conn *c)
{
    px_want_cancel(c->toy->env, &c->want);
    px_chain_clear(&c->in);
    px_chain_clear(&c->out);
    px_fsm_move(conn_table, &c->state, FREE);
    px_pool_put(&c->toy->conns, c);
}

static void conn_reset(struct conn *c, enum px_status reason)
{
    if (c->state != CLAIMED) {
        return;
    }
    px_fsm_move(conn_table, &c->state, ENDING);
    Stream__ResetStream *m = px_msg_new(c->toy->env, &stream__reset_stream__descriptor);
    m->reason = reason;
    (void)px_send(c->toy->env, c->provider, LOWER_RESET, m, c->lower);
}

/* Moves whole frames from `in` to `out`. */
static bool frames_echo(struct conn *c)
{
    uint8_t head[2];
    while (px_chain_peek(&c->in, head, sizeof head) == sizeof head) {
        uint32_t len = (uint32_t)head[0] << 8 | head[1];
        uint64_t whole = sizeof head + (uint64_t)len;
        if (len < 1 || len > FRAME_MAX) {
            return false;
        }
        if (c->in.len < whole) {
            break;
        }
        while (whole > 0) {
            struct px_slice *s = px_chain_first(&c->in);
            uint32_t part = s->len < whole ? s->len : (uint32_t)whole;
            uint64_t off = (uint64_t)(s->ptr - px_buf_data(s->buf));
            if (!px_chain_append(c->toy->env, &c->out, s->buf, off, part, s->flags)) {
                return false;
            }
            px_chain_consume(&c->in, part);
            whole -= part;
        }
    }
    return true;
}

/* What we keep beyond KEPT bytes stays unsettled until it has been echoed. */
static void conn_settle(struct conn *c)
{
    uint64_t held = c->in.len + c->out.len;
    uint64_t stays = held > KEPT ? held - KEPT : 0;
    if (c->unsettled > stays) {
        px_credit_settle(&c->in_credit, c->unsettled - stays);
        c->unsettled = stays;
    }
    uint32_t due = c->fin_in ? 0 : px_credit_due(&c->in_credit);
    if (due > 0) {
        Stream__CreditBytes *m = px_msg_new(c->toy->env, &stream__credit_bytes__descriptor);
        m->bytes = due;
        (void)px_send(c->toy->env, c->provider, LOWER_CREDIT, m, c->lower);
    }
}

static void conn_work(struct conn *c)
{
    if (c->state != CLAIMED) {
        return;
    }
    if (!frames_echo(c) || (c->fin_in && c->in.len > 0)) {
        conn_reset(c, PX_PROTOCOL);
        return;
    }
    conn_settle(c);
    px_want_flush(c->toy->env, &c->want);
}

static struct conn *conn_new(struct toy *toy, const struct px_msg *msg, px_addr provider,
                             px_handle lower, uint32_t credit)
{
    struct conn *c = px_pool_get(&toy->conns);
    if (c == NULL) {
        return NULL;
    }
    (void)msg;
    c->toy = toy;
    c->provider = provider;
    c->provider_peer = px_mailbox_peer(toy->env, provider);
    c->lower = lower;
    c->credit = credit;
    px_fsm_move(conn_table, &c->state, CLAIMED);
    Stream__ClaimStream *m = px_msg_new(toy->env, &stream__claim_stream__descriptor);
    m->upper = px_pool_issue(&toy->conns, c, c->provider_peer);
    m->credit = px_credit_open(&c->in_credit, WINDOW);
    if (!px_send(toy->env, provider, LOWER_CLAIM, m, lower)) {
        conn_free(c);
        return NULL;
    }
    return c;
}

static void on_accepted(void *state, const struct px_msg *msg)
{
    const Stream__AcceptedStream *req = msg->body;
    (void)conn_new(state, msg, PX_PEER_ADDR(msg->from), req->lower, req->credit);
}

static void on_adopt(void *state, const struct px_msg *msg)
{
    struct toy *toy = state;
    const Stream__AdoptStream *req = msg->body;
    char name[32] = {0};
    if (req->provider.len == 0 || req->provider.len >= sizeof name) {
        return;
    }
    memcpy(name, req->provider.data, req->provider.len);
    px_addr provider = px_mailbox(toy->env, name);
    struct conn *c = provider == 0 ? NULL : conn_new(toy, msg, provider, req->lower, req->credit);
    if (c == NULL) {
        return;
    }
    px_count(toy->env, TOY_ADOPTED, 1);
    bool answered = req->head.len == 0 ||
                    px_chain_copy_in(toy->env, &c->out, TOY_ANSWER, sizeof TOY_ANSWER - 1);
    if (!answered || !px_msg_take_payload(msg, &c->in)) {
        conn_reset(c, PX_NO_MEMORY);
        return;
    }
    conn_work(c);
}

static void on_data(void *state, const struct px_msg *msg)
{
    struct toy *toy = state;
    struct conn *c = px_pool_at(&toy->conns, msg);
    const Stream__DataBytes *req = msg->body;
    if (c == NULL) {
        return;
    }
    bool within = px_credit_received(&c->in_credit, px_msg_payload_len(msg));
    PX_ASSERT(within && !c->fin_in);
    c->unsettled += px_msg_payload_len(msg);
    c->fin_in = req->fin;
    if (c->state != CLAIMED) {
        return;
    }
    if (!px_msg_take_payload(msg, &c->in)) {
        conn_reset(c, PX_NO_MEMORY);
        return;
    }
    conn_work(c);
}

static void on_credit(void *state, const struct px_msg *msg)
{
    struct toy *toy = state;
    struct conn *c = px_pool_at(&toy->conns, msg);
    if (c != NULL) {
        c->credit += ((const Stream__CreditBytes *)msg->body)->bytes;
        conn_work(c);
    }
}

static void on_closed(void *state, const struct px_msg *msg)
{
    struct toy *toy = state;
    struct conn *c = px_pool_at(&toy->conns, msg);
    const Stream__ClosedStream *req = msg->body;
    px_count(toy->env, c == NULL ? TOY_STRAY_CLOSED : TOY_CLOSED, 1);
    if (c != NULL) {
        px_count(toy->env, TOY_ENDED_WELL, req->reason == PX_OK);
        conn_free(c);
    }
}

static void toy_flush(void *state, struct px_want *want)
{
    struct conn *c = px_container_of(want, struct conn, want);
    (void)state;
    while (c->state == CLAIMED && c->out.len > 0 && px_credit_room(c->credit) > 0) {
        Stream__DataBytes *m = px_msg_new(c->toy->env, &stream__data_bytes__descriptor);
        uint64_t room = px_credit_room(c->credit);
        uint64_t len = px_msg_attach_chain(m, &c->out, room);
        c->credit -= px_charge(len);
        if (len == 0 || !px_send(c->toy->env, c->provider, LOWER_DATA, m, c->lower)) {
            return; /* net was told that it lost something, and ends the stream */
        }
        conn_settle(c);
    }
    if (c->state == CLAIMED && c->fin_in && c->in.len == 0 && c->out.len == 0) {
        px_fsm_move(conn_table, &c->state, ENDING);
        (void)px_send(c->toy->env, c->provider, LOWER_CLOSE,
                      px_msg_new(c->toy->env, &stream__close_stream__descriptor), c->lower);
    }
}

static void toy_lost(void *state, px_peer from, px_handle tag)
{
    struct toy *toy = state;
    struct conn *c = px_pool_own(&toy->conns, tag);
    if (c != NULL && px_pool_owner(&toy->conns, c) == from) {
        conn_reset(c, PX_NO_MEMORY);
        conn_free(c); /* perhaps it was the Closed that was lost: none may come any more */
    }
}

static void toy_gone(void *state, px_peer peer)
{
    struct toy *toy = state;
    for (struct conn *c = NULL, *next = px_pool_next(&toy->conns, NULL); (c = next) != NULL;) {
        next = px_pool_next(&toy->conns, c);
        if (c->provider_peer == peer) {
            conn_free(c);
        }
    }
}

static enum px_err toy_init(void *state, struct px_env *env)
{
    struct toy *toy = state;
    toy->env = env;
    return px_pool_init(&toy->conns, env, sizeof(struct conn), CONNS_MAX, 0);
}

static const struct px_handler toy_handlers[] = {
    {UPPER_ACCEPTED, on_accepted}, {UPPER_ADOPT, on_adopt},   {UPPER_DATA, on_data},
    {UPPER_CREDIT, on_credit},     {UPPER_CLOSED, on_closed},
};

static const char *const toy_counters[TOY_COUNTS] = {"adopted", "closed", "stray_closed",
                                                     "ended_well"};

const struct px_service toy_service = {
    .name = "toy",
    .state_size = sizeof(struct toy),
    .handlers = toy_handlers,
    .n_handlers = sizeof toy_handlers / sizeof toy_handlers[0],
    .counters = toy_counters,
    .n_counters = TOY_COUNTS,
    .init = toy_init,
    .lost = toy_lost,
    .gone = toy_gone,
    .flush = toy_flush,
};
