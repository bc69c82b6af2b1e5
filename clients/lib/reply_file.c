/* reply_file.c - files as responses. The mailbox `file` opens them; a small one is read and goes
 * out with its head, a large one follows its head as file ranges, which net sends without copying.
 * An engine that takes no ranges gets bytes, read at most 256 KiB ahead.
 */
#include "lib.h"

#include "file_contract.h"
#include "http.pb-c.h"
#include "http_contract.h"

#include "fields.h"

enum { FILE_READ_MAX = 262144, LOCATION_MAX = 4096 };

/* Fields of a file's response, kept while it is opened and read. */
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

static Http__Response *file_response(struct request *r, uint64_t length)
{
    Http__Response *m = px_msg_new_sized(r->app->env, &http__response__descriptor, r->fields_len);
    m->responder = r->self;
    m->status = 200;
    m->has_length = true;
    m->length = length;
    if (r->fields_buf != NULL) {
        px_msg_put(m, &m->fields, px_buf_data(r->fields_buf), r->fields_len);
    }
    return m;
}

/* ---- what may go wrong ---- */

static void file_refused(struct request *r, enum px_status status)
{
    request_move(r, WAITING);
    switch (status) {
    case PX_NOT_FOUND:
    case PX_DENIED:
    case PX_BAD_REQUEST:
        reply_simple(r, 404, "404 Not Found\n");
        return;
    case PX_BUSY:
    case PX_NO_MEMORY:
    case PX_LIMIT:
        reply_simple(r, 503, "503 Service Unavailable\n");
        return;
    default:
        reply_simple(r, 500, "500 Internal Server Error\n");
        return;
    }
}

/* A directory: the same place with a slash behind it, said relative to it, so that nobody's path
 * can name another host. */
static void file_redirect(struct request *r)
{
    const Http__Request *head = r->msg->body;
    char location[LOCATION_MAX];
    size_t end = 0, start = 0;
    while (end < head->path.len && head->path.data[end] != '?') {
        start = head->path.data[end] == '/' ? end + 1 : start;
        end++;
    }
    size_t len = end - start;
    request_move(r, WAITING);
    if (len + sizeof ".//" > sizeof location) {
        reply_simple(r, 414, "414 URI Too Long\n");
        return;
    }
    memcpy(location, "./", 2);
    memcpy(location + 2, head->path.data + start, len); /* still percent-encoded, as sent */
    memcpy(location + 2 + len, "/", 2);
    struct px_field field = {"location", location};
    struct px_reply reply = {.status = 301, .fields = &field, .n_fields = 1};
    if (px_request_reply(request_handle(r), &reply) != PX_EOK) {
        request_cancel(r, PX_NO_MEMORY);
    }
}

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

void file_read_more(struct request *r)
{
    struct app *app = r->app;
    if (r->reading_file || r->out.len > 0) {
        return;
    }
    struct call *call = call_new(app, file_was_read, r->self);
    if (call == NULL) {
        request_cancel(r, PX_BUSY);
        return;
    }
    File__ReadRange *m = px_msg_new(app->env, &file__read_range__descriptor);
    r->reading_file = true;
    px_msg_attach_chain(m, &r->file, FILE_READ_MAX);
    px_call(app->env, app->file, FILE_READ, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}

static void small_was_read(struct app *app, const struct call *call, const struct px_msg *reply)
{
    struct request *r = px_pool_own(&app->requests, call->about);
    if (r == NULL) {
        return;
    }
    if (reply->status != PX_OK) {
        file_refused(r, reply->status == PX_TRUNCATED ? PX_INTERNAL : reply->status);
        return;
    }
    Http__Response *m = file_response(r, px_msg_payload_len(reply));
    m->fin = true;
    px_msg_attach_all(m, reply);
    request_tell(r, REQUESTER_RESPOND, m);
    reply_answered(r);
}

static void small_read(struct request *r, const struct px_msg *opened)
{
    struct app *app = r->app;
    struct call *call = call_new(app, small_was_read, r->self);
    if (call == NULL) {
        file_refused(r, PX_BUSY);
        return;
    }
    File__ReadRange *m = px_msg_new(app->env, &file__read_range__descriptor);
    px_msg_attach_all(m, opened);
    px_call(app->env, app->file, FILE_READ, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}

/* ---- opening ---- */

static void large_send(struct request *r, const struct px_msg *opened, uint64_t length)
{
    const Http__Request *head = r->msg->body;
    if (!px_msg_take_payload(opened, head->file_ranges ? &r->out : &r->file)) {
        file_refused(r, PX_NO_MEMORY);
        return;
    }
    request_tell(r, REQUESTER_RESPOND, file_response(r, length));
    request_move(r, FINISHING);
    reply_pump(r);
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
    } else if (r->is_head || opened->length == 0) {
        Http__Response *m = file_response(r, opened->length);
        m->fin = true;
        request_tell(r, REQUESTER_RESPOND, m);
        reply_answered(r);
    } else if (opened->length <= RESPOND_FREE_MAX) {
        small_read(r, reply);
    } else {
        large_send(r, reply, opened->length);
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
