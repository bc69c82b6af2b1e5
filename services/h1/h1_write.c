/* h1_write.c - the head of a response, in one pass over the application's fields. */
#include "h1_write.h"

enum {
    STATUS_MIN = 100,
    STATUS_MAX = 999,
    SWITCHING = 101,
    FINAL_MIN = 200,
    NO_CONTENT = 204,
    NOT_MODIFIED = 304,
    STATUS_LINES = 512,
    DECIMAL_MAX = 20 /* digits of 2^64 - 1 */
};

#define LINE(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)("HTTP/1.1 " text "\r\n"), sizeof("HTTP/1.1 " text "\r\n") - 1            \
    }

/* By status: the phrases of IANA's registry of status codes. */
static const struct px_span status_lines[STATUS_LINES] = {
    [100] = LINE("100 Continue"),
    [101] = LINE("101 Switching Protocols"),
    [102] = LINE("102 Processing"),
    [103] = LINE("103 Early Hints"),
    [200] = LINE("200 OK"),
    [201] = LINE("201 Created"),
    [202] = LINE("202 Accepted"),
    [203] = LINE("203 Non-Authoritative Information"),
    [204] = LINE("204 No Content"),
    [205] = LINE("205 Reset Content"),
    [206] = LINE("206 Partial Content"),
    [207] = LINE("207 Multi-Status"),
    [208] = LINE("208 Already Reported"),
    [226] = LINE("226 IM Used"),
    [300] = LINE("300 Multiple Choices"),
    [301] = LINE("301 Moved Permanently"),
    [302] = LINE("302 Found"),
    [303] = LINE("303 See Other"),
    [304] = LINE("304 Not Modified"),
    [307] = LINE("307 Temporary Redirect"),
    [308] = LINE("308 Permanent Redirect"),
    [400] = LINE("400 Bad Request"),
    [401] = LINE("401 Unauthorized"),
    [402] = LINE("402 Payment Required"),
    [403] = LINE("403 Forbidden"),
    [404] = LINE("404 Not Found"),
    [405] = LINE("405 Method Not Allowed"),
    [406] = LINE("406 Not Acceptable"),
    [407] = LINE("407 Proxy Authentication Required"),
    [408] = LINE("408 Request Timeout"),
    [409] = LINE("409 Conflict"),
    [410] = LINE("410 Gone"),
    [411] = LINE("411 Length Required"),
    [412] = LINE("412 Precondition Failed"),
    [413] = LINE("413 Content Too Large"),
    [414] = LINE("414 URI Too Long"),
    [415] = LINE("415 Unsupported Media Type"),
    [416] = LINE("416 Range Not Satisfiable"),
    [417] = LINE("417 Expectation Failed"),
    [421] = LINE("421 Misdirected Request"),
    [422] = LINE("422 Unprocessable Content"),
    [423] = LINE("423 Locked"),
    [424] = LINE("424 Failed Dependency"),
    [425] = LINE("425 Too Early"),
    [426] = LINE("426 Upgrade Required"),
    [428] = LINE("428 Precondition Required"),
    [429] = LINE("429 Too Many Requests"),
    [431] = LINE("431 Request Header Fields Too Large"),
    [451] = LINE("451 Unavailable For Legal Reasons"),
    [500] = LINE("500 Internal Server Error"),
    [501] = LINE("501 Not Implemented"),
    [502] = LINE("502 Bad Gateway"),
    [503] = LINE("503 Service Unavailable"),
    [504] = LINE("504 Gateway Timeout"),
    [505] = LINE("505 HTTP Version Not Supported"),
    [506] = LINE("506 Variant Also Negotiates"),
    [507] = LINE("507 Insufficient Storage"),
    [508] = LINE("508 Loop Detected"),
    [511] = LINE("511 Network Authentication Required"),
};

/* Two digits at once: half the divisions. */
static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334"
                            "3536373839404142434445464748495051525354555657585960616263646566676869"
                            "707172737475767778798081828384858687888990919293949596979899";

static void pair_write(uint8_t at[2], unsigned value)
{
    memcpy(at, pairs + 2 * value, 2);
}

/* Every function below writes where there is room, which h1_write_response has seen to once for all
 * of them, and returns the place behind what it wrote. */

