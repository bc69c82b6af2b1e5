/* door_client.c - see door_client.h. */
#include "door_client.h"

#include <errno.h>
#include <px/bytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATH_MAX_LEN = 108,
    NAME_LEN_MAX = 255,
    ANSWER_MAX = 64 << 20,
    GREETING_LEN = 8,
    HEAD_LEN = 9,
    REPLY_HEAD_LEN = 16, /* the word and the head */
    GRACE_MS = 5000,     /* beyond the deadline: the door answers in time */
    DEADLINE_MS = 30000, /* the door's, for calls that name none */
};

static bool failed(const struct door_client *client, const char *why)
{
    fprintf(stderr, "plexus %s: the door '%s': %s\n", client->command, client->name, why);
    return false;
}

static bool closed(const struct door_client *client)
{
    return failed(client, "it closed the connection: it is full, is not open to this user, or its "
                          "process ended");
}

/* ---- bytes ---- */

static bool write_all(const struct door_client *client, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EPIPE || errno == ECONNRESET ? closed(client)
                                                         : failed(client, strerror(errno));
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(const struct door_client *client, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(client->fd, bytes, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n == 0 || (n < 0 && errno == ECONNRESET)) {
            return closed(client);
        }
        if (n < 0) {
            return failed(client, errno == EAGAIN ? "no answer came" : strerror(errno));
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool set_patience(const struct door_client *client, uint32_t ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    return setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 ||
           failed(client, strerror(errno));
}

/* ---- the connection ---- */

static bool greet(const struct door_client *client)
{
    static const uint8_t ours[GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t theirs[GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t back[GREETING_LEN];
    return set_patience(client, GRACE_MS) && write_all(client, ours, sizeof ours) &&
           read_all(client, back, sizeof back) &&
           (memcmp(back, theirs, sizeof back) == 0 || failed(client, "what answers is no door"));
}

bool door_client_open(struct door_client *client, const char *command, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    *client = (struct door_client){.command = command, .name = name, .fd = -1, .next_id = 1};
    if (px_door_path(name, addr.sun_path, sizeof addr.sun_path) != PX_EOK) {
        fprintf(stderr,
                "plexus %s: no door is named '%s'\n"
                "start one with: plexus serve --name %s\n",
                command, name, name);
        return false;
    }
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        (void)failed(client,
                     errno == ECONNREFUSED ? "nobody is behind it any more" : strerror(errno));
        door_client_close(client);
        return false;
    }
    if (!greet(client)) {
        door_client_close(client);
        return false;
    }
    return true;
}

void door_client_close(struct door_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
}

/* ---- calls ---- */

static bool request_write(struct door_client *client, const char *service, const char *method,
                          const void *body, size_t body_len, uint32_t deadline_ms)
{
    size_t service_len = strlen(service), method_len = strlen(method);
    size_t len = REPLY_HEAD_LEN + service_len + method_len + body_len;
    if (service_len > NAME_LEN_MAX || method_len > NAME_LEN_MAX) {
        return failed(client, "a name is longer than 255 bytes");
    }
    uint8_t *bytes = malloc(HEAD_LEN + len);
    if (bytes == NULL) {
        return failed(client, px_err_text(PX_ENOMEM));
    }
    struct px_bytes_out out = px_bytes_out_of(bytes, HEAD_LEN + len);
    px_bytes_put_u8(&out, 1);
    px_bytes_put_u64be(&out, len);
    px_bytes_put_u32be(&out, client->next_id | UINT32_C(0x80000000));
    px_bytes_put_u8(&out, 1); /* version */
    px_bytes_put_u8(&out, 1); /* a call */
    px_bytes_put_u8(&out, (uint8_t)service_len);
    px_bytes_put_u8(&out, (uint8_t)method_len);
    px_bytes_put_u32le(&out, deadline_ms);
    px_bytes_put_u32le(&out, (uint32_t)body_len);
    px_bytes_put_str(&out, service);
    px_bytes_put_str(&out, method);
    px_bytes_put(&out, body, body_len);
    bool done = write_all(client, bytes, HEAD_LEN + len);
    free(bytes);
    return done;
}

/* Takes `len` bytes apart. */
static bool answer_read(const struct door_client *client, size_t len, struct door_answer *answer)
{
    struct px_bytes in = px_bytes_of(answer->bytes, len);
    uint32_t id = px_bytes_u32be(&in);
    uint8_t version = px_bytes_u8(&in);
    px_bytes_skip(&in, 1);
    answer->status = (enum px_status)px_bytes_u16le(&in);
    size_t text_len = px_bytes_u32le(&in);
    answer->body_len = px_bytes_u32le(&in);
    struct px_span text = px_bytes_take(&in, text_len);
    answer->body = px_bytes_take(&in, answer->body_len).ptr;
    answer->payload_len = px_bytes_left(&in);
    if (in.failed || version != 1 || id != (client->next_id | UINT32_C(0x80000000))) {
        return failed(client, "an answer makes no sense");
    }
    answer->text = strndup(text.len == 0 ? "" : (const char *)text.ptr, text.len);
    return answer->text != NULL || failed(client, px_err_text(PX_ENOMEM));
}

bool door_client_call(struct door_client *client, const char *service, const char *method,
                      const void *body, size_t body_len, uint32_t deadline_ms,
                      struct door_answer *ret_answer)
{
    uint8_t head[HEAD_LEN];
    struct door_answer answer = {.text = NULL};
    uint32_t patience = (deadline_ms == 0 ? DEADLINE_MS : deadline_ms) + GRACE_MS;
    client->next_id = (client->next_id + 1) & 0x7fffffff;
    if (!set_patience(client, patience) ||
        !request_write(client, service, method, body, body_len, deadline_ms) ||
        !read_all(client, head, sizeof head)) {
        return false;
    }
    struct px_bytes in = px_bytes_of(head + 1, sizeof head - 1);
    uint64_t len = px_bytes_u64be(&in);
    if (head[0] != 1 || len < REPLY_HEAD_LEN || len > ANSWER_MAX) {
        return failed(client, "an answer makes no sense");
    }
    answer.bytes = malloc(len);
    if (answer.bytes == NULL) {
        return failed(client, px_err_text(PX_ENOMEM));
    }
    if (!read_all(client, answer.bytes, len) || !answer_read(client, len, &answer)) {
        door_answer_free(&answer);
        return false;
    }
    *ret_answer = answer;
    return true;
}

void door_answer_free(struct door_answer *answer)
{
    free(answer->text);
    free(answer->bytes);
    *answer = (struct door_answer){.text = NULL};
}

/* ---- inspect ---- */

void *door_client_inspect(struct door_client *client, const char *method, const char *service,
                          const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type)
{
    struct door_answer answer;
    uint8_t body[512];
    size_t len = request == NULL ? 0 : protobuf_c_message_get_packed_size(request);
    if (len > sizeof body) {
        (void)failed(client, "a name is longer than 255 bytes");
        return NULL;
    }
    if (len > 0) {
        (void)protobuf_c_message_pack(request, body);
    }
    if (!door_client_call(client, "inspect", method, body, len, 0, &answer)) {
        return NULL;
    }
    void *message = NULL;
    if (answer.status == PX_NOT_FOUND && service != NULL) {
        fprintf(stderr, "plexus %s: no service '%s' to look at or call; 'plexus ps' lists them\n",
                client->command, service);
    } else if (answer.status != PX_OK) {
        fprintf(stderr, "plexus %s: inspect.%s: %s: %s\n", client->command, method,
                px_status_name(answer.status), answer.text);
    } else {
        message = protobuf_c_message_unpack(type, NULL, answer.body_len, answer.body);
        if (message == NULL) {
            (void)failed(client, "an answer makes no sense");
        }
    }
    door_answer_free(&answer);
    return message;
}

Inspect__Description *door_client_describe(struct door_client *client, const char *service)
{
    Inspect__ServiceName name = INSPECT__SERVICE_NAME__INIT;
    name.name.data = (uint8_t *)(uintptr_t)service;
    name.name.len = strlen(service);
    return door_client_inspect(client, "Describe", service, &name.base,
                               &inspect__description__descriptor);
}
