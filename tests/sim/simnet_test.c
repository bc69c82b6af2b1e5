/* simnet_test.c - the mailbox net of the simulator does what stream.proto and net.proto say: what
 * is tested on it would work on a real one. The owners of streams are recorders, played by the
 * test.
 */
#include <check.h>
#include <px/test.h>

#include "net.pb-c.h"
#include "net_contract.h"
#include "storm.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

PX_TEST_FAIL_CHECK(test_fails);

#define ADDRESS "10.0.0.1:80"

struct fixture {
    struct px_sim *sim;
    struct px_sim_system *system;
    struct px_sim_peer *peer;
    px_handle lower; /* of the stream under test */
};

static struct fixture setup(void)
{
    struct fixture f = {.sim = px_sim_new(&(struct px_sim_config){.fail = test_fails})};
    f.system = px_sim_system_new(f.sim, "server", 1);
    px_sim_add(f.system, 0, &px_simnet_service, NULL, NULL);
    px_sim_add_recorder(f.system, 0, "boot");
    px_sim_add_recorder(f.system, 0, "one");
    px_sim_add_recorder(f.system, 0, "two");
    storm_allow_boot(f.system);
    px_sim_stack(f.system, "one", "net");
    px_sim_stack(f.system, "two", "net");
    px_sim_allow(f.system, "one", &px_contract_stream_upper, "two");
    px_sim_start(f.system);
    storm_listen(f.system, ADDRESS, "one", 0);
    return f;
}

static void teardown(struct fixture *f)
{
    px_sim_peer_free(f->peer);
    px_sim_advance_us(f->sim, 60000000);
    sim_expect_ledgers_zero(f->system, 1);
    px_sim_free(f->sim);
}

static px_addr net_of(const struct fixture *f)
{
    return px_sim_addr(f->system, "net");
}

static void claim(struct fixture *f, const char *owner, px_handle upper, uint32_t credit)
{
    struct px_env *env = px_sim_env(f->system, owner);
    Stream__ClaimStream *m = px_msg_new(env, &stream__claim_stream__descriptor);
    m->upper = upper;
    m->credit = credit;
    ck_assert(px_send(env, net_of(f), LOWER_CLAIM, m, f->lower));
}

static void say(struct fixture *f, const char *owner, const char *text, bool fin, bool at_rest,
                uint64_t consumed)
{
    struct px_env *env = px_sim_env(f->system, owner);
    Stream__DataBytes *m = px_msg_new(env, &stream__data_bytes__descriptor);
    size_t len = strlen(text);
    if (len > 0) {
        struct px_buf *buf = px_buf_new(env, len);
        memcpy(px_buf_data(buf), text, len);
        ck_assert(px_msg_attach_take(m, buf, 0, (uint32_t)len));
    }
    m->fin = fin;
    m->at_rest = at_rest;
    m->consumed = consumed;
    ck_assert(px_send(env, net_of(f), LOWER_DATA, m, f->lower));
}

static void end(struct fixture *f, const char *owner, bool in_order)
{
    struct px_env *env = px_sim_env(f->system, owner);
    void *m = px_msg_new(env, in_order ? &stream__close_stream__descriptor
                                       : &stream__reset_stream__descriptor);
    ck_assert(px_send(env, net_of(f), in_order ? LOWER_CLOSE : LOWER_RESET, m, f->lower));
}

static void accepted(struct fixture *f)
{
    f->peer = px_sim_connect(f->sim, ADDRESS);
    const Stream__AcceptedStream *m = sim_expect(f->system, "one", UPPER_ACCEPTED)->body;
    f->lower = m->lower;
    ck_assert_uint_eq(m->credit, 262144);
    ck_assert_uint_eq(m->remote.len, 6);
}

static void expect_closed(struct fixture *f, const char *owner, px_handle upper,
                          enum px_status reason)
{
    const struct px_msg *msg = sim_expect(f->system, owner, UPPER_CLOSED);
    ck_assert(msg->tag == upper);
    ck_assert_str_eq(
        px_status_name((enum px_status)((const Stream__ClosedStream *)msg->body)->reason),
        px_status_name(reason));
    sim_expect_silence(f->sim);
}

static void expect_data(struct fixture *f, const char *owner, const char *text)
{
    sim_expect_payload(f->system, sim_expect(f->system, owner, UPPER_DATA), text, strlen(text));
}