static inline uint8_t *text_write(uint8_t *at, const char *text)
{
    size_t len = strlen(text); /* known to the compiler */
    memcpy(at, text, len);
    return at + len;
}

static uint8_t *decimal_write(uint8_t *at, uint64_t value)
{
    uint8_t digits[DECIMAL_MAX];
    uint8_t *first = digits + sizeof digits;
    for (; value >= 100; value /= 100) {
        first -= 2;
        pair_write(first, (unsigned)(value % 100));
    }
    if (value >= 10) {
        first -= 2;
        pair_write(first, (unsigned)value);
    } else {
        *--first = (uint8_t)('0' + value);
    }
    size_t len = (size_t)(digits + sizeof digits - first);
    px_copy_short(at, first, len);
    return at + len;
}

static uint8_t *status_line_write(uint8_t *at, uint16_t status)
{
    if (status < STATUS_LINES && status_lines[status].len > 0) {
        struct px_span line = status_lines[status];
        px_copy_short(at, line.ptr, line.len);
        return at + line.len;
    }
    at = decimal_write(text_write(at, "HTTP/1.1 "), status);
    return text_write(at, " \r\n"); /* a status without phrase keeps its space (RFC 9112 4) */
}

/* No body by status: nothing may frame one (RFC 9110 8.6, RFC 9112 6.1). */
static bool is_bare(uint16_t status)
{
    return status < FINAL_MIN || status == NO_CONTENT;
}

/* Can a body be framed like that, under this status? */
static bool is_possible(const struct h1_response *response)
{
    if (response->status < STATUS_MIN || response->status > STATUS_MAX) {
        return false;
    }
    if (is_bare(response->status) || response->status == NOT_MODIFIED) {
        return true;
    }
    return (response->framing != H1_CHUNKED || response->minor > 0) &&
           (response->framing != H1_UNTIL_CLOSE || response->close);
}

/* Are the lines that are ours well-formed? */
static inline bool own_is_valid(const struct h1_response *response, const struct h1_scan *scan)
{
    return (response->date.len == H1_DATE_LEN || response->date.len == 0) &&
           (response->server.len == 0 ||
            scan->value(response->server.ptr, response->server.len) == response->server.len);
}

/* Is it a final response with a length on a connection of HTTP/1.1 that stays? */
static inline bool is_usual(const struct h1_response *response)
{
    return response->framing == H1_LENGTH && !response->close && response->minor > 0 &&
           response->status >= FINAL_MIN && response->status <= STATUS_MAX &&
           response->status != NO_CONTENT;
}

static inline uint8_t *length_write(uint8_t *at, uint64_t length)
{
    at = text_write(at, "content-length: ");
    if (length < 10) {
        *at++ = (uint8_t)('0' + length);
    } else if (length < 100) {
        pair_write(at, (unsigned)length);
        at += 2;
    } else {
        at = decimal_write(at, length);
    }
    return text_write(at, "\r\n");
}

static uint8_t *framing_write(uint8_t *at, const struct h1_response *response)
{
    if (is_bare(response->status)) {
        return at;
    }
    if (response->framing == H1_LENGTH) {
        return length_write(at, response->content_length);
    }
    if (response->status == NOT_MODIFIED) {
        return at; /* a length would claim that the representation is empty */
    }
    if (response->framing == H1_NO_BODY) {
        return length_write(at, 0);
    }
    return response->framing == H1_CHUNKED ? text_write(at, "transfer-encoding: chunked\r\n") : at;
}

static uint8_t *connection_write(uint8_t *at, const struct h1_response *response)
{
    if (response->status == SWITCHING) {
        return text_write(at, "connection: upgrade\r\n");
    }
    if (response->status < FINAL_MIN) {
        return at;
    }
    if (response->close) {
        return text_write(at, "connection: close\r\n");
    }
    return response->minor == 0 ? text_write(at, "connection: keep-alive\r\n") : at;
}

