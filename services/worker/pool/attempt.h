/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_ATTEMPT_H
#define POOL_ATTEMPT_H
/*
 * One attempt that this worker holds, from its lease until its result is acknowledged. attempt_move
 * (pool.c) is the only writer of `state`. Attempts come from the pool's free list; what a lease
 * carries beyond its token is copied into `arena` for types that need it later, and the result
 * lives there too.
 */
#include "base/arena.h"
#include "base/id.h"
#include "logship/logs.h"
#include "plankton/v1/task_worker.pb-c.h"
#include "pool/shards.h"
#include "types/types.h"

enum attempt_state {
    ATTEMPT_FREE,
    ATTEMPT_QUEUED, /* waits for a slot */
    ATTEMPT_RUNNING,
    ATTEMPT_SYNCING,  /* its result is not on the disk yet */
    ATTEMPT_FINISHED, /* its result may be sent; kept until acknowledged */
    ATTEMPT_DOOMED, /* not this worker's any more: it is being stopped and nothing will be reported
                     */
};
enum attempt_stop { STOP_NONE, STOP_CANCEL, STOP_TIMEOUT };
enum attempt_outcome { OUTCOME_NONE, OUTCOME_OUTPUT, OUTCOME_FAILURE, OUTCOME_CANCELLED };

struct attempt {
    struct map_node by_token, by_task;
    struct list held_node;  /* in its shard's list, until forgotten */
    struct list state_node; /* queue, running, syncing, or an uplink's outbox */
    struct pool *pool;
    struct shard *shard;
    const struct task_type *type; /* NULL: recovered from the journal */
    enum attempt_state state;
    enum attempt_stop stop;
    struct id task;
    uint32_t number;
    uint8_t token_len;
    uint8_t token[TOKEN_BYTES_MAX];
    const char *step;
    struct log_writer log;
    struct arena *arena;              /* NULL until something needs it */
    const Plankton__V1__Lease *lease; /* NULL after the end */
    void *work;                       /* the type's own, while it runs */
    struct loop_timer *timeout;
    struct journal_entry *entry; /* of journaled types */

    enum attempt_outcome outcome;
    bool in_journal_only; /* the outcome must be read back to be sent */
    bool non_retryable;
    uint64_t last_log_seq;
    struct slice output; /* JSON */
    const char *failure_code, *failure_message, *failure_details;

    double progress; /* of the last heartbeat that told it */
    const char *progress_message;
    bool progress_changed;
};

#endif
