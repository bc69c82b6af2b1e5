/* sockaddr46.c - reading, writing and comparing addresses. Pure but for zone names, which are asked
 * of the operating system.
 */
#include <px/sockaddr46.h>

#include <net/if.h>
#include <px/assert.h>
#include <px/bytes.h>
#include <string.h>

enum {
    V4_LEN = 4,
    V6_LEN = 16,
    V6_GROUPS = 8,
    PORT_DIGITS_MAX = 5,
    ZONE_DIGITS_MAX = 9,
    MAPPED_BITS = 96
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- reading ---- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(int c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A decimal number of 1..`digits_max` digits without leading zeros, at most `max`. */
static bool take_number(struct px_bytes *in, uint32_t digits_max, uint32_t max, uint32_t *ret_value)
{
    uint32_t value = 0;
    uint32_t digits = 0;
    while (is_digit(px_bytes_peek(in, 0))) {
        if (++digits > digits_max || (digits > 1 && value == 0)) {
            return false;
        }
        value = value * 10 + (uint32_t)(px_bytes_u8(in) - '0');
    }
    if (digits == 0 || value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool take_char(struct px_bytes *in, char c)
{
    if (px_bytes_peek(in, 0) != c) {
        return false;
    }
    px_bytes_skip(in, 1);
    return true;
}

static bool take_v4(struct px_bytes *in, uint8_t ret_bytes[V4_LEN])
{
    uint8_t bytes[V4_LEN];
    for (size_t i = 0; i < V4_LEN; i++) {
        uint32_t value = 0;
        if ((i > 0 && !take_char(in, '.')) || !take_number(in, 3, 255, &value)) {
            return false;
        }
        bytes[i] = (uint8_t)value;
    }
    memcpy(ret_bytes, bytes, V4_LEN);
    return true;
}

/* One group of 1..4 hexadecimal digits. */
static bool take_group(struct px_bytes *in, uint16_t *ret_group)
{
    uint32_t group = 0;
    uint32_t digits = 0;
    while (hex_value(px_bytes_peek(in, 0)) >= 0) {
        if (++digits > 4) {
            return false;
        }
        group = group << 4 | (uint32_t)hex_value(px_bytes_u8(in));
    }
    *ret_group = (uint16_t)group;
    return digits > 0;
}

struct v6_groups {
    uint16_t group[V6_GROUPS];
    size_t n;
    size_t gap; /* where "::" stands; V6_GROUPS + 1: nowhere */
};

/* The last 32 bits may be written as an IPv4 address: only at the very end, and if two groups are
 * left. */
static bool take_v4_tail(struct px_bytes *in, struct v6_groups *v6)
{
    struct px_bytes tail = *in;
    uint8_t b[V4_LEN];
    if (v6->n > V6_GROUPS - 2 || !take_v4(&tail, b) || px_bytes_left(&tail) > 0) {
        return false;
    }
    v6->group[v6->n++] = (uint16_t)((unsigned)b[0] << 8 | b[1]);
    v6->group[v6->n++] = (uint16_t)((unsigned)b[2] << 8 | b[3]);
    *in = tail;
    return true;
}

static bool take_groups(struct px_bytes *in, struct v6_groups *v6)
{
    if (px_bytes_peek(in, 0) == ':' && px_bytes_peek(in, 1) != ':') {
        return false;
    }
    while (px_bytes_left(in) > 0) {
        if (px_bytes_peek(in, 0) == ':' && px_bytes_peek(in, 1) == ':') {
            if (v6->gap <= V6_GROUPS) {
                return false;
            }
            v6->gap = v6->n;
            px_bytes_skip(in, 2);
            if (px_bytes_left(in) == 0) {
                break;
            }
        } else if (v6->n > 0 && !take_char(in, ':')) {
            return false;
        }
        if (take_v4_tail(in, v6)) {
            break;
        }
        if (v6->n == V6_GROUPS || !take_group(in, &v6->group[v6->n])) {
            return false;
        }
        v6->n++;
    }
    return v6->gap <= V6_GROUPS ? v6->n < V6_GROUPS : v6->n == V6_GROUPS;
}

static bool parse_v6(struct px_span text, uint8_t ret_bytes[V6_LEN])
{
    struct px_bytes in = px_bytes_of_span(text);
    struct v6_groups v6 = {.gap = V6_GROUPS + 1};
    if (!take_groups(&in, &v6)) {
        return false;
    }
    size_t zeros = V6_GROUPS - v6.n; /* what "::" stands for */
    for (size_t i = 0; i < V6_GROUPS; i++) {
        unsigned group = i < v6.gap ? v6.group[i] : i < v6.gap + zeros ? 0u : v6.group[i - zeros];
        ret_bytes[2 * i] = (uint8_t)(group >> 8);
        ret_bytes[2 * i + 1] = (uint8_t)group;
    }
    return true;
}

enum px_err px_sockaddr46_parse_bytes(const char *text, size_t len, uint8_t ret_bytes[16],
                                      size_t *ret_len)
{
    uint8_t bytes[V6_LEN];
    size_t n = V6_LEN;
    if (len == 0) {
        return PX_EINVAL;
    }
    if (memchr(text, ':', len) == NULL) {
        struct px_bytes in = px_bytes_of(text, len);
        if (!take_v4(&in, bytes) || px_bytes_left(&in) > 0) {
            return PX_EINVAL;
        }
        n = V4_LEN;
    } else if (!parse_v6(px_span_of(text, len), bytes)) {
        return PX_EINVAL;
    }
    memcpy(ret_bytes, bytes, n);
    *ret_len = n;
    return PX_EOK;
}

static enum px_err parse_zone(const char *text, size_t len, uint32_t *ret_zone)
{
    char name[IF_NAMESIZE] = {0};
    struct px_bytes in = px_bytes_of(text, len);
    uint32_t zone = 0;
    if (len == 0 || len >= sizeof name || memchr(text, 0, len) != NULL) {
        return PX_EINVAL;
    }
    if (is_digit(px_bytes_peek(&in, 0))) {
        if (!take_number(&in, ZONE_DIGITS_MAX, UINT32_MAX, &zone) || px_bytes_left(&in) > 0) {
            return PX_EINVAL;
        }
    } else {
        memcpy(name, text, len);
        zone = if_nametoindex(name);
    }
    if (zone == 0) {
        return PX_ENOENT;
    }
    *ret_zone = zone;
    return PX_EOK;
}

enum px_err px_sockaddr46_from_bytes(const uint8_t *bytes, size_t len, uint16_t port,
                                     union px_sockaddr46 *ret_addr)
{
    union px_sockaddr46 addr;
    memset(&addr, 0, sizeof addr);
    if (len == V4_LEN) {
        addr.in.sin_family = AF_INET;
        memcpy(&addr.in.sin_addr, bytes, V4_LEN);
    } else if (len == V6_LEN) {
        addr.in6.sin6_family = AF_INET6;
        memcpy(&addr.in6.sin6_addr, bytes, V6_LEN);
    } else {
        return PX_EINVAL;
    }
    px_sockaddr46_set_port(&addr, port);
    *ret_addr = addr;
    return PX_EOK;
}

enum px_err px_sockaddr46_parse(const char *text, size_t len, union px_sockaddr46 *ret_addr)
{
    uint8_t bytes[V6_LEN];
    size_t n = 0;
    uint32_t zone = 0;
    const char *percent = len == 0 ? NULL : memchr(text, '%', len);
    size_t addr_len = percent == NULL ? len : (size_t)(percent - text);
    PX_TRY(px_sockaddr46_parse_bytes(text, addr_len, bytes, &n));
    if (percent != NULL) {
        if (n == V4_LEN) {
            return PX_EINVAL;
        }
        PX_TRY(parse_zone(percent + 1, len - addr_len - 1, &zone));
    }
    PX_TRY(px_sockaddr46_from_bytes(bytes, n, 0, ret_addr));
    if (n == V6_LEN) {
        ret_addr->in6.sin6_scope_id = zone;
    }
    return PX_EOK;
}

enum px_err px_sockaddr46_parse_port(const char *text, size_t len, union px_sockaddr46 *ret_addr)
{
    union px_sockaddr46 addr;
    uint32_t port = 0;
    bool bracketed = len > 0 && text[0] == '[';
    const char *end = len == 0 ? NULL : memchr(text, bracketed ? ']' : ':', len);
    if (end == NULL) {
        return PX_EINVAL;
    }
    const char *host = bracketed ? text + 1 : text;
    struct px_bytes in = px_bytes_of(end, len - (size_t)(end - text));
    if ((bracketed && !take_char(&in, ']')) || !take_char(&in, ':') ||
        !take_number(&in, PORT_DIGITS_MAX, UINT16_MAX, &port) || px_bytes_left(&in) > 0) {
        return PX_EINVAL;
    }
    PX_TRY(px_sockaddr46_parse(host, (size_t)(end - host), &addr));
    if (bracketed != (addr.sa.sa_family == AF_INET6)) {
        return PX_EINVAL;
    }
    px_sockaddr46_set_port(&addr, (uint16_t)port);
    *ret_addr = addr;
    return PX_EOK;
}

enum px_err px_sockaddr46_parse_prefix(const char *text, size_t len, union px_sockaddr46 *ret_addr,
                                       uint32_t *ret_bits)
{
    uint8_t bytes[V6_LEN];
    size_t n = 0;
    uint32_t bits = 0;
    const char *slash = len == 0 ? NULL : memchr(text, '/', len);
    if (slash == NULL) {
        return PX_EINVAL;
    }
    struct px_bytes in = px_bytes_of(slash + 1, len - (size_t)(slash + 1 - text));
    PX_TRY(px_sockaddr46_parse_bytes(text, (size_t)(slash - text), bytes, &n));
    if (!take_number(&in, 3, (uint32_t)n * 8, &bits) || px_bytes_left(&in) > 0) {
        return PX_EINVAL;
    }
    for (uint32_t bit = bits; bit < n * 8; bit++) {
        if ((bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return PX_EINVAL;
        }
    }
    PX_TRY(px_sockaddr46_from_bytes(bytes, n, 0, ret_addr));
    *ret_bits = bits;
    return PX_EOK;
}

/* ---- parts ---- */

size_t px_sockaddr46_bytes(const union px_sockaddr46 *addr, const uint8_t **ret_bytes)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        *ret_bytes = (const uint8_t *)&addr->in.sin_addr;
        return V4_LEN;
    case AF_INET6:
        *ret_bytes = (const uint8_t *)&addr->in6.sin6_addr;
        return V6_LEN;
    default:
        *ret_bytes = NULL;
        return 0;
    }
}

uint16_t px_sockaddr46_port(const union px_sockaddr46 *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return ntohs(addr->in.sin_port);
    case AF_INET6:
        return ntohs(addr->in6.sin6_port);
    default:
        return 0;
    }
}

void px_sockaddr46_set_port(union px_sockaddr46 *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET) {
        addr->in.sin_port = htons(port);
    } else if (addr->sa.sa_family == AF_INET6) {
        addr->in6.sin6_port = htons(port);
    }
}

socklen_t px_sockaddr46_len(const union px_sockaddr46 *addr)
{
    switch (addr->sa.sa_family) {
    case AF_INET:
        return sizeof addr->in;
    case AF_INET6:
        return sizeof addr->in6;
    default:
        return 0;
    }
}

static uint32_t zone_of(const union px_sockaddr46 *addr)
{
    return addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_scope_id : 0;
}

size_t px_sockaddr46_pack(const union px_sockaddr46 *addr, uint8_t ret_wire[PX_SOCKADDR46_WIRE_MAX])
{
    union px_sockaddr46 plain = *addr;
    px_sockaddr46_unmap(&plain);
    const uint8_t *bytes = NULL;
    size_t n = px_sockaddr46_bytes(&plain, &bytes);
    if (n == 0) {
        return 0;
    }
    struct px_bytes_out out = px_bytes_out_of(ret_wire, PX_SOCKADDR46_WIRE_MAX);
    px_bytes_put(&out, bytes, n);
    px_bytes_put_u16be(&out, px_sockaddr46_port(&plain));
    return px_bytes_out_len(&out);
}

enum px_err px_sockaddr46_unpack(const uint8_t *wire, size_t len, union px_sockaddr46 *ret_addr)
{
    if (len != V4_LEN + 2 && len != V6_LEN + 2) {
        return PX_EINVAL;
    }
    struct px_bytes in = px_bytes_of(wire, len);
    struct px_span bytes = px_bytes_take(&in, len - 2);
    return px_sockaddr46_from_bytes(bytes.ptr, bytes.len, px_bytes_u16be(&in), ret_addr);
}

/* ---- writing ---- */

static void put_number(struct px_bytes_out *out, uint32_t value)
{
    char digits[10];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0) {
        px_bytes_put_u8(out, (uint8_t)digits[--n]);
    }
}

