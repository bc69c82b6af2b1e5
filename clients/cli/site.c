/* site.c - a configuration as routes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "site_impl.h"

enum { ORIGINS_MAX = 64 };

/* ---- rules ---- */

/* What a struct px_rules points to while a route is added. */
struct rules {
    struct px_rules rules;
    struct px_header_rule headers[3 * SERVE_HEADERS_MAX];
    struct px_cors cors;
    const char *origins[ORIGINS_MAX];
};

static void headers_fill(struct rules *r, const struct conf_node *route)
{
    static const struct {
        const char *name;
        enum px_header_act act;
    } acts[] = {{"headers.set", PX_HEADER_SET},
                {"headers.add", PX_HEADER_ADD},
                {"headers.remove", PX_HEADER_REMOVE}};
    r->rules.headers = r->headers;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        const struct conf_node *list = conf_get(route, acts[i].name);
        for (const struct conf_node *h = list == NULL ? NULL : list->first; h != NULL;
             h = h->next) {
            bool is_remove = acts[i].act == PX_HEADER_REMOVE;
            r->headers[r->rules.n_headers++] = (struct px_header_rule){
                acts[i].act, is_remove ? h->value : h->name, is_remove ? NULL : h->value};
        }
    }
}

static void cors_fill(struct rules *r, const struct conf_node *cors)
{
    for (const struct conf_node *o = conf_get(cors, "origins")->first; o != NULL; o = o->next) {
        r->origins[r->cors.n_origins++] = o->value;
    }
    r->cors.origins = r->origins;
    r->cors.methods = conf_text(cors, "methods");
    r->cors.headers = conf_text(cors, "headers");
    r->cors.expose = conf_text(cors, "expose");
    r->cors.credentials = conf_number(cors, "credentials") != 0;
    r->cors.max_age_s = conf_number32(cors, "max_age") / 1000;
    r->rules.cors = &r->cors;
}

static bool rate_fill(struct site *site, struct rules *r, const struct conf_node *rate)
{
    struct px_rate_config config = {.requests = conf_number32(rate, "requests"),
                                    .per_ms = conf_number32(rate, "per"),
                                    .peers_max = conf_number32(rate, "peers_max")};
    const struct conf_node *burst = conf_get(rate, "burst");
    config.burst = burst == NULL ? 0 : (uint32_t)burst->number;
    enum px_err err = px_rate_new(&config, &r->rules.rate);
    if (err == PX_EINVAL) {
        conf_mistake(site->conf, rate, "expected at most one request a microsecond");
        return false;
    }
    return err == PX_EOK || site_mistake(site, rate, err);
}

static uint64_t number_or_0(const struct conf_node *map, const char *path)
{
    const struct conf_node *node = conf_get(map, path);
    return node == NULL ? 0 : node->number;
}

static bool rules_fill(struct site *site, struct rules *r, const struct conf_node *route)
{
    const struct conf_node *redirect = conf_get(route, "redirect");
    const struct conf_node *respond = conf_get(route, "respond");
    const struct conf_node *cors = conf_get(route, "cors"), *rate = conf_get(route, "rate");
    const struct conf_node *auth = conf_get(route, "auth");
    if (redirect != NULL) {
        r->rules.redirect = conf_text(redirect, "to");
        r->rules.status = conf_number32(redirect, "status");
    } else if (respond != NULL) {
        r->rules.status = conf_number32(respond, "status");
        r->rules.text = conf_text(respond, "text");
        r->rules.content_type = conf_text(respond, "content_type");
    }
    r->rules.body_max = number_or_0(route, "body_max");
    r->rules.body_ms = (uint32_t)number_or_0(route, "body_time");
    r->rules.answer_ms = (uint32_t)number_or_0(route, "answer_time");
    headers_fill(r, route);
    if (r->rules.n_headers > SERVE_HEADERS_MAX) {
        conf_mistake(site->conf, conf_get(route, "headers"),
                     "expected at most %d header rules, found %u", SERVE_HEADERS_MAX,
                     r->rules.n_headers);
        return false;
    }
    if (cors != NULL) {
        cors_fill(r, cors);
    }
    if (auth != NULL && (r->rules.auth = site_users(site, auth)) == NULL) {
        return false;
    }
    return rate == NULL || rate_fill(site, r, rate);
}

/* ---- which rule is wrong: each alone, on a set that is thrown away ---- */

static bool is_wrong(const char *pattern, px_route_fn fn, const struct px_rules *rules)
{
    struct px_routes *scratch = NULL;
    enum px_err err = px_routes_new(&scratch);
    err = err == PX_EOK ? px_routes_add(scratch, "GET", pattern, fn, NULL, rules) : err;
    px_routes_free(scratch);
    return err == PX_EINVAL;
}

