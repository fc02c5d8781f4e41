/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include "h2/h2.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define BODY_BYTES (3u << 20) /* several windows and frames */

/* A server that answers each request with a body, and a client or a raw stream against it. */
struct fixture {
    struct loop *loop;
    struct loop_timer *guard;
    struct net_listener *listener;
    struct net_stream *raw;
    struct h2_conn *server, *client;
    struct h2_stream request, response;
    struct h2_options server_options;
    size_t body_bytes, received, headers_seen, opened, closed, lost, raw_received;
    uint32_t error_code;
    char lost_why[96];
    size_t rounds; /* requests that follow each other, with a PING between them */
    bool ready, stop_on_lost, answer_late;
    struct slice raw_send;
};

static void guard_cb(void *userdata)
{
    ck_abort_msg("the test took too long");
}

static struct h2_stream *server_open(struct h2_conn *conn, void *userdata)
{
    struct fixture *f = userdata;

    f->opened++;
    return &f->response;
}

static struct fixture *of(struct h2_stream *stream)
{
    return h2_userdata(stream->conn);
}

static void server_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    of(stream)->headers_seen++;
}

static void server_headers(struct h2_stream *stream, enum h2_block block)
{
    static const struct h2_header headers[] = {{SLICE(":status"), SLICE("200")}};
    static const struct h2_header trailers[] = {{SLICE("x-end"), SLICE("yes")}};
    struct fixture *f = of(stream);

    if (block != H2_REQUEST || f->answer_late)
        return;
    h2_respond(stream, headers, 1, false);
    void *room = h2_stream_reserve(stream, f->body_bytes);
    memset(room, 'x', f->body_bytes);
    h2_stream_commit(stream, f->body_bytes);
    h2_stream_end(stream, trailers, 1);
}

static void ignore_data(struct h2_stream *stream, struct slice bytes)
{
    of(stream)->received += bytes.len;
    h2_consume(stream, bytes.len);
}

static void ignore_end(struct h2_stream *stream)
{
}

static void server_closed(struct h2_stream *stream, uint32_t error_code)
{
    h2_stream_fini(stream);
    h2_stream_init(stream);
}

static void server_lost(struct h2_conn *conn, const char *why, void *userdata)
{
    struct fixture *f = userdata;

    f->lost++;
    snprintf(f->lost_why, sizeof f->lost_why, "%s", why);
    h2_free(conn);
    f->server = NULL;
    if (f->stop_on_lost)
        loop_stop(f->loop);
}

static const struct h2_handlers server_handlers = {
    .on_open = server_open,
    .on_header = server_header,
    .on_headers = server_headers,
    .on_data = ignore_data,
    .on_end = ignore_end,
    .on_closed = server_closed,
    .on_lost = server_lost,
};

static void on_accept(struct net_stream *stream, void *userdata)
{
    struct fixture *f = userdata;

    f->server = h2_server_new(f->loop, stream, &f->server_options, &server_handlers, f);
}

static void client_ready(struct h2_conn *conn, void *userdata)
{
    static const struct h2_header headers[] = {{SLICE(":method"), SLICE("GET")},
                                               {SLICE(":scheme"), SLICE("http")},
                                               {SLICE(":authority"), SLICE("test")},
                                               {SLICE(":path"), SLICE("/")}};
    struct fixture *f = userdata;

    f->ready = true;
    ck_assert(h2_request(conn, &f->request, headers, ARRAY_LEN(headers)));
    h2_stream_end(&f->request, NULL, 0);
}

static void next_round(void *userdata)
{
    struct fixture *f = userdata;

    if (!f->client)
        return;
    h2_ping(f->client);
    client_ready(f->client, f);
}

static void client_closed(struct h2_stream *stream, uint32_t error_code)
{
    struct fixture *f = CONTAINER_OF(stream, struct fixture, request);

    f->closed++;
    f->error_code = error_code;
    h2_stream_fini(stream);
    h2_stream_init(stream);
    if (f->closed < f->rounds && error_code == H2_NO_ERROR)
        loop_defer(f->loop, next_round, f);
    else
        loop_stop(f->loop);
}

static void client_headers(struct h2_stream *stream, enum h2_block block)
{
}

static void client_lost(struct h2_conn *conn, const char *why, void *userdata)
{
    struct fixture *f = userdata;

    h2_free(conn);
    f->client = NULL;
}

static void client_connected(struct net_stream *stream, enum status status, const char *why,
                             void *userdata)
{
    static const struct h2_handlers handlers = {
        .on_header = server_header,
        .on_headers = client_headers,
        .on_data = ignore_data,
        .on_end = ignore_end,
        .on_closed = client_closed,
        .on_lost = client_lost,
        .on_ready = client_ready,
    };
    static const struct h2_options options = {0};
    struct fixture *f = userdata;

    ck_assert_int_eq(status, STATUS_OK);
    f->client = h2_client_new(f->loop, stream, &options, &handlers, f);
}

