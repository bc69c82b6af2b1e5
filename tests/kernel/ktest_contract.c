/* ktest_contract.c - the shape of each method of ktest.proto.
 */
#include "ktest_contract.h"

#include "ktest.pb-c.h"

PX_CONTRACT(px_contract_toy, PX_C_TOY, ktest__toy__descriptor, 0, /* note */ PX_ONEWAY,
            /* ask */ PX_CALL, /* retry */ PX_CALL_IDEMPOTENT, /* watch */ PX_STREAM,
            /* plant */ PX_CALL, /* show */ PX_ONEWAY);

PX_CONTRACT(px_contract_stack, PX_C_STACK, ktest__stack__descriptor, PX_CONTRACT_STACKS,
            /* bytes */ PX_ONEWAY);
