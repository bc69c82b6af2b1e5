/* server.c - the HTTP server of a system: its limits, its routes, and listening (for streams too).
 */
#include "lib.h"

#include <px/assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "net.pb-c.h"
#include "net_contract.h"

enum {
    LISTEN_TURNS_MAX = 1000,
    /* What an exchange may have in flight (services/h1), and its head: a full window of a file goes
     * down in one piece, and keeps the socket's own buffer full. Of memory h1 has no more than
     * H1_SENT_MAX under way. */
    SEND_WINDOW = 4194304 + 65536,
};

/* ---- configuration ---- */

static void limits_fill(H1__Config *h1, const struct px_server_config *config)
{
    h1->requests_max = config->requests_max;
    h1->idle_ms = config->idle_ms;
    h1->head_ms = config->head_ms;
    h1->write_ms = config->write_ms;
    h1->body_rate_min = config->body_rate_min;
    h1->body_max = config->body_max;
    h1->request_line_max = config->request_line_max;
    h1->header_line_max = config->header_line_max;
    h1->headers_len_max = config->headers_len_max;
    h1->headers_max = config->headers_max;
    h1->pipeline_max = config->pipeline_max;
}

static enum px_err server_fill(struct px_server *server, H1__Config *h1,
                               const struct px_server_config *config)
{
    if (config->n_upgrades > UPGRADES_MAX || (config->n_upgrades > 0 && config->upgrades == NULL)) {
        return PX_EINVAL;
    }
    limits_fill(h1, config);
    if (config->server_name != NULL) {
        server->name = strdup(config->server_name);
        if (server->name == NULL) {
            return PX_ENOMEM;
        }
        h1->server = text_bytes(server->name);
    }
    for (uint32_t i = 0; i < config->n_upgrades; i++) {
        H1__Upgrade *upgrade = &server->upgrades[i];
        h1__upgrade__init(upgrade);
        upgrade->token = text_bytes(config->upgrades[i].token);
        upgrade->mailbox = text_bytes(config->upgrades[i].mailbox);
        server->upgrade_list[i] = upgrade;
    }
    h1->n_upgrades = config->n_upgrades;
    h1->upgrades = server->upgrade_list;
    server->connections_max = config->connections_max;
    server->connections_peer_max = config->connections_peer_max;
    server->send_queue_max =
        config->send_queue_max == 0 ? SEND_QUEUE_DEFAULT : config->send_queue_max;
    return PX_EOK;
}

enum px_err px_server_new(struct px_system *system, const struct px_server_config *config,
                          struct px_server **ret_server)
{
    static const struct px_server_config defaults;
    if (system->app != NULL) {
        return system_fail(system, PX_ESTATE, "server", "the system is started already");
    }
    if (system->server != NULL) {
        return system_fail(system, PX_EEXIST, "server", "the system has one already");
    }
    if (px_kernel_mailbox(system->kernel, "h1") == 0) {
        return system_fail(system, PX_EUNSUPPORTED, "server", "this build has no HTTP service");
    }
    struct px_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return system_fail(system, PX_ENOMEM, "server", px_err_text(PX_ENOMEM));
    }
    server->system = system;
    enum px_err err = routes_init(server);
    if (err == PX_EOK) {
        err = server_fill(server, &system->h1, config == NULL ? &defaults : config);
    }
    if (err != PX_EOK) {
        server_free(server);
        return system_fail(system, err, "server", px_err_text(err));
    }
    system->server = server;
    *ret_server = server;
    return PX_EOK;
}

void server_free(struct px_server *take_server)
{
    if (take_server != NULL) {
        routes_done(take_server);
        free(take_server->name);
        free(take_server);
    }
}

enum px_err px_server_route(struct px_server *server, const char *method, const char *pattern,
                            px_route_fn fn, void *arg)
{
    return px_server_route_with(server, method, pattern, fn, arg, NULL);
}

