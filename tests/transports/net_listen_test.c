/* net_listen_test.c - listening: addresses, limits at and past, and what happens without
 * descriptors. */
#include "net_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct listen_how plain = {.tag = 1};

/* A name in a folder of its own, to be removed with it. */
struct corner {
    char dir[32];
    char path[64];    /* in the file system */
    char address[80]; /* as net writes it */
};

static struct corner corner_make(void)
{
    struct corner c = {.dir = "/tmp/px-net-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(c.dir));
    snprintf(c.path, sizeof c.path, "%s/s", c.dir);
    snprintf(c.address, sizeof c.address, "unix:%s", c.path);
    return c;
}

static void corner_remove(const struct corner *c)
{
    (void)unlink(c->path);
    ck_assert_int_eq(rmdir(c->dir), 0);
}

/* ---- addresses ---- */

START_TEST(the_answer_to_listen_names_the_real_port)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", plain), PX_OK);
    ck_assert_int_eq(strncmp(rig->owner.address, "127.0.0.1:", 10), 0);
    ck_assert_uint_ne(rig_port(), 0);
    ck_assert_int_eq(rig_listen_with("[::1]:0", plain), PX_OK);
    ck_assert_int_eq(strncmp(rig->owner.address, "[::1]:", 6), 0);
}
END_TEST

START_TEST(a_v6_wildcard_takes_v4_connections_too)
{
    ck_assert_int_eq(rig_listen_with("[::]:0", plain), PX_OK);
    int four = far_connect_to("127.0.0.1", rig_port());
    struct heard *h = rig_stream(&rig->owner, 0);
    ck_assert_uint_eq(h->remote_len, 6); /* not the mapped form */
    ck_assert_uint_eq(h->local_len, 6);
    ck_assert_mem_eq(h->local, "\x7f\0\0\x01", 4);
    int six = far_connect_to("::1", rig_port());
    h = rig_stream(&rig->owner, 1);
    ck_assert_uint_eq(h->remote_len, 18);
    ck_assert_uint_eq(h->local_len, 18);
    ck_assert_uint_eq(h->local[15], 1);
    close(four);
    close(six);
}
END_TEST

START_TEST(v6only_takes_no_v4_connections)
{
    ck_assert_int_eq(rig_listen_with("[::]:0", (struct listen_how){.v6only = true}), PX_OK);
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(rig_port())};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    close(fd);
    close(far_connect_to("::1", rig_port()));
}
END_TEST

START_TEST(what_is_not_an_address_is_refused)
{
    const char *bad[] = {"",
                         "127.0.0.1",
                         "127.0.0.1:",
                         "127.0.0.1:65536",
                         "127.1:80",
                         "localhost:80",
                         "::1:80",
                         "[::1]",
                         "[127.0.0.1]:80",
                         "unix:",
                         "unix:@",
                         "unix:relative",
                         "0127.0.0.1:80",
                         "127.0.0.1:080"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(rig_listen_with(bad[i], plain) == PX_BAD_REQUEST, "%s", bad[i]);
    }
    char text[128] = "";
    memset(text, 'a', 112); /* with '@', all that sun_path holds beside a zero */
    memcpy(text, "unix:@", 6);
    (void)snprintf(text + 6, 16, "%010d", (int)getpid()); /* another run may be under way */
    text[16] = 'a';
    ck_assert_int_eq(rig_listen_with(text, plain), PX_OK);
    text[112] = 'a';
    ck_assert_int_eq(rig_listen_with(text, plain), PX_BAD_REQUEST);
}
END_TEST

START_TEST(a_taken_port_is_in_use)
{
    (void)rig_listen();
    char address[RIG_TEXT_MAX];
    snprintf(address, sizeof address, "%s", rig->owner.address);
    ck_assert_int_eq(rig_listen_with(address, plain), PX_IN_USE);
}
END_TEST

START_TEST(a_port_can_be_shared_if_both_want_it)
{
    struct listen_how shared = {.reuse_port = true};
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", shared), PX_OK);
    char address[RIG_TEXT_MAX];
    snprintf(address, sizeof address, "%s", rig->owner.address);
    ck_assert_int_eq(rig_listen_with(address, shared), PX_OK);
    ck_assert_int_eq(rig_listen_with(address, plain), PX_IN_USE);
}
END_TEST

START_TEST(an_address_of_another_machine_is_not_found)
{
    ck_assert_int_eq(rig_listen_with("192.0.2.1:0", plain), PX_NOT_FOUND);
}
END_TEST

