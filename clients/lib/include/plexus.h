/** @file plexus.h
 * libplexus, the C API: a system is one kernel with the services it hosts, the network of the
 * operating system below them, and an application mailbox ("app") through which this API speaks for
 * you.
 *
 *     static void hello(struct px_request request, void *arg)
 *     {
 *         px_request_reply_text(request, 200, "Hello, World!\n");
 *     }
 *
 *     px_system_new(NULL, &sys);
 *     px_server_new(sys, NULL, &server);
 *     px_server_route(server, "GET", "/", hello, NULL);
 *     px_server_listen(server, "127.0.0.1:8080", NULL);
 *     px_run(sys);
 *
 * Rules for everything below, unless a function says otherwise:
 * - A system belongs to the thread that made it. Only px_system_post may be called from others.
 * - Nothing calls you back from inside a call of yours; callbacks come from px_run and px_dispatch.
 * - Requests and streams are handles passed by value. They may be used until px_system_free: one
 * whose end has come is answered PX_ESTALE (PX_SENT_STALE), never a crash.
 * - Strings and bytes given to a function are copied before it returns; those given to a callback
 * are borrowed until it returns.
 * - Times are microseconds where a name ends in _us and milliseconds where it ends in _ms. In
 *   configurations 0 takes the default in brackets.
 */
#ifndef PLEXUS_H
#define PLEXUS_H

#include <px/err.h>
#include <px/sul.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_contract;
struct px_env;
struct px_kernel;
struct px_ledger;
struct px_msg;
struct px_placement;
struct px_server;
struct px_service;
struct px_system;

/** Text that somebody else owns: not terminated by a zero. `ptr` is never NULL. */
struct px_text {
    const char *ptr; /**< the first byte */
    size_t len;      /**< bytes */
};

/** For "%.*s": the two arguments of a px_text. */
#define PX_TEXT_ARG(text) (int)(text).len, (text).ptr

/* ======================================================================================= system */

/** How to make a system. A zeroed one takes every default. */
struct px_system_config {
    /** Directories that px_request_reply_file may read below; paths that exist. Copied. */
    const char *const *file_roots;
    uint32_t n_file_roots;   /**< how many; 0..16 */
    uint32_t files_open_max; /**< files open at a time [1024] */
    uint32_t requests_max;   /**< HTTP requests under way at a time; further ones are answered 503
                                [65536] */
    uint32_t streams_max;    /**< px_streams at a time; further ones are reset [65536] */
    uint32_t calls_max;      /**< px_system_calls outstanding at a time [1024] */
    /** Gets each log line, without newline. `level`: 0 error (someone must act), 1 warning, 2
     * information, 3 debugging. NULL: standard error gets levels 0 and 1. Called from within any
     * function here. */
    void (*log)(void *arg, unsigned level, const char *line);
    void *log_arg; /**< first argument of `log` */
    /** Services in processes of their own; NULL: none. Copied. */
    const struct px_placement *placement;
};

/** Makes a system. `config` may be NULL. PX_ENOMEM; PX_EINVAL: a limit is out of range; PX_ENOENT:
 * a file root does not exist; PX_EIO: the operating system gave no epoll descriptor; PX_EEXIST: the
 * placement lists a service twice. */
PX_MUST_USE enum px_err px_system_new(const struct px_system_config *config,
                                      struct px_system **ret_system);

/** Ends a system at once: connections are reset, nothing is called back any more, all its handles
 * are invalid. Call px_stop first to let requests finish. Not from inside a callback. NULL is fine.
 */
void px_system_free(struct px_system *take_system);

/** What the last function that failed would like to add, one line ("127.0.0.1:80: permission
 * denied"). Never NULL; valid until the next call. Of NULL: that px_system_new failed. */
const char *px_system_error(const struct px_system *system);

/** A capability: a service may send messages of `contract` to `mailbox`. */
struct px_reach {
    const struct px_contract *contract; /**< of the receiver */
    const char *mailbox;                /**< name of the receiver; it must have been added before */
};

