/* h1.c - the mailbox: connections come, rest, end; the parts do the work in between. Each
 * connection:
 *
 *     FREE --Accepted, Adopt--> OPEN --last answer sent, idle too long--> CLOSING --Closed--> FREE
 *     OPEN --too slow, broken, no memory: Reset--> CLOSING
 *     OPEN --Upgrade in its turn: Rebind--> HANDING --Rebound: Adopt to the new owner--> FREE
 *     HANDING --Rebind refused--> OPEN (answered 503), or Reset --> CLOSING
 *     OPEN, HANDING --Closed, provider gone--> FREE
 *
 * Input and answers have machines of their own: h1_input.c, h1_exchange.c.
 */
#include "h1.h"

#include "h1_conn.h"

const struct px_state h1_conn_table[H1_CONN_STATES] = {
    [H1_CONN_FREE] = {"free", PX_TO(H1_CONN_OPEN)},
    [H1_CONN_OPEN] = {"open",
                      PX_TO(H1_CONN_HANDING) | PX_TO(H1_CONN_CLOSING) | PX_TO(H1_CONN_FREE)},
    [H1_CONN_HANDING] = {"handing",
                         PX_TO(H1_CONN_OPEN) | PX_TO(H1_CONN_CLOSING) | PX_TO(H1_CONN_FREE)},
    [H1_CONN_CLOSING] = {"closing", PX_TO(H1_CONN_FREE)},
};

/* ---- deadlines ---- */

static void on_timer(struct px_sul *sul);

void h1_conn_arm(struct h1_conn *c)
{
    uint64_t due = c->deadline_us;
    if (c->work != NULL && c->work->write_due_us != 0 && c->work->write_due_us < due) {
        due = c->work->write_due_us;
    }
    if (due == PX_NEVER || (px_sul_pending(&c->timer) && c->timer.at_us <= due)) {
        return; /* it will look again when it fires */
    }
    uint64_t now = px_now_us(c->h1->env);
    px_sul_schedule(c->h1->env, &c->timer, on_timer, due > now ? due - now : 0);
}

void h1_conn_deadline(struct h1_conn *c, uint64_t in_us)
{
    c->deadline_us = in_us == PX_NEVER ? PX_NEVER : px_now_us(c->h1->env) + in_us;
    h1_conn_arm(c);
}

static void on_timer(struct px_sul *sul)
{
    struct h1_conn *c = px_container_of(sul, struct h1_conn, timer);
    struct px_env *env = c->h1->env;
    uint64_t now = px_now_us(env);
    if (c->work != NULL && c->work->write_due_us != 0 && c->work->write_due_us <= now) {
        px_count(env, H1_COUNT_write_ms, 1);
        h1_conn_reset(c, PX_TIMED_OUT);
    } else if (c->deadline_us <= now) {
        c->deadline_us = PX_NEVER;
        if (c->work == NULL) {
            px_count(env, H1_COUNT_idle_ms, 1);
            h1_conn_close(c);
        } else {
            h1_input_timed_out(c);
        }
    }
    h1_conn_arm(c);
}

/* ---- work ---- */

struct h1_work *h1_work_of(struct h1_conn *c)
{
    if (c->work != NULL) {
        return c->work;
    }
    struct h1_work *w = px_pool_get(&c->h1->works);
    if (w == NULL) {
        px_count(c->h1->env, H1_COUNT_no_memory, 1);
        h1_conn_reset(c, PX_NO_MEMORY);
        return NULL;
    }
    w->conn = c;
    w->credit.window = c->h1->window;
    w->credit.outstanding = c->h1->window - c->owed;
    w->credit.owed = c->owed;
    c->work = w;
    return w;
}

static void work_put(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    if (w == NULL) {
        return;
    }
    c->work = NULL;
    px_want_cancel(c->h1->env, &w->want);
    if (w->acc != NULL) {
        h1_acc_drop(w);
    }
    if (w->in.len > 0) {
        px_chain_clear(&w->in);
    }
    h1_output_drop(w);
    px_pool_put(&c->h1->works, w);
}

