/* h1_rig.h - the real kernel and h1 between a made-up provider of streams and a made-up
 * application.
 *
 * The clock stands still until told to move. A `wire` is the client's end of one connection, a
 * `req` one request as the application sees it; tests act on both and look at what arrived.
 * RIG_FAIL(text) is what a failed check does.
 */
#ifndef H1_RIG_H
#define H1_RIG_H

#include <px/kernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h1.h"
#include "h1.pb-c.h"
#include "header_list.h"
#include "http.pb-c.h"
#include "http_contract.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

#ifndef RIG_FAIL
#define RIG_FAIL(text) ck_abort_msg("%s", (text))
#endif
#define RIG_REQUIRE(cond)                                                                          \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            RIG_FAIL("rig: " #cond);                                                               \
        }                                                                                          \
    } while (0)

#define RIG_DATE "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"

enum { RIG_WIRES_MAX = 20000, RIG_TURNS_MAX = 200000, RIG_SEND_CREDIT = 262144 };
#define RIG_WALL_US INT64_C(1767225600000000) /* 2026-01-01 */

struct wire {
    px_handle lower, upper;
    uint64_t window;  /* bytes we may still deliver */
    uint64_t granted; /* in all */
    uint8_t *out;     /* what the client got and no check has taken */
    size_t out_len, out_cap;
    uint64_t out_total, out_unacked;
    uint64_t delivered, consumed;
    uint32_t n_data, n_files;
    bool claimed, close, fin, at_rest;
    bool reset;      /* by h1, or because a message was lost */
    bool said_reset; /* by h1 */
    bool mute;       /* takes, but gives no credit back */
    uint32_t reset_reason;
    const struct px_msg *rebind; /* held */
};

struct req {
    px_handle requester, self;
    char method[40], scheme[8], authority[300], path[9000];
    char fields[40000]; /* "name: value\n" ... */
    char trailers[2000];
    uint8_t *body;
    size_t body_len;
    uint64_t length, body_total;
    uint32_t credit, credit_all, version, listener, n_data;
    uint32_t ended;      /* status + 1; 0: not yet */
    uint32_t own_answer; /* the status h1 has answered with by itself */
    bool has_length, fin, expects, file_ranges, has_trailers, known, keep_body, answered, taken,
        lost;
};

struct adoption {
    Stream__AdoptStream m;
    char provider[32], protocol[32];
    uint8_t head[20000], payload[200000];
    size_t head_len, payload_len;
    uint32_t n;
};

/* What the application heard of requests that h1 has answered by itself. */
struct refused {
    uint32_t n, status, length, version, listener;
    uint8_t line[300], remote[20]; /* of the last one */
    size_t line_len, remote_len;
};

struct rig {
    struct px_kernel *kernel;
    struct px_world world;
    H1__Config config;
    H1__Upgrade toy, *upgrades[1];
    px_addr net, app, h1, toy_addr;
    struct px_pool wires, reqs;
    uint64_t now_us, seed, fail_in; /* fail_in: 1: the next allocation fails */
    uint32_t fail_every;
    uint32_t send_credit; /* of a wire */
    struct adoption adoption;
    struct refused refused;
    void (*on_exchange)(struct req *r); /* NULL: the test acts */
    void (*on_body)(struct req *r);
    uint32_t n_exchanges;
    bool verbose, no_file_ranges, wall_stands,
        keep_ended;          /* keep_ended: the test frees requests that ended */
    struct req *order[4096]; /* requests not yet looked at */
    uint32_t n_order;
};

static struct rig rig;

/* ---- the world ---- */

static inline void *rig_alloc(void *ctx, size_t len)
{
    (void)ctx;
    if (rig.fail_in > 0 && --rig.fail_in == 0) {
        rig.fail_in = rig.fail_every;
        return NULL;
    }
    return aligned_alloc(64, (len + 63) & ~(size_t)63);
}

static inline void rig_release(void *ctx, void *mem, size_t len)
{
    (void)ctx;
    (void)len;
    free(mem);
}

static inline uint64_t rig_now(void *ctx)
{
    (void)ctx;
    return rig.now_us;
}

static inline int64_t rig_wall(void *ctx)
{
    (void)ctx;
    return RIG_WALL_US + (rig.wall_stands ? 0 : (int64_t)rig.now_us - 1000000);
}

static inline void rig_entropy(void *ctx, void *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        rig.seed = rig.seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ((uint8_t *)ret)[i] = (uint8_t)(rig.seed >> 56);
    }
}

