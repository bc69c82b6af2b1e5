/* routes.c - sets of routes: virtual hosts, error pages, and the set that is in force.
 *
 *     built aside --px_server_use--> in force --replaced--> retired --last request ended--> freed
 *
 * A request that is not over when its function returns holds the set it was found in. A set that is
 * replaced is let go of in a later turn: the function that replaced it may be one of its own.
 */
#include "lib.h"
#include "rules.h"

#include <stdlib.h>

#include "fields.h"

/* ---- making and freeing ---- */

static struct px_routes *routes_make(void)
{
    struct px_routes *routes = calloc(1, sizeof *routes);
    if (routes != NULL) {
        routes->top = routes;
    }
    return routes;
}

enum px_err px_routes_new(struct px_routes **ret_routes)
{
    struct px_routes *routes = routes_make();
    if (routes == NULL) {
        return PX_ENOMEM;
    }
    *ret_routes = routes;
    return PX_EOK;
}

static void pages_free(struct px_routes *routes)
{
    for (uint32_t i = 0; i < routes->n_pages; i++) {
        free(routes->pages[i].content_type);
        free(routes->pages[i].body);
    }
    free(routes->pages);
}

static void routes_free_one(struct px_routes *routes)
{
    route_free_all(&routes->routes);
    pages_free(routes);
    free(routes);
}

void px_routes_free(struct px_routes *take_routes)
{
    if (take_routes == NULL) {
        return;
    }
    for (uint32_t i = 0; i < take_routes->n_hosts; i++) {
        free(take_routes->hosts[i].name);
        routes_free_one(take_routes->hosts[i].routes);
    }
    free(take_routes->hosts);
    if (take_routes->link != NULL) {
        *take_routes->link = take_routes->next;
        if (take_routes->next != NULL) {
            take_routes->next->link = take_routes->link;
        }
    }
    void (*freed)(void *arg) = take_routes->freed;
    void *arg = take_routes->freed_arg;
    routes_free_one(take_routes);
    if (freed != NULL) {
        freed(arg);
    }
}

void px_routes_on_freed(struct px_routes *routes, void (*fn)(void *arg), void *arg)
{
    routes->top->freed = fn;
    routes->top->freed_arg = arg;
}

struct px_routes *routes_hold(struct px_routes *routes)
{
    routes->top->refs++;
    return routes->top;
}

void routes_put(struct px_routes *take_routes)
{
    if (take_routes != NULL && --take_routes->refs == 0) {
        px_routes_free(take_routes);
    }
}

/* ---- what is in a set ---- */

enum px_err px_routes_add(struct px_routes *routes, const char *method, const char *pattern,
                          px_route_fn fn, void *arg, const struct px_rules *rules)
{
    struct route *route = NULL;
    PX_TRY(route_add(&routes->routes, method, pattern, fn, arg, rules, &route));
    route->owner = routes;
    return PX_EOK;
}

