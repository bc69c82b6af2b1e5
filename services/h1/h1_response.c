/* h1_response.c - answers, written into the output: framing, persistence and what a body may be
 * (RFC 9112 6, 9). */
#include "h1_conn.h"

enum { CHUNK_LAST = 5, STATUS_NO_CONTENT = 204, STATUS_NOT_MODIFIED = 304, US_A_SECOND = 1000000 };

/* "content-type: text/plain" as a serialized HeaderList. */
static const uint8_t text_plain[] = {0x0a, 26,  0x0a, 12,  'c', 'o', 'n',  't', 'e', 'n',
                                     't',  '-', 't',  'y', 'p', 'e', 0x12, 10,  't', 'e',
                                     'x',  't', '/',  'p', 'l', 'a', 'i',  'n'};

H1_RARE static void date_set(struct h1 *h1, int64_t wall_us)
{
    h1->date_len = wall_us < US_A_SECOND ? 0 : H1_DATE_LEN;
    uint64_t wall_s = wall_us < US_A_SECOND ? 0 : (uint64_t)wall_us / US_A_SECOND;
    h1_date_format(wall_s, h1->date);
    h1->date_us = (int64_t)wall_s * US_A_SECOND;
}

/* The time now, formatted once a second. Without a clock there is no Date (RFC 9110 6.6.1). */
static inline struct px_span date_now(struct h1 *h1)
{
    int64_t wall_us = px_wall_us(h1->env);
    if ((uint64_t)wall_us - (uint64_t)h1->date_us >= US_A_SECOND) {
        date_set(h1, wall_us);
    }
    return px_span_of(h1->date, h1->date_len);
}

/* ---- bodies ---- */

static void chunk_line(struct h1_conn *c, uint64_t len)
{
    struct px_bytes_out *out = c->work == NULL ? NULL : h1_output_room(c, H1_CHUNK_HEAD_MAX);
    if (out != NULL && len > 0) {
        h1_chunk_put_head(out, len);
    } else if (out != NULL) {
        h1_chunk_put_tail(out);
    }
}

/* Writes the payload of a message as body, framed. The connection may end. */
static void payload_write(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg,
                          const struct h1_payload *payload)
{
    if (payload->len == 0 || x->bodyless) {
        return;
    }
    if (x->framing == H1_CHUNKED) {
        chunk_line(c, payload->len);
    }
    if (c->work != NULL && h1_output_payload(c, msg, payload) && x->framing == H1_CHUNKED) {
        chunk_line(c, 0);
    }
}

/* The body is complete. False: it is not what was promised, or the trailers are no trailers. */
static bool body_finish(struct h1_conn *c, struct h1_exch *x, struct px_span trailers)
{
    if (!x->bodyless && x->framing == H1_LENGTH && x->left > 0) {
        return false;
    }
    if (!x->bodyless && x->framing == H1_CHUNKED) {
        struct px_bytes_out *out = h1_output_room(c, trailers.len + CHUNK_LAST);
        if (out == NULL) {
            return true;
        }
        if (!h1_chunk_put_last(out, trailers, c->h1->limits.scan)) {
            return false;
        }
    }
    h1_exch_answer(x, H1_ANSWER_DONE);
    return true;
}

/* Does it hold a file range, for a stream that takes none? */
static bool payload_is_unsupported(const struct h1_conn *c, const struct h1_payload *payload)
{
    return payload->memory < payload->len && !h1_conn_place(c)->file_ranges;
}

/* ---- responses of the application ---- */

static enum h1_framing framing_of(const struct h1_exch *x, const Http__Response *m, uint64_t len)
{
    bool counts =
        m->fin && (!x->bodyless || len > 0); /* what HEAD leaves out is not known to be 0 */
    if (m->has_length || counts) {
        return H1_LENGTH;
    }
    return x->minor > 0 ? H1_CHUNKED : H1_UNTIL_CLOSE;
}

