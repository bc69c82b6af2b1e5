/* site_shared.c - what outlives a reload if nothing about it changes: folders, with the files they
 * have open, and users, with the passwords that are remembered.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site_impl.h"

bool site_mistake(struct site *site, const struct conf_node *node, enum px_err err)
{
    conf_mistake(site->conf, node, "%s", px_err_text(err));
    return false;
}

bool site_mistake_said(struct site *site, const struct conf_node *node)
{
    conf_mistake(site->conf, node, "%s", px_system_error(site->system));
    return false;
}

char *site_file_read(struct site *site, const struct conf_node *path, size_t *ret_len)
{
    FILE *file = fopen(path->value, "re");
    char *bytes = file == NULL ? NULL : malloc(SERVE_FILE_LEN_MAX + 1);
    size_t len = bytes == NULL ? 0 : fread(bytes, 1, SERVE_FILE_LEN_MAX + 1, file);
    bool ok = bytes != NULL && !ferror(file);
    if (!ok) {
        conf_mistake(site->conf, path, "cannot be read: %s", strerror(errno));
    } else if (len > SERVE_FILE_LEN_MAX) {
        conf_mistake(site->conf, path, "expected a file of at most 1 MiB");
        ok = false;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (!ok) {
        free(bytes);
        return NULL;
    }
    *ret_len = len;
    return bytes;
}

/* ---- users: kept, with what is remembered of them, as long as nothing about them changes ---- */

static void guard_put(struct guard *guard)
{
    guard->n_sites--;
    if (guard->n_sites == 0) {
        px_auth_free(guard->auth);
        free(guard->users);
        free(guard);
    }
}

static struct guard *guard_shared(const struct site *site, const struct conf_node *node,
                                  const char *users, size_t len)
{
    for (uint32_t i = 0; site != NULL && i < site->n_watches; i++) {
        struct guard *guard = site->watches[i].guard;
        if (conf_same(site->watches[i].node, node) && guard->users_len == len &&
            memcmp(guard->users, users, len) == 0) {
            return guard;
        }
    }
    return NULL;
}

/* Takes `take_users`. NULL: a mistake was told. */
static struct guard *guard_new(struct site *site, const struct conf_node *node, char *take_users,
                               size_t len)
{
    struct px_auth_config config = {.realm = conf_text(node, "realm"),
                                    .users = take_users,
                                    .users_len = len,
                                    .pending_max = conf_number32(node, "pending_max"),
                                    .cache_max = conf_number32(node, "cache_max"),
                                    .cache_s = conf_number32(node, "cache") / 1000};
    struct guard *guard = calloc(1, sizeof *guard);
    enum px_err err = guard == NULL ? PX_ENOMEM : px_auth_new(site->system, &config, &guard->auth);
    if (err == PX_EOK) {
        guard->users = take_users;
        guard->users_len = len;
        return guard;
    }
    if (err == PX_EINVAL) {
        site_mistake_said(site, conf_get(node, "users"));
    } else {
        site_mistake(site, node, err);
    }
    free(take_users);
    free(guard);
    return NULL;
}

struct px_auth *site_users(struct site *site, const struct conf_node *node)
{
    size_t len = 0;
    char *users = site_file_read(site, conf_get(node, "users"), &len);
    struct watch *grown =
        users == NULL ? NULL : realloc(site->watches, (site->n_watches + 1) * sizeof *grown);
    if (grown == NULL) {
        free(users);
        return NULL;
    }
    site->watches = grown;
    struct guard *guard = guard_shared(site->old, node, users, len);
    guard = guard == NULL ? guard_shared(site, node, users, len) : guard;
    if (guard != NULL) {
        free(users);
    } else {
        guard = guard_new(site, node, users, len);
    }
    if (guard == NULL) {
        return NULL;
    }
    guard->n_sites++;
    site->watches[site->n_watches++] = (struct watch){.guard = guard, .node = node};
    return guard->auth;
}

/* ---- folders ---- */

static void folder_put(struct folder *folder)
{
    folder->n_sites--;
    if (folder->n_sites == 0) {
        px_files_free(folder->files);
        free(folder);
    }
}

static struct folder *folder_shared(const struct site *site, const struct conf_node *node,
                                    const char *param)
{
    for (uint32_t i = 0; site != NULL && i < site->n_mounts; i++) {
        if (strcmp(site->mounts[i].param, param) == 0 && conf_same(site->mounts[i].node, node)) {
            return site->mounts[i].folder;
        }
    }
    return NULL;
}

