/* main.c - a program with a service of its own in it, which it calls. CC0, no rights reserved. */
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

int main(void)
{
    static const struct px_contract *const contracts[] = {&contract_remind};
    const struct px_addition addition = {
        .service = &remind_service, .contracts = contracts, .n_contracts = 1};
    struct px_system *system = NULL;
    int failed = 0;
    if (px_system_new(NULL, &system) != PX_EOK || px_system_add(system, &addition) != PX_EOK ||
        px_system_start(system) != PX_EOK || ask(system, "Tea is ready.", &failed) != PX_EOK ||
        px_run(system) != PX_EOK) {
        fprintf(stderr, "%s\n", px_system_error(system));
        return 1;
    }
    px_system_free(system);
    return failed;
}
