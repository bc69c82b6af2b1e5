/* lane_impl.h - what the files of lane C share.
 *
 *     lane.c       life: new, placed, ended, free; the mailbox that owns lanes
 *     lane_out.c   from the kernel to the carrier
 *     lane_in.c    from the carrier to the kernel
 *     lane_ring.c  the carrier that is two rings; the one that is a socket is in lane.c
 *     lane_nng.c   the carrier that is libnng
 */
#ifndef PX_LANE_IMPL_H
#define PX_LANE_IMPL_H

#include "frame.h"
#include "lane.h"

#include "link_contract.h"
#include "pair.h"
#include "posix_loop.h"
#include "ring.h"

#include <sys/types.h>

enum {
    LANE_GREETING_LEN = 8,    /* 00 'S' 'P' 00, protocol (pair1), 00 00 */
    LANE_MESSAGE_HEAD = 13,   /* 01, length (8), hops (4) */
    LANE_HOPS_LEN = 4,        /* counted in the length of a link message */
    LANE_IOV_MAX = 64,        /* pieces a sendmsg */
    LANE_READ_MIN = 4096,     /* a read buffer with less room is left */
    LANE_BATCH_MAX = 1 << 20, /* bytes of a link message beyond which it takes no more frames */
    LANE_AGAIN_US = 1000,     /* when there is no memory for what came in */
};

enum lane_counter {
    LANE_N_FRAMES_IN,
    LANE_N_FRAMES_OUT,
    LANE_N_SENDS,
    LANE_N_REFUSED, /* frames that their sender may not send */
    LANE_N_UNFIT,   /* messages that cannot cross */
    LANE_N_BROKEN,  /* lanes that ended because of what came in */
    LANE_N_BEHIND,  /* lanes that ended because the far end did not read */
    LANE_N_READS,   /* times that something came in */
    LANE_N_BELLS,   /* times a sleeping far end was rung */
    LANE_N_COUNTERS,
};

/* Which descriptor of a lane is ready (posix_source.kind). */
enum lane_source { LANE_SOCKET, LANE_BELL, LANE_INBOX };

/* What carries the bytes of a lane. */
struct lane_carrier {
    uint32_t hold_frames, hold_turns; /* sends are held back at most so long */
    /* Sends from the front of lane->out.chain: how many bytes went. 0: not now, and lane_go_on is
     * called when there is room; -1: the far end is gone. */
    ssize_t (*send)(struct px_lane *lane);
    /* Everything has gone. */
    void (*sent)(struct px_lane *lane);
    /* How many bytes came in; 0: none now; -1: the far end is gone. */
    ssize_t (*receive)(struct px_lane *lane, uint8_t *ret, size_t room);
    /* The lane has ended. Twice is fine. */
    void (*close)(struct px_lane *lane);
};

/* State of the mailbox "link". */
struct lanes {
    struct px_env *env;
    struct px_posix *os;
    uint8_t owner;
    struct px_lane *first;
};

/* What goes out. `batch` is the link message that is being put together: its frames are in the
 * chain and in the buffer behind `from`, its header is filled in when it is closed. */
struct lane_out {
    struct px_chain chain;
    struct px_buf *buf;
    uint32_t from, off,
        cap;             /* bytes of `buf` that are in use and not in the chain yet: [from, off) */
    uint8_t *batch_head; /* NULL: no batch */
    uint64_t batch_len;
    uint32_t frames, turns; /* held back */
    bool blocked;           /* the carrier takes no more now */
};

/* What comes in: bytes [off, end) of `buf`; or, when a frame is longer than the buffer's rest, all
 * of it in `chain`. */
struct lane_in {
    struct px_buf *buf;
    uint32_t off, end, cap;
    uint64_t missing; /* bytes of the frame in the chain that are still to come, as far as known */
    struct px_chain chain;
    uint64_t message_left; /* bytes of the link message that are still to come */
    bool greeted;
    struct px_frame frame; /* taken, but the kernel had no memory for it */
    bool has_frame;
    uint64_t received;
};

/* With the carrier that is libnng. */
struct lane_nng {
    struct px_pair *pair;
    struct nng_msg *msg; /* the one that is being read, from `off` */
    size_t off;
    uint32_t credit; /* messages that may be sent */
    uint32_t untold; /* messages that were taken and of which the far end has not been told */
};

struct px_lane {
    struct lanes *lanes;
    struct px_lane *next;
    struct px_link *link; /* NULL: not placed */
    struct px_lane_config config;
    struct posix_source source;
    const struct lane_carrier *carrier;
    struct px_rings rings; /* with lane_ring_carrier */
    struct lane_nng nng;   /* with the one that is libnng */
    struct posix_source
        bell; /* rung when there is something in `rings`, or room; or the pair is lost */
    struct posix_source inbox;  /* readable when libnng has messages */
    struct posix_memory memory; /* looks for what no descriptor tells of */
    struct posix_later later;
    struct px_sul end_timer, again_timer;
    bool ended, is_busy;
    bool reading, freed; /* its memory is freed when it has stopped reading */
    uint64_t sent;
    const char *why;
    struct lane_out out;
    struct lane_in in;
};

/* The header of a oneway of link.Link. */
static inline struct px_frame_header lane_control_header(uint16_t method, size_t body_len)
{
    return (struct px_frame_header){.wire = {.mailbox = LINK_MAILBOX,
                                             .sender = LINK_MAILBOX,
                                             .method = method,
                                             .kind = PX_KIND_ONEWAY,
                                             .has_body = true},
                                    .body_len = (uint32_t)body_len};
}

extern const struct px_link_ops lane_link_ops;
extern const struct lane_carrier lane_socket_carrier, lane_ring_carrier;
extern const uint8_t lane_greeting[LANE_GREETING_LEN];

/* lane.c: the end has come. Once; safe anywhere. */
void lane_break(struct px_lane *lane, const char *why);
/* Frees the memory of one that was freed, unless it is reading. */
void lane_forget(struct px_lane *lane);

/* lane_out.c */
void lane_greet(struct px_lane *lane, const int *offer);
void lane_write(struct px_lane *lane);
void lane_go_on(struct px_lane *lane);
void lane_later(struct posix_later *later, bool idle);
void lane_out_drop(struct px_lane *lane);

/* lane_in.c */
void lane_bad(struct px_lane *lane, const char *why);
void lane_read(struct px_lane *lane);
void lane_again(struct px_sul *sul);
void lane_in_drop(struct px_lane *lane);

/* lane_nng.c: its bell was rung. */
void lane_nng_bell(struct px_lane *lane);

#endif
