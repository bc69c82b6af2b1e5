/* files_test.c - directories as parts of a site: what the mailbox is asked, and what becomes of its
 * answers. Recorders stand for the mailbox and the engine.
 */
#include "app_rig.h"

#include <px/kernel.h>
#include <stdio.h>

#include "fields.h"
#include "files_impl.h"

enum { REQUESTER = 77, THEN_S = 784111777 };

#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define ETAG "\"1f-1a-ae1b981bc490a07\"" /* of inode 31, 26 bytes, THEN and 7 ns */

static const char text[] = "abcdefghijklmnopqrstuvwxyz";
static struct rig rig;
static struct px_files *files;

static struct px_env *h1(void)
{
    return px_sim_env(rig.world, "h1");
}

static struct px_env *file(void)
{
    return px_sim_env(rig.world, "file");
}

/* ---- making ---- */

static enum px_err files_make(const struct px_files_config *config)
{
    enum px_err err = px_files_new(rig.system, config, &files);
    sim_settle(rig.sim);
    if (err == PX_EOK) {
        const struct px_msg *msg = sim_expect(rig.world, "file", FILE_ADD_ROOT);
        px_reply(file(), msg, PX_OK, px_msg_new(file(), &file__added_root__descriptor));
        sim_settle(rig.sim);
    }
    return err;
}

static void files_end(void)
{
    px_files_free(files);
    files = NULL;
    sim_settle(rig.sim);
    sim_expect(rig.world, "file", FILE_DROP_ROOT);
}

static void setup(void)
{
    struct px_files_config config = {.directory = "/tmp", .types_path = ""};
    rig_start(&rig);
    ck_assert_int_eq(files_make(&config), PX_EOK);
    ck_assert_int_eq(px_server_route(&rig.server, "*", "/f/*path", px_files_serve, files), PX_EOK);
}

/* Other files than those of setup, at the same route. */
static void set_up_with(struct px_files_config config)
{
    files_end();
    struct px_routes *routes = NULL;
    ck_assert_int_eq(px_routes_new(&routes), PX_EOK);
    config.directory = "/tmp";
    config.types_path = "";
    ck_assert_int_eq(files_make(&config), PX_EOK);
    ck_assert_int_eq(px_routes_add(routes, "*", "/f/*path", px_files_serve, files, NULL), PX_EOK);
    px_server_use(&rig.server, routes);
    sim_settle(rig.sim);
}

#define set_up(...) set_up_with((struct px_files_config){__VA_ARGS__})

static void teardown(void)
{
    if (files != NULL) {
        files_end();
    }
    rig_end(&rig);
}

/* ---- asking ---- */

struct ask {
    const char *method, *path;
    struct px_field fields[4];
    bool file_ranges;
    uint32_t credit;
};

static void ask_with(struct ask ask)
{
    Http__Request *m = px_msg_new(h1(), &http__request__descriptor);
    const char *method = ask.method == NULL ? "GET" : ask.method;
    uint32_t n = 0;
    size_t len = 0;
    while (n < 4 && ask.fields[n].name != NULL) {
        n++;
    }
    m->requester = REQUESTER;
    px_msg_put(m, &m->method, method, strlen(method));
    px_msg_put(m, &m->path, ask.path, strlen(ask.path));
    ck_assert_int_eq(fields_size(NULL, ask.fields, n, &len), PX_EOK);
    m->fields = (ProtobufCBinaryData){len, px_msg_alloc(m, len)};
    fields_write(NULL, ask.fields, n, m->fields.data, len);
    m->fin = true;
    m->file_ranges = ask.file_ranges;
    m->credit = ask.credit;
    px_send(h1(), rig.app, RESPONDER_EXCHANGE, m, 0);
    sim_settle(rig.sim);
}

#define ask(...) ask_with((struct ask){__VA_ARGS__})

static px_handle expect_handle(void)
{
    return ((const Http__ExchangeCredit *)sim_expect(rig.world, "h1", REQUESTER_CREDIT)->body)
        ->responder;
}

static const struct px_msg *expect_open(const char *path)
{
    const struct px_msg *msg = sim_expect(rig.world, "file", FILE_OPEN);
    const File__OpenFile *m = msg->body;
    ck_assert_msg(m->path.len == strlen(path) && memcmp(m->path.data, path, m->path.len) == 0,
                  "%.*s", (int)m->path.len, (const char *)m->path.data);
    ck_assert(m->own);
    return msg;
}

