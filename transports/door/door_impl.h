/* door_impl.h - what the files of the door share.
 *
 *     door.c        the mailbox: listening, clients coming and going
 *     door_in.c     from the socket to requests
 *     door_call.c   from a request to a call of the kernel, and its end
 *     door_pair.c   what those say who are attached
 *     door_offer.c  who becomes a service
 *     door_outside.c  calls and messages for services outside, and from them
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
    DOOR_CARRIED_MAX = 512, /* bytes of a packed Carried or Answered */
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
    DOOR_N_PROVIDED,  /* clients that became a service */
    DOOR_N_COUNTERS,
};

/* A mailbox for a service outside. */
struct outside {
    struct door *door;
    struct client *client; /* who is it; NULL: nobody now */
    struct px_link *link;  /* while somebody is */
    px_addr addr;
    const struct px_door_role *role; /* NULL: none */
    struct px_buf *description;      /* NULL: none */
    uint32_t description_len;
    char name[PX_DOOR_SERVICE_NAME_MAX + 1]; /* empty: nobody ever was */
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
    struct outside outside[PX_DOOR_SERVICES_MAX];
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
    bool attached;                   /* it greeted with pair1 */
    struct outside *outside;         /* the service it is; NULL: none */
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
    uint8_t hops[DOOR_HOPS_MAX * DOOR_ID_LEN]; /* of one who is attached: the id */
};

/* ---- door.c ---- */

/* Ends a client at once: its calls are taken back. Not from within px_link_ops.deliver. */
void client_end(struct client *client);
/* Ends it because of what it wrote. */
void client_broken(struct client *client);
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
/* It has ended for both sides. */
void client_call_unlink(struct call *call);
/* An element for a call that is about to be made. NULL: it was answered. */
struct call *client_call_new(struct client *client, const struct door_request *request);
/* Hands it to the kernel; `body` is packed. */
void client_call_send(struct call *call, const struct door_request *request, struct px_span body,
                      struct px_span payload, struct px_buf *buf);
/* Tells the kernel of an asker that it waits no more, or takes `n` more items. */
void client_call_tell(const struct call *call, enum px_kind kind, enum px_status why, uint32_t n);
/* Payload of `link`, where it lies if that is ours to keep. False: no memory. */
bool door_payload(struct px_link *link, struct px_span payload, struct px_buf *buf,
                  struct px_chain *ret);
bool door_rule_permits(const struct px_door_rule *rule, const char *service);
/* Does a method's name end in `last`, alone or with its contract in front? */
bool door_method_ends(struct px_span name, const char *last);

/* ---- door_pair.c ---- */

/* One whole message of a client that is attached. False: it has ended. */
bool pair_take(struct client *client, const uint8_t *bytes, size_t len, struct px_buf *buf);

/* ---- door_offer.c ---- */

void offer_take(struct client *client, const struct door_request *request);
/* Its client goes: whoever waits for it is told. */
void outside_leave(struct outside *outside);
/* Who is, or last was, the service of a name; NULL: nobody ever was. */
struct outside *outside_named(struct door *door, struct px_span name);
/* Is the request a question what such a service is? Then it is answered, and true. */
bool outside_describe(struct client *client, const struct door_request *request);

/* ---- door_outside.c ---- */

extern const struct px_link_ops outside_link_ops;
/* Makes a call to a service outside of a request, or answers it. */
void outside_call(struct client *client, const struct door_request *request,
                  struct outside *outside, struct px_buf *buf);
/* Its program has gone. */
void outside_refuse_gone(struct client *client, const struct door_request *request,
                         const struct outside *outside);
/* An answer, an item or a oneway of one. False: it has ended. */
bool outside_take(struct client *client, const struct door_message *message, struct px_buf *buf);

/* ---- door_out.c ---- */

/* Answers with a status and a line for people, printf-like. */
__attribute__((format(printf, 4, 5))) void client_refuse(struct client *client, struct px_span hops,
                                                         enum px_status status, const char *format,
                                                         ...);
/* Answers with what a service said, a reply or an item. False: it was refused instead. */
bool client_answer(struct client *client, struct px_span hops, const struct px_msg *reply);
/* Answers with `len` bytes of packed body. */
void client_answer_packed(struct client *client, struct px_span hops, struct px_buf *body,
                          uint32_t len);
/* Writes a message to a client that is attached, with the body of `packed` and the payload of
 * `payload`; either may be NULL. False: no memory, and nothing is written. */
bool client_tell(struct client *client, struct door_message *message, const struct px_msg *packed,
                 const struct px_msg *payload);
/* Does its payload name a file? That does not pass the door. */
bool msg_has_file(const struct px_msg *msg);
/* It cannot be told what it has to know: it learns it by the end of its connection. */
void client_give_up(struct client *client);
/* Writes what there is. The client may be gone afterwards. */
void client_write(struct client *client);
void client_not_reading(struct px_sul *sul);

#endif
