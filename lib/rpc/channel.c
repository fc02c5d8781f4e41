/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's channel: keeps one connection, makes another one when it is lost or told to go away.
 * A connection counts as made when the peer's SETTINGS came, so that a port that merely accepts
 * does not look healthy. Backoff: ×1.6 with ±20 % jitter.
 */
#include <stdio.h>
#include <stdlib.h>
#include "internal.h"

#define CONNECT_TIMEOUT_MS 5000
#define BACKOFF_INITIAL_MS 20
#define BACKOFF_MAX_MS 2000
#define KEEPALIVE_TIMEOUT_MS 5000
#define STEADY_US 1000000 /* a connection that lived shorter counts as a failed attempt */

static void channel_connect(struct rpc_channel *channel);

/* The one writer of channel->state. */
static void channel_move(struct rpc_channel *channel, enum rpc_channel_state to)
{
    if (channel->state == to)
        return;
    channel->state = to;
    if (channel->on_state)
        channel->on_state(to, channel->on_state_userdata);
}

static void parse_targets(struct rpc_channel *channel, const char *target)
{
    char *at;

    channel->targets_text = at = mem_strdup(target);
    while (at && channel->address_count < RPC_CHANNEL_ADDRESSES_MAX) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        while (*at == ' ')
            at++;
        if (*at)
            channel->addresses[channel->address_count++] = at;
        at = comma ? comma + 1 : NULL;
    }
}

static void on_timer(void *userdata);

struct rpc_channel *rpc_channel_new(struct loop *loop, const char *target,
                                    const struct rpc_channel_options *options)
{
    struct rpc_channel *channel = mem_zalloc(sizeof *channel);

    if (options)
        channel->options = *options;
    if (channel->options.authorization)
        channel->authorization = mem_strdup(channel->options.authorization);
    if (channel->options.connect_timeout_ms == 0)
        channel->options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (channel->options.backoff_initial_ms == 0)
        channel->options.backoff_initial_ms = BACKOFF_INITIAL_MS;
    if (channel->options.backoff_max_ms == 0)
        channel->options.backoff_max_ms = BACKOFF_MAX_MS;
    if (channel->options.keepalive_timeout_ms == 0)
        channel->options.keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS;
    parse_targets(channel, target);
    rpc__end_init(&channel->end, loop, false, RPC_MESSAGE_BYTES_MAX);
    list_init(&channel->conns);
    list_init(&channel->waiting);
    channel->timer = loop_timer_new(loop, on_timer, channel);
    return channel;
}

static void conn_free(struct rpc_conn *conn)
{
    struct rpc_channel *channel = conn->channel;

    if (channel->current == conn)
        channel->current = NULL;
    if (channel->handshaking == conn)
        channel->handshaking = NULL;
    list_remove(&conn->node);
    h2_free(conn->h2);
    loop_timer_free(conn->keepalive);
    free(conn);
}

void rpc_channel_free(struct rpc_channel *channel)
{
    if (!channel || channel->freed)
        return;
    channel->freed = true;
    channel->on_state = NULL;
    while (!list_empty(&channel->end.calls)) {
        struct rpc_call *call = LIST_FIRST(&channel->end.calls, struct rpc_call, node);
        rpc_call_ref(call);
        if (!call->failure)
            rpc__client_abort(call, STATUS_CANCELLED, "the channel was closed");
        rpc__client_close(call);
        call->end = NULL;
        rpc_call_unref(call);
    }
    while (!list_empty(&channel->conns))
        conn_free(LIST_FIRST(&channel->conns, struct rpc_conn, node));
    net_stream_free(channel->connecting);
    loop_timer_free(channel->timer);
    rpc__end_fini(&channel->end);
    free(channel->targets_text);
    free(channel->authorization);
    /* A callback of one of its calls may have called us. */
    loop_defer(channel->end.loop, free, channel);
}

enum rpc_channel_state rpc_channel_state(const struct rpc_channel *channel)
{
    return channel->state;
}

void rpc_channel_on_state(struct rpc_channel *channel,
                          void (*fn)(enum rpc_channel_state state, void *userdata), void *userdata)
{
    channel->on_state = fn;
    channel->on_state_userdata = userdata;
}

/* All addresses were tried: calls that do not wait for ready fail, and the next round comes after a
 * pause. */
static void channel_failed(struct rpc_channel *channel)
{
    uint64_t delay_ms =
        channel->backoff_ms ? channel->backoff_ms : channel->options.backoff_initial_ms;
    uint64_t jitter = random_u64() % (delay_ms * 2 / 5 + 1); /* 0 … 40 % */

    channel->backoff_ms = MIN_OF(delay_ms * 8 / 5 + 1, channel->options.backoff_max_ms);
    loop_timer_start(channel->timer, delay_ms * 4 / 5 + jitter, 0);
    LIST_EACH(&channel->waiting, node)
    {
        struct rpc_call *call = LIST_ENTRY(node, struct rpc_call, wait_node);
        if (!call->wait_for_ready)
            rpc__client_abort(call, STATUS_UNAVAILABLE, "%s", channel->failure);
    }
    channel_move(channel, RPC_FAILING);
}

