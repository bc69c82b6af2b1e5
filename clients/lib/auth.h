/* auth.h - basic authentication (RFC 7617): users, what was verified lately, and verifications
 * under way.
 */
#ifndef AUTH_H
#define AUTH_H

#include "lib.h"
#include "siphash.h"

#include <pthread.h>

enum {
    AUTH_USERS_MAX = 10000,
    AUTH_NAME_MAX = 255,     /* bytes */
    AUTH_PASSWORD_MAX = 512, /* bytes, as crypt(3) takes them */
    AUTH_HASH_MAX = 383,     /* bytes, as crypt(3) writes them */
    AUTH_REALM_MAX = 128,    /* bytes */
    AUTH_PENDING_DEFAULT = 64,
    AUTH_PENDING_MAX = 1024,
    AUTH_CACHE_DEFAULT = 1024,
    AUTH_CACHE_MAX = 65536,
    AUTH_CACHE_S_DEFAULT = 300,
    AUTH_CACHE_S_MAX = 86400,
    AUTH_CACHE_WAYS = 4, /* places in the cache that credentials may have */
    AUTH_CREDENTIALS_MAX = AUTH_NAME_MAX + 1 + AUTH_PASSWORD_MAX,
    AUTH_CHALLENGE_MAX = AUTH_REALM_MAX + 40,
};

/* ---- auth_users.c: pure but for the memory ---- */

struct user {
    char *name, *hash;
};

/* Sorted by name; never changed. */
struct users {
    uint32_t refs, n;
    struct user *list;
};

/* Reads "name:hash" lines. PX_EINVAL: `*ret_line` (from 1) is not one, and `*ret_why` says why;
 * PX_ENOMEM. */
enum px_err users_read(const char *text, size_t len, struct users **ret_users, uint32_t *ret_line,
                       const char **ret_why);
struct users *users_hold(struct users *users);
/* NULL is fine. */
void users_put(struct users *take_users);
/* NULL: nobody. */
const struct user *users_find(const struct users *users, struct px_text name);

/* Who asks, from an Authorization field. */
struct credentials {
    char bytes[AUTH_CREDENTIALS_MAX + 1]; /* "name:password" and a zero: a secret */
    size_t len, name_len;
};

/* False: not of the Basic scheme, malformed or too long; nothing secret is left in `ret`. */
bool credentials_read(struct px_text field, struct credentials *ret);
void secret_wipe(void *secret, size_t len);
/* In a time that says nothing about where they differ. */
bool secret_equal(const void *a, const void *b, size_t len);

/* ---- auth.c ---- */

struct aside;

/* Credentials that were right not long ago: a keyed hash of them. */
struct verified {
    uint8_t tag[SIPHASH_LEN];
    uint64_t until_us;
    const struct user *user; /* of the users in force; NULL: a free place */
};

/* A verification under way, and the requests that wait for it. */
struct job {
    struct job *next; /* in the queue, or among the free ones */
    uint8_t tag[SIPHASH_LEN];
    struct users *users;     /* held */
    const struct user *user; /* whose hash is compared with */
    bool known, right;       /* is it who he says he is? */
    struct aside *waiting;
    char password[AUTH_PASSWORD_MAX + 1];
};

struct px_auth {
    struct px_auth *next, **link; /* among those of the system */
    struct px_system *system;     /* NULL: it is freed */
    uint64_t id;
    uint32_t refs, n_sets, n_jobs;
    struct users *users;
    bool has_key, by_hand; /* by_hand: for tests, who call auth_work */
    uint8_t key[SIPHASH_KEY_LEN];
    uint64_t cache_us;
    struct verified *cache; /* n_sets of AUTH_CACHE_WAYS */
    struct job *jobs, *free_jobs;
    char challenge[AUTH_CHALLENGE_MAX];
    /* shared with the thread, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t something;
    struct job *queue, **queue_end;
    bool stopping;
    /* of the system's thread alone */
    bool is_running;
    pthread_t thread;
};

void auth_hold(struct px_auth *auth);
enum auth_verdict { AUTH_RIGHT, AUTH_WRONG, AUTH_WAIT, AUTH_BUSY };
/* AUTH_RIGHT: `aside` knows its user. AUTH_WAIT: auth_done will be called. */
enum auth_verdict auth_ask(struct px_auth *auth, struct aside *aside, struct px_text field);
/* The request of this aside has ended. */
void auth_leave(struct aside *aside);
/* The system is about to be freed. */
void auth_stop_all(struct px_system *system);
/* A job is done; in the system's thread. `data`: struct auth_news. */
struct auth_news {
    uint64_t auth;
    uint32_t job;
};
void auth_news(void *ctx, const void *data, size_t len);

/* ---- auth_thread.c ---- */

/* Does one verification, in whatever thread calls. `wait`: for one to come, or the end. False:
 * there was none. */
bool auth_work(struct px_auth *auth, bool wait);
/* Queues a job for the thread, which is started by the first. False: there is none. */
bool auth_submit(struct px_auth *auth, struct job *job);
/* Ends the thread, behind the verification it is at. */
void auth_stop(struct px_auth *auth);

/* ---- ruled.c ---- */

/* A verification that `aside` waited for has ended. */
void ruled_authenticated(struct aside *aside, bool right);

#endif
