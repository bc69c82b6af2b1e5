/* door_pair_test.c - clients that are attached: stream calls, and programs outside as services. */
#include "door_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.pb-c.h"
#include "ktest.pb-c.h"

enum { CALL = 1, STREAM, REPLY, ITEM, MORE, ENDED, ONEWAY, LOST };

static struct said said;

/* Toy.`method`{value}, or of another service. */
static void pair_ask(int fd, unsigned kind, uint64_t id, const char *service, const char *method,
                     uint64_t value)
{
    uint8_t body[16];
    Ktest__Number number = KTEST__NUMBER__INIT;
    number.value = value;
    pair_say(fd, &(struct pair){.kind = kind,
                                .id = id,
                                .service = service,
                                .method = method,
                                .body = body,
                                .body_len = ktest__number__pack(&number, body)});
}

static void more(int fd, uint64_t id, uint64_t n)
{
    pair_say(fd, &(struct pair){.kind = MORE, .id = id, .number = n});
}

/* Attached, and the service `name`. */
static int provider(const char *name, const char *description, bool with_role)
{
    int fd = pair_open();
    pair_provide(fd, name, description, with_role);
    struct pair_heard h = pair_hear(fd);
    ck_assert_str_eq(h.text, "");
    ck_assert_uint_eq(h.kind, REPLY);
    ck_assert_uint_eq(h.id, 900);
    return fd;
}

static void expect_refused(int fd, enum px_status status, const char *words)
{
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(h.kind, REPLY);
    ck_assert_uint_eq(h.status, status);
    ck_assert_msg(strstr(h.text, words) != NULL, "%s", h.text);
}

/* ---- calls ---- */

START_TEST(who_is_attached_makes_single_calls_too)
{
    int fd = pair_open();
    pair_ask(fd, CALL, UINT64_C(0xfedcba9876543210), "toy", "Ask", 5);
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(h.kind, REPLY);
    ck_assert_uint_eq(h.id, UINT64_C(0xfedcba9876543210));
    ck_assert_uint_eq(pair_value(&h), 6);
    pair_ask(fd, CALL, 1, "toy", "Aks", 5);
    expect_refused(fd, PX_NOT_FOUND, "toy has no method 'Aks'");
    close(fd);
}
END_TEST

START_TEST(a_message_in_pieces_of_a_byte_is_the_same_message)
{
    int fd = pair_open();
    uint8_t body[16];
    Ktest__Number number = KTEST__NUMBER__INIT;
    number.value = 300;
    pair_make(&said, &(struct pair){.kind = CALL,
                                    .id = 1,
                                    .service = "toy",
                                    .method = "Ask",
                                    .body = body,
                                    .body_len = ktest__number__pack(&number, body)});
    for (size_t i = 0; i < said.len; i++) {
        far_write(fd, said.bytes + i, 1);
        rig_turns(1);
    }
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(pair_value(&h), 301);
    close(fd);
}
END_TEST

START_TEST(no_item_comes_without_credit_and_a_reply_is_the_last)
{
    int fd = pair_open();
    pair_ask(fd, STREAM, 4, "toy", "Watch", 5);
    far_expect_silence(fd);
    more(fd, 4, 2);
    for (uint64_t i = 1; i <= 5; i++) {
        struct pair_heard h = pair_hear(fd);
        ck_assert_uint_eq(h.kind, ITEM);
        ck_assert_uint_eq(h.id, 4);
        ck_assert_uint_eq(pair_value(&h), i);
        if (i == 2) {
            far_expect_silence(fd);
            more(fd, 4, 100);
        }
    }
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(h.kind, REPLY);
    ck_assert_uint_eq(h.status, PX_OK);
    close(fd);
}
END_TEST

START_TEST(a_stream_that_is_given_up_ends_without_a_reply)
{
    int fd = pair_open();
    pair_ask(fd, STREAM, 4, "toy", "Watch", 1000);
    more(fd, 4, 1);
    (void)pair_hear(fd);
    pair_say(fd, &(struct pair){.kind = ENDED, .id = 4});
    UNTIL(rig->n_ended == 1);
    more(fd, 4, 1); /* late */
    far_expect_silence(fd);
    close(fd);
}
END_TEST

