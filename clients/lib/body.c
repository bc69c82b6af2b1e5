/* body.c - request bodies: handed on as they come, or collected. Nothing comes before the program
 * asks for it; credit is what it has settled.
 */
#include "lib.h"

#include "http.pb-c.h"
#include "http_contract.h"

enum { SETTLE_AT_ONCE_MAX = READ_WINDOW_DEFAULT };

static void credit_tell(struct request *r, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(r->app->env, &http__exchange_credit__descriptor);
    m->responder = r->self;
    m->bytes = bytes;
    request_tell(r, REQUESTER_CREDIT, m);
}

static void body_settle(struct request *r, uint64_t len)
{
    px_credit_settle(&r->in_credit, len);
    uint32_t due = r->in_open ? px_credit_due(&r->in_credit) : 0;
    if (due > 0) {
        credit_tell(r, due);
    }
}

/* ---- handing on ---- */

static void body_event(struct request *r, const void *data, size_t len, bool fin)
{
    if (r->events != NULL && r->events->body != NULL && r->state != ENDED) {
        r->events->body(request_handle(r), r->arg, data, len, fin);
    }
}

static void body_deliver(struct request *r, const struct px_msg *msg, bool fin)
{
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        body_event(r, slices[i].ptr, slices[i].len, fin && i + 1 == n);
    }
    if (n == 0 && fin) {
        body_event(r, "", 0, true);
    }
}

/* ---- collecting ---- */

void body_refuse(struct request *r)
{
    px_chain_clear(&r->in);
    r->collected = NULL;
    r->in_reading = true; /* and no more credit */
}

static void collect_refuse(struct request *r)
{
    body_refuse(r);
    if (r->state == WAITING) {
        reply_simple(r, 413, "413 Content Too Large\n");
    }
}

static void collect_done(struct request *r)
{
    px_collected_fn fn = r->collected;
    size_t len = (size_t)r->in.len;
    struct px_buf *whole = px_buf_new(r->app->env, len == 0 ? 1 : len);
    r->collected = NULL;
    if (whole == NULL) {
        px_chain_clear(&r->in);
        request_cancel(r, PX_NO_MEMORY);
        return;
    }
    px_chain_peek(&r->in, px_buf_data(whole), len);
    px_chain_clear(&r->in);
    fn(request_handle(r), r->collected_arg, px_buf_data(whole), len);
    px_buf_put(whole);
}

static void collect_take(struct request *r, const struct px_msg *msg, bool fin)
{
    uint64_t len = px_msg_payload_len(msg);
    if (r->in.len + len > r->in_max) {
        collect_refuse(r);
        return;
    }
    if (!px_msg_take_payload(msg, &r->in)) {
        request_cancel(r, PX_NO_MEMORY);
        return;
    }
    if (fin) {
        collect_done(r);
    } else {
        body_settle(r, len); /* what is kept is bounded by in_max */
    }
}

/* ---- what the engine says ---- */

void body_on_data(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Http__BodyBytes *body = msg->body;
    struct request *r = px_pool_at(&app->requests, msg);
    if (r == NULL || !r->in_open) {
        return;
    }
    if (!r->relayed && !px_credit_received(&r->in_credit, px_msg_payload_len(msg))) {
        request_cancel(r, PX_PROTOCOL);
        return;
    }
    r->in_open = !body->fin;
    if (r->aside != NULL && !aside_body(r, px_msg_payload_len(msg), body->fin)) {
        return;
    }
    if (r->relayed) {
        relay_body(r, msg, body->fin);
    } else if (r->collected != NULL) {
        collect_take(r, msg, body->fin);
    } else {
        body_deliver(r, msg, body->fin);
    }
}

static void body_ended(struct request *r)
{
    if (r->collected != NULL) {
        collect_done(r);
    } else {
        body_event(r, "", 0, true);
    }
}

void body_on_trailers(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct request *r = px_pool_at(&app->requests, msg);
    if (r != NULL && r->in_open) {
        r->in_open = false;
        if (r->relayed) {
            relay_trailers(r, msg);
            return;
        }
        r->trailers = px_msg_hold(msg);
        if (r->aside == NULL || aside_body(r, 0, true)) {
            body_ended(r);
        }
    }
}

/* There was no body, but the program asked for it. */
void body_flush_fin(struct request *r)
{
    if (r->state != ENDED) {
        body_ended(r);
    }
}

/* ---- what the program says ---- */

static enum px_err body_open(struct request *r, uint32_t window)
{
    if (r->in_reading) {
        return PX_ESTATE;
    }
    r->in_reading = true;
    if (r->in_open) {
        credit_tell(r, px_credit_open(&r->in_credit, window));
    } else {
        request_later(r, LATER_BODY_FIN);
    }
    return PX_EOK;
}

enum px_err px_request_read(struct px_request request, uint32_t window)
{
    struct request *r = request_of(request);
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    if (window == 0) {
        window = READ_WINDOW_DEFAULT;
    }
    if (window < PX_CHARGE_MIN || window > READ_WINDOW_MAX) {
        return PX_EINVAL;
    }
    return body_open(r, window);
}

enum px_err px_request_settle(struct px_request request, size_t len)
{
    struct request *r = request_of(request);
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    uint64_t unsettled = (uint64_t)r->in_credit.unsettled[0] + r->in_credit.unsettled[1];
    uint64_t settled = len == SIZE_MAX ? unsettled : len;
    if (settled > unsettled) {
        return PX_EINVAL;
    }
    body_settle(r, settled);
    return PX_EOK;
}

enum px_err px_request_collect(struct px_request request, size_t len_max, px_collected_fn fn,
                               void *arg)
{
    struct request *r = request_of(request);
    uint64_t declared = 0;
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    if (len_max == 0 || len_max > BODY_LEN_MAX || fn == NULL) {
        return PX_EINVAL;
    }
    if (r->in_reading) {
        return PX_ESTATE;
    }
    if (px_request_length(request, &declared) && declared > len_max) {
        collect_refuse(r); /* before the client was told to continue */
        return PX_EOK;
    }
    r->collected = fn;
    r->collected_arg = arg;
    r->in_max = (uint32_t)len_max;
    return body_open(r, SETTLE_AT_ONCE_MAX);
}
