/* door_test.c - the door: what it answers, and what a client cannot make it do. */
#include "door_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "door_place.h"
#include "ktest.pb-c.h"

static struct said said;

static void call(int fd, uint32_t id, const char *service, const char *method)
{
    say(&said, id, service, method, NULL, 0, NULL, 0);
    far_write(fd, said.bytes, said.len);
}

/* ---- answers ---- */

START_TEST(a_call_is_answered_with_the_id_it_came_with)
{
    int fd = far_open();
    ask(fd, 77, 5);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.id, 77);
    ck_assert_uint_eq(h.status, PX_OK);
    ck_assert_uint_eq(h.flags, 1);
    ck_assert_uint_eq(heard_value(&h), 6);
    close(fd);
}
END_TEST

START_TEST(a_request_in_pieces_of_a_byte_is_the_same_request)
{
    int fd = far_open();
    Ktest__Number number = KTEST__NUMBER__INIT;
    uint8_t body[16];
    number.value = 300;
    say(&said, 1, "toy", "ktest.Toy.Ask", body, ktest__number__pack(&number, body), NULL, 0);
    for (size_t i = 0; i < said.len; i++) {
        far_write(fd, said.bytes + i, 1);
        rig_turns(1);
    }
    struct heard h = hear(fd);
    ck_assert_uint_eq(heard_value(&h), 301);
    close(fd);
}
END_TEST

START_TEST(requests_written_together_are_answered_each)
{
    int fd = far_open();
    for (uint32_t i = 1; i <= RIG_CALLS; i++) {
        ask(fd, i, i);
    }
    for (uint32_t i = 1; i <= RIG_CALLS; i++) {
        struct heard h = hear(fd);
        ck_assert_uint_eq(h.id, i);
        ck_assert_uint_eq(heard_value(&h), i + 1);
    }
    close(fd);
}
END_TEST

START_TEST(payload_goes_through_both_ways)
{
    static uint8_t payload[60000];
    uint8_t body[64];
    int fd = far_open();
    Ktest__Tree tree = KTEST__TREE__INIT;
    tree.name = (ProtobufCBinaryData){4, (uint8_t *)(uintptr_t) "linden"};
    size_t len = ktest__tree__pack(&tree, body);
    for (size_t n = 1; n <= sizeof payload; n = n < 60 ? 60 : n * 10 < 60000 ? n * 10 : n + 60000) {
        say(&said, 3, "toy", "Plant", body, len, payload, n);
        far_write(fd, said.bytes, said.len);
        struct heard h = hear(fd);
        ck_assert_uint_eq(h.status, PX_OK);
        ck_assert_uint_eq(h.payload_len, n);
        ck_assert_uint_eq(h.body_len, len);
        ck_assert_mem_eq(h.body, body, len);
    }
    close(fd);
}
END_TEST

START_TEST(a_status_without_body_says_so_in_words)
{
    int fd = far_open();
    call(fd, 1, "toy", "Retry");
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_LIMIT);
    ck_assert_uint_eq(h.flags, 0);
    ck_assert_str_eq(h.text, px_status_text(PX_LIMIT));
    close(fd);
}
END_TEST

START_TEST(what_stands_before_a_request_is_sent_back)
{
    uint8_t bytes[128], back[128];
    int fd = far_open();
    say(&said, 9, "toy", "Retry", NULL, 0, NULL, 0);
    memcpy(bytes, said.bytes, 9);
    memset(bytes + 9, 0x11, 28); /* seven words without top bit */
    memcpy(bytes + 37, said.bytes + 9, said.len - 9);
    bytes[8] = (uint8_t)(bytes[8] + 28);
    far_write(fd, bytes, said.len + 28);
    UNTIL(recv(fd, back, sizeof back, MSG_DONTWAIT | MSG_PEEK) > 0);
    ck_assert_int_gt(recv(fd, back, sizeof back, MSG_DONTWAIT), 41);
    ck_assert_mem_eq(back + 9, bytes + 9, 32);
    close(fd);
}
END_TEST

/* ---- what is not there, or not allowed ---- */

START_TEST(an_unknown_service_is_told_which_there_are)
{
    int fd = far_open();
    call(fd, 1, "tyo", "Ask");
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_NOT_FOUND);
    ck_assert_str_eq(h.text, "no service 'tyo' takes calls here; these do: toy");
    close(fd);
}
END_TEST

