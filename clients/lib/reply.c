/* reply.c - responses: whole ones in one Respond, longer ones behind it as credit allows.
 */
#include "lib.h"

#include <stdio.h>
#include <stdlib.h>

#include "http.pb-c.h"
#include "http_contract.h"

#include "fields.h"
#include "rules.h"

enum { SCRAP_SHARE = 4 };

/* ---- sending what is queued ---- */

void reply_answered(struct request *r)
{
    request_move(r, ANSWERED);
    if (r->held) {
        px_msg_release(r->msg);
        r->msg = NULL;
        r->held = false;
    }
}

/* Nothing more is to come but fin or trailers. */
static bool out_is_last(const struct request *r)
{
    return r->state == FINISHING && r->out.len == 0 && r->file.len == 0 && !r->reading_file;
}

static void out_send_trailers(struct request *r)
{
    px_send_shared(r->app->env, r->engine, REQUESTER_TRAILERS, r->trailers_out, r->requester);
    px_msg_release(r->trailers_out);
    r->trailers_out = NULL;
    reply_answered(r);
}

static void out_send(struct request *r, uint64_t room)
{
    Http__BodyBytes *m = px_msg_new(r->app->env, &http__body_bytes__descriptor);
    uint64_t len = px_msg_attach_chain(m, &r->out, room);
    r->credit -= px_charge(len);
    m->fin = out_is_last(r) && r->trailers_out == NULL;
    bool fin = m->fin;
    request_tell(r, REQUESTER_DATA, m);
    if (fin) {
        reply_answered(r);
    }
}

/* Bytes to send now; 0: wait for credit. A scrap of a large window is not worth a message and a
 * system call of its own: what is outstanding is more than half the window, so more credit is sure
 * to come (px/credit.h).
 */
static uint64_t out_room(const struct request *r)
{
    uint64_t room = px_credit_room(r->credit);
    return room < r->out.len && room < r->window / SCRAP_SHARE ? 0 : room;
}

void reply_pump(struct request *r)
{
    if (r->state != SENDING && r->state != FINISHING) {
        return;
    }
    while (r->state != ANSWERED && (r->out.len > 0 || out_is_last(r))) {
        uint64_t room = out_room(r);
        if (r->out.len == 0 && r->trailers_out != NULL) {
            out_send_trailers(r);
            break;
        }
        if (room == 0) {
            return;
        }
        out_send(r, room);
    }
    if (r->file.len > 0) {
        file_read_more(r);
    }
    if (r->told_to_wait && r->out.len == 0) {
        r->told_to_wait = false;
        request_later(r, LATER_DRAINED);
    }
}

/* ---- heads ---- */

/* The fields of a reply in the message's arena. */
static Http__Response *response_new(struct request *r, const struct px_reply *reply,
                                    size_t fields_len)
{
    Http__Response *m = px_msg_new_sized(r->app->env, &http__response__descriptor, fields_len);
    m->responder = r->self;
    m->status = reply->status == 0 ? 200 : reply->status;
    if (fields_len > 0) {
        uint8_t *mem = px_msg_alloc(m, fields_len);
        fields_write(reply->content_type, reply->fields, reply->n_fields, mem, fields_len);
        m->fields = (ProtobufCBinaryData){fields_len, mem};
    }
    return m;
}

/* RFC 9110 6.4.1: these never have a body. */
static bool status_is_bare(uint32_t status)
{
    return status == 204 || status == 304;
}

static enum px_err reply_check(const struct px_reply *reply, size_t *ret_fields_len)
{
    if (reply->status != 0 && (reply->status < 200 || reply->status > 999)) {
        return PX_EINVAL;
    }
    if (reply->body_len > BODY_LEN_MAX || (status_is_bare(reply->status) && reply->body_len > 0)) {
        return PX_EINVAL;
    }
    return fields_size(reply->content_type, reply->fields, reply->n_fields, ret_fields_len);
}

/* ---- whole responses ---- */

