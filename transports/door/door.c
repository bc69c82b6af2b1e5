/* door.c - the mailbox "door": who comes in, and until when. */
#include "door_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const counter_names[DOOR_N_COUNTERS] = {
    [DOOR_N_ACCEPTED] = "accepted",   [DOOR_N_FULL] = "full",
    [DOOR_N_STRANGERS] = "strangers", [DOOR_N_CALLS] = "calls",
    [DOOR_N_ANSWERED] = "answered",   [DOOR_N_REFUSED] = "refused",
    [DOOR_N_BUSY] = "busy",           [DOOR_N_BROKEN] = "broken",
    [DOOR_N_SLOW] = "slow",           [DOOR_N_PROVIDED] = "provided",
};

void client_count(struct client *client, enum door_counter which)
{
    px_count(client->door->env, which, 1);
}

/* ---- a client ---- */

void client_end(struct client *client)
{
    struct door *door = client->door;
    while (client->calls != NULL) {
        call_drop(client->calls);
    }
    if (client->outside != NULL) {
        outside_leave(client->outside);
    }
    px_sul_cancel(door->env, &client->in_timer);
    px_sul_cancel(door->env, &client->out_timer);
    px_want_cancel(door->env, &client->want);
    client_message_drop(client);
    door->memory -= client->out.len;
    px_chain_clear(&client->out);
    posix_close(door->os, &client->source);
    px_pool_put(&door->clients, client);
}

void client_broken(struct client *client)
{
    client_count(client, DOOR_N_BROKEN);
    client_end(client);
}

/* What it may leave unread and still be read from. A service is: the bytes it has not read are
 * others', and it may be writing to us before it reads on. */
static uint64_t unread_max(const struct client *client)
{
    if (client->outside != NULL) {
        return PX_DOOR_SERVICE_MAX;
    }
    return client->attached ? PX_DOOR_ATTACHED_MAX : PX_DOOR_UNREAD_MAX;
}

void client_listen(struct client *client)
{
    bool reads = client->state != CLIENT_ENDING && client->out.len <= unread_max(client);
    unsigned events = (reads ? POSIX_IN : 0u) | (client->full ? POSIX_OUT : 0u);
    posix_events(client->door->os, &client->source, (uint8_t)events);
}

static void client_ready(struct client *client, uint32_t events)
{
    if ((events & (EPOLLOUT | EPOLLERR)) != 0) {
        client->full = false;
        px_want_flush(client->door->env, &client->want);
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        client_read(client);
    }
}

/* ---- coming in ---- */

/* May this uid do anything here? With the rule that says what; NULL: everything. */
static bool uid_is_known(const struct door *door, uint32_t uid, const struct px_door_rule **ret)
{
    for (uint32_t i = 0; i < door->config.n_rules; i++) {
        if (door->config.rules[i].uid == uid) {
            *ret = &door->config.rules[i];
            return true;
        }
    }
    *ret = NULL;
    return uid == door->uid || uid == 0;
}

static enum px_err client_new(struct door *door, int take_fd, uint32_t uid,
                              const struct px_door_rule *rule)
{
    struct client *client = px_pool_get(&door->clients);
    if (client == NULL) {
        px_count(door->env, DOOR_N_FULL, 1);
        return PX_ELIMIT;
    }
    client->door = door;
    client->uid = uid;
    client->rule = rule;
    enum px_err err = posix_watch(door->os, door->owner, &client->source, take_fd, POSIX_IN);
    if (err != PX_EOK) {
        px_pool_put(&door->clients, client);
        return err;
    }
    client->source.kind = 1;
    px_count(door->env, DOOR_N_ACCEPTED, 1);
    px_sul_schedule(door->env, &client->in_timer, client_too_slow, PX_MS(PX_DOOR_MESSAGE_MS));
    return PX_EOK;
}

static void client_accept(struct door *door, int take_fd)
{
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t len = sizeof peer;
    const struct px_door_rule *rule;
    if (getsockopt(take_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        !uid_is_known(door, peer.uid, &rule)) {
        px_count(door->env, DOOR_N_STRANGERS, 1);
        if (!door->has_stranger || door->stranger != peer.uid) { /* once, however often he comes */
            PX_LOG(door->env, PX_LOG_WARN, "stranger", PX_KV_U64("uid", peer.uid));
        }
        door->stranger = peer.uid;
        door->has_stranger = true;
        close(take_fd);
    } else if (client_new(door, take_fd, peer.uid, rule) != PX_EOK) {
        close(take_fd);
    }
}

static void pause_over(struct px_sul *sul)
{
    struct door *door = px_container_of(sul, struct door, pause);
    posix_events(door->os, &door->listener, POSIX_IN);
}

static void door_accept(struct door *door)
{
    for (int i = 0; i < DOOR_ACCEPT_MAX; i++) {
        int fd = accept4(door->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_accept(door, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            posix_events(door->os, &door->listener, POSIX_QUIET);
            px_sul_schedule(door->env, &door->pause, pause_over, DOOR_PAUSE_US);
            return;
        }
    }
}

/* ---- the mailbox ---- */

static void door_ready(void *state, struct posix_source *source, uint32_t events)
{
    if (source->kind == 0) {
        door_accept(state);
    } else {
        client_ready(px_container_of(source, struct client, source), events);
    }
}

static void door_flush(void *state, struct px_want *want)
{
    (void)state;
    client_write(px_container_of(want, struct client, want));
}

static enum px_err door_init(void *state, struct px_env *env)
{
    struct door *door = state;
    door->env = env;
    door->os = posix_of(env);
    return door->os == NULL ? PX_EUNSUPPORTED
                            : posix_join(door->os, env, door, door_ready, &door->owner);
}

enum px_err px_door_open(struct px_env *env, const struct px_door_setup *config)
{
    struct door *door = px_kernel_state(px_env_kernel(env), px_env_self(env));
    const px_addr guest = config->guest;
    door->config = *config;
    door->uid = geteuid();
    uint64_t calls = (uint64_t)config->clients_max * config->calls_max;
    PX_TRY(px_pool_init(&door->clients, env, sizeof(struct client), config->clients_max, 0));
    PX_TRY(px_pool_init(&door->calls, env, sizeof(struct call),
                        calls < DOOR_CALLS_LIMIT ? (uint32_t)calls : DOOR_CALLS_LIMIT, 0));
    PX_TRY(px_link_add(px_env_kernel(env), &door_link_ops, door, &door->link));
    PX_TRY(px_link_place(door->link, guest));
    for (uint32_t i = 0; i < config->n_outside; i++) {
        door->outside[i] = (struct outside){.door = door, .addr = config->outside[i]};
    }
    int fd = dup(config->listen_fd);
    if (fd < 0) {
        return PX_EIO;
    }
    enum px_err err = posix_watch(door->os, door->owner, &door->listener, fd, POSIX_IN);
    if (err != PX_EOK) {
        close(fd);
    }
    return err;
}

const struct px_service px_door_service = {
    .name = "door",
    .state_size = sizeof(struct door),
    .counters = counter_names,
    .n_counters = DOOR_N_COUNTERS,
    .init = door_init,
    .flush = door_flush,
};
