/* kernel_bench.c - what a hop, a call and a timer cost, with ring and capability checks on (they
 * cannot be turned off). Prints the median, the least and the most of several rounds; never fails.
 */
#include <inttypes.h>
#include <px/kernel.h>
#include <px/service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ktest.pb-c.h"
#include "ktest_contract.h"

enum {
    ROUNDS = 9,
    OPS = 1000000,     /* a round */
    FLIGHT = 64,       /* messages under way at once in the "burst" figures */
    MILLION = 1000000, /* timers */
    HOT = 64,          /* of them, moved all the time */
    SPREAD_S = 600,
    PAYLOAD_LEN = 16384,
    TURN_OPS = 1000, /* hot moves between two turns */
};

/* ---- a world with a clock that the bench moves ---- */

struct bench {
    struct px_world world;
    struct px_kernel *kernel;
    uint64_t now_us;
    px_addr alice, bob;
    uint64_t left; /* operations of this round still to begin */
    uint64_t deadline_us;
};

static void *bench_alloc(void *ctx, size_t len)
{
    (void)ctx;
    return aligned_alloc(64, (len + 63) & ~(size_t)63);
}

static void bench_release(void *ctx, void *mem, size_t len)
{
    (void)ctx;
    (void)len;
    free(mem);
}

static uint64_t bench_now_us(void *ctx)
{
    return ((struct bench *)ctx)->now_us;
}

/* Processor time: other programs do not count. */
static uint64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Something of ours failed: there is nothing to measure. */
static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "kernel_bench: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* ---- the two services ---- */

struct peer {
    struct px_env *env;
    struct bench *bench;
};

static enum px_err peer_init(void *state, struct px_env *env)
{
    struct peer *p = state;
    p->env = env;
    p->bench = px_kernel_world(px_env_kernel(env))->ctx;
    return PX_EOK;
}

static void note_send(struct peer *p, px_addr to)
{
    Ktest__Number *m = px_msg_new(p->env, &ktest__number__descriptor);
    m->value = p->bench->left;
    (void)px_send(p->env, to, TOY_NOTE, m, 0);
}

/* A note is answered with a note, as long as the round lasts. */
static void on_note(void *state, const struct px_msg *msg)
{
    struct peer *p = state;
    if (p->bench->left > 0) {
        p->bench->left--;
        note_send(p, PX_PEER_ADDR(msg->from));
    }
}

/* A Stack message carries 16 KiB that are taken out and sent on. */
static void on_bytes(void *state, const struct px_msg *msg)
{
    struct peer *p = state;
    if (p->bench->left == 0) {
        return;
    }
    struct px_chain chain = {0};
    p->bench->left--;
    must(px_msg_take_payload(msg, &chain), "out of memory");
    Ktest__Number *m = px_msg_new(p->env, &ktest__number__descriptor);
    (void)px_msg_attach_chain(m, &chain, UINT64_MAX);
    (void)px_send(p->env, PX_PEER_ADDR(msg->from), STACK_BYTES, m, 0);
}

static void on_ask(void *state, const struct px_msg *msg)
{
    struct peer *p = state;
    Ktest__Number *m = px_msg_new(p->env, &ktest__number__descriptor);
    m->value = 1;
    px_reply(p->env, msg, PX_OK, m);
}

static void ask(struct peer *p)
{
    struct bench *b = p->bench;
    px_call(p->env, b->bob, TOY_ASK, px_msg_new(p->env, &ktest__number__descriptor), b->deadline_us,
            1);
}

static void on_reply(void *state, const struct px_msg *msg)
{
    struct peer *p = state;
    (void)msg;
    if (p->bench->left > 0) {
        p->bench->left--;
        ask(p);
    }
}

static const struct px_handler peer_handlers[] = {
    {TOY_NOTE, on_note}, {TOY_ASK, on_ask}, {STACK_BYTES, on_bytes}};

static const struct px_service peer_service = {
    .name = "peer",
    .state_size = sizeof(struct peer),
    .calls_max = FLIGHT,
    .handlers = peer_handlers,
    .n_handlers = 3,
    .init = peer_init,
    .reply = on_reply,
};

/* `stack` is declared as one that defines no rank: both peers send it to each other. */
static const struct px_contract *flat_stack(struct px_contract *ret)
{
    *ret = px_contract_stack;
    ret->flags = 0;
    return ret;
}

