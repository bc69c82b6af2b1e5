/* conf.h - a configuration file (YAML) and its schema: one table says what keys there are, of which
 * kind, in which range, with which default, and what they are for. Checking, defaults, the messages
 * of mistakes and the reference page all come from it.
 *
 *     struct conf *conf = conf_new(schema);
 *     conf_read(conf, "site.yaml");                      file
 *     conf_environment(conf, "PLEXUS_", environ);        over it, the environment
 *     conf_set(conf, "--set", "server.idle", "10s");     over that, the command line
 *     if (!conf_end(conf)) { ... conf_errors(conf, print, NULL) ... }
 *     conf_count(conf_root(conf), "server.connections_max")
 *
 * Reading goes on after a mistake, so that all of them are told at once, each with file, line, key,
 * what was expected and, for a name that is not known, the nearest that is. A value keeps its line
 * as long as the conf lives: what only shows later (an address is taken, a folder is missing) is
 * told in the same form, by conf_mistake.
 *
 * Of YAML there are mappings, lists and plain, quoted and block scalars, in one document. Anchors,
 * aliases, tags and merge keys are refused: they are how a small file becomes a large one. A number
 * is decimal; there is no octal, hexadecimal, yes or on.
 */
#ifndef CONF_H
#define CONF_H

#include <px/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    CONF_LEN_MAX = 1 << 20,  /* bytes of a file */
    CONF_NODES_MAX = 100000, /* values in a file */
    CONF_DEPTH_MAX = 16,     /* mappings and lists in each other */
    CONF_ERRORS_MAX = 20,    /* mistakes that are told; then reading stops looking for more */
    CONF_PATH_MAX = 256,     /* of "routes[3].files.root", with the zero */
    CONF_TEXT_MAX = 512,     /* of what was expected, with the zero */
};

enum conf_kind {
    CONF_BOOL,  /* true or false */
    CONF_COUNT, /* a number */
    CONF_SIZE,  /* bytes: 4096, 64k, 10m, 2g */
    CONF_TIME,  /* 250ms, 10s, 5m, 2h, 1d; in milliseconds */
    CONF_MODE,  /* permission bits, octal: 0640 */
    CONF_TEXT,  /* without control characters */
    CONF_LINES, /* text of several lines: tab and newline too */
    CONF_WORD,  /* one of `words`; the value is its index */
    CONF_MAP,   /* the keys of `keys` */
    CONF_LIST,  /* entries like `item` */
    CONF_DICT,  /* names of the user's, with values like `item` */
};

enum conf_flag {
    CONF_REQUIRED = 1, /* without it the mapping makes no sense */
    CONF_RESTART = 2,  /* a change takes effect at the next start, not by reloading */
    CONF_SHORT = 4,    /* CONF_MAP: a scalar in its place is the value of its first key */
};

/* A line of the schema. A table of keys ends with one that has no name. */
struct conf_key {
    const char *name;
    enum conf_kind kind;
    unsigned flags;       /* enum conf_flag */
    uint64_t min, max;    /* range of a number; bytes of a text; entries of a list */
    const char *standard; /* the default as it would be written; NULL: none. A CONF_MAP with one is
                             made of the defaults of its keys when it was not said. */
    const char *text;     /* what it is for, for the reference: a sentence or two */
    const char *const *words;                /* CONF_WORD: the last is NULL */
    const struct conf_key *keys;             /* CONF_MAP */
    const struct conf_key *item;             /* CONF_LIST, CONF_DICT: its name is not used */
    const char *(*check)(const char *value); /* texts: NULL, or what was expected; may be NULL */
    const char *expected; /* texts with `check`: what is expected, for the reference */
};

