/* auth.c - basic authentication. Credentials that were right lately are known by a keyed hash and
 * cost no more than that; others become a job of the thread (auth_thread.c). Requests with the same
 * credentials share one job.
 *
 *     ask --known lately--> RIGHT
 *         --malformed, or there are no users--> WRONG
 *         --every job is taken--> BUSY
 *         --else--> WAIT, job --thread--> news: RIGHT (and known from now) or WRONG
 */
#include "auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "aside.h"

/* ---- making and freeing ---- */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

/* Printable ASCII that needs no escape in a quoted string. */
static bool realm_is_valid(const char *realm)
{
    size_t len = strlen(realm);
    for (size_t i = 0; i < len; i++) {
        if (realm[i] < ' ' || realm[i] > '~' || realm[i] == '"' || realm[i] == '\\') {
            return false;
        }
    }
    return len > 0 && len <= AUTH_REALM_MAX;
}

static enum px_err users_load(struct px_system *system, const char *text, size_t len,
                              struct users **ret_users)
{
    const char *why = "";
    uint32_t line = 0;
    char where[32];
    enum px_err err = users_read(text, len, ret_users, &line, &why);
    if (err == PX_EINVAL) {
        snprintf(where, sizeof where, "line %u", (unsigned)line);
        return system_fail(system, err, where, why);
    }
    return err;
}

static enum px_err tables_make(struct px_auth *auth, uint32_t cache_max, uint32_t pending_max)
{
    auth->n_sets = 1;
    while (auth->n_sets * AUTH_CACHE_WAYS < cache_max) {
        auth->n_sets *= 2;
    }
    auth->cache = calloc((size_t)auth->n_sets * AUTH_CACHE_WAYS, sizeof *auth->cache);
    auth->jobs = calloc(pending_max, sizeof *auth->jobs);
    if (auth->cache == NULL || auth->jobs == NULL) {
        return PX_ENOMEM;
    }
    auth->n_jobs = pending_max;
    for (uint32_t i = 0; i < pending_max; i++) {
        auth->jobs[i].next = auth->free_jobs;
        auth->free_jobs = &auth->jobs[i];
    }
    return PX_EOK;
}

static enum px_err auth_fill(struct px_auth *auth, const struct px_auth_config *config)
{
    const char *realm = config->realm == NULL ? "restricted" : config->realm;
    uint32_t pending_max = or_default(config->pending_max, AUTH_PENDING_DEFAULT);
    uint32_t cache_max = or_default(config->cache_max, AUTH_CACHE_DEFAULT);
    uint32_t cache_s = or_default(config->cache_s, AUTH_CACHE_S_DEFAULT);
    if (!realm_is_valid(realm) || pending_max > AUTH_PENDING_MAX || cache_max > AUTH_CACHE_MAX ||
        cache_s > AUTH_CACHE_S_MAX) {
        return PX_EINVAL;
    }
    snprintf(auth->challenge, sizeof auth->challenge, "Basic realm=\"%s\", charset=\"UTF-8\"",
             realm);
    auth->cache_us = PX_SEC(cache_s);
    PX_TRY(tables_make(auth, cache_max, pending_max));
    return users_load(auth->system, config->users == NULL ? "" : config->users, config->users_len,
                      &auth->users);
}

static void auth_destroy(struct px_auth *auth)
{
    users_put(auth->users);
    for (uint32_t i = 0; i < auth->n_jobs; i++) {
        users_put(auth->jobs[i].users);
        secret_wipe(auth->jobs[i].password, sizeof auth->jobs[i].password);
    }
    free(auth->cache);
    free(auth->jobs);
    pthread_cond_destroy(&auth->something);
    pthread_mutex_destroy(&auth->lock);
    secret_wipe(auth->key, sizeof auth->key);
    free(auth);
}