/** A service of your own, for px_system_add. Everything pointed to must outlive the system. */
struct px_addition {
    const struct px_service *service;           /**< see px/service.h */
    const char *mailbox;                        /**< its name; NULL: the service's */
    const void *config;                         /**< a message of service->config, or NULL */
    const struct px_contract *const *contracts; /**< what it answers; "app" may send it these */
    uint32_t n_contracts;                       /**< how many */
    const struct px_reach *reaches;             /**< whom it may speak to */
    uint32_t n_reaches;                         /**< how many */
};

/** Adds a service of your own, before the system is started. PX_ESTATE: it is; PX_EEXIST: the name
 * or a contract number is taken; PX_ENOENT: a mailbox in `reaches` is not there; PX_ELIMIT: 64
 * mailboxes. */
PX_MUST_USE enum px_err px_system_add(struct px_system *system, const struct px_addition *addition);

/** Starts every service. Done by the first px_server_listen, px_stream_listen, px_stream_connect,
 * px_system_call, px_run or px_dispatch; by hand it tells the error apart. Twice is fine. The error
 * of a service's init; PX_ECYCLE: services consume each other's streams in a circle; PX_EIO: a
 * domain does not serve, px_system_error says which and why; PX_ENOENT: a domain lists what is no
 * service. After an error the system can only be freed. */
PX_MUST_USE enum px_err px_system_start(struct px_system *system);

/** Runs the system until px_stop has ended, or px_break was called. PX_EOK, or what px_system_start
 * says. */
PX_MUST_USE enum px_err px_run(struct px_system *system);

/** Lets px_run return as soon as this turn is over (the next px_run at once, if none is running):
 * for what may not be done from inside a callback. Nothing is stopped; px_run again goes on. */
void px_break(struct px_system *system);

/** For embedding in another loop: a descriptor that polls readable when px_dispatch has something
 * to do. Starts the system. -1: it does not start. */
int px_system_fd(struct px_system *system);

/** For embedding: microseconds until px_dispatch must be called even if the descriptor stays
 * silent; 0: now; PX_NEVER: no limit. Ask again after each px_dispatch and each call of this API.
 */
uint64_t px_next_deadline_us(const struct px_system *system);

/** For embedding: does all there is to do now, without waiting. False: px_stop has ended, or the
 * system could not be started; there is nothing more to dispatch. */
bool px_dispatch(struct px_system *system);

/** Runs `fn(arg, data, len)` in the system's thread soon. The one function for any thread; the
 * system must not be freed meanwhile. `data` is copied. PX_ENOMEM; PX_ELIMIT: too much is posted
 * already. */
PX_MUST_USE enum px_err px_system_post(struct px_system *system,
                                       void (*fn)(void *arg, const void *data, size_t len),
                                       void *arg, const void *data, size_t len);

/** What runs when a watched descriptor can be read, or has failed. */
typedef void (*px_watch_fn)(struct px_system *system, int fd, void *arg);

/** Watches a descriptor of yours in the system's loop: a signalfd, a pipe, standard input. `fn`
 * runs as long as there is something to read: read it. Takes `take_fd`: it is closed with the
 * system. Starts the system. PX_ELIMIT: 16 are watched; PX_EIO: it cannot be watched (a plain
 * file); or the error of starting; then the descriptor stays yours. */
PX_MUST_USE enum px_err px_system_watch(struct px_system *system, int take_fd, px_watch_fn fn,
                                        void *arg);

/** What px_stop tells at the end. `drained` false: the deadline came first. */
typedef void (*px_stopped_fn)(struct px_system *system, bool drained, void *arg);

/** Stops: listening ends, requests under way may finish until the deadline, then `fn` (or NULL) is
 * called and px_run returns. Event streams end in order. Also from callbacks. A second call only
 * brings the deadline forward.
 */
void px_stop(struct px_system *system, uint64_t deadline_us, px_stopped_fn fn, void *arg);

