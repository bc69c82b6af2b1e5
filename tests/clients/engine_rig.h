/* engine_rig.h - what an HTTP engine says to the application mailbox, and what it hears from it. */
#ifndef ENGINE_RIG_H
#define ENGINE_RIG_H

#include "app_rig.h"
#include "fields.h"

enum { REQUESTER = 77 };

/* A request. `fields` end with one without name. */
struct ask {
    const char *method, *path;
    struct px_field fields[4];
    bool has_body, has_length;
    uint64_t length, requester;
    uint32_t credit;
};

static inline struct px_env *engine(struct rig *rig)
{
    return px_sim_env(rig->world, "h1");
}

static inline void engine_ask(struct rig *rig, struct ask ask)
{
    Http__Request *m = px_msg_new(engine(rig), &http__request__descriptor);
    const char *method = ask.method == NULL ? "GET" : ask.method;
    uint32_t n = 0;
    size_t len = 0;
    while (n < 4 && ask.fields[n].name != NULL) {
        n++;
    }
    m->requester = ask.requester == 0 ? REQUESTER : ask.requester;
    px_msg_put(m, &m->method, method, strlen(method));
    px_msg_put(m, &m->path, ask.path, strlen(ask.path));
    ck_assert_int_eq(fields_size(NULL, ask.fields, n, &len), PX_EOK);
    m->fields = (ProtobufCBinaryData){len, px_msg_alloc(m, len)};
    fields_write(NULL, ask.fields, n, m->fields.data, len);
    m->fin = !ask.has_body;
    m->has_length = ask.has_length;
    m->length = ask.length;
    m->credit = ask.credit;
    px_send(engine(rig), rig->app, RESPONDER_EXCHANGE, m, 0);
    sim_settle(rig->sim);
}

static inline const struct px_msg *engine_expect(struct rig *rig, uint16_t method)
{
    const struct px_msg *msg = sim_expect(rig->world, "h1", method);
    ck_assert_uint_eq(msg->tag, REQUESTER);
    return msg;
}

/* A response; returns the handle to speak to. `body` NULL: any. */
static inline px_handle engine_expect_response(struct rig *rig, uint32_t status, const char *body)
{
    const struct px_msg *msg = engine_expect(rig, REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    ck_assert_uint_eq(m->status, status);
    if (body != NULL) {
        sim_expect_payload(rig->world, msg, body, strlen(body));
    }
    return m->responder;
}

static inline px_handle engine_expect_credit(struct rig *rig, uint32_t bytes)
{
    const Http__ExchangeCredit *m = engine_expect(rig, REQUESTER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, bytes);
    return m->responder;
}

/* One Data message of the response, with this text. */
static inline void engine_expect_data(struct rig *rig, const char *text, bool fin)
{
    const struct px_msg *msg = engine_expect(rig, REQUESTER_DATA);
    sim_expect_payload(rig->world, msg, text, strlen(text));
    ck_assert_int_eq(((const Http__BodyBytes *)msg->body)->fin, fin);
}

static inline void engine_say_ended(struct rig *rig, px_handle to, enum px_status status)
{
    Http__EndedExchange *m = px_msg_new(engine(rig), &http__ended_exchange__descriptor);
    m->status = status;
    px_send(engine(rig), rig->app, RESPONDER_ENDED, m, to);
    sim_settle(rig->sim);
}

static inline void engine_say_credit(struct rig *rig, px_handle to, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(engine(rig), &http__exchange_credit__descriptor);
    m->bytes = bytes;
    px_send(engine(rig), rig->app, RESPONDER_CREDIT, m, to);
    sim_settle(rig->sim);
}

static inline void engine_say_body(struct rig *rig, px_handle to, const void *data, size_t len,
                                   bool fin)
{
    Http__BodyBytes *m = px_msg_new(engine(rig), &http__body_bytes__descriptor);
    m->fin = fin;
    if (len > 0) {
        struct px_buf *buf = px_buf_new(engine(rig), len);
        memcpy(px_buf_data(buf), data, len);
        px_msg_attach(m, buf, 0, (uint32_t)len);
        px_buf_put(buf);
    }
    px_send(engine(rig), rig->app, RESPONDER_DATA, m, to);
    sim_settle(rig->sim);
}

#endif
