/* h1_chunk_fuzz.c - any bytes as a chunked body. Whatever they are split into, body, trailers,
 * status and end are the same; and what was decoded can be encoded and decoded again. */
#include "h1_chunk.h"
#include "header_list.h"

#include <stdlib.h>

enum {
    BODY_MAX = 1 << 16,
    LIST_MAX = 1 << 17,
    ROUND_MAX = 1 << 18,
    SPLITS = 8,
    ALL_SPLITS_MAX = 160
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct answer {
    enum px_parse parse;
    struct h1_refusal refusal;
    size_t used; /* with DONE */
    struct px_bytes_out body;
    struct px_bytes_out list;
    uint8_t body_memory[BODY_MAX];
    uint8_t list_memory[LIST_MAX];
};

static struct answer whole;
static struct answer other;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Decode in pieces: the first ends at `first`, the others are `step` long. */
static void decode(struct answer *a, const struct h1_limits *limits, const uint8_t *data,
                   size_t len, size_t first, size_t step)
{
    struct h1_chunk chunk = {0};
    struct px_span body;
    size_t at = 0;
    size_t end = first;
    a->body = px_bytes_out_of(a->body_memory, sizeof a->body_memory);
    a->list = px_bytes_out_of(a->list_memory, sizeof a->list_memory);
    for (;;) {
        struct px_bytes in = px_bytes_of(data + at, end - at);
        do {
            a->parse = h1_chunk_next(&chunk, &in, &a->list, limits, &body, &a->refusal);
            check(body.len == 0 || a->parse == PX_PARSE_MORE);
            check(body.len == 0 || (body.ptr >= data && body.ptr + body.len <= data + end));
            px_bytes_put_span(&a->body, body);
        } while (a->parse == PX_PARSE_MORE && body.len > 0);
        at = end - px_bytes_left(&in);
        if (a->parse != PX_PARSE_MORE || end == len) {
            break;
        }
        end = len - end < step ? len : end + step;
    }
    check(!a->body.overflow && !a->list.overflow);
    a->used = a->parse == PX_PARSE_DONE ? at : 0;
}

static void check_same(void)
{
    check(whole.parse == other.parse && whole.used == other.used);
    check(px_span_equal(px_bytes_out_span(&whole.body), px_bytes_out_span(&other.body)));
    check(px_span_equal(px_bytes_out_span(&whole.list), px_bytes_out_span(&other.list)));
    if (whole.parse == PX_PARSE_BAD) {
        check(whole.refusal.status == other.refusal.status);
        check(whole.refusal.reason == other.refusal.reason);
        check(whole.refusal.status == 400 || whole.refusal.status == 431);
    }
}

static void check_splits(const struct h1_limits *limits, const uint8_t *data, size_t len)
{
    uint32_t seed = (uint32_t)len * 2654435761u;
    size_t n_splits = len <= ALL_SPLITS_MAX ? len + 1 : SPLITS;
    for (size_t i = 0; i < n_splits; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t at = len <= ALL_SPLITS_MAX ? i : (seed >> 8) % (len + 1);
        decode(&other, limits, data, len, at, len);
        check_same();
    }
    decode(&other, limits, data, len, 0, 1);
    check_same();
}

/* Encode what was decoded and decode it again. A line may grow by the space behind its colon. */
static void check_round(void)
{
    struct h1_limits limits = h1_limits_default(&h1_scan_scalar);
    limits.header_line_max *= 2;
    limits.headers_len_max *= 2;
    static uint8_t memory[ROUND_MAX];
    struct px_bytes_out out = px_bytes_out_of(memory, sizeof memory);
    struct px_span body = px_bytes_out_span(&whole.body);
    struct px_span trailers = px_bytes_out_span(&whole.list);
    if (body.len > 0) {
        h1_chunk_put_head(&out, body.len);
        px_bytes_put_span(&out, body);
        h1_chunk_put_tail(&out);
    }
    check(h1_chunk_put_last(&out, trailers, limits.scan));
    decode(&other, &limits, memory, px_bytes_out_len(&out), px_bytes_out_len(&out), 1);
    check(other.parse == PX_PARSE_DONE && other.used == px_bytes_out_len(&out));
    check(px_span_equal(px_bytes_out_span(&other.body), body));
    check(px_span_equal(px_bytes_out_span(&other.list), trailers));
}

static void run(const struct h1_limits *limits, const uint8_t *data, size_t len)
{
    decode(&whole, limits, data, len, len, 1);
    check(px_header_list_is_valid(px_bytes_out_span(&whole.list)));
    check_splits(limits, data, len);
    if (whole.parse == PX_PARSE_DONE) {
        check(whole.used >= 5 && data[whole.used - 1] == '\n' && data[whole.used - 2] == '\r');
        check_round();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > BODY_MAX) {
        return 0;
    }
    struct h1_limits limits = h1_limits_default(h1_scan_pick());
    run(&limits, data, len);
    limits.header_line_max = 40;
    limits.headers_len_max = 100;
    limits.headers_max = 4;
    run(&limits, data, len);
    return 0;
}
