/* domain.c - px-domain: a kernel with the services that the far end of the link says. */
#include "lib.h"

#include <errno.h>
#include <px/posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hello.h"
#include "lane.h"
#include "link_contract.h"
#include "sandbox.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, REASON_MAX = 512, TEXT_MAX = 64, NNG_PATH_MAX = 108 };

struct domain {
    int fd;
    const struct px_addition *additions;
    uint32_t n_additions;
    struct px_hello hello;
    struct px_posix *os;
    struct px_kernel *kernel;
    Link__SetupOf *setup;
    ProtobufCMessage **configs; /* by mailbox, from 0 */
    struct px_lane *lane;
    struct px_pair *pair;  /* with lane nng */
    struct px_rings rings; /* that came with the greeting, until the lane has them */
    char name[TEXT_MAX];
    bool stopping, stopped, ended;
    enum sandbox_profile profile;
    struct sandbox_report sandbox;
    char why[REASON_MAX];
};

static enum px_err fail(struct domain *d, enum px_err err, const char *what, const char *why)
{
    snprintf(d->why, sizeof d->why, "%s: %s", what, why);
    return err;
}

/* ---- what is hosted ---- */

static void name_take(const ProtobufCBinaryData *from, char ret[TEXT_MAX])
{
    size_t n = from->len < TEXT_MAX - 1 ? from->len : TEXT_MAX - 1;
    memcpy(ret, from->data, n);
    ret[n] = '\0';
}

