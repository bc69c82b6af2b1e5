/* net_rig.c - see net_rig.h. */
#include "net_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lane.h"

struct rig *rig;

/* ---- actors ---- */

struct actor_state {
    struct px_env *env;
    struct actor *actor;
    struct px_pool pool; /* of pointers to what is heard */
};

struct cell {
    struct heard *heard;
};

static struct actor_state *state_of(const struct actor *a)
{
    return px_kernel_state(rig->kernel, a->addr);
}

static struct px_env *env_of(const struct actor *a)
{
    return px_kernel_env(rig->kernel, a->addr);
}

static struct heard *heard_at(struct actor_state *st, const struct px_msg *msg)
{
    struct cell *c = px_pool_at(&st->pool, msg);
    ck_assert_ptr_nonnull(c);
    return c->heard;
}

struct heard *heard_new(struct actor *a, px_handle lower)
{
    struct actor_state *st = state_of(a);
    struct cell *c = px_pool_get(&st->pool);
    if (c == NULL) {
        return NULL;
    }
    struct heard *h = calloc(1, sizeof *h);
    ck_assert_uint_lt(a->n_streams, RIG_STREAMS_MAX);
    a->streams[a->n_streams++] = h;
    c->heard = h;
    h->lower = lower;
    h->self = px_pool_issue(&st->pool, c, px_mailbox_peer(st->env, rig->net));
    return h;
}

static void keep(uint8_t *to, size_t *len, const ProtobufCBinaryData *from)
{
    ck_assert_uint_le(from->len, 18);
    for (size_t i = 0; i < from->len; i++) {
        to[i] = from->data[i];
    }
    *len = from->len;
}

static void on_accepted(void *state, const struct px_msg *msg)
{
    struct actor_state *st = state;
    const Stream__AcceptedStream *m = msg->body;
    struct heard *h = heard_new(st->actor, m->lower);
    if (h == NULL) {
        return;
    }
    h->granted = m->credit;
    h->listener = m->listener;
    h->adopted = m->adopted;
    keep(h->remote, &h->remote_len, &m->remote);
    keep(h->local, &h->local_len, &m->local);
    if (!st->actor->claims_not) {
        owner_claim(st->actor, h, m->lower, st->actor->window);
    }
}

static void echo(struct actor_state *st, const struct heard *h, const struct px_msg *msg)
{
    Stream__DataBytes *m = px_msg_new(st->env, &stream__data_bytes__descriptor);
    px_msg_attach_all(m, msg);
    px_send(st->env, rig->net, LOWER_DATA, m, h->lower);
}

static void on_data(void *state, const struct px_msg *msg)
{
    struct actor_state *st = state;
    struct heard *h = heard_at(st, msg);
    const Stream__DataBytes *m = msg->body;
    const struct px_slice *slices = NULL;
    uint64_t len = px_msg_payload_len(msg);
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        size_t room = h->got < RIG_BYTES_KEPT ? RIG_BYTES_KEPT - (size_t)h->got : 0;
        memcpy(h->bytes + RIG_BYTES_KEPT - room, slices[i].ptr,
               slices[i].len < room ? slices[i].len : room);
        h->got += slices[i].len;
    }
    h->largest = len > h->largest ? (uint32_t)len : h->largest;
    h->fins += m->fin ? 1 : 0;
    ck_assert_msg(px_credit_received(&h->in, len), "net went beyond its credit");
    px_credit_settle(&h->in, len);
    uint32_t due = st->actor->keeps_credit ? 0 : px_credit_due(&h->in);
    if (due > 0) {
        owner_credit(st->actor, h, due);
    }
    if (st->actor->echoes && len > 0) {
        echo(st, h, msg);
    }
}

static void on_credit(void *state, const struct px_msg *msg)
{
    const Stream__CreditBytes *m = msg->body;
    heard_at(state, msg)->granted += m->bytes;
}

static void on_closed(void *state, const struct px_msg *msg)
{
    const Stream__ClosedStream *m = msg->body;
    struct heard *h = heard_at(state, msg);
    h->n_closed++;
    h->reason = m->reason;
}

