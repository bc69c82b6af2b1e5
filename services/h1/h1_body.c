/* h1_body.c - request bodies: handed on as far as the application's credit goes, or drained.
 *
 * What the application's credit covers counts as settled when it is handed on: from then on it is
 * in the application's window. The rest waits in the connection's, so a slow application slows the
 * client.
 */
#include "h1_conn.h"

enum { FIELD_OVERHEAD = 8, US_A_SECOND = 1000000 };

/* ---- the clock on the client (least rate) ---- */

/* While it runs, body_due_us is when the client has been too slow; while paused, how much time it
 * has left. */
void h1_body_clock(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    const struct h1_exch *x = w->reading;
    if (x == NULL) {
        return;
    }
    bool told_to_wait = x->expects && !x->continued && w->body_len == 0;
    bool paused = w->in.len > 0 || told_to_wait;
    uint64_t now = px_now_us(c->h1->env);
    if (paused && !w->body_paused) {
        w->body_due_us = w->body_due_us > now ? w->body_due_us - now : 0;
    } else if (!paused && w->body_paused) {
        w->body_due_us += now;
    }
    w->body_paused = paused;
    c->deadline_us = paused ? PX_NEVER : w->body_due_us;
    h1_conn_arm(c);
}

/* The client has sent `len` bytes of body, and earned the time they may take. */
static void body_earn(struct h1_conn *c, uint64_t len)
{
    struct h1_work *w = c->work;
    uint64_t most = PX_MS(H1_BODY_STALL_MS) + (w->body_paused ? 0 : px_now_us(c->h1->env));
    w->body_len += len;
    w->body_due_us += len * US_A_SECOND / c->h1->body_rate_min;
    w->body_due_us = w->body_due_us < most ? w->body_due_us : most;
}

void h1_body_begin(struct h1_conn *c, struct h1_exch *x, const struct h1_head *head)
{
    struct h1_work *w = c->work;
    if (w == NULL) {
        return;
    }
    w->reading = x;
    w->left = head->content_length;
    w->chunk = (struct h1_chunk){.state = 0};
    w->body_len = 0;
    w->body_paused = false;
    w->body_due_us = px_now_us(c->h1->env) + PX_MS(H1_BODY_GRACE_MS);
    if (x == NULL) {
        h1_body_drain(c);
    } else {
        h1_body_clock(c);
    }
}

/* ---- draining ---- */

void h1_body_drain(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    w->reading = NULL;
    w->drained = 0;
    if (w->final) {
        h1_input_end(c);
    } else if (w->input == H1_IN_LENGTH && w->left > c->h1->drain_bytes) {
        px_count(c->h1->env, H1_COUNT_drain_bytes, 1);
        h1_input_end(c);
    } else {
        w->drains = true;
        h1_conn_deadline(c, c->h1->drain_us);
        h1_conn_want(c);
    }
}

/* Counts discarded bytes; false: too many, nothing more is read. */
static bool drain_count(struct h1_conn *c, uint64_t len)
{
    struct h1_work *w = c->work;
    w->drained += len;
    if (w->drained <= c->h1->drain_bytes) {
        return true;
    }
    px_count(c->h1->env, H1_COUNT_drain_bytes, 1);
    h1_input_end(c);
    return false;
}

/* ---- bodies with a length ---- */

static void body_send(struct h1_conn *c, struct h1_exch *x, Http__BodyBytes *take_body)
{
    uint64_t cost = px_charge(px_msg_attached(take_body));
    x->body_credit -= cost < x->body_credit ? cost : x->body_credit;
    if (!px_send(c->h1->env, c->h1->app, RESPONDER_DATA, take_body, x->responder)) {
        px_count(c->h1->env, H1_COUNT_no_memory, 1);
        h1_conn_reset(c, PX_NO_MEMORY);
    }
}

static bool length_pump(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct h1_exch *x = w->reading;
    uint64_t len = w->in.len < w->left ? w->in.len : w->left;
    if (x == NULL) {
        if (!drain_count(c, len)) {
            return false;
        }
        px_chain_consume(&w->in, len);
    } else {
        uint64_t room = px_credit_room(x->body_credit);
        if (room == 0) {
            return false;
        }
        Http__BodyBytes *m = px_msg_new(c->h1->env, &http__body_bytes__descriptor);
        len = px_msg_attach_chain(m, &w->in, len < room ? len : room);
        m->fin = len == w->left;
        body_send(c, x, m);
        if (c->work != w) {
            return false;
        }
        body_earn(c, len);
    }
    w->left -= len;
    h1_input_settle(c, len);
    if (c->work == w && w->left == 0) {
        h1_input_next(c);
    }
    return c->work == w;
}

