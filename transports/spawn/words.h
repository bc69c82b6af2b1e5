/* words.h - lines that a process writes to its standard error, for the log of its supervisor. What
 * comes is not believed: a line is cut at WORDS_LINE_MAX bytes, what cannot be printed becomes '?',
 * and of more than WORDS_A_SECOND lines a second the rest is dropped and counted.
 *
 * A line may begin with its level as "<0>" (error) to "<3>" (debug); one without is a warning.
 */
#ifndef PX_SPAWN_WORDS_H
#define PX_SPAWN_WORDS_H

#include <px/world.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WORDS_LINE_MAX = 320,  /* bytes of a line that are kept */
    WORDS_A_SECOND = 1000, /* lines: the 256 of a failed assertion are among them */
    WORDS_READ_MAX = 8,    /* reads of 4 KiB at a time */
};

/* Zeroed but for `line` and `ctx`, which the owner sets. */
struct words {
    void (*line)(void *ctx, enum px_log_level level, const char *line);
    void *ctx;
    char text[WORDS_LINE_MAX + 1];
    size_t len;
    uint64_t second; /* in which `n_lines` came */
    uint32_t n_lines, n_dropped;
};

/* Takes bytes in; whole lines go to `line`. */
void words_take(struct words *words, const char *bytes, size_t len, uint64_t now_us);
/* Reads from a descriptor that does not wait; every line is then told. False: nothing more will
 * come. */
bool words_read(struct words *words, int fd, uint64_t now_us);

#endif
