/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_file.h"

#include <stdlib.h>
#include <zlib.h>
#include "ingest/bytes.h"

#define CHUNK_HEAD_BYTES 7u

enum chunk_type { CHUNK_FULL = 1, CHUNK_FIRST = 2, CHUNK_MIDDLE = 3, CHUNK_LAST = 4 };

static const uint8_t file_header[WANDB_HEADER_BYTES] = {':', 'W', '&', 'B', 0xe1, 0xbe, 0};
static const uint8_t zeros[CHUNK_HEAD_BYTES];

static uint32_t chunk_crc(uint8_t type, const char *payload, size_t len)
{
    uLong crc = crc32(0, &type, 1);

    return (uint32_t)crc32(crc, (const Bytef *)payload, (uInt)len);
}

/* ---- writing ---- */

static void put_bytes(struct wandb_writer *writer, const void *data, size_t len)
{
    buf_put(&writer->out, data, len);
    writer->bytes += len;
}

static size_t block_left(uint64_t at)
{
    return WANDB_BLOCK_BYTES - (size_t)(at % WANDB_BLOCK_BYTES);
}

static void put_chunk(struct wandb_writer *writer, uint8_t type, const char *payload, size_t len)
{
    uint8_t head[CHUNK_HEAD_BYTES];

    write_u32(head, chunk_crc(type, payload, len));
    write_u16(head + 4, (uint16_t)len);
    head[6] = type;
    put_bytes(writer, head, sizeof head);
    put_bytes(writer, payload, len);
}

void wandb_pad(struct wandb_writer *writer)
{
    size_t left = block_left(writer->bytes);

    if (left < CHUNK_HEAD_BYTES)
        put_bytes(writer, zeros, left);
}

static void put_record(struct wandb_writer *writer, const char *payload, size_t len)
{
    bool first = true, last;

    do {
        wandb_pad(writer);
        size_t room = block_left(writer->bytes) - CHUNK_HEAD_BYTES;
        size_t part = MIN_OF(room, len);
        last = part == len;
        uint8_t type =
            first ? (last ? CHUNK_FULL : CHUNK_FIRST) : (last ? CHUNK_LAST : CHUNK_MIDDLE);
        put_chunk(writer, type, payload, part);
        payload += part;
        len -= part;
        first = false;
    } while (!last);
}

void wandb_put(struct wandb_writer *writer, WandbInternal__Record *record)
{
    record->num = ++writer->num;
    size_t len = wandb_internal__record__get_packed_size(record);
    uint8_t *packed = mem_alloc(len + 1);

    if (writer->bytes == 0)
        put_bytes(writer, file_header, sizeof file_header);
    wandb_internal__record__pack(record, packed);
    put_record(writer, (const char *)packed, len);
    free(packed);
}

/* ---- reading ---- */

struct chunk {
    uint8_t type;
    struct slice payload;
};

/* Bytes of the file that are there from `at` on. */
static struct slice bytes_at(const struct wandb_reader *reader, uint64_t at)
{
    size_t skip = (size_t)(at - reader->base);

    if (skip >= reader->data.len)
        return (struct slice){reader->data.data, 0};
    return (struct slice){reader->data.data + skip, reader->data.len - skip};
}

static enum wandb_outcome next_chunk(const struct wandb_reader *reader, uint64_t *at,
                                     struct chunk *ret)
{
    size_t left = block_left(*at);

    if (left < CHUNK_HEAD_BYTES) {
        if (bytes_at(reader, *at).len < left)
            return WANDB_CUT;
        *at += left;
        left = WANDB_BLOCK_BYTES;
    }
    struct slice bytes = bytes_at(reader, *at);
    if (bytes.len < CHUNK_HEAD_BYTES)
        return WANDB_CUT;
    struct reader head = reader_of((struct slice){bytes.data, CHUNK_HEAD_BYTES});
    uint32_t crc = read_u32(&head);
    size_t len = read_u16(&head);
    ret->type = read_u8(&head);
    if (ret->type < CHUNK_FULL || ret->type > CHUNK_LAST || len > left - CHUNK_HEAD_BYTES)
        return WANDB_BAD;
    if (bytes.len < CHUNK_HEAD_BYTES + len)
        return WANDB_CUT;
    ret->payload = (struct slice){bytes.data + CHUNK_HEAD_BYTES, len};
    *at += CHUNK_HEAD_BYTES + len;
    return crc == chunk_crc(ret->type, ret->payload.data, len) ? WANDB_OK : WANDB_BAD;
}

/* The parts behind a FIRST one. */
static enum wandb_outcome gather(const struct wandb_reader *reader, uint64_t *at,
                                 struct arena *arena, struct slice first, struct slice *ret)
{
    uint64_t begin = *at;
    struct chunk chunk;
    size_t len = first.len;
    enum wandb_outcome outcome;

    do {
        outcome = next_chunk(reader, at, &chunk);
        if (outcome != WANDB_OK)
            return outcome;
        if (chunk.type != CHUNK_MIDDLE && chunk.type != CHUNK_LAST)
            return WANDB_BAD;
        len += chunk.payload.len;
        if (len > WANDB_RECORD_BYTES_MAX)
            return WANDB_BAD;
    } while (chunk.type != CHUNK_LAST);
    char *data = arena_alloc(arena, len + 1);
    uint8_t *out = write_bytes((uint8_t *)data, first.data, first.len);
    *at = begin;
    do {
        if (next_chunk(reader, at, &chunk) != WANDB_OK)
            return WANDB_BAD;
        out = write_bytes(out, chunk.payload.data, chunk.payload.len);
    } while (chunk.type != CHUNK_LAST);
    *ret = (struct slice){data, len};
    return WANDB_OK;
}

enum wandb_outcome wandb_next(struct wandb_reader *reader, struct arena *arena,
                              struct slice *ret_payload)
{
    uint64_t at = reader->at;
    struct chunk chunk;
    enum wandb_outcome outcome;

    if (at == 0) {
        if (bytes_at(reader, 0).len < sizeof file_header)
            return WANDB_CUT;
        if (memcmp(reader->data.data, file_header, sizeof file_header) != 0)
            return WANDB_BAD;
        at = sizeof file_header;
    }
    outcome = next_chunk(reader, &at, &chunk);
    if (outcome != WANDB_OK)
        return outcome;
    if (chunk.type == CHUNK_FULL)
        *ret_payload = chunk.payload;
    else if (chunk.type == CHUNK_FIRST)
        outcome = gather(reader, &at, arena, chunk.payload, ret_payload);
    else
        outcome = WANDB_BAD;
    if (outcome == WANDB_OK)
        reader->at = at;
    return outcome;
}
