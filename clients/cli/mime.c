/* mime.c - the type of a file by the ending of its name. The built-in table comes first: it is
 * known to be right; the system's fills the gaps.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *ending; /* lower case */
    const char *type;
};

enum { LINE_MAX_LEN = 1024, ENDING_MAX = 32, ENTRIES_MAX = 16384 };

struct mime {
    struct entry *entries; /* sorted by ending */
    size_t n, cap;
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
static bool entry_add(struct mime *mime, const char *ending, const char *type)
{
    if (mime->n == mime->cap) {
        size_t cap = mime->cap == 0 ? 1024 : mime->cap * 2;
        struct entry *grown = realloc(mime->entries, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        mime->entries = grown;
        mime->cap = cap;
    }
    size_t ending_len = strlen(ending) + 1, type_len = strlen(type) + 1;
    char *mem = malloc(ending_len + type_len);
    if (mem == NULL) {
        return false;
    }
    memcpy(mem, ending, ending_len);
    memcpy(mem + ending_len, type, type_len);
    mime->entries[mime->n++] = (struct entry){mem, mem + ending_len};
    return true;
}

/* "type/subtype ending ending ...", '#' begins a comment. */
static bool line_read(struct mime *mime, char *line)
{
    char *rest = NULL;
    char *type = strtok_r(line, " \t\r\n", &rest);
    if (type == NULL || type[0] == '#' || strchr(type, '/') == NULL) {
        return true;
    }
    for (char *ending = strtok_r(NULL, " \t\r\n", &rest); ending != NULL;
         ending = strtok_r(NULL, " \t\r\n", &rest)) {
        if (strlen(ending) < ENDING_MAX && mime->n < ENTRIES_MAX &&
            !entry_add(mime, ending, type)) {
            return false;
        }
    }
    return true;
}

struct mime *mime_new(const char *path)
{
    char line[LINE_MAX_LEN];
    struct mime *mime = calloc(1, sizeof *mime);
    FILE *file = mime == NULL ? NULL : fopen(path, "re");
    if (file == NULL) {
        return mime;
    }
    bool ok = true;
    while (ok && fgets(line, sizeof line, file) != NULL) {
        ok = line_read(mime, line);
    }
    fclose(file);
    if (!ok) {
        mime_free(mime);
        return NULL;
    }
    qsort(mime->entries, mime->n, sizeof *mime->entries, compare);
    return mime;
}

void mime_free(struct mime *take_mime)
{
    if (take_mime != NULL) {
        for (size_t i = 0; i < take_mime->n; i++) {
            free((void *)(uintptr_t)take_mime->entries[i].ending);
        }
        free(take_mime->entries);
        free(take_mime);
    }
}

const char *mime_type(const struct mime *mime, const char *name, size_t len)
{
    char ending[ENDING_MAX];
    size_t at = len, n = 0;
    while (at > 0 && name[at - 1] != '.' && name[at - 1] != '/') {
        at--;
    }
    if (at == 0 || name[at - 1] != '.' || len - at >= sizeof ending) {
        return "application/octet-stream";
    }
    for (; at < len; at++) {
        char c = name[at];
        ending[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    ending[n] = '\0';
    const struct entry *entry = find(built_in, sizeof built_in / sizeof built_in[0], ending);
    if (entry == NULL) {
        entry = find(mime->entries, mime->n, ending);
    }
    return entry == NULL ? "application/octet-stream" : entry->type;
}
