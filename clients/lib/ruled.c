/* ruled.c - a route's rules carried out. On a request, in this order, each with its own answer:
 *
 *     rate (429) -> preflight (204, 403) -> credentials (401, 503) -> length of the body (413)
 *     -> the route's function, or the answer that stands in the rules
 *
 * Credentials may have to wait for a verification; the rest follows when it is done.
 * Then the clocks run: until the response begins (503), until the request's body is complete (408).
 * On the response: the header rules, then what CORS says.
 */
#include "aside.h"

#include <stdio.h>

#include "header_list.h"
#include "http.pb-c.h"
#include "http_contract.h"

#include "auth.h"
#include "cors.h"
#include "fields.h"
#include "path.h"
#include "rate.h"
#include "text.h"

enum { CORS_FIELDS_MAX = 4 };

static bool head_field(const Http__Request *head, const char *name, struct px_text *ret_value)
{
    return fields_find(head->fields.data, head->fields.len, name, ret_value);
}

/* ---- rate ---- */

/* True: it was answered. */
static bool rule_rate(struct request *r, struct px_rate *rate)
{
    const Http__Request *head = r->msg->body;
    struct px_env *env = r->app->env;
    char seconds[24];
    if (rate == NULL) {
        return false;
    }
    if (!rate->has_key) {
        px_random(env, rate->key, sizeof rate->key);
        rate->has_key = true;
    }
    uint64_t evicted = rate->n_evicted;
    uint64_t peer = rate_peer(rate, head->remote.data, head->remote.len);
    uint64_t wait_us = peer == 0 ? 0 : rate_take(rate, peer, px_now_us(env));
    px_count(env, COUNT_EVICTED, rate->n_evicted - evicted);
    if (wait_us == 0) {
        return false;
    }
    struct px_field field = {"retry-after", seconds};
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)((wait_us + 999999) / 1000000));
    px_count(env, COUNT_RATE, 1);
    (void)reply_error(r, 429, &field, 1);
    return true;
}

/* ---- CORS ---- */

static void cors_prepare(struct request *r, const struct cors *cors)
{
    struct px_text origin = {"", 0};
    if (cors != NULL) {
        head_field(r->msg->body, "origin", &origin);
        r->aside->origin = cors_allow(cors, origin);
    }
}

