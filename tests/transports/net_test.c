/* net_test.c - streams of the mailbox net over real sockets: bytes, credit, the ways to end. */
#include "net_rig.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* One accepted and claimed stream. */
static struct heard *one_stream(int *ret_far)
{
    *ret_far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    rig_turn();
    return h;
}

static void close_both(int far, struct heard *h)
{
    close(far);
    UNTIL(h->fins == 1);
    owner_close(&rig->owner, h, 0, 0);
    UNTIL(h->n_closed == 1);
}

/* ---- bytes ---- */

START_TEST(bytes_arrive_at_the_owner_and_at_the_far_end)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    ck_assert_uint_eq(h->listener, 7);
    ck_assert(!h->adopted);
    far_send(far, "ping");
    UNTIL(h->got == 4);
    ck_assert_mem_eq(h->bytes, "ping", 4);
    owner_send(&rig->owner, h, "pong", 4);
    far_expect(far, "pong");
    close_both(far, h);
    ck_assert_uint_eq(h->reason, PX_OK);
}
END_TEST

START_TEST(accepted_tells_both_ends)
{
    int far = -1;
    union px_sockaddr46 remote;
    union px_sockaddr46 local;
    char text[PX_SOCKADDR46_TEXT_MAX];
    struct heard *h = one_stream(&far);
    ck_assert_int_eq(px_sockaddr46_unpack(h->remote, h->remote_len, &remote), PX_EOK);
    ck_assert_int_eq(px_sockaddr46_unpack(h->local, h->local_len, &local), PX_EOK);
    px_sockaddr46_print(&remote, text, sizeof text);
    ck_assert_str_eq(text, "127.0.0.1");
    ck_assert_uint_eq(px_sockaddr46_port(&local), rig_port());
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    ck_assert_int_eq(getsockname(far, (struct sockaddr *)&in, &len), 0);
    ck_assert_uint_eq(px_sockaddr46_port(&remote), ntohs(in.sin_port));
    close_both(far, h);
}
END_TEST

START_TEST(pieces_of_one_turn_go_out_together)
{
    int far = -1;
    char got[16] = {0};
    struct heard *h = one_stream(&far);
    owner_send(&rig->owner, h, "one ", 4);
    owner_send(&rig->owner, h, "two ", 4);
    owner_send(&rig->owner, h, "three", 5);
    rig_turn();
    far_await(far);
    ck_assert_int_eq(recv(far, got, sizeof got, 0), 13);
    ck_assert_str_eq(got, "one two three");
    close_both(far, h);
}
END_TEST

START_TEST(a_stream_goes_through_many_more_bytes_than_its_windows)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    uint64_t sent = 0;
    rig->owner.echoes = true;
    static char block[50000];
    memset(block, 'x', sizeof block);
    uint64_t back = 0;
    while (back < 5000000) {
        ssize_t n = sent < 5000000 ? send(far, block, sizeof block, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (uint64_t)n : 0;
        rig_turn();
        while ((n = recv(far, block, sizeof block, 0)) > 0) {
            back += (uint64_t)n;
        }
    }
    UNTIL(h->got == sent);
    ck_assert_uint_eq(back + far_drain(far, sent - back), sent);
    ck_assert_uint_le(h->largest, 65536);
    rig->owner.echoes = false;
    close_both(far, h);
    ck_assert_uint_eq(h->reason, PX_OK);
}
END_TEST

/* Over a unix socket: what is sent is there at once, as much as the buffer that is asked for holds.
 * TCP takes less when the machine is short of memory for sockets, and shows a reader the rest bit
 * by bit, each with a notice of its own. */
