/* lane_out.c - from the kernel to the carrier: frames are put behind each other in a buffer, long
 * payload is referred to where it lies, and one sendmsg (or one copy) takes all of it.
 *
 * A link message is what goes out at once: its header is left open until then.
 */
#include "lane_impl.h"
#include "link_contract.h"
#include "pack.h"

#include <sys/socket.h>

const uint8_t lane_greeting[LANE_GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};

/* ---- the buffer ---- */

/* What is in the buffer becomes part of the chain. False: no memory. */
static bool out_commit(struct px_lane *lane)
{
    struct lane_out *out = &lane->out;
    if (out->off == out->from) {
        return true;
    }
    if (!px_chain_append(lane->lanes->env, &out->chain, out->buf, out->from, out->off - out->from,
                         PX_SLICE_SHARED)) {
        return false;
    }
    out->from = out->off;
    return true;
}

static bool out_renew(struct px_lane *lane, size_t len)
{
    struct lane_out *out = &lane->out;
    if (!out_commit(lane)) {
        return false;
    }
    struct px_buf *buf = px_buf_new(lane->lanes->env, len > PX_BUF_HUGE ? len : PX_BUF_HUGE);
    if (buf == NULL) {
        return false;
    }
    px_buf_put(out->buf);
    out->buf = buf;
    out->from = out->off = 0;
    out->cap = (uint32_t)px_buf_cap(buf);
    return true;
}

/* Place for `len` bytes in one piece. NULL: no memory, and the lane is broken: what is lost here
 * could not be told to anybody. */
static uint8_t *out_room(struct px_lane *lane, size_t len)
{
    struct lane_out *out = &lane->out;
    if (out->cap - out->off < len && !out_renew(lane, len)) {
        lane_break(lane, "memory ran out");
        return NULL;
    }
    uint8_t *at = px_buf_data(out->buf) + out->off;
    out->off += (uint32_t)len;
    return at;
}

void lane_out_drop(struct px_lane *lane)
{
    struct lane_out *out = &lane->out;
    px_chain_clear(&out->chain);
    px_buf_put(out->buf);
    *out = (struct lane_out){.buf = NULL};
}

/* ---- batches ---- */

/* Descriptors go with the first bytes or not at all: the far end says whether it has them. */
static bool greeting_send(int fd, const int *offer)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(PX_RING_FDS * sizeof(int))];
    } control = {.bytes = {0}};
    uint8_t bytes[LANE_GREETING_LEN];
    memcpy(bytes, lane_greeting, sizeof bytes);
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(PX_RING_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), offer, PX_RING_FDS * sizeof(int));
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == LANE_GREETING_LEN;
}

void lane_greet(struct px_lane *lane, const int *offer)
{
    if (offer != NULL && greeting_send(lane->source.fd, offer)) {
        return;
    }
    uint8_t *at = out_room(lane, LANE_GREETING_LEN);
    if (at != NULL) {
        memcpy(at, lane_greeting, LANE_GREETING_LEN);
    }
}

static bool batch_open(struct px_lane *lane)
{
    struct lane_out *out = &lane->out;
    if (out->batch_head == NULL) {
        out->batch_head = out_room(lane, LANE_MESSAGE_HEAD);
        out->batch_len = LANE_HOPS_LEN;
    }
    return out->batch_head != NULL;
}

/* Its head lies in a buffer that the chain or the lane still refers to. */
static void batch_close(struct px_lane *lane)
{
    struct lane_out *out = &lane->out;
    if (out->batch_head == NULL) {
        return;
    }
    struct px_bytes_out head = px_bytes_out_of(out->batch_head, LANE_MESSAGE_HEAD);
    px_bytes_put_u8(&head, 1);
    px_bytes_put_u64be(&head, out->batch_len);
    px_bytes_put_u32be(&head, 1); /* hops */
    out->batch_head = NULL;
}

/* ---- frames ---- */

