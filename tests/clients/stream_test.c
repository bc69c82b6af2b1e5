/* stream_test.c - streams, between the program and a net that a recorder stands for. */
#include "app_rig.h"

enum { LOWER = 55, WINDOW = 65536 };

static struct rig rig;

static struct heard {
    struct px_stream stream;
    uint32_t n_opened, n_fin, n_drained, n_closed;
    size_t len;
    enum px_status closed;
} heard;

static void on_opened(struct px_stream stream, void *arg)
{
    (void)arg;
    heard.stream = stream;
    heard.n_opened++;
}

static void on_data(struct px_stream stream, void *arg, const void *data, size_t len)
{
    (void)stream, (void)arg, (void)data;
    heard.len += len;
}

static void on_fin(struct px_stream stream, void *arg)
{
    (void)stream, (void)arg;
    heard.n_fin++;
}

static void on_drained(struct px_stream stream, void *arg)
{
    (void)stream, (void)arg;
    heard.n_drained++;
}

static void on_closed(struct px_stream stream, void *arg, enum px_status status)
{
    (void)arg;
    heard.n_closed++;
    heard.closed = status;
    ck_assert_int_eq(px_stream_send(stream, "x", 1), PX_SENT_STALE);
}

static const struct px_stream_events events = {on_opened, on_data, on_fin, on_drained, on_closed};

static void setup(void)
{
    heard = (struct heard){.n_opened = 0};
    rig_start(&rig);
    rig.system->listeners[0] = (struct listener){.is_stream = true, .events = &events};
    rig.system->n_listeners = 1;
}

static void teardown(void)
{
    rig_end(&rig);
}

static struct px_env *net(void)
{
    return px_sim_env(rig.world, "net");
}

static void say_accepted(uint32_t credit, uint32_t listener)
{
    Stream__AcceptedStream *m = px_msg_new(net(), &stream__accepted_stream__descriptor);
    m->lower = LOWER;
    m->credit = credit;
    m->listener = listener;
    px_send(net(), rig.app, UPPER_ACCEPTED, m, 0);
    sim_settle(rig.sim);
}

static px_handle accept_one(uint32_t credit)
{
    say_accepted(credit, 0);
    const Stream__ClaimStream *m = sim_expect(rig.world, "net", LOWER_CLAIM)->body;
    ck_assert_uint_eq(m->credit, WINDOW);
    return m->upper;
}

static void say_data(px_handle to, size_t len, bool fin)
{
    Stream__DataBytes *m = px_msg_new(net(), &stream__data_bytes__descriptor);
    struct px_buf *buf = px_buf_new(net(), len == 0 ? 1 : len);
    m->fin = fin;
    if (len > 0) {
        memset(px_buf_data(buf), 'd', len);
        px_msg_attach(m, buf, 0, (uint32_t)len);
    }
    px_buf_put(buf);
    px_send(net(), rig.app, UPPER_DATA, m, to);
    sim_settle(rig.sim);
}

static void say_closed(px_handle to, enum px_status reason)
{
    Stream__ClosedStream *m = px_msg_new(net(), &stream__closed_stream__descriptor);
    m->reason = reason;
    px_send(net(), rig.app, UPPER_CLOSED, m, to);
    sim_settle(rig.sim);
}

static void say_credit(px_handle to, uint32_t bytes)
{
    Stream__CreditBytes *m = px_msg_new(net(), &stream__credit_bytes__descriptor);
    m->bytes = bytes;
    px_send(net(), rig.app, UPPER_CREDIT, m, to);
    sim_settle(rig.sim);
}

static uint64_t expect_data(bool fin)
{
    const struct px_msg *msg = sim_expect(rig.world, "net", LOWER_DATA);
    ck_assert_uint_eq(msg->tag, LOWER);
    ck_assert_int_eq(((const Stream__DataBytes *)msg->body)->fin, fin);
    return px_msg_payload_len(msg);
}

START_TEST(an_accepted_stream_is_claimed_and_settled_bytes_are_granted_again)
{
    px_handle to = accept_one(10000);
    ck_assert_uint_eq(heard.n_opened, 1);
    say_data(to, 40000, false);
    ck_assert_uint_eq(heard.len, 40000);
    ck_assert_int_eq(px_stream_settle(heard.stream, 40001), PX_EINVAL);
    ck_assert_int_eq(px_stream_settle(heard.stream, 1), PX_EOK);
    sim_settle(rig.sim);
    sim_expect_silence(rig.sim); /* less than half a window */
    ck_assert_int_eq(px_stream_settle(heard.stream, SIZE_MAX), PX_EOK);
    sim_settle(rig.sim);
    const Stream__CreditBytes *m = sim_expect(rig.world, "net", LOWER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, 40000);
    say_data(to, 0, true);
    ck_assert_uint_eq(heard.n_fin, 1);
    say_closed(to, PX_OK);
    ck_assert_uint_eq(heard.n_closed, 1);
}
END_TEST