static bool tell_header(struct site *site, const struct rules *r, const struct conf_node *route)
{
    static const char *const lists[] = {"headers.set", "headers.add", "headers.remove"};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct conf_node *list = conf_get(route, lists[i]);
        for (const struct conf_node *h = list == NULL ? NULL : list->first; h != NULL;
             h = h->next, n++) {
            struct px_rules one = {.headers = &r->headers[n], .n_headers = 1};
            if (is_wrong("/", px_health, &one)) {
                conf_mistake(site->conf, h,
                             "expected a field that is not of the connection, and a "
                             "value that fits on its line");
                return true;
            }
        }
    }
    return false;
}

static void tell_wrong(struct site *site, const struct rules *r, const struct conf_node *route,
                       const char *pattern)
{
    const struct conf_node *path = conf_get(route, "path");
    struct px_rules only_redirect = {.redirect = r->rules.redirect, .status = r->rules.status};
    struct px_rules only_cors = {.cors = r->rules.cors};
    if (is_wrong(pattern, px_health, NULL)) {
        conf_mistake(site->conf, path,
                     "expected a path: it begins with '/', has at most 32 segments and 8 names, "
                     "and '*name' stands last; found '%s'",
                     pattern);
    } else if (r->rules.redirect != NULL && is_wrong(pattern, NULL, &only_redirect)) {
        conf_mistake(
            site->conf, conf_get(route, "redirect"),
            "expected '/...' or 'https://host...' with names that the path has, and status "
            "301, 302, 303, 307 or 308");
    } else if (r->rules.cors != NULL && is_wrong(pattern, px_health, &only_cors)) {
        conf_mistake(site->conf, conf_get(route, "cors"),
                     "expected origins such as https://a.example, null or *, lists of field names, "
                     "and no credentials with *");
    } else if (!tell_header(site, r, route)) {
        conf_mistake(site->conf, route, "expected every value in its range");
    }
}

/* ---- routes ---- */

static const char *const doings[] = {"files", "redirect", "respond", "health", "service"};
enum { N_DOINGS = sizeof doings / sizeof doings[0] };

/* What a route does: exactly one thing. NULL: a mistake was told. */
static const char *doing_of(struct site *site, const struct conf_node *route)
{
    const char *found = NULL;
    for (size_t i = 0; i < N_DOINGS; i++) {
        const struct conf_node *node = conf_get(route, doings[i]);
        bool is_off = node != NULL && node->key->kind == CONF_BOOL && node->number == 0;
        if (node == NULL || is_off) {
            continue;
        }
        if (found != NULL) {
            conf_mistake(site->conf, node,
                         "expected one of files, redirect, respond, health, service; "
                         "found %s too",
                         found);
            return NULL;
        }
        found = doings[i];
    }
    if (found == NULL) {
        conf_mistake(site->conf, route,
                     "expected one of files, redirect, respond, health, service; found none");
    }
    return found;
}

/* Without `methods`, what a route does says which. */
static bool is_get_only(px_route_fn fn)
{
    return fn == px_files_serve || fn == px_health;
}

static bool method_add(struct site *site, struct px_routes *routes, const struct rules *r,
                       const struct conf_node *route, const struct conf_node *method,
                       px_route_fn fn, void *arg)
{
    const char *pattern = conf_text(route, "path");
    const char *name = method != NULL ? method->value : is_get_only(fn) ? "GET" : "*";
    enum px_err err = px_routes_add(routes, name, pattern, fn, arg, &r->rules);
    if (err == PX_EINVAL) {
        tell_wrong(site, r, route, pattern);
    } else if (err == PX_EEXIST) {
        conf_mistake(site->conf, conf_get(route, "path"), "expected once: %s %s is routed already",
                     name, pattern);
    } else if (err != PX_EOK) {
        site_mistake(site, route, err);
    }
    return err == PX_EOK;
}

static void route_add(struct site *site, struct px_routes *routes, const struct conf_node *route)
{
    struct rules r = {.rules = {.status = 0}};
    const char *doing = doing_of(site, route);
    px_route_fn fn = NULL;
    void *arg = NULL;
    bool ok = doing != NULL && rules_fill(site, &r, route);
    if (ok && strcmp(doing, "files") == 0) {
        fn = px_files_serve;
        arg = site_files(site, conf_get(route, "files"), conf_text(route, "path"));
        ok = arg != NULL;
    } else if (ok && strcmp(doing, "health") == 0) {
        fn = px_health;
    } else if (ok && strcmp(doing, "service") == 0) {
        fn = px_request_serve_outside;
        arg = site_service(site, conf_get(route, "service"));
        ok = arg != NULL;
    }
    const struct conf_node *methods = conf_get(route, "methods");
    const struct conf_node *method = methods == NULL ? NULL : methods->first;
    while (ok) {
        ok = method_add(site, routes, &r, route, method, fn, arg);
        method = method == NULL ? NULL : method->next;
        if (method == NULL) {
            break;
        }
    }
    px_rate_free(r.rules.rate);
    site->n_routes++;
}

