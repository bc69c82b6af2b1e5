/* h1_exchange.c - requests that are not answered yet, in order, and what the application says about
 * them.
 *
 *     DUE --Respond in its turn--> BODY --last byte--> DONE (forgotten at once)
 *     DUE --small whole Respond, or an answer of ours, in its turn--> DONE
 *     DUE --malformed body, too slow, application gone, Cancel--> replaced by one that is ours
 *     BODY --the same--> the connection is reset
 *
 * Respond and Trailers that come before their turn are held; they carry no credited bytes. An
 * exchange that ends before the application's first message waits for it, without a connection, to
 * be able to say Ended.
 */
#include "h1_conn.h"

static const struct px_state answer_table[H1_ANSWER_STATES] = {
    [H1_ANSWER_DUE] = {"due", PX_TO(H1_ANSWER_BODY) | PX_TO(H1_ANSWER_DONE)},
    [H1_ANSWER_BODY] = {"body", PX_TO(H1_ANSWER_DONE)},
    [H1_ANSWER_DONE] = {"done", 0},
};

void h1_exch_answer(struct h1_exch *x, enum h1_answer answer)
{
    px_fsm_move(answer_table, &x->answer, (uint32_t)answer);
}

/* ---- coming and going ---- */

struct h1_exch *h1_exch_new(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct h1_exch *x = px_pool_get(&c->h1->exchs);
    if (x == NULL) {
        px_count(c->h1->env, H1_COUNT_no_memory, 1);
        h1_conn_reset(c, PX_NO_MEMORY);
        return NULL;
    }
    x->conn = c;
    x->minor = 1;
    if (w->last == NULL) {
        w->first = x;
    } else {
        w->last->next = x;
    }
    w->last = x;
    w->n_exchs++;
    return x;
}

static void ended_send(struct h1 *h1, const struct h1_exch *x, enum px_status status)
{
    Http__EndedExchange *m = px_msg_new_sized(h1->env, &http__ended_exchange__descriptor, 0);
    m->status = (uint32_t)status;
    if (x->own_status != 0) {
        m->answered = x->own_status;
        m->length = h1_response_own_len(x);
    }
    (void)px_send(h1->env, h1->app, RESPONDER_ENDED, m, x->responder); /* lost: it is told */
}

H1_RARE static void held_release(struct h1_exch *x)
{
    if (x->respond != NULL) {
        px_msg_release(x->respond);
        x->respond = NULL;
    }
    if (x->trailers != NULL) {
        px_msg_release(x->trailers);
        x->trailers = NULL;
    }
}

/* Ends the application's side of what it has not spoken about: if it will, `x` waits for that. */
H1_RARE static void exch_orphan(struct h1 *h1, struct h1_exch *x)
{
    if (px_pool_owner(&h1->exchs, x) != 0 && !x->heard) {
        x->conn = NULL;
        x->next = NULL;
    } else {
        px_pool_put(&h1->exchs, x);
    }
}

/* Ends the application's side; `x` is unlinked. If the application cannot be told yet, `x` waits
 * for that. */
static inline void exch_detach(struct h1 *h1, struct h1_exch *x, enum px_status reason)
{
    if (x->respond != NULL || x->trailers != NULL) {
        held_release(x);
    }
    if (x->responder == 0) {
        exch_orphan(h1, x);
        return;
    }
    ended_send(h1, x, reason);
    px_pool_put(&h1->exchs, x);
}

/* The first message about an exchange whose client has left. */
H1_RARE static void orphan_end(struct h1 *h1, struct h1_exch *x)
{
    if (x->responder != 0) {
        ended_send(h1, x, PX_RESET);
    }
    px_pool_put(&h1->exchs, x);
}

void h1_exch_cut_behind(struct h1_conn *c, struct h1_exch *x)
{
    struct h1_work *w = c->work;
    struct h1_exch *next = x->next;
    x->next = NULL;
    w->last = x;
    while (next != NULL) {
        struct h1_exch *y = next;
        next = y->next;
        w->n_exchs--;
        exch_detach(c->h1, y, PX_CANCELLED);
    }
}

void h1_exch_end_all(struct h1_conn *c, enum px_status reason)
{
    struct h1_work *w = c->work;
    if (w == NULL) {
        return;
    }
    struct h1_exch *next = w->first;
    w->first = w->last = w->reading = NULL;
    w->n_exchs = 0;
    while (next != NULL) {
        struct h1_exch *x = next;
        next = x->next;
        exch_detach(c->h1, x, reason);
    }
}

