/* h1_chunk.h - the chunked transfer coding, both directions (RFC 9112 7.1).
 *
 * The decoder takes bytes as they come and yields the body in place, without copying. Strict: sizes
 * are 1 to 16 hex digits, every line ends with CR LF, extensions follow the grammar without white
 * space.
 */
#ifndef H1_CHUNK_H
#define H1_CHUNK_H

#include <px/bytes.h>
#include <px/err.h>

#include "h1_field.h"

enum {
    H1_CHUNK_DIGITS_MAX = 16,    /* hex digits of a size, leading zeros included; 400 */
    H1_CHUNK_EXT_MAX = 256,      /* bytes of extension on one chunk; 400 */
    H1_CHUNK_EXT_ALL_MAX = 4096, /* bytes of extension on all chunks of a message; 400 */
    H1_CHUNK_GRACE = 65536,      /* encoded bytes before the average size of chunks counts */
    H1_CHUNK_MEAN_MIN = 16,      /* from then on, the least average size of chunks in bytes; 400 */
    H1_CHUNK_HEAD_MAX = 18       /* what h1_chunk_put_head writes at most */
};

/* Where a chunked body stands; all zero before its first byte. */
struct h1_chunk {
    union {
        struct {
            uint64_t left;   /* bytes left of this chunk, or its size so far */
            int64_t surplus; /* bytes of body minus H1_CHUNK_MEAN_MIN for each chunk */
        };
        struct h1_resume trailers;
    };
    uint32_t encoded; /* bytes of the message up to this chunk, at most just past the grace */
    uint16_t ext_all;
    uint16_t ext;
    uint8_t digits;
    uint8_t state;
};

/* Take what can be taken.
 *
 * MORE with a body: use these bytes and call again. MORE without: everything useful was taken, call
 * again when there is more; bytes that `in` still holds (an unfinished trailer section) must then
 * come again in front of it. DONE: the message is complete and `in` stands behind it. Trailers, if
 * any, were appended to `trailers` as a serialized HeaderList. BAD: answer `ret_refusal` (400, 431)
 * if nothing was answered yet, and close. `ret_body` is set always, and empty unless there is a
 * body. Points into the input. */
PX_MUST_USE enum px_parse h1_chunk_next(struct h1_chunk *chunk, struct px_bytes *in,
                                        struct px_bytes_out *trailers,
                                        const struct h1_limits *limits, struct px_span *ret_body,
                                        struct h1_refusal *ret_refusal);

/* ---- encoding: head, `len` bytes, tail, ..., last ---- */

/* Begin a chunk of `len` bytes, 1 or more. At most H1_CHUNK_HEAD_MAX bytes. */
void h1_chunk_put_head(struct px_bytes_out *out, uint64_t len);

/* End a chunk: CR LF. */
void h1_chunk_put_tail(struct px_bytes_out *out);

/* End the message, with the trailers of a serialized HeaderList (may be empty). False, and nothing
 * written, when that list is malformed or holds what may not be a trailer. At most 5 bytes and the
 * length of the list. */
PX_MUST_USE bool h1_chunk_put_last(struct px_bytes_out *out, struct px_span trailers,
                                   const struct h1_scan *scan);

#endif
