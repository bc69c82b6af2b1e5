/* supervisor.c - the mailbox "spawn". Each domain:
 *
 *     STARTING --Ready--> SERVING --stop--> STOPPING --Stopped, ended--> STOPPED
 *     STARTING, SERVING --ended, hung--> STARTING (its successor), or WAITING when it dies too
 * often WAITING --time--> STARTING STARTING, WAITING --stop--> STOPPED
 *
 * A process that has ended or was ended is let go of at once: its end is taken in when the pidfd
 * says so, while its successor is starting already.
 */
#include "supervisor.h"

#include <errno.h>
#include <px/assert.h>
#include <px/fsm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lane.h"
#include "link_contract.h"
#include "posix_loop.h"
#include "process.h"

enum { NAME_LEN_MAX = 31, SANDBOX_TEXT_MAX = 256, REAP_MS = 1 };

static const struct px_state domain_table[PX_SPAWN_N_STATES] = {
    [PX_SPAWN_STARTING] = {"starting", PX_TO(PX_SPAWN_SERVING) | PX_TO(PX_SPAWN_STARTING) |
                                           PX_TO(PX_SPAWN_WAITING) | PX_TO(PX_SPAWN_STOPPED)},
    [PX_SPAWN_SERVING] = {"serving", PX_TO(PX_SPAWN_STARTING) | PX_TO(PX_SPAWN_WAITING) |
                                         PX_TO(PX_SPAWN_STOPPING)},
    [PX_SPAWN_WAITING] = {"waiting", PX_TO(PX_SPAWN_STARTING) | PX_TO(PX_SPAWN_STOPPED)},
    [PX_SPAWN_STOPPING] = {"stopping", PX_TO(PX_SPAWN_STOPPED)},
    [PX_SPAWN_STOPPED] = {"stopped", 0},
};

enum counter { N_STARTS, N_DEATHS, N_HUNG, N_BACKOFFS, N_COUNTERS };

/* A process; with `domain` NULL only its end is awaited. */
struct process {
    struct process *next;
    struct domain *domain;
    struct posix_source source; /* the pidfd */
};

struct domain {
    struct spawn *spawn;
    uint32_t state;
    char name[NAME_LEN_MAX + 1];
    char *program;
    px_addr *mailboxes;
    uint32_t n_mailboxes;
    uint8_t *setup;
    size_t setup_len;
    const struct px_hello *hello;
    struct process *process;
    struct px_lane *lane;
    int pid;
    bool said_hello;
    uint32_t starts, quick_deaths, silent_beats;
    uint64_t ready_at_us, heard, sent;
    struct px_sul timer; /* STARTING: patience; SERVING: heartbeat; WAITING: the pause */
    char why[PX_SPAWN_WHY_MAX], refused[PX_HELLO_WHY_MAX], sandbox[SANDBOX_TEXT_MAX];
};

struct spawn {
    struct px_env *env, *link_env;
    struct px_posix *os;
    uint8_t owner;
    bool stopping;
    uint32_t n_domains;
    struct domain *domains[PX_SPAWN_DOMAINS_MAX];
    struct process *processes;
};

static void domain_start(struct domain *d);
static void domain_ended(struct domain *d, const char *why);

static struct spawn *spawn_of(struct px_env *env)
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
    posix_close(s->os, &p->source);
    free(p);
}

/* Readable once, when the process has ended. */
static void process_ready(void *state, struct posix_source *source, uint32_t events)
{
    struct spawn *s = state;
    struct process *p = px_container_of(source, struct process, source);
    struct domain *d = p->domain;
    char text[64];
    (void)events;
    if (!process_reap(source->fd, 0, text, sizeof text)) {
        return;
    }
    process_free(s, p);
    if (d != NULL) {
        d->process = NULL;
        domain_ended(d, text);
    }
}

