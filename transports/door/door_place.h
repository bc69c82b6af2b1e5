/* door_place.h - where a door is in the file system, and who holds it.
 *
 * A door has a folder of its own, BASE/NAME, with the socket "door" and the file "lock". BASE is
 * the first of $RUNTIME_DIRECTORY (systemd), $XDG_RUNTIME_DIR/plexus, /tmp/plexus-UID that there
 * is. A NAME with a slash in it is the folder itself. The lock is held as long as the process
 * lives: a socket without it is left over from one that does not.
 */
#ifndef PX_DOOR_PLACE_H
#define PX_DOOR_PLACE_H

#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    PX_DOOR_NAME_MAX = 31,  /* bytes of a name without slash */
    PX_DOOR_PATH_MAX = 108, /* bytes of the socket's path, with the zero: the system's limit */
    PX_DOOR_WHY_MAX = 256,
};

/* A door that is bound. Zeroed with the descriptors at -1: none. */
struct px_door_place {
    char folder[PX_DOOR_PATH_MAX], socket[PX_DOOR_PATH_MAX];
    int listen_fd, lock_fd;
};

/* Binds the door `name`. `shared`: others than its owner may come to it (what they may do is
 * decided by their uid). On failure `ret_why` is one line that says what to do. EINVAL: not a name;
 * EEXIST: a process that lives holds it; EDENIED: the folder is somebody else's, or open to
 * others; EIO. */
PX_MUST_USE enum px_err px_door_bind(const char *name, bool shared, struct px_door_place *ret_place,
                                     char ret_why[PX_DOOR_WHY_MAX]);
/* Removes the socket and lets go. */
void px_door_unbind(struct px_door_place *place);
/* The path of the socket of a door that is there; it may be left over. ENOENT: `ret_why` says where
 * it was looked for. */
PX_MUST_USE enum px_err px_door_find(const char *name, char ret_path[PX_DOOR_PATH_MAX],
                                     char ret_why[PX_DOOR_WHY_MAX]);

#endif
