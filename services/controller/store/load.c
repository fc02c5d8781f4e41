/* SPDX-License-Identifier: Apache-2.0 */
/* A rebuild: after the new epochs are committed, everything that is not finished, in two rounds of
 * reads. */
#include <stdlib.h>

#include "base/planted.h"
#include "log/log.h"
#include "sql/load.h"
#include "sql/read.h"
#include "store_internal.h"

#define LOAD_RETRY_MS 100
#define LOAD_KEYS_MAX 200000 /* beyond it unknown keys are looked up one by one */

/* Rows of one statement for all shards, those of a shard together. */
struct grouped {
    void *rows;
    uint32_t *place; /* of each row of the result */
    uint32_t *start; /* of each shard of the load, and the end */
};

struct load {
    struct store *store;
    struct arena arena;
    uint64_t number;
    struct load_shard *shards;
    size_t shards_len;
    uint16_t index[SHARDS_MAX]; /* of a shard in `shards` */
    struct grouped journals;    /* struct engine_journal_load */
    struct grouped runs;        /* struct engine_run_load; without a plan: does not compile */
    struct grouped young;       /* struct engine_task_row */
    struct grouped of_runs, leased;
    size_t runs_len;
    struct id *leases; /* tasks with a lease in the journal */
    size_t leases_len;
};

static struct engine_run_load *run_at(const struct load *load, size_t i)
{
    return (struct engine_run_load *)load->runs.rows + i;
}

static void load_free(struct load *load)
{
    for (size_t i = 0; i < load->runs_len; i++)
        if (run_at(load, i)->plan.plan)
            load->store->callbacks.plan_done(&run_at(load, i)->plan, load->store->userdata);
    arena_fini(&load->arena);
    free(load);
}

/* Still the load of this shard, under its epoch? It may have been lost meanwhile. */
static bool current(const struct load *load, const struct load_shard *shard)
{
    const struct shard_slot *slot = &load->store->shards[shard->shard];

    return slot->state == SHARD_LOADING && slot->epoch == shard->epoch &&
           slot->load == load->number;
}

static void load_failed(struct load *load, const struct error *err)
{
    log_warn("store.load_failed", LOG_ERR(err));
    for (size_t i = 0; i < load->shards_len; i++)
        if (current(load, &load->shards[i]))
            keeper_lose(load->store, load->shards[i].shard, "reading the shard has failed");
    keeper_acquire_soon(load->store, LOAD_RETRY_MS);
    load_free(load);
}

/* ---- grouping ---- */

static uint16_t shard_of_id(const struct db_result *result, size_t row)
{
    struct id id = db_id(result, row, 0);

    return id_shard(&id);
}

static uint16_t shard_of_number(const struct db_result *result, size_t row)
{
    return (uint16_t)db_i64(result, row, 0);
}

static struct grouped group(struct load *load, const struct db_result *result, size_t row_bytes,
                            uint16_t (*shard_of)(const struct db_result *result, size_t row))
{
    size_t n = db_rows(result);
    struct grouped out = {.rows = arena_zalloc(&load->arena, (n + 1) * row_bytes),
                          .place = ARENA_ARRAY(&load->arena, uint32_t, n + 1),
                          .start = ARENA_ARRAY(&load->arena, uint32_t, load->shards_len + 1)};
    uint32_t *next = ARENA_ARRAY(&load->arena, uint32_t, load->shards_len + 1);

    for (size_t i = 0; i < n; i++)
        out.start[load->index[shard_of(result, i)] + 1]++;
    for (size_t i = 0; i < load->shards_len; i++) {
        out.start[i + 1] += out.start[i];
        next[i] = out.start[i];
    }
    for (size_t i = 0; i < n; i++)
        out.place[i] = next[load->index[shard_of(result, i)]]++;
    return out;
}

static struct grouped group_tasks(struct load *load, const struct db_result *result)
{
    struct grouped out = group(load, result, sizeof(struct engine_task_row), shard_of_id);
    struct engine_task_row *rows = out.rows;

