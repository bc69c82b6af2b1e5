/* call.c - plexus call: one call of any service of a running system.
 */
#include <stdlib.h>
#include <string.h>

#include "look.h"

static const struct cli_option options[] = {
    LOOK_NAME,
    {"--timeout", "SECONDS", "how long the answer may take, 0.001 to 3600 [30]"},
    {NULL, NULL, NULL},
};

static bool bytes_are(const ProtobufCBinaryData *bytes, const char *text)
{
    return bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
}

/* "Stats", or with its contract in front. NULL: there is none, and said so. */
static const Inspect__MethodIs *method_of(const Inspect__Description *types, const char *service,
                                          const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; i < types->n_methods; i++) {
        const Inspect__MethodIs *m = types->methods[i];
        bool is_in = dot == NULL || ((size_t)(dot - name) == m->contract.len &&
                                     memcmp(name, m->contract.data, m->contract.len) == 0);
        if (is_in && bytes_are(&m->name, dot == NULL ? name : dot + 1)) {
            return m;
        }
    }
    fprintf(stderr, "plexus call: %s has no method '%s'; it has:", service, name);
    for (size_t i = 0; i < types->n_methods; i++) {
        fprintf(stderr, " %.*s", LOOK_ARG(types->methods[i]->name));
    }
    fprintf(stderr, "\n");
    return NULL;
}

static bool answer_print(const struct look *look, const Inspect__Description *types,
                         const Inspect__MethodIs *method, const struct door_answer *answer)
{
    if (answer->status != PX_OK) {
        fprintf(stderr, "plexus call: %s.%s: %s: %s\n", look->words[0], look->words[1],
                px_status_name(answer->status), answer->text);
        return false;
    }
    if (!wire_print_json(types, method->output, answer->body, answer->body_len, stdout)) {
        fprintf(stderr, "plexus call: the answer does not fit its type\n");
        return false;
    }
    printf("\n");
    if (answer->payload_len > 0) {
        fprintf(stderr, "and %zu bytes of payload\n", answer->payload_len);
    }
    return true;
}

static enum cli_exit call_with(const struct look *look, struct door_client *client,
                               const Inspect__Description *types)
{
    char name[300], why[WIRE_WHY_MAX];
    uint8_t *body = NULL;
    size_t len = 0;
    struct door_answer answer;
    const Inspect__MethodIs *method = method_of(types, look->words[0], look->words[1]);
    if (method == NULL) {
        return CLI_EXIT_FAILED;
    }
    if (!wire_of_text(types, method->input, look->n_words > 2 ? look->words[2] : "{}", &body, &len,
                      why)) {
        fprintf(stderr, "plexus call: %s.%s: %s\n", look->words[0], look->words[1], why);
        return CLI_EXIT_USAGE;
    }
    snprintf(name, sizeof name, "%.*s.%.*s", LOOK_ARG(method->contract), LOOK_ARG(method->name));
    bool done =
        door_client_call(client, look->words[0], name, body, len, look->timeout_ms, &answer);
    free(body);
    if (!done) {
        return CLI_EXIT_FAILED;
    }
    done = answer_print(look, types, method, &answer);
    door_answer_free(&answer);
    return done ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static enum cli_exit call_run(int argc, char **argv)
{
    struct look look;
    struct door_client client;
    enum cli_exit code;
    if (!look_read(&cli_call, argc, argv, &look, &code)) {
        return code;
    }
    if (look.n_words < 2) {
        fprintf(stderr, "usage: plexus call SERVICE METHOD [JSON]; 'plexus ps' lists services\n");
        return CLI_EXIT_USAGE;
    }
    if (!door_client_open(&client, "call", look.name)) {
        return CLI_EXIT_FAILED;
    }
    Inspect__Description *types = door_client_describe(&client, look.words[0]);
    code = types == NULL ? CLI_EXIT_FAILED : call_with(&look, &client, types);
    if (types != NULL) {
        inspect__description__free_unpacked(types, NULL);
    }
    door_client_close(&client);
    return code;
}

const struct cli_command cli_call = {
    .name = "call",
    .summary = "call a method of a service of a running system",
    .help = "usage: plexus call [--name NAME] [--timeout SECONDS] SERVICE METHOD [JSON]\n\n"
            "SERVICE is one that plexus ps lists, METHOD one of its methods (\"Stats\", "
            "\"net.Net.Stats\"), JSON the\nfields of the request, such as '{\"listener\": 0}'; "
            "what is left out is zero. The answer is written as\nJSON in any case, with every "
            "field. Bytes that are no text are {\"hex\": \"00ff\"}, numbers above 2^53 strings.",
    .options = options,
    .n_words_max = 3,
    .run = call_run,
};