enum px_err px_auth_new(struct px_system *system, const struct px_auth_config *config,
                        struct px_auth **ret_auth)
{
    struct px_auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL) {
        return PX_ENOMEM;
    }
    auth->system = system;
    auth->refs = 1;
    auth->queue_end = &auth->queue;
    pthread_mutex_init(&auth->lock, NULL);
    pthread_cond_init(&auth->something, NULL);
    enum px_err err = auth_fill(auth, config);
    if (err != PX_EOK) {
        auth_destroy(auth);
        return err;
    }
    auth->id = ++system->n_auths;
    auth->next = system->auths;
    auth->link = &system->auths;
    if (auth->next != NULL) {
        auth->next->link = &auth->next;
    }
    system->auths = auth;
    *ret_auth = auth;
    return PX_EOK;
}

/* Nothing of it reaches the system from now on. */
static void auth_part(struct px_auth *auth)
{
    if (auth->system == NULL) {
        return;
    }
    auth_stop(auth);
    *auth->link = auth->next;
    if (auth->next != NULL) {
        auth->next->link = auth->link;
    }
    auth->system = NULL;
}

void auth_hold(struct px_auth *auth)
{
    auth->refs++;
}

void px_auth_free(struct px_auth *take_auth)
{
    if (take_auth != NULL && --take_auth->refs == 0) {
        auth_part(take_auth);
        auth_destroy(take_auth);
    }
}

void auth_stop_all(struct px_system *system)
{
    while (system->auths != NULL) {
        auth_part(system->auths);
    }
}

enum px_err px_auth_users(struct px_auth *auth, const char *users, size_t users_len)
{
    struct users *loaded = NULL;
    PX_TRY(users_load(auth->system, users, users_len, &loaded));
    users_put(auth->users);
    auth->users = loaded;
    memset(auth->cache, 0, (size_t)auth->n_sets * AUTH_CACHE_WAYS * sizeof *auth->cache);
    return PX_EOK;
}

/* ---- what was right lately ---- */

static struct verified *cache_set(struct px_auth *auth, const uint8_t tag[SIPHASH_LEN])
{
    uint32_t at = (uint32_t)tag[0] | (uint32_t)tag[1] << 8 | (uint32_t)tag[2] << 16;
    return &auth->cache[(at & (auth->n_sets - 1)) * AUTH_CACHE_WAYS];
}

static const struct user *cache_find(struct px_auth *auth, const uint8_t tag[SIPHASH_LEN],
                                     uint64_t now_us)
{
    struct verified *set = cache_set(auth, tag);
    const struct user *found = NULL;
    for (int i = 0; i < AUTH_CACHE_WAYS; i++) {
        if (secret_equal(set[i].tag, tag, SIPHASH_LEN) && set[i].until_us > now_us) {
            found = set[i].user;
        }
    }
    return found;
}

/* In place of the one that would be forgotten first. */
static void cache_put(struct px_auth *auth, const struct job *job, uint64_t now_us)
{
    struct verified *set = cache_set(auth, job->tag), *oldest = set;
    for (int i = 1; i < AUTH_CACHE_WAYS; i++) {
        oldest = set[i].until_us < oldest->until_us ? &set[i] : oldest;
    }
    *oldest = (struct verified){.until_us = now_us + auth->cache_us, .user = job->user};
    memcpy(oldest->tag, job->tag, SIPHASH_LEN);
}

/* ---- jobs ---- */

static void aside_take_user(struct aside *aside, struct users *users, const struct user *user)
{
    users_put(aside->users);
    aside->users = users_hold(users);
    aside->user = user;
}

static void job_join(struct job *job, struct aside *aside)
{
    aside->wait_next = job->waiting;
    aside->wait_link = &job->waiting;
    if (job->waiting != NULL) {
        job->waiting->wait_link = &aside->wait_next;
    }
    job->waiting = aside;
}

void auth_leave(struct aside *aside)
{
    if (aside->wait_link != NULL) {
        *aside->wait_link = aside->wait_next;
        if (aside->wait_next != NULL) {
            aside->wait_next->wait_link = aside->wait_link;
        }
        aside->wait_link = NULL;
    }
}

