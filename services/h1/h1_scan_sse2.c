/* h1_scan_sse2.c - the scan table for x86-64, where SSE2 is always there: 16 bytes at a time.
 * What is left at the end is looked at together with good bytes before it once more, or as two
 * overlapping halves; only very short texts go one by one. */
#include <emmintrin.h>
#include <string.h>

#include "h1_scan.h"

enum { BLOCK = 16, HALF = 8, QUARTER = 4 };

static __m128i block_load(const uint8_t *src)
{
    return _mm_loadu_si128((const __m128i *)(const void *)src);
}

static void block_store(uint8_t *dst, __m128i x)
{
    _mm_storeu_si128((__m128i *)(void *)dst, x);
}

/* Eight bytes in the lower half; the other is zero. */
static __m128i half_load(const uint8_t *src)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)src);
}

static void half_store(uint8_t *dst, __m128i x)
{
    _mm_storel_epi64((__m128i *)(void *)dst, x);
}

static __m128i quarter_load(const uint8_t *src)
{
    int32_t x;
    memcpy(&x, src, sizeof x);
    return _mm_cvtsi32_si128(x);
}

static void quarter_store(uint8_t *dst, __m128i x)
{
    int32_t y = _mm_cvtsi128_si32(x);
    memcpy(dst, &y, sizeof y);
}

/* All of a text of 8..16 bytes: the first 8, then the last 8. */
static __m128i halves_load(const uint8_t *src, size_t len)
{
    return _mm_unpacklo_epi64(half_load(src), half_load(src + len - HALF));
}

/* All of a text of 4..8 bytes: the first 4, then the last 4, then zeros. */
static __m128i quarters_load(const uint8_t *src, size_t len)
{
    return _mm_unpacklo_epi32(quarter_load(src), quarter_load(src + len - QUARTER));
}

/* `good` bytes of two overlapping parts are good: how many of the text? A byte that is in both is
 * judged the same in both. */
static size_t good_of_parts(size_t good, size_t part, size_t len)
{
    return good < part ? good : good + len - 2 * part;
}

/* How many of the first bytes of `ok` are not 0. */
static size_t good_block(__m128i ok)
{
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(ok) ^ 0x1ffff);
}

/* The same of a part: `width` at most. */
static size_t good_bytes(__m128i ok, size_t width)
{
    unsigned bad = ~(unsigned)_mm_movemask_epi8(ok);
    return (size_t)__builtin_ctz(bad | 1u << width);
}

/* Where low <= byte < low + n: moved to the upper end of the signed numbers, they are the largest.
 */
static __m128i in_range(__m128i bytes, int low, int n)
{
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8((char)(128 - low - n)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(127 - n)));
}

static __m128i value_ok(__m128i x)
{
    __m128i printable = _mm_cmpeq_epi8(_mm_max_epu8(x, _mm_set1_epi8(0x20)), x);
    __m128i ok = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)), printable);
    return _mm_or_si128(ok, _mm_cmpeq_epi8(x, _mm_set1_epi8('\t')));
}

static __m128i target_ok(__m128i x)
{
    __m128i visible = _mm_cmpgt_epi8(x, _mm_set1_epi8(0x20)); /* signed: 0x80.. are below */
    __m128i bad =
        _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)), _mm_cmpeq_epi8(x, _mm_set1_epi8('#')));
    return _mm_andnot_si128(bad, visible);
}

/* Letters, digits and '-' make nearly every name, and bit 5 is set in all of them in lower case. */
static __m128i name_ok(__m128i x, __m128i lower)
{
    __m128i ok = _mm_or_si128(in_range(lower, 'a', 26), in_range(x, '0', 10));
    return _mm_or_si128(ok, _mm_cmpeq_epi8(x, _mm_set1_epi8('-')));
}

/* Letters, digits, '-' and '.'; of what lies from '-' to '9' only '/' is left out. */
static __m128i host_ok(__m128i x)
{
    __m128i lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
    __m128i rest =
        _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('/')), in_range(x, '-', '9' - '-' + 1));
    return _mm_or_si128(in_range(lower, 'a', 26), rest);
}

