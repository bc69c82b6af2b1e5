/* form_upload.c - a page that uploads files and shows how far they are. CC0, no rights reserved.
 *     ./form_upload 127.0.0.1:8080 & curl -F file=@big.iso http://127.0.0.1:8080/
 */
#include <plexus.h>
#include <stdio.h>
#include <stdlib.h>

static const char page[] = /* the browser goes at our speed, so what it shows is true */
    "<form id=f><input type=file name=file></form><progress id=p></progress><script>f.onchange = "
    "() => { x = new XMLHttpRequest(); x.upload.onprogress = e => p.value = e.loaded / e.total;"
    "x.open('POST', '/'); x.send(new FormData(f)) }</script>\n";

static void on_begin(struct px_request request, void *arg, const struct px_form_part *part)
{
    FILE **file = arg; /* of the part before, or NULL */
    char name[256];
    (void)request;
    bool good = (*file == NULL || fclose(*file) == 0) &&
                px_form_safe_name(part->filename, name, sizeof name) == PX_EOK;
    *file = good ? fopen(name, "wbxe") : NULL; /* what there is already stays as it is */
}

static void on_data(struct px_request request, void *arg, const struct px_form_part *part,
                    const void *data, size_t len)
{
    FILE **file = arg;
    (void)part;
    if (*file == NULL || fwrite(data, 1, len, *file) != len) {
        px_request_reply_text(request, 403, "Cannot be written.\n");
    }
}

static void on_done(struct px_request request, void *arg, enum px_err err)
{
    FILE **file = arg;
    bool good = *file != NULL && fclose(*file) == 0;
    if (err == PX_EOK) { /* else it was answered, or the client has gone */
        px_request_reply_text(request, good ? 201 : 507, good ? "Stored.\n" : "Not stored.\n");
    }
    free(file);
}

static void on_any(struct px_request request, void *events)
{
    struct px_reply html = {.content_type = "text/html", .body = page, .body_len = sizeof page - 1};
    FILE **file = px_request_has_body(request) ? calloc(1, sizeof *file) : NULL;
    if (file == NULL) {
        px_request_reply(request, &html);
    } else if (px_form_read(request, NULL, events, file) != PX_EOK) {
        free(file); /* it was answered 415 */
    }
}

int main(int argc, char **argv)
{
    struct px_form_events events = {.begin = on_begin, .data = on_data, .done = on_done};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "*", "/", on_any, &events) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        return fprintf(stderr, "%s\n", px_system_error(system));
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
