/* h1_act.h - what a test does on h1_rig.h as the client and as the application, and what it expects
 * to see.
 */
#ifndef H1_ACT_H
#define H1_ACT_H

#include "h1_rig.h"

/* ---- what tests do: the client ---- */

static inline struct wire *wire_new_from(const uint8_t *remote, size_t remote_len, bool adopted)
{
    struct wire *w = px_pool_get(&rig.wires);
    RIG_REQUIRE(w != NULL);
    static uint8_t local[6] = {127, 0, 0, 1, 0, 80};
    w->lower = px_pool_issue(&rig.wires, w, px_mailbox_peer(net_env(), rig.h1));
    Stream__AcceptedStream *m = px_msg_new(net_env(), &stream__accepted_stream__descriptor);
    m->lower = w->lower;
    m->credit = rig.send_credit;
    m->file_ranges = !rig.no_file_ranges;
    m->listener = 7;
    m->adopted = adopted;
    px_msg_put(m, &m->remote, remote, remote_len);
    px_msg_put(m, &m->local, local, sizeof local);
    (void)px_send(net_env(), rig.h1, UPPER_ACCEPTED, m, 0);
    rig_run();
    return w;
}

static inline struct wire *wire_new(void)
{
    static const uint8_t remote[6] = {10, 0, 0, 1, 1, 2};
    struct wire *w = wire_new_from(remote, sizeof remote, false);
    RIG_REQUIRE(w->claimed);
    return w;
}

/* One Data message as it would come from net: a slice of a large buffer. Does not run. */
static inline void wire_deliver(struct wire *w, const void *data, size_t len, bool fin)
{
    if (w->close || w->reset || !w->claimed) {
        return; /* the provider discards */
    }
    RIG_REQUIRE(len == 0 || px_charge(len) <= w->window);
    Stream__DataBytes *m = px_msg_new(net_env(), &stream__data_bytes__descriptor);
    m->fin = fin;
    if (len > 0) {
        struct px_buf *buf = px_buf_new(net_env(), len > PX_BUF_HUGE ? len : PX_BUF_HUGE);
        if (buf == NULL) {
            px_msg_drop(m);
            w->reset = true;
            return;
        }
        memcpy(px_buf_data(buf), data, len);
        (void)px_msg_attach_take(m, buf, 0, (uint32_t)len);
    }
    w->window -= len > 0 ? px_charge(len) : 0;
    w->delivered += len;
    if (!px_send(net_env(), rig.h1, UPPER_DATA, m, w->upper)) {
        w->reset = true;
    }
}

static inline void wire_send_bytes(struct wire *w, const void *data, size_t len)
{
    wire_deliver(w, data, len, false);
    rig_run();
}

static inline void wire_send(struct wire *w, const char *text)
{
    wire_send_bytes(w, text, strlen(text));
}

static inline void wire_fin(struct wire *w)
{
    wire_deliver(w, NULL, 0, true);
    rig_run();
}

/* In pieces of `step` bytes, as far as the window allows; bytes sent. */
static inline size_t wire_send_in(struct wire *w, const void *data, size_t len, size_t step)
{
    size_t at = 0;
    while (at < len && !w->close && !w->reset) {
        size_t n = len - at < step ? len - at : step;
        if (px_charge(n) > w->window) {
            break;
        }
        wire_send_bytes(w, (const uint8_t *)data + at, n);
        at += n;
    }
    return at;
}

static inline void wire_expect_bytes(struct wire *w, const void *data, size_t len, const char *file,
                                     int line)
{
    if (w->out_len != len || (len > 0 && memcmp(w->out, data, len) != 0)) {
        char text[8000];
        snprintf(text, sizeof text, "%s:%d: expected\n%.*s\n--- but came\n%.*s\n---", file, line,
                 (int)(len < 3500 ? len : 3500), (const char *)data,
                 (int)(w->out_len < 3500 ? w->out_len : 3500),
                 w->out_len > 0 ? (char *)w->out : "");
        RIG_FAIL(text);
    }
    w->out_len = 0;
}
#define wire_expect(w, text) wire_expect_bytes((w), (text), strlen(text), __FILE__, __LINE__)

/* The provider says Closed and forgets the stream. */
static inline void wire_end(struct wire *w, enum px_status reason)
{
    if (w->rebind != NULL) {
        px_reply_status(net_env(), w->rebind, PX_STALE);
        px_msg_release(w->rebind);
        w->rebind = NULL;
    }
    if (w->claimed) {
        Stream__ClosedStream *m = px_msg_new(net_env(), &stream__closed_stream__descriptor);
        m->reason = (uint32_t)reason;
        (void)px_send(net_env(), rig.h1, UPPER_CLOSED, m, w->upper);
    }
    free(w->out);
    px_pool_put(&rig.wires, w);
    rig_run();
}

/* h1 has said Close and nothing but Close. */
static inline void wire_expect_close_at(struct wire *w, const char *file, int line)
{
    if (!w->close || w->reset || w->out_len > 0) {
        char text[600];
        snprintf(text, sizeof text,
                 "%s:%d: expected Close; close %d reset %d, %zu bytes left:\n%.*s", file, line,
                 w->close, w->reset, w->out_len, (int)(w->out_len < 400 ? w->out_len : 400),
                 w->out_len > 0 ? (char *)w->out : "");
        RIG_FAIL(text);
    }
    wire_end(w, PX_OK);
}
#define wire_expect_close(w) wire_expect_close_at((w), __FILE__, __LINE__)

static inline void wire_expect_reset(struct wire *w)
{
    RIG_REQUIRE(w->reset);
    wire_end(w, PX_CANCELLED);
}

static inline void wire_expect_open(struct wire *w)
{
    RIG_REQUIRE(!w->close && !w->reset && w->claimed);
}