/* The alphabet, in memory or as a range of a file that is not there. */
static void answer_open(const struct px_msg *open, bool in_file, uint32_t suffix)
{
    File__OpenedFile *m = px_msg_new(file(), &file__opened_file__descriptor);
    struct px_buf *buf = in_file ? px_buf_from_fd(file(), 999, NULL) : px_buf_new(file(), 26);
    if (!in_file) {
        memcpy(px_buf_data(buf), text, 26);
    }
    m->length = 26;
    m->inode = 31;
    m->modified_ns = (int64_t)THEN_S * 1000000000 + 7;
    m->suffix = suffix;
    px_msg_attach(m, buf, 0, 26);
    px_buf_put(buf);
    px_reply(file(), open, PX_OK, m);
    sim_settle(rig.sim);
}

/* ---- the response ---- */

static const struct px_msg *expect_response(uint32_t status)
{
    const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_RESPOND);
    ck_assert_uint_eq(((const Http__Response *)msg->body)->status, status);
    return msg;
}

/* `value` NULL: there is no such field. */
static void expect_field(const struct px_msg *msg, const char *name, const char *value)
{
    const Http__Response *m = msg->body;
    struct px_text got = {"", 0};
    bool found = fields_find(m->fields.data, m->fields.len, name, &got);
    ck_assert_msg(found == (value != NULL), "%s", name);
    ck_assert_msg(!found || (got.len == strlen(value) && memcmp(got.ptr, value, got.len) == 0),
                  "%s: %.*s", name, PX_TEXT_ARG(got));
}

static void say_ended(px_handle to)
{
    Http__EndedExchange *m = px_msg_new(h1(), &http__ended_exchange__descriptor);
    px_send(h1(), rig.app, RESPONDER_ENDED, m, to);
    sim_settle(rig.sim);
}

/* One exchange about a file in memory; the response. */
static const struct px_msg *exchange(uint32_t status, struct ask ask)
{
    ask.path = "/f/a.txt";
    ask_with(ask);
    px_handle to = expect_handle();
    answer_open(expect_open("a.txt"), false, 0);
    const struct px_msg *msg = expect_response(status);
    say_ended(to);
    return msg;
}

#define exchange(status, ...) exchange((status), (struct ask){__VA_ARGS__})

static uint64_t counted(enum app_counter counter)
{
    const char *name = NULL;
    return px_kernel_counter(rig.system->kernel, rig.app, counter, &name);
}

/* ---- life ---- */

START_TEST(a_directory_is_handed_over_open)
{
    const struct px_slice *slices = NULL;
    struct px_files_config config = {
        .directory = "/tmp", .links = PX_FILES_LINKS_NEVER, .types_path = ""};
    struct px_files *more = NULL;
    ck_assert_int_eq(px_files_new(rig.system, &config, &more), PX_EOK);
    sim_settle(rig.sim);
    const struct px_msg *msg = sim_expect(rig.world, "file", FILE_ADD_ROOT);
    const File__NewRoot *m = msg->body;
    ck_assert(m->without_links);
    ck_assert_uint_eq(px_msg_payload(msg, &slices), 1);
    ck_assert((slices[0].flags & PX_SLICE_FILE) != 0 && px_buf_fd(slices[0].buf) >= 0);
    px_reply(file(), msg, PX_OK, px_msg_new(file(), &file__added_root__descriptor));
    sim_settle(rig.sim);
    px_files_free(more);
    sim_settle(rig.sim);
    ck_assert_uint_eq(
        ((const File__OldRoot *)sim_expect(rig.world, "file", FILE_DROP_ROOT)->body)->root,
        m->root);
}
END_TEST

START_TEST(a_mailbox_that_lives_again_is_handed_its_directories)
{
    px_sim_kill(rig.world, "file");
    sim_settle(rig.sim);
    px_sim_restart(rig.world, "file");
    sim_settle(rig.sim);
    const struct px_msg *msg = sim_expect(rig.world, "file", FILE_ADD_ROOT);
    px_reply(file(), msg, PX_OK, px_msg_new(file(), &file__added_root__descriptor));
    sim_settle(rig.sim);
    exchange(200, .method = NULL);
}
END_TEST

