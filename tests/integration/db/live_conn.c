/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include "live.h"
#include "sql/live.h"

#define POSTGRES_CTL PLANKTON_SOURCE_DIR "/tests/integration/postgres-ctl "

START_TEST(a_lost_connection_leaves_the_outcome_open_and_comes_back)
{
    struct db_options options = {.url = live_url(), .application_name = "killer"};
    struct db_conn *killer = live_connect(&options);
    struct live_answer lost = {0}, behind = {0};
    int pid = db_conn_backend_pid(live_conn);

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_count, NULL, 0).outcome, DB_COMMITTED);
    db_query(live_conn, &SQL_live_sleep, &(struct db_param){.kind = DB_F64, .f64 = 30}, 1,
             live_done, &lost);
    db_query(live_conn, &SQL_live_count, NULL, 0, live_done, &behind);
    ck_assert_int_eq(live_query(killer, &SQL_live_terminate, &DB_I32_PARAM(pid), 1).outcome,
                     DB_COMMITTED);
    live_wait(&behind.done);
    ck_assert(lost.done);
    ck_assert_int_eq(lost.outcome, DB_UNKNOWN);
    ck_assert_int_eq(lost.err.status, STATUS_UNAVAILABLE);
    ck_assert_int_eq(behind.outcome, DB_UNKNOWN);
    ck_assert_uint_eq(db_conn_in_flight(live_conn), 0);
    live_wait_state(live_conn, true);
    ck_assert_int_ne(db_conn_backend_pid(live_conn), pid);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_count, NULL, 0).outcome, DB_COMMITTED);
    ck_assert_int_eq(
        live_query(live_conn, &SQL_live_prepared, &DB_TEXT_PARAM("live_count"), 1).value, 1);
    db_conn_free(killer);
}
END_TEST

START_TEST(a_crash_of_the_server_loses_nothing_committed)
{
    struct db_param row[] = {DB_I64_PARAM(1), DB_I32_PARAM(1)};

    ck_assert_int_eq(live_query(live_conn, &SQL_live_insert_id, row, 2).outcome, DB_COMMITTED);
    live_run(POSTGRES_CTL "kill");
    live_wait_state(live_conn, false);
    struct live_answer refused = live_query(live_conn, &SQL_live_count, NULL, 0);

    ck_assert_int_eq(refused.outcome, DB_FAILED);
    ck_assert_int_eq(refused.err.status, STATUS_UNAVAILABLE);
    ck_assert_int_eq(db_conn_error(live_conn)->status, STATUS_UNAVAILABLE);
    live_run(POSTGRES_CTL "start");
    live_wait_state(live_conn, true);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_count, NULL, 0).value, 1);
}
END_TEST

struct states {
    int ups, downs;
    bool up, told;
    struct error err;
};

static void count_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct states *states = userdata;

    ck_assert((err == NULL) == up);
    states->ups += up;
    states->downs += !up;
    states->up = up;
    states->told = true;
    if (err)
        states->err = *err;
}

START_TEST(an_absent_server_is_told_once_with_the_reason)
{
    struct db_options options = {.url = "host=/nonexistent/socket dbname=x"};
    struct states states = {0};
    struct live_answer answer = {0};
    struct db_conn *conn = db_connect(live_loop, &options, count_state, &states);

    ck_assert(!states.told);
    live_wait(&states.told);
    ck_assert(!states.up);
    ck_assert_ptr_nonnull(strstr(states.err.message, "/nonexistent/socket"));
    for (int i = 0; i < 5; i++) { /* several attempts later it is still one message */
        answer.done = false;
        db_query(conn, &SQL_live_sleep, &(struct db_param){.kind = DB_F64}, 1, live_done, &answer);
        ck_assert(!answer.done);
        live_query(live_conn, &SQL_live_sleep, &(struct db_param){.kind = DB_F64, .f64 = 0.03}, 1);
        ck_assert(answer.done);
        ck_assert_int_eq(answer.outcome, DB_FAILED);
    }
    ck_assert_int_eq(states.downs, 1);
    ck_assert_int_eq(states.ups, 0);
    db_conn_free(conn);
}
END_TEST