/* ---- chunked bodies ---- */

/* One pass over one slice (or over the unfinished trailer section in `acc`). */
struct run {
    struct px_bytes in;
    struct px_buf *buf; /* what `in` points into */
    Http__BodyBytes *data;
    Http__TrailerFields *trailers;
    struct px_bytes_out out; /* the fields of `trailers` */
    struct h1_refusal refusal;
    bool starved; /* the next bytes wait for credit */
    bool too_long;
};

/* Attaches a piece of body to the message in the making. False: it waits for credit. */
static bool run_attach(struct h1_conn *c, struct run *r, struct px_span body)
{
    struct h1_work *w = c->work;
    struct h1_exch *x = w->reading;
    uint64_t off = (uint64_t)(body.ptr - px_buf_data(r->buf));
    for (;;) {
        uint64_t len = r->data == NULL ? 0 : px_msg_attached(r->data);
        if (len + body.len > px_credit_room(x->body_credit)) {
            return false;
        }
        if (r->data == NULL) {
            r->data = px_msg_new(c->h1->env, &http__body_bytes__descriptor);
        }
        if (px_msg_attach(r->data, r->buf, off, (uint32_t)body.len)) {
            return true;
        }
        body_send(c, x, r->data);
        r->data = NULL;
        if (c->work != w) {
            return true;
        }
    }
}

/* Decodes until something is needed: more bytes, credit, or an end. */
static enum px_parse run_decode(struct h1_conn *c, struct run *r)
{
    struct h1_work *w = c->work;
    for (;;) {
        struct h1_chunk before = w->chunk;
        struct px_bytes in_before = r->in;
        struct px_span body;
        enum px_parse p =
            h1_chunk_next(&w->chunk, &r->in, &r->out, &c->h1->limits, &body, &r->refusal);
        if (body.len == 0) {
            return p;
        }
        if (w->reading == NULL) {
            if (!drain_count(c, body.len)) {
                return PX_PARSE_MORE;
            }
            continue;
        }
        if (body.len > c->h1->body_max - w->body_len) {
            r->too_long = true;
            return PX_PARSE_BAD;
        }
        if (!run_attach(c, r, body)) {
            w->chunk = before;
            r->in = in_before;
            r->starved = true;
            return PX_PARSE_MORE;
        }
        if (c->work != w) {
            return PX_PARSE_MORE;
        }
        body_earn(c, body.len);
    }
}

static void run_begin(struct h1_conn *c, struct run *r, size_t len)
{
    const struct h1_limits *l = &c->h1->limits;
    size_t most = l->headers_len_max + (size_t)l->headers_max * FIELD_OVERHEAD;
    size_t room = 2 * len < most ? 2 * len : most;
    r->trailers = px_msg_new_sized(c->h1->env, &http__trailer_fields__descriptor, room);
    r->out = px_bytes_out_of(px_msg_alloc(r->trailers, room), room);
}

/* The last chunk and its trailers have come. */
static void run_done(struct h1_conn *c, struct run *r)
{
    struct h1_work *w = c->work;
    struct h1_exch *x = w->reading;
    size_t fields = px_bytes_out_len(&r->out);
    if (x != NULL && fields == 0 && r->data != NULL) {
        r->data->fin = true;
    }
    if (x != NULL && r->data != NULL) {
        bool fin = r->data->fin;
        body_send(c, x, r->data);
        r->data = NULL;
        x = fin || c->work != w ? NULL : x;
    }
    if (x != NULL) { /* costs no credit, so the end never waits */
        r->trailers->fields.data = r->out.start;
        r->trailers->fields.len = fields;
        px_msg_trim(r->trailers, r->out.start, fields);
        if (!px_send(c->h1->env, c->h1->app, RESPONDER_TRAILERS, r->trailers, x->responder)) {
            h1_conn_reset(c, PX_NO_MEMORY);
        }
        r->trailers = NULL;
    }
    if (c->work == w) {
        h1_input_next(c);
    }
}

