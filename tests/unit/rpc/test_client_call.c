/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, cancels, metadata and back-pressure as a client sees them. */
#include <stdio.h>
#include <stdlib.h>
#include "client.h"
#include "peer.h"
#include "suites.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT

/* ---- deadlines and cancels ---- */

START_TEST(d1_timeout_is_sent_in_the_finest_unit_that_fits)
{
    static const struct {
        uint64_t ms;
        const char *least, *most;
    } table[] = {{5000, "4800000u", "5000000u"},
                 {10000000, "9999900m", "10000000m"},
                 {200000000, "199999S", "200000S"}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct fixture f = {0};
        struct peer peer = {.on_end = peer_answer};
        struct rpc_call_options options = {.timeout_ms = table[i].ms};
        struct outcome out;
        Plankton__Test__EchoRequest request = INIT;
        uint64_t sent_us, least_us, most_us;

        peer_begin(&peer, &f);
        unary(&f, &options, &request, &out);
        fixture_wait(&f);
        ck_assert_int_eq(out.status, STATUS_OK);
        const char *text = peer_header(&peer.requests[0], "grpc-timeout");
        ck_assert(rpc__timeout_parse(slice_of(text), &sent_us));
        ck_assert(rpc__timeout_parse(slice_of(table[i].least), &least_us));
        ck_assert(rpc__timeout_parse(slice_of(table[i].most), &most_us));
        ck_assert_msg(sent_us >= least_us && sent_us <= most_us, "%s", text);
        ck_assert_int_eq(text[strlen(text) - 1], table[i].most[strlen(table[i].most) - 1]);
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(d3_expiry_is_local_and_resets_the_stream)
{
    struct fixture f = {0};
    struct peer peer = {0}; /* never answers */
    struct rpc_call_options options = {.timeout_ms = 60};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, &options, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_DEADLINE_EXCEEDED);
    fixture_run_ms(&f, 20);
    ck_assert(peer.requests[0].reset);
    ck_assert_uint_eq(peer.requests[0].reset_code, H2_CANCEL);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

/* Holds the loop until the deadline has passed, so that this answer comes before our timer. */
static void answer_cancelled_late(struct peer_request *request)
{
    uint64_t until_us = request->conn->peer->requested_us[0] + 40000;

    while (clock_monotonic_us() < until_us)
        ;
    if (request->conn->peer->step == 0)
        peer_status(request, "1");
    else
        peer_rst(request, H2_CANCEL);
}

START_TEST(d3_cancelled_by_the_peer_after_expiry_is_deadline_exceeded)
{
    for (int reset = 0; reset < 2; reset++) {
        struct fixture f = {0};
        struct peer peer = {.on_end = answer_cancelled_late, .step = reset};
        struct rpc_call_options options = {.timeout_ms = 30};
        struct outcome out;
        Plankton__Test__EchoRequest request = INIT;

        peer_begin(&peer, &f);
        unary(&f, &options, &request, &out);
        fixture_wait(&f);
        ck_assert_int_eq(out.status, STATUS_DEADLINE_EXCEEDED);
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(d3_waiting_for_a_connection_counts)
{
    struct fixture f = {0};
    struct peer peer = {.silent = true};
    struct rpc_call_options options = {.timeout_ms = 50, .wait_for_ready = true};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, &options, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_DEADLINE_EXCEEDED);
    ck_assert_uint_eq(peer.request_count, 0);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void never_done(struct peer_request *request)
{
    peer_response(request);
}

static uint64_t sent_timeout_us(const struct peer_request *request)
{
    uint64_t us;

    return rpc__timeout_parse(slice_of(peer_header(request, "grpc-timeout")), &us) ? us : 0;
}

START_TEST(d4_child_inherits_the_nearer_deadline_and_the_cancel)
{
    static const struct {
        uint64_t parent_ms, child_ms, least_us, most_us;
    } table[] = {{9000, 0, 8000000, 9000000},
                 {9000, 50000, 8000000, 9000000},
                 {50000, 9000, 8000000, 9000000},
                 {0, 0, 0, 0}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct fixture f = {0};
        struct peer peer = {.on_request = never_done};
        struct rpc_call_options parent_options = {.timeout_ms = table[i].parent_ms};
        struct rpc_call_options child_options = {.timeout_ms = table[i].child_ms};
        struct outcome parent, child;
        struct rpc_call *call;

        peer_begin(&peer, &f);
        expect_outcome(&f, &parent);
        expect_outcome(&f, &child);
        call =
            plankton_test_echo_bidi_call(f.channel, &parent_options, &outcome_callbacks, &parent);
        child_options.parent = call;
        plankton_test_echo_bidi_call(f.channel, &child_options, &outcome_callbacks, &child);
        fixture_run_ms(&f, 30);
        ck_assert_uint_eq(peer.request_count, 2);
        ck_assert_uint_ge(sent_timeout_us(&peer.requests[1]), table[i].least_us);
        ck_assert_uint_le(sent_timeout_us(&peer.requests[1]), table[i].most_us);
        rpc_call_cancel(call);
        fixture_wait(&f);
        fixture_run_ms(&f, 20);
        ck_assert_int_eq(child.status, STATUS_CANCELLED);
        ck_assert(peer.requests[1].reset);
        ck_assert_uint_eq(peer.requests[1].reset_code, H2_CANCEL);
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(d4_child_of_an_ended_call_is_cancelled_at_once)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = never_done};
    struct rpc_call_options options = {0};
    struct outcome parent, child;
    struct rpc_call *call;

    peer_begin(&peer, &f);
    expect_outcome(&f, &parent);
    call = rpc_call_ref(plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &parent));
    rpc_call_cancel(call);
    fixture_wait(&f);
    options.parent = call;
    expect_outcome(&f, &child);
    plankton_test_echo_bidi_call(f.channel, &options, &outcome_callbacks, &child);
    fixture_wait(&f);
    ck_assert_int_eq(child.status, STATUS_CANCELLED);
    rpc_call_unref(call);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

START_TEST(d5_cancel_resets_and_drops_what_was_queued)
{
    struct fixture f = {0};
    struct peer peer = {0};
    struct outcome out;
    struct rpc_call *call;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    expect_outcome(&f, &out);
    call = rpc_call_ref(plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &out));
    request.payload.len = 200000; /* more than the window */
    request.payload.data = mem_zalloc(request.payload.len);
    ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    fixture_run_ms(&f, 30);
    rpc_call_cancel(call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_CANCELLED);
    fixture_run_ms(&f, 20);
    ck_assert(peer.requests[0].reset);
    ck_assert_uint_eq(peer.requests[0].reset_code, H2_CANCEL);
    ck_assert_uint_eq(peer.requests[0].body_bytes, 65535);
    ck_assert_uint_eq(h2_stream_pending_bytes(&call->stream), 0);
    ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_UNAVAILABLE);
    free(request.payload.data);
    rpc_call_unref(call);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

/* ---- metadata ---- */

static void metadata_gives(const char *name, const char *value, enum status status)
{
    const char *const metadata[] = {name, value, NULL};
    struct rpc_call_options options = {.metadata = metadata};
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, &options, &request, &out);
    fixture_wait(&f);
    ck_assert_msg(out.status == status, "%s: %d", name, out.status);
    ck_assert_uint_eq(peer.request_count, status == STATUS_OK);
    if (status == STATUS_OK)
        ck_assert_str_eq(peer_header(&peer.requests[0], name), value);
    else
        ck_assert_msg(strstr(out.err.message, "metadata") != NULL, "%s", out.err.message);
    peer_end(&peer);
    fixture_end(&f);
}

START_TEST(m1_bad_names_and_values_do_not_leave)
{
    static const char *const bad[] = {"X-Upper",     "x y", "",  ":path",      "grpc-timeout",
                                      "x\n",         "te",  "ü", "user-agent", "host",
                                      "content-type"};

    metadata_gives("x-good_1.name", "any ~value!", STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        metadata_gives(bad[i], "value", STATUS_INTERNAL);
    metadata_gives("x-good", "line\nbreak", STATUS_INTERNAL);
    metadata_gives("x-good", "grüße", STATUS_INTERNAL);
}
END_TEST

START_TEST(m1_too_many_names_do_not_leave)
{
    const char *metadata[2 * RPC_METADATA_MAX + 3] = {0};
    struct rpc_call_options options = {.metadata = metadata};

    for (int over = 0; over < 2; over++) {
        struct fixture f = {0};
        struct peer peer = {.on_end = peer_answer};
        struct outcome out;
        Plankton__Test__EchoRequest request = INIT;
        for (size_t i = 0; i < 2 * (RPC_METADATA_MAX + (size_t)over); i += 2) {
            metadata[i] = "x-one";
            metadata[i + 1] = "1";
        }
        peer_begin(&peer, &f);
        unary(&f, &options, &request, &out);
        fixture_wait(&f);
        ck_assert_int_eq(out.status, over ? STATUS_INTERNAL : STATUS_OK);
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

struct seen {
    struct fixture *f;
    enum status status;
    char message[64], text[64], binary[8][16];
    size_t binary_count;
};

static void see_close(struct rpc_call *call, enum status status, const struct error *err,
                      void *userdata)
{
    struct seen *seen = userdata;
    const char *text = rpc_call_metadata(call, "x-text");
    struct slice binary;

    seen->status = status;
    snprintf(seen->message, sizeof seen->message, "%.63s", err->message);
    snprintf(seen->text, sizeof seen->text, "%s", text ? text : "(none)");
    while (seen->binary_count < ARRAY_LEN(seen->binary) &&
           rpc_call_metadata_bin_nth(call, "x-bin", seen->binary_count, &binary)) {
        snprintf(seen->binary[seen->binary_count++], sizeof seen->binary[0], "%.*s",
                 (int)binary.len, binary.data);
    }
    loop_stop(seen->f->loop);
}

static void see(struct seen *seen, void (*answer)(struct peer_request *request))
{
    static const struct rpc_callbacks callbacks = {.on_close = see_close};
    struct fixture f = {0};
    struct peer peer = {.on_end = answer};
    Plankton__Test__EchoRequest request = INIT;

    *seen = (struct seen){.f = &f};
    peer_begin(&peer, &f);
    rpc_channel_call_with(f.channel, &plankton_test_echo_unary, NULL, &request.base, &callbacks,
                          seen);
    loop_run(f.loop);
    peer_end(&peer);
    fixture_end(&f);
}

static void answer_bad_value(struct peer_request *request)
{
    peer_headers(request, 0,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "x-text", "gr\xc3\xbc\xc3\x9f", NULL});
    peer_message(request, "ok");
    peer_trailers(request, "0");
}

START_TEST(m2_received_value_out_of_range_is_dropped_and_harms_nothing)
{
    struct seen seen;

    see(&seen, answer_bad_value);
    ck_assert_int_eq(seen.status, STATUS_OK);
    ck_assert_str_eq(seen.text, "(none)");
}
END_TEST

static void answer_binary(struct peer_request *request)
{
    peer_headers(request, 0,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "x-text", "first", "x-bin", "b25l,dHdv", "x-text", "second",
                                       NULL});
    peer_message(request, "ok");
    peer_headers(
        request, PEER_END_STREAM,
        (const char *const[]){"x-bin", "Zm91cg==", "x-bin", "Zml2ZQ", "grpc-status", "0", NULL});
}

START_TEST(m3_m4_binary_values_padded_unpadded_joined_and_in_order)
{
    static const char *const want[] = {"one", "two", "four", "five"};
    struct seen seen;

    see(&seen, answer_binary);
    ck_assert_int_eq(seen.status, STATUS_OK);
    ck_assert_str_eq(seen.text, "first");
    ck_assert_uint_eq(seen.binary_count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_str_eq(seen.binary[i], want[i]);
}
END_TEST

START_TEST(m3_binary_values_leave_unpadded)
{
    const char *const metadata[] = {"x-bin", "a", NULL};
    struct rpc_call_options options = {.metadata = metadata};
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, &options, &request, &out);
    fixture_wait(&f);
    ck_assert_str_eq(peer_header(&peer.requests[0], "x-bin"), "YQ");
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static const char *status_text, *message_text;

static void answer_status_text(struct peer_request *request)
{
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", status_text, "grpc-message", message_text,
                                       NULL});
}

START_TEST(m5_status_and_message_are_decoded_and_broken_ones_survive)
{
    static const struct {
        const char *status, *message, *want;
        enum status code;
    } table[] = {
        {"9", "100%25 gr%C3%BC%c3%9f%0A", "100% grüß\n", STATUS_FAILED_PRECONDITION},
        {"9", "50% off %zz %", "50% off %zz %", STATUS_FAILED_PRECONDITION},
        {"16", "", "", STATUS_UNAUTHENTICATED},
        {"17", "beyond", "beyond", STATUS_UNKNOWN},
        {"x", "no number", "no number", STATUS_UNKNOWN},
        {"", "none", "none", STATUS_UNKNOWN},
        {"-1", "negative", "negative", STATUS_UNKNOWN},
        {"99999999999", "huge", "huge", STATUS_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct seen seen;
        status_text = table[i].status;
        message_text = table[i].message;
        see(&seen, answer_status_text);
        ck_assert_int_eq(seen.status, table[i].code);
        ck_assert_str_eq(seen.message, table[i].want);
    }
}
END_TEST

static void answer_details(struct peer_request *request)
{
    struct arena arena;
    struct error err = {.status = STATUS_NOT_FOUND, .message = "gone", .reason = "TASK_UNKNOWN"};

    arena_init(&arena, 0);
    struct slice details = rpc__details_encode(&arena, err.status, &err);
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", "5", "grpc-message", "gone",
                                       "grpc-status-details-bin",
                                       arena_strndup(&arena, details.data, details.len), NULL});
    arena_fini(&arena);
}

static void answer_broken_details(struct peer_request *request)
{
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", "5", "grpc-message", "gone",
                                       "grpc-status-details-bin", "!!!not base64", NULL});
}

