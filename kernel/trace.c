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

size_t px_trace_read(const struct px_kernel *kernel, struct px_trace *ret, size_t max)
{
    uint64_t have =
        kernel->trace_next < kernel->trace_mask + 1u ? kernel->trace_next : kernel->trace_mask + 1u;
    uint64_t n = have < max ? have : max;
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

static void line_pair(struct line *l, const char *key, const char *text, uint64_t number)
{
    line_text(l, " ");
    line_text(l, key);
    line_text(l, "=");
    if (text != NULL) {
        line_text(l, text);
    } else {
        line_number(l, number);
    }
}

void px_log(struct px_env *env, enum px_log_level level, const char *tag, const struct px_kv *kv,
            size_t n)
{
    struct px_kernel *k = env->kernel;
    if (k->world.log == NULL) {
        return;
    }
    struct line l = {.len = 0};
    line_text(&l, env->name);
    line_text(&l, " ");
    line_text(&l, tag);
    for (size_t i = 0; i < n; i++) {
        line_pair(&l, kv[i].key, kv[i].text, kv[i].number);
    }
    k->world.log(k->world.ctx, level, l.text);
}

static void dump_record(const struct px_kernel *k, const struct px_trace *t)
{
    static const char *const kinds[] = {"oneway", "call", "reply", "item", "ended",
                                        "more",   "lost", "gone",  "back"};
    static const char *const outcomes[] = {"", " DENIED", " LOST", " LATE", " NOBODY"};
    struct line l = {.len = 0};
    line_text(&l, "trace");
    line_pair(&l, "us", NULL, t->at_us);
    line_pair(&l, "from", k->mailboxes[t->from <= k->n_mailboxes ? t->from : 0].name, 0);
    line_pair(&l, "to", k->mailboxes[t->to <= k->n_mailboxes ? t->to : 0].name, 0);
    uint32_t slot = k->slot_of[t->method >> 8];
    if (kernel_method(k, t->method) != NULL) {
        const ProtobufCServiceDescriptor *d = k->contracts[slot].contract->descriptor;
        line_pair(&l, "method", d->name, 0);
        line_text(&l, ".");
        line_text(&l, d->methods[t->method & 0xffu].name);
    }
    line_pair(&l, "kind", t->kind < sizeof kinds / sizeof kinds[0] ? kinds[t->kind] : "?", 0);
    line_pair(&l, "about", NULL, t->about);
    line_pair(&l, "bytes", NULL, t->bytes);
    line_pair(&l, "status", px_status_name((enum px_status)t->status), 0);
    line_text(&l, t->outcome < sizeof outcomes / sizeof outcomes[0] ? outcomes[t->outcome] : "");
    k->world.log(k->world.ctx, PX_LOG_ERROR, l.text);
}

void px_trace_dump(const struct px_kernel *kernel, size_t max)
{
    uint64_t have =
        kernel->trace_next < kernel->trace_mask + 1u ? kernel->trace_next : kernel->trace_mask + 1u;
    uint64_t n = have < max ? have : max;
    for (uint64_t i = 0; kernel->world.log != NULL && i < n; i++) {
        dump_record(kernel, &kernel->trace[(kernel->trace_next - n + i) & kernel->trace_mask]);
    }
}

_Noreturn void px_assert_fail(const char *expr, const char *file, int line)
{
    struct px_kernel *k = current;
    current = NULL; /* should the dump itself fail */
    if (k != NULL && k->world.log != NULL) {
        struct line l = {.len = 0};
        line_text(&l, "assertion failed: ");
        line_text(&l, expr);
        line_pair(&l, "file", file, 0);
        line_pair(&l, "line", NULL, (uint64_t)line);
        k->world.log(k->world.ctx, PX_LOG_ERROR, l.text);
        px_trace_dump(k, DUMP_AT_DEATH);
    }
    if (k != NULL && k->world.die != NULL) {
        k->world.die(k->world.ctx);
    }
    __builtin_trap();
}
