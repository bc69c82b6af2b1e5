/* posix_promise.h - what was said of an open file: the mailbox file notes it, and whoever sends or
 * reads the file looks whether it still holds. For transports.
 *
 * A promise is that the bytes are those that were there. It is broken when the file got shorter, or
 * was written in place: its length is the same and its time stamp is not. A file that grew keeps
 * it: to append is the one way to change a file that leaves the promised bytes alone (a log that is
 * being written), and a stamp cannot tell more. A file replaced by renaming keeps it too, as the
 * old one is still open.
 */
#ifndef PX_POSIX_PROMISE_H
#define PX_POSIX_PROMISE_H

#include <px/posix.h>

struct posix_promise {
    uint64_t device, inode, length;
    int64_t modified_ns;
};

/* Notes what was said of `fd`. Without memory nothing is, and it counts as kept. `os` may be NULL.
 */
void posix_promise_note(struct px_posix *os, int fd, const struct posix_promise *promise);
/* Forgets it: before the descriptor is closed. */
void posix_promise_drop(struct px_posix *os, int fd);
/* False also if nothing was said of the file that `fd` is. */
bool posix_promise_is_broken(const struct px_posix *os, int fd);

#endif
