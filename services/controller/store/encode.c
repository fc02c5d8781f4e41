/* SPDX-License-Identifier: Apache-2.0 */
/* Packed columns: leases and counts in a fixed layout, events as an EventBatch message. */
#include <string.h>

#include "plankton/v1/event.pb-c.h"
#include "store_internal.h"

#define EVENTS_TAG 0x0a /* field 1, length-delimited: EventBatch.events */

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

static ProtobufCBinaryData id_data(const struct id *id)
{
    if (id_is_nil(id))
        return (ProtobufCBinaryData){0};
    return (ProtobufCBinaryData){.len = ID_BYTES, .data = (uint8_t *)id->bytes};
}

static char *text_or_empty(const char *text)
{
    return text ? (char *)text : (char *)protobuf_c_empty_string;
}

static void event_message(struct arena *arena, const struct engine_event *event,
                          Plankton__V1__Event *out)
{
    plankton__v1__event__init(out);
    out->number = event->number;
    out->unix_us = event->at_us;
    out->kind = (Plankton__V1__EventKind)event->kind;
    out->namespace_id = event->namespace_id;
    out->task_id = id_data(&event->task);
    out->run_id = id_data(&event->run);
    out->step = text_or_empty(event->step);
    out->attempt = event->attempt;
    out->worker_id = id_data(&event->worker);
    out->actor = text_or_empty(event->actor);
    out->reason = text_or_empty(event->reason);
    out->state = event->state;
    out->failure_code = text_or_empty(event->failure_code);
    out->failure_message = text_or_empty(event->failure_message);
    out->due_unix_us = event->due_us;
    out->type = text_or_empty(event->type);
    out->last_log_seq = event->last_log_seq;
    out->result = event->result.len ? arena_strndup(arena, event->result.data, event->result.len)
                                    : text_or_empty(NULL);
}

static size_t put_varint(uint8_t *out, size_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

/* Event by event, so that no array of messages need be built. */
struct slice encode_events(struct arena *arena, const struct engine_event *events, uint32_t n)
{
    Plankton__V1__Event message;
    size_t total = 0, len = 0;

    for (uint32_t i = 0; i < n; i++) {
        event_message(arena, &events[i], &message);
        total +=
            plankton__v1__event__get_packed_size(&message) + 11; /* tag and the longest length */
    }
    uint8_t *data = arena_alloc(arena, total + 1);
    for (uint32_t i = 0; i < n; i++) {
        event_message(arena, &events[i], &message);
        data[len++] = EVENTS_TAG;
        len += put_varint(data + len, plankton__v1__event__get_packed_size(&message));
        len += plankton__v1__event__pack(&message, data + len);
    }
    return (struct slice){(const char *)data, len};
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
