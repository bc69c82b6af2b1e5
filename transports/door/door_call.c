/* door_call.c - from a request to a call: who is meant, may he, and what becomes of it. The kernel
 * sees a call that comes over a link, with the handle of our element as its number.
 */
#include "door_impl.h"

#include <stdio.h>
#include <string.h>

/* ---- whom it is for ---- */

struct names {
    char text[256];
    size_t len;
};

static void names_add(struct names *names, const char *name)
{
    int n = snprintf(names->text + names->len, sizeof names->text - names->len, "%s%s",
                     names->len == 0 ? "" : ", ", name);
    if (n > 0 && (size_t)n < sizeof names->text - names->len) {
        names->len += (size_t)n;
    } else {
        names->text[names->len] = '\0';
    }
}

bool door_rule_permits(const struct px_door_rule *rule, const char *service)
{
    if (rule == NULL || rule->services == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < rule->n_services; i++) {
        if (strcmp(rule->services[i], service) == 0) {
            return true;
        }
    }
    return false;
}

static void refuse_service(struct client *client, const struct door_request *request)
{
    const struct px_door_setup *config = &client->door->config;
    struct names names = {.len = 0};
    for (uint32_t i = 0; i < config->n_targets; i++) {
        bool again = i > 0 && config->targets[i].addr == config->targets[i - 1].addr;
        if (!again && door_rule_permits(client->rule, config->targets[i].name)) {
            names_add(&names, config->targets[i].name);
        }
    }
    for (uint32_t i = 0; i < config->n_outside; i++) {
        const struct outside *o = &client->door->outside[i];
        if (o->client != NULL && o->description != NULL &&
            door_rule_permits(client->rule, o->name)) {
            names_add(&names, o->name);
        }
    }
    client_refuse(client, request->hops, PX_NOT_FOUND,
                  "no service '%.*s' takes calls here; these do: %s",
                  (int)(request->service.len < 64 ? request->service.len : 64),
                  (const char *)request->service.ptr, names.text);
}

static void refuse_method(struct client *client, const struct door_request *request)
{
    const struct px_door_setup *config = &client->door->config;
    struct names names = {.len = 0};
    for (uint32_t i = 0; i < config->n_targets; i++) {
        const struct px_door_target *t = &config->targets[i];
        for (uint32_t m = 0;
             px_span_equal_str(request->service, t->name) && m < t->contract->descriptor->n_methods;
             m++) {
            names_add(&names, t->contract->descriptor->methods[m].name);
        }
    }
    client_refuse(client, request->hops, PX_NOT_FOUND, "%.*s has no method '%.*s'; it has: %s",
                  (int)request->service.len, (const char *)request->service.ptr,
                  (int)(request->method.len < 64 ? request->method.len : 64),
                  (const char *)request->method.ptr, names.text);
}

/* "Stats", or with its contract in front: "net.Net.Stats". */
static bool method_is(const struct px_door_target *target, uint32_t index, struct px_span name)
{
    const ProtobufCServiceDescriptor *d = target->contract->descriptor;
    if (px_span_equal_str(name, d->methods[index].name)) {
        return true;
    }
    size_t len = strlen(d->name);
    return name.len > len + 1 && memcmp(name.ptr, d->name, len) == 0 && name.ptr[len] == '.' &&
           px_span_equal_str(px_span_of(name.ptr + len + 1, name.len - len - 1),
                             d->methods[index].name);
}

/* "Describe", "inspect.Inspect.Describe". What stands in front of it is looked at later. */
bool door_method_ends(struct px_span name, const char *last)
{
    size_t len = strlen(last);
    return name.len >= len && memcmp(name.ptr + name.len - len, last, len) == 0 &&
           (name.len == len || name.ptr[name.len - len - 1] == '.');
}

/* The service and method a request names. NULL: it was answered. */
static const struct px_door_target *
request_target(struct client *client, const struct door_request *request, uint32_t *ret_index)
{
    const struct px_door_setup *config = &client->door->config;
    bool any = false;
    for (uint32_t i = 0; i < config->n_targets; i++) {
        const struct px_door_target *t = &config->targets[i];
        if (!px_span_equal_str(request->service, t->name)) {
            continue;
        }
        any = true;
        bool is_open = t->open_method != NULL && door_method_ends(request->method, t->open_method);
        if (!is_open && !door_rule_permits(client->rule, t->name)) {
            client_refuse(client, request->hops, PX_DENIED,
                          "uid %u may not call %s: allow it in the door's configuration",
                          client->uid, t->name);
            return NULL;
        }
        for (uint32_t m = 0; m < t->contract->descriptor->n_methods; m++) {
            if (method_is(t, m, request->method)) {
                *ret_index = m;
                return t;
            }
        }
    }
    if (any) {
        refuse_method(client, request);
    } else {
        refuse_service(client, request);
    }
    return NULL;
}

