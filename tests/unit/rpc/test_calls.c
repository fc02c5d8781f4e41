/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "suites.h"
#include "fixture.h"

#define MANY_CALLS 2500 /* more than the streams of a connection */
#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT

static const char text[] = "hello";

START_TEST(unary_call_comes_back)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.text = (char *)text;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_str_eq(out.text, text);
    fixture_end(&f);
}
END_TEST

START_TEST(errors_arrive_with_reason_field_and_retry_time)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.text = (char *)"grüße 100%";
    request.fail_with = STATUS_FAILED_PRECONDITION;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(out.err.message, "grüße 100%");
    ck_assert_str_eq(out.err.reason, "TEST_REASON");
    ck_assert_str_eq(out.err.field, "text");
    ck_assert_str_eq(out.field, "text");
    ck_assert_uint_eq(out.err.retry_after_ms, 1500);
    fixture_end(&f);
}
END_TEST

START_TEST(missing_handler_is_unimplemented)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    expect_outcome(&f, &out);
    plankton_test_echo_missing_call(f.channel, NULL, &request, outcome_done, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNIMPLEMENTED);
    fixture_end(&f);
}
END_TEST

START_TEST(thousands_of_calls_at_once_all_come_back)
{
    struct fixture f = {0};
    struct outcome *outs = mem_zalloc(MANY_CALLS * sizeof *outs);
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    for (int i = 0; i < MANY_CALLS; i++)
        unary(&f, NULL, &request, &outs[i]);
    fixture_wait(&f);
    for (int i = 0; i < MANY_CALLS; i++)
        ck_assert_int_eq(outs[i].status, STATUS_OK);
    ck_assert_uint_eq(f.service.calls, MANY_CALLS);
    ck_assert_uint_eq(rpc_server_open_calls(f.server), 0);
    fixture_end(&f);
    free(outs);
}
END_TEST

START_TEST(server_stream_is_in_order_and_waits_for_a_slow_reader)
{
    struct fixture f = {0};
    struct outcome out;
    struct rpc_call *call;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.count = 400;
    request.reply_bytes = 50000; /* 20 MB: far more than window and buffers */
    expect_outcome(&f, &out);
    call =
        plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    rpc_call_pause(call);
    fixture_run_ms(&f, 200);
    ck_assert_uint_eq(out.messages, 0);
    ck_assert_uint_eq(f.service.closed, 0);
    rpc_call_resume(call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.messages, 400);
    ck_assert_uint_eq(out.bytes, 400 * 50000);
    ck_assert_uint_eq(out.last_number, 400);
    fixture_end(&f);
}
END_TEST

START_TEST(paused_reader_still_gets_all_before_the_status)
{
    struct fixture f = {0};
    struct outcome out;
    struct rpc_call *call;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.count = 3;
    expect_outcome(&f, &out);
    call =
        plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    rpc_call_pause(call);
    fixture_run_ms(&f, 100); /* stream and status are here by now */
    ck_assert(!out.done);
    rpc_call_resume(call);
    fixture_wait(&f);
    ck_assert_uint_eq(out.messages, 3);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

START_TEST(paused_server_holds_the_clients_output_back)
{
    static uint8_t payload[1 << 20];
    struct fixture f = {.service = {.pause_input = true}};
    struct outcome out;
    struct rpc_call *call;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    expect_outcome(&f, &out);
    call = plankton_test_echo_client_stream_call(f.channel, NULL, &outcome_callbacks, &out);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(plankton_test_echo_client_stream_write(call, &request), STATUS_OK);
    rpc_call_half_close(call);
    fixture_run_ms(&f, 200);
    ck_assert_uint_eq(f.service.bytes_in, 0);
    ck_assert(!rpc_call_writable(call));
    echo_service_resume(&f.service);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.total_bytes, 8 * sizeof payload);
    fixture_end(&f);
}
END_TEST

