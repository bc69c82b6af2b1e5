/* files_dir.c - directories: the redirect that adds their slash, and the page that shows them.
 */
#include "file_contract.h"
#include "files_impl.h"
#include "files_list.h"
#include "http.pb-c.h"

/* ---- the redirect ---- */

/* The same place with a slash behind it, said relative to it, so that nobody's path can name
 * another host. Path and query stay percent-encoded, as sent. */
void file_redirect(struct request *r)
{
    const Http__Request *head = r->msg->body;
    char location[LOCATION_MAX];
    size_t end = 0, start = 0, all = head->path.len;
    while (end < all && head->path.data[end] != '?') {
        start = head->path.data[end] == '/' ? end + 1 : start;
        end++;
    }
    size_t len = end - start, query_len = all - end;
    request_move(r, WAITING);
    if (len + query_len + sizeof ".//" > sizeof location) {
        reply_simple(r, 414, "414 URI Too Long\n");
        return;
    }
    memcpy(location, "./", 2);
    memcpy(location + 2, head->path.data + start, len);
    location[2 + len] = '/';
    memcpy(location + 3 + len, head->path.data + end, query_len);
    location[3 + len + query_len] = '\0';
    struct px_field field = {"location", location};
    struct px_reply reply = {.status = 301, .fields = &field, .n_fields = 1};
    reply_or_cancel(r, &reply);
}

/* ---- the listing ---- */

static const struct px_field page_fields[] = {
    {"cache-control", "no-cache"},
    {"x-content-type-options", "nosniff"},
    {"content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"},
};

static void page_send(struct request *r, const struct list_entry *entries, uint32_t n, bool cut)
{
    struct px_text path = px_request_path(request_handle(r));
    size_t max = list_page_max(path, entries, n);
    struct px_buf *page = px_buf_new(r->app->env, max);
    if (page == NULL) {
        file_refused(r, PX_NO_MEMORY);
        return;
    }
    struct px_bytes_out out = px_bytes_out_of(px_buf_data(page), max);
    list_page(&out, path, entries, n, cut);
    struct px_reply reply = {
        .content_type = "text/html; charset=utf-8",
        .fields = page_fields,
        .n_fields = sizeof page_fields / sizeof page_fields[0],
        .body = px_buf_data(page),
        .body_len = px_bytes_out_len(&out),
    };
    request_move(r, WAITING);
    reply_or_cancel(r, &reply);
    px_buf_put(page);
}

static void listed_answer(struct request *r, const struct px_msg *reply)
{
    const File__ListedDirectory *m = reply->body;
    const struct px_slice *slices = NULL;
    uint32_t n = m->entries < FILES_ENTRIES_MAX ? m->entries : FILES_ENTRIES_MAX;
    struct px_buf *memory = px_buf_new(r->app->env, (n + 1) * sizeof(struct list_entry));
    if (memory == NULL) {
        file_refused(r, PX_NO_MEMORY);
        return;
    }
    struct list_entry *entries = (struct list_entry *)(void *)px_buf_data(memory);
    struct px_span payload = {NULL, 0};
    if (px_msg_payload(reply, &slices) == 1 && (slices[0].flags & PX_SLICE_FILE) == 0) {
        payload = px_span_of(slices[0].ptr, slices[0].len);
    }
    uint32_t n_read = list_read(payload, entries, n);
    n = n_read < n ? n_read : n;
    list_sort(entries, n);
    px_count(r->app->env, COUNT_LISTING_CUT, m->cut ? 1 : 0);
    page_send(r, entries, n, m->cut);
    px_buf_put(memory);
}

static void listed(struct app *app, const struct call *call, const struct px_msg *reply)
{
    struct request *r = px_pool_own(&app->requests, call->about);
    if (r != NULL && r->state == OPENING) {
        if (reply->status == PX_OK) {
            listed_answer(r, reply);
        } else {
            file_refused(r, reply->status);
        }
    }
    files_release(call->arg);
}

void files_list(struct request *r, struct px_files *take_files, struct px_text path)
{
    struct app *app = r->app;
    struct call *call = call_new(app, listed, r->self);
    if (call == NULL) {
        files_release(take_files);
        file_refused(r, PX_BUSY);
        return;
    }
    File__ListDirectory *m =
        px_msg_new_sized(app->env, &file__list_directory__descriptor, path.len + 8);
    m->root = take_files->root;
    m->own = true;
    m->entries_max = take_files->listing_max;
    if (path.len == 0) {
        px_msg_put(m, &m->path, ".", 1);
    } else {
        px_msg_put(m, &m->path, path.ptr, path.len);
    }
    call->arg = take_files;
    px_call(app->env, app->file, FILE_LIST, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}
