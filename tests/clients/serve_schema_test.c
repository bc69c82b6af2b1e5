/* serve_schema_test.c - every key of plexus serve, set wrong in every way its kind knows, is told
 * by a message of its own. The cases come from the schema, so a new key is tested as soon as it is
 * there.
 */
#include "serve_schema.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX_MAX = 256, MESSAGES_MAX = 4096 };

/* Where a key stands: what opens the mappings and lists around it, what closes them, its path. */
struct spot {
    char open[PREFIX_MAX], close[PREFIX_MAX], path[PREFIX_MAX];
};

static char *messages[MESSAGES_MAX];
static size_t n_messages;

static void keep(void *arg, const char *line)
{
    (void)arg;
    ck_assert_uint_lt(n_messages, MESSAGES_MAX);
    messages[n_messages++] = strdup(line);
}

/* Reads `value` in the place of a key; keeps the mistakes, of which there must be some. */
static size_t read_wrong(const struct spot *spot, const char *value)
{
    size_t len = strlen(value) + 2 * PREFIX_MAX, before = n_messages;
    char *text = malloc(len);
    snprintf(text, len, "%s%s%s\n", spot->open, value, spot->close);
    struct conf *conf = conf_new(serve_schema);
    bool ok = conf_parse(conf, "f", text, strlen(text));
    ck_assert_msg(!conf_end(conf) || !ok, "%s is taken: %s", spot->path, text);
    conf_errors(conf, keep, NULL);
    conf_free(conf);
    free(text);
    ck_assert_uint_gt(n_messages, before);
    return before;
}

/* Sets a key wrong: the first message names line, path, what is expected and what was found. */
static void wrong(const struct spot *spot, const struct conf_key *key, const char *value,
                  const char *found)
{
    char expected[CONF_TEXT_MAX], want[2 * CONF_TEXT_MAX];
    size_t at = read_wrong(spot, value);
    conf_expected(key, expected);
    snprintf(want, sizeof want, ": %s: expected %s, found %s", spot->path, expected, found);
    ck_assert_msg(strncmp(messages[at], "f:1:", 4) == 0 && strstr(messages[at], want) != NULL,
                  "expected '%s', told '%s'", want, messages[at]);
}

static void wrong_forms(const struct spot *spot, const struct conf_key *key)
{
    bool takes_scalars =
        conf_kind_is_scalar(key) || (key->flags & CONF_SHORT) != 0 || conf_list_is_short(key);
    wrong(spot, key, "", "nothing");
    wrong(spot, key, "~", "nothing");
    if (key->kind != CONF_LIST) {
        wrong(spot, key, "[]", "a list");
    }
    if (key->kind != CONF_MAP && key->kind != CONF_DICT) {
        wrong(spot, key, "{}", "a mapping");
    }
    if (!takes_scalars) {
        wrong(spot, key, "7", "'7'");
    }
}

static void wrong_number(const struct spot *spot, const struct conf_key *key)
{
    static const char *const texts[] = {
        "x", "-1", "1.5", "0x10", "01", "1 k", "99999999999999999999"};
    char value[64], found[80];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(found, sizeof found, "'%s'", texts[i]);
        wrong(spot, key, texts[i], found);
    }
    const char *unit = key->kind == CONF_TIME ? "ms" : "";
    snprintf(value, sizeof value, "%" PRIu64 "%s", key->max + 1, unit);
    snprintf(found, sizeof found, "'%s'", value);
    wrong(spot, key, value, found);
    if (key->min > 0) {
        snprintf(value, sizeof value, "%" PRIu64 "%s", key->min - 1, unit);
        snprintf(found, sizeof found, "'%s'", value);
        wrong(spot, key, value, found);
    }
    if (key->kind == CONF_TIME) {
        wrong(spot, key, "10", "'10'");
        wrong(spot, key, "10sec", "'10sec'");
    }
}