/* ---- what tests do: the application ---- */

/* The oldest request not yet looked at must be this one. */
static inline struct req *req_expect_at(const char *method, const char *path, const char *file,
                                        int line)
{
    if (rig.n_order == 0 || strcmp(rig.order[0]->method, method) != 0 ||
        strcmp(rig.order[0]->path, path) != 0) {
        char text[600];
        snprintf(text, sizeof text, "%s:%d: expected %s %s, came %.100s %.300s", file, line, method,
                 path, rig.n_order == 0 ? "nothing" : rig.order[0]->method,
                 rig.n_order == 0 ? "" : rig.order[0]->path);
        RIG_FAIL(text);
    }
    struct req *r = rig.order[0];
    memmove(&rig.order[0], &rig.order[1], (rig.n_order - 1) * sizeof rig.order[0]);
    rig.n_order--;
    return r;
}
#define req_expect(method, path) req_expect_at((method), (path), __FILE__, __LINE__)

static inline void req_fields(void *body, ProtobufCBinaryData *ret, const char *fields)
{
    uint8_t list[60000];
    struct px_bytes_out out = px_bytes_out_of(list, sizeof list);
    while (fields != NULL && *fields != '\0') {
        const char *colon = strchr(fields, ':');
        const char *end = strchr(fields, '\n');
        px_header_list_put(&out, px_span_of(fields, (size_t)(colon - fields)),
                           px_span_of(colon + 2, (size_t)(end - colon - 2)));
        fields = end + 1;
    }
    px_msg_put(body, ret, list, px_bytes_out_len(&out));
}

/* How a response looks; `body` NULL: none. Fields "name: value\n"... */
struct answer_plan {
    uint32_t status;
    const char *fields;
    const char *body;
    size_t body_len; /* 0: strlen */
    bool more;       /* not fin */
    bool has_length;
    uint64_t length;
};

static inline void req_attach(void *m, const char *body, size_t len)
{
    if (len > 0) {
        struct px_buf *buf = px_buf_new(app_env(), len);
        if (buf != NULL) {
            memcpy(px_buf_data(buf), body, len);
            (void)px_msg_attach_take(m, buf, 0, (uint32_t)len);
        }
    }
}

static inline void req_answer(struct req *r, const struct answer_plan *plan)
{
    Http__Response *m = px_msg_new(app_env(), &http__response__descriptor);
    size_t len = plan->body == NULL ? 0 : plan->body_len > 0 ? plan->body_len : strlen(plan->body);
    m->responder = r->self;
    m->status = plan->status;
    m->fin = !plan->more;
    m->has_length = plan->has_length;
    m->length = plan->length;
    req_fields(m, &m->fields, plan->fields);
    req_attach(m, plan->body, len);
    r->known = true;
    (void)px_send(app_env(), rig.h1, REQUESTER_RESPOND, m, r->requester);
}

#define req_respond(r, ...) (req_answer((r), &(struct answer_plan){__VA_ARGS__}), rig_run())

static inline void req_data(struct req *r, const char *body, size_t len, bool fin)
{
    Http__BodyBytes *m = px_msg_new(app_env(), &http__body_bytes__descriptor);
    m->fin = fin;
    req_attach(m, body, len);
    uint64_t cost = px_charge(len);
    r->credit -= (uint32_t)(cost < r->credit ? cost : r->credit);
    (void)px_send(app_env(), rig.h1, REQUESTER_DATA, m, r->requester);
    rig_run();
}

static inline void req_trailers(struct req *r, const char *fields)
{
    Http__TrailerFields *m = px_msg_new(app_env(), &http__trailer_fields__descriptor);
    req_fields(m, &m->fields, fields);
    (void)px_send(app_env(), rig.h1, REQUESTER_TRAILERS, m, r->requester);
    rig_run();
}

static inline void req_inform(struct req *r, uint32_t status, const char *fields)
{
    Http__InterimResponse *m = px_msg_new(app_env(), &http__interim_response__descriptor);
    m->status = status;
    req_fields(m, &m->fields, fields);
    (void)px_send(app_env(), rig.h1, REQUESTER_INFORM, m, r->requester);
    rig_run();
}

static inline void req_take(struct req *r, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(app_env(), &http__exchange_credit__descriptor);
    m->responder = r->self;
    m->bytes = bytes;
    r->known = true;
    (void)px_send(app_env(), rig.h1, REQUESTER_CREDIT, m, r->requester);
    rig_run();
}

static inline void req_cancel(struct req *r)
{
    Http__CancelExchange *m = px_msg_new(app_env(), &http__cancel_exchange__descriptor);
    m->responder = r->self;
    r->known = true;
    (void)px_send(app_env(), rig.h1, REQUESTER_CANCEL, m, r->requester);
    rig_run();
}

/* Ended has come with this status. */
static inline void req_expect_ended_at(struct req *r, enum px_status status, const char *file,
                                       int line)
{
    if (r->ended != (uint32_t)status + 1) {
        char text[300];
        snprintf(text, sizeof text, "%s:%d: %s %.100s: expected Ended %s, came %s", file, line,
                 r->method, r->path, px_status_name(status),
                 r->ended == 0 ? "nothing" : px_status_name((enum px_status)(r->ended - 1)));
        RIG_FAIL(text);
    }
    req_free(r);
}
#define req_expect_ended(r, status) req_expect_ended_at((r), (status), __FILE__, __LINE__)

/* The end of a test: no connection is left, nothing was forgotten. */
static inline void rig_finish(void)
{
    RIG_REQUIRE(rig.n_order == 0);
    rig_run();
    rig_expect_clean();
    px_kernel_free(rig.kernel);
    rig.kernel = NULL;
}

#endif
