/* hostile_test.c - a domain that has been taken over says whatever it likes over its link: what it
 * must not get, what it must not break, and that it costs no more than its bounds. The far end is
 * this test; the mailbox behind the link may speak with net, as h1 may, and knows the handles of
 * others.
 */
#include "net_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "lane.h"

enum { HEARD_MAX = 4 << 20, GUESSES = 20000, OWN_HANDLE = 77 };

static struct {
    int fd;
    struct px_lane *lane;
    uint32_t n_ended;
    uint64_t next_call;
    uint8_t *bytes; /* all it has heard */
    size_t len, at; /* how much, and how much of it was looked at */
    uint64_t message_left;
    uint64_t payload; /* of the frames that were looked at */
} stranger;

/* ---- the link ---- */

static void on_control(void *ctx, uint16_t method, const uint8_t *body, size_t len)
{
    (void)ctx;
    (void)method;
    (void)body;
    (void)len;
}

static void on_lane_ended(void *ctx, const char *why)
{
    (void)ctx;
    (void)why;
    stranger.n_ended++;
}

static void stranger_join(void)
{
    const struct px_lane_config config = {
        .control = on_control, .ended = on_lane_ended, .greeted = true};
    int pair[2];
    memset(&stranger, 0, sizeof stranger);
    stranger.bytes = malloc(HEARD_MAX);
    ck_assert_ptr_nonnull(stranger.bytes);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    stranger.fd = pair[1];
    ck_assert_int_eq(
        px_lane_new(px_kernel_env(rig->kernel, rig->link), pair[0], &config, &stranger.lane),
        PX_EOK);
    ck_assert_int_eq(px_lane_place(stranger.lane, &rig->stranger, 1), PX_EOK);
}

static void stranger_leave(void)
{
    px_lane_free(stranger.lane);
    close(stranger.fd);
    free(stranger.bytes);
    rig_turns(2);
}

/* All of it; the link reads meanwhile. */
static void say_bytes(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (int tries = 0; len > 0 && tries < 100000;) {
        ssize_t n = send(stranger.fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0) {
            tries++;
            (void)rig_turn();
            continue;
        }
        at += n;
        len -= (size_t)n;
    }
}

static void say_frame(struct px_frame_header header, const void *body, const void *payload)
{
    uint8_t head[13 + PX_FRAME_HEADER_LEN];
    struct px_bytes_out out = px_bytes_out_of(head, 13);
    px_bytes_put_u8(&out, 1);
    px_bytes_put_u64be(&out,
                       4 + PX_FRAME_HEADER_LEN + (uint64_t)header.body_len + header.payload_len);
    px_bytes_put_u32be(&out, 1);
    px_frame_header_write(&header, head + 13);
    say_bytes(head, sizeof head);
    say_bytes(body, header.body_len);
    say_bytes(payload, header.payload_len);
}

static struct px_frame_header header_to_net(uint16_t method, uint8_t kind, uint64_t id)
{
    return (struct px_frame_header){.wire = {.mailbox = rig->net,
                                             .sender = rig->stranger,
                                             .method = method,
                                             .id = id,
                                             .kind = kind,
                                             .has_body = true}};
}

static void say_to_net(uint16_t method, uint8_t kind, uint64_t id, const ProtobufCMessage *message,
                       const void *payload, uint32_t payload_len)
{
    uint8_t body[512];
    struct px_frame_header header = header_to_net(method, kind, id);
    ck_assert_uint_le(protobuf_c_message_get_packed_size(message), sizeof body);
    header.body_len = (uint32_t)protobuf_c_message_pack(message, body);
    header.payload_len = payload_len;
    say_frame(header, body, payload);
}

/* ---- what it hears ---- */

static void listen_up(void)
{
    ssize_t n = 1;
    while (stranger.len < HEARD_MAX && n > 0) {
        n = recv(stranger.fd, stranger.bytes + stranger.len, HEARD_MAX - stranger.len,
                 MSG_DONTWAIT);
        stranger.len += n > 0 ? (size_t)n : 0;
    }
}

