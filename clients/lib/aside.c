/* aside.c - what a request has beside it if it is logged, or its route is ruled. Other requests pay
 * a comparison with NULL for all of this.
 */
#include "aside.h"

#include "auth.h"

#include "http.pb-c.h"
#include "http_contract.h"

#include "fields.h"
#include "text.h"

enum { IP_TEXT_MAX = 72 };

size_t aside_size(void)
{
    return sizeof(struct aside);
}

struct aside *aside_of(struct request *r)
{
    if (r->aside == NULL) {
        r->aside = px_pool_get(&r->app->asides);
        if (r->aside != NULL) {
            r->aside->request = r;
            r->aside->first_byte_us = PX_NEVER;
        }
    }
    return r->aside;
}

/* ---- the log ---- */

void px_server_log(struct px_server *server, px_log_fn fn, void *arg)
{
    server->log_fn = fn;
    server->log_arg = arg;
}

uint64_t px_request_id(struct px_request request)
{
    const struct request *r = request_of(request);
    return r == NULL || r->aside == NULL ? 0 : r->aside->id;
}

bool aside_log(struct request *r)
{
    struct aside *aside = aside_of(r);
    if (aside == NULL) {
        return false;
    }
    aside->is_logged = true;
    aside->msg = px_msg_hold(r->msg);
    aside->id = ++r->app->server->n_logged;
    aside->start_us = px_now_us(r->app->env);
    aside->start_wall_us = px_wall_us(r->app->env);
    return true;
}

void aside_log_from(struct app *app, const ProtobufCBinaryData *remote, uint32_t listener,
                    struct px_log_record *record)
{
    char ip[IP_TEXT_MAX];
    uint16_t port = 0;
    host_address_ip(remote, ip, sizeof ip, &port);
    record->remote = (struct px_text){ip, strlen(ip)};
    record->remote_port = port;
    record->listener = listener_index(app->system, listener);
    app->server->log_fn(record, app->server->log_arg);
}

/* Tells what stands in the head, and what `record` has already. */
static void log_tell(struct app *app, const struct px_msg *msg, struct px_log_record *record)
{
    const Http__Request *head = msg->body;
    record->version = head->version;
    record->method = text_of(head->method.data, head->method.len);
    record->target = text_of(head->path.data, head->path.len);
    record->host = text_of(head->authority.data, head->authority.len);
    record->referer = record->agent = (struct px_text){"", 0};
    fields_find(head->fields.data, head->fields.len, "referer", &record->referer);
    fields_find(head->fields.data, head->fields.len, "user-agent", &record->agent);
    aside_log_from(app, &head->remote, head->listener, record);
}

static struct px_text aside_user(const struct aside *aside)
{
    const char *name = aside->user == NULL ? "" : aside->user->name;
    return (struct px_text){name, strlen(name)};
}

struct px_text px_request_user(struct px_request request)
{
    const struct request *r = request_of(request);
    return r == NULL || r->aside == NULL ? (struct px_text){"", 0} : aside_user(r->aside);
}

static void aside_log_end(const struct request *r, const struct aside *aside, enum px_status status)
{
    struct px_log_record record = {
        .id = aside->id,
        .status = aside->status,
        .ended = status,
        .user = aside_user(aside),
        .start_wall_us = aside->start_wall_us,
        .first_byte_us = aside->first_byte_us,
        .end_us = px_now_us(r->app->env) - aside->start_us,
        .body_len = aside->body_len,
    };
    log_tell(r->app, aside->msg, &record);
}

void aside_log_busy(struct app *app, const struct px_msg *msg)
{
    struct px_log_record record = {.id = ++app->server->n_logged,
                                   .status = 503,
                                   .ended = PX_BUSY,
                                   .user = {"", 0},
                                   .start_wall_us = px_wall_us(app->env)};
    log_tell(app, msg, &record);
}

/* ---- the response and the end ---- */

void aside_told(struct request *r, uint16_t method, void *body)
{
    struct aside *aside = r->aside;
    if (method == REQUESTER_DATA) {
        aside->body_len += px_msg_attached(body);
    } else if (method == REQUESTER_RESPOND) {
        Http__Response *m = body;
        aside->body_len += px_msg_attached(body);
        aside->status = m->status;
        aside->first_byte_us = px_now_us(r->app->env) - aside->start_us;
        if (aside->rules != NULL) {
            ruled_answered(r);
            ruled_fields(aside, m);
        }
    }
}

void aside_answered(struct request *r, uint32_t status, uint32_t body_len)
{
    struct aside *aside = r->aside;
    aside->status = status;
    aside->body_len = body_len;
    aside->first_byte_us = px_now_us(r->app->env) - aside->start_us;
}

void aside_end(struct request *r, enum px_status status)
{
    struct aside *aside = r->aside;
    if (aside->is_logged && r->app->server->log_fn != NULL) {
        aside_log_end(r, aside, status);
    }
    if (aside->rules != NULL) {
        ruled_end(r);
    }
    px_msg_release(aside->msg);
    px_pool_put(&r->app->asides, aside);
    r->aside = NULL;
}
