/* serve.c - plexus serve: from the command line to a running server, and its end.
 */
#include "serve.h"
#include "placement_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {"--config", "FILE", "read FILE (YAML); 'plexus help configuration' lists every key"},
    {"--check", NULL, "only say whether the configuration is right"},
    {"--listen", "ADDR:PORT", "where to listen, up to 64 times [127.0.0.1:8080 and [::1]:8080]"},
    {"--root", "DIR", "serve the files below DIR [a page that explains itself]"},
    {"--placement", "FILE", "run services in processes of their own, as FILE says (YAML)"},
    {"--name", "NAME", "open a door NAME, for plexus ps, call, trace, top and other programs"},
    {"--log-level", "LEVEL", "error, warn, info or debug [info]"},
    {"--set", "KEY=VALUE", "set any key of the configuration, over the file"},
    {NULL, NULL, NULL},
};

static enum cli_exit failed(const char *what, const char *why)
{
    fprintf(stderr, "plexus serve: %s: %s\n", what, why);
    return CLI_EXIT_FAILED;
}

static void print_mistake(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

/* Mistakes of the configuration, if there are any. */
static enum cli_exit mistakes(const struct serve *serve)
{
    if (conf_n_errors(serve->conf) == 0) {
        return CLI_EXIT_OK;
    }
    conf_errors(serve->conf, print_mistake, NULL);
    return CLI_EXIT_USAGE;
}

/* ---- listening ---- */

static enum cli_exit listen_failed(const struct serve *serve, const char *address, enum px_err err)
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
    } else {
        return failed("listen", px_system_error(serve->system));
    }
    return CLI_EXIT_FAILED;
}

static enum cli_exit listen_all(struct serve *serve)
{
    static const struct listeners none;
    const struct conf_node *root = conf_root(serve->conf);
    struct listeners wanted;
    uint32_t wrong = 0;
    listeners_wanted(root, serve->notify.n_sockets, &wanted);
    enum px_err err = listeners_open(serve->server, &none, &wanted, &serve->listeners, &wrong);
    bool is_extra = listeners_are_default(root, serve->notify.n_sockets) && wrong == 1;
    if (err != PX_EOK && err != PX_EEXIST && is_extra) {
        log_event(&serve->logs, SERVE_WARN, "not_listening", "why", px_system_error(serve->system),
                  NULL);
        wanted.n = 1;
        err = listeners_open(serve->server, &none, &wanted, &serve->listeners, &wrong);
    }
    return err == PX_EOK ? CLI_EXIT_OK : listen_failed(serve, wanted.list[wrong].address, err);
}

static void log_where(struct serve *serve)
{
    for (uint32_t i = 0; i < serve->listeners.n; i++) {
        log_event(&serve->logs, SERVE_INFO, "listening", "address",
                  px_server_address(serve->server, serve->listeners.list[i].index), NULL);
    }
}

static void print_where(const struct serve *serve)
{
    const char *root = conf_text(conf_root(serve->conf), "root"), *address;
    bool is_demo = root == NULL && conf_get(conf_root(serve->conf), "routes") == NULL &&
                   conf_get(conf_root(serve->conf), "hosts") == NULL;
    printf("plexus %s serves %s at\n", PLEXUS_VERSION,
           is_demo        ? "a page that explains itself"
           : root == NULL ? serve->args.config
                          : root);
    for (uint32_t i = 0; (address = px_server_address(serve->server, i)) != NULL; i++) {
        bool is_unix = strncmp(address, "unix:", 5) == 0;
        printf("  %s%s%s\n", is_unix ? "" : "http://", address, is_unix ? "" : "/");
    }
    if (px_system_door_path(serve->system) != NULL) {
        printf("Its door is %s\n", px_system_door_path(serve->system));
    }
    address = px_server_address(serve->server, 0);
    if (strncmp(address, "unix:", 5) != 0) {
        printf("Try: curl -i http://%s/\n", address);
    }
    printf("Stop it with Ctrl-C or SIGTERM.\n");
    fflush(stdout);
}

/* ---- privileges ---- */

