/* route.h - patterns of paths and the search among them. Pure but for the memory of the patterns.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "plexus.h"

/* What is rare stays out of line, so that what every request goes through stays short. */
#define LIB_APART __attribute__((noinline, cold))

enum {
    ROUTE_PATTERN_MAX = 1024, /* bytes */
    ROUTE_SEGMENTS_MAX = 32,
    ROUTE_PARAMS_MAX = 8,
    ROUTE_METHOD_MAX = 32, /* bytes */
    ROUTE_ALLOW_MAX = 512, /* bytes of an Allow field, with the zero; methods beyond are left out */
};

struct route_node;
struct rules;

/* A method at a pattern. */
struct route {
    struct route *next; /* other methods at the same pattern */
    px_route_fn fn;
    void *arg;
    struct rules *rules;     /* NULL: none */
    struct px_routes *owner; /* whose it is; NULL: nobody's */
    char *names[ROUTE_PARAMS_MAX];
    uint32_t n_names;
    uint32_t method_len;
    char method[ROUTE_METHOD_MAX + 1];
};

/* Zeroed is empty. */
struct routes {
    struct route_node *root;
};

/* Part of a path. */
struct route_part {
    uint16_t off, len; /* bytes */
};

struct route_match {
    const struct route *route;
    uint32_t n_params;
    struct route_part params[ROUTE_PARAMS_MAX];
};

/* PX_EINVAL, PX_EEXIST, PX_ENOMEM; see px_server_route_with. `ret_route` may be NULL. */
enum px_err route_add(struct routes *routes, const char *method, const char *pattern,
                      px_route_fn fn, void *arg, const struct px_rules *rules,
                      struct route **ret_route);
void route_free_all(struct routes *routes);
/* The most specific route for a normalised path (it starts with '/', at most 65535 bytes). Work is
 * bounded by the number of pattern segments. False: none; `ret` is scratch then. */
bool route_find(const struct routes *routes, struct px_text method, struct px_text path,
                struct route_match *ret);
/* The methods that some pattern has for this path, as an Allow value; "": no pattern matches. */
void route_allow(const struct routes *routes, struct px_text path, char ret_allow[ROUTE_ALLOW_MAX]);

#endif
