/* options.c - reading options, and guessing what was meant by one that is unknown.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, NAMES_MAX = 32 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edits (insert, delete, replace) between two names, of which the first 64 bytes count. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1];
    size_t a_len = strnlen(a, NAME_MAX_LEN), b_len = strnlen(b, NAME_MAX_LEN);
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *cli_nearest(const char *wrong, const char *const *names, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (distance(wrong, names[i]) < distance(wrong, names[best])) {
            best = i;
        }
    }
    return names[best];
}

static bool unknown(struct cli_args *args, const char *wrong)
{
    const char *names[NAMES_MAX] = {"--help"};
    size_t n = 1;
    for (const struct cli_option *o = args->command->options; o->name != NULL && n < NAMES_MAX;
         o++) {
        names[n++] = o->name;
    }
    fprintf(stderr, "plexus %s: unknown %s '%s'. Did you mean '%s'?\n", args->command->name,
            wrong[0] == '-' ? "option" : "argument", wrong, cli_nearest(wrong, names, n));
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
