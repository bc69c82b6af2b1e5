/* wire_fuzz.c - answers that make no sense, and requests typed by somebody. The first byte says
 * which; what was packed from text must print.
 */
#include <stdlib.h>

#include "wire_json.h"
#include "wire_types.h"

static void require(bool cond)
{
    if (!cond) {
        abort();
    }
}

/* To be freed; NULL: the bytes make no sense. */
static char *print(const struct wire_types *types, const uint8_t *bytes, size_t len)
{
    char *text = NULL;
    size_t text_len = 0;
    FILE *out = open_memstream(&text, &text_len);
    require(out != NULL);
    bool done = wire_print_json(&types->description, 1, bytes, len, out);
    fclose(out);
    if (!done) {
        free(text);
        return NULL;
    }
    return text;
}

static void check_text(const struct wire_types *types, const char *text)
{
    char why[WIRE_WHY_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (!wire_of_text(&types->description, 1, text, &bytes, &len, why)) {
        require(strlen(why) < sizeof why);
        return;
    }
    char *json = print(types, bytes, len);
    require(json != NULL);
    free(json);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct wire_types types;
    if (len < 1 || len > 4096) {
        return 0;
    }
    wire_types_fill(&types);
    if (data[0] % 2 == 0) {
        free(print(&types, data + 1, len - 1));
        return 0;
    }
    char *text = malloc(len);
    require(text != NULL);
    memcpy(text, data + 1, len - 1);
    text[len - 1] = '\0';
    check_text(&types, text);
    free(text);
    return 0;
}
