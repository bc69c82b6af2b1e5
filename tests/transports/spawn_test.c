/* spawn_test.c - the supervisor and real processes that behave oddly. The clock of the kernel
 * stands still; what is waited for are descriptors.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <px/posix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktest.pb-c.h"
#include "ktest_contract.h"
#include "lane.h"
#include "supervisor.h"

enum { ALICE = 1, BOB = 2, TURNS_MAX = 2000 };

static struct rig {
    struct px_posix *os;
    struct px_world world;
    struct px_kernel *kernel;
    px_addr link, spawn;
    uint64_t now_us;
    struct px_hello hello;
    uint32_t n_fds;
    uint32_t gone, back;
    uint32_t n_said, n_crashes, n_traced;
    enum px_log_level said_level;
    char said[512];
} rig;

static const struct px_contract *const contracts[] = {&px_contract_toy};

/* ---- alice, who may speak to bob ---- */

struct alice {
    struct px_env *env;
};

static enum px_err alice_init(void *state, struct px_env *env)
{
    ((struct alice *)state)->env = env;
    return PX_EOK;
}

static void alice_gone(void *state, px_peer peer)
{
    (void)state;
    (void)peer;
    rig.gone++;
}

static void alice_back(void *state, px_peer peer)
{
    (void)state;
    (void)peer;
    rig.back++;
}

static const struct px_service alice_service = {.name = "alice",
                                                .state_size = sizeof(struct alice),
                                                .init = alice_init,
                                                .gone = alice_gone,
                                                .back = alice_back};

static void alice_says(void)
{
    struct px_env *env = px_kernel_env(rig.kernel, ALICE);
    px_send(env, BOB, TOY_NOTE, px_msg_new(env, &ktest__number__descriptor), 0);
}

/* ---- the rig ---- */

static uint64_t standing_still(void *ctx)
{
    (void)ctx;
    return rig.now_us;
}

static uint32_t fds_open(void)
{
    uint32_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

static void keep_line(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    if (strncmp(line, "spawn domain_says", 17) == 0) {
        rig.n_said++;
        rig.said_level = level;
        snprintf(rig.said, sizeof rig.said, "%s", line);
    }
    rig.n_crashes += strncmp(line, "spawn domain_crashed", 20) == 0 ? 1 : 0;
    rig.n_traced += strncmp(line, "kernel trace", 12) == 0 ? 1 : 0;
}

static void begin(void)
{
    const struct px_posix_config config = {.log = keep_line};
    px_addr addr = 0;
    memset(&rig, 0, sizeof rig);
    rig.now_us = 1000000;
    rig.n_fds = fds_open();
    px_hello_fill("test 1.0", contracts, 1, &rig.hello);
    ck_assert_int_eq(px_posix_new(&config, &rig.os), PX_EOK);
    rig.world = *px_posix_world(rig.os);
    rig.world.monotonic_us = standing_still;
    ck_assert_int_eq(px_kernel_new(&rig.world, NULL, &rig.kernel), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(rig.kernel, &px_contract_toy), PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &alice_service, NULL, NULL, &addr), PX_EOK);
    ck_assert_int_eq(px_kernel_add_remote(rig.kernel, "bob", &addr), PX_EOK);
    ck_assert_uint_eq(addr, BOB);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &px_link_service, NULL, NULL, &rig.link), PX_EOK);
    ck_assert_int_eq(px_kernel_add(rig.kernel, &px_spawn_service, NULL, NULL, &rig.spawn), PX_EOK);
    ck_assert_int_eq(px_kernel_allow(rig.kernel, ALICE, PX_C_TOY, BOB), PX_EOK);
    ck_assert_int_eq(px_kernel_start(rig.kernel), PX_EOK);
}

static struct px_env *spawn_env(void)
{
    return px_kernel_env(rig.kernel, rig.spawn);
}

/* Nothing is left: no process, no zombie, no descriptor. */
static void end(void)
{
    px_spawn_end(spawn_env());
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    px_kernel_free(rig.kernel);
    px_posix_free(rig.os);
    ck_assert_uint_eq(fds_open(), rig.n_fds);
}