START_TEST(m6_rich_details_arrive_and_broken_ones_are_ignored)
{
    for (int broken = 0; broken < 2; broken++) {
        struct fixture f = {0};
        struct peer peer = {.on_end = broken ? answer_broken_details : answer_details};
        struct outcome out;
        Plankton__Test__EchoRequest request = INIT;

        peer_begin(&peer, &f);
        unary(&f, NULL, &request, &out);
        fixture_wait(&f);
        ck_assert_int_eq(out.status, STATUS_NOT_FOUND);
        ck_assert_str_eq(out.err.message, "gone");
        ck_assert_str_eq(out.err.reason, broken ? "" : "TASK_UNKNOWN");
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

/* ---- back-pressure ---- */

#define BURST_BYTES 16384
#define BURST_MESSAGES 60 /* 983 KB: within the stream's window of 1 MiB */

static void burst(struct peer_request *request)
{
    static char frame[BURST_BYTES];

    frame[3] = (char)((BURST_BYTES - 5) >> 8);
    frame[4] = (char)((BURST_BYTES - 5) & 255);
    frame[5] = 0x12; /* payload */
    frame[6] = (char)(((BURST_BYTES - 8) & 127) | 128);
    frame[7] = (char)((BURST_BYTES - 8) >> 7);
    peer_response(request);
    for (int i = 0; i < BURST_MESSAGES; i++)
        peer_data(request, 0, frame, sizeof frame);
}

START_TEST(h7_paused_reader_gives_no_window_back_until_it_reads)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = burst};
    struct outcome out;
    struct rpc_call *call;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    expect_outcome(&f, &out);
    call =
        plankton_test_echo_server_stream_call(f.channel, NULL, &request, &outcome_callbacks, &out);
    rpc_call_pause(call);
    fixture_run_ms(&f, 100);
    ck_assert_uint_eq(out.messages, 0);
    ck_assert_uint_eq(peer.stream_credit, 0);
    rpc_call_resume(call);
    FIXTURE_UNTIL(&f, out.messages == BURST_MESSAGES &&
                          peer.stream_credit > BURST_MESSAGES * BURST_BYTES / 2);
    rpc_call_cancel(call);
    fixture_wait(&f);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void burst_when_reset(void *userdata)
{
    struct peer *peer = userdata;

    for (size_t i = 0; i < peer->request_count; i++)
        burst(&peer->requests[i]);
}

START_TEST(h7_connection_window_comes_back_for_streams_that_are_gone)
{
    struct fixture f = {0};
    struct peer peer = {0};
    struct outcome outs[8];
    uint64_t before;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++) {
        struct rpc_call_options options = {.timeout_ms = 300};
        unary(&f, &options, &request, &outs[i]);
    }
    FIXTURE_UNTIL(&f, peer.request_count == ARRAY_LEN(outs));
    fixture_wait(&f);
    before = peer.connection_credit;
    loop_defer(f.loop, burst_when_reset, &peer); /* the reset crossed what we sent */
    /* What may be outstanding is less than half the window of 4 MiB. */
    FIXTURE_UNTIL(&f, peer.connection_credit - before + (2u << 20) >
                          ARRAY_LEN(outs) * BURST_MESSAGES * BURST_BYTES);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

TCase *client_call_tests(void)
{
    TCase *tc = tcase_create("client_call");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, d1_timeout_is_sent_in_the_finest_unit_that_fits);
    tcase_add_test(tc, d3_expiry_is_local_and_resets_the_stream);
    tcase_add_test(tc, d3_cancelled_by_the_peer_after_expiry_is_deadline_exceeded);
    tcase_add_test(tc, d3_waiting_for_a_connection_counts);
    tcase_add_test(tc, d4_child_inherits_the_nearer_deadline_and_the_cancel);
    tcase_add_test(tc, d4_child_of_an_ended_call_is_cancelled_at_once);
    tcase_add_test(tc, d5_cancel_resets_and_drops_what_was_queued);
    tcase_add_test(tc, m1_bad_names_and_values_do_not_leave);
    tcase_add_test(tc, m1_too_many_names_do_not_leave);
    tcase_add_test(tc, m2_received_value_out_of_range_is_dropped_and_harms_nothing);
    tcase_add_test(tc, m3_m4_binary_values_padded_unpadded_joined_and_in_order);
    tcase_add_test(tc, m3_binary_values_leave_unpadded);
    tcase_add_test(tc, m5_status_and_message_are_decoded_and_broken_ones_survive);
    tcase_add_test(tc, m6_rich_details_arrive_and_broken_ones_are_ignored);
    tcase_add_test(tc, h7_paused_reader_gives_no_window_back_until_it_reads);
    tcase_add_test(tc, h7_connection_window_comes_back_for_streams_that_are_gone);
    return tc;
}
