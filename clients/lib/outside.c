/* outside.c - requests that a program behind the door answers. The request stays an element of
 * ours, so that rules, log and its end go as for any other; beside it stands a relay, which is what
 * that program has a handle of. Bodies pass without being copied, under the credit of their far
 * ends.
 *
 *     ASKED --Respond--> ANSWERING --fin, Trailers--> ANSWERED
 *     any --the request ends--> told Ended, gone
 *     any --the program goes, or breaks the contract--> gone: 503 or 502 before Respond, else the
 *     request is cancelled
 *
 * What it says is checked here: the engine believes what comes from this mailbox.
 */
#include "lib.h"

#include <plexus/door.h>
#include <px/fsm.h>

#include "http.pb-c.h"
#include "http_contract.h"

#include "door.h"
#include "fields.h"

enum { RELAY_WINDOW_MAX = 65536, RETRY_AFTER_S = 1, HEAD_LEN_MAX = 65000 };

enum relay_state { ASKED, ANSWERING, RELAY_ANSWERED, N_RELAY_STATES };

static const struct px_state relay_table[N_RELAY_STATES] = {
    [ASKED] = {"asked", PX_TO(ANSWERING) | PX_TO(RELAY_ANSWERED)},
    [ANSWERING] = {"answering", PX_TO(RELAY_ANSWERED)},
    [RELAY_ANSWERED] = {"answered", 0},
};

struct relay {
    struct request *request; /* whose element outlives this one */
    px_addr to;
    px_handle self, responder; /* as the program knows it; the program's, 0: not told yet */
    uint32_t state;
    uint32_t window; /* bytes of the request's body that may still come */
    uint32_t owed;   /* credit that it has not been told of */
    bool has_left;   /* the length of the response is known: */
    uint64_t left;   /* so much of it is to come */
};

size_t relay_size(void)
{
    return sizeof(struct relay);
}

static uint32_t *relays_of(struct app *app, px_addr addr)
{
    return &app->n_relays[(addr - app->outside_first) % OUTSIDE_MAX];
}

/* ---- the end ---- */

static void ended_tell(struct app *app, px_addr to, px_handle responder, enum px_status status)
{
    Http__EndedExchange *m = px_msg_new(app->env, &http__ended_exchange__descriptor);
    m->status = status;
    px_send(app->env, to, RESPONDER_ENDED, m, responder);
}

/* The request goes on without it. */
static void relay_drop(struct relay *relay)
{
    struct app *app = relay->request->app;
    relay->request->relay = NULL;
    --*relays_of(app, relay->to);
    px_pool_put(&app->relays, relay);
}

void relay_end(struct request *r, enum px_status status)
{
    struct relay *relay = r->relay;
    if (relay->responder != 0) {
        ended_tell(r->app, relay->to, relay->responder, status);
    }
    relay_drop(relay);
}

static void answer_later(struct request *r)
{
    char seconds[] = {'0' + RETRY_AFTER_S, '\0'};
    struct px_field field = {"retry-after", seconds};
    px_count(r->app->env, COUNT_OUTSIDE_AWAY, 1);
    (void)reply_error(r, 503, &field, 1);
}

/* It broke the contract: it hears the end, and the client that there is no answer. */
static void relay_break(struct relay *relay)
{
    struct request *r = relay->request;
    px_count(r->app->env, COUNT_OUTSIDE_BROKEN, 1);
    relay_end(r, PX_PROTOCOL);
    if (r->state == WAITING) {
        (void)reply_error(r, 502, NULL, 0);
    } else {
        request_cancel(r, PX_PROTOCOL);
    }
}

static void relay_leave(struct relay *relay)
{
    struct request *r = relay->request;
    relay_drop(relay);
    if (r->state == WAITING) {
        answer_later(r);
    } else if (r->state == SENDING) {
        request_cancel(r, PX_SERVICE_GONE);
    }
}

void relay_gone(struct app *app, px_peer peer)
{
    struct relay *relay = px_pool_next(&app->relays, NULL);
    while (relay != NULL) {
        struct relay *next = px_pool_next(&app->relays, relay);
        if (px_pool_owner(&app->relays, relay) == peer) {
            relay_leave(relay);
        }
        relay = next;
    }
}

