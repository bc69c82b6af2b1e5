/* wire_types.h - the description of a message that has every kind of field, for the tests of
 * wire_json.h. Field n of message 1 is of type n (google.protobuf.FieldDescriptorProto.Type), field
 * 20 + n a list of it; those of type message are message 1 itself.
 */
#ifndef WIRE_TYPES_H
#define WIRE_TYPES_H

#include <stdio.h>
#include <string.h>

#include "inspect.pb-c.h"

enum { WIRE_TYPES = 18, WIRE_GROUP = 10, WIRE_MESSAGE = 11 };

struct wire_types {
    Inspect__Description description;
    Inspect__MessageIs message, *messages[1];
    Inspect__FieldIs fields[2 * WIRE_TYPES], *list[2 * WIRE_TYPES];
    char names[2 * WIRE_TYPES][8];
};

static inline void wire_types_fill(struct wire_types *types)
{
    size_t n = 0;
    inspect__description__init(&types->description);
    inspect__message_is__init(&types->message);
    types->message.name = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "t.All"};
    for (uint32_t i = 0; i < 2 * WIRE_TYPES; i++) {
        uint32_t type = i % WIRE_TYPES + 1;
        if (type == WIRE_GROUP) {
            continue;
        }
        Inspect__FieldIs *f = &types->fields[n];
        inspect__field_is__init(f);
        f->type = type;
        f->many = i >= WIRE_TYPES;
        f->number = type + (f->many ? 20 : 0);
        f->message = type == WIRE_MESSAGE ? 1 : 0;
        snprintf(types->names[n], sizeof types->names[n], "%c%u", f->many ? 'l' : 'f', type);
        f->name.data = (uint8_t *)types->names[n];
        f->name.len = strlen(types->names[n]);
        types->list[n] = f;
        n++;
    }
    types->message.fields = types->list;
    types->message.n_fields = n;
    types->messages[0] = &types->message;
    types->description.messages = types->messages;
    types->description.n_messages = 1;
}

#endif
