/* door.c - the door of a system: its mailboxes, and what may be called there.
 */
#include "door.h"

#include <plexus/door.h>
#include <stdio.h>
#include <stdlib.h>

#include "door_contract.h"
#include "door_host.h"
#include "door_place.h"
#include "http_contract.h"
#include "inspect_contract.h"

enum { DOOR_RULES_MAX = 64, N_ROLES = 1 };
_Static_assert((int)OUTSIDE_MAX == PX_DOOR_SERVICES_MAX, "one limit");

struct door_part {
    struct px_door_place place;
    px_addr guest, door, inspect;
    struct px_door_setup setup;
    struct px_door_target targets[CALLABLES_MAX];
    struct px_door_rule rules[DOOR_RULES_MAX];
    struct px_door_role roles[N_ROLES];
    struct px_env *env; /* of its mailbox; NULL: it is not open yet */
    char **names;       /* of the services in the rules, one after the other */
    uint32_t n_names;
};

/* ---- what may be called ---- */

enum px_err callable_add(struct px_system *system, px_addr addr, const struct px_contract *contract,
                         bool looks)
{
    if (system->n_callables == CALLABLES_MAX) {
        return PX_ELIMIT;
    }
    system->callables[system->n_callables++] =
        (struct callable){.addr = addr, .contract = contract, .looks = looks};
    return PX_EOK;
}

enum px_err door_grant(struct px_system *system)
{
    for (uint32_t i = 0; system->door != NULL && i < system->n_callables; i++) {
        const struct callable *c = &system->callables[i];
        PX_TRY(px_kernel_allow(system->kernel, system->door->guest, c->contract->number, c->addr));
    }
    return PX_EOK;
}

/* Services outside: mailboxes that programs behind the door will be. Clients may call them, and
 * requests of routes go there. */
static enum px_err outside_add(struct px_system *system, struct door_part *door)
{
    struct px_kernel *kernel = system->kernel;
    px_addr app = system->addr_app;
    door->roles[0] =
        (struct px_door_role){&px_contract_http_responder, &px_contract_http_requester, app};
    door->setup.roles = door->roles;
    door->setup.n_roles = N_ROLES;
    for (uint32_t i = 0; i < door->setup.n_outside; i++) {
        char name[32];
        px_addr *addr = &door->setup.outside[i];
        snprintf(name, sizeof name, "outside%u", (unsigned)i + 1);
        PX_TRY(px_kernel_add_remote(kernel, name, addr));
        PX_TRY(px_kernel_allow(kernel, door->guest, PX_C_OUTSIDE, *addr));
        PX_TRY(px_kernel_allow(kernel, app, PX_C_HTTP_RESPONDER, *addr));
        PX_TRY(px_kernel_allow(kernel, *addr, PX_C_HTTP_REQUESTER, app));
    }
    return PX_EOK;
}

px_addr door_outside_first(const struct px_system *system)
{
    return system->door == NULL ? 0 : system->door->setup.outside[0];
}

px_addr door_outside(const struct px_system *system, const char *name)
{
    const struct door_part *door = system->door;
    return door == NULL || door->env == NULL
               ? 0
               : px_door_outside(door->env, name, &px_contract_http_responder);
}

bool door_is_outside(const struct px_system *system, px_addr addr)
{
    px_addr first = door_outside_first(system);
    return first != 0 && addr >= first && addr < first + system->door->setup.n_outside;
}

const char *door_outside_name(const struct px_system *system, px_addr addr)
{
    const struct door_part *door = system->door;
    const char *name =
        door == NULL || door->env == NULL ? NULL : px_door_outside_name(door->env, addr);
    return name;
}

/* ---- configuration ---- */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

static bool config_is_valid(const struct px_door_config *config)
{
    if (config->n_clients > DOOR_RULES_MAX || config->clients_max > 65535 ||
        config->calls_max > 65535 || config->request_max > 16u << 20 ||
        config->services_max > OUTSIDE_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < config->n_clients; i++) {
        if (config->clients[i].n_services > DOOR_RULES_MAX ||
            config->clients[i].n_provides > DOOR_RULES_MAX) {
            return false;
        }
    }
    return true;
}

/* `n` names, as copies. NULL: no memory. */
static const char *const *names_copy(struct door_part *door, const char *const *names, uint32_t n)
{
    char **first = &door->names[door->n_names];
    for (uint32_t i = 0; i < n; i++) {
        char *name = strdup(names[i]);
        if (name == NULL) {
            return NULL;
        }
        door->names[door->n_names++] = name;
    }
    return (const char *const *)first;
}

static bool rule_copy(struct door_part *door, const struct px_door_client *client,
                      struct px_door_rule *ret_rule)
{
    *ret_rule = (struct px_door_rule){
        .uid = client->uid, .n_services = client->n_services, .n_provides = client->n_provides};
    ret_rule->provides = names_copy(door, client->provides, client->n_provides);
    if (client->services != NULL) {
        ret_rule->services = names_copy(door, client->services, client->n_services);
    }
    return ret_rule->provides != NULL && (client->services == NULL || ret_rule->services != NULL);
}

