/* two_systems.c - two systems in one program, a thread each: they share nothing, what one tells the
 * other it posts. CC0, no rights reserved.
 *
 *     ./two_systems 127.0.0.1:8080 127.0.0.1:8081 & curl http://127.0.0.1:8080/ ... :8081/
 */
#include <plexus.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct half {
    const char *address;
    struct half *other;
    struct px_system *system;
    unsigned long heard; /* of the other; read and written in this half's thread alone */
};

static pthread_barrier_t made; /* both systems are */

static void on_news(void *half, const void *data, size_t len) /* in the thread it was posted to */
{
    (void)data, (void)len;
    ((struct half *)half)->heard++;
}

static void on_root(struct px_request request, void *arg)
{
    char text[64];
    struct half *half = arg;
    snprintf(text, sizeof text, "The other one was asked %lu times.\n", half->heard);
    enum px_err err = px_system_post(half->other->system, on_news, half->other, NULL, 0);
    px_request_reply_text(request, err == PX_EOK ? 200 : 503, text);
}

static void *serve(void *arg) /* a system belongs to the thread that made it */
{
    struct half *half = arg;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &half->system) != PX_EOK ||
        px_server_new(half->system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_root, half) != PX_EOK ||
        px_server_listen(server, half->address, NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(half->system));
        exit(1);
    }
    printf("listening on %s\n", px_server_address(server, 0));
    fflush(stdout);
    pthread_barrier_wait(&made);
    return px_run(half->system) == PX_EOK ? NULL : arg;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    struct half a = {.address = argc > 1 ? argv[1] : "127.0.0.1:8080"};
    struct half b = {.address = argc > 2 ? argv[2] : "127.0.0.1:8081", .other = &a};
    a.other = &b;
    return pthread_barrier_init(&made, NULL, 2) != 0 ||
           pthread_create(&thread, NULL, serve, &b) != 0 || serve(&a) != NULL;
}
