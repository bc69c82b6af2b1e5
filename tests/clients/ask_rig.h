/* ask_rig.h - a made-up client for tests of routes, rules and the log: asks as an engine does, and
 * reads what it is answered. */
#ifndef ASK_RIG_H
#define ASK_RIG_H

#include "app_rig.h"
#include "fields.h"
#include "header_list.h"

#include <stdio.h>

enum { REQUESTER = 77 };

struct ask {
    const char *method, *path, *host;
    const char *fields[16]; /* name, value, name, value */
    bool has_body, has_length;
    uint64_t length, requester;
    uint8_t remote[18];
    size_t remote_len;
    uint32_t version;
};

static struct rig rig;

static inline struct px_env *h1(void)
{
    return px_sim_env(rig.world, "h1");
}

static inline void ask_fields(Http__Request *m, const struct ask *ask)
{
    struct px_field fields[8];
    uint32_t n = 0;
    size_t len = 0;
    for (; n < 8 && ask->fields[2 * n] != NULL; n++) {
        fields[n] = (struct px_field){ask->fields[2 * n], ask->fields[2 * n + 1]};
    }
    ck_assert_int_eq(fields_size(NULL, fields, n, &len), PX_EOK);
    m->fields = (ProtobufCBinaryData){len, px_msg_alloc(m, len)};
    fields_write(NULL, fields, n, m->fields.data, len);
}

static inline void ask_with(struct ask ask)
{
    Http__Request *m = px_msg_new_sized(h1(), &http__request__descriptor, 4096);
    const char *method = ask.method == NULL ? "GET" : ask.method;
    const char *host = ask.host == NULL ? "" : ask.host;
    m->requester = ask.requester == 0 ? REQUESTER : ask.requester;
    px_msg_put(m, &m->method, method, strlen(method));
    px_msg_put(m, &m->path, ask.path, strlen(ask.path));
    px_msg_put(m, &m->authority, host, strlen(host));
    px_msg_put(m, &m->remote, ask.remote, ask.remote_len);
    ask_fields(m, &ask);
    m->fin = !ask.has_body;
    m->has_length = ask.has_length;
    m->length = ask.length;
    m->version = ask.version == 0 ? 11 : ask.version;
    px_send(h1(), rig.app, RESPONDER_EXCHANGE, m, 0);
    sim_settle(rig.sim);
}

#define ask(...) ask_with((struct ask){__VA_ARGS__})

/* What came back; texts are copies. */
struct answer {
    uint32_t status;
    uint64_t length;
    px_handle to; /* the responder's handle */
    char body[1024];
    uint8_t fields[16384];
    size_t fields_len;
};

static inline const struct px_msg *expect(uint16_t method)
{
    const struct px_msg *msg = sim_expect(rig.world, "h1", method);
    ck_assert_uint_eq(msg->tag, REQUESTER);
    return msg;
}

static inline px_handle expect_handle(uint32_t bytes)
{
    const Http__ExchangeCredit *m = expect(REQUESTER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, bytes);
    return m->responder;
}

static inline struct answer expect_answer(uint32_t status)
{
    struct answer answer = {.status = status};
    const struct px_msg *msg = expect(REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    const struct px_slice *slices;
    size_t len = 0;
    ck_assert_uint_eq(m->status, status);
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_uint_lt(len + slices[i].len, sizeof answer.body);
        memcpy(answer.body + len, slices[i].ptr, slices[i].len);
        len += slices[i].len;
    }
    ck_assert_uint_le(m->fields.len, sizeof answer.fields);
    if (m->fields.len > 0) {
        memcpy(answer.fields, m->fields.data, m->fields.len);
    }
    answer.fields_len = m->fields.len;
    answer.length = m->length;
    answer.to = m->responder;
    return answer;
}

/* The value of a field, "-" if there is none; all values of a name joined by '|'. */
static inline const char *answer_field(const struct answer *answer, const char *name)
{
    static char text[1024];
    struct px_bytes in = px_bytes_of(answer->fields, answer->fields_len);
    struct px_header header;
    size_t len = 0;
    while (px_header_list_next(&in, &header)) {
        if (!px_span_equal(header.name, px_span_of_str(name))) {
            continue;
        }
        if (len > 0) {
            text[len++] = '|';
        }
        ck_assert_uint_lt(len + header.value.len, sizeof text - 2);
        if (header.value.len > 0) {
            memcpy(text + len, header.value.ptr, header.value.len);
        }
        len += header.value.len;
        text[len] = '\0';
    }
    ck_assert(!in.failed);
    return len == 0 ? "-" : text;
}

static inline void say_ended(px_handle to, enum px_status status)
{
    Http__EndedExchange *m = px_msg_new(h1(), &http__ended_exchange__descriptor);
    m->status = status;
    px_send(h1(), rig.app, RESPONDER_ENDED, m, to);
    sim_settle(rig.sim);
}

/* The engine has answered in the application's place. */
static inline void say_ended_by_engine(px_handle to, uint32_t why, uint32_t status, uint32_t len)
{
    Http__EndedExchange *m = px_msg_new(h1(), &http__ended_exchange__descriptor);
    m->status = why;
    m->answered = status;
    m->length = len;
    px_send(h1(), rig.app, RESPONDER_ENDED, m, to);
    sim_settle(rig.sim);
}

static inline void say_credit(px_handle to, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(h1(), &http__exchange_credit__descriptor);
    m->bytes = bytes;
    px_send(h1(), rig.app, RESPONDER_CREDIT, m, to);
    sim_settle(rig.sim);
}

static inline void say_body(px_handle to, size_t len, bool fin)
{
    Http__BodyBytes *m = px_msg_new(h1(), &http__body_bytes__descriptor);
    struct px_buf *buf = px_buf_new(h1(), len == 0 ? 1 : len);
    m->fin = fin;
    if (len > 0) {
        memset(px_buf_data(buf), 'b', len);
        px_msg_attach(m, buf, 0, (uint32_t)len);
    }
    px_buf_put(buf);
    px_send(h1(), rig.app, RESPONDER_DATA, m, to);
    sim_settle(rig.sim);
}

/* An exchange from its head to its end: the answer, until the next one. */
static inline const struct answer *ask_whole_with(uint32_t status, struct ask ask)
{
    static struct answer answer;
    ask_with(ask);
    answer = expect_answer(status);
    say_ended(answer.to, PX_OK);
    return &answer;
}

#define ask_whole(status, ...) ask_whole_with(status, (struct ask){__VA_ARGS__})

#endif
