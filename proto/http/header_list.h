/* header_list.h - walks and builds a serialized HeaderList without structs.
 *
 *     message HeaderList { repeated Header fields = 1; }
 *     message Header { bytes name = 1; bytes value = 2; }
 *
 * The bytes travel in one `bytes` field of http.proto; other languages parse them with their
 * ordinary class. What is written here is canonical: fields in order, shortest lengths, an empty
 * value left out; it is what a protobuf library would write. What is read may have come from any
 * peer: each Header must be a name of at least one byte, then at most one value, and nothing else.
 * Header names are lower-case by convention; nothing here changes or checks letters.
 */
#ifndef HEADER_LIST_H
#define HEADER_LIST_H

#include <px/bytes.h>

enum {
    PX_HEADER_LIST_FIELDS = 0x0a, /* field 1 of HeaderList, length-delimited */
    PX_HEADER_NAME = 0x0a,        /* field 1 of Header */
    PX_HEADER_VALUE = 0x12,       /* field 2 of Header */
    PX_HEADER_SMALL_MAX = 122 /* a name and value together up to here need only one-byte lengths */
};

/* Both spans point into the list that was walked. */
struct px_header {
    struct px_span name;
    struct px_span value;
};

/* Take the next header if all its lengths are of one byte, as they nearly always are. False, and
 * nothing taken, when they are not, at the end of the list and when something is wrong. */
static inline bool px_header_list_next_small(struct px_bytes *in, struct px_header *ret_header)
{
    struct px_span rest = px_bytes_rest(in);
    if (rest.len < 5) { /* tag, length, tag, length, a name of one byte */
        return false;
    }
    const uint8_t *at = rest.ptr;
    size_t len = at[1];
    size_t name_len = at[3];
    if (at[0] != PX_HEADER_LIST_FIELDS || len >= 0x80 || len > rest.len - 2 ||
        at[2] != PX_HEADER_NAME || name_len == 0 || name_len + 2 > len) {
        return false;
    }
    size_t value_part = len - 2 - name_len;
    struct px_span value = {NULL, 0};
    if (value_part > 0) {
        if (value_part < 2 || at[4 + name_len] != PX_HEADER_VALUE ||
            at[5 + name_len] != value_part - 2) {
            return false;
        }
        value = px_span_of(at + 6 + name_len, value_part - 2);
    }
    ret_header->name = px_span_of(at + 4, name_len);
    ret_header->value = value;
    px_bytes_skip(in, 2 + len);
    return true;
}

/* Take the next header. False at the end of the list, and when it is malformed: then `in->failed`
 * is set. */
static inline bool px_header_list_next(struct px_bytes *in, struct px_header *ret_header)
{
    if (px_header_list_next_small(in, ret_header)) {
        return true;
    }
    if (px_bytes_left(in) == 0) {
        return false;
    }
    if (px_bytes_u8(in) != PX_HEADER_LIST_FIELDS) {
        px_bytes_fail(in);
        return false;
    }
    uint64_t len = px_bytes_varint(in);
    struct px_bytes one = px_bytes_sub(in, len > px_bytes_left(in) ? SIZE_MAX : (size_t)len);
    struct px_header header = {.name = {NULL, 0}, .value = {NULL, 0}};
    bool named = px_bytes_u8(&one) == PX_HEADER_NAME;
    len = px_bytes_varint(&one);
    header.name = px_bytes_take(&one, len > px_bytes_left(&one) ? SIZE_MAX : (size_t)len);
    if (px_bytes_left(&one) > 0) {
        named = px_bytes_u8(&one) == PX_HEADER_VALUE && named;
        len = px_bytes_varint(&one);
        header.value = px_bytes_take(&one, len > px_bytes_left(&one) ? SIZE_MAX : (size_t)len);
    }
    if (!named || one.failed || header.name.len == 0 || px_bytes_left(&one) > 0) {
        px_bytes_fail(in);
        return false;
    }
    *ret_header = header;
    return true;
}

/* True when the whole list can be walked. */
static inline bool px_header_list_is_valid(struct px_span list)
{
    struct px_bytes in = px_bytes_of_span(list);
    struct px_header header;
    while (px_header_list_next(&in, &header)) {
    }
    return !in.failed;
}

/* The first header called `name`, compared byte by byte; false when there is none before the end or
 * the first fault. */
static inline bool px_header_list_find(struct px_span list, const char *name,
                                       struct px_span *ret_value)
{
    struct px_span wanted = px_span_of_str(name);
    struct px_bytes in = px_bytes_of_span(list);
    struct px_header header;
    while (px_header_list_next(&in, &header)) {
        if (px_span_equal(header.name, wanted)) {
            *ret_value = header.value;
            return true;
        }
    }
    return false;
}

/* Length of one serialized Header. The lengths are those of real memory. */
static inline size_t px_header_len(size_t name_len, size_t value_len)
{
    size_t value_part = value_len == 0 ? 0 : 1 + px_varint_len(value_len) + value_len;
    return 1 + px_varint_len(name_len) + name_len + value_part;
}

/* How many bytes px_header_list_put writes. */
static inline size_t px_header_size(size_t name_len, size_t value_len)
{
    size_t inner = px_header_len(name_len, value_len);
    return 1 + px_varint_len(inner) + inner;
}

/* Write tag, length and bytes at `at`, where there is room; returns the place behind them. */
static inline uint8_t *px_header_part_put(uint8_t *at, uint8_t tag, struct px_span text)
{
    *at++ = tag;
    at = px_varint_write(at, text.len);
    px_copy_short(at, text.ptr, text.len);
    return at + text.len;
}

/* px_header_list_put for a header with a value whose lengths take one byte each. */
static inline void px_header_list_put_small(struct px_bytes_out *out, struct px_span name,
                                            struct px_span value)
{
    uint8_t *at = px_bytes_out_reserve(out, 6 + name.len + value.len);
    if (at == NULL) {
        return;
    }
    at[0] = PX_HEADER_LIST_FIELDS;
    at[1] = (uint8_t)(4 + name.len + value.len);
    at[2] = PX_HEADER_NAME;
    at[3] = (uint8_t)name.len;
    px_copy_short(at + 4, name.ptr, name.len);
    at += 4 + name.len;
    at[0] = PX_HEADER_VALUE;
    at[1] = (uint8_t)value.len;
    px_copy_short(at + 2, value.ptr, value.len);
}

/* Append one header, whole or not at all (then `out->overflow` is set). The name has at least one
 * byte; the caller sees to that, or whoever reads the list will refuse it. */
static inline void px_header_list_put(struct px_bytes_out *out, struct px_span name,
                                      struct px_span value)
{
    if (name.len + value.len <= PX_HEADER_SMALL_MAX && value.len > 0) {
        px_header_list_put_small(out, name, value);
        return;
    }
    size_t inner = px_header_len(name.len, value.len);
    uint8_t *at = px_bytes_out_reserve(out, 1 + px_varint_len(inner) + inner);
    if (at == NULL) {
        return;
    }
    *at++ = PX_HEADER_LIST_FIELDS;
    at = px_varint_write(at, inner);
    at = px_header_part_put(at, PX_HEADER_NAME, name);
    if (value.len > 0) {
        (void)px_header_part_put(at, PX_HEADER_VALUE, value);
    }
}

#endif