static inline void rig_log(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    if (rig.verbose || level == PX_LOG_ERROR) {
        fprintf(stderr, "%s\n", line);
    }
}

/* Runs everything there is to do without moving the clock. */
static inline void rig_run(void)
{
    uint32_t turns = 0;
    do {
        px_kernel_turn(rig.kernel, 0);
        RIG_REQUIRE(++turns < RIG_TURNS_MAX);
    } while (px_kernel_next_us(rig.kernel) == 0);
}

static inline void rig_advance_us(uint64_t us)
{
    rig_run();
    while (us > 0) {
        uint64_t next = px_kernel_next_us(rig.kernel);
        uint64_t step = next < us ? next : us;
        rig.now_us += step;
        us -= step;
        rig_run();
    }
}

/* ---- the provider ---- */

static inline struct px_env *net_env(void)
{
    return px_kernel_env(rig.kernel, rig.net);
}

static inline struct wire *wire_at(const struct px_msg *msg)
{
    return px_pool_at(&rig.wires, msg);
}

static inline void wire_credit(struct wire *w, uint32_t bytes)
{
    Stream__CreditBytes *m = px_msg_new(net_env(), &stream__credit_bytes__descriptor);
    m->bytes = bytes;
    (void)px_send(net_env(), rig.h1, UPPER_CREDIT, m, w->upper);
}

static inline void net_claim(void *state, const struct px_msg *msg)
{
    (void)state;
    const Stream__ClaimStream *m = msg->body;
    struct wire *w = wire_at(msg);
    RIG_REQUIRE(w != NULL && !w->claimed);
    w->claimed = true;
    w->upper = m->upper;
    w->window = w->granted = m->credit;
}

static inline void net_credit(void *state, const struct px_msg *msg)
{
    (void)state;
    const Stream__CreditBytes *m = msg->body;
    struct wire *w = wire_at(msg);
    if (w != NULL) {
        w->window += m->bytes;
        w->granted += m->bytes;
    }
}

static inline void net_data(void *state, const struct px_msg *msg)
{
    (void)state;
    const Stream__DataBytes *m = msg->body;
    struct wire *w = wire_at(msg);
    RIG_REQUIRE(w != NULL);
    RIG_REQUIRE(!w->close && !w->said_reset);
    if (w->reset) {
        return;
    }
    const struct px_slice *s;
    uint32_t n = px_msg_payload(msg, &s);
    for (uint32_t i = 0; i < n; i++) {
        if (w->out_len + s[i].len > w->out_cap) {
            w->out_cap = (w->out_len + s[i].len) * 2;
            w->out = realloc(w->out, w->out_cap);
        }
        if ((s[i].flags & PX_SLICE_FILE) != 0) {
            w->n_files++;
            memset(w->out + w->out_len, 'F', s[i].len);
        } else {
            memcpy(w->out + w->out_len, s[i].ptr, s[i].len);
        }
        w->out_len += s[i].len;
    }
    uint64_t len = px_msg_payload_len(msg);
    w->n_data++;
    w->out_total += len;
    w->out_unacked += px_charge(len);
    RIG_REQUIRE(w->out_unacked <= rig.send_credit);
    w->fin = w->fin || m->fin;
    w->at_rest = m->at_rest;
    w->consumed = m->consumed;
    if (!w->mute && w->out_unacked >= (rig.send_credit < 2 * PX_CREDIT_LOT ? rig.send_credit / 2
                                                                           : PX_CREDIT_LOT)) {
        wire_credit(w, (uint32_t)w->out_unacked);
        w->out_unacked = 0;
    }
}

static inline void net_close(void *state, const struct px_msg *msg)
{
    (void)state;
    struct wire *w = wire_at(msg);
    RIG_REQUIRE(w != NULL && !w->close && !w->said_reset);
    w->close = true;
}

static inline void net_reset(void *state, const struct px_msg *msg)
{
    (void)state;
    const Stream__ResetStream *m = msg->body;
    struct wire *w = wire_at(msg);
    if (w != NULL) {
        w->reset = w->said_reset = true;
        w->reset_reason = m->reason;
    }
}

static inline void net_rebind(void *state, const struct px_msg *msg)
{
    (void)state;
    const Stream__RebindStream *m = msg->body;
    struct wire *w = px_pool_of(&rig.wires, msg, m->lower);
    RIG_REQUIRE(w != NULL && w->rebind == NULL);
    w->rebind = px_msg_hold(msg);
}

static inline void net_open(void *state, const struct px_msg *msg)
{
    (void)state;
    px_reply_status(net_env(), msg, PX_UNSUPPORTED);
}

