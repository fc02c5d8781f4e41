/* SPDX-License-Identifier: Apache-2.0 */
/* What no client library sends: requests written by hand over an HTTP/2 client. */
#include <stdio.h>
#include <stdlib.h>
#include "suites.h"
#include "fixture.h"
#include "h2/h2.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define UNARY "/plankton.test.Echo/Unary"

struct raw {
    struct fixture f;
    struct h2_conn *conn;
    struct h2_stream stream;
    struct h2_header headers[12];
    size_t header_count;
    struct slice body;
    bool leave_open, byte_by_byte;
    struct loop_timer *drip;
    size_t sent;
    char status[8], grpc_status[8], grpc_message[256], accept_encoding[32];
    size_t body_bytes;
    bool ended, closed;
};

static void on_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    struct raw *raw = CONTAINER_OF(stream, struct raw, stream);
    static const struct {
        const char *name;
        size_t offset, bytes;
    } wanted[] = {
        {":status", offsetof(struct raw, status), sizeof raw->status},
        {"grpc-status", offsetof(struct raw, grpc_status), sizeof raw->grpc_status},
        {"grpc-message", offsetof(struct raw, grpc_message), sizeof raw->grpc_message},
        {"grpc-accept-encoding", offsetof(struct raw, accept_encoding),
         sizeof raw->accept_encoding},
    };

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (slice_is(name, wanted[i].name))
            snprintf((char *)raw + wanted[i].offset, wanted[i].bytes, "%.*s", (int)value.len,
                     value.data);
    }
}

static void on_headers(struct h2_stream *stream, enum h2_block block)
{
}

static void on_data(struct h2_stream *stream, struct slice bytes)
{
    CONTAINER_OF(stream, struct raw, stream)->body_bytes += bytes.len;
    h2_consume(stream, bytes.len);
}

static void on_end(struct h2_stream *stream)
{
    CONTAINER_OF(stream, struct raw, stream)->ended = true;
}

static void on_closed(struct h2_stream *stream, uint32_t error_code)
{
    struct raw *raw = CONTAINER_OF(stream, struct raw, stream);

    raw->closed = true;
    loop_stop(raw->f.loop);
}

static void on_lost(struct h2_conn *conn, const char *why, void *userdata)
{
    struct raw *raw = userdata;

    h2_free(conn);
    raw->conn = NULL;
}

static void put(struct raw *raw, const char *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(h2_stream_reserve(&raw->stream, len), data, len);
    h2_stream_commit(&raw->stream, len);
}

static void drip_cb(void *userdata)
{
    struct raw *raw = userdata;

    if (raw->sent == raw->body.len) {
        loop_timer_stop(raw->drip);
        h2_stream_end(&raw->stream, NULL, 0);
        return;
    }
    put(raw, raw->body.data + raw->sent++, 1);
}

static void on_ready(struct h2_conn *conn, void *userdata)
{
    struct raw *raw = userdata;

    ck_assert(h2_request(conn, &raw->stream, raw->headers, raw->header_count));
    if (raw->byte_by_byte) {
        raw->drip = loop_timer_new(raw->f.loop, drip_cb, raw);
        loop_timer_start(raw->drip, 0, 1);
        return;
    }
    put(raw, raw->body.data, raw->body.len);
    if (!raw->leave_open)
        h2_stream_end(&raw->stream, NULL, 0);
}

static void on_connect(struct net_stream *net, enum status status, const char *why, void *userdata)
{
    static const struct h2_options options = {.header_bytes_max = 1 << 20};
    static const struct h2_handlers handlers = {
        .on_header = on_header,
        .on_headers = on_headers,
        .on_data = on_data,
        .on_end = on_end,
        .on_closed = on_closed,
        .on_lost = on_lost,
        .on_ready = on_ready,
    };
    struct raw *raw = userdata;

    ck_assert_int_eq(status, STATUS_OK);
    raw->conn = h2_client_new(raw->f.loop, net, &options, &handlers, raw);
}

