/* h1.h - the service that speaks HTTP/1.0 and HTTP/1.1 to clients: streams below, exchanges above.
 *
 * Its configuration is h1.Config (proto/h1.proto). What is not configurable stands here.
 */
#ifndef H1_H
#define H1_H

#include <px/service.h>

extern const struct px_service px_h1_service;

/* Defaults of h1.Config. The parser's are in h1_field.h. */
enum {
    H1_CONNECTIONS_MAX = 100000, /* further ones are reset */
    H1_REQUESTS_MAX = 1000,      /* of one connection; the last is answered with close */
    H1_HEAD_MS = 10000,
    H1_IDLE_MS = 75000,
    H1_BODY_RATE_MIN = 240, /* bytes a second */
    H1_WRITE_MS = 30000,
    H1_PIPELINE_MAX = 16,
    H1_WINDOW = 65536,
    H1_DRAIN_BYTES = 65536,
    H1_DRAIN_MS = 500,
};

/* Fixed. */
enum {
    H1_WINDOW_MIN = 512,
    H1_LINES_MAX = 16368,         /* largest configurable request_line_max */
    H1_HEADERS_LEN_LIMIT = 49152, /* largest configurable headers_len_max and header_line_max */
    H1_HEADERS_LIMIT = 1000,      /* largest configurable headers_max */
    H1_PIPELINE_LIMIT = 256,      /* largest configurable pipeline_max */
    H1_SERVER_MAX = 256,          /* bytes of the Server value */
    H1_UPGRADES_MAX = 8,          /* protocols to upgrade to */
    H1_TOKEN_MAX = 31,            /* bytes of such a token */
    H1_REFUSED_LINE_MAX = 256,    /* bytes of http.RefusedRequest.line, the rest is not told */
    H1_BODY_GRACE_MS = 5000,      /* before the least rate of a body counts */
    H1_BODY_STALL_MS = 30000,     /* and the longest lead a fast beginning can earn */
    H1_RESPOND_FREE = 16384,      /* bytes of Respond that cost no credit (http.proto) */
    H1_RESPONSE_WINDOW = 262144,  /* bytes of a response body in flight from the application */
    H1_FILE_WINDOW = 4194304,     /* the same, of a body of file ranges: they pin no memory */
    H1_FILE_MEMORY_MAX = 16384, /* bytes of other memory in such a body, then it is as any other */
    H1_SENT_MAX = 524288, /* bytes of memory that the provider has not sent, whatever its window */
    H1_OUTPUT_MARK = 65536,  /* bytes waiting for the stream above which no request is begun */
    H1_COPY_MAX = 2048,      /* payload up to here is copied behind its head, more is referenced */
    H1_INFORM_MAX = 8,       /* interim responses to one request */
    H1_PLACES_MAX = 255,     /* combinations of provider, listener and own address in use */
    H1_HANDOVERS_MAX = 1024, /* upgrades under way at once */
    H1_STOP_GRACE_US = 500000, /* stopping: for a request to come that was on its way */
};

/* px_count's indices: X(name, what it counts). */
#define H1_COUNTER_LIST(X)                                                                         \
    X(connections, "streams accepted")                                                             \
    X(adopted, "of these, taken over from an earlier life of this service")                        \
    X(connections_max, "streams reset because connections_max or places were reached")             \
    X(requests, "requests handed to the application")                                              \
    X(upgrades, "streams handed to another protocol")                                              \
    X(refused_400, "malformed requests")                                                           \
    X(refused_408_head, "heads that took longer than head_ms")                                     \
    X(refused_408_body, "bodies slower than body_rate_min")                                        \
    X(refused_413, "bodies longer than body_max")                                                  \
    X(refused_414, "request lines longer than request_line_max")                                   \
    X(refused_417, "unknown expectations")                                                         \
    X(refused_431, "heads or trailers beyond a limit of header fields")                            \
    X(refused_500, "responses that could not be written")                                          \
    X(refused_501, "methods and codings not offered")                                              \
    X(refused_503, "requests without an application")                                              \
    X(refused_505, "other versions of HTTP")                                                       \
    X(requests_max, "connections that reached requests_max")                                       \
    X(idle_ms, "connections idle for idle_ms")                                                     \
    X(write_ms, "connections that took nothing of a response for write_ms")                        \
    X(pipeline_max, "times reading paused because pipeline_max requests were unanswered")          \
    X(output_mark, "times reading paused because output waited for the stream")                    \
    X(drain_bytes, "unread bodies longer than drain_bytes")                                        \
    X(drain_ms, "unread bodies that took longer than drain_ms")                                    \
    X(inform_max, "interim responses dropped")                                                     \
    X(application_broken, "responses with the wrong length, beyond credit or out of turn")         \
    X(credit_exceeded, "streams reset because the provider went beyond its credit")                \
    X(truncated, "requests the client did not finish")                                             \
    X(no_memory, "connections and requests lost for lack of memory")

enum h1_counter {
#define X(name, text) H1_COUNT_##name,
    H1_COUNTER_LIST(X)
#undef X
        H1_COUNTERS
};

#endif
