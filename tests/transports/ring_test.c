/* ring_test.c - rings: bytes in order, a bell only for a sleeper, and an end that cannot be
 * trusted. Randomised tests print their seed (RING_SEED replays it).
 */
#include "ring.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 4, LINE_WORDS = 16 }; /* where the indices are: docs/wire.md */
enum word { WRITTEN, READ, SLEEPS, NO_ROOM };

static struct px_rings supervisor, domain;
static uint8_t big[PX_RING_LEN + 1], copy[PX_RING_LEN + 1];

/* ---- chance ---- */

static uint32_t seed_of_run(void)
{
    const char *given = getenv("RING_SEED");
    uint32_t seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)time(NULL);
    printf("ring_test: RING_SEED=%u\n", seed);
    return seed;
}

static uint32_t chance(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- both ends ---- */

static void begin(void)
{
    int fds[PX_RING_FDS], again[PX_RING_FDS];
    ck_assert_int_eq(px_rings_make(fds), PX_EOK);
    for (int i = 0; i < PX_RING_FDS; i++) {
        again[i] = dup(fds[i]);
    }
    ck_assert_int_eq(px_rings_attach(fds, true, &supervisor), PX_EOK);
    ck_assert_int_eq(px_rings_attach(again, false, &domain), PX_EOK);
    close(fds[0]);
    close(again[0]);
}

static void end(void)
{
    px_rings_done(&supervisor);
    px_rings_done(&domain);
}

/* A word of the ring that the supervisor reads, as the domain may set it. */
static volatile uint32_t *word_of(enum word word)
{
    volatile uint32_t *words = (volatile uint32_t *)(void *)supervisor.in.head;
    return &words[word * LINE_WORDS];
}

static size_t take(size_t max)
{
    bool ring = false;
    return px_ring_take(&supervisor.in, copy, max, &ring);
}

/* Bytes of a series, from number `at`. */
static void series(uint8_t *ret, size_t len, uint32_t at)
{
    for (size_t i = 0; i < len; i++) {
        ret[i] = (uint8_t)((at + i) % 251);
    }
}

static bool is_series(const uint8_t *bytes, size_t len, uint32_t at)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != (uint8_t)((at + i) % 251)) {
            return false;
        }
    }
    return true;
}

START_TEST(bytes_arrive_in_order_across_the_seam)
{
    uint32_t random = seed_of_run();
    uint32_t put = 0, taken = 0;
    begin();
    for (int i = 0; i < 5000; i++) {
        size_t len = chance(&random) % 3000;
        series(big, len, put);
        put += (uint32_t)px_ring_put(&domain.out, big, len);
        (void)px_ring_publish(&domain.out);
        size_t n = take(chance(&random) % 3000);
        ck_assert(is_series(copy, n, taken));
        taken += (uint32_t)n;
    }
    ck_assert_uint_gt(taken, 10 * PX_RING_LEN);
    ck_assert_uint_eq(put - taken, domain.out.at - supervisor.in.at);
    end();
}
END_TEST

START_TEST(what_is_not_published_is_not_there)
{
    begin();
    ck_assert_uint_eq(px_ring_put(&domain.out, "abc", 3), 3);
    ck_assert_uint_eq(take(10), 0);
    ck_assert(!px_ring_look(&supervisor.in, false));
    (void)px_ring_publish(&domain.out);
    ck_assert(px_ring_look(&supervisor.in, false));
    ck_assert_uint_eq(take(10), 3);
    end();
}
END_TEST

START_TEST(a_full_ring_takes_not_one_byte_more_until_some_is_read)
{
    begin();
    ck_assert_uint_eq(px_ring_put(&domain.out, big, PX_RING_LEN), PX_RING_LEN);
    ck_assert_uint_eq(px_ring_put(&domain.out, big, 1), 0);
    (void)px_ring_publish(&domain.out);
    ck_assert(px_ring_wait_room(&domain.out));
    bool ring = false;
    ck_assert_uint_eq(px_ring_take(&supervisor.in, copy, 5, &ring), 5);
    ck_assert(ring);
    ck_assert_uint_eq(px_ring_take(&supervisor.in, copy, 5, &ring), 5);
    ck_assert(!ring);
    ck_assert(!px_ring_wait_room(&domain.out));
    ck_assert_uint_eq(px_ring_put(&domain.out, big, PX_RING_LEN), 10);
    end();
}
END_TEST

