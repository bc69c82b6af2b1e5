/* placement.c - mailboxes that live in processes of their own: adding them, telling each process
 * what to host, waiting until all serve.
 */
#include "lib.h"

#include <stdio.h>
#include <stdlib.h>

#include "lane.h"
#include "placement.h"
#include "supervisor.h"

enum { TURN_WAIT_MS = 50, CONTRACT_NUMBERS = 256, MAILBOXES_MAX = 64, SANDBOX_MAX = 15 };

struct placed {
    char name[PX_DOMAIN_NAME_MAX + 1];
    char sandbox[SANDBOX_MAX + 1];
    char services[PX_DOMAIN_SERVICES_MAX][PX_DOMAIN_NAME_MAX + 1];
    uint32_t n_services;
    bool no_spare;
    enum px_spawn_lane lane;
};

struct placement {
    char *program;
    uint32_t n_domains;
    struct placed domains[PX_DOMAINS_MAX];
    const ProtobufCMessage *configs[MAILBOXES_MAX + 1]; /* of mailboxes, by number */
    px_addr addr_link, addr_spawn;
    struct px_hello hello;
    struct placement *next; /* what a change under way will make of it; NULL: none is */
    px_placed_fn placed_fn;
    void *placed_arg;
};

/* ---- configuration ---- */

static bool text_take(const char *from, char *ret, size_t max)
{
    size_t len = from == NULL ? 0 : strlen(from);
    if (len == 0 || len > max) {
        return false;
    }
    memcpy(ret, from, len + 1);
    return true;
}

