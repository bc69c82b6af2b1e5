/* wire_text.c - text to a packed message. JSON is read as YAML, by libyaml's events; anchors,
 * aliases and tags are refused.
 */
#include <errno.h>
#include <px/bytes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "wire_json.h"
#include "wire_type.h"

struct packer {
    const Inspect__Description *types;
    yaml_parser_t parser;
    yaml_event_t event; /* the one that is looked at */
    bool has_event;
    char *why;
};

/* What has been packed of one message. */
struct packed {
    uint8_t *bytes;
    size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct packer *p, const char *format, ...)
{
    char text[WIRE_WHY_MAX - 32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(p->why, WIRE_WHY_MAX, "column %zu: %s",
             p->has_event ? p->event.start_mark.column + 1 : p->parser.problem_mark.column + 1,
             text);
    return false;
}

static bool next(struct packer *p)
{
    if (p->has_event) {
        yaml_event_delete(&p->event);
        p->has_event = false;
    }
    if (!yaml_parser_parse(&p->parser, &p->event)) {
        return refuse(p, "expected JSON: %s",
                      p->parser.problem == NULL ? "no memory" : p->parser.problem);
    }
    p->has_event = true;
    return p->event.type != YAML_ALIAS_EVENT || refuse(p, "expected no alias");
}

/* ---- packing ---- */

static uint8_t *packed_room(struct packed *out, size_t len)
{
    if (out->len + len > out->cap) {
        size_t cap = (out->len + len) * 2;
        uint8_t *bytes = cap > 2 * WIRE_LEN_MAX ? NULL : realloc(out->bytes, cap);
        if (bytes == NULL) {
            return NULL;
        }
        out->bytes = bytes;
        out->cap = cap;
    }
    out->len += len;
    return out->bytes + out->len - len;
}

static bool packed_varint(struct packed *out, uint64_t number)
{
    uint8_t *at = packed_room(out, px_varint_len(number));
    return at != NULL && px_varint_write(at, number) != NULL;
}

static bool packed_fixed(struct packed *out, uint64_t number, size_t len)
{
    uint8_t *at = packed_room(out, len);
    for (size_t i = 0; at != NULL && i < len; i++) {
        at[i] = (uint8_t)(number >> 8 * i);
    }
    return at != NULL;
}

static bool packed_bytes(struct packed *out, const void *bytes, size_t len)
{
    uint8_t *at = packed_varint(out, len) ? packed_room(out, len) : NULL;
    if (at != NULL && len > 0) {
        memcpy(at, bytes, len);
    }
    return at != NULL;
}

static bool packed_key(struct packed *out, const Inspect__FieldIs *field, unsigned wire)
{
    return packed_varint(out, (uint64_t)field->number << 3 | wire);
}

static bool fits(struct packer *p, bool done)
{
    return done || refuse(p, "expected at most %d bytes", WIRE_LEN_MAX);
}

/* ---- scalars ---- */

static bool wrong(struct packer *p, const Inspect__FieldIs *field, const char *what)
{
    bool is_scalar = p->event.type == YAML_SCALAR_EVENT;
    return refuse(p, "%.*s: expected %s, found '%.40s'", (int)field->name.len, field->name.data,
                  what, is_scalar ? (const char *)p->event.data.scalar.value : "a list or mapping");
}

static bool signed_of(const char *text, int64_t least, int64_t most, int64_t *ret)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *ret = number;
    return *text != '\0' && *end == '\0' && errno == 0 && number >= least && number <= most;
}

static bool unsigned_of(const char *text, uint64_t most, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *ret = number;
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number <= most;
}

static bool real_put(struct packer *p, struct packed *out, const Inspect__FieldIs *field,
                     const char *text)
{
    char *end;
    double real = strtod(text, &end);
    float less = (float)real;
    uint64_t bits = 0;
    if (*text == '\0' || *end != '\0') {
        return wrong(p, field, "a number");
    }
    if (field->type == T_FLOAT) {
        memcpy(&bits, &less, sizeof less);
        return fits(p, packed_key(out, field, 5) && packed_fixed(out, bits, 4));
    }
    memcpy(&bits, &real, sizeof real);
    return fits(p, packed_key(out, field, 1) && packed_fixed(out, bits, 8));
}

