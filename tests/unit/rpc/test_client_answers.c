/* SPDX-License-Identifier: Apache-2.0 */
/* What the client makes of answers: good, odd, broken off. The cases named http2_… are those of the
 * official negative HTTP/2 interop tests for clients. */
#include <stdio.h>
#include <stdlib.h>
#include "client.h"
#include "peer.h"
#include "suites.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT

/* One unary call to a peer that answers as told. */
static void one_call(struct fixture *f, struct peer *peer, struct outcome *out)
{
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(peer, f);
    unary(f, NULL, &request, out);
    fixture_wait(f);
    peer_end(peer);
    fixture_end(f);
}

static void answer_gives(void (*answer)(struct peer_request *request), enum status status)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = answer};
    struct outcome out;

    one_call(&f, &peer, &out);
    ck_assert_msg(out.status == status, "%d: %s", out.status, out.err.message);
    ck_assert_uint_eq(peer.request_count, 1);
}

START_TEST(r4_request_has_te_content_type_and_user_agent)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = peer_answer};
    struct outcome out;

    one_call(&f, &peer, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_str_eq(out.text, "ok");
    ck_assert_str_eq(peer_header(&peer.requests[0], "te"), "trailers");
    ck_assert_str_eq(peer_header(&peer.requests[0], "content-type"), "application/grpc");
    ck_assert_str_eq(peer_header(&peer.requests[0], "user-agent"),
                     "grpc-c-plankton/" PLANKTON_VERSION);
    ck_assert_str_eq(peer_header(&peer.requests[0], ":authority"), peer.address);
    ck_assert_str_eq(peer_header(&peer.requests[0], ":path"), "/plankton.test.Echo/Unary");
    ck_assert_int_eq(strncmp(peer.requests[0].headers, ":method: POST\n", 14), 0);
}
END_TEST

static void answer_trailers_only(struct peer_request *request)
{
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", "9", "grpc-message", "not now", "x-echo",
                                       "kept", NULL});
}

START_TEST(r6_one_block_gives_status_message_and_metadata)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = answer_trailers_only};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    expect_outcome(&f, &out);
    plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(out.err.message, "not now");
    ck_assert_str_eq(out.metadata, "kept");
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

START_TEST(r7_end_of_request_rides_the_last_data)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};
    struct outcome out;

    one_call(&f, &peer, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert(peer.requests[0].ended && !peer.requests[0].reset);
    ck_assert_uint_eq(peer.requests[0].body_bytes, 5);
}
END_TEST

static void answer_in_pieces(struct peer_request *request)
{
    static const char body[] = "\0\0\0\0\4\x0a\2ok";

    peer_response(request);
    for (size_t i = 0; i + 1 < sizeof body; i++)
        peer_data(request, 0, body + i, 1);
    peer_trailers(request, "0");
}

START_TEST(r8_answer_may_come_byte_by_byte)
{
    answer_gives(answer_in_pieces, STATUS_OK);
}
END_TEST

static void answer_undecodable(struct peer_request *request)
{
    peer_response(request);
    peer_data(request, 0, "\0\0\0\0\2\x0a\5", 7);
    peer_trailers(request, "0");
}

START_TEST(r11_undecodable_response_is_internal)
{
    answer_gives(answer_undecodable, STATUS_INTERNAL);
}
END_TEST

static void end_early(struct peer_request *request)
{
    if (request->body_bytes == 0)
        peer_answer(request);
}

START_TEST(r12_trailers_before_our_end_are_answered_with_a_reset)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = end_early};
    struct outcome out;

    peer_begin(&peer, &f);
    expect_outcome(&f, &out);
    plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &out);
    fixture_wait(&f);
    fixture_run_ms(&f, 20);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.messages, 1);
    ck_assert(peer.requests[0].reset && !peer.requests[0].ended);
    ck_assert_uint_eq(peer.requests[0].reset_code, 0);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static char http_status[4];

static void answer_http(struct peer_request *request)
{
    peer_headers(request, 0,
                 (const char *const[]){":status", http_status, "content-type", "text/html", NULL});
    peer_data(request, PEER_END_STREAM, "<html>", 6);
}

START_TEST(r13_http_status_maps)
{
    static const struct {
        const char *http;
        enum status status;
    } table[] = {
        {"400", STATUS_INTERNAL},        {"431", STATUS_INTERNAL},
        {"401", STATUS_UNAUTHENTICATED}, {"403", STATUS_PERMISSION_DENIED},
        {"404", STATUS_UNIMPLEMENTED},   {"429", STATUS_UNAVAILABLE},
        {"502", STATUS_UNAVAILABLE},     {"503", STATUS_UNAVAILABLE},
        {"504", STATUS_UNAVAILABLE},     {"500", STATUS_UNKNOWN},
        {"200", STATUS_UNKNOWN},         {"302", STATUS_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        snprintf(http_status, sizeof http_status, "%s", table[i].http);
        answer_gives(answer_http, table[i].status);
    }
}
END_TEST

static void answer_http_with_status(struct peer_request *request)
{
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "404", "content-type", "application/grpc",
                                       "grpc-status", "5", NULL});
}