static void bench_start(struct bench *b, struct px_contract *stack)
{
    *b = (struct bench){.now_us = 1000000};
    b->world = (struct px_world){
        .ctx = b, .alloc = bench_alloc, .release = bench_release, .monotonic_us = bench_now_us};
    must(px_kernel_new(&b->world, NULL, &b->kernel) == PX_EOK &&
             px_kernel_contract(b->kernel, &px_contract_toy) == PX_EOK &&
             px_kernel_contract(b->kernel, flat_stack(stack)) == PX_EOK &&
             px_kernel_add(b->kernel, &peer_service, "alice", NULL, &b->alice) == PX_EOK &&
             px_kernel_add(b->kernel, &peer_service, "bob", NULL, &b->bob) == PX_EOK &&
             px_kernel_allow(b->kernel, b->alice, PX_C_TOY, b->bob) == PX_EOK &&
             px_kernel_allow(b->kernel, b->bob, PX_C_TOY, b->alice) == PX_EOK &&
             px_kernel_allow(b->kernel, b->alice, PX_C_STACK, b->bob) == PX_EOK &&
             px_kernel_allow(b->kernel, b->bob, PX_C_STACK, b->alice) == PX_EOK &&
             px_kernel_start(b->kernel) == PX_EOK,
         "cannot be assembled");
}

/* ---- rounds and figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static uint64_t allocs_so_far(const struct bench *b)
{
    struct px_ledger l;
    px_kernel_ledger(b->kernel, &l);
    return l.allocs;
}

static void print_figure(const char *what, double *ns, unsigned n, uint64_t allocs, uint64_t ops)
{
    qsort(ns, n, sizeof *ns, by_value);
    printf("%-52s %8.1f ns  (%.1f .. %.1f)  %.3f allocations\n", what, ns[n / 2], ns[0], ns[n - 1],
           (double)allocs / (double)ops);
}

static void begin_notes(struct bench *b, unsigned flight)
{
    for (unsigned i = 0; i < flight; i++) {
        note_send(px_kernel_state(b->kernel, b->alice), b->bob);
    }
}

static void begin_asks(struct bench *b, unsigned flight)
{
    for (unsigned i = 0; i < flight; i++) {
        ask(px_kernel_state(b->kernel, b->alice));
    }
}

static void begin_bytes(struct bench *b, unsigned flight)
{
    struct peer *p = px_kernel_state(b->kernel, b->alice);
    for (unsigned i = 0; i < flight; i++) {
        Ktest__Number *m = px_msg_new(p->env, &ktest__number__descriptor);
        struct px_buf *buf = px_buf_new(p->env, PAYLOAD_LEN);
        must(buf != NULL, "out of memory");
        (void)px_msg_attach_take(m, buf, 0, PAYLOAD_LEN);
        (void)px_send(p->env, b->bob, STACK_BYTES, m, 0);
    }
}

/* Runs rounds of OPS operations, `flight` at once, and prints what one costs. */
static void run(struct bench *b, const char *what, void (*begin)(struct bench *, unsigned),
                unsigned flight, uint64_t deadline_us)
{
    double ns[ROUNDS];
    uint64_t allocs = 0;
    b->deadline_us = deadline_us;
    for (int round = -1; round < ROUNDS; round++) { /* the first one warms up */
        b->left = OPS;
        uint64_t allocs_before = allocs_so_far(b), start = clock_ns();
        begin(b, flight);
        while (px_kernel_next_us(b->kernel) == 0) {
            b->now_us++;
            px_kernel_turn(b->kernel, 0);
        }
        uint64_t end = clock_ns();
        if (round >= 0) {
            ns[round] = (double)(end - start) / (double)(OPS + flight);
            allocs += allocs_so_far(b) - allocs_before;
        }
    }
    print_figure(what, ns, ROUNDS, allocs, (uint64_t)ROUNDS * OPS);
}

/* ---- timers ---- */

struct timer {
    struct px_sul sul;
    struct timers *all;
    uint64_t at_us;
    uint32_t seq;
};

struct timers {
    struct bench *bench;
    struct px_env *env;
    struct timer *timer; /* MILLION */
    uint64_t seed, fired, early, disorder, last_us;
    uint32_t last_seq, seq;
};

static void on_timer(struct px_sul *sul)
{
    struct timer *t = px_container_of(sul, struct timer, sul);
    struct timers *all = t->all;
    all->fired++;
    all->early += all->bench->now_us < t->at_us;
    all->disorder += t->at_us < all->last_us ||
                     (t->at_us == all->last_us && (int32_t)(t->seq - all->last_seq) < 0);
    all->last_us = t->at_us;
    all->last_seq = t->seq;
}

static void timer_set(struct timers *all, struct timer *t, uint64_t in_us)
{
    t->all = all;
    t->at_us = px_now_us(all->env) + in_us;
    t->seq = all->seq++;
    px_sul_schedule(all->env, &t->sul, on_timer, in_us);
}

