/* form_fuzz.h - any bytes as a form: wherever they are split, the same is found; with limits that
 * are hit, no more than they allow. */
#ifndef FORM_FUZZ_H
#define FORM_FUZZ_H

#include "../clients/form_text.h"

enum { FUZZ_BODY_MAX = 1 << 14, ALL_SPLITS_MAX = 200, SOME_SPLITS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct form_fuzz {
    struct form_text whole, other;
};

static inline void form_fuzz_run(struct form_fuzz *f, enum form_kind kind,
                                 const struct form_limits *limits, const char *boundary,
                                 struct px_span body)
{
    uint32_t seed = (uint32_t)body.len * 2654435761u;
    size_t n = body.len <= ALL_SPLITS_MAX ? body.len + 1 : SOME_SPLITS;
    form_text_read(&f->whole, kind, limits, boundary, body, body.len, 1);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t at = body.len <= ALL_SPLITS_MAX ? i : (seed >> 8) % (body.len + 1);
        form_text_read(&f->other, kind, limits, boundary, body, at, body.len);
        form_text_must(form_text_same(&f->whole, &f->other));
    }
    form_text_read(&f->other, kind, limits, boundary, body, 0, 1);
    form_text_must(form_text_same(&f->whole, &f->other));
}

static inline void form_fuzz_limits(struct form_fuzz *f, enum form_kind kind, const char *boundary,
                                    const uint8_t *data, size_t len)
{
    struct form_limits limits = {256, 256, 4096, 65536, UINT64_MAX};
    if (len > FUZZ_BODY_MAX) {
        return;
    }
    form_fuzz_run(f, kind, &limits, boundary, px_span_of(data, len));
    limits = (struct form_limits){2, 3, 60, 5, 9};
    form_fuzz_run(f, kind, &limits, boundary, px_span_of(data, len));
}

#endif
