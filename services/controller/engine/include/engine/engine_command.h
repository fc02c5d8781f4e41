/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H
/*
 * What goes in: one struct engine_command a call of engine_apply. now_us never goes back (a smaller
 * value counts as the last one) and is the clock that ids are made from. ticket is the caller's
 * own, 0 = no answer wanted; each command that has one gets exactly one REPLY (WATCH_RUN: a REPLY,
 * then updates, then WATCH_END). The shard of a task or run is the one in its id. Commands for a
 * shard that is not loaded are answered UNAVAILABLE, reason NOT_OWNER; those of streams are
 * dropped.
 */
#include "engine/engine_types.h"

struct plan;

/* A compiled plan with its owner's reference count: hold is called when the engine keeps it,
 * release once for each hold. Both may be NULL when the plan outlives the engine. */
struct engine_plan {
    const struct plan *plan;
    void (*hold)(void *owner);
    void (*release)(void *owner);
    void *owner;
};

enum engine_command_kind {
    ENGINE_TICK = 1, /* time has passed: due at engine_next_due_us */
    /* life of shards */
    ENGINE_LOAD_BEGIN,
    ENGINE_LOAD_ROWS,
    ENGINE_LOAD_END,
    ENGINE_DROP,    /* forget all of the shard */
    ENGINE_DURABLE, /* the shard's batches up to seq are committed */
    ENGINE_EVENTS_ACKED,
    /* answers to reads that the engine asked for */
    ENGINE_KEY_ROW,
    ENGINE_TASK_ROW,
    ENGINE_REFILL_ROWS,
    /* clients */
    ENGINE_SUBMIT,
    ENGINE_CANCEL_TASK,
    ENGINE_FORCE_FINISH,
    ENGINE_START_RUN,
    ENGINE_CANCEL_RUN,
    ENGINE_PAUSE_RUN, /* none of its steps is started until RESUME_RUN; what runs goes on */
    ENGINE_RESUME_RUN,
    ENGINE_READ_TASK,
    ENGINE_READ_RUN,
    ENGINE_READ_RUN_TASKS,
    ENGINE_WATCH_TASK, /* REPLY when terminal */
    ENGINE_WATCH_RUN,
    ENGINE_UNWATCH, /* by ticket of the watch: no REPLY follows, neither for it nor for the watch */
    ENGINE_READ_WORKERS,
    ENGINE_DRAIN_WORKER,
    ENGINE_PAUSE_QUEUE,
    ENGINE_RESUME_QUEUE,
    ENGINE_LIMIT_QUEUE,
    ENGINE_READ_QUEUES,
    /* workers */
    ENGINE_STREAM_OPEN,
    ENGINE_STREAM_CLOSED,
    ENGINE_HELD,
    ENGINE_CREDIT,
    ENGINE_HEARTBEAT,
    ENGINE_RESULT,
    ENGINE_DECLINED,
    ENGINE_PROGRESS,
};

struct engine_queue_name {
    uint32_t namespace_id;
    const char *queue; /* as in the parked rows: queue/type */
    uint64_t parked;   /* rows that have it */
};

/*
 * Takeover: LOAD_BEGIN after the commit of the new epoch, LOAD_ROWS any number of times in any
 * order (runs before their tasks; a row given twice counts once), then LOAD_END: the grace of
 * orphan leases starts and the door is open. Rows to give: unfinished tasks and runs whose id is
 * not older than ENGINE_YOUNG_MS before clock_us, every run parked, every task (finished ones too)
 * of these runs, every task with an open lease, all journal rows from journal_low on. Tasks parked
 * READY or DUE are asked for by the engine, from queues[] and due_next_us on.
 */
#define ENGINE_YOUNG_MS 120000
struct engine_load_begin {
    uint16_t shard;
    uint32_t epoch;
    uint64_t seq; /* of the last batch */
    uint64_t event_next, event_acked, journal_low;
    uint32_t unclean;
    struct id suspect;                      /* ended `failed (controller lost)` when it is found */
    int64_t clock_us;                       /* high-water of engine time */
    const struct engine_queue_name *queues; /* that have tasks parked READY */
    uint32_t queues_len;
    const struct engine_queue_name *due_queues; /* that have tasks parked DUE */
    uint32_t due_queues_len;
    const struct engine_queue_row *settings; /* all rows of queues */
    uint32_t settings_len;
    int64_t due_next_us; /* earliest parked DUE; ENGINE_FOREVER = none */
    /* By engine_key_hash, of keys that are kept; keys_complete: these are all, so that a key not
     * among them needs no read. */
    const uint64_t *key_hashes;
    uint32_t key_hashes_len;
    bool keys_complete;
};
struct engine_run_load {
    struct engine_run_row row;
    struct engine_plan plan;
};
struct engine_journal_load {
    uint64_t seq;
    uint64_t first_event; /* 0 = no events */
    uint32_t events_len;
    const struct engine_lease *leases;
    uint32_t leases_len;
};
struct engine_load_rows {
    uint16_t shard;
    const struct engine_run_load *runs;
    uint32_t runs_len;
    const struct engine_task_row *tasks;
    uint32_t tasks_len;
    const struct engine_journal_load *journals;
    uint32_t journals_len;
};
struct engine_shard_only {
    uint16_t shard;
};
struct engine_durable {
    uint16_t shard;
    uint32_t epoch; /* ignored when it is not the shard's epoch */
    uint64_t seq;
};
struct engine_events_acked {
    uint16_t shard;
    uint64_t number; /* all up to it are stored by the logger */
};

