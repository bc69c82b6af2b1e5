/* h1_input.c - from bytes to requests. What the next byte from the client is:
 *
 *     HEAD --head with a length--> LENGTH --body complete--> HEAD
 *     HEAD --chunked head--> CHUNKED --last chunk and trailers--> HEAD
 *     HEAD --Upgrade while others are unanswered or unsent, or now--> UPGRADE --refused--> END
 *     any --malformed, last request, fin, too slow, stop--> END
 *
 * Requests are parsed where they lie, all that are in a slice, up to pipeline_max unanswered ones;
 * the rest stays as it came, unsettled, until the flush phase goes on with it. An unfinished head
 * is copied together.
 */
#include "h1_conn.h"

static const struct px_state input_table[H1_IN_STATES] = {
    [H1_IN_HEAD] = {"head", PX_TO(H1_IN_LENGTH) | PX_TO(H1_IN_CHUNKED) | PX_TO(H1_IN_UPGRADE) |
                                PX_TO(H1_IN_END)},
    [H1_IN_LENGTH] = {"length", PX_TO(H1_IN_HEAD) | PX_TO(H1_IN_END)},
    [H1_IN_CHUNKED] = {"chunked", PX_TO(H1_IN_HEAD) | PX_TO(H1_IN_END)},
    [H1_IN_UPGRADE] = {"upgrade", PX_TO(H1_IN_END)},
    [H1_IN_END] = {"end", PX_TO(H1_IN_END)},
};

enum { DRAFT_ROOM_MAX = 65536, DRAFT_EXTRA = 80, FIELD_OVERHEAD = 8, SCHEME_ROOM = 8 };

/* ---- a Request in the making ---- */

/* The fields come first in the arena of the message, the other strings follow them. */
struct draft {
    Http__Request *request;
    struct px_bytes_out out;
};

static void draft_begin(struct h1 *h1, struct draft *d, size_t room)
{
    d->request = px_msg_new_sized(h1->env, &http__request__descriptor, room);
    d->out = px_bytes_out_of(px_msg_alloc(d->request, room), room);
}

/* Method, target and Host of the longest request that can be configured fit one piece of arena. */
_Static_assert(H1_LINES_MAX + H1_HEADERS_LEN_LIMIT - (int)sizeof " HTTP/1.1 Host" + SCHEME_ROOM +
                       H1_ADDRESS_MAX <=
                   DRAFT_ROOM_MAX,
               "the largest request line and Host do not fit an arena");

H1_RARE static uint8_t *draft_room_more(struct draft *d, size_t len)
{
    px_msg_trim(d->request, d->out.start, px_bytes_out_len(&d->out));
    return px_msg_alloc(d->request, len);
}

/* Where `len` bytes of strings go: behind the fields, or in a piece of their own. */
static inline uint8_t *draft_room(struct draft *d, size_t len)
{
    return len <= px_bytes_out_room(&d->out) ? d->out.ptr : draft_room_more(d, len);
}

static inline uint8_t *string_put(uint8_t *at, ProtobufCBinaryData *ret, struct px_span text)
{
    ret->data = at;
    ret->len = text.len;
    px_copy_short(at, text.ptr, text.len);
    return at + text.len;
}

/* Method and path, which nearly always stand in the request line with one byte between them. */
static inline uint8_t *target_put(uint8_t *at, Http__Request *r, const struct h1_head *head)
{
    size_t path_at = head->method.len + 1;
    if (head->path.ptr != head->method.ptr + path_at) {
        at = string_put(at, &r->method, head->method);
        return string_put(at, &r->path, head->path);
    }
    r->path.data = at + path_at;
    r->path.len = head->path.len;
    size_t len = path_at + head->path.len;
    at = string_put(at, &r->method, px_span_of(head->method.ptr, len));
    r->method.len = head->method.len;
    return at;
}

