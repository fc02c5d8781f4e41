/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as RFC 9113 section 8 wants them and as it does not, by an nghttp2 client whose own
 * checks are off. Each goes twice over one connection, since verdicts on fields are remembered.
 */
#include <check.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../../lib/net/internal.h"
#include "h2/h2.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define GUARD_MS 20000
#define FIELDS_MAX 9

struct field {
    const char *name, *value;
};
enum outcome { ANSWERED, REFUSED };
struct request {
    const char *what;
    enum outcome outcome;
    struct field fields[FIELDS_MAX];
    const char *body;     /* NULL = none */
    size_t left_out;      /* fields that are not shown */
    struct field trailer; /* when it has a name */
    bool trailer_open;    /* without END_STREAM */
};
#define LINE                                                                                       \
    {":method", "POST"}, {":scheme", "http"}, {":path", "/a"},                                     \
    {                                                                                              \
        ":authority", "b"                                                                          \
    }

static const struct request requests[] = {
    {.what = "plain", .outcome = ANSWERED, .fields = {LINE, {"x", "y"}}},
    {.what = "host instead of :authority",
     .outcome = ANSWERED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/a"}, {"host", "b"}}},
    {.what = "OPTIONS *",
     .outcome = ANSWERED,
     .fields = {{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}, {":authority", "b"}}},
    {.what = "a scheme of its own may have any path",
     .outcome = ANSWERED,
     .fields = {{":method", "GET"}, {":scheme", "x+1"}, {":path", "a"}, {":authority", "b"}}},
    {.what = "CONNECT",
     .outcome = ANSWERED,
     .fields = {{":method", "CONNECT"}, {":authority", "b:1"}}},
    {.what = "te: trailers", .outcome = ANSWERED, .fields = {LINE, {"te", "Trailers"}}},
    {.what = "content-length as the body",
     .outcome = ANSWERED,
     .fields = {LINE, {"content-length", "3"}},
     .body = "abc"},
    {.what = "content-length 0", .outcome = ANSWERED, .fields = {LINE, {"content-length", "0"}}},
    {.what = "trailers",
     .outcome = ANSWERED,
     .fields = {LINE},
     .body = "abc",
     .trailer = {"x", "y"}},
    {.what = "bytes out of place in a value",
     .outcome = ANSWERED,
     .fields = {LINE,
                {"x", "a\x01"
                      "b"},
                {"y", "z"}},
     .left_out = 1},
    {.what = "a value that begins with a blank",
     .outcome = ANSWERED,
     .fields = {LINE, {"x", " y"}},
     .left_out = 1},
    {.what = "no :method",
     .outcome = REFUSED,
     .fields = {{":scheme", "http"}, {":path", "/a"}, {":authority", "b"}}},
    {.what = "no :scheme",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":path", "/a"}, {":authority", "b"}}},
    {.what = "no :path",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":authority", "b"}}},
    {.what = "neither :authority nor host",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}}},
    {.what = "an empty :path",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":path", ""}, {":authority", "b"}}},
    {.what = "a :path without /",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "a"}, {":authority", "b"}}},
    {.what = "* but not OPTIONS",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "HTTPS"}, {":path", "*"}, {":authority", "b"}}},
    {.what = "a blank in :path",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/a b"}, {":authority", "c"}}},
    {.what = "a bad :method",
     .outcome = REFUSED,
     .fields = {{":method", "P ST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "b"}}},
    {.what = "a bad :scheme",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "1x"}, {":path", "/"}, {":authority", "b"}}},
    {.what = "a bad :authority",
     .outcome = REFUSED,
     .fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "b c"}}},
    {.what = "CONNECT with :path",
     .outcome = REFUSED,
     .fields = {{":method", "CONNECT"}, {":path", "/"}, {":authority", "b"}}},
    {.what = "CONNECT without :authority", .outcome = REFUSED, .fields = {{":method", "CONNECT"}}},
    {.what = "an unknown pseudo field", .outcome = REFUSED, .fields = {LINE, {":x", "y"}}},
    {.what = "a pseudo field of answers", .outcome = REFUSED, .fields = {LINE, {":status", "200"}}},
    {.what = ":protocol, which nobody offered",
     .outcome = REFUSED,
     .fields = {LINE, {":protocol", "websocket"}}},
    {.what = "a pseudo field twice", .outcome = REFUSED, .fields = {LINE, {":path", "/a"}}},
    {.what = "a pseudo field behind others",
     .outcome = REFUSED,
     .fields = {{":method", "POST"},
                {":scheme", "http"},
                {":path", "/a"},
                {"x", "y"},
                {":authority", "b"}}},
    {.what = "a pseudo field behind one that is left out",
     .outcome = REFUSED,
     .fields = {{":method", "POST"},
                {":scheme", "http"},
                {":path", "/a"},
                {"x", "\x01"},
                {":authority", "b"}}},
    {.what = "host twice", .outcome = REFUSED, .fields = {LINE, {"host", "b"}, {"host", "b"}}},
    {.what = "a blank in a name", .outcome = REFUSED, .fields = {LINE, {"x y", "z"}}},
    {.what = "an empty name", .outcome = REFUSED, .fields = {LINE, {"", "z"}}},
    {.what = "a line break in a value", .outcome = REFUSED, .fields = {LINE, {"x", "y\r\nz: 1"}}},
    {.what = "connection", .outcome = REFUSED, .fields = {LINE, {"connection", "close"}}},
    {.what = "keep-alive", .outcome = REFUSED, .fields = {LINE, {"keep-alive", "1"}}},
    {.what = "proxy-connection",
     .outcome = REFUSED,
     .fields = {LINE, {"proxy-connection", "close"}}},
    {.what = "transfer-encoding",
     .outcome = REFUSED,
     .fields = {LINE, {"transfer-encoding", "chunked"}}},
    {.what = "upgrade", .outcome = REFUSED, .fields = {LINE, {"upgrade", "h2c"}}},
    {.what = "te other than trailers", .outcome = REFUSED, .fields = {LINE, {"te", "gzip"}}},
    {.what = "content-length that is no number",
     .outcome = REFUSED,
     .fields = {LINE, {"content-length", "1a"}},
     .body = "abc"},
    {.what = "content-length beyond numbers",
     .outcome = REFUSED,
     .fields = {LINE, {"content-length", "99999999999999999999"}},
     .body = "abc"},
    {.what = "content-length twice",
     .outcome = REFUSED,
     .fields = {LINE, {"content-length", "3"}, {"content-length", "3"}},
     .body = "abc"},
    {.what = "more body than content-length",
     .outcome = REFUSED,
     .fields = {LINE, {"content-length", "2"}},
     .body = "abc"},
    {.what = "less body than content-length",
     .outcome = REFUSED,
     .fields = {LINE, {"content-length", "4"}},
     .body = "abc"},
    {.what = "no body where content-length has one",
     .outcome = REFUSED,
     .fields = {LINE, {"content-length", "4"}}},
    {.what = "a pseudo field in trailers",
     .outcome = REFUSED,
     .fields = {LINE},
     .body = "abc",
     .trailer = {":path", "/"}},
    {.what = "trailers that do not end the request",
     .outcome = REFUSED,
     .fields = {LINE},
     .body = "abc",
     .trailer = {"x", "y"},
     .trailer_open = true},
};

