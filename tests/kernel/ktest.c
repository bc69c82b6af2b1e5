/* ktest.c - actors: mailboxes that write down what they hear and do what the test hooks into them.
 */
#include "ktest.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was heard ---- */

static void text_add(struct kt_text *t, const char *prefix, const char *phrase)
{
    size_t len = strlen(prefix) + strlen(phrase) + 5;
    if (t->len + len > t->cap) {
        t->cap = 2 * (t->len + len);
        t->str = realloc(t->str, t->cap);
        ck_assert_ptr_nonnull(t->str);
    }
    t->len += (size_t)snprintf(t->str + t->len, t->cap - t->len, "%s%s%s%s", t->len > 0 ? "; " : "",
                               prefix, *prefix != '\0' ? ": " : "", phrase);
}

void kt_say(struct kt_actor *a, const char *format, ...)
{
    char phrase[256];
    a->heard++;
    if (a->quiet) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(phrase, sizeof phrase, format, args);
    va_end(args);
    text_add(&a->text, "", phrase);
    text_add(&a->kt->story, a->name, phrase);
}

/* What is in a text, which is empty from then on. */
static const char *text_take(struct kt_text *t)
{
    bool empty = t->len == 0;
    t->len = 0;
    return empty ? "" : t->str;
}

const char *kt_heard(struct kt_actor *a)
{
    return text_take(&a->text);
}

const char *kt_story(struct kt *kt)
{
    return text_take(&kt->story);
}

uint64_t kt_value(const struct px_msg *msg)
{
    ck_assert_ptr_nonnull(msg->body);
    const ProtobufCMessage *base = msg->body;
    ck_assert_ptr_eq(base->descriptor, &ktest__number__descriptor);
    return ((const Ktest__Number *)msg->body)->value;
}

static const char *method_name(const struct px_msg *msg)
{
    static const char *const names[] = {"note", "ask", "retry", "watch", "plant", "show"};
    unsigned index = msg->method & 0xffu;
    if (msg->method == STACK_BYTES) {
        return "bytes";
    }
    ck_assert_uint_eq(msg->method >> 8, PX_C_TOY);
    ck_assert_uint_lt(index, sizeof names / sizeof *names);
    return names[index];
}

static void say_msg(struct kt_actor *a, const struct px_msg *msg)
{
    char value[32] = "", tag[48] = "", len[32] = "";
    ck_assert_ptr_nonnull(msg->body);
    const ProtobufCMessage *base = msg->body;
    if (base->descriptor == &ktest__number__descriptor) {
        snprintf(value, sizeof value, " %llu", (unsigned long long)kt_value(msg));
    }
    if (msg->tag != 0) {
        snprintf(tag, sizeof tag, " tag %llu", (unsigned long long)msg->tag);
    }
    if (px_msg_payload_len(msg) > 0) {
        snprintf(len, sizeof len, " len %llu", (unsigned long long)px_msg_payload_len(msg));
    }
    kt_say(a, "%s%s%s%s", method_name(msg), value, tag, len);
}

static const char *peer_name(const struct kt_actor *a, px_peer peer)
{
    return px_mailbox_name(kt_env(a), PX_PEER_ADDR(peer));
}

/* ---- the service ---- */

static void actor_msg(void *state, const struct px_msg *msg)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    ck_assert_uint_eq(msg->to, a->addr);
    a->msgs++;
    a->last_from = msg->from;
    if (a->quiet) {
        a->heard++;
    } else {
        say_msg(a, msg);
    }
    if (a->on_msg != NULL) {
        a->on_msg(a, msg);
    } else if (msg->kind == PX_KIND_CALL) {
        kt_keep(a, msg);
    }
}

