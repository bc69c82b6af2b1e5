/* events_test.c - server-sent events: their encoding, streams and their policies, topics. */
#include "engine_rig.h"
#include "event_text.h"

#include <stdio.h>

enum { STREAMS = 3, FIRST = 100 }; /* requests made side by side, and the tag of the first */

static struct rig rig;
static struct px_events_config config;
static struct px_request last;
static uint32_t n_drained, n_ended;
static enum px_status ended_with;

static void on_drained(struct px_request request, void *arg)
{
    (void)request, (void)arg;
    n_drained++;
}

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    (void)request, (void)arg;
    n_ended++;
    ended_with = status;
}

static const struct px_request_events events = {.drained = on_drained, .ended = on_ended};

static void on_events(struct px_request request, void *arg)
{
    (void)arg;
    last = request;
    ck_assert_int_eq(px_events_begin(request, &config), PX_EOK);
    ck_assert_int_eq(px_request_on(request, &events, NULL), PX_EOK);
}

static void on_plain(struct px_request request, void *arg)
{
    (void)arg;
    last = request;
}

static void setup(void)
{
    config = (struct px_events_config){.keep_alive_ms = UINT32_MAX, .queue_max = 1024};
    n_drained = n_ended = 0;
    rig_start(&rig);
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/events", on_events, NULL), PX_EOK);
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/plain", on_plain, NULL), PX_EOK);
}

static void teardown(void)
{
    rig_end(&rig);
}

/* ---- encoding ---- */

static void expect_text(const struct px_event *event, const char *text)
{
    uint8_t mem[512];
    size_t len = 0;
    ck_assert(event_text_len(event, &len));
    ck_assert_uint_le(len, sizeof mem);
    struct px_bytes_out out = px_bytes_out_of(mem, len);
    event_text_write(event, &out);
    ck_assert(!out.overflow);
    ck_assert_uint_eq(px_bytes_out_len(&out), len);
    ck_assert_uint_eq(len, strlen(text));
    ck_assert_mem_eq(mem, text, len);
}

static void expect_data_text(const char *data, const char *text)
{
    expect_text(&(struct px_event){.data = data, .data_len = strlen(data)}, text);
}

START_TEST(an_event_is_its_fields_and_an_empty_line)
{
    expect_text(
        &(struct px_event){
            .name = "price", .id = "7", .data = "1", .data_len = 1, .retry_ms = 3000},
        "id: 7\nevent: price\nretry: 3000\ndata: 1\n\n");
    expect_text(&(struct px_event){.retry_ms = UINT32_MAX}, "retry: 4294967295\n\n");
    expect_text(&(struct px_event){.id = ""}, "id: \n\n");
}
END_TEST

START_TEST(every_line_of_the_data_is_a_field_of_its_own)
{
    expect_data_text("", "data: \n\n");
    expect_data_text("a\nb", "data: a\ndata: b\n\n");
    expect_data_text("a\r\nb\rc", "data: a\ndata: b\ndata: c\n\n");
    expect_data_text("a\n", "data: a\ndata: \n\n");
    expect_data_text("\r", "data: \ndata: \n\n");
    expect_data_text("\n\n", "data: \ndata: \ndata: \n\n");
    expect_data_text("\n\r", "data: \ndata: \ndata: \n\n");
    expect_data_text(" a:b", "data:  a:b\n\n");
    expect_data_text("id: 5", "data: id: 5\n\n");
}
END_TEST

