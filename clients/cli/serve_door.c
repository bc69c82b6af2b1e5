/* serve_door.c - the door, from the configuration.
 */
#include "serve.h"

/* Names in the configuration stay where they are until the door has copied them. */
struct lists {
    struct px_door_client clients[SERVE_DOOR_CLIENTS_MAX];
    const char *names[SERVE_DOOR_CLIENTS_MAX][SERVE_DOOR_SERVICES_MAX];
};

static void client_fill(struct px_door_client *client, const char **names,
                        const struct conf_node *node)
{
    const struct conf_node *services = conf_get(node, "services");
    client->uid = conf_number32(node, "uid");
    if (services == NULL) {
        return;
    }
    client->services = names;
    for (const struct conf_node *s = services->first; s != NULL; s = s->next) {
        names[client->n_services++] = s->value;
    }
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
        .request_max = conf_number32(door, "request_max"),
        .memory_max = conf_number(door, "memory_max"),
    };
    for (const struct conf_node *c = clients == NULL ? NULL : clients->first; c != NULL;
         c = c->next) {
        client_fill(&lists.clients[config.n_clients], lists.names[config.n_clients], c);
        config.n_clients++;
    }
    return px_system_door(system, &config);
}
