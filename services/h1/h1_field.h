/* h1_field.h - one section of fields, header or trailer, line by line (RFC 9110 5, RFC 9112 5).
 *
 * Strict: a name is a token of 1..H1_NAME_MAX bytes directly followed by a colon, a value has no
 * control byte but HT, a line ends with CR LF and does not continue on the next. Names become
 * lower-case; values lose the white space around them.
 */
#ifndef H1_FIELD_H
#define H1_FIELD_H

#include <px/bytes.h>
#include <px/err.h>

#include "h1_scan.h"

enum {
    H1_REQUEST_LINE_MAX = 8192, /* bytes without CR LF; 414 */
    H1_HEADER_LINE_MAX = 8192,  /* bytes without CR LF; 431 */
    H1_HEADERS_LEN_MAX = 32768, /* bytes of all header lines with their CR LF; 431 */
    H1_HEADERS_MAX = 100,       /* fields; 431; the longest name: h1_scan.h */
    H1_METHOD_MAX = 32          /* bytes of a method, not configurable; 501 */
};

/* What the parsers of this service obey. h1_limits_default fits a server that faces the internet. A
 * request line and the header lines together must stay below 2^31 bytes. */
struct h1_limits {
    const struct h1_scan *scan;
    uint32_t request_line_max;
    uint32_t header_line_max;
    uint32_t headers_len_max;
    uint32_t headers_max;
    bool any_method; /* take every token as a method; otherwise only enum h1_method, or 501 */
    bool connect;    /* take CONNECT; otherwise 501 */
};

/* The defaults above, with the given table. */
struct h1_limits h1_limits_default(const struct h1_scan *scan);

/* Why a message was refused: the status to answer with, and a short constant text. */
struct h1_refusal {
    uint16_t status;
    const char *reason;
};

/* Where a message that came in pieces stands, so that no byte is looked at more than a few times.
 * All zero before the first byte of a message. Offsets count from that byte. */
struct h1_resume {
    uint32_t line;    /* start of the first unfinished line */
    uint32_t scanned; /* up to here that line has no control byte but HT */
    uint32_t room;    /* bytes the fields may still take, from that line on */
    bool begun;       /* the parser was called before */
    bool in_section;  /* the unfinished line is a field line */
};

/* The fields this service knows by name. */
enum h1_field_id {
    H1_FIELD_OTHER, /* every other name */
    H1_FIELD_AUTHORIZATION,
    H1_FIELD_CACHE_CONTROL,
    H1_FIELD_CONNECTION,
    H1_FIELD_CONTENT_ENCODING,
    H1_FIELD_CONTENT_LENGTH,
    H1_FIELD_CONTENT_LOCATION,
    H1_FIELD_CONTENT_RANGE,
    H1_FIELD_CONTENT_TYPE,
    H1_FIELD_COOKIE,
    H1_FIELD_DATE,
    H1_FIELD_EXPECT,
    H1_FIELD_FORWARDED,
    H1_FIELD_FROM,
    H1_FIELD_HOST,
    H1_FIELD_IF_MATCH,
    H1_FIELD_IF_MODIFIED_SINCE,
    H1_FIELD_IF_NONE_MATCH,
    H1_FIELD_IF_RANGE,
    H1_FIELD_IF_UNMODIFIED_SINCE,
    H1_FIELD_KEEP_ALIVE,
    H1_FIELD_MAX_FORWARDS,
    H1_FIELD_ORIGIN,
    H1_FIELD_PRAGMA,
    H1_FIELD_PROXY_AUTHENTICATE,
    H1_FIELD_PROXY_AUTHORIZATION,
    H1_FIELD_PROXY_CONNECTION,
    H1_FIELD_RANGE,
    H1_FIELD_REFERER,
    H1_FIELD_SERVER,
    H1_FIELD_SET_COOKIE,
    H1_FIELD_TE,
    H1_FIELD_TRAILER,
    H1_FIELD_TRANSFER_ENCODING,
    H1_FIELD_UPGRADE,
    H1_FIELD_USER_AGENT,
    H1_FIELD_VIA,
    H1_FIELD_WWW_AUTHENTICATE,
    H1_FIELD_X_FORWARDED_FOR,
    H1_FIELD_X_FORWARDED_HOST,
    H1_FIELD_X_FORWARDED_PROTO
};

