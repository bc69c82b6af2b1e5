/* file_root_test.c - roots that are handed over, siblings, and what is in a directory. */
#include "file_rig.h"

#include <px/bytes.h>
#include <px/kernel.h>

enum { ROOTS_MAX = 256, ENTRIES_MAX = 4096 };

static void close_fd(int fd)
{
    (void)close(fd);
}

static enum px_status add_root_fd(uint32_t number, int fd, bool without_links)
{
    File__NewRoot *m = px_msg_new(env(), &file__new_root__descriptor);
    struct px_buf *buf = px_buf_from_fd(env(), fd, close_fd);
    m->root = number;
    m->without_links = without_links;
    ck_assert(px_msg_attach(m, buf, 0, 1));
    px_buf_put(buf);
    return answer(FILE_ADD_ROOT, m);
}

static enum px_status add_root(uint32_t number, const char *name, bool without_links)
{
    char path[128];
    int fd = open(in_dir(name, path), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return add_root_fd(number, fd, without_links);
}

static void drop_root(uint32_t number)
{
    File__OldRoot *m = px_msg_new(env(), &file__old_root__descriptor);
    m->root = number;
    ck_assert(px_send(env(), rig.file, FILE_DROP_ROOT, m, 0));
    px_kernel_turn(rig.kernel, 0);
}

static enum px_status open_own(uint32_t number, const char *path)
{
    rig.ask.own = true;
    enum px_status status = open_bytes(number, path, strlen(path));
    rig.ask.own = false;
    return status;
}

/* ---- roots ---- */

START_TEST(a_root_that_is_handed_over_is_the_askers)
{
    ck_assert_int_eq(open_own(7, "deep"), PX_BAD_REQUEST);
    ck_assert_int_eq(add_root(7, "root/sub", false), PX_OK);
    ck_assert_int_eq(open_own(7, "deep"), PX_OK);
    ck_assert_uint_eq(rig.length, 5);
    ck_assert_int_eq(open_own(7, "../page"), PX_DENIED);
    ck_assert_int_eq(open_own(0, "page"), PX_BAD_REQUEST); /* the configured one is not his */
    ck_assert_int_eq(open_bytes(7, "deep", 4), PX_BAD_REQUEST);
    ck_assert_int_eq(add_root(7, "root", false), PX_IN_USE);
}
END_TEST

START_TEST(a_root_that_is_dropped_is_gone_and_its_files_stay)
{
    uint32_t before = open_descriptors();
    ck_assert_int_eq(add_root(7, "root/sub", false), PX_OK);
    ck_assert_int_eq(open_own(7, "deep"), PX_OK);
    ck_assert_uint_eq(open_descriptors(), before + 2);
    drop_root(7);
    drop_root(8); /* nobody's */
    ck_assert_uint_eq(open_descriptors(), before + 1);
    ck_assert_int_eq(read_range(0, 5), PX_OK);
    ck_assert_int_eq(open_own(7, "deep"), PX_BAD_REQUEST);
    /* the same number for another directory: no name of the old one is left */
    ck_assert_int_eq(add_root(7, "root", false), PX_OK);
    ck_assert_int_eq(open_own(7, "deep"), PX_NOT_FOUND);
}
END_TEST

START_TEST(only_a_directory_is_a_root)
{
    uint32_t before = open_descriptors();
    ck_assert_int_eq(add_root(1, "root/page", false), PX_BAD_REQUEST);
    ck_assert_int_eq(answer(FILE_ADD_ROOT, px_msg_new(env(), &file__new_root__descriptor)),
                     PX_BAD_REQUEST);
    File__NewRoot *m = px_msg_new(env(), &file__new_root__descriptor);
    ck_assert(px_msg_attach_take(m, px_buf_new(env(), 10), 0, 10));
    ck_assert_int_eq(answer(FILE_ADD_ROOT, m), PX_BAD_REQUEST);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(the_roots_of_a_peer_end_with_it)
{
    uint32_t before = open_descriptors();
    ck_assert_int_eq(add_root(7, "root", false), PX_OK);
    px_service_kill(rig.kernel, rig.asker);
    px_kernel_turn(rig.kernel, 0);
    ck_assert_uint_eq(open_descriptors(), before);
    ck_assert_int_eq(px_service_restart(rig.kernel, rig.asker), PX_EOK);
    ck_assert_int_eq(open_own(7, "page"), PX_BAD_REQUEST);
}
END_TEST

START_TEST(the_257th_root_is_told_busy)
{
    for (uint32_t i = 1; i < ROOTS_MAX; i++) { /* one is configured */
        ck_assert_int_eq(add_root(i, "root", false), PX_OK);
    }
    ck_assert_int_eq(add_root(ROOTS_MAX, "root", false), PX_BUSY);
    drop_root(100);
    ck_assert_int_eq(add_root(ROOTS_MAX, "root", false), PX_OK);
    ck_assert_int_eq(open_own(ROOTS_MAX, "page"), PX_OK);
}
END_TEST

START_TEST(a_root_without_links_has_none)
{
    ck_assert_int_eq(add_root(1, "root", true), PX_OK);
    ck_assert_int_eq(open_own(1, "page"), PX_OK);
    ck_assert_int_eq(open_own(1, "inside"), PX_DENIED);
    ck_assert_int_eq(open_own(1, "up"), PX_DENIED);
    ck_assert_int_eq(open_file("inside"), PX_OK); /* the other root follows */
}
END_TEST

START_TEST(what_is_no_file_in_a_race_is_never_from_outside)
{
    char path[128], other[128];
    in_dir("root/flip", path);
    in_dir("root/flop", other);
    ck_assert_int_eq(symlink("../secret", other), 0);
    make_file("root/flip", 99); /* secret has 10 */
    rig.holds = false;
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE), 0);
        enum px_status status = open_file("flip");
        ck_assert(status == PX_DENIED || (status == PX_OK && rig.length == 99));
    }
}
END_TEST

