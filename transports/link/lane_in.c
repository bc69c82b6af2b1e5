/* lane_in.c - from the carrier to the kernel: one read a turn into a buffer, and frames taken out
 * of it where they lie.
 *
 * A frame that does not fit into what is left of the buffer goes on in another one, as large as the
 * frame still needs; its pieces are a chain then, and nothing is moved. Once the chain is used up,
 * reading is flat again.
 */
#include "lane_impl.h"

#include <stdlib.h>

#include "link_contract.h"

static const struct px_frame_limits limits = {.body_max = PX_FRAME_BODY_MAX,
                                              .payload_max = PX_FRAME_PAYLOAD_MAX};

void lane_in_drop(struct px_lane *lane)
{
    struct lane_in *in = &lane->in;
    uint64_t received = in->received;
    if (in->has_frame) {
        px_frame_done(&in->frame);
    }
    px_chain_clear(&in->chain);
    px_buf_put(in->buf);
    *in = (struct lane_in){.received = received};
}

void lane_bad(struct px_lane *lane, const char *why)
{
    px_count(lane->lanes->env, LANE_N_BROKEN, 1);
    lane_break(lane, why);
}

/* There is no memory for what has come: nothing more is read, and the same is tried again soon. */
static void in_later(struct px_lane *lane)
{
    posix_events(lane->lanes->os, &lane->source,
                 lane->source.events & (uint8_t) ~(unsigned)POSIX_IN);
    px_sul_schedule(lane->lanes->env, &lane->again_timer, lane_again, LANE_AGAIN_US);
}

/* ---- room ---- */

static bool in_renew(struct px_lane *lane, size_t cap)
{
    struct lane_in *in = &lane->in;
    uint32_t rest = in->end - in->off;
    struct px_buf *buf = px_buf_new(lane->lanes->env, cap);
    if (buf == NULL ||
        (rest > 0 && !px_chain_append(lane->lanes->env, &in->chain, in->buf, in->off, rest, 0))) {
        px_buf_put(buf);
        return false;
    }
    px_buf_put(in->buf);
    in->buf = buf;
    in->off = in->end = 0;
    in->cap = (uint32_t)cap;
    return true;
}

/* How much room the next read needs at least to be worth while, and the size of a buffer for it. */
static bool in_room(struct px_lane *lane)
{
    struct lane_in *in = &lane->in;
    size_t cap = PX_BUF_HUGE;
    if (in->chain.len > 0 && in->end < in->cap) {
        return true; /* the buffer was made for the rest of this frame */
    }
    if (in->buf != NULL && in->off == in->end && in->chain.len == 0 && in->cap == PX_BUF_HUGE &&
        px_buf_unique(in->buf)) {
        in->off = in->end = 0;
    }
    if (in->cap == PX_BUF_HUGE && in->cap - in->end >= LANE_READ_MIN) {
        return true;
    }
    if (in->missing > cap) {
        cap = in->missing; /* at most the limits of one frame */
    }
    return in_renew(lane, cap < (16u << 20) ? cap : 16u << 20);
}

/* ---- frames ---- */

/* Gives a frame to whom it is for. False: not now, or never more. */
static bool frame_give(struct px_lane *lane, struct px_frame *frame)
{
    struct lane_in *in = &lane->in;
    const struct px_wire *wire = &frame->wire;
    if (wire->method >> 8 == PX_C_LINK) {
        lane->config.control(lane->config.ctx, wire->method, wire->body, wire->body_len);
        px_frame_done(frame);
        return !lane->ended;
    }
    if (lane->link == NULL) {
        px_frame_done(frame);
        lane_bad(lane, "a message came before the link was ready");
        return false;
    }
    enum px_err err = px_link_in(lane->link, wire, &frame->payload);
    if (err == PX_ENOMEM) {
        if (frame != &in->frame) {
            in->frame = *frame;
            in->has_frame = true;
        }
        in_later(lane);
        return false;
    }
    px_count(lane->lanes->env, err == PX_EOK ? LANE_N_FRAMES_IN : LANE_N_REFUSED, 1);
    px_frame_done(frame);
    return !lane->ended;
}

/* Up to `len` of the next bytes, without taking them. */
static size_t in_peek(const struct lane_in *in, uint8_t *ret, size_t len)
{
    size_t n = px_chain_peek(&in->chain, ret, len);
    size_t flat = in->end - in->off < len - n ? in->end - in->off : len - n;
    if (flat > 0) {
        memcpy(ret + n, px_buf_data(in->buf) + in->off, flat);
    }
    return n + flat;
}

static void in_skip(struct lane_in *in, uint32_t len)
{
    uint32_t chained = in->chain.len < len ? (uint32_t)in->chain.len : len;
    px_chain_consume(&in->chain, chained);
    in->off += len - chained;
}

/* The greeting, once, and the head of each link message. False: there is not enough yet, or it is
 * bad. */
static bool message_begin(struct px_lane *lane)
{
    uint8_t bytes[LANE_MESSAGE_HEAD];
    struct lane_in *in = &lane->in;
    if (!in->greeted) {
        if (in_peek(in, bytes, LANE_GREETING_LEN) < LANE_GREETING_LEN) {
            return false;
        }
        if (memcmp(bytes, lane_greeting, LANE_GREETING_LEN) != 0) {
            lane_bad(lane, "the far end does not speak this protocol");
            return false;
        }
        in_skip(in, LANE_GREETING_LEN);
        in->greeted = true;
    }
    if (in_peek(in, bytes, sizeof bytes) < sizeof bytes) {
        return false;
    }
    struct px_bytes head = px_bytes_of(bytes, sizeof bytes);
    uint8_t kind = px_bytes_u8(&head);
    uint64_t len = px_bytes_u64be(&head);
    if (kind != 1 || len < LANE_HOPS_LEN || len > PX_LANE_MESSAGE_MAX) {
        lane_bad(lane, "a link message begins wrongly");
        return false;
    }
    in->message_left = len - LANE_HOPS_LEN;
    in_skip(in, sizeof bytes);
    return true;
}