/** The kernel below: for tests and figures (px/kernel.h). */
struct px_kernel *px_system_kernel(struct px_system *system);

/** The ledger of the kernel: deliveries, allocations, what is queued and held (px/kernel.h). */
void px_system_ledger(const struct px_system *system, struct px_ledger *ret_ledger);

/* ======================================================================================= timers */

struct px_timer;

/** What runs when a timer fires. It may set the same timer again, or free what embeds it. */
typedef void (*px_timer_fn)(struct px_timer *timer, void *arg);

/** A timer: embed it where it belongs, zeroed. The fields are the library's. */
struct px_timer {
    struct px_sul sul;        /**< not yours */
    struct px_system *system; /**< not yours */
    px_timer_fn fn;           /**< not yours */
    void *arg;                /**< not yours */
};

/** Calls `fn` once, `in_us` from now; a timer that is set is moved. Starts the system; the error of
 * that. */
enum px_err px_timer_set(struct px_system *system, struct px_timer *timer, uint64_t in_us,
                         px_timer_fn fn, void *arg);

/** Takes a timer back; one that is not set is fine. */
void px_timer_cancel(struct px_timer *timer);

/* ==================================================================== calling services of yours */

/** The environment of the "app" mailbox: what px_msg_new and the other functions of px/msg.h want.
 * NULL before the system is started. */
struct px_env *px_system_env(struct px_system *system);

/** The one final reply: `reply->status` and, if it is PX_OK, `reply->body` and the payload.
 * Borrowed. */
typedef void (*px_reply_fn)(struct px_system *system, const struct px_msg *reply, void *arg);

/** Calls a method of a service. `take_body` was made with px_msg_new(px_system_env(system), ...)
 * and is gone afterwards, also after an error. `fn` is called exactly once if this returns PX_EOK:
 * with the service's answer, or TIMED_OUT after `deadline_us` from now (PX_NEVER: none), DENIED,
 * NO_MEMORY, SERVICE_GONE. PX_ENOENT: no such mailbox; PX_ELIMIT: calls_max are outstanding. */
PX_MUST_USE enum px_err px_system_call(struct px_system *system, const char *mailbox,
                                       uint16_t method, void *take_body, uint64_t deadline_us,
                                       px_reply_fn fn, void *arg);

/* ================================================================================= HTTP: server */

/** A protocol that requests may be upgraded to (RFC 9110 7.8). */
struct px_upgrade {
    const char *token; /**< as in the Upgrade field, lower case ("websocket") */
    const char
        *mailbox; /**< the service that adopts the stream; added before the system is started */
};

/** Limits of an HTTP server. A zeroed one takes every default; each limit's answer is beside it. */
struct px_server_config {
    uint32_t connections_max;      /**< per listener; further ones are closed at once [10000] */
    uint32_t connections_peer_max; /**< per peer address (IPv6: /64) and listener; closed at once
                                      [1024] */
    uint32_t requests_max;         /**< on one connection; the last is answered with close [1000] */
    uint32_t idle_ms;              /**< between requests; the connection is closed [75000] */
    uint32_t head_ms;              /**< from the first byte of a head to its end; 408 [10000] */
    uint32_t write_ms;         /**< nothing of a response was taken for so long; reset [30000] */
    uint32_t body_rate_min;    /**< of a request body after 5 s, bytes a second; 408 [240] */
    uint64_t body_max;         /**< bytes of a request body; 413 [no limit] */
    uint32_t request_line_max; /**< bytes; 414 [8192] */
    uint32_t header_line_max;  /**< bytes; 431 [8192] */
    uint32_t headers_len_max;  /**< bytes of all header lines; 431 [32768] */
    uint32_t headers_max;      /**< fields; 431 [100] */
    uint32_t pipeline_max;     /**< requests of a connection read ahead of their answers [16] */
    uint32_t
        send_queue_max; /**< bytes of one body that wait to be sent before PX_SENT_FULL [65536] */
    const char *server_name;           /**< value of the Server field; NULL: none. Copied. */
    const struct px_upgrade *upgrades; /**< protocols; must outlive the system */
    uint32_t n_upgrades;               /**< how many; 0..8 */
};

