/* contract_test.c - what is checked of a contract, and what its hash covers; assembling a kernel.
 */
#include "ktest.h"

#include <stdlib.h>
#include <string.h>

enum { METHODS = 6 };

/* A copy of the Toy contract down to the fields of Tree, so that each part can be changed. */
struct variant {
    struct px_contract contract;
    uint8_t shapes[METHODS];
    ProtobufCServiceDescriptor service;
    ProtobufCMethodDescriptor methods[METHODS];
    ProtobufCMessageDescriptor tree, leaf;
    ProtobufCFieldDescriptor tree_fields[5], leaf_fields[1];
};

static struct variant *variant_new(void)
{
    struct variant *v = calloc(1, sizeof *v);
    v->contract = px_contract_toy;
    memcpy(v->shapes, px_contract_toy.shapes, sizeof v->shapes);
    v->service = ktest__toy__descriptor;
    memcpy(v->methods, ktest__toy__descriptor.methods, sizeof v->methods);
    v->tree = ktest__tree__descriptor;
    v->leaf = ktest__leaf__descriptor;
    ck_assert_uint_eq(v->tree.n_fields, 5);
    memcpy(v->tree_fields, v->tree.fields, sizeof v->tree_fields);
    memcpy(v->leaf_fields, v->leaf.fields, sizeof v->leaf_fields);
    v->contract.shapes = v->shapes;
    v->contract.descriptor = &v->service;
    v->service.methods = v->methods;
    v->methods[4].input = v->methods[4].output = v->methods[5].input = &v->tree;
    v->tree.fields = v->tree_fields;
    v->leaf.fields = v->leaf_fields;
    v->tree_fields[1].descriptor = v->tree_fields[2].descriptor = &v->leaf;
    return v;
}

static void change_shape(struct variant *v)
{
    v->shapes[2] = PX_CALL;
}

static void change_method_name(struct variant *v)
{
    v->methods[1].name = "Demand";
}

static void change_method_order(struct variant *v)
{
    ProtobufCMethodDescriptor first = v->methods[1];
    v->methods[1] = v->methods[2];
    v->methods[2] = first;
    v->shapes[1] = PX_CALL_IDEMPOTENT;
    v->shapes[2] = PX_CALL;
}

static void add_method(struct variant *v)
{
    v->service.n_methods = v->contract.n_shapes = METHODS - 1;
}

static void change_input(struct variant *v)
{
    v->methods[0].input = &ktest__leaf__descriptor;
}

static void change_output(struct variant *v)
{
    v->methods[1].output = &ktest__leaf__descriptor;
}

static void change_field_number(struct variant *v)
{
    v->tree_fields[0].id = 9;
}

static void change_field_name(struct variant *v)
{
    v->tree_fields[3].name = "circles";
}

static void change_field_type(struct variant *v)
{
    v->tree_fields[3].type = PROTOBUF_C_TYPE_FIXED32;
}

static void change_field_label(struct variant *v)
{
    v->tree_fields[4].label = PROTOBUF_C_LABEL_NONE;
}

static void remove_field(struct variant *v)
{
    v->tree.n_fields = 4;
}

static void change_nested_field(struct variant *v)
{
    v->leaf_fields[0].type = PROTOBUF_C_TYPE_SINT32;
}

static void change_nested_name(struct variant *v)
{
    v->leaf_fields[0].name = "length";
}

typedef void (*change_fn)(struct variant *v);
static const change_fn changes[] = {
    change_shape,  change_method_name,  change_method_order, add_method,        change_input,
    change_output, change_field_number, change_field_name,   change_field_type, change_field_label,
    remove_field,  change_nested_field, change_nested_name,
};

enum { N_CHANGES = sizeof changes / sizeof *changes };

START_TEST(the_hash_is_of_what_is_said_and_not_of_where_it_stands)
{
    struct variant *v = variant_new();
    ck_assert_uint_eq(px_contract_hash(&v->contract), px_contract_hash(&px_contract_toy));
    ck_assert_uint_ne(px_contract_hash(&px_contract_toy), px_contract_hash(&px_contract_stack));
    free(v);
}
END_TEST

START_TEST(the_hash_changes_with_everything_a_peer_could_trip_over)
{
    uint64_t hashes[N_CHANGES + 1] = {px_contract_hash(&px_contract_toy)};
    for (unsigned i = 0; i < N_CHANGES; i++) {
        struct variant *v = variant_new();
        changes[i](v);
        hashes[i + 1] = px_contract_hash(&v->contract);
        for (unsigned k = 0; k <= i; k++) {
            ck_assert_msg(hashes[k] != hashes[i + 1], "change %u has the hash of %u", i + 1, k);
        }
        free(v);
    }
}
END_TEST

