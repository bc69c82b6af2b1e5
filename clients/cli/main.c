/* main.c - picks the command.
 */
#include "cli.h"
#include "conf.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command *const commands[] = {&cli_serve, &cli_ps,  &cli_call,
                                                     &cli_trace, &cli_top, &cli_boot};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_exit_codes(void)
{
    printf("\nExit codes:\n");
#define X(name, number, text) printf("  %d  %s\n", number, text);
    CLI_EXIT_LIST(X)
#undef X
}

static void print_help(void)
{
    printf("plexus " PLEXUS_VERSION " - a network stack made of small isolated services\n\n"
           "usage: plexus COMMAND [OPTION]...\n\nCommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("  %-10s %s\n", "help",
           "explain a command: plexus help serve; or every key of its configuration: "
           "plexus help configuration");
    printf("\nOptions:\n  --version   print the version\n  --help      print this\n");
    print_exit_codes();
}

static const struct cli_command *command_of(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static enum cli_exit unknown_command(const char *wrong)
{
    const char *names[N_COMMANDS + 3] = {"help", "--help", "--version"};
    for (size_t i = 0; i < N_COMMANDS; i++) {
        names[i + 3] = commands[i]->name;
    }
    fprintf(
        stderr, "plexus: unknown %s '%s'. Did you mean '%s'?\n'plexus --help' lists them all.\n",
        wrong[0] == '-' ? "option" : "command", wrong, conf_nearest(wrong, names, N_COMMANDS + 3));
    return CLI_EXIT_USAGE;
}

static enum cli_exit help(const char *topic)
{
    const struct cli_command *command = topic == NULL ? NULL : command_of(topic);
    if (topic != NULL && strcmp(topic, "configuration") == 0) {
        cli_print_configuration();
        return CLI_EXIT_OK;
    }
    if (topic != NULL && command == NULL) {
        return unknown_command(topic);
    }
    if (command == NULL) {
        print_help();
    } else {
        cli_print_command(command);
        print_exit_codes();
    }
    return CLI_EXIT_OK;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static enum cli_exit run(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        fprintf(stderr, "usage: plexus COMMAND [OPTION]...; 'plexus --help' lists the commands\n");
        return CLI_EXIT_USAGE;
    }
    if (strcmp(first, "--version") == 0) {
        printf("plexus " PLEXUS_VERSION "\n");
        return CLI_EXIT_OK;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        return help(argc > 2 ? argv[2] : NULL);
    }
    const struct cli_command *command = command_of(first);
    if (command == NULL) {
        return unknown_command(first);
    }
    return asks_for_help(argc, argv) ? help(first) : command->run(argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    return (int)run(argc, argv);
}