START_TEST(nothing_is_delivered_before_the_claim_or_beyond_credit)
{
    struct fixture f = setup();
    accepted(&f);
    char text[1025] = {0};
    memset(text, 'a', 1024);
    px_sim_peer_write(f.peer, text, 1024);
    sim_expect_silence(f.sim);
    claim(&f, "one", 5, 600);
    const struct px_msg *msg = sim_expect(f.system, "one", UPPER_DATA);
    ck_assert_uint_eq(px_msg_payload_len(msg), 600);
    ck_assert(msg->tag == 5);
    sim_expect_silence(f.sim);
    end(&f, "one", false);
    expect_closed(&f, "one", 5, PX_CANCELLED);
    ck_assert_int_eq(px_sim_peer_status(f.peer), PX_RESET);
    teardown(&f);
}
END_TEST

START_TEST(an_unclaimed_stream_is_reset_after_five_seconds_and_who_claims_it_hears_closed)
{
    struct fixture f = setup();
    accepted(&f);
    sim_advance_us(f.sim, 4999999);
    ck_assert(px_sim_peer_is_open(f.peer));
    sim_advance_us(f.sim, 1);
    ck_assert_int_eq(px_sim_peer_status(f.peer), PX_RESET);
    sim_expect_silence(f.sim);
    claim(&f, "one", 5, 65536);
    expect_closed(&f, "one", 5, PX_RESET);
    teardown(&f);
}
END_TEST

START_TEST(both_directions_may_end_one_after_the_other)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    px_sim_peer_write(f.peer, "bye", 3);
    px_sim_peer_fin(f.peer);
    uint64_t len = 0;
    bool fin = false;
    while (!fin) {
        const struct px_msg *msg = sim_expect(f.system, "one", UPPER_DATA);
        len += px_msg_payload_len(msg);
        fin = ((const Stream__DataBytes *)msg->body)->fin;
    }
    ck_assert_uint_eq(len, 3);
    sim_expect_silence(f.sim);
    say(&f, "one", "good bye", true, false, 0);
    expect_closed(&f, "one", 5, PX_OK);
    ck_assert_uint_eq(px_sim_peer_received(f.peer), 8);
    ck_assert(px_sim_peer_saw_fin(f.peer));
    teardown(&f);
}
END_TEST

START_TEST(close_says_what_is_queued_and_waits_for_the_far_end_half_a_second)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    say(&f, "one", "last words", false, false, 0);
    end(&f, "one", true);
    sim_advance_us(f.sim, 499000);
    ck_assert_uint_eq(px_sim_peer_received(f.peer), 10);
    ck_assert(px_sim_peer_saw_fin(f.peer));
    px_sim_peer_write(f.peer, "ignored", 7);
    sim_expect_silence(f.sim);
    sim_advance_us(f.sim, 1000);
    expect_closed(&f, "one", 5, PX_TIMED_OUT);
    teardown(&f);
}
END_TEST

START_TEST(who_sends_beyond_its_credit_is_cut_off)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    px_sim_weather(f.sim, &(struct px_sim_weather){.window = 1});
    px_sim_peer_pace(f.peer, 0, 1000); /* nothing is taken from us */
    for (int i = 0; i < 512; i++) {    /* each is charged 512 bytes */
        say(&f, "one", "x", false, false, 0);
    }
    /* The first byte went into the far end's window: its charge comes back, as nothing else is
     * left. */
    const Stream__CreditBytes *m = sim_expect(f.system, "one", UPPER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, PX_CHARGE_MIN);
    say(&f, "one", "x", false, false, 0);
    sim_expect_silence(f.sim);
    say(&f, "one", "x", false, false, 0);
    expect_closed(&f, "one", 5, PX_PROTOCOL);
    teardown(&f);
}
END_TEST

static void rebind(struct fixture *f, const char *to)
{
    struct px_env *env = px_sim_env(f->system, "one");
    Stream__RebindStream *m = px_msg_new(env, &stream__rebind_stream__descriptor);
    m->lower = f->lower;
    px_msg_put(m, &m->mailbox, to, strlen(to));
    (void)px_call(env, net_of(f), LOWER_REBIND, m, PX_NEVER, 8);
}