START_TEST(an_upper_must_exist_and_be_allowed)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.upper = "nobody"}),
                     PX_NOT_FOUND);
    px_kernel_deny(rig->kernel, rig->net, PX_C_STREAM_UPPER, rig->heir.addr);
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.upper = "heir"}),
                     PX_DENIED);
}
END_TEST

START_TEST(a_window_has_bounds)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 511}),
                     PX_BAD_REQUEST);
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 512}),
                     PX_OK);
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 1u << 30}),
                     PX_OK);
    ck_assert_int_eq(
        rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = (1u << 30) + 1}),
        PX_BAD_REQUEST);
}
END_TEST

START_TEST(unlisten_ends_accepting_and_leaves_streams)
{
    uint16_t port = rig_listen();
    px_handle listener = rig->owner.listener;
    int far = far_connect(port);
    struct heard *h = rig_stream(&rig->owner, 0);
    ck_assert_int_eq(rig_unlisten(listener), PX_OK);
    ck_assert_int_eq(rig_unlisten(listener), PX_STALE);
    far_send(far, "still open");
    UNTIL(h->got == 10);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), -1);
    close(fd);
    close(far);
}
END_TEST

/* The kernel has shaken hands with them: to their owners they are open. */
/* The socket that net listens on at `port`; -1: none. */
static int listener_at(uint16_t port)
{
    for (int fd = 0; fd < 1000; fd++) {
        struct sockaddr_in in;
        socklen_t len = sizeof in;
        int listens = 0;
        socklen_t listens_len = sizeof listens;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) == 0 &&
            listens != 0 && getsockname(fd, (struct sockaddr *)&in, &len) == 0 &&
            in.sin_family == AF_INET && ntohs(in.sin_port) == port) {
            return fd;
        }
    }
    return -1;
}

/* Waits, without a turn, until so many wait to be accepted: who connects is told before its last
 * segment has reached the queue. */
static void await_queue(uint16_t port, uint32_t n)
{
    struct tcp_info info = {.tcpi_unacked = 0};
    socklen_t len = sizeof info;
    int fd = listener_at(port);
    for (int i = 0; i < RIG_IDLE_TURNS_MAX && info.tcpi_unacked < n; i++) {
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        (void)poll(NULL, 0, info.tcpi_unacked < n ? 1 : 0);
    }
    ck_assert_uint_eq(info.tcpi_unacked, n);
}

START_TEST(what_waits_to_be_accepted_outlives_unlisten)
{
    uint16_t port = rig_listen();
    int waiting[3];
    for (int i = 0; i < 3; i++) {
        waiting[i] = far_connect(port);
    }
    await_queue(port, 3);
    ck_assert_int_eq(rig_unlisten(rig->owner.listener), PX_OK);
    for (uint32_t i = 0; i < 3; i++) {
        struct heard *h = rig_stream(&rig->owner, i);
        owner_send(&rig->owner, h, "hello", 5);
    }
    for (int i = 0; i < 3; i++) {
        far_expect(waiting[i], "hello");
        close(waiting[i]);
    }
}
END_TEST

START_TEST(what_waits_to_be_accepted_outlives_stopping)
{
    uint16_t port = rig_listen();
    int waiting = far_connect(port);
    await_queue(port, 1);
    px_kernel_stop(rig->kernel);
    struct heard *h = rig_stream(&rig->owner, 0);
    owner_send(&rig->owner, h, "hello", 5);
    far_expect(waiting, "hello");
    close(waiting);
    UNTIL(h->fins == 1);
    owner_close(&rig->owner, h, 0, 0);
    UNTIL(px_kernel_drained(rig->kernel));
}
END_TEST

/* ---- descriptors that are listened on already ---- */

