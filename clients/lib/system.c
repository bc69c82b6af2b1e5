/* system.c - a system from its assembly to its end.
 *
 *     made --px_system_start--> running --px_stop--> stopping --drained or deadline--> stopped
 */
#include "files_impl.h"

#include "auth.h"
#include "door.h"
#include "placement.h"

#include <px/assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- making and freeing ---- */

enum px_err system_fail(struct px_system *system, enum px_err err, const char *what,
                        const char *why)
{
    snprintf(system->error, sizeof system->error, "%s: %s", what, why);
    return err;
}

const char *px_system_error(const struct px_system *system)
{
    if (system == NULL) {
        return "no system was made: memory or descriptors ran out, or its configuration is wrong";
    }
    return system->error;
}

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

static bool config_is_valid(const struct px_system_config *config)
{
    enum { ELEMENTS_MAX = (1 << 24) - 1 };
    return config->n_file_roots <= FILE_ROOTS_MAX && config->requests_max <= ELEMENTS_MAX &&
           config->streams_max <= ELEMENTS_MAX && config->calls_max <= 32768;
}

static enum px_err system_fill(struct px_system *system, const struct px_system_config *config)
{
    h1__config__init(&system->h1);
    system->requests_max = or_default(config->requests_max, 65536);
    system->streams_max = or_default(config->streams_max, 65536);
    system->calls_max = or_default(config->calls_max, 1024) + LISTENERS_MAX;
    if (config->placement != NULL) {
        PX_TRY(placement_new(config->placement, &system->placement));
    }
    PX_TRY(host_new(config, &system->host));
    PX_TRY(px_kernel_new(host_world(system->host), NULL, &system->kernel));
    return wiring_add(system);
}