START_TEST(an_unknown_method_is_told_which_there_are)
{
    int fd = far_open();
    call(fd, 1, "toy", "Aks");
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_NOT_FOUND);
    ck_assert_str_eq(h.text,
                     "toy has no method 'Aks'; it has: Note, Ask, Retry, Watch, Plant, Show");
    close(fd);
}
END_TEST

START_TEST(what_is_not_a_single_call_is_unsupported)
{
    int fd = far_open();
    call(fd, 1, "toy", "Watch");
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_UNSUPPORTED);
    call(fd, 2, "toy", "Note");
    h = hear(fd);
    ck_assert_uint_eq(h.status, PX_UNSUPPORTED);
    close(fd);
}
END_TEST

START_TEST(another_version_is_told_which_is_spoken)
{
    int fd = far_open();
    say(&said, 1, "toy", "Ask", NULL, 0, NULL, 0);
    said.bytes[13] = 2;
    far_write(fd, said.bytes, said.len);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(h.text, "version 1"));
    close(fd);
}
END_TEST

START_TEST(a_rule_narrows_what_its_user_may_call)
{
    static const char *const none[] = {"other"};
    static const char *const some[] = {"other", "toy"};
    rig_restart(RIG_CLIENTS, true, none, 1);
    int fd = far_open();
    ask(fd, 1, 1);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_DENIED);
    ck_assert_ptr_nonnull(strstr(h.text, "may not call toy"));
    call(fd, 2, "toy", "ktest.Toy.Retry"); /* is open to whoever is let in */
    h = hear(fd);
    ck_assert_uint_eq(h.status, PX_LIMIT);
    call(fd, 3, "toy", "NoRetry");
    h = hear(fd);
    ck_assert_uint_eq(h.status, PX_DENIED);
    close(fd);
    rig_restart(RIG_CLIENTS, true, some, 2);
    fd = far_open();
    ask(fd, 1, 1);
    h = hear(fd);
    ck_assert_uint_eq(h.status, PX_OK);
    close(fd);
}
END_TEST

START_TEST(of_what_may_only_be_looked_at_other_methods_are_denied)
{
    rig->target.looks = true;
    int fd = far_open();
    ask(fd, 1, 1);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_DENIED);
    call(fd, 2, "toy", "Retry");
    h = hear(fd);
    ck_assert_uint_eq(h.status, PX_LIMIT);
    ck_assert_uint_eq(rig->n_asked, 0);
    close(fd);
}
END_TEST

START_TEST(a_service_that_has_ended_is_gone)
{
    int fd = far_open();
    ask(fd, 1, 0);
    UNTIL(rig->n_asked == 1);
    px_service_kill(rig->kernel, rig->toy);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_SERVICE_GONE);
    ask(fd, 2, 1);
    h = hear(fd);
    ck_assert_uint_eq(h.id, 2);
    ck_assert_uint_eq(h.status, PX_SERVICE_GONE);
    close(fd);
}
END_TEST

/* ---- times ---- */

START_TEST(a_call_that_names_no_deadline_has_thirty_seconds)
{
    int fd = far_open();
    ask(fd, 1, 0);
    UNTIL(rig->n_asked == 1);
    rig_advance_us(PX_MS(PX_DOOR_DEADLINE_MS) - 1);
    far_expect_silence(fd);
    rig_advance_us(1);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_TIMED_OUT);
    UNTIL(rig->n_ended == 1);
    ck_assert_uint_eq(rig->ended, PX_TIMED_OUT);
    ask(fd, 2, 1); /* its place is free again */
    h = hear(fd);
    ck_assert_uint_eq(h.id, 2);
    close(fd);
}
END_TEST

START_TEST(a_deadline_of_its_own_counts)
{
    int fd = far_open();
    say(&said, 1, "toy", "Ask", NULL, 0, NULL, 0);
    said.bytes[17] = 250; /* milliseconds */
    far_write(fd, said.bytes, said.len);
    UNTIL(rig->n_asked == 1);
    rig_advance_us(PX_MS(250) - 1);
    far_expect_silence(fd);
    rig_advance_us(1);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_TIMED_OUT);
    close(fd);
}
END_TEST

