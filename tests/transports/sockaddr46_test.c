/* sockaddr46_test.c - addresses as text and bytes. */
#include <check.h>
#include <net/if.h>
#include <px/sockaddr46.h>
#include <stdlib.h>
#include <string.h>

static union px_sockaddr46 addr_of(const char *text)
{
    union px_sockaddr46 addr;
    ck_assert_msg(px_sockaddr46_parse(text, strlen(text), &addr) == PX_EOK, "%s", text);
    return addr;
}

static union px_sockaddr46 addr_port(const char *text)
{
    union px_sockaddr46 addr;
    ck_assert_msg(px_sockaddr46_parse_port(text, strlen(text), &addr) == PX_EOK, "%s", text);
    return addr;
}

static void expect_text(const char *text, const char *printed)
{
    char got[PX_SOCKADDR46_TEXT_MAX];
    union px_sockaddr46 addr = addr_of(text);
    size_t len = px_sockaddr46_print(&addr, got, sizeof got);
    ck_assert_str_eq(got, printed);
    ck_assert_uint_eq(len, strlen(printed));
}

static void expect_bad(const char *text)
{
    union px_sockaddr46 addr = {.sa.sa_family = 77};
    uint8_t bytes[16];
    size_t len = 99;
    ck_assert_msg(px_sockaddr46_parse(text, strlen(text), &addr) == PX_EINVAL, "%s", text);
    ck_assert_msg(px_sockaddr46_parse_bytes(text, strlen(text), bytes, &len) == PX_EINVAL, "%s",
                  text);
    ck_assert_uint_eq(addr.sa.sa_family, 77); /* untouched */
    ck_assert_uint_eq(len, 99);
}

START_TEST(v4_addresses_are_read_and_written)
{
    expect_text("0.0.0.0", "0.0.0.0");
    expect_text("127.0.0.1", "127.0.0.1");
    expect_text("255.255.255.255", "255.255.255.255");
    expect_text("10.200.3.49", "10.200.3.49");
}
END_TEST

START_TEST(odd_v4_forms_are_refused)
{
    const char *bad[] = {"",           "1",        "127.1",    "1.2.3",      "1.2.3.4.5",
                         "1.2.3.256",  "01.2.3.4", "1.2.3.04", "0x7f.0.0.1", "1.2.3.4 ",
                         " 1.2.3.4",   "1..3.4",   ".1.2.3.4", "1.2.3.4.",   "1.2.3.-4",
                         "1.2.3.4000", "1,2,3,4",  "a.b.c.d",  "2130706433"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_bad(bad[i]);
    }
}
END_TEST

