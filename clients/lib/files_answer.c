/* files_answer.c - from an open file to a response.
 *
 *     preconditions (RFC 9110 13.2.2): 412, 304, or on
 *     Range (RFC 9110 14.2): 416, 206 with one part or several, or all of it
 *     bytes: in the Respond itself if the mailbox has read them, else behind it as file ranges
 */
#include <stdio.h>

#include "files_condition.h"
#include "files_date.h"
#include "files_impl.h"
#include "files_range.h"
#include "header_list.h"
#include "http.pb-c.h"
#include "http_contract.h"

enum {
    HEAD_FIELDS_MAX = 8,
    ETAG_MAX = 64,          /* three numbers of 16 digits, two quotes, two dashes, a zero */
    CONTENT_RANGE_MAX = 80, /* "bytes a-b/c" of numbers of 20 digits */
    BOUNDARY_LEN = 24,
    PART_EXTRA = 128,        /* bytes of a part's head besides its type */
    SLICE_LEN_MAX = 1 << 30, /* of a file */
    SECOND_NS = 1000000000,
    SECOND_US = 1000000,
};

/* ---- what may go wrong ---- */

void file_refused(struct request *r, enum px_status status)
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

/* ---- the head ---- */

struct answer {
    struct request *r;
    const struct file_terms *terms;
    struct px_buf *buf; /* memory or descriptor of the file; NULL: empty */
    uint64_t base;      /* of memory: where the file begins in the buffer */
    uint64_t length;
    uint32_t slice_flags;
    struct validators validators;
    char etag[ETAG_MAX], modified[DATE_TEXT_MAX];
};

struct head {
    uint32_t n;
    struct px_header fields[HEAD_FIELDS_MAX];
};

static void head_add(struct head *head, const char *name, struct px_span value)
{
    head->fields[head->n++] = (struct px_header){px_span_of_str(name), value};
}

static void head_add_str(struct head *head, const char *name, const char *value)
{
    head_add(head, name, px_span_of_str(value));
}

/* What every response about the file itself says. */
static void head_begin(struct head *head, const struct answer *a, bool with_ranges)
{
    head->n = 0;
    if (a->terms->validators) {
        head_add_str(head, "etag", a->etag);
        head_add_str(head, "last-modified", a->modified);
    }
    if (with_ranges && a->terms->ranges_max > 0) {
        head_add_str(head, "accept-ranges", "bytes");
    }
    if (with_ranges && a->terms->coding != NULL) {
        head_add_str(head, "content-encoding", a->terms->coding);
    }
}

static bool is_type(const struct px_header *header)
{
    return px_span_equal_str(header->name, "content-type");
}

static size_t fields_len(const struct head *head, struct px_span given)
{
    size_t len = given.len;
    for (uint32_t i = 0; i < head->n; i++) {
        len += px_header_size(head->fields[i].name.len, head->fields[i].value.len);
    }
    return len;
}

static Http__Response *response_of(const struct answer *a, uint32_t status, const struct head *head)
{
    struct px_span given = a->terms->fields;
    size_t max = fields_len(head, given);
    Http__Response *m = px_msg_new_sized(a->r->app->env, &http__response__descriptor, max + 8);
    uint8_t *mem = px_msg_alloc(m, max);
    struct px_bytes_out out = px_bytes_out_of(mem, max);
    struct px_bytes in = px_bytes_of_span(given);
    struct px_header header;
    for (uint32_t i = 0; i < head->n; i++) {
        px_header_list_put(&out, head->fields[i].name, head->fields[i].value);
    }
    while (px_header_list_next(&in, &header)) {
        if (!is_type(&header)) {
            px_header_list_put(&out, header.name, header.value);
        }
    }
    m->responder = a->r->self;
    m->status = status;
    m->fields = (ProtobufCBinaryData){px_bytes_out_len(&out), mem};
    return m;
}

/* ---- the body ---- */

