/* serve_logs_test.c - lines of requests that nobody can forge, and the queue behind which they are
 * written.
 */
#include "logs.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT(s)                                                                                    \
    (struct px_text)                                                                               \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

static char line[LOGS_LINE_MAX + 1];

static struct px_log_record record_of(void)
{
    return (struct px_log_record){
        .id = 7,
        .remote = TEXT("192.0.2.7"),
        .remote_port = 5000,
        .listener = 1,
        .version = 11,
        .status = 200,
        .ended = PX_OK,
        .method = TEXT("GET"),
        .target = TEXT("/a?b=c"),
        .host = TEXT("example.com"),
        .user = TEXT(""),
        .referer = TEXT("https://a.example/"),
        .agent = TEXT("curl/8"),
        .start_wall_us = INT64_C(951827696123456),
        .first_byte_us = 12,
        .end_us = 34,
        .body_len = 5,
    };
}

static const char *line_of(enum serve_format format, const struct px_log_record *r)
{
    size_t len = access_line(format, r, line);
    line[len] = '\0';
    return line;
}

START_TEST(a_combined_line_is_what_log_readers_expect)
{
    struct px_log_record r = record_of();
    ck_assert_str_eq(line_of(SERVE_COMBINED, &r),
                     "192.0.2.7 - - [29/Feb/2000:12:34:56 +0000] \"GET /a?b=c HTTP/1.1\" 200 5 "
                     "\"https://a.example/\" \"curl/8\"\n");
    r.status = 0;
    r.referer = r.agent = TEXT("");
    r.user = TEXT("ann");
    ck_assert_str_eq(line_of(SERVE_COMBINED, &r),
                     "192.0.2.7 - ann [29/Feb/2000:12:34:56 +0000] \"GET /a?b=c HTTP/1.1\" - 5 "
                     "\"-\" \"-\"\n");
}
END_TEST

START_TEST(a_json_line_is_one_object)
{
    struct px_log_record r = record_of();
    ck_assert_str_eq(
        line_of(SERVE_JSON, &r),
        "{\"time\":\"2000-02-29T12:34:56.123456Z\",\"id\":7,\"remote\":\"192.0.2.7\",\"port\":5000,"
        "\"listener\":1,\"method\":\"GET\",\"host\":\"example.com\",\"target\":\"/a?b=c\","
        "\"version\":\"1.1\",\"status\":200,\"bytes\":5,\"user\":\"\",\"referer\":"
        "\"https://a.example/\",\"agent\":\"curl/8\",\"first_byte_us\":12,\"duration_us\":34,"
        "\"ended\":\"done\"}\n");
    r.first_byte_us = PX_NEVER;
    ck_assert_ptr_null(strstr(line_of(SERVE_JSON, &r), "first_byte"));
}
END_TEST

START_TEST(of_what_was_refused_the_line_shows_what_there_is)
{
    struct px_log_record r = record_of();
    r.status = 400;
    r.version = 0;
    r.method = TEXT("");
    r.target = TEXT("\x16\x03\x01 \"");
    r.host = r.referer = r.agent = TEXT("");
    ck_assert_str_eq(line_of(SERVE_COMBINED, &r),
                     "192.0.2.7 - - [29/Feb/2000:12:34:56 +0000] \"\\x16\\x03\\x01 \\x22\" 400 5 "
                     "\"-\" \"-\"\n");
    r.target = TEXT("");
    ck_assert_ptr_nonnull(strstr(line_of(SERVE_COMBINED, &r), "] \"-\" 400 5 "));
    r.method = TEXT("BAD");
    ck_assert_ptr_nonnull(strstr(line_of(SERVE_COMBINED, &r), "] \"BAD\" 400 5 "));
    ck_assert_ptr_null(strstr(line_of(SERVE_JSON, &r), "version"));
    r.version = 20;
    ck_assert_ptr_nonnull(strstr(line_of(SERVE_COMBINED, &r), "] \"BAD HTTP/2.0\" 400 5 "));
    r.target = TEXT("/");
    ck_assert_ptr_nonnull(strstr(line_of(SERVE_COMBINED, &r), "] \"BAD / HTTP/2.0\" 400 5 "));
}
END_TEST

