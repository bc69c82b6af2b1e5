/* files_mime.c - the type of a file by the ending of its name. Overrides come first, then the
 * built-in table: it is known to be right; the system's fills the gaps.
 */
#include "files_mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "text.h"

struct entry {
    const char *ending; /* lower case */
    const char *type;
};

enum { LINE_MAX_LEN = 1024, ENDING_MAX = 32, TYPE_MAX = 256, ENTRIES_MAX = 16384 };

/* Sorted by ending, once complete. */
struct table {
    struct entry *entries;
    size_t n, cap;
};

struct mime {
    struct table overrides, system;
};

static const struct entry built_in[] = {
    {"7z", "application/x-7z-compressed"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->ending, ((const struct entry *)b)->ending);
}

static const struct entry *find(const struct entry *entries, size_t n, const char *ending)
{
    struct entry key = {ending, NULL};
    return n == 0 ? NULL : bsearch(&key, entries, n, sizeof *entries, compare);
}

/* Both strings in one allocation, which `ending` starts. */
static bool entry_add(struct table *table, const char *ending, const char *type)
{
    if (table->n == table->cap) {
        size_t cap = table->cap == 0 ? 64 : table->cap * 2;
        struct entry *grown = realloc(table->entries, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        table->entries = grown;
        table->cap = cap;
    }
    size_t ending_len = strlen(ending) + 1, type_len = strlen(type) + 1;
    char *mem = malloc(ending_len + type_len);
    if (mem == NULL) {
        return false;
    }
    for (size_t i = 0; i < ending_len; i++) {
        mem[i] = text_lower(ending[i]);
    }
    memcpy(mem + ending_len, type, type_len);
    table->entries[table->n++] = (struct entry){mem, mem + ending_len};
    return true;
}

static void table_sort(struct table *table)
{
    if (table->n > 0) {
        qsort(table->entries, table->n, sizeof *table->entries, compare);
    }
}

static void table_clear(struct table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        free((void *)(uintptr_t)table->entries[i].ending);
    }
    free(table->entries);
}

/* ---- the system's ---- */

/* "type/subtype ending ending ...", '#' begins a comment. */
static bool line_read(struct table *table, char *line)
{
    char *rest = NULL;
    char *type = strtok_r(line, " \t\r\n", &rest);
    if (type == NULL || type[0] == '#' || strchr(type, '/') == NULL || strlen(type) >= TYPE_MAX) {
        return true;
    }
    for (char *ending = strtok_r(NULL, " \t\r\n", &rest); ending != NULL;
         ending = strtok_r(NULL, " \t\r\n", &rest)) {
        if (strlen(ending) < ENDING_MAX && table->n < ENTRIES_MAX &&
            !entry_add(table, ending, type)) {
            return false;
        }
    }
    return true;
}

static enum px_err system_read(struct table *table, const char *path)
{
    char line[LINE_MAX_LEN];
    bool ok = true;
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    if (file == NULL) {
        return PX_EOK;
    }
    while (ok && fgets(line, sizeof line, file) != NULL) {
        ok = line_read(table, line);
    }
    fclose(file);
    table_sort(table);
    return ok ? PX_EOK : PX_ENOMEM;
}

/* ---- the whole ---- */

static bool override_is_valid(const struct px_files_type *type)
{
    size_t len = 0;
    struct px_field field = {"content-type", type->type};
    return type->ending != NULL && type->type != NULL && type->ending[0] != '\0' &&
           strlen(type->ending) < ENDING_MAX && strpbrk(type->ending, "./") == NULL &&
           type->type[0] != '\0' && strlen(type->type) < TYPE_MAX &&
           fields_size(NULL, &field, 1, &len) == PX_EOK;
}

static enum px_err overrides_add(struct table *table, const struct px_files_type *types, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!override_is_valid(&types[i])) {
            return PX_EINVAL;
        }
        if (!entry_add(table, types[i].ending, types[i].type)) {
            return PX_ENOMEM;
        }
    }
    table_sort(table);
    return PX_EOK;
}

enum px_err mime_new(const struct px_files_type *overrides, uint32_t n_overrides, const char *path,
                     struct mime **ret_mime)
{
    struct mime *mime = calloc(1, sizeof *mime);
    if (mime == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = overrides_add(&mime->overrides, overrides, n_overrides);
    err = err == PX_EOK ? system_read(&mime->system, path) : err;
    if (err != PX_EOK) {
        mime_free(mime);
        return err;
    }
    *ret_mime = mime;
    return PX_EOK;
}

void mime_free(struct mime *take_mime)
{
    if (take_mime != NULL) {
        table_clear(&take_mime->overrides);
        table_clear(&take_mime->system);
        free(take_mime);
    }
}

const char *mime_type(const struct mime *mime, struct px_text name)
{
    char ending[ENDING_MAX];
    size_t at = name.len, n = 0;
    while (at > 0 && name.ptr[at - 1] != '.' && name.ptr[at - 1] != '/') {
        at--;
    }
    if (at == 0 || name.ptr[at - 1] != '.' || name.len - at >= sizeof ending) {
        return NULL;
    }
    for (; at < name.len; at++) {
        ending[n++] = text_lower(name.ptr[at]);
    }
    ending[n] = '\0';
    const struct entry *entry = find(mime->overrides.entries, mime->overrides.n, ending);
    if (entry == NULL) {
        entry = find(built_in, sizeof built_in / sizeof built_in[0], ending);
    }
    if (entry == NULL) {
        entry = find(mime->system.entries, mime->system.n, ending);
    }
    return entry == NULL ? NULL : entry->type;
}
