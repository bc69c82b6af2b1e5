/* bytes.h - the one bounds-checked cursor for bytes that came from outside, and its writing
 * twin.
 *
 * A reader (struct px_bytes) walks memory it does not own. Asking for more than is left takes
 * nothing, yields zeros and sets `failed`, and every later request fails too; so a parser may take
 * a whole record and look at `failed` once. A writer (struct px_bytes_out) does the same with
 * `overflow`. Neither allocates, both are plain values: copying one is how to remember a place and
 * come back to it. Every function takes a valid cursor; a zeroed one is valid and empty.
 */
#ifndef PX_BYTES_H
#define PX_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a parser says. DONE: a whole unit was read. MORE: what is there is right so far, but ends
 * too early. BAD: no continuation can make it right. */
enum px_parse { PX_PARSE_DONE, PX_PARSE_MORE, PX_PARSE_BAD };

/* Bytes that somebody else owns. `ptr` may be NULL when `len` is 0. */
struct px_span {
    const uint8_t *ptr; /* the first */
    size_t len;         /* how many */
};

/* A reader. */
struct px_bytes {
    const uint8_t *ptr; /* the next byte */
    const uint8_t *end; /* one past the last */
    bool failed;        /* sticky: something was asked for that was not there */
};

/* A writer. */
struct px_bytes_out {
    uint8_t *start; /* the first place */
    uint8_t *ptr;   /* where the next byte goes */
    uint8_t *end;   /* one past the last place */
    bool overflow;  /* sticky: something did not fit; what was written before it is intact */
};

/* ---- spans ---- */

/* These bytes. */
static inline struct px_span px_span_of(const void *ptr, size_t len)
{
    return (struct px_span){.ptr = (const uint8_t *)ptr, .len = len};
}

/* The characters of `text` without its closing zero. */
static inline struct px_span px_span_of_str(const char *text)
{
    return px_span_of(text, strlen(text));
}

/* `*dst = src`, word by word. Compilers copy a struct through a vector register, and a vector read
 * of two words that were just written one by one has to wait until both have reached the cache. */
static inline void px_span_set(struct px_span *dst, struct px_span src)
{
    dst->ptr = src.ptr;
    dst->len = src.len;
}

/* Are they the same bytes? Not in constant time: not for secrets. */
static inline bool px_span_equal(struct px_span a, struct px_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The same for the characters of `text`. */
static inline bool px_span_equal_str(struct px_span a, const char *text)
{
    return px_span_equal(a, px_span_of_str(text));
}

/* memcpy for the few bytes of a name or a value: up to 32 are copied in place, as two halves that
 * may overlap each other, instead of by a call. The two memories do not overlap. */
static inline void px_copy_short(uint8_t *dst, const uint8_t *src, size_t len)
{
    if (len > 32) {
        memcpy(dst, src, len);
    } else if (len >= 16) {
        memcpy(dst, src, 16);
        memcpy(dst + len - 16, src + len - 16, 16);
    } else if (len >= 8) {
        memcpy(dst, src, 8);
        memcpy(dst + len - 8, src + len - 8, 8);
    } else if (len >= 4) {
        memcpy(dst, src, 4);
        memcpy(dst + len - 4, src + len - 4, 4);
    } else if (len > 0) {
        dst[0] = src[0];
        dst[len / 2] = src[len / 2];
        dst[len - 1] = src[len - 1];
    }
}

/* ---- reading ---- */

/* A reader of `len` bytes at `ptr`, which may be NULL when `len` is 0. */
static inline struct px_bytes px_bytes_of(const void *ptr, size_t len)
{
    const uint8_t *p = (const uint8_t *)ptr;
    return (struct px_bytes){.ptr = p, .end = len == 0 ? p : p + len, .failed = false};
}

/* `*dst = src`, word by word (px_span_set says why). */
static inline void px_bytes_set(struct px_bytes *dst, const struct px_bytes *src)
{
    dst->ptr = src->ptr;
    dst->end = src->end;
    dst->failed = src->failed;
}

/* A reader of a span. */
static inline struct px_bytes px_bytes_of_span(struct px_span span)
{
    return px_bytes_of(span.ptr, span.len);
}

/* How many bytes are left; 0 once failed. */
static inline size_t px_bytes_left(const struct px_bytes *in)
{
    return (size_t)(in->end - in->ptr);
}

/* Makes a reader fail: for what is there but makes no sense. */
static inline void px_bytes_fail(struct px_bytes *in)
{
    in->ptr = in->end;
    in->failed = true;
}

/* All that is left, without taking it. */
static inline struct px_span px_bytes_rest(const struct px_bytes *in)
{
    return px_span_of(in->ptr, px_bytes_left(in));
}

/* The byte `at` places ahead without taking it, or -1 when there is none. */
static inline int px_bytes_peek(const struct px_bytes *in, size_t at)
{
    return at < px_bytes_left(in) ? in->ptr[at] : -1;
}

/* The next `len` bytes, where they lie; empty, and failed, when there are fewer. */
static inline struct px_span px_bytes_take(struct px_bytes *in, size_t len)
{
    if (len > px_bytes_left(in)) {
        px_bytes_fail(in);
        return px_span_of(NULL, 0);
    }
    struct px_span taken = px_span_of(in->ptr, len);
    in->ptr = len == 0 ? in->ptr : in->ptr + len;
    return taken;
}

/* Takes `len` bytes and forgets them. */
static inline void px_bytes_skip(struct px_bytes *in, size_t len)
{
    (void)px_bytes_take(in, len);
}

/* A cursor of its own over the next `len` bytes, which are taken. Failed, like `in`, when there are
 * fewer. */
static inline struct px_bytes px_bytes_sub(struct px_bytes *in, size_t len)
{
    struct px_bytes sub = px_bytes_of_span(px_bytes_take(in, len));
    sub.failed = in->failed;
    return sub;
}

/* Take `len` bytes into `ret_bytes`; nothing is written there when there are fewer. */
static inline void px_bytes_copy(struct px_bytes *in, void *ret_bytes, size_t len)
{
    struct px_span taken = px_bytes_take(in, len);
    if (taken.len > 0) {
        memcpy(ret_bytes, taken.ptr, taken.len);
    }
}

/* The next byte. */
static inline uint8_t px_bytes_u8(struct px_bytes *in)
{
    if (in->ptr == in->end) {
        in->failed = true;
        return 0;
    }
    return *in->ptr++;
}

/* The next 2 bytes as a number, most significant byte first. */
static inline uint16_t px_bytes_u16be(struct px_bytes *in)
{
    uint8_t b[2] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint16_t)((unsigned)b[0] << 8 | b[1]);
}

