/* h1_scan.h - finds the first byte that may not stand where it stands: the inner loops of the
 * HTTP/1 parser.
 *
 * One table per instruction set, all with the same answers; the test says so. The service picks one
 * when it starts and hands it to the parsers in `struct h1_limits`. Nothing is read or written
 * outside of what the arguments describe.
 */
#ifndef H1_SCAN_H
#define H1_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    H1_NAME_MAX = 256,     /* bytes of a field name, not configurable; 431 */
    H1_PORT_DIGITS_MAX = 5 /* of a port */
};

/* For what seldom runs: a function of its own, so that those who call it need not save registers
 * for it. */
#define H1_RARE __attribute__((noinline, cold))

/* How far a field line goes. */
struct h1_scan_line {
    size_t name_len; /* 0: no name of at most H1_NAME_MAX bytes with a colon behind it */
    size_t end;      /* with a name: where the value and the white space around it end */
};

struct h1_scan {
    /* Length of the longest prefix of `src` that may be a field value: HT, 0x20..0x7e, 0x80..0xff
     * (RFC 9110 5.5). */
    size_t (*value)(const uint8_t *src, size_t len);
    /* Length of the longest prefix that may be a request target: 0x21..0x7e without '#' (RFC
     * 9112 3.2). */
    size_t (*target)(const uint8_t *src, size_t len);
    /* Length of the longest prefix that is a token (RFC 9110 5.6.2). That prefix is copied to `dst`
     * in lower case; the rest of the `len` bytes at `dst` is scratch. The two must not overlap. */
    size_t (*name)(uint8_t *dst, const uint8_t *src, size_t len);
    /* Length of the host if all of `src` is what nearly every one is: letters, digits, '-' and '.',
     * and perhaps a colon and at most H1_PORT_DIGITS_MAX digits; otherwise 0. */
    size_t (*host)(const uint8_t *src, size_t len);
    /* `name`, a colon and `value` in one go. `dst` has H1_NAME_MAX places. */
    struct h1_scan_line (*line)(uint8_t *dst, const uint8_t *src, size_t len);
    /* Writes a field line, name, ": ", value and CR LF, to `dst`, which has so many places, and
     * overlaps neither. False, and scratch there, if `name` is no token or `value` not all value
     * bytes. */
    bool (*put)(uint8_t *dst, const uint8_t *name, size_t name_len, const uint8_t *value,
                size_t value_len);
};

extern const struct h1_scan h1_scan_scalar;
extern const struct h1_scan h1_scan_sse2; /* x86-64 only: h1_scan_sse2.c */

/* The best table for the processor this runs on. One definition is built in: h1_scan_pick_*.c. */
const struct h1_scan *h1_scan_pick(void);

/* Lower case of a token character; 0 for every other byte. */
extern const uint8_t h1_token_lower[256];

#endif