static enum px_err add_with(const char *how, const char *program, bool no_spare)
{
    static const px_addr bob = BOB;
    Link__SetupOf setup = LINK__SETUP_OF__INIT;
    const struct px_spawn_domain domain = {.name = "odd",
                                           .program = program,
                                           .mailboxes = &bob,
                                           .n_mailboxes = 1,
                                           .setup = &setup,
                                           .hello = &rig.hello,
                                           .no_spare = no_spare};
    ck_assert_int_eq(setenv("ODD_DOMAIN", how, 1), 0);
    return px_spawn_add(spawn_env(), &domain);
}

static enum px_err add(const char *how, const char *program)
{
    return add_with(how, program, true);
}

static void start(const char *how)
{
    ck_assert_int_eq(add(how, ODD_DOMAIN_PROGRAM), PX_EOK);
}

static void start_with_spare(const char *how)
{
    ck_assert_int_eq(add_with(how, ODD_DOMAIN_PROGRAM, false), PX_EOK);
}

static struct px_spawn_figures look(void)
{
    struct px_spawn_figures figures;
    ck_assert(px_spawn_look(spawn_env(), 0, &figures));
    return figures;
}

static uint64_t counter_of(px_addr mailbox, const char *name)
{
    const char *known = "";
    for (uint32_t i = 0; known != NULL; i++) {
        uint64_t value = px_kernel_counter(rig.kernel, mailbox, i, &known);
        if (known != NULL && strcmp(known, name) == 0) {
            return value;
        }
    }
    ck_abort_msg("no counter %s", name);
}

static uint64_t counter(const char *name)
{
    return counter_of(rig.spawn, name);
}

/* Waits for descriptors, never for the clock. */
static void wait_for(enum px_spawn_state state, uint32_t starts)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        struct px_spawn_figures f = look();
        if (f.state == state && f.starts == starts) {
            return;
        }
        px_kernel_turn(rig.kernel, PX_MS(10));
    }
    ck_abort_msg("state %d after %u starts: %s", (int)look().state, look().starts, look().why);
}

/* The same for a domain that ends by itself, as soon as it has been greeted: no turn comes until it
 * has. The supervisor asks how it ended when the link does, and waits a millisecond for the answer;
 * how long the system takes to end a process is its own affair. */
static void wait_for_deaths(uint32_t starts)
{
    siginfo_t info;
    int pid = 0;
    for (int i = 0; i < TURNS_MAX && look().state != PX_SPAWN_WAITING; i++) {
        uint64_t sends = counter_of(rig.link, "sends");
        px_kernel_turn(rig.kernel, 0);
        if (look().pid != pid && counter_of(rig.link, "sends") > sends) { /* greeted */
            pid = look().pid;
            ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        }
    }
    ck_assert_int_eq(look().state, PX_SPAWN_WAITING);
    ck_assert_uint_eq(look().starts, starts);
}

/* Turns until something has come in `n` times in all, whenever the system carries it. */
static void wait_for_reads(uint64_t n)
{
    for (int i = 0; i < TURNS_MAX && counter_of(rig.link, "reads") < n; i++) {
        px_kernel_turn(rig.kernel, PX_MS(10));
    }
    ck_assert_uint_ge(counter_of(rig.link, "reads"), n);
}

static void advance_ms(uint32_t ms)
{
    rig.now_us += PX_MS(ms);
    px_kernel_turn(rig.kernel, 0);
    px_kernel_turn(rig.kernel, 0);
}

/* ---- tests ---- */

START_TEST(a_domain_that_is_ready_has_its_mailboxes)
{
    start("good");
    wait_for(PX_SPAWN_SERVING, 1);
    px_kernel_turn(rig.kernel, 0);
    ck_assert_uint_eq(rig.back, 1);
    ck_assert_uint_ne(px_mailbox_peer(spawn_env(), BOB), 0);
    ck_assert_str_eq(look().sandbox, "odd");
    ck_assert_int_gt(look().pid, 0);
}
END_TEST

