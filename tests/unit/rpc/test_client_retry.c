/* SPDX-License-Identifier: Apache-2.0 */
/* Other tries of a call: by its policy after a pause, and at once where the peer has certainly not
 * looked at it. */
#include <stdio.h>
#include <stdlib.h>
#include "client.h"
#include "peer.h"
#include "suites.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT
#define ANY UINT64_MAX

static const struct rpc_retry quick = {.attempts_max = 3,
                                       .statuses = 1u << STATUS_UNAVAILABLE,
                                       .backoff_initial_ms = 1,
                                       .backoff_max_ms = 5};
static const struct rpc_call_options retried = {.retry = &quick};

static void one_call(struct peer *peer, const struct rpc_call_options *options, struct outcome *out)
{
    struct fixture f = {0};
    Plankton__Test__EchoRequest request = INIT;

    request.text = (char *)"again";
    peer_begin(peer, &f);
    unary(&f, options, &request, out);
    fixture_wait(&f);
    peer_end(peer);
    fixture_end(&f);
}

static uint64_t gap_ms(const struct peer *peer, size_t i)
{
    return (peer->requested_us[i + 1] - peer->requested_us[i]) / 1000;
}

static void fail_twice(struct peer_request *request)
{
    if (request->conn->peer->step++ < 2)
        peer_status(request, "14");
    else
        peer_answer(request);
}

