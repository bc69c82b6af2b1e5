/* net_impl.h - what the parts of the mailbox net share. See README.md for the reading order. */
#ifndef PX_NET_IMPL_H
#define PX_NET_IMPL_H

#include <px/service.h>
#include <px/sockaddr46.h>
#include <sys/un.h>

#include "net_contract.h"
#include "posix_loop.h"
#include "stream_contract.h"

/* ---- limits ---- */

enum {
    NET_STREAMS_MAX = 1 << 20,       /* streams at a time; Open: BUSY, accept: refused */
    NET_LISTENERS_MAX = 256,         /* listeners at a time; Listen: BUSY */
    NET_BACKLOG = 4096,              /* default of ListenAt.backlog; the system caps it further */
    NET_CONNECTIONS_MAX = 10000,     /* default of ListenAt.connections_max */
    NET_CONNECTIONS_PEER_MAX = 1024, /* default of ListenAt.connections_peer_max */
    NET_SEND_WINDOW = 262144,        /* default of ListenAt.send_window, and that of Open */
    NET_WINDOW_MIN = 512,            /* of what ListenAt.send_window may be ... */
    NET_WINDOW_MAX = 1 << 30,        /* ... and of any credit */
    NET_LINGER_BYTES = 65536,        /* default of CloseStream.linger_bytes */
    NET_LINGER_MS = 500,             /* default of CloseStream.linger_ms ... */
    NET_LINGER_MS_MAX = 60000,       /* ... and the longest */
    NET_CLAIM_US = 5000000,          /* unclaimed for so long: reset */
    NET_PARKED_US = 30000000,        /* at rest without an owner for so long: reset */
    NET_CLOSE_STALL_US = 30000000,   /* closing and the peer takes nothing for so long: reset */
    NET_RESUME_US = 1000000,         /* accepting paused for lack of descriptors is tried again */
    NET_PAUSE_LOG_US = 10000000,     /* such a pause is logged at most so often */
    NET_READS_AGAIN_A_TURN = 64,     /* reads of streams that had more than one read takes */
    NET_ACCEPTS_A_TURN = 64,         /* of one listener */
    NET_ACCEPTS_AT_CLOSE = 65536,    /* what waits in its queue, when it is closed */
    NET_IOV_MAX = 64,                /* pieces in one send */
    NET_RANGE_A_TURN = 1 << 21,      /* bytes of a file range in one sendfile */
    NET_RANGES_A_TURN = 1 << 22,     /* of all streams: then others get their turn */
    NET_UNSENT_MAX = 1 << 17,        /* bytes a socket takes ahead of what may be on its way ... */
    NET_PROVEN_DRAINS = 8,           /* ... until its peer has taken half of that so often */
    NET_RANGE_SMALL = 16384,   /* ranges up to here are read and sent with what is before them */
    NET_READ_ROOM_MIN = 16384, /* a read buffer with less room is replaced */
    NET_SLICE_ALIGN = 64,      /* where slices of the read buffer begin */
    NET_PEER_BUCKETS = 4096,   /* of the table that counts connections per peer */
    NET_UNIX_MODE = 0600,      /* default of ListenAt.unix_mode */
    NET_TEXT_MAX = 128,        /* room for any printed address */
};

enum net_counter {
    NET_N_ACCEPTED,  /* connections accepted */
    NET_N_REFUSED,   /* closed at once: a limit was reached */
    NET_N_PAUSES,    /* times accepting paused for lack of descriptors or memory */
    NET_N_OPENED,    /* outgoing connections that were made */
    NET_N_RESETS,    /* streams that did not end in order */
    NET_N_STALE,     /* messages about streams that had ended */
    NET_N_PROTOCOL,  /* owners that broke stream.proto */
    NET_N_TIMED_OUT, /* streams not claimed, not adopted, or that lingered too long */
    NET_N_TRUNCATED, /* file ranges that had become shorter */
    NET_N_ADOPTED,   /* streams at rest that were offered to a successor */
    NET_N_COUNTERS,
};

/* ---- objects ---- */

/* An address as net.proto writes it. */
struct net_addr {
    union {
        struct sockaddr sa;
        union px_sockaddr46 ip;
        struct sockaddr_un un;
    };
    socklen_t len;
};

enum net_source_kind { NET_SOURCE_LISTENER, NET_SOURCE_STREAM };

/* Why a listener does not accept; any bit pauses it. */
enum { PAUSE_RESOURCES = 1, PAUSE_UPPER_GONE = 2 };

