/* h1_head_fuzz.c - any bytes as the head of a request. Whatever they are split into and whichever
 * scan table is used, the answer is the same; and what is said to be good is good: its list can be
 * walked, written into a response and holds nothing that belongs to the connection. */
#include "h1_head.h"
#include "h1_write.h"
#include "header_list.h"

#include <stdlib.h>

enum { LIST_MAX = 1 << 17, SPLITS = 8, ALL_SPLITS_MAX = 160, BYTEWISE_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct answer {
    enum px_parse parse;
    size_t used;
    struct px_span list;
    struct h1_head head;
    uint8_t memory[LIST_MAX];
};

static struct answer whole;
static struct answer other;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void ask(struct answer *a, struct h1_resume *resume, const struct h1_limits *limits,
                const uint8_t *data, size_t len)
{
    struct px_bytes in = px_bytes_of(data, len);
    struct px_bytes_out out =
        px_bytes_out_of(a->memory, len < LIST_MAX / 2 ? 2 * len : (size_t)LIST_MAX);
    a->parse = h1_head_parse(resume, &in, &out, limits, &a->head);
    a->used = len - px_bytes_left(&in);
    a->list = px_bytes_out_span(&out);
    check(a->parse == PX_PARSE_DONE || (a->used == 0 && a->list.len == 0));
}

static void check_same(const struct answer *a, const struct answer *b)
{
    check(a->parse == b->parse && a->used == b->used && px_span_equal(a->list, b->list));
    if (a->parse == PX_PARSE_BAD) {
        check(a->head.refusal.status == b->head.refusal.status);
        check(a->head.refusal.reason == b->head.refusal.reason);
        check(a->head.h2_preface == b->head.h2_preface);
    }
    if (a->parse == PX_PARSE_DONE) {
        check(px_span_equal(a->head.method, b->head.method));
        check(px_span_equal(a->head.path, b->head.path));
        check(px_span_equal(a->head.authority, b->head.authority));
        check(px_span_equal(a->head.upgrade, b->head.upgrade));
        check(a->head.framing == b->head.framing && a->head.keep_alive == b->head.keep_alive);
        check(a->head.content_length == b->head.content_length);
    }
}

static void check_splits(const struct h1_limits *limits, const uint8_t *data, size_t len)
{
    uint32_t seed = (uint32_t)len * 2654435761u;
    size_t n_splits = len <= ALL_SPLITS_MAX ? len + 1 : SPLITS;
    for (size_t i = 0; i < n_splits; i++) {
        seed = seed * 1664525u + 1013904223u;
        struct h1_resume resume = {0};
        ask(&other, &resume, limits, data, len <= ALL_SPLITS_MAX ? i : (seed >> 8) % (len + 1));
        if (other.parse == PX_PARSE_MORE) {
            ask(&other, &resume, limits, data, len);
        }
        check_same(&whole, &other);
    }
    struct h1_resume resume = {0};
    size_t at = len <= BYTEWISE_MAX ? 0 : len - BYTEWISE_MAX;
    do {
        ask(&other, &resume, limits, data, at);
    } while (other.parse == PX_PARSE_MORE && at++ < len);
    check_same(&whole, &other);
}

static void check_list(struct px_span list)
{
    struct px_bytes in = px_bytes_of_span(list);
    struct px_header h;
    while (px_header_list_next(&in, &h)) {
        for (size_t i = 0; i < h.name.len; i++) {
            check(h1_token_lower[h.name.ptr[i]] == h.name.ptr[i] && h.name.ptr[i] != 0);
        }
        check(h1_scan_scalar.value(h.value.ptr, h.value.len) == h.value.len);
        struct h1_field_kind kind = h1_field_kind_of(h.name);
        check(!kind.alias && (kind.flags & H1_FIELD_HOP) == 0 && kind.id != H1_FIELD_HOST);
        if (h.value.len > 0) {
            uint8_t first = h.value.ptr[0];
            uint8_t last = h.value.ptr[h.value.len - 1];
            check(first != ' ' && first != '\t' && last != ' ' && last != '\t');
        }
    }
    check(!in.failed);
}

static void check_good(const struct answer *a, const uint8_t *data)
{
    const struct h1_head *head = &a->head;
    check(a->used >= 4 && px_span_equal_str(px_span_of(data + a->used - 4, 4), "\r\n\r\n"));
    check(head->method.len >= 1 && head->method.len <= H1_METHOD_MAX);
    check(head->method_id == H1_CONNECT ? head->path.len == 0
                                        : head->path.ptr[0] == '/' || head->path.ptr[0] == '*');
    check(h1_scan_scalar.target(head->path.ptr, head->path.len) == head->path.len);
    check(h1_scan_scalar.target(head->authority.ptr, head->authority.len) == head->authority.len);
    check(head->minor == 0 || head->authority.len > 0);
    check(head->framing == H1_LENGTH || head->content_length == 0);
    check(head->framing != H1_UNTIL_CLOSE);
    check_list(a->list);
}

/* What was read can be written, and nothing of it ends the head early. */
static void check_writing(const struct answer *a)
{
    static uint8_t memory[LIST_MAX + H1_WRITE_FIXED_MAX];
    struct h1_response response = {.status = 200, .minor = 1, .fields = a->list};
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    check(h1_write_response(&out, &response, &h1_scan_scalar) == H1_WRITE_DONE);
    check(px_bytes_out_len(&out) <= h1_write_max(&response));
    struct px_span text = px_bytes_out_span(&out);
    for (size_t i = 0; i + 4 < text.len; i++) {
        check(memcmp(text.ptr + i, "\r\n\r\n", 4) != 0);
    }
}

static void run(const struct h1_limits *limits, const uint8_t *data, size_t len)
{
    struct h1_resume resume = {0};
    ask(&whole, &resume, limits, data, len);
    check_splits(limits, data, len);
    if (whole.parse == PX_PARSE_DONE) {
        check_good(&whole, data);
        check_writing(&whole);
    }
    if (whole.parse == PX_PARSE_BAD) {
        check(whole.head.refusal.status >= 400 && whole.head.refusal.status <= 505);
        check(whole.head.refusal.reason != NULL);
    }
    struct h1_limits twin = *limits;
    twin.scan = &h1_scan_scalar;
    resume = (struct h1_resume){0};
    ask(&other, &resume, &twin, data, len);
    check_same(&whole, &other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct h1_limits limits = h1_limits_default(h1_scan_pick());
    run(&limits, data, len);
    limits.any_method = true;
    limits.connect = true;
    limits.request_line_max = 64;
    limits.header_line_max = 48;
    limits.headers_len_max = 200;
    limits.headers_max = 6;
    run(&limits, data, len);
    return 0;
}
