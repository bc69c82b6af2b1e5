/* route.c - a tree of pattern segments. A path walks it from the left; at each node a literal child
 * is tried before the parameter, the parameter before the rest, and what leads nowhere is taken
 * back.
 */
#include "route.h"

#include "rules.h"

#include <stdlib.h>
#include <string.h>

enum segment { LITERAL, PARAMETER, REST };

struct route_node {
    struct route_node *child, *sibling; /* siblings: literals, then the parameter, then the rest */
    struct route *routes;
    enum segment kind;
    size_t len;
    char text[]; /* of a literal */
};

struct search {
    struct px_text method, path;
    struct route_match *match; /* NULL: collect the methods instead */
    char *allow;
    uint32_t n_params;
};

/* ---- building ---- */

static struct route_node *node_new(enum segment kind, const char *text, size_t len)
{
    struct route_node *node = calloc(1, sizeof *node + len);
    if (node != NULL) {
        node->kind = kind;
        node->len = len;
        memcpy(node->text, text, len);
    }
    return node;
}

static bool node_is(const struct route_node *node, enum segment kind, const char *text, size_t len)
{
    return node->kind == kind &&
           (kind != LITERAL ||
            (node->len == len && (len == 0 || memcmp(node->text, text, len) == 0)));
}

/* The child for a segment, made if need be. NULL: no memory. */
static struct route_node *node_child(struct route_node *node, enum segment kind, const char *text,
                                     size_t len)
{
    struct route_node **at = &node->child;
    while (*at != NULL && (*at)->kind <= kind) {
        if (node_is(*at, kind, text, len)) {
            return *at;
        }
        at = &(*at)->sibling;
    }
    struct route_node *made = node_new(kind, text, kind == LITERAL ? len : 0);
    if (made != NULL) {
        made->sibling = *at;
        *at = made;
    }
    return made;
}

static void route_free(struct route *route)
{
    if (route != NULL) {
        for (uint32_t i = 0; i < route->n_names; i++) {
            free(route->names[i]);
        }
        rules_free(route->rules);
        free(route);
    }
}

static enum px_err route_name_add(struct route *route, const char *text, size_t len)
{
    if (len == 0 || route->n_names == ROUTE_PARAMS_MAX) {
        return PX_EINVAL;
    }
    char *name = strndup(text, len);
    if (name == NULL) {
        return PX_ENOMEM;
    }
    route->names[route->n_names++] = name;
    return PX_EOK;
}

static enum px_err node_put(struct route_node *node, struct route *take_route)
{
    struct route **at = &node->routes;
    for (; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->method, take_route->method) == 0) {
            return PX_EEXIST;
        }
    }
    *at = take_route;
    return PX_EOK;
}

/* Walks the pattern behind its first '/', making nodes and names. */
static enum px_err pattern_walk(struct route_node *root, struct route *route, const char *pattern,
                                struct route_node **ret_node)
{
    struct route_node *node = root;
    for (uint32_t n = 0; pattern != NULL; n++) {
        const char *slash = strchr(pattern, '/');
        size_t len = slash == NULL ? strlen(pattern) : (size_t)(slash - pattern);
        enum segment kind = pattern[0] == ':' ? PARAMETER : pattern[0] == '*' ? REST : LITERAL;
        if (n == ROUTE_SEGMENTS_MAX || (kind == REST && slash != NULL)) {
            return PX_EINVAL;
        }
        if (kind != LITERAL) {
            PX_TRY(route_name_add(route, pattern + 1, len - 1));
        }
        node = node_child(node, kind, pattern, len);
        if (node == NULL) {
            return PX_ENOMEM;
        }
        pattern = slash == NULL ? NULL : slash + 1;
    }
    *ret_node = node;
    return PX_EOK;
}

static struct route *route_new(const char *method, px_route_fn fn, void *arg)
{
    struct route *route = calloc(1, sizeof *route);
    if (route != NULL) {
        route->fn = fn;
        route->arg = arg;
        route->method_len = (uint32_t)strlen(method);
        memcpy(route->method, method, route->method_len + 1);
    }
    return route;
}

/* Puts a route where its pattern says; its names are known then, and its rules can be made. */
static enum px_err route_put(struct routes *routes, struct route *route, const char *pattern,
                             const struct px_rules *rules)
{
    struct route_node *node = NULL;
    PX_TRY(pattern_walk(routes->root, route, pattern + 1, &node));
    if (rules != NULL) {
        PX_TRY(rules_new(rules, route, &route->rules));
    }
    return node_put(node, route);
}

