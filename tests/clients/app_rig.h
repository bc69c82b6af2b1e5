/* app_rig.h - the application mailbox of libplexus in a made-up world: recorders stand for h1, net
 * and file, and for a program behind the door. */
#ifndef APP_RIG_H
#define APP_RIG_H

#include <check.h>
#include <px/test.h>
#include <stdlib.h>

#include "file.pb-c.h"
#include "file_contract.h"
#include "http.pb-c.h"
#include "http_contract.h"
#include "lib.h"
#include "net_contract.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

struct rig {
    struct px_sim *sim;
    struct px_sim_system *world;
    struct px_system *system;
    struct px_server server;
    px_addr app;
};

PX_TEST_FAIL_CHECK(rig_fail);

/* A system whose neighbours are recorders. Limits are small, so that tests reach them. */
static inline void rig_start(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->sim = px_sim_new(&(struct px_sim_config){.seed = 1, .fail = rig_fail});
    rig->world = px_sim_system_new(rig->sim, "test", 1);
    px_sim_add_recorder(rig->world, 0, "net");
    px_sim_add_recorder(rig->world, 0, "file");
    px_sim_add_recorder(rig->world, 0, "h1");
    px_sim_add_recorder(rig->world, 0, "outside");
    rig->app = px_sim_add(rig->world, 0, &px_app_service, NULL, NULL);
    px_sim_allow(rig->world, "h1", &px_contract_http_responder, "app");
    px_sim_allow(rig->world, "app", &px_contract_http_requester, "h1");
    px_sim_allow(rig->world, "app", &px_contract_http_responder, "outside");
    px_sim_allow(rig->world, "outside", &px_contract_http_requester, "app");
    px_sim_allow(rig->world, "app", &px_contract_file, "file");
    px_sim_allow(rig->world, "app", &px_contract_net, "net");
    px_sim_allow(rig->world, "app", &px_contract_stream_lower, "net");
    px_sim_allow(rig->world, "net", &px_contract_stream_upper, "app");
    px_sim_start(rig->world);

    rig->system = calloc(1, sizeof *rig->system);
    ck_assert_ptr_nonnull(rig->system);
    rig->system->kernel = px_sim_kernel(rig->world, 0);
    rig->system->addr_app = rig->app;
    rig->system->addr_net = px_sim_addr(rig->world, "net");
    rig->system->addr_file = px_sim_addr(rig->world, "file");
    rig->system->requests_max = 4;
    rig->system->streams_max = 2;
    rig->system->calls_max = 3;
    rig->system->server = &rig->server;
    rig->system->in_turn = true; /* the simulator's clock is the kernel's */
    rig->server = (struct px_server){.system = rig->system, .send_queue_max = 2000};
    ck_assert_int_eq(routes_init(&rig->server), PX_EOK);
    ck_assert_int_eq(system_app_start(rig->system), PX_EOK);
}

/* `elems` of the mailbox are left at the end: the one that refuses is always there. */
static inline void rig_end(struct rig *rig)
{
    sim_settle(rig->sim);
    sim_expect_silence(rig->sim);
    sim_expect_ledgers_zero(rig->world, 1);
    routes_done(&rig->server);
    px_sim_free(rig->sim);
    free(rig->system);
}

#endif
