/* inspect_edges.c - the trace ring summed up: who said how much to whom, and how long calls took.
 * Nothing is counted while messages are sent, so it costs nothing to those who do not ask.
 */
#include <stdlib.h>

#include "inspect.pb-c.h"
#include "inspect_impl.h"

/* NULL: there are too many. */
static struct edge *edge_of(struct inspect *inspect, px_addr from, px_addr to)
{
    for (uint32_t i = 0; i < inspect->n_edges; i++) {
        if (inspect->edges[i].from == from && inspect->edges[i].to == to) {
            return &inspect->edges[i];
        }
    }
    if (inspect->n_edges == INSPECT_EDGES_MAX) {
        return NULL;
    }
    struct edge *edge = &inspect->edges[inspect->n_edges++];
    *edge = (struct edge){.from = from, .to = to};
    return edge;
}

/* ---- calls and their answers ---- */

/* The place of call `id`, or the free one where it belongs. At most half of them are ever taken. */
static uint16_t *call_place(struct inspect *inspect, uint64_t id)
{
    uint32_t mask = (1u << INSPECT_CALLS_LOG2) - 1;
    uint32_t at = (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - INSPECT_CALLS_LOG2));
    while (inspect->calls[at] != 0 && inspect->records[inspect->calls[at] - 1].about != id) {
        at = (at + 1) & mask;
    }
    return &inspect->calls[at];
}

static void note_answer(struct inspect *inspect, const struct px_trace *reply)
{
    uint16_t place = *call_place(inspect, reply->about);
    if (place == 0) {
        return; /* its call is not in the ring any more */
    }
    const struct px_trace *call = &inspect->records[place - 1];
    struct edge *edge = edge_of(inspect, call->from, call->to);
    if (edge != NULL && call->to == reply->from && call->from == reply->to) {
        uint64_t us = reply->at_us - call->at_us;
        uint64_t index = (uint64_t)(edge - inspect->edges);
        edge->answered++;
        edge->max_us = us > edge->max_us ? us : edge->max_us;
        us = us < (UINT64_C(1) << 48) - 1 ? us : (UINT64_C(1) << 48) - 1;
        inspect->answers[inspect->n_answers++] = index << 48 | us;
    }
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void fill_medians(struct inspect *inspect)
{
    qsort(inspect->answers, inspect->n_answers, sizeof inspect->answers[0], by_value);
    for (uint32_t first = 0; first < inspect->n_answers;) {
        struct edge *edge = &inspect->edges[inspect->answers[first] >> 48];
        uint64_t middle = inspect->answers[first + (edge->answered - 1) / 2];
        edge->p50_us = middle & ((UINT64_C(1) << 48) - 1);
        first += edge->answered;
    }
}

/* ---- summing up ---- */

static int by_messages(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    return x->messages > y->messages ? -1 : x->messages < y->messages;
}

static void ring_sum(struct inspect *inspect)
{
    inspect->n_edges = inspect->n_answers = 0;
    memset(inspect->calls, 0, sizeof inspect->calls);
    inspect->n_records =
        (uint32_t)px_trace_read(inspect->system->kernel, inspect->records, INSPECT_TRACE_LENGTH);
    for (uint32_t i = 0; i < inspect->n_records; i++) {
        const struct px_trace *t = &inspect->records[i];
        struct edge *edge = edge_of(inspect, t->from, t->to);
        if (edge != NULL) {
            edge->messages++;
            edge->bytes += t->bytes;
        }
        if (t->kind == PX_KIND_CALL && t->outcome == PX_TRACE_QUEUED) {
            *call_place(inspect, t->about) = (uint16_t)(i + 1);
        } else if (t->kind == PX_KIND_REPLY && t->outcome == PX_TRACE_QUEUED) {
            note_answer(inspect, t);
        }
    }
    fill_medians(inspect);
    qsort(inspect->edges, inspect->n_edges, sizeof inspect->edges[0], by_messages);
}

static Inspect__EdgeIs *edge_message(const struct inspect *inspect, void *body,
                                     const struct edge *edge)
{
    const char *from = inspect_name(inspect, edge->from);
    const char *to = inspect_name(inspect, edge->to);
    Inspect__EdgeIs *e = px_msg_alloc(body, sizeof *e);
    inspect__edge_is__init(e);
    e->messages = edge->messages;
    e->bytes = edge->bytes;
    e->answered = edge->answered;
    e->answer_p50_us = edge->p50_us;
    e->answer_max_us = edge->max_us;
    px_msg_put(body, &e->sender, from, strlen(from));
    px_msg_put(body, &e->receiver, to, strlen(to));
    return e;
}

void inspect_on_edges(void *state, const struct px_msg *msg)
{
    struct inspect *inspect = state;
    ring_sum(inspect);
    Inspect__EdgeList *m = px_msg_new(inspect->env, &inspect__edge_list__descriptor);
    Inspect__EdgeIs **list = px_msg_alloc(m, INSPECT_EDGES_MAX * sizeof(Inspect__EdgeIs *));
    uint32_t i = 0;
    for (; i < inspect->n_edges; i++) {
        list[i] = edge_message(inspect, m, &inspect->edges[i]);
    }
    m->edges = list;
    m->n_edges = i;
    m->messages = inspect->n_records;
    m->window_us =
        inspect->n_records == 0 ? 0 : px_now_us(inspect->env) - inspect->records[0].at_us;
    px_reply(inspect->env, msg, PX_OK, m);
}
