/* app.c - each exchange: BEFORE our first message, SPOKEN after it, FINISHED when we have nothing
 * more to say; it is forgotten at Ended, or when a message about it was lost.
 */
#include "app.h"

#include <px/assert.h>
#include <px/fsm.h>
#include <stdio.h>
#include <string.h>

#include "header_list.h"
#include "http.pb-c.h"
#include "http_contract.h"

enum { EXCHANGES_MAX = 256, WINDOW = 8192, PIECE_MAX = 4096 };

enum exchange_state { FREE, BEFORE, SPOKEN, FINISHED, N_STATES };

static const struct px_state exchange_table[N_STATES] = {
    [FREE] = {"free", PX_TO(BEFORE)},
    [BEFORE] = {"before", PX_TO(SPOKEN) | PX_TO(FREE)},
    [SPOKEN] = {"spoken", PX_TO(FINISHED) | PX_TO(FREE)},
    [FINISHED] = {"finished", PX_TO(FREE)},
};

struct app {
    struct px_env *env;
    struct px_pool exchanges;
};

struct exchange {
    struct app *app;
    uint32_t state;
    px_addr engine;
    px_peer engine_peer;
    px_handle requester;
    struct px_sul later;
    struct px_want want;
    struct px_credit_in in_credit;
    uint64_t credit; /* of the response's body */
    uint64_t sent, received;
    uint32_t id, len, ms, sum;
    char mode;
    bool body; /* the head is out, the body goes on */
};

static void exchange_free(struct exchange *x)
{
    px_sul_cancel(x->app->env, &x->later);
    px_want_cancel(x->app->env, &x->want);
    px_fsm_move(exchange_table, &x->state, FREE);
    px_pool_put(&x->app->exchanges, x);
}

/* Our handle, when this is the first message: 0 after that. */
static px_handle introduce(struct exchange *x)
{
    if (x->state != BEFORE) {
        return 0;
    }
    px_fsm_move(exchange_table, &x->state, SPOKEN);
    return px_pool_issue(&x->app->exchanges, x, x->engine_peer);
}

/* Sends; if our very first message is lost, the engine never learns of us. False: `x` is gone. */
static bool say(struct exchange *x, uint16_t method, void *m, bool first)
{
    if (px_send(x->app->env, x->engine, method, m, x->requester) || !first) {
        return true;
    }
    exchange_free(x);
    return false;
}

static void cancel(struct exchange *x, enum px_status reason)
{
    Http__CancelExchange *m = px_msg_new(x->app->env, &http__cancel_exchange__descriptor);
    bool first = x->state == BEFORE;
    m->responder = introduce(x);
    m->reason = (uint32_t)reason;
    if (say(x, REQUESTER_CANCEL, m, first) && x->state == SPOKEN) {
        px_fsm_move(exchange_table, &x->state, FINISHED);
    }
}

static bool body_attach(struct exchange *x, void *m, uint32_t len)
{
    struct px_buf *buf = px_buf_new(x->app->env, len);
    if (buf == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        px_buf_data(buf)[i] = app_byte(x->id, x->sent + i);
    }
    return px_msg_attach_take(m, buf, 0, len);
}

static void fields_put(const struct exchange *x, void *m, ProtobufCBinaryData *ret)
{
    uint8_t list[64];
    char id[16];
    snprintf(id, sizeof id, "%u", x->id);
    struct px_bytes_out out = px_bytes_out_of(list, sizeof list);
    px_header_list_put(&out, px_span_of_str("x-id"), px_span_of_str(id));
    px_msg_put(m, ret, list, px_bytes_out_len(&out));
}

/* The head, with `len` bytes of a body of `whole` (UINT64_MAX: unknown). */
static void respond(struct exchange *x, uint32_t len, uint64_t whole)
{
    Http__Response *m = px_msg_new(x->app->env, &http__response__descriptor);
    bool first = x->state == BEFORE;
    m->status = 200;
    m->has_length = whole != UINT64_MAX;
    m->length = m->has_length ? whole : 0;
    m->fin = len == whole;
    fields_put(x, m, &m->fields);
    if (len > 0 && !body_attach(x, m, len)) {
        px_msg_drop(m);
        cancel(x, PX_NO_MEMORY);
        return;
    }
    m->responder = introduce(x);
    x->sent = len;
    x->body = !m->fin;
    bool fin = m->fin;
    if (say(x, REQUESTER_RESPOND, m, first) && fin) {
        px_fsm_move(exchange_table, &x->state, FINISHED);
    }
}