static void raw_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct fixture *f = userdata;

    f->raw_received += bytes.len;
}

static void raw_close(struct net_stream *stream, enum status status, const char *why,
                      void *userdata)
{
    struct fixture *f = userdata;

    net_stream_free(stream);
    f->raw = NULL;
}

static void raw_connected(struct net_stream *stream, enum status status, const char *why,
                          void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = raw_read, .on_close = raw_close};
    struct fixture *f = userdata;

    ck_assert_int_eq(status, STATUS_OK);
    net_stream_start(stream, &callbacks, f);
    ck_assert_int_eq(net_stream_write(stream, f->raw_send.data, f->raw_send.len), STATUS_OK);
}

static void begin(struct fixture *f)
{
    struct error err = {0};

    f->loop = loop_new();
    f->guard = loop_timer_new(f->loop, guard_cb, f);
    loop_timer_start(f->guard, 10000, 0);
    h2_stream_init(&f->request);
    h2_stream_init(&f->response);
    f->listener = net_listen(f->loop, "127.0.0.1:0", NULL, 10, on_accept, f, &err);
    ck_assert_ptr_nonnull(f->listener);
}

static void finish(struct fixture *f)
{
    h2_free(f->client);
    h2_free(f->server);
    net_stream_free(f->raw);
    net_listener_free(f->listener);
    h2_stream_fini(&f->response);
    loop_timer_free(f->guard);
    loop_free(f->loop);
}

START_TEST(a_body_larger_than_the_windows_arrives_whole)
{
    struct fixture f = {.body_bytes = BODY_BYTES};

    begin(&f);
    net_connect(f.loop, net_listener_address(f.listener),
                &(struct net_connect_options){.timeout_ms = 1000}, client_connected, &f);
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, BODY_BYTES);
    ck_assert_uint_eq(f.closed, 1);
    ck_assert_uint_eq(f.error_code, H2_NO_ERROR);
    ck_assert_uint_eq(f.headers_seen, 4 + 1 + 1);
    finish(&f);
}
END_TEST

START_TEST(freeing_the_server_ends_the_clients_stream)
{
    struct fixture f = {.answer_late = true};
    struct loop_timer *stop;

    begin(&f);
    stop = loop_timer_new(f.loop, (void (*)(void *))loop_stop, f.loop);
    loop_timer_start(stop, 100, 0);
    net_connect(f.loop, net_listener_address(f.listener),
                &(struct net_connect_options){.timeout_ms = 1000}, client_connected, &f);
    loop_run(f.loop);
    ck_assert_uint_eq(f.opened, 1);
    h2_free(f.server);
    f.server = NULL;
    loop_run(f.loop);
    ck_assert_uint_eq(f.closed, 1);
    ck_assert_uint_eq(f.error_code, H2_CONNECTION_LOST);
    loop_timer_free(stop);
    finish(&f);
}
END_TEST

static void send_raw(struct fixture *f, struct slice bytes)
{
    begin(f);
    f->stop_on_lost = true;
    f->raw_send = bytes;
    f->raw = net_connect(f->loop, net_listener_address(f->listener),
                         &(struct net_connect_options){.timeout_ms = 1000}, raw_connected, f);
    loop_run(f->loop);
}