/* Sends the head with as much of `body` (len bytes) as is free of credit; what remains is queued.
 * Takes `m`; the caller keeps its reference of `body`. */
static enum px_err respond_whole(struct request *r, Http__Response *m, struct px_buf *body,
                                 size_t len)
{
    bool no_body = r->is_head || len == 0;
    uint32_t now = len > RESPOND_FREE_MAX ? RESPOND_FREE_MAX : (uint32_t)len;
    m->has_length = len > 0 || !status_is_bare(m->status);
    m->length = len;
    m->fin = no_body || len == now;
    if (!m->fin &&
        !px_chain_append(r->app->env, &r->out, body, now, (uint32_t)(len - now), PX_SLICE_SHARED)) {
        px_msg_drop(m);
        return PX_ENOMEM;
    }
    if (!no_body) {
        px_msg_attach(m, body, 0, now);
    }
    bool fin = m->fin;
    request_tell(r, REQUESTER_RESPOND, m);
    if (fin) {
        reply_answered(r);
    } else {
        request_move(r, FINISHING);
        reply_pump(r);
    }
    return PX_EOK;
}

static enum px_err reply_body_copy(struct request *r, const struct px_reply *reply,
                                   struct px_buf **ret_body)
{
    if (reply->body_len == 0 || r->is_head) {
        return PX_EOK;
    }
    struct px_buf *body = px_buf_new(r->app->env, reply->body_len);
    if (body == NULL) {
        return PX_ENOMEM;
    }
    memcpy(px_buf_data(body), reply->body, reply->body_len);
    *ret_body = body;
    return PX_EOK;
}

static enum px_err reply_whole(struct request *r, const struct px_reply *reply)
{
    struct px_buf *body = NULL;
    size_t fields_len = 0;
    PX_TRY(request_answerable(r));
    PX_TRY(reply_check(reply, &fields_len));
    PX_TRY(reply_body_copy(r, reply, &body));
    enum px_err err = respond_whole(r, response_new(r, reply, fields_len), body, reply->body_len);
    px_buf_put(body);
    return err;
}

enum px_err px_request_reply(struct px_request request, const struct px_reply *reply)
{
    return reply_whole(request_of(request), reply);
}

enum px_err px_request_reply_text(struct px_request request, uint32_t status, const char *text)
{
    struct px_reply reply = {.status = status,
                             .content_type = "text/plain; charset=utf-8",
                             .body = text,
                             .body_len = strlen(text)};
    return px_request_reply(request, &reply);
}

/* The outcome of an answer of our own. Without memory for it, or when it cannot be said, the
 * request is given up: nobody else would answer. */
static void answered_or_cancel(struct request *r, enum px_err err)
{
    if (err == PX_ENOMEM || err == PX_EINVAL) {
        request_cancel(r, err == PX_ENOMEM ? PX_NO_MEMORY : PX_INTERNAL);
    }
}

void reply_or_cancel(struct request *r, const struct px_reply *reply)
{
    answered_or_cancel(r, reply_whole(r, reply));
}

/* An answer of our own: the error page of the status, or `text`. */
static enum px_err reply_own(struct request *r, uint32_t status, const char *text,
                             const struct px_field *fields, uint32_t n_fields)
{
    struct px_reply reply = {.status = status,
                             .content_type = "text/plain; charset=utf-8",
                             .fields = fields,
                             .n_fields = n_fields,
                             .body = text,
                             .body_len = strlen(text)};
    const struct error_page *page = routes_error_page(request_routes(r), status);
    if (page != NULL) {
        reply.content_type = page->content_type;
        reply.body = page->body;
        reply.body_len = page->body_len;
    }
    enum px_err err = reply_whole(r, &reply);
    answered_or_cancel(r, err);
    return err;
}

void reply_simple(struct request *r, uint32_t status, const char *text)
{
    (void)reply_own(r, status, text, NULL, 0);
}

