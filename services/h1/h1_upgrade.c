/* h1_upgrade.c - Upgrade by hand-over: the stream, the request that asked for it and the bytes
 * behind it go to another mailbox, which answers 101 itself (RFC 9110 7.8; proto/stream.proto,
 * Rebind and Adopt). */
#include "h1_conn.h"

enum { FIELD_OVERHEAD = 8, HEAD_PARTS = 5, TAG_LEN_MAX = 6 };

const struct h1_upgrade *h1_upgrade_of(struct h1 *h1, const struct h1_head *head)
{
    for (uint32_t i = 0; i < h1->n_upgrades; i++) {
        const struct h1_upgrade *u = &h1->upgrades[i];
        if (h1_upgrade_offers(head, u->token) && px_mailbox_peer(h1->env, u->mailbox) != 0) {
            return u;
        }
    }
    return NULL;
}

/* The request, where it was kept, and what follows it there. */
static struct px_bytes head_kept(const struct h1_work *w)
{
    const struct px_slice *s = px_chain_first(&w->in);
    return w->acc != NULL ? h1_acc_bytes(w)
           : s != NULL    ? px_bytes_of(s->ptr, s->len)
                          : (struct px_bytes){NULL, NULL, false};
}

static void upgrade_refuse(struct h1_conn *c)
{
    struct px_bytes head = head_kept(c->work);
    px_count(c->h1->env, H1_COUNT_refused_503, 1);
    if (h1_exch_new(c) != NULL) {
        h1_exch_refuse_last(c, 503, "the upgrade is not possible now", px_bytes_rest(&head));
    }
}

void h1_upgrade_begin(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct h1 *h1 = c->h1;
    struct h1_handover *ho = px_pool_get(&h1->handovers);
    if (ho == NULL) {
        upgrade_refuse(c);
        return;
    }
    ho->conn = c;
    w->handover = ho;
    h1_conn_move(c, H1_CONN_HANDING);
    c->deadline_us = PX_NEVER;
    Stream__RebindStream *m = px_msg_new(h1->env, &stream__rebind_stream__descriptor);
    m->lower = c->lower;
    px_msg_put(m, &m->mailbox, w->upgrade->name.ptr, w->upgrade->name.len);
    ho->call = px_call(h1->env, h1_conn_provider(c), LOWER_REBIND, m, PX_NEVER,
                       px_handle_of(&h1->handovers, ho));
}

void h1_upgrade_cancel(struct h1_conn *c)
{
    struct h1_handover *ho = c->work == NULL ? NULL : c->work->handover;
    if (ho != NULL) {
        c->work->handover = NULL;
        px_cancel(c->h1->env, ho->call);
        px_pool_put(&c->h1->handovers, ho);
    }
}

/* ---- Adopt ---- */

static void part_put(struct px_bytes_out *out, uint8_t field, struct px_span value)
{
    if (value.len > 0) {
        px_bytes_put_u8(out, (uint8_t)(field << 3 | 2)); /* length-delimited */
        px_bytes_put_varint(out, value.len);
        px_bytes_put_span(out, value);
    }
}

/* The request as a serialized http.Head. */
static void head_put(struct h1_conn *c, Stream__AdoptStream *m, const struct h1_head *head,
                     struct px_span fields)
{
    struct px_span scheme = head->scheme;
    if (scheme.len == 0) {
        scheme = px_span_of_str(h1_conn_place(c)->secure ? "https" : "http");
    }
    size_t room = head->method.len + scheme.len + head->authority.len + head->path.len +
                  fields.len + (size_t)HEAD_PARTS * TAG_LEN_MAX;
    struct px_bytes_out out = px_bytes_out_of(px_msg_alloc(m, room), room);
    part_put(&out, 1, head->method);
    part_put(&out, 2, scheme);
    part_put(&out, 3, head->authority);
    part_put(&out, 4, head->path);
    part_put(&out, 5, fields);
    m->head.data = out.start;
    m->head.len = px_bytes_out_len(&out);
    px_msg_trim(m, out.start, m->head.len);
}

/* Reads the request again, from where it was kept, and puts it into the message. Its length; 0: it
 * cannot be. */
