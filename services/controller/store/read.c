/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of committed state, for callers and for the engine itself. */
#include <stdlib.h>

#include "sql/read.h"
#include "store_internal.h"

#define EVENTS_READ_BYTES_MAX (4 * 1024 * 1024)
#define READS_IN_FLIGHT_MAX 512
/* Columns behind those of a parked task. */
#define REFILL_SEQ (TASK_COLUMNS + TASK_PARKED_COLUMNS)
#define REFILL_PARKED (REFILL_SEQ + 1)

/* One read on its way; the rows' memory. */
struct read {
    struct store *store;
    struct read *next; /* waits behind others */
    const struct db_sql *sql;
    struct db_param *params;
    int params_len;
    db_done_fn done;
    struct arena arena;
    union {
        store_tasks_fn tasks;
        store_run_fn run;
        store_runs_fn runs;
        store_answer_fn answer;
        store_events_fn events;
        store_health_fn health;
    } fn;
    void *userdata;
    uint64_t number; /* of the engine's question */
    uint16_t shard;
    uint32_t epoch; /* of the shard when events were asked for */
    uint32_t limit;
};

static struct read *read_new(struct store *store, void *userdata)
{
    struct read *read = mem_zalloc(sizeof *read);

    read->store = store;
    read->userdata = userdata;
    arena_init(&read->arena, 0);
    return read;
}

static void read_send(struct read *read)
{
    read->store->reads_in_flight++;
    db_query(store_reader(read->store), read->sql, read->params, read->params_len, read->done,
             read);
}

static void read_end(struct read *read)
{
    struct store *store = read->store;
    struct read *next = store->reads_waiting;

    arena_fini(&read->arena);
    free(read);
    store->reads_in_flight--;
    if (!next)
        return;
    store->reads_waiting = next->next;
    if (!store->reads_waiting)
        store->reads_tail = NULL;
    read_send(next);
}

/* A flood of reads waits here: a connection takes only so many. */
static void ask(struct read *read, const struct db_sql *sql, const struct db_param *params, int n,
                db_done_fn done)
{
    struct store *store = read->store;

    read->sql = sql;
    read->params = arena_memdup(&read->arena, params, (size_t)n * sizeof *params);
    read->params_len = n;
    read->done = done;
    for (int i = 0; i < n; i++)
        if (params[i].kind == DB_TEXT || params[i].kind == DB_BYTES)
            read->params[i].slice.data =
                arena_memdup(&read->arena, params[i].slice.data, params[i].slice.len);
    if (store->reads_in_flight < READS_IN_FLIGHT_MAX) {
        read_send(read);
        return;
    }
    if (store->reads_tail)
        store->reads_tail->next = read;
    else
        store->reads_waiting = read;
    store->reads_tail = read;
}

/* ---- tasks ---- */

static void tasks_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct read *read = userdata;

    if (outcome != DB_COMMITTED) {
        read->fn.tasks(NULL, 0, err, read->userdata);
    } else {
        size_t len = db_rows(results[0]);
        struct engine_task_row *rows = ARENA_ARRAY(&read->arena, struct engine_task_row, len + 1);
        for (size_t i = 0; i < len; i++)
            row_task(read->store, &read->arena, results[0], i, false, &rows[i]);
        read->fn.tasks(rows, len, NULL, read->userdata);
    }
    read_end(read);
}

void store_read_run_tasks(struct store *store, const struct id *run, store_tasks_fn done,
                          void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct id low, high;

    id_bounds(run, &low, &high);
    struct db_param params[] = {DB_UUID_PARAM(*run), DB_UUID_PARAM(low), DB_UUID_PARAM(high)};
    read->fn.tasks = done;
    ask(read, &SQL_read_run_tasks, params, 3, tasks_read);
}

/* "Before nothing": above every id. */
static struct db_param before_param(const struct id *before)
{
    struct id top;

    memset(top.bytes, 0xff, ID_BYTES);
    return DB_UUID_PARAM(id_is_nil(before) ? top : *before);
}

static struct db_param state_param(unsigned state)
{
    return state ? DB_I16_PARAM((int64_t)state) : (struct db_param){.kind = DB_NULL};
}

