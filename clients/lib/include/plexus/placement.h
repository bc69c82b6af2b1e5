/** @file placement.h
 * Services in processes of their own, by configuration: px_system_config.placement.
 *
 *     const char *const web[] = {"h1"};
 *     const struct px_domain domains[] = {{.name = "web", .services = web, .n_services = 1}};
 *     const struct px_placement placement = {.domains = domains, .n_domains = 1};
 *     px_system_new(&(struct px_system_config){.placement = &placement}, &system);
 *
 * A domain is a process that runs the program px-domain, spawned and watched by this system. What
 * no domain lists runs in the program itself. The first px_system_start returns when every domain
 * serves, or says why one does not. A domain that dies or hangs is replaced at once: what was under
 * way in it ends with SERVICE_GONE; HTTP connections at rest live on. A system with domains is
 * freed by px_system_free, or its processes end when the program does.
 */
#ifndef PLEXUS_PLACEMENT_H
#define PLEXUS_PLACEMENT_H

#include <px/err.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_addition;
struct px_system;

enum {
    PX_DOMAINS_MAX = 32,         /**< domains of a system */
    PX_DOMAIN_SERVICES_MAX = 16, /**< services of a domain */
    PX_DOMAIN_NAME_MAX = 31,     /**< bytes of its name */
};

/** One process. Everything is copied. */
struct px_domain {
    const char *name;            /**< 1..31 bytes, for logs */
    const char *const *services; /**< mailboxes it hosts: "h1", "net", or a service of yours that
                                    its px-domain knows */
    uint32_t n_services;         /**< how many; 1..16 */
    const char *sandbox; /**< profile: "strict" (no files, no network, no processes) [it], "net"
                            (makes sockets), "none" */
    bool no_spare;       /**< no second process is kept ready beside it: less memory, and a few
                            milliseconds more until the next answer when it dies */
    const char *lane;    /**< what carries its messages: "rings" (shared memory; "stream" where the
                            host has none) [it], "stream" (a socket), "nng" (where the build has it;
                            without    a spare) */
};

/** Which services run where. */
struct px_placement {
    const struct px_domain *domains; /**< the processes */
    uint32_t n_domains;              /**< how many; 1..32 */
    /** Path of the program domains run. NULL: what the environment variable PX_DOMAIN says, or the
     * px-domain that was installed with this library. */
    const char *program;
    bool no_sandbox; /**< for debugging: domains are not confined */
};

/** Name of a service that this build can place elsewhere; NULL past the last. */
const char *px_placeable(uint32_t index);

/** What is known of a domain. */
struct px_domain_figures {
    const char *name; /**< as configured */
    const char
        *state; /**< "starting", "serving", "waiting" (died too often), "stopping", "stopped" */
    const char *why;     /**< why it ended last; "": it never has */
    const char *sandbox; /**< what is in force, in words */
    const char *lane;    /**< what carries its messages, "" until it serves */
    int pid;             /**< 0: no process */
    uint32_t starts;     /**< processes so far */
};

/** Figures of a domain, in the order of configuration. Texts are valid until the system runs again.
 * False: there is none of this number, or the system is not started. */
bool px_domain_look(struct px_system *system, uint32_t index,
                    struct px_domain_figures *ret_figures);

/** How a change of the placement went: `why` is NULL when it is in force, else everything is as it
 * was. */
typedef void (*px_placed_fn)(struct px_system *system, const char *why, void *arg);

/** Places services anew while the system runs. Domains that are the same in both (name, services,
 * sandbox, spare, program) are not touched. The others are started beside them; when all of those
 * are ready, they take over from the ones that are not listed any more, in one moment: what is
 * under way in a service that moves ends with SERVICE_GONE, HTTP connections at rest live on. `fn`
 * (NULL: nobody) hears once how it went, perhaps before this returns. PX_EOK: it will; PX_ESTATE:
 * not started, or another change is under way; PX_EUNSUPPORTED: a service would move between the
 * program and a domain, or there was no placement at first (both need a new start), px_system_error
 * says which; PX_EINVAL, PX_EEXIST as px_system_new; PX_EIO: a domain could not be started;
 * PX_ENOMEM.
 */
PX_MUST_USE enum px_err px_system_place(struct px_system *system,
                                        const struct px_placement *placement, px_placed_fn fn,
                                        void *arg);

/** The main function of px-domain, with services of yours: `additions` say which there are
 * (mailbox, contracts; `config` and `reaches` come over the link). Returns the exit code. */
int px_domain_main(int argc, char **argv, const struct px_addition *additions,
                   uint32_t n_additions);

#ifdef __cplusplus
}
#endif

#endif
