/* conf_fuzz.c - any bytes as a configuration of plexus serve: they are refused with mistakes that
 * name a place, or every value of the tree is of its kind and in its range. */
#include "serve_schema.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void on_mistake(void *arg, const char *line)
{
    (void)arg;
    check(line[0] != '\0' && strchr(line, '\n') == NULL);
}

static void check_node(const struct conf_node *node)
{
    char path[CONF_PATH_MAX], place[CONF_PATH_MAX];
    uint64_t number;
    conf_path(node, path);
    conf_place(node, place);
    check(node->key != NULL && node->checked);
    if (conf_kind_is_scalar(node->key)) {
        check(node->form == CONF_SCALAR && strlen(node->value) == node->len);
        check(conf_value_is_valid(node->key, node->value, &number));
        check(number == node->number);
    }
    for (const struct conf_node *n = node->first; n != NULL; n = n->next) {
        check(n->parent == node);
        check_node(n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct conf *conf = conf_new(serve_schema);
    if (conf == NULL) {
        return 0;
    }
    bool read = conf_parse(conf, "f", (const char *)data, len);
    bool ended = conf_end(conf);
    check(ended == (conf_n_errors(conf) == 0) && (read || !ended));
    conf_errors(conf, on_mistake, NULL);
    if (ended) {
        check_node(conf_root(conf));
        check(conf_same(conf_root(conf), conf_root(conf)));
    }
    conf_free(conf);
    return 0;
}