struct fixture {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_fd *watch;
    struct h2_conn *server;
    nghttp2_session *client;
    int fd;
    const struct request *request;
    size_t body_at, shown, blocks;
    bool over;
    enum outcome outcome;
    struct h2_stream stream;
};

static struct fixture *of(struct h2_stream *stream)
{
    return h2_userdata(stream->conn);
}

static struct h2_stream *server_open(struct h2_conn *conn, void *userdata)
{
    struct fixture *f = userdata;

    h2_stream_fini(&f->stream);
    h2_stream_init(&f->stream);
    return &f->stream;
}

static void server_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    of(stream)->shown++;
}

static void server_headers(struct h2_stream *stream, enum h2_block block)
{
    of(stream)->blocks++;
}

static void server_data(struct h2_stream *stream, struct slice bytes)
{
}

static void server_end(struct h2_stream *stream)
{
    static const struct h2_header headers[] = {{SLICE(":status"), SLICE("200")}};

    h2_respond(stream, headers, 1, true);
}

static void server_closed(struct h2_stream *stream, uint32_t error_code)
{
}

static void server_lost(struct h2_conn *conn, const char *why, void *userdata)
{
    ck_abort_msg("the connection was lost: %s", why);
}

/* ---- the client ---- */
static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct fixture *f = userdata;

    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        ck_assert_uint_eq(frame->rst_stream.error_code, NGHTTP2_PROTOCOL_ERROR);
        f->outcome = REFUSED;
        f->over = true;
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
        f->outcome = ANSWERED;
        f->over = true;
    }
    return 0;
}

