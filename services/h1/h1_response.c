/* h1_response.c - answers, written into the output: framing, persistence and what a body may be
 * (RFC 9112 6, 9). */
#include "h1_conn.h"

enum { CHUNK_TAIL = 2, CHUNK_LAST = 5, STATUS_NO_CONTENT = 204, STATUS_NOT_MODIFIED = 304 };

/* "content-type: text/plain" as a serialized HeaderList. */
static const uint8_t text_plain[] = {0x0a, 26,  0x0a, 12,  'c', 'o', 'n',  't', 'e', 'n',
                                     't',  '-', 't',  'y', 'p', 'e', 0x12, 10,  't', 'e',
                                     'x',  't', '/',  'p', 'l', 'a', 'i',  'n'};

/* The time now, formatted once a second. Without a clock there is no Date (RFC 9110 6.6.1). */
static struct px_span date_now(struct h1 *h1)
{
    int64_t wall_us = px_wall_us(h1->env);
    if (wall_us < 1000000) {
        return px_span_of(NULL, 0);
    }
    uint64_t wall_s = (uint64_t)wall_us / 1000000;
    if (wall_s != h1->date_s) {
        h1_date_format(wall_s, h1->date);
        h1->date_s = wall_s;
    }
    return px_span_of(h1->date, H1_DATE_LEN);
}

static bool head_write(struct h1_conn *c, const struct h1_response *response, enum h1_write *ret)
{
    struct px_bytes_out out;
    if (!h1_output_reserve(c, h1_write_max(response), &out)) {
        return false;
    }
    *ret = h1_write_response(&out, response, c->h1->limits.scan);
    h1_output_commit(c->work, &out);
    return true;
}

/* ---- bodies ---- */

static void chunk_line(struct h1_conn *c, uint64_t len)
{
    struct px_bytes_out out;
    if (c->work != NULL && h1_output_reserve(c, H1_CHUNK_HEAD_MAX, &out)) {
        if (len > 0) {
            h1_chunk_put_head(&out, len);
        } else {
            h1_chunk_put_tail(&out);
        }
        h1_output_commit(c->work, &out);
    }
}

/* Writes the payload of a message as body, framed. The connection may end. */
static void payload_write(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg,
                          uint64_t len)
{
    if (len == 0 || x->bodyless) {
        return;
    }
    if (x->framing == H1_CHUNKED) {
        chunk_line(c, len);
    }
    if (c->work != NULL && h1_output_payload(c, msg) && x->framing == H1_CHUNKED) {
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
        struct px_bytes_out out;
        if (!h1_output_reserve(c, trailers.len + CHUNK_LAST, &out)) {
            return true;
        }
        if (!h1_chunk_put_last(&out, trailers, c->h1->limits.scan)) {
            return false;
        }
        h1_output_commit(c->work, &out);
    }
    h1_exch_answer(x, H1_ANSWER_DONE);
    return true;
}

static bool has_file(const struct px_msg *msg)
{
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    bool file = false;
    for (uint32_t i = 0; i < n; i++) {
        file = file || (slices[i].flags & PX_SLICE_FILE) != 0;
    }
    return file;
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
static bool request_can_be_drained(struct h1_conn *c, const struct h1_exch *x)
{
    const struct h1_work *w = c->work;
    bool begun = w->body_len > 0 || w->in.len > 0;
    if (x->expects && !x->continued && !begun) {
        return false; /* it will not send the body now, and may not know that it must not */
    }
    return w->input != H1_IN_LENGTH || w->left <= (uint64_t)c->h1->drain_bytes + w->in.len;
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
        w->final = true;
        h1_exch_cut_behind(c, x);
        if (w->reading != x) {
            h1_input_end(c);
        }
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

void h1_response_begin(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg)
{
    struct h1_work *w = c->work;
    const Http__Response *m = msg->body;
    uint64_t len = px_msg_payload_len(msg);
    struct h1_response response;
    enum h1_write wrote = H1_WRITE_BAD;
    if (len > 0 && !h1_conn_place(c)->file_ranges && has_file(msg)) {
        px_count(c->h1->env, H1_COUNT_refused_500, 1);
        h1_warn(c->h1, "application", "a file range for a stream that takes none");
        h1_exch_replace(c, x, 500, "the answer could not be sent", PX_UNSUPPORTED);
        return;
    }
    if (m->status >= 200 && m->status <= 999) {
        response_plan(c, x, m, len, &response);
        if (!x->bodyless && m->has_length && (len > m->length || (m->fin && len != m->length))) {
            h1_exch_broken(c, "a body that is not as long as was said");
            return;
        }
        if (!head_write(c, &response, &wrote)) {
            return;
        }
    }
    if (wrote != H1_WRITE_DONE) {
        px_count(c->h1->env, H1_COUNT_refused_500, 1);
        h1_warn(c->h1, "application", "a status or field that cannot be sent");
        h1_exch_replace(c, x, 500, "the answer could not be written", PX_BAD_REQUEST);
        return;
    }
    h1_exch_answer(x, H1_ANSWER_BODY);
    payload_write(c, x, msg, len);
    if (c->work != w) {
        return;
    }
    x->left -= len < x->left ? len : x->left;
    if (m->fin) {
        (void)body_finish(c, x, px_span_of(NULL, 0)); /* its length was seen above */
    }
    h1_conn_want(c);
}

void h1_response_body(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg, bool fin)
{
    struct h1_work *w = c->work;
    uint64_t len = px_msg_payload_len(msg);
    bool counted = !x->bodyless && x->framing == H1_LENGTH;
    if (counted && (len > x->left || (fin && len != x->left))) {
        h1_exch_broken(c, "a body that is not as long as was said");
        return;
    }
    if (len > 0 && !h1_conn_place(c)->file_ranges && has_file(msg)) {
        h1_exch_broken(c, "a file range for a stream that takes none");
        return;
    }
    x->left -= counted ? len : 0;
    x->unsent += (uint32_t)len;
    payload_write(c, x, msg, len);
    if (c->work == w && fin) {
        (void)body_finish(c, x, px_span_of(NULL, 0));
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
    enum h1_write wrote;
    if (head_write(c, &response, &wrote) && wrote != H1_WRITE_DONE) {
        h1_warn(c->h1, "application", "an interim response that cannot be sent");
    }
    h1_conn_want(c);
}

/* ---- answers of our own ---- */

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
    enum h1_write wrote;
    if (!head_write(c, &response, &wrote)) {
        return;
    }
    PX_ASSERT(wrote == H1_WRITE_DONE);
    struct px_bytes_out out;
    if (!x->head_only) {
        if (!h1_output_reserve(c, text.len + 1, &out)) {
            return;
        }
        px_bytes_put_span(&out, text);
        px_bytes_put_u8(&out, '\n');
        h1_output_commit(w, &out);
    }
    h1_exch_answer(x, H1_ANSWER_BODY);
    h1_exch_answer(x, H1_ANSWER_DONE);
    h1_conn_want(c);
}
