/* boot.c - plexus boot: how far a running system is, who keeps it there, and what has happened.
 */
#include <string.h>
#include <time.h>

#include "look.h"
#include "system.pb-c.h"
#include "system_contract.h"

enum { BOOT_LOOK_MS = 100, BOOT_LINE_MAX = 320 };

static const struct cli_option options[] = {LOOK_NAME, LOOK_ONCE, LOOK_JSON, {NULL, NULL, NULL}};

/* What was printed already. */
struct shown {
    uint64_t events;
    char last[BOOT_LINE_MAX]; /* about who is in the way */
};

/* ---- text ---- */

static const char *event_text(uint32_t kind)
{
    switch (kind) {
    case SYSTEM_STEP:
        return "is reached";
    case SYSTEM_FELL:
        return "is all that is left, says";
    case SYSTEM_HELD:
        return "is not left yet, for";
    case SYSTEM_RELEASED:
        return "may be left, for";
    case SYSTEM_VETOED:
        return "is not left at all, for";
    case SYSTEM_VOTER_DIED:
        return "waits for the return of";
    case SYSTEM_VOTER_BACK:
        return "sees again";
    case SYSTEM_OVERDUE:
        return "waits too long for";
    default:
        return "?";
    }
}

static void print_event(const System__Event *e)
{
    printf("%9.3f  %-15.*s %s%s%.*s%s%.*s\n", (double)e->at_us / 1e6, LOOK_ARG(e->state_name),
           event_text(e->kind), e->who.len > 0 ? " " : "", LOOK_ARG(e->who),
           e->why.len > 0 ? ": " : "", LOOK_ARG(e->why));
}

static void print_events(const System__Walk *walk, struct shown *shown)
{
    uint64_t gone = walk->happened - walk->n_events;
    if (shown->events < gone && shown->events > 0) {
        printf("           ... and %llu more\n", (unsigned long long)(gone - shown->events));
    }
    for (uint64_t i = shown->events > gone ? shown->events - gone : 0; i < walk->n_events; i++) {
        print_event(walk->events[i]);
    }
    shown->events = walk->happened;
}

/* Where it is, and the first who is in the way. */
static void now_text(const System__Walk *walk, char ret[BOOT_LINE_MAX])
{
    int n = snprintf(ret, BOOT_LINE_MAX, "%.*s of %.*s", LOOK_ARG(walk->state->name),
                     LOOK_ARG(walk->target_name));
    char *rest = ret + n;
    size_t room = BOOT_LINE_MAX - (size_t)n;
    if (walk->vetoed) {
        snprintf(rest, room, ": %.*s refuses: %.*s", LOOK_ARG(walk->vetoed_by),
                 LOOK_ARG(walk->vetoed_why));
    } else if (walk->n_holders > 0) {
        const System__Holder *h = walk->holders[0];
        bool silent = h->kind == SYSTEM_UNANSWERED;
        n = snprintf(rest, room, ", held by %.*s since %.3f: %.*s%s", LOOK_ARG(h->name),
                     (double)h->since_us / 1e6, silent ? 0 : (int)h->why.len,
                     (const char *)h->why.data, silent ? "it has not answered" : "");
        if (walk->n_holders > 1 && (size_t)n < room) {
            snprintf(rest + n, room - (size_t)n, ", and %zu more", walk->n_holders - 1);
        }
    }
}

static void print_text(const System__Walk *walk, struct shown *shown)
{
    char now[BOOT_LINE_MAX];
    now_text(walk, now);
    bool news = shown->events != walk->happened || strcmp(now, shown->last) != 0;
    print_events(walk, shown);
    if (news) {
        printf("           %s\n", now);
        memcpy(shown->last, now, sizeof now);
        fflush(stdout);
    }
}

/* ---- JSON ---- */

/* A line for each change. False: said why. */
static bool print_json(const Inspect__Description *types, const struct door_answer *answer,
                       const System__Walk *walk, struct shown *shown)
{
    char now[BOOT_LINE_MAX];
    now_text(walk, now);
    if (shown->events == walk->happened && strcmp(now, shown->last) == 0) {
        return true;
    }
    if (!wire_print_json(types, look_output_of(types, "Get"), answer->body, answer->body_len,
                         stdout)) {
        fprintf(stderr, "plexus boot: the answer does not fit its type\n");
        return false;
    }
    printf("\n");
    fflush(stdout);
    shown->events = walk->happened;
    memcpy(shown->last, now, sizeof now);
    return true;
}

/* ---- looking ---- */

static System__Walk *get(struct door_client *client, struct door_answer *ret_answer)
{
    if (!door_client_call(client, "system", "system.System.Get", NULL, 0, 0, ret_answer)) {
        return NULL;
    }
    System__Walk *walk = NULL;
    if (ret_answer->status == PX_OK) {
        walk = system__walk__unpack(NULL, ret_answer->body_len, ret_answer->body);
    }
    if (walk == NULL || walk->state == NULL) {
        fprintf(stderr, "plexus boot: system.Get: %s: %s\n", px_status_name(ret_answer->status),
                ret_answer->text);
        door_answer_free(ret_answer);
        if (walk != NULL) {
            system__walk__free_unpacked(walk, NULL);
        }
        return NULL;
    }
    return walk;
}

/* Looks once. True: there is more to come. */
static bool boot_look(struct door_client *client, const Inspect__Description *types,
                      struct shown *shown, enum cli_exit *ret_exit)
{
    struct door_answer answer;
    System__Walk *walk = get(client, &answer);
    *ret_exit = CLI_EXIT_FAILED;
    if (walk == NULL) {
        return false;
    }
    bool done = true;
    if (types == NULL) {
        print_text(walk, shown);
    } else {
        done = print_json(types, &answer, walk, shown);
    }
    bool there =
        walk->state->state >= walk->target && walk->state->state != PX_STATE_POLICY_INVALID;
    if (done) {
        *ret_exit = walk->vetoed ? CLI_EXIT_CUT : there ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    }
    bool more = done && !walk->vetoed && !there && !ferror(stdout);
    system__walk__free_unpacked(walk, NULL);
    door_answer_free(&answer);
    return more;
}

static enum cli_exit boot_run(int argc, char **argv)
{
    const struct timespec pause = {.tv_nsec = BOOT_LOOK_MS * 1000000L};
    struct look look;
    struct door_client client;
    struct shown shown = {.events = 0};
    enum cli_exit code;
    if (!look_read(&cli_boot, argc, argv, &look, &code)) {
        return code;
    }
    if (!door_client_open(&client, "boot", look.name)) {
        return CLI_EXIT_FAILED;
    }
    Inspect__Description *types = look.json ? door_client_describe(&client, "system") : NULL;
    code = CLI_EXIT_FAILED;
    if (!look.json || types != NULL) {
        while (boot_look(&client, types, &shown, &code) && !look.once) {
            nanosleep(&pause, NULL);
        }
    }
    if (types != NULL) {
        inspect__description__free_unpacked(types, NULL);
    }
    door_client_close(&client);
    return code;
}

const struct cli_command cli_boot = {
    .name = "boot",
    .summary = "follow a running system until it is operational, and say who keeps it",
    .help = "usage: plexus boot [--name NAME] [--once] [--json]\n\n"
            "What has happened: seconds since the start, the state, and who did what to it. Then "
            "the state now, the one it\nwalks to, and who is in the way, since when and why. Goes "
            "on until that state is reached (exit code 0) or\nrefused (3). With --once it does not "
            "wait: 0, 3, or 1 while it is under way. With --json each change is a\nline.",
    .options = options,
    .run = boot_run,
};