START_TEST(a_deadline_bounds_the_first_item_and_no_other)
{
    int fd = pair_open();
    pair_ask(fd, STREAM, 4, "toy", "Watch", 2);
    UNTIL(rig->watched != NULL);
    more(fd, 4, 1);
    (void)pair_hear(fd);
    rig_advance_us(PX_SEC(3000));
    more(fd, 4, 1);
    ck_assert_uint_eq(pair_hear(fd).kind, ITEM);
    ck_assert_uint_eq(pair_hear(fd).status, PX_OK);
    rig->n_items = 0;
    pair_ask(fd, STREAM, 5, "toy", "Watch", 1);
    UNTIL(rig->watched != NULL);
    rig_advance_us(PX_SEC(3000));
    more(fd, 5, 1);
    ck_assert_uint_eq(pair_hear(fd).kind, ITEM); /* nothing bounds this one */
    ck_assert_uint_eq(pair_hear(fd).kind, REPLY);
    rig->n_items = 0;
    pair_say(fd,
             &(struct pair){
                 .kind = STREAM, .id = 6, .number = 31000, .service = "toy", .method = "Watch"});
    UNTIL(rig->watched != NULL);
    rig_advance_us(PX_SEC(32));
    expect_refused(fd, PX_TIMED_OUT, "no answer");
    ck_assert_uint_eq(rig->n_ended, 1);
    close(fd);
}
END_TEST

START_TEST(a_stream_is_no_single_call_and_a_single_call_no_stream)
{
    int fd = pair_open();
    pair_ask(fd, CALL, 1, "toy", "Watch", 1);
    expect_refused(fd, PX_UNSUPPORTED, "answers with a stream");
    pair_ask(fd, STREAM, 1, "toy", "Ask", 1);
    expect_refused(fd, PX_UNSUPPORTED, "Ask is a single call");
    pair_ask(fd, STREAM, 1, "toy", "Note", 1);
    expect_refused(fd, PX_UNSUPPORTED, "never answered");
    close(fd);
}
END_TEST

START_TEST(an_item_beyond_what_may_wait_unread_ends_its_call_with_busy)
{
    int fd = pair_open();
    rig->item_len = 60000;
    pair_ask(fd, STREAM, 4, "toy", "Watch", 1000);
    more(fd, 4, 100);
    UNTIL(rig->n_ended == 1);
    ck_assert_uint_ge(rig_counter("busy"), 1);
    struct pair_heard h = pair_hear(fd);
    while (h.kind == ITEM) {
        h = pair_hear(fd);
    }
    ck_assert_uint_eq(h.status, PX_BUSY);
    close(fd);
}
END_TEST

/* ---- what ends a client ---- */

static void expect_broken(const struct pair *p)
{
    int fd = pair_open();
    pair_say(fd, p);
    ck_assert(far_is_closed(fd));
    close(fd);
}

START_TEST(what_makes_no_sense_ends_its_client)
{
    const struct pair wrong[] = {
        {.kind = 0},     {.kind = 9},    {.kind = CALL, .status = 256},
        {.kind = REPLY}, {.kind = ITEM}, {.kind = ONEWAY},
        {.kind = LOST},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_broken(&wrong[i]);
        ck_assert_uint_eq(rig_counter("broken"), i + 1);
    }
}
END_TEST

START_TEST(an_id_in_use_twice_ends_its_client)
{
    int fd = pair_open();
    pair_ask(fd, CALL, 1, "toy", "Ask", 0);
    pair_ask(fd, CALL, 1, "toy", "Ask", 1);
    ck_assert(far_is_closed(fd));
    close(fd);
}
END_TEST

START_TEST(a_message_of_the_longest_length_is_taken_and_one_more_ends_its_client)
{
    static uint8_t payload[RIG_REQUEST];
    size_t fits = RIG_REQUEST - 4 - 24 - 3 - 5;
    int fd = pair_open();
    struct pair p = {.kind = CALL,
                     .id = 1,
                     .service = "toy",
                     .method = "Plant",
                     .payload = payload,
                     .payload_len = fits};
    pair_say(fd, &p);
    ck_assert_uint_eq(pair_hear(fd).payload_len, fits);
    p.payload_len++;
    pair_say(fd, &p);
    ck_assert(far_is_closed(fd));
    close(fd);
}
END_TEST

