/* h1_conn.h - what the parts of the service share: the service, its connections, the exchanges on
 * them.
 *
 * Private to this folder. h1.c is the mailbox, h1_input.c reads requests, h1_exchange.c keeps their
 * order and speaks with the application, h1_response.c writes answers, h1_output.c sends them,
 * h1_upgrade.c hands over.
 *
 * A function here that may end a connection leaves `conn->work` NULL when it did; its caller looks
 * there.
 */
#ifndef H1_CONN_H
#define H1_CONN_H

#include <px/assert.h>
#include <px/bytes.h>
#include <px/fsm.h>
#include <px/service.h>

#include "h1.h"
#include "h1_chunk.h"
#include "h1_head.h"
#include "h1_write.h"

#include "h1.pb-c.h"
#include "http.pb-c.h"
#include "http_contract.h"
#include "stream.pb-c.h"
#include "stream_contract.h"

enum {
    H1_ADDRESS_MAX = 18,   /* bytes of stream.Opened.remote */
    H1_FIELDS_ROOM = 2048, /* bytes of the fields of an ordinary head, serialized */
};

/* Connection: the diagram is in h1.c. FREE is 0: pools hand out zeroed elements. */
enum h1_conn_state { H1_CONN_FREE, H1_CONN_OPEN, H1_CONN_HANDING, H1_CONN_CLOSING, H1_CONN_STATES };

/* What the next byte from the client is: the diagram is in h1_input.c. */
enum h1_input { H1_IN_HEAD, H1_IN_LENGTH, H1_IN_CHUNKED, H1_IN_UPGRADE, H1_IN_END, H1_IN_STATES };

/* How far the answer to a request is: the diagram is in h1_exchange.c. */
enum h1_answer { H1_ANSWER_DUE, H1_ANSWER_BODY, H1_ANSWER_DONE, H1_ANSWER_STATES };

extern const struct px_state h1_conn_table[H1_CONN_STATES];

/* What the connections of one listener have in common. */
struct h1_place {
    uint32_t used;        /* connections */
    uint32_t send_window; /* the most credit one of them came with */
    uint32_t listener;
    px_addr provider;
    bool file_ranges;
    bool secure;
    uint8_t local_len;
    uint8_t local[H1_ADDRESS_MAX];
};

struct h1_upgrade {
    px_addr mailbox;
    struct px_span name; /* of the mailbox; points into the configuration */
    char token[H1_TOKEN_MAX + 1];
};

struct h1 {
    struct px_env *env;
    struct px_pool conns, works, exchs, handovers;
    struct h1_limits limits;
    const H1__Config *config;
    struct px_span server;
    px_peer app_peer; /* 0: not there */
    px_addr app;
    uint32_t requests_max, pipeline_max, window, drain_bytes, body_rate_min;
    uint32_t n_conns, n_upgrades, n_places;
    uint64_t head_us, idle_us, write_us, drain_us, body_max;
    int64_t date_us;   /* when the second began that `date` names */
    uint32_t date_len; /* 0: the time is not known */
    uint64_t warned_s; /* second of the last warning, plus 1 */
    bool stopping;
    uint8_t date[H1_DATE_LEN];
    uint8_t fields[H1_FIELDS_ROOM]; /* of the head being parsed */
    struct h1_upgrade upgrades[H1_UPGRADES_MAX];
    struct h1_place places[H1_PLACES_MAX];
};

/* A connection: all that an idle one costs, 112 bytes. */
struct h1_conn {
    struct px_sul
        timer; /* fires at the deadline or earlier: deadlines move, it follows when it fires */
    struct h1 *h1;
    struct h1_work *work; /* NULL: idle, or waiting for Closed */
    px_handle lower;
    uint64_t deadline_us; /* for the client to send something; PX_NEVER: it owes nothing */
    uint64_t consumed;    /* bytes received in all */
    uint32_t send_credit;
    uint32_t owed; /* of the receive window, while there is no work; the rest is granted */
    uint32_t requests;
    unsigned place : 8;
    unsigned remote_len : 5;
    unsigned state : 2; /* enum h1_conn_state */
    uint8_t remote[H1_ADDRESS_MAX];
};

_Static_assert(sizeof(struct h1_conn) <= 112, "an idle connection has grown");
_Static_assert(H1_CONN_STATES <= 4 && H1_PLACES_MAX <= 255 && H1_ADDRESS_MAX <= 31,
               "too much for the bits of struct h1_conn");