static void run_refused(struct h1_conn *c, const struct run *r)
{
    struct h1_work *w = c->work;
    uint16_t status = r->too_long ? 413 : r->refusal.status;
    const char *text = r->too_long ? "body too long" : r->refusal.reason;
    if (w->reading == NULL) {
        h1_input_end(c); /* it was answered already */
        return;
    }
    px_count(c->h1->env,
             r->too_long     ? H1_COUNT_refused_413
             : status == 431 ? H1_COUNT_refused_431
                             : H1_COUNT_refused_400,
             1);
    h1_exch_fail(c, w->reading, status, text, r->too_long ? PX_TOO_LARGE : PX_PROTOCOL);
}

static void run_end(struct h1_conn *c, struct run *r, enum px_parse p)
{
    struct h1_work *w = c->work;
    if (w != NULL && p == PX_PARSE_DONE) {
        run_done(c, r);
    } else if (w != NULL && w->reading != NULL && r->data != NULL) {
        body_send(c, w->reading, r->data);
        r->data = NULL;
    }
    if (c->work == w && w != NULL && p == PX_PARSE_BAD) {
        run_refused(c, r);
    }
    if (r->data != NULL) {
        px_msg_drop(r->data);
    }
    if (r->trailers != NULL) {
        px_msg_drop(r->trailers);
    }
}

/* Keeps the beginning of a trailer section. False: no memory. */
static bool trailers_keep(struct h1_conn *c, struct px_span left)
{
    for (size_t at = 0; at < left.len;) {
        size_t n = h1_acc_put(c->h1, c->work, left.ptr + at, left.len - at);
        if (n == 0) {
            px_count(c->h1->env, H1_COUNT_no_memory, 1);
            h1_conn_reset(c, PX_NO_MEMORY);
            return false;
        }
        at += n;
    }
    return true;
}

/* Goes on with a trailer section that came in parts. */
static bool trailers_pump(struct h1_conn *c, const struct px_slice *s)
{
    struct h1_work *w = c->work;
    size_t before = w->acc_len;
    size_t used = h1_acc_put(c->h1, w, s->ptr, s->len);
    if (used == 0) {
        px_count(c->h1->env, H1_COUNT_no_memory, 1);
        h1_conn_reset(c, PX_NO_MEMORY);
        return false;
    }
    struct run r = {.in = h1_acc_bytes(w), .buf = w->acc};
    run_begin(c, &r, w->acc_len);
    enum px_parse p = run_decode(c, &r);
    if (p == PX_PARSE_DONE) {
        size_t len = w->acc_len - px_bytes_left(&r.in);
        used = len > before ? len - before : 0;
        h1_acc_drop(w);
    }
    px_chain_consume(&w->in, used);
    h1_input_settle(c, used);
    run_end(c, &r, p);
    return c->work == w && used > 0;
}

static bool chunked_pump(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    const struct px_slice *s = px_chain_first(&w->in);
    bool unheard = w->reading != NULL && w->reading->responder == 0; /* we could not say the end */
    if (unheard || (s->flags & PX_SLICE_FILE) != 0) {
        return false;
    }
    if (w->acc != NULL) {
        return trailers_pump(c, s);
    }
    uint64_t room = w->reading == NULL ? 0 : px_credit_room(w->reading->body_credit);
    size_t len = room > 0 && room < s->len ? (size_t)room : s->len;
    struct run r = {.in = px_bytes_of(s->ptr, len), .buf = s->buf};
    run_begin(c, &r, len);
    enum px_parse p = run_decode(c, &r);
    if (c->work != w || w->input != H1_IN_CHUNKED) {
        run_end(c, &r, PX_PARSE_MORE);
        return false;
    }
    size_t used = len - px_bytes_left(&r.in);
    if (p == PX_PARSE_MORE && !r.starved && px_bytes_left(&r.in) > 0) {
        if (!trailers_keep(c, px_bytes_rest(&r.in))) {
            run_end(c, &r, p);
            return false;
        }
        used = len;
    }
    px_chain_consume(&w->in, used);
    h1_input_settle(c, used);
    run_end(c, &r, p);
    return c->work == w && used > 0;
}

bool h1_body_pump(struct h1_conn *c)
{
    return c->work->input == H1_IN_LENGTH ? length_pump(c) : chunked_pump(c);
}