static void on_reply(void *state, const struct px_msg *msg)
{
    struct actor *a = ((struct actor_state *)state)->actor;
    a->n_replies++;
    a->status = msg->status;
    const ProtobufCMessage *body = msg->body;
    if (body == NULL || msg->status != PX_OK) {
        return;
    }
    if (body->descriptor == &net__listening__descriptor) {
        const Net__Listening *m = msg->body;
        a->listener = m->listener;
        memcpy(a->address, m->address.data, m->address.len);
        a->address[m->address.len] = 0;
    } else if (body->descriptor == &stream__opened__descriptor) {
        const Stream__Opened *m = msg->body;
        struct heard *h = a->streams[msg->tag];
        h->lower = m->lower;
        h->granted = m->credit;
        h->opened = true;
        keep(h->remote, &h->remote_len, &m->remote);
        keep(h->local, &h->local_len, &m->local);
    } else if (body->descriptor == &stream__rebound__descriptor) {
        a->credit = ((const Stream__Rebound *)msg->body)->credit;
    } else if (body->descriptor == &net__listener_stats__descriptor) {
        a->stats = *(const Net__ListenerStats *)msg->body;
    }
}

static void on_lost(void *state, px_peer from, px_handle tag)
{
    struct actor_state *st = state;
    struct cell *c = px_pool_own(&st->pool, tag);
    (void)from;
    if (c != NULL) {
        c->heard->lost = true;
    }
}

static enum px_err actor_init(void *state, struct px_env *env)
{
    struct actor_state *st = state;
    st->env = env;
    st->actor = px_env_self(env) == rig->owner.addr ? &rig->owner : &rig->heir;
    return px_pool_init(&st->pool, env, sizeof(struct cell), RIG_STREAMS_MAX, 0);
}

static const struct px_handler actor_handlers[] = {{UPPER_ACCEPTED, on_accepted},
                                                   {UPPER_DATA, on_data},
                                                   {UPPER_CREDIT, on_credit},
                                                   {UPPER_CLOSED, on_closed}};

static const struct px_service actor_service = {
    .name = "actor",
    .state_size = sizeof(struct actor_state),
    .calls_max = 64,
    .handlers = actor_handlers,
    .n_handlers = 4,
    .init = actor_init,
    .reply = on_reply,
    .lost = on_lost,
};

/* ---- the rig ---- */

/* The world's own memory, that is the C library's, but for the one that fails. */
static void *rig_alloc(void *ctx, size_t len)
{
    const struct px_world *w = px_posix_world(rig->os);
    (void)ctx;
    bool fails = rig->fail_alloc > 0 && --rig->fail_alloc == 0;
    return fails ? NULL : w->alloc(w->ctx, len);
}