static void actor_reply(void *state, const struct px_msg *msg)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    char value[32] = "", len[32] = "";
    if (msg->body != NULL && (msg->method & 0xffu) <= (TOY_WATCH & 0xffu)) {
        snprintf(value, sizeof value, " %llu", (unsigned long long)kt_value(msg));
    }
    if (px_msg_payload_len(msg) > 0) {
        snprintf(len, sizeof len, " len %llu", (unsigned long long)px_msg_payload_len(msg));
    }
    if (msg->kind == PX_KIND_ITEM) {
        a->items++;
        kt_say(a, "item %llu%s%s", (unsigned long long)msg->tag, value, len);
    } else {
        ck_assert_uint_eq(msg->kind, PX_KIND_REPLY);
        a->replies++;
        kt_say(a, "reply %llu %s%s%s", (unsigned long long)msg->tag, px_status_name(msg->status),
               value, len);
    }
    if (a->on_reply != NULL) {
        a->on_reply(a, msg);
    }
}

static void actor_ended(void *state, uint64_t tag, enum px_status reason)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    a->endeds++;
    kt_say(a, "ended %llu %s", (unsigned long long)tag, px_status_name(reason));
    if (a->on_ended != NULL) {
        a->on_ended(a, tag);
    }
}

static void actor_more(void *state, uint64_t tag, uint32_t n)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    kt_say(a, "more %llu %u", (unsigned long long)tag, (unsigned)n);
    if (a->on_more != NULL) {
        a->on_more(a, tag, n);
    }
}

static void actor_lost(void *state, px_peer from, px_handle tag)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    kt_say(a, "lost %llu %s", (unsigned long long)tag, peer_name(a, from));
}

static void actor_gone(void *state, px_peer peer)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    a->gones++;
    a->last_from = peer;
    kt_say(a, "gone %s", peer_name(a, peer));
    if (a->on_gone != NULL) {
        a->on_gone(a, peer);
    }
}

static void actor_back(void *state, px_peer peer)
{
    struct kt_actor *a = ((struct kt_state *)state)->actor;
    a->last_from = peer;
    kt_say(a, "back %s", peer_name(a, peer));
}

static void actor_flush(void *state, struct px_want *want)
{
    struct kt_state *s = state;
    struct kt_actor *a = s->actor;
    a->flushes++;
    if (want == &s->want) {
        kt_say(a, "flush");
    } else {
        kt_say(a, "flush %llu", (unsigned long long)px_container_of(want, struct kt_elem, want)->n);
    }
    if (a->on_flush != NULL) {
        a->on_flush(a, want);
    }
}

static void actor_stop(void *state)
{
    struct kt_state *s = state;
    kt_say(s->actor, "stop");
    if (s->actor->on_stop != NULL) {
        s->actor->on_stop(s->actor);
    } else {
        px_env_drained(s->env);
    }
}

static enum px_err actor_init(void *state, struct px_env *env)
{
    struct kt_state *s = state;
    struct kt_world *w = px_kernel_world(px_env_kernel(env))->ctx;
    struct kt *kt = px_container_of(w, struct kt, world);
    ck_assert_uint_eq(px_env_self(env) > 0 && px_env_self(env) < KT_ACTORS_MAX, true);
    ck_assert_ptr_null(s->actor); /* zeroed */
    s->actor = kt->actors[px_env_self(env)];
    s->env = env;
    if (s->actor->pool_max > 0) {
        PX_TRY(px_pool_init(&s->pool, env, sizeof(struct kt_elem), s->actor->pool_max,
                            s->actor->pool_calls));
    }
    if (s->actor->on_init != NULL) {
        s->actor->on_init(s->actor);
    }
    return s->actor->init_err;
}

static const struct px_handler actor_handlers[] = {
    {TOY_NOTE, actor_msg},  {TOY_ASK, actor_msg},  {TOY_RETRY, actor_msg},   {TOY_WATCH, actor_msg},
    {TOY_PLANT, actor_msg}, {TOY_SHOW, actor_msg}, {STACK_BYTES, actor_msg},
};

static const char *const actor_counters[] = {"heard", "sent"};

static const struct px_service actor_service = {
    .name = "actor",
    .state_size = sizeof(struct kt_state),
    .calls_max = 64,
    .handlers = actor_handlers,
    .n_handlers = sizeof actor_handlers / sizeof *actor_handlers,
    .counters = actor_counters,
    .n_counters = 2,
    .init = actor_init,
    .reply = actor_reply,
    .ended = actor_ended,
    .more = actor_more,
    .lost = actor_lost,
    .gone = actor_gone,
    .back = actor_back,
    .flush = actor_flush,
    .stop = actor_stop,
};

