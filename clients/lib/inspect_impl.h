/* inspect_impl.h - what the files of the mailbox "inspect" share.
 *
 *     inspect.c           the system, its services, the trace
 *     inspect_describe.c  contracts, methods, messages, fields
 *     inspect_edges.c     the trace ring summed up
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

/* A text in the arena of an answer. */
static inline void put_text(void *body, ProtobufCBinaryData *ret, const char *text)
{
    px_msg_put(body, ret, text, strlen(text));
}

#endif
