/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's connections: when it makes one, where to, how long it keeps it. */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "client.h"
#include "peer.h"
#include "suites.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT

static struct rpc_call *open_stream(struct fixture *f, struct outcome *out)
{
    expect_outcome(f, out);
    return plankton_test_echo_bidi_call(f->channel, NULL, &outcome_callbacks, out);
}

static void end_all(struct fixture *f, struct peer *peer)
{
    peer_end(peer);
    fixture_end(f);
}

static void call_gives(struct fixture *f, enum status status)
{
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    unary(f, NULL, &request, &out);
    fixture_wait(f);
    ck_assert_msg(out.status == status, "%d: %s", out.status, out.err.message);
}

/* ---- GOAWAY, stream limits, ids ---- */

static void answer_on_the_second(struct peer_request *request)
{
    if (request->conn->number == 1)
        peer_answer(request);
}

START_TEST(h1_goaway_moves_new_calls_and_lets_old_ones_finish)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = answer_on_the_second};
    struct outcome old;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &old);
    FIXTURE_UNTIL(&f, peer.request_count == 1);
    peer_goaway(peer.conns[0], 1, 0, "bye");
    FIXTURE_UNTIL(&f, peer.conn_count == 2); /* without a call that wants it */
    f.pending = 0;
    call_gives(&f, STATUS_OK);
    ck_assert(!old.done);
    f.pending = 1;
    peer_answer(&peer.requests[0]);
    fixture_wait(&f);
    ck_assert_int_eq(old.status, STATUS_OK);
    FIXTURE_UNTIL(&f, peer.conns[0]->closed); /* nothing is left on it */
    ck_assert(!peer.conns[1]->closed);
    end_all(&f, &peer);
}
END_TEST

START_TEST(h1_call_that_waits_for_a_stream_moves_at_once)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = answer_on_the_second, .streams_max = 1};
    struct outcome old, waiting;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &old);
    unary(&f, NULL, &request, &waiting);
    FIXTURE_UNTIL(&f, peer.request_count == 1);
    peer_goaway(peer.conns[0], 1, 0, "bye");
    f.pending = 1;
    fixture_wait(&f);
    ck_assert_int_eq(waiting.status, STATUS_OK);
    ck_assert(!old.done);
    f.pending = 1;
    end_all(&f, &peer);
}
END_TEST

START_TEST(h5_raised_limit_lets_waiting_calls_go)
{
    struct fixture f = {0};
    struct peer peer = {.streams_max = 1};
    struct outcome outs[3];
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        unary(&f, NULL, &request, &outs[i]);
    FIXTURE_UNTIL(&f, peer.request_count == 1);
    fixture_run_ms(&f, 20);
    ck_assert_uint_eq(peer.request_count, 1);
    peer_frame(peer.conns[0], PEER_SETTINGS, 0, 0, "\0\3\0\0\0\2", 6);
    FIXTURE_UNTIL(&f, peer.request_count == 2);
    peer_frame(peer.conns[0], PEER_SETTINGS, 0, 0, "\0\3\0\0\0\7", 6);
    FIXTURE_UNTIL(&f, peer.request_count == 3);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        peer_answer(&peer.requests[i]);
    fixture_wait(&f);
    end_all(&f, &peer);
}
END_TEST

START_TEST(h6_call_that_waits_for_a_stream_keeps_its_deadline)
{
    struct fixture f = {0};
    struct peer peer = {.streams_max = 1};
    struct outcome stuck, waiting;
    struct rpc_call_options options = {.timeout_ms = 50};
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &stuck);
    unary(&f, &options, &request, &waiting);
    f.pending--;
    fixture_wait(&f);
    ck_assert_int_eq(waiting.status, STATUS_DEADLINE_EXCEEDED);
    ck_assert(!stuck.done);
    f.pending = 1;
    fixture_run_ms(&f, 10);
    ck_assert_uint_eq(peer.request_count, 1);
    peer_answer(&peer.requests[0]);
    fixture_wait(&f);
    end_all(&f, &peer);
}
END_TEST

