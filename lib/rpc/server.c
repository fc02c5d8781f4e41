/* SPDX-License-Identifier: Apache-2.0 */
/* The server: routes, listener, drain. */
#include <stdlib.h>
#include "internal.h"

/* A finished call whose answer has not moved since the last sweep: its client gives no window and
 * may never do so. Without this, such calls would hold their output for as long as the connection
 * lives. */
static void sweep_cb(void *userdata)
{
    struct rpc_server *server = userdata;

    LIST_EACH(&server->end.calls, node)
    {
        struct rpc_call *call = LIST_ENTRY(node, struct rpc_call, node);
        size_t pending = h2_stream_pending_bytes(&call->stream) + 1;
        if (!call->finished)
            continue;
        if (call->swept_bytes == pending)
            h2_stream_rst(&call->stream, H2_CANCEL);
        call->swept_bytes = pending;
    }
}

struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options)
{
    struct rpc_server *server = mem_zalloc(sizeof *server);

    if (options)
        server->options = *options;
    net_tls_ref(server->options.tls);
    if (server->options.connections_max == 0)
        server->options.connections_max = RPC_CONNECTIONS_MAX;
    rpc__end_init(&server->end, loop, true,
                  server->options.message_bytes_max
                      ? MIN_OF(server->options.message_bytes_max, (size_t)UINT32_MAX)
                      : RPC_MESSAGE_BYTES_MAX);
    if (server->options.answer_timeout_ms == 0)
        server->options.answer_timeout_ms = RPC_ANSWER_TIMEOUT_MS;
    server->sweep_timer = loop_timer_new(loop, sweep_cb, server);
    if (server->options.answer_timeout_ms != RPC_OFF)
        loop_timer_start(server->sweep_timer, server->options.answer_timeout_ms,
                         server->options.answer_timeout_ms);
    map_init(&server->routes);
    list_init(&server->conns);
    rpc__server_lives_init(server);
    return server;
}

void rpc_server_set_authorizer(struct rpc_server *server, rpc_authorize_fn fn, void *userdata)
{
    server->authorize = fn;
    server->authorize_userdata = userdata;
}

void rpc__server_add(struct rpc_server *server, const struct rpc_service_desc *service,
                     const void *ops, void *userdata, bool open)
{
    server->services =
        mem_realloc(server->services, (server->service_count + 1) * sizeof *server->services);
    server->services[server->service_count++] = service;
    for (size_t i = 0; i < service->method_count; i++) {
        struct rpc_route *route = mem_zalloc(sizeof *route);
        route->method = service->methods[i];
        route->path = slice_of(route->method->path);
        route->service = userdata;
        route->open = open;
        /* The generated struct holds nothing but function pointers, in the order of the methods. */
        memcpy(&route->handler,
               (const char *)ops + route->method->ops_index * sizeof route->handler,
               sizeof route->handler);
        map_insert(&server->routes, &route->node,
                   hash_bytes(route->method->path, strlen(route->method->path)));
    }
}

void rpc_server_add(struct rpc_server *server, const struct rpc_service_desc *service,
                    const void *ops, void *userdata)
{
    rpc__server_add(server, service, ops, userdata, false);
}

const struct rpc_route *rpc__server_find(struct rpc_server *server, struct slice path)
{
    struct map_node *node;

    /* Calls of one method come in runs. */
    if (server->last_route && slice_eq(path, server->last_route->path))
        return server->last_route;
    node = map_first(&server->routes, hash_bytes(path.data, path.len));
    for (; node; node = map_next(node)) {
        const struct rpc_route *route = CONTAINER_OF(node, struct rpc_route, node);
        if (slice_eq(path, route->path)) {
            server->last_route = route;
            return route;
        }
    }
    return NULL;
}

static void on_accept(struct net_stream *stream, void *userdata)
{
    rpc__server_accept(userdata, stream);
}

enum status rpc_server_listen(struct rpc_server *server, const char *address, struct error *err)
{
    struct error local = {0};

    err = err ? err : &local;
    server->listener = net_listen(server->end.loop, address, server->options.tls,
                                  server->options.connections_max, on_accept, server, err);
    return server->listener ? STATUS_OK : err->status;
}

const char *rpc_server_address(const struct rpc_server *server)
{
    return server->listener ? net_listener_address(server->listener) : "";
}

size_t rpc_server_open_calls(const struct rpc_server *server)
{
    return server->end.open_calls;
}

static void tell_drained(void *userdata)
{
    struct rpc_server *server = userdata;

    while (!list_empty(&server->conns))
        rpc__server_conn_free(LIST_FIRST(&server->conns, struct rpc_conn, node));
    if (server->drain_told)
        return;
    server->drain_told = true;
    server->drained(server->drained_userdata);
}

void rpc__server_check_drained(struct rpc_server *server)
{
    /* Only ever from the timer: this may run deep inside a callback of the last connection. */
    if (server->draining && !server->drain_told && server->end.open_calls == 0 &&
        list_empty(&server->conns))
        loop_timer_start(server->drain_timer, 0, 0);
}

void rpc_server_drain(struct rpc_server *server, uint64_t timeout_ms, void (*done)(void *userdata),
                      void *userdata)
{
    if (server->draining)
        return;
    server->draining = true;
    server->drained = done;
    server->drained_userdata = userdata;
    server->drain_timer = loop_timer_new(server->end.loop, tell_drained, server);
    loop_timer_start(server->drain_timer, timeout_ms + RPC_GOODBYE_MS, 0);
    if (server->health)
        rpc__health_drain(server->health);
    net_listener_free(server->listener);
    server->listener = NULL;
    LIST_EACH(&server->conns, node)
    rpc__server_conn_leave(LIST_ENTRY(node, struct rpc_conn, node), RPC_LEAVE_DRAIN, timeout_ms);
    rpc__server_check_drained(server);
}

void rpc_server_free(struct rpc_server *server)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    if (!server)
        return;
    server->drain_told = true;
    net_listener_free(server->listener);
    while (!list_empty(&server->conns))
        rpc__server_conn_free(LIST_FIRST(&server->conns, struct rpc_conn, node));
    rpc__health_free(server->health);
    rpc__reflection_free(server->reflection);
    while ((node = map_walk(&server->routes, &cursor))) {
        map_remove(&server->routes, node);
        free(CONTAINER_OF(node, struct rpc_route, node));
    }
    map_fini(&server->routes);
    loop_timer_free(server->drain_timer);
    loop_timer_free(server->sweep_timer);
    rpc__server_lives_fini(server);
    rpc__end_fini(&server->end);
    net_tls_unref(server->options.tls);
    free(server->services);
    /* A handler may have called us. */
    loop_defer(server->end.loop, free, server);
}
