/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_batches ROWS_PER_BATCH BATCHES DAYS [SETTINGS]: inserts and then finishes
 * ROWS_PER_BATCH × BATCHES tasks through lib/db, two batches in flight as the controller does it,
 * on the migrated schema with DAYS older day partitions. Each batch is a fence, a set-based
 * statement and a journal row of 60 bytes a task. SETTINGS: "-c name=value …" for the session.
 * Prints one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "db/db.h"
#include "migrations.h"
#include "sql/batches.h"

#define IN_FLIGHT 2
#define JOURNAL_BYTES_PER_TASK 60
#define SHARD 3

enum phase { PHASE_START, PHASE_INSERT, PHASE_FINISH, PHASE_END };

struct bench {
    struct loop *loop;
    struct db_conn *conn;
    int64_t rows, batches, days;
    enum phase phase;
    int64_t sent, done, seq;
    struct id *ids;
    char *journal;
    uint64_t began_us;
    int64_t wal_before, wal_now;
    double rates[PHASE_END], wal_per_row[PHASE_END];
};

static void next_phase(struct bench *bench);

static void must(enum db_outcome outcome, const struct error *err)
{
    if (outcome == DB_COMMITTED)
        return;
    fprintf(stderr, "bench_batches: %s %s\n", err->reason, err->message);
    exit(1);
}

static void add_insert(struct bench *bench, struct db_txn *txn, const struct id *ids)
{
    struct arena *arena = db_txn_arena(txn);
    struct db_array *id = db_array_new(arena, DB_UUID), *at = db_array_new(arena, DB_TIME);
    struct db_array *type = db_array_new(arena, DB_TEXT), *queue = db_array_new(arena, DB_TEXT);
    struct db_array *parameters = db_array_new(arena, DB_TEXT);
    int64_t now = clock_unix_us();

    for (int64_t i = 0; i < bench->rows; i++) {
        db_array_add_id(id, &ids[i]);
        db_array_add_i64(at, now);
        db_array_add_slice(type, slice_of("noop"));
        db_array_add_slice(queue, slice_of("default"));
        db_array_add_slice(parameters, slice_of("{\"name\":\"World\",\"number\":1234567}"));
    }
    struct db_param params[] = {db_array_param(id), db_array_param(at), db_array_param(type),
                                db_array_param(queue), db_array_param(parameters)};

    db_txn_add(txn, &SQL_batches_insert, params, ARRAY_LEN(params));
}

static void add_succeed(struct bench *bench, struct db_txn *txn, const struct id *ids)
{
    struct arena *arena = db_txn_arena(txn);
    struct db_array *id = db_array_new(arena, DB_UUID), *worker = db_array_new(arena, DB_UUID);
    struct db_array *started = db_array_new(arena, DB_TIME),
                    *finished = db_array_new(arena, DB_TIME);
    struct db_array *result = db_array_new(arena, DB_TEXT);
    int64_t now = clock_unix_us();

    for (int64_t i = 0; i < bench->rows; i++) {
        db_array_add_id(id, &ids[i]);
        db_array_add_id(worker, &ids[0]);
        db_array_add_i64(started, now);
        db_array_add_i64(finished, now);
        db_array_add_slice(result, slice_of("{}"));
    }
    struct db_param params[] = {db_array_param(id), db_array_param(worker), db_array_param(started),
                                db_array_param(finished), db_array_param(result)};

    db_txn_add(txn, &SQL_batches_succeed, params, ARRAY_LEN(params));
}

static void batch_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata);

static void pump(struct bench *bench)
{
    while (bench->sent < bench->batches && bench->sent - bench->done < IN_FLIGHT) {
        struct db_txn *txn = db_txn_new(bench->conn);
        struct id *ids = bench->ids + bench->sent * bench->rows;
        struct db_param seq[] = {DB_I16_PARAM(SHARD), DB_I64_PARAM(++bench->seq)};
        struct slice journal = {bench->journal, (size_t)(bench->rows * JOURNAL_BYTES_PER_TASK)};

        db_txn_add(txn, &SQL_batches_fence, seq, 2);
        if (bench->phase == PHASE_INSERT) {
            for (int64_t i = 0; i < bench->rows; i++)
                ids[i] = id_make((uint64_t)clock_unix_us() / 1000, SHARD,
                                 (uint64_t)(bench->sent * bench->rows + i) << 30);
            add_insert(bench, txn, ids);
        } else {
            add_succeed(bench, txn, ids);
        }
        db_txn_add(
            txn, &SQL_batches_journal,
            (struct db_param[]){seq[0], seq[1], DB_BYTES_PARAM(journal), DB_BYTES_PARAM(journal)},
            4);
        bench->sent++;
        db_txn_send(txn, batch_done, bench);
    }
}

