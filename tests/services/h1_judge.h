/* h1_judge.h - asks the head parser about a text in every way it could arrive, and demands one
 * answer.
 *
 * GOOD, MORE and BAD take a literal, so that zero bytes count. After GOOD `head` and `fields` hold
 * what was found.
 */
#ifndef H1_JUDGE_H
#define H1_JUDGE_H

#include "h1_head.h"
#include "header_list.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { JUDGE_SPLITS_MAX = 3000, JUDGE_LIST_MAX = 200000 };

struct answer {
    enum px_parse parse;
    size_t used;
    struct h1_head head;
    struct px_span list;
    uint8_t memory[JUDGE_LIST_MAX];
};

static struct h1_limits limits;
static struct answer whole;
static struct answer other;
static struct h1_head head;
static struct px_span fields;

static inline void limits_setup(void)
{
    limits = h1_limits_default(h1_scan_pick());
}

/* Parse the first `len` bytes; on MORE and BAD nothing may have moved. */
static inline void ask(struct answer *a, struct h1_resume *resume, const uint8_t *text, size_t len)
{
    struct px_bytes in = px_bytes_of(text, len);
    struct px_bytes_out out = px_bytes_out_of(a->memory, 2 * len);
    a->parse = h1_head_parse(resume, &in, &out, &limits, &a->head);
    a->used = len - px_bytes_left(&in);
    a->list = px_bytes_out_span(&out);
    ck_assert(a->parse == PX_PARSE_DONE || (a->used == 0 && a->list.len == 0));
    ck_assert(a->parse != PX_PARSE_BAD ||
              (a->head.refusal.status >= 400 && a->head.refusal.reason != NULL));
}

static inline bool is_within(struct px_span span, const uint8_t *text, size_t len)
{
    return span.len == 0 || (span.ptr >= text && span.ptr + span.len <= text + len);
}

static inline void expect_same(const struct answer *a, const struct answer *b)
{
    ck_assert_int_eq(a->parse, b->parse);
    ck_assert_uint_eq(a->used, b->used);
    ck_assert(px_span_equal(a->list, b->list));
    if (a->parse == PX_PARSE_BAD) {
        ck_assert_uint_eq(a->head.refusal.status, b->head.refusal.status);
        ck_assert_str_eq(a->head.refusal.reason, b->head.refusal.reason);
        ck_assert_int_eq(a->head.h2_preface, b->head.h2_preface);
    }
    if (a->parse == PX_PARSE_DONE) {
        ck_assert(px_span_equal(a->head.method, b->head.method));
        ck_assert(px_span_equal(a->head.authority, b->head.authority));
        ck_assert(px_span_equal(a->head.path, b->head.path));
        ck_assert(px_span_equal(a->head.upgrade, b->head.upgrade));
        ck_assert_int_eq(a->head.framing, b->head.framing);
        ck_assert_uint_eq(a->head.content_length, b->head.content_length);
        ck_assert_int_eq(a->head.keep_alive, b->head.keep_alive);
    }
}

/* In two pieces, and byte by byte: the answer about the whole. */
static inline void expect_no_split_matters(const uint8_t *text, size_t len)
{
    size_t step = len <= JUDGE_SPLITS_MAX ? 1 : len / 50;
    for (size_t at = 0; at <= len; at += step) {
        struct h1_resume resume = {0};
        ask(&other, &resume, text, at);
        if (other.parse == PX_PARSE_MORE) {
            ask(&other, &resume, text, len);
        }
        expect_same(&whole, &other);
    }
    struct h1_resume resume = {0};
    size_t n = 0;
    do {
        ask(&other, &resume, text, n);
    } while (other.parse == PX_PARSE_MORE && n++ < len);
    expect_same(&whole, &other);
}

static inline void judge(const char *literal, size_t len)
{
    uint8_t *text = malloc(len + (len == 0)); /* exactly as long: overreads are seen */
    ck_assert_ptr_nonnull(text);
    memcpy(text, literal, len);
    struct h1_resume resume = {0};
    ask(&whole, &resume, text, len);
    if (whole.parse == PX_PARSE_DONE) {
        ck_assert(px_header_list_is_valid(whole.list));
        ck_assert(is_within(whole.head.method, text, len));
        ck_assert(is_within(whole.head.authority, text, len));
    }
    expect_no_split_matters(text, len);

    const struct h1_scan *picked = limits.scan;
    limits.scan = &h1_scan_scalar;
    memset(&resume, 0, sizeof resume);
    ask(&other, &resume, text, len);
    expect_same(&whole, &other);
    limits.scan = picked;

    /* What the spans point into must outlive them: ask once more about the literal. */
    memset(&resume, 0, sizeof resume);
    ask(&whole, &resume, (const uint8_t *)literal, len);
    head = whole.head;
    fields = whole.list;
    free(text);
}

static inline void expect_parse(enum px_parse parse)
{
    static const char *const names[] = {"DONE", "MORE", "BAD"};
    ck_assert_msg(whole.parse == parse, "%s instead of %s: %u %s", names[whole.parse], names[parse],
                  whole.parse == PX_PARSE_BAD ? head.refusal.status : 0,
                  whole.parse == PX_PARSE_BAD ? head.refusal.reason : "");
}

static inline void expect_good(const char *text, size_t len)
{
    judge(text, len);
    expect_parse(PX_PARSE_DONE);
    ck_assert_uint_eq(whole.used, len);
}

static inline void expect_bad(const char *text, size_t len, unsigned status)
{
    judge(text, len);
    expect_parse(PX_PARSE_BAD);
    ck_assert_uint_eq(head.refusal.status, status);
}

static inline void expect_more(const char *text, size_t len)
{
    judge(text, len);
    expect_parse(PX_PARSE_MORE);
}

#define GOOD(literal) expect_good(literal, sizeof(literal) - 1)
#define MORE(literal) expect_more(literal, sizeof(literal) - 1)
#define BAD(literal, status) expect_bad(literal, sizeof(literal) - 1, status)

/* A request to / of a good host, with these field lines. */
#define GET_WITH(lines) "GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n"

/* How many fields of this name there are; the value of the first is in `value`. */
static struct px_span value;

static inline size_t fields_named(const char *name)
{
    struct px_bytes in = px_bytes_of_span(fields);
    struct px_header h;
    size_t n = 0;
    while (px_header_list_next(&in, &h)) {
        if (px_span_equal_str(h.name, name)) {
            value = n++ == 0 ? h.value : value;
        }
    }
    return n;
}

static inline size_t fields_in_all(void)
{
    struct px_bytes in = px_bytes_of_span(fields);
    struct px_header h;
    size_t n = 0;
    while (px_header_list_next(&in, &h)) {
        n++;
    }
    return n;
}

#define EXPECT_FIELD(name, text)                                                                   \
    do {                                                                                           \
        ck_assert_uint_eq(fields_named(name), 1);                                                  \
        ck_assert(px_span_equal_str(value, text));                                                 \
    } while (0)

#define EXPECT_SPAN(span, text)                                                                    \
    ck_assert_msg(px_span_equal_str(span, text), "%.*s", (int)(span).len, (const char *)(span).ptr)

#endif
