/* conf_word.c - guessing what was meant by a name that is not known.
 */
#include "conf.h"

#include <string.h>

enum { NAME_MAX_LEN = 64 };

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

const char *conf_nearest(const char *wrong, const char *const *names, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (distance(wrong, names[i]) < distance(wrong, names[best])) {
            best = i;
        }
    }
    return names[best];
}
