/* sim.c - the clock, the events of the world, and whose turn it is.
 */
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum { START_US = 1000000, LOSS_US_MIN = 200000, LOSS_US_MAX = 800000 };

/* ---- memory of the simulator itself ---- */

void *sim_calloc(size_t len)
{
    void *mem = calloc(1, len);
    if (mem == NULL) {
        abort();
    }
    return mem;
}

static void *sim_grow(void *mem, size_t len)
{
    void *grown = realloc(mem, len);
    if (grown == NULL) {
        abort();
    }
    return grown;
}

void sim_bytes_put(struct sim_bytes *b, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (b->off + b->len + len > b->cap && b->off > 0) {
        memmove(b->data, b->data + b->off, b->len);
        b->off = 0;
    }
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->data = sim_grow(b->data, b->cap);
    }
    memcpy(b->data + b->off + b->len, data, len);
    b->len += len;
}

void sim_bytes_drop(struct sim_bytes *b, size_t len)
{
    PX_ASSERT(len <= b->len);
    b->len -= len;
    b->off = b->len == 0 ? 0 : b->off + len;
}

void sim_bytes_free(struct sim_bytes *b)
{
    free(b->data);
    *b = (struct sim_bytes){.data = NULL};
}

void sim_queue_put(struct sim_queue *q, struct sim_piece piece)
{
    if (q->first + q->n == q->cap && q->first > 0) {
        memmove(q->pieces, q->pieces + q->first, q->n * sizeof *q->pieces);
        q->first = 0;
    }
    if (q->n == q->cap) {
        q->cap = q->cap == 0 ? 8 : q->cap * 2;
        q->pieces = sim_grow(q->pieces, q->cap * sizeof *q->pieces);
    }
    q->pieces[q->first + q->n++] = piece;
}

struct sim_piece *sim_queue_first(struct sim_queue *q)
{
    return q->n == 0 ? NULL : &q->pieces[q->first];
}

void sim_queue_drop(struct sim_queue *q)
{
    q->n--;
    q->first = q->n == 0 ? 0 : q->first + 1;
}

/* ---- events: a binary heap ordered by (time, order of scheduling) ---- */

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->seq < b->seq);
}

static void heap_set(struct px_sim *sim, uint32_t pos, struct sim_event *event)
{
    sim->heap[pos] = event;
    event->pos = pos;
}

static void heap_up(struct px_sim *sim, uint32_t pos)
{
    struct sim_event *event = sim->heap[pos];
    while (pos > 1 && event_before(event, sim->heap[pos / 2])) {
        heap_set(sim, pos, sim->heap[pos / 2]);
        pos /= 2;
    }
    heap_set(sim, pos, event);
}

static void heap_down(struct px_sim *sim, uint32_t pos)
{
    struct sim_event *event = sim->heap[pos];
    while (pos * 2 <= sim->n_heap) {
        uint32_t child = pos * 2;
        if (child < sim->n_heap && event_before(sim->heap[child + 1], sim->heap[child])) {
            child++;
        }
        if (!event_before(sim->heap[child], event)) {
            break;
        }
        heap_set(sim, pos, sim->heap[child]);
        pos = child;
    }
    heap_set(sim, pos, event);
}

void sim_event_cancel(struct px_sim *sim, struct sim_event *event)
{
    uint32_t pos = event->pos;
    if (pos == 0) {
        return;
    }
    event->pos = 0;
    struct sim_event *last = sim->heap[sim->n_heap--];
    if (last != event) {
        heap_set(sim, pos, last);
        heap_up(sim, pos);
        heap_down(sim, last->pos);
    }
}

void sim_event_set(struct px_sim *sim, struct sim_event *event, uint64_t at_us,
                   void (*fn)(struct sim_event *))
{
    sim_event_cancel(sim, event);
    if (sim->n_heap + 2 > sim->heap_cap) {
        sim->heap_cap = sim->heap_cap == 0 ? 64 : sim->heap_cap * 2;
        sim->heap = sim_grow(sim->heap, sim->heap_cap * sizeof *sim->heap);
    }
    event->at_us = at_us;
    event->seq = ++sim->event_seq;
    event->fn = fn;
    sim->n_heap++;
    heap_set(sim, sim->n_heap, event);
    heap_up(sim, sim->n_heap);
}

