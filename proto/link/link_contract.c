/* link_contract.c - the shape of each method of link.proto.
 */
#include "link_contract.h"

#include "link.pb-c.h"

PX_CONTRACT(px_contract_link, PX_C_LINK, link__link__descriptor, 0,
            /* hello */ PX_ONEWAY, /* setup */ PX_ONEWAY, /* ready */ PX_ONEWAY,
            /* refused */ PX_ONEWAY, /* ping */ PX_ONEWAY, /* pong */ PX_ONEWAY,
            /* stop */ PX_ONEWAY, /* stopped */ PX_ONEWAY, /* begin */ PX_ONEWAY);