void h1_conn_rest(struct h1_conn *c)
{
    const struct px_credit_in *credit = &c->work->credit;
    PX_ASSERT(credit->outstanding + credit->owed == c->h1->window); /* all was settled */
    c->owed = credit->owed;
    work_put(c);
    h1_conn_deadline(c, c->h1->idle_us);
}

void h1_conn_want(struct h1_conn *c)
{
    if (c->work != NULL) {
        px_want_flush(c->h1->env, &c->work->want);
    }
}

/* ---- places ---- */

static bool place_is(const struct h1_place *p, const struct h1_place *like)
{
    return p->listener == like->listener && p->provider == like->provider &&
           p->file_ranges == like->file_ranges && p->local_len == like->local_len &&
           memcmp(p->local, like->local, like->local_len) == 0;
}

/* Index of the place that is like this one, made if need be; H1_PLACES_MAX: all are in use. */
static uint32_t place_find(struct h1 *h1, const struct h1_place *like)
{
    uint32_t unused = h1->n_places;
    for (uint32_t i = 0; i < h1->n_places; i++) {
        if (place_is(&h1->places[i], like)) {
            return i;
        }
        if (h1->places[i].used == 0) {
            unused = i;
        }
    }
    if (unused < H1_PLACES_MAX) {
        h1->places[unused] = *like;
        h1->n_places += unused == h1->n_places;
    }
    return unused;
}

/* ---- how connections come ---- */

/* What Accepted and Adopt say alike. */
struct arrival {
    px_handle lower;
    px_addr provider;
    uint32_t credit;
    uint32_t listener;
    bool file_ranges;
    ProtobufCBinaryData remote, local;
};

static void arrival_refuse(struct h1 *h1, const struct arrival *a, enum px_status reason)
{
    Stream__ResetStream *m = px_msg_new(h1->env, &stream__reset_stream__descriptor);
    m->reason = (uint32_t)reason;
    (void)px_send(h1->env, a->provider, LOWER_RESET, m, a->lower); /* unclaimed, it ends anyway */
}

/* A connection for an arrival; NULL: refused. */
static struct h1_conn *conn_new(struct h1 *h1, const struct arrival *a)
{
    struct h1_place like = {
        .listener = a->listener, .provider = a->provider, .file_ranges = a->file_ranges};
    if (a->local.len <= H1_ADDRESS_MAX && a->local.len > 0) {
        like.local_len = (uint8_t)a->local.len;
        memcpy(like.local, a->local.data, a->local.len);
    }
    like.secure = strcmp(px_mailbox_name(h1->env, a->provider), "tls") == 0;
    uint32_t place = place_find(h1, &like);
    struct h1_conn *c = place == H1_PLACES_MAX ? NULL : px_pool_get(&h1->conns);
    if (c == NULL) {
        px_count(h1->env, H1_COUNT_connections_max, 1);
        arrival_refuse(h1, a, PX_LIMIT);
        return NULL;
    }
    h1->n_conns++;
    px_count(h1->env, H1_COUNT_connections, 1);
    c->h1 = h1;
    c->lower = a->lower;
    c->send_credit = a->credit;
    c->place = place & 255u;
    h1->places[place].used++;
    if (a->credit > h1->places[place].send_window) {
        h1->places[place].send_window = a->credit;
    }
    if (a->remote.len <= H1_ADDRESS_MAX && a->remote.len > 0) {
        c->remote_len = (unsigned)a->remote.len & 31u;
        memcpy(c->remote, a->remote.data, a->remote.len);
    }
    h1_conn_move(c, H1_CONN_OPEN);
    return c;
}