void store_list_tasks(struct store *store, const struct store_task_filter *filter,
                      store_tasks_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {
        DB_I32_PARAM(filter->namespace_id), before_param(&filter->before),
        DB_I32_PARAM(filter->limit),        state_param(filter->state),
        DB_BOOL_PARAM(filter->live_only),   param_text(filter->type),
        param_text(filter->queue),          DB_BOOL_PARAM(filter->include_steps),
        param_text(filter->failure_code),   param_id(&filter->from)};
    bool bad = filter->state == ENGINE_TASK_FAILED || filter->state == ENGINE_TASK_CANCELLED;

    read->fn.tasks = done;
    ask(read, bad ? &SQL_list_bad_tasks : &SQL_list_tasks, params, ARRAY_LEN(params), tasks_read);
}

/* ---- runs ---- */

static void run_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct engine_run_row row;

    if (outcome != DB_COMMITTED) {
        read->fn.run(NULL, err, read->userdata);
    } else if (!db_rows(results[0])) {
        read->fn.run(NULL, NULL, read->userdata);
    } else {
        row_run(&read->arena, results[0], 0, &row);
        read->fn.run(&row, NULL, read->userdata);
    }
    read_end(read);
}

void store_read_run(struct store *store, const struct id *id, store_run_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {DB_UUID_PARAM(*id)};

    read->fn.run = done;
    ask(read, &SQL_read_run, params, 1, run_read);
}

static void runs_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    struct read *read = userdata;

    if (outcome != DB_COMMITTED) {
        read->fn.runs(NULL, 0, err, read->userdata);
    } else {
        size_t len = db_rows(results[0]);
        struct engine_run_row *rows = ARENA_ARRAY(&read->arena, struct engine_run_row, len + 1);
        for (size_t i = 0; i < len; i++)
            row_run(&read->arena, results[0], i, &rows[i]);
        read->fn.runs(rows, len, NULL, read->userdata);
    }
    read_end(read);
}

void store_list_runs(struct store *store, const struct store_run_filter *filter, store_runs_fn done,
                     void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {DB_I32_PARAM(filter->namespace_id), before_param(&filter->before),
                                DB_I32_PARAM(filter->limit),        state_param(filter->state),
                                DB_BOOL_PARAM(filter->live_only),   param_id(&filter->plan_id)};

    read->fn.runs = done;
    ask(read, &SQL_list_runs, params, ARRAY_LEN(params), runs_read);
}

void store_recent_runs(struct store *store, const struct id *plans, size_t n, uint32_t limit,
                       store_runs_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_array *ids = db_array_new(&read->arena, DB_UUID);

    for (size_t i = 0; i < n; i++)
        db_array_add_id(ids, &plans[i]);
    struct db_param params[] = {db_array_param(ids), DB_I32_PARAM(limit)};
    read->fn.runs = done;
    ask(read, &SQL_recent_runs, params, 2, runs_read);
}

/* ---- health ---- */

static void health_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct read *read = userdata;

    if (outcome != DB_COMMITTED) {
        read->fn.health(NULL, 0, err, read->userdata);
    } else {
        size_t len = db_rows(results[0]);
        struct store_shard_health *shards =
            ARENA_ARRAY(&read->arena, struct store_shard_health, len + 1);
        for (size_t i = 0; i < len; i++)
            shards[i] = (struct store_shard_health){
                .shard = (uint16_t)db_i64(results[0], i, 0),
                .owned = !db_is_null(results[0], i, 1) && db_i64(results[0], i, 1),
                .journal_rows = (uint64_t)db_i64(results[0], i, 2),
                .journal_since_us = db_is_null(results[0], i, 3) ? 0 : db_i64(results[0], i, 3),
                .events_unsaved = (uint64_t)db_i64(results[0], i, 4),
                .unsaved_since_us = db_is_null(results[0], i, 5) ? 0 : db_i64(results[0], i, 5),
                .now_us = db_i64(results[0], i, 6)};
        read->fn.health(shards, len, NULL, read->userdata);
    }
    read_end(read);
}

void store_read_health(struct store *store, store_health_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);

    read->fn.health = done;
    ask(read, &SQL_shard_health, NULL, 0, health_read);
}

/* ---- the engine's own questions ---- */

static void answer(struct read *read, const struct engine_command *command)
{
    read->fn.answer(command, read->userdata);
    read_end(read);
}

/* The shard's row always comes, with nulls when nothing is parked. A parked task whose row has gone
 * counts as read: what stands behind it is still there. */
