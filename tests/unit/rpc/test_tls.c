/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "certificates.h"
#include "fixture.h"
#include "h2/h2.h"
#include "net/tls.h"
#include "suites.h"

#define DAY_S 86400
#define SPIFFE "spiffe://plankton/worker/7"

struct ends {
    struct authority authority;
    struct certificate server, client;
    struct net_tls *server_tls, *client_tls;
};

static void ends_init(struct ends *ends, bool client_certificate)
{
    struct error err = {0};

    authority_init(&ends->authority, "authority");
    ends->server =
        certificate_write(&ends->authority, "server", "server", "DNS:localhost", -60, DAY_S);
    ends->client =
        certificate_write(&ends->authority, "client", "client", "URI:" SPIFFE, -60, DAY_S);
    ends->server_tls = net_tls_new(&(struct net_tls_options){.server = true,
                                                             .certificate_file = ends->server.file,
                                                             .key_file = ends->server.key_file,
                                                             .ca_file = ends->authority.file,
                                                             .require_peer_certificate = true},
                                   &err);
    ck_assert_msg(ends->server_tls != NULL, "%s", err.message);
    ends->client_tls = net_tls_new(
        &(struct net_tls_options){.certificate_file = client_certificate ? ends->client.file : NULL,
                                  .key_file = client_certificate ? ends->client.key_file : NULL,
                                  .ca_file = ends->authority.file},
        &err);
    ck_assert_msg(ends->client_tls != NULL, "%s", err.message);
}

static void ends_fini(struct ends *ends)
{
    net_tls_unref(ends->server_tls);
    net_tls_unref(ends->client_tls);
    authority_fini(&ends->authority);
    certificates_remove();
}

/* The server, dialled by the name in its certificate. */
static void begin(struct fixture *f, struct ends *ends, bool client_certificate)
{
    char address[64];

    ends_init(ends, client_certificate);
    f->server_options.tls = ends->server_tls;
    f->channel_options.tls = ends->client_tls;
    fixture_server(f, "127.0.0.1:0");
    snprintf(address, sizeof address, "localhost:%s", strrchr(f->address, ':') + 1);
    f->channel = rpc_channel_new(f->loop, address, &f->channel_options);
}

START_TEST(h8_calls_pass_over_mutual_tls_and_the_handler_knows_the_client)
{
    struct fixture f = {0};
    struct ends ends;
    struct outcome out;
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;

    begin(&f, &ends, true);
    request.text = "hello";
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_msg(out.status == STATUS_OK, "%s", out.err.message);
    ck_assert_str_eq(out.text, "hello");
    ck_assert_str_eq(f.service.identity, SPIFFE);
    fixture_end(&f);
    ends_fini(&ends);
}
END_TEST

START_TEST(h8_client_without_certificate_reaches_no_handler)
{
    struct fixture f = {0};
    struct ends ends;
    struct outcome out;
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;

    begin(&f, &ends, false);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(out.err.message, "certificate required") != NULL, "%s", out.err.message);
    ck_assert_uint_eq(f.service.calls, 0);
    fixture_end(&f);
    ends_fini(&ends);
}
END_TEST

START_TEST(h8_wrong_name_is_told_to_the_caller)
{
    struct fixture f = {0};
    struct ends ends;
    struct outcome out;
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;

    begin(&f, &ends, true);
    rpc_channel_free(f.channel);
    f.channel = rpc_channel_new(f.loop, f.address, &f.channel_options);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(out.err.message, "asked for 127.0.0.1") != NULL, "%s", out.err.message);
    fixture_end(&f);
    ends_fini(&ends);
}
END_TEST

/* A bare HTTP/2 server, to see what the channel sends. */
struct watcher {
    struct fixture f;
    struct h2_conn *conn;
    struct h2_stream stream;
    char scheme[16];
};

static struct h2_stream *watcher_open(struct h2_conn *conn, void *userdata)
{
    struct watcher *watcher = userdata;

    h2_stream_init(&watcher->stream);
    return &watcher->stream;
}

static void watcher_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    struct watcher *watcher = CONTAINER_OF(stream, struct watcher, stream);

    if (slice_is(name, ":scheme"))
        snprintf(watcher->scheme, sizeof watcher->scheme, "%.*s", (int)value.len, value.data);
}

static void watcher_headers(struct h2_stream *stream, enum h2_block block)
{
    h2_stream_rst(stream, H2_CANCEL);
}

static void watcher_data(struct h2_stream *stream, struct slice bytes)
{
    h2_consume(stream, bytes.len);
}

static void watcher_nothing(struct h2_stream *stream)
{
}

static void watcher_closed(struct h2_stream *stream, uint32_t error_code)
{
    h2_stream_fini(stream);
}

static void watcher_lost(struct h2_conn *conn, const char *why, void *userdata)
{
    struct watcher *watcher = userdata;

    h2_free(watcher->conn);
    watcher->conn = NULL;
}

static void watcher_accept(struct net_stream *stream, void *userdata)
{
    static const struct h2_handlers handlers = {.on_open = watcher_open,
                                                .on_header = watcher_header,
                                                .on_headers = watcher_headers,
                                                .on_data = watcher_data,
                                                .on_end = watcher_nothing,
                                                .on_writable = watcher_nothing,
                                                .on_closed = watcher_closed,
                                                .on_lost = watcher_lost};
    struct watcher *watcher = userdata;

    watcher->conn =
        h2_server_new(watcher->f.loop, stream, &(struct h2_options){0}, &handlers, watcher);
}

START_TEST(h8_scheme_is_https)
{
    struct watcher watcher = {0};
    struct fixture *f = &watcher.f;
    struct ends ends;
    struct outcome out;
    struct error err = {0};
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;
    char address[64];

    begin(f, &ends, true);
    struct net_listener *listener =
        net_listen(f->loop, "127.0.0.1:0", ends.server_tls, 10, watcher_accept, &watcher, &err);
    ck_assert_msg(listener != NULL, "%s", err.message);
    rpc_channel_free(f->channel);
    snprintf(address, sizeof address, "localhost:%s",
             strrchr(net_listener_address(listener), ':') + 1);
    f->channel = rpc_channel_new(f->loop, address, &f->channel_options);
    unary(f, NULL, &request, &out);
    fixture_wait(f);
    ck_assert_str_eq(watcher.scheme, "https");
    h2_free(watcher.conn);
    net_listener_free(listener);
    fixture_end(f);
    ends_fini(&ends);
}
END_TEST

TCase *tls_tests(void)
{
    TCase *tc = tcase_create("tls");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, h8_calls_pass_over_mutual_tls_and_the_handler_knows_the_client);
    tcase_add_test(tc, h8_client_without_certificate_reaches_no_handler);
    tcase_add_test(tc, h8_wrong_name_is_told_to_the_caller);
    tcase_add_test(tc, h8_scheme_is_https);
    return tc;
}
