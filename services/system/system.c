/* system.c - the mailbox: who takes part, and what it hears. The walk itself is in system_walk.c.
 */
#include "system_impl.h"

#include "system.pb-c.h"

const char *system_state_name(uint32_t state)
{
    switch (state) {
#define X(name, number)                                                                            \
    case number:                                                                                   \
        return #name;
        SYSTEM_STATES(X)
#undef X
    default:
        return "";
    }
}

static uint64_t bus_now_us(const struct bus *bus)
{
    return px_now_us(bus->env) - bus->since_us;
}

void system_note(struct bus *bus, uint8_t kind, px_addr who, struct note why)
{
    bus->events[bus->n_events++ % SYSTEM_EVENTS_MAX] = (struct event){.at_us = bus_now_us(bus),
                                                                      .kind = kind,
                                                                      .state = (uint8_t)bus->state,
                                                                      .who = who,
                                                                      .why = why};
}

/* ---- parties ---- */

static const uint32_t party_max[PARTY_N_KINDS] = {
    [PARTY_VOTER] = SYSTEM_VOTERS_MAX,
    [PARTY_WATCHER] = SYSTEM_WATCHERS_MAX,
    [PARTY_WAITER] = SYSTEM_WAITERS_MAX,
};

struct party *system_party_new(struct bus *bus, enum party_kind kind, const struct px_msg *call)
{
    struct party *p = bus->n[kind] < party_max[kind] ? px_pool_get(&bus->parties) : NULL;
    if (p == NULL) {
        px_count(bus->env, SYSTEM_COUNT_busy, 1);
        return NULL;
    }
    bus->n[kind]++;
    p->bus = bus;
    p->kind = (uint8_t)kind;
    if (call != NULL) {
        p->call = px_msg_hold(call);
        px_call_tag(bus->env, p->call, px_handle_of(&bus->parties, p));
    }
    return p;
}

void system_party_free(struct party *take_party)
{
    struct bus *bus = take_party->bus;
    bus->n[take_party->kind]--;
    px_sul_cancel(bus->env, &take_party->sul);
    px_msg_release(take_party->call);
    px_pool_put(&bus->parties, take_party);
}

/* ---- what is told ---- */

static void put_text(void *body, ProtobufCBinaryData *ret, const char *text)
{
    px_msg_put(body, ret, text, strlen(text));
}

static void put_who(const struct bus *bus, void *body, ProtobufCBinaryData *ret, px_addr who)
{
    if (who != 0) {
        put_text(body, ret, px_mailbox_name(bus->env, who));
    }
}

static void state_put(const struct bus *bus, void *body, System__StateIs *s)
{
    s->state = bus->state;
    put_text(body, &s->name, system_state_name(bus->state));
    s->before = bus->before;
    put_who(bus, body, &s->who, bus->fell_by);
    px_msg_put(body, &s->why, bus->fell_why.text, bus->fell_why.len);
    s->at_us = bus->at_us - bus->since_us;
}

/* The newest state, if it has not heard of it and may hear something. */
static void watcher_tell(struct party *w)
{
    struct bus *bus = w->bus;
    if (w->serial == bus->serial || w->credit == 0) {
        return;
    }
    w->credit--;
    System__StateIs *m = px_msg_new_sized(bus->env, &system__state_is__descriptor, 512);
    state_put(bus, m, m);
    if (w->serial == 0) {
        m->before = 0;
    } else {
        m->missed = bus->serial - w->serial - 1;
    }
    w->serial = bus->serial;
    (void)px_item(bus->env, w->call, m); /* lost: the next one tells of it */
}

static bool is_reached(const struct bus *bus, uint32_t state)
{
    return bus->state != PX_STATE_POLICY_INVALID && bus->state >= state;
}

