/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "live.h"
#include "sql/live.h"

#define WAIT_MS 20000
#define POLL_MS 1

struct loop *live_loop;
struct db_conn *live_conn;

const char *live_url(void)
{
    const char *url = getenv("PLANKTON_TEST_DATABASE_URL");

    ck_assert_msg(url != NULL, "run under tests/integration/with-postgres");
    return url;
}

static void timed_out(void *userdata)
{
    ck_abort_msg("nothing happened for %d ms", WAIT_MS);
}

struct waiting {
    bool (*holds)(const void *subject);
    const void *subject;
};

static void look(void *userdata)
{
    const struct waiting *waiting = userdata;

    if (waiting->holds(waiting->subject))
        loop_stop(live_loop);
}

static void wait_for(bool (*holds)(const void *subject), const void *subject)
{
    struct waiting waiting = {holds, subject};
    struct loop_timer *guard = loop_timer_new(live_loop, timed_out, NULL);
    struct loop_timer *poll = loop_timer_new(live_loop, look, &waiting);

    loop_timer_start(guard, WAIT_MS, 0);
    loop_timer_start(poll, POLL_MS, POLL_MS);
    if (!holds(subject))
        loop_run(live_loop);
    loop_timer_free(poll);
    loop_timer_free(guard);
}

static bool flag_holds(const void *subject)
{
    return *(const volatile bool *)subject;
}

static bool conn_is_up(const void *subject)
{
    return db_conn_up(subject);
}

static bool conn_is_down(const void *subject)
{
    return !db_conn_up(subject);
}

void live_wait(const bool *flag)
{
    wait_for(flag_holds, flag);
}

void live_wait_state(struct db_conn *conn, bool up)
{
    wait_for(up ? conn_is_up : conn_is_down, conn);
}

struct db_conn *live_connect(const struct db_options *options)
{
    struct db_conn *conn = db_connect(live_loop, options, NULL, NULL);

    live_wait_state(conn, true);
    return conn;
}

void live_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
               const struct error *err, void *userdata)
{
    struct live_answer *answer = userdata;

    ck_assert(!answer->done);
    answer->done = true;
    answer->outcome = outcome;
    answer->results = n;
    ck_assert((err == NULL) == (outcome == DB_COMMITTED));
    ck_assert(outcome == DB_COMMITTED || n == 0);
    if (err)
        answer->err = *err;
    if (n > 0 && db_rows(results[n - 1]) > 0) {
        answer->rows = db_rows(results[n - 1]);
        if (db_slice(results[n - 1], 0, 0).len == sizeof(int64_t))
            answer->value = db_i64(results[n - 1], 0, 0);
    }
}

struct live_answer live_query(struct db_conn *conn, const struct db_sql *sql,
                              const struct db_param *params, int n)
{
    struct live_answer answer = {0};

    db_query(conn, sql, params, n, live_done, &answer);
    ck_assert(!answer.done);
    live_wait(&answer.done);
    return answer;
}

void live_run(const char *command)
{
    ck_assert_msg(system(command) == 0, "%s failed", command);
}

void live_setup(void)
{
    struct db_options options = {.url = live_url(), .application_name = "live"};

    live_loop = loop_new();
    live_conn = live_connect(&options);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_drop_tables, NULL, 0).outcome, DB_COMMITTED);
    ck_assert_int_eq(live_query(live_conn, &SQL_live_create_table, NULL, 0).outcome, DB_COMMITTED);
}

void live_teardown(void)
{
    db_conn_free(live_conn);
    loop_free(live_loop);
}

int main(void)
{
    Suite *suite = suite_create("db_live");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, txn_tcase());
    suite_add_tcase(suite, conn_tcase());
    suite_add_tcase(suite, migrate_tcase());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
