/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>
#include "client.h"
#include "suites.h"
#include "fixture.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT

static void unix_address(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "unix:/tmp/plankton-rpc-%d.sock", (int)getpid());
}

static void channel_only(struct fixture *f, const char *address)
{
    fixture_server(f, "127.0.0.1:0"); /* makes the loop */
    rpc_server_free(f->server);
    f->server = NULL;
    f->channel = rpc_channel_new(f->loop, address, &f->channel_options);
}

START_TEST(refused_connection_fails_fast_and_names_the_address)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    channel_only(&f, "127.0.0.1:1");
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(out.err.message, "127.0.0.1:1") != NULL, "%s", out.err.message);
    unary(&f, NULL, &request, &out);
    ck_assert(!out.done);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    fixture_end(&f);
}
END_TEST

START_TEST(waiting_call_is_served_when_the_server_comes)
{
    struct fixture f = {0};
    struct outcome out, impatient;
    struct rpc_call_options wait = {.wait_for_ready = true};
    struct rpc_call_options brief = {.wait_for_ready = true, .timeout_ms = 50};
    Plankton__Test__EchoRequest request = INIT;
    char address[64];

    unix_address(address, sizeof address);
    channel_only(&f, address);
    unary(&f, &brief, &request, &impatient);
    fixture_wait(&f);
    ck_assert_int_eq(impatient.status, STATUS_DEADLINE_EXCEEDED);
    unary(&f, &wait, &request, &out);
    fixture_run_ms(&f, 100);
    ck_assert(!out.done);
    fixture_server(&f, address);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

START_TEST(channel_reconnects_after_a_restart_of_the_server)
{
    struct fixture f = {0};
    struct outcome out, lost;
    struct rpc_call_options wait = {.wait_for_ready = true};
    Plankton__Test__EchoRequest request = INIT;
    char address[64];

    unix_address(address, sizeof address);
    fixture_server(&f, address);
    f.channel = rpc_channel_new(f.loop, address, NULL);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    expect_outcome(&f, &lost);
    plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &lost);
    fixture_run_ms(&f, 30);
    rpc_server_free(f.server);
    fixture_wait(&f);
    ck_assert_int_eq(lost.status, STATUS_UNAVAILABLE);
    fixture_server(&f, address);
    unary(&f, &wait, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

START_TEST(second_address_is_used_when_the_first_refuses)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;
    char both[160];

    fixture_server(&f, "127.0.0.1:0");
    snprintf(both, sizeof both, "127.0.0.1:1, %s", f.address);
    f.channel = rpc_channel_new(f.loop, both, NULL);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

START_TEST(freeing_the_channel_ends_its_calls_on_the_spot)
{
    struct fixture f = {0};
    struct outcome a, b;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.delay_ms = 5000;
    unary(&f, NULL, &request, &a);
    fixture_run_ms(&f, 50);
    unary(&f, NULL, &request, &b);
    rpc_channel_free(f.channel);
    f.channel = NULL;
    ck_assert(a.done && b.done);
    ck_assert_int_eq(a.status, STATUS_CANCELLED);
    fixture_end(&f);
}
END_TEST

struct freeing {
    struct fixture *f;
    bool done;
};

static void free_channel_done(const Plankton__Test__EchoReply *response, const struct error *err,
                              void *userdata)
{
    struct freeing *freeing = userdata;

    freeing->done = true;
    rpc_channel_free(freeing->f->channel);
    freeing->f->channel = NULL;
    loop_stop(freeing->f->loop);
}

START_TEST(a_callback_may_free_the_channel)
{
    struct fixture f = {0};
    struct freeing freeing = {&f, false};
    struct outcome other;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    plankton_test_echo_unary_call(f.channel, NULL, &request, free_channel_done, &freeing);
    request.delay_ms = 1000;
    unary(&f, NULL, &request, &other);
    loop_run(f.loop);
    ck_assert(freeing.done && other.done);
    fixture_end(&f);
}
END_TEST

static void drained(void *userdata)
{
    struct fixture *f = userdata;

    rpc_server_free(f->server);
    f->server = NULL;
    if (--f->pending == 0)
        loop_stop(f->loop);
}

START_TEST(drain_lets_open_calls_finish)
{
    struct fixture f = {0};
    struct outcome out, after;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.delay_ms = 150;
    unary(&f, NULL, &request, &out);
    fixture_run_ms(&f, 50);
    f.pending++;
    rpc_server_drain(f.server, 5000, drained, &f);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_ptr_null(f.server);
    unary(&f, NULL, &request, &after);
    fixture_wait(&f);
    ck_assert_int_eq(after.status, STATUS_UNAVAILABLE);
    fixture_end(&f);
}
END_TEST

START_TEST(drain_cuts_what_does_not_end)
{
    struct fixture f = {0};
    struct outcome out;

    fixture_begin(&f);
    expect_outcome(&f, &out);
    plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &out);
    fixture_run_ms(&f, 50);
    f.pending++;
    rpc_server_drain(f.server, 100, drained, &f);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(f.service.closed, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(keepalive_finds_a_dead_peer)
{
    struct fixture f = {.server_options = {.ping_interval_min_ms = 20},
                        .channel_options = {.keepalive_ms = 50, .keepalive_timeout_ms = 50}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    expect_outcome(&f, &out);
    plankton_test_echo_bidi_call(f.channel, NULL, &outcome_callbacks, &out);
    fixture_run_ms(&f, 400);
    ck_assert(!out.done); /* pings are answered */
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_READY);
    struct outcome second;
    unary(&f, NULL, &request, &second);
    f.pending--;
    fixture_run_ms(&f, 50);
    ck_assert_int_eq(second.status, STATUS_OK);
    f.pending = 1;
    rpc_channel_free(f.channel);
    f.channel = NULL;
    fixture_end(&f);
}
END_TEST

START_TEST(client_that_pings_too_often_learns_it_and_slows_down)
{
    struct fixture f = {.channel_options = {.keepalive_ms = 10, .keepalive_without_calls = true}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f); /* the server takes a ping every 5 min */
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    FIXTURE_UNTIL(&f, f.channel->keepalive_ms >= 40); /* two connections later */
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    fixture_end(&f);
}
END_TEST

static void count_states(enum rpc_channel_state state, void *userdata)
{
    unsigned *seen = userdata;

    *seen |= 1u << state;
}

START_TEST(states_are_reported)
{
    struct fixture f = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;
    unsigned seen = 0;

    fixture_begin(&f);
    rpc_channel_on_state(f.channel, count_states, &seen);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_IDLE);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    rpc_server_free(f.server);
    f.server = NULL;
    fixture_run_ms(&f, 100);
    ck_assert_uint_eq(seen, 1u << RPC_CONNECTING | 1u << RPC_READY | 1u << RPC_FAILING);
    fixture_end(&f);
}
END_TEST

TCase *channel_tests(void)
{
    TCase *tc = tcase_create("channel");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, refused_connection_fails_fast_and_names_the_address);
    tcase_add_test(tc, waiting_call_is_served_when_the_server_comes);
    tcase_add_test(tc, channel_reconnects_after_a_restart_of_the_server);
    tcase_add_test(tc, second_address_is_used_when_the_first_refuses);
    tcase_add_test(tc, freeing_the_channel_ends_its_calls_on_the_spot);
    tcase_add_test(tc, a_callback_may_free_the_channel);
    tcase_add_test(tc, drain_lets_open_calls_finish);
    tcase_add_test(tc, drain_cuts_what_does_not_end);
    tcase_add_test(tc, keepalive_finds_a_dead_peer);
    tcase_add_test(tc, client_that_pings_too_often_learns_it_and_slows_down);
    tcase_add_test(tc, states_are_reported);
    return tc;
}