static void put_v4(struct px_bytes_out *out, const uint8_t bytes[V4_LEN])
{
    for (size_t i = 0; i < V4_LEN; i++) {
        if (i > 0) {
            px_bytes_put_u8(out, '.');
        }
        put_number(out, bytes[i]);
    }
}

static unsigned group_at(const uint8_t bytes[V6_LEN], size_t i)
{
    return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

static void put_group(struct px_bytes_out *out, unsigned group)
{
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = group >> shift & 0xf;
        if (digit != 0 || begun || shift == 0) {
            px_bytes_put_u8(out, (uint8_t) "0123456789abcdef"[digit]);
            begun = true;
        }
    }
}

/* RFC 5952 4.2: the longest run of at least two zero groups, the first of equals; its length. */
static size_t longest_zeros(const uint8_t bytes[V6_LEN], size_t *ret_at)
{
    size_t best = 1;
    *ret_at = V6_GROUPS;
    for (size_t i = 0; i < V6_GROUPS; i++) {
        size_t n = 0;
        while (i + n < V6_GROUPS && group_at(bytes, i + n) == 0) {
            n++;
        }
        if (n > best) {
            best = n;
            *ret_at = i;
        }
    }
    return best;
}

static void put_v6(struct px_bytes_out *out, const uint8_t bytes[V6_LEN])
{
    if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) { /* RFC 5952 5 */
        px_bytes_put_str(out, "::ffff:");
        put_v4(out, bytes + sizeof mapped_prefix);
        return;
    }
    size_t gap = V6_GROUPS;
    size_t gap_len = longest_zeros(bytes, &gap);
    for (size_t i = 0; i < V6_GROUPS; i++) {
        if (i == gap) {
            px_bytes_put_str(out, "::");
            i += gap_len - 1;
            continue;
        }
        if (i > 0 && i != gap + gap_len) {
            px_bytes_put_u8(out, ':');
        }
        put_group(out, group_at(bytes, i));
    }
}