START_TEST(what_is_recursive_has_a_hash_too)
{
    struct variant *v = variant_new();
    v->tree_fields[2].descriptor = &v->tree; /* refused elsewhere, but it must not hang here */
    ck_assert_uint_ne(px_contract_hash(&v->contract), px_contract_hash(&px_contract_toy));
    free(v);
}
END_TEST

/* ---- making contracts known ---- */

START_TEST(shapes_must_match_the_descriptor)
{
    struct kt_world w;
    struct px_kernel *k;
    struct variant *v = variant_new();
    kt_world_init(&w);
    ck_assert_int_eq(px_kernel_new(&w.ops, NULL, &k), PX_EOK);
    v->contract.n_shapes = METHODS - 1;
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EINVAL);
    v->contract.n_shapes = METHODS + 1;
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EINVAL);
    v->contract.n_shapes = 0;
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EINVAL);
    v->contract.n_shapes = METHODS;
    v->shapes[0] = 0;
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EINVAL);
    v->shapes[0] = PX_STREAM + 1;
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EINVAL);
    v->shapes[0] = PX_ONEWAY;
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EOK);
    ck_assert_int_eq(px_kernel_contract(k, &v->contract), PX_EOK); /* twice is fine */
    px_kernel_free(k);
    kt_world_done(&w);
    free(v);
}
END_TEST

START_TEST(a_number_is_one_contracts)
{
    struct kt *kt = kt_new(NULL);
    struct px_contract other = px_contract_stack;
    other.number = PX_C_TOY;
    ck_assert_int_eq(px_kernel_contract(kt->kernel, &other), PX_EINVAL);
    ck_assert_int_eq(px_kernel_contract(kt->kernel, &px_contract_toy), PX_EOK);
    other.number = 0;
    ck_assert_int_eq(px_kernel_contract(kt->kernel, &other), PX_EINVAL);
    kt_free(kt);
}
END_TEST

START_TEST(there_is_room_for_63_contracts_and_not_for_64)
{
    struct kt *kt = kt_new(NULL); /* knows two */
    struct px_contract more[62];
    for (unsigned i = 0; i < 62; i++) {
        more[i] = px_contract_stack;
        more[i].number = (uint8_t)(1 + i);
        ck_assert_int_eq(px_kernel_contract(kt->kernel, &more[i]), i < 61 ? PX_EOK : PX_ELIMIT);
    }
    struct kt_actor *a = kt_add(kt, "a"), *b = kt_add(kt, "b");
    kt_allow(kt, a, 61, b);
    kt_start(kt);
    ck_assert(px_may_send(kt_env(a), kt_peer(a), 61, b->addr));
    ck_assert(!px_may_send(kt_env(a), kt_peer(a), 60, b->addr));
    kt_free(kt);
}
END_TEST

/* ---- assembling ---- */

START_TEST(a_kernel_wants_sane_limits_and_a_world)
{
    struct kt_world w;
    struct px_kernel *k = NULL;
    kt_world_init(&w);
    struct px_kernel_config config = {.mailboxes_max = 4096};
    ck_assert_int_eq(px_kernel_new(&w.ops, &config, &k), PX_EINVAL);
    config = (struct px_kernel_config){.trace_records = 1000};
    ck_assert_int_eq(px_kernel_new(&w.ops, &config, &k), PX_EINVAL);
    struct px_world none = w.ops;
    none.monotonic_us = NULL;
    ck_assert_int_eq(px_kernel_new(&none, NULL, &k), PX_EINVAL);
    ck_assert_ptr_null(k); /* untouched on failure */
    config = (struct px_kernel_config){.mailboxes_max = 4095};
    ck_assert_int_eq(px_kernel_new(&w.ops, &config, &k), PX_EOK);
    px_kernel_free(k);
    kt_world_done(&w);
}
END_TEST

START_TEST(a_world_of_three_operations_is_enough)
{
    struct kt_world w;
    struct px_kernel *k = NULL;
    kt_world_init(&w);
    struct px_world bare = {.ctx = &w,
                            .alloc = w.ops.alloc,
                            .release = w.ops.release,
                            .monotonic_us = w.ops.monotonic_us};
    ck_assert_int_eq(px_kernel_new(&bare, NULL, &k), PX_EOK);
    ck_assert_int_eq(px_kernel_start(k), PX_EOK);
    px_kernel_turn(k, 1000);
    px_kernel_wake(k);
    px_trace_dump(k, 10);
    px_kernel_free(k);
    kt_world_done(&w);
}
END_TEST

