/* door_rig.c - see door_rig.h. */
#include "door_rig.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "door.pb-c.h"
#include "door_contract.h"
#include "ktest.pb-c.h"

struct rig *rig;

/* ---- the service behind it ---- */

struct toy {
    struct px_env *env;
};

static enum px_err toy_init(void *state, struct px_env *env)
{
    ((struct toy *)state)->env = env;
    return PX_EOK;
}

static void toy_ask(void *state, const struct px_msg *msg)
{
    struct px_env *env = ((struct toy *)state)->env;
    const Ktest__Number *asked = msg->body;
    rig->n_asked++;
    if (asked->value == 0) {
        px_call_tag(env, msg, 7);
        return;
    }
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    m->value = asked->value + 1;
    if (asked->value >= 1000) {
        struct px_buf *buf = px_buf_new(env, asked->value);
        memset(px_buf_data(buf), 'p', asked->value);
        ck_assert(px_msg_attach_take(m, buf, 0, (uint32_t)asked->value));
    }
    px_reply(env, msg, PX_OK, m);
}

static void toy_retry(void *state, const struct px_msg *msg)
{
    px_reply_status(((struct toy *)state)->env, msg, PX_LIMIT);
}

static void toy_plant(void *state, const struct px_msg *msg)
{
    const Ktest__Tree *asked = msg->body;
    Ktest__Tree *m = px_msg_new(((struct toy *)state)->env, &ktest__tree__descriptor);
    px_msg_put(m, &m->name, asked->name.data, asked->name.len);
    px_msg_attach_all(m, msg);
    px_reply(((struct toy *)state)->env, msg, PX_OK, m);
}

/* Items as many as it may send, each with its number; a reply behind the one that was asked for. */
static void toy_watch(void *state, const struct px_msg *msg)
{
    if (rig->is_storm) {
        return;
    }
    px_call_tag(((struct toy *)state)->env, msg, 7);
    rig->watched = px_msg_hold(msg);
}

static void toy_more(void *state, uint64_t tag, uint32_t n)
{
    struct px_env *env = ((struct toy *)state)->env;
    if (rig->is_storm) {
        return;
    }
    const Ktest__Number *asked = rig->watched->body;
    ck_assert_uint_eq(tag, 7);
    rig->n_more += n;
    for (; n > 0 && rig->n_items < asked->value; n--) {
        Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
        m->value = ++rig->n_items;
        if (rig->item_len > 0) {
            struct px_buf *buf = px_buf_new(env, rig->item_len);
            memset(px_buf_data(buf), 'i', rig->item_len);
            ck_assert(px_msg_attach_take(m, buf, 0, rig->item_len));
        }
        ck_assert(px_item(env, rig->watched, m));
    }
    if (rig->n_items == asked->value) {
        px_reply_status(env, rig->watched, PX_OK);
        px_msg_release(rig->watched);
        rig->watched = NULL;
    }
}

static void toy_bytes(void *state, const struct px_msg *msg)
{
    (void)state;
    rig->told = ((const Ktest__Number *)msg->body)->value;
    rig->told_tag = msg->tag;
    rig->told_len = px_msg_payload_len(msg);
}

static void toy_ended(void *state, uint64_t tag, enum px_status reason)
{
    (void)state;
    ck_assert(tag == 7 || rig->is_storm);
    rig->n_ended++;
    rig->ended = reason;
    px_msg_release(rig->watched);
    rig->watched = NULL;
}

static const struct px_handler toy_handlers[] = {{TOY_ASK, toy_ask},
                                                 {TOY_RETRY, toy_retry},
                                                 {TOY_PLANT, toy_plant},
                                                 {TOY_WATCH, toy_watch},
                                                 {STACK_BYTES, toy_bytes}};

static const struct px_service toy_service = {
    .name = "toy",
    .state_size = sizeof(struct toy),
    .handlers = toy_handlers,
    .n_handlers = 5,
    .init = toy_init,
    .ended = toy_ended,
    .more = toy_more,
};

/* ---- the kernel ---- */

static uint64_t rig_clock(void *ctx)
{
    (void)ctx;
    return rig->now_us;
}

