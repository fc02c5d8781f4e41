/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "log/log.h"
#include "plankton/v1/task_worker.rpc.h"
#include "session/internal.h"

static void stream_open(struct stream *stream);

/* ---- one stream ---- */

static void stream_on_message(struct rpc_call *call, const ProtobufCMessage *message,
                              void *userdata)
{
    struct stream_call *context = userdata;

    if (context->stream)
        stream_received(context->stream, (const Plankton__V1__ControllerMessage *)message);
}

static void stream_on_writable(struct rpc_call *call, void *userdata)
{
    struct stream_call *context = userdata;

    if (context->stream)
        session_flush(context->stream->session);
}

static bool status_is_refusal(enum status status)
{
    return status == STATUS_UNAUTHENTICATED || status == STATUS_PERMISSION_DENIED ||
           status == STATUS_FAILED_PRECONDITION || status == STATUS_INVALID_ARGUMENT;
}

/* Each kind of failure is told once, not with every try. */
static void stream_tell(struct stream *stream, enum status status, const struct error *err)
{
    uint64_t now = clock_monotonic_us();

    if (stream->session->draining || status == stream->last_status)
        return;
    if (!status_is_refusal(status)) {
        log_info("session.disconnected", LOG_STR("controller", stream->address), LOG_ERR(err));
        stream->last_status = status;
        stream->refused_since_us = 0;
        return;
    }
    if (!stream->refused_since_us)
        stream->refused_since_us = now;
    if (now - stream->refused_since_us < REFUSED_TOLD_MS * 1000u)
        return;
    log_error("session.refused", LOG_STR("controller", stream->address), LOG_ERR(err));
    stream->last_status = status;
}

static void stream_down(struct stream *stream)
{
    struct session *session = stream->session;

    stream->state = STREAM_DOWN;
    stream->call = NULL;
    stream->credit = 0;
    loop_timer_stop(stream->heartbeat);
    loop_timer_stop(stream->welcome);
    pool_lose(session->worker->pool, &stream->uplink);
    session->ready("no controller has welcomed this worker", session->ready_userdata);
}

static void stream_on_close(struct rpc_call *call, enum status status, const struct error *err,
                            void *userdata)
{
    struct stream_call *context = userdata;
    struct stream *stream = context->stream;

    free(context);
    if (!stream)
        return;
    stream_tell(stream, status, err);
    stream_down(stream);
    uint64_t longest = (uint64_t)stream->session->worker->settings->reconnect_ms;
    stream->backoff_ms = MIN_OF(MAX_OF(stream->backoff_ms * 8 / 5, RETRY_MIN_MS), longest);
    loop_timer_start(stream->retry,
                     stream->backoff_ms * 4 / 5 + random_u64() % (stream->backoff_ms * 2 / 5 + 1),
                     0);
    session_flush(stream->session);
}

static void stream_open(struct stream *stream)
{
    static const struct rpc_callbacks callbacks = {.on_message = stream_on_message,
                                                   .on_writable = stream_on_writable,
                                                   .on_close = stream_on_close};
    /* Without a welcome timer before the channel is ready: the channel has its own limit for
     * connecting. */
    struct rpc_call_options options = {0};

    stream->call = mem_zalloc(sizeof *stream->call);
    stream->call->stream = stream;
    stream->state = STREAM_HELLO;
    stream->call->call = rpc_channel_call(stream->channel, &plankton_v1_task_worker_connect,
                                          &options, &callbacks, stream->call);
    if (!stream_send_hello(stream))
        rpc_call_cancel(stream->call->call);
    loop_timer_start(stream->welcome, 2 * WELCOME_TIMEOUT_MS, 0);
}

static void stream_retry_cb(void *userdata)
{
    struct stream *stream = userdata;

    if (!stream->call)
        stream_open(stream);
}

static void stream_welcome_cb(void *userdata)
{
    struct stream *stream = userdata;

    if (stream->state == STREAM_HELLO)
        rpc_call_cancel(stream->call->call);
}

static void stream_heartbeat_cb(void *userdata)
{
    struct stream *stream = userdata;
    uint64_t now = clock_monotonic_us(), silent_ms = (now - stream->beat_us) / 1000;

    /* This process was stopped for longer than its leases last: it must ask anew what it still
     * holds. */
    if (stream->lease_ms && silent_ms > stream->lease_ms) {
        log_info("session.overslept", LOG_U64("silent_ms", silent_ms),
                 LOG_U64("lease_ms", stream->lease_ms));
        rpc_call_cancel(stream->call->call);
        return;
    }
    stream->beat_us = now;
    stream_send_heartbeat(stream);
}

