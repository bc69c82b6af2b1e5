/* stream_contract.c - the shape of each method of stream.proto.
 */
#include "stream_contract.h"

#include "stream.pb-c.h"

PX_CONTRACT(px_contract_stream_lower, PX_C_STREAM_LOWER, stream__lower__descriptor,
            PX_CONTRACT_STACKS,
            /* open */ PX_CALL, /* claim */ PX_ONEWAY, /* credit */ PX_ONEWAY, /* data */ PX_ONEWAY,
            /* close */ PX_ONEWAY, /* reset */ PX_ONEWAY, /* rebind */ PX_CALL);

PX_CONTRACT(px_contract_stream_upper, PX_C_STREAM_UPPER, stream__upper__descriptor, 0,
            /* accepted */ PX_ONEWAY, /* data */ PX_ONEWAY, /* credit */ PX_ONEWAY,
            /* closed */ PX_ONEWAY, /* adopt */ PX_ONEWAY);
