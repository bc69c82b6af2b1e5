/* process.h - one process: started with a socket to it, watched, ended, and never left a zombie.
 */
#ifndef PX_SPAWN_PROCESS_H
#define PX_SPAWN_PROCESS_H

#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_FD = 3 }; /* where the process finds its end of the socket */

/* What we hold of a process; -1: not (any more) ours. */
struct process_handles {
    pid_t pid;
    int pidfd;
    int socket; /* our end */
    int words;  /* what it writes to its standard error can be read here, without waiting */
};

/* Starts `program` as `program --link 3`, with the standard descriptors and the socket and no
 * other, in a process group of its own, with no signal blocked or ignored. All handles are the
 * caller's. EIO: errno says why. */
PX_MUST_USE enum px_err process_start(const char *program, struct process_handles *ret);
/* Closes those that are left; a process whose pidfd is among them is ended first. */
void process_handles_end(struct process_handles *handles);
/* Ends it now. */
void process_kill(int pidfd);
/* Takes in the end of a process that has ended, waiting for it at most so long; false: it still
 * runs. `ret_text` says how it ended; `ret_crashed`: by a mistake of its own (a bad access, an
 * abort), so that somebody will want to know what went before. */
bool process_reap(int pidfd, int patience_ms, char *ret_text, size_t size, bool *ret_crashed);
/* Waits until it has ended, at most so long; then ends it and waits on. */
void process_finish(int pidfd, int patience_ms);

#endif
