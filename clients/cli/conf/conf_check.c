/* conf_check.c - a tree against the schema: names, forms, kinds, ranges; then what is required, and
 * the defaults.
 */
#include "conf_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { FOUND_MAX = 64, KEYS_MAX = 64 };

/* ---- what is expected ---- */

static void join(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void join(char *text, size_t size, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + len, size - len, format, args);
    va_end(args);
}

static void expected_range(const struct conf_key *key, const char *what, const char *example,
                           char ret_text[CONF_TEXT_MAX])
{
    char min[32], max[32];
    conf_write(key->kind, key->min, min, sizeof min);
    conf_write(key->kind, key->max, max, sizeof max);
    snprintf(ret_text, CONF_TEXT_MAX, "%s from %s to %s%s", what, min, max, example);
}

static void expected_text(const struct conf_key *key, char ret_text[CONF_TEXT_MAX])
{
    const char *lines = key->kind == CONF_LINES ? " (newlines too)" : "";
    if (key->expected != NULL) {
        snprintf(ret_text, CONF_TEXT_MAX, "%s", key->expected);
    } else {
        snprintf(ret_text, CONF_TEXT_MAX,
                 "a text of %" PRIu64 " to %" PRIu64 " bytes without control characters%s",
                 key->min, key->max, lines);
    }
}

static void expected_words(const struct conf_key *key, char ret_text[CONF_TEXT_MAX])
{
    snprintf(ret_text, CONF_TEXT_MAX, "one of");
    for (size_t i = 0; key->words[i] != NULL; i++) {
        join(ret_text, CONF_TEXT_MAX, "%s %s", i == 0 ? "" : ",", key->words[i]);
    }
}

static void expected_keys(const struct conf_key *key, char ret_text[CONF_TEXT_MAX])
{
    ret_text[0] = '\0';
    if (key->flags & CONF_SHORT) {
        expected_text(&key->keys[0], ret_text);
        join(ret_text, CONF_TEXT_MAX, ", or ");
    }
    join(ret_text, CONF_TEXT_MAX, "a mapping of");
    for (const struct conf_key *k = key->keys; k->name != NULL; k++) {
        join(ret_text, CONF_TEXT_MAX, "%s %s", k == key->keys ? "" : ",", k->name);
    }
}

void conf_expected(const struct conf_key *key, char ret_text[CONF_TEXT_MAX])
{
    switch (key->kind) {
    case CONF_BOOL:
        snprintf(ret_text, CONF_TEXT_MAX, "true or false");
        break;
    case CONF_COUNT:
        expected_range(key, "a number", "", ret_text);
        break;
    case CONF_SIZE:
        expected_range(key, "a size in bytes", " (units k, m, g)", ret_text);
        break;
    case CONF_TIME:
        expected_range(key, "a duration", " (units ms, s, m, h, d)", ret_text);
        break;
    case CONF_MODE:
        expected_range(key, "octal permission bits", "", ret_text);
        break;
    case CONF_TEXT:
    case CONF_LINES:
        expected_text(key, ret_text);
        break;
    case CONF_WORD:
        expected_words(key, ret_text);
        break;
    case CONF_MAP:
        expected_keys(key, ret_text);
        break;
    case CONF_LIST:
        snprintf(ret_text, CONF_TEXT_MAX, "a list of %" PRIu64 " to %" PRIu64 " entries", key->min,
                 key->max);
        break;
    case CONF_DICT:
        snprintf(ret_text, CONF_TEXT_MAX,
                 "a mapping of %" PRIu64 " to %" PRIu64 " names of your own", key->min, key->max);
        break;
    }
}

/* ---- what was found ---- */

static bool is_null(const struct conf_node *node)
{
    return node->form == CONF_SCALAR && node->plain &&
           (node->len == 0 || strcmp(node->value, "~") == 0 || strcmp(node->value, "null") == 0);
}

