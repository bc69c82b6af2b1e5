/* supervisor.c - the mailbox "spawn". Each domain:
 *
 *     STARTING --Ready--> SERVING --stop--> STOPPING --Stopped, ended--> STOPPED
 *     STARTING, SERVING --ended, hung--> STARTING (its successor), or WAITING when it dies too
 * often WAITING --time--> STARTING STARTING, WAITING --stop--> STOPPED
 *
 * A process that has ended or was ended is let go of at once: its end is taken in when the pidfd
 * says so, while its successor serves already: beside the process that serves there is a spare,
 * which has come as far as Ready and waits for Begin.
 */
#include "supervisor_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <px/fsm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link_contract.h"
#include "process.h"

enum { REAP_MS = 1, TRACE_AT_CRASH = 64 };

static const struct px_state domain_table[PX_SPAWN_N_STATES] = {
    [PX_SPAWN_STARTING] = {"starting", PX_TO(PX_SPAWN_SERVING) | PX_TO(PX_SPAWN_STARTING) |
                                           PX_TO(PX_SPAWN_WAITING) | PX_TO(PX_SPAWN_STOPPED)},
    [PX_SPAWN_SERVING] = {"serving", PX_TO(PX_SPAWN_STARTING) | PX_TO(PX_SPAWN_WAITING) |
                                         PX_TO(PX_SPAWN_STOPPING)},
    [PX_SPAWN_WAITING] = {"waiting", PX_TO(PX_SPAWN_STARTING) | PX_TO(PX_SPAWN_STOPPED)},
    [PX_SPAWN_STOPPING] = {"stopping", PX_TO(PX_SPAWN_STOPPED)},
    [PX_SPAWN_STOPPED] = {"stopped", 0},
};

enum counter {
    N_STARTS,
    N_DEATHS,
    N_HUNG,
    N_BACKOFFS,
    N_PROCESSES,
    N_SPARES,
    N_SPARE_DEATHS,
    N_COUNTERS
};

enum { KIND_END, KIND_WORDS }; /* of sources */

static void process_ended(struct process *p, const char *why);
static void on_spare_wanted(struct px_sul *sul);

struct spawn *spawn_of(struct px_env *env)
{
    return px_kernel_state(px_env_kernel(env), px_env_self(env));
}

static void domain_move(struct domain *d, enum px_spawn_state next)
{
    px_fsm_move(domain_table, &d->state, next);
}

/* ---- processes ---- */

static void process_free(struct spawn *s, struct process *p)
{
    struct process **at = &s->processes;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    posix_close(s->os, &p->end);
    posix_close(s->os, &p->mouth);
    px_rings_done(&p->offered);
    free(p);
}

/* Lets go of what a domain ran on; its end is taken in when it comes. */
static void process_drop(struct process *p)
{
    struct spawn *s = p->domain->spawn;
    px_sul_cancel(s->env, &p->patience);
    px_lane_free(p->lane);
    p->lane = NULL;
    px_rings_done(&p->offered);
    p->domain = NULL;
    if (p->is_over) {
        process_free(s, p);
    } else {
        process_kill(p->end.fd);
    }
}

static void word_line(void *ctx, enum px_log_level level, const char *line)
{
    const struct process *p = ctx;
    PX_LOG(p->spawn->env, level, "domain_says", PX_KV_STR("domain", p->name),
           PX_KV_U64("pid", (uint64_t)p->pid), PX_KV_STR("line", line));
}

/* What it wrote to its standard error. */
static void process_listen(struct process *p)
{
    if (p->mouth.watched && !words_read(&p->words, p->mouth.fd, px_now_us(p->spawn->env))) {
        posix_close(p->spawn->os, &p->mouth);
    }
}

