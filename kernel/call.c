/* call.c - the call table. A call ends once on both sides:
 *
 *     used --reply, end--> final --reply delivered (and `ended` delivered, if any)--> free
 *
 * The asker's kernel keeps the entry. A call that came in over a link has an entry too, so that the
 * callee here is told when it ends; its reply goes back over the link.
 */
#include "kernel_impl.h"

#define CALL_INDEX(id) ((uint32_t)((id)&0xffffffu))
#define CALL_ONE_USE (UINT64_C(1) << 24)

static bool call_grow(struct px_kernel *k)
{
    if (k->n_call_chunks == k->call_chunks_max) {
        return false;
    }
    struct px_call *chunk = kernel_alloc(k, CALLS_A_CHUNK * sizeof *chunk);
    if (chunk == NULL) {
        return false;
    }
    memset(chunk, 0, CALLS_A_CHUNK * sizeof *chunk);
    uint32_t first = k->n_call_chunks * CALLS_A_CHUNK;
    k->call_chunks[k->n_call_chunks++] = chunk;
    for (uint32_t i = CALLS_A_CHUNK; i-- > 0;) {
        chunk[i].id = CALL_ONE_USE | (first + i);
        chunk[i].kernel = k;
        chunk[i].next = k->free_calls;
        k->free_calls = &chunk[i];
    }
    k->n_free_calls += CALLS_A_CHUNK;
    return true;
}

void call_free_chunks(struct px_kernel *k)
{
    for (uint32_t i = 0; i < k->n_call_chunks; i++) {
        kernel_release(k, k->call_chunks[i], CALLS_A_CHUNK * sizeof(struct px_call));
    }
    k->n_call_chunks = 0;
}

/* Entries a mailbox has reserved and not in use. */
static uint32_t unused(const struct px_env *env)
{
    return env->count.calls_reserved > env->count.calls
               ? env->count.calls_reserved - env->count.calls
               : 0;
}

/* Adds to what a mailbox has reserved and has outstanding. */
PX_APART void calls_account(struct px_env *env, uint32_t reserved, uint32_t outstanding)
{
    env->kernel->calls_unused -= unused(env);
    env->count.calls_reserved += reserved;
    env->count.calls += outstanding;
    env->kernel->count.calls_reserved += reserved;
    env->kernel->calls_unused += unused(env);
}

bool calls_reserve(struct px_env *env, uint32_t n)
{
    while (env->kernel->n_free_calls < env->kernel->calls_unused + n) {
        if (!call_grow(env->kernel)) {
            return false;
        }
    }
    calls_account(env, n, 0);
    return true;
}

struct px_call *call_get(struct px_kernel *k)
{
    if (k->free_calls == NULL && !call_grow(k)) {
        return NULL;
    }
    struct px_call *c = k->free_calls;
    k->free_calls = c->next;
    k->n_free_calls--;
    k->count.calls++;
    px_call_id id = c->id;
    *c = (struct px_call){.id = id, .kernel = k, .used = true};
    return c;
}

static void no_deadline(struct px_call *c)
{
    if (c->deadline.pending != 0) {
        sul_unlink(c->kernel, &c->deadline);
    }
}

static void call_put(struct px_call *c)
{
    struct px_kernel *k = c->kernel;
    if (c->inbound) {
        link_forget_inbound(c);
    } else {
        calls_account(&k->mailboxes[c->asker], 0, 0u - 1u);
    }
    no_deadline(c);
    c->used = false;
    c->id += CALL_ONE_USE;
    c->next = k->free_calls;
    k->free_calls = c;
    k->n_free_calls++;
    k->count.calls--;
}

static void call_put_if_over(struct px_call *c)
{
    if (c->used && c->final && c->replied &&
        ((c->reply.flags | c->ended.flags) & MSG_QUEUED) == 0) {
        call_put(c);
    }
}

struct px_call *call_find(const struct px_kernel *k, px_call_id id)
{
    uint32_t index = CALL_INDEX(id);
    if (index / CALLS_A_CHUNK >= k->n_call_chunks) {
        return NULL;
    }
    struct px_call *c = &k->call_chunks[index / CALLS_A_CHUNK][index % CALLS_A_CHUNK];
    return c->id == id && c->used ? c : NULL;
}

struct px_call *call_next(const struct px_kernel *k, uint32_t *cursor)
{
    while (*cursor < k->n_call_chunks * CALLS_A_CHUNK) {
        struct px_call *c = &k->call_chunks[*cursor / CALLS_A_CHUNK][*cursor % CALLS_A_CHUNK];
        ++*cursor;
        if (c->used) {
            return c;
        }
    }
    return NULL;
}

