/* denied.c - capabilities: a service speaks to whom it was granted, and to nobody else. The same
 * service twice asks for the figures of `net`; only one may. CC0, no rights reserved.
 *
 *     cc denied.c $(pkg-config --cflags --libs plexus plexus-service) -o denied && ./denied
 */
#include <plexus.h>
#include <px/service.h>
#include <stdio.h>

#include "net.pb-c.h"
#include "net_contract.h"

struct asker {
    struct px_env *env;
    struct px_sul first;
};

static void asker_ask(struct px_sul *sul) /* in the first turn: init may not call anybody */
{
    struct asker *a = px_container_of(sul, struct asker, first);
    void *body = px_msg_new(a->env, &net__listener_ref__descriptor);
    px_call(a->env, px_mailbox(a->env, "net"), NET_STATS, body, PX_SEC(1), 0);
}

static enum px_err asker_init(void *state, struct px_env *env)
{
    struct asker *a = state;
    a->env = env;
    px_sul_schedule(env, &a->first, asker_ask, 1);
    return PX_EOK;
}

static void asker_reply(void *state, const struct px_msg *msg)
{
    struct asker *a = state;
    printf("%s: %s\n", px_mailbox_name(a->env, px_env_self(a->env)), px_status_name(msg->status));
}

static const struct px_service asker_service = {.name = "asker",
                                                .state_size = sizeof(struct asker),
                                                .calls_max = 1,
                                                .init = asker_init,
                                                .reply = asker_reply};

static void on_time(struct px_timer *timer, void *arg)
{
    (void)arg;
    px_stop(timer->system, 0, NULL, NULL);
}

int main(void)
{
    const struct px_reach net = {.contract = &px_contract_net, .mailbox = "net"};
    const struct px_addition granted = {
        .service = &asker_service, .mailbox = "granted", .reaches = &net, .n_reaches = 1};
    const struct px_addition stranger = {.service = &asker_service, .mailbox = "stranger"};
    struct px_timer timer = {0};
    struct px_system *system = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_system_add(system, &granted) != PX_EOK ||
        px_system_add(system, &stranger) != PX_EOK ||
        px_timer_set(system, &timer, PX_MS(200), on_time, NULL) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    return px_run(system) == PX_EOK ? 0 : 1;
}
