/* lib.h - what the files of libplexus share. One system is one kernel; `app` is the state of the
 * mailbox through which this library speaks for the program.
 *
 *     system.c      makes, runs, embeds, stops   server.c      configuration, listening
 *     wiring.c      which mailbox may send what  route.c       patterns (pure)
 *     app.c         the mailbox: handlers, calls path.c        escapes, dot segments (pure)
 *     request.c     an exchange, head to end     fields.c      field lists (pure)
 *     head.c        reading a request's head     body.c        request bodies
 *     reply.c       responses                    reply_file.c  files
 *     routes.c      sets of routes, hosts, error pages
 *     aside.c       what ruled and logged requests have beside them
 *     ruled.c       rules carried out            rules.c       rules of a route (pure)
 *     rate.c        token buckets (pure)         cors.c        other origins (pure)
 *     siphash.c     a hash with a key (pure)     redirect.c    places filled in (pure)
 *     auth.c        basic authentication         auth_users.c  users, credentials (pure)
 *     auth_thread.c the thread that verifies     events.c      server-sent events
 *     files*.c      directories as parts of a site (files_impl.h)
 *     topic.c       one event for many           event_text.c  their encoding (pure)
 *     stream.c      streams                      form.c        forms, as they come
 *     form_head.c, form_urlencoded.c, form_multipart.c         reading them (pure)
 *     form_collect.c                             whole forms
 *     door.c        the way in for other programs
 *     outside.c     requests that one of them answers
 *     inspect*.c    the mailbox that tells what there is (inspect_impl.h)
 */
#ifndef LIB_H
#define LIB_H

#include "plexus.h"

#include <px/bytes.h>
#include <px/kernel.h>
#include <px/service.h>
#include <string.h>

#include "file.pb-c.h"
#include "h1.pb-c.h"

#include "route.h"

enum {
    CALLABLES_MAX = 128,
    STATE_WISHES_MAX = 1024, /* px_at_state that wait */
    OUTSIDE_MAX = 32,        /* services behind the door; PX_DOOR_SERVICES_MAX */
    FILE_ROOTS_MAX = 16,
    UPGRADES_MAX = 8,
    LISTENERS_MAX = 64,
    ADDRESS_TEXT_MAX = 128, /* an address as text, with the zero; unix paths are at most 108 */
    ERROR_TEXT_MAX = 256,
    SEND_LEN_MAX = 1 << 20,
    SEND_QUEUE_DEFAULT = 65536,
    BODY_LEN_MAX = 16 << 20,
    READ_WINDOW_DEFAULT = 65536,
    READ_WINDOW_MAX = 1 << 30,
    RESPOND_FREE_MAX = 16384, /* payload of Respond that costs no credit (http.proto) */
    CALL_DEADLINE_MS = 5000,  /* of our own calls to net and file */
    CONNECT_DEADLINE_MS = 20000,
};

struct app;
struct aside;
struct door_part;
struct host;
struct relay;
struct stream;

struct listener {
    bool used;
    bool is_stream;                        /* of a px_stream_listen, not of the server */
    uint32_t index;                        /* among those of the server */
    px_handle handle;                      /* net's */
    char address[ADDRESS_TEXT_MAX];        /* as bound */
    const struct px_stream_events *events; /* is_stream */
    void *arg;
    struct px_listen options;
    struct app *app;     /* relisten.c */
    struct px_sul again; /* relisten.c */
    uint32_t tries;      /* relisten.c */
};

struct px_server {
    struct px_system *system;
    struct px_routes *routes;  /* in force; never NULL */
    struct px_routes *sets;    /* all that are not freed */
    struct px_routes *retired; /* to be let go of */
    struct px_sul retire;      /* when */
    px_log_fn log_fn;          /* NULL: nobody logs */
    void *log_arg;
    uint64_t n_logged; /* requests given a number */
    bool draining;     /* says px_health */
    H1__Upgrade upgrades[UPGRADES_MAX], *upgrade_list[UPGRADES_MAX];
    char *name; /* h1.server points here */
    uint32_t connections_max, connections_peer_max, send_queue_max;
};

struct px_ready {
    struct px_ready *next, **link;
    struct px_system *system;
    struct px_buf *body; /* NULL: none */
    size_t body_len;
    uint32_t status;
    size_t fields_len;
    uint8_t fields[]; /* serialized HeaderList */
};

/* A contract of a mailbox that may be called through the door. */
struct callable {
    px_addr addr;
    const struct px_contract *contract;
    bool looks; /* only what may be repeated: it changes nothing */
};

