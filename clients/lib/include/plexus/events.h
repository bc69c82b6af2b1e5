/** @file plexus/events.h
 * Server-sent events (WHATWG HTML 9.2): a response that goes on, made of events, for EventSource in
 * a browser. One request becomes one stream; a topic hands each event to all its subscribers
 * without copying it.
 *
 *     static void on_get(struct px_request request, void *topic)
 *     {
 *         px_events_begin(request, NULL);
 *         px_topic_subscribe(topic, request, NULL);
 *     }
 *     ...
 *     px_topic_publish(topic, &(struct px_event){.data = "12:00", .data_len = 5});
 *
 * What happens to the stream is told as for every request, by px_request_on: `drained` when all
 * that waited has gone, `ended` at the end. A client that takes nothing for write_ms (struct
 * px_server_config) is reset, whatever the policy. px_stop ends event streams in order, and those
 * that begin afterwards at once. The rules in plexus.h hold here too.
 */
#ifndef PLEXUS_EVENTS_H
#define PLEXUS_EVENTS_H

#include <plexus.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Limits; one past each is told PX_SENT_REFUSED or PX_ELIMIT. */
enum {
    PX_EVENT_LEN_MAX = 1 << 20,      /**< bytes of one event as it is sent */
    PX_EVENT_NAME_MAX = 128,         /**< bytes of its name */
    PX_EVENT_ID_MAX = 128,           /**< bytes of its id */
    PX_EVENTS_TOPICS_MAX = 4,        /**< topics one stream is subscribed to at a time */
    PX_TOPIC_REPLAY_MAX = 4096,      /**< events a topic keeps */
    PX_TOPIC_KEPT_LEN_MAX = 16 << 20 /**< bytes it keeps */
};

/** One event. A zeroed member is left out. */
struct px_event {
    const char *name;  /**< its type, for addEventListener; no CR or LF; NULL: "message" */
    const char *id;    /**< what a client that reconnects will send as Last-Event-ID; no CR or LF;
                          "" makes it forget the last one */
    const void *data;  /**< UTF-8; lines may end in CR, LF or CRLF, which all arrive as LF. NULL:
                          nothing is dispatched, only `id` and `retry_ms` count */
    size_t data_len;   /**< bytes of `data` */
    uint32_t retry_ms; /**< how long the client waits before it reconnects; 0: as it was */
};

/** What is done with a new event when as much as allowed waits already (`queue_max`). */
enum px_events_policy {
    PX_EVENTS_BLOCK,       /**< it is not taken: PX_SENT_FULL, and `drained` will tell */
    PX_EVENTS_DROP_NEWEST, /**< it is dropped: PX_SENT_FULL */
    PX_EVENTS_DROP_OLDEST, /**< those that wait longest are dropped for it; never one whose first
                              byte is gone */
    PX_EVENTS_CLOSE,       /**< the stream is broken off: PX_SENT_FULL, then `ended` (LIMIT) */
};

/** How to begin a stream. A zeroed one takes every default. */
struct px_events_config {
    uint32_t queue_max; /**< bytes that wait before the policy decides; an event counts at least
                           512 [65536] */
    enum px_events_policy policy;  /**< [PX_EVENTS_BLOCK] */
    uint32_t keep_alive_ms;        /**< a comment is sent when nothing was for so long, 100 or
                                      more; UINT32_MAX: never [15000] */
    uint32_t retry_ms;             /**< told to the client first; 0: not */
    const struct px_field *fields; /**< further header fields */
    uint32_t n_fields;             /**< how many; 0..62 */
};

/** Answers a request with an event stream: 200, text/event-stream, not to be cached. `config` may
 * be NULL. Nothing follows HEAD's head. Errors as px_request_begin; PX_ESTATE also while a form is
 * read from the request. Its head can be read as long as the stream lasts. */
enum px_err px_events_begin(struct px_request request, const struct px_events_config *config);

/** Sends an event, at any time. PX_SENT_STALE also if the stream is finished or being closed;
 * PX_SENT_REFUSED: px_events_begin was not called, nothing is in the event, or beyond a limit. */
