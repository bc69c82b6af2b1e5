/* peer.c - bare far ends: what a test drives a system with, byte by byte.
 */
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_AT_ONCE = 65536 };

struct px_sim_peer {
    struct px_sim *sim;
    struct px_sim_peer *next, *prev;
    struct px_sim_peer *accepted_next;
    struct sim_end *end; /* NULL: ended */
    struct sim_bytes out, in;
    uint64_t received;
    uint32_t pace_len, pace_us;
    struct sim_event pace;
    enum px_status status;
    bool fin_wanted, fin_sent, saw_fin;
};

static void peer_detach(struct px_sim_peer *peer)
{
    struct sim_end *end = peer->end;
    if (end != NULL) {
        peer->end = NULL;
        sim_event_cancel(peer->sim, &peer->pace);
        sim_end_detach(end);
    }
}

struct px_sim_peer *sim_peer_new(struct sim_end *end)
{
    struct px_sim *sim = end->conn->sim;
    struct px_sim_peer *peer = sim_calloc(sizeof *peer);
    peer->sim = sim;
    peer->end = end;
    end->peer = peer;
    peer->next = sim->peers;
    if (sim->peers != NULL) {
        sim->peers->prev = peer;
    }
    sim->peers = peer;
    struct sim_listener *l =
        end == &end->conn->ends[1] ? sim_listener_find(sim, end->conn->target) : NULL;
    if (l != NULL) {
        struct px_sim_peer **at =
            l->accepted_last == NULL ? &l->accepted_first : &l->accepted_last->accepted_next;
        *at = peer;
        l->accepted_last = peer;
    }
    return peer;
}

static void peer_pump_out(struct px_sim_peer *peer)
{
    struct sim_end *end = peer->end;
    if (!end->conn->open || peer->fin_sent) {
        return;
    }
    size_t n = sim_end_write(end, sim_bytes_at(&peer->out), peer->out.len);
    sim_bytes_drop(&peer->out, n);
    if (peer->fin_wanted && peer->out.len == 0) {
        peer->fin_sent = true;
        sim_end_fin(end);
    }
}

static size_t peer_read(struct px_sim_peer *peer, size_t max)
{
    uint8_t bytes[4096];
    size_t done = 0;
    while (done < max) {
        size_t n =
            sim_end_read(peer->end, bytes, max - done < sizeof bytes ? max - done : sizeof bytes);
        if (n == 0) {
            break;
        }
        sim_bytes_put(&peer->in, bytes, n);
        peer->received += n;
        done += n;
    }
    peer->saw_fin = sim_end_at_fin(peer->end);
    return done;
}

static void on_pace(struct sim_event *event)
{
    struct px_sim_peer *peer = px_container_of(event, struct px_sim_peer, pace);
    size_t done = peer_read(peer, peer->pace_len);
    if (done > 0) {
        sim_event_set(peer->sim, &peer->pace, peer->sim->now_us + peer->pace_us, on_pace);
    }
    sim_peer_ready(peer);
}

static void peer_pump_in(struct px_sim_peer *peer)
{
    if (peer->pace_us == 0) {
        while (peer_read(peer, READ_AT_ONCE) > 0) {
        }
    } else if (peer->pace_len > 0 && peer->pace.pos == 0 && !peer->saw_fin) {
        peer->saw_fin = sim_end_at_fin(peer->end);
        if (peer->end->arrived > 0) {
            sim_event_set(peer->sim, &peer->pace, peer->sim->now_us + peer->pace_us, on_pace);
        }
    }
}

void sim_peer_ready(struct px_sim_peer *peer)
{
    if (peer->end == NULL) {
        return;
    }
    if (peer->end->status != PX_OK) {
        while (peer_read(peer, READ_AT_ONCE) > 0) {
        }
        peer->status = peer->end->status;
        peer_detach(peer);
        return;
    }
    peer_pump_out(peer);
    peer_pump_in(peer);
    if (peer->fin_sent && peer->saw_fin) {
        peer_detach(peer);
    }
}