    for (size_t i = 0; i < db_rows(result); i++)
        row_task(load->store, &load->arena, result, i, true, &rows[out.place[i]]);
    return out;
}

/* ---- handing over ---- */

static void give(struct load *load, const struct engine_command *command)
{
    load->store->callbacks.on_load(command, load->store->userdata);
}

static void give_tasks(struct load *load, size_t i, const struct grouped *tasks)
{
    struct engine_command command = {.kind = ENGINE_LOAD_ROWS,
                                     .load_rows = {.shard = load->shards[i].shard}};

    if (!tasks->rows || tasks->start[i] == tasks->start[i + 1])
        return;
    command.load_rows.tasks = (struct engine_task_row *)tasks->rows + tasks->start[i];
    command.load_rows.tasks_len = tasks->start[i + 1] - tasks->start[i];
    give(load, &command);
}

static void give_runs_and_journal(struct load *load, size_t i)
{
    struct engine_command command = {.kind = ENGINE_LOAD_ROWS,
                                     .load_rows = {.shard = load->shards[i].shard}};
    uint32_t from = load->journals.start[i], to = load->journals.start[i + 1];
    uint32_t first = load->runs.start[i], end = load->runs.start[i + 1];
    struct engine_run_load *runs = ARENA_ARRAY(&load->arena, struct engine_run_load, end - first);

    for (uint32_t k = first; k < end; k++)
        if (run_at(load, k)->plan.plan)
            runs[command.load_rows.runs_len++] = *run_at(load, k);
    command.load_rows.runs = runs;
    command.load_rows.journals = (struct engine_journal_load *)load->journals.rows + from;
    command.load_rows.journals_len = to - from;
    give(load, &command);
}

static void hand_over(struct load *load)
{
    struct store *store = load->store;

    for (size_t i = 0; i < load->shards_len; i++) {
        struct load_shard *shard = &load->shards[i];
        struct engine_command begin = {.kind = ENGINE_LOAD_BEGIN, .load_begin = shard->begin};
        struct engine_command end = {.kind = ENGINE_LOAD_END, .shard = {.shard = shard->shard}};

        if (!current(load, shard))
            continue;
        store->shards[shard->shard].state = SHARD_OWNED;
        give(load, &begin);
        give_runs_and_journal(load, i);
        if (!planted("load_forgets"))
            give_tasks(load, i, &load->young);
        give_tasks(load, i, &load->of_runs);
        give_tasks(load, i, &load->leased);
        give(load, &end);
    }
    load_free(load);
    keeper_health(store);
}

/* ---- second round: what the first has named ---- */

static void second_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct load *load = userdata;

    if (outcome != DB_COMMITTED) {
        load_failed(load, err);
        return;
    }
    load->of_runs = group_tasks(load, results[0]);
    load->leased = group_tasks(load, results[1]);
    hand_over(load);
}

static void second_round(struct load *load)
{
    struct db_txn *txn = db_txn_new(store_reader(load->store));
    struct db_array *runs = db_array_new(db_txn_arena(txn), DB_UUID),
                    *low = db_array_new(db_txn_arena(txn), DB_UUID),
                    *high = db_array_new(db_txn_arena(txn), DB_UUID),
                    *ids = db_array_new(db_txn_arena(txn), DB_UUID);

    for (size_t i = 0; i < load->runs_len; i++) {
        struct id first, last;
        id_bounds(&run_at(load, i)->row.id, &first, &last);
        db_array_add_id(runs, &run_at(load, i)->row.id);
        db_array_add_id(low, &first);
        db_array_add_id(high, &last);
    }
    for (size_t i = 0; i < load->leases_len; i++)
        db_array_add_id(ids, &load->leases[i]);
    struct db_param by_run[] = {db_array_param(runs), db_array_param(low), db_array_param(high)};
    struct db_param by_id[] = {db_array_param(ids)};
    db_txn_add(txn, &SQL_load_run_tasks, by_run, 3);
    db_txn_add(txn, &SQL_read_tasks, by_id, 1);
    db_txn_send(txn, second_read, load);
}

