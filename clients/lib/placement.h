/* placement.h - mailboxes in processes of their own, for the files of libplexus. */
#ifndef LIB_PLACEMENT_H
#define LIB_PLACEMENT_H

#include "plexus.h"

#include <px/kernel.h>

struct placement;

/* EINVAL, EEXIST: a service is listed twice; ENOMEM. */
enum px_err placement_new(const struct px_placement *config, struct placement **ret_placement);
/* NULL is fine. */
void placement_free(struct placement *take_placement);
/* Adds a mailbox: here, or elsewhere if a domain lists it. `config` as for px_kernel_add. */
enum px_err placement_mailbox(struct px_system *system, const struct px_service *service,
                              const char *name, const void *config, px_addr *ret_addr);
/* Adds what domains need: the mailboxes "link" and "spawn". Nothing if there are none. */
enum px_err placement_add(struct px_system *system);
/* Number of the domain that hosts a mailbox (px_domain_look); false: none does. */
bool placement_domain_of(const struct px_system *system, const char *mailbox, uint32_t *ret_index);
/* Starts the domains and waits until all serve; the kernel and the app mailbox run. */
enum px_err placement_start(struct px_system *system);
/* Ends their processes. */
void placement_end(struct px_system *system);

#endif
