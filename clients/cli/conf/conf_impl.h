/* conf_impl.h - what the parts of conf share.
 *
 *     conf.c         the tree, mistakes, overrides, defaults       conf_yaml.c  bytes to a tree
 *     conf_check.c   a tree against the schema                     conf_word.c  nearest names
 *     conf_doc.c     the schema as a page                          (conf_value.c scalars, pure)
 */
#ifndef CONF_IMPL_H
#define CONF_IMPL_H

#include "conf.h"

struct conf_chunk;

struct conf {
    const struct conf_key *schema_keys;
    struct conf_key top;    /* a CONF_MAP of the schema */
    struct conf_node *root; /* a mapping; its line is 0 until a file was read */
    struct conf_chunk *mem; /* everything that lives as long as this */
    size_t room, chunk_len; /* left in the first chunk, of ... */
    const char *errors[CONF_ERRORS_MAX];
    uint32_t n_errors, n_nodes;
    bool failed; /* memory ran out */
};

/* ---- conf.c ---- */

/* NULL: memory ran out, and a mistake says so. Zeroed. */
void *conf_alloc(struct conf *conf, size_t len);
const char *conf_copy(struct conf *conf, const char *text, size_t len);
/* A node, not yet anywhere. NULL: no memory or too many. */
struct conf_node *conf_node_new(struct conf *conf, enum conf_form form, const char *source);
void conf_append(struct conf_node *parent, struct conf_node *child);
const struct conf_node *conf_child(const struct conf_node *map, const char *name, size_t len);
/* A mistake that is about no value. `line` 0: unknown. */
void conf_mistake_at(struct conf *conf, const char *source, uint32_t line, uint32_t column,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
const struct conf_key *conf_key_of(const struct conf_key *keys, const char *name, size_t len);
const char *conf_nearest_key(const struct conf_key *keys, const char *wrong);

/* ---- conf_yaml.c ---- */

/* The tree of a file's bytes. NULL: a mistake was told, or there is nothing in it. */
struct conf_node *conf_yaml(struct conf *conf, const char *name, const char *text, size_t len);

/* ---- conf_check.c ---- */

/* Checks a value and what is in it. */
void conf_check(struct conf *conf, const struct conf_key *key, struct conf_node *node);
/* Required keys and defaults, in a mapping and what is in it. */
void conf_complete(struct conf *conf, struct conf_node *map);

/* ---- conf_value.c: pure ---- */

/* What a scalar means. False: it is not of this kind, or out of range. */
bool conf_value(const struct conf_key *key, const char *text, size_t len, uint64_t *ret_number);
/* A number as its kind writes it. */
void conf_write(enum conf_kind kind, uint64_t number, char *ret_text, size_t size);

#endif
