/* inspect_test.c - the mailbox that tells what is in a system, with a clock that stands still and
 * memory that runs out.
 */
#include <check.h>
#include <px/test.h>
#include <stdlib.h>

#include "door.h"
#include "inspect.pb-c.h"
#include "inspect_contract.h"
#include "inspect_impl.h"
#include "net.pb-c.h"
#include "net_contract.h"

PX_TEST_FAIL_CHECK(rig_fail);

static struct px_sim *sim;
static struct px_sim_system *world;
static struct px_system *lib;

static void setup(void)
{
    sim = px_sim_new(&(struct px_sim_config){.seed = 1, .fail = rig_fail});
    world = px_sim_system_new(sim, "test", 1);
    px_sim_add_recorder(world, 0, "net");
    px_sim_add_recorder(world, 0, "asker");
    px_addr addr = px_sim_add(world, 0, &px_inspect_service, NULL, NULL);
    px_sim_allow(world, "asker", &px_contract_inspect, "inspect");
    px_sim_allow(world, "asker", &px_contract_net, "net");
    px_sim_start(world);
    lib = calloc(1, sizeof *lib);
    ck_assert_ptr_nonnull(lib);
    lib->kernel = px_sim_kernel(world, 0);
    ck_assert_int_eq(callable_add(lib, px_sim_addr(world, "net"), &px_contract_net, true), PX_EOK);
    ck_assert_int_eq(callable_add(lib, addr, &px_contract_inspect, true), PX_EOK);
    inspect_start(lib);
}

static void teardown(void)
{
    sim_settle(sim);
    sim_expect_silence(sim);
    sim_expect_ledgers_zero(world, 0);
    px_sim_free(sim);
    free(lib);
}

static struct px_env *env(void)
{
    return px_sim_env(world, "asker");
}

static void ask(uint16_t method, void *take_body)
{
    px_call(env(), px_sim_addr(world, "inspect"), method, take_body, PX_SEC(1), 1);
    sim_settle(sim);
}

static const void *answer(uint16_t method, const ProtobufCMessageDescriptor *type)
{
    ask(method, px_msg_new(env(), type));
    return sim_expect_reply(world, "asker", 1, PX_OK)->body;
}

