/* system_walk.c - the walk: questions, answers, steps and falls.
 *
 *     at rest --below the target--> asking --all have allowed--> a step, and again
 *     asking --VETO, or overdue and that is to fail--> vetoed --Go--> asking
 *     any --Fall, InvalidatePolicy--> below: asking again, unless vetoed
 *
 * A question is about one round. What is said about another one is stale.
 */
#include "system_impl.h"

#include "system.pb-c.h"

static const struct note no_note;

uint32_t system_next(const struct bus *bus)
{
    return bus->state == PX_STATE_POLICY_INVALID ? (uint32_t)PX_STATE_INITIALIZED : bus->state + 1;
}

static bool is_below_target(const struct bus *bus)
{
    return bus->state == PX_STATE_POLICY_INVALID || bus->state < bus->target;
}

/* ---- voters ---- */

static struct party *voter_after(const struct bus *bus, const struct party *p)
{
    do {
        p = px_pool_next(&bus->parties, p);
    } while (p != NULL && p->kind != PARTY_VOTER);
    return (struct party *)(uintptr_t)p;
}

static struct party *voter_of(const struct bus *bus, px_addr addr)
{
    struct party *v = voter_after(bus, NULL);
    while (v != NULL && v->addr != addr) {
        v = voter_after(bus, v);
    }
    return v;
}

/* Is not in the way, for now. */
static void voter_close(struct party *v)
{
    if (v->open) {
        v->open = false;
        v->bus->n_open--;
    }
    v->due = false;
    if (v->call != NULL) {
        px_sul_cancel(v->bus->env, &v->sul);
        v->overdue = false;
    }
}

static void round_end(struct bus *bus)
{
    for (struct party *v = voter_after(bus, NULL); v != NULL; v = voter_after(bus, v)) {
        voter_close(v);
    }
    bus->asked = false;
}

static void veto(struct bus *bus, px_addr who, struct note why)
{
    round_end(bus);
    bus->vetoed = true;
    bus->vetoed_by = who;
    bus->vetoed_why = why;
    px_count(bus->env, SYSTEM_COUNT_vetoes, 1);
    PX_LOG(bus->env, PX_LOG_ERROR, "vetoed", PX_KV_STR("by", px_mailbox_name(bus->env, who)),
           PX_KV_STR("before", system_state_name(system_next(bus))));
    system_note(bus, SYSTEM_VETOED, who, why);
    system_fail_waiters(bus);
}

static struct note note_of(const char *text)
{
    struct note note = {.len = (uint8_t)strlen(text)};
    memcpy(note.text, text, note.len);
    return note;
}

static void on_overdue(struct px_sul *sul)
{
    struct party *v = px_container_of(sul, struct party, sul);
    struct bus *bus = v->bus;
    v->overdue = true;
    px_count(bus->env, SYSTEM_COUNT_overdue, 1);
    PX_LOG(bus->env, PX_LOG_WARN, "overdue", PX_KV_STR("who", px_mailbox_name(bus->env, v->addr)),
           PX_KV_STR("before", system_state_name(system_next(bus))));
    system_note(bus, SYSTEM_OVERDUE, v->addr, v->why);
    if (v->open && bus->overdue_fails) {
        veto(bus, v->addr, v->why.len > 0 ? v->why : note_of("it is overdue"));
    }
}

/* Is in the way from now on, for `ms` before that is too long. */
static void voter_blocks(struct party *v, uint8_t how, uint32_t ms, struct note why)
{
    v->how = how;
    v->why = why;
    v->overdue = false;
    v->since_us = px_now_us(v->bus->env);
    v->until_us = v->since_us + PX_MS(ms);
    px_sul_schedule(v->bus->env, &v->sul, on_overdue, PX_MS(ms));
}

static void voter_send(struct party *v)
{
    struct bus *bus = v->bus;
    v->due = v->credit == 0;
    if (v->due) {
        return;
    }
    v->credit--;
    System__Question *m = px_msg_new(bus->env, &system__question__descriptor);
    m->round = bus->round;
    m->from = bus->state;
    m->to = system_next(bus);
    (void)px_item(bus->env, v->call, m); /* lost: it will be overdue */
}

