/* events.c - event streams: responses made of server-sent events.
 *
 * What there is credit for goes to the request at once, event by event. The rest waits here, where
 * the policy can still drop it; so never more than one event is broken off, and none in its middle.
 */
#include "event_stream.h"

#include <px/assert.h>

#include "event_text.h"

enum {
    QUEUE_DEFAULT = 65536,
    KEEP_ALIVE_DEFAULT_MS = 15000,
    KEEP_ALIVE_MIN_MS = 100,
    EVENT_FIELDS_MAX = 62, /* 64, Content-Type and Cache-Control are ours */
};

/* ---- finding ---- */

static void on_drained(struct px_request request, void *arg);
static void on_ended(struct px_request request, void *arg, enum px_status status);

static const struct px_request_events stream_hooks = {.drained = on_drained, .ended = on_ended};

enum px_err event_stream_of(struct px_request request, struct event_stream **ret_stream)
{
    struct request *r = request_of(request);
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    if (r->events != &stream_hooks) {
        return PX_ESTATE;
    }
    *ret_stream = r->arg;
    return PX_EOK;
}

/* ---- what waits ---- */

bool event_stream_full(const struct event_stream *s)
{
    return s->queued + s->request->out.len >= s->queue_max;
}

static bool is_idle(const struct event_stream *s)
{
    return s->queue.len == 0 && s->request->out.len == 0;
}

void event_stream_wait(struct event_stream *s)
{
    s->told_to_wait = true;
    s->request->told_to_wait = true;
}

static void queue_drop_first(struct event_stream *s)
{
    uint32_t len = px_chain_first(&s->queue)->len;
    px_chain_consume(&s->queue, len);
    s->queued -= px_charge(len);
    s->counts.waiting--;
}

/* Moves to the request what there is credit for. */
static void stream_pump(struct event_stream *s)
{
    struct request *r = s->request;
    struct px_env *env = r->app->env;
    while (s->queue.len > 0 && r->out.len < px_credit_room(r->credit)) {
        const struct px_slice *slice = px_chain_first(&s->queue);
        uint64_t off = (uint64_t)(slice->ptr - px_buf_data(slice->buf));
        if (!px_chain_append(env, &r->out, slice->buf, off, slice->len, slice->flags)) {
            request_cancel(r, PX_NO_MEMORY);
            s->finished = true;
            return;
        }
        queue_drop_first(s);
        s->sent_us = px_now_us(env);
    }
    if (r->out.len > 0) {
        reply_pump(r);
    }
    r->told_to_wait = r->told_to_wait || !is_idle(s); /* the next credit comes through drained */
}

static void on_drained(struct px_request request, void *arg)
{
    struct event_stream *s = arg;
    if (s->finished) {
        return;
    }
    stream_pump(s);
    if (s->told_to_wait && is_idle(s)) {
        s->told_to_wait = false;
        if (s->hook.events != NULL && s->hook.events->drained != NULL) {
            s->hook.events->drained(request, s->hook.arg);
        }
    }
}

/* ---- sending ---- */

enum px_sent event_stream_push(struct event_stream *s, const struct event_bytes *bytes)
{
    struct request *r = s->request;
    if (s->finished || r->state != SENDING) {
        return PX_SENT_STALE;
    }
    if (!px_chain_append(r->app->env, &s->queue, bytes->buf, 0, bytes->len, bytes->flags)) {
        return PX_SENT_REFUSED;
    }
    s->queued += px_charge(bytes->len);
    s->counts.waiting++;
    s->counts.taken++;
    stream_pump(s);
    if (is_idle(s)) {
        return PX_SENT_OK;
    }
    s->told_to_wait = true;
    return PX_SENT_QUEUED;
}