/* ---- a call and its end ---- */

void client_call_unlink(struct call *call)
{
    struct client *client = call->client;
    *call->at = call->next;
    if (call->next != NULL) {
        call->next->at = call->at;
    }
    client->n_calls--;
    px_sul_cancel(client->door->env, &call->deadline);
    px_pool_put(&client->door->calls, call);
}

/* What it had to say could be repeated only if the kernel's reserve were used up: then an answer
 * will find nobody, and a stream waits for the next allowance. */
void client_call_tell(const struct call *call, enum px_kind kind, enum px_status why, uint32_t n)
{
    struct door *door = call->client->door;
    struct px_chain none = {.len = 0};
    struct px_wire wire = {.mailbox = call->to,
                           .sender = door->config.guest,
                           .method = call->method,
                           .id = px_handle_of(&door->calls, call),
                           .kind = (uint8_t)kind,
                           .status = why,
                           .deadline_ms = n};
    if (px_link_in(door->link, &wire, &none) != PX_EOK) {
        PX_LOG(door->env, PX_LOG_DEBUG, "not_told", PX_KV_U64("method", call->method));
    }
}

static void call_take_back(const struct call *call, enum px_status why)
{
    client_call_tell(call, PX_KIND_ENDED, why, 0);
}

void call_drop(struct call *call)
{
    call_take_back(call, PX_CANCELLED);
    client_call_unlink(call);
}

static void call_late(struct px_sul *sul)
{
    struct call *call = px_container_of(sul, struct call, deadline);
    client_refuse(call->client, px_span_of(call->hops, call->hops_len), PX_TIMED_OUT,
                  "no answer within the deadline; give a longer one if the service needs it");
    call_take_back(call, PX_TIMED_OUT);
    client_call_unlink(call);
}

struct call *client_call_new(struct client *client, const struct door_request *request)
{
    struct door *door = client->door;
    struct call *call = client->n_calls < door->config.calls_max ? px_pool_get(&door->calls) : NULL;
    if (call == NULL) {
        client_count(client, DOOR_N_BUSY);
        client_refuse(client, request->hops, PX_BUSY,
                      "%u calls of this client are under way; at most %u may be", client->n_calls,
                      door->config.calls_max);
        return NULL;
    }
    uint32_t ms = request->deadline_ms == 0 ? PX_DOOR_DEADLINE_MS : request->deadline_ms;
    ms = ms < PX_DOOR_DEADLINE_MAX_MS ? ms : PX_DOOR_DEADLINE_MAX_MS;
    if (request->kind != DOOR_STREAM || request->deadline_ms > 0) {
        px_sul_schedule(door->env, &call->deadline, call_late, PX_MS(ms));
    }
    memcpy(call->hops, request->hops.ptr, request->hops.len);
    call->hops_len = (uint8_t)request->hops.len;
    call->client = client;
    call->next = client->calls;
    call->at = &client->calls;
    if (call->next != NULL) {
        call->next->at = &call->next;
    }
    client->calls = call;
    client->n_calls++;
    return call;
}

bool door_payload(struct px_link *link, struct px_span payload, struct px_buf *buf,
                  struct px_chain *ret)
{
    struct px_env *env = px_link_env(link);
    if (payload.len == 0) {
        return true;
    }
    if (buf == NULL) {
        return px_chain_copy_in(env, ret, payload.ptr, payload.len);
    }
    return px_chain_append(env, ret, buf, (uint64_t)(payload.ptr - px_buf_data(buf)),
                           (uint32_t)payload.len, 0);
}

