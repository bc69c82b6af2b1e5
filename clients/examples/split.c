/* split.c - the same program in one process or in several, as its arguments say; each domain is
 * confined, and its page tells what runs where. CC0, no rights reserved.
 *
 *     ./split 127.0.0.1:8080                     all in one
 *     ./split 127.0.0.1:8080 h1                  the reader of HTTP in a process without anything
 *     ./split 127.0.0.1:8080 h1 net:net & curl http://127.0.0.1:8080/     ... and sockets apart
 */
#include <plexus.h>
#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 8 };

/* SERVICE or SERVICE:SANDBOX, a domain of its own that is called like its service. */
static struct px_domain domain_of(char *argument, const char **service)
{
    char *sandbox = strchr(argument, ':');
    if (sandbox != NULL) {
        *sandbox++ = '\0';
    }
    *service = argument;
    return (struct px_domain){
        .name = argument, .services = service, .n_services = 1, .sandbox = sandbox};
}

static void on_root(struct px_request request, void *arg)
{
    char text[2048] = "";
    size_t len = 0;
    struct px_domain_figures domain;
    (void)arg;
    for (uint32_t i = 0; px_domain_look(request.system, i, &domain); i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%.31s: process %d, %.100s\n",
                                domain.name, domain.pid, domain.sandbox);
    }
    px_request_reply_text(request, 200, len > 0 ? text : "everything is in one process\n");
}

int main(int argc, char **argv)
{
    const char *services[PARTS_MAX];
    struct px_domain domains[PARTS_MAX];
    struct px_placement placement = {.domains = domains};
    for (int i = 2; i < argc && i - 2 < PARTS_MAX; i++, placement.n_domains++) {
        domains[i - 2] = domain_of(argv[i], &services[i - 2]);
    }
    const struct px_system_config config = {.placement =
                                                placement.n_domains > 0 ? &placement : NULL};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(&config, &system) != PX_EOK ||
        px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_root, NULL) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    fflush(stdout);
    return px_run(system) == PX_EOK ? 0 : 1;
}
