/* net_read.c - from the socket to the owner.
 *
 * All streams read into one buffer and hand out disjoint slices of it, each the only reference to
 * its bytes: the owner may write there. The buffer begins anew when no slice of it is left, which
 * is so at the start of nearly every turn, and is replaced when slices are still held and its room
 * runs short. A ready socket is read once a turn: if more is there, epoll says so again.
 */
#include "net_impl.h"

#include <errno.h>
#include <px/assert.h>

#include "stream.pb-c.h"

/* Where to read to, and how much fits. NULL: no memory. */
static uint8_t *read_room(struct net *net, size_t *ret_len)
{
    struct px_buf *buf = net->read_buf;
    if (buf != NULL && px_buf_unique(buf)) {
        net->read_off = 0;
    } else if (buf == NULL || PX_BUF_HUGE - net->read_off < NET_READ_ROOM_MIN) {
        buf = px_buf_new(net->env, PX_BUF_HUGE);
        if (buf == NULL) {
            return NULL;
        }
        px_buf_put(net->read_buf);
        net->read_buf = buf;
        net->read_off = 0;
    }
    *ret_len = PX_BUF_HUGE - net->read_off;
    return px_buf_data(buf) + net->read_off;
}

/* False: the message was lost, and the stream has been ended. */
static bool deliver(struct net *net, struct stream *s, uint32_t len, bool fin)
{
    Stream__DataBytes *m = px_msg_new(net->env, &stream__data_bytes__descriptor);
    m->fin = fin;
    if (len > 0) {
        bool attached = px_msg_attach_exclusive(m, net->read_buf, net->read_off, len);
        PX_ASSERT(attached); /* it is the first slice */
        net->read_off += (len + NET_SLICE_ALIGN - 1) & ~(uint32_t)(NET_SLICE_ALIGN - 1);
    }
    s->in_credit -= (uint32_t)px_charge(len);
    s->delivered += len;
    s->flags &= (uint16_t) ~(unsigned)AT_REST;
    if (!px_send(net->env, s->owner, UPPER_DATA, m, s->upper)) {
        stream_end(net, s, PX_NO_MEMORY);
        return false;
    }
    return true;
}

static void on_fin(struct net *net, struct stream *s)
{
    s->flags |= IN_DONE;
    if (s->state == STREAM_OPEN && !deliver(net, s, 0, true)) {
        return;
    }
    if ((s->flags & OUT_DEAD) != 0) {
        stream_end(net, s, PX_RESET);
    } else if ((s->flags & OUT_DONE) != 0) {
        stream_end(net, s, PX_OK);
    } else {
        stream_update(net, s);
    }
}

/* A closing stream's peer may still send for a while: RFC 9112 9.6. What comes before our fin is
 * out is not counted, or a slow reader would lose the end of an answer. */
static void discarded(struct net *net, struct stream *s, uint64_t len)
{
    if ((s->flags & OUT_DONE) == 0) {
        return;
    }
    if (len >= s->side->linger_left) {
        px_count(net->env, NET_N_TIMED_OUT, 1);
        stream_end(net, s, PX_TIMED_OUT);
        return;
    }
    s->side->linger_left -= len;
}

/* What is known to be there and not read yet is read in a later turn. */
static void note_more(struct net *net, struct stream *s, bool more)
{
    if (more) {
        s->flags |= IN_MORE;
        px_want_flush(net->env, &s->want);
    }
}

static void on_bytes(struct net *net, struct stream *s, uint32_t len, bool more)
{
    note_more(net, s, more || (s->flags & IN_ENDS) != 0);
    if (s->state == STREAM_OPEN) {
        (void)deliver(net, s, len, false);
    } else {
        discarded(net, s, len);
    }
}

/* How much its owner, or lingering, allows to be read. */
static uint64_t may_read(const struct stream *s)
{
    if ((s->flags & IN_DONE) != 0) {
        return 0;
    }
    return s->state == STREAM_CLOSING ? PX_BUF_HUGE
           : s->state == STREAM_OPEN  ? px_credit_room(s->in_credit)
                                      : 0;
}

void stream_read(struct net *net, struct stream *s, uint32_t events)
{
    size_t len = 0;
    uint64_t credit = may_read(s);
    if (credit == 0) {
        stream_update(net, s); /* when it may read again, epoll will tell what is there */
        return;
    }
    s->flags |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0 ? IN_ENDS : 0;
    uint8_t *to = read_room(net, &len);
    if (to == NULL) {
        stream_end(net, s, PX_NO_MEMORY);
        return;
    }
    len = len < credit ? len : (size_t)credit;
    ssize_t n = recv(s->source.fd, to, len, 0);
    if (n > 0) {
        posix_took(net->os, (uint32_t)n);
        on_bytes(net, s, (uint32_t)n, (size_t)n == len);
    } else if (n == 0) {
        on_fin(net, s);
    } else if (errno == EINTR) {
        note_more(net, s, true);
    } else if (errno != EAGAIN) {
        stream_end(net, s, PX_RESET);
    }
}

bool stream_read_again(struct net *net, struct stream *s)
{
    px_handle self = px_handle_of(&net->streams, s);
    uint64_t now_us = px_now_us(net->env);
    if (net->again_us != now_us) {
        net->again_us = now_us;
        net->again_left = NET_READS_AGAIN_A_TURN;
    }
    if (!posix_reads(net->os) || net->again_left == 0) {
        px_want_flush(net->env, &s->want);
        return true;
    }
    net->again_left--;
    s->flags &= (uint16_t) ~(unsigned)IN_MORE;
    stream_read(net, s, 0);
    return px_pool_own(&net->streams, self) == s;
}
