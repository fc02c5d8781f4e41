/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include "db/migrate.h"
#include "log/log.h"
#include "logger_metrics.h"
#include "sql/logger.h"

#define SCHEMA_NEEDED 2
#define RETRY_MS 200
#define HOUR_MS (60 * 60 * 1000)
#define DAY_US (INT64_C(24) * HOUR_MS * 1000)
/* Rows are found by id in partitions of a day: plans made anew for each execution would cost more
 * than the reads. */
static const char READ_SETTINGS[] =
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off";

static void store_step(struct store *store);
static void store_hello(struct store *store);

void store_set_why(struct store *store, const char *why)
{
    bool same = strcmp(store->why, why ? why : "") == 0;

    snprintf(store->why, sizeof store->why, "%s", why ? why : "");
    if (!same)
        store->callbacks.on_health(why, store->userdata);
}

const char *store_trouble(const struct store *store)
{
    return *store->why ? store->why : NULL;
}

static void check_stopped(struct store *store)
{
    void (*stopped)(void *userdata) = store->stopped;

    if (!stopped || store->phase == STORE_BUILDING || store->phase == STORE_COMMITTING)
        return;
    store->stopped = NULL;
    store->ended = true;
    stopped(store->stopped_userdata);
}

/* ---- one batch after the other ---- */

static void batch_free(struct store *store)
{
    struct store_batch *batch = store->batch;

    if (!batch)
        return;
    store->batch = NULL;
    spool_range_done(store->options.spool, &batch->range);
    arena_fini(&batch->arena);
    free(batch->data);
    free(batch);
}

static void build_work(void *userdata)
{
    struct store_batch *batch = ((struct store *)userdata)->batch;
    struct slice frames = {batch->data, batch->range.len};

    if (batch->is_settled) {
        batch->status =
            chunks_rebuild(&batch->arena, frames, batch->range.lsn, &batch->chunks, &batch->err);
        return;
    }
    batch->status = spool_range_read(&batch->range, batch->data, &batch->err);
    if (batch->status == STATUS_OK)
        batch->status =
            chunks_build(&batch->arena, frames, batch->range.lsn, &batch->chunks, &batch->err);
}

static void build_done(void *userdata);

static void batch_build(struct store *store)
{
    store->phase = STORE_BUILDING;
    if (loop_pool(store->loop, build_work, build_done, store, NULL) == STATUS_OK)
        return;
    batch_free(store);
    store->phase = STORE_RETRYING;
    loop_timer_start(store->retry, RETRY_MS, 0);
}

static void doubts_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct store *store = userdata;
    size_t row = 0;

    if (outcome != DB_COMMITTED) {
        batch_free(store);
        store_failed(store, DB_FAILED, err);
        return;
    }
    for (struct chunk_doubt *doubt = store->batch->chunks.doubts; doubt; doubt = doubt->next, row++)
        doubt->last_seq = db_is_null(results[0], row, 0) ? 0 : (uint64_t)db_i64(results[0], row, 0);
    store->batch->is_settled = true;
    batch_build(store);
}

/* Some lines were taken while the database could not say whether it has them. Now it can. */
static void doubts_ask(struct store *store)
{
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *tasks = db_array_new(db_txn_arena(txn), DB_UUID);
    struct db_array *attempts = db_array_new(db_txn_arena(txn), DB_I32);

    for (struct chunk_doubt *doubt = store->batch->chunks.doubts; doubt; doubt = doubt->next) {
        db_array_add_id(tasks, &doubt->task);
        db_array_add_i64(attempts, (int32_t)doubt->attempt);
    }
    const struct db_param params[] = {db_array_param(tasks), db_array_param(attempts)};
    db_txn_add(txn, &SQL_log_last_lines, params, ARRAY_LEN(params));
    db_txn_send(txn, doubts_read, store);
}

