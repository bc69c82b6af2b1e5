/* refused.c - what an engine has answered by itself: a line in the log, if somebody keeps one. */
#include "aside.h"
#include "text.h"

enum { METHOD_MAX = 32, LINE_MAX_LEN = 256, VERSION_LEN = sizeof " HTTP/1.1" - 1 };

static bool is_token_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* The method that `line` begins with: a token, alone or with a space behind it. Its length; 0: it
 * begins with something else. */
static size_t method_len(struct px_text line)
{
    size_t len = 0;
    while (len < line.len && is_token_byte(line.ptr[len])) {
        len++;
    }
    return len > METHOD_MAX || (len < line.len && line.ptr[len] != ' ') ? 0 : len;
}

/* The version that `line` ends with: 11 for " HTTP/1.1"; 0: it does not end with one. */
static uint32_t line_version(struct px_text line)
{
    const char *end = line.ptr + line.len;
    if (line.len < VERSION_LEN || memcmp(end - VERSION_LEN, " HTTP/", 6) != 0 || end[-2] != '.' ||
        !text_is_digit(end[-3]) || !text_is_digit(end[-1])) {
        return 0;
    }
    return (uint32_t)(end[-3] - '0') * 10 + (uint32_t)(end[-1] - '0');
}

/* What a request line says, as far as it can be told: what is neither method nor version is the
 * target. */
static void line_read(struct px_text line, struct px_log_record *record)
{
    record->method = (struct px_text){line.ptr, method_len(line)};
    uint32_t version = record->method.len == 0 ? 0 : line_version(line);
    if (version != 0) {
        line.len -= VERSION_LEN;
        record->version = version;
    }
    size_t skip = record->method.len + (record->method.len > 0 && record->method.len < line.len);
    record->target = (struct px_text){line.ptr + skip, line.len - skip};
}

static enum px_status refused_why(uint32_t status)
{
    switch (status) {
    case 408:
        return PX_TIMED_OUT;
    case 413:
    case 414:
    case 431:
        return PX_TOO_LARGE;
    case 417:
    case 501:
    case 505:
        return PX_UNSUPPORTED;
    case 503:
        return PX_BUSY;
    default:
        return PX_BAD_REQUEST;
    }
}

void refused_on_refused(void *state, const struct px_msg *msg)
{
    struct app *app = state;
    const Http__RefusedRequest *m = msg->body;
    const struct px_text none = {"", 0};
    if (app->server == NULL || app->server->log_fn == NULL) {
        return;
    }
    struct px_log_record record = {.id = ++app->server->n_logged,
                                   .version = m->version,
                                   .status = m->status,
                                   .ended = refused_why(m->status),
                                   .method = none,
                                   .target = none,
                                   .host = none,
                                   .user = none,
                                   .referer = none,
                                   .agent = none,
                                   .start_wall_us = px_wall_us(app->env),
                                   .body_len = m->length};
    if (m->line.len > 0) {
        size_t len = m->line.len < LINE_MAX_LEN ? m->line.len : LINE_MAX_LEN;
        line_read((struct px_text){(const char *)m->line.data, len}, &record);
    }
    aside_log_from(app, &m->remote, m->listener, &record);
}
