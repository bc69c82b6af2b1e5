/* log_sink.c - a log of one's own: a line for every request, and how many there were of each class
 * of status. CC0, no rights reserved.
 *
 *     ./log_sink 127.0.0.1:8080 & curl http://127.0.0.1:8080/
 */
#include <inttypes.h>
#include <plexus.h>
#include <stdio.h>

struct sink {
    FILE *out;
    uint64_t classes[6]; /* 0: no answer, 2: 2xx, ... */
};

/* What was refused before it was a request may hold anything: nobody writes our lines but we. */
static void put_target(FILE *out, struct px_text target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        fputc(c > ' ' && c < 0x7f ? c : '?', out);
    }
}

/* Called when an exchange has ended, in the system's thread: what blocks here, blocks all. */
static void on_record(const struct px_log_record *record, void *arg)
{
    struct sink *sink = arg;
    sink->classes[record->status / 100 % 6]++;
    fprintf(sink->out, "#%" PRIu64 " %.*s %.*s ", record->id, PX_TEXT_ARG(record->remote),
            PX_TEXT_ARG(record->method));
    put_target(sink->out, record->target);
    fprintf(sink->out, ": %u, %" PRIu64 " bytes, %" PRIu64 " us%s%s\n", (unsigned)record->status,
            record->body_len, record->end_us, record->ended == PX_OK ? "" : ", ",
            record->ended == PX_OK ? "" : px_status_text(record->ended));
    fflush(sink->out);
}

static void on_root(struct px_request request, void *arg)
{
    const struct sink *sink = arg;
    char text[128];
    snprintf(text, sizeof text, "good %" PRIu64 ", bad %" PRIu64 "\n", sink->classes[2],
             sink->classes[4] + sink->classes[5] + sink->classes[0]);
    px_request_reply_text(request, 200, text);
}

int main(int argc, char **argv)
{
    struct sink sink = {.out = stdout};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_root, &sink) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    px_server_log(server, on_record, &sink);
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
