/* stream.c - streams for programs: the app mailbox as a consumer of net.
 *
 *     OPENING --Opened--> OPEN --Closed--> ENDED
 *     OPENING --refused--> ENDED
 *     OPEN --close, reset--> CLOSING --Closed--> ENDED
 *
 * `finished` (we send no more) and `fin_seen` (the far end sends no more) are beside that.
 */
#include "lib.h"

#include <px/fsm.h>

#include "net.pb-c.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

enum { STREAM_WINDOW = 65536, STREAM_QUEUE_MAX = 65536 };

enum stream_state { STREAM_OPENING, STREAM_OPEN, STREAM_CLOSING, STREAM_ENDED, N_STREAM_STATES };

static const struct px_state stream_table[N_STREAM_STATES] = {
    [STREAM_OPENING] = {"opening", PX_TO(STREAM_OPEN) | PX_TO(STREAM_ENDED)},
    [STREAM_OPEN] = {"open", PX_TO(STREAM_CLOSING) | PX_TO(STREAM_ENDED)},
    [STREAM_CLOSING] = {"closing", PX_TO(STREAM_ENDED)},
    [STREAM_ENDED] = {"ended", 0},
};

struct stream {
    struct later later;
    struct app *app;
    px_handle self, lower;
    const struct px_stream_events *events;
    void *arg;
    struct px_chain out;
    struct px_credit_in in_credit;
    uint64_t credit;
    uint32_t state;
    bool finished, fin_sent, close_wanted, told_to_wait;
};

size_t stream_size(void)
{
    return sizeof(struct stream);
}

static struct px_stream stream_handle(const struct stream *s)
{
    return (struct px_stream){s->app->system, s->self};
}

static struct stream *stream_of(struct px_stream stream)
{
    struct app *app = stream.system->app;
    struct stream *s = app == NULL ? NULL : px_pool_own(&app->streams, stream.handle);
    return s == NULL || s->state == STREAM_ENDED ? NULL : s;
}

static void stream_tell(struct stream *s, uint16_t method, void *take_body)
{
    px_send(s->app->env, s->app->net, method, take_body, s->lower);
}

static void stream_end(struct stream *s, enum px_status status)
{
    struct app *app = s->app;
    px_fsm_move(stream_table, &s->state, STREAM_ENDED);
    if (s->events->closed != NULL) {
        s->events->closed(stream_handle(s), s->arg, status);
    }
    px_want_cancel(app->env, &s->later.want);
    px_chain_clear(&s->out);
    px_pool_put(&app->streams, s);
    app_check_drained(app);
}

static void stream_flush(struct later *later)
{
    struct stream *s = px_container_of(later, struct stream, later);
    later->what = 0;
    if (s->state == STREAM_OPEN && s->events->drained != NULL) {
        s->events->drained(stream_handle(s), s->arg);
    }
}

/* ---- sending ---- */

static void stream_send_close(struct stream *s)
{
    stream_tell(s, LOWER_CLOSE, px_msg_new(s->app->env, &stream__close_stream__descriptor));
    px_fsm_move(stream_table, &s->state, STREAM_CLOSING);
}

static bool stream_fin_is_due(const struct stream *s)
{
    return s->out.len == 0 && s->finished && !s->fin_sent;
}

static void stream_pump(struct stream *s)
{
    while (s->state == STREAM_OPEN && (s->out.len > 0 || stream_fin_is_due(s))) {
        uint64_t room = px_credit_room(s->credit);
        if (room == 0) {
            return;
        }
        Stream__DataBytes *m = px_msg_new(s->app->env, &stream__data_bytes__descriptor);
        s->credit -= px_charge(px_msg_attach_chain(m, &s->out, room));
        s->fin_sent = stream_fin_is_due(s);
        m->fin = s->fin_sent;
        stream_tell(s, LOWER_DATA, m);
    }
    if (s->state == STREAM_OPEN && s->out.len == 0 && s->close_wanted) {
        stream_send_close(s);
    }
    if (s->told_to_wait && s->out.len == 0) {
        s->told_to_wait = false;
        s->later.what = LATER_DRAINED;
        px_want_flush(s->app->env, &s->later.want);
    }
}