enum px_err route_add(struct routes *routes, const char *method, const char *pattern,
                      px_route_fn fn, void *arg, const struct px_rules *rules,
                      struct route **ret_route)
{
    size_t method_len = strlen(method);
    if (method_len == 0 || method_len > ROUTE_METHOD_MAX || pattern[0] != '/' ||
        strlen(pattern) > ROUTE_PATTERN_MAX || (fn == NULL && rules == NULL)) {
        return PX_EINVAL;
    }
    if (routes->root == NULL) {
        routes->root = node_new(LITERAL, "", 0);
    }
    struct route *route = routes->root == NULL ? NULL : route_new(method, fn, arg);
    if (route == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = route_put(routes, route, pattern, rules);
    if (err != PX_EOK) {
        route_free(route);
        return err;
    }
    if (ret_route != NULL) {
        *ret_route = route;
    }
    return PX_EOK;
}

static void node_free(struct route_node *node)
{
    while (node != NULL) {
        struct route_node *sibling = node->sibling;
        while (node->routes != NULL) {
            struct route *next = node->routes->next;
            route_free(node->routes);
            node->routes = next;
        }
        node_free(node->child); /* as deep as a pattern has segments */
        free(node);
        node = sibling;
    }
}

void route_free_all(struct routes *routes)
{
    node_free(routes->root);
    routes->root = NULL;
}

/* ---- searching ---- */

static void allow_add(char *allow, const char *method)
{
    size_t used = strlen(allow), len = strlen(method);
    const char *comma = used == 0 ? "" : ", ";
    const char *seen = allow;
    while ((seen = strstr(seen, method)) != NULL) {
        bool starts = seen == allow || seen[-1] == ' ';
        if (starts && (seen[len] == ',' || seen[len] == '\0')) {
            return;
        }
        seen += len;
    }
    if (used + strlen(comma) + len < ROUTE_ALLOW_MAX) {
        strcat(strcat(allow, comma), method);
    }
}

static bool method_is(const struct route *route, struct px_text method)
{
    const char *a = route->method, *b = method.ptr;
    size_t len = method.len;
    if (len != route->method_len) {
        return false;
    }
    if (len == 3) { /* GET and PUT: not worth a call */
        return memcmp(a, b, 2) == 0 && a[2] == b[2];
    }
    return memcmp(a, b, len) == 0;
}

/* The route of a node that no route names the method of: GET for HEAD, any. */
static LIB_APART const struct route *node_route_wide(const struct route_node *node,
                                                     struct px_text method)
{
    const struct route *get = NULL, *any = NULL;
    bool is_head = method.len == 4 && memcmp(method.ptr, "HEAD", 4) == 0;
    for (const struct route *route = node->routes; route != NULL; route = route->next) {
        if (is_head && strcmp(route->method, "GET") == 0) {
            get = route;
        }
        if (strcmp(route->method, "*") == 0) {
            any = route;
        }
    }
    return get != NULL ? get : any;
}

/* The route of a node for a method: that method, GET for HEAD, any. */
static const struct route *node_route(const struct route_node *node, struct px_text method)
{
    const struct route *route = node->routes;
    while (route != NULL && !method_is(route, method)) {
        route = route->next;
    }
    return route != NULL ? route : node_route_wide(node, method);
}

static LIB_APART void allow_add_all(char *allow, const struct route_node *node)
{
    for (const struct route *route = node->routes; route != NULL; route = route->next) {
        allow_add(allow, route->method);
        if (strcmp(route->method, "GET") == 0) {
            allow_add(allow, "HEAD");
        }
    }
}

/* A pattern ends here and the path too. True: the search is over. */
static bool search_arrived(struct search *s, const struct route_node *node)
{
    if (s->match == NULL) {
        allow_add_all(s->allow, node);
        return false;
    }
    s->match->route = node_route(node, s->method);
    s->match->n_params = s->n_params;
    return s->match->route != NULL;
}

static void search_param(struct search *s, size_t from, size_t to)
{
    if (s->match != NULL) {
        s->match->params[s->n_params] = (struct route_part){(uint16_t)from, (uint16_t)(to - from)};
    }
    s->n_params++;
}

/* Goes on below `node` with the segment that starts at `at`. As deep as patterns have segments. */
static bool search_below(struct search *s, const struct route_node *node, size_t at)
{
    const char *start = s->path.ptr + at;
    const char *slash = at == s->path.len ? NULL : memchr(start, '/', s->path.len - at);
    size_t end = slash == NULL ? s->path.len : (size_t)(slash - s->path.ptr);

    for (const struct route_node *child = node->child; child != NULL; child = child->sibling) {
        bool found = false;
        if (child->kind == REST) {
            search_param(s, at, s->path.len);
            found = search_arrived(s, child);
            s->n_params--;
        } else if (child->kind == PARAMETER && end > at) {
            search_param(s, at, end);
            found = slash == NULL ? search_arrived(s, child) : search_below(s, child, end + 1);
            s->n_params--;
        } else if (node_is(child, LITERAL, start, end - at)) {
            found = slash == NULL ? search_arrived(s, child) : search_below(s, child, end + 1);
        }
        if (found) {
            return true;
        }
    }
    return false;
}

bool route_find(const struct routes *routes, struct px_text method, struct px_text path,
                struct route_match *ret)
{
    struct search s = {.method = method, .path = path, .match = ret};
    return routes->root != NULL && search_below(&s, routes->root, 1);
}

void route_allow(const struct routes *routes, struct px_text path, char ret_allow[ROUTE_ALLOW_MAX])
{
    struct search s = {.path = path, .allow = ret_allow};
    ret_allow[0] = '\0';
    if (routes->root != NULL) {
        (void)search_below(&s, routes->root, 1);
    }
}
