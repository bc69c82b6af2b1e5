/* joined.h - two kernels joined by a direct link, for the tests of links: alice 1 and carol 3 live
 * in the north, bob 2 and dora 4 in the south. alice and carol may talk with bob.
 */
#ifndef JOINED_H
#define JOINED_H

#include <px/link.h>

#include "ktest.h"

enum { NORTH, SOUTH, MAILBOXES = 4 };

/* One message under way. */
struct frame {
    struct frame *next;
    struct px_wire wire;
    uint8_t *body, *payload;
    size_t payload_len;
};

/* One end of a link: what goes out here comes in at the peer. */
struct end {
    struct kt *kt;
    struct px_link *link;
    struct frame *first, *last; /* on the way to us */
    struct end *peer;
    unsigned flushes;
    enum px_err last_err;
};

/* Both. */
struct joined {
    struct kt *kt[2];
    struct kt_actor *alice, *bob, *carol, *dora;
    struct end end[2];
};

extern const struct px_link_ops end_ops;

/* `config` of both kernels may be NULL. */
struct joined *joined_new(const struct px_kernel_config *config);
/* Breaks the link and frees both kernels; asserts that nothing is left. */
void joined_free(struct joined *j);
/* Runs both until nothing is under way. */
void joined_settle(struct joined *j);
void joined_advance(struct joined *j, uint64_t us);
/* A new link between the two. */
void joined_join(struct joined *j);
/* The link breaks: what was under way is lost. */
void joined_break(struct joined *j);

#endif