static int listening_socket(uint16_t *ret_port)
{
    int fd = far_bound(ret_port);
    ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

static enum px_status listen_on(int fd)
{
    char address[32];
    snprintf(address, sizeof address, "fd:%d", fd);
    return rig_listen_with(address, plain);
}

START_TEST(an_inherited_socket_is_listened_on)
{
    uint16_t port;
    int fd = listening_socket(&port);
    ck_assert_int_eq(listen_on(fd), PX_OK);
    ck_assert_uint_eq(rig_port(), port);
    int far = far_connect(port);
    struct heard *h = rig_stream(&rig->owner, 0);
    far_send(far, "hello");
    UNTIL(h->got == 5);
    close(far);
    close(fd);
}
END_TEST

START_TEST(unlisten_leaves_an_inherited_socket_and_its_queue_to_who_comes_next)
{
    uint16_t port;
    int fd = listening_socket(&port);
    ck_assert_int_eq(listen_on(fd), PX_OK);
    ck_assert_int_eq(rig_unlisten(rig->owner.listener), PX_OK);
    int far = far_connect(port);
    rig_turns(3);
    ck_assert_uint_eq(rig->owner.n_streams, 0);
    ck_assert_int_eq(listen_on(fd), PX_OK);
    rig_stream(&rig->owner, 0);
    close(far);
    close(fd);
}
END_TEST

START_TEST(a_descriptor_nobody_listens_on_is_refused)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int bare = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(listen_on(file), PX_BAD_REQUEST);
    ck_assert_int_eq(listen_on(bare), PX_BAD_REQUEST);
    ck_assert_int_eq(listen_on(datagrams), PX_BAD_REQUEST);
    ck_assert_int_eq(listen_on(999999), PX_NOT_FOUND);
    static const char *const wrong[] = {"fd:", "fd:2", "fd:x", "fd:3x", "fd:-3", "fd:1234567"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(rig_listen_with(wrong[i], plain), PX_BAD_REQUEST);
    }
    close(file);
    close(bare);
    close(datagrams);
}
END_TEST

START_TEST(the_257th_listener_is_told_busy)
{
    for (int i = 0; i < 256; i++) {
        char address[64];
        snprintf(address, sizeof address, "unix:@px-net-test-%d-many-%d", getpid(), i);
        ck_assert_int_eq(rig_listen_with(address, plain), PX_OK);
    }
    ck_assert_int_eq(rig_listen_with(rig_own("unix:@px-net-test-many-256"), plain), PX_BUSY);
    ck_assert_int_eq(rig_unlisten(rig->owner.listener), PX_OK);
    ck_assert_int_eq(rig_listen_with(rig_own("unix:@px-net-test-many-256"), plain), PX_OK);
}
END_TEST

/* ---- unix paths ---- */

START_TEST(a_unix_path_is_made_with_its_mode_and_removed)
{
    struct corner c = corner_make();
    struct stat st;
    ck_assert_int_eq(rig_listen_with(c.address, (struct listen_how){.unix_mode = 0666}), PX_OK);
    ck_assert_str_eq(rig->owner.address, c.address);
    ck_assert_int_eq(lstat(c.path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0666);
    int far = far_connect_unix(c.path);
    struct heard *h = rig_stream(&rig->owner, 0);
    far_send(far, "hello");
    UNTIL(h->got == 5);
    ck_assert_int_eq(rig_unlisten(rig->owner.listener), PX_OK);
    ck_assert_int_eq(lstat(c.path, &st), -1);
    close(far);
    corner_remove(&c);
}
END_TEST

START_TEST(a_unix_path_is_private_unless_told_otherwise)
{
    struct corner c = corner_make();
    struct stat st;
    ck_assert_int_eq(rig_listen_with(c.address, plain), PX_OK);
    ck_assert_int_eq(lstat(c.path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(rig_listen_with(c.address, (struct listen_how){.unix_mode = 01000}),
                     PX_BAD_REQUEST);
    corner_remove(&c);
}
END_TEST

static int bound_socket(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

START_TEST(a_stale_unix_path_is_replaced)
{
    struct corner c = corner_make();
    close(bound_socket(c.path));
    ck_assert_int_eq(rig_listen_with(c.address, plain), PX_OK);
    int far = far_connect_unix(c.path);
    (void)rig_stream(&rig->owner, 0);
    close(far);
    corner_remove(&c);
}
END_TEST

START_TEST(a_live_unix_path_is_in_use)
{
    struct corner c = corner_make();
    int live = bound_socket(c.path);
    ck_assert_int_eq(listen(live, 1), 0);
    ck_assert_int_eq(rig_listen_with(c.address, plain), PX_IN_USE);
    close(live);
    corner_remove(&c);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
    struct corner c = corner_make();
    FILE *f = fopen(c.path, "w");
    fclose(f);
    ck_assert_int_eq(rig_listen_with(c.address, plain), PX_IN_USE);
    struct stat st;
    ck_assert_int_eq(lstat(c.path, &st), 0);
    corner_remove(&c);
}
END_TEST

START_TEST(a_path_that_somebody_else_took_over_is_not_removed)
{
    struct corner c = corner_make();
    struct stat st;
    ck_assert_int_eq(rig_listen_with(c.address, plain), PX_OK);
    ck_assert_int_eq(unlink(c.path), 0);
    int other = bound_socket(c.path);
    ck_assert_int_eq(rig_unlisten(rig->owner.listener), PX_OK);
    ck_assert_int_eq(lstat(c.path, &st), 0);
    close(other);
    corner_remove(&c);
}
END_TEST

/* ---- limits ---- */

static void expect_closed_at_once(uint16_t port, const char *from)
{
    int fd = far_connect_to(from, port);
    char c;
    ssize_t n = -1;
    for (int i = 0; i < RIG_IDLE_TURNS_MAX && n < 0;) {
        i += rig_turn() ? 0 : 1;
        n = recv(fd, &c, 1, 0);
        if (n < 0 && errno == ECONNRESET) {
            n = 0;
        }
    }
    ck_assert_int_eq(n, 0);
    close(fd);
}

START_TEST(connections_past_the_limit_are_closed_at_once)
{
    int far[3];
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.connections_max = 3}),
                     PX_OK);
    uint16_t port = rig_port();
    px_handle listener = rig->owner.listener;
    for (uint32_t i = 0; i < 3; i++) {
        far[i] = far_connect(port);
        (void)rig_stream(&rig->owner, i);
    }
    expect_closed_at_once(port, "127.0.0.1");
    ck_assert_uint_eq(rig_stats(listener)->refused, 1);
    ck_assert_uint_eq(rig->owner.stats.open, 3);
    ck_assert_uint_eq(rig->owner.stats.accepted, 3);
    ck_assert_uint_eq(rig_counter("refused"), 1);
    far_reset(far[0]);
    UNTIL(rig->owner.streams[0]->n_closed == 1);
    far[0] = far_connect(port); /* one may come for one that went */
    (void)rig_stream(&rig->owner, 3);
    for (int i = 0; i < 3; i++) {
        close(far[i]);
    }
}
END_TEST

static int connect_from(const char *source, uint16_t port)
{
    union px_sockaddr46 addr;
    ck_assert_int_eq(px_sockaddr46_parse(source, strlen(source), &addr), PX_EOK);
    int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &addr.sa, px_sockaddr46_len(&addr)), 0);
    ck_assert_int_eq(px_sockaddr46_parse("127.0.0.1", 9, &addr), PX_EOK);
    px_sockaddr46_set_port(&addr, port);
    ck_assert_int_eq(connect(fd, &addr.sa, px_sockaddr46_len(&addr)), 0);
    return fd;
}

