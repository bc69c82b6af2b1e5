/* overtake_storm.c - bytes that overtake a hand-over: a client asks for the toy protocol and at
 * once sends 64 KiB of it behind the request. The stream is let go by its first owner, adopted and
 * claimed by the second, over every placement of net and both owners, while the weather changes,
 * memory fails and either owner dies at any message. What the client gets is always the beginning
 * of the one right answer, and all of it when nothing went wrong; each owner hears one Closed;
 * nothing is left behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "h1.h"
#include "h1.pb-c.h"
#include "storm.h"
#include "toy.h"

PX_TEST_FAIL_CHECK(storm_fails);

enum { PIPELINED = 65536, RUN_S = 3600 };

#define ADDRESS "10.0.0.1:80"

/* Where net, the first owner and toy live. */
static const uint8_t placements[][3] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 1, 1}, {0, 1, 2}};
enum { N_PLACEMENTS = sizeof placements / sizeof placements[0] };

/* Who hands over: its service, what the client says first, what it is answered, and how an answer
 * begins that says it cannot be done now. */
struct giver {
    const char *name, *request, *answer, *refusal;
    const struct px_service *service;
    const void *config;
};

struct storm {
    const struct giver *giver;
    struct px_sim *sim;
    struct px_sim_system *system;
    struct storm_play play;
    uint8_t *frames; /* PIPELINED bytes of toy frames */
    size_t frames_len;
    bool disturbed; /* something was made to go wrong */
};

/* Frames of random lengths whose bytes tell where they belong. */
static void frames_make(struct storm *s)
{
    size_t at = 0, room = PIPELINED;
    s->frames = malloc(room);
    ck_assert_ptr_nonnull(s->frames);
    while (at + 3 <= room) {
        size_t len = 1 + px_sim_below(s->sim, px_sim_chance(s->sim, 500) ? 40 : 4096);
        len = at + 2 + len <= room ? len : room - at - 2;
        s->frames[at] = (uint8_t)(len >> 8);
        s->frames[at + 1] = (uint8_t)len;
        for (size_t i = 0; i < len; i++) {
            size_t place = at + 2 + i;
            s->frames[place] = (uint8_t)(place ^ place >> 8 ^ place >> 16);
        }
        at += 2 + len;
    }
    s->frames_len = at;
}

static void storm_build(struct storm *s, uint64_t seed, const struct storm_plan *plan)
{
    const uint8_t *at = placements[plan->placement];
    s->sim = px_sim_new(&(struct px_sim_config){
        .seed = seed,
        .weather = plan->weather,
        .kernel = {.deliver_max = plan->deliver_max, .queue_mark = plan->deliver_max},
        .fail = storm_fails});
    char note[160];
    snprintf(note, sizeof note, "%s: placement %u, %s %u dies after turn %llu", s->giver->name,
             plan->placement, plan->whole_domain ? "the domain of victim" : "victim", plan->victim,
             (unsigned long long)plan->kill_turn);
    px_sim_note(s->sim, note);
    s->system = px_sim_system_new(s->sim, "server", (at[1] > at[2] ? at[1] : at[2]) + 1u);
    px_sim_add(s->system, at[0], &px_simnet_service, NULL, NULL);
    px_sim_add(s->system, at[1], s->giver->service, s->giver->name, s->giver->config);
    px_sim_add(s->system, at[2], &toy_service, NULL, NULL);
    px_sim_add_recorder(s->system, 0, "boot");
    px_sim_add(s->system, at[1], &app_service, NULL, NULL);
    storm_allow_boot(s->system);
    px_sim_stack(s->system, s->giver->name, "net");
    px_sim_stack(s->system, "toy", "net");
    storm_allow_giver(s->system, s->giver->name);
    px_sim_start(s->system);
    storm_listen(s->system, ADDRESS, s->giver->name, plan->send_window);
    frames_make(s);
    s->play = (struct storm_play){.sim = s->sim,
                                  .system = s->system,
                                  .plan = *plan,
                                  .victims = {s->giver->name, "toy"},
                                  .base_turns = px_sim_turns(s->sim)};
}

