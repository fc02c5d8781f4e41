/* SPDX-License-Identifier: Apache-2.0 */
/* TaskLogger.Append: one stream of one worker. */
#include <stdlib.h>
#include "base/planted.h"
#include "base/text.h"
#include "ingest/ingest_internal.h"
#include "log/log.h"
#include "logger_metrics.h"

/* While the database is asked about their attempts: requests of a stream, and bytes of all streams.
 */
#define WAITING_REQUESTS_MAX 256
#define WAITING_BYTES_MAX ((size_t)64 << 20)
#define REQUEST_BYTES_MAX ((size_t)64 << 20) /* of memory for one that waits */
#define REQUEST_BLOCKS_MAX 10000

struct ack {
    uint64_t number, lsn; /* number is acknowledged when lsn is durable */
};
struct refused {
    uint64_t number;
    char reason[48];
};
/* A request that waits, with all that came behind it. */
struct waiting {
    struct list link;
    struct arena *arena;
    const Plankton__V1__AppendRequest *request;
};
struct append_stream {
    struct list link;
    struct ingest *ingest;
    struct rpc_call *call;
    struct list waiting;
    size_t waiting_count;
    uint64_t last_number;
    struct ack *acks; /* first … last, in order */
    size_t ack_first, ack_count, ack_cap;
    struct refused *refused;
    size_t refused_count, refused_cap;
    bool paused, ended; /* ended: the client sends no more */
};

/* ---- acknowledging ---- */

static void ack_add(struct append_stream *stream, uint64_t number, uint64_t lsn)
{
    struct ack *last =
        stream->ack_count ? &stream->acks[stream->ack_first + stream->ack_count - 1] : NULL;

    if (last && last->lsn == lsn) {
        last->number = number;
        return;
    }
    if (stream->ack_first + stream->ack_count == stream->ack_cap) {
        if (stream->ack_first) {
            memmove(stream->acks, stream->acks + stream->ack_first,
                    stream->ack_count * sizeof *stream->acks);
            stream->ack_first = 0;
        } else {
            stream->ack_cap = stream->ack_cap ? stream->ack_cap * 2 : 16;
            stream->acks = mem_realloc(stream->acks, stream->ack_cap * sizeof *stream->acks);
        }
    }
    stream->acks[stream->ack_first + stream->ack_count++] = (struct ack){number, lsn};
}

static void refused_add(struct append_stream *stream, uint64_t number, const char *reason)
{
    if (stream->refused_count == stream->refused_cap) {
        stream->refused_cap = stream->refused_cap ? stream->refused_cap * 2 : 8;
        stream->refused =
            mem_realloc(stream->refused, stream->refused_cap * sizeof *stream->refused);
    }
    struct refused *refused = &stream->refused[stream->refused_count++];
    refused->number = number;
    memset(refused->reason, 0, sizeof refused->reason);
    memcpy(refused->reason, reason, MIN_OF(strlen(reason), sizeof refused->reason - 1));
}

/* Those up to number, as part of the reply; taken off the stream's list. */
static void reply_refused(struct append_stream *stream, Plankton__V1__AppendReply *reply,
                          struct arena *arena)
{
    size_t n = 0;

    if (!stream->refused_count)
        return;
    while (n < stream->refused_count && stream->refused[n].number <= reply->acknowledged)
        n++;
    reply->refused = ARENA_ARRAY(arena, Plankton__V1__RefusedBlock *, n + 1);
    for (size_t i = 0; i < n; i++) {
        Plankton__V1__RefusedBlock *block = ARENA_NEW(arena, Plankton__V1__RefusedBlock);
        plankton__v1__refused_block__init(block);
        block->number = stream->refused[i].number;
        block->reason = arena_strdup(arena, stream->refused[i].reason);
        reply->refused[reply->n_refused++] = block;
    }
    memmove(stream->refused, stream->refused + n,
            (stream->refused_count - n) * sizeof *stream->refused);
    stream->refused_count -= n;
}

static void acknowledge(struct append_stream *stream)
{
    Plankton__V1__AppendReply reply = PLANKTON__V1__APPEND_REPLY__INIT;
    uint64_t durable =
        planted("log_ack_before_write") ? UINT64_MAX : spool_durable(stream->ingest->spool);
    struct arena arena;

    while (stream->ack_count && stream->acks[stream->ack_first].lsn <= durable) {
        reply.acknowledged = stream->acks[stream->ack_first++].number;
        stream->ack_count--;
    }
    if (!stream->ack_count)
        stream->ack_first = 0;
    if (!reply.acknowledged)
        return;
    arena_init(&arena, 0);
    reply_refused(stream, &reply, &arena);
    enum status st = plankton_v1_task_logger_append_send(stream->call, &reply);
    arena_fini(&arena);
    if (st == STATUS_RESOURCE_EXHAUSTED) {
        struct error err;
        error_field(&err, st, "NOT_READING", NULL, "the client does not read acknowledgements");
        rpc_call_fail(stream->call, &err);
    }
}