/* About the step that is being asked about. False: the walk has ended. */
static bool voter_ask(struct party *v)
{
    struct bus *bus = v->bus;
    v->open = true;
    bus->n_open++;
    if (v->call != NULL) {
        voter_blocks(v, SYSTEM_UNANSWERED, bus->answer_ms, no_note);
        voter_send(v);
        return true;
    }
    if (v->overdue && bus->overdue_fails) {
        veto(bus, v->addr, v->why);
        return false;
    }
    return true;
}

void system_voter_more(struct party *voter)
{
    if (voter->due) {
        voter_send(voter);
    }
}

bool system_voter_expect(struct bus *bus, px_addr addr)
{
    if (voter_of(bus, addr) != NULL) {
        return true; /* named twice */
    }
    struct party *v = system_party_new(bus, PARTY_VOTER, NULL);
    if (v == NULL) {
        return false;
    }
    v->addr = addr;
    voter_blocks(v, SYSTEM_EXPECTED, bus->return_ms,
                 note_of("it was expected and is not there yet"));
    return true;
}

/* It was waited for. */
static void voter_returns(struct party *v, const struct px_msg *call)
{
    struct bus *bus = v->bus;
    bool was_open = v->open;
    bool died = v->how == SYSTEM_DIED;
    v->call = px_msg_hold(call);
    px_call_tag(bus->env, v->call, px_handle_of(&bus->parties, v));
    voter_close(v);
    if (died) {
        system_note(bus, SYSTEM_VOTER_BACK, v->addr, no_note);
    }
    if (was_open) {
        (void)voter_ask(v);
    }
}

void system_voter_join(struct bus *bus, const struct px_msg *call)
{
    px_addr addr = PX_PEER_ADDR(call->from);
    struct party *v = voter_of(bus, addr);
    if (v != NULL && v->call != NULL) {
        px_reply_status(bus->env, call, PX_IN_USE);
        return;
    }
    if (v != NULL) {
        voter_returns(v, call);
        return;
    }
    v = system_party_new(bus, PARTY_VOTER, call);
    if (v == NULL) {
        px_reply_status(bus->env, call, PX_LIMIT);
        return;
    }
    v->addr = addr;
    if (bus->asked) {
        (void)voter_ask(v);
    }
}

void system_voter_end(struct party *take_voter, enum px_status reason)
{
    struct party *v = take_voter;
    struct bus *bus = v->bus;
    if (reason == PX_CANCELLED) {
        voter_close(v);
        system_party_free(v);
        system_walk(bus);
        return;
    }
    px_msg_release(v->call);
    v->call = NULL;
    v->credit = 0;
    v->due = false;
    voter_blocks(v, SYSTEM_DIED, bus->return_ms, note_of("it has died and is waited for"));
    PX_LOG(bus->env, PX_LOG_WARN, "voter_died",
           PX_KV_STR("who", px_mailbox_name(bus->env, v->addr)));
    system_note(bus, SYSTEM_VOTER_DIED, v->addr, no_note);
}

/* ---- answers ---- */

/* With its reason, if there is to be one. */
static bool answer_is_sound(const System__VoteIs *m, struct note *ret_why)
{
    bool hold = m->vote == PX_VOTE_HOLD;
    return m->vote >= PX_VOTE_ALLOW && m->vote <= PX_VOTE_VETO &&
           system_note_take(&m->why, ret_why) && (m->why.len > 0) == (m->vote != PX_VOTE_ALLOW) &&
           (hold ? m->deadline_ms >= 1 && m->deadline_ms <= SYSTEM_MS_MAX : m->deadline_ms == 0);
}

static void answer_take(struct party *v, const System__VoteIs *m, struct note why)
{
    struct bus *bus = v->bus;
    bool held = v->open && v->how == SYSTEM_HOLDS;
    voter_close(v);
    if (m->vote == PX_VOTE_VETO) {
        veto(bus, v->addr, why);
    } else if (m->vote == PX_VOTE_HOLD) {
        v->open = true;
        bus->n_open++;
        voter_blocks(v, SYSTEM_HOLDS, m->deadline_ms, why);
        px_count(bus->env, SYSTEM_COUNT_holds, 1);
        system_note(bus, SYSTEM_HELD, v->addr, why);
    } else if (held) {
        system_note(bus, SYSTEM_RELEASED, v->addr, no_note);
    }
}

