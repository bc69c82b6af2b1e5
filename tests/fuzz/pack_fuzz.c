/* pack_fuzz.c - any bytes as the body of any message: the short way takes nothing that
 * libprotobuf-c refuses, and what both take is packed the same; memory is bounded. The first byte
 * picks the message, the second how often the allocator gives.
 */
#include <stdlib.h>
#include <string.h>

#include "http.pb-c.h"
#include "ktest.pb-c.h"
#include "net.pb-c.h"
#include "pack.h"
#include "stream.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &http__request__descriptor,        &http__response__descriptor,
    &http__body_bytes__descriptor,     &http__exchange_credit__descriptor,
    &stream__data_bytes__descriptor,   &stream__accepted_stream__descriptor,
    &stream__claim_stream__descriptor, &stream__adopt_stream__descriptor,
    &net__listen_at__descriptor,       &net__listener_stats__descriptor,
    &ktest__tree__descriptor,          &ktest__none__descriptor,
};
enum { N_TYPES = sizeof types / sizeof types[0], ALWAYS = 250 };

static void require(bool cond)
{
    if (!cond) {
        abort();
    }
}

/* Memory that is let go of all at once, as a message's arena is. */
struct arena {
    size_t gives; /* allocations that are left */
    void *pieces[65536];
    size_t n;
};

static struct arena arena;

static void *arena_alloc(void *data, size_t len)
{
    struct arena *a = data;
    if (a->gives == 0 || a->n == sizeof a->pieces / sizeof a->pieces[0]) {
        return NULL;
    }
    a->gives--;
    return a->pieces[a->n++] = malloc(len == 0 ? 1 : len);
}

static void arena_free(void *data, void *mem)
{
    (void)data;
    (void)mem;
}

static void arena_clear(void)
{
    while (arena.n > 0) {
        free(arena.pieces[--arena.n]);
    }
}

static ProtobufCAllocator arena_begin(size_t gives)
{
    arena_clear();
    arena.gives = gives;
    return (ProtobufCAllocator){arena_alloc, arena_free, &arena};
}

/* Its packed form, by the short way if there is one (`*ret_flat`); to be freed. */
static uint8_t *packed(const ProtobufCMessage *m, size_t *ret_len, bool *ret_flat)
{
    *ret_len = px_pack_len(m, ret_flat);
    uint8_t *bytes = malloc(*ret_len + 1);
    require(bytes != NULL);
    bytes[*ret_len] = 0xee;
    px_pack(m, *ret_flat, bytes);
    require(bytes[*ret_len] == 0xee);
    return bytes;
}

static void forget_unknown(ProtobufCMessage *m)
{
    m->n_unknown_fields = 0; /* the arena has them */
    m->unknown_fields = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
/* libprotobuf-c takes it as well, and packs it the same. */
static void check_theirs(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
                         const uint8_t *ours, size_t ours_len)
{
    bool flat = false;
    size_t theirs_len = 0;
    ProtobufCAllocator allocator = arena_begin(SIZE_MAX);
    ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, len, data);
    require(m != NULL);
    forget_unknown(m);
    uint8_t *theirs = packed(m, &theirs_len, &flat);
    require(ours_len == theirs_len && memcmp(ours, theirs, ours_len) == 0);
    free(theirs);
}

/* What the short way wrote can be read, and says the same. (What libprotobuf-c makes of fields that
 * it does not know inside a message inside a message need not: field 0 in two bytes of tag.) */
static void check_again(const ProtobufCMessageDescriptor *type, const uint8_t *ours,
                        size_t ours_len)
{
    bool flat = false;
    size_t again_len = 0;
    ProtobufCAllocator allocator = arena_begin(SIZE_MAX);
    ProtobufCMessage *m = px_unpack(type, &allocator, ours_len, ours);
    require(m != NULL);
    uint8_t *again = packed(m, &again_len, &flat);
    require(ours_len == again_len && memcmp(ours, again, ours_len) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type = types[data[0] % N_TYPES];
    bool always = data[1] >= ALWAYS, flat = false;
    ProtobufCAllocator allocator = arena_begin(always ? SIZE_MAX : data[1]);
    ProtobufCMessage *m = px_unpack(type, &allocator, len - 2, data + 2);
    if (m == NULL) {
        arena_clear();
        return 0;
    }
    forget_unknown(m);
    size_t ours_len = 0;
    uint8_t *ours = packed(m, &ours_len, &flat);
    require(protobuf_c_message_get_packed_size(m) == ours_len);
    if (always) {
        check_theirs(type, data + 2, len - 2, ours, ours_len);
    }
    if (flat) {
        check_again(type, ours, ours_len);
    }
    free(ours);
    arena_clear();
    return 0;
}
