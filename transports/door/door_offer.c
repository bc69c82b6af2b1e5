/* door_offer.c - who becomes a service, under which name, and what it says of itself.
 *
 *     free --Provide--> taken --the client goes--> left (the name stays, so that askers hear
 *     SERVICE_GONE) --Provide, by whoever may--> taken
 */
#include "door_impl.h"

#include <stdlib.h>
#include <string.h>

#include "door.pb-c.h"
#include "door_contract.h"

/* ---- names ---- */

static bool name_is_valid(struct px_span name)
{
    bool valid = name.len > 0 && name.len <= PX_DOOR_SERVICE_NAME_MAX;
    for (size_t i = 0; valid && i < name.len; i++) {
        char c = (char)name.ptr[i];
        valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '.' || c == '_' || c == '-';
    }
    return valid;
}

static bool rule_lets_provide(const struct px_door_rule *rule, const char *name)
{
    if (rule == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < rule->n_provides; i++) {
        if (strcmp(rule->provides[i], name) == 0) {
            return true;
        }
    }
    return false;
}

struct outside *outside_named(struct door *door, struct px_span name)
{
    for (uint32_t i = 0; name.len > 0 && i < door->config.n_outside; i++) {
        if (px_span_equal_str(name, door->outside[i].name)) {
            return &door->outside[i];
        }
    }
    return NULL;
}

/* Where a service of that name can be: where it was, where nobody ever was, where nobody is. NULL:
 * everywhere is somebody. */
static struct outside *outside_place(struct door *door, const char *name)
{
    struct outside *found = outside_named(door, px_span_of_str(name));
    for (uint32_t i = 0; found == NULL && i < door->config.n_outside; i++) {
        found = door->outside[i].name[0] == '\0' ? &door->outside[i] : NULL;
    }
    for (uint32_t i = 0; found == NULL && i < door->config.n_outside; i++) {
        found = door->outside[i].client == NULL ? &door->outside[i] : NULL;
    }
    return found;
}

/* ---- coming and going ---- */

void outside_leave(struct outside *outside)
{
    struct door *door = outside->door;
    outside->client->outside = NULL;
    outside->client = NULL;
    outside->role = NULL;
    px_link_gone(outside->link);
    outside->link = NULL;
    door->memory -= outside->description_len;
    px_buf_put(outside->description);
    outside->description = NULL;
    outside->description_len = 0;
    PX_LOG(door->env, PX_LOG_INFO, "service_left", PX_KV_STR("name", outside->name));
}

static enum px_err outside_enter(struct outside *outside, struct client *client, const char *name,
                                 const Door__Offer *offer)
{
    struct door *door = outside->door;
    struct px_buf *description = NULL;
    uint32_t len = (uint32_t)offer->description.len;
    if (len > 0 && (door->memory + len > door->config.memory_max ||
                    (description = px_buf_new(door->env, len)) == NULL)) {
        return PX_ENOMEM;
    }
    enum px_err err =
        px_link_add(px_env_kernel(door->env), &outside_link_ops, outside, &outside->link);
    if (err != PX_EOK) {
        px_buf_put(description);
        return err;
    }
    if (len > 0) {
        memcpy(px_buf_data(description), offer->description.data, len);
    }
    outside->client = client;
    outside->description = description;
    outside->description_len = len;
    door->memory += len;
    memcpy(outside->name, name, strlen(name) + 1);
    client->outside = outside;
    err = px_link_place(outside->link, outside->addr);
    if (err != PX_EOK) {
        outside_leave(outside);
    }
    return err;
}

/* ---- an offer ---- */

/* The role of a contract, NULL: it was refused. Its caller asks for none without a contract. */
static const struct px_door_role *
role_find(struct client *client, const struct door_request *request, const Door__Offer *offer)
{
    const struct px_door_setup *config = &client->door->config;
    struct px_span wanted = px_span_of(offer->contract.data, offer->contract.len);
    for (uint32_t i = 0; i < config->n_roles; i++) {
        const struct px_contract *hears = config->roles[i].hears;
        if (!px_span_equal_str(wanted, hears->descriptor->name)) {
            continue;
        }
        if (px_contract_hash(hears) == offer->hash) {
            return &config->roles[i];
        }
        client_refuse(client, request->hops, PX_UNSUPPORTED,
                      "contract %s is %016llx here and %016llx there: they are not of one build",
                      hears->descriptor->name, (unsigned long long)px_contract_hash(hears),
                      (unsigned long long)offer->hash);
        return NULL;
    }
    client_refuse(client, request->hops, PX_UNSUPPORTED,
                  "nobody here has a use for contract '%.*s'",
                  (int)(wanted.len < 64 ? wanted.len : 64), (const char *)wanted.ptr);
    return NULL;
}

