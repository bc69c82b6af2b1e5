/* logs.c - what is written where, and what becomes of it.
 */
#include "logs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EVENT_LEN_MAX = 2048 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const level_priorities[] = {"<3>", "<4>", "<6>", "<7>"}; /* sd-daemon(3) */

/* ---- events ---- */

struct text {
    char bytes[EVENT_LEN_MAX];
    size_t len;
};

static void text_put(struct text *t, const char *bytes, size_t len)
{
    size_t room = sizeof t->bytes - 1 - t->len;
    len = len < room ? len : room;
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

static void text_add(struct text *t, const char *bytes)
{
    text_put(t, bytes, strlen(bytes));
}

static bool needs_quotes(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f) {
            return true;
        }
    }
    return value[0] == '\0';
}

static void text_value(struct text *t, const char *value)
{
    if (!needs_quotes(value)) {
        text_add(t, value);
        return;
    }
    text_add(t, "\"");
    for (const char *c = value; *c != '\0'; c++) {
        char hex[8];
        if (*c == '"' || *c == '\\') {
            snprintf(hex, sizeof hex, "\\%c", *c);
        } else if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            snprintf(hex, sizeof hex, "\\x%02X", (unsigned char)*c);
        } else {
            snprintf(hex, sizeof hex, "%c", *c);
        }
        text_add(t, hex);
    }
    text_add(t, "\"");
}

static void text_begin(struct text *t, const struct logs *logs, enum serve_level level)
{
    struct timespec ts = {.tv_sec = 0};
    struct tm tm;
    char time[64];
    memset(&tm, 0, sizeof tm);
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(time, sizeof time, "time=%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time + n, sizeof time - n, ".%03ldZ", ts.tv_nsec / 1000000);
    bool is_stderr = logs->service == NULL || sink_path(logs->service) == NULL;
    text_add(t, logs->journal && is_stderr ? level_priorities[level] : "");
    text_add(t, time);
    text_add(t, " level=");
    text_add(t, level_names[level]);
}

static void tell_dropped(struct logs *logs, struct sink *sink);

static void emit(struct logs *logs, const struct text *t)
{
    if (logs->service == NULL) {
        (void)!write(STDERR_FILENO, t->bytes, t->len);
    } else {
        (void)sink_put(logs->service, t->bytes, t->len);
        tell_dropped(logs, logs->service);
    }
}

/* Lines that found no room are told by the next one. If that finds none either it is counted too.
 */
static void tell_dropped(struct logs *logs, struct sink *sink)
{
    char n[24];
    uint64_t dropped = sink_has_room(sink) ? sink_dropped(sink) : 0;
    if (dropped > 0) {
        snprintf(n, sizeof n, "%" PRIu64, dropped);
        log_event(logs, SERVE_WARN, "log_dropped", "lines", n, NULL);
    }
}

void log_event(struct logs *logs, enum serve_level level, const char *event, ...)
{
    struct text t = {.len = 0};
    va_list args;
    if (level > logs->level) {
        return;
    }
    text_begin(&t, logs, level);
    text_add(&t, " event=");
    text_add(&t, event);
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key != NULL;
         key = va_arg(args, const char *)) {
        text_add(&t, " ");
        text_add(&t, key);
        text_add(&t, "=");
        text_value(&t, va_arg(args, const char *));
    }
    va_end(args);
    t.bytes[t.len++] = '\n'; /* text_put leaves room */
    emit(logs, &t);
}

void log_kernel(void *logs, unsigned level, const char *line)
{
    log_event(logs, level > SERVE_DEBUG ? SERVE_DEBUG : (enum serve_level)level, "kernel", "says",
              line, NULL);
}

/* ---- requests ---- */

void log_request(const struct px_log_record *record, void *arg)
{
    struct logs *logs = arg;
    char line[LOGS_LINE_MAX];
    if (logs->access == NULL) {
        return;
    }
    size_t len = access_line(logs->format, record, line);
    if (sink_put(logs->access, line, len)) {
        tell_dropped(logs, logs->access);
    }
}

/* ---- trouble of the threads that write ---- */

struct trouble {
    enum sink_event event;
    int err;
    char path[256];
};

