/* conf_yaml.c - the bytes of a file to a tree of scalars, mappings and lists, by libyaml's events.
 * What the schema says of them comes later (conf_check.c).
 */
#include "conf_impl.h"

#include <string.h>
#include <yaml.h>

/* Where we are: the mapping or list being filled, and the name that waits for its value. */
struct reader {
    struct conf *conf;
    const char *source;
    struct conf_node *root, *at;
    const char *name;
    uint32_t name_line, name_column, depth;
    bool bad;
};

static void refuse(struct reader *r, const yaml_mark_t *mark, const char *why)
{
    r->bad = true;
    conf_mistake_at(r->conf, r->source, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1, "%s",
                    why);
}

/* A key of a mapping: kept until its value comes. */
static void on_name(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20) {
            refuse(r, &event->start_mark, "expected a key, found control characters");
            return;
        }
    }
    r->name = conf_copy(r->conf, text, len);
    r->name_line = (uint32_t)event->start_mark.line + 1;
    r->name_column = (uint32_t)event->start_mark.column + 1;
    r->bad = r->bad || r->name == NULL;
}

/* A value of any form takes its place in the tree. */
static struct conf_node *place(struct reader *r, const yaml_event_t *event, enum conf_form form)
{
    struct conf_node *node = conf_node_new(r->conf, form, r->source);
    if (node == NULL) {
        r->bad = true;
        return NULL;
    }
    node->line = r->name != NULL ? r->name_line : (uint32_t)event->start_mark.line + 1;
    node->column = r->name != NULL ? r->name_column : (uint32_t)event->start_mark.column + 1;
    node->name = r->name;
    r->name = NULL;
    if (r->at != NULL) {
        conf_append(r->at, node);
    } else {
        r->root = node;
    }
    return node;
}

static void on_scalar(struct reader *r, const yaml_event_t *event)
{
    if (r->at != NULL && r->at->form == CONF_MAPPING && r->name == NULL) {
        on_name(r, event);
        return;
    }
    struct conf_node *node = place(r, event, CONF_SCALAR);
    if (node != NULL) {
        node->len = event->data.scalar.length;
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->value = conf_copy(r->conf, (const char *)event->data.scalar.value, node->len);
        r->bad = r->bad || node->value == NULL;
    }
}

static void on_begin(struct reader *r, const yaml_event_t *event, enum conf_form form)
{
    if (r->at != NULL && r->at->form == CONF_MAPPING && r->name == NULL) {
        refuse(r, &event->start_mark, "expected a key, found a mapping or a list");
    } else if (r->depth == CONF_DEPTH_MAX) {
        refuse(r, &event->start_mark, "expected at most 16 mappings and lists in each other");
    } else {
        struct conf_node *node = place(r, event, form);
        if (node != NULL) {
            r->depth++;
            r->at = node;
        }
    }
}

static void on_end(struct reader *r)
{
    r->depth--;
    r->at = r->at->parent;
}

/* Anchors, aliases and tags: what we refuse of YAML, whoever bears it. */
static bool is_fancy(struct reader *r, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor != NULL || event->type == YAML_ALIAS_EVENT) {
        refuse(r, &event->start_mark,
               "expected the value itself: anchors (&) and aliases (*) are "
               "not taken; quote a text that begins so");
    } else if (tag != NULL) {
        refuse(r, &event->start_mark,
               "expected a value without a tag (!); quote a text that begins so");
    }
    return r->bad;
}

static void on_event(struct reader *r, const yaml_event_t *event)
{
    if (is_fancy(r, event)) {
        return;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->root != NULL) {
            refuse(r, &event->start_mark, "expected one document, found a second");
        }
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(r, event);
        break;
    case YAML_MAPPING_START_EVENT:
        on_begin(r, event, CONF_MAPPING);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_begin(r, event, CONF_SEQUENCE);
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        on_end(r);
        break;
    default:
        break;
    }
}

/* libyaml says where it was and what it missed. */
static void not_yaml(struct reader *r, const yaml_parser_t *parser)
{
    const char *problem = parser->problem == NULL ? "memory ran out" : parser->problem;
    bool has_mark = parser->error == YAML_SCANNER_ERROR || parser->error == YAML_PARSER_ERROR;
    uint32_t line = has_mark ? (uint32_t)parser->problem_mark.line + 1 : 0;
    r->bad = true;
    conf_mistake_at(r->conf, r->source, line, (uint32_t)parser->problem_mark.column + 1,
                    "expected YAML: %s%s%s", problem, parser->context == NULL ? "" : " ",
                    parser->context == NULL ? "" : parser->context);
}

static void read_events(struct reader *r, yaml_parser_t *parser)
{
    bool more = true;
    while (more && !r->bad) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            not_yaml(r, parser);
            return;
        }
        on_event(r, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
}

struct conf_node *conf_yaml(struct conf *conf, const char *name, const char *text, size_t len)
{
    struct reader r = {.conf = conf, .source = name};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        conf_mistake_at(conf, name, 0, 0, "memory ran out");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    read_events(&r, &parser);
    yaml_parser_delete(&parser);
    return r.bad ? NULL : r.root;
}
