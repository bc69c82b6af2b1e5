/* rules_server.c - a server with one route for each rule, for rules.py.
 *
 *     rules_server USERS LOG
 *
 * USERS: a file of htpasswd. LOG: "log" prints a line for each exchange, "count" counts them,
 * "none" has no log. SIGUSR1 puts another set of routes in force and says so; SIGUSR2 prints
 * requests, records and allocations so far; SIGTERM: health says 503, and half a second later
 * listening ends; what is under way may finish, for 5 s.
 */
#include <inttypes.h>
#include <plexus.h>
#include <px/kernel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct rig {
    struct px_system *system;
    struct px_server *server;
    struct px_auth *auth;
    struct px_rate *rate;
    char users[65536];
    struct px_timer stop;
    bool prints;
    uint32_t n_sets, n_freed;
    uint64_t n_requests, n_records;
};

static void on_hello(struct px_request request, void *arg)
{
    struct rig *rig = arg;
    rig->n_requests++;
    px_request_reply_text(request, 200, "Hello, World!\n");
}

static void on_user(struct px_request request, void *arg)
{
    struct px_text user = px_request_user(request);
    struct px_reply reply = {.content_type = "text/plain", .body = user.ptr, .body_len = user.len};
    (void)arg;
    px_request_reply(request, &reply);
}

static void on_collected(struct px_request request, void *arg, const void *data, size_t len)
{
    char text[32];
    (void)arg, (void)data;
    snprintf(text, sizeof text, "%zu bytes\n", len);
    px_request_reply_text(request, 200, text);
}

static void on_upload(struct px_request request, void *arg)
{
    (void)arg;
    (void)px_request_collect(request, 1 << 20, on_collected, NULL);
}

static void on_never(struct px_request request, void *arg)
{
    (void)request, (void)arg; /* never answered */
}

/* Half a second later, out of a set that may be gone by then. */
struct slow {
    struct px_timer timer;
    struct px_request request;
};

static void slow_answer(struct px_timer *timer, void *arg)
{
    struct slow *slow = arg;
    char text[64];
    (void)timer;
    snprintf(text, sizeof text, "%.*s\n", PX_TEXT_ARG(px_request_param(slow->request, "name")));
    px_request_reply_text(slow->request, 200, text);
    free(slow);
}

static void on_slow(struct px_request request, void *arg)
{
    struct rig *rig = arg;
    struct slow *slow = calloc(1, sizeof *slow);
    if (slow != NULL) {
        slow->request = request;
        (void)px_timer_set(rig->system, &slow->timer, PX_MS(500), slow_answer, slow);
    }
}

/* ---- routes ---- */

static void set_freed(void *arg)
{
    struct rig *rig = arg;
    rig->n_freed++;
}

static enum px_err ruled(struct px_routes *routes, const char *method, const char *pattern,
                         px_route_fn fn, struct rig *rig, struct px_rules rules)
{
    return px_routes_add(routes, method, pattern, fn, rig, &rules);
}

static enum px_err set_fill(struct rig *rig, struct px_routes *routes)
{
    static const char *const origins[] = {"http://page.example"};
    static const struct px_cors cors = {
        .origins = origins, .n_origins = 1, .headers = "x-token", .max_age_s = 60};
    static const struct px_header_rule headers[] = {
        {PX_HEADER_SET, "x-frame-options", "DENY"},
        {PX_HEADER_REMOVE, "content-type", NULL},
    };
    struct px_routes *other = NULL;
    char version[32];
    snprintf(version, sizeof version, "%" PRIu32 "\n", rig->n_sets);
    PX_TRY(px_routes_add(routes, "GET", "/", on_hello, rig, NULL));
    PX_TRY(px_routes_add(routes, "GET", "/slow/:name", on_slow, rig, NULL));
    PX_TRY(px_routes_add(routes, "GET", "/health", px_health, NULL, NULL));
    PX_TRY(px_routes_error_page(routes, 404, "text/html", "<h1>Lost</h1>\n", 14));
    PX_TRY(ruled(routes, "GET", "/version", NULL, NULL, (struct px_rules){.text = version}));
    PX_TRY(ruled(routes, "GET", "/old/*rest", NULL, NULL,
                 (struct px_rules){.redirect = "/new/{rest}{?query}", .status = 308}));
    PX_TRY(ruled(routes, "GET", "/private", on_user, rig, (struct px_rules){.auth = rig->auth}));
    PX_TRY(ruled(routes, "PUT", "/cors", on_hello, rig, (struct px_rules){.cors = &cors}));
    PX_TRY(ruled(routes, "GET", "/rate", on_hello, rig, (struct px_rules){.rate = rig->rate}));
    PX_TRY(ruled(routes, "*", "/upload", on_upload, rig,
                 (struct px_rules){.body_max = 1000, .body_ms = 1000}));
    PX_TRY(ruled(routes, "GET", "/never", on_never, rig, (struct px_rules){.answer_ms = 200}));
    PX_TRY(ruled(routes, "GET", "/fields", on_hello, rig,
                 (struct px_rules){.headers = headers, .n_headers = 2}));
    PX_TRY(px_routes_host(routes, "*.other.example", &other));
    return ruled(other, "GET", "/", NULL, NULL, (struct px_rules){.text = "other\n"});
}

