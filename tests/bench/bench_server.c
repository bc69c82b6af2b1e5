/* bench_server.c - the server under test of side-by-side benchmarks: the shipped configuration
 * through the public API. Trace ring, assertions, capabilities, timers, Date and strict parsing are
 * on, as they always are; what is raised are limits, printed at start, so that a run is measured
 * and not cut short.
 *
 *     bench_server PORT TLSPORT CERT KEY ROOT [PLACEMENT]
 *
 * GET / is answered by a handler with 13 bytes of text/plain; files of ROOT are below /f/. SIGUSR1
 * prints requests, deliveries and allocations so far, one line; SIGTERM and SIGINT the same, then
 * the end. PLACEMENT is a file as for `plexus serve --placement`: h1-lane-c.yaml, app-lane-c.yaml;
 * its processes run the px-domain of the same build.
 */
#include <inttypes.h>
#include <plexus.h>
#include <px/kernel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "placement_file.h"

struct bench {
    struct px_system *system;
    struct px_server *server;
    struct px_ready *hello;
    struct px_files *files;
    uint64_t requests;
};

static const struct px_server_config limits = {
    .requests_max = 2000000000,
    .connections_max = 60000,
    .connections_peer_max = 60000,
    .idle_ms = 600000,
};

static void print_limits(void)
{
    printf("raised: requests per connection %" PRIu32 ", connections in all %" PRIu32
           ", per peer %" PRIu32 ", keep-alive idle %" PRIu32 " s\n",
           limits.requests_max, limits.connections_max, limits.connections_peer_max,
           limits.idle_ms / 1000);
}

static void on_hello(struct px_request request, void *arg)
{
    struct bench *bench = arg;
    bench->requests++;
    px_request_reply_ready(request, bench->hello);
}

static void on_file(struct px_request request, void *arg)
{
    struct bench *bench = arg;
    bench->requests++;
    px_files_serve(request, bench->files);
}

/* ---- signals ---- */

static void figures_print(const struct bench *bench)
{
    struct px_ledger ledger;
    px_system_ledger(bench->system, &ledger);
    printf("requests %" PRIu64 " deliveries %" PRIu64 " per_request %.2f allocs %" PRIu64
           " mem %" PRIu64 " lost %" PRIu64 " elems %" PRIu32 "\n",
           bench->requests, ledger.deliveries,
           bench->requests == 0 ? 0 : (double)ledger.deliveries / (double)bench->requests,
           ledger.allocs, ledger.mem, ledger.lost, ledger.elems);
    fflush(stdout);
}

static void on_signal(struct px_system *system, int fd, void *arg)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != sizeof info) {
        return;
    }
    figures_print(arg);
    if (info.ssi_signo != SIGUSR1) {
        px_stop(system, PX_SEC(1), NULL, NULL);
    }
}

static enum px_err signals_watch(struct bench *bench)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? PX_EIO : px_system_watch(bench->system, fd, on_signal, bench);
}

/* ---- */

static void print_mistake(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "bench_server: %s\n", line);
}

static enum px_err assemble(struct bench *bench, const char *port, const char *root,
                            const struct px_placement *placement)
{
    char address[32];
    struct px_reply hello = {.content_type = "text/plain", .body = "Hello, World!", .body_len = 13};
    struct px_files_config files = {.directory = root, .precompressed = true};
    struct px_system_config config = {.placement = placement};
    PX_TRY(px_system_new(&config, &bench->system));
    PX_TRY(px_server_new(bench->system, &limits, &bench->server));
    PX_TRY(px_files_new(bench->system, &files, &bench->files));
    PX_TRY(px_server_route(bench->server, "GET", "/", on_hello, bench));
    PX_TRY(px_server_route(bench->server, "GET", "/f/*path", on_file, bench));
    PX_TRY(signals_watch(bench));
    PX_TRY(px_ready_new(bench->system, &hello, &bench->hello));
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    return px_server_listen(bench->server, address, NULL);
}

int main(int argc, char **argv)
{
    struct bench bench = {.requests = 0};
    if (argc < 6 || argc > 7) {
        fprintf(stderr, "usage: bench_server PORT TLSPORT CERT KEY ROOT [PLACEMENT]\n");
        return 2;
    }
    struct placement_file *file = NULL;
    if (argc == 7) {
        setenv("PX_DOMAIN", PX_DOMAIN_BUILT, 0);
        file = placement_file_read(argv[6], print_mistake, NULL);
        if (file == NULL) {
            return 1;
        }
    }
    enum px_err err =
        assemble(&bench, argv[1], argv[5], file == NULL ? NULL : placement_file_get(file));
    if (err != PX_EOK) {
        fprintf(stderr, "bench_server: %s: %s\n", px_err_text(err),
                bench.system == NULL ? argv[5] : px_system_error(bench.system));
        return 1;
    }
    fprintf(stderr, "bench_server: nothing listens on TLS port %s: there is no tls service yet\n",
            argv[2]);
    print_limits();
    printf("listening on %s\n", px_server_address(bench.server, 0));
    fflush(stdout);
    err = px_run(bench.system);
    px_system_free(bench.system);
    placement_file_free(file);
    return err == PX_EOK ? 0 : 1;
}