static void rig_log(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    (void)unlink(path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    return fd;
}

static void outside_add(struct px_kernel *k)
{
    ck_assert_int_eq(px_kernel_contract(k, &px_contract_outside), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(k, &px_contract_stack), PX_EOK);
    for (int i = 0; i < RIG_SERVICES; i++) {
        px_addr *addr = &rig->outside[i];
        ck_assert_int_eq(px_kernel_add_remote(k, i == 0 ? "outside1" : "outside2", addr), PX_EOK);
        ck_assert_int_eq(px_kernel_allow(k, rig->guest, PX_C_OUTSIDE, *addr), PX_EOK);
        ck_assert_int_eq(px_kernel_allow(k, rig->toy, PX_C_TOY, *addr), PX_EOK);
        ck_assert_int_eq(px_kernel_allow(k, *addr, PX_C_STACK, rig->toy), PX_EOK);
    }
    rig->role = (struct px_door_role){&px_contract_toy, &px_contract_stack, rig->toy};
}

static void kernel_begin(uint32_t clients_max, bool with_rule)
{
    struct px_posix_config config = {.log = rig_log};
    ck_assert_int_eq(px_posix_new(&config, &rig->os), PX_EOK);
    struct px_world world = *px_posix_world(rig->os);
    world.monotonic_us = rig_clock;
    ck_assert_int_eq(px_kernel_new(&world, NULL, &rig->kernel), PX_EOK);
    struct px_kernel *k = rig->kernel;
    ck_assert_int_eq(px_kernel_contract(k, &px_contract_toy), PX_EOK);
    ck_assert_int_eq(px_kernel_add(k, &toy_service, NULL, NULL, &rig->toy), PX_EOK);
    ck_assert_int_eq(px_kernel_add(k, &px_door_service, NULL, NULL, &rig->door), PX_EOK);
    ck_assert_int_eq(px_kernel_add_remote(k, "guest", &rig->guest), PX_EOK);
    ck_assert_int_eq(px_kernel_allow(k, rig->guest, PX_C_TOY, rig->toy), PX_EOK);
    outside_add(k);
    ck_assert_int_eq(px_kernel_start(k), PX_EOK);
    rig->target = (struct px_door_target){rig->toy, "toy", &px_contract_toy, false, "Retry"};
    struct px_door_setup setup = {.listen_fd = rig->listen_fd,
                                  .guest = rig->guest,
                                  .targets = &rig->target,
                                  .n_targets = 1,
                                  .rules = &rig->rule,
                                  .n_rules = with_rule ? 1 : 0,
                                  .roles = &rig->role,
                                  .n_roles = 1,
                                  .outside = {rig->outside[0], rig->outside[1]},
                                  .n_outside = RIG_SERVICES,
                                  .clients_max = clients_max,
                                  .calls_max = RIG_CALLS,
                                  .message_max = RIG_REQUEST,
                                  .memory_max = RIG_MEMORY};
    ck_assert_int_eq(px_door_open(px_kernel_env(k, rig->door), &setup), PX_EOK);
    rig_turns(2);
    px_kernel_ledger(k, &rig->before);
}

void rig_begin(void)
{
    rig = calloc(1, sizeof *rig);
    rig->now_us = 1000000;
    snprintf(rig->path, sizeof rig->path, "/tmp/plexus-door-test-%ld", (long)getpid());
    rig->listen_fd = listen_at(rig->path);
    kernel_begin(RIG_CLIENTS, false);
}

void rig_restart(uint32_t clients_max, bool with_rule, const char *const *services,
                 uint32_t n_services)
{
    px_kernel_free(rig->kernel);
    px_posix_free(rig->os);
    rig->rule = (struct px_door_rule){.uid = geteuid(),
                                      .services = services,
                                      .n_services = n_services,
                                      .provides = services,
                                      .n_provides = n_services};
    kernel_begin(clients_max, with_rule);
}

/* Whoever has gone, has left nothing. */
void rig_end(void)
{
    struct px_ledger l;
    rig_turns(4);
    rig_advance_us(PX_SEC(60));
    l = rig_ledger();
    ck_assert_uint_eq(l.elems, 0);
    ck_assert_uint_eq(l.timers, 0);
    ck_assert_uint_eq(l.pieces, 0);
    ck_assert_uint_eq(l.bufs, 0);
    px_kernel_ledger(rig->kernel, &l);
    ck_assert_uint_eq(l.calls, 0);
    px_kernel_free(rig->kernel);
    px_posix_free(rig->os);
    close(rig->listen_fd);
    (void)unlink(rig->path);
    free(rig);
    rig = NULL;
}

void rig_turns(int n)
{
    while (n-- > 0) {
        if (px_kernel_next_us(rig->kernel) > 0) {
            struct pollfd p = {.fd = px_posix_fd(rig->os), .events = POLLIN};
            (void)poll(&p, 1, 1);
        }
        px_kernel_turn(rig->kernel, 0);
    }
}

void rig_advance_us(uint64_t us)
{
    rig->now_us += us;
    rig_turns(2);
}

uint64_t rig_counter(const char *name)
{
    const char *at = NULL;
    for (uint32_t i = 0;; i++) {
        uint64_t n = px_kernel_counter(rig->kernel, rig->door, i, &at);
        ck_assert_ptr_nonnull(at);
        if (strcmp(at, name) == 0) {
            return n;
        }
    }
}

struct px_ledger rig_ledger(void)
{
    struct px_ledger l;
    px_service_ledger(rig->kernel, rig->door, &l);
    return l;
}

uint32_t descriptors(void)
{
    uint32_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

/* ---- clients ---- */

int far_connect(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", rig->path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    rig_turns(1);
    return fd;
}

void far_write(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            rig_turns(1);
            continue;
        }
        at += n;
        len -= (size_t)n;
    }
}

