/* contract.h - what descriptors cannot say about a .proto service: its number and each method's
 * shape.
 *
 * In the header beside the .proto:   enum { PX_C_ECHO = 0x80, ECHO_CARRY = PX_METHOD(PX_C_ECHO, 0)
 * }; extern const struct px_contract px_contract_echo; In one source file:
 * PX_CONTRACT(px_contract_echo, PX_C_ECHO, echo__echo__descriptor, 0, PX_CALL_IDEMPOTENT);
 */
#ifndef PX_CONTRACT_H
#define PX_CONTRACT_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Shapes of methods. PX_CALL is never retried; PX_CALL_IDEMPOTENT may be, once, by the router. */
enum px_shape { PX_ONEWAY = 1, PX_CALL, PX_CALL_IDEMPOTENT, PX_STREAM };

/* Contract flag: who may send this consumes the receiver's bytes; it defines the ranks of the flush
 * phase. */
enum { PX_CONTRACT_STACKS = 1 };

/* Contract numbers: 0x01..0x7f are this project's, 0x80..0xff are for services of others. */
struct px_contract {
    const ProtobufCServiceDescriptor *descriptor; /* generated from the .proto */
    const uint8_t *shapes;                        /* enum px_shape, in method order */
    uint8_t n_shapes;                             /* must be the descriptor's number of methods */
    uint8_t number;                               /* the high byte of its methods */
    uint8_t flags;                                /* PX_CONTRACT_STACKS or 0 */
};

/* Defines a contract: its number, its descriptor, PX_CONTRACT_ flags or 0, and the shape of each
 * method in the descriptor's order. In one source file; see the top of this one. */
#define PX_CONTRACT(name, number_, descriptor_, flags_, ...)                                       \
    static const uint8_t name##_shapes[] = {__VA_ARGS__};                                          \
    const struct px_contract name = {&(descriptor_), name##_shapes, (uint8_t)sizeof name##_shapes, \
                                     (number_), (flags_)}

/* Number that changes with anything a peer could trip over: method names and order, shapes, and
 * every field of every message (number, type, label, name). */
uint64_t px_contract_hash(const struct px_contract *contract);

#ifdef __cplusplus
}
#endif

#endif
