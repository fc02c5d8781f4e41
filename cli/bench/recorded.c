/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL has of what was measured. */
#include "bench.h"
#include "db/db.h"
#include "sql/bench.h"

#define IDS_PER_QUERY 10000

struct counting {
    struct client *client;
    int64_t count, steps;
    struct error error;
    bool with_steps, done;
};

static void counted(enum db_outcome outcome, struct db_result *const *results, size_t n,
                    const struct error *err, void *userdata)
{
    struct counting *counting = userdata;

    if (outcome == DB_COMMITTED)
        counting->count = db_i64(results[0], 0, 0);
    if (outcome == DB_COMMITTED && counting->with_steps)
        counting->steps = db_i64(results[0], 0, 1);
    if (outcome != DB_COMMITTED)
        error_keep(&counting->error, err, counting->client->arena);
    counting->done = true;
    loop_stop(counting->client->loop);
}

static void on_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct counting *counting = userdata;

    if (!up)
        error_keep(&counting->error, err, counting->client->arena);
    counting->done = true;
    loop_stop(counting->client->loop);
}

static enum status wait_for(struct counting *counting, struct error *err)
{
    while (!counting->done)
        loop_run(counting->client->loop);
    counting->done = false;
    if (counting->error.status != STATUS_OK)
        *err = counting->error;
    return counting->error.status;
}

/* One query for each chunk of ids. */
static enum status count(struct bench *bench, const struct db_sql *sql, const struct id *ids,
                         size_t n, struct error *err)
{
    struct counting counting = {.client = &bench->client,
                                .with_steps = sql == &SQL_bench_count_runs};
    const struct db_options options = {.url = bench->settings->database,
                                       .application_name = "plankton bench"};
    struct db_conn *conn = db_connect(bench->client.loop, &options, on_state, &counting);
    enum status st = wait_for(&counting, err);

    for (size_t from = 0; st == STATUS_OK && from < n; from += IDS_PER_QUERY) {
        AUTO(arena_freep) struct arena *scratch = arena_new(0);
        size_t to = MIN_OF(from + IDS_PER_QUERY, n);
        struct db_array *array = db_array_new(scratch, DB_UUID);
        struct id low = ids[from], high = ids[from];
        for (size_t i = from; i < to; i++) {
            db_array_add_id(array, &ids[i]);
            low = id_cmp(&ids[i], &low) < 0 ? ids[i] : low;
            high = id_cmp(&ids[i], &high) > 0 ? ids[i] : high;
        }
        /* a step shares the first 8 bytes with its run */
        memset(low.bytes + 8, 0, 8);
        memset(high.bytes + 8, 0xff, 8);
        const struct db_param params[] = {db_array_param(array), DB_UUID_PARAM(low),
                                          DB_UUID_PARAM(high)};
        db_query(conn, sql, params, sql->param_count, counted, &counting);
        st = wait_for(&counting, err);
        bench->result.finished += counting.count;
        bench->result.finished_steps += counting.steps;
    }
    db_conn_free(conn);
    return st;
}

enum status bench_count_tasks(struct bench *bench, const struct id *ids, size_t n,
                              struct error *err)
{
    return count(bench, &SQL_bench_count_tasks, ids, n, err);
}

enum status bench_count_runs(struct bench *bench, const struct id *runs, size_t n,
                             struct error *err)
{
    return count(bench, &SQL_bench_count_runs, runs, n, err);
}
