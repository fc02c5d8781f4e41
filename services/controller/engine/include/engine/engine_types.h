/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TYPES_H
#define ENGINE_TYPES_H
/*
 * The nouns of the engine: states, specifications, rows, views, events and their limits. Numbers of
 * states and events are those of the wire contract. Texts are borrowed: those in a command until
 * engine_apply returns, those in a batch or an effect as long as the arena of that cut. Small names
 * are NUL-terminated strings and never NULL ("" = none); JSON texts are slices (empty = none).
 * Times are microseconds of engine time (Unix based), 0 = none.
 */
#include "base/error.h"
#include "base/id.h"
#include "base/slice.h"
#include "plan/plan.h"

#define ENGINE_TYPE_BYTES_MAX 64
#define ENGINE_QUEUE_BYTES_MAX 64
#define ENGINE_STEP_BYTES_MAX 64
#define ENGINE_PARAMETERS_BYTES_MAX ((size_t)256 * 1024)
#define ENGINE_RESULT_BYTES_MAX ((size_t)256 * 1024)
#define ENGINE_SPEC_TEXT_BYTES_MAX ((size_t)64 * 1024)
#define ENGINE_LABELS_MAX 32 /* of a worker, of a task's requires */
#define ENGINE_LABEL_BYTES_MAX 256
#define ENGINE_NON_RETRYABLE_MAX 32
#define ENGINE_KEY_BYTES_MAX 128
#define ENGINE_REASON_BYTES_MAX 512   /* longer ones are cut */
#define ENGINE_MESSAGE_BYTES_MAX 2048 /* of a failure; longer ones are cut */
#define ENGINE_CODE_BYTES_MAX 64
#define ENGINE_TOKEN_BYTES_MAX 96
#define ENGINE_PRIORITY_MAX 9 /* from 0; higher goes first */
#define ENGINE_PRIORITIES (ENGINE_PRIORITY_MAX + 1)
/* A task gains one step of priority on those that come after it for each minute that it waits. The
 * order on disk follows from it too, so it is no setting. */
#define ENGINE_AGING_STEP_MS 60000
#define ENGINE_ATTEMPTS_MAX 1000
#define ENGINE_WORKER_TYPES_MAX 256
#define ENGINE_SLOTS_MAX 10000
#define ENGINE_CREDIT_MAX 20000 /* of one stream; more is cut */
#define ENGINE_HELD_PAGE_MAX 10000
#define ENGINE_EVENT_RESULT_BYTES_MAX ((size_t)4096) /* longer results are left out of events */
#define ENGINE_DIGEST_BYTES 32
#define ENGINE_WATCHES_MAX 100000 /* of the process */
#define ENGINE_WORKERS_MAX 10000
#define ENGINE_LIMITS_MAX 8 /* of a task, of each kind */
#define ENGINE_LIMIT_KEY_BYTES_MAX 128
#define ENGINE_LIMIT_MAX 1000000 /* leases of a key, starts in a period */
#define ENGINE_PERIOD_MS_MAX (INT64_C(31) * 24 * 3600 * 1000) /* of a rate */
#define ENGINE_WEIGHT_MAX 1000
#define ENGINE_KEYS_MAX 65536   /* of limits and fairness, in use at a time, of a shard */
#define ENGINE_QUEUES_MAX 10000 /* with settings of their own, of a shard */
#define ENGINE_FOREVER INT64_MAX

enum engine_task_state {
    ENGINE_TASK_NONE = 0,
    ENGINE_TASK_PENDING = 1,
    ENGINE_TASK_READY = 2,
    ENGINE_TASK_RUNNING = 3,
    ENGINE_TASK_SUCCEEDED = 4,
    ENGINE_TASK_FAILED = 5,
    ENGINE_TASK_CANCELLED = 6,
    ENGINE_TASK_SKIPPED = 7,
    ENGINE_TASK_RETRYING = 8,
    ENGINE_TASK_WAITING = 9,
};
#define ENGINE_TASK_STATES 10

enum engine_run_state {
    ENGINE_RUN_NONE = 0,
    ENGINE_RUN_QUEUED = 1,
    ENGINE_RUN_RUNNING = 2,
    ENGINE_RUN_SUCCEEDED = 3,
    ENGINE_RUN_FAILED = 4,
    ENGINE_RUN_CANCELLED = 5,
    ENGINE_RUN_PAUSED = 6,
    ENGINE_RUN_WAITING = 7,
};

