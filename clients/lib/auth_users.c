/* auth_users.c - files of users and hashes, and the Authorization field (RFC 7617, RFC 4648 4).
 */
#include "auth.h"

#include <crypt.h>
#include <stdlib.h>

/* ---- users ---- */

/* Kinds of crypt(3) that are meant for passwords, and how long what stands behind their last '$'
 * is. */
struct hash_kind {
    const char *prefix;
    size_t tail_len;
};

/* bcrypt: "$2b$", two digits, '$', and salt and hash in one. */
static bool cost_is_fit(const char *hash)
{
    return hash[4] >= '0' && hash[4] <= '3' && hash[5] >= '0' && hash[5] <= '9' && hash[6] == '$';
}

static bool hash_is_fit(const char *hash)
{
    static const struct hash_kind kinds[] = {
        {"$y$", 43},  {"$gy$", 43}, {"$7$", 43}, {"$2b$", 53},
        {"$2y$", 53}, {"$2a$", 53}, {"$6$", 86}, {"$5$", 43},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct hash_kind *kind = &kinds[i];
        if (strncmp(hash, kind->prefix, strlen(kind->prefix)) == 0) {
            int verdict = crypt_checksalt(hash);
            return strlen(strrchr(hash, '$') + 1) == kind->tail_len &&
                   (hash[1] != '2' || cost_is_fit(hash)) && verdict != CRYPT_SALT_INVALID &&
                   verdict != CRYPT_SALT_METHOD_DISABLED;
        }
    }
    return false;
}

static const char *line_fault(struct px_text line, const char *colon)
{
    size_t name_len = colon == NULL ? 0 : (size_t)(colon - line.ptr);
    if (colon == NULL) {
        return "expected name:hash";
    }
    if (name_len == 0 || name_len > AUTH_NAME_MAX) {
        return "the name is empty or longer than 255 bytes";
    }
    for (size_t i = 0; i < line.len; i++) {
        if ((unsigned char)line.ptr[i] < ' ' || line.ptr[i] == 0x7f) {
            return "a control character";
        }
    }
    return line.len - name_len - 1 > AUTH_HASH_MAX ? "the hash is longer than 383 bytes" : NULL;
}

static char *text_copy(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

static enum px_err user_add(struct users *users, struct px_text line, const char **ret_why)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    const char *why = line_fault(line, colon);
    if (why == NULL && users->n == AUTH_USERS_MAX) {
        why = "more than 10000 users";
    }
    if (why != NULL) {
        *ret_why = why;
        return PX_EINVAL;
    }
    struct user *user = &users->list[users->n];
    user->name = text_copy(line.ptr, (size_t)(colon - line.ptr));
    user->hash = text_copy(colon + 1, line.len - (size_t)(colon - line.ptr) - 1);
    users->n++;
    if (user->name == NULL || user->hash == NULL) {
        return PX_ENOMEM;
    }
    if (!hash_is_fit(user->hash)) {
        *ret_why =
            "not a hash of yescrypt, scrypt, bcrypt, SHA-512 or SHA-256 crypt (make one with "
            "htpasswd -B, or mkpasswd)";
        return PX_EINVAL;
    }
    return PX_EOK;
}

static int user_order(const void *a, const void *b)
{
    const struct user *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static enum px_err users_fill(struct users *users, const char *text, size_t len, uint32_t *ret_line,
                              const char **ret_why)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    lines = lines > AUTH_USERS_MAX ? AUTH_USERS_MAX : lines;
    users->list = calloc(lines, sizeof *users->list);
    if (users->list == NULL) {
        return PX_ENOMEM;
    }
    for (const char *at = text, *end = text + len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        struct px_text line = {at, (size_t)(stop - at)};
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
        ++*ret_line;
        if (line.len > 0 && line.ptr[0] != '#') {
            PX_TRY(user_add(users, line, ret_why));
        }
        at = stop + 1;
    }
    return PX_EOK;
}

enum px_err users_read(const char *text, size_t len, struct users **ret_users, uint32_t *ret_line,
                       const char **ret_why)
{
    struct users *users = calloc(1, sizeof *users);
    if (users == NULL) {
        return PX_ENOMEM;
    }
    users->refs = 1;
    *ret_line = 0;
    enum px_err err = users_fill(users, text, len, ret_line, ret_why);
    if (err == PX_EOK) {
        qsort(users->list, users->n, sizeof *users->list, user_order);
    }
    for (uint32_t i = 1; err == PX_EOK && i < users->n; i++) {
        if (user_order(&users->list[i - 1], &users->list[i]) == 0) {
            *ret_why = "a name stands in the file twice";
            err = PX_EINVAL;
        }
    }
    if (err != PX_EOK) {
        users_put(users);
        return err;
    }
    *ret_users = users;
    return PX_EOK;
}

struct users *users_hold(struct users *users)
{
    users->refs++;
    return users;
}

void users_put(struct users *take_users)
{
    if (take_users == NULL || --take_users->refs > 0) {
        return;
    }
    for (uint32_t i = 0; i < take_users->n; i++) {
        free(take_users->list[i].name);
        free(take_users->list[i].hash);
    }
    free(take_users->list);
    free(take_users);
}

const struct user *users_find(const struct users *users, struct px_text name)
{
    uint32_t low = 0, high = users->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *other = users->list[middle].name;
        int order = strncmp(other, name.ptr, name.len);
        order = order == 0 && other[name.len] != '\0' ? 1 : order;
        if (order == 0) {
            return &users->list[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

/* ---- secrets ---- */

void secret_wipe(void *secret, size_t len)
{
    volatile unsigned char *at = secret; /* a store that nobody reads again is made all the same */
    while (len > 0) {
        at[--len] = 0;
    }
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    const volatile unsigned char *left = a, *right = b;
    unsigned differ = 0;
    for (size_t i = 0; i < len; i++) {
        differ |= (unsigned)(left[i] ^ right[i]);
    }
    return differ == 0;
}

/* ---- credentials ---- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes into `ret` (`size` bytes). False: malformed, or too long. */
static bool base64_decode(struct px_text text, char *ret, size_t size, size_t *ret_len)
{
    uint32_t bits = 0;
    size_t n_bits = 0, len = 0;
    for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++) {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            if (len == size) {
                return false;
            }
            ret[len++] = (char)(bits >> n_bits);
        }
    }
    *ret_len = len;
    return text.len % 4 != 1;
}

/* What stands behind "Basic" and spaces. */
static bool scheme_skip(struct px_text *field)
{
    static const char scheme[] = "basic";
    size_t len = sizeof scheme - 1;
    if (field->len <= len || field->ptr[len] != ' ') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((field->ptr[i] | 0x20) != scheme[i]) {
            return false;
        }
    }
    while (len < field->len && field->ptr[len] == ' ') {
        len++;
    }
    field->ptr += len;
    field->len -= len;
    return true;
}

bool credentials_read(struct px_text field, struct credentials *ret)
{
    const char *colon = NULL;
    if (scheme_skip(&field) && base64_decode(field, ret->bytes, AUTH_CREDENTIALS_MAX, &ret->len) &&
        memchr(ret->bytes, '\0', ret->len) == NULL) {
        colon = memchr(ret->bytes, ':', ret->len);
    }
    ret->name_len = colon == NULL ? 0 : (size_t)(colon - ret->bytes);
    if (colon == NULL || ret->name_len > AUTH_NAME_MAX ||
        ret->len - ret->name_len - 1 > AUTH_PASSWORD_MAX) {
        secret_wipe(ret, sizeof *ret);
        return false;
    }
    ret->bytes[ret->len] = '\0';
    return true;
}
