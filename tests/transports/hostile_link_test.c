/* hostile_link_test.c - frames that are cut off, spoilt, or made to cost as much as they can: the
 * link ends or refuses them, and memory stays where it was. The far end is this test.
 */
#include "lane_rig.h"

#include <px/bytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "ktest.pb-c.h"
#include "ktest_contract.h"

enum { ROUNDS = 400, EMPTY_FIELDS = 1 << 19, MEMORY_MAX = 4 << 20, TALK_MAX = 1024 };

static unsigned seed;

static uint64_t memory(void)
{
    struct px_ledger ledger;
    px_kernel_ledger(sides[0].kernel, &ledger);
    return ledger.mem;
}

static void say_frame(int fd, struct px_frame_header header, const uint8_t *body)
{
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    px_frame_header_write(&header, bytes);
    raw_message(fd, PX_FRAME_HEADER_LEN + (uint64_t)header.body_len);
    raw_say(fd, bytes, sizeof bytes);
    raw_say(fd, body, header.body_len);
    rig_settle();
}

static struct px_frame_header header_to_alice(uint16_t method, uint8_t kind, uint64_t id)
{
    return (struct px_frame_header){.wire = {.mailbox = ALICE,
                                             .sender = BOB,
                                             .method = method,
                                             .id = id,
                                             .kind = kind,
                                             .has_body = true}};
}

static void expect_the_link_goes_on(int fd)
{
    uint32_t notes = sides[0].actor->notes;
    raw_note(fd, ALICE, BOB, 1, 10);
    rig_settle();
    ck_assert_uint_eq(sides[0].actor->notes, notes + 1);
    ck_assert_uint_eq(sides[0].ends, 0);
}

/* ---- bodies that unpack to much more than they are ---- */

static void fields_say(int fd, uint16_t method, uint8_t tag)
{
    uint8_t *body = malloc(2 * (size_t)EMPTY_FIELDS);
    ck_assert_ptr_nonnull(body);
    for (size_t i = 0; i < EMPTY_FIELDS; i++) {
        body[2 * i] = tag;
        body[2 * i + 1] = 0;
    }
    struct px_frame_header header = header_to_alice(method, PX_KIND_ONEWAY, 0);
    header.body_len = 2 * EMPTY_FIELDS; /* the longest body there is */
    say_frame(fd, header, body);
    free(body);
}

START_TEST(half_a_million_empty_messages_in_one_are_refused_and_memory_is_flat)
{
    int fd = rig_raw(true);
    raw_greet(fd);
    expect_the_link_goes_on(fd);
    uint64_t before = memory();
    for (uint32_t i = 1; i <= 4; i++) {
        fields_say(fd, TOY_SHOW, 2 << 3 | 2); /* Tree.leaves */
        ck_assert_uint_eq(rig_counter(0, "refused"), i);
        ck_assert_uint_le(memory(), before + MEMORY_MAX);
    }
    expect_the_link_goes_on(fd);
    rig_end();
}
END_TEST

START_TEST(half_a_million_empty_fields_are_one_number_and_memory_is_flat)
{
    int fd = rig_raw(true);
    raw_greet(fd);
    expect_the_link_goes_on(fd);
    uint64_t before = memory();
    uint32_t notes = sides[0].actor->notes;
    fields_say(fd, TOY_NOTE, 1 << 3);      /* Number.value, each time the same 0 */
    fields_say(fd, TOY_NOTE, 15 << 3 | 0); /* a field that nobody knows */
    ck_assert_uint_eq(sides[0].actor->notes, notes + 2);
    ck_assert_uint_eq(sides[0].actor->value, 0);
    ck_assert_uint_le(memory(), before + MEMORY_MAX);
    expect_the_link_goes_on(fd);
    rig_end();
}
END_TEST

/* ---- answers ---- */

START_TEST(a_second_answer_is_late_and_alice_hears_one)
{
    struct px_ledger ledger;
    int fd = rig_raw(true);
    raw_greet(fd);
    px_call_id call = rig_ask(0, 1, PX_SEC(5));
    rig_settle();
    struct px_frame_header reply = header_to_alice(TOY_ASK, PX_KIND_REPLY, call);
    static const uint8_t body[] = {1 << 3, 7};
    reply.body_len = sizeof body;
    say_frame(fd, reply, body);
    for (int i = 0; i < 100; i++) {
        say_frame(fd, reply, body);
    }
    ck_assert_uint_eq(sides[0].actor->replies, 1);
    ck_assert_uint_eq(sides[0].actor->answer, 7);
    px_kernel_ledger(sides[0].kernel, &ledger);
    ck_assert_uint_eq(ledger.late, 100);
    reply.wire.kind = PX_KIND_ITEM; /* nobody asked for items either */
    say_frame(fd, reply, body);
    ck_assert_uint_eq(sides[0].actor->replies, 1);
    expect_the_link_goes_on(fd);
    rig_end();
}
END_TEST

