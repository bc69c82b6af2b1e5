/* giver.c - each connection: READING its line, LETTING_GO while Rebind is out, ENDING until Closed.
 */
#include <px/assert.h>
#include <px/fsm.h>
#include <string.h>

#include "stream.pb-c.h"
#include "stream_contract.h"
#include "toy.h"

enum { CONNS_MAX = 64, WINDOW = 65536, LINE_LEN_MAX = 64 };

enum conn_state { FREE, READING, LETTING_GO, ENDING, N_STATES };

static const struct px_state conn_table[N_STATES] = {
    [FREE] = {"free", PX_TO(READING)},
    [READING] = {"reading", PX_TO(LETTING_GO) | PX_TO(ENDING) | PX_TO(FREE)},
    [LETTING_GO] = {"letting go", PX_TO(ENDING) | PX_TO(FREE)},
    [ENDING] = {"ending", PX_TO(FREE)},
};

struct giver {
    struct px_env *env;
    px_addr toy;
    struct px_pool conns;
};

struct conn {
    struct giver *giver;
    uint32_t state;
    px_addr provider;
    px_peer provider_peer;
    px_handle lower;
    struct px_credit_in in_credit;
    struct px_chain in;
};

static void conn_free(struct conn *c)
{
    px_chain_clear(&c->in);
    px_fsm_move(conn_table, &c->state, FREE);
    px_pool_put(&c->giver->conns, c);
}

static void reset_send(struct conn *c)
{
    (void)px_send(c->giver->env, c->provider, LOWER_RESET,
                  px_msg_new(c->giver->env, &stream__reset_stream__descriptor), c->lower);
}

static void conn_reset(struct conn *c)
{
    if (c->state != ENDING) {
        px_fsm_move(conn_table, &c->state, ENDING);
        reset_send(c);
    }
}

static void on_accepted(void *state, const struct px_msg *msg)
{
    struct giver *g = state;
    const Stream__AcceptedStream *req = msg->body;
    struct conn *c = px_pool_get(&g->conns);
    if (c == NULL) {
        return;
    }
    c->giver = g;
    c->provider = PX_PEER_ADDR(msg->from);
    c->provider_peer = msg->from;
    c->lower = req->lower;
    px_fsm_move(conn_table, &c->state, READING);
    Stream__ClaimStream *m = px_msg_new(g->env, &stream__claim_stream__descriptor);
    m->upper = px_pool_issue(&g->conns, c, msg->from);
    m->credit = px_credit_open(&c->in_credit, WINDOW);
    if (!px_send(g->env, c->provider, LOWER_CLAIM, m, c->lower)) {
        conn_free(c);
    }
}

static void rebind(struct conn *c)
{
    struct giver *g = c->giver;
    px_fsm_move(conn_table, &c->state, LETTING_GO);
    Stream__RebindStream *m = px_msg_new(g->env, &stream__rebind_stream__descriptor);
    m->lower = c->lower;
    px_msg_put(m, &m->mailbox, "toy", 3);
    (void)px_call(g->env, c->provider, LOWER_REBIND, m, PX_NEVER, px_handle_of(&g->conns, c));
}

static void line_read(struct conn *c)
{
    char line[LINE_LEN_MAX];
    size_t n = px_chain_peek(&c->in, line, sizeof line);
    const char *end = n == 0 ? NULL : memchr(line, '\n', n);
    if (end != NULL) {
        px_chain_consume(&c->in, (uint64_t)(end - line) + 1);
        rebind(c);
    } else if (n == sizeof line) {
        conn_reset(c);
    }
}

static void on_data(void *state, const struct px_msg *msg)
{
    struct giver *g = state;
    struct conn *c = px_pool_at(&g->conns, msg);
    const Stream__DataBytes *req = msg->body;
    if (c == NULL) {
        return;
    }
    bool within = px_credit_received(&c->in_credit, px_msg_payload_len(msg));
    PX_ASSERT(within);
    if (c->state == ENDING) {
        return;
    }
    if (!px_msg_take_payload(msg, &c->in) || (req->fin && c->state == READING)) {
        conn_reset(c);
    } else if (c->state == READING) {
        line_read(c);
    }
}

