/* wiring.c - which mailbox may send which contract to whom. The services of this build and the
 * contracts each may speak come from services/meson.build; the table below says with whom.
 */
#include "lib.h"

#include <stdlib.h>

#include "door.h"
#include "door_contract.h"
#include "file_contract.h"
#include "http_contract.h"
#include "net_contract.h"
#include "placement.h"
#include "services_built.h"
#include "stream_contract.h"
#include "system_contract.h"

#define X(name, ...) extern const struct px_service px_##name##_service;
PX_SERVICES_BUILT(X)
#undef X

struct built {
    const struct px_service *service;
    const char *speaks[8];
};

static const struct built built[] = {
#define X(name, ...) {&px_##name##_service, {__VA_ARGS__}},
    PX_SERVICES_BUILT(X)
#undef X
        {NULL, {NULL}},
};

static const struct px_contract *const contracts[] = {
    &px_contract_stream_lower,   &px_contract_stream_upper, &px_contract_http_responder,
    &px_contract_http_requester, &px_contract_net,          &px_contract_file,
    &px_contract_system,         &px_contract_control,
};

/* From, what (its name in services/meson.build, and the contract), to. */
static const struct wire {
    const char *from, *speaks;
    const struct px_contract *contract;
    const char *to;
} wires[] = {
    {"net", "stream", &px_contract_stream_upper, "h1"},
    {"h1", "stream", &px_contract_stream_lower, "net"},
    {"h1", "http", &px_contract_http_responder, "app"},
    {"app", "http", &px_contract_http_requester, "h1"},
    {"app", "net", &px_contract_net, "net"},
    {"app", "file", &px_contract_file, "file"},
    {"app", "stream", &px_contract_stream_lower, "net"},
    {"net", "stream", &px_contract_stream_upper, "app"},
    {"app", "system", &px_contract_system, "system"},
    {"app", "system", &px_contract_control, "system"},
};

/* A service of ours sends only what its line in services/meson.build lists; net, file and app are
 * the host's. */
static bool may_speak(const char *from, const char *what)
{
    for (const struct built *b = built; b->service != NULL; b++) {
        if (strcmp(b->service->name, from) != 0) {
            continue;
        }
        for (size_t i = 0; i < sizeof b->speaks / sizeof b->speaks[0] && b->speaks[i] != NULL;
             i++) {
            if (strcmp(b->speaks[i], what) == 0) {
                return true;
            }
        }
        return false;
    }
    return true;
}

const struct px_contract *const *wiring_contracts(size_t *ret_n)
{
    *ret_n = sizeof contracts / sizeof contracts[0];
    return contracts;
}

const struct px_service *wiring_service_at(uint32_t index)
{
    size_t n_built = sizeof built / sizeof built[0] - 1;
    return index < n_built ? built[index].service : index == n_built ? host_net_service : NULL;
}

static enum px_err contracts_add(struct px_kernel *kernel)
{
    for (size_t i = 0; i < sizeof contracts / sizeof contracts[0]; i++) {
        PX_TRY(px_kernel_contract(kernel, contracts[i]));
    }
    return PX_EOK;
}

/* Adds the services of this build. Their configurations are those of the system. */
static enum px_err services_add(struct px_system *system)
{
    for (const struct built *b = built; b->service != NULL; b++) {
        px_addr addr = 0;
        const void *config = strcmp(b->service->name, "h1") == 0 ? &system->h1 : NULL;
        PX_TRY(placement_mailbox(system, b->service, NULL, config, &addr));
    }
    return PX_EOK;
}

enum px_err wiring_add(struct px_system *system)
{
    struct px_kernel *kernel = system->kernel;
    PX_TRY(contracts_add(kernel));
    PX_TRY(host_attach(system->host, system, &system->addr_net, &system->addr_file));
    PX_TRY(px_kernel_add(kernel, &px_app_service, NULL, NULL, &system->addr_app));
    PX_TRY(services_add(system));
    PX_TRY(placement_add(system));
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        px_addr from = px_kernel_mailbox(kernel, wires[i].from);
        px_addr to = px_kernel_mailbox(kernel, wires[i].to);
        if (from != 0 && to != 0 && may_speak(wires[i].from, wires[i].speaks)) {
            PX_TRY(px_kernel_allow(kernel, from, wires[i].contract->number, to));
        }
    }
    px_addr state = px_kernel_mailbox(kernel, "system");
    if (state != 0) {
        PX_TRY(callable_add(system, state, &px_contract_system, false));
        PX_TRY(callable_add(system, state, &px_contract_control, false));
    }
    return callable_add(system, system->addr_net, &px_contract_net, true);
}

enum px_err wiring_upgrades(struct px_system *system)
{
    struct px_kernel *kernel = system->kernel;
    px_addr h1 = px_kernel_mailbox(kernel, "h1"), net = system->addr_net;
    for (size_t i = 0; i < system->h1.n_upgrades; i++) {
        const char *name = (const char *)system->h1.upgrades[i]->mailbox.data;
        px_addr to = px_kernel_mailbox(kernel, name);
        if (to == 0) {
            return system_fail(system, PX_ENOENT, name, "no such mailbox to upgrade to");
        }
        PX_TRY(px_kernel_allow(kernel, h1, PX_C_STREAM_UPPER, to));
        PX_TRY(px_kernel_allow(kernel, net, PX_C_STREAM_UPPER, to));
        PX_TRY(px_kernel_allow(kernel, to, PX_C_STREAM_LOWER, net));
    }
    return PX_EOK;
}

const ProtobufCServiceDescriptor *contract_descriptor(const struct px_system *system,
                                                      unsigned number)
{
    for (size_t i = 0; i < sizeof contracts / sizeof contracts[0]; i++) {
        if (contracts[i]->number == number) {
            return contracts[i]->descriptor;
        }
    }
    if (number == PX_C_OUTSIDE) {
        return px_contract_outside.descriptor;
    }
    for (uint32_t i = 0; i < system->n_callables; i++) {
        if (system->callables[i].contract->number == number) {
            return system->callables[i].contract->descriptor;
        }
    }
    return NULL;
}