START_TEST(h6_used_up_ids_make_a_new_connection)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};
    struct outcome outs[6];
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    f.channel->first_stream_id = 0x7ffffffd; /* two streams a connection */
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        unary(&f, NULL, &request, &outs[i]);
    fixture_wait(&f);
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        ck_assert_int_eq(outs[i].status, STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 3);
    ck_assert_uint_eq(peer.requests[1].id, 0x7fffffff);
    FIXTURE_UNTIL(&f, peer.conns[0]->closed && peer.conns[1]->closed);
    end_all(&f, &peer);
}
END_TEST

/* ---- keepalive and idling ---- */

START_TEST(h4_ping_finds_a_dead_peer)
{
    struct fixture f = {.channel_options = {.keepalive_ms = 30, .keepalive_timeout_ms = 30}};
    struct peer peer = {.deaf = true};
    struct outcome out;
    uint64_t begin_us = clock_monotonic_us();

    peer_begin(&peer, &f);
    open_stream(&f, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(out.err.message, "keepalive") != NULL, "%s", out.err.message);
    ck_assert_uint_ge(clock_monotonic_us() - begin_us, 60000);
    ck_assert_uint_eq(peer.pings, 1);
    end_all(&f, &peer);
}
END_TEST

static void chat_cb(void *userdata)
{
    struct peer *peer = userdata;

    if (peer->request_count > 0)
        peer_message(&peer->requests[0], "x");
}

START_TEST(h4_no_ping_while_the_peer_is_heard)
{
    struct fixture f = {.channel_options = {.keepalive_ms = 300, .keepalive_timeout_ms = 1000}};
    struct peer peer = {.deaf = true, .on_request = peer_response};
    struct outcome out;
    struct loop_timer *chat;

    peer_begin(&peer, &f);
    open_stream(&f, &out);
    chat = loop_timer_new(f.loop, chat_cb, &peer);
    loop_timer_start(chat, 10, 10);
    fixture_run_ms(&f, 700);
    ck_assert_uint_eq(peer.pings, 0);
    ck_assert(!out.done && out.messages > 3);
    loop_timer_free(chat);
    end_all(&f, &peer);
}
END_TEST

START_TEST(h4_no_ping_without_calls_unless_asked_for)
{
    for (int asked = 0; asked < 2; asked++) {
        struct fixture f = {
            .channel_options = {.keepalive_ms = 20, .keepalive_without_calls = asked}};
        struct peer peer = {.on_end = peer_answer};

        peer_begin(&peer, &f);
        call_gives(&f, STATUS_OK);
        if (asked)
            FIXTURE_UNTIL(&f, peer.pings > 1);
        else
            fixture_run_ms(&f, 150);
        ck_assert_int_eq(peer.pings > 0, asked);
        ck_assert_uint_eq(peer.conn_count, 1);
        end_all(&f, &peer);
    }
}
END_TEST