/* ---- siblings ---- */

START_TEST(a_sibling_is_answered_instead)
{
    make_file("root/page.br", 10);
    make_file("root/page.gz", 20);
    rig.ask.suffixes[0] = ".br";
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.suffix, 1);
    ck_assert_uint_eq(rig.length, 10);
    rig.ask.suffixes[0] = ".zst";
    rig.ask.suffixes[1] = ".gz";
    rig.ask.suffixes[2] = ".br";
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.suffix, 2);
    ck_assert_uint_eq(rig.length, 20);
    rig.ask.suffixes[1] = NULL;
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert_uint_eq(rig.suffix, 0);
    ck_assert_uint_eq(rig.length, 1000);
}
END_TEST

START_TEST(a_sibling_needs_a_file_beside_it)
{
    char path[128];
    make_file("root/alone.gz", 20);
    make_file("root/sub.gz", 20);
    make_file("root/empty.gz", 20);
    ck_assert_int_eq(mkdir(in_dir("root/page.gz", path), 0700), 0);
    ck_assert_int_eq(symlink("../secret", in_dir("root/large.gz", path)), 0);
    rig.ask.suffixes[0] = ".gz";
    ck_assert_int_eq(open_file("alone"), PX_NOT_FOUND);
    ck_assert_int_eq(open_file("sub"), PX_OK);
    ck_assert(rig.directory && rig.suffix == 0);
    ck_assert_int_eq(open_file("page"), PX_OK);
    ck_assert(!rig.directory && rig.suffix == 0);
    ck_assert_int_eq(open_file("large"), PX_OK);
    ck_assert_uint_eq(rig.suffix, 0);
    ck_assert_int_eq(open_file("empty"), PX_OK);
    ck_assert_uint_eq(rig.suffix, 1);
}
END_TEST

START_TEST(a_suffix_has_limits)
{
    const char *bad[] = {"", "/x", "0123456789abcdefg"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig.ask.suffixes[0] = bad[i];
        ck_assert_int_eq(open_file("page"), PX_BAD_REQUEST);
    }
    rig.ask.suffixes[0] = "0123456789abcdef";
    rig.ask.suffixes[1] = rig.ask.suffixes[2] = rig.ask.suffixes[3] = ".x";
    ck_assert_int_eq(open_file("page"), PX_OK);
    rig.ask.suffixes[4] = ".x";
    ck_assert_int_eq(open_file("page"), PX_BAD_REQUEST);
}
END_TEST

START_TEST(a_file_is_not_closed_to_open_its_sibling)
{
    rig.config.open_max = 1;
    start_again();
    make_file("root/page.gz", 20);
    rig.ask.suffixes[0] = ".gz";
    ck_assert_int_eq(open_file("page"), PX_OK); /* no place for the sibling */
    ck_assert_uint_eq(rig.suffix, 0);
    ck_assert_uint_eq(rig.payload_len, 1000);
}
END_TEST

/* ---- List ---- */

