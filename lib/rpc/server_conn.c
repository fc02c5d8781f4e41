/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a server's connections: accept, age, idleness, keepalive, the grace of one that must
 * go, and why each ended. One timer and a heap for all of them: an idle connection costs no timer
 * of its own.
 */
#include <stdlib.h>
#include "metrics/metrics.h"
#include "internal.h"

#define AGE_JITTER_PERCENT 10 /* either way, so that clients do not come back all at once */

enum {
    ENDED_LEAVES = H2_END_MEMORY + 1, /* those of enum rpc_leave follow those of enum h2_end */
    ENDED_COUNT = ENDED_LEAVES + RPC_LEAVE_KEEPALIVE
};
#define ENDED(reason)                                                                              \
    {                                                                                              \
        .name = "rpc_server_connections_ended_total", .help = "Connections that ended, by why",    \
        .kind = METRIC_COUNTER, .labels = "reason=\"" reason "\""                                  \
    }
static struct metric ended[ENDED_COUNT] = {
    [H2_END_PEER] = ENDED("peer"),
    [H2_END_SHUTDOWN] = ENDED("shutdown"),
    [H2_END_PROTOCOL] = ENDED("protocol"),
    [H2_END_SILENT] = ENDED("silent"),
    [H2_END_STALLED] = ENDED("stalled"),
    [H2_END_ABUSE] = ENDED("abuse"),
    [H2_END_PINGS] = ENDED("pings"),
    [H2_END_MEMORY] = ENDED("memory"),
    [ENDED_LEAVES + RPC_LEAVE_DRAIN - 1] = ENDED("drain"),
    [ENDED_LEAVES + RPC_LEAVE_AGE - 1] = ENDED("age"),
    [ENDED_LEAVES + RPC_LEAVE_IDLE - 1] = ENDED("idle"),
    [ENDED_LEAVES + RPC_LEAVE_KEEPALIVE - 1] = ENDED("keepalive"),
};

static uint64_t now_ms(const struct rpc_server *server)
{
    return loop_turn_ms(server->end.loop);
}

/* now + delay, where RPC_OFF stays never. */
static uint64_t after(uint64_t at_ms, uint64_t delay_ms)
{
    return delay_ms > RPC_OFF - at_ms ? RPC_OFF : at_ms + delay_ms;
}

static bool due_less(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF(a, struct rpc_conn, life.due_node)->life.due_ms <
           CONTAINER_OF(b, struct rpc_conn, life.due_node)->life.due_ms;
}

static void arm(struct rpc_server *server)
{
    struct heap_node *top = heap_top(&server->lives);
    uint64_t now = now_ms(server), due_ms;

    loop_timer_stop(server->life_timer);
    if (!top)
        return;
    due_ms = CONTAINER_OF(top, struct rpc_conn, life.due_node)->life.due_ms;
    if (due_ms != RPC_OFF)
        loop_timer_start(server->life_timer, due_ms > now ? due_ms - now : 0, 0);
}

/* The first moment at which something can be due. While calls are open the connection cannot have
 * been idle for the limit before one limit from now. */
static uint64_t next_due(const struct rpc_conn *conn)
{
    const struct rpc_server_options *options = &conn->server->options;
    const struct rpc_life *life = &conn->life;
    uint64_t idle_since =
        h2_stream_count(conn->h2) > 0 ? now_ms(conn->server) : life->idle_since_ms;
    uint64_t due_ms = life->pinged_ms != 0 ? after(life->pinged_ms, options->keepalive_timeout_ms)
                                           : after(h2_read_ms(conn->h2), options->keepalive_ms);

    if (life->leaving)
        return MIN_OF(due_ms, life->end_at_ms);
    due_ms = MIN_OF(due_ms, life->age_at_ms);
    return MIN_OF(due_ms, after(idle_since, options->max_connection_idle_ms));
}

static void set_due(struct rpc_conn *conn)
{
    conn->life.due_ms = next_due(conn);
    heap_update(&conn->server->lives, &conn->life.due_node);
}

void rpc__server_conn_leave(struct rpc_conn *conn, enum rpc_leave why, uint64_t grace_ms)
{
    static const char *const debug[] = {[RPC_LEAVE_DRAIN] = "server_shutdown",
                                        [RPC_LEAVE_AGE] = "max_age",
                                        [RPC_LEAVE_IDLE] = "max_idle"};
    struct rpc_life *life = &conn->life;
    uint64_t end_at_ms = after(now_ms(conn->server), grace_ms);

    if (!life->leaving) {
        life->leaving = why;
        life->end_at_ms = end_at_ms;
        h2_shutdown(conn->h2, debug[why]);
    }
    /* A drain may end earlier than the grace of one that leaves already. */
    life->end_at_ms = MIN_OF(life->end_at_ms, end_at_ms);
    set_due(conn);
    arm(conn->server);
}

/* The grace is over: the client is told for each call, and what it does not take is reset. */
static void end_calls(struct rpc_conn *conn)
{
    struct rpc_server *server = conn->server;
    struct list *node = server->end.calls.next;
    struct error err;

    conn->life.calls_ended = true;
    conn->life.end_at_ms = after(now_ms(server), RPC_GOODBYE_MS);
    error_set(&err, STATUS_UNAVAILABLE, "the server closes this connection");
    while (node != &server->end.calls) {
        struct rpc_call *call = LIST_ENTRY(node, struct rpc_call, node);
        node = node->next;
        if (call->conn != conn)
            continue;
        if (call->finished) {
            h2_stream_rst(&call->stream, H2_CANCEL);
            continue;
        }
        h2_stream_drop_output(&call->stream);
        rpc_call_fail(call, &err);
    }
}

