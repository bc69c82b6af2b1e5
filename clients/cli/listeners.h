/* listeners.h - the addresses of a server that runs, and what a configuration wants them to be.
 */
#ifndef LISTENERS_H
#define LISTENERS_H

#include <plexus.h>

#include "conf.h"
#include "logs.h"

enum { LISTENERS_MAX = 64, LISTENER_ADDRESS_MAX = 128 };

struct listener {
    char address[LISTENER_ADDRESS_MAX]; /* as the configuration writes it */
    struct px_listen options;
    uint32_t index; /* of the server */
};

struct listeners {
    struct listener list[LISTENERS_MAX];
    uint32_t n;
};

/* What a configuration wants. Without `listen`: `n_sockets` descriptors from 3 on, or loopback. */
void listeners_wanted(const struct conf_node *root, uint32_t n_sockets,
                      struct listeners *ret_wanted);
/* Opens what is in `wanted` and not in `open`: what they have in common is not touched. `*ret_all`
 * is then `wanted` with the indices of all. On failure everything is as before, and `*ret_failed`
 * is the entry that could not be opened. */
enum px_err listeners_open(struct px_server *server, const struct listeners *open,
                           const struct listeners *wanted, struct listeners *ret_all,
                           uint32_t *ret_failed);
/* Closes what is in `open` and not in `kept`. */
void listeners_close(struct px_server *server, const struct listeners *open,
                     const struct listeners *kept, struct logs *logs);
/* Is there one of that address? */
bool listeners_have(const struct listeners *all, const char *address);
/* Are these the two of the default? Then the second may be missing. */
bool listeners_are_default(const struct conf_node *root, uint32_t n_sockets);

#endif
