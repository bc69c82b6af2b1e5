/* serve_reload.c - while it runs: signals, reading the configuration again, the watchdog.
 *
 * A reload builds everything aside: the tree, the routes with their folders, the logs, the new
 * addresses. Only when all of that stands is it put in force; until then a mistake leaves no trace.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "placement_file.h"
#include "serve.h"

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

void serve_status(const struct serve *serve, char ret_text[128])
{
    uint32_t routes = site_n_routes(serve->site);
    snprintf(ret_text, 128, "serving %" PRIu32 " route%s at %" PRIu32 " address%s", routes,
             routes == 1 ? "" : "s", serve->listeners.n, serve->listeners.n == 1 ? "" : "es");
}

/* ---- reloading ---- */

/* What is built aside. */
struct next {
    struct placement_file *placement; /* NULL: none was given */
    struct conf *conf;
    struct site *site;
    struct logs logs;
    struct listeners wanted, all;
};

static void mistake(void *logs, const char *line)
{
    log_event(logs, SERVE_ERROR, "mistake", "at", line, NULL);
}

static void next_drop(struct serve *serve, struct next *next)
{
    logs_leave(&next->logs, &serve->logs);
    site_free(next->site);
    conf_free(next->conf);
    placement_file_free(next->placement);
}

/* Everything but the addresses. */
static bool next_build(struct serve *serve, struct next *next)
{
    if (serve->args.placement != NULL) {
        next->placement = placement_file_read(serve->args.placement, mistake, &serve->logs);
        if (next->placement == NULL) {
            return false;
        }
    }
    next->conf = serve_conf_read(&serve->args, &serve->logs);
    if (next->conf == NULL || conf_n_errors(next->conf) > 0) {
        return false;
    }
    next->site = site_new(serve->system, next->conf, serve->site);
    return next->site != NULL && logs_build(&next->logs, &serve->logs, next->conf);
}

static const struct conf_node *entry_at(const struct conf *conf, uint32_t i)
{
    const struct conf_node *n = conf_get(conf_root(conf), "listen");
    n = n == NULL ? NULL : n->first;
    while (n != NULL && i-- > 0) {
        n = n->next;
    }
    return n == NULL ? conf_root(conf) : n;
}

static bool next_listen(struct serve *serve, struct next *next)
{
    uint32_t failed = 0;
    listeners_wanted(conf_root(next->conf), serve->notify.n_sockets, &next->wanted);
    enum px_err err =
        listeners_open(serve->server, &serve->listeners, &next->wanted, &next->all, &failed);
    if (err != PX_EOK) {
        conf_mistake(next->conf, entry_at(next->conf, failed), "%s",
                     px_system_error(serve->system));
    }
    return err == PX_EOK;
}

/* From here on nothing can fail. */
static void next_use(struct serve *serve, struct next *next)
{
    struct logs before = serve->logs;
    struct site *old_site = serve->site;
    serve_tell_restart(&serve->logs, conf_root(serve->conf), conf_root(next->conf));
    site_use(next->site, serve->server);
    serve->logs = next->logs;
    logs_leave(&before, &serve->logs);
    px_server_log(serve->server, serve->logs.access == NULL ? NULL : log_request, &serve->logs);
    for (uint32_t i = 0; i < next->all.n; i++) {
        if (!listeners_have(&serve->listeners, next->all.list[i].address)) {
            log_event(&serve->logs, SERVE_INFO, "listening", "address",
                      px_server_address(serve->server, next->all.list[i].index), NULL);
        }
    }
    listeners_close(serve->server, &serve->listeners, &next->wanted, &serve->logs);
    serve->listeners = next->all;
    serve->site = next->site;
    site_free(old_site);
    conf_free(serve->conf);
    serve->conf = next->conf;
}

static void on_placed(struct px_system *system, const char *why, void *arg)
{
    struct serve *serve = arg;
    (void)system;
    if (why == NULL) {
        log_event(&serve->logs, SERVE_INFO, "placed", "file", serve->args.placement, NULL);
    } else {
        log_event(&serve->logs, SERVE_ERROR, "not_placed", "file", serve->args.placement, "why",
                  why, "so", "the old placement stays", NULL);
    }
}

