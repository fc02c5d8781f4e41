/* SPDX-License-Identifier: Apache-2.0 */
#include "store/chunk.h"

#include <stdlib.h>
#include <zstd.h>
#include "base/list.h"
#include "base/map.h"
#include "ingest/record.h"

#define COMPRESSION_LEVEL 1 /* -3 is half as fast and saves 3 % */

/* Lines of one attempt within this build. */
struct gathered {
    struct map_node node;
    struct gathered *next; /* in the order of their first record */
    struct lines *first;   /* array */
    size_t count, cap;
};
struct keyed_event {
    uint64_t key_high; /* the first half of the key, as a number that sorts like it */
    struct id key;
    uint64_t number;
    struct stored_event event;
};
struct builder {
    struct arena *arena;
    struct chunks *out;
    ZSTD_CCtx *compressor;
    struct map attempts, doubts;
    bool is_settled; /* doubts were looked up */
    struct gathered *gathered, **gathered_end;
    struct keyed_event *events;
    size_t event_count, event_cap;
    struct line_chunk **lines_end;
    struct event_chunk **events_end;
    uint64_t lsn;
};

/* ---- gathering ---- */

static struct chunk_doubt *doubt_get(struct builder *builder, const struct lines *lines)
{
    uint64_t hash = id_hash(&lines->task) + lines->attempt;
    struct chunk_doubt *doubt;

    for (struct map_node *node = map_first(&builder->doubts, hash); node; node = map_next(node)) {
        doubt = CONTAINER_OF(node, struct chunk_doubt, node);
        if (doubt->attempt == lines->attempt && id_eq(&doubt->task, &lines->task))
            return doubt;
    }
    doubt = ARENA_NEW(builder->arena, struct chunk_doubt);
    doubt->task = lines->task;
    doubt->attempt = lines->attempt;
    doubt->next = builder->out->doubts;
    builder->out->doubts = doubt;
    builder->out->doubt_count++;
    map_insert(&builder->doubts, &doubt->node, hash);
    return doubt;
}

/* Leaves out what is stored; false when nothing remains. */
static bool settle(struct builder *builder, struct lines *lines)
{
    const struct chunk_doubt *doubt = doubt_get(builder, lines);

    if (doubt->last_seq < lines->first_seq)
        return true;
    if (doubt->last_seq >= lines->first_seq + lines->count - 1)
        return false;
    lines_skip(builder->arena, lines, (uint32_t)(doubt->last_seq - lines->first_seq + 1));
    return true;
}

static void take_lines(struct builder *builder, struct lines *lines)
{
    if (lines->flags & LINES_UNVERIFIED && !settle(builder, lines))
        return;
    uint64_t hash = id_hash(&lines->task) + lines->attempt;
    struct gathered *gathered = NULL;

    for (struct map_node *node = map_first(&builder->attempts, hash); node; node = map_next(node)) {
        struct gathered *found = CONTAINER_OF(node, struct gathered, node);
        if (found->first->attempt == lines->attempt && id_eq(&found->first->task, &lines->task))
            gathered = found;
    }
    if (!gathered) {
        gathered = ARENA_NEW(builder->arena, struct gathered);
        map_insert(&builder->attempts, &gathered->node, hash);
        *builder->gathered_end = gathered;
        builder->gathered_end = &gathered->next;
    }
    if (gathered->count == gathered->cap) {
        size_t cap = gathered->cap ? gathered->cap * 2 : 4;
        struct lines *grown = ARENA_ARRAY(builder->arena, struct lines, cap);
        if (gathered->count)
            memcpy(grown, gathered->first, gathered->count * sizeof *grown);
        gathered->first = grown;
        gathered->cap = cap;
    }
    gathered->first[gathered->count++] = *lines;
}

static void take_source(struct builder *builder, const struct events *events)
{
    struct chunk_source *source = builder->out->sources;

    while (source && (source->shard != events->shard || source->timeline != events->timeline))
        source = source->next;
    if (!source) {
        source = ARENA_NEW(builder->arena, struct chunk_source);
        source->timeline = events->timeline;
        source->shard = events->shard;
        source->next = builder->out->sources;
        builder->out->sources = source;
    }
    source->last = MAX_OF(source->last, events->first + events->count - 1);
}