enum px_sent px_stream_send(struct px_stream stream, const void *data, size_t len)
{
    struct stream *s = stream_of(stream);
    if (s == NULL) {
        return PX_SENT_STALE;
    }
    if (s->state == STREAM_CLOSING || s->finished || s->close_wanted || len > SEND_LEN_MAX) {
        return PX_SENT_REFUSED;
    }
    if (s->out.len >= STREAM_QUEUE_MAX) {
        s->told_to_wait = true;
        px_count(s->app->env, COUNT_FULL, 1);
        return PX_SENT_FULL;
    }
    if (len > 0 && !px_chain_copy_in(s->app->env, &s->out, data, len)) {
        return PX_SENT_REFUSED;
    }
    stream_pump(s);
    if (s->out.len == 0) {
        return PX_SENT_OK;
    }
    s->told_to_wait = true;
    return PX_SENT_QUEUED;
}

enum px_err px_stream_finish(struct px_stream stream)
{
    struct stream *s = stream_of(stream);
    if (s == NULL) {
        return PX_ESTALE;
    }
    s->finished = true;
    stream_pump(s);
    return PX_EOK;
}

static void stream_close(struct stream *s)
{
    s->close_wanted = true;
    stream_pump(s);
}

enum px_err px_stream_close(struct px_stream stream)
{
    struct stream *s = stream_of(stream);
    if (s == NULL) {
        return PX_ESTALE;
    }
    stream_close(s);
    return PX_EOK;
}

enum px_err px_stream_reset(struct px_stream stream)
{
    struct stream *s = stream_of(stream);
    if (s == NULL) {
        return PX_ESTALE;
    }
    if (s->state == STREAM_OPENING) {
        s->close_wanted = true; /* there is no handle to reset yet */
        return PX_EOK;
    }
    Stream__ResetStream *m = px_msg_new(s->app->env, &stream__reset_stream__descriptor);
    m->reason = PX_CANCELLED;
    stream_tell(s, LOWER_RESET, m);
    px_chain_clear(&s->out);
    if (s->state == STREAM_OPEN) {
        px_fsm_move(stream_table, &s->state, STREAM_CLOSING);
    }
    return PX_EOK;
}

enum px_err px_stream_set_arg(struct px_stream stream, void *arg)
{
    struct stream *s = stream_of(stream);
    if (s == NULL) {
        return PX_ESTALE;
    }
    s->arg = arg;
    return PX_EOK;
}

/* ---- receiving ---- */

enum px_err px_stream_settle(struct px_stream stream, size_t len)
{
    struct stream *s = stream_of(stream);
    if (s == NULL) {
        return PX_ESTALE;
    }
    uint64_t unsettled = (uint64_t)s->in_credit.unsettled[0] + s->in_credit.unsettled[1];
    uint64_t settled = len == SIZE_MAX ? unsettled : len;
    if (settled > unsettled) {
        return PX_EINVAL;
    }
    px_credit_settle(&s->in_credit, settled);
    uint32_t due = s->state == STREAM_OPEN ? px_credit_due(&s->in_credit) : 0;
    if (due > 0) {
        Stream__CreditBytes *m = px_msg_new(s->app->env, &stream__credit_bytes__descriptor);
        m->bytes = due;
        stream_tell(s, LOWER_CREDIT, m);
    }
    return PX_EOK;
}

void stream_on_data(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Stream__DataBytes *data = msg->body;
    struct stream *s = px_pool_at(&app->streams, msg);
    if (s == NULL || s->state != STREAM_OPEN) {
        return;
    }
    if (!px_credit_received(&s->in_credit, px_msg_payload_len(msg))) {
        px_stream_reset(stream_handle(s));
        return;
    }
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n && s->state == STREAM_OPEN && s->events->data != NULL; i++) {
        s->events->data(stream_handle(s), s->arg, slices[i].ptr, slices[i].len);
    }
    if (data->fin && s->state == STREAM_OPEN && s->events->fin != NULL) {
        s->events->fin(stream_handle(s), s->arg);
    }
}

void stream_on_credit(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Stream__CreditBytes *credit = msg->body;
    struct stream *s = px_pool_at(&app->streams, msg);
    if (s != NULL) {
        s->credit += credit->bytes;
        stream_pump(s);
    }
}

void stream_on_closed(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Stream__ClosedStream *closed = msg->body;
    struct stream *s = px_pool_at(&app->streams, msg);
    if (s != NULL) {
        stream_end(s, (enum px_status)closed->reason);
    }
}

/* ---- beginning ---- */

static struct stream *stream_new(struct app *app, const struct px_stream_events *events, void *arg)
{
    struct stream *s = px_pool_get(&app->streams);
    if (s != NULL) {
        s->app = app;
        s->later.flush = stream_flush;
        s->events = events;
        s->arg = arg;
        s->self = px_pool_issue(&app->streams, s, px_mailbox_peer(app->env, app->net));
    }
    return s;
}