static void build_done(void *userdata)
{
    struct store *store = userdata;
    struct store_batch *batch = store->batch;

    if (batch->status != STATUS_OK) {
        struct error err = batch->err;
        batch_free(store);
        store_failed(store, DB_FAILED, &err);
        return;
    }
    store->phase = STORE_COMMITTING;
    if (batch->chunks.doubts && !batch->is_settled) {
        doubts_ask(store);
        return;
    }
    if (batch->chunks.damaged_bytes)
        log_error("spool.damaged", LOG_U64("lsn", batch->range.lsn),
                  LOG_U64("bytes", batch->chunks.damaged_bytes));
    store_commit(store);
}

/* What is durable can wait: nobody waits for the store, readers see what the spool has.
 * Transactions at once for each event of a quiet system would cost the server, and the disk that
 * everybody commits to, many times as much, and leave a row for each. */
static bool paced(struct store *store)
{
    uint64_t now = loop_now_us(store->loop),
             due = store->begun_us + (uint64_t)store->options.pace_ms * 1000;
    uint64_t pending = spool_durable(store->options.spool) - store->position;

    if (now >= due || pending >= STORE_MUCH_BYTES)
        return false;
    if (pending)
        loop_timer_start(store->pace, (due - now) / 1000 + 1, 0);
    return true;
}

static void store_step(struct store *store)
{
    struct spool_range range;

    check_stopped(store);
    if (store->phase != STORE_IDLE || store->stopped || store->ended || paced(store) ||
        !spool_range(store->options.spool, store->position, STORE_READ_BYTES, &range))
        return;
    struct store_batch *batch = mem_zalloc(sizeof *batch);
    arena_init(&batch->arena, 0);
    batch->range = range;
    batch->begin = store->position;
    store->begun_us = loop_now_us(store->loop);
    batch->data = mem_alloc(range.len);
    store->batch = batch;
    batch_build(store);
}

static void pace_over(void *userdata)
{
    store_step(userdata);
}

void store_committed(struct store *store)
{
    const struct chunks *chunks = &store->batch->chunks;

    logger_count(METRIC_LINES_STORED, (double)chunks->line_count);
    logger_count(METRIC_EVENTS_STORED, (double)chunks->event_count);
    logger_count(METRIC_CHUNK_BYTES_RAW, (double)chunks->raw_bytes);
    logger_count(METRIC_CHUNK_BYTES_STORED, (double)chunks->stored_bytes);
    store->position = chunks->end;
    store->seen_us = MAX_OF(store->seen_us, chunks->received_us);
    batch_free(store);
    store->phase = STORE_IDLE;
    store->failed_before = false;
    store_set_why(store, NULL);
    store->callbacks.on_stored(store->position, store->userdata);
    store_step(store);
}

void store_failed(struct store *store, enum db_outcome outcome, const struct error *err)
{
    logger_count(METRIC_STORE_FAILURES, 1);
    if (!store->failed_before)
        log_warn("store.failed", LOG_STR("outcome", outcome == DB_UNKNOWN ? "unknown" : "failed"),
                 LOG_ERR(err));
    store->failed_before = true;
    store->day_count = 0; /* a partition may have been dropped */
    store_set_why(store, err->message);
    if (outcome == DB_UNKNOWN || !db_conn_up(store->writer) ||
        str_eq(err->reason, "SQLSTATE_22012")) {
        /* Where the instance stands tells what became of it. */
        store->phase = STORE_AWAY;
        if (db_conn_up(store->writer))
            loop_timer_start(store->retry, RETRY_MS, 0);
    } else {
        store->phase = STORE_RETRYING;
        loop_timer_start(store->retry, RETRY_MS, 0);
    }
    check_stopped(store);
}

static void retry(void *userdata)
{
    struct store *store = userdata;

    if (store->ended)
        return;
    if (store->phase == STORE_AWAY) {
        store_hello(store);
    } else if (store->phase == STORE_RETRYING && store->batch && !store->stopped) {
        store->phase = STORE_COMMITTING;
        store_commit(store);
    } else if (store->phase == STORE_RETRYING) {
        store->phase = STORE_IDLE;
        store_step(store);
    }
}

/* ---- hello: what does the database know? ---- */

static void hello_failed(struct store *store, const struct error *err)
{
    store->hello_running = false;
    store_set_why(store, err->message);
    if (db_conn_up(store->writer))
        loop_timer_start(store->retry, RETRY_MS * 5, 0);
}