static void take_events(struct builder *builder, const struct events *events)
{
    struct event_ref event;
    bool bad;

    take_source(builder, events);
    if (builder->event_count + events->count > builder->event_cap) {
        builder->event_cap = (builder->event_count + events->count) * 2;
        builder->events =
            mem_realloc(builder->events, builder->event_cap * sizeof *builder->events);
    }
    size_t room = builder->event_cap - builder->event_count;
    for (struct slice rest = events->batch; room && events_next(&rest, &event, &bad); room--) {
        struct keyed_event *to = &builder->events[builder->event_count++];
        *to = (struct keyed_event){.key = *event_key(&event),
                                   .number = event.number,
                                   .event = {.timeline = events->timeline,
                                             .shard = events->shard,
                                             .received_us = events->received_us,
                                             .bytes = event.bytes}};
        memcpy(&to->key_high, to->key.bytes, sizeof to->key_high);
        to->key_high = __builtin_bswap64(to->key_high);
    }
}

static void gather(struct builder *builder, struct slice frames)
{
    struct slice rest = frames, payload;
    uint64_t lsn = builder->lsn, begin;
    struct lines lines;
    struct events events;

    for (;;) {
        enum frame_outcome outcome = frame_next(&rest, &lsn, &begin, &payload);
        if (outcome == FRAME_BAD) {
            /* Damaged since it was written: what follows is still good. */
            size_t skip = frame_find(rest, lsn);
            builder->out->damaged_bytes += skip;
            rest = (struct slice){rest.data + skip, rest.len - skip};
            lsn += skip;
            continue;
        }
        if (outcome == FRAME_CUT)
            break;
        if (lines_parse_record(payload, begin, &lines)) {
            take_lines(builder, &lines);
            builder->out->received_us = lines.received_us;
        } else if (events_parse_record(payload, begin, &events)) {
            take_events(builder, &events);
            builder->out->received_us = events.received_us;
        }
    }
    builder->out->end = lsn;
}

/* ---- cutting ---- */

static struct slice compress(struct builder *builder, const uint8_t *raw, size_t len)
{
    size_t bound = ZSTD_compressBound(len);
    uint8_t *room = mem_alloc(bound);
    size_t n = ZSTD_compress2(builder->compressor, room, bound, raw, len);
    struct slice data = {NULL, 0};

    /* With room for the bound it cannot fail but for lack of memory. */
    if (!ZSTD_isError(n))
        data = (struct slice){arena_memdup(builder->arena, room, n), n};
    free(room);
    builder->out->raw_bytes += len;
    builder->out->stored_bytes += data.len;
    return data;
}

static void cut_lines(struct builder *builder, const struct lines *first, size_t n,
                      size_t raw_bytes)
{
    struct line_chunk *chunk = ARENA_NEW(builder->arena, struct line_chunk);
    const struct lines *last = &first[n - 1];
    uint8_t *raw = mem_alloc(raw_bytes), *at = raw;

    *chunk = (struct line_chunk){.task = first->task,
                                 .run = first->run,
                                 .attempt = first->attempt,
                                 .namespace_id = first->namespace_id,
                                 .raw_bytes = (uint32_t)raw_bytes,
                                 .first_seq = first->first_seq,
                                 .last_seq = last->first_seq + last->count - 1,
                                 .first_lsn = first->lsn,
                                 .last_lsn = last->lsn,
                                 .first_us = first->first_us,
                                 .last_us = last->last_us,
                                 .step = first->step};
    for (size_t i = 0; i < n; i++) {
        at = lines_put_chunk(at, &first[i]);
        chunk->lines += first[i].count;
        chunk->kinds |= lines_kinds(&first[i]);
    }
    chunk->data = compress(builder, raw, raw_bytes);
    free(raw);
    *builder->lines_end = chunk;
    builder->lines_end = &chunk->next;
    builder->out->line_chunks++;
    builder->out->line_count += chunk->lines;
}

