/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's channel: keeps one connection, makes another one when it is lost or told to go away.
 * A connection counts as made when the peer's SETTINGS came, so that a port that merely accepts
 * does not look healthy: that, and nothing before, ends the backoff. A connection that did not last
 * is not a failure (its peer works), yet the next one waits longer each time, or a peer that greets
 * and leaves would have us spin.
 */
#include <stdio.h>
#include <stdlib.h>
#include "client.h"

#define CONNECT_TIMEOUT_MS 5000
#define BACKOFF_INITIAL_MS 20
#define BACKOFF_MAX_MS 2000
#define BACKOFF_MULTIPLIER 1.6
#define BACKOFF_JITTER 0.2
#define KEEPALIVE_TIMEOUT_MS 5000
#define OWN_KEEPALIVE_MS 20000
#define OWN_ATTEMPTS_MAX 4
#define KEEPALIVE_MAX_MS 3600000 /* that complaints can make it grow to */
#define STEADY_US 1000000        /* a connection that lived shorter did not last */

static void channel_try_next(struct rpc_channel *channel);
static void channel_start_round(struct rpc_channel *channel);

/* The one writer of channel->state. */
static void channel_move(struct rpc_channel *channel, enum rpc_channel_state to)
{
    if (channel->state == to)
        return;
    channel->state = to;
    if (channel->on_state)
        channel->on_state(to, channel->on_state_userdata);
}

static void set_defaults(struct rpc_channel_options *options)
{
    if (options->connect_timeout_ms == 0)
        options->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (options->backoff_initial_ms == 0)
        options->backoff_initial_ms = BACKOFF_INITIAL_MS;
    if (options->backoff_max_ms == 0)
        options->backoff_max_ms = BACKOFF_MAX_MS;
    if (options->backoff_multiplier <= 0)
        options->backoff_multiplier = BACKOFF_MULTIPLIER;
    if (options->backoff_jitter <= 0 || options->backoff_jitter > 1)
        options->backoff_jitter = BACKOFF_JITTER;
    if (options->keepalive_timeout_ms == 0)
        options->keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS;
}

static void channel_timer_cb(void *userdata);
static void resolved_cb(void *userdata);

static void feed_cb(void *userdata)
{
    rpc__client_feed(userdata);
}

/* Two looks without a call between them, and none open. */
static void idle_cb(void *userdata)
{
    struct rpc_channel *channel = userdata;
    bool quiet = channel->end.open_calls == 0 && channel->calls_made == channel->calls_seen;

    channel->calls_seen = channel->calls_made;
    if (!quiet || !channel->current)
        return;
    rpc__channel_retire(channel->current);
    channel_move(channel, RPC_IDLE);
}

