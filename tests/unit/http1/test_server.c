/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "http1/http1.h"
#include "suites.h"

#define GIVE_UP_MS 10000

/* One server on a unix socket and one raw client in the same loop. */
static struct loop *loop;
static struct http1_server *server;
static struct net_stream *client;
static struct loop_timer *give_up;
static struct buf got;
static const char *wanted; /* the loop stops when this has come */
static bool client_closed, timed_out;
static struct http1_request *held; /* that the handler has not answered */
static unsigned closes, drains, requests;
static char folder[64], address[80];

static void on_close_request(struct http1_request *request, void *userdata)
{
    closes++;
    http1_respond(request, 200, NULL, 0, slice_of("late"));
    held = NULL;
    loop_stop(loop);
}

static void on_drain_request(struct http1_request *request, void *userdata)
{
    drains++;
    loop_stop(loop);
}

static void echo(struct http1_request *request)
{
    char *text = arena_printf(request->arena, "%s %s %.*s", request->method, request->path,
                              (int)request->body.len, request->body.data ? request->body.data : "");
    struct http1_header type = {slice_of("Content-Type"), slice_of("text/plain")};

    http1_respond(request, 200, &type, 1, slice_of(text));
}

static void on_request(struct http1_request *request, void *userdata)
{
    struct http1_header evil = {slice_of("Location"), slice_of("/x\r\nSet-Cookie: a=b")};

    requests++;
    if (str_eq(request->path, "/hold")) {
        held = request;
        http1_request_on_close(request, on_close_request, NULL);
        loop_stop(loop);
    } else if (str_eq(request->path, "/stream")) {
        ck_assert(http1_stream_begin(request, 200, NULL, 0));
        ck_assert(http1_stream_write(request, "one", 3));
        ck_assert(http1_stream_write(request, "", 0));
        ck_assert(http1_stream_write(request, "three", 5));
        http1_stream_end(request);
    } else if (str_eq(request->path, "/evil")) {
        http1_respond(request, 302, &evil, 1, slice_of("body"));
    } else if (str_eq(request->path, "/evil-stream")) {
        ck_assert(!http1_stream_begin(request, 200, &evil, 1));
        http1_stream_end(request);
    } else if (str_eq(request->path, "/abort")) {
        ck_assert(http1_stream_begin(request, 200, NULL, 0));
        http1_stream_abort(request);
    } else if (str_eq(request->path, "/empty")) {
        http1_respond(request, 204, NULL, 0, slice_of(""));
    } else {
        echo(request);
    }
}

static void client_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    buf_put(&got, bytes.data, bytes.len);
    if (wanted && strstr(buf_cstr(&got), wanted))
        loop_stop(loop);
}

static void client_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    net_stream_free(client);
    client = NULL;
    client_closed = true;
    loop_stop(loop);
}

static void client_connected(struct net_stream *stream, enum status status, const char *why,
                             void *userdata)
{
    static const struct net_callbacks CALLBACKS = {client_read, client_close, NULL};

    ck_assert_msg(status == STATUS_OK, "%s", why);
    net_stream_start(stream, &CALLBACKS, NULL);
    loop_stop(loop);
}

static void stop_waiting(void *userdata)
{
    timed_out = true;
    loop_stop(loop);
}

static void run(void)
{
    loop_timer_start(give_up, GIVE_UP_MS, 0);
    loop_run(loop);
    loop_timer_stop(give_up);
    ck_assert_msg(!timed_out, "nothing happened; got so far: %s", buf_cstr(&got));
}

static void connect_client(void)
{
    buf_clear(&got);
    client_closed = false;
    client = net_connect(loop, address, &(struct net_connect_options){.timeout_ms = 1000},
                         client_connected, NULL);
    run();
}

