/* static_site.c - a folder as a site: index files, types, ETags, ranges, FILE.br and FILE.gz beside
 * FILE, and a page for what is not there. CC0, no rights reserved.
 *
 *     ./static_site 127.0.0.1:8080 /usr/share/doc & curl -i http://127.0.0.1:8080/
 */
#include <plexus.h>
#include <stdio.h>

static const char lost[] = "<!doctype html><title>404</title><h1>This page does not exist</h1>\n";

static enum px_err routes_use(struct px_server *server, struct px_files *files)
{
    struct px_routes *routes = NULL;
    PX_TRY(px_routes_new(&routes));
    enum px_err err = px_routes_add(routes, "GET", "/*path", px_files_serve, files, NULL);
    if (err == PX_EOK) {
        err = px_routes_error_page(routes, 404, "text/html", lost, sizeof lost - 1);
    }
    if (err != PX_EOK) {
        px_routes_free(routes);
        return err;
    }
    px_server_use(server, routes);
    return PX_EOK;
}

int main(int argc, char **argv)
{
    struct px_files_config config = {.directory = argc > 2 ? argv[2] : ".",
                                     .cache_control = "max-age=60",
                                     .precompressed = true,
                                     .listing = true};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    struct px_files *files = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_files_new(system, &config, &files) != PX_EOK || routes_use(server, files) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
