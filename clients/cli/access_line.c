/* access_line.c - a request as a line. What came from outside is escaped, so that nobody can forge
 * a field or a line: in the combined format control characters, quotes, backslashes and bytes above
 * 0x7e become \xHH; in JSON control characters, quotes and backslashes are escaped, and what is not
 * UTF-8 becomes U+FFFD.
 */
#include "logs.h"
#include "wire_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct line {
    char *at, *end;
};

static void put(struct line *l, const char *text, size_t len)
{
    size_t room = (size_t)(l->end - l->at);
    len = len < room ? len : room;
    memcpy(l->at, text, len);
    l->at += len;
}

static void put_text(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

static void put_format(struct line *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put_format(struct line *l, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_text(l, text);
}

/* ---- combined ---- */

static void put_plain(struct line *l, struct px_text text)
{
    size_t shown = text.len > LOGS_FIELD_MAX ? LOGS_FIELD_MAX : text.len;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            put_format(l, "\\x%02X", c);
        } else {
            put(l, &text.ptr[i], 1);
        }
    }
    if (shown < text.len) {
        put_text(l, "...");
    }
}

/* A field between spaces: a space in it would be one too many. */
static void put_word(struct line *l, struct px_text text)
{
    if (text.len == 0) {
        put_text(l, "-");
    }
    for (size_t i = 0; i < text.len && i < LOGS_FIELD_MAX; i++) {
        if (text.ptr[i] == ' ') {
            put_text(l, "\\x20");
        } else {
            put_plain(l, (struct px_text){&text.ptr[i], 1});
        }
    }
}

static void put_quoted(struct line *l, struct px_text text)
{
    put_text(l, " \"");
    if (text.len == 0) {
        put_text(l, "-");
    }
    put_plain(l, text);
    put_text(l, "\"");
}

/* Of what the engine refused there may be anything from nothing to all of it. */
static void put_request(struct line *l, const struct px_log_record *r)
{
    const char *between = "";
    put_text(l, "\"");
    if (r->method.len > 0) {
        put_plain(l, r->method);
        between = " ";
    }
    if (r->target.len > 0) {
        put_text(l, between);
        put_plain(l, r->target);
        between = " ";
    }
    if (r->version > 0) {
        put_format(l, "%sHTTP/%" PRIu32 ".%" PRIu32, between, r->version / 10, r->version % 10);
    } else if (between[0] == '\0') {
        put_text(l, "-");
    }
    put_text(l, "\"");
}

static void combined(struct line *l, const struct px_log_record *r, const struct tm *tm)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    put_word(l, r->remote);
    put_text(l, " - ");
    put_word(l, r->user);
    put_format(l, " [%02d/%s/%04d:%02d:%02d:%02d +0000] ", tm->tm_mday, months[tm->tm_mon % 12],
               tm->tm_year + 1900, tm->tm_hour, tm->tm_min, tm->tm_sec);
    put_request(l, r);
    if (r->status == 0) {
        put_text(l, " -");
    } else {
        put_format(l, " %" PRIu32, r->status);
    }
    put_format(l, " %" PRIu64, r->body_len);
    put_quoted(l, r->referer);
    put_quoted(l, r->agent);
}

/* ---- JSON ---- */

static void put_json(struct line *l, const char *name, struct px_text text)
{
    const unsigned char *s = (const unsigned char *)text.ptr;
    size_t shown = text.len > LOGS_FIELD_MAX ? LOGS_FIELD_MAX : text.len;
    put_format(l, ",\"%s\":\"", name);
    for (size_t i = 0; i < shown;) {
        size_t n = json_utf8_len(s + i, text.len - i);
        if (n == 0) {
            put_text(l, "\\ufffd");
        } else if (n == 1 && (s[i] < 0x20 || s[i] == 0x7f)) {
            put_format(l, "\\u%04x", s[i]);
        } else if (s[i] == '"' || s[i] == '\\') {
            put_format(l, "\\%c", s[i]);
        } else {
            put(l, text.ptr + i, n);
        }
        i += n == 0 ? 1 : n;
    }
    put_text(l, shown < text.len ? "...\"" : "\"");
}

static void json(struct line *l, const struct px_log_record *r, const struct tm *tm)
{
    const char *ended = px_status_text(r->ended);
    put_format(l, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06uZ\"", tm->tm_year + 1900,
               tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec,
               (unsigned)(r->start_wall_us % 1000000));
    put_format(l, ",\"id\":%" PRIu64, r->id);
    put_json(l, "remote", r->remote);
    put_format(l, ",\"port\":%" PRIu32 ",\"listener\":%" PRIu32, r->remote_port, r->listener);
    put_json(l, "method", r->method);
    put_json(l, "host", r->host);
    put_json(l, "target", r->target);
    if (r->version > 0) {
        put_format(l, ",\"version\":\"%" PRIu32 ".%" PRIu32 "\"", r->version / 10, r->version % 10);
    }
    put_format(l, ",\"status\":%" PRIu32 ",\"bytes\":%" PRIu64, r->status, r->body_len);
    put_json(l, "user", r->user);
    put_json(l, "referer", r->referer);
    put_json(l, "agent", r->agent);
    if (r->first_byte_us != PX_NEVER) {
        put_format(l, ",\"first_byte_us\":%" PRIu64, r->first_byte_us);
    }
    put_format(l, ",\"duration_us\":%" PRIu64, r->end_us);
    put_json(l, "ended", (struct px_text){ended, strlen(ended)});
    put_text(l, "}");
}

size_t access_line(enum serve_format format, const struct px_log_record *record,
                   char ret_line[LOGS_LINE_MAX])
{
    struct line l = {ret_line, ret_line + LOGS_LINE_MAX - 1};
    time_t when = (time_t)(record->start_wall_us / 1000000);
    struct tm tm;
    memset(&tm, 0, sizeof tm);
    (void)gmtime_r(&when, &tm);
    if (format == SERVE_JSON) {
        json(&l, record, &tm);
    } else {
        combined(&l, record, &tm);
    }
    *l.at++ = '\n';
    return (size_t)(l.at - ret_line);
}
