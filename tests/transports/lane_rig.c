/* lane_rig.c - see lane_rig.h. */
#include "lane_rig.h"

#include <errno.h>
#include <poll.h>
#include <px/bytes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "ktest.pb-c.h"
#include "ktest_contract.h"

struct side sides[2];
enum rig_carrier rig_carrier;
int rig_expected_pid;
static struct px_pair *pairs[2];

void rig_on_stream(void)
{
    rig_carrier = RIG_STREAM;
}

void rig_on_rings(void)
{
    rig_carrier = RIG_RINGS;
}

void rig_on_nng(void)
{
    rig_carrier = RIG_NNG;
}
static uint64_t now_us;
static int raw_fd;

/* ---- actors ---- */

struct state {
    struct actor actor;
    struct px_env *env;
};

static void payload_add(struct actor *a, const struct px_msg *msg)
{
    const struct px_slice *slices = NULL;
    uint32_t n = px_msg_payload(msg, &slices);
    a->slices = n;
    for (uint32_t i = 0; i < n; i++) {
        a->payload += slices[i].len;
        for (uint32_t k = 0; k < slices[i].len; k++) {
            a->sum += slices[i].ptr[k];
        }
    }
}

static void on_note(void *state, const struct px_msg *msg)
{
    struct state *s = state;
    s->actor.notes++;
    s->actor.value = ((const Ktest__Number *)msg->body)->value;
    payload_add(&s->actor, msg);
}

static void on_ask(void *state, const struct px_msg *msg)
{
    struct state *s = state;
    s->actor.asks++;
    s->actor.value = ((const Ktest__Number *)msg->body)->value;
    if (s->actor.keeps) {
        s->actor.kept = px_msg_hold(msg);
        px_call_tag(s->env, msg, 77);
        return;
    }
    Ktest__Number *m = px_msg_new(s->env, &ktest__number__descriptor);
    m->value = s->actor.value + 1;
    px_reply(s->env, msg, PX_OK, m);
}

static void on_reply(void *state, const struct px_msg *msg)
{
    struct state *s = state;
    s->actor.replies++;
    s->actor.status = msg->status;
    s->actor.answer = msg->body == NULL ? 0 : ((const Ktest__Number *)msg->body)->value;
}

static void on_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct state *s = state;
    ck_assert_uint_eq(tag, 77);
    s->actor.ended++;
    s->actor.status = reason;
    px_msg_release(s->actor.kept);
    s->actor.kept = NULL;
}

static void on_gone(void *state, px_peer peer)
{
    (void)peer;
    ((struct state *)state)->actor.gone++;
}

static void on_back(void *state, px_peer peer)
{
    (void)peer;
    ((struct state *)state)->actor.back++;
}

static void on_lost(void *state, px_peer from, px_handle tag)
{
    (void)from;
    (void)tag;
    ((struct state *)state)->actor.lost++;
}

static enum px_err actor_init(void *state, struct px_env *env)
{
    ((struct state *)state)->env = env;
    return PX_EOK;
}

static const struct px_handler handlers[] = {{TOY_NOTE, on_note}, {TOY_ASK, on_ask}};

static const struct px_service actor_service = {
    .name = "actor",
    .state_size = sizeof(struct state),
    .calls_max = 4,
    .handlers = handlers,
    .n_handlers = 2,
    .init = actor_init,
    .reply = on_reply,
    .ended = on_ended,
    .gone = on_gone,
    .back = on_back,
    .lost = on_lost,
};

/* ---- sides ---- */

static uint64_t standing_still(void *ctx)
{
    (void)ctx;
    return now_us;
}

static void control(void *ctx, uint16_t method, const uint8_t *body, size_t len)
{
    struct side *s = ctx;
    (void)body;
    (void)len;
    s->controls++;
    s->method = method;
    if (s->frees) {
        px_lane_free(s->lane);
        s->lane = NULL;
    }
}

static void busy(void *ctx)
{
    ((struct side *)ctx)->busy++;
}

static void ended(void *ctx, const char *why)
{
    struct side *s = ctx;
    s->ends++;
    strncpy(s->why, why, sizeof s->why - 1);
}

