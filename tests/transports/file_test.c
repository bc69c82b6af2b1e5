/* file_test.c - the mailbox file: what may be opened, what is read, how much. */
#include <check.h>
#include <fcntl.h>
#include <px/posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.pb-c.h"
#include "file_contract.h"
#include "file_open.h"

enum { OPEN_MAX = 8, HOLDS_MAX = 64, READ_MAX = 262144 };

static struct rig {
    char dir[32];
    struct px_posix *os;
    struct px_kernel *kernel;
    px_addr file, asker;
    File__Config config;
    ProtobufCBinaryData root;
    uint64_t now_us;
    /* The last answer. */
    uint32_t n_replies;
    enum px_status status;
    uint64_t length, payload_len, inode;
    int64_t modified_ns;
    bool directory;
    bool is_range;
    uint8_t first;
    const struct px_msg *held[HOLDS_MAX]; /* answers that keep their files open */
    uint32_t n_held;
    bool holds;
} rig;

/* ---- the asker ---- */

static void on_reply(void *state, const struct px_msg *msg)
{
    const struct px_slice *slices = NULL;
    (void)state;
    rig.n_replies++;
    rig.status = msg->status;
    rig.payload_len = px_msg_payload_len(msg);
    if (px_msg_payload(msg, &slices) > 0) {
        rig.is_range = (slices[0].flags & PX_SLICE_FILE) != 0;
        rig.first = rig.is_range ? 0 : slices[0].ptr[0];
    }
    const ProtobufCMessage *body = msg->body;
    if (body != NULL && body->descriptor == &file__opened_file__descriptor) {
        const File__OpenedFile *m = msg->body;
        rig.length = m->length;
        rig.directory = m->directory;
        rig.inode = m->inode;
        rig.modified_ns = m->modified_ns;
        if (rig.holds) {
            ck_assert_uint_lt(rig.n_held, HOLDS_MAX);
            rig.held[rig.n_held++] = px_msg_hold(msg);
        }
    }
}

static const struct px_service asker_service = {
    .name = "asker", .state_size = 1, .calls_max = 8, .reply = on_reply};

static uint64_t rig_clock(void *ctx)
{
    (void)ctx;
    return rig.now_us;
}

static struct px_env *env(void)
{
    return px_kernel_env(rig.kernel, rig.asker);
}

static enum px_status answer(uint16_t method, void *take_body)
{
    uint32_t before = rig.n_replies;
    px_call(env(), rig.file, method, take_body, PX_SEC(1), 1);
    for (int i = 0; i < 10 && rig.n_replies == before; i++) {
        px_kernel_turn(rig.kernel, 0);
    }
    ck_assert_uint_eq(rig.n_replies, before + 1);
    return rig.status;
}

static enum px_status open_bytes(uint32_t root, const char *path, size_t len)
{
    File__OpenFile *m = px_msg_new(env(), &file__open_file__descriptor);
    m->root = root;
    px_msg_put(m, &m->path, path, len);
    return answer(FILE_OPEN, m);
}

static enum px_status open_file(const char *path)
{
    return open_bytes(0, path, strlen(path));
}

/* The range of the last answer held, or part of it. */
static enum px_status read_range(uint64_t off, uint32_t len)
{
    const struct px_slice *slices = NULL;
    ck_assert_uint_eq(px_msg_payload(rig.held[rig.n_held - 1], &slices), 1);
    File__ReadRange *m = px_msg_new(env(), &file__read_range__descriptor);
    ck_assert(px_msg_attach(m, slices[0].buf, off, len));
    return answer(FILE_READ, m);
}

static void release_all(void)
{
    while (rig.n_held > 0) {
        px_msg_release(rig.held[--rig.n_held]);
    }
}

/* ---- the tree ---- */

static const char *in_dir(const char *name, char text[128])
{
    snprintf(text, 128, "%s/%s", rig.dir, name);
    return text;
}

static void make_file(const char *name, size_t len)
{
    char path[128];
    FILE *f = fopen(in_dir(name, path), "w");
    ck_assert_ptr_nonnull(f);
    for (size_t i = 0; i < len; i++) {
        fputc('a' + (int)(i % 26), f);
    }
    fclose(f);
}

static void make_link(const char *name, const char *to)
{
    char path[128];
    ck_assert_int_eq(symlink(to, in_dir(name, path)), 0);
}

static void allow(px_addr from, uint8_t contract, px_addr to)
{
    ck_assert_int_eq(px_kernel_allow(rig.kernel, from, contract, to), PX_EOK);
}