/* ---- being a service ---- */

START_TEST(a_call_goes_to_who_provides_the_service_and_its_answer_comes_back)
{
    int far = provider("greeter", "what it is", false), fd = far_open();
    say(&said, 7, "greeter", "any.Contract.Hello", "body", 4, "payload", 7);
    far_write(fd, said.bytes, said.len);
    struct pair_heard asked = pair_hear(far);
    ck_assert_uint_eq(asked.kind, CALL);
    ck_assert_str_eq(asked.method, "any.Contract.Hello");
    ck_assert_uint_eq(asked.body_len, 4);
    ck_assert_mem_eq(asked.body, "body", 4);
    ck_assert_uint_eq(asked.payload_len, 7);
    ck_assert_mem_eq(asked.payload, "payload", 7);
    pair_say(far, &(struct pair){.kind = REPLY,
                                 .id = asked.id,
                                 .body = "answer",
                                 .body_len = 6,
                                 .payload = "more",
                                 .payload_len = 4});
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.id, 7);
    ck_assert_uint_eq(h.flags, 1);
    ck_assert_uint_eq(h.body_len, 6);
    ck_assert_mem_eq(h.body, "answer", 6);
    ck_assert_uint_eq(h.payload_len, 4);
    close(fd);
    close(far);
}
END_TEST

START_TEST(what_a_service_refuses_comes_back_with_its_words)
{
    int far = provider("greeter", "what it is", false), fd = pair_open();
    pair_ask(fd, CALL, 3, "greeter", "Hello", 1);
    struct pair_heard asked = pair_hear(far);
    pair_say(far, &(struct pair){.kind = REPLY,
                                 .status = PX_LIMIT,
                                 .id = asked.id,
                                 .text = "not today",
                                 .body = "ignored",
                                 .body_len = 7});
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(h.status, PX_LIMIT);
    ck_assert_str_eq(h.text, "not today");
    ck_assert_uint_eq(h.body_len + h.payload_len, 0);
    close(fd);
    close(far);
}
END_TEST

START_TEST(a_stream_of_a_service_outside_is_under_credit)
{
    int far = provider("greeter", "what it is", false), fd = pair_open();
    pair_ask(fd, STREAM, 3, "greeter", "Count", 1);
    struct pair_heard asked = pair_hear(far);
    ck_assert_uint_eq(asked.kind, STREAM);
    struct pair item = {.kind = ITEM, .id = asked.id, .body = "i", .body_len = 1};
    pair_say(far, &item); /* without credit: it is dropped */
    far_expect_silence(fd);
    more(fd, 3, 2);
    struct pair_heard m = pair_hear(far);
    ck_assert_uint_eq(m.kind, MORE);
    ck_assert_uint_eq(m.number, 2);
    ck_assert_uint_eq(m.id, asked.id);
    for (int i = 0; i < 3; i++) {
        pair_say(far, &item);
    }
    ck_assert_uint_eq(pair_hear(fd).kind, ITEM);
    ck_assert_uint_eq(pair_hear(fd).kind, ITEM);
    far_expect_silence(fd);
    pair_say(fd, &(struct pair){.kind = ENDED, .id = 3});
    m = pair_hear(far);
    ck_assert_uint_eq(m.kind, ENDED);
    ck_assert_uint_eq(m.id, asked.id);
    ck_assert_uint_eq(m.status, PX_CANCELLED);
    close(fd);
    close(far);
}
END_TEST

START_TEST(when_a_service_goes_its_calls_end_with_service_gone_until_somebody_is_it_again)
{
    int far = provider("greeter", "what it is", false), fd = pair_open();
    pair_ask(fd, CALL, 3, "greeter", "Hello", 1);
    (void)pair_hear(far);
    close(far);
    expect_refused(fd, PX_SERVICE_GONE, "");
    pair_ask(fd, CALL, 4, "greeter", "Hello", 1);
    expect_refused(fd, PX_SERVICE_GONE, "call again when it is back");
    far = provider("greeter", "what it is", false);
    pair_ask(fd, CALL, 5, "greeter", "Hello", 1);
    ck_assert_uint_eq(pair_hear(far).kind, CALL);
    close(fd);
    ck_assert_uint_eq(pair_hear(far).kind, ENDED);
    close(far);
}
END_TEST

