/* files.c - directories as parts of a site. The directory is opened here, once, with the rights of
 * this process, and its descriptor handed to the mailbox `file` (AddRoot); requests are then one
 * call each.
 */
#include <errno.h>
#include <fcntl.h>
#include <px/kernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fields.h"
#include "file_contract.h"
#include "files_impl.h"
#include "files_range.h"
#include "header_list.h"
#include "http.pb-c.h"
#include "text.h"

/* ---- life ---- */

void files_hold(struct px_files *files)
{
    files->refs++;
}

static void files_delete(struct px_files *files)
{
    mime_free(files->mime);
    free(files->param);
    free(files->index);
    free(files->default_type);
    free(files->fields);
    free(files);
}

static void files_unlink(struct px_files *files)
{
    *files->link = files->next;
    if (files->next != NULL) {
        files->next->link = files->link;
    }
    files->system->n_files--;
}

void files_release(struct px_files *files)
{
    if (--files->refs > 0) {
        return;
    }
    struct app *app = files->system->app;
    if (app != NULL) { /* else the system ends */
        File__OldRoot *m = px_msg_new(app->env, &file__old_root__descriptor);
        m->root = files->root;
        px_send(app->env, app->file, FILE_DROP_ROOT, m, 0);
        px_buf_put(files->directory);
    }
    files_unlink(files);
    files_delete(files);
}

void px_files_free(struct px_files *take_files)
{
    if (take_files != NULL) {
        files_release(take_files);
    }
}

void files_free_all(struct px_system *system)
{
    while (system->files != NULL) {
        struct px_files *files = system->files;
        files_unlink(files);
        files_delete(files);
    }
}

/* ---- configuration ---- */

static bool copy_text(char **ret, const char *text, const char *standard)
{
    *ret = strdup(text == NULL ? standard : text);
    return *ret != NULL;
}

static bool name_is_plain(const char *name)
{
    return name == NULL || (strlen(name) < 256 && strchr(name, '/') == NULL);
}

static bool config_is_valid(const struct px_files_config *c)
{
    return c->directory != NULL && c->directory[0] != '\0' && name_is_plain(c->index) &&
           name_is_plain(c->param) && c->listing_max <= FILES_ENTRIES_MAX &&
           c->ranges_max <= RANGES_MAX && c->n_fields <= FILES_FIELDS_MAX &&
           (c->n_fields == 0 || c->fields != NULL) && (c->n_types == 0 || c->types != NULL) &&
           (c->links == PX_FILES_LINKS_INSIDE || c->links == PX_FILES_LINKS_NEVER) &&
           (c->index == NULL || strcmp(c->index, ".") != 0) &&
           (c->index == NULL || strcmp(c->index, "..") != 0);
}

/* Cache-Control, Vary and the program's own, serialized once for all responses. */
static enum px_err fields_make(struct px_files *files, const struct px_files_config *config)
{
    struct px_field all[FILES_FIELDS_MAX + 2];
    uint32_t n = 0;
    if (config->cache_control != NULL) {
        all[n++] = (struct px_field){"cache-control", config->cache_control};
    }
    if (config->precompressed) {
        all[n++] = (struct px_field){"vary", "accept-encoding"};
    }
    for (uint32_t i = 0; i < config->n_fields; i++) {
        all[n++] = config->fields[i];
    }
    PX_TRY(fields_size(NULL, all, n, &files->fields_len));
    files->fields = malloc(files->fields_len + 1);
    if (files->fields == NULL) {
        return PX_ENOMEM;
    }
    fields_write(NULL, all, n, files->fields, files->fields_len);
    return PX_EOK;
}

static enum px_err files_fill(struct px_files *files, const struct px_files_config *config)
{
    const char *types_path = config->types_path == NULL ? "/etc/mime.types" : config->types_path;
    struct px_field type = {"content-type", config->default_type};
    size_t len = 0;
    if (config->default_type != NULL) {
        PX_TRY(fields_size(NULL, &type, 1, &len));
    }
    files->listing = config->listing;
    files->listing_max = config->listing_max == 0 ? 1000 : config->listing_max;
    files->ranges_max = config->ranges_max == 0 ? RANGES_DEFAULT : config->ranges_max;
    files->dotfiles = config->dotfiles;
    files->precompressed = config->precompressed;
    files->without_links = config->links == PX_FILES_LINKS_NEVER;
    bool has_index = config->index == NULL || config->index[0] != '\0';
    if ((has_index && !copy_text(&files->index, config->index, "index.html")) ||
        !copy_text(&files->param, config->param, "path") ||
        !copy_text(&files->default_type, config->default_type, "application/octet-stream")) {
        return PX_ENOMEM;
    }
    PX_TRY(fields_make(files, config));
    return mime_new(config->types, config->n_types, types_path, &files->mime);
}

