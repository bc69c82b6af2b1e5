/* outside_test.c - requests that a program behind the door answers: recorders stand for the engine
 * and for that program, which may say anything. */
#include "app_rig.h"

#include "plexus/door.h"

enum { REQUESTER = 77, THEIRS = 99, WINDOW = 65536 };

static struct rig rig;

static void on_request(struct px_request request, void *arg)
{
    relay_start(request_of(request), *(px_addr *)arg);
}

static px_addr to;

static void setup(void)
{
    rig_start(&rig);
    to = px_sim_addr(rig.world, "outside");
    ck_assert_int_eq(px_server_route(&rig.server, "*", "/", on_request, &to), PX_EOK);
}

static void teardown(void)
{
    rig_end(&rig);
}

/* ---- the engine ---- */

static struct px_env *h1(void)
{
    return px_sim_env(rig.world, "h1");
}

/* A request; returns the handle by which the program knows it. */
static px_handle ask(const char *method, bool has_body, uint32_t credit)
{
    Http__Request *m = px_msg_new(h1(), &http__request__descriptor);
    m->requester = REQUESTER;
    px_msg_put(m, &m->method, method, strlen(method));
    px_msg_put(m, &m->path, "/?q", 3);
    px_msg_put(m, &m->authority, "a.example", 9);
    m->fin = !has_body;
    m->credit = credit;
    px_send(h1(), rig.app, RESPONDER_EXCHANGE, m, 0);
    sim_settle(rig.sim);
    if (px_test_recorded(rig.world, "outside") == 0) {
        return 0;
    }
    const struct px_msg *msg = sim_expect(rig.world, "outside", RESPONDER_EXCHANGE);
    const Http__Request *head = msg->body;
    ck_assert_uint_eq(head->method.len, strlen(method));
    ck_assert_mem_eq(head->path.data, "/?q", 3);
    ck_assert_mem_eq(head->authority.data, "a.example", 9);
    ck_assert_uint_eq(head->credit, credit);
    ck_assert_int_eq(head->fin, !has_body);
    ck_assert(!head->file_ranges);
    ck_assert_uint_eq(msg->tag, 0);
    return head->requester;
}

static const struct px_msg *heard(uint16_t method)
{
    const struct px_msg *msg = sim_expect(rig.world, "h1", method);
    ck_assert_uint_eq(msg->tag, REQUESTER);
    return msg;
}

/* Our handle, from the empty Credit that every request is answered with at first. */
static px_handle ours(void)
{
    const Http__ExchangeCredit *m = heard(REQUESTER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, 0);
    return m->responder;
}

static void *with_payload(struct px_env *env, void *body, size_t len)
{
    struct px_buf *buf = len == 0 ? NULL : px_buf_new(env, len);
    if (buf != NULL) {
        memset(px_buf_data(buf), 'b', len);
        ck_assert(px_msg_attach_take(body, buf, 0, (uint32_t)len));
    }
    return body;
}

static void engine_data(px_handle at, size_t len, bool fin)
{
    Http__BodyBytes *m = px_msg_new(h1(), &http__body_bytes__descriptor);
    m->fin = fin;
    px_send(h1(), rig.app, RESPONDER_DATA, with_payload(h1(), m, len), at);
    sim_settle(rig.sim);
}

static void engine_credit(px_handle at, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(h1(), &http__exchange_credit__descriptor);
    m->bytes = bytes;
    px_send(h1(), rig.app, RESPONDER_CREDIT, m, at);
    sim_settle(rig.sim);
}

static void engine_ended(px_handle at, enum px_status status)
{
    Http__EndedExchange *m = px_msg_new(h1(), &http__ended_exchange__descriptor);
    m->status = status;
    px_send(h1(), rig.app, RESPONDER_ENDED, m, at);
    sim_settle(rig.sim);
}

static void expect_answer(uint32_t status)
{
    const Http__Response *m = heard(REQUESTER_RESPOND)->body;
    ck_assert_uint_eq(m->status, status);
}

/* ---- the program ---- */

static struct px_env *outside(void)
{
    return px_sim_env(rig.world, "outside");
}

struct said {
    uint32_t status;
    const char *name, *value; /* of one field; NULL: none */
    bool fin, has_length;
    uint64_t length;
    size_t payload;
    px_handle theirs; /* 0: THEIRS */
};

