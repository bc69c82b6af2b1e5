/* rate.c - token buckets. A bucket is one number: the time at which it will be full again; a token
 * moves it one interval ahead, and it may lie one bucket's depth ahead at most.
 *
 * The table has a fixed number of places, eight for each peer to be in. When all eight are in use
 * the one that is nearest to full gives way, which loses the least: its peer may make that many
 * requests once more. Peers beyond the table are so limited less strictly, never refused.
 */
#include "rate.h"

#include <stdlib.h>
#include <string.h>

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

static uint32_t sets_for(uint32_t peers)
{
    uint32_t n = 1;
    while (n * RATE_WAYS < peers) {
        n *= 2;
    }
    return n;
}

enum px_err px_rate_new(const struct px_rate_config *config, struct px_rate **ret_rate)
{
    uint32_t per_ms = or_default(config->per_ms, 1000);
    uint32_t burst = or_default(config->burst, config->requests);
    uint32_t peers = or_default(config->peers_max, RATE_PEERS_DEFAULT);
    if (config->requests == 0 || config->requests > RATE_REQUESTS_MAX || per_ms > RATE_PER_MS_MAX ||
        burst > RATE_BURST_MAX || peers > RATE_PEERS_MAX) {
        return PX_EINVAL;
    }
    uint64_t interval_us = (uint64_t)per_ms * 1000 / config->requests;
    if (interval_us == 0) {
        return PX_EINVAL;
    }
    struct px_rate *rate = calloc(1, sizeof *rate);
    if (rate == NULL) {
        return PX_ENOMEM;
    }
    rate->refs = 1;
    rate->interval_us = interval_us;
    rate->depth_us = interval_us * burst;
    rate->n_sets = sets_for(peers);
    rate->buckets = calloc((size_t)rate->n_sets * RATE_WAYS, sizeof *rate->buckets);
    if (rate->buckets == NULL) {
        free(rate);
        return PX_ENOMEM;
    }
    *ret_rate = rate;
    return PX_EOK;
}

void rate_hold(struct px_rate *rate)
{
    rate->refs++;
}

void px_rate_free(struct px_rate *take_rate)
{
    if (take_rate != NULL && --take_rate->refs == 0) {
        free(take_rate->buckets);
        free(take_rate);
    }
}

uint64_t rate_peer(const struct px_rate *rate, const uint8_t *address, size_t len)
{
    enum { V4_WIRE = 6, V6_WIRE = 18, V4_LEN = 4, V6_NET_LEN = 8 };
    if (len != V4_WIRE && len != V6_WIRE) {
        return 0;
    }
    uint64_t hash = siphash64(rate->key, address, len == V4_WIRE ? V4_LEN : V6_NET_LEN);
    return hash == 0 ? 1 : hash;
}

/* The bucket of a peer, or the one to give it. */
static struct bucket *bucket_of(struct px_rate *rate, uint64_t peer, uint64_t now_us)
{
    struct bucket *set = &rate->buckets[(peer & (rate->n_sets - 1)) * RATE_WAYS];
    struct bucket *fullest = set;
    for (uint32_t i = 0; i < RATE_WAYS; i++) {
        if (set[i].peer == peer) {
            return &set[i];
        }
        fullest = set[i].full_us < fullest->full_us ? &set[i] : fullest;
    }
    rate->n_evicted += fullest->full_us > now_us;
    *fullest = (struct bucket){.peer = peer};
    return fullest;
}

uint64_t rate_take(struct px_rate *rate, uint64_t peer, uint64_t now_us)
{
    struct bucket *bucket = bucket_of(rate, peer, now_us);
    uint64_t full_us = bucket->full_us > now_us ? bucket->full_us : now_us;
    uint64_t after_us = full_us + rate->interval_us;
    if (after_us > now_us + rate->depth_us) {
        return after_us - now_us - rate->depth_us;
    }
    bucket->full_us = after_us;
    return 0;
}