static void events_fire(struct px_sim *sim)
{
    while (sim->n_heap > 0 && sim->heap[1]->at_us <= sim->now_us) {
        struct sim_event *event = sim->heap[1];
        sim_event_cancel(sim, event);
        event->fn(event);
    }
}

/* ---- chance ---- */

uint32_t px_sim_below(struct px_sim *sim, uint32_t n)
{
    PX_ASSERT(n >= 1);
    return seed_below(&sim->chance, n);
}

bool px_sim_chance(struct px_sim *sim, uint32_t share)
{
    return share > 0 && seed_below(&sim->chance, 1000) < share;
}

uint64_t sim_delay_us(struct px_sim *sim)
{
    const struct px_sim_weather *w = &sim->weather;
    uint64_t delay = w->delay_us_min;
    if (w->delay_us_max > w->delay_us_min) {
        delay += px_sim_below(sim, w->delay_us_max - w->delay_us_min + 1);
    }
    if (px_sim_chance(sim, w->loss)) {
        delay += LOSS_US_MIN + px_sim_below(sim, LOSS_US_MAX - LOSS_US_MIN);
    }
    return delay;
}

/* ---- whose turn it is ---- */

static bool domain_is_busy(const struct sim_domain *d)
{
    return d->kernel != NULL && d->system->started &&
           (d->ready_first != NULL || d->wake_at_us <= d->sim->now_us ||
            px_kernel_next_us(d->kernel) == 0 || sim_lane_has_input(d));
}

static void domain_turn(struct sim_domain *d)
{
    px_kernel_turn(d->kernel, 0);
    d->sim->turns++;
}

/* When the timers of a domain want a turn; its kernel counts from the time of its last turn. */
static void domain_look_ahead(struct sim_domain *d)
{
    uint64_t in_us = px_kernel_next_us(d->kernel);
    uint64_t from_us = px_kernel_now_us(d->kernel);
    d->wake_at_us = in_us == PX_NEVER ? PX_NEVER : from_us + in_us;
}

/* A busy domain, chosen by chance among them; NULL: none. */
static struct sim_domain *busy_domain(struct px_sim *sim)
{
    struct sim_domain *busy[DOMAINS_MAX * 4];
    uint32_t n = 0;
    for (struct px_sim_system *s = sim->systems; s != NULL; s = s->next) {
        for (uint32_t i = 0; i < s->n_domains && n < DOMAINS_MAX * 4; i++) {
            if (domain_is_busy(&s->domains[i])) {
                busy[n++] = &s->domains[i];
            }
        }
    }
    return n == 0 ? NULL : n == 1 ? busy[0] : busy[px_sim_below(sim, n)];
}

static uint64_t next_due_us(struct px_sim *sim)
{
    uint64_t due = sim->n_heap == 0 ? PX_NEVER : sim->heap[1]->at_us;
    for (struct px_sim_system *s = sim->systems; s != NULL; s = s->next) {
        for (uint32_t i = 0; s->started && i < s->n_domains; i++) {
            struct sim_domain *d = &s->domains[i];
            if (d->kernel == NULL) {
                continue;
            }
            domain_look_ahead(d);
            due = d->wake_at_us < due ? d->wake_at_us : due;
        }
    }
    return due;
}

bool px_sim_step(struct px_sim *sim, uint64_t until_us)
{
    events_fire(sim);
    struct sim_domain *d = busy_domain(sim);
    if (d != NULL) {
        domain_turn(d);
        domain_look_ahead(d);
        return true;
    }
    uint64_t due = next_due_us(sim);
    if (due > until_us) {
        return false;
    }
    sim->now_us = due > sim->now_us ? due : sim->now_us;
    events_fire(sim);
    return true;
}

void px_sim_skip_to(struct px_sim *sim, uint64_t at_us)
{
    sim->now_us = at_us > sim->now_us ? at_us : sim->now_us;
}

