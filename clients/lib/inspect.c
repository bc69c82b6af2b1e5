/* inspect.c - the mailbox "inspect": what a running system looks like from inside.
 *
 * An answer is built in an arena that, without memory, is a spare one in which everything lies on
 * top of everything else: so nothing that was written there is read again here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "door.h"
#include "inspect.pb-c.h"
#include "inspect_contract.h"
#include "inspect_impl.h"
#include "placement.h"

/* The mailboxes are numbered from 1 without gaps. */
static bool mailbox_is(const struct inspect *inspect, px_addr addr)
{
    return strcmp(px_mailbox_name(inspect->env, addr), "?") != 0;
}

/* A mailbox for services outside that nobody was yet is nothing to look at. */
static bool mailbox_is_shown(const struct inspect *inspect, px_addr addr)
{
    return !door_is_outside(inspect->system, addr) ||
           door_outside_name(inspect->system, addr) != NULL;
}

const char *inspect_name(const struct inspect *inspect, px_addr addr)
{
    const char *outside = door_outside_name(inspect->system, addr);
    return outside != NULL ? outside : px_mailbox_name(inspect->env, addr);
}

static px_addr mailbox_named(const struct inspect *inspect, const char *name)
{
    px_addr addr = 1;
    while (mailbox_is(inspect, addr) && strcmp(inspect_name(inspect, addr), name) != 0) {
        addr++;
    }
    return mailbox_is(inspect, addr) ? addr : 0;
}

/* ---- the system, its services ---- */

static void on_system(void *state, const struct px_msg *msg)
{
    const struct inspect *inspect = state;
    struct px_ledger ledger;
    px_kernel_ledger(inspect->system->kernel, &ledger);
    Inspect__SystemIs *m = px_msg_new(inspect->env, &inspect__system_is__descriptor);
    put_text(m, &m->version, PLEXUS_VERSION);
    m->pid = (uint32_t)getpid();
    m->uptime_us = px_now_us(inspect->env) - inspect->since_us;
    m->deliveries = ledger.deliveries;
    m->lost = ledger.lost;
    m->denied = ledger.denied;
    m->late = ledger.late;
    m->memory = ledger.mem;
    m->queued = ledger.queued;
    m->calls = ledger.calls;
    m->trace_position = ledger.traced;
    m->trace_length = INSPECT_TRACE_LENGTH;
    px_reply(inspect->env, msg, PX_OK, m);
}

static void fill_counters(const struct inspect *inspect, void *body, Inspect__ServiceIs *s,
                          px_addr addr)
{
    const char *name = "";
    size_t n = 0;
    while (px_kernel_counter(inspect->system->kernel, addr, (uint32_t)n, &name), name != NULL) {
        n++;
    }
    if (n == 0) {
        return;
    }
    Inspect__CounterIs **list = px_msg_alloc(body, n * sizeof(Inspect__CounterIs *));
    s->counters = list;
    s->n_counters = n;
    for (uint32_t i = 0; i < n; i++) {
        Inspect__CounterIs *c = px_msg_alloc(body, sizeof *c);
        inspect__counter_is__init(c);
        c->value = px_kernel_counter(inspect->system->kernel, addr, i, &name);
        put_text(body, &c->name, name);
        list[i] = c;
    }
}

static void fill_place(const struct inspect *inspect, void *body, Inspect__ServiceIs *s,
                       const char *name)
{
    struct px_domain_figures domain;
    uint32_t index;
    if (placement_domain_of(inspect->system, name, &index) &&
        px_domain_look(inspect->system, index, &domain)) {
        s->pid = (uint32_t)domain.pid;
        put_text(body, &s->domain, domain.name);
    } else {
        s->pid = s->remote ? 0 : (uint32_t)getpid();
    }
}

static Inspect__DomainIs *domain_of(void *body, const struct px_domain_figures *domain)
{
    Inspect__DomainIs *d = px_msg_alloc(body, sizeof *d);
    inspect__domain_is__init(d);
    d->pid = (uint32_t)domain->pid;
    d->starts = domain->starts;
    put_text(body, &d->name, domain->name);
    put_text(body, &d->state, domain->state);
    put_text(body, &d->sandbox, domain->sandbox);
    put_text(body, &d->why, domain->why);
    put_text(body, &d->lane, domain->lane);
    return d;
}

