/* files_range.h - the Range field (RFC 9110 14). Pure.
 */
#ifndef FILES_RANGE_H
#define FILES_RANGE_H

#include "plexus.h"

enum { RANGES_MAX = 64, RANGES_DEFAULT = 16 }; /* of one request */

struct byte_range {
    uint64_t first, len; /* bytes; len > 0 */
};

enum ranges {
    RANGES_ALL,  /* send everything: not in bytes, malformed, or asking for too much */
    RANGES_NONE, /* 416: no range lies in the representation */
    RANGES_SOME, /* 206 */
};

/* What to send of `length` bytes. More than `max` ranges (at most RANGES_MAX), more than two that
 * overlap, or several that ask for more bytes than there are: everything. So is the whole of an
 * empty representation. In the order of the request. */
enum ranges ranges_parse(struct px_text value, uint64_t length, uint32_t max,
                         struct byte_range ret[RANGES_MAX], uint32_t *ret_n);

#endif