static void hello_done(struct store *store)
{
    uint64_t end = store->batch ? store->batch->chunks.end : 0;

    store->hello_running = false;
    store->failed_before = false;
    store_set_why(store, NULL);
    store->callbacks.on_stored(store->position, store->userdata);
    store->callbacks.on_ready(store->userdata);
    if (store->batch && store->position == end) {
        store_committed(store);
    } else if (store->batch && store->position == store->batch->begin) {
        store->phase = STORE_COMMITTING;
        store_commit(store);
    } else {
        batch_free(store);
        store->phase = STORE_IDLE;
        store_step(store);
    }
}

static void sources_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                         const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (outcome != DB_COMMITTED) {
        hello_failed(store, err);
        return;
    }
    for (size_t i = 0; i < db_rows(results[0]); i++)
        store->callbacks.on_source((uint32_t)db_i64(results[0], i, 0),
                                   (uint16_t)db_i64(results[0], i, 1),
                                   (uint64_t)db_i64(results[0], i, 2), store->userdata);
    hello_done(store);
}

static void place_moved_back(enum db_outcome outcome, struct db_result *const *results, size_t n,
                             const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (outcome != DB_COMMITTED) {
        hello_failed(store, err);
        return;
    }
    store->position = spool_first(store->options.spool);
    db_query(store->writer, &SQL_log_sources, NULL, 0, sources_read, store);
}

static void place_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct store *store = userdata;
    struct spool *spool = store->options.spool;

    if (outcome != DB_COMMITTED) {
        hello_failed(store, err);
        return;
    }
    store->position = (uint64_t)db_i64(results[0], 0, 0);
    if (store->position <= spool_durable(spool)) {
        db_query(store->writer, &SQL_log_sources, NULL, 0, sources_read, store);
        return;
    }
    /* The directory is older than the database: a copy was put back. What it holds would be taken
     * for stored. */
    log_warn("store.spool_behind", LOG_U64("database", store->position),
             LOG_U64("spool", spool_durable(spool)));
    const struct db_param params[] = {DB_UUID_PARAM(store->options.instance),
                                      DB_I64_PARAM((int64_t)store->position),
                                      DB_I64_PARAM((int64_t)spool_first(spool))};
    db_query(store->writer, &SQL_log_spool_move, params, ARRAY_LEN(params), place_moved_back,
             store);
}

static void schema_checked(enum status status, const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (status != STATUS_OK) {
        hello_failed(store, err);
        return;
    }
    const struct db_param params[] = {DB_UUID_PARAM(store->options.instance),
                                      DB_I64_PARAM((int64_t)spool_first(store->options.spool))};
    db_query(store->writer, &SQL_log_spool_register, params, ARRAY_LEN(params), place_read, store);
}

static void store_hello(struct store *store)
{
    if (store->hello_running || store->stopped || store->ended)
        return;
    store->hello_running = true;
    db_schema_check(store->writer, SCHEMA_NEEDED, schema_checked, store);
}

static void writer_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (up) {
        log_info("store.connected");
        if (store->phase == STORE_AWAY)
            store_hello(store);
        return;
    }
    store_set_why(store, err->message);
    /* A batch under way hears of it by itself. */
    if (store->phase == STORE_IDLE || store->phase == STORE_RETRYING)
        store->phase = STORE_AWAY;
}

/* ---- reading ---- */

struct lookup_op {
    struct store *store;
    struct ingest_lookup *lookups;
    size_t n;
    ingest_lookup_done_fn done;
    void *userdata;
};

static void lookup_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct lookup_op *op = userdata;
    bool ok = outcome == DB_COMMITTED && db_rows(results[0]) == op->n;

    for (size_t i = 0; ok && i < op->n; i++) {
        if (db_is_null(results[0], i, 0))
            continue;
        op->lookups[i].last_seq = (uint64_t)db_i64(results[0], i, 0);
        op->lookups[i].last_us = db_i64(results[0], i, 1);
    }
    op->done(ok, op->userdata);
    free(op);
}

