/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of the engine as the statements of one transaction: rows become arrays, one a column. */
#include "base/planted.h"
#include "sql/batch.h"
#include "store_internal.h"

/* ---- columns ---- */

static void add_time(struct db_array *array, int64_t us)
{
    if (us)
        db_array_add_i64(array, us);
    else
        db_array_add_null(array);
}

static void add_id(struct db_array *array, const struct id *id)
{
    if (id_is_nil(id))
        db_array_add_null(array);
    else
        db_array_add_id(array, id);
}

static void add_slice(struct db_array *array, struct slice text)
{
    if (text.len)
        db_array_add_slice(array, text);
    else
        db_array_add_null(array);
}

static void add_text(struct db_array *array, const char *text)
{
    add_slice(array, slice_of(text));
}

static void add_number(struct db_array *array, uint64_t number) /* NULL for 0 */
{
    if (number)
        db_array_add_i64(array, (int64_t)number);
    else
        db_array_add_null(array);
}

#define COLUMNS_MAX 32

/* The arrays of one statement. They are made with the first row: most statements are not in most
 * batches. */
struct columns {
    struct arena *arena;
    const enum db_kind *kinds;
    int n;
    uint32_t rows;
    struct db_array *arrays[COLUMNS_MAX];
};

#define COLUMNS_OF(txn, kinds)                                                                     \
    {                                                                                              \
        db_txn_arena(txn), kinds, ARRAY_LEN(kinds), 0,                                             \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }

/* One more row follows. */
static void columns_row(struct columns *columns)
{
    if (columns->rows++ > 0)
        return;
    for (int i = 0; i < columns->n; i++)
        columns->arrays[i] = db_array_new(columns->arena, columns->kinds[i]);
}

/* Nothing is sent when there are no rows. */
static void columns_send(const struct columns *columns, struct db_txn *txn,
                         const struct db_sql *sql)
{
    struct db_param params[COLUMNS_MAX];

    if (columns->rows == 0)
        return;
    for (int i = 0; i < columns->n; i++)
        params[i] = db_array_param(columns->arrays[i]);
    db_txn_add(txn, sql, params, columns->n);
}

/* ---- statements ---- */

static void add_fence(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I32, DB_I64, DB_TIME, DB_I64,
                                         DB_I64, DB_I64, DB_I32, DB_UUID};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);
    struct db_param params[10];

    for (uint32_t i = 0; i < batch->shards_len; i++) {
        const struct engine_shard_batch *shard = &batch->shards[i];
        columns_row(&c);
        db_array_add_i64(c.arrays[0], shard->shard);
        db_array_add_i64(c.arrays[1], shard->epoch);
        db_array_add_i64(c.arrays[2], (int64_t)shard->seq);
        db_array_add_i64(c.arrays[3], shard->clock_us);
        db_array_add_i64(c.arrays[4], (int64_t)shard->event_next);
        db_array_add_i64(c.arrays[5], (int64_t)shard->event_acked);
        db_array_add_i64(c.arrays[6], (int64_t)shard->journal_low);
        db_array_add_i64(c.arrays[7], shard->unclean);
        add_id(c.arrays[8], &shard->suspect);
    }
    for (int i = 0; i < 9; i++)
        params[i] = db_array_param(c.arrays[i]);
    params[9] = DB_I64_PARAM(op->store->options.shard_lease_ms);
    db_txn_add(txn, &SQL_batch_fence, params, 10);
}

static bool task_is_plain(const struct engine_task_row *row)
{
    const struct engine_task_change *change = &row->change;

    return !row->spec.spec_text.len && id_is_nil(&row->run) && id_is_nil(&row->retry_of) &&
           !change->attempt && !change->due_us && !change->started_us && !change->finished_us &&
           !change->cancel.at_us && id_is_nil(&change->worker) && !change->failures &&
           !change->lost && (!change->failure.code || !*change->failure.code);
}

static void add_plain_task(struct columns *c, const struct engine_task_row *row)
{
    columns_row(c);
    db_array_add_id(c->arrays[0], &row->id);
    db_array_add_i64(c->arrays[1], row->created_us);
    db_array_add_i64(c->arrays[2], row->namespace_id);
    db_array_add_i64(c->arrays[3], row->change.state);
    db_array_add_i64(c->arrays[4], row->spec.priority);
    db_array_add_slice(c->arrays[5], slice_of(row->spec.type));
    db_array_add_slice(c->arrays[6], slice_of(row->spec.queue));
    add_slice(c->arrays[7], row->spec.parameters);
}