static void await_reply(struct bus *bus, const struct px_msg *call, enum px_status status)
{
    uint8_t line[SYSTEM_LINE_MAX];
    struct px_bytes_out out = px_bytes_out_of(line, sizeof line);
    System__Reached *m = px_msg_new_sized(bus->env, &system__reached__descriptor, SYSTEM_LINE_MAX);
    m->state = bus->state;
    if (status != PX_OK) {
        system_why(bus, &out);
        px_msg_put(m, &m->why, line, px_bytes_out_len(&out));
    }
    px_reply(bus->env, call, status, m);
}

static void waiter_end(struct party *take_waiter, enum px_status status)
{
    await_reply(take_waiter->bus, take_waiter->call, status);
    system_party_free(take_waiter);
}

void system_announce(struct bus *bus)
{
    struct party *next = px_pool_next(&bus->parties, NULL);
    while (next != NULL) {
        struct party *p = next;
        next = px_pool_next(&bus->parties, p);
        if (p->kind == PARTY_WATCHER) {
            watcher_tell(p);
        } else if (p->kind == PARTY_WAITER && is_reached(bus, p->wanted)) {
            waiter_end(p, PX_OK);
        }
    }
}

void system_fail_waiters(struct bus *bus)
{
    struct party *next = px_pool_next(&bus->parties, NULL);
    while (next != NULL) {
        struct party *p = next;
        next = px_pool_next(&bus->parties, p);
        if (p->kind == PARTY_WAITER) {
            waiter_end(p, PX_REFUSED);
        }
    }
}

/* ---- Get ---- */

static System__Holder *holder_of(const struct bus *bus, void *body, const struct party *v)
{
    System__Holder *h = px_msg_alloc(body, sizeof *h);
    uint64_t now = px_now_us(bus->env);
    system__holder__init(h);
    put_who(bus, body, &h->name, v->addr);
    px_msg_put(body, &h->why, v->why.text, v->why.len);
    h->kind = v->how;
    h->since_us = v->since_us - bus->since_us;
    h->left_us = v->until_us > now ? v->until_us - now : 0;
    h->overdue = v->overdue;
    return h;
}

static void holders_put(const struct bus *bus, System__Walk *m)
{
    System__Holder **list = px_msg_alloc(m, (bus->n_open + 1) * sizeof(System__Holder *));
    for (const struct party *p = px_pool_next(&bus->parties, NULL); p != NULL;
         p = px_pool_next(&bus->parties, p)) {
        if (p->kind == PARTY_VOTER && p->open) {
            list[m->n_holders++] = holder_of(bus, m, p);
        }
    }
    m->holders = list;
}

static void events_put(const struct bus *bus, System__Walk *m)
{
    uint64_t n = bus->n_events < SYSTEM_EVENTS_MAX ? bus->n_events : SYSTEM_EVENTS_MAX;
    System__Event **list = px_msg_alloc(m, SYSTEM_EVENTS_MAX * sizeof(System__Event *));
    for (uint64_t i = bus->n_events - n; i < bus->n_events; i++) {
        const struct event *event = &bus->events[i % SYSTEM_EVENTS_MAX];
        System__Event *e = px_msg_alloc(m, sizeof *e);
        system__event__init(e);
        e->at_us = event->at_us;
        e->kind = event->kind;
        e->state = event->state;
        put_text(m, &e->state_name, system_state_name(event->state));
        put_who(bus, m, &e->who, event->who);
        px_msg_put(m, &e->why, event->why.text, event->why.len);
        list[m->n_events++] = e;
    }
    m->events = list;
}

static void on_get(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    System__Walk *m = px_msg_new_sized(bus->env, &system__walk__descriptor, SYSTEM_WALK_LEN);
    m->state = px_msg_alloc(m, sizeof *m->state);
    system__state_is__init(m->state);
    state_put(bus, m, m->state);
    m->target = bus->target;
    put_text(m, &m->target_name, system_state_name(bus->target));
    m->vetoed = bus->vetoed;
    if (bus->vetoed) {
        put_who(bus, m, &m->vetoed_by, bus->vetoed_by);
        px_msg_put(m, &m->vetoed_why, bus->vetoed_why.text, bus->vetoed_why.len);
    }
    m->voters = bus->n[PARTY_VOTER];
    m->happened = bus->n_events;
    holders_put(bus, m);
    events_put(bus, m);
    px_reply(bus->env, msg, PX_OK, m);
}

