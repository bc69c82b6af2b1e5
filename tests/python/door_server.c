/* door_server.c - a system with a door and a service "toy" (ktest.proto), for the tests of the
 * Python package: `door_server FOLDER`. Prints a line when it is ready; ends with its standard
 * input.
 *
 * What toy answers: Ask{n} with {n + 1}, never if n is 0; Retry with LIMIT for 0, and by
 * dying for 1; Plant with what it got, payload too.
 */
#include <plexus.h>
#include <px/service.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ktest_contract.h"

#include "ktest.pb-c.h"

struct toy {
    struct px_env *env;
};

static enum px_err toy_init(void *state, struct px_env *env)
{
    ((struct toy *)state)->env = env;
    return PX_EOK;
}

static void toy_ask(void *state, const struct px_msg *msg)
{
    struct px_env *env = ((struct toy *)state)->env;
    const Ktest__Number *asked = msg->body;
    if (asked->value == 0) {
        return; /* until the asker gives up */
    }
    Ktest__Number *m = px_msg_new(env, &ktest__number__descriptor);
    m->value = asked->value + 1;
    px_reply(env, msg, PX_OK, m);
}

static void toy_retry(void *state, const struct px_msg *msg)
{
    const Ktest__Number *asked = msg->body;
    if (asked->value == 1) {
        _exit(0);
    }
    px_reply_status(((struct toy *)state)->env, msg, PX_LIMIT);
}

static void toy_plant(void *state, const struct px_msg *msg)
{
    struct px_env *env = ((struct toy *)state)->env;
    const Ktest__Tree *asked = msg->body;
    Ktest__Tree *m = px_msg_new(env, &ktest__tree__descriptor);
    px_msg_put(m, &m->name, asked->name.data, asked->name.len);
    if (asked->n_rings > 0) {
        m->n_rings = asked->n_rings;
        m->rings = px_msg_alloc(m, asked->n_rings * sizeof *m->rings);
        memcpy(m->rings, asked->rings, asked->n_rings * sizeof *m->rings);
    }
    if (asked->top != NULL) {
        m->top = px_msg_alloc(m, sizeof *m->top);
        ktest__leaf__init(m->top);
        m->top->size = asked->top->size + (uint32_t)asked->n_leaves;
    }
    px_msg_attach_all(m, msg);
    px_reply(env, msg, PX_OK, m);
}

static const struct px_handler handlers[] = {
    {TOY_ASK, toy_ask}, {TOY_RETRY, toy_retry}, {TOY_PLANT, toy_plant}};

static const struct px_service toy_service = {
    .name = "toy",
    .state_size = sizeof(struct toy),
    .handlers = handlers,
    .n_handlers = sizeof handlers / sizeof handlers[0],
    .init = toy_init,
};

static void on_input(struct px_system *system, int fd, void *arg)
{
    char byte;
    (void)arg;
    if (read(fd, &byte, 1) <= 0) {
        px_stop(system, 0, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct px_contract *const contracts[] = {&px_contract_toy};
    const struct px_addition addition = {
        .service = &toy_service, .contracts = contracts, .n_contracts = 1};
    const struct px_door_config config = {
        .name = argc > 1 ? argv[1] : "toy", .clients_max = 8, .request_max = 1 << 20};
    struct px_system *system = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_system_add(system, &addition) != PX_EOK ||
        px_system_door(system, &config) != PX_EOK ||
        px_system_watch(system, STDIN_FILENO, on_input, NULL) != PX_EOK) {
        fprintf(stderr, "door_server: %s\n", px_system_error(system));
        return 1;
    }
    printf("%s\n", px_system_door_path(system));
    fflush(stdout);
    enum px_err err = px_run(system);
    px_system_free(system);
    return err == PX_EOK ? 0 : 1;
}
