/* process.h - one process: started with a socket to it, watched, ended, and never left a zombie.
 */
#ifndef PX_SPAWN_PROCESS_H
#define PX_SPAWN_PROCESS_H

#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_FD = 3 }; /* where the process finds its end of the socket */

/* Starts `program` as `program --link 3`, with the standard descriptors and the socket and no
 * other, in a process group of its own, with no signal blocked or ignored. Both descriptors are the
 * caller's. EIO: errno says why. */
PX_MUST_USE enum px_err process_start(const char *program, pid_t *ret_pid, int *ret_pidfd,
                                      int *ret_socket);
/* Ends it now. */
void process_kill(int pidfd);
/* Takes in the end of a process that has ended, waiting for it at most so long; false: it still
 * runs. `ret_text` says how it ended. */
bool process_reap(int pidfd, int patience_ms, char *ret_text, size_t size);
/* Waits until it has ended, at most so long; then ends it and waits on. */
void process_finish(int pidfd, int patience_ms);

#endif
