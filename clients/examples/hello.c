/* hello.c - the smallest server: a greeting for everybody, and one by name. CC0, no rights
 * reserved.
 *
 *     cc hello.c $(pkg-config --cflags --libs plexus) -o hello
 *     ./hello 127.0.0.1:8080 & curl http://127.0.0.1:8080/hello/you
 */
#include <plexus.h>
#include <stdio.h>

static void on_root(struct px_request request, void *arg)
{
    (void)arg;
    px_request_reply_text(request, 200, "Hello, World!\n");
}

static void on_name(struct px_request request, void *arg)
{
    char text[256];
    struct px_text name = px_request_param(request, "name");
    (void)arg;
    snprintf(text, sizeof text, "Hello, %.*s!\n", PX_TEXT_ARG(name));
    px_request_reply_text(request, 200, text);
}

int main(int argc, char **argv)
{
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_root, NULL) != PX_EOK ||
        px_server_route(server, "GET", "/hello/:name", on_name, NULL) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    fflush(stdout);
    return px_run(system) == PX_EOK ? 0 : 1;
}
