/* system.c - systems: mailboxes over domains, their worlds, their ends and new beginnings.
 */
#include "sim_impl.h"
#include "stream_contract.h"

#include <stdio.h>
#include <stdlib.h>

#define WALL_START_US INT64_C(1767225600000000) /* 2026-01-01 */

/* ---- the operations of a domain's world ---- */

static void *world_alloc(void *ctx, size_t len)
{
    struct sim_domain *d = ctx;
    d->n_allocs++;
    bool planned = d->n_allocs >= d->fail_at && d->n_allocs < d->fail_end;
    if (!d->fail_paused && (planned || px_sim_chance(d->sim, d->fail_share))) {
        return NULL;
    }
    void *mem = aligned_alloc(64, (len + 63) & ~(size_t)63);
    if (mem == NULL) {
        abort();
    }
    d->unfreed++;
    return mem;
}

static void world_release(void *ctx, void *mem, size_t len)
{
    struct sim_domain *d = ctx;
    (void)len;
    d->unfreed -= mem != NULL;
    free(mem);
}

static uint64_t world_monotonic_us(void *ctx)
{
    return ((struct sim_domain *)ctx)->sim->now_us;
}

static int64_t world_wall_us(void *ctx)
{
    return WALL_START_US + (int64_t)((struct sim_domain *)ctx)->sim->now_us;
}

static void world_entropy(void *ctx, void *ret, size_t len)
{
    struct sim_domain *d = ctx;
    uint8_t *to = ret;
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)(seed_next(&d->sim->entropy) >> 56);
    }
}

static void world_take(void *ctx, bool reads)
{
    struct sim_domain *d = ctx;
    if (reads) {
        sim_lane_poll(d);
        simnet_poll(d);
    }
}

static void world_wake(void *ctx)
{
    (void)ctx; /* nothing here waits */
}

static void world_log(void *ctx, enum px_log_level level, const char *line)
{
    struct sim_domain *d = ctx;
    struct px_sim *sim = d->sim;
    char *to = sim->log[sim->n_log++ % LOG_LINES];
    if (strncmp(line, "assertion failed", 16) == 0) {
        snprintf(sim->last_words, sizeof sim->last_words, "%s", line);
    }
    snprintf(to, LOG_LINE_LEN, "%.6f %s/%u %d %s", (double)sim->now_us / 1e6, d->system->name,
             d->index, (int)level, line);
    if (sim->config.verbose) {
        fprintf(stderr, "%s\n", to);
    }
}

static void world_die(void *ctx)
{
    const struct sim_domain *d = ctx;
    sim_fail(d->sim, "kernel", 0, d->sim->last_words);
}

static void world_init(struct sim_domain *d)
{
    d->world = (struct px_world){.ctx = d,
                                 .alloc = world_alloc,
                                 .release = world_release,
                                 .monotonic_us = world_monotonic_us,
                                 .wall_us = world_wall_us,
                                 .ticks = world_monotonic_us,
                                 .entropy = world_entropy,
                                 .take = world_take,
                                 .wake = world_wake,
                                 .log = world_log,
                                 .die = world_die};
}

/* ---- assembling ---- */

/* What fails here is a mistake of the test. */
static void must(struct px_sim *sim, enum px_err err, const char *what)
{
    if (err != PX_EOK) {
        char text[160];
        snprintf(text, sizeof text, "%s: %s", what, px_err_text(err));
        sim_fail(sim, __FILE__, __LINE__, text);
    }
}

struct px_sim_system *px_sim_system_new(struct px_sim *sim, const char *name, uint32_t n_domains)
{
    PX_ASSERT(n_domains >= 1 && n_domains <= DOMAINS_MAX && strlen(name) <= NAME_LEN_MAX);
    struct px_sim_system *system = sim_calloc(sizeof *system);
    system->sim = sim;
    system->next = sim->systems;
    sim->systems = system;
    system->number = ++sim->n_systems;
    system->n_domains = n_domains;
    memcpy(system->name, name, strlen(name));
    for (uint32_t i = 0; i < n_domains; i++) {
        system->domains[i] = (struct sim_domain){.sim = sim, .system = system, .index = i};
        world_init(&system->domains[i]);
    }
    return system;
}

static px_addr mailbox_new(struct px_sim_system *system, uint32_t domain,
                           const struct px_service *service, const char *name, const void *config)
{
    PX_ASSERT(!system->started && domain < system->n_domains &&
              system->n_mailboxes < MAILBOXES_MAX && strlen(name) <= NAME_LEN_MAX);
    px_addr addr = (px_addr)++system->n_mailboxes;
    struct sim_mailbox *mb = &system->mailboxes[addr];
    mb->system = system;
    mb->service = service;
    mb->config = config;
    mb->domain = domain;
    memcpy(mb->name, name, strlen(name));
    return addr;
}

px_addr px_sim_add(struct px_sim_system *system, uint32_t domain, const struct px_service *service,
                   const char *name, const void *config)
{
    return mailbox_new(system, domain, service, name == NULL ? service->name : name, config);
}