/* ---- Watch, Await, Vote ---- */

static void on_watch(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    if (system_party_new(bus, PARTY_WATCHER, msg) == NULL) {
        px_reply_status(bus->env, msg, PX_BUSY);
    }
}

static void on_too_late(struct px_sul *sul)
{
    waiter_end(px_container_of(sul, struct party, sul), PX_TIMED_OUT);
}

static void on_await(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    const System__AwaitState *m = msg->body;
    if (m->state < PX_STATE_CONTEXT_CREATED || m->state > PX_STATE_OPERATIONAL ||
        m->within_ms < 1 || m->within_ms > SYSTEM_MS_MAX) {
        px_reply_status(bus->env, msg, PX_BAD_REQUEST);
    } else if (is_reached(bus, m->state) || bus->vetoed) {
        await_reply(bus, msg, is_reached(bus, m->state) ? PX_OK : PX_REFUSED);
    } else {
        struct party *w = system_party_new(bus, PARTY_WAITER, msg);
        if (w == NULL) {
            px_reply_status(bus->env, msg, PX_BUSY);
            return;
        }
        w->wanted = m->state;
        px_sul_schedule(bus->env, &w->sul, on_too_late, PX_MS(m->within_ms));
    }
}

static void on_vote(void *state, const struct px_msg *msg)
{
    system_voter_join(state, msg);
}

static void on_more(void *state, uint64_t tag, uint32_t n)
{
    struct bus *bus = state;
    struct party *p = px_pool_own(&bus->parties, tag);
    if (p == NULL) {
        return;
    }
    p->credit = p->credit > UINT32_MAX - n ? UINT32_MAX : p->credit + n;
    if (p->kind == PARTY_WATCHER) {
        watcher_tell(p);
    } else {
        system_voter_more(p);
    }
}

static void on_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct bus *bus = state;
    struct party *p = px_pool_own(&bus->parties, tag);
    if (p != NULL && p->kind == PARTY_VOTER) {
        system_voter_end(p, reason);
    } else if (p != NULL) {
        system_party_free(p);
    }
}

/* ---- Control ---- */

static void reply_done(struct bus *bus, const struct px_msg *msg)
{
    px_reply(bus->env, msg, PX_OK, px_msg_new(bus->env, &system__none__descriptor));
}

bool system_note_take(const ProtobufCBinaryData *why, struct note *ret_note)
{
    if (why->len > SYSTEM_WHY_MAX) {
        return false;
    }
    ret_note->len = (uint8_t)why->len;
    for (size_t i = 0; i < why->len; i++) {
        if (why->data[i] < ' ' || why->data[i] == 0x7f) {
            return false; /* it is shown on terminals */
        }
        ret_note->text[i] = why->data[i];
    }
    return true;
}

static void on_go(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    const System__Target *m = msg->body;
    if (m->state < PX_STATE_CONTEXT_CREATED || m->state > PX_STATE_OPERATIONAL) {
        px_reply_status(bus->env, msg, PX_BAD_REQUEST);
        return;
    }
    reply_done(bus, msg);
    system_walk_to(bus, m->state);
}

static void on_fall(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    const System__FallTo *m = msg->body;
    struct note why;
    if (m->state < PX_STATE_CONTEXT_CREATED || m->state >= PX_STATE_OPERATIONAL ||
        !system_note_take(&m->why, &why)) {
        px_reply_status(bus->env, msg, PX_BAD_REQUEST);
        return;
    }
    reply_done(bus, msg);
    if (bus->state > m->state && bus->state != PX_STATE_POLICY_INVALID) {
        system_walk_down(bus, m->state, PX_PEER_ADDR(msg->from), why);
    }
}

