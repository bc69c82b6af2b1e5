/* door_frame.h - what clients write to the door and what it answers (docs/wire.md). Pure: bytes in,
 * values out.
 */
#ifndef PX_DOOR_FRAME_H
#define PX_DOOR_FRAME_H

#include <px/bytes.h>
#include <px/err.h>

enum {
    DOOR_VERSION = 1,
    DOOR_GREETING_LEN = 8,
    DOOR_MESSAGE_HEAD = 9, /* 01, length (8) */
    DOOR_ID_LEN = 4,       /* one word of what stands before a request */
    DOOR_HOPS_MAX = 8,     /* words before a request, the id included */
    DOOR_REQUEST_HEAD = 12,
    DOOR_REPLY_HEAD = 12,
    DOOR_KIND_CALL = 1,
    DOOR_REPLY_HAS_BODY = 1,
    DOOR_MESSAGE_HOPS = 4,    /* before a message of somebody who is attached */
    DOOR_ATTACHED_HEAD = 24,  /* of that message */
    DOOR_ATTACHED_ID_LEN = 8, /* of the call or handle in it */
    DOOR_STATUS_MAX = 255,    /* a number of px_status */
};

/* One request. Everything points into the bytes it was read from. */
struct door_request {
    struct px_span hops; /* what is sent back in front of the reply: words, the last with its top
                            bit set */
    uint8_t version, kind;
    struct px_span service, method; /* names */
    uint32_t deadline_ms;           /* 0: the door's own */
    struct px_span body, payload;
};

enum door_form {
    DOOR_FORM_OK,
    DOOR_FORM_NOBODY, /* it has no id: there is nobody to answer */
    DOOR_FORM_BAD,    /* `hops` are there, the rest is not to be used */
};

/* Reads one message of a REQ socket, without its length. */
enum door_form door_request_read(const void *bytes, size_t len, struct door_request *ret);

/* The front of a reply. */
struct door_reply {
    struct px_span hops;
    enum px_status status;
    bool has_body;
    size_t text_len, body_len;
    uint64_t payload_len;
};

/* Bytes that go before text, body and payload. */
size_t door_reply_head_len(const struct door_reply *reply);
/* Writes them: the length, the hops, the head. */
void door_reply_head_write(const struct door_reply *reply, struct px_bytes_out *out);

/* The greeting of a REQ socket, and the answer to it. */
extern const uint8_t door_greeting_req[DOOR_GREETING_LEN], door_greeting_rep[DOOR_GREETING_LEN];
/* That of a PAIR1 socket, which is answered with the same. */
extern const uint8_t door_greeting_pair[DOOR_GREETING_LEN];

/* ---- attached ---- */

/* What a message of or for an attached client is; numbers are part of the wire form. */
enum door_kind {
    DOOR_CALL = 1,
    DOOR_STREAM,
    DOOR_REPLY,
    DOOR_ITEM,
    DOOR_MORE,
    DOOR_ENDED,
    DOOR_ONEWAY,
    DOOR_LOST,
};

/* One message. When read, everything points into the bytes it was read from; body and payload lie
 * one behind the other. */
struct door_message {
    uint8_t version, kind;
    uint16_t status;
    uint32_t number;
    uint64_t id;
    struct px_span id_bytes; /* read: where the id stands */
    struct px_span service, method, text;
    struct px_span body, payload;   /* read */
    uint64_t body_len, payload_len; /* written: what follows */
};

/* Reads one message of a PAIR1 socket, without its length. Not OK: it is not to be used. */
enum door_form door_message_read(const void *bytes, size_t len, struct door_message *ret);
/* Bytes that go before body and payload. */
size_t door_message_head_len(const struct door_message *message);
/* Writes them: the length, the hops, the head, names and text. */
void door_message_head_write(const struct door_message *message, struct px_bytes_out *out);

#endif
