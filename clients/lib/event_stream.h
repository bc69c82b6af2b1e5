/* event_stream.h - what events.c offers topic.c: an event that is encoded goes to one stream.
 */
#ifndef EVENT_STREAM_H
#define EVENT_STREAM_H

#include "lib.h"

struct event_stream;

/* A subscription: an element of its stream, in its topic's list. */
struct member {
    struct event_stream *stream;
    struct px_topic *topic; /* NULL: not in use */
    struct member *next, **link;
};

struct event_stream {
    struct hook hook; /* the first */
    struct request *request;
    struct px_sul keep_alive;
    struct px_chain queue; /* one piece per event: those that no credit was there for */
    uint64_t queued;       /* charges of what is in it */
    uint64_t sent_us;      /* when something was last given away */
    uint64_t keep_alive_us;
    struct px_events_counts counts;
    struct member members[PX_EVENTS_TOPICS_MAX];
    uint32_t queue_max;
    enum px_events_policy policy;
    bool told_to_wait, finished;
};

/* One encoded event. */
struct event_bytes {
    struct px_buf *buf;
    uint32_t len;
    uint32_t flags; /* PX_SLICE_SHARED, if others get it too */
};

/* Encodes an event into a buffer of its own: one reference. PX_EINVAL, PX_ENOMEM. */
enum px_err event_encode(struct px_env *env, const struct px_event *event,
                         struct event_bytes *ret_bytes);
/* The event stream of a request. PX_ESTALE; PX_ESTATE: it is none. */
enum px_err event_stream_of(struct px_request request, struct event_stream **ret_stream);
/* As much waits as may. */
bool event_stream_full(const struct event_stream *s);
/* Says `drained` when nothing waits any more. */
void event_stream_wait(struct event_stream *s);
/* Sends, as the policy says; takes a reference of its own. */
enum px_sent event_stream_offer(struct event_stream *s, const struct event_bytes *bytes);
/* Sends, however much waits. */
enum px_sent event_stream_push(struct event_stream *s, const struct event_bytes *bytes);

/* ---- topic.c ---- */
void member_end(struct member *m);

#endif