/* Its end is readable once, when it has ended. */
static void process_ready(void *state, struct posix_source *source, uint32_t events)
{
    struct spawn *s = state;
    char text[64];
    (void)events;
    if (source->kind == KIND_WORDS) {
        process_listen(px_container_of(source, struct process, mouth));
        return;
    }
    struct process *p = px_container_of(source, struct process, end);
    if (!process_reap(source->fd, 0, text, sizeof text, &p->has_crashed)) {
        return;
    }
    process_listen(p);
    p->is_over = true;
    if (p->domain != NULL) {
        process_ended(p, text);
    } else {
        process_free(s, p);
    }
}

/* ---- ends ---- */

static void check_drained(struct spawn *s)
{
    bool all = s->stopping;
    for (uint32_t i = 0; i < s->n_domains; i++) {
        all = all && s->domains[i]->state == PX_SPAWN_STOPPED;
    }
    if (all) {
        px_env_drained(s->env);
    }
}

static void domain_stopped(struct domain *d)
{
    domain_move(d, PX_SPAWN_STOPPED);
    check_drained(d->spawn);
}

static void on_pause_over(struct px_sul *sul)
{
    domain_start(px_container_of(sul, struct domain, timer));
}

/* Longer after each failure. */
static uint64_t pause_ms(uint32_t n_failures)
{
    uint64_t ms = n_failures < 8 ? (uint64_t)SPAWN_BACKOFF_MS << n_failures : UINT32_MAX;
    return ms < SPAWN_BACKOFF_MAX_MS ? ms : SPAWN_BACKOFF_MAX_MS;
}

/* Its successor, now or after a pause. */
static void domain_again(struct domain *d, bool was_quick)
{
    struct spawn *s = d->spawn;
    d->quick_deaths = was_quick ? d->quick_deaths + 1 : 0;
    if (d->quick_deaths < SPAWN_QUICK_DEATHS) {
        domain_start(d);
        return;
    }
    domain_move(d, PX_SPAWN_WAITING);
    px_count(s->env, N_BACKOFFS, 1);
    px_sul_schedule(s->env, &d->timer, on_pause_over,
                    PX_MS(pause_ms(d->quick_deaths - SPAWN_QUICK_DEATHS)));
}

void domain_drop(struct domain *d)
{
    px_sul_cancel(d->spawn->env, &d->timer);
    if (d->process != NULL) {
        process_drop(d->process);
        d->process = NULL;
    }
}

void spare_drop(struct domain *d)
{
    px_sul_cancel(d->spawn->env, &d->spare_timer);
    if (d->spare != NULL) {
        process_drop(d->spare);
        d->spare = NULL;
    }
}

/* What happened last between services, in the log: a process that crashed cannot tell. */
static void crash_dump(const struct domain *d)
{
    PX_LOG(d->spawn->env, PX_LOG_ERROR, "domain_crashed", PX_KV_STR("domain", d->name),
           PX_KV_U64("records", TRACE_AT_CRASH));
    px_trace_dump(px_env_kernel(d->spawn->env), TRACE_AT_CRASH);
}

static void domain_ended(struct domain *d, const char *why)
{
    struct spawn *s = d->spawn;
    const struct process *p = d->process;
    bool was_quick =
        d->state != PX_SPAWN_SERVING || px_now_us(s->env) - d->ready_at_us < PX_MS(SPAWN_STABLE_MS);
    bool wanted = d->state == PX_SPAWN_STARTING || d->state == PX_SPAWN_SERVING;
    bool crashed = p != NULL && p->has_crashed;
    snprintf(d->why, sizeof d->why, "%s", p != NULL && p->refused[0] != '\0' ? p->refused : why);
    PX_LOG(s->env, wanted ? PX_LOG_WARN : PX_LOG_INFO, "domain_ended", PX_KV_STR("domain", d->name),
           PX_KV_STR("why", d->why), PX_KV_U64("pid", p == NULL ? 0 : (uint64_t)p->pid));
    px_count(s->env, N_DEATHS, 1);
    if (crashed) {
        crash_dump(d);
    }
    if (d->is_prepared) {
        change_failed(d);
        return;
    }
    domain_drop(d);
    if (wanted) {
        domain_again(d, was_quick);
    } else if (d->state == PX_SPAWN_STOPPING) {
        domain_stopped(d);
    }
}