/* Room for all of a request but its fields. */
static inline size_t draft_strings_len(const struct h1_head *head)
{
    return head->method.len + 1 + head->path.len + head->authority.len + SCHEME_ROOM +
           H1_ADDRESS_MAX;
}

/* Scheme and address are copied in their full size and what is too much is written over or never
 * read, so the address comes last. */
static void draft_strings(struct h1_conn *c, struct draft *d, const struct h1_head *head)
{
    static const char schemes[2][SCHEME_ROOM] = {"http", "https"};
    Http__Request *r = d->request;
    bool secure = head->scheme.len == 0 ? h1_conn_place(c)->secure : head->scheme.len == 5;
    uint8_t *at = draft_room(d, draft_strings_len(head));
    r->scheme.data = at;
    r->scheme.len = secure ? 5 : 4;
    memcpy(at, schemes[secure], SCHEME_ROOM);
    at += r->scheme.len;
    at = target_put(at, r, head);
    at = string_put(at, &r->authority, head->authority);
    r->remote.data = at;
    r->remote.len = c->remote_len;
    memcpy(at, c->remote, H1_ADDRESS_MAX);
}

static void draft_fill(struct h1_conn *c, struct draft *d, const struct h1_head *head)
{
    Http__Request *r = d->request;
    const struct h1_place *place = h1_conn_place(c);
    r->fields.data = d->out.start;
    r->fields.len = px_bytes_out_len(&d->out);
    draft_strings(c, d, head);
    r->has_length = head->framing == H1_LENGTH || head->framing == H1_NO_BODY;
    r->length = head->framing == H1_LENGTH ? head->content_length : 0;
    r->fin = r->has_length && r->length == 0;
    r->expects_continue = head->expect_continue;
    r->file_ranges = place->file_ranges && h1_app_peer(c->h1) == PX_PEER_LOCAL(c->h1->app);
    r->listener = place->listener;
    r->version = head->minor == 0 ? 10 : 11;
}

/* ---- requests ---- */

bool h1_input_is_clean(const struct h1_work *w)
{
    return w->input == H1_IN_HEAD && w->in.len == 0 && w->acc == NULL && !w->eof && !w->final;
}

/* Why not? */
H1_RARE static bool may_not_parse(const struct h1_conn *c)
{
    struct h1_work *w = c->work;
    if (w->input != H1_IN_HEAD) {
        return false;
    }
    if (w->n_exchs >= c->h1->pipeline_max) {
        px_count(c->h1->env, H1_COUNT_pipeline_max, 1);
        return false;
    }
    px_count(c->h1->env, H1_COUNT_output_mark, w->output_paused ? 0 : 1);
    w->output_paused = true;
    return false;
}

/* May another request be begun? */
static inline bool may_parse(const struct h1_conn *c)
{
    struct h1_work *w = c->work;
    if (w->input != H1_IN_HEAD || w->n_exchs >= c->h1->pipeline_max ||
        h1_output_len(w) > H1_OUTPUT_MARK) {
        return may_not_parse(c);
    }
    w->output_paused = false;
    return true;
}

static void count_refusal(struct px_env *env, uint16_t status)
{
    switch (status) {
    case 414:
        px_count(env, H1_COUNT_refused_414, 1);
        break;
    case 417:
        px_count(env, H1_COUNT_refused_417, 1);
        break;
    case 431:
        px_count(env, H1_COUNT_refused_431, 1);
        break;
    case 501:
        px_count(env, H1_COUNT_refused_501, 1);
        break;
    case 505:
        px_count(env, H1_COUNT_refused_505, 1);
        break;
    default:
        px_count(env, H1_COUNT_refused_400, 1);
        break;
    }
}

/* `head`: what came of it. */
H1_RARE static void request_refuse(struct h1_conn *c, const struct h1_refusal *refusal,
                                   struct px_span head)
{
    count_refusal(c->h1->env, refusal->status);
    h1_exch_refuse(c, refusal->status, refusal->reason, head);
}

