/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "server.h"

static uint64_t or_default(uint64_t given, uint64_t fallback)
{
    return given ? given : fallback;
}

struct http1_server *http1_server_new(struct loop *loop, const struct http1_options *options,
                                      http1_request_fn on_request, void *userdata)
{
    struct http1_server *server = mem_zalloc(sizeof(*server));
    struct http1_options *own = &server->options;

    *own = *options;
    own->body_bytes_max = or_default(own->body_bytes_max, HTTP1_BODY_BYTES_MAX);
    own->connections_max = or_default(own->connections_max, HTTP1_CONNECTIONS_MAX);
    own->header_timeout_ms = or_default(own->header_timeout_ms, HTTP1_HEADER_TIMEOUT_MS);
    own->idle_timeout_ms = or_default(own->idle_timeout_ms, HTTP1_IDLE_TIMEOUT_MS);
    own->body_window_ms = or_default(own->body_window_ms, HTTP1_BODY_WINDOW_MS);
    own->write_stall_ms = or_default(own->write_stall_ms, HTTP1_WRITE_STALL_MS);
    server->loop = loop;
    server->on_request = on_request;
    server->userdata = userdata;
    list_init(&server->conns);
    return server;
}

static void on_accept(struct net_stream *stream, void *userdata)
{
    http1__conn_open(userdata, stream, (struct slice){NULL, 0});
}

enum status http1_server_listen(struct http1_server *server, const char *address, struct error *err)
{
    struct net_listener *listener;

    if (server->listener_count == LISTENERS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d addresses to listen on",
                         LISTENERS_MAX);
    listener = net_listen(server->loop, address, NULL, server->options.connections_max, on_accept,
                          server, err);
    if (!listener)
        return err && err->status != STATUS_OK ? err->status : STATUS_UNAVAILABLE;
    server->listeners[server->listener_count++] = listener;
    return STATUS_OK;
}

const char *http1_server_address(const struct http1_server *server, size_t index)
{
    return index < server->listener_count ? net_listener_address(server->listeners[index]) : NULL;
}

void http1_server_take(struct http1_server *server, struct net_stream *stream,
                       struct slice first_bytes)
{
    http1__conn_open(server, stream, first_bytes);
}

size_t http1_server_connections(const struct http1_server *server)
{
    return server->conn_count;
}

const char *http1__server_date(struct http1_server *server)
{
    int64_t now_s = clock_unix_us() / 1000000;

    if (now_s != server->date_unix_s) {
        server->date_unix_s = now_s;
        http1__format_date(now_s, server->date);
    }
    return server->date;
}

static void close_listeners(struct http1_server *server)
{
    while (server->listener_count > 0)
        net_listener_free(server->listeners[--server->listener_count]);
}

void http1__server_left(struct http1_server *server)
{
    if (!server->draining || server->conn_count > 0 || !server->drained)
        return;
    loop_defer(server->loop, server->drained, server->drained_userdata);
    server->drained = NULL;
}

void http1_server_drain(struct http1_server *server, void (*done)(void *userdata), void *userdata)
{
    close_listeners(server);
    server->draining = true;
    server->drained = done;
    server->drained_userdata = userdata;
    LIST_EACH(&server->conns, node)
    {
        struct conn *conn = LIST_ENTRY(node, struct conn, link);

        if (conn->state == CONN_IDLE || (conn->state == CONN_SNIFFING && conn->input.len == 0))
            http1__conn_close_when_flushed(conn);
    }
    http1__server_left(server);
}

void http1_server_free(struct http1_server *server)
{
    struct conn *conn;

    if (!server)
        return;
    server->drained = NULL;
    server->draining = true;
    close_listeners(server);
    while ((conn = LIST_FIRST(&server->conns, struct conn, link)))
        http1__conn_kill(conn);
    free(server);
}
