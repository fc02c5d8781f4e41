/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H
/*
 * What the engine's files share: the structs of its memory and the functions between its parts.
 * Ownership: an engine owns its shards, workers, types and watches; a shard its queues, tasks,
 * runs, keys and journal; a task its lease. Nothing is shared between shards but workers and types.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "plan/plan.h"

#define US_PER_MS INT64_C(1000)
#define TIMEOUT_MARGIN_MS 2000 /* a worker stops its own work first; then the engine asks */
#define LOST_BACKOFF_MS 1000   /* before the attempt after a lost one; doubles */
#define STALL_SHARE 4 /* no command for this part of a lease's time: the host stood still */
#define WORKER_FORGET_MS 600000
#define UNCLEAN_CLEAR_MS 600000
#define CLOSED_BYTES_MAX (16u * 1024 * 1024)
#define KEYS_MAX 65536        /* remembered in memory, of the process */
#define CARRY_BATCH_MAX 10000 /* leases carried forward in one batch */
#define LOOKUPS_MAX 20000     /* reads of single tasks outstanding, of the process */
#define REFILL_DUE_LIMIT 50000

struct shard;
struct queue;
struct window;
struct run;
struct worker;
struct lane;

/* Retry and timeouts of a task that differ from the default; one allocation with its codes. */
struct options {
    struct engine_retry retry;
    struct engine_timeouts timeouts;
};

struct watch {
    struct map_node by_ticket; /* engine->watches */
    struct list link;          /* of the task or run */
    uint64_t ticket;
    struct task *task;
    struct run *run;
};

/* What few tasks have. Texts are owned, "" or NULL when absent. */
struct task_more {
    struct engine_failure failure; /* texts owned through failure_text */
    char *failure_text;
    struct engine_cancel cancel;
    char *cancel_text;
    int64_t cancel_deadline_us;
    struct id retry_of;
    double progress;
    char *progress_message;
    struct careful *careful; /* handled one at a time */
    struct list watches;
};

/* A task under suspicion, and its result while it waits for its turn. */
struct careful {
    struct list link; /* shard->careful while it waits */
    struct task *task;
    struct engine_result result; /* texts in text; NULL: there is none */
    char *text;
};
enum careful_step {
    CAREFUL_NONE = 0,
    CAREFUL_NAMED,   /* the batch careful_seq names the suspect */
    CAREFUL_HANDLED, /* the batch careful_seq has what came of it */
};

enum away {
    AWAY_NO = 0,
    AWAY_READY, /* behind its queue's window: only its row on disk counts */
    AWAY_DUE,   /* due later than the shard's due window */
};

struct task {
    struct map_node by_id; /* shard->tasks */
    struct id id;
    struct heap_node ready; /* lane->ready */
    struct heap_node timer; /* engine->task_timers */
    int64_t timer_us;
    struct list dirty; /* shard->dirty_tasks */
    struct list age;   /* shard->young, away, away_watched, closed, or none */
    struct shard *shard;
    struct lane *lane;
    struct run *run;
    struct lease *lease; /* the open one */
    struct task_more *more;
    struct options *options;
    int64_t created_us, due_us, started_us, finished_us;
    int64_t parked_due_us, stored_due_us; /* of its parked row: wanted, on disk */
    struct id worker;                     /* of the highest closed attempt */
    const char *result; /* own memory for steps, the gathering arena's for lone tasks */
    uint64_t seq;       /* away, closed: the batch that says so */
    uint32_t result_len;
    uint32_t attempt; /* highest closed */
    uint32_t step;    /* index in the run's plan */
    uint32_t parameters_len, spec_len, environment_len, labels_len;
    uint16_t failures, lost;
    int16_t priority;
    uint8_t state, away;
    uint8_t parked, stored_parked; /* enum engine_parked_reason of its row, 0 = none */
    bool entered : 1;              /* in shard->tasks */
    bool stored : 1;               /* its row was inserted by an earlier batch */
    bool row_dirty : 1;            /* its row changes with this batch */
    bool wide : 1;                 /* more changed than a success */
    bool closed_by_report : 1;
    bool total_over : 1; /* total timeout passed while it ran */
    bool timed_out : 1;  /* attempt or heartbeat timeout passed: asked to stop */
    bool silent : 1;     /* it was the heartbeat timeout */
    bool is_closed : 1;  /* terminal and cut: kept to answer repeats */
    bool result_owned : 1;
    bool cancel_requested : 1;
    char text[]; /* parameters, spec_text, environment, labels */
};

