/* SPDX-License-Identifier: Apache-2.0 */
/* A rebuild: after the new epochs are committed, everything that is not finished, in two rounds of
 * reads. */
#include <stdlib.h>

#include "log/log.h"
#include "sql/load.h"
#include "store_internal.h"

#define LOAD_RETRY_MS 100

struct load_run {
    struct engine_run_load load;
    uint16_t shard;
    bool compiled;
};

struct load {
    struct store *store;
    struct arena arena;
    uint64_t number;
    struct load_shard *shards;
    size_t shards_len;
    struct engine_journal_load *journals; /* in order of (shard, seq) */
    uint16_t *journal_shards;
    size_t journals_len;
    struct load_run *runs;
    size_t runs_len;
    struct engine_task_row *tasks; /* young ones of the first round */
    size_t tasks_len;
    struct id *leased; /* tasks with a lease in the journal */
    size_t leased_len;
};

static void load_free(struct load *load)
{
    for (size_t i = 0; i < load->runs_len; i++)
        if (load->runs[i].compiled)
            load->store->callbacks.plan_done(&load->runs[i].load.plan, load->store->userdata);
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

static void load_failed(struct load *load, const char *why)
{
    for (size_t i = 0; i < load->shards_len; i++)
        if (current(load, &load->shards[i]))
            keeper_lose(load->store, load->shards[i].shard, why);
    keeper_acquire_soon(load->store, LOAD_RETRY_MS);
    load_free(load);
}

/* ---- handing over ---- */

static void give(struct load *load, struct engine_command *command)
{
    load->store->callbacks.on_load(command, load->store->userdata);
}

static void give_rows(struct load *load, uint16_t shard, const struct engine_task_row *tasks,
                      size_t n)
{
    struct engine_command command = {.kind = ENGINE_LOAD_ROWS, .load_rows = {.shard = shard}};
    struct engine_task_row *own = ARENA_ARRAY(&load->arena, struct engine_task_row, n + 1);

    for (size_t i = 0; i < n; i++)
        if (id_shard(&tasks[i].id) == shard)
            own[command.load_rows.tasks_len++] = tasks[i];
    command.load_rows.tasks = own;
    if (command.load_rows.tasks_len)
        give(load, &command);
}

static void give_runs_and_journal(struct load *load, uint16_t shard)
{
    struct engine_command command = {.kind = ENGINE_LOAD_ROWS, .load_rows = {.shard = shard}};
    struct engine_run_load *runs =
        ARENA_ARRAY(&load->arena, struct engine_run_load, load->runs_len + 1);
    struct engine_journal_load *journals =
        ARENA_ARRAY(&load->arena, struct engine_journal_load, load->journals_len + 1);

    for (size_t i = 0; i < load->runs_len; i++)
        if (load->runs[i].shard == shard && load->runs[i].compiled)
            runs[command.load_rows.runs_len++] = load->runs[i].load;
    for (size_t i = 0; i < load->journals_len; i++)
        if (load->journal_shards[i] == shard)
            journals[command.load_rows.journals_len++] = load->journals[i];
    command.load_rows.runs = runs;
    command.load_rows.journals = journals;
    give(load, &command);
}

static void hand_over(struct load *load, const struct engine_task_row *tasks, size_t n)
{
    struct store *store = load->store;

    for (size_t i = 0; i < load->shards_len; i++) {
        struct load_shard *shard = &load->shards[i];
        if (!current(load, shard))
            continue;
        struct engine_command begin = {.kind = ENGINE_LOAD_BEGIN, .load_begin = shard->begin};
        struct engine_command end = {.kind = ENGINE_LOAD_END, .shard = {.shard = shard->shard}};
        store->shards[shard->shard].state = SHARD_OWNED;
        give(load, &begin);
        give_runs_and_journal(load, shard->shard);
        give_rows(load, shard->shard, load->tasks, load->tasks_len);
        give_rows(load, shard->shard, tasks, n);
        give(load, &end);
    }
    load_free(load);
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_LOADING)
            return;
    keeper_health(store, NULL);
}

/* ---- second round: what the first has named ---- */

static void second_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct load *load = userdata;

    if (outcome != DB_COMMITTED) {
        load_failed(load, "reading the shard has failed");
        return;
    }
    size_t of_runs = db_rows(results[0]), leased = db_rows(results[1]);
    struct engine_task_row *tasks =
        ARENA_ARRAY(&load->arena, struct engine_task_row, of_runs + leased + 1);
    for (size_t i = 0; i < of_runs; i++)
        row_task(load->store, &load->arena, results[0], i, true, &tasks[i]);
    for (size_t i = 0; i < leased; i++)
        row_task(load->store, &load->arena, results[1], i, true, &tasks[of_runs + i]);
    hand_over(load, tasks, of_runs + leased);
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
        id_bounds(&load->runs[i].load.row.id, &first, &last);
        db_array_add_id(runs, &load->runs[i].load.row.id);
        db_array_add_id(low, &first);
        db_array_add_id(high, &last);
    }
    for (size_t i = 0; i < load->leased_len; i++)
        db_array_add_id(ids, &load->leased[i]);
    struct db_param by_run[] = {db_array_param(runs), db_array_param(low), db_array_param(high)};
    struct db_param by_id[] = {db_array_param(ids)};
    db_txn_add(txn, &SQL_load_run_tasks, by_run, 3);
    db_txn_add(txn, &SQL_load_tasks_by_id, by_id, 1);
    db_txn_send(txn, second_read, load);
}

/* ---- first round ---- */