START_TEST(nothing_a_client_sends_ends_a_field_or_a_line)
{
    struct px_log_record r = record_of();
    r.agent = TEXT("\" 200 5\n127.0.0.1 - admin \\ \x7f\x80\t\0z");
    r.user = TEXT("a b] \"");
    line_of(SERVE_COMBINED, &r);
    ck_assert_ptr_nonnull(strstr(line, "- a\\x20b]\\x20\\x22 ["));
    ck_assert_ptr_nonnull(strstr(line, "\"\\x22 200 5\\x0A127.0.0.1 - admin \\x5C "
                                       "\\x7F\\x80\\x09\\x00z\"\n"));
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    line_of(SERVE_JSON, &r);
    ck_assert_ptr_nonnull(strstr(line, "\"agent\":\"\\\" 200 5\\u000a127.0.0.1 - admin \\\\ "
                                       "\\u007f\\ufffd\\u0009\\u0000z\""));
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(json_keeps_utf8_and_replaces_what_is_not)
{
    struct px_log_record r = record_of();
    r.target = TEXT("/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    ck_assert_ptr_nonnull(
        strstr(line_of(SERVE_JSON, &r), "\"/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
    static const char *const bad[] = {
        "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xc3", "\xe2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r.target = (struct px_text){bad[i], strlen(bad[i])};
        ck_assert_ptr_nonnull(strstr(line_of(SERVE_JSON, &r), "\"target\":\"\\ufffd"));
        for (const char *c = line; *c != '\0'; c++) {
            ck_assert_int_gt(*c, 0);
        }
    }
}
END_TEST

START_TEST(a_field_is_cut_past_2048_bytes_and_the_longest_line_fits)
{
    static char agent[LOGS_FIELD_MAX + 2];
    struct px_log_record r = record_of();
    memset(agent, 'x', sizeof agent);
    r.agent = (struct px_text){agent, LOGS_FIELD_MAX};
    ck_assert_ptr_null(strstr(line_of(SERVE_COMBINED, &r), "..."));
    r.agent.len++;
    ck_assert_ptr_nonnull(strstr(line_of(SERVE_COMBINED, &r), "x...\"\n"));
    memset(agent, 1, sizeof agent);
    r.agent = r.method = r.target = r.host = r.user = r.referer = r.remote = r.agent;
    for (int format = SERVE_COMBINED; format <= SERVE_JSON; format++) {
        line_of((enum serve_format)format, &r);
        ck_assert_uint_lt(strlen(line), LOGS_LINE_MAX);
        ck_assert_ptr_nonnull(
            strstr(line, format == SERVE_JSON ? "\"ended\":\"done\"}\n" : "...\"\n"));
    }
}
END_TEST

/* ---- the queue ---- */

static char folder[32], path[64], other[64];

static void set_up(void)
{
    strcpy(folder, "/tmp/px-sink-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(other, sizeof other, "%s/log.1", folder);
}

static void tear_down(void)
{
    unlink(path);
    unlink(other);
    ck_assert_int_eq(rmdir(folder), 0);
}

static size_t read_file(const char *name, char *ret, size_t size)
{
    FILE *file = fopen(name, "r");
    ck_assert_ptr_nonnull(file);
    size_t n = fread(ret, 1, size - 1, file);
    ret[n] = '\0';
    fclose(file);
    return n;
}

START_TEST(lines_are_written_in_order_and_all_of_them_before_the_end)
{
    struct sink *sink = NULL;
    struct stat st;
    ck_assert_int_eq(sink_new(path, NULL, NULL, &sink), 0);
    size_t len = 0;
    for (int i = 0; i < 20000; i++) {
        char text[32];
        size_t n = (size_t)sprintf(text, "line %d\n", i);
        ck_assert(sink_put(sink, text, n));
        len += n;
    }
    ck_assert(sink_free(sink));
    char *all = malloc(len + 1), *at = all;
    ck_assert_uint_eq(read_file(path, all, len + 1), len);
    for (int i = 0; i < 20000; i++) {
        char text[32];
        size_t n = (size_t)sprintf(text, "line %d\n", i);
        ck_assert_mem_eq(at, text, n);
        at += n;
    }
    free(all);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0137, 0); /* SINK_MODE, or less by the umask */
}
END_TEST

/* A pipe in the file system that nobody reads: writing blocks once it is full. */
START_TEST(what_finds_no_room_is_dropped_and_counted_and_nobody_waits)
{
    static char text[4096];
    struct sink *sink = NULL;
    uint64_t put = 0, dropped = 0;
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_eq(sink_new(path, NULL, NULL, &sink), 0);
    for (int i = 0; i < 1024; i++) { /* 4 MiB: the ring and the pipe take a quarter */
        if (sink_put(sink, text, sizeof text)) {
            put++;
        } else {
            dropped++;
        }
    }
    ck_assert_uint_ge(put, SINK_LEN / sizeof text);
    ck_assert_uint_gt(dropped, 0);
    ck_assert_uint_eq(sink_dropped(sink), dropped);
    ck_assert_uint_eq(sink_dropped(sink), 0);
    ck_assert(!sink_put(sink, text, SINK_LEN + 1)); /* never fits */
    sink_leave(sink);                               /* does not wait for the reader */
    uint64_t got = 0;
    while (got < put * sizeof text) {
        ssize_t n = read(reader, text, sizeof text);
        got += n > 0 ? (uint64_t)n : 0;
    }
    close(reader);
}
END_TEST

struct heard {
    _Atomic int event, n; /* written by the thread of the sink */
};

static void hear(void *arg, struct sink *sink, enum sink_event event, int err)
{
    struct heard *heard = arg;
    (void)sink;
    ck_assert_int_eq(err, 0);
    heard->event = (int)event;
    heard->n++;
}

/* Lines before and after a rename, with the wish to reopen between. */
START_TEST(reopening_goes_on_in_a_new_file)
{
    struct heard heard = {0, 0};
    struct sink *sink = NULL;
    char text[64];
    ck_assert_int_eq(sink_new(path, hear, &heard, &sink), 0);
    ck_assert(sink_put(sink, "one\n", 4));
    while (read_file(path, text, sizeof text) < 4) {
    }
    ck_assert_int_eq(rename(path, other), 0);
    sink_reopen(sink);
    while (heard.n == 0) {
    }
    ck_assert(sink_put(sink, "two\n", 4));
    ck_assert(sink_free(sink));
    ck_assert_int_eq(heard.event, SINK_REOPENED);
    ck_assert_int_eq(heard.n, 1);
    read_file(other, text, sizeof text);
    ck_assert_str_eq(text, "one\n");
    read_file(path, text, sizeof text);
    ck_assert_str_eq(text, "two\n");
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_says_why)
{
    struct sink *sink = NULL;
    ck_assert_int_eq(sink_new("/nonexistent/log", NULL, NULL, &sink), ENOENT);
    ck_assert_int_eq(sink_new(folder, NULL, NULL, &sink), EISDIR);
    ck_assert_ptr_null(sink);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serve_logs");
    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, a_combined_line_is_what_log_readers_expect);
    tcase_add_test(lines, a_json_line_is_one_object);
    tcase_add_test(lines, of_what_was_refused_the_line_shows_what_there_is);
    tcase_add_test(lines, nothing_a_client_sends_ends_a_field_or_a_line);
    tcase_add_test(lines, json_keeps_utf8_and_replaces_what_is_not);
    tcase_add_test(lines, a_field_is_cut_past_2048_bytes_and_the_longest_line_fits);
    suite_add_tcase(suite, lines);
    TCase *queue = tcase_create("queue");
    tcase_add_checked_fixture(queue, set_up, tear_down);
    tcase_add_test(queue, lines_are_written_in_order_and_all_of_them_before_the_end);
    tcase_add_test(queue, what_finds_no_room_is_dropped_and_counted_and_nobody_waits);
    tcase_add_test(queue, reopening_goes_on_in_a_new_file);
    tcase_add_test(queue, a_file_that_cannot_be_opened_says_why);
    suite_add_tcase(suite, queue);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