/* Claims the stream with the window less what `len` bytes that came along cost. False: dropped. */
static bool conn_claim(struct h1_conn *c, px_peer provider, uint64_t len)
{
    struct h1 *h1 = c->h1;
    uint64_t cost = len == 0 ? 0 : px_charge(len);
    Stream__ClaimStream *m = px_msg_new(h1->env, &stream__claim_stream__descriptor);
    m->upper = px_pool_issue(&h1->conns, c, provider);
    m->credit = cost + PX_CHARGE_MIN > h1->window ? 0 : h1->window - (uint32_t)cost;
    c->owed = cost > h1->window ? 0 : h1->window - m->credit - (uint32_t)cost;
    if (!px_send(h1->env, PX_PEER_ADDR(provider), LOWER_CLAIM, m, c->lower)) {
        h1_conn_drop(c, PX_NO_MEMORY);
        return false;
    }
    h1_conn_deadline(c, h1->idle_us);
    return true;
}

static void on_accepted(void *state, const struct px_msg *msg)
{
    struct h1 *h1 = state;
    const Stream__AcceptedStream *m = msg->body;
    struct arrival a = {.lower = m->lower,
                        .provider = PX_PEER_ADDR(msg->from),
                        .credit = m->credit,
                        .listener = m->listener,
                        .file_ranges = m->file_ranges,
                        .remote = m->remote,
                        .local = m->local};
    struct h1_conn *c = conn_new(h1, &a);
    if (c != NULL && m->adopted) {
        px_count(h1->env, H1_COUNT_adopted, 1);
    }
    if (c != NULL) {
        (void)conn_claim(c, msg->from, 0);
    }
}

/* Takes what came along with a stream. It may be more than our window: then that much less is
 * granted when it is settled. */
static void leftover_take(struct h1_conn *c, const struct px_msg *msg, uint64_t len)
{
    struct h1_work *w = h1_work_of(c);
    uint64_t cost = px_charge(len);
    if (w != NULL && cost > w->credit.window) {
        w->excess = (uint32_t)cost - w->credit.window;
        w->credit.outstanding = (uint32_t)cost;
    }
    if (w != NULL) {
        h1_input_take(c, msg);
    }
}

/* Another owner hands us a stream (ALPN), with what it had received of it. */
static void on_adopt(void *state, const struct px_msg *msg)
{
    struct h1 *h1 = state;
    const Stream__AdoptStream *m = msg->body;
    char name[H1_TOKEN_MAX + 1] = "";
    if (m->provider.len <= H1_TOKEN_MAX) {
        memcpy(name, m->provider.data, m->provider.len);
    }
    struct arrival a = {.lower = m->lower,
                        .provider = px_mailbox(h1->env, name),
                        .credit = m->credit,
                        .listener = m->listener,
                        .file_ranges = m->file_ranges,
                        .remote = m->remote,
                        .local = m->local};
    px_peer provider = px_mailbox_peer(h1->env, a.provider);
    uint64_t len = px_msg_payload_len(msg);
    if (provider == 0 || len > PX_BUF_HUGE) {
        return; /* unclaimed, the stream ends by itself */
    }
    struct h1_conn *c = conn_new(h1, &a);
    if (c != NULL && conn_claim(c, provider, len) && len > 0) {
        leftover_take(c, msg, len);
    }
}

/* ---- how they go ---- */

void h1_conn_close(struct h1_conn *c)
{
    h1_exch_end_all(c, PX_CANCELLED);
    work_put(c);
    c->deadline_us = PX_NEVER;
    px_sul_cancel(c->h1->env, &c->timer);
    h1_conn_move(c, H1_CONN_CLOSING);
    void *m = px_msg_new(c->h1->env, &stream__close_stream__descriptor);
    (void)px_send(c->h1->env, h1_conn_provider(c), LOWER_CLOSE, m, c->lower); /* lost: reset */
}

void h1_conn_reset(struct h1_conn *c, enum px_status reason)
{
    if (c->state == H1_CONN_CLOSING) {
        return;
    }
    if (c->state == H1_CONN_HANDING) {
        c->work->handover->broken = true; /* who owns the stream is being decided */
        return;
    }
    h1_exch_end_all(c, reason);
    work_put(c);
    c->deadline_us = PX_NEVER;
    px_sul_cancel(c->h1->env, &c->timer);
    h1_conn_move(c, H1_CONN_CLOSING);
    Stream__ResetStream *m = px_msg_new(c->h1->env, &stream__reset_stream__descriptor);
    m->reason = (uint32_t)reason;
    (void)px_send(c->h1->env, h1_conn_provider(c), LOWER_RESET, m, c->lower); /* lost: reset */
}