/* ---- first round ---- */

static void read_journal(struct load *load, const struct db_result *result)
{
    struct engine_journal_load *rows;
    size_t n = db_rows(result), leases = 0;

    load->journals = group(load, result, sizeof *rows, shard_of_number);
    rows = load->journals.rows;
    for (size_t i = 0; i < n; i++) {
        struct engine_lease *list;
        uint32_t len = decode_leases(&load->arena, db_slice(result, i, 4), &list);
        rows[load->journals.place[i]] =
            (struct engine_journal_load){.seq = (uint64_t)db_i64(result, i, 1),
                                         .first_event = (uint64_t)db_i64(result, i, 2),
                                         .events_len = (uint32_t)db_i64(result, i, 3),
                                         .leases = list,
                                         .leases_len = len};
        leases += len;
    }
    load->leases = ARENA_ARRAY(&load->arena, struct id, leases + 1);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < rows[i].leases_len; k++)
            load->leases[load->leases_len++] = rows[i].leases[k].task;
}

static void read_runs(struct load *load, const struct db_result *result)
{
    struct store *store = load->store;

    load->runs = group(load, result, sizeof(struct engine_run_load), shard_of_id);
    load->runs_len = db_rows(result);
    for (size_t i = 0; i < load->runs_len; i++) {
        struct engine_run_load *run = run_at(load, load->runs.place[i]);
        struct error error = {0};
        row_run(&load->arena, result, i, &run->row);
        run->row.parked = db_i64(result, i, RUN_COLUMNS + 1) != 0;
        if (store->callbacks.plan_of(&run->row.plan_id, run->row.plan_version,
                                     db_slice(result, i, RUN_COLUMNS), &run->plan, store->userdata,
                                     &error) == STATUS_OK)
            continue;
        log_error("run.plan_unreadable", LOG_ID("run", &run->row.id), LOG_ERR(&error));
        run->plan = (struct engine_plan){0};
    }
}

static struct grouped group_queues(struct load *load, const struct db_result *result)
{
    struct grouped names = group(load, result, sizeof(struct engine_queue_name), shard_of_number);
    struct engine_queue_name *rows = names.rows;

    for (size_t i = 0; i < db_rows(result); i++)
        rows[names.place[i]] = (struct engine_queue_name){(uint32_t)db_i64(result, i, 1),
                                                          row_text(&load->arena, result, i, 2),
                                                          (uint64_t)db_i64(result, i, 3)};
    return names;
}

static void read_settings(struct load *load, const struct db_result *result)
{
    struct grouped settings = group(load, result, sizeof(struct engine_queue_row), shard_of_number);
    struct engine_queue_row *rows = settings.rows;

    for (size_t i = 0; i < db_rows(result); i++)
        rows[settings.place[i]] =
            (struct engine_queue_row){.namespace_id = (uint32_t)db_i64(result, i, 1),
                                      .name = row_text(&load->arena, result, i, 2),
                                      .paused_us = row_time(result, i, 3),
                                      .actor = row_text(&load->arena, result, i, 4),
                                      .reason = row_text(&load->arena, result, i, 5),
                                      .concurrency = (uint32_t)row_number(result, i, 6),
                                      .rate = {.key = "",
                                               .limit = (uint32_t)row_number(result, i, 7),
                                               .per_ms = row_number(result, i, 8),
                                               .units = 1}};
    for (size_t i = 0; i < load->shards_len; i++) {
        load->shards[i].begin.settings = rows + settings.start[i];
        load->shards[i].begin.settings_len = settings.start[i + 1] - settings.start[i];
    }
}

