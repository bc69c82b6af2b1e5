/* http_contract.c - the shape of each method of http.proto.
 */
#include "http_contract.h"

#include "http.pb-c.h"

PX_CONTRACT(px_contract_http_responder, PX_C_HTTP_RESPONDER, http__responder__descriptor, 0,
            /* exchange */ PX_ONEWAY, /* data */ PX_ONEWAY, /* trailers */ PX_ONEWAY,
            /* credit */ PX_ONEWAY, /* cancel */ PX_ONEWAY, /* ended */ PX_ONEWAY,
            /* refused */ PX_ONEWAY);

PX_CONTRACT(px_contract_http_requester, PX_C_HTTP_REQUESTER, http__requester__descriptor, 0,
            /* inform */ PX_ONEWAY, /* respond */ PX_ONEWAY, /* data */ PX_ONEWAY,
            /* trailers */ PX_ONEWAY, /* credit */ PX_ONEWAY, /* cancel */ PX_ONEWAY,
            /* ended */ PX_ONEWAY);