START_TEST(a_message_that_is_not_finished_in_ten_seconds_ends_its_client)
{
    int fd = far_open();
    say(&said, 1, "toy", "Ask", NULL, 0, NULL, 0);
    for (size_t cut = 1; cut < said.len; cut += 6) {
        far_write(fd, said.bytes, cut);
        rig_turns(2);
        rig_advance_us(PX_MS(PX_DOOR_MESSAGE_MS) - 1);
        far_expect_silence(fd);
        rig_advance_us(1);
        ck_assert(far_is_closed(fd));
        close(fd);
        fd = far_open();
    }
    ck_assert_uint_gt(rig_counter("slow"), 0);
    close(fd);
}
END_TEST

START_TEST(a_client_that_does_not_greet_ends_but_one_at_rest_stays)
{
    int silent = far_connect(), at_rest = far_open();
    rig_advance_us(PX_MS(PX_DOOR_MESSAGE_MS) - 1);
    far_expect_silence(silent);
    rig_advance_us(1);
    ck_assert(far_is_closed(silent));
    rig_advance_us(PX_SEC(86400));
    far_expect_silence(at_rest);
    ask(at_rest, 1, 1);
    ck_assert_uint_eq(hear(at_rest).status, PX_OK);
    close(silent);
    close(at_rest);
}
END_TEST

START_TEST(who_reads_nothing_for_thirty_seconds_is_ended)
{
    int fd = far_open();
    ask(fd, 1, 250000); /* more than a socket takes */
    UNTIL(rig->n_asked == 1);
    rig_turns(3);
    rig_advance_us(PX_MS(PX_DOOR_READ_MS) - 1);
    ck_assert_uint_eq(rig_ledger().elems, 1);
    rig_advance_us(1);
    ck_assert_uint_eq(rig_ledger().elems, 0);
    ck_assert_uint_eq(rig_counter("slow"), 1);
    close(fd);
}
END_TEST

/* ---- bounds ---- */

START_TEST(one_call_more_than_may_be_under_way_is_busy)
{
    int fd = far_open();
    for (uint32_t i = 0; i < RIG_CALLS; i++) {
        ask(fd, i, 0);
    }
    UNTIL(rig->n_asked == RIG_CALLS);
    far_expect_silence(fd);
    ask(fd, 50, 1);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.id, 50);
    ck_assert_uint_eq(h.status, PX_BUSY);
    ck_assert_uint_eq(rig->n_asked, RIG_CALLS);
    ck_assert_uint_eq(rig_counter("busy"), 1);
    close(fd);
}
END_TEST

START_TEST(one_client_more_than_may_be_is_closed_at_once)
{
    int fds[RIG_CLIENTS];
    for (int i = 0; i < RIG_CLIENTS; i++) {
        fds[i] = far_open();
    }
    int more = far_connect();
    ck_assert(far_is_closed(more));
    ck_assert_uint_eq(rig_counter("full"), 1);
    close(fds[0]);
    UNTIL(rig_ledger().elems == RIG_CLIENTS - 1);
    fds[0] = far_open();
    for (int i = 0; i < RIG_CLIENTS; i++) {
        close(fds[i]);
    }
    close(more);
}
END_TEST

START_TEST(a_request_of_the_longest_length_is_taken_and_one_more_is_too_large)
{
    static uint8_t payload[RIG_REQUEST];
    enum { REST = 4 + 12 + 3 + 5 };
    int fd = far_open();
    say(&said, 1, "toy", "Plant", NULL, 0, payload, RIG_REQUEST - REST);
    far_write(fd, said.bytes, said.len);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_OK);
    ck_assert_uint_eq(h.payload_len, RIG_REQUEST - REST);
    say(&said, 2, "toy", "Plant", NULL, 0, payload, RIG_REQUEST - REST + 1);
    far_write(fd, said.bytes, 64); /* it is judged by its head */
    h = hear(fd);
    ck_assert_uint_eq(h.id, 2);
    ck_assert_uint_eq(h.status, PX_TOO_LARGE);
    ck_assert(far_is_closed(fd));
    close(fd);
}
END_TEST

START_TEST(eight_gibibytes_are_refused_by_their_head_and_cost_nothing)
{
    static const uint8_t head[] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 0x80, 0, 0, 5};
    struct px_ledger l;
    int fd = far_open();
    far_write(fd, head, sizeof head);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.id, 5);
    ck_assert_uint_eq(h.status, PX_TOO_LARGE);
    ck_assert_str_eq(h.text, "a request of 8589934592 bytes; at most 70000 are taken");
    ck_assert(far_is_closed(fd));
    px_kernel_ledger(rig->kernel, &l);
    ck_assert_uint_le(l.mem, rig->before.mem + 300000);
    close(fd);
}
END_TEST