static bool payload_put(struct px_lane *lane, const struct px_msg *msg)
{
    struct lane_out *out = &lane->out;
    const struct px_slice *slices = NULL;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        const struct px_slice *s = &slices[i];
        if (s->len <= PX_LANE_COPY_MAX) {
            uint8_t *at = out_room(lane, s->len);
            if (at == NULL) {
                return false;
            }
            memcpy(at, s->ptr, s->len);
        } else if (!out_commit(lane) || !px_chain_append(lane->lanes->env, &out->chain, s->buf,
                                                         (uint64_t)(s->ptr - px_buf_data(s->buf)),
                                                         s->len, PX_SLICE_SHARED)) {
            lane_break(lane, "memory ran out");
            return false;
        }
    }
    return true;
}

/* Header and body are there; the payload follows. */
static void frame_end(struct px_lane *lane, const struct px_frame_header *header,
                      const struct px_msg *msg)
{
    if (header->payload_len > 0 && !payload_put(lane, msg)) {
        return;
    }
    lane->out.batch_len += PX_FRAME_HEADER_LEN + (uint64_t)header->body_len + header->payload_len;
    lane->out.frames++;
    if (lane->out.batch_len > LANE_BATCH_MAX) {
        batch_close(lane);
    }
    if (px_lane_waiting(lane) > PX_LANE_OUT_MAX) {
        px_count(lane->lanes->env, LANE_N_BEHIND, 1);
        lane_break(lane, "the far end does not read");
    }
}

static void frame_put(struct px_lane *lane, const struct px_frame_header *header,
                      const struct px_msg *msg)
{
    uint8_t *at =
        batch_open(lane) ? out_room(lane, PX_FRAME_HEADER_LEN + (size_t)header->body_len) : NULL;
    if (at != NULL) {
        px_frame_plan_write(header, msg, at);
        frame_end(lane, header, msg);
    }
}

/* The same behind what is in the buffer and in an open link message, without measuring first.
 * False: that is not to be had. */
static bool frame_put_short(struct px_lane *lane, const struct px_msg *msg, uint32_t deadline_ms)
{
    struct lane_out *out = &lane->out;
    struct px_frame_header header;
    if (out->batch_head == NULL ||
        !px_frame_put_short(msg, deadline_ms, px_buf_data(out->buf) + out->off, out->cap - out->off,
                            &header)) {
        return false;
    }
    out->off += PX_FRAME_HEADER_LEN + header.body_len;
    frame_end(lane, &header, msg);
    return true;
}

/* A frame without body. */
static void bare_put(struct px_lane *lane, const struct px_wire *wire)
{
    struct px_frame_header header = {.wire = *wire};
    frame_put(lane, &header, NULL);
}

/* A message that cannot cross (a file range, or beyond the limits) ends what it is about. */
static void unfit_end(struct px_lane *lane, const struct px_msg *msg)
{
    struct px_wire wire;
    struct px_chain none = {.len = 0};
    px_count(lane->lanes->env, LANE_N_UNFIT, 1);
    px_link_describe(msg, &wire);
    wire.has_body = false;
    wire.deadline_ms = 0;
    if (msg->kind == PX_KIND_ONEWAY) {
        wire.kind = PX_KIND_LOST;
        bare_put(lane, &wire);
    } else if (msg->kind == PX_KIND_REPLY || msg->kind == PX_KIND_ITEM) {
        wire.kind = PX_KIND_REPLY;
        wire.status = PX_TOO_LARGE;
        bare_put(lane, &wire);
    } else {
        struct px_wire back = {.mailbox = wire.sender,
                               .sender = wire.mailbox,
                               .method = wire.method,
                               .id = wire.id,
                               .kind = PX_KIND_REPLY,
                               .status = PX_TOO_LARGE};
        if (px_link_in(lane->link, &back, &none) != PX_EOK) {
            lane_break(lane, "memory ran out");
        }
    }
}

