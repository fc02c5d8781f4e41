/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_STORE_H
#define STORE_STORE_H
/*
 * PostgreSQL as the engine's log: owns shards by lease rows, writes batches by group commit, loads
 * shards, reads what memory does not hold. One write connection (at most two batches in flight,
 * fenced by epoch and sequence), a few read connections. Asynchronous; all callbacks come from the
 * loop, never from inside the call. Rows handed to a callback live until it returns.
 *
 * On any failed or unknown batch and on any lost lease: done(false) for each batch concerned and
 * on_lost for each of their shards (from the first of these calls on none of them is valid), then
 * by itself a new epoch and a new load. There is no other recovery path.
 */
#include "db/db.h"
#include "engine/engine.h"
#include "pbjson/pbjson.h"

struct store;

struct store_options {
    const char *database;             /* libpq URL */
    struct pbjson_registry *registry; /* for spec_complete on rows that are loaded */
    const char *instance; /* stable id of this controller (its state directory's); takes its own
                             shards back at once */
    const char *address;  /* where it is reached, for the shard rows */
    bool pooler_transaction;
    size_t read_connections;      /* default 2 */
    int64_t shard_lease_ms;       /* 5,000 */
    int64_t renew_ms;             /* 2,000 */
    int64_t lease_margin_ms;      /* 1,000 */
    int64_t statement_timeout_ms; /* 10,000 */
    int64_t lock_timeout_ms;      /* 1,000 */
    int64_t retention_ms;         /* of finished tasks and runs; 0 = for ever */
    int64_t key_retention_ms;     /* of idempotency keys; 0 = for ever */
};

struct store_cluster {
    uint32_t timeline;
    uint16_t shards; /* a power of two */
    int64_t now_us;  /* the database's time when it was read */
};

struct store_callbacks {
    /* The database has been reached and the schema is new enough; before any load. */
    void (*on_cluster)(const struct store_cluster *cluster, void *userdata);
    /* LOAD_BEGIN, LOAD_ROWS…, LOAD_END of one shard (now_us 0: the caller sets it). The epoch is
     * committed before it is read. */
    void (*on_load)(const struct engine_command *command, void *userdata);
    /* The shard is not owned any more (or not yet again): apply DROP. */
    void (*on_lost)(uint16_t shard, const char *why, void *userdata);
    /* Waiting or lost, with the reason; NULL when all is well. For readiness. */
    void (*on_health)(const char *why, void *userdata);
    /* A compiled plan for a run that is being loaded; document is the plan version's canonical
     * text. */
    enum status (*plan_of)(const struct id *plan_id, uint32_t version, struct slice document,
                           struct engine_plan *ret, void *userdata, struct error *err);
    void (*plan_done)(struct engine_plan *plan,
                      void *userdata); /* after the LOAD_ROWS that used it */
};

struct store *store_new(struct loop *loop, const struct store_options *options,
                        const struct store_callbacks *callbacks, void *userdata);
/* Gives the shards up (after the batches in flight), then stopped once. */
void store_stop(struct store *store, void (*stopped)(void *userdata), void *userdata);
void store_free(struct store *store);

/* ---- writing ---- */
#define STORE_BATCHES_IN_FLIGHT 2
bool store_may_write(const struct store *store); /* fewer than two in flight */
/* The packed EventBatch of one shard in a batch, as it stands in the journal. */
struct store_events {
    uint16_t shard;
    uint64_t first;
    uint32_t count;
    struct slice packed;
};
/* done exactly once, in the order of the calls; a batch without rows waits for those before it. The
 * batch must live until done. */
typedef void (*store_written_fn)(bool durable, const struct store_events *events, size_t n,
                                 void *userdata);
void store_write(struct store *store, const struct engine_batch *batch, store_written_fn done,
                 void *userdata);
/* May this controller act for the shard now, by its own monotonic clock (lease less margin)? */
bool store_shard_valid(const struct store *store, uint16_t shard);

