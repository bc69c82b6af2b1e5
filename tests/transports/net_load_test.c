/* net_load_test.c - net under load and at the limits of the machine, in real time. Clients run in a
 * process of their own.
 */
#include "net_rig.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 10000, CROWD_SPARE = 200, TURN_MAX_US = 5000, QUEUE_OF_CLIENTS = 200 };

/* ---- what the system says its limits are ---- */

static long pretended; /* 0: the truth */

int getrlimit(__rlimit_resource_t resource, struct rlimit *ret)
{
    if (prlimit(0, resource, NULL, ret) != 0) {
        return -1;
    }
    if (pretended != 0 && resource == RLIMIT_NOFILE) {
        ret->rlim_cur = ret->rlim_max = (rlim_t)pretended;
    }
    return 0;
}

long sysconf(int name)
{
    switch (name) {
    case _SC_OPEN_MAX:
        return pretended != 0 ? pretended : 1024;
    case _SC_PAGESIZE:
        return 4096;
    case _SC_NPROCESSORS_ONLN:
    case _SC_NPROCESSORS_CONF:
        return 1;
    default:
        return -1;
    }
}

static bool set_limit(rlim_t n)
{
    struct rlimit r;
    if (prlimit(0, RLIMIT_NOFILE, NULL, &r) != 0 || r.rlim_max < n) {
        return false;
    }
    r.rlim_cur = n;
    return setrlimit(RLIMIT_NOFILE, &r) == 0;
}

/* ---- what is asked of the C library ---- */

static size_t asked; /* bytes */

void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *mem, size_t len);
void *__libc_memalign(size_t alignment, size_t len);

void *malloc(size_t len)
{
    asked += len;
    return __libc_malloc(len);
}

void *calloc(size_t n, size_t len)
{
    asked += n * len;
    return __libc_calloc(n, len);
}

void *realloc(void *mem, size_t len)
{
    asked += len;
    return __libc_realloc(mem, len);
}

void *aligned_alloc(size_t alignment, size_t len)
{
    asked += len;
    return __libc_memalign(alignment, len);
}

/* Bytes asked for by a system that is made and serves a few connections. */
static size_t memory_of_a_system(void)
{
    int far[5];
    asked = 0;
    rig_begin();
    uint16_t port = rig_listen();
    for (uint32_t i = 0; i < 5; i++) {
        far[i] = far_connect(port);
        struct heard *h = rig_stream(&rig->owner, i);
        far_send(far[i], "x");
        UNTIL(h->got == 1);
    }
    size_t sum = asked;
    for (int i = 0; i < 5; i++) {
        close(far[i]);
    }
    rig_end();
    return sum;
}

START_TEST(a_limit_of_2_to_the_30_descriptors_costs_no_memory)
{
    rig_end();
    size_t truth = memory_of_a_system();
    pretended = 1L << 30;
    ck_assert_int_eq(sysconf(_SC_OPEN_MAX), 1L << 30);
    size_t pretence = memory_of_a_system();
    pretended = 0;
    ck_assert_uint_gt(truth, 100000);
    ck_assert_uint_le(pretence, truth + 65536);
    ck_assert_uint_ge(pretence + 65536, truth);
    rig_begin();
}
END_TEST

/* ---- clients ---- */

/* What a child runs: connects, says something, waits for an answer, closes; one after the other. */
static int be_many_clients(uint16_t port, int n)
{
    for (int i = 0; i < n; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char answer[5];
        if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) != 0 ||
            send(fd, "hello", 5, 0) != 5 || recv(fd, answer, 5, MSG_WAITALL) != 5) {
            return 1;
        }
        if (i % 2 == 0) { /* half of them stay until the end */
            close(fd);
        }
    }
    return 0;
}

START_TEST(at_a_limit_of_64_descriptors_everybody_is_served)
{
    uint16_t port = rig_listen();
    rig_use_real_clock();
    rig->owner.echoes = true;
    pid_t child = fork();
    if (child == 0) {
        _exit(be_many_clients(port, QUEUE_OF_CLIENTS));
    }
    ck_assert(set_limit(64));
    int status = 0;
    uint32_t next = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        rig_turn();
        while (next + 20 < rig->owner.n_streams) { /* the older ones make room */
            owner_close(&rig->owner, rig->owner.streams[next++], 0, 0);
        }
    }
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_uint_eq(rig->owner.n_streams, QUEUE_OF_CLIENTS);
}
END_TEST

/* ---- ten thousand at once ---- */

static void connect_crowd(uint16_t port, int *far)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    for (int i = 0; i < CROWD; i++) {
        far[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (far[i] < 0 || connect(far[i], (struct sockaddr *)&in, sizeof in) != 0) {
            _exit(1);
        }
    }
}

/* Connects CROWD times; at each byte from `orders` all of them speak, and wait for their answers.
 */
static void be_a_crowd(uint16_t port, int orders, int reports)
{
    int *far = calloc(CROWD, sizeof *far);
    char text[100];
    char c;
    memset(text, 'x', sizeof text);
    connect_crowd(port, far);
    while (write(reports, "r", 1) == 1 && read(orders, &c, 1) == 1) {
        for (int i = 0; i < CROWD; i++) {
            if (send(far[i], text, sizeof text, MSG_NOSIGNAL) < 0) {
                _exit(2);
            }
        }
        (void)!write(reports, "s", 1); /* all have spoken before anybody is heard */
        for (int i = 0; i < CROWD; i++) {
            if (recv(far[i], text, sizeof text, MSG_WAITALL) != sizeof text) {
                _exit(3);
            }
        }
    }
    _exit(0);
}