START_TEST(a_body_longer_than_the_request_is_refused_and_the_client_goes_on)
{
    int fd = far_open();
    say(&said, 1, "toy", "Ask", NULL, 0, NULL, 0);
    said.bytes[21] = 1; /* body_len */
    far_write(fd, said.bytes, said.len);
    struct heard h = hear(fd);
    ck_assert_uint_eq(h.status, PX_BAD_REQUEST);
    ask(fd, 2, 1);
    ck_assert_uint_eq(hear(fd).status, PX_OK);
    close(fd);
}
END_TEST

START_TEST(a_request_of_empty_fields_without_end_is_a_bad_one)
{
    static uint8_t body[60000];
    struct px_ledger l;
    int fd = far_open();
    for (size_t i = 0; i < sizeof body; i += 2) {
        body[i] = 2 << 3 | 2; /* leaves, of no bytes */
        body[i + 1] = 0;
    }
    say(&said, 1, "toy", "Plant", body, sizeof body, NULL, 0);
    for (int i = 0; i < 100; i++) {
        far_write(fd, said.bytes, said.len);
        struct heard h = hear(fd);
        ck_assert_uint_eq(h.status, PX_BAD_REQUEST);
    }
    px_kernel_ledger(rig->kernel, &l);
    ck_assert_uint_le(l.mem, rig->before.mem + 600000);
    ask(fd, 2, 1);
    ck_assert_uint_eq(hear(fd).status, PX_OK);
    close(fd);
}
END_TEST

START_TEST(what_is_not_finished_fills_the_memory_of_the_door_and_no_more)
{
    enum { CLIENTS = RIG_MEMORY / RIG_REQUEST };
    static uint8_t payload[69000];
    int fds[CLIENTS + 1];
    rig_restart(CLIENTS + 2, false, NULL, 0);
    say(&said, 8, "toy", "Plant", NULL, 0, payload, sizeof payload);
    for (int i = 0; i < CLIENTS + 1; i++) {
        fds[i] = far_open();
        far_write(fds[i], said.bytes, 60);
    }
    struct heard h = hear(fds[CLIENTS]);
    ck_assert_uint_eq(h.status, PX_BUSY);
    ck_assert(far_is_closed(fds[CLIENTS]));
    int fd = far_open(); /* small ones need none */
    ask(fd, 1, 1);
    ck_assert_uint_eq(hear(fd).status, PX_OK);
    for (int i = 0; i < CLIENTS + 1; i++) {
        close(fds[i]);
    }
    close(fd);
}
END_TEST

