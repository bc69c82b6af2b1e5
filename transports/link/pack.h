/* pack.h - bodies as bytes. What contracts are nearly always made of, messages of plain numbers,
 * flags and bytes with field numbers up to 15, goes a short way here; everything else goes through
 * libprotobuf-c. The bytes are the same.
 */
#ifndef PX_LINK_PACK_H
#define PX_LINK_PACK_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the packed message, and whether it goes the short way. */
size_t px_pack_len(const ProtobufCMessage *message, bool *ret_flat);
/* Packs it: `ret` has that many bytes, `flat` is what px_pack_len said. */
void px_pack(const ProtobufCMessage *message, bool flat, uint8_t *ret);
/* The short way without measuring first: packs into `room` bytes and returns how many, or SIZE_MAX
 * (then `ret` holds anything) if the message is not for it, or may need more. */
size_t px_pack_short(const ProtobufCMessage *message, uint8_t *ret, size_t room);
/* As protobuf_c_message_unpack, but for fields that are not known: they are left out. NULL:
 * malformed, or the allocator gave nothing. */
ProtobufCMessage *px_unpack(const ProtobufCMessageDescriptor *type, ProtobufCAllocator *allocator,
                            size_t len, const uint8_t *data);

#endif
