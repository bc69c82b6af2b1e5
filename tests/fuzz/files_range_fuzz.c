/* files_range_fuzz.c - any bytes as a Range field: its first 9 bytes are the length and the limit.
 * What comes out lies in the representation, is no more than allowed, and asks for no more than
 * there is; and what is written as a Range field again is read the same.
 */
#include "files_range.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check_ranges(const struct byte_range *ranges, uint32_t n, uint64_t length)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        check(ranges[i].len > 0 && ranges[i].first < length);
        check(ranges[i].len <= length - ranges[i].first);
        check(n == 1 || total <= length - ranges[i].len);
        total += ranges[i].len;
    }
}

static void check_round(const struct byte_range *ranges, uint32_t n, uint64_t length)
{
    struct byte_range again[RANGES_MAX];
    char text[16 + RANGES_MAX * 48];
    uint32_t n_again = 0;
    size_t at = (size_t)snprintf(text, sizeof text, "bytes=");
    for (uint32_t i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%" PRIu64 "-%" PRIu64,
                               i == 0 ? "" : ",", ranges[i].first,
                               ranges[i].first + ranges[i].len - 1);
    }
    enum ranges verdict =
        ranges_parse((struct px_text){text, at}, length, RANGES_MAX, again, &n_again);
    check(verdict == RANGES_SOME && n_again == n);
    check(memcmp(again, ranges, n * sizeof *ranges) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct byte_range ranges[RANGES_MAX];
    uint64_t length = 0;
    uint32_t n = 0;
    if (len < HEAD) {
        return 0;
    }
    memcpy(&length, data, sizeof length);
    uint32_t max = data[8] % (RANGES_MAX + 2);
    struct px_text value = {(const char *)data + HEAD, len - HEAD};
    enum ranges verdict = ranges_parse(value, length, max, ranges, &n);
    if (verdict == RANGES_SOME) {
        check(n > 0 && n <= max && n <= RANGES_MAX);
        check_ranges(ranges, n, length);
        check_round(ranges, n, length);
    } else {
        check(verdict == RANGES_ALL || length > 0);
    }
    return 0;
}
