/* http_storm.c - clients on a bad network, h1, and an application that answers at once, late, in
 * streams, without reading, or never; pipelined requests in bursts, bodies both ways, slow readers,
 * lost and reset connections, failing allocations, deaths. Every request is answered at most once,
 * answers come in the order of the requests and are whole or the beginning of the right one, and
 * nothing is left behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "h1.h"
#include "h1.pb-c.h"
#include "http_client.h"
#include "storm.h"

PX_TEST_FAIL_CHECK(storm_fails);

enum { CLIENTS_MAX = 4, BURSTS_MAX = 3, RUN_S = 900, TURNS_MAX = 300 };

#define ADDRESS "10.0.0.1:80"

/* Where net, h1 and the application live. */
static const uint8_t placements[][3] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 1, 1}, {0, 1, 2}};
enum { N_PLACEMENTS = sizeof placements / sizeof placements[0] };

struct storm {
    struct px_sim *sim;
    struct px_sim_system *system;
    struct storm_play play;
    struct client clients[CLIENTS_MAX];
    uint32_t n_clients;
    H1__Config config;
    bool disturbed;
};

static void storm_build(struct storm *s, uint64_t seed, const struct storm_plan *plan)
{
    const uint8_t *at = placements[plan->placement];
    s->sim = px_sim_new(&(struct px_sim_config){
        .seed = seed,
        .weather = plan->weather,
        .kernel = {.deliver_max = plan->deliver_max, .queue_mark = plan->deliver_max},
        .fail = storm_fails});
    char note[160];
    snprintf(note, sizeof note, "placement %u, %s%s dies after turn %llu", plan->placement,
             plan->whole_domain ? "the domain of " : "", plan->victim == 0 ? "h1" : "app",
             (unsigned long long)plan->kill_turn);
    px_sim_note(s->sim, note);
    h1__config__init(&s->config);
    s->config.head_ms = s->config.write_ms = s->config.idle_ms =
        600000; /* a slow network is no fault */
    s->config.body_rate_min = 1;
    s->config.pipeline_max = 1 + px_sim_below(s->sim, 16);
    s->system = px_sim_system_new(s->sim, "server", (at[1] > at[2] ? at[1] : at[2]) + 1u);
    px_sim_add(s->system, at[0], &px_simnet_service, NULL, NULL);
    px_sim_add(s->system, at[1], &px_h1_service, NULL, &s->config);
    px_sim_add(s->system, at[2], &app_service, NULL, NULL);
    px_sim_add_recorder(s->system, 0, "boot");
    storm_allow_boot(s->system);
    px_sim_stack(s->system, "h1", "net");
    storm_allow_http(s->system, "h1");
    px_sim_start(s->system);
    storm_listen(s->system, ADDRESS, "h1", plan->send_window);
    s->play = (struct storm_play){.sim = s->sim,
                                  .system = s->system,
                                  .plan = *plan,
                                  .victims = {"h1", "app"},
                                  .base_turns = px_sim_turns(s->sim)};
}

static void storm_done(struct storm *s)
{
    for (uint32_t i = 0; i < s->n_clients; i++) {
        client_done(&s->clients[i]);
    }
    px_sim_free(s->sim);
}

static void clients_begin(struct storm *s)
{
    s->n_clients = 1 + px_sim_below(s->sim, CLIENTS_MAX);
    for (uint32_t i = 0; i < s->n_clients; i++) {
        client_plan(&s->clients[i], s->sim, 100 * (i + 1));
        s->clients[i].peer = px_sim_connect(s->sim, ADDRESS);
        if (px_sim_chance(s->sim, 250)) {
            px_sim_peer_pace(s->clients[i].peer, 300 + px_sim_below(s->sim, 3000),
                             1000 + px_sim_below(s->sim, 20000));
        }
    }
}

static void storm_run(struct storm *s)
{
    for (uint32_t burst = 0; burst < BURSTS_MAX; burst++) {
        for (uint32_t i = 0; i < s->n_clients; i++) {
            client_write(&s->clients[i], burst, BURSTS_MAX);
        }
        if (burst + 1 < BURSTS_MAX) {
            uint64_t now_us = px_sim_now_us(s->sim);
            uint64_t until_us = now_us + px_sim_below(s->sim, 3000000);
            storm_play_until(&s->play, until_us);
            px_sim_skip_to(s->sim, until_us);
        }
    }
    storm_play_until(&s->play, px_sim_now_us(s->sim) + PX_SEC(RUN_S));
    s->disturbed = s->disturbed || s->play.died;
}

/* Whatever happened before: in calm weather a new client is answered, and nothing is left behind.
 */
static void aftermath(struct storm *s)
{
    struct client client;
    storm_play_calm(&s->play);
    px_sim_advance_us(s->sim, PX_SEC(700));
    client_plan_one(&client, s->sim, 'n', 9, 5);
    client.peer = px_sim_connect(s->sim, ADDRESS);
    client_write(&client, 0, 1);
    px_sim_advance_us(s->sim, PX_SEC(10));
    (void)client_check(&client, true);
    px_sim_peer_free(client.peer);
    client_done(&client);
    px_sim_advance_us(s->sim, PX_SEC(700));
    sim_expect_ledgers_zero(s->system, 1); /* the listener */
    sim_require(s->sim, px_sim_link_refused(s->sim) == 0, "a link refused a message");
}

