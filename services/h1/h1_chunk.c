/* h1_chunk.c - the chunked transfer coding (RFC 9112 7.1).
 *
 *     SIZE --CR--> SIZE_LF --LF--> DATA --> DATA_CR --> DATA_LF --> SIZE
 *      |  ';'         ^     size 0: TRAILERS --> OVER
 *      v              |CR
 *     EXT_NAME_FIRST -> EXT_NAME -'='-> EXT_VALUE_FIRST -> EXT_VALUE
 *                       (';' leads back)       '"' --> EXT_QUOTED <--> EXT_ESCAPED
 *                                                        '"' --> EXT_CLOSED
 */
#include "h1_chunk.h"

enum state {
    SIZE, /* 0: a zeroed decoder expects the first size */
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_CLOSED,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILERS,
    OVER
};

enum { BAD = 400, LINE_ENDS_LEN = 4 /* CR LF behind the size and behind the data */ };

static bool refuse(struct h1_refusal *ret_refusal, const char *reason)
{
    *ret_refusal = (struct h1_refusal){BAD, reason};
    return false;
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* One byte of the size, or the one that ends it. */
static bool size_byte(struct h1_chunk *c, uint8_t byte, struct h1_refusal *ret_refusal)
{
    int digit = hex_value(byte);
    if (digit >= 0) {
        if (c->digits == H1_CHUNK_DIGITS_MAX) {
            return refuse(ret_refusal, "chunk size too long");
        }
        c->digits++;
        c->left = c->left << 4 | (uint64_t)digit;
        return true;
    }
    if (c->digits == 0 || (byte != '\r' && byte != ';')) {
        return refuse(ret_refusal, "malformed chunk size");
    }
    if (byte == ';') {
        c->ext++;
        c->ext_all++;
    }
    c->state = byte == '\r' ? SIZE_LF : EXT_NAME_FIRST;
    return true;
}

/* Where a name, a token value or a closed quoted string may be followed by more; OVER when it may
 * not. */
static enum state ext_after(uint8_t byte)
{
    switch (byte) {
    case ';':
        return EXT_NAME_FIRST;
    case '\r':
        return SIZE_LF;
    default:
        return OVER;
    }
}

/* The state behind one byte of extension; OVER when it may not stand there. */
static enum state ext_next(enum state state, uint8_t byte)
{
    bool token = h1_token_lower[byte] != 0;
    bool text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    switch (state) {
    case EXT_NAME_FIRST:
        return token ? EXT_NAME : OVER;
    case EXT_NAME:
        if (byte == '=') {
            return EXT_VALUE_FIRST;
        }
        return token ? EXT_NAME : ext_after(byte);
    case EXT_VALUE_FIRST:
        if (byte == '"') {
            return EXT_QUOTED;
        }
        return token ? EXT_VALUE : OVER;
    case EXT_VALUE:
        return token ? EXT_VALUE : ext_after(byte);
    case EXT_QUOTED:
        if (byte == '"' || byte == '\\') {
            return byte == '"' ? EXT_CLOSED : EXT_ESCAPED;
        }
        return text ? EXT_QUOTED : OVER;
    case EXT_ESCAPED:
        return text ? EXT_QUOTED : OVER;
    default: /* EXT_CLOSED */
        return ext_after(byte);
    }
}

static bool ext_byte(struct h1_chunk *c, uint8_t byte, struct h1_refusal *ret_refusal)
{
    enum state next = ext_next((enum state)c->state, byte);
    if (next == OVER) {
        return refuse(ret_refusal, "malformed chunk extension");
    }
    if (next != SIZE_LF) {
        c->ext++;
        c->ext_all++;
    }
    if (c->ext > H1_CHUNK_EXT_MAX || c->ext_all > H1_CHUNK_EXT_ALL_MAX) {
        return refuse(ret_refusal, "too much chunk extension");
    }
    c->state = (uint8_t)next;
    return true;
}

/* The line with the size is complete: is this chunk worth its while? */
static bool size_end(struct h1_chunk *c, struct h1_refusal *ret_refusal)
{
    if (c->left == 0) {
        c->trailers = (struct h1_resume){0};
        c->state = TRAILERS;
        return true;
    }
    int64_t gain = c->left > INT64_MAX ? INT64_MAX : (int64_t)c->left;
    c->surplus -= H1_CHUNK_MEAN_MIN;
    c->surplus = c->surplus > 0 && gain > INT64_MAX - c->surplus ? INT64_MAX : c->surplus + gain;
    if (c->encoded > H1_CHUNK_GRACE && c->surplus < 0) {
        return refuse(ret_refusal, "chunks too small");
    }
    if (c->encoded <= H1_CHUNK_GRACE) {
        uint64_t data = c->left > H1_CHUNK_GRACE ? H1_CHUNK_GRACE : c->left;
        c->encoded += (uint32_t)data + c->digits + c->ext + LINE_ENDS_LEN;
    }
    c->state = DATA;
    return true;
}

/* One byte of anything but data and trailers. */
static bool line_byte(struct h1_chunk *c, uint8_t byte, struct h1_refusal *ret_refusal)
{
    switch ((enum state)c->state) {
    case SIZE:
        return size_byte(c, byte, ret_refusal);
    case SIZE_LF:
        return byte == '\n' ? size_end(c, ret_refusal)
                            : refuse(ret_refusal, "chunk size does not end with CR LF");
    case DATA_CR:
        c->state = DATA_LF;
        return byte == '\r' || refuse(ret_refusal, "chunk data does not end with CR LF");
    case DATA_LF:
        c->state = SIZE;
        c->digits = 0;
        c->ext = 0;
        return byte == '\n' || refuse(ret_refusal, "chunk data does not end with CR LF");
    default:
        return ext_byte(c, byte, ret_refusal);
    }
}

enum px_parse h1_chunk_next(struct h1_chunk *chunk, struct px_bytes *in,
                            struct px_bytes_out *trailers, const struct h1_limits *limits,
                            struct px_span *ret_body, struct h1_refusal *ret_refusal)
{
    *ret_body = px_span_of(NULL, 0);
    while (chunk->state != OVER) {
        if (chunk->state == TRAILERS) {
            enum px_parse r =
                h1_trailers_parse(&chunk->trailers, in, trailers, limits, ret_refusal);
            if (r != PX_PARSE_DONE) {
                return r;
            }
            chunk->state = OVER;
        } else if (px_bytes_left(in) == 0) {
            return PX_PARSE_MORE;
        } else if (chunk->state == DATA) {
            size_t there = px_bytes_left(in);
            *ret_body = px_bytes_take(in, chunk->left < there ? (size_t)chunk->left : there);
            chunk->left -= ret_body->len;
            chunk->state = chunk->left == 0 ? DATA_CR : DATA;
            return PX_PARSE_MORE;
        } else if (!line_byte(chunk, px_bytes_u8(in), ret_refusal)) {
            return PX_PARSE_BAD;
        }
    }
    return PX_PARSE_DONE;
}

/* ---- encoding ---- */

void h1_chunk_put_head(struct px_bytes_out *out, uint64_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t digits = 1;
    for (uint64_t rest = len; rest >= 16; rest >>= 4) {
        digits++;
    }
    uint8_t *line = px_bytes_out_reserve(out, digits + 2);
    if (line == NULL) {
        return;
    }
    line[digits] = '\r';
    line[digits + 1] = '\n';
    while (digits > 0) {
        line[--digits] = (uint8_t)hex[len & 15];
        len >>= 4;
    }
}

void h1_chunk_put_tail(struct px_bytes_out *out)
{
    px_bytes_put(out, "\r\n", 2);
}

bool h1_chunk_put_last(struct px_bytes_out *out, struct px_span trailers,
                       const struct h1_scan *scan)
{
    struct h1_lines lines = {.scan = scan, .refuse = H1_FIELD_NO_TRAILER};
    if (px_bytes_out_room(out) < trailers.len + 5) {
        return false;
    }
    uint8_t *at = out->ptr;
    memcpy(at, "0\r\n", 3);
    at = h1_lines_write(at + 3, trailers, &lines);
    if (at == NULL) {
        return false;
    }
    memcpy(at, "\r\n", 2);
    out->ptr = at + 2;
    return true;
}