static const struct px_service *service_find(const struct domain *d, const char *name)
{
    const struct px_service *s;
    for (uint32_t i = 0; i < d->n_additions; i++) {
        const struct px_addition *a = &d->additions[i];
        if (strcmp(a->mailbox != NULL ? a->mailbox : a->service->name, name) == 0) {
            return a->service;
        }
    }
    for (uint32_t i = 0; (s = wiring_service_at(i)) != NULL; i++) {
        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    return NULL;
}

static enum px_err service_add(struct domain *d, size_t index, const char *name)
{
    const Link__MailboxOf *m = d->setup->mailboxes[index];
    const struct px_service *service = service_find(d, name);
    px_addr addr = 0;
    if (service == NULL) {
        return fail(d, PX_ENOENT, name, "this px-domain has no such service");
    }
    if (m->config.len > 0 && service->config != NULL) {
        d->configs[index] =
            protobuf_c_message_unpack(service->config, NULL, m->config.len, m->config.data);
        if (d->configs[index] == NULL) {
            return fail(d, PX_EINVAL, name, "its configuration cannot be read");
        }
    }
    enum px_err err = px_kernel_add(d->kernel, service, name, d->configs[index], &addr);
    return err == PX_EOK ? err : fail(d, err, name, px_err_text(err));
}

static enum px_err mailboxes_add(struct domain *d)
{
    for (size_t i = 0; i < d->setup->n_mailboxes; i++) {
        char name[TEXT_MAX];
        px_addr addr = 0;
        name_take(&d->setup->mailboxes[i]->name, name);
        if (d->setup->mailboxes[i]->here) {
            PX_TRY(service_add(d, i, name));
        } else if (strcmp(name, "link") == 0) {
            PX_TRY(px_kernel_add(d->kernel, &px_link_service, NULL, NULL, &addr));
        } else {
            enum px_err err = px_kernel_add_remote(d->kernel, name, &addr);
            if (err != PX_EOK) {
                return fail(d, err, name, px_err_text(err));
            }
        }
    }
    return PX_EOK;
}

static enum px_err contracts_add(struct domain *d)
{
    size_t n = 0;
    const struct px_contract *const *contracts = wiring_contracts(&n);
    for (size_t i = 0; i < n; i++) {
        PX_TRY(px_kernel_contract(d->kernel, contracts[i]));
    }
    for (uint32_t i = 0; i < d->n_additions; i++) {
        for (uint32_t k = 0; k < d->additions[i].n_contracts; k++) {
            PX_TRY(px_kernel_contract(d->kernel, d->additions[i].contracts[k]));
        }
    }
    return PX_EOK;
}

/* Grants of contracts that are unknown here concern others. */
static void grants_add(struct domain *d)
{
    for (size_t i = 0; i < d->setup->n_grants; i++) {
        const Link__GrantOf *g = d->setup->grants[i];
        bool fits = g->sender <= UINT16_MAX && g->receiver <= UINT16_MAX && g->contract <= 255;
        enum px_err err = fits ? px_kernel_allow(d->kernel, (px_addr)g->sender,
                                                 (uint8_t)g->contract, (px_addr)g->receiver)
                               : PX_EINVAL;
        (void)err;
    }
}

/* ---- the link ---- */

static void on_control(void *ctx, uint16_t method, const uint8_t *body, size_t len)
{
    struct domain *d = ctx;
    Link__None none = LINK__NONE__INIT;
    (void)body;
    (void)len;
    if (method == LINK_PING) {
        px_lane_control(d->lane, LINK_PONG, &none.base);
    } else if (method == LINK_STOP && !d->stopping) {
        d->stopping = true;
        px_kernel_stop(d->kernel);
    }
}

static void on_ended(void *ctx, const char *why)
{
    struct domain *d = ctx;
    (void)why;
    d->ended = true; /* the supervisor has gone, or wants us gone */
}

static enum px_err lane_open(struct domain *d)
{
    const struct px_lane_config config = {
        .control = on_control, .ended = on_ended, .ctx = d, .greeted = true};
    px_addr link = px_kernel_mailbox(d->kernel, "link");
    struct px_env *env = px_kernel_env(d->kernel, link);
    if (env == NULL) {
        return fail(d, PX_ENOENT, "link", "the setup names no such mailbox");
    }
    PX_TRY(px_lane_new(env, d->fd, &config, &d->lane));
    d->fd = -1;
    if (d->rings.memory != NULL) {
        PX_TRY(px_lane_rings(d->lane, &d->rings));
    } else if (d->pair != NULL) {
        PX_TRY(px_lane_pair(d->lane, d->pair));
    }
    px_addr elsewhere[4096];
    uint32_t n = 0;
    for (size_t i = 0; i < d->setup->n_mailboxes && n < 4096; i++) {
        if (!d->setup->mailboxes[i]->here && (px_addr)(i + 1) != link) {
            elsewhere[n++] = (px_addr)(i + 1);
        }
    }
    return px_lane_place(d->lane, elsewhere, n);
}

/* ---- life ---- */

/* Where they cannot be mapped, the socket does as well. */
static void rings_take(struct domain *d, int take_offer[PX_RING_FDS])
{
    if (take_offer[0] < 0) {
        return;
    }
    if (px_rings_attach(take_offer, false, &d->rings) == PX_EOK) {
        (void)close(take_offer[0]);
    } else {
        px_rings_close(take_offer);
    }
}

static enum px_err greet(struct domain *d)
{
    struct px_hello_body hello = {.len = 0}, setup = {.len = 0};
    int offer[PX_RING_FDS];
    PX_TRY(px_hello_write(d->fd, &d->hello));
    PX_TRY(px_hello_read(d->fd, &hello, &setup, offer));
    rings_take(d, offer);
    enum px_err err = px_hello_check(&d->hello, hello.bytes, hello.len, d->why);
    if (err == PX_EOK) {
        d->setup = link__setup_of__unpack(NULL, setup.len, setup.bytes);
        err = d->setup == NULL ? fail(d, PX_EINVAL, "setup", "it cannot be read") : PX_EOK;
    }
    free(hello.bytes);
    free(setup.bytes);
    return err;
}

/* The supervisor reads our standard error and logs what it finds there, at this level. */
static void log_line(void *ctx, enum px_log_level level, const char *line)
{
    (void)ctx;
    if (level <= PX_LOG_INFO) {
        fprintf(stderr, "<%d>%s\n", (int)level, line);
    }
}

static enum px_err assemble(struct domain *d)
{
    const struct px_posix_config os_config = {.log = log_line};
    name_take(&d->setup->domain, d->name);
    d->configs = calloc(d->setup->n_mailboxes + 1, sizeof(*d->configs));
    if (d->configs == NULL) {
        return PX_ENOMEM;
    }
    PX_TRY(px_posix_new(&os_config, &d->os));
    PX_TRY(px_kernel_new(px_posix_world(d->os), NULL, &d->kernel));
    PX_TRY(contracts_add(d));
    PX_TRY(mailboxes_add(d));
    grants_add(d);
    enum px_err err = px_kernel_start(d->kernel);
    return err == PX_EOK ? err : fail(d, err, "start", px_err_text(err));
}

/* What a stranger sends is looked at behind this only. */
static enum px_err confine(struct domain *d)
{
    char name[TEXT_MAX];
    name_take(&d->setup->sandbox, name);
    if (!sandbox_profile_of(name, &d->profile)) {
        return fail(d, PX_ENOENT, name, "this px-domain has no such sandbox profile");
    }
    int last = d->fd;
    if (d->rings.memory != NULL) {
        last = d->rings.bell > last ? d->rings.bell : last;
        last = d->rings.far_bell > last ? d->rings.far_bell : last;
    }
    enum px_err err = sandbox_enter(d->profile, last, &d->sandbox);
    return err == PX_EOK ? err : fail(d, err, "sandbox", px_err_text(err));
}

/* Behind Landlock, which binds threads that are made later, and before the filter of system calls,
 * which would not let it connect. */
static enum px_err connect_nng(struct domain *d)
{
    char path[NNG_PATH_MAX];
    if (d->setup->nng.len == 0) {
        return PX_EOK;
    }
    if (d->setup->nng.len >= sizeof path) {
        return fail(d, PX_EINVAL, "nng", "its path is too long");
    }
    memcpy(path, d->setup->nng.data, d->setup->nng.len);
    path[d->setup->nng.len] = '\0';
    enum px_err err = px_pair_dial(path, &d->pair);
    return err == PX_EOK ? err
                         : fail(d, err, "nng",
                                err == PX_EUNSUPPORTED ? "this px-domain has no nng"
                                                       : "nobody answers there");
}

static enum px_err say_ready(struct domain *d)
{
    Link__ReadyWith ready = LINK__READY_WITH__INIT;
    ready.sandbox = (ProtobufCBinaryData){strlen(d->sandbox.text), (uint8_t *)d->sandbox.text};
    ready.rings = d->rings.memory != NULL;
    return px_hello_write_message(d->fd, LINK_READY, &ready.base);
}

static enum px_err serve(struct domain *d)
{
    Link__None none = LINK__NONE__INIT;
    PX_TRY(lane_open(d));
    while (!d->ended) {
        px_kernel_turn(d->kernel, PX_NEVER);
        if (d->stopping && !d->stopped && !d->ended && px_kernel_drained(d->kernel)) {
            d->stopped = true;
            px_lane_control(d->lane, LINK_STOPPED, &none.base);
        }
    }
    return PX_EOK;
}

static void domain_done(struct domain *d)
{
    px_lane_free(d->lane);
    px_kernel_free(d->kernel);
    px_posix_free(d->os);
    px_rings_done(&d->rings);
    for (size_t i = 0; d->configs != NULL && i < d->setup->n_mailboxes; i++) {
        if (d->configs[i] != NULL) {
            protobuf_c_message_free_unpacked(d->configs[i], NULL);
        }
    }
    free(d->configs);
    if (d->setup != NULL) {
        link__setup_of__free_unpacked(d->setup, NULL);
    }
    if (d->fd >= 0) {
        (void)close(d->fd);
    }
}

/* Tells the supervisor, or whoever reads standard error, why this will not do. */
static void refuse(struct domain *d, enum px_err err)
{
    Link__RefusedBecause refused = LINK__REFUSED_BECAUSE__INIT;
    if (d->why[0] == '\0') {
        snprintf(d->why, sizeof d->why, "%s", px_err_text(err));
    }
    refused.reason = (ProtobufCBinaryData){strlen(d->why), (uint8_t *)d->why};
    bool told = d->fd >= 0 && err != PX_EIO &&
                px_hello_write_message(d->fd, LINK_REFUSED, &refused.base) == PX_EOK;
    if (!told) {
        fprintf(stderr, "px-domain: %s\n", d->why);
    }
}

static int domain_run(int fd, const struct px_addition *additions, uint32_t n_additions)
{
    struct domain d = {.fd = fd, .additions = additions, .n_additions = n_additions};
    size_t n = 0;
    const struct px_contract *const *contracts = wiring_contracts(&n);
    px_hello_fill("px-domain " PLEXUS_VERSION, contracts, n, &d.hello);
    enum px_err err = greet(&d);
    err = err == PX_EOK ? confine(&d) : err;
    err = err == PX_EOK ? connect_nng(&d) : err;
    err = err == PX_EOK ? assemble(&d) : err;
    err = err == PX_EOK ? sandbox_seal(d.profile, &d.sandbox) : err;
    err = err == PX_EOK ? say_ready(&d) : err;
    if (err != PX_EOK) {
        refuse(&d, err);
    } else if (px_hello_begin(d.fd) == PX_EOK) { /* a spare waits here until it is needed */
        err = serve(&d);
        if (err != PX_EOK) {
            refuse(&d, err);
        }
    }
    if (d.pair != NULL) { /* libnng is not closed while its threads run */
        px_lane_free(d.lane);
        (void)fflush(NULL);
        _exit(err == PX_EOK ? 0 : EXIT_FAILED);
    }
    domain_done(&d);
    return err == PX_EOK ? 0 : EXIT_FAILED;
}

/* ---- the command line ---- */

static void print_help(void)
{
    const char *name;
    printf("usage: px-domain --link FD\n\n"
           "Hosts services of Plexus in a process of their own. Programs that use libplexus start "
           "it:\n"
           "`plexus serve --placement FILE` for one. It is told over the socket FD what to host, "
           "serves\n"
           "until that socket closes, and holds nothing open besides.\n\n"
           "  --link FD    number of the inherited socket\n"
           "  --help       this text\n"
           "  --version    the version\n\n"
           "Services of this build:");
    for (uint32_t i = 0; (name = px_placeable(i)) != NULL; i++) {
        printf(" %s", name);
    }
    printf("\n");
}

static int usage(const char *what, const char *why)
{
    fprintf(stderr,
            "px-domain: %s%s\n"
            "It is started by programs that use libplexus, not by hand; see px-domain --help.\n",
            what, why);
    return EXIT_USAGE;
}

/* The socket's number, or -1. */
static int link_fd(const char *text)
{
    char *end = NULL;
    long fd = strtol(text, &end, 10);
    int type = 0;
    socklen_t len = sizeof type;
    bool is_number = end != text && *end == '\0' && fd >= 0 && fd < 1 << 20;
    return is_number && getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
                   type == SOCK_STREAM
               ? (int)fd
               : -1;
}

int px_domain_main(int argc, char **argv, const struct px_addition *additions, uint32_t n_additions)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("px-domain " PLEXUS_VERSION "\n");
        return 0;
    }
    if (argc != 3 || strcmp(argv[1], "--link") != 0) {
        return argc == 1 ? usage("no link was given", "") : usage("unknown arguments: ", argv[1]);
    }
    int fd = link_fd(argv[2]);
    if (fd < 0) {
        return usage("not an inherited stream socket: ", argv[2]);
    }
    return domain_run(fd, additions, n_additions);
}