enum px_err reply_error(struct request *r, uint32_t status, const struct px_field *fields,
                        uint32_t n_fields)
{
    char text[64];
    snprintf(text, sizeof text, "%u %s\n", (unsigned)status, status_text(status));
    return reply_own(r, status, text, fields, n_fields);
}

enum px_err px_request_reply_error(struct px_request request, uint32_t status)
{
    struct request *r = request_of(request);
    PX_TRY(request_answerable(r));
    return status < 400 || status > 599 ? PX_EINVAL : reply_error(r, status, NULL, 0);
}

void reply_allow(struct request *r, uint32_t status, const char *allow)
{
    struct px_field field = {"allow", allow};
    struct px_reply reply = {.status = status, .fields = &field, .n_fields = allow == NULL ? 0 : 1};
    if (status == 405) {
        (void)reply_error(r, status, &field, reply.n_fields);
    } else {
        reply_or_cancel(r, &reply);
    }
}

/* ---- responses made once ---- */

enum px_err px_ready_new(struct px_system *system, const struct px_reply *reply,
                         struct px_ready **ret_ready)
{
    size_t fields_len = 0;
    PX_TRY(reply_check(reply, &fields_len));
    PX_TRY(px_system_start(system));
    struct px_ready *ready = calloc(1, sizeof *ready + fields_len);
    if (ready == NULL) {
        return PX_ENOMEM;
    }
    ready->body = reply->body_len == 0 ? NULL : px_buf_new(system->app->env, reply->body_len);
    if (ready->body == NULL && reply->body_len > 0) {
        free(ready);
        return PX_ENOMEM;
    }
    if (ready->body != NULL) {
        memcpy(px_buf_data(ready->body), reply->body, reply->body_len);
    }
    ready->body_len = reply->body_len;
    ready->status = reply->status == 0 ? 200 : reply->status;
    ready->fields_len = fields_len;
    fields_write(reply->content_type, reply->fields, reply->n_fields, ready->fields, fields_len);

    ready->next = system->readies;
    ready->link = &system->readies;
    if (ready->next != NULL) {
        ready->next->link = &ready->next;
    }
    system->readies = ready;
    *ret_ready = ready;
    return PX_EOK;
}

void px_ready_free(struct px_ready *take_ready)
{
    if (take_ready != NULL) {
        *take_ready->link = take_ready->next;
        if (take_ready->next != NULL) {
            take_ready->next->link = take_ready->link;
        }
        px_buf_put(take_ready->body);
        free(take_ready);
    }
}

enum px_err px_request_reply_ready(struct px_request request, const struct px_ready *ready)
{
    struct request *r = request_of(request);
    PX_TRY(request_answerable(r));
    Http__Response *m =
        px_msg_new_sized(r->app->env, &http__response__descriptor, ready->fields_len);
    m->responder = r->self;
    m->status = ready->status;
    px_msg_put(m, &m->fields, ready->fields, ready->fields_len);
    return respond_whole(r, m, ready->body, ready->body_len);
}

/* ---- interim responses ---- */

enum px_err px_request_inform(struct px_request request, uint32_t status,
                              const struct px_field *fields, uint32_t n_fields)
{
    struct request *r = request_of(request);
    size_t len = 0;
    PX_TRY(request_answerable(r));
    if (status < 102 || status > 199) {
        return PX_EINVAL;
    }
    PX_TRY(fields_size(NULL, fields, n_fields, &len));
    if (!r->announced) {
        Http__ExchangeCredit *first = px_msg_new(r->app->env, &http__exchange_credit__descriptor);
        first->responder = r->self; /* Inform cannot carry our handle */
        request_tell(r, REQUESTER_CREDIT, first);
    }
    Http__InterimResponse *m =
        px_msg_new_sized(r->app->env, &http__interim_response__descriptor, len);
    m->status = status;
    m->fields = (ProtobufCBinaryData){len, px_msg_alloc(m, len)};
    fields_write(NULL, fields, n_fields, m->fields.data, len);
    request_tell(r, REQUESTER_INFORM, m);
    return PX_EOK;
}

