/* door_outside.c - services outside: what the kernel delivers to their mailboxes becomes messages,
 * and their answers and oneways become the kernel's. A method the kernel does not know travels as
 * door.Outside (proto/door.proto), its body as payload.
 */
#include "door_impl.h"

#include <stdio.h>
#include <string.h>

#include "door.pb-c.h"
#include "door_contract.h"

enum { METHOD_TEXT_MAX = 128 };

/* A span of text in a message that is only read. */
static ProtobufCBinaryData span_bytes(struct px_span span)
{
    union {
        const uint8_t *ptr;
        uint8_t *bytes;
    } u = {.ptr = span.ptr};
    return (ProtobufCBinaryData){span.len, u.bytes};
}

/* Body and payload of a message or request, which lie one behind the other. */
static struct px_span whole_of(struct px_span body, struct px_span payload)
{
    return px_span_of(body.ptr, body.len + payload.len);
}

/* ---- to a service ---- */

void outside_refuse_gone(struct client *client, const struct door_request *request,
                         const struct outside *outside)
{
    client_refuse(client, request->hops, PX_SERVICE_GONE,
                  "the program that was '%s' has ended or let go; call again when it is back",
                  outside->name);
}

void outside_call(struct client *client, const struct door_request *request,
                  struct outside *outside, struct px_buf *buf)
{
    uint8_t packed[DOOR_CARRIED_MAX];
    if (!door_rule_permits(client->rule, outside->name)) {
        client_refuse(client, request->hops, PX_DENIED,
                      "uid %u may not call %s: allow it in the door's configuration", client->uid,
                      outside->name);
        return;
    }
    if (outside->client == NULL) {
        outside_refuse_gone(client, request, outside);
        return;
    }
    if (outside->description == NULL || request->method.len == 0) {
        client_refuse(client, request->hops, PX_UNSUPPORTED,
                      "'%s' has no methods of that name that can be called", outside->name);
        return;
    }
    struct call *call = client_call_new(client, request);
    if (call == NULL) {
        return;
    }
    Door__Carried carried = DOOR__CARRIED__INIT;
    carried.method = span_bytes(request->method);
    carried.body_len = (uint32_t)request->body.len;
    size_t len = door__carried__pack(&carried, packed);
    call->method = request->kind == DOOR_STREAM ? OUTSIDE_STREAM : OUTSIDE_CALL;
    call->to = outside->addr;
    client_call_send(call, request, px_span_of(packed, len),
                     whole_of(request->body, request->payload), buf);
}

/* Answers a call in its place. False: the kernel has no room for that either. */
static bool call_answer(struct outside *outside, const struct px_msg *msg, enum px_status status)
{
    struct px_chain none = {.len = 0};
    struct px_wire wire = {.mailbox = outside->door->config.guest,
                           .sender = outside->addr,
                           .method = msg->method,
                           .id = msg->call,
                           .kind = PX_KIND_REPLY,
                           .status = status};
    return px_link_in(outside->link, &wire, &none) == PX_EOK;
}

static bool has_room(const struct client *client, const struct px_msg *msg)
{
    const struct door *door = client->door;
    uint64_t len = px_msg_payload_len(msg);
    return client->state == CLIENT_OPEN && !msg_has_file(msg) &&
           client->out.len + len <= PX_DOOR_SERVICE_MAX &&
           door->memory + len <= door->config.memory_max;
}

static void deliver_call(struct outside *outside, const struct px_msg *msg, uint32_t deadline_ms)
{
    const Door__Carried *carried = msg->body;
    uint64_t len = px_msg_payload_len(msg);
    struct door_message m = {
        .kind = msg->method == OUTSIDE_STREAM ? DOOR_STREAM : DOOR_CALL,
        .number = deadline_ms,
        .id = msg->call,
        .method = px_span_of(carried->method.data, carried->method.len),
        .body_len = carried->body_len,
        .payload_len = len - carried->body_len,
    };
    bool is_sound = carried->body_len <= len && carried->method.len <= UINT8_MAX;
    bool told =
        is_sound && has_room(outside->client, msg) && client_tell(outside->client, &m, NULL, msg);
    if (!told && !call_answer(outside, msg, is_sound ? PX_BUSY : PX_BAD_REQUEST)) {
        client_give_up(outside->client);
    }
}

static void deliver_oneway(struct outside *outside, const struct px_msg *msg)
{
    const struct px_contract *hears = outside->role == NULL ? NULL : outside->role->hears;
    char name[METHOD_TEXT_MAX];
    uint32_t index = msg->method & 0xffu;
    if (hears == NULL || msg->method >> 8 != hears->number || index >= hears->n_shapes) {
        return; /* the kernel lets nobody say anything else */
    }
    int len = snprintf(name, sizeof name, "%s.%s", hears->descriptor->name,
                       hears->descriptor->methods[index].name);
    bool is_lost = msg->kind == PX_KIND_LOST;
    const char *from = px_mailbox_name(outside->door->env, PX_PEER_ADDR(msg->from));
    struct door_message m = {.kind = is_lost ? DOOR_LOST : DOOR_ONEWAY,
                             .id = msg->tag,
                             .service = px_span_of_str(from),
                             .method = px_span_of(name, (size_t)len)};
    m.body_len = is_lost ? 0 : px_link_packed_len(msg);
    m.payload_len = is_lost ? 0 : px_msg_payload_len(msg);
    if (!has_room(outside->client, msg) ||
        !client_tell(outside->client, &m, is_lost ? NULL : msg, is_lost ? NULL : msg)) {
        client_give_up(outside->client);
    }
}

