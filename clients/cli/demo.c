/* demo.c - what plexus serve shows when it was given no directory: a page that explains itself, and
 * a few things to try on it.
 */
#include "cli.h"

#include <inttypes.h>
#include <px/kernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ECHO_LEN_MAX = 1 << 20, COUNT_LINES = 10, COUNT_US = 200000 };

static const char page[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Plexus</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>body{font:17px/1.5 system-ui,sans-serif;max-width:44em;margin:3em auto;padding:0 1em}"
    "code,pre{background:#f2f2f2;padding:.1em "
    ".3em}pre{padding:.7em;overflow:auto}</style></head><body>\n"
    "<h1>It works.</h1>\n"
    "<p>This page comes from <b>Plexus</b>, a network stack made of small isolated services. The "
    "bytes you\n"
    "read went through three of them: <code>net</code> accepted your connection, <code>h1</code> "
    "read your\n"
    "request, and <code>app</code>, the program's own mailbox, answered it. They share no state "
    "and talk in\n"
    "messages only.</p>\n"
    "<h2>Try</h2>\n<pre>\n"
    "curl -i http://localhost:8080/hello/you          a path parameter\n"
    "curl -d 'anything' http://localhost:8080/echo    a request body, back again\n"
    "curl -N http://localhost:8080/count              a response that is streamed\n"
    "curl -i -X PUT http://localhost:8080/hello/you   405, with Allow\n"
    "curl http://localhost:8080/stats                 the kernel's ledger\n"
    "plexus serve --root .                            serve files instead\n"
    "plexus help serve                                everything else\n</pre>\n"
    "<p><a href=\"/hello/you\">/hello/you</a> &middot; <a href=\"/count\">/count</a> &middot;\n"
    "<a href=\"/stats\">/stats</a></p>\n</body></html>\n";

static void on_page(struct px_request request, void *arg)
{
    struct px_reply reply = {
        .content_type = "text/html; charset=utf-8", .body = page, .body_len = sizeof page - 1};
    (void)arg;
    px_request_reply(request, &reply);
}

static void on_hello(struct px_request request, void *arg)
{
    char text[512];
    struct px_text name = px_request_param(request, "name");
    (void)arg;
    name.len = name.len > 256 ? 256 : name.len;
    snprintf(text, sizeof text, "Hello, %.*s!\n", PX_TEXT_ARG(name));
    px_request_reply_text(request, 200, text);
}

/* ---- /echo ---- */

static void echo_collected(struct px_request request, void *arg, const void *data, size_t len)
{
    struct px_reply reply = {
        .content_type = "application/octet-stream", .body = data, .body_len = len};
    (void)arg;
    px_request_reply(request, &reply);
}

static void on_echo(struct px_request request, void *arg)
{
    (void)arg;
    px_request_collect(request, ECHO_LEN_MAX, echo_collected, NULL);
}

/* ---- /count ---- */

struct count {
    struct px_timer timer;
    struct px_request request;
    int n;
};

static void count_tick(struct px_timer *timer, void *arg)
{
    struct count *count = arg;
    char line[32];
    int len = snprintf(line, sizeof line, "%d\n", ++count->n);
    px_request_send(count->request, line, (size_t)len);
    if (count->n < COUNT_LINES) {
        px_timer_set(count->request.system, timer, COUNT_US, count_tick, count);
    } else {
        px_request_finish(count->request, NULL, 0);
    }
}

static void count_ended(struct px_request request, void *arg, enum px_status status)
{
    struct count *count = arg;
    (void)request;
    (void)status;
    px_timer_cancel(&count->timer);
    free(count);
}

static const struct px_request_events count_events = {.ended = count_ended};

static void on_count(struct px_request request, void *arg)
{
    struct count *count = calloc(1, sizeof *count);
    struct px_reply reply = {.content_type = "text/plain"};
    (void)arg;
    if (count == NULL) {
        px_request_reply_text(request, 503, "503 Service Unavailable\n");
        return;
    }
    count->request = request;
    px_request_on(request, &count_events, count);
    px_request_begin(request, &reply);
    count_tick(&count->timer, count);
}

/* ---- /stats ---- */

static void on_stats(struct px_request request, void *arg)
{
    char text[512];
    struct px_ledger ledger;
    px_system_ledger(arg, &ledger);
    snprintf(text, sizeof text,
             "deliveries  %" PRIu64 "\nturns       %" PRIu64 "\nlost        %" PRIu64
             "\ndenied      %" PRIu64 "\nallocations %" PRIu64 "\nmemory      %" PRIu64
             " bytes\ncalls       %" PRIu32 "\nheld        %" PRIu32 "\ntimers      %" PRIu32
             "\nelements    %" PRIu32 "\n",
             ledger.deliveries, ledger.turns, ledger.lost, ledger.denied, ledger.allocs, ledger.mem,
             ledger.calls, ledger.holds, ledger.timers, ledger.elems);
    px_request_reply_text(request, 200, text);
}

enum px_err demo_add(struct px_system *system, struct px_routes *routes)
{
    PX_TRY(px_routes_add(routes, "GET", "/", on_page, NULL, NULL));
    PX_TRY(px_routes_add(routes, "GET", "/hello/:name", on_hello, NULL, NULL));
    PX_TRY(px_routes_add(routes, "POST", "/echo", on_echo, NULL, NULL));
    PX_TRY(px_routes_add(routes, "GET", "/count", on_count, NULL, NULL));
    return px_routes_add(routes, "GET", "/stats", on_stats, system, NULL);
}