void px_sim_settle(struct px_sim *sim)
{
    while (px_sim_step(sim, sim->now_us)) {
    }
}

void px_sim_advance_us(struct px_sim *sim, uint64_t us)
{
    uint64_t until_us = sim->now_us + us;
    while (px_sim_step(sim, until_us)) {
    }
    sim->now_us = until_us;
    px_sim_settle(sim);
}

bool px_sim_run_us(struct px_sim *sim, uint64_t us)
{
    uint64_t until_us = sim->now_us + us;
    while (px_sim_step(sim, until_us)) {
    }
    return next_due_us(sim) == PX_NEVER;
}

/* ---- the world ---- */

struct px_sim *px_sim_new(const struct px_sim_config *config)
{
    struct px_sim *sim = sim_calloc(sizeof *sim);
    sim->config = *config;
    if (sim->config.kernel.trace_records == 0) {
        sim->config.kernel.trace_records = getenv("PX_TRACE") == NULL ? 512 : 1 << 20;
    }
    sim->now_us = START_US;
    sim->chance = seed_of(config->seed);
    sim->entropy = seed_of(config->seed ^ 0x656e74726f7079u);
    sim->next_port = 49152;
    px_sim_weather(sim, &config->weather);
    return sim;
}

void px_sim_free(struct px_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    while (sim->peers != NULL) {
        px_sim_peer_free(sim->peers);
    }
    while (sim->systems != NULL) {
        struct px_sim_system *system = sim->systems;
        sim->systems = system->next;
        sim_system_free(system);
    }
    while (sim->conns != NULL) {
        sim_conn_free(sim->conns);
    }
    while (sim->listeners != NULL) {
        sim_listener_free(sim, sim->listeners);
    }
    free(sim->heap);
    free(sim);
}

void px_sim_weather(struct px_sim *sim, const struct px_sim_weather *weather)
{
    sim->weather = *weather;
    if (sim->weather.window == 0) {
        sim->weather.window = 65536;
    }
}

uint64_t px_sim_now_us(const struct px_sim *sim)
{
    return sim->now_us;
}

uint64_t px_sim_seed(const struct px_sim *sim)
{
    return sim->config.seed;
}

void px_sim_note(struct px_sim *sim, const char *text)
{
    snprintf(sim->note, sizeof sim->note, "%s", text);
}

uint64_t px_sim_turns(const struct px_sim *sim)
{
    return sim->turns;
}

uint64_t px_sim_link_refused(const struct px_sim *sim)
{
    return sim->lane_refused;
}

/* ---- failing ---- */

/* PX_TRACE=n in the environment: the newest n messages of every kernel, to stderr. */
static void dump_traces(struct px_sim *sim)
{
    const char *n = getenv("PX_TRACE");
    if (n == NULL) {
        return;
    }
    sim->config.verbose = true;
    for (struct px_sim_system *s = sim->systems; s != NULL; s = s->next) {
        for (uint32_t i = 0; i < s->n_domains; i++) {
            if (s->domains[i].kernel != NULL) {
                px_trace_dump(s->domains[i].kernel, strtoul(n, NULL, 10));
            }
        }
    }
}

void sim_fail(struct px_sim *sim, const char *file, int line, const char *text)
{
    char all[8192];
    size_t used = 0;
    int n = snprintf(all, sizeof all, "%s\nat %.6f s; replay with PX_SEED=%llu %s\n", text,
                     (double)sim->now_us / 1e6, (unsigned long long)sim->config.seed, sim->note);
    used = n < 0 ? 0 : (size_t)n;
    dump_traces(sim);
    uint32_t first = sim->n_log > 20 ? sim->n_log - 20 : 0;
    for (uint32_t i = first; i < sim->n_log && used < sizeof all; i++) {
        n = snprintf(all + used, sizeof all - used, "  log: %s\n", sim->log[i % LOG_LINES]);
        used += n < 0 ? 0 : (size_t)n;
    }
    if (sim->config.fail != NULL) {
        sim->config.fail(file, line, all);
    }
    fprintf(stderr, "%s:%d: %s", file, line, all);
    abort();
}
