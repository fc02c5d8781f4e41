/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: a batch of the engine as one fenced transaction. */
#include <stdlib.h>

#include "log/log.h"
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

/* The arrays of one statement. */
struct columns {
    struct db_array *arrays[COLUMNS_MAX];
    int n;
};

static void columns_make(struct columns *columns, struct arena *arena, const enum db_kind *kinds,
                         int n)
{
    columns->n = n;
    for (int i = 0; i < n; i++)
        columns->arrays[i] = db_array_new(arena, kinds[i]);
}

static void columns_send(const struct columns *columns, struct db_txn *txn,
                         const struct db_sql *sql)
{
    struct db_param params[COLUMNS_MAX];

    for (int i = 0; i < columns->n; i++)
        params[i] = db_array_param(columns->arrays[i]);
    db_txn_add(txn, sql, params, columns->n);
}

/* ---- statements ---- */

static void write_fence(struct store *store, struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I32, DB_I64, DB_TIME, DB_I64,
                                         DB_I64, DB_I64, DB_I32, DB_UUID};
    struct columns c;
    struct db_param params[10];

    columns_make(&c, db_txn_arena(txn), kinds, 9);
    for (uint32_t i = 0; i < batch->shards_len; i++) {
        const struct engine_shard_batch *shard = &batch->shards[i];
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
    params[9] = DB_I64_PARAM(store->options.shard_lease_ms);
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
}

static void write_task_inserts(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind plain_kinds[] = {DB_UUID, DB_TIME, DB_I32,  DB_I16,
                                               DB_I16,  DB_TEXT, DB_TEXT, DB_TEXT};
    static const enum db_kind full_kinds[] = {
        DB_UUID, DB_TIME, DB_I32,  DB_I32,  DB_I16,  DB_I16,  DB_I16,  DB_I16,  DB_BOOL, DB_BOOL,
        DB_I32,  DB_TIME, DB_TIME, DB_TIME, DB_TIME, DB_UUID, DB_UUID, DB_UUID, DB_TEXT, DB_TEXT,
        DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT};
    struct columns plain, full;
    uint32_t plain_len = 0, full_len = 0;

    columns_make(&plain, db_txn_arena(txn), plain_kinds, ARRAY_LEN(plain_kinds));
    columns_make(&full, db_txn_arena(txn), full_kinds, ARRAY_LEN(full_kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_insert_len; i++) {
            const struct engine_task_row *row = &batch->shards[s].tasks_insert[i];
            if (task_is_plain(row)) {
                add_plain_task(&plain, row);
                plain_len++;
            } else {
                add_full_task(&full, row);
                full_len++;
            }
        }
    if (plain_len)
        columns_send(&plain, txn, &SQL_batch_task_insert_plain);
    if (full_len)
        columns_send(&full, txn, &SQL_batch_task_insert);
}

static uint32_t write_task_successes(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I32, DB_UUID, DB_TIME, DB_TIME, DB_TEXT};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_succeed_len; i++, n++) {
            const struct engine_task_success *row = &batch->shards[s].tasks_succeed[i];
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->attempt);
            add_id(c.arrays[2], &row->worker);
            add_time(c.arrays[3], row->started_us);
            add_time(c.arrays[4], row->finished_us);
            add_slice(c.arrays[5], row->result);
        }
    if (n)
        columns_send(&c, txn, &SQL_batch_task_succeed);
    return n;
}

static void add_task_change(struct columns *c, const struct engine_task_change *row)
{
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

static uint32_t write_task_updates(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {
        DB_UUID, DB_I16,  DB_I32,  DB_I16,  DB_I16,  DB_BOOL, DB_BOOL, DB_I32,  DB_TIME, DB_TIME,
        DB_TIME, DB_TIME, DB_UUID, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT, DB_TEXT};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_update_len; i++, n++)
            add_task_change(&c, &batch->shards[s].tasks_update[i]);
    if (n)
        columns_send(&c, txn, &SQL_batch_task_update);
    return n;
}

static void add_run(struct columns *c, struct arena *arena, const struct engine_run_row *row)
{
    const struct engine_run_change *change = &row->change;

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
}

