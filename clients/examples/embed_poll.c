/* embed_poll.c - Plexus inside a poll loop that is yours: standard input and the network, one
 * thread. What you type becomes the page; an empty line or the end of input stops the server. CC0,
 * no rights reserved.
 */
#include <plexus.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_page(struct px_request request, void *arg)
{
    px_request_reply_text(request, 200, arg);
}

/* poll counts in milliseconds: round up, so as not to wake up early for nothing. */
static int timeout_ms(uint64_t us)
{
    return us >= 60000000 ? 60000 : (int)((us + 999) / 1000);
}

int main(int argc, char **argv)
{
    char page[256] = "Nothing was typed yet.\n", line[256];
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_page, page) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    fflush(stdout);

    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = px_system_fd(system), .events = POLLIN}};
    while (px_dispatch(system)) {
        if (poll(fds, 2, timeout_ms(px_next_deadline_us(system))) < 0) {
            return 1;
        }
        if (fds[0].revents != 0) {
            ssize_t len = read(STDIN_FILENO, line, sizeof line - 1);
            line[len > 0 ? len : 0] = '\0';
            if (len <= 1) {
                fds[0].fd = -1; /* poll skips it */
                px_stop(system, PX_SEC(5), NULL, NULL);
            }
            strcpy(page, line);
        }
    }
    px_system_free(system);
    return 0;
}
