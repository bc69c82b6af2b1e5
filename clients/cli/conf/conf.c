/* conf.c - the tree of a configuration: memory, mistakes, what is said over the file, reading
 * values.
 */
#include "conf_impl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <px/assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_LEN = 16384, VARIABLE_MAX = 128 };

struct conf_chunk {
    struct conf_chunk *next;
    max_align_t mem[];
};

/* ---- memory: freed all at once ---- */

static void memory_failed(struct conf *conf)
{
    if (!conf->failed) {
        conf->failed = true;
        conf->n_errors++;
    }
}

void *conf_alloc(struct conf *conf, size_t len)
{
    size_t rounded = (len + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (rounded > conf->room) {
        size_t size = rounded > CHUNK_LEN ? rounded : CHUNK_LEN;
        struct conf_chunk *chunk = calloc(1, sizeof *chunk + size);
        if (chunk == NULL) {
            memory_failed(conf);
            return NULL;
        }
        chunk->next = conf->mem;
        conf->mem = chunk;
        conf->room = size;
        conf->chunk_len = size;
    }
    void *mem = (char *)conf->mem->mem + (conf->chunk_len - conf->room);
    conf->room -= rounded;
    return mem;
}

const char *conf_copy(struct conf *conf, const char *text, size_t len)
{
    char *copy = conf_alloc(conf, len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

struct conf_node *conf_node_new(struct conf *conf, enum conf_form form, const char *source)
{
    if (conf->n_nodes == CONF_NODES_MAX) {
        conf_mistake_at(conf, source, 0, 0, "expected at most %d values", CONF_NODES_MAX);
        return NULL;
    }
    struct conf_node *node = conf_alloc(conf, sizeof *node);
    if (node != NULL) {
        conf->n_nodes++;
        node->form = form;
        node->source = source;
    }
    return node;
}

void conf_append(struct conf_node *parent, struct conf_node *child)
{
    child->parent = parent;
    child->index = parent->last == NULL ? 0 : parent->last->index + 1;
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
}

struct conf *conf_new(const struct conf_key *schema)
{
    struct conf *conf = calloc(1, sizeof *conf);
    if (conf == NULL) {
        return NULL;
    }
    conf->schema_keys = schema;
    conf->top = (struct conf_key){.name = "", .kind = CONF_MAP, .keys = schema};
    conf->root = conf_node_new(conf, CONF_MAPPING, "default");
    if (conf->root == NULL) {
        conf_free(conf);
        return NULL;
    }
    conf->root->key = &conf->top;
    conf->root->checked = true;
    return conf;
}

void conf_free(struct conf *take_conf)
{
    if (take_conf != NULL) {
        while (take_conf->mem != NULL) {
            struct conf_chunk *next = take_conf->mem->next;
            free(take_conf->mem);
            take_conf->mem = next;
        }
        free(take_conf);
    }
}

/* ---- mistakes ---- */

static void add_error(struct conf *conf, const char *place, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void add_error(struct conf *conf, const char *place, const char *format, va_list args)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%s: ", place);
    conf->n_errors++;
    if (conf->n_errors > CONF_ERRORS_MAX) {
        return;
    }
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    conf->errors[conf->n_errors - 1] = conf_copy(conf, text, strlen(text));
}

void conf_mistake_at(struct conf *conf, const char *source, uint32_t line, uint32_t column,
                     const char *format, ...)
{
    char where[CONF_PATH_MAX];
    va_list args;
    if (line == 0) {
        snprintf(where, sizeof where, "%s", source);
    } else {
        snprintf(where, sizeof where, "%.200s:%" PRIu32 ":%" PRIu32, source, line, column);
    }
    va_start(args, format);
    add_error(conf, where, format, args);
    va_end(args);
}

void conf_mistake(struct conf *conf, const struct conf_node *node, const char *format, ...)
{
    char path[CONF_PATH_MAX], where[2 * CONF_PATH_MAX];
    va_list args;
    conf_path(node, path);
    if (node->line == 0) {
        snprintf(where, sizeof where, "%.200s: %s", node->source, path);
    } else {
        snprintf(where, sizeof where, "%.200s:%" PRIu32 ":%" PRIu32 "%s%s", node->source,
                 node->line, node->column, path[0] == '\0' ? "" : ": ", path);
    }
    va_start(args, format);
    add_error(conf, where, format, args);
    va_end(args);
}

uint32_t conf_n_errors(const struct conf *conf)
{
    return conf->n_errors;
}

void conf_errors(const struct conf *conf, void (*print)(void *arg, const char *line), void *arg)
{
    uint32_t kept = conf->n_errors < CONF_ERRORS_MAX ? conf->n_errors : CONF_ERRORS_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        print(arg, conf->errors[i] == NULL ? "memory ran out" : conf->errors[i]);
    }
    if (conf->n_errors > kept) {
        print(arg, "there are more mistakes");
    }
}

/* ---- the file ---- */

bool conf_parse(struct conf *conf, const char *name, const char *text, size_t len)
{
    uint32_t before = conf->n_errors;
    const char *source = conf_copy(conf, name, strlen(name));
    if (source == NULL) {
        return false;
    }
    if (len > CONF_LEN_MAX) {
        conf_mistake_at(conf, source, 0, 0, "expected at most %d bytes", CONF_LEN_MAX);
        return false;
    }
    struct conf_node *root = conf_yaml(conf, source, text, len);
    bool is_empty = root == NULL || (root->form == CONF_SCALAR && root->plain && root->len == 0);
    if (conf->n_errors == before && !is_empty) {
        conf_check(conf, &conf->top, root);
        conf->root = root;
    }
    return conf->n_errors == before;
}

bool conf_read(struct conf *conf, const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : malloc(CONF_LEN_MAX + 1);
    if (text == NULL) {
        conf_mistake_at(conf, path, 0, 0, "cannot be read: %s", strerror(errno));
        if (file != NULL) {
            fclose(file);
        }
        return false;
    }
    size_t len = fread(text, 1, CONF_LEN_MAX + 1, file);
    bool ok = !ferror(file);
    if (!ok) {
        conf_mistake_at(conf, path, 0, 0, "cannot be read: %s", strerror(errno));
    }
    fclose(file);
    ok = ok && conf_parse(conf, path, text, len);
    free(text);
    return ok;
}

bool conf_end(struct conf *conf)
{
    if (conf->n_errors == 0) {
        conf_complete(conf, conf->root);
    }
    return conf->n_errors == 0;
}

/* ---- what is said over the file ---- */

/* The mapping `name` of `map`; made if it was not said. NULL: no memory, or it is something else,
 * which was told already. */
static struct conf_node *enter(struct conf *conf, struct conf_node *map, const struct conf_key *key,
                               const char *source)
{
    for (struct conf_node *n = map->first; n != NULL; n = n->next) {
        if (n->key == key) {
            return n->form == CONF_MAPPING ? n : NULL;
        }
    }
    struct conf_node *node = conf_node_new(conf, CONF_MAPPING, source);
    if (node != NULL) {
        node->key = key;
        node->name = key->name;
        node->checked = true;
        conf_append(map, node);
    }
    return node;
}

/* Takes what was said of a key out of its mapping. */
static void forget(struct conf_node *map, const struct conf_key *key)
{
    struct conf_node **link = &map->first, *last = NULL;
    while (*link != NULL) {
        if ((*link)->key == key) {
            *link = (*link)->next;
        } else {
            last = *link;
            link = &last->next;
        }
    }
    map->last = last;
}

static struct conf_node *scalar_of(struct conf *conf, const char *source, const char *text,
                                   size_t len)
{
    struct conf_node *node = conf_node_new(conf, CONF_SCALAR, source);
    if (node != NULL) {
        node->value = conf_copy(conf, text, len);
        node->len = len;
    }
    return node == NULL || node->value == NULL ? NULL : node;
}

/* "a,b" as a list of two scalars. */
static struct conf_node *list_of(struct conf *conf, const char *source, const char *text)
{
    struct conf_node *list = conf_node_new(conf, CONF_SEQUENCE, source);
    while (list != NULL) {
        size_t len = strcspn(text, ",");
        struct conf_node *entry = scalar_of(conf, source, text, len);
        if (entry == NULL) {
            return NULL;
        }
        conf_append(list, entry);
        if (text[len] == '\0') {
            break;
        }
        text += len + 1;
    }
    return list;
}

static bool put(struct conf *conf, struct conf_node *map, const struct conf_key *key,
                const char *source, const char *value)
{
    uint32_t before = conf->n_errors;
    struct conf_node *node = key->kind == CONF_LIST ? list_of(conf, source, value)
                                                    : scalar_of(conf, source, value, strlen(value));
    if (node == NULL) {
        return false;
    }
    forget(map, key);
    node->name = key->name;
    conf_append(map, node);
    conf_check(conf, key, node);
    return conf->n_errors == before;
}

bool conf_set(struct conf *conf, const char *source, const char *path, const char *value)
{
    struct conf_node *map = conf->root;
    const struct conf_key *keys = conf->schema_keys;
    const char *from = conf_copy(conf, source, strlen(source));
    while (from != NULL && map != NULL && map->form == CONF_MAPPING) {
        size_t len = strcspn(path, ".");
        const struct conf_key *key = conf_key_of(keys, path, len);
        if (key == NULL) {
            conf_mistake_at(conf, from, 0, 0, "%s: unknown key; did you mean '%s'?", path,
                            conf_nearest_key(keys, path));
            return false;
        }
        if (path[len] == '\0') {
            return put(conf, map, key, from, value);
        }
        if (key->kind != CONF_MAP) {
            conf_mistake_at(conf, from, 0, 0, "%s: expected no key below %s", path, key->name);
            return false;
        }
        map = enter(conf, map, key, from);
        keys = key->keys;
        path += len + 1;
    }
    return false;
}

/* ---- the environment ---- */

/* Steps through every key that a variable can set: its path, and what the variable is called. */
struct walk {
    const char *wanted; /* SERVER_IDLE */
    char found[VARIABLE_MAX], nearest[VARIABLE_MAX];
};

static void variable_of(const char *path, char ret_name[VARIABLE_MAX])
{
    size_t i = 0;
    for (; path[i] != '\0' && i + 1 < VARIABLE_MAX; i++) {
        ret_name[i] = (char)(path[i] == '.' ? '_' : toupper((unsigned char)path[i]));
    }
    ret_name[i] = '\0';
}

static void walk_keys(struct walk *walk, const struct conf_key *keys, const char *prefix)
{
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        char path[VARIABLE_MAX], name[VARIABLE_MAX], nearest[VARIABLE_MAX];
        snprintf(path, sizeof path, "%.60s%.60s", prefix, key->name);
        variable_of(path, name);
        variable_of(walk->nearest, nearest);
        const char *two[2] = {nearest, name};
        if (key->kind == CONF_MAP) {
            strncat(path, ".", sizeof path - strlen(path) - 1);
            walk_keys(walk, key->keys, path);
        } else if (strcmp(name, walk->wanted) == 0) {
            memcpy(walk->found, path, sizeof path);
        } else if (walk->nearest[0] == '\0' || conf_nearest(walk->wanted, two, 2) == name) {
            memcpy(walk->nearest, path, sizeof path);
        }
    }
}

bool conf_environment(struct conf *conf, const char *prefix, char *const *environment,
                      void (*unknown)(void *arg, const char *variable, const char *nearest),
                      void *arg)
{
    bool ok = true;
    for (size_t i = 0; environment[i] != NULL; i++) {
        const char *equals = strchr(environment[i], '=');
        size_t len = equals == NULL ? 0 : (size_t)(equals - environment[i]);
        char variable[VARIABLE_MAX];
        if (len <= strlen(prefix) || len >= sizeof variable ||
            memcmp(environment[i], prefix, strlen(prefix)) != 0) {
            continue;
        }
        memcpy(variable, environment[i], len);
        variable[len] = '\0';
        struct walk walk = {.wanted = variable + strlen(prefix)};
        walk_keys(&walk, conf->schema_keys, "");
        if (walk.found[0] != '\0') {
            ok = conf_set(conf, variable, walk.found, equals + 1) && ok;
        } else if (unknown != NULL) {
            char nearest[VARIABLE_MAX], name[2 * VARIABLE_MAX];
            variable_of(walk.nearest, nearest);
            snprintf(name, sizeof name, "%s%s", prefix, nearest);
            unknown(arg, variable, name);
        }
    }
    return ok;
}

/* ---- reading values ---- */

const struct conf_node *conf_root(const struct conf *conf)
{
    return conf->root;
}

const struct conf_node *conf_child(const struct conf_node *map, const char *name, size_t len)
{
    for (const struct conf_node *n = map->first; n != NULL; n = n->next) {
        if (n->name != NULL && strlen(n->name) == len && memcmp(n->name, name, len) == 0) {
            return n;
        }
    }
    return NULL;
}

const struct conf_node *conf_get(const struct conf_node *map, const char *path)
{
    while (map != NULL) {
        size_t len = strcspn(path, ".");
        PX_ASSERT(map->key->kind == CONF_MAP && conf_key_of(map->key->keys, path, len) != NULL);
        map = conf_child(map, path, len);
        if (path[len] == '\0') {
            break;
        }
        path += len + 1;
    }
    return map;
}

uint64_t conf_number(const struct conf_node *map, const char *path)
{
    const struct conf_node *node = conf_get(map, path);
    PX_ASSERT(node != NULL && node->form == CONF_SCALAR);
    return node->number;
}

uint32_t conf_number32(const struct conf_node *map, const char *path)
{
    uint64_t number = conf_number(map, path);
    PX_ASSERT(number <= UINT32_MAX); /* the schema has said so */
    return (uint32_t)number;
}

const char *conf_text(const struct conf_node *map, const char *path)
{
    const struct conf_node *node = conf_get(map, path);
    return node == NULL ? NULL : node->value;
}

static bool same_scalar(const struct conf_node *a, const struct conf_node *b)
{
    bool is_text = a->key->kind == CONF_TEXT || a->key->kind == CONF_LINES;
    return is_text ? strcmp(a->value, b->value) == 0 : a->number == b->number;
}

bool conf_same(const struct conf_node *a, const struct conf_node *b)
{
    if (a == NULL || b == NULL || a->form != b->form || a->key->kind != b->key->kind) {
        return a == b;
    }
    if (a->form == CONF_SCALAR) {
        return same_scalar(a, b);
    }
    size_t n_a = 0, n_b = 0;
    for (const struct conf_node *n = b->first; n != NULL; n = n->next) {
        n_b++;
    }
    const struct conf_node *entry = b->first;
    for (const struct conf_node *n = a->first; n != NULL; n = n->next, n_a++) {
        const struct conf_node *twin =
            a->form == CONF_SEQUENCE ? entry : conf_child(b, n->name, strlen(n->name));
        if (twin == NULL || !conf_same(n, twin)) {
            return false;
        }
        entry = entry == NULL ? NULL : entry->next;
    }
    return n_a == n_b;
}

void conf_path(const struct conf_node *node, char ret_path[CONF_PATH_MAX])
{
    char below[CONF_PATH_MAX] = "";
    ret_path[0] = '\0';
    for (; node != NULL && node->parent != NULL; node = node->parent) {
        if (node->name == NULL) {
            snprintf(ret_path, CONF_PATH_MAX, "[%" PRIu32 "]%s%.200s", node->index,
                     below[0] == '\0' || below[0] == '[' ? "" : ".", below);
        } else {
            snprintf(ret_path, CONF_PATH_MAX, "%.50s%s%.200s", node->name,
                     below[0] == '\0' || below[0] == '[' ? "" : ".", below);
        }
        memcpy(below, ret_path, sizeof below);
    }
}

void conf_place(const struct conf_node *node, char ret_place[CONF_PATH_MAX])
{
    if (node->line == 0) {
        snprintf(ret_place, CONF_PATH_MAX, "%.200s", node->source);
    } else {
        snprintf(ret_place, CONF_PATH_MAX, "%.200s:%" PRIu32, node->source, node->line);
    }
}
