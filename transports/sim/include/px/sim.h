/* sim.h - a virtual world: whole systems on a virtual clock and a virtual network, all from one
 * seed.
 *
 * A sim is a clock that stands still until told to move, a network, and any number of systems. A
 * system is a table of mailboxes spread over one domain or several; each domain is a real kernel,
 * and domains of one system talk through lane W: every crossing is packed by the real frame code,
 * cut at seeded positions, delayed and unpacked. The services are the real ones. Mailboxes nobody
 * implements are recorders (px/test.h).
 *
 * The same seed and the same calls give the same run, to the byte. A sim and what belongs to it is
 * used by one thread. The simulator's own memory comes from libc and is never short; only what the
 * kernels ask of their world can be made to fail.
 */
#ifndef PX_SIM_H
#define PX_SIM_H

#include <px/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_sim;
struct px_sim_system;
struct px_sim_peer;

/* ---- the world ---- */

/* How the network and lane W behave. Zeroed: everything arrives at once, whole and complete. Shares
 * are in thousandths of segments (the network) or of pieces (lane W). */
struct px_sim_weather {
    uint32_t delay_us_min; /* of each segment and of each connection attempt: at least ... */
    uint32_t delay_us_max; /* ... and at most */
    uint32_t cut;          /* share of segments, reads and pieces that are cut at a random place */
    uint32_t loss;         /* share that is lost and sent again: 200..800 ms late */
    uint32_t reset;        /* share that resets its connection instead */
    uint32_t vanish;       /* share after which a connection is silent until it times out (20 s) */
    uint32_t window; /* bytes a receiver's socket buffers [65536]; small ones make slow readers */
    bool link_calm;  /* lane W neither cuts nor delays */
};

/* What happens at a failed expectation: must not return. `text` has several lines. */
typedef void (*px_sim_fail_fn)(const char *file, int line, const char *text);

/* How to make a world. */
struct px_sim_config {
    uint64_t seed;                  /* all chance comes from here; 0 is a seed like others */
    struct px_sim_weather weather;  /* until px_sim_weather says otherwise */
    struct px_kernel_config kernel; /* of every domain; trace_records 0: 512 */
    px_sim_fail_fn fail;            /* NULL: prints and aborts */
    bool verbose;                   /* log lines go to stderr as they come */
};

/* A world at monotonic time 1 s, wall clock 2026-01-01. Never NULL. */
struct px_sim *px_sim_new(const struct px_sim_config *config);
/* Frees it with its systems and peers. NULL is fine. */
void px_sim_free(struct px_sim *take_sim);

/* From now on. */
void px_sim_weather(struct px_sim *sim, const struct px_sim_weather *weather);
/* Monotonic time, microseconds. */
uint64_t px_sim_now_us(const struct px_sim *sim);
/* The seed it was made with. */
uint64_t px_sim_seed(const struct px_sim *sim);
/* What a failure report says about this run, beside the seed. Copied, up to 255 characters. */
void px_sim_note(struct px_sim *sim, const char *text);
/* Chance of the test's own, from the same seed: 0..n-1, n >= 1. */
uint32_t px_sim_below(struct px_sim *sim, uint32_t n);
/* The same: true in `share` of a thousand. */
bool px_sim_chance(struct px_sim *sim, uint32_t share);

/* ---- time ---- */

/* Runs everything there is to do now, without moving the clock. */
void px_sim_settle(struct px_sim *sim);
/* Moves the clock by `us`, running what becomes due on the way in order. */
void px_sim_advance_us(struct px_sim *sim, uint64_t us);
/* Runs until nothing is left to do or `us` have passed, whichever is first. True: nothing is left.
 */
bool px_sim_run_us(struct px_sim *sim, uint64_t us);
/* One kernel turn, or one move of the clock (at most to `until_us`). False: nothing to do before.
 */
bool px_sim_step(struct px_sim *sim, uint64_t until_us);
/* Sets the clock to `at_us`, when px_sim_step has said that there is nothing to do before. */
void px_sim_skip_to(struct px_sim *sim, uint64_t at_us);
/* Kernel turns since the start. With deliver_max 1 each delivers one message: a place to kill at.
 */
uint64_t px_sim_turns(const struct px_sim *sim);

/* ---- systems ---- */

/* A system of `n_domains` kernels (1..8). */
struct px_sim_system *px_sim_system_new(struct px_sim *sim, const char *name, uint32_t n_domains);
/* A mailbox in `domain`, named `name` (NULL: service->name); `config` outlives the sim. Before
 * start. */
px_addr px_sim_add(struct px_sim_system *system, uint32_t domain, const struct px_service *service,
                   const char *name, const void *config);
/* A mailbox that nobody holds: what it gets is recorded (px/test.h). The test may act through its
 * environment (px_sim_env). */
px_addr px_sim_add_recorder(struct px_sim_system *system, uint32_t domain, const char *name);
/* Capability; makes the contract known. Before start. */
void px_sim_allow(struct px_sim_system *system, const char *from,
                  const struct px_contract *contract, const char *to);
