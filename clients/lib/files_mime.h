/* files_mime.h - the type of a file by the ending of its name.
 */
#ifndef FILES_MIME_H
#define FILES_MIME_H

#include "plexus.h"

struct mime;

/* The overrides, then a table of our own, then what `path` (in the form of /etc/mime.types; NULL or
 * not there: nothing) says of endings that are in neither. PX_EINVAL: an override is no ending or
 * no value of a field; PX_ENOMEM. */
enum px_err mime_new(const struct px_files_type *overrides, uint32_t n_overrides, const char *path,
                     struct mime **ret_mime);
void mime_free(struct mime *take_mime);
/* The type of a file of this name or path; NULL: not known. Valid as long as `mime`. */
const char *mime_type(const struct mime *mime, struct px_text name);

#endif
