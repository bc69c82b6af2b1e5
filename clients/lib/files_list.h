/* files_list.h - the page that shows what is in a directory. Pure.
 */
#ifndef FILES_LIST_H
#define FILES_LIST_H

#include "plexus.h"

#include <px/bytes.h>

/* One entry, as file.DirectoryEntry says it. */
struct list_entry {
    struct px_span name; /* bytes, no slash */
    bool directory;
    uint64_t length; /* bytes */
    int64_t modified_s;
};

/* Reads serialized file.DirectoryEntries. How many there are; `ret` gets the first `max` of them.
 * Reading stops at what is malformed. */
uint32_t list_read(struct px_span entries, struct list_entry *ret, uint32_t max);
/* By name, byte by byte; directories first. */
void list_sort(struct list_entry *entries, uint32_t n);
/* No page of these entries takes more bytes. */
size_t list_page_max(struct px_text path, const struct list_entry *entries, uint32_t n);
/* The page: HTML that is safe for any names. `path` is what the client asked for, decoded; `cut`
 * says that there are more. */
void list_page(struct px_bytes_out *out, struct px_text path, const struct list_entry *entries,
               uint32_t n, bool cut);

#endif
