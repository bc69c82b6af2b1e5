/* door_fuzz.c - bytes as a client writes them to the door: read whole and from every cut they say
 * the same, nothing points outside, and what is sent back in front of a reply is what came.
 */
#include <stdlib.h>

#include "door_frame.h"

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

static void check_reply(const struct door_request *request)
{
    uint8_t bytes[DOOR_MESSAGE_HEAD + DOOR_HOPS_MAX * DOOR_ID_LEN + DOOR_REPLY_HEAD];
    struct door_reply reply = {.hops = request->hops,
                               .status = PX_BUSY,
                               .has_body = request->body.len > 0,
                               .text_len = request->service.len,
                               .body_len = request->body.len,
                               .payload_len = request->payload.len};
    struct px_bytes_out out = px_bytes_out_of(bytes, sizeof bytes);
    door_reply_head_write(&reply, &out);
    require(!out.overflow && px_bytes_out_len(&out) == door_reply_head_len(&reply));
    struct px_bytes in = px_bytes_of(bytes, px_bytes_out_len(&out));
    require(px_bytes_u8(&in) == 1);
    uint64_t len = px_bytes_u64be(&in);
    require(len == px_bytes_left(&in) + reply.text_len + reply.body_len + reply.payload_len);
    require(px_span_equal(px_bytes_take(&in, request->hops.len), request->hops));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct door_request request, cut;
    enum door_form form = door_request_read(data, len, &request);
    if (form == DOOR_FORM_NOBODY) {
        require(request.hops.len == 0);
        return 0;
    }
    require(request.hops.len % DOOR_ID_LEN == 0 && request.hops.len >= DOOR_ID_LEN);
    require((request.hops.ptr[request.hops.len - DOOR_ID_LEN] & 0x80) != 0);
    require(is_inside(request.hops, data, len));
    check_reply(&request);
    if (form == DOOR_FORM_BAD) {
        return 0;
    }
    require(is_inside(request.service, data, len) && is_inside(request.method, data, len));
    require(is_inside(request.body, data, len) && is_inside(request.payload, data, len));
    size_t least = len - request.payload.len;
    require(door_request_read(data, least, &cut) == DOOR_FORM_OK && cut.payload.len == 0);
    require(door_request_read(data, least - 1, &cut) != DOOR_FORM_OK);
    return 0;
}
