/* SPDX-License-Identifier: Apache-2.0 */
/* One batch of the store as one transaction. */
#include "logger_metrics.h"
#include "sql/logger.h"
#include "store/store_internal.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* ---- partitions ---- */

static bool day_is_known(const struct store *store, int64_t day)
{
    for (size_t i = store->day_count; i--;)
        if (store->days[i] == day)
            return true;
    return false;
}

static bool day_note(struct store *store, int64_t day)
{
    if (day_is_known(store, day))
        return false;
    if (store->day_count == STORE_DAYS_KNOWN_MAX)
        store->day_count = 0;
    store->days[store->day_count++] = day;
    return true;
}

static void batch_send(struct store *store);

static void partitions_made(enum db_outcome outcome, struct db_result *const *results, size_t n,
                            const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (outcome == DB_COMMITTED)
        batch_send(store);
    else
        store_failed(store, DB_FAILED, err); /* nothing of the batch was sent */
}

/* Sends for the partitions that may be missing; false when none is. */
static bool partitions_ask(struct store *store)
{
    const struct chunks *chunks = &store->batch->chunks;
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *days = db_array_new(db_txn_arena(txn), DB_TIME);
    int64_t day;

    for (const struct line_chunk *chunk = chunks->lines; chunk; chunk = chunk->next)
        if (day_note(store, day = (int64_t)id_unix_ms(&chunk->task) / DAY_MS))
            db_array_add_i64(days, day * DAY_MS * 1000);
    for (const struct event_chunk *chunk = chunks->events; chunk; chunk = chunk->next)
        if (day_note(store, day = (int64_t)id_unix_ms(&chunk->min) / DAY_MS))
            db_array_add_i64(days, day * DAY_MS * 1000);
    if (!db_array_count(days)) {
        db_txn_discard(txn);
        return false;
    }
    const struct db_param param = db_array_param(days);
    db_txn_add(txn, &SQL_log_partitions, &param, 1);
    db_txn_send(txn, partitions_made, store);
    return true;
}

/* ---- the batch ---- */

enum line_column {
    L_TASK,
    L_ATTEMPT,
    L_FIRST_SEQ,
    L_LAST_SEQ,
    L_FIRST_LSN,
    L_LAST_LSN,
    L_FIRST_AT,
    L_LAST_AT,
    L_NAMESPACE,
    L_LINES,
    L_RAW,
    L_RUN,
    L_STEP,
    L_DATA,
    L_KINDS,
    LINE_COLUMNS
};

static void add_lines(struct db_txn *txn, const struct chunks *chunks)
{
    static const enum db_kind kinds[LINE_COLUMNS] = {DB_UUID, DB_I32,  DB_I64,  DB_I64,   DB_I64,
                                                     DB_I64,  DB_TIME, DB_TIME, DB_I32,   DB_I32,
                                                     DB_I32,  DB_UUID, DB_TEXT, DB_BYTES, DB_I32};
    struct db_array *columns[LINE_COLUMNS];
    struct db_param params[LINE_COLUMNS];

    if (!chunks->lines)
        return;
    for (int i = 0; i < LINE_COLUMNS; i++)
        columns[i] = db_array_new(db_txn_arena(txn), kinds[i]);
    for (const struct line_chunk *chunk = chunks->lines; chunk; chunk = chunk->next) {
        db_array_add_id(columns[L_TASK], &chunk->task);
        db_array_add_i64(columns[L_ATTEMPT], (int32_t)chunk->attempt);
        db_array_add_i64(columns[L_FIRST_SEQ], (int64_t)chunk->first_seq);
        db_array_add_i64(columns[L_LAST_SEQ], (int64_t)chunk->last_seq);
        db_array_add_i64(columns[L_FIRST_LSN], (int64_t)chunk->first_lsn);
        db_array_add_i64(columns[L_LAST_LSN], (int64_t)chunk->last_lsn);
        db_array_add_i64(columns[L_FIRST_AT], chunk->first_us);
        db_array_add_i64(columns[L_LAST_AT], chunk->last_us);
        db_array_add_i64(columns[L_NAMESPACE], (int32_t)chunk->namespace_id);
        db_array_add_i64(columns[L_LINES], chunk->lines);
        db_array_add_i64(columns[L_RAW], chunk->raw_bytes);
        if (id_is_nil(&chunk->run))
            db_array_add_null(columns[L_RUN]);
        else
            db_array_add_id(columns[L_RUN], &chunk->run);
        if (chunk->step.len)
            db_array_add_slice(columns[L_STEP], chunk->step);
        else
            db_array_add_null(columns[L_STEP]);
        db_array_add_slice(columns[L_DATA], chunk->data);
        db_array_add_i64(columns[L_KINDS], (int32_t)chunk->kinds);
    }
    for (int i = 0; i < LINE_COLUMNS; i++)
        params[i] = db_array_param(columns[i]);
    db_txn_add(txn, &SQL_log_chunks_write, params, LINE_COLUMNS);
}

