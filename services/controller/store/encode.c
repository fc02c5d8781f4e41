/* SPDX-License-Identifier: Apache-2.0 */
/* Packed columns: leases and counts in a fixed layout, events as an EventBatch message. */
#include <string.h>

#include "store_internal.h"

/* Fields of plankton.v1.Event and EventBatch. */
enum {
    EVENT_NUMBER = 1,
    EVENT_UNIX_US = 2,
    EVENT_KIND = 3,
    EVENT_NAMESPACE_ID = 4,
    EVENT_TASK_ID = 5,
    EVENT_RUN_ID = 6,
    EVENT_STEP = 7,
    EVENT_ATTEMPT = 8,
    EVENT_WORKER_ID = 9,
    EVENT_ACTOR = 10,
    EVENT_REASON = 11,
    EVENT_STATE = 12,
    EVENT_FAILURE_CODE = 13,
    EVENT_FAILURE_MESSAGE = 14,
    EVENT_DUE_UNIX_US = 15,
    EVENT_TYPE = 16,
    EVENT_LAST_LOG_SEQ = 17,
    EVENT_RESULT = 18,
    BATCH_EVENTS = 1,
};
#define EVENT_HEAD_BYTES_MAX 6 /* tag and a length below 2^35 */
#define EVENT_FIXED_BYTES_MAX                                                                      \
    256 /* heads, numbers and ids: 18 fields, at most 12 bytes each and 3 ids */

static void put_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *in)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value |= (uint32_t)in[i] << (8 * i);
    return value;
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

struct slice encode_leases(struct arena *arena, const struct engine_lease *leases, uint32_t n)
{
    uint8_t *data = arena_alloc(arena, (size_t)n * LEASE_BYTES + 1);

    for (uint32_t i = 0; i < n; i++) {
        uint8_t *out = data + (size_t)i * LEASE_BYTES;
        memcpy(out, leases[i].task.bytes, 16);
        put_u32(out + 16, leases[i].attempt);
        memcpy(out + 20, leases[i].worker.bytes, 16);
        put_u64(out + 36, (uint64_t)leases[i].started_us);
        put_u32(out + 44, leases[i].epoch);
        put_u64(out + 48, leases[i].seq);
    }
    return (struct slice){(const char *)data, (size_t)n * LEASE_BYTES};
}

uint32_t decode_leases(struct arena *arena, struct slice packed, struct engine_lease **ret)
{
    uint32_t n = (uint32_t)(packed.len / LEASE_BYTES);

    *ret = ARENA_ARRAY(arena, struct engine_lease, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *in = (const uint8_t *)packed.data + (size_t)i * LEASE_BYTES;
        struct engine_lease *lease = &(*ret)[i];
        memcpy(lease->task.bytes, in, 16);
        lease->attempt = get_u32(in + 16);
        memcpy(lease->worker.bytes, in + 20, 16);
        lease->started_us = (int64_t)get_u64(in + 36);
        lease->epoch = get_u32(in + 44);
        lease->seq = get_u64(in + 48);
    }
    return n;
}

/* ---- events: the wire form of EventBatch, written by hand: three of them a task ---- */

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *put_number(uint8_t *out, unsigned field, uint64_t value)
{
    if (!value)
        return out;
    return put_varint(put_varint(out, field << 3 | WIRE_VARINT), value);
}

static uint8_t *put_bytes(uint8_t *out, unsigned field, const void *data, size_t len)
{
    if (!len)
        return out;
    out = put_varint(put_varint(out, field << 3 | WIRE_BYTES), len);
    memcpy(out, data, len);
    return out + len;
}

static uint8_t *put_text(uint8_t *out, unsigned field, const char *text)
{
    return put_bytes(out, field, text, text ? strlen(text) : 0);
}

static uint8_t *put_id(uint8_t *out, unsigned field, const struct id *id)
{
    return put_bytes(out, field, id->bytes, id_is_nil(id) ? 0 : ID_BYTES);
}

static uint8_t *put_event(uint8_t *out, const struct engine_event *event)
{
    out = put_number(out, EVENT_NUMBER, event->number);
    out = put_number(out, EVENT_UNIX_US, (uint64_t)event->at_us);
    out = put_number(out, EVENT_KIND, event->kind);
    out = put_number(out, EVENT_NAMESPACE_ID, event->namespace_id);
    out = put_id(out, EVENT_TASK_ID, &event->task);
    out = put_id(out, EVENT_RUN_ID, &event->run);
    out = put_text(out, EVENT_STEP, event->step);
    out = put_number(out, EVENT_ATTEMPT, event->attempt);
    out = put_id(out, EVENT_WORKER_ID, &event->worker);
    out = put_text(out, EVENT_ACTOR, event->actor);
    out = put_text(out, EVENT_REASON, event->reason);
    out = put_number(out, EVENT_STATE, event->state);
    out = put_text(out, EVENT_FAILURE_CODE, event->failure_code);
    out = put_text(out, EVENT_FAILURE_MESSAGE, event->failure_message);
    out = put_number(out, EVENT_DUE_UNIX_US, (uint64_t)event->due_us);
    out = put_text(out, EVENT_TYPE, event->type);
    out = put_number(out, EVENT_LAST_LOG_SEQ, event->last_log_seq);
    return put_bytes(out, EVENT_RESULT, event->result.data, event->result.len);
}

static size_t text_len(const char *text)
{
    return text ? strlen(text) : 0;
}

static size_t event_bytes_max(const struct engine_event *event)
{
    return EVENT_FIXED_BYTES_MAX + text_len(event->step) + text_len(event->actor) +
           text_len(event->reason) + text_len(event->failure_code) +
           text_len(event->failure_message) + text_len(event->type) + event->result.len;
}

struct slice encode_events(struct arena *arena, const struct engine_event *events, uint32_t n)
{
    size_t bytes_max = 1;

    for (uint32_t i = 0; i < n; i++)
        bytes_max += event_bytes_max(&events[i]);
    uint8_t *data = arena_alloc(arena, bytes_max), *out = data;
    for (uint32_t i = 0; i < n; i++) {
        /* the body first, behind room for the longest head, then both together */
        uint8_t *body = out + EVENT_HEAD_BYTES_MAX;
        size_t len = (size_t)(put_event(body, &events[i]) - body);
        out = put_varint(put_varint(out, BATCH_EVENTS << 3 | WIRE_BYTES), len);
        memmove(out, body, len);
        out += len;
    }
    return (struct slice){(const char *)data, (size_t)(out - data)};
}

struct slice encode_counts(struct arena *arena, const struct engine_counts *counts)
{
    uint8_t *data = arena_alloc(arena, COUNTS_BYTES);

    put_u32(data, counts->total);
    for (int i = 0; i < ENGINE_TASK_STATES; i++)
        put_u32(data + 4 * (1 + i), counts->by_state[i]);
    return (struct slice){(const char *)data, COUNTS_BYTES};
}

void decode_counts(struct slice packed, struct engine_counts *ret)
{
    *ret = (struct engine_counts){0};
    if (packed.len < COUNTS_BYTES)
        return;
    ret->total = get_u32((const uint8_t *)packed.data);
    for (int i = 0; i < ENGINE_TASK_STATES; i++)
        ret->by_state[i] = get_u32((const uint8_t *)packed.data + 4 * (1 + i));
}
