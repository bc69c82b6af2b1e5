/* file_rig.h - the mailbox file on a tree of its own, asked by a service of the test. */
#ifndef FILE_RIG_H
#define FILE_RIG_H

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
#include "posix_promise.h"

enum { OPEN_MAX = 8, KEEP_MS = 1000, HOLDS_MAX = 64, READ_MAX = 262144 };

static struct rig {
    char dir[32];
    struct px_posix *os;
    struct px_kernel *kernel;
    px_addr file, asker;
    File__Config config;
    ProtobufCBinaryData root;
    uint64_t now_us;
    int64_t wall_us; /* 0: the real one */
    /* The last answer. */
    uint32_t n_replies;
    enum px_status status;
    uint64_t length, payload_len, inode;
    int64_t modified_ns;
    uint32_t suffix, entries;
    bool directory, cut;
    bool is_range;
    char bytes[65536]; /* of a payload in memory */
    struct {           /* how to ask */
        bool own;
        uint32_t read_max;
        const char *suffixes[5];
    } ask;
    uint8_t first;
    const struct px_msg *held[HOLDS_MAX]; /* answers that keep their files open */
    uint32_t n_held;
    bool holds;
} rig;

/* ---- the asker ---- */

static inline void on_reply(void *state, const struct px_msg *msg)
{
    const struct px_slice *slices = NULL;
    (void)state;
    rig.n_replies++;
    rig.status = msg->status;
    rig.payload_len = px_msg_payload_len(msg);
    if (px_msg_payload(msg, &slices) > 0) {
        rig.is_range = (slices[0].flags & PX_SLICE_FILE) != 0;
        rig.first = rig.is_range ? 0 : slices[0].ptr[0];
        if (!rig.is_range && slices[0].len <= sizeof rig.bytes) {
            memcpy(rig.bytes, slices[0].ptr, slices[0].len);
        }
    }
    const ProtobufCMessage *body = msg->body;
    if (body != NULL && body->descriptor == &file__opened_file__descriptor) {
        const File__OpenedFile *m = msg->body;
        rig.length = m->length;
        rig.directory = m->directory;
        rig.inode = m->inode;
        rig.modified_ns = m->modified_ns;
        rig.suffix = m->suffix;
        if (rig.holds) {
            ck_assert_uint_lt(rig.n_held, HOLDS_MAX);
            rig.held[rig.n_held++] = px_msg_hold(msg);
        }
    }
    if (body != NULL && body->descriptor == &file__listed_directory__descriptor) {
        const File__ListedDirectory *m = msg->body;
        rig.entries = m->entries;
        rig.cut = m->cut;
    }
}

static const struct px_service asker_service = {
    .name = "asker", .state_size = 1, .calls_max = 8, .reply = on_reply};

static inline uint64_t rig_clock(void *ctx)
{
    (void)ctx;
    return rig.now_us;
}

static inline int64_t rig_wall(void *ctx)
{
    (void)ctx;
    return rig.wall_us;
}

static inline struct px_env *env(void)
{
    return px_kernel_env(rig.kernel, rig.asker);
}

static inline enum px_status answer(uint16_t method, void *take_body)
{
    uint32_t before = rig.n_replies;
    px_call(env(), rig.file, method, take_body, PX_SEC(1), 1);
    for (int i = 0; i < 10 && rig.n_replies == before; i++) {
        px_kernel_turn(rig.kernel, 0);
    }
    ck_assert_uint_eq(rig.n_replies, before + 1);
    return rig.status;
}

static inline enum px_status open_bytes(uint32_t root, const char *path, size_t len)
{
    File__OpenFile *m = px_msg_new(env(), &file__open_file__descriptor);
    m->root = root;
    m->own = rig.ask.own;
    m->read_max = rig.ask.read_max;
    px_msg_put(m, &m->path, path, len);
    m->suffixes = px_msg_alloc(m, sizeof rig.ask.suffixes * 2);
    for (; m->n_suffixes < 5 && rig.ask.suffixes[m->n_suffixes] != NULL; m->n_suffixes++) {
        const char *suffix = rig.ask.suffixes[m->n_suffixes];
        px_msg_put(m, &m->suffixes[m->n_suffixes], suffix, strlen(suffix));
    }
    return answer(FILE_OPEN, m);
}

static inline enum px_status open_file(const char *path)
{
    return open_bytes(0, path, strlen(path));
}

/* The range of the last answer held, or part of it. */
static inline enum px_status read_range(uint64_t off, uint32_t len)
{
    const struct px_slice *slices = NULL;
    ck_assert_uint_eq(px_msg_payload(rig.held[rig.n_held - 1], &slices), 1);
    File__ReadRange *m = px_msg_new(env(), &file__read_range__descriptor);
    ck_assert(px_msg_attach(m, slices[0].buf, off, len));
    return answer(FILE_READ, m);
}

static inline const struct px_slice *payload_of(const struct px_msg *msg)
{
    const struct px_slice *slices = NULL;
    ck_assert_uint_gt(px_msg_payload(msg, &slices), 0);
    return slices;
}

static inline void release_all(void)
{
    while (rig.n_held > 0) {
        px_msg_release(rig.held[--rig.n_held]);
    }
}

/* ---- the tree ---- */

static inline const char *in_dir(const char *name, char text[128])
{
    snprintf(text, 128, "%s/%s", rig.dir, name);
    return text;
}

static inline void make_file(const char *name, size_t len)
{
    char path[128];
    FILE *f = fopen(in_dir(name, path), "w");
    ck_assert_ptr_nonnull(f);
    for (size_t i = 0; i < len; i++) {
        fputc('a' + (int)(i % 26), f);
    }
    fclose(f);
}

static inline void make_link(const char *name, const char *to)
{
    char path[128];
    ck_assert_int_eq(symlink(to, in_dir(name, path)), 0);
}

static inline void allow(px_addr from, uint8_t contract, px_addr to)
{
    ck_assert_int_eq(px_kernel_allow(rig.kernel, from, contract, to), PX_EOK);
}

static inline void make_kernel(void)
{
    static const struct px_posix_config config = {.log_levels = 0};
    ck_assert_int_eq(px_posix_new(&config, &rig.os), PX_EOK);
    struct px_world world = *px_posix_world(rig.os);
    world.monotonic_us = rig_clock;
    if (rig.wall_us != 0) {
        world.wall_us = rig_wall;
    }
    ck_assert_int_eq(px_kernel_new(&world, NULL, &rig.kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(rig.kernel, &px_contract_file), PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &px_file_service, NULL, &rig.config, &rig.file),
                     PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &asker_service, NULL, NULL, &rig.asker), PX_EOK);
    allow(rig.asker, PX_C_FILE, rig.file);
}

/* Once more, with what the configuration is now. */
static inline void start_again(void)
{
    release_all();
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
    make_kernel();
    ck_assert_int_eq(px_kernel_start(rig.kernel), PX_EOK);
}

static inline void pass_ms(uint64_t ms)
{
    rig.now_us += PX_MS(ms);
    px_kernel_turn(rig.kernel, 0);
}

static inline void begin(void)
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
    rig.config.keep_ms = KEEP_MS;
    make_kernel();
    ck_assert_int_eq(px_kernel_start(rig.kernel), PX_EOK);
}

static inline void end(void)
{
    char command[64];
    release_all();
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
    free(rig.root.data);
    snprintf(command, sizeof command, "rm -r %s", rig.dir);
    ck_assert_int_eq(system(command), 0);
}

static inline uint32_t open_descriptors(void)
{
    uint32_t n = 0;
    for (int fd = 0; fd < 1000; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static inline int rig_run(const char *name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 30);
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