static void answer_after_informational(struct peer_request *request)
{
    peer_headers(
        request, 0,
        (const char *const[]){":status", "103", "grpc-status", "13", "x-echo", "no", NULL});
    peer_headers(request, 0, (const char *const[]){":status", "100", NULL});
    peer_answer(request);
}

static void answer_without_trailers(struct peer_request *request)
{
    peer_response(request);
    peer_data(request, PEER_END_STREAM, "\0\0\0\0\4\x0a\2ok", 9);
}

START_TEST(r13_grpc_status_wins_1xx_is_skipped_no_trailers_is_unknown)
{
    answer_gives(answer_http_with_status, STATUS_NOT_FOUND);
    answer_gives(answer_after_informational, STATUS_OK);
    answer_gives(answer_without_trailers, STATUS_UNKNOWN);
}
END_TEST

static uint32_t rst_code;

static void answer_rst(struct peer_request *request)
{
    peer_response(request);
    peer_rst(request, rst_code);
}

START_TEST(r14_every_reset_code_has_its_status)
{
    static const enum status statuses[] = {
        [0] = STATUS_INTERNAL,           [1] = STATUS_INTERNAL,    [2] = STATUS_INTERNAL,
        [3] = STATUS_INTERNAL,           [4] = STATUS_INTERNAL,    [5] = STATUS_INTERNAL,
        [6] = STATUS_INTERNAL,           [7] = STATUS_UNAVAILABLE, [8] = STATUS_CANCELLED,
        [9] = STATUS_INTERNAL,           [10] = STATUS_INTERNAL,   [11] = STATUS_RESOURCE_EXHAUSTED,
        [12] = STATUS_PERMISSION_DENIED, [13] = STATUS_INTERNAL,
    };

    for (rst_code = 0; rst_code < ARRAY_LEN(statuses); rst_code++)
        answer_gives(answer_rst, statuses[rst_code]);
}
END_TEST

static void close_it(struct peer_request *request)
{
    peer_close(request->conn);
}

static void answer_half_and_close(struct peer_request *request)
{
    peer_response(request);
    peer_data(request, 0, "\0\0\0\0\4\x0a", 6);
    peer_close(request->conn);
}

START_TEST(r14_connection_lost_within_a_call_is_unavailable)
{
    answer_gives(close_it, STATUS_UNAVAILABLE);
    answer_gives(answer_half_and_close, STATUS_UNAVAILABLE);
}
END_TEST

static void answer_half_and_end(struct peer_request *request)
{
    peer_response(request);
    peer_data(request, 0, "\0\0\0\0\0\0\0\0\0\4\x0a", 11);
    peer_trailers(request, "0");
}

static void answer_empty(struct peer_request *request)
{
    peer_response(request);
    peer_trailers(request, "0");
}

START_TEST(ok_with_half_a_message_or_none_is_internal)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = answer_half_and_end};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    answer_gives(answer_empty, STATUS_INTERNAL);
    peer_begin(&peer, &f);
    expect_outcome(&f, &out);
    plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_INTERNAL);
    ck_assert_uint_eq(out.messages, 1);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static size_t header_bytes;

static void answer_long_header(struct peer_request *request)
{
    char *value = mem_zalloc(header_bytes + 1);

    memset(value, 'v', header_bytes);
    peer_headers(request, 0,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "x-long", value, NULL});
    peer_message(request, "ok");
    peer_trailers(request, "0");
    free(value);
}