/* ---- taking blocks ---- */

static void take_block(struct append_stream *stream, struct attempt *attempt,
                       const struct lease_token *token, const Plankton__V1__LogBlock *block)
{
    struct ingest *ingest = stream->ingest;
    uint64_t last = block->first_seq + block->n_length - 1;
    struct lines lines;

    if (last <= attempt->last_seq) {
        logger_count(METRIC_LINES_DUPLICATE, (double)block->n_length);
        return;
    }
    struct lines_origin origin = {.task = token->task,
                                  .run = token->run,
                                  .namespace_id = token->namespace_id,
                                  .attempt = token->attempt,
                                  .not_before_us = attempt->last_us,
                                  .received_us = clock_unix_us(),
                                  .flags = attempt->unverified ? LINES_UNVERIFIED : 0};
    if (block->first_seq <= attempt->last_seq)
        origin.skip = (uint32_t)(attempt->last_seq - block->first_seq + 1);
    else
        logger_count(METRIC_LINES_GAP, (double)(block->first_seq - attempt->last_seq - 1));
    if (attempts_is_closed(&ingest->attempts, &token->task, token->attempt)) {
        origin.flags |= LINES_LATE;
        logger_count(METRIC_LINES_LATE, (double)(block->n_length - origin.skip));
    }
    lines_put_record(spool_begin(ingest->spool), block, &origin, &lines);
    spool_commit(ingest->spool);
    attempt->last_seq = last;
    attempt->last_us = lines.last_us;
    attempt_pin(&ingest->attempts, attempt); /* until it is durable */
    logger_count(METRIC_LINES_DUPLICATE, origin.skip);
    logger_count(METRIC_LINES_IN, lines.count);
    logger_count(METRIC_BYTES_IN, (double)lines.text.len);
}

/* One block of a request, looked into. */
struct resolved {
    struct attempt *attempt; /* NULL: refused for good */
    struct lease_token token;
    char reason[sizeof(((struct refused *)0)->reason)];
};

static void resolve_block(struct append_stream *stream, const Plankton__V1__LogBlock *block,
                          struct resolved *ret)
{
    struct ingest *ingest = stream->ingest;
    struct error err = {0};
    bool has_token = lease_token_verify(ingest->options.cluster_key, block->token.data,
                                        block->token.len, &ret->token, &err) == STATUS_OK;

    if (has_token && lines_check(block, &err) == STATUS_OK) {
        ret->attempt = ingest_attempt(ingest, &ret->token);
        return;
    }
    memcpy(ret->reason, err.reason, sizeof ret->reason);
}

/* Every block of the request, in scratch memory; *ret_ready: the attempts are all known. Those that
 * are not are asked for. */
static struct resolved *resolve(struct append_stream *stream,
                                const Plankton__V1__AppendRequest *request, bool *ret_ready)
{
    struct resolved *blocks = mem_zalloc((request->n_blocks + 1) * sizeof *blocks);

    *ret_ready = true;
    for (size_t i = 0; i < request->n_blocks; i++) {
        resolve_block(stream, request->blocks[i], &blocks[i]);
        *ret_ready = *ret_ready && (!blocks[i].attempt || blocks[i].attempt->known);
    }
    return blocks;
}

static void take_request(struct append_stream *stream, const Plankton__V1__AppendRequest *request,
                         const struct resolved *blocks)
{
    for (size_t i = 0; i < request->n_blocks; i++) {
        const struct resolved *block = &blocks[i];
        if (block->attempt) {
            take_block(stream, block->attempt, &block->token, request->blocks[i]);
            continue;
        }
        logger_count(str_eq(block->reason, "TOKEN_INVALID") ? METRIC_BLOCKS_REFUSED_TOKEN
                                                            : METRIC_BLOCKS_REFUSED_FORM,
                     1);
        log_warn("append.refused", LOG_STR("peer", rpc_call_peer(stream->call)),
                 LOG_STR("reason", block->reason));
        refused_add(stream, request->number, block->reason);
    }
    ack_add(stream, request->number, spool_end(stream->ingest->spool));
}

/* False when it must wait for the database's word on an attempt. */
static bool try_request(struct append_stream *stream, const Plankton__V1__AppendRequest *request)
{
    bool ready;
    AUTO(free_ptr) struct resolved *blocks = resolve(stream, request, &ready);

    if (ready)
        take_request(stream, request, blocks);
    return ready;
}

/* ---- waiting ---- */

static void waiting_free(struct append_stream *stream, struct waiting *waiting)
{
    list_remove(&waiting->link);
    stream->ingest->waiting_bytes -= waiting->arena->used_bytes;
    stream->waiting_count--;
    arena_free(waiting->arena);
}

