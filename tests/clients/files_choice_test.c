/* files_choice_test.c - which coding (RFC 9110 12.5.3), which type, and the page of a directory. */
#include <stdio.h>
#include <unistd.h>

#include "files_encoding.h"
#include "files_list.h"
#include "files_mime.h"
#include "files_run.h"

/* ---- codings ---- */

static const struct {
    const char *value, *wanted; /* b: br, g: gzip, the best first */
} coding_rows[] = {
    {"", ""},
    {"gzip", "g"},
    {"br", "b"},
    {"gzip, br", "bg"}, /* a draw: ours first */
    {"gzip, deflate, br, zstd", "bg"},
    {"GZip", "g"},
    {"x-gzip", "g"},
    {"identity", ""},
    {"*", "bg"},
    {"*;q=0", ""},
    {"gzip;q=0", ""},
    {"br;q=0, *", "g"},
    {"gzip, *;q=0", "g"},
    {"gzip;q=1.0, br;q=0.5", "gb"},
    {"gzip;q=0.5, br;q=0.51", "bg"},
    {"gzip;q=0.001", "g"},
    {"gzip;q=0.5, identity", ""},
    {"gzip;q=0.5, identity;q=0.5", "g"},
    {"gzip;q=0.5, identity;q=0.4, br;q=0.3", "g"},
    {"identity;q=0, gzip;q=0.1", "g"},
    {"gzip ; q=0.5 , br", "bg"},
    {"gzip;Q=0.9", "g"},
    {"gzip;q=1.000", "g"},
    {"gzip;q=1.001", ""}, /* malformed: passed over */
    {"gzip;q=0.0001", ""},
    {"gzip;q=2", ""},
    {"gzip;q=", ""},
    {"gzip;q=a", ""},
    {"gzip;q=0,5, br", "b"},
    {"gzip;level=9", ""},
    {"gzipped, brr", ""},
    {", ,gzip,,", "g"},
    {"deflate", ""},
};

START_TEST(the_client_chooses_among_codings)
{
    static const char letters[N_CODINGS] = {[CODING_BR] = 'b', [CODING_GZIP] = 'g'};
    struct codings codings = {.said_any = false};
    enum coding order[N_CODINGS];
    char got[N_CODINGS + 1] = "";
    codings_add(&codings, text_of(coding_rows[_i].value));
    uint32_t n = codings_order(&codings, order);
    for (uint32_t i = 0; i < n; i++) {
        got[i] = letters[order[i]];
    }
    ck_assert_msg(strcmp(got, coding_rows[_i].wanted) == 0, "%s: %s", coding_rows[_i].value, got);
}
END_TEST

START_TEST(two_fields_are_one_list)
{
    struct codings codings = {.said_any = false};
    enum coding order[N_CODINGS];
    codings_add(&codings, text_of("gzip;q=0.5"));
    codings_add(&codings, text_of("br;q=0.2"));
    ck_assert_uint_eq(codings_order(&codings, order), 2);
    ck_assert_int_eq(order[0], CODING_GZIP);
    ck_assert_str_eq(coding_name(order[1]), "br");
    ck_assert_str_eq(coding_suffix(order[1]), ".br");
}
END_TEST

/* ---- types ---- */

static const char *table_path(char path[64])
{
    strcpy(path, "/tmp/px-mime-XXXXXX");
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fprintf(file, "# a comment\nnotype\tx y\n\ntext/x-odd\todd ODDER\ntext/wrong html\n"
                  "application/x-md md\n");
    fclose(file);
    return path;
}