/* Nobody took a request: it is ours to answer. */
H1_RARE static void request_unsent(struct h1 *h1, struct h1_exch *x)
{
    px_count(h1->env, H1_COUNT_refused_503, 1);
    (void)px_pool_issue(&h1->exchs, x, 0);
    x->own_status = 503;
    x->own_text = "nobody is there to answer";
}

/* Hands a request to the application; without one, it is ours to answer. */
static inline void request_send(struct h1_conn *c, struct h1_exch *x, struct draft *d)
{
    struct h1 *h1 = c->h1;
    px_peer app = h1_app_peer(h1);
    if (app == 0) {
        px_msg_drop(d->request);
        request_unsent(h1, x);
        return;
    }
    d->request->requester = px_pool_issue(&h1->exchs, x, app);
    d->request->credit = c->work->first == x ? H1_RESPONSE_WINDOW : 0;
    x->credit_given = d->request->credit > 0;
    if (px_send(h1->env, h1->app, RESPONDER_EXCHANGE, d->request, 0)) {
        px_count(h1->env, H1_COUNT_requests, 1);
    } else {
        request_unsent(h1, x);
    }
}

/* Is this head an Upgrade? Then it stays where it is until its turn. */
H1_RARE static bool request_upgrades(struct h1_conn *c, const struct h1_head *head, struct draft *d)
{
    struct h1_work *w = c->work;
    w->upgrade = h1_upgrade_of(c->h1, head);
    if (w->upgrade == NULL) {
        return false;
    }
    px_msg_drop(d->request);
    px_fsm_move(input_table, &w->input, H1_IN_UPGRADE);
    h1_conn_want(c);
    return true;
}

/* The request line of a head that was read: CR ends it. */
static struct px_span line_of_read(const struct h1_head *head)
{
    const uint8_t *end = memchr(head->method.ptr, '\r', H1_LINES_MAX + 1);
    return px_span_of(head->method.ptr, (size_t)(end - head->method.ptr));
}

/* A request with a body. */
__attribute__((noinline)) static void request_take_body(struct h1_conn *c, struct h1_exch *x,
                                                        const struct h1_head *head, struct draft *d)
{
    if (head->framing == H1_LENGTH && head->content_length > c->h1->body_max) {
        px_msg_drop(d->request);
        px_count(c->h1->env, H1_COUNT_refused_413, 1);
        h1_exch_refuse_last(c, 413, "body too long", line_of_read(head));
        return;
    }
    request_send(c, x, d);
    px_fsm_move(input_table, &c->work->input,
                head->framing == H1_CHUNKED ? H1_IN_CHUNKED : H1_IN_LENGTH);
    h1_body_begin(c, x->own_status == 0 ? x : NULL, head);
    if (x->own_status != 0 && c->work != NULL) {
        h1_exch_advance(c);
    }
}

/* The last request without a body, or one that is ours to answer. */
H1_RARE static void request_last(struct h1_conn *c, struct h1_exch *x)
{
    if (c->work->final) {
        h1_input_end(c);
    }
    if (x->own_status != 0 && c->work != NULL) {
        h1_exch_advance(c);
    }
}

/* A complete head has been read. False: it stays where it is until its turn (Upgrade). */
static inline bool request_take(struct h1_conn *c, const struct h1_head *head, struct draft *d)
{
    struct h1_work *w = c->work;
    w->upgrade = NULL;
    if (head->upgrade.len > 0 && request_upgrades(c, head, d)) {
        return false;
    }
    struct h1_exch *x = h1_exch_new(c);
    if (x == NULL) {
        px_msg_drop(d->request);
        return true;
    }
    draft_fill(c, d, head);
    x->minor = head->minor;
    x->head_only = head->method_id == H1_HEAD;
    x->expects = head->expect_continue;
    c->requests++;
    if (c->requests >= c->h1->requests_max) {
        px_count(c->h1->env, H1_COUNT_requests_max, c->h1->stopping ? 0 : 1);
        w->final = true;
    }
    w->final = w->final || !head->keep_alive;
    if (!d->request->fin) {
        request_take_body(c, x, head, d);
        return true;
    }
    request_send(c, x, d);
    if (w->final || x->own_status != 0) {
        request_last(c, x);
    }
    return true;
}

