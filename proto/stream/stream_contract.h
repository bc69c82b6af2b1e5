/* stream_contract.h - numbers and methods of the contracts in stream.proto, which says what each
 * means.
 */
#ifndef PX_STREAM_CONTRACT_H
#define PX_STREAM_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_STREAM_LOWER = 0x01,
    PX_C_STREAM_UPPER = 0x02,
};

/* stream.Lower */
enum {
    LOWER_OPEN = PX_METHOD(PX_C_STREAM_LOWER, 0),
    LOWER_CLAIM = PX_METHOD(PX_C_STREAM_LOWER, 1),
    LOWER_CREDIT = PX_METHOD(PX_C_STREAM_LOWER, 2),
    LOWER_DATA = PX_METHOD(PX_C_STREAM_LOWER, 3),
    LOWER_CLOSE = PX_METHOD(PX_C_STREAM_LOWER, 4),
    LOWER_RESET = PX_METHOD(PX_C_STREAM_LOWER, 5),
    LOWER_REBIND = PX_METHOD(PX_C_STREAM_LOWER, 6),
};

extern const struct px_contract px_contract_stream_lower;

/* stream.Upper */
enum {
    UPPER_ACCEPTED = PX_METHOD(PX_C_STREAM_UPPER, 0),
    UPPER_DATA = PX_METHOD(PX_C_STREAM_UPPER, 1),
    UPPER_CREDIT = PX_METHOD(PX_C_STREAM_UPPER, 2),
    UPPER_CLOSED = PX_METHOD(PX_C_STREAM_UPPER, 3),
    UPPER_ADOPT = PX_METHOD(PX_C_STREAM_UPPER, 4),
};

extern const struct px_contract px_contract_stream_upper;

#endif
