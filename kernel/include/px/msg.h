/* msg.h - messages: making, sending, calling, answering, keeping.
 *
 * A message is an envelope (struct px_msg) and a refcounted block (body, arena, slices). A service
 * makes a body with px_msg_new, fills it, and gives it away with px_send, px_call, px_reply or
 * px_item. What a handler receives is borrowed until the handler returns; px_msg_hold keeps it.
 * Sending appends to the kernel's queue; nothing is called back from inside a send.
 */
#ifndef PX_MSG_H
#define PX_MSG_H

#include <protobuf-c/protobuf-c.h>
#include <px/buf.h>
#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_env;
struct px_block;

typedef uint16_t px_addr;    /* a mailbox; 0: none */
typedef uint32_t px_peer;    /* a mailbox and the link it is behind, as stamped by this kernel */
typedef uint64_t px_handle;  /* 24-bit index, 40-bit generation; 0: none */
typedef uint64_t px_call_id; /* an outstanding call; 0: none */

/* The peer that is mailbox `addr` of this kernel itself. */
#define PX_PEER_LOCAL(addr) ((px_peer)(addr))
/* The mailbox of a peer. */
#define PX_PEER_ADDR(peer) ((px_addr)((peer)&0xfffu))

/* A method: contract number (high byte, see contract.h) and index in its service descriptor. */
#define PX_METHOD(contract, index) ((uint16_t)((unsigned)(contract) << 8 | (unsigned)(index)))

/* What a message is. */
enum px_kind {
    PX_KIND_ONEWAY, /* a request nobody answers */
    PX_KIND_CALL,   /* a request that gets one final reply; of a stream call, items before it */
    PX_KIND_REPLY,  /* the final reply of a call of ours */
    PX_KIND_ITEM,   /* an item of a stream call of ours */
    PX_KIND_ENDED,  /* kernel to callee; the service sees its `ended` */
    PX_KIND_MORE, /* kernel to callee of a stream call: item credit; the service sees its `more` */
    PX_KIND_LOST, /* kernel to receiver: a oneway about a stream was lost; it sees its `lost` */
    PX_KIND_GONE, /* kernel to everyone; the service sees its `gone` */
    PX_KIND_BACK, /* kernel to everyone; the service sees its `back` */
};

/* The envelope. Readable by a handler; the fields after `kind` are the kernel's. */
struct px_msg {
    const void *body; /* the method's input (request) or output (reply, item) message; NULL: only a
                         status */
    uint64_t tag;    /* request about a stream: the receiver's handle; reply: the tag of our call */
    px_call_id call; /* 0 in a oneway */
    px_peer from;    /* the sender, as stamped by this kernel */
    enum px_status status;  /* of a reply */
    px_addr to;             /* the receiver: us */
    uint16_t method;        /* PX_METHOD */
    uint8_t kind;           /* enum px_kind */
    uint8_t flags;          /* the kernel's */
    uint16_t holds;         /* the kernel's */
    struct px_block *block; /* the kernel's */
    struct px_msg *next;    /* the kernel's */
    struct px_msg **prev;   /* the kernel's */
};

/* ---- making ---- */

/* A body of the given type, initialised, with room for a few hundred bytes of arena. Never NULL:
 * without memory it is the kernel's spare body, and sending that ends the call it belongs to with
 * NO_MEMORY. */
void *px_msg_new(struct px_env *env, const ProtobufCMessageDescriptor *type);
/* The same with room for at least `arena_len` bytes (0..65536) behind it. */
void *px_msg_new_sized(struct px_env *env, const ProtobufCMessageDescriptor *type,
                       size_t arena_len);
/* `len` bytes (0..65536), 8-aligned, that live as long as the message. Never NULL (see px_msg_new).
 */
void *px_msg_alloc(void *body, size_t len);
/* Gives back the end of the last px_msg_alloc: `used` bytes of it stay. */
void px_msg_trim(void *body, const void *last, size_t used);
/* Copies `len` bytes into the message's arena and points `ret` at them. */
void px_msg_put(void *body, ProtobufCBinaryData *ret, const void *data, size_t len);
/* Throws a body away that was made and never sent. */
void px_msg_drop(void *take_body);

/* Attaches bytes [off, off + len) of a buffer as the next slice; takes a further reference of its
 * own. False: PX_SLICES_MAX are attached already. A message without memory says true. */
