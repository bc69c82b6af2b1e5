/* main.c - a program with a service of its own in it, which it calls. Services that its arguments
 * name run in a process of their own, and nothing else changes. CC0, no rights reserved.
 *
 *     ./own_service
 *     PX_DOMAIN=./own_domain ./own_service remind
 */
#include <plexus.h>
#include <px/msg.h>
#include <stdio.h>
#include <string.h>

#include "remind.h"
#include "remind.pb-c.h"

static void on_reminder(struct px_system *system, const struct px_msg *reply, void *arg)
{
    const Remind__Reminder *reminder = reply->body;
    int *failed = arg;
    if (reply->status == PX_OK) {
        printf("%.*s\n", (int)reminder->text.len, (const char *)reminder->text.data);
    } else {
        printf("no reminder: %s\n", px_status_text(reply->status));
        *failed = 1;
    }
    px_stop(system, PX_SEC(1), NULL, NULL);
}

static enum px_err ask(struct px_system *system, const char *text, int *failed)
{
    Remind__Wish *m = px_msg_new(px_system_env(system), &remind__wish__descriptor);
    m->in_ms = 50;
    px_msg_put(m, &m->text, text, strlen(text));
    return px_system_call(system, "remind", REMIND_LATER, m, PX_SEC(1), on_reminder, failed);
}

static void tell_domain(struct px_system *system)
{
    struct px_domain_figures domain;
    if (px_domain_look(system, 0, &domain)) {
        printf("%s: process %d, %s\n", domain.name, domain.pid, domain.sandbox);
    }
}

int main(int argc, char **argv)
{
    static const struct px_contract *const contracts[] = {&contract_remind};
    const struct px_addition addition = {
        .service = &remind_service, .contracts = contracts, .n_contracts = 1};
    const struct px_domain domain = {.name = "apart",
                                     .services = (const char *const *)(argv + 1),
                                     .n_services = (uint32_t)(argc - 1)};
    const struct px_placement placement = {.domains = &domain, .n_domains = 1};
    const struct px_system_config config = {.placement = argc > 1 ? &placement : NULL};
    struct px_system *system = NULL;
    int failed = 0;
    if (px_system_new(&config, &system) != PX_EOK || px_system_add(system, &addition) != PX_EOK ||
        px_system_start(system) != PX_EOK || ask(system, "Tea is ready.", &failed) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    tell_domain(system);
    failed |= px_run(system) != PX_EOK;
    px_system_free(system);
    return failed;
}
