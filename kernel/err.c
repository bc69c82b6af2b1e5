/* err.c - names and texts of statuses and errors. */
#include <px/err.h>
#include <stddef.h>

const char *px_status_name(enum px_status status)
{
    static const char *const names[] = {
#define X(name, number, text) [number] = #name,
        PX_STATUS_LIST(X)
#undef X
    };
    return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "?";
}

const char *px_status_text(enum px_status status)
{
    static const char *const texts[] = {
#define X(name, number, text) [number] = (text),
        PX_STATUS_LIST(X)
#undef X
    };
    return (size_t)status < sizeof texts / sizeof texts[0] ? texts[status] : "unknown status";
}

const char *px_err_name(enum px_err err)
{
    static const char *const names[] = {
#define X(name, text) [PX_##name] = #name,
        PX_ERR_LIST(X)
#undef X
    };
    return (size_t)err < sizeof names / sizeof names[0] ? names[err] : "?";
}

const char *px_err_text(enum px_err err)
{
    static const char *const texts[] = {
#define X(name, text) [PX_##name] = (text),
        PX_ERR_LIST(X)
#undef X
    };
    return (size_t)err < sizeof texts / sizeof texts[0] ? texts[err] : "unknown error";
}
