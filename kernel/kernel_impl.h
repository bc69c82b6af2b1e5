/* kernel_impl.h - what the kernel's own files share. Private: nothing outside kernel/ includes
 * this.
 *
 * Reading order: kernel.c (assembling), turn.c (running), msg.c (blocks and envelopes), send.c
 * (routing), call.c (the call table), kill.c, link.c; the leaves: sul.c, pool.c, buf.c, contract.c,
 * trace.c, post.c.
 */
#ifndef PX_KERNEL_IMPL_H
#define PX_KERNEL_IMPL_H

/* What is rare stays out of line, so that what every message goes through saves no registers. */
#define PX_APART __attribute__((noinline, cold))

#include <px/assert.h>
#include <px/kernel.h>
#include <px/link.h>
#include <stdatomic.h>
#include <string.h>

enum {
    CONTRACTS_MAX = 64,       /* one bit each in a capability word */
    NAME_MAX_LEN = 31,        /* bytes of a mailbox's name */
    ADDR_BITS = 12,           /* of a px_peer; the rest is the link's number */
    RESERVE_ENVELOPES = 1024, /* for losses that must be told when there is no memory */
    INBOUND_BUCKETS = 256,    /* of a link's table of calls that came in */
    TIMERS_A_TURN = 4096,
    TAKES_A_TURN = 16, /* steps in which a turn takes in what one wait has found */
};

/* ---- messages ---- */

/* px_msg.flags */
enum {
    MSG_BORROWED = 1, /* its handler runs */
    MSG_EMBEDDED = 2, /* part of a call entry or mailbox: never freed, never held */
    MSG_RESERVE = 4,  /* from the reserve list, goes back there */
    MSG_BARE = 8,     /* an envelope of its own beside a shared block */
    MSG_QUEUED = 32,  /* an embedded envelope that is in the queue */
};

/* px_block.flags */
enum {
    BLOCK_SPARE = 1,    /* the kernel's spare body */
    BLOCK_POISONED = 2, /* an arena request found no memory: sending loses it */
    BLOCK_SHARED = 4,   /* in more than one envelope: slices are shared and stay */
    BLOCK_GROWN = 8,    /* has pieces of arena, or slices in its arena */
};

enum { N_BLOCK_CLASSES = 8, ARENA_MAX = 65536, SPARE_LEN = 73728 };

struct px_ext { /* one more piece of a block's arena */
    struct px_ext *next;
    uint32_t class;
};

struct px_block {
    struct px_msg env; /* its own envelope */
    struct px_kernel *kernel;
    uint32_t refs; /* envelopes that use it; 1 in a free list */
    uint8_t class;
    uint8_t flags;
    uint8_t n_slices;
    uint8_t slices_cap;
    uint8_t *cur, *lim; /* free part of the arena */
    struct px_slice *slices;
    struct px_ext *ext;
    struct px_block *next_free;
    uint64_t payload_len;
    struct px_slice first_slices[2];
};

#define BODY_OFFSET ((sizeof(struct px_block) + 15u) & ~(size_t)15u)

static inline struct px_block *block_of(const void *body)
{
    return (struct px_block *)(void *)((uintptr_t)body - BODY_OFFSET);
}

/* ---- buffers ---- */

enum { N_BUF_CLASSES = 6, BUF_CLASS_FILE = 5, BUF_CLASS_NONE = 255 };

struct px_buf {
    struct px_kernel *kernel;
    struct px_env *owner; /* who made it and has not given it away; NULL: only slices refer to it */
    struct px_want node;  /* of its owner's list */
    struct px_buf *next_free;
    uint8_t *data; /* NULL: a file */
    void (*close_fd)(int fd);
    size_t cap;
    uint32_t refs;
    int fd;
    uint8_t class;
};

struct px_piece {
    struct px_slice slice;
    struct px_piece *next; /* in its chain, or in the free list */
    struct px_env *env;
    struct px_want node; /* of its service's list */
};

