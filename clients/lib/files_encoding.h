/* files_encoding.h - which content coding a client likes best (RFC 9110 12.5.3). Pure.
 */
#ifndef FILES_ENCODING_H
#define FILES_ENCODING_H

#include "plexus.h"

/* The codings that files lie ready in, those we prefer first. */
enum coding { CODING_BR, CODING_GZIP, N_CODINGS };

/* Collects the Accept-Encoding fields of a request. Weights are thousandths; 0: not wanted. */
struct codings {
    bool said[N_CODINGS], said_identity, said_any;
    uint16_t weight[N_CODINGS], identity, any;
};

/* Takes note of one Accept-Encoding field; `codings` is zeroed before the first. An element with a
 * malformed weight is passed over. */
void codings_add(struct codings *codings, struct px_text value);
/* The codings that are welcome at least as much as none, the most welcome first; how many. */
uint32_t codings_order(const struct codings *codings, enum coding ret[N_CODINGS]);
/* "br", and ".br". */
const char *coding_name(enum coding coding);
const char *coding_suffix(enum coding coding);

#endif