struct rpc_channel *rpc_channel_new(struct loop *loop, const char *target,
                                    const struct rpc_channel_options *options)
{
    struct rpc_channel *channel = mem_zalloc(sizeof *channel);

    if (options)
        channel->options = *options;
    net_tls_ref(channel->options.tls);
    if (channel->options.authorization)
        channel->authorization = mem_strdup(channel->options.authorization);
    set_defaults(&channel->options);
    channel->keepalive_ms = channel->options.keepalive_ms;
    rpc__addresses_init(&channel->addresses, loop, target, resolved_cb, channel);
    rpc__end_init(&channel->end, loop, false, RPC_MESSAGE_BYTES_MAX);
    list_init(&channel->conns);
    list_init(&channel->waiting);
    channel->timer = loop_timer_new(loop, channel_timer_cb, channel);
    channel->feed = loop_flush_new(loop, RPC_PUMP_ORDER, feed_cb, channel);
    if (channel->options.idle_ms) {
        channel->idle_timer = loop_timer_new(loop, idle_cb, channel);
        loop_timer_start(channel->idle_timer, channel->options.idle_ms, channel->options.idle_ms);
    }
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
    rpc__addresses_fini(&channel->addresses);
    loop_timer_free(channel->timer);
    loop_timer_free(channel->idle_timer);
    loop_flush_free(channel->feed);
    rpc__end_fini(&channel->end);
    net_tls_unref(channel->options.tls);
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

struct rpc_channel_options rpc_channel_defaults(const char *authorization, struct net_tls *tls)
{
    return (struct rpc_channel_options){
        .authorization = authorization,
        .tls = tls,
        .keepalive_ms = OWN_KEEPALIVE_MS,
        .retry = {.attempts_max = OWN_ATTEMPTS_MAX, .statuses = 1u << STATUS_UNAVAILABLE},
    };
}

/* ---- rounds ---- */

static uint64_t grown(const struct rpc_channel *channel, uint64_t ms)
{
    double next = (double)ms * channel->options.backoff_multiplier + 1;

    return (uint64_t)MIN_OF(next, (double)channel->options.backoff_max_ms);
}

/* A share of 1 − jitter to 1 + jitter. */
static uint64_t jittered(const struct rpc_channel *channel, uint64_t ms)
{
    double jitter = channel->options.backoff_jitter;
    double share = 1 - jitter + 2 * jitter * (double)(random_u64() % 1001) / 1000;

    return (uint64_t)((double)ms * share);
}

/* All addresses were tried: calls that do not wait for ready fail, and the next round comes after a
 * pause. */
static void channel_failed(struct rpc_channel *channel)
{
    uint64_t delay_ms =
        channel->backoff_ms ? channel->backoff_ms : channel->options.backoff_initial_ms;

    channel->backoff_ms = grown(channel, delay_ms);
    loop_timer_start(channel->timer, jittered(channel, delay_ms), 0);
    channel_move(channel, RPC_FAILING);
    LIST_EACH(&channel->waiting, node)
    {
        struct rpc_call *call = LIST_ENTRY(node, struct rpc_call, wait_node);
        if (!call->wait_for_ready)
            rpc__client_unreachable(call);
    }
}

void rpc__channel_adopt(struct rpc_channel *channel, struct net_stream *stream)
{
    struct h2_options options = {.preface_timeout_ms = channel->options.connect_timeout_ms,
                                 .header_bytes_max = channel->options.header_bytes_max,
                                 .first_stream_id = channel->first_stream_id};
    struct rpc_conn *conn = mem_zalloc(sizeof *conn);

    conn->channel = channel;
    conn->target = rpc__addresses_target(&channel->addresses);
    /* What may stand in :authority: a unix socket has no host. */
    conn->authority = slice_of(strncmp(conn->target, "unix:", 5) == 0 ? "localhost" : conn->target);
    list_push(&channel->conns, &conn->node);
    channel->handshaking = conn;
    channel_move(channel, RPC_CONNECTING);
    conn->h2 = h2_client_new(channel->end.loop, stream, &options, &rpc__client_handlers, conn);
}

static void on_connect(struct net_stream *stream, enum status status, const char *why,
                       void *userdata)
{
    struct rpc_channel *channel = userdata;

    channel->connecting = NULL;
    if (status == STATUS_OK) {
        rpc__channel_adopt(channel, stream);
        return;
    }
    snprintf(channel->failure, sizeof channel->failure, "%s", why);
    net_stream_free(stream);
    channel_try_next(channel);
}

/* Goes on with the round. */
static void channel_try_next(struct rpc_channel *channel)
{
    uint64_t timeout_ms = channel->options.connect_timeout_ms;
    const char *address;

    channel_move(channel, RPC_CONNECTING);
    if (channel->freed)
        return;
    switch (rpc__addresses_next(&channel->addresses, &address)) {
    case RPC_NEXT_FOUND:
        channel->connecting = net_connect(
            channel->end.loop, address,
            &(struct net_connect_options){.timeout_ms = timeout_ms,
                                          .tls = channel->options.tls,
                                          .peer = rpc__addresses_target(&channel->addresses)},
            on_connect, channel);
        return;
    case RPC_NEXT_LATER:
        channel->resolving = true;
        loop_timer_start(channel->timer, timeout_ms, 0);
        return;
    case RPC_NEXT_NONE:
        if (channel->addresses.target_count == 0)
            snprintf(channel->failure, sizeof channel->failure, "the channel has no address");
        channel_failed(channel);
    }
}

static void resolved_cb(void *userdata)
{
    struct rpc_channel *channel = userdata;

    channel->resolving = false;
    loop_timer_stop(channel->timer);
    if (channel->addresses.err.status != STATUS_OK)
        snprintf(channel->failure, sizeof channel->failure, "%.255s",
                 channel->addresses.err.message);
    channel_try_next(channel);
}

static void channel_timer_cb(void *userdata)
{
    struct rpc_channel *channel = userdata;

    if (!channel->resolving) {
        channel_start_round(channel);
        return;
    }
    channel->resolving = false;
    snprintf(channel->failure, sizeof channel->failure, "resolving %s took too long",
             rpc__addresses_target(&channel->addresses));
    channel_try_next(channel);
}

static void channel_start_round(struct rpc_channel *channel)
{
    if (channel->connecting || channel->handshaking || channel->current || channel->resolving ||
        channel->freed)
        return;
    loop_timer_stop(channel->timer);
    rpc__addresses_restart(&channel->addresses);
    channel_try_next(channel);
}

void rpc__channel_want(struct rpc_channel *channel)
{
    if (channel->state == RPC_IDLE || (channel->state == RPC_READY && !channel->current))
        channel_start_round(channel);
}

/* The connection of before worked: calls wait for the next one and do not fail. Not all clients of
 * a server that went away may come back in the same moment. */
static void channel_restart(struct rpc_channel *channel, const struct rpc_conn *before,
                            bool was_told)
{
    bool lasted = clock_monotonic_us() - before->ready_us >= STEADY_US;
    uint64_t delay_ms = was_told ? 0 : channel->options.backoff_initial_ms;

    if (lasted)
        channel->restart_ms = 0;
    if (channel->restart_ms)
        delay_ms = channel->restart_ms;
    if (!lasted)
        channel->restart_ms = grown(channel, MAX_OF(delay_ms, channel->options.backoff_initial_ms));
    channel_move(channel, RPC_CONNECTING);
    if (channel->freed)
        return;
    if (delay_ms == 0)
        channel_start_round(channel);
    else
        loop_timer_start(channel->timer, random_u64() % (delay_ms + 1), 0);
}

/* ---- the life of a connection ---- */

static void keepalive_arm(struct rpc_conn *conn, uint64_t delay_ms)
{
    conn->reads = h2_reads(conn->h2);
    loop_timer_start(conn->keepalive, delay_ms, 0);
}

static void keepalive_cb(void *userdata)
{
    struct rpc_conn *conn = userdata;
    struct rpc_channel *channel = conn->channel;
    bool heard = h2_reads(conn->h2) != conn->reads;

    if (conn->pinged && !heard) {
        rpc__channel_conn_lost(conn, "no answer to a keepalive ping");
        return;
    }
    conn->pinged =
        !heard && (h2_stream_count(conn->h2) > 0 || channel->options.keepalive_without_calls);
    if (conn->pinged)
        h2_ping(conn->h2);
    keepalive_arm(conn,
                  conn->pinged ? channel->options.keepalive_timeout_ms : channel->keepalive_ms);
}

void rpc__channel_pong(struct rpc_conn *conn)
{
    if (!conn->keepalive)
        return;
    conn->pinged = false;
    keepalive_arm(conn, conn->channel->keepalive_ms);
}

void rpc__channel_conn_ready(struct rpc_conn *conn)
{
    struct rpc_channel *channel = conn->channel;

    channel->handshaking = NULL;
    channel->current = conn;
    channel->backoff_ms = 0;
    conn->ready_us = clock_monotonic_us();
    if (channel->keepalive_ms) {
        conn->keepalive = loop_timer_new(channel->end.loop, keepalive_cb, conn);
        keepalive_arm(conn, channel->keepalive_ms);
    }
    channel_move(channel, RPC_READY);
    if (!channel->freed)
        rpc__client_feed(channel);
}

void rpc__channel_conn_goaway(struct rpc_conn *conn)
{
    struct rpc_channel *channel = conn->channel;

    if (h2_goaway_is(conn->h2, H2_ENHANCE_YOUR_CALM, "too_many_pings"))
        channel->keepalive_ms = MIN_OF(channel->keepalive_ms * 2, (uint64_t)KEEPALIVE_MAX_MS);
    if (channel->current != conn)
        return;
    /* Calls on it may finish; new ones need a new connection. */
    channel->current = NULL;
    channel_restart(channel, conn, true);
}

void rpc__channel_retire(struct rpc_conn *conn)
{
    if (conn->channel->current == conn)
        conn->channel->current = NULL;
    h2_shutdown(conn->h2, NULL);
}

void rpc__channel_conn_lost(struct rpc_conn *conn, const char *why)
{
    struct rpc_channel *channel = conn->channel;
    bool was_current = channel->current == conn, was_handshaking = channel->handshaking == conn;
    struct rpc_conn before = *conn;
    char failure[sizeof channel->failure];

    memcpy(failure, channel->failure, sizeof failure);
    snprintf(channel->failure, sizeof channel->failure, "connection to %s lost: %s", conn->target,
             why);
    conn_free(conn);
    if (channel->freed)
        return;
    /* The end of a connection that was left before says nothing about the channel. */
    if (!was_current && !was_handshaking)
        memcpy(channel->failure, failure, sizeof failure);
    if (was_handshaking)
        channel_try_next(channel);
    else if (was_current)
        channel_restart(channel, &before, false);
}