/* ---- failing ---- */

void h1_exch_replace(struct h1_conn *c, struct h1_exch *x, uint16_t status, const char *text,
                     enum px_status reason)
{
    struct h1_work *w = c->work;
    struct h1_exch *y = x->answer == H1_ANSWER_DUE ? px_pool_get(&c->h1->exchs) : NULL;
    if (y == NULL) {
        h1_conn_reset(c, reason);
        return;
    }
    *y = (struct h1_exch){.next = x->next, .conn = c, .own_status = status, .own_text = text};
    y->minor = x->minor;
    y->head_only = x->head_only;
    y->abandoned = status == 0;
    struct h1_exch **link = &w->first;
    while (*link != x) {
        link = &(*link)->next;
    }
    *link = y;
    w->last = w->last == x ? y : w->last;
    h1_exch_cut_behind(c, y);
    x->own_status = status; /* for its Ended */
    x->own_text = text;
    exch_detach(c->h1, x, reason);
    h1_input_end(c);
}

void h1_exch_fail(struct h1_conn *c, struct h1_exch *x, uint16_t status, const char *text,
                  enum px_status reason)
{
    h1_exch_replace(c, x, status, text, reason);
    h1_exch_advance(c);
}

/* The request line, as far as it came: without what ends it, and at most H1_REFUSED_LINE_MAX bytes.
 * An empty line may come before it (RFC 9112 2.2). */
static struct px_span line_of(struct px_span head)
{
    struct px_bytes in = px_bytes_of_span(head);
    if (px_bytes_peek(&in, 0) == '\r' && px_bytes_peek(&in, 1) == '\n') {
        px_bytes_skip(&in, 2);
    }
    size_t len = 0;
    while (len < H1_REFUSED_LINE_MAX) {
        int byte = px_bytes_peek(&in, len);
        if (byte < 0 || byte == '\r' || byte == '\n') {
            break;
        }
        len++;
    }
    return px_bytes_take(&in, len);
}

/* What the application hears once `x` is answered; NULL: no memory, then it does not hear of it. */
static const struct px_msg *refused_make(struct h1_conn *c, const struct h1_exch *x,
                                         struct px_span head, uint32_t version)
{
    struct px_span line = line_of(head);
    Http__RefusedRequest *m = px_msg_new_sized(c->h1->env, &http__refused_request__descriptor,
                                               H1_REFUSED_LINE_MAX + 2 * H1_ADDRESS_MAX);
    m->status = x->own_status;
    m->length = h1_response_own_len(x);
    m->version = version;
    m->listener = h1_conn_place(c)->listener;
    px_msg_put(m, &m->line, line.ptr, line.len);
    px_msg_put(m, &m->remote, c->remote, c->remote_len);
    return px_msg_seal(c->h1->env, m);
}

static void exch_refuse(struct h1_conn *c, struct h1_exch *x, uint16_t status, const char *text,
                        struct px_span head, uint32_t version)
{
    x->own_status = status;
    x->own_text = text;
    x->refused = refused_make(c, x, head, version);
    h1_input_end(c); /* and `head` with it */
    h1_exch_advance(c);
}

void h1_exch_refuse(struct h1_conn *c, uint16_t status, const char *text, struct px_span head)
{
    struct h1_exch *x = h1_exch_new(c);
    if (x != NULL) {
        exch_refuse(c, x, status, text, head, 0);
    }
}

void h1_exch_refuse_last(struct h1_conn *c, uint16_t status, const char *text, struct px_span head)
{
    struct h1_exch *x = c->work->last;
    exch_refuse(c, x, status, text, head, x->minor == 0 ? 10 : 11);
}

void h1_exch_refused(struct h1 *h1, struct h1_exch *x)
{
    if (h1_app_peer(h1) != 0) {
        (void)px_send_shared(h1->env, h1->app, RESPONDER_REFUSED, x->refused, 0); /* lost: lost */
    }
    px_msg_release(x->refused);
    x->refused = NULL;
}

void h1_exch_broken(struct h1_conn *c, const char *why)
{
    px_count(c->h1->env, H1_COUNT_application_broken, 1);
    h1_warn(c->h1, "application", why);
    h1_conn_reset(c, PX_PROTOCOL);
}

