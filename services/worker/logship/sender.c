/* SPDX-License-Identifier: Apache-2.0 */
/* The spool to the logger: reads forward from what was sent, keeps a few requests open, removes
 * what is acknowledged. */
#include <stdlib.h>
#include "log/log.h"
#include "logship/internal.h"
#include "plankton/v1/task_logger.rpc.h"

#define SEGMENT_RETIRE_BYTES                                                                       \
    (1u << 20) /* a current segment this large goes as soon as all of it is acknowledged */
#define REQUEST_BLOCKS_MAX 512
#define READ_BLOCK_BYTES_MAX (4u << 20) /* of memory for the blocks of one request */
#define KEEPALIVE_MS 5000

static bool position_before(struct log_position a, struct log_position b)
{
    return a.segment != b.segment ? a.segment < b.segment : a.offset < b.offset;
}

void sender_check_settled(struct logs *logs)
{
    void (*fn)(void *userdata) = logs->on_settled;

    if (!fn || !logs_is_settled(logs))
        return;
    logs->on_settled = NULL;
    fn(logs->settled_userdata);
}

/* Everything before the acknowledged position may go. */
static void sender_release(struct logs *logs)
{
    struct sender *sender = &logs->sender;
    struct segments *segments = logs->segments;
    struct log_position *done = &sender->acknowledged;

    if (done->segment == segments_current(segments) && done->offset >= SEGMENT_RETIRE_BYTES &&
        done->offset == segments_segment_bytes(segments, done->segment) &&
        segments_rotate(segments, NULL) == STATUS_OK)
        loop_flush_mark(logs->flush);
    uint64_t next = segments_next(segments, done->segment);
    if (next && done->offset >= segments_segment_bytes(segments, done->segment))
        *done = (struct log_position){next, 0};
    if (segments_oldest(segments) < done->segment && logs->options.before_release)
        logs->options.before_release(logs->options.userdata);
    while (segments_oldest(segments) < done->segment)
        segments_remove(segments, segments_oldest(segments));
    if (position_before(sender->sent, *done))
        sender->sent = *done;
}

static void sender_on_message(struct rpc_call *call, const ProtobufCMessage *message,
                              void *userdata)
{
    const Plankton__V1__AppendReply *reply = (const Plankton__V1__AppendReply *)message;
    struct sender_call *context = userdata;
    struct logs *logs = context->logs;

    if (!logs)
        return;
    struct sender *sender = &logs->sender;

    for (size_t i = 0; i < reply->n_refused; i++)
        log_error("logs.refused", LOG_U64("number", reply->refused[i]->number),
                  LOG_STR("reason", reply->refused[i]->reason));
    while (sender->count && sender->requests[sender->first].number <= reply->acknowledged) {
        struct log_request *request = &sender->requests[sender->first];
        if (position_before(sender->acknowledged, request->end))
            sender->acknowledged = request->end;
        sender->first = (sender->first + 1) % SENDER_REQUESTS_MAX;
        sender->count--;
    }
    sender->backoff_ms = 0;
    if (sender->failed_before)
        log_info("logs.connected", LOG_STR("logger", logs->address));
    sender->failed_before = logs->drop_told = false;
    sender_release(logs);
    loop_flush_mark(logs->flush);
}

static void sender_on_writable(struct rpc_call *call, void *userdata)
{
    struct sender_call *context = userdata;

    if (context->logs)
        loop_flush_mark(context->logs->flush);
}

static void sender_on_close(struct rpc_call *call, enum status status, const struct error *err,
                            void *userdata)
{
    struct sender_call *context = userdata;
    struct logs *logs = context->logs;

    free(context);
    if (!logs)
        return;
    struct sender *sender = &logs->sender;
    sender->call = NULL;
    free(sender->chunk);
    sender->chunk = NULL;
    /* What is not acknowledged goes again; the logger drops what it has. */
    sender->count = 0;
    sender->sent = sender->acknowledged;
    sender->backoff_ms =
        MIN_OF(MAX_OF(sender->backoff_ms * 8 / 5, SENDER_RETRY_MIN_MS), logs->options.reconnect_ms);
    if (!sender->failed_before)
        log_info("logs.disconnected", LOG_STR("logger", logs->address), LOG_ERR(err));
    sender->failed_before = true;
    loop_timer_start(sender->retry,
                     sender->backoff_ms + random_u64() % (sender->backoff_ms / 4 + 1), 0);
}

static void sender_open(struct logs *logs)
{
    static const struct rpc_callbacks callbacks = {.on_message = sender_on_message,
                                                   .on_writable = sender_on_writable,
                                                   .on_close = sender_on_close};
    struct sender *sender = &logs->sender;
    struct rpc_call_options options = {.wait_for_ready = true};

    sender->chunk = mem_alloc(SENDER_CHUNK_BYTES);
    sender->call = mem_zalloc(sizeof *sender->call);
    sender->call->logs = logs;
    sender->call->call = rpc_channel_call(sender->channel, &plankton_v1_task_logger_append,
                                          &options, &callbacks, sender->call);
    loop_flush_mark(logs->flush);
}

