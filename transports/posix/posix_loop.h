/* posix_loop.h - descriptors and what runs when they are ready. For transports.
 *
 * A source is embedded in its owner's object. epoll carries the number of its place in a table and
 * the place's generation, so that an event for a source that is gone costs one compare. Sources
 * belong to an owner (a service's life): when the service is killed, its descriptors are closed by
 * the next poll.
 */
#ifndef PX_POSIX_LOOP_H
#define PX_POSIX_LOOP_H

#include <px/posix.h>
#include <sys/epoll.h>

enum {
    POSIX_EVENTS_MAX = 64,   /* sources served in one turn; the others come first in the next one */
    POSIX_TAKE_BYTES = 1024, /* read in one step of a turn, and the read that goes beyond */
    POSIX_OWNERS_MAX = 32,   /* services with descriptors */
};

/* What a source waits for. POSIX_EDGE: EPOLLIN (with EPOLLRDHUP) is told when something comes, not
 * as long as it is there; whoever reads less than there is must come back by himself. Errors and
 * hang-ups are reported in any case; while POSIX_IN is not wanted, only when they happen, not as
 * long as they last. POSIX_BELL, alone: an event descriptor that is never read; each write to it is
 * told, and forgotten rather than held back. */
enum { POSIX_QUIET = 0, POSIX_IN = 1, POSIX_OUT = 2, POSIX_EDGE = 4, POSIX_BELL = 8 };

/* Zeroed is "not watched". `kind` is the owner's, the other fields are the loop's. */
struct posix_source {
    int fd;
    uint32_t place;
    uint8_t events; /* POSIX_ bits */
    uint8_t owner;
    uint8_t kind;
    bool watched;
};

/* What is ready: EPOLLIN, EPOLLRDHUP, EPOLLOUT, EPOLLERR, EPOLLHUP. All but EPOLLOUT and EPOLLERR
 * are held back, not lost, while the kernel takes nothing in. May watch, change and close sources,
 * its own too. */
typedef void (*posix_ready_fn)(void *state, struct posix_source *source, uint32_t events);

/* The loop under a service, or NULL if its kernel runs on another world. */
struct px_posix *posix_of(const struct px_env *env);
/* A service becomes an owner of sources; what an earlier life of it left open is closed. To be
 * called in init. ELIMIT. */
PX_MUST_USE enum px_err posix_join(struct px_posix *os, struct px_env *env, void *state,
                                   posix_ready_fn ready, uint8_t *ret_owner);
/* Begins to watch `take_fd` for `events` (POSIX_ bits). On failure the descriptor
 * stays the caller's: ENOMEM, ELIMIT (epoll's own limit), EIO (a plain file, or no descriptor). */
PX_MUST_USE enum px_err posix_watch(struct px_posix *os, uint8_t owner, struct posix_source *source,
                                    int take_fd, uint8_t events);
/* Changes what is watched for; costs nothing if it is the same. */
void posix_events(struct px_posix *os, struct posix_source *source, uint8_t events);
/* May more be taken in this turn? */
bool posix_reads(const struct px_posix *os);
/* Another number in each turn. */
uint32_t posix_turns(const struct px_posix *os);
/* Counts what was read: a step that has taken POSIX_TAKE_BYTES leaves the other sources for the
 * next. */
void posix_took(struct px_posix *os, uint32_t bytes);
/* Stops watching and closes the descriptor. A source that is not watched is fine. */
void posix_close(struct px_posix *os, struct posix_source *source);

/* Work that is worth putting off while there is other work: embedded in its owner, zeroed. Runs
 * once, behind the next poll; `idle`: that poll found nothing, and the process may sleep after it.
 * Then it may not ask again. */
struct posix_later {
    struct posix_later *next;
    void (*run)(struct posix_later *later, bool idle);
    bool waits;
};
/* Asks for one run. Asking twice is asking once. */
void posix_later(struct px_posix *os, struct posix_later *later);
/* Takes it back; one that does not wait is fine. */
void posix_later_cancel(struct px_posix *os, struct posix_later *later);
/* Is anything put off, or is memory to be looked at again before the process sleeps? Then the next
 * turn is due now. */
bool posix_puts_off(const struct px_posix *os);

/* Bytes that come in memory shared with another process, where no descriptor tells of them as long
 * as we are awake: embedded in its owner, zeroed but for the two functions. */
struct posix_memory {
    struct posix_memory *next;
    /* Is there something? `sleeps`: if not, the process may sleep from here on, and whoever brings
     * something must ring a bell that is watched; else it is awake. */
    bool (*look)(struct posix_memory *memory, bool sleeps);
    /* There was something, and the kernel takes it in. */
    void (*take)(struct posix_memory *memory);
    bool found;
};
/* Looks there whenever it waits. Not twice. */
void posix_memory_watch(struct px_posix *os, struct posix_memory *memory);
/* Takes it back; one that is not watched is fine. */
void posix_memory_drop(struct px_posix *os, struct posix_memory *memory);

#endif
