/* posix_loop.c - the epoll loop: who watches what, and waiting. posix_world.c has the rest of a
 * world. */
#include "posix_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PLACES_FIRST = 64,     /* of the table; it doubles when full */
    PLACES_MAX = 1 << 24,  /* sources at a time */
    GENERATION_STEP = 256, /* the owner is in the low byte */
    NO_PLACE = -1,
};

/* ---- places ---- */

static bool places_grow(struct px_posix *os)
{
    uint32_t n = os->n_places == 0 ? PLACES_FIRST : os->n_places * 2;
    if (n > PLACES_MAX) {
        return false;
    }
    struct place *places = realloc(os->places, n * sizeof *places);
    if (places == NULL) {
        return false;
    }
    os->places = places;
    os->places_cap = n;
    return true;
}

/* Places that were never used are not touched: the table costs what is in it. */
static bool place_get(struct px_posix *os, uint32_t *ret_place)
{
    if (os->free_place != NO_PLACE) {
        *ret_place = (uint32_t)os->free_place;
        os->free_place = os->places[*ret_place].fd;
        return true;
    }
    if (os->n_places == os->places_cap && !places_grow(os)) {
        return false;
    }
    os->places[os->n_places] = (struct place){.stamp = 0};
    *ret_place = os->n_places++;
    return true;
}

static void place_put(struct px_posix *os, uint32_t number)
{
    struct place *p = &os->places[number];
    p->source = NULL;
    p->stamp += GENERATION_STEP; /* events under way are stale from here on */
    p->fd = os->free_place;
    os->free_place = (int)number;
}

static uint64_t place_data(const struct px_posix *os, uint32_t number)
{
    return (uint64_t)os->places[number].stamp << 32 | number;
}

/* ---- sources ---- */

static struct epoll_event event_of(const struct px_posix *os, uint32_t number, uint8_t events)
{
    bool edge = (events & POSIX_EDGE) != 0 || (events & POSIX_IN) == 0;
    uint32_t mask = edge ? (uint32_t)EPOLLET : 0;
    mask |= (events & POSIX_BELL) != 0 ? (uint32_t)EPOLLIN : 0;
    mask |= (events & POSIX_IN) != 0 ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0;
    mask |= (events & POSIX_OUT) != 0 ? (uint32_t)EPOLLOUT : 0;
    return (struct epoll_event){.events = mask, .data.u64 = place_data(os, number)};
}

enum px_err posix_watch(struct px_posix *os, uint8_t owner, struct posix_source *source,
                        int take_fd, uint8_t events)
{
    uint32_t number = 0;
    PX_ASSERT(!source->watched && owner < os->n_owners);
    if (!place_get(os, &number)) {
        return PX_ENOMEM;
    }
    struct place *p = &os->places[number];
    p->stamp = (p->stamp & ~(uint32_t)(GENERATION_STEP - 1)) | owner;
    struct epoll_event e = event_of(os, number, events);
    if (epoll_ctl(os->epoll_fd, EPOLL_CTL_ADD, take_fd, &e) != 0) {
        place_put(os, number);
        return errno == ENOSPC ? PX_ELIMIT : errno == ENOMEM ? PX_ENOMEM : PX_EIO;
    }
    p->source = source;
    p->fd = take_fd;
    source->fd = take_fd;
    source->place = number;
    source->events = events;
    source->owner = owner;
    source->watched = true;
    return PX_EOK;
}

void posix_events(struct px_posix *os, struct posix_source *source, uint8_t events)
{
    if (!source->watched || source->events == events) {
        return;
    }
    struct epoll_event e = event_of(os, source->place, events);
    int r = epoll_ctl(os->epoll_fd, EPOLL_CTL_MOD, source->fd, &e);
    PX_ASSERT(r == 0); /* it is registered, and a change needs no memory */
    source->events = events;
}

