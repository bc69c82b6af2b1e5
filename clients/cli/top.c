/* top.c - plexus top: who says how much to whom, now.
 */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "look.h"

enum { TOP_LINES_MAX = 40 };

static const struct cli_option options[] = {LOOK_NAME, LOOK_ONCE, LOOK_JSON, {NULL, NULL, NULL}};

static void print_edge(const Inspect__EdgeIs *e, double seconds)
{
    char rate[16], bytes[16];
    look_short(e->messages / seconds, rate);
    look_short((double)e->bytes / seconds, bytes);
    printf("%-16.*s %-16.*s %10s %10s", LOOK_ARG(e->sender), LOOK_ARG(e->receiver), rate, bytes);
    if (e->answered > 0) {
        printf(" %9u %9" PRIu64 " %9" PRIu64, e->answered, e->answer_p50_us, e->answer_max_us);
    }
    printf("\n");
}

static bool print_text(struct door_client *client)
{
    Inspect__EdgeList *list =
        door_client_inspect(client, "Edges", NULL, NULL, &inspect__edge_list__descriptor);
    if (list == NULL) {
        return false;
    }
    double seconds = list->window_us == 0 ? 1e-6 : (double)list->window_us / 1e6;
    if (isatty(STDOUT_FILENO)) {
        printf("\033[H\033[2J");
    }
    printf("the last %u messages, in %.3f s\n", list->messages, seconds);
    printf("%-16s %-16s %10s %10s %9s %9s %9s\n", "SENDER", "RECEIVER", "MESSAGES/s", "BYTES/s",
           "ANSWERED", "p50 us", "MAX us");
    for (size_t i = 0; i < list->n_edges && i < TOP_LINES_MAX; i++) {
        print_edge(list->edges[i], seconds);
    }
    fflush(stdout);
    inspect__edge_list__free_unpacked(list, NULL);
    return true;
}

static bool print_json(struct door_client *client, const Inspect__Description *types)
{
    bool done = look_print_json(client, types, "Edges", stdout);
    printf("\n");
    fflush(stdout);
    return done;
}

static bool top_all(const struct look *look, struct door_client *client)
{
    const struct timespec pause = {.tv_sec = 1};
    Inspect__Description *types = look->json ? door_client_describe(client, "inspect") : NULL;
    bool done = !look->json || types != NULL;
    while (done) {
        done = look->json ? print_json(client, types) : print_text(client);
        if (look->once || ferror(stdout)) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    if (types != NULL) {
        inspect__description__free_unpacked(types, NULL);
    }
    return done;
}

static enum cli_exit top_run(int argc, char **argv)
{
    struct look look;
    struct door_client client;
    enum cli_exit code;
    if (!look_read(&cli_top, argc, argv, &look, &code)) {
        return code;
    }
    if (!door_client_open(&client, "top", look.name)) {
        return CLI_EXIT_FAILED;
    }
    bool done = top_all(&look, &client);
    door_client_close(&client);
    return done ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

const struct cli_command cli_top = {
    .name = "top",
    .summary = "show who says how much to whom in a running system",
    .help = "usage: plexus top [--name NAME] [--once] [--json]\n\n"
            "Every second, a line for each two services that talk: messages and bytes a second, "
            "and of calls how many were\nanswered, the median time to the answer and the longest, "
            "in microseconds. Counted are the messages that\nthe trace ring holds, the last 4096. "
            "Ends with Ctrl-C. With --json each line is an object.",
    .options = options,
    .run = top_run,
};
