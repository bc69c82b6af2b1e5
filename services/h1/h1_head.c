/* h1_head.c - the head of a request, in one pass over its bytes.
 *
 *     (empty line) --> request line --> field line ... --> empty line --> what the fields mean
 * together
 *
 * Every step judges bytes in the order they came and looks at no byte behind the one that decides;
 * so a verdict about a beginning stays the verdict about the whole, however it is split.
 */
#include "h1_head.h"

#include "header_list.h"

enum {
    LENGTH_DIGITS_MAX = 19, /* 10^19 - 1 fits 64 bits */
    PORT_MAX = 65535,
    NOMINATED_MAX = 16, /* fields that Connection fields name; 431 */
    VERSION_LEN = 8
};

enum {
    BAD = 400,
    URI_TOO_LONG = 414,
    EXPECTATION_FAILED = 417,
    TOO_LARGE = 431,
    NOT_IMPLEMENTED = 501,
    WRONG_VERSION = 505
};

/* One request while it is read. */
struct reader {
    const struct h1_limits *limits;
    struct h1_head *head;
    struct px_bytes in;       /* what is not judged yet */
    struct px_bytes_out list; /* what is written for this head alone */
    struct h1_section section;
    struct px_span host;    /* value of Host; checked */
    struct px_span offered; /* value of the first Upgrade */
    struct px_span nominated[NOMINATED_MAX];
    uint32_t n_nominated;
    bool close; /* what Connection says */
    bool keep_alive;
    bool upgrade;
    bool has_host;
};

/* The digits of a version. */
struct version {
    uint8_t major;
    uint8_t minor;
};

static enum px_parse refuse(struct reader *r, uint16_t status, const char *reason)
{
    r->head->refusal = (struct h1_refusal){status, reason};
    return PX_PARSE_BAD;
}

/* ---- host and port (RFC 3986 3.2) ---- */

