/** @file rules.h
 * Sets of routes that are put in force at once, rules that routes are served by, and the log of
 * what was served. Included by <plexus.h>; its rules hold here too.
 *
 * What a server does with a request is said by its set of routes. px_server_route adds to the set
 * in force; px_routes_new makes another one aside, and px_server_use puts that in force, between
 * two requests, in place of the old one: no request sees a mixture, none is lost or delayed.
 */
#ifndef PLEXUS_RULES_H
#define PLEXUS_RULES_H

#include <plexus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================ HTTP: rules */

/** What a header rule does to the fields of every response of a route. */
enum px_header_act {
    PX_HEADER_SET,    /**< the field has this value, whatever it was */
    PX_HEADER_ADD,    /**< one more field of that name */
    PX_HEADER_REMOVE, /**< no field of that name */
};

/** A header rule. Rules are carried out in their order, on the fields that the route's function or
 * the library itself gave; what the connection needs (Content-Length, Date ...) is not in reach. */
struct px_header_rule {
    enum px_header_act act; /**< what is done */
    const char *name;       /**< a token, any case; not of the connection (see struct px_reply) */
    const char *value;      /**< no CR, LF or zero; PX_HEADER_REMOVE: not used */
};

/** A limit of requests per peer: a token bucket for each address (IPv6: for each /64; a unix socket
 * has no limit). */
struct px_rate_config {
    uint32_t requests; /**< tokens that come in ... 1..1000000 */
    uint32_t per_ms;   /**< ... in so long, evenly; up to a day, at least 1 µs a token [1000] */
    uint32_t burst;    /**< tokens a bucket holds, full at first; 1..1000000 [requests] */
    /** Buckets kept, 16 bytes each, rounded up to a power of two; 1..2^24 [65536]. When more peers
     * than that are active at once those nearest to a full bucket are forgotten, so start afresh.
     */
    uint32_t peers_max;
};

/** A rate, shared by any number of routes of one system: they draw from the same buckets. */
struct px_rate;

/** Makes one. PX_EINVAL: out of range; PX_ENOMEM. */
PX_MUST_USE enum px_err px_rate_new(const struct px_rate_config *config, struct px_rate **ret_rate);

/** Lets go of one; routes that have it keep it. NULL is fine. */
void px_rate_free(struct px_rate *take_rate);

/** Who may use a route: basic authentication (RFC 7617). Passwords travel readable, so only over
 * TLS or where nobody listens. */
struct px_auth_config {
    const char *realm; /**< what the client shows; up to 128 of printable ASCII but '"' and '\\'
                            [restricted] */
    /** Lines "name:hash", as htpasswd -B and mkpasswd make them; empty lines and those that begin
     * with '#' are skipped. Up to 10000. A hash is one of crypt(3): yescrypt, scrypt, bcrypt,
     * SHA-512 or SHA-256; readable passwords and weaker hashes are refused. */
    const char *users;
    size_t users_len; /**< bytes */
    /** Verifications at a time, under way or waiting; 503 with Retry-After beyond; 1..1024 [64] */
    uint32_t pending_max;
    uint32_t cache_max; /**< credentials remembered as right; 1..65536 [1024] */
    uint32_t cache_s;   /**< for so long; up to a day [300] */
};

/** Users and what is known of them; shared by any number of routes of its system.
 *
 * A hash that is worth something takes a tenth of a second on purpose: it is computed in a thread
 * of its own, one at a time, and requests wait. Requests with the same credentials wait for the
 * same computation. Credentials that were right are remembered for cache_s as a keyed hash, whose
 * key is drawn anew in every process, and are known again without delay. A name that does not exist
 * takes as long as one that does. Who tries passwords slows down every login that is not
 * remembered: give such routes a rate as well, it goes first. */
struct px_auth;

/** Makes one. PX_EINVAL: out of range, or a line of `users` is at fault: px_system_error says which
 * and why ("line 3: expected name:hash"); PX_ENOMEM. */
PX_MUST_USE enum px_err px_auth_new(struct px_system *system, const struct px_auth_config *config,
                                    struct px_auth **ret_auth);

/** Replaces the users; from now on only the new ones are right. An error leaves the old ones.
 * Errors as px_auth_new. Not after px_system_free. */
PX_MUST_USE enum px_err px_auth_users(struct px_auth *auth, const char *users, size_t users_len);

/** Lets go of one; routes that have it keep it. The last one waits for a computation under way.
 * NULL is fine. */
void px_auth_free(struct px_auth *take_auth);

/** The name that a request's credentials have proved; empty: its route asks for none. */
struct px_text px_request_user(struct px_request request);

