/* pack_test.c - the short way of packing agrees with libprotobuf-c, for every message of the
 * contracts a link carries and for those that it leaves to libprotobuf-c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.pb-c.h"
#include "ktest.pb-c.h"
#include "net.pb-c.h"
#include "pack.h"
#include "stream.pb-c.h"

enum { ROUNDS = 3000, BYTES_MAX = 300, BUFFER = 65536, MEMBERS_MAX = 1024 };

static const ProtobufCMessageDescriptor *const types[] = {
    &http__request__descriptor,        &http__response__descriptor,
    &http__body_bytes__descriptor,     &http__exchange_credit__descriptor,
    &http__ended_exchange__descriptor, &http__none__descriptor,
    &stream__data_bytes__descriptor,   &stream__accepted_stream__descriptor,
    &stream__claim_stream__descriptor, &stream__adopt_stream__descriptor,
    &net__listen_at__descriptor,       &net__listener_stats__descriptor,
    &ktest__tree__descriptor, /* nested and repeated: not the short way */
};
enum { N_TYPES = sizeof types / sizeof types[0] };

static uint64_t seed;

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Numbers of every length. */
static uint64_t any_number(void)
{
    return chance() % 4 == 0 ? 0 : chance() >> chance() % 64;
}

static uint8_t bytes[MEMBERS_MAX];

/* Memory of a message with any values; its bytes are borrowed. */
static ProtobufCMessage *any_message(const ProtobufCMessageDescriptor *type)
{
    static _Alignas(16) uint8_t memory[4096];
    ProtobufCMessage *m = (ProtobufCMessage *)memory;
    ck_assert_uint_le(type->sizeof_message, sizeof memory);
    protobuf_c_message_init(type, m);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        void *at = memory + f->offset;
        if (f->label != PROTOBUF_C_LABEL_NONE) {
            continue;
        }
        switch ((int)f->type) {
        case PROTOBUF_C_TYPE_UINT32:
            *(uint32_t *)at = (uint32_t)any_number();
            break;
        case PROTOBUF_C_TYPE_BOOL:
            *(protobuf_c_boolean *)at = chance() % 2 == 0;
            break;
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64:
            *(uint64_t *)at = any_number();
            break;
        case PROTOBUF_C_TYPE_BYTES:
            *(ProtobufCBinaryData *)at = (ProtobufCBinaryData){chance() % BYTES_MAX, bytes};
            break;
        default:
            break;
        }
    }
    return m;
}

static void expect_same_bytes(const ProtobufCMessage *m, const uint8_t *wanted, size_t len)
{
    static uint8_t got[BUFFER];
    bool flat;
    ck_assert_uint_eq(px_pack_len(m, &flat), len);
    memset(got, 0xee, len + 1);
    px_pack(m, flat, got);
    ck_assert_mem_eq(got, wanted, len);
    ck_assert_uint_eq(got[len], 0xee);
}

/* In one go: the same bytes, or nothing; never a byte beyond the room. */
static void expect_short(const ProtobufCMessage *m, const uint8_t *wanted, size_t len)
{
    static uint8_t got[BUFFER];
    size_t room = chance() % 2 == 0 ? sizeof got - 1 : chance() % (len + 12);
    bool flat = false;
    (void)px_pack_len(m, &flat);
    got[room] = 0xa5;
    size_t n = px_pack_short(m, got, room);
    ck_assert_uint_eq(got[room], 0xa5);
    if (n == SIZE_MAX) {
        ck_assert(!flat || room < len + 11);
        return;
    }
    ck_assert(flat);
    ck_assert_uint_eq(n, len);
    ck_assert_mem_eq(got, wanted, len);
}

static void *heap_alloc(void *data, size_t len)
{
    size_t *left = data;
    if (*left == 0) {
        return NULL;
    }
    --*left;
    return malloc(len);
}

static void heap_free(void *data, void *mem)
{
    (void)data;
    free(mem);
}

static ProtobufCAllocator heap(size_t *allocations)
{
    return (ProtobufCAllocator){heap_alloc, heap_free, allocations};
}

static void prepare(int i)
{
    seed = UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)i;
    for (size_t k = 0; k < sizeof bytes; k++) {
        bytes[k] = (uint8_t)chance();
    }
}

START_TEST(what_it_writes_is_what_libprotobuf_c_writes_and_comes_back)
{
    static uint8_t wanted[BUFFER];
    const ProtobufCMessageDescriptor *type = types[_i];
    prepare(_i);
    for (int round = 0; round < ROUNDS; round++) {
        size_t allocations = SIZE_MAX;
        ProtobufCAllocator allocator = heap(&allocations);
        const ProtobufCMessage *m = any_message(type);
        size_t len = protobuf_c_message_pack(m, wanted);
        expect_same_bytes(m, wanted, len);
        expect_short(m, wanted, len);
        ProtobufCMessage *back = px_unpack(type, &allocator, len, wanted);
        ck_assert_ptr_nonnull(back);
        expect_same_bytes(back, wanted, len);
        protobuf_c_message_free_unpacked(back, &allocator);
    }
}
END_TEST