static void respond_with(px_handle at, struct said said)
{
    Http__Response *m = px_msg_new_sized(outside(), &http__response__descriptor, 256);
    m->responder = said.theirs == 0 ? (px_handle)THEIRS : said.theirs;
    m->status = said.status;
    m->fin = said.fin;
    m->has_length = said.has_length;
    m->length = said.length;
    if (said.name != NULL) {
        uint8_t bytes[200];
        size_t name = strlen(said.name), value = strlen(said.value);
        uint8_t *p = bytes;
        *p++ = 0x0a;
        *p++ = (uint8_t)(4 + name + value);
        *p++ = 0x0a;
        *p++ = (uint8_t)name;
        memcpy(p, said.name, name);
        p += name;
        *p++ = 0x12;
        *p++ = (uint8_t)value;
        memcpy(p, said.value, value);
        px_msg_put(m, &m->fields, bytes, 6 + name + value);
    }
    px_send(outside(), rig.app, REQUESTER_RESPOND, with_payload(outside(), m, said.payload), at);
    sim_settle(rig.sim);
}

#define respond(at, ...) respond_with((at), (struct said){__VA_ARGS__})

static void data(px_handle at, size_t len, bool fin)
{
    Http__BodyBytes *m = px_msg_new(outside(), &http__body_bytes__descriptor);
    m->fin = fin;
    px_send(outside(), rig.app, REQUESTER_DATA, with_payload(outside(), m, len), at);
    sim_settle(rig.sim);
}

static void credit(px_handle at, uint32_t bytes)
{
    Http__ExchangeCredit *m = px_msg_new(outside(), &http__exchange_credit__descriptor);
    m->responder = THEIRS;
    m->bytes = bytes;
    px_send(outside(), rig.app, REQUESTER_CREDIT, m, at);
    sim_settle(rig.sim);
}

static void expect_ended(enum px_status status)
{
    const struct px_msg *msg = sim_expect(rig.world, "outside", RESPONDER_ENDED);
    ck_assert_uint_eq(((const Http__EndedExchange *)msg->body)->status, status);
    ck_assert_uint_eq(msg->tag, THEIRS);
}

/* It broke the contract before it had responded. */
static void expect_bad_gateway(px_handle engine)
{
    expect_ended(PX_PROTOCOL);
    expect_answer(502);
    engine_ended(engine, PX_OK);
}

static void expect_cancelled(px_handle engine)
{
    expect_ended(PX_PROTOCOL);
    heard(REQUESTER_CANCEL);
    engine_ended(engine, PX_RESET);
}

/* ---- what goes well ---- */