/* Room for one more, if the policy makes some. */
static bool room_make(struct event_stream *s)
{
    struct request *r = s->request;
    switch (s->policy) {
    case PX_EVENTS_BLOCK:
        s->counts.refused++;
        event_stream_wait(s);
        break;
    case PX_EVENTS_DROP_NEWEST:
        s->counts.dropped++;
        px_count(r->app->env, COUNT_EVENT_DROPPED, 1);
        break;
    case PX_EVENTS_DROP_OLDEST:
        while (event_stream_full(s) && s->queue.len > 0) {
            queue_drop_first(s);
            s->counts.dropped++;
            px_count(r->app->env, COUNT_EVENT_DROPPED, 1);
        }
        if (event_stream_full(s)) { /* one that is half gone is all that is left */
            s->counts.dropped++;
            px_count(r->app->env, COUNT_EVENT_DROPPED, 1);
        }
        break;
    case PX_EVENTS_CLOSE:
        s->counts.closed++;
        s->finished = true;
        px_count(r->app->env, COUNT_EVENT_CLOSED, 1);
        request_cancel(r, PX_LIMIT);
        break;
    }
    return s->policy == PX_EVENTS_DROP_OLDEST && !event_stream_full(s);
}

enum px_sent event_stream_offer(struct event_stream *s, const struct event_bytes *bytes)
{
    if (s->finished || s->request->state != SENDING) {
        return PX_SENT_STALE;
    }
    if (event_stream_full(s) && !room_make(s)) {
        return PX_SENT_FULL;
    }
    return event_stream_push(s, bytes);
}

enum px_err event_encode(struct px_env *env, const struct px_event *event,
                         struct event_bytes *ret_bytes)
{
    size_t len = 0;
    if (!event_text_len(event, &len)) {
        return PX_EINVAL;
    }
    struct px_buf *buf = px_buf_new(env, len);
    if (buf == NULL) {
        return PX_ENOMEM;
    }
    struct px_bytes_out out = px_bytes_out_of(px_buf_data(buf), len);
    event_text_write(event, &out);
    PX_ASSERT(!out.overflow && px_bytes_out_len(&out) == len);
    *ret_bytes = (struct event_bytes){buf, (uint32_t)len, 0};
    return PX_EOK;
}

enum px_sent px_events_send(struct px_request request, const struct px_event *event)
{
    struct event_stream *s = NULL;
    struct event_bytes bytes;
    enum px_err err = event_stream_of(request, &s);
    if (err != PX_EOK) {
        return err == PX_ESTALE ? PX_SENT_STALE : PX_SENT_REFUSED;
    }
    if (event_encode(s->request->app->env, event, &bytes) != PX_EOK) {
        return PX_SENT_REFUSED;
    }
    enum px_sent sent = event_stream_offer(s, &bytes);
    px_buf_put(bytes.buf);
    return sent;
}

enum px_sent px_events_text(struct px_request request, const char *name, const char *text)
{
    return px_events_send(request,
                          &(struct px_event){.name = name, .data = text, .data_len = strlen(text)});
}

/* ---- keep-alive ---- */

/* Sending does not move the timer: it looks how long ago that was. */
static void on_keep_alive(struct px_sul *sul)
{
    struct event_stream *s = px_container_of(sul, struct event_stream, keep_alive);
    struct request *r = s->request;
    struct px_env *env = r->app->env;
    uint64_t silent_us = px_now_us(env) - s->sent_us;
    if (s->finished || r->state != SENDING) {
        return;
    }
    if (silent_us >= s->keep_alive_us) {
        if (is_idle(s) && px_chain_copy_in(env, &r->out, ":\n", 2)) {
            s->counts.keep_alives++;
            stream_pump(s);
        }
        s->sent_us = px_now_us(env);
        silent_us = 0;
    }
    px_sul_schedule(env, &s->keep_alive, on_keep_alive, s->keep_alive_us - silent_us);
}

/* ---- beginning and ending ---- */

static enum px_err config_check(struct px_request request, const struct px_events_config *config)
{
    const struct request *r = request_of(request);
    if (config->keep_alive_ms > 0 && config->keep_alive_ms < KEEP_ALIVE_MIN_MS) {
        return PX_EINVAL;
    }
    if (config->n_fields > EVENT_FIELDS_MAX || config->policy > PX_EVENTS_CLOSE) {
        return PX_EINVAL;
    }
    PX_TRY(request_answerable(r));
    return r->hooked ? PX_ESTATE : PX_EOK;
}