static void wrong_text(const struct spot *spot, const struct conf_key *key)
{
    char *long_one = malloc(key->max + 4);
    memset(long_one, 'a', key->max + 1);
    long_one[key->max + 1] = '\0';
    char found[64];
    snprintf(found, sizeof found, "'%.40s%s'", long_one, key->max + 1 > 40 ? "..." : "");
    wrong(spot, key, long_one, found);
    wrong(spot, key, "\"a\\x01b\"", "'a?b'");
    wrong(spot, key, "\"a\\0b\"", "'a?b'");
    if (key->min > 0) {
        wrong(spot, key, "''", "''");
    }
    if (key->check != NULL) {
        wrong(spot, key, "'%'", "'%'");
    }
    free(long_one);
}

static void wrong_word(const struct spot *spot, const struct conf_key *key)
{
    wrong(spot, key, "zzz", "'zzz'; did you mean '");
    wrong(spot, key, "''", "''; did you mean '");
}

static void wrong_mode(const struct spot *spot, const struct conf_key *key)
{
    wrong(spot, key, "8", "'8'");
    wrong(spot, key, "u+x", "'u+x'");
    wrong(spot, key, "01000", "'01000'");
    wrong(spot, key, "0", "'0'");
}

static void has(size_t at, const char *text)
{
    ck_assert_msg(strstr(messages[at], text) != NULL, "expected '%s', told '%s'", text,
                  messages[at]);
}

/* `n` entries: "a: x, b: x, ..." or "x, x, ..."; their own mistakes come before the count's. */
static char *entries(uint64_t n, bool is_dict)
{
    char *text = malloc(n * 12 + 3), *at = text;
    *at++ = is_dict ? '{' : '[';
    for (uint64_t i = 0; i < n; i++) {
        at += is_dict ? sprintf(at, "n%" PRIu64 ": x,", i) : sprintf(at, "x,");
    }
    *at++ = is_dict ? '}' : ']';
    *at = '\0';
    return text;
}

static void wrong_count(const struct spot *spot, const struct conf_key *key)
{
    bool is_dict = key->kind == CONF_DICT;
    if (key->min > 0) {
        wrong(spot, key, is_dict ? "{}" : "[]", "0");
    }
    if (conf_kind_is_scalar(key->item) && key->item->min <= 1 && key->item->check == NULL) {
        char *text = entries(key->max + 1, is_dict);
        wrong(spot, key, text, "at least ");
        free(text);
    }
    if (is_dict) {
        has(read_wrong(spot, "{xxx: abc, xxx: abc}"), "expected once, found a second time");
    }
}

static void wrong_map(const struct spot *spot, const struct conf_key *key)
{
    char value[128];
    has(read_wrong(spot, "{zzz: 1}"), ".zzz: unknown key; expected ");
    snprintf(value, sizeof value, "{%.50s: ~, %.50s: ~}", key->keys[0].name, key->keys[0].name);
    has(read_wrong(spot, value) + 1, "expected once, found a second time (first on line 1)");
    for (const struct conf_key *k = key->keys; k->name != NULL; k++) {
        if (k->flags & CONF_REQUIRED) {
            size_t at = read_wrong(spot, "{}");
            snprintf(value, sizeof value, ": the key '%.60s' is missing; expected ", k->name);
            while (at < n_messages && strstr(messages[at], value) == NULL) {
                at++;
            }
            ck_assert_msg(at < n_messages, "%s is not missed", value);
        }
    }
}

static void wrong_key(const struct spot *spot, const struct conf_key *key);

static void wrong_keys(const struct spot *around, const struct conf_key *keys)
{
    for (const struct conf_key *key = keys; key->name != NULL; key++) {
        struct spot spot;
        snprintf(spot.open, PREFIX_MAX, "%.200s{%.50s: ", around->open, key->name);
        snprintf(spot.close, PREFIX_MAX, "}%.200s", around->close);
        snprintf(spot.path, PREFIX_MAX, "%.200s%s%.50s", around->path,
                 around->path[0] == '\0' ? "" : ".", key->name);
        wrong_key(&spot, key);
    }
}