static void fill_domains(const struct inspect *inspect, Inspect__ServiceList *m)
{
    struct px_domain_figures domain;
    uint32_t n = 0;
    while (px_domain_look(inspect->system, n, &domain)) {
        n++;
    }
    if (n == 0) {
        return;
    }
    Inspect__DomainIs **list = px_msg_alloc(m, n * sizeof(Inspect__DomainIs *));
    m->domains = list;
    m->n_domains = n;
    for (uint32_t i = 0; i < n && px_domain_look(inspect->system, i, &domain); i++) {
        list[i] = domain_of(m, &domain);
    }
}

static Inspect__ServiceIs *service_of(const struct inspect *inspect, void *body, px_addr addr)
{
    struct px_ledger ledger;
    px_peer peer = px_mailbox_peer(inspect->env, addr);
    px_service_ledger(inspect->system->kernel, addr, &ledger);
    Inspect__ServiceIs *s = px_msg_alloc(body, sizeof *s);
    inspect__service_is__init(s);
    s->number = addr;
    s->alive = peer != 0;
    s->remote = px_kernel_env(inspect->system->kernel, addr) == NULL;
    fill_place(inspect, body, s, px_mailbox_name(inspect->env, addr));
    s->calls = ledger.calls;
    s->holds = ledger.holds;
    s->pieces = ledger.pieces;
    s->timers = ledger.timers;
    s->elements = ledger.elems;
    put_text(body, &s->name, inspect_name(inspect, addr));
    s->contracts = inspect_contracts(inspect, body, addr, &s->n_contracts);
    fill_counters(inspect, body, s, addr);
    return s;
}

static void on_services(void *state, const struct px_msg *msg)
{
    const struct inspect *inspect = state;
    uint32_t n_all = 0, n = 0;
    while (mailbox_is(inspect, (px_addr)(n_all + 1))) {
        n_all++;
    }
    Inspect__ServiceList *m = px_msg_new(inspect->env, &inspect__service_list__descriptor);
    Inspect__ServiceIs **list = px_msg_alloc(m, n_all * sizeof(Inspect__ServiceIs *));
    for (px_addr addr = 1; addr <= n_all; addr++) {
        if (mailbox_is_shown(inspect, addr)) {
            list[n++] = service_of(inspect, m, addr);
        }
    }
    m->services = list;
    m->n_services = n;
    fill_domains(inspect, m);
    px_reply(inspect->env, msg, PX_OK, m);
}

/* ---- the trace ---- */

static const char *const kind_names[] = {"oneway", "call", "reply", "item", "ended",
                                         "more",   "lost", "gone",  "back"};
static const char *const outcome_names[] = {"queued", "denied", "lost", "late", "nobody"};

/* Full name of a method, as far as it is one of the contracts of this system. */
static void put_method(const struct inspect *inspect, void *body, ProtobufCBinaryData *ret,
                       uint16_t method)
{
    const ProtobufCServiceDescriptor *d = contract_descriptor(inspect->system, method >> 8);
    char name[128];
    if (d != NULL && (method & 0xffu) < d->n_methods) {
        snprintf(name, sizeof name, "%s.%s", d->name, d->methods[method & 0xffu].name);
        put_text(body, ret, name);
    }
}

static Inspect__TraceIs *record_of(const struct inspect *inspect, void *body,
                                   const struct px_trace *t)
{
    Inspect__TraceIs *r = px_msg_alloc(body, sizeof *r);
    inspect__trace_is__init(r);
    r->at_us = t->at_us - inspect->since_us;
    r->about = t->about;
    r->bytes = t->bytes;
    r->status = t->status;
    put_text(body, &r->sender, inspect_name(inspect, t->from));
    put_text(body, &r->receiver, inspect_name(inspect, t->to));
    put_text(body, &r->kind, kind_names[t->kind]);
    put_text(body, &r->outcome, outcome_names[t->outcome]);
    put_method(inspect, body, &r->method, t->method);
    return r;
}

/* Reads the newest `n` records. */
static void ring_read(struct inspect *inspect, uint64_t n)
{
    inspect->n_records =
        (uint32_t)px_trace_read(inspect->system->kernel, inspect->records, (size_t)n);
}