START_TEST(bytes_are_sent_queued_or_refused_and_drained_says_when_to_go_on)
{
    static const char all[65536];
    px_handle to = accept_one(1000);
    ck_assert_int_eq(px_stream_send(heard.stream, all, 1000), PX_SENT_OK);
    ck_assert_int_eq(px_stream_send(heard.stream, all, 65535), PX_SENT_QUEUED);
    ck_assert_int_eq(px_stream_send(heard.stream, all, 1), PX_SENT_QUEUED);
    ck_assert_int_eq(px_stream_send(heard.stream, all, 1), PX_SENT_FULL);
    sim_settle(rig.sim);
    ck_assert_uint_eq(expect_data(false), 1000);
    say_credit(to, 65536);
    uint64_t sum = 0;
    while (px_test_recorded(rig.world, "net") > 0) {
        sum += expect_data(false);
    }
    ck_assert_uint_eq(sum, 65536);
    ck_assert_uint_eq(heard.n_drained, 1);
    say_closed(to, PX_RESET);
    ck_assert_int_eq(heard.closed, PX_RESET);
}
END_TEST

START_TEST(close_waits_for_what_was_sent)
{
    px_handle to = accept_one(0);
    ck_assert_int_eq(px_stream_send(heard.stream, "last", 4), PX_SENT_QUEUED);
    ck_assert_int_eq(px_stream_close(heard.stream), PX_EOK);
    ck_assert_int_eq(px_stream_send(heard.stream, "x", 1), PX_SENT_REFUSED);
    sim_settle(rig.sim);
    sim_expect_silence(rig.sim);
    say_credit(to, 512);
    ck_assert_uint_eq(expect_data(false), 4);
    sim_expect(rig.world, "net", LOWER_CLOSE);
    say_closed(to, PX_OK);
    ck_assert_int_eq(px_stream_close(heard.stream), PX_ESTALE);
}
END_TEST

START_TEST(finish_ends_one_direction_only)
{
    px_handle to = accept_one(1000);
    ck_assert_int_eq(px_stream_finish(heard.stream), PX_EOK);
    sim_settle(rig.sim);
    ck_assert_uint_eq(expect_data(true), 0);
    say_data(to, 10, false);
    ck_assert_uint_eq(heard.len, 10);
    ck_assert_int_eq(px_stream_send(heard.stream, "x", 1), PX_SENT_REFUSED);
    say_closed(to, PX_OK);
}
END_TEST

START_TEST(the_stream_after_the_last_slot_is_reset)
{
    px_handle a = accept_one(0), b = accept_one(0);
    say_accepted(0, 0);
    sim_expect(rig.world, "net", LOWER_RESET);
    say_accepted(0, 1); /* no such listener */
    sim_expect(rig.world, "net", LOWER_RESET);
    ck_assert_uint_eq(heard.n_opened, 2);
    say_closed(a, PX_OK);
    say_closed(b, PX_OK);
}
END_TEST

START_TEST(a_stream_can_be_spoken_into_before_it_is_open)
{
    struct px_stream stream;
    ck_assert_int_eq(px_stream_connect(rig.system, "192.0.2.1:7", &events, NULL, &stream), PX_EOK);
    ck_assert_int_eq(px_stream_send(stream, "early", 5), PX_SENT_QUEUED);
    sim_settle(rig.sim);
    const struct px_msg *call = sim_expect(rig.world, "net", LOWER_OPEN);
    px_handle to = ((const Stream__OpenStream *)call->body)->upper;
    Stream__Opened *m = px_msg_new(net(), &stream__opened__descriptor);
    m->lower = LOWER;
    m->credit = 1000;
    px_reply(net(), call, PX_OK, m);
    sim_settle(rig.sim);
    ck_assert_uint_eq(heard.n_opened, 1);
    ck_assert_uint_eq(expect_data(false), 5);
    say_closed(to, PX_OK);
}
END_TEST

START_TEST(a_stream_that_cannot_be_opened_is_closed_with_the_reason)
{
    struct px_stream stream;
    ck_assert_int_eq(px_stream_connect(rig.system, "192.0.2.1:7", &events, NULL, &stream), PX_EOK);
    sim_settle(rig.sim);
    px_reply_status(net(), sim_expect(rig.world, "net", LOWER_OPEN), PX_REFUSED);
    sim_settle(rig.sim);
    ck_assert_uint_eq(heard.n_opened, 0);
    ck_assert_int_eq(heard.closed, PX_REFUSED);
}
END_TEST

START_TEST(a_net_that_dies_closes_its_streams)
{
    accept_one(0);
    px_sim_kill(rig.world, "net");
    sim_settle(rig.sim);
    ck_assert_int_eq(heard.closed, PX_SERVICE_GONE);
    ck_assert_int_eq(px_stream_send(heard.stream, "x", 1), PX_SENT_STALE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *streams = tcase_create("streams");
    tcase_add_checked_fixture(streams, setup, teardown);
    tcase_add_test(streams, an_accepted_stream_is_claimed_and_settled_bytes_are_granted_again);
    tcase_add_test(streams, bytes_are_sent_queued_or_refused_and_drained_says_when_to_go_on);
    tcase_add_test(streams, close_waits_for_what_was_sent);
    tcase_add_test(streams, finish_ends_one_direction_only);
    tcase_add_test(streams, the_stream_after_the_last_slot_is_reset);
    tcase_add_test(streams, a_stream_can_be_spoken_into_before_it_is_open);
    tcase_add_test(streams, a_stream_that_cannot_be_opened_is_closed_with_the_reason);
    tcase_add_test(streams, a_net_that_dies_closes_its_streams);
    suite_add_tcase(suite, streams);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
