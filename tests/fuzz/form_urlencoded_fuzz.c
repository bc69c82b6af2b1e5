/* form_urlencoded_fuzz.c - any bytes as application/x-www-form-urlencoded. */
#include "form_fuzz.h"

static struct form_fuzz fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    form_fuzz_limits(&fuzz, FORM_URLENCODED, "", data, len);
    return 0;
}