static void kernel_make(int n)
{
    struct side *s = &sides[n];
    px_addr addr = 0;
    ck_assert_int_eq(px_posix_new(NULL, &s->os), PX_EOK);
    s->world = *px_posix_world(s->os);
    s->world.monotonic_us = standing_still;
    ck_assert_int_eq(px_kernel_new(&s->world, NULL, &s->kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(s->kernel, &px_contract_toy), PX_EOK);
    ck_assert_int_eq(px_kernel_add(s->kernel, &px_link_service, NULL, NULL, &addr), PX_EOK);
    ck_assert_uint_eq(addr, LINK_ADDR);
    for (px_addr i = ALICE; i <= BOB; i++) {
        const char *name = i == ALICE ? "alice" : "bob";
        bool here = (int)(i - ALICE) == n;
        ck_assert_int_eq(here ? px_kernel_add(s->kernel, &actor_service, name, NULL, &addr)
                              : px_kernel_add_remote(s->kernel, name, &addr),
                         PX_EOK);
    }
    ck_assert_int_eq(px_kernel_allow(s->kernel, ALICE, PX_C_TOY, BOB), PX_EOK);
    ck_assert_int_eq(px_kernel_allow(s->kernel, BOB, PX_C_TOY, ALICE), PX_EOK);
    ck_assert_int_eq(px_kernel_start(s->kernel), PX_EOK);
    s->actor = px_kernel_state(s->kernel, (px_addr)(ALICE + n));
}

static void lane_make(int n, int fd)
{
    struct side *s = &sides[n];
    const struct px_lane_config config = {
        .control = control, .busy = busy, .ended = ended, .ctx = s};
    ck_assert_int_eq(px_lane_new(px_kernel_env(s->kernel, LINK_ADDR), fd, &config, &s->lane),
                     PX_EOK);
}

static void lane_place(int n)
{
    px_addr far = n == 0 ? BOB : ALICE;
    ck_assert_int_eq(px_lane_place(sides[n].lane, &far, 1), PX_EOK);
}

static void begin(int pair[2])
{
    memset(sides, 0, sizeof sides);
    now_us = 1000000;
    raw_fd = -1;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void rings_make(struct px_rings rings[2])
{
    int fds[PX_RING_FDS], again[PX_RING_FDS];
    ck_assert_int_eq(px_rings_make(fds), PX_EOK);
    for (int i = 0; i < PX_RING_FDS; i++) {
        again[i] = dup(fds[i]);
    }
    ck_assert_int_eq(px_rings_attach(fds, true, &rings[0]), PX_EOK);
    ck_assert_int_eq(px_rings_attach(again, false, &rings[1]), PX_EOK);
    close(fds[0]);
    close(again[0]);
}

static void pairs_make(void)
{
    ck_assert_int_eq(px_pair_listen(getuid(), &pairs[0]), PX_EOK);
    px_pair_expect(pairs[0], rig_expected_pid != 0 ? rig_expected_pid : getpid());
    ck_assert_int_eq(px_pair_dial(px_pair_path(pairs[0]), &pairs[1]), PX_EOK);
}

void rig_pair(void)
{
    int pair[2];
    struct px_rings rings[2];
    begin(pair);
    for (int i = 0; i < 2; i++) {
        kernel_make(i);
        lane_make(i, pair[i]);
        px_lane_flush(sides[i].lane);
    }
    rig_settle();
    if (rig_carrier == RIG_RINGS) {
        rings_make(rings);
    } else if (rig_carrier == RIG_NNG) {
        pairs_make();
    }
    for (int i = 0; i < 2; i++) {
        if (rig_carrier == RIG_RINGS) {
            ck_assert_int_eq(px_lane_rings(sides[i].lane, &rings[i]), PX_EOK);
        } else if (rig_carrier == RIG_NNG) {
            ck_assert_int_eq(px_lane_pair(sides[i].lane, pairs[i]), PX_EOK);
        }
        lane_place(i);
    }
    rig_settle();
}

int rig_raw_rings(struct px_rings *ret_far)
{
    struct px_rings rings[2];
    int fd = rig_raw(false);
    raw_greet(fd);
    px_lane_flush(sides[0].lane);
    rig_settle();
    rings_make(rings);
    ck_assert_int_eq(px_lane_rings(sides[0].lane, &rings[0]), PX_EOK);
    lane_place(0);
    *ret_far = rings[1];
    rig_settle();
    return fd;
}

int rig_raw(bool placed)
{
    int pair[2];
    begin(pair);
    kernel_make(0);
    lane_make(0, pair[0]);
    if (placed) {
        lane_place(0);
    }
    raw_fd = pair[1];
    rig_settle();
    return raw_fd;
}

void rig_end(void)
{
    for (int i = 0; i < 2; i++) {
        if (sides[i].kernel != NULL) {
            px_lane_free(sides[i].lane);
            px_kernel_free(sides[i].kernel);
            px_posix_free(sides[i].os);
        }
    }
    for (int i = 1; i >= 0; i--) {
        px_pair_free(pairs[i]);
        pairs[i] = NULL;
    }
    if (raw_fd >= 0) {
        close(raw_fd);
    }
}

void rig_turn(int side)
{
    px_kernel_turn(sides[side].kernel, 0);
}

void rig_settle(void)
{
    for (int i = 0; i < 12; i++) {
        rig_turn(0);
        if (sides[1].kernel != NULL) {
            rig_turn(1);
        }
    }
}

void rig_advance_us(uint64_t us)
{
    now_us += us;
    rig_settle();
}

struct px_env *rig_env(int side)
{
    return px_kernel_env(sides[side].kernel, (px_addr)(ALICE + side));
}

void rig_note(int from, uint64_t value, size_t len, size_t piece)
{
    struct px_env *env = rig_env(from);
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    m->value = value;
    for (size_t off = 0; off < len; off += piece) {
        size_t n = len - off < piece ? len - off : piece;
        struct px_buf *buf = px_buf_new(env, n);
        memset(px_buf_data(buf), (int)value & 0x7f, n);
        ck_assert(px_msg_attach_take(m, buf, 0, (uint32_t)n));
    }
    px_send(env, from == 0 ? BOB : ALICE, TOY_NOTE, m, 0);
}

px_call_id rig_ask(int from, uint64_t value, uint64_t deadline_us)
{
    struct px_env *env = rig_env(from);
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    m->value = value;
    return px_call(env, from == 0 ? BOB : ALICE, TOY_ASK, m, deadline_us, 1);
}

uint64_t rig_counter(int side, const char *name)
{
    const char *known = "";
    uint64_t value = 0;
    for (uint32_t i = 0; known != NULL; i++) {
        value = px_kernel_counter(sides[side].kernel, LINK_ADDR, i, &known);
        if (known != NULL && strcmp(known, name) == 0) {
            return value;
        }
    }
    ck_abort_msg("no counter %s", name);
}

/* ---- raw ---- */

/* All of it: the side reads meanwhile if the socket is full. */
void raw_say(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            rig_turn(0);
            continue;
        }
        if (n < 0) {
            return; /* the lane has ended, and tests look at that */
        }
        at += n;
        len -= (size_t)n;
    }
}

