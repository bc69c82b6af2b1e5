/* file_test.c - the mailbox file: what may be opened, what is read, how much. */
#include "file_rig.h"

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
    ck_assert_int_eq(read_range(0, 500), PX_TRUNCATED); /* also what is still there */
    ck_assert_int_eq(read_range(0, 501), PX_TRUNCATED);
    ck_assert_int_eq(read_range(600, 1), PX_TRUNCATED);
}
END_TEST

START_TEST(a_file_that_was_written_over_is_truncated)
{
    char path[128];
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(read_range(0, 500), PX_OK);
    ck_assert_int_eq(utimensat(AT_FDCWD, in_dir("root/page", path), times, 0), 0);
    ck_assert_int_eq(read_range(0, 500), PX_TRUNCATED);
    ck_assert_int_eq(open_file("page"), PX_OK); /* who asks now is told how it is now */
    ck_assert_int_eq(read_range(0, 500), PX_OK);
}
END_TEST

START_TEST(a_file_that_grew_or_was_replaced_is_what_it_was)
{
    char path[128], other[128];
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(truncate(in_dir("root/page", path), 1001), 0);
    ck_assert_int_eq(read_range(0, 1000), PX_OK);
    ck_assert_int_eq(open_file("page"), PX_OK);
    make_file("root/other", 5);
    ck_assert_int_eq(rename(in_dir("root/other", other), path), 0);
    ck_assert_int_eq(read_range(0, 1001), PX_OK);
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.length, 5);
}
END_TEST

START_TEST(what_was_said_of_a_file_ends_with_it)
{
    char path[128];
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ck_assert_int_eq(open_file("page"), PX_OK);
    int fd = px_buf_fd(payload_of(rig.held[0])->buf);
    ck_assert_int_eq(utimensat(AT_FDCWD, in_dir("root/page", path), times, 0), 0);
    ck_assert(posix_promise_is_broken(rig.os, fd));
    release_all();
    pass_ms(KEEP_MS);
    pass_ms(1000); /* closed */
    ck_assert_int_eq(open(path, O_RDONLY), fd);
    ck_assert(!posix_promise_is_broken(rig.os, fd)); /* it is somebody else's by now */
    ck_assert(!posix_promise_is_broken(rig.os, 1000000));
    ck_assert(!posix_promise_is_broken(NULL, fd));
    close(fd);
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
    enum px_status status = file_open(&opener, root, path, false, &fd);
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
        a_file_is_answered_with_its_range,
        an_empty_file_has_no_range,
        a_directory_says_that_it_is_one,
        what_is_not_there_is_not_found,
        nothing_leads_out_of_the_root,
        links_that_stay_inside_are_followed,
        what_is_not_a_path_is_refused,
        directories_and_refusals_leave_nothing_open,
        killing_the_service_closes_its_roots,
        a_range_is_read_into_memory,
        at_most_262144_bytes_are_read_at_once,
        a_file_that_got_shorter_is_truncated,
        reading_what_is_no_range_is_refused,
        a_file_that_was_written_over_is_truncated,
        a_file_that_grew_or_was_replaced_is_what_it_was,
        what_was_said_of_a_file_ends_with_it,
        the_old_way_opens_the_same_files,
        the_old_way_follows_no_link_and_no_dots,
        a_root_must_be_an_absolute_directory,
    };
    return rig_run("file", tests, sizeof tests / sizeof *tests);
}
