/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_SOURCES_H
#define INGEST_SOURCES_H
/* What is known of the sources of events (timeline, shard): the last number taken, the last that is
 * durable, and where those batches stand in the spool that the database does not have yet. */
#include "base/list.h"
#include "base/map.h"
#include "ingest/events.h"

struct source {
    struct map_node node;
    uint32_t timeline;
    uint16_t shard;
    uint64_t last;    /* appended to the spool, or stored */
    uint64_t durable; /* … and on the disk */
    uint64_t
        gap_first; /* a batch that began here was refused, since the events before it are missing */
};
struct event_record_ref {
    struct list all;
    uint64_t lsn;
    uint32_t payload_bytes;
    struct id min, max; /* of its events' keys */
};
struct sources {
    struct map map;
    struct list refs; /* oldest first */
    size_t ref_count;
};
void sources_init(struct sources *sources);
void sources_fini(struct sources *sources);
struct source *sources_get(struct sources *sources, uint32_t timeline, uint16_t shard);
void sources_add_ref(struct sources *sources, const struct events *events, uint32_t payload_bytes);
void sources_stored(struct sources *sources, uint64_t lsn);

#endif