static bool signed_put(struct packer *p, struct packed *out, const Inspect__FieldIs *field,
                       const char *text)
{
    bool is_long = field->type == T_INT64 || field->type == T_SFIXED64 || field->type == T_SINT64;
    int64_t number;
    if (!signed_of(text, is_long ? INT64_MIN : INT32_MIN, is_long ? INT64_MAX : INT32_MAX,
                   &number)) {
        return wrong(p, field, is_long ? "a whole number" : "a whole number of 32 bits");
    }
    uint64_t bits = (uint64_t)number;
    if (field->type == T_SFIXED32 || field->type == T_SFIXED64) {
        return fits(p, packed_key(out, field, is_long ? 1 : 5) &&
                           packed_fixed(out, bits, is_long ? 8 : 4));
    }
    if (field->type == T_SINT32 || field->type == T_SINT64) {
        bits = bits << 1 ^ (number < 0 ? UINT64_MAX : 0);
    }
    return fits(p, packed_key(out, field, 0) && packed_varint(out, bits));
}

static bool unsigned_put(struct packer *p, struct packed *out, const Inspect__FieldIs *field,
                         const char *text)
{
    bool is_long = field->type == T_UINT64 || field->type == T_FIXED64;
    uint64_t number;
    if (!unsigned_of(text, is_long ? UINT64_MAX : UINT32_MAX, &number)) {
        return wrong(p, field, is_long ? "a number from 0" : "a number from 0 to 4294967295");
    }
    if (field->type == T_FIXED32 || field->type == T_FIXED64) {
        return fits(p, packed_key(out, field, is_long ? 1 : 5) &&
                           packed_fixed(out, number, is_long ? 8 : 4));
    }
    return fits(p, packed_key(out, field, 0) && packed_varint(out, number));
}

static bool bool_put(struct packer *p, struct packed *out, const Inspect__FieldIs *field,
                     const char *text)
{
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        return wrong(p, field, "true or false");
    }
    return fits(p, packed_key(out, field, 0) && packed_varint(out, is_true));
}

static bool scalar_put(struct packer *p, struct packed *out, const Inspect__FieldIs *field)
{
    const char *text = (const char *)p->event.data.scalar.value;
    switch (field->type) {
    case T_STRING:
    case T_BYTES:
        return fits(p, packed_key(out, field, 2) &&
                           packed_bytes(out, text, p->event.data.scalar.length));
    case T_DOUBLE:
    case T_FLOAT:
        return real_put(p, out, field, text);
    case T_BOOL:
        return bool_put(p, out, field, text);
    case T_UINT32:
    case T_UINT64:
    case T_FIXED32:
    case T_FIXED64:
        return unsigned_put(p, out, field, text);
    default:
        return signed_put(p, out, field, text);
    }
}

/* {"hex": "00ff"}; the mapping has begun. */
static bool hex_put(struct packer *p, struct packed *out, const Inspect__FieldIs *field)
{
    static const char digits[] = "0123456789abcdef";
    if (!next(p) || p->event.type != YAML_SCALAR_EVENT ||
        strcmp((const char *)p->event.data.scalar.value, "hex") != 0 || !next(p) ||
        p->event.type != YAML_SCALAR_EVENT || p->event.data.scalar.length % 2 != 0) {
        return wrong(p, field, "text, or {\"hex\": \"00ff\"}");
    }
    const char *text = (const char *)p->event.data.scalar.value;
    size_t len = p->event.data.scalar.length / 2;
    uint8_t *at =
        packed_key(out, field, 2) && packed_varint(out, len) ? packed_room(out, len) : NULL;
    for (size_t i = 0; at != NULL && i < len; i++) {
        const char *high = memchr(digits, text[2 * i], 16),
                   *low = memchr(digits, text[2 * i + 1], 16);
        if (high == NULL || low == NULL) {
            return wrong(p, field, "digits 0 to 9 and a to f");
        }
        at[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return fits(p, at != NULL) && next(p) &&
           (p->event.type == YAML_MAPPING_END_EVENT || wrong(p, field, "one hex"));
}

/* ---- messages ---- */

static bool message_put(struct packer *p, uint32_t type, unsigned depth, struct packed *out);

/* One value; the event is its first. */
static bool value_put(struct packer *p, const Inspect__FieldIs *field, unsigned depth,
                      struct packed *out)
{
    if (field->type == T_MESSAGE) {
        struct packed inner = {.bytes = NULL};
        bool done = message_put(p, field->message, depth + 1, &inner) &&
                    fits(p, packed_key(out, field, 2) && packed_bytes(out, inner.bytes, inner.len));
        free(inner.bytes);
        return done;
    }
    if (field->type == T_BYTES && p->event.type == YAML_MAPPING_START_EVENT) {
        return hex_put(p, out, field);
    }
    return p->event.type == YAML_SCALAR_EVENT ? scalar_put(p, out, field)
                                              : wrong(p, field, "one value");
}

static bool list_put(struct packer *p, const Inspect__FieldIs *field, unsigned depth,
                     struct packed *out)
{
    if (p->event.type != YAML_SEQUENCE_START_EVENT) {
        return wrong(p, field, "a list");
    }
    for (;;) {
        if (!next(p)) {
            return false;
        }
        if (p->event.type == YAML_SEQUENCE_END_EVENT) {
            return true;
        }
        if (!value_put(p, field, depth, out)) {
            return false;
        }
    }
}

static const Inspect__FieldIs *field_of(const Inspect__MessageIs *message, const char *name)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        const ProtobufCBinaryData *known = &message->fields[i]->name;
        if (known->len == strlen(name) && memcmp(known->data, name, known->len) == 0) {
            return message->fields[i];
        }
    }
    return NULL;
}

