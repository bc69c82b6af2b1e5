/* net_listen.c - listening sockets: opening, accepting within limits, pausing when there is nothing
 * to accept with.
 */
#include "net_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <px/assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.pb-c.h"

/* ---- opening ---- */

static enum px_status status_of_errno(int err)
{
    switch (err) {
    case EADDRINUSE:
        return PX_IN_USE;
    case EACCES:
    case EPERM:
    case EROFS:
        return PX_DENIED;
    case EADDRNOTAVAIL:
    case ENODEV:
    case ENOENT:
    case ENOTDIR:
    case EBADF:
        return PX_NOT_FOUND;
    case ENOTSOCK:
    case EINVAL:
        return PX_BAD_REQUEST;
    case EAFNOSUPPORT:
    case EOPNOTSUPP:
        return PX_UNSUPPORTED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
        return PX_BUSY;
    case ENOMEM:
        return PX_NO_MEMORY;
    default:
        return PX_INTERNAL;
    }
}

static bool set_number(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool net_tune(int fd)
{
    return set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_number(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NET_UNSENT_MAX);
}

/* What is set on a listener holds for what it accepts, and costs nothing per connection. */
static bool set_options(int fd, const Net__ListenAt *at, const struct net_addr *addr)
{
    if (net_addr_is_unix(addr)) {
        mode_t mode = at->unix_mode == 0 ? NET_UNIX_MODE : (mode_t)at->unix_mode;
        return net_addr_path(addr) == NULL || fchmod(fd, mode) == 0;
    }
    return set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
           (!at->reuse_port || set_number(fd, SOL_SOCKET, SO_REUSEPORT, 1)) && net_tune(fd) &&
           (addr->sa.sa_family != AF_INET6 ||
            set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, at->v6only));
}

static bool bind_to(int fd, const struct net_addr *addr)
{
    if (bind(fd, &addr->sa, addr->len) == 0) {
        return true;
    }
    if (errno != EADDRINUSE) {
        return false;
    }
    bool cleared = net_addr_clear_stale(addr);
    errno = EADDRINUSE;
    return cleared && bind(fd, &addr->sa, addr->len) == 0;
}

/* The umask has had its say in bind; the configuration has the last word. */
static bool finish_path(const struct net_addr *addr, const Net__ListenAt *at, struct listener *l)
{
    struct stat st;
    const char *path = net_addr_path(addr);
    mode_t mode = at->unix_mode == 0 ? NET_UNIX_MODE : (mode_t)at->unix_mode;
    if (path == NULL) {
        return true;
    }
    if (chmod(path, mode) != 0 || lstat(path, &st) != 0) {
        return false;
    }
    l->owns_path = true;
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return true;
}