START_TEST(v6_addresses_are_written_as_rfc_5952_says)
{
    expect_text("::", "::");
    expect_text("::1", "::1");
    expect_text("1::", "1::");
    expect_text("2001:db8::1", "2001:db8::1");
    expect_text("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a");
    expect_text("2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"); /* the first run */
    expect_text("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* one group is none */
    expect_text("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");          /* the longest run */
    expect_text("0:0:1:2:3:4:5:6", "::1:2:3:4:5:6");
    expect_text("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::");
    expect_text("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    expect_text("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8");
    expect_text("ff02::1", "ff02::1");
    expect_text("::ffff:192.0.2.1", "::ffff:192.0.2.1");
    expect_text("::ffff:c000:201", "::ffff:192.0.2.1");
    expect_text("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
    expect_text("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304");
}
END_TEST

START_TEST(odd_v6_forms_are_refused)
{
    const char *bad[] = {":",
                         ":::",
                         "1:",
                         ":1",
                         "1::2::3",
                         "1:::2",
                         "12345::",
                         "g::",
                         "1:2:3:4:5:6:7",
                         "1:2:3:4:5:6:7:8:9",
                         "1:2:3:4:5:6:7:8::",
                         "::1:2:3:4:5:6:7:8",
                         "1:2:3:4::5:6:7:8",
                         "::1.2.3",
                         "::1.2.3.4.5",
                         "::1.2.3.256",
                         "::01.2.3.4",
                         "::1.2.3.4:5",
                         "1:2:3:4:5:6:7:1.2.3.4",
                         "1.2.3.4::",
                         "[::1]",
                         "::1 ",
                         "::1/64"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_bad(bad[i]);
    }
    ck_assert_int_eq(px_sockaddr46_parse("::1\0", 4, &(union px_sockaddr46){.sa.sa_family = 0}),
                     PX_EINVAL);
}
END_TEST

START_TEST(zones_are_names_or_numbers)
{
    union px_sockaddr46 addr = addr_of("fe80::1%1");
    ck_assert_uint_eq(addr.in6.sin6_scope_id, 1);
    expect_text("fe80::1%1", "fe80::1%1");
    addr = addr_of("fe80::1%lo");
    ck_assert_uint_eq(addr.in6.sin6_scope_id, if_nametoindex("lo"));
    ck_assert_int_eq(px_sockaddr46_parse("fe80::1%nosuchif", 16, &addr), PX_ENOENT);
    ck_assert_int_eq(px_sockaddr46_parse("fe80::1%", 8, &addr), PX_EINVAL);
    ck_assert_int_eq(px_sockaddr46_parse("fe80::1%0", 9, &addr), PX_ENOENT);
    ck_assert_int_eq(px_sockaddr46_parse("fe80::1%1x", 10, &addr), PX_EINVAL);
    ck_assert_int_eq(px_sockaddr46_parse("1.2.3.4%1", 9, &addr), PX_EINVAL);
}
END_TEST

START_TEST(ports_stand_behind_a_colon)
{
    union px_sockaddr46 addr = addr_port("192.0.2.1:80");
    char text[PX_SOCKADDR46_TEXT_MAX];
    ck_assert_uint_eq(px_sockaddr46_port(&addr), 80);
    ck_assert_int_eq(addr.sa.sa_family, AF_INET);
    px_sockaddr46_print_port(&addr, text, sizeof text);
    ck_assert_str_eq(text, "192.0.2.1:80");
    addr = addr_port("[2001:db8::1]:65535");
    ck_assert_uint_eq(px_sockaddr46_port(&addr), 65535);
    px_sockaddr46_print_port(&addr, text, sizeof text);
    ck_assert_str_eq(text, "[2001:db8::1]:65535");
    addr = addr_port("[fe80::1%1]:0");
    ck_assert_uint_eq(addr.in6.sin6_scope_id, 1);
}
END_TEST

START_TEST(odd_ports_are_refused)
{
    const char *bad[] = {"",           ":80",         "1.2.3.4",    "1.2.3.4:",    "1.2.3.4:65536",
                         "1.2.3.4:-1", "1.2.3.4:080", "1.2.3.4:8x", "1.2.3.4: 80", "1.2.3.4:100000",
                         "::1:80",     "[::1]",       "[::1]80",    "[::1]:",      "[1.2.3.4]:80",
                         "[::1:80",    "[]:80"};
    union px_sockaddr46 addr;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(px_sockaddr46_parse_port(bad[i], strlen(bad[i]), &addr) == PX_EINVAL, "%s",
                      bad[i]);
    }
}
END_TEST

START_TEST(text_becomes_bytes_and_their_number)
{
    uint8_t bytes[16];
    size_t len = 0;
    ck_assert_int_eq(px_sockaddr46_parse_bytes("1.2.3.4", 7, bytes, &len), PX_EOK);
    ck_assert_uint_eq(len, 4);
    ck_assert_mem_eq(bytes, "\1\2\3\4", 4);
    ck_assert_int_eq(px_sockaddr46_parse_bytes("102::304", 8, bytes, &len), PX_EOK);
    ck_assert_uint_eq(len, 16);
    ck_assert_mem_eq(bytes, "\1\2\0\0\0\0\0\0\0\0\0\0\0\0\3\4", 16);
}
END_TEST

START_TEST(bytes_become_an_address)
{
    union px_sockaddr46 addr;
    const uint8_t bytes[17] = {1, 2, 3, 4};
    ck_assert_int_eq(px_sockaddr46_from_bytes(bytes, 4, 5, &addr), PX_EOK);
    union px_sockaddr46 same = addr_port("1.2.3.4:5");
    ck_assert_int_eq(px_sockaddr46_compare(&addr, &same), 0);
    ck_assert_int_eq(px_sockaddr46_from_bytes(bytes, 16, 5, &addr), PX_EOK);
    same = addr_port("[102:304::]:5");
    ck_assert_int_eq(px_sockaddr46_compare(&addr, &same), 0);
    ck_assert_int_eq(px_sockaddr46_from_bytes(bytes, 0, 5, &addr), PX_EINVAL);
    ck_assert_int_eq(px_sockaddr46_from_bytes(bytes, 5, 5, &addr), PX_EINVAL);
    ck_assert_int_eq(px_sockaddr46_from_bytes(bytes, 17, 5, &addr), PX_EINVAL);
}
END_TEST

START_TEST(packing_and_unpacking_give_the_same)
{
    const char *text[] = {"192.0.2.1:80", "[2001:db8::1]:443"};
    const size_t lens[] = {6, 18};
    for (size_t i = 0; i < 2; i++) {
        uint8_t wire[PX_SOCKADDR46_WIRE_MAX];
        union px_sockaddr46 addr = addr_port(text[i]);
        union px_sockaddr46 back;
        ck_assert_uint_eq(px_sockaddr46_pack(&addr, wire), lens[i]);
        ck_assert_int_eq(px_sockaddr46_unpack(wire, lens[i], &back), PX_EOK);
        ck_assert_int_eq(px_sockaddr46_compare(&addr, &back), 0);
        ck_assert_int_eq(px_sockaddr46_unpack(wire, lens[i] - 1, &back), PX_EINVAL);
    }
    uint8_t wire[PX_SOCKADDR46_WIRE_MAX];
    union px_sockaddr46 mapped = addr_port("[::ffff:192.0.2.1]:80");
    ck_assert_uint_eq(px_sockaddr46_pack(&mapped, wire), 6);
    ck_assert_mem_eq(wire, "\xc0\0\2\1\0\x50", 6);
    union px_sockaddr46 none;
    memset(&none, 0, sizeof none);
    ck_assert_uint_eq(px_sockaddr46_pack(&none, wire), 0);
}
END_TEST

START_TEST(no_address_is_a_dash_without_port_or_length)
{
    union px_sockaddr46 none;
    char text[PX_SOCKADDR46_TEXT_MAX];
    memset(&none, 0, sizeof none);
    ck_assert_uint_eq(px_sockaddr46_print(&none, text, sizeof text), 1);
    ck_assert_str_eq(text, "-");
    ck_assert_uint_eq(px_sockaddr46_print_port(&none, text, sizeof text), 1);
    ck_assert_uint_eq(px_sockaddr46_len(&none), 0);
    px_sockaddr46_set_port(&none, 80);
    ck_assert_uint_eq(px_sockaddr46_port(&none), 0);
}
END_TEST

START_TEST(comparing_is_a_total_order)
{
    const char *ordered[] = {"1.2.3.4:5",     "1.2.3.4:6",     "1.2.3.5:1",   "9.0.0.0:0",
                             "200.0.0.0:0",   "[::]:0",        "[::1]:9",     "[::2]:0",
                             "[fe80::1%1]:7", "[fe80::1%2]:0", "[fe80::2]:0", "[ff00::]:1"};
    size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            union px_sockaddr46 a = addr_port(ordered[i]);
            union px_sockaddr46 b = addr_port(ordered[j]);
            int r = px_sockaddr46_compare(&a, &b);
            ck_assert_msg((r < 0) == (i < j) && (r > 0) == (i > j), "%s %s", ordered[i],
                          ordered[j]);
        }
    }
}
END_TEST