/** The HTTP server of a system; it is freed with it. `config` may be NULL. Before the system is
 * started. PX_EEXIST: there is one already; PX_ESTATE: the system is started; PX_EUNSUPPORTED: this
 * build has no HTTP service; PX_ENOMEM; PX_EINVAL: a limit is out of range. */
PX_MUST_USE enum px_err px_server_new(struct px_system *system,
                                      const struct px_server_config *config,
                                      struct px_server **ret_server);

/** Options of one listener. */
struct px_listen {
    uint32_t backlog;   /**< connections the operating system queues [4096] */
    bool reuse_port;    /**< share the port with others that do the same */
    bool v6only;        /**< an IPv6 address takes no IPv4 connections */
    uint32_t unix_mode; /**< permission bits of a unix socket's path [0600] */
    /** HTTP: connections through this listener; further ones are closed at once [those of the
     * server's configuration] */
    uint32_t connections_max;
    uint32_t connections_peer_max; /**< of one peer address (IPv6: /64); so too */
};

/** Listens on "127.0.0.1:8080", "[::1]:8080", "[::]:80" (IPv4 too), "unix:/path" or
 * "unix:@abstract"; port 0 is any free one. "fd:3" is a socket that somebody listens on already, as
 * socket activation passes it: a copy is used, and stays what it is. `options` may be NULL. Starts
 * the system; also while it runs, but not from inside a callback (px_break). The listener gets the
 * lowest index that is free. PX_EEXIST: the address is taken; PX_EDENIED: a privileged port;
 * PX_EINVAL: not an address, nor a socket that listens; PX_ENOENT: no such interface address or
 * descriptor; PX_ELIMIT: 64 listeners; or the error of starting. */
PX_MUST_USE enum px_err px_server_listen(struct px_server *server, const char *address,
                                         const struct px_listen *options);

/** Ends listening: connections that wait to be accepted are accepted first, and open ones stay.
 * Also from callbacks. Other listeners keep their index; this one is free again. PX_ENOENT: no such
 * listener; PX_ELIMIT: too many calls are outstanding. */
PX_MUST_USE enum px_err px_server_unlisten(struct px_server *server, uint32_t index);

/** The address that listener `index` (from 0, see px_server_listen) is bound to, with its real
 * port. NULL: there is none. Valid until the listener ends. */
const char *px_server_address(const struct px_server *server, uint32_t index);

/* ================================================================================= HTTP: routes */

/** A request under way: a handle, passed by value. Valid until `ended`, stale afterwards. One that
 * is answered whole in its route's function, and that nobody asked to hear of (px_request_on), is
 * stale once that function has returned. */
struct px_request {
    struct px_system *system; /**< whose it is */
    uint64_t handle;          /**< not yours */
};

/** Answers a request now, or later: the handle stays good. Its head may be read until it returns,
 * and until the response is complete if it did not complete it. Not answering at all is possible:
 * the client then waits. */
typedef void (*px_route_fn)(struct px_request request, void *arg);

/** Adds a route: requests of `method` ("GET", or "*" for any) whose path matches `pattern` go to
 * `fn`.
 *
 * A pattern is a path. Between slashes stands a literal, or ":name" for any one segment that is not
 * empty, or, last of all, "*name" for whatever remains (it may be empty or contain slashes). "/a"
 * and "/a/" are two paths. When several patterns match, segments are compared from the left and the
 * more specific wins: literal, then ":name", then "*name"; if that leads to no route, the next is
 * tried.
 *
 * Before matching the path is normalised, once: percent-escapes are decoded, then "." and ".."
 * segments are removed (".." above the root stays at the root). "%2F" and "%00" are refused with
 * 400, so that a slash means the same to everybody; a malformed escape too. The query is not
 * touched.
 *
 * No pattern matches: 404. One does, but not for this method: 405 with Allow. HEAD is answered by
 * GET's route, without the body. OPTIONS, unless routed, is answered 204 with Allow.
 *
 * Also while running. PX_EINVAL: not a pattern, or longer than 1024 bytes, 32 segments or 8 names;
 * PX_EEXIST: this method and pattern are routed already; PX_ENOMEM. */
