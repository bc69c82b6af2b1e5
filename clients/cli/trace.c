/* trace.c - plexus trace: the messages of a running system, as they are sent.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "look.h"

enum { TRACE_PAUSE_MS = 100 };

static const struct cli_option options[] = {
    LOOK_NAME,          {"--service", "SERVICE", "only what SERVICE sends or gets"},
    LOOK_ONCE,          LOOK_JSON,
    {NULL, NULL, NULL},
};

static void print_text(const Inspect__TraceIs *r)
{
    printf("%6" PRIu64 ".%06" PRIu64 "  %-12.*s -> %-12.*s %-6.*s %-28.*s %8u  %016" PRIx64,
           r->at_us / 1000000, r->at_us % 1000000, LOOK_ARG(r->sender), LOOK_ARG(r->receiver),
           LOOK_ARG(r->kind), LOOK_ARG(r->method), r->bytes, r->about);
    if (r->kind.len == 5 && memcmp(r->kind.data, "reply", 5) == 0) {
        printf("  %s", px_status_name((enum px_status)r->status));
    }
    if (r->outcome.len != 6 || memcmp(r->outcome.data, "queued", 6) != 0) {
        printf("  (%.*s)", LOOK_ARG(r->outcome));
    }
    printf("\n");
}

static void print_bytes(const char *key, const ProtobufCBinaryData *bytes)
{
    printf(", \"%s\": ", key);
    json_print_text(bytes->data, bytes->len, stdout);
}

static void print_json(const Inspect__TraceIs *r)
{
    printf("{\"at_us\": %" PRIu64, r->at_us);
    print_bytes("sender", &r->sender);
    print_bytes("receiver", &r->receiver);
    print_bytes("kind", &r->kind);
    print_bytes("method", &r->method);
    printf(", \"about\": \"%016" PRIx64 "\", \"bytes\": %u, \"status\": \"%s\"", r->about, r->bytes,
           px_status_name((enum px_status)r->status));
    print_bytes("outcome", &r->outcome);
    printf("}\n");
}

/* Our own questions are not what somebody wants to see. */
static bool is_ours(const Inspect__TraceIs *r)
{
    return r->method.len == strlen("inspect.Inspect.Trace") &&
           memcmp(r->method.data, "inspect.Inspect.Trace", r->method.len) == 0;
}

static void print_records(const struct look *look, const Inspect__TraceRecords *records)
{
    if (records->missed > 0) {
        fprintf(stderr, "%" PRIu64 " messages were missed: the ring keeps 4096\n", records->missed);
    }
    for (size_t i = 0; i < records->n_records; i++) {
        if (is_ours(records->records[i])) {
            continue;
        }
        if (look->json) {
            print_json(records->records[i]);
        } else {
            print_text(records->records[i]);
        }
    }
    fflush(stdout);
}

/* One question. False: said why. */
static bool trace_step(const struct look *look, struct door_client *client, uint64_t *position)
{
    Inspect__TraceFrom from = INSPECT__TRACE_FROM__INIT;
    from.position = *position;
    if (look->service != NULL) {
        from.service.data = (uint8_t *)(uintptr_t)look->service;
        from.service.len = strlen(look->service);
    }
    Inspect__TraceRecords *records = door_client_inspect(client, "Trace", look->service, &from.base,
                                                         &inspect__trace_records__descriptor);
    if (records == NULL) {
        return false;
    }
    print_records(look, records);
    *position = records->position;
    inspect__trace_records__free_unpacked(records, NULL);
    return true;
}

/* Where the ring ends now. */
static bool trace_end(struct door_client *client, uint64_t *ret)
{
    Inspect__SystemIs *system =
        door_client_inspect(client, "System", NULL, NULL, &inspect__system_is__descriptor);
    if (system == NULL) {
        return false;
    }
    *ret = system->trace_position;
    inspect__system_is__free_unpacked(system, NULL);
    return true;
}

static bool trace_all(const struct look *look, struct door_client *client)
{
    const struct timespec pause = {.tv_nsec = TRACE_PAUSE_MS * 1000000};
    uint64_t position = 0, end = UINT64_MAX;
    if (look->once && !trace_end(client, &end)) {
        return false;
    }
    while (position < end && !ferror(stdout)) {
        uint64_t before = position;
        if (!trace_step(look, client, &position)) {
            return false;
        }
        if (!look->once && position - before < 512) {
            nanosleep(&pause, NULL);
        }
    }
    return true;
}

static enum cli_exit trace_run(int argc, char **argv)
{
    struct look look;
    struct door_client client;
    enum cli_exit code;
    if (!look_read(&cli_trace, argc, argv, &look, &code)) {
        return code;
    }
    if (!door_client_open(&client, "trace", look.name)) {
        return CLI_EXIT_FAILED;
    }
    bool done = trace_all(&look, &client);
    door_client_close(&client);
    return done ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

const struct cli_command cli_trace = {
    .name = "trace",
    .summary = "show the messages of a running system as they are sent",
    .help =
        "usage: plexus trace [--name NAME] [--service SERVICE] [--once] [--json]\n\n"
        "A line for each message, beginning with the oldest that is still known (the last 4096): "
        "time in seconds\nsince the start, who to whom, kind, method, bytes of payload, the call "
        "or handle it is about, the status\nof a reply. Ends with Ctrl-C. Tracing is always on; "
        "looking costs the system a call every 100 ms. With --json\neach line is an object.",
    .options = options,
    .run = trace_run,
};
