/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_H
#define SIM_SIM_H
/*
 * A deterministic world around the real engine: controllers (each an engine and a small host),
 * workers, clients and one database, in virtual time, driven by one seed. Messages are delayed,
 * doubled and lost with their stream; machines pause and crash; the database loses connections,
 * fails batches, and may run a batch whose owner has stopped listening. What must always hold is
 * checked at each commit, each start of an attempt and each answer; what must hold in the end is
 * checked when all faults have stopped. A failure prints the seed, which replays it.
 *
 * The seams are final: a host talks to the database, to workers and to clients through messages
 * alone, and the engine is the library that the controller links.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/engine.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "plan/plan.h"

#define SHARDS 2
#define CONTROLLERS_MAX 3
#define WORKERS_MAX 4
#define CLIENTS_MAX 3
#define TASKS_MAX 4096
#define RUNS_MAX 256
#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define START_US INT64_C(1700000000000000)
#define TTL_US (5 * SECOND) /* of a shard's lease */
#define MARGIN_US (1 * SECOND)
#define ATTEMPT_MS 5000 /* attempt timeout of the tasks that have one */
#define RENEW_US (2 * SECOND)

/* What can be broken on purpose, to see that the checks see it. */
enum bug {
    BUG_NONE = 0,
    BUG_NO_FENCE_SEQ,     /* the fence compares the epoch alone */
    BUG_NO_FENCE_EPOCH,   /* the fence compares the sequence alone */
    BUG_EARLY_EFFECTS,    /* effects leave when they are decided */
    BUG_DUP_ACK,          /* what writes nothing does not wait for the batches before it */
    BUG_NO_GRACE,         /* orphan leases are lost at once */
    BUG_NO_ATTEMPT_CHECK, /* a result counts for whatever attempt is open */
    BUG_KEEP_MEMORY,      /* memory is kept after a batch has failed */
    BUG_NO_SESSION,       /* workers look at neither floor nor nonce */
    BUG_VOLATILE_LEASE,   /* a dispatch leaves before its lease is durable, and it is not written */
    BUG_READ_FIRST,       /* a shard is read before its epoch is taken */
    BUG_CANCEL_NOW,       /* a cancel of running work is final at once */
    BUG_OLD_HELD,         /* the list of a dead stream is believed */
    BUG_KEY_BLIND,        /* keys are not looked up in the database */
    BUG_KEEP_OLD,         /* a worker keeps an older attempt beside a newer one */
    BUG_FORGET_RUN_PAUSE, /* that a run is paused is not read at a takeover */
    BUG_FORGET_PAUSE,     /* what was set for queues is not read at a takeover */
    BUG_FORGET_LIMITS,    /* tasks are read without what they are limited by */
    BUG_LOSE_CARRIED,     /* journal rows go although a lease stands in them alone */
    BUGS
};
extern const char *const BUG_NAMES[BUGS];

/* What the model of the protocol leaves out: each must happen, or the seeds prove nothing of it. */
enum hit {
    HIT_SHARDS_IN_BATCH,
    HIT_STEP_IN_BATCH,
    HIT_JOURNAL_TRIMMED,
    HIT_CARRIED,
    HIT_CARRIED_OVER_TAKEOVER,
    HIT_RETRY,
    HIT_FAILURES_SPENT,
    HIT_LOST,
    HIT_LOST_LIMIT,
    HIT_GRACE_OVER,
    HIT_ATTEMPT_TIMEOUT,
    HIT_BURNT,
    HIT_SUSPECT,
    HIT_CONTROLLER_LOST,
    HIT_EVENTS_ACKED,
    HIT_RELAY_AHEAD,
    HIT_PARKED_READY,
    HIT_PARKED_DUE,
    HIT_UNPARKED,
    HIT_REFILL,
    HIT_REFILL_OVERTAKEN,
    HIT_SILENCED,
    HIT_CLOCK_FORWARD,
    HIT_CLOCK_BACK,
    HIT_KEY_READ,
    HIT_NOT_OWNER,
    HIT_LATE_COMMIT,
    HIT_STALE,
    HITS
};
extern const char *const HIT_NAMES[HITS];

