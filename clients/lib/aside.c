/* aside.c - what a request has beside it if it is logged, or its route is ruled. Other requests pay
 * a comparison with NULL for all of this.
 */
#include "lib.h"
#include "rules.h"

#include <stdio.h>

#include "header_list.h"
#include "http.pb-c.h"
#include "http_contract.h"

#include "fields.h"
#include "path.h"

enum { IP_TEXT_MAX = 72 };

struct aside {
    /* the log */
    bool is_logged;
    const struct px_msg *msg; /* held: the head */
    uint64_t id, start_us, first_byte_us;
    int64_t start_wall_us;
    uint64_t body_len;
    uint32_t status;
    /* the rules */
    const struct rules *rules;
};

size_t aside_size(void)
{
    return sizeof(struct aside);
}

/* The element, made if need be. NULL: no memory. */
static struct aside *aside_of(struct request *r)
{
    if (r->aside == NULL) {
        r->aside = px_pool_get(&r->app->asides);
        if (r->aside != NULL) {
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

static struct px_text text_of(const ProtobufCBinaryData *data)
{
    return data->len == 0 ? (struct px_text){"", 0}
                          : (struct px_text){(const char *)data->data, data->len};
}

/* Tells what stands in the head, and what `record` has already. */
static void log_tell(struct app *app, const struct px_msg *msg, struct px_log_record *record)
{
    const Http__Request *head = msg->body;
    char ip[IP_TEXT_MAX];
    uint16_t port = 0;
    host_address_ip(&head->remote, ip, sizeof ip, &port);
    record->remote = (struct px_text){ip, strlen(ip)};
    record->remote_port = port;
    record->listener = listener_index(app->system, head->listener);
    record->version = head->version;
    record->method = text_of(&head->method);
    record->target = text_of(&head->path);
    record->host = text_of(&head->authority);
    record->referer = record->agent = (struct px_text){"", 0};
    fields_find(head->fields.data, head->fields.len, "referer", &record->referer);
    fields_find(head->fields.data, head->fields.len, "user-agent", &record->agent);
    app->server->log_fn(record, app->server->log_arg);
}

static void aside_log_end(const struct request *r, const struct aside *aside, enum px_status status)
{
    struct px_log_record record = {
        .id = aside->id,
        .status = aside->status,
        .ended = status,
        .user = {"", 0},
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

/* ---- fields of the response ---- */

/* The fields as the route's rules want them. */
static void fields_rule(const struct rules *rules, Http__Response *m)
{
    struct px_bytes in = px_bytes_of(m->fields.data, m->fields.len);
    size_t size = m->fields.len + rules->added_len;
    uint8_t *mem = px_msg_alloc(m, size);
    struct px_bytes_out out = px_bytes_out_of(mem, size);
    struct px_header header;
    while (px_header_list_next(&in, &header)) {
        if (!rules_drop(rules, header.name.ptr, header.name.len)) {
            px_header_list_put(&out, header.name, header.value);
        }
    }
    px_bytes_put(&out, rules->added, rules->added_len);
    m->fields = (ProtobufCBinaryData){(size_t)(out.ptr - mem), mem};
}

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
        if (aside->rules != NULL && (aside->rules->added_len > 0 || aside->rules->n_dropped > 0)) {
            fields_rule(aside->rules, m);
        }
    }
}

/* ---- answers by rule ---- */

static void answer_redirect(struct request *r, const struct rules *rules)
{
    const Http__Request *head = r->msg->body;
    struct redirect_in in = {.route = r->match.route, .match = &r->match};
    char location[LOCATION_LEN_MAX + 1];
    struct px_text path;
    path_split(text_of(&head->path), &path, &in.query);
    in.path = px_request_path(request_handle(r));
    in.host = text_of(&head->authority);
    if (!redirect_fill(rules->redirect, &in, location, sizeof location)) {
        (void)reply_error(r, 414, NULL, 0);
        return;
    }
    struct px_field field = {"location", location};
    struct px_reply reply = {.status = rules->status, .fields = &field, .n_fields = 1};
    if (rules->text != NULL) {
        reply.content_type = rules->content_type;
        reply.body = rules->text;
        reply.body_len = strlen(rules->text);
    }
    reply_or_cancel(r, &reply);
}

static void answer_text(struct request *r, const struct rules *rules)
{
    char line[64];
    const char *text = rules->text;
    if (text == NULL && rules->status >= 400) {
        (void)reply_error(r, rules->status, NULL, 0);
        return;
    }
    bool bare = rules->status == 204 || rules->status == 304;
    if (text == NULL && !bare) {
        snprintf(line, sizeof line, "%u %s\n", (unsigned)rules->status, status_text(rules->status));
        text = line;
    }
    struct px_reply reply = {.status = rules->status};
    if (text != NULL) {
        reply.content_type = rules->content_type;
        reply.body = text;
        reply.body_len = strlen(text);
    }
    reply_or_cancel(r, &reply);
}

void aside_rule(struct request *r)
{
    const struct route *route = r->match.route;
    struct aside *aside = aside_of(r);
    if (aside == NULL) {
        (void)reply_error(r, 503, NULL, 0);
        return;
    }
    aside->rules = route->rules;
    if (route->fn != NULL) {
        route->fn(request_handle(r), route->arg);
    } else if (route->rules->redirect != NULL) {
        answer_redirect(r, route->rules);
    } else {
        answer_text(r, route->rules);
    }
}

/* ---- the end ---- */

void aside_end(struct request *r, enum px_status status)
{
    struct aside *aside = r->aside;
    if (aside->is_logged && r->app->server->log_fn != NULL) {
        aside_log_end(r, aside, status);
    }
    px_msg_release(aside->msg);
    px_pool_put(&r->app->asides, aside);
    r->aside = NULL;
}