/* What a connection needs from the first byte of a request until it is idle again. */
struct h1_work {
    struct px_want want;
    struct h1_conn *conn;
    struct h1_exch *first, *last; /* unanswered, in order */
    struct h1_exch *reading;      /* the last one, while its body is read for the application */
    uint32_t n_exchs;
    uint32_t input;     /* enum h1_input */
    bool final;         /* no request is begun after the last one here */
    bool eof;           /* the client has said fin */
    bool drains;        /* what is left of a body is discarded */
    bool body_paused;   /* the application is slow, not the client */
    bool output_paused; /* counted already */
    struct px_credit_in credit;
    uint32_t excess; /* what an adopted stream brought beyond our window: never granted again */

    struct px_chain in; /* received, not looked at yet */
    struct px_buf *acc; /* an unfinished head or trailer section */
    uint32_t acc_len;
    struct h1_resume resume; /* of the head in `acc` */
    struct h1_chunk chunk;
    uint64_t left;        /* of a body with a length */
    uint64_t body_len;    /* bytes of body so far */
    uint64_t drained;     /* bytes of body discarded so far */
    uint64_t body_due_us; /* when the client is too slow; or how much was left while paused */

    struct px_chain out;              /* to be sent, in front of `tail` */
    struct px_buf *tail;              /* being filled */
    struct px_bytes_out filled;       /* what of it is; empty without one */
    uint64_t write_due_us;            /* 0: nothing waits for the stream */
    const struct h1_upgrade *upgrade; /* with H1_IN_UPGRADE: to what */
    struct h1_handover *handover;
};

/* A request that is not answered yet, or (without a connection) one whose client has left before
 * the application said its first word: then it waits for that, to say Ended. */
struct h1_exch {
    struct h1_exch *next;
    struct h1_conn *conn;
    px_handle responder;
    const struct px_msg *respond; /* held: it came before its turn */
    union {
        const struct px_msg *trailers; /* held: the same */
        const struct px_msg *refused;  /* held, if we answer: the application hears it then */
    };
    const char *own_text; /* with own_status: the body */
    uint64_t left;        /* bytes of response body the application still owes, with H1_LENGTH */
    uint64_t body_credit; /* bytes of request body the application takes */
    struct px_credit_in credit; /* of the response body */
    uint32_t withheld;          /* of it: not to be granted again */
    uint32_t unsent;            /* credited bytes of response body that wait in the output */
    uint32_t from_memory;       /* bytes of response body that were no file ranges; saturates */
    uint32_t answer;            /* enum h1_answer */
    uint16_t own_status;        /* we answer it ourselves; 0: the application does */
    uint8_t framing;            /* of the response: enum h1_framing */
    uint8_t minor;
    uint8_t informs;
    bool head_only;    /* HEAD */
    bool bodyless;     /* the response body is not sent */
    bool expects;      /* 100-continue */
    bool continued;    /* was sent */
    bool credit_given; /* for the response body */
    bool body_begun;   /* the response's first bytes were seen */
    bool from_file;    /* they were a file range, and it has gone on like that: a larger window */
    bool abandoned;    /* the application gave up before answering: close in its turn */
    bool heard;        /* the application has spoken; without a handle it cannot be told anything */
};

struct h1_handover {
    struct h1_conn *conn;
    px_call_id call;
    bool broken; /* the stream is to be reset when the provider has answered */
};

/* The payload of a response, looked at once. */
struct h1_payload {
    const struct px_slice *slices;
    uint32_t n_slices;
    uint64_t len;    /* bytes in all */
    uint64_t memory; /* bytes of them that are memory; the others are file ranges */
};

static inline void h1_payload_see(const struct px_msg *msg, struct h1_payload *ret)
{
    ret->n_slices = px_msg_payload(msg, &ret->slices);
    ret->len = ret->memory = 0;
    for (uint32_t i = 0; i < ret->n_slices; i++) {
        const struct px_slice *s = &ret->slices[i];
        ret->len += s->len;
        ret->memory += (s->flags & PX_SLICE_FILE) == 0 ? s->len : 0;
    }
}

/* Takes `excess` off what is owed, as far as it goes: that is not granted again. */
static inline void h1_credit_withhold(struct px_credit_in *in, uint32_t *excess)
{
    uint32_t n = *excess < in->owed ? *excess : in->owed;
    in->owed -= n;
    *excess -= n;
}

static inline void h1_conn_move(struct h1_conn *c, enum h1_conn_state next)
{
    uint32_t state = c->state;
    px_fsm_move(h1_conn_table, &state, (uint32_t)next);
    c->state = state & 3u;
}

