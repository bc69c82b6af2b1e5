/* trace_test.c - seeing it: the ring, logs, counters; assertions and state machines; the
 * environment.
 */
#include "ktest.h"

#include <px/assert.h>
#include <px/fsm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the ring ---- */

START_TEST(the_ring_keeps_who_what_when_and_how_it_ended)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_trace t[16];
    ck_assert_uint_eq(sizeof t[0], 32);
    kt->world.now_us = 5000000;
    kt_turn(kt);
    Ktest__Number *m = kt_number(alice, 1);
    ck_assert(px_msg_attach_take(m, kt_buf(alice, 700, 0), 0, 700));
    ck_assert(px_send(kt_env(alice), bob->addr, TOY_NOTE, m, 66));
    px_call_id call = kt_ask(alice, bob, 2, PX_SEC(1), 7);
    kt_settle(kt);
    px_reply_status(kt_env(bob), kt_state(bob)->held[0], PX_BUSY);
    kt_settle(kt);
    ck_assert_uint_eq(px_trace_read(kt->kernel, t, 16), 3);
    ck_assert_uint_eq(t[0].at_us, 5000000);
    ck_assert_uint_eq(t[0].about, 66);
    ck_assert_uint_eq(t[0].bytes, 700);
    ck_assert_uint_eq(t[0].from, alice->addr);
    ck_assert_uint_eq(t[0].to, bob->addr);
    ck_assert_uint_eq(t[0].method, TOY_NOTE);
    ck_assert_uint_eq(t[0].kind, PX_KIND_ONEWAY);
    ck_assert_uint_eq(t[0].outcome, PX_TRACE_QUEUED);
    ck_assert_uint_eq(t[0].link, 0);
    ck_assert_uint_eq(t[1].about, call);
    ck_assert_uint_eq(t[1].kind, PX_KIND_CALL);
    ck_assert_uint_eq(t[2].kind, PX_KIND_REPLY);
    ck_assert_uint_eq(t[2].status, PX_BUSY);
    ck_assert_uint_eq(t[2].from, bob->addr);
    kt_release_all(bob);
    kt_free(kt);
}
END_TEST

START_TEST(the_ring_keeps_the_newest)
{
    struct px_kernel_config config = {.trace_records = 8};
    struct kt *kt = kt_new(&config);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    struct px_trace t[20];
    kt_befriend(kt, alice, bob);
    kt_start(kt);
    ck_assert_uint_eq(px_trace_read(kt->kernel, t, 20), 0);
    for (unsigned i = 1; i <= 13; i++) {
        ck_assert(kt_note_about(alice, bob, i, i));
    }
    ck_assert_uint_eq(px_trace_read(kt->kernel, t, 20), 8);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq(t[i].about, 6 + i);
    }
    ck_assert_uint_eq(px_trace_read(kt->kernel, t, 2), 2);
    ck_assert_uint_eq(t[0].about, 12);
    ck_assert_uint_eq(t[1].about, 13);
    ck_assert_uint_eq(px_trace_read(kt->kernel, t, 0), 0);
    kt_free(kt);
}
END_TEST

static unsigned outcomes(const struct kt *kt, enum px_trace_outcome outcome)
{
    struct px_trace t[64];
    size_t n = px_trace_read(kt->kernel, t, 64);
    unsigned found = 0;
    for (size_t i = 0; i < n; i++) {
        found += t[i].outcome == outcome;
    }
    return found;
}

START_TEST(what_went_wrong_is_in_the_ring)
{
    struct px_kernel_config config = {.queue_max = 2};
    struct kt *kt = kt_new(&config);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    kt_allow(kt, alice, PX_C_TOY, bob);
    kt_start(kt);
    ck_assert(!kt_note(bob, alice, 1));
    ck_assert_uint_eq(outcomes(kt, PX_TRACE_DENIED), 1);
    ck_assert(kt_note(alice, bob, 1));
    ck_assert(kt_note(alice, bob, 2));
    ck_assert(!kt_note(alice, bob, 3));
    ck_assert_uint_eq(outcomes(kt, PX_TRACE_LOST), 1);
    kt_settle(kt);
    kt_ask(alice, bob, 5, PX_MS(1), 8);
    kt_settle(kt);
    kt_advance(kt, PX_MS(1));
    for (unsigned i = 0; i < kt_state(bob)->n_held; i++) {
        kt_reply(bob, kt_state(bob)->held[i], 1);
    }
    ck_assert_uint_ge(outcomes(kt, PX_TRACE_LATE), 1);
    ck_assert_uint_eq(outcomes(kt, PX_TRACE_LATE), kt_ledger(kt).late);
    kt_release_all(bob);
    kt_free(kt);
}
END_TEST

