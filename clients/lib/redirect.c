/* redirect.c - places to go to instead. What a client sent is put in percent-encoded, and never
 * where it could name a host.
 */
#include "rules.h"
#include "text.h"

#include <string.h>

enum part { LITERAL_PART, PARAM_PART, PATH_PART, QUERY_PART, HOST_PART, BAD_PART };

/* The next part of a place: text up to a brace, or what stands between two. */
struct piece {
    enum part part;
    struct px_text text; /* of a literal, or the name of a parameter */
};

static enum part part_of(struct px_text name)
{
    if (text_is(name, "/path")) {
        return PATH_PART;
    }
    if (text_is(name, "?query")) {
        return QUERY_PART;
    }
    return text_is(name, "host") ? HOST_PART : PARAM_PART;
}

/* False: the end. */
static bool piece_next(const char **at, struct piece *ret)
{
    const char *start = *at;
    if (*start == '\0') {
        return false;
    }
    if (*start != '{') {
        size_t len = strcspn(start, "{");
        *ret = (struct piece){LITERAL_PART, {start, len}};
        *at = start + len;
        return true;
    }
    size_t len = strcspn(start, "}");
    struct px_text name = {start + 1, len - 1};
    bool closed = start[len] == '}';
    *ret = (struct piece){closed ? part_of(name) : BAD_PART, name};
    *at = start + len + (closed ? 1 : 0);
    return true;
}

/* ---- when it is configured ---- */

/* Printable ASCII without space, quotes, angle brackets, backslash and closing braces. */
static bool literal_is_valid(struct px_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"<>\\^`|}", text.ptr[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool route_has_name(const struct route *route, struct px_text name)
{
    for (uint32_t i = 0; i < route->n_names; i++) {
        if (text_is(name, route->names[i])) {
            return true;
        }
    }
    return false;
}

/* Where the path of a place begins: at its start, or behind "scheme://" and a host that is made of
 * text and {host} alone. NULL: neither. */
static const char *place_path(const char *place)
{
    if (place[0] == '/') {
        return place[1] == '/' ? NULL : place;
    }
    size_t scheme = strspn(place, "abcdefghijklmnopqrstuvwxyz");
    if (scheme == 0 || strncmp(place + scheme, "://", 3) != 0) {
        return NULL;
    }
    const char *host = place + scheme + 3, *at = host;
    while (*at != '\0' && *at != '/' && *at != '?') {
        if (*at == '{') {
            if (strncmp(at, "{host}", 6) != 0) {
                break;
            }
            at += 5;
        }
        at++;
    }
    /* {/path} begins with what ends a host; {?query} may be nothing, so only the end may follow. */
    bool ends = *at != '{' || at[1] == '/' || strcmp(at, "{?query}") == 0;
    return at > host && ends ? at : NULL;
}

bool redirect_is_valid(const char *place, const struct route *route)
{
    struct piece piece;
    if (strlen(place) > REDIRECT_MAX || place_path(place) == NULL) {
        return false;
    }
    while (piece_next(&place, &piece)) {
        if (piece.part == BAD_PART ||
            (piece.part == LITERAL_PART && !literal_is_valid(piece.text)) ||
            (piece.part == PARAM_PART && !route_has_name(route, piece.text))) {
            return false;
        }
    }
    return true;
}

/* ---- when it is filled in ---- */

struct writer {
    char *at, *end; /* one byte is kept for the zero */
    bool overflow;
};

static void put(struct writer *out, char c)
{
    if (out->at == out->end) {
        out->overflow = true;
        return;
    }
    *out->at++ = c;
}

static void put_text(struct writer *out, struct px_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        put(out, text.ptr[i]);
    }
}

/* RFC 3986 3.3: what stands in a path as it is. */
static bool is_path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static void put_path(struct writer *out, struct px_text path)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (is_path_char((char)c)) {
            put(out, (char)c);
        } else {
            put(out, '%');
            put(out, hex[c >> 4]);
            put(out, hex[c & 15]);
        }
    }
}

static void put_param(struct writer *out, const struct redirect_in *in, struct px_text name)
{
    for (uint32_t i = 0; i < in->match->n_params && i < in->route->n_names; i++) {
        if (text_is(name, in->route->names[i])) {
            struct route_part part = in->match->params[i];
            put_path(out, (struct px_text){in->path.ptr + part.off, part.len});
            return;
        }
    }
}

/* The host without its port; "[::1]" keeps its colons. */
static void put_host(struct writer *out, struct px_text host)
{
    size_t len = host.len;
    while (len > 0 && host.ptr[len - 1] >= '0' && host.ptr[len - 1] <= '9') {
        len--;
    }
    bool has_port = len > 0 && host.ptr[len - 1] == ':';
    put_text(out, (struct px_text){host.ptr, has_port ? len - 1 : host.len});
}

static void put_piece(struct writer *out, const struct redirect_in *in, const struct piece *piece)
{
    switch (piece->part) {
    case LITERAL_PART:
        put_text(out, piece->text);
        break;
    case PARAM_PART:
        put_param(out, in, piece->text);
        break;
    case PATH_PART:
        put_path(out, in->path);
        break;
    case QUERY_PART:
        if (in->query.len > 0) {
            put(out, '?');
            put_text(out, in->query);
        }
        break;
    case HOST_PART:
        put_host(out, in->host);
        break;
    case BAD_PART: /* redirect_is_valid let none through */
        break;
    }
}

/* "//x" would name a host: one slash is kept. */
static void slashes_join(char *place)
{
    size_t extra = strspn(place, "/");
    if (extra > 1) {
        memmove(place + 1, place + extra, strlen(place + extra) + 1);
    }
}

bool redirect_fill(const char *place, const struct redirect_in *in, char *ret, size_t size)
{
    struct writer out = {.at = ret, .end = ret + size - 1};
    struct piece piece;
    while (piece_next(&place, &piece)) {
        put_piece(&out, in, &piece);
    }
    *out.at = '\0';
    slashes_join(ret);
    return !out.overflow;
}