void system_on_answer(void *state, const struct px_msg *msg)
{
    struct bus *bus = state;
    const System__VoteIs *m = msg->body;
    struct party *v = voter_of(bus, PX_PEER_ADDR(msg->from));
    if (v == NULL || v->call == NULL || v->call->from != msg->from) {
        px_reply_status(bus->env, msg, PX_NOT_FOUND);
        return;
    }
    struct note why;
    if (!answer_is_sound(m, &why)) {
        px_reply_status(bus->env, msg, PX_BAD_REQUEST);
        return;
    }
    if (!bus->asked || m->round != bus->round) {
        px_count(bus->env, SYSTEM_COUNT_stale, 1);
        px_reply_status(bus->env, msg, PX_STALE);
        return;
    }
    px_reply(bus->env, msg, PX_OK, px_msg_new(bus->env, &system__none__descriptor));
    answer_take(v, m, why);
    system_walk(bus);
}

/* ---- the walk ---- */

static void moved(struct bus *bus, uint32_t state, px_addr by, struct note why)
{
    bus->before = bus->state;
    bus->state = state;
    bus->serial++;
    bus->at_us = px_now_us(bus->env);
    bus->fell_by = by;
    bus->fell_why = why;
}

static void step_up(struct bus *bus)
{
    round_end(bus);
    moved(bus, system_next(bus), 0, no_note);
    px_count(bus->env, SYSTEM_COUNT_steps, 1);
    PX_LOG(bus->env, bus->n[PARTY_VOTER] > 0 ? PX_LOG_INFO : PX_LOG_DEBUG, "state",
           PX_KV_STR("is", system_state_name(bus->state)));
    system_note(bus, SYSTEM_STEP, 0, no_note);
    system_announce(bus);
}

/* False: the walk has ended. */
static bool ask_all(struct bus *bus)
{
    bus->asked = true;
    bus->round++;
    bus->n_open = 0;
    for (struct party *v = voter_after(bus, NULL); v != NULL; v = voter_after(bus, v)) {
        if (!voter_ask(v)) {
            return false;
        }
    }
    return true;
}

void system_walk(struct bus *bus)
{
    while (bus->begun && !bus->vetoed && is_below_target(bus)) {
        if (!bus->asked && !ask_all(bus)) {
            return;
        }
        if (bus->n_open > 0) {
            return;
        }
        step_up(bus);
    }
}

void system_walk_to(struct bus *bus, uint32_t target)
{
    bus->target = target;
    bus->vetoed = false;
    round_end(bus);
    system_walk(bus);
}

void system_walk_down(struct bus *bus, uint32_t state, px_addr who, struct note why)
{
    round_end(bus);
    moved(bus, state, who, why);
    px_count(bus->env, SYSTEM_COUNT_falls, 1);
    PX_LOG(bus->env, PX_LOG_WARN, "fell", PX_KV_STR("to", system_state_name(state)),
           PX_KV_STR("by", px_mailbox_name(bus->env, who)));
    system_note(bus, SYSTEM_FELL, who, why);
    system_announce(bus);
    system_walk(bus);
}

/* ---- for people ---- */

static void put_holder(const struct bus *bus, struct px_bytes_out *out, const struct party *v)
{
    const char *next = system_state_name(system_next(bus));
    px_bytes_put_str(out, px_mailbox_name(bus->env, v->addr));
    if (v->how == SYSTEM_UNANSWERED) {
        px_bytes_put_str(out, " has not answered whether ");
        px_bytes_put_str(out, next);
        px_bytes_put_str(out, " may come");
        return;
    }
    px_bytes_put_str(out, " holds ");
    px_bytes_put_str(out, next);
    px_bytes_put_str(out, ": ");
    px_bytes_put(out, v->why.text, v->why.len);
}

void system_why(const struct bus *bus, struct px_bytes_out *out)
{
    if (bus->vetoed) {
        px_bytes_put_str(out, px_mailbox_name(bus->env, bus->vetoed_by));
        px_bytes_put_str(out, " refuses ");
        px_bytes_put_str(out, system_state_name(system_next(bus)));
        px_bytes_put_str(out, ": ");
        px_bytes_put(out, bus->vetoed_why.text, bus->vetoed_why.len);
        return;
    }
    const struct party *v = voter_after(bus, NULL);
    while (v != NULL && !v->open) {
        v = voter_after(bus, v);
    }
    if (v != NULL) {
        put_holder(bus, out, v);
        px_bytes_put_str(out, bus->n_open > 1 ? ", and it is not alone" : "");
    } else {
        px_bytes_put_str(out, "nobody is in the way: the walk ends at ");
        px_bytes_put_str(out, system_state_name(bus->target));
    }
}
