/* SPDX-License-Identifier: Apache-2.0 */
/* TaskLogger.RelayEvents: one stream of one controller. */
#include <stdlib.h>
#include "ingest/ingest_internal.h"
#include "log/log.h"
#include "logger_metrics.h"

/* What one call still has to hear about a source. */
struct relayed {
    struct source *source;
    uint64_t told; /* acknowledged on this call */
    bool asked;    /* wants an answer even when nothing is new */
    bool fresh;    /* has asked, and sent nothing since */
};
struct relay_stream {
    struct list link;
    struct ingest *ingest;
    struct rpc_call *call;
    struct relayed *sources;
    size_t count, cap;
    bool paused;
};

static struct relayed *relayed_get(struct relay_stream *stream, struct source *source)
{
    for (size_t i = 0; i < stream->count; i++)
        if (stream->sources[i].source == source)
            return &stream->sources[i];
    if (stream->count == stream->cap) {
        stream->cap = stream->cap ? stream->cap * 2 : 16;
        stream->sources = mem_realloc(stream->sources, stream->cap * sizeof *stream->sources);
    }
    stream->sources[stream->count] = (struct relayed){.source = source, .told = source->durable};
    return &stream->sources[stream->count++];
}

static void acknowledge(struct relay_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        struct relayed *relayed = &stream->sources[i];
        Plankton__V1__RelayReply reply = PLANKTON__V1__RELAY_REPLY__INIT;
        if (!relayed->asked && relayed->told == relayed->source->durable)
            continue;
        reply.shard = relayed->source->shard;
        reply.acknowledged = relayed->source->durable;
        if (plankton_v1_task_logger_relay_events_send(stream->call, &reply) != STATUS_OK)
            return;
        relayed->told = reply.acknowledged;
        relayed->asked = false;
    }
}

static void hold_or_go(struct relay_stream *stream)
{
    bool hold = !stream->ingest->sources_known || ingest_is_held_back(stream->ingest);

    if (hold == stream->paused)
        return;
    stream->paused = hold;
    if (hold)
        rpc_call_pause(stream->call);
    else
        rpc_call_resume(stream->call);
}

void relay_wake(struct ingest *ingest)
{
    LIST_EACH(&ingest->relays, node)
    {
        struct relay_stream *stream = LIST_ENTRY(node, struct relay_stream, link);
        acknowledge(stream);
        hold_or_go(stream);
    }
}

void relay_end(struct ingest *ingest, const struct error *err)
{
    LIST_EACH(&ingest->relays, node)
    rpc_call_fail(LIST_ENTRY(node, struct relay_stream, link)->call, err);
}

/* ---- taking events ---- */

static enum status malformed(struct error *err)
{
    return error_field(err, STATUS_INVALID_ARGUMENT, "EVENTS_MALFORMED", "events",
                       "events is no packed EventBatch with numbers first, first + 1, …");
}

/* Walks the batch: numbers without gaps from first on, the range of its keys, and attempts that
 * were given up. events->batch is left without the events up to last. */
static enum status walk_batch(struct ingest *ingest, struct events *events, uint64_t last,
                              struct error *err)
{
    struct slice rest = events->batch, kept = {NULL, 0};
    uint64_t number = events->first;
    struct event_ref event;
    bool bad;

    for (struct slice before = rest; events_next(&rest, &event, &bad); before = rest, number++) {
        if (event.number != number)
            return malformed(err);
        if (number <= last)
            continue;
        const struct id *key = event_key(&event);
        if (!events->count++) {
            kept = before;
            events->min = events->max = *key;
        }
        if (id_cmp(key, &events->min) < 0)
            events->min = *key;
        if (id_cmp(key, &events->max) > 0)
            events->max = *key;
        if (event.kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_ATTEMPT_CLOSED ||
            event.kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_STALE_RESULT)
            attempts_close(&ingest->attempts, &event.task, event.attempt);
        ingest->relay_lag_us = events->received_us - event.unix_us;
    }
    logger_count(METRIC_EVENTS_DUPLICATE, (double)(number - events->first - events->count));
    events->batch = kept;
    events->first = number - events->count;
    return bad ? malformed(err) : STATUS_OK;
}