START_TEST(a_name_that_does_not_resolve_is_told)
{
    struct db_options options = {.url = "host=no-such-host.invalid dbname=x"};
    struct states states = {0};
    struct db_conn *conn = db_connect(live_loop, &options, count_state, &states);

    live_wait(&states.told);
    ck_assert_ptr_nonnull(strstr(states.err.message, "no-such-host.invalid"));
    db_conn_free(conn);
    /* Freed while a name is being resolved: the job outlives it. */
    db_conn_free(db_connect(live_loop, &options, NULL, NULL));
}
END_TEST

START_TEST(a_malformed_url_is_told_and_does_not_crash)
{
    struct db_options options = {.url = "colour=blue"};
    struct states states = {0};
    struct db_conn *conn = db_connect(live_loop, &options, count_state, &states);

    live_wait(&states.told);
    ck_assert_ptr_nonnull(strstr(states.err.message, "colour"));
    db_conn_free(conn);
}
END_TEST

START_TEST(timeouts_hold_for_every_statement)
{
    struct db_options options = {
        .url = live_url(), .statement_timeout_ms = 50, .lock_timeout_ms = 20};
    struct db_conn *conn = live_connect(&options);
    struct live_answer slow =
        live_query(conn, &SQL_live_sleep, &(struct db_param){.kind = DB_F64, .f64 = 30}, 1);

    ck_assert_str_eq(slow.err.reason, "SQLSTATE_57014");
    struct db_txn *holder = db_txn_new(live_conn);
    struct live_answer held = {0};

    db_txn_add(holder, &SQL_live_lock, NULL, 0);
    db_txn_add(holder, &SQL_live_sleep, &(struct db_param){.kind = DB_F64, .f64 = 0.3}, 1);
    db_txn_send(holder, live_done, &held);
    struct live_answer blocked = {0};

    while (!held.done && blocked.outcome != DB_FAILED) /* until the other has it, it can be had */
        blocked = live_query(conn, &SQL_live_lock, NULL, 0);
    ck_assert_str_eq(blocked.err.reason, "SQLSTATE_55P03");
    live_wait(&held.done);
    db_conn_free(conn);
}
END_TEST

static void settings_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    ck_assert_int_eq(outcome, DB_COMMITTED);
    ck_assert(slice_is(db_slice(results[0], 0, 0), "tester"));
    ck_assert(slice_is(db_slice(results[0], 0, 1), "7s"));
    ck_assert(slice_is(db_slice(results[0], 0, 2), "1s"));
    *(bool *)userdata = true;
}

START_TEST(the_session_has_its_name_and_timeouts)
{
    struct db_options options = {.url = live_url(),
                                 .application_name = "tester",
                                 .statement_timeout_ms = 7000,
                                 .lock_timeout_ms = 1000};
    struct db_conn *conn = live_connect(&options);
    bool done = false;

    db_query(conn, &SQL_live_settings, NULL, 0, settings_done, &done);
    live_wait(&done);
    db_conn_free(conn);
}
END_TEST

START_TEST(behind_a_pooler_nothing_is_prepared)
{
    struct db_options options = {.url = live_url(), .pooler_transaction = true};
    struct db_conn *conn = live_connect(&options);

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(live_query(conn, &SQL_live_count, NULL, 0).outcome, DB_COMMITTED);
    ck_assert_int_eq(live_query(conn, &SQL_live_prepared, &DB_TEXT_PARAM(""), 1).value, 0);
    db_conn_free(conn);
}
END_TEST

struct freeing {
    struct db_conn *conn;
    bool done;
};

static void free_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    struct freeing *freeing = userdata;

    ck_assert_int_eq(outcome, DB_COMMITTED);
    db_conn_free(freeing->conn);
    freeing->done = true;
}