/* The next frame that it heard; false: there is none. */
static bool heard_next(struct px_frame_header *ret, const uint8_t **ret_body)
{
    static const struct px_frame_limits limits = {PX_FRAME_BODY_MAX, PX_FRAME_PAYLOAD_MAX};
    listen_up();
    if (stranger.message_left == 0 && stranger.len - stranger.at >= 13) {
        struct px_bytes head = px_bytes_of(stranger.bytes + stranger.at + 1, 8);
        stranger.message_left = px_bytes_u64be(&head) - 4;
        stranger.at += 13;
    }
    if (stranger.message_left == 0 || stranger.len - stranger.at < PX_FRAME_HEADER_LEN) {
        return false;
    }
    ck_assert(px_frame_header_read(stranger.bytes + stranger.at, &limits, ret));
    size_t len = PX_FRAME_HEADER_LEN + (size_t)ret->body_len + ret->payload_len;
    if (stranger.len - stranger.at < len) {
        return false;
    }
    *ret_body = stranger.bytes + stranger.at + PX_FRAME_HEADER_LEN;
    stranger.at += len;
    stranger.message_left -= len;
    stranger.payload += ret->payload_len;
    return true;
}

/* Bytes of streams that it has been given so far. */
static uint64_t payload_heard(void)
{
    struct px_frame_header header;
    const uint8_t *body = NULL;
    rig_turns(4);
    while (heard_next(&header, &body)) {
    }
    return stranger.payload;
}

/* Asks net, and waits for the answer. */
static enum px_status ask_net(uint16_t method, const ProtobufCMessage *message,
                              const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret)
{
    struct px_frame_header header;
    const uint8_t *body = NULL;
    uint64_t id = ++stranger.next_call;
    say_to_net(method, PX_KIND_CALL, id, message, NULL, 0);
    for (int i = 0; i < RIG_IDLE_TURNS_MAX; i++) {
        while (heard_next(&header, &body)) {
            if (header.wire.kind != PX_KIND_REPLY || header.wire.id != id) {
                continue;
            }
            if (ret != NULL && header.wire.has_body) {
                *ret = protobuf_c_message_unpack(type, NULL, header.body_len, body);
                ck_assert_ptr_nonnull(*ret);
            }
            return header.wire.status;
        }
        (void)rig_turn();
    }
    ck_abort_msg("net does not answer the stranger");
}

static void expect_served(void)
{
    Net__ListenerRef all = NET__LISTENER_REF__INIT;
    ck_assert_int_eq(ask_net(NET_STATS, &all.base, NULL, NULL), PX_OK);
    ck_assert_uint_eq(stranger.n_ended, 0);
}

static enum px_status ask_rebind(uint64_t lower, const char *mailbox)
{
    Stream__RebindStream rebind = STREAM__REBIND_STREAM__INIT;
    char name[64];
    snprintf(name, sizeof name, "%s", mailbox);
    rebind.lower = lower;
    rebind.mailbox = (ProtobufCBinaryData){strlen(name), (uint8_t *)name};
    return ask_net(LOWER_REBIND, &rebind.base, NULL, NULL);
}

/* ---- a stream of its own, and one of somebody else ---- */

static struct heard *owners_stream(int *ret_far)
{
    *ret_far = far_connect(rig_listen());
    struct heard *h = rig_stream(&rig->owner, 0);
    rig_turns(2);
    return h;
}

/* Opens a stream to a socket of this test; net's handle of it. */
static uint64_t own_stream(uint32_t credit, int *ret_far, uint32_t *ret_credit)
{
    uint16_t port = 0;
    char target[32];
    ProtobufCMessage *opened = NULL;
    Stream__OpenStream open = STREAM__OPEN_STREAM__INIT;
    int listener = far_bound(&port);
    ck_assert_int_eq(listen(listener, 1), 0);
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    open.target = (ProtobufCBinaryData){strlen(target), (uint8_t *)target};
    open.upper = OWN_HANDLE;
    open.credit = credit;
    ck_assert_int_eq(ask_net(LOWER_OPEN, &open.base, &stream__opened__descriptor, &opened), PX_OK);
    far_await(listener);
    *ret_far = accept(listener, NULL, NULL);
    ck_assert_int_ge(*ret_far, 0);
    close(listener);
    uint64_t lower = ((Stream__Opened *)opened)->lower;
    *ret_credit = ((Stream__Opened *)opened)->credit;
    protobuf_c_message_free_unpacked(opened, NULL);
    return lower;
}