static bool rules_copy(struct door_part *door, const struct px_door_config *config)
{
    size_t n = 1; /* a rule with no names has a list too */
    for (uint32_t i = 0; i < config->n_clients; i++) {
        n += config->clients[i].n_services + config->clients[i].n_provides;
    }
    door->names = calloc(n, sizeof *door->names);
    for (uint32_t i = 0; door->names != NULL && i < config->n_clients; i++) {
        if (!rule_copy(door, &config->clients[i], &door->rules[i])) {
            return false;
        }
    }
    return door->names != NULL;
}

static enum px_err door_make(const struct px_door_config *config, struct door_part **ret_door)
{
    struct door_part *door = calloc(1, sizeof *door);
    if (door == NULL) {
        return PX_ENOMEM;
    }
    door->place.listen_fd = door->place.lock_fd = -1;
    door->setup = (struct px_door_setup){
        .targets = door->targets,
        .rules = door->rules,
        .n_rules = config->n_clients,
        .clients_max = or_default(config->clients_max, 256),
        .calls_max = or_default(config->calls_max, 32),
        .n_outside = or_default(config->services_max, 8),
        .message_max = or_default(config->request_max, 4u << 20),
        .memory_max = config->memory_max == 0 ? UINT64_C(64) << 20 : config->memory_max,
    };
    if (!rules_copy(door, config)) {
        door_free(door);
        return PX_ENOMEM;
    }
    *ret_door = door;
    return PX_EOK;
}

void door_free(struct door_part *take_door)
{
    if (take_door == NULL) {
        return;
    }
    px_door_unbind(&take_door->place);
    for (uint32_t i = 0; i < take_door->n_names; i++) {
        free(take_door->names[i]);
    }
    free(take_door->names);
    free(take_door);
}

/* ---- assembling ---- */

static enum px_err mailboxes_add(struct px_system *system, struct door_part *door)
{
    struct px_kernel *kernel = system->kernel;
    PX_TRY(px_kernel_contract(kernel, &px_contract_inspect));
    PX_TRY(px_kernel_contract(kernel, &px_contract_outside));
    PX_TRY(px_kernel_add(kernel, &px_inspect_service, NULL, NULL, &door->inspect));
    PX_TRY(px_kernel_add(kernel, &px_door_service, NULL, NULL, &door->door));
    PX_TRY(px_kernel_add_remote(kernel, "guest", &door->guest));
    PX_TRY(outside_add(system, door));
    PX_TRY(px_kernel_allow(kernel, system->addr_app, PX_C_INSPECT, door->inspect));
    return callable_add(system, door->inspect, &px_contract_inspect, true);
}

enum px_err px_system_door(struct px_system *system, const struct px_door_config *config)
{
    static const struct px_door_config defaults;
    const struct px_door_config *c = config == NULL ? &defaults : config;
    const char *name = c->name == NULL ? "plexus" : c->name;
    char why[PX_DOOR_WHY_MAX] = "";
    struct door_part *door = NULL;
    if (system->app != NULL || system->door != NULL) {
        bool started = system->app != NULL;
        return system_fail(system, started ? PX_ESTATE : PX_EEXIST, "door",
                           started ? "the system is started already" : "it has one already");
    }
    if (!config_is_valid(c)) {
        return system_fail(system, PX_EINVAL, "door", "a limit of px_door_config is out of range");
    }
    PX_TRY(door_make(c, &door));
    enum px_err err = px_door_bind(name, c->n_clients > 0, &door->place, why);
    if (err == PX_EOK) {
        err = mailboxes_add(system, door);
        snprintf(why, sizeof why, "%s", px_err_text(err));
    }
    if (err != PX_EOK) {
        door_free(door);
        return system_fail(system, err, "door", why);
    }
    system->door = door;
    return PX_EOK;
}

enum px_err door_start(struct px_system *system)
{
    struct door_part *door = system->door;
    if (door == NULL) {
        return PX_EOK;
    }
    struct px_env *env = px_kernel_env(system->kernel, door->door);
    for (uint32_t i = 0; i < system->n_callables; i++) {
        const struct callable *c = &system->callables[i];
        door->targets[i] =
            (struct px_door_target){.addr = c->addr,
                                    .name = px_mailbox_name(env, c->addr),
                                    .contract = c->contract,
                                    .looks = c->looks,
                                    .open_method = c->addr == door->inspect ? "Describe" : NULL};
    }
    door->setup.n_targets = system->n_callables;
    door->setup.listen_fd = door->place.listen_fd;
    door->setup.guest = door->guest;
    inspect_start(system);
    enum px_err err = px_door_open(env, &door->setup);
    door->env = err == PX_EOK ? env : NULL;
    return err == PX_EOK ? PX_EOK : system_fail(system, err, "door", px_err_text(err));
}

/* ---- finding ---- */

const char *px_system_door_path(const struct px_system *system)
{
    return system->door == NULL ? NULL : system->door->place.socket;
}

enum px_err px_door_path(const char *name, char *ret_path, size_t size)
{
    char path[PX_DOOR_PATH_MAX], why[PX_DOOR_WHY_MAX];
    PX_TRY(px_door_find(name == NULL ? "plexus" : name, path, why));
    if (strlen(path) >= size) {
        return PX_ELIMIT;
    }
    memcpy(ret_path, path, strlen(path) + 1);
    return PX_EOK;
}