struct px_sim_peer *px_sim_connect_from(struct px_sim *sim, const char *from, const char *target)
{
    struct sim_end *end = sim_connect(sim, from, target, 0);
    return sim_peer_new(end);
}

struct px_sim_peer *px_sim_connect(struct px_sim *sim, const char *target)
{
    char from[NAME_LEN_MAX + 1];
    uint32_t n = sim->next_port++;
    snprintf(from, sizeof from, "10.%u.%u.%u:%u", n >> 16 & 255, n >> 8 & 255, n & 255,
             1024 + n % 60000);
    return px_sim_connect_from(sim, from, target);
}

void px_sim_listen(struct px_sim *sim, const char *address)
{
    PX_ASSERT(sim_listener_find(sim, address) == NULL);
    sim_listener_new(sim, address);
}

struct px_sim_peer *px_sim_accept(struct px_sim *sim, const char *address)
{
    struct sim_listener *l = sim_listener_find(sim, address);
    struct px_sim_peer *peer = l == NULL ? NULL : l->accepted_first;
    if (peer != NULL) {
        l->accepted_first = peer->accepted_next;
        l->accepted_last = l->accepted_first == NULL ? NULL : l->accepted_last;
        peer->accepted_next = NULL;
    }
    return peer;
}

static void accepted_forget(struct px_sim_peer *peer)
{
    for (struct sim_listener *l = peer->sim->listeners; l != NULL; l = l->next) {
        struct px_sim_peer *before = NULL;
        for (struct px_sim_peer **at = &l->accepted_first; *at != NULL;
             at = &(*at)->accepted_next) {
            if (*at == peer) {
                *at = peer->accepted_next;
                l->accepted_last = l->accepted_last == peer ? before : l->accepted_last;
                return;
            }
            before = *at;
        }
    }
}

void px_sim_peer_free(struct px_sim_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    accepted_forget(peer);
    peer_detach(peer);
    if (peer->next != NULL) {
        peer->next->prev = peer->prev;
    }
    if (peer->prev != NULL) {
        peer->prev->next = peer->next;
    } else {
        peer->sim->peers = peer->next;
    }
    sim_bytes_free(&peer->out);
    sim_bytes_free(&peer->in);
    free(peer);
}

void px_sim_peer_write(struct px_sim_peer *peer, const void *data, size_t len)
{
    PX_ASSERT(!peer->fin_wanted);
    if (peer->end != NULL) {
        sim_bytes_put(&peer->out, data, len);
        sim_peer_ready(peer);
    }
}

void px_sim_peer_fin(struct px_sim_peer *peer)
{
    peer->fin_wanted = true;
    sim_peer_ready(peer);
}

void px_sim_peer_reset(struct px_sim_peer *peer)
{
    if (peer->end != NULL) {
        peer->status = PX_RESET;
        peer_detach(peer);
    }
}

void px_sim_peer_pace(struct px_sim_peer *peer, uint32_t len, uint32_t every_us)
{
    peer->pace_len = len;
    peer->pace_us = every_us;
    sim_event_cancel(peer->sim, &peer->pace);
    sim_peer_ready(peer);
}

const uint8_t *px_sim_peer_data(const struct px_sim_peer *peer, size_t *ret_len)
{
    *ret_len = peer->in.len;
    return sim_bytes_at(&peer->in);
}

void px_sim_peer_take(struct px_sim_peer *peer, size_t len)
{
    sim_bytes_drop(&peer->in, len);
}

uint64_t px_sim_peer_received(const struct px_sim_peer *peer)
{
    return peer->received;
}

bool px_sim_peer_is_open(const struct px_sim_peer *peer)
{
    return peer->end != NULL && peer->end->conn->open;
}

bool px_sim_peer_saw_fin(const struct px_sim_peer *peer)
{
    return peer->saw_fin;
}

enum px_status px_sim_peer_status(const struct px_sim_peer *peer)
{
    return peer->status;
}