static enum px_status list(const char *path, uint32_t max)
{
    File__ListDirectory *m = px_msg_new(env(), &file__list_directory__descriptor);
    px_msg_put(m, &m->path, path, strlen(path));
    m->entries_max = max;
    return answer(FILE_LIST, m);
}

/* The entry of that name in the last answer, or NULL. */
static const File__DirectoryEntry *entry(const File__DirectoryEntries *all, const char *name)
{
    for (size_t i = 0; i < all->n_entries; i++) {
        const ProtobufCBinaryData *n = &all->entries[i]->name;
        if (n->len == strlen(name) && memcmp(n->data, name, n->len) == 0) {
            return all->entries[i];
        }
    }
    return NULL;
}

static File__DirectoryEntries *entries(void)
{
    File__DirectoryEntries *all =
        file__directory_entries__unpack(NULL, (size_t)rig.payload_len, (const uint8_t *)rig.bytes);
    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(all->n_entries, rig.entries);
    return all;
}

START_TEST(a_listing_tells_files_and_directories)
{
    struct stat st;
    char path[128];
    make_file("root/.hidden", 1);
    ck_assert_int_eq(list(".", 100), PX_OK);
    File__DirectoryEntries *all = entries();
    ck_assert_uint_eq(rig.entries,
                      4); /* page, empty, large, sub; no links, no fifo, nothing hidden */
    ck_assert(!rig.cut);
    ck_assert_int_eq(stat(in_dir("root/page", path), &st), 0);
    const File__DirectoryEntry *page = entry(all, "page");
    ck_assert_ptr_nonnull(page);
    ck_assert_uint_eq(page->length, 1000);
    ck_assert(!page->directory);
    ck_assert_int_eq(page->modified_ns, st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    ck_assert(entry(all, "sub")->directory);
    ck_assert_ptr_null(entry(all, ".hidden"));
    ck_assert_ptr_null(entry(all, "inside"));
    file__directory_entries__free_unpacked(all, NULL);
}
END_TEST

START_TEST(a_listing_has_as_many_entries_as_wanted)
{
    uint32_t before = open_descriptors();
    ck_assert_int_eq(list(".", 4), PX_OK);
    ck_assert(rig.entries == 4 && !rig.cut);
    ck_assert_int_eq(list(".", 3), PX_OK);
    ck_assert(rig.entries == 3 && rig.cut);
    file__directory_entries__free_unpacked(entries(), NULL);
    ck_assert_int_eq(list(".", 0), PX_BAD_REQUEST);
    ck_assert_int_eq(list(".", ENTRIES_MAX), PX_OK);
    ck_assert_int_eq(list(".", ENTRIES_MAX + 1), PX_BAD_REQUEST);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(names_of_any_length_fit)
{
    char name[300];
    strcpy(name, "root/sub/");
    for (int i = 0; i < 20; i++) {
        memset(name + 9, 'a' + i, 255);
        name[9 + 255] = 0;
        make_file(name, (size_t)i);
    }
    ck_assert_int_eq(list("sub", 20), PX_OK);
    ck_assert(rig.entries == 20 && rig.cut);
    file__directory_entries__free_unpacked(entries(), NULL);
}
END_TEST

START_TEST(only_a_directory_inside_is_listed)
{
    ck_assert_int_eq(list("sub/", 10), PX_OK);
    ck_assert_uint_eq(rig.entries, 1);
    ck_assert_int_eq(list("page", 10), PX_BAD_REQUEST);
    ck_assert_int_eq(list("nothing", 10), PX_NOT_FOUND);
    ck_assert_int_eq(list("..", 10), PX_DENIED);
    ck_assert_int_eq(list("/", 10), PX_DENIED);
    ck_assert_int_eq(list("", 10), PX_BAD_REQUEST);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_root_that_is_handed_over_is_the_askers,
        a_root_that_is_dropped_is_gone_and_its_files_stay,
        only_a_directory_is_a_root,
        the_roots_of_a_peer_end_with_it,
        the_257th_root_is_told_busy,
        a_root_without_links_has_none,
        what_is_no_file_in_a_race_is_never_from_outside,
        a_sibling_is_answered_instead,
        a_sibling_needs_a_file_beside_it,
        a_suffix_has_limits,
        a_file_is_not_closed_to_open_its_sibling,
        a_listing_tells_files_and_directories,
        a_listing_has_as_many_entries_as_wanted,
        names_of_any_length_fit,
        only_a_directory_inside_is_listed,
    };
    return rig_run("file_root", tests, sizeof tests / sizeof *tests);
}
