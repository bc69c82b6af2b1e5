/* net_contract.c - the shape of each method of net.proto.
 */
#include "net_contract.h"

#include "net.pb-c.h"

PX_CONTRACT(px_contract_net, PX_C_NET, net__net__descriptor, 0,
            /* listen */ PX_CALL, /* unlisten */ PX_CALL, /* stats */ PX_CALL_IDEMPOTENT);