struct px_system {
    struct host *host; /* world, net and file of the operating system */
    struct px_kernel *kernel;
    struct app *app; /* NULL until started */
    struct px_server *server;
    struct px_ready *readies;
    struct px_auth *auths;
    uint64_t n_auths; /* made so far */
    struct px_topic *topics;
    H1__Config h1;               /* the configuration of the h1 service */
    struct px_files *files;      /* those that are not freed */
    uint32_t n_files, next_root; /* how many; the number of the next one's root */
    struct placement *placement; /* NULL: everything is here */
    px_addr addr_app, addr_net, addr_file;
    struct door_part *door;                   /* NULL: none */
    struct callable callables[CALLABLES_MAX]; /* in the order they were added */
    uint32_t n_callables;
    uint32_t requests_max, streams_max, calls_max;
    uint32_t n_listeners;                     /* slots ever used */
    struct listener listeners[LISTENERS_MAX]; /* the index is net's tag */
    char stream_address[ADDRESS_TEXT_MAX];
    bool in_turn, breaking, stopping, out_of_time, stopped;
    struct px_sul stop_timer;
    px_stopped_fn stopped_fn;
    void *stopped_arg;
    char error[ERROR_TEXT_MAX];
};

/* A call of the app mailbox; its handle is the tag. */
struct call {
    void (*fn)(struct app *app, const struct call *call, const struct px_msg *reply);
    void (*item)(struct app *app, const struct call *call, const struct px_msg *item); /* or NULL */
    px_reply_fn user_fn; /* px_system_call */
    void *arg;
    px_handle about; /* the request or stream it is made for */
};

enum app_counter {
    COUNT_NO_ROUTE,
    COUNT_BAD_PATH,
    COUNT_BUSY,
    COUNT_LOST,
    COUNT_FULL,
    COUNT_EVENT_DROPPED,
    COUNT_EVENT_CLOSED,
    COUNT_TOPIC_FULL,
    COUNT_RATE,
    COUNT_EVICTED,
    COUNT_BODY_LONG,
    COUNT_BODY_LATE,
    COUNT_ANSWER_LATE,
    COUNT_AUTH_WRONG,
    COUNT_AUTH_BUSY,
    COUNT_FORM_REFUSED,
    COUNT_RANGE_IGNORED,
    COUNT_LISTING_CUT,
    COUNT_OUTSIDE_AWAY,
    COUNT_OUTSIDE_BROKEN,
    N_COUNTERS
};

struct app {
    struct px_system *system;
    struct px_server *server;
    struct px_env *env;
    px_addr net, file;
    bool stopping;
    struct px_pool requests;      /* of struct request */
    struct px_pool streams;       /* of struct stream */
    struct px_pool calls;         /* of struct call */
    struct px_pool asides;        /* of struct aside */
    struct px_pool event_streams; /* of struct event_stream */
    struct px_pool forms;         /* of struct form */
    struct px_pool form_wholes;   /* of struct form_whole */
    struct px_pool nobody;        /* one element: who answers requests that got none of their own */
    void *refuser;                /* that element */
    struct px_pool wishes;        /* of those that wait for a state: state.c */
    px_call_id state_watch;       /* while there are any; 0: none */
    uint32_t state_now;           /* what it told last; 0: nothing yet */
    struct px_sul state_again;
    struct px_pool relays;          /* of struct relay */
    px_addr outside_first;          /* mailboxes of services outside */
    uint32_t n_relays[OUTSIDE_MAX]; /* requests that each of them has */
};

/* What the flush phase still has to tell the owner of a request or stream. Callbacks that do not
 * answer a message come from there, so that nothing calls back from inside a call. */
enum later_what { LATER_BODY_FIN = 1, LATER_DRAINED = 2, LATER_END = 4 };
struct later {
    struct px_want want;
    void (*flush)(struct later *later);
    uint32_t what; /* enum later_what */
};

struct request {
    struct later later;
    struct app *app;
    const struct px_msg *msg; /* the Exchange; NULL: the head is gone */
    px_handle self;           /* as the engine knows it */
    px_handle requester;      /* the engine's */
    const struct px_request_events *events;
    void *arg;
    struct px_buf *path_buf;           /* the path, if it had to be normalised */
    const struct px_msg *trailers;     /* held; of the request */
    const struct px_msg *trailers_out; /* sealed; of the response, behind `out` */
    px_collected_fn collected;         /* px_request_collect */
    void *collected_arg;
    struct px_chain in;        /* what was collected */
    struct px_chain out;       /* body that waits for credit */
    struct px_chain file;      /* ranges that the engine does not take: to be read */
    struct px_buf *fields_buf; /* serialized fields of a file's response */
    uint64_t window;           /* the most credit there ever was */
    uint64_t credit, left;     /* may be sent; of the declared length, not yet given to us */
    struct px_credit_in in_credit;
    uint32_t state, in_max, fields_len;
    px_addr engine;
    uint16_t path_len;
    bool held, announced, is_head, has_left, in_open, in_reading, fin_told, reading_file,
        told_to_wait, hooked, relayed; /* relayed: its body is not ours */
    struct relay *relay;               /* NULL: nobody outside answers it */
    struct aside *aside;               /* NULL: it is neither logged nor ruled */
    struct px_routes *held_routes;     /* what `match` points into, if it outlives the function */
    struct route_match match;
};