/* ---- assembling ---- */

struct kt *kt_new(const struct px_kernel_config *config)
{
    struct kt *kt = calloc(1, sizeof *kt);
    ck_assert_ptr_nonnull(kt);
    kt_world_init(&kt->world);
    ck_assert_int_eq(px_kernel_new(&kt->world.ops, config, &kt->kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(kt->kernel, &px_contract_toy), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(kt->kernel, &px_contract_stack), PX_EOK);
    return kt;
}

void kt_free(struct kt *kt)
{
    px_kernel_free(kt->kernel);
    kt_world_done(&kt->world);
    for (unsigned i = 0; i < KT_ACTORS_MAX; i++) {
        if (kt->actors[i] != NULL) {
            free(kt->actors[i]->text.str);
            free(kt->actors[i]);
        }
    }
    free(kt->story.str);
    free(kt);
}

struct kt_actor *kt_add_bare(struct kt *kt, const char *name, px_addr addr)
{
    struct kt_actor *a = calloc(1, sizeof *a);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_lt(addr, KT_ACTORS_MAX);
    ck_assert_ptr_null(kt->actors[addr]);
    a->kt = kt;
    a->name = name;
    a->addr = addr;
    a->service = actor_service;
    kt->actors[addr] = a;
    kt->n_actors++;
    return a;
}

struct kt_actor *kt_add(struct kt *kt, const char *name)
{
    struct kt_actor *a = kt_add_bare(kt, name, (px_addr)(kt->n_actors + 1));
    px_addr addr = 0;
    ck_assert_int_eq(px_kernel_add(kt->kernel, &a->service, name, NULL, &addr), PX_EOK);
    ck_assert_uint_eq(addr, a->addr);
    return a;
}

struct kt_actor *kt_add_pooled(struct kt *kt, const char *name, uint32_t pool_max,
                               uint32_t pool_calls)
{
    struct kt_actor *a = kt_add(kt, name);
    a->pool_max = pool_max;
    a->pool_calls = pool_calls;
    return a;
}

void kt_allow(struct kt *kt, const struct kt_actor *from, uint8_t contract,
              const struct kt_actor *to)
{
    ck_assert_int_eq(px_kernel_allow(kt->kernel, from->addr, contract, to->addr), PX_EOK);
}

void kt_befriend(struct kt *kt, const struct kt_actor *a, const struct kt_actor *b)
{
    kt_allow(kt, a, PX_C_TOY, b);
    kt_allow(kt, b, PX_C_TOY, a);
}

void kt_start(struct kt *kt)
{
    ck_assert_int_eq(px_kernel_start(kt->kernel), PX_EOK);
}

struct kt *kt_pair(struct kt_actor **ret_alice, struct kt_actor **ret_bob)
{
    struct kt *kt = kt_new(NULL);
    *ret_alice = kt_add_pooled(kt, "alice", 16, 4);
    *ret_bob = kt_add_pooled(kt, "bob", 16, 4);
    kt_befriend(kt, *ret_alice, *ret_bob);
    kt_start(kt);
    return kt;
}

struct px_env *kt_env(const struct kt_actor *a)
{
    struct px_env *env = px_kernel_env(a->kt->kernel, a->addr);
    ck_assert_ptr_nonnull(env);
    return env;
}

struct kt_state *kt_state(const struct kt_actor *a)
{
    struct kt_state *s = px_kernel_state(a->kt->kernel, a->addr);
    ck_assert_ptr_nonnull(s);
    return s;
}

struct px_pool *kt_pool(const struct kt_actor *a)
{
    return &kt_state(a)->pool;
}

px_peer kt_peer(const struct kt_actor *a)
{
    return PX_PEER_LOCAL(a->addr);
}

struct kt_elem *kt_elem(struct kt_actor *a, uint64_t n)
{
    struct kt_elem *e = px_pool_get(kt_pool(a));
    ck_assert_ptr_nonnull(e);
    e->actor = a;
    e->n = n;
    return e;
}

px_handle kt_handle(struct kt_actor *a, const struct kt_elem *elem)
{
    return px_handle_of(kt_pool(a), elem);
}