START_TEST(names_and_ids_have_no_line_ends_and_a_length)
{
    char text[PX_EVENT_NAME_MAX + 2];
    size_t len;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert(!event_text_len(&(struct px_event){.name = text, .data = "", .data_len = 0}, &len));
    ck_assert(!event_text_len(&(struct px_event){.id = text}, &len));
    text[sizeof text - 2] = '\0';
    ck_assert(event_text_len(&(struct px_event){.name = text, .data = "", .data_len = 0}, &len));
    ck_assert(event_text_len(&(struct px_event){.id = text}, &len));
    ck_assert(!event_text_len(&(struct px_event){.id = "a\n"}, &len));
    ck_assert(!event_text_len(&(struct px_event){.id = "a\rb"}, &len));
    ck_assert(!event_text_len(&(struct px_event){.name = "\n", .data = "", .data_len = 0}, &len));
    ck_assert(!event_text_len(&(struct px_event){.name = "x"}, &len));
}
END_TEST

START_TEST(an_event_has_a_mebibyte_and_not_a_byte_more)
{
    char *data = calloc(1, PX_EVENT_LEN_MAX);
    size_t len = 0, most = PX_EVENT_LEN_MAX - strlen("data: \n\n");
    ck_assert_ptr_nonnull(data);
    ck_assert(event_text_len(&(struct px_event){.data = data, .data_len = most}, &len));
    ck_assert_uint_eq(len, PX_EVENT_LEN_MAX);
    ck_assert(!event_text_len(&(struct px_event){.data = data, .data_len = most + 1}, &len));
    memset(data, '\n', PX_EVENT_LEN_MAX);
    ck_assert(!event_text_len(&(struct px_event){.data = data, .data_len = most}, &len));
    free(data);
}
END_TEST

/* ---- a stream ---- */