void store_lookup(struct store *store, struct ingest_lookup *lookups, size_t n,
                  ingest_lookup_done_fn done, void *userdata)
{
    struct lookup_op *op = mem_zalloc(sizeof *op);
    struct db_txn *txn = db_txn_new(store->looker);
    struct db_array *tasks = db_array_new(db_txn_arena(txn), DB_UUID);
    struct db_array *attempts = db_array_new(db_txn_arena(txn), DB_I32);

    *op = (struct lookup_op){store, lookups, n, done, userdata};
    for (size_t i = 0; i < n; i++) {
        db_array_add_id(tasks, &lookups[i].task);
        db_array_add_i64(attempts, (int32_t)lookups[i].attempt);
    }
    const struct db_param params[] = {db_array_param(tasks), db_array_param(attempts)};
    db_txn_add(txn, &SQL_log_last_lines, params, ARRAY_LEN(params));
    db_txn_send(txn, lookup_read, op);
}

/* What could not be asked while it was away is asked again. */
static void looker_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (up && store->phase != STORE_AWAY)
        store->callbacks.on_ready(store->userdata);
}

struct db_conn *store_reader(struct store *store)
{
    return db_pool_pick(store->readers);
}

/* ---- retention ---- */

static void retention_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                           const struct error *err, void *userdata)
{
    if (outcome != DB_COMMITTED)
        log_warn("store.retention_failed", LOG_ERR(err));
    else if (db_i64(results[0], 0, 0))
        log_info("store.partitions_dropped", LOG_I64("count", db_i64(results[0], 0, 0)));
}

static void hourly(void *userdata)
{
    struct store *store = userdata;
    /* DB_TIME travels as timestamptz; the statement casts it to a date. */
    int64_t before = clock_unix_us() - store->options.retention_ms * 1000;
    const struct db_param params[] = {DB_TIME_PARAM(before - before % DAY_US)};

    if (store->options.retention_ms && db_conn_up(store->looker))
        db_query(store->looker, &SQL_log_retention, params, ARRAY_LEN(params), retention_done,
                 store);
}

/* ---- life ---- */

struct store *store_new(struct loop *loop, const struct store_options *options,
                        const struct store_callbacks *callbacks, void *userdata)
{
    struct store *store = mem_zalloc(sizeof *store);
    struct db_options db = {.url = options->database,
                            .application_name = "plankton-logger",
                            .statement_timeout_ms = options->statement_timeout_ms,
                            .pooler_transaction = options->pooler_transaction};

    store->loop = loop;
    store->options = *options;
    store->callbacks = *callbacks;
    store->userdata = userdata;
    store->seen_us = clock_unix_us();
    snprintf(store->why, sizeof store->why, "the database has not been reached yet");
    store->retry = loop_timer_new(loop, retry, store);
    store->pace = loop_timer_new(loop, pace_over, store);
    store->hourly = loop_timer_new(loop, hourly, store);
    loop_timer_start(store->hourly, 5000, HOUR_MS);
    store->writer = db_connect(loop, &db, writer_state, store);
    if (!options->pooler_transaction)
        db.settings = READ_SETTINGS;
    store->looker = db_connect(loop, &db, looker_state, store);
    store->readers = db_pool_new(loop, &db, options->read_connections);
    return store;
}

void store_kick(struct store *store)
{
    if (store->phase == STORE_IDLE)
        store_step(store);
}

double store_lag_s(const struct store *store)
{
    if (store->phase != STORE_AWAY && store->position >= spool_durable(store->options.spool))
        return 0;
    return (double)MAX_OF(clock_unix_us() - store->seen_us, 0) / 1e6;
}

uint64_t store_position(const struct store *store)
{
    return store->position;
}

void store_stop(struct store *store, void (*stopped)(void *userdata), void *userdata)
{
    store->stopped = stopped;
    store->stopped_userdata = userdata;
    check_stopped(store);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    db_conn_free(store->writer);
    db_conn_free(store->looker);
    db_pool_free(store->readers);
    loop_timer_free(store->retry);
    loop_timer_free(store->pace);
    loop_timer_free(store->hourly);
    batch_free(store);
    free(store);
}