/* Everything that can be said about a stream, with this handle. */
static void say_all_about(uint64_t lower)
{
    Stream__ClaimStream claim = STREAM__CLAIM_STREAM__INIT;
    Stream__CreditBytes credit = STREAM__CREDIT_BYTES__INIT;
    Stream__DataBytes data = STREAM__DATA_BYTES__INIT;
    Stream__CloseStream end = STREAM__CLOSE_STREAM__INIT;
    Stream__ResetStream reset = STREAM__RESET_STREAM__INIT;
    claim.upper = OWN_HANDLE;
    claim.credit = credit.bytes = 1 << 20;
    data.fin = data.at_rest = true;
    say_to_net(LOWER_CLAIM, PX_KIND_ONEWAY, lower, &claim.base, NULL, 0);
    say_to_net(LOWER_CREDIT, PX_KIND_ONEWAY, lower, &credit.base, NULL, 0);
    say_to_net(LOWER_DATA, PX_KIND_ONEWAY, lower, &data.base, "stolen", 6);
    say_to_net(LOWER_CLOSE, PX_KIND_ONEWAY, lower, &end.base, NULL, 0);
    say_to_net(LOWER_RESET, PX_KIND_ONEWAY, lower, &reset.base, NULL, 0);
    struct px_frame_header lost = header_to_net(LOWER_DATA, PX_KIND_LOST, lower);
    lost.wire.has_body = false;
    say_frame(lost, NULL, NULL);
    rig_turns(2);
}

/* The owner's stream is his, both ways. */
static void expect_untouched(struct heard *h, int far)
{
    uint64_t before = h->got;
    ck_assert_uint_eq(h->n_closed, 0);
    far_expect_silence(far);
    far_send(far, "secret");
    UNTIL(h->got == before + 6);
    owner_send(&rig->owner, h, "answer", 6);
    far_expect(far, "answer");
}

START_TEST(the_handle_of_another_domains_stream_opens_nothing)
{
    int far = -1;
    stranger_join();
    struct heard *h = owners_stream(&far);
    say_all_about(h->lower);
    expect_untouched(h, far);
    ck_assert_int_eq(ask_rebind(h->lower, "stranger"), PX_STALE);
    ck_assert_int_eq(ask_rebind(h->lower, "owner"), PX_STALE);
    expect_untouched(h, far);
    ck_assert_uint_eq(payload_heard(), 0);
    expect_served();
    stranger_leave();
    expect_untouched(h, far);
    close(far);
}
END_TEST

START_TEST(guessed_handles_open_nothing)
{
    int far = -1;
    unsigned seed = getenv("PX_SEED") == NULL ? (unsigned)time(NULL)
                                              : (unsigned)strtoul(getenv("PX_SEED"), NULL, 0);
    printf("PX_SEED=%u\n", seed);
    stranger_join();
    struct heard *h = owners_stream(&far);
    for (uint32_t i = 0; i < GUESSES; i++) {
        uint64_t guess = (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed) << 11 ^ i % 4;
        guess = i % 2 == 0 ? guess : (guess & ~UINT64_C(0xffffff)) | (h->lower & 0xffffff);
        Stream__DataBytes data = STREAM__DATA_BYTES__INIT;
        say_to_net(LOWER_DATA, PX_KIND_ONEWAY, guess, &data.base, "guessed", 7);
    }
    rig_turns(2);
    say_all_about(0);
    say_all_about(UINT64_MAX);
    expect_untouched(h, far);
    ck_assert_uint_eq(payload_heard(), 0);
    expect_served();
    stranger_leave();
    close(far);
}
END_TEST

START_TEST(its_own_stream_is_given_to_nobody_it_may_not_speak_to)
{
    static const struct {
        const char *mailbox;
        enum px_status status;
    } tries[] = {{"owner", PX_DENIED}, {"heir", PX_DENIED},      {"net", PX_DENIED},
                 {"link", PX_DENIED},  {"nobody", PX_NOT_FOUND}, {"", PX_NOT_FOUND}};
    int far = -1;
    uint32_t credit = 0;
    stranger_join();
    uint64_t lower = own_stream(65536, &far, &credit);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        ck_assert_int_eq(ask_rebind(lower, tries[i].mailbox), tries[i].status);
    }
    far_send(far, "mine");
    UNTIL(payload_heard() == 4);
    expect_served();
    stranger_leave();
    far_expect_reset(far);
    close(far);
}
END_TEST

START_TEST(a_handle_of_its_last_life_is_stale)
{
    int far = -1;
    uint32_t credit = 0;
    stranger_join();
    uint64_t lower = own_stream(65536, &far, &credit);
    stranger_leave();
    far_expect_reset(far);
    close(far);
    stranger_join();
    say_all_about(lower);
    ck_assert_int_eq(ask_rebind(lower, "stranger"), PX_STALE);
    expect_served();
    stranger_leave();
}
END_TEST