START_TEST(what_one_read_does_not_take_is_read_without_further_notice)
{
    rig->owner.window = 4 << 20;
    int far = rig_unix_stream("@px-net-test-more");
    struct heard *h = rig->owner.streams[0];
    static char block[10000];
    const int room = 200000;
    uint64_t sent = 0;
    ck_assert_int_eq(setsockopt(far, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    while (sent <= 3 * 65536) { /* all of it is there before the first turn */
        ck_assert_int_eq(send(far, block, sizeof block, MSG_NOSIGNAL), sizeof block);
        sent += sizeof block;
    }
    UNTIL(h->got == sent);
    ck_assert_uint_eq(h->largest, 65536);
    ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
    UNTIL(h->fins == 1);
    close(far);
}
END_TEST

START_TEST(what_the_socket_does_not_take_goes_out_later)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    uint64_t sent = 0;
    /* As much as it grants, until it grants no more: the far end reads nothing. */
    for (int i = 0; i < 400; i++) {
        while (h->granted - sent >= 65536) {
            owner_send_large(&rig->owner, h, 65536, 'y');
            sent += 65536;
        }
        rig_turn();
    }
    ck_assert_uint_lt(h->granted - sent, 65536);
    ck_assert_uint_eq(far_drain(far, sent), sent);
    close_both(far, h);
}
END_TEST

START_TEST(an_outgoing_connection_carries_bytes_both_ways)
{
    struct heard *client = NULL;
    char target[64];
    snprintf(target, sizeof target, "127.0.0.1:%u", rig_listen());
    ck_assert_int_eq(rig_open(target, 65536, &client), PX_OK);
    ck_assert(client->opened);
    ck_assert_uint_eq(client->remote_len, 6);
    struct heard *server = rig_stream(&rig->owner, 1);
    owner_send(&rig->owner, client, "hello", 5);
    UNTIL(server->got == 5);
    owner_send(&rig->owner, server, "world", 5);
    UNTIL(client->got == 5);
    ck_assert_mem_eq(client->bytes, "world", 5);
    owner_close(&rig->owner, client, 0, 0);
    UNTIL(server->fins == 1);
    owner_close(&rig->owner, server, 0, 0);
    UNTIL(server->n_closed == 1 && client->n_closed == 1);
    ck_assert_uint_eq(server->reason, PX_OK);
    ck_assert_uint_eq(client->reason, PX_OK);
}
END_TEST

/* Is TCP_NODELAY set on the other socket of this process that belongs to the connection of `far`?
 */
static bool delay_is_off_opposite(int far)
{
    struct sockaddr_in here;
    struct sockaddr_in there;
    socklen_t len = sizeof here;
    ck_assert_int_eq(getsockname(far, (struct sockaddr *)&here, &len), 0);
    for (int fd = 3; fd < 100; fd++) {
        int on = 0;
        socklen_t on_len = sizeof on;
        len = sizeof there;
        if (fd != far && getpeername(fd, (struct sockaddr *)&there, &len) == 0 &&
            there.sin_family == AF_INET && there.sin_port == here.sin_port) {
            ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
            return on == 1;
        }
    }
    return false;
}

START_TEST(delay_is_off_for_what_is_accepted)
{
    int far = -1;
    (void)one_stream(&far);
    ck_assert(delay_is_off_opposite(far));
    close(far);
}
END_TEST

/* ---- credit ---- */

START_TEST(nothing_is_delivered_before_the_first_credit)
{
    rig->owner.window = 0;
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "early");
    rig_turns(5);
    ck_assert_uint_eq(h->got, 0);
    h->in = (struct px_credit_in){.window = 512, .outstanding = 512};
    owner_credit(&rig->owner, h, 512);
    UNTIL(h->got == 5);
    close(far);
}
END_TEST

START_TEST(no_more_is_delivered_than_there_is_credit_for)
{
    rig->owner.window = 1024;
    rig->owner.keeps_credit = true;
    int far = -1;
    struct heard *h = one_stream(&far);
    char text[4001];
    memset(text, 'c', 4000);
    text[4000] = 0;
    far_send(far, text);
    UNTIL(h->got == 1024);
    rig_turns(5);
    ck_assert_uint_eq(h->got, 1024);
    h->in.outstanding += 1511;
    owner_credit(&rig->owner, h, 511); /* less than the least charge: nothing */
    rig_turns(5);
    ck_assert_uint_eq(h->got, 1024);
    owner_credit(&rig->owner, h, 1000);
    UNTIL(h->got == 1024 + 1511);
    close(far);
}
END_TEST

START_TEST(a_short_message_costs_512)
{
    rig->owner.window = 1024;
    rig->owner.keeps_credit = true;
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "a");
    UNTIL(h->got == 1);
    far_send(far, "b");
    UNTIL(h->got == 2);
    far_send(far, "c");
    rig_turns(5);
    ck_assert_uint_eq(h->got, 2);
    close(far);
}
END_TEST

START_TEST(a_reset_is_noticed_without_credit)
{
    rig->owner.window = 512;
    rig->owner.keeps_credit = true;
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "first");
    UNTIL(h->got == 5);
    far_send(far, "second");
    rig_turns(3);
    far_reset(far);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_RESET);
}
END_TEST