START_TEST(a_killed_domain_is_replaced_at_once)
{
    start("good");
    wait_for(PX_SPAWN_SERVING, 1);
    advance_ms(SPAWN_STABLE_MS);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    wait_for(PX_SPAWN_SERVING, 2); /* no time has passed */
    px_kernel_turn(rig.kernel, 0);
    ck_assert_uint_eq(rig.gone, 1);
    ck_assert_uint_eq(rig.back, 2);
    ck_assert_uint_eq(counter("backoffs"), 0);
}
END_TEST

START_TEST(three_quick_deaths_make_it_wait_longer_each_time)
{
    start("quick");
    wait_for_deaths(3);
    ck_assert_str_eq(look().why, "exited with 0");
    advance_ms(SPAWN_BACKOFF_MS - 1);
    ck_assert_int_eq(look().state, PX_SPAWN_WAITING);
    advance_ms(1);
    wait_for(PX_SPAWN_WAITING, 4);
    advance_ms(2 * SPAWN_BACKOFF_MS - 1);
    ck_assert_int_eq(look().state, PX_SPAWN_WAITING);
    advance_ms(1);
    wait_for(PX_SPAWN_WAITING, 5);
    for (uint32_t i = 0; i < 12; i++) {
        advance_ms(SPAWN_BACKOFF_MAX_MS); /* never longer than this */
        wait_for(PX_SPAWN_WAITING, 6 + i);
    }
}
END_TEST

START_TEST(a_life_of_more_than_a_second_forgives_quick_deaths)
{
    start("good");
    for (uint32_t i = 1; i <= 5; i++) {
        wait_for(PX_SPAWN_SERVING, i);
        advance_ms(i % 2 == 0 ? SPAWN_STABLE_MS : 0); /* two quick deaths, never three in a row */
        ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    }
    wait_for(PX_SPAWN_SERVING, 6);
    ck_assert_uint_eq(counter("backoffs"), 0);
}
END_TEST

static void expect_failing(const char *how, const char *why)
{
    start(how);
    wait_for(PX_SPAWN_WAITING, SPAWN_QUICK_DEATHS);
    ck_assert_str_eq(look().why, why);
    ck_assert_uint_eq(rig.back, 0);
}

START_TEST(one_that_dies_before_it_is_ready_says_how)
{
    start("dies");
    wait_for_deaths(SPAWN_QUICK_DEATHS);
    ck_assert_str_eq(look().why, "exited with 7");
    ck_assert_uint_eq(rig.back, 0);
}
END_TEST

START_TEST(one_that_refuses_says_why)
{
    expect_failing("refuses", "no?way");
}
END_TEST

START_TEST(one_that_speaks_something_else_is_ended)
{
    expect_failing("babbles", "the far end does not speak this protocol");
}
END_TEST

START_TEST(another_version_is_refused_naming_both)
{
    expect_failing("other version",
                   "test 1.0 speaks version 1 of the link protocol and odd 1.0 version 2");
}
END_TEST

START_TEST(another_form_of_a_contract_is_refused_naming_both)
{
    char why[PX_HELLO_WHY_MAX];
    unsigned long long hash = px_contract_hash(&px_contract_toy);
    snprintf(
        why, sizeof why,
        "contract ktest.Toy is %016llx in test 1.0 and %016llx in odd 1.0: they are not of one "
        "build",
        hash, hash + 1);
    expect_failing("other contract", why);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_named)
{
    ck_assert_int_eq(add("", "/nonexistent/px-domain"), PX_EOK);
    ck_assert_int_eq(look().state, PX_SPAWN_WAITING);
    ck_assert_str_eq(look().why, "/nonexistent/px-domain: No such file or directory");
}
END_TEST

