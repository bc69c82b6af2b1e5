/* err.h - the two kinds of failure that are values: statuses (an answer to a peer or asker) and
 * errors (we or the operator are wrong). The third kind, a wrong program, is PX_ASSERT.
 */
#ifndef PX_ERR_H
#define PX_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, what it says). Numbers are part of the wire form: append only. */
#define PX_STATUS_LIST(X)                                                                          \
    X(OK, 0, "done")                                                                               \
    X(BAD_REQUEST, 1, "a field is out of range or the message makes no sense now")                 \
    X(BUSY, 2, "every slot is taken; try again later")                                             \
    X(TIMED_OUT, 3, "the deadline passed first")                                                   \
    X(CANCELLED, 4, "the asker took the call back")                                                \
    X(NO_MEMORY, 5, "memory ran out")                                                              \
    X(SERVICE_GONE, 6, "the service that held the call ended")                                     \
    X(DENIED, 7, "the sender has no capability for this")                                          \
    X(NOT_FOUND, 8, "no such thing")                                                               \
    X(STALE, 9, "the handle names something that ended, or another's")                             \
    X(UNSUPPORTED, 10, "not offered by this service or build")                                     \
    X(IN_USE, 11, "the address or name is taken")                                                  \
    X(REFUSED, 12, "the peer refused")                                                             \
    X(UNREACHABLE, 13, "no way to the peer")                                                       \
    X(RESET, 14, "the peer reset the stream")                                                      \
    X(TRUNCATED, 15, "the stream ended where it must not")                                         \
    X(TOO_LARGE, 16, "larger than the limit")                                                      \
    X(LIMIT, 17, "a configured limit was reached")                                                 \
    X(PROTOCOL, 18, "the peer broke its protocol")                                                 \
    X(INTERNAL, 19, "the service failed; its log says why")

/* How a call, a request or a stream ended: an answer to somebody else. */
enum px_status {
#define X(name, number, text) PX_##name = number,
    PX_STATUS_LIST(X)
#undef X
};

/* Name of a status ("TIMED_OUT"), or "?" for a number a newer peer may send. Static storage. */
const char *px_status_name(enum px_status status);
/* What a status says, one short phrase. Static storage. */
const char *px_status_text(enum px_status status);

/* X(name, what it says). */
#define PX_ERR_LIST(X)                                                                             \
    X(EOK, "no error")                                                                             \
    X(ENOMEM, "memory ran out")                                                                    \
    X(EINVAL, "an argument is out of range")                                                       \
    X(ESTALE, "the handle is stale")                                                               \
    X(ELIMIT, "a configured limit was reached")                                                    \
    X(EEXIST, "the name or address is taken")                                                      \
    X(ENOENT, "no such name")                                                                      \
    X(EDENIED, "permission denied")                                                                \
    X(ECYCLE, "services consume each other's streams in a circle")                                 \
    X(EUNSUPPORTED, "not offered by this host or build")                                           \
    X(ESTATE, "not possible in this state")                                                        \
    X(EIO, "the operating system refused")

/* Why a function could not do what it was asked to. Never sent to a peer. */
enum px_err {
#define X(name, text) PX_##name,
    PX_ERR_LIST(X)
#undef X
};

/* Name of an error ("ENOMEM"). Static storage. */
const char *px_err_name(enum px_err err);
/* What an error says, one short phrase. Static storage. */
const char *px_err_text(enum px_err err);

/* Of a function: the compiler warns of a call whose result is not looked at. */
#define PX_MUST_USE __attribute__((warn_unused_result))

/* Returns from the calling function with the error of `expr`, if any. Only where nothing is owned.
 */
#define PX_TRY(expr)                                                                               \
    do {                                                                                           \
        enum px_err px_try_err = (expr);                                                           \
        if (px_try_err != PX_EOK) {                                                                \
            return px_try_err;                                                                     \
        }                                                                                          \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
