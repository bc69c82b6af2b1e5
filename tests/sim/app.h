/* app.h - an application for storms: it answers requests for "/MODE/ID/LENGTH/MS".
 *
 *     n  at once, with LENGTH bytes         l  the same after MS milliseconds
 *     s  head first, then the body, of known length, under credit
 *     c  the same, of unknown length, and trailers behind it
 *     u  when the request's body is complete, with "LENGTH SUM" of it
 *     e  at once, without reading the request's body
 *     x  gives up                            v  never
 *
 * Every answer has the field x-id: ID, and byte i of a body of its own is app_byte(ID, i).
 */
#ifndef APP_H
#define APP_H

#include <px/service.h>

enum app_count { APP_REQUESTS, APP_ENDED, APP_STRAY_ENDED, APP_REFUSED, APP_COUNTS };

extern const struct px_service app_service;

static inline uint8_t app_byte(uint32_t id, uint64_t i)
{
    return (uint8_t)('a' + (id + i + i / 251) % 26);
}

/* The sum that `u` answers with: over the bytes in order. */
static inline uint32_t app_sum(uint32_t sum, uint8_t byte)
{
    return (sum ^ byte) * 16777619u;
}

#endif
