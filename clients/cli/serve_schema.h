/* serve_schema.h - what a configuration of plexus serve may say. */
#ifndef SERVE_SCHEMA_H
#define SERVE_SCHEMA_H

#include "conf.h"

enum {
    SERVE_LISTEN_MAX = 64, /* addresses */
    SERVE_DOOR_CLIENTS_MAX = 64,
    SERVE_DOOR_SERVICES_MAX = 64,
    SERVE_ROUTES_MAX = 4096,      /* of one host, and of the outermost mapping */
    SERVE_HOSTS_MAX = 256,        /* entries of `hosts` */
    SERVE_NAMES_MAX = 64,         /* names of one host */
    SERVE_ERROR_PAGES_MAX = 64,   /* of one host */
    SERVE_HEADERS_MAX = 32,       /* header rules of a route */
    SERVE_TYPES_MAX = 256,        /* types of files of a route */
    SERVE_FILE_LEN_MAX = 1 << 20, /* of an error page, or a list of users */
};

/* The outermost mapping. */
extern const struct conf_key serve_schema[];

/* Indices of what CONF_WORD keys may say. */
enum serve_level { SERVE_ERROR, SERVE_WARN, SERVE_INFO, SERVE_DEBUG };
enum serve_format { SERVE_COMBINED, SERVE_JSON };

/* The page docs/configuration.md. */
void serve_reference(FILE *out);

#endif
