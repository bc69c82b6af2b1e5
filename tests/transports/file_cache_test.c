/* file_cache_test.c - files that stay open: found again, noticed when they change, closed in time.
 */
#include "file_rig.h"

#include <px/kernel.h>
#include <sys/resource.h>
#include <time.h>

enum { HIT = 1 }; /* index of the counter "hits" */

static uint64_t hits(void)
{
    const char *name = NULL;
    return px_kernel_counter(rig.kernel, rig.file, HIT, &name);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *f = fopen(in_dir(name, path), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void expect_bytes(const char *name, const char *text)
{
    ck_assert_int_eq(open_file(name), PX_OK);
    ck_assert(!rig.is_range);
    ck_assert_uint_eq(rig.payload_len, strlen(text));
    ck_assert_mem_eq(rig.bytes, text, strlen(text));
}

/* Time stamps of files have settled: it is two hours later. */
static void later(void)
{
    rig.wall_us = ((int64_t)time(NULL) + 7200) * 1000000;
    start_again();
    rig.ask.read_max = 16384;
}

START_TEST(a_file_is_opened_once_for_many)
{
    uint32_t before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(open_file("page"), PX_OK);
        ck_assert_uint_eq(rig.payload_len, 1000);
    }
    ck_assert_uint_eq(open_descriptors(), before + 1);
    ck_assert_uint_eq(hits(), 19);
    ck_assert_int_eq(open_file("./page"), PX_OK); /* another name is another entry */
    ck_assert_uint_eq(open_descriptors(), before + 2);
}
END_TEST

START_TEST(the_ninth_file_in_use_is_told_busy)
{
    char name[16];
    for (int i = 0; i < OPEN_MAX + 1; i++) {
        snprintf(name, sizeof name, "root/f%d", i);
        make_file(name, 10);
    }
    for (int i = 0; i < OPEN_MAX; i++) {
        snprintf(name, sizeof name, "f%d", i);
        ck_assert_int_eq(open_file(name), PX_OK);
    }
    ck_assert_int_eq(open_file("f8"), PX_BUSY);
    ck_assert_int_eq(open_file("f7"), PX_OK); /* it is open */
    px_msg_release(rig.held[0]);              /* f0 */
    rig.held[0] = rig.held[--rig.n_held];
    ck_assert_int_eq(open_file("f8"), PX_OK); /* one for one that is no longer used */
    ck_assert_int_eq(open_file("f0"), PX_BUSY);
}
END_TEST

START_TEST(the_oldest_that_is_unused_makes_room)
{
    char name[16];
    uint32_t before = open_descriptors();
    rig.holds = false;
    for (int i = 0; i < OPEN_MAX + 1; i++) {
        snprintf(name, sizeof name, "root/f%d", i);
        make_file(name, 10);
    }
    for (int i = 0; i < 10 * OPEN_MAX; i++) {
        snprintf(name, sizeof name, "f%d", i % (OPEN_MAX + 1));
        ck_assert_int_eq(open_file(name), PX_OK);
        ck_assert_uint_le(open_descriptors(), before + OPEN_MAX);
    }
    uint64_t n = hits();
    ck_assert_int_eq(open_file(name), PX_OK);
    ck_assert_uint_eq(hits(), n + 1);
}
END_TEST

START_TEST(a_file_is_closed_when_nobody_has_asked_for_it_for_long)
{
    uint32_t before = open_descriptors();
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(open_descriptors(), before + 1);
    pass_ms(KEEP_MS);
    ck_assert_uint_eq(open_descriptors(), before + 1); /* in use */
    release_all();
    pass_ms(KEEP_MS - 1);
    ck_assert_uint_eq(open_descriptors(), before + 1); /* not for long */
    pass_ms(1000);
    ck_assert_uint_eq(open_descriptors(), before);
    ck_assert_uint_eq(px_kernel_next_us(rig.kernel), PX_NEVER); /* and the timer rests */
}
END_TEST

START_TEST(asking_again_keeps_a_file_open)
{
    uint32_t before = open_descriptors();
    rig.holds = false;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(open_file("page"), PX_OK);
        pass_ms(KEEP_MS / 2);
    }
    ck_assert_uint_eq(hits(), 9);
    ck_assert_uint_eq(open_descriptors(), before + 1);
}
END_TEST

