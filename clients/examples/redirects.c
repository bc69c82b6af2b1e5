/* redirects.c - redirects, fixed answers and error pages: rules, without a function. SIGHUP puts a
 * new set of routes in force; no request notices. CC0, no rights reserved.
 *
 *     ./redirects 127.0.0.1:8080 & curl -i http://127.0.0.1:8080/old/page?x=1
 */
#include <plexus.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char lost[] = "<!doctype html><h1>Nothing here</h1>\n";

/* A set of routes, made aside. NULL: no memory. */
static struct px_routes *routes_new(const char *greeting)
{
    static const struct px_header_rule secure[] = {
        {PX_HEADER_SET, "x-content-type-options", "nosniff"}};
    struct px_rules moved = {.status = 301, .redirect = "/new/{rest}{?query}"};
    struct px_rules gone = {.status = 410};
    struct px_rules text = {.text = greeting, .headers = secure, .n_headers = 1};
    struct px_routes *routes = NULL;
    if (px_routes_new(&routes) != PX_EOK ||
        px_routes_add(routes, "GET", "/old/*rest", NULL, NULL, &moved) != PX_EOK ||
        px_routes_add(routes, "*", "/gone", NULL, NULL, &gone) != PX_EOK ||
        px_routes_add(routes, "GET", "/", NULL, NULL, &text) != PX_EOK ||
        px_routes_error_page(routes, 404, "text/html", lost, sizeof lost - 1) != PX_EOK) {
        px_routes_free(routes);
        return NULL;
    }
    return routes;
}

static void on_hup(struct px_system *system, int fd, void *server)
{
    struct signalfd_siginfo info;
    struct px_routes *routes = routes_new("Hello again.\n");
    (void)system;
    if (read(fd, &info, sizeof info) > 0 && routes != NULL) {
        px_server_use(server, routes); /* requests under way end with the old ones */
    }
}

int main(int argc, char **argv)
{
    sigset_t hup;
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    sigemptyset(&hup), sigaddset(&hup, SIGHUP), sigprocmask(SIG_BLOCK, &hup, NULL);
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_system_watch(system, signalfd(-1, &hup, SFD_CLOEXEC), on_hup, server) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    px_server_use(server, routes_new("Hello.\n"));
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
