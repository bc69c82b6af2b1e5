/* seed.h - chance that repeats: xoshiro256** (Blackman and Vigna), seeded through splitmix64. Not
 * for secrets.
 */
#ifndef SEED_H
#define SEED_H

#include <stddef.h>
#include <stdint.h>

struct seed {
    uint64_t s[4];
};

static inline uint64_t seed_rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}

static inline struct seed seed_of(uint64_t number)
{
    struct seed seed;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t z = number += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        seed.s[i] = z ^ z >> 31;
    }
    return seed;
}

static inline uint64_t seed_next(struct seed *seed)
{
    uint64_t *s = seed->s;
    uint64_t result = seed_rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = seed_rotl(s[3], 45);
    return result;
}

/* 0..n-1, n >= 1. */
static inline uint32_t seed_below(struct seed *seed, uint32_t n)
{
    return (uint32_t)((seed_next(seed) >> 32) * n >> 32);
}

#endif
