/* pair_test.c - lane B: what crosses through libnng, how much at a time, and who is let in. What is
 * waited for are descriptors. Exit code 77 where the build has no nng.
 */
#include "pair.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lane_rig.h"
#include "posix_loop.h"

enum { ROUNDS_MAX = 20000, PATIENCE_MS = 10 };

static struct actor *alice(void)
{
    return sides[0].actor;
}

static struct actor *bob(void)
{
    return sides[1].actor;
}

/* Runs both sides until `*count` is `wanted`; what comes is told by descriptors. */
static void wait_for(const uint32_t *count, uint32_t wanted)
{
    for (int i = 0; i < ROUNDS_MAX && *count < wanted; i++) {
        struct pollfd p[2] = {{.fd = px_posix_fd(sides[0].os), .events = POLLIN},
                              {.fd = px_posix_fd(sides[1].os), .events = POLLIN}};
        (void)poll(p, 2,
                   posix_puts_off(sides[0].os) || posix_puts_off(sides[1].os) ? 0 : PATIENCE_MS);
        rig_turn(0);
        rig_turn(1);
    }
    ck_assert_uint_eq(*count, wanted);
}

START_TEST(messages_cross_in_order_whatever_their_sizes)
{
    uint64_t sum = 0;
    rig_pair();
    for (uint32_t i = 1; i <= 200; i++) {
        size_t len = i == 100 ? 3u << 20 : (i * 7919) % 9000;
        rig_note(0, i, len, len + 1);
        sum += len * (i & 0x7f);
        if (i % 20 == 0) {
            wait_for(&bob()->notes, i);
            ck_assert_uint_eq(bob()->value, i);
        }
    }
    ck_assert_uint_eq(bob()->sum, sum);
    rig_end();
}
END_TEST

START_TEST(a_call_is_answered_from_the_far_side)
{
    rig_pair();
    for (uint32_t i = 1; i <= 100; i++) {
        rig_ask(0, i, PX_SEC(5));
        wait_for(&alice()->replies, i);
        ck_assert_uint_eq(alice()->answer, i + 1);
    }
    rig_end();
}
END_TEST

START_TEST(no_more_than_32_messages_are_on_their_way_and_the_rest_goes_together)
{
    rig_pair();
    uint64_t before = rig_counter(0, "sends");
    for (uint32_t i = 1; i <= 100; i++) {
        rig_note(0, i, 10, 10);
        rig_turn(0);
        rig_turn(0); /* each in a message of its own, as long as there is credit */
    }
    ck_assert_uint_eq(rig_counter(0, "sends") - before, 32);
    ck_assert_uint_gt(px_lane_waiting(sides[0].lane), 0);
    wait_for(&bob()->notes, 100);
    ck_assert_uint_eq(bob()->value, 100);
    ck_assert_uint_le(rig_counter(0, "sends") - before, 35);
    ck_assert_uint_eq(px_lane_waiting(sides[0].lane), 0);
    rig_end();
}
END_TEST

START_TEST(both_sides_may_be_out_of_credit_at_once)
{
    rig_pair();
    for (uint32_t i = 1; i <= 200; i++) {
        rig_note(0, i, 10, 10);
        rig_note(1, i, 10, 10);
        rig_turn(0);
        rig_turn(0);
        rig_turn(1);
        rig_turn(1);
    }
    wait_for(&bob()->notes, 200);
    wait_for(&alice()->notes, 200);
    rig_end();
}
END_TEST

START_TEST(a_pair_that_is_closed_ends_the_lane)
{
    rig_pair();
    px_lane_free(sides[1].lane);
    sides[1].lane = NULL;
    wait_for(&sides[0].ends, 1);
    ck_assert_str_eq(sides[0].why, "the far end closed the link");
    ck_assert_uint_eq(alice()->gone, 1);
    rig_end();
}
END_TEST

/* ---- who is let in ---- */

START_TEST(its_path_is_in_a_folder_of_its_own_and_goes_with_it)
{
    struct px_pair *pair = NULL;
    struct stat st;
    char path[128];
    ck_assert_int_eq(px_pair_listen(getuid(), &pair), PX_EOK);
    snprintf(path, sizeof path, "%s", px_pair_path(pair));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, geteuid() == 0 ? 0711 : 0700);
    px_pair_free(pair);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

START_TEST(a_process_that_is_not_expected_is_turned_away)
{
    rig_on_nng();
    rig_expected_pid = getpid() + 1;
    rig_pair();
    rig_note(1, 1, 10, 10);
    wait_for(&sides[1].ends, 1);
    ck_assert_uint_eq(alice()->notes, 0);
    rig_expected_pid = 0;
    rig_end();
    rig_on_stream();
}
END_TEST

START_TEST(nobody_is_there_to_be_dialled)
{
    struct px_pair *pair = NULL;
    ck_assert_int_eq(px_pair_dial("/nonexistent/s", &pair), PX_EIO);
    ck_assert_ptr_null(pair);
}
END_TEST

int main(void)
{
    if (!px_pair_is_built()) {
        printf("SKIPPED: this build has no nng\n");
        return 77;
    }
    Suite *suite = suite_create("pair");
    TCase *crosses = tcase_create("crosses"), *strangers = tcase_create("strangers");
    suite_add_tcase(suite, crosses);
    suite_add_tcase(suite, strangers);
    tcase_set_timeout(crosses, 60);
    tcase_add_checked_fixture(crosses, rig_on_nng, rig_on_stream);
    tcase_add_test(crosses, messages_cross_in_order_whatever_their_sizes);
    tcase_add_test(crosses, a_call_is_answered_from_the_far_side);
    tcase_add_test(crosses, no_more_than_32_messages_are_on_their_way_and_the_rest_goes_together);
    tcase_add_test(crosses, both_sides_may_be_out_of_credit_at_once);
    tcase_add_test(crosses, a_pair_that_is_closed_ends_the_lane);
    tcase_add_test(strangers, its_path_is_in_a_folder_of_its_own_and_goes_with_it);
    tcase_add_test(strangers, a_process_that_is_not_expected_is_turned_away);
    tcase_add_test(strangers, nobody_is_there_to_be_dialled);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