struct journal {
    struct list link; /* shard->journals, by seq */
    struct list leases;
    uint64_t seq, last_event; /* 0 = no events */
    int64_t at_us;
};

struct lease {
    struct list of_session; /* session->leases */
    struct list of_journal; /* journal->leases, or shard->fresh until the cut */
    struct task *task;
    struct session *session;
    struct engine_lease entry;
    struct slice parameters; /* copy in the arena of the batch entry.seq */
    int64_t beat_us;         /* last report of progress; 0 = none yet */
    struct hold *holds;      /* at the gates of its lane; NULL when it has none */
    uint64_t held_mark;
    bool orphan; /* from a load and not yet adopted */
};

struct task_type {
    struct map_node by_name; /* engine->types */
    struct list pools;       /* with tasks that may be dispatched */
    struct list idle;        /* offers of workers with credit */
    struct list offered;     /* all offers of connected workers */
    uint32_t users;          /* pools, windows and offers */
    uint32_t offers;         /* workers that offer it, idle or not */
    char name[];
};

/* What was set for a queue by its operators: it has a row. */
struct queue_setting {
    struct list dirty; /* shard->dirty_queues */
    struct queue *queue;
    int64_t paused_us; /* 0 = it is not paused */
    char *actor, *reason;
    uint32_t concurrency; /* 0 = no limit */
    struct gate *rate;    /* NULL = none */
};

struct queue {
    struct map_node by_name; /* shard->queues */
    struct list lanes;       /* with ready tasks */
    struct list pools;       /* with lanes that no key holds back */
    struct list dirty;       /* engine->queues: it may have opened */
    struct shard *shard;
    struct queue_setting *setting; /* NULL: none */
    uint64_t pass;                 /* fairness: how far its keys have come */
    uint32_t namespace_id;
    uint32_t users;                        /* lanes and windows */
    uint32_t by_state[ENGINE_TASK_STATES]; /* in memory */
    uint64_t disk_ready, disk_due;         /* parked, and not in memory */
    char name[];
};

/* The ready tasks of one type in a queue, as far as memory holds them (P16). By type, so that tasks
 * that no worker can do take no place from the others of their queue. */
struct window {
    struct map_node by_key; /* shard->windows */
    struct list lanes;      /* with ready tasks */
    struct queue *queue;
    struct task_type *type;
    uint64_t group;     /* hash of what its tasks are limited by; 0 = by nothing */
    uint32_t users;     /* lanes */
    uint32_t ready_len; /* lone tasks in the heaps of its lanes */
    /* What is READY on disk only lies behind this place. */
    bool bounded;
    bool bound_start; /* nothing was loaded yet: all lies behind it */
    int16_t bound_priority;
    struct id bound_id;
    uint64_t refill_read; /* outstanding; 0 = none */
};

enum step_state {
    STEP_PENDING = 0,
    STEP_TASK, /* has a task */
    STEP_DONE, /* its task is terminal */
};
struct step {
    struct task *task;
    uint32_t needs_left;
    uint8_t state;
    bool need_skipped;
};

struct run {
    struct map_node by_id; /* shard->runs */
    struct id id;
    struct list dirty, age, all;
    struct shard *shard;
    struct engine_plan plan;
    struct step *steps;
    uint32_t *todo; /* steps to start; each enters once, so steps_len places are enough */
    uint32_t todo_head, todo_len, done;
    uint32_t namespace_id, plan_version;
    struct id plan_id, rerun_of;
    struct id sticky; /* the worker that its latest sticky step went to */
    int64_t sticky_us;
    int64_t created_us, started_us, finished_us;
    struct engine_failure failure;
    char *failure_text;
    struct engine_cancel cancel, pause;
    char *cancel_text, *pause_text;
    char *output;
    uint32_t output_len, input_len, labels_len;
    uint32_t live; /* tasks not terminal */
    struct engine_counts counts;
    struct list watches;
    uint8_t state;
    bool stored, row_dirty, parked, stored_parked, advancing, ending, entered;
    char text[]; /* plan name NUL, input, labels */
};

