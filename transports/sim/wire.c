/* wire.c - connections of the virtual network. A direction is the bytes that have arrived and those
 * on their way, cut into segments, each with its time of arrival; times never overtake each other,
 * so bytes do not either. An end that is done with is detached; a connection goes when both are.
 */
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTITION_RETRY_US = 200000 };

/* ---- listeners ---- */

struct sim_listener *sim_listener_find(struct px_sim *sim, const char *address)
{
    for (struct sim_listener *l = sim->listeners; l != NULL; l = l->next) {
        if (strcmp(l->address, address) == 0) {
            return l;
        }
    }
    return NULL;
}

struct sim_listener *sim_listener_new(struct px_sim *sim, const char *address)
{
    PX_ASSERT(strlen(address) <= NAME_LEN_MAX);
    struct sim_listener *l = sim_calloc(sizeof *l);
    memcpy(l->address, address, strlen(address));
    l->next = sim->listeners;
    sim->listeners = l;
    return l;
}

void sim_listener_free(struct px_sim *sim, struct sim_listener *listener)
{
    for (struct sim_conn *conn = sim->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        struct sim_end *end = &conn->ends[1];
        if (end->attached && end->listener == listener) {
            sim_end_detach(end);
        }
    }
    for (struct sim_listener **at = &sim->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    free(listener);
}

/* ---- who should look ---- */

void sim_end_ready(struct sim_end *end)
{
    if (!end->attached) {
        return;
    }
    if (end->peer != NULL) {
        sim_peer_ready(end->peer);
        return;
    }
    struct sim_domain *d = end->domain;
    if (d == NULL || end->is_ready) {
        return;
    }
    end->is_ready = true;
    end->ready_next = NULL;
    if (d->ready_last == NULL) {
        d->ready_first = end;
    } else {
        d->ready_last->ready_next = end;
    }
    d->ready_last = end;
}

void sim_drop_ready(struct sim_domain *domain, const struct sim_end *end)
{
    struct sim_end *before = NULL;
    for (struct sim_end *e = domain->ready_first; e != NULL; before = e, e = e->ready_next) {
        if (e != end) {
            continue;
        }
        if (before == NULL) {
            domain->ready_first = e->ready_next;
        } else {
            before->ready_next = e->ready_next;
        }
        if (domain->ready_last == e) {
            domain->ready_last = before;
        }
        e->is_ready = false;
        return;
    }
}

/* ---- bytes on their way ---- */

static void on_arrival(struct sim_event *event);

static void end_schedule(struct sim_end *end)
{
    struct sim_piece *first = sim_queue_first(&end->way);
    if (first != NULL) {
        sim_event_set(end->conn->sim, &end->arrival, first->at_us, on_arrival);
    }
}

/* `what` will arrive at `end`, not before anything sent earlier. */
static void end_send(struct sim_end *end, enum sim_what what, uint32_t len, uint64_t in_us)
{
    struct px_sim *sim = end->conn->sim;
    uint64_t at_us = sim->now_us + in_us;
    end->last_at_us = at_us > end->last_at_us ? at_us : end->last_at_us;
    sim_queue_put(&end->way,
                  (struct sim_piece){.at_us = end->last_at_us, .len = len, .what = (uint8_t)what});
    if (end->arrival.pos == 0) {
        end_schedule(end);
    }
}

/* What has arrived may still be read, as from a socket. */
static void end_break(struct sim_end *end, enum px_status status)
{
    end->status = status;
    end->way.first = end->way.n = 0;
}

static void conn_vanish(struct sim_conn *conn)
{
    conn->vanished = true;
    end_send(&conn->ends[0], SIM_TIMEOUT, 0, VANISH_US);
    end_send(&conn->ends[1], SIM_TIMEOUT, 0, VANISH_US);
}

static void piece_arrives(struct sim_end *end, const struct sim_piece *piece)
{
    if (end->conn->vanished && piece->what != SIM_TIMEOUT) {
        return;
    }
    switch ((enum sim_what)piece->what) {
    case SIM_BYTES:
        end->arrived += piece->len;
        break;
    case SIM_FIN:
        end->fin_arrived = true;
        break;
    case SIM_RST:
        end_break(end, PX_RESET);
        break;
    case SIM_TIMEOUT:
        end_break(end, PX_TIMED_OUT);
        break;
    }
}

/* A partition holds back what would arrive; after too long the connection is given up on both
 * sides. */
static bool held_by_partition(struct sim_end *end)
{
    struct px_sim *sim = end->conn->sim;
    if (!sim_hosts_apart(sim, end->host, sim_end_other(end)->host)) {
        end->held_since_us = 0;
        return false;
    }
    if (end->held_since_us == 0) {
        end->held_since_us = sim->now_us;
    }
    if (sim->now_us - end->held_since_us < VANISH_US) {
        sim_event_set(sim, &end->arrival, sim->now_us + PARTITION_RETRY_US, on_arrival);
        return true;
    }
    end_break(end, PX_TIMED_OUT);
    end_break(sim_end_other(end), PX_TIMED_OUT);
    sim_end_ready(sim_end_other(end));
    return false;
}

static void on_arrival(struct sim_event *event)
{
    struct sim_end *end = px_container_of(event, struct sim_end, arrival);
    struct px_sim *sim = end->conn->sim;
    if (held_by_partition(end)) {
        return;
    }
    for (struct sim_piece *p;
         (p = sim_queue_first(&end->way)) != NULL && p->at_us <= sim->now_us;) {
        struct sim_piece piece = *p;
        sim_queue_drop(&end->way);
        piece_arrives(end, &piece);
    }
    end_schedule(end);
    sim_end_ready(end);
}

/* ---- what an owner does with its end ---- */

size_t sim_end_room(const struct sim_end *end)
{
    const struct sim_conn *conn = end->conn;
    const struct sim_end *to = end == &conn->ends[0] ? &conn->ends[1] : &conn->ends[0];
    size_t window = conn->sim->weather.window;
    return !conn->open || to->in.len >= window ? 0 : window - to->in.len;
}

/* The weather strikes a segment; true: the connection is done for. */
static bool weather_breaks(struct sim_conn *conn)
{
    struct px_sim *sim = conn->sim;
    if (px_sim_chance(sim, sim->weather.reset)) {
        end_send(&conn->ends[0], SIM_RST, 0, sim_delay_us(sim));
        end_send(&conn->ends[1], SIM_RST, 0, sim_delay_us(sim));
        return true;
    }
    if (!conn->vanished && px_sim_chance(sim, sim->weather.vanish)) {
        conn_vanish(conn);
        return true;
    }
    return false;
}

size_t sim_end_write(struct sim_end *end, const uint8_t *data, size_t len)
{
    struct px_sim *sim = end->conn->sim;
    struct sim_end *to = sim_end_other(end);
    size_t room = sim_end_room(end);
    size_t done = 0;
    PX_ASSERT(!to->fin_sent);
    len = len < room ? len : room;
    while (done < len) {
        uint32_t n = (uint32_t)(len - done);
        if (n > 1 && px_sim_chance(sim, sim->weather.cut)) {
            n = 1 + px_sim_below(sim, n);
        }
        sim_bytes_put(&to->in, data + done, n);
        end_send(to, SIM_BYTES, n, sim_delay_us(sim));
        done += n;
        if (weather_breaks(end->conn)) {
            break;
        }
    }
    return done;
}

void sim_end_fin(struct sim_end *end)
{
    struct sim_end *to = sim_end_other(end);
    PX_ASSERT(!to->fin_sent);
    to->fin_sent = true;
    end_send(to, SIM_FIN, 0, sim_delay_us(end->conn->sim));
}

size_t sim_end_read(struct sim_end *end, uint8_t *ret, size_t max)
{
    struct px_sim *sim = end->conn->sim;
    size_t n = end->arrived < max ? end->arrived : max;
    if (n > 1 && px_sim_chance(sim, sim->weather.cut)) {
        n = 1 + px_sim_below(sim, (uint32_t)n);
    }
    bool was_full = end->in.len >= sim->weather.window;
    if (n > 0) {
        memcpy(ret, sim_bytes_at(&end->in), n);
        sim_bytes_drop(&end->in, n);
        end->arrived -= n;
    }
    if (was_full && n > 0) {
        sim_end_ready(sim_end_other(end));
    }
    return n;
}

bool sim_end_at_fin(const struct sim_end *end)
{
    return end->fin_arrived && end->arrived == 0;
}

void sim_end_detach(struct sim_end *end)
{
    struct sim_end *other = sim_end_other(end);
    struct sim_conn *conn = end->conn;
    PX_ASSERT(end->attached);
    if (end->is_ready) {
        sim_drop_ready(end->domain, end);
    }
    end->attached = false;
    end->domain = NULL;
    end->peer = NULL;
    end->listener = NULL;
    bool in_order = other->fin_sent && sim_end_at_fin(end);
    if (other->attached && !in_order && end->status == PX_OK) {
        end_send(other, SIM_RST, 0, sim_delay_us(conn->sim));
    }
    if (!other->attached) {
        sim_conn_free(conn);
    }
}

/* ---- connecting ---- */

static void connect_fail(struct sim_conn *conn, enum px_status status)
{
    conn->ends[0].status = status;
    sim_end_ready(&conn->ends[0]);
}

static uint32_t listener_host(const struct sim_listener *l)
{
    return l->domain == NULL ? 0 : l->domain->system->number;
}

static void on_established(struct sim_event *event)
{
    struct sim_conn *conn = px_container_of(event, struct sim_conn, established);
    struct px_sim *sim = conn->sim;
    struct sim_end *end = &conn->ends[1];
    struct sim_listener *l = sim_listener_find(sim, conn->target);
    if (conn->vanished) {
        connect_fail(conn, PX_TIMED_OUT);
        return;
    }
    if (l == NULL) {
        connect_fail(conn, PX_REFUSED);
        return;
    }
    end->host = listener_host(l);
    if (sim_hosts_apart(sim, conn->ends[0].host, end->host)) {
        conn->vanished = true;
        sim_event_set(sim, &conn->established, sim->now_us + VANISH_US, on_established);
        return;
    }
    conn->open = true;
    end->attached = true;
    if (l->domain != NULL) {
        end->domain = l->domain;
        end->listener = l;
    } else {
        sim_peer_new(end);
    }
    sim_end_ready(end);
    sim_end_ready(&conn->ends[0]);
}

struct sim_end *sim_connect(struct px_sim *sim, const char *from, const char *target, uint32_t host)
{
    struct sim_conn *conn = sim_calloc(sizeof *conn);
    conn->sim = sim;
    conn->next = sim->conns;
    if (sim->conns != NULL) {
        sim->conns->prev = conn;
    }
    sim->conns = conn;
    snprintf(conn->from, sizeof conn->from, "%s", from);
    snprintf(conn->target, sizeof conn->target, "%s", target);
    conn->ends[0] = (struct sim_end){.conn = conn, .host = host, .attached = true};
    conn->ends[1] = (struct sim_end){.conn = conn};
    sim_event_set(sim, &conn->established, sim->now_us + sim_delay_us(sim), on_established);
    return &conn->ends[0];
}

void sim_conn_free(struct sim_conn *conn)
{
    struct px_sim *sim = conn->sim;
    sim_event_cancel(sim, &conn->established);
    for (int i = 0; i < 2; i++) {
        struct sim_end *end = &conn->ends[i];
        sim_event_cancel(sim, &end->arrival);
        sim_bytes_free(&end->in);
        free(end->way.pieces);
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    }
    if (conn->prev != NULL) {
        conn->prev->next = conn->next;
    } else {
        sim->conns = conn->next;
    }
    free(conn);
}
