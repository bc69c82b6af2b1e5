/* auth_thread.c - the thread that verifies passwords. A good hash takes a tenth of a second and
 * more on purpose; the loop must not wait for that.
 *
 * The thread sees a job from auth_submit to its news, and of the rest of px_auth only what stands
 * under the lock. Jobs of the queue and what they point to do not change meanwhile.
 */
#include "auth.h"

#include <crypt.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { RETRY_NS = 1000000 };

/* Is it the password that the hash was made of? Somebody unknown costs as much, and is nobody. */
static bool job_verify(const struct job *job, struct crypt_data *data)
{
    const char *hash = job->user->hash;
    const char *made = crypt_r(job->password, hash, data);
    size_t len = strlen(hash);
    bool equal = made != NULL && strlen(made) == len && secret_equal(made, hash, len);
    secret_wipe(data, sizeof *data);
    return equal && job->known;
}

static struct job *job_take(struct px_auth *auth, bool wait)
{
    pthread_mutex_lock(&auth->lock);
    while (wait && auth->queue == NULL && !auth->stopping) {
        pthread_cond_wait(&auth->something, &auth->lock);
    }
    struct job *job = auth->stopping ? NULL : auth->queue;
    if (job != NULL) {
        auth->queue = job->next;
        auth->queue_end = auth->queue == NULL ? &auth->queue : auth->queue_end;
    }
    pthread_mutex_unlock(&auth->lock);
    return job;
}

static bool is_stopping(struct px_auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    bool stopping = auth->stopping;
    pthread_mutex_unlock(&auth->lock);
    return stopping;
}

bool auth_work(struct px_auth *auth, bool wait)
{
    struct job *job = job_take(auth, wait);
    struct crypt_data *data = job == NULL ? NULL : calloc(1, sizeof *data);
    if (job == NULL) {
        return false;
    }
    job->right = data != NULL && job_verify(job, data);
    free(data);
    struct auth_news news = {auth->id, (uint32_t)(job - auth->jobs)};
    while (px_post(auth->system->kernel, auth_news, auth->system, &news, sizeof news) != PX_EOK &&
           !is_stopping(auth)) {
        nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL); /* no memory: others free some */
    }
    return true;
}

static void *thread_main(void *arg)
{
    while (auth_work(arg, true)) {
    }
    return NULL;
}

/* Signals are for the program's threads. */
static bool thread_start(struct px_auth *auth)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
        return false;
    }
    auth->is_running = pthread_create(&auth->thread, NULL, thread_main, auth) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return auth->is_running;
}

bool auth_submit(struct px_auth *auth, struct job *job)
{
    if (!auth->by_hand && !auth->is_running && !thread_start(auth)) {
        return false;
    }
    pthread_mutex_lock(&auth->lock);
    job->next = NULL;
    *auth->queue_end = job;
    auth->queue_end = &job->next;
    pthread_cond_signal(&auth->something);
    pthread_mutex_unlock(&auth->lock);
    return true;
}

void auth_stop(struct px_auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    auth->stopping = true;
    pthread_cond_signal(&auth->something);
    pthread_mutex_unlock(&auth->lock);
    if (auth->is_running) {
        pthread_join(auth->thread, NULL);
        auth->is_running = false;
    }
}
