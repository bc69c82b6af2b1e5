/* serve_door.c - the door, from the configuration.
 */
#include "serve.h"

/* Names in the configuration stay where they are until the door has copied them. */
struct lists {
    struct px_door_client clients[SERVE_DOOR_CLIENTS_MAX];
    const char *names[SERVE_DOOR_CLIENTS_MAX][SERVE_DOOR_SERVICES_MAX];
    const char *provided[SERVE_DOOR_CLIENTS_MAX][SERVE_DOOR_SERVICES_MAX];
};

static uint32_t names_fill(const char **names, const struct conf_node *list)
{
    uint32_t n = 0;
    for (const struct conf_node *s = list == NULL ? NULL : list->first; s != NULL; s = s->next) {
        names[n++] = s->value;
    }
    return n;
}

static void client_fill(struct lists *lists, uint32_t i, const struct conf_node *node)
{
    const struct conf_node *services = conf_get(node, "services");
    struct px_door_client *client = &lists->clients[i];
    client->uid = conf_number32(node, "uid");
    client->services = services == NULL ? NULL : lists->names[i];
    client->n_services = names_fill(lists->names[i], services);
    client->provides = lists->provided[i];
    client->n_provides = names_fill(lists->provided[i], conf_get(node, "provides"));
}

enum px_err serve_door(struct px_system *system, const struct conf_node *root)
{
    const struct conf_node *door = conf_get(root, "door");
    if (door == NULL) {
        return PX_EOK;
    }
    struct lists lists = {.clients = {{0}}};
    const struct conf_node *clients = conf_get(door, "clients");
    struct px_door_config config = {
        .name = conf_text(door, "name"),
        .clients = lists.clients,
        .clients_max = conf_number32(door, "clients_max"),
        .calls_max = conf_number32(door, "calls_max"),
        .services_max = conf_number32(door, "services_max"),
        .request_max = conf_number32(door, "request_max"),
        .memory_max = conf_number(door, "memory_max"),
    };
    for (const struct conf_node *c = clients == NULL ? NULL : clients->first; c != NULL;
         c = c->next) {
        client_fill(&lists, config.n_clients++, c);
    }
    return px_system_door(system, &config);
}
