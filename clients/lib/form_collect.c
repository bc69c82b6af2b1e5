/* form_collect.c - a whole, small form: its texts stand one behind the other in one buffer, each
 * with a zero. They take no more room there than they did in the body (and one byte), because what
 * stood between them is left out.
 */
#include "lib.h"

#include <px/assert.h>

enum {
    COLLECT_DEFAULT = 32768,
    COLLECT_MAX = 1 << 20,
    COLLECT_PARTS = 256,
    COLLECT_PARTS_MAX = 4096
};

struct form_whole {
    struct app *app;
    struct px_buf *bytes, *table;
    size_t len;
    struct px_form form;
    px_form_fn fn;
    void *arg;
};

size_t form_whole_size(void)
{
    return sizeof(struct form_whole);
}

static void whole_put(struct form_whole *w)
{
    px_buf_put(w->bytes);
    px_buf_put(w->table);
    px_pool_put(&w->app->form_wholes, w);
}

static struct px_form_field *fields_of(const struct form_whole *w)
{
    return (struct px_form_field *)(void *)px_buf_data(w->table);
}

static char *put(struct form_whole *w, const void *data, size_t len)
{
    char *at = (char *)px_buf_data(w->bytes) + w->len;
    PX_ASSERT(len <= px_buf_cap(w->bytes) - w->len);
    memcpy(at, data, len);
    w->len += len;
    return at;
}

static struct px_text put_text(struct form_whole *w, struct px_text text)
{
    if (text.len == 0) {
        return (struct px_text){"", 0};
    }
    const char *at = put(w, text.ptr, text.len);
    put(w, "", 1);
    return (struct px_text){at, text.len};
}

static void on_begin(struct px_request request, void *arg, const struct px_form_part *part)
{
    struct form_whole *w = arg;
    (void)request;
    fields_of(w)[w->form.n_fields] = (struct px_form_field){
        .name = put_text(w, part->name),
        .value = {"", 0},
        .filename = put_text(w, part->filename),
        .type = put_text(w, part->type),
        .is_file = part->is_file,
    };
}

static void on_data(struct px_request request, void *arg, const struct px_form_part *part,
                    const void *data, size_t len)
{
    struct form_whole *w = arg;
    struct px_text *value = &fields_of(w)[w->form.n_fields].value;
    (void)request, (void)part;
    const char *at = put(w, data, len);
    value->ptr = value->len == 0 ? at : value->ptr;
    value->len += len;
}

static void on_end(struct px_request request, void *arg, const struct px_form_part *part)
{
    struct form_whole *w = arg;
    (void)request, (void)part;
    if (fields_of(w)[w->form.n_fields].value.len > 0) {
        put(w, "", 1);
    }
    w->form.n_fields++;
}

static void on_done(struct px_request request, void *arg, enum px_err err)
{
    struct form_whole *w = arg;
    w->form.fields = fields_of(w);
    if (err == PX_EOK) {
        w->fn(request, w->arg, &w->form);
    }
    whole_put(w);
}

static const struct px_form_events whole_events = {on_begin, on_data, on_end, on_done};

/* `len` bytes of texts and `n` fields. */
static enum px_err whole_new(struct app *app, size_t len, uint32_t n, struct form_whole **ret_whole)
{
    struct form_whole *w = px_pool_get(&app->form_wholes);
    if (w == NULL) {
        return PX_ENOMEM;
    }
    w->app = app;
    w->bytes = px_buf_new(app->env, len + 1);
    w->table = px_buf_new(app->env, n * sizeof(struct px_form_field));
    if (w->bytes == NULL || w->table == NULL) {
        whole_put(w);
        return PX_ENOMEM;
    }
    *ret_whole = w;
    return PX_EOK;
}

enum px_err px_form_collect(struct px_request request, const struct px_form_config *config,
                            px_form_fn fn, void *arg)
{
    struct px_form_config own = config == NULL ? (struct px_form_config){.window = 0} : *config;
    struct request *r = request_of(request);
    struct form_whole *w = NULL;
    uint64_t declared = 0;
    own.total_len_max = own.total_len_max == 0 ? COLLECT_DEFAULT : own.total_len_max;
    own.parts_max = own.parts_max == 0 ? COLLECT_PARTS : own.parts_max;
    if (own.total_len_max > COLLECT_MAX || own.parts_max > COLLECT_PARTS_MAX ||
        own.settle_by_hand || fn == NULL) {
        return PX_EINVAL;
    }
    PX_TRY(request_answerable(r));
    uint64_t len = own.total_len_max;
    if (px_request_length(request, &declared) && declared < len) {
        len = declared;
    }
    PX_TRY(whole_new(r->app, (size_t)len, own.parts_max, &w));
    w->fn = fn;
    w->arg = arg;
    enum px_err err = px_form_read(request, &own, &whole_events, w);
    if (err != PX_EOK) {
        whole_put(w);
    }
    return err;
}

bool px_form_value(const struct px_form *form, const char *name, struct px_text *ret_value)
{
    size_t len = strlen(name);
    for (uint32_t i = 0; i < form->n_fields; i++) {
        const struct px_form_field *field = &form->fields[i];
        if (field->name.len == len && memcmp(field->name.ptr, name, len) == 0) {
            *ret_value = field->value;
            return true;
        }
    }
    return false;
}