/* Which of 16 bytes may not stand in a value; bit 16 is always set. */
static inline unsigned value_bad(const uint8_t *src)
{
    return (unsigned)_mm_movemask_epi8(value_ok(block_load(src))) ^ 0x1ffff;
}

static size_t value_scan(const uint8_t *src, size_t len)
{
    size_t i = 0;
    for (; len - i >= BLOCK; i += BLOCK) {
        unsigned bad = value_bad(src + i);
        if (bad != 1u << BLOCK) {
            return i + (size_t)__builtin_ctz(bad);
        }
    }
    if (len >= BLOCK) {
        return len - BLOCK + (size_t)__builtin_ctz(value_bad(src + len - BLOCK));
    }
    if (len >= HALF) {
        return good_of_parts(good_block(value_ok(halves_load(src, len))), HALF, len);
    }
    if (len >= QUARTER) {
        return good_of_parts(good_bytes(value_ok(quarters_load(src, len)), HALF), QUARTER, len);
    }
    return h1_scan_scalar.value(src, len);
}

/* A host of any length: good blocks, then the last good byte and what follows it. */
__attribute__((noinline)) static size_t host_scan_any(const uint8_t *src, size_t len)
{
    size_t i = 0;
    while (len - i > BLOCK && good_block(host_ok(block_load(src + i))) == BLOCK) {
        i += BLOCK;
    }
    i -= i > 0 ? 1 : 0;
    size_t good = h1_scan_scalar.host(src + i, len - i);
    return good > 0 ? i + good : 0;
}

/* The bits of two halves of `len` bytes, one for each byte. */
static unsigned halves_bits(__m128i ok, size_t len)
{
    unsigned bits = (unsigned)_mm_movemask_epi8(ok);
    return (bits & 0xff) | bits >> 8 << (len - HALF);
}

/* Nearly every host with its port fits a block. */
static size_t host_scan(const uint8_t *src, size_t len)
{
    if (len < HALF || len > BLOCK) {
        return host_scan_any(src, len);
    }
    __m128i x = halves_load(src, len);
    unsigned bad = ~halves_bits(host_ok(x), len);
    size_t host = (size_t)__builtin_ctz(bad);
    if (host == len) {
        return len;
    }
    /* Behind the host: a colon, and digits up to the end. */
    unsigned digits = halves_bits(in_range(x, '0', 10), len) >> host;
    unsigned wanted = (1u << (len - host)) - 2;
    return src[host] == ':' && digits == wanted && len - host - 1 <= H1_PORT_DIGITS_MAX ? host : 0;
}

static size_t target_scan(const uint8_t *src, size_t len)
{
    size_t i = 0;
    for (; len - i >= BLOCK; i += BLOCK) {
        size_t good = good_block(target_ok(block_load(src + i)));
        if (good < BLOCK) {
            return i + good;
        }
    }
    return i == len ? i : i + h1_scan_scalar.target(src + i, len - i);
}

/* name_scan of less than a block: how many of the first bytes were letters, digits and '-'. */
static size_t name_start(uint8_t *dst, const uint8_t *src, size_t len)
{
    const __m128i bit = _mm_set1_epi8(0x20);
    if (len >= HALF) {
        __m128i x = halves_load(src, len);
        __m128i lower = _mm_or_si128(x, bit);
        half_store(dst, lower);
        half_store(dst + len - HALF, _mm_unpackhi_epi64(lower, lower));
        return good_of_parts(good_block(name_ok(x, lower)), HALF, len);
    }
    if (len >= QUARTER) {
        __m128i x = quarters_load(src, len);
        __m128i lower = _mm_or_si128(x, bit);
        quarter_store(dst, lower);
        quarter_store(dst + len - QUARTER, _mm_srli_epi64(lower, 32));
        return good_of_parts(good_bytes(name_ok(x, lower), HALF), QUARTER, len);
    }
    return 0;
}

/* name_scan of one block: how many of the first bytes were letters, digits and '-'. */
static inline size_t name_block(uint8_t *dst, const uint8_t *src)
{
    __m128i x = block_load(src);
    __m128i lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
    block_store(dst, lower);
    return good_block(name_ok(x, lower));
}

