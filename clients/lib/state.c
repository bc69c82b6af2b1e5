/* state.c - waiting for a state of the system: one stream call to the mailbox `system` while
 * anybody waits, whose items are the states.
 */
#include "lib.h"

#include "system.pb-c.h"
#include "system_contract.h"

enum { STATE_AGAIN_MS = 100 };

struct wish {
    px_state_fn fn;
    void *arg;
    uint32_t state;
};

size_t state_wish_size(void)
{
    return sizeof(struct wish);
}

/* ---- those that wait ---- */

static bool is_reached(const struct app *app, const struct wish *wish)
{
    return app->state_now != PX_STATE_POLICY_INVALID && app->state_now >= wish->state;
}

static void tell(struct app *app, struct wish *take_wish, uint32_t state)
{
    struct wish wish = *take_wish;
    px_pool_put(&app->wishes, take_wish);
    wish.fn(app->system, state, wish.arg);
}

static void watch_end_if_alone(struct app *app)
{
    if (px_pool_next(&app->wishes, NULL) == NULL && app->state_watch != 0) {
        px_cancel(app->env, app->state_watch);
        app->state_watch = 0;
        app->state_now = 0;
    }
}

static void tell_reached(struct app *app)
{
    struct wish *next = px_pool_next(&app->wishes, NULL);
    while (next != NULL) {
        struct wish *wish = next;
        next = px_pool_next(&app->wishes, wish);
        if (is_reached(app, wish)) {
            tell(app, wish, app->state_now);
        }
    }
    watch_end_if_alone(app);
}

/* ---- the watch ---- */

static void watch_begin(struct app *app);

static void on_again(struct px_sul *sul)
{
    struct app *app = px_container_of(sul, struct app, state_again);
    if (px_pool_next(&app->wishes, NULL) != NULL && app->state_watch == 0) {
        watch_begin(app);
    }
}

static void on_state(struct app *app, const struct call *call, const struct px_msg *item)
{
    const System__StateIs *m = item->body;
    (void)call;
    if (item->call != app->state_watch) {
        return; /* of one that was ended */
    }
    app->state_now = m->state;
    px_call_more(app->env, app->state_watch, 1);
    tell_reached(app);
}

static void on_watch_end(struct app *app, const struct call *call, const struct px_msg *reply)
{
    (void)call;
    if (reply->call == app->state_watch) { /* not by us: the service has died */
        app->state_watch = 0;
        app->state_now = 0;
        px_sul_schedule(app->env, &app->state_again, on_again, PX_MS(STATE_AGAIN_MS));
    }
}

static void watch_begin(struct app *app)
{
    px_addr to = px_mailbox(app->env, "system");
    struct call *call = call_new(app, on_watch_end, 0);
    if (call == NULL) {
        px_sul_schedule(app->env, &app->state_again, on_again, PX_MS(STATE_AGAIN_MS));
        return;
    }
    call->item = on_state;
    app->state_watch =
        px_call(app->env, to, SYSTEM_WATCH, px_msg_new(app->env, &system__none__descriptor),
                PX_NEVER, px_handle_of(&app->calls, call));
    px_call_more(app->env, app->state_watch, 1);
}

/* ---- asking ---- */

static void on_wish(void *arg, const void *data, size_t len)
{
    struct px_system *system = arg;
    struct app *app = system->app;
    struct wish asked;
    memcpy(&asked, data, sizeof asked);
    (void)len;
    struct wish *wish = px_mailbox(app->env, "system") == 0 ? NULL : px_pool_get(&app->wishes);
    if (wish == NULL) {
        asked.fn(system, 0, asked.arg);
        return;
    }
    *wish = asked;
    if (app->state_watch == 0) {
        watch_begin(app);
    } else if (is_reached(app, wish)) {
        tell(app, wish, app->state_now);
    }
}

enum px_err px_at_state(struct px_system *system, uint32_t state, px_state_fn fn, void *arg)
{
    struct wish wish = {.fn = fn, .arg = arg, .state = state};
    if (state < PX_STATE_CONTEXT_CREATED || state > PX_STATE_OPERATIONAL || fn == NULL) {
        return PX_EINVAL;
    }
    return px_system_post(system, on_wish, system, &wish, sizeof wish);
}