struct world;
typedef void (*sim_fn)(struct world *world, void *data);

/* A machine: what happens to it while it is paused waits, what was meant for a former life is
 * dropped. */
struct node {
    uint32_t life;
    bool up;
    int64_t paused_until;
    int64_t fault_us; /* when it was last out of contact */
};

/* ---- the database ---- */
struct db_shard {
    uint32_t epoch;
    uint64_t seq, event_next, event_acked, journal_low;
    int owner; /* controller; -1 = none */
    int64_t lease_until, clock;
    uint32_t unclean;
    struct id suspect;
    uint64_t logged; /* last event that the logger has */
    int64_t *starts; /* engine times of leases under the rate */
    uint32_t starts_len;
};
struct db_lease {
    struct engine_lease lease;
    uint64_t row_seq; /* of the journal row that has it */
};
struct db_task {
    struct engine_task_row row;
    bool inserted;
    uint32_t leased;     /* highest attempt ever leased, by the checks */
    uint32_t lost_mask;  /* attempts that were declared lost, a bit each */
    uint32_t timed_mask; /* that were over their time, and whose workers did not stop when told */
};
struct db_run {
    struct engine_run_row row;
    uint32_t plan;
    uint32_t pauses;     /* of its events */
    uint64_t paused_seq; /* of the batch that paused it; 0 = it is not paused */
};
struct db_key {
    struct engine_key_row row;
    uint16_t shard;
};
/* What the tasks of the simulator are limited by; the bits stand in their specification. */
enum {
    SIM_ATTEMPT = 1, /* ATTEMPT_MS */
    SIM_KEY_A = 2,   /* at most SIM_A_LIMIT leases */
    SIM_KEY_B = 4,
    SIM_KEY_C = 8, /* the newest one takes the place of the others */
    SIM_RATE = 16,
    SIM_FAIR = 32,  /* weight 1 or, of even priority, 3 */
    SIM_CPU = 64,   /* half of what a worker has */
    SIM_COST = 128, /* two slots */
    SIM_BITS = 256,
};
#define SIM_WORKER_CPU 2000
#define SIM_A_LIMIT 2
#define SIM_RATE_LIMIT 3
#define SIM_RATE_MS 2000
#define STARTS_MAX 4096 /* of limited rate, of a shard */

struct db_queue {
    struct engine_queue_row row;
    uint16_t shard;
};
#define DB_QUEUES_MAX 16
struct db {
    struct db_shard shards[SHARDS];
    struct db_task *tasks;
    uint32_t tasks_len;
    struct db_run *runs;
    uint32_t runs_len;
    struct db_key *keys;
    uint32_t keys_len, keys_cap;
    struct db_queue queues[DB_QUEUES_MAX];
    uint32_t queues_len;
    struct db_lease *leases;
    uint32_t leases_len, leases_cap;
    bool away;          /* answers nobody */
    int64_t clock_skew; /* of its clock against the simulator's */
};

/* ---- a controller ---- */
struct flight {
    struct list link;
    struct arena arena;
    struct engine_batch batch;
    uint32_t epochs[SHARDS]; /* of its shards when it was cut */
    uint32_t connection;
    bool sent, done, ok; /* to the database; answered; committed */
    bool host_done, db_done;
};
struct held_shard {
    uint32_t epoch; /* 0 = not owned */
    bool loading, open;
    int64_t valid_until; /* local time */
    uint64_t seq_shift;  /* BUG_KEEP_MEMORY */
};
struct controller {
    struct node node;
    struct world *world;
    int number;
    struct engine *engine;
    struct list flights;
    uint32_t connection;   /* changes when the connection to the database breaks */
    int64_t connection_at; /* arrival of the last message on it */
    int64_t clock_offset;
    struct held_shard shards[SHARDS];
    int64_t next_claim, next_renew;
};