/* ---- in order ---- */

static void exch_pop(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct h1_exch *x = w->first;
    w->first = x->next;
    w->last = x->next == NULL ? NULL : w->last;
    w->n_exchs--;
    bool unread = w->reading == x;
    exch_detach(c->h1, x, PX_OK);
    if (unread) {
        h1_body_drain(c);
    }
}

/* Grants credit for a response body. */
static void credit_send(struct h1_conn *c, const struct h1_exch *x, uint32_t bytes)
{
    struct h1 *h1 = c->h1;
    Http__ExchangeCredit *m = px_msg_new(h1->env, &http__exchange_credit__descriptor);
    m->bytes = bytes;
    if (!px_send(h1->env, h1->app, RESPONDER_CREDIT, m, x->responder)) {
        h1_conn_reset(c, PX_NO_MEMORY);
    }
}

/* The first in line has something to wait for: the application gets what it needs to go on. */
static void exch_ready(struct h1_conn *c, struct h1_exch *x)
{
    struct h1_work *w = c->work;
    if (x->answer == H1_ANSWER_BODY && !x->credit_given && x->responder != 0) {
        x->credit_given = true;
        uint32_t window = x->from_file ? H1_FILE_WINDOW : H1_RESPONSE_WINDOW;
        credit_send(c, x, px_credit_open(&x->credit, window));
    } else if (x->expects && !x->continued && w->reading == x && x->answer == H1_ANSWER_DUE &&
               x->body_credit > 0 && w->body_len == 0 && w->in.len == 0) {
        x->continued = true; /* RFC 9110 10.1.1: the client may go on */
        h1_response_inform(c, 100, px_span_of(NULL, 0));
        if (c->work == w) {
            h1_body_clock(c);
        }
    }
}

/* The answer of the first in line is due: writes it if it is there. */
static bool exch_answer(struct h1_conn *c, struct h1_exch *x)
{
    if (x->abandoned) {
        h1_input_end(c); /* it is the last one; Close follows what was sent before */
        exch_pop(c);
        return true;
    }
    if (x->own_status != 0) {
        h1_response_own(c, x);
        return true;
    }
    if (x->respond == NULL) {
        exch_ready(c, x);
        return false;
    }
    const struct px_msg *msg = x->respond;
    x->respond = NULL;
    (void)h1_response_begin(c, x, msg);
    px_msg_release(msg);
    return true;
}

/* Is there nothing to be done about the first in line but wait for the application? */
static bool exch_waits(const struct h1_exch *x)
{
    return x->answer == H1_ANSWER_DUE && x->respond == NULL && x->own_status == 0 &&
           !x->abandoned && !x->expects;
}

void h1_exch_advance(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    while (w != NULL && c->work == w && w->first != NULL) {
        struct h1_exch *x = w->first;
        if (x->answer == H1_ANSWER_DONE) {
            exch_pop(c);
        } else if (x->answer == H1_ANSWER_DUE) {
            if (!exch_answer(c, x)) {
                return;
            }
        } else if (x->trailers != NULL) {
            const struct px_msg *msg = x->trailers;
            const Http__TrailerFields *m = msg->body;
            x->trailers = NULL;
            h1_response_trailers(c, x, px_span_of(m->fields.data, m->fields.len));
            px_msg_release(msg);
        } else {
            exch_ready(c, x);
            return;
        }
    }
}

void h1_exch_settle(struct h1_conn *c)
{
    struct h1_exch *x = c->work->first;
    uint64_t waits = h1_output_len(c->work);
    if (x->unsent <= waits) {
        return;
    }
    px_credit_settle(&x->credit, x->unsent - waits);
    h1_credit_withhold(&x->credit, &x->withheld);
    x->unsent = (uint32_t)waits;
    uint32_t due = px_credit_due(&x->credit);
    if (due > 0) {
        credit_send(c, x, due);
    }
}

/* File ranges that wait for the client pin no memory, so a body that begins with one gets a larger
 * window. If memory follows, the window shrinks again: what was granted cannot be taken back, but
 * the difference is not granted once more. */