struct listener {
    struct posix_source source; /* not watched: unlistened, only its streams are left */
    struct net_addr local;
    uint64_t accepted, refused, pauses;
    uint32_t tag;
    uint32_t open; /* streams; the listener stays as long as there are any */
    uint32_t connections_max, connections_peer_max;
    uint32_t send_window;
    uint32_t paused; /* PAUSE_ bits */
    px_addr upper;
    bool wildcard;     /* `local` does not say where a connection came in */
    bool inherited;    /* of who started us: what waits in its queue is for who comes next */
    bool owns_path;    /* a unix path that is ours to unlink ... */
    uint64_t dev, ino; /* ... if it is still this one */
};

/* Connections of one address at one listener; all of a unix socket count as one. */
struct peer {
    struct peer *next; /* of its bucket */
    struct listener *listener;
    uint32_t open;
    uint8_t key[16]; /* IPv6: the first 8 bytes; IPv4: as v4-mapped address */
};

/* stream.state; see net_stream.c. */
enum stream_state {
    STREAM_FREE,
    STREAM_CONNECTING,
    STREAM_OFFERED,
    STREAM_OPEN,
    STREAM_HANDED,
    STREAM_PARKED,
    STREAM_CLOSING,
    STREAM_N_STATES
};

/* stream.flags */
enum {
    IN_DONE = 1,   /* the peer's fin has been delivered (closing: seen) */
    OUT_FIN = 2,   /* our fin comes behind what is queued */
    OUT_DONE = 4,  /* our fin is sent */
    OUT_FULL = 8,  /* the socket takes nothing: waiting for EPOLLOUT */
    OUT_DEAD = 16, /* the peer takes nothing any more, but may have sent something before */
    AT_REST = 32,  /* its owner keeps nothing about it */
    IN_ENDS = 64,  /* epoll has told of the peer's fin: read until it is there */
    IN_MORE = 128, /* there may be more to read, and epoll has told all it will */
};

/* What a stream needs only while it changes hands: kept apart, so that an idle one is small. */
struct side {
    struct px_sul sul;
    struct net *net;
    struct stream *stream;
    const struct px_msg *open; /* connecting: the call to answer */
    px_peer old_owner;         /* handed: who asked for Rebind ... */
    px_handle old_upper;       /* ... and its handle */
    uint32_t linger_ms;
    uint64_t linger_left; /* bytes */
};

struct stream {
    struct posix_source source;
    uint32_t in_credit; /* what may be delivered */
    struct px_want want;
    struct px_chain out;
    px_handle upper; /* the owner's handle; 0: not claimed */
    uint64_t delivered;
    struct peer *peer;          /* NULL: outgoing */
    struct side *side;          /* NULL: open */
    struct px_credit_in credit; /* what the owner may send */
    uint32_t state;
    px_addr owner; /* mailbox of whom it was issued to */
    uint16_t flags;
    uint8_t drains; /* times a full socket had room again, up to NET_PROVEN_DRAINS */
};

struct net {
    struct px_env *env;
    struct px_posix *os;
    struct px_pool streams, sides, listeners, peers;
    struct px_buf *read_buf; /* one for all: see net_read.c */
    uint32_t read_off;
    uint32_t again_left; /* of NET_READS_AGAIN_A_TURN, in the turn that is at ... */
    uint64_t again_us;
    uint32_t ranges_left; /* bytes of NET_RANGES_A_TURN, in the turn ... */
    uint32_t ranges_turn;
    uint32_t n_streams;
    uint32_t n_paused; /* listeners with PAUSE_RESOURCES */
    struct px_sul resume;
    uint64_t pause_logged_us;
    bool pause_was_logged;
    bool stopping;
    uint8_t source_owner;
    uint64_t hash_key[2];
    struct peer *peer_buckets[NET_PEER_BUCKETS];
};

/* ---- net_addr.c ---- */

