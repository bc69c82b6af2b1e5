/* serve.c - plexus serve: files below a directory, or the page that explains itself.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { LISTEN_MAX = 16, DRAIN_MS = 10000 };

static const struct cli_option options[] = {
    {"--listen", "ADDR:PORT", "where to listen, up to 16 times [127.0.0.1:8080 and [::1]:8080]"},
    {"--root", "DIR", "serve the files below DIR [a page that explains itself]"},
    {NULL, NULL, NULL},
};

struct serve {
    struct px_system *system;
    struct px_server *server;
    const char *listen[LISTEN_MAX];
    uint32_t n_listen;
    const char *root;
    bool stopping, cut;
};

static enum cli_exit failed(const char *what, const char *why)
{
    fprintf(stderr, "plexus serve: %s: %s\n", what, why);
    return CLI_EXIT_FAILED;
}

/* ---- the command line ---- */

static bool args_read(struct serve *serve, struct cli_args *args)
{
    const struct cli_option *option;
    const char *value;
    while (cli_next(args, &option, &value)) {
        if (option == &options[1]) {
            serve->root = value;
        } else if (serve->n_listen == LISTEN_MAX) {
            fprintf(stderr, "plexus serve: --listen may be given %d times at most\n", LISTEN_MAX);
            args->exit = CLI_EXIT_USAGE;
            break;
        } else {
            serve->listen[serve->n_listen++] = value;
        }
    }
    return args->exit == CLI_EXIT_OK;
}

/* ---- files ---- */

static enum cli_exit files_add(struct serve *serve)
{
    struct px_files_config config = {.directory = serve->root, .precompressed = true};
    struct px_files *files = NULL;
    enum px_err err = px_files_new(serve->system, &config, &files);
    if (err != PX_EOK) {
        return failed("--root", px_system_error(serve->system));
    }
    err = px_server_route(serve->server, "GET", "/*path", px_files_serve, files);
    return err == PX_EOK ? CLI_EXIT_OK : failed("start", px_err_text(err));
}

/* ---- signals: they arrive as bytes, in the loop ---- */

static void stopped(struct px_system *system, bool drained, void *arg)
{
    struct serve *serve = arg;
    (void)system;
    serve->cut = !drained;
}

/* The first signal lets requests finish, a second one does not wait. */
static void on_signal(struct px_system *system, int fd, void *arg)
{
    struct serve *serve = arg;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != sizeof info) {
        return;
    }
    fprintf(stderr, serve->stopping
                        ? "plexus serve: stopping\n"
                        : "plexus serve: finishing what is under way (again to stop at once)\n");
    px_stop(system, serve->stopping ? 0 : PX_MS(DRAIN_MS), stopped, serve);
    serve->stopping = true;
}

static enum px_err signals_watch(struct serve *serve)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? PX_EIO : px_system_watch(serve->system, fd, on_signal, serve);
}

/* ---- listening ---- */

static enum cli_exit listen_failed(struct serve *serve, const char *address, enum px_err err)
{
    const char *colon = strrchr(address, ':');
    const char *port = colon == NULL ? "" : colon + 1;
    if (err == PX_EEXIST) {
        fprintf(stderr,
                "plexus serve: port %s is taken: another program listens on %s.\n"
                "Find it with: ss -ltnp 'sport = :%s'\n"
                "or choose another port: plexus serve --listen 127.0.0.1:0 takes any free one.\n",
                port, address, port);
    } else if (err == PX_EDENIED) {
        fprintf(stderr,
                "plexus serve: %s: permission denied. Ports below 1024 need a privilege:\n"
                "choose another one, or allow it: setcap cap_net_bind_service=+ep \"$(command -v "
                "plexus)\"\n",
                address);
    } else if (err == PX_EINVAL) {
        fprintf(stderr,
                "plexus serve: --listen %s: not an address. Examples: 127.0.0.1:8080 [::]:80 "
                "unix:/run/p\n",
                address);
        return CLI_EXIT_USAGE;
    } else {
        return failed("listen", px_system_error(serve->system));
    }
    return CLI_EXIT_FAILED;
}