/* ---- streams between workers and controllers ---- */
struct stream {
    uint64_t number;
    struct worker_node *worker;
    struct controller *controller;
    uint32_t worker_life, controller_life;
    bool open_at_worker, open_at_controller, broken;
    int64_t up_at, down_at; /* arrival of the last message each way: a stream keeps its order */
};
enum down_kind { DOWN_TAKE, DOWN_LEASE, DOWN_ACK, DOWN_STALE, DOWN_CANCEL };
struct down {
    struct stream *stream;
    enum down_kind kind;
    uint16_t shard;
    uint32_t epoch;
    uint64_t nonce;
    struct id task;
    uint32_t attempt;
};
struct up {
    struct stream *stream;
    struct engine_command command;
};

/* ---- a worker ---- */
#define HOLD_MAX 64
enum hold_state { HOLD_FREE, HOLD_RUNNING, HOLD_FINISHED, HOLD_GONE };
struct hold {
    enum hold_state state;
    struct id task;
    uint32_t attempt;
    struct stream *stream; /* that it came by */
    enum engine_result_kind result;
    bool sent;
    uint32_t serial; /* so that a timer of earlier work is told from this one */
};
struct worker_node {
    struct node node;
    struct world *world;
    int number;
    struct id id;
    uint32_t floor[SHARDS]; /* on disk */
    uint64_t nonce[SHARDS];
    struct stream *session[SHARDS];
    struct stream *streams[CONTROLLERS_MAX];
    bool cut[CONTROLLERS_MAX];
    struct hold holds[HOLD_MAX];
    uint32_t slots, serial;
    int64_t breaks[3]; /* times of the last broken streams */
};

/* ---- a client ---- */
#define OPS_MAX 640
#define LATER_OPS 300 /* of these are kept for queues and for pauses of runs */
enum op_kind {
    OP_SUBMIT,
    OP_RUN,
    OP_CANCEL,
    OP_READ,
    OP_WATCH,
    OP_PAUSE,
    OP_RESUME,
    OP_LIMIT,
    OP_PAUSE_RUN,
    OP_RESUME_RUN,
};
struct op {
    enum op_kind kind;
    struct world *world;
    char key[24]; /* of a queue: its name */
    uint16_t shard;
    struct id subject; /* of the task that it is about */
    bool answered;
    struct id id; /* as first acknowledged */
    uint32_t plan;
    uint32_t tries;
    uint64_t ticket;
};

struct ghost_task {
    struct id id;
    bool cancelled_acked, cancel_acked; /* told `cancelled`; told `requested` */
    uint32_t acked_attempt;             /* of the result that a worker was told is recorded */
    enum engine_task_state seen;        /* terminal state that a reader was told */
    uint32_t begun, succeeded;          /* attempts, a bit each: begun; ended with a result */
};

struct profile { /* which faults this seed has; rates are mean times between, 0 = never */
    int64_t crash_us, pause_us, takeover_us, batch_fail_us, db_break_us, db_away_us;
    int64_t stream_us, worker_crash_us, worker_pause_us, cut_us;
    int64_t clock_us, double_result, late_commit, slow, break_at_take; /* percent */
};

struct world {
    uint64_t seed, random;
    int64_t now;
    uint64_t order, next_ticket, next_stream, next_id;
    enum bug bug;
    bool verbose, healing;
    struct profile profile;
    struct heap events;
    struct arena arena;
    struct db db;
    struct controller controllers[CONTROLLERS_MAX];
    int controllers_len;
    struct worker_node workers[WORKERS_MAX];
    int workers_len;
    struct op *ops;
    uint32_t ops_len;
    struct op **tickets; /* by ticket */
    size_t tickets_cap;
    struct ghost_task *ghosts;
    uint32_t ghosts_len;
    struct engine_plan plans[5];
    uint32_t plans_len;
    struct arena plan_arena;
    struct engine_config config;
    char failure[256]; /* "" = none */
    uint64_t commits, takeovers, starts, results;
    uint64_t hits[HITS];
};

