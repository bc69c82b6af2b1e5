/* inspect_contract.h - numbers and methods of the contract in inspect.proto, which says what each
 * means.
 */
#ifndef PX_INSPECT_CONTRACT_H
#define PX_INSPECT_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_INSPECT = 0x08,
};

/* inspect.Inspect */
enum {
    INSPECT_SYSTEM = PX_METHOD(PX_C_INSPECT, 0),
    INSPECT_SERVICES = PX_METHOD(PX_C_INSPECT, 1),
    INSPECT_DESCRIBE = PX_METHOD(PX_C_INSPECT, 2),
    INSPECT_TRACE = PX_METHOD(PX_C_INSPECT, 3),
    INSPECT_EDGES = PX_METHOD(PX_C_INSPECT, 4),
    INSPECT_WATCH = PX_METHOD(PX_C_INSPECT, 5),
};

extern const struct px_contract px_contract_inspect;

#endif