/* What the service does with a field it knows. */
enum {
    H1_FIELD_SINGLE = 1,     /* twice in one request: 400, values are never joined */
    H1_FIELD_HOP = 2,        /* in a request: not handed on to the application */
    H1_FIELD_OURS = 4,       /* in a response: not the application's to say */
    H1_FIELD_SWITCH = 8,     /* in a response: only with 101 */
    H1_FIELD_PROTECTED = 16, /* Connection must not name it: 400 */
    H1_FIELD_NO_TRAILER = 32 /* must not come as a trailer (RFC 9110 6.5.1): 400 */
};

struct h1_field_kind {
    uint16_t flags; /* H1_FIELD_SINGLE | ... */
    uint8_t id;     /* enum h1_field_id, below 64 */
    bool alias;     /* it is that name only where '_' is read as '-' (CGI and its heirs): 400 */
};

/* What is known about a name of at least one byte, in lower case. */
struct h1_field_kind h1_field_kind_of(struct px_span name);

/* One section while it is read. */
struct h1_section {
    const struct h1_limits *limits;
    uint64_t seen;   /* 1 << id of the known fields taken so far */
    uint32_t room;   /* bytes of lines the section may still take */
    uint32_t fields; /* taken so far */
};

/* One line. `name` points into `lower`, `value` into the input. */
struct h1_field {
    struct px_span name;  /* in lower case */
    struct px_span value; /* without white space around it */
    struct h1_field_kind kind;
    bool plain; /* all the white space around the value is at most one SP before it */
    uint8_t lower[H1_NAME_MAX + 1];
};

static inline void h1_section_init(struct h1_section *section, const struct h1_limits *limits)
{
    section->limits = limits; /* one by one: see px_span_set */
    section->seen = 0;
    section->room = limits->headers_len_max;
    section->fields = 0;
}

/* What to say about the line at the beginning of `rest` when it is not well-formed, not complete or
 * too long. */
PX_MUST_USE enum px_parse h1_line_judge(const struct h1_section *section, struct px_span rest,
                                        struct h1_refusal *ret_refusal);

/* A text of nothing but value bytes without the white space around it. */
struct px_span h1_space_trim(struct px_span text);

static inline enum px_parse h1_refuse(struct h1_refusal *ret_refusal, uint16_t status,
                                      const char *reason)
{
    *ret_refusal = (struct h1_refusal){status, reason};
    return PX_PARSE_BAD;
}

/* The value is what stands from `at` to `end` without white space around it. There is a colon
 * before `at`, and CR at `end`. */
static inline void h1_value_set(struct h1_field *field, const uint8_t *at, const uint8_t *end)
{
    at += *at == ' ' ? 1 : 0; /* the usual space */
    /* Of what a value may hold only HT and SP are so small. */
    if (*at > ' ' && end[-1] > ' ') {
        field->plain = true;
        px_span_set(&field->value, px_span_of(at, (size_t)(end - at)));
    } else {
        field->plain = at == end;
        field->value = h1_space_trim(px_span_of(at, (size_t)(end - at)));
    }
}

/* Judge a field of a kind that is known. */
static inline enum px_parse h1_kind_check(struct h1_section *section, struct h1_field_kind kind,
                                          struct h1_refusal *ret_refusal)
{
    uint64_t bit = (uint64_t)1 << kind.id;
    if (kind.alias) {
        return h1_refuse(ret_refusal, 400, "underscore twin of a known field");
    }
    if ((kind.flags & H1_FIELD_SINGLE) != 0 && (section->seen & bit) != 0) {
        return h1_refuse(ret_refusal, 400, "field that must come once came twice");
    }
    section->seen |= bit;
    return PX_PARSE_DONE;
}

/* Take one line. The caller has seen that the section does not end here: the next byte is there and
 * is not CR. MORE and BAD leave `in` where it was; BAD sets `ret_refusal`. Inline because whoever
 * takes fields does it in one loop, where half of this is free. */
