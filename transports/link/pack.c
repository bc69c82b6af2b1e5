/* pack.c - the short way for flat messages: one loop over the fields, no table of types, no copies.
 */
#include "pack.h"

#include <px/bytes.h>

enum {
    ID_MAX = 15,     /* its tag is one byte */
    TAG_LEN_MAX = 5, /* bytes; libprotobuf-c refuses a longer way to write the same */
    FIELD_MAX = 11,  /* bytes of a tag and the longest number */
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
    FLAT_TYPES = 1 << PROTOBUF_C_TYPE_UINT32 | 1 << PROTOBUF_C_TYPE_UINT64 |
                 1 << PROTOBUF_C_TYPE_FIXED64 | 1 << PROTOBUF_C_TYPE_BOOL |
                 1 << PROTOBUF_C_TYPE_BYTES,
};

static bool field_is_flat(const ProtobufCFieldDescriptor *f)
{
    return f->label == PROTOBUF_C_LABEL_NONE && f->flags == 0 && f->id <= ID_MAX &&
           (1u << f->type & (unsigned)FLAT_TYPES) != 0;
}

static const void *member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
    return (const uint8_t *)message + f->offset;
}

/* ---- packing ---- */

/* A number as it is packed, whatever its type; bytes: their length. */
static uint64_t value_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
    const void *at = member(message, f);
    switch ((int)f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return *(const uint32_t *)at;
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)at != 0;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len;
    default:
        return *(const uint64_t *)at;
    }
}

static size_t varint_len(uint64_t value)
{
    size_t n = 1;
    for (; value >= 0x80; value >>= 7) {
        n++;
    }
    return n;
}

size_t px_pack_len(const ProtobufCMessage *message, bool *ret_flat)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    size_t len = 0;
    *ret_flat = false;
    if (message->n_unknown_fields > 0) {
        return protobuf_c_message_get_packed_size(message);
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (!field_is_flat(f)) {
            return protobuf_c_message_get_packed_size(message);
        }
        uint64_t value = value_of(message, f);
        if (value == 0) {
            continue; /* what is 0 or empty is not written */
        }
        len += f->type == PROTOBUF_C_TYPE_FIXED64 ? 9 : 1 + varint_len(value);
        len += f->type == PROTOBUF_C_TYPE_BYTES ? (size_t)value : 0;
    }
    *ret_flat = true;
    return len;
}

static uint8_t *varint_put(uint8_t *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *to++ = (uint8_t)(value | 0x80);
    }
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *fixed64_put(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
    return to + 8;
}

static uint8_t *field_put(uint8_t *to, const ProtobufCFieldDescriptor *f, uint64_t value,
                          const void *at)
{
    if (f->type == PROTOBUF_C_TYPE_FIXED64) {
        *to++ = (uint8_t)(f->id << 3 | WIRE_FIXED64);
        return fixed64_put(to, value);
    }
    if (f->type != PROTOBUF_C_TYPE_BYTES) {
        *to++ = (uint8_t)(f->id << 3 | WIRE_VARINT);
        return varint_put(to, value);
    }
    *to++ = (uint8_t)(f->id << 3 | WIRE_BYTES);
    to = varint_put(to, value);
    memcpy(to, ((const ProtobufCBinaryData *)at)->data, (size_t)value);
    return to + value;
}

void px_pack(const ProtobufCMessage *message, bool flat, uint8_t *ret)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (!flat) {
        (void)protobuf_c_message_pack(message, ret);
        return;
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        uint64_t value = value_of(message, f);
        if (value != 0) {
            ret = field_put(ret, f, value, member(message, f));
        }
    }
}

size_t px_pack_short(const ProtobufCMessage *message, uint8_t *ret, size_t room)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    uint8_t *to = ret;
    if (message->n_unknown_fields > 0) {
        return SIZE_MAX;
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (!field_is_flat(f)) {
            return SIZE_MAX;
        }
        uint64_t value = value_of(message, f);
        size_t left = room - (size_t)(to - ret);
        if (value == 0) {
            continue;
        }
        if (left < FIELD_MAX || (f->type == PROTOBUF_C_TYPE_BYTES && value > left - FIELD_MAX)) {
            return SIZE_MAX;
        }
        to = field_put(to, f, value, member(message, f));
    }
    return (size_t)(to - ret);
}

/* ---- unpacking ---- */