static void domain_hung(struct domain *d, const char *why)
{
    px_count(d->spawn->env, N_HUNG, 1);
    domain_ended(d, why);
}

/* ---- spares ---- */

static void spare_later(struct domain *d, uint64_t wait_ms)
{
    if (d->has_spare && d->spare == NULL) {
        px_sul_schedule(d->spawn->env, &d->spare_timer, on_spare_wanted, PX_MS(wait_ms));
    }
}

/* The next one is tried later each time, until one is needed and serves. */
static void spare_ended(struct domain *d, const char *why)
{
    const struct process *p = d->spare;
    PX_LOG(d->spawn->env, PX_LOG_WARN, "spare_ended", PX_KV_STR("domain", d->name),
           PX_KV_STR("why", p->refused[0] != '\0' ? p->refused : why),
           PX_KV_U64("pid", (uint64_t)p->pid));
    px_count(d->spawn->env, N_SPARE_DEATHS, 1);
    spare_drop(d);
    spare_later(d, pause_ms(d->spare_deaths++));
}

static void process_ended(struct process *p, const char *why)
{
    if (p == p->domain->spare) {
        spare_ended(p->domain, why);
    } else {
        domain_ended(p->domain, why);
    }
}

/* ---- heartbeat: only while something sent has not been answered by anything ---- */

static void on_beat(struct px_sul *sul)
{
    struct domain *d = px_container_of(sul, struct domain, timer);
    Link__None none = LINK__NONE__INIT;
    struct px_lane *lane = d->process->lane;
    uint64_t heard = px_lane_received(lane), sent = px_lane_sent(lane);
    bool is_silent = heard == d->heard, is_calm = sent == d->sent;
    d->silent_beats = is_silent ? d->silent_beats + 1 : 0;
    d->heard = heard;
    d->sent = sent;
    if (d->silent_beats >= SPAWN_BEATS_MAX) {
        domain_hung(d, "hung: it has not answered for 3 s");
        return;
    }
    if (is_calm && !is_silent) {
        px_lane_calm(lane); /* the next message starts the next beat */
        return;
    }
    if (is_silent) {
        px_lane_control(lane, LINK_PING, &none.base);
    }
    px_sul_schedule(d->spawn->env, &d->timer, on_beat, PX_MS(SPAWN_BEAT_MS));
}

static void lane_busy(void *ctx)
{
    const struct process *p = ctx;
    struct domain *d = p->domain;
    if (d->state == PX_SPAWN_SERVING || d->state == PX_SPAWN_STOPPING) {
        d->heard = px_lane_received(p->lane);
        d->sent = px_lane_sent(p->lane);
        d->silent_beats = 0;
        px_sul_schedule(d->spawn->env, &d->timer, on_beat, PX_MS(SPAWN_BEAT_MS));
    }
}

/* ---- what a domain says ---- */

static void text_take(const ProtobufCBinaryData *from, char *ret, size_t size)
{
    size_t n = from->len < size - 1 ? from->len : size - 1;
    for (size_t i = 0; i < n; i++) {
        ret[i] = from->data[i] >= ' ' && from->data[i] < 0x7f ? (char)from->data[i] : '?';
    }
    ret[n] = '\0';
}

/* Begin is the last that goes over the socket if there are rings, or nng. */
static enum px_err process_begin(struct process *p)
{
    Link__None none = LINK__NONE__INIT;
    px_lane_control(p->lane, LINK_BEGIN, &none.base);
    px_lane_flush(p->lane);
    if (p->has_rings) {
        PX_TRY(px_lane_rings(p->lane, &p->offered));
    } else if (p->domain->pair != NULL) {
        PX_TRY(px_lane_pair(p->lane, p->domain->pair));
    }
    return px_lane_place(p->lane, p->domain->mailboxes, p->domain->n_mailboxes);
}

