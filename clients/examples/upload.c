/* upload.c - a request body of any size goes to disk as it comes, with progress; the client is
 * slowed down to the speed of the disk. CC0, no rights reserved.
 *
 *     ./upload 127.0.0.1:8080 /tmp & curl -T big.iso http://127.0.0.1:8080/big.iso
 */
#include <plexus.h>
#include <stdio.h>

static void on_body(struct px_request request, void *arg, const void *data, size_t len, bool fin)
{
    if (fwrite(data, 1, len, arg) != len || (fin && fflush(arg) != 0)) {
        px_request_reply_text(request, 507, "The disk is full.\n");
        return;
    }
    px_request_settle(request, len); /* written: as much more may come */
    if (fin || ftell(arg) % (1 << 20) < (long)len) {
        printf("%ld bytes%s\n", ftell(arg), fin ? ", complete" : "");
    }
    if (fin) {
        px_request_reply_text(request, 201, "Stored.\n");
    }
}

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    (void)request, (void)status, fclose(arg);
}

static const struct px_request_events events = {.body = on_body, .ended = on_ended};

static void on_put(struct px_request request, void *arg)
{
    char path[512];
    struct px_text name = px_request_param(request, "name"); /* one segment: no slash in it */
    snprintf(path, sizeof path, "%s/%.*s", (const char *)arg, PX_TEXT_ARG(name));
    FILE *file = fopen(path, "wbe");
    if (file == NULL) {
        px_request_reply_text(request, 403, "Cannot be written.\n");
    } else {
        px_request_on(request, &events, file);
        px_request_read(request, 0); /* this answers Expect: 100-continue */
    }
}

int main(int argc, char **argv)
{
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0); /* progress is seen line by line */
    if (argc < 3 || px_system_new(NULL, &system) != PX_EOK ||
        px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "PUT", "/:name", on_put, argv[2]) != PX_EOK ||
        px_server_listen(server, argv[1], NULL) != PX_EOK) {
        fprintf(stderr, "usage: upload ADDR:PORT DIR\n");
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return px_run(system) != PX_EOK;
}
