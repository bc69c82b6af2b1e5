/* hello.c - see hello.h. */
#include "hello.h"

#include <errno.h>
#include <inttypes.h>
#include <px/assert.h>
#include <px/link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "frame.h"
#include "lane_impl.h"
#include "link_contract.h"

/* ---- what is said ---- */

static ProtobufCBinaryData text_of(const char *text)
{
    union {
        const char *text;
        uint8_t *bytes;
    } u = {.text = text};
    return (ProtobufCBinaryData){strlen(text), u.bytes};
}

void px_hello_fill(const char *program, const struct px_contract *const *contracts, size_t n,
                   struct px_hello *ret)
{
    PX_ASSERT(n <= PX_HELLO_CONTRACTS_MAX);
    link__hello_from__init(&ret->from);
    ret->from.version = PX_LINK_VERSION;
    ret->from.program = text_of(program);
    for (size_t i = 0; i < n; i++) {
        link__contract_form__init(&ret->forms[i]);
        ret->forms[i].number = contracts[i]->number;
        ret->forms[i].hash = px_contract_hash(contracts[i]);
        ret->forms[i].name = text_of(contracts[i]->descriptor->name);
        ret->list[i] = &ret->forms[i];
    }
    ret->from.contracts = ret->list;
    ret->from.n_contracts = n;
}

/* What a stranger calls himself, fit to be printed. */
static void printable(const ProtobufCBinaryData *name, char *ret, size_t size)
{
    size_t n = name->len < size - 1 ? name->len : size - 1;
    for (size_t i = 0; i < n; i++) {
        ret[i] = name->data[i] >= ' ' && name->data[i] < 0x7f ? (char)name->data[i] : '?';
    }
    ret[n] = '\0';
}

static enum px_err forms_check(const struct px_hello *ours, const Link__HelloFrom *theirs,
                               const char *program, char *ret_why)
{
    for (size_t i = 0; i < ours->from.n_contracts; i++) {
        for (size_t k = 0; k < theirs->n_contracts; k++) {
            const Link__ContractForm *a = &ours->forms[i], *b = theirs->contracts[k];
            if (a->number == b->number && a->hash != b->hash) {
                snprintf(ret_why, PX_HELLO_WHY_MAX,
                         "contract %.*s is %016" PRIx64 " in %.*s and %016" PRIx64
                         " in %s: they are not of one build",
                         (int)a->name.len, (const char *)a->name.data, a->hash,
                         (int)ours->from.program.len, (const char *)ours->from.program.data,
                         b->hash, program);
                return PX_EUNSUPPORTED;
            }
        }
    }
    return PX_EOK;
}

enum px_err px_hello_check(const struct px_hello *ours, const uint8_t *body, size_t len,
                           char ret_why[PX_HELLO_WHY_MAX])
{
    char program[65];
    Link__HelloFrom *theirs =
        len > PX_HELLO_BODY_MAX ? NULL : link__hello_from__unpack(NULL, len, body);
    if (theirs == NULL) {
        snprintf(ret_why, PX_HELLO_WHY_MAX, "the far end's Hello cannot be read");
        return PX_EINVAL;
    }
    enum px_err err = PX_EOK;
    printable(&theirs->program, program, sizeof program);
    if (theirs->version != PX_LINK_VERSION) {
        snprintf(ret_why, PX_HELLO_WHY_MAX,
                 "%.*s speaks version %d of the link protocol and %s version %" PRIu32,
                 (int)ours->from.program.len, (const char *)ours->from.program.data,
                 (int)PX_LINK_VERSION, program, theirs->version);
        err = PX_EUNSUPPORTED;
    } else {
        err = forms_check(ours, theirs, program, ret_why);
    }
    link__hello_from__free_unpacked(theirs, NULL);
    return err;
}

/* ---- waiting for bytes ---- */

static enum px_err read_all(int fd, void *ret, size_t len)
{
    uint8_t *to = ret;
    while (len > 0) {
        ssize_t n = recv(fd, to, len, MSG_WAITALL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return PX_EIO;
        }
        to += n;
        len -= (size_t)n;
    }
    return PX_EOK;
}

static enum px_err write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return PX_EIO;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return PX_EOK;
}

/* ---- the spawned end ---- */

enum px_err px_hello_write_message(int fd, uint16_t method, const ProtobufCMessage *body)
{
    size_t body_len = protobuf_c_message_get_packed_size(body);
    size_t len = LANE_MESSAGE_HEAD + PX_FRAME_HEADER_LEN + body_len;
    uint8_t *bytes = malloc(len);
    if (bytes == NULL) {
        return PX_ENOMEM;
    }
    struct px_bytes_out head = px_bytes_out_of(bytes, LANE_MESSAGE_HEAD);
    px_bytes_put_u8(&head, 1);
    px_bytes_put_u64be(&head, LANE_HOPS_LEN + PX_FRAME_HEADER_LEN + body_len);
    px_bytes_put_u32be(&head, 1);
    struct px_frame_header header = lane_control_header(method, body_len);
    px_frame_header_write(&header, bytes + LANE_MESSAGE_HEAD);
    (void)protobuf_c_message_pack(body, bytes + LANE_MESSAGE_HEAD + PX_FRAME_HEADER_LEN);
    enum px_err err = write_all(fd, bytes, len);
    free(bytes);
    return err;
}

