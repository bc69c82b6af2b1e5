/* unix_echo.c - streams over a unix socket: what comes in goes out again. A client that does not
 * read is not read from either. CC0, no rights reserved.
 *
 *     ./unix_echo unix:/tmp/echo & socat - UNIX-CONNECT:/tmp/echo
 */
#include <plexus.h>
#include <stdint.h>
#include <stdio.h>

static void on_drained(struct px_stream stream, void *arg)
{
    (void)arg;
    px_stream_settle(stream, SIZE_MAX); /* the echo of all that came is on its way: more may come */
}

static void on_data(struct px_stream stream, void *arg, const void *data, size_t len)
{
    if (px_stream_send(stream, data, len) == PX_SENT_OK) {
        on_drained(stream, arg); /* else it is kept, and `drained` comes when it has gone */
    }
}

static void on_fin(struct px_stream stream, void *arg)
{
    (void)arg;
    px_stream_close(stream);
}

static const struct px_stream_events events = {
    .data = on_data, .fin = on_fin, .drained = on_drained};

int main(int argc, char **argv)
{
    struct px_system *system = NULL;
    if (argc < 2 || px_system_new(NULL, &system) != PX_EOK ||
        px_stream_listen(system, argv[1], NULL, &events, NULL) != PX_EOK) {
        fprintf(stderr, "usage: unix_echo unix:PATH (%s)\n",
                argc < 2 ? "" : px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_stream_address(system));
    fflush(stdout);
    return px_run(system) == PX_EOK ? 0 : 1;
}
