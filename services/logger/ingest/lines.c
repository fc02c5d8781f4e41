/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/lines.h"

#include <assert.h>
#include "base/text.h"
#include "ingest/bytes.h"
#include "ingest/record.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are written as the machine counts");

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */
#define REPLACEMENT_BYTES (sizeof REPLACEMENT - 1)

/* ---- what came ---- */

static enum status refuse(struct error *err, const char *reason, const char *what)
{
    return error_field(err, STATUS_INVALID_ARGUMENT, reason, NULL, "%s", what);
}

enum status lines_check(const Plankton__V1__LogBlock *block, struct error *err)
{
    uint64_t sum = 0;
    size_t n = block->n_length;

    if (block->text.len > LOG_TEXT_BYTES_MAX)
        return refuse(err, "BLOCK_TOO_LARGE", "the text of a block is longer than 1 MiB");
    if (n == 0 || n > LOG_BLOCK_LINES_MAX)
        return refuse(err, "BLOCK_MALFORMED", "a block has 1 to 65536 lines");
    if (block->n_dt_us != n || block->stream_level.len != n)
        return refuse(err, "BLOCK_MALFORMED",
                      "length, dt_us and stream_level do not have one value a line");
    if (block->first_seq == 0 || block->first_seq > INT64_MAX - n)
        return refuse(err, "BLOCK_MALFORMED", "first_seq counts from 1");
    for (size_t i = 0; i < n; i++) {
        if (block->length[i] > LOG_LINE_BYTES_MAX)
            return refuse(err, "LINE_TOO_LONG", "a line is longer than 64 KiB");
        sum += block->length[i];
    }
    if (sum != block->text.len)
        return refuse(err, "BLOCK_MALFORMED", "the lengths do not add up to the text");
    return STATUS_OK;
}

/* Valid as a whole does not make each line valid: a cut may lie within a character. */
static bool text_is_clean(const Plankton__V1__LogBlock *block)
{
    const char *text = (const char *)block->text.data;
    size_t at = 0;

    if (memchr(text, 0, block->text.len) || !text_is_utf8(text, block->text.len))
        return false;
    for (size_t i = 0; i < block->n_length; at += block->length[i++])
        if (block->length[i] && ((uint8_t)text[at] & 0xc0) == 0x80)
            return false;
    return true;
}

/* Length of the character at data: 0 when it is none. */
static size_t character_bytes(const char *data, size_t len)
{
    uint8_t lead = (uint8_t)*data;
    size_t want = lead == 0 ? 0 : lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    return want && want <= len && text_is_utf8(data, want) ? want : 0;
}

/* One line with U+FFFD for each invalid byte. */
static uint8_t *put_repaired(uint8_t *at, const char *data, size_t len)
{
    for (size_t i = 0, step; i < len; i += step) {
        size_t good = character_bytes(data + i, len - i);
        step = good ? good : 1;
        at = good ? write_bytes(at, data + i, good)
                  : write_bytes(at, REPLACEMENT, REPLACEMENT_BYTES);
    }
    return at;
}

/* ---- the record ----
 * type, flags, u16 step bytes, u32 namespace, task, run, u32 attempt, u64 first_seq, u64 received,
 * i64 first, i64 last, u32 count, u32 meta bytes, u32 text bytes; step, meta, text. Sizes that are
 * known only at the end are patched in. */
#define RECORD_HEAD_BYTES (1 + 1 + 2 + 4 + 16 + 16 + 4 + 8 + 8 + 8 + 8 + 4 + 4 + 4)

/* Lengths and times; moves ret's times. The text stands behind and is written by the caller. */
static uint8_t *put_numbers(uint8_t *at, const Plankton__V1__LogBlock *block,
                            const uint32_t *lengths, const struct lines_origin *origin,
                            struct lines *ret)
{
    int64_t time = block->base_unix_us, ahead = origin->received_us + LOG_FUTURE_US_MAX, last = 0;
    size_t n = block->n_length, skip = origin->skip;

    for (size_t i = 0; i < n; i++) {
        if (time < INT64_MAX - UINT32_MAX)
            time += block->dt_us[i];
        if (i < skip)
            continue;
        int64_t shown = time < 0 || time > ahead ? origin->received_us : time;
        int64_t floor = i == skip ? origin->not_before_us : last;
        shown = MAX_OF(shown, floor);
        if (i == skip)
            ret->first_us = last = shown;
        at = write_varint(at, lengths ? lengths[i] : block->length[i]);
        at = write_varint(at, (uint64_t)(shown - last));
        last = shown;
    }
    ret->last_us = last;
    return write_bytes(at, block->stream_level.data + skip, n - skip);
}