/* In an arena, as links use it: what fails leaves nothing to be freed. */
static struct {
    _Alignas(16) uint8_t memory[BUFFER];
    size_t used;
} arena;

static void *arena_alloc(void *data, size_t len)
{
    (void)data;
    size_t at = arena.used;
    if (len > sizeof arena.memory - at) {
        return NULL;
    }
    arena.used += (len + 15) & ~(size_t)15;
    return arena.memory + at;
}

static void arena_free(void *data, void *mem)
{
    (void)data;
    (void)mem;
}

/* The judgement of both on bytes that somebody changed. Ours is stricter: no number beyond 64 bits.
 */
START_TEST(what_it_takes_libprotobuf_c_takes_alike)
{
    static uint8_t packed[BUFFER], again[BUFFER];
    const ProtobufCMessageDescriptor *type = types[_i];
    ProtobufCAllocator allocator = {arena_alloc, arena_free, NULL};
    uint32_t taken = 0;
    prepare(_i);
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = protobuf_c_message_pack(any_message(type), packed);
        for (uint64_t n = chance() % 4; len > 0 && n > 0; n--) {
            packed[chance() % len] = (uint8_t)chance();
        }
        len -= len > 0 && chance() % 4 == 0 ? chance() % len : 0;
        ProtobufCMessage *theirs = protobuf_c_message_unpack(type, NULL, len, packed);
        arena.used = 0;
        ProtobufCMessage *ours = px_unpack(type, &allocator, len, packed);
        ck_assert_msg(ours == NULL || theirs != NULL, "seed %d, round %d", _i, round);
        if (ours != NULL && theirs->n_unknown_fields == 0) {
            taken++;
            expect_same_bytes(ours, again, protobuf_c_message_pack(theirs, again));
        }
        if (theirs != NULL) {
            protobuf_c_message_free_unpacked(theirs, NULL);
        }
    }
    ck_assert_uint_gt(taken, ROUNDS / 10);
}
END_TEST

START_TEST(unknown_fields_are_left_out)
{
    /* field 9 of every wire type, then a fin */
    static const uint8_t packed[] = {0x48, 0x85, 0x01, 0x49, 1,    2, 3, 4, 5, 6,    7, 8,
                                     0x4a, 2,    'h',  'i',  0x4d, 1, 2, 3, 4, 0x08, 1};
    ProtobufCAllocator allocator = {arena_alloc, arena_free, NULL};
    arena.used = 0;
    const Stream__DataBytes *m = (const Stream__DataBytes *)px_unpack(
        &stream__data_bytes__descriptor, &allocator, sizeof packed, packed);
    ck_assert_ptr_nonnull(m);
    ck_assert(m->fin);
    ck_assert_uint_eq(m->base.n_unknown_fields, 0);
}
END_TEST

START_TEST(what_is_malformed_is_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x00\x01", 2},                                          /* field 0 */
        {"\x08", 1},                                              /* no value */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* 11 bytes of a number */
        {"\x0a\x01x", 3},                                         /* bytes for a flag */
        {"\x4a\x05hi", 4},                                        /* too short */
        {"\x4f", 1},                                              /* no such wire type */
        {"\x4a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},         /* a length beyond all */
    };
    ProtobufCAllocator allocator = {arena_alloc, arena_free, NULL};
    arena.used = 0;
    ck_assert_ptr_null(px_unpack(&stream__data_bytes__descriptor, &allocator, bad[_i].len,
                                 (const uint8_t *)bad[_i].bytes));
}
END_TEST

START_TEST(without_memory_it_takes_nothing)
{
    static uint8_t packed[BUFFER];
    ProtobufCAllocator allocator = {arena_alloc, arena_free, NULL};
    Stream__AdoptStream m = STREAM__ADOPT_STREAM__INIT;
    m.provider = m.head = (ProtobufCBinaryData){10, bytes};
    size_t len = stream__adopt_stream__pack(&m, packed);
    arena.used =
        sizeof arena.memory - (_i == 0 ? 0 : sizeof m + 16); /* room for the struct alone */
    ck_assert_ptr_null(px_unpack(&stream__adopt_stream__descriptor, &allocator, len, packed));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack");
    TCase *tcase = tcase_create("all");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_it_writes_is_what_libprotobuf_c_writes_and_comes_back, 0,
                        N_TYPES);
    tcase_add_loop_test(tcase, what_it_takes_libprotobuf_c_takes_alike, 0, N_TYPES);
    tcase_add_test(tcase, unknown_fields_are_left_out);
    tcase_add_loop_test(tcase, what_is_malformed_is_refused, 0, 7);
    tcase_add_loop_test(tcase, without_memory_it_takes_nothing, 0, 2);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
