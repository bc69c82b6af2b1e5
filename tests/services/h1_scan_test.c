/* h1_scan_test.c - the scan tables agree, stop where they should and touch nothing else. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS: memory that ends in a page nobody may touch */
#include "h1_scan.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEN_MAX = 100, ROUNDS = 200 };

static uint32_t seed = 12345;

static uint8_t random_byte(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint8_t)(seed >> 24);
}

static uint8_t *page; /* its last byte is the last that may be touched */
static size_t page_len;

static void page_setup(void)
{
    page_len = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, page_len * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(page, MAP_FAILED);
    ck_assert_int_eq(mprotect(page + page_len, page_len, PROT_NONE), 0);
}

static void page_teardown(void)
{
    munmap(page, page_len * 2);
}

static bool same_line(const uint8_t *src, size_t len)
{
    uint8_t lower[H1_NAME_MAX + 1];
    uint8_t twin[H1_NAME_MAX + 1];
    lower[H1_NAME_MAX] = 0x55;
    struct h1_scan_line a = h1_scan_pick()->line(lower, src, len);
    struct h1_scan_line b = h1_scan_scalar.line(twin, src, len);
    return a.name_len == b.name_len && (a.name_len == 0 || a.end == b.end) &&
           memcmp(lower, twin, a.name_len) == 0 && lower[H1_NAME_MAX] == 0x55;
}

/* The first `name_len` bytes as a name, the others as a value. */
static bool same_put(const uint8_t *src, size_t name_len, size_t len)
{
    uint8_t line[LEN_MAX + 5];
    uint8_t twin[LEN_MAX + 5];
    line[len + 4] = 0x55;
    size_t value_len = len - name_len;
    bool done = h1_scan_pick()->put(line, src, name_len, src + name_len, value_len);
    bool same = h1_scan_scalar.put(twin, src, name_len, src + name_len, value_len) == done;
    return same && line[len + 4] == 0x55 && (!done || memcmp(line, twin, len + 4) == 0);
}

/* Both tables say the same about these bytes, which end where memory ends. */
static void expect_twins(const uint8_t *text, size_t len)
{
    const struct h1_scan *fast = h1_scan_pick();
    uint8_t *src = page + page_len - len;
    uint8_t lower[LEN_MAX + 1];
    uint8_t twin[LEN_MAX + 1];
    memcpy(src, text, len);
    lower[len] = 0x55;
    size_t n = fast->name(lower, src, len);
    bool same = fast->value(src, len) == h1_scan_scalar.value(src, len) &&
                fast->target(src, len) == h1_scan_scalar.target(src, len) &&
                fast->host(src, len) == h1_scan_scalar.host(src, len) && same_line(src, len) &&
                same_put(src, 0, len) && same_put(src, len / 2, len) && same_put(src, len, len) &&
                n == h1_scan_scalar.name(twin, src, len) && memcmp(lower, twin, n) == 0;
    if (!same || lower[len] != 0x55) { /* asserting a million times takes seconds */
        ck_abort_msg("the twins differ about %zu bytes that begin with 0x%02x", len, text[0]);
    }
}

START_TEST(the_tables_agree_on_random_bytes_of_every_length)
{
    uint8_t text[LEN_MAX];
    for (size_t len = 0; len <= LEN_MAX; len++) {
        for (int round = 0; round < ROUNDS; round++) {
            for (size_t i = 0; i < len; i++) {
                text[i] = random_byte();
            }
            expect_twins(text, len);
        }
    }
}
END_TEST

START_TEST(the_tables_agree_on_one_odd_byte_at_every_place)
{
    uint8_t text[LEN_MAX];
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned odd = 0; odd < 256; odd++) {
                memset(text, at % 2 == 0 ? 'a' : 'Z', len);
                text[at] = (uint8_t)odd;
                expect_twins(text, len);
            }
        }
    }
}
END_TEST

START_TEST(the_tables_agree_on_lines_with_an_odd_byte_in_name_or_value)
{
    uint8_t text[LEN_MAX];
    for (size_t len = 1; len <= 60; len++) {
        for (size_t colon = 0; colon < len; colon += 1 + colon / 20) {
            for (size_t at = 0; at < len; at++) {
                static const uint8_t odd[] = {'\r', '\n', '\t', ' ', ':', '_', 0, 0x7f, 0x80, 0xff};
                memset(text, 'V', len);
                text[colon] = ':';
                text[at] = odd[(len + colon + at) % sizeof odd];
                expect_twins(text, len);
            }
        }
    }
}
END_TEST

START_TEST(the_tables_agree_on_hosts_with_ports_of_every_length)
{
    static const uint8_t odd[] = {'1', 'a', ':', '/', '.', '@', 0, 0xff};
    uint8_t text[LEN_MAX];
    for (size_t len = 1; len <= 60; len++) {
        for (size_t colon = 0; colon < len; colon++) {
            for (size_t at = 0; at < len; at++) {
                memset(text, 'h', colon);
                memset(text + colon, '9', len - colon);
                text[colon] = ':';
                text[at] = odd[(len + at) % sizeof odd];
                expect_twins(text, len);
            }
        }
    }
}
END_TEST

