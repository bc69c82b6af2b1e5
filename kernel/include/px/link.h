/* link.h - for transports that carry messages between kernels.
 *
 * A link is one connection to another kernel. Mailboxes are placed behind it; what is sent to them
 * comes out of `deliver`, and what arrives goes in through px_link_in. The frame bytes are the
 * transport's business. Nothing that comes in through a link can assert: bad input is refused.
 */
#ifndef PX_LINK_H
#define PX_LINK_H

#include <px/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A message as it crosses: what the frame header says, the packed body, the payload. */
struct px_wire {
    px_addr mailbox;       /* the receiver; of gone and back: the mailbox they are about */
    px_addr sender;        /* the sender; a reply comes from the callee */
    uint16_t method;       /* 0 of gone and back */
    uint64_t id;           /* oneway: the receiver's handle; else the asker's call id */
    uint8_t kind;          /* enum px_kind; LOST crosses like a oneway without body */
    enum px_status status; /* of a reply or ended */
    uint32_t deadline_ms;  /* call: what is left, 0: none; more: number of items */
    const uint8_t *body;   /* packed protobuf; borrowed */
    size_t body_len;       /* bytes of it */
    bool has_body;         /* a reply may have none */
};

struct px_link; /* the kernel's record */

struct px_link_ops {
    /* A message for behind the link. Borrowed until return (px_msg_hold keeps it). */
    void (*deliver)(void *ctx, const struct px_msg *msg, uint32_t deadline_ms);
    /* The flush phase has reached the links: send what was delivered. */
    void (*flush)(void *ctx);
    /* Makes a body of packed bytes: protobuf_c_message_unpack, or what does the same. */
    ProtobufCMessage *(*unpack)(const ProtobufCMessageDescriptor *type,
                                ProtobufCAllocator *allocator, size_t len, const uint8_t *data);
};

/* A new link, with a number no other has now. ENOMEM, ELIMIT. */
PX_MUST_USE enum px_err px_link_add(struct px_kernel *kernel, const struct px_link_ops *ops,
                                    void *ctx, struct px_link **ret_link);
/* Places a remote mailbox behind a link. ENOENT: no such remote mailbox; EEXIST: it is elsewhere.
 */
PX_MUST_USE enum px_err px_link_place(struct px_link *link, px_addr addr);
/* The other side has ended: its calls end, everyone gets one Gone for each mailbox placed there. */
void px_link_gone(struct px_link *take_link);

/* Takes a message in; `payload` is moved. EDENIED: sender not behind this link, or no capability;
 * EINVAL: malformed, or not for anyone; either way the message is gone, and calls are answered by
 * themselves. ENOMEM: nothing was taken, `payload` is where it was: try the same again later. The
 * link stays usable after any of them: the transport decides. */
PX_MUST_USE enum px_err px_link_in(struct px_link *link, const struct px_wire *wire,
                                   struct px_chain *payload);

/* What to write into a frame for `msg`. The body is not packed yet: px_link_pack does that. */
void px_link_describe(const struct px_msg *msg, struct px_wire *ret);
/* Bytes of the packed body. */
size_t px_link_packed_len(const struct px_msg *msg);
/* Packs the body; `ret` has px_link_packed_len bytes. */
void px_link_pack(const struct px_msg *msg, uint8_t *ret);

/* The environment payload chains of a link are charged to. */
struct px_env *px_link_env(struct px_link *link);
/* The peer that mailbox `addr` is behind this link. */
px_peer px_link_peer(const struct px_link *link, px_addr addr);

#ifdef __cplusplus
}
#endif

#endif
