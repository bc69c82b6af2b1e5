/* h1_write.c - the head of a response, in one pass over the application's fields. */
#include "h1_write.h"

enum {
    STATUS_MIN = 100,
    STATUS_MAX = 999,
    SWITCHING = 101,
    FINAL_MIN = 200,
    NO_CONTENT = 204,
    NOT_MODIFIED = 304,
    CLASSES = 5,
    IN_CLASS = 52
};

#define LINE(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)("HTTP/1.1 " text "\r\n"), sizeof("HTTP/1.1 " text "\r\n") - 1            \
    }

/* By class and last two digits: the phrases of IANA's registry of status codes. */
static const struct px_span status_lines[CLASSES][IN_CLASS] = {
    {
        [0] = LINE("100 Continue"),
        [1] = LINE("101 Switching Protocols"),
        [2] = LINE("102 Processing"),
        [3] = LINE("103 Early Hints"),
    },
    {
        [0] = LINE("200 OK"),
        [1] = LINE("201 Created"),
        [2] = LINE("202 Accepted"),
        [3] = LINE("203 Non-Authoritative Information"),
        [4] = LINE("204 No Content"),
        [5] = LINE("205 Reset Content"),
        [6] = LINE("206 Partial Content"),
        [7] = LINE("207 Multi-Status"),
        [8] = LINE("208 Already Reported"),
        [26] = LINE("226 IM Used"),
    },
    {
        [0] = LINE("300 Multiple Choices"),
        [1] = LINE("301 Moved Permanently"),
        [2] = LINE("302 Found"),
        [3] = LINE("303 See Other"),
        [4] = LINE("304 Not Modified"),
        [7] = LINE("307 Temporary Redirect"),
        [8] = LINE("308 Permanent Redirect"),
    },
    {
        [0] = LINE("400 Bad Request"),
        [1] = LINE("401 Unauthorized"),
        [2] = LINE("402 Payment Required"),
        [3] = LINE("403 Forbidden"),
        [4] = LINE("404 Not Found"),
        [5] = LINE("405 Method Not Allowed"),
        [6] = LINE("406 Not Acceptable"),
        [7] = LINE("407 Proxy Authentication Required"),
        [8] = LINE("408 Request Timeout"),
        [9] = LINE("409 Conflict"),
        [10] = LINE("410 Gone"),
        [11] = LINE("411 Length Required"),
        [12] = LINE("412 Precondition Failed"),
        [13] = LINE("413 Content Too Large"),
        [14] = LINE("414 URI Too Long"),
        [15] = LINE("415 Unsupported Media Type"),
        [16] = LINE("416 Range Not Satisfiable"),
        [17] = LINE("417 Expectation Failed"),
        [21] = LINE("421 Misdirected Request"),
        [22] = LINE("422 Unprocessable Content"),
        [23] = LINE("423 Locked"),
        [24] = LINE("424 Failed Dependency"),
        [25] = LINE("425 Too Early"),
        [26] = LINE("426 Upgrade Required"),
        [28] = LINE("428 Precondition Required"),
        [29] = LINE("429 Too Many Requests"),
        [31] = LINE("431 Request Header Fields Too Large"),
        [51] = LINE("451 Unavailable For Legal Reasons"),
    },
    {
        [0] = LINE("500 Internal Server Error"),
        [1] = LINE("501 Not Implemented"),
        [2] = LINE("502 Bad Gateway"),
        [3] = LINE("503 Service Unavailable"),
        [4] = LINE("504 Gateway Timeout"),
        [5] = LINE("505 HTTP Version Not Supported"),
        [6] = LINE("506 Variant Also Negotiates"),
        [7] = LINE("507 Insufficient Storage"),
        [8] = LINE("508 Loop Detected"),
        [11] = LINE("511 Network Authentication Required"),
    },
};

/* Two digits at once: half the divisions. */
static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334"
                            "3536373839404142434445464748495051525354555657585960616263646566676869"
                            "707172737475767778798081828384858687888990919293949596979899";

static void pair_write(uint8_t at[2], unsigned value)
{
    memcpy(at, pairs + 2 * value, 2);
}

static size_t decimal_len(uint64_t value)
{
    size_t len = 1;
    for (; value >= 10; value /= 10) {
        len++;
    }
    return len;
}

/* Write the `len` digits of `value`. */
static void decimal_write(uint8_t *at, size_t len, uint64_t value)
{
    for (; len > 2; len -= 2) {
        pair_write(at + len - 2, (unsigned)(value % 100));
        value /= 100;
    }
    if (len == 2) {
        pair_write(at, (unsigned)value);
    } else {
        at[0] = (uint8_t)('0' + value);
    }
}

static void status_line_put(struct px_bytes_out *out, uint16_t status)
{
    static const char bare[] = "HTTP/1.1 000 \r\n";
    unsigned class = status / 100u - 1;
    unsigned rest = status % 100u;
    if (class < CLASSES && rest < IN_CLASS && status_lines[class][rest].len > 0) {
        px_bytes_put_short(out, status_lines[class][rest]);
        return;
    }
    uint8_t *line = px_bytes_out_reserve(out, sizeof bare - 1);
    if (line != NULL) { /* a status without phrase keeps its space (RFC 9112 4) */
        memcpy(line, bare, sizeof bare - 1);
        decimal_write(line + 9, 3, status);
    }
}