static void add_full_task(struct columns *c, const struct engine_task_row *row)
{
    const struct engine_task_change *change = &row->change;

    columns_row(c);
    db_array_add_id(c->arrays[0], &row->id);
    db_array_add_i64(c->arrays[1], row->created_us);
    db_array_add_i64(c->arrays[2], row->namespace_id);
    db_array_add_i64(c->arrays[3], change->attempt);
    db_array_add_i64(c->arrays[4], change->state);
    db_array_add_i64(c->arrays[5], row->spec.priority);
    db_array_add_i64(c->arrays[6], change->failures);
    db_array_add_i64(c->arrays[7], change->lost);
    db_array_add_i64(c->arrays[8], change->closed_by_report);
    db_array_add_i64(c->arrays[9], change->failure.non_retryable);
    add_number(c->arrays[10], change->recorded_by);
    add_time(c->arrays[11], change->due_us);
    add_time(c->arrays[12], change->started_us);
    add_time(c->arrays[13], change->finished_us);
    add_time(c->arrays[14], change->cancel.at_us);
    add_id(c->arrays[15], &change->worker);
    add_id(c->arrays[16], &row->run);
    add_id(c->arrays[17], &row->retry_of);
    add_text(c->arrays[18], row->step);
    db_array_add_slice(c->arrays[19], slice_of(row->spec.type));
    db_array_add_slice(c->arrays[20], slice_of(row->spec.queue));
    add_slice(c->arrays[21], row->spec.parameters);
    add_slice(c->arrays[22], row->spec.spec_text);
    add_slice(c->arrays[23], change->result);
    add_text(c->arrays[24], change->failure.code);
    add_text(c->arrays[25], change->failure.message);
    add_slice(c->arrays[26], change->failure.details);
    add_text(c->arrays[27], change->cancel.actor);
    add_text(c->arrays[28], change->cancel.reason);
    add_text(c->arrays[29], row->group ? row->group : "");
}

static void add_task_inserts(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind plain_kinds[] = {DB_UUID, DB_TIME, DB_I32,  DB_I16,
                                               DB_I16,  DB_TEXT, DB_TEXT, DB_TEXT};
    static const enum db_kind full_kinds[] = {
        DB_UUID, DB_TIME, DB_I32,  DB_I32,  DB_I16,  DB_I16,  DB_I16,  DB_I16,  DB_BOOL, DB_BOOL,
        DB_I32,  DB_TIME, DB_TIME, DB_TIME, DB_TIME, DB_UUID, DB_UUID, DB_UUID, DB_TEXT, DB_TEXT,
        DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns plain = COLUMNS_OF(txn, plain_kinds), full = COLUMNS_OF(txn, full_kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_insert_len; i++) {
            const struct engine_task_row *row = &batch->shards[s].tasks_insert[i];
            if (task_is_plain(row))
                add_plain_task(&plain, row);
            else
                add_full_task(&full, row);
        }
    columns_send(&plain, txn, &SQL_batch_task_insert_plain);
    columns_send(&full, txn, &SQL_batch_task_insert);
}

static void add_task_successes(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I32, DB_UUID, DB_TIME, DB_TIME, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_succeed_len; i++) {
            const struct engine_task_success *row = &batch->shards[s].tasks_succeed[i];
            columns_row(&c);
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->attempt);
            add_id(c.arrays[2], &row->worker);
            add_time(c.arrays[3], row->started_us);
            add_time(c.arrays[4], row->finished_us);
            add_slice(c.arrays[5], row->result);
        }
    columns_send(&c, txn, &SQL_batch_task_succeed);
}

