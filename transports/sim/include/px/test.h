/* test.h - testing a service with the real kernel and a made-up world: recorders at every other
 * mailbox, expectations that say what came instead, ledgers, and seeds.
 *
 *     sim = px_sim_new(&(struct px_sim_config){.fail = my_fail});
 *     system = px_sim_system_new(sim, "test", 1);
 *     px_sim_add(system, 0, &px_echo_service, NULL, NULL);
 *     px_sim_add_recorder(system, 0, "asker");
 *     px_sim_add_recorder(system, 0, "wire");
 *     px_sim_allow(system, "asker", &px_contract_echo, "echo");
 *     px_sim_allow(system, "echo", &px_contract_wire, "wire");
 *     px_sim_start(system);
 *     ...
 *     const struct px_msg *probe = sim_expect(system, "wire", WIRE_PROBE);
 *     sim_advance_us(sim, 149999);
 *     sim_expect_silence(sim);
 *
 * A failed expectation calls px_sim_config.fail with what was expected, what came, the last log
 * lines and the seed. PX_TEST_FAIL_CHECK makes one for libcheck.
 */
#ifndef PX_TEST_H
#define PX_TEST_H

#include <px/sim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- time, as in px/sim.h ---- */

/* px_sim_advance_us. */
#define sim_advance_us(sim, us) px_sim_advance_us((sim), (us))
/* px_sim_settle. */
#define sim_settle(sim) px_sim_settle(sim)

/* ---- what recorders got: each mailbox in the order of arrival ---- */

/* The next thing recorded at `mailbox` must be a oneway or a call of `method`. It stays valid until
 * the next expectation at that mailbox. A call may be answered with px_reply(px_sim_env(system,
 * mailbox), ...). */
#define sim_expect(system, mailbox, method)                                                        \
    px_test_expect((system), (mailbox), (method), __FILE__, __LINE__)
/* The next thing must be the final reply to a call made by the recorder with this tag. */
#define sim_expect_reply(system, mailbox, tag, status)                                             \
    px_test_expect_reply((system), (mailbox), (tag), (status), __FILE__, __LINE__)
/* The next thing must be an item of a stream call made by the recorder with this tag. */
#define sim_expect_item(system, mailbox, tag)                                                      \
    px_test_expect_item((system), (mailbox), (tag), __FILE__, __LINE__)
/* The next thing must be the end of a call to the recorder (px_call_tag). */
#define sim_expect_ended(system, mailbox, tag, reason)                                             \
    px_test_expect_ended((system), (mailbox), (tag), (reason), __FILE__, __LINE__)
/* Payload of a message, gathered, must be these bytes. */
#define sim_expect_payload(system, msg, data, len)                                                 \
    px_test_expect_payload((system), (msg), (data), (len), __FILE__, __LINE__)
/* No recorder of any system has anything left. */
#define sim_expect_silence(sim) px_test_expect_silence((sim), __FILE__, __LINE__)
/* Number of things recorded at `mailbox` and not yet expected. */
uint32_t px_test_recorded(const struct px_sim_system *system, const char *mailbox);
/* Throws away what was recorded there. */
void px_test_forget(struct px_sim_system *system, const char *mailbox);

/* What sim_expect calls. */
const struct px_msg *px_test_expect(struct px_sim_system *system, const char *mailbox,
                                    uint16_t method, const char *file, int line);
/* What sim_expect_reply calls. */
const struct px_msg *px_test_expect_reply(struct px_sim_system *system, const char *mailbox,
                                          uint64_t tag, enum px_status status, const char *file,
                                          int line);
/* What sim_expect_item calls. */
const struct px_msg *px_test_expect_item(struct px_sim_system *system, const char *mailbox,
                                         uint64_t tag, const char *file, int line);
/* What sim_expect_ended calls. */
void px_test_expect_ended(struct px_sim_system *system, const char *mailbox, uint64_t tag,
                          enum px_status reason, const char *file, int line);
/* What sim_expect_payload calls. */
void px_test_expect_payload(struct px_sim_system *system, const struct px_msg *msg,
                            const void *data, size_t len, const char *file, int line);
/* What sim_expect_silence calls. */
void px_test_expect_silence(struct px_sim *sim, const char *file, int line);

/* Fails the test with a formatted text. */
#define sim_require(sim, cond, ...)                                                                \
    ((cond) ? (void)0 : px_test_fail((sim), __FILE__, __LINE__, #cond, __VA_ARGS__))
/* What sim_require calls. */
__attribute__((noreturn)) void px_test_fail(struct px_sim *sim, const char *file, int line,
                                            const char *cond, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- ledgers ---- */

/* Every kernel is idle and holds nothing: no message queued, no call, hold, piece, buffer or timer;
 * and mailbox by mailbox no more pool elements than `elems_max` in the whole system (listeners
 * stay). */
#define sim_expect_ledgers_zero(system, elems_max)                                                 \
    px_test_expect_ledgers_zero((system), (elems_max), __FILE__, __LINE__)
/* What sim_expect_ledgers_zero calls. */
void px_test_expect_ledgers_zero(struct px_sim_system *system, uint32_t elems_max, const char *file,
                                 int line);

/* ---- seeds ---- */

/* Runs `storm` for `n` seeds, or as the environment says: PX_SEED=s that one alone, PX_SEEDS=n so
 * many. Prints how many ran, and each seed before a failure ends the run. */
uint64_t px_test_storm(const char *name, uint64_t n, void (*storm)(uint64_t seed, void *ctx),
                       void *ctx);

/* ---- libcheck ---- */

/* Defines `name`, a px_sim_fail_fn that fails the running libcheck test. Needs <check.h>. */
#define PX_TEST_FAIL_CHECK(name)                                                                   \
    static void name(const char *file, int line, const char *text)                                 \
    {                                                                                              \
        ck_abort_msg("%s:%d: %s", file, line, text);                                               \
    }                                                                                              \
    struct px_sim /* the macro takes a semicolon */

#ifdef __cplusplus
}
#endif

#endif
