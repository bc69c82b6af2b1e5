/* test.c - expectations, ledgers and seeds.
 */
#include "sim_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <px/test.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct text {
    char bytes[4096];
    size_t len;
};

static void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text_add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->bytes + t->len, sizeof t->bytes - t->len, format, args);
    va_end(args);
    t->len += n < 0 ? 0 : (size_t)n;
    t->len = t->len < sizeof t->bytes ? t->len : sizeof t->bytes - 1;
}

void px_test_fail(struct px_sim *sim, const char *file, int line, const char *cond,
                  const char *format, ...)
{
    struct text t = {.len = 0};
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    text_add(&t, "%s (%s)", what, cond);
    sim_fail(sim, file, line, t.bytes);
}

/* ---- naming what came ---- */

static void add_method(struct text *t, const struct px_sim_system *system, uint16_t method)
{
    for (uint32_t i = 0; i < system->n_allows; i++) {
        const struct px_contract *c = system->allows[i].contract;
        if (c->number == method >> 8 && (method & 0xffu) < c->descriptor->n_methods) {
            text_add(t, "%s.%s", c->descriptor->name, c->descriptor->methods[method & 0xffu].name);
            return;
        }
    }
    text_add(t, "method %04x", method);
}

static void add_message(struct text *t, const struct px_sim_system *system,
                        const struct px_msg *msg)
{
    static const char *const kinds[] = {"oneway", "call", "reply", "item", "ended",
                                        "more",   "lost", "gone",  "back"};
    text_add(t, "%s ", msg->kind < sizeof kinds / sizeof kinds[0] ? kinds[msg->kind] : "?");
    if (msg->method != 0) {
        add_method(t, system, msg->method);
    }
    text_add(t, " tag %" PRIx64 " status %s, %" PRIu64 " bytes", msg->tag,
             px_status_name(msg->status), px_msg_payload_len(msg));
}

static const struct px_msg *record_msg(const struct sim_record *r)
{
    return r->held != NULL ? r->held : &r->envelope;
}

static void add_recorded(struct text *t, const struct sim_mailbox *mb)
{
    uint32_t n = 0;
    for (const struct sim_record *r = mb->first; r != NULL && n < 8; r = r->next, n++) {
        text_add(t, "\n  %s got: ", mb->name);
        add_message(t, mb->system, record_msg(r));
    }
    if (n == 0) {
        text_add(t, "\n  %s got nothing", mb->name);
    }
}

/* ---- expectations ---- */

static const struct px_msg *record_next(struct sim_mailbox *mb)
{
    struct sim_record *r = mb->first;
    struct sim_record *old = mb->current;
    mb->first = r->next;
    mb->last = mb->first == NULL ? NULL : mb->last;
    mb->current = r;
    if (old != NULL) {
        px_msg_release(old->held);
        free(old);
    }
    return record_msg(r);
}

static _Noreturn void expectation_fails(const struct sim_mailbox *mb, struct text *t,
                                        const char *file, int line)
{
    add_recorded(t, mb);
    sim_fail(mb->system->sim, file, line, t->bytes);
}

const struct px_msg *px_test_expect(struct px_sim_system *system, const char *mailbox,
                                    uint16_t method, const char *file, int line)
{
    struct sim_mailbox *mb = sim_mailbox_find(system, mailbox);
    px_sim_settle(system->sim);
    const struct px_msg *msg = mb->first == NULL ? NULL : record_msg(mb->first);
    if (msg == NULL || msg->method != method ||
        (msg->kind != PX_KIND_ONEWAY && msg->kind != PX_KIND_CALL)) {
        struct text t = {.len = 0};
        text_add(&t, "expected at %s: ", mailbox);
        add_method(&t, system, method);
        expectation_fails(mb, &t, file, line);
    }
    return record_next(mb);
}

static const struct px_msg *expect_kind(struct px_sim_system *system, const char *mailbox,
                                        uint8_t kind, uint64_t tag, enum px_status status,
                                        const char *file, int line)
{
    struct sim_mailbox *mb = sim_mailbox_find(system, mailbox);
    px_sim_settle(system->sim);
    const struct px_msg *msg = mb->first == NULL ? NULL : record_msg(mb->first);
    if (msg == NULL || msg->kind != kind || msg->tag != tag || msg->status != status) {
        struct text t = {.len = 0};
        text_add(&t, "expected at %s: ", mailbox);
        add_message(&t, system, &(struct px_msg){.kind = kind, .tag = tag, .status = status});
        expectation_fails(mb, &t, file, line);
    }
    return record_next(mb);
}

const struct px_msg *px_test_expect_reply(struct px_sim_system *system, const char *mailbox,
                                          uint64_t tag, enum px_status status, const char *file,
                                          int line)
{
    return expect_kind(system, mailbox, PX_KIND_REPLY, tag, status, file, line);
}

const struct px_msg *px_test_expect_item(struct px_sim_system *system, const char *mailbox,
                                         uint64_t tag, const char *file, int line)
{
    return expect_kind(system, mailbox, PX_KIND_ITEM, tag, PX_OK, file, line);
}