static void cut_attempt(struct builder *builder, const struct gathered *gathered)
{
    size_t begin = 0, raw = 0;

    for (size_t i = 0; i < gathered->count; i++) {
        size_t more = lines_chunk_bytes(&gathered->first[i]);
        if (i > begin && raw + more > CHUNK_RAW_BYTES) {
            cut_lines(builder, &gathered->first[begin], i - begin, raw);
            begin = i;
            raw = 0;
        }
        raw += more;
    }
    cut_lines(builder, &gathered->first[begin], gathered->count - begin, raw);
}

static int event_order(const void *a, const void *b)
{
    const struct keyed_event *x = a, *y = b;

    if (x->key_high != y->key_high)
        return x->key_high < y->key_high ? -1 : 1;
    int order = id_cmp(&x->key, &y->key);
    if (order == 0)
        order = x->number < y->number ? -1 : x->number > y->number;
    return order;
}

static void cut_events(struct builder *builder, const struct keyed_event *first, size_t n,
                       size_t raw_max)
{
    struct event_chunk *chunk = ARENA_NEW(builder->arena, struct event_chunk);
    uint8_t *raw = mem_alloc(raw_max), *at = raw;

    for (size_t i = 0; i < n; i++)
        at = stored_event_put(at, &first[i].event);
    *chunk = (struct event_chunk){.min = first->key,
                                  .max = first[n - 1].key,
                                  .lsn = builder->lsn,
                                  .part = (uint32_t)builder->out->event_chunks,
                                  .events = (uint32_t)n,
                                  .raw_bytes = (uint32_t)(at - raw)};
    chunk->data = compress(builder, raw, chunk->raw_bytes);
    free(raw);
    *builder->events_end = chunk;
    builder->events_end = &chunk->next;
    builder->out->event_chunks++;
    builder->out->event_count += n;
}

static bool is_same_span(const struct id *a, const struct id *b)
{
    return id_unix_ms(a) >> CHUNK_SPAN_MS_BITS == id_unix_ms(b) >> CHUNK_SPAN_MS_BITS;
}

static void cut_all_events(struct builder *builder)
{
    struct keyed_event *events = builder->events;
    size_t begin = 0, raw = 0;

    if (!builder->event_count)
        return;
    qsort(events, builder->event_count, sizeof *events, event_order);
    for (size_t i = 0; i < builder->event_count; i++) {
        size_t more = stored_event_bytes(&events[i].event);
        if (i > begin &&
            (raw + more > CHUNK_RAW_BYTES || !is_same_span(&events[begin].key, &events[i].key))) {
            cut_events(builder, &events[begin], i - begin, raw);
            begin = i;
            raw = 0;
        }
        raw += more;
    }
    cut_events(builder, &events[begin], builder->event_count - begin, raw);
}

static enum status build(struct builder *builder, struct slice frames, struct error *err)
{
    struct chunks *out = builder->out;

    builder->compressor = ZSTD_createCCtx();
    if (!builder->compressor)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory for the compressor");
    ZSTD_CCtx_setParameter(builder->compressor, ZSTD_c_compressionLevel, COMPRESSION_LEVEL);
    ZSTD_CCtx_setParameter(builder->compressor, ZSTD_c_checksumFlag,
                           1); /* looked at by chunk_open */
    builder->gathered_end = &builder->gathered;
    builder->lines_end = &out->lines;
    builder->events_end = &out->events;
    map_init(&builder->attempts);
    gather(builder, frames);
    /* With doubts left it is done once more, so the costly part can wait. */
    if (!out->doubts || builder->is_settled) {
        for (struct gathered *gathered = builder->gathered; gathered; gathered = gathered->next)
            cut_attempt(builder, gathered);
        cut_all_events(builder);
    }
    map_fini(&builder->attempts);
    free(builder->events);
    ZSTD_freeCCtx(builder->compressor);
    return STATUS_OK;
}