START_TEST(one_that_is_never_ready_is_replaced_after_5_seconds)
{
    start("silent");
    advance_ms(SPAWN_READY_MS - 1);
    ck_assert_uint_eq(look().starts, 1);
    advance_ms(1);
    ck_assert_uint_eq(look().starts, 2);
    ck_assert_str_eq(look().why, "hung: it was not ready within 5 s");
    ck_assert_uint_eq(counter("hung"), 1);
}
END_TEST

START_TEST(a_second_Ready_ends_it)
{
    start("ready twice");
    wait_for(PX_SPAWN_WAITING, SPAWN_QUICK_DEATHS);
    ck_assert_str_eq(look().why, "it broke the protocol of the link");
}
END_TEST

START_TEST(a_hung_domain_is_replaced_after_3_silent_seconds)
{
    start("deaf");
    wait_for(PX_SPAWN_SERVING, 1);
    alice_says();
    px_kernel_turn(rig.kernel, 0);
    for (int i = 0; i < SPAWN_BEATS_MAX - 1; i++) {
        advance_ms(SPAWN_BEAT_MS);
        ck_assert_int_eq(look().state, PX_SPAWN_SERVING);
    }
    advance_ms(SPAWN_BEAT_MS);
    ck_assert_uint_eq(look().starts, 2);
    ck_assert_str_eq(look().why, "hung: it has not answered for 3 s");
    wait_for(PX_SPAWN_SERVING, 2);
}
END_TEST

START_TEST(a_domain_that_nobody_talks_to_is_not_asked)
{
    start("deaf");
    wait_for(PX_SPAWN_SERVING, 1);
    for (int i = 0; i < 20; i++) {
        advance_ms(SPAWN_BEAT_MS);
    }
    ck_assert_int_eq(look().state, PX_SPAWN_SERVING);
    ck_assert_uint_eq(px_kernel_next_us(rig.kernel), PX_NEVER); /* an idle system sleeps */
}
END_TEST

START_TEST(a_domain_that_answers_is_left_in_peace)
{
    uint32_t pings = 0;
    start("good");
    wait_for(PX_SPAWN_SERVING, 1);
    uint64_t in = counter_of(rig.link, "reads");
    wait_for_reads(in + 1); /* Begin goes out, and is answered like everything else */
    alice_says();
    for (int i = 0; i < 20; i++) {
        uint64_t out = counter_of(rig.link, "sends");
        in = counter_of(rig.link, "reads");
        advance_ms(SPAWN_BEAT_MS);
        if (counter_of(rig.link, "sends") > out) { /* a Ping, and it answers */
            pings++;
            wait_for_reads(in + 1);
        }
    }
    ck_assert_int_eq(look().state, PX_SPAWN_SERVING);
    ck_assert_uint_eq(look().starts, 1);
    ck_assert_uint_gt(pings, 0);
    ck_assert_uint_eq(px_kernel_next_us(rig.kernel), PX_NEVER);
}
END_TEST

START_TEST(stopping_waits_for_Stopped)
{
    start("good");
    wait_for(PX_SPAWN_SERVING, 1);
    px_kernel_stop(rig.kernel);
    ck_assert(!px_kernel_drained(rig.kernel));
    wait_for(PX_SPAWN_STOPPED, 1);
    ck_assert(px_kernel_drained(rig.kernel));
}
END_TEST

START_TEST(one_that_dies_while_stopping_has_stopped)
{
    start("deaf");
    wait_for(PX_SPAWN_SERVING, 1);
    px_kernel_stop(rig.kernel);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    wait_for(PX_SPAWN_STOPPED, 1);
    ck_assert(px_kernel_drained(rig.kernel));
}
END_TEST

START_TEST(one_that_has_not_started_is_stopped_at_once)
{
    start("silent");
    px_kernel_stop(rig.kernel);
    ck_assert_int_eq(look().state, PX_SPAWN_STOPPED);
    ck_assert(px_kernel_drained(rig.kernel));
}
END_TEST