enum px_err px_hello_write(int fd, const struct px_hello *hello)
{
    PX_TRY(write_all(fd, lane_greeting, LANE_GREETING_LEN));
    return px_hello_write_message(fd, LINK_HELLO, &hello->from.base);
}

/* The next frame must be this method. */
static enum px_err frame_read(int fd, uint16_t method, uint64_t *message_left,
                              struct px_hello_body *ret)
{
    static const struct px_frame_limits limits = {.body_max = PX_HELLO_BODY_MAX};
    uint8_t bytes[PX_FRAME_HEADER_LEN];
    struct px_frame_header header;
    if (*message_left == 0) {
        PX_TRY(read_all(fd, bytes, LANE_MESSAGE_HEAD));
        struct px_bytes head = px_bytes_of(bytes, LANE_MESSAGE_HEAD);
        uint8_t kind = px_bytes_u8(&head);
        *message_left = px_bytes_u64be(&head);
        if (kind != 1 || *message_left < LANE_HOPS_LEN) {
            return PX_EINVAL;
        }
        *message_left -= LANE_HOPS_LEN;
    }
    PX_TRY(read_all(fd, bytes, sizeof bytes));
    if (!px_frame_header_read(bytes, &limits, &header) || header.wire.method != method ||
        *message_left < PX_FRAME_HEADER_LEN + (uint64_t)header.body_len) {
        return PX_EINVAL;
    }
    *message_left -= PX_FRAME_HEADER_LEN + (uint64_t)header.body_len;
    uint8_t *body = malloc((size_t)header.body_len + 1);
    if (body == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = read_all(fd, body, header.body_len);
    if (err != PX_EOK) {
        free(body);
        return err;
    }
    *ret = (struct px_hello_body){.bytes = body, .len = header.body_len};
    return PX_EOK;
}

/* Descriptors that came with a message; those of rings, or none. */
static void offer_take(struct msghdr *m, int ret_fds[PX_RING_FDS])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    for (int i = 0; i < PX_RING_FDS; i++) {
        ret_fds[i] = -1;
    }
    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
        return;
    }
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(ret_fds, CMSG_DATA(c), (n < PX_RING_FDS ? n : PX_RING_FDS) * sizeof(int));
    if (n < PX_RING_FDS) {
        px_rings_close(ret_fds);
    }
}

static enum px_err greeting_read(int fd, int ret_fds[PX_RING_FDS])
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(PX_RING_FDS * sizeof(int))];
    } control;
    uint8_t bytes[LANE_GREETING_LEN];
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do {
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return PX_EIO;
    }
    offer_take(&m, ret_fds);
    enum px_err err = read_all(fd, bytes + n, sizeof bytes - (size_t)n);
    if (err == PX_EOK && memcmp(bytes, lane_greeting, sizeof bytes) != 0) {
        err = PX_EINVAL;
    }
    if (err != PX_EOK) {
        px_rings_close(ret_fds);
    }
    return err;
}

static enum px_err opening_read(int fd, struct px_hello_body *ret_hello,
                                struct px_hello_body *ret_setup)
{
    uint64_t message_left = 0;
    struct px_hello_body hello;
    PX_TRY(frame_read(fd, LINK_HELLO, &message_left, &hello));
    enum px_err err = frame_read(fd, LINK_SETUP, &message_left, ret_setup);
    if (err == PX_EOK && message_left > 0) {
        free(ret_setup->bytes);
        err = PX_EINVAL;
    }
    if (err != PX_EOK) {
        free(hello.bytes);
        return err;
    }
    *ret_hello = hello;
    return PX_EOK;
}

enum px_err px_hello_read(int fd, struct px_hello_body *ret_hello, struct px_hello_body *ret_setup,
                          int ret_offer[PX_RING_FDS])
{
    int offer[PX_RING_FDS];
    PX_TRY(greeting_read(fd, offer));
    enum px_err err = opening_read(fd, ret_hello, ret_setup);
    if (err != PX_EOK) {
        px_rings_close(offer);
        return err;
    }
    memcpy(ret_offer, offer, sizeof offer);
    return PX_EOK;
}

enum px_err px_hello_begin(int fd)
{
    uint64_t message_left = 0;
    struct px_hello_body body;
    PX_TRY(frame_read(fd, LINK_BEGIN, &message_left, &body));
    free(body.bytes);
    return message_left == 0 ? PX_EOK : PX_EINVAL;
}
