/* routes_test.c - sets of routes: virtual hosts, error pages, one set in place of another, places
 * to go to instead, header rules. */
#include "ask_rig.h"
#include "rules.h"

static struct px_request kept;
static uint32_t n_freed;

static void on_name(struct px_request request, void *arg)
{
    px_request_reply_text(request, 200, arg);
}

static void on_keep(struct px_request request, void *arg)
{
    (void)arg;
    kept = request;
}

static void on_freed(void *arg)
{
    (void)arg;
    n_freed++;
}

static void setup(void)
{
    n_freed = 0;
    rig_start(&rig);
}

static void teardown(void)
{
    rig_end(&rig);
}

static char text_a[] = "a", text_b[] = "b", text_c[] = "c", text_d[] = "d";

static void add(struct px_routes *routes, const char *pattern, char *text)
{
    ck_assert_int_eq(px_routes_add(routes, "GET", pattern, on_name, text, NULL), PX_EOK);
}

static struct px_routes *set_new(void)
{
    struct px_routes *routes = NULL;
    ck_assert_int_eq(px_routes_new(&routes), PX_EOK);
    px_routes_on_freed(routes, on_freed, NULL);
    return routes;
}

static struct px_routes *host_of(struct px_routes *routes, const char *host)
{
    struct px_routes *made = NULL;
    ck_assert_int_eq(px_routes_host(routes, host, &made), PX_EOK);
    return made;
}

/* ---- one set in place of another ---- */

START_TEST(a_set_is_in_force_from_the_next_request_on)
{
    struct px_routes *routes = set_new();
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/a", on_name, text_a), PX_EOK);
    add(routes, "/b", text_b);
    ask_whole(200, .path = "/a");
    ask_whole(404, .path = "/b");
    px_server_use(&rig.server, routes);
    ask_whole(404, .path = "/a");
    ask_whole(200, .path = "/b");
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/c", on_name, text_c), PX_EOK);
    ck_assert_str_eq(ask_whole(200, .path = "/c")->body, "c");
    ck_assert_uint_eq(n_freed, 0);
}
END_TEST

START_TEST(a_request_under_way_keeps_its_set_alive)
{
    struct px_routes *routes = set_new();
    ck_assert_int_eq(px_routes_add(routes, "GET", "/:name", on_keep, NULL, NULL), PX_EOK);
    px_server_use(&rig.server, routes);
    ask(.path = "/x");
    px_handle to = expect_handle(0);
    px_server_use(&rig.server, set_new());
    sim_settle(rig.sim);
    ck_assert_uint_eq(n_freed, 0);
    ck_assert_uint_eq(px_request_param(kept, "name").len, 1);
    ck_assert_int_eq(px_request_reply_text(kept, 200, "late"), PX_EOK);
    sim_settle(rig.sim);
    expect_answer(200);
    ck_assert_uint_eq(n_freed, 0);
    say_ended(to, PX_OK);
    ck_assert_uint_eq(n_freed, 1);
}
END_TEST

static void on_replace(struct px_request request, void *arg)
{
    px_server_use(&rig.server, arg);
    px_request_reply_text(request, 200, "replaced");
}

START_TEST(a_function_may_replace_the_set_it_belongs_to)
{
    struct px_routes *first = set_new(), *second = set_new();
    ck_assert_int_eq(px_routes_add(first, "GET", "/", on_replace, second, NULL), PX_EOK);
    px_server_use(&rig.server, first);
    ask_whole(200, .path = "/");
    ck_assert_uint_eq(n_freed, 1);
    ask_whole(404, .path = "/");
}
END_TEST

START_TEST(sets_that_were_never_used_and_those_in_force_are_freed_once)
{
    px_routes_free(NULL);
    px_routes_free(set_new());
    ck_assert_uint_eq(n_freed, 1);
    px_server_use(&rig.server, set_new());
    px_server_use(&rig.server, set_new());
    px_server_use(&rig.server, set_new());
    sim_settle(rig.sim);
    ck_assert_uint_eq(n_freed, 3);
}
END_TEST

