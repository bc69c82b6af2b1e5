/* lane_ring.c - the carrier that is two rings in shared memory. The socket stays: its end is the
 * end of the lane.
 */
#include "lane_impl.h"

static void ring_broken(struct px_lane *lane)
{
    lane_bad(lane, "the far end broke the ring");
}

/* ---- out ---- */

/* As much of the chain as has room. */
static size_t chain_put(struct px_ring *out, const struct px_chain *chain)
{
    size_t n = 0;
    for (struct px_slice *s = px_chain_first(chain); s != NULL; s = px_chain_next(s)) {
        size_t part = px_ring_put(out, s->ptr, s->len);
        n += part;
        if (part < s->len) {
            break;
        }
    }
    return n;
}

/* Once: a reader that gives a byte of room at a time does not keep us here. */
static ssize_t ring_send(struct px_lane *lane)
{
    struct px_ring *out = &lane->rings.out;
    size_t n = chain_put(out, &lane->out.chain);
    if (px_ring_publish(out)) {
        px_count(lane->lanes->env, LANE_N_BELLS, 1);
        px_bell_ring(lane->rings.far_bell);
    }
    if (n == lane->out.chain.len) {
        return (ssize_t)n;
    }
    px_chain_consume(&lane->out.chain, n);
    if (!px_ring_wait_room(out)) {
        px_bell_ring(lane->bell.fd);
    }
    if (out->is_wrong) {
        ring_broken(lane);
    }
    return 0;
}

static void ring_sent(struct px_lane *lane)
{
    (void)lane; /* it was shown as it went */
}

/* ---- in ---- */

static ssize_t ring_receive(struct px_lane *lane, uint8_t *ret, size_t room)
{
    struct px_ring *in = &lane->rings.in;
    bool ring = false;
    size_t n = px_ring_take(in, ret, room, &ring);
    if (in->is_wrong) {
        ring_broken(lane);
        return 0;
    }
    if (ring) {
        px_bell_ring(lane->rings.far_bell);
    }
    return (ssize_t)n;
}

static bool memory_look(struct posix_memory *memory, bool sleeps)
{
    struct px_lane *lane = px_container_of(memory, struct px_lane, memory);
    return px_ring_look(&lane->rings.in, sleeps) && !px_sul_pending(&lane->again_timer);
}

static void memory_take(struct posix_memory *memory)
{
    lane_read(px_container_of(memory, struct px_lane, memory));
}

/* ---- life ---- */

static void ring_close(struct px_lane *lane)
{
    posix_memory_drop(lane->lanes->os, &lane->memory);
    posix_close(lane->lanes->os, &lane->bell);
    px_rings_done(&lane->rings);
}

const struct lane_carrier lane_ring_carrier = {.hold_frames = PX_LANE_HOLD_FRAMES,
                                               .hold_turns = PX_LANE_HOLD_TURNS,
                                               .send = ring_send,
                                               .sent = ring_sent,
                                               .receive = ring_receive,
                                               .close = ring_close};

enum px_err px_lane_rings(struct px_lane *lane, struct px_rings *take_rings)
{
    struct lanes *lanes = lane->lanes;
    if (lane->ended) {
        px_rings_done(take_rings);
        return PX_EOK; /* it will be told soon */
    }
    if (px_lane_waiting(lane) > 0) {
        return PX_ESTATE;
    }
    enum px_err err =
        posix_watch(lanes->os, lanes->owner, &lane->bell, take_rings->bell, POSIX_BELL);
    if (err != PX_EOK) {
        return err;
    }
    lane->bell.kind = LANE_BELL;
    lane->rings = *take_rings;
    lane->rings.bell = -1; /* the source's */
    lane->memory = (struct posix_memory){.look = memory_look, .take = memory_take};
    lane->carrier = &lane_ring_carrier;
    posix_memory_watch(lanes->os, &lane->memory);
    take_rings->memory = NULL;
    return PX_EOK;
}
