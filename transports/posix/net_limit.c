/* net_limit.c - how many connections an address has: a chained table with a keyed hash, because its
 * keys are chosen by strangers.
 */
#include "net_impl.h"

#include <string.h>

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

/* SipHash-1-3 of whole words. */
static uint64_t sip_hash(const uint64_t key[2], const uint64_t *words, size_t n)
{
    struct sip s = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                    key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    for (size_t i = 0; i <= n; i++) {
        uint64_t word = i < n ? words[i] : (uint64_t)n * sizeof *words << 56;
        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
    }
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static struct peer **bucket_of(struct net *net, const struct listener *l, const uint8_t key[16])
{
    uint64_t words[3];
    memcpy(words, key, 16);
    words[2] = px_handle_of(&net->listeners, l);
    return &net->peer_buckets[sip_hash(net->hash_key, words, 3) % NET_PEER_BUCKETS];
}

static void key_of(const union px_sockaddr46 *addr, uint8_t ret_key[16])
{
    memset(ret_key, 0, 16);
    if (addr == NULL) {
        return;
    }
    union px_sockaddr46 six = *addr;
    const uint8_t *bytes = NULL;
    px_sockaddr46_map(&six);
    size_t len = px_sockaddr46_bytes(&six, &bytes);
    memcpy(ret_key, bytes,
           px_sockaddr46_is_mapped(&six) ? len : len / 2); /* a host has a whole /64 */
}

bool peer_get(struct net *net, struct listener *l, const union px_sockaddr46 *addr,
              struct peer **ret_peer)
{
    uint8_t key[16];
    key_of(addr, key);
    struct peer **bucket = bucket_of(net, l, key);
    struct peer *p = *bucket;
    while (p != NULL && (p->listener != l || memcmp(p->key, key, sizeof key) != 0)) {
        p = p->next;
    }
    if (p == NULL) {
        p = px_pool_get(&net->peers);
        if (p == NULL) {
            return false;
        }
        p->listener = l;
        memcpy(p->key, key, sizeof key);
        p->next = *bucket;
        *bucket = p;
    }
    if (addr != NULL && p->open >= l->connections_peer_max) {
        return false; /* at least 1, so a new one never ends here */
    }
    p->open++;
    *ret_peer = p;
    return true;
}

void peer_put(struct net *net, struct peer *take_peer)
{
    if (take_peer == NULL || --take_peer->open > 0) {
        return;
    }
    struct peer **at = bucket_of(net, take_peer->listener, take_peer->key);
    while (*at != take_peer) {
        at = &(*at)->next;
    }
    *at = take_peer->next;
    px_pool_put(&net->peers, take_peer);
}