static void deliver_about(struct outside *outside, const struct px_msg *msg)
{
    bool is_more = msg->kind == PX_KIND_MORE;
    struct door_message m = {.kind = is_more ? DOOR_MORE : DOOR_ENDED,
                             .status = is_more ? 0 : (uint16_t)msg->status,
                             .number = is_more ? (uint32_t)msg->tag : 0,
                             .id = msg->call};
    if (!client_tell(outside->client, &m, NULL, NULL)) {
        client_give_up(outside->client);
    }
}

static void outside_deliver(void *ctx, const struct px_msg *msg, uint32_t deadline_ms)
{
    struct outside *outside = ctx;
    switch (msg->kind) {
    case PX_KIND_CALL:
        deliver_call(outside, msg, deadline_ms);
        break;
    case PX_KIND_ONEWAY:
    case PX_KIND_LOST:
        deliver_oneway(outside, msg);
        break;
    case PX_KIND_MORE:
    case PX_KIND_ENDED:
        deliver_about(outside, msg);
        break;
    default: /* others come and go */
        break;
    }
}

static void outside_flush(void *ctx)
{
    (void)ctx; /* clients are flushed one by one */
}

const struct px_link_ops outside_link_ops = {
    .deliver = outside_deliver, .flush = outside_flush, .unpack = protobuf_c_message_unpack};

/* ---- from a service ---- */

static bool outside_broken(struct client *client)
{
    client_broken(client);
    return false;
}

/* Hands on what it says. False: it has ended. */
static bool take_in(struct client *client, struct px_wire *wire, struct px_span payload,
                    struct px_buf *buf)
{
    struct outside *outside = client->outside;
    struct px_chain chain = {.len = 0};
    enum px_err err = door_payload(outside->link, payload, buf, &chain)
                          ? px_link_in(outside->link, wire, &chain)
                          : PX_ENOMEM;
    px_chain_clear(&chain);
    if (err == PX_ENOMEM || err == PX_EINVAL) {
        return outside_broken(client); /* it could not be told what became of it */
    }
    return true;
}

static bool take_answer(struct client *client, const struct door_message *message,
                        struct px_buf *buf)
{
    uint8_t packed[DOOR_CARRIED_MAX];
    bool is_item = message->kind == DOOR_ITEM;
    bool has_body = is_item || message->status == PX_OK;
    Door__Answered answered = DOOR__ANSWERED__INIT;
    struct px_span text = message->text;
    text.len = text.len < PX_DOOR_TEXT_MAX ? text.len : PX_DOOR_TEXT_MAX;
    answered.body_len = has_body ? (uint32_t)message->body.len : 0;
    answered.text = span_bytes(has_body ? px_span_of("", 0) : text);
    struct px_wire wire = {.mailbox = client->door->config.guest,
                           .sender = client->outside->addr,
                           .method = OUTSIDE_CALL,
                           .id = message->id,
                           .kind = is_item ? PX_KIND_ITEM : PX_KIND_REPLY,
                           .status = is_item ? PX_OK : (enum px_status)message->status,
                           .body = packed,
                           .body_len = door__answered__pack(&answered, packed),
                           .has_body = true};
    struct px_span none = {.len = 0};
    return take_in(client, &wire, has_body ? whole_of(message->body, message->payload) : none, buf);
}

/* "Respond", or with its contract in front. -1: none. */
static int method_index(const struct px_contract *contract, struct px_span name)
{
    for (uint32_t i = 0; i < contract->n_shapes; i++) {
        if (door_method_ends(name, contract->descriptor->methods[i].name)) {
            return (int)i;
        }
    }
    return -1;
}

static bool take_oneway(struct client *client, const struct door_message *message,
                        struct px_buf *buf)
{
    const struct px_door_role *role = client->outside->role;
    int index = role == NULL ? -1 : method_index(role->says, message->method);
    if (index < 0 ||
        !px_span_equal_str(message->service, px_mailbox_name(client->door->env, role->peer))) {
        return outside_broken(client);
    }
    struct px_wire wire = {.mailbox = role->peer,
                           .sender = client->outside->addr,
                           .method = PX_METHOD(role->says->number, index),
                           .id = message->id,
                           .kind = PX_KIND_ONEWAY,
                           .body = message->body.ptr,
                           .body_len = message->body.len,
                           .has_body = true};
    return take_in(client, &wire, message->payload, buf);
}

bool outside_take(struct client *client, const struct door_message *message, struct px_buf *buf)
{
    if (message->body.len > PX_DOOR_BODY_MAX) {
        return outside_broken(client);
    }
    return message->kind == DOOR_ONEWAY ? take_oneway(client, message, buf)
                                        : take_answer(client, message, buf);
}
