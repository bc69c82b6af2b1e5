/* frame.c - headers are written and read through the cursors of px/bytes.h; everything is
 * little-endian.
 *
 * The flags word: bits 0..2 the kind, bit 3 "a body follows", bit 4 "of a stream call" (items and
 * item credit), bits 16..27 the sender's mailbox. All other bits are zero.
 */
#include "frame.h"

#include <px/assert.h>

#include "pack.h"

enum {
    FLAG_KIND = 0xf,
    FLAG_BODY = 0x10,
    FLAG_STREAM = 0x20,
    FLAG_SENDER_SHIFT = 16,
    MAILBOX_MAX = 0xfff,
    STATUS_MAX = 255,
};
#define FLAGS_KNOWN                                                                                \
    (FLAG_KIND | FLAG_BODY | FLAG_STREAM | (uint32_t)MAILBOX_MAX << FLAG_SENDER_SHIFT)

/* What a kind of message may carry. */
struct kind_rule {
    bool known;
    bool stream;    /* carries FLAG_STREAM */
    bool body;      /* may have a body */
    bool body_must; /* always has one */
    bool status;    /* may have a status other than OK */
    bool deadline;  /* may have a deadline, or a number of items */
};

static const struct kind_rule kind_rules[FLAG_KIND + 1] = {
    [PX_KIND_ONEWAY] = {.known = true, .body = true, .body_must = true},
    [PX_KIND_CALL] = {.known = true, .body = true, .body_must = true, .deadline = true},
    [PX_KIND_REPLY] = {.known = true, .body = true, .status = true},
    [PX_KIND_ITEM] = {.known = true, .stream = true, .body = true, .body_must = true},
    [PX_KIND_ENDED] = {.known = true, .status = true},
    [PX_KIND_MORE] = {.known = true, .stream = true, .deadline = true},
    [PX_KIND_LOST] = {.known = true},
    [PX_KIND_GONE] = {.known = true},
    [PX_KIND_BACK] = {.known = true},
};

static uint32_t flags_of(const struct px_wire *wire)
{
    PX_ASSERT(wire->kind <= FLAG_KIND && kind_rules[wire->kind].known);
    uint32_t flags = wire->kind | (uint32_t)wire->sender << FLAG_SENDER_SHIFT;
    flags |= wire->has_body ? FLAG_BODY : 0u;
    return flags | (kind_rules[wire->kind].stream ? FLAG_STREAM : 0u);
}

void px_frame_header_write(const struct px_frame_header *header, uint8_t *ret)
{
    const struct px_wire *wire = &header->wire;
    PX_ASSERT(ret != NULL);
    struct px_bytes_out out = px_bytes_out_of(ret, PX_FRAME_HEADER_LEN);
    px_bytes_put_u32le(&out, PX_FRAME_HEADER_LEN + header->body_len + header->payload_len);
    px_bytes_put_u16le(&out, wire->mailbox);
    px_bytes_put_u16le(&out, wire->method);
    px_bytes_put_u64le(&out, wire->id);
    px_bytes_put_u32le(&out, flags_of(wire));
    px_bytes_put_u32le(&out, (uint32_t)wire->status);
    px_bytes_put_u32le(&out, header->body_len);
    px_bytes_put_u32le(&out, wire->deadline_ms);
    PX_ASSERT(!out.overflow && px_bytes_out_room(&out) == 0);
}

static bool wire_is_valid(const struct px_frame_header *h, uint32_t flags, uint32_t status)
{
    const struct px_wire *wire = &h->wire;
    const struct kind_rule *rule = &kind_rules[wire->kind];
    bool stream = (flags & FLAG_STREAM) != 0;
    if ((flags & ~FLAGS_KNOWN) != 0 || !rule->known || rule->stream != stream) {
        return false;
    }
    if (wire->has_body ? !rule->body : rule->body_must || h->body_len + h->payload_len > 0) {
        return false;
    }
    return wire->mailbox >= 1 && wire->mailbox <= MAILBOX_MAX && wire->sender >= 1 &&
           status <= (rule->status ? (uint32_t)STATUS_MAX : 0u) &&
           (rule->deadline || wire->deadline_ms == 0);
}