static void on_invalidate_policy(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    const System__Because *m = msg->body;
    struct note why;
    if (!system_note_take(&m->why, &why)) {
        px_reply_status(bus->env, msg, PX_BAD_REQUEST);
        return;
    }
    reply_done(bus, msg);
    if (bus->state >= PX_STATE_POLICY_VALID && bus->state != PX_STATE_POLICY_INVALID) {
        system_walk_down(bus, PX_STATE_POLICY_INVALID, PX_PEER_ADDR(msg->from), why);
    }
}

/* ---- the service ---- */

/* Mailboxes that the configuration names. */
static void expect_all(struct bus *bus, const System__Config *config)
{
    for (size_t i = 0; config != NULL && i < config->n_expected; i++) {
        char name[SYSTEM_NAME_MAX + 1] = "";
        const ProtobufCBinaryData *expected = &config->expected[i];
        memcpy(name, expected->data, expected->len);
        px_addr addr = px_mailbox(bus->env, name);
        if (addr == 0) {
            PX_LOG(bus->env, PX_LOG_ERROR, "expected_unknown", PX_KV_STR("name", name));
        } else if (!system_voter_expect(bus, addr)) {
            PX_LOG(bus->env, PX_LOG_ERROR, "no_memory", PX_KV_STR("expected", name));
        }
    }
}

/* The first flush phase: what other services sent when they began is here. */
static void on_flush(void *state, struct px_want *want)
{
    struct bus *bus = state;
    (void)want;
    bus->begun = true;
    system_walk(bus);
}

static bool config_is_sound(const System__Config *c)
{
    bool sound = c->target <= PX_STATE_OPERATIONAL && c->answer_ms <= SYSTEM_MS_MAX &&
                 c->return_ms <= SYSTEM_MS_MAX && c->n_expected <= SYSTEM_VOTERS_MAX;
    for (size_t i = 0; i < c->n_expected && sound; i++) {
        sound = c->expected[i].len >= 1 && c->expected[i].len <= SYSTEM_NAME_MAX;
    }
    return sound;
}

static enum px_err on_init(void *state, struct px_env *env)
{
    struct bus *bus = state;
    const System__Config *config = px_env_config(env);
    if (config != NULL && !config_is_sound(config)) {
        return PX_EINVAL;
    }
    bus->env = env;
    bus->since_us = bus->at_us = px_now_us(env);
    bus->state = PX_STATE_CONTEXT_CREATED;
    bus->serial = 1;
    bus->target =
        config == NULL || config->target == 0 ? (uint32_t)PX_STATE_OPERATIONAL : config->target;
    bus->answer_ms =
        config == NULL || config->answer_ms == 0 ? (uint32_t)SYSTEM_ANSWER_MS : config->answer_ms;
    bus->return_ms =
        config == NULL || config->return_ms == 0 ? (uint32_t)SYSTEM_RETURN_MS : config->return_ms;
    bus->overdue_fails = config != NULL && config->overdue_fails;
    PX_TRY(px_pool_init(&bus->parties, env, sizeof(struct party),
                        SYSTEM_VOTERS_MAX + SYSTEM_WATCHERS_MAX + SYSTEM_WAITERS_MAX, 0));
    expect_all(bus, config);
    px_want_flush(env, &bus->begin);
    return PX_EOK;
}

static const struct px_handler handlers[] = {
    {SYSTEM_GET, on_get},
    {SYSTEM_WATCH, on_watch},
    {SYSTEM_AWAIT, on_await},
    {SYSTEM_VOTE, on_vote},
    {SYSTEM_ANSWER, system_on_answer},
    {CONTROL_GO, on_go},
    {CONTROL_FALL, on_fall},
    {CONTROL_INVALIDATE_POLICY, on_invalidate_policy},
};

static const char *const counters[] = {
#define X(name, what) #name,
    SYSTEM_COUNTER_LIST(X)
#undef X
};

const struct px_service px_system_service = {
    .name = "system",
    .state_size = sizeof(struct bus),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof handlers[0],
    .counters = counters,
    .n_counters = SYSTEM_N_COUNTERS,
    .config = &system__config__descriptor,
    .init = on_init,
    .ended = on_ended,
    .more = on_more,
    .flush = on_flush,
};