/* world.c */
bool sim_event_less(const struct heap_node *a, const struct heap_node *b);
uint64_t sim_random(struct world *world);
int64_t sim_below(struct world *world, int64_t n); /* 0 … n - 1 */
bool sim_chance(struct world *world, int64_t percent);
void sim_at(struct world *world, int64_t delay_us, struct node *node, sim_fn fn, void *data);
void sim_fail(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_log(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *sim_id(const struct id *id); /* the last 6 digits; a few static buffers */
bool world_step(struct world *world);    /* false: nothing more will happen */
int64_t net_delay(struct world *world);
static inline int64_t db_now(const struct world *world)
{
    return world->now + world->db.clock_skew;
}

/* main.c, many.c */
struct totals {
    uint64_t seeds, commits, takeovers, starts, results, failures;
    uint64_t hits[HITS];
};
bool sim_seed(uint64_t seed, enum bug bug, bool verbose, struct totals *totals);
/* Seeds from one on, by so many processes. False: one has failed and is told. */
bool many_run(uint64_t seed, uint64_t seeds, uint64_t jobs, enum bug bug, struct totals *totals);

/* limits.c */
void sim_limits(uint32_t bits, struct engine_spec *spec); /* from a table that stays */
const struct engine_demands *sim_demands(struct world *world, const struct engine_spec *spec);
uint32_t sim_bits(const struct engine_spec *spec); /* back from its text */
void limits_check(struct world *world, const struct engine_shard_batch *batch);

/* store.c, reads.c */
void db_init(struct world *world);
bool db_commit(struct world *world, const struct engine_batch *batch, const uint64_t *seq_shift);
struct db_task *db_task(struct world *world, const struct id *id);
struct db_run *db_run(struct world *world, const struct id *id);
struct db_lease *db_open_lease(struct world *world, const struct db_task *task);
bool db_sets_queue(const struct engine_shard_batch *batch, const char *name);
const char *db_parked_queue(struct world *world, const struct db_task *task);
void db_check_findable(struct world *world, uint16_t shard);
void db_load(struct world *world, struct controller *controller, uint16_t shard, uint32_t epoch,
             const struct db_shard *at);
void db_answer(struct controller *controller, const struct engine_effect *effect);
struct db_queue *db_queue(struct world *world, uint16_t shard, const char *name);
struct id *db_key_find(struct world *world, uint16_t shard, const char *key);

/* host.c, claim.c */
void host_start(struct world *world, void *controller);
void host_apply(struct controller *controller, struct engine_command *command);
void host_pump(struct controller *controller);
void host_drop(struct controller *controller, uint16_t shard);
void host_crash(struct controller *controller, int64_t down_us);
void host_break_connection(struct controller *controller);
void host_claims(struct controller *controller);
void host_take(struct controller *controller, uint16_t shard);
int64_t host_engine_time(const struct controller *controller);
bool host_may_act(const struct controller *controller, uint16_t shard);

/* workers.c */
void worker_start(struct world *world, void *worker);
void worker_crash(struct worker_node *worker, int64_t down_us);
void stream_break(struct stream *stream);
void stream_down(struct stream *stream, const struct down *message);
bool worker_is_idle(const struct worker_node *worker);

/* clients.c */
void clients_start(struct world *world);
void clients_heal(struct world *world); /* whoever paused a queue or a run resumes it */
void client_reply(struct world *world, const struct engine_reply *reply);

/* check.c */
struct ghost_task *ghost(struct world *world, const struct id *id);
void check_begin(struct world *world, struct worker_node *worker, const struct id *task,
                 uint32_t attempt);
void check_ack(struct world *world, const struct id *task, uint32_t attempt,
               enum engine_result_kind result);
void check_takeover(struct world *world);
void check_end(struct world *world);
void check_view(struct world *world, const struct engine_task_view *view);
bool world_is_quiet(struct world *world);

/* faults.c */
void faults_start(struct world *world);

#endif