static char *bytes_copy(const void *data, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy != NULL) {
        if (len > 0) {
            memcpy(copy, data, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

/* The page of a status, or a new one. NULL: no memory. */
static struct error_page *page_slot(struct px_routes *routes, uint32_t status)
{
    for (uint32_t i = 0; i < routes->n_pages; i++) {
        if (routes->pages[i].status == status) {
            return &routes->pages[i];
        }
    }
    struct error_page *more = realloc(routes->pages, (routes->n_pages + 1) * sizeof *more);
    if (more == NULL) {
        return NULL;
    }
    routes->pages = more;
    more[routes->n_pages] = (struct error_page){.status = status};
    return &more[routes->n_pages++];
}

enum px_err px_routes_error_page(struct px_routes *routes, uint32_t status,
                                 const char *content_type, const void *body, size_t body_len)
{
    size_t fields_len = 0;
    bool is_new = true;
    if (status < 400 || status > 599 || body_len > ERROR_PAGE_LEN_MAX || content_type == NULL) {
        return PX_EINVAL;
    }
    PX_TRY(fields_size(content_type, NULL, 0, &fields_len));
    for (uint32_t i = 0; i < routes->n_pages; i++) {
        is_new = is_new && routes->pages[i].status != status;
    }
    if (is_new && routes->n_pages == ERROR_PAGES_MAX) {
        return PX_ELIMIT;
    }
    char *type = bytes_copy(content_type, strlen(content_type)), *copy = bytes_copy(body, body_len);
    struct error_page *page = type == NULL || copy == NULL ? NULL : page_slot(routes, status);
    if (page == NULL) {
        free(type);
        free(copy);
        return PX_ENOMEM;
    }
    free(page->content_type);
    free(page->body);
    *page = (struct error_page){status, type, copy, body_len};
    return PX_EOK;
}

const struct error_page *routes_error_page(const struct px_routes *routes, uint32_t status)
{
    for (uint32_t i = 0; i < routes->n_pages; i++) {
        if (routes->pages[i].status == status) {
            return &routes->pages[i];
        }
    }
    return routes->top == routes ? NULL : routes_error_page(routes->top, status);
}

/* ---- virtual hosts ---- */

/* Letters, digits, '-', '_' and dots between labels of 1 to 63 bytes (RFC 1123 2.1). */
static bool host_is_valid(const char *host)
{
    size_t label = 0;
    for (; *host != '\0'; host++) {
        char c = (char)(*host | 0x20);
        bool fits = (c >= 'a' && c <= 'z') || (*host >= '0' && *host <= '9') || *host == '-' ||
                    *host == '_';
        if (*host == '.' ? label == 0 : !fits || label == 63) {
            return false;
        }
        label = *host == '.' ? 0 : label + 1;
    }
    return label > 0;
}

static void lower_copy(char *ret, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ret[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    }
    ret[len] = '\0';
}

/* Where a name stands, or would. */
static uint32_t host_place(const struct px_routes *top, const char *name, bool *ret_found)
{
    uint32_t low = 0, high = top->n_hosts;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(top->hosts[middle].name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    *ret_found = false;
    return low;
}

static enum px_err host_insert(struct px_routes *top, uint32_t at, const char *name)
{
    struct routes_host *more = realloc(top->hosts, (top->n_hosts + 1) * sizeof *more);
    if (more == NULL) {
        return PX_ENOMEM;
    }
    top->hosts = more;
    struct routes_host made = {bytes_copy(name, strlen(name)), routes_make()};
    if (made.name == NULL || made.routes == NULL) {
        free(made.name);
        free(made.routes);
        return PX_ENOMEM;
    }
    made.routes->top = top;
    memmove(more + at + 1, more + at, (top->n_hosts - at) * sizeof *more);
    more[at] = made;
    top->n_hosts++;
    return PX_EOK;
}

enum px_err px_routes_host(struct px_routes *routes, const char *host,
                           struct px_routes **ret_routes)
{
    char name[HOST_LEN_MAX + 1];
    size_t len = strlen(host);
    bool found;
    if (routes->top != routes || len > HOST_LEN_MAX ||
        !host_is_valid(strncmp(host, "*.", 2) == 0 ? host + 2 : host)) {
        return PX_EINVAL;
    }
    lower_copy(name, host, len);
    uint32_t at = host_place(routes, name, &found);
    if (!found) {
        if (routes->n_hosts == HOSTS_MAX) {
            return PX_ELIMIT;
        }
        PX_TRY(host_insert(routes, at, name));
    }
    *ret_routes = routes->hosts[at].routes;
    return PX_EOK;
}

/* The name in an authority, without port and closing dot. 0: none that can be configured. */
static size_t authority_name(struct px_text authority, char ret_name[HOST_LEN_MAX + 1])
{
    const char *colon = memchr(authority.ptr, ':', authority.len);
    size_t len = colon == NULL ? authority.len : (size_t)(colon - authority.ptr);
    if (len > 0 && authority.ptr[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len > HOST_LEN_MAX) {
        return 0;
    }
    lower_copy(ret_name, authority.ptr, len);
    return len;
}

struct px_routes *routes_of_host(struct px_routes *top, struct px_text authority)
{
    char name[HOST_LEN_MAX + 1];
    bool found;
    if (authority.len == 0 || authority_name(authority, name) == 0) {
        return top;
    }
    uint32_t at = host_place(top, name, &found);
    /* "a.b.c" is also "*.b.c", then "*.c": the star is written over the label in front. */
    for (char *dot = strchr(name, '.'); !found && dot != NULL && dot > name;
         dot = strchr(dot + 1, '.')) {
        char before = dot[-1];
        dot[-1] = '*';
        at = host_place(top, dot - 1, &found);
        dot[-1] = before;
    }
    return found ? top->hosts[at].routes : top;
}

/* ---- the set in force ---- */

static void routes_retire(struct px_sul *sul)
{
    struct px_server *server = px_container_of(sul, struct px_server, retire);
    while (server->retired != NULL) {
        struct px_routes *old = server->retired;
        server->retired = old->retired_next;
        routes_put(old);
    }
}

static void routes_join(struct px_server *server, struct px_routes *routes)
{
    routes->refs = 1;
    routes->next = server->sets;
    routes->link = &server->sets;
    if (routes->next != NULL) {
        routes->next->link = &routes->next;
    }
    server->sets = routes;
    server->routes = routes;
}

void px_server_use(struct px_server *server, struct px_routes *take_routes)
{
    struct px_routes *old = server->routes;
    routes_join(server, take_routes);
    if (server->system->app == NULL) {
        routes_put(old);
        return;
    }
    old->retired_next = server->retired;
    server->retired = old;
    px_sul_schedule(server->system->app->env, &server->retire, routes_retire, 0);
}

enum px_err routes_init(struct px_server *server)
{
    struct px_routes *routes = NULL;
    PX_TRY(px_routes_new(&routes));
    routes_join(server, routes);
    return PX_EOK;
}

void routes_done(struct px_server *server)
{
    while (server->sets != NULL) {
        px_routes_free(server->sets);
    }
}