static void put_head(uint8_t *at, const struct lines *lines)
{
    *at++ = RECORD_LINES;
    *at++ = lines->flags;
    at = write_u16(at, (uint16_t)lines->step.len);
    at = write_u32(at, lines->namespace_id);
    at = write_bytes(at, lines->task.bytes, ID_BYTES);
    at = write_bytes(at, lines->run.bytes, ID_BYTES);
    at = write_u32(at, lines->attempt);
    at = write_u64(at, lines->first_seq);
    at = write_u64(at, (uint64_t)lines->received_us);
    at = write_u64(at, (uint64_t)lines->first_us);
    at = write_u64(at, (uint64_t)lines->last_us);
    at = write_u32(at, lines->count);
    at = write_u32(at, (uint32_t)lines->meta.len);
    write_u32(at, (uint32_t)lines->text.len);
}

/* Text with invalid bytes goes first to where it will stand at the latest, since its lengths come
 * before it. */
static uint8_t *put_body_repaired(uint8_t *at, const Plankton__V1__LogBlock *block,
                                  const struct lines_origin *origin, struct lines *ret)
{
    uint32_t *lengths = mem_alloc(block->n_length * sizeof *lengths);
    uint8_t *text = mem_alloc(REPLACEMENT_BYTES * block->text.len + 1), *end = text;
    const char *from = (const char *)block->text.data;

    for (size_t i = 0; i < block->n_length; from += block->length[i++]) {
        if (i < origin->skip)
            continue;
        uint8_t *next = put_repaired(end, from, block->length[i]);
        lengths[i] = (uint32_t)(next - end);
        end = next;
    }
    uint8_t *numbers = at;
    at = put_numbers(at, block, lengths, origin, ret);
    ret->meta = (struct slice){(char *)numbers, (size_t)(at - numbers)};
    ret->text = (struct slice){(char *)at, (size_t)(end - text)};
    at = write_bytes(at, text, ret->text.len);
    free_ptr(&lengths);
    free_ptr(&text);
    return at;
}

static uint8_t *put_body(uint8_t *at, const Plankton__V1__LogBlock *block,
                         const struct lines_origin *origin, struct lines *ret)
{
    size_t text_at = 0;
    uint8_t *numbers = at;

    if (!text_is_clean(block))
        return put_body_repaired(at, block, origin, ret);
    for (size_t i = 0; i < origin->skip; i++)
        text_at += block->length[i];
    at = put_numbers(at, block, NULL, origin, ret);
    ret->meta = (struct slice){(char *)numbers, (size_t)(at - numbers)};
    ret->text = (struct slice){(char *)at, block->text.len - text_at};
    return write_bytes(at, block->text.data + text_at, ret->text.len);
}

void lines_put_record(struct buf *out, const Plankton__V1__LogBlock *block,
                      const struct lines_origin *origin, struct lines *ret)
{
    uint8_t *head = buf_reserve(out, LINES_BYTES_MAX);
    uint8_t *at = head + RECORD_HEAD_BYTES;
    size_t step_len = strlen(block->step);

    assert(head && origin->skip < block->n_length);
    if (step_len > LOG_STEP_BYTES_MAX || !text_is_utf8(block->step, step_len))
        step_len = 0; /* for display only */
    *ret = (struct lines){.task = origin->task,
                          .run = origin->run,
                          .namespace_id = origin->namespace_id,
                          .attempt = origin->attempt,
                          .first_seq = block->first_seq + origin->skip,
                          .received_us = origin->received_us,
                          .count = (uint32_t)(block->n_length - origin->skip),
                          .flags = origin->flags,
                          .step = {(char *)at, step_len}};
    at = write_bytes(at, block->step, step_len);
    at = put_body(at, block, origin, ret);
    put_head(head, ret);
    out->len += (size_t)(at - head);
}

static bool has_meta(const struct lines *lines)
{
    /* two numbers of at least a byte, and a level */
    return lines->count && lines->meta.len >= (size_t)lines->count * 3;
}

bool lines_parse_record(struct slice payload, uint64_t lsn, struct lines *ret)
{
    struct reader reader = reader_of(payload);
    uint8_t type = read_u8(&reader);

    *ret = (struct lines){.lsn = lsn, .flags = read_u8(&reader)};
    size_t step_len = read_u16(&reader);
    ret->namespace_id = read_u32(&reader);
    ret->task = read_id(&reader);
    ret->run = read_id(&reader);
    ret->attempt = read_u32(&reader);
    ret->first_seq = read_u64(&reader);
    ret->received_us = (int64_t)read_u64(&reader);
    ret->first_us = (int64_t)read_u64(&reader);
    ret->last_us = (int64_t)read_u64(&reader);
    ret->count = read_u32(&reader);
    size_t meta_len = read_u32(&reader), text_len = read_u32(&reader);
    ret->step = read_slice(&reader, step_len);
    ret->meta = read_slice(&reader, meta_len);
    ret->text = read_slice(&reader, text_len);
    return type == RECORD_LINES && !reader.bad && reader_left(&reader) == 0 && has_meta(ret);
}

