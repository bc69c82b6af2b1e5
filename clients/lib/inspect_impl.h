/* inspect_impl.h - what the files of the mailbox "inspect" share.
 *
 *     inspect.c           the system, its services, the trace
 *     inspect_describe.c  contracts, methods, messages, fields
 *     inspect_edges.c     the trace ring summed up
 *     inspect_watch.c     the trace as a topic
 */
#ifndef INSPECT_IMPL_H
#define INSPECT_IMPL_H

#include "lib.h"

#include "inspect.pb-c.h"

enum {
    INSPECT_TRACE_LENGTH = 4096, /* the kernel's default ring */
    INSPECT_RECORDS_MAX = 512,   /* in one answer; inspect.proto */
    INSPECT_EDGES_MAX = 256,     /* counted; what further pairs say is left out */
    INSPECT_TYPES_MAX = 256,     /* messages of one description; further ones are left out */
    INSPECT_CALLS_LOG2 = 13,     /* places for the open calls of the ring */
    INSPECT_WATCHES_MAX = 32,    /* at a time; BUSY */
    INSPECT_WATCH_MS = 50,       /* between two items */
};

/* What one mailbox said to another. */
struct edge {
    px_addr from, to;
    uint32_t messages, answered;
    uint64_t bytes, p50_us, max_us;
};

struct inspect {
    struct px_system *system;
    struct px_env *env;
    uint64_t since_us;
    struct px_pool watches; /* of struct watch */
    uint32_t n_records;
    struct px_trace records[INSPECT_TRACE_LENGTH];
    uint32_t n_edges;
    struct edge edges[INSPECT_EDGES_MAX];
    uint32_t n_answers;
    uint64_t answers[INSPECT_TRACE_LENGTH];  /* edge (high 16 bits), microseconds */
    uint16_t calls[1 << INSPECT_CALLS_LOG2]; /* place of a call in `records`, and 1; 0: free */
};

/* Contracts of a mailbox that may be called. */
Inspect__ContractIs **inspect_contracts(const struct inspect *inspect, void *body, px_addr addr,
                                        size_t *ret_n);
void inspect_on_describe(void *state, const struct px_msg *msg);
void inspect_on_edges(void *state, const struct px_msg *msg);

/* The name of a mailbox, for people: of a service outside its own. */
const char *inspect_name(const struct inspect *inspect, px_addr addr);

/* Which records of the ring. */
struct trace_wish {
    uint64_t position; /* from here */
    uint32_t max;
    px_addr only; /* 0: of all */
    bool watches; /* without what watching itself causes */
};
/* What a TraceFrom means: OK, NOT_FOUND or BAD_REQUEST. */
enum px_status inspect_wish(const struct inspect *inspect, const Inspect__TraceFrom *from,
                            struct trace_wish *ret_wish);
/* These records, how many, and where to go on. */
Inspect__TraceRecords *inspect_records(struct inspect *inspect, const struct trace_wish *wish,
                                       uint64_t *ret_position, uint32_t *ret_n);

enum px_err inspect_watch_init(struct inspect *inspect);
void inspect_on_watch(void *state, const struct px_msg *msg);
void inspect_watch_more(void *state, uint64_t tag, uint32_t n);
void inspect_watch_ended(void *state, uint64_t tag, enum px_status reason);

/* A text in the arena of an answer. */
static inline void put_text(void *body, ProtobufCBinaryData *ret, const char *text)
{
    px_msg_put(body, ret, text, strlen(text));
}

#endif