START_TEST(h4_too_many_pings_doubles_the_interval)
{
    struct fixture f = {.channel_options = {.keepalive_ms = 50, .keepalive_without_calls = true}};
    struct peer peer = {.on_end = peer_answer};

    peer_begin(&peer, &f);
    call_gives(&f, STATUS_OK);
    peer_goaway(peer.conns[0], 0x7fffffff, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    FIXTURE_UNTIL(&f, peer.conn_count == 2 && f.channel->current);
    ck_assert_uint_eq(f.channel->keepalive_ms, 100);
    peer_goaway(peer.conns[1], 0x7fffffff, H2_ENHANCE_YOUR_CALM, "something else");
    FIXTURE_UNTIL(&f, peer.conn_count == 3 && f.channel->current);
    ck_assert_uint_eq(f.channel->keepalive_ms, 100);
    peer_goaway(peer.conns[2], 0x7fffffff, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    FIXTURE_UNTIL(&f, peer.conn_count == 4);
    ck_assert_uint_eq(f.channel->keepalive_ms, 200);
    end_all(&f, &peer);
}
END_TEST

START_TEST(idle_channel_closes_its_connection_until_the_next_call)
{
    struct fixture f = {.channel_options = {.idle_ms = 40}};
    struct peer peer = {.on_end = peer_answer};
    struct outcome out;
    struct rpc_call *call;

    peer_begin(&peer, &f);
    call_gives(&f, STATUS_OK);
    FIXTURE_UNTIL(&f, peer.conns[0]->closed);
    ck_assert_uint_eq(peer.goaways, 1);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_IDLE);
    ck_assert_uint_eq(peer.conn_count, 1);
    call = open_stream(&f, &out);
    fixture_run_ms(&f, 200);
    ck_assert_uint_eq(peer.conn_count, 2);
    ck_assert(!peer.conns[1]->closed); /* an open call is no idleness */
    rpc_call_cancel(call);
    fixture_wait(&f);
    end_all(&f, &peer);
}
END_TEST

/* ---- failing fast, backoff ---- */

START_TEST(d6_connecting_never_fails_a_call_failing_does)
{
    struct fixture f = {.channel_options = {.connect_timeout_ms = 150,
                                            .backoff_initial_ms = 5000,
                                            .backoff_max_ms = 5000}};
    struct peer peer = {.silent = true};
    struct rpc_call_options wait = {.wait_for_ready = true};
    struct outcome impatient, late, patient;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_IDLE);
    unary(&f, NULL, &request, &impatient);
    unary(&f, &wait, &request, &patient);
    fixture_run_ms(&f, 60);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_CONNECTING);
    ck_assert(!impatient.done && !patient.done);
    f.pending = 1;
    fixture_wait(&f); /* the silent peer had its time */
    ck_assert_int_eq(impatient.status, STATUS_UNAVAILABLE);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_FAILING);
    unary(&f, NULL, &request, &late);
    fixture_wait(&f);
    ck_assert_int_eq(late.status, STATUS_UNAVAILABLE);
    ck_assert(!patient.done);
    f.pending = 1;
    end_all(&f, &peer);
    ck_assert_int_eq(patient.status, STATUS_CANCELLED);
}
END_TEST

static void answer_and_close(struct peer_request *request)
{
    peer_answer(request);
    if (request->conn->number == 0)
        peer_close(request->conn);
}

struct again {
    struct fixture *f;
    enum status first, second;
    size_t ended;
};

static void again_closed(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    static const struct rpc_callbacks callbacks = {.on_close = again_closed};
    struct again *again = userdata;

    *(again->ended++ == 0 ? &again->first : &again->second) = status;
    if (again->ended == 1)
        plankton_test_echo_bidi_call(again->f->channel, NULL, &callbacks, again);
}

START_TEST(d6_call_on_a_channel_that_is_being_closed_fails)
{
    static const struct rpc_callbacks callbacks = {.on_close = again_closed};
    struct fixture f = {0};
    struct peer peer = {0};
    struct again again = {.f = &f};

    peer_begin(&peer, &f);
    plankton_test_echo_bidi_call(f.channel, NULL, &callbacks, &again);
    FIXTURE_UNTIL(&f, peer.request_count == 1);
    rpc_channel_free(f.channel);
    f.channel = NULL;
    ck_assert_uint_eq(again.ended, 2);
    ck_assert_int_eq(again.first, STATUS_CANCELLED);
    ck_assert_int_eq(again.second, STATUS_UNAVAILABLE);
    end_all(&f, &peer);
}
END_TEST

START_TEST(d6_loss_of_a_connection_fails_no_new_call)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = answer_and_close};

    peer_begin(&peer, &f);
    call_gives(&f, STATUS_OK);
    while (f.channel->current)
        fixture_run_ms(&f, 1);
    ck_assert_int_eq(rpc_channel_state(f.channel), RPC_CONNECTING);
    call_gives(&f, STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 2);
    end_all(&f, &peer);
}
END_TEST

#define GREETING_CONN 4

static uint64_t next_pause_ms[PEER_CONNS_MAX];