/* channel->failure says why. */
static void attempt_failed(struct rpc_channel *channel)
{
    channel->address_next++;
    if (channel->address_next < channel->address_count)
        channel_connect(channel);
    else
        channel_failed(channel);
}

static void on_connect(struct net_stream *stream, enum status status, const char *why,
                       void *userdata)
{
    struct rpc_channel *channel = userdata;
    struct h2_options options = {.preface_timeout_ms = channel->options.connect_timeout_ms};

    channel->connecting = NULL;
    if (status != STATUS_OK) {
        snprintf(channel->failure, sizeof channel->failure, "%s", why);
        net_stream_free(stream);
        attempt_failed(channel);
        return;
    }
    struct rpc_conn *conn = mem_zalloc(sizeof *conn);
    conn->channel = channel;
    list_push(&channel->conns, &conn->node);
    channel->handshaking = conn;
    conn->h2 = h2_client_new(channel->end.loop, stream, &options, &rpc__client_handlers, conn);
}

static void channel_connect(struct rpc_channel *channel)
{
    if (channel->address_count == 0) {
        snprintf(channel->failure, sizeof channel->failure, "the channel has no address");
        channel_failed(channel);
        return;
    }
    channel->address_used = channel->address_next;
    channel->connecting = net_connect(channel->end.loop, channel->addresses[channel->address_next],
                                      channel->options.connect_timeout_ms, on_connect, channel);
    channel_move(channel, RPC_CONNECTING);
}

static void channel_start_round(struct rpc_channel *channel)
{
    if (channel->connecting || channel->handshaking || channel->current || channel->freed)
        return;
    loop_timer_stop(channel->timer);
    channel->address_next = 0;
    channel_connect(channel);
}

static void on_timer(void *userdata)
{
    channel_start_round(userdata);
}

void rpc__channel_want(struct rpc_channel *channel)
{
    if (channel->state == RPC_IDLE)
        channel_start_round(channel);
}

static void keepalive_cb(void *userdata)
{
    struct rpc_conn *conn = userdata;
    struct rpc_channel *channel = conn->channel;

    if (conn->pinged) {
        rpc__channel_conn_lost(conn, "no answer to a keepalive ping");
        return;
    }
    conn->pinged = true;
    h2_ping(conn->h2);
    loop_timer_start(conn->keepalive, channel->options.keepalive_timeout_ms, 0);
}

void rpc__channel_pong(struct rpc_conn *conn)
{
    if (!conn->keepalive)
        return;
    conn->pinged = false;
    loop_timer_start(conn->keepalive, conn->channel->options.keepalive_ms, 0);
}

void rpc__channel_conn_ready(struct rpc_conn *conn)
{
    struct rpc_channel *channel = conn->channel;

    channel->handshaking = NULL;
    channel->current = conn;
    conn->ready_us = clock_monotonic_us();
    if (channel->options.keepalive_ms) {
        conn->keepalive = loop_timer_new(channel->end.loop, keepalive_cb, conn);
        loop_timer_start(conn->keepalive, channel->options.keepalive_ms, 0);
    }
    while (!list_empty(&channel->waiting)) {
        struct rpc_call *call = LIST_FIRST(&channel->waiting, struct rpc_call, wait_node);
        list_remove(&call->wait_node);
        rpc__client_attach(call, conn);
    }
    channel_move(channel, RPC_READY);
}

void rpc__channel_conn_goaway(struct rpc_conn *conn)
{
    struct rpc_channel *channel = conn->channel;

    if (channel->current != conn)
        return;
    channel->current = NULL;
    /* Calls on it may finish; new ones need a new connection. */
    channel_start_round(channel);
}

void rpc__channel_conn_lost(struct rpc_conn *conn, const char *why)
{
    struct rpc_channel *channel = conn->channel;
    bool was_current = channel->current == conn, was_handshaking = channel->handshaking == conn;
    uint64_t ready_us = conn->ready_us;
    bool going_away = h2_is_draining(conn->h2) && !was_current;

    if (!going_away)
        snprintf(channel->failure, sizeof channel->failure, "connection to %s lost: %s",
                 channel->addresses[channel->address_used], why);
    conn_free(conn);
    if (channel->freed)
        return;
    if (was_handshaking) {
        attempt_failed(channel);
    } else if (was_current && clock_monotonic_us() - ready_us < STEADY_US) {
        channel_failed(channel);
    } else if (was_current) {
        channel->backoff_ms = 0;
        channel_start_round(channel);
    }
}
