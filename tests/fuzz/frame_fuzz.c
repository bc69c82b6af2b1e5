/* frame_fuzz.c - bytes as they come over a link: first the frames alone, whole and cut, which must
 * agree; then into a kernel with a network and a service, where nothing may assert, leak or hang.
 *
 * The first byte of the input says where the rest is cut.
 */
#include <stdlib.h>

#include "frame.h"
#include "net_contract.h"
#include "pack.h"
#include "px/test.h"
#include "stream_contract.h"
#include "toy.h"

enum { FRAMES_MAX = 64 };

static const struct px_frame_limits limits = {.body_max = 4096, .payload_max = 65536};

static void require(bool cond)
{
    if (!cond) {
        abort();
    }
}

static void check_header(const uint8_t *bytes)
{
    struct px_frame_header h;
    uint8_t again[PX_FRAME_HEADER_LEN];
    if (px_frame_header_read(bytes, &limits, &h)) {
        px_frame_header_write(&h, again);
        require(memcmp(bytes, again, sizeof again) == 0);
    }
}

static bool append(struct px_env *env, struct px_chain *chain, const uint8_t *data, size_t len)
{
    struct px_buf *buf = len == 0 ? NULL : px_buf_new(env, len);
    if (buf == NULL) {
        return true;
    }
    memcpy(px_buf_data(buf), data, len);
    bool done = px_chain_append(env, chain, buf, 0, (uint32_t)len, 0);
    px_buf_put(buf);
    return done;
}

/* What frames say, folded into one number. */
static uint64_t frame_sum(uint64_t sum, const struct px_frame *f)
{
    const struct px_wire *w = &f->wire;
    sum = sum * 31 + w->id + w->method + w->mailbox + w->sender + w->kind + w->deadline_ms;
    for (size_t i = 0; i < w->body_len; i++) {
        sum = sum * 31 + w->body[i];
    }
    for (struct px_slice *s = px_chain_first(&f->payload); s != NULL; s = px_chain_next(s)) {
        for (uint32_t i = 0; i < s->len; i++) {
            sum = sum * 31 + s->ptr[i];
        }
    }
    return sum;
}

/* Takes all frames of `data` in pieces of at most `piece` bytes. With a link, they go in there. */
static uint64_t take_all(struct px_env *env, struct px_link *link, const uint8_t *data, size_t len,
                         size_t piece)
{
    struct px_chain in = {.len = 0};
    struct px_frame frame;
    uint64_t sum = 0;
    enum px_frame_step step = PX_FRAME_MORE;
    for (size_t at = 0; at < len && step == PX_FRAME_MORE; at += piece) {
        require(append(env, &in, data + at, piece < len - at ? piece : len - at));
        while ((step = px_frame_take(env, &in, &limits, &frame)) == PX_FRAME_DONE) {
            sum = frame_sum(sum, &frame);
            if (link != NULL) {
                (void)!px_link_in(link, &frame.wire, &frame.payload);
            }
            px_frame_done(&frame);
        }
    }
    px_chain_clear(&in);
    return sum * 31 + (step == PX_FRAME_BAD);
}

/* The same where they lie, in one piece. */
static uint64_t take_flat(struct px_env *env, const uint8_t *data, size_t len)
{
    struct px_buf *buf = len == 0 ? NULL : px_buf_new(env, len);
    enum px_frame_step step = PX_FRAME_MORE;
    struct px_frame frame;
    uint64_t sum = 0;
    uint32_t at = 0, n = 0;
    if (buf == NULL) {
        return 0;
    }
    memcpy(px_buf_data(buf), data, len);
    while ((step = px_frame_take_flat(env, buf, at, len - at, &limits, &frame, &n)) ==
           PX_FRAME_DONE) {
        sum = frame_sum(sum, &frame);
        px_frame_done(&frame);
        at += n;
    }
    px_buf_put(buf);
    return sum * 31 + (step == PX_FRAME_BAD);
}

static void on_deliver(void *ctx, const struct px_msg *msg, uint32_t deadline_ms)
{
    (void)ctx;
    size_t len = px_frame_len(msg);
    uint8_t *frame = malloc(len);
    require(len > 0 && frame != NULL);
    px_frame_write(msg, deadline_ms, frame);
    check_header(frame);
    free(frame);
}

static void on_flush(void *ctx)
{
    (void)ctx;
}

static struct px_sim_system *system_new(struct px_sim *sim)
{
    struct px_sim_system *system = px_sim_system_new(sim, "fuzz", 2);
    px_sim_add(system, 0, &px_simnet_service, NULL, NULL);
    px_sim_add(system, 0, &toy_service, NULL, NULL);
    px_sim_add_recorder(system, 1, "peer");
    px_sim_stack(system, "toy", "net");
    px_sim_stack(system, "peer", "net");
    px_sim_allow(system, "peer", &px_contract_net, "net");
    px_sim_allow(system, "peer", &px_contract_stream_upper, "toy");
    px_sim_start(system);
    return system;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct px_link_ops ops = {
        .deliver = on_deliver, .flush = on_flush, .unpack = px_unpack};
    if (len < 1) {
        return 0;
    }
    for (size_t at = 1; at + PX_FRAME_HEADER_LEN <= len && at < 8 * PX_FRAME_HEADER_LEN;
         at += PX_FRAME_HEADER_LEN) {
        check_header(data + at);
    }
    struct px_sim *sim = px_sim_new(&(struct px_sim_config){.seed = data[0]});
    struct px_sim_system *system = system_new(sim);
    struct px_link *link;
    px_sim_kill_domain(system, 1); /* the input speaks in its place */
    px_sim_settle(sim);
    struct px_kernel *kernel = px_sim_kernel(system, 0);
    require(px_link_add(kernel, &ops, NULL, &link) == PX_EOK);
    require(px_link_place(link, px_sim_addr(system, "peer")) == PX_EOK);
    struct px_env *env = px_link_env(link);
    uint64_t whole = take_all(env, NULL, data + 1, len - 1, len);
    require(take_all(env, NULL, data + 1, len - 1, 1 + data[0] % 64) == whole);
    require(take_flat(env, data + 1, len - 1) == whole);
    (void)take_all(env, link, data + 1, len - 1, 1 + data[0]);
    px_sim_settle(sim);
    px_link_gone(link);
    px_sim_advance_us(sim, 120000000);
    sim_expect_ledgers_zero(system, 64); /* listeners may stay */
    px_sim_free(sim);
    return 0;
}
