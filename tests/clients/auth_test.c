/* auth_test.c - basic authentication: users, credentials, verifications that take their time. The
 * test takes the place of the thread: it does one verification when it calls auth_work. */
#include "ask_rig.h"
#include "auth.h"

#include <crypt.h>

static struct px_auth *the_auth;
static struct px_request kept;
static uint32_t n_requests;
static char user_seen[64];

/* Cheap ones, so that the test is quick. */
static const char *const settings[] = {
    "$2b$04$abcdefghijklmnopqrstuu", "$6$rounds=1000$saltsalt$",      "$5$rounds=1000$saltsalt$",
    "$y$j75$saltsaltsaltsalt$",      "$2y$04$abcdefghijklmnopqrstuu",
};
static char hashes[sizeof settings / sizeof settings[0]][AUTH_HASH_MAX + 1];

static const char *hash_of(const char *password, const char *setting, char *ret)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = crypt_r(password, setting, data);
    ck_assert_msg(made != NULL && made[0] != '*', "%s", setting);
    snprintf(ret, AUTH_HASH_MAX + 1, "%s", made);
    free(data);
    return ret;
}

static void on_user(struct px_request request, void *arg)
{
    struct px_text user = px_request_user(request);
    (void)arg;
    n_requests++;
    kept = request;
    snprintf(user_seen, sizeof user_seen, "%.*s", PX_TEXT_ARG(user));
    px_request_reply_text(request, 200, "in");
}

static struct px_auth *auth_new(struct px_auth_config config)
{
    struct px_auth *auth = NULL;
    config.users_len = strlen(config.users);
    ck_assert_int_eq(px_auth_new(rig.system, &config, &auth), PX_EOK);
    auth->by_hand = true;
    return auth;
}

static void guard(const char *pattern, struct px_auth *auth)
{
    struct px_rules rules = {.auth = auth};
    ck_assert_int_eq(px_server_route_with(&rig.server, "GET", pattern, on_user, NULL, &rules),
                     PX_EOK);
}

static void setup(void)
{
    char text[1024];
    n_requests = 0;
    user_seen[0] = '\0';
    rig_start(&rig);
    snprintf(text, sizeof text, "# who may\nann:%s\n\nbob:%s\r\n",
             hash_of("secret", settings[0], hashes[0]), hash_of("geheim", settings[1], hashes[1]));
    the_auth = auth_new((struct px_auth_config){
        .users = text, .realm = "the place", .pending_max = 2, .cache_max = 4, .cache_s = 10});
    guard("/", the_auth);
}

static void teardown(void)
{
    px_auth_free(the_auth);
    rig_end(&rig);
}

/* ---- asking ---- */

static const char *basic(const char *credentials)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char field[2048];
    size_t len = strlen(credentials), at = 6;
    memcpy(field, "Basic ", 6);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (i + k < len ? (unsigned char)credentials[i + k] : 0u);
        }
        for (size_t k = 0; k < 4; k++) {
            field[at++] = i + k > len ? '=' : digits[bits >> (18 - 6 * k) & 63];
        }
    }
    field[at] = '\0';
    return field;
}

/* Asks with credentials; verifies if need be. */
static const struct answer *ask_as(const char *credentials, uint32_t status)
{
    static struct answer answer;
    ask(.path = "/", .fields = {"Authorization", basic(credentials)});
    if (auth_work(the_auth, false)) {
        expect_handle(0);
        sim_settle(rig.sim);
    }
    answer = expect_answer(status);
    say_ended(answer.to, PX_OK);
    return &answer;
}

START_TEST(who_shows_nothing_is_asked_to)
{
    const struct answer *answer = ask_whole(401, .path = "/");
    ck_assert_str_eq(answer_field(answer, "www-authenticate"),
                     "Basic realm=\"the place\", charset=\"UTF-8\"");
    ck_assert_str_eq(answer->body, "401 Unauthorized\n");
    ck_assert_uint_eq(n_requests, 0);
}
END_TEST

START_TEST(who_shows_the_right_password_is_let_in_under_his_name)
{
    ask_as("ann:secret", 200);
    ck_assert_str_eq(user_seen, "ann");
    ask_as("bob:geheim", 200);
    ck_assert_str_eq(user_seen, "bob");
}
END_TEST

