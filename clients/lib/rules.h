/* rules.h - what a route is served by, checked and made ready when it is added. Pure but for the
 * memory.
 *
 * A route's struct px_rules becomes a struct rules: `rules.c` makes it and carries it out,
 * `redirect.c` fills in places (pure), `routes.c` keeps sets of routes, hosts and error pages,
 * `aside.c` what a request has beside it that is ruled, or logged.
 */
#ifndef RULES_H
#define RULES_H

#include "plexus.h"

#include "route.h"

enum {
    HEADER_RULES_MAX = 32,
    HEADER_RULES_LEN_MAX = 16384, /* bytes, serialized, of all fields the rules add */
    REDIRECT_MAX = 2048,          /* bytes of a place as configured */
    LOCATION_LEN_MAX = 8192,      /* bytes of a place filled in */
    HOSTS_MAX = 1024,
    HOST_LEN_MAX = 253, /* bytes, RFC 1035 2.3.4 */
    ERROR_PAGES_MAX = 64,
    ERROR_PAGE_LEN_MAX = 1 << 20,
};

/* ---- rules.c ---- */

struct cors;

struct rules {
    struct px_rate *rate;        /* held; NULL: none */
    struct cors *cors;           /* NULL: none */
    struct px_auth *auth;        /* held; NULL: anybody */
    uint64_t body_max;           /* bytes; 0: no limit */
    uint32_t body_ms, answer_ms; /* 0: no limit */
    uint32_t status;             /* answers by itself; 0: the route's function does */
    char *text;                  /* NULL: the error page */
    char *content_type;          /* of text */
    char *redirect;              /* NULL: none */
    uint8_t *added; /* serialized HeaderList: what comes behind the fields of a response */
    size_t added_len;
    char **dropped; /* lower-case names: what is taken out before */
    uint32_t n_dropped;
};

/* PX_EINVAL, PX_ENOMEM; see px_server_route_with. `route` has its names. */
enum px_err rules_new(const struct px_rules *config, const struct route *route,
                      struct rules **ret_rules);
void rules_free(struct rules *take_rules);
/* Is a field of a response to be left out? */
bool rules_drop(const struct rules *rules, const uint8_t *name, size_t len);

/* ---- redirect.c ---- */

/* What is put into a place. */
struct redirect_in {
    const struct route *route; /* its names */
    const struct route_match *match;
    struct px_text path, query, host;
};

/* May `place` be configured for a route with these names? */
bool redirect_is_valid(const char *place, const struct route *route);
/* Fills it in, with a closing zero. False: it is longer than `size` - 1. */
bool redirect_fill(const char *place, const struct redirect_in *in, char *ret, size_t size);

/* ---- routes.c ---- */

struct error_page {
    uint32_t status;
    char *content_type;
    char *body;
    size_t body_len;
};

struct routes_host {
    char *name; /* in lower case, "*." in front of the wide ones */
    struct px_routes *routes;
};

struct px_routes {
    struct routes routes;
    struct px_routes *top;     /* the set; itself, unless it is a host's */
    struct routes_host *hosts; /* sorted by name; NULL: none */
    uint32_t n_hosts, n_pages;
    struct error_page *pages;
    uint32_t refs;                  /* of the server while it is in force, and of requests */
    struct px_routes *next, **link; /* among the sets of its server */
    struct px_routes *retired_next;
    void (*freed)(void *arg);
    void *freed_arg;
};

/* The routes for a request of that authority. */
struct px_routes *routes_of_host(struct px_routes *top, struct px_text authority);
/* NULL: none. */
const struct error_page *routes_error_page(const struct px_routes *routes, uint32_t status);
struct px_routes *routes_hold(struct px_routes *routes);
/* The last one frees it. NULL is fine. */
void routes_put(struct px_routes *take_routes);

#endif
