/* supervisor_change.c - which domains there are.
 *
 * A change is prepared beside what runs: new domains come as far as Ready. Only when all of them
 * have, those that leave end, and the new ones begin. One that ends before takes the change with
 * it.
 */
#include "supervisor_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NNG_PATH_MAX = 108 };

void domain_free(struct domain *d)
{
    if (d != NULL) {
        free(d->program);
        free(d->mailboxes);
        free(d->setup);
        px_pair_free(d->pair);
        free(d);
    }
}

static struct domain *domain_new(struct spawn *s, const struct px_spawn_domain *config)
{
    struct domain *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return NULL;
    }
    d->spawn = s;
    d->hello = config->hello;
    d->wants = config->lane;
    d->program = strdup(config->program);
    d->mailboxes = calloc(config->n_mailboxes, sizeof *d->mailboxes);
    if (d->program == NULL || d->mailboxes == NULL) {
        domain_free(d);
        return NULL;
    }
    snprintf(d->name, sizeof d->name, "%s", config->name);
    memcpy(d->mailboxes, config->mailboxes, config->n_mailboxes * sizeof *d->mailboxes);
    d->n_mailboxes = config->n_mailboxes;
    d->has_spare = !config->no_spare && config->lane != PX_SPAWN_NNG;
    return d;
}

/* What each process is told; with nng, where to connect as well. */
static enum px_err setup_pack(struct domain *d, const Link__SetupOf *from)
{
    Link__SetupOf setup = *from;
    char path[NNG_PATH_MAX];
    if (d->wants == PX_SPAWN_NNG) {
        PX_TRY(px_pair_listen(geteuid() == 0 ? SANDBOX_UID : geteuid(), &d->pair));
        setup.nng.len = (size_t)snprintf(path, sizeof path, "%s", px_pair_path(d->pair));
        setup.nng.data = (uint8_t *)path;
    }
    d->setup_len = link__setup_of__get_packed_size(&setup);
    d->setup = malloc(d->setup_len + 1);
    if (d->setup == NULL) {
        return PX_ENOMEM;
    }
    link__setup_of__pack(&setup, d->setup);
    return d->setup_len <= PX_HELLO_BODY_MAX ? PX_EOK : PX_EINVAL;
}

static enum px_err domain_add(struct spawn *s, const struct px_spawn_domain *domain,
                              bool is_prepared)
{
    uint32_t n = is_prepared ? s->n_prepared : s->n_domains - s->n_prepared;
    if (n == PX_SPAWN_DOMAINS_MAX) {
        return PX_ELIMIT;
    }
    if (strlen(domain->name) > NAME_LEN_MAX) {
        return PX_EINVAL;
    }
    struct domain *d = domain_new(s, domain);
    if (d == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = setup_pack(d, domain->setup);
    if (err != PX_EOK) {
        domain_free(d);
        return err;
    }
    d->is_prepared = is_prepared;
    s->n_prepared += is_prepared ? 1 : 0;
    s->domains[s->n_domains++] = d;
    domain_start(d);
    return PX_EOK;
}

enum px_err px_spawn_add(struct px_env *env, const struct px_spawn_domain *domain)
{
    return domain_add(spawn_of(env), domain, false);
}

/* ---- changes ---- */

/* The prepared domains go, or those that leave; the others keep their order. */
static void domains_retire(struct spawn *s, bool prepared)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_domains; i++) {
        struct domain *d = s->domains[i];
        if (prepared ? d->is_prepared : d->is_leaving) {
            domain_drop(d);
            spare_drop(d);
            domain_free(d);
        } else {
            s->domains[n++] = d;
        }
    }
    s->n_domains = n;
}

static void change_done(struct spawn *s, const char *why)
{
    void (*done)(void *, const char *) = s->done;
    s->done = NULL;
    if (done != NULL) {
        done(s->done_ctx, why);
    }
}

static void change_drop(struct spawn *s, const char *why)
{
    domains_retire(s, true);
    s->n_prepared = 0;
    for (uint32_t i = 0; i < s->n_domains; i++) {
        s->domains[i]->is_leaving = false;
    }
    change_done(s, why);
}

void change_failed(struct domain *d)
{
    struct spawn *s = d->spawn;
    snprintf(s->change_why, sizeof s->change_why, "%s: %s", d->name, d->why);
    change_drop(s, s->change_why);
}

/* Those that leave have ended before the others are in their place. */
void change_check(struct spawn *s)
{
    for (uint32_t i = 0; i < s->n_domains; i++) {
        const struct domain *d = s->domains[i];
        if (s->done == NULL || (d->is_prepared && !d->process->is_ready)) {
            return;
        }
    }
    domains_retire(s, false);
    uint32_t first = s->n_domains - s->n_prepared;
    s->n_prepared = 0;
    for (uint32_t i = first; i < s->n_domains; i++) {
        s->domains[i]->is_prepared = false;
    }
    for (uint32_t i = first; i < s->n_domains; i++) {
        domain_serve(s->domains[i]);
    }
    change_done(s, NULL);
}

enum px_err px_spawn_prepare(struct px_env *env, const struct px_spawn_domain *domain)
{
    struct spawn *s = spawn_of(env);
    uint32_t before = s->n_domains;
    PX_TRY(domain_add(s, domain, true));
    return s->n_domains > before ? PX_EOK : PX_EIO; /* it could not even be started */
}

const char *px_spawn_change_why(struct px_env *env)
{
    return spawn_of(env)->change_why;
}

void px_spawn_leave(struct px_env *env, const char *name)
{
    const struct spawn *s = spawn_of(env);
    for (uint32_t i = 0; i < s->n_domains; i++) {
        struct domain *d = s->domains[i];
        d->is_leaving = d->is_leaving || (!d->is_prepared && strcmp(d->name, name) == 0);
    }
}

void px_spawn_change(struct px_env *env, void (*done)(void *ctx, const char *why), void *ctx)
{
    struct spawn *s = spawn_of(env);
    s->done = done;
    s->done_ctx = ctx;
    change_check(s);
}

void px_spawn_change_drop(struct px_env *env, const char *why)
{
    change_drop(spawn_of(env), why);
}

/* ---- figures ---- */

bool px_spawn_look(struct px_env *env, uint32_t index, struct px_spawn_figures *ret)
{
    const struct spawn *s = spawn_of(env);
    if (index >= s->n_domains - s->n_prepared) {
        return false;
    }
    const struct domain *d = s->domains[index];
    const struct process *p = d->process;
    *ret = (struct px_spawn_figures){.name = d->name,
                                     .state = (enum px_spawn_state)d->state,
                                     .pid = p == NULL ? 0 : p->pid,
                                     .spare_pid = d->spare == NULL ? 0 : d->spare->pid,
                                     .spare_is_ready = d->spare != NULL && d->spare->is_ready,
                                     .starts = d->starts,
                                     .why = d->why,
                                     .sandbox = p == NULL ? "" : p->sandbox,
                                     .lane = p == NULL || !p->is_ready ? "" : lane_name(p)};
    return true;
}
