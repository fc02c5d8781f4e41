/* SPDX-License-Identifier: Apache-2.0 */
/* What protoglue writes, from the echo service and from the product's own files. */
#include "suites.h"
#include "grpc/reflection/v1/reflection.rpc.h"
#include "plankton/test/echo.rpc.h"
#include "plankton/v1/access.pb-c.h"
#include "plankton/v1/plan_api.rpc.h"
#include "plankton/v1/task_controller.rpc.h"
#include "plankton/v1/task_worker.rpc.h"

START_TEST(tables_name_paths_kinds_and_types)
{
    const struct rpc_service_desc *desc = &plankton_test_echo_desc;

    ck_assert_str_eq(desc->name, "plankton.test.Echo");
    ck_assert_uint_eq(desc->method_count, 5);
    ck_assert_str_eq(plankton_test_echo_unary.path, "/plankton.test.Echo/Unary");
    ck_assert_int_eq(plankton_test_echo_unary.kind, RPC_UNARY);
    ck_assert_int_eq(plankton_test_echo_server_stream.kind, RPC_SERVER_STREAM);
    ck_assert_int_eq(plankton_test_echo_client_stream.kind, RPC_CLIENT_STREAM);
    ck_assert_int_eq(plankton_test_echo_bidi.kind, RPC_BIDI);
    ck_assert_ptr_eq(plankton_test_echo_unary.input, &plankton__test__echo_request__descriptor);
    ck_assert_ptr_eq(plankton_test_echo_unary.output, &plankton__test__echo_reply__descriptor);
    for (size_t i = 0; i < desc->method_count; i++)
        ck_assert_uint_eq(desc->methods[i]->ops_index, i);
}
END_TEST

START_TEST(ops_index_is_the_place_in_the_struct)
{
    ck_assert_uint_eq(offsetof(struct plankton_v1_task_controller_ops, cancel_task) /
                          sizeof(void (*)(void)),
                      plankton_v1_task_controller_cancel_task.ops_index);
    ck_assert_uint_eq(offsetof(struct plankton_v1_plan_api_ops, get_plan) / sizeof(void (*)(void)),
                      plankton_v1_plan_api_get_plan.ops_index);
}
END_TEST

START_TEST(methods_that_change_things_are_marked)
{
    ck_assert(plankton_v1_task_controller_submit_task.rejects_unknown);
    ck_assert(plankton_v1_plan_api_create_plan.rejects_unknown);
    ck_assert(!plankton_v1_task_controller_get_task.rejects_unknown);
    /* Only what a GET reads may be sent twice without being asked. */
    ck_assert(plankton_v1_task_controller_get_task.idempotent);
    ck_assert(!plankton_v1_task_controller_submit_task.idempotent);
    ck_assert(!plankton_v1_task_worker_connect.idempotent);
    ck_assert(!plankton_v1_task_worker_connect.rejects_unknown);
}
END_TEST

START_TEST(access_comes_from_the_option)
{
    ck_assert_uint_eq(plankton_v1_task_controller_submit_task.access,
                      1u << PLANKTON__V1__ROLE__ROLE_ADMIN);
    ck_assert_uint_ne(
        plankton_v1_task_worker_connect.access & (1u << PLANKTON__V1__ROLE__ROLE_WORKER), 0);
    ck_assert_uint_eq(plankton_test_echo_unary.access, 0);
    ck_assert_uint_eq(grpc_reflection_v1_server_reflection_server_reflection_info.access,
                      1u << PLANKTON__V1__ROLE__ROLE_ADMIN | 1u << PLANKTON__V1__ROLE__ROLE_WORKER |
                          1u << PLANKTON__V1__ROLE__ROLE_SERVICE);
}
END_TEST

TCase *glue_tests(void)
{
    TCase *tc = tcase_create("protoglue");

    tcase_add_test(tc, tables_name_paths_kinds_and_types);
    tcase_add_test(tc, ops_index_is_the_place_in_the_struct);
    tcase_add_test(tc, methods_that_change_things_are_marked);
    tcase_add_test(tc, access_comes_from_the_option);
    return tc;
}
