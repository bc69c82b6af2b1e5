/* request.c - an exchange, from its head to Ended.
 *
 *     WAITING --reply--> FINISHING --all sent--> ANSWERED
 *     WAITING --begin--> SENDING --finish--> FINISHING
 *     WAITING --reply_file--> OPENING --the file is open--> FINISHING
 *                                     --it is not--> ANSWERED (404)
 *     any --Ended, lost, gone--> ENDED: the program hears `ended`, the element goes back to its
 * pool; at once when it was ANSWERED in its route's function and nobody hears
 *
 * The engine owes us Ended only once it knows our handle. So whatever the program does, the first
 * message goes out before request_on_exchange returns, if only an empty Credit.
 */
#include "lib.h"

#include <px/fsm.h>

#include "http.pb-c.h"
#include "http_contract.h"

#include "path.h"
#include "rules.h"

static const struct px_state request_table[N_STATES] = {
    [WAITING] = {"waiting", PX_TO(OPENING) | PX_TO(SENDING) | PX_TO(FINISHING) | PX_TO(ANSWERED) |
                                PX_TO(ENDED)},
    [OPENING] = {"opening", PX_TO(WAITING) | PX_TO(FINISHING) | PX_TO(ANSWERED) | PX_TO(ENDED)},
    [SENDING] = {"sending", PX_TO(FINISHING) | PX_TO(ANSWERED) | PX_TO(ENDED)},
    [FINISHING] = {"finishing", PX_TO(ANSWERED) | PX_TO(ENDED)},
    [ANSWERED] = {"answered", PX_TO(ENDED)},
    [ENDED] = {"ended", 0},
};

void request_move(struct request *r, enum request_state next)
{
    px_fsm_move(request_table, &r->state, next);
}

enum px_err request_answerable(const struct request *r)
{
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    return r->state == WAITING ? PX_EOK : PX_ESTATE;
}

void request_later(struct request *r, enum later_what what)
{
    r->later.what |= (uint32_t)what;
    px_want_flush(r->app->env, &r->later.want);
}

static inline void tell_now(struct request *r, uint16_t method, void *take_body)
{
    bool first = !r->announced;
    r->announced = true;
    if (!px_send(r->app->env, r->engine, method, take_body, r->requester) && first) {
        request_later(r, LATER_END); /* the engine has no handle to say Ended to */
    }
}

static LIB_APART void tell_seen(struct request *r, uint16_t method, void *take_body)
{
    aside_told(r, method, take_body);
    tell_now(r, method, take_body);
}

void request_tell(struct request *r, uint16_t method, void *take_body)
{
    if (r->aside != NULL) {
        tell_seen(r, method, take_body);
    } else {
        tell_now(r, method, take_body);
    }
}

void request_cancel(struct request *r, enum px_status reason)
{
    Http__CancelExchange *m = px_msg_new(r->app->env, &http__cancel_exchange__descriptor);
    m->responder = r->self;
    m->reason = reason;
    request_tell(r, REQUESTER_CANCEL, m);
}

/* ---- the end ---- */

static void head_release(struct request *r)
{
    if (r->held) {
        px_msg_release(r->msg);
    }
    r->held = false;
    r->msg = NULL;
}

static void request_end(struct request *r, enum px_status status)
{
    struct app *app = r->app;
    request_move(r, ENDED);
    if (r->events != NULL && r->events->ended != NULL) {
        r->events->ended(request_handle(r), r->arg, status);
    }
    if (r->relay != NULL) {
        relay_end(r, status);
    }
    if (r->aside != NULL) {
        aside_end(r, status);
    }
    head_release(r);
    px_msg_release(r->trailers);
    px_msg_release(r->trailers_out);
    px_want_cancel(app->env, &r->later.want);
    px_chain_clear(&r->in);
    px_chain_clear(&r->out);
    px_chain_clear(&r->file);
    px_buf_put(r->path_buf);
    px_buf_put(r->fields_buf);
    if (r->held_routes != NULL) {
        routes_put(r->held_routes);
    }
    px_pool_put(&app->requests, r);
    app_check_drained(app);
}

void request_on_ended(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Http__EndedExchange *ended = msg->body;
    struct request *r = px_pool_at(&app->requests, msg);
    if (r != NULL) {
        if (r->aside != NULL && ended->answered != 0) {
            aside_answered(r, ended->answered, ended->length);
        }
        request_end(r, (enum px_status)ended->status);
    }
}