START_TEST(an_answer_goes_to_the_engine_and_the_end_to_the_program)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    respond(at, .status = 201, .name = "x-a", .value = "b", .fin = true, .has_length = true,
            .length = 5, .payload = 5);
    const struct px_msg *msg = heard(REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    ck_assert_uint_eq(m->status, 201);
    ck_assert_uint_eq(m->responder, engine);
    ck_assert_uint_eq(m->length, 5);
    ck_assert(m->fin);
    sim_expect_payload(rig.world, msg, "bbbbb", 5);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

START_TEST(a_body_of_the_response_passes_under_the_credit_of_the_engine)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    respond(at, .status = 200);
    expect_answer(200);
    data(at, 1000, false);
    ck_assert_uint_eq(px_msg_payload_len(heard(REQUESTER_DATA)), 1000);
    engine_credit(engine, 600);
    const struct px_msg *msg = sim_expect(rig.world, "outside", RESPONDER_CREDIT);
    ck_assert_uint_eq(((const Http__ExchangeCredit *)msg->body)->bytes, 600);
    ck_assert_uint_eq(msg->tag, THEIRS);
    data(at, 600, true);
    ck_assert(((const Http__BodyBytes *)heard(REQUESTER_DATA)->body)->fin);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

START_TEST(credit_that_came_before_the_program_told_its_handle_is_told_then)
{
    px_handle at = ask("GET", false, 0), engine = ours();
    engine_credit(engine, 600);
    engine_credit(engine, 400);
    respond(at, .status = 200);
    const struct px_msg *msg = sim_expect(rig.world, "outside", RESPONDER_CREDIT);
    ck_assert_uint_eq(((const Http__ExchangeCredit *)msg->body)->bytes, 1000);
    expect_answer(200);
    data(at, 1000, true);
    heard(REQUESTER_DATA);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

START_TEST(a_body_of_the_request_passes_under_the_credit_of_the_program)
{
    px_handle at = ask("POST", true, 1000), engine = ours();
    credit(at, WINDOW);
    const Http__ExchangeCredit *m = heard(REQUESTER_CREDIT)->body;
    ck_assert_uint_eq(m->bytes, WINDOW);
    engine_data(engine, 60000, false);
    const struct px_msg *msg = sim_expect(rig.world, "outside", RESPONDER_DATA);
    ck_assert_uint_eq(px_msg_payload_len(msg), 60000);
    ck_assert_uint_eq(msg->tag, THEIRS);
    credit(at, 60000);
    heard(REQUESTER_CREDIT);
    engine_data(engine, 0, true);
    ck_assert(
        ((const Http__BodyBytes *)sim_expect(rig.world, "outside", RESPONDER_DATA)->body)->fin);
    respond(at, .status = 204, .fin = true);
    expect_answer(204);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

START_TEST(trailers_pass_both_ways)
{
    px_handle at = ask("POST", true, 1000), engine = ours();
    Http__TrailerFields *m = px_msg_new(h1(), &http__trailer_fields__descriptor);
    px_send(h1(), rig.app, RESPONDER_TRAILERS, m, engine); /* before it has told its handle */
    sim_settle(rig.sim);
    respond(at, .status = 200);
    sim_expect(rig.world, "outside", RESPONDER_TRAILERS);
    expect_answer(200);
    m = px_msg_new(outside(), &http__trailer_fields__descriptor);
    px_send(outside(), rig.app, REQUESTER_TRAILERS, m, at);
    sim_settle(rig.sim);
    heard(REQUESTER_TRAILERS);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

START_TEST(an_interim_response_passes)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    credit(at, 0); /* tells the handle, and no more */
    Http__InterimResponse *m = px_msg_new(outside(), &http__interim_response__descriptor);
    m->status = 103;
    px_send(outside(), rig.app, REQUESTER_INFORM, m, at);
    sim_settle(rig.sim);
    ck_assert_uint_eq(((const Http__InterimResponse *)heard(REQUESTER_INFORM)->body)->status, 103);
    respond(at, .status = 200, .fin = true);
    expect_answer(200);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

START_TEST(the_body_of_an_answer_to_head_stays_here)
{
    px_handle at = ask("HEAD", false, 1000), engine = ours();
    respond(at, .status = 200, .has_length = true, .length = 5, .payload = 2);
    const struct px_msg *msg = heard(REQUESTER_RESPOND);
    ck_assert(((const Http__Response *)msg->body)->fin);
    ck_assert_uint_eq(((const Http__Response *)msg->body)->length, 5);
    ck_assert_uint_eq(px_msg_payload_len(msg), 0);
    data(at, 3, true);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
}
END_TEST

/* ---- nobody is there ---- */

static void expect_later(void)
{
    const struct px_msg *msg = heard(REQUESTER_RESPOND);
    const Http__Response *m = msg->body;
    ck_assert_uint_eq(m->status, 503);
    ck_assert_ptr_nonnull(memmem(m->fields.data, m->fields.len, "retry-after", 11));
}

START_TEST(without_a_program_it_is_503_with_retry_after)
{
    to = 0;
    ck_assert_uint_eq(ask("GET", false, 0), 0);
    expect_later();
}
END_TEST

START_TEST(the_two_hundred_and_fifty_seventh_request_at_once_is_503)
{
    struct app *app = px_kernel_state(rig.system->kernel, rig.app);
    uint32_t *n = &app->n_relays[to % OUTSIDE_MAX];
    *n = PX_OUTSIDE_REQUESTS_MAX - 1;
    px_handle at = ask("GET", false, 0), engine = ours();
    ck_assert_uint_ne(at, 0);
    ck_assert_uint_eq(ask("GET", false, 0), 0);
    expect_later();
    respond(at, .status = 200, .fin = true);
    expect_answer(200);
    engine_ended(engine, PX_OK);
    expect_ended(PX_OK);
    ck_assert_uint_eq(*n, PX_OUTSIDE_REQUESTS_MAX - 1);
    *n = 0;
}
END_TEST

static void program_goes(void)
{
    struct app *app = px_kernel_state(rig.system->kernel, rig.app);
    relay_gone(app, px_mailbox_peer(app->env, to));
    sim_settle(rig.sim);
}

START_TEST(a_program_that_goes_before_it_responds_is_answered_for)
{
    (void)ask("POST", true, 0);
    px_handle engine = ours();
    program_goes();
    expect_later();
    engine_data(engine, 5, true); /* was on its way */
    engine_ended(engine, PX_OK);
}
END_TEST

START_TEST(a_program_that_goes_in_its_response_ends_the_exchange)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    respond(at, .status = 200);
    expect_answer(200);
    program_goes();
    const Http__CancelExchange *m = heard(REQUESTER_CANCEL)->body;
    ck_assert_uint_eq(m->reason, PX_SERVICE_GONE);
    engine_ended(engine, PX_RESET);
}
END_TEST

START_TEST(a_client_that_goes_is_told_to_the_program_also_if_that_speaks_later)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    engine_ended(engine, PX_RESET);
    respond(at, .status = 200);
    expect_ended(PX_RESET);
    at = ask("GET", false, 1000);
    engine = ours();
    respond(at, .status = 200);
    expect_answer(200);
    engine_ended(engine, PX_RESET);
    expect_ended(PX_RESET);
    data(at, 5, true);
    sim_expect_silence(rig.sim);
}
END_TEST

START_TEST(a_program_that_gives_up_is_a_bad_gateway)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    Http__CancelExchange *m = px_msg_new(outside(), &http__cancel_exchange__descriptor);
    m->responder = THEIRS;
    px_send(outside(), rig.app, REQUESTER_CANCEL, m, at);
    sim_settle(rig.sim);
    expect_ended(PX_CANCELLED);
    expect_answer(502);
    engine_ended(engine, PX_OK);
}
END_TEST

/* ---- what breaks the contract ---- */

START_TEST(a_head_that_cannot_be_sent_is_a_bad_gateway)
{
    const struct said wrong[] = {
        {.status = 199, .fin = true},
        {.status = 1000, .fin = true},
        {.status = 200, .fin = true, .name = "X-Upper", .value = "v"},
        {.status = 200, .fin = true, .name = "connection", .value = "close"},
        {.status = 200, .fin = true, .name = "a b", .value = "v"},
        {.status = 200, .fin = true, .name = "a", .value = "v\r\nb: c"},
        {.status = 200, .fin = true, .payload = 16385},
        {.status = 200, .fin = true, .has_length = true, .length = 5, .payload = 4},
        {.status = 200, .has_length = true, .length = 5, .payload = 6},
        {.status = 204, .fin = true, .payload = 1},
        {.status = 304},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        px_handle at = ask("GET", false, 1000), engine = ours();
        respond_with(at, wrong[i]);
        expect_bad_gateway(engine);
    }
}
END_TEST

START_TEST(more_than_it_has_credit_for_or_than_it_said_ends_the_exchange)
{
    const size_t lengths[] = {1001, 601, 500};
    for (size_t i = 0; i < 3; i++) {
        px_handle at = ask("GET", false, 1000), engine = ours();
        respond(at, .status = 200, .has_length = i > 0, .length = 600);
        expect_answer(200);
        data(at, lengths[i], true);
        expect_cancelled(engine);
    }
}
END_TEST

START_TEST(a_second_response_ends_the_exchange)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    respond(at, .status = 200);
    expect_answer(200);
    respond(at, .status = 200);
    expect_cancelled(engine);
}
END_TEST

