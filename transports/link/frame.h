/* frame.h - the wire form of a message between two kernels: a frame of 32 bytes of header, the
 * packed body and the raw payload (docs/wire.md has the table). A link message is one frame or
 * several, one behind the other.
 *
 * Writing allocates nothing. Reading takes frames from a chain of received bytes, cut anywhere, and
 * references them; only a body that lies across two slices is copied. What comes in is checked
 * against hard limits before anything is kept: a bad header is the end of the link.
 */
#ifndef PX_LINK_FRAME_H
#define PX_LINK_FRAME_H

#include <px/bytes.h>
#include <px/link.h>

enum {
    PX_FRAME_HEADER_LEN = 32,
    PX_FRAME_BODY_MAX = 1 << 20,     /* bytes of a packed body */
    PX_FRAME_PAYLOAD_MAX = 16 << 20, /* bytes of a payload */
    PX_FRAME_LEN_MAX = PX_FRAME_HEADER_LEN + PX_FRAME_BODY_MAX + PX_FRAME_PAYLOAD_MAX,
};

/* Limits of one reader; each at most the constant above. */
struct px_frame_limits {
    uint32_t body_max;
    uint32_t payload_max;
};

/* What a header says. `wire.body` is not set by px_frame_header_read. */
struct px_frame_header {
    struct px_wire wire;
    uint32_t body_len;
    uint32_t payload_len;
    bool flat; /* between px_frame_plan and px_frame_plan_write: how to pack the body */
};

/* Reads the 32 bytes at `bytes`. False: malformed, or beyond a limit; nothing is written. */
bool px_frame_header_read(const uint8_t *bytes, const struct px_frame_limits *limits,
                          struct px_frame_header *ret);
/* Writes the 32 bytes of a header. Its fields must be what px_frame_header_read would take. */
void px_frame_header_write(const struct px_frame_header *header, uint8_t *ret);

/* Bytes of the whole frame of `msg`; 0: it cannot cross (body or payload too large, or a file
 * range). */
size_t px_frame_len(const struct px_msg *msg);
/* Bytes of its header and body. */
size_t px_frame_head_len(const struct px_msg *msg);
/* Writes header and body, px_frame_head_len bytes; the slices of the payload follow them on the
 * wire. `deadline_ms` is what px_link_ops.deliver said. Only for messages whose px_frame_len is not
 * 0. */
void px_frame_head_write(const struct px_msg *msg, uint32_t deadline_ms, uint8_t *ret);
/* Writes the whole frame, px_frame_len bytes. */
void px_frame_write(const struct px_msg *msg, uint32_t deadline_ms, uint8_t *ret);

/* The same in two steps, which measure the body once. The header of `msg`; false: it cannot cross.
 */
bool px_frame_plan(const struct px_msg *msg, uint32_t deadline_ms, struct px_frame_header *ret);
/* Writes header and body, PX_FRAME_HEADER_LEN + header->body_len bytes. */
void px_frame_plan_write(const struct px_frame_header *header, const struct px_msg *msg,
                         uint8_t *ret);

/* Both steps in one, for the messages that nearly all are: header and body into `room` bytes.
 * False: it may need more room, or cannot cross, or has a body of another kind; nothing is there.
 */
bool px_frame_put_short(const struct px_msg *msg, uint32_t deadline_ms, uint8_t *ret, size_t room,
                        struct px_frame_header *ret_header);

enum px_frame_step {
    PX_FRAME_DONE,      /* a frame was taken */
    PX_FRAME_MORE,      /* nothing was taken: the chain ends too early */
    PX_FRAME_BAD,       /* nothing was taken: no continuation can make it right */
    PX_FRAME_NO_MEMORY, /* nothing was taken: try again later */
};

/* A frame as px_link_in takes it. */
struct px_frame {
    struct px_wire wire;
    struct px_chain payload;
    struct px_buf *body_buf; /* a body that had to be copied; NULL: it lies in `body_keep` */
    struct px_chain body_keep;
};

/* Takes the next frame from the front of `in`, a chain charged to `env`. On DONE the caller ends it
 * with px_frame_done; payload that was moved elsewhere before is not touched. */
enum px_frame_step px_frame_take(struct px_env *env, struct px_chain *in,
                                 const struct px_frame_limits *limits, struct px_frame *ret);
/* The same from `len` bytes at `off` of a buffer that is charged to `env`: nothing is copied. On
 * DONE `*ret_len` is the length of the frame; `buf` must stay until px_frame_done. */
enum px_frame_step px_frame_take_flat(struct px_env *env, struct px_buf *buf, uint32_t off,
                                      size_t len, const struct px_frame_limits *limits,
                                      struct px_frame *ret, uint32_t *ret_len);
/* Lets go of what a taken frame refers to. */
void px_frame_done(struct px_frame *frame);

#endif