void h1_conn_drop(struct h1_conn *c, enum px_status reason)
{
    struct h1 *h1 = c->h1;
    h1_upgrade_cancel(c);
    h1_exch_end_all(c, reason);
    work_put(c);
    px_sul_cancel(h1->env, &c->timer);
    h1_conn_move(c, H1_CONN_FREE);
    h1_conn_place(c)->used--;
    px_pool_put(&h1->conns, c);
    h1->n_conns--;
    if (h1->stopping && h1->n_conns == 0) {
        px_env_drained(h1->env);
    }
}

static void on_closed(void *state, const struct px_msg *msg)
{
    struct h1 *h1 = state;
    const Stream__ClosedStream *m = msg->body;
    struct h1_conn *c = px_pool_at(&h1->conns, msg);
    if (c != NULL) {
        h1_conn_drop(c, m->reason == PX_OK ? PX_RESET : (enum px_status)m->reason);
    }
}

/* ---- bytes and credit ---- */

static void on_data(void *state, const struct px_msg *msg)
{
    struct h1 *h1 = state;
    const Stream__DataBytes *m = msg->body;
    struct h1_conn *c = px_pool_at(&h1->conns, msg);
    if (c == NULL || c->state == H1_CONN_CLOSING) {
        return;
    }
    c->consumed += px_msg_payload_len(msg);
    h1_input_take(c, msg);
    if (m->fin && c->state != H1_CONN_CLOSING && h1_work_of(c) != NULL) {
        h1_input_eof(c);
    }
}

static void on_stream_credit(void *state, const struct px_msg *msg)
{
    struct h1 *h1 = state;
    const Stream__CreditBytes *m = msg->body;
    struct h1_conn *c = px_pool_at(&h1->conns, msg);
    if (c == NULL) {
        return;
    }
    uint32_t room = UINT32_MAX / 2 - c->send_credit;
    c->send_credit += m->bytes < room ? m->bytes : room;
    if (c->work != NULL && c->work->write_due_us != 0) {
        c->work->write_due_us = px_now_us(h1->env) + h1->write_us; /* it took something */
    }
    h1_conn_want(c);
}

static void h1_flush(void *state, struct px_want *want)
{
    (void)state;
    struct h1_work *w = px_container_of(want, struct h1_work, want);
    struct h1_conn *c = w->conn;
    if (w->in.len > 0 && c->state == H1_CONN_OPEN) {
        h1_input_pump(c);
    }
    if (c->work != NULL && c->state == H1_CONN_OPEN) {
        h1_output_flush(c);
    }
}

/* ---- the others ---- */

px_peer h1_app_peer(struct h1 *h1)
{
    if (h1->app_peer == 0 && h1->app != 0) {
        h1->app_peer = px_mailbox_peer(h1->env, h1->app);
    }
    return h1->app_peer;
}

void h1_warn(struct h1 *h1, const char *tag, const char *why)
{
    uint64_t second = px_now_us(h1->env) / 1000000 + 1;
    if (h1->warned_s != second) {
        h1->warned_s = second;
        PX_LOG(h1->env, PX_LOG_WARN, tag, PX_KV_STR("why", why));
    }
}

static void h1_gone(void *state, px_peer peer)
{
    struct h1 *h1 = state;
    if (peer == h1->app_peer) {
        h1->app_peer = 0;
    }
    h1_exch_app_gone(h1, peer);
    struct h1_conn *c = px_pool_next(&h1->conns, NULL);
    while (c != NULL) {
        struct h1_conn *next = px_pool_next(&h1->conns, c);
        if (px_pool_owner(&h1->conns, c) == peer) {
            h1_conn_drop(c, PX_SERVICE_GONE);
        }
        c = next;
    }
}