/* Bytes of the file behind what is queued already: for the engine, or to be read first. */
static bool queue_file(const struct answer *a, uint64_t first, uint64_t len)
{
    const Http__Request *head = a->r->msg->body;
    bool in_file = (a->slice_flags & PX_SLICE_FILE) != 0 && !head->file_ranges;
    struct px_chain *chain = in_file ? &a->r->file : &a->r->out;
    while (len > 0) {
        uint32_t part = len < SLICE_LEN_MAX ? (uint32_t)len : SLICE_LEN_MAX;
        if (!px_chain_append(a->r->app->env, chain, a->buf, a->base + first, part,
                             a->slice_flags)) {
            return false;
        }
        first += part;
        len -= part;
    }
    return true;
}

static void answer_lost(struct request *r)
{
    px_chain_clear(&r->out);
    px_chain_clear(&r->file);
    file_refused(r, PX_NO_MEMORY);
}

/* Head, then what is queued. */
static void send_queued(const struct answer *a, Http__Response *m, uint64_t length)
{
    m->has_length = true;
    m->length = length;
    request_tell(a->r, REQUESTER_RESPOND, m);
    request_move(a->r, FINISHING);
    reply_pump(a->r);
}

/* One stretch of the file as the whole body. */
static void send_stretch(const struct answer *a, uint32_t status, const struct head *head,
                         uint64_t first, uint64_t len)
{
    struct request *r = a->r;
    bool bodiless = r->is_head || len == 0;
    bool at_once = bodiless || (a->slice_flags & PX_SLICE_FILE) == 0;
    if (!at_once && !queue_file(a, first, len)) {
        answer_lost(r);
        return;
    }
    Http__Response *m = response_of(a, status, head);
    if (!at_once) {
        send_queued(a, m, len);
        return;
    }
    if (!bodiless) {
        px_msg_attach(m, a->buf, a->base + first, (uint32_t)len);
    }
    m->has_length = true;
    m->length = len;
    m->fin = true;
    request_tell(r, REQUESTER_RESPOND, m);
    reply_answered(r);
}

static struct px_span type_of(const struct answer *a)
{
    return px_span_of(a->terms->content_type.ptr, a->terms->content_type.len);
}

static void add_type(struct head *head, const struct answer *a)
{
    if (a->terms->content_type.ptr != NULL) {
        head_add(head, "content-type", type_of(a));
    }
}

static void send_all(const struct answer *a)
{
    struct head head;
    head_begin(&head, a, true);
    add_type(&head, a);
    send_stretch(a, 200, &head, 0, a->length);
}

/* ---- ranges ---- */

static void content_range(char ret[CONTENT_RANGE_MAX], const struct byte_range *range,
                          uint64_t length)
{
    snprintf(ret, CONTENT_RANGE_MAX, "bytes %llu-%llu/%llu", (unsigned long long)range->first,
             (unsigned long long)(range->first + range->len - 1), (unsigned long long)length);
}

static void send_range(const struct answer *a, const struct byte_range *range)
{
    struct head head;
    char text[CONTENT_RANGE_MAX];
    head_begin(&head, a, true);
    add_type(&head, a);
    content_range(text, range, a->length);
    head_add_str(&head, "content-range", text);
    send_stretch(a, 206, &head, range->first, range->len);
}

/* Parts between boundaries (RFC 9110 14.6). Their heads share one buffer. */
struct parts {
    const struct answer *a;
    struct px_buf *heads;
    struct px_bytes_out out;
    uint64_t total;
    char boundary[BOUNDARY_LEN + 1];
};

