/* fields.c - header fields: checked (RFC 9110 5.1, 5.5) and serialized.
 */
#include "fields.h"

#include <string.h>

#include "header_list.h"
#include "text.h"

static bool is_token_char(char c)
{
    char l = text_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Fields that belong to the connection or to the engine that writes the head. */
static bool is_reserved(const char *name, size_t len)
{
    static const char *const names[] = {"connection", "content-length",    "date",
                                        "keep-alive", "proxy-connection",  "te",
                                        "trailer",    "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (text_is_any_case((struct px_text){name, len}, names[i])) {
            return true;
        }
    }
    return false;
}

static bool name_is_valid(const char *name)
{
    size_t len = 0;
    while (name[len] != '\0') {
        if (!is_token_char(name[len])) {
            return false;
        }
        len++;
    }
    return len > 0 && !is_reserved(name, len);
}

static bool value_is_valid(const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum px_err field_size(const char *name, const char *value, size_t *len)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    if (name_len > FIELDS_LEN_MAX || value_len > FIELDS_LEN_MAX || !value_is_valid(value)) {
        return PX_EINVAL;
    }
    *len += px_header_size(name_len, value_len);
    return *len > FIELDS_LEN_MAX ? PX_EINVAL : PX_EOK;
}

enum px_err fields_size(const char *content_type, const struct px_field *fields, uint32_t n_fields,
                        size_t *ret_len)
{
    size_t len = 0;
    if (n_fields > FIELDS_N_MAX) {
        return PX_EINVAL;
    }
    if (content_type != NULL) {
        PX_TRY(field_size("content-type", content_type, &len));
    }
    for (uint32_t i = 0; i < n_fields; i++) {
        if (fields[i].name == NULL || fields[i].value == NULL || !name_is_valid(fields[i].name)) {
            return PX_EINVAL;
        }
        PX_TRY(field_size(fields[i].name, fields[i].value, &len));
    }
    *ret_len = len;
    return PX_EOK;
}

/* Writes one field and then lowers its name in place. */
static void field_write(struct px_bytes_out *out, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    uint8_t *start = out->ptr;
    px_header_list_put(out, px_span_of(name, name_len), px_span_of(value, value_len));
    size_t value_part = value_len == 0 ? 0 : 1 + px_varint_len(value_len) + value_len;
    uint8_t *at = out->ptr - value_part - name_len;
    for (size_t i = 0; i < name_len && at >= start; i++) {
        at[i] = (uint8_t)text_lower((char)at[i]);
    }
}

void fields_write(const char *content_type, const struct px_field *fields, uint32_t n_fields,
                  uint8_t *ret, size_t len)
{
    struct px_bytes_out out = px_bytes_out_of(ret, len);
    if (content_type != NULL) {
        field_write(&out, "content-type", content_type);
    }
    for (uint32_t i = 0; i < n_fields; i++) {
        field_write(&out, fields[i].name, fields[i].value);
    }
}

static bool header_is_valid(const struct px_header *h)
{
    bool valid = h->name.len > 0 && !is_reserved((const char *)h->name.ptr, h->name.len);
    for (size_t i = 0; valid && i < h->name.len; i++) {
        char c = (char)h->name.ptr[i];
        valid = is_token_char(c) && text_lower(c) == c;
    }
    for (size_t i = 0; valid && i < h->value.len; i++) {
        unsigned char c = h->value.ptr[i];
        valid = (c >= 0x20 || c == '\t') && c != 0x7f;
    }
    return valid;
}

bool fields_are_valid(const uint8_t *list, size_t len)
{
    struct px_bytes in = px_bytes_of(list, len);
    struct px_header header;
    uint32_t n = 0;
    if (len > FIELDS_LEN_MAX) {
        return false;
    }
    while (px_header_list_next(&in, &header)) {
        if (!header_is_valid(&header) || ++n > FIELDS_N_MAX) {
            return false;
        }
    }
    return !in.failed;
}

bool fields_find(const uint8_t *list, size_t len, const char *name, struct px_text *ret_value)
{
    struct px_bytes in = px_bytes_of(list, len);
    struct px_header header;
    while (px_header_list_next(&in, &header)) {
        if (text_is_any_case(text_of(header.name.ptr, header.name.len), name)) {
            *ret_value = (struct px_text){
                header.value.len == 0 ? "" : (const char *)header.value.ptr, header.value.len};
            return true;
        }
    }
    return false;
}
