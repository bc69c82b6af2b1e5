/** @file door.h
 * The door: other programs of this host, in any language, call the services of a system. Included
 * by <plexus.h>; its rules hold here too.
 *
 * A door is a unix socket with a name. The Python package `plexus` and the commands `plexus ps`,
 * `plexus call`, `plexus trace` and `plexus top` go through it; so may anything that has nng or
 * plain sockets (docs/wire.md). Who comes is known by the uid the operating system tells; nobody
 * has a password.
 */
#ifndef PLEXUS_DOOR_H
#define PLEXUS_DOOR_H

#include <plexus.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the programs of one user may call. */
struct px_door_client {
    uint32_t uid;                /**< of the user */
    const char *const *services; /**< names of mailboxes; NULL: all that take calls */
    uint32_t n_services;         /**< how many; 0..64 */
    const char *const *provides; /**< names of services they may be */
    uint32_t n_provides;         /**< how many; 0..64 */
};

/** Requests that one program outside has at a time; further ones are answered 503. */
enum { PX_OUTSIDE_REQUESTS_MAX = 256 };

/** How to open a door. A zeroed one takes every default. Everything is copied. */
struct px_door_config {
    /** Its name, 1..31 bytes without dot in front; or, with a slash in it, the path of its folder
     * ["plexus"]. */
    const char *name;
    /** Who may come besides the user of this process and root, who may call everything; or with
     * their uid, what they may call. */
    const struct px_door_client *clients;
    uint32_t n_clients;    /**< how many; 0..64 */
    uint32_t clients_max;  /**< connections; further ones are closed at once; up to 65535 [256] */
    uint32_t calls_max;    /**< calls of one client under way; further ones are answered BUSY; up to
                              65535 [32] */
    uint32_t services_max; /**< programs that are services at a time; up to 32 [8] */
    uint32_t request_max;  /**< bytes of a request; TOO_LARGE, and the client has to connect again;
                              up to 16 MiB [4 MiB] */
    uint64_t memory_max;   /**< bytes kept for all clients: requests that are not whole, answers not
                              yet read; BUSY [64 MiB] */
};

/** Opens a door of a system, before it is started; `config` may be NULL. Whatever px_system_add
 * adds, before or after, can be called there, and the mailboxes "inspect" and "net". PX_ESTATE: the
 * system is started; PX_EEXIST: it has one, or a process that lives holds that name; PX_EINVAL: not
 * a name, or a limit is out of range; PX_EDENIED: the folder belongs to somebody else; PX_EIO:
 * px_system_error says more. */
PX_MUST_USE enum px_err px_system_door(struct px_system *system,
                                       const struct px_door_config *config);

/** The path of the socket; NULL: there is no door. Valid as long as the system. */
const char *px_system_door_path(const struct px_system *system);

/** A px_route_fn: the request is answered by the program that has come through the door as the
 * service `arg` (const char *, a name of up to 31 bytes that outlives the routes), for instance
 * with plexus.http of the Python package. Its body and that of the response pass under credit, 64
 * KiB of a request at a time. 503 with Retry-After: nobody is that service now, or
 * PX_OUTSIDE_REQUESTS_MAX requests are with it; also when it ends before it has begun to respond.
 * 502: it broke the contract (proto/http.proto). */
void px_request_serve_outside(struct px_request request, void *arg);

/** Looks for the door `name` (NULL: "plexus") and writes the path of its socket, at most 107 bytes
 * and a zero. PX_ENOENT: no such door; PX_EINVAL: not a name; PX_ELIMIT: longer than `size`. */
PX_MUST_USE enum px_err px_door_path(const char *name, char *ret_path, size_t size);

#ifdef __cplusplus
}
#endif

#endif