static void header(struct raw *raw, const char *name, const char *value)
{
    raw->headers[raw->header_count++] = (struct h2_header){slice_of(name), slice_of(value)};
}

static void request(struct raw *raw, const char *method, const char *path, const char *type)
{
    header(raw, ":method", method);
    header(raw, ":scheme", "http");
    header(raw, ":path", path);
    header(raw, ":authority", "test");
    if (type)
        header(raw, "content-type", type);
}

static void run(struct raw *raw)
{
    fixture_server(&raw->f, "127.0.0.1:0");
    h2_stream_init(&raw->stream);
    net_connect(raw->f.loop, raw->f.address, 1000, on_connect, raw);
    loop_run(raw->f.loop);
    ck_assert(raw->closed);
    /* Whatever it was, the server still serves. */
    struct outcome out;
    Plankton__Test__EchoRequest echo = PLANKTON__TEST__ECHO_REQUEST__INIT;
    raw->f.channel = rpc_channel_new(raw->f.loop, raw->f.address, NULL);
    unary(&raw->f, NULL, &echo, &out);
    fixture_wait(&raw->f);
    ck_assert_int_eq(out.status, STATUS_OK);
    loop_timer_free(raw->drip);
    h2_free(raw->conn);
    h2_stream_fini(&raw->stream);
    fixture_end(&raw->f);
}

#define EMPTY_MESSAGE SLICE("\0\0\0\0\0")

START_TEST(other_content_types_get_415)
{
    struct raw raw = {0};

    request(&raw, "POST", UNARY, "application/json");
    run(&raw);
    ck_assert_str_eq(raw.status, "415");
    ck_assert_uint_gt(raw.body_bytes, 0);
    ck_assert_str_eq(raw.grpc_status, "");
}
END_TEST

START_TEST(get_without_grpc_gets_404_and_with_it_405)
{
    struct raw plain = {0}, grpc = {0};

    request(&plain, "GET", "/", NULL);
    run(&plain);
    ck_assert_str_eq(plain.status, "404");
    request(&grpc, "GET", UNARY, "application/grpc");
    run(&grpc);
    ck_assert_str_eq(grpc.status, "405");
}
END_TEST

START_TEST(unknown_paths_are_unimplemented)
{
    static const char *const paths[] = {"/", "/x", "/plankton.test.Echo/unary",
                                        "/plankton.test.Echo/Unary/", "/plankton.test.echo/Unary"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct raw raw = {.body = EMPTY_MESSAGE};
        request(&raw, "POST", paths[i], "application/grpc");
        run(&raw);
        ck_assert_str_eq(raw.status, "200");
        ck_assert_str_eq(raw.grpc_status, "12");
    }
}
END_TEST

START_TEST(missing_te_is_no_obstacle)
{
    struct raw raw = {.body = EMPTY_MESSAGE};

    request(&raw, "POST", UNARY, "application/grpc+proto");
    run(&raw);
    ck_assert_str_eq(raw.grpc_status, "0");
}
END_TEST

START_TEST(a_message_may_come_byte_by_byte)
{
    struct raw raw = {.body = SLICE("\0\0\0\0\7\x0a\5hello"), .byte_by_byte = true};

    request(&raw, "POST", UNARY, "application/grpc");
    run(&raw);
    ck_assert_str_eq(raw.grpc_status, "0");
    ck_assert_uint_eq(raw.body_bytes, 5 + 7 + 2); /* text and number */
}
END_TEST

START_TEST(oversized_prefix_is_refused_at_once)
{
    struct raw raw = {.body = SLICE("\0\x7f\xff\xff\xff"), .leave_open = true};

    request(&raw, "POST", UNARY, "application/grpc");
    run(&raw);
    ck_assert_str_eq(raw.grpc_status, "8");
}
END_TEST