static void wait_for_attempts(struct append_stream *stream,
                              const Plankton__V1__AppendRequest *request)
{
    size_t len = protobuf_c_message_get_packed_size(&request->base);
    AUTO(free_ptr) uint8_t *bytes = mem_alloc(len + 1);
    struct arena *arena = arena_new(REQUEST_BYTES_MAX);
    struct waiting *waiting = ARENA_NEW(arena, struct waiting);
    ProtobufCMessage *copy;
    struct error err;

    protobuf_c_message_pack(&request->base, bytes);
    if (rpc_unpack(request->base.descriptor, (struct slice){(char *)bytes, len}, false, arena,
                   &copy, &err) != STATUS_OK) {
        arena_free(arena);
        rpc_call_fail(stream->call, &err);
        return;
    }
    waiting->arena = arena;
    waiting->request = (const Plankton__V1__AppendRequest *)copy;
    list_push(&stream->waiting, &waiting->link);
    stream->waiting_count++;
    stream->ingest->waiting_bytes += arena->used_bytes;
    ingest_ask(stream->ingest);
}

static void stream_hold_or_go(struct append_stream *stream)
{
    bool hold = ingest_is_held_back(stream->ingest) ||
                stream->waiting_count >= WAITING_REQUESTS_MAX ||
                (stream->waiting_count && stream->ingest->waiting_bytes > WAITING_BYTES_MAX);

    if (hold == stream->paused)
        return;
    stream->paused = hold;
    if (hold)
        rpc_call_pause(stream->call);
    else
        rpc_call_resume(stream->call);
}

/* The client sends no more: the call ends once all is acknowledged. */
static void finish_if_ended(struct append_stream *stream)
{
    if (!stream->ended || stream->ack_count || !list_empty(&stream->waiting))
        return;
    stream->ended = false;
    rpc_call_finish(stream->call);
}

static void stream_wake(struct append_stream *stream)
{
    while (!list_empty(&stream->waiting) && !ingest_is_held_back(stream->ingest)) {
        struct waiting *waiting = LIST_ENTRY(stream->waiting.next, struct waiting, link);
        if (!try_request(stream, waiting->request))
            break;
        waiting_free(stream, waiting);
    }
    acknowledge(stream);
    stream_hold_or_go(stream);
    finish_if_ended(stream);
}

void append_wake(struct ingest *ingest)
{
    LIST_EACH(&ingest->appends, node)
    stream_wake(LIST_ENTRY(node, struct append_stream, link));
    ingest_ask(ingest);
}

void append_end(struct ingest *ingest, const struct error *err)
{
    LIST_EACH(&ingest->appends, node)
    rpc_call_fail(LIST_ENTRY(node, struct append_stream, link)->call, err);
}

/* ---- the call ---- */

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct append_stream *stream = userdata;
    const Plankton__V1__AppendRequest *request = plankton_v1_task_logger_append_request_of(message);
    struct error err;

    if (request->number <= stream->last_number) {
        error_field(&err, STATUS_INVALID_ARGUMENT, "NUMBER_NOT_GROWING", "number",
                    "number %llu after %llu: numbers grow within a stream",
                    (unsigned long long)request->number, (unsigned long long)stream->last_number);
        rpc_call_fail(call, &err);
        return;
    }
    if (request->n_blocks > REQUEST_BLOCKS_MAX) {
        error_field(&err, STATUS_INVALID_ARGUMENT, "TOO_MANY_BLOCKS", "blocks",
                    "at most %d blocks a request", REQUEST_BLOCKS_MAX);
        rpc_call_fail(call, &err);
        return;
    }
    stream->last_number = request->number;
    if (!list_empty(&stream->waiting) || !try_request(stream, request))
        wait_for_attempts(stream, request);
    acknowledge(stream);
    stream_hold_or_go(stream);
}

static void on_end(struct rpc_call *call, void *userdata)
{
    struct append_stream *stream = userdata;

    stream->ended = true;
    finish_if_ended(stream);
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct append_stream *stream = userdata;

    list_remove(&stream->link);
    stream->ingest->append_count--;
    LIST_EACH(&stream->waiting, node)
    waiting_free(stream, LIST_ENTRY(node, struct waiting, link));
    free(stream->acks);
    free(stream->refused);
    free(stream);
}

void ingest_append(struct ingest *ingest, struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = on_message, .on_end = on_end, .on_close = on_close};
    struct append_stream *stream = mem_zalloc(sizeof *stream);

    stream->ingest = ingest;
    stream->call = call;
    list_init(&stream->waiting);
    list_push(&ingest->appends, &stream->link);
    ingest->append_count++;
    rpc_call_set_callbacks(call, &callbacks, stream);
    stream_hold_or_go(stream);
}