void h1_exch_weigh(struct h1_conn *c, struct h1_exch *x, const struct h1_payload *payload)
{
    const uint32_t more = H1_FILE_WINDOW - H1_RESPONSE_WINDOW;
    if (payload->len == 0) {
        return;
    }
    uint64_t room = UINT32_MAX - x->from_memory;
    x->from_memory += (uint32_t)(payload->memory < room ? payload->memory : room);
    if (!x->body_begun && payload->memory < payload->len) {
        x->from_file = true;
        if (x->credit_given) {
            x->credit.window = H1_FILE_WINDOW;
            x->credit.outstanding += more;
            credit_send(c, x, more);
        }
    } else if (x->from_file && x->from_memory > H1_FILE_MEMORY_MAX) {
        x->from_file = false;
        if (x->credit_given) {
            x->credit.window = H1_RESPONSE_WINDOW;
            x->withheld = more;
            h1_credit_withhold(&x->credit, &x->withheld);
        }
    }
    x->body_begun = true;
}

/* ---- what the application says ---- */

/* A message about an exchange that is not there. Its sender may never have heard the end (it got
 * the request from an earlier life of its own), so it is told; whoever has heard it knows the
 * handle no more. */
H1_RARE static void stranger_end(struct h1 *h1, const struct px_msg *msg, px_handle responder)
{
    if (responder != 0) {
        Http__EndedExchange *m = px_msg_new(h1->env, &http__ended_exchange__descriptor);
        m->status = PX_RESET;
        (void)px_send(h1->env, PX_PEER_ADDR(msg->from), RESPONDER_ENDED, m, responder);
    }
}

/* The exchange a message is about, if it has a client. The first message tells the application's
 * handle. */
static inline struct h1_exch *exch_at(struct h1 *h1, const struct px_msg *msg, px_handle responder)
{
    struct h1_exch *x = px_pool_at(&h1->exchs, msg);
    if (x == NULL) {
        stranger_end(h1, msg, responder);
        return NULL;
    }
    if (x->responder == 0) {
        x->responder = responder;
    }
    x->heard = true;
    if (x->conn == NULL) {
        orphan_end(h1, x);
        return NULL;
    }
    return x;
}

/* A Respond that is not all of the answer, or more than is free: false, it goes beyond its credit.
 */
__attribute__((noinline)) static bool respond_charge(struct h1_conn *c, struct h1_exch *x,
                                                     uint64_t len)
{
    if (x->credit_given) {
        (void)px_credit_open(&x->credit, H1_RESPONSE_WINDOW);
    }
    if (len > H1_RESPOND_FREE) {
        if (!px_credit_received(&x->credit, len - H1_RESPOND_FREE)) {
            h1_exch_broken(c, "a response beyond its credit");
            return false;
        }
        x->unsent = (uint32_t)(len - H1_RESPOND_FREE);
    }
    return true;
}

void h1_on_respond(void *state, const struct px_msg *msg)
{
    const Http__Response *m = msg->body;
    struct h1_exch *x = exch_at(state, msg, m->responder);
    if (x == NULL) {
        return;
    }
    struct h1_conn *c = x->conn;
    uint64_t len = px_msg_payload_len(msg);
    if (x->answer != H1_ANSWER_DUE || x->respond != NULL) {
        h1_exch_broken(c, "a second response");
        return;
    }
    if ((!m->fin || len > H1_RESPOND_FREE) && !respond_charge(c, x, len)) {
        return;
    }
    if (x != c->work->first) {
        x->respond = px_msg_hold(msg);
        return;
    }
    struct h1_work *w = c->work;
    if (h1_response_begin(c, x, msg)) {
        exch_pop(c);
        if (w->first == NULL || exch_waits(w->first)) {
            return; /* what is usual */
        }
    }
    h1_exch_advance(c);
}

void h1_on_app_data(void *state, const struct px_msg *msg)
{
    const Http__BodyBytes *m = msg->body;
    struct h1_exch *x = exch_at(state, msg, 0);
    if (x == NULL) {
        return;
    }
    struct h1_conn *c = x->conn;
    if (x->answer != H1_ANSWER_BODY) {
        h1_exch_broken(c, "body without a response, or before its turn");
    } else if (!px_credit_received(&x->credit, px_msg_payload_len(msg))) {
        h1_exch_broken(c, "a response body beyond its credit");
    } else {
        h1_response_body(c, x, msg, m->fin);
        h1_exch_advance(c);
    }
}

