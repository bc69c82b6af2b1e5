/* pair.h - lane B: link messages as messages of nng, on a pair1 socket of its own for each domain.
 *
 * The supervisor listens on a unix socket in a folder of its own; the one process that may connect
 * is the one it spawned. A pair outlives lanes: the process that comes after uses the same one.
 * libnng has threads of its own; nothing of ours runs in them but the notice that a process
 * connected or went.
 */
#ifndef PX_LINK_PAIR_H
#define PX_LINK_PAIR_H

#include <px/err.h>
#include <stdbool.h>
#include <sys/types.h>

struct px_pair;

/* Has this build nng? */
bool px_pair_is_built(void);

/* Opens a socket and listens. `client`: whom its path belongs to, if we are root. EUNSUPPORTED:
 * this build has no nng; EIO; ENOMEM. */
PX_MUST_USE enum px_err px_pair_listen(uid_t client, struct px_pair **ret_pair);
/* Where it listens. Valid as long as the pair. */
const char *px_pair_path(const struct px_pair *pair);
/* Only this process may connect from here on; what others have sent, or were to be sent, is
 * dropped. */
void px_pair_expect(struct px_pair *pair, pid_t pid);
/* Connects. Makes threads. EUNSUPPORTED, EIO, ENOMEM. */
PX_MUST_USE enum px_err px_pair_dial(const char *path, struct px_pair **ret_pair);
/* Closes it and removes its path. A process that dialled ends with _exit instead. NULL is fine. */
void px_pair_free(struct px_pair *take_pair);

#endif
