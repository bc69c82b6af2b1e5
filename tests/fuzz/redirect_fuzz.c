/* redirect_fuzz.c - a place, a path, a query and a host, with zeros between them. Whatever place
 * may be configured, what a client asks for never decides which host he is sent to, and never adds
 * a line or a header field.
 */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 4, PLACE_ROOM = 70000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* The bytes up to the next zero, which is skipped. */
static struct px_text part_take(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *zero = *at == end ? NULL : memchr(*at, 0, (size_t)(end - *at));
    struct px_text part = {(const char *)*at, (size_t)((zero == NULL ? end : zero) - *at)};
    *at = zero == NULL ? end : zero + 1;
    return part;
}

/* A host as engines let it through: no controls, no spaces, no slashes. */
static bool host_is_sane(struct px_text host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] <= ' ' || host.ptr[i] > '~' || strchr("/?#\\@", host.ptr[i]) != NULL) {
            return false;
        }
    }
    return host.len > 0;
}

/* The part of a place that names the host; 0: none. */
static size_t host_len(const char *place)
{
    const char *scheme = strstr(place, "://");
    if (place[0] == '/' || scheme == NULL) {
        return 0;
    }
    return (size_t)(scheme - place) + 3 + strcspn(scheme + 3, "/?");
}

static void check_place(const char *place)
{
    for (size_t i = 0; place[i] != '\0'; i++) {
        check((unsigned char)place[i] > ' ' && (unsigned char)place[i] <= '~');
    }
    check(place[0] != '/' || (place[1] != '/' && place[1] != '\\'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char name[] = "rest", place[REDIRECT_MAX + 2], first[PLACE_ROOM], second[PLACE_ROOM];
    struct route route = {.names = {name}, .n_names = 1};
    struct px_text parts[PARTS];
    const uint8_t *at = data, *end = data + len;
    for (int i = 0; i < PARTS; i++) {
        parts[i] = part_take(&at, end);
    }
    if (parts[0].len > REDIRECT_MAX + 1 || parts[1].len == 0 || parts[1].len > 4096 ||
        parts[1].ptr[0] != '/' || !host_is_sane(parts[3])) {
        return 0;
    }
    for (size_t i = 0; i < parts[2].len; i++) {
        if (parts[2].ptr[i] <= ' ' || parts[2].ptr[i] > '~') {
            return 0; /* engines refuse it */
        }
    }
    memcpy(place, parts[0].ptr, parts[0].len);
    place[parts[0].len] = '\0';
    if (!redirect_is_valid(place, &route)) {
        return 0;
    }
    struct route_match match = {&route, 1, {{1, (uint16_t)(parts[1].len - 1)}}};
    struct route_match nothing = {&route, 1, {{1, 0}}};
    struct redirect_in in = {&route, &match, parts[1], parts[2], parts[3]};
    struct redirect_in plain = {&route, &nothing, {"/", 1}, {"", 0}, parts[3]};
    if (!redirect_fill(place, &in, first, sizeof first) ||
        !redirect_fill(place, &plain, second, sizeof second)) {
        return 0;
    }
    check_place(first);
    check(host_len(first) == host_len(second));
    check(memcmp(first, second, host_len(first)) == 0);
    return 0;
}
