/* contract.c - contracts: making them known, and a hash of everything a peer could trip over. */
#include "kernel_impl.h"

enum { HASH_DEPTH_MAX = 8 };

static bool shapes_fit(const struct px_contract *c)
{
    if (c->number == 0 || c->n_shapes == 0 || c->n_shapes != c->descriptor->n_methods) {
        return false;
    }
    for (uint32_t i = 0; i < c->n_shapes; i++) {
        if (c->shapes[i] < PX_ONEWAY || c->shapes[i] > PX_STREAM) {
            return false;
        }
    }
    return true;
}

enum px_err px_kernel_contract(struct px_kernel *kernel, const struct px_contract *contract)
{
    uint32_t known = kernel->slot_of[contract->number];
    if (known != 0) {
        bool same = kernel->contracts[known].contract->descriptor == contract->descriptor;
        return same ? PX_EOK : PX_EINVAL;
    }
    if (!shapes_fit(contract)) {
        return PX_EINVAL;
    }
    if (kernel->n_contracts == CONTRACTS_MAX - 1) {
        return PX_ELIMIT;
    }
    struct method *methods = kernel_alloc(kernel, contract->n_shapes * sizeof *methods);
    if (methods == NULL) {
        return PX_ENOMEM;
    }
    for (uint32_t i = 0; i < contract->n_shapes; i++) {
        const ProtobufCMethodDescriptor *m = &contract->descriptor->methods[i];
        methods[i] = (struct method){m->input, m->output, contract->shapes[i]};
    }
    kernel->contracts[++kernel->n_contracts] =
        (struct contract_slot){contract, methods, contract->n_shapes};
    kernel->slot_of[contract->number] = (uint8_t)kernel->n_contracts;
    kernel->stacking |= (uint64_t)(contract->flags & PX_CONTRACT_STACKS) << kernel->n_contracts;
    return PX_EOK;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static uint64_t hash_text(uint64_t h, const char *text)
{
    return hash_bytes(h, text, strlen(text) + 1);
}

static uint64_t hash_number(uint64_t h, uint32_t number)
{
    uint8_t bytes[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                        (uint8_t)(number >> 24)};
    return hash_bytes(h, bytes, sizeof bytes);
}

static uint64_t hash_message(uint64_t h, const ProtobufCMessageDescriptor *type, int depth)
{
    h = hash_text(h, type->name);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        h = hash_text(hash_number(h, f->id), f->name);
        h = hash_number(hash_number(h, (uint32_t)f->label), (uint32_t)f->type);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE && depth < HASH_DEPTH_MAX) {
            h = hash_message(h, f->descriptor, depth + 1);
        }
    }
    return h;
}

uint64_t px_contract_hash(const struct px_contract *contract)
{
    uint64_t h = hash_text(UINT64_C(0xcbf29ce484222325), contract->descriptor->name);
    h = hash_number(h, contract->number);
    for (uint32_t i = 0; i < contract->n_shapes; i++) {
        const ProtobufCMethodDescriptor *m = &contract->descriptor->methods[i];
        h = hash_number(hash_text(h, m->name), contract->shapes[i]);
        h = hash_message(hash_message(h, m->input, 0), m->output, 0);
    }
    return h;
}