static bool is_digit(int byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(int byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* unreserved and sub-delims: ALPHA DIGIT -._~ !$&'()*+,;= (RFC 3986 2.2, 2.3) */
static const uint8_t reg_name[256] = {
    ['!'] = 1, ['$'] = 1, ['&'] = 1, ['\''] = 1, ['('] = 1, [')'] = 1, ['*'] = 1, ['+'] = 1,
    [','] = 1, ['-'] = 1, ['.'] = 1, ['0'] = 1,  ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1,
    ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1,  ['9'] = 1, [';'] = 1, ['='] = 1, ['A'] = 1,
    ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,  ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1,
    ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1,  ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,
    ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,  ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1,
    ['Z'] = 1, ['_'] = 1, ['a'] = 1, ['b'] = 1,  ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
    ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,  ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1,
    ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,  ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1,
    ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,  ['~'] = 1,
};

/* Length of "[...]", or 0; what is inside is left to those who connect, but for its alphabet. */
static size_t ip_literal_len(struct px_span text)
{
    size_t len = 1;
    while (len < text.len &&
           (is_hex(text.ptr[len]) || text.ptr[len] == ':' || text.ptr[len] == '.')) {
        len++;
    }
    return len >= 3 && len < text.len && text.ptr[len] == ']' ? len + 1 : 0;
}

/* Length of the longest name the text begins with. */
static size_t reg_name_len(struct px_span text)
{
    size_t len = 0;
    for (;;) {
        while (len < text.len && reg_name[text.ptr[len]] != 0) {
            len++;
        }
        if (text.len - len < 3 || text.ptr[len] != '%' || !is_hex(text.ptr[len + 1]) ||
            !is_hex(text.ptr[len + 2])) {
            return len;
        }
        len += 3;
    }
}

/* Up to five digits behind the colon at `text`; or none, unless one is needed. */
static bool port_is_valid(struct px_span text, bool needs_port)
{
    unsigned port = 0;
    if (text.len > H1_PORT_DIGITS_MAX + 1 || text.ptr[0] != ':') {
        return false;
    }
    const uint8_t *end = text.ptr + text.len;
    for (const uint8_t *at = text.ptr + 1; at < end; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit > 9) {
            return false;
        }
        port = port * 10 + digit;
    }
    return port <= PORT_MAX && (!needs_port || text.len > 1);
}

/* Are these five digits a port? */
static inline bool digits_are_port(const uint8_t *at)
{
    unsigned value = (((at[0] * 10u + at[1]) * 10u + at[2]) * 10u + at[3]) * 10u + at[4];
    return value - '0' * 11111u <= PORT_MAX;
}

/* host [":" port]; no user information, host not empty (RFC 9110 4.2.1). */
H1_RARE static bool authority_is_valid(struct px_span authority, bool needs_port)
{
    bool literal = authority.len > 0 && authority.ptr[0] == '[';
    size_t at = literal ? ip_literal_len(authority) : reg_name_len(authority);
    if (at == 0 || at == authority.len) {
        return at > 0 && !needs_port;
    }
    return port_is_valid(px_span_of(authority.ptr + at, authority.len - at), needs_port);
}

/* ---- request line (RFC 9112 3) ---- */

/* With a literal as long as the method, the compiler compares words. */
#define IS(name) (memcmp(method.ptr, name, sizeof(name) - 1) == 0)

static enum h1_method method_id(struct px_span method)
{
    switch (method.len) {
    case 3:
        return IS("GET") ? H1_GET : IS("PUT") ? H1_PUT : H1_OTHER_METHOD;
    case 4:
        return IS("POST") ? H1_POST : IS("HEAD") ? H1_HEAD : H1_OTHER_METHOD;
    case 5:
        return IS("PATCH") ? H1_PATCH : IS("TRACE") ? H1_TRACE : H1_OTHER_METHOD;
    case 6:
        return IS("DELETE") ? H1_DELETE : H1_OTHER_METHOD;
    case 7:
        return IS("OPTIONS") ? H1_OPTIONS : IS("CONNECT") ? H1_CONNECT : H1_OTHER_METHOD;
    default:
        return H1_OTHER_METHOD;
    }
}

#undef IS

/* The line ended before its time: at its limit, or only where the input does. */
static enum px_parse line_short(struct reader *r, bool over)
{
    return over ? refuse(r, URI_TOO_LONG, "request line too long") : PX_PARSE_MORE;
}

/* May this method be asked of us? */
static enum px_parse method_judge(struct reader *r)
{
    if (r->head->method_id == H1_CONNECT && !r->limits->connect) {
        return refuse(r, NOT_IMPLEMENTED, "CONNECT is not offered");
    }
    if (r->head->method_id == H1_OTHER_METHOD && !r->limits->any_method &&
        !px_span_equal_str(r->head->method, "PRI")) {
        return refuse(r, NOT_IMPLEMENTED, "unknown method");
    }
    return PX_PARSE_DONE;
}

static enum px_parse method_take(struct reader *r, struct px_bytes *line, bool over)
{
    struct px_span rest = px_bytes_rest(line);
    size_t max = rest.len <= H1_METHOD_MAX ? rest.len : H1_METHOD_MAX + 1;
    size_t len = 0;
    while (len < max && h1_token_lower[rest.ptr[len]] != 0) {
        len++;
    }
    if (len > H1_METHOD_MAX) {
        return refuse(r, NOT_IMPLEMENTED, "method too long");
    }
    if (len == rest.len) {
        return line_short(r, over);
    }
    if (len == 0 || rest.ptr[len] != ' ') {
        return refuse(r, BAD, len == 0 ? "request line without method" : "bad byte in method");
    }
    r->head->method = px_span_of(rest.ptr, len);
    r->head->method_id = method_id(r->head->method);
    px_bytes_skip(line, len + 1);
    return method_judge(r);
}

static enum px_parse target_take(struct reader *r, struct px_bytes *line, bool over)
{
    struct px_span rest = px_bytes_rest(line);
    size_t len = r->limits->scan->target(rest.ptr, rest.len);
    if (len == rest.len) {
        return line_short(r, over);
    }
    if (len == 0 || rest.ptr[len] != ' ') {
        bool ends = rest.ptr[len] == '\r' || rest.ptr[len] == '\n';
        return refuse(r, BAD,
                      ends       ? "request line without version"
                      : len == 0 ? "request line without target"
                                 : "bad byte in target");
    }
    r->head->path = px_span_of(rest.ptr, len);
    px_bytes_skip(line, len + 1);
    return PX_PARSE_DONE;
}

/* "HTTP/" DIGIT "." DIGIT; the digits are judged by the caller. */
static enum px_parse version_take(struct reader *r, struct px_bytes *line, bool over,
                                  struct version *ret_version)
{
    static const char shape[VERSION_LEN + 1] = "HTTP/0.0";
    struct px_span rest = px_bytes_rest(line);
    for (size_t i = 0; i < VERSION_LEN; i++) {
        if (i == rest.len) {
            return line_short(r, over);
        }
        if (shape[i] == '0' ? !is_digit(rest.ptr[i]) : rest.ptr[i] != (uint8_t)shape[i]) {
            return refuse(r, BAD, "malformed version");
        }
    }
    *ret_version = (struct version){rest.ptr[VERSION_LEN - 3], rest.ptr[VERSION_LEN - 1]};
    px_bytes_skip(line, VERSION_LEN);
    return PX_PARSE_DONE;
}

/* absolute-form: scheme "://" authority path-abempty ["?" query] (RFC 9112 3.2.2). */
static enum px_parse absolute_form(struct reader *r)
{
    struct px_bytes in = px_bytes_of_span(r->head->path);
    size_t scheme_len = px_bytes_peek(&in, 4) == ':' ? 4 : 5;
    struct px_span scheme = px_bytes_take(&in, scheme_len);
    struct px_span http = px_span_of_str("http");
    struct px_span https = px_span_of_str("https");
    if (h1_equal_nocase(scheme, http)) {
        r->head->scheme = http;
    } else if (h1_equal_nocase(scheme, https)) {
        r->head->scheme = https;
    } else {
        return refuse(r, BAD, "target is neither a path nor an http URI");
    }
    if (px_bytes_u8(&in) != ':' || px_bytes_u8(&in) != '/' || px_bytes_u8(&in) != '/') {
        return refuse(r, BAD, "target is neither a path nor an http URI");
    }
    struct px_span rest = px_bytes_rest(&in);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?') {
        len++;
    }
    r->head->authority = px_bytes_take(&in, len);
    if (!authority_is_valid(r->head->authority, false)) {
        return refuse(r, BAD, "malformed authority in target");
    }
    if (px_bytes_peek(&in, 0) == '?') {
        return refuse(r, BAD, "query without path in target"); /* no span could say "/?..." */
    }
    r->head->path = px_bytes_rest(&in);
    if (r->head->path.len == 0) { /* RFC 9112 3.2.4 */
        r->head->path = px_span_of_str(r->head->method_id == H1_OPTIONS ? "*" : "/");
    }
    return PX_PARSE_DONE;
}