static inline void rig_lost(void *state, px_peer from, px_handle tag)
{
    (void)state;
    (void)from;
    struct wire *w = px_pool_own(&rig.wires, tag);
    if (w != NULL) {
        w->reset = true;
    }
}

static inline enum px_err net_init(void *state, struct px_env *env)
{
    (void)state;
    return px_pool_init(&rig.wires, env, sizeof(struct wire), RIG_WIRES_MAX, 0);
}

static const struct px_handler net_handlers[] = {
    {LOWER_OPEN, net_open},     {LOWER_CLAIM, net_claim}, {LOWER_CREDIT, net_credit},
    {LOWER_DATA, net_data},     {LOWER_CLOSE, net_close}, {LOWER_RESET, net_reset},
    {LOWER_REBIND, net_rebind},
};

static const struct px_service net_service = {
    .name = "net",
    .state_size = 8,
    .handlers = net_handlers,
    .n_handlers = sizeof net_handlers / sizeof net_handlers[0],
    .init = net_init,
    .lost = rig_lost,
};

/* ---- the toy protocol's mailbox ---- */

static inline void toy_adopt(void *state, const struct px_msg *msg)
{
    (void)state;
    const Stream__AdoptStream *m = msg->body;
    struct adoption *a = &rig.adoption;
    a->n++;
    a->m = *m;
    memcpy(a->provider, m->provider.data, m->provider.len);
    memcpy(a->protocol, m->protocol.data, m->protocol.len);
    memcpy(a->head, m->head.data, m->head.len);
    a->head_len = m->head.len;
    const struct px_slice *s;
    uint32_t n = px_msg_payload(msg, &s);
    a->payload_len = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(a->payload + a->payload_len, s[i].ptr, s[i].len);
        a->payload_len += s[i].len;
    }
}

static const struct px_handler toy_handlers[] = {{UPPER_ADOPT, toy_adopt}};

static const struct px_service toy_service = {
    .name = "toy", .state_size = 8, .handlers = toy_handlers, .n_handlers = 1};

/* ---- the application ---- */

static inline struct px_env *app_env(void)
{
    return px_kernel_env(rig.kernel, rig.app);
}

static inline void copy_text(char *to, size_t cap, ProtobufCBinaryData from)
{
    size_t n = from.len < cap ? from.len : cap - 1;
    if (n > 0) {
        memcpy(to, from.data, n);
    }
    to[n] = '\0';
}

static inline void copy_fields(char *to, size_t cap, ProtobufCBinaryData list)
{
    struct px_bytes in = px_bytes_of(list.data, list.len);
    struct px_header h;
    size_t at = 0;
    to[0] = '\0';
    while (px_header_list_next(&in, &h)) {
        int n =
            snprintf(to + at, cap - at, "%.*s: %.*s\n", (int)h.name.len, (const char *)h.name.ptr,
                     (int)h.value.len, h.value.len > 0 ? (const char *)h.value.ptr : "");
        at += (size_t)n;
        RIG_REQUIRE(at < cap);
    }
    RIG_REQUIRE(!in.failed);
}

static inline void app_exchange(void *state, const struct px_msg *msg)
{
    (void)state;
    const Http__Request *m = msg->body;
    struct req *r = px_pool_get(&rig.reqs);
    if (r == NULL) { /* only where allocations fail */
        void *cancel = px_msg_new(app_env(), &http__cancel_exchange__descriptor);
        (void)px_send(app_env(), rig.h1, REQUESTER_CANCEL, cancel, m->requester);
        return;
    }
    rig.n_exchanges++;
    r->self = px_pool_issue(&rig.reqs, r, msg->from);
    r->requester = m->requester;
    copy_text(r->method, sizeof r->method, m->method);
    copy_text(r->scheme, sizeof r->scheme, m->scheme);
    copy_text(r->authority, sizeof r->authority, m->authority);
    copy_text(r->path, sizeof r->path, m->path);
    copy_fields(r->fields, sizeof r->fields, m->fields);
    r->fin = m->fin;
    r->has_length = m->has_length;
    r->length = m->length;
    r->expects = m->expects_continue;
    r->credit = r->credit_all = m->credit;
    r->version = m->version;
    r->listener = m->listener;
    r->file_ranges = m->file_ranges;
    r->keep_body = true;
    if (rig.on_exchange != NULL) {
        rig.on_exchange(r);
    } else {
        RIG_REQUIRE(rig.n_order < 4096);
        rig.order[rig.n_order++] = r;
    }
}