/* A stream that has begun, with so much credit. */
static px_handle begin(uint32_t credit)
{
    engine_ask(&rig, (struct ask){.path = "/events", .credit = credit});
    const struct px_msg *msg = engine_expect(&rig, REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    ck_assert_uint_eq(m->status, 200);
    ck_assert(!m->fin && !m->has_length);
    ck_assert_ptr_nonnull(memmem(m->fields.data, m->fields.len, "text/event-stream", 17));
    ck_assert_ptr_nonnull(memmem(m->fields.data, m->fields.len, "no-store", 8));
    return m->responder;
}

static enum px_sent send(const char *text)
{
    enum px_sent sent = px_events_text(last, NULL, text);
    sim_settle(rig.sim);
    return sent;
}

static struct px_events_counts counted(void)
{
    struct px_events_counts counts;
    ck_assert_int_eq(px_events_count(last, &counts), PX_EOK);
    return counts;
}

START_TEST(an_event_goes_out_at_once)
{
    px_handle to = begin(4096);
    ck_assert_int_eq(send("a"), PX_SENT_OK);
    engine_expect_data(&rig, "data: a\n\n", false);
    ck_assert_int_eq(px_events_text(last, "tick", "b"), PX_SENT_OK);
    sim_settle(rig.sim);
    engine_expect_data(&rig, "event: tick\ndata: b\n\n", false);
    ck_assert_uint_eq(counted().taken, 2);
    engine_say_ended(&rig, to, PX_RESET);
    ck_assert_uint_eq(n_ended, 1);
    ck_assert_int_eq(ended_with, PX_RESET);
    ck_assert_int_eq(send("c"), PX_SENT_STALE);
}
END_TEST

START_TEST(what_waits_goes_out_together_and_drained_says_when)
{
    px_handle to = begin(0);
    ck_assert_int_eq(send("a"), PX_SENT_QUEUED);
    ck_assert_int_eq(send("b"), PX_SENT_QUEUED);
    ck_assert_uint_eq(counted().waiting, 2);
    sim_expect_silence(rig.sim);
    engine_say_credit(&rig, to, 512);
    engine_expect_data(&rig, "data: a\n\ndata: b\n\n", false);
    ck_assert_uint_eq(counted().waiting, 0);
    ck_assert_uint_eq(n_drained, 1);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(an_event_longer_than_the_credit_is_never_broken_by_another)
{
    char text[1001] = {0};
    memset(text, 'x', 1000);
    config.policy = PX_EVENTS_DROP_OLDEST;
    px_handle to = begin(600);
    ck_assert_int_eq(send(text), PX_SENT_QUEUED); /* 600 of 1008 bytes are gone */
    ck_assert_uint_eq(px_msg_payload_len(engine_expect(&rig, REQUESTER_DATA)), 600);
    ck_assert_int_eq(send("b"), PX_SENT_QUEUED);
    ck_assert_int_eq(send("c"), PX_SENT_QUEUED);
    ck_assert_int_eq(send("d"), PX_SENT_QUEUED); /* 408 and 2 x 512 are enough */
    ck_assert_uint_eq(counted().dropped, 1);
    engine_say_credit(&rig, to, 10000);
    const struct px_msg *rest = engine_expect(&rig, REQUESTER_DATA);
    ck_assert_uint_eq(px_msg_payload_len(rest), 408);
    engine_expect_data(&rig, "data: c\n\ndata: d\n\n", false);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(a_full_stream_that_blocks_takes_no_more_until_it_is_drained)
{
    px_handle to = begin(0);
    ck_assert_int_eq(send("a"), PX_SENT_QUEUED);
    ck_assert_int_eq(send("b"), PX_SENT_QUEUED); /* 1024 bytes count: the limit */
    ck_assert_int_eq(send("c"), PX_SENT_FULL);
    ck_assert_uint_eq(counted().refused, 1);
    ck_assert_uint_eq(counted().taken, 2);
    engine_say_credit(&rig, to, 4096);
    engine_expect_data(&rig, "data: a\n\ndata: b\n\n", false);
    ck_assert_uint_eq(n_drained, 1);
    ck_assert_int_eq(send("c"), PX_SENT_OK);
    engine_expect_data(&rig, "data: c\n\n", false);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(a_full_stream_drops_the_newest)
{
    config.policy = PX_EVENTS_DROP_NEWEST;
    px_handle to = begin(0);
    send("a");
    send("b");
    ck_assert_int_eq(send("c"), PX_SENT_FULL);
    ck_assert_uint_eq(counted().dropped, 1);
    engine_say_credit(&rig, to, 4096);
    engine_expect_data(&rig, "data: a\n\ndata: b\n\n", false);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(a_full_stream_drops_the_oldest)
{
    config.policy = PX_EVENTS_DROP_OLDEST;
    px_handle to = begin(0);
    send("a");
    send("b");
    ck_assert_int_eq(send("c"), PX_SENT_QUEUED);
    ck_assert_uint_eq(counted().dropped, 1);
    ck_assert_uint_eq(counted().waiting, 2);
    engine_say_credit(&rig, to, 4096);
    engine_expect_data(&rig, "data: b\n\ndata: c\n\n", false);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(a_full_stream_is_closed)
{
    config.policy = PX_EVENTS_CLOSE;
    px_handle to = begin(0);
    send("a");
    send("b");
    ck_assert_int_eq(send("c"), PX_SENT_FULL);
    ck_assert_int_eq(send("d"), PX_SENT_STALE);
    const Http__CancelExchange *m = engine_expect(&rig, REQUESTER_CANCEL)->body;
    ck_assert_uint_eq(m->reason, PX_LIMIT);
    ck_assert_int_eq(px_events_finish(last), PX_ESTATE);
    engine_say_ended(&rig, to, PX_LIMIT);
    ck_assert_int_eq(ended_with, PX_LIMIT);
}
END_TEST

START_TEST(a_finished_stream_ends_behind_what_waits)
{
    px_handle to = begin(0);
    send("a");
    ck_assert_int_eq(px_events_finish(last), PX_EOK);
    ck_assert_int_eq(px_events_finish(last), PX_ESTATE);
    ck_assert_int_eq(send("b"), PX_SENT_STALE);
    sim_expect_silence(rig.sim);
    engine_say_credit(&rig, to, 512);
    engine_expect_data(&rig, "data: a\n\n", true);
    engine_say_ended(&rig, to, PX_OK);
    ck_assert_int_eq(ended_with, PX_OK);
}
END_TEST

START_TEST(stopping_ends_event_streams)
{
    px_handle to = begin(4096);
    px_app_service.stop(rig.system->app);
    px_app_service.stop(rig.system->app);
    sim_settle(rig.sim);
    engine_expect_data(&rig, "", true);
    engine_say_ended(&rig, to, PX_OK);
    ck_assert_uint_eq(n_ended, 1);
    to = begin(4096); /* it was on its way already */
    engine_expect_data(&rig, "", true);
    engine_say_ended(&rig, to, PX_OK);
}
END_TEST

START_TEST(head_gets_a_head)
{
    engine_ask(&rig, (struct ask){.path = "/events", .method = "HEAD"});
    const Http__Response *m = engine_expect(&rig, REQUESTER_RESPOND)->body;
    ck_assert(m->fin);
    px_handle to = m->responder;
    ck_assert_int_eq(send("a"), PX_SENT_STALE);
    engine_say_ended(&rig, to, PX_OK);
    ck_assert_uint_eq(n_ended, 1);
}
END_TEST

START_TEST(a_silent_stream_is_kept_alive_by_comments)
{
    config.keep_alive_ms = 1000;
    px_handle to = begin(4096);
    sim_advance_us(rig.sim, 999999);
    sim_expect_silence(rig.sim);
    sim_advance_us(rig.sim, 1);
    engine_expect_data(&rig, ":\n", false);
    sim_advance_us(rig.sim, 500000);
    send("a");
    engine_expect_data(&rig, "data: a\n\n", false);
    sim_advance_us(rig.sim, 999999);
    sim_expect_silence(rig.sim);
    sim_advance_us(rig.sim, 1);
    engine_expect_data(&rig, ":\n", false);
    ck_assert_uint_eq(counted().keep_alives, 2);
    engine_say_ended(&rig, to, PX_RESET);
    sim_advance_us(rig.sim, 5000000);
}
END_TEST

START_TEST(a_stream_that_cannot_send_needs_no_comments)
{
    config.keep_alive_ms = 1000;
    px_handle to = begin(0);
    send("a");
    sim_advance_us(rig.sim, 5000000);
    sim_expect_silence(rig.sim);
    engine_say_credit(&rig, to, 4096);
    engine_expect_data(&rig, "data: a\n\n", false);
    ck_assert_uint_eq(counted().keep_alives, 0);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(the_client_is_told_when_to_come_back)
{
    config.retry_ms = 2500;
    px_handle to = begin(4096);
    engine_expect_data(&rig, "retry: 2500\n\n", false);
    ck_assert_uint_eq(counted().taken, 0);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    struct px_events_counts counts;
    engine_ask(&rig, (struct ask){.path = "/plain"});
    px_handle to = engine_expect_credit(&rig, 0);
    config.keep_alive_ms = 99;
    ck_assert_int_eq(px_events_begin(last, &config), PX_EINVAL);
    config.keep_alive_ms = 100;
    config.n_fields = 63;
    ck_assert_int_eq(px_events_begin(last, &config), PX_EINVAL);
    ck_assert_int_eq(px_events_text(last, NULL, "a"), PX_SENT_REFUSED);
    ck_assert_int_eq(px_events_finish(last), PX_ESTATE);
    ck_assert_int_eq(px_events_count(last, &counts), PX_ESTATE);
    ck_assert_int_eq(px_events_begin(last, NULL), PX_EOK);
    ck_assert_int_eq(px_events_begin(last, NULL), PX_ESTATE);
    ck_assert_int_eq(px_events_send(last, &(struct px_event){.name = "x"}), PX_SENT_REFUSED);
    sim_settle(rig.sim);
    engine_expect_response(&rig, 200, NULL);
    engine_say_ended(&rig, to, PX_RESET);
    ck_assert_int_eq(px_events_begin(last, NULL), PX_ESTALE);
    ck_assert_int_eq(px_events_count(last, &counts), PX_ESTALE);
}
END_TEST

/* ---- topics ---- */

static struct px_topic *topic;

static void topic_make(uint32_t replay_max, uint32_t kept_len_max)
{
    struct px_topic_config topic_config = {
        .replay_max = replay_max, .kept_len_max = kept_len_max, .subscribers_max = 2};
    ck_assert_int_eq(px_topic_new(rig.system, &topic_config, &topic), PX_EOK);
}

/* A stream of a client that has seen `last_id`, or NULL. `index` tells the streams apart. */
static px_handle begin_of(uint64_t index, const char *last_id, uint32_t credit)
{
    engine_ask(&rig, (struct ask){.path = "/events",
                                  .credit = credit,
                                  .requester = FIRST + index,
                                  .fields = {{last_id == NULL ? NULL : "Last-Event-ID", last_id}}});
    const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_RESPOND);
    ck_assert_uint_eq(msg->tag, FIRST + index);
    return ((const Http__Response *)msg->body)->responder;
}

static void expect_event(uint64_t index, const char *text)
{
    const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_DATA);
    ck_assert_uint_eq(msg->tag, FIRST + index);
    sim_expect_payload(rig.world, msg, text, strlen(text));
}

static enum px_sent publish(const char *id, const char *text)
{
    enum px_sent sent = px_topic_publish(
        topic, &(struct px_event){.id = id, .data = text, .data_len = strlen(text)});
    sim_settle(rig.sim);
    return sent;
}

static struct px_events_counts topic_counted(void)
{
    struct px_events_counts counts;
    px_topic_count(topic, &counts);
    return counts;
}

START_TEST(every_subscriber_gets_the_same_bytes)
{
    const struct px_slice *a, *b;
    struct px_ledger before, after;
    topic_make(0, 0);
    px_handle to[2];
    for (uint64_t i = 0; i < 2; i++) {
        to[i] = begin_of(i, NULL, 100000);
        ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
        ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EEXIST);
    }
    ck_assert_int_eq(publish(NULL, "a"), PX_SENT_OK);
    const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_DATA);
    px_msg_payload(msg, &a);
    const uint8_t *bytes = a->ptr;
    sim_expect_payload(rig.world, msg, "data: a\n\n", 9);
    msg = sim_expect(rig.world, "h1", REQUESTER_DATA);
    px_msg_payload(msg, &b);
    ck_assert_ptr_eq(bytes, b->ptr);
    ck_assert((b->flags & PX_SLICE_SHARED) != 0);

    px_test_forget(rig.world, "h1");
    px_system_ledger(rig.system, &before);
    for (uint32_t i = 0; i < 100; i++) {
        publish(NULL, "again");
        px_test_forget(rig.world, "h1");
    }
    px_system_ledger(rig.system, &after);
    ck_assert_uint_eq(before.bufs, after.bufs);
    ck_assert_uint_eq(before.allocs, after.allocs);
    ck_assert_uint_eq(topic_counted().taken, 202);
    ck_assert_uint_eq(topic_counted().subscribers, 2);
    px_topic_free(topic);
    engine_say_ended(&rig, to[0], PX_RESET);
    engine_say_ended(&rig, to[1], PX_RESET);
}
END_TEST

START_TEST(a_stream_that_ends_is_no_subscriber_any_more)
{
    topic_make(0, 0);
    px_handle one = begin_of(0, NULL, 4096);
    struct px_request first = last;
    ck_assert_int_eq(px_topic_subscribe(topic, first, NULL), PX_EOK);
    px_handle two = begin_of(1, NULL, 4096);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    engine_say_ended(&rig, one, PX_RESET);
    ck_assert_uint_eq(topic_counted().subscribers, 1);
    ck_assert_int_eq(px_topic_subscribe(topic, first, NULL), PX_ESTALE);
    publish(NULL, "a");
    expect_event(1, "data: a\n\n");
    ck_assert_int_eq(px_topic_unsubscribe(topic, last), PX_EOK);
    ck_assert_int_eq(px_topic_unsubscribe(topic, last), PX_ENOENT);
    publish(NULL, "b");
    sim_expect_silence(rig.sim);
    engine_say_ended(&rig, two, PX_RESET);
    px_topic_free(topic);
}
END_TEST

START_TEST(the_subscriber_after_the_last_is_told_so)
{
    topic_make(0, 0);
    px_handle to[STREAMS];
    for (uint64_t i = 0; i < STREAMS; i++) {
        to[i] = begin_of(i, NULL, 4096);
        ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), i < 2 ? PX_EOK : PX_ELIMIT);
    }
    const char *name;
    ck_assert_uint_eq(px_kernel_counter(rig.system->kernel, rig.app, COUNT_TOPIC_FULL, &name), 1);
    ck_assert_str_eq(name, "topic_full");
    for (uint64_t i = 0; i < STREAMS; i++) {
        engine_say_ended(&rig, to[i], PX_RESET);
    }
    px_topic_free(topic);
}
END_TEST

START_TEST(a_stream_has_four_topics_at_a_time)
{
    struct px_topic *topics[PX_EVENTS_TOPICS_MAX + 1];
    px_handle to = begin_of(0, NULL, 100000);
    for (uint32_t i = 0; i <= PX_EVENTS_TOPICS_MAX; i++) {
        ck_assert_int_eq(px_topic_new(rig.system, NULL, &topics[i]), PX_EOK);
        ck_assert_int_eq(px_topic_subscribe(topics[i], last, NULL),
                         i < PX_EVENTS_TOPICS_MAX ? PX_EOK : PX_ELIMIT);
    }
    px_topic_free(topics[0]);
    ck_assert_int_eq(px_topic_subscribe(topics[PX_EVENTS_TOPICS_MAX], last, NULL), PX_EOK);
    topic = topics[PX_EVENTS_TOPICS_MAX];
    publish(NULL, "a");
    expect_event(0, "data: a\n\n");
    engine_say_ended(&rig, to, PX_RESET);
    while (rig.system->topics != NULL) {
        px_topic_free(rig.system->topics);
    }
}
END_TEST

START_TEST(each_subscribers_policy_is_its_own)
{
    config.queue_max = 512;
    config.policy = PX_EVENTS_DROP_OLDEST;
    topic_make(0, 0);
    px_handle one = begin_of(0, NULL, 0);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    config.policy = PX_EVENTS_CLOSE;
    px_handle two = begin_of(1, NULL, 0);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    ck_assert_int_eq(publish(NULL, "a"), PX_SENT_OK);
    ck_assert_int_eq(publish(NULL, "b"), PX_SENT_OK);
    ck_assert_uint_eq(topic_counted().dropped, 1);
    ck_assert_uint_eq(topic_counted().closed, 1);
    sim_expect(rig.world, "h1", REQUESTER_CANCEL);
    engine_say_credit(&rig, one, 512);
    expect_event(0, "data: b\n\n");
    engine_say_ended(&rig, one, PX_RESET);
    engine_say_ended(&rig, two, PX_LIMIT);
    px_topic_free(topic);
}
END_TEST

START_TEST(a_subscriber_that_blocks_blocks_everybody)
{
    config.queue_max = 512;
    topic_make(0, 0);
    px_handle one = begin_of(0, NULL, 4096);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    px_handle two = begin_of(1, NULL, 0);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    ck_assert_int_eq(publish(NULL, "a"), PX_SENT_OK);
    expect_event(0, "data: a\n\n");
    ck_assert_int_eq(publish(NULL, "b"), PX_SENT_FULL);
    sim_expect_silence(rig.sim);
    ck_assert_uint_eq(topic_counted().refused, 1);
    engine_say_credit(&rig, two, 4096);
    expect_event(1, "data: a\n\n");
    ck_assert_uint_eq(n_drained, 1);
    ck_assert_int_eq(publish(NULL, "b"), PX_SENT_OK);
    ck_assert_uint_eq(px_test_recorded(rig.world, "h1"), 2);
    px_test_forget(rig.world, "h1");
    engine_say_ended(&rig, one, PX_RESET);
    engine_say_ended(&rig, two, PX_RESET);
    px_topic_free(topic);
}
END_TEST

/* The stream of a client that has seen `last_id`: it misses something, and gets this. */
static void expect_replay(const char *last_id, bool missed, const char *text)
{
    bool told = !missed;
    px_handle to = begin_of(0, last_id, 100000);
    ck_assert_int_eq(px_topic_subscribe(topic, last, &told), PX_EOK);
    ck_assert_int_eq(told, missed);
    sim_settle(rig.sim);
    for (; *text != '\0'; text++) {
        char event[] = {'i', 'd', ':', ' ', *text, '\n', 'd', 'a',
                        't', 'a', ':', ' ', '\n',  '\n', 0};
        expect_event(0, event);
    }
    sim_expect_silence(rig.sim);
    engine_say_ended(&rig, to, PX_RESET);
}

START_TEST(who_comes_back_gets_what_he_missed)
{
    topic_make(3, 0);
    expect_replay("1", true, "");
    publish("1", "");
    publish("2", "");
    expect_replay("1", false, "2");
    expect_replay("2", false, "");
    expect_replay("0", true, "12");
    expect_replay(NULL, false, "");
    publish("3", "");
    expect_replay("1", false, "23");
    publish("4", "");
    ck_assert_uint_eq(topic_counted().kept, 3);
    expect_replay("1", true, "234");
    expect_replay("2", false, "34");
    px_topic_free(topic);
}
END_TEST

START_TEST(a_topic_keeps_so_many_bytes)
{
    topic_make(10, 42); /* an event like these has 14 */
    for (char id[] = "1"; id[0] <= '3'; id[0]++) {
        publish(id, "");
    }
    ck_assert_uint_eq(topic_counted().kept, 3);
    publish("4", "");
    ck_assert_uint_eq(topic_counted().kept, 3);
    expect_replay("2", false, "34");
    publish("5", "much longer than all that may be kept of them");
    ck_assert_uint_eq(topic_counted().kept, 0);
    publish("6", "");
    expect_replay("4", true, "6");
    px_topic_free(topic);
}
END_TEST

START_TEST(replay_is_not_bounded_by_the_policy)
{
    config.queue_max = 512;
    config.policy = PX_EVENTS_CLOSE;
    topic_make(4, 0);
    for (char id[] = "1"; id[0] <= '4'; id[0]++) {
        publish(id, "");
    }
    px_handle to = begin_of(0, "1", 0);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    ck_assert_uint_eq(counted().waiting, 3);
    engine_say_credit(&rig, to, 4096);
    expect_event(0, "id: 2\ndata: \n\nid: 3\ndata: \n\nid: 4\ndata: \n\n");
    engine_say_ended(&rig, to, PX_RESET);
    px_topic_free(topic);
}
END_TEST

START_TEST(a_topic_that_keeps_numbers_what_has_no_id)
{
    char id[32] = "";
    topic_make(3, 0);
    px_handle to = begin_of(0, NULL, 4096);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_EOK);
    publish(NULL, "a");
    const struct px_slice *slice;
    px_msg_payload(sim_expect(rig.world, "h1", REQUESTER_DATA), &slice);
    ck_assert_int_eq(sscanf((const char *)slice->ptr, "id: %31[0-9a-f-]", id), 1);
    ck_assert_str_eq(strchr(id, '-'), "-1");
    ck_assert_int_eq(px_topic_publish(topic, &(struct px_event){.retry_ms = 5}), PX_SENT_OK);
    sim_settle(rig.sim);
    expect_event(0, "retry: 5\n\n");
    ck_assert_uint_eq(topic_counted().kept, 1);
    engine_say_ended(&rig, to, PX_RESET);
    expect_replay(id, false, "");
    px_topic_free(topic);
}
END_TEST