static uint32_t u32_at(struct px_span span, size_t at)
{
    const uint8_t *p = span.ptr + at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool px_frame_header_read(const uint8_t *bytes, const struct px_frame_limits *limits,
                          struct px_frame_header *ret)
{
    struct px_span in = px_span_of(bytes, PX_FRAME_HEADER_LEN); /* all offsets below lie in it */
    uint32_t frame_len = u32_at(in, 0), to = u32_at(in, 4), flags = u32_at(in, 16);
    uint32_t status = u32_at(in, 20), body_len = u32_at(in, 24);
    if (frame_len < PX_FRAME_HEADER_LEN || body_len > frame_len - PX_FRAME_HEADER_LEN) {
        return false;
    }
    struct px_frame_header h = {
        .wire = {.mailbox = (px_addr)(to & 0xffffu),
                 .sender = (px_addr)(flags >> FLAG_SENDER_SHIFT & MAILBOX_MAX),
                 .method = (uint16_t)(to >> 16),
                 .id = u32_at(in, 8) | (uint64_t)u32_at(in, 12) << 32,
                 .kind = (uint8_t)(flags & FLAG_KIND),
                 .status = (enum px_status)(status & STATUS_MAX),
                 .deadline_ms = u32_at(in, 28),
                 .body_len = body_len,
                 .has_body = (flags & FLAG_BODY) != 0},
        .body_len = body_len,
        .payload_len = frame_len - PX_FRAME_HEADER_LEN - body_len,
    };
    if (body_len > limits->body_max || h.payload_len > limits->payload_max ||
        !wire_is_valid(&h, flags, status)) {
        return false;
    }
    *ret = h;
    return true;
}

/* ---- writing ---- */

static bool has_file_range(const struct px_msg *msg)
{
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        if ((slices[i].flags & PX_SLICE_FILE) != 0) {
            return true;
        }
    }
    return false;
}

static size_t body_len_of(const struct px_msg *msg, bool *ret_flat)
{
    *ret_flat = false;
    return msg->body == NULL ? 0 : px_pack_len(msg->body, ret_flat);
}

static uint64_t payload_len_of(const struct px_msg *msg)
{
    return msg->body == NULL ? 0 : px_msg_payload_len(msg);
}

static void header_fill(const struct px_msg *msg, uint32_t deadline_ms, size_t body_len,
                        uint64_t payload_len, struct px_frame_header *ret)
{
    ret->body_len = (uint32_t)body_len;
    ret->payload_len = (uint32_t)payload_len;
    px_link_describe(msg, &ret->wire);
    if (ret->wire.kind == PX_KIND_CALL) {
        ret->wire.deadline_ms = deadline_ms;
    }
}

bool px_frame_plan(const struct px_msg *msg, uint32_t deadline_ms, struct px_frame_header *ret)
{
    size_t body_len = body_len_of(msg, &ret->flat);
    uint64_t payload_len = payload_len_of(msg);
    if (body_len > PX_FRAME_BODY_MAX || payload_len > PX_FRAME_PAYLOAD_MAX ||
        (payload_len > 0 && has_file_range(msg))) {
        return false;
    }
    header_fill(msg, deadline_ms, body_len, payload_len, ret);
    return true;
}

bool px_frame_put_short(const struct px_msg *msg, uint32_t deadline_ms, uint8_t *ret, size_t room,
                        struct px_frame_header *ret_header)
{
    uint64_t payload_len = payload_len_of(msg);
    size_t body_len = 0;
    if (room < PX_FRAME_HEADER_LEN || payload_len > PX_FRAME_PAYLOAD_MAX ||
        (payload_len > 0 && has_file_range(msg))) {
        return false;
    }
    if (msg->body != NULL) {
        body_len = px_pack_short(msg->body, ret + PX_FRAME_HEADER_LEN, room - PX_FRAME_HEADER_LEN);
    }
    if (body_len > PX_FRAME_BODY_MAX) {
        return false;
    }
    header_fill(msg, deadline_ms, body_len, payload_len, ret_header);
    px_frame_header_write(ret_header, ret);
    return true;
}

size_t px_frame_head_len(const struct px_msg *msg)
{
    bool flat;
    return PX_FRAME_HEADER_LEN + body_len_of(msg, &flat);
}

size_t px_frame_len(const struct px_msg *msg)
{
    struct px_frame_header header;
    return px_frame_plan(msg, 0, &header)
               ? PX_FRAME_HEADER_LEN + (size_t)header.body_len + header.payload_len
               : 0;
}

void px_frame_plan_write(const struct px_frame_header *header, const struct px_msg *msg,
                         uint8_t *ret)
{
    px_frame_header_write(header, ret);
    if (header->body_len > 0) {
        px_pack(msg->body, header->flat, ret + PX_FRAME_HEADER_LEN);
    }
}

void px_frame_head_write(const struct px_msg *msg, uint32_t deadline_ms, uint8_t *ret)
{
    struct px_frame_header header;
    header_fill(msg, deadline_ms, body_len_of(msg, &header.flat), payload_len_of(msg), &header);
    px_frame_plan_write(&header, msg, ret);
}

void px_frame_write(const struct px_msg *msg, uint32_t deadline_ms, uint8_t *ret)
{
    struct px_bytes_out out = px_bytes_out_of(ret, px_frame_len(msg));
    px_frame_head_write(msg, deadline_ms, px_bytes_out_reserve(&out, px_frame_head_len(msg)));
    const struct px_slice *slices;
    uint32_t n = payload_len_of(msg) == 0 ? 0 : px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        px_bytes_put(&out, slices[i].ptr, slices[i].len);
    }
    PX_ASSERT(!out.overflow && px_bytes_out_room(&out) == 0);
}

/* ---- reading ---- */