/* A value: written in a file, said in the environment or on the command line, or a default. */
struct conf_node {
    const struct conf_key *key;
    struct conf_node *parent, *next; /* next: in the same mapping or list, as written */
    struct conf_node *first, *last;  /* mappings and lists */
    const char *name;                /* in a mapping; NULL: an entry of a list */
    const char *source;              /* file, variable or option; "default" */
    uint32_t line, column;           /* of its name, or of the entry, from 1; 0: not of a file */
    uint32_t index;                  /* CONF_LIST entries, from 0 */
    enum conf_form { CONF_SCALAR, CONF_MAPPING, CONF_SEQUENCE } form;
    bool plain;        /* a scalar without quotes */
    bool checked;      /* its kind and range are right */
    const char *value; /* scalars: as written, zero-terminated */
    size_t len;
    uint64_t number; /* what it means: of every kind but texts */
};

struct conf;

/* NULL: no memory. `schema` is the table of the outermost mapping and must outlive it. */
struct conf *conf_new(const struct conf_key *schema);
/* With every node. NULL is fine. */
void conf_free(struct conf *take_conf);

/* Reads a file; at most one, and first. False: there are mistakes. */
bool conf_read(struct conf *conf, const char *path);
/* The same for bytes; `name` is what messages call them. */
bool conf_parse(struct conf *conf, const char *name, const char *text, size_t len);
/* Sets one scalar, or a list of scalars (between commas), over what was said before. `source` is
 * what messages call it; `path` is "server.idle". False: a mistake. */
bool conf_set(struct conf *conf, const char *source, const char *path, const char *value);
/* Sets what variables that begin with `prefix` say: PLEXUS_SERVER_IDLE is server.idle. Others with
 * this prefix that name no key are passed to `unknown` (variable, nearest), which may be NULL.
 * False: a mistake. */
bool conf_environment(struct conf *conf, const char *prefix, char *const *environment,
                      void (*unknown)(void *arg, const char *variable, const char *nearest),
                      void *arg);
/* Checks that what is required is there and fills in the defaults. Values may be read afterwards.
 * False: there are mistakes, of any of the calls above. */
bool conf_end(struct conf *conf);

/* A mistake in a value that only shows later; in the form of all others. */
void conf_mistake(struct conf *conf, const struct conf_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* How many mistakes were found. */
uint32_t conf_n_errors(const struct conf *conf);
/* Each in turn, without newline; the first CONF_ERRORS_MAX, then whether there are more. */
void conf_errors(const struct conf *conf, void (*print)(void *arg, const char *line), void *arg);

/* ---- values: `path` is relative to `map` and must be in the schema ("server.idle") ---- */

const struct conf_node *conf_root(const struct conf *conf);
/* NULL: not said, and without default. */
const struct conf_node *conf_get(const struct conf_node *map, const char *path);
/* Of numbers of every kind, words and bools; it must have a default or have been said. */
uint64_t conf_number(const struct conf_node *map, const char *path);
uint32_t conf_number32(const struct conf_node *map, const char *path); /* max fits */
/* NULL: not said, and without default. */
const char *conf_text(const struct conf_node *map, const char *path);
/* Do two values mean the same? NULL is a value that was not said. */
bool conf_same(const struct conf_node *a, const struct conf_node *b);
/* "routes[3].files.root" */
void conf_path(const struct conf_node *node, char ret_path[CONF_PATH_MAX]);
/* "site.yaml:12", or the variable or option. */
void conf_place(const struct conf_node *node, char ret_place[CONF_PATH_MAX]);

/* ---- of the schema ---- */

/* What a key takes: "a duration from 1ms to 1h (such as 10s)". */
void conf_expected(const struct conf_key *key, char ret_text[CONF_TEXT_MAX]);
/* May its only entry stand alone, without a list around it? */
bool conf_list_is_short(const struct conf_key *key);
/* Is it neither a mapping nor a list? */
bool conf_kind_is_scalar(const struct conf_key *key);
/* Is `text` of its kind and in its range? */
bool conf_value_is_valid(const struct conf_key *key, const char *text, uint64_t *ret_number);
/* The reference of a schema in Markdown: a section for each mapping. */
void conf_reference(const struct conf_key *schema, FILE *out);
/* The name that takes the fewest edits to reach from `wrong`. */
const char *conf_nearest(const char *wrong, const char *const *names, size_t n);

#endif