static enum px_err set_use(struct rig *rig)
{
    struct px_routes *routes = NULL;
    rig->n_sets++;
    PX_TRY(px_routes_new(&routes));
    px_routes_on_freed(routes, set_freed, rig);
    enum px_err err = set_fill(rig, routes);
    if (err != PX_EOK) {
        px_routes_free(routes);
        return err;
    }
    px_server_use(rig->server, routes);
    return PX_EOK;
}

/* ---- the log ---- */

static void on_record(const struct px_log_record *record, void *arg)
{
    struct rig *rig = arg;
    rig->n_records++;
    if (rig->prints) {
        printf("%.*s %.*s \"%.*s %.*s\" %" PRIu32 " %" PRIu64 " \"%.*s\" %d\n",
               PX_TEXT_ARG(record->remote), PX_TEXT_ARG(record->user), PX_TEXT_ARG(record->method),
               PX_TEXT_ARG(record->target), record->status, record->body_len,
               PX_TEXT_ARG(record->agent), (int)record->ended);
        fflush(stdout);
    }
}

static void drained(struct px_timer *timer, void *arg)
{
    const struct rig *rig = arg;
    (void)timer;
    px_stop(rig->system, PX_SEC(5), NULL, NULL);
}

static void on_signal(struct px_system *system, int fd, void *arg)
{
    struct rig *rig = arg;
    struct signalfd_siginfo info;
    struct px_ledger ledger;
    if (read(fd, &info, sizeof info) != sizeof info) {
        return;
    }
    if (info.ssi_signo == SIGUSR1) {
        bool good = set_use(rig) == PX_EOK;
        printf("set %" PRIu32 " %s, %" PRIu32 " freed\n", rig->n_sets, good ? "in force" : "bad",
               rig->n_freed);
    } else if (info.ssi_signo == SIGUSR2) {
        px_system_ledger(system, &ledger);
        printf("requests %" PRIu64 " records %" PRIu64 " allocs %" PRIu64 " freed %" PRIu32 "\n",
               rig->n_requests, rig->n_records, ledger.allocs, rig->n_freed);
    } else {
        px_server_drain(rig->server);
        (void)px_timer_set(system, &rig->stop, PX_MS(500), drained, rig);
    }
    fflush(stdout);
}

static enum px_err signals_watch(struct rig *rig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? PX_EIO : px_system_watch(rig->system, fd, on_signal, rig);
}

/* ---- */

static enum px_err assemble(struct rig *rig, const char *users, const char *log)
{
    struct px_auth_config auth = {.users = rig->users, .pending_max = 4};
    struct px_rate_config rate = {.requests = 1, .per_ms = 60000, .burst = 3};
    struct px_server_config limits = {.requests_max = 1000000};
    struct px_listen few = {.connections_peer_max = 2};
    FILE *file = fopen(users, "r");
    if (file == NULL) {
        return PX_ENOENT;
    }
    auth.users_len = fread(rig->users, 1, sizeof rig->users, file);
    fclose(file);
    PX_TRY(px_system_new(NULL, &rig->system));
    PX_TRY(px_server_new(rig->system, &limits, &rig->server));
    PX_TRY(px_auth_new(rig->system, &auth, &rig->auth));
    PX_TRY(px_rate_new(&rate, &rig->rate));
    PX_TRY(set_use(rig));
    PX_TRY(signals_watch(rig));
    rig->prints = strcmp(log, "log") == 0;
    if (strcmp(log, "none") != 0) {
        px_server_log(rig->server, on_record, rig);
    }
    PX_TRY(px_server_listen(rig->server, "127.0.0.1:0", NULL));
    return px_server_listen(rig->server, "127.0.0.1:0", &few);
}

int main(int argc, char **argv)
{
    static struct rig rig;
    if (argc != 3) {
        fprintf(stderr, "usage: rules_server USERS LOG\n");
        return 2;
    }
    enum px_err err = assemble(&rig, argv[1], argv[2]);
    if (err != PX_EOK) {
        fprintf(stderr, "rules_server: %s: %s\n", px_err_text(err),
                rig.system == NULL ? argv[1] : px_system_error(rig.system));
        return 1;
    }
    printf("few at %s\n", px_server_address(rig.server, 1));
    printf("listening on %s\n", px_server_address(rig.server, 0));
    fflush(stdout);
    err = px_run(rig.system);
    px_auth_free(rig.auth);
    px_rate_free(rig.rate);
    px_system_free(rig.system);
    return err == PX_EOK ? 0 : 1;
}