START_TEST(what_nobody_handles_is_in_the_ring_and_calls_are_answered)
{
    static const struct px_handler none[1] = {{STACK_BYTES, NULL}};
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *bob = kt_add(kt, "bob");
    bob->service.handlers = none;
    bob->service.n_handlers = 0;
    kt_befriend(kt, alice, bob);
    kt_start(kt);
    ck_assert(kt_note(alice, bob, 1));
    kt_ask(alice, bob, 2, PX_SEC(1), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(alice), "reply 7 UNSUPPORTED");
    ck_assert_uint_eq(outcomes(kt, PX_TRACE_NOBODY), 2);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

START_TEST(a_dump_says_it_in_lines)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    ck_assert(kt_note_about(alice, bob, 1, 4711));
    kt_ask(bob, alice, 2, PX_SEC(1), 7);
    px_trace_dump(kt->kernel, 100);
    ck_assert_ptr_nonnull(strstr(kt->world.log.str, "alice"));
    ck_assert_ptr_nonnull(strstr(kt->world.log.str, "bob"));
    ck_assert_ptr_nonnull(strstr(kt->world.log.str, "4711"));
    ck_assert_ptr_nonnull(strstr(kt->world.log.str, "Note"));
    ck_assert_ptr_nonnull(strstr(kt->world.log.str, "Ask"));
    unsigned lines = 0;
    for (const char *s = kt->world.log.str; (s = strchr(s, '\n')) != NULL; s++) {
        lines++;
    }
    ck_assert_uint_eq(lines, 2);
    kt_free(kt);
}
END_TEST

/* ---- logs and counters ---- */

START_TEST(a_log_record_is_one_line_with_the_services_name)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    PX_LOG(kt_env(alice), PX_LOG_WARN, "lease-late", PX_KV_U64("port", 67),
           PX_KV_STR("peer", "fe80::1"), PX_KV_U64("huge", UINT64_MAX));
    const char *log = kt->world.log.str;
    ck_assert(strncmp(log, "W ", 2) == 0);
    ck_assert_ptr_nonnull(strstr(log, "alice"));
    ck_assert_ptr_nonnull(strstr(log, "lease-late"));
    ck_assert_ptr_nonnull(strstr(log, " port=67"));
    ck_assert_ptr_nonnull(strstr(log, " peer=fe80::1"));
    ck_assert_ptr_nonnull(strstr(log, " huge=18446744073709551615"));
    px_log(kt_env(bob), PX_LOG_INFO, "plain", NULL, 0);
    ck_assert_ptr_nonnull(strstr(kt->world.log.str, "I bob plain\n"));
    kt_free(kt);
}
END_TEST

START_TEST(text_of_strangers_cannot_break_a_log_line)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "a\nE alice forged\r\t\x1b[31m\x7f", 24);
    text[sizeof text - 1] = '\0';
    PX_LOG(kt_env(alice), PX_LOG_ERROR, "bad",
           PX_KV_STR("said", text)); /* the world checks for newlines */
    for (const char *s = kt->world.log.str; *s != '\0'; s++) {
        ck_assert(*s == '\n' || (*s >= ' ' && *s != 0x7f));
    }
    kt_free(kt);
}
END_TEST

START_TEST(counters_count_and_have_names)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    const char *name = NULL;
    px_count(kt_env(alice), 0, 1);
    px_count(kt_env(alice), 0, UINT64_C(1) << 40);
    px_count(kt_env(alice), 1, 7);
    ck_assert_uint_eq(px_kernel_counter(kt->kernel, alice->addr, 0, &name),
                      (UINT64_C(1) << 40) + 1);
    ck_assert_str_eq(name, "heard");
    ck_assert_uint_eq(px_kernel_counter(kt->kernel, alice->addr, 1, &name), 7);
    ck_assert_str_eq(name, "sent");
    ck_assert_uint_eq(px_kernel_counter(kt->kernel, alice->addr, 2, &name), 0);
    ck_assert_ptr_null(name);
    name = "untouched";
    ck_assert_uint_eq(px_kernel_counter(kt->kernel, 99, 0, &name), 0);
    ck_assert_ptr_null(name);
    ck_assert_uint_eq(px_kernel_counter(kt->kernel, bob->addr, 0, &name), 0);
    kt_free(kt);
}
END_TEST

/* ---- the environment ---- */