/** Who may use a route from a page of another origin (CORS). Not for same-origin pages, nor for
 * anything but browsers: they take it from there. */
struct px_cors {
    /** 1..64 of "https://a.example" or "http://a.example:8080" (scheme and host in lower case, no
     * path), "null", or "*" for any; others are told nothing, and get 403 for a preflight. */
    const char *const *origins;
    uint32_t n_origins;  /**< how many */
    const char *methods; /**< "GET, PUT"; NULL: those routed for the path */
    /** Fields a page may set beyond the safelisted: "x-a, x-b", or "*" for what is asked for;
     * NULL: none */
    const char *headers;
    const char *expose; /**< fields a page may read beyond the safelisted: "x-a, x-b"; NULL: none */
    uint32_t max_age_s; /**< how long a browser keeps the answer to a preflight; up to a day
                           [not said: 5 s] */
    bool credentials;   /**< with cookies and authentication; not with the origin "*" */
};

/** How a route is served. A zeroed one changes nothing. Everything is copied. */
struct px_rules {
    /** Answers by itself, when px_route_fn is NULL: `status` (200..599) [200; 302 with `redirect`]
     * with `text` or a redirect. 3xx with `redirect`: 301, 302, 303, 307 or 308. */
    uint32_t status;
    const char *text;         /**< body; NULL: the error page of the status, or its name */
    const char *content_type; /**< of `text` [text/plain; charset=utf-8] */
    /** Where to go instead, up to 2048 bytes: begins with "/" or "scheme://host". In it stand
     * for: "{name}" what matched ":name" or "*name" of the pattern, "{/path}" the whole path,
     * "{?query}" the query with its "?", or nothing if there is none, "{host}" the host that was
     * asked for, without port. What is put in is percent-encoded as a path is; it never becomes
     * part of the host: between "://" and the next "/" only text and "{host}" may stand
     * ("{?query}" if the place ends with it), and a place that begins with "/" never begins with
     * "//". The whole is at most 8192 bytes; longer: 414. */
    const char *redirect;
    const struct px_header_rule *headers; /**< on responses */
    uint32_t n_headers;                   /**< how many; 0..32 */

    struct px_rate *rate; /**< requests per peer; beyond: 429 with Retry-After. NULL: no limit */
    /** Pages of other origins; NULL: not allowed. A preflight (OPTIONS that asks about a method of
     * this route) is answered by the library, Access-Control fields of the route's function are
     * replaced. */
    const struct px_cors *cors;
    struct px_auth *auth; /**< who may; others get 401. NULL: anybody */
    uint64_t body_max;    /**< bytes of a request body, if less than the server's; 413 [no limit] */
    /** From the head to the end of the request's body, 408; if the response has begun it is broken
     * off [no limit] */
    uint32_t body_ms;
    /** From the head to the beginning of the response, then the library answers 503 and what the
     * program answers is PX_ESTATE [no limit] */
    uint32_t answer_ms;
};

/** The same as px_server_route, served by `rules` (NULL: none). `fn` may be NULL if the rules
 * answer by themselves. PX_EINVAL also: a rule is out of its range, or names what the pattern has
 * not. */
PX_MUST_USE enum px_err px_server_route_with(struct px_server *server, const char *method,
                                             const char *pattern, px_route_fn fn, void *arg,
                                             const struct px_rules *rules);

/* ======================================================================= HTTP: sets of routes */

/** A set of routes, not in force, of no thread and no system. */
struct px_routes;

/** Makes an empty set. PX_ENOMEM. */
PX_MUST_USE enum px_err px_routes_new(struct px_routes **ret_routes);

/** Frees a set that was never given to px_server_use. NULL is fine. */
void px_routes_free(struct px_routes *take_routes);

/** Adds a route, as px_server_route_with. */
PX_MUST_USE enum px_err px_routes_add(struct px_routes *routes, const char *method,
                                      const char *pattern, px_route_fn fn, void *arg,
                                      const struct px_rules *rules);

/** The routes of one virtual host in a set, made if need be; part of the set, freed with it.
 *
 * `host` is a name without port ("example.com"), any case, or "*." and a name, which stands for
 * every host below that name at any depth, not for the name itself. A request goes to the routes of
 * the host it names: those of the exact name, else of the longest "*." that fits, else to those of
 * the set itself. There is no falling back: a host whose routes do not match is 404. PX_EINVAL: not
 * a host name, or `routes` is a host's already; PX_ELIMIT: 1024 hosts; PX_ENOMEM. */