enum session_state {
    SESSION_TAKING, /* asked, or to be asked when a stream comes */
    SESSION_LIVE,
};
/* A worker in a shard: who may be leased to, and what it holds. */
struct session {
    struct worker *worker;
    struct shard *shard;
    struct list of_shard;
    struct list leases;
    enum session_state state;
    uint64_t stream; /* that was asked; 0 = none */
    uint64_t nonce;
    uint64_t held_mark;
    int64_t asked_us;
    bool collecting; /* pages of HELD are coming */
    /* Leases closed before they were durable, the last by this sequence: their dispatches may never
     * leave. */
    uint32_t unsent;
    uint64_t unsent_seq;
};

struct offer {
    struct list idle;    /* type->idle while the worker has credit */
    struct list of_type; /* type->offered */
    struct worker *worker;
    struct task_type *type;
};

struct worker {
    struct map_node by_id;     /* engine->workers */
    struct map_node by_stream; /* engine->streams while connected */
    struct heap_node timer;    /* engine->worker_timers */
    int64_t timer_us;
    struct id id;
    uint64_t stream; /* 0 = not connected */
    int64_t connected_us, heartbeat_us;
    struct offer *offers;
    uint32_t offers_len, turn;
    struct engine_label *labels;
    uint32_t labels_len;
    uint32_t slots, credit, leases;
    uint32_t cost, costly; /* of its open leases: slots; leases that take more than one */
    struct engine_resources resources, used;
    struct list freed; /* engine->freed: something of it is free again */
    bool draining, idle;
    struct session **sessions; /* by shard number */
    uint32_t sessions_cap;
    char *text; /* name, version, address, labels */
    const char *name, *version, *address;
};

struct key {
    struct map_node by_key; /* shard->keys */
    struct list link;       /* shard->known (oldest first), or none while it is looked up */
    struct list waiters;    /* struct submission */
    uint32_t namespace_id;
    bool looking, is_run;
    bool fresh; /* row to be inserted by this batch */
    struct id id;
    uint8_t digest[ENGINE_DIGEST_BYTES];
    uint64_t seq;  /* of the batch that inserts it */
    uint64_t read; /* outstanding lookup */
    char text[];
};

/* A submit on its way: task or run is built and not yet in the maps. */
struct submission {
    struct list link; /* key->waiters */
    uint64_t ticket;
    struct task *task;
    struct run *run;
    char *actor;
    uint8_t digest[ENGINE_DIGEST_BYTES];
    bool brief;
};

enum lookup_kind {
    LOOKUP_CANCEL,
    LOOKUP_FORCE,
    LOOKUP_WATCH,
    LOOKUP_RESULT,
    LOOKUP_HELD,
};
/* An operation on a task that is not in memory, waiting for its row. */
struct lookup {
    struct shard *shard;
    enum lookup_kind kind;
    struct id id;
    uint64_t ticket, stream;
    uint32_t attempt;
    struct id worker;
    enum engine_task_state state;
    int64_t deadline_us;
    char *actor, *reason;
    size_t token_len;
    char token[ENGINE_TOKEN_BYTES_MAX];
};

/* Every read that the engine has asked for, single tasks and refills, so that what was decided
 * after it began is known when its answer comes. */
enum read_kind {
    READ_KEY_ROW,
    READ_TASK_ROW,
    READ_REFILL_READY,
    READ_REFILL_DUE,
};
struct read {
    struct map_node by_number; /* engine->reads */
    struct list link;          /* shard->reads, oldest first */
    uint64_t number;
    enum read_kind kind;
    struct shard *shard;
    struct window *window; /* stays while its refill is outstanding */
    uint64_t durable_seq;  /* of the shard when it began */
    int64_t until_us;
    struct lookup *lookup;
    struct key *key;
};