START_TEST(answers_that_nobody_reads_stop_at_the_memory_of_the_door)
{
    struct px_ledger l;
    int fd = far_open();
    for (uint32_t i = 0; i < 40; i++) {
        Ktest__Number number = KTEST__NUMBER__INIT;
        uint8_t body[16];
        number.value = 200000;
        say(&said, i, "toy", "Ask", body, ktest__number__pack(&number, body), NULL, 0);
        (void)!send(fd, said.bytes, said.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        rig_turns(2);
    }
    px_kernel_ledger(rig->kernel, &l);
    ck_assert_uint_le(l.mem, rig->before.mem + RIG_MEMORY + 600000);
    ck_assert_uint_lt(rig->n_asked, 10);
    uint64_t ids = 0;
    for (uint32_t i = 0; i < 40; i++) { /* and nothing is lost: each is answered in the end */
        struct heard h = hear(fd);
        ck_assert_uint_lt(h.id, 40);
        ck_assert_uint_eq(ids >> h.id & 1, 0);
        ids |= UINT64_C(1) << h.id;
        ck_assert(h.status == PX_OK || h.status == PX_BUSY);
    }
    close(fd);
}
END_TEST

/* ---- those who break the form, come and go ---- */

START_TEST(another_greeting_ends_a_client)
{
    static const char *const wrong[] = {"GET / HTTP/1.1\r\n\r\n", "\0SP\0\0\x10\0\0",
                                        "\0SP\0\0\x31\0\0"};
    for (size_t i = 0; i < 3; i++) {
        int fd = far_connect();
        far_write(fd, wrong[i], 8);
        ck_assert(far_is_closed(fd));
        close(fd);
    }
    ck_assert_uint_eq(rig_counter("broken"), 3);
}
END_TEST

START_TEST(a_message_that_nobody_could_be_answered_ends_its_client)
{
    static const uint8_t no_kind[] = {2, 0, 0, 0, 0, 0, 0, 0, 4, 0x80, 0, 0, 0};
    static const uint8_t no_id[] = {1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0};
    uint8_t no_top[9 + 36] = {1, 0, 0, 0, 0, 0, 0, 0, 36};
    const struct {
        const uint8_t *bytes;
        size_t len;
    } all[] = {{no_kind, sizeof no_kind}, {no_id, sizeof no_id}, {no_top, sizeof no_top}};
    for (size_t i = 0; i < 3; i++) {
        int fd = far_open();
        far_write(fd, all[i].bytes, all[i].len);
        ck_assert(far_is_closed(fd));
        close(fd);
    }
}
END_TEST

START_TEST(the_calls_of_a_client_that_goes_are_taken_back)
{
    int fd = far_open();
    ask(fd, 1, 0);
    ask(fd, 2, 0);
    UNTIL(rig->n_asked == 2);
    close(fd);
    UNTIL(rig->n_ended == 2);
    ck_assert_uint_eq(rig->ended, PX_CANCELLED);
    ck_assert_uint_eq(rig_ledger().elems, 0);
}
END_TEST

START_TEST(ten_thousand_clients_come_and_go_and_leave_nothing)
{
    struct px_ledger l;
    int fd = far_open();
    ask(fd, 1, 1);
    (void)hear(fd);
    close(fd);
    UNTIL(rig_ledger().elems == 0);
    px_kernel_ledger(rig->kernel, &rig->before);
    uint32_t before = descriptors();
    for (uint32_t i = 0; i < 10000; i++) {
        fd = i % 3 == 0 ? far_open() : far_connect();
        if (i % 3 == 0) {
            ask(fd, i, i % 2);
            far_write(fd, "\1", i % 2);
        } else if (i % 3 == 1) {
            (void)!send(fd, "\0SP\0", 4, MSG_NOSIGNAL);
        }
        close(fd);
        UNTIL(rig_ledger().elems <= 2);
    }
    UNTIL(rig_ledger().elems == 0);
    px_kernel_ledger(rig->kernel, &l);
    ck_assert_uint_le(l.mem, rig->before.mem + 100000);
    ck_assert_uint_eq(l.calls, 0);
    ck_assert_uint_eq(descriptors(), before);
}
END_TEST

/* ---- the place ---- */

static char folder[64], why[PX_DOOR_WHY_MAX];

static void place_setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/plexus-place-test-%ld", (long)getpid());
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(unsetenv("RUNTIME_DIRECTORY"), 0);
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
}

