/* form.c - forms read from requests: bytes go to the parser as they come, credit goes back as they
 * are dealt with, and what is no form is answered.
 */
#include "form_parse.h"
#include "lib.h"

enum {
    PARTS_DEFAULT = 256,
    PARTS_MAX = 65535,
    NAME_DEFAULT = 256,
    NAME_MAX_MAX = 4096,
    HEADER_DEFAULT = 4096,
    HEADER_MAX = 65536,
    VALUE_DEFAULT = 65536,
};

struct form {
    struct hook hook; /* the first */
    struct request *request;
    const struct px_form_events *events;
    void *arg;
    struct px_buf *mem; /* the parser's */
    uint64_t len, len_max;
    uint64_t given;   /* of them to the program */
    uint64_t settled; /* of the others */
    bool by_hand;
    bool over; /* nothing more is told */
    struct form_parser parser;
};

static void on_body(struct px_request request, void *arg, const void *data, size_t len, bool fin);
static void on_drained(struct px_request request, void *arg);
static void on_ended(struct px_request request, void *arg, enum px_status status);

static const struct px_request_events form_hooks = {on_body, on_drained, on_ended};

size_t form_size(void)
{
    return sizeof(struct form);
}

/* ---- the end ---- */

static void form_put(struct form *f)
{
    px_buf_put(f->mem);
    px_pool_put(&f->request->app->forms, f);
}

static void done_tell(const struct form *f, enum px_err err)
{
    if (f->events->done != NULL) {
        f->events->done(request_handle(f->request), f->arg, err);
    }
}

static void refusal_send(struct request *r, uint32_t status)
{
    px_count(r->app->env, COUNT_FORM_REFUSED, 1);
    if (px_request_reply_error(request_handle(r), status) == PX_ENOMEM) {
        request_cancel(r, PX_NO_MEMORY);
    }
}

/* Not a form: the rest of the body is not asked for, the engine drains it. */
static void form_refuse(struct form *f, enum px_err err)
{
    struct request *r = f->request;
    f->over = true;
    if (r->state == WAITING) {
        refusal_send(r, err == PX_ELIMIT ? 413 : 400);
    }
    done_tell(f, err);
}

/* The form is complete, and so is the body: the request is the program's own again. */
static void form_done(struct form *f)
{
    struct request *r = f->request;
    r->events = f->hook.events;
    r->arg = f->hook.arg;
    r->hooked = false;
    done_tell(f, PX_EOK);
    form_put(f);
}

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    struct form *f = arg;
    if (!f->over) {
        f->over = true;
        done_tell(f, PX_ESTALE);
    }
    if (f->hook.events != NULL && f->hook.events->ended != NULL) {
        f->hook.events->ended(request, f->hook.arg, status);
    }
    form_put(f);
}

static void on_drained(struct px_request request, void *arg)
{
    const struct form *f = arg;
    if (f->hook.events != NULL && f->hook.events->drained != NULL) {
        f->hook.events->drained(request, f->hook.arg);
    }
}

/* ---- what the parser finds ---- */

/* Somebody has answered, perhaps a rule of the route: that ends the form. */
static bool is_answered(struct form *f)
{
    uint32_t state = f->request->state;
    if (state == WAITING || state == SENDING) {
        return false;
    }
    f->over = true;
    done_tell(f, PX_ESTALE);
    return true;
}

/* False: nothing more is to be told. */
static bool step_tell(struct form *f, enum form_step step)
{
    struct px_request request = request_handle(f->request);
    const struct px_form_events *events = f->events;
    const struct form_parser *p = &f->parser;
    if (step == FORM_BEGIN && events->begin != NULL) {
        events->begin(request, f->arg, &p->part);
    } else if (step == FORM_DATA) {
        f->given += p->data.len;
        if (events->data != NULL) {
            events->data(request, f->arg, &p->part, p->data.ptr, p->data.len);
        }
    } else if (step == FORM_END && events->end != NULL) {
        events->end(request, f->arg, &p->part);
    }
    return !is_answered(f);
}

/* Gives back what the program has not to deal with. */
static void form_settle(struct form *f)
{
    uint64_t held = f->parser.n_held < f->len ? f->parser.n_held : f->len;
    uint64_t others = f->by_hand ? f->len - f->given : f->len;
    others = others > held ? others - held : 0;
    if (others > f->settled) {
        uint64_t due = others - f->settled;
        f->settled = others;
        (void)px_request_settle(request_handle(f->request), (size_t)due);
    }
}

