/* host.c - the operating system below a system: its epoll loop, and the mailboxes net and file.
 * With domain.c the only file of this library that knows transports/posix.
 */
#include "lib.h"

#include <px/posix.h>
#include <px/sockaddr46.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "placement.h"
#include "posix_loop.h"

enum { WATCHES_MAX = 16 };

/* A descriptor of the program's in our loop. */
struct watch {
    struct posix_source source;
    px_watch_fn fn;
    void *arg;
};

struct host {
    struct px_posix *os;
    File__Config files;
    ProtobufCBinaryData roots[FILE_ROOTS_MAX];
    void (*log)(void *arg, unsigned level, const char *line);
    void *log_arg;
    uint8_t owner; /* the app mailbox among the owners of sources; 0: not yet */
    uint32_t n_watches;
    struct watch watches[WATCHES_MAX];
};

static void host_log(void *ctx, enum px_log_level level, const char *line)
{
    const struct host *host = ctx;
    host->log(host->log_arg, (unsigned)level, line);
}

static enum px_err root_add(struct host *host, const char *path)
{
    struct stat st;
    char *real = realpath(path, NULL);
    if (real == NULL) {
        return PX_ENOENT;
    }
    if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        free(real);
        return PX_ENOENT;
    }
    host->roots[host->files.n_roots++] = (ProtobufCBinaryData){strlen(real), (uint8_t *)real};
    return PX_EOK;
}

static enum px_err host_fill(struct host *host, const struct px_system_config *config)
{
    struct px_posix_config os_config = {.log_levels = PX_LOG_WARN + 1};
    file__config__init(&host->files);
    host->files.roots = host->roots;
    host->files.open_max = config->files_open_max;
    for (uint32_t i = 0; i < config->n_file_roots; i++) {
        PX_TRY(root_add(host, config->file_roots[i]));
    }
    if (config->log != NULL) {
        host->log = config->log;
        host->log_arg = config->log_arg;
        os_config.log = host_log;
        os_config.log_ctx = host;
    }
    return px_posix_new(&os_config, &host->os);
}

enum px_err host_new(const struct px_system_config *config, struct host **ret_host)
{
    struct host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return PX_ENOMEM;
    }
    enum px_err err = host_fill(host, config);
    if (err != PX_EOK) {
        host_free(host);
        return err;
    }
    *ret_host = host;
    return PX_EOK;
}

void host_free(struct host *take_host)
{
    if (take_host != NULL) {
        for (size_t i = 0; i < take_host->files.n_roots; i++) {
            free(take_host->roots[i].data);
        }
        px_posix_free(take_host->os);
        free(take_host);
    }
}

const struct px_world *host_world(const struct host *host)
{
    return px_posix_world(host->os);
}

const struct px_service *const host_net_service = &px_net_service;

enum px_err host_attach(struct host *host, struct px_system *system, px_addr *ret_net,
                        px_addr *ret_file)
{
    PX_TRY(placement_mailbox(system, &px_net_service, NULL, NULL, ret_net));
    return placement_mailbox(system, &px_file_service, NULL, &host->files, ret_file);
}

bool host_is_due(const struct host *host)
{
    return posix_puts_off(host->os);
}

int host_fd(const struct host *host)
{
    return px_posix_fd(host->os);
}

enum px_err host_address_text(const ProtobufCBinaryData *address, char *ret_text, size_t size)
{
    char text[PX_SOCKADDR46_TEXT_MAX] = "unix";
    union px_sockaddr46 addr;
    if (address->len > 0) {
        PX_TRY(px_sockaddr46_unpack(address->data, address->len, &addr));
        px_sockaddr46_print_port(&addr, text, sizeof text);
    }
    if (size > 0) {
        snprintf(ret_text, size, "%s", text);
    }
    return PX_EOK;
}

void host_address_ip(const ProtobufCBinaryData *address, char *ret_text, size_t size,
                     uint16_t *ret_port)
{
    char text[PX_SOCKADDR46_TEXT_MAX] = "unix";
    union px_sockaddr46 addr;
    *ret_port = 0;
    if (px_sockaddr46_unpack(address->data, address->len, &addr) == PX_EOK && address->len > 0) {
        px_sockaddr46_print(&addr, text, sizeof text);
        *ret_port = px_sockaddr46_port(&addr);
    }
    snprintf(ret_text, size, "%s", text);
}

/* ---- descriptors of the program ---- */

static void watch_ready(void *state, struct posix_source *source, uint32_t events)
{
    const struct app *app = state;
    const struct watch *watch = px_container_of(source, struct watch, source);
    (void)events;
    watch->fn(app->system, source->fd, watch->arg);
}

enum px_err px_system_watch(struct px_system *system, int take_fd, px_watch_fn fn, void *arg)
{
    struct host *host = system->host;
    PX_TRY(px_system_start(system));
    if (host->n_watches == WATCHES_MAX) {
        return system_fail(system, PX_ELIMIT, "watch", "too many descriptors are watched");
    }
    if (host->owner == 0) {
        PX_TRY(posix_join(host->os, system->app->env, system->app, watch_ready, &host->owner));
    }
    struct watch *watch = &host->watches[host->n_watches];
    *watch = (struct watch){.fn = fn, .arg = arg};
    enum px_err err = posix_watch(host->os, host->owner, &watch->source, take_fd, POSIX_IN);
    if (err != PX_EOK) {
        return system_fail(system, err, "watch", "this descriptor cannot be watched");
    }
    host->n_watches++;
    return PX_EOK;
}