START_TEST(what_cannot_be_served_is_refused)
{
    static const char *const missing = "/nowhere/at/all";
    const struct px_field bad_field = {"content-length", "1"};
    const struct px_files_config bad[] = {
        {.directory = NULL},
        {.directory = ""},
        {.directory = "/tmp", .index = "a/b"},
        {.directory = "/tmp", .index = ".."},
        {.directory = "/tmp", .index = "."},
        {.directory = "/tmp", .listing_max = 4097},
        {.directory = "/tmp", .ranges_max = 65},
        {.directory = "/tmp", .n_fields = 33},
        {.directory = "/tmp", .n_fields = 1},
        {.directory = "/tmp", .n_fields = 1, .fields = &bad_field},
        {.directory = "/tmp", .n_types = 1},
        {.directory = "/tmp", .cache_control = "a\r\nb: c"},
        {.directory = "/tmp", .default_type = "a\nb"},
        {.directory = "/tmp", .links = (enum px_files_links)2},
    };
    struct px_files *none = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(px_files_new(rig.system, &bad[i], &none) == PX_EINVAL, "%zu", i);
    }
    ck_assert_int_eq(
        px_files_new(rig.system, &(struct px_files_config){.directory = missing}, &none),
        PX_ENOENT);
    ck_assert_ptr_nonnull(strstr(px_system_error(rig.system), missing));
    ck_assert_int_eq(
        px_files_new(rig.system, &(struct px_files_config){.directory = "/etc/passwd"}, &none),
        PX_ENOENT);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(the_129th_directory_is_refused)
{
    struct px_files *all[FILES_MAX] = {files}, *none = NULL;
    struct px_files_config config = {
        .directory = "/tmp", .types_path = "", .listing_max = 4096, .ranges_max = 64};
    for (int i = 1; i < FILES_MAX; i++) {
        ck_assert_int_eq(files_make(&config), PX_EOK);
        all[i] = files;
    }
    ck_assert_int_eq(px_files_new(rig.system, &config, &none), PX_ELIMIT);
    for (int i = 0; i < FILES_MAX; i++) {
        files = all[i];
        files_end();
    }
}
END_TEST

START_TEST(files_that_are_freed_answer_what_is_under_way)
{
    ask(.path = "/f/a.txt");
    px_handle to = expect_handle();
    px_files_free(files);
    files = NULL;
    sim_settle(rig.sim);
    answer_open(expect_open("a.txt"), false, 0);
    sim_expect_payload(rig.world, expect_response(200), text, 26);
    sim_expect(rig.world, "file", FILE_DROP_ROOT);
    say_ended(to);
}
END_TEST

START_TEST(a_client_that_leaves_before_the_answer_leaves_nothing)
{
    ask(.path = "/f/a.txt");
    say_ended(expect_handle());
    answer_open(expect_open("a.txt"), false, 0);
    sim_expect_silence(rig.sim);
}
END_TEST

/* ---- responses ---- */

START_TEST(a_small_file_is_one_message_with_all_its_fields)
{
    const struct px_field own[] = {{"X-Own", "1"}};
    set_up(.cache_control = "max-age=60", .fields = own, .n_fields = 1);
    const struct px_msg *msg = exchange(200, .method = NULL);
    const Http__Response *m = msg->body;
    ck_assert(m->fin && m->has_length && m->length == 26);
    sim_expect_payload(rig.world, msg, text, 26);
    expect_field(msg, "content-type", "text/plain; charset=utf-8");
    expect_field(msg, "etag", ETAG);
    expect_field(msg, "last-modified", THEN);
    expect_field(msg, "accept-ranges", "bytes");
    expect_field(msg, "cache-control", "max-age=60");
    expect_field(msg, "x-own", "1");
    expect_field(msg, "vary", NULL);
}
END_TEST

START_TEST(head_is_told_the_length_and_gets_nothing)
{
    const struct px_msg *msg = exchange(200, .method = "HEAD", .fields = {{"range", "bytes=0-1"}});
    ck_assert_uint_eq(px_msg_payload_len(msg), 0);
    ck_assert_uint_eq(((const Http__Response *)msg->body)->length, 26);
}
END_TEST