/* Which of the four forms is it, and may it be? Only complete lines come here. */
static enum px_parse target_form(struct reader *r)
{
    struct px_span target = r->head->path;
    if (r->head->method_id == H1_CONNECT) {
        r->head->authority = target;
        r->head->path = px_span_of(NULL, 0);
        return authority_is_valid(target, true) ? PX_PARSE_DONE
                                                : refuse(r, BAD, "CONNECT wants host and port");
    }
    if (target.ptr[0] == '/') {
        return PX_PARSE_DONE;
    }
    if (target.len == 1 && target.ptr[0] == '*') {
        return r->head->method_id == H1_OPTIONS ? PX_PARSE_DONE
                                                : refuse(r, BAD, "asterisk is for OPTIONS");
    }
    return absolute_form(r);
}

/* What is said about a line that is complete. */
static enum px_parse request_line_judge(struct reader *r, struct version version, bool first)
{
    bool pri = r->head->method_id == H1_OTHER_METHOD && px_span_equal_str(r->head->method, "PRI");
    if (version.major != '1') {
        r->head->h2_preface = first && pri && version.major == '2' && version.minor == '0' &&
                              px_span_equal_str(r->head->path, "*");
        return refuse(r, WRONG_VERSION, "version is not HTTP/1");
    }
    if (pri && !r->limits->any_method) {
        return refuse(r, NOT_IMPLEMENTED, "unknown method");
    }
    r->head->minor = version.minor == '0' ? 0 : 1;
    return target_form(r);
}