START_TEST(a_stream_let_go_delivers_nothing_until_it_is_claimed)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    px_sim_peer_write(f.peer, "before", 6);
    expect_data(&f, "one", "before");
    say(&f, "one", "x", false, false, 0);
    rebind(&f, "two");
    const Stream__Rebound *m = sim_expect_reply(f.system, "one", 8, PX_OK)->body;
    ck_assert_uint_eq(m->credit, 262144 - 512);
    px_sim_peer_write(f.peer, "after", 5);
    sim_expect_silence(f.sim);
    claim(&f, "one", 6, 65536); /* no longer its to claim */
    expect_closed(&f, "one", 6, PX_RESET);
    claim(&f, "two", 7, 65536);
    expect_data(&f, "two", "after");
    end(&f, "two", false);
    expect_closed(&f, "two", 7, PX_CANCELLED);
    teardown(&f);
}
END_TEST

START_TEST(a_stream_let_go_is_reset_by_either_owner_or_by_time)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    rebind(&f, "two");
    (void)sim_expect_reply(f.system, "one", 8, PX_OK);
    if (_i == 0) {
        end(&f, "one", false);
    } else if (_i == 1) {
        px_sim_kill(f.system, "one");
    } else if (_i == 2) {
        px_sim_kill(f.system, "two");
    } else {
        sim_advance_us(f.sim, 5000000);
    }
    px_sim_settle(f.sim);
    ck_assert_int_eq(px_sim_peer_status(f.peer), PX_RESET);
    px_sim_restart(f.system, "two");
    claim(&f, "two", 7, 65536);
    expect_closed(&f, "two", 7, PX_RESET);
    px_sim_restart(f.system, "one");
    teardown(&f);
}
END_TEST

START_TEST(a_stream_is_not_let_go_to_nobody_or_to_where_its_owner_may_not_send)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    rebind(&f, "three");
    (void)sim_expect_reply(f.system, "one", 8, PX_NOT_FOUND);
    rebind(&f, "boot");
    (void)sim_expect_reply(f.system, "one", 8, PX_DENIED);
    px_sim_peer_write(f.peer, "still", 5);
    expect_data(&f, "one", "still");
    end(&f, "one", false);
    expect_closed(&f, "one", 5, PX_CANCELLED);
    rebind(&f, "two");
    (void)sim_expect_reply(f.system, "one", 8, PX_STALE);
    teardown(&f);
}
END_TEST

START_TEST(a_stream_at_rest_survives_its_owner_and_no_other_does)
{
    struct fixture f = setup();
    accepted(&f);
    claim(&f, "one", 5, 65536);
    px_sim_peer_write(f.peer, "request", 7);
    expect_data(&f, "one", "request");
    say(&f, "one", "answer", false, true, _i == 0 ? 7 : 6); /* believed only if it is true */
    px_sim_settle(f.sim);
    px_sim_kill(f.system, "one");
    px_sim_settle(f.sim);
    ck_assert_uint_eq(px_sim_peer_received(f.peer), 6);
    ck_assert(px_sim_peer_is_open(f.peer) == (_i == 0));
    px_sim_restart(f.system, "one");
    if (_i == 0) {
        px_sim_peer_write(f.peer, "more", 4);
        const Stream__AcceptedStream *m = sim_expect(f.system, "one", UPPER_ACCEPTED)->body;
        ck_assert(m->adopted);
        f.lower = m->lower;
        claim(&f, "one", 9, 65536);
        expect_data(&f, "one", "more");
        end(&f, "one", false);
        expect_closed(&f, "one", 9, PX_CANCELLED);
    }
    sim_expect_silence(f.sim);
    teardown(&f);
}
END_TEST

static void open_stream(struct fixture *f, const char *target)
{
    struct px_env *env = px_sim_env(f->system, "one");
    Stream__OpenStream *m = px_msg_new(env, &stream__open_stream__descriptor);
    px_msg_put(m, &m->target, target, strlen(target));
    m->upper = 5;
    m->credit = 65536;
    (void)px_call(env, net_of(f), LOWER_OPEN, m, PX_MS(10000), 8);
}

