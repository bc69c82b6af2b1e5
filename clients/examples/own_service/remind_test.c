/* remind_test.c - the service alone, with the real kernel and a clock that stands still until told
 * to move. CC0, no rights reserved.
 */
#include <check.h>
#include <px/test.h>
#include <stdlib.h>
#include <string.h>

#include "remind.h"
#include "remind.pb-c.h"

PX_TEST_FAIL_CHECK(fail_test);

static struct px_sim_system *system_new(struct px_sim *sim)
{
    struct px_sim_system *system = px_sim_system_new(sim, "test", 1);
    px_sim_add(system, 0, &remind_service, NULL, NULL);
    px_sim_add_recorder(system, 0, "asker");
    px_sim_allow(system, "asker", &contract_remind, "remind");
    px_sim_start(system);
    return system;
}

static px_call_id wish(struct px_sim_system *system, uint32_t in_ms, const char *text, uint64_t tag)
{
    struct px_env *asker = px_sim_env(system, "asker");
    Remind__Wish *m = px_msg_new(asker, &remind__wish__descriptor);
    m->in_ms = in_ms;
    px_msg_put(m, &m->text, text, strlen(text));
    return px_call(asker, px_sim_addr(system, "remind"), REMIND_LATER, m, PX_NEVER, tag);
}

START_TEST(a_reminder_comes_when_its_time_has_come_and_not_before)
{
    struct px_sim *sim = px_sim_new(&(struct px_sim_config){.seed = 1, .fail = fail_test});
    struct px_sim_system *system = system_new(sim);
    wish(system, 1000, "tea", 7);
    sim_advance_us(sim, 999999);
    sim_expect_silence(sim);
    sim_advance_us(sim, 1);
    const struct px_msg *reply = sim_expect_reply(system, "asker", 7, PX_OK);
    const Remind__Reminder *reminder = reply->body;
    ck_assert_uint_eq(reminder->text.len, 3);
    ck_assert_mem_eq(reminder->text.data, "tea", 3);
    px_sim_free(sim);
}
END_TEST

START_TEST(a_wish_for_nothing_is_refused)
{
    struct px_sim *sim = px_sim_new(&(struct px_sim_config){.seed = 1, .fail = fail_test});
    struct px_sim_system *system = system_new(sim);
    wish(system, 0, "tea", 1);
    wish(system, 1000, "", 2);
    sim_settle(sim);
    sim_expect_reply(system, "asker", 1, PX_BAD_REQUEST);
    sim_expect_reply(system, "asker", 2, PX_BAD_REQUEST);
    px_sim_free(sim);
}
END_TEST

START_TEST(an_asker_that_gives_up_leaves_nothing_behind)
{
    struct px_sim *sim = px_sim_new(&(struct px_sim_config){.seed = 1, .fail = fail_test});
    struct px_sim_system *system = system_new(sim);
    px_call_id call = wish(system, 1000, "tea", 3);
    sim_settle(sim);
    px_cancel(px_sim_env(system, "asker"), call);
    sim_settle(sim);
    sim_expect_reply(system, "asker", 3, PX_CANCELLED);
    sim_expect_ledgers_zero(system, 0);
    px_sim_free(sim);
}
END_TEST

int main(void)
{
    TCase *behaviour = tcase_create("behaviour");
    tcase_add_test(behaviour, a_reminder_comes_when_its_time_has_come_and_not_before);
    tcase_add_test(behaviour, a_wish_for_nothing_is_refused);
    tcase_add_test(behaviour, an_asker_that_gives_up_leaves_nothing_behind);
    Suite *suite = suite_create("remind");
    suite_add_tcase(suite, behaviour);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
