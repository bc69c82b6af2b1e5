/* cors.c - origins that may, and what they may.
 */
#include "cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Printable ASCII without commas and spaces, or with them: a list. */
static bool text_is_valid(const char *text, bool is_list)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        bool separates = text[i] == ',' || text[i] == ' ';
        if (text[i] < ' ' || text[i] > '~' || (separates && !is_list)) {
            return false;
        }
    }
    return len > 0 && len <= CORS_TEXT_MAX;
}

static enum px_err list_copy(const char *text, char **ret_copy)
{
    if (text == NULL) {
        return PX_EOK;
    }
    if (!text_is_valid(text, true)) {
        return PX_EINVAL;
    }
    *ret_copy = strdup(text);
    return *ret_copy == NULL ? PX_ENOMEM : PX_EOK;
}

/* "scheme://host", "scheme://host:port" or "null": as browsers send it, so no path, no capitals. */
static bool origin_is_valid(const char *origin)
{
    const char *host = strstr(origin, "://");
    if (strcmp(origin, "null") == 0) {
        return true;
    }
    if (host == NULL || host == origin || host[3] == '\0' || strchr(host + 3, '/') != NULL ||
        strchr(origin, '*') != NULL || !text_is_valid(origin, false)) {
        return false;
    }
    for (; *origin != '\0'; origin++) {
        if (*origin >= 'A' && *origin <= 'Z') {
            return false;
        }
    }
    return true;
}

static enum px_err origins_copy(struct cors *cors, const struct px_cors *config)
{
    if (config->n_origins == 0 || config->n_origins > CORS_ORIGINS_MAX) {
        return PX_EINVAL;
    }
    cors->origins = calloc(config->n_origins, sizeof *cors->origins);
    if (cors->origins == NULL) {
        return PX_ENOMEM;
    }
    for (uint32_t i = 0; i < config->n_origins; i++) {
        const char *origin = config->origins[i];
        if (strcmp(origin, "*") == 0) {
            cors->any = true;
            continue;
        }
        if (!origin_is_valid(origin)) {
            return PX_EINVAL;
        }
        cors->origins[cors->n_origins] = strdup(origin);
        if (cors->origins[cors->n_origins] == NULL) {
            return PX_ENOMEM;
        }
        cors->n_origins++;
    }
    return PX_EOK;
}

static enum px_err cors_make(struct cors *cors, const struct px_cors *config)
{
    PX_TRY(origins_copy(cors, config));
    if (config->max_age_s > CORS_AGE_S_MAX || (cors->any && config->credentials)) {
        return PX_EINVAL; /* everybody's page with everybody's cookies: nobody means that */
    }
    cors->credentials = config->credentials;
    cors->any_headers = config->headers != NULL && strcmp(config->headers, "*") == 0;
    if (config->max_age_s > 0) {
        snprintf(cors->max_age, sizeof cors->max_age, "%u", (unsigned)config->max_age_s);
    }
    PX_TRY(list_copy(config->methods, &cors->methods));
    PX_TRY(list_copy(config->headers, &cors->headers));
    return list_copy(config->expose, &cors->expose);
}

enum px_err cors_new(const struct px_cors *config, struct cors **ret_cors)
{
    struct cors *cors = calloc(1, sizeof *cors);
    if (cors == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = cors_make(cors, config);
    if (err != PX_EOK) {
        cors_free(cors);
        return err;
    }
    *ret_cors = cors;
    return PX_EOK;
}

void cors_free(struct cors *take_cors)
{
    if (take_cors == NULL) {
        return;
    }
    for (uint32_t i = 0; i < take_cors->n_origins; i++) {
        free(take_cors->origins[i]);
    }
    free(take_cors->origins);
    free(take_cors->methods);
    free(take_cors->headers);
    free(take_cors->expose);
    free(take_cors);
}

struct px_text cors_allow(const struct cors *cors, struct px_text origin)
{
    if (cors->any) {
        return (struct px_text){"*", 1};
    }
    for (uint32_t i = 0; i < cors->n_origins; i++) {
        const char *one = cors->origins[i];
        if (strlen(one) == origin.len && memcmp(one, origin.ptr, origin.len) == 0) {
            return origin;
        }
    }
    return (struct px_text){NULL, 0};
}