static bool placed_has(const struct placed *d, const char *name)
{
    for (uint32_t i = 0; i < d->n_services; i++) {
        if (strcmp(d->services[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct placed *placed_of(const struct placement *placement, const char *name)
{
    for (uint32_t i = 0; placement != NULL && i < placement->n_domains; i++) {
        if (placed_has(&placement->domains[i], name)) {
            return &placement->domains[i];
        }
    }
    return NULL;
}

static bool lane_take(const char *lane, struct placed *ret)
{
    static const char *const lanes[] = {
        [PX_SPAWN_RINGS] = "rings", [PX_SPAWN_STREAM] = "stream", [PX_SPAWN_NNG] = "nng"};
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++) {
        if (strcmp(lane == NULL ? "rings" : lane, lanes[i]) == 0) {
            ret->lane = (enum px_spawn_lane)i;
            return true;
        }
    }
    return false;
}

static enum px_err domain_take(struct placement *placement, const struct px_domain *from)
{
    struct placed *d = &placement->domains[placement->n_domains];
    if (!text_take(from->name, d->name, PX_DOMAIN_NAME_MAX) ||
        !text_take(from->sandbox == NULL ? "strict" : from->sandbox, d->sandbox, SANDBOX_MAX) ||
        from->n_services == 0 || from->n_services > PX_DOMAIN_SERVICES_MAX ||
        !lane_take(from->lane, d)) {
        return PX_EINVAL;
    }
    d->no_spare = from->no_spare;
    for (uint32_t i = 0; i < from->n_services; i++) {
        if (!text_take(from->services[i], d->services[i], PX_DOMAIN_NAME_MAX)) {
            return PX_EINVAL;
        }
        if (placed_of(placement, d->services[i]) != NULL || placed_has(d, d->services[i])) {
            return PX_EEXIST;
        }
        d->n_services++;
    }
    placement->n_domains++;
    return PX_EOK;
}

static enum px_err placement_fill(struct placement *placement, const struct px_placement *config)
{
    const char *program = config->program != NULL ? config->program : getenv("PX_DOMAIN");
    if (config->n_domains == 0 || config->n_domains > PX_DOMAINS_MAX) {
        return PX_EINVAL;
    }
    for (uint32_t i = 0; i < config->n_domains; i++) {
        PX_TRY(domain_take(placement, &config->domains[i]));
        if (config->no_sandbox) {
            strcpy(placement->domains[i].sandbox, "none");
        }
    }
    placement->program = strdup(program != NULL ? program : PX_DOMAIN_INSTALLED);
    return placement->program == NULL ? PX_ENOMEM : PX_EOK;
}

enum px_err placement_new(const struct px_placement *config, struct placement **ret_placement)
{
    struct placement *placement = calloc(1, sizeof *placement);
    if (placement == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = placement_fill(placement, config);
    if (err != PX_EOK) {
        placement_free(placement);
        return err;
    }
    *ret_placement = placement;
    return PX_EOK;
}

void placement_free(struct placement *take_placement)
{
    if (take_placement != NULL) {
        placement_free(take_placement->next);
        free(take_placement->program);
        free(take_placement);
    }
}

const char *px_placeable(uint32_t index)
{
    const struct px_service *service = wiring_service_at(index);
    return service != NULL ? service->name : NULL;
}

/* ---- mailboxes ---- */

enum px_err placement_mailbox(struct px_system *system, const struct px_service *service,
                              const char *name, const void *config, px_addr *ret_addr)
{
    struct placement *placement = system->placement;
    name = name != NULL ? name : service->name;
    if (placed_of(placement, name) == NULL) {
        return px_kernel_add(system->kernel, service, name, config, ret_addr);
    }
    PX_TRY(px_kernel_add_remote(system->kernel, name, ret_addr));
    placement->configs[*ret_addr] = config;
    return PX_EOK;
}

enum px_err placement_add(struct px_system *system)
{
    struct placement *placement = system->placement;
    if (placement == NULL) {
        return PX_EOK;
    }
    PX_TRY(px_kernel_add(system->kernel, &px_link_service, NULL, NULL, &placement->addr_link));
    return px_kernel_add(system->kernel, &px_spawn_service, NULL, NULL, &placement->addr_spawn);
}

/* ---- what each process is told ---- */

/* Memory of all Setups; the lists are the same in each but for `here` and `config`. */
struct setup {
    Link__SetupOf setup;
    Link__MailboxOf mailboxes[MAILBOXES_MAX], *mailbox_list[MAILBOXES_MAX];
    Link__GrantOf *grants, **grant_list;
    uint32_t grants_cap;
};

static bool grant_add(struct setup *s, uint32_t sender, uint32_t contract, uint32_t receiver)
{
    size_t n = s->setup.n_grants;
    if (n == s->grants_cap) {
        uint32_t cap = s->grants_cap == 0 ? 64 : s->grants_cap * 2;
        Link__GrantOf *grants = realloc(s->grants, cap * sizeof *grants);
        if (grants == NULL) {
            return false;
        }
        s->grants = grants;
        s->grants_cap = cap;
    }
    link__grant_of__init(&s->grants[n]);
    s->grants[n].sender = sender;
    s->grants[n].contract = contract;
    s->grants[n].receiver = receiver;
    s->setup.n_grants++;
    return true;
}

static bool grants_fill(struct setup *s, const struct px_env *env)
{
    uint32_t n = (uint32_t)s->setup.n_mailboxes;
    for (uint32_t from = 1; from <= n; from++) {
        for (uint32_t to = 1; to <= n; to++) {
            for (uint32_t c = 1; c < CONTRACT_NUMBERS; c++) {
                bool granted = px_may_send(env, PX_PEER_LOCAL(from), (uint8_t)c, (px_addr)to);
                if (granted && !grant_add(s, from, c, to)) {
                    return false;
                }
            }
        }
    }
    s->grant_list = calloc(s->setup.n_grants + 1, sizeof(*s->grant_list));
    for (size_t i = 0; s->grant_list != NULL && i < s->setup.n_grants; i++) {
        s->grant_list[i] = &s->grants[i];
    }
    s->setup.grants = s->grant_list;
    return s->grant_list != NULL;
}

static bool setup_fill(struct setup *s, const struct px_env *env)
{
    link__setup_of__init(&s->setup);
    s->setup.mailboxes = s->mailbox_list;
    for (px_addr i = 1; i <= MAILBOXES_MAX && strcmp(px_mailbox_name(env, i), "?") != 0; i++) {
        Link__MailboxOf *m = &s->mailboxes[i - 1];
        link__mailbox_of__init(m);
        m->name = text_bytes(px_mailbox_name(env, i));
        s->mailbox_list[i - 1] = m;
        s->setup.n_mailboxes++;
    }
    return grants_fill(s, env);
}

static void setup_done(struct setup *s)
{
    for (size_t i = 0; i < s->setup.n_mailboxes; i++) {
        free(s->mailboxes[i].config.data);
    }
    free(s->grants);
    free(s->grant_list);
}

/* The part of one domain. False: no memory. */
static bool setup_for(struct setup *s, const struct placement *placement, const struct placed *d)
{
    s->setup.domain = text_bytes(d->name);
    s->setup.sandbox = text_bytes(d->sandbox);
    for (size_t i = 0; i < s->setup.n_mailboxes; i++) {
        Link__MailboxOf *m = &s->mailboxes[i];
        const ProtobufCMessage *config = placement->configs[i + 1];
        free(m->config.data);
        m->config = (ProtobufCBinaryData){.len = 0};
        m->here = placed_has(d, (const char *)m->name.data);
        if (m->here && config != NULL) {
            m->config.data = malloc(protobuf_c_message_get_packed_size(config) + 1);
            if (m->config.data == NULL) {
                return false;
            }
            m->config.len = protobuf_c_message_pack(config, m->config.data);
        }
    }
    return true;
}

/* ---- starting ---- */

/* `program`: what it runs; `is_prepared`: it is to serve later. */
static enum px_err domain_start(struct px_system *system, struct setup *s, const struct placed *d,
                                const char *program, bool is_prepared)
{
    struct placement *placement = system->placement;
    struct px_env *env = px_kernel_env(system->kernel, placement->addr_spawn);
    px_addr mailboxes[PX_DOMAIN_SERVICES_MAX];
    for (uint32_t i = 0; i < d->n_services; i++) {
        mailboxes[i] = px_kernel_mailbox(system->kernel, d->services[i]);
        if (mailboxes[i] == 0 || px_kernel_env(system->kernel, mailboxes[i]) != NULL) {
            return system_fail(system, PX_ENOENT, d->services[i],
                               "no such service, or one that cannot be placed elsewhere");
        }
    }
    const struct px_spawn_domain spawn = {.name = d->name,
                                          .program = program,
                                          .mailboxes = mailboxes,
                                          .n_mailboxes = d->n_services,
                                          .setup = &s->setup,
                                          .hello = &placement->hello,
                                          .no_spare = d->no_spare,
                                          .lane = d->lane};
    if (!setup_for(s, placement, d)) {
        return PX_ENOMEM;
    }
    enum px_err err = is_prepared ? px_spawn_prepare(env, &spawn) : px_spawn_add(env, &spawn);
    if (d->lane == PX_SPAWN_NNG && err == PX_EUNSUPPORTED) {
        return system_fail(system, err, d->name, "this build of libplexus has no nng");
    }
    if (d->lane == PX_SPAWN_NNG && err == PX_EIO && !is_prepared) {
        return system_fail(system, err, d->name, "nng cannot listen in the folder for its socket");
    }
    return err;
}

static enum px_err domains_start(struct px_system *system)
{
    struct setup s = {.grants_cap = 0};
    struct placement *placement = system->placement;
    enum px_err err =
        setup_fill(&s, px_kernel_env(system->kernel, system->addr_app)) ? PX_EOK : PX_ENOMEM;
    for (uint32_t i = 0; err == PX_EOK && i < placement->n_domains; i++) {
        err = domain_start(system, &s, &placement->domains[i], placement->program, false);
    }
    setup_done(&s);
    return err;
}

/* Runs the system until every domain serves. */
static enum px_err domains_wait(struct px_system *system)
{
    struct placement *placement = system->placement;
    struct px_env *env = px_kernel_env(system->kernel, placement->addr_spawn);
    for (uint32_t i = 0; i < placement->n_domains;) {
        struct px_spawn_figures figures;
        if (!px_spawn_look(env, i, &figures) || figures.state == PX_SPAWN_WAITING) {
            return system_fail(system, PX_EIO, placement->domains[i].name, figures.why);
        }
        if (figures.state == PX_SPAWN_SERVING) {
            i++;
        } else {
            system_turn(system, PX_MS(TURN_WAIT_MS));
        }
    }
    return PX_EOK;
}

enum px_err placement_start(struct px_system *system)
{
    if (system->placement == NULL) {
        return PX_EOK;
    }
    size_t n = 0;
    const struct px_contract *const *contracts = wiring_contracts(&n);
    px_hello_fill("plexus " PLEXUS_VERSION, contracts, n, &system->placement->hello);
    PX_TRY(domains_start(system));
    return domains_wait(system);
}

/* NULL: there are no domains, or the system is not there yet. */
static struct px_env *spawn_env(const struct px_system *system)
{
    return system->placement == NULL ? NULL
                                     : px_kernel_env(system->kernel, system->placement->addr_spawn);
}

void placement_end(struct px_system *system)
{
    struct px_env *env = spawn_env(system);
    if (env != NULL) {
        px_spawn_end(env);
    }
}

bool placement_domain_of(const struct px_system *system, const char *mailbox, uint32_t *ret_index)
{
    const struct placed *d = placed_of(system->placement, mailbox);
    struct px_env *env = spawn_env(system);
    struct px_spawn_figures figures;
    for (uint32_t i = 0; d != NULL && env != NULL && px_spawn_look(env, i, &figures); i++) {
        if (strcmp(figures.name, d->name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

bool px_domain_look(struct px_system *system, uint32_t index, struct px_domain_figures *ret_figures)
{
    static const char *const states[PX_SPAWN_N_STATES] = {
        [PX_SPAWN_STARTING] = "starting", [PX_SPAWN_SERVING] = "serving",
        [PX_SPAWN_WAITING] = "waiting",   [PX_SPAWN_STOPPING] = "stopping",
        [PX_SPAWN_STOPPED] = "stopped",
    };
    struct px_spawn_figures figures;
    struct px_env *env = spawn_env(system);
    if (env == NULL || !px_spawn_look(env, index, &figures)) {
        return false;
    }
    *ret_figures = (struct px_domain_figures){.name = figures.name,
                                              .state = states[figures.state],
                                              .why = figures.why,
                                              .sandbox = figures.sandbox,
                                              .lane = figures.lane,
                                              .pid = figures.pid,
                                              .starts = figures.starts};
    return true;
}

/* ---- changes ---- */

static bool placed_same(const struct placed *a, const struct placed *b)
{
    if (strcmp(a->name, b->name) != 0 || strcmp(a->sandbox, b->sandbox) != 0 ||
        a->no_spare != b->no_spare || a->lane != b->lane || a->n_services != b->n_services) {
        return false;
    }
    for (uint32_t i = 0; i < a->n_services; i++) {
        if (!placed_has(b, a->services[i])) {
            return false;
        }
    }
    return true;
}

/* Does a domain of `from` go on unchanged in `to`? */
static bool placed_stays(const struct placement *from, const struct placed *d,
                         const struct placement *to)
{
    const struct placed *other = placed_of(to, d->services[0]);
    return strcmp(from->program, to->program) == 0 && other != NULL && placed_same(d, other);
}

/* Every service in a domain of `from` is in one of `to`. */
static enum px_err check_covered(struct px_system *system, const struct placement *from,
                                 const struct placement *to)
{
    for (uint32_t i = 0; i < from->n_domains; i++) {
        for (uint32_t k = 0; k < from->domains[i].n_services; k++) {
            const char *name = from->domains[i].services[k];
            if (placed_of(to, name) == NULL) {
                return system_fail(system, PX_EUNSUPPORTED, name,
                                   "it cannot move between the program and a domain while it runs");
            }
        }
    }
    return PX_EOK;
}

static void on_placed(void *ctx, const char *why)
{
    struct px_system *system = ctx;
    struct placement *placement = system->placement, *next = placement->next;
    placement->next = NULL;
    if (why == NULL) {
        char *program = placement->program;
        placement->program = next->program;
        next->program = program;
        placement->n_domains = next->n_domains;
        memcpy(placement->domains, next->domains, sizeof placement->domains);
    }
    placement_free(next);
    if (placement->placed_fn != NULL) {
        placement->placed_fn(system, why, placement->placed_arg);
    }
}

/* Starts what is new; names what leaves. */
static enum px_err change_begin(struct px_system *system)
{
    struct setup s = {.grants_cap = 0};
    struct placement *placement = system->placement, *next = placement->next;
    enum px_err err =
        setup_fill(&s, px_kernel_env(system->kernel, system->addr_app)) ? PX_EOK : PX_ENOMEM;
    for (uint32_t i = 0; err == PX_EOK && i < next->n_domains; i++) {
        if (!placed_stays(next, &next->domains[i], placement)) {
            err = domain_start(system, &s, &next->domains[i], next->program, true);
        }
    }
    for (uint32_t i = 0; i < placement->n_domains; i++) {
        if (!placed_stays(placement, &placement->domains[i], next)) {
            px_spawn_leave(spawn_env(system), placement->domains[i].name);
        }
    }
    setup_done(&s);
    return err;
}

enum px_err px_system_place(struct px_system *system, const struct px_placement *config,
                            px_placed_fn fn, void *arg)
{
    struct placement *placement = system->placement, *next = NULL;
    if (placement == NULL) {
        return system_fail(system, PX_EUNSUPPORTED, "placement",
                           "it cannot move between the program and a domain while it runs");
    }
    if (system->app == NULL || placement->next != NULL || system->stopping) {
        return system_fail(system, PX_ESTATE, "placement", "a change is under way");
    }
    PX_TRY(placement_new(config, &next));
    enum px_err err = check_covered(system, placement, next);
    err = err == PX_EOK ? check_covered(system, next, placement) : err;
    if (err != PX_EOK) {
        placement_free(next);
        return err;
    }
    placement->next = next;
    placement->placed_fn = fn;
    placement->placed_arg = arg;
    err = change_begin(system);
    if (err != PX_EOK) {
        placement->next = NULL;
        placement_free(next);
        px_spawn_change_drop(spawn_env(system), "");
        return err != PX_EIO
                   ? err
                   : system_fail(system, err, "placement", px_spawn_change_why(spawn_env(system)));
    }
    px_spawn_change(spawn_env(system), on_placed, system);
    return PX_EOK;
}
