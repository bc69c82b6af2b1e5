/* wire_print.c - a packed message as JSON. Fields come in the order of the description, and each is
 * looked for in the bytes: what is not there has its zero value.
 */
#include <inttypes.h>
#include <px/bytes.h>

#include "wire_json.h"
#include "wire_type.h"

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

static bool message_print(const Inspect__Description *types, uint32_t type, struct px_bytes in,
                          unsigned depth, FILE *out);

/* ---- text ---- */

size_t json_utf8_len(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80 ? 1 : at[0] >= 0xf0 && at[0] < 0xf8 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] >= 0xf8 || (at[0] >= 0x80 && at[0] < 0xc2) || len > left) {
        return 0;
    }
    uint32_t code = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[len] || code > 0x10ffff || is_surrogate ? 0 : len;
}

static bool is_text(const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = json_utf8_len(bytes + at, len - at);
        if (n == 0 || bytes[at] == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

void json_print_text(const uint8_t *text, size_t len, FILE *out)
{
    putc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            fprintf(out, "\\%c", text[i]);
        } else if (text[i] < ' ' || text[i] == 0x7f) {
            fprintf(out, "\\u%04x", (unsigned)text[i]);
        } else {
            putc(text[i], out);
        }
    }
    putc('"', out);
}

static void bytes_print(struct px_span bytes, FILE *out)
{
    if (is_text(bytes.ptr, bytes.len)) {
        json_print_text(bytes.ptr, bytes.len, out);
        return;
    }
    fprintf(out, "{\"hex\": \"");
    for (size_t i = 0; i < bytes.len; i++) {
        fprintf(out, "%02x", bytes.ptr[i]);
    }
    fprintf(out, "\"}");
}

/* ---- values ---- */

struct value {
    unsigned wire;
    uint64_t number;
    struct px_span bytes;
};

static bool value_take(struct px_bytes *in, unsigned wire, struct value *ret)
{
    *ret = (struct value){.wire = wire};
    switch (wire) {
    case VARINT:
        ret->number = px_bytes_varint(in);
        break;
    case FIXED64:
        ret->number = px_bytes_u64le(in);
        break;
    case FIXED32:
        ret->number = px_bytes_u32le(in);
        break;
    case LENGTH: {
        uint64_t len = px_bytes_varint(in);
        ret->bytes = px_bytes_take(in, len > SIZE_MAX ? SIZE_MAX : (size_t)len);
        break;
    }
    default:
        return false;
    }
    return !in->failed;
}

static unsigned wire_of_type(uint32_t type)
{
    switch (type) {
    case T_DOUBLE:
    case T_FIXED64:
    case T_SFIXED64:
        return FIXED64;
    case T_FLOAT:
    case T_FIXED32:
    case T_SFIXED32:
        return FIXED32;
    case T_STRING:
    case T_MESSAGE:
    case T_BYTES:
        return LENGTH;
    default:
        return VARINT;
    }
}

static void signed_print(int64_t number, FILE *out)
{
    const int64_t exact = INT64_C(1) << 53;
    bool fits = number >= -exact && number <= exact;
    fprintf(out, fits ? "%" PRId64 : "\"%" PRId64 "\"", number);
}

static void unsigned_print(uint64_t number, FILE *out)
{
    fprintf(out, number <= UINT64_C(1) << 53 ? "%" PRIu64 : "\"%" PRIu64 "\"", number);
}

static void real_print(double number, FILE *out)
{
    bool is_finite = number - number == 0;
    fprintf(out, is_finite ? "%.17g" : "null", number);
}

static void number_print(uint32_t type, uint64_t number, FILE *out)
{
    double real;
    float less;
    uint32_t low = (uint32_t)number;
    switch (type) {
    case T_DOUBLE:
        memcpy(&real, &number, sizeof real);
        real_print(real, out);
        break;
    case T_FLOAT:
        memcpy(&less, &low, sizeof less);
        real_print((double)less, out);
        break;
    case T_BOOL:
        fprintf(out, number != 0 ? "true" : "false");
        break;
    case T_INT32:
    case T_ENUM:
    case T_SFIXED32:
        signed_print((int32_t)low, out);
        break;
    case T_INT64:
    case T_SFIXED64:
        signed_print((int64_t)number, out);
        break;
    case T_SINT32:
    case T_SINT64:
        signed_print((int64_t)(number >> 1 ^ (0 - (number & 1))), out);
        break;
    default:
        unsigned_print(number, out);
        break;
    }
}

static bool value_print(const Inspect__Description *types, const Inspect__FieldIs *field,
                        const struct value *value, unsigned depth, FILE *out)
{
    if (field->type == T_MESSAGE) {
        return message_print(types, field->message, px_bytes_of_span(value->bytes), depth + 1, out);
    }
    if (field->type == T_STRING || field->type == T_BYTES) {
        bytes_print(value->bytes, out);
    } else {
        number_print(field->type, value->number, out);
    }
    return true;
}

/* ---- fields ---- */

/* Numbers that stand together. */
static bool packed_print(const Inspect__FieldIs *field, struct px_span bytes, bool *first,
                         FILE *out)
{
    struct px_bytes in = px_bytes_of_span(bytes);
    while (px_bytes_left(&in) > 0) {
        struct value value;
        if (!value_take(&in, wire_of_type(field->type), &value)) {
            return false;
        }
        fprintf(out, *first ? "" : ", ");
        *first = false;
        number_print(field->type, value.number, out);
    }
    return true;
}

/* Every occurrence of a field; of a single one only the last counts. */
static bool field_print(const Inspect__Description *types, const Inspect__FieldIs *field,
                        struct px_bytes in, unsigned depth, FILE *out)
{
    unsigned wire = wire_of_type(field->type);
    struct value value, last = {.wire = wire};
    bool first = true, there = false;
    while (px_bytes_left(&in) > 0) {
        uint64_t key = px_bytes_varint(&in);
        if (!value_take(&in, key & 7, &value)) {
            return false;
        }
        if (key >> 3 != field->number) {
            continue;
        }
        if (field->many && wire != LENGTH && value.wire == LENGTH) {
            if (!packed_print(field, value.bytes, &first, out)) {
                return false;
            }
        } else if (value.wire == wire && field->many) {
            fprintf(out, first ? "" : ", ");
            first = false;
            if (!value_print(types, field, &value, depth, out)) {
                return false;
            }
        } else if (value.wire == wire) {
            last = value;
            there = true;
        }
    }
    if (!field->many && field->type == T_MESSAGE && !there) {
        fprintf(out, "null");
        return true;
    }
    return field->many || value_print(types, field, &last, depth, out);
}

static bool message_print(const Inspect__Description *types, uint32_t type, struct px_bytes in,
                          unsigned depth, FILE *out)
{
    if (type == 0 || type > types->n_messages || depth > WIRE_DEPTH_MAX) {
        return false;
    }
    const Inspect__MessageIs *message = types->messages[type - 1];
    putc('{', out);
    for (size_t i = 0; i < message->n_fields; i++) {
        const Inspect__FieldIs *field = message->fields[i];
        fprintf(out, i == 0 ? "" : ", ");
        json_print_text(field->name.data, field->name.len, out);
        fprintf(out, field->many ? ": [" : ": ");
        if (!field_print(types, field, in, depth, out)) {
            return false;
        }
        fprintf(out, field->many ? "]" : "");
    }
    putc('}', out);
    return true;
}

bool wire_print_json(const Inspect__Description *types, uint32_t type, const uint8_t *bytes,
                     size_t len, FILE *out)
{
    return message_print(types, type, px_bytes_of(bytes, len), 0, out);
}