/* Lets go of what a domain ran on. */
static void domain_drop(struct domain *d)
{
    px_sul_cancel(d->spawn->env, &d->timer);
    px_lane_free(d->lane);
    d->lane = NULL;
    if (d->process != NULL) {
        process_kill(d->process->source.fd);
        d->process->domain = NULL;
        d->process = NULL;
    }
    d->pid = 0;
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

/* Its successor, now or after a pause. */
static void domain_again(struct domain *d, bool was_quick)
{
    struct spawn *s = d->spawn;
    d->quick_deaths = was_quick ? d->quick_deaths + 1 : 0;
    if (d->quick_deaths < SPAWN_QUICK_DEATHS) {
        domain_start(d);
        return;
    }
    uint32_t doublings = d->quick_deaths - SPAWN_QUICK_DEATHS;
    uint64_t wait_ms = doublings < 8 ? (uint64_t)SPAWN_BACKOFF_MS << doublings : UINT32_MAX;
    wait_ms = wait_ms < SPAWN_BACKOFF_MAX_MS ? wait_ms : SPAWN_BACKOFF_MAX_MS;
    domain_move(d, PX_SPAWN_WAITING);
    px_count(s->env, N_BACKOFFS, 1);
    px_sul_schedule(s->env, &d->timer, on_pause_over, PX_MS(wait_ms));
}

static void domain_ended(struct domain *d, const char *why)
{
    struct spawn *s = d->spawn;
    bool was_quick =
        d->state != PX_SPAWN_SERVING || px_now_us(s->env) - d->ready_at_us < PX_MS(SPAWN_STABLE_MS);
    snprintf(d->why, sizeof d->why, "%s", d->refused[0] != '\0' ? d->refused : why);
    bool wanted = d->state == PX_SPAWN_STARTING || d->state == PX_SPAWN_SERVING;
    PX_LOG(s->env, wanted ? PX_LOG_WARN : PX_LOG_INFO, "domain_ended", PX_KV_STR("domain", d->name),
           PX_KV_STR("why", d->why), PX_KV_U64("pid", (uint64_t)d->pid));
    px_count(s->env, N_DEATHS, 1);
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

/* ---- heartbeat: only while something sent has not been answered by anything ---- */

static void on_beat(struct px_sul *sul)
{
    struct domain *d = px_container_of(sul, struct domain, timer);
    Link__None none = LINK__NONE__INIT;
    uint64_t heard = px_lane_received(d->lane), sent = px_lane_sent(d->lane);
    bool is_silent = heard == d->heard, is_calm = sent == d->sent;
    d->silent_beats = is_silent ? d->silent_beats + 1 : 0;
    d->heard = heard;
    d->sent = sent;
    if (d->silent_beats >= SPAWN_BEATS_MAX) {
        domain_hung(d, "hung: it has not answered for 3 s");
        return;
    }
    if (is_calm && !is_silent) {
        px_lane_calm(d->lane); /* the next message starts the next beat */
        return;
    }
    if (is_silent) {
        px_lane_control(d->lane, LINK_PING, &none.base);
    }
    px_sul_schedule(d->spawn->env, &d->timer, on_beat, PX_MS(SPAWN_BEAT_MS));
}

static void lane_busy(void *ctx)
{
    struct domain *d = ctx;
    if (d->state == PX_SPAWN_SERVING || d->state == PX_SPAWN_STOPPING) {
        d->heard = px_lane_received(d->lane);
        d->sent = px_lane_sent(d->lane);
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

static void on_ready(struct domain *d, const uint8_t *body, size_t len)
{
    struct spawn *s = d->spawn;
    Link__ReadyWith *ready = link__ready_with__unpack(NULL, len, body);
    if (ready == NULL) {
        domain_ended(d, "its Ready cannot be read");
        return;
    }
    text_take(&ready->sandbox, d->sandbox, sizeof d->sandbox);
    link__ready_with__free_unpacked(ready, NULL);
    px_sul_cancel(s->env, &d->timer);
    domain_move(d, PX_SPAWN_SERVING);
    d->ready_at_us = px_now_us(s->env);
    enum px_err err = px_lane_place(d->lane, d->mailboxes, d->n_mailboxes);
    if (err != PX_EOK) {
        domain_ended(d, px_err_text(err));
        return;
    }
    PX_LOG(s->env, PX_LOG_INFO, "domain_ready", PX_KV_STR("domain", d->name),
           PX_KV_U64("pid", (uint64_t)d->pid), PX_KV_STR("sandbox", d->sandbox));
}

static void on_refused(struct domain *d, const uint8_t *body, size_t len)
{
    Link__RefusedBecause *refused = link__refused_because__unpack(NULL, len, body);
    if (refused != NULL) {
        text_take(&refused->reason, d->refused, sizeof d->refused);
        link__refused_because__free_unpacked(refused, NULL);
    }
    domain_ended(d, "refused");
}

static void on_hello(struct domain *d, const uint8_t *body, size_t len)
{
    char why[PX_HELLO_WHY_MAX];
    if (px_hello_check(d->hello, body, len, why) != PX_EOK) {
        domain_ended(d, why);
        return;
    }
    d->said_hello = true;
}

static void lane_control(void *ctx, uint16_t method, const uint8_t *body, size_t len)
{
    struct domain *d = ctx;
    bool starting = d->state == PX_SPAWN_STARTING;
    if (method == LINK_HELLO && starting && !d->said_hello) {
        on_hello(d, body, len);
    } else if (method == LINK_READY && starting && d->said_hello) {
        on_ready(d, body, len);
    } else if (method == LINK_REFUSED && starting && d->said_hello) {
        on_refused(d, body, len);
    } else if (method == LINK_STOPPED && d->state == PX_SPAWN_STOPPING) {
        domain_stopped(d); /* the link stays: others may still have to tell it something */
    } else if (method != LINK_PONG && method != LINK_STOPPED) {
        domain_ended(d, "it broke the protocol of the link");
    }
}

/* The pidfd says how it ended: a process that ends is through a few microseconds behind its last
 * descriptor. */
static void lane_ended(void *ctx, const char *why)
{
    struct domain *d = ctx;
    char text[64];
    struct process *p = strcmp(why, PX_LANE_CLOSED) == 0 ? d->process : NULL;
    if (p != NULL && process_reap(p->source.fd, REAP_MS, text, sizeof text)) {
        d->process = NULL;
        process_free(d->spawn, p);
        why = text;
    }
    domain_ended(d, why);
}

/* ---- starting ---- */

static void on_patience_over(struct px_sul *sul)
{
    domain_hung(px_container_of(sul, struct domain, timer), "hung: it was not ready within 5 s");
}

static enum px_err lane_start(struct domain *d, int socket)
{
    const struct px_lane_config config = {
        .control = lane_control, .busy = lane_busy, .ended = lane_ended, .ctx = d};
    return px_lane_new(d->spawn->link_env, socket, &config, &d->lane);
}

/* Watches process and socket; they are closed if that fails. */
static enum px_err domain_watch(struct domain *d, int pidfd, int socket)
{
    struct spawn *s = d->spawn;
    struct process *p = calloc(1, sizeof *p);
    enum px_err err =
        p == NULL ? PX_ENOMEM : posix_watch(s->os, s->owner, &p->source, pidfd, POSIX_IN);
    if (err != PX_EOK) {
        free(p);
        process_kill(pidfd);
        process_finish(pidfd, 0);
        (void)close(pidfd);
        (void)close(socket);
        return err;
    }
    p->domain = d;
    p->next = s->processes;
    s->processes = p;
    d->process = p;
    err = lane_start(d, socket);
    if (err != PX_EOK) {
        (void)close(socket);
    }
    return err;
}

static void domain_greet(struct domain *d)
{
    px_lane_control(d->lane, LINK_HELLO, &d->hello->from.base);
    px_lane_control_packed(d->lane, LINK_SETUP, d->setup, d->setup_len);
}

static void domain_start(struct domain *d)
{
    struct spawn *s = d->spawn;
    char why[PX_SPAWN_WHY_MAX];
    int pidfd = -1, socket = -1;
    pid_t pid = 0;
    domain_move(d, PX_SPAWN_STARTING);
    d->said_hello = false;
    d->refused[0] = d->sandbox[0] = '\0';
    d->starts++;
    px_count(s->env, N_STARTS, 1);
    if (process_start(d->program, &pid, &pidfd, &socket) != PX_EOK) {
        snprintf(why, sizeof why, "%s: %s", d->program, strerror(errno));
        domain_ended(d, why);
        return;
    }
    d->pid = (int)pid;
    enum px_err err = domain_watch(d, pidfd, socket);
    if (err != PX_EOK) {
        domain_ended(d, px_err_text(err));
        return;
    }
    domain_greet(d);
    px_sul_schedule(s->env, &d->timer, on_patience_over, PX_MS(SPAWN_READY_MS));
}

static void domain_free(struct domain *d)
{
    if (d != NULL) {
        free(d->program);
        free(d->mailboxes);
        free(d->setup);
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
    d->program = strdup(config->program);
    d->mailboxes = calloc(config->n_mailboxes, sizeof *d->mailboxes);
    d->setup_len = link__setup_of__get_packed_size(config->setup);
    d->setup = malloc(d->setup_len + 1);
    if (d->program == NULL || d->mailboxes == NULL || d->setup == NULL) {
        domain_free(d);
        return NULL;
    }
    snprintf(d->name, sizeof d->name, "%s", config->name);
    memcpy(d->mailboxes, config->mailboxes, config->n_mailboxes * sizeof *d->mailboxes);
    d->n_mailboxes = config->n_mailboxes;
    link__setup_of__pack(config->setup, d->setup);
    return d;
}

enum px_err px_spawn_add(struct px_env *env, const struct px_spawn_domain *domain)
{
    struct spawn *s = spawn_of(env);
    if (s->n_domains == PX_SPAWN_DOMAINS_MAX) {
        return PX_ELIMIT;
    }
    if (link__setup_of__get_packed_size(domain->setup) > PX_HELLO_BODY_MAX ||
        strlen(domain->name) > NAME_LEN_MAX) {
        return PX_EINVAL;
    }
    struct domain *d = domain_new(s, domain);
    if (d == NULL) {
        return PX_ENOMEM;
    }
    s->domains[s->n_domains++] = d;
    domain_start(d);
    return PX_EOK;
}

bool px_spawn_look(struct px_env *env, uint32_t index, struct px_spawn_figures *ret)
{
    const struct spawn *s = spawn_of(env);
    if (index >= s->n_domains) {
        return false;
    }
    const struct domain *d = s->domains[index];
    *ret = (struct px_spawn_figures){.state = (enum px_spawn_state)d->state,
                                     .pid = d->pid,
                                     .starts = d->starts,
                                     .why = d->why,
                                     .sandbox = d->sandbox};
    return true;
}

/* ---- the end ---- */

void px_spawn_end(struct px_env *env)
{
    struct spawn *s = spawn_of(env);
    for (uint32_t i = 0; i < s->n_domains; i++) {
        struct domain *d = s->domains[i];
        px_sul_cancel(env, &d->timer);
        px_lane_free(d->lane); /* it sees that, and ends */
    }
    while (s->processes != NULL) {
        process_finish(s->processes->source.fd, SPAWN_FINISH_MS);
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
    if (d->state == PX_SPAWN_SERVING) {
        domain_move(d, PX_SPAWN_STOPPING);
        px_lane_control(d->lane, LINK_STOP, &none.base);
    } else if (d->state == PX_SPAWN_STARTING || d->state == PX_SPAWN_WAITING) {
        domain_drop(d);
        domain_stopped(d);
    }
}

static void spawn_stop(void *state)
{
    struct spawn *s = state;
    s->stopping = true;
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

static const char *const counter_names[N_COUNTERS] = {
    [N_STARTS] = "starts", [N_DEATHS] = "deaths", [N_HUNG] = "hung", [N_BACKOFFS] = "backoffs"};

const struct px_service px_spawn_service = {
    .name = "spawn",
    .state_size = sizeof(struct spawn),
    .counters = counter_names,
    .n_counters = N_COUNTERS,
    .init = spawn_init,
    .stop = spawn_stop,
};