bool relay_lost(struct app *app, px_peer from, px_handle tag)
{
    struct relay *relay = px_pool_own(&app->relays, tag);
    if (relay == NULL || px_pool_owner(&app->relays, relay) != from) {
        return false;
    }
    relay_break(relay);
    return true;
}

/* ---- asking ---- */

static Http__Request *exchange_new(struct request *r, const Http__Request *head)
{
    size_t len = head->method.len + head->scheme.len + head->authority.len + head->path.len +
                 head->fields.len + head->remote.len + 64;
    if (len > HEAD_LEN_MAX) {
        return NULL;
    }
    Http__Request *m = px_msg_new_sized(r->app->env, &http__request__descriptor, len);
    px_msg_put(m, &m->method, head->method.data, head->method.len);
    px_msg_put(m, &m->scheme, head->scheme.data, head->scheme.len);
    px_msg_put(m, &m->authority, head->authority.data, head->authority.len);
    px_msg_put(m, &m->path, head->path.data, head->path.len);
    px_msg_put(m, &m->fields, head->fields.data, head->fields.len);
    px_msg_put(m, &m->remote, head->remote.data, head->remote.len);
    m->fin = head->fin;
    m->has_length = head->has_length;
    m->length = head->length;
    m->expects_continue = head->expects_continue;
    m->credit = (uint32_t)(r->credit < UINT32_MAX ? r->credit : UINT32_MAX);
    m->listener = listener_index(r->app->system, head->listener);
    m->version = head->version;
    return m;
}

static struct relay *relay_new(struct request *r, px_addr to)
{
    struct app *app = r->app;
    px_peer peer = px_mailbox_peer(app->env, to);
    if (peer == 0 || *relays_of(app, to) >= PX_OUTSIDE_REQUESTS_MAX) {
        return NULL;
    }
    struct relay *relay = px_pool_get(&app->relays);
    if (relay != NULL) {
        relay->request = r;
        relay->to = to;
        relay->self = px_pool_issue(&app->relays, relay, peer);
        ++*relays_of(app, to);
        r->relay = relay;
        r->relayed = true;
    }
    return relay;
}

void px_request_serve_outside(struct px_request request, void *arg)
{
    struct request *r = request_of(request);
    if (request_answerable(r) == PX_EOK && r->msg != NULL) {
        relay_start(r, door_outside(request.system, arg));
    }
}

void relay_start(struct request *r, px_addr to)
{
    struct relay *relay = to == 0 ? NULL : relay_new(r, to);
    Http__Request *m = relay == NULL ? NULL : exchange_new(r, r->msg->body);
    if (m == NULL) {
        if (relay != NULL) {
            relay_drop(relay);
        }
        answer_later(r);
        return;
    }
    m->requester = relay->self;
    if (!px_send(r->app->env, to, RESPONDER_EXCHANGE, m, 0)) {
        relay_leave(relay);
    }
}

/* ---- the request's body, and credit for the response's ---- */

void relay_body(struct request *r, const struct px_msg *msg, bool fin)
{
    struct relay *relay = r->relay;
    uint64_t charge = px_charge(px_msg_payload_len(msg));
    if (relay == NULL) {
        return; /* on its way when the program went */
    }
    if (charge > relay->window) {
        request_cancel(r, PX_PROTOCOL);
        return;
    }
    relay->window -= (uint32_t)charge;
    Http__BodyBytes *m = px_msg_new(r->app->env, &http__body_bytes__descriptor);
    m->fin = fin;
    px_msg_attach_all(m, msg);
    if (!px_send(r->app->env, relay->to, RESPONDER_DATA, m, relay->responder)) {
        relay_leave(relay);
    }
}

void relay_trailers(struct request *r, const struct px_msg *msg)
{
    const Http__TrailerFields *trailers = msg->body;
    struct relay *relay = r->relay;
    if (relay == NULL) {
        return;
    }
    if (relay->responder == 0) {
        r->trailers = px_msg_hold(msg); /* until it says where to */
        return;
    }
    Http__TrailerFields *m =
        px_msg_new_sized(r->app->env, &http__trailer_fields__descriptor, trailers->fields.len + 16);
    px_msg_put(m, &m->fields, trailers->fields.data, trailers->fields.len);
    if (!px_send(r->app->env, relay->to, RESPONDER_TRAILERS, m, relay->responder)) {
        relay_leave(relay);
    }
}