static void respond_sum(struct exchange *x)
{
    Http__Response *m = px_msg_new(x->app->env, &http__response__descriptor);
    struct px_buf *buf = px_buf_new(x->app->env, 32);
    if (buf == NULL) {
        px_msg_drop(m);
        cancel(x, PX_NO_MEMORY);
        return;
    }
    int len =
        snprintf((char *)px_buf_data(buf), 32, "%llu %u", (unsigned long long)x->received, x->sum);
    m->status = 200;
    m->fin = m->has_length = true;
    m->length = (uint64_t)len;
    fields_put(x, m, &m->fields);
    (void)px_msg_attach_take(m, buf, 0, (uint32_t)len);
    bool first = x->state == BEFORE;
    m->responder = introduce(x);
    if (say(x, REQUESTER_RESPOND, m, first)) {
        px_fsm_move(exchange_table, &x->state, FINISHED);
    }
}

static void credit_give(struct exchange *x, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(x->app->env, &http__exchange_credit__descriptor);
    bool first = x->state == BEFORE;
    m->responder = introduce(x);
    m->bytes = bytes;
    (void)say(x, REQUESTER_CREDIT, m, first);
}

static void on_later(struct px_sul *sul)
{
    struct exchange *x = px_container_of(sul, struct exchange, later);
    respond(x, x->len, x->len);
}

static void begin(struct exchange *x, bool fin)
{
    switch (x->mode) {
    case 'n':
    case 'e':
        respond(x, x->len, x->len);
        break;
    case 'l':
        px_sul_schedule(x->app->env, &x->later, on_later, PX_MS(x->ms));
        break;
    case 's':
        respond(x, 0, x->len);
        break;
    case 'c':
        respond(x, 0, UINT64_MAX);
        break;
    case 'u':
        if (fin) {
            respond_sum(x);
        } else {
            credit_give(x, px_credit_open(&x->in_credit, WINDOW));
        }
        break;
    case 'v':
        credit_give(x, 0);
        break;
    default:
        cancel(x, PX_CANCELLED);
        break;
    }
}

static void on_exchange(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Http__Request *req = msg->body;
    char path[64] = {0};
    struct exchange *x = px_pool_get(&app->exchanges);
    px_count(app->env, APP_REQUESTS, 1);
    if (x == NULL) { /* without an element there is no handle to tell; the requester's is enough */
        Http__CancelExchange *m = px_msg_new(app->env, &http__cancel_exchange__descriptor);
        (void)px_send(app->env, PX_PEER_ADDR(msg->from), REQUESTER_CANCEL, m, req->requester);
        return;
    }
    x->app = app;
    x->engine = PX_PEER_ADDR(msg->from);
    x->engine_peer = msg->from;
    x->requester = req->requester;
    x->credit = req->credit;
    x->sum = 2166136261u;
    px_fsm_move(exchange_table, &x->state, BEFORE);
    memcpy(path, req->path.data, req->path.len < sizeof path ? req->path.len : sizeof path - 1);
    if (sscanf(path, "/%c/%u/%u/%u", &x->mode, &x->id, &x->len, &x->ms) != 4) {
        x->mode = '?';
    }
    px_handle handle = px_handle_of(&app->exchanges, x);
    begin(x, req->fin);
    if (px_pool_own(&app->exchanges, handle) != NULL && x->body) {
        px_want_flush(app->env, &x->want);
    }
}

static void on_data(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct exchange *x = px_pool_at(&app->exchanges, msg);
    const Http__BodyBytes *req = msg->body;
    if (x == NULL) {
        return;
    }
    uint64_t len = px_msg_payload_len(msg);
    bool within = px_credit_received(&x->in_credit, len);
    PX_ASSERT(within);
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t at = 0; at < slices[i].len; at++) {
            x->sum = app_sum(x->sum, slices[i].ptr[at]);
        }
    }
    x->received += len;
    px_credit_settle(&x->in_credit, len);
    uint32_t due = req->fin ? 0 : px_credit_due(&x->in_credit);
    if (x->state != SPOKEN) {
        return;
    }
    if (req->fin) {
        respond_sum(x);
    } else if (due > 0) {
        credit_give(x, due);
    }
}