static void on_trouble(void *arg, const void *data, size_t len)
{
    struct logs *logs = arg;
    struct trouble t;
    memcpy(&t, data, len < sizeof t ? len : sizeof t);
    switch (t.event) {
    case SINK_REOPENED:
        log_event(logs, SERVE_INFO, "log_reopened", "file", t.path, NULL);
        break;
    case SINK_NOT_REOPENED:
        log_event(logs, SERVE_ERROR, "log_not_reopened", "file", t.path, "why", strerror(t.err),
                  "so", "the old file is written on", NULL);
        break;
    case SINK_NOT_WRITTEN:
        log_event(logs, SERVE_ERROR, "log_not_written", "file", t.path, "why", strerror(t.err),
                  NULL);
        break;
    }
}

/* In the thread of a sink. What it writes to is what it complains of: standard error alone cannot
 * be complained of anywhere. */
static void post_trouble(void *arg, struct sink *sink, enum sink_event event, int err)
{
    struct logs *logs = arg;
    struct trouble t = {.event = event, .err = err};
    if (logs->system != NULL && sink_path(sink) != NULL) {
        snprintf(t.path, sizeof t.path, "%s", sink_path(sink));
        (void)!px_system_post(logs->system, on_trouble, logs, &t, sizeof t);
    }
}

/* ---- opening ---- */

static bool same_path(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct sink *find(const struct logs *logs, const char *path)
{
    if (logs != NULL && logs->service != NULL && same_path(sink_path(logs->service), path)) {
        return logs->service;
    }
    if (logs != NULL && logs->access != NULL && same_path(sink_path(logs->access), path)) {
        return logs->access;
    }
    return NULL;
}

/* The sink that the key at `node` names. NULL: a mistake was told. */
static struct sink *open_sink(struct logs *logs, const struct logs *open, struct conf *conf,
                              const struct conf_node *node)
{
    const char *path = strcmp(node->value, "stderr") == 0 ? NULL : node->value;
    struct sink *sink = find(logs, path);
    sink = sink == NULL ? find(open, path) : sink;
    int err = sink != NULL ? 0 : sink_new(path, post_trouble, logs->owner, &sink);
    if (err != 0) {
        conf_mistake(conf, node, "cannot be opened: %s", strerror(err));
        return NULL;
    }
    return sink;
}

bool logs_build(struct logs *ret_logs, const struct logs *open, struct conf *conf)
{
    const struct conf_node *root = conf_root(conf);
    struct logs logs = *open;
    logs.service = NULL;
    logs.access = NULL;
    logs.level = (enum serve_level)conf_number(root, "log.level");
    logs.format = (enum serve_format)conf_number(root, "access_log.format");
    logs.service = open_sink(&logs, open, conf, conf_get(root, "log.to"));
    bool ok = logs.service != NULL;
    if (ok && strcmp(conf_text(root, "access_log.to"), "off") != 0) {
        logs.access = open_sink(&logs, open, conf, conf_get(root, "access_log.to"));
        ok = logs.access != NULL;
    }
    if (!ok) {
        logs_leave(&logs, open);
        return false;
    }
    *ret_logs = logs;
    return true;
}

static bool has(const struct logs *logs, const struct sink *sink)
{
    return logs->service == sink || logs->access == sink;
}

void logs_leave(struct logs *take_logs, const struct logs *kept)
{
    struct sink *service = take_logs->service, *access = take_logs->access;
    take_logs->service = NULL;
    take_logs->access = NULL;
    if (access != NULL && access != service && !has(kept, access)) {
        sink_leave(access);
    }
    if (service != NULL && !has(kept, service)) {
        sink_leave(service);
    }
}

void logs_free(struct logs *take_logs)
{
    if (take_logs->access != take_logs->service) {
        (void)sink_free(take_logs->access);
    }
    (void)sink_free(take_logs->service);
    take_logs->access = NULL;
    take_logs->service = NULL;
}

void logs_reopen(struct logs *logs)
{
    if (logs->access != NULL && logs->access != logs->service) {
        sink_reopen(logs->access);
    }
    if (logs->service != NULL) {
        sink_reopen(logs->service);
    }
}
