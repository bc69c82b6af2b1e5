/* files_condition.c - RFC 9110 13: which request wants what only if the representation is, or is
 * not, what it knows.
 */
#include "files_condition.h"

#include <string.h>

#include "files_date.h"

static bool is_name(struct px_text name, const char *wanted)
{
    return name.len == strlen(wanted) && memcmp(name.ptr, wanted, name.len) == 0;
}

/* RFC 9110 8.8.3: visible characters but the quote, and what lies beyond ASCII. */
static bool is_etag_char(unsigned char c)
{
    return c == 0x21 || (c >= 0x23 && c <= 0x7e) || c >= 0x80;
}

/* Takes one entity-tag from the front. False: there is none. */
static bool take_tag(struct px_text *list, bool *ret_weak, struct px_text *ret_tag)
{
    size_t at = 0;
    *ret_weak = list->len >= 2 && list->ptr[0] == 'W' && list->ptr[1] == '/';
    at = *ret_weak ? 2 : 0;
    size_t start = at;
    if (at == list->len || list->ptr[at] != '"') {
        return false;
    }
    at++;
    while (at < list->len && is_etag_char((unsigned char)list->ptr[at])) {
        at++;
    }
    if (at == list->len || list->ptr[at] != '"') {
        return false;
    }
    at++;
    *ret_tag = (struct px_text){list->ptr + start, at - start};
    *list = (struct px_text){list->ptr + at, list->len - at};
    return true;
}

/* Commas and the space around them. False: something else follows. */
static bool take_commas(struct px_text *list, bool first)
{
    bool comma = first;
    while (list->len > 0 && (list->ptr[0] == ' ' || list->ptr[0] == '\t' || list->ptr[0] == ',')) {
        comma = comma || list->ptr[0] == ',';
        list->ptr++;
        list->len--;
    }
    return comma || list->len == 0;
}

/* Is ours among them? Ours is strong, so a strong comparison (RFC 9110 8.8.3.2) only asks that
 * theirs is too. What follows a mistake is not read: If-Match fails then, If-None-Match holds. */
static bool list_has(struct px_text list, const char *etag, bool strong)
{
    bool weak = false, first = true;
    struct px_text tag;
    if (list.len == 1 && list.ptr[0] == '*') {
        return true; /* there is a representation */
    }
    while (take_commas(&list, first) && take_tag(&list, &weak, &tag)) {
        if (!(strong && weak) && is_name(tag, etag)) {
            return true;
        }
        first = false;
    }
    return false;
}

/* RFC 9110 13.1.5. A date is only strong once its second is over: a later change would show. */
static bool if_range_holds(const struct validators *v, struct px_text value)
{
    bool weak = false;
    struct px_text tag, rest = value;
    int64_t at_s = 0;
    if (take_tag(&rest, &weak, &tag)) {
        return rest.len == 0 && !weak && is_name(tag, v->etag);
    }
    return date_parse(value, v->now_s, &at_s) && at_s == v->modified_s && v->modified_s < v->now_s;
}

void conditions_begin(struct conditions *ret, const struct validators *validators)
{
    *ret = (struct conditions){.validators = validators};
}

void conditions_add(struct conditions *c, struct px_text name, struct px_text value)
{
    const struct validators *v = c->validators;
    int64_t at_s = 0;
    if (is_name(name, "if-match")) {
        c->matches = c->matches || list_has(value, v->etag, true);
        c->has_match = true;
    } else if (is_name(name, "if-none-match")) {
        c->none_matches = c->none_matches || list_has(value, v->etag, false);
        c->has_none = true;
    } else if (is_name(name, "if-unmodified-since")) {
        c->unmodified = date_parse(value, v->now_s, &at_s);
        c->is_unmodified = v->modified_s <= at_s;
    } else if (is_name(name, "if-modified-since")) {
        c->modified = date_parse(value, v->now_s, &at_s);
        c->is_modified = v->modified_s > at_s;
    } else if (is_name(name, "if-range")) {
        c->has_if_range = true;
        c->if_range = if_range_holds(v, value);
    } else if (is_name(name, "range")) {
        c->range = value;
    }
}

enum condition conditions_judge(const struct conditions *c, bool is_get)
{
    if (c->has_match ? !c->matches : c->unmodified && !c->is_unmodified) {
        return CONDITION_FAILED; /* steps 1 and 2 */
    }
    if (c->has_none) { /* step 3 */
        return !c->none_matches ? CONDITION_GO : is_get ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
    }
    if (is_get && c->modified && !c->is_modified) { /* step 4 */
        return CONDITION_NOT_MODIFIED;
    }
    return CONDITION_GO;
}

bool conditions_range(const struct conditions *c, struct px_text *ret_range)
{
    if (c->range.ptr == NULL || (c->has_if_range && !c->if_range)) {
        return false; /* step 5 */
    }
    *ret_range = c->range;
    return true;
}