/* New domains are started beside the old ones; on_placed hears when they serve. */
static void next_place(struct serve *serve, struct next *next)
{
    if (next->placement == NULL) {
        return;
    }
    enum px_err err =
        px_system_place(serve->system, placement_file_get(next->placement), on_placed, serve);
    placement_file_free(next->placement);
    next->placement = NULL;
    if (err != PX_EOK) {
        const char *why = px_system_error(serve->system);
        on_placed(serve->system, why[0] != '\0' ? why : px_err_text(err), serve);
    }
}

static uint64_t monotonic_us(void)
{
    struct timespec ts = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void serve_reload(struct serve *serve)
{
    struct next next = {.conf = NULL};
    char status[128], why[192], took[24];
    uint64_t began_us = monotonic_us();
    notify_reloading(&serve->notify);
    log_event(&serve->logs, SERVE_INFO, "reloading", "file",
              serve->args.config == NULL ? "none" : serve->args.config, NULL);
    if (next_build(serve, &next) && next_listen(serve, &next)) {
        next_use(serve, &next);
        next_place(serve, &next);
        serve_status(serve, status);
        snprintf(took, sizeof took, "%" PRIu64, monotonic_us() - began_us);
        log_event(&serve->logs, SERVE_INFO, "reloaded", "now", status, "took_us", took, NULL);
        notify_ready(&serve->notify, status);
        return;
    }
    if (next.conf != NULL) {
        conf_errors(next.conf, mistake, &serve->logs);
    }
    log_event(&serve->logs, SERVE_ERROR, "not_reloaded", "so", "the old configuration stays", NULL);
    next_drop(serve, &next);
    serve_status(serve, status);
    snprintf(why, sizeof why, "%s; the last reload failed, see the log", status);
    notify_ready(&serve->notify, why);
}

/* ---- stopping ---- */

static void stopped(struct px_system *system, bool drained, void *arg)
{
    struct serve *serve = arg;
    (void)system;
    serve->cut = !drained;
    serve->stopped = true;
}

/* The first signal lets requests finish, a second one does not wait. */
static void stop(struct serve *serve)
{
    uint64_t drain_ms = conf_number(conf_root(serve->conf), "drain");
    if (serve->stopping) {
        log_event(&serve->logs, SERVE_INFO, "stopping", "how", "at once", NULL);
        px_stop(serve->system, 0, stopped, serve);
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, drain_ms);
    log_event(&serve->logs, SERVE_INFO, "stopping", "how", "finishing what is under way",
              "drain_ms", text, NULL);
    serve->stopping = true;
    notify_stopping(&serve->notify, PX_MS(drain_ms));
    px_stop(serve->system, PX_MS(drain_ms), stopped, serve);
}

/* ---- signals: they arrive as bytes, in the loop ---- */

static void on_signal(struct px_system *system, int fd, void *arg)
{
    struct serve *serve = arg;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != sizeof info) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGHUP:
        serve->wants_reload = true;
        px_break(system); /* listening is not for callbacks */
        break;
    case SIGUSR1:
        logs_reopen(&serve->logs);
        break;
    default:
        stop(serve);
        break;
    }
}

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaddset(set, signals[i]);
    }
}

void serve_block_signals(void)
{
    sigset_t set;
    signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* of a log whose reader is gone */
}

/* ---- the watchdog ---- */

static void on_watchdog(struct px_timer *timer, void *arg)
{
    struct serve *serve = arg;
    notify_alive(&serve->notify);
    px_timer_set(serve->system, timer, serve->notify.watchdog_us / 2, on_watchdog, serve);
}

enum px_err serve_watch(struct serve *serve)
{
    sigset_t set;
    signal_set(&set);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return PX_EIO;
    }
    PX_TRY(px_system_watch(serve->system, fd, on_signal, serve));
    if (serve->notify.watchdog_us > 0) {
        on_watchdog(&serve->watchdog, serve);
    }
    return PX_EOK;
}
