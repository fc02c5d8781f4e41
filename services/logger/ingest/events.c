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

/* Most numbers are one byte long: a tag, a length, a kind. */
static inline bool varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    if (*at < end && **at < 0x80) {
        *ret = *(*at)++;
        return true;
    }
    struct reader reader = {*at, end, false};
    *ret = read_varint(&reader);
    *at = reader.at;
    return !reader.bad;
}

static inline bool take_bytes(struct event_ref *ret, uint64_t field, const uint8_t *value,
                              uint64_t len)
{
    if (field != FIELD_TASK && field != FIELD_RUN)
        return true;
    if (len == ID_BYTES)
        memcpy(field == FIELD_TASK ? ret->task.bytes : ret->run.bytes, value, ID_BYTES);
    return len == ID_BYTES || len == 0;
}

bool event_scan(struct slice bytes, struct event_ref *ret)
{
    const uint8_t *at = (const uint8_t *)bytes.data, *end = at + bytes.len;

    *ret = (struct event_ref){.bytes = bytes};
    while (at < end) {
        uint64_t tag, value;
        if (!varint(&at, end, &tag))
            return false;
        switch (tag & 7) {
        case WIRE_VARINT:
            if (!varint(&at, end, &value))
                return false;
            take_number(ret, tag >> 3, value);
            break;
        case WIRE_BYTES:
            if (!varint(&at, end, &value) || value > (uint64_t)(end - at) ||
                !take_bytes(ret, tag >> 3, at, value))
                return false;
            at += value;
            break;
        case WIRE_64:
        case WIRE_32:
            value = (tag & 7) == WIRE_64 ? 8 : 4;
            if (value > (uint64_t)(end - at))
                return false;
            at += value;
            break;
        default:
            return false;
        }
    }
    return ret->number && !id_is_nil(event_key(ret));
}

bool events_next_bytes(struct slice *batch, struct slice *ret)
{
    const uint8_t *at = (const uint8_t *)batch->data, *end = at + batch->len;
    uint64_t len;

    if (!batch->len || *at++ != EVENTS_TAG || !varint(&at, end, &len) || len > (uint64_t)(end - at))
        return false;
    *ret = (struct slice){(const char *)at, (size_t)len};
    *batch = (struct slice){(const char *)at + len, (size_t)(end - at) - (size_t)len};
    return true;
}

bool events_next(struct slice *batch, struct event_ref *ret, bool *ret_bad)
{
    struct slice rest = *batch, bytes;

    *ret_bad = false;
    if (!batch->len)
        return false;
    if (!events_next_bytes(&rest, &bytes) || !event_scan(bytes, ret)) {
        *ret_bad = true;
        return false;
    }
    *batch = rest;
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
