/* lane_fuzz.c - the whole receiving side of a link: bytes from a socket, through the lane, into a
 * kernel with a mailbox that may be spoken to, while memory runs out, time passes and messages go
 * the other way. Nothing may assert, leak or hang.
 *
 * The input is a little program: the first byte says how the lane begins, then each step is one
 * byte and what it needs.
 */
#include <px/bytes.h>
#include <px/posix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "ktest.pb-c.h"
#include "ktest_contract.h"
#include "lane.h"
#include "link_contract.h"

enum { LINK = 1, ALICE, BOB, CAROL, STEPS_MAX = 64, OUT_MAX = 1 << 18, MEMORY_MAX = 16 << 20 };
enum { LIVES = 256 }; /* inputs that a kernel lives through: making one takes most of the time */

enum { STEP_RAW, STEP_HEAD, STEP_FRAME, STEP_FILL, STEP_TURN, STEP_FAIL, STEP_SAY, STEP_HEAR };

static struct world {
    struct px_posix *os;
    struct px_world world;
    struct px_kernel *kernel;
    struct px_lane *lane;
    int fd;
    uint64_t now_us;
    uint32_t fail_alloc; /* allocations from now on until one fails; 0: none does */
    uint64_t n_out;
    uint32_t n_lives;
    px_call_id asked; /* the last call of alice's */
    bool ended;
} w;

static void require(bool cond)
{
    if (!cond) {
        abort();
    }
}

/* ---- alice, and the world ---- */

struct alice {
    struct px_env *env;
    uint32_t n_asked;
};

static enum px_err alice_init(void *state, struct px_env *env)
{
    ((struct alice *)state)->env = env;
    return PX_EOK;
}

static void on_note(void *state, const struct px_msg *msg)
{
    (void)state;
    require(msg->body != NULL);
}

static void on_ask(void *state, const struct px_msg *msg)
{
    struct alice *a = state;
    if (++a->n_asked % 4 == 0) {
        return; /* some are never answered */
    }
    Ktest__Number *m = px_msg_new(a->env, &ktest__number__descriptor);
    m->value = ((const Ktest__Number *)msg->body)->value;
    px_reply(a->env, msg, PX_OK, m);
}

static void on_watch(void *state, const struct px_msg *msg)
{
    struct alice *a = state;
    (void)px_item(a->env, msg, px_msg_new(a->env, &ktest__number__descriptor));
}

static void on_reply(void *state, const struct px_msg *msg)
{
    (void)state;
    (void)msg;
}

static const struct px_handler handlers[] = {{TOY_NOTE, on_note},
                                             {TOY_ASK, on_ask},
                                             {TOY_RETRY, on_ask},
                                             {TOY_WATCH, on_watch},
                                             {TOY_SHOW, on_note}};

static const struct px_service alice_service = {.name = "alice",
                                                .state_size = sizeof(struct alice),
                                                .calls_max = 16,
                                                .handlers = handlers,
                                                .n_handlers = 5,
                                                .init = alice_init,
                                                .reply = on_reply};

static uint64_t standing_still(void *ctx)
{
    (void)ctx;
    return w.now_us;
}

static void *alloc_or_not(void *ctx, size_t len)
{
    const struct px_world *os = px_posix_world(w.os);
    (void)ctx;
    bool fails = w.fail_alloc > 0 && --w.fail_alloc == 0;
    return fails ? NULL : os->alloc(os->ctx, len);
}

static void control(void *ctx, uint16_t method, const uint8_t *body, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        w.now_us += body[i] == 0xff ? 1 : 0; /* it is there, all of it */
    }
    if (method == LINK_STOP) { /* what it says may end it */
        px_lane_free(w.lane);
        w.lane = NULL;
    }
}

static void ended(void *ctx, const char *why)
{
    (void)ctx;
    require(!w.ended && why[0] != '\0');
    w.ended = true;
}