START_TEST(who_sends_beyond_his_credit_loses_that_stream_and_nothing_grows)
{
    static uint8_t bytes[65536];
    Stream__DataBytes data = STREAM__DATA_BYTES__INIT;
    int far = -1;
    uint32_t credit = 0;
    stranger_join();
    uint64_t lower = own_stream(65536, &far, &credit);
    uint64_t before = rig_ledger().mem;
    for (uint32_t sent = 0; sent < 8 * credit;
         sent += sizeof bytes) { /* and the far end reads nothing */
        say_to_net(LOWER_DATA, PX_KIND_ONEWAY, lower, &data.base, bytes, sizeof bytes);
        (void)rig_turn();
    }
    rig_turns(4);
    ck_assert_uint_le(rig_ledger().mem, before + credit + (1 << 20));
    far_expect_reset(far);
    expect_served();
    stranger_leave();
    close(far);
}
END_TEST

START_TEST(who_does_not_read_holds_no_more_than_the_credit_it_gave)
{
    enum { WINDOW = 1 << 20 };
    static char bytes[65536];
    int far = -1;
    uint32_t credit = 0;
    stranger_join();
    uint64_t lower = own_stream(WINDOW, &far, &credit);
    uint64_t before = rig_ledger().mem;
    ck_assert_int_eq(fcntl(far, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 400; i++) {
        (void)!send(far, bytes, sizeof bytes, MSG_NOSIGNAL);
        (void)rig_turn();
    }
    ck_assert_uint_le(rig_ledger().mem, before + 2 * WINDOW + (1 << 20));
    int other = -1;
    struct heard *h = owners_stream(&other);
    expect_untouched(h, other); /* and nobody else waits for it */
    ck_assert_uint_eq(stranger.n_ended, 0);
    (void)lower;
    stranger_leave();
    close(far);
    close(other);
}
END_TEST

/* ---- descriptors ---- */

static void send_descriptors(int fd, int n)
{
    char byte = 0;
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
    for (int i = 0; i < n; i++) {
        memcpy(CMSG_DATA(&control.head) + (size_t)i * sizeof(int), &fd, sizeof(int));
    }
    byte = 1; /* the first byte of a link message */
    ck_assert_int_eq(sendmsg(stranger.fd, &m, MSG_NOSIGNAL), 1);
}

START_TEST(descriptors_that_come_along_are_not_taken)
{
    char path[64];
    uint8_t head[13 + PX_FRAME_HEADER_LEN];
    snprintf(path, sizeof path, "/tmp/hostile-fifo-%d", (int)getpid());
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(fifo, 0);
    stranger_join();
    expect_served();
    uint32_t before = rig_descriptors();
    for (int i = 0; i < 20; i++) {
        struct px_frame_header header = header_to_net(NET_STATS, PX_KIND_CALL, 1000 + (uint64_t)i);
        struct px_bytes_out out = px_bytes_out_of(head, 13);
        px_bytes_put_u8(&out, 1);
        px_bytes_put_u64be(&out, 4 + PX_FRAME_HEADER_LEN);
        px_bytes_put_u32be(&out, 1);
        px_frame_header_write(&header, head + 13);
        send_descriptors(fifo, 16);
        say_bytes(head + 1, sizeof head - 1);
        rig_turns(2);
    }
    expect_served();
    ck_assert_uint_eq(rig_descriptors(), before);
    stranger_leave();
    close(fifo);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* ---- what there is not ---- */

static enum px_status answer_to(struct px_frame_header header)
{
    const uint8_t *body = NULL;
    struct px_frame_header answer;
    say_frame(header, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        while (heard_next(&answer, &body)) {
            if (answer.wire.kind == PX_KIND_REPLY && answer.wire.id == header.wire.id) {
                return answer.wire.status;
            }
        }
        (void)rig_turn();
    }
    ck_abort_msg("no answer");
}

START_TEST(unknown_methods_and_mailboxes_are_answered_or_refused)
{
    stranger_join();
    struct px_frame_header h = header_to_net(PX_METHOD(PX_C_NET, 200), PX_KIND_CALL, 1000);
    ck_assert_int_eq(answer_to(h), PX_UNSUPPORTED);
    h = header_to_net(PX_METHOD(0xfe, 0), PX_KIND_CALL, 1001);
    ck_assert_int_eq(answer_to(h), PX_UNSUPPORTED);
    h = header_to_net(LOWER_DATA, PX_KIND_CALL, 1002); /* a oneway, called */
    ck_assert_int_eq(answer_to(h), PX_BAD_REQUEST);
    h = header_to_net(NET_STATS, PX_KIND_CALL, 1003);
    h.wire.mailbox = rig->owner.addr;
    ck_assert_int_eq(answer_to(h), PX_DENIED);
    h = header_to_net(NET_STATS, PX_KIND_ONEWAY, 1004); /* a call, only said */
    say_frame(h, NULL, NULL);
    h = header_to_net(NET_STATS, PX_KIND_CALL, 0); /* without a number */
    say_frame(h, NULL, NULL);
    for (uint16_t to = 1; to < 4095; to += 7) {
        h = header_to_net(UPPER_ACCEPTED, PX_KIND_ONEWAY, 1);
        h.wire.mailbox = to;
        say_frame(h, NULL, NULL);
        h.wire.sender = to;
        say_frame(h, NULL, NULL);
    }
    rig_turns(2);
    ck_assert_uint_eq(rig->owner.n_streams, 0);
    expect_served();
    stranger_leave();
}
END_TEST

START_TEST(answers_to_calls_of_others_reach_nobody)
{
    int far = -1;
    struct px_frame_header h = {.wire = {.sender = rig->stranger, .kind = PX_KIND_REPLY}};
    struct heard *opened = NULL;
    stranger_join();
    uint16_t port = 0;
    char target[32];
    int listener = far_bound(&port);
    ck_assert_int_eq(listen(listener, 1), 0);
    for (uint64_t life = 1; life <= 8; life++) { /* more than have been used */
        for (uint64_t index = 0; index < 256; index++) {
            h.wire.mailbox = rig->owner.addr;
            h.wire.method = LOWER_OPEN;
            h.wire.id = life << 24 | index;
            h.wire.status = PX_REFUSED;
            say_frame(h, NULL, NULL);
        }
    }
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    ck_assert_int_eq(rig_open(target, 65536, &opened), PX_OK);
    ck_assert_uint_ge(rig_ledger().late, 2048);
    far = accept(listener, NULL, NULL);
    ck_assert_int_ge(far, 0);
    expect_served();
    stranger_leave();
    close(far);
    close(listener);
}
END_TEST

START_TEST(a_call_number_is_used_once_at_a_time)
{
    uint16_t port = 0;
    char target[32];
    Stream__OpenStream open = STREAM__OPEN_STREAM__INIT;
    int listener = far_bound(&port); /* bound, and nobody accepts: the answer is a refusal */
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    open.target = (ProtobufCBinaryData){strlen(target), (uint8_t *)target};
    open.upper = OWN_HANDLE;
    open.credit = 512;
    stranger_join();
    for (int i = 0; i < 1000; i++) {
        say_to_net(LOWER_OPEN, PX_KIND_CALL, 5, &open.base, NULL, 0);
    }
    rig_turns(4);
    struct px_frame_header header;
    const uint8_t *body = NULL;
    uint32_t answers = 0;
    while (heard_next(&header, &body)) {
        answers += header.wire.kind == PX_KIND_REPLY ? 1 : 0;
        ck_assert_uint_eq(header.wire.id, header.wire.kind == PX_KIND_REPLY ? 5 : header.wire.id);
    }
    ck_assert_uint_ge(answers, 1);
    ck_assert_uint_le(answers, 1000);
    ck_assert_uint_eq(rig_ledger().calls, 0);
    expect_served();
    stranger_leave();
    close(listener);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_handle_of_another_domains_stream_opens_nothing,
        guessed_handles_open_nothing,
        its_own_stream_is_given_to_nobody_it_may_not_speak_to,
        a_handle_of_its_last_life_is_stale,
        who_sends_beyond_his_credit_loses_that_stream_and_nothing_grows,
        who_does_not_read_holds_no_more_than_the_credit_it_gave,
        descriptors_that_come_along_are_not_taken,
        unknown_methods_and_mailboxes_are_answered_or_refused,
        answers_to_calls_of_others_reach_nobody,
        a_call_number_is_used_once_at_a_time,
    };
    return net_rig_run("hostile", tests, sizeof tests / sizeof *tests);
}