static void stream_init(struct stream *stream, struct session *session, const char *address)
{
    struct loop *loop = session->worker->loop;
    const struct worker_settings *settings = session->worker->settings;
    struct rpc_channel_options options =
        rpc_channel_defaults(session->worker->authorization, session->worker->tls);

    options.connect_timeout_ms = WELCOME_TIMEOUT_MS;
    options.backoff_max_ms = (uint64_t)settings->reconnect_ms;
    options.keepalive_ms = options.keepalive_timeout_ms = (uint64_t)settings->keepalive_ms;
    stream->session = session;
    stream->address = address;
    list_init(&stream->uplink.outbox);
    stream->channel = rpc_channel_new(loop, address, &options);
    stream->retry = loop_timer_new(loop, stream_retry_cb, stream);
    stream->heartbeat = loop_timer_new(loop, stream_heartbeat_cb, stream);
    stream->welcome = loop_timer_new(loop, stream_welcome_cb, stream);
}

static void stream_fini(struct stream *stream)
{
    if (stream->call)
        stream->call->stream = NULL; /* its on_close frees it */
    pool_lose(stream->session->worker->pool, &stream->uplink);
    loop_timer_free(stream->retry);
    loop_timer_free(stream->heartbeat);
    loop_timer_free(stream->welcome);
    rpc_channel_free(stream->channel);
}

/* ---- the session ---- */

struct session *session_new(struct worker *worker,
                            void (*ready)(const char *why_not, void *userdata), void *userdata)
{
    struct session *session = mem_zalloc(sizeof *session);

    session->worker = worker;
    session->ready = ready;
    session->ready_userdata = userdata;
    session->parts = mem_zalloc(RESULTS_PER_MESSAGE * sizeof *session->parts);
    session->results = mem_zalloc(RESULTS_PER_MESSAGE * sizeof *session->results);
    session->attempts = mem_zalloc(RESULTS_PER_MESSAGE * sizeof *session->attempts);
    arena_init(&session->scratch, 0);
    stream_init(&session->stream, session, worker->settings->controller);
    return session;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    stream_fini(&session->stream);
    loop_timer_free(session->drain_timer);
    arena_fini(&session->scratch);
    free(session->parts);
    free(session->results);
    free(session->attempts);
    free(session);
}

void session_connect(struct session *session)
{
    session->ready("no controller has welcomed this worker", session->ready_userdata);
    stream_open(&session->stream);
}

/* Results that a stream will not take away any more are on the disk, or cost a repetition of what
 * has no side effect. */
static bool session_is_drained(const struct session *session)
{
    const struct pool *pool = session->worker->pool;

    if (pool_unfinished(pool) > 0)
        return false;
    return pool_is_empty(pool) || session->abandoned || session->stream.state != STREAM_OPEN;
}

static void session_drained_cb(void *userdata)
{
    struct session *session = userdata;
    void (*done)(void *userdata) = session->drained;

    session->drained = NULL;
    session->ending = false;
    if (session->stream.call)
        rpc_call_half_close(session->stream.call->call);
    done(session->drained_userdata);
}

void session_flush(struct session *session)
{
    struct stream *stream = &session->stream;

    if (session->draining)
        stream_send_queued_back(stream);
    if (stream->state == STREAM_OPEN) {
        stream_send_results(stream);
        stream_send_credit(stream);
    }
    if (!session->drained || session->ending || !session_is_drained(session))
        return;
    session->ending = true; /* deferred once: what follows may free the session */
    loop_defer(session->worker->loop, session_drained_cb, session);
}

static void session_drain_timeout_cb(void *userdata)
{
    struct session *session = userdata;

    log_warn("session.drain_timeout", LOG_U64("running", pool_running(session->worker->pool)),
             LOG_STR("effect", "what still runs is killed"));
    session->abandoned = true;
    pool_abandon(session->worker->pool);
    session_flush(session);
}

void session_drain(struct session *session, uint64_t timeout_ms, void (*done)(void *userdata),
                   void *userdata)
{
    session->drained = done;
    session->drained_userdata = userdata;
    if (timeout_ms) {
        loop_timer_free(session->drain_timer);
        session->drain_timer =
            loop_timer_new(session->worker->loop, session_drain_timeout_cb, session);
        loop_timer_start(session->drain_timer, timeout_ms, 0);
    }
    session->draining = true;
    pool_drain(session->worker->pool); /* its flush looks whether all is done */
}