static void write_run_inserts(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_UUID, DB_TIME,  DB_I32,  DB_I32,  DB_I16,
                                         DB_TIME, DB_TIME, DB_TIME,  DB_UUID, DB_TEXT, DB_TEXT,
                                         DB_TEXT, DB_TEXT, DB_BYTES, DB_TEXT, DB_TEXT, DB_TEXT,
                                         DB_TEXT, DB_TEXT, DB_TEXT};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].runs_insert_len; i++, n++)
            add_run(&c, db_txn_arena(txn), &batch->shards[s].runs_insert[i]);
    if (n)
        columns_send(&c, txn, &SQL_batch_run_insert);
}

static uint32_t write_run_updates(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I16,   DB_TIME, DB_TIME, DB_TIME,
                                         DB_TEXT, DB_BYTES, DB_TEXT, DB_TEXT, DB_TEXT,
                                         DB_TEXT, DB_TEXT,  DB_TEXT};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].runs_update_len; i++, n++) {
            const struct engine_run_change *row = &batch->shards[s].runs_update[i];
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
        }
    if (n)
        columns_send(&c, txn, &SQL_batch_run_update);
    return n;
}

static void write_parked_removes(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind ready_kinds[] = {DB_I16, DB_I32, DB_TEXT, DB_I16, DB_UUID};
    static const enum db_kind due_kinds[] = {DB_I16, DB_TIME, DB_UUID};
    static const enum db_kind run_kinds[] = {DB_I16, DB_UUID};
    struct columns ready, due, run;
    uint32_t ready_len = 0, due_len = 0, run_len = 0;

    columns_make(&ready, db_txn_arena(txn), ready_kinds, ARRAY_LEN(ready_kinds));
    columns_make(&due, db_txn_arena(txn), due_kinds, ARRAY_LEN(due_kinds));
    columns_make(&run, db_txn_arena(txn), run_kinds, ARRAY_LEN(run_kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].parked_remove_len; i++) {
            const struct engine_parked *row = &batch->shards[s].parked_remove[i];
            struct columns *c = row->reason == ENGINE_PARKED_READY ? &ready
                                : row->reason == ENGINE_PARKED_DUE ? &due
                                                                   : &run;
            int k = 0;
            db_array_add_i64(c->arrays[k++], batch->shards[s].shard);
            if (c == &ready) {
                db_array_add_i64(c->arrays[k++], row->namespace_id);
                db_array_add_slice(c->arrays[k++], slice_of(row->queue));
                db_array_add_i64(c->arrays[k++], -row->priority);
                ready_len++;
            } else if (c == &due) {
                db_array_add_i64(c->arrays[k++], row->due_us);
                due_len++;
            } else {
                run_len++;
            }
            db_array_add_id(c->arrays[k], &row->id);
        }
    if (ready_len)
        columns_send(&ready, txn, &SQL_batch_parked_ready_remove);
    if (due_len)
        columns_send(&due, txn, &SQL_batch_parked_due_remove);
    if (run_len)
        columns_send(&run, txn, &SQL_batch_parked_run_remove);
}

static void write_parked_adds(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I16, DB_I32, DB_I16, DB_TIME, DB_UUID, DB_TEXT};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].parked_add_len; i++, n++) {
            const struct engine_parked *row = &batch->shards[s].parked_add[i];
            db_array_add_i64(c.arrays[0], batch->shards[s].shard);
            db_array_add_i64(c.arrays[1], row->reason);
            db_array_add_i64(c.arrays[2], row->namespace_id);
            db_array_add_i64(c.arrays[3], -row->priority);
            add_time(c.arrays[4], row->due_us);
            db_array_add_id(c.arrays[5], &row->id);
            db_array_add_slice(c.arrays[6], slice_of(row->queue ? row->queue : ""));
        }
    if (n)
        columns_send(&c, txn, &SQL_batch_parked_add);
}