void raw_greet(int fd)
{
    raw_say(fd, "\0SP\0\0\x11\0\0", 8);
}

void raw_message(int fd, uint64_t len)
{
    uint8_t bytes[13];
    struct px_bytes_out out = px_bytes_out_of(bytes, sizeof bytes);
    px_bytes_put_u8(&out, 1);
    px_bytes_put_u64be(&out, len + 4);
    px_bytes_put_u32be(&out, 1);
    raw_say(fd, bytes, sizeof bytes);
}

size_t raw_frame(uint8_t *ret, uint16_t mailbox, uint16_t sender, uint64_t value, size_t len)
{
    Ktest__Number number = KTEST__NUMBER__INIT;
    number.value = value;
    struct px_frame_header header = {
        .wire = {.mailbox = mailbox,
                 .sender = sender,
                 .method = TOY_NOTE,
                 .kind = PX_KIND_ONEWAY,
                 .has_body = true},
        .body_len = (uint32_t)ktest__number__get_packed_size(&number),
        .payload_len = (uint32_t)len,
    };
    px_frame_header_write(&header, ret);
    ktest__number__pack(&number, ret + PX_FRAME_HEADER_LEN);
    memset(ret + PX_FRAME_HEADER_LEN + header.body_len, 1, len);
    return PX_FRAME_HEADER_LEN + header.body_len + len;
}

void raw_note(int fd, uint16_t mailbox, uint16_t sender, uint64_t value, size_t len)
{
    uint8_t frame[8192];
    ck_assert_uint_le(len, 4096);
    size_t n = raw_frame(frame, mailbox, sender, value, len);
    raw_message(fd, n);
    raw_say(fd, frame, n);
}

ssize_t raw_hear(int fd, void *ret, size_t max)
{
    ssize_t n = recv(fd, ret, max, MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN ? 0 : n <= 0 ? -1 : n;
}