/* Take the line that nearly every request begins with: GET or POST, a path and HTTP/1.1. False, and
 * nothing taken, when it is another or not complete. */
static bool usual_line_take(struct reader *r)
{
    struct px_span rest = px_bytes_rest(&r->in);
    if (rest.len < sizeof "POST /" - 1) {
        return false;
    }
    bool get = memcmp(rest.ptr, "GET /", 5) == 0;
    if (!get && memcmp(rest.ptr, "POST /", 6) != 0) {
        return false;
    }
    size_t method_len = get ? 3 : 4;
    const uint8_t *path = rest.ptr + method_len + 1;
    size_t left = rest.len - method_len - 1;
    size_t len = r->limits->scan->target(path, left);
    size_t line_len = method_len + 1 + len + 1 + VERSION_LEN;
    /* " HTTP/1.1" CR LF, in two words that overlap each other */
    if (left - len < VERSION_LEN + 3 || memcmp(path + len, " HTTP/1.", 8) != 0 ||
        memcmp(path + len + 7, ".1\r\n", 4) != 0 || line_len > r->limits->request_line_max) {
        return false;
    }
    r->head->method = px_span_of(rest.ptr, method_len);
    r->head->method_id = get ? H1_GET : H1_POST;
    r->head->path = px_span_of(path, len);
    r->head->minor = 1;
    r->in.ptr += line_len + 2;
    return true;
}

H1_RARE static enum px_parse any_line_take(struct reader *r)
{
    bool first = true;
    if (px_bytes_peek(&r->in, 0) == '\r') { /* RFC 9112 2.2: one empty line is forgiven */
        enum px_parse p = h1_line_end_take(&r->in, &r->head->refusal);
        if (p != PX_PARSE_DONE) {
            return p;
        }
        first = false;
    }
    /* The line and one byte more: if that byte is not CR, the line is too long. */
    struct px_span rest = px_bytes_rest(&r->in);
    bool over = rest.len > r->limits->request_line_max;
    size_t seen = over ? (size_t)r->limits->request_line_max + 1 : rest.len;
    struct px_bytes line = px_bytes_of(rest.ptr, seen);
    struct version version = {0, 0};

    enum px_parse p = method_take(r, &line, over);
    if (p == PX_PARSE_DONE) {
        p = target_take(r, &line, over);
    }
    if (p == PX_PARSE_DONE) {
        p = version_take(r, &line, over, &version);
    }
    if (p != PX_PARSE_DONE) {
        return p;
    }
    size_t len = seen - px_bytes_left(&line);
    if (len == seen) {
        return line_short(r, over);
    }
    struct px_bytes after = px_bytes_of(rest.ptr + len, rest.len - len);
    p = h1_line_end_take(&after, &r->head->refusal);
    if (p == PX_PARSE_DONE) {
        p = request_line_judge(r, version, first);
    }
    if (p == PX_PARSE_DONE) {
        r->in.ptr = after.ptr;
    }
    return p;
}

/* ---- fields ---- */

static enum px_parse host_apply(struct reader *r, struct px_span value)
{
    size_t len = r->limits->scan->host(value.ptr, value.len);
    /* a colon and less than five digits are always good */
    bool usual =
        len > 0 && (value.len - len <= H1_PORT_DIGITS_MAX || digits_are_port(value.ptr + len + 1));
    if (!usual && !authority_is_valid(value, false)) {
        return refuse(r, BAD, "malformed Host");
    }
    px_span_set(&r->host, value);
    r->has_host = true;
    return PX_PARSE_DONE;
}

