/* net.c - the mailbox "net": streams over tcp and unix sockets (stream.proto) and listening
 * (net.proto).
 */
#include "net_impl.h"

#include <errno.h>
#include <px/assert.h>

#include "net.pb-c.h"

static const char *const counter_names[NET_N_COUNTERS] = {
    [NET_N_ACCEPTED] = "accepted", [NET_N_REFUSED] = "refused",     [NET_N_PAUSES] = "pauses",
    [NET_N_OPENED] = "opened",     [NET_N_RESETS] = "resets",       [NET_N_STALE] = "stale",
    [NET_N_PROTOCOL] = "protocol", [NET_N_TIMED_OUT] = "timed_out", [NET_N_TRUNCATED] = "truncated",
    [NET_N_ADOPTED] = "adopted",
};

/* ---- readiness ---- */

/* Did the connection fail? Then the stream has been ended. */
static bool stream_failed(struct net *net, struct stream *s)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(s->source.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0) {
        return false;
    }
    stream_end(net, s, PX_RESET);
    return true;
}

static void stream_ready(struct net *net, struct stream *s, uint32_t events)
{
    if (s->state == STREAM_CONNECTING) {
        stream_connected(net, s);
        return;
    }
    if ((events & EPOLLERR) != 0 && stream_failed(net, s)) {
        return;
    }
    if ((events & EPOLLOUT) != 0 || ((events & EPOLLHUP) != 0 && s->out.len > 0)) {
        stream_drained(s);
        px_want_flush(net->env, &s->want);
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) {
        stream_read(net, s, events);
    }
}

static void net_ready(void *state, struct posix_source *source, uint32_t events)
{
    struct net *net = state;
    if (source->kind == NET_SOURCE_STREAM) {
        stream_ready(net, px_container_of(source, struct stream, source), events);
    } else {
        listener_ready(net, px_container_of(source, struct listener, source));
    }
}

/* ---- the service ---- */

static enum px_err net_init(void *state, struct px_env *env)
{
    struct net *net = state;
    net->env = env;
    net->os = posix_of(env);
    if (net->os == NULL) {
        return PX_EUNSUPPORTED;
    }
    px_random(env, net->hash_key, sizeof net->hash_key);
    PX_TRY(px_pool_init(&net->streams, env, sizeof(struct stream), NET_STREAMS_MAX, 0));
    PX_TRY(px_pool_init(&net->sides, env, sizeof(struct side), NET_STREAMS_MAX, 0));
    PX_TRY(px_pool_init(&net->peers, env, sizeof(struct peer), NET_STREAMS_MAX, 0));
    PX_TRY(px_pool_init(&net->listeners, env, sizeof(struct listener), NET_LISTENERS_MAX, 0));
    return posix_join(net->os, env, net, net_ready, &net->source_owner);
}

/* Nothing new; what is open ends by itself. */
static void net_stop(void *state)
{
    struct net *net = state;
    struct listener *next_listener = NULL;
    struct stream *next = NULL;
    net->stopping = true;
    for (struct listener *l = px_pool_next(&net->listeners, NULL); l != NULL; l = next_listener) {
        next_listener = px_pool_next(&net->listeners, l);
        listener_close(net, l);
    }
    if (net->n_streams == 0) {
        px_env_drained(net->env);
    }
    for (struct stream *s = px_pool_next(&net->streams, NULL); s != NULL; s = next) {
        next = px_pool_next(&net->streams, s);
        if (s->state == STREAM_PARKED) {
            stream_end(net, s, PX_SERVICE_GONE);
        }
    }
}

static const struct px_handler handlers[] = {
    {LOWER_DATA, net_on_data},     {LOWER_CREDIT, net_on_credit}, {LOWER_CLAIM, net_on_claim},
    {LOWER_CLOSE, net_on_close},   {LOWER_RESET, net_on_reset},   {LOWER_OPEN, net_on_open},
    {LOWER_REBIND, net_on_rebind}, {NET_LISTEN, net_on_listen},   {NET_UNLISTEN, net_on_unlisten},
    {NET_STATS, net_on_stats},
};

const struct px_service px_net_service = {
    .name = "net",
    .state_size = sizeof(struct net),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof *handlers,
    .counters = counter_names,
    .n_counters = NET_N_COUNTERS,
    .init = net_init,
    .ended = net_ended,
    .lost = net_lost,
    .gone = net_gone,
    .back = net_back,
    .flush = net_flush,
    .stop = net_stop,
};
