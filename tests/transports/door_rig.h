/* door_rig.h - a kernel with a door, a service "toy" behind it, and clients that write bytes. The
 * clock stands still until the test moves it.
 *
 * What toy answers (ktest.proto): Ask{n} with {n + 1}; Ask{0} never; Ask{n >= 1000} with n bytes of
 * payload; Retry with LIMIT and no body; Plant with what it got, payload too; Watch{n} with n
 * items.
 */
#ifndef DOOR_RIG_H
#define DOOR_RIG_H

#include <check.h>
#include <px/posix.h>

#include "door_host.h"
#include "ktest_contract.h"

enum { RIG_SERVICES = 2, RIG_CLIENTS = 4, RIG_CALLS = 3, RIG_REQUEST = 70000, RIG_MEMORY = 300000 };

struct rig {
    struct px_posix *os;
    struct px_kernel *kernel;
    int listen_fd;
    px_addr toy, guest, door;
    struct px_door_target target;
    struct px_door_rule rule;
    struct px_door_role role; /* ktest.Toy to it, ktest.Stack from it, with toy */
    px_addr outside[RIG_SERVICES];
    struct px_ledger before;
    uint32_t clients_max; /* before door_rig_begin: otherwise RIG_CLIENTS */
    uint64_t now_us;
    uint32_t n_asked, n_ended; /* what toy heard */
    enum px_status ended;
    bool is_storm;                     /* several watch at once: they get no items */
    const struct px_msg *watched;      /* the one Watch that is under way */
    uint64_t n_items;                  /* sent for it */
    uint32_t n_more, item_len;         /* items allowed; payload of each */
    uint64_t told, told_tag, told_len; /* the last Stack.Bytes */
    char path[108];
};

extern struct rig *rig;

void rig_begin(void);
void rig_end(void);
/* The same with other limits. */
void rig_restart(uint32_t clients_max, bool with_rule, const char *const *services,
                 uint32_t n_services);
void rig_turns(int n);
void rig_advance_us(uint64_t us);
uint64_t rig_counter(const char *name);
/* Of the door's own ledger. */
struct px_ledger rig_ledger(void);

/* Turns until `cond` is true, or fails. */
#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        for (int until_i = 0; until_i < 3000 && !(cond); until_i++) {                              \
            rig_turns(1);                                                                          \
        }                                                                                          \
        ck_assert_msg((cond), "never came true: %s", #cond);                                       \
    } while (0)

/* ---- clients ---- */

/* Connected, nothing said. */
int far_connect(void);
/* Connected and greeted. */
int far_open(void);
void far_write(int fd, const void *bytes, size_t len);

struct said {
    uint8_t bytes[RIG_REQUEST + 256];
    size_t len;
};
/* A request "toy.Ask{value}" and such, whole, with its length. `fields`: packed body. */
void say(struct said *said, uint32_t id, const char *service, const char *method, const void *body,
         size_t body_len, const void *payload, size_t payload_len);
/* Toy.Ask{value}. */
void ask(int fd, uint32_t id, uint64_t value);

struct heard {
    uint32_t id;
    unsigned flags, status;
    size_t text_len, body_len, payload_len;
    char text[512];
    uint8_t body[4096]; /* the first ones */
};
/* Waits for the next reply. */
struct heard hear(int fd);
/* ---- attached ---- */

/* Connected and greeted. */
int pair_open(void);
struct pair {
    unsigned kind, status;
    uint64_t number, id;
    const char *service, *method, *text; /* NULL: none */
    const void *body, *payload;
    size_t body_len, payload_len;
};
void pair_make(struct said *ret, const struct pair *p);
void pair_say(int fd, const struct pair *p);
/* Asks, with id 900, to be that service. */
void pair_provide(int fd, const char *name, const char *description, bool with_role);
struct pair_heard {
    unsigned kind, status;
    uint64_t number, id;
    size_t body_len, payload_len;
    char service[256], method[256], text[512];
    uint8_t body[4096], payload[4096]; /* the first ones */
};
struct pair_heard pair_hear(int fd);
uint64_t pair_value(const struct pair_heard *heard);

/* The number in a reply of Ask. */
uint64_t heard_value(const struct heard *heard);
/* Has the door closed it? Reads what is left. */
bool far_is_closed(int fd);
/* Nothing has come. */
void far_expect_silence(int fd);
uint32_t descriptors(void);

#endif
