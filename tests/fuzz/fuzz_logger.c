/* SPDX-License-Identifier: Apache-2.0 */
/* What the logger parses. First byte: 0 a LogBlock from the wire, taken, written and read back; 1 a
 * file of the spool, through frames, repair, chunks and JSON; 2 the raw bytes of a chunk of lines;
 * 3 of a chunk of events; 4 compressed bytes; 5 an EventBatch; 6 a text of up to 15 bytes, searched
 * in a chunk of lines. */
#include <stdlib.h>
#include "base/text.h"
#include "ingest/record.h"
#include "query/scan.h"
#include "rpc/rpc.h"
#include "sinks/json_lines.h"
#include "store/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Every line that is walked lies within the text, and their numbers follow each other. */
static void walk(const struct lines *lines)
{
    struct line_walk walk = lines_walk(lines);
    struct line line;
    uint64_t seq = lines->first_seq;

    while (lines_next(&walk, &line)) {
        require(line.seq == seq++);
        require(line.text.data >= lines->text.data &&
                line.text.len <= (size_t)(lines->text.data + lines->text.len - line.text.data));
    }
}

static void try_block(struct slice input, struct arena *arena)
{
    ProtobufCMessage *message;
    struct lines_origin origin = {
        .attempt = 1, .received_us = INT64_C(1700000000000000), .not_before_us = INT64_MIN};
    struct lines put, got;
    struct line line;
    struct buf out;
    uint64_t n = 0;

    if (rpc_unpack(&plankton__v1__log_block__descriptor, input, false, arena, &message, NULL) !=
        STATUS_OK)
        return;
    const Plankton__V1__LogBlock *block = (const Plankton__V1__LogBlock *)message;
    if (lines_check(block, NULL) != STATUS_OK)
        return;
    origin.skip = (uint32_t)(input.len % block->n_length);
    buf_init(&out, SIZE_MAX / 2);
    lines_put_record(&out, block, &origin, &put);
    require(lines_parse_record(buf_slice(&out), 1, &got));
    struct line_walk lines = lines_walk(&got);
    for (int64_t last = INT64_MIN; lines_next(&lines, &line); last = line.unix_us, n++)
        require(line.unix_us >= last && line.unix_us >= 0);
    require(n == block->n_length - origin.skip);
    require(text_is_utf8(got.text.data, got.text.len) && !memchr(got.text.data, 0, got.text.len));
    buf_fini(&out);
}

static void put_json(struct slice frames)
{
    struct slice payload;
    struct lines lines;
    struct events events;
    struct json_clock clock = {.second = 0};
    struct buf out;
    uint64_t lsn = 0, begin;

    buf_init(&out, JSON_LINES_BYTES_MAX);
    while (frame_next(&frames, &lsn, &begin, &payload) == FRAME_OK) {
        if (lines_parse_record(payload, begin, &lines)) {
            walk(&lines);
            json_lines_put(&out, &clock, &lines);
        } else if (events_parse_record(payload, begin, &events)) {
            json_events_put(&out, &clock, &events);
        }
    }
    buf_fini(&out);
}

/* The checksums are made right, else nothing would come behind them. */
static void seal(char *data, size_t len)
{
    for (size_t at = 0; len - at >= FRAME_BYTES_MIN;) {
        uint32_t payload;
        memcpy(&payload, data + at, sizeof payload);
        if (payload == 0 || payload > len - at - FRAME_HEAD_BYTES)
            return;
        frames_seal(data + at, FRAME_HEAD_BYTES + payload, at);
        at += FRAME_HEAD_BYTES + payload;
    }
}

static void try_spool(struct slice input, struct arena *arena)
{
    char *copy = arena_memdup(arena, input.data, input.len);
    struct slice frames = {copy, input.len};
    struct chunks chunks;

    require(frame_find(frames, 0) <= frames.len);
    seal(copy, input.len);
    put_json(frames);
    require(chunks_build(arena, frames, 0, &chunks, NULL) == STATUS_OK);
    require(chunks.end <= input.len);
    if (chunks.doubts)
        require(chunks_rebuild(arena, frames, 0, &chunks, NULL) == STATUS_OK);
    for (const struct line_chunk *chunk = chunks.lines; chunk; chunk = chunk->next) {
        struct lines lines = {.count = 0};
        struct slice raw;
        require(chunk_open(arena, chunk->data, chunk->raw_bytes, &raw, NULL) == STATUS_OK);
        while (lines_next_chunk(&raw, &lines))
            walk(&lines);
    }
}

static void try_events(struct slice input)
{
    struct event_ref event;
    bool bad;

    while (events_next(&input, &event, &bad))
        require(event.number && !id_is_nil(event_key(&event)));
}

/* What is found holds the text, and nothing that holds it is left out. */
static void try_search(struct slice input, struct arena *arena)
{
    size_t len = input.len ? (uint8_t)input.data[0] % 16 : 0;
    struct lines lines = {.count = 0};
    struct scan_room room = {NULL, 0};

    if (input.len < len + 1)
        return;
    struct scan scan = {.order = PAGE_TASK,
                        .text = {input.data + 1, len},
                        .levels = LINES_LEVELS,
                        .streams = LINES_STREAMS,
                        .since_us = INT64_MIN,
                        .until_us = INT64_MAX,
                        .limit = SIZE_MAX};
    struct slice chunk = {input.data + 1 + len, input.len - 1 - len};
    while (lines_next_chunk(&chunk, &lines)) {
        struct scan_hits hits = {.arena = arena};
        struct line line;
        size_t n = 0;
        scan_lines(&scan, &lines, &room, 0, &hits);
        if (lines.first_us == INT64_MAX)
            continue;
        for (struct line_walk walk = lines_walk(&lines); lines_next(&walk, &line);)
            if (line.unix_us < scan.until_us &&
                (!len || memmem(line.text.data, line.text.len, scan.text.data, len)))
                require(n < hits.count && hits.lines[n++].key.seq == line.seq);
        require(n == hits.count);
    }
    scan_room_fini(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct slice input = {(const char *)data + 1, size - 1}, raw;
    struct lines lines = {.count = 0};
    struct stored_event stored;

    if (size == 0)
        return 0;
    arena_init(&arena, 0);
    switch (data[0] % 7) {
    case 0:
        try_block(input, &arena);
        break;
    case 1:
        try_spool(input, &arena);
        break;
    case 2:
        while (lines_next_chunk(&input, &lines))
            walk(&lines);
        break;
    case 3:
        while (stored_event_next(&input, &stored))
            require(stored.bytes.len <= size);
        break;
    case 4:
        (void)!chunk_open(&arena, input, 1 + size * 7 % 100000, &raw, NULL);
        break;
    case 5:
        try_events(input);
        break;
    default:
        try_search(input, &arena);
    }
    arena_fini(&arena);
    return 0;
}