START_TEST(overrides_come_before_ours_and_ours_before_the_systems)
{
    static const struct px_files_type own[] = {{"MD", "text/x-mine"}, {"new", "a/b"}};
    static const struct {
        const char *name, *type;
    } rows[] = {
        {"a.md", "text/x-mine"},
        {"a.new", "a/b"},
        {"sub.html/x.NEW", "a/b"},
        {"a.html", "text/html; charset=utf-8"},
        {"a.odd", "text/x-odd"},
        {"a.OdDeR", "text/x-odd"},
        {"a.tar.gz", "application/gzip"},
        {"a.x", NULL},
        {"a", NULL},
        {"a.", NULL},
        {"", NULL},
        {"a.html/b", NULL},
        {".html", "text/html; charset=utf-8"},
        {"a.an_ending_of_more_than_thirty_one_bytes", NULL},
    };
    char path[64];
    struct mime *mime = NULL;
    ck_assert_int_eq(mime_new(own, 2, table_path(path), &mime), PX_EOK);
    for (int i = 0; i < ROWS(rows); i++) {
        const char *type = mime_type(mime, text_of(rows[i].name));
        ck_assert_msg((type == NULL) == (rows[i].type == NULL), "%s", rows[i].name);
        ck_assert_msg(type == NULL || strcmp(type, rows[i].type) == 0, "%s: %s", rows[i].name,
                      type);
    }
    mime_free(mime);
    ck_assert_int_eq(mime_new(NULL, 0, "/nowhere/at/all", &mime), PX_EOK);
    ck_assert_str_eq(mime_type(mime, text_of("a.md")), "text/markdown; charset=utf-8");
    mime_free(mime);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(what_is_no_ending_or_no_type_is_refused)
{
    static const struct px_files_type bad[] = {
        {"", "a/b"},    {NULL, "a/b"},
        {".md", "a/b"}, {"a/b", "a/b"},
        {"md", NULL},   {"md", "a\r\nb: c"},
        {"md", ""},     {"thirty_two_bytes_are_one_too_many", "a/b"},
    };
    struct mime *mime = NULL;
    for (int i = 0; i < ROWS(bad); i++) {
        ck_assert_int_eq(mime_new(&bad[i], 1, NULL, &mime), PX_EINVAL);
    }
    ck_assert_ptr_null(mime);
}
END_TEST

/* ---- listings ---- */

static struct list_entry entry(const char *name, bool directory)
{
    return (struct list_entry){
        .name = px_span_of_str(name), .directory = directory, .length = 7, .modified_s = 784111777};
}

static const char *page_of(const char *path, const struct list_entry *entries, uint32_t n, bool cut)
{
    static char page[8192];
    size_t max = list_page_max(text_of(path), entries, n);
    ck_assert_uint_lt(max, sizeof page);
    struct px_bytes_out out = px_bytes_out_of(page, max);
    list_page(&out, text_of(path), entries, n, cut);
    ck_assert(!out.overflow);
    page[px_bytes_out_len(&out)] = '\0';
    return page;
}

START_TEST(no_name_can_be_markup_or_lead_elsewhere)
{
    struct list_entry evil[] = {entry("<script>\"'&.js", false),
                                entry("javascript:alert(1)", false), entry("//host", false),
                                entry("a b?c#d%", false), entry("\xc3\xa9\n\x7f", false)};
    const char *page = page_of("/<b>&\"/", evil, 5, false);
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "<b>"));
    ck_assert_ptr_nonnull(strstr(page, ">&lt;script&gt;&quot;&#39;&amp;.js<"));
    ck_assert_ptr_nonnull(strstr(page, "<title>/&lt;b&gt;&amp;&quot;/</title>"));
    ck_assert_ptr_nonnull(strstr(page, "\"./javascript%3Aalert%281%29\""));
    ck_assert_ptr_nonnull(strstr(page, "\"./%2F%2Fhost\""));
    ck_assert_ptr_nonnull(strstr(page, "\"./a%20b%3Fc%23d%25\""));
    ck_assert_ptr_nonnull(strstr(page, "\"./%C3%A9%0A%7F\">\xc3\xa9?"
                                       "?<"));
}
END_TEST

START_TEST(directories_come_first_and_names_in_order)
{
    struct list_entry entries[] = {entry("b", false), entry("a", false), entry("z", true),
                                   entry("ab", false), entry("y", true)};
    list_sort(entries, 5);
    const char *page = page_of("/", entries, 5, true);
    const char *at = page;
    const char *wanted[] = {">y/<", ">z/<", ">a<", ">ab<", ">b<", "Only 5 entries"};
    for (int i = 0; i < ROWS(wanted); i++) {
        at = strstr(at, wanted[i]);
        ck_assert_msg(at != NULL, "%s", wanted[i]);
    }
    ck_assert_ptr_null(strstr(page, "../")); /* nothing lies above the root */
    ck_assert_ptr_nonnull(strstr(page, "1994-11-06 08:49</td><td>7<"));
    ck_assert_ptr_nonnull(strstr(page_of("/a/", entries, 0, false), "href=\"../\""));
}
END_TEST

START_TEST(what_is_no_entry_ends_the_reading)
{
    static const uint8_t good[] = {0x0a, 5, 0x0a, 1, 'a', 0x10, 1, 0x0a, 5, 0x0a, 1, 'b', 0x18, 9};
    struct list_entry entries[2];
    ck_assert_uint_eq(list_read(px_span_of(good, sizeof good), entries, 2), 2);
    ck_assert(entries[0].directory && !entries[1].directory);
    ck_assert_uint_eq(entries[1].length, 9);
    ck_assert_uint_eq(list_read(px_span_of(good, sizeof good), entries, 1),
                      2); /* how many there are */
    for (size_t len = 0; len < sizeof good; len++) {
        ck_assert_uint_le(list_read(px_span_of(good, len), entries, 2), len < 7 ? 0 : 1);
    }
    static const uint8_t nameless[] = {0x0a, 2, 0x10, 1};
    ck_assert_uint_eq(list_read(px_span_of(nameless, sizeof nameless), entries, 2), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files_choice");
    TCase *tcase = tcase_create("codings, types and listings");
    tcase_add_loop_test(tcase, the_client_chooses_among_codings, 0, ROWS(coding_rows));
    tcase_add_test(tcase, two_fields_are_one_list);
    tcase_add_test(tcase, overrides_come_before_ours_and_ours_before_the_systems);
    tcase_add_test(tcase, what_is_no_ending_or_no_type_is_refused);
    tcase_add_test(tcase, no_name_can_be_markup_or_lead_elsewhere);
    tcase_add_test(tcase, directories_come_first_and_names_in_order);
    tcase_add_test(tcase, what_is_no_entry_ends_the_reading);
    suite_add_tcase(suite, tcase);
    return suite_end(suite);
}