/* read: the number in the effect that asked. seq: shard.seq read in the same snapshot as the rows.
 */
struct engine_key_answer {
    uint64_t read;
    bool found;
    struct id id;
    bool is_run;
    uint8_t digest[ENGINE_DIGEST_BYTES];
};
struct engine_task_answer {
    uint64_t read;
    const struct engine_task_row *row; /* NULL: there is no such task */
};
struct engine_refill_answer {
    uint64_t read;
    uint64_t seq;
    const struct engine_task_row *tasks; /* in the order asked for */
    uint32_t tasks_len;
    bool at_end;         /* nothing more stands behind these */
    int64_t due_next_us; /* DUE: the earliest parked row behind these; ENGINE_FOREVER = none */
};

struct engine_submit {
    struct id id; /* new, of the shard that is to hold it */
    uint32_t namespace_id;
    const char *actor;
    struct engine_spec spec;
    const char *key; /* "" = none */
    uint8_t digest[ENGINE_DIGEST_BYTES];
    struct id retry_of;
    bool brief; /* the reply needs no view, only the id */
};
struct engine_cancel_task {
    struct id id;
    const char *actor, *reason;
    int64_t deadline_us; /* 0: end of the lease, or cancel_ms from now */
};
struct engine_force_finish {
    struct id id;
    enum engine_task_state state; /* FAILED or CANCELLED */
    const char *actor, *reason;
};
struct engine_start_run {
    struct id id;
    uint32_t namespace_id;
    const char *actor;
    struct engine_plan plan;
    struct id plan_id;
    const char *plan_name;
    uint32_t plan_version;
    struct slice input, labels;
    const char *key;
    uint8_t digest[ENGINE_DIGEST_BYTES];
    struct id rerun_of;
};
struct engine_by_id { /* CANCEL_, PAUSE_, RESUME_RUN, READ_*, WATCH_* */
    struct id id;
    const char *actor, *reason; /* CANCEL_, PAUSE_, RESUME_RUN */
};
struct engine_drain_worker {
    struct id worker; /* READ_WORKERS: nil = all */
};
/* A namespace's queue in one shard. Pausing or resuming one that is as asked changes nothing. */
struct engine_queue_command {
    uint16_t shard;
    uint32_t namespace_id;
    const char *queue; /* READ_QUEUES: "" = all */
    const char *actor, *reason;
    uint32_t concurrency; /* LIMIT_QUEUE: as in the row */
    struct engine_rate rate;
};

struct engine_stream_open {
    uint64_t stream; /* handle, never used twice */
    struct id worker;
    const char *name, *version, *address;
    const char *const *types;
    uint32_t types_len;
    const struct engine_label *labels;
    uint32_t labels_len;
    uint32_t slots;
    struct engine_resources
        resources; /* a gpu that is not said is none; cpu and memory: no limit */
};
struct engine_stream_only { /* STREAM_CLOSED, HEARTBEAT */
    uint64_t stream;
};
struct engine_held_entry {
    struct id task;
    uint32_t attempt;
    bool gone;          /* its work died: lost at once */
    struct slice token; /* given back in STALE */
};
struct engine_held {
    uint64_t stream;
    uint16_t shard;
    uint32_t epoch;
    uint64_t nonce;
    const struct engine_held_entry *entries;
    uint32_t entries_len;
    bool end;
    uint32_t floor; /* not 0: the worker has seen this higher epoch and refuses */
};
struct engine_credit {
    uint64_t stream;
    uint32_t add;
};
enum engine_result_kind {
    ENGINE_RESULT_SUCCESS = 1,
    ENGINE_RESULT_FAILURE = 2,
    ENGINE_RESULT_CANCELLED = 3,
};
struct engine_result {
    uint64_t stream; /* the worker is the stream's */
    struct id task;
    uint32_t attempt;
    struct slice token; /* given back in RESULT_ACK or STALE */
    enum engine_result_kind kind;
    struct slice output;
    struct engine_failure failure;
    int64_t retry_after_ms; /* of a failure: the worker asks not to try again before; 0 = none */
    uint64_t last_log_seq;
};
struct engine_declined {
    uint64_t stream;
    const struct engine_held_entry *entries;
    uint32_t entries_len;
    const char *reason;
};
struct engine_progress {
    uint64_t stream;
    struct id task;
    uint32_t attempt;
    double progress;
    const char *message;
};

struct engine_command {
    enum engine_command_kind kind;
    int64_t now_us;
    uint64_t ticket;
    union {
        struct engine_load_begin load_begin;
        struct engine_load_rows load_rows;
        struct engine_shard_only shard; /* LOAD_END, DROP */
        struct engine_durable durable;
        struct engine_events_acked events_acked;
        struct engine_key_answer key_row;
        struct engine_task_answer task_row;
        struct engine_refill_answer refill_rows;
        struct engine_submit submit;
        struct engine_cancel_task cancel_task;
        struct engine_force_finish force_finish;
        struct engine_start_run start_run;
        struct engine_by_id by_id;
        struct engine_drain_worker worker; /* READ_WORKERS, DRAIN_WORKER */
        struct engine_queue_command queue; /* PAUSE_, RESUME_, LIMIT_QUEUE, READ_QUEUES */
        struct engine_stream_open stream_open;
        struct engine_stream_only stream;
        struct engine_held held;
        struct engine_credit credit;
        struct engine_result result;
        struct engine_declined declined;
        struct engine_progress progress;
    };
};

#endif
