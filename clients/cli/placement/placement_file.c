/* placement_file.c - see placement_file.h. */
#include "placement_file.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"

enum { NAMES_MAX = 64, SUPERVISED_MAX = 64 };

struct placement_file {
    struct conf *conf; /* owns all texts */
    struct px_placement placement;
    struct px_domain domains[PX_DOMAINS_MAX];
    const char *services[PX_DOMAINS_MAX][PX_DOMAIN_SERVICES_MAX];
    const struct conf_node *listed[NAMES_MAX]; /* every service that is listed, once */
    uint32_t n_listed;
};

static const char *const profiles[] = {"strict", "net", "none", NULL};
static const char *const lanes[] = {"rings", "stream", "nng", NULL};
static const struct conf_key service_item = {
    .name = "service", .kind = CONF_TEXT, .min = 1, .max = PX_DOMAIN_NAME_MAX};
static const struct conf_key domain_keys[] = {
    {.name = "services",
     .kind = CONF_LIST,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = PX_DOMAIN_SERVICES_MAX,
     .item = &service_item,
     .text = "What the process hosts."},
    {.name = "sandbox",
     .kind = CONF_WORD,
     .words = profiles,
     .standard = "strict",
     .text = "What it may do: strict is no file and no network, net opens sockets."},
    {.name = "spare",
     .kind = CONF_BOOL,
     .standard = "true",
     .text = "A second process is kept ready, for when the first one dies."},
    {.name = "lane",
     .kind = CONF_WORD,
     .words = lanes,
     .standard = "rings",
     .text = "What carries its messages: shared memory (rings), a socket (stream), or nng."},
    {0},
};
static const struct conf_key domain_item = {
    .name = "domain", .kind = CONF_MAP, .keys = domain_keys};
static const struct conf_key schema[] = {
    {.name = "domains",
     .kind = CONF_DICT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = PX_DOMAINS_MAX,
     .item = &domain_item,
     .text = "Processes, by name."},
    {.name = "supervisor",
     .kind = CONF_LIST,
     .max = SUPERVISED_MAX,
     .item = &service_item,
     .text = "What stays in the process that was started."},
    {.name = "program",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 4095,
     .text = "Path of px-domain; without it the installed one."},
    {.name = "no_sandbox",
     .kind = CONF_BOOL,
     .standard = "false",
     .text = "For debugging: processes are not confined."},
    {0},
};

/* ---- names ---- */

/* Mailboxes that are always where the program is. */
static const char *const fixed[] = {"app", "file", "link", "spawn"};

static bool is_fixed(const char *name)
{
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (strcmp(fixed[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_placeable(const char *name)
{
    const char *known;
    for (uint32_t i = 0; (known = px_placeable(i)) != NULL; i++) {
        if (strcmp(known, name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct conf_node *listed(const struct placement_file *f, const char *name)
{
    for (uint32_t i = 0; i < f->n_listed; i++) {
        if (strcmp(f->listed[i]->value, name) == 0) {
            return f->listed[i];
        }
    }
    return NULL;
}

static void tell_unknown(struct placement_file *f, const struct conf_node *node)
{
    const char *names[NAMES_MAX], *known;
    size_t n = 0;
    for (uint32_t i = 0; (known = px_placeable(i)) != NULL && n < NAMES_MAX - 4; i++) {
        names[n++] = known;
    }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        names[n++] = fixed[i];
    }
    conf_mistake(f->conf, node, "there is no service '%s' in this build (is '%s' meant?)",
                 node->value, conf_nearest(node->value, names, n));
}

/* Is this service told for the first time, and may it be told here? */
static bool name_take(struct placement_file *f, const struct conf_node *node, bool elsewhere)
{
    const struct conf_node *before = listed(f, node->value);
    if (before != NULL) {
        char place[CONF_PATH_MAX];
        conf_place(before, place);
        conf_mistake(f->conf, node, "'%s' is listed already, at %s", node->value, place);
    } else if (!is_placeable(node->value) && !is_fixed(node->value)) {
        tell_unknown(f, node);
    } else if (elsewhere && is_fixed(node->value)) {
        conf_mistake(f->conf, node,
                     "'%s' cannot leave the process that was started: list it "
                     "under 'supervisor', or nowhere",
                     node->value);
    } else if (f->n_listed < NAMES_MAX) {
        f->listed[f->n_listed++] = node;
        return true;
    }
    return false;
}

/* ---- reading ---- */

static void domain_take(struct placement_file *f, const struct conf_node *node)
{
    uint32_t at = f->placement.n_domains++;
    struct px_domain *d = &f->domains[at];
    const struct conf_node *services = conf_get(node, "services");
    d->name = node->name;
    d->services = f->services[at];
    d->sandbox = profiles[conf_number(node, "sandbox")];
    d->no_spare = conf_number(node, "spare") == 0;
    d->lane = lanes[conf_number(node, "lane")];
    if (strlen(node->name) > PX_DOMAIN_NAME_MAX) {
        conf_mistake(f->conf, node, "the name of a domain has at most %d bytes",
                     (int)PX_DOMAIN_NAME_MAX);
    }
    for (const struct conf_node *s = services->first; s != NULL; s = s->next) {
        if (name_take(f, s, true)) {
            f->services[at][d->n_services++] = s->value;
        }
    }
}

/* What need not be listed: it stays in the program that is started. */
static bool may_stay(const char *service)
{
    return strcmp(service, "net") == 0 || strcmp(service, "system") == 0;
}

static void check_missing(struct placement_file *f)
{
    const char *known;
    for (uint32_t i = 0; (known = px_placeable(i)) != NULL; i++) {
        if (!may_stay(known) && listed(f, known) == NULL) {
            conf_mistake(f->conf, conf_get(conf_root(f->conf), "domains"),
                         "nobody lists '%s': put it into a domain, or under 'supervisor'", known);
        }
    }
}

static void file_take(struct placement_file *f)
{
    const struct conf_node *root = conf_root(f->conf), *supervisor = conf_get(root, "supervisor");
    for (const struct conf_node *d = conf_get(root, "domains")->first; d != NULL; d = d->next) {
        domain_take(f, d);
    }
    for (const struct conf_node *s = supervisor == NULL ? NULL : supervisor->first; s != NULL;
         s = s->next) {
        (void)name_take(f, s, false);
    }
    check_missing(f);
    f->placement.domains = f->domains;
    f->placement.program = conf_text(root, "program");
    f->placement.no_sandbox = conf_number(root, "no_sandbox") != 0;
}

struct placement_file *placement_file_read(const char *path,
                                           void (*print)(void *arg, const char *line), void *arg)
{
    struct placement_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    f->conf = conf_new(schema);
    if (f->conf != NULL && conf_read(f->conf, path) && conf_end(f->conf)) {
        file_take(f);
    }
    if (f->conf == NULL || conf_n_errors(f->conf) > 0) {
        if (f->conf != NULL) {
            conf_errors(f->conf, print, arg);
        }
        placement_file_free(f);
        return NULL;
    }
    return f;
}

const struct px_placement *placement_file_get(const struct placement_file *file)
{
    return &file->placement;
}

void placement_file_free(struct placement_file *take_file)
{
    if (take_file != NULL) {
        conf_free(take_file->conf);
        free(take_file);
    }
}