/* Stands between a request and its program, who said this by px_request_on: first in the element
 * that request.arg points to while `hooked`. It hands on what it does not deal with. */
struct hook {
    const struct px_request_events *events;
    void *arg;
};

enum request_state { WAITING, OPENING, SENDING, FINISHING, ANSWERED, ENDED, N_STATES };

/* A text in a message that is only read. */
static inline ProtobufCBinaryData text_bytes(const char *text)
{
    union {
        const char *text;
        uint8_t *bytes;
    } u = {.text = text};
    return (ProtobufCBinaryData){strlen(text), u.bytes};
}

/* ---- wiring.c ---- */
/* The contracts of this build. */
const struct px_contract *const *wiring_contracts(size_t *ret_n);
/* Services that can be placed in other processes; NULL past the last. */
const struct px_service *wiring_service_at(uint32_t index);
enum px_err wiring_add(struct px_system *system);
enum px_err wiring_upgrades(struct px_system *system);
/* The descriptor of a contract of this system; NULL: none has that number. */
const ProtobufCServiceDescriptor *contract_descriptor(const struct px_system *system,
                                                      unsigned number);

/* ---- host.c: the one file that knows the operating system's transport ---- */
enum px_err host_new(const struct px_system_config *config, struct host **ret_host);
void host_free(struct host *take_host);
const struct px_world *host_world(const struct host *host);
enum px_err host_attach(struct host *host, struct px_system *system, px_addr *ret_net,
                        px_addr *ret_file);
extern const struct px_service *const host_net_service;
/* Something waits for the next turn, whatever the descriptor says. */
bool host_is_due(const struct host *host);
int host_fd(const struct host *host);
/* Without port; "unix". */
void host_address_ip(const ProtobufCBinaryData *address, char *ret_text, size_t size,
                     uint16_t *ret_port);
enum px_err host_address_text(const ProtobufCBinaryData *address, char *ret_text, size_t size);

/* ---- system.c ---- */
enum px_err system_fail(struct px_system *system, enum px_err err, const char *what,
                        const char *why);
void system_turn(struct px_system *system, uint64_t wait_us);
/* The rest of starting, once the kernel runs: the state of the app mailbox. */
enum px_err system_app_start(struct px_system *system);

/* ---- server.c ---- */
/* Among the server's listeners: 0 for the first, and for one that is not known. */
uint32_t listener_index(const struct px_system *system, uint32_t tag);
void server_free(struct px_server *take_server);
enum px_err listener_open(struct px_system *system, const char *address,
                          const struct px_listen *options, const struct listener *proto,
                          const struct listener **ret_listener);
/* Asks net to listen; the slot says for whom. */
void listen_send(struct px_system *system, struct call *call, const char *address,
                 const struct px_listen *options, uint32_t slot);

/* ---- relisten.c ---- */
void listener_back(struct app *app, px_peer peer);

/* ---- app.c ---- */
extern const struct px_service px_app_service;
/* An outstanding call; NULL: calls_max are. */
struct call *call_new(struct app *app,
                      void (*fn)(struct app *app, const struct call *call,
                                 const struct px_msg *reply),
                      px_handle about);
void app_check_drained(struct app *app);

/* ---- request.c ---- */
void request_on_exchange(void *state, const struct px_msg *msg);
void request_on_credit(void *state, const struct px_msg *msg);
void request_on_cancel(void *state, const struct px_msg *msg);
void request_on_ended(void *state, const struct px_msg *msg);
void request_lost(struct app *app, px_peer from, px_handle tag);
void request_gone(struct app *app, px_peer peer);
/* The request of a handle, or NULL: stale. */
static inline struct request *request_of(struct px_request request)
{
    struct app *app = request.system->app;
    return app == NULL ? NULL : px_pool_own(&app->requests, request.handle);
}
static inline struct px_request request_handle(const struct request *r)
{
    return (struct px_request){r->app->system, r->self};
}
/* The request may still be answered: PX_EOK, PX_ESTALE or PX_ESTATE. */
/* The routes that answer it: those of its host. */
const struct px_routes *request_routes(const struct request *r);
enum px_err request_answerable(const struct request *r);
void request_move(struct request *r, enum request_state next);
/* Sends a message to the engine; the first that is lost ends the request, soon. */
void request_tell(struct request *r, uint16_t method, void *take_body);
void request_later(struct request *r, enum later_what what);
void request_cancel(struct request *r, enum px_status reason);
/* From now on `events` hear of it, with `hook` as their argument. */
void hook_set(struct request *r, struct hook *hook, const struct px_request_events *events);

