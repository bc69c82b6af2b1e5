/* rules_test.c - what a route is served by: rates, other origins, limits of bodies and times,
 * health. */
#include "ask_rig.h"
#include "cors.h"
#include "rate.h"

static struct heard {
    struct px_request request;
    uint32_t n_requests, n_collected, n_ended;
    size_t body_len;
} heard;

static void on_body(struct px_request request, void *arg, const void *data, size_t len, bool fin)
{
    (void)request, (void)arg, (void)data, (void)fin;
    heard.body_len += len;
}

static void on_ended(struct px_request request, void *arg, enum px_status status)
{
    (void)request, (void)arg, (void)status;
    heard.n_ended++;
}

static const struct px_request_events events = {.body = on_body, .ended = on_ended};

static void on_now(struct px_request request, void *arg)
{
    (void)arg;
    heard.n_requests++;
    px_request_reply_text(request, 200, "now");
}

static void on_later(struct px_request request, void *arg)
{
    (void)arg;
    heard.n_requests++;
    heard.request = request;
    px_request_on(request, &events, NULL);
}

static void on_collected(struct px_request request, void *arg, const void *data, size_t len)
{
    (void)arg, (void)data;
    heard.n_collected++;
    heard.body_len = len;
    px_request_reply_text(request, 200, "collected");
}

static void on_collect(struct px_request request, void *arg)
{
    (void)arg;
    heard.request = request;
    ck_assert_int_eq(px_request_collect(request, 100000, on_collected, NULL), PX_EOK);
}

static void setup(void)
{
    heard = (struct heard){.n_requests = 0};
    rig_start(&rig);
}

static void teardown(void)
{
    rig_end(&rig);
}

static enum px_err route(const char *method, const char *pattern, px_route_fn fn,
                         struct px_rules rules)
{
    return px_server_route_with(&rig.server, method, pattern, fn, NULL, &rules);
}

/* ---- the hash ---- */

START_TEST(the_hash_agrees_with_the_published_vectors)
{
    static const uint8_t wide[3][SIPHASH_LEN] = {
        {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
         0x93},
        {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
         0x45},
        {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3,
         0xd9},
    };
    static const size_t lens[3] = {0, 1, 15};
    uint8_t key[SIPHASH_KEY_LEN], data[16], got[SIPHASH_LEN];
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = data[i] = i;
    }
    ck_assert(siphash64(key, data, 0) == UINT64_C(0x726fdb47dd0e0e31));
    ck_assert(siphash64(key, data, 15) == UINT64_C(0xa129ca6149be45e5));
    for (int i = 0; i < 3; i++) {
        siphash128(key, data, lens[i], got);
        ck_assert_mem_eq(got, wide[i], SIPHASH_LEN);
    }
}
END_TEST

/* ---- rates ---- */

static struct px_rate *rate_new(struct px_rate_config config)
{
    struct px_rate *rate = NULL;
    ck_assert_int_eq(px_rate_new(&config, &rate), PX_EOK);
    return rate;
}

START_TEST(a_bucket_holds_its_burst_and_fills_evenly)
{
    struct px_rate *rate = rate_new((struct px_rate_config){.requests = 10, .burst = 3});
    uint64_t now_us = 5000000;
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(rate_take(rate, 7, now_us), 0);
    }
    ck_assert_uint_eq(rate_take(rate, 7, now_us), 100000);
    ck_assert_uint_eq(rate_take(rate, 7, now_us + 99999), 1);
    ck_assert_uint_eq(rate_take(rate, 7, now_us + 100000), 0);
    ck_assert_uint_eq(rate_take(rate, 7, now_us + 100000), 100000);
    ck_assert_uint_eq(rate_take(rate, 8, now_us), 0); /* another peer */
    now_us += 10000000;                               /* long silence fills it, not more */
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(rate_take(rate, 7, now_us), 0);
    }
    ck_assert_uint_eq(rate_take(rate, 7, now_us), 100000);
    px_rate_free(rate);
    px_rate_free(NULL);
}
END_TEST

