/* inspect_contract.c - the shape of each method of inspect.proto.
 */
#include "inspect_contract.h"

#include "inspect.pb-c.h"

PX_CONTRACT(px_contract_inspect, PX_C_INSPECT, inspect__inspect__descriptor, 0,
            /* system */ PX_CALL_IDEMPOTENT, /* services */ PX_CALL_IDEMPOTENT,
            /* describe */ PX_CALL_IDEMPOTENT, /* trace */ PX_CALL_IDEMPOTENT,
            /* edges */ PX_CALL_IDEMPOTENT, /* watch */ PX_STREAM);