const char *lane_name(const struct process *p)
{
    return p->has_rings ? "rings" : p->domain->pair != NULL ? "nng" : "stream";
}

/* Its process is ready: its mailboxes are there from now on. */
void domain_serve(struct domain *d)
{
    struct spawn *s = d->spawn;
    struct process *p = d->process;
    domain_move(d, PX_SPAWN_SERVING);
    d->ready_at_us = px_now_us(s->env);
    enum px_err err = process_begin(p);
    if (err != PX_EOK) {
        domain_ended(d, px_err_text(err));
        return;
    }
    PX_LOG(s->env, PX_LOG_INFO, "domain_ready", PX_KV_STR("domain", d->name),
           PX_KV_U64("pid", (uint64_t)p->pid), PX_KV_STR("sandbox", p->sandbox),
           PX_KV_STR("lane", lane_name(p)));
    spare_later(d, SPAWN_SPARE_MS);
}

static void on_ready(struct process *p, const uint8_t *body, size_t len)
{
    struct domain *d = p->domain;
    Link__ReadyWith *ready = link__ready_with__unpack(NULL, len, body);
    if (ready == NULL) {
        process_ended(p, "its Ready cannot be read");
        return;
    }
    text_take(&ready->sandbox, p->sandbox, sizeof p->sandbox);
    p->has_rings = ready->rings;
    link__ready_with__free_unpacked(ready, NULL);
    if (p->has_rings && p->offered.memory == NULL) {
        process_ended(p, "it says that it has rings which it was not given");
        return;
    }
    px_sul_cancel(d->spawn->env, &p->patience);
    p->is_ready = true;
    if (d->is_prepared) {
        change_check(d->spawn);
    } else if (p == d->process) {
        domain_serve(d);
    }
}

static void on_refused(struct process *p, const uint8_t *body, size_t len)
{
    Link__RefusedBecause *refused = link__refused_because__unpack(NULL, len, body);
    if (refused != NULL) {
        text_take(&refused->reason, p->refused, sizeof p->refused);
        link__refused_because__free_unpacked(refused, NULL);
    }
    process_ended(p, "refused");
}

static void on_hello(struct process *p, const uint8_t *body, size_t len)
{
    char why[PX_HELLO_WHY_MAX];
    if (px_hello_check(p->domain->hello, body, len, why) != PX_EOK) {
        process_ended(p, why);
        return;
    }
    p->said_hello = true;
}

static void lane_control(void *ctx, uint16_t method, const uint8_t *body, size_t len)
{
    struct process *p = ctx;
    struct domain *d = p->domain;
    bool serves = p == d->process && p->is_ready;
    if (method == LINK_HELLO && !p->is_ready && !p->said_hello) {
        on_hello(p, body, len);
    } else if (method == LINK_READY && !p->is_ready && p->said_hello) {
        on_ready(p, body, len);
    } else if (method == LINK_REFUSED && !p->is_ready && p->said_hello) {
        on_refused(p, body, len);
    } else if (method == LINK_STOPPED && serves && d->state == PX_SPAWN_STOPPING) {
        domain_stopped(d); /* the link stays: others may still have to tell it something */
    } else if ((method != LINK_PONG && method != LINK_STOPPED) || !serves) {
        process_ended(p, "it broke the protocol of the link");
    }
}

/* The pidfd says how it ended: a process that ends is through a few microseconds behind its last
 * descriptor. */
static void lane_ended(void *ctx, const char *why)
{
    struct process *p = ctx;
    char text[64];
    if (strcmp(why, PX_LANE_CLOSED) == 0 &&
        process_reap(p->end.fd, REAP_MS, text, sizeof text, &p->has_crashed)) {
        p->is_over = true;
        process_listen(p);
        why = text;
    }
    process_ended(p, why);
}

/* ---- starting ---- */

