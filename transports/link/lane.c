/* lane.c - the life of a lane, and the mailbox that owns lanes.
 *
 *     greeting --px_lane_place--> placed
 *     greeting, placed --far end closed, bad form, too far behind--> ended (told once, a moment
 * later) any --px_lane_free--> gone
 */
#include "lane_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { LAST_READS_MAX = 1 + PX_RING_LEN / LANE_READ_MIN }; /* a full ring, in the smallest steps */

/* ---- the carrier that is a socket ---- */

static ssize_t socket_send(struct px_lane *lane)
{
    struct iovec iov[LANE_IOV_MAX];
    struct msghdr m = {.msg_iov = iov};
    for (struct px_slice *s = px_chain_first(&lane->out.chain);
         s != NULL && m.msg_iovlen < LANE_IOV_MAX; s = px_chain_next(s)) {
        iov[m.msg_iovlen++] = (struct iovec){.iov_base = s->ptr, .iov_len = s->len};
    }
    ssize_t n;
    do {
        n = sendmsg(lane->source.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        posix_events(lane->lanes->os, &lane->source, lane->source.events | POSIX_OUT);
        return 0;
    }
    return n;
}

static void socket_sent(struct px_lane *lane)
{
    posix_events(lane->lanes->os, &lane->source,
                 lane->source.events & (uint8_t) ~(unsigned)POSIX_OUT);
}

static ssize_t socket_receive(struct px_lane *lane, uint8_t *ret, size_t room)
{
    ssize_t n = recv(lane->source.fd, ret, room, MSG_DONTWAIT);
    bool not_now = n < 0 && (errno == EINTR || errno == EAGAIN);
    return not_now ? 0 : n > 0 ? n : -1;
}

static void socket_close(struct px_lane *lane)
{
    (void)lane; /* whoever ends a lane closes its descriptor */
}

const struct lane_carrier lane_socket_carrier = {.hold_frames = PX_LANE_HOLD_FRAMES,
                                                 .hold_turns = PX_LANE_HOLD_TURNS,
                                                 .send = socket_send,
                                                 .sent = socket_sent,
                                                 .receive = socket_receive,
                                                 .close = socket_close};

/* ---- the end ---- */

static void link_drop(struct px_lane *lane)
{
    lane_in_drop(lane);
    lane_out_drop(lane);
    if (lane->link != NULL) {
        px_link_gone(lane->link);
        lane->link = NULL;
    }
}

static void on_end(struct px_sul *sul)
{
    struct px_lane *lane = px_container_of(sul, struct px_lane, end_timer);
    link_drop(lane);
    lane->config.ended(lane->config.ctx, lane->why);
}

/* The kernel may be in the middle of delivering to this very link: what ends it comes from a timer.
 */
void lane_break(struct px_lane *lane, const char *why)
{
    if (lane->ended) {
        return;
    }
    lane->ended = true;
    lane->why = why;
    posix_close(lane->lanes->os, &lane->source);
    lane->carrier->close(lane);
    posix_later_cancel(lane->lanes->os, &lane->later);
    px_sul_cancel(lane->lanes->env, &lane->again_timer);
    px_sul_schedule(lane->lanes->env, &lane->end_timer, on_end, 0);
    px_kernel_wake(px_env_kernel(lane->lanes->env)); /* it may be about to sleep */
}

/* ---- making and freeing ---- */

enum px_err px_lane_new(struct px_env *env, int take_fd, const struct px_lane_config *config,
                        struct px_lane **ret_lane)
{
    struct lanes *lanes = px_kernel_state(px_env_kernel(env), px_env_self(env));
    struct px_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return PX_ENOMEM;
    }
    lane->lanes = lanes;
    lane->config = *config;
    lane->later.run = lane_later;
    lane->carrier = &lane_socket_carrier;
    lane->in.greeted = config->greeted;
    enum px_err err = posix_watch(lanes->os, lanes->owner, &lane->source, take_fd, POSIX_IN);
    if (err != PX_EOK) {
        free(lane);
        return err;
    }
    lane->next = lanes->first;
    lanes->first = lane;
    if (!config->greeted) {
        lane_greet(lane, config->offer);
    }
    *ret_lane = lane;
    return PX_EOK;
}