/* ---- the directory ---- */

static void close_fd(int fd)
{
    (void)close(fd);
}

static void root_added(struct app *app, const struct call *call, const struct px_msg *reply)
{
    (void)call;
    if (reply->status != PX_OK) { /* its files will not be found */
        PX_LOG(app->env, PX_LOG_ERROR, "files",
               PX_KV_STR("add_root", px_status_name(reply->status)));
    }
}

/* Messages of one sender stay in order, so files may be asked for at once. */
static enum px_err root_add(struct px_files *files)
{
    struct app *app = files->system->app;
    struct call *call = call_new(app, root_added, 0);
    if (call == NULL) {
        return PX_ELIMIT;
    }
    File__NewRoot *m = px_msg_new(app->env, &file__new_root__descriptor);
    m->root = files->root;
    m->without_links = files->without_links;
    px_msg_attach(m, files->directory, 0, 1);
    px_call(app->env, app->file, FILE_ADD_ROOT, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
    return PX_EOK;
}

void files_back(struct px_system *system)
{
    for (struct px_files *files = system->files; files != NULL; files = files->next) {
        if (root_add(files) != PX_EOK) {
            PX_LOG(system->app->env, PX_LOG_ERROR, "files",
                   PX_KV_STR("add_root", "no call is free"));
        }
    }
}

static enum px_err directory_open(struct px_files *files, const char *path)
{
    struct px_system *system = files->system;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        enum px_err err = errno == EACCES                                         ? PX_EDENIED
                          : errno == EMFILE || errno == ENFILE || errno == ENOMEM ? PX_EIO
                                                                                  : PX_ENOENT;
        return system_fail(system, err, path,
                           err == PX_ENOENT ? "no such directory" : strerror(errno));
    }
    files->directory = px_buf_from_fd(system->app->env, fd, close_fd);
    if (files->directory == NULL) {
        close_fd(fd);
        return PX_ENOMEM;
    }
    return PX_EOK;
}

enum px_err px_files_new(struct px_system *system, const struct px_files_config *config,
                         struct px_files **ret_files)
{
    if (!config_is_valid(config)) {
        return system_fail(system, PX_EINVAL, "files", "a setting is out of its range");
    }
    PX_TRY(px_system_start(system));
    if (system->n_files == FILES_MAX) {
        return system_fail(system, PX_ELIMIT, config->directory, "too many directories are served");
    }
    struct px_files *files = calloc(1, sizeof *files);
    if (files == NULL) {
        return PX_ENOMEM;
    }
    *files = (struct px_files){.system = system, .root = system->next_root, .refs = 1};
    enum px_err err = files_fill(files, config);
    if (err == PX_EOK) {
        err = directory_open(files, config->directory);
    }
    if (err == PX_EOK) {
        err = root_add(files);
    }
    if (err != PX_EOK) {
        px_buf_put(files->directory);
        files_delete(files);
        return err == PX_EINVAL
                   ? system_fail(system, err, config->directory, "a field or type is none")
                   : err;
    }
    system->next_root++;
    system->n_files++;
    files->next = system->files;
    files->link = &system->files;
    if (files->next != NULL) {
        files->next->link = &files->next;
    }
    system->files = files;
    *ret_files = files;
    return PX_EOK;
}

/* ---- serving ---- */

/* Names that start with a dot are nobody's business, but for the one that RFC 8615 gives away. */
static bool path_is_hidden(struct px_text path)
{
    static const char known[] = ".well-known/";
    for (size_t i = 0; i < path.len; i++) {
        bool starts = i == 0 || path.ptr[i - 1] == '/';
        bool is_known = i == 0 && path.len >= sizeof known - 1 &&
                        memcmp(path.ptr, known, sizeof known - 1) == 0;
        if (starts && path.ptr[i] == '.' && !is_known) {
            return true;
        }
    }
    return false;
}

static bool is_directory_path(struct px_text path)
{
    return path.len == 0 || path.ptr[path.len - 1] == '/';
}

/* What the client prefers to the file itself. */
static uint32_t codings_of(const struct request *r, enum coding ret[N_CODINGS])
{
    const Http__Request *head = r->msg->body;
    struct px_bytes in = px_bytes_of(head->fields.data, head->fields.len);
    struct codings codings = {.said_any = false};
    struct px_header header;
    bool said = false;
    while (px_header_list_next(&in, &header)) {
        if (px_span_equal_str(header.name, "accept-encoding")) {
            codings_add(&codings, text_of(header.value.ptr, header.value.len));
            said = true;
        }
    }
    return said ? codings_order(&codings, ret) : 0;
}

