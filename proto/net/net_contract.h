/* net_contract.h - numbers and methods of the contracts in net.proto, which says what each means.
 */
#ifndef PX_NET_CONTRACT_H
#define PX_NET_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_NET = 0x05,
};

/* net.Net */
enum {
    NET_LISTEN = PX_METHOD(PX_C_NET, 0),
    NET_UNLISTEN = PX_METHOD(PX_C_NET, 1),
    NET_STATS = PX_METHOD(PX_C_NET, 2),
};

extern const struct px_contract px_contract_net;

#endif