enum status chunks_build(struct arena *arena, struct slice frames, uint64_t lsn, struct chunks *ret,
                         struct error *err)
{
    struct builder builder = {.arena = arena, .out = ret, .lsn = lsn};

    *ret = (struct chunks){.end = lsn};
    map_init(&builder.doubts);
    enum status st = build(&builder, frames, err);
    map_fini(&builder.doubts);
    return st;
}

enum status chunks_rebuild(struct arena *arena, struct slice frames, uint64_t lsn,
                           struct chunks *chunks, struct error *err)
{
    struct builder builder = {.arena = arena, .out = chunks, .lsn = lsn, .is_settled = true};

    map_init(&builder.doubts);
    for (struct chunk_doubt *doubt = chunks->doubts; doubt; doubt = doubt->next)
        map_insert(&builder.doubts, &doubt->node, id_hash(&doubt->task) + doubt->attempt);
    *chunks =
        (struct chunks){.end = lsn, .doubts = chunks->doubts, .doubt_count = chunks->doubt_count};
    enum status st = build(&builder, frames, err);
    map_fini(&builder.doubts);
    return st;
}

/* ---- back ---- */

/* room holds raw_bytes. */
static enum status decompress(ZSTD_DCtx *context, struct slice data, char *room, size_t raw_bytes,
                              struct slice *ret, struct error *err)
{
    size_t n = context ? ZSTD_decompressDCtx(context, room, raw_bytes, data.data, data.len)
                       : ZSTD_decompress(room, raw_bytes, data.data, data.len);

    if (ZSTD_isError(n) || n != raw_bytes)
        return error_set(err, STATUS_DATA_LOSS, "a chunk cannot be read: %s",
                         ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong size");
    *ret = (struct slice){room, n};
    return STATUS_OK;
}

static enum status raw_bytes_check(size_t raw_bytes, struct error *err)
{
    if (raw_bytes == 0 || raw_bytes > CHUNK_RAW_BYTES_MAX)
        return error_set(err, STATUS_DATA_LOSS, "a chunk claims %zu bytes", raw_bytes);
    return STATUS_OK;
}

enum status chunk_open(struct arena *arena, struct slice data, size_t raw_bytes, struct slice *ret,
                       struct error *err)
{
    if (raw_bytes_check(raw_bytes, err) != STATUS_OK)
        return STATUS_DATA_LOSS;
    return decompress(NULL, data, arena_alloc(arena, raw_bytes), raw_bytes, ret, err);
}

enum status chunk_open_next(struct chunk_opener *opener, struct slice data, size_t raw_bytes,
                            struct slice *ret, struct error *err)
{
    if (raw_bytes_check(raw_bytes, err) != STATUS_OK)
        return STATUS_DATA_LOSS;
    if (raw_bytes > opener->bytes) {
        opener->room = mem_realloc(opener->room, raw_bytes);
        opener->bytes = raw_bytes;
    }
    if (!opener->decompressor) /* without one, for lack of memory, each makes its own */
        opener->decompressor = ZSTD_createDCtx();
    return decompress(opener->decompressor, data, opener->room, raw_bytes, ret, err);
}

void chunk_opener_fini(struct chunk_opener *opener)
{
    ZSTD_freeDCtx(opener->decompressor);
    free(opener->room);
    *opener = (struct chunk_opener){NULL, NULL, 0};
}

struct id chunk_span_floor(const struct id *id)
{
    uint64_t ms = id_unix_ms(id) >> CHUNK_SPAN_MS_BITS << CHUNK_SPAN_MS_BITS;
    struct id floor = {{0}};

    for (int i = 0; i < 6; i++)
        floor.bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
    return floor;
}

void chunk_run_range(const struct id *run, struct id *ret_low, struct id *ret_high)
{
    *ret_low = *ret_high = *run;
    memset(ret_low->bytes + 8, 0, 8);
    memset(ret_high->bytes + 8, 0xff, 8);
}