static void on_closed(void *state, const struct px_msg *msg)
{
    struct giver *g = state;
    struct conn *c = px_pool_at(&g->conns, msg);
    px_count(g->env, c == NULL ? TOY_STRAY_CLOSED : TOY_CLOSED, 1);
    if (c != NULL) {
        conn_free(c);
    }
}

static void on_credit(void *state, const struct px_msg *msg)
{
    (void)state; /* we never send */
    (void)msg;
}

/* A message holds PX_SLICES_MAX slices; more leftover pieces than that are copied into one. */
static bool leftover_gather(struct conn *c)
{
    struct px_env *env = c->giver->env;
    size_t len = (size_t)c->in.len;
    struct px_buf *buf = len == 0 ? NULL : px_buf_new(env, len);
    if (buf == NULL) {
        return len == 0;
    }
    (void)px_chain_peek(&c->in, px_buf_data(buf), len);
    px_chain_clear(&c->in);
    bool kept = px_chain_append(env, &c->in, buf, 0, (uint32_t)len, 0);
    px_buf_put(buf);
    return kept;
}

static bool adopt_send(struct conn *c, uint32_t credit)
{
    struct giver *g = c->giver;
    if (!leftover_gather(c)) {
        return false;
    }
    Stream__AdoptStream *m = px_msg_new(g->env, &stream__adopt_stream__descriptor);
    const char *provider = px_mailbox_name(g->env, c->provider);
    m->lower = c->lower;
    m->credit = credit;
    px_msg_put(m, &m->provider, provider, strlen(provider));
    px_msg_put(m, &m->protocol, "toy", 3);
    (void)px_msg_attach_chain(m, &c->in, c->in.len);
    return px_send(g->env, g->toy, UPPER_ADOPT, m, 0);
}

static void giver_reply(void *state, const struct px_msg *msg)
{
    struct giver *g = state;
    struct conn *c = px_pool_own(&g->conns, msg->tag);
    if (c == NULL) {
        return; /* closed meanwhile */
    }
    if (msg->status != PX_OK) {
        conn_reset(c); /* still ours: Closed will come */
        return;
    }
    /* This counts as our Closed, also when we have asked for a Reset behind the Rebind. */
    if (c->state == LETTING_GO && !adopt_send(c, ((const Stream__Rebound *)msg->body)->credit)) {
        reset_send(c);
    }
    conn_free(c);
}

static void giver_lost(void *state, px_peer from, px_handle tag)
{
    struct giver *g = state;
    struct conn *c = px_pool_own(&g->conns, tag);
    if (c != NULL && px_pool_owner(&g->conns, c) == from) {
        conn_reset(c);
        conn_free(c); /* perhaps it was the Closed that was lost: none may come any more */
    }
}

static void giver_gone(void *state, px_peer peer)
{
    struct giver *g = state;
    for (struct conn *c = NULL, *next = px_pool_next(&g->conns, NULL); (c = next) != NULL;) {
        next = px_pool_next(&g->conns, c);
        if (c->provider_peer == peer) {
            conn_free(c);
        }
    }
}

static enum px_err giver_init(void *state, struct px_env *env)
{
    struct giver *g = state;
    g->env = env;
    g->toy = px_mailbox(env, "toy");
    return px_pool_init(&g->conns, env, sizeof(struct conn), CONNS_MAX, 1);
}

static const struct px_handler giver_handlers[] = {
    {UPPER_ACCEPTED, on_accepted},
    {UPPER_DATA, on_data},
    {UPPER_CREDIT, on_credit},
    {UPPER_CLOSED, on_closed},
};

static const char *const giver_counters[TOY_COUNTS] = {"adopted", "closed", "stray_closed",
                                                       "ended_well"};

const struct px_service giver_service = {
    .name = "giver",
    .state_size = sizeof(struct giver),
    .handlers = giver_handlers,
    .n_handlers = sizeof giver_handlers / sizeof giver_handlers[0],
    .counters = giver_counters,
    .n_counters = TOY_COUNTS,
    .init = giver_init,
    .reply = giver_reply,
    .lost = giver_lost,
    .gone = giver_gone,
};