static void add_task_change(struct columns *c, const struct engine_task_change *row)
{
    columns_row(c);
    db_array_add_id(c->arrays[0], &row->id);
    db_array_add_i64(c->arrays[1], row->state);
    db_array_add_i64(c->arrays[2], row->attempt);
    db_array_add_i64(c->arrays[3], row->failures);
    db_array_add_i64(c->arrays[4], row->lost);
    db_array_add_i64(c->arrays[5], row->closed_by_report);
    db_array_add_i64(c->arrays[6], row->failure.non_retryable);
    add_number(c->arrays[7], row->recorded_by);
    add_time(c->arrays[8], row->due_us);
    add_time(c->arrays[9], row->started_us);
    add_time(c->arrays[10], row->finished_us);
    add_time(c->arrays[11], row->cancel.at_us);
    add_id(c->arrays[12], &row->worker);
    add_slice(c->arrays[13], row->result);
    add_text(c->arrays[14], row->failure.code);
    add_text(c->arrays[15], row->failure.message);
    add_slice(c->arrays[16], row->failure.details);
    add_text(c->arrays[17], row->cancel.actor);
    add_text(c->arrays[18], row->cancel.reason);
}

static void add_task_updates(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {
        DB_UUID, DB_I16,  DB_I32,  DB_I16,  DB_I16,  DB_BOOL, DB_BOOL, DB_I32,  DB_TIME, DB_TIME,
        DB_TIME, DB_TIME, DB_UUID, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_update_len; i++)
            add_task_change(&c, &batch->shards[s].tasks_update[i]);
    columns_send(&c, txn, &SQL_batch_task_update);
}

static void add_run(struct columns *c, struct arena *arena, const struct engine_run_row *row)
{
    const struct engine_run_change *change = &row->change;

    columns_row(c);
    db_array_add_id(c->arrays[0], &row->id);
    db_array_add_id(c->arrays[1], &row->plan_id);
    db_array_add_i64(c->arrays[2], row->created_us);
    db_array_add_i64(c->arrays[3], row->namespace_id);
    db_array_add_i64(c->arrays[4], row->plan_version);
    db_array_add_i64(c->arrays[5], change->state);
    add_time(c->arrays[6], change->started_us);
    add_time(c->arrays[7], change->finished_us);
    add_time(c->arrays[8], change->cancel.at_us);
    add_id(c->arrays[9], &row->rerun_of);
    db_array_add_slice(c->arrays[10], slice_of(row->plan_name));
    add_slice(c->arrays[11], row->input);
    add_slice(c->arrays[12], row->labels);
    add_slice(c->arrays[13], change->output);
    db_array_add_slice(c->arrays[14], encode_counts(arena, &change->counts));
    add_text(c->arrays[15], change->failure.code);
    add_text(c->arrays[16], change->failure.message);
    add_slice(c->arrays[17], change->failure.details);
    add_text(c->arrays[18], change->failure.step);
    add_text(c->arrays[19], change->cancel.actor);
    add_text(c->arrays[20], change->cancel.reason);
    add_time(c->arrays[21], change->pause.at_us);
    add_text(c->arrays[22], change->pause.actor);
    add_text(c->arrays[23], change->pause.reason);
}

static void add_run_inserts(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_UUID, DB_TIME,  DB_I32,  DB_I32,  DB_I16,
                                         DB_TIME, DB_TIME, DB_TIME,  DB_UUID, DB_TEXT, DB_TEXT,
                                         DB_TEXT, DB_TEXT, DB_BYTES, DB_TEXT, DB_TEXT, DB_TEXT,
                                         DB_TEXT, DB_TEXT, DB_TEXT,  DB_TIME, DB_TEXT, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].runs_insert_len; i++)
            add_run(&c, db_txn_arena(txn), &batch->shards[s].runs_insert[i]);
    columns_send(&c, txn, &SQL_batch_run_insert);
}

static void add_run_updates(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_UUID,  DB_I16,  DB_TIME, DB_TIME, DB_TIME, DB_TEXT,
                                         DB_BYTES, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT,
                                         DB_TEXT,  DB_TIME, DB_TEXT, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].runs_update_len; i++) {
            const struct engine_run_change *row = &batch->shards[s].runs_update[i];
            columns_row(&c);
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->state);
            add_time(c.arrays[2], row->started_us);
            add_time(c.arrays[3], row->finished_us);
            add_time(c.arrays[4], row->cancel.at_us);
            add_slice(c.arrays[5], row->output);
            db_array_add_slice(c.arrays[6], encode_counts(db_txn_arena(txn), &row->counts));
            add_text(c.arrays[7], row->failure.code);
            add_text(c.arrays[8], row->failure.message);
            add_slice(c.arrays[9], row->failure.details);
            add_text(c.arrays[10], row->failure.step);
            add_text(c.arrays[11], row->cancel.actor);
            add_text(c.arrays[12], row->cancel.reason);
            add_time(c.arrays[13], row->pause.at_us);
            add_text(c.arrays[14], row->pause.actor);
            add_text(c.arrays[15], row->pause.reason);
        }
    columns_send(&c, txn, &SQL_batch_run_update);
}

