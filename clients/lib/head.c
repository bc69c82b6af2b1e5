/* head.c - what a program may read of a request's head. An accessor of a head that is gone yields
 * nothing.
 */
#include "lib.h"

#include "http.pb-c.h"

#include "fields.h"
#include "header_list.h"
#include "path.h"
#include "text.h"

static const struct px_text nothing = {"", 0};

/* The head, or NULL: stale, or let go of. */
static const Http__Request *head_of(const struct request *r)
{
    return r == NULL || r->msg == NULL ? NULL : r->msg->body;
}

static struct px_text path_of(const struct request *r, const Http__Request *head)
{
    const uint8_t *ptr = r->path_buf != NULL ? px_buf_data(r->path_buf) : head->path.data;
    return (struct px_text){(const char *)ptr, r->path_len};
}

struct px_text px_request_method(struct px_request request)
{
    const Http__Request *head = head_of(request_of(request));
    return head == NULL ? nothing : text_of(head->method.data, head->method.len);
}

struct px_text px_request_authority(struct px_request request)
{
    const Http__Request *head = head_of(request_of(request));
    return head == NULL ? nothing : text_of(head->authority.data, head->authority.len);
}

struct px_text px_request_path(struct px_request request)
{
    const struct request *r = request_of(request);
    const Http__Request *head = head_of(r);
    return head == NULL ? nothing : path_of(r, head);
}

struct px_text px_request_query(struct px_request request)
{
    const Http__Request *head = head_of(request_of(request));
    struct px_text path = nothing, query = nothing;
    if (head != NULL) {
        path_split(text_of(head->path.data, head->path.len), &path, &query);
    }
    return query;
}

struct px_text px_request_param(struct px_request request, const char *name)
{
    const struct request *r = request_of(request);
    const Http__Request *head = head_of(r);
    if (head == NULL || r->match.route == NULL) {
        return nothing;
    }
    struct px_text path = path_of(r, head);
    for (uint32_t i = 0; i < r->match.n_params && i < r->match.route->n_names; i++) {
        if (strcmp(r->match.route->names[i], name) == 0) {
            struct route_part part = r->match.params[i];
            return (struct px_text){path.ptr + part.off, part.len};
        }
    }
    return nothing;
}

bool px_request_field(struct px_request request, const char *name, struct px_text *ret_value)
{
    const Http__Request *head = head_of(request_of(request));
    return head != NULL && fields_find(head->fields.data, head->fields.len, name, ret_value);
}

bool px_request_field_next(struct px_request request, size_t *cursor, struct px_text *ret_name,
                           struct px_text *ret_value)
{
    const Http__Request *head = head_of(request_of(request));
    if (head == NULL || *cursor >= head->fields.len) {
        return false;
    }
    struct px_bytes in = px_bytes_of(head->fields.data, head->fields.len);
    struct px_header header;
    px_bytes_skip(&in, *cursor);
    if (!px_header_list_next(&in, &header)) {
        return false;
    }
    *cursor = head->fields.len - px_bytes_left(&in);
    *ret_name = (struct px_text){(const char *)header.name.ptr, header.name.len};
    *ret_value = header.value.len == 0
                     ? nothing
                     : (struct px_text){(const char *)header.value.ptr, header.value.len};
    return true;
}

bool px_request_trailer(struct px_request request, const char *name, struct px_text *ret_value)
{
    const struct request *r = request_of(request);
    if (r == NULL || r->trailers == NULL) {
        return false;
    }
    const Http__TrailerFields *trailers = r->trailers->body;
    return fields_find(trailers->fields.data, trailers->fields.len, name, ret_value);
}

/* Does a query parameter as sent have this name, once decoded? */
static bool param_is(struct px_text raw, const char *name)
{
    char decoded[256];
    size_t len = 0;
    if (raw.len > sizeof decoded || !path_decode_form(raw, decoded, &len)) {
        return false;
    }
    return len == strlen(name) && memcmp(decoded, name, len) == 0;
}

static enum px_err param_value(struct px_text raw, char *ret_value, size_t size, size_t *ret_len)
{
    /* Decoding shortens: what is at most three times too long may fit. */
    char decoded[1024];
    size_t len = 0;
    if (raw.len > sizeof decoded) {
        return PX_ELIMIT;
    }
    if (!path_decode_form(raw, decoded, &len)) {
        return PX_EINVAL;
    }
    if (len >= size) {
        return PX_ELIMIT;
    }
    memcpy(ret_value, decoded, len);
    ret_value[len] = '\0';
    if (ret_len != NULL) {
        *ret_len = len;
    }
    return PX_EOK;
}

enum px_err px_request_query_param(struct px_request request, const char *name, char *ret_value,
                                   size_t size, size_t *ret_len)
{
    if (head_of(request_of(request)) == NULL) {
        return PX_ESTALE;
    }
    struct px_text query = px_request_query(request);
    while (query.len > 0) {
        const char *amp = memchr(query.ptr, '&', query.len);
        size_t len = amp == NULL ? query.len : (size_t)(amp - query.ptr);
        const char *equals = memchr(query.ptr, '=', len);
        size_t name_len = equals == NULL ? len : (size_t)(equals - query.ptr);
        size_t skip = equals == NULL ? len : name_len + 1;
        if (param_is((struct px_text){query.ptr, name_len}, name)) {
            return param_value((struct px_text){query.ptr + skip, len - skip}, ret_value, size,
                               ret_len);
        }
        len += amp == NULL ? 0 : 1;
        query.ptr += len;
        query.len -= len;
    }
    return PX_ENOENT;
}

enum px_err px_request_remote(struct px_request request, char *ret_text, size_t size)
{
    const Http__Request *head = head_of(request_of(request));
    return head == NULL ? PX_ESTALE : host_address_text(&head->remote, ret_text, size);
}

uint32_t px_request_listener(struct px_request request)
{
    const Http__Request *head = head_of(request_of(request));
    return head == NULL ? 0 : listener_index(request.system, head->listener);
}

bool px_request_has_body(struct px_request request)
{
    const struct request *r = request_of(request);
    return r != NULL && r->in_open;
}

bool px_request_length(struct px_request request, uint64_t *ret_len)
{
    const Http__Request *head = head_of(request_of(request));
    if (head == NULL || !head->has_length) {
        return false;
    }
    *ret_len = head->length;
    return true;
}