static void on_body(struct px_request request, void *arg, const void *data, size_t len, bool fin)
{
    struct form *f = arg;
    struct px_bytes in = px_bytes_of(data, len);
    enum form_step step = FORM_MORE;
    (void)request;
    if (f->over || is_answered(f)) {
        return;
    }
    f->len += len;
    if (f->len > f->len_max) {
        form_refuse(f, PX_ELIMIT);
        return;
    }
    do {
        step = form_next(&f->parser, &in, fin);
        if (step == FORM_BAD || step == FORM_LIMIT) {
            form_refuse(f, step == FORM_BAD ? PX_EINVAL : PX_ELIMIT);
            return;
        }
    } while (step != FORM_MORE && step != FORM_DONE && step_tell(f, step));
    if (step == FORM_DONE) {
        form_done(f);
    } else if (!f->over) {
        form_settle(f);
    }
}

/* ---- the beginning ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum px_err limits_take(const struct px_form_config *config, struct form_limits *ret_limits)
{
    if (config->parts_max > PARTS_MAX || config->name_len_max > NAME_MAX_MAX ||
        config->header_len_max > HEADER_MAX || config->window > READ_WINDOW_MAX ||
        (config->window != 0 && config->window < PX_CHARGE_MIN)) {
        return PX_EINVAL;
    }
    *ret_limits = (struct form_limits){
        .parts_max = or_default(config->parts_max, PARTS_DEFAULT),
        .name_len_max = or_default(config->name_len_max, NAME_DEFAULT),
        .header_len_max = or_default(config->header_len_max, HEADER_DEFAULT),
        .value_len_max = or_default(config->value_len_max, VALUE_DEFAULT),
        .file_len_max = config->file_len_max == 0 ? UINT64_MAX : config->file_len_max,
    };
    return PX_EOK;
}

/* Answers before anything of the body was asked for. */
static enum px_err refuse_early(struct request *r, uint32_t status, enum px_err err)
{
    r->in_reading = true;
    refusal_send(r, status);
    return err;
}

static enum px_err form_new(struct request *r, enum form_kind kind,
                            const struct form_limits *limits, struct px_text boundary,
                            struct form **ret_form)
{
    struct form *f = px_pool_get(&r->app->forms);
    if (f == NULL) {
        return PX_ENOMEM;
    }
    f->request = r;
    f->mem = px_buf_new(r->app->env, form_memory(kind, limits));
    if (f->mem == NULL) {
        form_put(f);
        return PX_ENOMEM;
    }
    form_init(&f->parser, kind, limits, boundary, px_buf_data(f->mem));
    *ret_form = f;
    return PX_EOK;
}

enum px_err px_form_read(struct px_request request, const struct px_form_config *config,
                         const struct px_form_events *events, void *arg)
{
    static const struct px_form_config defaults;
    config = config == NULL ? &defaults : config;
    struct request *r = request_of(request);
    struct px_text type = {"", 0};
    struct form_limits limits;
    struct form *f = NULL;
    char boundary[BOUNDARY_LEN_MAX];
    size_t boundary_len = 0;
    enum form_kind kind = FORM_URLENCODED;
    uint64_t len_max = config->total_len_max == 0 ? UINT64_MAX : config->total_len_max;
    uint64_t declared = 0;

    PX_TRY(limits_take(config, &limits));
    PX_TRY(request_answerable(r));
    if (r->in_reading || r->hooked) {
        return PX_ESTATE;
    }
    (void)px_request_field(request, "content-type", &type);
    enum form_step step = form_type(type, &kind, boundary, &boundary_len);
    if (step != FORM_DONE) {
        return refuse_early(r, step == FORM_BAD ? 400 : 415, PX_EUNSUPPORTED);
    }
    if (px_request_length(request, &declared) && declared > len_max) {
        return refuse_early(r, 413, PX_ELIMIT);
    }
    PX_TRY(form_new(r, kind, &limits, (struct px_text){boundary, boundary_len}, &f));
    f->events = events;
    f->arg = arg;
    f->len_max = len_max;
    f->by_hand = config->settle_by_hand;
    hook_set(r, &f->hook, &form_hooks);
    return px_request_read(request, config->window);
}

/* ---- names of files ---- */

enum px_err px_form_safe_name(struct px_text filename, char *ret_name, size_t size)
{
    size_t from = filename.len;
    while (from > 0 && filename.ptr[from - 1] != '/' && filename.ptr[from - 1] != '\\') {
        from--;
    }
    size_t len = filename.len - from;
    if (len == 0 || filename.ptr[from] == '.' || memchr(filename.ptr + from, '\0', len) != NULL) {
        return PX_EINVAL;
    }
    if (len >= size) {
        return PX_ELIMIT;
    }
    memcpy(ret_name, filename.ptr + from, len);
    ret_name[len] = '\0';
    return PX_EOK;
}
