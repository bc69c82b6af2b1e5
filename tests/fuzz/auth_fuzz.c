/* auth_fuzz.c - any bytes as an Authorization field, and as a file of users. Credentials that are
 * read are a name, a colon and a password within their limits, and are read again the same; what is
 * refused leaves nothing behind. Of a file that is taken every user is found, of one that is not
 * the line is told.
 */
#include "auth.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static size_t basic_write(const struct credentials *c, char *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 6;
    memcpy(ret, "Basic ", at);
    for (size_t i = 0; i < c->len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (i + k < c->len ? (unsigned char)c->bytes[i + k] : 0u);
        }
        for (size_t k = 0; k < 4; k++) {
            ret[at++] = i + k > c->len ? '=' : digits[bits >> (18 - 6 * k) & 63];
        }
    }
    return at;
}

static void check_credentials(struct px_text field)
{
    static struct credentials got, again;
    static char text[2048];
    memset(&got, 0x55, sizeof got);
    if (!credentials_read(field, &got)) {
        for (size_t i = 0; i < sizeof got.bytes; i++) {
            check(got.bytes[i] == 0 || got.bytes[i] == 0x55); /* wiped, or never written */
        }
        return;
    }
    check(got.len <= AUTH_CREDENTIALS_MAX && got.name_len < got.len);
    check(got.name_len <= AUTH_NAME_MAX && got.len - got.name_len - 1 <= AUTH_PASSWORD_MAX);
    check(strlen(got.bytes) == got.len && strchr(got.bytes, ':') == got.bytes + got.name_len);
    check(credentials_read((struct px_text){text, basic_write(&got, text)}, &again));
    check(again.len == got.len && strcmp(again.bytes, got.bytes) == 0);
}

static void check_users(const char *text, size_t len)
{
    struct users *users = NULL;
    const char *why = NULL;
    uint32_t line = 0, lines = 1;
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    if (users_read(text, len, &users, &line, &why) != PX_EOK) {
        check(why != NULL && line <= lines);
        return;
    }
    for (uint32_t i = 0; i < users->n; i++) {
        const struct user *user = &users->list[i];
        struct px_text name = {user->name, strlen(user->name)};
        check(users_find(users, name) == user);
    }
    users_put(users);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_credentials((struct px_text){(const char *)data, len});
    check_users((const char *)data, len);
    return 0;
}
