/* hello.h - how a link begins: both ends say who they are, and the spawned one is told what to
 * host. Descriptors here wait: a domain has nothing else to do before it is set up.
 */
#ifndef PX_LINK_HELLO_H
#define PX_LINK_HELLO_H

#include <px/contract.h>
#include <px/err.h>
#include <stddef.h>
#include <stdint.h>

#include "link.pb-c.h"
#include "ring.h"

enum {
    PX_LINK_VERSION = 1,
    PX_HELLO_CONTRACTS_MAX = 63, /* as many as a kernel knows */
    PX_HELLO_BODY_MAX = 65536,   /* bytes of a Hello or a Setup */
    PX_HELLO_WHY_MAX = 512,      /* room for a reason, with its closing zero */
};

/* A Hello on the stack. */
struct px_hello {
    Link__HelloFrom from;
    Link__ContractForm forms[PX_HELLO_CONTRACTS_MAX], *list[PX_HELLO_CONTRACTS_MAX];
};

/* Fills `ret` with what this end is: `program` and the strings of the contracts are referred to. */
void px_hello_fill(const char *program, const struct px_contract *const *contracts, size_t n,
                   struct px_hello *ret);
/* Does the far end's Hello go with ours? PX_EOK; PX_EINVAL: malformed; PX_EUNSUPPORTED: another
 * version or another form of a contract both know. Else `ret_why` names both sides. */
PX_MUST_USE enum px_err px_hello_check(const struct px_hello *ours, const uint8_t *body, size_t len,
                                       char ret_why[PX_HELLO_WHY_MAX]);

/* ---- the spawned end, before its kernel runs ---- */

/* Writes the greeting and our Hello, or any one later message. PX_EIO: the far end is gone. */
PX_MUST_USE enum px_err px_hello_write(int fd, const struct px_hello *hello);
PX_MUST_USE enum px_err px_hello_write_message(int fd, uint16_t method,
                                               const ProtobufCMessage *body);
/* Reads the far end's greeting, Hello and Setup; the bodies are the caller's to free (free), and so
 * are the descriptors of rings that came with the greeting (px_rings_attach); -1: none. PX_EIO: it
 * ended; PX_EINVAL: what came is something else; PX_ENOMEM. */
struct px_hello_body {
    uint8_t *bytes;
    size_t len;
};
PX_MUST_USE enum px_err px_hello_read(int fd, struct px_hello_body *ret_hello,
                                      struct px_hello_body *ret_setup, int ret_offer[PX_RING_FDS]);

/* Waits for Begin, the last message before the lane reads. PX_EIO: the far end is gone, or does not
 * need us; PX_EINVAL: what came is something else; PX_ENOMEM. */
PX_MUST_USE enum px_err px_hello_begin(int fd);

#endif