START_TEST(there_are_32_domains_and_no_more)
{
    for (int i = 0; i < PX_SPAWN_DOMAINS_MAX; i++) {
        ck_assert_int_eq(add("", "/nonexistent/px-domain"), PX_EOK);
    }
    ck_assert_int_eq(add("", "/nonexistent/px-domain"), PX_ELIMIT);
}
END_TEST

START_TEST(a_program_that_ignores_its_children_is_served_too)
{
    ck_assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    start("good");
    wait_for(PX_SPAWN_SERVING, 1);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    wait_for(PX_SPAWN_SERVING, 2);
    ck_assert(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}
END_TEST

/* ---- spares ---- */

static void wait_for_spare(void)
{
    advance_ms(SPAWN_SPARE_MS);
    for (int i = 0; i < TURNS_MAX && !look().spare_is_ready; i++) {
        px_kernel_turn(rig.kernel, PX_MS(10));
    }
    ck_assert(look().spare_is_ready);
}

START_TEST(a_spare_is_kept_ready_and_takes_over_without_a_start)
{
    start_with_spare("good");
    wait_for(PX_SPAWN_SERVING, 1);
    ck_assert_int_eq(look().spare_pid, 0);
    wait_for_spare();
    int spare = look().spare_pid;
    ck_assert_int_gt(spare, 0);
    ck_assert_int_ne(spare, look().pid);
    ck_assert_uint_eq(rig.back, 1);
    advance_ms(SPAWN_STABLE_MS);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    wait_for(PX_SPAWN_SERVING, 2);
    px_kernel_turn(rig.kernel, 0);
    ck_assert_int_eq(look().pid, spare);
    ck_assert_uint_eq(counter("processes"), 2);
    ck_assert_uint_eq(counter("spares"), 1);
    ck_assert_uint_eq(rig.back, 2);
    wait_for_spare();
    ck_assert_int_ne(look().spare_pid, spare);
}
END_TEST

START_TEST(a_spare_that_is_not_ready_yet_takes_over_when_it_is)
{
    start_with_spare("good");
    wait_for(PX_SPAWN_SERVING, 1);
    advance_ms(SPAWN_STABLE_MS);
    int spare = look().spare_pid;
    ck_assert_int_gt(spare, 0);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    wait_for(PX_SPAWN_SERVING, 2);
    ck_assert_int_eq(look().pid, spare);
}
END_TEST

START_TEST(a_spare_that_dies_is_replaced_later_each_time)
{
    start_with_spare("good");
    wait_for(PX_SPAWN_SERVING, 1);
    advance_ms(SPAWN_SPARE_MS);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_gt(look().spare_pid, 0);
        ck_assert_int_eq(kill(look().spare_pid, SIGKILL), 0);
        for (int k = 0; k < TURNS_MAX && counter("spare_deaths") == i; k++) {
            px_kernel_turn(rig.kernel, PX_MS(10));
        }
        advance_ms(((uint32_t)SPAWN_BACKOFF_MS << i) - 1);
        ck_assert_int_eq(look().spare_pid, 0);
        advance_ms(1);
    }
    ck_assert_int_gt(look().spare_pid, 0);
    ck_assert_uint_eq(look().starts, 1);
    ck_assert_int_eq(look().state, PX_SPAWN_SERVING);
}
END_TEST

START_TEST(a_domain_and_its_spare_may_die_at_once)
{
    start_with_spare("good");
    wait_for(PX_SPAWN_SERVING, 1);
    wait_for_spare();
    advance_ms(SPAWN_STABLE_MS);
    ck_assert_int_eq(kill(look().spare_pid, SIGKILL), 0);
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    for (int i = 0; i < TURNS_MAX && look().starts < 2; i++) {
        px_kernel_turn(rig.kernel, PX_MS(10));
    }
    wait_for(PX_SPAWN_SERVING, look().starts);
    ck_assert_uint_le(look().starts, 3);
    ck_assert_uint_eq(counter("backoffs"), 0);
}
END_TEST