static bool is(ProtobufCBinaryData bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

static Inspect__TraceFrom *from(uint64_t position, uint32_t max, const char *service)
{
    Inspect__TraceFrom *m = px_msg_new(env(), &inspect__trace_from__descriptor);
    m->position = position;
    m->max = max;
    px_msg_put(m, &m->service, service, strlen(service));
    return m;
}

static const Inspect__TraceRecords *trace(uint64_t position, uint32_t max, const char *service)
{
    ask(INSPECT_TRACE, from(position, max, service));
    return sim_expect_reply(world, "asker", 1, PX_OK)->body;
}

/* A call to net that is answered after `us`. */
static void call_net(uint64_t us)
{
    Net__ListenerRef *m = px_msg_new(env(), &net__listener_ref__descriptor);
    px_call(env(), px_sim_addr(world, "net"), NET_STATS, m, PX_SEC(1), 2);
    sim_settle(sim);
    const struct px_msg *call = sim_expect(world, "net", NET_STATS);
    sim_advance_us(sim, us);
    px_kernel_turn(lib->kernel, 0); /* sees the time */
    px_reply_status(px_sim_env(world, "net"), call, PX_OK);
    sim_settle(sim);
    (void)sim_expect_reply(world, "asker", 2, PX_OK);
}

START_TEST(every_mailbox_is_told_in_order)
{
    const Inspect__ServiceList *list = answer(INSPECT_SERVICES, &inspect__none__descriptor);
    ck_assert_uint_ge(list->n_services, 3);
    for (size_t i = 0; i < list->n_services; i++) {
        ck_assert_uint_eq(list->services[i]->number, i + 1);
    }
    ck_assert(is(list->services[0]->name, "net"));
    ck_assert_uint_eq(list->services[0]->n_contracts, 1);
    ck_assert(is(list->services[0]->contracts[0]->name, "net.Net"));
    ck_assert_uint_eq(list->services[0]->contracts[0]->hash, px_contract_hash(&px_contract_net));
    ck_assert(list->services[0]->alive);
    ck_assert_uint_eq(list->n_domains, 0);
}
END_TEST

START_TEST(the_system_says_how_long_it_runs)
{
    sim_advance_us(sim, 12345);
    const Inspect__SystemIs *system = answer(INSPECT_SYSTEM, &inspect__none__descriptor);
    ck_assert_uint_eq(system->uptime_us, 12345);
    ck_assert_uint_eq(system->calls, 1);
    ck_assert_uint_gt(system->trace_position, 0);
}
END_TEST

static const Inspect__Description *describe(const char *name)
{
    Inspect__ServiceName *m = px_msg_new(env(), &inspect__service_name__descriptor);
    px_msg_put(m, &m->name, name, strlen(name));
    ask(INSPECT_DESCRIBE, m);
    return sim_expect_reply(world, "asker", 1, PX_OK)->body;
}

START_TEST(every_type_that_a_method_mentions_is_described_once)
{
    const Inspect__Description *d = describe("inspect");
    ck_assert_uint_eq(d->n_methods, 6);
    for (size_t i = 0; i < d->n_methods; i++) {
        ck_assert_uint_le(d->methods[i]->input, d->n_messages);
        ck_assert_uint_le(d->methods[i]->output, d->n_messages);
        ck_assert_uint_ge(d->methods[i]->output, 1);
        ck_assert_uint_eq(d->methods[i]->shape,
                          is(d->methods[i]->name, "Watch") ? PX_STREAM : PX_CALL_IDEMPOTENT);
    }
    for (size_t i = 0; i < d->n_messages; i++) {
        const Inspect__MessageIs *m = d->messages[i];
        for (size_t j = 0; j < m->n_fields; j++) {
            bool is_message = m->fields[j]->type == 11;
            ck_assert(is_message == (m->fields[j]->message != 0));
            ck_assert_uint_le(m->fields[j]->message, d->n_messages);
        }
        for (size_t j = 0; j < i; j++) {
            ck_assert(m->name.len != d->messages[j]->name.len ||
                      memcmp(m->name.data, d->messages[j]->name.data, m->name.len) != 0);
        }
    }
    d = describe("net");
    ck_assert(is(d->methods[2]->name, "Stats"));
    ck_assert(is(d->messages[d->methods[2]->input - 1]->fields[0]->name, "listener"));
}
END_TEST

START_TEST(who_takes_no_calls_is_not_described)
{
    static const char *const names[] = {"", "asker", "nobody", "0123456789012345678901234567890",
                                        "01234567890123456789012345678901"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        Inspect__ServiceName *m = px_msg_new(env(), &inspect__service_name__descriptor);
        px_msg_put(m, &m->name, names[i], strlen(names[i]));
        ask(INSPECT_DESCRIBE, m);
        (void)sim_expect_reply(world, "asker", 1, PX_NOT_FOUND);
    }
}
END_TEST

START_TEST(a_trace_goes_on_where_it_ended)
{
    uint64_t position = trace(0, 0, "")->position;
    call_net(10);
    const Inspect__TraceRecords *t = trace(position, 0, "net");
    ck_assert_uint_eq(t->n_records, 2);
    ck_assert(is(t->records[0]->kind, "call"));
    ck_assert(is(t->records[0]->method, "net.Net.Stats"));
    ck_assert(is(t->records[1]->kind, "reply"));
    ck_assert_uint_eq(t->records[1]->at_us - t->records[0]->at_us, 10);
    ck_assert_uint_eq(t->missed, 0);
    position = t->position;
    t = trace(position, 0, "net");
    ck_assert_uint_eq(t->n_records, 0);
    ck_assert_uint_eq(trace(UINT64_MAX, 0, "")->n_records, 0);
}
END_TEST

START_TEST(what_the_ring_has_lost_is_told_as_missed)
{
    uint64_t position = trace(0, 0, "")->position;
    for (int i = 0; i < 2100; i++) {
        call_net(0);
    }
    const Inspect__TraceRecords *t = trace(position, 512, "");
    ck_assert_uint_eq(t->n_records, 512);
    ck_assert_uint_gt(t->missed, 100);
    ck_assert_uint_eq(t->position, position + t->missed + 512);
    ask(INSPECT_TRACE, from(0, 513, ""));
    (void)sim_expect_reply(world, "asker", 1, PX_BAD_REQUEST);
    ask(INSPECT_TRACE, from(0, 1, "nobody"));
    (void)sim_expect_reply(world, "asker", 1, PX_NOT_FOUND);
}
END_TEST

START_TEST(edges_count_messages_and_times_to_the_answer)
{
    static const uint64_t times[] = {10, 500, 20};
    for (int i = 0; i < 3; i++) {
        call_net(times[i]);
    }
    const Inspect__EdgeList *list = answer(INSPECT_EDGES, &inspect__none__descriptor);
    const Inspect__EdgeIs *to_net = NULL;
    for (size_t i = 0; i < list->n_edges; i++) {
        if (is(list->edges[i]->sender, "asker") && is(list->edges[i]->receiver, "net")) {
            to_net = list->edges[i];
        }
    }
    ck_assert_ptr_nonnull(to_net);
    ck_assert_uint_eq(to_net->messages, 3);
    ck_assert_uint_eq(to_net->answered, 3);
    ck_assert_uint_eq(to_net->answer_p50_us, 20);
    ck_assert_uint_eq(to_net->answer_max_us, 500);
    ck_assert_uint_ge(list->window_us, 530);
}
END_TEST

START_TEST(without_memory_a_question_is_answered_so_and_nothing_breaks)
{
    static const uint16_t methods[] = {INSPECT_SYSTEM, INSPECT_SERVICES, INSPECT_EDGES,
                                       INSPECT_TRACE, INSPECT_DESCRIBE};
    for (int i = 0; i < 300; i++) {
        call_net(1);
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        for (uint64_t nth = 1; nth < 40; nth++) {
            void *body = methods[i] == INSPECT_TRACE
                             ? from(0, 0, "")
                             : px_msg_new(env(), &inspect__none__descriptor);
            if (methods[i] == INSPECT_DESCRIBE) {
                px_msg_drop(body);
                Inspect__ServiceName *name = px_msg_new(env(), &inspect__service_name__descriptor);
                px_msg_put(name, &name->name, "inspect", 7);
                body = name;
            }
            px_sim_fail_alloc(world, nth, 1000, 0);
            ask(methods[i], body);
            px_sim_fail_alloc(world, 0, 0, 0);
            sim_settle(sim);
            ck_assert_uint_eq(px_test_recorded(world, "asker"), 1);
            px_test_forget(world, "asker");
        }
    }
}
END_TEST

/* An item of a watch, whose records are these many of calls to net. */
static void expect_watched(uint64_t tag, uint32_t calls, bool missed)
{
    const Inspect__TraceRecords *item = sim_expect_item(world, "asker", tag)->body;
    uint32_t n = 0;
    for (size_t i = 0; i < item->n_records; i++) {
        n += is(item->records[i]->receiver, "net") && is(item->records[i]->kind, "call");
    }
    ck_assert_uint_eq(n, calls);
    ck_assert(missed == (item->missed > 0));
}

START_TEST(who_watches_hears_what_is_sent_as_far_as_it_takes_items)
{
    px_call_id watch = px_call(env(), px_sim_addr(world, "inspect"), INSPECT_WATCH,
                               from(0, 0, "net"), PX_NEVER, 5);
    call_net(1);
    sim_expect_silence(sim);
    px_call_more(env(), watch, 2);
    sim_settle(sim);
    expect_watched(5, 1, false);
    sim_advance_us(sim, PX_SEC(1)); /* nothing is sent: nothing is told */
    sim_expect_silence(sim);
    call_net(1);
    sim_advance_us(sim, PX_MS(INSPECT_WATCH_MS));
    expect_watched(5, 1, false);
    for (int i = 0; i < INSPECT_TRACE_LENGTH; i++) {
        call_net(0);
    }
    px_call_more(env(), watch, 1);
    sim_settle(sim);
    (void)sim_expect_item(world, "asker", 5);
    px_cancel(env(), watch);
    sim_settle(sim);
    sim_expect_reply(world, "asker", 5, PX_CANCELLED);
}
END_TEST

START_TEST(thirty_two_watch_and_the_next_is_told_busy)
{
    px_call_id watches[INSPECT_WATCHES_MAX];
    for (uint64_t i = 0; i < INSPECT_WATCHES_MAX; i++) {
        watches[i] = px_call(env(), px_sim_addr(world, "inspect"), INSPECT_WATCH, from(0, 0, ""),
                             PX_NEVER, 100 + i);
    }
    sim_settle(sim);
    sim_expect_silence(sim);
    ask(INSPECT_WATCH, from(0, 0, ""));
    sim_expect_reply(world, "asker", 1, PX_BUSY);
    for (uint64_t i = 0; i < INSPECT_WATCHES_MAX; i++) {
        px_cancel(env(), watches[i]);
        sim_settle(sim);
        sim_expect_reply(world, "asker", 100 + i, PX_CANCELLED);
    }
    ask(INSPECT_WATCH, from(0, 0, "nobody"));
    sim_expect_reply(world, "asker", 1, PX_NOT_FOUND);
    ask(INSPECT_WATCH, from(0, INSPECT_RECORDS_MAX + 1, ""));
    sim_expect_reply(world, "asker", 1, PX_BAD_REQUEST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inspect");
    TCase *tcase = tcase_create("questions");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_mailbox_is_told_in_order);
    tcase_add_test(tcase, the_system_says_how_long_it_runs);
    tcase_add_test(tcase, every_type_that_a_method_mentions_is_described_once);
    tcase_add_test(tcase, who_takes_no_calls_is_not_described);
    tcase_add_test(tcase, a_trace_goes_on_where_it_ended);
    tcase_add_test(tcase, what_the_ring_has_lost_is_told_as_missed);
    tcase_add_test(tcase, edges_count_messages_and_times_to_the_answer);
    tcase_add_test(tcase, without_memory_a_question_is_answered_so_and_nothing_breaks);
    tcase_add_test(tcase, who_watches_hears_what_is_sent_as_far_as_it_takes_items);
    tcase_add_test(tcase, thirty_two_watch_and_the_next_is_told_busy);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