/* A name of any length. The other token characters, and what ends a name, are left to the twin. */
__attribute__((noinline)) static size_t name_scan_any(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t i = 0;
    size_t good = BLOCK;
    if (len < BLOCK) {
        i = name_start(dst, src, len);
        good = 0;
    }
    while (good == BLOCK && i < len) {
        i = len - i >= BLOCK ? i : len - BLOCK; /* the last block may overlap */
        good = name_block(dst + i, src + i);
        i += good;
    }
    return i == len ? i : i + h1_scan_scalar.name(dst + i, src + i, len - i);
}

/* Nearly every name ends in the first block. */
static size_t name_scan(uint8_t *dst, const uint8_t *src, size_t len)
{
    if (len >= BLOCK) {
        size_t good = name_block(dst, src);
        if (good < BLOCK && h1_token_lower[src[good]] == 0) {
            return good;
        }
    }
    return name_scan_any(dst, src, len);
}

/* Any line; not inline, so that line_scan need not save registers for it. */
__attribute__((noinline)) static struct h1_scan_line line_scan_any(uint8_t *dst, const uint8_t *src,
                                                                   size_t len)
{
    size_t name_len = name_scan_any(dst, src, len < H1_NAME_MAX ? len : H1_NAME_MAX);
    if (name_len == 0 || name_len == len || src[name_len] != ':') {
        return (struct h1_scan_line){0, 0};
    }
    size_t start = name_len + 1;
    return (struct h1_scan_line){name_len, start + value_scan(src + start, len - start)};
}

/* Nearly every line has a name of at most one block. */
static struct h1_scan_line line_scan(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t name_len = len > BLOCK ? name_block(dst, src) : 0;
    if (name_len == 0 || src[name_len] != ':') {
        return line_scan_any(dst, src, len);
    }
    size_t i = name_len + 1;
    for (; len - i >= BLOCK; i += BLOCK) {
        unsigned bad = value_bad(src + i);
        if (bad != 1u << BLOCK) {
            return (struct h1_scan_line){name_len, i + (size_t)__builtin_ctz(bad)};
        }
    }
    /* What is left, with good bytes before it; those of a name would be good in a value, too. */
    i = len - BLOCK;
    return (struct h1_scan_line){name_len, i + (size_t)__builtin_ctz(value_bad(src + i))};
}

/* A name of 8..16 letters, digits and '-', as nearly all are, or any other. */
static inline bool name_put(uint8_t *dst, const uint8_t *src, size_t len)
{
    if (len >= HALF && len <= BLOCK) {
        __m128i x = halves_load(src, len);
        __m128i lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
        half_store(dst, lower);
        half_store(dst + len - HALF, _mm_unpackhi_epi64(lower, lower));
        if (_mm_movemask_epi8(name_ok(x, lower)) == 0xffff) {
            return true;
        }
    }
    return name_scan_any(dst, src, len) == len;
}

/* A value of 8..32 bytes in two parts, or any other. */
static inline bool value_put(uint8_t *dst, const uint8_t *src, size_t len)
{
    if (len >= HALF && len <= BLOCK) {
        __m128i x = halves_load(src, len);
        half_store(dst, x);
        half_store(dst + len - HALF, _mm_unpackhi_epi64(x, x));
        return _mm_movemask_epi8(value_ok(x)) == 0xffff;
    }
    if (len > BLOCK && len <= 2 * BLOCK) {
        __m128i x = block_load(src);
        __m128i y = block_load(src + len - BLOCK);
        block_store(dst, x);
        block_store(dst + len - BLOCK, y);
        return _mm_movemask_epi8(_mm_and_si128(value_ok(x), value_ok(y))) == 0xffff;
    }
    if (len > 0) {
        memcpy(dst, src, len);
    }
    return value_scan(src, len) == len;
}

static bool line_put(uint8_t *dst, const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len)
{
    if (!name_put(dst, name, name_len) || !value_put(dst + name_len + 2, value, value_len)) {
        return false;
    }
    memcpy(dst + name_len, ": ", 2);
    memcpy(dst + name_len + 2 + value_len, "\r\n", 2);
    return true;
}

const struct h1_scan h1_scan_sse2 = {
    .value = value_scan,
    .target = target_scan,
    .name = name_scan,
    .host = host_scan,
    .line = line_scan,
    .put = line_put,
};