START_TEST(a_name_is_one_mailboxes)
{
    struct kt *kt = kt_new(NULL);
    struct kt_actor *alice = kt_add(kt, "alice");
    px_addr addr = 77;
    ck_assert_int_eq(px_kernel_add(kt->kernel, &alice->service, "alice", NULL, &addr), PX_EEXIST);
    ck_assert_int_eq(px_kernel_add_remote(kt->kernel, "alice", &addr), PX_EEXIST);
    ck_assert_int_eq(px_kernel_add_recorder(kt->kernel, "alice", NULL, NULL, &addr), PX_EEXIST);
    ck_assert_uint_eq(addr, 77);
    ck_assert_int_eq(px_kernel_add(kt->kernel, &alice->service, NULL, NULL, &addr), PX_EOK);
    ck_assert_uint_eq(addr, 2); /* numbers run on; NULL is the service's own name */
    ck_assert_uint_eq(px_kernel_mailbox(kt->kernel, "actor"), 2);
    ck_assert_uint_eq(px_kernel_mailbox(kt->kernel, "nobody"), 0);
    kt_add_bare(kt, "actor", 2);
    kt_start(kt);
    kt_free(kt);
}
END_TEST

START_TEST(there_is_room_for_as_many_mailboxes_as_configured)
{
    struct px_kernel_config config = {.mailboxes_max = 3};
    struct kt *kt = kt_new(&config);
    px_addr addr;
    kt_add(kt, "a");
    kt_add(kt, "b");
    ck_assert_int_eq(px_kernel_add_remote(kt->kernel, "c", &addr), PX_EOK);
    ck_assert_int_eq(px_kernel_add_remote(kt->kernel, "d", &addr), PX_ELIMIT);
    kt_start(kt);
    kt_free(kt);
}
END_TEST

START_TEST(nothing_is_added_while_running)
{
    struct kt_actor *alice, *bob;
    struct kt *kt = kt_pair(&alice, &bob);
    px_addr addr;
    ck_assert_int_eq(px_kernel_add_remote(kt->kernel, "late", &addr), PX_ESTATE);
    ck_assert_int_eq(px_kernel_start(kt->kernel), PX_ESTATE);
    kt_free(kt);
}
END_TEST

START_TEST(making_a_kernel_without_memory_fails_without_a_leak)
{
    for (uint64_t nth = 1;; nth++) {
        struct kt_world w;
        struct px_kernel *k = NULL;
        kt_world_init(&w);
        atomic_store(&w.fail_nth, nth);
        enum px_err err = px_kernel_new(&w.ops, NULL, &k);
        bool failed = atomic_load(&w.failed) > 0;
        ck_assert_int_eq(err, failed ? PX_ENOMEM : PX_EOK);
        px_kernel_free(k);
        kt_world_done(&w);
        if (!failed) {
            ck_assert_uint_ge(nth, 3);
            return;
        }
    }
}
END_TEST

START_TEST(assembling_without_memory_fails_without_a_leak)
{
    for (uint64_t nth = 1;; nth++) {
        struct kt *kt = kt_new(NULL);
        struct kt_actor *a = kt_add_bare(kt, "a", 1);
        a->pool_max = 10;
        a->pool_calls = 3;
        px_addr addr;
        atomic_store(&kt->world.fail_nth, nth);
        enum px_err err = px_kernel_add(kt->kernel, &a->service, "a", NULL, &addr);
        if (err == PX_EOK) {
            err = px_kernel_start(kt->kernel);
        }
        bool failed = atomic_load(&kt->world.failed) > 0;
        ck_assert_int_eq(err, failed ? PX_ENOMEM : PX_EOK);
        kt_free(kt);
        if (!failed) {
            return;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unit");
    TCase *hash = tcase_create("hash"), *known = tcase_create("contracts");
    TCase *assembling = tcase_create("assembling");
    tcase_add_test(hash, the_hash_is_of_what_is_said_and_not_of_where_it_stands);
    tcase_add_test(hash, the_hash_changes_with_everything_a_peer_could_trip_over);
    tcase_add_test(hash, what_is_recursive_has_a_hash_too);
    tcase_add_test(known, shapes_must_match_the_descriptor);
    tcase_add_test(known, a_number_is_one_contracts);
    tcase_add_test(known, there_is_room_for_63_contracts_and_not_for_64);
    tcase_add_test(assembling, a_kernel_wants_sane_limits_and_a_world);
    tcase_add_test(assembling, a_world_of_three_operations_is_enough);
    tcase_add_test(assembling, a_name_is_one_mailboxes);
    tcase_add_test(assembling, there_is_room_for_as_many_mailboxes_as_configured);
    tcase_add_test(assembling, nothing_is_added_while_running);
    tcase_add_test(assembling, making_a_kernel_without_memory_fails_without_a_leak);
    tcase_add_test(assembling, assembling_without_memory_fails_without_a_leak);
    suite_add_tcase(suite, hash);
    suite_add_tcase(suite, known);
    suite_add_tcase(suite, assembling);
    return kt_run(suite);
}