bool engine_task_state_is_terminal(enum engine_task_state state);
bool engine_run_state_is_terminal(enum engine_run_state state);
const char *engine_task_state_name(enum engine_task_state state); /* "succeeded" */
const char *engine_run_state_name(enum engine_run_state state);
enum engine_task_state engine_task_state_from_name(const char *name); /* NONE when unknown */
enum engine_run_state engine_run_state_from_name(const char *name);

struct engine_label {
    const char *key, *value;
};

struct engine_retry {
    uint32_t max_attempts; /* attempts that may fail, 1 … ENGINE_ATTEMPTS_MAX */
    int64_t initial_backoff_ms, max_backoff_ms;
    double multiplier, jitter;
    int64_t budget_ms; /* no retry begins later than so long after the creation; 0 = none */
    const char *const *non_retryable;
    uint32_t non_retryable_len;
};
extern const struct engine_retry ENGINE_RETRY_DEFAULT; /* 3 attempts, 1 s × 2 ≤ 60 s, ± 20 % */

struct engine_timeouts {
    int64_t queue_ms, attempt_ms, total_ms; /* 0 = none */
    int64_t heartbeat_ms; /* between two reports of progress, from the first of the attempt on */
};

/* What is done when a key has all the leases that it may have. */
enum engine_strategy {
    ENGINE_STRATEGY_QUEUE = 0,          /* the task waits */
    ENGINE_STRATEGY_CANCEL_RUNNING = 1, /* the oldest unfinished tasks of the key are cancelled */
    ENGINE_STRATEGY_REJECT_NEW = 2,     /* the task is refused; a step fails with LIMIT_REACHED */
};
struct engine_concurrency {
    const char *key;
    uint32_t limit; /* open leases of the key while one more may be given: fewer than so many */
    enum engine_strategy strategy;
};
/* A token bucket: at most limit starts at once, and limit more in each period. */
struct engine_rate {
    const char *key;
    uint32_t limit;
    int64_t per_ms;
    uint32_t units; /* that one start takes, 1 … limit */
};

/* What a machine has, or a task needs of one. 0 = not said. */
struct engine_resources {
    uint32_t cpu_milli, gpu_milli; /* thousandths of a core, of a device */
    uint64_t memory_bytes;
};
/* More that is asked of a worker than type and labels. */
struct engine_demands {
    const struct plan_selector *where; /* of its labels, all of them */
    uint32_t where_len;
    const struct plan_selector *prefers; /* a free worker that meets all of them goes first */
    uint32_t prefers_len;
    uint32_t cost;         /* slots, 1 … ENGINE_SLOTS_MAX */
    struct id worker;      /* preferred to all others; nil = none */
    bool only_that_worker; /* no other will do */
    struct engine_resources resources;
};

/* What few tasks have. */
struct engine_limits {
    const struct engine_concurrency *concurrency;
    uint32_t concurrency_len;
    const struct engine_rate *rates;
    uint32_t rates_len;
    const char *fairness_key; /* NULL or "" = none */
    uint32_t fairness_weight; /* 1 … ENGINE_WEIGHT_MAX */
};

/* What a task is. Of rows that the engine gives out only type, queue, priority, parameters,
 * spec_text and run_at_us are set: they are what is stored. */
struct engine_spec {
    const char *type;
    const char *queue; /* "default" when none was said */
    int32_t priority;
    const struct engine_label *requires; /* labels that a worker must have */
    uint32_t requires_len;
    const struct engine_demands *demands; /* NULL = none */
    const struct engine_limits *limits;   /* NULL = none */
    struct engine_retry retry;
    struct engine_timeouts timeouts;
    int64_t run_at_us;        /* not before; 0 = at once */
    int64_t delay_ms;         /* not before so long after the creation; of a stored row 0 */
    struct slice parameters;  /* JSON object */
    struct slice environment; /* proto3 JSON of Environment; empty = none */
    struct slice labels;      /* JSON object of strings; empty = none */
    struct slice spec_text;   /* proto3 JSON of TaskSpec without type, queue, priority and
                                 parameters; empty = all default */
};

struct engine_failure {
    const char *code; /* "" = there is no failure */
    const char *message;
    struct slice details;
    bool non_retryable;
    const char *step; /* of runs: the step that failed */
};

