/* files_list.c - the page that shows what is in a directory. Names are anybody's bytes: in text
 * they are escaped as HTML, in links as RFC 3986 2.1 says, behind "./" so that none is taken for a
 * scheme.
 */
#include "files_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "entry_tags.h"
#include "files_date.h"

enum {
    TEXT_GROWTH = 6,   /* a quote is &quot; */
    LINK_GROWTH = 3,   /* a byte is %XX */
    ENTRY_EXTRA = 200, /* of markup, size and date */
    PAGE_EXTRA = 1024,
    NS_PER_S = 1000000000,
};

/* ---- reading ---- */

static bool entry_read(struct px_bytes in, struct list_entry *ret)
{
    *ret = (struct list_entry){.name = {NULL, 0}};
    while (px_bytes_left(&in) > 0) {
        switch (px_bytes_varint(&in)) {
        case FILE_TAG_NAME:
            ret->name = px_bytes_take(&in, (size_t)px_bytes_varint(&in));
            break;
        case FILE_TAG_DIRECTORY:
            ret->directory = px_bytes_varint(&in) != 0;
            break;
        case FILE_TAG_LENGTH:
            ret->length = px_bytes_varint(&in);
            break;
        case FILE_TAG_MODIFIED:
            ret->modified_s = (int64_t)px_bytes_u64le(&in) / NS_PER_S;
            break;
        default:
            return false;
        }
    }
    return !in.failed && ret->name.len > 0;
}

uint32_t list_read(struct px_span entries, struct list_entry *ret, uint32_t max)
{
    struct px_bytes in = px_bytes_of_span(entries);
    struct list_entry entry;
    uint32_t n = 0;
    while (px_bytes_left(&in) > 0 && px_bytes_varint(&in) == FILE_TAG_ENTRY) {
        struct px_bytes one = px_bytes_sub(&in, (size_t)px_bytes_varint(&in));
        if (in.failed || !entry_read(one, &entry)) {
            break;
        }
        if (n < max) {
            ret[n] = entry;
        }
        n++;
    }
    return n;
}

/* ---- order ---- */

static int compare(const void *a, const void *b)
{
    const struct list_entry *x = a, *y = b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    if (x->directory != y->directory) {
        return x->directory ? -1 : 1;
    }
    int order = memcmp(x->name.ptr, y->name.ptr, len);
    return order != 0 ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

void list_sort(struct list_entry *entries, uint32_t n)
{
    if (n > 0) {
        qsort(entries, n, sizeof *entries, compare);
    }
}

/* ---- writing ---- */

static void put_html(struct px_bytes_out *out, struct px_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            px_bytes_put_str(out, "&amp;");
            break;
        case '<':
            px_bytes_put_str(out, "&lt;");
            break;
        case '>':
            px_bytes_put_str(out, "&gt;");
            break;
        case '"':
            px_bytes_put_str(out, "&quot;");
            break;
        case '\'':
            px_bytes_put_str(out, "&#39;");
            break;
        default:
            px_bytes_put_u8(out, text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ? '?' : text.ptr[i]);
            break;
        }
    }
}

/* RFC 3986 2.3 */
static bool is_unreserved(uint8_t c)
{
    uint8_t l = c | 0x20;
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static void put_link(struct px_bytes_out *out, struct px_span name)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (is_unreserved(c)) {
            px_bytes_put_u8(out, c);
        } else {
            px_bytes_put_u8(out, '%');
            px_bytes_put_u8(out, (uint8_t)hex[c >> 4]);
            px_bytes_put_u8(out, (uint8_t)hex[c & 15]);
        }
    }
}

static void put_entry(struct px_bytes_out *out, const struct list_entry *entry)
{
    char text[80];
    int p[6];
    const char *slash = entry->directory ? "/" : "";
    date_parts(entry->modified_s, p);
    px_bytes_put_str(out, "<tr><td><a href=\"./");
    put_link(out, entry->name);
    px_bytes_put_str(out, slash);
    px_bytes_put_str(out, "\">");
    put_html(out, entry->name);
    px_bytes_put_str(out, slash);
    snprintf(text, sizeof text, "</a></td><td>%04d-%02d-%02d %02d:%02d</td><td>", p[0], p[1], p[2],
             p[3], p[4]);
    px_bytes_put_str(out, text);
    if (!entry->directory) {
        snprintf(text, sizeof text, "%" PRIu64, entry->length);
        px_bytes_put_str(out, text);
    }
    px_bytes_put_str(out, "</td></tr>\n");
}

size_t list_page_max(struct px_text path, const struct list_entry *entries, uint32_t n)
{
    size_t len = PAGE_EXTRA + 2 * TEXT_GROWTH * path.len;
    for (uint32_t i = 0; i < n; i++) {
        len += (TEXT_GROWTH + LINK_GROWTH) * entries[i].name.len + ENTRY_EXTRA;
    }
    return len;
}

void list_page(struct px_bytes_out *out, struct px_text path, const struct list_entry *entries,
               uint32_t n, bool cut)
{
    struct px_span title = px_span_of(path.ptr, path.len);
    char text[80];
    px_bytes_put_str(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    put_html(out, title);
    px_bytes_put_str(out, "</title>\n<style>body{font:16px/1.5 system-ui,sans-serif;margin:2em}"
                          "td{padding-right:2em}td+td+td{text-align:right}</style></head><body>\n"
                          "<h1>");
    put_html(out, title);
    px_bytes_put_str(out, "</h1>\n<table>\n");
    if (path.len > 1) {
        px_bytes_put_str(out, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for (uint32_t i = 0; i < n; i++) {
        put_entry(out, &entries[i]);
    }
    px_bytes_put_str(out, "</table>\n");
    if (cut) {
        snprintf(text, sizeof text, "<p>Only %" PRIu32 " entries are shown.</p>\n", n);
        px_bytes_put_str(out, text);
    }
    px_bytes_put_str(out, "</body></html>\n");
}
