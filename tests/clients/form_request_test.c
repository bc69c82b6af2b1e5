/* form_request_test.c - forms of requests: what is told, the credit for it, and the answers to what
 * is no form. */
#include "engine_rig.h"

#define URLENCODED "application/x-www-form-urlencoded"
#define MULTIPART "multipart/form-data; boundary=b"
/* A part of a form with boundary "b", and the end of one. */
#define PART(head, data) "--b\r\nContent-Disposition: form-data; " head "\r\n\r\n" data "\r\n"
#define LAST "--b--\r\n"

enum { WINDOW = 65536 };

static struct rig rig;
static struct px_form_config config;
static struct px_request last;
static enum px_err read_err, done_err;
static uint32_t n_done, n_ended;
static struct px_bytes_out heard;
static char heard_mem[1024];
static bool answer_in_data;

static void on_begin(struct px_request request, void *arg, const struct px_form_part *part)
{
    (void)request, (void)arg;
    px_bytes_put_str(&heard, part->is_file ? "[" : "{");
    px_bytes_put(&heard, part->name.ptr, part->name.len);
    px_bytes_put_str(&heard, part->is_file ? "]" : "}");
}

static void on_data(struct px_request request, void *arg, const struct px_form_part *part,
                    const void *data, size_t len)
{
    (void)arg, (void)part;
    px_bytes_put(&heard, data, len);
    if (answer_in_data) {
        ck_assert_int_eq(px_request_reply_text(request, 507, "full"), PX_EOK);
    }
}

static void on_end(struct px_request request, void *arg, const struct px_form_part *part)
{
    (void)request, (void)arg, (void)part;
    px_bytes_put_str(&heard, ";");
}

static void on_done(struct px_request request, void *arg, enum px_err err)
{
    (void)arg;
    n_done++;
    done_err = err;
    if (err == PX_EOK) {
        ck_assert_int_eq(px_request_reply_text(request, 200, "done"), PX_EOK);
    }
}

static const struct px_form_events form_events = {on_begin, on_data, on_end, on_done};

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    (void)request, (void)arg, (void)status;
    n_ended++;
}

static const struct px_request_events request_events = {.ended = on_ended};

static void on_post(struct px_request request, void *arg)
{
    (void)arg;
    last = request;
    px_request_on(request, &request_events, NULL);
    read_err = px_form_read(request, &config, &form_events, NULL);
}

static void on_whole(struct px_request request, void *arg, const struct px_form *form)
{
    (void)arg;
    for (uint32_t i = 0; i < form->n_fields; i++) {
        const struct px_form_field *f = &form->fields[i];
        ck_assert_uint_eq(strlen(f->name.ptr), f->name.len);
        ck_assert_int_eq(f->value.ptr[f->value.len], '\0');
        ck_assert_uint_eq(strlen(f->filename.ptr), f->filename.len);
        ck_assert_uint_eq(strlen(f->type.ptr), f->type.len);
        px_bytes_put_str(&heard, f->name.ptr);
        px_bytes_put_str(&heard, f->is_file ? "|" : "=");
        px_bytes_put_str(&heard, f->value.ptr);
        px_bytes_put_str(&heard, f->filename.ptr);
        px_bytes_put_str(&heard, f->type.ptr);
        px_bytes_put_str(&heard, ";");
    }
    struct px_text value;
    if (px_form_value(form, "b", &value)) {
        px_bytes_put_str(&heard, "b is ");
        px_bytes_put(&heard, value.ptr, value.len);
    }
    px_request_reply_text(request, 200, "done");
}

static void on_collect(struct px_request request, void *arg)
{
    (void)arg;
    last = request;
    px_request_on(request, &request_events, NULL);
    read_err = px_form_collect(request, &config, on_whole, NULL);
}

static void setup(void)
{
    config = (struct px_form_config){.window = WINDOW};
    n_done = n_ended = 0;
    answer_in_data = false;
    read_err = done_err = PX_EOK;
    heard = px_bytes_out_of(heard_mem, sizeof heard_mem);
    rig_start(&rig);
    ck_assert_int_eq(px_server_route(&rig.server, "POST", "/form", on_post, NULL), PX_EOK);
    ck_assert_int_eq(px_server_route(&rig.server, "POST", "/whole", on_collect, NULL), PX_EOK);
}

