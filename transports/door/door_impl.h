/* door_impl.h - what the files of the door share.
 *
 *     door.c        the mailbox: listening, clients coming and going
 *     door_in.c     from the socket to requests
 *     door_call.c   from a request to a call of the kernel, and its end
 *     door_out.c    from an answer to the socket
 *     door_frame.c  the form of both (pure)
 *     door_place.c  the folder, the lock and the socket
 *
 * A client:
 *
 *     GREETING --its greeting--> OPEN --it may not go on--> ENDING --all is written--> gone
 *     any of them --it closes, is too slow, breaks the form--> gone
 */
#ifndef PX_DOOR_IMPL_H
#define PX_DOOR_IMPL_H

#include "door_frame.h"
#include "door_host.h"

#include <px/link.h>
#include <px/pool.h>
#include <px/service.h>

#include "posix_loop.h"

enum {
    DOOR_CLIENTS_LIMIT = 65535, /* what may be configured */
    DOOR_CALLS_LIMIT = 65535,
    DOOR_SCRATCH_LEN = 16384, /* bytes a read takes at most */
    DOOR_ACCEPT_MAX = 16,     /* clients taken in at once */
    DOOR_PAUSE_US = 100000,   /* accepting rests when descriptors ran out */
    DOOR_HEAD_MAX = DOOR_MESSAGE_HEAD + DOOR_HOPS_MAX * DOOR_ID_LEN,
    DOOR_IOV_MAX = 32,
};

enum door_counter {
    DOOR_N_ACCEPTED,
    DOOR_N_FULL,      /* closed at once: clients_max */
    DOOR_N_STRANGERS, /* closed at once: a uid that may do nothing here */
    DOOR_N_CALLS,     /* handed to the kernel */
    DOOR_N_ANSWERED,  /* by the service, or the kernel for it */
    DOOR_N_REFUSED,   /* answered by the door itself */
    DOOR_N_BUSY,      /* of those, because of calls_max or memory_max */
    DOOR_N_BROKEN,    /* clients ended because of what they wrote */
    DOOR_N_SLOW,      /* clients ended because they did not write or read on */
    DOOR_N_COUNTERS,
};

struct door {
    struct px_env *env;
    struct px_posix *os;
    struct px_link *link;
    uint8_t owner;
    uint32_t uid;      /* of this process when it opened */
    uint32_t stranger; /* the last one that was told */
    bool has_stranger;
    struct px_door_setup config;
    struct posix_source listener;
    struct px_sul pause;
    struct px_pool clients; /* of struct client */
    struct px_pool calls;   /* of struct call */
    uint64_t memory;        /* bytes kept for clients */
    uint8_t scratch[DOOR_SCRATCH_LEN];
};

enum client_state { CLIENT_GREETING, CLIENT_OPEN, CLIENT_ENDING };

struct client {
    struct door *door;
    struct posix_source source;
    struct px_want want;    /* something is to be written */
    struct px_sul in_timer; /* a greeting or message was begun */
    struct px_sul out_timer;
    uint32_t state, uid, n_calls;
    const struct px_door_rule *rule; /* NULL: may call everything */
    struct call *calls;
    uint8_t head[DOOR_HEAD_MAX]; /* the first bytes of a message whose length is not known */
    uint32_t head_len;
    struct px_buf *message; /* the message that is being read; NULL: none */
    uint32_t have, len;     /* bytes of it that are there; bytes of it in all */
    struct px_chain out;
    bool full; /* the socket takes no more: epoll will say when */
};

struct call {
    struct client *client;
    struct call *next, **at; /* of the client */
    struct px_sul deadline;
    uint16_t method;
    px_addr to;
    uint8_t hops_len;
    uint8_t hops[DOOR_HOPS_MAX * DOOR_ID_LEN];
};

/* ---- door.c ---- */

/* Ends a client at once: its calls are taken back. */
void client_end(struct client *client);
void client_count(struct client *client, enum door_counter which);
/* What it waits for now. */
void client_listen(struct client *client);

/* ---- door_in.c ---- */

/* Reads once. The client may be gone afterwards. */
void client_read(struct client *client);
void client_too_slow(struct px_sul *sul);
void client_message_drop(struct client *client);

/* ---- door_call.c ---- */

extern const struct px_link_ops door_link_ops;
/* Makes a call of a request, or answers it at once. `buf`: what the request lies in, or NULL for
 * memory that is used again. */
void door_call(struct client *client, const struct door_request *request, struct px_buf *buf);
void call_drop(struct call *call);

/* ---- door_out.c ---- */

/* Answers with a status and a line for people, printf-like. */
__attribute__((format(printf, 4, 5))) void client_refuse(struct client *client, struct px_span hops,
                                                         enum px_status status, const char *format,
                                                         ...);
/* Answers with what a service said. */
void client_answer(struct client *client, struct px_span hops, const struct px_msg *reply);
/* Writes what there is. The client may be gone afterwards. */
void client_write(struct client *client);
void client_not_reading(struct px_sul *sul);

#endif
