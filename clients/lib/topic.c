/* topic.c - topics: one encoded event for many event streams, and the last few kept for clients
 * that come back.
 */
#include "event_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SUBSCRIBERS_DEFAULT = 65536,
    KEPT_LEN_DEFAULT = 65536,
    AUTO_ID_MAX = 32, /* "89abcdef-18446744073709551615" and the zero */
    ID_AT = 4,        /* behind "id: ", which is first (event_text.h) */
};

struct kept {
    struct event_bytes bytes;
    uint32_t id_len; /* of the id in it */
};

struct px_topic {
    struct px_topic *next, **link; /* of the system's */
    struct px_system *system;
    struct member *members;
    struct px_events_counts counts;
    uint64_t seq;
    uint32_t epoch; /* ids of an earlier life are not taken for ours */
    uint32_t n_blocking, subscribers_max;
    uint32_t replay_max, first, kept_len_max, kept_len;
    struct kept kept[]; /* a ring of replay_max, counts.kept from `first` */
};

/* ---- making and freeing ---- */

enum px_err px_topic_new(struct px_system *system, const struct px_topic_config *config,
                         struct px_topic **ret_topic)
{
    static const struct px_topic_config defaults;
    config = config == NULL ? &defaults : config;
    if (config->replay_max > PX_TOPIC_REPLAY_MAX || config->kept_len_max > PX_TOPIC_KEPT_LEN_MAX) {
        return PX_EINVAL;
    }
    PX_TRY(px_system_start(system));
    struct px_topic *topic = calloc(1, sizeof *topic + config->replay_max * sizeof topic->kept[0]);
    if (topic == NULL) {
        return PX_ENOMEM;
    }
    topic->system = system;
    topic->epoch = (uint32_t)px_random_u64(system->app->env);
    topic->subscribers_max =
        config->subscribers_max == 0 ? SUBSCRIBERS_DEFAULT : config->subscribers_max;
    topic->replay_max = config->replay_max;
    topic->kept_len_max = config->kept_len_max == 0 ? KEPT_LEN_DEFAULT : config->kept_len_max;
    topic->next = system->topics;
    topic->link = &system->topics;
    if (topic->next != NULL) {
        topic->next->link = &topic->next;
    }
    system->topics = topic;
    *ret_topic = topic;
    return PX_EOK;
}

static void kept_drop_first(struct px_topic *topic)
{
    struct kept *kept = &topic->kept[topic->first];
    topic->kept_len -= kept->bytes.len;
    px_buf_put(kept->bytes.buf);
    topic->first = (topic->first + 1) % topic->replay_max;
    topic->counts.kept--;
}

void px_topic_free(struct px_topic *take_topic)
{
    if (take_topic == NULL) {
        return;
    }
    while (take_topic->members != NULL) {
        member_end(take_topic->members);
    }
    while (take_topic->counts.kept > 0) {
        kept_drop_first(take_topic);
    }
    *take_topic->link = take_topic->next;
    if (take_topic->next != NULL) {
        take_topic->next->link = take_topic->link;
    }
    free(take_topic);
}

/* ---- subscribing ---- */

void member_end(struct member *m)
{
    if (m->topic == NULL) {
        return;
    }
    *m->link = m->next;
    if (m->next != NULL) {
        m->next->link = m->link;
    }
    m->topic->counts.subscribers--;
    m->topic->n_blocking -= m->stream->policy == PX_EVENTS_BLOCK ? 1 : 0;
    m->topic = NULL;
}

static void member_begin(struct member *m, struct px_topic *topic, struct event_stream *s)
{
    m->stream = s;
    m->topic = topic;
    m->next = topic->members;
    m->link = &topic->members;
    if (m->next != NULL) {
        m->next->link = &m->next;
    }
    topic->members = m;
    topic->counts.subscribers++;
    topic->n_blocking += s->policy == PX_EVENTS_BLOCK ? 1 : 0;
}

/* The subscription of a stream to this topic (NULL: a free one). */
static struct member *member_find(struct event_stream *s, const struct px_topic *topic)
{
    for (uint32_t i = 0; i < PX_EVENTS_TOPICS_MAX; i++) {
        if (s->members[i].topic == topic) {
            return &s->members[i];
        }
    }
    return NULL;
}

static struct kept *kept_at(struct px_topic *topic, uint32_t i)
{
    return &topic->kept[(topic->first + i) % topic->replay_max];
}

/* How many of the kept the client of this id has seen. False: that cannot be told. */
static bool kept_seen(struct px_topic *topic, struct px_text id, uint32_t *ret_seen)
{
    for (uint32_t i = topic->counts.kept; i-- > 0;) {
        const struct kept *kept = kept_at(topic, i);
        if (kept->id_len == id.len &&
            memcmp(px_buf_data(kept->bytes.buf) + ID_AT, id.ptr, id.len) == 0) {
            *ret_seen = i + 1;
            return true;
        }
    }
    return false;
}

