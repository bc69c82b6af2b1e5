/* files_range.c - RFC 9110 14.1.1 and 14.2, and the limits that keep a small request from asking
 * for a very large answer.
 */
#include "files_range.h"
#include "text.h"

#include <string.h>

/* Digits from the front; what does not fit is as large as can be. False: there are none. */
static bool take_number(struct px_text *in, uint64_t *ret)
{
    uint64_t value = 0;
    size_t n = 0;
    for (; n < in->len && text_is_digit(in->ptr[n]); n++) {
        uint64_t digit = (uint64_t)(in->ptr[n] - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *in = (struct px_text){in->ptr + n, in->len - n};
    *ret = value;
    return n > 0;
}

static bool take_char(struct px_text *in, char c)
{
    if (in->len == 0 || in->ptr[0] != c) {
        return false;
    }
    in->ptr++;
    in->len--;
    return true;
}

static void take_space(struct px_text *in)
{
    while (take_char(in, ' ') || take_char(in, '\t')) {
    }
}

/* "-500": the last bytes, or all. */
static bool take_suffix(struct px_text *in, uint64_t length, struct byte_range *ret)
{
    uint64_t n = 0;
    if (!take_number(in, &n)) {
        return false;
    }
    ret->len = n < length ? n : length;
    ret->first = length - ret->len;
    return true;
}

/* One range, `ret->len` 0 if nothing of it is there. False: malformed. */
static bool take_range(struct px_text *in, uint64_t length, struct byte_range *ret)
{
    uint64_t first = 0, last = 0;
    if (take_char(in, '-')) {
        return take_suffix(in, length, ret);
    }
    if (!take_number(in, &first) || !take_char(in, '-')) {
        return false;
    }
    if (!take_number(in, &last)) {
        last = UINT64_MAX; /* to the end */
    }
    if (last < first) {
        return false;
    }
    ret->first = first;
    ret->len = first >= length ? 0 : (last < length ? last : length - 1) - first + 1;
    return true;
}

/* Does it share bytes with one of those before it? */
static bool overlaps(const struct byte_range *ranges, uint32_t n, const struct byte_range *range)
{
    for (uint32_t i = 0; i < n; i++) {
        if (range->first < ranges[i].first + ranges[i].len &&
            ranges[i].first < range->first + range->len) {
            return true;
        }
    }
    return false;
}

static bool unit_is_bytes(struct px_text *in)
{
    static const char unit[] = "bytes=";
    for (size_t i = 0; i < sizeof unit - 1; i++) {
        if (i >= in->len || (unit[i] == '=' ? in->ptr[i] : in->ptr[i] | 0x20) != unit[i]) {
            return false;
        }
    }
    in->ptr += sizeof unit - 1;
    in->len -= sizeof unit - 1;
    return true;
}

enum ranges ranges_parse(struct px_text value, uint64_t length, uint32_t max,
                         struct byte_range ret[RANGES_MAX], uint32_t *ret_n)
{
    uint32_t n = 0, n_asked = 0, n_overlaps = 0;
    uint64_t left = length;
    bool is_too_much = false; /* never of one range */
    if (length == 0 || !unit_is_bytes(&value)) {
        return RANGES_ALL;
    }
    for (;;) {
        struct byte_range range = {0, 0};
        take_space(&value);
        while (take_char(&value, ',')) { /* RFC 9110 5.6.1.2: empty elements are passed over */
            take_space(&value);
        }
        if (value.len == 0) {
            break;
        }
        if (!take_range(&value, length, &range) || ++n_asked > max || n_asked > RANGES_MAX) {
            return RANGES_ALL;
        }
        take_space(&value);
        if (value.len > 0 && value.ptr[0] != ',') {
            return RANGES_ALL;
        }
        if (range.len > 0) {
            n_overlaps += overlaps(ret, n, &range) ? 1 : 0;
            is_too_much = is_too_much || range.len > left;
            left -= is_too_much ? 0 : range.len;
            ret[n++] = range;
        }
    }
    if (n_asked == 0 || n_overlaps > 1 || is_too_much) {
        return RANGES_ALL;
    }
    *ret_n = n;
    return n == 0 ? RANGES_NONE : RANGES_SOME;
}
