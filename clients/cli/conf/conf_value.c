/* conf_value.c - scalars: what a number with its unit means, and how one is written.
 */
#include "conf_impl.h"

#include <inttypes.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit sizes[] = {
    {"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0}};
static const struct unit times[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                    {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static const struct unit *units_of(enum conf_kind kind)
{
    return kind == CONF_SIZE ? sizes : kind == CONF_TIME ? times : no_units;
}

/* Digits of `base` without a leading zero (but for modes); false: none, others, or too many. */
static bool digits(const char *text, size_t len, unsigned base, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (len == 0 || len > 19 || (base == 10 && len > 1 && text[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit >= base) {
            return false;
        }
        number = number * base + digit; /* 19 digits fit */
    }
    *ret_number = number;
    return true;
}

static bool number_with_unit(enum conf_kind kind, const char *text, size_t len,
                             uint64_t *ret_number)
{
    size_t n = strspn(text, "0123456789");
    const struct unit *unit = units_of(kind);
    uint64_t number;
    if (n > len || !digits(text, n, 10, &number)) {
        return false;
    }
    while (unit->name != NULL && strcmp(unit->name, text + n) != 0) {
        unit++;
    }
    if (unit->name == NULL && !(kind == CONF_TIME && number == 0 && n == len)) {
        return false;
    }
    uint64_t factor = unit->name == NULL ? 1 : unit->factor;
    if (number > UINT64_MAX / factor) {
        return false;
    }
    *ret_number = number * factor;
    return true;
}

static bool word_index(const char *const *words, const char *text, uint64_t *ret_number)
{
    for (uint64_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret_number = i;
            return true;
        }
    }
    return false;
}

static bool text_is_valid(const struct conf_key *key, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_layout = key->kind == CONF_LINES && (c == '\n' || c == '\t');
        if ((c < 0x20 || c == 0x7f) && !is_layout) {
            return false;
        }
    }
    return len >= key->min && len <= key->max && (key->check == NULL || key->check(text) == NULL);
}

bool conf_kind_is_scalar(const struct conf_key *key)
{
    return key->kind != CONF_MAP && key->kind != CONF_LIST && key->kind != CONF_DICT;
}

bool conf_value(const struct conf_key *key, const char *text, size_t len, uint64_t *ret_number)
{
    static const char *const bools[] = {"false", "true", NULL};
    uint64_t number = 0;
    bool ok = strlen(text) == len;
    switch (key->kind) {
    case CONF_BOOL:
        ok = ok && word_index(bools, text, &number);
        break;
    case CONF_WORD:
        ok = ok && word_index(key->words, text, &number);
        break;
    case CONF_COUNT:
    case CONF_SIZE:
    case CONF_TIME:
        ok = ok && number_with_unit(key->kind, text, len, &number) && number >= key->min &&
             number <= key->max;
        break;
    case CONF_MODE:
        ok = ok && len <= 4 && digits(text, len, 8, &number) && number >= key->min &&
             number <= key->max;
        break;
    case CONF_TEXT:
    case CONF_LINES:
        ok = ok && text_is_valid(key, text, len);
        break;
    case CONF_MAP:
    case CONF_LIST:
    case CONF_DICT:
        ok = false;
        break;
    }
    if (ok) {
        *ret_number = number;
    }
    return ok;
}

bool conf_value_is_valid(const struct conf_key *key, const char *text, uint64_t *ret_number)
{
    return conf_value(key, text, strlen(text), ret_number);
}

void conf_write(enum conf_kind kind, uint64_t number, char *ret_text, size_t size)
{
    const struct unit *unit = units_of(kind), *best = unit;
    if (kind == CONF_MODE) {
        snprintf(ret_text, size, "0%03" PRIo64, number);
        return;
    }
    for (; unit->name != NULL; unit++) {
        if (number >= unit->factor && number % unit->factor == 0) {
            best = unit;
        }
    }
    snprintf(ret_text, size, "%" PRIu64 "%s", number / best->factor,
             number == 0 && kind == CONF_TIME ? "" : best->name);
}
