/* h1_output.c - what goes to the client: collected during a turn, sent in its flush phase as one
 * message.
 *
 * Heads and small bodies are copied together into one buffer; large bodies and file ranges are
 * referenced between.
 */
#include "h1_conn.h"

/* The buffer is given away. */
static void tail_forget(struct h1_work *w)
{
    w->tail = NULL;
    w->filled = px_bytes_out_of(NULL, 0);
}

void h1_output_drop(struct h1_work *w)
{
    if (w->out.len > 0) {
        px_chain_clear(&w->out);
    }
    if (w->tail != NULL) {
        px_buf_put(w->tail);
        tail_forget(w);
    }
}

static bool output_fail(struct h1_conn *c)
{
    px_count(c->h1->env, H1_COUNT_no_memory, 1);
    h1_conn_reset(c, PX_NO_MEMORY);
    return false;
}

/* Moves what was collected behind what is chained. */
static bool tail_chain(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    if (w->tail == NULL) {
        return true;
    }
    uint32_t len = (uint32_t)px_bytes_out_len(&w->filled);
    if (len > 0 && !px_chain_append(c->h1->env, &w->out, w->tail, 0, len, 0)) {
        return output_fail(c);
    }
    px_buf_put(w->tail);
    tail_forget(w);
    return true;
}

/* A small first buffer is enough for most turns; a second one takes its bytes along, so that there
 * is one piece. */
bool h1_output_grow(struct h1_conn *c, size_t len)
{
    struct h1_work *w = c->work;
    size_t cap = w->tail == NULL ? 0 : px_buf_cap(w->tail);
    struct px_span filled = px_bytes_out_span(&w->filled);
    bool copy = cap == PX_BUF_SMALL;
    size_t least = cap == 0 && w->out.len == 0 ? 1
                   : cap <= PX_BUF_SMALL       ? PX_BUF_MEDIUM
                                               : PX_BUF_LARGE;
    size_t need = len + (copy ? filled.len : 0);
    struct px_buf *more = px_buf_new(c->h1->env, need > least ? need : least);
    if (more == NULL) {
        return output_fail(c);
    }
    if (!copy && !tail_chain(c)) {
        px_buf_put(more);
        return false;
    }
    struct px_bytes_out out = px_bytes_out_of(px_buf_data(more), px_buf_cap(more));
    if (copy) {
        px_bytes_put_span(&out, filled);
        px_buf_put(w->tail);
    }
    w->tail = more;
    w->filled = out;
    return true;
}

bool h1_output_payload(struct h1_conn *c, const struct px_msg *msg,
                       const struct h1_payload *payload)
{
    if (!h1_output_copies(payload)) {
        return tail_chain(c) && (px_msg_take_payload(msg, &c->work->out) || output_fail(c));
    }
    struct px_bytes_out *out = h1_output_room(c, (size_t)payload->len);
    if (out == NULL) {
        return false;
    }
    h1_output_copy(out, payload);
    return true;
}

/* How much may be sent now. Memory stays ours to pay for until the provider has sent it, so of that
 * only H1_SENT_MAX is on its way, though the window may be made for files. */
static uint64_t output_may(const struct h1_conn *c)
{
    struct px_slice *first = px_chain_first(&c->work->out);
    const struct px_slice *next = first == NULL ? NULL : px_chain_next(first);
    bool is_file = first != NULL && (first->flags & PX_SLICE_FILE) != 0;
    is_file = is_file || (next != NULL && (next->flags & PX_SLICE_FILE) != 0); /* behind a line */
    uint64_t credit = c->send_credit, window = h1_conn_place(c)->send_window;
    uint64_t sent = credit < window ? window - credit : 0;
    if (!is_file) {
        uint64_t left = sent < H1_SENT_MAX ? H1_SENT_MAX - sent : 0;
        credit = left < credit ? left : credit;
    }
    return px_credit_room(credit);
}

/* Sends one message with as much as credit and slices allow. Bytes sent; the connection may have
 * been reset. */
static uint64_t output_send(struct h1_conn *c, bool quiet)
{
    struct h1_work *w = c->work;
    uint64_t room = output_may(c);
    if (room == 0 || h1_output_len(w) == 0) {
        return 0;
    }
    uint64_t sent = px_bytes_out_len(&w->filled);
    Stream__DataBytes *m = px_msg_new(c->h1->env, &stream__data_bytes__descriptor);
    if (w->out.len == 0 && sent <= room) {
        bool done = px_msg_attach_take(m, w->tail, 0, (uint32_t)sent);
        PX_ASSERT(done);
        tail_forget(w);
    } else {
        if (w->out.len < room && !tail_chain(c)) {
            px_msg_drop(m);
            return 0;
        }
        sent = px_msg_attach_chain(m, &w->out, room);
    }
    m->at_rest = quiet && h1_output_len(w) == 0;
    m->consumed = m->at_rest ? c->consumed : 0;
    uint64_t cost = px_charge(sent);
    c->send_credit -= (uint32_t)(cost < c->send_credit ? cost : c->send_credit);
    if (!px_send(c->h1->env, h1_conn_provider(c), LOWER_DATA, m, c->lower)) {
        (void)output_fail(c);
    }
    return sent;
}

void h1_output_flush(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    bool quiet = w->first == NULL && h1_input_is_clean(w);
    uint64_t sent = output_send(c, quiet);
    if (c->work != w) {
        return;
    }
    if (sent > 0 && w->first != NULL) {
        h1_exch_settle(c);
    }
    if (h1_output_len(w) > 0) {
        if (sent > 0 || w->write_due_us == 0) {
            w->write_due_us = px_now_us(c->h1->env) + c->h1->write_us;
            h1_conn_arm(c);
        }
        if (output_may(c) > 0) {
            h1_conn_want(c);
        }
        return;
    }
    w->write_due_us = 0;
    if (w->output_paused && w->in.len > 0) {
        h1_conn_want(c); /* requests were kept back */
    } else if (w->first != NULL) {
        return;
    } else if (w->input == H1_IN_END) {
        h1_conn_close(c);
    } else if (w->input == H1_IN_UPGRADE) {
        h1_upgrade_begin(c);
    } else if (quiet) {
        h1_conn_rest(c);
    }
}
