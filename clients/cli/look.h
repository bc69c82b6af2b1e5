/* look.h - what the commands that look into a running system share.
 */
#ifndef LOOK_H
#define LOOK_H

#include <stdio.h>

#include "cli.h"
#include "door_client.h"
#include "wire_json.h"

enum { LOOK_WORDS_MAX = 3 };

/* What their options say. */
struct look {
    const char *name;    /* of the door */
    const char *service; /* --service; NULL: all */
    bool json, once;
    uint32_t timeout_ms; /* 0: the door's */
    const char *words[LOOK_WORDS_MAX];
    uint32_t n_words;
};

/* Their options, each of them one of these. */
#define LOOK_NAME                                                                                  \
    {                                                                                              \
        "--name", "NAME", "of the door: plexus serve --name NAME [plexus]"                         \
    }
#define LOOK_JSON                                                                                  \
    {                                                                                              \
        "--json", NULL, "write JSON"                                                               \
    }
#define LOOK_ONCE                                                                                  \
    {                                                                                              \
        "--once", NULL, "say what there is, and end"                                               \
    }

/* Reads them. False: said why; the code is in `ret_exit`. */
bool look_read(const struct cli_command *command, int argc, char **argv, struct look *ret_look,
               enum cli_exit *ret_exit);

/* Number of the type that `method` answers with; 0: there is no such method. */
uint32_t look_output_of(const Inspect__Description *types, const char *method);
/* Calls inspect.`method` and writes its answer as JSON. False: said why. */
bool look_print_json(struct door_client *client, const Inspect__Description *types,
                     const char *method, FILE *out);

/* "1.2 k", "3.4 M" in `ret`. */
void look_short(double number, char ret[16]);

/* For "%.*s" of bytes. */
#define LOOK_ARG(bytes) (int)(bytes).len, (const char *)(bytes).data

#endif
