/* door_out.c - from an answer to the socket. Answers of a turn go out together, at its end. */
#include "door_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- one answer ---- */

/* Something waits to be written. */
static void out_grew(struct client *client, uint64_t len)
{
    client->door->memory += len;
    px_want_flush(client->door->env, &client->want);
}

/* Head, text and the packed body of `msg` in one buffer. */
static struct px_buf *front_make(struct client *client, const struct door_reply *reply,
                                 const char *text, const struct px_msg *msg, uint32_t *ret_len)
{
    size_t len = door_reply_head_len(reply) + reply->text_len + reply->body_len;
    struct px_buf *buf = px_buf_new(client->door->env, len);
    if (buf == NULL) {
        return NULL;
    }
    struct px_bytes_out out = px_bytes_out_of(px_buf_data(buf), len);
    door_reply_head_write(reply, &out);
    px_bytes_put(&out, text, reply->text_len);
    if (reply->body_len > 0) {
        px_link_pack(msg, out.ptr);
    }
    *ret_len = (uint32_t)len;
    return buf;
}

static bool slices_append(struct client *client, const struct px_msg *msg, struct px_chain *chain)
{
    const struct px_slice *slices = NULL;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        const struct px_slice *s = &slices[i];
        if (!px_chain_append(client->door->env, chain, s->buf,
                             (uint64_t)(s->ptr - px_buf_data(s->buf)), s->len, PX_SLICE_SHARED)) {
            return false;
        }
    }
    return true;
}

/* Appends an answer. False: there was no memory, and nothing was appended. */
static bool out_append(struct client *client, const struct door_reply *reply, const char *text,
                       const struct px_msg *msg)
{
    struct px_env *env = client->door->env;
    struct px_chain chain = {.len = 0};
    uint32_t len = 0;
    struct px_buf *buf = front_make(client, reply, text, msg, &len);
    bool done = buf != NULL && px_chain_append(env, &chain, buf, 0, len, PX_SLICE_SHARED) &&
                (reply->payload_len == 0 || slices_append(client, msg, &chain));
    px_buf_put(buf);
    if (!done) {
        px_chain_clear(&chain);
        return false;
    }
    out_grew(client, chain.len);
    px_chain_join(&client->out, &chain);
    return true;
}

/* There is no memory even for an answer: the client has to learn it by the end of its connection.
 */
static void out_give_up(struct client *client)
{
    client->state = CLIENT_ENDING;
    px_want_flush(client->door->env, &client->want);
}

void client_refuse(struct client *client, struct px_span hops, enum px_status status,
                   const char *format, ...)
{
    char text[PX_DOOR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct door_reply reply = {.hops = hops, .status = status};
    reply.text_len = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    client_count(client, DOOR_N_REFUSED);
    if (!out_append(client, &reply, text, NULL)) {
        out_give_up(client);
    }
}

static bool has_file_range(const struct px_msg *msg)
{
    const struct px_slice *slices = NULL;
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        if ((slices[i].flags & PX_SLICE_FILE) != 0) {
            return true;
        }
    }
    return false;
}

/* Is there room for `len` more bytes of answers? */
static bool out_fits(const struct client *client, uint64_t len)
{
    const struct door *door = client->door;
    return (client->out.len == 0 || client->out.len + len <= PX_DOOR_ANSWERS_MAX) &&
           door->memory + len <= door->config.memory_max;
}

void client_answer(struct client *client, struct px_span hops, const struct px_msg *msg)
{
    struct door_reply reply = {.hops = hops, .status = msg->status, .has_body = msg->body != NULL};
    if (reply.has_body) {
        reply.body_len = px_link_packed_len(msg);
        reply.payload_len = px_msg_payload_len(msg);
    }
    if (reply.body_len > PX_DOOR_BODY_MAX) {
        client_refuse(client, hops, PX_TOO_LARGE,
                      "the answer has a body of %zu bytes; at most %d "
                      "pass the door",
                      reply.body_len, PX_DOOR_BODY_MAX);
    } else if (reply.payload_len > 0 && has_file_range(msg)) {
        client_refuse(client, hops, PX_UNSUPPORTED,
                      "the answer is an open file, which does not pass the door");
    } else if (!out_fits(client, reply.body_len + reply.payload_len)) {
        client_count(client, DOOR_N_BUSY);
        client_refuse(client, hops, PX_BUSY,
                      "answers that wait to be read fill the memory of the door: read them first");
    } else {
        const char *text = msg->status == PX_OK ? "" : px_status_text(msg->status);
        reply.text_len = strlen(text);
        if (!out_append(client, &reply, text, msg)) {
            out_give_up(client);
        }
    }
}

/* ---- to the socket ---- */

void client_not_reading(struct px_sul *sul)
{
    struct client *client = px_container_of(sul, struct client, out_timer);
    client_count(client, DOOR_N_SLOW);
    client_end(client);
}

static ssize_t out_send(struct client *client)
{
    struct iovec iov[DOOR_IOV_MAX];
    struct msghdr m = {.msg_iov = iov};
    for (struct px_slice *s = px_chain_first(&client->out);
         s != NULL && m.msg_iovlen < DOOR_IOV_MAX; s = px_chain_next(s)) {
        iov[m.msg_iovlen++] = (struct iovec){.iov_base = s->ptr, .iov_len = s->len};
    }
    return sendmsg(client->source.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What is left waits for the socket, but not for ever. */
static void out_wait(struct client *client, bool progress)
{
    struct px_env *env = client->door->env;
    client->full = client->out.len > 0;
    if (!client->full) {
        px_sul_cancel(env, &client->out_timer);
    } else if (progress || !px_sul_pending(&client->out_timer)) {
        px_sul_schedule(env, &client->out_timer, client_not_reading, PX_MS(PX_DOOR_READ_MS));
    }
    client_listen(client);
}

void client_write(struct client *client)
{
    bool progress = false;
    while (client->out.len > 0 && !client->full) {
        ssize_t n = out_send(client);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN) {
            client_end(client);
            return;
        }
        if (n < 0) {
            break;
        }
        progress = true;
        client->door->memory -= (uint64_t)n;
        px_chain_consume(&client->out, (uint64_t)n);
    }
    if (client->out.len == 0 && client->state == CLIENT_ENDING) {
        client_end(client);
        return;
    }
    out_wait(client, progress);
}