px_addr px_sim_add_recorder(struct px_sim_system *system, uint32_t domain, const char *name)
{
    return mailbox_new(system, domain, NULL, name, NULL);
}

struct sim_mailbox *sim_mailbox_find(const struct px_sim_system *system, const char *name)
{
    for (uint32_t i = 1; i <= system->n_mailboxes; i++) {
        if (strcmp(system->mailboxes[i].name, name) == 0) {
            return (struct sim_mailbox *)(uintptr_t)&system->mailboxes[i];
        }
    }
    sim_fail(system->sim, __FILE__, __LINE__, name);
}

px_addr px_sim_addr(const struct px_sim_system *system, const char *name)
{
    return (px_addr)(sim_mailbox_find(system, name) - system->mailboxes);
}

uint32_t px_sim_domain_of(const struct px_sim_system *system, const char *name)
{
    return sim_mailbox_find(system, name)->domain;
}

void px_sim_allow(struct px_sim_system *system, const char *from,
                  const struct px_contract *contract, const char *to)
{
    PX_ASSERT(!system->started && system->n_allows < ALLOWS_MAX);
    system->allows[system->n_allows++] = (struct sim_allow){
        .from = px_sim_addr(system, from), .to = px_sim_addr(system, to), .contract = contract};
}

static void domain_add_mailbox(struct sim_domain *d, struct sim_mailbox *mb)
{
    px_addr addr;
    if (mb->domain != d->index) {
        must(d->sim, px_kernel_add_remote(d->kernel, mb->name, &addr), mb->name);
        return;
    }
    const struct px_service *service = mb->service != NULL ? mb->service : sim_recorder_service(mb);
    must(d->sim, px_kernel_add(d->kernel, service, mb->name, mb->config, &addr), mb->name);
}

/* Allocations are not made to fail before a system has started: that is the operator's hour. */
void sim_domain_start(struct sim_domain *d)
{
    struct px_sim_system *system = d->system;
    d->fail_paused = true;
    d->wake_at_us = 0;
    must(d->sim, px_kernel_new(&d->world, &d->sim->config.kernel, &d->kernel), "px_kernel_new");
    for (uint32_t i = 0; i < system->n_allows; i++) {
        must(d->sim, px_kernel_contract(d->kernel, system->allows[i].contract),
             "px_kernel_contract");
    }
    for (uint32_t i = 1; i <= system->n_mailboxes; i++) {
        domain_add_mailbox(d, &system->mailboxes[i]);
    }
    for (uint32_t i = 0; i < system->n_allows; i++) {
        const struct sim_allow *a = &system->allows[i];
        must(d->sim, px_kernel_allow(d->kernel, a->from, a->contract->number, a->to),
             "px_kernel_allow");
    }
    must(d->sim, px_kernel_start(d->kernel), "px_kernel_start");
    d->fail_paused = false;
}

/* Lane W between `d` and every other domain of its system that lives. */
static void domain_join(struct sim_domain *d)
{
    for (uint32_t i = 0; i < d->system->n_domains; i++) {
        struct sim_domain *other = &d->system->domains[i];
        if (other != d && other->kernel != NULL) {
            d->fail_paused = other->fail_paused = true;
            sim_lane_new(other, d);
            d->fail_paused = other->fail_paused = false;
        }
    }
}

void px_sim_stack(struct px_sim_system *system, const char *upper, const char *lower)
{
    px_sim_allow(system, upper, &px_contract_stream_lower, lower);
    px_sim_allow(system, lower, &px_contract_stream_upper, upper);
}

void px_sim_start(struct px_sim_system *system)
{
    PX_ASSERT(!system->started);
    system->started = true;
    for (uint32_t i = 0; i < system->n_domains; i++) {
        sim_domain_start(&system->domains[i]);
        domain_join(&system->domains[i]);
    }
    px_sim_settle(system->sim);
}

/* ---- looking inside ---- */

struct px_kernel *px_sim_kernel(const struct px_sim_system *system, uint32_t domain)
{
    PX_ASSERT(domain < system->n_domains);
    return system->domains[domain].kernel;
}

uint32_t px_sim_n_domains(const struct px_sim_system *system)
{
    return system->n_domains;
}

static struct px_kernel *kernel_of(const struct px_sim_system *system, const char *name)
{
    return system->domains[px_sim_domain_of(system, name)].kernel;
}

struct px_env *px_sim_env(const struct px_sim_system *system, const char *name)
{
    struct px_kernel *kernel = kernel_of(system, name);
    return kernel == NULL ? NULL : px_kernel_env(kernel, px_sim_addr(system, name));
}

void *px_sim_state(const struct px_sim_system *system, const char *name)
{
    struct px_kernel *kernel = kernel_of(system, name);
    return kernel == NULL ? NULL : px_kernel_state(kernel, px_sim_addr(system, name));
}

