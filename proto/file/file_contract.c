/* file_contract.c - the shape of each method of file.proto.
 */
#include "file_contract.h"

#include "file.pb-c.h"

PX_CONTRACT(px_contract_file, PX_C_FILE, file__file__descriptor, 0,
            /* open */ PX_CALL_IDEMPOTENT, /* read */ PX_CALL_IDEMPOTENT,
            /* add_root */ PX_CALL, /* drop_root */ PX_ONEWAY, /* list */ PX_CALL_IDEMPOTENT);
