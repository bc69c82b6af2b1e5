/* serve.h - what the parts of plexus serve share.
 *
 *     serve.c          the command: start, loop, end     serve_config.c   file, environment,
 * options serve_reload.c   SIGHUP, SIGUSR1, the watchdog     serve_schema.c   every key site.c
 * routes   listeners.c  addresses   logs.c, access_line.c, sink.c   logs notify.c         systemd
 * privilege.c  users
 */
#ifndef SERVE_H
#define SERVE_H

#include <plexus.h>

#include "cli.h"
#include "conf.h"
#include "listeners.h"
#include "logs.h"
#include "notify.h"
#include "privilege.h"
#include "serve_schema.h"
#include "site.h"

enum { SETS_MAX = 64 };

/* What the command line says, kept for every reload. */
struct serve_args {
    const char *config;    /* NULL: no file */
    const char *placement; /* NULL: everything in this process */
    bool check;
    struct {
        const char *option, *key, *value;
    } sets[SETS_MAX];
    uint32_t n_sets;
    char listen[4096]; /* --listen, with commas between */
};

struct serve {
    struct serve_args args;
    struct px_system *system;
    struct px_server *server;
    struct conf *conf; /* in force */
    struct site *site; /* in force, of that */
    struct listeners listeners;
    struct logs logs;
    struct notify notify;
    struct px_timer watchdog;
    bool wants_reload, stopping, stopped, cut;
};

/* ---- serve_config.c ---- */

bool serve_args_read(struct serve_args *args, struct cli_args *cli);
/* File, environment and options as one. NULL: no memory. It may hold mistakes (conf_n_errors). */
struct conf *serve_conf_read(const struct serve_args *args, struct logs *logs);
void serve_server_config(const struct conf_node *root, struct px_server_config *ret_config);
/* Tells which keys say something new that only the next start will heed. */
void serve_tell_restart(struct logs *logs, const struct conf_node *before,
                        const struct conf_node *now);

/* ---- serve_door.c ---- */

/* Opens the door that is configured, if there is one. */
enum px_err serve_door(struct px_system *system, const struct conf_node *root);

/* ---- serve_reload.c ---- */

/* Not from inside a callback. */
void serve_reload(struct serve *serve);
/* Begins to heed signals, and to tell systemd that we live. */
enum px_err serve_watch(struct serve *serve);
/* The signals that serve_watch reads are held back from now on, also from threads made later. */
void serve_block_signals(void);
/* "serving 12 routes at 3 addresses" */
void serve_status(const struct serve *serve, char ret_text[128]);

#endif
