/* form_parse.h - forms, read incrementally: form_urlencoded.c and form_multipart.c. Pure: neither
 * allocates; wherever the bytes are split, the same is found.
 */
#ifndef FORM_PARSE_H
#define FORM_PARSE_H

#include "plexus.h"

#include <px/bytes.h>

enum {
    BOUNDARY_LEN_MAX = 70,   /* RFC 2046 5.1.1 */
    FORM_TYPE_LEN_MAX = 512, /* of the request's Content-Type */
    FORM_OUT_LEN = 256,
};

enum form_step {
    FORM_MORE,  /* these bytes are used up */
    FORM_BEGIN, /* a part begins: `part` */
    FORM_DATA,  /* bytes of it: `data` */
    FORM_END,   /* it is complete */
    FORM_DONE,  /* so is the form; only at the end of the body */
    FORM_BAD,   /* malformed; stays so */
    FORM_LIMIT, /* beyond a limit; stays so */
};

enum form_kind { FORM_URLENCODED, FORM_MULTIPART };

/* Bytes, and a number of parts; see plexus/form.h. All above 0. */
struct form_limits {
    uint32_t parts_max, name_len_max, header_len_max;
    uint64_t value_len_max, file_len_max;
};

/* The fields but `part`, `data` and `n_held` are the parsers'. */
struct form_parser {
    struct px_form_part part; /* from FORM_BEGIN to FORM_END */
    struct px_span data;      /* with FORM_DATA, until the next call */
    uint32_t n_held;          /* bytes taken that may still turn out to be data */

    struct form_limits limits;
    enum form_kind kind;
    enum form_step verdict; /* FORM_BAD or FORM_LIMIT, once it was said */
    uint32_t state, n_parts;
    uint64_t part_len; /* bytes of data so far */
    uint8_t *mem;      /* of form_memory bytes: a name, or a part's header lines */
    uint32_t mem_len;
    uint32_t escape; /* urlencoded: how much of an escape was read: 0, 1, 2 */
    uint8_t escape_high;
    bool seen, over; /* anything of a pair; no room for the rest of the data */
    uint8_t delimiter_len;
    uint8_t delimiter[4 + BOUNDARY_LEN_MAX]; /* CRLF "--" boundary */
    uint8_t out[FORM_OUT_LEN];
};

/* What kind of form a Content-Type says. FORM_DONE: `ret_kind`, and of a multipart one its boundary
 * (BOUNDARY_LEN_MAX bytes). FORM_MORE: another type. FORM_BAD: a multipart one that cannot be read.
 */
enum form_step form_type(struct px_text type, enum form_kind *ret_kind, char *ret_boundary,
                         size_t *ret_boundary_len);

/* How much memory a parser needs. */
size_t form_memory(enum form_kind kind, const struct form_limits *limits);
/* `boundary` is copied; `mem` must last. */
void form_init(struct form_parser *p, enum form_kind kind, const struct form_limits *limits,
               struct px_text boundary, uint8_t *mem);
/* The next step. Call it until it says MORE, then again with more bytes; `fin`: behind these the
 * body ends. */
enum form_step form_next(struct form_parser *p, struct px_bytes *in, bool fin);

/* ---- form_head.c ---- */

/* Reads a part's header lines (each with its CRLF, no empty one) into `ret_part`, decoding them in
 * place. FORM_DONE, FORM_BAD, FORM_LIMIT. */
enum form_step form_head_read(uint8_t *lines, size_t len, const struct form_limits *limits,
                              struct px_form_part *ret_part);
/* UTF-8 without control characters. */
bool form_text_ok(struct px_text text);
/* 0..15, or -1. */
int form_hex(uint8_t c);

/* ---- form_urlencoded.c, form_multipart.c ---- */
enum form_step urlencoded_next(struct form_parser *p, struct px_bytes *in, bool fin);
enum form_step multipart_next(struct form_parser *p, struct px_bytes *in, bool fin);

#endif