/* A job under way for the same credentials. */
static struct job *job_find(struct px_auth *auth, const uint8_t tag[SIPHASH_LEN])
{
    for (uint32_t i = 0; i < auth->n_jobs; i++) {
        struct job *job = &auth->jobs[i];
        if (job->users == auth->users && secret_equal(job->tag, tag, SIPHASH_LEN)) {
            return job;
        }
    }
    return NULL;
}

static void job_free(struct px_auth *auth, struct job *job)
{
    users_put(job->users);
    secret_wipe(job, sizeof *job);
    job->next = auth->free_jobs;
    auth->free_jobs = job;
}

/* A job of the thread. Somebody unknown is compared with one of the users, always the same: so he
 * takes as long as one who is there. NULL: every job is taken, or there is no thread. */
static struct job *job_new(struct px_auth *auth, const struct credentials *asked,
                           const uint8_t tag[SIPHASH_LEN])
{
    struct px_text name = {asked->bytes, asked->name_len};
    struct job *job = auth->free_jobs;
    if (job == NULL) {
        return NULL;
    }
    auth->free_jobs = job->next;
    job->users = users_hold(auth->users);
    job->user = users_find(auth->users, name);
    job->known = job->user != NULL;
    if (!job->known) {
        job->user = &auth->users->list[siphash64(auth->key, name.ptr, name.len) % auth->users->n];
    }
    memcpy(job->tag, tag, SIPHASH_LEN);
    memcpy(job->password, asked->bytes + asked->name_len + 1, asked->len - asked->name_len);
    if (!auth_submit(auth, job)) {
        job_free(auth, job);
        return NULL;
    }
    return job;
}

static enum auth_verdict auth_judge(struct px_auth *auth, struct aside *aside,
                                    const struct credentials *asked)
{
    struct px_env *env = auth->system->app->env;
    uint8_t tag[SIPHASH_LEN];
    if (!auth->has_key) {
        px_random(env, auth->key, sizeof auth->key);
        auth->has_key = true;
    }
    siphash128(auth->key, asked->bytes, asked->len, tag);
    const struct user *user = cache_find(auth, tag, px_now_us(env));
    if (user != NULL) {
        aside_take_user(aside, auth->users, user);
        return AUTH_RIGHT;
    }
    struct job *job = job_find(auth, tag);
    if (job == NULL) {
        job = job_new(auth, asked, tag);
    }
    if (job == NULL) {
        return AUTH_BUSY;
    }
    job_join(job, aside);
    return AUTH_WAIT;
}

enum auth_verdict auth_ask(struct px_auth *auth, struct aside *aside, struct px_text field)
{
    struct credentials asked;
    if (auth->users->n == 0 || !credentials_read(field, &asked)) {
        return AUTH_WRONG;
    }
    enum auth_verdict verdict = auth_judge(auth, aside, &asked);
    secret_wipe(&asked, sizeof asked);
    return verdict;
}

static void job_done(struct px_auth *auth, struct job *job)
{
    bool right = job->right;
    if (right && job->users == auth->users) {
        cache_put(auth, job, px_now_us(auth->system->app->env));
    }
    auth_hold(auth); /* what is called may let go of it */
    while (job->waiting != NULL) {
        struct aside *aside = job->waiting;
        auth_leave(aside);
        if (right) {
            aside_take_user(aside, job->users, job->user);
        }
        ruled_authenticated(aside, right);
    }
    job_free(auth, job);
    px_auth_free(auth);
}

void auth_news(void *ctx, const void *data, size_t len)
{
    struct px_system *system = ctx;
    struct auth_news news;
    memcpy(&news, data, len < sizeof news ? len : sizeof news);
    for (struct px_auth *auth = system->auths; auth != NULL; auth = auth->next) {
        if (auth->id == news.auth) {
            job_done(auth, &auth->jobs[news.job]);
            return;
        }
    }
}