/* What the client has not seen. False: no memory. */
static bool replay(struct px_topic *topic, struct event_stream *s, bool *ret_missed)
{
    struct px_text id = px_events_last_id(request_handle(s->request));
    uint32_t seen = 0;
    if (id.len == 0) {
        return true;
    }
    *ret_missed = !kept_seen(topic, id, &seen);
    for (uint32_t i = seen; i < topic->counts.kept; i++) {
        if (event_stream_push(s, &kept_at(topic, i)->bytes) == PX_SENT_REFUSED) {
            return false;
        }
        topic->counts.taken++;
    }
    return true;
}

enum px_err px_topic_subscribe(struct px_topic *topic, struct px_request request, bool *ret_missed)
{
    struct event_stream *s = NULL;
    bool missed = false;
    if (request.system != topic->system) {
        return PX_EINVAL;
    }
    PX_TRY(event_stream_of(request, &s));
    if (s->finished || s->request->state != SENDING) {
        return PX_ESTATE;
    }
    if (member_find(s, topic) != NULL) {
        return PX_EEXIST;
    }
    struct member *m = member_find(s, NULL);
    if (m == NULL || topic->counts.subscribers >= topic->subscribers_max) {
        px_count(topic->system->app->env, COUNT_TOPIC_FULL, 1);
        return PX_ELIMIT;
    }
    if (!replay(topic, s, &missed)) {
        return PX_ENOMEM;
    }
    member_begin(m, topic, s);
    if (ret_missed != NULL) {
        *ret_missed = missed;
    }
    return PX_EOK;
}

enum px_err px_topic_unsubscribe(struct px_topic *topic, struct px_request request)
{
    struct event_stream *s = NULL;
    if (request.system != topic->system) {
        return PX_EINVAL;
    }
    PX_TRY(event_stream_of(request, &s));
    struct member *m = member_find(s, topic);
    if (m == NULL) {
        return PX_ENOENT;
    }
    member_end(m);
    return PX_EOK;
}

/* ---- publishing ---- */

/* A subscriber for whom everybody has to wait. */
static bool somebody_blocks(struct px_topic *topic)
{
    struct member *m = topic->n_blocking == 0 ? NULL : topic->members;
    for (; m != NULL; m = m->next) {
        if (m->stream->policy == PX_EVENTS_BLOCK && !m->stream->finished &&
            event_stream_full(m->stream)) {
            m->stream->counts.refused++;
            event_stream_wait(m->stream);
            return true;
        }
    }
    return false;
}

/* Takes the reference. One that is larger than all that may be kept is not, nor are those before:
 * who asks for what came after them must hear that something is missing. */
static void keep(struct px_topic *topic, const struct event_bytes *take_bytes, size_t id_len)
{
    while (topic->counts.kept > 0 && (topic->counts.kept == topic->replay_max ||
                                      topic->kept_len + take_bytes->len > topic->kept_len_max)) {
        kept_drop_first(topic);
    }
    if (take_bytes->len > topic->kept_len_max) {
        px_buf_put(take_bytes->buf);
        return;
    }
    *kept_at(topic, topic->counts.kept) = (struct kept){*take_bytes, (uint32_t)id_len};
    topic->counts.kept++;
    topic->kept_len += take_bytes->len;
}

static void deliver(struct px_topic *topic, const struct event_bytes *bytes)
{
    for (struct member *m = topic->members; m != NULL; m = m->next) {
        struct px_events_counts *counts = &m->stream->counts;
        uint64_t dropped = counts->dropped, closed = counts->closed;
        enum px_sent sent = event_stream_offer(m->stream, bytes);
        topic->counts.taken += sent == PX_SENT_OK || sent == PX_SENT_QUEUED ? 1 : 0;
        topic->counts.dropped += counts->dropped - dropped;
        topic->counts.closed += counts->closed - closed;
    }
}

enum px_sent px_topic_publish(struct px_topic *topic, const struct px_event *event)
{
    struct px_event numbered = *event;
    struct event_bytes bytes;
    char id[AUTO_ID_MAX];
    if (somebody_blocks(topic)) {
        topic->counts.refused++;
        return PX_SENT_FULL;
    }
    if (topic->replay_max > 0 && event->id == NULL && event->data != NULL) {
        snprintf(id, sizeof id, "%08" PRIx32 "-%" PRIu64, topic->epoch, topic->seq + 1);
        numbered.id = id;
    }
    if (event_encode(topic->system->app->env, &numbered, &bytes) != PX_EOK) {
        return PX_SENT_REFUSED;
    }
    topic->seq++;
    bytes.flags = PX_SLICE_SHARED;
    deliver(topic, &bytes);
    if (topic->replay_max > 0 && event->data != NULL) {
        keep(topic, &bytes, strlen(numbered.id));
    } else {
        px_buf_put(bytes.buf);
    }
    return PX_SENT_OK;
}

enum px_sent px_topic_text(struct px_topic *topic, const char *name, const char *text)
{
    return px_topic_publish(
        topic, &(struct px_event){.name = name, .data = text, .data_len = strlen(text)});
}

void px_topic_count(const struct px_topic *topic, struct px_events_counts *ret_counts)
{
    *ret_counts = topic->counts;
}
