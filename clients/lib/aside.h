/* aside.h - what a request has beside it if it is logged, or its route is ruled. */
#ifndef ASIDE_H
#define ASIDE_H

#include "lib.h"
#include "rules.h"

#include "http.pb-c.h"

struct aside {
    /* the log */
    bool is_logged;
    const struct px_msg *msg; /* held: the head */
    uint64_t id, start_us, first_byte_us;
    int64_t start_wall_us;
    uint64_t body_len;
    uint32_t status;
    /* the rules */
    struct request *request;
    const struct rules *rules;
    struct px_sul answer_timer, body_timer;
    uint64_t in_len;         /* bytes of the request's body so far */
    bool too_long;           /* and no more of it is let through */
    bool preflight;          /* the answer is one to a preflight: it has its own fields */
    struct users *users;     /* held, if there is a user */
    const struct user *user; /* who has shown to be who; NULL: nobody yet */
    struct aside *wait_next, **wait_link; /* among those that wait for a verification */
    struct px_text origin; /* what CORS allows; ptr NULL: nothing. In the head, or "*" */
};

/* Made if need be. NULL: no memory. */
struct aside *aside_of(struct request *r);

/* Tells a record, and who it is about. */
void aside_log_from(struct app *app, const ProtobufCBinaryData *remote, uint32_t listener,
                    struct px_log_record *record);

/* ---- ruled.c ---- */
/* The fields of a response, as the rules want them. */
void ruled_fields(struct aside *aside, Http__Response *m);
void ruled_answered(struct request *r);
void ruled_end(struct request *r);

#endif