/* Appends to `to` references to bytes [off, off + len) of `in`. False: no memory. */
static bool chain_refer(struct px_env *env, const struct px_chain *in, uint64_t off, uint64_t len,
                        struct px_chain *to)
{
    for (struct px_slice *s = px_chain_first(in); s != NULL && len > 0; s = px_chain_next(s)) {
        if (off >= s->len) {
            off -= s->len;
            continue;
        }
        uint32_t part = s->len - (uint32_t)off < len ? s->len - (uint32_t)off : (uint32_t)len;
        uint64_t at = (uint64_t)(s->ptr - px_buf_data(s->buf)) + off;
        if (!px_chain_append(env, to, s->buf, at, part, s->flags)) {
            return false;
        }
        len -= part;
        off = 0;
    }
    return true;
}

static void chain_copy(const struct px_chain *from, uint8_t *ret)
{
    for (struct px_slice *s = px_chain_first(from); s != NULL; s = px_chain_next(s)) {
        memcpy(ret, s->ptr, s->len);
        ret += s->len;
    }
}

/* The body as one piece of memory: where it lies, or a copy. */
static bool body_take(struct px_env *env, struct px_frame *frame)
{
    struct px_slice *first = px_chain_first(&frame->body_keep);
    if (first == NULL || first->len == frame->wire.body_len) {
        frame->wire.body = first == NULL ? NULL : first->ptr;
        return true;
    }
    frame->body_buf = px_buf_new(env, frame->wire.body_len);
    if (frame->body_buf == NULL) {
        return false;
    }
    chain_copy(&frame->body_keep, px_buf_data(frame->body_buf));
    px_chain_clear(&frame->body_keep);
    frame->wire.body = px_buf_data(frame->body_buf);
    return true;
}

/* A message holds at most PX_SLICES_MAX slices; a payload in more pieces is copied into one. */
static bool payload_gather(struct px_env *env, struct px_chain *payload)
{
    uint32_t n = 0;
    for (struct px_slice *s = px_chain_first(payload); s != NULL; s = px_chain_next(s)) {
        n++;
    }
    if (n <= PX_SLICES_MAX) {
        return true;
    }
    struct px_buf *buf = px_buf_new(env, payload->len);
    struct px_chain whole = {.len = 0};
    bool gathered = buf != NULL && px_chain_append(env, &whole, buf, 0, (uint32_t)payload->len, 0);
    if (gathered) {
        chain_copy(payload, px_buf_data(buf));
        px_chain_clear(payload);
        px_chain_join(payload, &whole);
    }
    px_buf_put(buf);
    return gathered;
}

enum px_frame_step px_frame_take(struct px_env *env, struct px_chain *in,
                                 const struct px_frame_limits *limits, struct px_frame *ret)
{
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header header;
    if (px_chain_peek(in, bytes, sizeof bytes) < sizeof bytes) {
        return PX_FRAME_MORE;
    }
    if (!px_frame_header_read(bytes, limits, &header)) {
        return PX_FRAME_BAD;
    }
    uint64_t head_len = PX_FRAME_HEADER_LEN + (uint64_t)header.body_len;
    if (in->len < head_len + header.payload_len) {
        return PX_FRAME_MORE;
    }
    struct px_frame frame = {.wire = header.wire};
    if (!chain_refer(env, in, PX_FRAME_HEADER_LEN, header.body_len, &frame.body_keep) ||
        !chain_refer(env, in, head_len, header.payload_len, &frame.payload) ||
        !payload_gather(env, &frame.payload) || !body_take(env, &frame)) {
        px_frame_done(&frame);
        return PX_FRAME_NO_MEMORY;
    }
    px_chain_consume(in, head_len + header.payload_len);
    *ret = frame;
    return PX_FRAME_DONE;
}

enum px_frame_step px_frame_take_flat(struct px_env *env, struct px_buf *buf, uint32_t off,
                                      size_t len, const struct px_frame_limits *limits,
                                      struct px_frame *ret, uint32_t *ret_len)
{
    struct px_frame_header header;
    uint8_t *bytes = px_buf_data(buf) + off;
    if (len < PX_FRAME_HEADER_LEN) {
        return PX_FRAME_MORE;
    }
    if (!px_frame_header_read(bytes, limits, &header)) {
        return PX_FRAME_BAD;
    }
    uint32_t head_len = PX_FRAME_HEADER_LEN + header.body_len; /* the limits are far from 2^32 */
    if (len < (size_t)head_len + header.payload_len) {
        return PX_FRAME_MORE;
    }
    struct px_frame frame = {.wire = header.wire};
    frame.wire.body = bytes + PX_FRAME_HEADER_LEN;
    if (header.payload_len > 0 &&
        !px_chain_append(env, &frame.payload, buf, (uint64_t)off + head_len, header.payload_len,
                         0)) {
        return PX_FRAME_NO_MEMORY;
    }
    *ret = frame;
    *ret_len = head_len + header.payload_len;
    return PX_FRAME_DONE;
}

void px_frame_done(struct px_frame *frame)
{
    px_chain_clear(&frame->payload);
    px_chain_clear(&frame->body_keep);
    px_buf_put(frame->body_buf);
    frame->body_buf = NULL;
}