/* A request of the storm: asked, then perhaps answered, then ended. */
struct stormy {
    struct px_request request;
    px_handle to;
    bool answered;
};

static uint32_t chance(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

static void storm_step(uint32_t *state, struct stormy *s, uint64_t requester, uint32_t *n_sets)
{
    if (chance(state, 3) == 0) {
        struct px_routes *routes = set_new();
        ck_assert_int_eq(px_routes_add(routes, "GET", "/:name", on_keep, NULL, NULL), PX_EOK);
        px_server_use(&rig.server, routes);
        ++*n_sets;
    } else if (s->to == 0) {
        sim_settle(rig.sim);
        px_test_forget(rig.world, "h1");
        ask(.path = "/x", .requester = requester);
        const Http__ExchangeCredit *m = sim_expect(rig.world, "h1", REQUESTER_CREDIT)->body;
        *s = (struct stormy){.request = kept, .to = m->responder};
    } else if (!s->answered && chance(state, 2) == 0) {
        struct px_text name = px_request_param(s->request, "name");
        ck_assert(name.len == 1 && name.ptr[0] == 'x');
        ck_assert_int_eq(px_request_reply_text(s->request, 200, "y"), PX_EOK);
        s->answered = true;
    } else {
        say_ended(s->to, s->answered ? PX_OK : PX_RESET);
        *s = (struct stormy){.to = 0};
    }
}

START_TEST(in_a_storm_of_sets_each_is_freed_once_and_not_before_its_requests_end)
{
    const char *given = getenv("PX_SEED");
    uint32_t seed = given == NULL ? (uint32_t)_i + 1 : (uint32_t)strtoul(given, NULL, 10);
    uint32_t state = seed, n_sets = 1;
    struct stormy stormy[4] = {{.to = 0}};
    printf("PX_SEED=%u\n", (unsigned)seed);
    px_server_use(&rig.server, set_new());
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/:name", on_keep, NULL), PX_EOK);
    for (int i = 0; i < 300; i++) {
        uint32_t which = chance(&state, 4);
        storm_step(&state, &stormy[which], 100 + which, &n_sets);
        if (chance(&state, 2) == 0) {
            sim_settle(rig.sim);
            px_test_forget(rig.world, "h1");
        }
        ck_assert_uint_lt(n_freed, n_sets);
    }
    sim_settle(rig.sim);
    for (int i = 0; i < 4; i++) {
        if (stormy[i].to != 0) {
            say_ended(stormy[i].to, PX_RESET);
        }
    }
    sim_settle(rig.sim);
    px_test_forget(rig.world, "h1");
    ck_assert_uint_eq(n_freed, n_sets - 1); /* the last one is in force */
}
END_TEST

/* ---- virtual hosts ---- */

START_TEST(a_request_goes_to_the_routes_of_its_host)
{
    struct px_routes *routes = set_new();
    add(routes, "/", text_a);
    add(host_of(routes, "B.example"), "/", text_b);
    add(host_of(routes, "*.example"), "/", text_c);
    add(host_of(routes, "*.d.example"), "/", text_d);
    px_server_use(&rig.server, routes);
    static const char *const cases[][2] = {
        {"", "a"},
        {"b.example", "b"},
        {"b.EXAMPLE:8080", "b"},
        {"b.example.", "b"},
        {"example", "a"},
        {"x.example", "c"},
        {"x.b.example", "c"},
        {"d.example", "c"},
        {"y.d.example", "d"},
        {"z.y.d.example:1", "d"},
        {"[::1]:80", "a"},
        {"127.0.0.1", "a"},
        {".example", "a"},
        {"xb.example", "c"},
        {"b.example.x", "a"},
        {"..", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct answer *answer = ask_whole(200, .path = "/", .host = cases[i][0]);
        ck_assert_msg(strcmp(answer->body, cases[i][1]) == 0, "%s: %s", cases[i][0], answer->body);
    }
}
END_TEST

START_TEST(a_host_without_a_route_does_not_fall_back)
{
    struct px_routes *routes = set_new();
    add(routes, "/a", text_a);
    add(host_of(routes, "b.example"), "/b", text_b);
    px_server_use(&rig.server, routes);
    ask_whole(404, .path = "/a", .host = "b.example");
    ask_whole(405, .path = "/b", .host = "b.example", .method = "PUT");
    ask_whole(404, .path = "/b", .host = "a.example");
}
END_TEST

START_TEST(what_is_no_host_name_is_refused)
{
    static const char *const bad[] = {"",  ".",     "a..b", ".a",  "a.",    "*.",
                                      "*", "a.*.b", "a:80", "a b", "[::1]", "a/b"};
    struct px_routes *routes = set_new(), *made = NULL;
    char label[66], name[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(px_routes_host(routes, bad[i], &made) == PX_EINVAL, "%s", bad[i]);
    }
    memset(label, 'a', 64);
    label[63] = '\0';
    ck_assert_int_eq(px_routes_host(routes, label, &made), PX_EOK);
    label[63] = 'a', label[64] = '\0';
    ck_assert_int_eq(px_routes_host(routes, label, &made), PX_EINVAL);
    for (size_t i = 0; i < 254; i++) {
        name[i] = i % 2 == 1 ? '.' : 'a';
    }
    name[253] = '\0';
    ck_assert_int_eq(px_routes_host(routes, name, &made), PX_EOK);
    name[253] = 'a', name[254] = '\0';
    ck_assert_int_eq(px_routes_host(routes, name, &made), PX_EINVAL);
    ck_assert_int_eq(px_routes_host(made, "a.example", &made), PX_EINVAL);
    px_routes_free(routes);
}
END_TEST

START_TEST(the_host_after_the_1024th_is_one_too_many)
{
    struct px_routes *routes = set_new(), *made = NULL;
    char name[16];
    for (int i = 0; i < HOSTS_MAX; i++) {
        snprintf(name, sizeof name, "h%d", i * 7919 % HOSTS_MAX);
        ck_assert_int_eq(px_routes_host(routes, name, &made), PX_EOK);
    }
    ck_assert_int_eq(px_routes_host(routes, "one-more", &made), PX_ELIMIT);
    ck_assert_int_eq(px_routes_host(routes, "H17", &made), PX_EOK);
    ck_assert_ptr_eq(made, routes_of_host(routes, (struct px_text){"h17:80", 6}));
    px_routes_free(routes);
}
END_TEST

/* ---- error pages ---- */

START_TEST(an_error_of_the_library_has_the_page_of_its_status)
{
    struct px_routes *routes = set_new();
    add(routes, "/a", text_a);
    ck_assert_int_eq(px_routes_error_page(routes, 404, "text/html", "<gone>", 6), PX_EOK);
    ck_assert_int_eq(px_routes_error_page(routes, 404, "text/html", "<lost>", 6), PX_EOK);
    ck_assert_int_eq(px_routes_error_page(routes, 405, "text/html", "<no>", 4), PX_EOK);
    struct px_routes *host = host_of(routes, "b.example");
    ck_assert_int_eq(px_routes_error_page(host, 404, "text/html", "<b>", 3), PX_EOK);
    px_server_use(&rig.server, routes);
    const struct answer *answer = ask_whole(404, .path = "/x");
    ck_assert_str_eq(answer->body, "<lost>");
    ck_assert_str_eq(answer_field(answer, "content-type"), "text/html");
    answer = ask_whole(405, .path = "/a", .method = "PUT");
    ck_assert_str_eq(answer->body, "<no>");
    ck_assert_str_eq(answer_field(answer, "allow"), "GET, HEAD");
    ck_assert_str_eq(ask_whole(404, .path = "/x", .host = "b.example")->body, "<b>");
    ck_assert_str_eq(ask_whole(400, .path = "/%2f", .host = "b.example")->body,
                     "400 Bad Request\n");
}
END_TEST

static void on_error(struct px_request request, void *arg)
{
    (void)arg;
    ck_assert_int_eq(px_request_reply_error(request, 399), PX_EINVAL);
    ck_assert_int_eq(px_request_reply_error(request, 600), PX_EINVAL);
    ck_assert_int_eq(px_request_reply_error(request, 410), PX_EOK);
    ck_assert_int_eq(px_request_reply_error(request, 410), PX_ESTATE);
}

START_TEST(the_program_answers_with_the_same_pages)
{
    ck_assert_int_eq(px_server_route(&rig.server, "GET", "/", on_error, NULL), PX_EOK);
    ck_assert_str_eq(ask_whole(410, .path = "/")->body, "410 Gone\n");
    ck_assert_int_eq(px_routes_error_page(rig.server.routes, 410, "text/html", "<gone>", 6),
                     PX_EOK);
    ck_assert_str_eq(ask_whole(410, .path = "/")->body, "<gone>");
}
END_TEST

START_TEST(pages_have_limits)
{
    struct px_routes *routes = set_new();
    char *large = calloc(1, ERROR_PAGE_LEN_MAX + 1);
    ck_assert_int_eq(px_routes_error_page(routes, 399, "a/b", "", 0), PX_EINVAL);
    ck_assert_int_eq(px_routes_error_page(routes, 600, "a/b", "", 0), PX_EINVAL);
    ck_assert_int_eq(px_routes_error_page(routes, 404, "a\n", "", 0), PX_EINVAL);
    ck_assert_int_eq(px_routes_error_page(routes, 404, NULL, "", 0), PX_EINVAL);
    ck_assert_int_eq(px_routes_error_page(routes, 404, "a/b", large, ERROR_PAGE_LEN_MAX + 1),
                     PX_EINVAL);
    ck_assert_int_eq(px_routes_error_page(routes, 404, "a/b", large, ERROR_PAGE_LEN_MAX), PX_EOK);
    for (uint32_t i = 0; i < ERROR_PAGES_MAX; i++) {
        ck_assert_int_eq(px_routes_error_page(routes, 404 + i, "a/b", "", 0), PX_EOK);
    }
    ck_assert_int_eq(px_routes_error_page(routes, 404 + ERROR_PAGES_MAX, "a/b", "", 0), PX_ELIMIT);
    ck_assert_int_eq(px_routes_error_page(routes, 404, "a/b", "x", 1), PX_EOK);
    px_routes_free(routes);
    free(large);
}
END_TEST

/* ---- answers by rule ---- */

static enum px_err rule(const char *pattern, struct px_rules rules)
{
    return px_server_route_with(&rig.server, "GET", pattern, NULL, NULL, &rules);
}

START_TEST(a_redirect_puts_in_what_matched)
{
    static const struct {
        const char *pattern, *place, *path, *host, *location;
    } cases[] = {
        {"/a/:id", "/b/{id}", "/a/7", "", "/b/7"},
        {"/b/:id", "/b?id={id}&x=1", "/b/a%20b%3f", "", "/b?id=a%20b%3F&x=1"},
        {"/c/*rest", "https://other.example/{rest}{?query}", "/c/x/y?q=%41&r", "",
         "https://other.example/x/y?q=%41&r"},
        {"/d/*rest", "https://{host}{/path}{?query}", "/d/x", "a.example:8080",
         "https://a.example/d/x"},
        {"/e", "https://{host}:8443{/path}", "/e", "[::1]:8080", "https://[::1]:8443/e"},
        {"/f/*rest", "/{rest}", "/f//evil.example", "", "/evil.example"},
        {"/g/*rest", "/{rest}", "/g/%5c%5cevil.example", "", "/%5C%5Cevil.example"},
        {"/h/*rest", "/x/{rest}", "/h/%0d%0aset-cookie:%20a", "", "/x/%0D%0Aset-cookie:%20a"},
        {"/i", "https://{host}", "/i", "A.example", "https://A.example"},
        {"/j", "https://{host}{?query}", "/j?a", "a.example", "https://a.example?a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(rule(cases[i].pattern, (struct px_rules){.redirect = cases[i].place}),
                         PX_EOK);
        const struct answer *answer = ask_whole(302, .path = cases[i].path, .host = cases[i].host);
        ck_assert_str_eq(answer_field(answer, "location"), cases[i].location);
        ck_assert_uint_eq(answer->length, 0);
    }
}
END_TEST

START_TEST(a_place_that_could_name_a_strangers_host_is_refused)
{
    static const char *const bad[] = {
        "",
        "b",
        "{rest}",
        "//evil.example",
        "//{rest}",
        "https://",
        "https:///x",
        "https://{rest}",
        "https://{rest}.example/",
        "https://a.example{rest}",
        "https://{host}{rest}",
        "https://{host",
        "https://{host}{?query}@a.example/",
        "HTTPS://a.example/",
        "javascript:alert(1)",
        "/{none}",
        "/{rest",
        "/a}",
        "/a b",
        "/a\nb",
        "/\\a",
        "/{}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(rule("/r/*rest", (struct px_rules){.redirect = bad[i]}) == PX_EINVAL, "%s",
                      bad[i]);
    }
    ck_assert_int_eq(rule("/r", (struct px_rules){.redirect = "/x", .status = 300}), PX_EINVAL);
    ck_assert_int_eq(rule("/r", (struct px_rules){.redirect = "/x", .status = 304}), PX_EINVAL);
}
END_TEST

START_TEST(a_place_has_its_limits)
{
    static char place[REDIRECT_MAX + 2], path[LOCATION_LEN_MAX + 8];
    memset(place, 'x', sizeof place - 1);
    place[0] = '/';
    ck_assert_int_eq(rule("/l", (struct px_rules){.redirect = place}), PX_EINVAL);
    place[REDIRECT_MAX] = '\0';
    ck_assert_int_eq(rule("/l", (struct px_rules){.redirect = place}), PX_EOK);
    ck_assert_int_eq(rule("/m/*rest", (struct px_rules){.redirect = "/{rest}{?query}"}), PX_EOK);
    memset(path, 'x', sizeof path - 1);
    memcpy(path, "/m/", 3);
    path[LOCATION_LEN_MAX + 2] = '\0'; /* "/" and one byte less than the limit */
    ask(.path = path);
    say_ended(expect_answer(302).to, PX_OK);
    path[LOCATION_LEN_MAX + 2] = 'x', path[LOCATION_LEN_MAX + 3] = '\0';
    ask_whole(414, .path = path);
}
END_TEST

START_TEST(a_status_is_answered_with_its_text_or_page)
{
    ck_assert_int_eq(rule("/gone", (struct px_rules){.status = 410}), PX_EOK);
    ck_assert_int_eq(rule("/ok", (struct px_rules){.text = "fine\n"}), PX_EOK);
    ck_assert_int_eq(
        rule("/json",
             (struct px_rules){.status = 201, .text = "{}", .content_type = "application/json"}),
        PX_EOK);
    ck_assert_int_eq(rule("/none", (struct px_rules){.status = 204}), PX_EOK);
    ck_assert_int_eq(px_routes_error_page(rig.server.routes, 410, "text/html", "<gone>", 6),
                     PX_EOK);
    ck_assert_str_eq(ask_whole(410, .path = "/gone")->body, "<gone>");
    ck_assert_str_eq(ask_whole(200, .path = "/ok")->body, "fine\n");
    const struct answer *answer = ask_whole(201, .path = "/json");
    ck_assert_str_eq(answer->body, "{}");
    ck_assert_str_eq(answer_field(answer, "content-type"), "application/json");
    ck_assert_str_eq(answer_field(ask_whole(204, .path = "/none"), "content-type"), "-");
}
END_TEST

START_TEST(a_route_has_a_function_or_an_answer_and_not_both)
{
    struct px_rules none = {.status = 0}, answers = {.status = 200};
    ck_assert_int_eq(px_server_route_with(&rig.server, "GET", "/", NULL, NULL, NULL), PX_EINVAL);
    ck_assert_int_eq(px_server_route_with(&rig.server, "GET", "/", NULL, NULL, &none), PX_EINVAL);
    ck_assert_int_eq(px_server_route_with(&rig.server, "GET", "/", on_name, NULL, &answers),
                     PX_EINVAL);
    ck_assert_int_eq(rule("/", (struct px_rules){.status = 199}), PX_EINVAL);
    ck_assert_int_eq(rule("/", (struct px_rules){.status = 600}), PX_EINVAL);
    ck_assert_int_eq(rule("/", (struct px_rules){.status = 204, .text = "x"}), PX_EINVAL);
    ck_assert_int_eq(rule("/", (struct px_rules){.text = "x", .content_type = "a\r\nb: c"}),
                     PX_EINVAL);
    ck_assert_int_eq(rule("/", (struct px_rules){.status = 599}), PX_EOK);
    ck_assert_int_eq(rule("/", (struct px_rules){.status = 200}), PX_EEXIST);
}
END_TEST

/* ---- header rules ---- */

static void on_fields(struct px_request request, void *arg)
{
    struct px_field fields[] = {{"X-One", "1"}, {"x-two", "2"}, {"Server", "me"}};
    struct px_reply reply = {.content_type = "text/plain", .fields = fields, .n_fields = 3};
    (void)arg;
    ck_assert_int_eq(px_request_reply(request, &reply), PX_EOK);
}

static enum px_err headers(const char *pattern, const struct px_header_rule *rules, uint32_t n)
{
    struct px_rules all = {.headers = rules, .n_headers = n};
    return px_server_route_with(&rig.server, "GET", pattern, on_fields, NULL, &all);
}

START_TEST(header_rules_are_carried_out_in_their_order)
{
    static const struct px_header_rule rules[] = {
        {PX_HEADER_REMOVE, "X-ONE", NULL},      {PX_HEADER_SET, "x-Two", "zwei"},
        {PX_HEADER_ADD, "x-three", "3"},        {PX_HEADER_ADD, "X-Three", "drei"},
        {PX_HEADER_ADD, "x-four", "4"},         {PX_HEADER_SET, "X-Four", "vier"},
        {PX_HEADER_SET, "x-five", "5"},         {PX_HEADER_REMOVE, "x-five", NULL},
        {PX_HEADER_SET, "content-type", "a/b"}, {PX_HEADER_ADD, "server", "you"},
    };
    ck_assert_int_eq(headers("/", rules, sizeof rules / sizeof rules[0]), PX_EOK);
    const struct answer *answer = ask_whole(200, .path = "/");
    ck_assert_str_eq(answer_field(answer, "x-one"), "-");
    ck_assert_str_eq(answer_field(answer, "x-two"), "zwei");
    ck_assert_str_eq(answer_field(answer, "x-three"), "3|drei");
    ck_assert_str_eq(answer_field(answer, "x-four"), "vier");
    ck_assert_str_eq(answer_field(answer, "x-five"), "-");
    ck_assert_str_eq(answer_field(answer, "content-type"), "a/b");
    ck_assert_str_eq(answer_field(answer, "server"), "me|you");
}
END_TEST

START_TEST(header_rules_have_limits)
{
    static char value[HEADER_RULES_LEN_MAX + 1];
    struct px_header_rule rules[HEADER_RULES_MAX + 1];
    for (size_t i = 0; i <= HEADER_RULES_MAX; i++) {
        rules[i] = (struct px_header_rule){PX_HEADER_ADD, "x", "y"};
    }
    ck_assert_int_eq(headers("/a", rules, HEADER_RULES_MAX + 1), PX_EINVAL);
    ck_assert_int_eq(headers("/a", rules, HEADER_RULES_MAX), PX_EOK);
    memset(value, 'v', sizeof value - 1);
    size_t fits = HEADER_RULES_LEN_MAX;
    while (px_header_size(1, fits) > HEADER_RULES_LEN_MAX) {
        fits--;
    }
    rules[0].value = value;
    value[fits + 1] = '\0';
    ck_assert_int_eq(headers("/b", rules, 1), PX_EINVAL);
    value[fits] = '\0';
    ck_assert_int_eq(headers("/b", rules, 1), PX_EOK);
    rules[0] = (struct px_header_rule){PX_HEADER_SET, "content-length", "1"};
    ck_assert_int_eq(headers("/c", rules, 1), PX_EINVAL);
    rules[0] = (struct px_header_rule){PX_HEADER_SET, "x", "a\r\nb"};
    ck_assert_int_eq(headers("/c", rules, 1), PX_EINVAL);
    rules[0] = (struct px_header_rule){PX_HEADER_SET, "x", NULL};
    ck_assert_int_eq(headers("/c", rules, 1), PX_EINVAL);
    rules[0] = (struct px_header_rule){(enum px_header_act)3, "x", "y"};
    ck_assert_int_eq(headers("/c", rules, 1), PX_EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routes");
    TCase *sets = tcase_create("sets");
    tcase_add_checked_fixture(sets, setup, teardown);
    tcase_add_test(sets, a_set_is_in_force_from_the_next_request_on);
    tcase_add_test(sets, a_request_under_way_keeps_its_set_alive);
    tcase_add_test(sets, a_function_may_replace_the_set_it_belongs_to);
    tcase_add_test(sets, sets_that_were_never_used_and_those_in_force_are_freed_once);
    tcase_add_loop_test(sets, in_a_storm_of_sets_each_is_freed_once_and_not_before_its_requests_end,
                        0, 20);
    suite_add_tcase(suite, sets);
    TCase *hosts = tcase_create("hosts");
    tcase_add_checked_fixture(hosts, setup, teardown);
    tcase_add_test(hosts, a_request_goes_to_the_routes_of_its_host);
    tcase_add_test(hosts, a_host_without_a_route_does_not_fall_back);
    tcase_add_test(hosts, what_is_no_host_name_is_refused);
    tcase_add_test(hosts, the_host_after_the_1024th_is_one_too_many);
    suite_add_tcase(suite, hosts);
    TCase *pages = tcase_create("error pages");
    tcase_add_checked_fixture(pages, setup, teardown);
    tcase_add_test(pages, an_error_of_the_library_has_the_page_of_its_status);
    tcase_add_test(pages, the_program_answers_with_the_same_pages);
    tcase_add_test(pages, pages_have_limits);
    suite_add_tcase(suite, pages);
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, setup, teardown);
    tcase_add_test(answers, a_redirect_puts_in_what_matched);
    tcase_add_test(answers, a_place_that_could_name_a_strangers_host_is_refused);
    tcase_add_test(answers, a_place_has_its_limits);
    tcase_add_test(answers, a_status_is_answered_with_its_text_or_page);
    tcase_add_test(answers, a_route_has_a_function_or_an_answer_and_not_both);
    suite_add_tcase(suite, answers);
    TCase *fields = tcase_create("header rules");
    tcase_add_checked_fixture(fields, setup, teardown);
    tcase_add_test(fields, header_rules_are_carried_out_in_their_order);
    tcase_add_test(fields, header_rules_have_limits);
    suite_add_tcase(suite, fields);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