void px_test_expect_ended(struct px_sim_system *system, const char *mailbox, uint64_t tag,
                          enum px_status reason, const char *file, int line)
{
    (void)expect_kind(system, mailbox, PX_KIND_ENDED, tag, reason, file, line);
}

void px_test_expect_payload(struct px_sim_system *system, const struct px_msg *msg,
                            const void *data, size_t len, const char *file, int line)
{
    const struct px_slice *slices;
    uint32_t n = px_msg_payload(msg, &slices);
    const uint8_t *want = data;
    size_t at = 0;
    bool same = px_msg_payload_len(msg) == len;
    for (uint32_t i = 0; same && i < n; i++) {
        same = memcmp(slices[i].ptr, want + at, slices[i].len) == 0;
        at += slices[i].len;
    }
    if (!same) {
        struct text t = {.len = 0};
        text_add(&t, "expected a payload of %zu bytes \"%.*s\"\n  came: ", len,
                 len > 200 ? 200 : (int)len, (const char *)data);
        add_message(&t, system, msg);
        for (uint32_t i = 0; i < n; i++) {
            text_add(&t, "\n    \"%.*s\"", slices[i].len > 200 ? 200 : (int)slices[i].len,
                     (const char *)slices[i].ptr);
        }
        sim_fail(system->sim, file, line, t.bytes);
    }
}

void px_test_expect_silence(struct px_sim *sim, const char *file, int line)
{
    px_sim_settle(sim);
    for (struct px_sim_system *system = sim->systems; system != NULL; system = system->next) {
        for (uint32_t i = 1; i <= system->n_mailboxes; i++) {
            if (system->mailboxes[i].first != NULL) {
                struct text t = {.len = 0};
                text_add(&t, "expected silence");
                expectation_fails(&system->mailboxes[i], &t, file, line);
            }
        }
    }
}

uint32_t px_test_recorded(const struct px_sim_system *system, const char *mailbox)
{
    uint32_t n = 0;
    for (const struct sim_record *r = sim_mailbox_find(system, mailbox)->first; r != NULL;
         r = r->next) {
        n++;
    }
    return n;
}

void px_test_forget(struct px_sim_system *system, const char *mailbox)
{
    sim_mailbox_forget(sim_mailbox_find(system, mailbox));
}

/* ---- ledgers ---- */

static void add_mailbox_ledgers(struct text *t, const struct sim_domain *d)
{
    for (uint32_t i = 1; i <= d->system->n_mailboxes; i++) {
        struct px_ledger l;
        if (d->system->mailboxes[i].domain != d->index) {
            continue;
        }
        px_service_ledger(d->kernel, (px_addr)i, &l);
        text_add(t, "\n  %s: holds %u pieces %u bufs %u timers %u elems %u calls %u",
                 d->system->mailboxes[i].name, l.holds, l.pieces, l.bufs, l.timers, l.elems,
                 l.calls);
    }
}

void px_test_expect_ledgers_zero(struct px_sim_system *system, uint32_t elems_max, const char *file,
                                 int line)
{
    uint32_t elems = 0;
    for (uint32_t i = 1; i <= system->n_mailboxes; i++) {
        sim_mailbox_forget(&system->mailboxes[i]);
    }
    for (uint32_t i = 0; i < system->n_domains; i++) {
        const struct sim_domain *d = &system->domains[i];
        struct px_ledger l;
        if (d->kernel == NULL) {
            continue;
        }
        px_kernel_ledger(d->kernel, &l);
        elems += l.elems;
        if (l.queued + l.calls + l.holds + l.pieces + l.bufs + l.blocks + l.timers > 0 ||
            elems > elems_max) {
            struct text t = {.len = 0};
            text_add(&t,
                     "domain %u is not at rest: queued %u calls %u holds %u pieces %u bufs %u "
                     "blocks %u timers %u elems %u (of %u)",
                     i, l.queued, l.calls, l.holds, l.pieces, l.bufs, l.blocks, l.timers, elems,
                     elems_max);
            add_mailbox_ledgers(&t, d);
            px_trace_dump(d->kernel, 40);
            sim_fail(system->sim, file, line, t.bytes);
        }
    }
}

/* ---- seeds ---- */

static bool number_of_env(const char *name, uint64_t *ret)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || *text == '\0') {
        return false;
    }
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (errno != 0 || *end != '\0') {
        fprintf(stderr, "%s=%s is not a number\n", name, text);
        exit(2);
    }
    *ret = value;
    return true;
}

uint64_t px_test_storm(const char *name, uint64_t n, void (*storm)(uint64_t seed, void *ctx),
                       void *ctx)
{
    uint64_t first = 1;
    if (number_of_env("PX_SEED", &first)) {
        n = 1;
    } else {
        (void)number_of_env("PX_SEEDS", &n);
    }
    for (uint64_t i = 0; i < n; i++) {
        storm(first + i, ctx);
    }
    printf("%s: %" PRIu64 " seeds from %" PRIu64 "\n", name, n, first);
    return n;
}
