/* h1_scan.c - the plain twin of the scan tables: one byte at a time, for every processor. */
#include "h1_scan.h"

#include <string.h>

/* RFC 9110 5.6.2: letters, digits and !#$%&'*+-.^_`|~ */
const uint8_t h1_token_lower[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['0'] = '0', ['1'] = '1', ['2'] = '2',   ['3'] = '3',
    ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',   ['A'] = 'a',
    ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g',   ['H'] = 'h',
    ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n',   ['O'] = 'o',
    ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u',   ['V'] = 'v',
    ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z', ['^'] = '^', ['_'] = '_',   ['`'] = '`',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f',   ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',   ['n'] = 'n',
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',   ['u'] = 'u',
    ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['|'] = '|',   ['~'] = '~',
};

static bool is_value(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static bool is_target(uint8_t byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '#';
}

static size_t value_scan(const uint8_t *src, size_t len)
{
    size_t i = 0;
    while (i < len && is_value(src[i])) {
        i++;
    }
    return i;
}

static size_t target_scan(const uint8_t *src, size_t len)
{
    size_t i = 0;
    while (i < len && is_target(src[i])) {
        i++;
    }
    return i;
}

static size_t name_scan(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t i = 0;
    while (i < len && h1_token_lower[src[i]] != 0) {
        dst[i] = h1_token_lower[src[i]];
        i++;
    }
    return i;
}

static bool is_host(uint8_t byte)
{
    uint8_t lower = h1_token_lower[byte];
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '.';
}

static size_t host_scan(const uint8_t *src, size_t len)
{
    size_t host = 0;
    while (host < len && is_host(src[host])) {
        host++;
    }
    if (host == len || src[host] != ':' || len - host - 1 > H1_PORT_DIGITS_MAX) {
        return host == len ? host : 0;
    }
    for (size_t i = host + 1; i < len; i++) {
        if (src[i] < '0' || src[i] > '9') {
            return 0;
        }
    }
    return host;
}

static struct h1_scan_line line_scan(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t name_len = name_scan(dst, src, len < H1_NAME_MAX ? len : H1_NAME_MAX);
    if (name_len == 0 || name_len == len || src[name_len] != ':') {
        return (struct h1_scan_line){0, 0};
    }
    size_t start = name_len + 1;
    return (struct h1_scan_line){name_len, start + value_scan(src + start, len - start)};
}

static bool line_put(uint8_t *dst, const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len)
{
    if (name_scan(dst, name, name_len) != name_len || value_scan(value, value_len) != value_len) {
        return false;
    }
    dst += name_len;
    memcpy(dst, ": ", 2);
    if (value_len > 0) {
        memcpy(dst + 2, value, value_len);
    }
    memcpy(dst + 2 + value_len, "\r\n", 2);
    return true;
}

const struct h1_scan h1_scan_scalar = {
    .value = value_scan,
    .target = target_scan,
    .name = name_scan,
    .host = host_scan,
    .line = line_scan,
    .put = line_put,
};