/* Closing alone would leave the registration if another process shares the socket. */
static void place_close(struct px_posix *os, uint32_t number)
{
    int fd = os->places[number].fd;
    (void)epoll_ctl(os->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    (void)close(fd);
    place_put(os, number);
}

void posix_close(struct px_posix *os, struct posix_source *source)
{
    if (source->watched) {
        source->watched = false;
        place_close(os, source->place);
    }
}

/* ---- owners ---- */

static void owner_close_all(struct px_posix *os, uint8_t number)
{
    for (uint32_t i = 0; i < os->n_places; i++) {
        struct place *p = &os->places[i];
        if (p->source != NULL && (p->stamp & (GENERATION_STEP - 1)) == number) {
            place_close(os, i); /* its source is gone with the service: not touched */
        }
    }
    os->owners[number].ready = NULL;
}

struct px_posix *posix_of(const struct px_env *env)
{
    const struct px_world *world = px_kernel_world(px_env_kernel(env));
    return world->take == posix_take ? world->ctx : NULL;
}

enum px_err posix_join(struct px_posix *os, struct px_env *env, void *state, posix_ready_fn ready,
                       uint8_t *ret_owner)
{
    struct px_kernel *kernel = px_env_kernel(env);
    px_addr self = px_env_self(env);
    uint8_t number = 0;
    while (number < os->n_owners &&
           (os->owners[number].kernel != kernel || os->owners[number].self != self)) {
        number++;
    }
    if (number == POSIX_OWNERS_MAX) {
        return PX_ELIMIT;
    }
    if (number == os->n_owners) {
        os->n_owners++;
    } else {
        owner_close_all(os, number);
    }
    os->owners[number] =
        (struct owner){.kernel = kernel, .self = self, .state = state, .ready = ready};
    *ret_owner = number;
    return PX_EOK;
}

/* Services that were killed since the last poll have no more descriptors. */
static void owners_check(struct px_posix *os)
{
    for (uint8_t i = 1; i < os->n_owners; i++) {
        struct owner *o = &os->owners[i];
        if (o->ready != NULL && px_kernel_state(o->kernel, o->self) != o->state) {
            owner_close_all(os, i);
        }
    }
}

/* ---- waiting ---- */

static int wait_ms(uint64_t timeout_us)
{
    uint64_t ms = timeout_us / 1000 + (timeout_us % 1000 != 0); /* never early, never a busy loop */
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* As many as fit: none while all room is taken by what is held back. */
static int wait_events(struct px_posix *os, uint64_t timeout_us)
{
    struct epoll_event *events = os->events + os->n_held;
    int room = (int)(EVENTS_CAP - os->n_held);
    int max = room < POSIX_EVENTS_MAX ? room : POSIX_EVENTS_MAX;
    if (max == 0) {
        return 0;
    }
    if (timeout_us == 0 || timeout_us == PX_NEVER) {
        return epoll_wait(os->epoll_fd, events, max, timeout_us == 0 ? 0 : -1);
    }
    if (os->has_pwait2) {
        struct timespec ts = {.tv_sec = (time_t)(timeout_us / 1000000),
                              .tv_nsec = (long)(timeout_us % 1000000 * 1000)};
        long n = syscall(SYS_epoll_pwait2, os->epoll_fd, events, max, &ts, NULL, 0);
        if (n >= 0 || errno != ENOSYS) {
            return (int)n;
        }
        os->has_pwait2 = false; /* Linux before 5.11 */
    }
    return epoll_wait(os->epoll_fd, events, max, wait_ms(timeout_us));
}

/* ---- what is put off ---- */

void posix_later(struct px_posix *os, struct posix_later *later)
{
    if (!later->waits) {
        later->waits = true;
        later->next = os->laters;
        os->laters = later;
    }
}

void posix_later_cancel(struct px_posix *os, struct posix_later *later)
{
    struct posix_later **at = &os->laters;
    while (later->waits && *at != later) {
        at = &(*at)->next;
    }
    if (later->waits) {
        *at = later->next;
        later->waits = false;
    }
}

static void laters_run(struct px_posix *os, bool idle)
{
    struct posix_later *due = os->laters;
    os->laters = NULL;
    while (due != NULL) {
        struct posix_later *later = due;
        due = later->next;
        later->waits = false;
        later->run(later, idle);
    }
    PX_ASSERT(!idle || os->laters == NULL);
}

/* ---- shared memory ---- */

void posix_memory_watch(struct px_posix *os, struct posix_memory *memory)
{
    memory->next = os->memories;
    os->memories = memory;
    os->asleep = false;
}

void posix_memory_drop(struct px_posix *os, struct posix_memory *memory)
{
    struct posix_memory **at = &os->memories;
    while (*at != NULL && *at != memory) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = memory->next;
    }
}

bool posix_puts_off(const struct px_posix *os)
{
    return os->laters != NULL || (os->memories != NULL && !os->asleep);
}

static bool memories_look(struct px_posix *os, bool sleeps)
{
    bool any = false;
    for (struct posix_memory *m = os->memories; m != NULL; m = m->next) {
        m->found = m->look(m, sleeps);
        any = any || m->found;
    }
    os->asleep = sleeps && !any;
    return any;
}

/* Whoever is told may end any of them. */
static void memories_take(struct px_posix *os)
{
    struct posix_memory *m = os->memories;
    while (m != NULL) {
        if (m->found) {
            m->found = false;
            m->take(m);
            m = os->memories;
        } else {
            m = m->next;
        }
    }
}

/* ---- a wait ---- */

/* Sleeps if there is nothing in memory either. A wait that may not sleep leaves the process known
 * as asleep: who embeds the loop sleeps elsewhere. */
static int wait_asleep(struct px_posix *os, uint64_t timeout_us)
{
    if (os->memories == NULL) {
        return wait_events(os, timeout_us);
    }
    if (memories_look(os, true)) {
        timeout_us = 0;
    }
    int n = wait_events(os, timeout_us);
    if (n > 0 || timeout_us > 0) {
        (void)memories_look(os, false);
    }
    return n;
}

/* Looks first, and sleeps only when that found nothing and nothing is put off any more. */
static int wait_or_run(struct px_posix *os, uint64_t timeout_us)
{
    int n = wait_events(os, 0);
    bool found = memories_look(os, false);
    bool idle = n <= 0 && os->n_held == 0 && !found;
    laters_run(os, idle);
    return idle && timeout_us > 0 ? wait_asleep(os, timeout_us) : n;
}

void posix_wait(void *ctx, uint64_t timeout_us)
{
    struct px_posix *os = ctx;
    os->turns++;
    if (os->enough) { /* no need to ask: there is still something to take */
        laters_run(os, false);
        return;
    }
    int n = os->laters != NULL ? wait_or_run(os, timeout_us)
                               : wait_asleep(os, os->n_held > 0 ? 0 : timeout_us);
    os->n_events =
        os->n_held + (n < 0 ? 0 : (uint32_t)n); /* interrupted: the turn has work of its own */
    os->n_held = 0;
}

/* Need it not be kept? epoll will tell it again, or it was a bell. */
static bool is_told_again(const struct px_posix *os, const struct epoll_event *e)
{
    const struct place *p = &os->places[(uint32_t)e->data.u64];
    return p->stamp == e->data.u64 >> 32 &&
           ((p->source->events & (POSIX_IN | POSIX_EDGE)) == POSIX_IN ||
            p->source->events == POSIX_BELL);
}

static void tell(struct px_posix *os, const struct epoll_event *e, uint32_t events)
{
    const struct place *p = &os->places[(uint32_t)e->data.u64];
    if (p->stamp == e->data.u64 >> 32) {
        const struct owner *o = &os->owners[p->stamp & (GENERATION_STEP - 1)];
        o->ready(o->state, p->source, events);
    }
}

/* Tells what may be told while nothing is taken in, and keeps the rest for a later turn. */
static void take_little(struct px_posix *os)
{
    for (uint32_t i = 0; i < os->n_events; i++) {
        struct epoll_event e = os->events[i];
        uint32_t urgent = e.events & (EPOLLOUT | EPOLLERR);
        e.events &= ~urgent;
        if (urgent != 0) {
            tell(os, &e, urgent);
        }
        if (e.events != 0 && !is_told_again(os, &e)) {
            os->events[os->n_held++] = e;
        }
    }
}

/* Tells everything, or stops when enough bytes have come in: what they become in one turn should
 * fit into the processor's cache. */
static void take_all(struct px_posix *os)
{
    uint32_t i = 0;
    memories_take(os);
    for (; i < os->n_events && os->taken < POSIX_TAKE_BYTES; i++) {
        tell(os, &os->events[i], os->events[i].events);
    }
    os->n_held = os->n_events - i;
    os->enough = os->n_held > 0;
    memmove(os->events, &os->events[i], os->n_held * sizeof os->events[0]);
}

void posix_take(void *ctx, bool reads)
{
    struct px_posix *os = ctx;
    os->reads = reads;
    os->taken = 0;
    if (os->enough) { /* goes on where the last step stopped */
        os->enough = false;
        os->n_events = os->n_held;
        os->n_held = 0;
    }
    owners_check(os);
    if (reads) {
        take_all(os);
    } else {
        take_little(os);
    }
    os->n_events = 0;
}

bool posix_more(void *ctx)
{
    const struct px_posix *os = ctx;
    return os->enough;
}

void posix_took(struct px_posix *os, uint32_t bytes)
{
    os->taken += bytes;
}

bool posix_reads(const struct px_posix *os)
{
    return os->reads;
}

uint32_t posix_turns(const struct px_posix *os)
{
    return os->turns;
}

/* A bell: nobody needs to read it. Its events go nowhere. */
static void wake_ready(void *state, struct posix_source *source, uint32_t events)
{
    (void)state;
    (void)source;
    (void)events;
}

void posix_wake(void *ctx)
{
    const struct px_posix *os = ctx;
    uint64_t one = 1;
    ssize_t r = write(os->wake.fd, &one, sizeof one);
    (void)r; /* it cannot fill up before 2^64 - 1 */
}

static enum px_err loop_open(struct px_posix *os)
{
    os->free_place = NO_PLACE;
    os->has_pwait2 = true;
    os->n_owners = 1; /* owner 0 is the loop itself */
    os->owners[0] = (struct owner){.ready = wake_ready};
    os->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (os->epoll_fd < 0) {
        return PX_EIO;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return PX_EIO;
    }
    enum px_err err = posix_watch(os, 0, &os->wake, fd, POSIX_BELL);
    if (err != PX_EOK) {
        (void)close(fd);
    }
    return err;
}

enum px_err px_posix_new(const struct px_posix_config *config, struct px_posix **ret_os)
{
    struct px_posix *os = calloc(1, sizeof *os);
    if (os == NULL) {
        return PX_ENOMEM;
    }
    os->config = config == NULL ? (struct px_posix_config){.log = NULL} : *config;
    os->world = posix_world_of(os);
    enum px_err err = loop_open(os);
    if (err != PX_EOK) {
        px_posix_free(os);
        return err;
    }
    *ret_os = os;
    return PX_EOK;
}

void px_posix_free(struct px_posix *take_os)
{
    if (take_os == NULL) {
        return;
    }
    for (uint32_t i = 0; i < take_os->n_places; i++) {
        if (take_os->places[i].source != NULL) {
            (void)close(take_os->places[i].fd);
        }
    }
    if (take_os->epoll_fd >= 0) {
        (void)close(take_os->epoll_fd);
    }
    posix_forget_entropy(take_os);
    free(take_os->places);
    free(take_os->promises);
    free(take_os);
}

int px_posix_fd(const struct px_posix *os)
{
    return os->epoll_fd;
}

const struct px_world *px_posix_world(const struct px_posix *os)
{
    return &os->world;
}
