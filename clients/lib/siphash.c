/* siphash.c - Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012): two rounds a word,
 * four at the end.
 */
#include "siphash.h"

#include <string.h>

enum { WORD_ROUNDS = 2, END_ROUNDS = 4 };

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t word_le(const uint8_t *at, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)at[i] << (8 * i);
    }
    return word;
}

static void word_put(uint64_t word, uint8_t *ret)
{
    for (size_t i = 0; i < 8; i++) {
        ret[i] = (uint8_t)(word >> (8 * i));
    }
}

static void sip_round(struct sip *s, int n)
{
    for (int i = 0; i < n; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s, WORD_ROUNDS);
    s->v0 ^= word;
}

static struct sip sip_begin(const uint8_t key[SIPHASH_KEY_LEN])
{
    uint64_t k0 = word_le(key, 8), k1 = word_le(key + 8, 8);
    return (struct sip){k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                        k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
}

static void sip_take(struct sip *s, const uint8_t *data, size_t len)
{
    size_t whole = len - len % 8;
    for (size_t i = 0; i < whole; i += 8) {
        sip_word(s, word_le(data + i, 8));
    }
    sip_word(s, word_le(data + whole, len % 8) | (uint64_t)(len & 0xff) << 56);
}

static uint64_t sip_end(struct sip *s)
{
    sip_round(s, END_ROUNDS);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t siphash64(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len)
{
    struct sip s = sip_begin(key);
    sip_take(&s, data, len);
    s.v2 ^= 0xff;
    return sip_end(&s);
}

void siphash128(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len,
                uint8_t ret[SIPHASH_LEN])
{
    struct sip s = sip_begin(key);
    s.v1 ^= 0xee;
    sip_take(&s, data, len);
    s.v2 ^= 0xee;
    word_put(sip_end(&s), ret);
    s.v1 ^= 0xdd;
    word_put(sip_end(&s), ret + 8);
}