static struct px_text mime_of(const struct px_files *files, struct px_text path)
{
    const char *type = mime_type(files->mime, path);
    type = type == NULL ? files->default_type : type;
    return (struct px_text){type, strlen(type)};
}

/* The file was found, or is a directory. */
static void opened_answer(struct request *r, struct px_files *files, const struct px_msg *reply)
{
    const File__OpenedFile *opened = reply->body;
    struct px_text path = px_request_param(request_handle(r), files->param);
    enum coding codings[N_CODINGS];
    uint32_t n = opened->suffix == 0 ? 0 : codings_of(r, codings);
    bool is_index = is_directory_path(path);
    if (opened->directory && !is_index) {
        file_redirect(r);
        return;
    }
    if (opened->directory || opened->suffix > n) {
        file_refused(r, PX_NOT_FOUND);
        return;
    }
    struct px_text index = {files->index, is_index ? strlen(files->index) : 0};
    struct file_terms terms = {
        .content_type = mime_of(files, is_index ? index : path),
        .fields = px_span_of(files->fields, files->fields_len),
        .coding = opened->suffix == 0 ? NULL : coding_name(codings[opened->suffix - 1]),
        .ranges_max = files->ranges_max,
        .validators = true,
    };
    file_answer(r, reply, &terms);
}

static void opened(struct app *app, const struct call *call, const struct px_msg *reply)
{
    struct px_files *files = call->arg;
    struct request *r = px_pool_own(&app->requests, call->about);
    if (r == NULL || r->state != OPENING) {
        files_release(files);
        return;
    }
    struct px_text path = px_request_param(request_handle(r), files->param);
    if (reply->status == PX_OK) {
        opened_answer(r, files, reply);
    } else if (reply->status == PX_NOT_FOUND && files->listing && is_directory_path(path)) {
        files_list(r, files, path);
        return;
    } else {
        file_refused(r, reply->status);
    }
    files_release(files);
}

static void suffixes_put(File__OpenFile *m, const struct request *r)
{
    enum coding codings[N_CODINGS];
    uint32_t n = codings_of(r, codings);
    if (n > 0) {
        m->suffixes = px_msg_alloc(m, n * sizeof *m->suffixes);
        m->n_suffixes = n;
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *suffix = coding_suffix(codings[i]);
        px_msg_put(m, &m->suffixes[i], suffix, strlen(suffix));
    }
}

/* The path, and the index behind that of a directory. */
static void open_send(struct request *r, struct px_files *files, struct px_text path,
                      struct call *call)
{
    struct app *app = r->app;
    const char *index = is_directory_path(path) ? files->index : "";
    size_t index_len = strlen(index);
    File__OpenFile *m =
        px_msg_new_sized(app->env, &file__open_file__descriptor, path.len + index_len + 128);
    m->root = files->root;
    m->own = true;
    m->read_max = RESPOND_FREE_MAX;
    m->path.len = path.len + index_len;
    m->path.data = px_msg_alloc(m, m->path.len + 1);
    memcpy(m->path.data, path.ptr, path.len);
    memcpy(m->path.data + path.len, index, index_len);
    if (files->precompressed) {
        suffixes_put(m, r);
    }
    call->arg = files;
    files_hold(files);
    request_move(r, OPENING);
    px_call(app->env, app->file, FILE_OPEN, m, PX_MS(CALL_DEADLINE_MS),
            px_handle_of(&app->calls, call));
}

static bool is_get(const struct request *r)
{
    const Http__Request *head = r->msg->body;
    return r->is_head || (head->method.len == 3 && memcmp(head->method.data, "GET", 3) == 0);
}

void px_files_serve(struct px_request request, void *arg)
{
    struct px_files *files = arg;
    struct request *r = request_of(request);
    if (request_answerable(r) != PX_EOK) {
        return;
    }
    struct px_text path = px_request_param(request, files->param);
    if (!is_get(r)) {
        reply_allow(r, 405, "GET, HEAD");
        return;
    }
    bool listed = files->index == NULL && is_directory_path(path);
    if (path.len + 256 > FILE_PATH_MAX || (!files->dotfiles && path_is_hidden(path)) ||
        (listed && !files->listing)) {
        reply_simple(r, 404, "404 Not Found\n");
        return;
    }
    struct call *call = listed ? NULL : call_new(r->app, opened, r->self);
    if (listed) {
        request_move(r, OPENING);
        files_hold(files);
        files_list(r, files, path);
    } else if (call == NULL) {
        reply_simple(r, 503, "503 Service Unavailable\n");
    } else {
        open_send(r, files, path, call);
    }
}
