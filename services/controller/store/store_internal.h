/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H
/*
 * What the files of store/ share. keeper.c owns and renews shards, load.c rebuilds them, write.c
 * commits batches, encode.c packs what the engine gives into columns, rows.c unpacks rows, the rest
 * are reads and cold writes.
 */
#include "db/migrate.h"
#include "store/store.h"

#define STORE_SCHEMA_NEEDED 6 /* newest migration that this code relies on */

/*
 * Statements keep one plan, by the indexes that they were written for: a plan made while a table
 * was empty must not stay, nor each execution be planned anew over all partitions (2.3 ms with 32
 * days against 0.25). A test looks at every plan.
 */
#define STORE_SESSION_SETTINGS                                                                     \
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off "        \
    "-c enable_hashjoin=off -c enable_mergejoin=off"

enum shard_state {
    SHARD_FREE,      /* not ours: perhaps somebody else's */
    SHARD_ACQUIRING, /* an acquire statement is on its way */
    SHARD_LOADING,   /* our epoch is committed; rows are being read */
    SHARD_OWNED,     /* loaded: batches may touch it */
};

struct shard_slot {
    enum shard_state state;
    bool was_ours; /* by this process: taking it back is no sign of a crash */
    uint32_t epoch;
    uint64_t load;           /* number of the load that is on its way */
    uint64_t valid_until_us; /* lease clock: lease less margin */
    uint64_t journal_low;    /* trimmed up to here */
    uint64_t events_next;    /* a read of events that begins with this number … */
    uint64_t events_seq;     /* … need not look at journal rows before this one */
};

/* One store_write on its way, in order. */
struct store_op {
    struct store *store;
    struct store_op *next;
    const struct engine_batch *batch;
    store_written_fn done;
    void *userdata;
    bool answered, durable;
    uint64_t sent_us;   /* lease clock */
    struct arena arena; /* packed events */
    struct store_events *events;
    size_t events_len;
};

/* Questions about one row that wait for their statement. */
enum gather_kind { GATHER_TASK, GATHER_LOOKUP, GATHER_KEY };
#define GATHER_KINDS 3
struct gather {
    struct question *first, *last;
    unsigned in_flight; /* statements */
};

struct store {
    struct loop *loop;
    struct store_options options;
    char *application_name;
    struct store_callbacks callbacks;
    void *userdata;
    struct db_conn *writer;
    struct db_pool *readers;
    struct read *reads_waiting, *reads_tail; /* oldest first */
    size_t reads_in_flight;
    struct gather gathered[GATHER_KINDS];
    struct loop_flush *gather_flush;
    bool freeing; /* nothing more is asked */
    struct store_cluster cluster;
    bool up, checked, stopping;
    char down_why[256]; /* while it is not up */
    int64_t clock_us;   /* high-water of the database's and the engine's time */
    struct shard_slot shards[SHARDS_MAX];
    uint64_t loads;
    struct store_op *ops, **ops_tail; /* oldest first */
    size_t in_flight;
    struct loop_timer *renew_timer, *acquire_timer, *partition_timer;
    bool acquiring;
    struct loop_timer *retention_timer; /* NULL until something is owned */
    struct db_conn *retention_conn;     /* while days are looked through */
    struct store_held_day held[STORE_HELD_MAX];
    size_t held_len;
    void (*stopped)(void *userdata);
    void *stopped_userdata;
};

/* A connection for reads; the writer while no reader is up. */
struct db_conn *store_reader(struct store *store);

/* ---- keeper.c ---- */
void keeper_start(struct store *store);
void keeper_connection(struct store *store, bool up, const struct error *err);
/* The shard's memory is gone: on_lost, then taken anew. */
void keeper_lose(struct store *store, uint16_t shard, const char *why);
/* The same in two steps: from the first on nothing is done for the shard any more; true when
 * on_lost is to follow. */
bool keeper_give_up(struct store *store, uint16_t shard);
void keeper_acquire_soon(struct store *store, uint64_t delay_ms);
/* Says what readiness depends on as it is now. */
void keeper_health(struct store *store);
void keeper_release(struct store *store);
/* Clock by which leases are judged here: it goes on while the machine is suspended. */
uint64_t lease_clock_us(void);
/* A statement that was sent then renews a lease until … (less the margin). */
uint64_t lease_valid_us(const struct store *store, uint64_t sent_us);

/* ---- retention.c ---- */
void retention_start(struct store *store); /* once */
void retention_free(struct store *store);

/* ---- load.c ---- */
struct load_shard {
    uint16_t shard;
    uint32_t epoch;
    struct engine_load_begin begin;
};
void load_start(struct store *store, const struct load_shard *shards, size_t n);

/* ---- write.c ---- */
void write_idle_check(struct store *store);

/* ---- columns.c ---- */
/* Adds the statements of op->batch; fills op->events and op->checks. */
void columns_add(struct store_op *op, struct db_txn *txn);

/* ---- gather.c ---- */
void gather_start(struct store *store);
void gather_free(struct store *store);

/* ---- encode.c ---- */
#define LEASE_BYTES                                                                                \
    56 /* task 16, attempt 4, worker 16, started 8, epoch 4, seq 8; little endian                  \
        */
#define COUNTS_BYTES (4 * (1 + ENGINE_TASK_STATES))
struct slice encode_leases(struct arena *arena, const struct engine_lease *leases, uint32_t n);
uint32_t decode_leases(struct arena *arena, struct slice packed, struct engine_lease **ret);
struct slice encode_events(struct arena *arena, const struct engine_event *events,
                           uint32_t n); /* an EventBatch */
struct slice encode_counts(struct arena *arena, const struct engine_counts *counts);
void decode_counts(struct slice packed, struct engine_counts *ret);

/* ---- rows.c ---- */
/* Columns of a whole row. Behind those of a task stand the reason and the time that it is parked
 * for, both NULL when it is not. */
#define TASK_COLUMNS 30
#define TASK_PARKED_COLUMNS 2
#define RUN_COLUMNS 24
/* Texts go to the arena, NUL-terminated. complete: spec_text is parsed too. */
void row_task(struct store *store, struct arena *arena, const struct db_result *result, size_t row,
              bool complete, struct engine_task_row *ret);
void row_run(struct arena *arena, const struct db_result *result, size_t row,
             struct engine_run_row *ret);
char *row_text(struct arena *arena, const struct db_result *result, size_t row,
               int column); /* "" for NULL */
struct slice row_slice(struct arena *arena, const struct db_result *result, size_t row, int column);
int64_t row_time(const struct db_result *result, size_t row, int column);   /* 0 for NULL */
int64_t row_number(const struct db_result *result, size_t row, int column); /* 0 for NULL */
struct id row_id(const struct db_result *result, size_t row, int column);   /* nil for NULL */
/* The least and the greatest id with the time and shard of this one. */
void id_bounds(const struct id *id, struct id *ret_low, struct id *ret_high);

/* A parameter that may be absent. */
struct db_param param_id(const struct id *id); /* NULL when nil */
struct db_param param_text(const char *text);  /* NULL when NULL */
struct db_param param_time(int64_t us);        /* NULL when 0 */
struct db_param param_digest(const uint8_t digest[32]);

#endif