static void routes_add(struct site *site, struct px_routes *routes, const struct conf_node *list)
{
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        route_add(site, routes, n);
    }
}

/* `root` in short: the files below it, as a route with all defaults would have them. */
static void root_add(struct site *site, const struct conf_node *root)
{
    struct px_files *files = site_root(site, root);
    enum px_err err =
        files == NULL ? PX_EOK
                      : px_routes_add(site->routes, "GET", "/*path", px_files_serve, files, NULL);
    if (err == PX_EEXIST) {
        conf_mistake(site->conf, root, "expected once: GET /*path is routed already");
    } else if (err != PX_EOK) {
        site_mistake(site, root, err);
    }
    site->n_routes++;
}

/* ---- error pages ---- */

static void page_add(struct site *site, struct px_routes *routes, const struct conf_node *page)
{
    size_t len = 0;
    char *body = site_file_read(site, conf_get(page, "file"), &len);
    enum px_err err = body == NULL
                          ? PX_EOK
                          : px_routes_error_page(routes, conf_number32(page, "status"),
                                                 conf_text(page, "content_type"), body, len);
    if (err != PX_EOK) {
        site_mistake(site, page, err);
    }
    free(body);
}

static void pages_add(struct site *site, struct px_routes *routes, const struct conf_node *map)
{
    const struct conf_node *list = conf_get(map, "error_pages");
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        page_add(site, routes, n);
    }
}

/* ---- hosts ---- */

static bool is_named_before(const struct conf_node *host, const struct conf_node *name)
{
    for (const struct conf_node *h = host->parent->first; h != NULL; h = h->next) {
        for (const struct conf_node *n = conf_get(h, "names")->first; n != NULL; n = n->next) {
            if (n == name) {
                return false;
            }
            if (strcasecmp(n->value, name->value) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void host_add(struct site *site, const struct conf_node *host)
{
    for (const struct conf_node *name = conf_get(host, "names")->first; name != NULL;
         name = name->next) {
        struct px_routes *routes = NULL;
        if (is_named_before(host, name)) {
            conf_mistake(site->conf, name, "expected once: '%s' has routes already", name->value);
            continue;
        }
        enum px_err err = px_routes_host(site->routes, name->value, &routes);
        if (err == PX_EOK) {
            routes_add(site, routes, conf_get(host, "routes"));
            pages_add(site, routes, host);
            if (conf_n_errors(site->conf) > 0) {
                return; /* the other names would tell the same */
            }
        } else if (err == PX_EINVAL) {
            conf_mistake(site->conf, name,
                         "expected a host such as example.com or *.example.com, found '%s'",
                         name->value);
        } else if (err == PX_ELIMIT) {
            conf_mistake(site->conf, name, "expected at most 1024 hosts");
            return;
        } else {
            site_mistake(site, name, err);
        }
    }
}

/* ---- the whole ---- */

static void fill(struct site *site)
{
    const struct conf_node *root = conf_root(site->conf);
    const struct conf_node *hosts = conf_get(root, "hosts");
    routes_add(site, site->routes, conf_get(root, "routes"));
    if (conf_get(root, "root") != NULL) {
        root_add(site, conf_get(root, "root"));
    }
    pages_add(site, site->routes, root);
    for (const struct conf_node *h = hosts == NULL ? NULL : hosts->first; h != NULL; h = h->next) {
        host_add(site, h);
    }
    if (site->n_routes == 0 && demo_add(site->system, site->routes) != PX_EOK) {
        site_mistake(site, root, PX_ENOMEM);
    }
}

struct site *site_new(struct px_system *system, struct conf *conf, const struct site *old)
{
    struct site *site = calloc(1, sizeof *site);
    if (site == NULL || px_routes_new(&site->routes) != PX_EOK) {
        conf_mistake(conf, conf_root(conf), "memory ran out");
        free(site);
        return NULL;
    }
    site->system = system;
    site->conf = conf;
    site->old = old;
    fill(site);
    site->old = NULL;
    if (conf_n_errors(conf) > 0) {
        site_free(site);
        return NULL;
    }
    return site;
}

void site_use(struct site *site, struct px_server *server)
{
    px_server_use(server, site->routes);
    site->routes = NULL;
}

void site_free(struct site *take_site)
{
    if (take_site == NULL) {
        return;
    }
    px_routes_free(take_site->routes);
    site_let_go(take_site);
    free(take_site);
}

uint32_t site_n_routes(const struct site *site)
{
    return site->n_routes;
}