START_TEST(what_a_service_says_of_itself_is_told_on_while_it_is_there)
{
    static const uint8_t named[] = {0x0a, 7, 'g', 'r', 'e', 'e', 't', 'e', 'r'};
    int far = provider("greeter", "what it is", false), fd = pair_open();
    struct pair p = {.kind = CALL,
                     .id = 1,
                     .service = "inspect",
                     .method = "inspect.Inspect.Describe",
                     .body = named,
                     .body_len = sizeof named};
    pair_say(fd, &p);
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(h.body_len, 10);
    ck_assert_uint_eq(h.payload_len, 0);
    ck_assert_mem_eq(h.body, "what it is", 10);
    int single = far_open();
    say(&said, 5, "inspect", "Describe", named, sizeof named, NULL, 0);
    far_write(single, said.bytes, said.len);
    struct heard s = hear(single);
    ck_assert_uint_eq(s.body_len, 10);
    ck_assert_mem_eq(s.body, "what it is", 10);
    p.body_len--;
    pair_say(fd, &p);
    expect_refused(fd, PX_NOT_FOUND, "no service 'inspect'"); /* as for any other question */
    close(far);
    rig_turns(3);
    p.body_len++;
    pair_say(fd, &p);
    expect_refused(fd, PX_SERVICE_GONE, "'greeter' has ended");
    close(fd);
    close(single);
}
END_TEST

START_TEST(a_service_answers_only_calls_that_came_to_it)
{
    int a = provider("a", "what it is", false), b = provider("b", "what it is", false);
    int fd = pair_open();
    pair_ask(fd, CALL, 3, "a", "Hello", 1);
    struct pair_heard asked = pair_hear(a);
    pair_say(b, &(struct pair){.kind = REPLY, .id = asked.id, .body = "b", .body_len = 1});
    far_expect_silence(fd);
    pair_say(a, &(struct pair){.kind = REPLY, .id = asked.id, .body = "a", .body_len = 1});
    pair_say(a, &(struct pair){.kind = REPLY, .id = asked.id, .body = "x", .body_len = 1});
    struct pair_heard h = pair_hear(fd);
    ck_assert_mem_eq(h.body, "a", 1);
    far_expect_silence(fd);
    close(fd);
    close(a);
    close(b);
}
END_TEST

START_TEST(an_offer_that_cannot_be_says_why)
{
    int far = provider("greeter", "what it is", false), fd = pair_open();
    char long_name[34];
    memset(long_name, 'n', sizeof long_name);
    long_name[32] = '\0';
    pair_provide(far, "second", "x", false);
    expect_refused(far, PX_IN_USE, "this connection is the service 'greeter' already");
    pair_provide(fd, "greeter", "x", false);
    expect_refused(fd, PX_IN_USE, "another connection is the service 'greeter'");
    pair_provide(fd, "toy", "x", false);
    expect_refused(fd, PX_IN_USE, "a mailbox of the system");
    pair_provide(fd, "no/name", "x", false);
    expect_refused(fd, PX_BAD_REQUEST, "an offer has a name");
    pair_provide(fd, long_name, "x", false);
    expect_refused(fd, PX_BAD_REQUEST, "an offer has a name");
    pair_provide(fd, "nothing", "", false);
    expect_refused(fd, PX_BAD_REQUEST, "an offer has a name");
    long_name[31] = '\0';
    pair_provide(fd, long_name, "x", false);
    ck_assert_uint_eq(pair_hear(fd).status, PX_OK);
    int third = pair_open();
    pair_provide(third, "third", "x", false);
    expect_refused(third, PX_LIMIT, "2 services are outside");
    close(fd);
    close(far);
    close(third);
}
END_TEST