/* Copies a text that fits, with a closing zero. */
static bool text_put(struct px_text text, char *ret, size_t size)
{
    if (text.len >= size) {
        return false;
    }
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

/* The methods a page may use: those configured, else those routed; a route of any method has the
 * one that is asked for ("*" is no method to browsers that send credentials). */
static const char *preflight_methods(const struct request *r, const struct cors *cors,
                                     char allow[ROUTE_ALLOW_MAX])
{
    struct px_text method = {"", 0};
    if (cors->methods != NULL) {
        return cors->methods;
    }
    if (strcmp(r->match.route->method, "*") != 0) {
        route_allow(&request_routes(r)->routes, px_request_path(request_handle(r)), allow);
    } else if (!head_field(r->msg->body, "access-control-request-method", &method) ||
               !text_put(method, allow, ROUTE_ALLOW_MAX)) {
        allow[0] = '\0';
    }
    return allow;
}

/* What is allowed, into the fields of an answer to a preflight. How many. */
static uint32_t preflight_fields(const struct request *r, const struct cors *cors,
                                 struct px_field *fields, char allow[ROUTE_ALLOW_MAX],
                                 char wanted[CORS_TEXT_MAX + 1])
{
    uint32_t n = 0;
    struct px_text headers;
    fields[n++] =
        (struct px_field){"access-control-allow-methods", preflight_methods(r, cors, allow)};
    if (!cors->any_headers && cors->headers != NULL) {
        fields[n++] = (struct px_field){"access-control-allow-headers", cors->headers};
    }
    if (cors->any_headers && head_field(r->msg->body, "access-control-request-headers", &headers) &&
        text_put(headers, wanted, CORS_TEXT_MAX + 1)) {
        fields[n++] = (struct px_field){"access-control-allow-headers", wanted};
    }
    if (cors->credentials) {
        fields[n++] = (struct px_field){"access-control-allow-credentials", "true"};
    }
    if (cors->max_age[0] != '\0') {
        fields[n++] = (struct px_field){"access-control-max-age", cors->max_age};
    }
    return n;
}

static void preflight_answer(struct request *r, const struct cors *cors)
{
    static const char vary[] = "Origin, Access-Control-Request-Method, "
                               "Access-Control-Request-Headers";
    char origin[CORS_TEXT_MAX + 1], allow[ROUTE_ALLOW_MAX], wanted[CORS_TEXT_MAX + 1];
    struct px_field fields[8] = {{"vary", vary}};
    r->aside->preflight = true;
    if (r->aside->origin.ptr == NULL || !text_put(r->aside->origin, origin, sizeof origin)) {
        (void)reply_error(r, 403, fields, 1);
        return;
    }
    fields[1] = (struct px_field){"access-control-allow-origin", origin};
    uint32_t n = preflight_fields(r, cors, fields + 2, allow, wanted);
    reply_or_cancel(r, &(struct px_reply){.status = 204, .fields = fields, .n_fields = n + 2});
}

/* Does a browser ask what it may? The method it asks about. */
static bool is_preflight(const Http__Request *head, struct px_text *ret_method)
{
    struct px_text origin;
    return text_is(text_of(head->method.data, head->method.len), "OPTIONS") &&
           head_field(head, "origin", &origin) &&
           head_field(head, "access-control-request-method", ret_method);
}

static bool rule_cors(struct request *r, const struct cors *cors)
{
    struct px_text method;
    if (cors == NULL || !is_preflight(r->msg->body, &method)) {
        return false;
    }
    preflight_answer(r, cors);
    return true;
}

bool aside_preflight(struct request *r, const struct px_routes *routes, struct px_text path)
{
    struct px_text method;
    const struct rules *rules;
    if (!is_preflight(r->msg->body, &method) ||
        !route_find(&routes->routes, method, path, &r->match)) {
        return false;
    }
    rules = r->match.route->rules;
    if (rules == NULL || rules->cors == NULL || aside_of(r) == NULL) {
        r->match.route = NULL; /* it was not asked for after all */
        return false;
    }
    r->aside->rules = rules;
    cors_prepare(r, rules->cors);
    if (!rule_rate(r, rules->rate)) {
        preflight_answer(r, rules->cors);
    }
    return true;
}

/* The fields that CORS gives a response. How many. */
static uint32_t cors_fields(const struct aside *aside, struct px_header ret[CORS_FIELDS_MAX])
{
    const struct cors *cors = aside->rules->cors;
    uint32_t n = 0;
    if (!cors->any) {
        ret[n++] = (struct px_header){px_span_of_str("vary"), px_span_of_str("Origin")};
    }
    if (aside->origin.ptr == NULL) {
        return n;
    }
    ret[n++] = (struct px_header){px_span_of_str("access-control-allow-origin"),
                                  px_span_of(aside->origin.ptr, aside->origin.len)};
    if (cors->credentials) {
        ret[n++] = (struct px_header){px_span_of_str("access-control-allow-credentials"),
                                      px_span_of_str("true")};
    }
    if (cors->expose != NULL) {
        ret[n++] = (struct px_header){px_span_of_str("access-control-expose-headers"),
                                      px_span_of_str(cors->expose)};
    }
    return n;
}

/* ---- fields of the response ---- */

static bool field_is_dropped(const struct aside *aside, struct px_span name, bool cors)
{
    static const char prefix[] = "access-control-";
    return rules_drop(aside->rules, name.ptr, name.len) ||
           (cors && name.len >= sizeof prefix - 1 &&
            memcmp(name.ptr, prefix, sizeof prefix - 1) == 0);
}

void ruled_fields(struct aside *aside, Http__Response *m)
{
    const struct rules *rules = aside->rules;
    bool cors = rules->cors != NULL && !aside->preflight;
    struct px_header more[CORS_FIELDS_MAX], header;
    uint32_t n_more = cors ? cors_fields(aside, more) : 0;
    size_t size = m->fields.len + rules->added_len;
    if (!cors && rules->added_len == 0 && rules->n_dropped == 0) {
        return;
    }
    for (uint32_t i = 0; i < n_more; i++) {
        size += px_header_size(more[i].name.len, more[i].value.len);
    }
    uint8_t *mem = px_msg_alloc(m, size);
    struct px_bytes in = px_bytes_of(m->fields.data, m->fields.len);
    struct px_bytes_out out = px_bytes_out_of(mem, size);
    while (px_header_list_next(&in, &header)) {
        if (!field_is_dropped(aside, header.name, cors)) {
            px_header_list_put(&out, header.name, header.value);
        }
    }
    px_bytes_put(&out, rules->added, rules->added_len);
    for (uint32_t i = 0; i < n_more; i++) {
        px_header_list_put(&out, more[i].name, more[i].value);
    }
    m->fields = (ProtobufCBinaryData){px_bytes_out_len(&out), mem};
}

/* ---- the request's body ---- */

static bool rule_body(struct request *r, uint64_t body_max)
{
    uint64_t declared = 0;
    if (body_max == 0 || !px_request_length(request_handle(r), &declared) || declared <= body_max) {
        return false;
    }
    px_count(r->app->env, COUNT_BODY_LONG, 1);
    (void)reply_error(r, 413, NULL, 0);
    return true;
}

/* A request's body is given up: answered so, or if it is too late for that, broken off. */
static void body_give_up(struct request *r, uint32_t answer, enum px_status reason)
{
    if (r->state == WAITING) {
        (void)reply_error(r, answer, NULL, 0);
    } else if (r->state != ANSWERED && r->state != ENDED) {
        request_cancel(r, reason);
    }
}

bool aside_body(struct request *r, uint64_t len, bool fin)
{
    struct aside *aside = r->aside;
    if (fin) {
        px_sul_cancel(r->app->env, &aside->body_timer);
    }
    if (aside->rules == NULL || aside->rules->body_max == 0 || aside->too_long) {
        return !aside->too_long;
    }
    aside->in_len += len;
    if (aside->in_len <= aside->rules->body_max) {
        return true;
    }
    aside->too_long = true;
    px_count(r->app->env, COUNT_BODY_LONG, 1);
    body_refuse(r);
    body_give_up(r, 413, PX_TOO_LARGE);
    return false;
}

static void on_body_late(struct px_sul *sul)
{
    struct aside *aside = px_container_of(sul, struct aside, body_timer);
    struct request *r = aside->request;
    aside->too_long = true;
    px_count(r->app->env, COUNT_BODY_LATE, 1);
    body_refuse(r);
    body_give_up(r, 408, PX_TIMED_OUT);
}

/* ---- the answer ---- */

static void on_answer_late(struct px_sul *sul)
{
    struct aside *aside = px_container_of(sul, struct aside, answer_timer);
    struct request *r = aside->request;
    px_count(r->app->env, COUNT_ANSWER_LATE, 1);
    body_give_up(r, 503, PX_TIMED_OUT);
}

static void clocks_start(struct request *r, const struct rules *rules)
{
    struct px_env *env = r->app->env;
    if (rules->answer_ms > 0) {
        px_sul_schedule(env, &r->aside->answer_timer, on_answer_late, PX_MS(rules->answer_ms));
    }
    if (rules->body_ms > 0 && r->in_open) {
        px_sul_schedule(env, &r->aside->body_timer, on_body_late, PX_MS(rules->body_ms));
    }
}

static void answer_redirect(struct request *r, const struct rules *rules)
{
    const Http__Request *head = r->msg->body;
    struct redirect_in in = {.route = r->match.route, .match = &r->match};
    char location[LOCATION_LEN_MAX + 1];
    struct px_text path;
    path_split(text_of(head->path.data, head->path.len), &path, &in.query);
    in.path = px_request_path(request_handle(r));
    in.host = text_of(head->authority.data, head->authority.len);
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

static void rule_answer(struct request *r)
{
    const struct route *route = r->match.route;
    if (route->fn == NULL && route->rules->redirect != NULL) {
        answer_redirect(r, route->rules);
    } else if (route->fn == NULL) {
        answer_text(r, route->rules);
    } else {
        clocks_start(r, route->rules);
        route->fn(request_handle(r), route->arg);
    }
}

static void rule_rest(struct request *r)
{
    if (!rule_body(r, r->aside->rules->body_max)) {
        rule_answer(r);
    }
}

/* ---- credentials ---- */

static void auth_refuse(struct request *r, const struct px_auth *auth)
{
    struct px_field field = {"www-authenticate", auth->challenge};
    px_count(r->app->env, COUNT_AUTH_WRONG, 1);
    (void)reply_error(r, 401, &field, 1);
}

/* True: it was answered, or waits. */
static bool rule_auth(struct request *r, struct px_auth *auth)
{
    static const struct px_field soon = {"retry-after", "1"};
    struct px_text field = {"", 0};
    if (auth == NULL) {
        return false;
    }
    if (!head_field(r->msg->body, "authorization", &field)) {
        auth_refuse(r, auth);
        return true;
    }
    switch (auth_ask(auth, r->aside, field)) {
    case AUTH_RIGHT:
        return false;
    case AUTH_WRONG:
        auth_refuse(r, auth);
        break;
    case AUTH_BUSY:
        px_count(r->app->env, COUNT_AUTH_BUSY, 1);
        (void)reply_error(r, 503, &soon, 1);
        break;
    case AUTH_WAIT:
        break;
    }
    return true;
}

void ruled_authenticated(struct aside *aside, bool right)
{
    struct request *r = aside->request;
    if (r->state != WAITING) {
        return; /* it was answered meanwhile */
    }
    if (right) {
        rule_rest(r);
    } else {
        auth_refuse(r, aside->rules->auth);
    }
}

void aside_rule(struct request *r)
{
    const struct rules *rules = r->match.route->rules;
    if (aside_of(r) == NULL) {
        (void)reply_error(r, 503, NULL, 0);
        return;
    }
    r->aside->rules = rules;
    cors_prepare(r, rules->cors); /* errors are told to other origins too */
    if (!rule_rate(r, rules->rate) && !rule_cors(r, rules->cors) && !rule_auth(r, rules->auth)) {
        rule_rest(r);
    }
}

void ruled_answered(struct request *r)
{
    px_sul_cancel(r->app->env, &r->aside->answer_timer);
}

void ruled_end(struct request *r)
{
    px_sul_cancel(r->app->env, &r->aside->answer_timer);
    px_sul_cancel(r->app->env, &r->aside->body_timer);
    auth_leave(r->aside);
    users_put(r->aside->users);
}