static void read_journal(struct load *load, const struct db_result *result)
{
    size_t n = db_rows(result), leases = 0;

    load->journals_len = n;
    load->journals = ARENA_ARRAY(&load->arena, struct engine_journal_load, n + 1);
    load->journal_shards = ARENA_ARRAY(&load->arena, uint16_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct engine_lease *list;
        uint32_t len = decode_leases(&load->arena, db_slice(result, i, 4), &list);
        load->journal_shards[i] = (uint16_t)db_i64(result, i, 0);
        load->journals[i] =
            (struct engine_journal_load){.seq = (uint64_t)db_i64(result, i, 1),
                                         .first_event = (uint64_t)db_i64(result, i, 2),
                                         .events_len = (uint32_t)db_i64(result, i, 3),
                                         .leases = list,
                                         .leases_len = len};
        leases += len;
    }
    load->leased = ARENA_ARRAY(&load->arena, struct id, leases + 1);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < load->journals[i].leases_len; k++)
            load->leased[load->leased_len++] = load->journals[i].leases[k].task;
}

static void read_runs(struct load *load, const struct db_result *result)
{
    struct store *store = load->store;

    load->runs_len = db_rows(result);
    load->runs = ARENA_ARRAY(&load->arena, struct load_run, load->runs_len + 1);
    for (size_t i = 0; i < load->runs_len; i++) {
        struct load_run *run = &load->runs[i];
        struct error error = {0};
        row_run(&load->arena, result, i, &run->load.row);
        run->load.row.parked = db_i64(result, i, RUN_COLUMNS + 1) != 0;
        run->shard = id_shard(&run->load.row.id);
        run->compiled = store->callbacks.plan_of(&run->load.row.plan_id, run->load.row.plan_version,
                                                 db_slice(result, i, RUN_COLUMNS), &run->load.plan,
                                                 store->userdata, &error) == STATUS_OK;
        if (!run->compiled)
            log_error("run.plan_unreadable", LOG_ID("run", &run->load.row.id), LOG_ERR(&error));
    }
}

static struct load_shard *shard_of(struct load *load, uint16_t number)
{
    for (size_t i = 0; i < load->shards_len; i++)
        if (load->shards[i].shard == number)
            return &load->shards[i];
    return NULL;
}

static void read_queues(struct load *load, const struct db_result *queues,
                        const struct db_result *due)
{
    for (size_t i = 0; i < load->shards_len; i++)
        load->shards[i].begin.queues =
            ARENA_ARRAY(&load->arena, struct engine_queue_name, db_rows(queues) + 1);
    for (size_t i = 0; i < db_rows(queues); i++) {
        struct load_shard *shard = shard_of(load, (uint16_t)db_i64(queues, i, 0));
        if (!shard)
            continue;
        struct engine_queue_name *names = (struct engine_queue_name *)shard->begin.queues;
        names[shard->begin.queues_len++] = (struct engine_queue_name){
            (uint32_t)db_i64(queues, i, 1), row_text(&load->arena, queues, i, 2)};
    }
    for (size_t i = 0; i < db_rows(due); i++) {
        struct load_shard *shard = shard_of(load, (uint16_t)db_i64(due, i, 0));
        if (shard && !db_is_null(due, i, 1))
            shard->begin.due_next_us = db_i64(due, i, 1);
    }
}

static void first_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct load *load = userdata;

    if (outcome != DB_COMMITTED) {
        load_failed(load, "reading the shard has failed");
        return;
    }
    read_journal(load, results[0]);
    read_runs(load, results[1]);
    load->tasks_len = db_rows(results[2]);
    load->tasks = ARENA_ARRAY(&load->arena, struct engine_task_row, load->tasks_len + 1);
    for (size_t i = 0; i < load->tasks_len; i++)
        row_task(load->store, &load->arena, results[2], i, true, &load->tasks[i]);
    read_queues(load, results[3], results[4]);
    if (load->runs_len || load->leased_len)
        second_round(load);
    else
        hand_over(load, NULL, 0);
}

void load_start(struct store *store, const struct load_shard *shards, size_t n)
{
    struct load *load = mem_zalloc(sizeof *load);
    int64_t oldest_us = INT64_MAX;

    load->store = store;
    load->number = ++store->loads;
    arena_init(&load->arena, 0);
    load->shards = arena_memdup(&load->arena, shards, n * sizeof *shards);
    load->shards_len = n;
    struct db_txn *txn = db_txn_new(store_reader(store));
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16);
    for (size_t i = 0; i < n; i++) {
        store->shards[shards[i].shard].load = load->number;
        db_array_add_i64(ids, shards[i].shard);
        oldest_us = MIN_OF(oldest_us, shards[i].begin.clock_us);
    }
    struct id young = id_make((uint64_t)(oldest_us / 1000 - ENGINE_YOUNG_MS), 0, 0);
    memset(young.bytes + 6, 0, 10); /* below every id of that millisecond */
    struct db_param shards_only[] = {db_array_param(ids)};
    struct db_param with_young[] = {db_array_param(ids), DB_UUID_PARAM(young)};
    db_txn_add(txn, &SQL_load_journal, shards_only, 1);
    db_txn_add(txn, &SQL_load_runs, with_young, 2);
    db_txn_add(txn, &SQL_load_young_tasks, with_young, 2);
    db_txn_add(txn, &SQL_load_queues, shards_only, 1);
    db_txn_add(txn, &SQL_load_due, shards_only, 1);
    db_txn_send(txn, first_read, load);
}