void client_call_send(struct call *call, const struct door_request *request, struct px_span body,
                      struct px_span payload, struct px_buf *buf)
{
    struct client *client = call->client;
    struct door *door = client->door;
    struct px_chain chain = {.len = 0};
    struct px_wire wire = {.mailbox = call->to,
                           .sender = door->config.guest,
                           .method = call->method,
                           .id = px_handle_of(&door->calls, call),
                           .kind = PX_KIND_CALL,
                           .deadline_ms = request->deadline_ms,
                           .body = body.ptr,
                           .body_len = body.len,
                           .has_body = true};
    client_count(client, DOOR_N_CALLS);
    if (!door_payload(door->link, payload, buf, &chain) ||
        px_link_in(door->link, &wire, &chain) == PX_ENOMEM) {
        client_refuse(client, request->hops, PX_NO_MEMORY, "memory ran out; try again later");
        client_call_unlink(call);
    }
    px_chain_clear(&chain); /* any other error is answered by the kernel */
}

/* False: it was answered. */
static bool shape_permits(struct client *client, const struct door_request *request,
                          const struct px_door_target *target, uint32_t index)
{
    const char *name = target->contract->descriptor->methods[index].name;
    uint8_t shape = target->contract->shapes[index];
    if (shape == PX_ONEWAY || (shape == PX_STREAM) != (request->kind == DOOR_STREAM)) {
        client_refuse(client, request->hops, PX_UNSUPPORTED,
                      shape == PX_ONEWAY   ? "%s is not a single call: it is never answered"
                      : shape == PX_STREAM ? "%s is not a single call: it answers with a stream, "
                                             "for those who are attached"
                                           : "%s is a single call, not a stream",
                      name);
        return false;
    }
    if (target->looks && shape == PX_CALL) {
        client_refuse(client, request->hops, PX_DENIED,
                      "%s is for the program itself: clients may only look at %s", name,
                      target->name);
        return false;
    }
    return true;
}

static bool request_is_spoken(struct client *client, const struct door_request *request)
{
    if (request->version != DOOR_VERSION ||
        (request->kind != DOOR_KIND_CALL && !client->attached)) {
        client_refuse(client, request->hops, PX_UNSUPPORTED,
                      "version %u, kind %u is not spoken here; version %d, kind %d is",
                      request->version, request->kind, DOOR_VERSION, DOOR_KIND_CALL);
        return false;
    }
    if (request->body.len > PX_DOOR_BODY_MAX) {
        client_refuse(client, request->hops, PX_TOO_LARGE, "a body of %zu bytes; at most %d",
                      request->body.len, PX_DOOR_BODY_MAX);
        return false;
    }
    return true;
}

void door_call(struct client *client, const struct door_request *request, struct px_buf *buf)
{
    uint32_t index = 0;
    if (!request_is_spoken(client, request) || outside_describe(client, request)) {
        return;
    }
    struct outside *outside = outside_named(client->door, request->service);
    if (outside != NULL) {
        outside_call(client, request, outside, buf);
        return;
    }
    const struct px_door_target *target = request_target(client, request, &index);
    if (target == NULL || !shape_permits(client, request, target, index)) {
        return;
    }
    struct call *call = client_call_new(client, request);
    if (call != NULL) {
        call->method = PX_METHOD(target->contract->number, index);
        call->to = target->addr;
        client_call_send(call, request, request->body, request->payload, buf);
    }
}

/* ---- answers ---- */

/* An item: the call goes on, unless it could not be told. */
static void item_deliver(struct call *call, const struct px_msg *msg)
{
    px_sul_cancel(call->client->door->env, &call->deadline); /* it bounds the first one */
    if (!client_answer(call->client, px_span_of(call->hops, call->hops_len), msg)) {
        call_take_back(call, PX_CANCELLED);
        client_call_unlink(call);
    }
}

static void link_deliver(void *ctx, const struct px_msg *msg, uint32_t deadline_ms)
{
    struct door *door = ctx;
    (void)deadline_ms;
    bool answers = msg->kind == PX_KIND_REPLY || msg->kind == PX_KIND_ITEM;
    struct call *call = answers ? px_pool_own(&door->calls, msg->tag) : NULL;
    if (call == NULL) {
        return; /* somebody came or went, or it is late */
    }
    if (msg->kind == PX_KIND_ITEM) {
        item_deliver(call, msg);
        return;
    }
    client_count(call->client, DOOR_N_ANSWERED);
    (void)client_answer(call->client, px_span_of(call->hops, call->hops_len), msg);
    client_call_unlink(call);
}

static void link_flush(void *ctx)
{
    (void)ctx; /* clients are flushed one by one */
}

const struct px_link_ops door_link_ops = {
    .deliver = link_deliver, .flush = link_flush, .unpack = protobuf_c_message_unpack};