static size_t head_again(struct h1_conn *c, Stream__AdoptStream *m)
{
    struct h1_work *w = c->work;
    const struct h1_limits *l = &c->h1->limits;
    struct px_bytes in = head_kept(w);
    size_t len = px_bytes_left(&in);
    size_t most = l->headers_len_max + (size_t)l->headers_max * FIELD_OVERHEAD;
    size_t room = 2 * len < most ? 2 * len : most;
    struct px_bytes_out fields = px_bytes_out_of(px_msg_alloc(m, room), room);
    struct h1_resume resume = {0};
    struct h1_head head;
    if (h1_head_parse(&resume, &in, &fields, l, &head) != PX_PARSE_DONE) {
        return 0;
    }
    px_msg_trim(m, fields.start, px_bytes_out_len(&fields));
    head_put(c, m, &head, px_bytes_out_span(&fields));
    return len - px_bytes_left(&in);
}

/* Attaches what is left behind the request; in one piece if there are too many. False: no memory.
 */
static bool leftover_attach(struct h1_conn *c, Stream__AdoptStream *m)
{
    struct px_chain *in = &c->work->in;
    uint32_t n = 0;
    for (const struct px_slice *s = px_chain_first(in); s != NULL; s = px_chain_next(s)) {
        n++;
    }
    if (n <= PX_SLICES_MAX) {
        return px_msg_attach_chain(m, in, in->len) > 0 || in->len == 0;
    }
    uint32_t len = (uint32_t)in->len; /* at most the window */
    struct px_buf *all = px_buf_new(c->h1->env, len);
    if (all == NULL) {
        return false;
    }
    (void)px_chain_peek(in, px_buf_data(all), len);
    px_chain_clear(in);
    return px_msg_attach_take(m, all, 0, len);
}

/* Fills in Adopt; false: no memory, or the client or the new owner has already left. */
static bool adopt_fill(struct h1_conn *c, Stream__AdoptStream *m, uint32_t credit)
{
    struct h1_work *w = c->work;
    struct h1 *h1 = c->h1;
    const struct h1_place *place = h1_conn_place(c);
    const char *provider = px_mailbox_name(h1->env, place->provider);
    size_t len = head_again(c, m);
    if (len == 0 || w->eof || w->handover->broken ||
        px_mailbox_peer(h1->env, w->upgrade->mailbox) == 0) {
        return false;
    }
    m->lower = c->lower;
    m->credit = credit;
    m->file_ranges = place->file_ranges;
    m->listener = place->listener;
    px_msg_put(m, &m->provider, provider, strlen(provider));
    px_msg_put(m, &m->remote, c->remote, c->remote_len);
    px_msg_put(m, &m->local, place->local, place->local_len);
    px_msg_put(m, &m->protocol, w->upgrade->token, strlen(w->upgrade->token));
    if (w->acc == NULL) {
        px_chain_consume(&w->in, len);
    }
    return leftover_attach(c, m);
}

/* The stream is ours no more, and cannot become another's. */
static void upgrade_abort(struct h1_conn *c)
{
    Stream__ResetStream *m = px_msg_new(c->h1->env, &stream__reset_stream__descriptor);
    m->reason = PX_NO_MEMORY;
    (void)px_send(c->h1->env, h1_conn_provider(c), LOWER_RESET, m,
                  c->lower); /* it ends unclaimed */
    h1_conn_drop(c, PX_NO_MEMORY);
}

static void upgrade_adopt(struct h1_conn *c, uint32_t credit)
{
    struct h1 *h1 = c->h1;
    Stream__AdoptStream *m = px_msg_new(h1->env, &stream__adopt_stream__descriptor);
    if (!adopt_fill(c, m, credit)) {
        px_msg_drop(m);
        upgrade_abort(c);
        return;
    }
    if (!px_send(h1->env, c->work->upgrade->mailbox, UPPER_ADOPT, m, 0)) {
        upgrade_abort(c);
        return;
    }
    px_count(h1->env, H1_COUNT_upgrades, 1);
    h1_conn_drop(c, PX_OK);
}

void h1_upgrade_reply(struct h1 *h1, const struct px_msg *msg)
{
    struct h1_handover *ho = px_pool_own(&h1->handovers, msg->tag);
    if (ho == NULL) {
        return; /* the connection ended first */
    }
    struct h1_conn *c = ho->conn;
    const Stream__Rebound *m = msg->body;
    if (msg->status == PX_OK && m != NULL) {
        upgrade_adopt(c, m->credit);
        return;
    }
    bool refused = msg->status == PX_DENIED || msg->status == PX_NOT_FOUND ||
                   msg->status == PX_UNSUPPORTED || msg->status == PX_BUSY;
    bool broken = ho->broken || c->work->eof;
    c->work->handover = NULL;
    px_pool_put(&h1->handovers, ho);
    h1_conn_move(c, H1_CONN_OPEN); /* it is still ours */
    if (refused && !broken) {
        upgrade_refuse(c);
    } else {
        h1_conn_reset(c, PX_RESET);
    }
}