bool px_sim_is_alive(const struct px_sim_system *system, const char *name)
{
    return px_sim_env(system, name) != NULL;
}

/* ---- ends and new beginnings ---- */

static void domain_drop_lanes(struct sim_domain *d)
{
    for (struct sim_lane *lane = d->sim->lanes, *next; lane != NULL; lane = next) {
        next = lane->next;
        if (lane->sides[0].domain == d || lane->sides[1].domain == d) {
            sim_lane_free(d->sim, lane);
        }
    }
}

void sim_domain_leave_network(struct sim_domain *d)
{
    struct px_sim *sim = d->sim;
    for (struct sim_conn *conn = sim->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        struct sim_end *mine = conn->ends[0].domain == d   ? &conn->ends[0]
                               : conn->ends[1].domain == d ? &conn->ends[1]
                                                           : NULL;
        if (mine != NULL && mine->attached) {
            sim_end_detach(mine);
        }
    }
    for (struct sim_listener *l = sim->listeners, *next; l != NULL; l = next) {
        next = l->next;
        if (l->domain == d) {
            sim_listener_free(sim, l);
        }
    }
    d->ready_first = d->ready_last = NULL;
}

/* As if its process had died. */
static void domain_kill(struct sim_domain *d)
{
    if (d->kernel == NULL) {
        return;
    }
    for (uint32_t i = 1; i <= d->system->n_mailboxes; i++) {
        if (d->system->mailboxes[i].domain == d->index) {
            sim_mailbox_forget(&d->system->mailboxes[i]);
        }
    }
    domain_drop_lanes(d);
    px_kernel_free(d->kernel);
    d->kernel = NULL;
    sim_domain_leave_network(d);
    if (d->unfreed != 0) {
        sim_fail(d->sim, __FILE__, __LINE__, "a freed kernel left memory behind");
    }
}

void px_sim_kill(struct px_sim_system *system, const char *name)
{
    struct sim_mailbox *mb = sim_mailbox_find(system, name);
    if (px_sim_is_alive(system, name)) {
        sim_mailbox_forget(mb);
        px_service_kill(system->domains[mb->domain].kernel, px_sim_addr(system, name));
    }
}

void px_sim_kill_domain(struct px_sim_system *system, uint32_t domain)
{
    PX_ASSERT(domain < system->n_domains);
    domain_kill(&system->domains[domain]);
}

void px_sim_restart_domain(struct px_sim_system *system, uint32_t domain)
{
    PX_ASSERT(domain < system->n_domains);
    struct sim_domain *d = &system->domains[domain];
    if (d->kernel == NULL) {
        sim_domain_start(d);
        domain_join(d);
    }
}

void px_sim_restart(struct px_sim_system *system, const char *name)
{
    struct sim_mailbox *mb = sim_mailbox_find(system, name);
    struct sim_domain *d = &system->domains[mb->domain];
    if (px_sim_is_alive(system, name)) {
        return;
    }
    px_sim_restart_domain(system, mb->domain);
    d->fail_paused = true;
    while (!px_sim_is_alive(system, name) &&
           px_service_restart(d->kernel, px_sim_addr(system, name)) != PX_EOK) {
        if (!px_sim_step(d->sim, d->sim->now_us)) { /* its Gone has to be delivered first */
            sim_fail(d->sim, __FILE__, __LINE__, "a service does not start again");
        }
    }
    d->fail_paused = false;
}

void px_sim_fail_alloc(struct px_sim_system *system, uint64_t nth, uint32_t n, uint32_t share)
{
    for (uint32_t i = 0; i < system->n_domains; i++) {
        struct sim_domain *d = &system->domains[i];
        d->fail_at = d->n_allocs + nth;
        d->fail_end = d->fail_at + n;
        d->fail_share = share;
    }
}

void sim_system_free(struct px_sim_system *system)
{
    px_sim_fail_alloc(system, 0, 0, 0);
    for (uint32_t i = 0; i < system->n_domains; i++) {
        domain_kill(&system->domains[i]);
    }
    for (uint32_t i = 1; i <= system->n_mailboxes; i++) {
        free(system->mailboxes[i].handlers);
    }
    free(system);
}

/* ---- the network between systems ---- */

bool sim_hosts_apart(const struct px_sim *sim, uint32_t a, uint32_t b)
{
    return (sim->apart[a & 15] >> (b & 15) & 1) != 0;
}

void px_sim_partition(struct px_sim *sim, const struct px_sim_system *a,
                      const struct px_sim_system *b, bool apart)
{
    uint32_t host_a = a == NULL ? 0 : a->number & 15;
    uint32_t host_b = b == NULL ? 0 : b->number & 15;
    uint64_t bit_a = UINT64_C(1) << host_a, bit_b = UINT64_C(1) << host_b;
    sim->apart[host_a] = apart ? sim->apart[host_a] | bit_b : sim->apart[host_a] & ~bit_b;
    sim->apart[host_b] = apart ? sim->apart[host_b] | bit_a : sim->apart[host_b] & ~bit_a;
}
