/* kernel.h - for hosts: assembling services into a kernel and running it. Services never include
 * this.
 *
 * One kernel belongs to one thread; only px_post and px_kernel_wake may be called from others.
 * Nothing here is global: several kernels in one process never notice each other.
 */
#ifndef PX_KERNEL_H
#define PX_KERNEL_H

#include <px/service.h>
#include <px/world.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_kernel;

/* Limits; 0 takes the default in brackets. */
struct px_kernel_config {
    uint32_t mailboxes_max; /* [64] up to 4095 */
    uint32_t queue_mark;    /* messages queued above which nothing more is read in [4096] */
    uint32_t queue_max;     /* messages queued above which sends are lost [262144] */
    uint32_t deliver_max;   /* messages delivered in one turn [16384] */
    uint32_t flush_max;     /* wishes granted to one rank a turn [512] */
    uint32_t trace_records; /* length of the trace ring, a power of two [4096]; never off */
    uint32_t calls_max;     /* entries of the call table [65536] */
};

/* A kernel on `world`, which must outlive it. */
PX_MUST_USE enum px_err px_kernel_new(const struct px_world *world,
                                      const struct px_kernel_config *config,
                                      struct px_kernel **ret_kernel);
/* Frees everything: services are killed, nothing is flushed. NULL is fine. */
void px_kernel_free(struct px_kernel *take_kernel);

/* ---- assembling (before px_kernel_start, except where said) ---- */

/* Makes a contract known. Twice is fine. EINVAL: shapes do not match the descriptor, or the number
 * is another's. ELIMIT: more than 63 contracts. */
PX_MUST_USE enum px_err px_kernel_contract(struct px_kernel *kernel,
                                           const struct px_contract *contract);
/* Adds a service as mailbox `name` (NULL: service->name). `config`: a message of service->config,
 * must outlive the kernel. The number is the next free one, from 1: kernels that link to each other
 * name their mailboxes in the same order. */
PX_MUST_USE enum px_err px_kernel_add(struct px_kernel *kernel, const struct px_service *service,
                                      const char *name, const void *config, px_addr *ret_addr);
/* Adds a mailbox that lives elsewhere; it is gone until px_kernel_place. */
PX_MUST_USE enum px_err px_kernel_add_remote(struct px_kernel *kernel, const char *name,
                                             px_addr *ret_addr);
/* Adds a mailbox nobody holds: what is sent there goes to `record` (tests). */
PX_MUST_USE enum px_err px_kernel_add_recorder(struct px_kernel *kernel, const char *name,
                                               void (*record)(void *ctx, const struct px_msg *msg),
                                               void *ctx, px_addr *ret_addr);
/* Capability: `from` may send `contract` to `to`. */
PX_MUST_USE enum px_err px_kernel_allow(struct px_kernel *kernel, px_addr from, uint8_t contract,
                                        px_addr to);
/* Takes it back; also while running. */
void px_kernel_deny(struct px_kernel *kernel, px_addr from, uint8_t contract, px_addr to);
/* Computes ranks and runs every init. ECYCLE: streams are consumed in a circle. */
PX_MUST_USE enum px_err px_kernel_start(struct px_kernel *kernel);

/* ---- running ---- */

/* One turn: poll for at most `wait_us`, timers, deliver, flush. */
void px_kernel_turn(struct px_kernel *kernel, uint64_t wait_us);
/* Microseconds until px_kernel_turn has something to do by itself: 0 now, PX_NEVER. May be early,
 * never late. */
uint64_t px_kernel_next_us(const struct px_kernel *kernel);
/* The same for wake-if-suspended timers only, exact. */
uint64_t px_kernel_earliest_wake(const struct px_kernel *kernel);
/* Asks every service to stop; px_kernel_drained says when all have. */
void px_kernel_stop(struct px_kernel *kernel);
/* Has every service finished what was under way at px_kernel_stop? */
bool px_kernel_drained(const struct px_kernel *kernel);

/* Runs `fn(ctx, data, len)` in the kernel's thread, in a turn soon; `data` is copied. From any
 * thread. */
PX_MUST_USE enum px_err px_post(struct px_kernel *kernel,
                                void (*fn)(void *ctx, const void *data, size_t len), void *ctx,
                                const void *data, size_t len);
/* Ends a poll under way; from any thread. */
void px_kernel_wake(struct px_kernel *kernel);

/* Ends a service as if its process had died: its calls end, pools, timers, holds, chains and
 * buffers are reclaimed, everyone else gets one Gone. */
