/* json_api.c - a JSON API with path parameters: a store. CC0, no rights reserved.
 *
 *     ./json_api 127.0.0.1:8080 & curl http://127.0.0.1:8080/things
 *     curl -X PUT http://127.0.0.1:8080/things/nuts/20
 */
#include <plexus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS = 2, COUNT_MAX = 1000000 };

static const char *const names[THINGS] = {"bolts", "nuts"}; /* nothing JSON would have escaped */

static void reply(struct px_request request, const char *json)
{
    struct px_reply r = {
        .content_type = "application/json", .body = json, .body_len = strlen(json)};
    px_request_reply(request, &r);
}

static void on_list(struct px_request request, void *arg)
{
    const unsigned *store = arg;
    char json[256], *out = json;
    for (int i = 0; i < THINGS; i++) {
        out += sprintf(out, "%s\"%s\": %u", i == 0 ? "{" : ", ", names[i], store[i]);
    }
    strcpy(out, "}\n");
    reply(request, json);
}

static void on_thing(struct px_request request, void *arg)
{
    unsigned *store = arg;
    char text[64], *end = text;
    struct px_text name = px_request_param(request, "name"), n = px_request_param(request, "n");
    snprintf(text, sizeof text, "%.*s", PX_TEXT_ARG(n)); /* a px_text does not end in a zero */
    unsigned long count = strtoul(text, &end, 10);
    for (int i = 0; i < THINGS && *end == '\0' && count <= COUNT_MAX; i++) {
        if (strlen(names[i]) == name.len && memcmp(names[i], name.ptr, name.len) == 0) {
            store[i] = n.len == 0 ? store[i] : (unsigned)count; /* the route of PUT has one */
            snprintf(text, sizeof text, "{\"name\": \"%s\", \"n\": %u}\n", names[i], store[i]);
            reply(request, text);
            return;
        }
    }
    px_request_reply_error(request, 404);
}

int main(int argc, char **argv)
{
    unsigned store[THINGS] = {7, 9};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/things", on_list, store) != PX_EOK ||
        px_server_route(server, "GET", "/things/:name", on_thing, store) != PX_EOK ||
        px_server_route(server, "PUT", "/things/:name/:n", on_thing, store) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        return fprintf(stderr, "%s\n", px_system_error(system));
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