enum px_err px_lane_place(struct px_lane *lane, const px_addr *mailboxes, uint32_t n)
{
    struct px_link *link = NULL;
    if (lane->ended) {
        return PX_EOK; /* it will be told soon */
    }
    PX_TRY(px_link_add(px_env_kernel(lane->lanes->env), &lane_link_ops, lane, &link));
    for (uint32_t i = 0; i < n; i++) {
        enum px_err err = px_link_place(link, mailboxes[i]);
        if (err != PX_EOK) {
            px_link_gone(link);
            return err;
        }
    }
    lane->link = link;
    return PX_EOK;
}

void px_lane_free(struct px_lane *take_lane)
{
    struct px_lane *lane = take_lane;
    if (lane == NULL) {
        return;
    }
    struct lanes *lanes = lane->lanes;
    for (struct px_lane **at = &lanes->first; *at != NULL; at = &(*at)->next) {
        if (*at == lane) {
            *at = lane->next;
            break;
        }
    }
    posix_close(lanes->os, &lane->source);
    lane->carrier->close(lane);
    posix_later_cancel(lanes->os, &lane->later);
    px_sul_cancel(lanes->env, &lane->end_timer);
    px_sul_cancel(lanes->env, &lane->again_timer);
    link_drop(lane);
    lane->ended = lane->freed = true;
    lane_forget(lane);
}

void lane_forget(struct px_lane *lane)
{
    if (lane->freed && !lane->reading) {
        free(lane);
    }
}

uint64_t px_lane_sent(const struct px_lane *lane)
{
    return lane->sent;
}

uint64_t px_lane_received(const struct px_lane *lane)
{
    return lane->in.received;
}

uint64_t px_lane_waiting(const struct px_lane *lane)
{
    return lane->out.chain.len + lane->out.off - lane->out.from;
}

void px_lane_calm(struct px_lane *lane)
{
    lane->is_busy = false;
}

/* ---- the mailbox ---- */

/* Beside rings or libnng the socket only ends. What was brought before is taken first: no more than
 * a ring holds. */
static void socket_aside(struct px_lane *lane)
{
    uint8_t byte;
    ssize_t n = recv(lane->source.fd, &byte, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n > 0) {
        lane_bad(lane, "the far end speaks beside the lane");
        return;
    }
    lane->reading = true;
    for (int i = 0; i < LAST_READS_MAX && !lane->ended; i++) {
        lane_read(lane);
    }
    lane->reading = false;
    lane_break(lane, PX_LANE_CLOSED);
    lane_forget(lane);
}

static void bell_ready(struct px_lane *lane)
{
    if (lane->nng.pair != NULL) {
        lane_nng_bell(lane);
    } else if (lane->out.blocked) {
        lane_go_on(lane);
    } /* what is in the rings the loop finds by itself */
}

static void socket_ready(struct px_lane *lane, uint32_t events)
{
    if (lane->carrier != &lane_socket_carrier) {
        socket_aside(lane);
        return;
    }
    if ((events & EPOLLOUT) != 0 && lane->out.blocked) {
        lane_go_on(lane);
    }
    if ((events & ~(uint32_t)EPOLLOUT) != 0 && !lane->ended) {
        lane_read(lane);
    }
}

static void link_ready(void *state, struct posix_source *source, uint32_t events)
{
    (void)state;
    switch ((enum lane_source)source->kind) {
    case LANE_SOCKET:
        socket_ready(px_container_of(source, struct px_lane, source), events);
        break;
    case LANE_BELL:
        bell_ready(px_container_of(source, struct px_lane, bell));
        break;
    case LANE_INBOX:
        lane_read(px_container_of(source, struct px_lane, inbox));
        break;
    }
}

static enum px_err link_init(void *state, struct px_env *env)
{
    struct lanes *lanes = state;
    lanes->env = env;
    lanes->os = posix_of(env);
    if (lanes->os == NULL) {
        return PX_EUNSUPPORTED;
    }
    return posix_join(lanes->os, env, lanes, link_ready, &lanes->owner);
}

static const char *const counter_names[LANE_N_COUNTERS] = {
    [LANE_N_FRAMES_IN] = "frames_in", [LANE_N_FRAMES_OUT] = "frames_out",
    [LANE_N_SENDS] = "sends",         [LANE_N_REFUSED] = "refused",
    [LANE_N_UNFIT] = "unfit",         [LANE_N_BROKEN] = "broken",
    [LANE_N_BEHIND] = "behind",       [LANE_N_READS] = "reads",
    [LANE_N_BELLS] = "bells",
};

const struct px_service px_link_service = {
    .name = "link",
    .state_size = sizeof(struct lanes),
    .counters = counter_names,
    .n_counters = LANE_N_COUNTERS,
    .init = link_init,
};