START_TEST(everybody_else_is_not)
{
    static const char *const wrong[] = {
        "ann:geheim", "ann:secret ", "ann:",         "ann:secre",  "Ann:secret",
        "an:secret",  "anna:x",      ":secret",      "bob:secret", "carl:secret",
        ":",          "ann:secret:", "\xff:\xfe\xfd"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ask_as(wrong[i], 401);
    }
    ck_assert_uint_eq(n_requests, 0);
}
END_TEST

START_TEST(what_is_no_credentials_is_refused_without_a_computation)
{
    static const char *const bad[] = {"Basic",      "Basic ",          "Basic !",
                                      "Basic YW5u", "Bearer YTpi",     "Basi YTpi",
                                      "BasicYTpi",  "Basic YTpi YTpi", "Basic YW5uOgBz",
                                      "Basic A",    "Basic YTpi====",  "Basic YTpi-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ask_whole(401, .path = "/", .fields = {"Authorization", bad[i]});
        ck_assert(!auth_work(the_auth, false));
    }
}
END_TEST

START_TEST(the_example_of_the_rfc_is_read)
{
    struct credentials got;
    ck_assert(credentials_read((struct px_text){"bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 35}, &got));
    ck_assert_str_eq(got.bytes, "Aladdin:open sesame");
    ck_assert_uint_eq(got.name_len, 7);
    ck_assert(credentials_read((struct px_text){"Basic dGVzdDoxMjPCow", 20}, &got));
    ck_assert_str_eq(got.bytes, "test:123\xc2\xa3");
}
END_TEST

START_TEST(credentials_have_limits)
{
    static char text[AUTH_CREDENTIALS_MAX + 2];
    struct credentials got;
    const char *field;
    memset(text, 'a', sizeof text - 1);
    text[AUTH_NAME_MAX] = ':';
    text[AUTH_CREDENTIALS_MAX] = '\0';
    field = basic(text);
    ck_assert(credentials_read((struct px_text){field, strlen(field)}, &got));
    text[AUTH_CREDENTIALS_MAX] = 'a'; /* a password one byte longer */
    field = basic(text);
    ck_assert(!credentials_read((struct px_text){field, strlen(field)}, &got));
    text[AUTH_NAME_MAX] = 'a', text[AUTH_NAME_MAX + 1] = ':'; /* a name one byte longer */
    text[AUTH_CREDENTIALS_MAX] = '\0';
    field = basic(text);
    ck_assert(!credentials_read((struct px_text){field, strlen(field)}, &got));
    ck_assert_uint_eq(got.len, 0); /* wiped */
}
END_TEST

/* ---- time ---- */

START_TEST(right_credentials_are_known_again_until_they_are_forgotten)
{
    ask_as("ann:secret", 200);
    ask_whole(200, .path = "/", .fields = {"Authorization", basic("ann:secret")});
    sim_advance_us(rig.sim, 9999999);
    ask_whole(200, .path = "/", .fields = {"Authorization", basic("ann:secret")});
    ck_assert(!auth_work(the_auth, false));
    sim_advance_us(rig.sim, 1);
    ask(.path = "/", .fields = {"Authorization", basic("ann:secret")});
    px_handle to = expect_handle(0);
    ck_assert(auth_work(the_auth, false));
    sim_settle(rig.sim);
    expect_answer(200);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(wrong_credentials_are_never_remembered)
{
    ask_as("ann:wrong", 401);
    ask(.path = "/", .fields = {"Authorization", basic("ann:wrong")});
    px_handle to = expect_handle(0);
    ck_assert(auth_work(the_auth, false));
    sim_settle(rig.sim);
    expect_answer(401);
    say_ended(to, PX_OK);
}
END_TEST

START_TEST(the_fifth_in_a_cache_of_four_displaces_the_oldest)
{
    char text[4096], name[32];
    size_t len = 0;
    for (int i = 0; i < 5; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "u%d:%s\n", i, hashes[0]);
    }
    ck_assert_int_eq(px_auth_users(the_auth, text, len), PX_EOK);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "u%d:secret", i);
        ask_as(name, 200);
        sim_advance_us(rig.sim, 1000);
    }
    for (int i = 4; i >= 1; i--) {
        snprintf(name, sizeof name, "u%d:secret", i);
        ask_whole(200, .path = "/", .fields = {"Authorization", basic(name)});
    }
    ask(.path = "/", .fields = {"Authorization", basic("u0:secret")});
    say_ended(expect_handle(0), PX_RESET);
    ck_assert(auth_work(the_auth, false));
}
END_TEST

START_TEST(requests_with_the_same_credentials_wait_for_one_computation)
{
    px_handle to[3];
    for (uint64_t i = 0; i < 3; i++) {
        ask(.path = "/", .requester = 100 + i, .fields = {"Authorization", basic("ann:secret")});
        to[i] = ((const Http__ExchangeCredit *)sim_expect(rig.world, "h1", REQUESTER_CREDIT)->body)
                    ->responder;
    }
    say_ended(to[1], PX_RESET); /* one does not wait */
    ck_assert(auth_work(the_auth, false));
    ck_assert(!auth_work(the_auth, false));
    sim_settle(rig.sim);
    ck_assert_uint_eq(n_requests, 2);
    px_test_forget(rig.world, "h1");
    say_ended(to[0], PX_OK);
    say_ended(to[2], PX_OK);
}
END_TEST

START_TEST(the_third_where_two_may_be_pending_is_told_503)
{
    ask(.path = "/", .fields = {"Authorization", basic("ann:1")});
    px_handle first = expect_handle(0);
    ask(.path = "/", .fields = {"Authorization", basic("ann:2")});
    px_handle second = expect_handle(0);
    const struct answer *answer =
        ask_whole(503, .path = "/", .fields = {"Authorization", basic("ann:3")});
    ck_assert_str_eq(answer_field(answer, "retry-after"), "1");
    ck_assert(auth_work(the_auth, false));
    sim_settle(rig.sim);
    expect_answer(401);
    say_ended(first, PX_OK);
    ask(.path = "/", .fields = {"Authorization", basic("ann:3")});
    px_handle third = expect_handle(0);
    while (auth_work(the_auth, false)) {
    }
    sim_settle(rig.sim);
    expect_answer(401);
    expect_answer(401);
    say_ended(second, PX_OK);
    say_ended(third, PX_OK);
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_compared_like_one_that_does)
{
    ask(.path = "/", .fields = {"Authorization", basic("nobody:secret")});
    px_handle to = expect_handle(0);
    const struct job *job = the_auth->queue;
    ck_assert_ptr_nonnull(job);
    ck_assert(!job->known);
    ck_assert(job->user == &the_auth->users->list[0] || job->user == &the_auth->users->list[1]);
    const struct user *compared = job->user;
    ck_assert(auth_work(the_auth, false)); /* even if the password is that of the other */
    sim_settle(rig.sim);
    expect_answer(401);
    say_ended(to, PX_OK);
    ask(.path = "/", .fields = {"Authorization", basic("nobody:again")});
    to = expect_handle(0);
    ck_assert_ptr_eq(the_auth->queue->user, compared); /* always the same one */
    auth_work(the_auth, false);
    sim_settle(rig.sim);
    expect_answer(401);
    say_ended(to, PX_OK);
}
END_TEST

/* ---- changes ---- */

START_TEST(new_users_are_in_force_at_once_and_old_ones_out)
{
    char text[1024];
    ask_as("ann:secret", 200);
    snprintf(text, sizeof text, "carl:%s", hashes[1]);
    ck_assert_int_eq(px_auth_users(the_auth, text, strlen(text)), PX_EOK);
    ask_as("ann:secret", 401);
    ask_as("carl:geheim", 200);
    ck_assert_int_eq(px_auth_users(the_auth, "dan:plain", 9), PX_EINVAL);
    ck_assert_str_eq(
        px_system_error(rig.system),
        "line 1: not a hash of yescrypt, scrypt, bcrypt, SHA-512 or SHA-256 crypt (make "
        "one with htpasswd -B, or mkpasswd)");
    ask_whole(200, .path = "/", .fields = {"Authorization", basic("carl:geheim")});
    ck_assert_int_eq(px_auth_users(the_auth, "", 0), PX_EOK);
    ask_as("carl:geheim", 401); /* nobody may */
}
END_TEST

START_TEST(a_verification_of_old_users_is_not_remembered_for_the_new_ones)
{
    ask(.path = "/", .fields = {"Authorization", basic("ann:secret")});
    px_handle to = expect_handle(0);
    char text[1024];
    snprintf(text, sizeof text, "ann:%s", hashes[1]);
    ck_assert_int_eq(px_auth_users(the_auth, text, strlen(text)), PX_EOK);
    ck_assert(auth_work(the_auth, false));
    sim_settle(rig.sim);
    expect_answer(200); /* it began before */
    ck_assert_str_eq(user_seen, "ann");
    say_ended(to, PX_OK);
    ask_as("ann:secret", 401);
}
END_TEST

START_TEST(who_leaves_while_he_is_verified_leaves_nothing)
{
    ask(.path = "/", .fields = {"Authorization", basic("ann:secret")});
    say_ended(expect_handle(0), PX_RESET);
    ck_assert(auth_work(the_auth, false));
    sim_settle(rig.sim);
    ck_assert_uint_eq(n_requests, 0);
    struct px_routes *routes = NULL;
    ck_assert_int_eq(px_routes_new(&routes), PX_EOK);
    px_server_use(&rig.server, routes);
    sim_settle(rig.sim);
    ck_assert_uint_eq(the_auth->refs, 1);
}
END_TEST

START_TEST(news_for_one_that_is_freed_finds_nobody)
{
    struct auth_news news = {the_auth->id + 1000, 0};
    auth_news(rig.system, &news, sizeof news);
    struct px_auth *other = auth_new((struct px_auth_config){.users = ""});
    px_auth_free(other);
    px_auth_free(NULL);
    sim_settle(rig.sim);
}
END_TEST

/* ---- configurations ---- */

START_TEST(each_kind_of_hash_is_verified)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "ann:%s", hash_of("p\xc3\xa4ss", settings[i], hashes[i]));
        ck_assert_int_eq(px_auth_users(the_auth, text, strlen(text)), PX_EOK);
        ask_as("ann:p\xc3\xa4ss", 200);
        ask_as("ann:pass", 401);
    }
}
END_TEST

