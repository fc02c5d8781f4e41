/* SPDX-License-Identifier: Apache-2.0 */
/* What controllers say. */
#include "log/log.h"
#include "logship/logs.h"
#include "session/internal.h"

static void drained_by_order(void *userdata)
{
    struct session *session = userdata;

    service_shutdown(session->worker->service, false);
}

static void receive_welcome(struct stream *stream, const Plankton__V1__Welcome *welcome)
{
    struct session *session = stream->session;
    struct worker *worker = session->worker;
    struct error err = {0};

    if (welcome->protocol != PROTOCOL_VERSION) {
        log_error("session.protocol", LOG_U64("controller", welcome->protocol),
                  LOG_U64("worker", PROTOCOL_VERSION));
        rpc_call_cancel(stream->call->call);
        return;
    }
    if (state_dir_set_worker_id(&worker->dir, welcome->worker_id, &err) != STATUS_OK)
        log_error("session.worker_id", LOG_ERR(&err));
    stream->state = STREAM_OPEN;
    stream->backoff_ms = 0;
    stream->last_status = STATUS_OK;
    stream->refused_since_us = 0;
    stream->credit = 0;
    stream->lease_ms = welcome->lease_ms;
    stream->beat_us = clock_monotonic_us();
    loop_timer_stop(stream->welcome);
    if (welcome->heartbeat_ms)
        loop_timer_start(stream->heartbeat, welcome->heartbeat_ms, welcome->heartbeat_ms);
    if (!worker->settings->logger)
        logs_set_address(worker->logs, welcome->logger_address);
    log_info("session.connected", LOG_STR("controller", stream->address),
             LOG_STR("worker", welcome->worker_id));
    session->ready(NULL, session->ready_userdata);
}

static void receive_take(struct stream *stream, const Plankton__V1__Take *take)
{
    struct worker *worker = stream->session->worker;
    struct shard *shard = shards_get(pool_shards(worker->pool), take->shard);
    uint64_t nonce = random_u64();

    /* The owner has built its memory anew: leases that it had granted may never come. Better a
     * credit too many than one lost. */
    if (shard->uplink == &stream->uplink)
        stream->credit = 0;
    if (shard_take(shard, take->epoch, &stream->uplink, nonce ? nonce : 1, clock_monotonic_us()) ==
        TAKE_REFUSED) {
        log_info("session.take_refused", LOG_U64("shard", take->shard),
                 LOG_U64("epoch", take->epoch), LOG_U64("floor", shard->floor));
        (void)stream_send_refusal(stream, shard, take->epoch);
        return;
    }
    /* Results wait until the list that names them has been sent. */
    if (stream_send_held(stream, shard, take->epoch))
        pool_resend(worker->pool, shard);
    else
        rpc_call_cancel(stream->call->call);
}

/* Leases that are given back, told together as long as their reason is the same. */
struct declined {
    struct stream *stream;
    ProtobufCBinaryData *tokens;
    size_t count;
    const char *reason;
};

static void declined_send(struct declined *declined)
{
    if (declined->count)
        (void)stream_send_declined(declined->stream, declined->tokens, declined->count,
                                   declined->reason);
    declined->count = 0;
}

static void receive_leases(struct stream *stream, const Plankton__V1__Leases *leases)
{
    struct pool *pool = stream->session->worker->pool;
    struct declined declined = {.stream = stream};
    struct shard *shard = NULL;
    const char *reason;

    for (size_t i = 0; i < leases->n_leases; i++) {
        const Plankton__V1__Lease *lease = leases->leases[i];
        stream->credit -= stream->credit > 0;
        if (!shard || shard->number != lease->shard)
            shard = shards_find(pool_shards(pool), lease->shard);
        /* Of a session that has ended: the owner knows that we do not hold it. */
        if (!shard || !shard_accepts(shard, &stream->uplink, lease->nonce))
            continue;
        if (pool_accept(pool, shard, lease, &reason) != POOL_DECLINED)
            continue;
        if (!declined.tokens)
            declined.tokens =
                ARENA_ARRAY(&stream->session->scratch, ProtobufCBinaryData, leases->n_leases);
        if (declined.count && !str_eq(declined.reason, reason))
            declined_send(&declined);
        declined.reason = reason;
        declined.tokens[declined.count++] = lease->token;
    }
    declined_send(&declined);
    if (declined.tokens)
        arena_reset(&stream->session->scratch);
}

static void receive_acks(struct stream *stream, const Plankton__V1__Acks *acks)
{
    struct pool *pool = stream->session->worker->pool;

    for (size_t i = 0; i < acks->n_recorded; i++)
        pool_recorded(pool, &acks->recorded[i]);
    for (size_t i = 0; i < acks->n_stale; i++)
        pool_stale(pool, &acks->stale[i]);
}

void stream_received(struct stream *stream, const Plankton__V1__ControllerMessage *message)
{
    struct session *session = stream->session;
    struct pool *pool = session->worker->pool;

    if (stream->state != STREAM_OPEN &&
        message->body_case != PLANKTON__V1__CONTROLLER_MESSAGE__BODY_WELCOME)
        return;
    switch (message->body_case) {
    case PLANKTON__V1__CONTROLLER_MESSAGE__BODY_WELCOME:
        receive_welcome(stream, message->welcome);
        break;
    case PLANKTON__V1__CONTROLLER_MESSAGE__BODY_TAKE:
        receive_take(stream, message->take);
        break;
    case PLANKTON__V1__CONTROLLER_MESSAGE__BODY_LEASES:
        receive_leases(stream, message->leases);
        break;
    case PLANKTON__V1__CONTROLLER_MESSAGE__BODY_ACKS:
        receive_acks(stream, message->acks);
        break;
    case PLANKTON__V1__CONTROLLER_MESSAGE__BODY_CANCEL:
        for (size_t i = 0; i < message->cancel->n_tokens; i++)
            pool_cancel(pool, &message->cancel->tokens[i], message->cancel->grace_ms);
        break;
    case PLANKTON__V1__CONTROLLER_MESSAGE__BODY_DRAIN:
        log_info("session.drain", LOG_STR("by", "the controller"));
        if (!session->draining)
            session_drain(session, 0, drained_by_order, session);
        break;
    default: /* of a later version; what it must not ignore it announces by the protocol number */
        log_warn("session.unknown_message", LOG_STR("effect", "ignoring it"));
        break;
    }
}