/* False: it was refused. */
static bool offer_permits(struct client *client, const struct door_request *request,
                          const char *name)
{
    struct door *door = client->door;
    const struct outside *taken = outside_named(door, px_span_of_str(name));
    if (!rule_lets_provide(client->rule, name)) {
        client_refuse(client, request->hops, PX_DENIED,
                      "uid %u may not be the service '%s': allow it in the door's configuration "
                      "(provides)",
                      client->uid, name);
    } else if (client->outside != NULL) {
        client_refuse(client, request->hops, PX_IN_USE,
                      "this connection is the service '%s' already", client->outside->name);
    } else if (px_mailbox(door->env, name) != 0) {
        client_refuse(client, request->hops, PX_IN_USE, "'%s' is a mailbox of the system", name);
    } else if (taken != NULL && taken->client != NULL) {
        client_refuse(client, request->hops, PX_IN_USE,
                      "another connection is the service '%s'; it is free when that one ends",
                      name);
    } else {
        return true;
    }
    return false;
}

static void offer_consider(struct client *client, const struct door_request *request,
                           const Door__Offer *offer)
{
    char name[PX_DOOR_SERVICE_NAME_MAX + 1] = "";
    const struct px_door_role *role = NULL;
    struct px_span asked = px_span_of(offer->name.data, offer->name.len);
    if (!name_is_valid(asked) || (offer->description.len == 0 && offer->contract.len == 0)) {
        client_refuse(client, request->hops, PX_BAD_REQUEST,
                      "an offer has a name of 1 to %d letters, digits, '.', '_' and '-', and a "
                      "description, a contract or both",
                      PX_DOOR_SERVICE_NAME_MAX);
        return;
    }
    memcpy(name, asked.ptr, asked.len);
    if (!offer_permits(client, request, name) ||
        (offer->contract.len > 0 && (role = role_find(client, request, offer)) == NULL)) {
        return;
    }
    struct outside *outside = outside_place(client->door, name);
    if (outside == NULL) {
        client_refuse(client, request->hops, PX_LIMIT,
                      "%u services are outside, and no more may be (door.services_max)",
                      client->door->config.n_outside);
    } else if (outside_enter(outside, client, name, offer) != PX_EOK) {
        client_refuse(client, request->hops, PX_NO_MEMORY, "memory ran out; try again later");
    } else {
        outside->role = role;
        client_count(client, DOOR_N_PROVIDED);
        PX_LOG(client->door->env, PX_LOG_INFO, "service_came", PX_KV_STR("name", name),
               PX_KV_U64("uid", client->uid));
        client_answer_packed(client, request->hops, NULL, 0);
    }
}

void offer_take(struct client *client, const struct door_request *request)
{
    if (request->kind != DOOR_CALL || !door_method_ends(request->method, "Provide")) {
        client_refuse(client, request->hops, PX_NOT_FOUND,
                      "door has no such single call; it has: Provide");
        return;
    }
    Door__Offer *offer = request->body.len > PX_DOOR_OFFER_MAX
                             ? NULL
                             : door__offer__unpack(NULL, request->body.len, request->body.ptr);
    if (offer == NULL) {
        client_refuse(client, request->hops, PX_BAD_REQUEST,
                      "not an Offer, or longer than %d bytes", PX_DOOR_OFFER_MAX);
        return;
    }
    offer_consider(client, request, offer);
    door__offer__free_unpacked(offer, NULL);
}

/* ---- what it is ---- */

bool outside_describe(struct client *client, const struct door_request *request)
{
    enum { NAME_TAG = 1 << 3 | 2 }; /* inspect.ServiceName.name */
    struct px_bytes in = px_bytes_of_span(request->body);
    if (!px_span_equal_str(request->service, "inspect") ||
        !door_method_ends(request->method, "Describe") || px_bytes_u8(&in) != NAME_TAG) {
        return false;
    }
    size_t len = px_bytes_u8(&in);
    struct px_span name = px_bytes_take(&in, len);
    const struct outside *outside =
        in.failed || px_bytes_left(&in) > 0 ? NULL : outside_named(client->door, name);
    if (outside == NULL || (outside->client != NULL && outside->description == NULL)) {
        return false;
    }
    if (outside->client == NULL) {
        outside_refuse_gone(client, request, outside);
        return true;
    }
    client_answer_packed(client, request->hops, outside->description, outside->description_len);
    return true;
}

static const struct outside *outside_at(const struct px_env *env, px_addr addr)
{
    const struct door *door = px_kernel_state(px_env_kernel(env), px_env_self(env));
    for (uint32_t i = 0; i < door->config.n_outside; i++) {
        if (door->outside[i].addr == addr) {
            return &door->outside[i];
        }
    }
    return NULL;
}

const char *px_door_outside_name(const struct px_env *env, px_addr addr)
{
    const struct outside *outside = outside_at(env, addr);
    return outside == NULL || outside->name[0] == '\0' ? NULL : outside->name;
}

px_addr px_door_outside(const struct px_env *env, const char *name,
                        const struct px_contract *contract)
{
    struct door *door = px_kernel_state(px_env_kernel(env), px_env_self(env));
    const struct outside *outside = outside_named(door, px_span_of_str(name));
    bool fulfils = outside != NULL && outside->role != NULL && outside->role->hears == contract;
    return fulfils ? outside->addr : 0;
}