/* Room that is enough for any head of `len` bytes or less that the limits let through. */
static size_t draft_room_max(const struct h1 *h1, size_t len)
{
    size_t fields = h1->limits.headers_len_max + (size_t)h1->limits.headers_max * FIELD_OVERHEAD;
    size_t room = 2 * len < fields ? 2 * len : fields;
    room += len + DRAFT_EXTRA;
    return room < DRAFT_ROOM_MAX ? room : DRAFT_ROOM_MAX;
}

/* A head was not read: once more, straight into a message with all the room it may need, if there
 * was too little. */
H1_RARE static enum px_parse head_again(struct h1_conn *c, struct h1_resume *resume,
                                        struct px_bytes *in, struct h1_head *ret_head,
                                        struct draft *ret_draft, enum px_parse p)
{
    if (p == PX_PARSE_MORE || ret_head->refusal.status != 431) {
        return p;
    }
    draft_begin(c->h1, ret_draft, draft_room_max(c->h1, px_bytes_left(in)));
    *resume = (struct h1_resume){0};
    p = h1_head_parse(resume, in, &ret_draft->out, &c->h1->limits, ret_head);
    if (p != PX_PARSE_DONE) {
        px_msg_drop(ret_draft->request);
    }
    return p;
}

/* Parses one head. DONE: the draft is made, as large as it has to be: the fields of an ordinary
 * head are first written beside it, because how long they are is known only behind them. */
static inline enum px_parse head_parse(struct h1_conn *c, struct h1_resume *resume,
                                       struct px_bytes *in, struct h1_head *ret_head,
                                       struct draft *ret_draft)
{
    struct h1 *h1 = c->h1;
    struct px_bytes_out fields = px_bytes_out_of(h1->fields, sizeof h1->fields);
    enum px_parse p = h1_head_parse(resume, in, &fields, &h1->limits, ret_head);
    if (p != PX_PARSE_DONE) {
        return head_again(c, resume, in, ret_head, ret_draft, p);
    }
    draft_begin(h1, ret_draft, px_bytes_out_len(&fields) + draft_strings_len(ret_head));
    px_bytes_put_span(&ret_draft->out, px_bytes_out_span(&fields));
    return p;
}

/* The first part of a head came: it is kept. */
H1_RARE static size_t head_keep(struct h1_conn *c, const struct h1_resume *resume,
                                const uint8_t *ptr, size_t len)
{
    struct h1_work *w = c->work;
    for (size_t at = 0; at < len;) {
        size_t n = h1_acc_put(c->h1, w, ptr + at, len - at);
        if (n == 0) {
            px_count(c->h1->env, H1_COUNT_no_memory, 1);
            h1_conn_reset(c, PX_NO_MEMORY);
            return len;
        }
        at += n;
    }
    w->resume = *resume;
    h1_conn_deadline(c, c->h1->head_us);
    return len;
}

/* Takes one request, or the beginning of one. Bytes used; 0: it must wait. */
static inline size_t head_direct(struct h1_conn *c, const uint8_t *ptr, size_t len)
{
    struct px_bytes in = px_bytes_of(ptr, len);
    struct h1_resume resume = {0};
    struct h1_head head;
    struct draft draft;
    switch (head_parse(c, &resume, &in, &head, &draft)) {
    case PX_PARSE_DONE:
        return request_take(c, &head, &draft) ? len - px_bytes_left(&in) : 0;
    case PX_PARSE_MORE:
        return head_keep(c, &resume, ptr, len);
    case PX_PARSE_BAD:
        break;
    }
    request_refuse(c, &head.refusal, px_span_of(ptr, len));
    return len;
}