START_TEST(what_is_known_is_not_sent_again)
{
    const struct px_msg *msg = exchange(304, .fields = {{"if-none-match", ETAG}});
    ck_assert_uint_eq(px_msg_payload_len(msg), 0);
    ck_assert(!((const Http__Response *)msg->body)->has_length);
    expect_field(msg, "etag", ETAG);
    expect_field(msg, "content-type", NULL);
    exchange(304, .fields = {{"if-modified-since", THEN}}, .method = "HEAD");
    exchange(412, .fields = {{"if-match", "\"other\""}});
    exchange(200, .fields = {{"if-match", ETAG}});
}
END_TEST

START_TEST(a_range_of_a_small_file_is_part_of_one_message)
{
    const struct px_msg *msg = exchange(206, .fields = {{"range", "bytes=2-4"}});
    sim_expect_payload(rig.world, msg, "cde", 3);
    expect_field(msg, "content-range", "bytes 2-4/26");
    expect_field(msg, "content-type", "text/plain; charset=utf-8");
    expect_field(msg, "etag", ETAG);
    msg = exchange(416, .fields = {{"range", "bytes=26-"}});
    expect_field(msg, "content-range", "bytes */26");
    exchange(206, .fields = {{"range", "bytes=0-1"}, {"if-range", ETAG}});
    sim_expect_payload(rig.world,
                       exchange(200, .fields = {{"range", "bytes=0-1"}, {"if-range", "\"x\""}}),
                       text, 26);
    exchange(304, .fields = {{"range", "bytes=0-1"}, {"if-none-match", ETAG}});
}
END_TEST

/* What a multipart body of "b" and "yz" is, with its boundary in place of %s. */
static size_t parts_text(const struct px_msg *msg, char ret[512])
{
    static const char start[] = "multipart/byteranges; boundary=";
    const Http__Response *m = msg->body;
    struct px_text type;
    ck_assert(fields_find(m->fields.data, m->fields.len, "content-type", &type));
    ck_assert_uint_eq(type.len, sizeof start - 1 + 24);
    ck_assert_mem_eq(type.ptr, start, sizeof start - 1);
    const char *b = type.ptr + sizeof start - 1;
    return (size_t)snprintf(ret, 512,
                            "--%.24s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Range: bytes 1-1/26\r\n\r\nb\r\n--%.24s\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Range: bytes 24-25/26\r\n\r\nyz\r\n--%.24s--\r\n",
                            b, b, b);
}

START_TEST(several_ranges_are_parts_between_boundaries)
{
    char wanted[512];
    ask(.path = "/f/a.txt", .fields = {{"range", "bytes=1-1,-2"}}, .credit = 10000);
    px_handle to = expect_handle();
    answer_open(expect_open("a.txt"), false, 0);
    const struct px_msg *msg = expect_response(206);
    size_t len = parts_text(msg, wanted);
    ck_assert_uint_eq(((const Http__Response *)msg->body)->length, len);
    expect_field(msg, "content-range", NULL);
    sim_expect_payload(rig.world, sim_expect(rig.world, "h1", REQUESTER_DATA), wanted, len);
    say_ended(to);
}
END_TEST

START_TEST(the_second_range_is_refused_where_one_is_the_limit)
{
    set_up(.ranges_max = 1);
    exchange(206, .fields = {{"range", "bytes=1-1"}});
    ck_assert_uint_eq(counted(COUNT_RANGE_IGNORED), 0);
    exchange(200, .fields = {{"range", "bytes=1-1,-2"}});
    ck_assert_uint_eq(counted(COUNT_RANGE_IGNORED), 1);
}
END_TEST

START_TEST(a_large_file_follows_its_head_as_ranges)
{
    const struct px_slice *slices = NULL;
    ask(.path = "/f/a.txt", .file_ranges = true, .credit = 10000,
        .fields = {{"range", "bytes=5-9"}});
    px_handle to = expect_handle();
    answer_open(expect_open("a.txt"), true, 0);
    ck_assert_uint_eq(px_msg_payload_len(expect_response(206)), 0);
    const struct px_msg *data = sim_expect(rig.world, "h1", REQUESTER_DATA);
    ck_assert_uint_eq(px_msg_payload(data, &slices), 1);
    ck_assert((slices[0].flags & PX_SLICE_FILE) != 0);
    ck_assert(slices[0].off == 5 && slices[0].len == 5);
    ck_assert(((const Http__BodyBytes *)data->body)->fin);
    say_ended(to);
}
END_TEST