static void teardown(void)
{
    rig_end(&rig);
}

static void post_to(const char *path, const char *type, uint64_t length)
{
    engine_ask(&rig, (struct ask){.method = "POST",
                                  .path = path,
                                  .fields = {{type == NULL ? NULL : "Content-Type", type}},
                                  .has_body = true,
                                  .has_length = length > 0,
                                  .length = length});
}

static px_handle post(const char *path, const char *type)
{
    post_to(path, type, 0);
    ck_assert_int_eq(read_err, PX_EOK);
    return engine_expect_credit(&rig, WINDOW);
}

static void say(px_handle to, const char *text, bool fin)
{
    engine_say_body(&rig, to, text, strlen(text), fin);
}

static void expect_heard(const char *text)
{
    struct px_span span = px_bytes_out_span(&heard);
    ck_assert_msg(px_span_equal_str(span, text), "heard %.*s", (int)span.len,
                  (const char *)span.ptr);
}

static void expect_answer(px_handle to, uint32_t status)
{
    engine_expect_response(&rig, status, NULL);
    engine_say_ended(&rig, to, PX_OK);
    ck_assert_uint_eq(n_ended, 1);
}

START_TEST(a_form_is_told_part_by_part)
{
    px_handle to = post("/form", MULTIPART);
    say(to, PART("name=a", "1") "--b\r\nContent-Dispo", false);
    expect_heard("{a}1;");
    say(to, "sition: form-data; name=f; filename=x\r\n\r\nfile", false);
    expect_heard("{a}1;[f]file");
    ck_assert_uint_eq(n_done, 0);
    say(to, "\r\n--b--\r\n", true);
    expect_heard("{a}1;[f]file;");
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_eq(done_err, PX_EOK);
    expect_answer(to, 200);
}
END_TEST

START_TEST(pairs_are_told_like_parts)
{
    px_handle to = post("/form", URLENCODED);
    say(to, "a=1&b", false);
    say(to, "", true);
    expect_heard("{a}1;{b};");
    expect_answer(to, 200);
}
END_TEST

START_TEST(a_form_may_be_empty)
{
    engine_ask(
        &rig,
        (struct ask){.method = "POST", .path = "/form", .fields = {{"Content-Type", URLENCODED}}});
    sim_settle(rig.sim);
    px_handle to = engine_expect_credit(&rig, 0);
    ck_assert_int_eq(done_err, PX_EOK);
    ck_assert_uint_eq(n_done, 1);
    expect_answer(to, 200);
}
END_TEST

START_TEST(a_malformed_form_is_answered_400)
{
    px_handle to = post("/form", URLENCODED);
    say(to, "a=%", false);
    say(to, "zz&b=1", false);
    expect_heard("{a}");
    ck_assert_int_eq(done_err, PX_EINVAL);
    say(to, "c=1", true); /* what was on its way already */
    expect_heard("{a}");
    ck_assert_uint_eq(n_done, 1);
    expect_answer(to, 400);
    ck_assert_uint_eq(n_done, 1);
}
END_TEST

START_TEST(a_form_that_ends_too_early_is_answered_400)
{
    px_handle to = post("/form", MULTIPART);
    say(to, PART("name=a", "1"), true);
    ck_assert_int_eq(done_err, PX_EINVAL);
    expect_answer(to, 400);
}
END_TEST

START_TEST(a_form_beyond_its_limit_is_answered_413)
{
    config.total_len_max = 7;
    px_handle to = post("/form", URLENCODED);
    say(to, "a=12345", false);
    expect_heard("{a}12345");
    say(to, "6", false);
    ck_assert_int_eq(done_err, PX_ELIMIT);
    expect_answer(to, 413);
}
END_TEST