/* Waits for exactly `len` bytes. */
static void far_read(int fd, void *ret, size_t len)
{
    uint8_t *at = ret;
    for (int i = 0; len > 0 && i < 3000; i++) {
        ssize_t n = recv(fd, at, len, MSG_DONTWAIT);
        ck_assert_msg(n != 0, "the door closed the connection");
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else {
            ck_assert_int_eq(errno, EAGAIN);
            rig_turns(1);
        }
    }
    ck_assert_uint_eq(len, 0);
}

int far_open(void)
{
    static const uint8_t req[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t rep[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t back[8];
    int fd = far_connect();
    far_write(fd, req, sizeof req);
    far_read(fd, back, sizeof back);
    ck_assert_mem_eq(back, rep, sizeof rep);
    return fd;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(at, bytes, len);
    }
    return at + len;
}

static uint8_t *put_number(uint8_t *at, uint64_t number, int bytes, bool big)
{
    for (int i = 0; i < bytes; i++) {
        at[big ? bytes - 1 - i : i] = (uint8_t)(number >> 8 * i);
    }
    return at + bytes;
}

void say(struct said *said, uint32_t id, const char *service, const char *method, const void *body,
         size_t body_len, const void *payload, size_t payload_len)
{
    size_t names = strlen(service) + strlen(method);
    uint8_t *at = said->bytes;
    *at++ = 1;
    at = put_number(at, 4 + 12 + names + body_len + payload_len, 8, true);
    at = put_number(at, id | UINT32_C(0x80000000), 4, true);
    *at++ = 1; /* version */
    *at++ = 1; /* call */
    *at++ = (uint8_t)strlen(service);
    *at++ = (uint8_t)strlen(method);
    at = put_number(at, 0, 4, false); /* deadline */
    at = put_number(at, body_len, 4, false);
    at = put(at, service, strlen(service));
    at = put(at, method, strlen(method));
    at = put(at, body, body_len);
    at = put(at, payload, payload_len);
    said->len = (size_t)(at - said->bytes);
}

void ask(int fd, uint32_t id, uint64_t value)
{
    static struct said said;
    uint8_t body[16];
    Ktest__Number number = KTEST__NUMBER__INIT;
    number.value = value;
    size_t len = ktest__number__pack(&number, body);
    say(&said, id, "toy", "Ask", body, len, NULL, 0);
    far_write(fd, said.bytes, said.len);
}

static uint64_t number_at(const uint8_t *at, int bytes, bool big)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number |= (uint64_t)at[big ? bytes - 1 - i : i] << 8 * i;
    }
    return number;
}

/* Reads `len` bytes, keeps the first `room`. */
static void far_read_some(int fd, size_t len, void *ret, size_t room)
{
    uint8_t piece[4096];
    size_t kept = len < room ? len : room;
    far_read(fd, ret, kept);
    for (len -= kept; len > 0; len -= kept) {
        kept = len < sizeof piece ? len : sizeof piece;
        far_read(fd, piece, kept);
    }
}

struct heard hear(int fd)
{
    uint8_t head[25];
    struct heard h = {.id = 0};
    far_read(fd, head, sizeof head);
    ck_assert_uint_eq(head[0], 1);
    uint64_t len = number_at(head + 1, 8, true);
    h.id = (uint32_t)number_at(head + 9, 4, true) & 0x7fffffff;
    ck_assert_uint_eq(head[13], 1); /* version */
    h.flags = head[14];
    h.status = (unsigned)number_at(head + 15, 2, false);
    h.text_len = number_at(head + 17, 4, false);
    h.body_len = number_at(head + 21, 4, false);
    ck_assert_uint_le(16 + h.text_len + h.body_len, len);
    h.payload_len = len - 16 - h.text_len - h.body_len;
    far_read_some(fd, h.text_len, h.text, sizeof h.text - 1);
    far_read_some(fd, h.body_len, h.body, sizeof h.body);
    far_read_some(fd, h.payload_len, NULL, 0);
    return h;
}

/* ---- attached ---- */