START_TEST(a_stream_without_credit_makes_no_work)
{
    rig->owner.window = 512;
    rig->owner.keeps_credit = true;
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "first");
    UNTIL(h->got == 5);
    far_send(far, "second");
    rig_await();
    rig_turns(5);
    struct px_ledger before = rig_ledger();
    far_send(far, "third");
    rig_turns(5);
    ck_assert_uint_eq(rig_ledger().deliveries, before.deliveries);
    ck_assert_uint_eq(px_kernel_next_us(rig->kernel), PX_NEVER);
    close(far);
}
END_TEST

START_TEST(sending_beyond_the_credit_ends_the_stream)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 1024}),
                     PX_OK);
    int far = far_connect(rig_port());
    struct heard *h = rig_stream(&rig->owner, 0);
    UNTIL(h->granted == 1024);
    rig_turn();
    owner_send_large(&rig->owner, h, 1024, 'x'); /* at the limit: fine */
    owner_send_large(&rig->owner, h, 1, 'x');
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_PROTOCOL);
    ck_assert_uint_eq(rig_counter("protocol"), 1);
    close(far);
}
END_TEST

START_TEST(sent_bytes_come_back_as_credit)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 1024}),
                     PX_OK);
    int far = far_connect(rig_port());
    struct heard *h = rig_stream(&rig->owner, 0);
    rig_turn();
    for (int i = 0; i < 100; i++) {
        owner_send(&rig->owner, h, "0123456789", 10); /* charged 512 */
        far_expect(far, "0123456789");
        UNTIL(h->granted >= 1024 + (uint64_t)(i + 1) * 512);
    }
    close(far);
}
END_TEST

START_TEST(credit_of_nothing_is_a_breach)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_credit(&rig->owner, h, 0);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_PROTOCOL);
    close(far);
}
END_TEST

START_TEST(credit_beyond_2_to_the_30_is_a_breach)
{
    rig->owner.window = 1 << 30;
    rig->owner.keeps_credit = true;
    int far = -1;
    struct heard *h = one_stream(&far);
    rig_turn();
    ck_assert_uint_eq(h->n_closed, 0); /* at the limit: fine */
    owner_credit(&rig->owner, h, 1);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_PROTOCOL);
    close(far);
}
END_TEST

/* ---- ends ---- */

START_TEST(half_closing_leaves_the_other_direction_open)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_send(far, "question");
    ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
    UNTIL(h->fins == 1);
    ck_assert_uint_eq(h->got, 8);
    rig_turns(5);
    ck_assert_uint_eq(h->n_closed, 0);
    owner_send(&rig->owner, h, "answer", 6);
    owner_send_flags(&rig->owner, h, true, false, 0);
    far_expect(far, "answer");
    far_expect_fin(far);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_OK);
    ck_assert_uint_eq(h->fins, 1);
    close(far);
}
END_TEST

START_TEST(our_fin_leaves_the_far_end_free_to_send)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_flags(&rig->owner, h, true, false, 0);
    far_expect_fin(far);
    far_send(far, "still here");
    UNTIL(h->got == 10);
    ck_assert_uint_eq(h->n_closed, 0);
    close(far);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_OK);
    ck_assert_uint_eq(h->fins, 1);
}
END_TEST

START_TEST(data_behind_our_fin_is_a_breach)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_flags(&rig->owner, h, true, false, 0);
    owner_send(&rig->owner, h, "late", 4);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_PROTOCOL);
    close(far);
}
END_TEST

START_TEST(a_reset_by_the_far_end_closes_with_reset)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    far_reset(far);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_RESET);
    ck_assert_uint_eq(rig_counter("resets"), 1);
}
END_TEST

START_TEST(a_reset_by_the_owner_reaches_the_far_end)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send(&rig->owner, h, "never sent", 10);
    owner_reset(&rig->owner, h);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_CANCELLED);
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(messages_to_a_closed_stream_change_nothing)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_reset(&rig->owner, h);
    owner_reset(&rig->owner, h);
    owner_send(&rig->owner, h, "late", 4);
    owner_credit(&rig->owner, h, 1000);
    owner_close(&rig->owner, h, 0, 0);
    UNTIL(h->n_closed == 1);
    rig_turns(3);
    ck_assert_uint_eq(h->n_closed, 1);
    ck_assert_uint_eq(rig_counter("stale"), 4);
    close(far);
}
END_TEST

