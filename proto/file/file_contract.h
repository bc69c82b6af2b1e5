/* file_contract.h - numbers and methods of the contracts in file.proto, which says what each means.
 */
#ifndef PX_FILE_CONTRACT_H
#define PX_FILE_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_FILE = 0x06,
};

/* file.File */
enum {
    FILE_OPEN = PX_METHOD(PX_C_FILE, 0),
    FILE_READ = PX_METHOD(PX_C_FILE, 1),
    FILE_ADD_ROOT = PX_METHOD(PX_C_FILE, 2),
    FILE_DROP_ROOT = PX_METHOD(PX_C_FILE, 3),
    FILE_LIST = PX_METHOD(PX_C_FILE, 4),
};

extern const struct px_contract px_contract_file;

#endif
