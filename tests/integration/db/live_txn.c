/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include "live.h"
#include "sql/live.h"

#define PIPELINE_TXNS 500
#define BATCH_ROWS 1000
#define BIG_ROWS 64
#define BIG_BYTES (512 * 1024)

static void echo_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    struct id id = id_make(1700000000000, 7, 42);

    ck_assert_int_eq(outcome, DB_COMMITTED);
    ck_assert_uint_eq(n, 2);
    for (size_t i = 0; i < n; i++) {
        const struct db_result *r = results[i];
        struct id got = db_id(r, 0, 6);

        ck_assert_int_eq(db_i64(r, 0, 0), INT64_MIN);
        ck_assert_int_eq(db_i64(r, 0, 1), -5);
        ck_assert_int_eq(db_i64(r, 0, 2), 7);
        ck_assert_int_eq(db_i64(r, 0, 3), 1);
        ck_assert(slice_is(db_slice(r, 0, 4), "täxt"));
        ck_assert(slice_eq(db_slice(r, 0, 5), (struct slice){"\0\1\xff", 3}));
        ck_assert(id_eq(&got, &id));
        ck_assert_int_eq(db_i64(r, 0, 7), 1700000000123456);
        ck_assert_double_eq(db_f64(r, 0, 8), 0.25);
    }
    *(bool *)userdata = true;
}

START_TEST(values_of_every_kind_come_back)
{
    struct db_txn *txn = db_txn_new(live_conn);
    bool done = false;

    for (int i = 0; i < 2; i++) { /* first unnamed or prepared, then as the other */
        struct db_param params[] = {
            DB_I64_PARAM(INT64_MIN),
            DB_I32_PARAM(-5),
            DB_I16_PARAM(7),
            DB_BOOL_PARAM(true),
            DB_TEXT_PARAM("täxt"),
            DB_BYTES_PARAM(((struct slice){"\0\1\xff", 3})),
            DB_UUID_PARAM(id_make(1700000000000, 7, 42)),
            DB_TIME_PARAM(1700000000123456),
            {.kind = DB_F64, .f64 = 0.25},
        };

        db_txn_add(txn, &SQL_live_echo, params, ARRAY_LEN(params));
        memset(params, 0xee, sizeof(params)); /* they were copied */
    }
    db_txn_send(txn, echo_done, &done);
    live_wait(&done);
}
END_TEST

static void add_rows(struct db_txn *txn, int64_t first, int64_t n)
{
    struct arena *arena = db_txn_arena(txn);
    struct db_array *ids = db_array_new(arena, DB_I64), *ats = db_array_new(arena, DB_TIME);
    struct db_array *bodies = db_array_new(arena, DB_TEXT), *blobs = db_array_new(arena, DB_BYTES);
    struct db_array *keys = db_array_new(arena, DB_UUID), *numbers = db_array_new(arena, DB_I32);

    for (int64_t i = first; i < first + n; i++) {
        struct id key = id_make((uint64_t)i, 1, (uint64_t)i);

        db_array_add_i64(ids, i);
        db_array_add_i64(ats, i);
        if (i % 2)
            db_array_add_null(bodies);
        else
            db_array_add_slice(bodies, slice_of("body"));
        db_array_add_slice(blobs, (struct slice){"\0b", 2});
        db_array_add_id(keys, &key);
        db_array_add_i64(numbers, i);
    }
    struct db_param params[] = {db_array_param(ids),    db_array_param(ats),
                                db_array_param(bodies), db_array_param(blobs),
                                db_array_param(keys),   db_array_param(numbers)};

    db_txn_add(txn, &SQL_live_insert, params, ARRAY_LEN(params));
}

static void rows_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    ck_assert_int_eq(outcome, DB_COMMITTED);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(db_affected(results[0]), BATCH_ROWS);
    ck_assert_uint_eq(db_rows(results[1]), BATCH_ROWS);
    for (size_t i = 0; i < BATCH_ROWS; i++) {
        struct id key = id_make(i, 1, i), got = db_id(results[1], i, 4);

        ck_assert_int_eq(db_i64(results[1], i, 0), (int64_t)i);
        ck_assert_int_eq(db_i64(results[1], i, 1), (int64_t)i);
        ck_assert_int_eq(db_is_null(results[1], i, 2), i % 2);
        ck_assert(slice_eq(db_slice(results[1], i, 3), (struct slice){"\0b", 2}));
        ck_assert(id_eq(&got, &key));
    }
    *(bool *)userdata = true;
}