struct shard {
    struct engine *engine;
    uint16_t number;
    uint32_t epoch;
    uint64_t seq; /* of the last batch cut */
    uint64_t durable_seq;
    uint64_t event_next, event_acked, journal_low;
    uint32_t unclean;
    struct id suspect, loaded_suspect;
    bool open;       /* LOAD_END was seen */
    bool is_dirty;   /* in engine->dirty_shards */
    bool fence_only; /* something of the shard row itself changed */
    int64_t opened_us, grace_us;
    uint32_t orphans;
    struct list dirty_link;
    struct map tasks, runs, queues, windows, keys, gates, fairs;
    uint32_t grouped; /* windows that have a group */
    struct list all_runs;
    struct list dirty_tasks, dirty_runs, dirty_queues;
    uint32_t settings;                   /* queues that have one */
    struct list young_tasks, young_runs; /* not parked, oldest first */
    struct list away;                    /* by seq: forgotten once that is durable */
    struct list away_watched;            /* durable, and kept for who watches them */
    struct list closed;                  /* by seq */
    struct list known_keys, fresh_keys;  /* fresh: key->link until the cut */
    struct list sessions;
    struct list journals;
    struct list fresh;            /* leases granted since the last cut */
    struct loaded_lease *loading; /* until LOAD_END */
    size_t loading_len, loading_cap;
    struct list careful; /* wait for their turn */
    struct careful *careful_current;
    enum careful_step careful_step;
    uint64_t careful_seq;
    bool young_unsorted; /* loaded rows come in any order */
    struct list reads;
    struct event_node *events, *events_last;
    uint32_t events_len;
    int64_t due_bound_us; /* P16: parked DUE behind this place are on disk only */
    struct id due_bound_id;
    int64_t due_next_us;
    uint64_t due_read;
    uint64_t *key_set; /* open addressing, 0 = free */
    size_t key_set_cap, key_set_len;
    bool keys_complete;
};

struct loaded_lease {
    struct engine_lease lease;
    struct journal *journal;
};
struct event_node {
    struct event_node *next;
    struct engine_event event;
};

/* How far the look for what is stuck has come. */
struct doctor {
    uint32_t shard; /* in engine->loaded */
    size_t slot;    /* of its map of tasks */
    uint64_t found; /* in this pass */
};

struct engine {
    struct engine_config config;
    struct doctor doctor;
    int64_t now_us, sweep_us;
    struct shard *shards[SHARDS_MAX];
    uint16_t loaded[SHARDS_MAX]; /* numbers of the shards in use */
    uint32_t loaded_len;
    struct list dirty_shards;
    struct map lanes, pools, types, workers, streams, watches, reads;
    struct heap task_timers, worker_timers, gate_timers;
    struct list gates, queues; /* that may have opened since they were looked at */
    struct list freed;         /* workers: what they can take now is looked for */
    struct list woken;         /* pools that have got lanes back */
    uint32_t demanding;        /* pools that ask for more than labels */
    bool unsettled;            /* one of these is not empty */
    struct arena gather, urgent;
    struct engine_effect *effects, **effects_end;
    uint32_t effects_len;
    struct engine_effect *immediate, **immediate_end;
    uint64_t cut_number, read_next, mark_next;
    uint32_t lookups, watches_len, keys_len, closed_len;
    size_t closed_bytes;
    struct lease *free_leases;
    struct lane *last_lane; /* the lane of the last submit: most are alike */
    struct engine_stats stats;
};

#include "lanes.h"

/* states.c: the only writers of task->state and run->state */
void task_move(struct task *task, enum engine_task_state to);
void task_restore(struct task *task, enum engine_task_state to); /* loaded from its row */
void run_move(struct run *run, enum engine_run_state to);

/* task.c: memory of tasks */
struct task *task_new(struct shard *shard, const struct id *id, uint32_t namespace_id,
                      const struct engine_spec *spec, int64_t created_us);