/* How much is missing of a frame that is not whole; 0: not known, or it cannot be right. */
static void note_missing(struct lane_in *in)
{
    uint8_t bytes[4];
    uint64_t have = in->chain.len + in->end - in->off;
    in->missing = 0;
    if (in->message_left > 0 && in_peek(in, bytes, sizeof bytes) == sizeof bytes) {
        struct px_bytes head = px_bytes_of(bytes, sizeof bytes);
        uint32_t frame_len = px_bytes_u32le(&head);
        bool possible = frame_len > have && frame_len <= PX_FRAME_LEN_MAX;
        in->missing = possible ? frame_len - have : 0;
    }
}

/* Is there a header, and is it wrong? It is judged before what is behind it is kept. */
static bool header_is_bad(const struct lane_in *in)
{
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header header;
    return in_peek(in, bytes, sizeof bytes) == sizeof bytes &&
           !px_frame_header_read(bytes, &limits, &header);
}

/* Takes the next frame from the chain. What was read last becomes a part of it once the frame is
 * whole, so that each buffer is one piece. */
static enum px_frame_step chained_take(struct px_lane *lane, struct px_frame *ret,
                                       uint32_t *ret_len)
{
    struct lane_in *in = &lane->in;
    struct px_env *env = lane->lanes->env;
    if (header_is_bad(in)) {
        return PX_FRAME_BAD;
    }
    note_missing(in);
    if (in->missing > 0) {
        return PX_FRAME_MORE;
    }
    if (in->end > in->off) {
        if (!px_chain_append(env, &in->chain, in->buf, in->off, in->end - in->off, 0)) {
            return PX_FRAME_NO_MEMORY;
        }
        in->off = in->end;
    }
    uint64_t before = in->chain.len;
    enum px_frame_step step = px_frame_take(env, &in->chain, &limits, ret);
    *ret_len = step == PX_FRAME_DONE ? (uint32_t)(before - in->chain.len) : 0;
    return step;
}

/* If all that is left of the chain is the end of what was read last, reading is flat again. */
static void chain_flatten(struct lane_in *in)
{
    const struct px_slice *only = px_chain_first(&in->chain);
    if (only != NULL && only->buf == in->buf && in->off == in->end && only->len == in->chain.len) {
        in->off = in->end - only->len;
        px_chain_clear(&in->chain);
    }
}

/* Takes one frame in. False: there is none, none now, or none ever more. */
static bool in_step(struct px_lane *lane)
{
    struct lane_in *in = &lane->in;
    struct px_frame frame;
    uint32_t len = 0;
    if (in->message_left == 0) {
        return message_begin(lane);
    }
    bool flat = in->chain.len == 0;
    enum px_frame_step step = flat ? px_frame_take_flat(lane->lanes->env, in->buf, in->off,
                                                        in->end - in->off, &limits, &frame, &len)
                                   : chained_take(lane, &frame, &len);
    switch (step) {
    case PX_FRAME_DONE:
        break;
    case PX_FRAME_MORE:
        return false;
    case PX_FRAME_NO_MEMORY:
        in_later(lane);
        return false;
    case PX_FRAME_BAD:
        lane_bad(lane, "a frame is malformed");
        return false;
    }
    if (flat) {
        in->off += len;
    } else {
        chain_flatten(in);
    }
    if (len > in->message_left) {
        px_frame_done(&frame);
        lane_bad(lane, "a frame is longer than its link message");
        return false;
    }
    in->message_left -= len;
    return frame_give(lane, &frame);
}

static bool kept_give(struct px_lane *lane)
{
    struct lane_in *in = &lane->in;
    if (in->has_frame && frame_give(lane, &in->frame)) {
        in->has_frame = false;
    }
    return !in->has_frame;
}

/* The lane may be gone afterwards. */
static void in_take(struct px_lane *lane)
{
    bool was_reading = lane->reading;
    lane->reading = true;
    if (kept_give(lane)) {
        while (in_step(lane)) {
        }
    }
    lane->reading = was_reading;
    if (lane->freed) {
        lane_forget(lane);
    } else if (!lane->ended) {
        note_missing(&lane->in);
    }
}

void lane_again(struct px_sul *sul)
{
    struct px_lane *lane = px_container_of(sul, struct px_lane, again_timer);
    posix_events(lane->lanes->os, &lane->source, lane->source.events | POSIX_IN);
    in_take(lane);
}

/* ---- the carrier ---- */

void lane_read(struct px_lane *lane)
{
    struct lane_in *in = &lane->in;
    if (px_sul_pending(&lane->again_timer)) {
        return; /* when there is memory again */
    }
    if (!in_room(lane)) {
        in_later(lane);
        return;
    }
    ssize_t n = lane->carrier->receive(lane, px_buf_data(in->buf) + in->end, in->cap - in->end);
    if (n > 0) {
        in->end += (uint32_t)n;
        in->received += (uint64_t)n;
        px_count(lane->lanes->env, LANE_N_READS, 1);
        posix_took(lane->lanes->os, (uint32_t)n);
        in_take(lane);
    } else if (n < 0) {
        lane_break(lane, PX_LANE_CLOSED);
    }
}