START_TEST(arrays_become_rows)
{
    struct db_txn *txn = db_txn_new(live_conn);
    bool done = false;

    add_rows(txn, 0, BATCH_ROWS);
    db_txn_add(txn, &SQL_live_all, NULL, 0);
    db_txn_send(txn, rows_done, &done);
    live_wait(&done);
}
END_TEST

START_TEST(a_failed_transaction_rolls_back_and_the_next_commits)
{
    struct db_txn *failing = db_txn_new(live_conn), *next = db_txn_new(live_conn);
    struct live_answer first = {0}, second = {0};

    add_rows(failing, 1, 10);
    db_txn_add(failing, &SQL_live_fence, &DB_I64_PARAM(99), 1);
    add_rows(failing, 100, 10);
    db_txn_send(failing, live_done, &first);
    db_txn_add(next, &SQL_live_insert_id, (struct db_param[]){DB_I64_PARAM(5), DB_I32_PARAM(5)}, 2);
    db_txn_add(next, &SQL_live_fence, &DB_I64_PARAM(5), 1);
    db_txn_add(next, &SQL_live_count, NULL, 0);
    db_txn_send(next, live_done, &second);
    live_wait(&second.done);
    ck_assert(first.done);
    ck_assert_int_eq(first.outcome, DB_FAILED);
    ck_assert_str_eq(first.err.reason, "SQLSTATE_22012");
    ck_assert_int_eq(first.err.status, STATUS_ABORTED);
    ck_assert_int_eq(second.outcome, DB_COMMITTED);
    ck_assert_uint_eq(second.results, 3);
    ck_assert_int_eq(second.value, 1);
    ck_assert_uint_eq(db_conn_in_flight(live_conn), 0);
}
END_TEST

START_TEST(a_statement_skipped_in_a_failed_transaction_is_prepared_later)
{
    for (int i = 0; i < 3; i++) {
        struct db_txn *failing = db_txn_new(live_conn);
        struct live_answer answer = {0};

        db_txn_add(failing, &SQL_live_fence, &DB_I64_PARAM(99), 1);
        db_txn_add(failing, &SQL_live_count, NULL, 0);
        db_txn_send(failing, live_done, &answer);
        live_wait(&answer.done);
        ck_assert_int_eq(answer.outcome, DB_FAILED);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(live_query(live_conn, &SQL_live_count, NULL, 0).outcome, DB_COMMITTED);
    ck_assert_int_eq(
        live_query(live_conn, &SQL_live_prepared, &DB_TEXT_PARAM("live_count"), 1).value, 1);
}
END_TEST

START_TEST(a_statement_that_cannot_be_prepared_fails_each_time)
{
    for (int i = 0; i < 2; i++) {
        struct live_answer answer = live_query(live_conn, &SQL_live_broken, &DB_I64_PARAM(1), 1);

        ck_assert_int_eq(answer.outcome, DB_FAILED);
        ck_assert_str_eq(answer.err.reason, "SQLSTATE_42703");
    }
    ck_assert_int_eq(live_query(live_conn, &SQL_live_count, NULL, 0).outcome, DB_COMMITTED);
}
END_TEST

START_TEST(what_is_checked_at_commit_fails_the_transaction)
{
    struct db_txn *txn = db_txn_new(live_conn);
    struct live_answer answer = {0};

    for (int64_t id = 1; id <= 2; id++)
        db_txn_add(txn, &SQL_live_insert_id, (struct db_param[]){DB_I64_PARAM(id), DB_I32_PARAM(1)},
                   2);
    db_txn_send(txn, live_done, &answer);
    live_wait(&answer.done);
    ck_assert_int_eq(answer.outcome, DB_FAILED);
    ck_assert_str_eq(answer.err.reason, "SQLSTATE_23505");
    ck_assert_str_eq(answer.err.field, "live_n_key");
    ck_assert_int_eq(live_query(live_conn, &SQL_live_count, NULL, 0).value, 0);
}
END_TEST

struct pipeline {
    int answered;
    bool done;
};

static void pipeline_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    struct pipeline *pipeline = userdata;

    ck_assert_int_eq(outcome, DB_COMMITTED);
    /* The count grows by one with each transaction: they were executed and answered in order. */
    ck_assert_int_eq(db_i64(results[1], 0, 0), ++pipeline->answered);
    pipeline->done = pipeline->answered == PIPELINE_TXNS;
}