static void world_make(void)
{
    const struct px_kernel_config limits = {.calls_max = 128, .queue_max = 64, .trace_records = 64};
    px_addr addr = 0;
    memset(&w, 0, sizeof w);
    w.now_us = 1000000;
    require(px_posix_new(NULL, &w.os) == PX_EOK);
    w.world = *px_posix_world(w.os);
    w.world.monotonic_us = standing_still;
    w.world.alloc = alloc_or_not;
    require(px_kernel_new(&w.world, &limits, &w.kernel) == PX_EOK);
    require(px_kernel_contract(w.kernel, &px_contract_toy) == PX_EOK);
    require(px_kernel_add(w.kernel, &px_link_service, NULL, NULL, &addr) == PX_EOK);
    require(px_kernel_add(w.kernel, &alice_service, NULL, NULL, &addr) == PX_EOK);
    require(px_kernel_add_remote(w.kernel, "bob", &addr) == PX_EOK);
    require(px_kernel_add_remote(w.kernel, "carol", &addr) == PX_EOK);
    require(px_kernel_allow(w.kernel, ALICE, PX_C_TOY, BOB) == PX_EOK);
    require(px_kernel_allow(w.kernel, BOB, PX_C_TOY, ALICE) == PX_EOK);
    require(px_kernel_start(w.kernel) == PX_EOK);
}

static void world_begin(bool greeted, bool placed)
{
    static const px_addr far[] = {BOB, CAROL};
    const struct px_lane_config config = {.control = control, .ended = ended, .greeted = greeted};
    int pair[2];
    if (w.n_lives++ % LIVES == 0) {
        px_kernel_free(w.kernel);
        px_posix_free(w.os);
        world_make();
        w.n_lives = 1;
    }
    w.ended = false;
    w.n_out = 0;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    w.fd = pair[1];
    require(px_lane_new(px_kernel_env(w.kernel, LINK), pair[0], &config, &w.lane) == PX_EOK);
    require(!placed || px_lane_place(w.lane, far, 2) == PX_EOK);
}

static void turns(int n)
{
    for (int i = 0; i < n; i++) {
        px_kernel_turn(w.kernel, 0);
    }
}

static void world_end(void)
{
    struct px_ledger ledger;
    px_kernel_ledger(w.kernel, &ledger);
    require(ledger.mem <= MEMORY_MAX);
    w.fail_alloc = 0;
    px_lane_free(w.lane);
    w.lane = NULL;
    turns(3);
    px_kernel_ledger(w.kernel, &ledger);
    require(ledger.pieces == 0 && ledger.bufs == 0 && ledger.holds == 0 && ledger.calls == 0);
    close(w.fd);
}

/* ---- what the far end says ---- */

static void out(const uint8_t *bytes, size_t len)
{
    for (int tries = 0; len > 0 && tries < 64 && w.n_out < OUT_MAX;) {
        ssize_t n = send(w.fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            tries++;
            turns(1);
            continue;
        }
        bytes += n;
        len -= (size_t)n;
        w.n_out += (uint64_t)n;
    }
}

static void out_head(uint64_t len)
{
    uint8_t head[13];
    struct px_bytes_out to = px_bytes_out_of(head, sizeof head);
    px_bytes_put_u8(&to, 1);
    px_bytes_put_u64be(&to, len);
    px_bytes_put_u32be(&to, 1);
    out(head, sizeof head);
}

/* The number of a call: one of the far end's, or the one it was asked with. */
static uint64_t call_number(uint8_t kind, uint8_t id)
{
    bool answers = kind == PX_KIND_REPLY || kind == PX_KIND_ITEM;
    return answers && id < 128 ? w.asked : id;
}

/* A frame that is nearly right: kind, mailboxes, method, number, lengths come from the input.
 * `nth`: of several that differ only in their number. */