static void refill_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct engine_command command = {
        .kind = ENGINE_REFILL_ROWS,
        .refill_rows = {.read = read->number, .due_next_us = ENGINE_FOREVER}};
    struct engine_refill_answer *out = &command.refill_rows;

    if (outcome != DB_COMMITTED || !db_rows(results[0])) {
        answer(read, NULL);
        return;
    }
    size_t len = db_rows(results[0]), parked = 0;
    struct engine_task_row *rows = ARENA_ARRAY(&read->arena, struct engine_task_row, len + 1);
    for (size_t i = 0; i < len; i++) {
        parked += db_i64(results[0], i, REFILL_PARKED) != 0;
        if (!db_is_null(results[0], i, 0))
            row_task(read->store, &read->arena, results[0], i, true, &rows[out->tasks_len++]);
    }
    out->seq = (uint64_t)db_i64(results[0], 0, REFILL_SEQ);
    out->tasks = rows;
    out->at_end = parked < read->limit;
    if (n > 1 && db_rows(results[1]) && !db_is_null(results[1], 0, 0))
        out->due_next_us = db_i64(results[1], 0, 0);
    answer(read, &command);
}

static void refill_due(struct read *read, uint16_t shard, const struct engine_refill *refill)
{
    struct db_txn *txn = db_txn_new(store_reader(read->store));
    struct db_param rows[] = {DB_I16_PARAM(shard), DB_TIME_PARAM(refill->after_us),
                              DB_UUID_PARAM(refill->id), DB_TIME_PARAM(refill->until_us),
                              DB_I32_PARAM(refill->limit)};
    struct db_param next[] = {DB_I16_PARAM(shard), DB_TIME_PARAM(refill->until_us)};

    db_txn_add(txn, &SQL_refill_due, rows, ARRAY_LEN(rows));
    db_txn_add(txn, &SQL_refill_due_next, next, ARRAY_LEN(next));
    read->store->reads_in_flight++; /* read_end counts it off like those of ask() */
    db_txn_send(txn, refill_read, read);
}

void store_refill(struct store *store, uint16_t shard, const struct engine_refill *refill,
                  store_answer_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct id before_all = {{0}};

    read->fn.answer = done;
    read->number = refill->read;
    read->limit = refill->limit;
    if (refill->reason == ENGINE_PARKED_DUE) {
        refill_due(read, shard, refill);
        return;
    }
    int64_t rank = refill->from_start ? INT64_MIN : engine_rank(refill->priority, &refill->id);
    struct db_param params[] = {DB_I16_PARAM(shard),
                                DB_I32_PARAM(refill->namespace_id),
                                DB_TEXT_PARAM(refill->queue),
                                DB_I64_PARAM(rank),
                                DB_UUID_PARAM(refill->from_start ? before_all : refill->id),
                                DB_I32_PARAM(refill->limit)};
    ask(read, &SQL_refill_ready, params, ARRAY_LEN(params), refill_read);
}

/* ---- events ---- */

static void events_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct shard_slot *slot = &read->store->shards[read->shard];

    if (outcome != DB_COMMITTED) {
        read->fn.events(NULL, 0, err, read->userdata);
        read_end(read);
        return;
    }
    size_t len = db_rows(results[0]);
    struct store_events *events = ARENA_ARRAY(&read->arena, struct store_events, len + 1);
    for (size_t i = 0; i < len; i++)
        events[i] = (struct store_events){.shard = read->shard,
                                          .first = (uint64_t)db_i64(results[0], i, 0),
                                          .count = (uint32_t)db_i64(results[0], i, 1),
                                          .packed = db_slice(results[0], i, 2)};
    if (len > 0 && slot->epoch == read->epoch) {
        slot->events_next = events[len - 1].first + events[len - 1].count;
        slot->events_seq = (uint64_t)db_i64(results[0], len - 1, 3) + 1;
    }
    read->fn.events(events, len, NULL, read->userdata);
    read_end(read);
}

/* The journal is in the order of its numbers: who reads on from where the last read ended need not
 * pass over what was read. */
void store_read_events(struct store *store, uint16_t shard, uint64_t from, store_events_fn done,
                       void *userdata)
{
    struct read *read = read_new(store, userdata);
    const struct shard_slot *slot = &store->shards[shard];
    uint64_t seq = from == slot->events_next ? slot->events_seq : 0;
    struct db_param params[] = {DB_I16_PARAM(shard), DB_I64_PARAM((int64_t)from),
                                DB_I64_PARAM((int64_t)seq), DB_I64_PARAM(EVENTS_READ_BYTES_MAX)};

    read->fn.events = done;
    read->shard = shard;
    read->epoch = slot->epoch;
    ask(read, &SQL_read_events, params, ARRAY_LEN(params), events_read);
}