START_TEST(a_form_at_its_limit_is_taken)
{
    config.total_len_max = 7;
    config.value_len_max = 5;
    config.name_len_max = 1;
    config.parts_max = 1;
    post_to("/form", URLENCODED, 7);
    px_handle to = engine_expect_credit(&rig, WINDOW);
    say(to, "a=12345", true);
    expect_heard("{a}12345;");
    expect_answer(to, 200);
}
END_TEST

START_TEST(one_value_too_long_is_answered_413)
{
    config.value_len_max = 5;
    px_handle to = post("/form", URLENCODED);
    say(to, "a=123456", false);
    ck_assert_int_eq(done_err, PX_ELIMIT);
    expect_answer(to, 413);
}
END_TEST

START_TEST(a_form_that_is_declared_too_long_is_not_asked_for)
{
    config.total_len_max = 7;
    post_to("/form", URLENCODED, 8);
    ck_assert_int_eq(read_err, PX_ELIMIT);
    const Http__Response *m = engine_expect(&rig, REQUESTER_RESPOND)->body;
    ck_assert_uint_eq(m->status, 413);
    engine_say_ended(&rig, m->responder, PX_OK);
    ck_assert_uint_eq(n_done, 0);
}
END_TEST

START_TEST(another_type_is_answered_415_and_a_bad_boundary_400)
{
    const struct {
        const char *type;
        uint32_t status;
    } rows[] = {{"text/plain", 415}, {NULL, 415}, {"multipart/form-data", 400}};
    for (size_t i = 0; i < 3; i++) {
        post_to("/form", rows[i].type, 0);
        ck_assert_int_eq(read_err, PX_EUNSUPPORTED);
        const Http__Response *m = engine_expect(&rig, REQUESTER_RESPOND)->body;
        ck_assert_uint_eq(m->status, rows[i].status);
        engine_say_ended(&rig, m->responder, PX_OK);
    }
    ck_assert_uint_eq(n_done, 0);
}
END_TEST