PX_MUST_USE enum px_err px_server_route(struct px_server *server, const char *method,
                                        const char *pattern, px_route_fn fn, void *arg);

/* ============================================================================ HTTP: the request */

/** The method as sent ("GET", "HEAD"). Empty if the head is gone. */
struct px_text px_request_method(struct px_request request);
/** The normalised path (see px_server_route), without the query. */
struct px_text px_request_path(struct px_request request);
/** What stands behind '?', as sent; empty: nothing or no '?'. */
struct px_text px_request_query(struct px_request request);
/** Host and optional port. */
struct px_text px_request_authority(struct px_request request);
/** What matched ":name" or "*name" of the route's pattern; empty: no such name. */
struct px_text px_request_param(struct px_request request, const char *name);
/** The first header field of that name (any case). False: there is none; `ret_value` is untouched.
 */
bool px_request_field(struct px_request request, const char *name, struct px_text *ret_value);
/** Walks the header fields: `*cursor` starts at 0. False: no more. Names are in lower case. */
bool px_request_field_next(struct px_request request, size_t *cursor, struct px_text *ret_name,
                           struct px_text *ret_value);
/** The same as px_request_field for the trailers, once the body has ended. */
bool px_request_trailer(struct px_request request, const char *name, struct px_text *ret_value);
/** The first query parameter of that name, decoded ("%41" and "+") into `ret_value`,
 * zero-terminated.
 * `*ret_len` (may be NULL) is its length without the zero. PX_ENOENT: none; PX_ELIMIT: longer than
 * `size` - 1; PX_EINVAL: a malformed escape or a zero byte; PX_ESTALE. */
enum px_err px_request_query_param(struct px_request request, const char *name, char *ret_value,
                                   size_t size, size_t *ret_len);
/** Writes the client's address as text ("127.0.0.1:5000", "[::1]:5000", "unix") into `ret_text`,
 * cut to `size` and zero-terminated. PX_ESTALE: the head is gone. */
enum px_err px_request_remote(struct px_request request, char *ret_text, size_t size);
/** Which listener it came in through: its index. */
uint32_t px_request_listener(struct px_request request);
/** Does a body follow, or is it under way? */
bool px_request_has_body(struct px_request request);
/** The length the client declared for the body. False: not known (chunked), or stale. */
bool px_request_length(struct px_request request, uint64_t *ret_len);

/** What may happen to a request. Each may be NULL. */
struct px_request_events {
    /** Bytes of the request body, `fin` with the last (which may be none). Settle them when they
     * are dealt with (px_request_settle): only then more come. */
    void (*body)(struct px_request request, void *arg, const void *data, size_t len, bool fin);
    /** After PX_SENT_QUEUED or PX_SENT_FULL: the queue of the response is empty again. */
    void (*drained)(struct px_request request, void *arg);
    /** The last: PX_OK if both messages went through, else why not. The handle is stale after
     * return. */
    void (*ended)(struct px_request request, void *arg, enum px_status status);
};

/** Says who hears of a request; `events` must outlive it. Replaces what was said before. */
enum px_err px_request_on(struct px_request request, const struct px_request_events *events,
                          void *arg);

/** Begins to take the request body: at most `window` bytes (512..2^30; 0: 65536) are under way or
 * unsettled at a time. A client that waits for 100 (Continue) gets it now. PX_ESTATE: begun
 * already. */
enum px_err px_request_read(struct px_request request, uint32_t window);
/** `len` bytes of the body are dealt with, in order of arrival: as many more may come. PX_EINVAL:
 * so many did not arrive. */
enum px_err px_request_settle(struct px_request request, size_t len);