static void client_flush(struct fixture *f)
{
    const uint8_t *bytes;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(f->client, &bytes)) > 0)
        ck_assert_int_eq(write(f->fd, bytes, (size_t)n), n);
}

static void client_readable(int events, void *userdata)
{
    struct fixture *f = userdata;
    uint8_t bytes[4096];
    ssize_t n = read(f->fd, bytes, sizeof bytes);

    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(nghttp2_session_mem_recv(f->client, bytes, (size_t)n), n);
    client_flush(f);
    if (f->over)
        loop_stop(f->loop);
}

static nghttp2_nv nv_of(struct field field)
{
    return (nghttp2_nv){(uint8_t *)field.name, (uint8_t *)field.value, strlen(field.name),
                        strlen(field.value), 0};
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    struct fixture *f = userdata;
    const struct request *request = f->request;
    size_t len = strlen(request->body);

    memcpy(out, request->body, len);
    *flags = NGHTTP2_DATA_FLAG_EOF;
    if (request->trailer.name) {
        nghttp2_nv nv = nv_of(request->trailer);
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_headers(session, request->trailer_open ? 0 : NGHTTP2_FLAG_END_STREAM, id,
                               NULL, &nv, 1, NULL);
    }
    return (ssize_t)len;
}

static void client_request(struct fixture *f)
{
    nghttp2_data_provider body = {.read_callback = read_body};
    nghttp2_nv nv[FIELDS_MAX];
    size_t n = 0;

    for (; n < FIELDS_MAX && f->request->fields[n].name; n++)
        nv[n] = nv_of(f->request->fields[n]);
    f->shown = f->blocks = 0;
    f->over = false;
    ck_assert_int_gt(
        nghttp2_submit_request(f->client, NULL, nv, n, f->request->body ? &body : NULL, NULL), 0);
    client_flush(f);
    loop_run(f->loop);
    ck_assert_msg(f->outcome == f->request->outcome, "%s: %s", f->request->what,
                  f->outcome == ANSWERED ? "answered" : "refused");
    if (f->outcome == ANSWERED)
        ck_assert_msg(f->shown == n - f->request->left_out + (f->request->trailer.name != NULL),
                      "%s: %zu fields shown", f->request->what, f->shown);
}

static void guard_cb(void *userdata)
{
    ck_abort_msg("%s: no answer", ((struct fixture *)userdata)->request->what);
}

static void client_make(struct fixture *f)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    ck_assert_int_eq(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
    ck_assert_int_eq(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_http_messaging(option, 1);
    ck_assert_int_eq(nghttp2_session_client_new2(&f->client, callbacks, f, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(f->client, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void start(struct fixture *f)
{
    static const struct h2_handlers handlers = {
        .on_open = server_open,
        .on_header = server_header,
        .on_headers = server_headers,
        .on_data = server_data,
        .on_end = server_end,
        .on_closed = server_closed,
        .on_lost = server_lost,
    };
    int ends[2];

    f->loop = loop_new();
    f->guard = loop_timer_new(f->loop, guard_cb, f);
    loop_timer_start(f->guard, GUARD_MS, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    f->fd = ends[1];
    f->watch = loop_fd_new(f->loop, f->fd, client_readable, f);
    loop_fd_watch(f->watch, LOOP_READABLE);
    h2_stream_init(&f->stream);
    f->server = h2_server_new(f->loop, net__stream_new(f->loop, ends[0], NULL),
                              &(struct h2_options){0}, &handlers, f);
    client_make(f);
}

static void stop(struct fixture *f)
{
    h2_free(f->server);
    h2_stream_fini(&f->stream);
    nghttp2_session_del(f->client);
    loop_fd_free(f->watch);
    loop_timer_free(f->guard);
    loop_free(f->loop);
    close(f->fd);
}

START_TEST(requests_are_answered_or_refused_as_rfc_9113_says)
{
    struct fixture f = {.request = &requests[_i]};

    start(&f);
    client_request(&f);
    client_request(&f);
    stop(&f);
}
END_TEST

/* What is remembered of a field with this name must not decide about another value. */
START_TEST(one_connection_may_send_good_and_bad_requests)
{
    struct fixture f = {.request = requests};

    start(&f);
    for (; f.request < requests + ARRAY_LEN(requests); f.request++)
        client_request(&f);
    stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h2_fields");
    TCase *tc = tcase_create("fields");

    tcase_add_loop_test(tc, requests_are_answered_or_refused_as_rfc_9113_says, 0,
                        (int)ARRAY_LEN(requests));
    tcase_add_test(tc, one_connection_may_send_good_and_bad_requests);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