uint32_t rig_descriptors(void)
{
    uint32_t n = 0;
    for (int fd = 0; fd < 1000; fd++) {
        n += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return n;
}

static uint64_t real_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void rig_use_real_clock(void)
{
    rig->real_since_us = real_us();
}

static uint64_t rig_clock(void *ctx)
{
    (void)ctx;
    return rig->now_us + (rig->real_since_us == 0 ? 0 : real_us() - rig->real_since_us);
}

static void rig_log(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    rig->log_lines++;
    snprintf(rig->last_log, sizeof rig->last_log, "%s", line);
}

static void allow(px_addr from, uint8_t contract, px_addr to)
{
    ck_assert_int_eq(px_kernel_allow(rig->kernel, from, contract, to), PX_EOK);
}

void rig_begin(void)
{
    struct px_posix_config config = {.log = rig_log};
    rig = calloc(1, sizeof *rig);
    rig->now_us = 1000000;
    rig->owner.window = rig->heir.window = 65536;
    ck_assert_int_eq(px_posix_new(&config, &rig->os), PX_EOK);
    struct px_world world = *px_posix_world(rig->os);
    world.monotonic_us = rig_clock;
    world.alloc = rig_alloc;
    ck_assert_int_eq(px_kernel_new(&world, NULL, &rig->kernel), PX_EOK);
    struct px_kernel *k = rig->kernel;
    ck_assert_int_eq(px_kernel_contract(k, &px_contract_net), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(k, &px_contract_stream_lower), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(k, &px_contract_stream_upper), PX_EOK);
    ck_assert_int_eq(px_kernel_add(k, &px_net_service, NULL, NULL, &rig->net), PX_EOK);
    ck_assert_int_eq(px_kernel_add(k, &actor_service, "owner", NULL, &rig->owner.addr), PX_EOK);
    ck_assert_int_eq(px_kernel_add(k, &actor_service, "heir", NULL, &rig->heir.addr), PX_EOK);
    ck_assert_int_eq(px_kernel_add(k, &px_link_service, NULL, NULL, &rig->link), PX_EOK);
    ck_assert_int_eq(px_kernel_add_remote(k, "stranger", &rig->stranger), PX_EOK);
    allow(rig->stranger, PX_C_NET, rig->net);
    allow(rig->stranger, PX_C_STREAM_LOWER, rig->net);
    allow(rig->net, PX_C_STREAM_UPPER, rig->stranger);
    allow(rig->owner.addr, PX_C_NET, rig->net);
    allow(rig->owner.addr, PX_C_STREAM_LOWER, rig->net);
    allow(rig->heir.addr, PX_C_STREAM_LOWER, rig->net);
    allow(rig->net, PX_C_STREAM_UPPER, rig->owner.addr);
    allow(rig->net, PX_C_STREAM_UPPER, rig->heir.addr);
    allow(rig->owner.addr, PX_C_STREAM_UPPER, rig->heir.addr);
    ck_assert_int_eq(px_kernel_start(k), PX_EOK);
}

static void forget_actor(struct actor *a)
{
    for (uint32_t i = 0; i < a->n_streams; i++) {
        ck_assert_uint_le(a->streams[i]->n_closed, 1);
        free(a->streams[i]);
    }
}

void rig_end(void)
{
    struct px_ledger l;
    px_service_kill(rig->kernel, rig->owner.addr);
    px_service_kill(rig->kernel, rig->heir.addr);
    rig_turns(2);
    rig_advance_us(PX_SEC(120)); /* lingering and parked streams end */
    px_kernel_stop(rig->kernel);
    rig_turns(2);
    ck_assert(px_kernel_drained(rig->kernel));
    px_service_ledger(rig->kernel, rig->net, &l);
    ck_assert_uint_eq(l.elems, 0);
    ck_assert_uint_eq(l.timers, 0);
    ck_assert_uint_eq(l.pieces, 0);
    ck_assert_uint_eq(l.holds, 0);
    forget_actor(&rig->owner);
    forget_actor(&rig->heir);
    px_kernel_free(rig->kernel);
    px_posix_free(rig->os);
    free(rig);
    rig = NULL;
}

int net_rig_run(const char *suite, const TTest *const *tests, size_t n)
{
    Suite *s = suite_create(suite);
    TCase *tcase = tcase_create("real sockets");
    tcase_add_checked_fixture(tcase, rig_begin, rig_end);
    tcase_set_timeout(tcase, 30);
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(s, tcase);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

bool rig_turn(void)
{
    bool ready = px_kernel_next_us(rig->kernel) == 0 || is_readable(px_posix_fd(rig->os), 1);
    px_kernel_turn(rig->kernel, 0);
    return ready;
}

void rig_await(void)
{
    far_await(px_posix_fd(rig->os));
}

void rig_turns(int n)
{
    while (n-- > 0) {
        rig_turn();
    }
}

void rig_advance_us(uint64_t us)
{
    rig->now_us += us;
    rig_turns(2);
}

uint64_t rig_counter(const char *name)
{
    const char *at = NULL;
    for (uint32_t i = 0;; i++) {
        uint64_t n = px_kernel_counter(rig->kernel, rig->net, i, &at);
        ck_assert_ptr_nonnull(at);
        if (strcmp(at, name) == 0) {
            return n;
        }
    }
}

struct px_ledger rig_ledger(void)
{
    struct px_ledger l;
    px_kernel_ledger(rig->kernel, &l);
    return l;
}

/* ---- the owner's side ---- */

static enum px_status call_net(struct actor *a, uint16_t method, void *body, uint64_t tag)
{
    uint32_t before = a->n_replies;
    px_call(env_of(a), rig->net, method, body, PX_SEC(10), tag);
    UNTIL(a->n_replies > before);
    return a->status;
}

const char *rig_own(const char *address)
{
    static char names[4][108];
    static unsigned turn;
    char *name = names[turn++ % 4];
    snprintf(name, sizeof names[0], "%s-%d", address, (int)getpid());
    return name;
}

enum px_status rig_listen_with(const char *address, struct listen_how how)
{
    Net__ListenAt *m = px_msg_new(env_of(&rig->owner), &net__listen_at__descriptor);
    const char *upper = how.upper == NULL ? "owner" : how.upper;
    px_msg_put(m, &m->address, address, strlen(address));
    px_msg_put(m, &m->upper, upper, strlen(upper));
    m->tag = how.tag;
    m->connections_max = how.connections_max;
    m->connections_peer_max = how.connections_peer_max;
    m->send_window = how.send_window;
    m->unix_mode = how.unix_mode;
    m->v6only = how.v6only;
    m->reuse_port = how.reuse_port;
    return call_net(&rig->owner, NET_LISTEN, m, 0);
}

uint16_t rig_port(void)
{
    return (uint16_t)atoi(strrchr(rig->owner.address, ':') + 1);
}

uint16_t rig_listen(void)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.tag = 7}), PX_OK);
    return rig_port();
}