static void on_patience_over(struct px_sul *sul)
{
    static const char why[] = "hung: it was not ready within 5 s";
    struct process *p = px_container_of(sul, struct process, patience);
    if (p == p->domain->spare) {
        spare_ended(p->domain, why);
    } else {
        domain_hung(p->domain, why);
    }
}

/* Rings to offer; where the host refuses them, the socket does as well. */
static bool rings_offer(struct process *p, int ret_fds[PX_RING_FDS])
{
    if (p->domain->wants != PX_SPAWN_RINGS || px_rings_make(ret_fds) != PX_EOK) {
        return false;
    }
    if (px_rings_attach(ret_fds, true, &p->offered) != PX_EOK) {
        px_rings_close(ret_fds);
        return false;
    }
    return true;
}

static enum px_err lane_start(struct process *p, int socket)
{
    int fds[PX_RING_FDS];
    bool offers = rings_offer(p, fds);
    const struct px_lane_config config = {.control = lane_control,
                                          .busy = lane_busy,
                                          .ended = lane_ended,
                                          .ctx = p,
                                          .offer = offers ? fds : NULL};
    enum px_err err = px_lane_new(p->spawn->link_env, socket, &config, &p->lane);
    if (offers) {
        (void)close(fds[0]);
    }
    return err;
}

/* Watches a process and all that leads to it. What it could not take over is closed. */
static enum px_err process_watch(struct process *p, struct process_handles *take)
{
    struct spawn *s = p->spawn;
    p->end.kind = KIND_END;
    p->mouth.kind = KIND_WORDS;
    enum px_err err = posix_watch(s->os, s->owner, &p->end, take->pidfd, POSIX_IN);
    if (err == PX_EOK) {
        take->pidfd = -1;
        err = posix_watch(s->os, s->owner, &p->mouth, take->words, POSIX_IN);
    }
    if (err == PX_EOK) {
        take->words = -1;
        err = lane_start(p, take->socket);
    }
    if (err == PX_EOK) {
        take->socket = -1;
    }
    return err;
}

static void process_greet(struct process *p)
{
    const struct domain *d = p->domain;
    px_lane_control(p->lane, LINK_HELLO, &d->hello->from.base);
    px_lane_control_packed(p->lane, LINK_SETUP, d->setup, d->setup_len);
}

/* A process for `d`, told who we are and what to host. NULL: `ret_why` says why there is none. */
static struct process *process_new(struct domain *d, char ret_why[PX_SPAWN_WHY_MAX])
{
    struct spawn *s = d->spawn;
    struct process_handles handles;
    struct process *p = calloc(1, sizeof *p);
    if (p == NULL || process_start(d->program, &handles) != PX_EOK) {
        snprintf(ret_why, PX_SPAWN_WHY_MAX, "%s: %s", d->program,
                 p == NULL ? px_err_text(PX_ENOMEM) : strerror(errno));
        free(p);
        return NULL;
    }
    p->spawn = s;
    p->domain = d;
    p->pid = (int)handles.pid;
    p->words = (struct words){.line = word_line, .ctx = p};
    snprintf(p->name, sizeof p->name, "%s", d->name);
    p->next = s->processes;
    s->processes = p;
    px_count(s->env, N_PROCESSES, 1);
    if (d->pair != NULL) {
        px_pair_expect(d->pair, handles.pid);
    }
    enum px_err err = process_watch(p, &handles);
    if (err != PX_EOK) {
        snprintf(ret_why, PX_SPAWN_WHY_MAX, "%s", px_err_text(err));
        p->is_over = !p->end.watched || handles.pidfd >= 0;
        process_handles_end(&handles);
        process_drop(p);
        return NULL;
    }
    process_greet(p);
    px_sul_schedule(s->env, &p->patience, on_patience_over, PX_MS(SPAWN_READY_MS));
    return p;
}