START_TEST(unsent_output_is_bounded)
{
    static uint8_t payload[1 << 20];
    struct fixture f = {.service = {.pause_input = true}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;
    enum status st = STATUS_OK;
    int n = 0;

    fixture_begin(&f);
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    expect_outcome(&f, &out);
    struct rpc_call *call =
        plankton_test_echo_client_stream_call(f.channel, NULL, &outcome_callbacks, &out);
    while (st == STATUS_OK && n++ < 100)
        st = plankton_test_echo_client_stream_write(call, &request);
    ck_assert_int_eq(st, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_le(n, 17);
    rpc_call_cancel(call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_CANCELLED);
    fixture_end(&f);
}
END_TEST

START_TEST(answer_that_nobody_takes_is_dropped)
{
    struct fixture f = {.server_options = {.answer_timeout_ms = 100}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.count = 1;
    request.reply_bytes = 3 << 20; /* more than the window, less than the server keeps */
    expect_outcome(&f, &out);
    struct rpc_call *call =
        plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    rpc_call_pause(call);
    fixture_run_ms(&f, 400);
    ck_assert_uint_eq(f.service.closed, 1);
    ck_assert_uint_eq(rpc_server_open_calls(f.server), 0);
    rpc_call_resume(call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_CANCELLED);
    fixture_end(&f);
}
END_TEST

START_TEST(bidi_answers_each_message)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    expect_outcome(&f, &out);
    struct rpc_call *call = plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &out);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    rpc_call_half_close(call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.messages, 100);
    ck_assert_uint_eq(f.service.closed, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(largest_message_passes_and_a_larger_one_is_refused_before_it_leaves)
{
    static uint8_t payload[(4 << 20) + 1];
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.payload = (ProtobufCBinaryData){(4 << 20) - 16, payload};
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.bytes, (4 << 20) - 16);
    request.payload.len = sizeof payload;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_RESOURCE_EXHAUSTED);
    request.payload.len = 0;
    request.reply_bytes = 5 << 20;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_RESOURCE_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(deadline_ends_both_sides)
{
    struct fixture f = {0};
    struct outcome out;
    struct rpc_call_options options = {.timeout_ms = 60};
    Plankton__Test__EchoRequest request = INIT;
    uint64_t begin;

    fixture_begin(&f);
    request.delay_ms = 5000;
    begin = clock_monotonic_us();
    unary(&f, &options, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_DEADLINE_EXCEEDED);
    ck_assert_uint_ge(clock_monotonic_us() - begin, 59000);
    ck_assert_uint_le(clock_monotonic_us() - begin, 2000000);
    fixture_run_ms(&f, 50);
    ck_assert_uint_eq(f.service.closed, 1);
    ck_assert_uint_eq(f.service.cancelled + f.service.expired, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(cancel_reaches_the_handler)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.count = UINT32_MAX;
    request.reply_bytes = 1000;
    expect_outcome(&f, &out);
    struct rpc_call *call =
        plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    fixture_run_ms(&f, 50);
    ck_assert_uint_gt(out.messages, 0);
    rpc_call_cancel(call);
    ck_assert(!out.done);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_CANCELLED);
    fixture_run_ms(&f, 50);
    ck_assert_uint_eq(f.service.cancelled, 1);
    ck_assert_uint_eq(rpc_server_open_calls(f.server), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(children_end_with_their_parent)
{
    struct fixture f = {0};
    struct outcome parent_out, child_out, late_out;
    Plankton__Test__EchoRequest request = INIT;
    struct rpc_call_options options = {.timeout_ms = 5000};
    struct rpc_call *parent;

    fixture_begin(&f);
    request.delay_ms = 4000;
    expect_outcome(&f, &parent_out);
    parent = rpc_call_ref(
        plankton_test_echo_bidi_call(f.channel, &options, &outcome_callbacks, &parent_out));
    unary(&f, &(struct rpc_call_options){.parent = parent, .timeout_ms = 60000}, &request,
          &child_out);
    fixture_run_ms(&f, 30);
    rpc_call_cancel(parent);
    fixture_wait(&f);
    ck_assert_int_eq(parent_out.status, STATUS_CANCELLED);
    ck_assert_int_eq(child_out.status, STATUS_CANCELLED);
    unary(&f, &(struct rpc_call_options){.parent = parent}, &request, &late_out);
    fixture_wait(&f);
    ck_assert_int_eq(late_out.status, STATUS_CANCELLED);
    rpc_call_unref(parent);
    fixture_end(&f);
}
END_TEST

START_TEST(metadata_travels_both_ways)
{
    static const char *const metadata[] = {"x-echo", "some text", "x-echo-bin", "\xab\xcd", NULL};
    struct fixture f = {0};
    struct outcome out;
    struct rpc_call_options options = {.metadata = metadata};
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    expect_outcome(&f, &out);
    rpc_channel_call_with(f.channel, &plankton_test_echo_unary, &options, &request.base,
                          &outcome_callbacks, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_str_eq(out.metadata, "some text");
    fixture_end(&f);
}
END_TEST

START_TEST(s4_a_failure_without_a_known_code_is_unknown)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.fail_with = 99;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNKNOWN);
    ck_assert_str_eq(out.err.reason, "TEST_REASON"); /* the details have the same code */
    fixture_end(&f);
}
END_TEST

struct gate {
    struct rpc_call *held;
    size_t asked;
    bool later;
};

static void authorize(struct rpc_call *call, void *userdata)
{
    struct gate *gate = userdata;
    const char *authorization = rpc_call_metadata(call, "authorization");
    struct error err = {0};

    gate->asked++;
    if (!str_eq(authorization, "Bearer good")) {
        error_set(&err, STATUS_UNAUTHENTICATED, "no valid key");
        rpc_call_fail(call, &err);
    } else if (gate->later) {
        gate->held = rpc_call_ref(call);
    } else {
        rpc_call_admit(call, gate);
    }
}

START_TEST(authorizer_decides_before_the_handler)
{
    struct gate gate = {0};
    struct fixture f = {.channel_options = {.authorization = "Bearer bad"}};
    struct rpc_call_options good = {.authorization = "Bearer good"};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    rpc_server_set_authorizer(f.server, authorize, &gate);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAUTHENTICATED);
    ck_assert_uint_eq(f.service.calls, 0);
    unary(&f, &good, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(f.service.calls, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(authorizer_may_take_its_time)
{
    struct gate gate = {.later = true};
    struct fixture f = {.channel_options = {.authorization = "Bearer good"}};
    struct outcome out, stream_out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    rpc_server_set_authorizer(f.server, authorize, &gate);
    unary(&f, NULL, &request, &out);
    fixture_run_ms(&f, 50);
    ck_assert_uint_eq(f.service.calls, 0);
    rpc_call_admit(gate.held, NULL);
    rpc_call_unref(gate.held);
    ck_assert_uint_eq(f.service.calls, 0);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    expect_outcome(&f, &stream_out);
    struct rpc_call *call =
        plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &stream_out);
    ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    rpc_call_half_close(call);
    fixture_run_ms(&f, 50);
    rpc_call_admit(gate.held, NULL);
    rpc_call_unref(gate.held);
    fixture_wait(&f);
    ck_assert_int_eq(stream_out.status, STATUS_OK);
    ck_assert_uint_eq(stream_out.messages, 1);
    fixture_end(&f);
}
END_TEST

TCase *call_tests(void)
{
    TCase *tc = tcase_create("calls");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, unary_call_comes_back);
    tcase_add_test(tc, errors_arrive_with_reason_field_and_retry_time);
    tcase_add_test(tc, missing_handler_is_unimplemented);
    tcase_add_test(tc, thousands_of_calls_at_once_all_come_back);
    tcase_add_test(tc, server_stream_is_in_order_and_waits_for_a_slow_reader);
    tcase_add_test(tc, paused_reader_still_gets_all_before_the_status);
    tcase_add_test(tc, paused_server_holds_the_clients_output_back);
    tcase_add_test(tc, unsent_output_is_bounded);
    tcase_add_test(tc, answer_that_nobody_takes_is_dropped);
    tcase_add_test(tc, bidi_answers_each_message);
    tcase_add_test(tc, largest_message_passes_and_a_larger_one_is_refused_before_it_leaves);
    tcase_add_test(tc, deadline_ends_both_sides);
    tcase_add_test(tc, cancel_reaches_the_handler);
    tcase_add_test(tc, children_end_with_their_parent);
    tcase_add_test(tc, metadata_travels_both_ways);
    tcase_add_test(tc, s4_a_failure_without_a_known_code_is_unknown);
    tcase_add_test(tc, authorizer_decides_before_the_handler);
    tcase_add_test(tc, authorizer_may_take_its_time);
    return tc;
}
