/* door_contract.h - numbers and methods of the contracts in door.proto, which says what each means.
 */
#ifndef PX_DOOR_CONTRACT_H
#define PX_DOOR_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_DOOR = 0x09,
    PX_C_OUTSIDE = 0x0a,
};

/* door.Door */
enum {
    DOOR_PROVIDE = PX_METHOD(PX_C_DOOR, 0),
};

extern const struct px_contract px_contract_door;

/* door.Outside */
enum {
    OUTSIDE_CALL = PX_METHOD(PX_C_OUTSIDE, 0),
    OUTSIDE_STREAM = PX_METHOD(PX_C_OUTSIDE, 1),
};

extern const struct px_contract px_contract_outside;

#endif
