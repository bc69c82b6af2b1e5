/* serve_config.c - what the command line, the environment and the file say, as one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

/* ---- the command line ---- */

static bool too_many(struct cli_args *cli, const char *option)
{
    fprintf(stderr, "plexus serve: %s is given too often\n", option);
    cli->exit = CLI_EXIT_USAGE;
    return false;
}

static bool set_add(struct serve_args *args, struct cli_args *cli, const char *option,
                    const char *key, const char *value)
{
    if (args->n_sets == SETS_MAX) {
        return too_many(cli, option);
    }
    args->sets[args->n_sets].option = option;
    args->sets[args->n_sets].key = key;
    args->sets[args->n_sets].value = value;
    args->n_sets++;
    return true;
}

static bool listen_add(struct serve_args *args, struct cli_args *cli, const char *value)
{
    size_t len = strlen(args->listen);
    int n =
        snprintf(args->listen + len, sizeof args->listen - len, "%s%s", len == 0 ? "" : ",", value);
    return (size_t)n < sizeof args->listen - len || too_many(cli, "--listen");
}

/* "server.idle=10s": the key goes up to the first '='. */
static bool pair_add(struct serve_args *args, struct cli_args *cli, char *pair)
{
    char *equals = strchr(pair, '=');
    if (equals == NULL) {
        fprintf(stderr, "plexus serve: --set needs KEY=VALUE, found '%s'\n", pair);
        cli->exit = CLI_EXIT_USAGE;
        return false;
    }
    *equals = '\0'; /* of argv, which is ours */
    return set_add(args, cli, "--set", pair, equals + 1);
}

static bool option_take(struct serve_args *args, struct cli_args *cli, const char *name,
                        const char *value)
{
    if (strcmp(name, "--config") == 0) {
        args->config = value;
    } else if (strcmp(name, "--placement") == 0) {
        args->placement = value;
    } else if (strcmp(name, "--check") == 0) {
        args->check = true;
    } else if (strcmp(name, "--listen") == 0) {
        return listen_add(args, cli, value);
    } else if (strcmp(name, "--root") == 0) {
        return set_add(args, cli, "--root", "root", value);
    } else if (strcmp(name, "--name") == 0) {
        return set_add(args, cli, "--name", "door.name", value);
    } else if (strcmp(name, "--log-level") == 0) {
        return set_add(args, cli, "--log-level", "log.level", value);
    } else {
        return pair_add(args, cli, cli->argv[cli->at - 1] + (value - cli->argv[cli->at - 1]));
    }
    return true;
}

bool serve_args_read(struct serve_args *args, struct cli_args *cli)
{
    const struct cli_option *option;
    const char *value;
    while (cli_next(cli, &option, &value)) {
        if (!option_take(args, cli, option->name, value)) {
            break;
        }
    }
    return cli->exit == CLI_EXIT_OK;
}

/* ---- all three ---- */

static void unknown_variable(void *arg, const char *variable, const char *nearest)
{
    log_event(arg, SERVE_WARN, "unknown_variable", "name", variable, "nearest", nearest, NULL);
}

struct conf *serve_conf_read(const struct serve_args *args, struct logs *logs)
{
    struct conf *conf = conf_new(serve_schema);
    if (conf == NULL) {
        return NULL;
    }
    bool ok = args->config == NULL || conf_read(conf, args->config);
    ok = conf_environment(conf, "PLEXUS_", environ, unknown_variable, logs) && ok;
    for (uint32_t i = 0; i < args->n_sets; i++) {
        ok = conf_set(conf, args->sets[i].option, args->sets[i].key, args->sets[i].value) && ok;
    }
    if (args->listen[0] != '\0') {
        ok = conf_set(conf, "--listen", "listen", args->listen) && ok;
    }
    (void)conf_end(conf);
    return conf;
}

void serve_server_config(const struct conf_node *root, struct px_server_config *ret_config)
{
    const struct conf_node *server = conf_get(root, "server");
    const struct conf_node *body_max = conf_get(server, "body_max");
    *ret_config = (struct px_server_config){
        .connections_max = conf_number32(server, "connections_max"),
        .connections_peer_max = conf_number32(server, "connections_peer_max"),
        .requests_max = conf_number32(server, "requests_max"),
        .idle_ms = conf_number32(server, "idle"),
        .head_ms = conf_number32(server, "head"),
        .write_ms = conf_number32(server, "write"),
        .body_rate_min = conf_number32(server, "body_rate_min"),
        .body_max = body_max == NULL ? 0 : body_max->number,
        .request_line_max = conf_number32(server, "request_line_max"),
        .header_line_max = conf_number32(server, "header_line_max"),
        .headers_len_max = conf_number32(server, "headers_len_max"),
        .headers_max = conf_number32(server, "headers_max"),
        .pipeline_max = conf_number32(server, "pipeline_max"),
        .send_queue_max = conf_number32(server, "send_queue_max"),
        .server_name = conf_text(server, "name"),
    };
}

/* ---- what a reload cannot change ---- */

static void tell_map(struct logs *logs, const struct conf_key *keys, const struct conf_node *before,
                     const struct conf_node *now)
{
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        const struct conf_node *old = conf_get(before, key->name), *new = conf_get(now, key->name);
        if (key->kind == CONF_MAP && old != NULL && new != NULL) {
            tell_map(logs, key->keys, old, new);
        } else if ((key->flags & CONF_RESTART) != 0 && !conf_same(old, new)) {
            char path[CONF_PATH_MAX] = "", place[CONF_PATH_MAX];
            conf_path(new == NULL ? old : new, path);
            conf_place(new == NULL ? now : new, place);
            log_event(logs, SERVE_WARN, "needs_restart", "key", path, "place", place, NULL);
        }
    }
}

void serve_tell_restart(struct logs *logs, const struct conf_node *before,
                        const struct conf_node *now)
{
    tell_map(logs, serve_schema, before, now);
}
