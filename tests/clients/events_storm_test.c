/* events_storm_test.c - a topic and its subscribers in a storm: a seed decides who comes, goes and
 * comes back, how long events are and how much credit there is. Whatever it decides, everybody gets
 * whole events, in order, none twice, and who blocks gets all of them. */
#include "engine_rig.h"

#include <stdio.h>

enum {
    SEEDS = 150,
    STEPS = 150,
    SLOTS = 4,
    FIRST = 100,
    GOT_MAX = 1 << 18,
    EVENT_MAX = 2048,
    KEPT = 8,
    PLENTY = 1 << 20,
};

/* One client: what it got since it last came, and what it saw last of all. */
struct slot {
    bool is_open;
    struct px_request request;
    px_handle to;
    struct px_events_config config;
    uint32_t first, seen; /* numbers of events; 0: none */
    bool missed;
    size_t len;
    char got[GOT_MAX];
};

static struct rig rig;
static struct px_topic *topic;
static struct slot slots[SLOTS];
static uint32_t seed, chance, published;
static struct px_request last;

static uint32_t pick(uint32_t below)
{
    chance = chance * 1664525u + 1013904223u;
    return (chance >> 8) % below;
}

#define must(cond) ck_assert_msg((cond), "seed %u: %s", seed, #cond)

/* Event `n` as it is sent: its length and its lines depend on the number alone. */
static size_t event_text(uint32_t n, char *ret, size_t *ret_data_len, char *ret_data)
{
    size_t lines = n % 3, width = n * 37 % 500, data = 0;
    int len = snprintf(ret, EVENT_MAX, "id: %u\n", n);
    for (size_t i = 0; i <= lines; i++) {
        len += snprintf(ret + len, EVENT_MAX - (size_t)len, "data: ");
        memset(ret + len, 'a' + (int)i, width);
        memset(ret_data + data, 'a' + (int)i, width);
        len += (int)width;
        data += width;
        ret[len++] = '\n';
        ret_data[data++] = '\n';
    }
    ret[len++] = '\n';
    *ret_data_len = data - 1;
    return (size_t)len;
}

static void publish(void)
{
    char text[EVENT_MAX], data[EVENT_MAX], id[16];
    size_t data_len;
    event_text(published + 1, text, &data_len, data);
    snprintf(id, sizeof id, "%u", published + 1);
    enum px_sent sent =
        px_topic_publish(topic, &(struct px_event){.id = id, .data = data, .data_len = data_len});
    must(sent == PX_SENT_OK || sent == PX_SENT_FULL);
    published += sent == PX_SENT_OK ? 1 : 0;
}

static void on_events(struct px_request request, void *arg)
{
    struct slot *s = arg;
    last = request;
    ck_assert_int_eq(px_events_begin(request, &s->config), PX_EOK);
    ck_assert_int_eq(px_topic_subscribe(topic, request, &s->missed), PX_EOK);
}

/* What has arrived goes to its slot. */
static void collect(void)
{
    sim_settle(rig.sim);
    while (px_test_recorded(rig.world, "h1") > 0) {
        const struct px_slice *slices;
        const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_DATA);
        struct slot *s = &slots[msg->tag - FIRST];
        uint32_t n = px_msg_payload(msg, &slices);
        for (uint32_t i = 0; i < n; i++) {
            must(s->len + slices[i].len < GOT_MAX);
            memcpy(s->got + s->len, slices[i].ptr, slices[i].len);
            s->len += slices[i].len;
            s->got[s->len] = '\0';
        }
    }
}

static void come(uint32_t i)
{
    struct slot *s = &slots[i];
    char id[16], path[16];
    s->config = (struct px_events_config){
        .policy = pick(3), .queue_max = 512 * (1 + pick(4)), .keep_alive_ms = UINT32_MAX};
    s->first = s->seen;
    s->len = 0;
    snprintf(id, sizeof id, "%u", s->seen);
    snprintf(path, sizeof path, "/%u", i);
    engine_ask(&rig, (struct ask){.path = path,
                                  .requester = FIRST + i,
                                  .credit = pick(3000),
                                  .fields = {{s->seen == 0 ? NULL : "Last-Event-ID", id}}});
    const struct px_msg *msg = sim_expect(rig.world, "h1", REQUESTER_RESPOND);
    s->to = ((const Http__Response *)msg->body)->responder;
    s->request = last;
    s->is_open = true;
}