static void write_keys(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I32,  DB_TIME, DB_I16,
                                         DB_I16,  DB_TEXT, DB_BYTES};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].keys_insert_len; i++, n++) {
            const struct engine_key_row *row = &batch->shards[s].keys_insert[i];
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->namespace_id);
            db_array_add_i64(c.arrays[2], batch->shards[s].clock_us);
            db_array_add_i64(c.arrays[3], batch->shards[s].shard);
            db_array_add_i64(c.arrays[4], row->is_run ? 2 : 1);
            db_array_add_slice(c.arrays[5], slice_of(row->key));
            db_array_add_slice(c.arrays[6],
                               (struct slice){(const char *)row->digest, ENGINE_DIGEST_BYTES});
        }
    if (n)
        columns_send(&c, txn, &SQL_batch_key_insert);
}

static void write_outcomes(struct db_txn *txn, const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_UUID, DB_I32,  DB_I16, DB_BOOL,
                                         DB_TIME, DB_UUID, DB_TEXT};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].outcomes_len; i++, n++) {
            const struct engine_outcome *row = &batch->shards[s].outcomes[i];
            db_array_add_id(c.arrays[0], &row->id);
            db_array_add_i64(c.arrays[1], row->namespace_id);
            db_array_add_i64(c.arrays[2], row->state);
            db_array_add_i64(c.arrays[3], row->is_run);
            db_array_add_i64(c.arrays[4], row->finished_us);
            add_id(c.arrays[5], &row->run);
            db_array_add_slice(c.arrays[6], slice_of(row->type));
        }
    if (n)
        columns_send(&c, txn, &SQL_batch_outcome_insert);
}

static void write_journal(struct store_op *op, struct db_txn *txn)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I64,  DB_I64,   DB_I32,
                                         DB_I32, DB_TIME, DB_BYTES, DB_BYTES};
    const struct engine_batch *batch = op->batch;
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
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
        db_array_add_i64(c.arrays[0], shard->shard);
        db_array_add_i64(c.arrays[1], (int64_t)shard->seq);
        db_array_add_i64(c.arrays[2], (int64_t)first);
        db_array_add_i64(c.arrays[3], shard->epoch);
        db_array_add_i64(c.arrays[4], shard->events_len);
        db_array_add_i64(c.arrays[5], shard->clock_us);
        db_array_add_slice(c.arrays[6],
                           encode_leases(&op->arena, shard->leases, shard->leases_len));
        db_array_add_slice(c.arrays[7], events);
        n++;
    }
    if (n)
        columns_send(&c, txn, &SQL_batch_journal_insert);
}

/* Only when something may go; each journal_low is written once. */
static void write_journal_trim(struct store *store, struct db_txn *txn,
                               const struct engine_batch *batch)
{
    static const enum db_kind kinds[] = {DB_I16, DB_I64};
    struct columns c;
    uint32_t n = 0;

    columns_make(&c, db_txn_arena(txn), kinds, ARRAY_LEN(kinds));
    for (uint32_t s = 0; s < batch->shards_len; s++) {
        const struct engine_shard_batch *shard = &batch->shards[s];
        struct shard_slot *slot = &store->shards[shard->shard];
        if (shard->journal_low <= slot->journal_low)
            continue;
        slot->journal_low = shard->journal_low;
        db_array_add_i64(c.arrays[0], shard->shard);
        db_array_add_i64(c.arrays[1], (int64_t)shard->journal_low);
        n++;
    }
    if (n)
        columns_send(&c, txn, &SQL_batch_journal_trim);
}

/* ---- in flight ---- */

bool store_may_write(const struct store *store)
{
    return store->in_flight < STORE_BATCHES_IN_FLIGHT;
}

static void op_finish(struct store_op *op)
{
    struct store *store = op->store;

    store->in_flight--;
    op->done(op->durable, op->events, op->durable ? op->events_len : 0, op->userdata);
    arena_fini(&op->arena);
    free(op);
}

/* Hands over, in order, what has been answered. */
static void ops_drain(struct store *store)
{
    while (store->ops && store->ops->answered) {
        struct store_op *op = store->ops;
        store->ops = op->next;
        if (!store->ops)
            store->ops_tail = &store->ops;
        op_finish(op);
    }
    write_idle_check(store);
}