static void h1_lost(void *state, px_peer from, px_handle tag)
{
    struct h1 *h1 = state;
    struct h1_conn *c = px_pool_own(&h1->conns, tag);
    if (c != NULL && px_pool_owner(&h1->conns, c) == from) {
        px_count(h1->env, H1_COUNT_no_memory, 1);
        bool handing = c->state == H1_CONN_HANDING; /* Rebound or Closed is still to come */
        h1_conn_reset(c, PX_NO_MEMORY);
        if (!handing) {
            h1_conn_drop(c, PX_NO_MEMORY); /* what was lost may have been Closed */
        }
        return;
    }
    h1_exch_lost(h1, from, tag);
}

static void h1_reply(void *state, const struct px_msg *msg)
{
    h1_upgrade_reply(state, msg); /* our only calls */
}

/* A request may be on its way already: who waits for one gets the grace. */
static void conn_stop(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    if (c->state != H1_CONN_OPEN) {
        return;
    }
    if (w == NULL || (w->input == H1_IN_HEAD && w->n_exchs == 0)) {
        uint64_t grace_us = px_now_us(c->h1->env) + H1_STOP_GRACE_US;
        c->deadline_us = c->deadline_us < grace_us ? c->deadline_us : grace_us;
        h1_conn_arm(c);
        return;
    }
    w->final = true;
    if (w->reading == NULL) {
        h1_input_end(c);
    }
    h1_conn_want(c);
}

static void h1_stop(void *state)
{
    struct h1 *h1 = state;
    h1->stopping = true;
    h1->requests_max = 1; /* each further one is the last of its connection */
    h1->idle_us = h1->idle_us < H1_STOP_GRACE_US ? h1->idle_us : H1_STOP_GRACE_US;
    h1->head_us = h1->head_us < H1_STOP_GRACE_US ? h1->head_us : H1_STOP_GRACE_US;
    struct h1_conn *c = NULL;
    while ((c = px_pool_next(&h1->conns, c)) != NULL) {
        conn_stop(c);
    }
    if (h1->n_conns == 0) {
        px_env_drained(h1->env);
    }
}

/* ---- configuration ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static bool limits_set(struct h1 *h1, const H1__Config *config)
{
    struct h1_limits *l = &h1->limits;
    *l = h1_limits_default(h1_scan_pick());
    l->request_line_max = or_default(config->request_line_max, l->request_line_max);
    l->header_line_max = or_default(config->header_line_max, l->header_line_max);
    l->headers_len_max = or_default(config->headers_len_max, l->headers_len_max);
    l->headers_max = or_default(config->headers_max, l->headers_max);
    return l->request_line_max <= H1_LINES_MAX && l->header_line_max <= H1_HEADERS_LEN_LIMIT &&
           l->headers_len_max <= H1_HEADERS_LEN_LIMIT && l->headers_max <= H1_HEADERS_LIMIT;
}

static bool numbers_set(struct h1 *h1, const H1__Config *config)
{
    h1->requests_max = or_default(config->requests_max, H1_REQUESTS_MAX);
    h1->pipeline_max = or_default(config->pipeline_max, H1_PIPELINE_MAX);
    h1->window = or_default(config->window, H1_WINDOW);
    h1->drain_bytes = or_default(config->drain_bytes, H1_DRAIN_BYTES);
    h1->body_rate_min = or_default(config->body_rate_min, H1_BODY_RATE_MIN);
    h1->head_us = PX_MS(or_default(config->head_ms, H1_HEAD_MS));
    h1->idle_us = PX_MS(or_default(config->idle_ms, H1_IDLE_MS));
    h1->write_us = PX_MS(or_default(config->write_ms, H1_WRITE_MS));
    h1->drain_us = PX_MS(or_default(config->drain_ms, H1_DRAIN_MS));
    h1->body_max = config->body_max == 0 ? UINT64_MAX : config->body_max;
    h1->server = px_span_of(config->server.data, config->server.len);
    return h1->pipeline_max <= H1_PIPELINE_LIMIT && h1->window >= H1_WINDOW_MIN &&
           h1->window <= 1u << 30 && h1->server.len <= H1_SERVER_MAX &&
           h1->limits.scan->value(h1->server.ptr, h1->server.len) == h1->server.len;
}

/* The mailbox a configured name means, NULL being short for `otherwise`. 0: none. */
static px_addr mailbox_of(struct h1 *h1, ProtobufCBinaryData name, const char *otherwise)
{
    char text[H1_TOKEN_MAX + 1] = "";
    if (name.len == 0) {
        return px_mailbox(h1->env, otherwise);
    }
    if (name.len <= H1_TOKEN_MAX) {
        memcpy(text, name.data, name.len);
    }
    return px_mailbox(h1->env, text);
}