static void begin(const struct http1_options *options)
{
    struct error err = {0};

    snprintf(folder, sizeof(folder), "/tmp/plankton-http1-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof(address), "unix:%s/s", folder);
    loop = loop_new();
    give_up = loop_timer_new(loop, stop_waiting, NULL);
    buf_init(&got, 64 << 20);
    server = http1_server_new(loop, options, on_request, NULL);
    ck_assert_msg(http1_server_listen(server, address, &err) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(http1_server_address(server, 0), address);
    ck_assert_ptr_null(http1_server_address(server, 1));
    connect_client();
}

static void setup(void)
{
    held = NULL;
    client = NULL;
    closes = drains = requests = 0;
    timed_out = false;
    wanted = NULL;
}

static void teardown(void)
{
    http1_server_free(server);
    net_stream_free(client);
    loop_timer_free(give_up);
    loop_free(loop);
    buf_fini(&got);
    unlink(address + 5);
    rmdir(folder);
}

static void send_text(const char *text)
{
    ck_assert_int_eq(net_stream_write(client, text, strlen(text)), STATUS_OK);
}

/* Sends and waits until `until` has come (NULL: until the server closes). */
static const char *talk(const char *text, const char *until)
{
    wanted = until;
    if (text)
        send_text(text);
    while (until ? !strstr(buf_cstr(&got), until) && !client_closed : !client_closed)
        run();
    return buf_cstr(&got);
}

static void check_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

START_TEST(requests_are_answered_and_the_connection_kept)
{
    const char *text;

    begin(&(struct http1_options){.server = "plankton"});
    text = talk(GET("/one"), "GET /one ");
    check_has(text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: ");
    check_has(text, " GMT\r\nServer: plankton\r\nContent-Length: 9\r\n\r\n");
    text =
        talk("POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST /two hello");
    ck_assert_ptr_null(strstr(text, "Connection:"));
    text = talk("GET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL);
    check_has(text, "Connection: close\r\n\r\nGET /three ");
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    const char *text, *first, *second, *third;

    begin(&(struct http1_options){0});
    talk(GET("/a") GET("/hold") GET("/b") GET("/c"), "GET /a ");
    while (!held)
        run();
    ck_assert_uint_eq(requests, 2);
    http1_respond(held, 200, NULL, 0, slice_of("held back"));
    text = talk(NULL, "GET /c ");
    first = strstr(text, "held back");
    second = strstr(text, "GET /b ");
    third = strstr(text, "GET /c ");
    ck_assert(first && first < second && second < third);
}
END_TEST

START_TEST(head_has_the_length_and_no_body)
{
    const char *text;

    begin(&(struct http1_options){0});
    text = talk("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" GET("/empty") GET("/end"), "GET /end ");
    check_has(text, "Content-Length: 8\r\n\r\nHTTP/1.1 204 No Content\r\n");
    ck_assert_ptr_null(strstr(text, "HEAD /x "));
}
END_TEST

START_TEST(streams_are_chunked_and_end)
{
    const char *text;

    begin(&(struct http1_options){0});
    text = talk(GET("/stream") GET("/end"), "GET /end ");
    check_has(text,
              "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\nHTTP/1.1 200");
    text = talk("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" GET("/fin"), "GET /fin ");
    check_has(text, "Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200");
    text = talk("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", NULL);
    check_has(text, "Connection: close\r\n\r\nonethree");
}
END_TEST

START_TEST(aborted_stream_has_no_end)
{
    const char *text;

    begin(&(struct http1_options){0});
    text = talk(GET("/abort"), NULL);
    ck_assert_ptr_null(strstr(text, "0\r\n\r\n"));
}
END_TEST

START_TEST(injected_header_becomes_a_500)
{
    const char *text;

    begin(&(struct http1_options){0});
    text = talk(GET("/evil") GET("/evil-stream") GET("/end"), "GET /end ");
    check_has(text, "HTTP/1.1 500 Internal Server Error\r\n");
    ck_assert_ptr_null(strstr(text, "Set-Cookie"));
    ck_assert_ptr_null(strstr(text, "302"));
    ck_assert_ptr_null(strstr(text, "0\r\n\r\nHTTP/1.1 200 OK\r\nTransfer"));
}
END_TEST

START_TEST(refusals_are_answered_and_close)
{
    const char *text;

    begin(&(struct http1_options){.body_bytes_max = 10});
    text = talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello", NULL);
    check_has(text, "HTTP/1.1 413 Content Too Large\r\n");
    check_has(text, "Connection: close\r\n\r\n");
    connect_client();
    text = talk("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" GET("/never"), NULL);
    check_has(text, "HTTP/1.1 400 Bad Request\r\n");
    ck_assert_ptr_null(strstr(text, "/never"));
    ck_assert_uint_eq(requests, 0);
}
END_TEST

START_TEST(large_refused_body_does_not_lose_the_answer)
{
    static char body[4 << 20];
    const char *text;

    begin(&(struct http1_options){.body_bytes_max = 10});
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
    ck_assert_int_eq(net_stream_write(client, body, sizeof(body)), STATUS_OK);
    text = talk(NULL, "\r\n\r\n");
    check_has(text, "HTTP/1.1 413 ");
}
END_TEST

START_TEST(expectation_gets_100_then_the_answer)
{
    const char *text;

    begin(&(struct http1_options){0});
    text = talk("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
                "\r\n\r\n");
    ck_assert_str_eq(text, "HTTP/1.1 100 Continue\r\n\r\n");
    talk("ok", "POST /e ok");
    /* Who sends the body at once is not told to go on. */
    buf_clear(&got);
    text =
        talk("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nOK",
             "POST /e OK");
    ck_assert_ptr_null(strstr(text, "100 Continue"));
}
END_TEST

START_TEST(handler_hears_when_the_peer_goes)
{
    begin(&(struct http1_options){0});
    send_text(GET("/hold"));
    while (!held)
        run();
    net_stream_free(client);
    client = NULL;
    while (closes == 0)
        run();
    ck_assert_uint_eq(http1_server_connections(server), 0);
}
END_TEST

START_TEST(request_survives_the_server)
{
    begin(&(struct http1_options){0});
    send_text(GET("/hold"));
    while (!held)
        run();
    http1_request_on_close(held, NULL, NULL);
    http1_server_free(server);
    server = NULL;
    ck_assert_str_eq(held->path, "/hold");
    ck_assert(!http1_stream_begin(held, 200, NULL, 0));
    ck_assert(!http1_stream_write(held, "x", 1));
    ck_assert(!http1_stream_writable(held));
    http1_stream_end(held);
}
END_TEST

START_TEST(slow_heads_and_bodies_time_out)
{
    const char *text;

    begin(&(struct http1_options){
        .header_timeout_ms = 50, .body_window_ms = 50, .idle_timeout_ms = 50});
    text = talk("GET / HT", NULL);
    check_has(text, "HTTP/1.1 408 Request Timeout\r\n");
    connect_client();
    text = talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", NULL);
    check_has(text, "HTTP/1.1 408 Request Timeout\r\n");
    connect_client();
    ck_assert_str_eq(talk(NULL, NULL), ""); /* nothing asked, nothing answered */
    connect_client();
    text = talk(GET("/x"), NULL); /* kept open, then idle */
    check_has(text, "GET /x ");
    ck_assert_ptr_null(strstr(text, "408"));
}
END_TEST

static void hold_stream(void)
{
    send_text(GET("/hold"));
    while (!held)
        run();
    http1_request_on_close(held, on_close_request, NULL);
    ck_assert(http1_stream_begin(held, 200, NULL, 0));
}

static void on_close_stream(struct http1_request *request, void *userdata)
{
    closes++;
    http1_stream_end(request);
    held = NULL;
    loop_stop(loop);
}

START_TEST(peer_that_does_not_read_is_cut_off)
{
    static char block[1 << 20];

    begin(&(struct http1_options){.write_stall_ms = 50});
    hold_stream();
    http1_request_on_close(held, on_close_stream, NULL);
    net_stream_pause(client, true);
    ck_assert(http1_stream_write(held, block, sizeof(block)));
    ck_assert(http1_stream_write(held, block, sizeof(block)));
    ck_assert(!http1_stream_writable(held));
    while (closes == 0)
        run();
}
END_TEST

START_TEST(full_buffer_cuts_the_connection_and_says_so)
{
    static char block[1 << 20];
    unsigned n = 0;

    begin(&(struct http1_options){0});
    hold_stream();
    http1_request_on_close(held, on_close_stream, NULL);
    net_stream_pause(client, true);
    while (n < 64 && http1_stream_write(held, block, sizeof(block)))
        n++;
    ck_assert_uint_lt(n, 64);
    ck_assert_uint_eq(closes, 0);
    ck_assert_uint_eq(http1_server_connections(server), 0);
    http1_stream_end(held);
}
END_TEST

START_TEST(drained_buffer_is_told)
{
    static char block[2 << 20];

    begin(&(struct http1_options){0});
    hold_stream();
    http1_stream_on_drain(held, on_drain_request, NULL);
    ck_assert(http1_stream_write(held, block, sizeof(block)));
    ck_assert(!http1_stream_writable(held));
    while (drains == 0)
        run();
    ck_assert(http1_stream_writable(held));
    http1_stream_end(held);
}
END_TEST

static bool drained;
static void on_drained(void *userdata)
{
    drained = true;
    loop_stop(loop);
}

START_TEST(drain_waits_for_open_requests_and_closes_the_rest)
{
    const char *text;

    drained = false;
    begin(&(struct http1_options){0});
    send_text(GET("/hold"));
    while (!held)
        run();
    http1_server_drain(server, on_drained, NULL);
    ck_assert(!drained);
    http1_respond(held, 200, NULL, 0, slice_of("last words"));
    text = talk(NULL, NULL);
    check_has(text, "Connection: close\r\n\r\nlast words");
    while (!drained)
        run();
}
END_TEST

static struct net_stream *h2_stream;
static struct buf h2_bytes;
static void h2_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    buf_put(&h2_bytes, bytes.data, bytes.len);
    loop_stop(loop);
}

static void h2_close(struct net_stream *stream, enum status status, const char *why, void *userdata)
{
}

static void on_h2(struct net_stream *stream, struct slice bytes, void *userdata)
{
    static const struct net_callbacks CALLBACKS = {h2_read, h2_close, NULL};

    h2_stream = stream;
    buf_put(&h2_bytes, bytes.data, bytes.len);
    net_stream_start(stream, &CALLBACKS, NULL);
    loop_stop(loop);
}

START_TEST(http2_preface_is_handed_over)
{
    buf_init(&h2_bytes, 1000);
    h2_stream = NULL;
    begin(&(struct http1_options){.on_h2_preface = on_h2});
    send_text("PRI * HTTP/2.0\r\n");
    loop_timer_start(give_up, 20, 0); /* let the first piece arrive alone */
    loop_run(loop);
    timed_out = false;
    ck_assert_ptr_null(h2_stream);
    send_text("\r\nSM\r\n\r\nframes");
    while (!h2_stream)
        run();
    ck_assert_str_eq(buf_cstr(&h2_bytes), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes");
    ck_assert_uint_eq(http1_server_connections(server), 0);
    send_text("more");
    while (h2_bytes.len < 34)
        run();
    net_stream_free(h2_stream);
    buf_fini(&h2_bytes);
}
END_TEST

START_TEST(http2_without_taker_is_refused)
{
    begin(&(struct http1_options){0});
    check_has(talk("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL), "HTTP/1.1 400 Bad Request\r\n");
}
END_TEST

START_TEST(connections_past_the_maximum_are_closed)
{
    struct net_stream *first;

    begin(&(struct http1_options){.connections_max = 1});
    talk(GET("/x"), "GET /x ");
    first = client;
    connect_client();
    while (!client_closed)
        run();
    ck_assert_uint_eq(http1_server_connections(server), 1);
    client = first;
}
END_TEST

TCase *server_case(void)
{
    TCase *tc = tcase_create("server");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, requests_are_answered_and_the_connection_kept);
    tcase_add_test(tc, pipelined_requests_are_answered_in_order);
    tcase_add_test(tc, head_has_the_length_and_no_body);
    tcase_add_test(tc, streams_are_chunked_and_end);
    tcase_add_test(tc, aborted_stream_has_no_end);
    tcase_add_test(tc, injected_header_becomes_a_500);
    tcase_add_test(tc, refusals_are_answered_and_close);
    tcase_add_test(tc, large_refused_body_does_not_lose_the_answer);
    tcase_add_test(tc, expectation_gets_100_then_the_answer);
    tcase_add_test(tc, handler_hears_when_the_peer_goes);
    tcase_add_test(tc, request_survives_the_server);
    tcase_add_test(tc, slow_heads_and_bodies_time_out);
    tcase_add_test(tc, peer_that_does_not_read_is_cut_off);
    tcase_add_test(tc, full_buffer_cuts_the_connection_and_says_so);
    tcase_add_test(tc, drained_buffer_is_told);
    tcase_add_test(tc, drain_waits_for_open_requests_and_closes_the_rest);
    tcase_add_test(tc, http2_preface_is_handed_over);
    tcase_add_test(tc, http2_without_taker_is_refused);
    tcase_add_test(tc, connections_past_the_maximum_are_closed);
    return tc;
}