/* Answers the next Read, which must be of these bytes. */
static void answer_read(uint64_t off, uint32_t len)
{
    const struct px_slice *slices = NULL;
    const struct px_msg *read = sim_expect(rig.world, "file", FILE_READ);
    ck_assert_uint_eq(px_msg_payload(read, &slices), 1);
    ck_assert(slices[0].off == off && slices[0].len == len);
    File__ReadBytes *m = px_msg_new(file(), &file__read_bytes__descriptor);
    struct px_buf *buf = px_buf_new(file(), len);
    memcpy(px_buf_data(buf), text + off, len);
    px_msg_attach_take(m, buf, 0, len);
    px_reply(file(), read, PX_OK, m);
    sim_settle(rig.sim);
}

START_TEST(an_engine_that_takes_no_ranges_gets_bytes_in_order)
{
    char wanted[512], got[512];
    ask(.path = "/f/a.txt", .fields = {{"range", "bytes=1-1,-2"}}, .credit = 20000);
    px_handle to = expect_handle();
    answer_open(expect_open("a.txt"), true, 0);
    size_t len = parts_text(expect_response(206), wanted), at = 0;
    answer_read(1, 1);
    answer_read(24, 2);
    while (px_test_recorded(rig.world, "h1") > 0) {
        const struct px_slice *slices = NULL;
        const struct px_msg *data = sim_expect(rig.world, "h1", REQUESTER_DATA);
        uint32_t n = px_msg_payload(data, &slices);
        for (uint32_t i = 0; i < n; i++) {
            memcpy(got + at, slices[i].ptr, slices[i].len);
            at += slices[i].len;
        }
        ck_assert_int_eq(((const Http__BodyBytes *)data->body)->fin, at == len);
    }
    ck_assert_uint_eq(at, len);
    ck_assert_mem_eq(got, wanted, len);
    say_ended(to);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_on_ends_the_response)
{
    ask(.path = "/f/a.txt", .credit = 20000);
    px_handle to = expect_handle();
    answer_open(expect_open("a.txt"), true, 0);
    expect_response(200);
    px_reply_status(file(), sim_expect(rig.world, "file", FILE_READ), PX_TRUNCATED);
    sim_settle(rig.sim);
    sim_expect(rig.world, "h1", REQUESTER_CANCEL);
    say_ended(to);
}
END_TEST

START_TEST(a_coding_is_chosen_and_said)
{
    set_up(.precompressed = true);
    ask(.path = "/f/a.txt", .fields = {{"Accept-Encoding", "br;q=0.5, gzip"}});
    px_handle to = expect_handle();
    const struct px_msg *open = expect_open("a.txt");
    const File__OpenFile *m = open->body;
    ck_assert_uint_eq(m->n_suffixes, 2);
    ck_assert_mem_eq(m->suffixes[0].data, ".gz", 3);
    ck_assert_mem_eq(m->suffixes[1].data, ".br", 3);
    answer_open(open, false, 2);
    const struct px_msg *msg = expect_response(200);
    expect_field(msg, "content-encoding", "br");
    expect_field(msg, "content-type", "text/plain; charset=utf-8");
    expect_field(msg, "vary", "accept-encoding");
    say_ended(to);
    msg = exchange(200, .fields = {{"accept-encoding", "gzip"}}); /* there is no sibling */
    expect_field(msg, "content-encoding", NULL);
    expect_field(msg, "vary", "accept-encoding");
}
END_TEST

START_TEST(without_wish_or_permission_no_sibling_is_asked_for)
{
    ask(.path = "/f/a.txt", .fields = {{"accept-encoding", "gzip"}});
    px_handle to = expect_handle();
    const struct px_msg *open = expect_open("a.txt");
    ck_assert_uint_eq(((const File__OpenFile *)open->body)->n_suffixes, 0);
    answer_open(open, false, 0);
    expect_field(expect_response(200), "vary", NULL);
    say_ended(to);
}
END_TEST

/* ---- paths ---- */

START_TEST(hidden_names_are_not_even_asked_for)
{
    static const char *const hidden[] = {"/f/.git/config",     "/f/a/.b", "/f/.well-known",
                                         "/f/a/.well-known/x", "/f/..a",  "/f/%2ehidden"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        ask(.path = hidden[i]);
        say_ended(((const Http__Response *)expect_response(404)->body)->responder);
    }
    sim_expect_silence(rig.sim);
    ask(.path = "/f/.well-known/x");
    px_handle to = expect_handle();
    px_reply_status(file(), expect_open(".well-known/x"), PX_NOT_FOUND);
    sim_settle(rig.sim);
    expect_response(404);
    say_ended(to);
    set_up(.dotfiles = true);
    ask(.path = "/f/.git/config");
    to = expect_handle();
    px_reply_status(file(), expect_open(".git/config"), PX_DENIED);
    sim_settle(rig.sim);
    expect_response(404);
    say_ended(to);
}
END_TEST

