/* door_out.c - from an answer to the socket. Answers of a turn go out together, at its end. */
#include "door_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "door.pb-c.h"
#include "door_contract.h"

/* ---- one answer ---- */

/* Something waits to be written. */
static void out_grew(struct client *client, uint64_t len)
{
    client->door->memory += len;
    px_want_flush(client->door->env, &client->want);
}

/* Head, text and the packed body of `msg`, unless that is NULL, in one buffer. */
static struct px_buf *front_make(struct client *client, const struct door_reply *reply,
                                 const char *text, const struct px_msg *msg, uint32_t *ret_len)
{
    size_t len = door_reply_head_len(reply) + reply->text_len + (msg == NULL ? 0 : reply->body_len);
    struct px_buf *buf = px_buf_new(client->door->env, len);
    if (buf == NULL) {
        return NULL;
    }
    struct px_bytes_out out = px_bytes_out_of(px_buf_data(buf), len);
    door_reply_head_write(reply, &out);
    px_bytes_put(&out, text, reply->text_len);
    if (msg != NULL) {
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

/* Appends what stands in `take_front`, and the payload of `msg`, which may be NULL. False: there
 * was no memory, and nothing was appended. */
static bool out_append(struct client *client, struct px_buf *take_front, uint32_t len,
                       const struct px_msg *msg)
{
    struct px_chain chain = {.len = 0};
    bool done = take_front != NULL &&
                px_chain_append(client->door->env, &chain, take_front, 0, len, PX_SLICE_SHARED) &&
                (msg == NULL || slices_append(client, msg, &chain));
    px_buf_put(take_front);
    if (!done) {
        px_chain_clear(&chain);
        return false;
    }
    out_grew(client, chain.len);
    px_chain_join(&client->out, &chain);
    return true;
}

bool client_tell(struct client *client, struct door_message *message, const struct px_msg *packed,
                 const struct px_msg *payload)
{
    size_t head_len = door_message_head_len(message);
    size_t len = head_len + (packed == NULL ? 0 : (size_t)message->body_len);
    struct px_buf *buf = px_buf_new(client->door->env, len);
    if (buf == NULL) {
        return false;
    }
    struct px_bytes_out out = px_bytes_out_of(px_buf_data(buf), len);
    door_message_head_write(message, &out);
    if (len > head_len) {
        px_link_pack(packed, out.ptr);
    }
    return out_append(client, buf, (uint32_t)len, payload);
}

void client_give_up(struct client *client)
{
    if (client->attached) { /* it may have left too much unread to wait for that */
        client->door->memory -= client->out.len;
        px_chain_clear(&client->out);
        client->full = false;
    }
    client->state = CLIENT_ENDING;
    px_want_flush(client->door->env, &client->want);
}

/* The id of a message that is attached, out of what call.hops keeps of it. */
static uint64_t hops_id(struct px_span hops)
{
    struct px_bytes in = px_bytes_of_span(hops);
    return px_bytes_u64le(&in);
}

/* An answer: what its front says, whose body is packed behind that, and whose payload follows; NULL
 * where there is none. */
struct answer {
    struct door_reply front;
    uint8_t kind; /* DOOR_REPLY, DOOR_ITEM */
    const char *text;
    const struct px_msg *packed, *payload;
};

/* Without memory even for an answer the client has to learn it by the end of its connection. */
static void answer_write(struct client *client, struct answer *a)
{
    bool done;
    if (client->attached) {
        struct door_message m = {.kind = a->kind,
                                 .status = (uint16_t)a->front.status,
                                 .id = hops_id(a->front.hops),
                                 .text = px_span_of(a->text, a->front.text_len),
                                 .body_len = a->front.body_len,
                                 .payload_len = a->front.payload_len};
        done = client_tell(client, &m, a->packed, a->payload);
    } else {
        uint32_t len = 0;
        struct px_buf *front = front_make(client, &a->front, a->text, a->packed, &len);
        done = out_append(client, front, len, a->payload);
    }
    if (!done) {
        client_give_up(client);
    }
}

void client_refuse(struct client *client, struct px_span hops, enum px_status status,
                   const char *format, ...)
{
    char text[PX_DOOR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct answer a = {.front = {.hops = hops, .status = status}, .kind = DOOR_REPLY, .text = text};
    a.front.text_len = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    client_count(client, DOOR_N_REFUSED);
    answer_write(client, &a);
}

bool msg_has_file(const struct px_msg *msg)
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

/* Can it pass? If not, it was refused. */
static bool answer_passes(struct client *client, const struct answer *a)
{
    struct px_span hops = a->front.hops;
    uint64_t len = a->front.body_len + a->front.payload_len;
    if (a->front.body_len > PX_DOOR_BODY_MAX) {
        client_refuse(client, hops, PX_TOO_LARGE,
                      "the answer has a body of %zu bytes; at most %d "
                      "pass the door",
                      a->front.body_len, PX_DOOR_BODY_MAX);
    } else if (a->front.payload_len > 0 && msg_has_file(a->payload)) {
        client_refuse(client, hops, PX_UNSUPPORTED,
                      "the answer is an open file, which does not pass the door");
    } else if (!out_fits(client, len)) {
        client_count(client, DOOR_N_BUSY);
        client_refuse(client, hops, PX_BUSY,
                      "answers that wait to be read fill the memory of the door: read them first");
    } else {
        return true;
    }
    return false;
}

/* What a service outside answered: its payload has the body in front. */
static void answer_of_outside(struct answer *a, const struct px_msg *msg)
{
    const Door__Answered *answered = msg->body;
    uint64_t len = px_msg_payload_len(msg);
    a->front.body_len = answered->body_len < len ? answered->body_len : (size_t)len;
    a->front.payload_len = len - a->front.body_len;
    a->front.has_body = msg->status == PX_OK;
    a->payload = msg;
    if (msg->status != PX_OK && answered->text.len > 0) {
        a->text = (const char *)answered->text.data;
        a->front.text_len =
            answered->text.len < PX_DOOR_TEXT_MAX ? answered->text.len : PX_DOOR_TEXT_MAX;
    }
}

bool client_answer(struct client *client, struct px_span hops, const struct px_msg *msg)
{
    struct answer a = {
        .front = {.hops = hops, .status = msg->status, .has_body = msg->body != NULL},
        .kind = msg->kind == PX_KIND_ITEM ? DOOR_ITEM : DOOR_REPLY,
        .text = msg->status == PX_OK ? "" : px_status_text(msg->status)};
    a.front.text_len = strlen(a.text);
    if (a.front.has_body && msg->method >> 8 == PX_C_OUTSIDE) {
        answer_of_outside(&a, msg);
    } else if (a.front.has_body) {
        a.front.body_len = px_link_packed_len(msg);
        a.front.payload_len = px_msg_payload_len(msg);
        a.packed = a.payload = msg;
    }
    if (!answer_passes(client, &a)) {
        return false;
    }
    answer_write(client, &a);
    return true;
}

void client_answer_packed(struct client *client, struct px_span hops, struct px_buf *body,
                          uint32_t len)
{
    struct answer a = {
        .front = {.hops = hops, .has_body = true, .body_len = len}, .kind = DOOR_REPLY, .text = ""};
    answer_write(client, &a);
    if (body == NULL || client->state != CLIENT_OPEN) {
        return;
    }
    if (px_chain_append(client->door->env, &client->out, body, 0, len, PX_SLICE_SHARED)) {
        client->door->memory += len;
    } else {
        client_give_up(client);
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
