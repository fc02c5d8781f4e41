/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/net.h"

#define BIG_BYTES (6u << 20)

/* An echo server and a client in one loop. */
struct fixture {
    struct loop *loop;
    struct net_listener *listener;
    struct net_stream *server, *client;
    struct loop_timer *guard;
    size_t sent, received, accepted, closed, drained;
    enum status connect_status, close_status;
    char why[128];
    bool stop_reading, close_after_first;
    size_t expect;
};

static void guard_cb(void *userdata)
{
    (void)userdata;
    ck_abort_msg("the test took too long");
}

static void server_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct fixture *f = userdata;
    enum status st = net_stream_write(stream, bytes.data, bytes.len);

    ck_assert_int_eq(st, STATUS_OK);
    if (f->close_after_first)
        net_stream_close_after_flush(stream);
}

static void server_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    struct fixture *f = userdata;

    f->closed++;
    f->server = NULL;
    net_stream_free(stream);
    if (!f->client)
        loop_stop(f->loop);
}

static void accept_cb(struct net_stream *stream, void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = server_read,
                                                   .on_close = server_close};
    struct fixture *f = userdata;

    f->accepted++;
    f->server = stream;
    ck_assert(net_stream_is_local(stream));
    net_stream_start(stream, &callbacks, f);
    net_stream_pause(stream, f->stop_reading);
}

static void client_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct fixture *f = userdata;

    f->received += bytes.len;
    if (f->expect && f->received == f->expect)
        loop_stop(f->loop);
}

static void client_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    struct fixture *f = userdata;

    f->close_status = status;
    snprintf(f->why, sizeof f->why, "%s", why);
    f->client = NULL;
    net_stream_free(stream);
    loop_stop(f->loop);
}

static void client_drain(struct net_stream *stream, void *userdata)
{
    struct fixture *f = userdata;

    ck_assert(net_stream_writable(stream));
    f->drained++;
}

static void connect_cb(struct net_stream *stream, enum status status, const char *why,
                       void *userdata)
{
    static const struct net_callbacks callbacks = {
        .on_read = client_read, .on_close = client_close, .on_drain = client_drain};
    struct fixture *f = userdata;

    f->connect_status = status;
    snprintf(f->why, sizeof f->why, "%s", why);
    if (status != STATUS_OK) {
        net_stream_free(stream);
        f->client = NULL;
        loop_stop(f->loop);
        return;
    }
    net_stream_start(stream, &callbacks, f);
    char *data = mem_zalloc(f->sent + 1);
    enum status st = net_stream_write(stream, data, f->sent);
    ck_assert_int_eq(st, STATUS_OK);
    free(data);
}

static void begin(struct fixture *f, const char *address)
{
    struct error err = {0};

    f->loop = loop_new();
    f->guard = loop_timer_new(f->loop, guard_cb, f);
    loop_timer_start(f->guard, 10000, 0);
    f->listener = net_listen(f->loop, address, NULL, 10, accept_cb, f, &err);
    ck_assert_msg(f->listener != NULL, "%s", err.message);
    f->client = net_connect(f->loop, net_listener_address(f->listener),
                            &(struct net_connect_options){.timeout_ms = 2000}, connect_cb, f);
}

static void finish(struct fixture *f)
{
    net_stream_free(f->client);
    net_stream_free(f->server);
    net_listener_free(f->listener);
    loop_timer_free(f->guard);
    loop_free(f->loop);
}

static void round_trip(const char *address, size_t bytes)
{
    struct fixture f = {.sent = bytes, .expect = bytes};

    begin(&f, address);
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, bytes);
    ck_assert_uint_eq(f.accepted, 1);
    finish(&f);
}

START_TEST(bytes_come_back_over_tcp4)
{
    round_trip("127.0.0.1:0", 100);
}
END_TEST

START_TEST(bytes_come_back_over_a_unix_socket)
{
    char address[64];

    snprintf(address, sizeof address, "unix:/tmp/plankton-net-%d.sock", (int)getpid());
    round_trip(address, 100);
    ck_assert_int_ne(access(address + 5, F_OK), 0);
}
END_TEST

START_TEST(megabytes_pass_partial_sends_and_drain)
{
    struct fixture f = {.sent = BIG_BYTES, .expect = BIG_BYTES};

    begin(&f, "127.0.0.1:0");
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, BIG_BYTES);
    ck_assert_uint_eq(f.drained, 1);
    finish(&f);
}
END_TEST

