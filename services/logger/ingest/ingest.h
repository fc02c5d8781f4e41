/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H
/*
 * The way in: blocks of lines from workers (Append) and events from controllers (RelayEvents),
 * checked, freed of duplicates, written to the spool and acknowledged when they are durable. Blocks
 * of an attempt that memory does not know wait for the database's word on how far it is stored;
 * such questions are asked in batches, one at a time. When the spool is full, or too much of it is
 * not stored, callers are held back: nothing is refused and nothing is acknowledged.
 */
#include "ingest/attempts.h"
#include "ingest/sources.h"
#include "ingest/spool.h"
#include "plankton/v1/task_logger.rpc.h"
#include "token/token.h"

struct ingest;
/* One attempt that is asked for. */
struct ingest_lookup {
    struct id task;
    uint32_t attempt;
    uint64_t last_seq; /* the answer: 0 = no line is stored */
    int64_t last_us;
};
typedef void (*ingest_lookup_done_fn)(bool ok, void *userdata);
struct ingest_callbacks {
    /* Fill in the answers, then done once, later; lookups live until then. */
    void (*lookup)(struct ingest_lookup *lookups, size_t n, ingest_lookup_done_fn done,
                   void *done_userdata, void *userdata);
    /* For whoever watches, after the fsync. lines are valid until it returns. */
    void (*on_lines)(const struct lines *lines, void *userdata);
    bool (*wants_events)(void *userdata);
    void (*on_event)(const struct event_ref *event, void *userdata);
    void (*on_durable)(void *userdata); /* the spool has more for the store and the sinks */
    void (*on_trouble)(const char *why, bool fatal, void *userdata);
};
struct ingest_options {
    const struct cluster_key *cluster_key;
    struct spool_options spool;
};
/* Reads what the spool has from before; callbacks may come from then on. */
MUST_USE enum status ingest_open(struct loop *loop, const struct ingest_options *options,
                                 const struct ingest_callbacks *callbacks, void *userdata,
                                 struct ingest **ret, struct error *err);
struct spool *ingest_spool(struct ingest *ingest);
struct attempts *ingest_attempts(struct ingest *ingest);
struct sources *ingest_sources(struct ingest *ingest);
/* The database's word on a source; when all were said, ingest_sources_known lets controllers in. */
void ingest_source_stored(struct ingest *ingest, uint32_t timeline, uint16_t shard, uint64_t last);
void ingest_sources_known(struct ingest *ingest);
/* The database has everything before lsn. */
void ingest_stored(struct ingest *ingest, uint64_t lsn);
/* Segments were released, the database is back, …: go on with what was held back. */
void ingest_wake(struct ingest *ingest);
size_t ingest_stream_count(const struct ingest *ingest);
double ingest_relay_lag_s(const struct ingest *ingest);

/* The program ends: takes no more, makes durable and acknowledges what was taken, ends the calls,
 * then done. */
void ingest_end(struct ingest *ingest, void (*done)(void *userdata), void *userdata);

void ingest_append(struct ingest *ingest, struct rpc_call *call);
void ingest_relay(struct ingest *ingest, struct rpc_call *call);
void ingest_close(struct ingest *ingest); /* NULL allowed; no call may be open */

#endif
