/* door_host.h - the door: a unix socket through which other programs of this host call services.
 * For hosts.
 *
 * It speaks what nng calls req/rep over ipc:// (docs/wire.md), so that any language that has plain
 * sockets, or nng, is a client. Calls come into the kernel from the mailbox "guest", which is
 * behind a link: the kernel checks capabilities, bodies and bounds as it does for every link.
 * Nothing a client does blocks, and what it can make the door keep is bounded.
 */
#ifndef PX_DOOR_HOST_H
#define PX_DOOR_HOST_H

#include <px/kernel.h>

/* Limits that are not configured; what happens at each is said beside it. */
enum {
    PX_DOOR_BODY_MAX = 1 << 20, /* bytes of a packed body; answered TOO_LARGE, and the end */
    PX_DOOR_UNREAD_MAX = 65536, /* bytes of answers that wait, above which nothing more is read */
    PX_DOOR_ANSWERS_MAX = 4 << 20,     /* bytes of answers that wait; the next is BUSY, unless it is
                                          the only one */
    PX_DOOR_DEADLINE_MS = 30000,       /* of a single call that names none; answered TIMED_OUT */
    PX_DOOR_DEADLINE_MAX_MS = 3600000, /* longer ones are cut to this */
    PX_DOOR_MESSAGE_MS = 10000,        /* from the first byte of a message to its last; the end */
    PX_DOOR_READ_MS = 30000,           /* nothing of an answer was taken for so long; the end */
    PX_DOOR_TEXT_MAX = 480,            /* bytes of the text of an answer; cut */
    PX_DOOR_ATTACHED_MAX = 1 << 20,    /* PX_DOOR_UNREAD_MAX for those who are attached */
    PX_DOOR_SERVICE_MAX = 32 << 20,    /* bytes a service outside has not read; a call is BUSY, what
                                          else there is to say is the end */
    PX_DOOR_OFFER_MAX = 65536,         /* bytes of an Offer; BAD_REQUEST */
    PX_DOOR_SERVICE_NAME_MAX = 31,     /* bytes of the name of a service outside; BAD_REQUEST */
    PX_DOOR_SERVICES_MAX = 32,         /* services outside; what may be configured */
};

/* A service that may be called, by one of its contracts. */
struct px_door_target {
    px_addr addr;
    const char *name; /* of the mailbox */
    const struct px_contract *contract;
    bool looks;              /* only methods that may be repeated; the others are DENIED */
    const char *open_method; /* may be called by whoever is let in, whatever his rule says; NULL:
                                none */
};

/* A contract of the system that a program outside may fulfil. */
struct px_door_role {
    const struct px_contract *hears, *says; /* oneways: to it, from it */
    px_addr peer;                           /* whom it speaks with */
};

/* Who may come in besides the user the door belongs to, or what that one may call. */
struct px_door_rule {
    uint32_t uid;
    const char *const *services; /* names of mailboxes; NULL: all */
    uint32_t n_services;
    const char *const *provides; /* names of services it may be */
    uint32_t n_provides;
};

struct px_door_setup {
    int listen_fd;                        /* px_door_bind; stays the caller's */
    px_addr guest;                        /* the remote mailbox "guest" */
    const struct px_door_target *targets; /* must outlive the kernel */
    uint32_t n_targets;
    const struct px_door_rule *rules; /* must outlive the kernel */
    uint32_t n_rules;
    const struct px_door_role *roles; /* must outlive the kernel */
    uint32_t n_roles;
    px_addr outside[PX_DOOR_SERVICES_MAX]; /* remote mailboxes for services outside */
    uint32_t n_outside;
    uint32_t clients_max; /* connections at a time; further ones are closed at once */
    uint32_t calls_max;   /* calls of one client at a time; further ones are answered BUSY */
    uint32_t message_max; /* bytes of a request; answered TOO_LARGE, and the end of the client */
    uint64_t memory_max;  /* bytes kept for all clients; what goes beyond is answered BUSY */
};

/* Mailbox "door": nobody sends there. Owns listener and clients. */
extern const struct px_service px_door_service;

/* Opens it. `env`: of the mailbox "door" of a kernel that has started. ENOMEM; EUNSUPPORTED: it is
 * not on a posix world; EIO: the descriptor cannot be watched. */
PX_MUST_USE enum px_err px_door_open(struct px_env *env, const struct px_door_setup *config);

/* The mailbox of the service outside that fulfils `contract` as `name`; 0: nobody is that now.
 * `env`: of the mailbox "door". */
px_addr px_door_outside(const struct px_env *env, const char *name,
                        const struct px_contract *contract);
/* The name that a mailbox of px_door_setup.outside has now, or had last; NULL: none. */
const char *px_door_outside_name(const struct px_env *env, px_addr addr);

#endif