struct engine_cancel {
    int64_t at_us; /* 0 = not asked for */
    const char *actor, *reason;
};

/* The mutable part of a task's row. Non-terminal states in rows are hints: ready and running are
 * not written when they begin. */
struct engine_task_change {
    struct id id;
    enum engine_task_state state;
    uint32_t attempt; /* highest closed attempt */
    uint32_t failures, lost;
    uint32_t recorded_by;  /* attempt whose report gave the terminal state; 0 = none */
    struct id worker;      /* of the highest closed attempt; nil = none */
    bool closed_by_report; /* attempt was closed by worker's own report (its repeats are acked) */
    int64_t due_us;        /* not before (run_at, backoff) */
    int64_t started_us, finished_us;
    struct engine_cancel cancel;
    struct engine_failure failure;
    struct slice result;
};

/*
 * What a rebuild must find although it is neither young nor leased. A row's identity is its id;
 * removals carry the whole old image, so that any key can be deleted by. Steps of runs are never
 * parked: their run is.
 */
enum engine_parked_reason {
    ENGINE_PARKED_READY = 1, /* waits in its queue; order (rank, id) */
    ENGINE_PARKED_DUE = 2,   /* waits for due_us */
    ENGINE_PARKED_RUN = 3,   /* a run that is not finished */
};
/* The place of a task among the ready ones, smaller first: its time in ms, earlier by a step for
 * each step of priority. */
static inline int64_t engine_rank(int32_t priority, const struct id *id)
{
    return (int64_t)id_unix_ms(id) - (int64_t)priority * ENGINE_AGING_STEP_MS;
}

struct engine_parked {
    struct id id;
    int64_t due_us; /* 0 for READY and RUN */
    enum engine_parked_reason reason;
    uint32_t namespace_id;
    const char *queue; /* queue/type, or queue/type/group: what a refill asks by; "" for RUN */
    int32_t priority;
};

/* A whole row: given out for an insert (then change.state may already be terminal), and given in
 * when a shard is loaded or a task is read (then spec must be complete, spec_text parsed). */
struct engine_task_row {
    struct id id;
    uint32_t namespace_id;
    struct engine_spec spec;
    const char
        *group; /* given out: what its limits add to the queue of its parked row; "" = none */
    int64_t created_us;
    struct id run; /* nil for a lone task */
    const char *step;
    struct id retry_of;
    struct engine_task_change change;
    /* Given in: its row in `parked`; 0 = none. */
    enum engine_parked_reason parked;
    int64_t parked_due_us;
};

/* A success of a task whose row was inserted by an earlier batch: the hot, narrow form. */
struct engine_task_success {
    struct id id;
    uint32_t attempt; /* also recorded_by; the attempt is closed by report */
    struct id worker;
    int64_t started_us, finished_us;
    struct slice result;
};

struct engine_counts {
    uint32_t total, by_state[ENGINE_TASK_STATES];
};

struct engine_run_change {
    struct id id;
    enum engine_run_state state;
    int64_t started_us, finished_us;
    struct engine_cancel cancel;
    struct engine_cancel pause; /* since when, by whom and why; at_us 0 = it is not paused */
    struct engine_failure failure;
    struct slice output;
    struct engine_counts counts;
};

struct engine_run_row {
    struct id id;
    uint32_t namespace_id;
    struct id plan_id;
    const char *plan_name;
    uint32_t plan_version;
    struct slice input;  /* effective input, JSON object */
    struct slice labels; /* JSON object of strings; empty = none */
    int64_t created_us;
    struct id rerun_of;
    struct engine_run_change change;
    bool parked; /* given in */
};

/* What was set for a queue. A queue that nobody has touched has no row and no limits. */
struct engine_queue_row {
    uint32_t namespace_id;
    const char *name;
    int64_t paused_us; /* since when it is paused; 0 = it is not */
    const char *actor, *reason;
    uint32_t concurrency;    /* leases at a time; 0 = no limit */
    struct engine_rate rate; /* limit 0 = none; no key, one unit a start */
};

/* Live counts of a queue, those on disk included. */
struct engine_queue_view {
    struct engine_queue_row row;
    uint64_t ready;    /* wait for their turn */
    uint64_t running;  /* leased */
    uint64_t delayed;  /* wait for their time: run_at, or a backoff */
    int64_t oldest_us; /* creation of the oldest that is next in turn; 0 = none */
};