START_TEST(other_methods_are_told_which_there_are)
{
    ask(.path = "/f/a.txt", .method = "POST");
    const struct px_msg *msg = expect_response(405);
    expect_field(msg, "allow", "GET, HEAD");
    say_ended(((const Http__Response *)msg->body)->responder);
}
END_TEST

static void answer_directory(const struct px_msg *open)
{
    File__OpenedFile *m = px_msg_new(file(), &file__opened_file__descriptor);
    m->directory = true;
    px_reply(file(), open, PX_OK, m);
    sim_settle(rig.sim);
}

START_TEST(a_directory_without_its_slash_is_elsewhere_with_its_query)
{
    ask(.path = "/f/a/s%20ub?q=1&r=/x");
    px_handle to = expect_handle();
    answer_directory(expect_open("a/s ub"));
    expect_field(expect_response(301), "location", "./s%20ub/?q=1&r=/x");
    say_ended(to);
}
END_TEST

START_TEST(an_index_is_shown_for_its_directory)
{
    set_up(.index = "home.txt");
    ask(.path = "/f/");
    px_handle to = expect_handle();
    answer_open(expect_open("home.txt"), false, 0);
    expect_field(expect_response(200), "content-type", "text/plain; charset=utf-8");
    say_ended(to);
    ask(.path = "/f/sub/");
    to = expect_handle();
    answer_directory(expect_open("sub/home.txt")); /* what should that mean? */
    expect_response(404);
    say_ended(to);
    set_up(.index = "");
    ask(.path = "/f/");
    say_ended(((const Http__Response *)expect_response(404)->body)->responder);
}
END_TEST

static const struct px_msg *expect_list(const char *path, uint32_t max)
{
    const struct px_msg *msg = sim_expect(rig.world, "file", FILE_LIST);
    const File__ListDirectory *m = msg->body;
    ck_assert(m->path.len == strlen(path) && memcmp(m->path.data, path, m->path.len) == 0);
    ck_assert(m->own && m->entries_max == max);
    return msg;
}

START_TEST(a_directory_without_index_is_listed_where_that_is_wanted)
{
    static const uint8_t entries[] = {0x0a, 7, 0x0a, 3, '<', 'a', '>', 0x18, 9};
    set_up(.listing = true, .listing_max = 50);
    ask(.path = "/f/sub/");
    px_handle to = expect_handle();
    px_reply_status(file(), expect_open("sub/index.html"), PX_NOT_FOUND);
    sim_settle(rig.sim);
    const struct px_msg *list = expect_list("sub/", 50);
    File__ListedDirectory *m = px_msg_new(file(), &file__listed_directory__descriptor);
    struct px_buf *buf = px_buf_new(file(), sizeof entries);
    memcpy(px_buf_data(buf), entries, sizeof entries);
    px_msg_attach_take(m, buf, 0, sizeof entries);
    m->entries = 1;
    m->cut = true;
    px_reply(file(), list, PX_OK, m);
    sim_settle(rig.sim);
    const struct px_msg *msg = expect_response(200);
    const struct px_slice *slices = NULL;
    expect_field(msg, "content-type", "text/html; charset=utf-8");
    ck_assert_uint_eq(px_msg_payload(msg, &slices), 1);
    ck_assert_ptr_nonnull(memmem(slices[0].ptr, slices[0].len, "./%3Ca%3E\">&lt;a&gt;", 20));
    ck_assert_ptr_nonnull(memmem(slices[0].ptr, slices[0].len, "<title>/f/sub/<", 15));
    ck_assert_ptr_nonnull(memmem(slices[0].ptr, slices[0].len, "Only 1 entries are", 18));
    ck_assert_uint_eq(counted(COUNT_LISTING_CUT), 1);
    say_ended(to);
}
END_TEST

