/* trace.c - the always-on ring, the log, and the last words of a failed assertion. */
#include "kernel_impl.h"

enum { LOG_LINE_MAX = 512, DUMP_AT_DEATH = 256 };

/* The kernel whose code runs on this thread, for px_assert_fail alone: docs/decisions/0001. */
static _Thread_local struct px_kernel *current;

struct px_kernel *trace_enter(struct px_kernel *k)
{
    struct px_kernel *previous = current;
    current = k;
    return previous;
}

void trace_leave(struct px_kernel *previous)
{
    current = previous;
}

static uint64_t newest(const struct px_kernel *k, size_t max)
{
    uint64_t have = k->trace_next <= k->trace_mask ? k->trace_next : k->trace_mask + UINT64_C(1);
    return have < max ? have : max;
}

size_t px_trace_read(const struct px_kernel *kernel, struct px_trace *ret, size_t max)
{
    uint64_t n = newest(kernel, max);
    for (uint64_t i = 0; i < n; i++) {
        ret[i] = kernel->trace[(kernel->trace_next - n + i) & kernel->trace_mask];
    }
    return (size_t)n;
}

/* ---- lines ---- */

struct line {
    char text[LOG_LINE_MAX];
    size_t len;
};

static void line_text(struct line *l, const char *text)
{
    for (; *text != '\0' && l->len < LOG_LINE_MAX - 1; text++) {
        l->text[l->len++] = *text >= ' ' && *text != 0x7f ? *text : '?';
    }
    l->text[l->len] = '\0';
}

static void line_number(struct line *l, uint64_t number)
{
    char digits[21];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    line_text(l, &digits[at]);
}

static void log_line(const struct px_kernel *k, enum px_log_level level, const char *who,
                     const char *tag, const struct px_kv *kv, size_t n)
{
    struct line l = {.len = 0};
    line_text(&l, who);
    line_text(&l, " ");
    line_text(&l, tag);
    for (size_t i = 0; i < n; i++) {
        line_text(&l, " ");
        line_text(&l, kv[i].key);
        line_text(&l, "=");
        if (kv[i].text != NULL) {
            line_text(&l, kv[i].text);
        } else {
            line_number(&l, kv[i].number);
        }
    }
    if (k->world.log != NULL) {
        k->world.log(k->world.ctx, level, l.text);
    }
}

void px_log(struct px_env *env, enum px_log_level level, const char *tag, const struct px_kv *kv,
            size_t n)
{
    log_line(env->kernel, level, env->name, tag, kv, n);
}

static void dump_record(const struct px_kernel *k, const struct px_trace *t)
{
    static const char *const kinds[] = {"oneway", "call", "reply", "item", "ended",
                                        "more",   "lost", "gone",  "back"};
    static const char *const outcomes[] = {"queued", "denied", "lost", "late", "nobody"};
    const ProtobufCServiceDescriptor *d = NULL;
    if (kernel_method(k, t->method) != NULL) {
        d = k->contracts[k->slot_of[t->method >> 8]].contract->descriptor;
    }
    const struct px_kv kv[] = {
        PX_KV_U64("us", t->at_us),
        PX_KV_STR("from", k->mailboxes[t->from <= k->n_mailboxes ? t->from : 0].name),
        PX_KV_STR("to", k->mailboxes[t->to <= k->n_mailboxes ? t->to : 0].name),
        PX_KV_STR("contract", d != NULL ? d->name : "-"),
        PX_KV_STR("method", d != NULL ? d->methods[t->method & 0xffu].name : "-"),
        PX_KV_STR("kind", kinds[t->kind]),
        PX_KV_U64("about", t->about),
        PX_KV_U64("bytes", t->bytes),
        PX_KV_STR("status", px_status_name((enum px_status)t->status)),
        PX_KV_STR("outcome", outcomes[t->outcome]),
    };
    log_line(k, PX_LOG_ERROR, "kernel", "trace", kv, sizeof kv / sizeof kv[0]);
}

void px_trace_dump(const struct px_kernel *kernel, size_t max)
{
    uint64_t n = newest(kernel, max);
    for (uint64_t i = 0; i < n; i++) {
        dump_record(kernel, &kernel->trace[(kernel->trace_next - n + i) & kernel->trace_mask]);
    }
}

_Noreturn void px_assert_fail(const char *expr, const char *file, int line)
{
    struct px_kernel *k = current;
    current = NULL; /* should the dump itself fail */
    if (k != NULL) {
        const struct px_kv kv[] = {PX_KV_STR("expr", expr), PX_KV_STR("file", file),
                                   PX_KV_U64("line", (uint64_t)line)};
        log_line(k, PX_LOG_ERROR, "kernel", "assertion-failed", kv, sizeof kv / sizeof kv[0]);
        px_trace_dump(k, DUMP_AT_DEATH);
    }
    if (k != NULL && k->world.die != NULL) {
        k->world.die(k->world.ctx);
    }
    __builtin_trap();
}
