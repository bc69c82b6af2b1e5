/* simnet.c - the mailbox `net` on the virtual network: listening, accepting, opening, and the ends
 * of owners. Streams are in simnet_stream.c.
 */
#include "simnet.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- addresses as text and bytes ---- */

static bool address_is_unix(const char *text)
{
    return strncmp(text, "unix:", 5) == 0 && text[5] != '\0';
}

/* "1.2.3.4:80" to six bytes; unix names are none. -1: neither. */
static int address_bytes(const char *text, uint8_t *ret)
{
    unsigned b[4], port;
    int used = 0;
    if (address_is_unix(text)) {
        return 0;
    }
    if (sscanf(text, "%3u.%3u.%3u.%3u:%5u%n", &b[0], &b[1], &b[2], &b[3], &port, &used) != 5 ||
        text[used] != '\0' || (b[0] | b[1] | b[2] | b[3]) > 255 || port > 65535) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        ret[i] = (uint8_t)b[i];
    }
    ret[4] = (uint8_t)(port >> 8);
    ret[5] = (uint8_t)port;
    return ADDRESS_LEN;
}

static bool text_of(const ProtobufCBinaryData *bytes, char *ret)
{
    if (bytes->len == 0 || bytes->len > NAME_LEN_MAX ||
        memchr(bytes->data, 0, bytes->len) != NULL) {
        return false;
    }
    memcpy(ret, bytes->data, bytes->len);
    ret[bytes->len] = '\0';
    return true;
}

static void addresses_set(struct nstream *s, const char *remote, const char *local)
{
    int n = address_bytes(remote, s->remote);
    s->remote_len = n > 0 ? (uint8_t)n : 0;
    n = address_bytes(local, s->local);
    s->local_len = n > 0 ? (uint8_t)n : 0;
}

/* ---- listening ---- */

/* Gives an address with port 0 a port of its own. */
static void port_choose(struct simnet *net, char *address)
{
    char *colon = address_is_unix(address) ? NULL : strrchr(address, ':');
    if (colon != NULL && strcmp(colon, ":0") == 0 && colon - address < NAME_LEN_MAX - 6) {
        snprintf(colon, 7, ":%u", net->domain->sim->next_port++ & 0xffffu);
    }
}

