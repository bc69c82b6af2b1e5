/* ring.h - bytes to and from another process through memory that both have: two rings, each with
 * one writer and one reader, and an event descriptor per process that is rung only when that
 * process has said that it sleeps. docs/wire.md has the layout.
 *
 * The other process is not trusted: it can write anything anywhere in that memory at any time. What
 * counts is kept in private; an index that comes from there is checked before it is used; bytes are
 * copied out once, before anybody looks at them; nothing here loops or waits for the other side.
 */
#ifndef PX_LINK_RING_H
#define PX_LINK_RING_H

#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PX_RING_LEN = 1 << 17,  /* bytes of a ring: a power of two */
    PX_RING_FDS = 3,        /* memory, bell of the supervisor, bell of the domain */
    PX_RING_HEAD_LEN = 256, /* bytes of indices in front of each ring */
    PX_RING_MEMORY_LEN = 2 * (PX_RING_HEAD_LEN + PX_RING_LEN),
};

struct px_ring_head; /* in the shared memory */

/* An end of one ring. */
struct px_ring {
    struct px_ring_head *head;
    uint8_t *bytes;
    uint32_t at;   /* bytes ever written, or read, by this end: the private truth */
    uint32_t far;  /* of the writer: the reader's index, as it was last seen to be possible */
    bool said;     /* we have asked to be rung */
    bool is_wrong; /* the other end's index cannot be: the ring is of no use any more */
};

/* Both rings, as one process has them. Zeroed: none. */
struct px_rings {
    void *memory;
    struct px_ring in, out;
    int bell;     /* ours: rung for us */
    int far_bell; /* the other process's */
};

/* Makes the three descriptors: memory of a fixed length, which the other end cannot change, and the
 * bells. EUNSUPPORTED: the host refuses. */
PX_MUST_USE enum px_err px_rings_make(int ret_fds[PX_RING_FDS]);
/* The rings behind three descriptors. The bells become part of them; the memory's descriptor stays
 * the caller's and is not needed any more. EUNSUPPORTED: it is something else, or cannot be mapped;
 * nothing was taken. */
PX_MUST_USE enum px_err px_rings_attach(const int fds[PX_RING_FDS], bool is_supervisor,
                                        struct px_rings *ret_rings);
/* Unmaps them and closes the bells, but one that is -1. Zeroed ones are fine. */
void px_rings_done(struct px_rings *rings);
/* Closes those that are not -1. */
void px_rings_close(int take_fds[PX_RING_FDS]);
/* Rings a bell. Never waits. */
void px_bell_ring(int bell);

/* ---- the writer's end ---- */

/* Puts up to `len` bytes into the ring; how many. The reader sees them when they are published. */
size_t px_ring_put(struct px_ring *out, const void *bytes, size_t len);
/* Shows what was put. True: the reader sleeps and is to be rung. */
bool px_ring_publish(struct px_ring *out);
/* The ring is full: asks to be rung when there is room. False: there is some by now. */
bool px_ring_wait_room(struct px_ring *out);

/* ---- the reader's end ---- */

/* Are there bytes, or is the ring wrong? `sleeps`: if not, asks to be rung when there are; else
 * takes that back. */
bool px_ring_look(struct px_ring *in, bool sleeps);
/* Copies up to `len` bytes out of the ring; how many. `*ret_ring`: the writer waits for the room
 * and is to be rung. */
size_t px_ring_take(struct px_ring *in, void *ret, size_t len, bool *ret_ring);

#endif