void h1_on_app_trailers(void *state, const struct px_msg *msg)
{
    const Http__TrailerFields *m = msg->body;
    struct h1_exch *x = exch_at(state, msg, 0);
    if (x == NULL) {
        return;
    }
    struct h1_conn *c = x->conn;
    if (x->answer == H1_ANSWER_BODY) {
        h1_response_trailers(c, x, px_span_of(m->fields.data, m->fields.len));
        h1_exch_advance(c);
    } else if (x->respond != NULL && x->trailers == NULL &&
               !((const Http__Response *)x->respond->body)->fin) {
        x->trailers = px_msg_hold(msg);
    } else {
        h1_exch_broken(c, "trailers without a response");
    }
}

void h1_on_inform(void *state, const struct px_msg *msg)
{
    struct h1 *h1 = state;
    const Http__InterimResponse *m = msg->body;
    struct h1_exch *x = px_pool_at(&h1->exchs, msg);
    if (x == NULL || x->conn == NULL) {
        return;
    }
    struct h1_conn *c = x->conn;
    bool sane = m->status >= 102 && m->status <= 199;
    if (!sane || x->answer != H1_ANSWER_DUE || x != c->work->first || x->minor == 0 ||
        x->informs == H1_INFORM_MAX) {
        px_count(h1->env, H1_COUNT_inform_max, 1);
        return; /* the client can do without */
    }
    x->informs++;
    h1_response_inform(c, (uint16_t)m->status, px_span_of(m->fields.data, m->fields.len));
}

void h1_on_app_credit(void *state, const struct px_msg *msg)
{
    const Http__ExchangeCredit *m = msg->body;
    struct h1_exch *x = exch_at(state, msg, m->responder);
    if (x == NULL) {
        return;
    }
    struct h1_conn *c = x->conn;
    struct h1_work *w = c->work;
    x->body_credit += m->bytes;
    if (w->reading != x) {
        return;
    }
    if (w->first == x) {
        exch_ready(c, x);
    }
    if (c->work == w && w->in.len > 0) {
        h1_input_pump(c);
    }
}

void h1_on_app_cancel(void *state, const struct px_msg *msg)
{
    const Http__CancelExchange *m = msg->body;
    struct h1_exch *x = exch_at(state, msg, m->responder);
    if (x != NULL) {
        h1_exch_fail(x->conn, x, 0, "", PX_CANCELLED);
    }
}

/* ---- the application goes ---- */

static bool respond_is_whole(const struct h1_exch *x)
{
    return x->respond != NULL &&
           (x->trailers != NULL || ((const Http__Response *)x->respond->body)->fin);
}

static void exch_app_gone(struct h1 *h1, struct h1_exch *x)
{
    struct h1_conn *c = x->conn;
    x->responder = 0;
    (void)px_pool_issue(&h1->exchs, x, 0);
    if (c == NULL) {
        px_pool_put(&h1->exchs, x);
        return;
    }
    if (x->answer == H1_ANSWER_BODY) {
        h1_conn_reset(c, PX_SERVICE_GONE);
        return;
    }
    if (!respond_is_whole(x)) {
        held_release(x);
        px_count(h1->env, H1_COUNT_refused_503, 1);
        x->own_status = 503;
        x->own_text = "whoever was to answer is gone";
    }
    if (c->work->reading == x) {
        h1_body_drain(c);
    }
    h1_exch_advance(c);
}

void h1_exch_app_gone(struct h1 *h1, px_peer peer)
{
    /* One connection's exchanges may end together: the walk goes by index, not by neighbour. */
    struct h1_exch *x = NULL;
    while ((x = px_pool_next(&h1->exchs, x)) != NULL) {
        if (px_pool_owner(&h1->exchs, x) == peer) {
            exch_app_gone(h1, x);
        }
    }
}

void h1_exch_lost(struct h1 *h1, px_peer from, px_handle handle)
{
    struct h1_exch *x = px_pool_own(&h1->exchs, handle);
    if (x == NULL || px_pool_owner(&h1->exchs, x) != from) {
        return;
    }
    px_count(h1->env, H1_COUNT_no_memory, 1);
    x->heard = true; /* and if its handle was lost, it cannot be told */
    if (x->conn == NULL) {
        px_pool_put(&h1->exchs, x);
    } else {
        h1_conn_reset(x->conn, PX_NO_MEMORY);
    }
}