/* Is the rest of the request worth reading, so that the connection can go on? (RFC 9112 9.3) */
H1_RARE static bool request_can_be_drained(struct h1_conn *c, const struct h1_exch *x)
{
    const struct h1_work *w = c->work;
    bool begun = w->body_len > 0 || w->in.len > 0;
    if (x->expects && !x->continued && !begun) {
        return false; /* it will not send the body now, and may not know that it must not */
    }
    return w->input != H1_IN_LENGTH || w->left <= (uint64_t)c->h1->drain_bytes + w->in.len;
}

/* The response ends with the connection. */
H1_RARE static void response_closes(struct h1_conn *c, struct h1_exch *x)
{
    c->work->final = true;
    h1_exch_cut_behind(c, x);
    if (c->work->reading != x) {
        h1_input_end(c);
    }
}

/* Decides whether the connection ends with this response, and fills in what it looks like. */
static void response_plan(struct h1_conn *c, struct h1_exch *x, const Http__Response *m,
                          uint64_t len, struct h1_response *ret)
{
    struct h1_work *w = c->work;
    x->bodyless =
        x->head_only || m->status == STATUS_NO_CONTENT || m->status == STATUS_NOT_MODIFIED;
    x->framing = (uint8_t)framing_of(x, m, len);
    x->left = m->has_length ? m->length : len;
    if (w->reading == x && m->fin && !request_can_be_drained(c, x)) {
        w->final = true;
    }
    if (x->framing == H1_UNTIL_CLOSE) {
        response_closes(c, x);
    }
    *ret = (struct h1_response){
        .status = (uint16_t)m->status,
        .minor = x->minor,
        .close = w->final && x->next == NULL,
        .framing = (enum h1_framing)x->framing,
        .content_length = x->left,
        .fields = px_span_of(m->fields.data, m->fields.len),
        .date = date_now(c->h1),
        .server = c->h1->server,
    };
}

/* A status or field of the application's is nothing that can be sent. */
H1_RARE static void response_refuse(struct h1_conn *c, struct h1_exch *x)
{
    px_count(c->h1->env, H1_COUNT_refused_500, 1);
    h1_warn(c->h1, "application", "a status or field that cannot be sent");
    h1_exch_replace(c, x, 500, "the answer could not be written", PX_BAD_REQUEST);
}

/* A file range, for a stream that takes none. */
H1_RARE static void response_unsupported(struct h1_conn *c, struct h1_exch *x)
{
    px_count(c->h1->env, H1_COUNT_refused_500, 1);
    h1_warn(c->h1, "application", "a file range for a stream that takes none");
    h1_exch_replace(c, x, 500, "the answer could not be sent", PX_UNSUPPORTED);
}

/* Writes the head and, if that is all, a small body. False: it could not be done, and what follows
 * from that was. */
static bool response_write(struct h1_conn *c, struct h1_exch *x, const struct h1_response *response,
                           const struct h1_payload *whole)
{
    size_t body = whole == NULL || x->bodyless ? 0 : (size_t)whole->len;
    struct px_bytes_out *out = h1_output_room(c, h1_write_max(response) + body);
    if (out == NULL) {
        return false;
    }
    if (h1_write_response(out, response, c->h1->limits.scan) != H1_WRITE_DONE) {
        response_refuse(c, x);
        return false;
    }
    if (body > 0) {
        h1_output_copy(out, whole);
    }
    return true;
}

/* The response goes on behind its head, or its body is large. */
__attribute__((noinline)) static void response_go_on(struct h1_conn *c, struct h1_exch *x,
                                                     const struct px_msg *msg,
                                                     const struct h1_payload *payload)
{
    struct h1_work *w = c->work;
    bool fin = ((const Http__Response *)msg->body)->fin;
    h1_exch_answer(x, H1_ANSWER_BODY);
    payload_write(c, x, msg, payload);
    if (c->work == w && !fin) {
        h1_exch_weigh(c, x, payload);
    }
    if (c->work != w) {
        return;
    }
    x->left -= payload->len < x->left ? payload->len : x->left;
    if (fin) {
        (void)body_finish(c, x, px_span_of(NULL, 0)); /* its length was seen before */
    }
}

