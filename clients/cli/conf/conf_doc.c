/* conf_doc.c - a schema as a page: one section for each mapping, one row for each key.
 */
#include "conf_impl.h"

#include <px/assert.h>
#include <string.h>

enum { SECTIONS_MAX = 64 };

static const struct conf_key *mapping_of(const struct conf_key *key)
{
    while (key->kind == CONF_LIST || key->kind == CONF_DICT) {
        key = key->item;
    }
    return key->kind == CONF_MAP ? key : NULL;
}

/* "listen[]", "routes[].files", "headers.NAME" */
static void below(const char *prefix, const struct conf_key *key, char ret_path[CONF_PATH_MAX])
{
    snprintf(ret_path, CONF_PATH_MAX, "%.100s%s%.100s", prefix, prefix[0] == '\0' ? "" : ".",
             key->name);
    for (; key->kind == CONF_LIST || key->kind == CONF_DICT; key = key->item) {
        size_t len = strlen(ret_path);
        snprintf(ret_path + len, CONF_PATH_MAX - len, "%s",
                 key->kind == CONF_LIST ? "[]" : ".NAME");
    }
}

static void print_type(const struct conf_key *key, FILE *out)
{
    char expected[CONF_TEXT_MAX];
    if (key->kind == CONF_MAP && (key->flags & CONF_SHORT) == 0) {
        fprintf(out, "a mapping, see below");
        return;
    }
    if (key->kind == CONF_MAP) {
        conf_expected(&key->keys[0], expected);
        fprintf(out, "%s, or a mapping, see below", expected);
        return;
    }
    conf_expected(key, expected);
    fprintf(out, "%s", expected);
    if (key->kind == CONF_LIST || key->kind == CONF_DICT) {
        fprintf(out, "%s: ", conf_list_is_short(key) ? ", or one alone" : "");
        print_type(key->item, out);
    }
}

static void print_standard(const struct conf_key *key, FILE *out)
{
    if (key->flags & CONF_REQUIRED) {
        fprintf(out, "required");
    } else if (!conf_kind_is_scalar(key) || key->standard == NULL) {
        fprintf(out, "–");
    } else if (key->standard[0] == '\0') {
        fprintf(out, "empty");
    } else {
        fprintf(out, "`%s`", key->standard);
    }
}

/* Tables that have their section already: two keys may share one. */
struct sections {
    const struct conf_key *keys[SECTIONS_MAX];
    size_t n;
    FILE *out;
};

static bool is_new(struct sections *sections, const struct conf_key *keys)
{
    for (size_t i = 0; i < sections->n; i++) {
        if (sections->keys[i] == keys) {
            return false;
        }
    }
    PX_ASSERT(sections->n < SECTIONS_MAX);
    sections->keys[sections->n++] = keys;
    return true;
}

static void print_section(struct sections *sections, const struct conf_key *keys, const char *path)
{
    FILE *out = sections->out;
    fprintf(out, "\n## %s\n\n| key | takes | default | what |\n| --- | --- | --- | --- |\n",
            path[0] == '\0' ? "The outermost mapping" : path);
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        fprintf(out, "| `%s` | ", key->name);
        print_type(key, out);
        fprintf(out, " | ");
        print_standard(key, out);
        fprintf(out, " | %s%s |\n", key->text,
                key->flags & CONF_RESTART ? " Changes at the next start." : "");
    }
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        const struct conf_key *map = mapping_of(key);
        char inner[CONF_PATH_MAX];
        below(path, key, inner);
        if (map != NULL && is_new(sections, map->keys)) {
            print_section(sections, map->keys, inner);
        }
    }
}

void conf_reference(const struct conf_key *schema, FILE *out)
{
    struct sections sections = {.out = out};
    print_section(&sections, schema, "");
}
