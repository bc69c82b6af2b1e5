/* cli.h - the plexus program: commands, their options, exit codes.
 */
#ifndef CLI_H
#define CLI_H

#include <plexus.h>
#include <stdbool.h>
#include <stddef.h>

/* What the program says to its caller; the help prints this table. */
#define CLI_EXIT_LIST(X)                                                                           \
    X(OK, 0, "done; a server: stopped by SIGTERM or SIGINT, every request was finished")           \
    X(FAILED, 1, "could not be done: the message says why (port taken, no such directory, ...)")   \
    X(USAGE, 2, "the command line or the configuration makes no sense: the message says where")    \
    X(CUT, 3, "cut short: a server stopped with requests unfinished; a boot was refused a state")

enum cli_exit {
#define X(name, number, text) CLI_EXIT_##name = number,
    CLI_EXIT_LIST(X)
#undef X
};

struct cli_option {
    const char *name;  /* with its dashes */
    const char *value; /* what the help calls its value; NULL: takes none */
    const char *text;
};

struct cli_command {
    const char *name, *summary, *help;
    const struct cli_option *options; /* the last has no name */
    uint32_t n_words_max;             /* arguments that are no options */
    enum cli_exit (*run)(int argc, char **argv);
};

extern const struct cli_command cli_serve, cli_ps, cli_call, cli_trace, cli_top, cli_boot;
/* `plexus help configuration`: docs/configuration.md. */
void cli_print_configuration(void);

/* ---- options.c ---- */

/* Steps through `argv`: true with the option and its value, false at the end or after a mistake,
 * which was printed (*ret_exit is then CLI_EXIT_USAGE). "--name=value" is the same as "--name
 * value". An argument that is no option comes as a value without option, if the command takes it.
 */
struct cli_args {
    const struct cli_command *command;
    int argc, at;
    uint32_t n_words;
    char **argv;
    enum cli_exit exit;
};
bool cli_next(struct cli_args *args, const struct cli_option **ret_option, const char **ret_value);
void cli_print_command(const struct cli_command *command);

/* ---- demo.c ---- */

/* The page that explains itself, and what it invites to try. */
enum px_err demo_add(struct px_system *system, struct px_routes *routes);

#endif