void relay_credit(struct request *r, uint32_t bytes)
{
    struct relay *relay = r->relay;
    if (relay == NULL || relay->state == RELAY_ANSWERED) {
        return;
    }
    if (relay->responder == 0) {
        relay->owed += bytes; /* until it says where to */
        return;
    }
    Http__ExchangeCredit *m = px_msg_new(r->app->env, &http__exchange_credit__descriptor);
    m->bytes = bytes;
    if (!px_send(r->app->env, relay->to, RESPONDER_CREDIT, m, relay->responder)) {
        relay_leave(relay);
    }
}

/* ---- what the program says ---- */

/* It has told its handle: now it can hear what came before that. */
static void relay_meet(struct relay *relay, px_handle responder)
{
    struct request *r = relay->request;
    uint32_t owed = relay->owed;
    relay->responder = responder;
    relay->owed = 0;
    if (owed > 0) {
        relay_credit(r, owed);
    }
    if (r->trailers != NULL) {
        relay_trailers(r, r->trailers);
    }
}

/* The relay that a message is about; NULL: it ended before, or a rule has answered. Who has not
 * told its handle before has not heard of the end either. */
static struct relay *relay_at(struct app *app, const struct px_msg *msg, px_handle responder)
{
    struct relay *relay = px_pool_at(&app->relays, msg);
    if (relay == NULL && responder != 0) {
        ended_tell(app, PX_PEER_ADDR(msg->from), responder, PX_RESET);
    }
    if (relay == NULL) {
        return NULL;
    }
    struct request *r = relay->request;
    if (relay->responder == 0 && responder != 0) {
        relay_meet(relay, responder);
    }
    if (r->relay != NULL && relay->state == ASKED && r->state != WAITING) {
        relay_end(r, PX_CANCELLED);
    }
    return r->relay;
}

void relay_on_credit(void *state, const struct px_msg *msg)
{
    const Http__ExchangeCredit *credit = msg->body;
    struct relay *relay = relay_at(state, msg, credit->responder);
    if (relay == NULL || credit->bytes == 0 || !relay->request->in_open) {
        return;
    }
    if (credit->bytes > RELAY_WINDOW_MAX - relay->window || relay->responder == 0) {
        relay_break(relay);
        return;
    }
    struct request *r = relay->request;
    relay->window += credit->bytes;
    Http__ExchangeCredit *m = px_msg_new(r->app->env, &http__exchange_credit__descriptor);
    m->responder = r->self;
    m->bytes = credit->bytes;
    request_tell(r, REQUESTER_CREDIT, m);
}

static void relay_move(struct relay *relay, bool fin)
{
    struct request *r = relay->request;
    if (fin) {
        px_fsm_move(relay_table, &relay->state, RELAY_ANSWERED);
        reply_answered(r);
    } else if (relay->state == ASKED) {
        px_fsm_move(relay_table, &relay->state, ANSWERING);
        request_move(r, SENDING);
    }
}

/* `len` bytes of the response, the last with `fin`. False: the length is not what was said. */
static bool length_fits(struct relay *relay, uint64_t len, bool fin)
{
    if (!relay->has_left) {
        return true;
    }
    if (len > relay->left || (fin && len < relay->left)) {
        return false;
    }
    relay->left -= len;
    return true;
}

static bool status_has_body(uint32_t status)
{
    return status != 204 && status != 304;
}

static bool response_is_sound(const struct relay *relay, const Http__Response *m, uint64_t len)
{
    return relay->state == ASKED && relay->responder != 0 && m->status >= 200 && m->status <= 999 &&
           len <= RESPOND_FREE_MAX && fields_are_valid(m->fields.data, m->fields.len) &&
           (status_has_body(m->status) || (m->fin && len == 0));
}