static void put_addr(struct px_bytes_out *out, const union px_sockaddr46 *addr)
{
    const uint8_t *bytes = NULL;
    size_t n = px_sockaddr46_bytes(addr, &bytes);
    if (n == 0) {
        px_bytes_put_u8(out, '-');
        return;
    }
    if (n == V4_LEN) {
        put_v4(out, bytes);
        return;
    }
    put_v6(out, bytes);
    if (zone_of(addr) != 0) {
        px_bytes_put_u8(out, '%');
        put_number(out, zone_of(addr));
    }
}

static size_t finish_text(struct px_bytes_out *out)
{
    size_t len = px_bytes_out_len(out);
    px_bytes_put_u8(out, 0);
    PX_ASSERT(!out->overflow);
    return len;
}

size_t px_sockaddr46_print(const union px_sockaddr46 *addr, char *ret_text, size_t cap)
{
    PX_ASSERT(cap >= PX_SOCKADDR46_TEXT_MAX);
    struct px_bytes_out out = px_bytes_out_of(ret_text, cap);
    put_addr(&out, addr);
    return finish_text(&out);
}

size_t px_sockaddr46_print_port(const union px_sockaddr46 *addr, char *ret_text, size_t cap)
{
    PX_ASSERT(cap >= PX_SOCKADDR46_TEXT_MAX);
    struct px_bytes_out out = px_bytes_out_of(ret_text, cap);
    bool bracketed = addr->sa.sa_family == AF_INET6;
    if (bracketed) {
        px_bytes_put_u8(&out, '[');
    }
    put_addr(&out, addr);
    if (bracketed) {
        px_bytes_put_u8(&out, ']');
    }
    if (px_sockaddr46_len(addr) != 0) {
        px_bytes_put_u8(&out, ':');
        put_number(&out, px_sockaddr46_port(addr));
    }
    return finish_text(&out);
}

