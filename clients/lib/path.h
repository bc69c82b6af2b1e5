/* path.h - the target of a request taken apart: query, percent-escapes, dot segments. Pure.
 */
#ifndef PATH_H
#define PATH_H

#include "plexus.h"

/* Splits a target at its first '?'. */
void path_split(struct px_text target, struct px_text *ret_path, struct px_text *ret_query);
/* The path of a target: what stands before its first '?'. True: it is normalised already, with no
 * escapes and no segment that starts with a dot, as most are. */
bool path_take(struct px_text target, struct px_text *ret_path);
/* Writes the normalised path into `ret` (path.len bytes or less). False: it does not start with
 * '/', an escape is malformed, or it holds %2F or %00. */
bool path_normalise(struct px_text path, char *ret, size_t *ret_len);
/* Decodes "%41", and '+' as a space, into `ret` (text.len bytes or less). False: malformed, or %00.
 */
bool path_decode_form(struct px_text text, char *ret, size_t *ret_len);

#endif