static void add_parked_removes(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind ready_kinds[] = {DB_I16, DB_I32, DB_TEXT, DB_I64, DB_UUID};
    static const enum db_kind due_kinds[] = {DB_I16, DB_TIME, DB_UUID};
    static const enum db_kind run_kinds[] = {DB_I16, DB_UUID};
    const struct engine_batch *batch = op->batch;
    struct columns ready = COLUMNS_OF(txn, ready_kinds), due = COLUMNS_OF(txn, due_kinds),
                   run = COLUMNS_OF(txn, run_kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].parked_remove_len; i++) {
            const struct engine_parked *row = &batch->shards[s].parked_remove[i];
            struct columns *c = row->reason == ENGINE_PARKED_READY ? &ready
                                : row->reason == ENGINE_PARKED_DUE ? &due
                                                                   : &run;
            int k = 0;
            columns_row(c);
            db_array_add_i64(c->arrays[k++], batch->shards[s].shard);
            if (c == &ready) {
                db_array_add_i64(c->arrays[k++], row->namespace_id);
                db_array_add_slice(c->arrays[k++], slice_of(row->queue));
                db_array_add_i64(c->arrays[k++], engine_rank(row->priority, &row->id));
            } else if (c == &due) {
                db_array_add_i64(c->arrays[k++], row->due_us);
            }
            db_array_add_id(c->arrays[k], &row->id);
        }
    columns_send(&ready, txn, &SQL_batch_parked_ready_remove);
    columns_send(&due, txn, &SQL_batch_parked_due_remove);
    columns_send(&run, txn, &SQL_batch_parked_run_remove);
}

static void add_parked_adds(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I16, DB_I32, DB_I64, DB_TIME, DB_UUID, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].parked_add_len; i++) {
            const struct engine_parked *row = &batch->shards[s].parked_add[i];
            columns_row(&c);
            db_array_add_i64(c.arrays[0], batch->shards[s].shard);
            db_array_add_i64(c.arrays[1], row->reason);
            db_array_add_i64(c.arrays[2], row->namespace_id);
            db_array_add_i64(c.arrays[3], engine_rank(row->priority, &row->id));
            add_time(c.arrays[4], row->due_us);
            db_array_add_id(c.arrays[5], &row->id);
            db_array_add_slice(c.arrays[6], slice_of(row->queue ? row->queue : ""));
        }
    columns_send(&c, txn, &SQL_batch_parked_add);
}

static void add_keys(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I32,  DB_TIME, DB_I16,
                                         DB_I16,  DB_TEXT, DB_BYTES};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].keys_insert_len; i++) {
            const struct engine_key_row *row = &batch->shards[s].keys_insert[i];
            columns_row(&c);
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->namespace_id);
            db_array_add_i64(c.arrays[2], batch->shards[s].clock_us);
            db_array_add_i64(c.arrays[3], batch->shards[s].shard);
            db_array_add_i64(c.arrays[4], row->is_run ? 2 : 1);
            db_array_add_slice(c.arrays[5], slice_of(row->key));
            db_array_add_slice(c.arrays[6],
                               (struct slice){(const char *)row->digest, ENGINE_DIGEST_BYTES});
        }
    columns_send(&c, txn, &SQL_batch_key_insert);
}

