/* event_text.c - an event as the bytes of text/event-stream.
 *
 *     id: 7
 *     event: price
 *     retry: 3000
 *     data: one line each
 *     (an empty line)
 */
#include "event_text.h"

#include <stdio.h>

enum { NUMBER_TEXT_MAX = 12 };

/* The next line of the data: CR, LF and CRLF end one. What stands behind the last is one too, even
 * if it is empty. False: there was no further. */
static bool line_next(struct px_bytes *rest, bool *more, struct px_span *ret_line)
{
    const uint8_t *from = rest->ptr;
    if (!*more) {
        return false;
    }
    while (px_bytes_left(rest) > 0 && *rest->ptr != '\r' && *rest->ptr != '\n') {
        rest->ptr++;
    }
    *ret_line = px_span_of(from, (size_t)(rest->ptr - from));
    *more = px_bytes_left(rest) > 0;
    if (px_bytes_peek(rest, 0) == '\r' && px_bytes_peek(rest, 1) == '\n') {
        px_bytes_skip(rest, 2);
    } else if (*more) {
        px_bytes_skip(rest, 1);
    }
    return true;
}

static bool value_fits(const char *value, size_t max, size_t *ret_len)
{
    size_t len = value == NULL ? 0 : strlen(value);
    *ret_len = len;
    return len <= max &&
           (len == 0 || (memchr(value, '\r', len) == NULL && memchr(value, '\n', len) == NULL));
}

static int retry_text(uint32_t retry_ms, char *ret_text)
{
    return snprintf(ret_text, NUMBER_TEXT_MAX, "%u", (unsigned)retry_ms);
}

bool event_text_len(const struct px_event *event, size_t *ret_len)
{
    char number[NUMBER_TEXT_MAX];
    size_t name_len, id_len, len = 1;
    if (event->data == NULL && event->id == NULL && event->retry_ms == 0) {
        return false;
    }
    if (!value_fits(event->name, PX_EVENT_NAME_MAX, &name_len) ||
        !value_fits(event->id, PX_EVENT_ID_MAX, &id_len) || event->data_len > PX_EVENT_LEN_MAX) {
        return false;
    }
    len += event->id != NULL ? strlen("id: \n") + id_len : 0;
    len += event->name != NULL ? strlen("event: \n") + name_len : 0;
    len += event->retry_ms != 0 ? strlen("retry: \n") + (size_t)retry_text(event->retry_ms, number)
                                : 0;
    if (event->data != NULL) {
        struct px_bytes rest = px_bytes_of(event->data, event->data_len);
        struct px_span line;
        bool more = true;
        while (line_next(&rest, &more, &line)) {
            len += strlen("data: \n") + line.len;
        }
    }
    *ret_len = len;
    return len <= PX_EVENT_LEN_MAX;
}

static void field_put(struct px_bytes_out *out, const char *name, struct px_span value)
{
    px_bytes_put_str(out, name);
    px_bytes_put_span(out, value);
    px_bytes_put_u8(out, '\n');
}

void event_text_write(const struct px_event *event, struct px_bytes_out *out)
{
    if (event->id != NULL) {
        field_put(out, "id: ", px_span_of_str(event->id));
    }
    if (event->name != NULL) {
        field_put(out, "event: ", px_span_of_str(event->name));
    }
    if (event->retry_ms != 0) {
        char number[NUMBER_TEXT_MAX];
        retry_text(event->retry_ms, number);
        field_put(out, "retry: ", px_span_of_str(number));
    }
    if (event->data != NULL) {
        struct px_bytes rest = px_bytes_of(event->data, event->data_len);
        struct px_span line;
        bool more = true;
        while (line_next(&rest, &more, &line)) {
            field_put(out, "data: ", line);
        }
    }
    px_bytes_put_u8(out, '\n');
}