static void body_gives(struct slice body, const char *grpc_status)
{
    struct raw raw = {.body = body};

    request(&raw, "POST", UNARY, "application/grpc");
    run(&raw);
    ck_assert_str_eq(raw.status, "200");
    ck_assert_str_eq(raw.grpc_status, grpc_status);
}

START_TEST(wrong_bodies_get_their_status)
{
    body_gives(SLICE(""), "12");                     /* no message */
    body_gives(SLICE("\0\0\0\0\0\0\0\0\0\0"), "12"); /* two messages */
    body_gives(SLICE("\0\0\0\0\7\x0a\5he"), "13");   /* cut short */
    body_gives(SLICE("\0\0\0"), "13");               /* half a prefix */
    body_gives(SLICE("\1\0\0\0\1x"), "13");          /* compressed without encoding */
    body_gives(SLICE("\2\0\0\0\0"), "13");           /* unknown flag */
    body_gives(SLICE("\0\0\0\0\2\x0a\5"), "13");     /* malformed protobuf */
    body_gives(SLICE("\0\0\0\0\3\x0a\1\xff"), "13"); /* bad UTF-8 */
}
END_TEST

START_TEST(unknown_encodings_are_unimplemented_and_say_what_is)
{
    struct raw raw = {.body = EMPTY_MESSAGE};

    request(&raw, "POST", UNARY, "application/grpc");
    header(&raw, "grpc-encoding", "snappy");
    run(&raw);
    ck_assert_str_eq(raw.grpc_status, "12");
    ck_assert_str_eq(raw.accept_encoding, "identity,deflate,gzip");
    ck_assert_ptr_null(strstr(raw.grpc_message, "snappy"));
}
END_TEST

START_TEST(malformed_timeouts_are_answered)
{
    static const char *const texts[] = {"", "S", "12", "1x", "123456789S", "-1S"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct raw raw = {.body = EMPTY_MESSAGE};
        request(&raw, "POST", UNARY, "application/grpc");
        header(&raw, "grpc-timeout", texts[i]);
        run(&raw);
        ck_assert_str_eq(raw.grpc_status, "13");
    }
}
END_TEST

START_TEST(the_server_keeps_the_deadline_itself)
{
    struct raw raw = {.body = SLICE("\0\0\0\0\3\x20\xe0\x5d"), .leave_open = true};

    request(&raw, "POST", "/plankton.test.Echo/Bidi", "application/grpc");
    header(&raw, "grpc-timeout", "80m");
    run(&raw);
    ck_assert_str_eq(raw.grpc_status, "4");
    ck_assert_uint_eq(raw.f.service.expired, 1);
}
END_TEST

START_TEST(headers_over_the_limit_do_no_harm)
{
    struct raw raw = {.body = EMPTY_MESSAGE};
    char *large = mem_zalloc(40001);

    memset(large, 'a', 40000);
    request(&raw, "POST", UNARY, "application/grpc");
    header(&raw, "x-large", large);
    run(&raw);
    ck_assert_str_eq(raw.grpc_status, "");
    ck_assert_uint_eq(raw.f.service.calls, 1); /* the one after it */
    free(large);
}
END_TEST

TCase *raw_tests(void)
{
    TCase *tc = tcase_create("raw");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, other_content_types_get_415);
    tcase_add_test(tc, get_without_grpc_gets_404_and_with_it_405);
    tcase_add_test(tc, unknown_paths_are_unimplemented);
    tcase_add_test(tc, missing_te_is_no_obstacle);
    tcase_add_test(tc, a_message_may_come_byte_by_byte);
    tcase_add_test(tc, oversized_prefix_is_refused_at_once);
    tcase_add_test(tc, wrong_bodies_get_their_status);
    tcase_add_test(tc, unknown_encodings_are_unimplemented_and_say_what_is);
    tcase_add_test(tc, malformed_timeouts_are_answered);
    tcase_add_test(tc, the_server_keeps_the_deadline_itself);
    tcase_add_test(tc, headers_over_the_limit_do_no_harm);
    return tc;
}
