/* site_impl.h - what site.c and site_shared.c share. */
#ifndef SITE_IMPL_H
#define SITE_IMPL_H

#include "serve_schema.h"
#include "site.h"

enum { PARAM_LEN_MAX = 64 };

/* A folder that is open, for every site that serves it in the same way. */
struct folder {
    struct px_files *files;
    uint32_t n_sites;
};

struct mount {
    struct folder *folder;
    const struct conf_node *node; /* its `files`, of the site's configuration */
    char param[PARAM_LEN_MAX];
};

/* Users of some route, in the same way. */
struct guard {
    struct px_auth *auth;
    uint32_t n_sites;
    char *users; /* the file as it was read */
    size_t users_len;
};

struct watch {
    struct guard *guard;
    const struct conf_node *node; /* the `auth` of a route */
};

/* A service that some route names. */
struct service_name {
    struct service_name *next;
    char text[32];
};

struct site {
    struct px_system *system;
    struct conf *conf;
    const struct site *old; /* while it is being built */
    struct px_routes *routes;
    struct mount *mounts;
    struct watch *watches;
    struct service_name **names; /* they last as long as the routes */
    uint32_t n_mounts, n_watches, n_routes;
};

/* Tell a mistake that only building shows: an error's own text, or what the system has to say. Both
 * return false. */
bool site_mistake(struct site *site, const struct conf_node *node, enum px_err err);
bool site_mistake_said(struct site *site, const struct conf_node *node);

/* ---- site_shared.c ---- */

/* The whole file that a key names; to be freed. NULL: a mistake was told. */
char *site_file_read(struct site *site, const struct conf_node *path, size_t *ret_len);
/* The folder of a route, and that of `root`; the users of a route. NULL: a mistake was told. */
struct px_files *site_files(struct site *site, const struct conf_node *node, const char *pattern);
struct px_files *site_root(struct site *site, const struct conf_node *root);
struct px_auth *site_users(struct site *site, const struct conf_node *node);
/* The name of a service, as long as the routes last. NULL: a mistake was told. */
char *site_service(struct site *site, const struct conf_node *node);
/* Lets go of all of them. */
void site_let_go(struct site *site);

#endif
