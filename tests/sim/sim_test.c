/* sim_test.c - the simulator keeps its promises: time, chance, the network, lane W, failing memory.
 */
#include <check.h>
#include <px/test.h>
#include <stdio.h>
#include <stdlib.h>

#include "storm.h"
#include "toy.h"

PX_TEST_FAIL_CHECK(test_fails);

#define ADDRESS "10.0.0.1:80"

struct fixture {
    struct px_sim *sim;
    struct px_sim_system *system;
};

/* net and toy, in one domain or two. */
static struct fixture setup(uint64_t seed, struct px_sim_weather weather, uint32_t n_domains)
{
    struct fixture f;
    f.sim =
        px_sim_new(&(struct px_sim_config){.seed = seed, .weather = weather, .fail = test_fails});
    f.system = px_sim_system_new(f.sim, "server", n_domains);
    px_sim_add(f.system, 0, &px_simnet_service, NULL, NULL);
    px_sim_add(f.system, n_domains - 1, &toy_service, NULL, NULL);
    px_sim_add_recorder(f.system, 0, "boot");
    storm_allow_boot(f.system);
    px_sim_stack(f.system, "toy", "net");
    px_sim_start(f.system);
    storm_listen(f.system, ADDRESS, "toy", 0);
    return f;
}

static void teardown(struct fixture *f)
{
    px_sim_advance_us(f->sim, 120000000);
    sim_expect_ledgers_zero(f->system, 1);
    px_sim_free(f->sim);
}

/* A toy frame of `len` bytes. */
static void frame_write(struct px_sim_peer *peer, uint8_t len)
{
    uint8_t frame[2 + 255] = {0, len};
    for (unsigned i = 0; i < len; i++) {
        frame[2 + i] = (uint8_t)i;
    }
    px_sim_peer_write(peer, frame, 2u + len);
}

START_TEST(time_moves_only_when_told)
{
    struct fixture f = setup(1, (struct px_sim_weather){0}, 1);
    uint64_t start = px_sim_now_us(f.sim);
    px_sim_settle(f.sim);
    ck_assert(px_sim_now_us(f.sim) == start);
    sim_advance_us(f.sim, 1234567);
    ck_assert(px_sim_now_us(f.sim) == start + 1234567);
    teardown(&f);
}
END_TEST

START_TEST(what_is_sent_arrives_after_the_delay_and_not_before)
{
    struct fixture f =
        setup(1, (struct px_sim_weather){.delay_us_min = 1000, .delay_us_max = 1000}, 1);
    struct px_sim_peer *peer = px_sim_connect(f.sim, ADDRESS);
    sim_advance_us(f.sim, 999);
    ck_assert(!px_sim_peer_is_open(peer));
    sim_advance_us(f.sim, 1);
    ck_assert(px_sim_peer_is_open(peer));
    frame_write(peer, 10);
    sim_advance_us(f.sim, 1999);
    ck_assert_uint_eq(px_sim_peer_received(peer), 0);
    sim_advance_us(f.sim, 1);
    ck_assert_uint_eq(px_sim_peer_received(peer), 12);
    px_sim_peer_fin(peer);
    teardown(&f);
}
END_TEST

/* Everything that can be seen from outside, in one number. */
static uint64_t run_of(uint64_t seed)
{
    struct px_sim_weather weather = {
        .delay_us_max = 5000, .cut = 700, .loss = 50, .reset = 3, .window = 500};
    struct fixture f = setup(seed, weather, 2);
    struct px_sim_peer *peers[3];
    uint64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        peers[i] = px_sim_connect(f.sim, ADDRESS);
        for (int n = 0; n < 20; n++) {
            frame_write(peers[i], (uint8_t)(n * 11 + 1));
        }
        px_sim_peer_fin(peers[i]);
    }
    for (int i = 0; i < 200; i++) {
        px_sim_advance_us(f.sim, 10000);
        for (int k = 0; k < 3; k++) {
            sum = sum * 31 + px_sim_peer_received(peers[k]);
        }
    }
    sum = sum * 31 + px_sim_turns(f.sim);
    teardown(&f);
    return sum;
}

