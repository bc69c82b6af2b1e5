/* form_text.h - what a parser of forms finds, as text, however the body is split. */
#ifndef FORM_TEXT_H
#define FORM_TEXT_H

#include "form_parse.h"

#include <stdlib.h>

enum { FORM_TEXT_MAX = 1 << 17, FORM_MEM_MAX = 65536 };

struct form_text {
    struct px_bytes_out out; /* {name|filename|type}data; ... and how it ended: . ! > */
    uint8_t memory[FORM_TEXT_MAX];
    uint8_t mem[FORM_MEM_MAX];
    uint64_t given;
};

static inline void form_text_must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static inline void form_text_put(struct form_text *t, struct px_text text)
{
    px_bytes_put(&t->out, text.ptr, text.len);
}

static inline void form_text_step(struct form_text *t, const struct form_parser *p,
                                  enum form_step step)
{
    switch (step) {
    case FORM_BEGIN:
        px_bytes_put_u8(&t->out, '{');
        form_text_put(t, p->part.name);
        if (p->part.is_file) {
            px_bytes_put_u8(&t->out, '|');
            form_text_put(t, p->part.filename);
        }
        if (p->part.type.len > 0) {
            px_bytes_put_u8(&t->out, '|');
            form_text_put(t, p->part.type);
        }
        px_bytes_put_u8(&t->out, '}');
        break;
    case FORM_DATA:
        form_text_must(p->data.len > 0);
        t->given += p->data.len;
        px_bytes_put_span(&t->out, p->data);
        break;
    case FORM_END:
        px_bytes_put_u8(&t->out, ';');
        break;
    case FORM_DONE:
        px_bytes_put_u8(&t->out, '.');
        break;
    case FORM_BAD:
        px_bytes_put_u8(&t->out, '!');
        break;
    case FORM_LIMIT:
        px_bytes_put_u8(&t->out, '>');
        break;
    case FORM_MORE:
        break;
    }
}

/* Reads a body in pieces: the first ends at `first`, the others are `piece` long. */
static inline void form_text_read(struct form_text *t, enum form_kind kind,
                                  const struct form_limits *limits, const char *boundary,
                                  struct px_span body, size_t first, size_t piece)
{
    struct form_parser p;
    enum form_step step = FORM_MORE;
    size_t at = 0, end = first;
    t->out = px_bytes_out_of(t->memory, sizeof t->memory);
    t->given = 0;
    form_text_must(form_memory(kind, limits) <= sizeof t->mem);
    form_init(&p, kind, limits, (struct px_text){boundary, strlen(boundary)}, t->mem);
    do {
        /* memory of their own: what is kept of an earlier piece would be seen */
        uint8_t *copy = malloc(end - at + 1);
        form_text_must(copy != NULL);
        memcpy(copy, body.ptr + at, end - at);
        struct px_bytes in = px_bytes_of(copy, end - at);
        do {
            step = form_next(&p, &in, end == body.len);
            form_text_step(t, &p, step);
        } while (step != FORM_MORE && step != FORM_DONE && step != FORM_BAD && step != FORM_LIMIT);
        form_text_must(step != FORM_MORE || px_bytes_left(&in) == 0);
        form_text_must(t->given <= end);
        free(copy);
        at = end;
        end = body.len - end < piece ? body.len : end + piece;
    } while (step == FORM_MORE && at < body.len);
    form_text_must(!t->out.overflow);
}

static inline bool form_text_same(const struct form_text *a, const struct form_text *b)
{
    return px_span_equal(px_bytes_out_span(&a->out), px_bytes_out_span(&b->out));
}

#endif
