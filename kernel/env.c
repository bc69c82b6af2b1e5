/* env.c - the environment: all a service sees of the world. */
#include "kernel_impl.h"

uint64_t px_now_us(const struct px_env *env)
{
    return env->kernel->now_us;
}

int64_t px_wall_us(const struct px_env *env)
{
    struct px_kernel *k = env->kernel;
    if (!k->wall_known) {
        k->wall_known = true;
        k->wall_us = k->world.wall_us != NULL ? k->world.wall_us(k->world.ctx) : 0;
    }
    return k->wall_us;
}

void px_random(struct px_env *env, void *ret, size_t len)
{
    const struct px_world *w = &env->kernel->world;
    PX_ASSERT(w->entropy != NULL); /* nothing that needs chance may run without */
    w->entropy(w->ctx, ret, len);
}

uint64_t px_random_u64(struct px_env *env)
{
    uint64_t number;
    px_random(env, &number, sizeof number);
    return number;
}

px_addr px_mailbox(const struct px_env *env, const char *name)
{
    return px_kernel_mailbox(env->kernel, name);
}

px_peer px_mailbox_peer(const struct px_env *env, px_addr addr)
{
    return addr <= env->kernel->n_mailboxes ? mailbox_peer(&env->kernel->mailboxes[addr]) : 0;
}

const char *px_mailbox_name(const struct px_env *env, px_addr addr)
{
    return addr >= 1 && addr <= env->kernel->n_mailboxes ? env->kernel->mailboxes[addr].name : "?";
}

bool px_may_send(const struct px_env *env, px_peer peer, uint8_t contract, px_addr to)
{
    return send_allowed(env->kernel, PX_PEER_ADDR(peer), PX_METHOD(contract, 0), to);
}

px_addr px_env_self(const struct px_env *env)
{
    return env->self;
}

const void *px_env_config(const struct px_env *env)
{
    return env->config;
}

struct px_kernel *px_env_kernel(const struct px_env *env)
{
    return env->kernel;
}

void px_count(struct px_env *env, uint32_t index, uint64_t n)
{
    PX_ASSERT(env->service != NULL && index < env->service->n_counters);
    env->counters[index] += n;
}