/* ---- body.c ---- */
void body_on_data(void *state, const struct px_msg *msg);
void body_on_trailers(void *state, const struct px_msg *msg);
void body_flush_fin(struct request *r);
/* No more of it is wanted: the engine drains what still comes. */
void body_refuse(struct request *r);

/* ---- reply.c ---- */
/* Sends as much of the queue as there is credit for. */
void reply_pump(struct request *r);
/* The response is complete: the head is let go of. */
void reply_answered(struct request *r);
/* A response of our own: text/plain. */
void reply_simple(struct request *r, uint32_t status, const char *text);
/* Answers; without memory the request is given up. */
void reply_or_cancel(struct request *r, const struct px_reply *reply);
/* The error page of a status, with these fields; or a line of text. */
enum px_err reply_error(struct request *r, uint32_t status, const struct px_field *fields,
                        uint32_t n_fields);
/* `allow` NULL: without that field. */
void reply_allow(struct request *r, uint32_t status, const char *allow);

/* ---- reply_file.c ---- */
void file_read_more(struct request *r);

/* ---- routes.c ---- */
enum px_err routes_init(struct px_server *server);
void routes_done(struct px_server *server);

/* ---- status.c ---- */
const char *status_text(uint32_t status);

/* ---- aside.c ---- */
size_t aside_size(void);
/* Before anything is answered: a request that will be logged. False: no memory. */
bool aside_log(struct request *r);
/* A request of a ruled route: rules go before the function. */
void aside_rule(struct request *r);
/* OPTIONS that nobody routed may be a browser's question about another method. False: it is not,
 * or that route has nothing to say. */
bool aside_preflight(struct request *r, const struct px_routes *routes, struct px_text path);
/* `len` bytes of the request's body came, `fin` with the last. False: keep them from the program.
 */
bool aside_body(struct request *r, uint64_t len, bool fin);
/* A message is on its way to the engine. */
void aside_told(struct request *r, uint16_t method, void *body);
/* The engine has answered in our place. */
void aside_answered(struct request *r, uint32_t status, uint32_t body_len);
/* The end: logs it. */
void aside_end(struct request *r, enum px_status status);
/* A request that got no element was refused. */
void aside_log_busy(struct app *app, const struct px_msg *msg);

/* ---- refused.c ---- */
void refused_on_refused(void *state, const struct px_msg *msg);

/* ---- events.c, topic.c ---- */
void event_streams_stop(struct app *app);
size_t event_stream_size(void);
/* state.c: an element of app.wishes. */
size_t state_wish_size(void);

/* ---- form.c, form_collect.c ---- */
size_t form_size(void);
size_t form_whole_size(void);

/* ---- door.c ---- */
/* The mailbox of a program that answers requests as `name`; 0: nobody does now. */
px_addr door_outside(const struct px_system *system, const char *name);
/* The first of the mailboxes for services outside; 0: there are none. */
px_addr door_outside_first(const struct px_system *system);

/* ---- outside.c ---- */
size_t relay_size(void);
/* Has a request answered by the program that is mailbox `to`; 0: there is none, 503. */
void relay_start(struct request *r, px_addr to);
/* The request ends: so does what is beside it. */
void relay_end(struct request *r, enum px_status status);
void relay_gone(struct app *app, px_peer peer);
/* Was it about one of these? */
bool relay_lost(struct app *app, px_peer from, px_handle tag);
/* The engine has said this of a request that is `relayed`. */
void relay_body(struct request *r, const struct px_msg *msg, bool fin);
void relay_trailers(struct request *r, const struct px_msg *msg);
void relay_credit(struct request *r, uint32_t bytes);
void relay_on_inform(void *state, const struct px_msg *msg);
void relay_on_respond(void *state, const struct px_msg *msg);
void relay_on_data(void *state, const struct px_msg *msg);
void relay_on_trailers(void *state, const struct px_msg *msg);
void relay_on_credit(void *state, const struct px_msg *msg);
void relay_on_cancel(void *state, const struct px_msg *msg);

/* ---- stream.c ---- */
void stream_on_accepted(void *state, const struct px_msg *msg);
void stream_on_data(void *state, const struct px_msg *msg);
void stream_on_credit(void *state, const struct px_msg *msg);
void stream_on_closed(void *state, const struct px_msg *msg);
bool stream_lost(struct app *app, px_peer from, px_handle tag);
void stream_gone(struct app *app, px_peer peer);
void stream_stop(struct app *app);
size_t stream_size(void);

#endif