START_TEST(the_same_seed_is_the_same_run_and_another_is_not)
{
    ck_assert(run_of(1) == run_of(1));
    ck_assert(run_of(2) == run_of(2));
    ck_assert(run_of(1) != run_of(2));
}
END_TEST

START_TEST(a_connection_to_nobody_is_refused)
{
    struct fixture f = setup(1, (struct px_sim_weather){0}, 1);
    struct px_sim_peer *peer = px_sim_connect(f.sim, "10.0.0.1:81");
    px_sim_settle(f.sim);
    ck_assert(!px_sim_peer_is_open(peer));
    ck_assert_int_eq(px_sim_peer_status(peer), PX_REFUSED);
    teardown(&f);
}
END_TEST

START_TEST(a_partition_holds_bytes_back_until_it_heals)
{
    struct fixture f = setup(1, (struct px_sim_weather){0}, 1);
    struct px_sim_peer *peer = px_sim_connect(f.sim, ADDRESS);
    px_sim_settle(f.sim);
    px_sim_partition(f.sim, f.system, NULL, true);
    frame_write(peer, 10);
    sim_advance_us(f.sim, 10000000);
    ck_assert_uint_eq(px_sim_peer_received(peer), 0);
    ck_assert(px_sim_peer_is_open(peer));
    px_sim_partition(f.sim, f.system, NULL, false);
    sim_advance_us(f.sim, 1000000);
    ck_assert_uint_eq(px_sim_peer_received(peer), 12);
    px_sim_peer_fin(peer);
    teardown(&f);
}
END_TEST

START_TEST(a_partition_that_lasts_ends_what_waits_with_a_time_out)
{
    struct fixture f = setup(1, (struct px_sim_weather){0}, 1);
    struct px_sim_peer *peer = px_sim_connect(f.sim, ADDRESS);
    px_sim_settle(f.sim);
    px_sim_partition(f.sim, f.system, NULL, true);
    frame_write(peer, 10);
    struct px_sim_peer *late = px_sim_connect(f.sim, ADDRESS);
    sim_advance_us(f.sim, 21000000);
    ck_assert_int_eq(px_sim_peer_status(peer), PX_TIMED_OUT);
    ck_assert_int_eq(px_sim_peer_status(late), PX_TIMED_OUT);
    teardown(&f);
}
END_TEST

START_TEST(a_slow_reader_gets_no_more_than_its_pace)
{
    struct fixture f = setup(1, (struct px_sim_weather){.window = 100}, 1);
    struct px_sim_peer *peer = px_sim_connect(f.sim, ADDRESS);
    px_sim_peer_pace(peer, 10, 1000);
    for (int i = 0; i < 10; i++) {
        frame_write(peer, 98);
    }
    sim_advance_us(f.sim, 50000);
    ck_assert_uint_le(px_sim_peer_received(peer), 500);
    ck_assert_uint_ge(px_sim_peer_received(peer), 480);
    sim_advance_us(f.sim, 60000);
    ck_assert_uint_eq(px_sim_peer_received(peer), 1000);
    px_sim_peer_fin(peer);
    teardown(&f);
}
END_TEST

START_TEST(a_vanished_connection_times_out_on_both_sides)
{
    struct fixture f = setup(1, (struct px_sim_weather){.vanish = 1000}, 1);
    struct px_sim_peer *peer = px_sim_connect(f.sim, ADDRESS);
    frame_write(peer, 10);
    sim_advance_us(f.sim, 19999999);
    ck_assert(px_sim_peer_is_open(peer));
    ck_assert_uint_eq(px_sim_peer_received(peer), 0);
    sim_advance_us(f.sim, 1);
    ck_assert_int_eq(px_sim_peer_status(peer), PX_TIMED_OUT);
    teardown(&f);
}
END_TEST