/* Goes on with a head that came in parts. Bytes used of the new ones. */
__attribute__((noinline)) static size_t head_resumed(struct h1_conn *c, const uint8_t *ptr,
                                                     size_t len)
{
    struct h1_work *w = c->work;
    size_t before = w->acc_len;
    size_t taken = h1_acc_put(c->h1, w, ptr, len);
    if (taken == 0) {
        px_count(c->h1->env, H1_COUNT_no_memory, 1);
        h1_conn_reset(c, PX_NO_MEMORY);
        return len;
    }
    struct px_bytes in = h1_acc_bytes(w);
    if (!h1_resume_ready(&w->resume, &in, &c->h1->limits)) {
        return taken;
    }
    struct h1_head head;
    struct draft draft;
    enum px_parse p = head_parse(c, &w->resume, &in, &head, &draft);
    if (p == PX_PARSE_MORE) {
        return taken;
    }
    if (p == PX_PARSE_BAD) {
        request_refuse(c, &head.refusal, px_bytes_rest(&in));
        return len;
    }
    size_t head_len = w->acc_len - px_bytes_left(&in);
    c->deadline_us = PX_NEVER;
    if (request_take(c, &head, &draft)) {
        if (c->work == w) {
            h1_acc_drop(w);
        }
    } else {
        w->acc_len = (uint32_t)head_len; /* an Upgrade: read again in its turn */
    }
    return head_len > before ? head_len - before : 0;
}

/* Parses what `ptr` has of requests. Bytes used. */
static size_t heads_take(struct h1_conn *c, const uint8_t *ptr, size_t len)
{
    size_t used = 0;
    while (used < len && c->work != NULL && may_parse(c)) {
        size_t n = c->work->acc == NULL ? head_direct(c, ptr + used, len - used)
                                        : head_resumed(c, ptr + used, len - used);
        used += n;
        if (n == 0) {
            break;
        }
    }
    return used;
}

/* ---- slices ---- */

void h1_input_settle(struct h1_conn *c, uint64_t len)
{
    struct h1_work *w = c->work;
    if (w == NULL || c->state != H1_CONN_OPEN || len == 0) {
        return;
    }
    px_credit_settle(&w->credit, len);
    h1_credit_withhold(&w->credit, &w->excess);
    uint32_t due = px_credit_due(&w->credit);
    if (due > 0) {
        Stream__CreditBytes *m = px_msg_new(c->h1->env, &stream__credit_bytes__descriptor);
        m->bytes = due;
        if (!px_send(c->h1->env, h1_conn_provider(c), LOWER_CREDIT, m, c->lower)) {
            h1_conn_reset(c, PX_NO_MEMORY);
        }
    }
}

/* Parses the slices of a message where they are. Bytes used. */
static uint64_t input_borrowed(struct h1_conn *c, const struct px_msg *msg)
{
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    uint64_t used = 0;
    for (uint32_t i = 0; i < n && c->work != NULL && c->work->input == H1_IN_HEAD; i++) {
        size_t len = slices[i].len;
        size_t here =
            (slices[i].flags & PX_SLICE_FILE) != 0 ? 0 : heads_take(c, slices[i].ptr, len);
        used += here;
        if (here < len) {
            break;
        }
    }
    return used;
}

void h1_input_take(struct h1_conn *c, const struct px_msg *msg)
{
    struct h1_work *w = h1_work_of(c);
    uint64_t len = px_msg_payload_len(msg);
    if (w == NULL || w->input == H1_IN_END || w->eof) {
        return; /* what comes now is not for anyone */
    }
    if (!px_credit_received(&w->credit, len)) {
        px_count(c->h1->env, H1_COUNT_credit_exceeded, 1);
        h1_conn_reset(c, PX_PROTOCOL);
        return;
    }
    uint64_t used = 0;
    if (w->in.len == 0 && w->input == H1_IN_HEAD && c->state == H1_CONN_OPEN) {
        used = input_borrowed(c, msg);
    }
    if (c->work != w) {
        return;
    }
    if (used < len && w->input != H1_IN_END) {
        if (!px_msg_take_payload(msg, &w->in)) {
            px_count(c->h1->env, H1_COUNT_no_memory, 1);
            h1_conn_reset(c, PX_NO_MEMORY);
            return;
        }
        px_chain_consume(&w->in, used);
    }
    h1_input_settle(c, used);
    if (c->work == w && w->in.len > 0 && w->input != H1_IN_HEAD && c->state == H1_CONN_OPEN) {
        h1_input_pump(c);
    }
    if (c->work == w && w->n_exchs == 0) {
        h1_conn_want(c); /* nobody else will: it may be at rest again, or over */
    }
}