/* What is not found under this id may have been there: its day is past retention. */
bool store_is_expired(const struct store *store, const struct id *id);

/* The shard's memory cannot be trusted any more (a read of the engine's own failed): on_lost
 * follows, then a new epoch and a new load. */
void store_drop(struct store *store, uint16_t shard, const char *why);

/* ---- reading (committed state only) ---- */
typedef void (*store_task_fn)(const struct engine_task_row *row, const struct error *err,
                              void *userdata); /* row NULL and err NULL: none */
void store_read_task(struct store *store, const struct id *id, store_task_fn done, void *userdata);
typedef void (*store_tasks_fn)(const struct engine_task_row *rows, size_t n,
                               const struct error *err, void *userdata);
void store_read_run_tasks(struct store *store, const struct id *run, store_tasks_fn done,
                          void *userdata);
struct store_task_filter {
    uint32_t namespace_id;
    struct id before; /* nil = from the newest */
    uint32_t limit;
    enum engine_task_state
        state; /* terminal states and NONE; live states are filtered by the caller */
    bool live_only;
    const char *type, *queue, *failure_code; /* NULL = any */
    bool include_steps;
    struct id from; /* no smaller ids; nil = any */
};
/* Newest first, without parameters, environment and result. */
void store_list_tasks(struct store *store, const struct store_task_filter *filter,
                      store_tasks_fn done, void *userdata);

typedef void (*store_run_fn)(const struct engine_run_row *row, const struct error *err,
                             void *userdata);
void store_read_run(struct store *store, const struct id *id, store_run_fn done, void *userdata);
typedef void (*store_runs_fn)(const struct engine_run_row *rows, size_t n, const struct error *err,
                              void *userdata);
struct store_run_filter {
    uint32_t namespace_id;
    struct id before;
    uint32_t limit;
    enum engine_run_state state;
    bool live_only;
    struct id plan_id; /* nil = any */
};
void store_list_runs(struct store *store, const struct store_run_filter *filter, store_runs_fn done,
                     void *userdata);
/* The newest `limit` runs of each plan, newest first per plan; rows without input and output. */
void store_recent_runs(struct store *store, const struct id *plans, size_t n, uint32_t limit,
                       store_runs_fn done, void *userdata);

struct store_shard_health {
    uint16_t shard;
    bool owned;
    uint64_t journal_rows, events_unsaved;
    int64_t now_us, journal_since_us, unsaved_since_us; /* by the database's clock; 0 = none */
};
typedef void (*store_health_fn)(const struct store_shard_health *shards, size_t n,
                                const struct error *err, void *userdata);
void store_read_health(struct store *store, store_health_fn done, void *userdata);
/* Days past retention that something unfinished holds, as of the last look (once an hour). */
#define STORE_HELD_MAX 32
struct store_held_day {
    char day[11]; /* 2026-01-31 */
    struct id by;
};
const struct store_held_day *store_held_days(const struct store *store, size_t *ret_len);

/* Answers to the engine's own reads: the ready command (KEY_ROW, TASK_ROW, REFILL_ROWS; now_us 0).
 * NULL = the read failed. */
typedef void (*store_answer_fn)(const struct engine_command *command, void *userdata);
void store_key_lookup(struct store *store, const struct engine_key_lookup *lookup,
                      store_answer_fn done, void *userdata);
void store_task_lookup(struct store *store, const struct engine_task_lookup *lookup,
                       store_answer_fn done, void *userdata);
void store_refill(struct store *store, uint16_t shard, const struct engine_refill *refill,
                  store_answer_fn done, void *userdata);
/* Packed events of the journal from a number on, for the relay after a takeover; at most 4 MiB at a
 * time. */
typedef void (*store_events_fn)(const struct store_events *events, size_t n,
                                const struct error *err, void *userdata);
void store_read_events(struct store *store, uint16_t shard, uint64_t from, store_events_fn done,
                       void *userdata);