/** Gets the whole body. `data` is borrowed; it has `len` bytes. */
typedef void (*px_collected_fn)(struct px_request request, void *arg, const void *data, size_t len);
/** Takes the whole body, then calls `fn`; instead of px_request_read and `body`. A body longer than
 * `len_max` (1..16 MiB) is answered 413 and `fn` is not called; nor is it if the client goes.
 * PX_ESTATE: the body is being taken already; PX_EINVAL. */
enum px_err px_request_collect(struct px_request request, size_t len_max, px_collected_fn fn,
                               void *arg);

/* =========================================================================== HTTP: the response */

/** A header field of a response. */
struct px_field {
    const char *name;  /**< a token; sent in lower case by HTTP/2 */
    const char *value; /**< no CR, LF or zero */
};

/** The head of a response, and what it may carry. Fields that belong to the connection (Connection,
 * Transfer-Encoding, Content-Length, Date) are not yours to send: PX_EINVAL. */
struct px_reply {
    uint32_t status;               /**< 200..999 [200] */
    const char *content_type;      /**< NULL: none */
    const struct px_field *fields; /**< further fields */
    uint32_t n_fields;             /**< how many; 0..64 */
    const void *body;              /**< px_request_reply: the body. px_request_begin: not used */
    size_t body_len;               /**< bytes of `body`, up to 16 MiB */
    bool has_length;               /**< px_request_begin: the length of the body is known ... */
    uint64_t length;               /**< ... and this, bytes */
};

/** Answers a request: head and whole body. PX_ESTALE; PX_ESTATE: it is answered already; PX_EINVAL:
 * a status, field or length is out of range; PX_ENOMEM. May be ignored: `ended` tells the outcome.
 */
enum px_err px_request_reply(struct px_request request, const struct px_reply *reply);
/** The same for a line of text/plain. */
enum px_err px_request_reply_text(struct px_request request, uint32_t status, const char *text);

/** A response made once and sent many times: its body is shared, not copied. */
struct px_ready;
/** Makes one. Starts the system. It is freed with the system, or by px_ready_free. PX_EINVAL,
 * PX_ENOMEM. */
PX_MUST_USE enum px_err px_ready_new(struct px_system *system, const struct px_reply *reply,
                                     struct px_ready **ret_ready);
/** Frees one; responses under way are not disturbed. NULL is fine. */
void px_ready_free(struct px_ready *take_ready);
/** Answers a request with it; as px_request_reply. */
enum px_err px_request_reply_ready(struct px_request request, const struct px_ready *ready);

/** A file as a response. A directory as part of a site: px_files_serve (plexus/files.h). */
struct px_file_reply {
    uint32_t root;            /**< index in px_system_config.file_roots */
    struct px_text path;      /**< below the root, without '/' in front; never leaves the root */
    const char *content_type; /**< NULL: none */
    const struct px_field *fields; /**< further fields */
    uint32_t n_fields;             /**< how many; 0..64 */
    const char *index; /**< file to send for a path that is empty or ends in '/'; NULL: 404 */
};
/** Answers with a file: 200 and its bytes, or what the client's conditions and ranges ask for (304,
 * 412, 206, 416; see plexus/files.h), unless `fields` has an ETag, Last-Modified, Accept-Ranges or
 * Content-Range of yours; 301 to the same path with '/' if it is a directory; 404 if it is missing
 * or not readable; 503 if too many are open. Errors as px_request_reply. */
enum px_err px_request_reply_file(struct px_request request, const struct px_file_reply *reply);

/** What became of bytes given away to be sent. */
enum px_sent {
    PX_SENT_OK,      /**< on the way */
    PX_SENT_QUEUED,  /**< taken, and kept until the receiver has room: `drained` will tell */
    PX_SENT_FULL,    /**< not taken: as many as allowed are kept already; `drained` will tell */
    PX_SENT_STALE,   /**< not taken: it has ended */
    PX_SENT_REFUSED, /**< not taken: not begun, finished, beyond the length, over 1 MiB, or no
                        memory */
};