enum px_status rig_unlisten(px_handle listener)
{
    Net__ListenerRef *m = px_msg_new(env_of(&rig->owner), &net__listener_ref__descriptor);
    m->listener = listener;
    return call_net(&rig->owner, NET_UNLISTEN, m, 0);
}

const Net__ListenerStats *rig_stats(px_handle listener)
{
    Net__ListenerRef *m = px_msg_new(env_of(&rig->owner), &net__listener_ref__descriptor);
    m->listener = listener;
    ck_assert_int_eq(call_net(&rig->owner, NET_STATS, m, 0), PX_OK);
    return &rig->owner.stats;
}

enum px_status rig_open(const char *target, uint32_t credit, struct heard **ret_stream)
{
    struct actor *a = &rig->owner;
    Stream__OpenStream *m = px_msg_new(env_of(a), &stream__open_stream__descriptor);
    struct heard *h = heard_new(a, 0);
    px_msg_put(m, &m->target, target, strlen(target));
    m->upper = h->self;
    m->credit = credit;
    h->in = (struct px_credit_in){.window = credit, .outstanding = credit};
    if (ret_stream != NULL) {
        *ret_stream = h;
    }
    return call_net(a, LOWER_OPEN, m, a->n_streams - 1);
}

struct heard *rig_stream(struct actor *a, uint32_t nth)
{
    UNTIL(a->n_streams > nth);
    return a->streams[nth];
}

int rig_unix_stream(const char *name)
{
    char address[RIG_TEXT_MAX];
    const char *own = rig_own(name);
    snprintf(address, sizeof address, "unix:%s", own);
    ck_assert_int_eq(rig_listen_with(address, (struct listen_how){.tag = 0}), PX_OK);
    int far = far_connect_unix(own);
    (void)rig_stream(&rig->owner, 0);
    rig_turn();
    return far;
}

static void send_data(struct actor *a, struct heard *h, struct px_buf *take_buf, uint32_t len)
{
    Stream__DataBytes *m = px_msg_new(env_of(a), &stream__data_bytes__descriptor);
    ck_assert(px_msg_attach_take(m, take_buf, 0, len));
    (void)px_send(env_of(a), rig->net, LOWER_DATA, m, h->lower); /* lost: net is told */
}

void owner_send(struct actor *a, struct heard *h, const void *data, size_t len)
{
    struct px_buf *buf = px_buf_new(env_of(a), len);
    memcpy(px_buf_data(buf), data, len);
    send_data(a, h, buf, (uint32_t)len);
}

void owner_send_large(struct actor *a, struct heard *h, uint32_t len, uint8_t fill)
{
    struct px_buf *buf = px_buf_new(env_of(a), len);
    memset(px_buf_data(buf), fill, len);
    send_data(a, h, buf, len);
}

void owner_send_flags(struct actor *a, struct heard *h, bool fin, bool at_rest, uint64_t consumed)
{
    Stream__DataBytes *m = px_msg_new(env_of(a), &stream__data_bytes__descriptor);
    m->fin = fin;
    m->at_rest = at_rest;
    m->consumed = consumed;
    (void)px_send(env_of(a), rig->net, LOWER_DATA, m, h->lower); /* lost: net is told */
}

static void close_fd(int fd)
{
    close(fd);
}

void owner_send_file(struct actor *a, struct heard *h, const char *head, int take_fd, uint64_t off,
                     uint32_t len)
{
    struct px_buf *text = px_buf_new(env_of(a), strlen(head));
    struct px_buf *file = px_buf_from_fd(env_of(a), take_fd, close_fd);
    Stream__DataBytes *m = px_msg_new(env_of(a), &stream__data_bytes__descriptor);
    memcpy(px_buf_data(text), head, strlen(head));
    ck_assert(px_msg_attach_take(m, text, 0, (uint32_t)strlen(head)));
    ck_assert(px_msg_attach_take(m, file, off, len));
    (void)px_send(env_of(a), rig->net, LOWER_DATA, m, h->lower); /* lost: net is told */
}

void owner_credit(struct actor *a, struct heard *h, uint32_t bytes)
{
    Stream__CreditBytes *m = px_msg_new(env_of(a), &stream__credit_bytes__descriptor);
    m->bytes = bytes;
    (void)px_send(env_of(a), rig->net, LOWER_CREDIT, m, h->lower); /* lost: net is told */
}