START_TEST(a_reader_is_rung_once_and_only_while_it_sleeps)
{
    begin();
    (void)px_ring_put(&domain.out, "a", 1);
    ck_assert(!px_ring_publish(&domain.out));
    ck_assert(px_ring_look(&supervisor.in, true)); /* it does not sleep: there is something */
    ck_assert(px_ring_look(&supervisor.in, false));
    ck_assert_uint_eq(take(10), 1);
    ck_assert(!px_ring_look(&supervisor.in, true));
    (void)px_ring_put(&domain.out, "b", 1);
    ck_assert(px_ring_publish(&domain.out));
    ck_assert(!px_ring_publish(&domain.out));
    ck_assert(px_ring_look(&supervisor.in, false));
    ck_assert(!px_ring_publish(&domain.out));
    end();
}
END_TEST

/* ---- an end that cannot be trusted ---- */

START_TEST(an_index_that_cannot_be_makes_the_ring_useless)
{
    static const uint32_t jumps[] = {PX_RING_LEN + 1, 0x80000000u, 0xffffffffu};
    begin();
    memset(copy, 7, sizeof copy);
    *word_of(WRITTEN) = jumps[_i];
    ck_assert(px_ring_look(&supervisor.in, true));
    ck_assert_uint_eq(take(sizeof copy), 0);
    ck_assert(supervisor.in.is_wrong);
    ck_assert_uint_eq(copy[0], 7);
    *word_of(WRITTEN) = 1; /* too late */
    ck_assert_uint_eq(take(sizeof copy), 0);
    end();
}
END_TEST

START_TEST(a_full_ring_is_the_most_an_index_may_claim)
{
    begin();
    *word_of(WRITTEN) = PX_RING_LEN;
    ck_assert_uint_eq(take(sizeof copy), PX_RING_LEN);
    ck_assert(!supervisor.in.is_wrong);
    end();
}
END_TEST

START_TEST(a_reader_that_moves_its_index_at_will_never_gets_more_room_than_there_is)
{
    uint32_t random = seed_of_run();
    begin();
    volatile uint32_t *words = (volatile uint32_t *)(void *)supervisor.out.head;
    for (int i = 0; i < 20000 && !supervisor.out.is_wrong; i++) {
        words[READ * LINE_WORDS] = chance(&random) % 8 != 0
                                       ? supervisor.out.at - chance(&random) % (PX_RING_LEN + 2)
                                       : chance(&random) << 8;
        ck_assert_uint_le(px_ring_put(&supervisor.out, big, chance(&random) % sizeof big),
                          PX_RING_LEN);
        (void)px_ring_publish(&supervisor.out);
        (void)px_ring_wait_room(&supervisor.out);
    }
    ck_assert(supervisor.out.is_wrong);
    ck_assert_uint_eq(px_ring_put(&supervisor.out, big, 1), 0);
    end();
}
END_TEST

START_TEST(the_reader_stays_within_the_ring_whatever_the_words_say)
{
    uint32_t random = seed_of_run();
    for (int round = 0; round < 200; round++) {
        begin();
        for (int i = 0; i < 200 && !supervisor.in.is_wrong; i++) {
            *word_of((enum word)(chance(&random) % WORDS)) =
                chance(&random) % 4 == 0 ? chance(&random) << 8
                                         : supervisor.in.at + chance(&random) % PX_RING_LEN;
            size_t max = chance(&random) % sizeof copy;
            ck_assert_uint_le(take(max), max);
            (void)px_ring_look(&supervisor.in, chance(&random) % 2 == 0);
        }
        end();
    }
}
END_TEST

START_TEST(the_memory_cannot_be_taken_away)
{
    int fds[PX_RING_FDS];
    ck_assert_int_eq(px_rings_make(fds), PX_EOK);
    ck_assert_int_ne(ftruncate(fds[0], 0), 0);
    ck_assert_int_ne(ftruncate(fds[0], 2 * PX_RING_MEMORY_LEN), 0);
    ck_assert_int_ne(fcntl(fds[0], F_ADD_SEALS, F_SEAL_WRITE), 0);
    px_rings_close(fds);
}
END_TEST

START_TEST(memory_of_another_length_is_refused)
{
    struct px_rings rings = {.memory = NULL};
    int fds[PX_RING_FDS];
    ck_assert_int_eq(px_rings_make(fds), PX_EOK);
    int other = memfd_create("other", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(other, PX_RING_MEMORY_LEN - 1), 0);
    int wrong[PX_RING_FDS] = {other, fds[1], fds[2]};
    ck_assert_int_eq(px_rings_attach(wrong, true, &rings), PX_EUNSUPPORTED);
    wrong[0] = fds[1];
    ck_assert_int_eq(px_rings_attach(wrong, true, &rings), PX_EUNSUPPORTED);
    ck_assert_ptr_null(rings.memory);
    close(other);
    px_rings_close(fds);
}
END_TEST