/* ---- plans: cold, each one transaction that is fenced by the home shard's epoch ---- */
struct store_plan {
    struct id id;
    uint32_t namespace_id;
    const char *name, *description;
    uint32_t version;
    struct slice document, source; /* empty in lists */
    uint8_t digest[32];            /* of the canonical document */
    const char *message;           /* of the version */
    uint32_t steps;
    int64_t created_us, updated_us, archived_us;
};
typedef void (*store_plan_fn)(const struct store_plan *plan, const struct error *err,
                              void *userdata); /* both NULL: there is none */
typedef void (*store_plans_fn)(const struct store_plan *plans, size_t n, const struct error *err,
                               void *userdata);
/* ALREADY_EXISTS, reason PLAN_NAME_TAKEN. With a key: the first plan again (*replayed in
 * plan->version… by store_plan_fn's plan) or ALREADY_EXISTS, reason REQUEST_ID_CONFLICT. */
void store_plan_insert(struct store *store, const struct store_plan *plan, const char *key,
                       const uint8_t key_digest[32], store_plan_fn done, void *userdata);
/* A new version. expected: the version that must be the newest, 0 = any; ABORTED, reason
 * ETAG_MISMATCH; FAILED_PRECONDITION, reason PLAN_ARCHIVED. */
void store_plan_add_version(struct store *store, const struct store_plan *plan, uint32_t expected,
                            store_plan_fn done, void *userdata);
void store_plan_archive(struct store *store, uint32_t namespace_id, const struct id *id,
                        int64_t now_us, store_plan_fn done, void *userdata);
/* By id, or by name when id is NULL (then only unarchived ones); version 0 = newest. */
void store_plan_read(struct store *store, uint32_t namespace_id, const struct id *id,
                     const char *name, uint32_t version, store_plan_fn done, void *userdata);
struct store_plan_filter {
    uint32_t namespace_id;
    const char *q; /* part of name or description, NULL = any */
    bool archived;
    struct id before; /* newest first by id; nil = from the start */
    uint32_t limit;
};
void store_plan_list(struct store *store, const struct store_plan_filter *filter,
                     store_plans_fn done, void *userdata);
/* Newest first, below version `before` (0 = from the newest). */
void store_plan_versions(struct store *store, uint32_t namespace_id, const struct id *id,
                         uint32_t before, uint32_t limit, store_plans_fn done, void *userdata);

/* ---- keys ---- */
enum store_role { STORE_ROLE_ADMIN = 1, STORE_ROLE_WORKER = 2 };
struct store_key {
    struct id id;
    uint32_t namespace_id;
    const char *namespace_name; /* filled in by reads */
    const char *name;
    enum store_role role;
    uint8_t digest[32];
    bool single_use;
    int64_t created_us, expires_us, revoked_us, last_used_us; /* 0 = never */
};
typedef void (*store_key_fn)(const struct store_key *key, const struct error *err,
                             void *userdata); /* both NULL: there is none */
typedef void (*store_keys_fn)(const struct store_key *keys, size_t n, const struct error *err,
                              void *userdata);
/* A digest that is already there is left as it is (bootstrap keys): the row that stands is given.
 */
void store_key_insert(struct store *store, const struct store_key *key, store_key_fn done,
                      void *userdata);
/* A key that is valid at now_us (not expired, not revoked, not single-use); notes its use at most
 * once a minute. */
void store_key_find(struct store *store, const uint8_t digest[32], int64_t now_us,
                    store_key_fn done, void *userdata);
/* Uses up a single-use key that is still valid; also accepts a plain admin key (which is not used
 * up). */
void store_key_redeem(struct store *store, const uint8_t digest[32], int64_t now_us,
                      store_key_fn done, void *userdata);
void store_key_revoke(struct store *store, uint32_t namespace_id, const struct id *id,
                      int64_t now_us, store_key_fn done, void *userdata);
void store_key_list(struct store *store, uint32_t namespace_id, const struct id *before,
                    uint32_t limit, store_keys_fn done, void *userdata);

/* Ids of a worker that has said hello without one are issued by the caller; nothing about workers
 * is stored. */

#endif