START_TEST(host_name_is_resolved)
{
    struct fixture f = {.sent = 5, .expect = 5};
    char address[64];

    f.loop = loop_new();
    f.guard = loop_timer_new(f.loop, guard_cb, &f);
    loop_timer_start(f.guard, 10000, 0);
    f.listener = net_listen(f.loop, "127.0.0.1:0", NULL, 10, accept_cb, &f, NULL);
    snprintf(address, sizeof address, "localhost:%s",
             strchr(net_listener_address(f.listener), ':') + 1);
    f.client = net_connect(f.loop, address, &(struct net_connect_options){.timeout_ms = 2000},
                           connect_cb, &f);
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, 5);
    finish(&f);
}
END_TEST

START_TEST(refused_connection_says_why)
{
    struct fixture f = {0};

    f.loop = loop_new();
    f.client = net_connect(f.loop, "127.0.0.1:1", &(struct net_connect_options){.timeout_ms = 2000},
                           connect_cb, &f);
    loop_run(f.loop);
    ck_assert_int_eq(f.connect_status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(f.why, "127.0.0.1:1") != NULL, "%s", f.why);
    loop_free(f.loop);
}
END_TEST

START_TEST(malformed_address_fails_later_not_inside)
{
    struct fixture f = {.connect_status = STATUS_UNKNOWN};

    f.loop = loop_new();
    f.client = net_connect(f.loop, "nonsense", &(struct net_connect_options){.timeout_ms = 2000},
                           connect_cb, &f);
    ck_assert_int_eq(f.connect_status, STATUS_UNKNOWN);
    loop_run(f.loop);
    ck_assert_int_eq(f.connect_status, STATUS_INVALID_ARGUMENT);
    loop_free(f.loop);
}
END_TEST

START_TEST(freeing_while_connecting_calls_nothing)
{
    struct fixture f = {.connect_status = STATUS_UNKNOWN};
    struct net_stream *a, *b;

    f.loop = loop_new();
    a = net_connect(f.loop, "127.0.0.1:1", &(struct net_connect_options){.timeout_ms = 2000},
                    connect_cb, &f);
    b = net_connect(f.loop, "localhost:1", &(struct net_connect_options){.timeout_ms = 2000},
                    connect_cb, &f);
    net_stream_free(a);
    net_stream_free(b);
    loop_free(f.loop);
    ck_assert_int_eq(f.connect_status, STATUS_UNKNOWN);
}
END_TEST

START_TEST(writes_are_bounded_when_the_peer_does_not_read)
{
    struct fixture f = {.stop_reading = true, .sent = 1};
    static char block[1 << 20];
    enum status st = STATUS_OK;
    int writes = 0;

    begin(&f, "127.0.0.1:0");
    struct loop_timer *stop = loop_timer_new(f.loop, (void (*)(void *))loop_stop, f.loop);
    loop_timer_start(stop, 50, 0);
    loop_run(f.loop);
    while (st == STATUS_OK && writes++ < 100)
        st = net_stream_write(f.client, block, sizeof block);
    ck_assert_int_eq(st, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_le(net_stream_pending_bytes(f.client), NET_WRITE_MAX_BYTES);
    ck_assert(!net_stream_writable(f.client));
    loop_timer_free(stop);
    finish(&f);
}
END_TEST

START_TEST(close_after_flush_delivers_the_last_bytes)
{
    struct fixture f = {.sent = 1000, .close_after_first = true};

    begin(&f, "127.0.0.1:0");
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, 1000);
    ck_assert_int_eq(f.close_status, STATUS_OK);
    loop_run(f.loop);
    ck_assert_uint_eq(f.closed, 1);
    finish(&f);
}
END_TEST

START_TEST(second_listener_on_a_taken_port_is_refused)
{
    struct loop *loop = loop_new();
    struct error err = {0};
    struct net_listener *first = net_listen(loop, "127.0.0.1:0", NULL, 10, accept_cb, NULL, &err);

    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(
        net_listen(loop, net_listener_address(first), NULL, 10, accept_cb, NULL, &err));
    ck_assert_str_eq(err.reason, "ADDRESS_IN_USE");
    net_listener_free(first);
    loop_free(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *tc = tcase_create("net");
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, bytes_come_back_over_tcp4);
    tcase_add_test(tc, bytes_come_back_over_a_unix_socket);
    tcase_add_test(tc, megabytes_pass_partial_sends_and_drain);
    tcase_add_test(tc, host_name_is_resolved);
    tcase_add_test(tc, refused_connection_says_why);
    tcase_add_test(tc, malformed_address_fails_later_not_inside);
    tcase_add_test(tc, freeing_while_connecting_calls_nothing);
    tcase_add_test(tc, writes_are_bounded_when_the_peer_does_not_read);
    tcase_add_test(tc, close_after_flush_delivers_the_last_bytes);
    tcase_add_test(tc, second_listener_on_a_taken_port_is_refused);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