/* Asked before there are threads: who root will become, and whether that user could reload. */
static enum cli_exit find_user(struct serve *serve, struct identity *ret_who)
{
    const struct conf_node *root = conf_root(serve->conf), *user = conf_get(root, "user");
    const char *wrong = NULL;
    if (user == NULL && geteuid() == 0) {
        log_event(&serve->logs, SERVE_WARN, "running_as_root", "so", "say user:", NULL);
    }
    if (user == NULL || geteuid() != 0) {
        return CLI_EXIT_OK;
    }
    if (!identity_find(user->value, conf_text(root, "group"), ret_who, &wrong)) {
        conf_mistake(serve->conf, wrong == user->value ? user : conf_get(root, "group"),
                     "expected a user or group of this system, or a number, found '%s'", wrong);
        return mistakes(serve);
    }
    if (serve->args.config != NULL && !identity_can_read(ret_who, serve->args.config)) {
        log_event(&serve->logs, SERVE_WARN, "no_reload", "user", ret_who->name, "file",
                  serve->args.config, "why", "that user cannot read the file", NULL);
    }
    return CLI_EXIT_OK;
}

/* Addresses, folders, logs are open: now root is not needed any more. */
static enum cli_exit become_user(struct serve *serve, const struct identity *who)
{
    if (who->name[0] == '\0') {
        return CLI_EXIT_OK;
    }
    int err = serve->logs.access == NULL ? 0 : sink_give(serve->logs.access, who->uid, who->gid);
    err = err != 0 ? err : sink_give(serve->logs.service, who->uid, who->gid);
    err = err != 0 ? err : identity_become(who);
    if (err != 0) {
        return failed(who->name, strerror(err));
    }
    log_event(&serve->logs, SERVE_INFO, "root_given_up", "user", who->name, NULL);
    return CLI_EXIT_OK;
}

static void raise_descriptors(struct serve *serve)
{
    uint64_t before, now;
    char from[24], to[24];
    if (descriptors_raise(&before, &now)) {
        snprintf(from, sizeof from, "%llu", (unsigned long long)before);
        snprintf(to, sizeof to, "%llu", (unsigned long long)now);
        log_event(&serve->logs, SERVE_INFO, "descriptors_raised", "from", from, "to", to, NULL);
    }
}

/* ---- the command ---- */

/* Only whether it is right, if that is all that was asked: `*ret_file` stays NULL. */
static enum cli_exit placement_read(const struct serve *serve, struct placement_file **ret_file)
{
    struct placement_file *file =
        serve->args.placement == NULL
            ? NULL
            : placement_file_read(serve->args.placement, print_mistake, NULL);
    if (serve->args.placement != NULL && file == NULL) {
        return CLI_EXIT_USAGE;
    }
    if (serve->args.check) {
        placement_file_free(file);
        return CLI_EXIT_OK;
    }
    *ret_file = file;
    return CLI_EXIT_OK;
}

static enum px_err system_make(struct serve *serve, const struct px_placement *placement)
{
    const struct conf_node *root = conf_root(serve->conf);
    struct px_system_config config = {
        .requests_max = conf_number32(root, "server.exchanges_max"),
        .files_open_max = conf_number32(root, "server.files_open_max"),
        .log = log_kernel,
        .log_arg = &serve->logs,
        .placement = placement,
    };
    struct px_server_config limits;
    serve_server_config(root, &limits);
    PX_TRY(px_system_new(&config, &serve->system));
    PX_TRY(px_server_new(serve->system, &limits, &serve->server));
    if (!serve->args.check) {
        PX_TRY(serve_door(serve->system, conf_root(serve->conf)));
    }
    return px_system_start(serve->system);
}

static enum cli_exit assemble(struct serve *serve)
{
    struct placement_file *placement = NULL;
    enum cli_exit code = placement_read(serve, &placement);
    if (code != CLI_EXIT_OK) {
        return code;
    }
    enum px_err err = system_make(serve, placement == NULL ? NULL : placement_file_get(placement));
    placement_file_free(placement);
    if (err != PX_EOK) {
        bool is_told = serve->system != NULL && px_system_error(serve->system)[0] != '\0';
        return failed("start", is_told ? px_system_error(serve->system) : px_err_text(err));
    }
    serve->logs.system = serve->system;
    serve->site = site_new(serve->system, serve->conf, NULL);
    return serve->site == NULL ? mistakes(serve) : CLI_EXIT_OK;
}

static enum cli_exit open_all(struct serve *serve)
{
    struct identity who = {.name = ""};
    enum cli_exit code = find_user(serve, &who);
    if (code == CLI_EXIT_OK && !logs_build(&serve->logs, &serve->logs, serve->conf)) {
        code = mistakes(serve);
    }
    if (code == CLI_EXIT_OK) {
        raise_descriptors(serve);
        code = listen_all(serve);
    }
    return code == CLI_EXIT_OK ? become_user(serve, &who) : code;
}