static void storm_done(struct storm *s)
{
    px_sim_free(s->sim);
    free(s->frames);
}

static struct px_sim_peer *client_begin(struct storm *s)
{
    struct px_sim_peer *client = px_sim_connect(s->sim, ADDRESS);
    px_sim_peer_write(client, s->giver->request, strlen(s->giver->request));
    px_sim_peer_write(client, s->frames, s->frames_len);
    px_sim_peer_fin(client);
    return client;
}

/* What came is the beginning of the right answer; `all`: the whole of it, ended in order. */
static void client_check(struct storm *s, struct px_sim_peer *client, bool all)
{
    size_t len, answer_len = strlen(s->giver->answer);
    const uint8_t *data = px_sim_peer_data(client, &len);
    size_t head = len < answer_len ? len : answer_len, refusal_len = strlen(s->giver->refusal);
    if (!all && refusal_len > 0 && len >= refusal_len &&
        memcmp(data, s->giver->refusal, refusal_len) == 0) {
        return;
    }
    size_t body = len - head;
    sim_require(s->sim, head == 0 || memcmp(data, s->giver->answer, head) == 0,
                "the answer begins with \"%.*s\"", (int)head, (const char *)data);
    sim_require(s->sim, body <= s->frames_len, "%zu bytes came, %zu were sent", body,
                s->frames_len);
    size_t same = 0;
    while (same < body && data[head + same] == s->frames[same]) {
        same++;
    }
    sim_require(s->sim, same == body, "byte %zu of %zu is not what was sent", same, body);
    if (all) {
        sim_require(s->sim, body == s->frames_len && px_sim_peer_saw_fin(client),
                    "only %zu of %zu bytes came back (status %s)", body, s->frames_len,
                    px_status_name(px_sim_peer_status(client)));
    }
}

/* A successor may get what was on its way to its predecessor, and who heard that something was lost
 * has forgotten its stream: a Closed that comes then is stale, and no stray. */
static void counters_check(struct storm *s)
{
    const char *names[] = {"toy", s->giver->service == &giver_service ? "giver" : "toy"};
    for (int i = 0; i < 2; i++) {
        struct px_kernel *kernel = px_sim_kernel(s->system, px_sim_domain_of(s->system, names[i]));
        const char *counter;
        uint64_t stray =
            px_kernel_counter(kernel, px_sim_addr(s->system, names[i]), TOY_STRAY_CLOSED, &counter);
        sim_require(s->sim, stray == 0 || s->disturbed, "%s got %d Closed about nothing", names[i],
                    (int)stray);
    }
}

/* Whatever happened before: in calm weather a new client is served, and nothing is left behind. */
static void aftermath(struct storm *s)
{
    storm_play_calm(&s->play);
    px_sim_advance_us(s->sim, 60000000);
    struct px_sim_peer *client = client_begin(s);
    px_sim_advance_us(s->sim, 10000000);
    client_check(s, client, true);
    px_sim_peer_free(client);
    px_sim_advance_us(s->sim, 60000000);
    counters_check(s);
    sim_expect_ledgers_zero(s->system, 1); /* the listener */
    sim_require(s->sim, px_sim_link_refused(s->sim) == 0 || s->disturbed,
                "a link refused a message");
}

static uint64_t storm_once(const struct giver *giver, uint64_t seed, const struct storm_plan *plan)
{
    struct storm s = {.giver = giver};
    storm_build(&s, seed, plan);
    s.disturbed = plan->fail_n != 0 || plan->fail_share != 0 || plan->weather.reset != 0 ||
                  plan->weather.vanish != 0;
    px_sim_fail_alloc(s.system, plan->fail_nth, plan->fail_n, plan->fail_share);
    uint64_t turns = px_sim_turns(s.sim);
    struct px_sim_peer *client = client_begin(&s);
    storm_play_until(&s.play, px_sim_now_us(s.sim) + PX_SEC(RUN_S));
    s.disturbed = s.disturbed || s.play.died;
    turns = px_sim_turns(s.sim) - turns;
    client_check(&s, client, !s.disturbed);
    px_sim_peer_free(client);
    aftermath(&s);
    storm_done(&s);
    return turns;
}