START_TEST(a_topic_beyond_its_limits_is_not_made)
{
    struct px_topic_config bad = {.replay_max = PX_TOPIC_REPLAY_MAX + 1};
    ck_assert_int_eq(px_topic_new(rig.system, &bad, &topic), PX_EINVAL);
    bad = (struct px_topic_config){.kept_len_max = PX_TOPIC_KEPT_LEN_MAX + 1};
    ck_assert_int_eq(px_topic_new(rig.system, &bad, &topic), PX_EINVAL);
    topic_make(PX_TOPIC_REPLAY_MAX, PX_TOPIC_KEPT_LEN_MAX);
    ck_assert_int_eq(publish("a\nb", ""), PX_SENT_REFUSED);
    engine_ask(&rig, (struct ask){.path = "/plain"});
    px_handle to = engine_expect_credit(&rig, 0);
    ck_assert_int_eq(px_topic_subscribe(topic, last, NULL), PX_ESTATE);
    engine_say_ended(&rig, to, PX_RESET);
    px_topic_free(topic);
    px_topic_free(NULL);
}
END_TEST

static TCase *tcase(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *text = tcase(suite, "encoding");
    tcase_add_test(text, an_event_is_its_fields_and_an_empty_line);
    tcase_add_test(text, every_line_of_the_data_is_a_field_of_its_own);
    tcase_add_test(text, names_and_ids_have_no_line_ends_and_a_length);
    tcase_add_test(text, an_event_has_a_mebibyte_and_not_a_byte_more);
    TCase *stream = tcase(suite, "streams");
    tcase_add_test(stream, an_event_goes_out_at_once);
    tcase_add_test(stream, what_waits_goes_out_together_and_drained_says_when);
    tcase_add_test(stream, an_event_longer_than_the_credit_is_never_broken_by_another);
    tcase_add_test(stream, a_full_stream_that_blocks_takes_no_more_until_it_is_drained);
    tcase_add_test(stream, a_full_stream_drops_the_newest);
    tcase_add_test(stream, a_full_stream_drops_the_oldest);
    tcase_add_test(stream, a_full_stream_is_closed);
    tcase_add_test(stream, a_finished_stream_ends_behind_what_waits);
    tcase_add_test(stream, stopping_ends_event_streams);
    tcase_add_test(stream, head_gets_a_head);
    tcase_add_test(stream, a_silent_stream_is_kept_alive_by_comments);
    tcase_add_test(stream, a_stream_that_cannot_send_needs_no_comments);
    tcase_add_test(stream, the_client_is_told_when_to_come_back);
    tcase_add_test(stream, what_makes_no_sense_is_refused);
    TCase *topics = tcase(suite, "topics");
    tcase_add_test(topics, every_subscriber_gets_the_same_bytes);
    tcase_add_test(topics, a_stream_that_ends_is_no_subscriber_any_more);
    tcase_add_test(topics, the_subscriber_after_the_last_is_told_so);
    tcase_add_test(topics, a_stream_has_four_topics_at_a_time);
    tcase_add_test(topics, each_subscribers_policy_is_its_own);
    tcase_add_test(topics, a_subscriber_that_blocks_blocks_everybody);
    tcase_add_test(topics, who_comes_back_gets_what_he_missed);
    tcase_add_test(topics, a_topic_keeps_so_many_bytes);
    tcase_add_test(topics, replay_is_not_bounded_by_the_policy);
    tcase_add_test(topics, a_topic_that_keeps_numbers_what_has_no_id);
    tcase_add_test(topics, a_topic_beyond_its_limits_is_not_made);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