static enum px_err route_err(struct px_server *server, const char *pattern, enum px_err err)
{
    switch (err) {
    case PX_EOK:
        return PX_EOK;
    case PX_EINVAL:
        return system_fail(server->system, err, pattern, "not a method, pattern and rules");
    case PX_EEXIST:
        return system_fail(server->system, err, pattern,
                           "this method and pattern are routed already");
    default:
        return system_fail(server->system, err, pattern, px_err_text(err));
    }
}

enum px_err px_server_route_with(struct px_server *server, const char *method, const char *pattern,
                                 px_route_fn fn, void *arg, const struct px_rules *rules)
{
    return route_err(server, pattern,
                     px_routes_add(server->routes, method, pattern, fn, arg, rules));
}

/* ---- health ---- */

void px_server_drain(struct px_server *server)
{
    server->draining = true;
}

void px_health(struct px_request request, void *arg)
{
    const struct px_system *system = request.system;
    bool serving = !system->stopping && !system->server->draining;
    struct px_field field = {"cache-control", "no-store"};
    const char *text = serving ? "serving\n" : "draining\n";
    struct px_reply reply = {.status = serving ? 200 : 503,
                             .content_type = "text/plain; charset=utf-8",
                             .fields = &field,
                             .n_fields = 1,
                             .body = text,
                             .body_len = strlen(text)};
    (void)arg;
    px_request_reply(request, &reply);
}

enum px_err px_server_health(struct px_server *server, const char *pattern)
{
    return px_server_route(server, "GET", pattern, px_health, NULL);
}

/* ---- listening ---- */

/* Waits for net's answer: it comes within a few turns. */
struct listening {
    bool done;
    enum px_status status;
    struct listener *listener;
};

static void listen_done(struct app *app, const struct call *call, const struct px_msg *reply)
{
    struct listening *wait = call->arg;
    const Net__Listening *listening = reply->body;
    (void)app;
    wait->done = true;
    wait->status = reply->status;
    if (reply->status == PX_OK) {
        wait->listener->handle = listening->listener;
        snprintf(wait->listener->address, ADDRESS_TEXT_MAX, "%.*s", (int)listening->address.len,
                 (const char *)listening->address.data);
    }
}

static enum px_err listen_err(struct px_system *system, const char *address, enum px_status status)
{
    bool is_fd = strncmp(address, "fd:", 3) == 0;
    switch (status) {
    case PX_OK:
        return PX_EOK;
    case PX_IN_USE:
        return system_fail(system, PX_EEXIST, address, "the address is taken by another program");
    case PX_DENIED:
        return system_fail(system, PX_EDENIED, address, "permission denied");
    case PX_BAD_REQUEST:
        return system_fail(system, PX_EINVAL, address,
                           is_fd ? "not a descriptor that somebody listens on" : "not an address");
    case PX_NOT_FOUND:
    case PX_UNREACHABLE:
        return system_fail(system, PX_ENOENT, address,
                           is_fd ? "no such descriptor" : "no interface has this address");
    case PX_NO_MEMORY:
        return system_fail(system, PX_ENOMEM, address, "memory ran out");
    default:
        return system_fail(system, PX_EIO, address, px_status_text(status));
    }
}

