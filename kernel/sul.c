/* sul.c - timers: two hierarchical wheels of one-microsecond resolution, exact in order.
 *
 * Level L holds timers whose time first differs from the wheel's clock in bits 6L..6L+5; that digit
 * is the slot. A slot's list is in scheduling order. When the clock reaches a slot of a higher
 * level, its list is dealt out to lower levels in order, so timers of equal time always stand in
 * scheduling order in one list. Scheduling, moving and cancelling are O(1).
 */
#include "kernel_impl.h"

enum { SCAN_MAX = 16 }; /* a slot with more timers bounds the next one by its start, not exactly */

static uint32_t lowest_bit(uint64_t word)
{
    return (uint32_t)__builtin_ctzll(word);
}

static uint32_t level_of(const struct wheel *w, uint64_t at_us)
{
    uint64_t differs = at_us ^ w->now_us;
    return differs == 0 ? 0 : (63u - (uint32_t)__builtin_clzll(differs)) / WHEEL_BITS;
}

static struct wheel_list *list_of(struct wheel *w, uint64_t at_us, uint32_t *ret_level,
                                  uint32_t *ret_slot)
{
    *ret_level = level_of(w, at_us);
    *ret_slot = (uint32_t)(at_us >> (*ret_level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
    return &w->lists[*ret_level][*ret_slot];
}

static void slot_emptied(struct wheel *w, uint32_t level, uint32_t slot)
{
    w->slots[level] &= ~(UINT64_C(1) << slot);
    if (w->slots[level] == 0) {
        w->levels &= ~(1u << level);
    }
}

static void wheel_link(struct wheel *w, struct px_sul *sul)
{
    uint32_t level, slot;
    struct wheel_list *list = list_of(w, sul->at_us, &level, &slot);
    sul->next = NULL;
    sul->prev = list->last;
    if (list->last != NULL) {
        list->last->next = sul;
    } else {
        list->first = sul;
        w->slots[level] |= UINT64_C(1) << slot;
        w->levels |= 1u << level;
    }
    list->last = sul;
}

static void wheel_unlink(struct wheel *w, struct px_sul *sul)
{
    if (sul->next != NULL && sul->prev != NULL) {
        sul->next->prev = sul->prev;
        sul->prev->next = sul->next;
        return;
    }
    uint32_t level, slot;
    struct wheel_list *list = list_of(w, sul->at_us, &level, &slot);
    *(sul->prev != NULL ? &sul->prev->next : &list->first) = sul->next;
    *(sul->next != NULL ? &sul->next->prev : &list->last) = sul->prev;
    if (list->first == NULL) {
        slot_emptied(w, level, slot);
    }
}

/* When the earliest occupied slot begins: no timer is ripe before. */
static uint64_t slot_start(const struct wheel *w, uint32_t level, uint32_t slot)
{
    uint32_t shift = level * WHEEL_BITS;
    uint64_t above =
        shift + WHEEL_BITS >= 64 ? 0 : w->now_us >> (shift + WHEEL_BITS) << (shift + WHEEL_BITS);
    return above | (uint64_t)slot << shift;
}

static void deal_out(struct wheel *w, uint32_t level, uint32_t slot)
{
    struct px_sul *sul = w->lists[level][slot].first;
    w->lists[level][slot] = (struct wheel_list){NULL, NULL};
    slot_emptied(w, level, slot);
    while (sul != NULL) {
        struct px_sul *next = sul->next;
        wheel_link(w, sul);
        sul = next;
    }
}

/* The first timer of the wheel that is due at `now_us`, or NULL. Moves the wheel's clock on. */
static struct px_sul *wheel_ripe(struct wheel *w, uint64_t now_us)
{
    if (w->bound_known && now_us < w->bound_us) {
        return NULL;
    }
    w->bound_known = false;
    while (w->levels != 0) {
        uint32_t level = lowest_bit(w->levels);
        uint32_t slot = lowest_bit(w->slots[level]);
        uint64_t start = slot_start(w, level, slot);
        if (start > now_us) {
            break;
        }
        w->now_us = start;
        if (level == 0) {
            return w->lists[0][slot].first;
        }
        deal_out(w, level, slot);
    }
    if (now_us > w->now_us) {
        w->now_us = now_us;
    }
    return NULL;
}

static uint64_t wheel_bound(struct wheel *w)
{
    if (w->bound_known) {
        return w->bound_us;
    }
    w->bound_known = true;
    w->bound_us = PX_NEVER;
    if (w->levels != 0) {
        uint32_t level = lowest_bit(w->levels);
        uint32_t slot = lowest_bit(w->slots[level]);
        uint32_t n = 0;
        for (const struct px_sul *s = w->lists[level][slot].first; s != NULL; s = s->next) {
            w->bound_us = s->at_us < w->bound_us ? s->at_us : w->bound_us;
            if (++n > SCAN_MAX) {
                w->bound_us = slot_start(w, level, slot);
                break;
            }
        }
    }
    return w->bound_us;
}

void sul_unlink(struct px_kernel *k, struct px_sul *sul)
{
    struct wheel *w = &k->wheels[sul->wheel];
    wheel_unlink(w, sul);
    if (sul->at_us <= w->bound_us) {
        w->bound_known = false;
    }
    sul->pending = 0;
    sul->next = sul->prev = NULL;
    k->count.timers--;
    if (sul->owner != 0) {
        k->mailboxes[sul->owner].count.timers--;
    }
}

/* Between turns the turn's time is old: what is asked for then counts from now. */
static void sul_now(struct px_kernel *k)
{
    if (!k->in_turn) {
        k->now_us = k->world.monotonic_us(k->world.ctx);
    }
}

void sul_schedule_for(struct px_kernel *k, px_addr owner, struct px_sul *sul, px_sul_fn fn,
                      uint64_t in_us, uint8_t wheel)
{
    if (sul->pending != 0) {
        sul_unlink(k, sul);
    }
    if (in_us == PX_NEVER) {
        return;
    }
    sul_now(k);
    struct wheel *w = &k->wheels[wheel];
    uint64_t at_us = k->now_us + (in_us < PX_SUL_US_MAX ? in_us : PX_SUL_US_MAX);
    sul->at_us = at_us > w->now_us ? at_us : w->now_us;
    sul->fn = fn;
    sul->seq = k->sul_seq++;
    sul->owner = owner;
    sul->wheel = wheel;
    sul->pending = 1;
    wheel_link(w, sul);
    if (w->bound_known && sul->at_us < w->bound_us) {
        w->bound_us = sul->at_us;
    }
    k->count.timers++;
    if (owner != 0) {
        k->mailboxes[owner].count.timers++;
    }
}

void px_sul_schedule(struct px_env *env, struct px_sul *sul, px_sul_fn fn, uint64_t in_us)
{
    sul_schedule_for(env->kernel, env->self, sul, fn, in_us, 0);
}

void px_sul_schedule_wake(struct px_env *env, struct px_sul *sul, px_sul_fn fn, uint64_t in_us)
{
    sul_schedule_for(env->kernel, env->self, sul, fn, in_us, 1);
}

void px_sul_cancel(struct px_env *env, struct px_sul *sul)
{
    if (sul->pending != 0) {
        sul_unlink(env->kernel, sul);
    }
}

static struct px_sul *earlier(struct px_sul *a, struct px_sul *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (a->at_us != b->at_us) {
        return a->at_us < b->at_us ? a : b;
    }
    return (int32_t)(a->seq - b->seq) < 0 ? a : b;
}

void sul_fire(struct px_kernel *k)
{
    for (int n = 0; n < TIMERS_A_TURN; n++) {
        struct px_sul *sul =
            earlier(wheel_ripe(&k->wheels[0], k->now_us), wheel_ripe(&k->wheels[1], k->now_us));
        if (sul == NULL) {
            return;
        }
        sul_unlink(k, sul);
        sul->fn(sul);
    }
}

uint64_t sul_next_us(const struct px_kernel *k)
{
    /* The bound is a cache: finding it changes nothing that can be seen. */
    struct px_kernel *mutable = (struct px_kernel *)(uintptr_t)k;
    uint64_t a = wheel_bound(&mutable->wheels[0]);
    uint64_t b = wheel_bound(&mutable->wheels[1]);
    return a < b ? a : b;
}

uint64_t px_kernel_earliest_wake(const struct px_kernel *kernel)
{
    const struct wheel *w = &kernel->wheels[1];
    uint64_t least = PX_NEVER;
    if (w->levels != 0) {
        uint32_t level = lowest_bit(w->levels);
        const struct px_sul *s = w->lists[level][lowest_bit(w->slots[level])].first;
        for (; s != NULL; s = s->next) {
            least = s->at_us < least ? s->at_us : least;
        }
    }
    if (least == PX_NEVER) {
        return PX_NEVER;
    }
    uint64_t now_us = kernel->world.monotonic_us(kernel->world.ctx);
    return least > now_us ? least - now_us : 0;
}

void sul_drop_owner(struct px_kernel *k, px_addr owner)
{
    for (uint32_t i = 0; i < 2 * WHEEL_LEVELS * WHEEL_SLOTS && k->mailboxes[owner].count.timers > 0;
         i++) {
        struct wheel *w = &k->wheels[i / (WHEEL_LEVELS * WHEEL_SLOTS)];
        struct px_sul *s = w->lists[i / WHEEL_SLOTS % WHEEL_LEVELS][i % WHEEL_SLOTS].first;
        while (s != NULL) {
            struct px_sul *next = s->next;
            if (s->owner == owner) {
                sul_unlink(k, s);
            }
            s = next;
        }
    }
}
