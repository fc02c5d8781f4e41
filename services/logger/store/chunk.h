/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H
/*
 * From records of the spool to the chunks of one transaction of the store, and back. Building runs
 * on a thread of the pool: it reads and checks the records, puts the lines of each attempt
 * together, sorts events by id, cuts and compresses. Pure but for the compressor.
 */
#include "base/arena.h"
#include "base/map.h"
#include "ingest/events.h"
#include "ingest/lines.h"

#define CHUNK_RAW_BYTES                                                                            \
    ((size_t)64                                                                                    \
     << 10) /* a chunk is cut where it would grow larger; one block may be larger alone */
#define CHUNK_RAW_BYTES_MAX ((size_t)16 << 20) /* no chunk that is read back may claim more */
#define CHUNK_SPAN_MS_BITS 12 /* the ids of a chunk of events lie within the same 4,096 ms */

struct line_chunk {
    struct line_chunk *next;
    struct id task, run;
    uint32_t attempt, namespace_id, lines, raw_bytes, kinds;
    uint64_t first_seq, last_seq, first_lsn, last_lsn;
    int64_t first_us, last_us;
    struct slice step, data;
};
struct event_chunk {
    struct event_chunk *next;
    struct id min, max;
    uint64_t lsn;
    uint32_t part, events, raw_bytes;
    struct slice data;
};
struct chunk_source {
    struct chunk_source *next;
    uint32_t timeline;
    uint16_t shard;
    uint64_t last;
};
/* An attempt of which some lines were taken while the database could not be asked. */
struct chunk_doubt {
    struct map_node node;
    struct chunk_doubt *next;
    struct id task;
    uint32_t attempt;
    uint64_t last_seq; /* stored; filled in by the caller */
};
struct chunks {
    struct line_chunk *lines;
    struct event_chunk *events;
    struct chunk_source *sources;
    struct chunk_doubt *doubts; /* the chunks must not be written before these were looked up */
    size_t doubt_count;
    size_t line_chunks, event_chunks, line_count, event_count, raw_bytes, stored_bytes;
    uint64_t end; /* behind the last whole record */
    uint64_t damaged_bytes;
    int64_t received_us; /* when the last of them came in */
};
/* Everything but the slices of data, which point into frames, belongs to the arena. frames: durable
 * bytes of which the first stands at lsn; a cut last record is left for the next time. */
MUST_USE enum status chunks_build(struct arena *arena, struct slice frames, uint64_t lsn,
                                  struct chunks *ret, struct error *err);
/* Once more, with the doubts of the first build looked up: lines that are stored are left out. */
MUST_USE enum status chunks_rebuild(struct arena *arena, struct slice frames, uint64_t lsn,
                                    struct chunks *chunks, struct error *err);

/* DATA_LOSS when the bytes are no chunk of so many raw bytes. */
MUST_USE enum status chunk_open(struct arena *arena, struct slice data, size_t raw_bytes,
                                struct slice *ret, struct error *err);

/* The same for many chunks one after the other: what ret points to lives until the next one. */
struct chunk_opener {
    void *decompressor;
    char *room;
    size_t bytes;
};
MUST_USE enum status chunk_open_next(struct chunk_opener *opener, struct slice data,
                                     size_t raw_bytes, struct slice *ret, struct error *err);
void chunk_opener_fini(struct chunk_opener *opener);

/* The least id of the span in which id lies. */
struct id chunk_span_floor(const struct id *id);
/* All ids that share time and shard with id. */
void chunk_run_range(const struct id *run, struct id *ret_low, struct id *ret_high);

#endif