/* No body by status: nothing may frame one (RFC 9110 8.6, RFC 9112 6.1). */
static bool is_bare(uint16_t status)
{
    return status < FINAL_MIN || status == NO_CONTENT;
}

static bool is_possible(const struct h1_response *response, const struct h1_scan *scan)
{
    if (response->status < STATUS_MIN || response->status > STATUS_MAX ||
        (response->date.len != 0 && response->date.len != H1_DATE_LEN) ||
        (response->server.len > 0 &&
         scan->value(response->server.ptr, response->server.len) != response->server.len)) {
        return false;
    }
    if (is_bare(response->status) || response->status == NOT_MODIFIED) {
        return true;
    }
    return (response->framing != H1_CHUNKED || response->minor > 0) &&
           (response->framing != H1_UNTIL_CLOSE || response->close);
}

static void length_put(struct px_bytes_out *out, uint64_t length)
{
    static const char name[] = "content-length: ";
    enum { NAME_LEN = sizeof name - 1 };
    size_t len = decimal_len(length);
    uint8_t *line = px_bytes_out_reserve(out, NAME_LEN + len + 2);
    if (line != NULL) {
        memcpy(line, name, NAME_LEN);
        decimal_write(line + NAME_LEN, len, length);
        memcpy(line + NAME_LEN + len, "\r\n", 2);
    }
}

static void framing_put(struct px_bytes_out *out, const struct h1_response *response)
{
    if (is_bare(response->status)) {
        return;
    }
    if (response->framing == H1_LENGTH) {
        length_put(out, response->content_length);
    } else if (response->status == NOT_MODIFIED) {
        return; /* a length would claim that the representation is empty */
    } else if (response->framing == H1_NO_BODY) {
        length_put(out, 0);
    } else if (response->framing == H1_CHUNKED) {
        px_bytes_put_str(out, "transfer-encoding: chunked\r\n");
    }
}

static void connection_put(struct px_bytes_out *out, const struct h1_response *response)
{
    if (response->status == SWITCHING) {
        px_bytes_put_str(out, "connection: upgrade\r\n");
    } else if (response->status < FINAL_MIN) {
        return;
    } else if (response->close) {
        px_bytes_put_str(out, "connection: close\r\n");
    } else if (response->minor == 0) {
        px_bytes_put_str(out, "connection: keep-alive\r\n");
    }
}

static void date_put(struct px_bytes_out *out, struct px_span date)
{
    static const char name[] = "date: ";
    enum { NAME_LEN = sizeof name - 1 };
    uint8_t *line = px_bytes_out_reserve(out, NAME_LEN + H1_DATE_LEN + 2);
    if (line != NULL) {
        memcpy(line, name, NAME_LEN);
        memcpy(line + NAME_LEN, date.ptr, H1_DATE_LEN);
        memcpy(line + NAME_LEN + H1_DATE_LEN, "\r\n", 2);
    }
}

static void server_put(struct px_bytes_out *out, struct px_span server)
{
    px_bytes_put_str(out, "server: ");
    px_bytes_put_short(out, server);
    px_bytes_put_str(out, "\r\n");
}

/* Our own lines, unless the application said them. */
static void own_put(struct px_bytes_out *out, const struct h1_response *response, uint64_t seen)
{
    if (response->status < FINAL_MIN) {
        return;
    }
    if (response->date.len == H1_DATE_LEN && (seen >> H1_FIELD_DATE & 1) == 0) {
        date_put(out, response->date);
    }
    if (response->server.len > 0 && (seen >> H1_FIELD_SERVER & 1) == 0) {
        server_put(out, response->server);
    }
}

size_t h1_write_max(const struct h1_response *response)
{
    return H1_WRITE_FIXED_MAX + response->fields.len + response->server.len;
}

enum h1_write h1_write_response(struct px_bytes_out *out, const struct h1_response *response,
                                const struct h1_scan *scan)
{
    if (!is_possible(response, scan)) {
        return H1_WRITE_BAD;
    }
    if (px_bytes_out_room(out) < h1_write_max(response)) {
        return H1_WRITE_FULL;
    }
    struct px_bytes_out head = px_bytes_out_of(out->ptr, px_bytes_out_room(out));
    uint8_t drop = H1_FIELD_OURS;
    if (response->status != SWITCHING) {
        drop |= H1_FIELD_SWITCH;
    }
    uint64_t seen = 0;
    status_line_put(&head, response->status);
    if (!h1_lines_put(&head, response->fields, scan, drop, 0, &seen)) {
        return H1_WRITE_BAD;
    }
    framing_put(&head, response);
    connection_put(&head, response);
    own_put(&head, response, seen);
    px_bytes_put_str(&head, "\r\n");
    out->ptr = head.ptr;
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
