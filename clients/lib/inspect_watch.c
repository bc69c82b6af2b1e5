/* inspect_watch.c - the trace as a topic: a stream call, an item for what was sent since the last
 * one. Without item credit, or without news, nothing is sent; what the ring lost meanwhile is
 * counted in the next item.
 */
#include "inspect_contract.h"
#include "inspect_impl.h"

struct watch {
    struct inspect *inspect;
    const struct px_msg *call; /* held */
    struct px_sul timer;
    struct trace_wish wish;
    uint64_t credit; /* items that may be sent */
};

static void watch_end(struct watch *watch)
{
    px_sul_cancel(watch->inspect->env, &watch->timer);
    px_msg_release(watch->call);
    px_pool_put(&watch->inspect->watches, watch);
}

static void watch_look(struct px_sul *sul)
{
    struct watch *watch = px_container_of(sul, struct watch, timer);
    struct inspect *inspect = watch->inspect;
    uint32_t n = 0;
    Inspect__TraceRecords *m = inspect_records(inspect, &watch->wish, &watch->wish.position, &n);
    if (n == 0) {
        px_msg_drop(m);
    } else if (px_item(inspect->env, watch->call, m)) {
        watch->credit--;
    } else {
        watch_end(watch); /* nobody listens any more */
        return;
    }
    if (watch->credit > 0) {
        px_sul_schedule(inspect->env, &watch->timer, watch_look, PX_MS(INSPECT_WATCH_MS));
    }
}

enum px_err inspect_watch_init(struct inspect *inspect)
{
    return px_pool_init(&inspect->watches, inspect->env, sizeof(struct watch), INSPECT_WATCHES_MAX,
                        0);
}

void inspect_on_watch(void *state, const struct px_msg *msg)
{
    struct inspect *inspect = state;
    struct trace_wish wish;
    enum px_status status = inspect_wish(inspect, msg->body, &wish);
    struct watch *watch = status == PX_OK ? px_pool_get(&inspect->watches) : NULL;
    if (watch == NULL) {
        px_reply_status(inspect->env, msg, status == PX_OK ? PX_BUSY : status);
        return;
    }
    watch->inspect = inspect;
    watch->call = px_msg_hold(msg);
    watch->wish = wish;
    watch->wish.watches = true;
    px_call_tag(inspect->env, watch->call, px_handle_of(&inspect->watches, watch));
}

void inspect_watch_more(void *state, uint64_t tag, uint32_t n)
{
    struct inspect *inspect = state;
    struct watch *watch = px_pool_own(&inspect->watches, tag);
    if (watch != NULL) {
        watch->credit += n;
        if (n > 0 && !px_sul_pending(&watch->timer)) {
            px_sul_schedule(inspect->env, &watch->timer, watch_look, 0);
        }
    }
}

void inspect_watch_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct inspect *inspect = state;
    struct watch *watch = px_pool_own(&inspect->watches, tag);
    (void)reason;
    if (watch != NULL) {
        watch_end(watch);
    }
}