static inline void app_data(void *state, const struct px_msg *msg)
{
    (void)state;
    const Http__BodyBytes *m = msg->body;
    struct req *r = px_pool_at(&rig.reqs, msg);
    RIG_REQUIRE(r != NULL && !r->fin && r->ended == 0);
    const struct px_slice *s;
    uint32_t n = px_msg_payload(msg, &s);
    for (uint32_t i = 0; i < n && r->keep_body; i++) {
        r->body = realloc(r->body, r->body_len + s[i].len);
        memcpy(r->body + r->body_len, s[i].ptr, s[i].len);
        r->body_len += s[i].len;
    }
    r->body_total += px_msg_payload_len(msg);
    r->n_data++;
    r->fin = m->fin;
    if (rig.on_body != NULL) {
        rig.on_body(r);
    }
}

static inline void app_trailers(void *state, const struct px_msg *msg)
{
    (void)state;
    const Http__TrailerFields *m = msg->body;
    struct req *r = px_pool_at(&rig.reqs, msg);
    RIG_REQUIRE(r != NULL && !r->fin && r->ended == 0);
    copy_fields(r->trailers, sizeof r->trailers, m->fields);
    r->has_trailers = m->fields.len > 0;
    r->fin = true;
    if (rig.on_body != NULL) {
        rig.on_body(r);
    }
}

static inline void app_credit(void *state, const struct px_msg *msg)
{
    (void)state;
    const Http__ExchangeCredit *m = msg->body;
    struct req *r = px_pool_at(&rig.reqs, msg);
    RIG_REQUIRE(r != NULL && r->ended == 0);
    r->credit += m->bytes;
    r->credit_all += m->bytes;
}

static inline void app_cancel(void *state, const struct px_msg *msg)
{
    (void)state;
    (void)msg;
    RIG_FAIL("h1 does not cancel");
}

static inline void req_free(struct req *r)
{
    for (uint32_t i = 0; i < rig.n_order; i++) {
        if (rig.order[i] == r) {
            memmove(&rig.order[i], &rig.order[i + 1], (rig.n_order - i - 1) * sizeof rig.order[0]);
            rig.n_order--;
            break;
        }
    }
    free(r->body);
    px_pool_put(&rig.reqs, r);
}

static inline void app_ended(void *state, const struct px_msg *msg)
{
    (void)state;
    const Http__EndedExchange *m = msg->body;
    struct req *r = px_pool_at(&rig.reqs, msg);
    if (r == NULL || r->lost) {
        return; /* over for us before */
    }
    if (r->ended != 0) { /* our word about it was under way: it is told once more */
        RIG_REQUIRE(m->status == PX_RESET && r->known);
        return;
    }
    r->ended = m->status + 1;
    r->own_answer = m->answered;
    if (rig.on_exchange != NULL && !rig.keep_ended) {
        req_free(r);
    }
}

static inline void app_refused(void *state, const struct px_msg *msg)
{
    (void)state;
    const Http__RefusedRequest *m = msg->body;
    struct refused *f = &rig.refused;
    RIG_REQUIRE(m->line.len <= H1_REFUSED_LINE_MAX && m->remote.len <= sizeof f->remote);
    RIG_REQUIRE(msg->tag == 0);
    *f = (struct refused){.n = f->n + 1,
                          .status = m->status,
                          .length = m->length,
                          .version = m->version,
                          .listener = m->listener};
    px_copy_short(f->line, m->line.data, m->line.len);
    px_copy_short(f->remote, m->remote.data, m->remote.len);
    f->line_len = m->line.len;
    f->remote_len = m->remote.len;
}

static inline void app_lost(void *state, px_peer from, px_handle tag)
{
    (void)state;
    (void)from;
    struct req *r = px_pool_own(&rig.reqs, tag);
    if (r != NULL && r->ended == 0) {
        r->ended = PX_NO_MEMORY + 1;
        r->lost = true;
        if (rig.on_exchange != NULL && !rig.keep_ended) {
            req_free(r);
        }
    }
}

static inline enum px_err app_init(void *state, struct px_env *env)
{
    (void)state;
    rig.n_order = 0;
    return px_pool_init(&rig.reqs, env, sizeof(struct req), 100000, 0);
}

static const struct px_handler app_handlers[] = {
    {RESPONDER_EXCHANGE, app_exchange}, {RESPONDER_DATA, app_data},
    {RESPONDER_TRAILERS, app_trailers}, {RESPONDER_CREDIT, app_credit},
    {RESPONDER_CANCEL, app_cancel},     {RESPONDER_ENDED, app_ended},
    {RESPONDER_REFUSED, app_refused},
};