static bool counts_met(const struct store_op *op, struct db_result *const *results)
{
    return (op->succeed_at < 0 || db_affected(results[op->succeed_at]) == op->succeed_rows) &&
           (op->update_at < 0 || db_affected(results[op->update_at]) == op->update_rows) &&
           (op->run_update_at < 0 ||
            db_affected(results[op->run_update_at]) == op->run_update_rows);
}

static void op_answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct store_op *op = userdata;
    struct store *store = op->store;
    uint16_t lost[SHARDS_MAX];
    uint32_t lost_len = 0;
    const char *why = "a batch has failed";

    op->answered = true;
    op->durable = outcome == DB_COMMITTED;
    if (op->durable && !counts_met(op, results)) {
        /* it is committed, but memory and rows disagree: memory goes */
        log_error("store.row_count", LOG_U64("succeed", op->succeed_rows),
                  LOG_U64("update", op->update_rows));
        why = "a batch met other rows than expected";
    } else if (op->durable) {
        uint64_t valid_us =
            op->sent_us +
            (uint64_t)(store->options.shard_lease_ms - store->options.lease_margin_ms) * 1000;
        for (uint32_t s = 0; s < op->batch->shards_len; s++)
            store->shards[op->batch->shards[s].shard].valid_until_us = valid_us;
        ops_drain(store);
        return;
    } else {
        log_warn("store.batch_lost",
                 LOG_STR("outcome", outcome == DB_FAILED ? "failed" : "unknown"), LOG_ERR(err));
    }
    for (uint32_t s = 0; s < op->batch->shards_len; s++)
        lost[lost_len++] = op->batch->shards[s].shard;
    /* what waits behind without rows speaks of memory that is gone */
    for (struct store_op *behind = op->next; behind; behind = behind->next)
        if (!behind->sent)
            behind->durable = false;
    ops_drain(store);
    for (uint32_t i = 0; i < lost_len; i++)
        keeper_lose(store, lost[i], why);
}

static void op_send(struct store_op *op)
{
    struct store *store = op->store;
    struct db_txn *txn = db_txn_new(store->writer);
    const struct engine_batch *batch = op->batch;
    int at = 1; /* the fence is the first */

    op->sent = true;
    op->sent_us = clock_monotonic_us();
    write_fence(store, txn, batch);
    bool plain = false, full = false;
    for (uint32_t s = 0; s < batch->shards_len; s++)
        for (uint32_t i = 0; i < batch->shards[s].tasks_insert_len; i++) {
            bool is_plain = task_is_plain(&batch->shards[s].tasks_insert[i]);
            plain |= is_plain;
            full |= !is_plain;
        }
    write_task_inserts(txn, batch);
    at += plain + full;
    op->succeed_rows = write_task_successes(txn, batch);
    op->succeed_at = op->succeed_rows ? at++ : -1;
    op->update_rows = write_task_updates(txn, batch);
    op->update_at = op->update_rows ? at++ : -1;
    op->run_update_rows = write_run_updates(txn, batch);
    op->run_update_at = op->run_update_rows ? at++ : -1;
    write_run_inserts(txn, batch);
    write_parked_removes(txn, batch);
    write_parked_adds(txn, batch);
    write_keys(txn, batch);
    write_outcomes(txn, batch);
    write_journal(op, txn);
    write_journal_trim(store, txn, batch);
    db_txn_send(txn, op_answered, op);
}

static void rowless_due(void *userdata)
{
    ops_drain(userdata);
}

void store_write(struct store *store, const struct engine_batch *batch, store_written_fn done,
                 void *userdata)
{
    struct store_op *op = mem_zalloc(sizeof *op);

    op->store = store;
    op->batch = batch;
    op->done = done;
    op->userdata = userdata;
    arena_init(&op->arena, 0);
    *store->ops_tail = op;
    store->ops_tail = &op->next;
    store->in_flight++;
    if (batch->shards_len) {
        op_send(op);
        return;
    }
    op->answered = op->durable = true;
    if (store->ops == op)
        loop_defer(store->loop, rowless_due, store);
}
