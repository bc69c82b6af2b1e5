/* door_in.c - from the socket to requests. A message that is whole in what one read brought is
 * dealt with where it lies; one that is not gets a buffer of its own size, and what follows is read
 * right into that.
 */
#include "door_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void client_too_slow(struct px_sul *sul)
{
    struct client *client = px_container_of(sul, struct client, in_timer);
    client_count(client, DOOR_N_SLOW);
    client_end(client);
}

void client_message_drop(struct client *client)
{
    if (client->message != NULL) {
        client->door->memory -= client->len;
        px_buf_put(client->message);
        client->message = NULL;
    }
}

/* ---- messages ---- */

/* One whole message. False: nothing more is to be read of this client. */
static bool message_take(struct client *client, const uint8_t *bytes, size_t len,
                         struct px_buf *buf)
{
    struct door_request request;
    if (client->attached) {
        return pair_take(client, bytes, len, buf);
    }
    switch (door_request_read(bytes, len, &request)) {
    case DOOR_FORM_NOBODY:
        client_broken(client);
        return false;
    case DOOR_FORM_BAD:
        client_refuse(client, request.hops, PX_BAD_REQUEST,
                      "the request ends before what its head says is there");
        return true;
    case DOOR_FORM_OK:
        break;
    }
    door_call(client, &request, buf);
    return true;
}

/* A message of `len` bytes is not to be read. What stands before the request tells whom to say so;
 * then it is the end. False, for those that go on otherwise. */
static bool message_refuse(struct client *client, const uint8_t *bytes, size_t have, uint64_t len)
{
    struct px_door_setup *config = &client->door->config;
    struct door_request request = {.hops = {.len = 0}};
    if (!client->attached) {
        (void)door_request_read(bytes, have < len ? have : (size_t)len, &request);
    }
    if (request.hops.len == 0) {
        client_broken(client);
        return false;
    }
    if (len > config->message_max) {
        client_count(client, DOOR_N_BROKEN);
        client_refuse(client, request.hops, PX_TOO_LARGE,
                      "a request of %llu bytes; at most %u are taken", (unsigned long long)len,
                      config->message_max);
    } else {
        client_count(client, DOOR_N_BUSY);
        client_refuse(client, request.hops, PX_BUSY,
                      "no memory is left for a request of %llu bytes; connect again later",
                      (unsigned long long)len);
    }
    client->state = CLIENT_ENDING;
    px_sul_cancel(client->door->env, &client->in_timer);
    return false;
}

/* The message begins with `have` bytes, of `len`: makes a buffer for all of it. */
static bool message_begin(struct client *client, const uint8_t *bytes, size_t have, uint32_t len)
{
    struct door *door = client->door;
    struct px_buf *buf =
        door->memory + len > door->config.memory_max ? NULL : px_buf_new(door->env, len);
    if (buf == NULL) {
        return message_refuse(client, bytes, have, len);
    }
    memcpy(px_buf_data(buf), bytes, have);
    door->memory += len;
    client->message = buf;
    client->have = (uint32_t)have;
    client->len = len;
    return true;
}

/* Keeps the beginning of a message whose length, or whose sender, is not known yet. */
static void head_keep(struct client *client, struct px_span rest)
{
    memcpy(client->head, rest.ptr, rest.len);
    client->head_len = (uint32_t)rest.len;
}

/* Takes the next message from `in`. False: there is no whole one, or the client has ended. */
static bool message_next(struct client *client, struct px_bytes *in)
{
    struct px_bytes ahead = *in;
    uint8_t kind = px_bytes_u8(&ahead);
    uint64_t len = px_bytes_u64be(&ahead);
    struct px_span rest = px_bytes_rest(&ahead);
    if (ahead.failed) {
        head_keep(client, px_bytes_rest(in));
        return false;
    }
    if (kind != 1 || len < DOOR_ID_LEN) {
        client_broken(client);
        return false;
    }
    if (len <= rest.len) {
        *in = ahead;
        px_bytes_skip(in, (size_t)len);
        return message_take(client, rest.ptr, (size_t)len, NULL);
    }
    if (rest.len < DOOR_HOPS_MAX * DOOR_ID_LEN && rest.len < len) {
        /* whom to refuse it to may not be there yet */
        if (len > client->door->config.message_max && rest.len >= DOOR_ID_LEN &&
            (rest.ptr[0] & 0x80) != 0) {
            return message_refuse(client, rest.ptr, rest.len, len);
        }
        head_keep(client, px_bytes_rest(in));
        return false;
    }
    if (len > client->door->config.message_max) {
        return message_refuse(client, rest.ptr, rest.len, len);
    }
    (void)message_begin(client, rest.ptr, rest.len, (uint32_t)len);
    return false;
}