START_TEST(many_transactions_are_answered_in_order)
{
    struct pipeline pipeline = {0};

    for (int i = 0; i < PIPELINE_TXNS; i++) {
        struct db_txn *txn = db_txn_new(live_conn);

        db_txn_add(txn, &SQL_live_insert_id, (struct db_param[]){DB_I64_PARAM(i), DB_I32_PARAM(i)},
                   2);
        db_txn_add(txn, &SQL_live_count, NULL, 0);
        db_txn_send(txn, pipeline_done, &pipeline);
    }
    ck_assert_uint_eq(db_conn_in_flight(live_conn), PIPELINE_TXNS);
    live_wait(&pipeline.done);
}
END_TEST

START_TEST(big_statements_and_big_answers_do_not_deadlock)
{
    struct live_answer answers[4] = {{0}};
    AUTO(free_ptr) char *body = mem_alloc(BIG_BYTES);

    memset(body, 'x', BIG_BYTES);
    for (size_t a = 0; a < ARRAY_LEN(answers); a++) {
        struct db_txn *txn = db_txn_new(live_conn);
        struct arena *arena = db_txn_arena(txn);

        for (int64_t i = 0; i < BIG_ROWS; i++) {
            struct db_array *ids = db_array_new(arena, DB_I64),
                            *bodies = db_array_new(arena, DB_TEXT);

            db_array_add_i64(ids, (int64_t)a * BIG_ROWS + i);
            db_array_add_slice(bodies, (struct slice){body, BIG_BYTES});
            db_txn_add(txn, &SQL_live_bodies,
                       (struct db_param[]){db_array_param(ids), db_array_param(bodies)}, 2);
        }
        db_txn_send(txn, live_done, &answers[a]);
    }
    live_wait(&answers[ARRAY_LEN(answers) - 1].done);
    for (size_t a = 0; a < ARRAY_LEN(answers); a++) {
        ck_assert_int_eq(answers[a].outcome, DB_COMMITTED);
        ck_assert_uint_eq(answers[a].results, BIG_ROWS);
    }
}
END_TEST

static void array_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    struct db_array_reader reader;
    int64_t value, expected = 0;

    ck_assert_int_eq(outcome, DB_COMMITTED);
    ck_assert(db_array_read(db_slice(results[0], 0, 0), &reader));
    while (db_array_next_i64(&reader, &value))
        ck_assert_int_eq(value, ++expected);
    ck_assert_int_eq(expected, 100);
    *(bool *)userdata = true;
}

START_TEST(an_array_in_a_result_is_read)
{
    bool done = false;

    db_query(live_conn, &SQL_live_array, &DB_I32_PARAM(100), 1, array_done, &done);
    live_wait(&done);
}
END_TEST

START_TEST(a_stale_plan_heals)
{
    ck_assert_int_eq(live_query(live_conn, &SQL_live_n, NULL, 0).outcome, DB_COMMITTED);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_n, NULL, 0).outcome, DB_COMMITTED);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_widen, NULL, 0).outcome, DB_COMMITTED);
    struct live_answer stale = live_query(live_conn, &SQL_live_n, NULL, 0);

    ck_assert_int_eq(stale.outcome, DB_FAILED);
    ck_assert_str_eq(stale.err.reason, "SQLSTATE_0A000");
    ck_assert_int_eq(live_query(live_conn, &SQL_live_n, NULL, 0).outcome, DB_COMMITTED);
}
END_TEST

START_TEST(an_empty_transaction_commits)
{
    struct live_answer answer = {0};

    db_txn_send(db_txn_new(live_conn), live_done, &answer);
    live_wait(&answer.done);
    ck_assert_int_eq(answer.outcome, DB_COMMITTED);
    db_txn_discard(db_txn_new(live_conn));
}
END_TEST

TCase *txn_tcase(void)
{
    TCase *tcase = tcase_create("txn");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, live_setup, live_teardown);
    tcase_add_test(tcase, values_of_every_kind_come_back);
    tcase_add_test(tcase, arrays_become_rows);
    tcase_add_test(tcase, a_failed_transaction_rolls_back_and_the_next_commits);
    tcase_add_test(tcase, a_statement_skipped_in_a_failed_transaction_is_prepared_later);
    tcase_add_test(tcase, a_statement_that_cannot_be_prepared_fails_each_time);
    tcase_add_test(tcase, what_is_checked_at_commit_fails_the_transaction);
    tcase_add_test(tcase, many_transactions_are_answered_in_order);
    tcase_add_test(tcase, big_statements_and_big_answers_do_not_deadlock);
    tcase_add_test(tcase, an_array_in_a_result_is_read);
    tcase_add_test(tcase, a_stale_plan_heals);
    tcase_add_test(tcase, an_empty_transaction_commits);
    return tcase;
}