START_TEST(garbage_is_cut_off)
{
    struct fixture f = {0};

    send_raw(&f, SLICE("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    ck_assert_uint_eq(f.lost, 1);
    ck_assert_uint_eq(f.opened, 0);
    finish(&f);
}
END_TEST

START_TEST(half_a_preface_times_out)
{
    struct fixture f = {.server_options = {.preface_timeout_ms = 50}};

    send_raw(&f, SLICE("PRI * HTTP/2.0\r\n"));
    ck_assert_str_eq(f.lost_why, "no HTTP/2 preface in time");
    finish(&f);
}
END_TEST

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_BYTES 24

static char *flood(const char *frame, size_t frame_bytes, size_t n, size_t *ret_len)
{
    static const char settings[] = "\0\0\0\4\0\0\0\0\0";
    size_t head = PREFACE_BYTES + 9;
    char *out = mem_alloc(head + frame_bytes * n);

    memcpy(out, PREFACE, PREFACE_BYTES);
    memcpy(out + PREFACE_BYTES, settings, 9);
    for (size_t i = 0; i < n; i++)
        memcpy(out + head + i * frame_bytes, frame, frame_bytes);
    *ret_len = head + frame_bytes * n;
    return out;
}

static void flood_is_cut_off(const char *frame, size_t frame_bytes)
{
    struct fixture f = {0};
    size_t len;
    char *bytes = flood(frame, frame_bytes, 200000, &len);

    send_raw(&f, (struct slice){bytes, len});
    ck_assert_uint_eq(f.lost, 1);
    finish(&f);
    free(bytes);
}

START_TEST(ping_flood_is_cut_off)
{
    flood_is_cut_off("\0\0\10\6\0\0\0\0\0abcdefgh", 17);
}
END_TEST

/* As a client does that measures the bandwidth; more of them than a flood may have. */
START_TEST(pings_beside_answers_are_no_flood)
{
    struct fixture f = {.rounds = 5000, .body_bytes = 100};

    begin(&f);
    net_connect(f.loop, net_listener_address(f.listener),
                &(struct net_connect_options){.timeout_ms = 1000}, client_connected, &f);
    loop_run(f.loop);
    ck_assert_uint_eq(f.error_code, H2_NO_ERROR);
    ck_assert_uint_eq(f.closed, f.rounds);
    ck_assert_uint_eq(f.lost, 0);
    finish(&f);
}
END_TEST

START_TEST(settings_flood_is_cut_off)
{
    flood_is_cut_off("\0\0\0\4\0\0\0\0\0", 9);
}
END_TEST

START_TEST(priority_flood_is_cut_off)
{
    flood_is_cut_off("\0\0\5\2\0\0\0\0\1\0\0\0\3\1", 14);
}
END_TEST

/* POST / with literal headers, stream 1. */
#define POST_HEADERS                                                                               \
    "\0\0\63\1\4\0\0\0\1"                                                                          \
    "\0\7:method\4POST\0\7:scheme\4http\0\5:path\1/\0\12:authority\1x"

START_TEST(padding_is_not_data)
{
    static const char settings[] = "\0\0\0\4\0\0\0\0\0";
    static const char headers[] = POST_HEADERS;
    static const char data[] = "\0\0\12\0\11\0\0\0\1\4hello\0\0\0\0";
    struct fixture f = {.answer_late = true};
    struct loop_timer *stop;
    char bytes[256];
    size_t n = 0;

    memcpy(bytes, PREFACE, PREFACE_BYTES);
    memcpy(bytes + PREFACE_BYTES, settings, 9);
    n = PREFACE_BYTES + 9;
    memcpy(bytes + n, headers, sizeof headers - 1);
    n += sizeof headers - 1;
    memcpy(bytes + n, data, sizeof data - 1);
    n += sizeof data - 1;
    begin(&f);
    f.raw_send = (struct slice){bytes, n};
    f.raw = net_connect(f.loop, net_listener_address(f.listener),
                        &(struct net_connect_options){.timeout_ms = 1000}, raw_connected, &f);
    stop = loop_timer_new(f.loop, (void (*)(void *))loop_stop, f.loop);
    loop_timer_start(stop, 100, 0);
    loop_run(f.loop);
    ck_assert_uint_eq(f.opened, 1);
    ck_assert_uint_eq(f.received, 5);
    ck_assert_uint_eq(f.lost, 0);
    loop_timer_free(stop);
    finish(&f);
}
END_TEST

START_TEST(empty_data_flood_is_cut_off)
{
    static const char headers[] = POST_HEADERS;
    static const char empty[] = "\0\0\0\0\0\0\0\0\1";
    struct fixture f = {.answer_late = true};
    size_t len;
    char *bytes = flood(empty, 9, 100000, &len);
    char *all = mem_alloc(len + sizeof headers);

    memcpy(all, bytes, PREFACE_BYTES + 9);
    memcpy(all + PREFACE_BYTES + 9, headers, sizeof headers - 1);
    memcpy(all + PREFACE_BYTES + 9 + sizeof headers - 1, bytes + PREFACE_BYTES + 9,
           len - PREFACE_BYTES - 9);
    send_raw(&f, (struct slice){all, len + sizeof headers - 1});
    ck_assert_uint_eq(f.opened, 1);
    ck_assert_uint_eq(f.lost, 1);
    finish(&f);
    free(bytes);
    free(all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h2");
    TCase *tc = tcase_create("h2");
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, a_body_larger_than_the_windows_arrives_whole);
    tcase_add_test(tc, freeing_the_server_ends_the_clients_stream);
    tcase_add_test(tc, garbage_is_cut_off);
    tcase_add_test(tc, half_a_preface_times_out);
    tcase_add_test(tc, ping_flood_is_cut_off);
    tcase_add_test(tc, pings_beside_answers_are_no_flood);
    tcase_add_test(tc, settings_flood_is_cut_off);
    tcase_add_test(tc, priority_flood_is_cut_off);
    tcase_add_test(tc, padding_is_not_data);
    tcase_add_test(tc, empty_data_flood_is_cut_off);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
