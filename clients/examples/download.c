/* download.c - large files to be saved, and resumed after a break: a range, guarded by an ETag, so
 * that no file is put together from two. CC0, no rights reserved.
 *
 *     ./download 127.0.0.1:8080 /srv/images & wget -c http://127.0.0.1:8080/get/big.iso
 *     curl -r 1000-1999 http://127.0.0.1:8080/get/big.iso | wc -c
 */
#include <plexus.h>
#include <stdio.h>

static void on_get(struct px_request request, void *files)
{
    struct px_text range;
    if (px_request_field(request, "range", &range)) {
        printf("%.*s of %.*s\n", PX_TEXT_ARG(range),
               PX_TEXT_ARG(px_request_param(request, "file")));
    }
    px_files_serve(request, files); /* the rest of RFC 9110 13 and 14 is its business */
}

int main(int argc, char **argv)
{
    static const struct px_field save[] = {{"content-disposition", "attachment"}};
    struct px_files_config config = {.directory = argc > 2 ? argv[2] : ".",
                                     .param = "file",
                                     .index = "",
                                     .fields = save,
                                     .n_fields = 1};
    struct px_server_config slow = {.write_ms = 300000}; /* who pauses longer has to resume */
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    struct px_files *files = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, &slow, &server) != PX_EOK ||
        px_files_new(system, &config, &files) != PX_EOK ||
        px_server_route(server, "GET", "/get/*file", on_get, files) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return px_run(system) != PX_EOK;
}
