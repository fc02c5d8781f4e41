/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "log/log.h"
#include "logship/internal.h"
#include "logship/lines.h"

#define FLUSH_ORDER 10 /* before results are written and sent */
#define BATCHES_SPARE_MAX 256
#define BATCH_KEEP_BYTES (64u << 10) /* of text memory that a spare batch may keep */

/* The lines of one attempt in one turn. */
struct log_batch {
    struct list node;
    struct log_writer *writer; /* NULL when its attempt is gone already */
    uint8_t token[TOKEN_BYTES_MAX];
    size_t token_len;
    char step[STEP_BYTES_MAX];
    uint64_t first_seq;
    int64_t base_us, last_us;
    struct buf text;
    uint32_t count, cap;
    uint32_t *length, *dt_us;
    uint8_t *stream_level;
};

static struct log_batch *batch_new(void)
{
    struct log_batch *batch = mem_zalloc(sizeof *batch);

    buf_init(&batch->text, LOG_BLOCK_TEXT_BYTES_MAX + LINE_BYTES_MAX);
    return batch;
}

static void batch_free(struct log_batch *batch)
{
    buf_fini(&batch->text);
    free(batch->length);
    free(batch->dt_us);
    free(batch->stream_level);
    free(batch);
}

static void batch_reserve(struct log_batch *batch)
{
    if (batch->count < batch->cap)
        return;
    batch->cap = batch->cap ? batch->cap * 2 : 16;
    batch->length = mem_realloc(batch->length, batch->cap * sizeof *batch->length);
    batch->dt_us = mem_realloc(batch->dt_us, batch->cap * sizeof *batch->dt_us);
    batch->stream_level = mem_realloc(batch->stream_level, batch->cap);
}

bool logs__append_block(struct logs *logs, const Plankton__V1__LogBlock *block)
{
    size_t bytes = plankton__v1__log_block__get_packed_size(block);
    struct segment_place place;

    buf_clear(&logs->scratch);
    uint8_t *out = buf_reserve(&logs->scratch, bytes);
    if (!out)
        return false;
    logs->scratch.len += plankton__v1__log_block__pack(block, out);
    enum status st = segments_append(logs->segments, buf_slice(&logs->scratch), &place);
    if (st != STATUS_OK && !logs->refused)
        log_error("logs.dropped", LOG_STR("why", "the log spool cannot be written"));
    logs->refused = st != STATUS_OK;
    return st == STATUS_OK;
}

/* Into the spool; the batch is empty afterwards. */
static void batch_spool(struct logs *logs, struct log_batch *batch)
{
    Plankton__V1__LogBlock block = PLANKTON__V1__LOG_BLOCK__INIT;

    block.token = (ProtobufCBinaryData){batch->token_len, batch->token};
    block.first_seq = batch->first_seq;
    block.base_unix_us = batch->base_us;
    block.text = (ProtobufCBinaryData){batch->text.len, (uint8_t *)batch->text.data};
    block.n_length = block.n_dt_us = batch->count;
    block.length = batch->length;
    block.dt_us = batch->dt_us;
    block.stream_level = (ProtobufCBinaryData){batch->count, batch->stream_level};
    block.step = batch->step;
    if (!logs->address || *logs->address)
        (void)logs__append_block(logs, &block);
    buf_clear(&batch->text);
    batch->count = 0;
}

static struct log_batch *logs_batch(struct logs *logs, struct log_writer *writer,
                                    const struct log_origin *origin)
{
    struct log_batch *batch = LIST_FIRST(&logs->spare, struct log_batch, node);

    if (batch) {
        list_remove(&batch->node);
        logs->spare_count--;
    } else {
        batch = batch_new();
    }
    batch->writer = writer;
    batch->token_len = MIN_OF(origin->token_len, sizeof batch->token);
    memcpy(batch->token, origin->token, batch->token_len);
    size_t step_len = MIN_OF(origin->step ? strlen(origin->step) : 0, sizeof batch->step - 1);
    memcpy(batch->step, origin->step ? origin->step : "", step_len);
    batch->step[step_len] = '\0';
    writer->batch = batch;
    list_push(&logs->dirty, &batch->node);
    loop_flush_mark(logs->flush);
    return batch;
}

void logs_line(struct logs *logs, struct log_writer *writer, const struct log_origin *origin,
               enum log_source source, enum log_severity severity, bool continued,
               struct slice text)
{
    struct log_batch *batch = writer->batch ? writer->batch : logs_batch(logs, writer, origin);
    int64_t now = clock_unix_us();

    if (batch->count == LOG_BLOCK_LINES_MAX ||
        batch->text.len + text.len > LOG_BLOCK_TEXT_BYTES_MAX)
        batch_spool(logs, batch);
    if (batch->count == 0) {
        batch->first_seq = writer->last_seq + 1;
        batch->base_us = batch->last_us = now;
    }
    batch_reserve(batch);
    /* A clock set back must not become a huge step forward. */
    int64_t step = now > batch->last_us ? MIN_OF(now - batch->last_us, (int64_t)UINT32_MAX) : 0;
    batch->last_us += step;
    batch->dt_us[batch->count] = (uint32_t)step;
    batch->length[batch->count] = (uint32_t)text.len;
    batch->stream_level[batch->count] =
        (uint8_t)(severity << 4 | (continued ? LOG_LINE_CONTINUES : 0) | source);
    batch->count++;
    buf_put(&batch->text, text.data, text.len);
    writer->last_seq++;
    logs->lines_total++;
}