START_TEST(the_table_of_peers_never_grows_and_loses_the_fullest_first)
{
    struct px_rate *rate =
        rate_new((struct px_rate_config){.requests = 1, .burst = 10, .peers_max = 8});
    ck_assert_uint_eq(rate->n_sets, 1);
    for (uint64_t peer = 1; peer <= 8; peer++) {
        for (uint64_t i = 0; i < peer; i++) {
            ck_assert_uint_eq(rate_take(rate, peer, 1000), 0);
        }
    }
    ck_assert_uint_eq(rate->n_evicted, 0);
    for (int i = 0; i < 9; i++) {
        ck_assert_uint_eq(rate_take(rate, 9, 1000), 0);
    }
    ck_assert_uint_eq(rate->n_evicted, 1); /* peer 1 had used one token only */
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(rate_take(rate, 8, 1000), 0);
    }
    ck_assert_uint_gt(rate_take(rate, 8, 1000), 0);
    rate_take(rate, 10, 1000 + 2000001); /* peer 2's bucket is full by now: nothing is lost */
    ck_assert_uint_eq(rate->n_evicted, 1);
    px_rate_free(rate);
}
END_TEST

START_TEST(an_ipv6_peer_is_its_64_and_an_ipv4_peer_its_address)
{
    struct px_rate *rate = rate_new((struct px_rate_config){.requests = 1});
    uint8_t a[18] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1},
            b[18] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 2},
            c[18] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 1};
    uint8_t v4[6] = {192, 0, 2, 1, 0, 80}, v4_port[6] = {192, 0, 2, 1, 0, 81},
            v4_other[6] = {192, 0, 2, 2, 0, 80};
    ck_assert(rate_peer(rate, a, 18) == rate_peer(rate, b, 18));
    ck_assert(rate_peer(rate, a, 18) != rate_peer(rate, c, 18));
    ck_assert(rate_peer(rate, v4, 6) == rate_peer(rate, v4_port, 6));
    ck_assert(rate_peer(rate, v4, 6) != rate_peer(rate, v4_other, 6));
    ck_assert(rate_peer(rate, v4, 0) == 0);
    px_rate_free(rate);
}
END_TEST

START_TEST(a_rate_out_of_range_is_refused)
{
    static const struct px_rate_config good[] = {
        {.requests = 1},
        {.requests = RATE_REQUESTS_MAX},
        {.requests = 1, .per_ms = RATE_PER_MS_MAX},
        {.requests = 1, .burst = RATE_BURST_MAX},
        {.requests = 1000, .per_ms = 1, .burst = 1},
    };
    static const struct px_rate_config bad[] = {
        {.requests = 0},
        {.requests = RATE_REQUESTS_MAX + 1},
        {.requests = 1, .per_ms = RATE_PER_MS_MAX + 1},
        {.requests = 1, .burst = RATE_BURST_MAX + 1},
        {.requests = 1001, .per_ms = 1},
        {.requests = 1, .peers_max = RATE_PEERS_MAX + 1},
    };
    struct px_rate *rate = NULL;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        px_rate_free(rate_new(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(px_rate_new(&bad[i], &rate) == PX_EINVAL, "%zu", i);
    }
}
END_TEST

START_TEST(who_asks_too_often_is_told_429_and_when_to_come_back)
{
    struct px_rate *rate =
        rate_new((struct px_rate_config){.requests = 1, .per_ms = 2500, .burst = 2});
    ck_assert_int_eq(route("GET", "/a", on_now, (struct px_rules){.rate = rate}), PX_EOK);
    ck_assert_int_eq(route("GET", "/b", on_now, (struct px_rules){.rate = rate}), PX_EOK);
    px_rate_free(rate); /* the routes have it */
    ask_whole(200, .path = "/a", .remote = {192, 0, 2, 1, 0, 1}, .remote_len = 6);
    ask_whole(200, .path = "/b", .remote = {192, 0, 2, 1, 0, 2}, .remote_len = 6);
    const struct answer *answer =
        ask_whole(429, .path = "/a", .remote = {192, 0, 2, 1, 0, 1}, .remote_len = 6);
    ck_assert_str_eq(answer_field(answer, "retry-after"), "3");
    ask_whole(200, .path = "/a", .remote = {192, 0, 2, 2, 0, 1}, .remote_len = 6);
    for (int i = 0; i < 5; i++) {
        ask_whole(200, .path = "/a"); /* a unix socket */
    }
    ck_assert_uint_eq(heard.n_requests, 8);
    sim_advance_us(rig.sim, 2500000);
    ask_whole(200, .path = "/a", .remote = {192, 0, 2, 1, 0, 1}, .remote_len = 6);
}
END_TEST

/* ---- other origins ---- */

static const char *const origins[] = {"https://a.example", "http://b.example:8080"};

static const struct px_cors cors_some = {.origins = origins,
                                         .n_origins = 2,
                                         .headers = "x-one, x-two",
                                         .expose = "x-three",
                                         .max_age_s = 600,
                                         .credentials = true};

static void on_cors(struct px_request request, void *arg)
{
    struct px_field fields[] = {{"Access-Control-Allow-Origin", "https://evil.example"},
                                {"vary", "accept"}};
    struct px_reply reply = {.fields = fields, .n_fields = 2};
    (void)arg;
    ck_assert_int_eq(px_request_reply(request, &reply), PX_EOK);
}

START_TEST(a_page_of_an_allowed_origin_may_read_the_answer)
{
    ck_assert_int_eq(route("GET", "/", on_cors, (struct px_rules){.cors = &cors_some}), PX_EOK);
    const struct answer *answer =
        ask_whole(200, .path = "/", .fields = {"Origin", "http://b.example:8080"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "http://b.example:8080");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-credentials"), "true");
    ck_assert_str_eq(answer_field(answer, "access-control-expose-headers"), "x-three");
    ck_assert_str_eq(answer_field(answer, "vary"), "accept|Origin");
    static const char *const others[] = {"https://a.example.evil", "https://a.exampl", "null",
                                         "HTTPS://A.EXAMPLE", "http://a.example"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        answer = ask_whole(200, .path = "/", .fields = {"Origin", others[i]});
        ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "-");
        ck_assert_str_eq(answer_field(answer, "access-control-allow-credentials"), "-");
        ck_assert_str_eq(answer_field(answer, "vary"), "accept|Origin");
    }
    answer = ask_whole(200, .path = "/");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "-");
    ck_assert_str_eq(answer_field(answer, "vary"), "accept|Origin");
}
END_TEST

