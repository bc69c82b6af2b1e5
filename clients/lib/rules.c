/* rules.c - rules of a route: checked and made ready once, carried out for each request.
 */
#include "rules.h"

#include <px/bytes.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "cors.h"
#include "fields.h"
#include "rate.h"
#include "text.h"

/* ---- header rules ---- */

/* Is what rule `at` gives taken out again by one behind it? */
static bool header_is_undone(const struct px_rules *config, uint32_t at)
{
    for (uint32_t i = at + 1; i < config->n_headers; i++) {
        const struct px_header_rule *later = &config->headers[i];
        if (later->act != PX_HEADER_ADD &&
            text_is_any_case((struct px_text){later->name, strlen(later->name)},
                             config->headers[at].name)) {
            return true;
        }
    }
    return false;
}

static enum px_err headers_check(const struct px_rules *config)
{
    if (config->n_headers > HEADER_RULES_MAX) {
        return PX_EINVAL;
    }
    for (uint32_t i = 0; i < config->n_headers; i++) {
        const struct px_header_rule *rule = &config->headers[i];
        bool gives = rule->act != PX_HEADER_REMOVE;
        struct px_field field = {rule->name, gives ? rule->value : ""};
        size_t len = 0;
        if ((unsigned)rule->act > PX_HEADER_REMOVE) {
            return PX_EINVAL;
        }
        PX_TRY(fields_size(NULL, &field, 1, &len));
    }
    return PX_EOK;
}

static enum px_err headers_drop(struct rules *rules, const char *name)
{
    size_t len = strlen(name);
    char *copy = malloc(len + 1);
    if (copy == NULL) {
        return PX_ENOMEM;
    }
    for (size_t i = 0; i <= len; i++) {
        copy[i] = text_lower(name[i]);
    }
    rules->dropped[rules->n_dropped++] = copy;
    return PX_EOK;
}

/* What stands in the fields of every response once all rules are carried out. */
static enum px_err headers_make(struct rules *rules, const struct px_rules *config)
{
    struct px_field added[HEADER_RULES_MAX];
    uint32_t n_added = 0;
    PX_TRY(headers_check(config));
    rules->dropped = calloc(config->n_headers, sizeof *rules->dropped);
    if (rules->dropped == NULL) {
        return PX_ENOMEM;
    }
    for (uint32_t i = 0; i < config->n_headers; i++) {
        const struct px_header_rule *rule = &config->headers[i];
        if (rule->act != PX_HEADER_ADD) {
            PX_TRY(headers_drop(rules, rule->name));
        }
        if (rule->act != PX_HEADER_REMOVE && !header_is_undone(config, i)) {
            added[n_added++] = (struct px_field){rule->name, rule->value};
        }
    }
    PX_TRY(fields_size(NULL, added, n_added, &rules->added_len));
    if (rules->added_len > HEADER_RULES_LEN_MAX) {
        return PX_EINVAL;
    }
    rules->added = malloc(rules->added_len + 1);
    if (rules->added == NULL) {
        return PX_ENOMEM;
    }
    fields_write(NULL, added, n_added, rules->added, rules->added_len);
    return PX_EOK;
}

bool rules_drop(const struct rules *rules, const uint8_t *name, size_t len)
{
    for (uint32_t i = 0; i < rules->n_dropped; i++) {
        if (strlen(rules->dropped[i]) == len && memcmp(rules->dropped[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- answers ---- */

/* Copies `text`, or leaves NULL for NULL. */
static enum px_err text_copy(const char *text, char **ret_copy)
{
    if (text != NULL) {
        size_t size = strlen(text) + 1;
        *ret_copy = malloc(size);
        if (*ret_copy == NULL) {
            return PX_ENOMEM;
        }
        memcpy(*ret_copy, text, size);
    }
    return PX_EOK;
}

static bool status_redirects(uint32_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum px_err answer_make(struct rules *rules, const struct px_rules *config,
                               const struct route *route)
{
    size_t len = 0;
    if (config->redirect != NULL) {
        rules->status = config->status == 0 ? 302 : config->status;
        if (!status_redirects(rules->status) || !redirect_is_valid(config->redirect, route)) {
            return PX_EINVAL;
        }
    } else {
        rules->status = config->status == 0 ? 200 : config->status;
    }
    bool bare = rules->status == 204 || rules->status == 304;
    if (rules->status < 200 || rules->status > 599 || (bare && config->text != NULL) ||
        (config->text != NULL && strlen(config->text) > ERROR_PAGE_LEN_MAX)) {
        return PX_EINVAL;
    }
    PX_TRY(fields_size(config->content_type, NULL, 0, &len));
    PX_TRY(text_copy(config->redirect, &rules->redirect));
    PX_TRY(text_copy(config->text, &rules->text));
    return text_copy(config->content_type == NULL ? "text/plain; charset=utf-8"
                                                  : config->content_type,
                     &rules->content_type);
}

/* ---- */

static enum px_err rules_make(struct rules *rules, const struct px_rules *config,
                              const struct route *route)
{
    bool answers = config->status != 0 || config->redirect != NULL || config->text != NULL;
    if (answers == (route->fn != NULL)) {
        return PX_EINVAL; /* exactly one of the two answers */
    }
    if (answers) {
        PX_TRY(answer_make(rules, config, route));
    }
    if (config->n_headers > 0) {
        PX_TRY(headers_make(rules, config));
    }
    if (config->cors != NULL) {
        PX_TRY(cors_new(config->cors, &rules->cors));
    }
    if (config->rate != NULL) {
        rate_hold(config->rate);
        rules->rate = config->rate;
    }
    if (config->auth != NULL) {
        auth_hold(config->auth);
        rules->auth = config->auth;
    }
    rules->body_max = config->body_max;
    rules->body_ms = config->body_ms;
    rules->answer_ms = config->answer_ms;
    return PX_EOK;
}

enum px_err rules_new(const struct px_rules *config, const struct route *route,
                      struct rules **ret_rules)
{
    struct rules *rules = calloc(1, sizeof *rules);
    if (rules == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = rules_make(rules, config, route);
    if (err != PX_EOK) {
        rules_free(rules);
        return err;
    }
    *ret_rules = rules;
    return PX_EOK;
}

void rules_free(struct rules *take_rules)
{
    if (take_rules == NULL) {
        return;
    }
    for (uint32_t i = 0; i < take_rules->n_dropped; i++) {
        free(take_rules->dropped[i]);
    }
    px_rate_free(take_rules->rate);
    px_auth_free(take_rules->auth);
    cors_free(take_rules->cors);
    free(take_rules->dropped);
    free(take_rules->added);
    free(take_rules->text);
    free(take_rules->content_type);
    free(take_rules->redirect);
    free(take_rules);
}