START_TEST(a_file_that_is_replaced_is_another_at_once)
{
    char from[128], to[128];
    uint64_t inode;
    ck_assert_int_eq(open_file("page"), PX_OK);
    inode = rig.inode;
    make_file("root/next", 1000);
    ck_assert_int_eq(rename(in_dir("root/next", from), in_dir("root/page", to)), 0);
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_ne(rig.inode, inode);
    ck_assert_uint_eq(hits(), 0);
    ck_assert_int_eq(unlink(in_dir("root/page", to)), 0);
    ck_assert_int_eq(open_file("page"), PX_NOT_FOUND);
}
END_TEST

START_TEST(a_file_that_grows_or_shrinks_says_so_at_once)
{
    char path[128];
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(truncate(in_dir("root/page", path), 2000), 0);
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.length, 2000);
    ck_assert_int_eq(truncate(path, 1), 0);
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.length, 1);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.length, 0);
}
END_TEST

START_TEST(a_name_that_begins_to_lead_out_is_denied_at_once)
{
    char page[128], dir[128], away[128];
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_int_eq(open_file("sub/deep"), PX_OK);
    ck_assert_int_eq(unlink(in_dir("root/page", page)), 0);
    ck_assert_int_eq(symlink("../secret", page), 0);
    ck_assert_int_eq(open_file("page"), PX_DENIED);
    ck_assert_int_eq(mkdir(in_dir("away", away), 0700), 0);
    make_file("away/deep", 7);
    ck_assert_int_eq(rename(in_dir("root/sub", dir), in_dir("was_sub", away)), 0);
    ck_assert_int_eq(symlink("../away", dir), 0);
    ck_assert_int_eq(open_file("sub/deep"), PX_DENIED);
}
END_TEST

START_TEST(a_path_that_is_too_long_to_keep_is_opened_each_time)
{
    char path[200];
    memset(path, '/', sizeof path);
    memcpy(path, ".", 1);
    memcpy(path + 192 - 4, "page", 5);
    rig.holds = false;
    ck_assert_int_eq(open_file(path), PX_OK);
    ck_assert_int_eq(open_file(path), PX_OK);
    ck_assert_uint_eq(hits(), 1);
    memcpy(path + 192 - 4, "/page", 6);
    ck_assert_int_eq(open_file(path), PX_OK);
    ck_assert_int_eq(open_file(path), PX_OK);
    ck_assert_uint_eq(hits(), 1);
}
END_TEST

/* ---- bytes ---- */

START_TEST(a_small_file_is_answered_with_its_bytes)
{
    write_file("root/small", "hello");
    rig.ask.read_max = 5;
    expect_bytes("small", "hello");
    rig.ask.read_max = 4;
    ck_assert_int_eq(open_file("small"), PX_OK);
    ck_assert(rig.is_range);
    rig.ask.read_max = 16384;
    make_file("root/at", 16384);
    make_file("root/past", 16385);
    ck_assert_int_eq(open_file("at"), PX_OK);
    ck_assert(!rig.is_range);
    ck_assert_uint_eq(rig.payload_len, 16384);
    ck_assert_int_eq(open_file("past"), PX_OK);
    ck_assert(rig.is_range);
    rig.ask.read_max = 16385;
    ck_assert_int_eq(open_file("at"), PX_BAD_REQUEST);
}
END_TEST

START_TEST(bytes_that_changed_lately_are_read_again)
{
    rig.ask.read_max = 16384;
    for (int i = 0; i < 100; i++) { /* many within one tick of the file system's clock */
        char text[8];
        snprintf(text, sizeof text, "%05d", i);
        write_file("root/small", text);
        expect_bytes("small", text);
        release_all();
    }
}
END_TEST

START_TEST(bytes_that_have_settled_are_kept)
{
    struct px_ledger ledger;
    char path[128];
    struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    write_file("root/small", "hello");
    ck_assert_int_eq(utimensat(AT_FDCWD, in_dir("root/small", path), long_ago, 0), 0);
    later();
    expect_bytes("small", "hello");
    release_all();
    px_kernel_ledger(rig.kernel, &ledger);
    uint64_t bufs = ledger.bufs;
    expect_bytes("small", "hello");
    px_kernel_ledger(rig.kernel, &ledger);
    ck_assert_uint_eq(ledger.bufs, bufs); /* the same memory */
    ck_assert_uint_eq(hits(), 1);
    write_file("root/small", "HELLO"); /* its time is now, not later: settled in this clock */
    expect_bytes("small", "HELLO");
}
END_TEST

