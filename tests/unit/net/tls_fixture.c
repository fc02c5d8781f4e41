/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_fixture.h"
#include <stdio.h>
#include <unistd.h>

static void guard_cb(void *userdata)
{
    ck_abort_msg("the test took too long");
}

static void server_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct fixture *f = userdata;

    f->server_received += bytes.len;
    if (f->echo)
        ck_assert_int_eq(net_stream_write(stream, bytes.data, bytes.len), STATUS_OK);
    if (f->close_after_first)
        net_stream_close_after_flush(stream);
}

static void server_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    struct fixture *f = userdata;

    f->server_closed++;
    f->server_status = status;
    snprintf(f->server_why, sizeof f->server_why, "%s", why);
    f->server = NULL;
    net_stream_free(stream);
    loop_stop(f->loop);
}

static void accept_cb(struct net_stream *stream, void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = server_read,
                                                   .on_close = server_close};
    struct fixture *f = userdata;

    f->accepted++;
    snprintf(f->identity, sizeof f->identity, "%s", net_stream_peer_identity(stream));
    net_stream_free(f->server);
    f->server = stream;
    net_stream_start(stream, &callbacks, f);
    net_stream_pause(stream, f->pause_server);
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

    f->client_closed = true;
    f->client_status = status;
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

void connect_cb(struct net_stream *stream, enum status status, const char *why, void *userdata)
{
    static const struct net_callbacks callbacks = {
        .on_read = client_read, .on_close = client_close, .on_drain = client_drain};
    struct fixture *f = userdata;

    f->connect_told = true;
    f->connect_status = status;
    snprintf(f->why, sizeof f->why, "%s", why);
    if (status != STATUS_OK) {
        net_stream_free(stream);
        f->client = NULL;
        loop_stop(f->loop);
        return;
    }
    f->connected = true;
    snprintf(f->server_identity, sizeof f->server_identity, "%s", net_stream_peer_identity(stream));
    net_stream_start(stream, &callbacks, f);
    if (f->send_bytes)
        ck_assert_int_eq(net_stream_write(stream, f->send, f->send_bytes), STATUS_OK);
}

static struct net_tls *context(const struct net_tls_options *options)
{
    struct error err = {0};
    struct net_tls *tls = net_tls_new(options, &err);

    ck_assert_msg(tls != NULL, "%s", err.message);
    return tls;
}

void begin(struct fixture *f)
{
    f->loop = loop_new();
    f->guard = loop_timer_new(f->loop, guard_cb, f);
    loop_timer_start(f->guard, 15000, 0);
    authority_init(&f->authority, "authority");
    authority_init(&f->stranger, "stranger");
    f->certificate = certificate_write(&f->authority, "server", "server",
                                       "DNS:localhost,IP:127.0.0.1", -60, DAY_S);
    f->client_certificate = certificate_write(&f->authority, "client", "client",
                                              "DNS:a.example,URI:" SPIFFE, -60, DAY_S);
}

void finish(struct fixture *f)
{
    net_stream_free(f->client);
    net_stream_free(f->server);
    net_listener_free(f->listener);
    net_tls_unref(f->server_tls);
    net_tls_unref(f->client_tls);
    loop_timer_free(f->guard);
    loop_free(f->loop);
    authority_fini(&f->authority);
    authority_fini(&f->stranger);
    certificates_remove();
}

void serve(struct fixture *f, const struct net_tls_options *options, size_t streams_max)
{
    struct net_tls_options all = options ? *options : (struct net_tls_options){0};
    struct error err = {0};

    all.server = true;
    all.certificate_file = f->certificate.file;
    all.key_file = f->certificate.key_file;
    f->server_tls = context(&all);
    f->listener =
        net_listen(f->loop, "127.0.0.1:0", f->server_tls, streams_max, accept_cb, f, &err);
    ck_assert_msg(f->listener != NULL, "%s", err.message);
}

void dial(struct fixture *f, const char *address, const struct net_tls_options *options)
{
    struct net_tls_options all = options ? *options : (struct net_tls_options){0};

    if (!all.ca_file)
        all.ca_file = f->authority.file;
    net_tls_unref(f->client_tls);
    f->client_tls = context(&all);
    f->client = net_connect(f->loop, address,
                            &(struct net_connect_options){.timeout_ms = 5000, .tls = f->client_tls},
                            connect_cb, f);
}

struct foreign foreign_client(const struct fixture *f)
{
    struct foreign foreign = {.alpn = H2, .end = FOREIGN_SAYS_END};

    snprintf(foreign.address, sizeof foreign.address, "%s", net_listener_address(f->listener));
    return foreign;
}

void wait_for_server_close(struct fixture *f)
{
    while (f->server_closed == 0)
        loop_run(f->loop);
}

static void stop_cb(void *userdata)
{
    loop_stop(userdata);
}

void run_ms(struct fixture *f, uint64_t ms)
{
    struct loop_timer *stop = loop_timer_new(f->loop, stop_cb, f->loop);

    loop_timer_start(stop, ms, 0);
    loop_run(f->loop);
    loop_timer_free(stop);
}

void wait_for_accept(struct fixture *f)
{
    while (!f->server)
        run_ms(f, 5);
}