/* Our own lines, unless the application said them. */
static inline uint8_t *own_write(uint8_t *at, const struct h1_response *response, uint64_t seen)
{
    if (response->status < FINAL_MIN) {
        return at;
    }
    if (response->date.len == H1_DATE_LEN && (seen >> H1_FIELD_DATE & 1) == 0) {
        at = text_write(at, "date: ");
        memcpy(at, response->date.ptr, H1_DATE_LEN);
        at = text_write(at + H1_DATE_LEN, "\r\n");
    }
    if (response->server.len > 0 && (seen >> H1_FIELD_SERVER & 1) == 0) {
        at = text_write(at, "server: ");
        px_copy_short(at, response->server.ptr, response->server.len);
        at = text_write(at + response->server.len, "\r\n");
    }
    return at;
}

/* The framing and connection lines of a response that is not usual. */
__attribute__((noinline)) static uint8_t *message_write(uint8_t *at,
                                                        const struct h1_response *response)
{
    return connection_write(framing_write(at, response), response);
}

enum h1_write h1_write_response(struct px_bytes_out *out, const struct h1_response *response,
                                const struct h1_scan *scan)
{
    bool usual = is_usual(response);
    if ((!usual && !is_possible(response)) || !own_is_valid(response, scan)) {
        return H1_WRITE_BAD;
    }
    if (px_bytes_out_room(out) < h1_write_max(response)) {
        return H1_WRITE_FULL;
    }
    struct h1_lines lines = {.scan = scan, .drop = H1_FIELD_OURS | H1_FIELD_SWITCH};
    if (response->status == SWITCHING) {
        lines.drop = H1_FIELD_OURS;
    }
    uint8_t *at = status_line_write(out->ptr, response->status);
    if (response->fields.len > 0) {
        at = h1_lines_write(at, response->fields, &lines);
        if (at == NULL) {
            return H1_WRITE_BAD;
        }
    }
    at = usual ? length_write(at, response->content_length) : message_write(at, response);
    at = own_write(at, response, lines.seen);
    out->ptr = text_write(at, "\r\n");
    return H1_WRITE_DONE;
}

/* ---- dates ---- */

static void pair_put(struct px_bytes_out *out, uint32_t value)
{
    px_bytes_put_u8(out, (uint8_t)('0' + value / 10));
    px_bytes_put_u8(out, (uint8_t)('0' + value % 10));
}

struct civil {
    uint32_t year;
    uint32_t month; /* 0: March, 11: February */
    uint32_t day;
};

/* Years are counted from March, so that the leap day is their last; 400 of them have 146097 days.
 */
static struct civil civil_of(uint32_t days_since_1970)
{
    uint32_t days = days_since_1970 + 719468; /* since 0000-03-01 */
    uint32_t in_era = days % 146097;
    uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * in_year + 2) / 153; /* 153 days in five months from March */
    return (struct civil){
        .year = days / 146097 * 400 + year + (month >= 10 ? 1 : 0),
        .month = month,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}

void h1_date_format(uint64_t wall_s, uint8_t ret_date[H1_DATE_LEN])
{
    static const char weekdays[] =
        "Thu, Fri, Sat, Sun, Mon, Tue, Wed, "; /* 1970 began on Thursday */
    static const char months[] = " Mar  Apr  May  Jun  Jul  Aug  Sep  Oct  Nov  Dec  Jan  Feb ";
    const uint64_t last_s = 253402300799u; /* the end of 9999 */
    wall_s = wall_s < last_s ? wall_s : last_s;
    uint32_t days = (uint32_t)(wall_s / 86400);
    uint32_t second = (uint32_t)(wall_s % 86400);
    struct civil civil = civil_of(days);

    struct px_bytes_out out = px_bytes_out_of(ret_date, H1_DATE_LEN);
    px_bytes_put(&out, weekdays + days % 7 * 5, 5);
    pair_put(&out, civil.day);
    px_bytes_put(&out, months + civil.month * 5, 5);
    pair_put(&out, civil.year / 100);
    pair_put(&out, civil.year % 100);
    px_bytes_put_str(&out, " ");
    pair_put(&out, second / 3600);
    px_bytes_put_str(&out, ":");
    pair_put(&out, second / 60 % 60);
    px_bytes_put_str(&out, ":");
    pair_put(&out, second % 60);
    px_bytes_put_str(&out, " GMT");
}
