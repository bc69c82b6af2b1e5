/* words.c - see words.h. */
#include "words.h"

#include <errno.h>
#include <px/service.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LEVEL_LEN = 3, READ_LEN = 4096, US_A_SECOND = 1000000 };

static enum px_log_level level_take(const char *text, size_t *ret_skip)
{
    bool has_level = text[0] == '<' && text[1] >= '0' && text[1] <= '3' && text[2] == '>';
    *ret_skip = has_level ? LEVEL_LEN : 0;
    return has_level ? (enum px_log_level)(text[1] - '0') : PX_LOG_WARN;
}

/* A line too many? The first of the next second says how many there were. */
static bool is_too_much(struct words *words, uint64_t now_us)
{
    uint64_t second = now_us / US_A_SECOND;
    if (second != words->second) {
        uint32_t n = words->n_dropped;
        words->second = second;
        words->n_lines = words->n_dropped = 0;
        if (n > 0) {
            char text[64];
            snprintf(text, sizeof text, "%u lines were dropped: too many", n);
            words->line(words->ctx, PX_LOG_WARN, text);
        }
    }
    if (words->n_lines == WORDS_A_SECOND) {
        words->n_dropped++;
        return true;
    }
    words->n_lines++;
    return false;
}

static void line_tell(struct words *words, uint64_t now_us)
{
    size_t skip = 0;
    words->text[words->len] = '\0';
    if (words->len > 0 && !is_too_much(words, now_us)) {
        enum px_log_level level = level_take(words->text, &skip);
        words->line(words->ctx, level, words->text + skip);
    }
    words->len = 0;
}

void words_take(struct words *words, const char *bytes, size_t len, uint64_t now_us)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            line_tell(words, now_us);
        } else if (words->len < WORDS_LINE_MAX) {
            words->text[words->len++] = bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '?';
        }
    }
}

bool words_read(struct words *words, int fd, uint64_t now_us)
{
    char bytes[READ_LEN];
    for (int i = 0; i < WORDS_READ_MAX; i++) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n > 0) {
            words_take(words, bytes, (size_t)n, now_us);
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            line_tell(words, now_us); /* the last one may not have ended */
            return false;
        } else if (errno == EAGAIN) {
            return true;
        }
    }
    return true;
}