/* What all seeds together saw: a storm in which nothing happens finds nothing. */
struct tally {
    uint64_t asked, answered, undisturbed;
};

static uint64_t storm_once(uint64_t seed, const struct storm_plan *plan, struct tally *tally)
{
    struct storm s = {.n_clients = 0};
    storm_build(&s, seed, plan);
    s.disturbed = plan->fail_n != 0 || plan->fail_share != 0 || plan->weather.reset != 0 ||
                  plan->weather.vanish != 0;
    px_sim_fail_alloc(s.system, plan->fail_nth, plan->fail_n, plan->fail_share);
    clients_begin(&s);
    storm_run(&s);
    uint64_t turns = px_sim_turns(s.sim) - s.play.base_turns;
    for (uint32_t i = 0; i < s.n_clients; i++) {
        tally->answered += client_check(&s.clients[i], !s.disturbed);
        tally->asked += s.clients[i].n_requests;
        px_sim_peer_free(s.clients[i].peer);
    }
    tally->undisturbed += !s.disturbed;
    aftermath(&s);
    storm_done(&s);
    return turns;
}

static void seed_run(uint64_t seed, void *ctx)
{
    struct storm_plan plan = storm_plan_of(seed, N_PLACEMENTS, 2);
    (void)storm_once(seed, &plan, ctx);
}

START_TEST(requests_are_answered_once_and_in_order)
{
    struct tally tally = {0};
    uint64_t n = px_test_storm("http", 1000, seed_run, &tally);
    printf("http: %llu of %llu requests answered, %llu of %llu seeds undisturbed\n",
           (unsigned long long)tally.answered, (unsigned long long)tally.asked,
           (unsigned long long)tally.undisturbed, (unsigned long long)n);
    ck_assert_msg(n < 100 || tally.answered * 3 > tally.asked, "hardly anything was answered");
}
END_TEST

/* The storm that showed it: a restarted h1 claims a stream that is dead, and Closed finds no
 * memory. */
START_TEST(a_closed_that_is_lost_leaves_no_connection_behind)
{
    struct tally tally = {0};
    seed_run(12259, &tally);
    ck_assert_uint_gt(tally.asked, 0);
}
END_TEST

/* One of them dies after the first turn, the second, and so on until the run is over without. */
START_TEST(h1_and_the_application_may_die_at_any_message)
{
    struct tally tally = {0};
    struct storm_plan plan = {.placement = (uint32_t)_i / 4,
                              .victim = (uint32_t)_i % 2,
                              .whole_domain = _i % 4 >= 2,
                              .deliver_max = 1,
                              .restart_us = 1000,
                              .weather = {.cut = 100, .delay_us_max = 200}};
    uint64_t turns = storm_once(2, &plan, &tally);
    for (plan.kill_turn = 1; plan.kill_turn <= turns && plan.kill_turn <= TURNS_MAX;
         plan.kill_turn++) {
        (void)storm_once(2, &plan, &tally);
    }
}
END_TEST

static void expect_answered(struct px_sim_peer *peer, uint64_t at_least)
{
    ck_assert_uint_ge(px_sim_peer_received(peer), at_least);
}

START_TEST(an_idle_connection_survives_the_death_of_h1)
{
    static const char ask[] = "GET /n/1/20/0 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct storm_plan plan = {.placement = (uint32_t)_i};
    struct storm s = {.n_clients = 0};
    storm_build(&s, 1, &plan);
    struct px_sim_peer *peer = px_sim_connect(s.sim, ADDRESS);
    px_sim_peer_write(peer, ask, sizeof ask - 1);
    px_sim_advance_us(s.sim, 1000);
    uint64_t len = px_sim_peer_received(peer);
    expect_answered(peer, 20);
    px_sim_kill(s.system, "h1");
    px_sim_advance_us(s.sim, 10000);
    px_sim_peer_write(peer, ask, sizeof ask - 1);
    px_sim_advance_us(s.sim, 10000);
    ck_assert_uint_eq(px_sim_peer_received(peer), len);
    px_sim_restart(s.system, "h1");
    px_sim_advance_us(s.sim, 10000);
    expect_answered(peer, 2 * len);
    px_sim_peer_reset(peer);
    aftermath(&s);
    storm_done(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http storm");
    TCase *seeds = tcase_create("seeds");
    tcase_set_timeout(seeds, 0);
    tcase_add_test(seeds, requests_are_answered_once_and_in_order);
    tcase_add_test(seeds, a_closed_that_is_lost_leaves_no_connection_behind);
    tcase_add_loop_test(seeds, h1_and_the_application_may_die_at_any_message, 0, 4 * N_PLACEMENTS);
    tcase_add_loop_test(seeds, an_idle_connection_survives_the_death_of_h1, 0, N_PLACEMENTS);
    suite_add_tcase(suite, seeds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