void px_service_kill(struct px_kernel *kernel, px_addr addr);
/* Starts a killed service again with a zeroed state. ESTATE: it lives, or its Gone is still queued
 * (one turn later it is not). */
PX_MUST_USE enum px_err px_service_restart(struct px_kernel *kernel, px_addr addr);

/* ---- for hosts and transports ---- */

/* The mailbox of a name, 0: none. */
px_addr px_kernel_mailbox(const struct px_kernel *kernel, const char *name);
/* State block of a local service; NULL: not here or killed. */
void *px_kernel_state(const struct px_kernel *kernel, px_addr addr);
/* Environment of a local service; NULL: not here or killed. */
struct px_env *px_kernel_env(const struct px_kernel *kernel, px_addr addr);
/* The world the kernel was made on. */
const struct px_world *px_kernel_world(const struct px_kernel *kernel);
/* Monotonic time of the turn, microseconds. */
uint64_t px_kernel_now_us(const struct px_kernel *kernel);
/* The kernel of a service's environment. */
struct px_kernel *px_env_kernel(const struct px_env *env);
/* A file buffer that owns `take_fd` and gives it to `close_fd` at the end. NULL: no memory (fd
 * kept). */
struct px_buf *px_buf_from_fd(struct px_env *env, int take_fd, void (*close_fd)(int fd));
/* Is ours the only reference? Then memory of it may be used again. */
bool px_buf_unique(const struct px_buf *buf);

/* ---- looking inside ---- */

/* Everything a ledger counts; all but `deliveries` and the drops are back at 0 when idle. */
struct px_ledger {
    uint64_t deliveries;     /* messages handed to handlers since start */
    uint64_t turns;          /* since start */
    uint64_t lost;           /* sends that were lost (no memory, queue full) */
    uint64_t denied;         /* sends without capability */
    uint64_t late;           /* replies to calls that had ended */
    uint64_t allocs;         /* world allocations since start */
    uint64_t mem;            /* bytes allocated now, free lists included */
    uint64_t traced;         /* records written into the trace ring since start */
    uint32_t queued;         /* messages waiting to be delivered */
    uint32_t calls;          /* outstanding */
    uint32_t calls_reserved; /* entries of the call table set aside (pools, px_service.calls_max) */
    uint32_t holds;          /* px_msg_hold and px_msg_seal without their release */
    uint32_t pieces;         /* slices in chains */
    uint32_t bufs;           /* buffers in use; of a service: made, not yet attached or put */
    uint32_t blocks;         /* blocks of messages: queued, held, or being filled */
    uint32_t timers;         /* scheduled */
    uint32_t elems;          /* pool elements in use */
};
/* Reads the ledger of a kernel. */
void px_kernel_ledger(const struct px_kernel *kernel, struct px_ledger *ret);
/* The same for what one service holds; fields that are not per service are 0. */
void px_service_ledger(const struct px_kernel *kernel, px_addr addr, struct px_ledger *ret);
/* Counter `index` of a mailbox, and its name (NULL past the last). */
uint64_t px_kernel_counter(const struct px_kernel *kernel, px_addr addr, uint32_t index,
                           const char **ret_name);

/* One message as the always-on ring keeps it: 32 bytes. */
struct px_trace {
    uint64_t at_us;  /* time of the turn, monotonic */
    uint64_t about;  /* call, or the receiver's handle */
    uint32_t bytes;  /* payload */
    px_addr from;    /* the sender */
    px_addr to;      /* the receiver */
    uint16_t method; /* 0: it is about no method */
    uint8_t kind;    /* enum px_kind */
    uint8_t status;  /* enum px_status, of a reply */
    uint8_t outcome; /* enum px_trace_outcome */
    uint8_t link;    /* 1: came over a link */
};

/* What became of a message that was sent. */
enum px_trace_outcome {
    PX_TRACE_QUEUED, /* it is, or was, delivered */
    PX_TRACE_DENIED, /* no capability */
    PX_TRACE_LOST,   /* no memory, or the queue was full */
    PX_TRACE_LATE,   /* an answer to a call that had ended */
    PX_TRACE_NOBODY  /* the receiver does not handle this method */
};

/* Copies the newest `max` records, oldest first; number copied. */
size_t px_trace_read(const struct px_kernel *kernel, struct px_trace *ret, size_t max);
/* Writes the newest `max` records to the log sink, a line each. */
void px_trace_dump(const struct px_kernel *kernel, size_t max);

#ifdef __cplusplus
}
#endif

#endif