/* Moves the hot ones to about `in_us` from now; `moves_per_turn` 0: time stands still. */
static void hot_round(struct timers *all, double *ret_ns, uint64_t in_us, unsigned moves_per_turn)
{
    uint64_t start = clock_ns();
    for (unsigned i = 0; i < OPS; i++) {
        struct timer *t = &all->timer[(size_t)(i % HOT) * (MILLION / HOT)];
        timer_set(all, t, in_us + (random_next(&all->seed) & 1023u));
        if (moves_per_turn > 0 && i % moves_per_turn == 0) {
            all->bench->now_us += moves_per_turn; /* a million moves a second */
            px_kernel_turn(all->bench->kernel, 0);
        }
    }
    *ret_ns = (double)(clock_ns() - start) / OPS;
}

static void run_hot(struct timers *all, const char *what, uint64_t in_us, unsigned moves_per_turn)
{
    double ns[ROUNDS];
    uint64_t allocs = allocs_so_far(all->bench);
    for (int round = 0; round < ROUNDS; round++) {
        hot_round(all, &ns[round], in_us, moves_per_turn);
    }
    print_figure(what, ns, ROUNDS, allocs_so_far(all->bench) - allocs, (uint64_t)ROUNDS * OPS);
}

static void run_million(struct timers *all, double *set_ns, double *fire_ns)
{
    struct bench *b = all->bench;
    uint64_t start = clock_ns();
    for (unsigned i = 0; i < MILLION; i++) {
        timer_set(all, &all->timer[i],
                  1 + random_next(&all->seed) % ((uint64_t)SPREAD_S * 1000000));
    }
    *set_ns = (double)(clock_ns() - start) / MILLION;
    uint64_t goal = all->fired + MILLION;
    start = clock_ns();
    while (all->fired < goal) {
        b->now_us += px_kernel_next_us(b->kernel);
        px_kernel_turn(b->kernel, 0);
    }
    *fire_ns = (double)(clock_ns() - start) / MILLION;
}

static void run_timers(struct bench *b)
{
    enum { TIMES = 3 };
    struct timers all = {
        .bench = b, .env = px_kernel_env(b->kernel, b->alice), .seed = 88172645463325252u};
    double set_ns[TIMES], fire_ns[TIMES];
    all.timer = calloc(MILLION, sizeof *all.timer);
    must(all.timer != NULL, "out of memory");
    px_kernel_turn(b->kernel, 0);
    uint64_t allocs = allocs_so_far(b);
    for (int i = 0; i < TIMES; i++) {
        run_million(&all, &set_ns[i], &fire_ns[i]);
    }
    print_figure("timer, one of a million, set", set_ns, TIMES, allocs_so_far(b) - allocs, MILLION);
    print_figure("timer, one of a million over 600 s, fired one by one", fire_ns, TIMES,
                 allocs_so_far(b) - allocs, MILLION);
    printf("    of %" PRIu64 " fired: %" PRIu64 " early, %" PRIu64 " out of order\n", all.fired,
           all.early, all.disorder);
    for (unsigned i = 0; i < MILLION; i++) {
        timer_set(&all, &all.timer[i], 1 + random_next(&all.seed) % ((uint64_t)SPREAD_S * 1000000));
    }
    run_hot(&all, "timer, 64 hot ones moved among a million, 30 s ahead", PX_SEC(30), 0);
    run_hot(&all, "the same, while time passes (a turn per 1000)", PX_SEC(30), TURN_OPS);
    run_hot(&all, "the same, 100 ms ahead", PX_MS(100), TURN_OPS);
    for (unsigned i = 0; i < MILLION; i++) {
        px_sul_cancel(all.env, &all.timer[i].sul);
    }
    free(all.timer);
}

int main(void)
{
    struct bench b;
    struct px_contract stack;
    bench_start(&b, &stack);
    printf("medians of %d rounds of %d (least .. most); trace ring and capability checks are on\n",
           ROUNDS, OPS);
    run(&b, "hop: oneway made, sent, delivered; one under way", begin_notes, 1, 0);
    run(&b, "hop, 64 under way", begin_notes, FLIGHT, 0);
    run(&b, "hop with 16 KiB payload, taken and sent on", begin_bytes, 1, 0);
    run(&b, "hop with 16 KiB payload, 64 under way", begin_bytes, FLIGHT, 0);
    run(&b, "call + reply, no deadline; one under way", begin_asks, 1, PX_NEVER);
    run(&b, "call + reply, deadline of 10 s; one under way", begin_asks, 1, PX_SEC(10));
    run(&b, "call + reply, deadline of 10 s, 64 under way", begin_asks, FLIGHT, PX_SEC(10));
    run_timers(&b);
    px_kernel_free(b.kernel);
    return EXIT_SUCCESS;
}