START_TEST(what_is_no_directory_cannot_be_listed)
{
    set_up(.listing = true, .index = "");
    ask(.path = "/f/");
    px_handle to = expect_handle();
    px_reply_status(file(), expect_list(".", 1000), PX_NOT_FOUND);
    sim_settle(rig.sim);
    expect_response(404);
    say_ended(to);
    ask(.path = "/f/");
    say_ended(expect_handle());
    px_reply_status(file(), expect_list(".", 1000), PX_OK);
    sim_settle(rig.sim);
}
END_TEST

START_TEST(each_refusal_has_its_status)
{
    static const struct {
        enum px_status status;
        uint32_t answer;
    } rows[] = {{PX_NOT_FOUND, 404}, {PX_DENIED, 404},    {PX_BAD_REQUEST, 404}, {PX_BUSY, 503},
                {PX_NO_MEMORY, 503}, {PX_TRUNCATED, 500}, {PX_INTERNAL, 500}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(.path = "/f/a.txt");
        px_handle to = expect_handle();
        px_reply_status(file(), expect_open("a.txt"), rows[i].status);
        sim_settle(rig.sim);
        expect_response(rows[i].answer);
        say_ended(to);
    }
}
END_TEST

/* ---- px_request_reply_file ---- */

static void on_reply_file(struct px_request request, void *arg)
{
    struct px_file_reply reply = {.path = px_request_param(request, "path"),
                                  .content_type = "text/plain; charset=utf-8",
                                  .fields = arg,
                                  .n_fields = arg == NULL ? 0 : 1};
    ck_assert_int_eq(px_request_reply_file(request, &reply), PX_EOK);
}

static const struct px_msg *reply_file(const char *path, uint32_t status)
{
    ask(.path = path, .fields = {{"range", "bytes=1-1,-2"}}, .credit = 10000);
    px_handle to = expect_handle();
    const struct px_msg *open = sim_expect(rig.world, "file", FILE_OPEN);
    ck_assert(!((const File__OpenFile *)open->body)->own);
    answer_open(open, false, 0);
    const struct px_msg *msg = expect_response(status);
    say_ended(to);
    return msg;
}

START_TEST(a_file_of_the_programs_own_choice_has_ranges_too)
{
    static const struct px_field own = {"etag", "\"mine\""};
    char wanted[512];
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/r/*path", on_reply_file, NULL), PX_EOK);
    ck_assert_int_eq(
        px_server_route(&rig.server, "GET", "/own/*path", on_reply_file, (void *)(uintptr_t)&own),
        PX_EOK);
    size_t len = parts_text(reply_file("/r/x", 206), wanted);
    sim_expect_payload(rig.world, sim_expect(rig.world, "h1", REQUESTER_DATA), wanted, len);
    /* unless it says itself what the file is */
    const struct px_msg *msg = reply_file("/own/x", 200);
    sim_expect_payload(rig.world, msg, text, 26);
    expect_field(msg, "etag", "\"mine\"");
    expect_field(msg, "last-modified", NULL);
    expect_field(msg, "accept-ranges", NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_directory_is_handed_over_open,
        a_mailbox_that_lives_again_is_handed_its_directories,
        what_cannot_be_served_is_refused,
        the_129th_directory_is_refused,
        files_that_are_freed_answer_what_is_under_way,
        a_client_that_leaves_before_the_answer_leaves_nothing,
        a_small_file_is_one_message_with_all_its_fields,
        head_is_told_the_length_and_gets_nothing,
        what_is_known_is_not_sent_again,
        a_range_of_a_small_file_is_part_of_one_message,
        several_ranges_are_parts_between_boundaries,
        the_second_range_is_refused_where_one_is_the_limit,
        a_large_file_follows_its_head_as_ranges,
        an_engine_that_takes_no_ranges_gets_bytes_in_order,
        a_file_that_cannot_be_read_on_ends_the_response,
        a_coding_is_chosen_and_said,
        without_wish_or_permission_no_sibling_is_asked_for,
        hidden_names_are_not_even_asked_for,
        other_methods_are_told_which_there_are,
        a_directory_without_its_slash_is_elsewhere_with_its_query,
        an_index_is_shown_for_its_directory,
        a_directory_without_index_is_listed_where_that_is_wanted,
        what_is_no_directory_cannot_be_listed,
        each_refusal_has_its_status,
        a_file_of_the_programs_own_choice_has_ranges_too,
    };
    Suite *suite = suite_create("files");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
