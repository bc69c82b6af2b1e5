/* form_multipart_fuzz.c - any bytes as multipart/form-data with boundary "b", and what stands
 * before the first line end as a Content-Type. */
#include "form_fuzz.h"

static struct form_fuzz fuzz;

static void type_run(const uint8_t *data, size_t len)
{
    char boundary[BOUNDARY_LEN_MAX];
    size_t boundary_len = 0;
    enum form_kind kind = FORM_URLENCODED;
    const uint8_t *end = len == 0 ? NULL : memchr(data, '\r', len);
    size_t type_len = end == NULL ? len : (size_t)(end - data);
    enum form_step step =
        form_type((struct px_text){(const char *)data, type_len}, &kind, boundary, &boundary_len);
    if (step == FORM_DONE && kind == FORM_MULTIPART) {
        form_text_must(boundary_len >= 1 && boundary_len <= BOUNDARY_LEN_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    type_run(len == 0 ? (const uint8_t *)"" : data, len);
    form_fuzz_limits(&fuzz, FORM_MULTIPART, "b", data, len);
    return 0;
}