void task_free(struct task *task); /* out of all lists; not of the map unless it is in it */
void task_enter(struct task *task);
struct task *task_find(const struct shard *shard, const struct id *id);
struct task_more *task_more(struct task *task);
void task_dirty(struct task *task); /* its row, wide */
void task_dirty_success(struct task *task);
void task_dirty_parked(struct task *task);
void task_set_failure(struct task *task, const struct engine_failure *failure);
void task_set_cancel(struct task *task, int64_t at_us, const char *actor, const char *reason);
void task_set_result(struct task *task, struct slice result);
void task_arm(struct task *task);   /* sets its timer to the next thing that is due */
void task_timer(struct task *task); /* the timer has come */
const struct engine_retry *task_retry(const struct task *task);
const struct engine_timeouts *task_timeouts(const struct task *task);
struct slice task_parameters(const struct task *task);
struct slice task_spec_text(const struct task *task);
struct slice task_environment(const struct task *task);
struct slice task_labels(const struct task *task);
size_t task_bytes(const struct task *task);
/* One allocation for the texts; fills failure's members. *slot is freed first. */
void failure_copy(struct engine_failure *to, char **slot, const struct engine_failure *from);
void cancel_copy(struct engine_cancel *to, char **slot, int64_t at_us, const char *actor,
                 const char *reason);
char *text_cut(const char *text, size_t bytes_max); /* own copy, cut at a character's border */

/* attempt.c: leases from their grant to their end */
void attempt_grant(struct task *task, struct session *session);
void attempt_result(struct engine *engine, const struct engine_command *command);
void attempt_void(struct task *task, const char *reason);
void attempt_lost(struct task *task, const char *reason);
/* report: the worker's own; NULL when it did not give one. */
void attempt_fail(struct task *task, const struct engine_failure *failure,
                  const struct engine_result *report);
extern const struct engine_failure FAILURE_TIMEOUT, FAILURE_SILENT;
void attempt_stop(struct task *task, const char *reason); /* asks its worker to stop */
struct lease *lease_new(struct task *task, struct session *session,
                        const struct engine_lease *entry);
void lease_close(struct task *task, bool by_report);
void lease_free_list(struct engine *engine);
void task_begin(struct task *task); /* a new or returned task: pending, ready, or away */
void task_make_ready(struct task *task);
void task_finish(struct task *task, enum engine_task_state to, uint64_t last_log_seq,
                 const char *reason, const char *actor);
/* Cancel as the table says; true when it is terminal now. */
bool task_cancel(struct task *task, const char *actor, const char *reason, int64_t deadline_us);

/* queue.c: types, queues, windows */
struct task_type *type_get(struct engine *engine, const char *name);
void type_release(struct engine *engine, struct task_type *type);
struct window *window_get(struct queue *queue, struct task_type *type, uint64_t group);
void window_release_unused(struct window *window);
uint32_t window_most(const struct window *window); /* ready tasks of it held in memory */
struct queue *queue_get(struct shard *shard, uint32_t namespace_id, const char *name);
struct queue *queue_find(struct shard *shard, uint32_t namespace_id, const char *name);
void queue_release_unused(struct queue *queue);
uint64_t hash_mix(uint64_t a, uint64_t b);

/* queue_setting.c: what operators set and see */
void queue_load_setting(struct shard *shard, const struct engine_queue_row *row);
void queue_load_parked(struct shard *shard, const struct engine_queue_name *name,
                       enum engine_parked_reason reason);
void queue_apply(struct engine *engine, const struct engine_command *command);
void queue_row_fill(const struct queue_setting *setting, struct engine_queue_row *row,
                    struct arena *arena);
/* A parked task leaves memory (1), or what was on disk only enters it (-1). */
void queue_count_disk(struct queue *queue, enum engine_parked_reason reason, int change);
void queue_setting_free(struct queue *queue);
/* why.c: what a task or run waits for, in words; "" when it does not wait */
enum why {
    WHY_BRIEF, /* costs next to nothing: "a free worker" for all that only a worker is missing for
                */
    WHY_EXACT,
    WHY_PLACE, /* and how many go before it */
};
const char *task_waiting_for(const struct task *task, enum why why, struct arena *arena);
const char *run_waiting_for(const struct run *run, struct arena *arena);
const char *step_waiting_for(const struct run *run, uint32_t index, struct arena *arena);

