/* SPDX-License-Identifier: Apache-2.0 */
/* The spool's limit: the oldest whole segment becomes one line for each attempt that had lines in
 * it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/map.h"
#include "log/log.h"
#include "logship/internal.h"

#define GAP_TEXT_BYTES 128

/* Lines of one attempt that are dropped. */
struct log_gap {
    struct map_node node;
    struct log_gap *next; /* in the order of their first lines */
    ProtobufCBinaryData token;
    char *step;
    uint64_t first_seq, last_seq;
    int64_t base_us;
};
struct overflow {
    struct arena arena;
    struct map by_token;
    struct log_gap *first, **last;
    size_t count;
};

static struct log_gap *overflow_find(struct overflow *overflow, const Plankton__V1__LogBlock *block)
{
    uint64_t hash = hash_bytes(block->token.data, block->token.len);

    for (struct map_node *n = map_first(&overflow->by_token, hash); n; n = map_next(n)) {
        struct log_gap *gap = CONTAINER_OF(n, struct log_gap, node);
        if (gap->token.len == block->token.len &&
            memcmp(gap->token.data, block->token.data, gap->token.len) == 0)
            return gap;
    }
    struct log_gap *gap = ARENA_NEW(&overflow->arena, struct log_gap);
    gap->token.len = block->token.len;
    gap->token.data = arena_memdup(&overflow->arena, block->token.data, block->token.len);
    gap->step = arena_strdup(&overflow->arena, block->step);
    gap->first_seq = block->first_seq;
    gap->base_us = block->base_unix_us;
    map_insert(&overflow->by_token, &gap->node, hash);
    *overflow->last = gap;
    overflow->last = &gap->next;
    overflow->count++;
    return gap;
}

static void overflow_block(struct overflow *overflow, struct slice payload)
{
    struct arena arena;
    ProtobufCMessage *message;

    arena_init(&arena, 0);
    if (rpc_unpack(&plankton__v1__log_block__descriptor, payload, false, &arena, &message, NULL) ==
        STATUS_OK) {
        const Plankton__V1__LogBlock *block = (const Plankton__V1__LogBlock *)message;
        struct log_gap *gap = overflow_find(overflow, block);
        gap->last_seq = block->first_seq + (block->n_length ? block->n_length - 1 : 0);
    }
    arena_fini(&arena);
}

static void overflow_read(struct logs *logs, uint64_t segment, struct overflow *overflow)
{
    AUTO(free_ptr) char *chunk = mem_alloc(SENDER_CHUNK_BYTES);
    uint64_t offset = 0;
    size_t len;

    while (segments_read_raw(logs->segments, segment, offset, chunk, SENDER_CHUNK_BYTES, &len,
                             NULL) == STATUS_OK &&
           len) {
        size_t at = 0;
        struct slice payload;
        while (segments_parse(chunk + at, len - at, &payload) == 1) {
            overflow_block(overflow, payload);
            at += SEGMENT_HEADER_BYTES + payload.len;
        }
        if (at == 0)
            return;
        offset += at;
    }
}

/* The line that stands for the dropped ones has the number of the first; the numbers after it are
 * missing, visibly. */
static struct slice gap_record(struct overflow *overflow, const struct log_gap *gap)
{
    Plankton__V1__LogBlock block = PLANKTON__V1__LOG_BLOCK__INIT;
    char *text = arena_printf(&overflow->arena,
                              "cut: lines %" PRIu64 " to %" PRIu64
                              " were dropped, the worker's log spool was full",
                              gap->first_seq, gap->last_seq);
    uint32_t length = (uint32_t)strlen(text), dt_us = 0;
    uint8_t stream_level = LOG_SEVERITY_WARN << 4 | LOG_SOURCE_SYSTEM;

    block.token = gap->token;
    block.first_seq = gap->first_seq;
    block.base_unix_us = gap->base_us;
    block.text = (ProtobufCBinaryData){length, (uint8_t *)text};
    block.n_length = block.n_dt_us = 1;
    block.length = &length;
    block.dt_us = &dt_us;
    block.stream_level = (ProtobufCBinaryData){1, &stream_level};
    block.step = gap->step;
    char *out = arena_alloc(&overflow->arena, plankton__v1__log_block__get_packed_size(&block));
    size_t len = plankton__v1__log_block__pack(&block, (uint8_t *)out);
    return (struct slice){out, len};
}

static void logs_drop(struct logs *logs, uint64_t segment)
{
    struct overflow overflow = {.first = NULL};
    struct error err = {0};
    size_t n = 0;

    arena_init(&overflow.arena, 0);
    map_init(&overflow.by_token);
    overflow.last = &overflow.first;
    if (logs->options.before_release)
        logs->options.before_release(logs->options.userdata);
    overflow_read(logs, segment, &overflow);
    struct slice *records = ARENA_ARRAY(&overflow.arena, struct slice, overflow.count + 1);
    for (struct log_gap *gap = overflow.first; gap; gap = gap->next)
        records[n++] = gap_record(&overflow, gap);
    if (segments_replace(logs->segments, segment, records, n, &err) != STATUS_OK) {
        log_error("logs.drop_failed", LOG_ERR(&err));
    } else {
        if (!logs->drop_told)
            log_warn("logs.dropped", LOG_U64("segment", segment), LOG_U64("attempts", n),
                     LOG_STR("why", "the logger has been away and the spool is full"));
        logs->drop_told = true;
        sender_rewind(logs, segment);
    }
    logs->gaps_until = segment;
    map_fini(&overflow.by_token);
    arena_fini(&overflow.arena);
}

void logs__limit(struct logs *logs)
{
    struct segments *segments = logs->segments;

    while (segments_bytes(segments) > logs->options.spool_bytes) {
        uint64_t victim = segments_next(segments, logs->gaps_until);
        /* Nothing but the current one: end it, so that it can be dropped. */
        if (victim == segments_current(segments) && segments_rotate(segments, NULL) != STATUS_OK)
            return;
        if (!victim || victim == segments_current(segments))
            return;
        logs_drop(logs, victim);
    }
}