START_TEST(connections_of_one_peer_past_the_limit_are_closed_at_once)
{
    struct listen_how how = {.connections_peer_max = 2};
    ck_assert_int_eq(rig_listen_with("0.0.0.0:0", how), PX_OK);
    uint16_t port = rig_port();
    int a = connect_from("127.0.0.2", port);
    int b = connect_from("127.0.0.2", port);
    (void)rig_stream(&rig->owner, 1);
    int c = connect_from("127.0.0.2", port); /* one too many */
    UNTIL(rig_counter("refused") == 1);
    int d = connect_from("127.0.0.3", port); /* somebody else */
    (void)rig_stream(&rig->owner, 2);
    close(c);
    far_reset(a);
    UNTIL(rig->owner.streams[0]->n_closed + rig->owner.streams[1]->n_closed == 1);
    a = connect_from("127.0.0.2", port);
    (void)rig_stream(&rig->owner, 3);
    ck_assert_uint_eq(rig_counter("refused"), 1);
    close(a);
    close(b);
    close(d);
}
END_TEST

START_TEST(a_mapped_peer_is_the_same_peer)
{
    struct listen_how how = {.connections_peer_max = 1};
    ck_assert_int_eq(rig_listen_with("[::]:0", how), PX_OK);
    int four = far_connect_to("127.0.0.1", rig_port());
    (void)rig_stream(&rig->owner, 0);
    expect_closed_at_once(rig_port(), "127.0.0.1");
    int six = far_connect_to("::1", rig_port());
    (void)rig_stream(&rig->owner, 1);
    expect_closed_at_once(rig_port(), "::1");
    close(four);
    close(six);
}
END_TEST

START_TEST(unix_peers_are_not_counted)
{
    struct listen_how how = {.connections_peer_max = 1};
    int far[4];
    ck_assert_int_eq(rig_listen_with(rig_own("unix:@px-net-test-count"), how), PX_OK);
    for (uint32_t i = 0; i < 4; i++) {
        far[i] = far_connect_unix(rig_own("@px-net-test-count"));
        (void)rig_stream(&rig->owner, i);
    }
    for (int i = 0; i < 4; i++) {
        close(far[i]);
    }
}
END_TEST

/* ---- without descriptors ---- */

static rlim_t limit_descriptors(rlim_t n)
{
    struct rlimit r;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
    rlim_t before = r.rlim_cur;
    r.rlim_cur = n;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
    return before;
}

static rlim_t next_descriptor(void)
{
    int fd = dup(0);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return (rlim_t)fd;
}

