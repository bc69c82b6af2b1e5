/* many_routes.c - routes from a table, and ten thousand made by a loop: how many there are does not
 * matter to a request. CC0, no rights reserved.
 *
 *     ./many_routes 127.0.0.1:8080 & curl http://127.0.0.1:8080/book/9999/page/7
 */
#include <plexus.h>
#include <stdio.h>

enum { BOOKS = 10000 };

static void on_book(struct px_request request, void *arg)
{
    const int *book = arg;
    char text[128];
    snprintf(text, sizeof text, "book %d, page %.*s\n", *book,
             PX_TEXT_ARG(px_request_param(request, "page")));
    px_request_reply_text(request, 200, text);
}

static void on_text(struct px_request request, void *arg)
{
    px_request_reply_text(request, 200, arg);
}

static struct {
    const char *pattern;
    char text[40];
} table[] = {
    {"/", "Books 0 to 9999: /book/N/page/P\n"},
    {"/book/:any", "Which page?\n"},
    {"/book/7/page/1", "The most specific pattern wins.\n"},
};

static enum px_err add_all(struct px_server *server)
{
    static int books[BOOKS];
    char pattern[64];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        PX_TRY(px_server_route(server, "GET", table[i].pattern, on_text, table[i].text));
    }
    for (int i = 0; i < BOOKS; i++) {
        books[i] = i;
        snprintf(pattern, sizeof pattern, "/book/%d/page/:page", i); /* copied */
        PX_TRY(px_server_route(server, "GET", pattern, on_book, &books[i]));
    }
    return PX_EOK;
}

int main(int argc, char **argv)
{
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        add_all(server) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
