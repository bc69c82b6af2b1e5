/* ktest_contract.h - numbers and methods of the contracts in ktest.proto.
 */
#ifndef KTEST_CONTRACT_H
#define KTEST_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_TOY = 0x80,
    PX_C_STACK = 0x81,
};

/* ktest.Toy */
enum {
    TOY_NOTE = PX_METHOD(PX_C_TOY, 0),
    TOY_ASK = PX_METHOD(PX_C_TOY, 1),
    TOY_RETRY = PX_METHOD(PX_C_TOY, 2),
    TOY_WATCH = PX_METHOD(PX_C_TOY, 3),
    TOY_PLANT = PX_METHOD(PX_C_TOY, 4),
    TOY_SHOW = PX_METHOD(PX_C_TOY, 5),
};

/* ktest.Stack */
enum {
    STACK_BYTES = PX_METHOD(PX_C_STACK, 0),
};

extern const struct px_contract px_contract_toy;
extern const struct px_contract px_contract_stack;

#endif
