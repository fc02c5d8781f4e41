/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of committed state, for callers and for the engine itself. */
#include <stdlib.h>

#include "sql/read.h"
#include "store_internal.h"

#define EVENTS_READ_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* One read on its way; the rows' memory. */
struct read {
    struct store *store;
    struct arena arena;
    union {
        store_task_fn task;
        store_tasks_fn tasks;
        store_run_fn run;
        store_runs_fn runs;
        store_answer_fn answer;
        store_events_fn events;
    } fn;
    void *userdata;
    uint64_t number; /* of the engine's question */
    uint16_t shard;
    uint32_t limit;
    bool due;
};

static struct read *read_new(struct store *store, void *userdata)
{
    struct read *read = mem_zalloc(sizeof *read);

    read->store = store;
    read->userdata = userdata;
    arena_init(&read->arena, 0);
    return read;
}

static void read_end(struct read *read)
{
    arena_fini(&read->arena);
    free(read);
}

static void ask(struct read *read, const struct db_sql *sql, const struct db_param *params, int n,
                db_done_fn done)
{
    db_query(store_reader(read->store), sql, params, n, done, read);
}

/* ---- tasks ---- */

static void task_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct engine_task_row row;

    if (outcome != DB_COMMITTED) {
        read->fn.task(NULL, err, read->userdata);
    } else if (!db_rows(results[0])) {
        read->fn.task(NULL, NULL, read->userdata);
    } else {
        row_task(read->store, &read->arena, results[0], 0, false, &row);
        read->fn.task(&row, NULL, read->userdata);
    }
    read_end(read);
}

void store_read_task(struct store *store, const struct id *id, store_task_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {DB_UUID_PARAM(*id)};

    read->fn.task = done;
    ask(read, &SQL_read_task, params, 1, task_read);
}

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
        param_text(filter->queue),          DB_BOOL_PARAM(filter->include_steps)};

    read->fn.tasks = done;
    ask(read, &SQL_list_tasks, params, ARRAY_LEN(params), tasks_read);
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

/* ---- the engine's own questions ---- */

static void answer(struct read *read, const struct engine_command *command)
{
    read->fn.answer(command, read->userdata);
    read_end(read);
}

static void key_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct engine_command command = {.kind = ENGINE_KEY_ROW, .key_row = {.read = read->number}};

    if (outcome != DB_COMMITTED) {
        answer(read, NULL);
        return;
    }
    if (db_rows(results[0])) {
        struct slice digest = db_slice(results[0], 0, 2);
        command.key_row.found = true;
        command.key_row.id = db_id(results[0], 0, 0);
        command.key_row.is_run = db_i64(results[0], 0, 1) == 2;
        memcpy(command.key_row.digest, digest.data,
               MIN_OF(digest.len, (size_t)ENGINE_DIGEST_BYTES));
    }
    answer(read, &command);
}

void store_key_lookup(struct store *store, const struct engine_key_lookup *lookup,
                      store_answer_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {DB_I16_PARAM(lookup->shard), DB_I32_PARAM(lookup->namespace_id),
                                DB_TEXT_PARAM(lookup->key)};

    read->fn.answer = done;
    read->number = lookup->read;
    ask(read, &SQL_key_lookup, params, 3, key_read);
}

static void lookup_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct engine_task_row row;
    struct engine_command command = {.kind = ENGINE_TASK_ROW, .task_row = {.read = read->number}};

    if (outcome != DB_COMMITTED) {
        answer(read, NULL);
        return;
    }
    if (db_rows(results[0])) {
        row_task(read->store, &read->arena, results[0], 0, true, &row);
        command.task_row.row = &row;
    }
    answer(read, &command);
}

void store_task_lookup(struct store *store, const struct engine_task_lookup *lookup,
                       store_answer_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {DB_UUID_PARAM(lookup->id)};

    read->fn.answer = done;
    read->number = lookup->read;
    ask(read, &SQL_read_task, params, 1, lookup_read);
}

/* The shard's row always comes, with nulls when nothing is parked. */
static void refill_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct read *read = userdata;
    struct engine_command command = {
        .kind = ENGINE_REFILL_ROWS,
        .refill_rows = {.read = read->number, .due_next_us = ENGINE_FOREVER}};

    if (outcome != DB_COMMITTED || !db_rows(results[0])) {
        answer(read, NULL);
        return;
    }
    size_t len = db_rows(results[0]), found = 0;
    struct engine_task_row *rows = ARENA_ARRAY(&read->arena, struct engine_task_row, len + 1);
    for (size_t i = 0; i < len; i++)
        if (!db_is_null(results[0], i, 0))
            row_task(read->store, &read->arena, results[0], i, true, &rows[found++]);
    command.refill_rows.seq = (uint64_t)db_i64(results[0], 0, TASK_COLUMNS + 1);
    command.refill_rows.tasks = rows;
    command.refill_rows.tasks_len = (uint32_t)found;
    command.refill_rows.at_end = found < read->limit;
    if (read->due && !db_is_null(results[0], len - 1, TASK_COLUMNS + 2))
        command.refill_rows.due_next_us = db_i64(results[0], len - 1, TASK_COLUMNS + 2);
    answer(read, &command);
}

void store_refill(struct store *store, uint16_t shard, const struct engine_refill *refill,
                  store_answer_fn done, void *userdata)
{
    struct read *read = read_new(store, userdata);

    read->fn.answer = done;
    read->number = refill->read;
    read->limit = refill->limit;
    read->due = refill->reason == ENGINE_PARKED_DUE;
    if (read->due) {
        struct db_param params[] = {DB_I16_PARAM(shard), DB_TIME_PARAM(refill->after_us),
                                    DB_TIME_PARAM(refill->until_us), DB_I32_PARAM(refill->limit)};
        ask(read, &SQL_refill_due, params, 4, refill_read);
    } else {
        struct db_param params[] = {DB_I16_PARAM(shard),
                                    DB_I32_PARAM(refill->namespace_id),
                                    DB_TEXT_PARAM(refill->queue),
                                    DB_BOOL_PARAM(refill->from_start),
                                    DB_I16_PARAM(-refill->priority),
                                    DB_UUID_PARAM(refill->id),
                                    DB_I32_PARAM(refill->limit)};
        ask(read, &SQL_refill_ready, params, 7, refill_read);
    }
}

/* ---- events ---- */

static void events_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct read *read = userdata;

    if (outcome != DB_COMMITTED) {
        read->fn.events(NULL, 0, err, read->userdata);
        read_end(read);
        return;
    }
    size_t len = db_rows(results[0]), bytes = 0, taken = 0;
    struct store_events *events = ARENA_ARRAY(&read->arena, struct store_events, len + 1);
    for (; taken < len && (!taken || bytes < EVENTS_READ_BYTES_MAX); taken++) {
        events[taken] = (struct store_events){.shard = read->shard,
                                              .first = (uint64_t)db_i64(results[0], taken, 0),
                                              .count = (uint32_t)db_i64(results[0], taken, 1),
                                              .packed = db_slice(results[0], taken, 2)};
        bytes += events[taken].packed.len;
    }
    read->fn.events(events, taken, NULL, read->userdata);
    read_end(read);
}

void store_read_events(struct store *store, uint16_t shard, uint64_t from, store_events_fn done,
                       void *userdata)
{
    struct read *read = read_new(store, userdata);
    struct db_param params[] = {DB_I16_PARAM(shard), DB_I64_PARAM((int64_t)from)};

    read->fn.events = done;
    read->shard = shard;
    ask(read, &SQL_read_events, params, 2, events_read);
}