enum event_column { E_MIN, E_MAX, E_LSN, E_PART, E_EVENTS, E_RAW, E_DATA, EVENT_COLUMNS };

static void add_events(struct db_txn *txn, const struct chunks *chunks)
{
    static const enum db_kind kinds[EVENT_COLUMNS] = {DB_UUID, DB_UUID, DB_I64,  DB_I32,
                                                      DB_I32,  DB_I32,  DB_BYTES};
    struct db_array *columns[EVENT_COLUMNS];
    struct db_param params[EVENT_COLUMNS];

    if (!chunks->events)
        return;
    for (int i = 0; i < EVENT_COLUMNS; i++)
        columns[i] = db_array_new(db_txn_arena(txn), kinds[i]);
    for (const struct event_chunk *chunk = chunks->events; chunk; chunk = chunk->next) {
        db_array_add_id(columns[E_MIN], &chunk->min);
        db_array_add_id(columns[E_MAX], &chunk->max);
        db_array_add_i64(columns[E_LSN], (int64_t)chunk->lsn);
        db_array_add_i64(columns[E_PART], (int32_t)chunk->part);
        db_array_add_i64(columns[E_EVENTS], (int32_t)chunk->events);
        db_array_add_i64(columns[E_RAW], (int32_t)chunk->raw_bytes);
        db_array_add_slice(columns[E_DATA], chunk->data);
    }
    for (int i = 0; i < EVENT_COLUMNS; i++)
        params[i] = db_array_param(columns[i]);
    db_txn_add(txn, &SQL_log_events_write, params, EVENT_COLUMNS);
}

static void add_sources(struct db_txn *txn, const struct chunks *chunks)
{
    struct db_array *timelines = db_array_new(db_txn_arena(txn), DB_I64);
    struct db_array *shards = db_array_new(db_txn_arena(txn), DB_I16);
    struct db_array *numbers = db_array_new(db_txn_arena(txn), DB_I64);

    if (!chunks->sources)
        return;
    for (const struct chunk_source *source = chunks->sources; source; source = source->next) {
        db_array_add_i64(timelines, source->timeline);
        db_array_add_i64(shards, (int16_t)source->shard);
        db_array_add_i64(numbers, (int64_t)source->last);
    }
    const struct db_param params[] = {db_array_param(timelines), db_array_param(shards),
                                      db_array_param(numbers)};
    db_txn_add(txn, &SQL_log_sources_write, params, ARRAY_LEN(params));
}

static void batch_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct store *store = userdata;

    logger_observe_us(METRIC_STORE_COMMIT, clock_monotonic_us() - store->commit_begin_us);
    if (outcome == DB_COMMITTED)
        store_committed(store);
    else
        store_failed(store, outcome, err);
}

static void batch_send(struct store *store)
{
    const struct store_batch *batch = store->batch;
    struct db_txn *txn = db_txn_new(store->writer);
    const struct db_param move[] = {DB_UUID_PARAM(store->options.instance),
                                    DB_I64_PARAM((int64_t)batch->begin),
                                    DB_I64_PARAM((int64_t)batch->chunks.end)};

    /* First the fence: a batch that does not go on where the instance stands commits nothing. */
    db_txn_add(txn, &SQL_log_spool_move, move, ARRAY_LEN(move));
    add_lines(txn, &batch->chunks);
    add_events(txn, &batch->chunks);
    add_sources(txn, &batch->chunks);
    store->commit_begin_us = clock_monotonic_us();
    db_txn_send(txn, batch_done, store);
}

void store_commit(struct store *store)
{
    if (!partitions_ask(store))
        batch_send(store);
}