static void skip(struct px_bytes *in, unsigned wire)
{
    switch (wire) {
    case WIRE_VARINT:
        (void)px_bytes_varint(in);
        break;
    case WIRE_FIXED64:
        px_bytes_skip(in, 8);
        break;
    case WIRE_BYTES:
        px_bytes_skip(in, (size_t)px_bytes_varint(in));
        break;
    case WIRE_FIXED32:
        px_bytes_skip(in, 4);
        break;
    default:
        px_bytes_fail(in);
    }
}

static bool bytes_take(struct px_bytes *in, ProtobufCAllocator *allocator, ProtobufCBinaryData *ret)
{
    struct px_span span = px_bytes_take(in, (size_t)px_bytes_varint(in));
    if (in->failed || span.len == 0) {
        *ret = (ProtobufCBinaryData){.len = 0};
        return !in->failed;
    }
    uint8_t *data = allocator->alloc(allocator->allocator_data, span.len);
    if (data == NULL) {
        return false;
    }
    memcpy(data, span.ptr, span.len);
    *ret = (ProtobufCBinaryData){.len = span.len, .data = data};
    return true;
}

/* The value of a known field. */
static bool field_take(struct px_bytes *in, const ProtobufCFieldDescriptor *f, unsigned wire,
                       ProtobufCAllocator *allocator, void *at)
{
    unsigned expected = f->type == PROTOBUF_C_TYPE_FIXED64 ? WIRE_FIXED64
                        : f->type == PROTOBUF_C_TYPE_BYTES ? WIRE_BYTES
                                                           : WIRE_VARINT;
    if (wire != expected) {
        return false;
    }
    switch ((int)f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)at = (uint32_t)px_bytes_varint(in);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = px_bytes_varint(in) != 0;
        break;
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_take(in, allocator, at);
    case PROTOBUF_C_TYPE_FIXED64:
        *(uint64_t *)at = px_bytes_u64le(in);
        break;
    default:
        *(uint64_t *)at = px_bytes_varint(in);
    }
    return !in->failed;
}

/* Field numbers have no gaps but where one was given up: nearly always the first guess is right. */
static const ProtobufCFieldDescriptor *field_find(const ProtobufCMessageDescriptor *type,
                                                  uint64_t id)
{
    if (id - 1 < type->n_fields && type->fields[id - 1].id == id) {
        return &type->fields[id - 1];
    }
    return id > UINT32_MAX ? NULL : protobuf_c_message_descriptor_get_field(type, (unsigned)id);
}

/* An allocator that gives `first`, which is already there, and then what the other one gives. */
struct again {
    ProtobufCAllocator *allocator;
    void *first;
};

static void *again_alloc(void *data, size_t len)
{
    struct again *again = data;
    void *first = again->first;
    again->first = NULL;
    return first != NULL ? first : again->allocator->alloc(again->allocator->allocator_data, len);
}

static void again_free(void *data, void *mem)
{
    const struct again *again = data;
    again->allocator->free(again->allocator->allocator_data, mem);
}

/* There is a field that is not for the short way: from the beginning, with libprotobuf-c. */
static ProtobufCMessage *unpack_again(const ProtobufCMessageDescriptor *type,
                                      ProtobufCAllocator *allocator, size_t len,
                                      const uint8_t *data, ProtobufCMessage *message)
{
    struct again again = {allocator, message};
    ProtobufCAllocator giver = {again_alloc, again_free, &again};
    return protobuf_c_message_unpack(type, &giver, len, data);
}

ProtobufCMessage *px_unpack(const ProtobufCMessageDescriptor *type, ProtobufCAllocator *allocator,
                            size_t len, const uint8_t *data)
{
    ProtobufCMessage *message = allocator->alloc(allocator->allocator_data, type->sizeof_message);
    if (message == NULL) {
        return NULL;
    }
    protobuf_c_message_init(type, message);
    struct px_bytes in = px_bytes_of(data, len);
    while (px_bytes_left(&in) > 0) {
        size_t left = px_bytes_left(&in);
        uint64_t tag = px_bytes_varint(&in);
        const ProtobufCFieldDescriptor *f = field_find(type, tag >> 3);
        if (tag >> 3 == 0 || tag > UINT32_MAX || left - px_bytes_left(&in) > TAG_LEN_MAX) {
            return NULL;
        }
        if (f != NULL && !field_is_flat(f)) {
            return unpack_again(type, allocator, len, data, message);
        }
        if (f == NULL) {
            skip(&in, tag & 7);
        } else if (!field_take(&in, f, tag & 7, allocator, (uint8_t *)message + f->offset)) {
            return NULL;
        }
    }
    return in.failed ? NULL : message;
}