/* A gap ends the call, so that the controller asks where to begin. When it then begins with the
 * same gap, it does not have what is missing: refusing again would keep out all that follows, so
 * the loss is told and the gap stays as a gap. */
static enum status check_gap(struct relayed *relayed, const Plankton__V1__RelayRequest *request,
                             struct error *err)
{
    struct source *source = relayed->source;
    bool again = relayed->fresh && source->gap_first == request->first;

    relayed->fresh = false;
    if (request->first <= source->last + 1)
        return STATUS_OK;
    source->gap_first = request->first;
    if (!again)
        return error_field(err, STATUS_FAILED_PRECONDITION, "EVENT_GAP", "first",
                           "shard %u: event %llu after %llu", request->shard,
                           (unsigned long long)request->first, (unsigned long long)source->last);
    log_error("relay.events_lost", LOG_U64("shard", request->shard),
              LOG_U64("first", source->last + 1), LOG_U64("last", request->first - 1));
    return STATUS_OK;
}

static enum status take_events(struct relay_stream *stream, struct source *source,
                               const Plankton__V1__RelayRequest *request, struct error *err)
{
    struct ingest *ingest = stream->ingest;
    struct events events = {.timeline = request->timeline,
                            .shard = (uint16_t)request->shard,
                            .first = request->first,
                            .received_us = clock_unix_us(),
                            .batch = {(const char *)request->events.data, request->events.len}};

    enum status st = walk_batch(ingest, &events, source->last, err);
    if (st != STATUS_OK)
        return st;
    if (!events.count)
        return STATUS_OK;
    events_put_record(spool_begin(ingest->spool), &events);
    spool_commit(ingest->spool);
    source->last = events.first + events.count - 1;
    logger_count(METRIC_EVENTS_IN, events.count);
    return STATUS_OK;
}

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct relay_stream *stream = userdata;
    const Plankton__V1__RelayRequest *request =
        plankton_v1_task_logger_relay_events_request_of(message);
    struct error err = {0};
    enum status st = STATUS_OK;

    if (request->shard >= SHARDS_MAX)
        st = error_field(&err, STATUS_INVALID_ARGUMENT, "SHARD_UNKNOWN", "shard",
                         "there is no shard %u", request->shard);
    else if (request->events.len > EVENT_BATCH_BYTES_MAX)
        st = error_field(&err, STATUS_INVALID_ARGUMENT, "EVENTS_TOO_LARGE", "events",
                         "a batch has at most 4 MiB");
    else if (!request->first && request->events.len)
        st = malformed(&err);
    if (st == STATUS_OK) {
        struct source *source =
            sources_get(&stream->ingest->sources, request->timeline, (uint16_t)request->shard);
        struct relayed *relayed = relayed_get(stream, source);
        /* What is there already is acknowledged again: the answer may have been lost. */
        relayed->asked = relayed->asked || !request->first || request->first <= source->last;
        relayed->fresh = relayed->fresh || !request->first;
        if (request->first)
            st = check_gap(relayed, request, &err);
        if (request->first && st == STATUS_OK)
            st = take_events(stream, source, request, &err);
    }
    if (st != STATUS_OK) {
        log_warn("relay.refused", LOG_STR("peer", rpc_call_peer(call)), LOG_ERR(&err));
        rpc_call_fail(call, &err);
        return;
    }
    acknowledge(stream);
    hold_or_go(stream);
}

static void on_end(struct rpc_call *call, void *userdata)
{
    rpc_call_finish(call);
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct relay_stream *stream = userdata;

    list_remove(&stream->link);
    free(stream->sources);
    free(stream);
}

void ingest_relay(struct ingest *ingest, struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = on_message, .on_end = on_end, .on_close = on_close};
    struct relay_stream *stream = mem_zalloc(sizeof *stream);

    stream->ingest = ingest;
    stream->call = call;
    list_push(&ingest->relays, &stream->link);
    rpc_call_set_callbacks(call, &callbacks, stream);
    hold_or_go(stream);
}
