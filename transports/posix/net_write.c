/* net_write.c - from the owner to the socket.
 *
 * What the owner sends in a turn is collected and written in the flush phase with one send (one
 * piece) or one sendmsg. File ranges are sent by sendfile, behind the memory before them; short
 * ones are read and join that memory. What the socket does not take waits for EPOLLOUT.
 */
#include "net_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <px/assert.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "posix_promise.h"
#include "stream.pb-c.h"

/* What was tried, and what became of it. */
struct attempt {
    uint64_t wanted; /* bytes */
    ssize_t sent;    /* bytes, or -1: errno says why */
    bool truncated;  /* a file is shorter than its range */
};

/* ---- memory ---- */

/* Pieces for one sendmsg. */
struct gather {
    struct iovec iov[NET_IOV_MAX];
    size_t n;
    uint64_t len;
    bool range_follows; /* a large file range comes behind */
    bool truncated;
    size_t scratch_used;
    uint8_t scratch[NET_RANGE_SMALL];
};

static bool is_file(const struct px_slice *slice)
{
    return (slice->flags & PX_SLICE_FILE) != 0;
}

/* Reads a short range, so that a small file costs no system call of its own on the socket. False:
 * it does not fit any more, or is truncated. */
static bool gather_range(const struct net *net, struct gather *g, const struct px_slice *slice,
                         uint8_t **ret_ptr)
{
    if (slice->len > sizeof g->scratch - g->scratch_used) {
        g->range_follows = true;
        return false;
    }
    uint8_t *to = g->scratch + g->scratch_used;
    ssize_t n = pread(px_buf_fd(slice->buf), to, slice->len, (off_t)slice->off);
    if (n < 0 || (size_t)n != slice->len ||
        posix_promise_is_broken(net->os, px_buf_fd(slice->buf))) {
        g->truncated = true;
        return false;
    }
    g->scratch_used += slice->len;
    *ret_ptr = to;
    return true;
}

static void gather(const struct net *net, struct gather *g, const struct px_chain *chain)
{
    g->n = 0;
    g->len = 0;
    g->scratch_used = 0;
    g->range_follows = false;
    g->truncated = false;
    for (struct px_slice *p = px_chain_first(chain); p != NULL && g->n < NET_IOV_MAX;
         p = px_chain_next(p)) {
        uint8_t *ptr = NULL;
        if (!is_file(p)) {
            ptr = p->ptr;
        } else if (!gather_range(net, g, p, &ptr)) {
            return;
        }
        g->iov[g->n++] = (struct iovec){.iov_base = ptr, .iov_len = p->len};
        g->len += p->len;
    }
}

static struct attempt send_memory(const struct net *net, int fd, const struct px_chain *chain)
{
    struct gather g;
    gather(net, &g, chain);
    if (g.n == 0 || g.truncated) {
        return (struct attempt){.truncated = true};
    }
    struct msghdr msg = {.msg_iov = g.iov, .msg_iovlen = g.n};
    int flags = MSG_NOSIGNAL | (g.range_follows ? MSG_MORE : 0);
    return (struct attempt){.wanted = g.len, .sent = sendmsg(fd, &msg, flags)};
}

static struct attempt send_piece(int fd, const struct px_slice *slice)
{
    return (struct attempt){.wanted = slice->len,
                            .sent = send(fd, slice->ptr, slice->len, MSG_NOSIGNAL)};
}

/* ---- file ranges ---- */

/* sendfile has no MSG_NOSIGNAL: SIGPIPE is held back and taken, and nobody else's handling of it is
 * touched. A host that blocks it has no use for it, pending or not. */