/* Quoted, cut, and with '?' for what would spoil a line. */
static void found_text(const struct conf_node *node, char ret_text[FOUND_MAX])
{
    size_t n = 0, shown = node->len > 40 ? 40 : node->len;
    if (node->form != CONF_SCALAR || is_null(node)) {
        snprintf(ret_text, FOUND_MAX, "%s",
                 node->form == CONF_MAPPING    ? "a mapping"
                 : node->form == CONF_SEQUENCE ? "a list"
                                               : "nothing");
        return;
    }
    ret_text[n++] = '\'';
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)node->value[i];
        ret_text[n++] = c < 0x20 || c == 0x7f ? '?' : node->value[i];
    }
    snprintf(ret_text + n, FOUND_MAX - n, "%s", shown < node->len ? "...'" : "'");
}

static const char *nearest_word(const struct conf_key *key, const char *wrong)
{
    size_t n = 0;
    while (key->words[n] != NULL) {
        n++;
    }
    return conf_nearest(wrong, key->words, n);
}

static void wrong_value(struct conf *conf, const struct conf_key *key, const struct conf_node *node)
{
    char expected[CONF_TEXT_MAX], found[FOUND_MAX];
    conf_expected(key, expected);
    found_text(node, found);
    if (key->kind == CONF_WORD && node->form == CONF_SCALAR && !is_null(node)) {
        conf_mistake(conf, node, "expected %s, found %s; did you mean '%s'?", expected, found,
                     nearest_word(key, node->value));
    } else {
        conf_mistake(conf, node, "expected %s, found %s", expected, found);
    }
}

/* ---- names ---- */

const struct conf_key *conf_key_of(const struct conf_key *keys, const char *name, size_t len)
{
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        if (strlen(key->name) == len && memcmp(key->name, name, len) == 0) {
            return key;
        }
    }
    return NULL;
}

const char *conf_nearest_key(const struct conf_key *keys, const char *wrong)
{
    const char *names[KEYS_MAX];
    size_t n = 0;
    for (const struct conf_key *key = keys; key->name != NULL && n < KEYS_MAX; key++) {
        names[n++] = key->name;
    }
    return conf_nearest(wrong, names, n);
}

static void unknown_key(struct conf *conf, const struct conf_key *map, struct conf_node *node)
{
    char expected[CONF_TEXT_MAX];
    struct conf_key plain = *map;
    plain.flags = 0;
    conf_expected(&plain, expected);
    conf_mistake(conf, node, "unknown key; expected %s; did you mean '%s'?",
                 expected + strlen("a mapping of "), conf_nearest_key(map->keys, node->name));
}

/* ---- values ---- */

static void check_scalar(struct conf *conf, const struct conf_key *key, struct conf_node *node)
{
    bool is_text = key->kind == CONF_TEXT || key->kind == CONF_LINES;
    node->checked = node->form == CONF_SCALAR && !(is_text && is_null(node)) &&
                    conf_value(key, node->value, node->len, &node->number);
    if (!node->checked) {
        wrong_value(conf, key, node);
    }
}

/* The first of that name in a mapping. */
static const struct conf_node *first_of(const struct conf_node *node)
{
    return conf_child(node->parent, node->name, strlen(node->name));
}

static bool is_repeated(struct conf *conf, const struct conf_node *node)
{
    const struct conf_node *first = first_of(node);
    if (first != node) {
        conf_mistake(conf, node, "expected once, found a second time (first on line %" PRIu32 ")",
                     first->line);
    }
    return first != node;
}

/* More mistakes than are told: the rest is not looked for. */
static bool enough(const struct conf *conf)
{
    return conf->n_errors > CONF_ERRORS_MAX;
}

static void check_map(struct conf *conf, const struct conf_key *key, struct conf_node *map)
{
    for (struct conf_node *node = map->first; node != NULL && !enough(conf); node = node->next) {
        const struct conf_key *known = conf_key_of(key->keys, node->name, strlen(node->name));
        if (known == NULL) {
            unknown_key(conf, key, node);
        } else if (!is_repeated(conf, node)) {
            conf_check(conf, known, node);
        }
    }
}

/* A scalar becomes the only child of what it stands for, called `name` (NULL: entry of a list). */
static bool wrap(struct conf *conf, struct conf_node *node, enum conf_form form, const char *name)
{
    struct conf_node *inner = conf_node_new(conf, CONF_SCALAR, node->source);
    if (inner == NULL) {
        return false;
    }
    inner->line = node->line;
    inner->column = node->column;
    inner->plain = node->plain;
    inner->value = node->value;
    inner->len = node->len;
    inner->name = name;
    node->form = form;
    conf_append(node, inner);
    return true;
}