/* The final reply has been delivered. */
static void call_replied(struct px_call *c)
{
    c->replied = true;
    call_put_if_over(c);
}

void call_reply_delivered(struct px_kernel *k, px_call_id id)
{
    struct px_call *c = call_find(k, id);
    if (c != NULL) {
        call_replied(c);
    }
}

/* An embedded reply or `ended` has been delivered or thrown away. */
void call_envelope_done(struct px_msg *m)
{
    if (m->kind == PX_KIND_ENDED) {
        call_put_if_over(px_container_of(m, struct px_call, ended));
    } else {
        call_replied(px_container_of(m, struct px_call, reply));
    }
}

/* Addresses an envelope to the asker. */
static void call_address(const struct px_call *c, struct px_msg *m, px_peer from, uint8_t kind,
                         enum px_status status)
{
    msg_address(m, from, c->asker, c->method, kind, c->inbound ? c->wire_id : c->asker_tag, c->id);
    m->status = status;
}

/* ---- ending without the callee's answer ---- */

static void tell_callee(struct px_call *c, enum px_status reason)
{
    if (!c->delivered ||
        mailbox_peer(&c->kernel->mailboxes[PX_PEER_ADDR(c->callee)]) != c->callee) {
        return;
    }
    call_address(c, &c->ended, PX_PEER_LOCAL(c->asker), PX_KIND_ENDED, reason);
    c->ended.to = PX_PEER_ADDR(c->callee);
    c->ended.tag = c->callee_tag;
    queue_embedded(c->kernel, &c->ended);
}

/* Ends a call before its callee has answered; the asker gets `status`, the callee one `ended`. */
void call_end(struct px_call *c, enum px_status status)
{
    if (c->final) {
        return;
    }
    c->final = true;
    no_deadline(c);
    c->reply = (struct px_msg){0};
    call_address(c, &c->reply, c->callee, PX_KIND_REPLY, status);
    queue_embedded(c->kernel, &c->reply);
    tell_callee(c, status);
}

/* The asker itself is gone: nobody takes a reply. */
void call_reset_asker(struct px_call *c, enum px_status reason)
{
    bool was_final = c->final;
    c->final = true;
    no_deadline(c);
    if (!was_final) {
        c->replied = true;
        tell_callee(c, reason);
    }
    call_put_if_over(c);
}

static void on_deadline(struct px_sul *sul)
{
    call_end(px_container_of(sul, struct px_call, deadline), PX_TIMED_OUT);
}

/* ---- asking ---- */

/* No entry although one was reserved (more calls than declared) and no memory: the reply needs
 * none. */
static px_call_id call_without_entry(struct px_env *env, uint16_t method, px_addr to, uint64_t tag)
{
    struct px_msg *m =
        reserve_tell(env->kernel, PX_KIND_REPLY, PX_PEER_LOCAL(to), env->self, method, tag);
    PX_ASSERT(m != NULL);
    m->status = PX_NO_MEMORY;
    return 0;
}

static enum px_status call_obstacle(struct px_env *env, const struct px_msg *m)
{
    struct px_kernel *k = env->kernel;
    if (!send_allowed(k, env->self, m->method, m->to)) {
        k->count.denied++;
        return PX_DENIED;
    }
    const struct method *info = kernel_method(k, m->method);
    PX_ASSERT(info != NULL && info->input == ((const ProtobufCMessage *)m->body)->descriptor &&
              info->shape != PX_ONEWAY);
    if (!k->mailboxes[m->to].alive) {
        return PX_SERVICE_GONE;
    }
    return block_is_lost(m->block) || k->count.queued >= k->config.queue_max ? PX_NO_MEMORY : PX_OK;
}

px_call_id px_call(struct px_env *env, px_addr to, uint16_t method, void *take_body,
                   uint64_t deadline_us, uint64_t tag)
{
    struct px_kernel *k = env->kernel;
    struct px_msg *m = &block_of(take_body)->env;
    PX_ASSERT(env->count.calls_reserved > 0);
    struct px_call *c = call_get(k);
    if (c == NULL) {
        msg_done(m);
        return call_without_entry(env, method, to, tag);
    }
    calls_account(env, 0, 1);
    c->asker = env->self;
    c->asker_tag = tag;
    c->method = method;
    msg_address(m, PX_PEER_LOCAL(env->self), to, method, PX_KIND_CALL, 0, c->id);
    enum px_status obstacle = call_obstacle(env, m);
    if (obstacle != PX_OK) {
        trace_message(k, m, obstacle == PX_DENIED ? PX_TRACE_DENIED : PX_TRACE_LOST);
        msg_done(m);
        call_end(c, obstacle);
        return c->id;
    }
    c->callee = mailbox_peer(&k->mailboxes[to]);
    c->info = kernel_method(k, method);
    c->deadline_at_us = PX_NEVER;
    if (deadline_us != PX_NEVER) {
        sul_schedule_for(k, 0, &c->deadline, on_deadline, deadline_us, 0);
        c->deadline_at_us = k->now_us + deadline_us;
    }
    queue_traced(k, m);
    return c->id;
}