static enum cli_exit run(struct serve *serve)
{
    char status[128];
    site_use(serve->site, serve->server);
    if (serve->logs.access != NULL) {
        px_server_log(serve->server, log_request, &serve->logs);
    }
    enum px_err err = serve_watch(serve);
    if (err == PX_EOK) {
        print_where(serve);
        log_where(serve);
        serve_status(serve, status);
        log_event(&serve->logs, SERVE_INFO, "ready", "version", PLEXUS_VERSION, "now", status,
                  NULL);
        notify_ready(&serve->notify, status);
    }
    while (err == PX_EOK && !serve->stopped) {
        err = px_run(serve->system);
        if (serve->wants_reload) {
            serve->wants_reload = false; /* what is asked for meanwhile is done afterwards */
            if (!serve->stopping) {
                serve_reload(serve);
            }
        }
    }
    if (err != PX_EOK) {
        return failed("run", px_err_text(err));
    }
    log_event(&serve->logs, SERVE_INFO, "stopped", "unfinished", serve->cut ? "yes" : "no", NULL);
    return serve->cut ? CLI_EXIT_CUT : CLI_EXIT_OK;
}

static enum cli_exit check(const struct serve *serve)
{
    printf("%s is right: %u route%s\n",
           serve->args.config == NULL ? "the configuration" : serve->args.config,
           site_n_routes(serve->site), site_n_routes(serve->site) == 1 ? "" : "s");
    return CLI_EXIT_OK;
}

static void free_all(struct serve *serve)
{
    site_free(serve->site); /* folders and users are the system's */
    px_system_free(serve->system);
    logs_free(&serve->logs);
    conf_free(serve->conf);
    notify_done(&serve->notify);
}

static enum cli_exit serve_with(struct serve *serve)
{
    serve->conf = serve_conf_read(&serve->args, &serve->logs);
    if (serve->conf == NULL) {
        return failed("start", px_err_text(PX_ENOMEM));
    }
    enum cli_exit code = mistakes(serve);
    if (code == CLI_EXIT_OK) {
        serve->logs.level = (enum serve_level)conf_number(conf_root(serve->conf), "log.level");
        code = assemble(serve);
    }
    if (code == CLI_EXIT_OK && serve->args.check) {
        return check(serve);
    }
    if (code == CLI_EXIT_OK) {
        code = open_all(serve);
    }
    return code == CLI_EXIT_OK ? run(serve) : code;
}

static enum cli_exit serve_run(int argc, char **argv)
{
    struct serve serve = {.logs = {.level = SERVE_INFO}};
    struct cli_args args = {.command = &cli_serve, .argc = argc, .argv = argv};
    serve.logs.owner = &serve.logs;
    serve.logs.journal = getenv("JOURNAL_STREAM") != NULL;
    if (!serve_args_read(&serve.args, &args)) {
        return args.exit;
    }
    serve_block_signals();
    notify_init(&serve.notify);
    enum cli_exit code = serve_with(&serve);
    free_all(&serve);
    return code;
}

void cli_print_configuration(void)
{
    serve_reference(stdout);
}

const struct cli_command cli_serve = {
    .name = "serve",
    .summary = "serve files, or a page that explains itself, over HTTP",
    .help =
        "usage: plexus serve [--config FILE] [--listen ADDR:PORT]... [--root DIR] [OPTION]...\n\n"
        "Serves what FILE says (plexus help configuration), or the files below DIR: directories by "
        "their\nindex.html, types by name, names that start with a dot not at all; nothing outside "
        "DIR, whatever links\nlie there. Without either it serves a page that explains itself. "
        "ADDR "
        "is an IPv4 address, an IPv6\naddress in brackets, or unix:/path.\n\n"
        "Signals: SIGTERM and SIGINT let requests finish for up to 10 seconds (drain:), a second "
        "one "
        "does not\nwait. SIGHUP reads FILE again without disturbing connections; if it has a "
        "mistake, everything stays as\nit was. SIGUSR1 opens the log files again.\n\n"
        "Environment: PLEXUS_ and a key in capitals is that key (PLEXUS_SERVER_IDLE=10s); options "
        "win over it,\nand it wins over FILE.",
    .options = options,
    .run = serve_run,
};
