/* system_rig.h - the service system among recorders: "dhcp" and "ntp" vote, "link" controls,
 * "asker" asks.
 */
#ifndef SYSTEM_RIG_H
#define SYSTEM_RIG_H

#include <check.h>
#include <px/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"
#include "system.pb-c.h"
#include "system_contract.h"

PX_TEST_FAIL_CHECK(rig_fail);

enum { ASK = 7, WATCH = 8, VOTE = 9 };

static struct px_sim *sim;
static struct px_sim_system *world;
static const char *const mailboxes[] = {"asker", "dhcp", "ntp", "link"};

/* With `n` further mailboxes "v0", "v1", ... */
static inline void begin_with(const System__Config *config, uint32_t n)
{
    char name[8];
    sim = px_sim_new(
        &(struct px_sim_config){.seed = 1, .kernel = {.mailboxes_max = n + 16}, .fail = rig_fail});
    world = px_sim_system_new(sim, "test", 1);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "v%u", i);
        px_sim_add_recorder(world, 0, name);
    }
    for (size_t i = 0; i < sizeof mailboxes / sizeof mailboxes[0]; i++) {
        px_sim_add_recorder(world, 0, mailboxes[i]);
    }
    px_sim_add(world, 0, &px_system_service, NULL, config);
    for (size_t i = 0; i < sizeof mailboxes / sizeof mailboxes[0]; i++) {
        px_sim_allow(world, mailboxes[i], &px_contract_system, "system");
        px_sim_allow(world, mailboxes[i], &px_contract_control, "system");
    }
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "v%u", i);
        px_sim_allow(world, name, &px_contract_system, "system");
    }
    px_sim_start(world);
}

static inline void begin(const System__Config *config)
{
    begin_with(config, 0);
}

/* A kernel has run before a test can act: so it waits for its voters. */
static inline void setup(void)
{
    static const System__Config config = {.base =
                                              PROTOBUF_C_MESSAGE_INIT(&system__config__descriptor),
                                          .target = PX_STATE_CONTEXT_CREATED};
    begin(&config);
}

static inline void teardown(void)
{
    sim_expect_silence(sim);
    for (size_t i = 0; i < sizeof mailboxes / sizeof mailboxes[0]; i++) {
        px_sim_kill(world, mailboxes[i]);
    }
    px_sim_kill(world, "system");
    sim_settle(sim);
    px_sim_free(sim);
}

static inline struct px_env *env(const char *who)
{
    return px_sim_env(world, who);
}

static inline px_call_id call(const char *who, uint16_t method, void *take_body, uint64_t tag)
{
    return px_call(env(who), px_sim_addr(world, "system"), method, take_body, PX_NEVER, tag);
}

/* ---- what is asked of it ---- */

static inline const System__Walk *get(void)
{
    call("asker", SYSTEM_GET, px_msg_new(env("asker"), &system__none__descriptor), ASK);
    return sim_expect_reply(world, "asker", ASK, PX_OK)->body;
}

static inline void expect_state(uint32_t state)
{
    ck_assert_uint_eq(get()->state->state, state);
}

static inline px_call_id watch(uint32_t n)
{
    px_call_id id =
        call("asker", SYSTEM_WATCH, px_msg_new(env("asker"), &system__none__descriptor), WATCH);
    px_call_more(env("asker"), id, n);
    return id;
}

static inline const System__StateIs *expect_change(uint32_t before, uint32_t state)
{
    const System__StateIs *m = sim_expect_item(world, "asker", WATCH)->body;
    ck_assert_uint_eq(m->before, before);
    ck_assert_uint_eq(m->state, state);
    return m;
}

static inline px_call_id vote(const char *who)
{
    px_call_id id = call(who, SYSTEM_VOTE, px_msg_new(env(who), &system__voter__descriptor), VOTE);
    px_call_more(env(who), id, 100);
    return id;
}

static inline uint64_t expect_question(const char *who, uint32_t from, uint32_t to)
{
    const System__Question *m = sim_expect_item(world, who, VOTE)->body;
    ck_assert_uint_eq(m->from, from);
    ck_assert_uint_eq(m->to, to);
    return m->round;
}