static enum cli_exit listen_all(struct serve *serve)
{
    bool is_default = serve->n_listen == 0;
    if (is_default) {
        serve->listen[serve->n_listen++] = "127.0.0.1:8080";
        serve->listen[serve->n_listen++] = "[::1]:8080";
    }
    for (uint32_t i = 0; i < serve->n_listen; i++) {
        enum px_err err = px_server_listen(serve->server, serve->listen[i], NULL);
        bool is_extra = is_default && i > 0 && err != PX_EEXIST;
        if (err != PX_EOK && is_extra) {
            fprintf(stderr, "plexus serve: warning: not listening on %s\n",
                    px_system_error(serve->system));
        } else if (err != PX_EOK) {
            return listen_failed(serve, serve->listen[i], err);
        }
    }
    return CLI_EXIT_OK;
}

static void print_where(const struct serve *serve)
{
    const char *address;
    printf("plexus %s serves %s at\n", PLEXUS_VERSION,
           serve->root == NULL ? "a page that explains itself" : serve->root);
    for (uint32_t i = 0; (address = px_server_address(serve->server, i)) != NULL; i++) {
        bool is_unix = strncmp(address, "unix:", 5) == 0;
        printf("  %s%s%s\n", is_unix ? "" : "http://", address, is_unix ? "" : "/");
    }
    address = px_server_address(serve->server, 0);
    if (strncmp(address, "unix:", 5) != 0) {
        printf("Try: curl -i http://%s/\n", address);
    }
    printf("Stop it with Ctrl-C or SIGTERM.\n");
    fflush(stdout);
}

/* ---- the command ---- */

static enum cli_exit assemble(struct serve *serve)
{
    enum px_err err = px_system_new(NULL, &serve->system);
    if (err != PX_EOK) {
        return failed("start", px_err_text(err));
    }
    err = px_server_new(serve->system, NULL, &serve->server);
    if (err != PX_EOK) {
        return failed("start", px_err_text(err));
    }
    if (serve->root != NULL) {
        return files_add(serve);
    }
    err = demo_add(serve->system, serve->server);
    return err == PX_EOK ? CLI_EXIT_OK : failed("start", px_err_text(err));
}

static enum cli_exit run(struct serve *serve)
{
    enum px_err err = signals_watch(serve);
    if (err == PX_EOK) {
        print_where(serve);
        err = px_run(serve->system);
    }
    if (err != PX_EOK) {
        return failed("run", px_err_text(err));
    }
    return serve->cut ? CLI_EXIT_CUT : CLI_EXIT_OK;
}

static enum cli_exit serve_run(int argc, char **argv)
{
    struct serve serve = {.root = NULL};
    struct cli_args args = {.command = &cli_serve, .argc = argc, .argv = argv};
    if (!args_read(&serve, &args)) {
        return args.exit;
    }
    enum cli_exit code = assemble(&serve);
    if (code == CLI_EXIT_OK) {
        code = listen_all(&serve);
    }
    if (code == CLI_EXIT_OK) {
        code = run(&serve);
    }
    px_system_free(serve.system);
    return code;
}

const struct cli_command cli_serve = {
    .name = "serve",
    .summary = "serve files, or a page that explains itself, over HTTP",
    .help =
        "usage: plexus serve [--listen ADDR:PORT]... [--root DIR]\n\n"
        "Serves the files below DIR: directories by their index.html, types by name, names that "
        "start\n"
        "with a dot not at all; nothing outside DIR, whatever links lie there. Without --root it "
        "serves\n"
        "a page that explains itself. ADDR is an IPv4 address, an IPv6 address in brackets, or\n"
        "unix:/path. SIGTERM and SIGINT let requests finish for up to 10 seconds.",
    .options = options,
    .run = serve_run,
};
