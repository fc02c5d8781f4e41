/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_INTERNAL_H
#define POOL_INTERNAL_H
/* What pool.c (leases and slots), finish.c (results and syncs) and control.c (cancel, stale, drain)
 * share. */
#include "pool/pool.h"

#define POOL_FREE_MAX 4096  /* attempts kept for reuse */
#define POOL_PREFETCH_MIN 2 /* leases that may wait for a process slot */
#define POOL_DROP_BYTES                                                                            \
    4096 /* results larger than this leave memory once they are journaled and sent */
#define POOL_FLUSH_ORDER 20 /* after log lines were spooled, before the connections write */

struct sync_job;
struct pool {
    struct worker *worker;
    struct shards shards;
    struct map by_token, by_task;
    struct list queued_process, queued_async, running;
    struct list unsynced; /* results written by the next job */
    struct list in_sync;  /* results that the running job covers */
    struct list free;
    size_t free_count, unfinished, running_process, running_async, unacked;
    size_t window;
    bool draining, starting;
    struct sync_job *sync; /* under way, or NULL */
    struct loop_flush *flush;
    void (*changed)(void *userdata);
    void *userdata;
};

void attempt_move(struct attempt *attempt, enum attempt_state to);
/* Out of every list and map; its memory back to the pool. entry_done: the journal may forget it. */
void attempt_forget(struct attempt *attempt, bool entry_done);
void pool_start_queued(struct pool *pool);
void pool_changed(struct pool *pool);
void pool__sync(struct pool *pool);
void pool__abandon_sync(struct pool *pool); /* its job ends without us */
/* The type has ended the attempt. */
void attempt_ended(struct attempt *attempt);
struct attempt *pool_find(const struct pool *pool, const ProtobufCBinaryData *token);
struct attempt *pool_take_free(struct pool *pool);
void pool_index(struct pool *pool, struct attempt *attempt);

#endif
