/* ktest_run.c - turning the kernel, and the short forms of sending.
 */
#include "ktest.h"

#include <string.h>

enum { TURNS_MAX = 100000 };

void kt_turn(struct kt *kt)
{
    px_kernel_turn(kt->kernel, 0);
}

void kt_settle(struct kt *kt)
{
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        if (px_kernel_next_us(kt->kernel) > 0) {
            return;
        }
        kt_turn(kt);
    }
    ck_abort_msg("the kernel never comes to rest");
}

void kt_advance(struct kt *kt, uint64_t us)
{
    uint64_t end = kt->world.now_us + us;
    kt_settle(kt);
    for (;;) {
        uint64_t next = px_kernel_next_us(kt->kernel);
        if (next > end - kt->world.now_us) {
            break;
        }
        kt->world.now_us += next;
        kt_turn(kt);
        kt_settle(kt);
    }
    kt->world.now_us = end;
    kt_turn(kt);
    kt_settle(kt);
}

struct px_ledger kt_ledger(const struct kt *kt)
{
    struct px_ledger ledger;
    memset(&ledger, 0xff, sizeof ledger);
    px_kernel_ledger(kt->kernel, &ledger);
    return ledger;
}

void kt_expect_idle(const struct kt *kt, unsigned elems)
{
    struct px_ledger l = kt_ledger(kt);
    ck_assert_uint_eq(l.queued, 0);
    ck_assert_uint_eq(l.calls, 0);
    ck_assert_uint_eq(l.holds, 0);
    ck_assert_uint_eq(l.pieces, 0);
    ck_assert_uint_eq(l.bufs, 0);
    ck_assert_uint_eq(l.blocks, 0);
    ck_assert_uint_eq(l.timers, 0);
    ck_assert_uint_eq(l.elems, elems);
}

/* ---- acting ---- */

Ktest__Number *kt_number(const struct kt_actor *a, uint64_t value)
{
    Ktest__Number *m = px_msg_new(kt_env(a), &ktest__number__descriptor);
    m->value = value;
    return m;
}

bool kt_note(const struct kt_actor *from, const struct kt_actor *to, uint64_t value)
{
    return kt_note_about(from, to, value, 0);
}

bool kt_note_about(const struct kt_actor *from, const struct kt_actor *to, uint64_t value,
                   px_handle tag)
{
    return px_send(kt_env(from), to->addr, TOY_NOTE, kt_number(from, value), tag);
}

px_call_id kt_ask(const struct kt_actor *from, const struct kt_actor *to, uint64_t value,
                  uint64_t deadline_us, uint64_t tag)
{
    return px_call(kt_env(from), to->addr, TOY_ASK, kt_number(from, value), deadline_us, tag);
}

px_call_id kt_watch(const struct kt_actor *from, const struct kt_actor *to, uint64_t value,
                    uint64_t deadline_us, uint64_t tag)
{
    return px_call(kt_env(from), to->addr, TOY_WATCH, kt_number(from, value), deadline_us, tag);
}

void kt_reply(const struct kt_actor *a, const struct px_msg *call, uint64_t value)
{
    px_reply(kt_env(a), call, PX_OK, kt_number(a, value));
}

bool kt_item(const struct kt_actor *a, const struct px_msg *call, uint64_t value)
{
    return px_item(kt_env(a), call, kt_number(a, value));
}

struct px_buf *kt_buf(const struct kt_actor *a, size_t cap, uint8_t fill)
{
    struct px_buf *buf = px_buf_new(kt_env(a), cap);
    ck_assert_ptr_nonnull(buf);
    ck_assert_uint_ge(px_buf_cap(buf), cap);
    for (size_t i = 0; i < cap; i++) {
        px_buf_data(buf)[i] = (uint8_t)(fill + i);
    }
    return buf;
}

void kt_echo(struct kt_actor *a, const struct px_msg *msg)
{
    if (msg->kind != PX_KIND_CALL) {
        return;
    }
    Ktest__Number *m = kt_number(a, kt_value(msg));
    px_msg_attach_all(m, msg);
    px_reply(kt_env(a), msg, PX_OK, m);
}

void kt_keep(struct kt_actor *a, const struct px_msg *msg)
{
    struct kt_state *s = kt_state(a);
    ck_assert_uint_lt(s->n_held, sizeof s->held / sizeof *s->held);
    s->held[s->n_held] = px_msg_hold(msg);
    ck_assert_ptr_nonnull(s->held[s->n_held]);
    if (msg->kind == PX_KIND_CALL) {
        px_call_tag(s->env, s->held[s->n_held], s->n_held + 100);
    }
    s->n_held++;
}

void kt_release_all(struct kt_actor *a)
{
    struct kt_state *s = kt_state(a);
    for (unsigned i = 0; i < s->n_held; i++) {
        px_msg_release(s->held[i]);
        s->held[i] = NULL;
    }
    s->n_held = 0;
}