/* Everything a client got since it came are whole events but for the last, which may be cut. */
static void check(struct slot *s, bool cut)
{
    size_t at = 0;
    uint32_t n_got = 0, before = s->first;
    while (at < s->len) {
        char text[EVENT_MAX], data[EVENT_MAX];
        size_t data_len;
        unsigned n = 0;
        bool whole = sscanf(s->got + at, "id: %u\n", &n) == 1 && n <= published;
        size_t len = whole ? event_text(n, text, &data_len, data) : 0;
        if (!whole || len > s->len - at) {
            must(cut);
            break;
        }
        must(memcmp(s->got + at, text, len) == 0);
        must(n > before || (n_got == 0 && s->missed));
        must(n_got == 0 || n == before + 1 || s->config.policy != PX_EVENTS_BLOCK);
        must(n_got > 0 || s->first == 0 || s->missed || n == before + 1 ||
             s->config.policy == PX_EVENTS_DROP_OLDEST ||
             s->config.policy == PX_EVENTS_DROP_NEWEST);
        before = n;
        n_got++;
        at += len;
    }
    s->seen = n_got > 0 ? before : s->seen;
    struct px_events_counts counts;
    ck_assert_int_eq(px_events_count(s->request, &counts), PX_EOK);
    must(cut || counts.waiting == 0);
    must(cut || s->config.policy == PX_EVENTS_DROP_OLDEST || counts.taken == n_got);
}

static void go(uint32_t i, bool cut)
{
    check(&slots[i], cut);
    engine_say_ended(&rig, slots[i].to, PX_RESET);
    slots[i].is_open = false;
}

static void step(void)
{
    uint32_t i = pick(SLOTS);
    struct slot *s = &slots[i];
    switch (pick(6)) {
    case 0:
        if (s->is_open && pick(4) == 0) {
            go(i, true);
        } else if (!s->is_open) {
            come(i);
        }
        break;
    case 1:
    case 2:
        if (s->is_open) {
            engine_say_credit(&rig, s->to, 512 + pick(3000));
        }
        break;
    default:
        publish();
        break;
    }
    collect();
}

static void storm(void)
{
    memset(slots, 0, sizeof slots);
    published = 0;
    chance = seed;
    rig_start(&rig);
    for (uint32_t i = 0; i < SLOTS; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%u", i);
        ck_assert_int_eq(px_server_route(&rig.server, "GET", path, on_events, &slots[i]), PX_EOK);
    }
    struct px_topic_config keep = {.replay_max = KEPT};
    ck_assert_int_eq(px_topic_new(rig.system, &keep, &topic), PX_EOK);
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (slots[i].is_open) {
            engine_say_credit(&rig, slots[i].to, PLENTY);
            engine_say_credit(&rig, slots[i].to, PLENTY);
            collect();
            go(i, false);
        }
    }
    px_topic_free(topic);
    rig_end(&rig);
}

START_TEST(everybody_gets_whole_events_in_order_and_who_blocks_gets_all)
{
    const char *only = getenv("PX_SEED");
    uint32_t n_published = 0;
    for (seed = only == NULL ? 1 : (uint32_t)strtoul(only, NULL, 10);; seed++) {
        storm();
        n_published += published;
        if (only != NULL || seed == SEEDS) {
            break;
        }
    }
    ck_assert_uint_gt(n_published, 0);
    printf("%u events, last seed %u\n", n_published, seed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events_storm");
    TCase *tc = tcase_create("storm");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, everybody_gets_whole_events_in_order_and_who_blocks_gets_all);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
