/* form_head.c - the header lines of a part, and the Content-Type of a form (RFC 7578 4.2 to 4.5,
 * RFC 8187 for filename*). Values are decoded where they stand: they only get shorter.
 */
#include "form_parse.h"
#include "text.h"

static const char *const encodings_plain[] = {"7bit", "8bit", "binary"};

/* ---- characters ---- */

int form_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool is_token(uint8_t c)
{
    return is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t';
}

/* How many bytes follow the first of a character; -1: it is no first one. */
static int utf8_more(uint8_t c)
{
    if (c < 0x80) {
        return 0;
    }
    if (c < 0xc2 || c > 0xf4) {
        return -1;
    }
    return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

bool form_text_ok(struct px_text text)
{
    struct px_bytes in = px_bytes_of(text.ptr, text.len);
    while (px_bytes_left(&in) > 0) {
        uint8_t first = px_bytes_u8(&in);
        int more = utf8_more(first);
        int second = px_bytes_peek(&in, 0);
        if (more < 0 || first < 0x20 || first == 0x7f) {
            return false;
        }
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
            (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
            return false; /* longer than need be, a surrogate, or beyond 10FFFF */
        }
        for (; more > 0; more--) {
            if ((px_bytes_u8(&in) & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

/* ---- parameters: ';' name '=' value ---- */

struct param {
    struct px_text name, value;
};

/* A cursor in memory that may be written. */
struct place {
    struct px_bytes in;
    uint8_t *mem; /* where `in` began */
    const uint8_t *start;
};

static struct place place_of(uint8_t *mem, size_t len)
{
    struct px_bytes in = px_bytes_of(mem, len);
    return (struct place){in, mem, in.ptr};
}

/* What may be written from here on: as much as is read. */
static struct px_bytes_out place_out(const struct place *at)
{
    return px_bytes_out_of(at->mem + (at->in.ptr - at->start), px_bytes_left(&at->in));
}

static struct px_text out_text(const struct px_bytes_out *out)
{
    return (struct px_text){(const char *)out->start, px_bytes_out_len(out)};
}

static void space_skip(struct px_bytes *in)
{
    while (is_space(px_bytes_peek(in, 0))) {
        px_bytes_skip(in, 1);
    }
}

/* Behind the opening quote. False: it is not closed. */
static bool quoted_read(struct place *at, struct px_text *ret_value)
{
    struct px_bytes_out out = place_out(at);
    while (px_bytes_left(&at->in) > 0) {
        uint8_t c = px_bytes_u8(&at->in);
        int next = px_bytes_peek(&at->in, 0);
        if (c == '"') {
            *ret_value = out_text(&out);
            return true;
        }
        if (c == '\\' && (next == '"' || next == '\\')) {
            c = px_bytes_u8(&at->in);
        } else if (c == '%' && next == '2' && px_bytes_peek(&at->in, 1) == '2') {
            c = '"'; /* WHATWG HTML 4.10.21.8 */
            px_bytes_skip(&at->in, 2);
        }
        px_bytes_put_u8(&out, c);
    }
    return false;
}

static bool plain_read(struct place *at, struct px_text *ret_value)
{
    const uint8_t *from = at->in.ptr;
    while (px_bytes_left(&at->in) > 0 && *at->in.ptr > ' ' && !is_one_of(*at->in.ptr, ";\"")) {
        px_bytes_skip(&at->in, 1);
    }
    *ret_value = (struct px_text){(const char *)from, (size_t)(at->in.ptr - from)};
    return ret_value->len > 0;
}

static struct px_text token_read(struct px_bytes *in)
{
    const uint8_t *from = in->ptr;
    while (px_bytes_left(in) > 0 && is_token(*in->ptr)) {
        px_bytes_skip(in, 1);
    }
    return (struct px_text){(const char *)from, (size_t)(in->ptr - from)};
}

/* FORM_DONE: one; FORM_MORE: there are no more. */
static enum form_step param_next(struct place *at, struct param *ret)
{
    for (;;) {
        space_skip(&at->in);
        if (px_bytes_left(&at->in) == 0) {
            return FORM_MORE;
        }
        if (px_bytes_u8(&at->in) != ';') {
            return FORM_BAD;
        }
        space_skip(&at->in);
        if (px_bytes_left(&at->in) > 0 && px_bytes_peek(&at->in, 0) != ';') {
            break; /* nothing between two ';' is nothing */
        }
    }
    ret->name = token_read(&at->in);
    if (ret->name.len == 0 || px_bytes_u8(&at->in) != '=') {
        return FORM_BAD;
    }
    if (px_bytes_peek(&at->in, 0) == '"') {
        px_bytes_skip(&at->in, 1);
        return quoted_read(at, &ret->value) ? FORM_DONE : FORM_BAD;
    }
    return plain_read(at, &ret->value) ? FORM_DONE : FORM_BAD;
}

/* What stands before the first ';', such as "form-data" or "multipart/form-data". */
static struct px_text word_read(struct px_bytes *in)
{
    space_skip(in);
    const uint8_t *from = in->ptr;
    while (px_bytes_left(in) > 0 && (is_token(*in->ptr) || *in->ptr == '/')) {
        px_bytes_skip(in, 1);
    }
    return (struct px_text){(const char *)from, (size_t)(in->ptr - from)};
}

/* ---- filename* ---- */

/* UTF-8'en'%e2%82%ac.txt, where it stands. DONE; MORE: a charset nobody knows; BAD. */
static enum form_step extended_decode(uint8_t *mem, size_t len, struct px_text *ret)
{
    uint8_t *quote = memchr(mem, '\'', len);
    if (quote == NULL) {
        return FORM_BAD;
    }
    struct px_text charset = {(const char *)mem, (size_t)(quote - mem)};
    struct place at = place_of(quote + 1, len - charset.len - 1);
    quote = memchr(at.mem, '\'', px_bytes_left(&at.in));
    if (quote == NULL) {
        return FORM_BAD;
    }
    px_bytes_skip(&at.in, (size_t)(quote + 1 - at.mem));
    bool latin1 = text_is_any_case(charset, "iso-8859-1");
    if (!latin1 && !text_is_any_case(charset, "utf-8")) {
        return FORM_MORE;
    }
    struct px_bytes_out out = place_out(&at);
    while (px_bytes_left(&at.in) > 0) {
        uint8_t c = px_bytes_u8(&at.in);
        if (c == '%') {
            int high = form_hex(px_bytes_u8(&at.in)), low = form_hex(px_bytes_u8(&at.in));
            if (high < 0 || low < 0) {
                return FORM_BAD;
            }
            c = (uint8_t)(high << 4 | low);
        } else if (c >= 0x80) {
            return FORM_BAD;
        }
        if (latin1 && c >= 0x80) {
            px_bytes_put_u8(&out, (uint8_t)(0xc0 | c >> 6));
            c = (uint8_t)(0x80 | (c & 0x3f));
        }
        px_bytes_put_u8(&out, c);
    }
    *ret = out_text(&out);
    return FORM_DONE;
}

/* ---- lines ---- */

struct head {
    struct px_form_part *part;
    bool has_disposition, has_type, has_encoding;
    bool has_name, has_filename, has_extended;
};

static uint8_t *text_mem(uint8_t *lines, const uint8_t *start, struct px_text text)
{
    return lines + ((const uint8_t *)text.ptr - start);
}

static enum form_step disposition_param(struct head *h, struct place *at, const struct param *param)
{
    struct px_form_part *part = h->part;
    if (text_is_any_case(param->name, "name")) {
        part->name = param->value;
        bool twice = h->has_name;
        h->has_name = true;
        return twice ? FORM_BAD : FORM_DONE;
    }
    if (text_is_any_case(param->name, "filename")) {
        part->filename = h->has_extended && part->filename.len > 0 ? part->filename : param->value;
        bool twice = h->has_filename;
        h->has_filename = true;
        return twice ? FORM_BAD : FORM_DONE;
    }
    if (text_is_any_case(param->name, "filename*")) {
        uint8_t *mem = text_mem(at->mem, at->start, param->value);
        bool twice = h->has_extended;
        h->has_extended = true;
        enum form_step step = extended_decode(mem, param->value.len, &part->filename);
        return twice || step == FORM_BAD ? FORM_BAD : FORM_DONE;
    }
    return FORM_DONE;
}

static enum form_step disposition_read(struct head *h, uint8_t *mem, size_t len)
{
    struct place at = place_of(mem, len);
    struct param param;
    enum form_step step = FORM_DONE;
    if (h->has_disposition || !text_is_any_case(word_read(&at.in), "form-data")) {
        return FORM_BAD;
    }
    h->has_disposition = true;
    while (step == FORM_DONE) {
        step = param_next(&at, &param);
        if (step == FORM_DONE) {
            step = disposition_param(h, &at, &param);
        }
    }
    return step == FORM_MORE ? FORM_DONE : step;
}

/* RFC 7578 4.7: nobody encodes; what is encoded is not handed on as if it were not. */
static bool encoding_ok(struct px_text value)
{
    for (size_t i = 0; i < sizeof encodings_plain / sizeof encodings_plain[0]; i++) {
        if (text_is_any_case(value, encodings_plain[i])) {
            return true;
        }
    }
    return false;
}

static enum form_step line_read(struct head *h, struct px_text name, uint8_t *mem, size_t len)
{
    struct px_text value = {(const char *)mem, len};
    if (text_is_any_case(name, "content-disposition")) {
        return disposition_read(h, mem, len);
    }
    if (text_is_any_case(name, "content-type")) {
        bool ok = !h->has_type && form_text_ok(value);
        h->has_type = true;
        h->part->type = value;
        return ok ? FORM_DONE : FORM_BAD;
    }
    if (text_is_any_case(name, "content-transfer-encoding")) {
        bool ok = !h->has_encoding && encoding_ok(value);
        h->has_encoding = true;
        return ok ? FORM_DONE : FORM_BAD;
    }
    return FORM_DONE;
}

/* Takes a line: its name, and where its value is, without the space around it. */
static bool line_take(struct place *at, struct px_text *ret_name, struct px_span *ret_value)
{
    struct px_span rest = px_bytes_rest(&at->in);
    const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
    if (end == NULL || end == rest.ptr || end[-1] != '\r') {
        return false;
    }
    struct px_bytes line = px_bytes_sub(&at->in, (size_t)(end + 1 - rest.ptr));
    struct px_span whole = px_span_of(line.ptr, px_bytes_left(&line) - 2);
    line = px_bytes_of_span(whole);
    *ret_name = token_read(&line);
    if (ret_name->len == 0 || px_bytes_u8(&line) != ':' ||
        memchr(whole.ptr, '\r', whole.len) != NULL || memchr(whole.ptr, '\0', whole.len) != NULL) {
        return false;
    }
    space_skip(&line);
    *ret_value = px_bytes_rest(&line);
    while (ret_value->len > 0 && is_space(ret_value->ptr[ret_value->len - 1])) {
        ret_value->len--;
    }
    return true;
}

enum form_step form_head_read(uint8_t *lines, size_t len, const struct form_limits *limits,
                              struct px_form_part *ret_part)
{
    struct place at = place_of(lines, len);
    struct head h = {.part = ret_part};
    *ret_part = (struct px_form_part){.name = {"", 0}, .filename = {"", 0}, .type = {"", 0}};
    while (px_bytes_left(&at.in) > 0) {
        struct px_text name;
        struct px_span value;
        if (!line_take(&at, &name, &value)) {
            return FORM_BAD;
        }
        uint8_t *mem = lines + (value.ptr - at.start);
        if (line_read(&h, name, mem, value.len) != FORM_DONE) {
            return FORM_BAD;
        }
    }
    ret_part->is_file = h.has_filename || h.has_extended;
    if (!h.has_name || !form_text_ok(ret_part->name) || !form_text_ok(ret_part->filename)) {
        return FORM_BAD;
    }
    return ret_part->name.len > limits->name_len_max ? FORM_LIMIT : FORM_DONE;
}

/* ---- the type of a form ---- */

static bool boundary_ok(struct px_text boundary)
{
    if (boundary.len < 1 || boundary.len > BOUNDARY_LEN_MAX ||
        boundary.ptr[boundary.len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < boundary.len; i++) {
        if (!is_alnum((uint8_t)boundary.ptr[i]) &&
            !is_one_of((uint8_t)boundary.ptr[i], "'()+_,-./:=? ")) {
            return false;
        }
    }
    return true;
}

enum form_step form_type(struct px_text type, enum form_kind *ret_kind, char *ret_boundary,
                         size_t *ret_boundary_len)
{
    uint8_t mem[FORM_TYPE_LEN_MAX];
    struct param param;
    enum form_step step = FORM_DONE;
    bool found = false;
    size_t len = type.len < sizeof mem ? type.len : sizeof mem;
    memcpy(mem, type.ptr, len);
    struct place at = place_of(mem, len);
    struct px_text word = word_read(&at.in);
    if (text_is_any_case(word, "application/x-www-form-urlencoded")) {
        *ret_kind = FORM_URLENCODED;
        return FORM_DONE;
    }
    if (!text_is_any_case(word, "multipart/form-data")) {
        return FORM_MORE;
    }
    *ret_kind = FORM_MULTIPART;
    while (step == FORM_DONE) {
        step = param_next(&at, &param);
        if (step == FORM_DONE && text_is_any_case(param.name, "boundary")) {
            step = found || !boundary_ok(param.value) ? FORM_BAD : FORM_DONE;
            found = true;
        }
        if (step == FORM_DONE && text_is_any_case(param.name, "boundary")) {
            *ret_boundary_len = param.value.len;
            memcpy(ret_boundary, param.value.ptr, param.value.len);
        }
    }
    return step == FORM_MORE && found && len == type.len ? FORM_DONE : FORM_BAD;
}
