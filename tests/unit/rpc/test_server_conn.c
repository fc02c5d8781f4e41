/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a server's connections as its user sets and sees them; how they look on the wire is
 * tested from outside (tests/e2e/http2_life.test.mjs). */
#include <stdio.h>
#include <stdlib.h>
#include "fixture.h"
#include "metrics/metrics.h"
#include "suites.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT
#define PAYLOAD_BYTES 100000

/* How many connections ended for this reason so far. */
static double ended(const char *reason)
{
    char series[96];
    struct buf out;

    buf_init(&out, 1 << 20);
    ck_assert_int_eq(metrics_render(&out), STATUS_OK);
    buf_putc(&out, '\0');
    snprintf(series, sizeof series, "rpc_server_connections_ended_total{reason=\"%s\"} ", reason);
    const char *found = strstr(out.data, series);
    ck_assert_msg(found != NULL, "%s", series);
    double value = strtod(found + strlen(series), NULL);
    buf_fini(&out);
    return value;
}

START_TEST(idle_connection_ends_and_is_counted)
{
    struct fixture f = {.server_options = {.max_connection_idle_ms = 30}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;
    double before;

    fixture_begin(&f);
    before = ended("idle");
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_run_ms(&f, 300);
    ck_assert_double_ge(ended("idle"), before + 1); /* a channel connects anew by itself */
    unary(&f, NULL, &request, &out);                /* over a new connection */
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

START_TEST(connection_bytes_max_ends_the_connection_and_is_counted)
{
    static uint8_t payload[PAYLOAD_BYTES];
    struct fixture f = {.server_options = {.connection_bytes_max = PAYLOAD_BYTES / 2}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;
    double before;

    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    fixture_begin(&f);
    before = ended("memory");
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_ne(out.status, STATUS_OK);
    ck_assert_uint_eq(f.service.calls, 0);
    ck_assert_double_eq(ended("memory"), before + 1);
    request.payload.len = 100;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

/* Message and answer, but not the buffer that the message came together in. */
START_TEST(a_request_is_held_once)
{
    static uint8_t payload[7 * PAYLOAD_BYTES];
    struct fixture f = {.server_options = {.connection_bytes_max = 20 * PAYLOAD_BYTES}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    fixture_begin(&f);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

START_TEST(every_limit_may_be_off)
{
    struct fixture f = {.server_options = {.connections_max = RPC_OFF,
                                           .streams_per_connection_max = RPC_OFF,
                                           .connection_bytes_max = RPC_OFF,
                                           .message_bytes_max = RPC_OFF,
                                           .header_bytes_max = RPC_OFF,
                                           .preface_timeout_ms = RPC_OFF,
                                           .answer_timeout_ms = RPC_OFF,
                                           .max_connection_age_ms = RPC_OFF,
                                           .max_connection_age_grace_ms = RPC_OFF,
                                           .max_connection_idle_ms = RPC_OFF,
                                           .keepalive_ms = RPC_OFF,
                                           .keepalive_timeout_ms = RPC_OFF,
                                           .ping_interval_min_ms = RPC_OFF}};
    static uint8_t payload[PAYLOAD_BYTES];
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    f.channel_options.keepalive_ms = 10;
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    request.delay_ms = 200;
    fixture_begin(&f);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_READY);
    fixture_end(&f);
}
END_TEST

TCase *server_conn_tests(void)
{
    TCase *tc = tcase_create("server_conn");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, idle_connection_ends_and_is_counted);
    tcase_add_test(tc, connection_bytes_max_ends_the_connection_and_is_counted);
    tcase_add_test(tc, a_request_is_held_once);
    tcase_add_test(tc, every_limit_may_be_off);
    return tc;
}