static ssize_t sendfile_quietly(int fd, int file, off_t off, size_t len)
{
    sigset_t pipe_only;
    sigset_t before;
    const struct timespec now = {.tv_sec = 0};
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t n = sendfile(fd, file, &off, len);
    int err = errno;
    bool ended_early =
        n < 0 ? err == EPIPE : (size_t)n < len; /* it may have sent some, and then failed */
    if (ended_early && sigismember(&before, SIGPIPE) == 0) {
        (void)sigtimedwait(&pipe_only, NULL, &now);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = err;
    return n;
}

/* Bytes from the front of `chain` that lie one behind the other in one file. Credit comes in
 * smaller lots than a socket takes at once. */
static size_t range_at_front(const struct px_chain *chain)
{
    const struct px_slice *first = px_chain_first(chain);
    size_t len = first->len;
    for (const struct px_slice *p = px_chain_next(first);
         p != NULL && p->buf == first->buf && is_file(p) && p->off == first->off + len &&
         len < NET_RANGE_A_TURN;
         p = px_chain_next(p)) {
        len += p->len;
    }
    return len < NET_RANGE_A_TURN ? len : NET_RANGE_A_TURN;
}

/* What was said of the file is looked at each time: the last bytes of one that was written over are
 * not sent, so that its receiver notices. */
static struct attempt send_range(const struct net *net, int fd, const struct px_chain *chain)
{
    const struct px_slice *first = px_chain_first(chain);
    if (posix_promise_is_broken(net->os, px_buf_fd(first->buf))) {
        return (struct attempt){.truncated = true};
    }
    size_t len = range_at_front(chain);
    ssize_t n = sendfile_quietly(fd, px_buf_fd(first->buf), (off_t)first->off, len);
    return (struct attempt){.wanted = len, .sent = n, .truncated = n == 0};
}

/* A thousand downloads whose sockets take a megabyte each would keep everybody else waiting. */
static bool ranges_must_wait(struct net *net)
{
    uint32_t turn = posix_turns(net->os);
    if (net->ranges_turn != turn) {
        net->ranges_turn = turn;
        net->ranges_left = NET_RANGES_A_TURN;
    }
    return net->ranges_left == 0;
}

static void ranges_spend(struct net *net, const struct attempt *a)
{
    uint32_t sent = a->sent < 0 ? 0 : (uint32_t)a->sent; /* NET_RANGE_A_TURN at most */
    net->ranges_left -= sent < net->ranges_left ? sent : net->ranges_left;
}

static bool is_long_range(const struct px_slice *slice)
{
    return is_file(slice) && slice->len > NET_RANGE_SMALL;
}

static struct attempt send_front(struct net *net, int fd, const struct px_chain *chain)
{
    const struct px_slice *first = px_chain_first(chain);
    if (is_long_range(first)) {
        struct attempt a = send_range(net, fd, chain);
        ranges_spend(net, &a);
        return a;
    }
    if (is_file(first)) {
        return send_memory(net, fd, chain);
    }
    return px_chain_next(first) == NULL ? send_piece(fd, first) : send_memory(net, fd, chain);
}

/* ---- a stream ---- */

static void set_full(struct net *net, struct stream *s, bool full)
{
    s->flags &= (uint16_t) ~(unsigned)OUT_FULL;
    s->flags |= full ? OUT_FULL : 0;
    if (full != ((s->source.events & POSIX_OUT) != 0)) {
        stream_update(net, s);
    }
}

/* A peer with a tiny window makes a kernel cut what its socket holds into segments of that size,
 * each with a kilobyte of its own: a thousand such readers would cost seconds of processor time and
 * a gigabyte. So a socket takes little ahead, until its peer has shown that it reads; a large
 * buffer is cheaper for one that does. */
void stream_drained(struct stream *s)
{
    const int no_limit = 0;
    if ((s->flags & OUT_FULL) != 0 && s->drains < NET_PROVEN_DRAINS &&
        ++s->drains == NET_PROVEN_DRAINS) {
        (void)setsockopt(s->source.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &no_limit, sizeof no_limit);
    }
    s->flags &= (uint16_t) ~(unsigned)OUT_FULL;
}

/* The peer has closed: it takes nothing more, but what it sent before is still to be read. */
static void out_dies(struct net *net, struct stream *s)
{
    uint64_t len = s->out.len;
    if (s->state != STREAM_OPEN || (s->flags & IN_DONE) != 0) {
        stream_end(net, s, PX_RESET);
        return;
    }
    px_chain_clear(&s->out);
    px_credit_settle(&s->credit, len);
    s->flags |= OUT_DEAD;
    set_full(net, s, false);
    stream_grant(net, s);
}

static void send_failed(struct net *net, struct stream *s, int err)
{
    if (err == EAGAIN || err == EINTR) {
        set_full(net, s, true);
    } else if (err == EPIPE) {
        out_dies(net, s);
    } else {
        stream_end(net, s, PX_RESET);
    }
}

static void send_succeeded(struct net *net, struct stream *s, uint64_t len)
{
    px_chain_consume(&s->out, len);
    px_credit_settle(&s->credit, len);
    if (s->state == STREAM_CLOSING) {
        px_sul_schedule(net->env, &s->side->sul, s->side->sul.fn, NET_CLOSE_STALL_US);
    }
}

/* One attempt. True: all that was tried is sent. */
static bool stream_send(struct net *net, struct stream *s)
{
    if (is_long_range(px_chain_first(&s->out)) && ranges_must_wait(net)) {
        px_want_flush(net->env, &s->want);
        return false;
    }
    struct attempt a = send_front(net, s->source.fd, &s->out);
    if (a.truncated) {
        px_count(net->env, NET_N_TRUNCATED, 1);
        stream_end(net, s, PX_TRUNCATED);
        return false;
    }
    if (a.sent < 0) {
        send_failed(net, s, errno);
        return false;
    }
    send_succeeded(net, s, (uint64_t)a.sent);
    if ((uint64_t)a.sent < a.wanted) {
        set_full(net, s, true);
        return false;
    }
    return true;
}

static void send_fin(struct net *net, struct stream *s)
{
    if (shutdown(s->source.fd, SHUT_WR) != 0) {
        stream_end(net, s, PX_RESET);
        return;
    }
    stream_out_done(net, s);
}

/* All that was queued is out. */
static void stream_sent(struct net *net, struct stream *s)
{
    set_full(net, s, false);
    stream_grant(net, s);
    if ((s->flags & (OUT_FIN | OUT_DONE | OUT_DEAD)) == OUT_FIN) {
        send_fin(net, s);
    }
}

static void stream_flush(struct net *net, struct stream *s)
{
    bool was_memory = s->out.len > 0 && !is_file(px_chain_first(&s->out));
    if (s->out.len > 0 && !stream_send(net, s)) {
        return;
    }
    if (was_memory && s->out.len > 0 && !stream_send(net, s)) {
        return; /* a head, and the file behind it */
    }
    if (s->out.len > 0) {
        stream_grant(net, s);
        px_want_flush(net->env, &s->want);
        return;
    }
    stream_sent(net, s);
}

void net_flush(void *state, struct px_want *want)
{
    struct net *net = state;
    struct stream *s = px_container_of(want, struct stream, want);
    if ((s->flags & IN_MORE) != 0 && !stream_read_again(net, s)) {
        return;
    }
    if ((s->flags & OUT_FULL) == 0) {
        stream_flush(net, s);
    }
}

/* ---- the owner ---- */

static void note_rest(struct stream *s, const Stream__DataBytes *m)
{
    s->flags &= (uint16_t) ~(unsigned)AT_REST;
    if (m->at_rest && m->consumed == s->delivered) {
        s->flags |= AT_REST;
    }
}

/* False: beyond its credit. Empty messages carry only flags, and are taken without. */
static bool charge(struct stream *s, uint64_t len)
{
    return px_credit_received(&s->credit, len) || len == 0;
}

static bool may_send(const struct stream *s)
{
    return s->state == STREAM_OPEN && (s->flags & OUT_FIN) == 0;
}

void net_on_data(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Stream__DataBytes *m = msg->body;
    struct stream *s = px_pool_at(&net->streams, msg);
    if (s == NULL) {
        px_count(net->env, NET_N_STALE, 1);
        return;
    }
    uint64_t len = px_msg_payload_len(msg);
    if (!may_send(s) || !charge(s, len)) {
        px_count(net->env, NET_N_PROTOCOL, 1);
        stream_end(net, s, PX_PROTOCOL);
        return;
    }
    note_rest(s, m);
    if ((s->flags & OUT_DEAD) != 0) {
        px_credit_settle(&s->credit, len);
        stream_grant(net, s);
        return;
    }
    if (!px_msg_take_payload(msg, &s->out)) {
        stream_end(net, s, PX_NO_MEMORY);
        return;
    }
    s->flags |= m->fin ? OUT_FIN : 0;
    if ((s->flags & OUT_FULL) == 0 && (s->out.len > 0 || m->fin)) {
        px_want_flush(net->env, &s->want);
    }
}