START_TEST(a_line_at_fault_is_named)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"# x\n\nann", "line 3: expected name:hash"},
        {":$2b$04$abcdefghijklmnopqrstuu", "line 1: the name is empty or longer than 255 bytes"},
        {"ann:$apr1$x$y\n", NULL},
        {"ann:{SHA}x\n", NULL},
        {"ann:$1$salt$x\n", NULL},
        {"ann:rl.3StKT.4T8M\n", NULL},
        {"ann:\n", NULL},
        {"ann:$2b$04$abcdefghijklmnopqrstuu", NULL},
        {"ann:$2b$xx$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
        {"ann:$6$salt", NULL},
        {"a\tb:$2b$04$abcdefghijklmnopqrstuu", "line 1: a control character"},
    };
    char text[2048];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(px_auth_users(the_auth, bad[i].text, strlen(bad[i].text)) == PX_EINVAL, "%s",
                      bad[i].text);
        if (bad[i].why != NULL) {
            ck_assert_str_eq(px_system_error(rig.system), bad[i].why);
        } else {
            ck_assert_ptr_nonnull(strstr(px_system_error(rig.system), "line 1: not a hash of"));
        }
    }
    snprintf(text, sizeof text, "bob:%s\nann:%s\nbob:%s", hashes[0], hashes[0], hashes[0]);
    ck_assert_int_eq(px_auth_users(the_auth, text, strlen(text)), PX_EINVAL);
    memset(text, 'a', 300);
    snprintf(text + 256, sizeof text - 256, ":%s", hashes[0]);
    ck_assert_int_eq(px_auth_users(the_auth, text, strlen(text)), PX_EINVAL);
    ck_assert_int_eq(px_auth_users(the_auth, text + 1, strlen(text) - 1), PX_EOK);
}
END_TEST