static bool parts_begin(struct parts *p, const struct answer *a, uint32_t n)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[BOUNDARY_LEN / 2];
    size_t max = (n + 1) * (a->terms->content_type.len + PART_EXTRA + CONTENT_RANGE_MAX);
    p->a = a;
    p->total = 0;
    px_random(a->r->app->env, bytes, sizeof bytes); /* nobody can put it into a file beforehand */
    for (size_t i = 0; i < sizeof bytes; i++) {
        p->boundary[2 * i] = digits[bytes[i] >> 4];
        p->boundary[2 * i + 1] = digits[bytes[i] & 15];
    }
    p->boundary[BOUNDARY_LEN] = '\0';
    p->heads = max > BODY_LEN_MAX ? NULL : px_buf_new(a->r->app->env, max);
    if (p->heads != NULL) {
        p->out = px_bytes_out_of(px_buf_data(p->heads), max);
    }
    return p->heads != NULL;
}

/* Queues what was written since `from`. */
static bool parts_queue(struct parts *p, size_t from)
{
    struct request *r = p->a->r;
    const Http__Request *head = r->msg->body;
    bool in_file = (p->a->slice_flags & PX_SLICE_FILE) != 0 && !head->file_ranges;
    size_t len = px_bytes_out_len(&p->out) - from;
    p->total += len;
    return px_chain_append(r->app->env, in_file ? &r->file : &r->out, p->heads, from, (uint32_t)len,
                           PX_SLICE_SHARED);
}

static bool parts_add(struct parts *p, const struct byte_range *range)
{
    size_t from = px_bytes_out_len(&p->out);
    char text[CONTENT_RANGE_MAX];
    content_range(text, range, p->a->length);
    px_bytes_put_str(&p->out, p->total == 0 ? "--" : "\r\n--");
    px_bytes_put_str(&p->out, p->boundary);
    if (p->a->terms->content_type.ptr != NULL) {
        px_bytes_put_str(&p->out, "\r\nContent-Type: ");
        px_bytes_put_span(&p->out, type_of(p->a));
    }
    px_bytes_put_str(&p->out, "\r\nContent-Range: ");
    px_bytes_put_str(&p->out, text);
    px_bytes_put_str(&p->out, "\r\n\r\n");
    if (!parts_queue(p, from) || !queue_file(p->a, range->first, range->len)) {
        return false;
    }
    p->total += range->len;
    return true;
}

static bool parts_end(struct parts *p)
{
    size_t from = px_bytes_out_len(&p->out);
    px_bytes_put_str(&p->out, "\r\n--");
    px_bytes_put_str(&p->out, p->boundary);
    px_bytes_put_str(&p->out, "--\r\n");
    return parts_queue(p, from);
}

static void send_ranges(const struct answer *a, const struct byte_range *ranges, uint32_t n)
{
    struct parts parts;
    struct head head;
    char type[64];
    bool ok = parts_begin(&parts, a, n);
    for (uint32_t i = 0; i < n && ok; i++) {
        ok = parts_add(&parts, &ranges[i]);
    }
    ok = ok && parts_end(&parts);
    if (ok) {
        head_begin(&head, a, true);
        snprintf(type, sizeof type, "multipart/byteranges; boundary=%s", parts.boundary);
        head_add_str(&head, "content-type", type);
        send_queued(a, response_of(a, 206, &head), parts.total);
    } else {
        answer_lost(a->r);
    }
    px_buf_put(parts.heads);
}

static void send_unsatisfiable(const struct answer *a)
{
    char text[CONTENT_RANGE_MAX];
    struct px_field fields[] = {{"content-range", text}, {"accept-ranges", "bytes"}};
    snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)a->length);
    request_move(a->r, WAITING);
    (void)reply_error(a->r, 416, fields, 2);
}

