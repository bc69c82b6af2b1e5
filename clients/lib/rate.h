/* rate.h - how many requests a peer may make: token buckets in a table that never grows. Pure but
 * for the memory; time and the key come from the caller.
 */
#ifndef RATE_H
#define RATE_H

#include "rules.h"
#include "siphash.h"

enum {
    RATE_PEERS_DEFAULT = 65536,
    RATE_PEERS_MAX = 1 << 24,
    RATE_REQUESTS_MAX = 1000000,
    RATE_PER_MS_MAX = 86400000, /* a day */
    RATE_BURST_MAX = 1000000,
    RATE_WAYS = 8, /* places in the table a peer may have */
};

/* One peer: when its bucket will be full again. A bucket that is full is a free place. */
struct bucket {
    uint64_t peer; /* keyed hash of its address */
    uint64_t full_us;
};

struct px_rate {
    uint32_t refs;
    bool has_key;
    uint8_t key[SIPHASH_KEY_LEN];
    uint64_t interval_us; /* a token comes in so long */
    uint64_t depth_us;    /* a whole bucket, in time */
    uint32_t n_sets;      /* a power of two, of RATE_WAYS each */
    uint64_t n_evicted;   /* buckets that were not full and gave way */
    struct bucket *buckets;
};

void rate_hold(struct px_rate *rate);
/* The peer of a packed address (see px/sockaddr46.h): an IPv4 address, or an IPv6 /64. 0: not
 * limited (a unix socket). */
uint64_t rate_peer(const struct px_rate *rate, const uint8_t *address, size_t len);
/* Takes a token. 0: there was one; else in how many microseconds there will be. */
uint64_t rate_take(struct px_rate *rate, uint64_t peer, uint64_t now_us);

#endif
