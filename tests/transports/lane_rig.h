/* lane_rig.h - one kernel with an actor, or two, on epoll loops of their own, joined by lane C over
 * a real socketpair; or one and a raw far end that says anything. Time stands still.
 */
#ifndef LANE_RIG_H
#define LANE_RIG_H

#include <check.h>
#include <px/posix.h>

#include "lane.h"

enum { LINK_ADDR = 1, ALICE = 2, BOB = 3, HEARD_MAX = 1 << 20 };

/* A mailbox that keeps what it hears. Alice lives on side 0, Bob on side 1. */
struct actor {
    uint32_t notes, asks, replies, ended, gone, back, lost;
    uint64_t value;        /* of the last Note or Ask */
    uint64_t payload;      /* bytes in all */
    uint64_t sum;          /* of those bytes, as numbers */
    uint32_t slices;       /* of the last */
    enum px_status status; /* of the last reply or end */
    uint64_t answer;       /* in the last reply */
    bool keeps;            /* does not answer Ask */
    const struct px_msg *kept;
};

struct side {
    struct px_posix *os;
    struct px_world world;
    struct px_kernel *kernel;
    struct px_lane *lane;
    struct actor *actor; /* in the state of its mailbox */
    uint32_t controls, ends, busy;
    uint16_t method; /* of the last control */
    char why[128];   /* of the end */
    bool frees;      /* the lane, when something is said about the link */
};

extern struct side sides[2];

/* What carries the lane of rig_pair; a fixture sets it. */
enum rig_carrier { RIG_STREAM, RIG_RINGS, RIG_NNG };
extern enum rig_carrier rig_carrier;
void rig_on_stream(void);
void rig_on_rings(void);
void rig_on_nng(void);
extern int rig_expected_pid; /* with RIG_NNG: who may connect; 0: we */

/* Two kernels, joined by rig_carrier, and placed. */
void rig_pair(void);
/* One, with a raw far end (its descriptor). `placed`: Bob is behind the link. */
int rig_raw(bool placed);
/* The same on rings, placed; `ret_far` is the far end's, the caller's to close. */
int rig_raw_rings(struct px_rings *ret_far);
void rig_end(void);
/* A turn of each side, until nothing moves any more. */
void rig_settle(void);
void rig_turn(int side);
void rig_advance_us(uint64_t us);
struct px_env *rig_env(int side);
/* Alice notes to Bob, or the other way round; `len` bytes of payload in pieces of `piece`. */
void rig_note(int from, uint64_t value, size_t len, size_t piece);
px_call_id rig_ask(int from, uint64_t value, uint64_t deadline_us);
uint64_t rig_counter(int side, const char *name);

/* ---- what a raw far end says ---- */

void raw_say(int fd, const void *bytes, size_t len);
void raw_greet(int fd);
/* The head of a link message around `len` bytes of frames. */
void raw_message(int fd, uint64_t len);
/* A Note from Bob to Alice with `len` bytes of payload; at most 4096. The length of the frame. */
size_t raw_frame(uint8_t *ret, uint16_t mailbox, uint16_t sender, uint64_t value, size_t len);
/* The same, said as a link message of its own. */
void raw_note(int fd, uint16_t mailbox, uint16_t sender, uint64_t value, size_t len);
/* Everything that has come, or -1 at the end. */
ssize_t raw_hear(int fd, void *ret, size_t max);

#endif