bool h1_response_begin(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg)
{
    const Http__Response *m = msg->body;
    struct h1_payload payload;
    struct h1_response response;
    h1_payload_see(msg, &payload);
    if (payload_is_unsupported(c, &payload)) {
        response_unsupported(c, x);
        return false;
    }
    if (m->status < 200 || m->status > 999) {
        response_refuse(c, x);
        return false;
    }
    response_plan(c, x, m, payload.len, &response);
    if (m->has_length && !x->bodyless &&
        (payload.len > m->length || (m->fin && payload.len != m->length))) {
        h1_exch_broken(c, "a body that is not as long as was said");
        return false;
    }
    bool whole = m->fin && h1_output_copies(&payload);
    if (!response_write(c, x, &response, whole ? &payload : NULL)) {
        return false;
    }
    if (whole) {
        h1_exch_answer(x, H1_ANSWER_DONE);
    } else {
        response_go_on(c, x, msg, &payload);
    }
    h1_conn_want(c);
    return whole;
}

void h1_response_body(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg, bool fin)
{
    struct h1_work *w = c->work;
    struct h1_payload payload;
    h1_payload_see(msg, &payload);
    uint64_t len = payload.len;
    bool counted = !x->bodyless && x->framing == H1_LENGTH;
    if (counted && (len > x->left || (fin && len != x->left))) {
        h1_exch_broken(c, "a body that is not as long as was said");
        return;
    }
    if (payload_is_unsupported(c, &payload)) {
        h1_exch_broken(c, "a file range for a stream that takes none");
        return;
    }
    x->left -= counted ? len : 0;
    x->unsent += (uint32_t)len;
    payload_write(c, x, msg, &payload);
    if (c->work == w && fin) {
        (void)body_finish(c, x, px_span_of(NULL, 0));
    } else if (c->work == w) {
        h1_exch_weigh(c, x, &payload);
    }
    h1_conn_want(c);
    if (c->work == w && x->bodyless) {
        h1_exch_settle(c);
    }
}

void h1_response_trailers(struct h1_conn *c, struct h1_exch *x, struct px_span fields)
{
    if (!body_finish(c, x, fields)) {
        h1_exch_broken(c, "trailers that cannot be sent, or a body that is too short");
    }
    h1_conn_want(c);
}

void h1_response_inform(struct h1_conn *c, uint16_t status, struct px_span fields)
{
    struct h1_response response = {
        .status = status, .minor = 1, .framing = H1_NO_BODY, .fields = fields};
    struct px_bytes_out *out = h1_output_room(c, h1_write_max(&response));
    if (out != NULL && h1_write_response(out, &response, c->h1->limits.scan) != H1_WRITE_DONE) {
        h1_warn(c->h1, "application", "an interim response that cannot be sent");
    }
    h1_conn_want(c);
}

/* ---- answers of our own ---- */

uint32_t h1_response_own_len(const struct h1_exch *x)
{
    return x->head_only ? 0 : (uint32_t)strlen(x->own_text) + 1;
}

void h1_response_own(struct h1_conn *c, struct h1_exch *x)
{
    struct h1_work *w = c->work;
    struct px_span text = px_span_of_str(x->own_text);
    struct h1_response response = {
        .status = x->own_status,
        .minor = x->minor,
        .close = w->final && x->next == NULL,
        .framing = H1_LENGTH,
        .content_length = text.len + 1,
        .fields = px_span_of(text_plain, sizeof text_plain),
        .date = date_now(c->h1),
        .server = c->h1->server,
    };
    struct px_bytes_out *out = h1_output_room(c, h1_write_max(&response) + text.len + 1);
    if (out == NULL) {
        return;
    }
    enum h1_write wrote = h1_write_response(out, &response, c->h1->limits.scan);
    PX_ASSERT(wrote == H1_WRITE_DONE);
    if (!x->head_only) {
        px_bytes_put_span(out, text);
        px_bytes_put_u8(out, '\n');
    }
    if (x->refused != NULL) {
        h1_exch_refused(c->h1, x);
    }
    h1_exch_answer(x, H1_ANSWER_DONE);
    h1_conn_want(c);
}