START_TEST(a_usual_host_has_a_port_of_at_most_five_digits)
{
    const struct h1_scan *tables[] = {h1_scan_pick(), &h1_scan_scalar};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(tables[i]->host((const uint8_t *)"example:12345", 13), 7);
        ck_assert_uint_eq(tables[i]->host((const uint8_t *)"example:123456", 14), 0);
        ck_assert_uint_eq(tables[i]->host((const uint8_t *)"example:", 8), 7);
        ck_assert_uint_eq(tables[i]->host((const uint8_t *)":80", 3), 0);
        ck_assert_uint_eq(tables[i]->host((const uint8_t *)"example:80a", 11), 0);
    }
}
END_TEST

static struct h1_scan_line line_of(const struct h1_scan *scan, size_t name_len, size_t len)
{
    uint8_t lower[H1_NAME_MAX];
    uint8_t text[2 * H1_NAME_MAX];
    memset(text, 'n', name_len);
    memset(text + name_len, ':', len - name_len);
    return scan->line(lower, text, len);
}

START_TEST(a_line_has_a_name_of_at_most_256_bytes_and_a_colon)
{
    const struct h1_scan *tables[] = {h1_scan_pick(), &h1_scan_scalar};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(line_of(tables[i], 0, 20).name_len, 0);
        ck_assert_uint_eq(line_of(tables[i], 20, 20).name_len, 0);
        ck_assert_uint_eq(line_of(tables[i], 1, 2).name_len, 1);
        ck_assert_uint_eq(line_of(tables[i], 1, 2).end, 2);
        ck_assert_uint_eq(line_of(tables[i], 16, 17).name_len, 16);
        ck_assert_uint_eq(line_of(tables[i], H1_NAME_MAX, 300).name_len, H1_NAME_MAX);
        ck_assert_uint_eq(line_of(tables[i], H1_NAME_MAX, 300).end, 300);
        ck_assert_uint_eq(line_of(tables[i], H1_NAME_MAX + 1, 300).name_len, 0);
    }
}
END_TEST

START_TEST(the_name_is_written_no_further_than_its_memory)
{
    const struct h1_scan *fast = h1_scan_pick();
    uint8_t src[LEN_MAX];
    memset(src, 'N', sizeof src);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        uint8_t *dst = page + page_len - len; /* what is behind it faults */
        ck_assert_uint_eq(fast->name(dst, src, len), len);
        ck_assert(len == 0 || dst[len - 1] == 'n');
    }
}
END_TEST

static bool value_takes(unsigned byte)
{
    uint8_t b = (uint8_t)byte;
    return h1_scan_scalar.value(&b, 1) == 1;
}

static bool target_takes(unsigned byte)
{
    uint8_t b = (uint8_t)byte;
    return h1_scan_scalar.target(&b, 1) == 1;
}

START_TEST(values_hold_everything_but_control_bytes_and_may_hold_tabs)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        ck_assert_int_eq(value_takes(byte), !control);
    }
}
END_TEST

START_TEST(targets_hold_visible_ascii_without_the_fragment_sign)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        ck_assert_int_eq(target_takes(byte), byte >= 0x21 && byte <= 0x7e && byte != '#');
    }
}
END_TEST

START_TEST(usual_hosts_hold_letters_digits_hyphens_and_dots)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t b = (uint8_t)byte;
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool taken = letter || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
        ck_assert_uint_eq(h1_scan_scalar.host(&b, 1), taken ? 1 : 0);
    }
}
END_TEST

START_TEST(tokens_are_those_of_rfc_9110)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (unsigned byte = 0; byte < 256; byte++) {
        bool upper = byte >= 'A' && byte <= 'Z';
        bool same = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
                    (byte != 0 && strchr(marks, (int)byte) != NULL);
        unsigned expected = upper ? byte + 32 : (same ? byte : 0);
        ck_assert_uint_eq(h1_token_lower[byte], expected);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *twins = tcase_create("twins");
    tcase_add_checked_fixture(twins, page_setup, page_teardown);
    tcase_set_timeout(twins, 60);
    tcase_add_test(twins, the_tables_agree_on_random_bytes_of_every_length);
    tcase_add_test(twins, the_tables_agree_on_one_odd_byte_at_every_place);
    tcase_add_test(twins, the_tables_agree_on_lines_with_an_odd_byte_in_name_or_value);
    tcase_add_test(twins, the_tables_agree_on_hosts_with_ports_of_every_length);
    tcase_add_test(twins, the_name_is_written_no_further_than_its_memory);
    suite_add_tcase(suite, twins);
    TCase *classes = tcase_create("classes");
    tcase_add_test(classes, values_hold_everything_but_control_bytes_and_may_hold_tabs);
    tcase_add_test(classes, targets_hold_visible_ascii_without_the_fragment_sign);
    tcase_add_test(classes, a_line_has_a_name_of_at_most_256_bytes_and_a_colon);
    tcase_add_test(classes, a_usual_host_has_a_port_of_at_most_five_digits);
    tcase_add_test(classes, usual_hosts_hold_letters_digits_hyphens_and_dots);
    tcase_add_test(classes, tokens_are_those_of_rfc_9110);
    suite_add_tcase(suite, classes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