START_TEST(the_same_host_may_have_other_ports)
{
    union px_sockaddr46 a = addr_port("1.2.3.4:5");
    union px_sockaddr46 b = addr_port("1.2.3.4:6");
    union px_sockaddr46 c = addr_port("1.2.3.5:5");
    ck_assert(px_sockaddr46_same_host(&a, &b));
    ck_assert(!px_sockaddr46_same_host(&a, &c));
}
END_TEST

static bool in_prefix(const char *text, const char *prefix_text)
{
    union px_sockaddr46 prefix;
    uint32_t bits = 0;
    union px_sockaddr46 addr = addr_of(text);
    ck_assert_msg(px_sockaddr46_parse_prefix(prefix_text, strlen(prefix_text), &prefix, &bits) ==
                      PX_EOK,
                  "%s", prefix_text);
    return px_sockaddr46_in_prefix(&addr, &prefix, bits);
}

START_TEST(prefixes_match_whole_and_broken_bytes)
{
    ck_assert(in_prefix("10.1.2.3", "10.0.0.0/8"));
    ck_assert(!in_prefix("11.1.2.3", "10.0.0.0/8"));
    ck_assert(in_prefix("10.1.2.3", "0.0.0.0/0"));
    ck_assert(in_prefix("10.1.2.3", "10.1.2.3/32"));
    ck_assert(!in_prefix("10.1.2.2", "10.1.2.3/32"));
    ck_assert(in_prefix("172.31.255.255", "172.16.0.0/12"));
    ck_assert(!in_prefix("172.32.0.0", "172.16.0.0/12"));
    ck_assert(in_prefix("2001:db8:8000::1", "2001:db8:8000::/33"));
    ck_assert(!in_prefix("2001:db8::1", "2001:db8:8000::/33"));
    ck_assert(in_prefix("::1", "::1/128"));
    ck_assert(!in_prefix("::3", "::2/128"));
}
END_TEST