START_TEST(an_answer_that_cannot_be_read_ends_the_call)
{
    int fd = rig_raw(true);
    raw_greet(fd);
    px_call_id call = rig_ask(0, 1, PX_SEC(5));
    rig_settle();
    struct px_frame_header reply = header_to_alice(TOY_ASK, PX_KIND_REPLY, call);
    static const uint8_t body[] = {0xff, 0xff};
    reply.body_len = sizeof body;
    say_frame(fd, reply, body);
    ck_assert_uint_eq(sides[0].actor->replies, 1);
    ck_assert_int_eq(sides[0].actor->status, PX_INTERNAL);
    expect_the_link_goes_on(fd);
    rig_end();
}
END_TEST

/* ---- cut off and spoilt ---- */

/* A conversation of every kind of frame; its length. */
static size_t talk_make(uint8_t *ret, px_call_id call)
{
    static const uint8_t body[] = {1 << 3, 7};
    static const uint8_t kinds[] = {PX_KIND_ONEWAY, PX_KIND_CALL,  PX_KIND_REPLY, PX_KIND_ITEM,
                                    PX_KIND_ENDED,  PX_KIND_MORE,  PX_KIND_LOST,  PX_KIND_GONE,
                                    PX_KIND_BACK,   PX_KIND_ONEWAY};
    size_t len = 0;
    memcpy(ret, "\0SP\0\0\x11\0\0", 8);
    len = 8;
    for (size_t i = 0; i < sizeof kinds; i++) {
        bool with_body = kinds[i] <= PX_KIND_ITEM;
        bool about = kinds[i] == PX_KIND_GONE || kinds[i] == PX_KIND_BACK;
        uint64_t id = kinds[i] == PX_KIND_REPLY || kinds[i] == PX_KIND_ITEM ? call : 5;
        struct px_frame_header h =
            header_to_alice(i % 2 == 0 ? TOY_NOTE : TOY_ASK, kinds[i], about ? 0 : id);
        h.wire.method = about ? 0 : kinds[i] == PX_KIND_ONEWAY ? TOY_NOTE : TOY_ASK;
        h.wire.mailbox = about ? BOB : ALICE;
        h.wire.has_body = with_body;
        h.body_len = with_body ? sizeof body : 0;
        struct px_bytes_out out = px_bytes_out_of(ret + len, 13);
        px_bytes_put_u8(&out, 1);
        px_bytes_put_u64be(&out, 4 + PX_FRAME_HEADER_LEN + (uint64_t)h.body_len);
        px_bytes_put_u32be(&out, 1);
        px_frame_header_write(&h, ret + len + 13);
        memcpy(ret + len + 13 + PX_FRAME_HEADER_LEN, body, h.body_len);
        len += 13 + PX_FRAME_HEADER_LEN + h.body_len;
    }
    ck_assert_uint_le(len, TALK_MAX);
    return len;
}

START_TEST(wherever_the_conversation_is_cut_off_the_link_ends_once_and_calls_with_it)
{
    uint8_t talk[TALK_MAX];
    size_t len = SIZE_MAX;
    for (size_t cut = 0; cut < len; cut++) {
        int fd = rig_raw(true);
        px_call_id call = rig_ask(0, 1, PX_NEVER);
        rig_settle();
        len = talk_make(talk, call);
        raw_say(fd, talk, cut);
        rig_settle();
        ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
        rig_settle();
        ck_assert_uint_eq(sides[0].ends, 1);
        ck_assert_uint_eq(sides[0].actor->replies, 1);
        ck_assert_uint_eq(sides[0].actor->gone, sides[0].actor->back);
        rig_end();
    }
}
END_TEST

START_TEST(spoilt_bytes_end_the_link_or_are_refused)
{
    uint8_t talk[TALK_MAX];
    for (int i = 0; i < ROUNDS; i++) {
        int fd = rig_raw(true);
        px_call_id call = rig_ask(0, 1, PX_SEC(5));
        rig_settle();
        size_t len = talk_make(talk, call);
        for (int flips = 1 + rand_r(&seed) % 4; flips > 0; flips--) {
            talk[(size_t)rand_r(&seed) % len] ^= (uint8_t)(1u << rand_r(&seed) % 8);
        }
        uint64_t before = memory();
        raw_say(fd, talk, len);
        rig_settle();
        ck_assert_uint_le(sides[0].ends, 1);
        ck_assert_uint_le(memory(), before + MEMORY_MAX);
        rig_advance_us(PX_SEC(6));
        ck_assert_uint_eq(sides[0].actor->replies, 1); /* whatever came of it */
        rig_end();
    }
}
END_TEST

int main(void)
{
    seed = getenv("PX_SEED") == NULL ? (unsigned)time(NULL)
                                     : (unsigned)strtoul(getenv("PX_SEED"), NULL, 0);
    printf("PX_SEED=%u\n", seed);
    Suite *suite = suite_create("hostile_link");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, half_a_million_empty_messages_in_one_are_refused_and_memory_is_flat);
    tcase_add_test(tcase, half_a_million_empty_fields_are_one_number_and_memory_is_flat);
    tcase_add_test(tcase, a_second_answer_is_late_and_alice_hears_one);
    tcase_add_test(tcase, an_answer_that_cannot_be_read_ends_the_call);
    tcase_add_test(tcase,
                   wherever_the_conversation_is_cut_off_the_link_ends_once_and_calls_with_it);
    tcase_add_test(tcase, spoilt_bytes_end_the_link_or_are_refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
