/* sandbox.h - a process gives up what it does not need, for good.
 *
 *     sandbox_enter(SANDBOX_STRICT, &report);   before anything of a stranger's is looked at
 *     ... the kernel is made, descriptors are opened ...
 *     sandbox_seal(SANDBOX_STRICT, &report);    from here on only what serving takes
 *
 * What the host does not offer is left out and said in the report. One thread; profiles only ever
 * take away.
 */
#ifndef PX_SANDBOX_H
#define PX_SANDBOX_H

#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>

enum sandbox_profile {
    SANDBOX_NONE,   /* nothing is given up */
    SANDBOX_STRICT, /* no file, no network, no new process: what is open is all there is */
    SANDBOX_NET,    /* sockets may be made; the only thing done to files is to make and remove unix
                       sockets */
};

enum {
    SANDBOX_UID = 65534,       /* who root becomes: nobody */
    SANDBOX_FILES_STRICT = 64, /* descriptors of a strict process */
    SANDBOX_TEXT_MAX = 256,
};

/* What is in force, and what is not, in words: "uid 65534, no network, landlock 4, seccomp". */
struct sandbox_report {
    char text[SANDBOX_TEXT_MAX];
};

/* False: no such profile. */
bool sandbox_profile_of(const char *name, enum sandbox_profile *ret_profile);
/* The first part: descriptors above `keep_fd`, limits, namespaces, uid, the parent's death, files.
 * EDENIED: root could not be given up; ESTATE: the parent has ended meanwhile. */
PX_MUST_USE enum px_err sandbox_enter(enum sandbox_profile profile, int keep_fd,
                                      struct sandbox_report *report);
/* The second part: the filter of system calls. */
PX_MUST_USE enum px_err sandbox_seal(enum sandbox_profile profile, struct sandbox_report *report);

#endif