/* False when the connection is gone. */
static bool conn_tick(struct rpc_conn *conn, uint64_t now)
{
    const struct rpc_server_options *options = &conn->server->options;
    struct rpc_life *life = &conn->life;
    bool idle = h2_stream_count(conn->h2) == 0;

    if (life->pinged_ms != 0 && h2_read_ms(conn->h2) > life->pinged_ms)
        life->pinged_ms = 0;
    if ((life->pinged_ms != 0 && now >= after(life->pinged_ms, options->keepalive_timeout_ms)) ||
        (life->calls_ended && now >= life->end_at_ms)) {
        if (life->pinged_ms != 0)
            life->leaving = RPC_LEAVE_KEEPALIVE;
        rpc__server_conn_lost(conn);
        return false;
    }
    if (life->leaving && now >= life->end_at_ms)
        end_calls(conn);
    else if (!life->leaving && now >= life->age_at_ms)
        rpc__server_conn_leave(conn, RPC_LEAVE_AGE, options->max_connection_age_grace_ms);
    else if (!life->leaving && idle &&
             now >= after(life->idle_since_ms, options->max_connection_idle_ms))
        rpc__server_conn_leave(conn, RPC_LEAVE_IDLE, options->max_connection_age_grace_ms);
    if (life->pinged_ms == 0 && now >= after(h2_read_ms(conn->h2), options->keepalive_ms)) {
        life->pinged_ms = now;
        h2_ping(conn->h2);
    }
    return true;
}

static void life_cb(void *userdata)
{
    struct rpc_server *server = userdata;
    uint64_t now = now_ms(server);
    struct heap_node *top;

    while ((top = heap_top(&server->lives))) {
        struct rpc_conn *conn = CONTAINER_OF(top, struct rpc_conn, life.due_node);
        if (conn->life.due_ms > now)
            break;
        if (conn_tick(conn, now))
            set_due(conn);
    }
    arm(server);
}

void rpc__server_lives_init(struct rpc_server *server)
{
    static bool registered;
    struct rpc_server_options *options = &server->options;

    if (!registered)
        metrics_register(ended, ARRAY_LEN(ended));
    registered = true;
    if (options->max_connection_age_ms == 0)
        options->max_connection_age_ms = RPC_OFF;
    if (options->max_connection_age_grace_ms == 0)
        options->max_connection_age_grace_ms = RPC_OFF;
    if (options->max_connection_idle_ms == 0)
        options->max_connection_idle_ms = RPC_OFF;
    if (options->keepalive_ms == 0)
        options->keepalive_ms = RPC_KEEPALIVE_MS;
    if (options->keepalive_timeout_ms == 0)
        options->keepalive_timeout_ms = RPC_KEEPALIVE_TIMEOUT_MS;
    heap_init(&server->lives, due_less);
    server->life_timer = loop_timer_new(server->end.loop, life_cb, server);
}

void rpc__server_lives_fini(struct rpc_server *server)
{
    loop_timer_free(server->life_timer);
    heap_fini(&server->lives);
}

static uint64_t age_with_jitter(uint64_t age_ms)
{
    uint64_t tenth = age_ms / 100 * AGE_JITTER_PERCENT;

    return age_ms == RPC_OFF ? RPC_OFF : age_ms - tenth + random_u64() % (2 * tenth + 1);
}

void rpc__server_accept(struct rpc_server *server, struct net_stream *stream)
{
    const struct rpc_server_options *o = &server->options;
    struct rpc_conn *conn = mem_zalloc(sizeof *conn);
    struct h2_options options = {
        .streams_max = (uint32_t)MIN_OF(o->streams_per_connection_max, (size_t)UINT32_MAX),
        .header_bytes_max = (uint32_t)MIN_OF(o->header_bytes_max, (size_t)UINT32_MAX),
        .bytes_max = o->connection_bytes_max,
        .preface_timeout_ms = o->preface_timeout_ms,
        .ping_interval_min_ms = o->ping_interval_min_ms,
        .pings_without_streams = o->pings_without_calls,
    };
    uint64_t now = now_ms(server);

    conn->server = server;
    list_push(&server->conns, &conn->node);
    conn->h2 = h2_server_new(server->end.loop, stream, &options, &rpc__server_handlers, conn);
    conn->life.idle_since_ms = now;
    conn->life.age_at_ms = after(now, age_with_jitter(o->max_connection_age_ms));
    conn->life.due_ms = next_due(conn);
    heap_push(&server->lives, &conn->life.due_node);
    if (heap_top(&server->lives) == &conn->life.due_node)
        arm(server);
}

void rpc__server_conn_free(struct rpc_conn *conn)
{
    enum h2_end end = h2_end(conn->h2);
    bool by_choice = conn->life.leaving && (end == H2_END_SHUTDOWN || end == H2_END_PEER);

    metric_add(&ended[by_choice ? ENDED_LEAVES + conn->life.leaving - 1 : end], 1);
    list_remove(&conn->node);
    heap_remove(&conn->server->lives, &conn->life.due_node);
    h2_free(conn->h2);
    free(conn);
}

void rpc__server_conn_lost(struct rpc_conn *conn)
{
    struct rpc_server *server = conn->server;

    rpc__server_conn_free(conn);
    rpc__server_check_drained(server);
}
