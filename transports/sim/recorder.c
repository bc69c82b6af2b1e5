/* recorder.c - a mailbox nobody implements: a service that keeps everything it gets, in order. It
 * takes every method of the contracts that someone may send to it, and may call on the test's
 * behalf.
 */
#include "sim_impl.h"

#include <stdlib.h>

enum { RECORDER_CALLS = 64, METHODS_MAX = 256 };

struct recorder {
    struct sim_mailbox *mb;
};

static void record_append(struct sim_mailbox *mb, const struct px_msg *envelope,
                          const struct px_msg *held)
{
    struct sim_record *r = sim_calloc(sizeof *r);
    r->envelope = *envelope;
    r->held = held;
    if (mb->last == NULL) {
        mb->first = r;
    } else {
        mb->last->next = r;
    }
    mb->last = r;
}

static void on_message(void *state, const struct px_msg *msg)
{
    struct recorder *rec = state;
    bool bare = msg->block == NULL;
    record_append(rec->mb, msg, bare ? NULL : px_msg_hold(msg));
}

static void on_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct recorder *rec = state;
    struct px_msg envelope = {.kind = PX_KIND_ENDED, .tag = tag, .status = reason};
    record_append(rec->mb, &envelope, NULL);
}

static void on_lost(void *state, px_peer from, px_handle tag)
{
    struct recorder *rec = state;
    struct px_msg envelope = {.kind = PX_KIND_LOST, .tag = tag, .from = from};
    record_append(rec->mb, &envelope, NULL);
}

static enum px_err recorder_init(void *state, struct px_env *env)
{
    struct recorder *rec = state;
    struct sim_domain *d = px_kernel_world(px_env_kernel(env))->ctx;
    rec->mb = &d->system->mailboxes[px_env_self(env)];
    return PX_EOK;
}

static uint32_t handlers_fill(struct sim_mailbox *mb)
{
    const struct px_sim_system *system = mb->system;
    bool seen[256] = {false};
    uint32_t n = 0;
    for (uint32_t i = 0; i < system->n_allows; i++) {
        const struct px_contract *c = system->allows[i].contract;
        if (&system->mailboxes[system->allows[i].to] != mb || seen[c->number]) {
            continue;
        }
        seen[c->number] = true;
        for (uint32_t index = 0; index < c->n_shapes && n < METHODS_MAX; index++) {
            mb->handlers[n++] = (struct px_handler){PX_METHOD(c->number, index), on_message};
        }
    }
    return n;
}

const struct px_service *sim_recorder_service(struct sim_mailbox *mb)
{
    if (mb->handlers == NULL) {
        mb->handlers = sim_calloc(METHODS_MAX * sizeof *mb->handlers);
        mb->recorder = (struct px_service){.name = mb->name,
                                           .state_size = sizeof(struct recorder),
                                           .calls_max = RECORDER_CALLS,
                                           .handlers = mb->handlers,
                                           .n_handlers = handlers_fill(mb),
                                           .init = recorder_init,
                                           .reply = on_message,
                                           .ended = on_ended,
                                           .lost = on_lost};
    }
    return &mb->recorder;
}

static void record_free(struct sim_record *r)
{
    if (r != NULL) {
        px_msg_release(r->held);
        free(r);
    }
}

void sim_mailbox_forget(struct sim_mailbox *mb)
{
    record_free(mb->current);
    mb->current = NULL;
    while (mb->first != NULL) {
        struct sim_record *r = mb->first;
        mb->first = r->next;
        record_free(r);
    }
    mb->last = NULL;
}