int pair_open(void)
{
    static const uint8_t pair[] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};
    uint8_t back[8];
    int fd = far_connect();
    far_write(fd, pair, sizeof pair);
    far_read(fd, back, sizeof back);
    ck_assert_mem_eq(back, pair, sizeof pair);
    return fd;
}

void pair_make(struct said *ret, const struct pair *p)
{
    size_t service = p->service == NULL ? 0 : strlen(p->service);
    size_t method = p->method == NULL ? 0 : strlen(p->method);
    size_t text = p->text == NULL ? 0 : strlen(p->text);
    uint8_t *at = ret->bytes;
    *at++ = 1;
    at = put_number(at, 4 + 24 + service + method + text + p->body_len + p->payload_len, 8, true);
    at = put_number(at, 1, 4, true); /* hops */
    *at++ = 1;                       /* version */
    *at++ = (uint8_t)p->kind;
    at = put_number(at, p->status, 2, false);
    at = put_number(at, p->number, 4, false);
    at = put_number(at, p->id, 8, false);
    *at++ = (uint8_t)service;
    *at++ = (uint8_t)method;
    at = put_number(at, text, 2, false);
    at = put_number(at, p->body_len, 4, false);
    at = put(at, p->service, service);
    at = put(at, p->method, method);
    at = put(at, p->text, text);
    at = put(at, p->body, p->body_len);
    at = put(at, p->payload, p->payload_len);
    ret->len = (size_t)(at - ret->bytes);
}

void pair_say(int fd, const struct pair *p)
{
    static struct said said;
    pair_make(&said, p);
    far_write(fd, said.bytes, said.len);
}

void pair_provide(int fd, const char *name, const char *description, bool with_role)
{
    uint8_t body[512];
    Door__Offer offer = DOOR__OFFER__INIT;
    offer.name = (ProtobufCBinaryData){strlen(name), (uint8_t *)(uintptr_t)name};
    offer.description =
        (ProtobufCBinaryData){strlen(description), (uint8_t *)(uintptr_t)description};
    if (with_role) {
        offer.contract = (ProtobufCBinaryData){9, (uint8_t *)(uintptr_t) "ktest.Toy"};
        offer.hash = px_contract_hash(&px_contract_toy);
    }
    pair_say(fd, &(struct pair){.kind = 1,
                                .id = 900,
                                .service = "door",
                                .method = "Provide",
                                .body = body,
                                .body_len = door__offer__pack(&offer, body)});
}

struct pair_heard pair_hear(int fd)
{
    uint8_t head[37];
    struct pair_heard h = {.id = 0};
    far_read(fd, head, sizeof head);
    ck_assert_uint_eq(head[0], 1);
    uint64_t len = number_at(head + 1, 8, true);
    ck_assert_uint_eq(number_at(head + 9, 4, true), 1);
    ck_assert_uint_eq(head[13], 1);
    h.kind = head[14];
    h.status = (unsigned)number_at(head + 15, 2, false);
    h.number = number_at(head + 17, 4, false);
    h.id = number_at(head + 21, 8, false);
    size_t service_len = head[29], method_len = head[30];
    size_t text_len = number_at(head + 31, 2, false);
    h.body_len = number_at(head + 33, 4, false);
    ck_assert_uint_le(28 + service_len + method_len + text_len + h.body_len, len);
    h.payload_len = len - 28 - service_len - method_len - text_len - h.body_len;
    far_read_some(fd, service_len, h.service, sizeof h.service - 1);
    far_read_some(fd, method_len, h.method, sizeof h.method - 1);
    far_read_some(fd, text_len, h.text, sizeof h.text - 1);
    far_read_some(fd, h.body_len, h.body, sizeof h.body);
    far_read_some(fd, h.payload_len, h.payload, sizeof h.payload);
    return h;
}

uint64_t pair_value(const struct pair_heard *heard)
{
    struct heard h = {.body_len = heard->body_len};
    memcpy(h.body, heard->body, heard->body_len);
    return heard_value(&h);
}

uint64_t heard_value(const struct heard *heard)
{
    Ktest__Number *n = ktest__number__unpack(NULL, heard->body_len, heard->body);
    ck_assert_ptr_nonnull(n);
    uint64_t value = n->value;
    ktest__number__free_unpacked(n, NULL);
    return value;
}

bool far_is_closed(int fd)
{
    uint8_t bytes[4096];
    rig_turns(2);
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0) {
            return n == 0 || errno == ECONNRESET;
        }
    }
}

void far_expect_silence(int fd)
{
    uint8_t byte;
    rig_turns(3);
    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    ck_assert_int_eq(errno, EAGAIN);
}
