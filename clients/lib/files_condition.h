/* files_condition.h - preconditions of a request (RFC 9110 13), for a representation that exists.
 * Pure.
 */
#ifndef FILES_CONDITION_H
#define FILES_CONDITION_H

#include "plexus.h"

/* What the selected representation has. */
struct validators {
    const char *etag;   /* strong, with its quotes */
    int64_t modified_s; /* Last-Modified, as sent */
    int64_t now_s;
};

/* Collects the fields of a request. */
struct conditions {
    const struct validators *validators;
    bool has_match, matches;        /* If-Match; some tag is ours */
    bool has_none, none_matches;    /* If-None-Match; some tag is ours */
    bool unmodified, is_unmodified; /* If-Unmodified-Since, and a date; it holds */
    bool modified, is_modified;     /* the same of If-Modified-Since */
    bool has_if_range, if_range;    /* If-Range; it holds */
    struct px_text range;           /* Range; ptr is NULL without */
};

enum condition {
    CONDITION_GO,           /* 200, or 206 */
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED,       /* 412 */
};

/* `validators` must outlive `ret`. */
void conditions_begin(struct conditions *ret, const struct validators *validators);
/* Takes note of a field of the request, if it is one of those; `name` in lower case. */
void conditions_add(struct conditions *conditions, struct px_text name, struct px_text value);
/* The order of RFC 9110 13.2.2. `is_get`: GET or HEAD. */
enum condition conditions_judge(const struct conditions *conditions, bool is_get);
/* The Range field to obey; false: there is none, or If-Range says to send everything. */
bool conditions_range(const struct conditions *conditions, struct px_text *ret_range);

#endif