static int open_socket(const Net__ListenAt *at, const struct net_addr *addr, struct listener *l)
{
    uint32_t wanted = at->backlog == 0 ? NET_BACKLOG : at->backlog;
    int backlog = wanted > INT32_MAX ? INT32_MAX : (int)wanted;
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    socklen_t len = sizeof l->local.un;
    l->local = *addr;
    if (set_options(fd, at, addr) && bind_to(fd, addr) && finish_path(addr, at, l) &&
        listen(fd, backlog) == 0 &&
        (net_addr_is_unix(addr) || getsockname(fd, &l->local.sa, &len) == 0)) {
        return fd;
    }
    int err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

static int socket_option(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* A copy of a socket that somebody has bound and listens on already, and may go on doing so. */
static int open_inherited(int inherited, struct listener *l)
{
    socklen_t len = sizeof l->local.un;
    int fd = fcntl(inherited, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return -1;
    }
    if (socket_option(fd, SO_TYPE) != SOCK_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1) {
        errno = errno == ENOTSOCK ? ENOTSOCK : EINVAL;
    } else if (getsockname(fd, &l->local.sa, &len) == 0 &&
               fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 &&
               (net_addr_is_unix(&l->local) || net_tune(fd))) {
        l->local.len = len;
        l->inherited = true;
        return fd;
    }
    int err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

static bool is_wildcard(const struct net_addr *addr)
{
    const uint8_t *bytes = NULL;
    size_t n = net_addr_is_unix(addr) ? 0 : px_sockaddr46_bytes(&addr->ip, &bytes);
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return n > 0;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value == 0 ? otherwise : value;
}

/* Where: an address to bind, or a descriptor that is bound. */
struct place {
    struct net_addr addr;
    int inherited; /* -1: none */
};

static enum px_err place_parse(const Net__ListenAt *at, struct place *ret_place)
{
    ret_place->inherited = -1;
    if (net_addr_parse_fd(at->address.data, at->address.len, &ret_place->inherited) == PX_EOK) {
        return PX_EOK;
    }
    return net_addr_parse(at->address.data, at->address.len, &ret_place->addr);
}

/* What can be said about a request without asking the system. */
static enum px_status check_request(const struct net *net, const Net__ListenAt *at,
                                    struct place *ret_place, px_addr *ret_upper)
{
    uint32_t window = or_default(at->send_window, NET_SEND_WINDOW);
    char name[64] = {0};
    if (place_parse(at, ret_place) != PX_EOK || window < NET_WINDOW_MIN ||
        window > NET_WINDOW_MAX || at->unix_mode > 0777) {
        return PX_BAD_REQUEST;
    }
    if (at->upper.len == 0 || at->upper.len >= sizeof name) {
        return PX_NOT_FOUND;
    }
    memcpy(name, at->upper.data, at->upper.len);
    *ret_upper = px_mailbox(net->env, name);
    if (*ret_upper == 0) {
        return PX_NOT_FOUND;
    }
    px_addr self = px_env_self(net->env);
    return px_may_send(net->env, PX_PEER_LOCAL(self), PX_C_STREAM_UPPER, *ret_upper) ? PX_OK
                                                                                     : PX_DENIED;
}

static enum px_status listener_open(struct net *net, struct listener *l, const Net__ListenAt *at,
                                    const struct place *place)
{
    l->tag = at->tag;
    l->connections_max = or_default(at->connections_max, NET_CONNECTIONS_MAX);
    l->connections_peer_max = or_default(at->connections_peer_max, NET_CONNECTIONS_PEER_MAX);
    l->send_window = or_default(at->send_window, NET_SEND_WINDOW);
    l->source.kind = NET_SOURCE_LISTENER;
    int fd = place->inherited >= 0 ? open_inherited(place->inherited, l)
                                   : open_socket(at, &place->addr, l);
    if (fd < 0) {
        return status_of_errno(errno);
    }
    l->wildcard = is_wildcard(&l->local);
    if (posix_watch(net->os, net->source_owner, &l->source, fd, POSIX_IN) != PX_EOK) {
        (void)close(fd);
        return PX_NO_MEMORY;
    }
    if (px_mailbox_peer(net->env, l->upper) == 0) {
        listener_pause(net, l, PAUSE_UPPER_GONE);
    }
    return PX_OK;
}

void net_on_listen(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Net__ListenAt *at = msg->body;
    struct place place;
    px_addr upper = 0;
    enum px_status status = net->stopping ? PX_BUSY : check_request(net, at, &place, &upper);
    if (status != PX_OK) {
        px_reply_status(net->env, msg, status);
        return;
    }
    struct listener *l = px_pool_get(&net->listeners);
    if (l == NULL) {
        px_reply_status(net->env, msg, PX_BUSY);
        return;
    }
    l->upper = upper;
    status = listener_open(net, l, at, &place);
    if (status != PX_OK) {
        listener_close(net, l);
        px_reply_status(net->env, msg, status);
        return;
    }
    char text[NET_TEXT_MAX];
    Net__Listening *m = px_msg_new(net->env, &net__listening__descriptor);
    m->listener = px_pool_issue(&net->listeners, l, msg->from);
    px_msg_put(m, &m->address, text, net_addr_print(&l->local, text));
    px_reply(net->env, msg, PX_OK, m);
}

/* ---- figures ---- */

static void add_stats(Net__ListenerStats *stats, const struct listener *l)
{
    stats->open += l->open;
    stats->accepted += l->accepted;
    stats->refused += l->refused;
    stats->pauses += l->pauses;
    stats->paused = stats->paused || l->paused != 0;
}

void net_on_stats(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Net__ListenerRef *ref = msg->body;
    const struct listener *one = NULL;
    if (ref->listener != 0) {
        one = px_pool_of(&net->listeners, msg, ref->listener);
        if (one == NULL) {
            px_reply_status(net->env, msg, PX_STALE);
            return;
        }
    }
    Net__ListenerStats *stats = px_msg_new(net->env, &net__listener_stats__descriptor);
    if (one != NULL) {
        add_stats(stats, one);
    }
    for (struct listener *l = px_pool_next(&net->listeners, NULL); one == NULL && l != NULL;
         l = px_pool_next(&net->listeners, l)) {
        add_stats(stats, l);
    }
    px_reply(net->env, msg, PX_OK, stats);
}

/* ---- pausing ---- */

void listener_pause(struct net *net, struct listener *l, uint32_t reason)
{
    if ((l->paused & reason) == 0 && reason == PAUSE_RESOURCES) {
        net->n_paused++;
    }
    l->paused |= reason;
    posix_events(net->os, &l->source, POSIX_QUIET);
}

void listener_unpause(struct net *net, struct listener *l, uint32_t reason)
{
    if ((l->paused & reason) != 0 && reason == PAUSE_RESOURCES) {
        net->n_paused--;
    }
    l->paused &= ~reason;
    if (l->paused == 0) {
        posix_events(net->os, &l->source, POSIX_IN);
    }
}

void net_resume(struct net *net)
{
    if (net->n_paused == 0) {
        return;
    }
    px_sul_cancel(net->env, &net->resume);
    for (struct listener *l = px_pool_next(&net->listeners, NULL); l != NULL;
         l = px_pool_next(&net->listeners, l)) {
        listener_unpause(net, l, PAUSE_RESOURCES);
    }
}

static void on_resume(struct px_sul *sul)
{
    net_resume(px_container_of(sul, struct net, resume));
}

static const char *lack_text(int err)
{
    switch (err) {
    case EMFILE:
        return "this process has no descriptors left";
    case ENFILE:
        return "the system has no descriptors left";
    default:
        return "the system has no memory for sockets";
    }
}

/* Accepting again at once would find the same lack, and epoll would say so in every turn. */
static void pause_for_lack(struct net *net, struct listener *l, int err)
{
    uint64_t now_us = px_now_us(net->env);
    l->pauses++;
    px_count(net->env, NET_N_PAUSES, 1);
    listener_pause(net, l, PAUSE_RESOURCES);
    if (!px_sul_pending(&net->resume)) {
        px_sul_schedule(net->env, &net->resume, on_resume, NET_RESUME_US);
    }
    if (!net->pause_was_logged || now_us - net->pause_logged_us >= NET_PAUSE_LOG_US) {
        net->pause_was_logged = true;
        net->pause_logged_us = now_us;
        PX_LOG(net->env, PX_LOG_WARN, "accept_paused", PX_KV_STR("why", lack_text(err)),
               PX_KV_U64("errno", (uint64_t)err), PX_KV_U64("open", l->open));
    }
}

/* ---- accepting ---- */

static void refuse(struct net *net, struct listener *l, int take_fd)
{
    l->refused++;
    px_count(net->env, NET_N_REFUSED, 1);
    (void)close(take_fd);
}

static void adopt_socket(struct net *net, struct listener *l, int take_fd,
                         const union px_sockaddr46 *remote)
{
    struct peer *peer = NULL;
    const union px_sockaddr46 *counted = net_addr_is_unix(&l->local) ? NULL : remote;
    if (l->open >= l->connections_max || !peer_get(net, l, counted, &peer)) {
        refuse(net, l, take_fd);
        return;
    }
    struct stream *s = stream_new(net, take_fd, l->send_window);
    if (s == NULL) {
        peer_put(net, peer);
        refuse(net, l, take_fd);
        return;
    }
    l->open++;
    s->peer = peer;
    s->owner = l->upper;
    if (!stream_offer(net, s, remote, false)) {
        l->refused++;
        px_count(net->env, NET_N_REFUSED, 1);
        stream_end(net, s, PX_NO_MEMORY);
        return;
    }
    l->accepted++;
    px_count(net->env, NET_N_ACCEPTED, 1);
}

/* accept(2) lists what a connection that failed meanwhile may say; the next one may be fine. */
static bool is_about_one(int err)
{
    return err == ECONNABORTED || err == EINTR || err == EPROTO || err == EPERM ||
           err == ENETDOWN || err == ENOPROTOOPT || err == EHOSTDOWN || err == ENONET ||
           err == EHOSTUNREACH || err == EOPNOTSUPP || err == ENETUNREACH;
}

/* Accepts up to `n` connections. 0, or the errno of what is lacking. */
static int accept_some(struct net *net, struct listener *l, uint32_t n)
{
    for (uint32_t i = 0; i < n && l->paused == 0; i++) {
        struct net_addr from;
        socklen_t len = sizeof from.un;
        memset(&from.ip, 0, sizeof from.ip);
        int fd = accept4(l->source.fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt_socket(net, l, fd, &from.ip);
        } else if (errno == EAGAIN) {
            break;
        } else if (!is_about_one(errno)) {
            return errno;
        }
    }
    return 0;
}

void listener_ready(struct net *net, struct listener *l)
{
    int err = accept_some(net, l, NET_ACCEPTS_A_TURN);
    if (err != 0) {
        pause_for_lack(net, l, err);
    }
}

/* ---- closing ---- */

static void remove_path(struct listener *l)
{
    struct stat st;
    const char *path = net_addr_path(&l->local);
    if (l->owns_path && lstat(path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino) {
        (void)unlink(path);
    }
    l->owns_path = false;
}

/* For whoever connected these connections are open: closing would reset them. */
static void accept_last(struct net *net, struct listener *l)
{
    if (l->source.watched && !l->inherited) {
        (void)accept_some(net, l, NET_ACCEPTS_AT_CLOSE);
    }
}

void listener_close(struct net *net, struct listener *l)
{
    remove_path(l);
    accept_last(net, l);
    listener_unpause(net, l, PAUSE_RESOURCES);
    posix_close(net->os, &l->source);
    if (l->open == 0) {
        px_pool_put(&net->listeners, l);
    }
}

void listener_release(struct net *net, struct listener *l)
{
    PX_ASSERT(l->open > 0);
    l->open--;
    if (l->open == 0 && !l->source.watched) {
        px_pool_put(&net->listeners, l);
    }
}

void net_on_unlisten(void *state, const struct px_msg *msg)
{
    struct net *net = state;
    const Net__ListenerRef *ref = msg->body;
    struct listener *l = px_pool_of(&net->listeners, msg, ref->listener);
    if (l == NULL || !l->source.watched) {
        px_reply_status(net->env, msg, PX_STALE);
        return;
    }
    listener_close(net, l);
    px_reply(net->env, msg, PX_OK, px_msg_new(net->env, &net__none__descriptor));
}