START_TEST(prefixes_of_another_family_never_match)
{
    ck_assert(!in_prefix("10.1.2.3", "::/0"));
    ck_assert(!in_prefix("::1", "0.0.0.0/0"));
    ck_assert(in_prefix("::ffff:10.1.2.3", "10.0.0.0/8"));
    ck_assert(in_prefix("::ffff:10.1.2.3", "::ffff:10.0.0.0/104"));
    ck_assert(in_prefix("10.1.2.3", "::ffff:10.0.0.0/104"));
    ck_assert(!in_prefix("::ffff:11.1.2.3", "::ffff:10.0.0.0/104"));
    union px_sockaddr46 a = addr_of("10.0.0.0");
    ck_assert(!px_sockaddr46_in_prefix(&a, &a, 33)); /* more bits than there are */
    ck_assert(px_sockaddr46_in_prefix(&a, &a, 32));
}
END_TEST

START_TEST(odd_prefixes_are_refused)
{
    const char *bad[] = {"10.0.0.0", "10.0.0.0/",   "10.0.0.0/33", "10.0.0.1/8", "::/129",
                         "::1/127",  "10.0.0.0/08", "10.0.0.0/-1", "/8",         "10.0.0.0/8 ",
                         ""};
    union px_sockaddr46 addr;
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(px_sockaddr46_parse_prefix(bad[i], strlen(bad[i]), &addr, &bits) == PX_EINVAL,
                      "%s", bad[i]);
    }
}
END_TEST

START_TEST(mapping_and_unmapping_keep_the_port)
{
    union px_sockaddr46 addr = addr_port("192.0.2.1:80");
    char text[PX_SOCKADDR46_TEXT_MAX];
    px_sockaddr46_map(&addr);
    ck_assert(px_sockaddr46_is_mapped(&addr));
    px_sockaddr46_print_port(&addr, text, sizeof text);
    ck_assert_str_eq(text, "[::ffff:192.0.2.1]:80");
    px_sockaddr46_map(&addr); /* stays */
    px_sockaddr46_unmap(&addr);
    px_sockaddr46_print_port(&addr, text, sizeof text);
    ck_assert_str_eq(text, "192.0.2.1:80");
    px_sockaddr46_unmap(&addr); /* stays */
    ck_assert_int_eq(addr.sa.sa_family, AF_INET);
    addr = addr_port("[::1]:80");
    px_sockaddr46_unmap(&addr);
    ck_assert_int_eq(addr.sa.sa_family, AF_INET6);
}
END_TEST

START_TEST(every_printed_address_reads_back)
{
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[16];
        for (size_t j = 0; j < 16; j++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bytes[j] = (seed >> 61) < 5 ? 0 : (uint8_t)(seed >> 40); /* many zeros */
        }
        union px_sockaddr46 addr;
        union px_sockaddr46 back;
        char text[PX_SOCKADDR46_TEXT_MAX];
        ck_assert_int_eq(px_sockaddr46_from_bytes(bytes, 16, (uint16_t)i, &addr), PX_EOK);
        size_t len = px_sockaddr46_print_port(&addr, text, sizeof text);
        ck_assert_int_eq(px_sockaddr46_parse_port(text, len, &back), PX_EOK);
        ck_assert_msg(px_sockaddr46_compare(&addr, &back) == 0, "%s", text);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        v4_addresses_are_read_and_written,
        odd_v4_forms_are_refused,
        v6_addresses_are_written_as_rfc_5952_says,
        odd_v6_forms_are_refused,
        zones_are_names_or_numbers,
        ports_stand_behind_a_colon,
        odd_ports_are_refused,
        text_becomes_bytes_and_their_number,
        bytes_become_an_address,
        packing_and_unpacking_give_the_same,
        no_address_is_a_dash_without_port_or_length,
        comparing_is_a_total_order,
        the_same_host_may_have_other_ports,
        prefixes_match_whole_and_broken_bytes,
        prefixes_of_another_family_never_match,
        odd_prefixes_are_refused,
        mapping_and_unmapping_keep_the_port,
        every_printed_address_reads_back,
    };
    Suite *suite = suite_create("sockaddr46");
    TCase *tcase = tcase_create("all");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