/** Sends an interim response: `status` 102..199, not 101; before the response. */
enum px_err px_request_inform(struct px_request request, uint32_t status,
                              const struct px_field *fields, uint32_t n_fields);
/** Sends the head of a response whose body follows by px_request_send. Errors as px_request_reply.
 */
enum px_err px_request_begin(struct px_request request, const struct px_reply *reply);
/** Sends bytes of the body (up to 1 MiB). At any time between begin and finish. */
enum px_sent px_request_send(struct px_request request, const void *data, size_t len);
/** Ends the body, with trailers or none. PX_ESTATE: not begun, finished already, or bytes of the
 * declared length are missing; then the response is broken off as far as the client can tell. */
enum px_err px_request_finish(struct px_request request, const struct px_field *trailers,
                              uint32_t n_trailers);
/** Gives up: the connection (HTTP/1) is closed without a proper end. `ended` still comes. */
enum px_err px_request_abort(struct px_request request);

/* ====================================================================================== streams */

/** A stream over tcp or a unix socket: a handle, passed by value. */
struct px_stream {
    struct px_system *system; /**< whose it is */
    uint64_t handle;          /**< not yours */
};

/** What may happen to a stream. Each may be NULL. */
struct px_stream_events {
    /** It is open (accepted, or connected). `arg` is that of the listener or of px_stream_connect.
     */
    void (*opened)(struct px_stream stream, void *arg);
    /** Bytes; settle them when they are dealt with (px_stream_settle): only then more come. */
    void (*data)(struct px_stream stream, void *arg, const void *data, size_t len);
    /** The far end sends no more; we still may. */
    void (*fin)(struct px_stream stream, void *arg);
    /** After PX_SENT_QUEUED or PX_SENT_FULL: the queue is empty again. */
    void (*drained)(struct px_stream stream, void *arg);
    /** The last: PX_OK if both directions ended in order, else why not; for px_stream_connect also
     * why it could not be opened. The handle is stale after return. */
    void (*closed)(struct px_stream stream, void *arg, enum px_status status);
};

/** Accepts streams on an address; errors and options as px_server_listen. `events` must outlive the
 * system. Not from inside a callback. */
PX_MUST_USE enum px_err px_stream_listen(struct px_system *system, const char *address,
                                         const struct px_listen *options,
                                         const struct px_stream_events *events, void *arg);
/** The address the last px_stream_listen is bound to. "" before the first. Valid until the next. */
const char *px_stream_address(const struct px_system *system);
/** Opens a stream to an address; `opened` or `closed` follows. PX_ENOMEM; PX_ELIMIT: streams_max
 * are open. */
PX_MUST_USE enum px_err px_stream_connect(struct px_system *system, const char *address,
                                          const struct px_stream_events *events, void *arg,
                                          struct px_stream *ret_stream);
/** Replaces `arg` of a stream's events. */
enum px_err px_stream_set_arg(struct px_stream stream, void *arg);
/** Sends bytes (up to 1 MiB). At any time. */
enum px_sent px_stream_send(struct px_stream stream, const void *data, size_t len);
/** `len` bytes are dealt with: as many more may come. SIZE_MAX: all that came. PX_EINVAL: so many
 * did not come. */
enum px_err px_stream_settle(struct px_stream stream, size_t len);
/** Ends our direction behind what was sent; the other one stays open. */
enum px_err px_stream_finish(struct px_stream stream);
/** Ends the stream: what was sent still goes out, what arrives is discarded. `closed` follows. */
enum px_err px_stream_close(struct px_stream stream);
/** Breaks the stream off. `closed` follows. */
enum px_err px_stream_reset(struct px_stream stream);

#ifdef __cplusplus
}
#endif

#include <plexus/door.h>
#include <plexus/events.h>
#include <plexus/files.h>
#include <plexus/form.h>
#include <plexus/placement.h>
#include <plexus/rules.h>
#include <plexus/state.h>

#endif