START_TEST(the_user_after_the_10000th_is_one_too_many)
{
    enum { LINE_MAX_LEN = 80 };
    char *text = malloc((size_t)(AUTH_USERS_MAX + 1) * LINE_MAX_LEN);
    size_t len = 0;
    for (int i = 0; i < AUTH_USERS_MAX; i++) {
        len += (size_t)sprintf(text + len, "u%d:%s\n", i * 7919 % AUTH_USERS_MAX, hashes[0]);
    }
    ck_assert_int_eq(px_auth_users(the_auth, text, len), PX_EOK);
    ck_assert_ptr_nonnull(users_find(the_auth->users, (struct px_text){"u4711", 5}));
    ck_assert_ptr_null(users_find(the_auth->users, (struct px_text){"u10000", 6}));
    len += (size_t)sprintf(text + len, "one:%s\n", hashes[0]);
    ck_assert_int_eq(px_auth_users(the_auth, text, len), PX_EINVAL);
    ck_assert_str_eq(px_system_error(rig.system), "line 10001: more than 10000 users");
    free(text);
}
END_TEST

START_TEST(a_configuration_out_of_range_is_refused)
{
    char realm[AUTH_REALM_MAX + 2];
    struct px_auth *auth = NULL;
    memset(realm, 'r', sizeof realm);
    realm[AUTH_REALM_MAX + 1] = '\0';
    const struct px_auth_config bad[] = {
        {.realm = realm},
        {.realm = ""},
        {.realm = "a\"b"},
        {.realm = "a\\b"},
        {.realm = "a\nb"},
        {.pending_max = AUTH_PENDING_MAX + 1},
        {.cache_max = AUTH_CACHE_MAX + 1},
        {.cache_s = AUTH_CACHE_S_MAX + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(px_auth_new(rig.system, &bad[i], &auth) == PX_EINVAL, "%zu", i);
    }
    realm[AUTH_REALM_MAX] = '\0';
    px_auth_free(auth_new((struct px_auth_config){.users = "",
                                                  .realm = realm,
                                                  .pending_max = AUTH_PENDING_MAX,
                                                  .cache_max = AUTH_CACHE_MAX,
                                                  .cache_s = AUTH_CACHE_S_MAX}));
}
END_TEST

static char logged[64];

static void on_record(const struct px_log_record *record, void *arg)
{
    (void)arg;
    snprintf(logged, sizeof logged, "%.*s", PX_TEXT_ARG(record->user));
}

START_TEST(the_log_knows_who_it_was_even_if_users_change_meanwhile)
{
    px_server_log(&rig.server, on_record, NULL);
    ask(.path = "/", .fields = {"Authorization", basic("ann:secret")});
    px_handle to = expect_handle(0);
    ck_assert(auth_work(the_auth, false));
    sim_settle(rig.sim);
    expect_answer(200);
    ck_assert_int_eq(px_auth_users(the_auth, "", 0), PX_EOK);
    say_ended(to, PX_OK);
    ck_assert_str_eq(logged, "ann");
    ask_as("ann:secret", 401);
    ck_assert_str_eq(logged, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth");
    TCase *asking = tcase_create("asking");
    tcase_add_checked_fixture(asking, setup, teardown);
    tcase_add_test(asking, who_shows_nothing_is_asked_to);
    tcase_add_test(asking, who_shows_the_right_password_is_let_in_under_his_name);
    tcase_add_test(asking, everybody_else_is_not);
    tcase_add_test(asking, what_is_no_credentials_is_refused_without_a_computation);
    tcase_add_test(asking, the_example_of_the_rfc_is_read);
    tcase_add_test(asking, credentials_have_limits);
    suite_add_tcase(suite, asking);
    TCase *times = tcase_create("time");
    tcase_add_checked_fixture(times, setup, teardown);
    tcase_add_test(times, right_credentials_are_known_again_until_they_are_forgotten);
    tcase_add_test(times, wrong_credentials_are_never_remembered);
    tcase_add_test(times, the_fifth_in_a_cache_of_four_displaces_the_oldest);
    tcase_add_test(times, requests_with_the_same_credentials_wait_for_one_computation);
    tcase_add_test(times, the_third_where_two_may_be_pending_is_told_503);
    tcase_add_test(times, a_name_that_does_not_exist_is_compared_like_one_that_does);
    suite_add_tcase(suite, times);
    TCase *changes = tcase_create("changes");
    tcase_add_checked_fixture(changes, setup, teardown);
    tcase_add_test(changes, new_users_are_in_force_at_once_and_old_ones_out);
    tcase_add_test(changes, a_verification_of_old_users_is_not_remembered_for_the_new_ones);
    tcase_add_test(changes, who_leaves_while_he_is_verified_leaves_nothing);
    tcase_add_test(changes, news_for_one_that_is_freed_finds_nobody);
    tcase_add_test(changes, the_log_knows_who_it_was_even_if_users_change_meanwhile);
    suite_add_tcase(suite, changes);
    TCase *configurations = tcase_create("configurations");
    tcase_add_checked_fixture(configurations, setup, teardown);
    tcase_set_timeout(configurations, 30);
    tcase_add_test(configurations, each_kind_of_hash_is_verified);
    tcase_add_test(configurations, a_line_at_fault_is_named);
    tcase_add_test(configurations, the_user_after_the_10000th_is_one_too_many);
    tcase_add_test(configurations, a_configuration_out_of_range_is_refused);
    suite_add_tcase(suite, configurations);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