/* One step on what is kept; false: nothing more can be done now. */
static bool pump_once(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    switch ((enum h1_input)w->input) {
    case H1_IN_HEAD: {
        const struct px_slice *s = px_chain_first(&w->in);
        bool memory = (s->flags & PX_SLICE_FILE) == 0;
        size_t used = memory ? heads_take(c, s->ptr, s->len) : 0;
        if (c->work == w && w->in.len >= used && used > 0) {
            px_chain_consume(&w->in, used);
            h1_input_settle(c, used);
        }
        return used > 0;
    }
    case H1_IN_LENGTH:
    case H1_IN_CHUNKED:
        return h1_body_pump(c);
    case H1_IN_UPGRADE:
    case H1_IN_END:
    case H1_IN_STATES:
        break;
    }
    return false;
}

void h1_input_pump(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    while (c->work == w && w != NULL && w->in.len > 0 && pump_once(c)) {
    }
    if (c->work != w || w == NULL) {
        return;
    }
    if (w->input == H1_IN_LENGTH || w->input == H1_IN_CHUNKED) {
        h1_body_clock(c);
    }
    if (w->eof && w->input != H1_IN_END) {
        h1_input_eof(c);
    }
}

/* ---- ends ---- */

void h1_input_end(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    px_fsm_move(input_table, &w->input, H1_IN_END);
    w->final = true;
    w->reading = NULL;
    w->drains = false;
    px_chain_clear(&w->in);
    h1_acc_drop(w);
    c->deadline_us = PX_NEVER;
    h1_conn_want(c);
}

void h1_input_next(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    w->reading = NULL;
    w->drains = false;
    c->deadline_us = PX_NEVER;
    if (w->final) {
        h1_input_end(c);
        return;
    }
    px_fsm_move(input_table, &w->input, H1_IN_HEAD);
    h1_conn_want(c);
}

void h1_input_eof(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    w->eof = true;
    if (c->state != H1_CONN_OPEN || (w->in.len > 0 && w->input != H1_IN_UPGRADE)) {
        return; /* first what is there */
    }
    bool unfinished = w->acc != NULL || w->input == H1_IN_LENGTH || w->input == H1_IN_CHUNKED;
    px_count(c->h1->env, H1_COUNT_truncated, unfinished ? 1 : 0);
    if (w->reading != NULL) {
        h1_exch_fail(c, w->reading, 400, "the body ends too early", PX_TRUNCATED);
    } else {
        h1_input_end(c);
    }
}

void h1_input_timed_out(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct px_env *env = c->h1->env;
    if (w->input == H1_IN_HEAD && w->acc != NULL) {
        if (!may_parse(c)) {
            h1_conn_deadline(c, c->h1->head_us); /* it is we who wait */
            return;
        }
        px_count(env, H1_COUNT_refused_408_head, 1);
        struct px_bytes head = h1_acc_bytes(w);
        h1_exch_refuse(c, 408, "the head took too long", px_bytes_rest(&head));
    } else if (w->drains) {
        px_count(env, H1_COUNT_drain_ms, 1);
        h1_input_end(c);
    } else if (w->reading != NULL) {
        px_count(env, H1_COUNT_refused_408_body, 1);
        h1_exch_fail(c, w->reading, 408, "the body came too slowly", PX_TIMED_OUT);
    }
}
