/* h1_write.h - the head of a response, from what an application said and what the connection needs
 * (RFC 9112 4, 6, 9).
 *
 * Nothing an application says can change the framing or add a line: names must be tokens, values
 * must be free of control bytes but HT.
 */
#ifndef H1_WRITE_H
#define H1_WRITE_H

#include <px/bytes.h>
#include <px/err.h>

#include "h1_head.h"

enum {
    H1_DATE_LEN = 29,        /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    H1_WRITE_FIXED_MAX = 192 /* what a head takes besides its fields and the Server line */
};

/* Everything that decides a response head. The spans are borrowed. */
struct h1_response {
    uint16_t status;         /* 100..999 */
    uint8_t minor;           /* of the request */
    bool close;              /* the connection ends with this response */
    enum h1_framing framing; /* of the body; for HEAD, of the body a GET would have had */
    uint64_t content_length; /* with H1_LENGTH */
    struct px_span fields;   /* serialized HeaderList */
    struct px_span date;     /* H1_DATE_LEN bytes, or empty: no Date is added */
    struct px_span server;   /* value of a Server line, or empty: none is added */
};

enum h1_write {
    H1_WRITE_DONE,
    H1_WRITE_BAD, /* the fields or the server's name are malformed, or status and framing
                     impossible: answer 500 */
    H1_WRITE_FULL /* `out` has no room: offer h1_write_max bytes */
};

/* Room that is always enough for this head. */
static inline size_t h1_write_max(const struct h1_response *response)
{
    return H1_WRITE_FIXED_MAX + response->fields.len + response->server.len;
}

/* Write status line, fields and the empty line; all or nothing.
 *
 * Fields are written in order and in lower case. Dropped without a word: Connection, Keep-Alive,
 * Proxy-Connection, TE, Transfer-Encoding, Content-Length (`framing` says it) and, unless the
 * status is 101, Upgrade. Date and Server are added unless the fields have them or the status is
 * 1xx.
 *
 * 1xx and 204 get no framing field whatever `framing` says (RFC 9110 8.6), 304 gets Content-Length
 * only. `close` adds "connection: close", an HTTP/1.0 client that may stay gets "connection:
 * keep-alive", 101 gets "connection: upgrade". H1_UNTIL_CLOSE without `close`, and H1_CHUNKED to
 * HTTP/1.0, are impossible: BAD. */
PX_MUST_USE enum h1_write h1_write_response(struct px_bytes_out *out,
                                            const struct h1_response *response,
                                            const struct h1_scan *scan);

/* The date of `wall_s` seconds after 1970-01-01 00:00 UTC, as RFC 9110 5.6.7 wants it
 * (IMF-fixdate). Up to the year 9999. */
void h1_date_format(uint64_t wall_s, uint8_t ret_date[H1_DATE_LEN]);

#endif