START_TEST(done_may_free_the_connection)
{
    struct db_options options = {.url = live_url()};
    struct freeing freeing = {.conn = live_connect(&options)};
    struct live_answer behind = {0};

    db_query(freeing.conn, &SQL_live_count, NULL, 0, free_done, &freeing);
    db_query(freeing.conn, &SQL_live_sleep, &(struct db_param){.kind = DB_F64, .f64 = 30}, 1,
             live_done, &behind);
    live_wait(&freeing.done);
    live_wait(&behind.done);
    ck_assert_int_eq(behind.outcome, DB_UNKNOWN);
}
END_TEST

START_TEST(a_freed_connection_answers_what_was_never_sent_as_failed)
{
    struct db_options options = {.url = live_url()};
    struct db_conn *conn = live_connect(&options);
    struct live_answer answer = {0};

    db_query(conn, &SQL_live_count, NULL, 0, live_done, &answer);
    db_conn_free(conn);
    ck_assert(answer.done);
    ck_assert_int_eq(answer.outcome, DB_FAILED);
}
END_TEST

START_TEST(a_reset_connects_anew)
{
    int pid = db_conn_backend_pid(live_conn);
    struct live_answer answer = {0};

    db_query(live_conn, &SQL_live_count, NULL, 0, live_done, &answer);
    db_conn_reset(live_conn);
    ck_assert(answer.done);
    live_wait_state(live_conn, true);
    ck_assert_int_ne(db_conn_backend_pid(live_conn), pid);
}
END_TEST

START_TEST(a_pool_spreads_over_its_connections)
{
    struct db_options options = {.url = live_url()};
    struct db_pool *pool = db_pool_new(live_loop, &options, 3);
    struct live_answer answers[3] = {{0}};
    struct db_conn *picked[3];

    /* A busy connection is passed over, so each one comes up as the pick in its turn. */
    for (int i = 0; i < 3; i++) {
        picked[i] = db_pool_pick(pool);
        live_wait_state(picked[i], true);
        db_query(picked[i], &SQL_live_sleep, &(struct db_param){.kind = DB_F64, .f64 = 0.2}, 1,
                 live_done, &answers[i]);
        while (i < 2 && db_conn_in_flight(db_pool_pick(pool)) > 0 && !answers[i].done)
            live_query(live_conn, &SQL_live_count, NULL, 0);
    }
    ck_assert_ptr_ne(picked[0], picked[1]);
    ck_assert_ptr_ne(picked[1], picked[2]);
    ck_assert_ptr_ne(picked[0], picked[2]);
    for (int i = 0; i < 3; i++)
        live_wait(&answers[i].done);
    db_pool_free(pool);
}
END_TEST

TCase *conn_tcase(void)
{
    TCase *tcase = tcase_create("conn");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, live_setup, live_teardown);
    tcase_add_test(tcase, a_lost_connection_leaves_the_outcome_open_and_comes_back);
    tcase_add_test(tcase, a_crash_of_the_server_loses_nothing_committed);
    tcase_add_test(tcase, an_absent_server_is_told_once_with_the_reason);
    tcase_add_test(tcase, a_name_that_does_not_resolve_is_told);
    tcase_add_test(tcase, a_malformed_url_is_told_and_does_not_crash);
    tcase_add_test(tcase, timeouts_hold_for_every_statement);
    tcase_add_test(tcase, the_session_has_its_name_and_timeouts);
    tcase_add_test(tcase, behind_a_pooler_nothing_is_prepared);
    tcase_add_test(tcase, done_may_free_the_connection);
    tcase_add_test(tcase, a_freed_connection_answers_what_was_never_sent_as_failed);
    tcase_add_test(tcase, a_reset_connects_anew);
    tcase_add_test(tcase, a_pool_spreads_over_its_connections);
    return tcase;
}
