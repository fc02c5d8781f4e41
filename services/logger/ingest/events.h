/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_EVENTS_H
#define INGEST_EVENTS_H
/*
 * Packed EventBatch bytes, walked without unpacking: hundreds of thousands of events a second pass
 * through here, and all that is wanted of most are their number and ids. Pure; safe for any bytes.
 */
#include "base/buf.h"
#include "base/id.h"

#define EVENT_BATCH_BYTES_MAX ((size_t)4 << 20)

/* What the logger looks at itself. Fields of the Event message by their names. */
struct event_ref {
    uint64_t number, last_log_seq;
    int64_t unix_us;
    uint32_t kind, namespace_id, attempt, state;
    struct id task, run; /* nil when empty */
    struct slice bytes;  /* the whole Event */
};
static inline const struct id *event_key(const struct event_ref *event)
{
    return id_is_nil(&event->task) ? &event->run : &event->task;
}

bool event_scan(struct slice bytes, struct event_ref *ret);
/* Takes the next event of a packed EventBatch. False at the end; *ret_bad when what follows is
 * none. */
bool events_next(struct slice *batch, struct event_ref *ret, bool *ret_bad);

/* The same without a look into it. */
bool events_next_bytes(struct slice *batch, struct slice *ret);

/* A record of the spool: events of one source, numbered first, first + 1, … */
struct events {
    uint64_t lsn;
    uint32_t timeline, count;
    uint16_t shard;
    uint64_t first;
    int64_t received_us;
    struct id min, max; /* of their keys: task id, or run id where there is no task */
    struct slice batch; /* packed EventBatch */
};
void events_put_record(struct buf *out, const struct events *events);
bool events_parse_record(struct slice payload, uint64_t lsn, struct events *ret);

/* An event within a chunk of the database. */
struct stored_event {
    uint32_t timeline;
    uint16_t shard;
    int64_t received_us;
    struct slice bytes;
};
size_t stored_event_bytes(const struct stored_event *event);
uint8_t *stored_event_put(uint8_t *at, const struct stored_event *event);
bool stored_event_next(struct slice *chunk, struct stored_event *ret);

#endif