START_TEST(a_contract_of_another_form_is_refused_with_both_hashes)
{
    uint8_t body[64];
    int fd = pair_open();
    Door__Offer offer = DOOR__OFFER__INIT;
    offer.name = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "a"};
    offer.contract = (ProtobufCBinaryData){9, (uint8_t *)(uintptr_t) "ktest.Toy"};
    offer.hash = 0xabc;
    struct pair p = {.kind = CALL, .service = "door", .method = "door.Door.Provide", .body = body};
    p.body_len = door__offer__pack(&offer, body);
    pair_say(fd, &p);
    expect_refused(fd, PX_UNSUPPORTED, "0000000000000abc there");
    offer.contract.data = (uint8_t *)(uintptr_t) "ktest.Yot";
    p.body_len = door__offer__pack(&offer, body);
    pair_say(fd, &p);
    expect_refused(fd, PX_UNSUPPORTED, "nobody here has a use for contract 'ktest.Yot'");
    p.method = "Provoke";
    pair_say(fd, &p);
    expect_refused(fd, PX_NOT_FOUND, "it has: Provide");
    p.method = "Provide";
    p.body_len = 1;
    pair_say(fd, &p);
    expect_refused(fd, PX_BAD_REQUEST, "not an Offer");
    close(fd);
}
END_TEST

START_TEST(only_names_that_are_granted_may_be_provided)
{
    static const char *const names[] = {"mine"};
    rig_restart(RIG_CLIENTS, true, names, 1);
    int fd = pair_open();
    pair_provide(fd, "yours", "x", false);
    expect_refused(fd, PX_DENIED, "may not be the service 'yours'");
    pair_provide(fd, "mine", "x", false);
    ck_assert_uint_eq(pair_hear(fd).status, PX_OK);
    close(fd);
}
END_TEST

START_TEST(a_single_call_cannot_become_a_service)
{
    int fd = far_open();
    say(&said, 7, "door", "Provide", NULL, 0, NULL, 0);
    far_write(fd, said.bytes, said.len);
    ck_assert_uint_eq(hear(fd).status, PX_NOT_FOUND);
    close(fd);
}
END_TEST

/* ---- a contract that the system knows ---- */

START_TEST(oneways_go_both_ways_with_the_receivers_handle)
{
    int far = provider("helper", "", true);
    struct px_env *toy = px_kernel_env(rig->kernel, rig->toy);
    Ktest__Number *m = px_msg_new(toy, &ktest__number__descriptor);
    m->value = 5;
    struct px_buf *buf = px_buf_new(toy, 100);
    memset(px_buf_data(buf), 'x', 100);
    ck_assert(px_msg_attach_take(m, buf, 0, 100));
    ck_assert(px_send(toy, rig->outside[0], TOY_NOTE, m, 77));
    struct pair_heard h = pair_hear(far);
    ck_assert_uint_eq(h.kind, ONEWAY);
    ck_assert_str_eq(h.service, "toy");
    ck_assert_str_eq(h.method, "ktest.Toy.Note");
    ck_assert_uint_eq(h.id, 77);
    ck_assert_uint_eq(pair_value(&h), 5);
    ck_assert_uint_eq(h.payload_len, 100);
    pair_ask(far, ONEWAY, 88, "toy", "ktest.Stack.Bytes", 9);
    UNTIL(rig->told == 9);
    ck_assert_uint_eq(rig->told_tag, 88);
    close(far);
}
END_TEST

START_TEST(who_speaks_to_others_or_what_it_may_not_is_ended)
{
    int far = provider("helper", "", true);
    pair_ask(far, ONEWAY, 88, "door", "Bytes", 9);
    ck_assert(far_is_closed(far));
    close(far);
    far = provider("helper", "", true);
    pair_ask(far, ONEWAY, 88, "toy", "Note", 9);
    ck_assert(far_is_closed(far));
    close(far);
    far = provider("helper", "", true);
    pair_say(far, &(struct pair){.kind = ONEWAY,
                                 .service = "toy",
                                 .method = "Bytes",
                                 .body = "\xff\xff",
                                 .body_len = 2});
    ck_assert(far_is_closed(far));
    close(far);
    far = provider("helper", "x", false);
    pair_ask(far, ONEWAY, 88, "toy", "Bytes", 9);
    ck_assert(far_is_closed(far));
    close(far);
    ck_assert_uint_eq(rig->told, 0);
}
END_TEST