static void lane_deliver(void *ctx, const struct px_msg *msg, uint32_t deadline_ms)
{
    struct px_lane *lane = ctx;
    struct px_frame_header header;
    if (lane->ended) {
        return; /* everyone will be told soon */
    }
    if (!lane->is_busy) {
        lane->is_busy = true;
        if (lane->config.busy != NULL) {
            lane->config.busy(lane->config.ctx);
        }
    }
    lane->sent++;
    if (frame_put_short(lane, msg, deadline_ms)) {
        return;
    }
    if (px_frame_plan(msg, deadline_ms, &header)) {
        frame_put(lane, &header, msg);
    } else {
        unfit_end(lane, msg);
    }
}

/* Place for the body of a oneway of link.Link, behind its header. NULL: the lane has ended. */
static uint8_t *control_begin(struct px_lane *lane, uint16_t method, size_t body_len)
{
    struct px_frame_header header = lane_control_header(method, body_len);
    uint8_t *at =
        lane->ended || !batch_open(lane) ? NULL : out_room(lane, PX_FRAME_HEADER_LEN + body_len);
    if (at == NULL) {
        return NULL;
    }
    px_frame_header_write(&header, at);
    lane->out.batch_len += PX_FRAME_HEADER_LEN + body_len;
    posix_later(lane->lanes->os, &lane->later);
    return at + PX_FRAME_HEADER_LEN;
}

void px_lane_control(struct px_lane *lane, uint16_t method, const ProtobufCMessage *body)
{
    uint8_t *at = control_begin(lane, method, protobuf_c_message_get_packed_size(body));
    if (at != NULL) {
        (void)protobuf_c_message_pack(body, at);
    }
}

void px_lane_control_packed(struct px_lane *lane, uint16_t method, const uint8_t *body, size_t len)
{
    uint8_t *at = control_begin(lane, method, len);
    if (at != NULL) {
        memcpy(at, body, len);
    }
}

/* ---- to the carrier ---- */

/* Everything is out: the buffer begins anew when nobody refers to it. */
static void out_rewind(struct lane_out *out)
{
    if (out->buf != NULL && px_buf_unique(out->buf)) {
        out->from = out->off = 0;
    }
}

void lane_write(struct px_lane *lane)
{
    struct lane_out *out = &lane->out;
    px_count(lane->lanes->env, LANE_N_FRAMES_OUT, out->frames);
    out->frames = out->turns = 0;
    if (lane->ended || out->blocked) {
        return; /* what comes meanwhile goes out with it */
    }
    batch_close(lane);
    if (!out_commit(lane)) {
        lane_break(lane, "memory ran out");
        return;
    }
    while (out->chain.len > 0) {
        ssize_t n = lane->carrier->send(lane);
        if (n < 0) {
            lane_break(lane, PX_LANE_CLOSED);
        }
        if (lane->ended) {
            return;
        }
        out->blocked = n == 0;
        if (out->blocked) {
            return;
        }
        px_count(lane->lanes->env, LANE_N_SENDS, 1);
        px_chain_consume(&out->chain, (uint64_t)n);
    }
    out_rewind(out);
    lane->carrier->sent(lane);
}

void px_lane_flush(struct px_lane *lane)
{
    posix_later_cancel(lane->lanes->os, &lane->later);
    lane_write(lane);
}

/* There is room again. */
void lane_go_on(struct px_lane *lane)
{
    lane->out.blocked = false;
    lane_write(lane);
}

void lane_later(struct posix_later *later, bool idle)
{
    struct px_lane *lane = px_container_of(later, struct px_lane, later);
    lane->out.turns++;
    if (idle || lane->out.turns >= lane->carrier->hold_turns) {
        lane_write(lane);
    } else {
        posix_later(lane->lanes->os, later);
    }
}

static void lane_flush(void *ctx)
{
    struct px_lane *lane = ctx;
    if (lane->ended || lane->out.blocked) {
        return;
    }
    if (lane->out.frames >= lane->carrier->hold_frames) {
        posix_later_cancel(lane->lanes->os, &lane->later);
        lane_write(lane);
    } else {
        posix_later(lane->lanes->os, &lane->later);
    }
}

const struct px_link_ops lane_link_ops = {
    .deliver = lane_deliver, .flush = lane_flush, .unpack = px_unpack};