START_TEST(more_window_than_may_be_is_a_bad_gateway)
{
    px_handle at = ask("POST", true, 1000), engine = ours();
    credit(at, WINDOW);
    heard(REQUESTER_CREDIT);
    credit(at, 1);
    expect_bad_gateway(engine);
}
END_TEST

START_TEST(bytes_before_a_response_are_a_bad_gateway)
{
    px_handle at = ask("GET", false, 1000), engine = ours();
    credit(at, 0);
    data(at, 5, true);
    expect_bad_gateway(engine);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_answer_goes_to_the_engine_and_the_end_to_the_program,
        a_body_of_the_response_passes_under_the_credit_of_the_engine,
        credit_that_came_before_the_program_told_its_handle_is_told_then,
        a_body_of_the_request_passes_under_the_credit_of_the_program,
        trailers_pass_both_ways,
        an_interim_response_passes,
        the_body_of_an_answer_to_head_stays_here,
        without_a_program_it_is_503_with_retry_after,
        the_two_hundred_and_fifty_seventh_request_at_once_is_503,
        a_program_that_goes_before_it_responds_is_answered_for,
        a_program_that_goes_in_its_response_ends_the_exchange,
        a_client_that_goes_is_told_to_the_program_also_if_that_speaks_later,
        a_program_that_gives_up_is_a_bad_gateway,
        a_head_that_cannot_be_sent_is_a_bad_gateway,
        more_than_it_has_credit_for_or_than_it_said_ends_the_exchange,
        a_second_response_ends_the_exchange,
        more_window_than_may_be_is_a_bad_gateway,
        bytes_before_a_response_are_a_bad_gateway,
    };
    Suite *suite = suite_create("outside");
    TCase *tcase = tcase_create("relay");
    tcase_add_checked_fixture(tcase, setup, teardown);
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