/* ---- reading ---- */

/* The greeting, which is the first thing. False: it is not whole, or the client has ended. */
static bool greeting_take(struct client *client, struct px_bytes *in)
{
    struct px_bytes ahead = *in;
    struct px_span greeting = px_bytes_take(&ahead, DOOR_GREETING_LEN);
    if (ahead.failed) {
        head_keep(client, px_bytes_rest(in));
        return false;
    }
    bool is_req = memcmp(greeting.ptr, door_greeting_req, DOOR_GREETING_LEN) == 0;
    client->attached = memcmp(greeting.ptr, door_greeting_pair, DOOR_GREETING_LEN) == 0;
    if ((!is_req && !client->attached) ||
        !px_chain_copy_in(client->door->env, &client->out,
                          is_req ? door_greeting_rep : door_greeting_pair, DOOR_GREETING_LEN)) {
        client_broken(client);
        return false;
    }
    client->door->memory += DOOR_GREETING_LEN;
    px_want_flush(client->door->env, &client->want);
    client->state = CLIENT_OPEN;
    *in = ahead;
    return true;
}

/* Is something begun that has to come to its end? Then there is a time for that. */
static void watch_time(struct client *client)
{
    struct px_env *env = client->door->env;
    bool begun =
        client->state == CLIENT_GREETING || client->head_len > 0 || client->message != NULL;
    if (!begun || client->state == CLIENT_ENDING) {
        px_sul_cancel(env, &client->in_timer);
    } else if (!px_sul_pending(&client->in_timer)) {
        px_sul_schedule(env, &client->in_timer, client_too_slow, PX_MS(PX_DOOR_MESSAGE_MS));
    }
}

/* `len` bytes in the scratch. */
static void scratch_take(struct client *client, size_t len)
{
    struct door *door = client->door;
    px_handle self = px_handle_of(&door->clients, client);
    struct px_bytes in = px_bytes_of(door->scratch, len);
    client->head_len = 0;
    bool goes_on = client->state != CLIENT_GREETING || greeting_take(client, &in);
    while (goes_on && px_bytes_left(&in) > 0) {
        goes_on = message_next(client, &in);
    }
    if (px_pool_own(&door->clients, self) != NULL) {
        watch_time(client);
        client_listen(client);
    }
}

/* More of the message that has a buffer. */
static void message_read(struct client *client, size_t n)
{
    struct door *door = client->door;
    px_handle self = px_handle_of(&door->clients, client);
    client->have += (uint32_t)n;
    if (client->have == client->len) {
        struct px_buf *buf = client->message;
        client->message = NULL;
        door->memory -= client->len;
        (void)message_take(client, px_buf_data(buf), client->have, buf);
        px_buf_put(buf);
    }
    if (px_pool_own(&door->clients, self) != NULL) {
        watch_time(client);
        client_listen(client);
    }
}

void client_read(struct client *client)
{
    struct door *door = client->door;
    if (client->state == CLIENT_ENDING) {
        client_end(client); /* it hung up before it had read all */
        return;
    }
    uint8_t *to = door->scratch + client->head_len;
    size_t room = sizeof door->scratch - client->head_len;
    if (client->message != NULL) {
        to = px_buf_data(client->message) + client->have;
        room = client->len - client->have;
    }
    ssize_t n = recv(client->source.fd, to, room, 0);
    if (n > 0 && client->message != NULL) {
        posix_took(door->os, (uint32_t)n);
        message_read(client, (size_t)n);
    } else if (n > 0) {
        posix_took(door->os, (uint32_t)n);
        memcpy(door->scratch, client->head, client->head_len);
        scratch_take(client, client->head_len + (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        client_end(client);
    }
}