/* The next 3 bytes as a number, most significant byte first. */
static inline uint32_t px_bytes_u24be(struct px_bytes *in)
{
    uint8_t b[3] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
}

/* The next 4 bytes as a number, most significant byte first. */
static inline uint32_t px_bytes_u32be(struct px_bytes *in)
{
    uint8_t b[4] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The next 8 bytes as a number, most significant byte first. */
static inline uint64_t px_bytes_u64be(struct px_bytes *in)
{
    uint8_t b[8] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 |
           (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 |
           (uint64_t)b[6] << 8 | b[7];
}

/* The next 2 bytes as a number, least significant byte first. */
static inline uint16_t px_bytes_u16le(struct px_bytes *in)
{
    uint8_t b[2] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint16_t)((unsigned)b[1] << 8 | b[0]);
}

/* The next 4 bytes as a number, least significant byte first. */
static inline uint32_t px_bytes_u32le(struct px_bytes *in)
{
    uint8_t b[4] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

/* The next 8 bytes as a number, least significant byte first. */
static inline uint64_t px_bytes_u64le(struct px_bytes *in)
{
    uint8_t b[8] = {0};
    px_bytes_copy(in, b, sizeof b);
    return (uint64_t)b[7] << 56 | (uint64_t)b[6] << 48 | (uint64_t)b[5] << 40 |
           (uint64_t)b[4] << 32 | (uint64_t)b[3] << 24 | (uint64_t)b[2] << 16 |
           (uint64_t)b[1] << 8 | b[0];
}

/* A protobuf varint: 7 bits a byte, least significant first. Fails past 10 bytes or 64 bits. */
static inline uint64_t px_bytes_varint(struct px_bytes *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = px_bytes_u8(in);
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return in->failed ? 0 : value;
        }
    }
    px_bytes_fail(in);
    return 0;
}

/* ---- writing ---- */

/* A writer of at most `len` bytes at `ptr`. */
static inline struct px_bytes_out px_bytes_out_of(void *ptr, size_t len)
{
    uint8_t *p = (uint8_t *)ptr;
    return (struct px_bytes_out){
        .start = p, .ptr = p, .end = len == 0 ? p : p + len, .overflow = false};
}

/* How many bytes were written. */
static inline size_t px_bytes_out_len(const struct px_bytes_out *out)
{
    return (size_t)(out->ptr - out->start);
}

/* How many more fit; 0 once overflown. */
static inline size_t px_bytes_out_room(const struct px_bytes_out *out)
{
    return (size_t)(out->end - out->ptr);
}

