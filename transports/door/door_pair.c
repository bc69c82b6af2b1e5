/* door_pair.c - what those say who are attached: calls and what belongs to them, like any client,
 * and what a service outside says, which door_outside.c deals with. What makes no sense is the end
 * of them: they are programs with a connection of their own, and nobody else is hurt by it.
 */
#include "door_impl.h"

#include <string.h>

/* Its call of that id; NULL: none that has not ended. */
static struct call *pair_call(const struct client *client, struct px_span id)
{
    for (struct call *c = client->calls; c != NULL; c = c->next) {
        if (px_span_equal(px_span_of(c->hops, c->hops_len), id)) {
            return c;
        }
    }
    return NULL;
}

static bool pair_broken(struct client *client)
{
    client_broken(client);
    return false;
}

static bool pair_ask(struct client *client, const struct door_message *message, struct px_buf *buf)
{
    const struct door_request request = {.hops = message->id_bytes,
                                         .version = message->version,
                                         .kind = message->kind,
                                         .service = message->service,
                                         .method = message->method,
                                         .deadline_ms = message->number,
                                         .body = message->body,
                                         .payload = message->payload};
    if (pair_call(client, message->id_bytes) != NULL) {
        return pair_broken(client);
    }
    if (px_span_equal_str(message->service, "door")) {
        offer_take(client, &request);
    } else {
        door_call(client, &request, buf);
    }
    return true;
}

/* Of a call that has ended: normal, it was on its way. */
static void pair_more(const struct client *client, const struct door_message *message)
{
    const struct call *call = pair_call(client, message->id_bytes);
    if (call != NULL) {
        client_call_tell(call, PX_KIND_MORE, PX_OK, message->number);
    }
}

static void pair_ended(const struct client *client, const struct door_message *message)
{
    struct call *call = pair_call(client, message->id_bytes);
    if (call != NULL) {
        call_drop(call);
    }
}

bool pair_take(struct client *client, const uint8_t *bytes, size_t len, struct px_buf *buf)
{
    struct door_message message;
    if (door_message_read(bytes, len, &message) != DOOR_FORM_OK) {
        return pair_broken(client);
    }
    bool goes_on = true;
    switch (message.kind) {
    case DOOR_CALL:
    case DOOR_STREAM:
        goes_on = pair_ask(client, &message, buf);
        break;
    case DOOR_MORE:
        pair_more(client, &message);
        break;
    case DOOR_ENDED:
        pair_ended(client, &message);
        break;
    case DOOR_REPLY:
    case DOOR_ITEM:
    case DOOR_ONEWAY:
        goes_on =
            client->outside == NULL ? pair_broken(client) : outside_take(client, &message, buf);
        break;
    default: /* lost is what only we say */
        goes_on = pair_broken(client);
        break;
    }
    return goes_on && client->state == CLIENT_OPEN;
}