void logs_detach(struct log_writer *writer)
{
    if (writer->batch)
        writer->batch->writer = NULL;
    writer->batch = NULL;
}

static void logs_release(struct logs *logs, struct log_batch *batch)
{
    if (batch->writer)
        batch->writer->batch = NULL;
    if (logs->spare_count < BATCHES_SPARE_MAX && batch->text.cap <= BATCH_KEEP_BYTES) {
        list_push(&logs->spare, &batch->node);
        logs->spare_count++;
    } else {
        batch_free(batch);
    }
}

void logs_flush(struct logs *logs)
{
    struct error err = {0};

    LIST_EACH(&logs->dirty, node)
    {
        struct log_batch *batch = LIST_ENTRY(node, struct log_batch, node);
        list_remove(node);
        if (batch->count)
            batch_spool(logs, batch);
        logs_release(logs, batch);
    }
    if (segments_write(logs->segments, &err) != STATUS_OK && !logs->refused) {
        log_error("logs.write_failed", LOG_ERR(&err));
        logs->refused = true;
    }
    logs__limit(logs);
}

static void logs_flush_cb(void *userdata)
{
    struct logs *logs = userdata;

    logs_flush(logs);
    sender_pump(logs);
}

/* A block of a predecessor: its lost attempts continue their numbering from here. */
static void logs_scan(struct segment_place place, struct slice payload, void *userdata)
{
    struct logs *logs = userdata;
    struct arena arena;
    ProtobufCMessage *message;

    arena_init(&arena, 0);
    if (rpc_unpack(&plankton__v1__log_block__descriptor, payload, false, &arena, &message, NULL) ==
        STATUS_OK) {
        const Plankton__V1__LogBlock *block = (const Plankton__V1__LogBlock *)message;
        struct journal_entry *entry =
            journal_find(logs->journal, block->token.data, block->token.len);
        if (entry && block->n_length)
            entry->last_log_seq =
                MAX_OF(entry->last_log_seq, block->first_seq + block->n_length - 1);
    }
    arena_fini(&arena);
}

enum status logs_open(struct loop *loop, const struct logs_options *options,
                      struct journal *journal, struct logs **ret, struct error *err)
{
    struct logs *logs = mem_zalloc(sizeof *logs);

    logs->loop = loop;
    logs->options = *options;
    logs->authorization = options->authorization ? mem_strdup(options->authorization) : NULL;
    logs->journal = journal;
    list_init(&logs->dirty);
    list_init(&logs->spare);
    buf_init(&logs->scratch, SEGMENT_RECORD_BYTES_MAX);
    logs->flush = loop_flush_new(loop, FLUSH_ORDER, logs_flush_cb, logs);
    /* Several segments below the limit, so that it does not take everything at once. */
    enum status st =
        segments_open(options->dir, "logs", MIN_OF(LOG_SEGMENT_BYTES, options->spool_bytes / 4 + 1),
                      logs_scan, logs, &logs->segments, err);
    if (st != STATUS_OK) {
        logs_close(logs);
        return st;
    }
    logs->sender.sent.segment = segments_oldest(logs->segments);
    logs->sender.acknowledged = logs->sender.sent;
    *ret = logs;
    return STATUS_OK;
}

void logs_close(struct logs *logs)
{
    if (!logs)
        return;
    sender_stop(logs);
    if (logs->segments)
        logs_flush(logs);
    LIST_EACH(&logs->spare, node)
    {
        list_remove(node);
        batch_free(LIST_ENTRY(node, struct log_batch, node));
    }
    segments_close(logs->segments);
    loop_flush_free(logs->flush);
    buf_fini(&logs->scratch);
    free(logs->authorization);
    free(logs->address);
    free(logs);
}

void logs_set_address(struct logs *logs, const char *address)
{
    if (str_eq(logs->address, address))
        return;
    sender_stop(logs);
    free(logs->address);
    logs->address = address ? mem_strdup(address) : NULL;
    if (address && *address)
        sender_start(logs);
}

struct segments *logs_segments(struct logs *logs)
{
    return logs->segments;
}

uint64_t logs_unacknowledged_bytes(const struct logs *logs)
{
    const struct log_position *done = &logs->sender.acknowledged;
    uint64_t oldest = segments_oldest(logs->segments);

    return segments_bytes(logs->segments) - (done->segment == oldest ? done->offset : 0);
}

bool logs_is_settled(const struct logs *logs)
{
    if (logs->address && !*logs->address)
        return true;
    return list_empty(&logs->dirty) && logs_unacknowledged_bytes(logs) == 0;
}

uint64_t logs_lines_total(const struct logs *logs)
{
    return logs->lines_total;
}

void logs_on_settled(struct logs *logs, void (*fn)(void *userdata), void *userdata)
{
    logs->on_settled = fn;
    logs->settled_userdata = userdata;
    loop_flush_mark(logs->flush); /* looks, and calls from the loop */
}
