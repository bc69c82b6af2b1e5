/* h1_field.c - reading and writing field lines, and what the service knows about names. */
#include "h1_field.h"

#include "header_list.h"

enum { NAME_LEN_MAX = 19, PLACES = 128, STATUS_BAD = 400, STATUS_TOO_LARGE = 431 };

enum {
    ENDS = H1_FIELD_PROTECTED | H1_FIELD_NO_TRAILER, /* end to end, and of weight */
    ONCE = ENDS | H1_FIELD_SINGLE,
    HOP = H1_FIELD_HOP | H1_FIELD_NO_TRAILER,
    OURS = HOP | H1_FIELD_OURS
};

struct known {
    char name[26]; /* NAME_LEN_MAX and a zero would do; so the whole has 32 bytes */
    uint8_t len;   /* 0: nothing lives here */
    struct h1_field_kind kind;
};

/* Where a name lives in the table: no two known names share a place, or the compiler would warn
 * that one overrides the other. */
#define PLACE(len, first, last) (((len)*15u + (first)*9u + (last)) % PLACES)
#define KNOWN(text, first, last, name, flags)                                                      \
    [PLACE(sizeof(text) - 1, first, last)] = {                                                     \
        text, sizeof(text) - 1, {flags, H1_FIELD_##name, false}}

static const struct known known_fields[PLACES] = {
    KNOWN("te", 't', 'e', TE, OURS),
    KNOWN("via", 'v', 'a', VIA, ENDS),
    KNOWN("host", 'h', 't', HOST, ONCE),
    KNOWN("date", 'd', 'e', DATE, ONCE),
    KNOWN("from", 'f', 'm', FROM, ONCE),
    KNOWN("range", 'r', 'e', RANGE, ONCE),
    KNOWN("cookie", 'c', 'e', COOKIE, ENDS),
    KNOWN("origin", 'o', 'n', ORIGIN, ONCE),
    KNOWN("expect", 'e', 't', EXPECT, ONCE),
    KNOWN("pragma", 'p', 'a', PRAGMA, ENDS),
    KNOWN("server", 's', 'r', SERVER, ENDS),
    KNOWN("referer", 'r', 'r', REFERER, ONCE),
    KNOWN("upgrade", 'u', 'e', UPGRADE, HOP | H1_FIELD_SWITCH),
    KNOWN("trailer", 't', 'r', TRAILER, ENDS),
    KNOWN("if-match", 'i', 'h', IF_MATCH, ONCE),
    KNOWN("if-range", 'i', 'e', IF_RANGE, ONCE),
    KNOWN("forwarded", 'f', 'd', FORWARDED, ENDS),
    KNOWN("connection", 'c', 'n', CONNECTION, OURS | H1_FIELD_PROTECTED),
    KNOWN("user-agent", 'u', 't', USER_AGENT, ONCE),
    KNOWN("keep-alive", 'k', 'e', KEEP_ALIVE, OURS),
    KNOWN("set-cookie", 's', 'e', SET_COOKIE, ENDS),
    KNOWN("content-type", 'c', 'e', CONTENT_TYPE, ONCE),
    KNOWN("max-forwards", 'm', 's', MAX_FORWARDS, ONCE),
    KNOWN("cache-control", 'c', 'l', CACHE_CONTROL, ENDS),
    KNOWN("if-none-match", 'i', 'h', IF_NONE_MATCH, ONCE),
    KNOWN("authorization", 'a', 'n', AUTHORIZATION, ONCE),
    KNOWN("content-range", 'c', 'e', CONTENT_RANGE, ONCE),
    KNOWN("content-length", 'c', 'h', CONTENT_LENGTH, ONCE | H1_FIELD_OURS),
    KNOWN("x-forwarded-for", 'x', 'r', X_FORWARDED_FOR, ENDS),
    KNOWN("content-encoding", 'c', 'g', CONTENT_ENCODING, ENDS),
    KNOWN("content-location", 'c', 'n', CONTENT_LOCATION, ONCE),
    KNOWN("proxy-connection", 'p', 'n', PROXY_CONNECTION, OURS),
    KNOWN("x-forwarded-host", 'x', 't', X_FORWARDED_HOST, ENDS),
    KNOWN("www-authenticate", 'w', 'e', WWW_AUTHENTICATE, ENDS),
    KNOWN("if-modified-since", 'i', 'e', IF_MODIFIED_SINCE, ONCE),
    KNOWN("transfer-encoding", 't', 'g', TRANSFER_ENCODING,
          OURS | H1_FIELD_SINGLE | H1_FIELD_PROTECTED),
    KNOWN("x-forwarded-proto", 'x', 'o', X_FORWARDED_PROTO, ENDS),
    KNOWN("proxy-authenticate", 'p', 'e', PROXY_AUTHENTICATE, HOP),
    KNOWN("if-unmodified-since", 'i', 'e', IF_UNMODIFIED_SINCE, ONCE),
    KNOWN("proxy-authorization", 'p', 'n', PROXY_AUTHORIZATION, HOP | H1_FIELD_SINGLE),
};

struct h1_limits h1_limits_default(const struct h1_scan *scan)
{
    return (struct h1_limits){
        .scan = scan,
        .request_line_max = H1_REQUEST_LINE_MAX,
        .header_line_max = H1_HEADER_LINE_MAX,
        .headers_len_max = H1_HEADERS_LEN_MAX,
        .headers_max = H1_HEADERS_MAX,
        .any_method = false,
        .connect = false,
    };
}

/* Are they equal where '_' is read as '-'? `text` has as many bytes as `name`. */
static bool alias_equal(const uint8_t *text, const char *name)
{
    size_t i = 0;
    while (name[i] != '\0' && (text[i] == (uint8_t)name[i] || (text[i] == '_' && name[i] == '-'))) {
        i++;
    }
    return name[i] == '\0';
}

/* Are `len` bytes (2, 4 or 8) of both the same? With `fold` the case of letters in `text` does not
 * matter: bit 5 is set in every byte, as it is in lower case and in '-'. */
static inline bool word_equal(const uint8_t *text, const char *name, size_t len, bool fold)
{
    uint64_t a = 0, b = 0, bits = 0;
    memcpy(&a, text, len);
    memcpy(&b, name, len);
    memcpy(&bits, "\x20\x20\x20\x20\x20\x20\x20\x20", len);
    return (fold ? a | bits : a) == b;
}

/* A name of 2..24 bytes: two or three words, which may overlap each other. */
static inline bool name_equal(const uint8_t *text, const char *name, size_t len, bool fold)
{
    if (len >= 8) {
        return word_equal(text, name, 8, fold) &&
               word_equal(text + len - 8, name + len - 8, 8, fold) &&
               (len <= 16 || word_equal(text + 8, name + 8, 8, fold));
    }
    if (len >= 4) {
        return word_equal(text, name, 4, fold) &&
               word_equal(text + len - 4, name + len - 4, 4, fold);
    }
    return word_equal(text, name, 2, fold) && word_equal(text + len - 2, name + len - 2, 2, fold);
}

/* The kind of a name that has the length and the place of a known one, but is another. */
H1_RARE static struct h1_field_kind kind_of_stranger(const struct known *k, const uint8_t *name)
{
    const struct h1_field_kind other = {0, H1_FIELD_OTHER, false};
    struct h1_field_kind twin = k->kind;
    twin.alias = true;
    return alias_equal(name, k->name) ? twin : other;
}

struct h1_field_kind h1_field_kind_of(struct px_span name)
{
    const struct h1_field_kind other = {0, H1_FIELD_OTHER, false};
    /* No known name begins or ends with '-'; so its twin with '_' comes to the same place. */
    const struct known *k = &known_fields[PLACE(name.len, name.ptr[0], name.ptr[name.len - 1])];
    if (k->len != name.len) {
        return other;
    }
    return name_equal(name.ptr, k->name, name.len, false) ? k->kind : kind_of_stranger(k, name.ptr);
}

/* The same for a token in any case, `lower` being its copy in lower case: read from where it has
 * lain for a while, because words that were just written in other pieces have to wait for the
 * cache.
 */
static inline struct h1_field_kind kind_of_copied(struct px_span name, const uint8_t *lower)
{
    const struct h1_field_kind other = {0, H1_FIELD_OTHER, false};
    unsigned first = name.ptr[0] | 0x20u, last = name.ptr[name.len - 1] | 0x20u;
    const struct known *k = &known_fields[PLACE(name.len, first, last)];
    if (k->len != name.len) {
        return other;
    }
    return name_equal(name.ptr, k->name, name.len, true) ? k->kind : kind_of_stranger(k, lower);
}

/* What to say about a line whose name is followed by `byte` instead of a colon. */
static const char *name_fault(size_t name_len, int byte)
{
    if (byte == ' ' || byte == '\t') {
        return name_len == 0 ? "line folding" : "space before colon";
    }
    if (byte == '\r' || byte == '\n') {
        return "field line without colon";
    }
    return byte == ':' ? "empty field name" : "bad byte in field name";
}

/* The line ended before its time: at its limit, or only where the input does. */
static enum px_parse line_short(bool over, struct h1_refusal *ret_refusal)
{
    return over ? h1_refuse(ret_refusal, STATUS_TOO_LARGE, "header too long") : PX_PARSE_MORE;
}

static bool is_space(int byte)
{
    return byte == ' ' || byte == '\t';
}

struct px_span h1_space_trim(struct px_span text)
{
    size_t at = 0;
    while (at < text.len && is_space(text.ptr[at])) {
        at++;
    }
    while (text.len > at && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return px_span_of(text.ptr + at, text.len - at);
}

/* The longest line, without CR LF, when the section has this much room. */
static size_t line_max_of(const struct h1_limits *limits, uint32_t room)
{
    uint32_t rest = room < 2 ? 0 : room - 2;
    return rest < limits->header_line_max ? rest : limits->header_line_max;
}

enum px_parse h1_line_judge(const struct h1_section *section, struct px_span rest,
                            struct h1_refusal *ret_refusal)
{
    /* The line and one byte more: if that byte is not CR, the line is too long. */
    const struct h1_limits *limits = section->limits;
    size_t line_max = line_max_of(limits, section->room);
    bool over = rest.len > line_max;
    struct px_span line = px_span_of(rest.ptr, over ? line_max + 1 : rest.len);

    uint8_t lower[H1_NAME_MAX + 1];
    size_t len = line.len < sizeof lower ? line.len : sizeof lower;
    len = limits->scan->name(lower, line.ptr, len);
    if (len > H1_NAME_MAX) {
        return h1_refuse(ret_refusal, STATUS_TOO_LARGE, "field name too long");
    }
    if (len == line.len) {
        return line_short(over, ret_refusal);
    }
    if (len == 0 || line.ptr[len] != ':') {
        return h1_refuse(ret_refusal, STATUS_BAD, name_fault(len, line.ptr[len]));
    }
    len++;
    len += limits->scan->value(line.ptr + len, line.len - len);
    if (len == line.len) {
        return line_short(over, ret_refusal);
    }
    if (line.ptr[len] != '\r') {
        return h1_refuse(ret_refusal, STATUS_BAD, "control byte in field value");
    }
    struct px_bytes after = px_bytes_of(rest.ptr + len, rest.len - len);
    return h1_line_end_take(&after, ret_refusal);
}

/* ---- messages that come in pieces ---- */

void h1_resume_at(struct h1_resume *resume, size_t line, const struct h1_section *section)
{
    resume->line = (uint32_t)line; /* the limits keep it below 2^32 */
    resume->scanned = resume->line;
    resume->in_section = section != NULL;
    resume->room = section != NULL ? section->room : 0;
}

/* Does the line begin as a field does? */
static bool line_has_name(const struct h1_limits *limits, const struct px_bytes *line)
{
    uint8_t lower[H1_NAME_MAX + 1];
    struct px_span rest = px_bytes_rest(line);
    size_t len = rest.len < sizeof lower ? rest.len : sizeof lower;
    len = limits->scan->name(lower, rest.ptr, len);
    return len > 0 && len <= H1_NAME_MAX && px_bytes_peek(line, len) == ':';
}

bool h1_resume_ready(struct h1_resume *resume, const struct px_bytes *in,
                     const struct h1_limits *limits)
{
    if (!resume->begun) {
        resume->begun = true;
        return true;
    }
    for (;;) {
        size_t line_max =
            resume->in_section ? line_max_of(limits, resume->room) : limits->request_line_max;
        struct px_bytes line = px_bytes_of_span(px_bytes_rest(in));
        px_bytes_skip(&line, resume->line);
        size_t left = px_bytes_left(&line);
        struct px_bytes fresh = px_bytes_of(line.ptr, left <= line_max ? left : line_max + 1);
        px_bytes_skip(&fresh, resume->scanned - resume->line);
        struct px_span span = px_bytes_rest(&fresh);
        resume->scanned += (uint32_t)limits->scan->value(span.ptr, span.len);

        uint32_t len = resume->scanned - resume->line;
        int cr = px_bytes_peek(&line, len);
        int lf = px_bytes_peek(&line, (size_t)len + 1);
        if (len > line_max) {
            return true;
        }
        if (cr < 0 || (cr == '\r' && lf < 0)) {
            return false;
        }
        if (cr != '\r' || lf != '\n' || len == 0 || !resume->in_section ||
            !line_has_name(limits, &line)) {
            return true;
        }
        resume->room -= len + 2;
        resume->line += len + 2;
        resume->scanned = resume->line;
    }
}

/* ---- trailers ---- */

/* Take fields up to the end of the section. */
static enum px_parse trailers_take(struct h1_section *section, struct px_bytes *in,
                                   struct px_bytes_out *out, struct h1_refusal *ret_refusal)
{
    struct h1_field field;
    for (;;) {
        int byte = px_bytes_peek(in, 0);
        if (byte < 0 || byte == '\r') {
            return h1_line_end_take(in, ret_refusal);
        }
        enum px_parse r = h1_field_take(section, in, &field, ret_refusal);
        if (r != PX_PARSE_DONE) {
            return r;
        }
        if ((field.kind.flags & H1_FIELD_NO_TRAILER) != 0) {
            return h1_refuse(ret_refusal, STATUS_BAD, "field that must not be a trailer");
        }
        px_header_list_put(out, field.name, field.value);
        if (out->overflow) {
            return h1_refuse(ret_refusal, STATUS_TOO_LARGE, "no room for trailers");
        }
    }
}

enum px_parse h1_trailers_parse(struct h1_resume *resume, struct px_bytes *in,
                                struct px_bytes_out *out, const struct h1_limits *limits,
                                struct h1_refusal *ret_refusal)
{
    if (!h1_resume_ready(resume, in, limits)) {
        return PX_PARSE_MORE;
    }
    struct h1_section section;
    h1_section_init(&section, limits);
    struct px_bytes rest = *in;
    struct px_bytes_out list = *out; /* remembered places: only DONE moves on */
    enum px_parse r = trailers_take(&section, &rest, &list, ret_refusal);
    if (r != PX_PARSE_DONE) {
        h1_section_init(&section, limits);
        h1_resume_at(resume, 0, &section);
        return h1_resume_ready(resume, in, limits) ? r : PX_PARSE_MORE;
    }
    *in = rest;
    *out = list;
    return PX_PARSE_DONE;
}

/* ---- lists of tokens ---- */

bool h1_list_next(struct px_bytes *in, struct px_span *ret_element)
{
    struct px_span rest = px_bytes_rest(in);
    size_t start = 0;
    while (start < rest.len && (is_space(rest.ptr[start]) || rest.ptr[start] == ',')) {
        start++;
    }
    size_t end = start;
    while (end < rest.len && (h1_token_lower[rest.ptr[end]] != 0 || rest.ptr[end] == '/')) {
        end++;
    }
    size_t next = end;
    while (next < rest.len && is_space(rest.ptr[next])) {
        next++;
    }
    if (next < rest.len && (end == start || rest.ptr[next] != ',')) {
        px_bytes_fail(in);
        return false;
    }
    px_bytes_skip(in, next);
    if (end > start) {
        *ret_element = px_span_of(rest.ptr + start, end - start);
    }
    return end > start;
}

bool h1_equal_nocase(struct px_span text, struct px_span lower)
{
    if (text.len != lower.len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        byte = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
        if (byte != lower.ptr[i]) {
            return false;
        }
    }
    return true;
}

/* ---- writing ---- */

/* An entry of a list whose lengths take more than one byte each; or a fault. */
H1_RARE static struct px_bytes long_next(struct px_bytes in, struct px_header *ret_header)
{
    if (!px_header_list_next(&in, ret_header)) {
        px_bytes_fail(&in);
    }
    return in;
}

uint8_t *h1_lines_write(uint8_t *at, struct px_span list, struct h1_lines *lines)
{
    const struct h1_scan *scan = lines->scan;
    struct px_bytes in = px_bytes_of_span(list);
    while (in.ptr != in.end) {
        struct px_header header;
        if (!px_header_list_next_small(&in, &header)) {
            struct px_header other;
            in = long_next(in, &other);
            if (in.failed) {
                return NULL;
            }
            header = other;
        }
        size_t name_len = header.name.len;
        if (!scan->put(at, header.name.ptr, name_len, header.value.ptr, header.value.len)) {
            return NULL;
        }
        /* lists have no empty name */
        struct h1_field_kind kind = kind_of_copied(header.name, at);
        if ((kind.flags & lines->refuse) != 0) {
            return NULL;
        }
        if ((kind.flags & lines->drop) == 0) { /* or the next one is written over it */
            lines->seen |= (uint64_t)1 << kind.id;
            at += name_len + header.value.len + 4;
        }
    }
    return at;
}
