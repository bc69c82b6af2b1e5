/* joined.c - the frames of a direct link: described, packed, and taken in at the other end.
 */
#include "joined.h"

#include <stdlib.h>
#include <string.h>

static void end_deliver(void *ctx, const struct px_msg *msg, uint32_t deadline_ms)
{
    struct end *e = ctx;
    struct frame *f = calloc(1, sizeof *f);
    const struct px_slice *slices;
    px_link_describe(msg, &f->wire);
    if (f->wire.kind == PX_KIND_CALL) {
        f->wire.deadline_ms = deadline_ms;
    }
    f->wire.body_len = px_link_packed_len(msg);
    f->body = malloc(f->wire.body_len + 1);
    px_link_pack(msg, f->body);
    f->wire.body = f->body;
    f->payload = malloc(px_msg_payload_len(msg) + 1);
    uint32_t n = px_msg_payload(msg, &slices);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(f->payload + f->payload_len, slices[i].ptr, slices[i].len);
        f->payload_len += slices[i].len;
    }
    if (e->peer->last != NULL) {
        e->peer->last->next = f;
    } else {
        e->peer->first = f;
    }
    e->peer->last = f;
}

static void end_flush(void *ctx)
{
    ((struct end *)ctx)->flushes++;
}

const struct px_link_ops end_ops = {end_deliver, end_flush, protobuf_c_message_unpack};

/* Takes in one message, if there is one. */
static bool end_take(struct end *e)
{
    struct frame *f = e->first;
    if (f == NULL) {
        return false;
    }
    e->first = f->next;
    e->last = f->next == NULL ? NULL : e->last;
    if (e->link != NULL) {
        struct px_chain payload = {0};
        ck_assert(px_chain_copy_in(px_link_env(e->link), &payload, f->payload, f->payload_len));
        e->last_err = px_link_in(e->link, &f->wire, &payload);
        px_chain_clear(&payload);
    }
    free(f->body);
    free(f->payload);
    free(f);
    return true;
}

void joined_settle(struct joined *j)
{
    bool busy = true;
    while (busy) {
        busy = end_take(&j->end[NORTH]);
        busy = end_take(&j->end[SOUTH]) || busy;
        kt_settle(j->kt[NORTH]);
        kt_settle(j->kt[SOUTH]);
        busy = busy || j->end[NORTH].first != NULL || j->end[SOUTH].first != NULL;
    }
}

void joined_advance(struct joined *j, uint64_t us)
{
    joined_settle(j);
    kt_advance(j->kt[NORTH], us);
    kt_advance(j->kt[SOUTH], us);
    joined_settle(j);
}

void joined_join(struct joined *j)
{
    for (int i = 0; i < 2; i++) {
        j->end[i].kt = j->kt[i];
        j->end[i].peer = &j->end[1 - i];
        ck_assert_int_eq(px_link_add(j->kt[i]->kernel, &end_ops, &j->end[i], &j->end[i].link),
                         PX_EOK);
    }
    ck_assert_int_eq(px_link_place(j->end[NORTH].link, 2), PX_EOK);
    ck_assert_int_eq(px_link_place(j->end[NORTH].link, 4), PX_EOK);
    ck_assert_int_eq(px_link_place(j->end[SOUTH].link, 1), PX_EOK);
    ck_assert_int_eq(px_link_place(j->end[SOUTH].link, 3), PX_EOK);
}

struct joined *joined_new(const struct px_kernel_config *config)
{
    static const char *const names[] = {"", "alice", "bob", "carol", "dora"};
    struct joined *j = calloc(1, sizeof *j);
    struct kt_actor *actors[2][MAILBOXES + 1];
    for (int i = 0; i < 2; i++) {
        j->kt[i] = kt_new(config);
        for (px_addr addr = 1; addr <= MAILBOXES; addr++) {
            if ((addr - 1) % 2 == i) {
                actors[i][addr] = kt_add_pooled(j->kt[i], names[addr], 16, 4);
            } else {
                px_addr remote;
                actors[i][addr] = kt_add_bare(j->kt[i], names[addr], addr);
                ck_assert_int_eq(px_kernel_add_remote(j->kt[i]->kernel, names[addr], &remote),
                                 PX_EOK);
                ck_assert_uint_eq(remote, addr);
            }
        }
        kt_befriend(j->kt[i], actors[i][1], actors[i][2]);
        kt_befriend(j->kt[i], actors[i][3], actors[i][2]);
        kt_start(j->kt[i]);
    }
    j->alice = actors[NORTH][1];
    j->bob = actors[SOUTH][2];
    j->carol = actors[NORTH][3];
    j->dora = actors[SOUTH][4];
    joined_join(j);
    joined_settle(j);
    kt_heard(j->alice);
    kt_heard(j->bob);
    kt_heard(j->carol);
    kt_heard(j->dora);
    return j;
}

void joined_break(struct joined *j)
{
    for (int i = 0; i < 2; i++) {
        struct px_link *link = j->end[i].link;
        j->end[i].link = NULL;
        if (link != NULL) {
            px_link_gone(link);
        }
    }
    joined_settle(j);
}

void joined_free(struct joined *j)
{
    joined_break(j);
    kt_expect_idle(j->kt[NORTH], kt_ledger(j->kt[NORTH]).elems);
    kt_expect_idle(j->kt[SOUTH], kt_ledger(j->kt[SOUTH]).elems);
    kt_free(j->kt[NORTH]);
    kt_free(j->kt[SOUTH]);
    free(j);
}