void domain_start(struct domain *d)
{
    char why[PX_SPAWN_WHY_MAX];
    domain_move(d, PX_SPAWN_STARTING);
    d->starts++;
    px_count(d->spawn->env, N_STARTS, 1);
    px_sul_cancel(d->spawn->env, &d->spare_timer);
    if (d->spare != NULL) {
        px_count(d->spawn->env, N_SPARES, 1);
        d->process = d->spare;
        d->spare = NULL;
        d->spare_deaths = 0;
    } else {
        d->process = process_new(d, why);
    }
    if (d->process == NULL) {
        domain_ended(d, why);
    } else if (d->process->is_ready) {
        domain_serve(d);
    }
}

static void on_spare_wanted(struct px_sul *sul)
{
    struct domain *d = px_container_of(sul, struct domain, spare_timer);
    char why[PX_SPAWN_WHY_MAX];
    d->spare = process_new(d, why);
    if (d->spare == NULL) {
        PX_LOG(d->spawn->env, PX_LOG_WARN, "no_spare", PX_KV_STR("domain", d->name),
               PX_KV_STR("why", why));
        spare_later(d, pause_ms(d->spare_deaths++));
    }
}

/* ---- the end ---- */

void px_spawn_end(struct px_env *env)
{
    struct spawn *s = spawn_of(env);
    for (uint32_t i = 0; i < s->n_domains; i++) {
        px_sul_cancel(env, &s->domains[i]->timer);
        px_sul_cancel(env, &s->domains[i]->spare_timer);
    }
    for (struct process *p = s->processes; p != NULL; p = p->next) {
        px_sul_cancel(env, &p->patience);
        px_lane_free(p->lane); /* it sees that, and ends */
        p->lane = NULL;
        px_rings_done(&p->offered);
    }
    while (s->processes != NULL) {
        process_finish(s->processes->end.fd, SPAWN_FINISH_MS);
        process_free(s, s->processes);
    }
    for (uint32_t i = 0; i < s->n_domains; i++) {
        domain_free(s->domains[i]);
    }
    s->n_domains = 0;
}

static void domain_stop(struct domain *d)
{
    Link__None none = LINK__NONE__INIT;
    spare_drop(d);
    if (d->state == PX_SPAWN_SERVING) {
        domain_move(d, PX_SPAWN_STOPPING);
        px_lane_control(d->process->lane, LINK_STOP, &none.base);
    } else if (d->state == PX_SPAWN_STARTING || d->state == PX_SPAWN_WAITING) {
        domain_drop(d);
        domain_stopped(d);
    }
}

static void spawn_stop(void *state)
{
    struct spawn *s = state;
    s->stopping = true;
    px_spawn_change_drop(s->env, "the system stops");
    for (uint32_t i = 0; i < s->n_domains; i++) {
        domain_stop(s->domains[i]);
    }
    check_drained(s);
}

static enum px_err spawn_init(void *state, struct px_env *env)
{
    struct spawn *s = state;
    s->env = env;
    s->os = posix_of(env);
    if (s->os == NULL) {
        return PX_EUNSUPPORTED;
    }
    s->link_env = px_kernel_env(px_env_kernel(env), px_mailbox(env, "link"));
    if (s->link_env == NULL) {
        return PX_ENOENT;
    }
    return posix_join(s->os, env, s, process_ready, &s->owner);
}

static const char *const counter_names[N_COUNTERS] = {[N_STARTS] = "starts",
                                                      [N_DEATHS] = "deaths",
                                                      [N_HUNG] = "hung",
                                                      [N_BACKOFFS] = "backoffs",
                                                      [N_PROCESSES] = "processes",
                                                      [N_SPARES] = "spares",
                                                      [N_SPARE_DEATHS] = "spare_deaths"};

const struct px_service px_spawn_service = {
    .name = "spawn",
    .state_size = sizeof(struct spawn),
    .counters = counter_names,
    .n_counters = N_COUNTERS,
    .init = spawn_init,
    .stop = spawn_stop,
};
