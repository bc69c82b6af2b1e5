/* service.h - a service: one mailbox, one zeroed state block, no thread, lock, clock, socket or
 * heap.
 */
#ifndef PX_SERVICE_H
#define PX_SERVICE_H

#include <px/buf.h>
#include <px/contract.h>
#include <px/credit.h>
#include <px/err.h>
#include <px/msg.h>
#include <px/pool.h>
#include <px/sul.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_env;
struct px_want;

/* What runs when `method` arrives. `msg` is borrowed until return. */
struct px_handler {
    uint16_t method;                                   /* PX_METHOD */
    void (*fn)(void *state, const struct px_msg *msg); /* `state`: the service's block */
};

/* A service: its name, how much state it has, and what runs when. All of it must outlive the
 * kernel. */
struct px_service {
    const char *name;   /* the mailbox, and the prefix of logs and counters */
    size_t state_size;  /* bytes */
    uint32_t calls_max; /* calls outstanding at once that do not belong to a pool element */
    const struct px_handler *handlers;        /* of the methods it answers; others: UNSUPPORTED */
    uint32_t n_handlers;                      /* how many */
    const char *const *counters;              /* names, in the order of px_count's index */
    uint32_t n_counters;                      /* how many */
    const ProtobufCMessageDescriptor *config; /* type of px_env_config; NULL: none */

    /* Once, before any message. All but `state_size` may be NULL. */
    enum px_err (*init)(void *state, struct px_env *env);
    /* The final reply or an item (msg->kind) of a call of ours; msg->tag is the call's tag. */
    void (*reply)(void *state, const struct px_msg *msg);
    /* A call to us ended before we answered it, or our answer found no memory: `tag` is
     * px_call_tag's. */
    void (*ended)(void *state, uint64_t tag, enum px_status reason);
    /* The asker of a stream call takes `n` more items. */
    void (*more)(void *state, uint64_t tag, uint32_t n);
    /* A message to us about our handle `tag` was lost: what it names cannot go on. */
    void (*lost)(void *state, px_peer from, px_handle tag);
    /* A peer we may send to, or that may send to us, ended. Comes behind its last message. */
    void (*gone)(void *state, px_peer peer);
    /* A peer we may send to, or that may send to us, is there (again): after a restart or
     * placement, not for those that were there at the start. */
    void (*back)(void *state, px_peer peer);
    /* Once for each px_want_flush, in the flush phase, ranks from the highest to the lowest. */
    void (*flush)(void *state, struct px_want *want);
    /* Finish what is under way, begin nothing, and say px_env_drained. NULL: drained at once. */
    void (*stop)(void *state);
};

/* A wish to be flushed, embedded in an element. Zeroed: not wished. */
struct px_want {
    struct px_want *next; /* the kernel's */
    struct px_want *prev; /* the kernel's */
};

/* Asks for one call of `flush` with this element in this turn's flush phase (the next turn's, if
 * this rank has passed or 512 came before). Asking twice is asking once. */
void px_want_flush(struct px_env *env, struct px_want *want);
/* Takes the wish back. */
void px_want_cancel(struct px_env *env, struct px_want *want);

/* ---- the environment: all a service sees of the world ---- */

/* Monotonic time of this turn, microseconds. */
uint64_t px_now_us(const struct px_env *env);
/* Wall clock of this turn, microseconds since 1970-01-01 UTC. */
int64_t px_wall_us(const struct px_env *env);
/* `len` unpredictable bytes. */
void px_random(struct px_env *env, void *ret, size_t len);
/* An unpredictable number. */
uint64_t px_random_u64(struct px_env *env);
/* The mailbox of a name, 0: none in this system. */
px_addr px_mailbox(const struct px_env *env, const char *name);
/* The peer that mailbox `addr` is now: what to px_pool_issue handles to. 0: gone, or no such
 * mailbox. */
px_peer px_mailbox_peer(const struct px_env *env, px_addr addr);
/* The name of a mailbox, for logs; "?" for a stranger. */
const char *px_mailbox_name(const struct px_env *env, px_addr addr);
/* May `peer` itself send `contract` to mailbox `to`? For messages that name another mailbox. */
bool px_may_send(const struct px_env *env, px_peer peer, uint8_t contract, px_addr to);
/* Our own mailbox. */
px_addr px_env_self(const struct px_env *env);
/* The configuration message of px_service.config type, or NULL. Valid as long as the service. */
const void *px_env_config(const struct px_env *env);
/* Everything begun before px_service.stop is finished. */
void px_env_drained(struct px_env *env);

/* Adds to counter `index` of px_service.counters. */
void px_count(struct px_env *env, uint32_t index, uint64_t n);

/* How much a log line matters: someone must act; degraded; start, stop, a peer up or down; the
 * rest. */
enum px_log_level { PX_LOG_ERROR, PX_LOG_WARN, PX_LOG_INFO, PX_LOG_DEBUG };

/* One key=value of a log record: text (not NULL) or number. */
struct px_kv {
    const char *key;  /* without spaces or "=" */
    const char *text; /* NULL: `number` counts */
    uint64_t number;  /* printed in decimal */
};

/* A number for px_log. */
#define PX_KV_U64(k, v) ((struct px_kv){.key = (k), .number = (v)})
/* A text for px_log. */
#define PX_KV_STR(k, v) ((struct px_kv){.key = (k), .text = (v)})

/* Logs `tag` and key=value pairs: no payload, no secret. Error: someone must act. */
void px_log(struct px_env *env, enum px_log_level level, const char *tag, const struct px_kv *kv,
            size_t n);
/* px_log with its pairs written out: PX_LOG(env, PX_LOG_WARN, "peer", PX_KV_U64("n", 3)). At least
 * one. */
#define PX_LOG(env, level, tag, ...)                                                               \
    px_log((env), (level), (tag), (const struct px_kv[]){__VA_ARGS__},                             \
           sizeof((const struct px_kv[]){__VA_ARGS__}) / sizeof(struct px_kv))

#ifdef __cplusplus
}
#endif

#endif