void relay_on_respond(void *state, const struct px_msg *msg)
{
    const Http__Response *said = msg->body;
    uint64_t len = px_msg_payload_len(msg);
    struct relay *relay = relay_at(state, msg, said->responder);
    if (relay == NULL) {
        return;
    }
    struct request *r = relay->request;
    bool bodiless = r->is_head || !status_has_body(said->status);
    relay->has_left = said->has_length && !bodiless;
    relay->left = said->length;
    if (!response_is_sound(relay, said, len) ||
        (!bodiless && !length_fits(relay, len, said->fin))) {
        relay_break(relay);
        return;
    }
    Http__Response *m =
        px_msg_new_sized(r->app->env, &http__response__descriptor, said->fields.len + 16);
    m->responder = r->self;
    m->status = said->status;
    px_msg_put(m, &m->fields, said->fields.data, said->fields.len);
    m->has_length = said->has_length;
    m->length = said->length;
    m->fin = said->fin || bodiless;
    if (!bodiless) {
        px_msg_attach_all(m, msg);
    }
    bool fin = m->fin;
    request_tell(r, REQUESTER_RESPOND, m);
    relay_move(relay, fin);
}

void relay_on_data(void *state, const struct px_msg *msg)
{
    const Http__BodyBytes *said = msg->body;
    uint64_t len = px_msg_payload_len(msg), charge = px_charge(len);
    struct relay *relay = relay_at(state, msg, 0);
    if (relay == NULL || (relay->state == RELAY_ANSWERED && relay->request->is_head)) {
        return; /* the body of a HEAD: it need not know */
    }
    struct request *r = relay->request;
    if (relay->state != ANSWERING || charge > r->credit || !length_fits(relay, len, said->fin)) {
        relay_break(relay);
        return;
    }
    r->credit -= charge;
    bool fin = said->fin;
    Http__BodyBytes *m = px_msg_new(r->app->env, &http__body_bytes__descriptor);
    m->fin = fin;
    px_msg_attach_all(m, msg);
    request_tell(r, REQUESTER_DATA, m);
    relay_move(relay, fin);
}

void relay_on_trailers(void *state, const struct px_msg *msg)
{
    const Http__TrailerFields *said = msg->body;
    struct relay *relay = relay_at(state, msg, 0);
    if (relay == NULL || (relay->state == RELAY_ANSWERED && relay->request->is_head)) {
        return;
    }
    struct request *r = relay->request;
    if (relay->state != ANSWERING || !length_fits(relay, 0, true) ||
        !fields_are_valid(said->fields.data, said->fields.len)) {
        relay_break(relay);
        return;
    }
    Http__TrailerFields *m =
        px_msg_new_sized(r->app->env, &http__trailer_fields__descriptor, said->fields.len + 16);
    px_msg_put(m, &m->fields, said->fields.data, said->fields.len);
    request_tell(r, REQUESTER_TRAILERS, m);
    relay_move(relay, true);
}

void relay_on_inform(void *state, const struct px_msg *msg)
{
    const Http__InterimResponse *said = msg->body;
    struct relay *relay = relay_at(state, msg, 0);
    if (relay == NULL || relay->request->state != WAITING) {
        return;
    }
    struct request *r = relay->request;
    if (said->status < 102 || said->status > 199 || relay->responder == 0 ||
        !fields_are_valid(said->fields.data, said->fields.len)) {
        relay_break(relay);
        return;
    }
    Http__InterimResponse *m =
        px_msg_new_sized(r->app->env, &http__interim_response__descriptor, said->fields.len + 16);
    m->status = said->status;
    px_msg_put(m, &m->fields, said->fields.data, said->fields.len);
    request_tell(r, REQUESTER_INFORM, m);
}

/* It gives up: the engine says the end. */
void relay_on_cancel(void *state, const struct px_msg *msg)
{
    const Http__CancelExchange *said = msg->body;
    struct relay *relay = relay_at(state, msg, said->responder);
    if (relay == NULL) {
        return;
    }
    struct request *r = relay->request;
    if (r->state == WAITING) {
        relay_end(r, PX_CANCELLED);
        (void)reply_error(r, 502, NULL, 0);
    } else {
        request_cancel(r, PX_CANCELLED);
    }
}