/* The usual stack at once: `upper` consumes streams of `lower`. */
void px_sim_stack(struct px_sim_system *system, const char *upper, const char *lower);
/* Starts every kernel of the system; a service whose init fails is a failed expectation. */
void px_sim_start(struct px_sim_system *system);

/* The kernel of a domain. */
struct px_kernel *px_sim_kernel(const struct px_sim_system *system, uint32_t domain);
/* How many domains it has. */
uint32_t px_sim_n_domains(const struct px_sim_system *system);
/* The mailbox of a name; one that is not there is a failed expectation. */
px_addr px_sim_addr(const struct px_sim_system *system, const char *name);
/* Where a mailbox lives. */
uint32_t px_sim_domain_of(const struct px_sim_system *system, const char *name);
/* Environment of a mailbox where it lives; NULL while it is dead. */
struct px_env *px_sim_env(const struct px_sim_system *system, const char *name);
/* State block of a service where it lives; NULL while it is dead. */
void *px_sim_state(const struct px_sim_system *system, const char *name);

/* Ends a service (px_service_kill). Nothing happens to what is dead already. Between turns only. */
void px_sim_kill(struct px_sim_system *system, const char *name);
/* Starts it again, with its domain if that is dead too. Nothing happens to what lives. */
void px_sim_restart(struct px_sim_system *system, const char *name);
/* Ends a whole domain with every link to it, as a crashed process. */
void px_sim_kill_domain(struct px_sim_system *system, uint32_t domain);
/* Starts it again. */
void px_sim_restart_domain(struct px_sim_system *system, uint32_t domain);
/* Does the service live, and its domain? */
bool px_sim_is_alive(const struct px_sim_system *system, const char *name);

/* From the `nth` allocation from now (1: the next), `n` in a row fail in each domain, and any other
 * with a chance of `share` in a thousand. 0, 0, 0: none does. */
void px_sim_fail_alloc(struct px_sim_system *system, uint64_t nth, uint32_t n, uint32_t share);

/* ---- the network ---- */

/* The mailbox `net`: contracts net.Net and stream.Lower as transports/posix offers them, on the
 * virtual network. Addresses: "1.2.3.4:port" (port 0: any free one) and "unix:name". No file
 * ranges. */
extern const struct px_service px_simnet_service;

/* A bare far end. It reads everything at once unless told otherwise. Freed with the sim, or before.
 */
struct px_sim_peer *px_sim_connect(struct px_sim *sim, const char *target);
/* Connections to `address` become bare far ends, to be fetched with px_sim_accept. */
void px_sim_listen(struct px_sim *sim, const char *address);
/* The next connection accepted at `address`, NULL: none yet. */
struct px_sim_peer *px_sim_accept(struct px_sim *sim, const char *address);
/* `remote` of the connection as the system sees it, "10.0.0.1:1000"; before the connect has
 * happened. */
struct px_sim_peer *px_sim_connect_from(struct px_sim *sim, const char *from, const char *target);
/* Frees one; its connection is reset unless both sides have ended. NULL is fine. */
void px_sim_peer_free(struct px_sim_peer *take_peer);

/* Queues bytes; they leave as fast as the far window lets them. */
void px_sim_peer_write(struct px_sim_peer *peer, const void *data, size_t len);
/* The end of what we write, behind everything queued. */
void px_sim_peer_fin(struct px_sim_peer *peer);
/* Breaks the connection off. */
void px_sim_peer_reset(struct px_sim_peer *peer);
/* Reads at most `len` bytes each `every_us` from now on; 0, 0: everything at once; 0, n: nothing.
 */
void px_sim_peer_pace(struct px_sim_peer *peer, uint32_t len, uint32_t every_us);
/* Bytes received and not yet taken. */
const uint8_t *px_sim_peer_data(const struct px_sim_peer *peer, size_t *ret_len);
/* Takes the first `len` of them. */
void px_sim_peer_take(struct px_sim_peer *peer, size_t len);
/* Bytes received in all. */
uint64_t px_sim_peer_received(const struct px_sim_peer *peer);
bool px_sim_peer_is_open(const struct px_sim_peer *peer); /* connected, and not reset or refused */
bool px_sim_peer_saw_fin(const struct px_sim_peer *peer); /* the far end will say no more */
/* OK while it lasts; RESET, REFUSED, TIMED_OUT, UNREACHABLE. */
enum px_status px_sim_peer_status(const struct px_sim_peer *peer);

/* Nothing passes between two systems (NULL: the bare far ends) until healed. Connections that wait
 * longer than 20 s time out. */
void px_sim_partition(struct px_sim *sim, const struct px_sim_system *a,
                      const struct px_sim_system *b, bool apart);

/* Messages that lane W could not take in because they were malformed (there must be none). */
uint64_t px_sim_link_refused(const struct px_sim *sim);

#ifdef __cplusplus
}
#endif

#endif
