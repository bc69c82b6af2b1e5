/* sockaddr46.h - an IPv4 or IPv6 address with its port, in the form sockets take.
 *
 * Text is read strictly: four decimal numbers without leading zeros, or RFC 4291 groups; no octal,
 * no hexadecimal, no short forms, no white space. It is written as RFC 5952 says. Functions that
 * fail leave what they would return untouched. Nothing here allocates, blocks or asks a name
 * server.
 */
#ifndef PX_SOCKADDR46_H
#define PX_SOCKADDR46_H

#include <netinet/in.h>
#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `sa.sa_family` is AF_INET, AF_INET6, or 0: no address. A zeroed one is "no address". */
union px_sockaddr46 {
    struct sockaddr sa;      /* what every form begins with */
    struct sockaddr_in in;   /* AF_INET */
    struct sockaddr_in6 in6; /* AF_INET6 */
};

enum {
    PX_SOCKADDR46_TEXT_MAX = 72, /* room for any printed form with its closing zero */
    PX_SOCKADDR46_WIRE_MAX = 18, /* room for px_sockaddr46_pack */
};

/* Reads "192.0.2.1", "2001:db8::1" or "fe80::1%eth0" (`len` bytes, no closing zero needed); the
 * port becomes 0. A zone is an interface's name or number. EINVAL: anything else; ENOENT: no such
 * zone. */
PX_MUST_USE enum px_err px_sockaddr46_parse(const char *text, size_t len,
                                            union px_sockaddr46 *ret_addr);
/* Reads "192.0.2.1:80" or "[2001:db8::1]:80"; a port is 1 to 5 digits, 0..65535. */
PX_MUST_USE enum px_err px_sockaddr46_parse_port(const char *text, size_t len,
                                                 union px_sockaddr46 *ret_addr);
/* Reads an address without zone into bytes in network order: `*ret_len` is 4 or 16. */
PX_MUST_USE enum px_err px_sockaddr46_parse_bytes(const char *text, size_t len,
                                                  uint8_t ret_bytes[16], size_t *ret_len);
/* Reads "10.0.0.0/8" or "2001:db8::/32". Bits behind the prefix must be 0. */
PX_MUST_USE enum px_err px_sockaddr46_parse_prefix(const char *text, size_t len,
                                                   union px_sockaddr46 *ret_addr,
                                                   uint32_t *ret_bits);

/* Makes an address of 4 or 16 bytes in network order. EINVAL: another length. */
PX_MUST_USE enum px_err px_sockaddr46_from_bytes(const uint8_t *bytes, size_t len, uint16_t port,
                                                 union px_sockaddr46 *ret_addr);
/* The bytes of the address itself, 4 or 16 (0: no address), valid as long as `addr`. */
size_t px_sockaddr46_bytes(const union px_sockaddr46 *addr, const uint8_t **ret_bytes);
/* Address and port as streams tell them (stream.Opened): 4 + 2 or 16 + 2 bytes; 0: no address. A
 * v4-mapped address is written as the IPv4 address it holds. */
size_t px_sockaddr46_pack(const union px_sockaddr46 *addr,
                          uint8_t ret_wire[PX_SOCKADDR46_WIRE_MAX]);
/* Reads what px_sockaddr46_pack wrote. EINVAL: another length. */
PX_MUST_USE enum px_err px_sockaddr46_unpack(const uint8_t *wire, size_t len,
                                             union px_sockaddr46 *ret_addr);

/* Writes the address without port, with a closing zero. `cap` is at least
 * PX_SOCKADDR46_TEXT_MAX; "no address" is written "-". Length without the zero. */
size_t px_sockaddr46_print(const union px_sockaddr46 *addr, char *ret_text, size_t cap);
/* The same with the port: "192.0.2.1:80", "[2001:db8::1]:80". */
size_t px_sockaddr46_print_port(const union px_sockaddr46 *addr, char *ret_text, size_t cap);

/* The port in host order; 0: no address. */
uint16_t px_sockaddr46_port(const union px_sockaddr46 *addr);
/* Replaces the port (host order); "no address" stays that. */
void px_sockaddr46_set_port(union px_sockaddr46 *addr, uint16_t port);
/* What bind, connect and sendto want to know: bytes. 0: no address. */
socklen_t px_sockaddr46_len(const union px_sockaddr46 *addr);

/* A total order: family, address, zone, port; <0, 0, >0. No two families are equal: unmap first. */
int px_sockaddr46_compare(const union px_sockaddr46 *a, const union px_sockaddr46 *b);
/* Are family, address and zone the same, whatever the ports? */
bool px_sockaddr46_same_host(const union px_sockaddr46 *a, const union px_sockaddr46 *b);
/* Do the first `bits` bits agree? A v4-mapped address counts as the IPv4 address it holds, and a
 * v4-mapped prefix of at least 96 bits as the IPv4 prefix. False for different families, and for
 * more bits than the family has. */
bool px_sockaddr46_in_prefix(const union px_sockaddr46 *addr, const union px_sockaddr46 *prefix,
                             uint32_t bits);

/* Is it ::ffff:a.b.c.d? */
bool px_sockaddr46_is_mapped(const union px_sockaddr46 *addr);
/* Turns a v4-mapped address into the IPv4 address it holds; port kept. Others stay as they are. */
void px_sockaddr46_unmap(union px_sockaddr46 *addr);
/* Turns an IPv4 address into the v4-mapped one; port kept. Others stay as they are. */
void px_sockaddr46_map(union px_sockaddr46 *addr);

#ifdef __cplusplus
}
#endif

#endif
