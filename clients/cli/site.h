/* site.h - what is served: a set of routes as a configuration says, built aside.
 */
#ifndef SITE_H
#define SITE_H

#include <plexus.h>

#include "conf.h"

/* The set, and the folders its routes open. */
struct site;

/* Builds one. Folders that `old` (or NULL) serves in the same way are shared with it, and go on
 * with the files they have open. NULL: mistakes were told in `conf`, which must outlive the site.
 */
struct site *site_new(struct px_system *system, struct conf *conf, const struct site *old);
/* Puts it in force: once. */
void site_use(struct site *site, struct px_server *server);
/* When another one is in force, or it never was. NULL is fine. */
void site_free(struct site *take_site);
/* How many routes it has. */
uint32_t site_n_routes(const struct site *site);

#endif