static void add_outcomes(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I32,  DB_I16, DB_BOOL,
                                         DB_TIME, DB_UUID, DB_TEXT};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].outcomes_len; i++) {
            const struct engine_outcome *row = &batch->shards[s].outcomes[i];
            columns_row(&c);
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->namespace_id);
            db_array_add_i64(c.arrays[2], row->state);
            db_array_add_i64(c.arrays[3], row->is_run);
            db_array_add_i64(c.arrays[4], row->finished_us);
            add_id(c.arrays[5], &row->run);
            db_array_add_slice(c.arrays[6], slice_of(row->type));
        }
    columns_send(&c, txn, &SQL_batch_outcome_insert);
}

static void add_journal(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I64,  DB_I64,   DB_I32,
                                         DB_I32, DB_TIME, DB_BYTES, DB_BYTES};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    op->events = ARENA_ARRAY(&op->arena, struct store_events, batch->shards_len + 1);
    for (uint32_t s = 0; s < batch->shards_len; s++) {
        const struct engine_shard_batch *shard = &batch->shards[s];
        if (!shard->leases_len && !shard->events_len)
            continue;
        struct slice events = encode_events(&op->arena, shard->events, shard->events_len);
        uint64_t first = shard->events_len ? shard->events[0].number : 0;
        if (shard->events_len)
            op->events[op->events_len++] =
                (struct store_events){shard->shard, first, shard->events_len, events};
        columns_row(&c);
        db_array_add_i64(c.arrays[0], shard->shard);
        db_array_add_i64(c.arrays[1], (int64_t)shard->seq);
        db_array_add_i64(c.arrays[2], (int64_t)first);
        db_array_add_i64(c.arrays[3], shard->epoch);
        db_array_add_i64(c.arrays[4], shard->events_len);
        db_array_add_i64(c.arrays[5], shard->clock_us);
        db_array_add_slice(c.arrays[6],
                           encode_leases(&op->arena, shard->leases,
                                         planted("volatile_lease") ? 0 : shard->leases_len));
        db_array_add_slice(c.arrays[7], events);
    }
    columns_send(&c, txn, &SQL_batch_journal_insert);
}

static void add_queues(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_I16,  DB_I32, DB_TEXT, DB_TIME, DB_TEXT,
                                         DB_TEXT, DB_I32, DB_I32,  DB_I64};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].queues_len; i++) {
            const struct engine_queue_row *row = &batch->shards[s].queues[i];
            columns_row(&c);
            db_array_add_i64(c.arrays[0], batch->shards[s].shard);
            db_array_add_i64(c.arrays[1], row->namespace_id);
            db_array_add_slice(c.arrays[2], slice_of(row->name));
            add_time(c.arrays[3], row->paused_us);
            add_text(c.arrays[4], row->actor);
            add_text(c.arrays[5], row->reason);
            add_number(c.arrays[6], row->concurrency);
            add_number(c.arrays[7], row->rate.limit);
            add_number(c.arrays[8], row->rate.limit ? (uint64_t)row->rate.per_ms : 0);
        }
    columns_send(&c, txn, &SQL_batch_queue_write);
}

/* Only when something may go; each journal_low is written once. */
static void add_journal_trim(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I64};
    const struct engine_batch *batch = op->batch;
    struct columns c = COLUMNS_OF(txn, kinds);

    for (uint32_t s = 0; s < batch->shards_len; s++) {
        const struct engine_shard_batch *shard = &batch->shards[s];
        struct shard_slot *slot = &op->store->shards[shard->shard];
        if (shard->journal_low <= slot->journal_low)
            continue;
        slot->journal_low = shard->journal_low;
        columns_row(&c);
        db_array_add_i64(c.arrays[0], shard->shard);
        db_array_add_i64(c.arrays[1], (int64_t)shard->journal_low);
    }
    columns_send(&c, txn, &SQL_batch_journal_trim);
}

void columns_add(struct store_op *op, struct db_txn *txn)
{
    bool fenced =
        !planted("no_fence"); /* a deposed owner goes on; the journal's key is a fence too */

    if (fenced)
        add_fence(op, txn);
    add_task_inserts(op, txn);
    add_task_successes(op, txn);
    add_task_updates(op, txn);
    add_run_updates(op, txn);
    add_run_inserts(op, txn);
    add_parked_removes(op, txn);
    add_parked_adds(op, txn);
    add_keys(op, txn);
    add_outcomes(op, txn);
    add_queues(op, txn);
    if (fenced)
        add_journal(op, txn);
    add_journal_trim(op, txn);
}