START_TEST(two_systems_share_time_and_network)
{
    struct fixture f = setup(1, (struct px_sim_weather){.delay_us_max = 500, .cut = 500}, 1);
    px_sim_listen(f.sim, "10.0.0.9:9");
    struct px_sim_peer *to_toy = px_sim_connect(f.sim, ADDRESS);
    struct px_sim_peer *other = px_sim_connect(f.sim, "10.0.0.9:9");
    sim_advance_us(f.sim, 1000);
    struct px_sim_peer *accepted = px_sim_accept(f.sim, "10.0.0.9:9");
    ck_assert_ptr_nonnull(accepted);
    ck_assert_ptr_null(px_sim_accept(f.sim, "10.0.0.9:9"));
    px_sim_peer_write(other, "ping", 4);
    frame_write(to_toy, 3);
    sim_advance_us(f.sim, 5000);
    size_t len;
    const uint8_t *data = px_sim_peer_data(accepted, &len);
    ck_assert_uint_eq(len, 4);
    ck_assert_mem_eq(data, "ping", 4);
    px_sim_peer_take(accepted, 4);
    (void)px_sim_peer_data(accepted, &len);
    ck_assert_uint_eq(len, 0);
    ck_assert_uint_eq(px_sim_peer_received(to_toy), 5);
    px_sim_peer_reset(other);
    sim_advance_us(f.sim, 1000);
    ck_assert_int_eq(px_sim_peer_status(accepted), PX_RESET);
    px_sim_peer_fin(to_toy);
    teardown(&f);
}
END_TEST

START_TEST(a_domain_that_dies_takes_its_streams_along_and_comes_back)
{
    struct fixture f = setup(1, (struct px_sim_weather){0}, 2);
    struct px_sim_peer *peer = px_sim_connect(f.sim, ADDRESS);
    frame_write(peer, 10);
    px_sim_settle(f.sim);
    ck_assert_uint_eq(px_sim_peer_received(peer), 12);
    px_sim_kill_domain(f.system, 1);
    ck_assert(!px_sim_is_alive(f.system, "toy"));
    px_sim_settle(f.sim);
    ck_assert_int_eq(px_sim_peer_status(peer), PX_RESET);
    struct px_sim_peer *waits = px_sim_connect(f.sim, ADDRESS);
    frame_write(waits, 10);
    px_sim_settle(f.sim);
    ck_assert(px_sim_peer_is_open(waits));
    px_sim_restart_domain(f.system, 1);
    px_sim_settle(f.sim);
    ck_assert_uint_eq(px_sim_peer_received(waits), 12);
    px_sim_peer_fin(waits);
    teardown(&f);
}
END_TEST

START_TEST(the_nth_allocation_fails_and_the_rest_do_not)
{
    struct fixture f = setup(1, (struct px_sim_weather){0}, 1);
    struct px_kernel *kernel = px_sim_kernel(f.system, 0);
    struct px_world world = *px_kernel_world(kernel);
    px_sim_fail_alloc(f.system, 2, 1, 0);
    void *first = world.alloc(world.ctx, 100), *second = world.alloc(world.ctx, 100);
    void *third = world.alloc(world.ctx, 100);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(third);
    world.release(world.ctx, first, 100);
    world.release(world.ctx, third, 100);
    teardown(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim");
    TCase *world = tcase_create("world");
    tcase_add_test(world, time_moves_only_when_told);
    tcase_add_test(world, what_is_sent_arrives_after_the_delay_and_not_before);
    tcase_add_test(world, the_same_seed_is_the_same_run_and_another_is_not);
    tcase_add_test(world, a_connection_to_nobody_is_refused);
    tcase_add_test(world, a_partition_holds_bytes_back_until_it_heals);
    tcase_add_test(world, a_partition_that_lasts_ends_what_waits_with_a_time_out);
    tcase_add_test(world, a_slow_reader_gets_no_more_than_its_pace);
    tcase_add_test(world, a_vanished_connection_times_out_on_both_sides);
    tcase_add_test(world, two_systems_share_time_and_network);
    tcase_add_test(world, a_domain_that_dies_takes_its_streams_along_and_comes_back);
    tcase_add_test(world, the_nth_allocation_fails_and_the_rest_do_not);
    suite_add_tcase(suite, world);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