START_TEST(a_service_knows_itself_and_finds_others)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    struct px_env *env = kt_env(alice);
    ck_assert_uint_eq(px_env_self(env), alice->addr);
    ck_assert_uint_eq(px_mailbox(env, "bob"), bob->addr);
    ck_assert_uint_eq(px_mailbox(env, "nobody"), 0);
    ck_assert_str_eq(px_mailbox_name(env, bob->addr), "bob");
    ck_assert_str_eq(px_mailbox_name(env, 0), "?");
    ck_assert_str_eq(px_mailbox_name(env, 4095), "?");
    ck_assert_uint_eq(px_mailbox_peer(env, bob->addr), kt_peer(bob));
    ck_assert_uint_eq(px_mailbox_peer(env, 0), 0);
    ck_assert_uint_eq(px_mailbox_peer(env, 77), 0);
    ck_assert_ptr_eq(px_env_kernel(env), kt->kernel);
    ck_assert_ptr_null(px_env_config(env));
    kt_free(kt);
}
END_TEST

START_TEST(a_configuration_must_be_of_the_type_the_service_names)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *a = kt_add_bare(kt, "a", 1);
    Ktest__Number number = KTEST__NUMBER__INIT;
    Ktest__Leaf leaf = KTEST__LEAF__INIT;
    px_addr addr;
    ck_assert_int_eq(px_kernel_add(kt->kernel, &a->service, "a", &number, &addr), PX_EINVAL);
    a->service.config = &ktest__number__descriptor;
    ck_assert_int_eq(px_kernel_add(kt->kernel, &a->service, "a", &leaf, &addr), PX_EINVAL);
    ck_assert_int_eq(px_kernel_add(kt->kernel, &a->service, "a", &number, &addr), PX_EOK);
    kt_start(kt);
    ck_assert_ptr_eq(px_env_config(kt_env(a)), &number);
    kt_free(kt);
}
END_TEST

START_TEST(chance_comes_from_the_world)
{
    struct kt_actor *alice, *bob, *carol, *dora;
    struct kt *one = kt_pair(&alice, &bob), *two = kt_pair(&carol, &dora);
    uint64_t a = px_random_u64(kt_env(alice));
    uint8_t bytes[3] = {0};
    ck_assert_uint_eq(a, px_random_u64(kt_env(carol))); /* the same seed */
    ck_assert_uint_ne(a, px_random_u64(kt_env(alice)));
    px_random(kt_env(alice), bytes, 2);
    ck_assert_uint_eq(bytes[2], 0);
    kt_free(one);
    kt_free(two);
}
END_TEST

static void record(void *ctx, const struct px_msg *msg)
{
    struct kt_actor *a = ctx;
    kt_say(a, "recorded %u %llu", msg->kind,
           msg->body != NULL ? (unsigned long long)kt_value(msg) : 0);
    if (msg->kind == PX_KIND_CALL) {
        *(const struct px_msg **)a->ctx = px_msg_hold(msg);
    }
}

START_TEST(what_goes_to_a_mailbox_nobody_holds_is_recorded)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice"), *ghost = kt_add_bare(kt, "ghost", 2);
    const struct px_msg *held = NULL;
    px_addr addr;
    ghost->ctx = &held;
    ck_assert_int_eq(px_kernel_add_recorder(kt->kernel, "ghost", record, ghost, &addr), PX_EOK);
    kt_befriend(kt, alice, ghost);
    kt_start(kt);
    ck_assert(kt_note(alice, ghost, 1));
    kt_ask(alice, ghost, 2, PX_MS(10), 7);
    kt_settle(kt);
    ck_assert_str_eq(kt_heard(ghost), "recorded 0 1; recorded 1 2");
    ck_assert_ptr_nonnull(held);
    kt_advance(kt, PX_MS(10));
    ck_assert_str_eq(kt_heard(alice), "reply 7 TIMED_OUT");
    ck_assert_str_eq(kt_heard(ghost), "recorded 4 0"); /* ended */
    px_msg_release(held);
    kt_expect_idle(kt, 0);
    kt_free(kt);
}
END_TEST

/* ---- errors ---- */

START_TEST(every_status_and_error_has_a_name_and_a_text)
{
    ck_assert_str_eq(px_status_name(PX_TIMED_OUT), "TIMED_OUT");
    ck_assert_str_eq(px_status_text(PX_OK), "done");
    ck_assert_str_eq(px_err_name(PX_ENOMEM), "ENOMEM");
    ck_assert_uint_gt(strlen(px_err_text(PX_ECYCLE)), 5);
    ck_assert_str_eq(px_status_name((enum px_status)200), "?");
    ck_assert_ptr_nonnull(px_status_text((enum px_status)200));
    ck_assert_ptr_nonnull(px_err_name((enum px_err)200));
    for (int i = 0; i <= PX_INTERNAL; i++) {
        ck_assert_uint_gt(strlen(px_status_name((enum px_status)i)), 1);
        ck_assert_uint_gt(strlen(px_status_text((enum px_status)i)), 3);
    }
}
END_TEST

/* ---- state machines and assertions ---- */

