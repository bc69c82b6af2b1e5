/* form_multipart.c - multipart/form-data (RFC 7578; delimiters: RFC 2046 5.1.1).
 *
 *     PREAMBLE --delimiter--> BEHIND
 *     BEHIND --"--"--> EPILOGUE            until the body ends
 *     BEHIND --spaces, CRLF--> HEAD
 *     HEAD --empty line--> DATA            begins a part
 *     DATA --delimiter--> BEHIND           ends it
 *
 * A delimiter begins with CR, and no other byte of it is one: what was taken for the beginning of a
 * delimiter and is none can only be given as it is, and the search goes on behind it.
 */
#include "form_parse.h"

enum { PREAMBLE, BEHIND, BEHIND_DASH, BEHIND_SPACE, BEHIND_CR, HEAD, DATA, EPILOGUE };

/* ---- delimiters ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many bytes stand in front of a delimiter, or of what may become one. */
static size_t plain_len(const struct form_parser *p, const struct px_bytes *in)
{
    const uint8_t *at = in->ptr;
    while (at < in->end) {
        at = memchr(at, '\r', (size_t)(in->end - at));
        if (at == NULL) {
            return px_bytes_left(in);
        }
        if (memcmp(at, p->delimiter, least((size_t)(in->end - at), p->delimiter_len)) == 0) {
            break;
        }
        at++;
    }
    return (size_t)(at - in->ptr);
}

/* The rest of a delimiter. True: it is complete. */
static bool delimiter_take(struct form_parser *p, struct px_bytes *in)
{
    while (px_bytes_left(in) > 0 && p->n_held < p->delimiter_len &&
           *in->ptr == p->delimiter[p->n_held]) {
        px_bytes_skip(in, 1);
        p->n_held++;
    }
    if (p->n_held < p->delimiter_len) {
        return false;
    }
    p->n_held = 0;
    p->state = BEHIND;
    return true;
}

static enum form_step preamble_next(struct form_parser *p, struct px_bytes *in)
{
    while (px_bytes_left(in) > 0) {
        if (p->n_held == 0) {
            px_bytes_skip(in, plain_len(p, in));
        }
        if (delimiter_take(p, in)) {
            break;
        }
        p->n_held = px_bytes_left(in) > 0 ? 0 : p->n_held;
    }
    return FORM_MORE;
}

/* ---- data ---- */

static enum form_step data_give(struct form_parser *p, const uint8_t *ptr, size_t len)
{
    uint64_t room =
        (p->part.is_file ? p->limits.file_len_max : p->limits.value_len_max) - p->part_len;
    p->over = len > room;
    if (p->over && room == 0) {
        return FORM_LIMIT;
    }
    p->data = px_span_of(ptr, p->over ? (size_t)room : len);
    p->part_len += p->data.len;
    return FORM_DATA;
}

static enum form_step data_next(struct form_parser *p, struct px_bytes *in)
{
    if (p->over) {
        return FORM_LIMIT;
    }
    if (p->n_held == 0) {
        size_t len = plain_len(p, in);
        const uint8_t *from = in->ptr;
        px_bytes_skip(in, len);
        if (len > 0) {
            return data_give(p, from, len);
        }
    }
    if (delimiter_take(p, in)) {
        return FORM_END;
    }
    if (px_bytes_left(in) > 0) {
        uint32_t held = p->n_held;
        p->n_held = 0;
        return data_give(p, p->delimiter, held);
    }
    return FORM_MORE;
}

/* ---- heads ---- */

static enum form_step head_end(struct form_parser *p)
{
    enum form_step step = form_head_read(p->mem, p->mem_len - 2, &p->limits, &p->part);
    if (step != FORM_DONE) {
        return step;
    }
    p->part.index = p->n_parts++;
    p->part_len = 0;
    p->mem_len = 0;
    p->state = DATA;
    return FORM_BEGIN;
}

static enum form_step head_next(struct form_parser *p, struct px_bytes *in)
{
    while (px_bytes_left(in) > 0) {
        if (p->mem_len == p->limits.header_len_max) {
            return FORM_LIMIT;
        }
        uint8_t c = px_bytes_u8(in);
        p->mem[p->mem_len++] = c;
        uint32_t n = p->mem_len;
        if (c == '\n' && n == 2 && p->mem[0] == '\r') {
            return FORM_BAD; /* RFC 7578 4.2: a Content-Disposition is required */
        }
        if (c == '\n' && n >= 4 && memcmp(p->mem + n - 4, "\r\n\r\n", 4) == 0) {
            return head_end(p);
        }
    }
    return FORM_MORE;
}

/* What stands on the line of a delimiter behind it. */
static enum form_step behind_take(struct form_parser *p, uint8_t c)
{
    if (p->state == BEHIND && c == '-') {
        p->state = BEHIND_DASH;
    } else if (p->state == BEHIND_DASH && c == '-') {
        p->state = EPILOGUE;
    } else if ((p->state == BEHIND || p->state == BEHIND_SPACE) && (c == ' ' || c == '\t')) {
        p->state = BEHIND_SPACE;
    } else if ((p->state == BEHIND || p->state == BEHIND_SPACE) && c == '\r') {
        p->state = BEHIND_CR;
    } else if (p->state == BEHIND_CR && c == '\n') {
        p->state = HEAD;
    } else {
        return FORM_BAD;
    }
    return p->state == HEAD && p->n_parts == p->limits.parts_max ? FORM_LIMIT : FORM_MORE;
}

enum form_step multipart_next(struct form_parser *p, struct px_bytes *in, bool fin)
{
    enum form_step step = FORM_MORE;
    while (step == FORM_MORE && px_bytes_left(in) > 0) {
        switch (p->state) {
        case PREAMBLE:
            step = preamble_next(p, in);
            break;
        case HEAD:
            step = head_next(p, in);
            break;
        case DATA:
            step = data_next(p, in);
            break;
        case EPILOGUE:
            px_bytes_skip(in, px_bytes_left(in));
            break;
        default:
            step = behind_take(p, px_bytes_u8(in));
            break;
        }
    }
    if (step == FORM_MORE && p->over) {
        return FORM_LIMIT;
    }
    if (step == FORM_MORE && fin) {
        return p->state == EPILOGUE ? FORM_DONE : FORM_BAD;
    }
    return step;
}