START_TEST(without_descriptors_accepting_pauses_and_goes_on_after_a_close)
{
    uint16_t port = rig_listen();
    int first = far_connect(port);
    (void)rig_stream(&rig->owner, 0);
    int second = far_connect(port);
    rlim_t before = limit_descriptors(next_descriptor());
    UNTIL(rig_counter("pauses") == 1);
    ck_assert_uint_eq(rig->log_lines, 1);
    ck_assert_ptr_nonnull(strstr(rig->last_log, "accept_paused"));
    ck_assert(rig_stats(0)->paused);
    uint64_t turns = rig_ledger().turns;
    rig_turns(10);
    ck_assert_uint_eq(rig_counter("pauses"), 1); /* not tried in every turn */
    ck_assert_uint_gt(px_kernel_next_us(rig->kernel), 0);
    ck_assert_uint_gt(rig_ledger().turns, turns);
    owner_reset(&rig->owner, rig->owner.streams[0]);
    (void)rig_stream(&rig->owner, 1);
    (void)limit_descriptors(before);
    rig_advance_us(1000000);
    ck_assert(!rig_stats(0)->paused);
    close(first);
    close(second);
}
END_TEST

START_TEST(without_descriptors_accepting_is_tried_again_after_a_second)
{
    int far = far_connect(rig_listen());
    rlim_t before = limit_descriptors(next_descriptor());
    UNTIL(rig_counter("pauses") == 1);
    rig_advance_us(999999);
    ck_assert_uint_eq(rig_counter("pauses"), 1);
    rig_advance_us(1);
    UNTIL(rig_counter("pauses") == 2);
    ck_assert_uint_eq(rig->log_lines, 1); /* said once in ten seconds */
    (void)limit_descriptors(before);
    rig_advance_us(1000000);
    (void)rig_stream(&rig->owner, 0);
    ck_assert_uint_eq(rig_counter("refused"), 0);
    close(far);
}
END_TEST

START_TEST(opening_without_descriptors_is_told_busy)
{
    char target[64];
    snprintf(target, sizeof target, "127.0.0.1:%u", rig_listen());
    rlim_t before = limit_descriptors(next_descriptor());
    ck_assert_int_eq(rig_open(target, 0, NULL), PX_BUSY);
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", plain), PX_BUSY);
    (void)limit_descriptors(before);
}
END_TEST

/* ---- stopping ---- */

START_TEST(stopping_waits_for_streams)
{
    int far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    px_kernel_stop(rig->kernel);
    rig_turns(3);
    ck_assert(!px_kernel_drained(rig->kernel));
    far_send(far, "last");
    UNTIL(h->got == 4);
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", plain), PX_BUSY);
    close(far);
    UNTIL(h->fins == 1);
    owner_close(&rig->owner, h, 0, 0);
    UNTIL(h->n_closed == 1);
    UNTIL(px_kernel_drained(rig->kernel));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_answer_to_listen_names_the_real_port,
        a_v6_wildcard_takes_v4_connections_too,
        v6only_takes_no_v4_connections,
        what_is_not_an_address_is_refused,
        a_taken_port_is_in_use,
        a_port_can_be_shared_if_both_want_it,
        an_address_of_another_machine_is_not_found,
        an_upper_must_exist_and_be_allowed,
        a_window_has_bounds,
        unlisten_ends_accepting_and_leaves_streams,
        what_waits_to_be_accepted_outlives_unlisten,
        what_waits_to_be_accepted_outlives_stopping,
        an_inherited_socket_is_listened_on,
        unlisten_leaves_an_inherited_socket_and_its_queue_to_who_comes_next,
        a_descriptor_nobody_listens_on_is_refused,
        the_257th_listener_is_told_busy,
        a_unix_path_is_made_with_its_mode_and_removed,
        a_unix_path_is_private_unless_told_otherwise,
        a_stale_unix_path_is_replaced,
        a_live_unix_path_is_in_use,
        a_file_that_is_no_socket_is_left_alone,
        a_path_that_somebody_else_took_over_is_not_removed,
        connections_past_the_limit_are_closed_at_once,
        connections_of_one_peer_past_the_limit_are_closed_at_once,
        a_mapped_peer_is_the_same_peer,
        unix_peers_are_not_counted,
        without_descriptors_accepting_pauses_and_goes_on_after_a_close,
        without_descriptors_accepting_is_tried_again_after_a_second,
        opening_without_descriptors_is_told_busy,
        stopping_waits_for_streams,
    };
    return net_rig_run("net_listen", tests, sizeof tests / sizeof *tests);
}