static inline void say(const char *who, uint64_t round, uint32_t what, uint32_t ms, const char *why,
                       enum px_status expected)
{
    System__VoteIs *m = px_msg_new(env(who), &system__vote_is__descriptor);
    m->round = round;
    m->vote = what;
    m->deadline_ms = ms;
    px_msg_put(m, &m->why, why, strlen(why));
    call(who, SYSTEM_ANSWER, m, ASK);
    sim_expect_reply(world, who, ASK, expected);
}

static inline void allow(const char *who, uint32_t from, uint32_t to)
{
    say(who, expect_question(who, from, to), PX_VOTE_ALLOW, 0, "", PX_OK);
}

static inline void await(uint32_t state, uint32_t ms, uint64_t tag)
{
    System__AwaitState *m = px_msg_new(env("asker"), &system__await_state__descriptor);
    m->state = state;
    m->within_ms = ms;
    call("asker", SYSTEM_AWAIT, m, tag);
}

static inline void expect_reached(uint64_t tag, enum px_status status, uint32_t state,
                                  const char *why)
{
    const System__Reached *m = sim_expect_reply(world, "asker", tag, status)->body;
    ck_assert_uint_eq(m->state, state);
    ck_assert_uint_eq(m->why.len, strlen(why));
    ck_assert(m->why.len == 0 || memcmp(m->why.data, why, m->why.len) == 0);
}

static inline void go(uint32_t state, enum px_status expected)
{
    System__Target *m = px_msg_new(env("link"), &system__target__descriptor);
    m->state = state;
    call("link", CONTROL_GO, m, ASK);
    sim_expect_reply(world, "link", ASK, expected);
}

static inline void start(void)
{
    go(PX_STATE_OPERATIONAL, PX_OK);
}

static inline void fall(uint32_t state, const char *why, enum px_status expected)
{
    System__FallTo *m = px_msg_new(env("link"), &system__fall_to__descriptor);
    m->state = state;
    px_msg_put(m, &m->why, why, strlen(why));
    call("link", CONTROL_FALL, m, ASK);
    sim_expect_reply(world, "link", ASK, expected);
}

static inline void invalidate(const char *why)
{
    System__Because *m = px_msg_new(env("link"), &system__because__descriptor);
    px_msg_put(m, &m->why, why, strlen(why));
    call("link", CONTROL_INVALIDATE_POLICY, m, ASK);
    sim_expect_reply(world, "link", ASK, PX_OK);
}

static inline bool is(ProtobufCBinaryData bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

/* Two voters are asked about the first step; its round. */
static inline uint64_t two_are_asked(void)
{
    vote("dhcp");
    vote("ntp");
    start();
    uint64_t round = expect_question("dhcp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED);
    ck_assert_uint_eq(expect_question("ntp", PX_STATE_CONTEXT_CREATED, PX_STATE_INITIALIZED),
                      round);
    return round;
}

/* Both are asked about the second one. */
static inline void expect_second_step(void)
{
    expect_question("dhcp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
    expect_question("ntp", PX_STATE_INITIALIZED, PX_STATE_IFACE_COLDPLUG);
}

/* A voter that has said yes to each step up to `state`. */
static inline void climb(const char *who, uint32_t from, uint32_t state)
{
    for (uint32_t s = from; s < state; s++) {
        allow(who, s, s + 1);
    }
}

/* ---- running ---- */

/* What main returns. `plain` begin at CONTEXT_CREATED, `configured` begin by themselves. */
static inline int rig_run(const char *name, const TTest *const *plain, size_t n_plain,
                          const TTest *const *configured, size_t n_configured)
{
    TCase *waiting = tcase_create("waiting to start");
    TCase *other = tcase_create("configured");
    tcase_add_checked_fixture(waiting, setup, teardown);
    tcase_add_checked_fixture(other, NULL, teardown);
    for (size_t i = 0; i < n_plain; i++) {
        tcase_add_test(waiting, plain[i]);
    }
    for (size_t i = 0; i < n_configured; i++) {
        tcase_add_test(other, configured[i]);
    }
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, waiting);
    suite_add_tcase(suite, other);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