static enum px_status listen_obstacle(struct simnet *net, const char *address, px_addr upper)
{
    uint8_t bytes[ADDRESS_LEN];
    if (address_bytes(address, bytes) < 0) {
        return PX_BAD_REQUEST;
    }
    if (upper == 0) {
        return PX_NOT_FOUND;
    }
    if (!px_may_send(net->env, PX_PEER_LOCAL(px_env_self(net->env)), PX_C_STREAM_UPPER, upper)) {
        return PX_DENIED;
    }
    return sim_listener_find(net->domain->sim, address) == NULL ? PX_OK : PX_IN_USE;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static void on_listen(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    const Net__ListenAt *req = msg->body;
    char address[NAME_LEN_MAX + 1], upper[NAME_LEN_MAX + 1];
    if (!text_of(&req->address, address) || !text_of(&req->upper, upper)) {
        px_reply_status(net->env, msg, PX_BAD_REQUEST);
        return;
    }
    port_choose(net, address);
    px_addr to = px_mailbox(net->env, upper);
    enum px_status obstacle = listen_obstacle(net, address, to);
    struct nlistener *l = obstacle == PX_OK ? px_pool_get(&net->listeners) : NULL;
    if (l == NULL) {
        px_reply_status(net->env, msg, obstacle == PX_OK ? PX_BUSY : obstacle);
        return;
    }
    l->upper = to;
    l->tag = req->tag;
    l->max = or_default(req->connections_max, CONNECTIONS_MAX);
    l->peer_max = or_default(req->connections_peer_max, CONNECTIONS_PEER_MAX);
    l->send_window = or_default(req->send_window, SEND_WINDOW);
    l->at = sim_listener_new(net->domain->sim, address);
    l->at->domain = net->domain;
    l->at->handle = px_pool_issue(&net->listeners, l, msg->from);
    Net__Listening *m = px_msg_new(net->env, &net__listening__descriptor);
    m->listener = l->at->handle;
    px_msg_put(m, &m->address, address, strlen(address));
    px_reply(net->env, msg, PX_OK, m);
}

static void on_unlisten(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    const Net__ListenerRef *req = msg->body;
    struct nlistener *l = px_pool_of(&net->listeners, msg, req->listener);
    if (l == NULL) {
        px_reply_status(net->env, msg, PX_STALE);
        return;
    }
    sim_listener_free(net->domain->sim, l->at);
    px_pool_put(&net->listeners, l);
    px_reply(net->env, msg, PX_OK, px_msg_new(net->env, &net__none__descriptor));
}

static void stats_add(Net__ListenerStats *m, const struct nlistener *l)
{
    m->open += l->open;
    m->accepted += l->accepted;
    m->refused += l->refused;
}

static void on_stats(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    const Net__ListenerRef *req = msg->body;
    struct nlistener *l = px_pool_of(&net->listeners, msg, req->listener);
    if (req->listener != 0 && l == NULL) {
        px_reply_status(net->env, msg, PX_STALE);
        return;
    }
    Net__ListenerStats *m = px_msg_new(net->env, &net__listener_stats__descriptor);
    if (l != NULL) {
        stats_add(m, l);
    }
    for (l = NULL; req->listener == 0 && (l = px_pool_next(&net->listeners, l)) != NULL;) {
        stats_add(m, l);
    }
    px_reply(net->env, msg, PX_OK, m);
}

void nlistener_closed_one(struct nstream *s)
{
    struct nlistener *l = px_pool_own(&s->net->listeners, s->listener);
    if (l != NULL) {
        l->open--;
    }
}

/* ---- accepting ---- */

static uint32_t connections_of_peer(struct simnet *net, const struct nstream *mine)
{
    uint32_t n = 0;
    for (struct nstream *s = NULL; (s = px_pool_next(&net->streams, s)) != NULL;) {
        n += s->listener == mine->listener && s->remote_len > 0 &&
             memcmp(s->remote, mine->remote, 4) == 0;
    }
    return n;
}

static bool within_limits(struct simnet *net, struct nlistener *l, const struct nstream *s)
{
    return l->open <= l->max && (s->remote_len == 0 || l->peer_max >= CONNECTIONS_PEER_MAX ||
                                 connections_of_peer(net, s) <= l->peer_max);
}

static void accept_one(struct simnet *net, struct sim_end *end)
{
    struct nlistener *l = px_pool_own(&net->listeners, end->listener->handle);
    PX_ASSERT(l != NULL);
    if (px_mailbox_peer(net->env, l->upper) == 0) {
        return; /* waits for the owner to come back, see simnet_back */
    }
    struct nstream *s = nstream_new(net, end, NS_OFFERED);
    end->listener = NULL;
    if (s == NULL) {
        l->refused++;
        sim_end_detach(end);
        return;
    }
    s->listener = px_handle_of(&net->listeners, l);
    s->listener_tag = l->tag;
    addresses_set(s, end->conn->from, end->conn->target);
    (void)px_credit_open(&s->send, l->send_window);
    l->open++;
    if (!within_limits(net, l, s)) {
        l->refused++;
        px_count(net->env, N_REFUSED, 1);
        nstream_end(s, PX_LIMIT);
        return;
    }
    l->accepted++;
    px_count(net->env, N_ACCEPTED, 1);
    nstream_offer(s, l->upper, false);
}

void simnet_poll(struct sim_domain *domain)
{
    for (uint32_t n = 64; n > 0 && domain->ready_first != NULL; n--) {
        struct sim_end *end = domain->ready_first;
        px_addr addr = px_kernel_mailbox(domain->kernel, "net");
        struct simnet *net = px_kernel_state(domain->kernel, addr);
        sim_drop_ready(domain, end);
        struct nstream *s = net == NULL ? NULL : px_pool_own(&net->streams, end->stream);
        if (s != NULL) {
            nstream_ready(s);
        } else if (net != NULL && end->listener != NULL) {
            accept_one(net, end);
        }
    }
}

/* ---- opening ---- */

static void on_open_timeout(struct px_sul *sul)
{
    nstream_end(px_container_of(sul, struct nstream, timer), PX_TIMED_OUT);
}

static void on_open(void *state, const struct px_msg *msg)
{
    struct simnet *net = state;
    const Stream__OpenStream *req = msg->body;
    struct sim_domain *d = net->domain;
    char target[NAME_LEN_MAX + 1], from[NAME_LEN_MAX + 1];
    uint8_t bytes[ADDRESS_LEN];
    if (!text_of(&req->target, target) || address_bytes(target, bytes) < 0 ||
        (req->credit != 0 && (req->credit < PX_CHARGE_MIN || req->credit > CREDIT_MAX))) {
        px_reply_status(net->env, msg, PX_BAD_REQUEST);
        return;
    }
    snprintf(from, sizeof from, "10.%u.0.1:%u", 200 + d->system->number % 50,
             d->sim->next_port++ & 0xffffu);
    struct sim_end *end = sim_connect(d->sim, from, target, d->system->number);
    struct nstream *s = nstream_new(net, end, NS_OPENING);
    if (s == NULL) {
        sim_end_detach(end);
        px_reply_status(net->env, msg, PX_BUSY);
        return;
    }
    addresses_set(s, target, from);
    s->open = px_msg_hold(msg);
    px_call_tag(net->env, msg, px_handle_of(&net->streams, s));
    px_sul_schedule(net->env, &s->timer, on_open_timeout, 2 * (uint64_t)VANISH_US);
}

/* An Open whose asker waits no more, or a call whose answer found no memory: then the stream ends,
 * and an old owner who was told that its Rebind failed gets its Closed. */
static void simnet_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct simnet *net = state;
    struct nstream *s = px_pool_own(&net->streams, tag);
    if (s == NULL) {
        return;
    }
    if (s->state == NS_LETGO) {
        s->owner = s->old_owner;
        s->upper = s->old_upper;
        (void)px_pool_issue(&net->streams, s, s->old_peer);
        px_fsm_move(simnet_table, &s->state, NS_OWNED);
        nstream_end(s, reason);
    } else if (s->state == NS_OPENING || s->state == NS_OWNED) {
        nstream_drop(s);
    }
}