START_TEST(r15_response_headers_have_a_limit)
{
    header_bytes = 15000; /* the limit is 16 KiB unless the option says another one */
    answer_gives(answer_long_header, STATUS_OK);
    header_bytes = 17000;
    answer_gives(answer_long_header, STATUS_RESOURCE_EXHAUSTED);
    header_bytes = 63000;
    answer_gives(answer_long_header, STATUS_RESOURCE_EXHAUSTED);

    struct fixture f = {.channel_options = {.header_bytes_max = 70000}};
    struct peer peer = {.on_request = answer_long_header};
    struct outcome out;
    one_call(&f, &peer, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
}
END_TEST

static void flood_headers(struct peer_request *request)
{
    static const char *headers[2 * 5000 + 3] = {":status", "200"};

    for (size_t i = 2; i < 2 * 5000 + 2; i += 2) {
        headers[i] = "x-flood";
        headers[i + 1] = "0123456789";
    }
    peer_headers(request, 0, headers);
}

START_TEST(r15_flood_of_headers_fails_the_call_alone)
{
    answer_gives(flood_headers, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

/* ---- the official negative cases ---- */

static void answer_and_say_goaway(struct peer_request *request)
{
    peer_answer(request);
    if (request->conn->number == 0)
        peer_goaway(request->conn, request->id, 0, "");
}

START_TEST(http2_goaway)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = answer_and_say_goaway};
    struct outcome first, second;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &first);
    fixture_wait(&f);
    unary(&f, NULL, &request, &second);
    fixture_wait(&f);
    ck_assert_int_eq(first.status, STATUS_OK);
    ck_assert_int_eq(second.status, STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 2);
    ck_assert_ptr_eq(peer.requests[1].conn, peer.conns[1]);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void rst_after_header(struct peer_request *request)
{
    peer_response(request);
    peer_rst(request, 0);
}

static void rst_during_data(struct peer_request *request)
{
    peer_response(request);
    peer_data(request, 0, "\0\0\0\0\4\x0a", 6);
    peer_rst(request, 0);
}

static void rst_after_data(struct peer_request *request)
{
    peer_response(request);
    peer_message(request, "ok");
    peer_rst(request, 0);
}

START_TEST(http2_rst_after_header)
{
    answer_gives(rst_after_header, STATUS_INTERNAL);
}
END_TEST

START_TEST(http2_rst_during_data)
{
    answer_gives(rst_during_data, STATUS_INTERNAL);
}
END_TEST

START_TEST(http2_rst_after_data)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = rst_after_data};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    answer_gives(rst_after_data, STATUS_INTERNAL);
    /* A stream gets what came before the reset. */
    peer_begin(&peer, &f);
    expect_outcome(&f, &out);
    plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_INTERNAL);
    ck_assert_uint_eq(out.messages, 1);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void ping_amid_answer(struct peer_request *request)
{
    peer_frame(request->conn, PEER_PING, 0, 0, "12345678", 8);
    peer_response(request);
    peer_frame(request->conn, PEER_PING, 0, 0, "12345678", 8);
    peer_message(request, "ok");
    peer_frame(request->conn, PEER_PING, 0, 0, "12345678", 8);
    peer_trailers(request, "0");
    peer_frame(request->conn, 0x42, 0, 0, "unknown", 7); /* to be ignored */
    peer_frame(request->conn, PEER_PING, 0, 0, "12345678", 8);
}

START_TEST(http2_ping)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = ping_amid_answer};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    fixture_run_ms(&f, 20);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(peer.pongs, 4);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void answer_one_at_a_time(struct peer_request *request)
{
    const struct peer *peer = request->conn->peer;

    for (size_t i = 0; i + 1 < peer->request_count; i++)
        ck_assert(peer->requests[i].ended); /* never two at once */
    peer_answer(request);
}

START_TEST(http2_max_streams)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = answer_one_at_a_time, .streams_max = 1};
    struct outcome outs[15];
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        unary(&f, NULL, &request, &outs[i]);
    fixture_wait(&f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        ck_assert_int_eq(outs[i].status, STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 1);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void answer_padded(struct peer_request *request)
{
    static const char body[] = "\0\0\0\0\4\x0a\2ok";
    char frame[1 + 1 + 255] = {(char)255};

    peer_response(request);
    for (size_t i = 0; i + 1 < sizeof body; i++) {
        frame[1] = body[i];
        peer_data(request, PEER_PADDED, frame, sizeof frame);
    }
    peer_trailers(request, "0");
}

START_TEST(http2_data_frame_padding)
{
    answer_gives(answer_padded, STATUS_OK);
}
END_TEST

START_TEST(http2_no_df_padding_sanity_test)
{
    answer_gives(answer_in_pieces, STATUS_OK);
}
END_TEST

TCase *client_answer_tests(void)
{
    TCase *tc = tcase_create("client_answers");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, r4_request_has_te_content_type_and_user_agent);
    tcase_add_test(tc, r6_one_block_gives_status_message_and_metadata);
    tcase_add_test(tc, r7_end_of_request_rides_the_last_data);
    tcase_add_test(tc, r8_answer_may_come_byte_by_byte);
    tcase_add_test(tc, r11_undecodable_response_is_internal);
    tcase_add_test(tc, r12_trailers_before_our_end_are_answered_with_a_reset);
    tcase_add_test(tc, r13_http_status_maps);
    tcase_add_test(tc, r13_grpc_status_wins_1xx_is_skipped_no_trailers_is_unknown);
    tcase_add_test(tc, r14_every_reset_code_has_its_status);
    tcase_add_test(tc, r14_connection_lost_within_a_call_is_unavailable);
    tcase_add_test(tc, ok_with_half_a_message_or_none_is_internal);
    tcase_add_test(tc, r15_response_headers_have_a_limit);
    tcase_add_test(tc, r15_flood_of_headers_fails_the_call_alone);
    tcase_add_test(tc, http2_goaway);
    tcase_add_test(tc, http2_rst_after_header);
    tcase_add_test(tc, http2_rst_during_data);
    tcase_add_test(tc, http2_rst_after_data);
    tcase_add_test(tc, http2_ping);
    tcase_add_test(tc, http2_max_streams);
    tcase_add_test(tc, http2_data_frame_padding);
    tcase_add_test(tc, http2_no_df_padding_sanity_test);
    return tc;
}