static void place_teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_door_has_a_folder_that_nobody_else_may_enter)
{
    struct px_door_place place;
    struct stat st;
    char path[PX_DOOR_PATH_MAX];
    ck_assert_int_eq(px_door_bind("web", false, &place, why), PX_EOK);
    ck_assert_int_eq(stat(place.folder, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_int_eq(px_door_find("web", path, why), PX_EOK);
    ck_assert_str_eq(path, place.socket);
    px_door_unbind(&place);
    ck_assert_int_eq(px_door_find("web", path, why), PX_ENOENT);
    ck_assert_str_eq(why, "no door is named 'web': start one with plexus serve --name web");
}
END_TEST

START_TEST(a_name_that_is_held_is_refused_with_the_process)
{
    struct px_door_place place, other;
    char pid[16];
    ck_assert_int_eq(px_door_bind("web", false, &place, why), PX_EOK);
    ck_assert_int_eq(px_door_bind("web", false, &other, why), PX_EEXIST);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    ck_assert_ptr_nonnull(strstr(why, pid));
    px_door_unbind(&place);
}
END_TEST

START_TEST(a_socket_left_over_is_replaced)
{
    struct px_door_place place;
    char lock[PX_DOOR_PATH_MAX + 8];
    ck_assert_int_eq(px_door_bind("web", false, &place, why), PX_EOK);
    close(place.listen_fd); /* as if the process had died */
    close(place.lock_fd);
    snprintf(lock, sizeof lock, "%s/lock", place.folder);
    ck_assert_int_eq(access(place.socket, F_OK), 0);
    ck_assert_int_eq(px_door_bind("web", false, &place, why), PX_EOK);
    px_door_unbind(&place);
}
END_TEST

START_TEST(names_are_short_and_paths_are_folders)
{
    struct px_door_place place;
    char path[PX_DOOR_PATH_MAX], own[96];
    ck_assert_int_eq(px_door_bind("", false, &place, why), PX_EINVAL);
    ck_assert_int_eq(px_door_bind(".web", false, &place, why), PX_EINVAL);
    ck_assert_int_eq(px_door_bind("0123456789012345678901234567890", false, &place, why), PX_EOK);
    px_door_unbind(&place);
    ck_assert_int_eq(px_door_bind("01234567890123456789012345678901", false, &place, why),
                     PX_EINVAL);
    snprintf(own, sizeof own, "%s/own", folder);
    ck_assert_int_eq(px_door_bind(own, true, &place, why), PX_EOK);
    ck_assert_int_eq(px_door_find(own, path, why), PX_EOK);
    px_door_unbind(&place);
}
END_TEST

START_TEST(a_folder_that_others_may_write_is_not_used)
{
    struct px_door_place place;
    char base[96];
    snprintf(base, sizeof base, "%s/plexus", folder);
    ck_assert_int_eq(mkdir(base, 0700), 0);
    ck_assert_int_eq(chmod(base, 0777), 0);
    ck_assert_int_eq(px_door_bind("web", false, &place, why), PX_EDENIED);
    ck_assert_ptr_nonnull(strstr(why, "XDG_RUNTIME_DIR"));
}
END_TEST

int main(void)
{
    const TTest *const calls[] = {
        a_call_is_answered_with_the_id_it_came_with,
        a_request_in_pieces_of_a_byte_is_the_same_request,
        requests_written_together_are_answered_each,
        payload_goes_through_both_ways,
        a_status_without_body_says_so_in_words,
        what_stands_before_a_request_is_sent_back,
        an_unknown_service_is_told_which_there_are,
        an_unknown_method_is_told_which_there_are,
        what_is_not_a_single_call_is_unsupported,
        another_version_is_told_which_is_spoken,
        a_rule_narrows_what_its_user_may_call,
        of_what_may_only_be_looked_at_other_methods_are_denied,
        a_service_that_has_ended_is_gone,
        a_call_that_names_no_deadline_has_thirty_seconds,
        a_deadline_of_its_own_counts,
        a_message_that_is_not_finished_in_ten_seconds_ends_its_client,
        a_client_that_does_not_greet_ends_but_one_at_rest_stays,
        who_reads_nothing_for_thirty_seconds_is_ended,
        one_call_more_than_may_be_under_way_is_busy,
        one_client_more_than_may_be_is_closed_at_once,
        a_request_of_the_longest_length_is_taken_and_one_more_is_too_large,
        eight_gibibytes_are_refused_by_their_head_and_cost_nothing,
        a_body_longer_than_the_request_is_refused_and_the_client_goes_on,
        a_request_of_empty_fields_without_end_is_a_bad_one,
        what_is_not_finished_fills_the_memory_of_the_door_and_no_more,
        answers_that_nobody_reads_stop_at_the_memory_of_the_door,
        another_greeting_ends_a_client,
        a_message_that_nobody_could_be_answered_ends_its_client,
        the_calls_of_a_client_that_goes_are_taken_back,
        ten_thousand_clients_come_and_go_and_leave_nothing,
    };
    const TTest *const places[] = {
        a_door_has_a_folder_that_nobody_else_may_enter,
        a_name_that_is_held_is_refused_with_the_process,
        a_socket_left_over_is_replaced,
        names_are_short_and_paths_are_folders,
        a_folder_that_others_may_write_is_not_used,
    };
    Suite *suite = suite_create("door");
    TCase *with_rig = tcase_create("calls"), *without = tcase_create("place");
    tcase_add_checked_fixture(with_rig, rig_begin, rig_end);
    tcase_add_checked_fixture(without, place_setup, place_teardown);
    tcase_set_timeout(with_rig, 60);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        tcase_add_test(with_rig, calls[i]);
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        tcase_add_test(without, places[i]);
    }
    suite_add_tcase(suite, with_rig);
    suite_add_tcase(suite, without);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
