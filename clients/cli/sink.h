/* sink.h - lines to a file or to standard error without ever making the caller wait: a bounded
 * queue and a thread that writes. What does not fit is dropped and counted.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SINK_LEN = 1 << 20,   /* bytes that wait; a line that finds no room is dropped and counted */
    SINK_GATHER_MS = 20,  /* lines are written together, at most so late */
    SINK_FLUSH_MS = 2000, /* sink_free waits so long for what is still to be written */
    SINK_MODE = 0640,     /* of a file that it makes */
};

struct sink;

/* What became of a file. Called from the thread that writes. */
enum sink_event { SINK_REOPENED, SINK_NOT_REOPENED, SINK_NOT_WRITTEN };
typedef void (*sink_fn)(void *arg, struct sink *sink, enum sink_event event, int err);

/* Opens it: `path` NULL is standard error. `fn` may be NULL. 0, or an errno. */
int sink_new(const char *path, sink_fn fn, void *arg, struct sink **ret_sink);
/* Writes what is there, ends the thread, closes the file. If writing takes too long, what is left
 * is lost, and false is returned. NULL is fine. */
bool sink_free(struct sink *take_sink);
/* The same without waiting: the thread ends by itself, and nothing is heard of it any more. */
void sink_leave(struct sink *take_sink);
/* One line, with its newline. False: dropped. For one thread. */
bool sink_put(struct sink *sink, const char *line, size_t len);
/* Is there room for a line to say so? */
bool sink_has_room(const struct sink *sink);
/* Lines dropped since this was last asked. */
uint64_t sink_dropped(struct sink *sink);
/* Has the thread open the path again, for who has renamed the file. */
void sink_reopen(struct sink *sink);
/* The path; NULL: standard error. */
const char *sink_path(const struct sink *sink);
/* Gives the file to a user, so that it can be opened again after root was given up. 0, or an errno.
 */
int sink_give(struct sink *sink, uint32_t uid, uint32_t gid);

#endif
