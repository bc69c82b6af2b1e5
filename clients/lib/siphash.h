/* siphash.h - SipHash-2-4, a hash with a key: who does not know the key cannot choose where things
 * land in a table. Pure.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_LEN = 16, SIPHASH_LEN = 16 };

/* 64 bits of it. */
uint64_t siphash64(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len);
/* The variant of 128 bits. */
void siphash128(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len,
                uint8_t ret[SIPHASH_LEN]);

#endif