/* ---- calls ---- */

struct method;

struct px_call {
    px_handle id;               /* of this use of the entry */
    struct px_call *next;       /* free list, or bucket of its link */
    struct px_link *asker_link; /* NULL: the asker is here */
    uint64_t wire_id;           /* the asker's id, if it is behind a link */
    uint64_t asker_tag, callee_tag;
    struct px_sul deadline;
    uint64_t deadline_at_us;
    uint32_t item_credit;
    px_peer callee; /* as stamped when it was sent */
    px_addr asker;
    uint16_t method;
    const struct method *info; /* of `method` */
    bool used, final, delivered, replied;
    bool inbound; /* the asker is (or was) behind a link */
    struct px_kernel *kernel;
    struct px_msg reply, ended; /* embedded: never a lack of memory */
};

/* ---- mailboxes ---- */

enum mailbox_kind { MAILBOX_NONE, MAILBOX_SERVICE, MAILBOX_REMOTE, MAILBOX_RECORDER };

typedef void (*px_handler_fn)(void *state, const struct px_msg *msg);

struct px_env {
    struct px_kernel *kernel;
    const uint64_t *caps; /* row of the capability matrix */
    void *state;
    const struct px_service *service;
    px_handler_fn *handlers[CONTRACTS_MAX];
    struct px_link *link; /* remote: what it is behind; NULL: gone */
    void (*record)(void *ctx, const struct px_msg *msg);
    void *record_ctx;
    const void *config;
    struct px_want wants; /* circular list */
    uint32_t n_wants;
    struct px_pool *pools;
    struct px_msg *held;
    struct px_want bufs, pieces; /* circular lists */
    uint64_t *counters;
    struct px_ledger count; /* what it holds; elems is computed */
    uint32_t rank;
    px_addr self;
    uint8_t kind;
    bool alive, stopping, drained;
    struct px_msg gone, back; /* embedded */
    char name[NAME_MAX_LEN + 1];
};

struct px_link {
    struct px_kernel *kernel;
    struct px_link *next;
    const struct px_link_ops *ops;
    void *ctx;
    uint32_t number;
    bool dirty;
    struct px_env env; /* what payload chains are charged to */
    struct px_call *inbound[INBOUND_BUCKETS];
};

/* ---- contracts ---- */

struct method {
    const ProtobufCMessageDescriptor *input, *output;
    uint8_t shape;
};

struct contract_slot {
    const struct px_contract *contract;
    struct method *methods;
    uint32_t n_methods;
};

/* ---- timers ---- */

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 64, WHEEL_LEVELS = 11 };

struct wheel_list {
    struct px_sul *first, *last;
};