/* ---- lingering ---- */

START_TEST(close_sends_what_is_queued_and_then_fin)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_large(&rig->owner, h, 200000, 'z');
    owner_close(&rig->owner, h, 0, 0);
    ck_assert_uint_eq(far_drain(far, 200000), 200000);
    far_expect_fin(far);
    ck_assert_uint_eq(h->n_closed, 0);
    close(far);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_OK);
}
END_TEST

START_TEST(what_arrives_after_close_is_discarded_without_credit)
{
    rig->owner.window = 512;
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_close(&rig->owner, h, 100000, 60000);
    far_expect_fin(far);
    char text[1001];
    memset(text, 'd', 1000);
    text[1000] = 0;
    for (int i = 0; i < 50; i++) {
        far_send(far, text);
        rig_turn();
    }
    ck_assert_uint_eq(h->got, 0);
    ck_assert_uint_eq(h->n_closed, 0);
    close(far);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_OK);
}
END_TEST

START_TEST(lingering_ends_with_its_bytes)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_close(&rig->owner, h, 1000, 60000);
    far_expect_fin(far);
    char text[1000];
    memset(text, 'd', 999);
    text[999] = 0;
    far_send(far, text); /* one less than the limit */
    rig_turns(3);
    ck_assert_uint_eq(h->n_closed, 0);
    far_send(far, "d");
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_TIMED_OUT);
    close(far);
}
END_TEST

START_TEST(lingering_ends_with_its_time)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_close(&rig->owner, h, 0, 200);
    far_expect_fin(far);
    rig_advance_us(199999);
    ck_assert_uint_eq(h->n_closed, 0);
    rig_advance_us(1);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_TIMED_OUT);
    UNTIL(send(far, "x", 1, MSG_NOSIGNAL) < 0); /* it was reset behind the fin */
    close(far);
}
END_TEST

START_TEST(a_far_end_that_takes_nothing_cannot_hold_a_closing_stream)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    uint64_t sent = 0;
    for (int i = 0; i < 400; i++) {
        while (h->granted - sent >= 65536) {
            owner_send_large(&rig->owner, h, 65536, 'y');
            sent += 65536;
        }
        rig_turn();
    }
    owner_close(&rig->owner, h, 0, 0);
    rig_turns(3);
    rig_advance_us(29999999);
    ck_assert_uint_eq(h->n_closed, 0);
    rig_advance_us(1);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_TIMED_OUT);
    close(far);
}
END_TEST

/* ---- file ranges ---- */

static int file_of(uint32_t len)
{
    int fd = memfd_create("range", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    char *bytes = malloc(len);
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (char)('a' + i % 26);
    }
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    free(bytes);
    return fd;
}

START_TEST(a_short_file_range_follows_its_head)
{
    int far = -1;
    struct heard *h = one_stream(&far);
    owner_send_file(&rig->owner, h, "head:", file_of(26), 2, 10);
    owner_send(&rig->owner, h, ":tail", 5);
    far_expect(far, "head:cdefghijkl:tail");
    close_both(far, h);
}
END_TEST

START_TEST(a_long_file_range_follows_its_head)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 16 << 20}),
                     PX_OK);
    int far = far_connect(rig_port());
    struct heard *h = rig_stream(&rig->owner, 0);
    rig_turn();
    uint32_t len = 26 * 400000;
    owner_send_file(&rig->owner, h, "head:", file_of(len), 0, len);
    owner_send(&rig->owner, h, ":tail", 5);
    far_expect(far, "head:abc");
    ck_assert_uint_eq(far_drain(far, len - 3), len - 3);
    far_expect(far, ":tail");
    close_both(far, h);
}
END_TEST

START_TEST(file_ranges_of_all_streams_share_what_a_turn_sends)
{
    enum { N = 32, LEN = 200000, A_TURN = 4 << 20 };
    int far[N], arrived = 0;
    far[0] = rig_unix_stream("@px-net-test-share");
    for (uint32_t i = 1; i < N; i++) {
        far[i] = far_connect_unix(strchr(rig->owner.address, '@'));
        (void)rig_stream(&rig->owner, i);
    }
    rig_turn();
    for (uint32_t i = 0; i < N; i++) {
        owner_send_file(&rig->owner, rig->owner.streams[i], ":", file_of(LEN), 0, LEN);
    }
    rig_turn();
    for (int i = 0, n = 0; i < N; i++, arrived += n) {
        ck_assert_int_eq(ioctl(far[i], FIONREAD, &n), 0);
    }
    ck_assert(arrived >= A_TURN && arrived < A_TURN + LEN);
    for (uint32_t i = 0; i < N; i++) {
        ck_assert_uint_eq(far_drain(far[i], LEN + 1), LEN + 1);
        close_both(far[i], rig->owner.streams[i]);
    }
}
END_TEST