/* window.c: what is on disk only (P16), parking, the sweep (P17) */
void task_place(struct task *task);     /* ready: into its lane, or away when behind the bound */
bool task_place_due(struct task *task); /* true: away, due later than the window */
void window_trim(struct window *window);
void window_refill(struct window *window);
void window_load(struct shard *shard, const struct engine_queue_name *name);
void refill_answer(struct engine *engine, const struct engine_refill_answer *answer);
void shard_refill_due(struct shard *shard);
void shard_evict(struct shard *shard); /* forgets what is durable on disk */
void task_unwatched(struct task *task);
void task_park(struct task *task, enum engine_parked_reason reason);
void task_unpark(struct task *task);
void run_unpark(struct run *run);
void shard_park_old(struct shard *shard);
void engine_sweep(struct engine *engine);
struct read *read_new(struct shard *shard, enum read_kind kind);
struct read *read_find(struct engine *engine, uint64_t number);
void read_free(struct read *read);

/* worker.c: streams, sessions, heartbeats */
void worker_open(struct engine *engine, const struct engine_stream_open *open);
void worker_closed(struct engine *engine, uint64_t stream);
void worker_held(struct engine *engine, const struct engine_held *held);
void worker_credit(struct engine *engine, const struct engine_credit *credit);
void worker_declined(struct engine *engine, const struct engine_declined *declined);
void worker_progress(struct engine *engine, const struct engine_progress *progress);
void worker_drain(struct engine *engine, const struct engine_command *command);
struct worker *worker_beat(struct engine *engine, uint64_t stream); /* NULL: unknown stream */
struct worker *worker_get(struct engine *engine, const struct id *id);
struct worker *worker_find(const struct engine *engine, const struct id *id);
struct session *session_get(struct worker *worker, struct shard *shard);
void session_free(struct session *session);
void shard_take_all(struct shard *shard);
void worker_timer(struct engine *engine, struct worker *worker);
void worker_free(struct engine *engine, struct worker *worker);
void shard_grace_over(struct shard *shard);
struct engine_worker_view *worker_views(struct engine *engine, const struct id *id,
                                        uint32_t *ret_len);

/* key.c: idempotency */
bool key_set_has(const struct shard *shard, uint64_t hash);
void key_set_add(struct shard *shard, uint64_t hash);
void key_submit(struct shard *shard, struct submission *submission, uint32_t namespace_id,
                const char *text);
void key_answer(struct engine *engine, const struct engine_key_answer *answer);
void keys_free(struct shard *shard);
void keys_evict(struct shard *shard);

/* client.c, lookup.c: calls */
void submission_accept(struct shard *shard, struct submission *submission);
void submission_free(struct submission *submission);
void client_apply(struct engine *engine, const struct engine_command *command);
void client_cancel(struct task *task, uint64_t ticket, const char *actor, const char *reason,
                   int64_t deadline_us);
void client_force(struct task *task, uint64_t ticket, enum engine_task_state state,
                  const char *actor, const char *reason);
void client_watch_task(struct task *task, uint64_t ticket);
void watch_add(struct engine *engine, uint64_t ticket, struct task *task, struct run *run);
void watch_free(struct engine *engine, struct watch *watch);
void task_notify(struct task *task); /* a visible change: tells who watches it or its run */
void run_notify(struct run *run);
struct lookup *lookup_new(struct shard *shard, enum lookup_kind kind, const struct id *id);
void lookup_free(struct lookup *lookup);
void lookup_answer(struct engine *engine, const struct engine_task_answer *answer);

/* doctor.c: nothing is ever stuck */
void doctor_sweep(struct engine *engine);

/* run.c: steps in their order */
struct run *run_new(struct shard *shard, const struct engine_run_row *row,
                    const struct engine_plan *plan);
void run_free(struct run *run);
struct run *run_find(const struct shard *shard, const struct id *id);
void run_enter(struct run *run);
void run_begin(struct run *run, const char *actor);
void run_task_done(struct task *task); /* a step's task is terminal */
void run_advance(struct run *run);
void run_cancel(struct run *run, const char *actor, const char *reason);
void run_pause(struct run *run, const char *actor, const char *reason);
void run_unpause(struct run *run, const char *actor, const char *reason);
void run_dirty(struct run *run);
void run_resume(struct run *run); /* after a load: what was ready and not yet created */
void run_attach(struct run *run, struct task *task);
void run_stick(struct task *task, const struct id *worker, int64_t started_us);
const char *run_plan_name(const struct run *run);
struct slice run_input(const struct run *run);
struct slice run_labels(const struct run *run);
struct slice spec_text_of_step(const struct plan_step *step, const struct engine_spec *spec,
                               struct arena *arena);