static inline struct h1_place *h1_conn_place(const struct h1_conn *c)
{
    return &c->h1->places[c->place];
}

static inline px_addr h1_conn_provider(const struct h1_conn *c)
{
    return h1_conn_place(c)->provider;
}

/* ---- h1.c ---- */

/* The work of a connection, made if there is none. NULL: no memory; then the connection is reset.
 */
struct h1_work *h1_work_of(struct h1_conn *c);
/* Nothing is under way: gives the work back. */
void h1_conn_rest(struct h1_conn *c);
/* Says Close (all output was sent) and waits for Closed. */
void h1_conn_close(struct h1_conn *c);
/* Ends all exchanges, says Reset and waits for Closed. */
void h1_conn_reset(struct h1_conn *c, enum px_status reason);
/* Ends all exchanges and forgets the connection. */
void h1_conn_drop(struct h1_conn *c, enum px_status reason);
/* The client owes something until `in_us` from now; PX_NEVER: nothing. */
void h1_conn_deadline(struct h1_conn *c, uint64_t in_us);
/* Makes the timer fire no later than every deadline. */
void h1_conn_arm(struct h1_conn *c);
/* Output or input is to be looked at in the flush phase. */
void h1_conn_want(struct h1_conn *c);
/* The application's peer now; 0: not there. */
px_peer h1_app_peer(struct h1 *h1);
/* Logs at most one warning a second. */
void h1_warn(struct h1 *h1, const char *tag, const char *why);

/* ---- h1_input.c ---- */

/* Takes a message's payload: parses what can be parsed in place, keeps the rest. */
void h1_input_take(struct h1_conn *c, const struct px_msg *msg);
/* Goes on with what was kept. */
void h1_input_pump(struct h1_conn *c);
/* The client's direction has ended. */
void h1_input_eof(struct h1_conn *c);
/* Nothing more is read; what was kept is dropped. */
void h1_input_end(struct h1_conn *c);
/* The body of a request is complete. */
void h1_input_next(struct h1_conn *c);
/* Is there anything of a request that was not handed on? */
bool h1_input_is_clean(const struct h1_work *w);
/* Answers for bytes received and settled. */
void h1_input_settle(struct h1_conn *c, uint64_t len);
/* The deadline has passed. */
void h1_input_timed_out(struct h1_conn *c);

/* ---- h1_accumulate.c: an unfinished head or trailer section in one contiguous buffer ---- */

/* Copies as much of `len` bytes as fits after at most one growth; 0: no memory. */
size_t h1_acc_put(struct h1 *h1, struct h1_work *w, const uint8_t *ptr, size_t len);
struct px_bytes h1_acc_bytes(const struct h1_work *w);
void h1_acc_drop(struct h1_work *w);

/* ---- h1_body.c ---- */

/* The head of `x` was read and promises a body; `x` may be NULL: drain it. */
void h1_body_begin(struct h1_conn *c, struct h1_exch *x, const struct h1_head *head);
/* Goes on with a body; false: nothing more can be done now. */
bool h1_body_pump(struct h1_conn *c);
/* The request whose body is being read needs it no longer: drain it, within limits. */
void h1_body_drain(struct h1_conn *c);
/* Starts or stops the clock on the client. */
void h1_body_clock(struct h1_conn *c);

/* ---- h1_exchange.c ---- */

/* A new exchange behind the others. NULL: no memory. */
struct h1_exch *h1_exch_new(struct h1_conn *c);
/* One that is to be answered by ourselves, behind the others; the connection ends with it. `head`:
 * what came of its head. */
void h1_exch_refuse(struct h1_conn *c, uint16_t status, const char *text, struct px_span head);
/* The same of the last exchange, whose head was read and the application has not heard of. */
void h1_exch_refuse_last(struct h1_conn *c, uint16_t status, const char *text, struct px_span head);
/* An exchange of ours with `refused` was answered: the application hears of it. */
void h1_exch_refused(struct h1 *h1, struct h1_exch *x);
/* A request cannot go on. Answers it with `status` in its turn (0: closes then) if no answer has
 * begun, else resets. The application hears `reason`. Nothing more is read from the connection. */
void h1_exch_fail(struct h1_conn *c, struct h1_exch *x, uint16_t status, const char *text,
                  enum px_status reason);
/* The same, but writes nothing yet: for those whom h1_exch_advance called. */
void h1_exch_replace(struct h1_conn *c, struct h1_exch *x, uint16_t status, const char *text,
                     enum px_status reason);