/* ---- owners that end, and come back ---- */

static void simnet_lost(void *state, px_peer from, px_handle tag)
{
    struct simnet *net = state;
    struct nstream *s = px_pool_own(&net->streams, tag);
    bool related = s != NULL && (px_pool_owner(&net->streams, s) == from || s->old_peer == from);
    if (related) {
        nstream_end(s, PX_NO_MEMORY);
    }
}

static void simnet_gone(void *state, px_peer peer)
{
    struct simnet *net = state;
    for (struct nstream *s = NULL, *next = px_pool_next(&net->streams, NULL); (s = next) != NULL;) {
        next = px_pool_next(&net->streams, s);
        bool owner = s->state != NS_OPENING && s->state != NS_PARKED &&
                     px_pool_owner(&net->streams, s) == peer;
        bool old = s->state == NS_LETGO && s->old_peer == peer;
        if (owner && s->state == NS_OWNED && s->at_rest) {
            nstream_park(s);
        } else if (owner || old) {
            nstream_drop(s);
        }
    }
}

static void simnet_back(void *state, px_peer peer)
{
    struct simnet *net = state;
    px_addr upper = PX_PEER_ADDR(peer);
    for (struct nstream *s = NULL, *next = px_pool_next(&net->streams, NULL); (s = next) != NULL;) {
        next = px_pool_next(&net->streams, s);
        if (s->state == NS_PARKED && s->owner == upper) {
            px_fsm_move(simnet_table, &s->state, NS_OFFERED);
            nstream_offer(s, upper, true);
        }
    }
    for (struct sim_conn *conn = net->domain->sim->conns; conn != NULL; conn = conn->next) {
        struct sim_end *end = &conn->ends[1];
        if (end->listener != NULL && end->domain == net->domain) {
            sim_end_ready(end);
        }
    }
}

/* ---- the mailbox ---- */

static void simnet_flush(void *state, struct px_want *want)
{
    (void)state;
    nstream_flush(px_container_of(want, struct nstream, want));
}

static enum px_err simnet_init(void *state, struct px_env *env)
{
    struct simnet *net = state;
    net->env = env;
    net->domain = px_kernel_world(px_env_kernel(env))->ctx;
    sim_domain_leave_network(net->domain); /* of an earlier life */
    PX_TRY(px_pool_init(&net->streams, env, sizeof(struct nstream), STREAMS_MAX, 0));
    return px_pool_init(&net->listeners, env, sizeof(struct nlistener), LISTENERS_MAX, 0);
}

static const struct px_handler simnet_handlers[] = {
    {NET_LISTEN, on_listen},        {NET_UNLISTEN, on_unlisten},
    {NET_STATS, on_stats},          {LOWER_OPEN, on_open},
    {LOWER_CLAIM, simnet_on_claim}, {LOWER_CREDIT, simnet_on_credit},
    {LOWER_DATA, simnet_on_data},   {LOWER_CLOSE, simnet_on_close},
    {LOWER_RESET, simnet_on_reset}, {LOWER_REBIND, simnet_on_rebind},
};

static const char *const simnet_counters[] = {
    [N_ACCEPTED] = "accepted",
    [N_REFUSED] = "refused",
    [N_UNCLAIMED] = "unclaimed",
    [N_NO_MEMORY] = "no_memory",
};

const struct px_service px_simnet_service = {
    .name = "net",
    .state_size = sizeof(struct simnet),
    .handlers = simnet_handlers,
    .n_handlers = sizeof simnet_handlers / sizeof simnet_handlers[0],
    .counters = simnet_counters,
    .n_counters = sizeof simnet_counters / sizeof simnet_counters[0],
    .init = simnet_init,
    .ended = simnet_ended,
    .lost = simnet_lost,
    .gone = simnet_gone,
    .back = simnet_back,
    .flush = simnet_flush,
};
