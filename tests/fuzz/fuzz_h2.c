/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/2 connection is fed arbitrary bytes over a socket pair, as server or (FUZZ_H2_CLIENT) as
 * client with requests under way. It must neither crash nor keep a stream or itself. The first byte
 * of the input says how the connection is set up and what its user does.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../lib/net/internal.h"
#include "h2/h2.h"

#ifndef FUZZ_H2_CLIENT
#define FUZZ_H2_CLIENT 0
#endif
#define INPUT_BYTES_MAX (32u << 10)
#define BODY_BYTES 5000
#define BODIES_MAX 70 /* above the high-water mark */
#define SLICE(text) ((struct slice){text, sizeof(text) - 1})

enum {
    BEHIND_PREFACE = 1,
    SMALL_LIMITS = 2,
    SMALL_WINDOWS = 4,
    HOLDS_INPUT = 8,
    LARGE_BODIES = 16,
    RESETS_ON_DATA = 32,
    SHUTS_DOWN = 64,
    DROPS_OUTPUT = 128
};

struct user {
    struct h2_stream stream;
    size_t held, bodies;
    bool answered;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static uint8_t mode;
static size_t streams;
static bool over;
static int far_end;

static struct user *user_of(struct h2_stream *stream)
{
    return CONTAINER_OF(stream, struct user, stream);
}

static struct user *user_new(void)
{
    struct user *user = mem_zalloc(sizeof *user);

    h2_stream_init(&user->stream);
    streams++;
    return user;
}

static struct h2_stream *on_open(struct h2_conn *conn, void *userdata)
{
    return &user_new()->stream;
}

static void send_body(struct user *user)
{
    while (user->bodies > 0 && h2_stream_writable(&user->stream)) {
        void *room = h2_stream_reserve(&user->stream, BODY_BYTES);
        if (!room)
            return;
        memset(room, 'b', BODY_BYTES);
        h2_stream_commit(&user->stream, BODY_BYTES);
        user->bodies--;
    }
}

static void answer(struct user *user)
{
    static const struct h2_header headers[] = {{SLICE(":status"), SLICE("200")},
                                               {SLICE("content-type"), SLICE("text/plain")}};
    static const struct h2_header trailers[] = {{SLICE("x-end"), SLICE("0")}};

    if (user->answered || FUZZ_H2_CLIENT)
        return;
    user->answered = true;
    user->bodies = mode & LARGE_BODIES ? BODIES_MAX : 1;
    h2_respond(&user->stream, headers, ARRAY_LEN(headers), false);
    send_body(user);
    if (mode & DROPS_OUTPUT)
        h2_stream_drop_output(&user->stream);
    h2_stream_end(&user->stream, trailers, user->stream.id % 4 == 1 ? 1 : 0);
}

static void on_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    /* A sanitizer sees whether all of them may be read. */
    user_of(stream)->held += name.len > 0 ? (unsigned char)name.data[name.len - 1] : 0;
    user_of(stream)->held += value.len > 0 ? (unsigned char)value.data[value.len - 1] : 0;
    h2_stream_hold(stream, user_of(stream)->held);
}

static void on_headers(struct h2_stream *stream, enum h2_block block)
{
    if (mode & SHUTS_DOWN)
        h2_shutdown(stream->conn, "over");
    if (block == H2_REQUEST && stream->id % 8 == 5)
        h2_stream_rst(stream, H2_CANCEL);
    else if (block == H2_REQUEST && stream->id % 8 == 1)
        answer(user_of(stream));
}

static void on_data(struct h2_stream *stream, struct slice bytes)
{
    struct user *user = user_of(stream);

    user->held += bytes.len;
    if (mode & RESETS_ON_DATA)
        h2_stream_rst(stream, H2_CANCEL);
    if (mode & HOLDS_INPUT)
        h2_stream_hold(stream, user->held);
    else
        h2_consume(stream, bytes.len);
}

static void on_end(struct h2_stream *stream)
{
    answer(user_of(stream));
}

static void on_writable(struct h2_stream *stream)
{
    send_body(user_of(stream));
}

static void on_closed(struct h2_stream *stream, uint32_t error_code)
{
    h2_stream_fini(stream);
    free(user_of(stream));
    streams--;
}

static void on_lost(struct h2_conn *conn, const char *why, void *userdata)
{
    h2_free(conn);
    over = true;
}

/* Client: two requests with bodies and one without. */
static void on_ready(struct h2_conn *conn, void *userdata)
{
    static const struct h2_header headers[] = {{SLICE(":method"), SLICE("POST")},
                                               {SLICE(":scheme"), SLICE("http")},
                                               {SLICE(":authority"), SLICE("test")},
                                               {SLICE(":path"), SLICE("/")}};

    for (size_t i = 0; FUZZ_H2_CLIENT && i < 3; i++) {
        struct user *user = user_new();
        if (!h2_request(conn, &user->stream, headers, ARRAY_LEN(headers))) {
            on_closed(&user->stream, H2_CANCEL);
            continue;
        }
        user->bodies = i == 1 && mode & LARGE_BODIES ? BODIES_MAX : i;
        send_body(user);
        if (i < 2)
            h2_stream_end(&user->stream, NULL, 0);
    }
}

/* Reads away what the connection sends, so that it never waits for us. */
static void check_over(void *userdata)
{
    static char sink[64 << 10];

    while (recv(far_end, sink, sizeof sink, MSG_DONTWAIT) > 0)
        continue;
    if (over)
        loop_stop(loop);
    else
        loop_defer(loop, check_over, NULL);
}

static void open_connection(struct net_stream *net)
{
    static const struct h2_handlers handlers = {
        .on_open = on_open,
        .on_header = on_header,
        .on_headers = on_headers,
        .on_data = on_data,
        .on_end = on_end,
        .on_writable = on_writable,
        .on_closed = on_closed,
        .on_lost = on_lost,
        .on_ready = on_ready,
    };
    struct h2_options options = {0};

    if (mode & SMALL_LIMITS)
        options = (struct h2_options){.streams_max = 4,
                                      .header_bytes_max = 256,
                                      .bytes_max = 16384,
                                      .ping_interval_min_ms = 1};
    if (mode & SMALL_WINDOWS)
        options.stream_window_bytes = options.connection_window_bytes = 70000;
    if (FUZZ_H2_CLIENT)
        h2_client_new(loop, net, &options, &handlers, NULL);
    else
        h2_server_new(loop, net, &options, &handlers, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const char settings[] = "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
    int ends[2];

    if (!loop)
        loop = loop_new();
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    mode = data[0];
    over = false;
    far_end = ends[1];
    open_connection(net__stream_new(loop, ends[0], NULL));
    if (mode & BEHIND_PREFACE &&
        ((!FUZZ_H2_CLIENT && write(far_end, preface, sizeof preface - 1) < 0) ||
         write(far_end, settings, sizeof settings - 1) < 0))
        abort();
    if (size > 1 && write(far_end, data + 1, size - 1) < 0)
        abort();
    shutdown(far_end, SHUT_WR);
    loop_defer(loop, check_over, NULL);
    loop_run(loop);
    close(far_end);
    if (streams != 0)
        abort();
    return 0;
}