static enum px_parse content_length_apply(struct reader *r, struct px_span value)
{
    uint64_t length = 0;
    struct px_bytes in = px_bytes_of_span(value);
    if (value.len == 0 || value.len > LENGTH_DIGITS_MAX) {
        return refuse(r, BAD, "malformed Content-Length");
    }
    while (is_digit(px_bytes_peek(&in, 0))) {
        length = length * 10 + (uint64_t)(px_bytes_u8(&in) - '0');
    }
    if (px_bytes_left(&in) > 0) {
        return refuse(r, BAD, "malformed Content-Length");
    }
    if (r->head->framing == H1_CHUNKED) {
        return refuse(r, BAD, "Content-Length and Transfer-Encoding");
    }
    r->head->framing = H1_LENGTH;
    r->head->content_length = length;
    return PX_PARSE_DONE;
}

/* Is it a list without gaps whose last coding, and only that, is chunked? Then the framing is clear
 * but the rest is not implemented; in every other case nobody could tell where the body ends (RFC
 * 9112 6.3). */
static bool codings_end_in_chunked(struct px_span value)
{
    struct px_bytes in = px_bytes_of_span(value);
    struct px_span coding = {NULL, 0};
    size_t n_codings = 0;
    size_t n_chunked = 0;
    size_t n_commas = 0;
    while (h1_list_next(&in, &coding)) {
        n_codings++;
        n_chunked += h1_equal_nocase(coding, px_span_of_str("chunked")) ? 1 : 0;
    }
    for (size_t i = 0; i < value.len; i++) {
        n_commas += value.ptr[i] == ',' ? 1 : 0;
    }
    return !in.failed && n_chunked == 1 && n_codings > 1 && n_commas == n_codings - 1 &&
           h1_equal_nocase(coding, px_span_of_str("chunked"));
}

/* Only "chunked", directly behind the colon or one space: a coding that looks different to another
 * reader is how requests are smuggled. */
static enum px_parse transfer_encoding_apply(struct reader *r, const struct h1_field *field)
{
    if (r->head->minor == 0) {
        return refuse(r, BAD, "Transfer-Encoding in HTTP/1.0");
    }
    if (r->head->framing == H1_LENGTH) {
        return refuse(r, BAD, "Content-Length and Transfer-Encoding");
    }
    if (!field->plain) {
        return refuse(r, BAD, "white space around Transfer-Encoding");
    }
    if (h1_equal_nocase(field->value, px_span_of_str("chunked"))) {
        r->head->framing = H1_CHUNKED;
        return PX_PARSE_DONE;
    }
    if (codings_end_in_chunked(field->value)) {
        return refuse(r, NOT_IMPLEMENTED, "unknown transfer coding");
    }
    return refuse(r, BAD, "malformed Transfer-Encoding");
}

/* One element of a Connection field. */
static enum px_parse connection_option(struct reader *r, struct px_span option)
{
    uint8_t lower[H1_NAME_MAX];
    if (option.len > sizeof lower) {
        return refuse(r, TOO_LARGE, "field name too long in Connection");
    }
    if (r->limits->scan->name(lower, option.ptr, option.len) != option.len) {
        return refuse(r, BAD, "malformed Connection");
    }
    struct px_span name = px_span_of(lower, option.len);
    struct h1_field_kind kind = h1_field_kind_of(name);
    if ((kind.flags & H1_FIELD_PROTECTED) != 0 || kind.alias) {
        return refuse(r, BAD, "Connection names a protected field");
    }
    r->keep_alive = r->keep_alive || kind.id == H1_FIELD_KEEP_ALIVE;
    r->upgrade = r->upgrade || kind.id == H1_FIELD_UPGRADE;
    if (px_span_equal_str(name, "close")) {
        r->close = true;
    } else if (kind.id == H1_FIELD_OTHER) {
        if (r->n_nominated == NOMINATED_MAX) {
            return refuse(r, TOO_LARGE, "Connection names too many fields");
        }
        r->nominated[r->n_nominated++] = option;
    }
    return PX_PARSE_DONE;
}

