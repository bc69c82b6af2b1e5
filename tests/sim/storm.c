/* storm.c - see storm.h. */
#include "storm.h"

#include <string.h>

#include "http_contract.h"
#include "net.pb-c.h"
#include "net_contract.h"
#include "stream_contract.h"

uint32_t storm_below(uint64_t *chance, uint32_t n)
{
    *chance += 0x9e3779b97f4a7c15u;
    uint64_t z = *chance;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % n);
}

static uint32_t one_of(uint64_t *chance, const uint32_t *choices, uint32_t n)
{
    return choices[storm_below(chance, n)];
}

#define ONE_OF(chance, choices)                                                                    \
    one_of((chance), (choices), (uint32_t)(sizeof(choices) / sizeof(choices)[0]))

static struct px_sim_weather weather_of(uint64_t *c)
{
    static const uint32_t delays[] = {0, 0, 100, 3000, 50000};
    static const uint32_t cuts[] = {0, 100, 500, 900};
    static const uint32_t losses[] = {0, 0, 20, 100};
    static const uint32_t resets[] = {0, 0, 0, 0, 1, 10};
    static const uint32_t vanishes[] = {0, 0, 0, 0, 0, 5};
    static const uint32_t windows[] = {300, 1000, 5000, 65536, 65536, 65536};
    return (struct px_sim_weather){
        .delay_us_min = storm_below(c, 2) * 10,
        .delay_us_max = ONE_OF(c, delays),
        .cut = ONE_OF(c, cuts),
        .loss = ONE_OF(c, losses),
        .reset = ONE_OF(c, resets),
        .vanish = ONE_OF(c, vanishes),
        .window = ONE_OF(c, windows),
        .link_calm = storm_below(c, 4) == 0,
    };
}

struct storm_plan storm_plan_of(uint64_t seed, uint32_t n_placements, uint32_t n_victims)
{
    static const uint32_t send_windows[] = {0, 1024, 5000, 65536};
    static const uint32_t delivers[] = {0, 1, 1, 2, 7};
    uint64_t c = seed * 0x2545f4914f6cdd1du;
    struct storm_plan plan = {
        .weather = weather_of(&c),
        .deliver_max = ONE_OF(&c, delivers),
        .placement = storm_below(&c, n_placements),
        .send_window = ONE_OF(&c, send_windows),
        .victim = storm_below(&c, n_victims),
        .restart_us = storm_below(&c, 3) == 0 ? 0 : storm_below(&c, 7000000),
        .whole_domain = storm_below(&c, 2) == 0,
    };
    if (storm_below(&c, 5) < 2) {
        static const uint32_t spans[] = {20, 60, 200, 1000};
        plan.kill_turn = 1 + storm_below(&c, ONE_OF(&c, spans));
    }
    static const uint32_t shares[] = {3, 10, 100, 500};
    static const uint32_t runs[] = {1, 1, 3, 10, 100};
    switch (storm_below(&c, 6)) {
    case 0:
        plan.fail_nth = 1 + storm_below(&c, 60);
        plan.fail_n = ONE_OF(&c, runs);
        break;
    case 1:
        plan.fail_share = ONE_OF(&c, shares);
        break;
    default:
        break;
    }
    return plan;
}

void storm_allow_boot(struct px_sim_system *system)
{
    px_sim_allow(system, "boot", &px_contract_net, "net");
}

void storm_allow_http(struct px_sim_system *system, const char *engine)
{
    px_sim_allow(system, engine, &px_contract_http_responder, "app");
    px_sim_allow(system, "app", &px_contract_http_requester, engine);
}

void storm_allow_giver(struct px_sim_system *system, const char *giver)
{
    px_sim_allow(system, giver, &px_contract_stream_upper, "toy");
    storm_allow_http(system, giver);
}

void storm_listen(struct px_sim_system *system, const char *address, const char *upper,
                  uint32_t send_window)
{
    struct px_env *boot = px_sim_env(system, "boot");
    Net__ListenAt *m = px_msg_new(boot, &net__listen_at__descriptor);
    px_msg_put(m, &m->address, address, strlen(address));
    px_msg_put(m, &m->upper, upper, strlen(upper));
    m->send_window = send_window;
    (void)px_call(boot, px_sim_addr(system, "net"), NET_LISTEN, m, PX_NEVER, 1);
    (void)sim_expect_reply(system, "boot", 1, PX_OK);
}

/* ---- playing it ---- */

static void victim_dies(struct storm_play *play)
{
    const char *victim = play->victims[play->plan.victim];
    uint32_t domain = px_sim_domain_of(play->system, victim);
    play->died = true;
    play->back_us = px_sim_now_us(play->sim) + play->plan.restart_us;
    if (play->plan.whole_domain && domain != 0) {
        px_sim_kill_domain(play->system, domain);
    } else {
        px_sim_kill(play->system, victim);
    }
}

static void victims_return(struct storm_play *play)
{
    play->back_us = 0;
    px_sim_restart(play->system, play->victims[0]);
    px_sim_restart(play->system, play->victims[1]);
}

static bool is_time_to_die(const struct storm_play *play)
{
    return !play->died && play->plan.kill_turn != 0 &&
           px_sim_turns(play->sim) - play->base_turns >= play->plan.kill_turn;
}

void storm_play_until(struct storm_play *play, uint64_t until_us)
{
    for (;;) {
        bool back_first = play->back_us != 0 && play->back_us <= until_us;
        bool more = px_sim_step(play->sim, back_first ? play->back_us : until_us);
        if (is_time_to_die(play)) {
            victim_dies(play);
        } else if (!more && back_first) {
            px_sim_skip_to(play->sim, play->back_us);
            victims_return(play);
        } else if (!more) {
            return;
        }
    }
}

void storm_play_calm(struct storm_play *play)
{
    play->plan.kill_turn = 0;
    px_sim_fail_alloc(play->system, 0, 0, 0);
    px_sim_weather(play->sim, &(struct px_sim_weather){.link_calm = true});
    victims_return(play);
}