struct engine_key_row {
    uint32_t namespace_id;
    const char *key;
    uint8_t digest[ENGINE_DIGEST_BYTES];
    struct id id; /* of the task or run */
    bool is_run;
};

/* Also a row for the narrow table of failed and cancelled tasks and runs (steps included). */
struct engine_outcome {
    struct id id;
    uint32_t namespace_id;
    bool is_run;
    uint32_t state; /* of the task or run */
    int64_t finished_us;
    const char *type; /* task type or plan name */
    struct id run;
};

/* An entry of the journal. epoch and seq are those of the batch that granted the lease (they are
 * part of its token), also when the entry is carried forward into a later row. */
struct engine_lease {
    struct id task;
    uint32_t attempt;
    struct id worker;
    int64_t started_us;
    uint32_t epoch;
    uint64_t seq;
};

enum engine_event_kind {
    ENGINE_EVENT_TASK_SUBMITTED = 1,
    ENGINE_EVENT_TASK_STARTED = 2,
    ENGINE_EVENT_TASK_FINISHED = 3,
    ENGINE_EVENT_TASK_RETRYING = 4,
    ENGINE_EVENT_ATTEMPT_CLOSED = 5,
    ENGINE_EVENT_TASK_CANCEL_REQUESTED = 6,
    ENGINE_EVENT_STALE_RESULT = 7,
    ENGINE_EVENT_RUN_STARTED = 8,
    ENGINE_EVENT_RUN_FINISHED = 9,
    ENGINE_EVENT_RUN_CANCEL_REQUESTED = 10,
    ENGINE_EVENT_QUEUE_PAUSED = 11, /* type: the queue's name */
    ENGINE_EVENT_QUEUE_RESUMED = 12,
    ENGINE_EVENT_QUEUE_CHANGED = 13,
    ENGINE_EVENT_RUN_PAUSED = 14,
    ENGINE_EVENT_RUN_RESUMED = 15,
};
struct engine_event {
    uint64_t number;
    int64_t at_us;
    enum engine_event_kind kind;
    uint32_t namespace_id;
    struct id task, run, worker; /* nil = none */
    const char *step;
    uint32_t attempt;
    const char *actor, *reason;
    uint32_t state;
    const char *failure_code, *failure_message;
    int64_t due_us;
    const char *type;
    uint64_t last_log_seq;
    struct slice result;
};

/* What readers see. */
struct engine_task_view {
    struct engine_task_row row; /* spec complete as far as it is kept: no requires, no retry, no
                                   timeouts, they are in spec_text */
    enum engine_task_state state;
    uint32_t attempt; /* highest begun */
    struct id worker; /* of the latest attempt; nil = none */
    int64_t started_us;
    const char *waiting_for; /* words; "" when it does not wait */
    double progress;         /* live only; 0 after a takeover */
    const char *progress_message;
    /* A step that has no task yet: id nil, state pending; row.step, spec.type, spec.queue set. */
    bool is_step_only;
};
struct engine_run_view {
    struct engine_run_row row; /* change has the present state and counts */
    const char *waiting_for;
};

#define ENGINE_FINDINGS_MAX 100 /* of a kind */
enum engine_finding_kind {
    ENGINE_FINDING_TASK_STUCK = 1, /* neither owner nor deadline nor reason to wait */
    ENGINE_FINDING_RUN_STUCK = 2,
    ENGINE_FINDING_NO_WORKER = 3, /* queue and type: no connected worker can run these tasks */
};
#define ENGINE_FINDING_KINDS 4
struct engine_finding {
    enum engine_finding_kind kind;
    uint32_t namespace_id;
    struct id id; /* of the task or run */
    const char *queue, *type;
    const char *why; /* its state, or what the first of them waits for */
    uint64_t count;
    int64_t since_us;
};

enum engine_worker_state {
    ENGINE_WORKER_CONNECTED = 1,
    ENGINE_WORKER_DRAINING = 2,
    ENGINE_WORKER_DISCONNECTED = 3,
};
struct engine_worker_view {
    struct id id;
    const char *name, *version, *address;
    enum engine_worker_state state;
    const char *const *types;
    uint32_t types_len;
    const struct engine_label *labels;
    uint32_t labels_len;
    uint32_t slots, running; /* running: leases open with it, in shards owned here */
    struct engine_resources resources, used;
    int64_t connected_us, heartbeat_us;
};

#endif