static enum px_err head_send(struct px_request request, const struct px_events_config *config)
{
    struct px_field fields[EVENT_FIELDS_MAX + 1] = {{"cache-control", "no-store"}};
    if (config->n_fields > 0) {
        memcpy(fields + 1, config->fields, config->n_fields * sizeof *fields);
    }
    return px_request_begin(request, &(struct px_reply){.content_type = "text/event-stream",
                                                        .fields = fields,
                                                        .n_fields = config->n_fields + 1});
}

static enum px_err stream_finish(struct event_stream *s)
{
    struct request *r = s->request;
    if (s->finished || r->state != SENDING) {
        return PX_ESTATE;
    }
    s->finished = true;
    px_sul_cancel(r->app->env, &s->keep_alive);
    px_chain_join(&r->out, &s->queue);
    s->queued = 0;
    s->counts.waiting = 0;
    return px_request_finish(request_handle(r), NULL, 0);
}

enum px_err px_events_begin(struct px_request request, const struct px_events_config *config)
{
    static const struct px_events_config defaults;
    config = config == NULL ? &defaults : config;
    struct request *r = request_of(request);
    PX_TRY(config_check(request, config));
    struct event_stream *s = px_pool_get(&r->app->event_streams);
    if (s == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = head_send(request, config);
    if (err != PX_EOK) {
        px_pool_put(&r->app->event_streams, s);
        return err;
    }
    uint32_t keep_alive_ms =
        config->keep_alive_ms == 0 ? KEEP_ALIVE_DEFAULT_MS : config->keep_alive_ms;
    s->request = r;
    s->queue_max = config->queue_max == 0 ? QUEUE_DEFAULT : config->queue_max;
    s->policy = config->policy;
    s->keep_alive_us = keep_alive_ms == UINT32_MAX ? PX_NEVER : PX_MS(keep_alive_ms);
    s->sent_us = px_now_us(r->app->env);
    hook_set(r, &s->hook, &stream_hooks);
    px_sul_schedule(r->app->env, &s->keep_alive, on_keep_alive, s->keep_alive_us);
    if (r->is_head || r->app->stopping) {
        return stream_finish(s);
    }
    if (config->retry_ms != 0) {
        px_events_send(request, &(struct px_event){.retry_ms = config->retry_ms});
        s->counts.taken = 0;
    }
    return PX_EOK;
}

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    struct event_stream *s = arg;
    struct app *app = s->request->app;
    if (s->hook.events != NULL && s->hook.events->ended != NULL) {
        s->hook.events->ended(request, s->hook.arg, status);
    }
    for (uint32_t i = 0; i < PX_EVENTS_TOPICS_MAX; i++) {
        member_end(&s->members[i]);
    }
    px_sul_cancel(app->env, &s->keep_alive);
    px_chain_clear(&s->queue);
    px_pool_put(&app->event_streams, s);
}

enum px_err px_events_finish(struct px_request request)
{
    struct event_stream *s = NULL;
    PX_TRY(event_stream_of(request, &s));
    return stream_finish(s);
}

void event_streams_stop(struct app *app)
{
    struct event_stream *s = NULL;
    while ((s = px_pool_next(&app->event_streams, s)) != NULL) {
        (void)stream_finish(s); /* one that is finished already is fine */
    }
}

size_t event_stream_size(void)
{
    return sizeof(struct event_stream);
}

/* ---- looking ---- */

struct px_text px_events_last_id(struct px_request request)
{
    struct px_text id = {"", 0};
    (void)px_request_field(request, "last-event-id", &id);
    return id;
}

enum px_err px_events_count(struct px_request request, struct px_events_counts *ret_counts)
{
    struct event_stream *s = NULL;
    PX_TRY(event_stream_of(request, &s));
    *ret_counts = s->counts;
    return PX_EOK;
}
