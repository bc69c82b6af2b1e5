/* remind.c - one slot per wish: taken by Later, given back when its timer fires or the asker gives
 * up. CC0, no rights reserved.
 */
#include "remind.h"

#include "remind.pb-c.h"

PX_CONTRACT(contract_remind, C_REMIND, remind__remind__descriptor, 0, /* later */ PX_CALL);

struct slot {
    struct remind *remind;
    struct px_sul timer;
    const struct px_msg *wish; /* held: knows the text and whom to answer */
};

struct remind {
    struct px_env *env;
    struct px_pool slots; /* of struct slot */
    uint32_t waiting;
};

static void slot_free(struct slot *s)
{
    s->remind->waiting--;
    px_sul_cancel(s->remind->env, &s->timer);
    px_msg_release(s->wish);
    px_pool_put(&s->remind->slots, s);
}

static void on_time(struct px_sul *sul)
{
    struct slot *s = px_container_of(sul, struct slot, timer);
    const Remind__Wish *wish = s->wish->body;
    Remind__Reminder *m = px_msg_new(s->remind->env, &remind__reminder__descriptor);
    px_msg_put(m, &m->text, wish->text.data, wish->text.len);
    m->waiting = s->remind->waiting - 1;
    px_reply(s->remind->env, s->wish, PX_OK, m);
    slot_free(s);
}

static void on_later(void *state, const struct px_msg *msg)
{
    struct remind *r = state;
    const Remind__Wish *wish = msg->body;
    if (wish->in_ms < 1 || wish->in_ms > REMIND_MS_MAX || wish->text.len < 1 ||
        wish->text.len > REMIND_TEXT_MAX) {
        px_reply_status(r->env, msg, PX_BAD_REQUEST);
        return;
    }
    struct slot *s = px_pool_get(&r->slots);
    if (s == NULL) {
        px_reply_status(r->env, msg, PX_BUSY);
        return;
    }
    s->remind = r;
    s->wish = px_msg_hold(msg);
    r->waiting++;
    px_call_tag(r->env, s->wish, px_handle_of(&r->slots, s)); /* what on_ended brings back */
    px_sul_schedule(r->env, &s->timer, on_time, PX_MS(wish->in_ms));
}

/* The asker gave up. */
static void on_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct remind *r = state;
    struct slot *s = px_pool_own(&r->slots, tag);
    (void)reason;
    if (s != NULL) {
        slot_free(s);
    }
}

static enum px_err on_init(void *state, struct px_env *env)
{
    struct remind *r = state;
    r->env = env;
    return px_pool_init(&r->slots, env, sizeof(struct slot), REMIND_MAX, 0);
}

static const struct px_handler handlers[] = {{REMIND_LATER, on_later}};

const struct px_service remind_service = {
    .name = "remind",
    .state_size = sizeof(struct remind),
    .handlers = handlers,
    .n_handlers = 1,
    .init = on_init,
    .ended = on_ended,
};