static enum px_parse connection_apply(struct reader *r, struct px_span value)
{
    if (value.len == 10 && memcmp(value.ptr, "keep-alive", 10) == 0) { /* nearly always */
        r->keep_alive = true;
        return PX_PARSE_DONE;
    }
    struct px_bytes in = px_bytes_of_span(value);
    struct px_span option;
    while (h1_list_next(&in, &option)) {
        enum px_parse p = connection_option(r, option);
        if (p != PX_PARSE_DONE) {
            return p;
        }
    }
    return in.failed ? refuse(r, BAD, "malformed Connection") : PX_PARSE_DONE;
}

/* TE is a promise about responses; what else it says does not matter to who sends no other coding.
 */
static void te_apply(struct reader *r, struct px_span value)
{
    struct px_bytes in = px_bytes_of_span(value);
    struct px_span coding;
    while (h1_list_next(&in, &coding)) {
        if (h1_equal_nocase(coding, px_span_of_str("trailers"))) {
            r->head->trailers_ok = true;
        }
    }
}

__attribute__((noinline)) static enum px_parse field_apply(struct reader *r,
                                                           const struct h1_field *field)
{
    switch (field->kind.id) {
    case H1_FIELD_CONTENT_LENGTH:
        return content_length_apply(r, field->value);
    case H1_FIELD_TRANSFER_ENCODING:
        return transfer_encoding_apply(r, field);
    case H1_FIELD_CONNECTION:
        return connection_apply(r, field->value);
    case H1_FIELD_EXPECT:
        if (!h1_equal_nocase(field->value, px_span_of_str("100-continue"))) {
            return refuse(r, EXPECTATION_FAILED, "unknown expectation");
        }
        r->head->expect_continue = true;
        return PX_PARSE_DONE;
    case H1_FIELD_UPGRADE:
        r->offered = r->offered.len == 0 ? field->value : r->offered;
        return PX_PARSE_DONE;
    case H1_FIELD_TE:
        te_apply(r, field->value);
        return PX_PARSE_DONE;
    default:
        return PX_PARSE_DONE;
    }
}

/* Take fields up to the end of the head. */
static enum px_parse fields_take(struct reader *r)
{
    struct h1_field field;
    for (;;) {
        int byte = px_bytes_peek(&r->in, 0);
        if (byte < 0 || byte == '\r') {
            return h1_line_end_take(&r->in, &r->head->refusal);
        }
        enum px_parse p = h1_field_take(&r->section, &r->in, &field, &r->head->refusal);
        if (p == PX_PARSE_DONE && field.kind.id == H1_FIELD_HOST) { /* not for the list */
            p = host_apply(r, field.value);
            if (p == PX_PARSE_DONE) {
                continue;
            }
        } else if (p == PX_PARSE_DONE && field.kind.flags != 0) {
            p = field_apply(r, &field);
        }
        if (p != PX_PARSE_DONE) {
            return p;
        }
        if ((field.kind.flags & H1_FIELD_HOP) == 0) {
            px_header_list_put(&r->list, field.name, field.value);
            if (r->list.overflow) {
                return refuse(r, TOO_LARGE, "no room for header fields");
            }
        }
    }
}

/* ---- what the fields mean together ---- */

static bool is_nominated(const struct reader *r, struct px_span name)
{
    for (uint32_t i = 0; i < r->n_nominated; i++) {
        if (h1_equal_nocase(r->nominated[i], name)) {
            return true;
        }
    }
    return false;
}

/* Close the gaps in the list where fields stood that Connection names; it may have come after them.
 */
