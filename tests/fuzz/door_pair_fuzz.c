/* door_pair_fuzz.c - bytes as somebody who is attached writes them: nothing points outside, body
 * and payload lie one behind the other, and a message that is written again from what was read is
 * read the same.
 */
#include <stdlib.h>
#include <string.h>

#include "door_frame.h"

enum { AGAIN_MAX = 1 << 16 };

static void require(bool cond)
{
    if (!cond) {
        abort();
    }
}

static bool is_inside(struct px_span span, const uint8_t *data, size_t len)
{
    return span.len == 0 ||
           (span.ptr >= data && span.len <= len && (size_t)(span.ptr - data) <= len - span.len);
}

static void check_again(const struct door_message *message)
{
    static uint8_t bytes[AGAIN_MAX];
    struct door_message front = *message, again;
    front.body_len = message->body.len;
    front.payload_len = message->payload.len;
    struct px_bytes_out out = px_bytes_out_of(bytes, sizeof bytes);
    door_message_head_write(&front, &out);
    size_t head = px_bytes_out_len(&out);
    require(out.overflow || head == door_message_head_len(&front));
    px_bytes_put_span(&out, message->body);
    px_bytes_put_span(&out, message->payload);
    if (out.overflow) {
        return;
    }
    size_t len = px_bytes_out_len(&out) - DOOR_MESSAGE_HEAD;
    struct px_bytes in = px_bytes_of(bytes, DOOR_MESSAGE_HEAD);
    require(px_bytes_u8(&in) == 1 && px_bytes_u64be(&in) == len);
    require(door_message_read(bytes + DOOR_MESSAGE_HEAD, len, &again) == DOOR_FORM_OK);
    require(again.kind == message->kind && again.status == message->status &&
            again.number == message->number && again.id == message->id);
    require(px_span_equal(again.service, message->service) &&
            px_span_equal(again.method, message->method) &&
            px_span_equal(again.text, message->text) && px_span_equal(again.body, message->body) &&
            px_span_equal(again.payload, message->payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct door_message message, cut;
    if (door_message_read(data, len, &message) != DOOR_FORM_OK) {
        return 0;
    }
    require(is_inside(message.service, data, len) && is_inside(message.method, data, len) &&
            is_inside(message.text, data, len) && is_inside(message.body, data, len) &&
            is_inside(message.payload, data, len));
    require(message.kind >= DOOR_CALL && message.kind <= DOOR_LOST);
    require(message.status <= DOOR_STATUS_MAX && message.id_bytes.len == DOOR_ATTACHED_ID_LEN);
    require(message.payload.len == 0 || message.payload.ptr == message.body.ptr + message.body.len);
    size_t least = len - message.payload.len;
    require(door_message_read(data, least, &cut) == DOOR_FORM_OK && cut.payload.len == 0);
    require(door_message_read(data, least - 1, &cut) != DOOR_FORM_OK);
    check_again(&message);
    return 0;
}