START_TEST(no_more_bytes_are_kept_than_configured)
{
    struct px_ledger ledger;
    rig.config.memory_max = 512;
    write_file("root/one", "1");
    write_file("root/two", "2");
    later();
    rig.holds = false;
    px_kernel_ledger(rig.kernel, &ledger);
    uint64_t before = ledger.bufs;
    expect_bytes("one", "1");
    px_kernel_ledger(rig.kernel, &ledger);
    ck_assert_uint_eq(ledger.bufs, before + 1); /* bytes */
    expect_bytes("two", "2");
    px_kernel_ledger(rig.kernel, &ledger);
    ck_assert_uint_eq(ledger.bufs, before + 2); /* a descriptor */
    pass_ms(KEEP_MS);
    pass_ms(1000);
    px_kernel_ledger(rig.kernel, &ledger);
    ck_assert_uint_eq(ledger.bufs, before);
    expect_bytes("two", "2"); /* there is room again */
    px_kernel_ledger(rig.kernel, &ledger);
    ck_assert_uint_eq(ledger.bufs, before + 1);
}
END_TEST

/* ---- descriptors ---- */

static void open_many(uint32_t n)
{
    char name[16];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "m%u", i);
        ck_assert_int_eq(open_file(name), PX_OK);
    }
}

static void make_many(uint32_t n)
{
    char name[24];
    rig.config.open_max = 1000;
    rig.holds = false;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "root/m%u", i);
        make_file(name, 10);
    }
    start_again();
}

START_TEST(bytes_that_are_kept_need_no_descriptor)
{
    uint32_t before = open_descriptors();
    make_many(20);
    later();
    open_many(20);
    ck_assert_uint_eq(open_descriptors(), before);
    open_many(20);
    ck_assert_uint_eq(hits(), 20);
    rig.ask.read_max = 9; /* now a descriptor is wanted */
    open_many(20);
    ck_assert(rig.is_range);
    ck_assert_uint_eq(hits(), 20);
    ck_assert_uint_eq(open_descriptors(), before + 20);
    pass_ms(KEEP_MS);
    pass_ms(1000);
    ck_assert_uint_eq(open_descriptors(), before);
    ck_assert_uint_eq(px_kernel_next_us(rig.kernel), PX_NEVER);
}
END_TEST

START_TEST(the_129th_descriptor_nobody_uses_is_one_too_many)
{
    uint32_t before = open_descriptors();
    make_many(300);
    open_many(128);
    ck_assert_uint_eq(open_descriptors(), before + 128);
    open_many(300);
    ck_assert_uint_eq(open_descriptors(), before + 128);
    rig.holds = true; /* in use is another matter */
    open_many(64);
    rig.holds = false;
    open_many(300);
    ck_assert_uint_eq(open_descriptors(), before + 128);
    ck_assert_int_eq(read_range(0, 10), PX_OK);
}
END_TEST

START_TEST(a_process_without_descriptors_closes_what_nobody_uses)
{
    struct rlimit old, few;
    uint32_t before = open_descriptors();
    make_many(100);
    open_many(99);
    ck_assert_uint_eq(open_descriptors(), before + 99);
    int next = dup(0);
    ck_assert_int_eq(close(next), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum px_status status = open_file("m99");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(status, PX_OK);
    ck_assert_uint_eq(open_descriptors(), before + 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_file_is_opened_once_for_many,
        the_ninth_file_in_use_is_told_busy,
        the_oldest_that_is_unused_makes_room,
        a_file_is_closed_when_nobody_has_asked_for_it_for_long,
        asking_again_keeps_a_file_open,
        a_file_that_is_replaced_is_another_at_once,
        a_file_that_grows_or_shrinks_says_so_at_once,
        a_name_that_begins_to_lead_out_is_denied_at_once,
        a_path_that_is_too_long_to_keep_is_opened_each_time,
        a_small_file_is_answered_with_its_bytes,
        bytes_that_changed_lately_are_read_again,
        bytes_that_have_settled_are_kept,
        no_more_bytes_are_kept_than_configured,
        bytes_that_are_kept_need_no_descriptor,
        the_129th_descriptor_nobody_uses_is_one_too_many,
        a_process_without_descriptors_closes_what_nobody_uses,
    };
    return rig_run("file_cache", tests, sizeof tests / sizeof *tests);
}
