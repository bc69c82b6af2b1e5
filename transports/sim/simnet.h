/* simnet.h - what the two halves of the mailbox `net` share: simnet.c (the mailbox, listeners,
 * opening) and simnet_stream.c (streams under way).
 */
#ifndef SIMNET_H
#define SIMNET_H

#include <px/fsm.h>
#include <px/service.h>

#include "net.pb-c.h"
#include "net_contract.h"
#include "sim_impl.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

enum simnet_state {
    NS_FREE,
    NS_OPENING,
    NS_OFFERED,
    NS_OWNED,
    NS_LETGO,
    NS_PARKED,
    NS_CLOSING,
    NS_ENDED,
    NS_STATES
};

enum {
    STREAMS_MAX = 4096,
    LISTENERS_MAX = 64,
    READ_MAX = 16384,
    CREDIT_MAX = 1 << 30,
    SEND_WINDOW = 262144,
    CONNECTIONS_MAX = 10000,
    CONNECTIONS_PEER_MAX = 1024,
    LINGER_BYTES = 65536,
    LINGER_MS = 500,
    CLAIM_US = 5000000,
    STALL_US = 30000000,
    AGAIN_US = 10000,
    ADDRESS_LEN = 6,
};

enum simnet_count { N_ACCEPTED, N_REFUSED, N_UNCLAIMED, N_NO_MEMORY };

struct simnet {
    struct px_env *env;
    struct sim_domain *domain;
    struct px_pool streams, listeners;
};

struct nlistener {
    struct sim_listener *at;
    px_addr upper;
    uint32_t tag, open, max, peer_max, send_window;
    uint64_t accepted, refused;
};

struct nstream {
    struct simnet *net;
    struct sim_end *end; /* NULL: detached */
    uint32_t state;      /* enum simnet_state */
    px_addr owner, old_owner;
    px_peer old_peer; /* NS_LETGO: may still reset it */
    px_handle upper, old_upper;
    px_handle listener;
    uint32_t listener_tag;
    uint32_t credit;          /* that we may deliver */
    struct px_credit_in send; /* that the owner may send */
    struct px_chain out;
    struct px_want want;
    struct px_sul timer; /* claim, linger, stall */
    struct px_sul again; /* what could not be done for lack of memory */
    const struct px_msg *open;
    uint64_t delivered; /* bytes to all owners */
    uint64_t lingered;
    uint32_t linger_ms, linger_bytes;
    enum px_status reason; /* NS_ENDED: of Closed */
    bool in_fin;           /* delivered, or seen while closing */
    bool out_fin, fin_sent;
    bool at_rest;
    uint8_t remote[ADDRESS_LEN], local[ADDRESS_LEN];
    uint8_t remote_len, local_len;
};

/* simnet_stream.c */
extern const struct px_state simnet_table[NS_STATES];
/* The state element of a stream that has an end, or NULL: no memory, too many. */
struct nstream *nstream_new(struct simnet *net, struct sim_end *end, enum simnet_state state);
/* Its owner is gone or never knew it: resets the far end and forgets it. */
void nstream_drop(struct nstream *s);
/* Its owner died, and left nothing unsaid: keeps it for the successor. */
void nstream_park(struct nstream *s);
/* The end of a stream for `reason`: an owner gets its one Closed, then the element goes. */
void nstream_end(struct nstream *s, enum px_status reason);
/* Offers it to a mailbox; on failure it is gone. */
void nstream_offer(struct nstream *s, px_addr upper, bool adopted);
/* Its connection has something to say. */
void nstream_ready(struct nstream *s);
void nstream_flush(struct nstream *s);
void simnet_on_claim(void *state, const struct px_msg *msg);
void simnet_on_credit(void *state, const struct px_msg *msg);
void simnet_on_data(void *state, const struct px_msg *msg);
void simnet_on_close(void *state, const struct px_msg *msg);
void simnet_on_reset(void *state, const struct px_msg *msg);
void simnet_on_rebind(void *state, const struct px_msg *msg);

/* simnet.c */
void nlistener_closed_one(struct nstream *s);

#endif
