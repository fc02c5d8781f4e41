/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/events.h"

#include "ingest/bytes.h"
#include "ingest/record.h"

/* Field numbers of plankton.v1.Event. */
enum {
    FIELD_NUMBER = 1,
    FIELD_UNIX_US = 2,
    FIELD_KIND = 3,
    FIELD_NAMESPACE = 4,
    FIELD_TASK = 5,
    FIELD_RUN = 6,
    FIELD_ATTEMPT = 8,
    FIELD_STATE = 12,
    FIELD_LAST_LOG_SEQ = 17,
};
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
#define EVENTS_TAG 0x0a    /* EventBatch.events */
#define EVENT_BYTES_MIN 22 /* with tag and length: a number and an id */

static void take_number(struct event_ref *ret, uint64_t field, uint64_t value)
{
    switch (field) {
    case FIELD_NUMBER:
        ret->number = value;
        break;
    case FIELD_UNIX_US:
        ret->unix_us = (int64_t)value;
        break;
    case FIELD_KIND:
        ret->kind = (uint32_t)value;
        break;
    case FIELD_NAMESPACE:
        ret->namespace_id = (uint32_t)value;
        break;
    case FIELD_ATTEMPT:
        ret->attempt = (uint32_t)value;
        break;
    case FIELD_STATE:
        ret->state = (uint32_t)value;
        break;
    case FIELD_LAST_LOG_SEQ:
        ret->last_log_seq = value;
        break;
    default:
        break;
    }
}

static bool take_id(struct id *ret, struct slice value)
{
    if (value.len == ID_BYTES)
        memcpy(ret->bytes, value.data, ID_BYTES);
    return value.len == ID_BYTES || value.len == 0;
}

bool event_scan(struct slice bytes, struct event_ref *ret)
{
    struct reader reader = reader_of(bytes);
    bool good = true;

    *ret = (struct event_ref){.bytes = bytes};
    while (good && !reader.bad && reader_left(&reader)) {
        uint64_t tag = read_varint(&reader), field = tag >> 3;

        switch (tag & 7) {
        case WIRE_VARINT:
            take_number(ret, field, read_varint(&reader));
            break;
        case WIRE_BYTES: {
            struct slice value = read_slice(&reader, (size_t)read_varint(&reader));
            if (field == FIELD_TASK)
                good = take_id(&ret->task, value);
            else if (field == FIELD_RUN)
                good = take_id(&ret->run, value);
            break;
        }
        case WIRE_64:
            read_slice(&reader, 8);
            break;
        case WIRE_32:
            read_slice(&reader, 4);
            break;
        default:
            good = false;
        }
    }
    return good && !reader.bad && ret->number && !id_is_nil(event_key(ret));
}

bool events_next(struct slice *batch, struct event_ref *ret, bool *ret_bad)
{
    struct reader reader = reader_of(*batch);

    *ret_bad = false;
    if (!batch->len)
        return false;
    bool tagged = read_u8(&reader) == EVENTS_TAG;
    struct slice bytes = read_slice(&reader, (size_t)read_varint(&reader));
    if (!tagged || reader.bad || !event_scan(bytes, ret)) {
        *ret_bad = true;
        return false;
    }
    *batch = (struct slice){(const char *)reader.at, reader_left(&reader)};
    return true;
}

/* type, 0, u16 shard, u32 timeline, u64 first, u32 count, u64 received, min, max; batch */
#define RECORD_HEAD_BYTES (1 + 1 + 2 + 4 + 8 + 4 + 8 + 16 + 16)

void events_put_record(struct buf *out, const struct events *events)
{
    uint8_t head[RECORD_HEAD_BYTES], *at = head;

    *at++ = RECORD_EVENTS;
    *at++ = 0;
    at = write_u16(at, events->shard);
    at = write_u32(at, events->timeline);
    at = write_u64(at, events->first);
    at = write_u32(at, events->count);
    at = write_u64(at, (uint64_t)events->received_us);
    at = write_bytes(at, events->min.bytes, ID_BYTES);
    write_bytes(at, events->max.bytes, ID_BYTES);
    buf_put(out, head, sizeof head);
    buf_put(out, events->batch.data, events->batch.len);
}

bool events_parse_record(struct slice payload, uint64_t lsn, struct events *ret)
{
    struct reader reader = reader_of(payload);
    uint8_t type = read_u8(&reader);

    read_u8(&reader);
    *ret = (struct events){.lsn = lsn, .shard = read_u16(&reader)};
    ret->timeline = read_u32(&reader);
    ret->first = read_u64(&reader);
    ret->count = read_u32(&reader);
    ret->received_us = (int64_t)read_u64(&reader);
    ret->min = read_id(&reader);
    ret->max = read_id(&reader);
    ret->batch = read_slice(&reader, reader_left(&reader));
    return type == RECORD_EVENTS && !reader.bad && ret->count && ret->first &&
           ret->count <= ret->batch.len / EVENT_BYTES_MIN;
}

#define STORED_HEAD_BYTES (4 + 2 + 8)

size_t stored_event_bytes(const struct stored_event *event)
{
    return STORED_HEAD_BYTES + VARINT_BYTES_MAX + event->bytes.len;
}

uint8_t *stored_event_put(uint8_t *at, const struct stored_event *event)
{
    at = write_u32(at, event->timeline);
    at = write_u16(at, event->shard);
    at = write_u64(at, (uint64_t)event->received_us);
    at = write_varint(at, event->bytes.len);
    return write_bytes(at, event->bytes.data, event->bytes.len);
}

bool stored_event_next(struct slice *chunk, struct stored_event *ret)
{
    struct reader reader = reader_of(*chunk);

    if (!chunk->len)
        return false;
    ret->timeline = read_u32(&reader);
    ret->shard = read_u16(&reader);
    ret->received_us = (int64_t)read_u64(&reader);
    ret->bytes = read_slice(&reader, (size_t)read_varint(&reader));
    chunk->data = (const char *)reader.at;
    chunk->len = reader.bad ? 0 : reader_left(&reader);
    return !reader.bad;
}
