/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H
/*
 * What comes out: batches of row images with the effects that wait for them, and immediate effects.
 * Everything hangs in the arena that was given to the call. A batch is one transaction over all its
 * shards. Its effects may leave only when it and all batches cut before it are durable, in their
 * order; when it fails they are thrown away, their tickets answered UNAVAILABLE by the host, and
 * its shards dropped. A batch without shards (reads, refusals) obeys the same order.
 */
#include "engine/engine_types.h"

/*
 * Rows of one shard. One image a row: several changes of one row in a batch are merged. Order of
 * writing does not matter, except that parked_remove comes before parked_add (a row may be in
 * both). Every update must meet exactly one row that is not terminal; another count is an error of
 * storage.
 */
struct engine_shard_batch {
    uint16_t shard;
    uint32_t epoch;
    uint64_t seq;     /* fence: the row must have epoch and seq - 1 */
    int64_t clock_us; /* high-water of engine time */
    uint64_t event_next, event_acked, journal_low;
    uint32_t unclean;
    struct id suspect; /* nil = none */
    const struct engine_task_row *tasks_insert;
    uint32_t tasks_insert_len;
    const struct engine_task_success *tasks_succeed;
    uint32_t tasks_succeed_len;
    const struct engine_task_change *tasks_update;
    uint32_t tasks_update_len;
    const struct engine_run_row *runs_insert;
    uint32_t runs_insert_len;
    const struct engine_run_change *runs_update;
    uint32_t runs_update_len;
    const struct engine_parked *parked_remove;
    uint32_t parked_remove_len;
    const struct engine_parked *parked_add;
    uint32_t parked_add_len;
    const struct engine_key_row *keys_insert;
    uint32_t keys_insert_len;
    const struct engine_outcome *outcomes;
    uint32_t outcomes_len;
    const struct engine_queue_row *queues; /* to be inserted, or to take the place of the old row */
    uint32_t queues_len;
    /* The journal row (shard, seq): written when it has leases or events. */
    const struct engine_lease *leases;
    uint32_t leases_len;
    const struct engine_event *events; /* numbers first, first + 1, … */
    uint32_t events_len;
};

enum engine_effect_kind {
    /* after commit */
    ENGINE_REPLY = 1, /* immediate when the shard is not owned or was dropped */
    ENGINE_DISPATCH,
    ENGINE_RESULT_ACK,
    ENGINE_STALE,
    ENGINE_CANCEL_WORK,
    ENGINE_WATCH_UPDATE,
    ENGINE_WATCH_END, /* immediate, status UNAVAILABLE, when the shard was dropped */
    /* immediate */
    ENGINE_TAKE,
    ENGINE_DRAIN,
    ENGINE_KEY_LOOKUP,   /* answer with KEY_ROW */
    ENGINE_TASK_LOOKUP,  /* answer with TASK_ROW */
    ENGINE_REFILL,       /* answer with REFILL_ROWS */
    ENGINE_CLOSE_STREAM, /* a newer stream of the same worker has taken its place */
    ENGINE_SHARD_LOST,   /* a worker has seen a higher epoch: stop, drop the shard */
};

struct engine_reply {
    uint64_t ticket;
    enum status status;
    const char *reason; /* stable, for programs */
    const char *message;
    struct id id;   /* of the task or run; for a duplicate the first one's */
    bool duplicate; /* the key was used before, with the same digest */
    /* status OK, yet it is not held in memory: the host reads the database now, which has all that
     * was decided before this reply (id says which, is_run what). A task that is absent there as
     * well is NOT_FOUND; READ_*, WATCH_* and duplicates may be answered so. CANCEL_, PAUSE_ and
     * RESUME_RUN too, with status FAILED_PRECONDITION: the answer when the run is there. */
    bool not_in_memory;
    bool is_run;
    bool cancel_requested; /* the cancel was noted; the task or run is not yet terminal */
    const struct engine_task_view *task;
    const struct engine_run_view *run;
    const struct engine_task_view *tasks; /* READ_RUN_TASKS, WATCH_RUN: in the plan's order */
    uint32_t tasks_len;
    const struct engine_worker_view *workers;
    uint32_t workers_len;
    const struct engine_queue_view *queues; /* in the order of names */
    uint32_t queues_len;
    uint64_t event_number; /* WATCH_RUN: the snapshot includes all events up to it */
};

/* One lease on its way to its worker. Together with the token's other parts (run, namespace, epoch,
 * seq) it is all that a Lease message carries. */
struct engine_dispatch {
    uint64_t stream;
    uint16_t shard;
    uint64_t nonce;
    struct engine_lease lease;
    uint32_t namespace_id;
    struct id run;
    const char *step;
    const char *type;
    struct slice parameters, environment;
    int64_t attempt_timeout_ms; /* 0 = none */
};
struct engine_answer { /* RESULT_ACK, STALE */
    uint64_t stream;
    struct id task;
    uint32_t attempt;
    struct slice token; /* as the worker gave it */
};
struct engine_cancel_work {
    uint64_t stream;
    struct engine_lease lease;
    uint32_t namespace_id;
    struct id run;
    const char *reason;
};
struct engine_watch_update {
    uint64_t ticket;
    const struct engine_task_view *task; /* one of the two */
    const struct engine_run_view *run;
    uint64_t event_number;
    enum status status; /* WATCH_END: OK when the run is terminal */
};
struct engine_take {
    uint64_t stream;
    uint16_t shard;
    uint32_t epoch;
};
struct engine_key_lookup {
    uint64_t read;
    uint16_t shard;
    uint32_t namespace_id;
    const char *key;
};
struct engine_task_lookup {
    uint64_t read;
    struct id id; /* the whole row, result and failure included */
};
/*
 * reason READY: tasks parked READY under (namespace, queue) behind the place (rank, id) of
 * engine_rank, in that order; from_start: from the first on. reason DUE: tasks parked DUE behind
 * the place (after_us, id) with due ≤ until_us, in order (due, id). At most limit rows, with
 * shard.seq of the same snapshot.
 */
struct engine_refill {
    uint64_t read;
    uint16_t shard;
    enum engine_parked_reason reason;
    uint32_t namespace_id;
    const char *queue;
    bool from_start;
    int32_t priority;
    struct id id;
    int64_t after_us, until_us;
    uint32_t limit;
};

struct engine_effect {
    struct engine_effect *next;
    enum engine_effect_kind kind;
    uint16_t shard; /* ENGINE_NO_SHARD for those of the process */
    union {
        struct engine_reply reply;
        struct engine_dispatch dispatch;
        struct engine_answer answer;
        struct engine_cancel_work cancel;
        struct engine_watch_update watch; /* WATCH_UPDATE, WATCH_END */
        struct engine_take take; /* TAKE; SHARD_LOST: epoch seen; DRAIN, CLOSE_STREAM: stream */
        struct engine_key_lookup key_lookup;
        struct engine_task_lookup task_lookup;
        struct engine_refill refill;
    };
};
#define ENGINE_NO_SHARD UINT16_MAX

struct engine_batch {
    const struct engine_shard_batch *shards;
    uint32_t shards_len;
    uint32_t rows;                 /* in all */
    struct engine_effect *effects; /* in order */
    uint32_t effects_len;
};

#endif