static void stream_opened(struct stream *s, px_handle lower, uint32_t credit)
{
    s->lower = lower;
    s->credit = credit;
    px_fsm_move(stream_table, &s->state, STREAM_OPEN);
    if (s->events->opened != NULL) {
        s->events->opened(stream_handle(s), s->arg);
    }
    stream_pump(s); /* what was sent before it was open */
}

static void accepted_refuse(struct app *app, px_handle lower)
{
    Stream__ResetStream *m = px_msg_new(app->env, &stream__reset_stream__descriptor);
    m->reason = PX_BUSY;
    px_count(app->env, COUNT_BUSY, 1);
    px_send(app->env, app->net, LOWER_RESET, m, lower);
}

void stream_on_accepted(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Stream__AcceptedStream *accepted = msg->body;
    struct px_system *system = app->system;
    struct listener *listener =
        accepted->listener < system->n_listeners ? &system->listeners[accepted->listener] : NULL;
    struct stream *s = listener == NULL || !listener->is_stream || app->stopping
                           ? NULL
                           : stream_new(app, listener->events, listener->arg);
    if (s == NULL) {
        accepted_refuse(app, accepted->lower);
        return;
    }
    Stream__ClaimStream *m = px_msg_new(app->env, &stream__claim_stream__descriptor);
    m->upper = s->self;
    m->credit = px_credit_open(&s->in_credit, STREAM_WINDOW);
    s->lower = accepted->lower;
    stream_tell(s, LOWER_CLAIM, m);
    stream_opened(s, accepted->lower, accepted->credit);
}

static void connect_done(struct app *app, const struct call *call, const struct px_msg *reply)
{
    const Stream__Opened *opened = reply->body;
    struct stream *s = px_pool_own(&app->streams, call->about);
    if (s == NULL) {
        return;
    }
    if (reply->status == PX_OK) {
        stream_opened(s, opened->lower, opened->credit);
    } else {
        stream_end(s, reply->status);
    }
}

enum px_err px_stream_connect(struct px_system *system, const char *address,
                              const struct px_stream_events *events, void *arg,
                              struct px_stream *ret_stream)
{
    PX_TRY(px_system_start(system));
    struct app *app = system->app;
    struct stream *s = stream_new(app, events, arg);
    struct call *call = s == NULL ? NULL : call_new(app, connect_done, s->self);
    if (call == NULL) {
        px_pool_put(&app->streams, s);
        return system_fail(system, PX_ELIMIT, address, "too many streams or calls are open");
    }
    Stream__OpenStream *m =
        px_msg_new_sized(app->env, &stream__open_stream__descriptor, ADDRESS_TEXT_MAX);
    px_msg_put(m, &m->target, address, strlen(address));
    m->upper = s->self;
    m->credit = px_credit_open(&s->in_credit, STREAM_WINDOW);
    px_call(app->env, app->net, LOWER_OPEN, m, PX_MS(CONNECT_DEADLINE_MS),
            px_handle_of(&app->calls, call));
    *ret_stream = stream_handle(s);
    return PX_EOK;
}

enum px_err px_stream_listen(struct px_system *system, const char *address,
                             const struct px_listen *options, const struct px_stream_events *events,
                             void *arg)
{
    struct listener proto = {.is_stream = true, .events = events, .arg = arg};
    const struct listener *listener = NULL;
    PX_TRY(listener_open(system, address, options, &proto, &listener));
    memcpy(system->stream_address, listener->address, ADDRESS_TEXT_MAX);
    return PX_EOK;
}

const char *px_stream_address(const struct px_system *system)
{
    return system->stream_address;
}

/* ---- the end of others ---- */

bool stream_lost(struct app *app, px_peer from, px_handle tag)
{
    struct stream *s = px_pool_own(&app->streams, tag);
    if (s == NULL || px_pool_owner(&app->streams, s) != from) {
        return false;
    }
    px_stream_reset(stream_handle(s));
    stream_end(s, PX_NO_MEMORY);
    return true;
}

void stream_gone(struct app *app, px_peer peer)
{
    struct stream *s = px_pool_next(&app->streams, NULL);
    while (s != NULL) {
        struct stream *next = px_pool_next(&app->streams, s);
        if (px_pool_owner(&app->streams, s) == peer) {
            stream_end(s, PX_SERVICE_GONE);
        }
        s = next;
    }
}

void stream_stop(struct app *app)
{
    struct stream *s = NULL;
    while ((s = px_pool_next(&app->streams, s)) != NULL) {
        stream_close(s);
    }
}