PX_MUST_USE static inline enum px_parse h1_field_take(struct h1_section *section,
                                                      struct px_bytes *in,
                                                      struct h1_field *ret_field,
                                                      struct h1_refusal *ret_refusal)
{
    const struct h1_limits *limits = section->limits;
    if (section->fields >= limits->headers_max) {
        return h1_refuse(ret_refusal, 431, "too many header fields");
    }
    /* Find a good line first; only for another one it matters how far one may look. */
    struct px_span rest = px_bytes_rest(in);
    struct h1_scan_line line = limits->scan->line(ret_field->lower, rest.ptr, rest.len);
    size_t next = line.end + 2;
    if (line.name_len == 0 || next > rest.len || memcmp(rest.ptr + line.end, "\r\n", 2) != 0 ||
        line.end > limits->header_line_max || next > section->room) {
        return h1_line_judge(section, rest, ret_refusal);
    }
    ret_field->name = px_span_of(ret_field->lower, line.name_len);
    h1_value_set(ret_field, rest.ptr + line.name_len + 1, rest.ptr + line.end);
    ret_field->kind = h1_field_kind_of(ret_field->name);
    if (ret_field->kind.flags != 0) {
        enum px_parse p = h1_kind_check(section, ret_field->kind, ret_refusal);
        if (p != PX_PARSE_DONE) {
            return p;
        }
    }
    section->fields++;
    section->room -= (uint32_t)next;
    in->ptr += next;
    return PX_PARSE_DONE;
}

/* Take CR LF. MORE and BAD (400) leave `in` where it was. */
PX_MUST_USE static inline enum px_parse h1_line_end_take(struct px_bytes *in,
                                                         struct h1_refusal *ret_refusal)
{
    int cr = px_bytes_peek(in, 0);
    int lf = px_bytes_peek(in, 1);
    if (cr == '\r' && lf == '\n') {
        px_bytes_skip(in, 2);
        return PX_PARSE_DONE;
    }
    if (cr < 0 || (cr == '\r' && lf < 0)) {
        return PX_PARSE_MORE;
    }
    *ret_refusal = (struct h1_refusal){400, "line does not end with CR LF"};
    return PX_PARSE_BAD;
}

/* Read a trailer section with the empty line that ends it, and append it to `out` as a serialized
 * HeaderList. On MORE call again with the same bytes and what follows them; `in` and `out` are
 * where they were. BAD is 400 or 431; 431 also if `out` is too small: twice the bytes of the
 * section are always enough. */
PX_MUST_USE enum px_parse h1_trailers_parse(struct h1_resume *resume, struct px_bytes *in,
                                            struct px_bytes_out *out,
                                            const struct h1_limits *limits,
                                            struct h1_refusal *ret_refusal);

/* Can the parser say more than MORE? Looks at new bytes only. True at the first call, when the
 * request line is complete, when the section ends, when a line is too long, does not end with CR LF
 * or does not begin with a name and a colon. What a well-formed line means has to wait for one of
 * these; so the answer is the same however the message was split, and no byte is parsed often. */
bool h1_resume_ready(struct h1_resume *resume, const struct px_bytes *in,
                     const struct h1_limits *limits);

/* Remember that the line at offset `line` is the first unfinished one. `section` is NULL for a
 * request line. */
void h1_resume_at(struct h1_resume *resume, size_t line, const struct h1_section *section);

/* What may become of the fields of a list, and what became of them. */
struct h1_lines {
    const struct h1_scan *scan;
    uint64_t seen;  /* 1 << id of the known fields written is added */
    uint8_t drop;   /* fields with one of these flags are left out */
    uint8_t refuse; /* one of these spoils the list */
};

/* Write the lines of a serialized HeaderList, "name: value" CR LF, names in lower case, at `at`,
 * where there is as much room as the list has bytes: no line is longer than its entry. Returns the
 * place behind them; NULL, and scratch there, when the list is spoiled, malformed, holds a name
 * that is no token or a control byte. */
PX_MUST_USE uint8_t *h1_lines_write(uint8_t *at, struct px_span list, struct h1_lines *lines);

/* Take the next element of a comma-separated list of tokens; '/' is part of an element. Empty
 * elements are passed over. False at the end, and when something else stands there: then
 * `in->failed` is set. */
bool h1_list_next(struct px_bytes *in, struct px_span *ret_element);

/* Equal but for the case of ASCII letters; `lower` is in lower case. */
bool h1_equal_nocase(struct px_span text, struct px_span lower);

#endif
