/* look.c - see look.h.
 */
#include "look.h"

#include <stdlib.h>
#include <string.h>

static bool timeout_read(const char *command, const char *text, uint32_t *ret_ms)
{
    char *end;
    double seconds = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(seconds >= 0.001) || !(seconds <= 3600)) {
        fprintf(stderr, "plexus %s: --timeout is in seconds, from 0.001 to 3600\n", command);
        return false;
    }
    *ret_ms = (uint32_t)(seconds * 1000);
    return true;
}

bool look_read(const struct cli_command *command, int argc, char **argv, struct look *ret_look,
               enum cli_exit *ret_exit)
{
    struct cli_args args = {.command = command, .argc = argc, .argv = argv};
    struct look look = {.name = "plexus"};
    const struct cli_option *option;
    const char *value;
    while (cli_next(&args, &option, &value)) {
        if (option == NULL) {
            look.words[look.n_words++] = value;
        } else if (strcmp(option->name, "--name") == 0) {
            look.name = value;
        } else if (strcmp(option->name, "--service") == 0) {
            look.service = value;
        } else if (strcmp(option->name, "--json") == 0) {
            look.json = true;
        } else if (strcmp(option->name, "--once") == 0) {
            look.once = true;
        } else if (!timeout_read(command->name, value, &look.timeout_ms)) {
            args.exit = CLI_EXIT_USAGE;
            break;
        }
    }
    *ret_exit = args.exit;
    *ret_look = look;
    return args.exit == CLI_EXIT_OK;
}

uint32_t look_output_of(const Inspect__Description *types, const char *method)
{
    for (size_t i = 0; i < types->n_methods; i++) {
        const ProtobufCBinaryData *name = &types->methods[i]->name;
        if (name->len == strlen(method) && memcmp(name->data, method, name->len) == 0) {
            return types->methods[i]->output;
        }
    }
    return 0;
}

bool look_print_json(struct door_client *client, const Inspect__Description *types,
                     const char *method, FILE *out)
{
    struct door_answer answer;
    uint32_t output = look_output_of(types, method);
    if (!door_client_call(client, "inspect", method, NULL, 0, 0, &answer)) {
        return false;
    }
    bool done =
        answer.status == PX_OK && wire_print_json(types, output, answer.body, answer.body_len, out);
    if (!done) {
        fprintf(stderr, "plexus %s: inspect.%s: %s: %s\n", client->command, method,
                px_status_name(answer.status), answer.text);
    }
    door_answer_free(&answer);
    return done;
}

void look_short(double number, char ret[16])
{
    static const char units[] = " kMGT";
    size_t unit = 0;
    while (number >= 999.5 && unit < sizeof units - 2) {
        number /= 1000;
        unit++;
    }
    if (unit == 0) {
        snprintf(ret, 16, "%.0f", number);
    } else {
        snprintf(ret, 16, "%.*f%c", number < 99.95 ? 1 : 0, number, units[unit]);
    }
}