static void send_wanted(const struct answer *a, const struct conditions *conditions)
{
    struct byte_range ranges[RANGES_MAX];
    struct px_text value;
    uint32_t n = 0;
    enum ranges verdict = RANGES_ALL;
    if (a->terms->ranges_max > 0 && !a->r->is_head && conditions_range(conditions, &value)) {
        verdict = ranges_parse(value, a->length, a->terms->ranges_max, ranges, &n);
    }
    switch (verdict) {
    case RANGES_ALL:
        px_count(a->r->app->env, COUNT_RANGE_IGNORED, conditions->range.ptr != NULL ? 1 : 0);
        send_all(a);
        return;
    case RANGES_NONE:
        send_unsatisfiable(a);
        return;
    case RANGES_SOME:
        break;
    }
    if (n == 1) {
        send_range(a, &ranges[0]);
    } else {
        send_ranges(a, ranges, n);
    }
}

/* ---- preconditions ---- */

static void send_not_modified(const struct answer *a)
{
    struct head head;
    head_begin(&head, a, false);
    Http__Response *m = response_of(a, 304, &head);
    m->fin = true;
    request_tell(a->r, REQUESTER_RESPOND, m);
    reply_answered(a->r);
}

static void judge(const struct answer *a)
{
    const Http__Request *head = a->r->msg->body;
    struct px_bytes in = px_bytes_of(head->fields.data, head->fields.len);
    struct conditions conditions;
    struct px_header header;
    conditions_begin(&conditions, &a->validators);
    while (px_header_list_next(&in, &header)) {
        if (header.name.ptr[0] == 'i' || header.name.ptr[0] == 'r') {
            conditions_add(
                &conditions, (struct px_text){(const char *)header.name.ptr, header.name.len},
                (struct px_text){header.value.len == 0 ? "" : (const char *)header.value.ptr,
                                 header.value.len});
        }
    }
    switch (conditions_judge(&conditions, true)) {
    case CONDITION_GO:
        send_wanted(a, &conditions);
        return;
    case CONDITION_NOT_MODIFIED:
        send_not_modified(a);
        return;
    case CONDITION_FAILED:
        request_move(a->r, WAITING);
        reply_simple(a->r, 412, "412 Precondition Failed\n");
        return;
    }
}

/* ---- the whole ---- */

static char *put_hex(char *at, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t shift = 0;
    while (shift < 60 && value >> shift > 15) {
        shift += 4;
    }
    for (;; shift -= 4) {
        *at++ = digits[value >> shift & 15];
        if (shift == 0) {
            return at;
        }
    }
}

static void validators_fill(struct answer *a, const File__OpenedFile *opened)
{
    int64_t now_s = px_wall_us(a->r->app->env) / SECOND_US;
    int64_t modified_s = opened->modified_ns / SECOND_NS;
    /* RFC 9110 8.8.2.1: never later than the response itself */
    modified_s = modified_s > now_s ? now_s : modified_s;
    char *at = a->etag;
    *at++ = '"';
    at = put_hex(at, opened->inode);
    *at++ = '-';
    at = put_hex(at, opened->length);
    *at++ = '-';
    at = put_hex(at, (uint64_t)opened->modified_ns);
    *at++ = '"';
    *at = '\0';
    date_format(modified_s, a->modified);
    a->validators = (struct validators){a->etag, modified_s, now_s};
}

void file_answer(struct request *r, const struct px_msg *opened, const struct file_terms *terms)
{
    const File__OpenedFile *m = opened->body;
    const struct px_slice *slices = NULL;
    struct answer a = {.r = r, .terms = terms, .length = m->length};
    if (px_msg_payload(opened, &slices) > 0) {
        bool is_file = (slices[0].flags & PX_SLICE_FILE) != 0;
        a.buf = slices[0].buf;
        a.slice_flags = PX_SLICE_SHARED | (is_file ? PX_SLICE_FILE : 0);
        a.base = is_file ? 0 : (uint64_t)(slices[0].ptr - px_buf_data(a.buf));
        if (!is_file && slices[0].len < a.length) {
            file_refused(r, PX_INTERNAL); /* not what Open promises */
            return;
        }
    }
    if (!terms->validators) {
        send_all(&a);
        return;
    }
    validators_fill(&a, m);
    judge(&a);
}