/* Connections are accepted and closed; one in their midst is greeted before. */
static void close_at_once(struct peer_conn *conn)
{
    next_pause_ms[conn->number] = conn->peer->f->channel->backoff_ms;
    conn->peer->silent = conn->number + 1 != GREETING_CONN;
    peer_close(conn);
}

START_TEST(d7_backoff_grows_has_a_cap_and_ends_with_settings)
{
    /* The pauses before each connection, by the options below; after the greeting a short one. */
    static const uint64_t pauses_ms[] = {50, 101, 203, 250, 0, 50, 101};
    struct fixture f = {.channel_options = {.backoff_initial_ms = 50,
                                            .backoff_max_ms = 250,
                                            .backoff_multiplier = 2,
                                            .backoff_jitter = 0.1}};
    struct peer peer = {.silent = true, .on_accept = close_at_once};
    struct rpc_call_options wait = {.wait_for_ready = true};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, &wait, &request, &out);
    while (peer.conn_count <= ARRAY_LEN(pauses_ms))
        fixture_run_ms(&f, 20);
    for (size_t i = 0; i < ARRAY_LEN(pauses_ms); i++) {
        uint64_t gap_ms = (peer.accepted_us[i + 1] - peer.accepted_us[i]) / 1000;
        ck_assert_msg(gap_ms + 1 >= pauses_ms[i] * 9 / 10, "%zu: %lu ms", i, (unsigned long)gap_ms);
    }
    ck_assert_uint_eq(next_pause_ms[1], 101);
    ck_assert_uint_eq(next_pause_ms[3], 250); /* the cap */
    ck_assert_uint_eq(next_pause_ms[GREETING_CONN], 250);
    ck_assert_uint_eq(next_pause_ms[GREETING_CONN + 1], 0); /* as at the beginning */
    f.pending = 1;
    end_all(&f, &peer);
}
END_TEST

static void greet_and_close(struct peer_conn *conn)
{
    peer_close(conn);
}

START_TEST(d7_peer_that_greets_and_leaves_does_not_make_us_spin)
{
    struct fixture f = {0};
    struct peer peer = {.on_accept = greet_and_close};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    peer_begin(&peer, &f);
    unary(&f, &(struct rpc_call_options){.wait_for_ready = true}, &request, &out);
    fixture_wait(&f); /* it was on the first connection */
    fixture_run_ms(&f, 600);
    ck_assert_uint_gt(peer.conn_count, 2);
    ck_assert_uint_lt(peer.conn_count, 40);
    end_all(&f, &peer);
}
END_TEST

/* ---- addresses ---- */

static _Atomic int resolved, resolving, resolving_most;
static char records[3][RPC_ADDRESS_BYTES];
static size_t record_count;
static unsigned resolve_delay_us;

static size_t resolve(const char *host, const char *port, char out[][RPC_ADDRESS_BYTES], size_t max,
                      struct error *err)
{
    int now = atomic_fetch_add(&resolving, 1) + 1;

    if (now > resolving_most)
        resolving_most = now;
    atomic_fetch_add(&resolved, 1);
    if (resolve_delay_us)
        usleep(resolve_delay_us); /* a name server that is slow */
    memcpy(out, records, sizeof records);
    if (record_count == 0)
        error_set(err, STATUS_UNAVAILABLE, "no such name: %s:%s", host, port);
    atomic_fetch_sub(&resolving, 1);
    return record_count;
}

static rpc_resolver_fn system_resolver;

static void name_begin(struct fixture *f, struct peer *peer, const char *target)
{
    peer_begin(peer, f);
    rpc_channel_free(f->channel);
    f->channel = rpc_channel_new(f->loop, target, &f->channel_options);
    system_resolver = rpc__resolver;
    rpc__resolver = resolve;
    resolved = resolving_most = 0;
    resolve_delay_us = 0;
    snprintf(records[0], sizeof records[0], "127.0.0.1:1"); /* refuses */
    snprintf(records[1], sizeof records[1], "127.0.0.1:2");
    snprintf(records[2], sizeof records[2], "%s", peer->address);
    record_count = 3;
}