struct wheel {
    uint64_t now_us;   /* everything before is fired */
    uint64_t bound_us; /* nothing is ripe before; valid if `bound_known` */
    bool bound_known;
    uint32_t levels; /* bit: the level has timers */
    uint64_t slots[WHEEL_LEVELS];
    struct wheel_list lists[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* ---- the kernel ---- */

struct post {
    struct post *next;
    void (*fn)(void *ctx, const void *data, size_t len);
    void *ctx;
    size_t len;
};

struct px_kernel {
    uint8_t slot_of[256]; /* contract number to slot; 0: unknown, and no capability has that bit */
    struct px_msg *queue_first, **queue_end;
    uint32_t trace_mask;
    uint64_t trace_next;
    struct px_trace *trace;
    uint64_t now_us;
    struct px_env *mailboxes;
    uint64_t *caps;
    uint32_t caps_stride, n_mailboxes; /* mailboxes[1..n_mailboxes] */
    struct px_block *free_blocks[N_BLOCK_CLASSES];
    struct px_buf *free_bufs[N_BUF_CLASSES];
    struct px_msg *free_bare, *reserve;
    struct px_piece *free_pieces;
    struct px_block *spare;
    struct contract_slot contracts[CONTRACTS_MAX];
    uint32_t n_contracts; /* slots 1..n_contracts */
    uint64_t stacking;    /* capability bits of the contracts that make ranks */
    struct px_kernel_config config;
    struct px_world world;
    void *tables; /* all of a fixed size that is pointed to here */
    size_t tables_len;

    struct px_call **call_chunks; /* CALLS_A_CHUNK each */
    uint32_t n_call_chunks, call_chunks_max;
    struct px_call *free_calls;
    uint32_t n_free_calls, calls_unused; /* reserved and not outstanding */

    px_addr *flush_order; /* mailboxes that flush, highest rank first */
    uint32_t n_flush_order;
    uint32_t n_wants;
    struct px_link *links;
    uint32_t next_link_number;
    bool links_dirty;

    struct wheel wheels[2];
    uint32_t sul_seq;

    _Atomic(struct post *) posts;
    struct px_ledger count; /* elems is computed */
    uint32_t n_reserve;
    bool started, in_turn, wall_known;
    int64_t wall_us;
};

enum { CALLS_A_CHUNK = 64 };

/* memory (kernel.c) */
void *kernel_alloc(struct px_kernel *k, size_t len);
void kernel_release(struct px_kernel *k, void *mem, size_t len);

/* msg.c */
void msg_free_lists(struct px_kernel *k);
void block_free(struct px_block *b);
struct px_msg *msg_bare(struct px_kernel *k, const struct px_msg *like);
enum px_err msg_unpack(struct px_link *link, const ProtobufCMessageDescriptor *type,
                       const uint8_t *data, size_t len, uint32_t n_slices, void **ret_body);
uint32_t chain_slices(const struct px_chain *chain);

/* buf.c */
void buf_unref(struct px_buf *buf);
void buf_disown(struct px_buf *buf);
struct px_piece *piece_new(struct px_env *env);
void piece_free(struct px_piece *piece);
void slice_shrink(struct px_env *env, struct px_slice *slice);
void buf_free_lists(struct px_kernel *k);
void env_drop_payload(struct px_env *env);

/* send.c */
void queue_embedded(struct px_kernel *k, struct px_msg *m);
bool send_allowed(const struct px_kernel *k, px_addr from, uint16_t method, px_addr to);
bool send_tell_lost(struct px_env *from, struct px_msg *m);
struct px_msg *reserve_tell(struct px_kernel *k, uint8_t kind, px_peer from, px_addr to,
                            uint16_t method, uint64_t tag);
px_peer mailbox_peer(const struct px_env *mb);

/* call.c */
struct px_call *call_find(const struct px_kernel *k, px_call_id id);
struct px_call *call_get(struct px_kernel *k);
void call_end(struct px_call *c, enum px_status status);
void call_envelope_done(struct px_msg *m);
void call_reply_delivered(struct px_kernel *k, px_call_id id);
bool call_answer(struct px_call *c, px_peer from, struct px_msg *m, enum px_status status,
                 uint8_t kind);
void call_reset_asker(struct px_call *c, enum px_status reason);
struct px_call *call_next(const struct px_kernel *k, uint32_t *cursor);
bool calls_reserve(struct px_env *env, uint32_t n);
void calls_account(struct px_env *env, uint32_t reserved, uint32_t outstanding);
void call_free_chunks(struct px_kernel *k);
void link_forget_inbound(struct px_call *c);

/* pool.c */
void pool_free(struct px_pool *pool);

/* sul.c */
void sul_fire(struct px_kernel *k);
uint64_t sul_next_us(const struct px_kernel *k);
void sul_drop_owner(struct px_kernel *k, px_addr owner);
void sul_schedule_for(struct px_kernel *k, px_addr owner, struct px_sul *sul, px_sul_fn fn,
                      uint64_t in_us, uint8_t wheel);
void sul_unlink(struct px_kernel *k, struct px_sul *sul);

/* kill.c */
enum px_err service_begin(struct px_env *mb);
void mailbox_reclaim(struct px_env *mb);
void mailbox_announce(struct px_env *mb, bool gone);
void calls_end_for(struct px_kernel *k, px_peer peer);

/* post.c */
void post_run(struct px_kernel *k, bool run);

/* trace.c */
struct px_kernel *trace_enter(struct px_kernel *k);
void trace_leave(struct px_kernel *previous);

/* turn.c */
void deliver_one(struct px_kernel *k);

/* ---- circular lists of embedded nodes ---- */

static inline void list_init(struct px_want *list)
{
    list->next = list->prev = list;
}

static inline void list_append(struct px_want *list, struct px_want *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_remove(struct px_want *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/* ---- what every message goes through ---- */

/* A slice with a reference of its own. */
static inline void slice_make(struct px_slice *s, struct px_buf *buf, uint64_t off, uint32_t len,
                              uint32_t flags)
{
    s->buf = buf;
    s->len = len;
    s->flags = flags;
    if (buf->data == NULL) {
        s->off = off;
        s->flags = flags | PX_SLICE_FILE | PX_SLICE_SHARED;
    } else {
        s->ptr = buf->data + off;
    }
    buf->refs++;
}

static inline void trace_as(struct px_kernel *k, const struct px_msg *m, px_addr from, bool link,
                            enum px_trace_outcome outcome, uint32_t bytes)
{
    k->trace[k->trace_next++ & k->trace_mask] = (struct px_trace){
        .at_us = k->now_us,
        .about = m->call != 0 ? m->call : m->tag,
        .bytes = bytes,
        .from = from,
        .to = m->to,
        .method = m->method,
        .kind = m->kind,
        .status = (uint8_t)m->status,
        .outcome = (uint8_t)outcome,
        .link = link,
    };
}

static inline void trace_message(struct px_kernel *k, const struct px_msg *m,
                                 enum px_trace_outcome outcome)
{
    uint32_t bytes = m->block != NULL ? (uint32_t)m->block->payload_len : 0;
    trace_as(k, m, PX_PEER_ADDR(m->from), m->from >> ADDR_BITS != 0, outcome, bytes);
}

static inline void msg_address(struct px_msg *m, px_peer from, px_addr to, uint16_t method,
                               uint8_t kind, uint64_t tag, px_call_id call)
{
    m->tag = tag;
    m->call = call;
    m->from = from;
    m->status = PX_OK;
    m->to = to;
    m->method = method;
    m->kind = kind;
}

static inline void queue_push(struct px_kernel *k, struct px_msg *m)
{
    m->next = NULL;
    *k->queue_end = m;
    k->queue_end = &m->next;
    k->count.queued++;
}

static inline void block_unref(struct px_block *b)
{
    if (b->refs == 1) {
        block_free(b);
    } else {
        b->refs--;
    }
}

static inline bool block_is_lost(const struct px_block *b)
{
    return (b->flags & (BLOCK_SPARE | BLOCK_POISONED)) != 0;
}

/* Nobody borrows or holds this envelope any more. */
static inline void msg_done(struct px_msg *m)
{
    struct px_block *b = m->block;
    if ((m->flags & MSG_BARE) != 0) {
        m->next = b->kernel->free_bare;
        b->kernel->free_bare = m;
    }
    block_unref(b);
}

/* Queues and traces. */
static inline void queue_traced(struct px_kernel *k, struct px_msg *m)
{
    trace_message(k, m, PX_TRACE_QUEUED);
    queue_push(k, m);
}

/* What is known of a method; NULL: nothing. */
static inline const struct method *kernel_method(const struct px_kernel *k, uint16_t method)
{
    const struct contract_slot *c = &k->contracts[k->slot_of[method >> 8]];
    uint32_t index = method & 0xffu;
    return index < c->n_methods ? &c->methods[index] : NULL;
}

#endif
