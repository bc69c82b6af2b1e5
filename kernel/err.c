/* err.c - names and texts of statuses and errors. */
#include <px/err.h>
#include <stddef.h>

#define NAME(name, number, text) [number] = #name,
#define TEXT(name, number, text) [number] = (text),
#define ERR_NAME(name, text) #name,
#define ERR_TEXT(name, text) (text),

/* Entry `index` of a table, or "?": a newer peer may know more. */
#define ENTRY(table, index)                                                                        \
    ((size_t)(index) < sizeof(table) / sizeof(table)[0] ? (table)[index] : "?")

const char *px_status_name(enum px_status status)
{
    static const char *const names[] = {PX_STATUS_LIST(NAME)};
    return ENTRY(names, status);
}

const char *px_status_text(enum px_status status)
{
    static const char *const texts[] = {PX_STATUS_LIST(TEXT)};
    return ENTRY(texts, status);
}

const char *px_err_name(enum px_err err)
{
    static const char *const names[] = {PX_ERR_LIST(ERR_NAME)};
    return ENTRY(names, err);
}

const char *px_err_text(enum px_err err)
{
    static const char *const texts[] = {PX_ERR_LIST(ERR_TEXT)};
    return ENTRY(texts, err);
}