static void name_end(struct fixture *f, struct peer *peer)
{
    rpc__resolver = system_resolver;
    end_all(f, peer);
}

START_TEST(name_with_several_records_uses_the_first_that_works)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};

    name_begin(&f, &peer, "dns:///many.test:80");
    call_gives(&f, STATUS_OK);
    call_gives(&f, STATUS_OK);
    ck_assert_uint_eq(peer.conn_count, 1);
    ck_assert_int_eq(resolved, 1);
    ck_assert_str_eq(peer_header(&peer.requests[0], ":authority"), "many.test:80");
    name_end(&f, &peer);
}
END_TEST

START_TEST(record_that_accepts_and_is_silent_is_passed_over)
{
    struct fixture f = {.channel_options = {.connect_timeout_ms = 60}};
    struct peer silent = {.silent = true}, peer = {.on_end = peer_answer};

    peer_listen(&silent, &f, "127.0.0.1:0");
    name_begin(&f, &peer, "many.test:80");
    snprintf(records[1], sizeof records[1], "%s", silent.address);
    call_gives(&f, STATUS_OK);
    ck_assert_uint_eq(silent.conn_count, 1);
    peer_end(&silent);
    name_end(&f, &peer);
}
END_TEST

START_TEST(name_is_resolved_anew_at_each_round)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer}, moved = {.on_end = peer_answer};

    name_begin(&f, &peer, "many.test:80");
    call_gives(&f, STATUS_OK);
    peer_listen(&moved, &f, "127.0.0.1:0");
    snprintf(records[2], sizeof records[2], "%s", moved.address);
    peer_close(peer.conns[0]);
    while (moved.conn_count == 0)
        fixture_run_ms(&f, 5);
    call_gives(&f, STATUS_OK);
    ck_assert_int_eq(resolved, 2);
    ck_assert_uint_eq(peer.conn_count, 1);
    peer_end(&moved);
    name_end(&f, &peer);
}
END_TEST

START_TEST(slow_resolver_blocks_nothing_and_is_asked_once_at_a_time)
{
    struct fixture f = {.channel_options = {.connect_timeout_ms = 40, .backoff_max_ms = 20}};
    struct peer peer = {.on_end = peer_answer};
    struct outcome impatient, patient;
    Plankton__Test__EchoRequest request = INIT;

    name_begin(&f, &peer, "slow.test:80");
    resolve_delay_us = 400000;
    unary(&f, NULL, &request, &impatient);
    unary(&f, &(struct rpc_call_options){.wait_for_ready = true}, &request, &patient);
    f.pending = 1;
    fixture_wait(&f);
    ck_assert_int_eq(impatient.status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(impatient.err.message, "slow.test:80") != NULL, "%s",
                  impatient.err.message);
    ck_assert(!patient.done);
    f.pending = 1;
    fixture_wait(&f); /* what the resolver said late still counts */
    ck_assert_int_eq(patient.status, STATUS_OK);
    ck_assert_int_eq(resolving_most, 1);
    name_end(&f, &peer);
}
END_TEST

START_TEST(channel_may_go_while_a_name_is_resolved)
{
    struct fixture f = {0};
    struct peer peer = {0};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    name_begin(&f, &peer, "slow.test:80");
    resolve_delay_us = 100000;
    unary(&f, NULL, &request, &out);
    fixture_run_ms(&f, 20);
    rpc_channel_free(f.channel);
    f.channel = NULL;
    ck_assert_int_eq(out.status, STATUS_CANCELLED);
    while (resolving > 0)
        fixture_run_ms(&f, 20);
    fixture_run_ms(&f, 20);
    name_end(&f, &peer);
}
END_TEST