static void seed_run(uint64_t seed, void *ctx)
{
    struct storm_plan plan = storm_plan_of(seed, N_PLACEMENTS, 2);
    (void)storm_once(ctx, seed, &plan);
}

static const struct giver by_line = {"giver", "toy\n", "", "", &giver_service, NULL};

START_TEST(a_stream_that_is_handed_over_keeps_every_byte_in_order)
{
    px_test_storm("overtaking, by line", 1000, seed_run, (void *)(uintptr_t)&by_line);
}
END_TEST

#define REQUEST                                                                                    \
    "GET /toy HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: toy\r\n\r\n"

/* h1 hands over what asks for an upgrade; its configuration lives in the caller. */
struct by_upgrade {
    struct giver giver;
    H1__Config config;
    H1__Upgrade upgrade, *upgrades[1];
};

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static void by_upgrade_init(struct by_upgrade *u)
{
    h1__config__init(&u->config);
    h1__upgrade__init(&u->upgrade);
    u->upgrade.token = bytes_of("toy");
    u->upgrade.mailbox = bytes_of("toy");
    u->upgrades[0] = &u->upgrade;
    u->config.upgrades = u->upgrades;
    u->config.n_upgrades = 1;
    u->giver =
        (struct giver){"h1", REQUEST, TOY_ANSWER, "HTTP/1.1 503 ", &px_h1_service, &u->config};
}

START_TEST(an_upgraded_connection_keeps_every_byte_in_order)
{
    struct by_upgrade u;
    by_upgrade_init(&u);
    px_test_storm("overtaking, by upgrade", 1000, seed_run, &u.giver);
}
END_TEST

/* One of the owners dies after the first turn, the second, and so on until the run is over without.
 */
static void kill_everywhere(const struct giver *giver, uint32_t placement, uint32_t victim,
                            bool whole_domain)
{
    struct storm_plan plan = {.placement = placement,
                              .victim = victim,
                              .whole_domain = whole_domain,
                              .deliver_max = 1,
                              .restart_us = 1000,
                              .weather = {.cut = 100, .delay_us_max = 200}};
    uint64_t turns = storm_once(giver, 1, &plan);
    for (plan.kill_turn = 1; plan.kill_turn <= turns; plan.kill_turn++) {
        (void)storm_once(giver, 1, &plan);
    }
}

START_TEST(either_owner_may_die_at_any_message)
{
    for (uint32_t placement = 0; placement < N_PLACEMENTS; placement++) {
        kill_everywhere(&by_line, placement, (uint32_t)_i, false);
    }
}
END_TEST

START_TEST(h1_and_the_protocol_behind_it_may_die_at_any_message)
{
    struct by_upgrade u;
    by_upgrade_init(&u);
    for (uint32_t placement = 0; placement < N_PLACEMENTS; placement++) {
        kill_everywhere(&u.giver, placement, (uint32_t)_i % 2, _i >= 2);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("overtaking");
    TCase *seeds = tcase_create("seeds");
    tcase_set_timeout(seeds, 0);
    tcase_add_test(seeds, a_stream_that_is_handed_over_keeps_every_byte_in_order);
    tcase_add_test(seeds, an_upgraded_connection_keeps_every_byte_in_order);
    tcase_add_loop_test(seeds, h1_and_the_protocol_behind_it_may_die_at_any_message, 0, 4);
    tcase_add_loop_test(seeds, either_owner_may_die_at_any_message, 0, 2);
    suite_add_tcase(suite, seeds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
