/* door_contract.c - the shape of each method of door.proto.
 */
#include "door_contract.h"

#include "door.pb-c.h"

PX_CONTRACT(px_contract_door, PX_C_DOOR, door__door__descriptor, 0, /* provide */ PX_CALL);

PX_CONTRACT(px_contract_outside, PX_C_OUTSIDE, door__outside__descriptor, 0,
            /* call */ PX_CALL, /* stream */ PX_STREAM);