PX_MUST_USE enum px_err px_routes_host(struct px_routes *routes, const char *host,
                                       struct px_routes **ret_routes);

/** The body of every error of that status (400..599) which the library answers in the set's name or
 * the program by px_request_reply_error: 404 and 405, a limit, a missing file. A host without a
 * page of its own takes that of its set. What the engine refuses before there is a request (a head
 * that is malformed, too long or too late) is not reached. Replaces one that is there. `body`: up
 * to 1 MiB, copied. PX_EINVAL; PX_ELIMIT: 64 pages; PX_ENOMEM. */
PX_MUST_USE enum px_err px_routes_error_page(struct px_routes *routes, uint32_t status,
                                             const char *content_type, const void *body,
                                             size_t body_len);

/** Says what to call when nothing of the set can be called any more: it is out of force, and every
 * request of it has ended; or the system is freed. The place to free what the routes' `arg` point
 * to. */
void px_routes_on_freed(struct px_routes *routes, void (*fn)(void *arg), void *arg);

/** Puts a set in force in place of the one before, which lives on until its last request has ended.
 * At any time, also from callbacks. px_server_route adds to the set in force. */
void px_server_use(struct px_server *server, struct px_routes *take_routes);

/** Answers with an error of the library's: the error page of `status` (400..599) if there is one,
 * else a line of text. `status` out of that range: PX_EINVAL. Errors as px_request_reply. */
enum px_err px_request_reply_error(struct px_request request, uint32_t status);

/* =============================================================================== HTTP: health */

/** Answers 200 "serving" until px_server_drain or px_stop, then 503 "draining"; not to be cached. A
 * px_route_fn: `arg` is not used. */
void px_health(struct px_request request, void *arg);

/** Routes GET of `pattern` to px_health. Errors as px_server_route. */
PX_MUST_USE enum px_err px_server_health(struct px_server *server, const char *pattern);

/** From now on px_health says 503; all else goes on as before. For a balancer that should look
 * elsewhere before px_stop ends listening. */
void px_server_drain(struct px_server *server);

/* ================================================================================== HTTP: log */

/** One exchange that has ended, or a request that never became one: what the engine itself has
 * answered, because the head was malformed (400, 417, 501, 505), too long (414, 431) or too late
 * (408), the body announced was too long (413), or an upgrade not possible (503). Of such a request
 * no more is known than the beginning of its first line, up to 256 bytes; there it is not certain
 * that the target holds no spaces or control characters: escape it. Texts are borrowed until
 * return; empty: there was none. */
struct px_log_record {
    uint64_t id;           /**< the number of the request, from 1: px_request_id */
    struct px_text remote; /**< address of the client, without port; "unix" */
    uint32_t remote_port;  /**< its port; 0: a unix socket */
    uint32_t listener;     /**< which it came in through: 0 for the first */
    uint32_t version;      /**< of HTTP: 10, 11 or 20; refused by the engine: what the line says, as
                                93 for 9.3, or 0 */
    uint32_t status; /**< of the response, which may be the engine's (400, 408, 413, 431); 0: none
                          was sent */
    enum px_status ended;   /**< PX_OK: both messages went through; else why not */
    struct px_text method;  /**< as sent: a token */
    struct px_text target;  /**< as sent: path and query, or "*"; refused by the engine: what of the
                                 line is neither method nor version */
    struct px_text host;    /**< host and optional port */
    struct px_text user;    /**< who has shown to be who (struct px_auth) */
    struct px_text referer; /**< the Referer field, as sent */
    struct px_text agent;   /**< the User-Agent field, as sent */
    int64_t start_wall_us;  /**< when the head was complete, or refused: µs since 1970-01-01 UTC */
    uint64_t first_byte_us; /**< from then until the head of the response went out; PX_NEVER: no
                                 response */
    uint64_t end_us;        /**< from then until the end */
    uint64_t body_len;      /**< bytes of the response's body that were handed to the connection */
};

/** Gets a record. Not from inside a call of yours. */
typedef void (*px_log_fn)(const struct px_log_record *record, void *arg);

/** Calls `fn` once for each request that ends from now on, if it began after this call; those
 * answered 503 because requests_max are under way, or by the engine before there was a request,
 * too. A connection ends with the latter, so it has at most one of them. What px_system_free cuts
 * off is not told, nor what engines answer while the application is not there. Without memory to
 * keep a record a request is answered 503. NULL: no more. */
void px_server_log(struct px_server *server, px_log_fn fn, void *arg);

/** The number that the log will know a request by; 0: nobody logs, or stale. */
uint64_t px_request_id(struct px_request request);

#ifdef __cplusplus
}
#endif

#endif
