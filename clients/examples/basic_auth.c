/* basic_auth.c - a name and a password for what is below /private; who guesses is slowed down. Over
 * TLS or loopback only: passwords travel readable. CC0, no rights reserved.
 *
 *     htpasswd -nB ann >users; ./basic_auth 127.0.0.1:8080 users & curl -u ann
 * http://127.0.0.1:8080/private
 */
#include <plexus.h>
#include <stdio.h>

static void on_private(struct px_request request, void *arg)
{
    char text[256];
    (void)arg;
    snprintf(text, sizeof text, "Hello, %.*s.\n", PX_TEXT_ARG(px_request_user(request)));
    px_request_reply_text(request, 200, text);
}

static void on_public(struct px_request request, void *arg)
{
    (void)arg;
    px_request_reply_text(request, 200, "This is for everybody. /private is not.\n");
}

static enum px_err protect(struct px_system *system, struct px_server *server, const char *path)
{
    char users[65536]; /* lines "name:hash" */
    struct px_auth_config config = {.realm = "private", .users = users};
    struct px_rate_config guesses = {.requests = 10, .per_ms = 1000};
    struct px_rules rules = {.status = 0};
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        config.users_len = fread(users, 1, sizeof users, file);
        fclose(file);
    } /* without users nobody gets in */
    PX_TRY(px_auth_new(system, &config, &rules.auth));
    PX_TRY(px_rate_new(&guesses, &rules.rate));
    enum px_err err = px_server_route_with(server, "GET", "/private", on_private, NULL, &rules);
    px_auth_free(rules.auth); /* the route keeps both */
    px_rate_free(rules.rate);
    return err;
}

int main(int argc, char **argv)
{
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_public, NULL) != PX_EOK ||
        protect(system, server, argc > 2 ? argv[2] : "users") != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