START_TEST(a_file_that_got_shorter_resets_the_stream)
{
    for (uint32_t len = 1000; len <= 100000; len *= 100) { /* read, and sent by sendfile */
        int far = len == 1000 ? far_connect(rig_listen()) : far_connect(rig_port());
        struct heard *h = rig_stream(&rig->owner, rig->owner.n_streams);
        rig_turn();
        owner_send_file(&rig->owner, h, "head:", file_of(len - 1), 0, len);
        far_expect_reset(far); /* takes what comes before: the socket need not hold it */
        UNTIL(h->n_closed == 1);
        ck_assert_uint_eq(h->reason, PX_TRUNCATED);
        close(far);
    }
    ck_assert_uint_eq(rig_counter("truncated"), 2);
}
END_TEST

START_TEST(a_file_range_to_a_closed_unix_socket_raises_no_signal)
{
    int far = rig_unix_stream("@px-net-test-pipe");
    struct heard *h = rig->owner.streams[0];
    close(far);
    owner_send_file(&rig->owner, h, "h", file_of(200000), 0, 200000);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->reason, PX_RESET);
}
END_TEST

START_TEST(a_file_range_cut_off_by_a_reset_raises_no_signal)
{
    ck_assert_int_eq(rig_listen_with("127.0.0.1:0", (struct listen_how){.send_window = 16 << 20}),
                     PX_OK);
    (void)signal(SIGPIPE, SIG_DFL);
    for (uint32_t i = 0; i < 5; i++) {
        int far = far_connect(rig_port());
        struct heard *h = rig_stream(&rig->owner, i);
        rig_turn();
        close(far); /* the first bytes are answered with RST while the others are being sent */
        owner_send_file(&rig->owner, h, "h", file_of(4000000), 0, 4000000);
        UNTIL(h->n_closed == 1);
        ck_assert_uint_eq(h->reason, PX_RESET);
    }
}
END_TEST

/* ---- unix sockets ---- */

START_TEST(a_unix_stream_delivers_what_came_before_the_far_end_closed)
{
    rig->owner.window = 0;
    int far = rig_unix_stream("@px-net-test-last");
    struct heard *h = rig->owner.streams[0];
    ck_assert_uint_eq(h->remote_len, 0);
    ck_assert_uint_eq(h->local_len, 0);
    far_send(far, "last words");
    close(far);
    rig_turns(3);
    struct px_ledger before = rig_ledger();
    rig_turns(3);
    ck_assert_uint_eq(rig_ledger().deliveries, before.deliveries); /* a hang-up is no busy loop */
    owner_send(&rig->owner, h, "to nobody", 9);
    rig_turns(3);
    ck_assert_uint_eq(h->n_closed, 0);
    h->in = (struct px_credit_in){.window = 2048, .outstanding = 2048};
    owner_credit(&rig->owner, h, 2048);
    UNTIL(h->n_closed == 1);
    ck_assert_uint_eq(h->got, 10);
    ck_assert_uint_eq(h->fins, 1);
    ck_assert_uint_eq(h->reason, PX_RESET);
}
END_TEST

START_TEST(an_outgoing_unix_connection_is_open_at_once)
{
    struct heard *client = NULL;
    ck_assert_int_eq(
        rig_listen_with(rig_own("unix:@px-net-test-open"), (struct listen_how){.tag = 0}), PX_OK);
    ck_assert_int_eq(rig_open(rig_own("unix:@px-net-test-open"), 65536, &client), PX_OK);
    struct heard *server = rig_stream(&rig->owner, 1);
    owner_send(&rig->owner, client, "hi", 2);
    UNTIL(server->got == 2);
    owner_reset(&rig->owner, client);
    UNTIL(server->fins == 1 || server->n_closed == 1);
}
END_TEST

/* ---- Open that fails ---- */

