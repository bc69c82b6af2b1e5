/* link_contract.h - numbers and methods of the contract in link.proto, which says what each means.
 */
#ifndef PX_LINK_CONTRACT_H
#define PX_LINK_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_LINK = 0x07,
    LINK_MAILBOX = 0xfff, /* stands in both places of such a frame; it is no mailbox */
};

/* link.Link */
enum {
    LINK_HELLO = PX_METHOD(PX_C_LINK, 0),
    LINK_SETUP = PX_METHOD(PX_C_LINK, 1),
    LINK_READY = PX_METHOD(PX_C_LINK, 2),
    LINK_REFUSED = PX_METHOD(PX_C_LINK, 3),
    LINK_PING = PX_METHOD(PX_C_LINK, 4),
    LINK_PONG = PX_METHOD(PX_C_LINK, 5),
    LINK_STOP = PX_METHOD(PX_C_LINK, 6),
    LINK_STOPPED = PX_METHOD(PX_C_LINK, 7),
    LINK_BEGIN = PX_METHOD(PX_C_LINK, 8),
};

extern const struct px_contract px_contract_link;

#endif
