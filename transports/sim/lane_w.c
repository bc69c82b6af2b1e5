/* lane_w.c - lane W: two kernels of one system. What one delivers to its link is written as frames,
 * sent at the end of the turn in pieces cut at seeded places with seeded delays, in order, and
 * taken apart again at the other side by the frame code.
 */
#include "pack.h"
#include "sim_impl.h"

#include <stdlib.h>

static const struct px_frame_limits lane_limits = {.body_max = PX_FRAME_BODY_MAX,
                                                   .payload_max = PX_FRAME_PAYLOAD_MAX};

static struct sim_lane_side *side_other(struct sim_lane_side *side)
{
    return side == &side->lane->sides[0] ? &side->lane->sides[1] : &side->lane->sides[0];
}

/* ---- out ---- */

static void lane_deliver(void *ctx, const struct px_msg *msg, uint32_t deadline_ms)
{
    struct sim_lane_side *side = ctx;
    size_t len = px_frame_len(msg);
    if (len == 0) {
        sim_fail(side->domain->sim, __FILE__, __LINE__, "a message that cannot cross a link");
    }
    uint8_t small[2048];
    uint8_t *frame = len <= sizeof small ? small : sim_calloc(len);
    px_frame_write(msg, deadline_ms, frame);
    sim_bytes_put(&side->out, frame, len);
    if (frame != small) {
        free(frame);
    }
}

static void on_lane_arrival(struct sim_event *event);

static void side_schedule(struct sim_lane_side *side)
{
    struct sim_piece *first = sim_queue_first(&side->way);
    if (first != NULL) {
        sim_event_set(side->domain->sim, &side->arrival, first->at_us, on_lane_arrival);
    }
}

static void lane_flush(void *ctx)
{
    struct sim_lane_side *side = ctx, *to = side_other(side);
    struct px_sim *sim = side->domain->sim;
    const struct px_sim_weather *w = &sim->weather;
    while (side->out.len > 0) {
        size_t n = side->out.len;
        if (!w->link_calm && n > 1 && px_sim_chance(sim, w->cut)) {
            n = 1 + px_sim_below(sim, (uint32_t)n);
        }
        uint64_t at_us = sim->now_us;
        if (!w->link_calm && w->delay_us_max > 0) {
            at_us += px_sim_below(sim, w->delay_us_max / 4 + 1);
        }
        to->last_at_us = at_us > to->last_at_us ? at_us : to->last_at_us;
        sim_queue_put(&to->way, (struct sim_piece){.at_us = to->last_at_us, .len = (uint32_t)n});
        sim_bytes_put(&to->in, sim_bytes_at(&side->out), n);
        sim_bytes_drop(&side->out, n);
    }
    side_schedule(to);
}

static const struct px_link_ops lane_ops = {
    .deliver = lane_deliver, .flush = lane_flush, .unpack = px_unpack};

/* ---- in ---- */

static void on_lane_arrival(struct sim_event *event)
{
    struct sim_lane_side *side = px_container_of(event, struct sim_lane_side, arrival);
    struct px_sim *sim = side->domain->sim;
    for (struct sim_piece *p;
         (p = sim_queue_first(&side->way)) != NULL && p->at_us <= sim->now_us;) {
        side->arrived += p->len;
        sim_queue_drop(&side->way);
    }
    side_schedule(side);
}

bool sim_lane_has_input(const struct sim_domain *domain)
{
    for (const struct sim_lane *lane = domain->sim->lanes; lane != NULL; lane = lane->next) {
        for (int i = 0; i < 2; i++) {
            if (lane->sides[i].domain == domain &&
                (lane->sides[i].arrived > 0 || lane->sides[i].again)) {
                return true;
            }
        }
    }
    return false;
}

/* Bytes that have arrived become part of the chain frames are taken from. False: no memory now. */
static bool side_receive(struct sim_lane_side *side)
{
    const uint8_t *data = sim_bytes_at(&side->in);
    if (side->arrived > 0 &&
        !px_chain_copy_in(px_link_env(side->link), &side->received, data, side->arrived)) {
        return false;
    }
    sim_bytes_drop(&side->in, side->arrived);
    side->arrived = 0;
    return true;
}

/* The next frame becomes `side->frame`. False: there is no whole one, or no memory for it now. */
static bool side_next(struct sim_lane_side *side)
{
    switch (px_frame_take(px_link_env(side->link), &side->received, &lane_limits, &side->frame)) {
    case PX_FRAME_DONE:
        side->has_frame = true;
        return true;
    case PX_FRAME_MORE:
        return false;
    case PX_FRAME_NO_MEMORY:
        side->again = true;
        return false;
    case PX_FRAME_BAD:
        break;
    }
    sim_fail(side->domain->sim, __FILE__, __LINE__, "a kernel wrote a frame that does not read");
}

/* Takes one frame in. False: there is none, or no memory for it now. */
static bool side_take(struct sim_lane_side *side)
{
    if (!side->has_frame && !side_next(side)) {
        return false;
    }
    enum px_err err = px_link_in(side->link, &side->frame.wire, &side->frame.payload);
    if (err == PX_ENOMEM) {
        side->again = true;
        return false;
    }
    side->domain->sim->lane_refused += err == PX_EINVAL;
    side->has_frame = false;
    px_frame_done(&side->frame);
    return true;
}

void sim_lane_poll(struct sim_domain *domain)
{
    for (struct sim_lane *lane = domain->sim->lanes; lane != NULL; lane = lane->next) {
        for (int i = 0; i < 2; i++) {
            struct sim_lane_side *side = &lane->sides[i];
            if (side->domain != domain) {
                continue;
            }
            side->again = false;
            if (side_receive(side)) {
                while (side_take(side)) {
                }
            }
        }
    }
}

/* ---- joining and parting ---- */

static void side_init(struct sim_lane *lane, int which, struct sim_domain *domain,
                      const struct sim_domain *other)
{
    struct sim_lane_side *side = &lane->sides[which];
    side->lane = lane;
    side->domain = domain;
    enum px_err err = px_link_add(domain->kernel, &lane_ops, side, &side->link);
    for (uint32_t i = 1; err == PX_EOK && i <= domain->system->n_mailboxes; i++) {
        if (domain->system->mailboxes[i].domain == other->index) {
            err = px_link_place(side->link, (px_addr)i);
        }
    }
    if (err != PX_EOK) {
        sim_fail(domain->sim, __FILE__, __LINE__, px_err_text(err));
    }
}

void sim_lane_new(struct sim_domain *a, struct sim_domain *b)
{
    struct sim_lane *lane = sim_calloc(sizeof *lane);
    lane->next = a->sim->lanes;
    a->sim->lanes = lane;
    side_init(lane, 0, a, b);
    side_init(lane, 1, b, a);
}

void sim_lane_free(struct px_sim *sim, struct sim_lane *lane)
{
    for (struct sim_lane **at = &sim->lanes; *at != NULL; at = &(*at)->next) {
        if (*at == lane) {
            *at = lane->next;
            break;
        }
    }
    for (int i = 0; i < 2; i++) {
        struct sim_lane_side *side = &lane->sides[i];
        if (side->has_frame) {
            px_frame_done(&side->frame);
        }
        px_chain_clear(&side->received);
        px_link_gone(side->link);
        sim_event_cancel(sim, &side->arrival);
        sim_bytes_free(&side->in);
        sim_bytes_free(&side->out);
        free(side->way.pieces);
    }
    free(lane);
}
