/* net_open.c - outgoing connections. The asker's deadline is the only one: when its call ends
 * first, so does the attempt.
 */
#include "net_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <string.h>
#include <unistd.h>

#include "stream.pb-c.h"

static enum px_status status_of_errno(int err)
{
    switch (err) {
    case ECONNREFUSED:
    case ECONNRESET:
        return PX_REFUSED;
    case ETIMEDOUT:
        return PX_TIMED_OUT;
    case EACCES:
    case EPERM:
        return PX_DENIED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN: /* a unix listener's queue is full */
        return PX_BUSY;
    default:
        return PX_UNREACHABLE;
    }
}

static bool credit_is_valid(uint32_t credit)
{
    return credit == 0 || (credit >= NET_WINDOW_MIN && credit <= NET_WINDOW_MAX);
}

static enum px_status check_request(const struct net *net, const Stream__OpenStream *open,
                                    struct net_addr *ret_addr)
{
    if (net->stopping) {
        return PX_BUSY;
    }
    if (net_addr_parse(open->target.data, open->target.len, ret_addr) != PX_EOK ||
        open->upper == 0 || !credit_is_valid(open->credit) ||
        (!net_addr_is_unix(ret_addr) && px_sockaddr46_port(&ret_addr->ip) == 0)) {
        return PX_BAD_REQUEST;
    }
    return PX_OK;
}

/* A socket on its way. `*ret_done`: it is connected already, as unix sockets are. */
static int begin_connect(const struct net_addr *addr, bool *ret_done)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (!net_addr_is_unix(addr)) {
        (void)net_tune(fd);
    }
    *ret_done = connect(fd, &addr->sa, addr->len) == 0;
    if (*ret_done || errno == EINPROGRESS) {
        return fd;
    }
    int err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

static void answer_opened(struct net *net, struct stream *s)
{
    union px_sockaddr46 remote;
    union px_sockaddr46 local;
    const struct px_msg *call = s->side->open;
    const Stream__OpenStream *open = call->body;
    Stream__Opened *m = px_msg_new(net->env, &stream__opened__descriptor);
    net_addr_remote(s->source.fd, &remote);
    net_addr_local(s->source.fd, &local);
    s->upper = open->upper;
    s->in_credit = open->credit;
    s->owner = PX_PEER_ADDR(call->from);
    m->lower = px_pool_issue(&net->streams, s, call->from);
    m->credit = px_credit_open(&s->credit, NET_SEND_WINDOW);
    m->file_ranges = call->from == PX_PEER_LOCAL(s->owner); /* they do not cross links */
    net_addr_put(m, &m->remote, &remote);
    net_addr_put(m, &m->local, &local);
    px_count(net->env, NET_N_OPENED, 1);
    stream_move(s, STREAM_OPEN);
    px_reply(net->env, call, PX_OK, m);
    stream_settle_down(net, s);
    stream_update(net, s);
}

void net_on_open(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    struct net_addr addr;
    bool connected = false;
    enum px_status status = check_request(net, msg->body, &addr);
    if (status != PX_OK) {
        px_reply_status(net->env, msg, status);
        return;
    }
    int fd = begin_connect(&addr, &connected);
    if (fd < 0) {
        px_reply_status(net->env, msg, status_of_errno(errno));
        return;
    }
    struct stream *s = stream_new(net, fd, NET_SEND_WINDOW);
    if (s == NULL) {
        (void)close(fd);
        px_reply_status(net->env, msg, PX_BUSY);
        return;
    }
    stream_move(s, STREAM_CONNECTING);
    s->side->open = px_msg_hold(msg);
    px_call_tag(net->env, s->side->open, px_handle_of(&net->streams, s));
    if (!stream_watch(net, s)) {
        return;
    }
    if (connected) {
        answer_opened(net, s);
    }
}

void stream_connected(struct net *net, struct stream *s)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(s->source.fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) {
        err = errno;
    }
    if (err != 0) {
        stream_end(net, s, status_of_errno(err));
        return;
    }
    answer_opened(net, s);
}
