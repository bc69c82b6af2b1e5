/* placement_file.h - the file that says which service runs in which process (`plexus serve
 * --placement FILE`).
 *
 *     domains:
 *       web: {services: [h1], sandbox: strict, spare: true}
 *     supervisor: [app, file]
 *
 * Every service of the build is in a domain or listed under `supervisor`, once; net may be left out
 * and then stays. A mistake is told with file and line.
 */
#ifndef PLACEMENT_FILE_H
#define PLACEMENT_FILE_H

#include <plexus.h>

struct placement_file;

/* Reads a file. NULL: there are mistakes, each given to `print` as one line, or no memory. */
struct placement_file *placement_file_read(const char *path,
                                           void (*print)(void *arg, const char *line), void *arg);
/* For px_system_config.placement. Valid as long as the file. */
const struct px_placement *placement_file_get(const struct placement_file *file);
/* NULL is fine. */
void placement_file_free(struct placement_file *take_file);

#endif