START_TEST(d8_unavailable_is_tried_again_and_says_how_often)
{
    static const char *const counts[] = {"", "1", "2"};
    struct peer peer = {.on_end = fail_twice};
    struct outcome out;

    one_call(&peer, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_str_eq(out.text, "ok");
    ck_assert_uint_eq(peer.request_count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(peer_header(&peer.requests[i], "grpc-previous-rpc-attempts"), counts[i]);
        ck_assert_uint_eq(peer.requests[i].body_bytes, 5 + 7);
    }
}
END_TEST

static void fail_always(struct peer_request *request)
{
    peer_status(request, "14");
}

START_TEST(d8_five_attempts_at_most)
{
    struct rpc_retry many = quick;
    struct peer peer = {.on_end = fail_always};
    struct outcome out;

    many.attempts_max = 50;
    one_call(&peer, &(struct rpc_call_options){.retry = &many}, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(peer.request_count, 5);
}
END_TEST

static void fail_otherwise(struct peer_request *request)
{
    peer_status(request, "8");
}

START_TEST(d8_other_statuses_and_calls_without_a_policy_are_final)
{
    struct peer other = {.on_end = fail_otherwise}, none = {.on_end = fail_always};
    struct outcome out;

    one_call(&other, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(other.request_count, 1);
    one_call(&none, NULL, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(none.request_count, 1);
}
END_TEST

/* 1, 100 and, capped, 200 ms; uncapped the third would be up to 10 s. */
START_TEST(d8_pauses_grow_are_random_and_capped)
{
    const struct rpc_retry policy = {.attempts_max = 4,
                                     .statuses = 1u << STATUS_UNAVAILABLE,
                                     .backoff_initial_ms = 1,
                                     .backoff_max_ms = 200,
                                     .backoff_multiplier = 100};
    uint64_t longest[3] = {0}, shortest = ANY;

    for (int i = 0; i < 12; i++) {
        struct peer peer = {.on_end = fail_always};
        struct outcome out;
        one_call(&peer, &(struct rpc_call_options){.retry = &policy}, &out);
        ck_assert_uint_eq(peer.request_count, 4);
        for (size_t n = 0; n < 3; n++)
            longest[n] = MAX_OF(longest[n], gap_ms(&peer, n));
        shortest = MIN_OF(shortest, gap_ms(&peer, 2));
    }
    ck_assert_uint_gt(longest[1], 20);
    ck_assert_uint_gt(longest[2], 50);
    ck_assert_uint_lt(longest[2], 2000);
    ck_assert_uint_lt(shortest, 150);
}
END_TEST

static const char *pushback;

static void push_back(struct peer_request *request)
{
    if (request->conn->peer->step++ > 0)
        peer_answer(request);
    else
        peer_headers(request, PEER_END_STREAM,
                     (const char *const[]){":status", "200", "content-type", "application/grpc",
                                           "grpc-status", "14", "grpc-retry-pushback-ms", pushback,
                                           NULL});
}

START_TEST(d8_pushback_sets_the_pause)
{
    const struct rpc_retry slow = {.attempts_max = 2,
                                   .statuses = 1u << STATUS_UNAVAILABLE,
                                   .backoff_initial_ms = 600000,
                                   .backoff_max_ms = 600000};
    struct peer peer = {.on_end = push_back};
    struct outcome out;

    pushback = "80";
    one_call(&peer, &(struct rpc_call_options){.retry = &slow}, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_ge(gap_ms(&peer, 0), 79);
}
END_TEST

static void pushback_stops(const char *text)
{
    struct peer peer = {.on_end = push_back};
    struct outcome out;

    pushback = text;
    one_call(&peer, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(peer.request_count, 1);
}

START_TEST(d8_pushback_negative_stops)
{
    pushback_stops("-1");
}
END_TEST

START_TEST(d8_pushback_unparsable_stops)
{
    pushback_stops("soon");
    pushback_stops("");
    pushback_stops("99999999999999999999999");
}
END_TEST

static void say_when(struct peer_request *request)
{
    struct arena arena;
    struct error err = {.status = STATUS_UNAVAILABLE, .reason = "BUSY", .retry_after_ms = 90};

    if (request->conn->peer->step++ > 0) {
        peer_answer(request);
        return;
    }
    arena_init(&arena, 0);
    struct slice details = rpc__details_encode(&arena, err.status, &err);
    char *text = arena_strndup(&arena, details.data, details.len);
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", "14", "grpc-status-details-bin", text, NULL});
    arena_fini(&arena);
}

START_TEST(d8_retry_info_is_the_least_pause)
{
    struct peer peer = {.on_end = say_when};
    struct outcome out;

    one_call(&peer, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_ge(gap_ms(&peer, 0), 89);
}
END_TEST

static uint64_t timeout_us(const struct peer_request *request)
{
    uint64_t us = 0;

    ck_assert(rpc__timeout_parse(slice_of(peer_header(request, "grpc-timeout")), &us));
    return us;
}

/* The first try takes 100 ms and asks for a pause of 100 more; the second is never answered. */
static void fail_late(void *userdata)
{
    struct peer *peer = userdata;

    peer_headers(&peer->requests[0], PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", "14", "grpc-retry-pushback-ms", "100", NULL});
}

START_TEST(d8_deadline_spans_all_attempts)
{
    struct fixture f = {0};
    struct peer peer = {0};
    struct outcome out;
    uint64_t begin_us;
    Plankton__Test__EchoRequest request = INIT;
    struct loop_timer *timer;

    peer_begin(&peer, &f);
    timer = loop_timer_new(f.loop, fail_late, &peer);
    begin_us = clock_monotonic_us();
    unary(&f, &(struct rpc_call_options){.retry = &quick, .timeout_ms = 500}, &request, &out);
    FIXTURE_UNTIL(&f, peer.request_count == 1);
    loop_timer_start(timer, 100, 0);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_DEADLINE_EXCEEDED);
    ck_assert_uint_lt(clock_monotonic_us() - begin_us, 590000);
    ck_assert_uint_eq(peer.request_count, 2);
    ck_assert_uint_le(timeout_us(&peer.requests[1]) + 199000, timeout_us(&peer.requests[0]));
    loop_timer_free(timer);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

START_TEST(d8_pause_that_ends_behind_the_deadline_is_not_begun)
{
    struct peer peer = {.on_end = push_back};
    struct outcome out;
    uint64_t begin_us = clock_monotonic_us();

    pushback = "60000";
    one_call(&peer, &(struct rpc_call_options){.retry = &quick, .timeout_ms = 5000}, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_lt(clock_monotonic_us() - begin_us, 2500000);
}
END_TEST

static void headers_then_fail(struct peer_request *request)
{
    peer_response(request);
    peer_trailers(request, "14");
}

static void headers_then_refuse(struct peer_request *request)
{
    peer_response(request);
    peer_rst(request, H2_REFUSED_STREAM);
}

START_TEST(d8_no_other_try_after_response_headers)
{
    struct peer status = {.on_end = headers_then_fail}, reset = {.on_end = headers_then_refuse};
    struct outcome out;

    one_call(&status, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(status.request_count, 1);
    one_call(&reset, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(reset.request_count, 1);
}
END_TEST

static void close_once(struct peer_request *request)
{
    if (request->conn->peer->step++ == 0)
        peer_close(request->conn);
    else
        peer_answer(request);
}

START_TEST(d8_lost_connection_is_tried_again_on_the_next)
{
    struct peer peer = {.on_end = close_once};
    struct outcome out;

    one_call(&peer, &retried, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 2);
}
END_TEST

/* ---- streams ---- */

static struct rpc_call *begin_stream(struct fixture *f, const struct rpc_call_options *options,
                                     size_t messages, size_t payload_bytes, struct outcome *out)
{
    Plankton__Test__EchoRequest request = INIT;
    struct rpc_call *call;

    expect_outcome(f, out);
    call = plankton_test_echo_bidi_call(f->channel, options, &outcome_callbacks, out);
    request.payload.data = mem_zalloc(payload_bytes);
    request.payload.len = payload_bytes;
    for (size_t i = 0; i < messages; i++)
        ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    free(request.payload.data);
    return call;
}

START_TEST(d8_stream_is_tried_again_with_all_it_sent)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = fail_twice};
    struct outcome out;

    peer_begin(&peer, &f);
    rpc_call_half_close(begin_stream(&f, &retried, 3, 1000, &out));
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.messages, 1);
    ck_assert_uint_eq(peer.request_count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(peer.requests[i].body_bytes, 3 * 1008);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

START_TEST(d8_stream_may_write_between_its_tries)
{
    struct fixture f = {0};
    struct peer peer = {.on_body = push_back};
    struct outcome out;
    struct rpc_call *call;
    Plankton__Test__EchoRequest request = INIT;

    pushback = "100";
    peer_begin(&peer, &f);
    call = begin_stream(&f, &retried, 1, 100, &out);
    FIXTURE_UNTIL(&f, call->attempts->made == 2);
    ck_assert_uint_eq(peer.request_count, 1);
    ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    rpc_call_half_close(call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(peer.request_count, 2);
    ck_assert_uint_eq(peer.requests[0].body_bytes, 107);
    ck_assert_uint_eq(peer.requests[1].body_bytes, 107 + 5);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void fail_when_full(struct peer_request *request)
{
    /* We give no window of the stream back, so 65,535 bytes is what can come. */
    if (request->body_bytes < 65535)
        return;
    peer_frame(request->conn, PEER_WINDOW_UPDATE, 0, 0, "\0\0\xff\xff", 4);
    if (request->conn->peer->step++ == 0)
        peer_status(request, "14");
    else
        peer_answer(request);
}

START_TEST(d8_output_is_kept_up_to_256_kib)
{
    for (int over = 0; over < 2; over++) {
        struct fixture f = {0};
        struct peer peer = {.on_body = fail_when_full};
        struct outcome out;

        peer_begin(&peer, &f);
        begin_stream(&f, &retried, 4, 65000 + (over ? 1000 : 0), &out);
        fixture_wait(&f);
        ck_assert_int_eq(out.status, over ? STATUS_UNAVAILABLE : STATUS_OK);
        ck_assert_uint_eq(peer.request_count, over ? 1 : 2);
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

/* ---- at once ---- */

static void refuse_once(struct peer_request *request)
{
    if (request->conn->peer->step++ == 0)
        peer_rst(request, H2_REFUSED_STREAM);
    else
        peer_answer(request);
}

static void refuse_always(struct peer_request *request)
{
    peer_rst(request, H2_REFUSED_STREAM);
}

START_TEST(d8_refused_stream_is_sent_again_at_once_and_once)
{
    struct peer once = {.on_end = refuse_once}, always = {.on_end = refuse_always};
    struct outcome out;

    one_call(&once, NULL, &out);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(once.request_count, 2);
    ck_assert_uint_eq(once.requests[1].body_bytes, 5 + 7);
    ck_assert_str_eq(peer_header(&once.requests[1], "grpc-previous-rpc-attempts"), "");
    one_call(&always, NULL, &out);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(always.request_count, 2);
}
END_TEST

static void goaway_below(struct peer_request *request)
{
    struct peer *peer = request->conn->peer;

    if (request->conn->number > 0)
        peer_answer(request);
    else if (peer->request_count == 2) {
        peer_goaway(request->conn, 1, 0, "");
        peer_answer(&peer->requests[0]);
    }
}

START_TEST(d8_stream_above_the_last_of_a_goaway_moves_on)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = goaway_below};
    struct outcome kept, moved;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &kept);
    unary(&f, NULL, &request, &moved);
    fixture_wait(&f);
    ck_assert_int_eq(kept.status, STATUS_OK);
    ck_assert_int_eq(moved.status, STATUS_OK);
    ck_assert_uint_eq(peer.request_count, 3);
    ck_assert_ptr_eq(peer.requests[2].conn, peer.conns[1]);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void close_the_first_three(struct peer_request *request)
{
    if (request->conn->number < 3)
        peer_close(request->conn);
    else
        peer_answer(request);
}

START_TEST(d8_what_was_never_sent_moves_on_without_limit)
{
    struct fixture f = {.channel_options = {.backoff_initial_ms = 1}};
    struct peer peer = {.on_end = close_the_first_three, .streams_max = 1};
    struct outcome outs[5];
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        unary(&f, NULL, &request, &outs[i]);
    fixture_wait(&f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        ck_assert_int_eq(outs[i].status, i < 3 ? STATUS_UNAVAILABLE : STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 4);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

/* ---- whom it applies to, and its end ---- */

START_TEST(channels_default_is_for_methods_that_change_nothing)
{
    struct rpc_method get = plankton_test_echo_unary;
    const struct rpc_method *methods[] = {&plankton_test_echo_unary, &get};

    get.idempotent = true;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f = {.channel_options = rpc_channel_defaults(NULL, NULL)};
        struct peer peer = {.on_end = fail_twice};
        struct outcome out;
        Plankton__Test__EchoRequest request = INIT;

        f.channel_options.retry.backoff_initial_ms = 1;
        peer_begin(&peer, &f);
        expect_outcome(&f, &out);
        rpc_channel_call_with(f.channel, methods[i], NULL, &request.base, &outcome_callbacks, &out);
        fixture_wait(&f);
        ck_assert_int_eq(out.status, i == 0 ? STATUS_UNAVAILABLE : STATUS_OK);
        peer_end(&peer);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(unreachable_server_is_tried_again_too)
{
    const struct rpc_retry patient = {.attempts_max = 5,
                                      .statuses = 1u << STATUS_UNAVAILABLE,
                                      .backoff_initial_ms = 500,
                                      .backoff_max_ms = 500};
    const struct rpc_call_options options = {.retry = &patient};
    struct fixture f = {0};
    struct peer first = {0}, peer = {.on_end = peer_answer};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&first, &f);
    peer_end(&first); /* its port is free now */
    unary(&f, &options, &request, &out);
    FIXTURE_UNTIL(&f, rpc_channel_state(f.channel) == RPC_FAILING);
    ck_assert(!out.done);
    peer_listen(&peer, &f, first.address);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    peer_end(&peer);
    fixture_end(&f);
}
END_TEST

static void pause_ends_with(void (*end)(struct fixture *f, struct rpc_call *call))
{
    struct fixture f = {0};
    struct peer peer = {.on_end = push_back};
    struct outcome out;
    struct rpc_call *call;

    pushback = "600000";
    peer_begin(&peer, &f);
    call = begin_stream(&f, &retried, 1, 1, &out);
    rpc_call_half_close(call);
    FIXTURE_UNTIL(&f, call->attempts->made == 2);
    fixture_run_ms(&f, 20);
    ck_assert_uint_eq(peer.request_count, 1);
    ck_assert(!out.done);
    end(&f, call);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_CANCELLED);
    peer_end(&peer);
    fixture_end(&f);
}

static void cancel(struct fixture *f, struct rpc_call *call)
{
    rpc_call_cancel(call);
}

static void free_channel(struct fixture *f, struct rpc_call *call)
{
    rpc_channel_free(f->channel);
    f->channel = NULL;
}

START_TEST(cancel_and_free_end_a_pause)
{
    pause_ends_with(cancel);
    pause_ends_with(free_channel);
}
END_TEST

TCase *client_retry_tests(void)
{
    TCase *tc = tcase_create("client_retry");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, d8_unavailable_is_tried_again_and_says_how_often);
    tcase_add_test(tc, d8_five_attempts_at_most);
    tcase_add_test(tc, d8_other_statuses_and_calls_without_a_policy_are_final);
    tcase_add_test(tc, d8_pauses_grow_are_random_and_capped);
    tcase_add_test(tc, d8_pushback_sets_the_pause);
    tcase_add_test(tc, d8_pushback_negative_stops);
    tcase_add_test(tc, d8_pushback_unparsable_stops);
    tcase_add_test(tc, d8_retry_info_is_the_least_pause);
    tcase_add_test(tc, d8_deadline_spans_all_attempts);
    tcase_add_test(tc, d8_pause_that_ends_behind_the_deadline_is_not_begun);
    tcase_add_test(tc, d8_no_other_try_after_response_headers);
    tcase_add_test(tc, d8_lost_connection_is_tried_again_on_the_next);
    tcase_add_test(tc, d8_stream_is_tried_again_with_all_it_sent);
    tcase_add_test(tc, d8_stream_may_write_between_its_tries);
    tcase_add_test(tc, d8_output_is_kept_up_to_256_kib);
    tcase_add_test(tc, d8_refused_stream_is_sent_again_at_once_and_once);
    tcase_add_test(tc, d8_stream_above_the_last_of_a_goaway_moves_on);
    tcase_add_test(tc, d8_what_was_never_sent_moves_on_without_limit);
    tcase_add_test(tc, channels_default_is_for_methods_that_change_nothing);
    tcase_add_test(tc, unreachable_server_is_tried_again_too);
    tcase_add_test(tc, cancel_and_free_end_a_pause);
    return tc;
}
