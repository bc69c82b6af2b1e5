/* inspect_describe.c - contracts as data: enough to write requests and read answers without their
 * .proto.
 */
#include "door.h"
#include "inspect.pb-c.h"
#include "inspect_impl.h"

/* Types that methods mention, and those these mention, each once. */
struct types {
    const ProtobufCMessageDescriptor *list[INSPECT_TYPES_MAX];
    uint32_t n;
};

/* Its place from 1; 0: there is no room for it. */
static uint32_t type_place(struct types *types, const ProtobufCMessageDescriptor *type)
{
    for (uint32_t i = 0; i < types->n; i++) {
        if (types->list[i] == type) {
            return i + 1;
        }
    }
    if (types->n == INSPECT_TYPES_MAX) {
        return 0;
    }
    types->list[types->n++] = type;
    return types->n;
}

/* As google.protobuf.FieldDescriptorProto.Type numbers it. */
static uint32_t type_number(ProtobufCType type)
{
    static const uint8_t numbers[] = {
        [PROTOBUF_C_TYPE_INT32] = 5,     [PROTOBUF_C_TYPE_SINT32] = 17,
        [PROTOBUF_C_TYPE_SFIXED32] = 15, [PROTOBUF_C_TYPE_INT64] = 3,
        [PROTOBUF_C_TYPE_SINT64] = 18,   [PROTOBUF_C_TYPE_SFIXED64] = 16,
        [PROTOBUF_C_TYPE_UINT32] = 13,   [PROTOBUF_C_TYPE_FIXED32] = 7,
        [PROTOBUF_C_TYPE_UINT64] = 4,    [PROTOBUF_C_TYPE_FIXED64] = 6,
        [PROTOBUF_C_TYPE_FLOAT] = 2,     [PROTOBUF_C_TYPE_DOUBLE] = 1,
        [PROTOBUF_C_TYPE_BOOL] = 8,      [PROTOBUF_C_TYPE_ENUM] = 14,
        [PROTOBUF_C_TYPE_STRING] = 9,    [PROTOBUF_C_TYPE_BYTES] = 12,
        [PROTOBUF_C_TYPE_MESSAGE] = 11,
    };
    return numbers[type];
}

Inspect__ContractIs **inspect_contracts(const struct inspect *inspect, void *body, px_addr addr,
                                        size_t *ret_n)
{
    const struct px_system *system = inspect->system;
    size_t n = 0;
    for (uint32_t i = 0; i < system->n_callables; i++) {
        n += system->callables[i].addr == addr;
    }
    Inspect__ContractIs **list = px_msg_alloc(body, n * sizeof(Inspect__ContractIs *));
    n = 0;
    for (uint32_t i = 0; i < system->n_callables; i++) {
        const struct px_contract *contract = system->callables[i].contract;
        if (system->callables[i].addr == addr) {
            Inspect__ContractIs *c = px_msg_alloc(body, sizeof *c);
            inspect__contract_is__init(c);
            c->number = contract->number;
            c->hash = px_contract_hash(contract);
            put_text(body, &c->name, contract->descriptor->name);
            list[n++] = c;
        }
    }
    *ret_n = n;
    return list;
}

static Inspect__MessageIs *message_of(void *body, struct types *types,
                                      const ProtobufCMessageDescriptor *type)
{
    Inspect__MessageIs *m = px_msg_alloc(body, sizeof *m);
    inspect__message_is__init(m);
    put_text(body, &m->name, type->name);
    if (type->n_fields == 0) {
        return m;
    }
    Inspect__FieldIs **list = px_msg_alloc(body, type->n_fields * sizeof(Inspect__FieldIs *));
    m->fields = list;
    m->n_fields = type->n_fields;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        Inspect__FieldIs *f = px_msg_alloc(body, sizeof *f);
        inspect__field_is__init(f);
        f->number = field->id;
        f->type = type_number(field->type);
        f->many = field->label == PROTOBUF_C_LABEL_REPEATED;
        f->message =
            field->type == PROTOBUF_C_TYPE_MESSAGE ? type_place(types, field->descriptor) : 0;
        put_text(body, &f->name, field->name);
        list[i] = f;
    }
    return m;
}

static Inspect__MethodIs *method_of(void *body, struct types *types,
                                    const struct px_contract *contract, uint32_t index)
{
    const ProtobufCMethodDescriptor *method = &contract->descriptor->methods[index];
    Inspect__MethodIs *m = px_msg_alloc(body, sizeof *m);
    inspect__method_is__init(m);
    m->shape = contract->shapes[index];
    m->input = type_place(types, method->input);
    m->output = type_place(types, method->output);
    put_text(body, &m->name, method->name);
    put_text(body, &m->contract, contract->descriptor->name);
    return m;
}

static uint32_t count_methods(const struct px_system *system, px_addr addr)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < system->n_callables; i++) {
        const struct callable *c = &system->callables[i];
        n += c->addr == addr ? c->contract->n_shapes : 0u;
    }
    return n;
}

static void fill_methods(const struct px_system *system, px_addr addr, struct types *types,
                         void *body, Inspect__MethodIs **list)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < system->n_callables; i++) {
        const struct callable *c = &system->callables[i];
        for (uint32_t at = 0; c->addr == addr && at < c->contract->n_shapes; at++) {
            list[n++] = method_of(body, types, c->contract, at);
        }
    }
}

void inspect_on_describe(void *state, const struct px_msg *msg)
{
    struct inspect *inspect = state;
    const Inspect__ServiceName *asked = msg->body;
    char name[32] = "";
    if (asked->name.len < sizeof name && asked->name.len > 0) {
        memcpy(name, asked->name.data, asked->name.len);
    }
    px_addr addr = px_mailbox(inspect->env, name);
    uint32_t n = addr == 0 ? 0 : count_methods(inspect->system, addr);
    if (n == 0) {
        px_reply_status(inspect->env, msg, PX_NOT_FOUND);
        return;
    }
    struct types types = {.n = 0};
    Inspect__Description *m = px_msg_new(inspect->env, &inspect__description__descriptor);
    Inspect__MethodIs **methods = px_msg_alloc(m, n * sizeof(Inspect__MethodIs *));
    m->methods = methods;
    m->n_methods = n;
    fill_methods(inspect->system, addr, &types, m, methods);
    Inspect__MessageIs **messages = px_msg_alloc(m, INSPECT_TYPES_MAX * sizeof *messages);
    uint32_t i = 0;
    for (; i < types.n; i++) {
        messages[i] = message_of(m, &types, types.list[i]);
    }
    m->messages = messages;
    m->n_messages = i;
    m->contracts = inspect_contracts(inspect, m, addr, &m->n_contracts);
    px_reply(inspect->env, msg, PX_OK, m);
}
