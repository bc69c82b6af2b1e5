/* path.c - the target of a request taken apart. RFC 3986 5.2.4 for dot segments.
 */
#include "path.h"

#include <string.h>

void path_split(struct px_text target, struct px_text *ret_path, struct px_text *ret_query)
{
    const char *mark = memchr(target.ptr, '?', target.len);
    size_t len = mark == NULL ? target.len : (size_t)(mark - target.ptr);
    size_t behind = mark == NULL ? target.len : len + 1;
    *ret_path = (struct px_text){target.ptr, len};
    *ret_query = (struct px_text){target.ptr + behind, target.len - behind};
}

bool path_take(struct px_text target, struct px_text *ret_path)
{
    char before = '\0';
    bool plain = true;
    size_t i = 0;
    for (; i < target.len && target.ptr[i] != '?'; i++) {
        char c = target.ptr[i];
        plain = plain && c != '%' && (c != '.' || before != '/');
        before = c;
    }
    *ret_path = (struct px_text){target.ptr, i};
    return plain && i > 0 && target.ptr[0] == '/';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte of the escape at text.ptr[at], or -1: malformed. */
static int escape_byte(struct px_text text, size_t at)
{
    if (text.len - at < 3) {
        return -1;
    }
    int high = hex_digit(text.ptr[at + 1]), low = hex_digit(text.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Ends the segment that starts at `start` (behind its slash): removes it if it is "." and the one
 * before too if it is "..". The new length; `last` means no slash follows. */
static size_t segment_end(char *path, size_t start, size_t len)
{
    size_t segment_len = len - start;
    bool one = segment_len == 1 && path[start] == '.';
    bool two = segment_len == 2 && path[start] == '.' && path[start + 1] == '.';
    if (!one && !two) {
        return len;
    }
    len = start; /* keeps the slash before the segment */
    if (two && len > 1) {
        len--;
        while (path[len - 1] != '/') {
            len--;
        }
    }
    return len;
}

bool path_normalise(struct px_text path, char *ret, size_t *ret_len)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        return false;
    }
    size_t len = 1, start = 1;
    ret[0] = '/';
    for (size_t i = 1; i < path.len; i++) {
        int byte = (unsigned char)path.ptr[i];
        if (byte == '/') {
            size_t kept = segment_end(ret, start, len);
            if (kept == len) {
                ret[len++] = '/';
            } else {
                len = kept; /* a removed segment leaves the slash that stood before it */
            }
            start = len;
            continue;
        }
        if (byte == '%') {
            byte = escape_byte(path, i);
            if (byte <= 0 || byte == '/') {
                return false;
            }
            i += 2;
        }
        ret[len++] = (char)byte;
    }
    *ret_len = segment_end(ret, start, len);
    return true;
}

bool path_decode_form(struct px_text text, char *ret, size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int byte = text.ptr[i] == '+' ? ' ' : (unsigned char)text.ptr[i];
        if (byte == '%') {
            byte = escape_byte(text, i);
            if (byte <= 0) {
                return false;
            }
            i += 2;
        }
        ret[len++] = (char)byte;
    }
    *ret_len = len;
    return true;
}
