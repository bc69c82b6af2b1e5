/* net_addr.c - addresses as net.proto writes them, and the ends of sockets. */
#include "net_impl.h"

#include <errno.h>
#include <px/assert.h>
#include <px/bytes.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char unix_prefix[] = "unix:";
static const char fd_prefix[] = "fd:";

enum {
    PREFIX_LEN = sizeof unix_prefix - 1,
    FD_PREFIX_LEN = sizeof fd_prefix - 1,
    PATH_AT = offsetof(struct sockaddr_un, sun_path)
};

static enum px_err parse_unix(const uint8_t *name, size_t len, struct net_addr *ret_addr)
{
    struct net_addr addr;
    memset(&addr, 0, sizeof addr);
    bool abstract = len > 0 && name[0] == '@';
    if (len < 2 || len >= sizeof addr.un.sun_path || memchr(name, 0, len) != NULL ||
        (!abstract && name[0] != '/')) {
        return PX_EINVAL;
    }
    addr.un.sun_family = AF_UNIX;
    memcpy(addr.un.sun_path, name, len);
    addr.len = (socklen_t)(PATH_AT + len + 1);
    if (abstract) { /* unix(7): a leading zero, and no closing one */
        addr.un.sun_path[0] = 0;
        addr.len--;
    }
    *ret_addr = addr;
    return PX_EOK;
}

enum px_err net_addr_parse(const uint8_t *text, size_t len, struct net_addr *ret_addr)
{
    if (len > PREFIX_LEN && memcmp(text, unix_prefix, PREFIX_LEN) == 0) {
        return parse_unix(text + PREFIX_LEN, len - PREFIX_LEN, ret_addr);
    }
    struct net_addr addr;
    memset(&addr, 0, sizeof addr);
    PX_TRY(px_sockaddr46_parse_port((const char *)text, len, &addr.ip));
    addr.len = px_sockaddr46_len(&addr.ip);
    *ret_addr = addr;
    return PX_EOK;
}

enum px_err net_addr_parse_fd(const uint8_t *text, size_t len, int *ret_fd)
{
    enum { DIGITS_MAX = 6, FIRST = 3 };
    int fd = 0;
    if (len <= FD_PREFIX_LEN || len > FD_PREFIX_LEN + DIGITS_MAX ||
        memcmp(text, fd_prefix, FD_PREFIX_LEN) != 0) {
        return PX_EINVAL;
    }
    for (size_t i = FD_PREFIX_LEN; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return PX_EINVAL;
        }
        fd = fd * 10 + (text[i] - '0');
    }
    if (fd < FIRST) {
        return PX_EINVAL;
    }
    *ret_fd = fd;
    return PX_EOK;
}

bool net_addr_is_unix(const struct net_addr *addr)
{
    return addr->sa.sa_family == AF_UNIX;
}

const char *net_addr_path(const struct net_addr *addr)
{
    return net_addr_is_unix(addr) && addr->un.sun_path[0] != 0 ? addr->un.sun_path : NULL;
}

size_t net_addr_print(const struct net_addr *addr, char ret_text[NET_TEXT_MAX])
{
    if (!net_addr_is_unix(addr)) {
        return px_sockaddr46_print_port(&addr->ip, ret_text, NET_TEXT_MAX);
    }
    const char *path = net_addr_path(addr);
    struct px_bytes_out out = px_bytes_out_of(ret_text, NET_TEXT_MAX);
    px_bytes_put_str(&out, unix_prefix);
    if (path != NULL) {
        px_bytes_put_str(&out, path);
    } else {
        px_bytes_put_u8(&out, '@');
        px_bytes_put(&out, addr->un.sun_path + 1, (size_t)addr->len - PATH_AT - 1);
    }
    size_t len = px_bytes_out_len(&out);
    px_bytes_put_u8(&out, 0);
    return len;
}

void net_addr_put(void *body, ProtobufCBinaryData *ret, const union px_sockaddr46 *addr)
{
    uint8_t wire[PX_SOCKADDR46_WIRE_MAX];
    size_t len = px_sockaddr46_pack(addr, wire);
    PX_ASSERT(len <= sizeof wire);
    if (len > 0) {
        px_msg_put(body, ret, wire, len);
    }
}

typedef int (*name_fn)(int fd, struct sockaddr *restrict ret, socklen_t *restrict len);

static void name_of(name_fn name, int fd, union px_sockaddr46 *ret_addr)
{
    struct net_addr addr;
    socklen_t len = sizeof addr.un;
    memset(&addr, 0, sizeof addr);
    memset(ret_addr, 0, sizeof *ret_addr);
    if (name(fd, &addr.sa, &len) == 0 && !net_addr_is_unix(&addr)) {
        *ret_addr = addr.ip;
    }
}

void net_addr_remote(int fd, union px_sockaddr46 *ret_addr)
{
    name_of(getpeername, fd, ret_addr);
}

void net_addr_local(int fd, union px_sockaddr46 *ret_addr)
{
    name_of(getsockname, fd, ret_addr);
}

bool net_addr_clear_stale(const struct net_addr *addr)
{
    const char *path = net_addr_path(addr);
    struct stat st;
    if (path == NULL || lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    bool dead = connect(fd, &addr->sa, addr->len) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return dead && unlink(path) == 0;
}
