/* recover.c - kill and recover: HTTP is read in a process of its own, which POST /kill ends with
 * SIGKILL. Its successor takes over; connections at rest live on. CC0, no rights reserved.
 *
 *     ./recover 127.0.0.1:8080 &
 *     curl -d '' http://127.0.0.1:8080/kill http://127.0.0.1:8080/ && curl http://127.0.0.1:8080/
 */
#include <plexus.h>
#include <signal.h>
#include <stdio.h>

enum { KILL_IN_US = 20000 }; /* so that the answer is out */

static void on_time(struct px_timer *timer, void *arg)
{
    struct px_domain_figures domain;
    (void)arg;
    if (px_domain_look(timer->system, 0, &domain) && domain.pid > 0) {
        kill(domain.pid, SIGKILL);
    }
}

static void on_kill(struct px_request request, void *arg)
{
    enum px_err err = px_timer_set(request.system, arg, KILL_IN_US, on_time, NULL);
    px_request_reply_text(request, err == PX_EOK ? 202 : 503, "Watch it come back.\n");
}

static void on_root(struct px_request request, void *arg)
{
    char text[256] = "No domain.\n";
    struct px_domain_figures domain;
    (void)arg;
    if (px_domain_look(request.system, 0, &domain)) {
        snprintf(text, sizeof text, "Process %d, number %u so far%s%s.\n", domain.pid,
                 domain.starts, domain.why[0] != '\0' ? "; the last one: " : "", domain.why);
    }
    px_request_reply_text(request, 200, text);
}

int main(int argc, char **argv)
{
    const char *const services[] = {"h1"};
    const struct px_domain domain = {.name = "web", .services = services, .n_services = 1};
    const struct px_placement placement = {.domains = &domain, .n_domains = 1};
    struct px_timer timer = {0};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(&(struct px_system_config){.placement = &placement}, &system) != PX_EOK ||
        px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_root, NULL) != PX_EOK ||
        px_server_route(server, "POST", "/kill", on_kill, &timer) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    fflush(stdout);
    return px_run(system) == PX_EOK ? 0 : 1;
}