START_TEST(limits_out_of_range_are_not_answered)
{
    const struct px_form_config bad[] = {{.parts_max = 65536},
                                         {.name_len_max = 4097},
                                         {.header_len_max = 65537},
                                         {.window = 511},
                                         {.window = READ_WINDOW_MAX + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config = bad[i];
        post_to("/form", URLENCODED, 0);
        ck_assert_int_eq(read_err, PX_EINVAL);
        engine_say_ended(&rig, engine_expect_credit(&rig, 0), PX_RESET);
    }
    config = (struct px_form_config){.total_len_max = (1 << 20) + 1};
    post_to("/whole", URLENCODED, 0);
    ck_assert_int_eq(read_err, PX_EINVAL);
    engine_say_ended(&rig, engine_expect_credit(&rig, 0), PX_RESET);
}
END_TEST

START_TEST(the_largest_limits_are_in_range)
{
    config = (struct px_form_config){
        .parts_max = 65535, .name_len_max = 4096, .header_len_max = 65536, .window = WINDOW};
    px_handle to = post("/form", MULTIPART);
    say(to, LAST, true);
    expect_answer(to, 200);
}
END_TEST

START_TEST(a_client_that_leaves_is_told)
{
    px_handle to = post("/form", URLENCODED);
    say(to, "a=1", false);
    engine_say_ended(&rig, to, PX_RESET);
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_eq(done_err, PX_ESTALE);
    ck_assert_uint_eq(n_ended, 1);
    ck_assert_int_eq(px_form_read(last, NULL, &form_events, NULL), PX_ESTALE);
}
END_TEST

START_TEST(who_answers_before_the_end_hears_no_more)
{
    answer_in_data = true;
    px_handle to = post("/form", URLENCODED);
    say(to, "a=1&b=2", false);
    expect_heard("{a}1");
    ck_assert_int_eq(done_err, PX_ESTALE);
    say(to, "&c=3", true);
    expect_heard("{a}1");
    ck_assert_uint_eq(n_done, 1);
    expect_answer(to, 507);
}
END_TEST

START_TEST(a_body_is_read_once)
{
    px_handle to = post("/form", URLENCODED);
    ck_assert_int_eq(px_form_read(last, NULL, &form_events, NULL), PX_ESTATE);
    ck_assert_int_eq(px_form_collect(last, NULL, on_whole, NULL), PX_ESTATE);
    ck_assert_int_eq(px_request_read(last, 0), PX_ESTATE);
    ck_assert_int_eq(px_events_begin(last, NULL), PX_ESTATE);
    say(to, "", true);
    expect_answer(to, 200);
}
END_TEST

/* ---- rules ---- */

static px_handle post_ruled(const struct px_rules *rules)
{
    ck_assert_int_eq(px_server_route_with(&rig.server, "POST", "/ruled", on_post, NULL, rules),
                     PX_EOK);
    return post("/ruled", URLENCODED);
}

START_TEST(a_form_longer_than_its_route_takes_is_answered_413)
{
    px_handle to = post_ruled(&(struct px_rules){.body_max = 6});
    say(to, "a=1&b=", false);
    expect_heard("{a}1;{b}");
    say(to, "2", true);
    expect_heard("{a}1;{b}");
    ck_assert_uint_eq(n_done, 0);
    expect_answer(to, 413);
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_eq(done_err, PX_ESTALE);
}
END_TEST

START_TEST(a_form_is_over_when_its_route_has_waited_long_enough)
{
    px_handle to = post_ruled(&(struct px_rules){.answer_ms = 1000});
    say(to, "a=1", false);
    sim_advance_us(rig.sim, 1000000);
    engine_expect_response(&rig, 503, NULL);
    say(to, "2&b=3", true);
    expect_heard("{a}1");
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_eq(done_err, PX_ESTALE);
    engine_say_ended(&rig, to, PX_OK);
    ck_assert_uint_eq(n_done, 1);
}
END_TEST

START_TEST(a_form_that_comes_too_slowly_is_over)
{
    px_handle to = post_ruled(&(struct px_rules){.body_ms = 1000});
    say(to, "a=1", false);
    sim_advance_us(rig.sim, 1000000);
    expect_answer(to, 408);
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_eq(done_err, PX_ESTALE);
}
END_TEST

/* ---- credit ---- */

START_TEST(credit_comes_back_as_data_is_taken)
{
    char data[1024];
    memset(data, 'x', sizeof data);
    config.window = 2048;
    post_to("/form", MULTIPART, 0);
    px_handle to = engine_expect_credit(&rig, 2048);
    say(to, "--b\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n", false);
    heard = px_bytes_out_of(heard_mem, sizeof heard_mem);
    engine_say_body(&rig, to, data, sizeof data, false);
    engine_expect_credit(&rig, 1536);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

START_TEST(credit_by_hand_comes_back_for_what_is_settled_and_for_no_data)
{
    config.window = 1024;
    config.settle_by_hand = true;
    post_to("/form", MULTIPART, 0);
    px_handle to = engine_expect_credit(&rig, 1024);
    say(to, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n", false);
    engine_expect_credit(&rig, 512); /* all of a head */
    say(to, "12345\r\n--", false);   /* 4 may be data */
    sim_expect_silence(rig.sim);
    ck_assert_int_eq(px_request_settle(last, 5), PX_EOK);
    sim_settle(rig.sim);
    sim_expect_silence(rig.sim);
    say(to, "b\r\nContent-Disposition: form-data; name=c\r\n\r\n6", false);
    sim_settle(rig.sim);
    engine_expect_credit(&rig, 512 + 45); /* the older message, and the newer but for its data */
    expect_heard("{a}12345;{c}6");
    ck_assert_int_eq(px_request_settle(last, 2), PX_EINVAL);
    ck_assert_int_eq(px_request_settle(last, 1), PX_EOK);
    engine_say_ended(&rig, to, PX_RESET);
}
END_TEST

/* ---- whole forms ---- */

START_TEST(a_small_form_is_collected)
{
    px_handle to = post("/whole", MULTIPART);
    say(to, PART("name=a", "1") PART("name=b; filename=\"f.txt\"\r\nContent-Type: t/x", "2"),
        false);
    say(to, PART("name=a", "") PART("name=\"\"", "3") LAST, true);
    expect_heard("a=1;b|2f.txtt/x;a=;=3;b is 2");
    expect_answer(to, 200);
}
END_TEST

START_TEST(the_densest_pairs_fit)
{
    post_to("/whole", URLENCODED, 11);
    px_handle to = engine_expect_credit(&rig, WINDOW);
    say(to, "a&a&b=c&=d&", false);
    say(to, "", true);
    expect_heard("a=;a=;b=c;=d;b is c");
    expect_answer(to, 200);
    n_ended = 0;
    heard = px_bytes_out_of(heard_mem, sizeof heard_mem);
    post_to("/whole", URLENCODED, 5);
    to = engine_expect_credit(&rig, WINDOW);
    say(to, "a&b=c", true);
    expect_heard("a=;b=c;b is c");
    expect_answer(to, 200);
}
END_TEST

START_TEST(a_form_too_long_to_collect_is_answered_413)
{
    config.total_len_max = 5;
    config.parts_max = 2;
    px_handle to = post("/whole", URLENCODED);
    say(to, "a=123", false);
    say(to, "4", false);
    expect_heard("");
    expect_answer(to, 413);
    n_ended = 0;
    to = post("/whole", URLENCODED);
    say(to, "a&b&c", true);
    expect_heard("");
    expect_answer(to, 413);
}
END_TEST

START_TEST(a_form_that_is_not_collected_leaves_nothing)
{
    px_handle to = post("/whole", URLENCODED);
    say(to, "a=1", false);
    engine_say_ended(&rig, to, PX_RESET);
    expect_heard("");
    post_to("/whole", "text/plain", 0);
    ck_assert_int_eq(read_err, PX_EUNSUPPORTED);
    const Http__Response *m = engine_expect(&rig, REQUESTER_RESPOND)->body;
    ck_assert_uint_eq(m->status, 415);
    engine_say_ended(&rig, m->responder, PX_OK);
}
END_TEST

static void requests(Suite *suite)
{
    TCase *tc = tcase_create("requests");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_form_is_told_part_by_part);
    tcase_add_test(tc, pairs_are_told_like_parts);
    tcase_add_test(tc, a_form_may_be_empty);
    tcase_add_test(tc, a_malformed_form_is_answered_400);
    tcase_add_test(tc, a_form_that_ends_too_early_is_answered_400);
    tcase_add_test(tc, a_form_beyond_its_limit_is_answered_413);
    tcase_add_test(tc, a_form_at_its_limit_is_taken);
    tcase_add_test(tc, one_value_too_long_is_answered_413);
    tcase_add_test(tc, a_form_that_is_declared_too_long_is_not_asked_for);
    tcase_add_test(tc, another_type_is_answered_415_and_a_bad_boundary_400);
    tcase_add_test(tc, limits_out_of_range_are_not_answered);
    tcase_add_test(tc, the_largest_limits_are_in_range);
    tcase_add_test(tc, a_client_that_leaves_is_told);
    tcase_add_test(tc, who_answers_before_the_end_hears_no_more);
    tcase_add_test(tc, a_body_is_read_once);
    tcase_add_test(tc, a_form_longer_than_its_route_takes_is_answered_413);
    tcase_add_test(tc, a_form_is_over_when_its_route_has_waited_long_enough);
    tcase_add_test(tc, a_form_that_comes_too_slowly_is_over);
    tcase_add_test(tc, credit_comes_back_as_data_is_taken);
    tcase_add_test(tc, credit_by_hand_comes_back_for_what_is_settled_and_for_no_data);
    tcase_add_test(tc, a_small_form_is_collected);
    tcase_add_test(tc, the_densest_pairs_fit);
    tcase_add_test(tc, a_form_too_long_to_collect_is_answered_413);
    tcase_add_test(tc, a_form_that_is_not_collected_leaves_nothing);
    suite_add_tcase(suite, tc);
}

int main(void)
{
    Suite *suite = suite_create("form_request");
    requests(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