static void make_kernel(void)
{
    static const struct px_posix_config config = {.log_levels = 0};
    ck_assert_int_eq(px_posix_new(&config, &rig.os), PX_EOK);
    struct px_world world = *px_posix_world(rig.os);
    world.monotonic_us = rig_clock;
    ck_assert_int_eq(px_kernel_new(&world, NULL, &rig.kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(rig.kernel, &px_contract_file), PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &px_file_service, NULL, &rig.config, &rig.file),
                     PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &asker_service, NULL, NULL, &rig.asker), PX_EOK);
    allow(rig.asker, PX_C_FILE, rig.file);
}

static void begin(void)
{
    char path[128];
    memset(&rig, 0, sizeof rig);
    rig.now_us = 1;
    rig.holds = true;
    strcpy(rig.dir, "/tmp/px-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig.dir));
    ck_assert_int_eq(mkdir(in_dir("root", path), 0700), 0);
    ck_assert_int_eq(mkdir(in_dir("root/sub", path), 0700), 0);
    make_file("secret", 10);
    make_file("root/page", 1000);
    make_file("root/empty", 0);
    make_file("root/sub/deep", 5);
    make_file("root/large", READ_MAX + 1);
    make_link("root/inside", "sub/deep");
    make_link("root/up", "sub/../page");
    make_link("root/outside", "../secret");
    make_link("root/absolute", "/etc/passwd");
    make_link("root/loop", "loop");
    ck_assert_int_eq(mkfifo(in_dir("root/fifo", path), 0600), 0);
    file__config__init(&rig.config);
    in_dir("root", path);
    rig.root = (ProtobufCBinaryData){.data = (uint8_t *)strdup(path), .len = strlen(path)};
    rig.config.roots = &rig.root;
    rig.config.n_roots = 1;
    rig.config.open_max = OPEN_MAX;
    make_kernel();
    ck_assert_int_eq(px_kernel_start(rig.kernel), PX_EOK);
}

static void end(void)
{
    char command[64];
    release_all();
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
    free(rig.root.data);
    snprintf(command, sizeof command, "rm -r %s", rig.dir);
    ck_assert_int_eq(system(command), 0);
}

static uint32_t open_descriptors(void)
{
    uint32_t n = 0;
    for (int fd = 0; fd < 200; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* ---- Open ---- */

START_TEST(a_file_is_answered_with_its_range)
{
    struct stat st;
    char path[128];
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(stat(in_dir("root/page", path), &st), 0);
    ck_assert(rig.is_range);
    ck_assert_uint_eq(rig.length, 1000);
    ck_assert_uint_eq(rig.payload_len, 1000);
    ck_assert(!rig.directory);
    ck_assert_uint_eq(rig.inode, st.st_ino);
    ck_assert_int_eq(rig.modified_ns, st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    ck_assert_int_eq(open_file("sub/deep"), PX_OK);
    ck_assert_uint_eq(rig.length, 5);
    ck_assert_int_eq(open_file("./sub//deep"), PX_OK);
}
END_TEST

START_TEST(an_empty_file_has_no_range)
{
    ck_assert_int_eq(open_file("empty"), PX_OK);
    ck_assert_uint_eq(rig.length, 0);
    ck_assert_uint_eq(rig.payload_len, 0);
    ck_assert(!rig.directory);
}
END_TEST

START_TEST(a_directory_says_that_it_is_one)
{
    ck_assert_int_eq(open_file("sub"), PX_OK);
    ck_assert(rig.directory);
    ck_assert_uint_eq(rig.payload_len, 0);
    ck_assert_int_eq(open_file("sub/"), PX_OK);
    ck_assert_int_eq(open_file("."), PX_OK);
    ck_assert(rig.directory);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    ck_assert_int_eq(open_file("nothing"), PX_NOT_FOUND);
    ck_assert_int_eq(open_file("nothing/at/all"), PX_NOT_FOUND);
    ck_assert_int_eq(open_file("page/below"), PX_NOT_FOUND);
    ck_assert_int_eq(open_file("page/"), PX_NOT_FOUND);
}
END_TEST

START_TEST(nothing_leads_out_of_the_root)
{
    ck_assert_int_eq(open_file("../secret"), PX_DENIED);
    ck_assert_int_eq(open_file("sub/../../secret"), PX_DENIED);
    ck_assert_int_eq(open_file(".."), PX_DENIED);
    ck_assert_int_eq(open_file("outside"), PX_DENIED);
    ck_assert_int_eq(open_file("absolute"), PX_DENIED);
    ck_assert_int_eq(open_file("loop"), PX_DENIED);
}
END_TEST

START_TEST(links_that_stay_inside_are_followed)
{
    ck_assert_int_eq(open_file("inside"), PX_OK);
    ck_assert_uint_eq(rig.length, 5);
    ck_assert_int_eq(open_file("up"), PX_OK);
    ck_assert_uint_eq(rig.length, 1000);
}
END_TEST

START_TEST(what_is_not_a_path_is_refused)
{
    char text[4098];
    memset(text, '/', sizeof text);
    text[0] = 's';
    text[1] = 'u';
    text[2] = 'b';
    ck_assert_int_eq(open_bytes(0, text, 4095), PX_OK); /* all the system takes with its zero */
    ck_assert_int_eq(open_bytes(0, text, 4097), PX_BAD_REQUEST);
    ck_assert_int_eq(open_file(""), PX_BAD_REQUEST);
    ck_assert_int_eq(open_file("/page"), PX_BAD_REQUEST);
    ck_assert_int_eq(open_bytes(0, "page\0x", 6), PX_BAD_REQUEST);
    ck_assert_int_eq(open_bytes(1, "page", 4), PX_BAD_REQUEST); /* no such root */
    ck_assert_int_eq(open_file("fifo"), PX_BAD_REQUEST);
}
END_TEST

START_TEST(the_ninth_open_file_is_told_busy)
{
    for (int i = 0; i < OPEN_MAX; i++) {
        ck_assert_int_eq(open_file("page"), PX_OK);
    }
    ck_assert_int_eq(open_file("page"), PX_BUSY);
    px_msg_release(rig.held[--rig.n_held]);
    ck_assert_int_eq(open_file("page"), PX_OK); /* one for one that is no longer used */
}
END_TEST

START_TEST(a_file_is_closed_when_nobody_uses_it)
{
    uint32_t before = open_descriptors();
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(open_descriptors(), before + 1);
    rig.now_us += 1000000;
    px_kernel_turn(rig.kernel, 0);
    ck_assert_uint_eq(open_descriptors(), before + 1);
    release_all();
    rig.now_us += 1000000;
    px_kernel_turn(rig.kernel, 0);
    ck_assert_uint_eq(open_descriptors(), before);
    ck_assert_uint_eq(px_kernel_next_us(rig.kernel), PX_NEVER); /* and the timer rests */
}
END_TEST

START_TEST(directories_and_refusals_leave_nothing_open)
{
    uint32_t before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(open_file("sub"), PX_OK);
        release_all();
        ck_assert_int_eq(open_file("outside"), PX_DENIED);
        ck_assert_int_eq(open_file("fifo"), PX_BAD_REQUEST);
        ck_assert_int_eq(open_file("empty"), PX_OK);
        release_all();
    }
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(killing_the_service_closes_its_roots)
{
    uint32_t before = open_descriptors();
    px_service_kill(rig.kernel, rig.file);
    ck_assert_uint_eq(open_descriptors(), before - 1);
    px_kernel_turn(rig.kernel, 0);
    ck_assert_int_eq(px_service_restart(rig.kernel, rig.file), PX_EOK);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

/* ---- Read ---- */

START_TEST(a_range_is_read_into_memory)
{
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(read_range(27, 100), PX_OK);
    ck_assert(!rig.is_range);
    ck_assert_uint_eq(rig.payload_len, 100);
    ck_assert_uint_eq(rig.first, 'b');
}
END_TEST

START_TEST(at_most_262144_bytes_are_read_at_once)
{
    ck_assert_int_eq(open_file("large"), PX_OK);
    ck_assert_int_eq(read_range(1, READ_MAX), PX_OK);
    ck_assert_uint_eq(rig.payload_len, READ_MAX);
    ck_assert_int_eq(read_range(0, READ_MAX + 1), PX_TOO_LARGE);
}
END_TEST

START_TEST(a_file_that_got_shorter_is_truncated)
{
    char path[128];
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(truncate(in_dir("root/page", path), 500), 0);
    ck_assert_int_eq(read_range(0, 500), PX_OK);
    ck_assert_int_eq(read_range(0, 501), PX_TRUNCATED);
    ck_assert_int_eq(read_range(600, 1), PX_TRUNCATED);
}
END_TEST

START_TEST(reading_what_is_no_range_is_refused)
{
    ck_assert_int_eq(answer(FILE_READ, px_msg_new(env(), &file__read_range__descriptor)),
                     PX_BAD_REQUEST);
    File__ReadRange *m = px_msg_new(env(), &file__read_range__descriptor);
    ck_assert(px_msg_attach_take(m, px_buf_new(env(), 10), 0, 10));
    ck_assert_int_eq(answer(FILE_READ, m), PX_BAD_REQUEST);
}
END_TEST

/* ---- without openat2 ---- */

static enum px_status stepwise(const char *path, off_t *ret_len)
{
    struct file_opener opener = {.has_openat2 = false};
    struct stat st = {.st_size = -1};
    char root_path[128];
    int fd = -1;
    int root = open(in_dir("root", root_path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    uint32_t before = open_descriptors();
    enum px_status status = file_open(&opener, root, path, &fd);
    if (status == PX_OK) {
        ck_assert_int_eq(fstat(fd, &st), 0);
        close(fd);
    }
    ck_assert_uint_eq(open_descriptors(), before);
    close(root);
    *ret_len = st.st_size;
    return status;
}

START_TEST(the_old_way_opens_the_same_files)
{
    off_t len = 0;
    ck_assert_int_eq(stepwise("page", &len), PX_OK);
    ck_assert_int_eq(len, 1000);
    ck_assert_int_eq(stepwise("sub/deep", &len), PX_OK);
    ck_assert_int_eq(len, 5);
    ck_assert_int_eq(stepwise("./sub//deep", &len), PX_OK);
    ck_assert_int_eq(stepwise("sub", &len), PX_OK);
    ck_assert_int_eq(stepwise("sub/", &len), PX_OK);
    ck_assert_int_eq(stepwise(".", &len), PX_OK);
    ck_assert_int_eq(stepwise("nothing", &len), PX_NOT_FOUND);
    ck_assert_int_eq(stepwise("nothing/at/all", &len), PX_NOT_FOUND);
    ck_assert_int_eq(stepwise("page/", &len), PX_NOT_FOUND);
    ck_assert_int_eq(stepwise("page/below", &len), PX_NOT_FOUND);
}
END_TEST

START_TEST(the_old_way_follows_no_link_and_no_dots)
{
    off_t len = 0;
    char name[300] = "sub/";
    ck_assert_int_eq(stepwise("..", &len), PX_DENIED);
    ck_assert_int_eq(stepwise("sub/../page", &len), PX_DENIED);
    ck_assert_int_eq(stepwise("sub/../../secret", &len), PX_DENIED);
    ck_assert_int_eq(stepwise("outside", &len), PX_DENIED);
    ck_assert_int_eq(stepwise("absolute", &len), PX_DENIED);
    ck_assert_int_eq(stepwise("inside", &len), PX_DENIED);
    memset(name + 4, 'n', 256);
    ck_assert_int_eq(stepwise(name, &len), PX_BAD_REQUEST);
    name[4 + 255] = 0;
    ck_assert_int_eq(stepwise(name, &len), PX_NOT_FOUND);
}
END_TEST

/* ---- the configuration ---- */

START_TEST(a_root_must_be_an_absolute_directory)
{
    const char *bad[] = {"relative", "/nowhere/at/all", "/etc/passwd", ""};
    ProtobufCBinaryData good = rig.root;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        px_kernel_free(rig.kernel);
        px_posix_free(rig.os);
        memcpy(&rig.root.data, &bad[i], sizeof bad[i]);
        rig.root.len = strlen(bad[i]);
        make_kernel();
        enum px_err err = px_kernel_start(rig.kernel);
        ck_assert(err == PX_EINVAL || err == PX_ENOENT);
    }
    rig.root = good;
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_file_is_answered_with_its_range,       an_empty_file_has_no_range,
        a_directory_says_that_it_is_one,         what_is_not_there_is_not_found,
        nothing_leads_out_of_the_root,           links_that_stay_inside_are_followed,
        what_is_not_a_path_is_refused,           the_ninth_open_file_is_told_busy,
        a_file_is_closed_when_nobody_uses_it,    directories_and_refusals_leave_nothing_open,
        killing_the_service_closes_its_roots,    a_range_is_read_into_memory,
        at_most_262144_bytes_are_read_at_once,   a_file_that_got_shorter_is_truncated,
        reading_what_is_no_range_is_refused,     the_old_way_opens_the_same_files,
        the_old_way_follows_no_link_and_no_dots, a_root_must_be_an_absolute_directory,
    };
    Suite *suite = suite_create("file");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 30);
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
