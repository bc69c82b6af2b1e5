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
};

extern const struct px_contract px_contract_file;

#endif