static void sender_retry_cb(void *userdata)
{
    struct logs *logs = userdata;

    if (!logs->sender.call)
        sender_open(logs);
}

void sender_start(struct logs *logs)
{
    struct sender *sender = &logs->sender;
    struct rpc_channel_options options =
        rpc_channel_defaults(logs->authorization, logs->options.tls);

    options.backoff_max_ms = logs->options.reconnect_ms;
    options.keepalive_ms = KEEPALIVE_MS;
    sender->channel = rpc_channel_new(logs->loop, logs->address, &options);
    sender->retry = loop_timer_new(logs->loop, sender_retry_cb, logs);
    sender->next_number = 1;
    sender_open(logs);
}

void sender_stop(struct logs *logs)
{
    struct sender *sender = &logs->sender;

    if (sender->call)
        sender->call->logs = NULL; /* its on_close frees it */
    sender->call = NULL;
    sender->count = 0;
    sender->sent = sender->acknowledged;
    free(sender->chunk);
    sender->chunk = NULL;
    loop_timer_free(sender->retry);
    sender->retry = NULL;
    rpc_channel_free(sender->channel);
    sender->channel = NULL;
}

void sender_rewind(struct logs *logs, uint64_t segment)
{
    struct sender *sender = &logs->sender;

    if (sender->sent.segment != segment && sender->acknowledged.segment != segment)
        return;
    /* The positions of requests under way mean nothing any more: what follows the segment may be
     * sent twice. */
    for (size_t i = 0; i < sender->count; i++)
        sender->requests[(sender->first + i) % SENDER_REQUESTS_MAX].end = (struct log_position){0};
    sender->sent = sender->acknowledged = (struct log_position){segment, 0};
}

/* Whole records from a chunk into one request. Returns the bytes used; damaged ones end the
 * segment. */
static size_t sender_request(struct logs *logs, const char *data, size_t len, bool *ret_damaged,
                             Plankton__V1__AppendRequest *request, struct arena *arena)
{
    size_t at = 0;
    struct slice payload;

    request->blocks = ARENA_ARRAY(arena, Plankton__V1__LogBlock *, REQUEST_BLOCKS_MAX);
    while (request->n_blocks < REQUEST_BLOCKS_MAX) {
        ProtobufCMessage *message;
        int got = segments_parse(data + at, len - at, &payload);
        if (got <= 0) {
            *ret_damaged = got < 0;
            break;
        }
        if (rpc_unpack(&plankton__v1__log_block__descriptor, payload, false, arena, &message,
                       NULL) == STATUS_OK)
            request->blocks[request->n_blocks++] = (Plankton__V1__LogBlock *)message;
        at += SEGMENT_HEADER_BYTES + payload.len;
    }
    return at;
}

/* Sends one request; false when there is nothing to send or the call takes no more. */
static bool sender_step(struct logs *logs)
{
    struct sender *sender = &logs->sender;
    Plankton__V1__AppendRequest request = PLANKTON__V1__APPEND_REQUEST__INIT;
    struct error err = {0};
    bool damaged = false;
    size_t len;

    enum status st = segments_read_raw(logs->segments, sender->sent.segment, sender->sent.offset,
                                       sender->chunk, SENDER_CHUNK_BYTES, &len, &err);
    uint64_t next = segments_next(logs->segments, sender->sent.segment);
    if (st != STATUS_OK)
        log_error("logs.read_failed", LOG_U64("segment", sender->sent.segment), LOG_ERR(&err));
    if (st != STATUS_OK || len == 0) {
        if (next)
            sender->sent = (struct log_position){next, 0};
        return next != 0;
    }
    struct arena arena;
    arena_init(&arena, READ_BLOCK_BYTES_MAX);
    size_t used = sender_request(logs, sender->chunk, len, &damaged, &request, &arena);
    struct log_position end = {sender->sent.segment, sender->sent.offset + used};
    request.number = sender->next_number;
    bool sent = request.n_blocks && rpc_call_send(sender->call->call, &request.base) == STATUS_OK;
    arena_fini(&arena);
    if (sent) {
        sender->requests[(sender->first + sender->count++) % SENDER_REQUESTS_MAX] =
            (struct log_request){sender->next_number++, end};
        sender->sent = end;
        return true;
    }
    if (used == 0 && damaged && next) {
        log_error("logs.damaged", LOG_U64("segment", sender->sent.segment),
                  LOG_U64("offset", sender->sent.offset));
        sender->sent = (struct log_position){next, 0};
        return true;
    }
    return false;
}

void sender_pump(struct logs *logs)
{
    struct sender *sender = &logs->sender;

    while (sender->call && sender->count < SENDER_REQUESTS_MAX &&
           rpc_call_writable(sender->call->call)) {
        if (!sender_step(logs))
            break;
    }
    sender_check_settled(logs);
}