/* The count and the flags of a bell are the other process's as well. */
START_TEST(ringing_never_waits_and_is_always_heard)
{
    const uint64_t most = UINT64_MAX - 2; /* on top of the 1 that is there */
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    int fds[PX_RING_FDS], loop = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(px_rings_make(fds), PX_EOK);
    ck_assert_int_eq(epoll_ctl(loop, EPOLL_CTL_ADD, fds[1], &e), 0);
    ck_assert_int_eq(epoll_wait(loop, &e, 1, 0), 1); /* it has just been added */
    ck_assert_int_eq(epoll_wait(loop, &e, 1, 0), 0);
    ck_assert_int_eq(fcntl(fds[1], F_SETFL, 0), 0);
    for (int i = 0; i < 3; i++) {
        px_bell_ring(fds[1]);
        ck_assert_int_eq(epoll_wait(loop, &e, 1, 0), 1);
        ck_assert_int_eq(epoll_wait(loop, &e, 1, 0), 0);
        if (i == 0) {
            ck_assert_int_eq(write(fds[1], &most, sizeof most), sizeof most); /* full */
            ck_assert_int_eq(epoll_wait(loop, &e, 1, 0), 1);
        }
    }
    close(loop);
    px_rings_close(fds);
}
END_TEST

/* ---- two threads ---- */

enum { MEGABYTES = 64 << 20 };

/* Sleeps in `loop` until the bell rings. */
static void sleep_on(int loop)
{
    struct epoll_event e;
    ck_assert_int_eq(epoll_wait(loop, &e, 1, 20000), 1); /* else a bell was forgotten */
}

static int loop_on(int bell)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    int loop = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(epoll_ctl(loop, EPOLL_CTL_ADD, bell, &e), 0);
    return loop;
}

static void *write_all(void *arg)
{
    uint32_t random = *(uint32_t *)arg;
    int loop = loop_on(domain.bell);
    static uint8_t bytes[8192];
    for (uint32_t put = 0; put < MEGABYTES;) {
        size_t len = 1 + chance(&random) % sizeof bytes;
        series(bytes, len, put);
        size_t n = px_ring_put(&domain.out, bytes, len);
        put += (uint32_t)n;
        if (px_ring_publish(&domain.out)) {
            px_bell_ring(domain.far_bell);
        }
        while (n < len && px_ring_wait_room(&domain.out)) {
            sleep_on(loop);
        }
    }
    close(loop);
    return NULL;
}

START_TEST(no_byte_and_no_bell_is_lost_between_two_threads)
{
    uint32_t random = seed_of_run(), taken = 0;
    pthread_t writer;
    begin();
    int loop = loop_on(supervisor.bell);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_all, &random), 0);
    while (taken < MEGABYTES) {
        bool ring = false;
        size_t n = px_ring_take(&supervisor.in, copy, sizeof copy, &ring);
        ck_assert(is_series(copy, n, taken));
        taken += (uint32_t)n;
        if (ring) {
            px_bell_ring(supervisor.far_bell);
        }
        if (n == 0 && !px_ring_look(&supervisor.in, true)) {
            sleep_on(loop);
        }
        (void)px_ring_look(&supervisor.in, false);
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    close(loop);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *bytes = tcase_create("bytes"), *strangers = tcase_create("strangers"),
          *threads = tcase_create("threads");
    suite_add_tcase(suite, bytes);
    suite_add_tcase(suite, strangers);
    suite_add_tcase(suite, threads);
    tcase_set_timeout(threads, 60);
    tcase_add_test(bytes, bytes_arrive_in_order_across_the_seam);
    tcase_add_test(bytes, what_is_not_published_is_not_there);
    tcase_add_test(bytes, a_full_ring_takes_not_one_byte_more_until_some_is_read);
    tcase_add_test(bytes, a_reader_is_rung_once_and_only_while_it_sleeps);
    tcase_add_loop_test(strangers, an_index_that_cannot_be_makes_the_ring_useless, 0, 3);
    tcase_add_test(strangers, a_full_ring_is_the_most_an_index_may_claim);
    tcase_add_test(strangers,
                   a_reader_that_moves_its_index_at_will_never_gets_more_room_than_there_is);
    tcase_add_test(strangers, the_reader_stays_within_the_ring_whatever_the_words_say);
    tcase_add_test(strangers, the_memory_cannot_be_taken_away);
    tcase_add_test(strangers, memory_of_another_length_is_refused);
    tcase_add_test(strangers, ringing_never_waits_and_is_always_heard);
    tcase_add_test(threads, no_byte_and_no_bell_is_lost_between_two_threads);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
