/* lane.h - lane C: frames over a connected stream socket, or over rings in shared memory beside it,
 * between a supervisor and a process it spawned. For hosts and transports/spawn.
 *
 * A lane lives in a kernel on a posix world, below its mailbox "link". Bytes go out at the end of
 * the turn; they are held back while polls that do not wait still find work, for at most
 * PX_LANE_HOLD_FRAMES frames or PX_LANE_HOLD_TURNS turns. What comes in is not believed:
 * docs/wire.md says what ends a lane, kernel/link.c what is refused.
 *
 * A lane that ends (the far end closed, broke the form, or is PX_LANE_OUT_MAX behind) closes its
 * descriptor at once, ends its link in the same turn or the next, and says so once.
 */
#ifndef PX_LANE_H
#define PX_LANE_H

#include <protobuf-c/protobuf-c.h>
#include <px/link.h>

#include "pair.h"
#include "ring.h"

enum {
    PX_LANE_HOLD_FRAMES = 32,     /* held back at most ... */
    PX_LANE_HOLD_TURNS = 8,       /* ... and so many turns */
    PX_LANE_OUT_MAX = 64 << 20,   /* bytes that wait for the far end to read; more ends the lane */
    PX_LANE_COPY_MAX = 1024,      /* longer slices of payload go out from where they lie */
    PX_LANE_MESSAGE_MAX = 1 << 30 /* bytes one link message may claim */
};

/* Why a lane ended when nothing was wrong with it. */
#define PX_LANE_CLOSED "the far end closed the link"

/* Mailbox "link": nobody sends there. Owns the lanes of its kernel. */
extern const struct px_service px_link_service;

struct px_lane;

struct px_lane_config {
    /* A oneway of contract link.Link: packed body, borrowed. May free the lane. */
    void (*control)(void *ctx, uint16_t method, const uint8_t *body, size_t len);
    /* The first message since px_lane_new or px_lane_calm goes out; NULL: no need to know. */
    void (*busy)(void *ctx);
    /* It has ended; `why` is one line. Not from within px_lane calls. The lane is to be freed, here
     * or later. */
    void (*ended)(void *ctx, const char *why);
    void *ctx;
    bool greeted; /* both greetings are done (px_hello_read, px_hello_write) */
    /* Descriptors of rings (px_rings_make) that go with our greeting, borrowed; NULL: none. The far
     * end says in its Ready whether it has them. */
    const int *offer;
};

/* A lane on `take_fd`. `env`: of the kernel's mailbox "link". ENOMEM; ELIMIT: epoll's own limit;
 * then the descriptor stays the caller's. */
PX_MUST_USE enum px_err px_lane_new(struct px_env *env, int take_fd,
                                    const struct px_lane_config *config, struct px_lane **ret_lane);
/* Makes it a link with these mailboxes behind it. Only frames of link.Link come in before. The
 * errors of px_link_add and px_link_place. */
PX_MUST_USE enum px_err px_lane_place(struct px_lane *lane, const px_addr *mailboxes, uint32_t n);
/* What waits goes out now, in a link message of its own, as far as the carrier takes it. */
void px_lane_flush(struct px_lane *lane);
/* From here on its bytes go through rings, both ways; the descriptor is only watched for its end.
 * The far end does the same behind the same bytes. ESTATE: something still waits for the
 * descriptor; ENOMEM, ELIMIT. Then the rings stay the caller's. */
PX_MUST_USE enum px_err px_lane_rings(struct px_lane *lane, struct px_rings *take_rings);
/* The same through a pair of libnng (pair.h), which must outlive the lane. EUNSUPPORTED: this build
 * has none; ESTATE, EIO, ENOMEM, ELIMIT: the lane is of no use any more. */
PX_MUST_USE enum px_err px_lane_pair(struct px_lane *lane, struct px_pair *pair);
/* Sends a oneway of contract link.Link at the end of this turn. */
void px_lane_control(struct px_lane *lane, uint16_t method, const ProtobufCMessage *body);
/* The same with a body that is packed already. */
void px_lane_control_packed(struct px_lane *lane, uint16_t method, const uint8_t *body, size_t len);
/* Messages of mailboxes that have gone out so far. */
uint64_t px_lane_sent(const struct px_lane *lane);
/* Bytes that have come in so far: does the far end live? */
uint64_t px_lane_received(const struct px_lane *lane);
/* Bytes that wait for the far end to read them. */
uint64_t px_lane_waiting(const struct px_lane *lane);
/* `busy` is to be told again. */
void px_lane_calm(struct px_lane *lane);
/* Ends it, if it has not ended: nothing is told. To be called before px_kernel_free. NULL is fine.
 */
void px_lane_free(struct px_lane *take_lane);

#endif