void px_cancel(struct px_env *env, px_call_id call)
{
    struct px_call *c = call == 0 ? NULL : call_find(env->kernel, call);
    if (c != NULL && c->asker == env->self && !c->inbound) {
        call_end(c, PX_CANCELLED);
    }
}

void px_call_more(struct px_env *env, px_call_id call, uint32_t n)
{
    struct px_call *c = call == 0 ? NULL : call_find(env->kernel, call);
    if (c == NULL || c->final || c->asker != env->self || c->inbound ||
        c->info->shape != PX_STREAM || n == 0) {
        return;
    }
    struct px_msg *m = reserve_tell(env->kernel, PX_KIND_MORE, PX_PEER_LOCAL(env->self),
                                    PX_PEER_ADDR(c->callee), c->method, n);
    if (m == NULL) {
        call_end(c, PX_NO_MEMORY);
        return;
    }
    m->call = c->id;
}

/* ---- answering ---- */

/* The answer `m` of `from` to call `c`: queued for the asker, or false if it comes too late or from
 * another. */
bool call_answer(struct px_call *c, px_peer from, struct px_msg *m, enum px_status status,
                 uint8_t kind)
{
    struct px_kernel *k = c->kernel;
    if (m->block != NULL && block_is_lost(m->block)) {
        msg_done(m);
        call_end(c, PX_NO_MEMORY); /* its answer never came out: the callee hears of that */
        return kind != PX_KIND_ITEM;
    }
    call_address(c, m, from, kind, status);
    no_deadline(c);
    if (kind == PX_KIND_ITEM) {
        c->item_credit--;
    } else {
        c->final = true;
    }
    queue_traced(k, m);
    return true;
}

static struct px_call *call_to_answer(struct px_env *env, const struct px_msg *call)
{
    struct px_call *c = call_find(env->kernel, call->call);
    if (c == NULL || c->final || c->callee != PX_PEER_LOCAL(env->self)) {
        env->kernel->count.late++;
        trace_message(env->kernel, call, PX_TRACE_LATE);
        return NULL;
    }
    return c;
}

void px_reply(struct px_env *env, const struct px_msg *call, enum px_status status, void *take_body)
{
    struct px_msg *m = &block_of(take_body)->env;
    struct px_call *c = call_to_answer(env, call);
    if (c == NULL) {
        msg_done(m);
        return;
    }
    PX_ASSERT(c->info->output == ((const ProtobufCMessage *)take_body)->descriptor);
    (void)call_answer(c, PX_PEER_LOCAL(env->self), m, status, PX_KIND_REPLY);
}

void px_reply_status(struct px_env *env, const struct px_msg *call, enum px_status status)
{
    struct px_call *c = call_to_answer(env, call);
    if (c != NULL) {
        c->reply = (struct px_msg){.flags = MSG_EMBEDDED | MSG_QUEUED};
        (void)call_answer(c, PX_PEER_LOCAL(env->self), &c->reply, status, PX_KIND_REPLY);
    }
}

bool px_item(struct px_env *env, const struct px_msg *call, void *take_body)
{
    struct px_msg *m = &block_of(take_body)->env;
    struct px_call *c = call_find(env->kernel, call->call);
    if (c == NULL || c->final || c->callee != PX_PEER_LOCAL(env->self) || c->item_credit == 0) {
        msg_done(m);
        return false;
    }
    PX_ASSERT(c->info->shape == PX_STREAM &&
              c->info->output == ((const ProtobufCMessage *)take_body)->descriptor);
    return call_answer(c, PX_PEER_LOCAL(env->self), m, PX_OK, PX_KIND_ITEM);
}

void px_call_tag(struct px_env *env, const struct px_msg *call, uint64_t tag)
{
    struct px_call *c = call_find(env->kernel, call->call);
    if (c != NULL && c->callee == PX_PEER_LOCAL(env->self)) {
        c->callee_tag = tag;
    }
}