START_TEST(unknown_name_says_so_and_the_next_target_is_tried)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};
    struct outcome out;
    char both[256];
    Plankton__Test__EchoRequest request = INIT;

    name_begin(&f, &peer, "unknown.test:80");
    record_count = 0;
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_str_eq(out.err.message, "no such name: unknown.test:80");
    rpc_channel_free(f.channel);
    snprintf(both, sizeof both, "unknown.test:80, other.test:90, %s", peer.address);
    f.channel = rpc_channel_new(f.loop, both, NULL);
    call_gives(&f, STATUS_OK);
    ck_assert_str_eq(peer_header(&peer.requests[0], ":authority"), peer.address);
    name_end(&f, &peer);
}
END_TEST

START_TEST(targets_may_have_a_scheme)
{
    char path[64], unix_url[80], dns[160], ipv4[160];
    const char *targets[] = {unix_url, path, dns, ipv4};

    snprintf(path, sizeof path, "unix:/tmp/plankton-peer-%d.sock", (int)getpid());
    snprintf(unix_url, sizeof unix_url, "unix://%s", path + 5);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct fixture f = {0};
        struct peer peer = {.on_end = peer_answer};
        peer_listen(&peer, &f, i < 2 ? path : "127.0.0.1:0");
        snprintf(dns, sizeof dns, "dns:///%s", peer.address);
        snprintf(ipv4, sizeof ipv4, "ipv4:%s", peer.address);
        f.channel = rpc_channel_new(f.loop, targets[i], NULL);
        call_gives(&f, STATUS_OK);
        ck_assert_str_eq(peer_header(&peer.requests[0], ":authority"),
                         i < 2 ? "localhost" : peer.address);
        end_all(&f, &peer);
    }
}
END_TEST

START_TEST(localhost_is_resolved_by_the_system)
{
    struct fixture f = {0};
    struct peer peer = {.on_end = peer_answer};
    char target[64];

    peer_begin(&peer, &f);
    rpc_channel_free(f.channel);
    snprintf(target, sizeof target, "localhost%s", strrchr(peer.address, ':'));
    f.channel = rpc_channel_new(f.loop, target, NULL);
    call_gives(&f, STATUS_OK);
    end_all(&f, &peer);
}
END_TEST

TCase *client_connection_tests(void)
{
    TCase *tc = tcase_create("client_connection");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, h1_goaway_moves_new_calls_and_lets_old_ones_finish);
    tcase_add_test(tc, h1_call_that_waits_for_a_stream_moves_at_once);
    tcase_add_test(tc, h5_raised_limit_lets_waiting_calls_go);
    tcase_add_test(tc, h6_call_that_waits_for_a_stream_keeps_its_deadline);
    tcase_add_test(tc, h6_used_up_ids_make_a_new_connection);
    tcase_add_test(tc, h4_ping_finds_a_dead_peer);
    tcase_add_test(tc, h4_no_ping_while_the_peer_is_heard);
    tcase_add_test(tc, h4_no_ping_without_calls_unless_asked_for);
    tcase_add_test(tc, h4_too_many_pings_doubles_the_interval);
    tcase_add_test(tc, idle_channel_closes_its_connection_until_the_next_call);
    tcase_add_test(tc, d6_connecting_never_fails_a_call_failing_does);
    tcase_add_test(tc, d6_call_on_a_channel_that_is_being_closed_fails);
    tcase_add_test(tc, d6_loss_of_a_connection_fails_no_new_call);
    tcase_add_test(tc, d7_backoff_grows_has_a_cap_and_ends_with_settings);
    tcase_add_test(tc, d7_peer_that_greets_and_leaves_does_not_make_us_spin);
    tcase_add_test(tc, name_with_several_records_uses_the_first_that_works);
    tcase_add_test(tc, record_that_accepts_and_is_silent_is_passed_over);
    tcase_add_test(tc, name_is_resolved_anew_at_each_round);
    tcase_add_test(tc, slow_resolver_blocks_nothing_and_is_asked_once_at_a_time);
    tcase_add_test(tc, channel_may_go_while_a_name_is_resolved);
    tcase_add_test(tc, unknown_name_says_so_and_the_next_target_is_tried);
    tcase_add_test(tc, targets_may_have_a_scheme);
    tcase_add_test(tc, localhost_is_resolved_by_the_system);
    return tc;
}