static bool unknown_field(struct packer *p, const Inspect__MessageIs *message)
{
    char names[160] = "none";
    size_t len = 0;
    for (size_t i = 0; i < message->n_fields && len < sizeof names; i++) {
        const ProtobufCBinaryData *name = &message->fields[i]->name;
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%.*s", i == 0 ? "" : ", ",
                                (int)name->len, name->data);
    }
    return refuse(p, "there is no field '%.40s'; there are: %s",
                  (const char *)p->event.data.scalar.value, names);
}

/* The event is the beginning of its mapping. */
static bool message_put(struct packer *p, uint32_t type, unsigned depth, struct packed *out)
{
    if (type == 0 || type > p->types->n_messages || depth > WIRE_DEPTH_MAX) {
        return refuse(p, "expected at most %d messages in each other", WIRE_DEPTH_MAX);
    }
    const Inspect__MessageIs *message = p->types->messages[type - 1];
    if (p->event.type != YAML_MAPPING_START_EVENT) {
        return refuse(p, "expected {...}, a %.*s", (int)message->name.len, message->name.data);
    }
    for (;;) {
        if (!next(p)) {
            return false;
        }
        if (p->event.type == YAML_MAPPING_END_EVENT) {
            return true;
        }
        if (p->event.type != YAML_SCALAR_EVENT) {
            return refuse(p, "expected the name of a field");
        }
        const Inspect__FieldIs *field = field_of(message, (const char *)p->event.data.scalar.value);
        if (field == NULL) {
            return unknown_field(p, message);
        }
        if (!next(p) ||
            !(field->many ? list_put(p, field, depth, out) : value_put(p, field, depth, out))) {
            return false;
        }
    }
}

static bool document_put(struct packer *p, uint32_t type, struct packed *out)
{
    while (next(p)) {
        if (p->event.type == YAML_STREAM_END_EVENT) {
            return true; /* nothing is written: every field has its zero value */
        }
        if (p->event.type != YAML_STREAM_START_EVENT &&
            p->event.type != YAML_DOCUMENT_START_EVENT) {
            return message_put(p, type, 0, out) && next(p) &&
                   (p->event.type == YAML_DOCUMENT_END_EVENT || refuse(p, "expected the end")) &&
                   next(p) &&
                   (p->event.type == YAML_STREAM_END_EVENT || refuse(p, "expected the end"));
        }
    }
    return false;
}

bool wire_of_text(const Inspect__Description *types, uint32_t type, const char *text,
                  uint8_t **ret_bytes, size_t *ret_len, char ret_why[WIRE_WHY_MAX])
{
    struct packer p = {.types = types, .why = ret_why};
    struct packed out = {.bytes = NULL};
    if (!yaml_parser_initialize(&p.parser)) {
        snprintf(ret_why, WIRE_WHY_MAX, "%s", "memory ran out");
        return false;
    }
    yaml_parser_set_input_string(&p.parser, (const unsigned char *)text, strlen(text));
    bool done = document_put(&p, type, &out) && fits(&p, out.len <= WIRE_LEN_MAX);
    if (p.has_event) {
        yaml_event_delete(&p.event);
    }
    yaml_parser_delete(&p.parser);
    if (!done) {
        free(out.bytes);
        return false;
    }
    *ret_bytes = out.bytes;
    *ret_len = out.len;
    return true;
}
