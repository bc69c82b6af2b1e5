/* files_condition_fuzz.c - lines of "name: value" as the conditions of a request, and each value as
 * a date. A date that is read is written and read again; a verdict does not depend on the order of
 * the lines; and what no tag or date can change is so.
 */
#include "files_condition.h"
#include "files_date.h"
#include "files_encoding.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 16, NOW_S = 1700000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct line {
    struct px_text name, value;
};

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool is_name(const struct line *line, const char *name)
{
    return line->name.len == strlen(name) && memcmp(line->name.ptr, name, line->name.len) == 0;
}

/* Cuts a line off the front. */
static bool next_line(struct px_text *rest, struct line *ret)
{
    if (rest->len == 0) {
        return false;
    }
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    const char *colon = memchr(rest->ptr, ':', len);
    size_t name_len = colon == NULL ? len : (size_t)(colon - rest->ptr);
    size_t skip = colon == NULL ? len : name_len + 1;
    ret->name = (struct px_text){rest->ptr, name_len};
    ret->value = (struct px_text){rest->ptr + skip, len - skip};
    len += end == NULL ? 0 : 1;
    *rest = (struct px_text){rest->ptr + len, rest->len - len};
    return true;
}

static void check_date(struct px_text value)
{
    char text[DATE_TEXT_MAX];
    int64_t at_s = 0, again_s = 0;
    if (date_parse(value, NOW_S, &at_s)) {
        date_format(at_s, text);
        check(strlen(text) == DATE_TEXT_MAX - 1);
        check(date_parse((struct px_text){text, strlen(text)}, NOW_S, &again_s));
        /* the last second of the year 9999 may be a leap second, which has nowhere to go */
        check(again_s == at_s || again_s + 1 == at_s);
    }
}

static void check_codings(struct px_text value)
{
    struct codings codings = {.said_any = false};
    enum coding order[N_CODINGS];
    codings_add(&codings, value);
    uint32_t n = codings_order(&codings, order);
    check(n <= N_CODINGS);
    for (uint32_t i = 0; i < n; i++) {
        check(order[i] < N_CODINGS && (i == 0 || order[i] != order[0]));
    }
}

/* Repeated lines of a date or of If-Range replace each other: there the order counts. */
static bool order_counts(const struct line *lines, uint32_t n)
{
    static const char *const names[] = {"if-modified-since", "if-unmodified-since", "if-range",
                                        "range"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        uint32_t seen = 0;
        for (uint32_t i = 0; i < n; i++) {
            seen += is_name(&lines[i], names[k]) ? 1 : 0;
        }
        if (seen > 1) {
            return true;
        }
    }
    return false;
}

static struct conditions collect(const struct validators *validators, const struct line *lines,
                                 uint32_t n, bool backwards)
{
    struct conditions conditions;
    conditions_begin(&conditions, validators);
    for (uint32_t i = 0; i < n; i++) {
        const struct line *line = &lines[backwards ? n - 1 - i : i];
        conditions_add(&conditions, line->name, line->value);
    }
    return conditions;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct validators validators = {"\"a\"", 784111777, NOW_S};
    struct px_text rest = {(const char *)data, len}, range;
    struct line lines[LINES_MAX];
    uint32_t n = 0;
    while (n < LINES_MAX && next_line(&rest, &lines[n])) {
        check_date(lines[n].value);
        check_codings(lines[n].value);
        n++;
    }
    struct conditions c = collect(&validators, lines, n, false);
    enum condition get = conditions_judge(&c, true), other = conditions_judge(&c, false);
    check(other != CONDITION_NOT_MODIFIED);
    check(get == CONDITION_GO ? other == CONDITION_GO : true);
    check(c.has_match || c.has_none || c.modified || c.unmodified || get == CONDITION_GO);
    if (conditions_range(&c, &range)) {
        check(range.ptr >= (const char *)data && range.ptr + range.len <= (const char *)data + len);
    }
    if (!order_counts(lines, n)) {
        c = collect(&validators, lines, n, true);
        check(conditions_judge(&c, true) == get && conditions_judge(&c, false) == other);
    }
    return 0;
}