/* ---- within a chunk ----
 * u64 lsn, u64 first_seq, u64 received, i64 first, i64 last, u32 count, u32 meta bytes, u32 text
 * bytes, flags; meta, text */
#define CHUNK_HEAD_BYTES (8 + 8 + 8 + 8 + 8 + 4 + 4 + 4 + 1)

size_t lines_chunk_bytes(const struct lines *lines)
{
    return CHUNK_HEAD_BYTES + lines->meta.len + lines->text.len;
}

uint8_t *lines_put_chunk(uint8_t *at, const struct lines *lines)
{
    at = write_u64(at, lines->lsn);
    at = write_u64(at, lines->first_seq);
    at = write_u64(at, (uint64_t)lines->received_us);
    at = write_u64(at, (uint64_t)lines->first_us);
    at = write_u64(at, (uint64_t)lines->last_us);
    at = write_u32(at, lines->count);
    at = write_u32(at, (uint32_t)lines->meta.len);
    at = write_u32(at, (uint32_t)lines->text.len);
    *at++ = lines->flags;
    at = write_bytes(at, lines->meta.data, lines->meta.len);
    return write_bytes(at, lines->text.data, lines->text.len);
}

bool lines_next_chunk(struct slice *chunk, struct lines *ret)
{
    struct reader reader = reader_of(*chunk);

    if (!chunk->len)
        return false;
    ret->lsn = read_u64(&reader);
    ret->first_seq = read_u64(&reader);
    ret->received_us = (int64_t)read_u64(&reader);
    ret->first_us = (int64_t)read_u64(&reader);
    ret->last_us = (int64_t)read_u64(&reader);
    ret->count = read_u32(&reader);
    size_t meta_len = read_u32(&reader), text_len = read_u32(&reader);
    ret->flags = read_u8(&reader);
    ret->meta = read_slice(&reader, meta_len);
    ret->text = read_slice(&reader, text_len);
    if (reader.bad || !has_meta(ret)) {
        chunk->len = 0;
        return false;
    }
    *chunk = (struct slice){(const char *)reader.at, reader_left(&reader)};
    return true;
}

/* ---- line by line ---- */

struct line_walk lines_walk(const struct lines *lines)
{
    const uint8_t *meta = (const uint8_t *)lines->meta.data;
    const uint8_t *levels = meta + lines->meta.len - lines->count;

    return (struct line_walk){.lines = lines,
                              .numbers = meta,
                              .levels = levels,
                              .levels_end = levels + lines->count,
                              .unix_us = lines->first_us};
}

bool lines_next(struct line_walk *walk, struct line *ret)
{
    const struct lines *lines = walk->lines;

    if (walk->index >= lines->count)
        return false;
    struct reader reader = {walk->numbers, walk->levels, false};
    uint64_t len = read_varint(&reader), dt = read_varint(&reader);
    if (reader.bad || len > lines->text.len - walk->text_at || dt > (uint64_t)INT64_MAX / 2) {
        walk->index = lines->count;
        return false;
    }
    walk->numbers = reader.at;
    walk->unix_us = (int64_t)((uint64_t)walk->unix_us + dt);
    *ret = (struct line){.seq = lines->first_seq + walk->index,
                         .unix_us = walk->unix_us,
                         .stream_level = walk->levels[walk->index],
                         .text = {lines->text.data + walk->text_at, (size_t)len}};
    walk->text_at += (size_t)len;
    walk->index++;
    return true;
}

uint32_t lines_kinds(const struct lines *lines)
{
    const uint8_t *level = (const uint8_t *)lines->meta.data + lines->meta.len - lines->count;
    uint32_t kinds = 0;

    for (uint32_t i = 0; i < lines->count; i++) {
        uint32_t graveness = level[i] >> 4, stream = level[i] & 7;
        kinds |= LINES_LEVEL_BIT(graveness <= 4 ? graveness : 0);
        kinds |= LINES_STREAM_BIT(stream <= 2 ? stream : 0);
    }
    return kinds;
}

void lines_skip(struct arena *arena, struct lines *lines, uint32_t n)
{
    struct line_walk walk = lines_walk(lines);
    struct line line = {.unix_us = lines->first_us};
    size_t left = lines->count - n;

    for (uint32_t i = 0; i < n; i++)
        lines_next(&walk, &line);
    /* The first number of time counts from first_us: that of the last line dropped. */
    size_t numbers = (size_t)(walk.levels - walk.numbers);
    char *meta = arena_alloc(arena, numbers + left);
    memcpy(meta, walk.numbers, numbers);
    memcpy(meta + numbers, walk.levels + n, left);
    lines->meta = (struct slice){meta, numbers + left};
    lines->text = (struct slice){lines->text.data + walk.text_at, lines->text.len - walk.text_at};
    lines->first_us = line.unix_us;
    lines->first_seq += n;
    lines->count = (uint32_t)left;
}