static void on_trailers(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct exchange *x = px_pool_at(&app->exchanges, msg);
    if (x != NULL && x->state == SPOKEN) {
        respond_sum(x);
    }
}

static void on_credit(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct exchange *x = px_pool_at(&app->exchanges, msg);
    if (x != NULL) {
        x->credit += ((const Http__ExchangeCredit *)msg->body)->bytes;
        px_want_flush(app->env, &x->want);
    }
}

static void on_ended(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    struct exchange *x = px_pool_at(&app->exchanges, msg);
    px_count(app->env, x == NULL ? APP_STRAY_ENDED : APP_ENDED, 1);
    if (x != NULL) {
        exchange_free(x);
    }
}

static void trailers_say(struct exchange *x)
{
    Http__TrailerFields *m = px_msg_new(x->app->env, &http__trailer_fields__descriptor);
    fields_put(x, m, &m->fields);
    px_fsm_move(exchange_table, &x->state, FINISHED);
    (void)say(x, REQUESTER_TRAILERS, m, false);
}

/* One piece of a body under credit; the next in the next turn. */
static void app_flush(void *state, struct px_want *want)
{
    struct exchange *x = px_container_of(want, struct exchange, want);
    (void)state;
    uint64_t room = px_credit_room(x->credit);
    if (x->state != SPOKEN || !x->body || room == 0) {
        return;
    }
    uint64_t left = x->len - x->sent;
    uint32_t len = (uint32_t)(left < room ? left : room);
    len = len < PIECE_MAX ? len : PIECE_MAX;
    if (len == 0 && x->mode == 'c') {
        trailers_say(x);
        return;
    }
    Http__BodyBytes *m = px_msg_new(x->app->env, &http__body_bytes__descriptor);
    if (len > 0 && !body_attach(x, m, len)) {
        px_msg_drop(m);
        cancel(x, PX_NO_MEMORY);
        return;
    }
    m->fin = len == left && x->mode == 's';
    x->credit -= px_charge(len);
    x->sent += len;
    if (m->fin) {
        px_fsm_move(exchange_table, &x->state, FINISHED);
    } else {
        px_want_flush(x->app->env, &x->want);
    }
    (void)say(x, REQUESTER_DATA, m, false);
}

/* The engine answered by itself. */
static void on_refused(void *state, const struct px_msg *msg)
{
    const struct app *app = state;
    (void)msg;
    px_count(app->env, APP_REFUSED, 1);
}

/* Something about an exchange was lost, perhaps its Ended: it is over for us. */
static void app_lost(void *state, px_peer from, px_handle tag)
{
    struct app *app = state;
    struct exchange *x = px_pool_own(&app->exchanges, tag);
    if (x == NULL || x->engine_peer != from) {
        return;
    }
    Http__CancelExchange *m = px_msg_new(app->env, &http__cancel_exchange__descriptor);
    m->reason = PX_NO_MEMORY;
    (void)px_send(app->env, x->engine, REQUESTER_CANCEL, m, x->requester);
    exchange_free(x);
}

static void app_gone(void *state, px_peer peer)
{
    struct app *app = state;
    for (struct exchange *x = NULL, *next = px_pool_next(&app->exchanges, NULL);
         (x = next) != NULL;) {
        next = px_pool_next(&app->exchanges, x);
        if (x->engine_peer == peer) {
            exchange_free(x);
        }
    }
}

static enum px_err app_init(void *state, struct px_env *env)
{
    struct app *app = state;
    app->env = env;
    return px_pool_init(&app->exchanges, env, sizeof(struct exchange), EXCHANGES_MAX, 0);
}

static const struct px_handler app_handlers[] = {
    {RESPONDER_EXCHANGE, on_exchange}, {RESPONDER_DATA, on_data},
    {RESPONDER_TRAILERS, on_trailers}, {RESPONDER_CREDIT, on_credit},
    {RESPONDER_ENDED, on_ended},       {RESPONDER_REFUSED, on_refused},
};

static const char *const app_counters[APP_COUNTS] = {"requests", "ended", "stray_ended", "refused"};

const struct px_service app_service = {
    .name = "app",
    .state_size = sizeof(struct app),
    .handlers = app_handlers,
    .n_handlers = sizeof app_handlers / sizeof app_handlers[0],
    .counters = app_counters,
    .n_counters = APP_COUNTS,
    .init = app_init,
    .lost = app_lost,
    .gone = app_gone,
    .flush = app_flush,
};
