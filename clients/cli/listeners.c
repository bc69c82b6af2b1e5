/* listeners.c - which addresses come, stay and go.
 */
#include "listeners.h"

#include <stdio.h>
#include <string.h>

/* ---- what is wanted ---- */

static void add(struct listeners *all, const char *address, const struct px_listen *options)
{
    struct listener *l = &all->list[all->n++];
    *l = (struct listener){.options = *options};
    snprintf(l->address, sizeof l->address, "%s", address);
}

static uint32_t number_or_0(const struct conf_node *map, const char *path)
{
    const struct conf_node *node = conf_get(map, path);
    return node == NULL ? 0 : (uint32_t)node->number;
}

static void add_entry(struct listeners *all, const struct conf_node *entry)
{
    struct px_listen options = {
        .backlog = conf_number32(entry, "backlog"),
        .reuse_port = conf_number(entry, "reuse_port") != 0,
        .v6only = conf_number(entry, "v6only") != 0,
        .unix_mode = conf_number32(entry, "unix_mode"),
        .connections_max = number_or_0(entry, "connections_max"),
        .connections_peer_max = number_or_0(entry, "connections_peer_max"),
    };
    add(all, conf_text(entry, "address"), &options);
}

void listeners_wanted(const struct conf_node *root, uint32_t n_sockets,
                      struct listeners *ret_wanted)
{
    static const struct px_listen defaults;
    const struct conf_node *list = conf_get(root, "listen");
    ret_wanted->n = 0;
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        add_entry(ret_wanted, n);
    }
    for (uint32_t i = 0; list == NULL && i < n_sockets && i < LISTENERS_MAX; i++) {
        char address[32];
        snprintf(address, sizeof address, "fd:%u", i + 3);
        add(ret_wanted, address, &defaults);
    }
    if (ret_wanted->n == 0) {
        add(ret_wanted, "127.0.0.1:8080", &defaults);
        add(ret_wanted, "[::1]:8080", &defaults);
    }
}

bool listeners_are_default(const struct conf_node *root, uint32_t n_sockets)
{
    return conf_get(root, "listen") == NULL && n_sockets == 0;
}

/* ---- what changes ---- */

static bool same_options(const struct px_listen *a, const struct px_listen *b)
{
    return a->backlog == b->backlog && a->reuse_port == b->reuse_port && a->v6only == b->v6only &&
           a->unix_mode == b->unix_mode && a->connections_max == b->connections_max &&
           a->connections_peer_max == b->connections_peer_max;
}

/* The nth entry of the same address ("127.0.0.1:0" may stand there twice); NULL: none. */
static const struct listener *twin(const struct listeners *in, const struct listeners *of,
                                   uint32_t i)
{
    uint32_t nth = 0;
    for (uint32_t j = 0; j < i; j++) {
        nth += strcmp(of->list[j].address, of->list[i].address) == 0;
    }
    for (uint32_t j = 0; j < in->n; j++) {
        if (strcmp(in->list[j].address, of->list[i].address) == 0 && nth-- == 0) {
            return &in->list[j];
        }
    }
    return NULL;
}

bool listeners_have(const struct listeners *all, const char *address)
{
    for (uint32_t i = 0; i < all->n; i++) {
        if (strcmp(all->list[i].address, address) == 0) {
            return true;
        }
    }
    return false;
}

static enum px_err open_one(struct px_server *server, struct listener *l)
{
    l->index = 0;
    while (px_server_address(server, l->index) != NULL) {
        l->index++; /* the lowest that is free is the one it gets */
    }
    return px_server_listen(server, l->address, &l->options);
}

enum px_err listeners_open(struct px_server *server, const struct listeners *open,
                           const struct listeners *wanted, struct listeners *ret_all,
                           uint32_t *ret_failed)
{
    struct listeners all = *wanted;
    enum px_err err = PX_EOK;
    uint32_t i = 0;
    for (; i < all.n && err == PX_EOK; i++) {
        const struct listener *is_open = twin(open, wanted, i);
        if (is_open != NULL) {
            all.list[i] = *is_open;
        } else {
            err = open_one(server, &all.list[i]);
        }
    }
    if (err == PX_EOK) {
        *ret_all = all;
        return PX_EOK;
    }
    *ret_failed = i - 1;
    for (uint32_t j = 0; j < i - 1; j++) {
        if (twin(open, wanted, j) == NULL) {
            (void)!px_server_unlisten(server, all.list[j].index);
        }
    }
    return err;
}

void listeners_close(struct px_server *server, const struct listeners *open,
                     const struct listeners *kept, struct logs *logs)
{
    for (uint32_t i = 0; i < open->n; i++) {
        const struct listener *l = &open->list[i], *stays = twin(kept, open, i);
        if (stays == NULL) {
            log_event(logs, SERVE_INFO, "not_listening", "address", l->address, NULL);
            (void)!px_server_unlisten(server, l->index);
        } else if (!same_options(&stays->options, &l->options)) {
            log_event(logs, SERVE_WARN, "needs_restart", "key", "listen", "address", l->address,
                      "why", "the options of an address that stays are those it was opened with",
                      NULL);
        }
    }
}
