/* app.c - the application mailbox: what http engines and net say goes to request.c, body.c and
 * stream.c; calls of this library and of the program are kept here.
 */
#include "files_impl.h"

#include "http.pb-c.h"
#include "http_contract.h"
#include "stream_contract.h"

/* ---- calls ---- */

struct call *call_new(struct app *app,
                      void (*fn)(struct app *app, const struct call *call,
                                 const struct px_msg *reply),
                      px_handle about)
{
    struct call *call = px_pool_get(&app->calls);
    if (call != NULL) {
        call->fn = fn;
        call->about = about;
    }
    return call;
}

static void app_reply(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct call *call = px_pool_own(&app->calls, msg->tag);
    if (call != NULL && msg->kind == PX_KIND_ITEM) {
        if (call->item != NULL) {
            call->item(app, call, msg);
        }
    } else if (call != NULL) {
        struct call done = *call;
        px_pool_put(&app->calls, call);
        done.fn(app, &done, msg);
    }
}

static void user_call_done(struct app *app, const struct call *call, const struct px_msg *reply)
{
    call->user_fn(app->system, reply, call->arg);
}

enum px_err px_system_call(struct px_system *system, const char *mailbox, uint16_t method,
                           void *take_body, uint64_t deadline_us, px_reply_fn fn, void *arg)
{
    struct app *app = system->app; /* there is a body, so there was an environment */
    px_addr to = px_mailbox(app->env, mailbox);
    struct call *call = to == 0 ? NULL : call_new(app, user_call_done, 0);
    if (call == NULL) {
        px_msg_drop(take_body);
        return to == 0 ? system_fail(system, PX_ENOENT, mailbox, "no such mailbox")
                       : system_fail(system, PX_ELIMIT, mailbox, "too many calls are outstanding");
    }
    call->user_fn = fn;
    call->arg = arg;
    deadline_us = deadline_us > PX_SUL_US_MAX ? PX_NEVER : deadline_us;
    px_call(app->env, to, method, take_body, deadline_us, px_handle_of(&app->calls, call));
    return PX_EOK;
}

/* ---- timers ---- */

static void timer_fired(struct px_sul *sul)
{
    struct px_timer *timer = px_container_of(sul, struct px_timer, sul);
    timer->fn(timer, timer->arg);
}

enum px_err px_timer_set(struct px_system *system, struct px_timer *timer, uint64_t in_us,
                         px_timer_fn fn, void *arg)
{
    PX_TRY(px_system_start(system));
    timer->system = system;
    timer->fn = fn;
    timer->arg = arg;
    px_sul_schedule(system->app->env, &timer->sul, timer_fired, in_us);
    return PX_EOK;
}

void px_timer_cancel(struct px_timer *timer)
{
    if (timer->system != NULL) {
        px_sul_cancel(timer->system->app->env, &timer->sul);
    }
}

/* ---- the mailbox ---- */

void app_check_drained(struct app *app)
{
    if (app->stopping && px_pool_next(&app->requests, NULL) == NULL &&
        px_pool_next(&app->streams, NULL) == NULL) {
        px_env_drained(app->env);
    }
}

static void app_stop(void *state)
{
    struct app *app = state;
    app->stopping = true;
    stream_stop(app);
    event_streams_stop(app);
    app_check_drained(app);
}

static void app_lost(void *state, px_peer from, px_handle tag)
{
    struct app *app = state;
    px_count(app->env, COUNT_LOST, 1);
    if (!relay_lost(app, from, tag) && !stream_lost(app, from, tag)) {
        request_lost(app, from, tag);
    }
}

static void app_gone(void *state, px_peer peer)
{
    struct app *app = state;
    relay_gone(app, peer);
    request_gone(app, peer);
    stream_gone(app, peer);
}

static void app_back(void *state, px_peer peer)
{
    const struct app *app = state;
    listener_back(state, peer);
    if (PX_PEER_ADDR(peer) == app->file) {
        files_back(app->system);
    }
}

static void app_flush(void *state, struct px_want *want)
{
    struct later *later = px_container_of(want, struct later, want);
    (void)state;
    later->flush(later);
}

static const struct px_handler app_handlers[] = {
    {RESPONDER_EXCHANGE, request_on_exchange},
    {RESPONDER_DATA, body_on_data},
    {RESPONDER_TRAILERS, body_on_trailers},
    {RESPONDER_CREDIT, request_on_credit},
    {RESPONDER_CANCEL, request_on_cancel},
    {RESPONDER_ENDED, request_on_ended},
    {RESPONDER_REFUSED, refused_on_refused},
    {REQUESTER_INFORM, relay_on_inform},
    {REQUESTER_RESPOND, relay_on_respond},
    {REQUESTER_DATA, relay_on_data},
    {REQUESTER_TRAILERS, relay_on_trailers},
    {REQUESTER_CREDIT, relay_on_credit},
    {REQUESTER_CANCEL, relay_on_cancel},
    {UPPER_ACCEPTED, stream_on_accepted},
    {UPPER_DATA, stream_on_data},
    {UPPER_CREDIT, stream_on_credit},
    {UPPER_CLOSED, stream_on_closed},
};

static const char *const app_counters[N_COUNTERS] = {
    [COUNT_NO_ROUTE] = "no_route",
    [COUNT_BAD_PATH] = "bad_path",
    [COUNT_BUSY] = "busy",
    [COUNT_LOST] = "lost",
    [COUNT_FULL] = "queue_full",
    [COUNT_EVENT_DROPPED] = "event_dropped",
    [COUNT_EVENT_CLOSED] = "event_stream_closed",
    [COUNT_TOPIC_FULL] = "topic_full",
    [COUNT_RATE] = "rate_limited",
    [COUNT_EVICTED] = "rate_evicted",
    [COUNT_BODY_LONG] = "body_too_long",
    [COUNT_BODY_LATE] = "body_late",
    [COUNT_ANSWER_LATE] = "answer_late",
    [COUNT_AUTH_WRONG] = "auth_wrong",
    [COUNT_AUTH_BUSY] = "auth_busy",
    [COUNT_FORM_REFUSED] = "form_refused",
    [COUNT_RANGE_IGNORED] = "range_ignored",
    [COUNT_LISTING_CUT] = "listing_cut",
    [COUNT_OUTSIDE_AWAY] = "outside_away",
    [COUNT_OUTSIDE_BROKEN] = "outside_broken",
};

const struct px_service px_app_service = {
    .name = "app",
    .state_size = sizeof(struct app),
    .handlers = app_handlers,
    .n_handlers = sizeof app_handlers / sizeof app_handlers[0],
    .counters = app_counters,
    .n_counters = N_COUNTERS,
    .reply = app_reply,
    .lost = app_lost,
    .gone = app_gone,
    .back = app_back,
    .flush = app_flush,
    .stop = app_stop,
};
