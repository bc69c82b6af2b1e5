/* cors.h - who may use a route from a page of another origin (WHATWG Fetch, 3.2). Pure but for the
 * memory.
 */
#ifndef CORS_H
#define CORS_H

#include "plexus.h"

enum {
    CORS_ORIGINS_MAX = 64,
    CORS_TEXT_MAX = 1024, /* bytes of an origin, a list of methods or headers */
    CORS_AGE_S_MAX = 86400,
};

struct cors {
    bool any, any_headers, credentials;
    char **origins;
    uint32_t n_origins;
    char *methods, *headers, *expose; /* NULL: see struct px_cors */
    char max_age[16];                 /* "": not said */
};

/* PX_EINVAL, PX_ENOMEM; see struct px_cors. */
enum px_err cors_new(const struct px_cors *config, struct cors **ret_cors);
void cors_free(struct cors *take_cors);
/* What to allow to an origin: itself, or "*". ptr NULL: nothing. */
struct px_text cors_allow(const struct cors *cors, struct px_text origin);

#endif