static void out_frame(struct px_bytes *in, uint8_t nth)
{
    static const uint8_t zeros[4096];
    uint8_t frame[PX_FRAME_HEADER_LEN];
    uint8_t kind = px_bytes_u8(in), who = px_bytes_u8(in), method = px_bytes_u8(in);
    uint8_t id = (uint8_t)(px_bytes_u8(in) + nth), flags = px_bytes_u8(in),
            body_len = px_bytes_u8(in);
    uint32_t payload_len = (uint32_t)px_bytes_u16le(in) * ((flags & 0x40) != 0 ? 8u : 1u);
    struct px_span body = px_bytes_take(in, body_len);
    struct px_bytes_out to = px_bytes_out_of(frame, sizeof frame);
    px_bytes_put_u32le(&to, (uint32_t)sizeof frame + (uint32_t)body.len + payload_len);
    px_bytes_put_u16le(&to, (flags & 0x80) != 0 ? LINK_MAILBOX : who & 7);
    px_bytes_put_u16le(&to, (uint16_t)((flags & 0x80) != 0 ? PX_METHOD(PX_C_LINK, method % 12)
                                                           : PX_METHOD(PX_C_TOY, method % 8)));
    px_bytes_put_u64le(&to, call_number(kind & 0xf, id));
    px_bytes_put_u32le(&to, (kind & 0xfu) | (flags & 0x30u) |
                                ((flags & 0x80) != 0 ? 0xfffu : who >> 4 & 7u) << 16);
    px_bytes_put_u32le(&to, (flags & 8) != 0 ? id : 0);
    px_bytes_put_u32le(&to, (uint32_t)body.len);
    px_bytes_put_u32le(&to, (flags & 4) != 0 ? id : 0);
    if ((flags & 2) == 0) {
        out_head(4 + sizeof frame + body.len + payload_len);
    }
    out(frame, sizeof frame);
    out(body.ptr, body.len);
    for (uint32_t left = payload_len, part; left > 0 && (flags & 1) == 0; left -= part) {
        part = left < sizeof zeros ? left : (uint32_t)sizeof zeros;
        out(zeros, part);
    }
}

static void out_fill(uint32_t len)
{
    static const uint8_t zeros[4096];
    for (uint32_t part; len > 0; len -= part) {
        part = len < sizeof zeros ? len : (uint32_t)sizeof zeros;
        out(zeros, part);
    }
}

/* ---- what this end says ---- */

static void say(uint8_t what)
{
    struct px_env *env = px_kernel_env(w.kernel, ALICE);
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    m->value = what;
    if (what % 4 == 0) {
        px_send(env, BOB, TOY_NOTE, m, what);
    } else {
        uint16_t method = what % 4 == 1 ? TOY_ASK : what % 4 == 2 ? TOY_RETRY : TOY_WATCH;
        w.asked = px_call(env, BOB, method, m, what < 128 ? PX_MS(what) : PX_NEVER, 1);
        if (what % 4 == 3) {
            px_call_more(env, w.asked, 2);
        }
    }
}

static void hear(void)
{
    static uint8_t sink[65536];
    while (recv(w.fd, sink, sizeof sink, 0) > 0) {
    }
}

static void step(struct px_bytes *in)
{
    uint8_t op = px_bytes_u8(in);
    struct px_span raw;
    switch (op % 8) {
    case STEP_RAW:
        raw = px_bytes_take(in, op >> 3 == 31 ? px_bytes_left(in) : (size_t)(op >> 3) + 1);
        out(raw.ptr, raw.len);
        break;
    case STEP_HEAD:
        out_head(px_bytes_u32le(in));
        break;
    case STEP_FRAME:
        for (uint8_t i = 0; i <= op >> 3; i++) {
            struct px_bytes again = *in;
            out_frame(i == op >> 3 ? in : &again, i);
        }
        break;
    case STEP_FILL:
        out_fill((uint32_t)px_bytes_u16le(in) * 8);
        break;
    case STEP_TURN:
        w.now_us += (uint64_t)(op >> 3) * 500;
        turns(1);
        break;
    case STEP_FAIL:
        w.fail_alloc = op >> 3;
        break;
    case STEP_SAY:
        say(px_bytes_u8(in));
        break;
    default:
        hear();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    struct px_bytes in = px_bytes_of(data + 1, len - 1);
    world_begin((data[0] & 1) == 0, (data[0] & 2) == 0);
    for (int i = 0; i < STEPS_MAX && px_bytes_left(&in) > 0 && !w.ended && w.lane != NULL; i++) {
        step(&in);
    }
    turns(2);
    w.now_us += 1000;
    turns(2);
    world_end();
    return 0;
}