/* The requester gives up; its engine will say Ended when it has heard the same from us. */
void request_on_cancel(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct request *r = px_pool_at(&app->requests, msg);
    if (r != NULL) {
        request_cancel(r, PX_CANCELLED);
    }
}

/* A message about `tag` was lost; it may have been Ended, so nothing more can be waited for. */
void request_lost(struct app *app, px_peer from, px_handle tag)
{
    struct request *r = px_pool_own(&app->requests, tag);
    if (r != NULL && px_pool_owner(&app->requests, r) == from) {
        request_cancel(r, PX_NO_MEMORY);
        request_end(r, PX_NO_MEMORY);
    }
}

void request_gone(struct app *app, px_peer peer)
{
    struct request *r = px_pool_next(&app->requests, NULL);
    while (r != NULL) {
        struct request *next = px_pool_next(&app->requests, r);
        if (px_pool_owner(&app->requests, r) == peer) {
            request_end(r, PX_SERVICE_GONE);
        }
        r = next;
    }
}

static void request_flush(struct later *later)
{
    struct request *r = px_container_of(later, struct request, later);
    uint32_t what = later->what;
    later->what = 0;
    if ((what & LATER_END) != 0) {
        request_end(r, PX_NO_MEMORY);
        return;
    }
    if ((what & LATER_BODY_FIN) != 0) {
        body_flush_fin(r);
    }
    if ((what & LATER_DRAINED) != 0 && r->events != NULL && r->events->drained != NULL &&
        r->state == SENDING) {
        r->events->drained(request_handle(r), r->arg);
    }
}

/* ---- the beginning ---- */

/* No route: 404, or 405 and OPTIONS with Allow. */
static LIB_APART void request_refuse(struct request *r, const struct px_routes *routes,
                                     struct px_text path, struct px_text method)
{
    char allow[ROUTE_ALLOW_MAX];
    bool is_options = method.len == 7 && memcmp(method.ptr, "OPTIONS", 7) == 0;
    if (is_options && aside_preflight(r, routes, path)) {
        return;
    }
    route_allow(&routes->routes, path, allow);
    px_count(r->app->env, COUNT_NO_ROUTE, 1);
    if (allow[0] == '\0') {
        reply_simple(r, 404, "404 Not Found\n");
    } else {
        reply_allow(r, is_options ? 204 : 405, allow);
    }
}

/* The path normalised in a buffer of its own. Nothing: it was answered instead. */
static LIB_APART struct px_text path_prepare(struct request *r, struct px_text path)
{
    const struct px_text nothing = {NULL, 0};
    size_t len = 0;
    r->path_buf = px_buf_new(r->app->env, path.len);
    if (r->path_buf == NULL) {
        reply_simple(r, 503, "503 Service Unavailable\n");
        return nothing;
    }
    char *mem = (char *)px_buf_data(r->path_buf);
    if (!path_normalise(path, mem, &len)) {
        px_count(r->app->env, COUNT_BAD_PATH, 1);
        reply_simple(r, 400, "400 Bad Request\n");
        return nothing;
    }
    return (struct px_text){mem, len};
}

const struct px_routes *request_routes(const struct request *r)
{
    struct px_routes *routes = r->app->server->routes;
    if (r->match.route != NULL) {
        return r->match.route->owner;
    }
    if (routes->hosts == NULL || r->msg == NULL) {
        return routes;
    }
    const Http__Request *head = r->msg->body;
    return routes_of_host(
        routes, (struct px_text){(const char *)head->authority.data, head->authority.len});
}

static void request_begin(struct request *r, const Http__Request *head)
{
    struct px_text method = {(const char *)head->method.data, head->method.len};
    struct px_text target = {(const char *)head->path.data, head->path.len}, path;
    const struct px_routes *routes = r->app->server->routes;

    if (target.len == 1 &&
        target.ptr[0] == '*') { /* RFC 9110 7.1: OPTIONS about the server as a whole */
        reply_allow(r, 204, NULL);
        return;
    }
    bool plain = path_take(target, &path);
    if (target.len == 0 || target.len > UINT16_MAX) {
        reply_simple(r, target.len == 0 ? 400 : 414, "The target is empty or too long\n");
        return;
    }
    if (!plain) {
        path = path_prepare(r, path);
        if (path.ptr == NULL) {
            return;
        }
    }
    if (routes->hosts != NULL) {
        routes = request_routes(r);
    }
    r->path_len = (uint16_t)path.len;
    if (!route_find(&routes->routes, method, path, &r->match)) {
        request_refuse(r, routes, path, method);
    } else if (r->match.route->rules != NULL) {
        aside_rule(r);
    } else {
        r->match.route->fn(request_handle(r), r->match.route->arg);
    }
}