/* ---- comparing ---- */

static int order(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_host(const union px_sockaddr46 *a, const union px_sockaddr46 *b)
{
    const uint8_t *bytes_a = NULL;
    const uint8_t *bytes_b = NULL;
    if (a->sa.sa_family != b->sa.sa_family) {
        return order(a->sa.sa_family, b->sa.sa_family);
    }
    size_t n = px_sockaddr46_bytes(a, &bytes_a);
    (void)px_sockaddr46_bytes(b, &bytes_b);
    int r = n == 0 ? 0 : memcmp(bytes_a, bytes_b, n);
    return r != 0 ? r : order(zone_of(a), zone_of(b));
}

int px_sockaddr46_compare(const union px_sockaddr46 *a, const union px_sockaddr46 *b)
{
    int r = compare_host(a, b);
    return r != 0 ? r : order(px_sockaddr46_port(a), px_sockaddr46_port(b));
}

bool px_sockaddr46_same_host(const union px_sockaddr46 *a, const union px_sockaddr46 *b)
{
    return compare_host(a, b) == 0;
}

bool px_sockaddr46_in_prefix(const union px_sockaddr46 *addr, const union px_sockaddr46 *prefix,
                             uint32_t bits)
{
    union px_sockaddr46 plain = *addr;
    union px_sockaddr46 plain_prefix = *prefix;
    const uint8_t *bytes = NULL;
    const uint8_t *want = NULL;
    px_sockaddr46_unmap(&plain);
    if (px_sockaddr46_is_mapped(prefix) && bits >= MAPPED_BITS) {
        px_sockaddr46_unmap(&plain_prefix);
        bits -= MAPPED_BITS;
    }
    size_t n = px_sockaddr46_bytes(&plain, &bytes);
    if (plain.sa.sa_family != plain_prefix.sa.sa_family || n == 0 || bits > n * 8) {
        return false;
    }
    (void)px_sockaddr46_bytes(&plain_prefix, &want);
    if (memcmp(bytes, want, bits / 8) != 0) {
        return false;
    }
    unsigned rest = bits % 8;
    return rest == 0 || (bytes[bits / 8] ^ want[bits / 8]) >> (8 - rest) == 0;
}

bool px_sockaddr46_is_mapped(const union px_sockaddr46 *addr)
{
    return addr->sa.sa_family == AF_INET6 &&
           memcmp(&addr->in6.sin6_addr, mapped_prefix, sizeof mapped_prefix) == 0;
}

/* Replaces the address and keeps the port. `len` is 4 or 16. */
static void set_host(union px_sockaddr46 *addr, const uint8_t *bytes, size_t len)
{
    enum px_err err = px_sockaddr46_from_bytes(bytes, len, px_sockaddr46_port(addr), addr);
    PX_ASSERT(err == PX_EOK);
}

void px_sockaddr46_unmap(union px_sockaddr46 *addr)
{
    uint8_t bytes[V6_LEN];
    if (!px_sockaddr46_is_mapped(addr)) {
        return;
    }
    memcpy(bytes, &addr->in6.sin6_addr, V6_LEN);
    set_host(addr, bytes + sizeof mapped_prefix, V4_LEN);
}

void px_sockaddr46_map(union px_sockaddr46 *addr)
{
    uint8_t bytes[V6_LEN];
    if (addr->sa.sa_family != AF_INET) {
        return;
    }
    memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(bytes + sizeof mapped_prefix, &addr->in.sin_addr, V4_LEN);
    set_host(addr, bytes, V6_LEN);
}