START_TEST(a_service_that_only_fulfils_a_contract_takes_no_calls)
{
    int far = provider("helper", "", true), fd = pair_open();
    pair_ask(fd, CALL, 1, "helper", "Note", 1);
    expect_refused(fd, PX_UNSUPPORTED, "'helper' has no methods");
    pair_ask(fd, CALL, 1, "nobody", "Note", 1);
    expect_refused(fd, PX_NOT_FOUND, "these do: toy");
    close(fd);
    close(far);
}
END_TEST

START_TEST(its_name_is_known_while_it_is_there)
{
    struct px_env *door = px_kernel_env(rig->kernel, rig->door);
    ck_assert_uint_eq(px_door_outside(door, "helper", &px_contract_toy), 0);
    ck_assert_ptr_null(px_door_outside_name(door, rig->outside[0]));
    int far = provider("helper", "", true);
    ck_assert_uint_eq(px_door_outside(door, "helper", &px_contract_toy), rig->outside[0]);
    ck_assert_uint_eq(px_door_outside(door, "helper", &px_contract_stack), 0);
    ck_assert_str_eq(px_door_outside_name(door, rig->outside[0]), "helper");
    ck_assert_ptr_null(px_door_outside_name(door, rig->toy));
    close(far);
    rig_turns(3);
    ck_assert_uint_eq(px_door_outside(door, "helper", &px_contract_toy), 0);
}
END_TEST

START_TEST(a_service_that_does_not_read_makes_its_askers_hear_busy)
{
    static uint8_t payload[15000]; /* a message that one read takes whole */
    int far = provider("sleeper", "x", false), fd = pair_open();
    struct pair p = {.kind = CALL, .service = "sleeper", .method = "Hello"};
    char byte;
    p.payload = payload;
    p.payload_len = sizeof payload;
    for (;;) {
        p.id++;
        ck_assert_uint_lt(p.id, 1000);
        pair_say(fd, &p);
        rig_turns(3);
        if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1) {
            break;
        }
        pair_say(fd, &(struct pair){.kind = ENDED, .id = p.id});
    }
    struct pair_heard h = pair_hear(fd);
    ck_assert_uint_eq(h.id, p.id);
    ck_assert_uint_eq(h.status, PX_BUSY);
    ck_assert_uint_ge(p.id * sizeof payload, RIG_MEMORY);
    close(fd);
    close(far);
}
END_TEST

START_TEST(services_come_and_go_a_thousand_times_and_leave_nothing)
{
    uint32_t before = descriptors();
    for (int i = 0; i < 1000; i++) {
        int far = provider(i % 2 == 0 ? "even" : "odd", "what it is", i % 3 == 0);
        int fd = pair_open();
        pair_ask(fd, CALL, 3, i % 2 == 0 ? "even" : "odd", "Hello", 1);
        (void)pair_hear(far);
        close(i % 5 == 0 ? fd : far);
        rig_turns(2);
        close(i % 5 == 0 ? far : fd);
        rig_turns(2);
    }
    UNTIL(rig_ledger().elems == 0);
    ck_assert_uint_eq(descriptors(), before);
}
END_TEST

/* ---- whatever a client may write ---- */

enum { STORM_CLIENTS = 3, STORM_MESSAGES = 150, STORM_SEEDS = 16 };