static void wrong_item(const struct spot *around, const struct conf_key *key)
{
    bool is_list = key->kind == CONF_LIST;
    struct spot spot;
    snprintf(spot.open, PREFIX_MAX, "%.200s%s", around->open, is_list ? "[" : "{name: ");
    snprintf(spot.close, PREFIX_MAX, "%s%.200s", is_list ? "]" : "}", around->close);
    snprintf(spot.path, PREFIX_MAX, "%.200s%s", around->path, is_list ? "[0]" : ".name");
    wrong_key(&spot, key->item);
}

static void wrong_key(const struct spot *spot, const struct conf_key *key)
{
    bool is_entry = spot->path[strlen(spot->path) - 1] == ']';
    if (!is_entry) { /* [] and [~]: an empty list has no entry */
        wrong_forms(spot, key);
    }
    switch (key->kind) {
    case CONF_BOOL:
        wrong(spot, key, "yes", "'yes'");
        wrong(spot, key, "1", "'1'");
        break;
    case CONF_COUNT:
    case CONF_SIZE:
    case CONF_TIME:
        wrong_number(spot, key);
        break;
    case CONF_MODE:
        wrong_mode(spot, key);
        break;
    case CONF_TEXT:
    case CONF_LINES:
        wrong_text(spot, key);
        break;
    case CONF_WORD:
        wrong_word(spot, key);
        break;
    case CONF_MAP:
        wrong_map(spot, key);
        wrong_keys(spot, key->keys);
        break;
    case CONF_LIST:
    case CONF_DICT:
        wrong_count(spot, key);
        wrong_item(spot, key);
        break;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

START_TEST(every_key_set_wrong_in_every_way_has_a_message_of_its_own)
{
    static const struct spot top = {.open = "", .close = "", .path = ""};
    n_messages = 0;
    wrong_keys(&top, serve_schema);
    printf("%zu messages\n", n_messages);
    ck_assert_uint_gt(n_messages, 800);
    qsort(messages, n_messages, sizeof messages[0], by_text);
    for (size_t i = 0; i < n_messages; i++) {
        ck_assert_msg(strncmp(messages[i], "f:1:", 4) == 0 ||
                          strcmp(messages[i], "there are more mistakes") == 0,
                      "no line: %s", messages[i]);
        free(messages[i]);
    }
}
END_TEST

/* ---- the schema itself ---- */

static void sound_key(const struct conf_key *key)
{
    uint64_t number;
    if (key->standard != NULL && conf_kind_is_scalar(key)) {
        ck_assert_msg(conf_value_is_valid(key, key->standard, &number), "%s: default %s", key->name,
                      key->standard);
    }
    ck_assert(key->kind != CONF_MAP || key->keys != NULL);
    ck_assert((key->kind != CONF_LIST && key->kind != CONF_DICT) || key->item != NULL);
    ck_assert(key->check == NULL || key->expected != NULL);
    for (const struct conf_key *k = key->kind == CONF_MAP ? key->keys : NULL;
         k != NULL && k->name != NULL; k++) {
        ck_assert_msg(k->text != NULL && k->text[strlen(k->text) - 1] == '.', "%s says nothing",
                      k->name);
        sound_key(k);
    }
    if (key->item != NULL) {
        sound_key(key->item);
    }
}

START_TEST(every_key_has_a_text_and_a_default_that_is_valid)
{
    struct conf_key top = {.name = "", .kind = CONF_MAP, .keys = serve_schema};
    sound_key(&top);
}
END_TEST

START_TEST(nothing_said_is_a_configuration)
{
    struct conf *conf = conf_new(serve_schema);
    ck_assert(conf_end(conf));
    ck_assert_uint_eq(conf_number(conf_root(conf), "server.idle"), 75000);
    ck_assert_str_eq(conf_text(conf_root(conf), "access_log.to"), "off");
    ck_assert_ptr_null(conf_get(conf_root(conf), "routes"));
    conf_free(conf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serve_schema");
    TCase *tcase = tcase_create("schema");
    tcase_add_test(tcase, every_key_set_wrong_in_every_way_has_a_message_of_its_own);
    tcase_add_test(tcase, every_key_has_a_text_and_a_default_that_is_valid);
    tcase_add_test(tcase, nothing_said_is_a_configuration);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
