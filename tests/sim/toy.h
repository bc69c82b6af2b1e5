/* toy.h - two small services that consume streams, for storms.
 *
 * `toy` speaks a protocol of frames (two bytes of length, big-endian, 1..4096, and so many bytes),
 * and echoes each whole frame. It takes streams from a listener or adopts them; adopted with a
 * `head` it answers the request with 101 first. When the client has ended, it ends too.
 *
 * `giver` takes streams, reads a line of up to 64 bytes, and hands the stream and what came behind
 * the line over to `toy`, without a head: the smallest thing that overtakes.
 */
#ifndef TOY_H
#define TOY_H

#include <px/service.h>

/* What they saw, for the test to look at (px_kernel_counter). */
enum toy_count { TOY_ADOPTED, TOY_CLOSED, TOY_STRAY_CLOSED, TOY_ENDED_WELL, TOY_COUNTS };

/* The answer of toy to a request that asked for it. */
#define TOY_ANSWER "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: toy\r\n\r\n"

extern const struct px_service toy_service;
extern const struct px_service giver_service;

#endif
