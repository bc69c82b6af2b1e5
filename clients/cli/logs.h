/* logs.h - the two logs of plexus serve: what the server has to say, and one line a request.
 */
#ifndef LOGS_H
#define LOGS_H

#include <plexus.h>

#include "serve_schema.h"
#include "sink.h"

enum {
    LOGS_FIELD_MAX = 2048, /* bytes of a field of a request that are logged; the rest is "..." */
    LOGS_LINE_MAX = 98304, /* of a line: every byte of every field may take six */
};

struct logs {
    struct px_system *system; /* where trouble of the writing threads is posted to; NULL: not yet */
    struct sink *service;     /* NULL: standard error, at once */
    struct sink *access;      /* may be the same; NULL: off */
    enum serve_level level;
    enum serve_format format;
    bool journal;       /* standard error is systemd's: lines begin with their priority */
    struct logs *owner; /* the one that lives as long as the program: trouble is told there */
};

/* What a configuration says, next to what is open: sinks of the same path are shared. False: a
 * mistake was told in `conf`. */
bool logs_build(struct logs *ret_logs, const struct logs *open, struct conf *conf);
/* Closes the sinks of `take_logs` that `kept` does not have, without waiting. */
void logs_leave(struct logs *take_logs, const struct logs *kept);
/* Closes them all, after what is in them was written. */
void logs_free(struct logs *take_logs);
/* Opens the files again, for who has renamed them. */
void logs_reopen(struct logs *logs);

/* "time=... level=info event=EVENT key=value ...": pairs of texts, up to a NULL. */
void log_event(struct logs *logs, enum serve_level level, const char *event, ...)
    __attribute__((sentinel));
/* The log of a px_system_config; `logs` is a struct logs. */
void log_kernel(void *logs, unsigned level, const char *line);
/* A px_log_fn; `logs` is a struct logs. */
void log_request(const struct px_log_record *record, void *logs);

/* ---- access_line.c: pure ---- */

/* One line of either format, with its newline. Whatever a client sent, it is one line, and its
 * fields end where they should. */
size_t access_line(enum serve_format format, const struct px_log_record *record,
                   char ret_line[LOGS_LINE_MAX]);

#endif