static bool upgrades_set(struct h1 *h1, const H1__Config *config)
{
    if (config->n_upgrades > H1_UPGRADES_MAX) {
        return false;
    }
    for (size_t i = 0; i < config->n_upgrades; i++) {
        const H1__Upgrade *from = config->upgrades[i];
        struct h1_upgrade *u = &h1->upgrades[i];
        u->mailbox = mailbox_of(h1, from->mailbox, "");
        if (from->token.len == 0 || from->token.len > H1_TOKEN_MAX || u->mailbox == 0) {
            return false;
        }
        memcpy(u->token, from->token.data, from->token.len);
        u->name = px_span_of(from->mailbox.data, from->mailbox.len);
    }
    h1->n_upgrades = (uint32_t)config->n_upgrades;
    return true;
}

static enum px_err h1_init(void *state, struct px_env *env)
{
    static const H1__Config defaults = H1__CONFIG__INIT;
    struct h1 *h1 = state;
    const H1__Config *config = px_env_config(env);
    config = config == NULL ? &defaults : config;
    h1->env = env;
    h1->config = config;
    if (!limits_set(h1, config) || !numbers_set(h1, config) || !upgrades_set(h1, config)) {
        PX_LOG(env, PX_LOG_ERROR, "config",
               PX_KV_STR("why", "a value of h1.Config is out of range"));
        return PX_EINVAL;
    }
    h1->app = mailbox_of(h1, config->application, "app");
    uint32_t conns = or_default(config->connections_max, H1_CONNECTIONS_MAX);
    uint32_t most = (1u << 24) - 1;
    conns = conns < most ? conns : most;
    uint32_t exchs = conns < most / (h1->pipeline_max + 1) ? conns * (h1->pipeline_max + 1) : most;
    PX_TRY(px_pool_init(&h1->conns, env, sizeof(struct h1_conn), conns, 0));
    PX_TRY(px_pool_init(&h1->works, env, sizeof(struct h1_work), conns, 0));
    PX_TRY(px_pool_init(&h1->exchs, env, sizeof(struct h1_exch), exchs, 0));
    return px_pool_init(&h1->handovers, env, sizeof(struct h1_handover), H1_HANDOVERS_MAX, 1);
}

static const struct px_handler handlers[] = {
    {UPPER_ACCEPTED, on_accepted},
    {UPPER_ADOPT, on_adopt},
    {UPPER_DATA, on_data},
    {UPPER_CREDIT, on_stream_credit},
    {UPPER_CLOSED, on_closed},
    {REQUESTER_INFORM, h1_on_inform},
    {REQUESTER_RESPOND, h1_on_respond},
    {REQUESTER_DATA, h1_on_app_data},
    {REQUESTER_TRAILERS, h1_on_app_trailers},
    {REQUESTER_CREDIT, h1_on_app_credit},
    {REQUESTER_CANCEL, h1_on_app_cancel},
};

static const char *const counters[] = {
#define X(name, text) #name,
    H1_COUNTER_LIST(X)
#undef X
};

const struct px_service px_h1_service = {
    .name = "h1",
    .state_size = sizeof(struct h1),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof handlers[0],
    .counters = counters,
    .n_counters = H1_COUNTERS,
    .config = &h1__config__descriptor,
    .init = h1_init,
    .reply = h1_reply,
    .lost = h1_lost,
    .gone = h1_gone,
    .flush = h1_flush,
    .stop = h1_stop,
};