START_TEST(stopping_ends_the_spare_too)
{
    start_with_spare("good");
    wait_for(PX_SPAWN_SERVING, 1);
    wait_for_spare();
    px_kernel_stop(rig.kernel);
    ck_assert_int_eq(look().spare_pid, 0);
    wait_for(PX_SPAWN_STOPPED, 1);
    ck_assert(px_kernel_drained(rig.kernel));
}
END_TEST

START_TEST(three_quick_deaths_make_it_wait_with_spares_too)
{
    start_with_spare("quick");
    for (int i = 0; i < TURNS_MAX && look().state != PX_SPAWN_WAITING; i++) {
        px_kernel_turn(rig.kernel, PX_MS(10));
    }
    ck_assert_int_eq(look().state, PX_SPAWN_WAITING);
    ck_assert_uint_eq(look().starts, SPAWN_QUICK_DEATHS);
    ck_assert_uint_eq(counter("backoffs"), 1);
}
END_TEST

/* ---- what it says ---- */

static void wait_for_words(uint32_t n)
{
    for (int i = 0; i < TURNS_MAX && rig.n_said < n; i++) {
        px_kernel_turn(rig.kernel, PX_MS(10));
    }
    ck_assert_uint_eq(rig.n_said, n);
}

START_TEST(what_it_writes_to_its_standard_error_is_logged_here)
{
    start("talks");
    wait_for_words(2);
    ck_assert_ptr_nonnull(strstr(rig.said, "domain=odd"));
    ck_assert_ptr_nonnull(strstr(rig.said, "line=h1 peer n=3?"));
    ck_assert_int_eq(rig.said_level, PX_LOG_INFO);
}
END_TEST

START_TEST(the_ring_is_logged_when_it_crashes_and_not_when_it_is_killed)
{
    start("good");
    wait_for(PX_SPAWN_SERVING, 1);
    advance_ms(SPAWN_STABLE_MS);
    alice_says();
    ck_assert_int_eq(kill(look().pid, SIGKILL), 0);
    wait_for(PX_SPAWN_SERVING, 2);
    ck_assert_uint_eq(rig.n_crashes, 0);
    advance_ms(SPAWN_STABLE_MS);
    ck_assert_int_eq(kill(look().pid, SIGSYS), 0); /* no sanitizer catches it */
    wait_for(PX_SPAWN_SERVING, 3);
    ck_assert_uint_eq(rig.n_crashes, 1);
    ck_assert_uint_gt(rig.n_traced, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_domain_that_is_ready_has_its_mailboxes,
        a_killed_domain_is_replaced_at_once,
        three_quick_deaths_make_it_wait_longer_each_time,
        a_life_of_more_than_a_second_forgives_quick_deaths,
        one_that_dies_before_it_is_ready_says_how,
        one_that_refuses_says_why,
        one_that_speaks_something_else_is_ended,
        another_version_is_refused_naming_both,
        another_form_of_a_contract_is_refused_naming_both,
        a_program_that_is_not_there_is_named,
        one_that_is_never_ready_is_replaced_after_5_seconds,
        a_second_Ready_ends_it,
        a_hung_domain_is_replaced_after_3_silent_seconds,
        a_domain_that_nobody_talks_to_is_not_asked,
        a_domain_that_answers_is_left_in_peace,
        stopping_waits_for_Stopped,
        one_that_dies_while_stopping_has_stopped,
        one_that_has_not_started_is_stopped_at_once,
        there_are_32_domains_and_no_more,
        a_program_that_ignores_its_children_is_served_too,
        a_spare_is_kept_ready_and_takes_over_without_a_start,
        a_spare_that_is_not_ready_yet_takes_over_when_it_is,
        a_spare_that_dies_is_replaced_later_each_time,
        a_domain_and_its_spare_may_die_at_once,
        stopping_ends_the_spare_too,
        three_quick_deaths_make_it_wait_with_spares_too,
        what_it_writes_to_its_standard_error_is_logged_here,
        the_ring_is_logged_when_it_crashes_and_not_when_it_is_killed,
    };
    Suite *suite = suite_create("spawn");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