H1_RARE static void nominated_drop(struct reader *r)
{
    struct px_bytes in = px_bytes_of_span(px_bytes_out_span(&r->list));
    struct px_bytes_out kept = px_bytes_out_of(r->list.start, px_bytes_out_len(&r->list));
    struct px_bytes one = in;
    struct px_header header;
    while (px_header_list_next(&in, &header)) {
        size_t len = px_bytes_left(&one) - px_bytes_left(&in);
        if (!is_nominated(r, header.name)) {
            uint8_t *place = px_bytes_out_reserve(&kept, len);
            if (place != NULL) {
                memmove(place, one.ptr, len);
            }
        }
        one = in;
    }
    r->list.ptr = kept.ptr;
}

static enum px_parse head_judge(struct reader *r)
{
    struct h1_head *head = r->head;
    if (head->minor > 0 && !r->has_host) {
        return refuse(r, BAD, "no Host");
    }
    if (head->authority.len == 0) {
        px_span_set(&head->authority, r->host);
    }
    head->keep_alive = !r->close && (head->minor > 0 || r->keep_alive);
    head->expect_continue = head->expect_continue && head->minor > 0 && head->framing != H1_NO_BODY;
    if (head->minor > 0 && r->upgrade && head->method_id == H1_GET && head->framing == H1_NO_BODY) {
        px_span_set(&head->upgrade, r->offered);
    }
    return PX_PARSE_DONE;
}

/* All that a request need not say; one by one, which is faster than clearing the whole. */
static void head_clear(struct h1_head *head)
{
    const struct px_span none = {NULL, 0};
    head->scheme = none;
    head->authority = none;
    head->upgrade = none;
    head->content_length = 0;
    head->framing = H1_NO_BODY;
    head->expect_continue = false;
    head->trailers_ok = false;
    head->h2_preface = false;
}

enum px_parse h1_head_parse(struct h1_resume *resume, struct px_bytes *in,
                            struct px_bytes_out *fields, const struct h1_limits *limits,
                            struct h1_head *ret_head)
{
    if (resume->begun && !h1_resume_ready(resume, in, limits)) {
        return PX_PARSE_MORE;
    }
    resume->begun = true;
    struct reader r;
    head_clear(ret_head);
    r.limits = limits;
    r.head = ret_head;
    px_bytes_set(&r.in, in);
    r.list = px_bytes_out_of(fields->ptr, px_bytes_out_room(fields));
    px_span_set(&r.host, px_span_of(NULL, 0));
    px_span_set(&r.offered, px_span_of(NULL, 0));
    r.n_nominated = 0;
    r.close = r.keep_alive = r.upgrade = r.has_host = false;
    h1_section_init(&r.section, limits);

    enum px_parse p = usual_line_take(&r) ? PX_PARSE_DONE : any_line_take(&r);
    bool in_section = p == PX_PARSE_DONE;
    size_t left = px_bytes_left(&r.in); /* from the request line on, or from the fields on */
    if (in_section) {
        p = fields_take(&r);
    }
    if (p == PX_PARSE_DONE) {
        p = head_judge(&r);
    }
    if (p != PX_PARSE_DONE) {
        h1_section_init(&r.section, limits);
        h1_resume_at(resume, px_bytes_left(in) - left, in_section ? &r.section : NULL);
        return h1_resume_ready(resume, in, limits) ? p : PX_PARSE_MORE;
    }
    if (r.n_nominated > 0) {
        nominated_drop(&r);
    }
    in->ptr = r.in.ptr;
    fields->ptr = r.list.ptr;
    return PX_PARSE_DONE;
}

bool h1_upgrade_offers(const struct h1_head *head, const char *protocol)
{
    struct px_bytes in = px_bytes_of_span(head->upgrade);
    struct px_span wanted = px_span_of_str(protocol);
    struct px_span offer;
    while (h1_list_next(&in, &offer)) {
        if (h1_equal_nocase(offer, wanted)) {
            return true;
        }
    }
    return false;
}