/* All that was written. */
static inline struct px_span px_bytes_out_span(const struct px_bytes_out *out)
{
    return px_span_of(out->start, px_bytes_out_len(out));
}

/* The next `len` places, for the caller to fill; NULL, and overflow, when they are not there. With
 * `len` 0 the result is not to be used. */
static inline uint8_t *px_bytes_out_reserve(struct px_bytes_out *out, size_t len)
{
    if (len > px_bytes_out_room(out)) {
        out->end = out->ptr;
        out->overflow = true;
        return NULL;
    }
    uint8_t *place = out->ptr;
    out->ptr = len == 0 ? place : place + len;
    return place;
}

/* Writes `len` bytes, whole or not at all. */
static inline void px_bytes_put(struct px_bytes_out *out, const void *bytes, size_t len)
{
    uint8_t *place = px_bytes_out_reserve(out, len);
    if (place != NULL && len > 0) {
        memcpy(place, bytes, len);
    }
}

/* The same for few bytes. */
static inline void px_bytes_put_short(struct px_bytes_out *out, struct px_span span)
{
    uint8_t *place = px_bytes_out_reserve(out, span.len);
    if (place != NULL) {
        px_copy_short(place, span.ptr, span.len);
    }
}

/* Writes the bytes of a span. */
static inline void px_bytes_put_span(struct px_bytes_out *out, struct px_span span)
{
    px_bytes_put(out, span.ptr, span.len);
}

/* The characters of `text` without its closing zero. */
static inline void px_bytes_put_str(struct px_bytes_out *out, const char *text)
{
    px_bytes_put(out, text, strlen(text));
}

/* Writes one byte. */
static inline void px_bytes_put_u8(struct px_bytes_out *out, uint8_t value)
{
    px_bytes_put(out, &value, 1);
}

/* Writes 2 bytes, most significant byte first. */
static inline void px_bytes_put_u16be(struct px_bytes_out *out, uint16_t value)
{
    uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    px_bytes_put(out, b, sizeof b);
}

/* Writes 3 bytes, most significant byte first. The top byte of `value` is dropped. */
static inline void px_bytes_put_u24be(struct px_bytes_out *out, uint32_t value)
{
    uint8_t b[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    px_bytes_put(out, b, sizeof b);
}

/* Writes 4 bytes, most significant byte first. */
static inline void px_bytes_put_u32be(struct px_bytes_out *out, uint32_t value)
{
    uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                    (uint8_t)value};
    px_bytes_put(out, b, sizeof b);
}

/* Writes 8 bytes, most significant byte first. */
static inline void px_bytes_put_u64be(struct px_bytes_out *out, uint64_t value)
{
    uint8_t b[8] = {(uint8_t)(value >> 56), (uint8_t)(value >> 48), (uint8_t)(value >> 40),
                    (uint8_t)(value >> 32), (uint8_t)(value >> 24), (uint8_t)(value >> 16),
                    (uint8_t)(value >> 8),  (uint8_t)value};
    px_bytes_put(out, b, sizeof b);
}

/* Writes 2 bytes, least significant byte first. */
static inline void px_bytes_put_u16le(struct px_bytes_out *out, uint16_t value)
{
    uint8_t b[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    px_bytes_put(out, b, sizeof b);
}

/* Writes 4 bytes, least significant byte first. */
static inline void px_bytes_put_u32le(struct px_bytes_out *out, uint32_t value)
{
    uint8_t b[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                    (uint8_t)(value >> 24)};
    px_bytes_put(out, b, sizeof b);
}

/* Writes 8 bytes, least significant byte first. */
static inline void px_bytes_put_u64le(struct px_bytes_out *out, uint64_t value)
{
    uint8_t b[8] = {(uint8_t)value,         (uint8_t)(value >> 8),  (uint8_t)(value >> 16),
                    (uint8_t)(value >> 24), (uint8_t)(value >> 32), (uint8_t)(value >> 40),
                    (uint8_t)(value >> 48), (uint8_t)(value >> 56)};
    px_bytes_put(out, b, sizeof b);
}

/* How many bytes a varint of this value takes: 1..10. */
static inline size_t px_varint_len(uint64_t value)
{
    size_t len = 1;
    while (value >= 0x80) {
        value >>= 7;
        len++;
    }
    return len;
}

/* Write a varint at `at`, where there are px_varint_len(value) places; returns the place behind it.
 */
static inline uint8_t *px_varint_write(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* In the fewest bytes, and whole or not at all. */
static inline void px_bytes_put_varint(struct px_bytes_out *out, uint64_t value)
{
    uint8_t *place = px_bytes_out_reserve(out, px_varint_len(value));
    if (place != NULL) {
        (void)px_varint_write(place, value);
    }
}

#endif