static void batch_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct bench *bench = userdata;

    must(outcome, err);
    /* ends count their rows themselves */
    if (bench->phase == PHASE_INSERT && db_affected(results[1]) != bench->rows) {
        fprintf(stderr, "bench_batches: %lld rows instead of %lld\n",
                (long long)db_affected(results[1]), (long long)bench->rows);
        exit(1);
    }
    bench->done++;
    if (bench->done == bench->batches)
        next_phase(bench);
    else
        pump(bench);
}

static void wal_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct bench *bench = userdata;
    double rows = (double)(bench->rows * bench->batches);

    must(outcome, err);
    bench->wal_now = db_i64(results[0], 0, 0);
    if (bench->phase != PHASE_START)
        bench->wal_per_row[bench->phase] = (double)(bench->wal_now - bench->wal_before) / rows;
    bench->wal_before = bench->wal_now;
    bench->phase++;
    if (bench->phase == PHASE_END) {
        loop_stop(bench->loop);
        return;
    }
    bench->sent = bench->done = 0;
    bench->began_us = clock_monotonic_us();
    pump(bench);
}

static void next_phase(struct bench *bench)
{
    double seconds = (double)(clock_monotonic_us() - bench->began_us) / 1e6;

    bench->rates[bench->phase] = (double)(bench->rows * bench->batches) / seconds;
    db_query(bench->conn, &SQL_batches_wal, NULL, 0, wal_done, bench);
}

static void prepared(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct bench *bench = userdata;

    must(outcome, err);
    bench->seq = db_i64(results[1], 0, 0);
    next_phase(bench);
}

static void on_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct bench *bench = userdata;

    if (!up)
        must(DB_FAILED, err);
    struct db_txn *txn = db_txn_new(conn);

    bench->conn = conn;
    db_txn_add(txn, &SQL_batches_partitions, &DB_I32_PARAM(bench->days), 1);
    db_txn_add(txn, &SQL_batches_shard, &DB_I16_PARAM(SHARD), 1);
    db_txn_send(txn, prepared, bench);
}

int main(int argc, char **argv)
{
    const char *url = getenv("PLANKTON_TEST_DATABASE_URL");
    struct bench bench = {.loop = loop_new()};
    struct db_options options = {.url = url, .application_name = "bench_batches"};
    struct error err = {0};
    size_t applied = 0;

    if (argc < 4 || !url || !text_to_i64(argv[1], &bench.rows) ||
        !text_to_i64(argv[2], &bench.batches) || !text_to_i64(argv[3], &bench.days)) {
        fprintf(stderr, "usage: with-postgres --fsync bench_batches ROWS BATCHES DAYS "
                        "[SETTINGS]\n");
        return 2;
    }
    options.settings = argc > 4 ? argv[4] : NULL;
    if (db_migrate(url, plankton_migrations, PLANKTON_MIGRATIONS_COUNT, NULL, NULL, &applied,
                   &err) != STATUS_OK)
        must(DB_FAILED, &err);
    bench.ids = mem_zalloc(sizeof(struct id) * (size_t)(bench.rows * bench.batches));
    bench.journal = mem_zalloc((size_t)(bench.rows * JOURNAL_BYTES_PER_TASK));
    struct db_conn *conn = db_connect(bench.loop, &options, on_state, &bench);

    loop_run(bench.loop);
    printf("%5lld rows/batch, %3lld days %s: insert %7.0f rows/s %4.0f B WAL/row, finish %7.0f "
           "rows/s %4.0f B WAL/row\n",
           (long long)bench.rows, (long long)bench.days, options.settings ? options.settings : "",
           bench.rates[PHASE_INSERT], bench.wal_per_row[PHASE_INSERT], bench.rates[PHASE_FINISH],
           bench.wal_per_row[PHASE_FINISH]);
    db_conn_free(conn);
    loop_free(bench.loop);
    free(bench.ids);
    free(bench.journal);
    return 0;
}
