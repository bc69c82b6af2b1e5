/* relisten.c - when net lived in a process that died, its successor knows no listener: they are
 * opened again, at the addresses they had. What is taken at first may be free a moment later, when
 * the operating system is done with the process that died.
 */
#include "lib.h"

#include "net.pb-c.h"

enum { TRIES_MAX = 100, RETRY_MS = 20 };

static void on_retry(struct px_sul *sul);

static void give_up(struct app *app, struct listener *l, const char *why)
{
    l->used = false;
    PX_LOG(app->env, PX_LOG_ERROR, "listener_lost", PX_KV_STR("address", l->address),
           PX_KV_STR("why", why));
}

static void relistened(struct app *app, const struct call *call, const struct px_msg *reply)
{
    struct listener *l = call->arg;
    const Net__Listening *listening = reply->body;
    if (!l->used || reply->status == PX_SERVICE_GONE) {
        return; /* closed meanwhile; or it died again, and will be back */
    }
    if (reply->status == PX_OK) {
        l->handle = listening->listener;
        l->tries = 0;
    } else if (++l->tries == TRIES_MAX) {
        give_up(app, l, px_status_text(reply->status));
    } else {
        px_sul_schedule(app->env, &l->again, on_retry, PX_MS(RETRY_MS));
    }
}

static void relisten(struct app *app, struct listener *l)
{
    struct call *call = call_new(app, relistened, 0);
    if (call == NULL) {
        px_sul_schedule(app->env, &l->again, on_retry, PX_MS(RETRY_MS));
        return;
    }
    call->arg = l;
    listen_send(app->system, call, l->address, &l->options, (uint32_t)(l - app->system->listeners));
}

static void on_retry(struct px_sul *sul)
{
    struct listener *l = px_container_of(sul, struct listener, again);
    if (l->used) {
        relisten(l->app, l);
    }
}

void listener_back(struct app *app, px_peer peer)
{
    struct px_system *system = app->system;
    if (PX_PEER_ADDR(peer) != app->net || app->stopping) {
        return;
    }
    for (uint32_t i = 0; i < system->n_listeners; i++) {
        struct listener *l = &system->listeners[i];
        if (l->used) {
            l->app = app;
            l->tries = 0;
            px_sul_cancel(app->env, &l->again);
            relisten(app, l);
        }
    }
}