bool px_msg_attach(void *body, struct px_buf *buf, uint64_t off, uint32_t len);
/* The same, but moves the caller's reference: an exclusive slice. On false the caller still owns
 * it. */
bool px_msg_attach_take(void *body, struct px_buf *take_buf, uint64_t off, uint32_t len);
/* Adds a reference like px_msg_attach, for bytes that the caller hands out to nobody else: an
 * exclusive slice. */
bool px_msg_attach_exclusive(void *body, struct px_buf *buf, uint64_t off, uint32_t len);
/* References to all payload of `msg`: no copy, both become shared. */
void px_msg_attach_all(void *body, const struct px_msg *msg);
/* Moves up to `max` bytes from the front of a chain, splitting the last slice if need be, as far as
 * PX_SLICES_MAX allows. Bytes moved. */
uint64_t px_msg_attach_chain(void *body, struct px_chain *chain, uint64_t max);
/* Bytes attached so far. */
uint64_t px_msg_attached(const void *body);

/* ---- sending ---- */

/* Sends a oneway. `tag` is the receiver's handle of what it is about, or 0. Takes `body`. False: it
 * was lost (no memory, queue full, or no capability) and counted; then the receiver is told that
 * what `tag` names has lost a message (px_service.lost), the sender only by this value. */
bool px_send(struct px_env *env, px_addr to, uint16_t method, void *take_body, px_handle tag);
/* Sends the block of a held or borrowed message once more; all its slices become shared. */
bool px_send_shared(struct px_env *env, px_addr to, uint16_t method, const struct px_msg *msg,
                    px_handle tag);
/* Turns a body into a held message that can be sent with px_send_shared any number of times. NULL:
 * no memory (the body is gone). */
const struct px_msg *px_msg_seal(struct px_env *env, void *take_body);

/* Calls a method. Exactly one final reply comes to px_service.reply with this `tag`: the callee's,
 * or TIMED_OUT after `deadline_us` (from now; of a stream call: to its first item), CANCELLED,
 * NO_MEMORY, DENIED, SERVICE_GONE. Never fails: the entry was reserved by px_pool_get or
 * px_service.calls_max. */
px_call_id px_call(struct px_env *env, px_addr to, uint16_t method, void *take_body,
                   uint64_t deadline_us, uint64_t tag);
/* Ends a call of ours: its reply will be CANCELLED. 0 and finished calls are fine. */
void px_cancel(struct px_env *env, px_call_id call);
/* Allows `n` more items of a stream call of ours; none come before the first allowance. */
void px_call_more(struct px_env *env, px_call_id call, uint32_t n);

/* Answers a call (borrowed or held). Later answers are dropped and counted. Takes `body`. */
void px_reply(struct px_env *env, const struct px_msg *call, enum px_status status,
              void *take_body);
/* Answers with a status and no body. */
void px_reply_status(struct px_env *env, const struct px_msg *call, enum px_status status);
/* Sends one item of a stream call. False: no item credit, or nobody listens any more; `body` is
 * gone. */
bool px_item(struct px_env *env, const struct px_msg *call, void *take_body);
/* What `ended` and `more` will bring back for this call. */
void px_call_tag(struct px_env *env, const struct px_msg *call, uint64_t tag);

/* ---- receiving ---- */

/* Keeps a message beyond the handler and returns the message to keep: release that one. Slices that
 * use less than a quarter of their buffer are copied into small ones first, so a hold pins little.
 * NULL for a message without body: it is its status, copy that. */
const struct px_msg *px_msg_hold(const struct px_msg *msg);
/* Ends a hold. NULL is fine. */
void px_msg_release(const struct px_msg *take_msg);

/* Bytes of payload in all. */
uint64_t px_msg_payload_len(const struct px_msg *msg);
/* The slices of the payload, borrowed like the message; their number, 0..PX_SLICES_MAX. */
uint32_t px_msg_payload(const struct px_msg *msg, const struct px_slice **ret_slices);
/* Moves the payload out into a chain of ours, behind what is there; exclusive slices stay exclusive
 * and may then be written. Small slices of large buffers are copied. False: no memory, nothing
 * moved. */
bool px_msg_take_payload(const struct px_msg *msg, struct px_chain *chain);

#ifdef __cplusplus
}
#endif

#endif
