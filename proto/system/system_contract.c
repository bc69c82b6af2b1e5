/* system_contract.c - the shape of each method of system.proto.
 */
#include "system_contract.h"

#include "system.pb-c.h"

PX_CONTRACT(px_contract_system, PX_C_SYSTEM, system__system__descriptor, 0,
            /* get */ PX_CALL_IDEMPOTENT, /* watch */ PX_STREAM, /* await */ PX_CALL_IDEMPOTENT,
            /* vote */ PX_STREAM, /* answer */ PX_CALL);

PX_CONTRACT(px_contract_control, PX_C_CONTROL, system__control__descriptor, 0, /* go */ PX_CALL,
            /* fall */ PX_CALL, /* invalidate_policy */ PX_CALL);