bool conf_list_is_short(const struct conf_key *key)
{
    return key->kind == CONF_LIST &&
           (conf_kind_is_scalar(key->item) || (key->item->flags & CONF_SHORT) != 0);
}

/* `server: x` is `server: {first_key: x}`, and `listen: x` is `listen: [x]`, where they may be said
 * so. False: no memory. */
static bool make_long(struct conf *conf, const struct conf_key *key, struct conf_node *node)
{
    if (node->form != CONF_SCALAR || is_null(node)) {
        return true;
    }
    if (key->kind == CONF_MAP && (key->flags & CONF_SHORT) != 0) {
        return wrap(conf, node, CONF_MAPPING, key->keys[0].name);
    }
    return !conf_list_is_short(key) || wrap(conf, node, CONF_SEQUENCE, NULL);
}

static void check_entries(struct conf *conf, const struct conf_key *key, struct conf_node *node)
{
    uint64_t n = 0;
    for (struct conf_node *entry = node->first; entry != NULL && n <= key->max && !enough(conf);
         entry = entry->next, n++) {
        if (key->kind == CONF_LIST || !is_repeated(conf, entry)) {
            conf_check(conf, key->item, entry);
        }
    }
    if ((n < key->min && !enough(conf)) || n > key->max) {
        char expected[CONF_TEXT_MAX];
        conf_expected(key, expected);
        conf_mistake(conf, node, "expected %s, found %s%" PRIu64, expected,
                     n > key->max ? "at least " : "", n);
    }
}

void conf_check(struct conf *conf, const struct conf_key *key, struct conf_node *node)
{
    node->key = key;
    if (conf_kind_is_scalar(key)) {
        check_scalar(conf, key, node);
        return;
    }
    if (!make_long(conf, key, node)) {
        return;
    }
    enum conf_form form = key->kind == CONF_LIST ? CONF_SEQUENCE : CONF_MAPPING;
    node->checked = node->form == form;
    if (!node->checked) {
        wrong_value(conf, key, node);
    } else if (key->kind == CONF_MAP) {
        check_map(conf, key, node);
    } else {
        check_entries(conf, key, node);
    }
}

/* ---- what is missing ---- */

static bool has_standard(const struct conf_key *keys)
{
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        if (key->flags & CONF_REQUIRED) {
            return false;
        }
    }
    return true;
}

/* A key that was not said: its default, an empty mapping of defaults, or a mistake. */
static void fill(struct conf *conf, struct conf_node *map, const struct conf_key *key)
{
    bool is_map = key->kind == CONF_MAP && (key->flags & CONF_REQUIRED) == 0 &&
                  key->standard != NULL && has_standard(key->keys);
    if (key->flags & CONF_REQUIRED) {
        char expected[CONF_TEXT_MAX];
        conf_expected(key, expected);
        conf_mistake(conf, map, "the key '%s' is missing; expected %s", key->name, expected);
    } else if (is_map || (key->standard != NULL && conf_kind_is_scalar(key))) {
        struct conf_node *node =
            conf_node_new(conf, is_map ? CONF_MAPPING : CONF_SCALAR, "default");
        if (node != NULL) {
            node->name = key->name;
            node->value = is_map ? NULL : key->standard;
            node->len = is_map ? 0 : strlen(key->standard);
            conf_append(map, node);
            conf_check(conf, key, node);
        }
    }
}

void conf_complete(struct conf *conf, struct conf_node *node)
{
    if (node->key->kind == CONF_MAP) {
        for (const struct conf_key *key = node->key->keys; key->name != NULL; key++) {
            if (conf_child(node, key->name, strlen(key->name)) == NULL) {
                fill(conf, node, key);
            }
        }
    }
    for (struct conf_node *child = node->first; child != NULL; child = child->next) {
        if (!conf_kind_is_scalar(child->key)) {
            conf_complete(conf, child);
        }
    }
}