void listen_send(struct px_system *system, struct call *call, const char *address,
                 const struct px_listen *options, uint32_t slot)
{
    static const struct px_listen defaults;
    struct app *app = system->app;
    const struct px_listen *o = options == NULL ? &defaults : options;
    bool is_stream = system->listeners[slot].is_stream;
    const char *upper = is_stream ? "app" : "h1";
    Net__ListenAt *m =
        px_msg_new_sized(app->env, &net__listen_at__descriptor, ADDRESS_TEXT_MAX + 8);
    px_msg_put(m, &m->address, address, strlen(address));
    px_msg_put(m, &m->upper, upper, strlen(upper));
    m->tag = slot;
    m->backlog = o->backlog;
    m->reuse_port = o->reuse_port;
    m->v6only = o->v6only;
    m->unix_mode = o->unix_mode;
    if (!is_stream) {
        m->send_window = SEND_WINDOW;
        m->connections_max =
            o->connections_max > 0 ? o->connections_max : system->server->connections_max;
        m->connections_peer_max = o->connections_peer_max > 0
                                      ? o->connections_peer_max
                                      : system->server->connections_peer_max;
    }
    px_call(app->env, app->net, NET_LISTEN, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}

/* A slot that is not in use; LISTENERS_MAX: all are. */
static uint32_t listener_slot(const struct px_system *system)
{
    uint32_t slot = 0;
    while (slot < LISTENERS_MAX && system->listeners[slot].used) {
        slot++;
    }
    return slot;
}

enum px_err listener_open(struct px_system *system, const char *address,
                          const struct px_listen *options, const struct listener *proto,
                          const struct listener **ret_listener)
{
    PX_ASSERT(!system->in_turn); /* documented: not from inside a callback */
    PX_TRY(px_system_start(system));
    if (strlen(address) >= ADDRESS_TEXT_MAX) {
        return system_fail(system, PX_EINVAL, address, "not an address");
    }
    uint32_t slot = listener_slot(system);
    struct call *call = slot == LISTENERS_MAX ? NULL : call_new(system->app, listen_done, 0);
    if (call == NULL) {
        return system_fail(system, PX_ELIMIT, address,
                           slot == LISTENERS_MAX ? "too many listeners"
                                                 : "too many calls are outstanding");
    }
    struct listener *listener = &system->listeners[slot];
    struct listening wait = {.listener = listener};
    px_sul_cancel(system->app->env, &listener->again);
    *listener = *proto;
    listener->options = options == NULL ? (struct px_listen){.backlog = 0} : *options;
    listener->used = true; /* it may accept in the turn that opens it */
    system->n_listeners += slot == system->n_listeners;
    call->arg = &wait;
    listen_send(system, call, address, options, slot);
    bool is_here = px_kernel_env(system->kernel, system->addr_net) != NULL;
    for (int i = 0; i < LISTEN_TURNS_MAX && !wait.done; i++) {
        system_turn(system, is_here ? 0 : PX_MS(CALL_DEADLINE_MS));
    }
    PX_ASSERT(wait.done); /* net answers at once, or the deadline does */
    listener->used = wait.status == PX_OK;
    if (wait.status == PX_OK) {
        *ret_listener = listener;
    }
    return listen_err(system, address, wait.status);
}

/* The listener that the server knows by an index; NULL: there is none. */
static struct listener *listener_at(const struct px_server *server, uint32_t index)
{
    struct px_system *system = server->system;
    for (uint32_t i = 0; i < system->n_listeners; i++) {
        struct listener *l = &system->listeners[i];
        if (l->used && !l->is_stream && l->index == index) {
            return l;
        }
    }
    return NULL;
}

enum px_err px_server_listen(struct px_server *server, const char *address,
                             const struct px_listen *options)
{
    struct listener proto = {.index = 0};
    const struct listener *listener;
    while (listener_at(server, proto.index) != NULL) {
        proto.index++;
    }
    return listener_open(server->system, address, options, &proto, &listener);
}

static void unlisten_done(struct app *app, const struct call *call, const struct px_msg *reply)
{
    (void)app;
    (void)call;
    (void)reply; /* it is closed: stopping did it, or this */
}

enum px_err px_server_unlisten(struct px_server *server, uint32_t index)
{
    struct listener *listener = listener_at(server, index);
    if (listener == NULL) {
        return PX_ENOENT;
    }
    struct app *app = server->system->app;
    struct call *call = call_new(app, unlisten_done, 0);
    if (call == NULL) {
        return PX_ELIMIT;
    }
    Net__ListenerRef *m = px_msg_new(app->env, &net__listener_ref__descriptor);
    m->listener = listener->handle;
    px_call(app->env, app->net, NET_UNLISTEN, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
    listener->used = false;
    return PX_EOK;
}

uint32_t listener_index(const struct px_system *system, uint32_t tag)
{
    return tag >= system->n_listeners ? 0 : system->listeners[tag].index;
}

const char *px_server_address(const struct px_server *server, uint32_t index)
{
    const struct listener *listener = listener_at(server, index);
    return listener == NULL ? NULL : listener->address;
}
