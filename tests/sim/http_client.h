/* http_client.h - a client for storms: knows what it asks of tests/sim/app.c, writes it in bursts,
 * and checks the bytes that come back.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <px/test.h>

enum { REQUESTS_MAX = 12, REQUEST_LEN_MAX = 65536 };

struct request {
    char mode; /* see app.h */
    uint32_t id, len, ms;
    uint32_t sum; /* of the body it carries */
    bool head, has_body, chunked;
    size_t end; /* in client.bytes: one past its last byte */
};

struct client {
    struct px_sim *sim;
    struct px_sim_peer *peer;
    struct request requests[REQUESTS_MAX];
    uint32_t n_requests;
    uint32_t n_sure; /* so many must be answered when nothing goes wrong */
    bool fin;        /* half-closes behind the last request */
    uint8_t *bytes;
    size_t len, cap;
};

/* Some requests with numbers from `first_id`. */
void client_plan(struct client *c, struct px_sim *sim, uint32_t first_id);
/* One request, and the end. */
void client_plan_one(struct client *c, struct px_sim *sim, char mode, uint32_t id, uint32_t len);
void client_done(struct client *c);
/* Writes part `burst` of `n`. */
void client_write(struct client *c, uint32_t burst, uint32_t n);
/* Fails unless what came is right; `all`: and complete. Whole answers of the application. */
uint32_t client_check(struct client *c, bool all);

#endif
