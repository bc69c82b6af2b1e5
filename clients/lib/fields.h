/* fields.h - the header fields a program gives, checked and serialized as a HeaderList. Pure.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include "plexus.h"

enum { FIELDS_N_MAX = 64, FIELDS_LEN_MAX = 32768 }; /* fields; bytes serialized */

/* Checks the fields and says how many bytes they take. `content_type` may be NULL; it comes first.
 * PX_EINVAL: a name is no token or belongs to the connection, a value has control characters, or
 * there are too many. */
enum px_err fields_size(const char *content_type, const struct px_field *fields, uint32_t n_fields,
                        size_t *ret_len);
/* Writes exactly that many bytes; names in lower case. */
void fields_write(const char *content_type, const struct px_field *fields, uint32_t n_fields,
                  uint8_t *ret, size_t len);
/* Is this a serialized list that a response may have? As fields_size, names in lower case. */
bool fields_are_valid(const uint8_t *list, size_t len);
/* Finds a field by name, any case, in a serialized list. */
bool fields_find(const uint8_t *list, size_t len, const char *name, struct px_text *ret_value);

#endif