/* Reads "127.0.0.1:80", "[::1]:80", "unix:/path" or "unix:@name". */
PX_MUST_USE enum px_err net_addr_parse(const uint8_t *text, size_t len, struct net_addr *ret_addr);
/* Reads "fd:3": a descriptor from 3 on. */
PX_MUST_USE enum px_err net_addr_parse_fd(const uint8_t *text, size_t len, int *ret_fd);
/* Writes it as text; length without the closing zero. */
size_t net_addr_print(const struct net_addr *addr, char ret_text[NET_TEXT_MAX]);
bool net_addr_is_unix(const struct net_addr *addr);
/* The path in the file system, or NULL. */
const char *net_addr_path(const struct net_addr *addr);
/* An address in the form of stream.Opened, and those of a connected socket (none for unix). */
void net_addr_put(void *body, ProtobufCBinaryData *ret, const union px_sockaddr46 *addr);
void net_addr_remote(int fd, union px_sockaddr46 *ret_addr);
void net_addr_local(int fd, union px_sockaddr46 *ret_addr);
/* Makes room for a unix path that a process left behind. False: it is in use, or not a socket. */
bool net_addr_clear_stale(const struct net_addr *addr);

/* ---- net_listen.c ---- */

void net_on_listen(void *state, const struct px_msg *msg);
void net_on_unlisten(void *state, const struct px_msg *msg);
void net_on_stats(void *state, const struct px_msg *msg);
void listener_ready(struct net *net, struct listener *l);
/* Closes the socket, after accepting what waits in its queue; what was accepted stays. */
void listener_close(struct net *net, struct listener *l);
/* One stream of it has ended. */
void listener_release(struct net *net, struct listener *l);
void listener_pause(struct net *net, struct listener *l, uint32_t reason);
void listener_unpause(struct net *net, struct listener *l, uint32_t reason);
/* Descriptors may be there again. */
void net_resume(struct net *net);

/* What every TCP socket gets, or the listener it comes from: TCP_NODELAY, and NET_UNSENT_MAX. */
bool net_tune(int fd);

/* ---- net_limit.c ---- */

/* Counts one more connection of an address (NULL: a unix socket, not limited). False: its limit is
 * reached, or no memory. */
bool peer_get(struct net *net, struct listener *l, const union px_sockaddr46 *addr,
              struct peer **ret_peer);
/* NULL is fine. */
void peer_put(struct net *net, struct peer *take_peer);

/* ---- net_open.c ---- */

void net_on_open(void *state, const struct px_msg *msg);
void stream_connected(struct net *net, struct stream *s);

/* ---- net_stream.c ---- */

/* The listener it came from; NULL: outgoing. */
static inline struct listener *stream_listener(const struct stream *s)
{
    return s->peer == NULL ? NULL : s->peer->listener;
}

/* A stream of a socket (`take_fd` stays the caller's on failure); NULL: no memory or too many. */
struct stream *stream_new(struct net *net, int take_fd, uint32_t window);
/* Ends a stream: tells its owner, if it has claimed it. Anything but PX_OK resets the connection.
 */
void stream_end(struct net *net, struct stream *s, enum px_status reason);
/* Begins to watch its socket; false: it has been ended. */
bool stream_watch(struct net *net, struct stream *s);
/* Watches for what it can use now. */
void stream_update(struct net *net, struct stream *s);
/* Offers it to its owner's mailbox; `remote` may be NULL if it is not known yet. False: nobody is
 * there, or no memory. */
bool stream_offer(struct net *net, struct stream *s, const union px_sockaddr46 *remote,
                  bool adopted);
void stream_move(struct stream *s, enum stream_state next);
/* Tells its owner that more may be sent, if that is worth a message. */
void stream_grant(struct net *net, struct stream *s);
/* Its side is no longer needed. */
void stream_settle_down(struct net *net, struct stream *s);
/* Our fin is sent: closing streams wait for the peer's. */
void stream_out_done(struct net *net, struct stream *s);
void net_on_claim(void *state, const struct px_msg *msg);
void net_on_credit(void *state, const struct px_msg *msg);
void net_on_close(void *state, const struct px_msg *msg);
void net_on_reset(void *state, const struct px_msg *msg);
void net_on_rebind(void *state, const struct px_msg *msg);
void net_ended(void *state, uint64_t tag, enum px_status reason);
void net_lost(void *state, px_peer from, px_handle tag);
void net_gone(void *state, px_peer peer);
void net_back(void *state, px_peer peer);

/* ---- net_read.c ---- */

/* Reads once; `events` is what epoll says, 0 if it is for IN_MORE. */
void stream_read(struct net *net, struct stream *s, uint32_t events);
/* Reads what IN_MORE is about, unless enough was read in this turn. False: the stream has ended. */
bool stream_read_again(struct net *net, struct stream *s);

/* ---- net_write.c ---- */

void net_on_data(void *state, const struct px_msg *msg);
void net_flush(void *state, struct px_want *want);
/* Its socket has room again. */
void stream_drained(struct stream *s);

#endif
