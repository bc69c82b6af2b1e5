/* options.c - reading options, and guessing what was meant by one that is unknown.
 */
#include "cli.h"
#include "conf.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 32 };

static bool unknown(struct cli_args *args, const char *wrong)
{
    const char *names[NAMES_MAX] = {"--help"};
    size_t n = 1;
    for (const struct cli_option *o = args->command->options; o->name != NULL && n < NAMES_MAX;
         o++) {
        names[n++] = o->name;
    }
    fprintf(stderr, "plexus %s: unknown %s '%s'. Did you mean '%s'?\n", args->command->name,
            wrong[0] == '-' ? "option" : "argument", wrong, conf_nearest(wrong, names, n));
    fprintf(stderr, "'plexus help %s' lists them all.\n", args->command->name);
    args->exit = CLI_EXIT_USAGE;
    return false;
}

static bool mistake(struct cli_args *args, const struct cli_option *option, const char *text)
{
    fprintf(stderr, "plexus %s: %s %s\n", args->command->name, option->name, text);
    args->exit = CLI_EXIT_USAGE;
    return false;
}

bool cli_next(struct cli_args *args, const struct cli_option **ret_option, const char **ret_value)
{
    if (args->at >= args->argc) {
        return false;
    }
    const char *arg = args->argv[args->at++];
    const char *equals = strchr(arg, '=');
    size_t len = equals == NULL ? strlen(arg) : (size_t)(equals - arg);
    const struct cli_option *option = args->command->options;
    if (arg[0] != '-' && args->n_words < args->command->n_words_max) {
        args->n_words++;
        *ret_option = NULL;
        *ret_value = arg;
        return true;
    }
    while (option->name != NULL &&
           (strlen(option->name) != len || memcmp(option->name, arg, len) != 0)) {
        option++;
    }
    if (option->name == NULL) {
        return unknown(args, arg);
    }
    *ret_option = option;
    *ret_value = equals == NULL ? NULL : equals + 1;
    if (option->value == NULL) {
        return equals == NULL || mistake(args, option, "takes no value");
    }
    if (*ret_value == NULL && args->at == args->argc) {
        return mistake(args, option, "needs a value");
    }
    if (*ret_value == NULL) {
        *ret_value = args->argv[args->at++];
    }
    return true;
}

void cli_print_command(const struct cli_command *command)
{
    printf("%s\n\nOptions:\n", command->help);
    for (const struct cli_option *o = command->options; o->name != NULL; o++) {
        char left[48];
        snprintf(left, sizeof left, "%s%s%s", o->name, o->value == NULL ? "" : " ",
                 o->value == NULL ? "" : o->value);
        printf("  %-22s %s\n", left, o->text);
    }
}
