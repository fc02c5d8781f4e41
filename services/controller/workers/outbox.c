/* SPDX-License-Identifier: Apache-2.0 */
/* Engine effects of one turn, gathered per worker and sent in few messages. */
#include "workers_internal.h"

#include <stdlib.h>

#include "log/log.h"

void outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){0};
    arena_init(&outbox->arena, 0);
}

void outbox_fini(struct outbox *outbox)
{
    arena_fini(&outbox->arena);
    free(outbox->leases);
    free(outbox->recorded);
    free(outbox->stale);
}

static void *grow(void *items, size_t len, size_t *cap, size_t item_bytes)
{
    if (len < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 64;
    return mem_realloc(items, *cap * item_bytes);
}

static ProtobufCBinaryData sign(struct workers *workers, struct arena *arena,
                                const struct engine_lease *lease, uint32_t namespace_id,
                                const struct id *run)
{
    struct lease_token token = {.timeline = host_timeline(workers->host),
                                .namespace_id = namespace_id,
                                .task = lease->task,
                                .run = *run,
                                .attempt = lease->attempt,
                                .worker = lease->worker,
                                .epoch = lease->epoch,
                                .journal_seq = lease->seq};
    ProtobufCBinaryData out = {.data = arena_alloc(arena, LEASE_TOKEN_BYTES)};

    lease_token_sign(workers->options.cluster_key, &token, out.data, &out.len);
    return out;
}

static Plankton__V1__Json *json_of(struct arena *arena, struct slice text)
{
    Plankton__V1__Json *json = ARENA_NEW(arena, Plankton__V1__Json);

    plankton__v1__json__init(json);
    json->text = arena_strndup(arena, text.data, text.len);
    return json;
}

static Plankton__V1__Environment *environment_of(struct workers *workers, struct arena *arena,
                                                 struct slice text)
{
    static const struct pbjson_options options = {.ignore_unknown = true};
    ProtobufCMessage *message = NULL;
    struct error error = {0};

    if (!text.len)
        return NULL;
    if (pbjson_from_text(workers->options.registry, &plankton__v1__environment__descriptor, text,
                         arena, &options, &message, &error) != STATUS_OK)
        log_error("lease.environment_unreadable", LOG_ERR(&error));
    return (Plankton__V1__Environment *)message;
}

static void add_lease(struct stream *stream, const struct engine_dispatch *dispatch)
{
    struct outbox *outbox = &stream->outbox;
    struct arena *arena = &outbox->arena;
    Plankton__V1__Lease *lease = ARENA_NEW(arena, Plankton__V1__Lease);

    plankton__v1__lease__init(lease);
    lease->nonce = dispatch->nonce;
    lease->token =
        sign(stream->workers, arena, &dispatch->lease, dispatch->namespace_id, &dispatch->run);
    lease->shard = dispatch->shard;
    lease->task_id = arena_alloc(arena, ID_TEXT_BYTES);
    id_format(&dispatch->lease.task, lease->task_id);
    lease->attempt = dispatch->lease.attempt;
    lease->type = arena_strdup(arena, dispatch->type);
    if (dispatch->parameters.len)
        lease->parameters = json_of(arena, dispatch->parameters);
    lease->environment = environment_of(stream->workers, arena, dispatch->environment);
    if (!id_is_nil(&dispatch->run)) {
        lease->run_id = arena_alloc(arena, ID_TEXT_BYTES);
        id_format(&dispatch->run, lease->run_id);
        lease->step = arena_strdup(arena, dispatch->step);
    }
    lease->attempt_timeout_ms = (uint32_t)MIN_OF(dispatch->attempt_timeout_ms, (int64_t)UINT32_MAX);
    outbox->leases =
        grow(outbox->leases, outbox->leases_len, &outbox->leases_cap, sizeof *outbox->leases);
    outbox->leases[outbox->leases_len++] = lease;
}

static struct slice own(struct arena *arena, struct slice token)
{
    return (struct slice){arena_memdup(arena, token.data, token.len), token.len};
}

static void send_take(struct stream *stream, const struct engine_take *take)
{
    Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
    Plankton__V1__Take body = PLANKTON__V1__TAKE__INIT;

    body.shard = take->shard;
    body.epoch = take->epoch;
    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_TAKE;
    message.take = &body;
    stream_send(stream, &message);
}

static void send_drain(struct stream *stream)
{
    Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
    Plankton__V1__Drain body = PLANKTON__V1__DRAIN__INIT;

    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_DRAIN;
    message.drain = &body;
    stream_send(stream, &message);
}

/* A newer stream of this worker has taken its place, or it was silent for too long: it comes back
 * if it lives. */
static void close_stream(struct stream *stream)
{
    struct error error = {0};

    error_field(&error, STATUS_ABORTED, "SUPERSEDED", NULL,
                "this stream is given up; connect again");
    rpc_call_fail(stream->call, &error);
}

static void send_cancel(struct stream *stream, const struct engine_cancel_work *cancel)
{
    Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
    Plankton__V1__Cancel body = PLANKTON__V1__CANCEL__INIT;
    ProtobufCBinaryData token;

    /* the lease itself may still be in the outbox: it must arrive before its cancel */
    outbox_send(stream);
    token = sign(stream->workers, &stream->outbox.arena, &cancel->lease, cancel->namespace_id,
                 &cancel->run);
    body.n_tokens = 1;
    body.tokens = &token;
    body.grace_ms = stream->workers->options.cancel_grace_ms;
    body.reason = (char *)(cancel->reason ? cancel->reason : "");
    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_CANCEL;
    message.cancel = &body;
    stream_send(stream, &message);
}

void outbox_effect(struct stream *stream, const struct engine_effect *effect)
{
    struct outbox *outbox = &stream->outbox;

    switch (effect->kind) {
    case ENGINE_DISPATCH:
        add_lease(stream, &effect->dispatch);
        break;
    case ENGINE_RESULT_ACK:
        outbox->recorded = grow(outbox->recorded, outbox->recorded_len, &outbox->recorded_cap,
                                sizeof *outbox->recorded);
        outbox->recorded[outbox->recorded_len++] = own(&outbox->arena, effect->answer.token);
        break;
    case ENGINE_STALE:
        outbox->stale =
            grow(outbox->stale, outbox->stale_len, &outbox->stale_cap, sizeof *outbox->stale);
        outbox->stale[outbox->stale_len++] = own(&outbox->arena, effect->answer.token);
        break;
    case ENGINE_CANCEL_WORK:
        send_cancel(stream, &effect->cancel);
        break;
    case ENGINE_TAKE:
        send_take(stream, &effect->take);
        break;
    case ENGINE_DRAIN:
        send_drain(stream);
        break;
    case ENGINE_CLOSE_STREAM:
        close_stream(stream);
        break;
    default:
        break;
    }
}

static ProtobufCBinaryData *tokens_of(struct arena *arena, const struct slice *tokens, size_t n)
{
    ProtobufCBinaryData *out = ARENA_ARRAY(arena, ProtobufCBinaryData, n + 1);

    for (size_t i = 0; i < n; i++)
        out[i] = (ProtobufCBinaryData){.len = tokens[i].len, .data = (uint8_t *)tokens[i].data};
    return out;
}

static void send_acks(struct stream *stream)
{
    struct outbox *outbox = &stream->outbox;
    size_t recorded = 0, stale = 0;

    while (recorded < outbox->recorded_len || stale < outbox->stale_len) {
        Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
        Plankton__V1__Acks body = PLANKTON__V1__ACKS__INIT;
        body.n_recorded = MIN_OF(outbox->recorded_len - recorded, (size_t)WORKER_MESSAGE_ITEMS_MAX);
        body.recorded = tokens_of(&outbox->arena, outbox->recorded + recorded, body.n_recorded);
        body.n_stale = MIN_OF(outbox->stale_len - stale, (size_t)WORKER_MESSAGE_ITEMS_MAX);
        body.stale = tokens_of(&outbox->arena, outbox->stale + stale, body.n_stale);
        recorded += body.n_recorded;
        stale += body.n_stale;
        message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_ACKS;
        message.acks = &body;
        stream_send(stream, &message);
    }
}

/* Parameters are large at times: a message is closed by bytes as well as by number. */
#define LEASES_BYTES_MAX ((size_t)1024 * 1024)

static void send_leases(struct stream *stream)
{
    struct outbox *outbox = &stream->outbox;

    for (size_t i = 0; i < outbox->leases_len;) {
        Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
        Plankton__V1__Leases body = PLANKTON__V1__LEASES__INIT;
        size_t bytes = 0;
        body.leases = outbox->leases + i;
        while (i < outbox->leases_len && body.n_leases < WORKER_MESSAGE_ITEMS_MAX &&
               bytes < LEASES_BYTES_MAX) {
            const Plankton__V1__Lease *lease = outbox->leases[i++];
            bytes += lease->parameters ? strlen(lease->parameters->text) : 0;
            body.n_leases++;
        }
        message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_LEASES;
        message.leases = &body;
        stream_send(stream, &message);
    }
}

void outbox_send(struct stream *stream)
{
    struct outbox *outbox = &stream->outbox;

    send_acks(stream);
    send_leases(stream);
    outbox->leases_len = outbox->recorded_len = outbox->stale_len = 0;
    arena_reset(&outbox->arena);
}
