/* wire_type.h - the types of fields, for both directions.
 */
#ifndef WIRE_TYPE_H
#define WIRE_TYPE_H

/* As google.protobuf.FieldDescriptorProto.Type numbers them. */
enum {
    T_DOUBLE = 1,
    T_FLOAT,
    T_INT64,
    T_UINT64,
    T_INT32,
    T_FIXED64,
    T_FIXED32,
    T_BOOL,
    T_STRING,
    T_MESSAGE = 11,
    T_BYTES,
    T_UINT32,
    T_ENUM,
    T_SFIXED32,
    T_SFIXED64,
    T_SINT32,
    T_SINT64
};

#endif