static const struct px_service app_service = {
    .name = "app",
    .state_size = 8,
    .handlers = app_handlers,
    .n_handlers = sizeof app_handlers / sizeof app_handlers[0],
    .init = app_init,
    .lost = app_lost,
};

/* ---- assembling ---- */

static inline ProtobufCBinaryData rig_text(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

/* Before rig_start the test may set rig.config. */
static inline void rig_prepare(void)
{
    memset(&rig, 0, sizeof rig);
    rig.now_us = 1000000;
    rig.seed = 1;
    rig.send_credit = RIG_SEND_CREDIT;
    rig.config = (H1__Config)H1__CONFIG__INIT;
    rig.world = (struct px_world){.alloc = rig_alloc,
                                  .release = rig_release,
                                  .monotonic_us = rig_now,
                                  .wall_us = rig_wall,
                                  .entropy = rig_entropy,
                                  .log = rig_log};
}

static inline void rig_upgrades(void)
{
    rig.toy = (H1__Upgrade)H1__UPGRADE__INIT;
    rig.toy.token = rig_text("toy");
    rig.toy.mailbox = rig_text("toy");
    rig.upgrades[0] = &rig.toy;
    rig.config.upgrades = rig.upgrades;
    rig.config.n_upgrades = 1;
}

static inline bool rig_start_err(enum px_err *ret)
{
    struct px_kernel_config config = {.trace_records = 64};
    struct px_kernel *k;
    RIG_REQUIRE(px_kernel_new(&rig.world, &config, &k) == PX_EOK);
    rig.kernel = k;
    RIG_REQUIRE(px_kernel_contract(k, &px_contract_stream_lower) == PX_EOK);
    RIG_REQUIRE(px_kernel_contract(k, &px_contract_stream_upper) == PX_EOK);
    RIG_REQUIRE(px_kernel_contract(k, &px_contract_http_responder) == PX_EOK);
    RIG_REQUIRE(px_kernel_contract(k, &px_contract_http_requester) == PX_EOK);
    RIG_REQUIRE(px_kernel_add(k, &net_service, NULL, NULL, &rig.net) == PX_EOK);
    RIG_REQUIRE(px_kernel_add(k, &app_service, NULL, NULL, &rig.app) == PX_EOK);
    RIG_REQUIRE(px_kernel_add(k, &toy_service, NULL, NULL, &rig.toy_addr) == PX_EOK);
    RIG_REQUIRE(px_kernel_add(k, &px_h1_service, NULL, &rig.config, &rig.h1) == PX_EOK);
    RIG_REQUIRE(px_kernel_allow(k, rig.net, PX_C_STREAM_UPPER, rig.h1) == PX_EOK);
    RIG_REQUIRE(px_kernel_allow(k, rig.h1, PX_C_STREAM_LOWER, rig.net) == PX_EOK);
    RIG_REQUIRE(px_kernel_allow(k, rig.h1, PX_C_HTTP_RESPONDER, rig.app) == PX_EOK);
    RIG_REQUIRE(px_kernel_allow(k, rig.app, PX_C_HTTP_REQUESTER, rig.h1) == PX_EOK);
    RIG_REQUIRE(px_kernel_allow(k, rig.h1, PX_C_STREAM_UPPER, rig.toy_addr) == PX_EOK);
    RIG_REQUIRE(px_kernel_allow(k, rig.toy_addr, PX_C_STREAM_UPPER, rig.h1) == PX_EOK);
    *ret = px_kernel_start(k);
    return *ret == PX_EOK;
}

static inline void rig_start(void)
{
    enum px_err err;
    RIG_REQUIRE(rig_start_err(&err));
    rig_run();
}

static inline uint64_t rig_counter(enum h1_counter which)
{
    const char *name;
    return px_kernel_counter(rig.kernel, rig.h1, which, &name);
}

/* Everything h1 holds is back where it was. */
static inline void rig_expect_clean(void)
{
    struct px_ledger l;
    px_service_ledger(rig.kernel, rig.h1, &l);
    RIG_REQUIRE(l.elems == 0);
    RIG_REQUIRE(l.holds == 0);
    RIG_REQUIRE(l.pieces == 0);
    RIG_REQUIRE(l.bufs == 0);
    RIG_REQUIRE(l.timers == 0);
    px_kernel_ledger(rig.kernel, &l);
    RIG_REQUIRE(l.queued == 0 && l.calls == 0);
}

#endif