void owner_close(struct actor *a, struct heard *h, uint32_t bytes, uint32_t ms)
{
    Stream__CloseStream *m = px_msg_new(env_of(a), &stream__close_stream__descriptor);
    m->linger_bytes = bytes;
    m->linger_ms = ms;
    (void)px_send(env_of(a), rig->net, LOWER_CLOSE, m, h->lower); /* lost: net is told */
}

void owner_reset(struct actor *a, struct heard *h)
{
    Stream__ResetStream *m = px_msg_new(env_of(a), &stream__reset_stream__descriptor);
    m->reason = PX_CANCELLED;
    (void)px_send(env_of(a), rig->net, LOWER_RESET, m, h->lower); /* lost: net is told */
}

void owner_claim(struct actor *a, struct heard *h, px_handle lower, uint32_t credit)
{
    Stream__ClaimStream *m = px_msg_new(env_of(a), &stream__claim_stream__descriptor);
    m->upper = h->self;
    m->credit = credit;
    h->in = (struct px_credit_in){.window = credit, .outstanding = credit};
    (void)px_send(env_of(a), rig->net, LOWER_CLAIM, m, lower); /* lost: net is told */
}

enum px_status owner_rebind(struct actor *a, px_handle lower, const char *mailbox)
{
    Stream__RebindStream *m = px_msg_new(env_of(a), &stream__rebind_stream__descriptor);
    m->lower = lower;
    px_msg_put(m, &m->mailbox, mailbox, strlen(mailbox));
    return call_net(a, LOWER_REBIND, m, 0);
}

/* ---- the far end ---- */

int far_bound(uint16_t *ret_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

int far_connect_to(const char *address, uint16_t port)
{
    union px_sockaddr46 addr;
    ck_assert_int_eq(px_sockaddr46_parse(address, strlen(address), &addr), PX_EOK);
    px_sockaddr46_set_port(&addr, port);
    int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, &addr.sa, px_sockaddr46_len(&addr)), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

int far_connect(uint16_t port)
{
    return far_connect_to("127.0.0.1", port);
}

int far_connect_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    memcpy(un.sun_path, path, len);
    if (path[0] == '@') {
        un.sun_path[0] = 0;
    } else {
        len++;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    len += offsetof(struct sockaddr_un, sun_path);
    if (connect(fd, (const struct sockaddr *)&un, (socklen_t)len) != 0) {
        close(fd);
        return -1;
    }
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

void far_await(int fd)
{
    ck_assert(is_readable(fd, RIG_IDLE_TURNS_MAX));
}

void far_send(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One read that is not "later". */
static ssize_t far_read(int fd, void *to, size_t len)
{
    ssize_t n = -1;
    for (int i = 0; i < RIG_IDLE_TURNS_MAX && n < 0;) {
        i += rig_turn() ? 0 : 1;
        n = recv(fd, to, len, 0);
        if (n < 0 && errno != EAGAIN) {
            break;
        }
    }
    return n;
}

void far_expect(int fd, const char *text)
{
    char got[4096] = {0};
    size_t len = strlen(text);
    size_t have = 0;
    while (have < len) {
        ssize_t n = far_read(fd, got + have, len - have);
        ck_assert_msg(n > 0, "only \"%s\" came instead of \"%s\"", got, text);
        have += (size_t)n;
    }
    ck_assert_str_eq(got, text);
}

uint64_t far_drain(int fd, uint64_t len)
{
    static char sink[65536];
    uint64_t have = 0;
    while (have < len) {
        ssize_t n =
            far_read(fd, sink, len - have < sizeof sink ? (size_t)(len - have) : sizeof sink);
        if (n <= 0) {
            break;
        }
        have += (uint64_t)n;
    }
    return have;
}

void far_expect_fin(int fd)
{
    char c;
    ck_assert_int_eq(far_read(fd, &c, 1), 0);
}

void far_expect_reset(int fd)
{
    char sink[4096];
    ssize_t n;
    do {
        n = far_read(fd, sink, sizeof sink);
    } while (n > 0);
    ck_assert_int_eq(n, -1);
    ck_assert_int_eq(errno, ECONNRESET);
}

void far_expect_silence(int fd)
{
    char c;
    rig_turns(5);
    ck_assert_int_eq(recv(fd, &c, 1, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
}

void far_reset(int take_fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    ck_assert_int_eq(setsockopt(take_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(take_fd);
}
