/* ps.c - plexus ps: the services of a running system.
 */
#include <stdlib.h>

#include "look.h"

static const struct cli_option options[] = {LOOK_NAME, LOOK_JSON, {NULL, NULL, NULL}};

static void print_system(const Inspect__SystemIs *system)
{
    uint64_t seconds = system->uptime_us / 1000000;
    char memory[16];
    look_short((double)system->memory, memory);
    printf("plexus %.*s, process %u, up %llu:%02llu:%02llu, %sB, %u calls open, %llu messages "
           "delivered, %llu lost, %llu denied\n",
           LOOK_ARG(system->version), system->pid, (unsigned long long)(seconds / 3600),
           (unsigned long long)(seconds / 60 % 60), (unsigned long long)(seconds % 60), memory,
           system->calls, (unsigned long long)system->deliveries, (unsigned long long)system->lost,
           (unsigned long long)system->denied);
}

static void print_service(const Inspect__ServiceIs *s)
{
    char pid[16] = "-";
    if (s->pid != 0) {
        snprintf(pid, sizeof pid, "%u", s->pid);
    }
    printf("%-16.*s %8s %-5s %6u %6u %7u %7u %8u  ", LOOK_ARG(s->name), pid,
           s->alive ? (s->remote ? "away" : "here") : "gone", s->calls, s->holds, s->pieces,
           s->timers, s->elements);
    for (size_t i = 0; i < s->n_contracts; i++) {
        printf("%s%.*s", i == 0 ? "" : ", ", LOOK_ARG(s->contracts[i]->name));
    }
    printf("\n");
}

static void print_domain(const Inspect__DomainIs *d)
{
    printf("domain %.*s: %.*s, process %u, started %u time%s; sandbox: %.*s", LOOK_ARG(d->name),
           LOOK_ARG(d->state), d->pid, d->starts, d->starts == 1 ? "" : "s", LOOK_ARG(d->sandbox));
    if (d->lane.len > 0) {
        printf("; lane: %.*s", LOOK_ARG(d->lane));
    }
    if (d->why.len > 0) {
        printf("; ended last: %.*s", LOOK_ARG(d->why));
    }
    printf("\n");
}

static bool print_text(struct door_client *client)
{
    Inspect__SystemIs *system =
        door_client_inspect(client, "System", NULL, NULL, &inspect__system_is__descriptor);
    Inspect__ServiceList *list = system == NULL
                                     ? NULL
                                     : door_client_inspect(client, "Services", NULL, NULL,
                                                           &inspect__service_list__descriptor);
    if (list != NULL) {
        print_system(system);
        printf("%-16s %8s %-5s %6s %6s %7s %7s %8s  %s\n", "SERVICE", "PROCESS", "STATE", "CALLS",
               "HOLDS", "PIECES", "TIMERS", "ELEMENTS", "MAY BE CALLED");
    }
    for (size_t i = 0; list != NULL && i < list->n_services; i++) {
        print_service(list->services[i]);
    }
    for (size_t i = 0; list != NULL && i < list->n_domains; i++) {
        print_domain(list->domains[i]);
    }
    bool done = list != NULL;
    if (list != NULL) {
        inspect__service_list__free_unpacked(list, NULL);
    }
    if (system != NULL) {
        inspect__system_is__free_unpacked(system, NULL);
    }
    return done;
}

/* What inspect.Services answers, as a part of a larger object. */
static bool print_list(struct door_client *client, const Inspect__Description *types)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    bool done = memory != NULL && look_print_json(client, types, "Services", memory);
    if (memory != NULL) {
        fclose(memory);
    }
    if (done) {
        printf(", %s\n", text + 1); /* without its brace */
    }
    free(text);
    return done;
}

static bool print_json(struct door_client *client)
{
    Inspect__Description *types = door_client_describe(client, "inspect");
    if (types == NULL) {
        return false;
    }
    printf("{\"system\": ");
    bool done = look_print_json(client, types, "System", stdout) && print_list(client, types);
    inspect__description__free_unpacked(types, NULL);
    return done;
}

static enum cli_exit ps_run(int argc, char **argv)
{
    struct look look;
    struct door_client client;
    enum cli_exit code;
    if (!look_read(&cli_ps, argc, argv, &look, &code)) {
        return code;
    }
    if (!door_client_open(&client, "ps", look.name)) {
        return CLI_EXIT_FAILED;
    }
    bool done = look.json ? print_json(&client) : print_text(&client);
    door_client_close(&client);
    return done ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

const struct cli_command cli_ps = {
    .name = "ps",
    .summary = "list the services of a running system, and what each holds",
    .help =
        "usage: plexus ps [--name NAME] [--json]\n\n"
        "A line for each service: its process, whether it is here, away in another process, or "
        "gone;\nopen calls, messages and pieces of payload it keeps, timers, elements of its "
        "pools\n(connections, requests, ...), and the contracts that plexus call can use. Then a "
        "line for each process\nthat hosts services: its state, how often it was started, its "
        "sandbox.\n"
        "With --json also counters, and the system as a whole.",
    .options = options,
    .run = ps_run,
};
