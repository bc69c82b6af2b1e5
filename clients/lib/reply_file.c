/* reply_file.c - px_request_reply_file, and files for engines that take no file ranges: those get
 * bytes, read at most 256 KiB ahead.
 */
#include "fields.h"
#include "file_contract.h"
#include "files_impl.h"
#include "files_range.h"
#include "header_list.h"

enum { FILE_READ_MAX = 262144 };

/* ---- reading ---- */

static void file_was_read(struct app *app, const struct call *call, const struct px_msg *reply)
{
    struct request *r = px_pool_own(&app->requests, call->about);
    if (r == NULL) {
        return;
    }
    r->reading_file = false;
    if (reply->status != PX_OK || !px_msg_take_payload(reply, &r->out)) {
        request_cancel(r, reply->status == PX_OK ? PX_NO_MEMORY : reply->status);
        return;
    }
    reply_pump(r);
}

/* What stands in memory before the next file range need not be read. */
static bool take_memory(struct request *r)
{
    const struct px_slice *slice;
    while ((slice = px_chain_first(&r->file)) != NULL && (slice->flags & PX_SLICE_FILE) == 0) {
        uint64_t off = (uint64_t)(slice->ptr - px_buf_data(slice->buf));
        uint32_t len = slice->len;
        if (!px_chain_append(r->app->env, &r->out, slice->buf, off, len, PX_SLICE_SHARED)) {
            return false;
        }
        px_chain_consume(&r->file, len);
    }
    return true;
}

/* Bytes of file ranges at the front, as many as one Read takes. */
static uint64_t readable(const struct request *r)
{
    uint64_t len = 0;
    const struct px_slice *slice = px_chain_first(&r->file);
    while (slice != NULL && (slice->flags & PX_SLICE_FILE) != 0 && len < FILE_READ_MAX) {
        len += slice->len;
        slice = px_chain_next(slice);
    }
    return len < FILE_READ_MAX ? len : FILE_READ_MAX;
}

static void file_read_send(struct request *r)
{
    struct app *app = r->app;
    struct call *call = call_new(app, file_was_read, r->self);
    if (call == NULL) {
        request_cancel(r, PX_BUSY);
        return;
    }
    File__ReadRange *m = px_msg_new(app->env, &file__read_range__descriptor);
    r->reading_file = true;
    px_msg_attach_chain(m, &r->file, readable(r));
    px_call(app->env, app->file, FILE_READ, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}

void file_read_more(struct request *r)
{
    if (r->reading_file || r->out.len > 0) {
        return;
    }
    if (!take_memory(r)) {
        request_cancel(r, PX_NO_MEMORY);
        return;
    }
    if (r->file.len > 0) {
        file_read_send(r);
    } else {
        reply_pump(r); /* the end was in memory */
    }
}

/* ---- px_request_reply_file ---- */

/* Fields of a file's response, kept while it is opened. */
static enum px_err fields_keep(struct request *r, const struct px_file_reply *reply)
{
    size_t len = 0;
    PX_TRY(fields_size(reply->content_type, reply->fields, reply->n_fields, &len));
    r->fields_len = (uint32_t)len;
    r->fields_buf = len == 0 ? NULL : px_buf_new(r->app->env, len);
    if (r->fields_buf == NULL && len > 0) {
        return PX_ENOMEM;
    }
    if (len > 0) {
        fields_write(reply->content_type, reply->fields, reply->n_fields,
                     px_buf_data(r->fields_buf), len);
    }
    return PX_EOK;
}

/* Who says something about the file's state himself gets no second opinion. */
static struct file_terms terms_of(const struct request *r)
{
    struct file_terms terms = {.ranges_max = RANGES_DEFAULT, .validators = true};
    struct px_span fields = {NULL, 0}, type, value;
    if (r->fields_buf != NULL) {
        fields = px_span_of(px_buf_data(r->fields_buf), r->fields_len);
    }
    if (px_header_list_find(fields, "content-type", &type)) {
        terms.content_type =
            (struct px_text){type.len == 0 ? "" : (const char *)type.ptr, type.len};
    }
    if (px_header_list_find(fields, "etag", &value) ||
        px_header_list_find(fields, "last-modified", &value) ||
        px_header_list_find(fields, "accept-ranges", &value) ||
        px_header_list_find(fields, "content-range", &value)) {
        terms.validators = false;
        terms.ranges_max = 0;
    }
    terms.fields = fields;
    return terms;
}

static void file_opened(struct app *app, const struct call *call, const struct px_msg *reply)
{
    const File__OpenedFile *opened = reply->body;
    struct request *r = px_pool_own(&app->requests, call->about);
    if (r == NULL || r->state != OPENING) {
        return;
    }
    if (reply->status != PX_OK) {
        file_refused(r, reply->status);
    } else if (opened->directory) {
        file_redirect(r);
    } else {
        struct file_terms terms = terms_of(r);
        file_answer(r, reply, &terms);
    }
}

static void file_open(struct request *r, const struct px_file_reply *reply, struct call *call)
{
    struct app *app = r->app;
    bool wants_index = reply->path.len == 0 || reply->path.ptr[reply->path.len - 1] == '/';
    const char *index = wants_index ? reply->index : "";
    size_t index_len = strlen(index);
    File__OpenFile *m =
        px_msg_new_sized(app->env, &file__open_file__descriptor, reply->path.len + index_len + 1);
    m->root = reply->root;
    m->read_max = RESPOND_FREE_MAX;
    m->path.len = reply->path.len + index_len;
    m->path.data = px_msg_alloc(m, m->path.len + 1);
    memcpy(m->path.data, reply->path.ptr, reply->path.len);
    memcpy(m->path.data + reply->path.len, index, index_len);
    px_call(app->env, app->file, FILE_OPEN, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}

enum px_err px_request_reply_file(struct px_request request, const struct px_file_reply *reply)
{
    struct request *r = request_of(request);
    PX_TRY(request_answerable(r));
    if (reply->path.len > UINT16_MAX - 256 ||
        (reply->index != NULL && strlen(reply->index) > 255)) {
        return PX_EINVAL;
    }
    bool wants_index = reply->path.len == 0 || reply->path.ptr[reply->path.len - 1] == '/';
    if (wants_index && reply->index == NULL) {
        reply_simple(r, 404, "404 Not Found\n");
        return PX_EOK;
    }
    PX_TRY(fields_keep(r, reply));
    struct call *call = call_new(r->app, file_opened, r->self);
    if (call == NULL) {
        reply_simple(r, 503, "503 Service Unavailable\n");
        return PX_EOK;
    }
    request_move(r, OPENING);
    file_open(r, reply, call);
    return PX_EOK;
}
