/* h1_head.h - the head of a request: request line and header fields, strictly (RFC 9112 2 to 7).
 *
 * A pure function of the bytes from the first one of the request. Whatever they are split into, the
 * verdict, the status and the number of bytes taken are the same: once BAD with a status, always
 * BAD with that status.
 */
#ifndef H1_HEAD_H
#define H1_HEAD_H

#include <px/bytes.h>
#include <px/err.h>

#include "h1_field.h"

/* How the end of a body is found (RFC 9112 6.3). */
enum h1_framing {
    H1_NO_BODY,
    H1_LENGTH,     /* content_length bytes */
    H1_CHUNKED,    /* h1_chunk.h */
    H1_UNTIL_CLOSE /* responses only */
};

enum h1_method {
    H1_OTHER_METHOD, /* only with any_method */
    H1_GET,
    H1_HEAD,
    H1_POST,
    H1_PUT,
    H1_DELETE,
    H1_CONNECT,
    H1_OPTIONS,
    H1_TRACE,
    H1_PATCH
};

/* What a head says; valid when the parser said DONE, `refusal` and `h2_preface` when it said BAD.
 * The spans of method, authority, path and upgrade point into the input (or into constants). */
struct h1_head {
    struct px_span method; /* a token of 1..H1_METHOD_MAX bytes, as sent */
    struct px_span
        scheme; /* of an absolute-form, "http" or "https"; else empty: ask the listener */
    struct px_span authority; /* of the target, else of Host; empty only in HTTP/1.0 without Host */
    struct px_span path;      /* path and query as sent, "*" for OPTIONS, empty for CONNECT */
    struct px_span upgrade;   /* what is offered, as it came; see h1_upgrade_offers */
    uint64_t content_length;  /* with H1_LENGTH */
    struct h1_refusal refusal;
    enum h1_method method_id;
    enum h1_framing framing;
    uint8_t minor;        /* 0: HTTP/1.0, 1: HTTP/1.1 and every later 1.x */
    bool keep_alive;      /* the client lets the connection persist */
    bool expect_continue; /* the client waits for 100 before its body; only if there is one */
    bool trailers_ok;     /* the client said "TE: trailers" */
    bool h2_preface;      /* with BAD 505: "PRI * HTTP/2.0"; give the bytes to HTTP/2 instead */
};

/* Read a head with the empty line that ends it, and at most one empty line before it.
 *
 * `fields` receives a serialized HeaderList: names in lower case, in order, without Host (it is
 * `authority`) and without what belongs to this connection only (Connection and what it names,
 * Keep-Alive, Proxy-*, TE, Transfer-Encoding, Upgrade). Twice the bytes of the head are always
 * enough room; with less, BAD 431. `resume` is zeroed before the first call.
 *
 * DONE: `in` stands behind the head. MORE: call again with the same bytes and what follows them;
 * `in` and `fields` are where they were, `ret_head` means nothing. BAD: answer `ret_head->refusal`
 * and close; `in` and `fields` are where they were. A bad request line is refused when it is
 * complete; fields that are well-formed but must not be, when the head is complete or a later line
 * is malformed.
 *
 * 400 malformed, or framed so that two readers could disagree; 414 request line too long; 417
 * unknown expectation; 431 too much of header; 501 method or transfer coding not implemented; 505
 * not HTTP/1.x. */
PX_MUST_USE enum px_parse h1_head_parse(struct h1_resume *resume, struct px_bytes *in,
                                        struct px_bytes_out *fields, const struct h1_limits *limits,
                                        struct h1_head *ret_head);

/* True when `protocol` (in lower case, like "websocket") is among what the request offers to
 * upgrade to. Offers count only in a GET of HTTP/1.1 without a body whose Connection field says
 * "upgrade". */
bool h1_upgrade_offers(const struct h1_head *head, const char *protocol);

#endif