static void read_queues(struct load *load, const struct db_result *queues,
                        const struct db_result *due_queues, const struct db_result *due)
{
    struct grouped names = group_queues(load, queues), later = group_queues(load, due_queues);

    for (size_t i = 0; i < load->shards_len; i++) {
        struct engine_load_begin *begin = &load->shards[i].begin;

        begin->queues = (struct engine_queue_name *)names.rows + names.start[i];
        begin->queues_len = names.start[i + 1] - names.start[i];
        begin->due_queues = (struct engine_queue_name *)later.rows + later.start[i];
        begin->due_queues_len = later.start[i + 1] - later.start[i];
    }
    for (size_t i = 0; i < db_rows(due); i++)
        if (!db_is_null(due, i, 1))
            load->shards[load->index[db_i64(due, i, 0)]].begin.due_next_us = db_i64(due, i, 1);
}

static void read_keys(struct load *load, const struct db_result *result)
{
    struct grouped keys;
    uint64_t *hashes;

    if (db_rows(result) > LOAD_KEYS_MAX)
        return;
    keys = group(load, result, sizeof *hashes, shard_of_number);
    hashes = keys.rows;
    for (size_t i = 0; i < db_rows(result); i++)
        hashes[keys.place[i]] =
            engine_key_hash((uint32_t)db_i64(result, i, 1), row_text(&load->arena, result, i, 2));
    for (size_t i = 0; i < load->shards_len; i++) {
        struct engine_load_begin *begin = &load->shards[i].begin;

        begin->key_hashes = hashes + keys.start[i];
        begin->key_hashes_len = keys.start[i + 1] - keys.start[i];
        begin->keys_complete = true;
    }
}

static void first_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct load *load = userdata;

    if (outcome != DB_COMMITTED) {
        load_failed(load, err);
        return;
    }
    read_journal(load, results[0]);
    read_runs(load, results[1]);
    load->young = group_tasks(load, results[2]);
    read_queues(load, results[3], results[6], results[4]);
    read_keys(load, results[5]);
    read_settings(load, results[7]);
    if (load->runs_len || load->leases_len)
        second_round(load);
    else
        hand_over(load);
}

/* The least id of that time. */
static struct id first_id(int64_t us)
{
    struct id id = id_make((uint64_t)(us / 1000), 0, 0);

    memset(id.bytes + 6, 0, ID_BYTES - 6);
    return id;
}

void load_start(struct store *store, const struct load_shard *shards, size_t n)
{
    struct load *load = mem_zalloc(sizeof *load);
    struct db_txn *txn = db_txn_new(store_reader(store));
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16);
    int64_t oldest_us = INT64_MAX;

    load->store = store;
    load->number = ++store->loads;
    arena_init(&load->arena, 0);
    load->shards = arena_memdup(&load->arena, shards, n * sizeof *shards);
    load->shards_len = n;
    for (size_t i = 0; i < n; i++) {
        load->index[shards[i].shard] = (uint16_t)i;
        store->shards[shards[i].shard].load = load->number;
        db_array_add_i64(ids, shards[i].shard);
        oldest_us = MIN_OF(oldest_us, shards[i].begin.clock_us);
    }
    struct id young = first_id(oldest_us - ENGINE_YOUNG_MS * INT64_C(1000));
    struct db_param shards_only[] = {db_array_param(ids)};
    struct db_param with_young[] = {db_array_param(ids), DB_UUID_PARAM(young)};
    struct db_param keys[] = {db_array_param(ids), DB_I32_PARAM(LOAD_KEYS_MAX + 1)};
    db_txn_add(txn, &SQL_load_journal, shards_only, 1);
    db_txn_add(txn, &SQL_load_runs, with_young, 2);
    db_txn_add(txn, &SQL_load_young_tasks, with_young, 2);
    db_txn_add(txn, &SQL_load_queues, shards_only, 1);
    db_txn_add(txn, &SQL_load_due, shards_only, 1);
    db_txn_add(txn, &SQL_load_keys, keys, 2);
    db_txn_add(txn, &SQL_load_due_queues, shards_only, 1);
    db_txn_add(txn, &SQL_load_queue_settings, shards_only, 1);
    db_txn_send(txn, first_read, load);
}