static uint64_t cpu_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t total_got(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rig->owner.n_streams; i++) {
        sum += rig->owner.streams[i]->got;
    }
    return sum;
}

/* The longest turn until all have been heard: what a timer may be late. CPU time, so that the rest
 * of the machine does not count. */
static uint64_t longest_turn(uint64_t until_got)
{
    uint64_t longest = 0;
    while (total_got() < until_got) {
        for (int i = 0; i < 20; i++) {
            uint64_t before = cpu_us();
            px_kernel_turn(rig->kernel, 1000);
            uint64_t took = cpu_us() - before;
            longest = took > longest ? took : longest;
        }
    }
    return longest;
}

START_TEST(ten_thousand_ready_sockets_delay_no_timer_by_5_ms)
{
    int orders[2];
    int reports[2];
    char c;
    uint64_t longest = UINT64_MAX;
    if (!set_limit(CROWD + CROWD_SPARE)) {
        printf("SKIPPED: fewer than %d descriptors\n", CROWD + CROWD_SPARE);
        return;
    }
    rig_use_real_clock();
    rig->owner.echoes = true;
    ck_assert_int_eq(
        rig_listen_with("127.0.0.1:0", (struct listen_how){.connections_max = CROWD,
                                                           .connections_peer_max = CROWD}),
        PX_OK);
    ck_assert_int_eq(pipe(orders), 0);
    ck_assert_int_eq(pipe(reports), 0);
    pid_t child = fork();
    if (child == 0) {
        close(orders[1]);
        close(reports[0]);
        be_a_crowd(rig_port(), orders[0], reports[1]);
    }
    close(orders[0]);
    close(reports[1]);
    while (rig->owner.n_streams < CROWD) {
        px_kernel_turn(rig->kernel, 1000);
    }
    for (uint64_t round = 1; round <= 5; round++) {
        ck_assert_int_eq(read(reports[0], &c, 1), 1);
        ck_assert_int_eq(write(orders[1], "o", 1), 1);
        ck_assert_int_eq(read(reports[0], &c, 1), 1);
        uint64_t took = longest_turn(round * CROWD * 100);
        longest = took < longest ? took : longest; /* of the quietest round */
        rig_turns(5);
    }
    printf("longest turn with %d ready sockets: %lu us\n", CROWD, (unsigned long)longest);
    ck_assert_uint_lt(longest, TURN_MAX_US);
    close(orders[1]);
    close(reports[0]);
    int status = 0;
    rig->owner.echoes = false;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- readers that do not read ---- */

/* net's end of a connection whose far end is `far`. */
static int near_end(int far)
{
    struct sockaddr_in own;
    struct sockaddr_in peer;
    socklen_t len = sizeof own;
    ck_assert_int_eq(getsockname(far, (struct sockaddr *)&own, &len), 0);
    for (int fd = 3; fd < 1024; fd++) {
        len = sizeof peer;
        if (fd != far && getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
            peer.sin_family == AF_INET && peer.sin_port == own.sin_port) {
            return fd;
        }
    }
    ck_abort_msg("no such connection");
    return -1;
}

static int far_connect_narrow(uint16_t port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    const int room = 2048;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static int empty_file(uint32_t len)
{
    int fd = memfd_create("range", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, len), 0);
    return fd;
}

static int unsent(int near)
{
    int bytes = 0;
    ck_assert_int_eq(ioctl(near, SIOCOUTQNSD, &bytes), 0);
    return bytes;
}

static int unsent_limit(int near)
{
    int limit = -1;
    socklen_t len = sizeof limit;
    ck_assert_int_eq(getsockopt(near, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, &len), 0);
    return limit;
}

START_TEST(a_socket_takes_little_ahead_until_its_peer_has_shown_that_it_reads)
{
    enum { LEN = 8 << 20, AHEAD = 1 << 17 };
    rig_use_real_clock();
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 16 << 20}),
                     PX_OK);
    int far = far_connect_narrow(rig_port());
    struct heard *h = rig_stream(&rig->owner, 0);
    int near = near_end(far);
    rig_turn();
    owner_send_file(&rig->owner, h, "h", empty_file(LEN), 0, LEN);
    UNTIL(unsent(near) >= AHEAD);
    rig_turns(10);
    ck_assert_int_le(unsent(near), 2 * AHEAD); /* a segment beyond, whatever its size */
    ck_assert_int_eq(unsent_limit(near), AHEAD);
    ck_assert_uint_eq(far_drain(far, LEN + 1), LEN + 1);
    ck_assert_int_eq(unsent_limit(near), 0); /* the system's own */
    owner_close(&rig->owner, h, 0, 0);
    close(far);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_limit_of_2_to_the_30_descriptors_costs_no_memory,
        at_a_limit_of_64_descriptors_everybody_is_served,
        ten_thousand_ready_sockets_delay_no_timer_by_5_ms,
        a_socket_takes_little_ahead_until_its_peer_has_shown_that_it_reads,
    };
    return net_rig_run("net_load", tests, sizeof tests / sizeof *tests);
}