START_TEST(open_is_answered_with_what_is_wrong)
{
    uint16_t port;
    char target[64];
    int taken = far_bound(&port); /* and nobody listens there: not in another process either */
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    ck_assert_int_eq(rig_open(target, 0, NULL), PX_REFUSED);
    ck_assert_int_eq(rig_open("unix:/nowhere/at/all", 0, NULL), PX_UNREACHABLE);
    ck_assert_int_eq(rig_open("127.0.0.1:0", 0, NULL), PX_BAD_REQUEST);
    ck_assert_int_eq(rig_open("localhost:80", 0, NULL), PX_BAD_REQUEST);
    ck_assert_int_eq(rig_open("", 0, NULL), PX_BAD_REQUEST);
    ck_assert_int_eq(rig_open(target, 511, NULL), PX_BAD_REQUEST);
    ck_assert_int_eq(rig_open(target, (1u << 30) + 1, NULL), PX_BAD_REQUEST);
    close(taken);
}
END_TEST

START_TEST(an_open_that_is_cancelled_leaves_nothing)
{
    /* A listener whose queue is full lets nobody in. */
    uint16_t port;
    char target[64];
    int full = far_bound(&port);
    ck_assert_int_eq(listen(full, 0), 0);
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    int filler = far_connect(port);
    far_await(full); /* who connects is told earlier than who listens */
    struct px_env *env = px_kernel_env(rig->kernel, rig->owner.addr);
    struct heard *h = heard_new(&rig->owner, 0);
    Stream__OpenStream *m = px_msg_new(env, &stream__open_stream__descriptor);
    px_msg_put(m, &m->target, target, strlen(target));
    m->upper = h->self;
    px_call_id call = px_call(env, rig->net, LOWER_OPEN, m, PX_SEC(1), 0);
    rig_turns(3);
    ck_assert_uint_eq(rig->owner.n_replies, 0);
    px_cancel(env, call);
    UNTIL(rig->owner.n_replies == 1);
    ck_assert_int_eq(rig->owner.status, PX_CANCELLED);
    rig_turns(2);
    struct px_ledger l;
    px_service_ledger(rig->kernel, rig->net, &l);
    ck_assert_uint_eq(l.elems, 0);
    close(filler);
    close(full);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        bytes_arrive_at_the_owner_and_at_the_far_end,
        accepted_tells_both_ends,
        pieces_of_one_turn_go_out_together,
        a_stream_goes_through_many_more_bytes_than_its_windows,
        what_one_read_does_not_take_is_read_without_further_notice,
        what_the_socket_does_not_take_goes_out_later,
        an_outgoing_connection_carries_bytes_both_ways,
        delay_is_off_for_what_is_accepted,
        nothing_is_delivered_before_the_first_credit,
        no_more_is_delivered_than_there_is_credit_for,
        a_short_message_costs_512,
        a_reset_is_noticed_without_credit,
        a_stream_without_credit_makes_no_work,
        sending_beyond_the_credit_ends_the_stream,
        sent_bytes_come_back_as_credit,
        credit_of_nothing_is_a_breach,
        credit_beyond_2_to_the_30_is_a_breach,
        half_closing_leaves_the_other_direction_open,
        our_fin_leaves_the_far_end_free_to_send,
        data_behind_our_fin_is_a_breach,
        a_reset_by_the_far_end_closes_with_reset,
        a_reset_by_the_owner_reaches_the_far_end,
        messages_to_a_closed_stream_change_nothing,
        close_sends_what_is_queued_and_then_fin,
        what_arrives_after_close_is_discarded_without_credit,
        lingering_ends_with_its_bytes,
        lingering_ends_with_its_time,
        a_far_end_that_takes_nothing_cannot_hold_a_closing_stream,
        a_short_file_range_follows_its_head,
        a_long_file_range_follows_its_head,
        file_ranges_of_all_streams_share_what_a_turn_sends,
        a_file_that_got_shorter_resets_the_stream,
        a_file_range_to_a_closed_unix_socket_raises_no_signal,
        a_file_range_cut_off_by_a_reset_raises_no_signal,
        a_unix_stream_delivers_what_came_before_the_far_end_closed,
        an_outgoing_unix_connection_is_open_at_once,
        open_is_answered_with_what_is_wrong,
        an_open_that_is_cancelled_leaves_nothing,
    };
    return net_rig_run("net", tests, sizeof tests / sizeof *tests);
}
