/* bytes_test.c - the cursor and its writing twin. */
#include <px/bytes.h>

#include <check.h>
#include <stdlib.h>

static const uint8_t eleven[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static struct px_bytes eleven_bytes(void)
{
    return px_bytes_of(eleven, sizeof eleven);
}

START_TEST(numbers_are_read_in_both_byte_orders)
{
    struct px_bytes in = eleven_bytes();
    ck_assert_uint_eq(px_bytes_u8(&in), 0x01);
    ck_assert_uint_eq(px_bytes_u16be(&in), 0x0203);
    ck_assert_uint_eq(px_bytes_u32be(&in), 0x04050607);
    ck_assert_uint_eq(px_bytes_u24be(&in), 0x08090a);
    in = eleven_bytes();
    ck_assert_uint_eq(px_bytes_u64be(&in), 0x0102030405060708);
    in = eleven_bytes();
    ck_assert_uint_eq(px_bytes_u16le(&in), 0x0201);
    ck_assert_uint_eq(px_bytes_u32le(&in), 0x06050403);
    in = eleven_bytes();
    ck_assert_uint_eq(px_bytes_u64le(&in), 0x0807060504030201);
    ck_assert(!in.failed);
    ck_assert_uint_eq(px_bytes_left(&in), 3);
}
END_TEST

START_TEST(what_is_not_there_reads_as_zero_and_fails_for_good)
{
    struct px_bytes in = eleven_bytes();
    px_bytes_skip(&in, 9);
    ck_assert_uint_eq(px_bytes_u32be(&in), 0);
    ck_assert(in.failed);
    ck_assert_uint_eq(px_bytes_left(&in), 0);
    ck_assert_uint_eq(px_bytes_u8(&in), 0);
    ck_assert_uint_eq(px_bytes_u64le(&in), 0);
    ck_assert(in.failed);
}
END_TEST

START_TEST(everything_can_be_taken_and_one_more_cannot)
{
    struct px_bytes in = eleven_bytes();
    struct px_span all = px_bytes_take(&in, sizeof eleven);
    ck_assert_ptr_eq(all.ptr, eleven);
    ck_assert_uint_eq(all.len, sizeof eleven);
    ck_assert(!in.failed);
    in = eleven_bytes();
    ck_assert_uint_eq(px_bytes_take(&in, sizeof eleven + 1).len, 0);
    ck_assert(in.failed);
    in = eleven_bytes();
    px_bytes_skip(&in, SIZE_MAX);
    ck_assert(in.failed);
}
END_TEST

START_TEST(an_empty_cursor_without_memory_is_valid)
{
    struct px_bytes in = px_bytes_of(NULL, 0);
    ck_assert_uint_eq(px_bytes_left(&in), 0);
    ck_assert_uint_eq(px_bytes_take(&in, 0).len, 0);
    ck_assert(!in.failed);
    ck_assert_int_eq(px_bytes_peek(&in, 0), -1);
    ck_assert_uint_eq(px_bytes_u8(&in), 0);
    ck_assert(in.failed);
}
END_TEST

START_TEST(peeking_takes_nothing_and_sees_no_further_than_the_end)
{
    struct px_bytes in = eleven_bytes();
    ck_assert_int_eq(px_bytes_peek(&in, 0), 1);
    ck_assert_int_eq(px_bytes_peek(&in, 10), 11);
    ck_assert_int_eq(px_bytes_peek(&in, 11), -1);
    ck_assert_int_eq(px_bytes_peek(&in, SIZE_MAX), -1);
    ck_assert_uint_eq(px_bytes_left(&in), sizeof eleven);
    ck_assert(!in.failed);
}
END_TEST

START_TEST(a_sub_cursor_ends_where_it_was_told)
{
    struct px_bytes in = eleven_bytes();
    struct px_bytes sub = px_bytes_sub(&in, 3);
    ck_assert_uint_eq(px_bytes_u16be(&sub), 0x0102);
    ck_assert_uint_eq(px_bytes_u16be(&sub), 0);
    ck_assert(sub.failed);
    ck_assert(!in.failed);
    ck_assert_uint_eq(px_bytes_u8(&in), 4);
    sub = px_bytes_sub(&in, 8);
    ck_assert(sub.failed);
    ck_assert(in.failed);
}
END_TEST

START_TEST(copying_too_much_leaves_the_target_alone)
{
    struct px_bytes in = eleven_bytes();
    uint8_t two[2] = {0x55, 0x55};
    px_bytes_copy(&in, two, 2);
    ck_assert_uint_eq(two[1], 2);
    px_bytes_skip(&in, 8);
    px_bytes_copy(&in, two, 2);
    ck_assert(in.failed);
    ck_assert_uint_eq(two[1], 2);
}
END_TEST

START_TEST(varints_come_back_as_they_went)
{
    static const uint64_t values[] = {0,     1,        127,        128,       16383,
                                      16384, 1u << 21, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t b[10];
        struct px_bytes_out out = px_bytes_out_of(b, sizeof b);
        px_bytes_put_varint(&out, values[i]);
        ck_assert(!out.overflow);
        ck_assert_uint_eq(px_bytes_out_len(&out), px_varint_len(values[i]));
        struct px_bytes in = px_bytes_of_span(px_bytes_out_span(&out));
        ck_assert_uint_eq(px_bytes_varint(&in), values[i]);
        ck_assert(!in.failed);
        ck_assert_uint_eq(px_bytes_left(&in), 0);
    }
}
END_TEST

static bool varint_fails(const char *text, size_t len)
{
    struct px_bytes in = px_bytes_of(text, len);
    return px_bytes_varint(&in) == 0 && in.failed;
}

START_TEST(a_varint_without_end_or_beyond_64_bits_fails)
{
    ck_assert(varint_fails("", 0));
    ck_assert(varint_fails("\x80", 1));
    ck_assert(varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9));
    ck_assert(varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
    ck_assert(varint_fails("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11));
    ck_assert(!varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
}
END_TEST

START_TEST(numbers_are_written_in_both_byte_orders)
{
    static const uint8_t expected[] = {1,    2,    3, 4, 5, 6, 7, 8,    9,    0x0a, 1,
                                       2,    3,    4, 5, 6, 7, 8, 0x03, 0x02, 0x07, 0x06,
                                       0x05, 0x04, 8, 7, 6, 5, 4, 3,    2,    1};
    uint8_t b[sizeof expected];
    struct px_bytes_out out = px_bytes_out_of(b, sizeof b);
    px_bytes_put_u8(&out, 1);
    px_bytes_put_u16be(&out, 0x0203);
    px_bytes_put_u24be(&out, 0x040506);
    px_bytes_put_u32be(&out, 0x0708090a);
    px_bytes_put_u64be(&out, 0x0102030405060708);
    px_bytes_put_u16le(&out, 0x0203);
    px_bytes_put_u32le(&out, 0x04050607);
    px_bytes_put_u64le(&out, 0x0102030405060708);
    ck_assert(!out.overflow);
    ck_assert_uint_eq(px_bytes_out_room(&out), 0);
    ck_assert_mem_eq(b, expected, sizeof expected);
}
END_TEST

START_TEST(what_does_not_fit_is_not_begun_and_nothing_follows_it)
{
    uint8_t b[8] = {0};
    struct px_bytes_out out = px_bytes_out_of(b, 5);
    px_bytes_put_str(&out, "abc");
    px_bytes_put_u32be(&out, UINT32_MAX);
    ck_assert(out.overflow);
    ck_assert_uint_eq(px_bytes_out_len(&out), 3);
    px_bytes_put_u8(&out, 0xff);
    px_bytes_put_varint(&out, 300);
    ck_assert_ptr_null(px_bytes_out_reserve(&out, 1));
    ck_assert_uint_eq(px_bytes_out_len(&out), 3);
    ck_assert_mem_eq(b, "abc\0\0\0\0", 8);
}
END_TEST

START_TEST(a_writer_can_be_filled_to_the_last_place)
{
    uint8_t b[4];
    struct px_bytes_out out = px_bytes_out_of(b, sizeof b);
    px_bytes_put(&out, "abcd", 4);
    ck_assert(!out.overflow);
    ck_assert(px_span_equal_str(px_bytes_out_span(&out), "abcd"));
    px_bytes_put(&out, NULL, 0);
    ck_assert(!out.overflow);
    px_bytes_put_u8(&out, 'e');
    ck_assert(out.overflow);
}
END_TEST

START_TEST(spans_are_compared_by_what_they_hold)
{
    ck_assert(px_span_equal(px_span_of(NULL, 0), px_span_of("", 0)));
    ck_assert(px_span_equal_str(px_span_of("abc", 2), "ab"));
    ck_assert(!px_span_equal_str(px_span_of("abc", 3), "ab"));
    ck_assert(!px_span_equal_str(px_span_of("abc", 3), "abd"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, numbers_are_read_in_both_byte_orders);
    tcase_add_test(reading, what_is_not_there_reads_as_zero_and_fails_for_good);
    tcase_add_test(reading, everything_can_be_taken_and_one_more_cannot);
    tcase_add_test(reading, an_empty_cursor_without_memory_is_valid);
    tcase_add_test(reading, peeking_takes_nothing_and_sees_no_further_than_the_end);
    tcase_add_test(reading, a_sub_cursor_ends_where_it_was_told);
    tcase_add_test(reading, copying_too_much_leaves_the_target_alone);
    tcase_add_test(reading, varints_come_back_as_they_went);
    tcase_add_test(reading, a_varint_without_end_or_beyond_64_bits_fails);
    tcase_add_test(reading, spans_are_compared_by_what_they_hold);
    suite_add_tcase(suite, reading);
    TCase *writing = tcase_create("writing");
    tcase_add_test(writing, numbers_are_written_in_both_byte_orders);
    tcase_add_test(writing, what_does_not_fit_is_not_begun_and_nothing_follows_it);
    tcase_add_test(writing, a_writer_can_be_filled_to_the_last_place);
    suite_add_tcase(suite, writing);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
