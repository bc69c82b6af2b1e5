/* ring.c - see ring.h.
 *
 * Indices count bytes for ever and wrap at 2^32. A side that is about to sleep says so, then looks
 * once more; a side that has brought something shows it, then looks whether the other has said so.
 * With a full barrier between the two steps on either side one of them sees the other.
 *
 * Ringing is a write of 0: the count of an event descriptor is 1 from the beginning and never read,
 * a watcher of edges is told of each write, and a write of 0 has room whatever the other process
 * did to the count or to the flags, which both share.
 */
#include "ring.h"

#include <fcntl.h>
#include <px/assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 64 };

/* Each word on a cache line of its own. */
struct px_ring_head {
    _Alignas(LINE) _Atomic uint32_t written; /* by the writer */
    _Alignas(LINE) _Atomic uint32_t read;    /* by the reader */
    _Alignas(LINE) _Atomic uint32_t sleeps;  /* 1: the reader is to be rung; whoever rings: 0 */
    _Alignas(LINE) _Atomic uint32_t no_room; /* 1: the writer is; the same */
};

_Static_assert(sizeof(struct px_ring_head) == PX_RING_HEAD_LEN, "docs/wire.md has the layout");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a lock would not be shared");

/* ---- the writer's end ---- */

/* Bytes that may be written without overtaking the reader. */
static uint32_t ring_room(struct px_ring *out)
{
    uint32_t far = atomic_load_explicit(&out->head->read, memory_order_seq_cst);
    uint32_t used = out->at - far;
    if (out->is_wrong || used > PX_RING_LEN) {
        out->is_wrong = true;
        return 0;
    }
    out->far = far;
    return PX_RING_LEN - used;
}

size_t px_ring_put(struct px_ring *out, const void *bytes, size_t len)
{
    uint32_t room = out->is_wrong ? 0 : PX_RING_LEN - (out->at - out->far);
    if (room < len) {
        room = ring_room(out);
    }
    uint32_t n = len < room ? (uint32_t)len : room;
    uint32_t from = out->at % PX_RING_LEN;
    uint32_t first = n < PX_RING_LEN - from ? n : PX_RING_LEN - from;
    memcpy(out->bytes + from, bytes, first);
    memcpy(out->bytes, (const uint8_t *)bytes + first, n - first);
    out->at += n;
    return n;
}

/* Has the other side asked to be rung? Asking is good for one time. */
static bool is_asked(_Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_seq_cst) != 0 &&
           atomic_exchange_explicit(word, 0, memory_order_seq_cst) != 0;
}

bool px_ring_publish(struct px_ring *out)
{
    atomic_store_explicit(&out->head->written, out->at, memory_order_seq_cst);
    return is_asked(&out->head->sleeps);
}

bool px_ring_wait_room(struct px_ring *out)
{
    atomic_store_explicit(&out->head->no_room, 1, memory_order_seq_cst);
    if (ring_room(out) == 0) {
        return true;
    }
    atomic_store_explicit(&out->head->no_room, 0, memory_order_relaxed);
    return false;
}

/* ---- the reader's end ---- */

/* Bytes that are there; 0 if that cannot be. */
static uint32_t ring_there(struct px_ring *in)
{
    uint32_t there = atomic_load_explicit(&in->head->written, memory_order_seq_cst) - in->at;
    in->is_wrong = in->is_wrong || there > PX_RING_LEN;
    return in->is_wrong ? 0 : there;
}

bool px_ring_look(struct px_ring *in, bool sleeps)
{
    if (sleeps || in->said) {
        in->said = sleeps;
        atomic_store_explicit(&in->head->sleeps, sleeps ? 1 : 0, memory_order_seq_cst);
    }
    return ring_there(in) > 0 || in->is_wrong;
}

size_t px_ring_take(struct px_ring *in, void *ret, size_t len, bool *ret_ring)
{
    uint32_t there = ring_there(in);
    uint32_t n = len < there ? (uint32_t)len : there;
    uint32_t from = in->at % PX_RING_LEN;
    uint32_t first = n < PX_RING_LEN - from ? n : PX_RING_LEN - from;
    memcpy(ret, in->bytes + from, first);
    memcpy((uint8_t *)ret + first, in->bytes, n - first);
    in->at += n;
    atomic_store_explicit(&in->head->read, in->at, memory_order_seq_cst);
    *ret_ring = is_asked(&in->head->no_room);
    return n;
}

/* ---- making ---- */

void px_rings_close(int take_fds[PX_RING_FDS])
{
    for (int i = 0; i < PX_RING_FDS; i++) {
        if (take_fds[i] >= 0) {
            (void)close(take_fds[i]);
            take_fds[i] = -1;
        }
    }
}

enum px_err px_rings_make(int ret_fds[PX_RING_FDS])
{
    int fds[PX_RING_FDS] = {memfd_create("plexus lane", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                            eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK),
                            eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    bool made = fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0 &&
                ftruncate(fds[0], PX_RING_MEMORY_LEN) == 0 &&
                fcntl(fds[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    if (!made) {
        px_rings_close(fds);
        return PX_EUNSUPPORTED;
    }
    memcpy(ret_fds, fds, sizeof fds);
    return PX_EOK;
}

static struct px_ring ring_of(uint8_t *memory, uint32_t number)
{
    uint8_t *at = memory + (size_t)number * (PX_RING_HEAD_LEN + PX_RING_LEN);
    void *head = at;
    return (struct px_ring){.head = head, .bytes = at + PX_RING_HEAD_LEN};
}

enum px_err px_rings_attach(const int fds[PX_RING_FDS], bool is_supervisor,
                            struct px_rings *ret_rings)
{
    struct stat st = {.st_size = 0};
    if (fstat(fds[0], &st) != 0 || st.st_size != PX_RING_MEMORY_LEN) {
        return PX_EUNSUPPORTED;
    }
    void *memory = mmap(NULL, PX_RING_MEMORY_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (memory == MAP_FAILED) {
        return PX_EUNSUPPORTED;
    }
    struct px_ring outward = ring_of(memory, 0), homeward = ring_of(memory, 1);
    *ret_rings = (struct px_rings){.memory = memory,
                                   .in = is_supervisor ? homeward : outward,
                                   .out = is_supervisor ? outward : homeward,
                                   .bell = is_supervisor ? fds[1] : fds[2],
                                   .far_bell = is_supervisor ? fds[2] : fds[1]};
    return PX_EOK;
}

void px_rings_done(struct px_rings *rings)
{
    if (rings->memory != NULL) {
        (void)munmap(rings->memory, PX_RING_MEMORY_LEN);
        int bells[PX_RING_FDS] = {rings->bell, rings->far_bell, -1};
        px_rings_close(bells);
        rings->memory = NULL;
    }
}

void px_bell_ring(int bell)
{
    const uint64_t nothing = 0;
    ssize_t r = write(bell, &nothing, sizeof nothing);
    (void)r; /* it is never full */
}