START_TEST(a_stream_can_be_opened_to_a_far_end)
{
    struct fixture f = setup();
    px_sim_listen(f.sim, "unix:far");
    open_stream(&f, "unix:far");
    const Stream__Opened *m = sim_expect_reply(f.system, "one", 8, PX_OK)->body;
    f.lower = m->lower;
    f.peer = px_sim_accept(f.sim, "unix:far");
    ck_assert_ptr_nonnull(f.peer);
    px_sim_peer_write(f.peer, "hello", 5);
    expect_data(&f, "one", "hello");
    px_sim_peer_reset(f.peer);
    expect_closed(&f, "one", 5, PX_RESET);
    teardown(&f);
}
END_TEST

START_TEST(an_open_that_fails_says_why)
{
    struct fixture f = setup();
    open_stream(&f, "10.0.0.1:81");
    (void)sim_expect_reply(f.system, "one", 8, PX_REFUSED);
    open_stream(&f, "nowhere");
    (void)sim_expect_reply(f.system, "one", 8, PX_BAD_REQUEST);
    px_sim_listen(f.sim, "10.0.0.2:1");
    px_sim_partition(f.sim, f.system, NULL, true);
    open_stream(&f, "10.0.0.2:1");
    sim_expect_silence(f.sim);
    sim_advance_us(f.sim, 10000000);
    (void)sim_expect_reply(f.system, "one", 8, PX_TIMED_OUT);
    teardown(&f);
}
END_TEST

START_TEST(connections_beyond_the_limit_of_a_listener_are_closed_at_once)
{
    struct fixture f = setup();
    struct px_env *boot = px_sim_env(f.system, "boot");
    Net__ListenAt *m = px_msg_new(boot, &net__listen_at__descriptor);
    px_msg_put(m, &m->address, "10.0.0.1:82", 11);
    px_msg_put(m, &m->upper, "one", 3);
    m->connections_max = 2;
    (void)px_call(boot, net_of(&f), NET_LISTEN, m, PX_NEVER, 3);
    px_handle listener =
        ((const Net__Listening *)sim_expect_reply(f.system, "boot", 3, PX_OK)->body)->listener;
    struct px_sim_peer *peers[3];
    for (int i = 0; i < 3; i++) {
        peers[i] = px_sim_connect(f.sim, "10.0.0.1:82");
        px_sim_settle(f.sim);
    }
    (void)sim_expect(f.system, "one", UPPER_ACCEPTED);
    (void)sim_expect(f.system, "one", UPPER_ACCEPTED);
    sim_expect_silence(f.sim);
    ck_assert_int_eq(px_sim_peer_status(peers[2]), PX_RESET);
    Net__ListenerRef *ref = px_msg_new(boot, &net__listener_ref__descriptor);
    ref->listener = listener;
    (void)px_call(boot, net_of(&f), NET_UNLISTEN, ref, PX_NEVER, 4);
    (void)sim_expect_reply(f.system, "boot", 4, PX_OK);
    struct px_sim_peer *late = px_sim_connect(f.sim, "10.0.0.1:82");
    px_sim_settle(f.sim);
    ck_assert_int_eq(px_sim_peer_status(late), PX_REFUSED);
    teardown(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simnet");
    TCase *streams = tcase_create("streams");
    tcase_add_test(streams, nothing_is_delivered_before_the_claim_or_beyond_credit);
    tcase_add_test(streams,
                   an_unclaimed_stream_is_reset_after_five_seconds_and_who_claims_it_hears_closed);
    tcase_add_test(streams, both_directions_may_end_one_after_the_other);
    tcase_add_test(streams, close_says_what_is_queued_and_waits_for_the_far_end_half_a_second);
    tcase_add_test(streams, who_sends_beyond_its_credit_is_cut_off);
    tcase_add_test(streams, a_stream_let_go_delivers_nothing_until_it_is_claimed);
    tcase_add_loop_test(streams, a_stream_let_go_is_reset_by_either_owner_or_by_time, 0, 4);
    tcase_add_test(streams, a_stream_is_not_let_go_to_nobody_or_to_where_its_owner_may_not_send);
    tcase_add_loop_test(streams, a_stream_at_rest_survives_its_owner_and_no_other_does, 0, 2);
    tcase_add_test(streams, a_stream_can_be_opened_to_a_far_end);
    tcase_add_test(streams, an_open_that_fails_says_why);
    tcase_add_test(streams, connections_beyond_the_limit_of_a_listener_are_closed_at_once);
    suite_add_tcase(suite, streams);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
