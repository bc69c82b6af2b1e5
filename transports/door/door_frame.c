/* door_frame.c - reading requests, writing the front of replies. */
#include "door_frame.h"

const uint8_t door_greeting_req[DOOR_GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
const uint8_t door_greeting_rep[DOOR_GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
const uint8_t door_greeting_pair[DOOR_GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};

/* The words before a request: the last one has its top bit set. Empty: there is no such word. */
static struct px_span hops_read(struct px_bytes *in)
{
    struct px_bytes start = *in;
    for (size_t n = 1; n <= DOOR_HOPS_MAX; n++) {
        uint32_t word = px_bytes_u32be(in);
        if (in->failed) {
            break;
        }
        if ((word & UINT32_C(0x80000000)) != 0) {
            return px_bytes_take(&start, n * DOOR_ID_LEN);
        }
    }
    return px_span_of(NULL, 0);
}

enum door_form door_request_read(const void *bytes, size_t len, struct door_request *ret)
{
    struct px_bytes in = px_bytes_of(bytes, len);
    *ret = (struct door_request){.hops = hops_read(&in)};
    if (ret->hops.len == 0) {
        return DOOR_FORM_NOBODY;
    }
    ret->version = px_bytes_u8(&in);
    ret->kind = px_bytes_u8(&in);
    size_t service_len = px_bytes_u8(&in);
    size_t method_len = px_bytes_u8(&in);
    ret->deadline_ms = px_bytes_u32le(&in);
    size_t body_len = px_bytes_u32le(&in);
    ret->service = px_bytes_take(&in, service_len);
    ret->method = px_bytes_take(&in, method_len);
    ret->body = px_bytes_take(&in, body_len);
    ret->payload = px_bytes_rest(&in);
    return in.failed ? DOOR_FORM_BAD : DOOR_FORM_OK;
}

size_t door_reply_head_len(const struct door_reply *reply)
{
    return DOOR_MESSAGE_HEAD + reply->hops.len + DOOR_REPLY_HEAD;
}

void door_reply_head_write(const struct door_reply *reply, struct px_bytes_out *out)
{
    uint64_t len = reply->hops.len + DOOR_REPLY_HEAD + (uint64_t)reply->text_len + reply->body_len +
                   reply->payload_len;
    px_bytes_put_u8(out, 1);
    px_bytes_put_u64be(out, len);
    px_bytes_put_span(out, reply->hops);
    px_bytes_put_u8(out, DOOR_VERSION);
    px_bytes_put_u8(out, reply->has_body ? DOOR_REPLY_HAS_BODY : 0);
    px_bytes_put_u16le(out, (uint16_t)reply->status);
    px_bytes_put_u32le(out, (uint32_t)reply->text_len);
    px_bytes_put_u32le(out, (uint32_t)reply->body_len);
}

/* ---- attached ---- */

enum door_form door_message_read(const void *bytes, size_t len, struct door_message *ret)
{
    struct px_bytes in = px_bytes_of(bytes, len);
    *ret = (struct door_message){.kind = 0};
    px_bytes_skip(&in, DOOR_MESSAGE_HOPS); /* as many as it likes: nobody relays here */
    ret->version = px_bytes_u8(&in);
    ret->kind = px_bytes_u8(&in);
    ret->status = px_bytes_u16le(&in);
    ret->number = px_bytes_u32le(&in);
    ret->id_bytes = px_bytes_take(&in, DOOR_ATTACHED_ID_LEN);
    struct px_bytes id = px_bytes_of(ret->id_bytes.ptr, ret->id_bytes.len);
    ret->id = px_bytes_u64le(&id);
    size_t service_len = px_bytes_u8(&in);
    size_t method_len = px_bytes_u8(&in);
    size_t text_len = px_bytes_u16le(&in);
    size_t body_len = px_bytes_u32le(&in);
    ret->service = px_bytes_take(&in, service_len);
    ret->method = px_bytes_take(&in, method_len);
    ret->text = px_bytes_take(&in, text_len);
    ret->body = px_bytes_take(&in, body_len);
    ret->payload = px_bytes_rest(&in);
    bool known = ret->version == DOOR_VERSION && ret->kind >= DOOR_CALL && ret->kind <= DOOR_LOST;
    return in.failed || !known || ret->status > DOOR_STATUS_MAX ? DOOR_FORM_BAD : DOOR_FORM_OK;
}

size_t door_message_head_len(const struct door_message *message)
{
    return DOOR_MESSAGE_HEAD + DOOR_MESSAGE_HOPS + DOOR_ATTACHED_HEAD + message->service.len +
           message->method.len + message->text.len;
}

void door_message_head_write(const struct door_message *message, struct px_bytes_out *out)
{
    px_bytes_put_u8(out, 1);
    px_bytes_put_u64be(out, door_message_head_len(message) - DOOR_MESSAGE_HEAD + message->body_len +
                                message->payload_len);
    px_bytes_put_u32be(out, 1); /* hops */
    px_bytes_put_u8(out, DOOR_VERSION);
    px_bytes_put_u8(out, message->kind);
    px_bytes_put_u16le(out, message->status);
    px_bytes_put_u32le(out, message->number);
    px_bytes_put_u64le(out, message->id);
    px_bytes_put_u8(out, (uint8_t)message->service.len);
    px_bytes_put_u8(out, (uint8_t)message->method.len);
    px_bytes_put_u16le(out, (uint16_t)message->text.len);
    px_bytes_put_u32le(out, (uint32_t)message->body_len);
    px_bytes_put_span(out, message->service);
    px_bytes_put_span(out, message->method);
    px_bytes_put_span(out, message->text);
}