START_TEST(any_origin_may_if_all_may)
{
    static const char *const any[] = {"*"};
    struct px_cors cors = {.origins = any, .n_origins = 1, .headers = "*"};
    ck_assert_int_eq(route("PUT", "/", on_cors, (struct px_rules){.cors = &cors}), PX_EOK);
    const struct answer *answer = ask_whole(200, .path = "/", .method = "PUT");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "*");
    ck_assert_str_eq(answer_field(answer, "vary"), "accept");
    answer = ask_whole(204, .path = "/", .method = "OPTIONS",
                       .fields = {"Origin", "https://x.example", "Access-Control-Request-Method",
                                  "PUT", "Access-Control-Request-Headers", "x-a,x-b"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "*");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-methods"), "PUT");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-headers"), "x-a,x-b");
    ck_assert_str_eq(answer_field(answer, "access-control-max-age"), "-");
}
END_TEST

START_TEST(a_preflight_is_answered_by_the_library)
{
    ck_assert_int_eq(route("PUT", "/:id", on_cors, (struct px_rules){.cors = &cors_some}), PX_EOK);
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/:id", on_now, NULL), PX_EOK);
    const struct answer *answer =
        ask_whole(204, .path = "/x", .method = "OPTIONS",
                  .fields = {"Origin", origins[0], "Access-Control-Request-Method", "PUT"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), origins[0]);
    ck_assert_str_eq(answer_field(answer, "access-control-allow-methods"), "PUT, GET, HEAD");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-headers"), "x-one, x-two");
    ck_assert_str_eq(answer_field(answer, "access-control-allow-credentials"), "true");
    ck_assert_str_eq(answer_field(answer, "access-control-max-age"), "600");
    ck_assert_ptr_nonnull(strstr(answer_field(answer, "vary"), "Origin"));
    answer = ask_whole(
        403, .path = "/x", .method = "OPTIONS",
        .fields = {"Origin", "https://evil.example", "Access-Control-Request-Method", "PUT"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "-");
    /* the route of GET has no such rule, and one without Origin is no preflight */
    answer = ask_whole(204, .path = "/x", .method = "OPTIONS",
                       .fields = {"Origin", origins[0], "Access-Control-Request-Method", "GET"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), "-");
    ck_assert_str_eq(answer_field(answer, "allow"), "PUT, GET, HEAD");
    answer = ask_whole(204, .path = "/x", .method = "OPTIONS",
                       .fields = {"Access-Control-Request-Method", "PUT"});
    ck_assert_str_eq(answer_field(answer, "allow"), "PUT, GET, HEAD");
    ck_assert_uint_eq(heard.n_requests, 0);
}
END_TEST

START_TEST(a_route_of_any_method_has_preflights_too_and_keeps_other_options)
{
    struct px_cors cors = cors_some;
    cors.methods = "GET, POST";
    ck_assert_int_eq(route("*", "/", on_now, (struct px_rules){.cors = &cors}), PX_EOK);
    const struct answer *answer =
        ask_whole(204, .path = "/", .method = "OPTIONS",
                  .fields = {"Origin", origins[1], "Access-Control-Request-Method", "POST"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-methods"), "GET, POST");
    ck_assert_uint_eq(heard.n_requests, 0);
    ask_whole(200, .path = "/", .method = "OPTIONS", .fields = {"Origin", origins[1]});
    ck_assert_uint_eq(heard.n_requests, 1);
    ck_assert_int_eq(route("*", "/any", on_now, (struct px_rules){.cors = &cors_some}), PX_EOK);
    answer = ask_whole(204, .path = "/any", .method = "OPTIONS",
                       .fields = {"Origin", origins[1], "Access-Control-Request-Method", "PURGE"});
    ck_assert_str_eq(answer_field(answer, "access-control-allow-methods"), "PURGE");
}
END_TEST

START_TEST(an_error_can_be_read_from_there_as_well)
{
    struct px_rate *rate = rate_new((struct px_rate_config){.requests = 1});
    struct px_rules rules = {.cors = &cors_some, .rate = rate};
    ck_assert_int_eq(route("GET", "/", on_now, rules), PX_EOK);
    px_rate_free(rate);
    ask_whole(200, .path = "/", .fields = {"Origin", origins[0]}, .remote_len = 6);
    const struct answer *answer =
        ask_whole(429, .path = "/", .fields = {"Origin", origins[0]}, .remote_len = 6);
    ck_assert_str_eq(answer_field(answer, "access-control-allow-origin"), origins[0]);
}
END_TEST

static enum px_err cors_with(const char *origin, struct px_cors cors)
{
    struct px_rules rules = {.cors = &cors};
    cors.origins = &origin;
    cors.n_origins = 1;
    return px_server_route_with(&rig.server, "GET", "/c", on_now, NULL, &rules);
}

START_TEST(what_is_no_origin_or_list_is_refused)
{
    static const char *const bad[] = {"",
                                      "a.example",
                                      "https://",
                                      "://a",
                                      "https://a.example/",
                                      "https://A.example",
                                      "https://a b",
                                      "https://*.example",
                                      "https://a,https://b"};
    char text[CORS_TEXT_MAX + 2];
    const char *many[CORS_ORIGINS_MAX + 1];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(cors_with(bad[i], (struct px_cors){.max_age_s = 0}) == PX_EINVAL, "%s",
                      bad[i]);
    }
    ck_assert_int_eq(cors_with("*", (struct px_cors){.credentials = true}), PX_EINVAL);
    ck_assert_int_eq(cors_with("*", (struct px_cors){.max_age_s = CORS_AGE_S_MAX + 1}), PX_EINVAL);
    ck_assert_int_eq(cors_with("*", (struct px_cors){.methods = ""}), PX_EINVAL);
    ck_assert_int_eq(cors_with("*", (struct px_cors){.headers = "a\r\nb"}), PX_EINVAL);
    memset(text, 'a', sizeof text);
    text[CORS_TEXT_MAX + 1] = '\0';
    ck_assert_int_eq(cors_with("*", (struct px_cors){.expose = text}), PX_EINVAL);
    text[CORS_TEXT_MAX] = '\0';
    ck_assert_int_eq(
        cors_with("null", (struct px_cors){.expose = text, .max_age_s = CORS_AGE_S_MAX}), PX_EOK);
    for (size_t i = 0; i <= CORS_ORIGINS_MAX; i++) {
        many[i] = "https://a.example";
    }
    struct px_cors cors = {.origins = many, .n_origins = CORS_ORIGINS_MAX + 1};
    ck_assert_int_eq(route("GET", "/d", on_now, (struct px_rules){.cors = &cors}), PX_EINVAL);
    cors.n_origins = CORS_ORIGINS_MAX;
    ck_assert_int_eq(route("GET", "/d", on_now, (struct px_rules){.cors = &cors}), PX_EOK);
    cors.n_origins = 0;
    ck_assert_int_eq(route("GET", "/e", on_now, (struct px_rules){.cors = &cors}), PX_EINVAL);
}
END_TEST

/* ---- limits of bodies ---- */

START_TEST(a_body_declared_longer_than_the_route_takes_is_413_before_its_function)
{
    ck_assert_int_eq(route("POST", "/", on_collect, (struct px_rules){.body_max = 1000}), PX_EOK);
    ask_whole(413, .path = "/", .method = "POST", .has_body = true, .has_length = true,
              .length = 1001);
    ask(.path = "/", .method = "POST", .has_body = true, .has_length = true, .length = 1000);
    px_handle to = expect_handle(READ_WINDOW_DEFAULT);
    say_body(to, 1000, true);
    expect_answer(200);
    ck_assert_uint_eq(heard.body_len, 1000);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(a_body_that_grows_longer_is_413_and_kept_from_the_program)
{
    ck_assert_int_eq(route("POST", "/", on_later, (struct px_rules){.body_max = 1000}), PX_EOK);
    ask(.path = "/", .method = "POST", .has_body = true);
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_read(heard.request, 65536), PX_EOK);
    sim_settle(rig.sim);
    expect_handle(65536);
    say_body(to, 1000, false);
    ck_assert_uint_eq(heard.body_len, 1000);
    say_body(to, 1, false);
    expect_answer(413);
    say_body(to, 500, true); /* was on its way */
    ck_assert_uint_eq(heard.body_len, 1000);
    ck_assert_int_eq(px_request_reply_text(heard.request, 200, "x"), PX_ESTATE);
    say_ended(to, PX_OK);
    ck_assert_uint_eq(heard.n_ended, 1);
}
END_TEST

START_TEST(a_body_that_grows_longer_under_its_response_breaks_it_off)
{
    struct px_reply reply = {.status = 200};
    ck_assert_int_eq(route("POST", "/", on_later, (struct px_rules){.body_max = 1000}), PX_EOK);
    ask(.path = "/", .method = "POST", .has_body = true);
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_read(heard.request, 65536), PX_EOK);
    ck_assert_int_eq(px_request_begin(heard.request, &reply), PX_EOK);
    sim_settle(rig.sim);
    expect_handle(65536);
    expect_answer(200);
    say_body(to, 1001, false);
    const Http__CancelExchange *m = expect(REQUESTER_CANCEL)->body;
    ck_assert_uint_eq(m->reason, PX_TOO_LARGE);
    say_ended(to, PX_TOO_LARGE);
}
END_TEST

/* ---- limits of time ---- */

START_TEST(a_body_that_takes_too_long_is_408)
{
    ck_assert_int_eq(route("POST", "/", on_collect, (struct px_rules){.body_ms = 50}), PX_EOK);
    ask(.path = "/", .method = "POST", .has_body = true);
    px_handle to = expect_handle(READ_WINDOW_DEFAULT);
    sim_advance_us(rig.sim, 49999);
    say_body(to, 10, true);
    expect_answer(200);
    say_ended(to, PX_OK);
    ask(.path = "/", .method = "POST", .has_body = true);
    to = expect_handle(READ_WINDOW_DEFAULT);
    say_body(to, 10, false);
    sim_advance_us(rig.sim, 50000);
    expect_answer(408);
    say_body(to, 10, true);
    ck_assert_uint_eq(heard.n_collected, 1);
    say_ended(to, PX_OK);
    ask(.path = "/", .method = "POST"); /* without a body there is none to wait for */
    to = expect_handle(0);
    sim_settle(rig.sim);
    expect_answer(200);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(an_answer_that_does_not_come_is_503)
{
    ck_assert_int_eq(route("GET", "/", on_later, (struct px_rules){.answer_ms = 50}), PX_EOK);
    ask(.path = "/");
    px_handle to = expect_handle(0);
    sim_advance_us(rig.sim, 49999);
    sim_expect_silence(rig.sim);
    sim_advance_us(rig.sim, 1);
    expect_answer(503);
    ck_assert_int_eq(px_request_reply_text(heard.request, 200, "x"), PX_ESTATE);
    say_ended(to, PX_OK);
    ck_assert_uint_eq(heard.n_ended, 1);
}
END_TEST

START_TEST(an_answer_that_has_begun_may_take_its_time)
{
    struct px_reply reply = {.status = 200};
    ck_assert_int_eq(route("GET", "/", on_later, (struct px_rules){.answer_ms = 50}), PX_EOK);
    ask(.path = "/");
    px_handle to = expect_handle(0);
    ck_assert_int_eq(px_request_begin(heard.request, &reply), PX_EOK);
    sim_settle(rig.sim);
    expect_answer(200);
    sim_advance_us(rig.sim, 1000000);
    sim_expect_silence(rig.sim);
    say_ended(to, PX_RESET);
    ask(.path = "/");
    say_ended(expect_handle(0), PX_RESET); /* and who leaves leaves no clock behind */
    sim_advance_us(rig.sim, 1000000);
    sim_expect_silence(rig.sim);
}
END_TEST

/* ---- health ---- */

START_TEST(health_is_200_until_the_server_drains_or_stops)
{
    ck_assert_int_eq(px_server_health(&rig.server, "/health"), PX_EOK);
    ck_assert_int_eq(px_server_health(&rig.server, "/health"), PX_EEXIST);
    const struct answer *answer = ask_whole(200, .path = "/health");
    ck_assert_str_eq(answer->body, "serving\n");
    ck_assert_str_eq(answer_field(answer, "cache-control"), "no-store");
    rig.system->stopping = true;
    ck_assert_str_eq(ask_whole(503, .path = "/health")->body, "draining\n");
    rig.system->stopping = false;
    ask_whole(200, .path = "/health");
    px_server_drain(&rig.server);
    ask_whole(503, .path = "/health");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *rates = tcase_create("rates");
    tcase_add_checked_fixture(rates, setup, teardown);
    tcase_add_test(rates, the_hash_agrees_with_the_published_vectors);
    tcase_add_test(rates, a_bucket_holds_its_burst_and_fills_evenly);
    tcase_add_test(rates, the_table_of_peers_never_grows_and_loses_the_fullest_first);
    tcase_add_test(rates, an_ipv6_peer_is_its_64_and_an_ipv4_peer_its_address);
    tcase_add_test(rates, a_rate_out_of_range_is_refused);
    tcase_add_test(rates, who_asks_too_often_is_told_429_and_when_to_come_back);
    suite_add_tcase(suite, rates);
    TCase *cors = tcase_create("other origins");
    tcase_add_checked_fixture(cors, setup, teardown);
    tcase_add_test(cors, a_page_of_an_allowed_origin_may_read_the_answer);
    tcase_add_test(cors, any_origin_may_if_all_may);
    tcase_add_test(cors, a_preflight_is_answered_by_the_library);
    tcase_add_test(cors, a_route_of_any_method_has_preflights_too_and_keeps_other_options);
    tcase_add_test(cors, an_error_can_be_read_from_there_as_well);
    tcase_add_test(cors, what_is_no_origin_or_list_is_refused);
    suite_add_tcase(suite, cors);
    TCase *limits = tcase_create("limits");
    tcase_add_checked_fixture(limits, setup, teardown);
    tcase_add_test(limits, a_body_declared_longer_than_the_route_takes_is_413_before_its_function);
    tcase_add_test(limits, a_body_that_grows_longer_is_413_and_kept_from_the_program);
    tcase_add_test(limits, a_body_that_grows_longer_under_its_response_breaks_it_off);
    tcase_add_test(limits, a_body_that_takes_too_long_is_408);
    tcase_add_test(limits, an_answer_that_does_not_come_is_503);
    tcase_add_test(limits, an_answer_that_has_begun_may_take_its_time);
    tcase_add_test(limits, health_is_200_until_the_server_drains_or_stops);
    suite_add_tcase(suite, limits);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