/* What a watcher causes by watching is not told to watchers. */
static bool is_watching(const struct inspect *inspect, const struct px_trace *t)
{
    px_addr self = px_env_self(inspect->env);
    return (t->from == self && t->kind == PX_KIND_ITEM) ||
           (t->to == self && t->kind == PX_KIND_MORE);
}

Inspect__TraceRecords *inspect_records(struct inspect *inspect, const struct trace_wish *wish,
                                       uint64_t *ret_position, uint32_t *ret_n)
{
    struct px_ledger ledger;
    px_kernel_ledger(inspect->system->kernel, &ledger);
    uint64_t have = ledger.traced < INSPECT_TRACE_LENGTH ? ledger.traced : INSPECT_TRACE_LENGTH;
    uint64_t oldest = ledger.traced - have;
    uint64_t at = wish->position < oldest ? oldest : wish->position;
    at = at < ledger.traced ? at : ledger.traced;
    ring_read(inspect, ledger.traced - at);
    Inspect__TraceRecords *m = px_msg_new(inspect->env, &inspect__trace_records__descriptor);
    Inspect__TraceIs **list = px_msg_alloc(m, wish->max * sizeof(Inspect__TraceIs *));
    uint32_t n = 0, i = 0;
    for (; i < inspect->n_records && n < wish->max; i++) {
        const struct px_trace *t = &inspect->records[i];
        bool wanted = wish->only == 0 || t->from == wish->only || t->to == wish->only;
        if (wanted && !(wish->watches && is_watching(inspect, t))) {
            list[n++] = record_of(inspect, m, t);
        }
    }
    m->records = list;
    m->n_records = n;
    m->position = at + i;
    m->missed = wish->position == 0 || wish->position >= at ? 0 : at - wish->position;
    *ret_position = at + i;
    *ret_n = n;
    return m;
}

enum px_status inspect_wish(const struct inspect *inspect, const Inspect__TraceFrom *from,
                            struct trace_wish *ret_wish)
{
    char name[32] = "";
    if (from->service.len < sizeof name && from->service.len > 0) {
        memcpy(name, from->service.data, from->service.len);
    }
    *ret_wish = (struct trace_wish){.position = from->position,
                                    .max = from->max == 0 ? INSPECT_RECORDS_MAX : from->max,
                                    .only = mailbox_named(inspect, name)};
    if (from->service.len > 0 && ret_wish->only == 0) {
        return PX_NOT_FOUND;
    }
    return ret_wish->max > INSPECT_RECORDS_MAX ? PX_BAD_REQUEST : PX_OK;
}

static void on_trace(void *state, const struct px_msg *msg)
{
    struct inspect *inspect = state;
    struct trace_wish wish;
    uint64_t position;
    uint32_t n;
    enum px_status status = inspect_wish(inspect, msg->body, &wish);
    if (status != PX_OK) {
        px_reply_status(inspect->env, msg, status);
        return;
    }
    px_reply(inspect->env, msg, PX_OK, inspect_records(inspect, &wish, &position, &n));
}

/* ---- the mailbox ---- */

void inspect_start(struct px_system *system)
{
    px_addr addr = px_kernel_mailbox(system->kernel, px_inspect_service.name);
    struct inspect *inspect = px_kernel_state(system->kernel, addr);
    inspect->system = system;
}

static enum px_err inspect_init(void *state, struct px_env *env)
{
    struct inspect *inspect = state;
    inspect->env = env;
    inspect->since_us = px_now_us(env);
    return inspect_watch_init(inspect);
}

static const struct px_handler handlers[] = {
    {INSPECT_SYSTEM, on_system},
    {INSPECT_SERVICES, on_services},
    {INSPECT_DESCRIBE, inspect_on_describe},
    {INSPECT_TRACE, on_trace},
    {INSPECT_EDGES, inspect_on_edges},
    {INSPECT_WATCH, inspect_on_watch},
};

const struct px_service px_inspect_service = {
    .name = "inspect",
    .state_size = sizeof(struct inspect),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof handlers[0],
    .init = inspect_init,
    .more = inspect_watch_more,
    .ended = inspect_watch_ended,
};