enum px_err px_system_new(const struct px_system_config *config, struct px_system **ret_system)
{
    static const struct px_system_config defaults;
    const struct px_system_config *c = config == NULL ? &defaults : config;
    if (!config_is_valid(c)) {
        return PX_EINVAL;
    }
    struct px_system *system = calloc(1, sizeof *system);
    if (system == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = system_fill(system, c);
    if (err != PX_EOK) {
        px_system_free(system);
        return err;
    }
    *ret_system = system;
    return PX_EOK;
}

void px_system_free(struct px_system *take_system)
{
    if (take_system == NULL) {
        return;
    }
    PX_ASSERT(!take_system->in_turn);
    auth_stop_all(take_system);
    while (take_system->readies != NULL) {
        px_ready_free(take_system->readies);
    }
    while (take_system->topics != NULL) {
        px_topic_free(take_system->topics);
    }
    placement_end(take_system);
    px_kernel_free(take_system->kernel);
    take_system->app = NULL;          /* it was the kernel's */
    server_free(take_system->server); /* its routes may have files to free */
    files_free_all(take_system);
    placement_free(take_system->placement);
    host_free(take_system->host);
    door_free(take_system->door);
    free(take_system);
}

/* ---- assembling ---- */

enum px_err px_system_add(struct px_system *system, const struct px_addition *addition)
{
    struct px_kernel *kernel = system->kernel;
    const char *name = addition->mailbox != NULL ? addition->mailbox : addition->service->name;
    px_addr addr = 0;
    if (system->app != NULL) {
        return system_fail(system, PX_ESTATE, name, "the system is started already");
    }
    for (uint32_t i = 0; i < addition->n_contracts; i++) {
        if (px_kernel_contract(kernel, addition->contracts[i]) != PX_EOK) {
            return system_fail(system, PX_EEXIST, name,
                               "its contract does not fit, or its number is another's");
        }
    }
    enum px_err err = placement_mailbox(system, addition->service, name, addition->config, &addr);
    if (err != PX_EOK) {
        return system_fail(system, err, name, px_err_text(err));
    }
    for (uint32_t i = 0; i < addition->n_contracts; i++) {
        PX_TRY(px_kernel_allow(kernel, system->addr_app, addition->contracts[i]->number, addr));
        PX_TRY(callable_add(system, addr, addition->contracts[i], false));
    }
    for (uint32_t i = 0; i < addition->n_reaches; i++) {
        const struct px_reach *reach = &addition->reaches[i];
        px_addr to = px_kernel_mailbox(kernel, reach->mailbox);
        if (to == 0) {
            return system_fail(system, PX_ENOENT, reach->mailbox, "no such mailbox");
        }
        PX_TRY(px_kernel_contract(kernel, reach->contract));
        PX_TRY(px_kernel_allow(kernel, addr, reach->contract->number, to));
    }
    return PX_EOK;
}

enum px_err system_app_start(struct px_system *system)
{
    struct app *app = px_kernel_state(system->kernel, system->addr_app);
    struct px_env *env = px_kernel_env(system->kernel, system->addr_app);
    app->system = system;
    app->server = system->server;
    app->env = env;
    app->net = system->addr_net;
    app->file = system->addr_file;
    PX_TRY(px_pool_init(&app->requests, env, sizeof(struct request), system->requests_max, 0));
    PX_TRY(px_pool_init(&app->streams, env, stream_size(), system->streams_max, 0));
    PX_TRY(px_pool_init(&app->calls, env, sizeof(struct call), system->calls_max, 1));
    PX_TRY(px_pool_init(&app->asides, env, aside_size(), system->requests_max, 0));
    PX_TRY(px_pool_init(&app->event_streams, env, event_stream_size(), system->requests_max, 0));
    PX_TRY(px_pool_init(&app->forms, env, form_size(), system->requests_max, 0));
    PX_TRY(px_pool_init(&app->form_wholes, env, form_whole_size(), system->requests_max, 0));
    PX_TRY(px_pool_init(&app->wishes, env, state_wish_size(), STATE_WISHES_MAX, 0));
    PX_TRY(px_pool_init(&app->nobody, env, sizeof(void *), 1, 0));
    app->outside_first = door_outside_first(system);
    PX_TRY(px_pool_init(&app->relays, env, relay_size(), OUTSIDE_MAX * PX_OUTSIDE_REQUESTS_MAX, 0));
    app->refuser = px_pool_get(&app->nobody);
    if (app->refuser == NULL) {
        return PX_ENOMEM;
    }
    system->app = app;
    return PX_EOK;
}

enum px_err px_system_start(struct px_system *system)
{
    if (system->app != NULL) {
        return PX_EOK;
    }
    PX_TRY(wiring_upgrades(system));
    PX_TRY(door_grant(system));
    enum px_err err = px_kernel_start(system->kernel);
    if (err != PX_EOK) {
        return system_fail(system, err, "start", px_err_text(err));
    }
    PX_TRY(system_app_start(system));
    PX_TRY(placement_start(system));
    return door_start(system);
}

/* ---- running ---- */

void system_turn(struct px_system *system, uint64_t wait_us)
{
    system->in_turn = true;
    px_kernel_turn(system->kernel, wait_us);
    system->in_turn = false;
}

/* After a turn: has stopping ended? */
static void stop_check(struct px_system *system, bool out_of_time)
{
    if (!system->stopping || system->stopped) {
        return;
    }
    bool drained = px_kernel_drained(system->kernel);
    if (drained || out_of_time) {
        system->stopped = true;
        px_sul_cancel(system->app->env, &system->stop_timer);
        if (system->stopped_fn != NULL) {
            system->stopped_fn(system, drained, system->stopped_arg);
        }
    }
}

static void stop_deadline(struct px_sul *sul)
{
    struct px_system *system = px_container_of(sul, struct px_system, stop_timer);
    system->out_of_time = true;
}

enum px_err px_run(struct px_system *system)
{
    PX_ASSERT(!system->in_turn);
    PX_TRY(px_system_start(system));
    while (!system->stopped && !system->breaking) {
        system_turn(system, PX_NEVER);
        stop_check(system, system->out_of_time);
    }
    system->breaking = false;
    return PX_EOK;
}

void px_break(struct px_system *system)
{
    system->breaking = true;
}

bool px_dispatch(struct px_system *system)
{
    PX_ASSERT(!system->in_turn);
    if (px_system_start(system) != PX_EOK) {
        return false;
    }
    if (!system->stopped) {
        system_turn(system, 0);
        stop_check(system, system->out_of_time);
    }
    return !system->stopped;
}

int px_system_fd(struct px_system *system)
{
    return px_system_start(system) == PX_EOK ? host_fd(system->host) : -1;
}

uint64_t px_next_deadline_us(const struct px_system *system)
{
    bool due = system->app == NULL || host_is_due(system->host);
    return due ? 0 : px_kernel_next_us(system->kernel);
}

enum px_err px_system_post(struct px_system *system,
                           void (*fn)(void *arg, const void *data, size_t len), void *arg,
                           const void *data, size_t len)
{
    return px_post(system->kernel, fn, arg, data, len);
}

void px_stop(struct px_system *system, uint64_t deadline_us, px_stopped_fn fn, void *arg)
{
    if (system->stopped || px_system_start(system) != PX_EOK) {
        return;
    }
    const struct px_world *world = px_kernel_world(system->kernel);
    uint64_t now_us = world->monotonic_us(world->ctx);
    bool earlier =
        !px_sul_pending(&system->stop_timer) || system->stop_timer.at_us > now_us + deadline_us;
    if (deadline_us != PX_NEVER && earlier) {
        px_sul_schedule(system->app->env, &system->stop_timer, stop_deadline, deadline_us);
    }
    if (!system->stopping) {
        system->stopping = true;
        system->stopped_fn = fn;
        system->stopped_arg = arg;
        px_kernel_stop(system->kernel);
        px_kernel_wake(system->kernel);
    }
}

/* ---- looking inside ---- */

struct px_env *px_system_env(struct px_system *system)
{
    return system->app == NULL ? NULL : system->app->env;
}

struct px_kernel *px_system_kernel(struct px_system *system)
{
    return system->kernel;
}

void px_system_ledger(const struct px_system *system, struct px_ledger *ret_ledger)
{
    px_kernel_ledger(system->kernel, ret_ledger);
}