bool limits_of_step(struct run *run, const struct plan_step *step,
                    const struct plan_context *context, struct arena *arena,
                    struct engine_spec *spec, struct error *err);
/* Labels, selectors and resources; with the cost what is asked of a worker. */
void requires_of_environment(struct slice environment, uint32_t cost, struct arena *arena,
                             struct engine_spec *spec);

/* careful.c: tasks that may kill their controller (P8) */
void careful_begin(struct shard *shard);
void careful_free(struct task *task);
bool careful_holds_place(struct task *task);
bool careful_holds_result(struct task *task, const struct engine_result *result);
void careful_durable(struct shard *shard);

/* load.c: shards */
struct shard *shard_of(const struct engine *engine, const struct id *id); /* NULL: not open */
void shard_load_begin(struct engine *engine, const struct engine_load_begin *load);
void shard_load_rows(struct engine *engine, const struct engine_load_rows *rows);
void shard_load_end(struct engine *engine, uint16_t number);
void shard_drop(struct engine *engine, uint16_t number);
void shard_dirty(struct shard *shard);
struct task *task_from_row(struct shard *shard, const struct engine_task_row *row);
void journal_advance(struct shard *shard); /* forgets rows that nothing needs */

/* effect.c: replies, events, views */
struct engine_effect *effect_new(struct engine *engine, enum engine_effect_kind kind,
                                 uint16_t shard);
struct engine_effect *effect_now(struct engine *engine, enum engine_effect_kind kind,
                                 uint16_t shard);
struct engine_reply *reply_new(struct engine *engine, uint16_t shard, uint64_t ticket,
                               const struct id *id); /* never NULL; ticket 0: into the void */
void reply_error(struct engine *engine, uint16_t shard, uint64_t ticket, enum status status,
                 const char *reason, const char *message);
void reply_now(struct engine *engine, uint64_t ticket, enum status status, const char *reason,
               const char *message);
void effects_drop_shard(struct engine *engine, uint16_t shard);
struct engine_event *event_new(struct shard *shard, enum engine_event_kind kind);
struct engine_event *event_of_task(struct task *task, enum engine_event_kind kind);
struct engine_event *event_of_run(struct run *run, enum engine_event_kind kind);
const char *lane_type_name(struct lane *lane, struct engine *engine);
const char *lane_queue_name(struct lane *lane, struct engine *engine);
const char *lane_window_name(struct lane *lane, struct engine *engine);
const char *window_name(const struct window *window, struct arena *arena);
const char *window_group(const struct window *window, struct arena *arena); /* "" = none */
struct slice slice_copy(struct arena *arena, struct slice text);

/* view.c */
struct engine_task_view *task_view(struct task *task, struct arena *arena); /* WHY_BRIEF */
void task_view_fill(struct task *task, enum why why, struct engine_task_view *view,
                    struct arena *arena);
struct engine_run_view *run_view(struct run *run, struct arena *arena);
struct engine_task_view *run_task_views(struct run *run, struct arena *arena, uint32_t *ret_len);
void task_row_fill(const struct task *task, struct engine_task_row *row, struct arena *arena);
void task_change_fill(const struct task *task, struct engine_task_change *change,
                      struct arena *arena);
void run_row_fill(const struct run *run, struct engine_run_row *row, struct arena *arena);
void run_change_fill(const struct run *run, struct engine_run_change *change, struct arena *arena);

/* Ready, and in no lane until its run is resumed. */
static inline bool task_is_withheld(const struct task *task)
{
    return task->run && task->run->pause.at_us;
}

static inline bool task_is_terminal(const struct task *task)
{
    return engine_task_state_is_terminal((enum engine_task_state)task->state);
}

#endif
