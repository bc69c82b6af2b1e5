/* form_urlencoded.c - application/x-www-form-urlencoded (WHATWG URL 5.1), with its two kinds, and
 * what every parser of forms has in common.
 *
 *     NAME --'='--> VALUE      begins a part
 *     NAME --'&', end--> ENDING   begins a part without value; nothing at all between two '&' is
 * none VALUE --'&', end--> NAME    ends it ENDING --> NAME             ends it
 */
#include "form_parse.h"

enum { NAME, VALUE, ENDING };

/* ---- all forms ---- */

size_t form_memory(enum form_kind kind, const struct form_limits *limits)
{
    return kind == FORM_MULTIPART ? limits->header_len_max : limits->name_len_max;
}

void form_init(struct form_parser *p, enum form_kind kind, const struct form_limits *limits,
               struct px_text boundary, uint8_t *mem)
{
    *p = (struct form_parser){.limits = *limits, .kind = kind, .mem = mem};
    if (kind == FORM_MULTIPART) {
        memcpy(p->delimiter, "\r\n--", 4);
        memcpy(p->delimiter + 4, boundary.ptr, boundary.len);
        p->delimiter_len = (uint8_t)(4 + boundary.len);
        p->n_held = 2; /* the first delimiter needs no CRLF if nothing is before it */
    }
}

enum form_step form_next(struct form_parser *p, struct px_bytes *in, bool fin)
{
    if (p->verdict != FORM_MORE) {
        return p->verdict;
    }
    enum form_step step =
        p->kind == FORM_MULTIPART ? multipart_next(p, in, fin) : urlencoded_next(p, in, fin);
    if (step == FORM_BAD || step == FORM_LIMIT) {
        p->verdict = step;
    }
    return step;
}

/* ---- escapes ---- */

enum { DECODE_BAD = -1, DECODE_MORE = -2 };

/* What byte `c` completes: 0..255, or that an escape goes on, or is none. */
static int decode(struct form_parser *p, uint8_t c)
{
    int digit = p->escape == 0 ? 0 : form_hex(c);
    if (digit < 0) {
        return DECODE_BAD;
    }
    if (p->escape == 1) {
        p->escape = 2;
        p->escape_high = (uint8_t)(digit << 4);
        return DECODE_MORE;
    }
    if (p->escape == 2) {
        p->escape = 0;
        return p->escape_high | digit;
    }
    if (c == '%') {
        p->escape = 1;
        return DECODE_MORE;
    }
    return c == '+' ? ' ' : c;
}

/* ---- names ---- */

static enum form_step pair_begin(struct form_parser *p, uint32_t next)
{
    struct px_text name = {(const char *)p->mem, p->mem_len};
    if (p->escape != 0 || !form_text_ok(name)) {
        return FORM_BAD;
    }
    if (p->n_parts == p->limits.parts_max) {
        return FORM_LIMIT;
    }
    p->part = (struct px_form_part){
        .name = name, .filename = {"", 0}, .type = {"", 0}, .index = p->n_parts};
    p->n_parts++;
    p->part_len = 0;
    p->state = next;
    return FORM_BEGIN;
}

static enum form_step name_take(struct form_parser *p, uint8_t c)
{
    int byte = decode(p, c);
    p->seen = true;
    if (byte == DECODE_BAD) {
        return FORM_BAD;
    }
    if (byte >= 0 && p->mem_len == p->limits.name_len_max) {
        return FORM_LIMIT;
    }
    if (byte >= 0) {
        p->mem[p->mem_len++] = (uint8_t)byte;
    }
    return FORM_MORE;
}

static enum form_step name_next(struct form_parser *p, struct px_bytes *in, bool fin)
{
    while (px_bytes_left(in) > 0) {
        uint8_t c = px_bytes_u8(in);
        if (c == '=') {
            return pair_begin(p, VALUE);
        }
        if (c == '&' && p->seen) {
            return pair_begin(p, ENDING);
        }
        enum form_step step = c == '&' ? FORM_MORE : name_take(p, c);
        if (step != FORM_MORE) {
            return step;
        }
    }
    if (fin && p->seen) {
        return pair_begin(p, ENDING);
    }
    return fin ? FORM_DONE : FORM_MORE;
}

/* ---- values ---- */

static enum form_step pair_end(struct form_parser *p)
{
    p->state = NAME;
    p->mem_len = 0;
    p->seen = false;
    return FORM_END;
}

/* Bytes that were decoded are given before anything else is said. */
static enum form_step value_next(struct form_parser *p, struct px_bytes *in, bool fin)
{
    size_t len = 0;
    enum form_step step = FORM_MORE;
    while (px_bytes_left(in) > 0 && len < sizeof p->out && step == FORM_MORE) {
        struct px_bytes before = *in;
        uint8_t c = px_bytes_u8(in);
        if (c == '&') {
            step = p->escape != 0 ? FORM_BAD : FORM_END;
        } else {
            uint32_t escape = p->escape;
            int byte = decode(p, c);
            if (byte == DECODE_BAD) {
                step = FORM_BAD;
            } else if (byte >= 0 && p->part_len + len == p->limits.value_len_max) {
                p->escape = escape;
                step = FORM_LIMIT;
            } else if (byte >= 0) {
                p->out[len++] = (uint8_t)byte;
            }
        }
        if (step != FORM_MORE && len > 0) {
            *in = before;
        }
    }
    if (len > 0) {
        p->data = px_span_of(p->out, len);
        p->part_len += len;
        return FORM_DATA;
    }
    if (step == FORM_MORE && fin) {
        step = p->escape != 0 ? FORM_BAD : FORM_END;
    }
    return step == FORM_END ? pair_end(p) : step;
}

enum form_step urlencoded_next(struct form_parser *p, struct px_bytes *in, bool fin)
{
    switch (p->state) {
    case NAME:
        return name_next(p, in, fin);
    case VALUE:
        return value_next(p, in, fin);
    default:
        return pair_end(p);
    }
}