static void files_fill(struct px_files_config *config, const struct conf_node *node,
                       struct px_files_type types[SERVE_TYPES_MAX])
{
    const struct conf_node *dict = conf_get(node, "types");
    config->directory = conf_text(node, "root");
    config->index = conf_text(node, "index");
    config->listing = conf_number(node, "listing") != 0;
    config->listing_max = conf_number32(node, "listing_max");
    config->dotfiles = conf_number(node, "dotfiles") != 0;
    config->precompressed = conf_number(node, "precompressed") != 0;
    config->links =
        conf_number(node, "follow_links") != 0 ? PX_FILES_LINKS_INSIDE : PX_FILES_LINKS_NEVER;
    config->cache_control = conf_text(node, "cache_control");
    config->default_type = conf_text(node, "default_type");
    config->ranges_max = conf_number32(node, "ranges_max");
    config->types = types;
    for (const struct conf_node *t = dict == NULL ? NULL : dict->first; t != NULL; t = t->next) {
        types[config->n_types++] = (struct px_files_type){t->name, t->value};
    }
}

/* NULL: a mistake was told. */
static struct folder *folder_open(struct site *site, const struct conf_node *node,
                                  const struct conf_node *root,
                                  const struct px_files_config *config)
{
    struct folder *folder = calloc(1, sizeof *folder);
    enum px_err err =
        folder == NULL ? PX_ENOMEM : px_files_new(site->system, config, &folder->files);
    if (err == PX_EOK) {
        return folder;
    }
    free(folder);
    if (err == PX_ENOENT || err == PX_EDENIED) {
        site_mistake_said(site, root);
    } else if (err == PX_EINVAL) {
        conf_mistake(site->conf, node,
                     "expected content types, endings and field values without control characters");
    } else if (err == PX_ELIMIT) {
        conf_mistake(site->conf, node,
                     "expected at most 64 folders, those that a reload replaces included");
    } else {
        site_mistake(site, node, err);
    }
    return NULL;
}

static struct folder *folder_of(struct site *site, const struct conf_node *node, const char *param)
{
    struct px_files_type types[SERVE_TYPES_MAX];
    struct px_files_config config = {.param = param};
    struct folder *folder = folder_shared(site->old, node, param);
    folder = folder == NULL ? folder_shared(site, node, param) : folder;
    if (folder != NULL) {
        return folder;
    }
    if (node->form == CONF_SCALAR) { /* `root` */
        config.directory = node->value;
        config.precompressed = true;
        return folder_open(site, node, node, &config);
    }
    files_fill(&config, node, types);
    return folder_open(site, node, conf_get(node, "root"), &config);
}

static struct px_files *mount_add(struct site *site, const struct conf_node *node,
                                  const char *param)
{
    struct mount *grown = realloc(site->mounts, (site->n_mounts + 1) * sizeof *grown);
    if (grown == NULL) {
        site_mistake(site, node, PX_ENOMEM);
        return NULL;
    }
    site->mounts = grown;
    struct folder *folder = folder_of(site, node, param);
    if (folder == NULL) {
        return NULL;
    }
    struct mount *mount = &grown[site->n_mounts++];
    *mount = (struct mount){.folder = folder, .node = node};
    snprintf(mount->param, sizeof mount->param, "%s", param);
    folder->n_sites++;
    return folder->files;
}

struct px_files *site_files(struct site *site, const struct conf_node *node, const char *pattern)
{
    const char *star = strrchr(pattern, '*');
    size_t len = star == NULL ? 0 : strlen(star + 1);
    if (len == 0 || len >= PARAM_LEN_MAX || strchr(star, '/') != NULL) {
        conf_mistake(site->conf, node, "expected a path that ends in '*name', found '%s'", pattern);
        return NULL;
    }
    return mount_add(site, node, star + 1);
}

struct px_files *site_root(struct site *site, const struct conf_node *root)
{
    return mount_add(site, root, "path");
}

/* ---- services ---- */

static void names_free(void *arg)
{
    struct service_name **names = arg;
    while (*names != NULL) {
        struct service_name *name = *names;
        *names = name->next;
        free(name);
    }
    free(names);
}

char *site_service(struct site *site, const struct conf_node *node)
{
    struct service_name *name = calloc(1, sizeof *name);
    if (site->names == NULL && name != NULL) {
        site->names = calloc(1, sizeof *site->names);
        if (site->names != NULL) {
            px_routes_on_freed(site->routes, names_free, site->names);
        }
    }
    if (name == NULL || site->names == NULL) {
        free(name);
        site_mistake(site, node, PX_ENOMEM);
        return NULL;
    }
    snprintf(name->text, sizeof name->text, "%s", node->value);
    name->next = *site->names;
    *site->names = name;
    return name->text;
}

/* ---- the end ---- */

void site_let_go(struct site *site)
{
    for (uint32_t i = 0; i < site->n_mounts; i++) {
        folder_put(site->mounts[i].folder);
    }
    for (uint32_t i = 0; i < site->n_watches; i++) {
        guard_put(site->watches[i].guard);
    }
    free(site->mounts);
    free(site->watches);
}