static uint64_t storm_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A message of some kind about some call, well formed but one time in sixteen. */
static void storm_say(int fd, uint64_t *seed)
{
    static const char *const services[] = {"toy", "a", "b", "door", "inspect", "guest", NULL};
    static const char *const methods[] = {
        "Ask", "Watch", "ktest.Toy.Plant", "Provide", "Describe", "ktest.Stack.Bytes", NULL};
    static const uint8_t bodies[][11] = {{0x08, 0x05}, {0x0a, 1, 'a'}, {0xff}, {0x08}};
    uint64_t r = storm_next(seed);
    struct pair p = {.kind = r % 16 == 0 ? (unsigned)(r >> 8) % 256 : 1 + (unsigned)(r >> 8) % 7,
                     .id = (r >> 16) % 6,
                     .number = (r >> 24) % 50,
                     .status = (unsigned)(r >> 32) % 20,
                     .service = services[(r >> 40) % 7],
                     .method = methods[(r >> 44) % 7],
                     .text = (r >> 48) % 3 == 0 ? "words" : NULL,
                     .body = bodies[(r >> 52) % 4],
                     .body_len = (r >> 56) % 4,
                     .payload = bodies,
                     .payload_len = (r >> 60) % 8};
    pair_make(&said, &p);
    if (r % 16 == 1) {
        said.bytes[9 + storm_next(seed) % (said.len - 9)] ^= (uint8_t)storm_next(seed);
    }
    (void)send(fd, said.bytes, said.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int storm_client(uint64_t *seed)
{
    static const char *const names[] = {"a", "b"};
    int fd = pair_open();
    if (storm_next(seed) % 2 == 0) {
        pair_provide(fd, names[storm_next(seed) % 2], "what it is", storm_next(seed) % 2 == 0);
    }
    return fd;
}

static void storm(uint64_t seed)
{
    int fds[STORM_CLIENTS];
    for (int i = 0; i < STORM_CLIENTS; i++) {
        fds[i] = storm_client(&seed);
    }
    for (int i = 0; i < STORM_MESSAGES; i++) {
        int *fd = &fds[storm_next(&seed) % STORM_CLIENTS];
        char bytes[4096];
        storm_say(*fd, &seed);
        rig_turns(1);
        ssize_t n = recv(*fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET) || storm_next(&seed) % 64 == 0) {
            close(*fd);
            rig_turns(2);
            *fd = storm_client(&seed);
        }
    }
    for (int i = 0; i < STORM_CLIENTS; i++) {
        close(fds[i]);
    }
    UNTIL(rig_ledger().elems == 0); /* and rig_end sees that nothing is left */
    px_msg_release(rig->watched);
    rig->watched = NULL;
}

START_TEST(whatever_clients_write_to_each_other_nothing_is_left_of_it)
{
    const char *one = getenv("PX_SEED");
    rig->is_storm = true;
    for (uint64_t i = 1; i <= (one == NULL ? STORM_SEEDS : 1); i++) {
        uint64_t seed = one == NULL ? i * UINT64_C(0x9e3779b97f4a7c15) : strtoull(one, NULL, 0);
        printf("seed %llu\n", (unsigned long long)seed);
        fflush(stdout);
        storm(seed);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        who_is_attached_makes_single_calls_too,
        a_message_in_pieces_of_a_byte_is_the_same_message,
        no_item_comes_without_credit_and_a_reply_is_the_last,
        a_stream_that_is_given_up_ends_without_a_reply,
        a_deadline_bounds_the_first_item_and_no_other,
        a_stream_is_no_single_call_and_a_single_call_no_stream,
        an_item_beyond_what_may_wait_unread_ends_its_call_with_busy,
        what_makes_no_sense_ends_its_client,
        an_id_in_use_twice_ends_its_client,
        a_message_of_the_longest_length_is_taken_and_one_more_ends_its_client,
        a_call_goes_to_who_provides_the_service_and_its_answer_comes_back,
        what_a_service_refuses_comes_back_with_its_words,
        a_stream_of_a_service_outside_is_under_credit,
        when_a_service_goes_its_calls_end_with_service_gone_until_somebody_is_it_again,
        what_a_service_says_of_itself_is_told_on_while_it_is_there,
        a_service_answers_only_calls_that_came_to_it,
        an_offer_that_cannot_be_says_why,
        a_contract_of_another_form_is_refused_with_both_hashes,
        only_names_that_are_granted_may_be_provided,
        a_single_call_cannot_become_a_service,
        oneways_go_both_ways_with_the_receivers_handle,
        who_speaks_to_others_or_what_it_may_not_is_ended,
        a_service_that_only_fulfils_a_contract_takes_no_calls,
        its_name_is_known_while_it_is_there,
        a_service_that_does_not_read_makes_its_askers_hear_busy,
        services_come_and_go_a_thousand_times_and_leave_nothing,
        whatever_clients_write_to_each_other_nothing_is_left_of_it,
    };
    Suite *suite = suite_create("door_pair");
    TCase *tcase = tcase_create("attached");
    tcase_add_checked_fixture(tcase, rig_begin, rig_end);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