/* ---- streamed responses ---- */

enum px_err px_request_begin(struct px_request request, const struct px_reply *reply)
{
    struct request *r = request_of(request);
    size_t fields_len = 0;
    PX_TRY(request_answerable(r));
    PX_TRY(reply_check(reply, &fields_len));
    if (status_is_bare(reply->status)) {
        return PX_EINVAL;
    }
    Http__Response *m = response_new(r, reply, fields_len);
    m->has_length = reply->has_length;
    m->length = reply->length;
    m->fin = r->is_head;
    r->has_left = reply->has_length;
    r->left = reply->length;
    request_tell(r, REQUESTER_RESPOND, m);
    request_move(r, SENDING);
    return PX_EOK;
}

/* The program goes on as if there were a body; HEAD's ends with the head. */
static enum px_sent send_head_only(struct request *r, size_t len)
{
    r->left -= r->has_left ? len : 0;
    return PX_SENT_OK;
}

static enum px_sent send_check(const struct request *r, size_t len)
{
    if (r == NULL || r->state == ENDED) {
        return PX_SENT_STALE;
    }
    if (r->state != SENDING || len > SEND_LEN_MAX || (r->has_left && len > r->left)) {
        return PX_SENT_REFUSED;
    }
    return r->out.len >= r->app->server->send_queue_max ? PX_SENT_FULL : PX_SENT_OK;
}

enum px_sent px_request_send(struct px_request request, const void *data, size_t len)
{
    struct request *r = request_of(request);
    enum px_sent verdict = send_check(r, len);
    if (verdict == PX_SENT_FULL) {
        r->told_to_wait = true;
        px_count(r->app->env, COUNT_FULL, 1);
    }
    if (verdict != PX_SENT_OK) {
        return verdict;
    }
    if (r->is_head || len == 0) {
        return send_head_only(r, len);
    }
    if (!px_chain_copy_in(r->app->env, &r->out, data, len)) {
        return PX_SENT_REFUSED;
    }
    r->left -= r->has_left ? len : 0;
    reply_pump(r);
    if (r->out.len == 0) {
        return PX_SENT_OK;
    }
    r->told_to_wait = true;
    return PX_SENT_QUEUED;
}

/* The body ends with trailers: they go out behind the queue, which credit may hold up. */
static enum px_err finish_trailers(struct request *r, const struct px_field *trailers,
                                   uint32_t n_trailers, size_t len)
{
    Http__TrailerFields *m = px_msg_new_sized(r->app->env, &http__trailer_fields__descriptor, len);
    m->fields = (ProtobufCBinaryData){len, px_msg_alloc(m, len)};
    fields_write(NULL, trailers, n_trailers, m->fields.data, len);
    if (r->out.len == 0) {
        request_tell(r, REQUESTER_TRAILERS, m);
        request_move(r, FINISHING);
        reply_answered(r);
        return PX_EOK;
    }
    r->trailers_out = px_msg_seal(r->app->env, m);
    if (r->trailers_out == NULL) {
        request_cancel(r, PX_NO_MEMORY);
        return PX_ENOMEM;
    }
    request_move(r, FINISHING);
    return PX_EOK;
}

enum px_err px_request_finish(struct px_request request, const struct px_field *trailers,
                              uint32_t n_trailers)
{
    struct request *r = request_of(request);
    size_t len = 0;
    if (r == NULL || r->state == ENDED) {
        return PX_ESTALE;
    }
    if (r->state != SENDING) {
        return PX_ESTATE;
    }
    PX_TRY(fields_size(NULL, trailers, n_trailers, &len));
    if (r->has_left && r->left > 0) {
        request_cancel(r, PX_TRUNCATED);
        return PX_ESTATE;
    }
    if (r->is_head) {
        reply_answered(r);
        return PX_EOK;
    }
    if (n_trailers > 0) {
        return finish_trailers(r, trailers, n_trailers, len);
    }
    request_move(r, FINISHING);
    reply_pump(r);
    return PX_EOK;
}