enum lamp { OFF, ON, BROKEN, N_LAMPS };

static const struct px_state lamp_table[N_LAMPS] = {
    [OFF] = {"off", PX_TO(ON) | PX_TO(BROKEN)},
    [ON] = {"on", PX_TO(OFF) | PX_TO(BROKEN)},
    [BROKEN] = {"broken", 0},
};

START_TEST(legal_moves_are_made)
{
    uint32_t lamp = OFF;
    px_fsm_move(lamp_table, &lamp, ON);
    px_fsm_move(lamp_table, &lamp, OFF);
    px_fsm_move(lamp_table, &lamp, BROKEN);
    ck_assert_uint_eq(lamp, BROKEN);
}
END_TEST

static void move_illegally(struct kt_actor *a, const struct px_msg *msg)
{
    uint32_t lamp = OFF;
    (void)a;
    px_fsm_move(lamp_table, &lamp, (uint32_t)kt_value(msg));
}

static void expect_last_words(const char *log)
{
    bool complete = strstr(log, "E ") != NULL && strstr(log, "PX_TO(next)") != NULL &&
                    strstr(log, "alice") != NULL && strstr(log, "Note") != NULL;
    if (!complete) {
        fputs(log, stderr);
        exit(EXIT_FAILURE);
    }
}

/* What a handler does with Note{value} ends the process; its last words are the ring. */
static void die_of(uint64_t value)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    bob->on_msg = move_illegally;
    kt->world.on_die = expect_last_words;
    ck_assert(kt_note(alice, bob, value));
    kt_settle(kt);
}

START_TEST(an_illegal_move_asserts_and_dumps_the_ring)
{
    die_of(OFF);
}
END_TEST

START_TEST(a_move_out_of_the_table_asserts)
{
    die_of(32);
}
END_TEST

static void assert_without_die(struct kt_actor *a, const struct px_msg *msg)
{
    (void)msg;
    PX_ASSERT(a == NULL);
}

START_TEST(without_a_way_to_die_an_assertion_traps)
{
    struct kt_world w;
    kt_world_init(&w);
    w.ops.die = NULL;
    w.ops.log = NULL;
    struct px_kernel *k;
    ck_assert_int_eq(px_kernel_new(&w.ops, NULL, &k), PX_EOK);
    px_kernel_turn(k, 0);
    assert_without_die((struct kt_actor *)(void *)k, NULL);
}
END_TEST

START_TEST(an_assertion_that_holds_does_nothing)
{
    unsigned n = 0;
    PX_ASSERT(++n == 1);
    ck_assert_uint_eq(n, 1); /* evaluated once */
}
END_TEST

static void add_assert_tests(TCase *mistakes)
{
    tcase_add_test(mistakes, legal_moves_are_made);
    tcase_add_test(mistakes, an_assertion_that_holds_does_nothing);
    if (kt_forks()) {
        tcase_add_test_raise_signal(mistakes, an_illegal_move_asserts_and_dumps_the_ring, SIGABRT);
        tcase_add_test_raise_signal(mistakes, a_move_out_of_the_table_asserts, SIGABRT);
        tcase_add_test_raise_signal(mistakes, without_a_way_to_die_an_assertion_traps,
                                    KT_TRAP_SIGNAL);
    }
}

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *ring = tcase_create("ring"), *logs = tcase_create("logs"),
          *env = tcase_create("environment");
    TCase *mistakes = tcase_create("mistakes");
    tcase_add_test(ring, the_ring_keeps_who_what_when_and_how_it_ended);
    tcase_add_test(ring, the_ring_keeps_the_newest);
    tcase_add_test(ring, what_went_wrong_is_in_the_ring);
    tcase_add_test(ring, what_nobody_handles_is_in_the_ring_and_calls_are_answered);
    tcase_add_test(ring, a_dump_says_it_in_lines);
    tcase_add_test(logs, a_log_record_is_one_line_with_the_services_name);
    tcase_add_test(logs, text_of_strangers_cannot_break_a_log_line);
    tcase_add_test(logs, counters_count_and_have_names);
    tcase_add_test(env, a_service_knows_itself_and_finds_others);
    tcase_add_test(env, a_configuration_must_be_of_the_type_the_service_names);
    tcase_add_test(env, chance_comes_from_the_world);
    tcase_add_test(env, what_goes_to_a_mailbox_nobody_holds_is_recorded);
    tcase_add_test(env, every_status_and_error_has_a_name_and_a_text);
    add_assert_tests(mistakes);
    suite_add_tcase(suite, ring);
    suite_add_tcase(suite, logs);
    suite_add_tcase(suite, env);
    suite_add_tcase(suite, mistakes);
    return kt_run(suite);
}
