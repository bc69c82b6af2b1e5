/* files_encoding.c - Accept-Encoding, as RFC 9110 12.5.3 reads it.
 */
#include "files_encoding.h"
#include "text.h"

#include <string.h>

enum { WEIGHT_FULL = 1000 };

static const char *const names[N_CODINGS] = {[CODING_BR] = "br", [CODING_GZIP] = "gzip"};
static const char *const suffixes[N_CODINGS] = {[CODING_BR] = ".br", [CODING_GZIP] = ".gz"};

const char *coding_name(enum coding coding)
{
    return names[coding];
}

const char *coding_suffix(enum coding coding)
{
    return suffixes[coding];
}

static struct px_text trimmed(struct px_text text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Takes what stands before `mark` from the front of `rest`, and the mark. */
static struct px_text take_part(struct px_text *rest, char mark)
{
    const char *at = memchr(rest->ptr, mark, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->ptr);
    size_t used = at == NULL ? len : len + 1;
    struct px_text part = {rest->ptr, len};
    *rest = (struct px_text){rest->ptr + used, rest->len - used};
    return trimmed(part);
}

/* "q=0.5" in thousandths (RFC 9110 12.4.2); -1: malformed. */
static int weight_of(struct px_text text)
{
    if (text.len < 3 || text.len > 7 || (text.ptr[0] | 0x20) != 'q' || text.ptr[1] != '=' ||
        (text.ptr[2] != '0' && text.ptr[2] != '1') || (text.len > 3 && text.ptr[3] != '.')) {
        return -1;
    }
    int weight = (text.ptr[2] - '0') * WEIGHT_FULL, place = 100;
    for (size_t i = 4; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        weight += (text.ptr[i] - '0') * place;
        place /= 10;
    }
    return weight > WEIGHT_FULL ? -1 : weight;
}

static void note(struct codings *codings, struct px_text name, uint16_t weight)
{
    for (uint32_t i = 0; i < N_CODINGS; i++) {
        if (text_is_any_case(name, names[i]) ||
            (i == CODING_GZIP && text_is_any_case(name, "x-gzip"))) { /* RFC 9110 8.4.1.3 */
            codings->said[i] = true;
            codings->weight[i] = weight;
        }
    }
    if (text_is_any_case(name, "identity")) {
        codings->said_identity = true;
        codings->identity = weight;
    } else if (text_is_any_case(name, "*")) {
        codings->said_any = true;
        codings->any = weight;
    }
}

void codings_add(struct codings *codings, struct px_text value)
{
    while (value.len > 0) {
        struct px_text element = take_part(&value, ',');
        struct px_text name = take_part(&element, ';');
        int weight = element.len == 0 ? WEIGHT_FULL : weight_of(trimmed(element));
        if (name.len > 0 && weight >= 0) {
            note(codings, name, (uint16_t)weight);
        }
    }
}

uint32_t codings_order(const struct codings *codings, enum coding ret[N_CODINGS])
{
    uint16_t found[N_CODINGS];
    uint32_t n = 0;
    /* Nothing said about identity: it will do, but whatever was named is liked better. */
    uint16_t identity = codings->said_identity ? codings->identity
                        : codings->said_any    ? codings->any
                                               : 1;
    for (uint32_t i = 0; i < N_CODINGS; i++) {
        uint16_t weight = codings->said[i] ? codings->weight[i] : codings->any;
        if (weight == 0 || weight < identity) {
            continue;
        }
        uint32_t at = n;
        for (; at > 0 && found[at - 1] < weight; at--) {
            found[at] = found[at - 1];
            ret[at] = ret[at - 1];
        }
        found[at] = weight;
        ret[at] = (enum coding)i;
        n++;
    }
    return n;
}