/* The application broke its side of an exchange: logs why and resets. */
void h1_exch_broken(struct h1_conn *c, const char *why);
/* Ends what comes behind `x`: the connection ends with it. */
void h1_exch_cut_behind(struct h1_conn *c, struct h1_exch *x);
/* Gives credit back for response body that was sent. */
void h1_exch_settle(struct h1_conn *c);
/* Bytes of a response body that goes on have come: the window is made for what it is made of. */
void h1_exch_weigh(struct h1_conn *c, struct h1_exch *x, const struct h1_payload *payload);
/* Moves the answer of an exchange on. */
void h1_exch_answer(struct h1_exch *x, enum h1_answer answer);
/* Writes whatever is ready, in order. */
void h1_exch_advance(struct h1_conn *c);
/* The connection is gone: every exchange ends. */
void h1_exch_end_all(struct h1_conn *c, enum px_status reason);
/* The application is gone. */
void h1_exch_app_gone(struct h1 *h1, px_peer peer);
/* Something the application sent to `handle` was lost. */
void h1_exch_lost(struct h1 *h1, px_peer from, px_handle handle);

void h1_on_inform(void *state, const struct px_msg *msg);
void h1_on_respond(void *state, const struct px_msg *msg);
void h1_on_app_data(void *state, const struct px_msg *msg);
void h1_on_app_trailers(void *state, const struct px_msg *msg);
void h1_on_app_credit(void *state, const struct px_msg *msg);
void h1_on_app_cancel(void *state, const struct px_msg *msg);

/* ---- h1_response.c ---- */

/* Writes the application's final response, with the first bytes of its body. True: that was all of
 * it, and the exchange is done. False: it goes on, or something else became of it. */
bool h1_response_begin(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg);
/* Writes more of the body. */
void h1_response_body(struct h1_conn *c, struct h1_exch *x, const struct px_msg *msg, bool fin);
/* Writes trailers; the body ends. */
void h1_response_trailers(struct h1_conn *c, struct h1_exch *x, struct px_span fields);
/* Writes an interim response. */
void h1_response_inform(struct h1_conn *c, uint16_t status, struct px_span fields);
/* Writes an answer of our own. */
void h1_response_own(struct h1_conn *c, struct h1_exch *x);
/* Bytes of the body of such an answer. */
uint32_t h1_response_own_len(const struct h1_exch *x);

/* ---- h1_output.c ---- */

/* Makes room for `len` bytes behind the output. False: no memory; the connection was reset. */
bool h1_output_grow(struct h1_conn *c, size_t len);
/* Where at least `len` bytes can be written behind the output; what is written there counts. NULL:
 * no memory; the connection was reset. */
static inline struct px_bytes_out *h1_output_room(struct h1_conn *c, size_t len)
{
    struct px_bytes_out *out = &c->work->filled;
    return px_bytes_out_room(out) >= len || h1_output_grow(c, len) ? out : NULL;
}
/* Bytes that wait. */
static inline uint64_t h1_output_len(const struct h1_work *w)
{
    return w->out.len + px_bytes_out_len(&w->filled);
}
/* Is this payload copied (or referenced)? */
static inline bool h1_output_copies(const struct h1_payload *payload)
{
    return payload->memory == payload->len && payload->len <= H1_COPY_MAX;
}
/* Copies a payload that there is room for. */
static inline void h1_output_copy(struct px_bytes_out *out, const struct h1_payload *payload)
{
    for (uint32_t i = 0; i < payload->n_slices; i++) {
        px_bytes_put_short(out, px_span_of(payload->slices[i].ptr, payload->slices[i].len));
    }
}
/* The payload of a message: copied if small, else referenced. False: no memory; the connection was
 * reset. */
bool h1_output_payload(struct h1_conn *c, const struct px_msg *msg,
                       const struct h1_payload *payload);
/* Sends what the stream takes, and sees whether the connection rests or ends. */
void h1_output_flush(struct h1_conn *c);
void h1_output_drop(struct h1_work *w);

/* ---- h1_upgrade.c ---- */

/* What the request is upgraded to; NULL: nothing. */
const struct h1_upgrade *h1_upgrade_of(struct h1 *h1, const struct h1_head *head);
/* Everything before the request is answered and sent: asks the provider to let go. */
void h1_upgrade_begin(struct h1_conn *c);
/* The provider's answer. */
void h1_upgrade_reply(struct h1 *h1, const struct px_msg *msg);
/* The connection ends before that. */
void h1_upgrade_cancel(struct h1_conn *c);

#endif