enum px_sent px_events_send(struct px_request request, const struct px_event *event);

/** The same for an event of this name (may be NULL) with this text. */
enum px_sent px_events_text(struct px_request request, const char *name, const char *text);

/** Ends a stream behind what waits. A client that is an EventSource will be back: answer it 204 to
 * make it stop. PX_ESTATE: not begun, or finished already. */
enum px_err px_events_finish(struct px_request request);

/** The id of the last event the client has seen, as it says. Empty: it does not, or the head is
 * gone. */
struct px_text px_events_last_id(struct px_request request);

/** What became of the events of a stream, or of a topic. */
struct px_events_counts {
    uint64_t taken;       /**< events on the way, sent, or waiting */
    uint64_t dropped;     /**< events dropped by a policy */
    uint64_t refused;     /**< times an event was not taken because of PX_EVENTS_BLOCK */
    uint64_t closed;      /**< streams broken off by PX_EVENTS_CLOSE */
    uint64_t keep_alives; /**< comments sent; streams only */
    uint32_t waiting;     /**< events that wait now; streams only */
    uint32_t subscribers; /**< now; topics only */
    uint32_t kept;        /**< events kept for those who come back; topics only */
};

/** Reads the counters of a stream. PX_ESTATE: px_events_begin was not called. */
enum px_err px_events_count(struct px_request request, struct px_events_counts *ret_counts);

/** Something that is told to many: each event is encoded once, its bytes are shared. */
struct px_topic;

/** How to make a topic. A zeroed one takes every default. */
struct px_topic_config {
    uint32_t subscribers_max; /**< streams at a time [65536] */
    uint32_t replay_max;      /**< events kept for clients that come back, 0..4096 [0] */
    uint32_t kept_len_max;    /**< bytes of them, up to 16 MiB; the oldest go first [65536] */
};

/** Makes a topic; `config` may be NULL. Starts the system. It is freed with the system, or by
 * px_topic_free. PX_EINVAL: a limit is out of range; PX_ENOMEM; or the error of starting. */
PX_MUST_USE enum px_err px_topic_new(struct px_system *system, const struct px_topic_config *config,
                                     struct px_topic **ret_topic);

/** Frees one: its subscribers' streams go on without it. NULL is fine. */
void px_topic_free(struct px_topic *take_topic);

/** Sends what is published from now on to an event stream as well, until the stream ends.
 *
 * If the topic keeps events and the client says which was its last, those that came later are sent
 * first, whatever the policy. If that one is not kept (any more), all that are kept are sent, and
 * `*ret_missed` (may be NULL) is true: some may be missing or come twice. A client that names none
 * gets none. PX_ESTALE; PX_ESTATE: no event stream, or a finished one; PX_EEXIST: it is subscribed
 * already; PX_ELIMIT: subscribers_max, or PX_EVENTS_TOPICS_MAX; PX_EINVAL: of another system;
 * PX_ENOMEM: it is not subscribed. */
enum px_err px_topic_subscribe(struct px_topic *topic, struct px_request request, bool *ret_missed);

/** Takes a subscription back; the stream goes on. PX_ENOENT: there is none. */
enum px_err px_topic_unsubscribe(struct px_topic *topic, struct px_request request);

/** Sends an event to every subscriber; each one's policy decides if it is full. A topic that keeps
 * events gives those with data but without id one of its own.
 *
 * PX_SENT_OK: done, and kept. PX_SENT_FULL: a subscriber with PX_EVENTS_BLOCK is full, so nobody
 * got it; `drained` of that request will tell. PX_SENT_REFUSED: as px_events_send, or no memory. */
enum px_sent px_topic_publish(struct px_topic *topic, const struct px_event *event);

/** The same for an event of this name (may be NULL) with this text. */
enum px_sent px_topic_text(struct px_topic *topic, const char *name, const char *text);

/** Reads the counters of a topic: sums over its subscribers while they were that. */
void px_topic_count(const struct px_topic *topic, struct px_events_counts *ret_counts);

#ifdef __cplusplus
}
#endif

#endif