/* Every slot is taken: answered in the name of one that all refusals share, and that takes no
 * notice of Ended. */
static LIB_APART void request_busy(struct app *app, const struct px_msg *msg,
                                   const Http__Request *head)
{
    Http__Response *m = px_msg_new(app->env, &http__response__descriptor);
    m->responder = px_pool_issue(&app->nobody, app->refuser, msg->from);
    m->status = 503;
    m->has_length = true;
    m->fin = true;
    px_count(app->env, COUNT_BUSY, 1);
    if (app->server != NULL && app->server->log_fn != NULL) {
        aside_log_busy(app, msg);
    }
    px_send(app->env, PX_PEER_ADDR(msg->from), REQUESTER_RESPOND, m, head->requester);
}

/* Answered whole, and nobody hears how that ends: no need to remember it until Ended comes, which
 * then finds nothing. Most requests are like that, and the next one finds this element at hand. */
static inline bool request_is_over(const struct request *r)
{
    return r->events == NULL && r->aside == NULL && !r->in_open && r->later.what == 0;
}

/* The program has had its say: tell the engine our handle if that has not happened, and keep the
 * head if it may still be read. */
static void request_begun(struct request *r)
{
    if (!r->announced) {
        Http__ExchangeCredit *m = px_msg_new(r->app->env, &http__exchange_credit__descriptor);
        m->responder = r->self;
        request_tell(r, REQUESTER_CREDIT, m);
    }
    if (r->state != ANSWERED) {
        r->msg = px_msg_hold(r->msg);
        r->held = true;
    } else if (request_is_over(r)) {
        struct app *app = r->app;
        px_buf_put(r->path_buf);
        px_pool_put(&app->requests, r);
        app_check_drained(app);
        return;
    } else {
        r->msg = NULL;
    }
    if (r->match.route != NULL) {
        r->held_routes = routes_hold(r->match.route->owner);
    }
}

void request_on_exchange(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Http__Request *head = msg->body;
    struct request *r = app->server == NULL ? NULL : px_pool_get(&app->requests);
    if (r == NULL) {
        request_busy(app, msg, head);
        return;
    }
    r->app = app;
    r->later.flush = request_flush;
    r->msg = msg;
    r->self = px_pool_issue(&app->requests, r, msg->from);
    r->requester = head->requester;
    r->engine = PX_PEER_ADDR(msg->from);
    r->credit = head->credit;
    r->in_open = !head->fin;
    r->is_head = head->method.len == 4 && memcmp(head->method.data, "HEAD", 4) == 0;
    if (app->server->log_fn != NULL && !aside_log(r)) {
        (void)reply_error(r, 503, NULL, 0);
    } else {
        request_begin(r, head);
    }
    request_begun(r);
}

void request_on_credit(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Http__ExchangeCredit *credit = msg->body;
    struct request *r = px_pool_at(&app->requests, msg);
    if (r != NULL) {
        r->credit += credit->bytes;
        r->window = r->credit > r->window ? r->credit : r->window;
        if (r->relay != NULL) {
            relay_credit(r, credit->bytes);
        } else {
            reply_pump(r);
        }
    }
}

enum px_err px_request_on(struct px_request request, const struct px_request_events *events,
                          void *arg)
{
    struct request *r = request_of(request);
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    if (r->hooked) {
        struct hook *hook = r->arg;
        *hook = (struct hook){events, arg};
        return PX_EOK;
    }
    r->events = events;
    r->arg = arg;
    return PX_EOK;
}

void hook_set(struct request *r, struct hook *hook, const struct px_request_events *events)
{
    *hook = (struct hook){r->events, r->arg};
    r->events = events;
    r->arg = hook;
    r->hooked = true;
}

enum px_err px_request_abort(struct px_request request)
{
    struct request *r = request_of(request);
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    request_cancel(r, PX_CANCELLED);
    return PX_EOK;
}
